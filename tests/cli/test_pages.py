"""hide, unhide, drill: what this relay's people decide about its pages, with and without a relay running."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal
from tests.processes import Process, made_items, run, sequence

NOW = int(time.time())


@pytest.fixture
def held(terminal: Terminal) -> list[str]:
    """Two bulletins of a stranger, the first one first."""
    items = list(made_items(2, now=NOW, keys=1))
    terminal.do("import", "-", stdin=sequence(items))
    return [item.id.hex() for item in items]


def listed(terminal: Terminal, *words: str) -> dict[str, bool]:
    return {one["id"]: one.get("hidden", False) for one in terminal.read("list", *words)["bulletins"]}


def test_what_is_hidden_is_marked_in_the_whole_list_and_in_no_other(terminal: Terminal, held: list[str]) -> None:
    first, second = held
    terminal.do("hide", first[:12], "--reason", "not from here")
    assert listed(terminal) == {second: False}
    assert listed(terminal, "--all") == {first: True, second: False}
    assert "Hidden by this relay: not from here" in terminal.do("list", "--all")
    assert "Hidden by this relay" in terminal.do("show", first)
    assert [one["id"] for one in terminal.read("search", "notice")["bulletins"]] == [second]
    terminal.do("unhide", first[:12])
    assert listed(terminal) == {first: False, second: False}


def test_what_is_dropped_is_gone_and_not_taken_in_again_until_it_is_shown(terminal: Terminal) -> None:
    (item,) = made_items(1, now=NOW)
    terminal.do("import", "-", stdin=item.data)
    terminal.do("hide", item.id.hex(), "--drop")
    assert listed(terminal, "--all") == {}
    refused = terminal.call("import", "-", stdin=item.data)
    assert refused.exit_code == 1
    assert listed(terminal, "--all") == {}
    terminal.do("unhide", item.id.hex()[:8])
    assert terminal.do("import", "-", stdin=item.data).startswith("1 new")


def test_what_ends_another_and_what_is_one_s_own_is_not_dropped(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "x")
    assert "your own" in terminal.refuse("hide", item, "--drop")
    cancel = terminal.do("withdraw", item)
    assert "ends another" in terminal.refuse("hide", cancel, "--drop")
    terminal.do("hide", cancel)
    assert terminal.read("show", item)["status"] == "cancelled"


def test_an_id_that_is_not_here_is_refused(terminal: Terminal, held: list[str]) -> None:
    terminal.refuse("hide", "00ff00ff00ff")
    assert "no hidden id" in terminal.refuse("unhide", held[0])


def test_drill_mode_is_turned_on_and_off(terminal: Terminal) -> None:
    assert terminal.read("drill") == {"drill": False, "until": None}
    assert "is on until" in terminal.do("drill", "on")
    assert terminal.read("drill")["drill"]
    terminal.do("drill", "off")
    assert terminal.do("drill") == "Drill mode is off."


@pytest.fixture
def relay(terminal: Terminal) -> Iterator[Process]:
    started = run(terminal.data)
    yield started
    started.stop()


def wait_for(relay: Process, path: str, wanted: Callable[[str], bool]) -> str:
    """Return a page once it is as wanted, which a relay beside a command makes it within a second or two."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        text = relay.request("GET", path)[1].decode()
        if wanted(text):
            return text
        time.sleep(0.05)
    raise AssertionError(text)


def test_a_running_relay_hides_too_and_says_how_many(tmp_path: Path, terminal: Terminal, relay: Process) -> None:
    first, second = made_items(2, now=NOW, keys=1)
    relay.request("POST", "/api/v1/items", sequence([first, second]))
    wait_for(relay, "/", lambda text: first.id.hex() in text)
    terminal.do("hide", first.id.hex())
    text = wait_for(relay, "/", lambda text: first.id.hex() not in text)
    assert "Hidden by this relay: 1" in text
    assert second.id.hex() in text
    for path in (f"/b/{first.id.hex()}", f"/api/v1/bulletins/{first.id.hex()}.cose"):
        assert relay.request("GET", path)[0] == 404
    for path in ("/api/v1/bulletins", "/feed.atom?known=false", "/feed.geojson?known=false", "/search?q=notice"):
        text = relay.request("GET", path)[1].decode()
        assert first.id.hex() not in text, path
    terminal.do("hide", second.id.hex(), "--drop")
    wait_for(relay, "/", lambda text: "Hidden by this relay: 2" in text)
    code, body = relay.request("POST", "/api/v1/items", second.data)
    assert (code, json.loads(body)["refused"]) == (422, [{"index": 0, "reason": "block"}])


def test_a_running_relay_says_on_every_page_that_a_drill_is_under_way(terminal: Terminal, relay: Process) -> None:
    assert "drill-mode" not in relay.request("GET", "/")[1].decode()
    terminal.do("drill", "on")
    wait_for(relay, "/", lambda text: "A drill is under way at this relay until" in text)
    assert "drill-mode" in relay.request("GET", "/about")[1].decode()
    terminal.do("drill", "off")
    wait_for(relay, "/", lambda text: "drill-mode" not in text)
