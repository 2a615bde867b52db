"""The command that writes a poster, and that `status` says when its address is not right any more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meshrelay.local import Local
from tests.cli.conftest import Terminal
from tests.processes import run

ADDRESS = ("--address", "192.168.1.23:8080")


def test_it_writes_one_page_with_both_codes(terminal: Terminal, tmp_path: Path) -> None:
    secret, path = tmp_path / "wifi", tmp_path / "p.html"
    secret.write_text("correct horse\n")
    wifi = ("--wifi", "Üç;Terek", "--wifi-password-file", str(secret))
    assert terminal.read("poster", str(path), *ADDRESS, *wifi, "--lang", "kk", "--lang", "fa") == {
        "file": str(path),
        "address": "http://192.168.1.23:8080/",
        "wifi": "Üç;Terek",
        "languages": ["kk", "fa"],
    }
    html = path.read_text(encoding="utf-8")
    assert html.count('role="img"') == 3
    assert "correct horse" in html
    assert re.findall(r'<html lang="(\w+)"', html) == ["kk"]


def test_it_says_what_is_missing_on_it(terminal: Terminal, tmp_path: Path) -> None:
    said = terminal.call("poster", str(tmp_path / "p.html"), *ADDRESS).stderr
    assert "leaves a line for the name of the Wi-Fi" in said
    assert "no key on it" in said
    terminal.do("key", "new", "me")
    assert "no key on it" not in terminal.call("poster", str(tmp_path / "p.html"), *ADDRESS).stderr


def test_it_says_in_which_language_of_the_place_there_is_none(terminal: Terminal, tmp_path: Path) -> None:
    terminal.do("setup", "--yes", "--languages", "de,kk", "--no-key")
    said = terminal.call("poster", str(tmp_path / "p.html"), *ADDRESS).stderr
    assert "There is no poster in de; this one is in kk, en." in said


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        ((), "does not run", 1),
        (("--address", "nonsense:port"), "'port' is not a port", 2),
        (("--address", "a/b"), "no address", 2),
        (("--address", ":80"), "no address", 2),
        ((*ADDRESS, "--wifi-password-file", "x"), "needs the name", 2),
        ((*ADDRESS, "--wifi", "x" * 33), "at most 32 bytes", 2),
        ((*ADDRESS, "--lang", "kk", "--lang", "de"), "no poster in de", 2),
        ((*ADDRESS, *("--lang", "kk") * 5), "room for 4 languages", 2),
        ((*ADDRESS, "--wifi", "x", "--wifi-password-file", "{short}"), "8 to 63 characters", 1),
    ],
)
def test_what_cannot_be_printed_is_refused(
    words: tuple[str, ...], said: str, code: int, terminal: Terminal, tmp_path: Path
) -> None:
    (tmp_path / "short").write_text("1234567\n")
    words = tuple(word.replace("{short}", str(tmp_path / "short")) for word in words)
    assert said in terminal.refuse("poster", str(tmp_path / "p.html"), *words, code=code)
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("10.0.0.1", "http://10.0.0.1:8080/"),
        ("10.0.0.1:80", "http://10.0.0.1/"),
        ("[fd00::1]:8080", "http://[fd00::1]:8080/"),
        ("meshrelay.local:80", "http://meshrelay.local/"),
    ],
)
def test_an_address_is_written_as_browsers_take_it(
    given: str, written: str, terminal: Terminal, tmp_path: Path
) -> None:
    assert terminal.read("poster", str(tmp_path / "p.html"), "--address", given)["address"] == written


def test_beside_a_relay_on_no_network_it_asks_for_an_address(terminal: Terminal, tmp_path: Path) -> None:
    relay = run(terminal.data)
    assert "on no network" in terminal.refuse("poster", str(tmp_path / "p.html"))
    relay.stop()


def test_status_says_when_the_last_poster_is_out_of_date(terminal: Terminal) -> None:
    relay = run(terminal.data)
    assert "poster" not in terminal.call("status").stderr
    notes = Local.open(terminal.data / "local.db")
    notes.note_poster("http://10.9.9.9:8080/")
    assert "last poster, http://10.9.9.9:8080/, is not right any more" in terminal.call("status").stderr
    notes.note_poster(f"http://127.0.0.1:{relay.reader[1]}/")
    assert "poster" not in terminal.call("status").stderr
    notes.close()
    relay.stop()
