"""Advice, drafts, drill mode and plans: what stands between wanting to say something and having said it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meshrelay.core.bulletin import Bulletin
from meshrelay.core.lint import ADVICE, Flaw
from meshrelay.listing import Query
from meshrelay.local import Local
from meshrelay.node import Node
from meshrelay.settings import load
from meshrelay.words import PAGE_LANGUAGES
from tests.cli.conftest import Terminal

HOUR = 3600
LOOPBACK = {"reader": "127.0.0.1:0", "peers": "127.0.0.1:0", "desk": "127.0.0.1:0", "discovery": False}
GOOD = {
    "headline": "Water at School 12",
    "instruction": "Bring bottles",
    "area": "School 12",
    "circle": "43.2,76.8,1",
    "severity": "Minor",
    "urgency": "Expected",
    "certainty": "Observed",
    "expires": "6h",
    "description": "The pump stands still.",
    "response": "Prepare",
    "sender_name": "Waterworks",
    "contact": "+7 700 000 00 00",
    "web": "https://example.org/water",
}


def codes(terminal: Terminal, *words: str, stdin: str | None = None) -> list[str]:
    result = terminal.call("publish", *words, "--check", "--json", stdin=stdin)
    found = [one["code"] for one in json.loads(result.stdout)["findings"]]
    pressing = [code for code in found if code not in ADVICE]
    assert result.exit_code == (1 if pressing else 0)
    return pressing


# Advice


def test_a_check_says_what_is_missing_and_does_nothing(terminal: Terminal) -> None:
    found = codes(terminal, "--headline", "x")
    assert found == ["no-instruction", "no-area", "no-expiry", "no-severity", "no-urgency", "no-certainty"]
    assert not (terminal.data / "keys").exists()
    assert terminal.read("list")["bulletins"] == []
    assert codes(terminal, "-", stdin=json.dumps(GOOD)) == []
    assert terminal.do("publish", "-", "--check", stdin=json.dumps(GOOD)) == "Nothing could be better."


def test_advice_stands_on_stderr_and_stops_nothing(terminal: Terminal) -> None:
    result = terminal.call("publish", "--headline", "x")
    assert len(result.stdout.strip()) == 64
    assert "Could be better: It does not say what people should do: English." in result.stderr
    assert "Could be" not in terminal.call("publish", "-", stdin=json.dumps(GOOD)).stderr


def test_languages_of_the_place_and_bulletins_of_the_incident_are_looked_at(terminal: Terminal) -> None:
    terminal.do("config", "set", "languages", "en,kk")
    first = terminal.read("publish", "-", stdin=json.dumps({**GOOD, "incidents": "flood-3"}))["id"]
    second = terminal.read("publish", "-", stdin=json.dumps({**GOOD, "incidents": "flood-3"}))["id"]
    assert codes(terminal, "--update", first, "--expires", "6h") == ["leaves-live", "lacks-language"]
    text = terminal.call("publish", "--update", first, "--check").stdout
    assert second[:10] in text
    assert "Қазақша" in text
    assert first[:10] not in text


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_advice_comes_in_the_language_of_the_terminal(
    terminal: Terminal, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", f"{language}.UTF-8")
    lines = terminal.call("publish", "--headline", "x", "--lang", "en", "--check").stdout.splitlines()
    assert len(lines) == 11
    assert ("It names no place." in lines) == (language == "en")
    assert len(Flaw) == 34


# Drill mode


def test_in_drill_mode_a_bulletin_is_an_exercise_unless_it_is_said_to_be_none(terminal: Terminal) -> None:
    before = terminal.read("publish", "--headline", "real")
    terminal.do("drill", "on")
    result = terminal.call("publish", "--headline", "x", "--json")
    assert json.loads(result.stdout)["cap_status"] == "Exercise"
    assert "--no-drill" in result.stderr
    assert terminal.read("publish", "--headline", "x", "--no-drill")["cap_status"] == "Actual"
    # What corrects something real is real.
    assert terminal.read("publish", "--update", before["id"], "--headline", "y")["cap_status"] == "Actual"
    terminal.do("drill", "off")
    assert terminal.read("publish", "--headline", "x")["cap_status"] == "Actual"


def test_on_a_terminal_drill_mode_asks(terminal: Terminal) -> None:
    terminal.do("drill", "on")
    said = [ask_on_a_terminal(terminal, answer) for answer in (b"n\n", b"\n")]
    assert [terminal.read("show", item)["cap_status"] for item in said] == ["Actual", "Exercise"]


def ask_on_a_terminal(terminal: Terminal, answer: bytes) -> str:
    """Publish with a terminal for stdin, on which this is typed; return the id."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer)
        command = [sys.executable, "-m", "meshrelay", "--data", str(terminal.data), "publish", "--headline", "x"]
        result = subprocess.run(command, stdin=theirs, capture_output=True, check=True, timeout=30)
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"Is this an exercise?" in result.stderr
    return result.stdout.decode().strip()


