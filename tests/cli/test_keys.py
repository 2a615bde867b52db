"""key: keys under passphrases, carried over, and ended; with and without a relay that runs on the folder."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import segno

from meshrelay.core.admission import admit
from tests.cli.conftest import PASSPHRASE, Terminal
from tests.cli.test_relays import running, until

pytestmark = pytest.mark.usefixtures("cheap_guesses")


@pytest.fixture
def wrong(tmp_path: Path) -> str:
    (tmp_path / "wrong").write_text("another one\n", encoding="utf-8")
    return str(tmp_path / "wrong")


def stream_of(terminal: Terminal, item: str) -> bytes:
    stream = admit(terminal.call("show", item, "--raw").stdout_bytes).header.stream
    assert stream is not None
    return stream


def verdict_at(terminal: Terminal, item: str) -> str:
    found: str = terminal.read("show", item)["verdict"]["author"]
    return found


@pytest.mark.parametrize("beside", [False, True])
def test_a_key_under_a_passphrase_signs_only_with_it(
    terminal: Terminal, secret: str, wrong: str, monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    terminal.do("key", "new")
    first = terminal.do("publish", "--headline", "Before")

    def look() -> None:
        assert "under a passphrase" in terminal.do("key", "passphrase", "me", "--passphrase-file", secret)
        assert "(under a passphrase)" in terminal.do("key", "list")
        assert "needs its passphrase" in terminal.refuse("publish", "--headline", "x")
        assert "the passphrase is wrong" in terminal.refuse("publish", "--headline", "x", "--passphrase-file", wrong)
        assert "cannot be read" in terminal.refuse("publish", "--headline", "x", "--passphrase-file", secret + "x")
        second = terminal.do("publish", "--headline", "After", "--passphrase-file", secret)
        assert stream_of(terminal, second) == stream_of(terminal, first)
        monkeypatch.setenv("MESHRELAY_PASSPHRASE_FILE", secret)
        terminal.do("withdraw", second)
        assert terminal.read("list")["bulletins"][0]["id"] == first

    if beside:
        with running(terminal.data):
            look()
    else:
        look()


def test_a_running_relay_signs_what_was_planned_when_it_has_the_passphrase(
    terminal: Terminal, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.do("key", "new", "--protect", "--passphrase-file", secret)
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    result = terminal.call("publish", "--headline", "x", "--publish-at", at.isoformat(), "--expires", "6h")
    assert "the relay needs --passphrase-file" in result.stderr
    with running(terminal.data):
        until(lambda: "needs its passphrase" in terminal.do("planned"))
        assert terminal.read("list")["bulletins"] == []
    (plan,) = terminal.read("planned")["planned"]
    terminal.do("planned", "remove", str(plan["number"]))
    monkeypatch.setenv("MESHRELAY_PASSPHRASE_FILE", secret)
    with running(terminal.data):
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        result = terminal.call("publish", "--headline", "x", "--publish-at", at.isoformat(), "--expires", "6h")
        assert "passphrase" not in result.stderr
        until(lambda: terminal.read("list")["bulletins"])


def test_a_passphrase_is_changed_and_removed(terminal: Terminal, secret: str, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.write_text("battery staple", encoding="utf-8")
    assert "needs a passphrase" in terminal.refuse("key", "new", "--protect")
    terminal.do("key", "new", "--protect", "--passphrase-file", secret)
    assert "needs a passphrase" in terminal.refuse("key", "passphrase", "me", "--passphrase-file", secret)
    terminal.do("key", "passphrase", "me", "--passphrase-file", secret, "--new-passphrase-file", str(new))
    assert "wrong" in terminal.refuse("key", "passphrase", "me", "--passphrase-file", secret, "--remove")
    terminal.refuse("key", "passphrase", "me", "--remove", "--new-passphrase-file", str(new), code=2)
    terminal.do("key", "passphrase", "me", "--passphrase-file", str(new), "--remove")
    assert "has no passphrase" in terminal.refuse("key", "passphrase", "me", "--remove")
    new.write_text("short", encoding="utf-8")
    assert "at least 8" in terminal.refuse("key", "passphrase", "me", "--new-passphrase-file", str(new))
    assert "no key called" in terminal.refuse("key", "passphrase", "you")
    terminal.do("publish", "--headline", "x")


def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(terminal: Terminal, secret: str) -> None:
    terminal.do("key", "new", "--protect", "--passphrase-file", secret)
    words = ["--data", str(terminal.data), "publish", "--headline", "x"]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "meshrelay", *words],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    said, end = b"", time.monotonic() + 30
    try:
        while process.poll() is None and time.monotonic() < end:
            if select.select([leader], [], [], 0.1)[0]:
                try:
                    said += os.read(leader, 4096)
                except OSError:  # the other side is closed
                    break
                if said.endswith(b"Passphrase of the key me: "):
                    os.write(leader, PASSPHRASE.encode() + b"\n")
                    said += b"\n"
        assert process.wait(10) == 0
    finally:
        process.kill()
        os.close(leader)
    assert PASSPHRASE.encode() not in said
    assert len(terminal.read("list")["bulletins"]) == 1


def test_a_key_goes_to_another_relay_and_both_go_on(
    terminal: Terminal, other: Terminal, secret: str, wrong: str, tmp_path: Path
) -> None:
    made = terminal.read("key", "new")
    here = terminal.do("publish", "--headline", "Here")
    file = tmp_path / "me.meshkey"
    assert "needs a passphrase" in terminal.refuse("key", "export", "me", str(file))
    assert not file.exists()
    terminal.do("key", "export", "me", str(file), "--passphrase-file", secret)
    assert file.stat().st_mode & 0o777 == 0o600
    seed = json.loads((terminal.data / "keys" / "me.key").read_text())["seed"]
    assert seed not in file.read_text(encoding="utf-8")
    assert "wrong" in other.refuse("key", "import", str(file), "--passphrase-file", wrong)
    assert "needs its passphrase" in other.refuse("key", "import", str(file))
    taken = other.read("key", "import", str(file), "--as", "office", "--passphrase-file", secret)
    assert taken == {**made, "name": "office"}
    assert "here already, as office" in other.refuse("key", "import", str(file), "--passphrase-file", secret)
    there = other.do("publish", "--headline", "There", "--passphrase-file", secret)
    assert stream_of(other, there) != stream_of(terminal, here)
    after = terminal.do("publish", "--headline", "Here again")
    assert stream_of(terminal, after) == stream_of(terminal, here)
    file.write_text("{}", encoding="utf-8")
    assert "not an exported key" in other.refuse("key", "import", str(file))
    assert "absent" in other.refuse("key", "import", str(tmp_path / "absent"))


def test_the_key_that_signs_can_be_chosen_for_good(terminal: Terminal) -> None:
    keys = {name: terminal.read("key", "new", name)["key"] for name in ("desk", "field")}
    assert "several keys" in terminal.refuse("publish", "--headline", "x")
    terminal.do("key", "default", "field")
    item = terminal.do("publish", "--headline", "x")
    assert terminal.read("show", item)["author"] == keys["field"]
    assert "no key called" in terminal.refuse("key", "default", "you")
    terminal.do("key", "revoke", "desk", "--yes")
    assert "was revoked" in terminal.refuse("key", "default", "desk")


@pytest.mark.parametrize("beside", [False, True])
def test_a_revoked_key_counts_no_more_here_and_elsewhere(terminal: Terminal, other: Terminal, beside: bool) -> None:
    item = terminal.do("publish", "--headline", "Water")
    other.do("import", "-", stdin=terminal.call("show", item, "--raw").stdout_bytes)

    def end() -> None:
        assert "not what was to be typed" in terminal.call("key", "revoke", "me", stdin="you\n").stderr
        assert terminal.call("key", "revoke", "me", stdin="").exit_code == 1
        assert verdict_at(terminal, item) == "own"
        result = terminal.call("key", "revoke", "me", stdin="me\n")
        assert (result.exit_code, "me is revoked here" in result.stdout) == (0, True)

    if beside:
        with running(terminal.data):
            end()
    else:
        end()
    assert verdict_at(terminal, item) == "revoked"
    assert "(revoked)" in terminal.do("key", "list")
    assert "was revoked" in terminal.refuse("publish", "--headline", "x")
    assert "was revoked before" in terminal.refuse("key", "revoke", "me", "--yes")
    carried = terminal.data / "out.carry"
    terminal.do("export", str(carried))
    other.do("import", str(carried))
    assert verdict_at(other, item) == "revoked"


def test_a_revocation_can_be_published_when_its_file_is_lost(terminal: Terminal, secret: str) -> None:
    terminal.do("key", "new", "--protect", "--passphrase-file", secret)
    before = (terminal.data / "keys" / "me.revocation").read_bytes()
    (terminal.data / "keys" / "me.revocation").unlink()
    assert "needs its passphrase" in terminal.refuse("key", "revoke", "me", "--yes")
    found = terminal.read("key", "revoke", "me", "--yes", "--passphrase-file", secret)
    assert found["id"] == admit(before).id.hex()


@pytest.mark.parametrize("form", ["html", "txt", "letters", "wrapped letters"])
def test_the_sheet_ends_the_key_at_any_relay(terminal: Terminal, other: Terminal, tmp_path: Path, form: str) -> None:
    item = terminal.do("publish", "--headline", "Water")
    other.do("import", "-", stdin=terminal.call("show", item, "--raw").stdout_bytes)
    sheet = tmp_path / f"sheet.{form if form in ('html', 'txt') else 'txt'}"
    terminal.do("key", "sheet", str(sheet))
    text = sheet.read_text(encoding="utf-8")
    assert "strikes everything the key ever signed" in " ".join(text.split())
    assert terminal.read("key", "show")["digits"] in text
    if "letters" in form:
        letters = base64.b64encode((terminal.data / "keys" / "me.revocation").read_bytes()).decode()
        sheet.write_text(letters if form == "letters" else "\r\n ".join(re.findall(".{1,20}", letters)))
    assert other.do("import", str(sheet)) == "1 new, 0 known, 0 refused"
    assert verdict_at(other, item) == "revoked"


def test_a_sheet_with_a_slip_of_the_pen_is_refused(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    terminal.do("key", "new", "--sheet", str(tmp_path / "sheet.txt"))
    text = (tmp_path / "sheet.txt").read_text(encoding="utf-8")
    at = text.index("0oRY") + 130
    (tmp_path / "slip.txt").write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    (tmp_path / "short.txt").write_text(text[:at])
    for name in ("slip.txt", "short.txt"):
        assert "0 new, 0 known, 1 refused" in other.call("import", str(tmp_path / name)).stdout


def test_the_code_on_the_sheet_is_the_revocation_and_the_page_loads_nothing(terminal: Terminal, tmp_path: Path) -> None:
    terminal.do("key", "new", "--sheet", str(tmp_path / "sheet.html"))
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert not re.search(r"\b(src|href|url\()", page)
    letters = base64.b64encode((terminal.data / "keys" / "me.revocation").read_bytes()).decode()
    assert letters in page.replace("\n", "")
    assert segno.make(letters, error="m", micro=False).svg_inline(omitsize=True) in page


def test_everything_about_keys_can_be_done_beside_a_running_relay(
    terminal: Terminal, other: Terminal, secret: str, tmp_path: Path
) -> None:
    made = terminal.read("key", "new", "desk")
    carried, sheet = str(tmp_path / "desk.key"), tmp_path / "sheet.html"
    with running(terminal.data), running(other.data):
        terminal.do("key", "export", "desk", carried, "--passphrase-file", secret)
        terminal.do("key", "sheet", str(sheet), "desk")
        terminal.do("key", "new", "field")
        terminal.do("key", "default", "desk")
        assert terminal.read("key", "show")["key"] == made["key"]
        assert other.read("key", "import", carried, "--passphrase-file", secret)["key"] == made["key"]
        there = other.do("publish", "--headline", "There", "--passphrase-file", secret)
        terminal.do("import", "-", stdin=other.call("show", there, "--raw").stdout_bytes)
        assert verdict_at(terminal, there) == "own"
        assert stream_of(terminal, there) != stream_of(terminal, terminal.do("publish", "--headline", "Here"))
        other.do("import", str(sheet))
        assert "was revoked" in other.refuse("publish", "--headline", "x", "--passphrase-file", secret)
