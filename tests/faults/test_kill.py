"""kill -9 at random moments while a relay receives from a peer and from an upload at once."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from meshrelay.core.envelope import SignedItem
from meshrelay.store import Store
from tests.processes import Process, made_items, run, sequence

NOW = int(time.time())


class Uploader(threading.Thread):
    """Posts items in small batches until told to stop, and notes what was acknowledged."""

    def __init__(self, relay: Process, items: list[list[SignedItem]], acknowledged: set[bytes]) -> None:
        super().__init__()
        self.relay, self.items, self.acknowledged = relay, items, acknowledged

    def run(self) -> None:
        while self.items:
            batch = self.items.pop()
            try:
                code, body = self.relay.request("POST", "/api/v1/items", sequence(batch))
            except (OSError, http.client.HTTPException):
                return  # killed in the middle: nothing of this batch was acknowledged
            assert code == 200, body
            answer = json.loads(body)
            assert not answer["refused"], answer
            self.acknowledged.update(item.id for item in batch)


def kill_cycles(folder: Path, cycles: int, *, seed: int) -> None:
    dice = random.Random(seed)
    theirs = list(made_items(20 * cycles, now=NOW, keys=100, seed=1))
    ours = list(made_items(40 * cycles, now=NOW, keys=100, seed=2))
    uploads = [list(ours[at : at + 5]) for at in range(0, len(ours), 5)]
    (folder / "a").mkdir()
    store = Store.open(folder / "a" / "store.db")
    store.put_many(theirs, received=NOW)
    store.close()
    peer = run(folder / "a")
    acknowledged: set[bytes] = set()
    try:
        for _ in range(cycles):
            relay = run(folder / "b", "--peer", peer.peer_uri)
            uploader = Uploader(relay, uploads, acknowledged)
            uploader.start()
            uploader.join(dice.uniform(0, 0.4))  # the moment of the blow
            relay.kill()
            uploader.join()
            check(folder / "b" / "store.db", acknowledged)
        relay = run(folder / "b", "--peer", peer.peer_uri)
        wanted = {item.id for item in theirs}
        deadline = time.monotonic() + 20
        try:
            while not wanted <= held(folder / "b" / "store.db", wanted):
                assert time.monotonic() < deadline, "it did not catch up"
                time.sleep(0.05)
        finally:
            assert relay.stop() == 0
        assert acknowledged, "nothing was acknowledged: the blows came too early to prove anything"
        check(folder / "b" / "store.db", acknowledged)
    finally:
        peer.stop()


def held(path: Path, wanted: set[bytes]) -> set[bytes]:
    store = Store.open(path)
    try:
        return set(store.get_many(wanted))
    finally:
        store.close()


def check(path: Path, acknowledged: set[bytes]) -> None:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert acknowledged <= held(path, acknowledged), "an acknowledged item was lost"


def test_nothing_acknowledged_is_lost_by_three_kills(tmp_path: Path) -> None:
    kill_cycles(tmp_path, 3, seed=1)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_by_a_hundred_kills(tmp_path: Path) -> None:
    kill_cycles(tmp_path, 100, seed=2)
