"""A relay as a process on a computer whose clock is wrong, and jumps."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

from meshrelay.core.trust import Anchor
from meshrelay.local import Local
from tests.processes import Process, author_keys, made_items, run, sequence

YEAR = 365 * 86400
BEHIND = "The clock of this relay is behind. It goes by the time that the senders it knows have reached."
WRONG = "The clock of this relay may be wrong. Compare it with yours before you trust a time."


def test_a_relay_whose_clock_is_wrong_and_jumps_says_what_holds_and_says_so(tmp_path: Path) -> None:
    data, offset, now = tmp_path / "data", tmp_path / "offset", int(time.time())
    set_clock(offset, -2 * YEAR)
    data.mkdir()
    with closing(Local.open(data / "local.db")) as local:
        for key in (*author_keys(2, seed=1), *author_keys(2, seed=2)):
            local.add_anchor(Anchor(key, f"Clinic {key.hex()[:4]}", now))
    valid = {item.id.hex(): item for item in made_items(8, now=now, keys=2, seed=1)}
    # Over before the newest of what the known senders signed: a clock that is behind can tell.
    ended = {item.id.hex(): item for item in made_items(4, now=now - 110_000, keys=2, seed=2)}
    relay = run(data, program=("-m", "tests.skewed", str(offset)))
    code, answer = relay.request("POST", "/api/v1/items", sequence([*valid.values(), *ended.values()]))
    assert (code, json.loads(answer)["new"]) == (200, 12)
    slow = dict.fromkeys(valid, "live") | dict.fromkeys(ended, "expired")
    assert shown(relay, slow) == [BEHIND]
    set_clock(offset, 0)
    assert shown(relay, slow) == []
    set_clock(offset, 2 * YEAR)
    assert shown(relay, dict.fromkeys([*valid, *ended], "perhaps expired")) == [WRONG]
    set_clock(offset, -2 * YEAR)
    assert shown(relay, slow) == [BEHIND]
    set_clock(offset, 0)
    assert shown(relay, slow) == []
    assert relay.stop() == 0


def set_clock(offset: Path, seconds: int) -> None:
    """Let the clock jump, at once: a reader of the file sees all of it or none."""
    new = offset.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(offset)


def shown(relay: Process, wanted: dict[str, str]) -> list[str]:
    """Wait until the relay gives every bulletin this status, and return what its page says of the clock."""
    deadline = time.monotonic() + 20
    while True:
        _, answer = relay.request("GET", "/api/v1/bulletins?status=all&limit=200")
        found = {one["id"]: one["status"] for one in json.loads(answer)["bulletins"]}
        if found == wanted:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    page = relay.request("GET", "/?lang=en")[1].decode()
    return [sentence for sentence in (BEHIND, WRONG) if sentence in page]