# Drafts


def test_a_draft_travels_as_a_file_and_becomes_a_bulletin(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "water.json"
    path.write_text(json.dumps(GOOD), encoding="utf-8")
    terminal.do("draft", "save", "water", str(path))
    assert [one["name"] for one in terminal.read("draft", "list")["drafts"]] == ["water"]
    assert "water" in terminal.do("draft", "list")
    other.do("draft", "save", "from the stick", "-", stdin=terminal.do("draft", "show", "water"))
    assert other.do("draft", "publish", "from the stick", "--check") == "Nothing could be better."
    found = other.read("draft", "publish", "from the stick", "--drill")
    assert (found["headline"], found["cap_status"]) == ("Water at School 12", "Exercise")
    assert other.read("draft", "list") == {"drafts": []}
    terminal.do("draft", "remove", "water")
    assert "No draft" in terminal.do("draft", "list")


def test_what_is_no_form_is_no_draft(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in ("{", '{"colour": "red"}', "<alert/>"):
        path.write_text(data, encoding="utf-8")
        terminal.refuse("draft", "save", "x", str(path), code=1 if data == "<alert/>" else 2)
    terminal.refuse("draft", "save", "x", str(tmp_path / "missing"))
    terminal.refuse("draft", "save", "x" * 61, str(path), code=2)
    for command in ("show", "remove", "publish"):
        assert "no draft" in terminal.refuse("draft", command, "x")


# Plans


def test_a_plan_waits_and_its_spans_count_from_its_time(terminal: Terminal) -> None:
    number = terminal.read("publish", "--headline", "later", "--publish-at", "2h", "--expires", "6h")["planned"]
    (found,) = terminal.read("planned")["planned"]
    assert (found["number"], found["headline"], found["trouble"]) == (number, "later", None)
    due = datetime.fromisoformat(found["due"])
    assert abs(due - datetime.now().astimezone() - timedelta(hours=2)) < timedelta(seconds=5)
    local = Local.open(terminal.data / "local.db")
    assert local.planned(due=int(time.time())) == ()
    assert [one.n for one in local.planned(due=int(due.timestamp()))] == [number]
    local.close()
    assert "later" in terminal.do("planned")
    assert terminal.read("list", "--all")["bulletins"] == []
    terminal.do("planned", "remove", str(number))
    assert terminal.do("planned") == "Nothing is planned."
    terminal.refuse("planned", "remove", str(number))


def test_what_could_not_be_signed_then_is_not_planned(terminal: Terminal) -> None:
    assert "passed" in terminal.refuse("publish", "--headline", "x", "--publish-at", "2001-01-01T00:00Z")
    terminal.refuse("publish", "--headline", "x", "--publish-at", "1d", "--expires", "200d")
    assert terminal.read("planned") == {"planned": []}


async def test_a_running_relay_publishes_in_time_and_the_next_start_what_was_missed(terminal: Terminal) -> None:
    machine = [int(time.time())]
    terminal.do("publish", "--headline", "missed", "--publish-at", "1h", "--expires", "6h")
    terminal.do("publish", "--headline", "in time", "--publish-at", "3h", "--expires", "6h")
    machine[0] += 2 * HOUR  # the time of the first passes while no relay runs
    node = Node(load(terminal.data, flags=LOOPBACK), clock=lambda: machine[0])
    await node.start()
    try:
        await published(node, {"missed"})
        assert [one["headline"] for one in terminal.read("planned")["planned"]] == ["in time"]
        machine[0] += HOUR + 60
        found = await published(node, {"missed", "in time"})
        assert found["in time"].sent == machine[0]
        # Counted from the call, which came a moment after `machine` was set.
        assert found["in time"].expires - found["in time"].sent in range(6 * HOUR - 60, 6 * HOUR)
        assert terminal.read("planned") == {"planned": []}
    finally:
        await node.stop()


def test_a_plan_with_a_key_under_a_passphrase_says_what_the_relay_needs(terminal: Terminal, tmp_path: Path) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n", encoding="utf-8")
    terminal.do("key", "new", "--protect", "--passphrase-file", str(secret))
    plan = ["publish", "--headline", "sealed", "--publish-at", "2h"]
    assert "has a passphrase" in terminal.call(*plan).stderr
    terminal.do("config", "set", "passphrase_file", str(secret))
    assert "has a passphrase" not in terminal.call(*plan).stderr


async def published(node: Node, headlines: set[str]) -> dict[str, Bulletin]:
    """Return what a relay shows by its headlines, once it is these."""
    async with asyncio.timeout(30):
        while True:
            shown = (await node.read(node.relay.bulletins, Query(), node.clock())).shown
            found = {one.bulletin.texts[0].headline: one.bulletin for one in shown}
            if found.keys() == headlines:
                return found
            await asyncio.sleep(0.01)
