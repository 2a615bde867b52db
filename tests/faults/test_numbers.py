"""Two shells and a running relay's plans sign with one key at once: every number once, one stream, no fork."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import UNSIGNED, Area, Bulletin, Text
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.processes import run

SHELL = """
import sys
from click.testing import CliRunner
from meshrelay.cli import main
for number in range(int(sys.argv[2])):
    result = CliRunner().invoke(main, ["--data", sys.argv[1], "publish", "--headline", f"{sys.argv[3]} {number}"])
    assert result.exit_code == 0, result.output
"""


def open_relay(data: Path) -> Relay:
    return Relay(Store.open(data / "store.db"), Local.open(data / "local.db"), Keyring(data / "keys"))


def all_at_once(data: Path, each: int, *, seconds: float) -> None:
    relay = open_relay(data)
    now = int(time.time())
    key = relay.keyring.new("me", now=now)
    for number in range(each):
        texts = (Text("en", "Notice", f"planned {number}"),)
        draft = Bulletin(now, now + 86400, UNSIGNED, texts, areas=(Area((("en", "School"),)),))
        relay.plan(draft, "me", due=now)
    relay.close()
    node = run(data)
    shells = [
        subprocess.Popen([sys.executable, "-c", SHELL, str(data), str(each), name]) for name in ("one shell", "other")
    ]
    try:
        assert [shell.wait(timeout=seconds) for shell in shells] == [0, 0]
        deadline = time.monotonic() + seconds
        while (relay := open_relay(data)).local.planned():
            relay.close()
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        assert node.stop() == 0
    keys, _ = relay.store.keys()
    items = list(relay.store.by_key(keys[at : at + 24] for at in range(0, len(keys), 24)).values())
    bodies = [reopen(data).body for data in relay.store.get_many([item.id for item in items]).values()]
    relay.close()
    assert {item.author for item in items} == {key.public}
    assert len({item.stream for item in items}) == 1
    assert sorted(item.seq or 0 for item in items) == list(range(1, 3 * each + 1))
    chain = {body.chain.seq: body.chain.prev for body in bodies if isinstance(body, Bulletin)}
    ids = {item.seq: item.id for item in items}
    assert all(chain[seq] == ids[seq - 1] for seq in chain if seq > 1)


def test_two_shells_and_a_relay_of_ten_each_share_one_stream(tmp_path: Path) -> None:
    all_at_once(tmp_path, 10, seconds=40)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_two_shells_and_a_relay_of_three_hundred_each_share_one_stream(tmp_path: Path) -> None:
    all_at_once(tmp_path, 300, seconds=400)
