"""A disk of 24 MB that others fill: reading goes on, nothing known is lost, and writing begins again with the room."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshrelay.core.envelope import SignedItem
from meshrelay.core.trust import Anchor
from meshrelay.local import Local
from meshrelay.store import Store
from tests.processes import Process, author_keys, made_items, run, sequence

RECOVERS = 5.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    small = tmp_path / "disk"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", small], check=True)
    yield small
    subprocess.run(["umount", small], check=True)


def fill(disk: Path) -> None:
    """Take every free byte, as another program would."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        for block in (1 << 16, 1 << 12, 1):
            try:
                while file.write(bytes(block)):
                    continue
            except OSError:
                continue


def give(relay: Process, items: list[SignedItem]) -> tuple[int, list[str]]:
    status, answer = relay.request("POST", "/api/v1/items", sequence(items))
    assert status in (200, 422), answer
    found = json.loads(answer)
    return found["new"], [one["reason"] for one in found["refused"]]


def shows(relay: Process, path: str = "/") -> bool:
    return relay.request("GET", path)[0] == 200


@pytest.mark.netns
@pytest.mark.timeout(180)
def test_a_full_disk_stops_no_reader_loses_nothing_known_and_takes_more_once_there_is_room(
    disk: Path, tmp_path: Path
) -> None:
    data, now = disk / "data", int(time.time())
    data.mkdir()
    with closing(Local.open(data / "local.db")) as local:
        for key in author_keys(2, seed=1):
            local.add_anchor(Anchor(key, "Clinic", now))
    known = list(made_items(60, now=now, keys=2, seed=1))
    strangers = list(made_items(900, now=now, keys=90, seed=2))
    relay = run(data)
    try:
        assert give(relay, known[:40])[0] == 40
        assert give(relay, strangers[:90])[0] > 60
        fill(disk)
        answers = [give(relay, strangers[at : at + 30]) for at in range(90, 600, 30)]
        assert any("room" in reasons for _, reasons in answers)
        assert shows(relay)
        assert give(relay, known[40:])[0] == 20
        for item in known:
            assert shows(relay, f"/b/{item.id.hex()}")
        (disk / "ballast").unlink()
        room = time.monotonic()
        late = strangers[600:]
        while not give(relay, late[:1])[0]:
            late = late[1:]
            assert time.monotonic() - room < RECOVERS
        print(f"writing again {time.monotonic() - room:.2f} s after there was room")
        assert relay.stop() == 0
    finally:
        relay.process.kill()
    with closing(Store.open(data / "store.db")) as store:
        assert store.get_many(item.id for item in known) == {item.id: item.data for item in known}
        store.look_over()
    shutil.copy(data / "store.db", tmp_path)
    with closing(sqlite3.connect(tmp_path / "store.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert (tmp_path / "store.db").stat().st_size <= 2_600_000
