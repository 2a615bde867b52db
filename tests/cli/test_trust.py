"""key and trust: whose bulletins are known here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal


def hand_over(giver: Terminal, taker: Terminal, item: str) -> None:
    taker.do("import", "-", stdin=giver.call("show", item, "--raw").stdout_bytes)


def author_at(terminal: Terminal, item: str) -> str:
    verdict: str = terminal.read("show", item)["verdict"]["author"]
    return verdict


def test_a_key_is_shown_by_its_digits(terminal: Terminal) -> None:
    assert "no key is here" in terminal.refuse("key", "show")
    made = terminal.read("key", "new")
    assert made["name"] == "me"
    assert made["digits"] in terminal.do("key", "show")
    assert terminal.read("key", "show") == made
    assert [one["key"] for one in terminal.read("key", "list")["keys"]] == [made["key"]]
    assert made["digits"] in terminal.do("key", "list")
    assert "is here already" in terminal.refuse("key", "new", "me")
    assert "cannot name a key" in terminal.refuse("key", "new", "a/b", code=2)


def test_a_secret_is_never_printed(terminal: Terminal) -> None:
    terminal.do("key", "new")
    seed = json.loads((terminal.data / "keys" / "me.key").read_text())["seed"]
    calls = [["key", "show"], ["key", "show", "--json"], ["key", "list", "--json"], ["-v", "-v", "key", "list"]]
    assert all(seed not in terminal.call(*words).output for words in calls)


@pytest.mark.parametrize(
    "form", ["digits", "groups", "dashes", "arabic", "words", "shouted words", "hex", "file", "text file"]
)
def test_a_sender_becomes_known_by_digits_key_or_file(
    terminal: Terminal, other: Terminal, tmp_path: Path, form: str
) -> None:
    item = terminal.do("publish", "--headline", "Water")
    hand_over(terminal, other, item)
    assert author_at(other, item) == "unknown"
    key = terminal.read("key", "show")
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key) if form == "file" else key["digits"], encoding="utf-8")
    given = {
        "digits": [key["digits"].replace(" ", "")],
        "groups": key["digits"].split(),
        "words": key["words"].split(),
        "shouted words": [key["words"].upper().replace(" ", "-")],
        "dashes": [key["digits"].replace(" ", "-")],
        "arabic": [key["digits"].translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))],
        "hex": [key["key"].upper()],
        "file": [str(path)],
        "text file": [str(path)],
    }[form]
    assert "is known here from now on" in other.do("trust", "add", *given, "--as", "School 12")
    assert author_at(other, item) == "anchored"
    assert "School 12 says so." in other.do("show", item)
    (known,) = other.read("trust", "list")["known"]
    assert (known["petname"], known["key"]) == ("School 12", key["key"])
    assert known["how"] == ("key" if form in ("hex", "file") else "digits")


@pytest.mark.parametrize("form", ["digits", "words"])
def test_the_code_of_a_key_that_has_not_come_waits_for_it(terminal: Terminal, other: Terminal, form: str) -> None:
    item = terminal.do("publish", "--headline", "Water")
    code = terminal.read("key", "show")[form]
    assert "waited for" in other.do("trust", "add", code, "--as", "School 12")
    assert [one[form] for one in other.read("trust", "list")["waiting"]] == [code]
    assert "waited for" in other.do("trust", "list")
    hand_over(terminal, other, item)
    assert author_at(other, item) == "anchored"
    assert other.read("trust", "list")["waiting"] == []


def test_who_is_no_longer_known_can_be_named_in_every_way(terminal: Terminal, other: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water")
    hand_over(terminal, other, item)
    key = terminal.read("key", "show")
    for name in ("School 12", key["digits"], key["words"], key["key"], key["key"][:10]):
        other.do("trust", "add", key["key"], "--as", "School 12")
        other.do("trust", "remove", name)
        assert author_at(other, item) == "unknown"
    other.do("trust", "add", "1" * 27, "--as", "Nobody yet")
    other.do("trust", "remove", "Nobody yet")
    assert other.do("trust", "list") == "Nobody is known here yet, and nobody is blocked."
    assert "nobody here is" in other.refuse("trust", "remove", "School 12")


def test_who_is_blocked_is_not_taken_any_more(terminal: Terminal, other: Terminal) -> None:
    first, second = (terminal.do("publish", "--headline", one) for one in "ab")
    hand_over(terminal, other, first)
    key = terminal.read("key", "show")["key"]
    other.do("trust", "block", f"{key[:4]} {key[4:8]}")
    assert author_at(other, first) == "blocked"
    result = other.call("import", "-", stdin=terminal.call("show", second, "--raw").stdout_bytes)
    assert (result.exit_code, "blocked here" in result.stderr) == (1, True)
    assert [one["key"] for one in other.read("trust", "list")["blocked"]] == [key]
    assert key in other.do("trust", "list")
    other.do("trust", "unblock", key)
    hand_over(terminal, other, second)
    assert "not blocked" in other.refuse("trust", "unblock", key)


@pytest.mark.parametrize("second", ["School 12", "SCHOOL 12", "Sсhооl 12", "School-12"])
def test_a_name_like_one_that_is_here_is_warned_about(terminal: Terminal, second: str) -> None:
    terminal.do("trust", "add", "1" * 27, "--as", "School 12")
    result = terminal.call("trust", "add", "2" * 27, "--as", second)
    assert result.exit_code == 0
    assert "Careful: School 12 is here already with another key" in result.stderr
    assert "Careful" not in terminal.call("trust", "add", "3" * 27, "--as", "Clinic").stderr


def test_what_is_no_key_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("hello", encoding="utf-8")
    for given in ("123", "1" * 26, "word", "00" * 32, "ff" * 32, str(path), "ability " * 7):
        terminal.refuse("trust", "add", given, "--as", "x", code=1 if given == str(path) else 2)
    misheard = terminal.call("trust", "add", *["ability"] * 7, "abilitee", "--as", "x")
    assert (misheard.exit_code, "'abilitee' is none of the words; perhaps it is ability" in misheard.stderr) == (
        2,
        True,
    )
    terminal.refuse("trust", "add", "1" * 27, code=2)
    terminal.refuse("trust", "add", "1" * 27, "--as", " ", code=2)
    own = terminal.read("key", "new")["key"]
    assert "your own key" in terminal.refuse("trust", "add", own, "--as", "me")
    assert "your own key" in terminal.refuse("trust", "block", own)


def test_a_known_key_that_was_withdrawn_is_said_to_be(terminal: Terminal, other: Terminal) -> None:
    key = other.read("key", "new")["key"]
    terminal.do("trust", "add", key, "--as", "Aigerim")
    assert terminal.read("trust", "list")["known"][0]["revoked"] is False
    terminal.do("import", str(other.data / "keys" / "me.revocation"))
    assert terminal.read("trust", "list")["known"][0]["revoked"] is True
    said = terminal.do("trust", "list")
    assert said.startswith("Aigerim: their key was withdrawn by its owner.")
    assert "Believed" not in said
