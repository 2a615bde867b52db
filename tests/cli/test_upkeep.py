"""backup, restore, wipe: with and without a relay that runs on the folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from nacl import bindings

from meshrelay import folder, sealing
from meshrelay.cli import upkeep
from meshrelay.core.admission import admit
from meshrelay.core.keys import SigningKey, Stretching, unseal
from tests.cli.conftest import PASSPHRASE, Terminal
from tests.cli.test_relays import running, until

pytestmark = pytest.mark.usefixtures("cheap_guesses")


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "relay.backup")


def filled(terminal: Terminal, name: str = "School 12") -> str:
    terminal.do("config", "set", "name", name)
    terminal.do("trust", "add", "1" * 27, "--as", "Aigerim")
    return terminal.do("publish", "--headline", "Water")


def stream_of(terminal: Terminal, item: str) -> bytes:
    stream = admit(terminal.call("show", item, "--raw").stdout_bytes).header.stream
    assert stream is not None
    return stream


@pytest.mark.parametrize("beside", [False, True])
def test_a_relay_comes_back_from_a_file_and_goes_on_in_a_new_stream(
    terminal: Terminal, other: Terminal, file: str, secret: str, beside: bool
) -> None:
    item = filled(terminal)

    def write() -> None:
        found = terminal.read("backup", file, "--with-keys", "--passphrase-file", secret)
        assert (found["bulletins"], found["keys"]) == (1, ["me"])
        assert found["bytes"] == Path(file).stat().st_size

    if beside:
        with running(terminal.data):
            write()
    else:
        write()
    assert Path(file).stat().st_mode & 0o777 == 0o600
    found = other.read("restore", file, "--passphrase-file", secret)
    assert (found["bulletins"], found["keys"]) == (1, ["me"])
    assert [one["id"] for one in other.read("list")["bulletins"]] == [item]
    assert [one["petname"] for one in other.read("trust", "list")["waiting"]] == ["Aigerim"]
    assert other.do("config", "get", "name") == "School 12"
    assert other.read("key", "show") == terminal.read("key", "show")
    assert stream_of(other, other.do("publish", "--headline", "There")) != stream_of(terminal, item)
    assert stream_of(terminal, terminal.do("publish", "--headline", "Here")) == stream_of(terminal, item)


def test_a_backup_without_keys_says_so(terminal: Terminal, other: Terminal, file: str, secret: str) -> None:
    filled(terminal)
    result = terminal.call("backup", file)
    assert (result.exit_code, "keys: none" in result.stdout) == (0, True)
    assert "Your keys are not in it" in result.stderr
    result = other.call("restore", file)
    assert result.exit_code == 0, result.output
    assert "School 12" in result.stdout
    assert other.read("key", "list")["keys"] == []
    assert "needs a passphrase" in terminal.refuse("backup", file, "--with-keys")
    assert "no key is here" in other.refuse("backup", file, "--with-keys", "--passphrase-file", secret)
    assert "cannot write" in terminal.refuse("backup", "/proc/nothing")


def test_a_restore_asks_before_it_takes_a_place_and_for_the_passphrase(
    terminal: Terminal, other: Terminal, file: str, secret: str, tmp_path: Path
) -> None:
    item = filled(terminal)
    terminal.do("backup", file, "--with-keys", "--passphrase-file", secret)
    mine = filled(other, "Clinic")
    assert "a relay is in" in other.refuse("restore", file, "--passphrase-file", secret)
    assert "another key called me" in other.refuse("restore", file, "--replace", "--passphrase-file", secret)
    wrong = tmp_path / "wrong"
    wrong.write_text("another one")
    assert "the passphrase is wrong" in other.refuse("restore", file, "--replace", "--passphrase-file", str(wrong))
    assert "are under a passphrase" in other.refuse("restore", file, "--replace")
    assert [one["id"] for one in other.read("list")["bulletins"]] == [mine]
    result = other.call("restore", file, "--replace", "--without-keys")
    assert (result.exit_code, "were left there" in result.stderr) == (0, True)
    assert [one["id"] for one in other.read("list")["bulletins"]] == [item]
    assert stream_of(other, other.do("publish", "--headline", "x")) != stream_of(terminal, item)


def test_an_altered_or_truncated_backup_is_refused_whole(terminal: Terminal, other: Terminal, file: str) -> None:
    filled(terminal)
    terminal.do("backup", file)
    whole = Path(file).read_bytes()
    for data in (whole[:-1], whole[: len(whole) // 2], whole[:-500] + b"x" + whole[-499:], b"milk"):
        Path(file).write_bytes(data)
        other.refuse("restore", file)
        assert not other.data.exists()
    assert "absent" in other.refuse("restore", file + ".absent")


def test_plans_of_a_backup_wait_until_they_are_resumed(terminal: Terminal, other: Terminal, file: str) -> None:
    terminal.do("key", "new")
    terminal.do("publish", "--headline", "Later", "--publish-at", "2h")
    terminal.do("backup", file)
    assert "1 planned bulletins wait for your word" in other.call("restore", file).stderr
    assert "`meshrelay planned resume 1` lets it go out" in other.do("planned")
    other.do("planned", "resume", "1")
    (plan,) = other.read("planned")["planned"]
    assert plan["trouble"] is None
    assert "not published yet" not in terminal.do("planned")


def test_nothing_is_restored_under_a_running_relay(terminal: Terminal, file: str) -> None:
    item = filled(terminal)
    terminal.do("backup", file)
    with running(terminal.data) as process:
        said = terminal.refuse("restore", file, "--replace")
        assert said.startswith(f"a relay already runs here (process {process.pid}")
    assert [one["id"] for one in terminal.read("list")["bulletins"]] == [item]


# Wiping


def secrets_of(data: Path) -> list[bytes]:
    """Return the seeds in a folder in the forms they have there, and the keys that passphrases make."""
    found: list[bytes] = []
    for path in (data / "keys").glob("*.key"):
        entry = json.loads(path.read_text())
        box = entry.get("sealed")
        seed = sealing.Sealed.of(box).open(PASSPHRASE) if box else bytes.fromhex(entry["seed"])
        found += [seed, seed.hex().encode(), seed.hex().upper().encode()]
    return found


@pytest.mark.parametrize("beside", [False, True])
def test_after_a_wipe_nothing_is_left(terminal: Terminal, secret: str, beside: bool) -> None:
    filled(terminal)
    terminal.do("key", "new", "office", "--protect", "--passphrase-file", secret)
    if beside:
        with running(terminal.data) as process:
            assert "School 12 is destroyed" in terminal.do("wipe", "--yes-name", "School 12")
            said, _ = process.communicate(timeout=10)
            assert process.returncode == 0, said  # by request, not by force
    else:
        assert "flash cells" in terminal.do("wipe", "--yes-name", "School 12")
    assert not terminal.data.exists()
    assert "no relay is in" in terminal.refuse("wipe", "--yes-name", "School 12")


def test_no_secret_byte_is_in_any_block_that_the_folder_had(terminal: Terminal, secret: str, tmp_path: Path) -> None:
    filled(terminal)
    terminal.do("key", "new", "office", "--protect", "--passphrase-file", secret)
    terminal.do("key", "new", "field")
    terminal.do("key", "passphrase", "field", "--passphrase-file", secret)
    kept = tmp_path / "kept"
    kept.mkdir()
    files = [path for path in terminal.data.rglob("*") if path.is_file() and not path.name.startswith("store")]
    found = secrets_of(terminal.data)
    assert len(found) == 9
    held = b"".join(path.read_bytes() for path in files)
    assert sum(one in held for one in found) == 1  # the one bare seed, in hex: the test would see it
    assert PASSPHRASE.encode() not in held
    assert b"Aigerim" in held
    for number, path in enumerate(files):
        os.link(path, kept / str(number))  # a second name of the same blocks
    terminal.do("wipe", "--yes-name", "School 12")
    left = b"".join(path.read_bytes() for path in kept.iterdir())
    assert [one for one in [*found, b"Aigerim", b"sealed", b"School 12"] if one in left] == []


def test_the_key_that_a_passphrase_makes_is_nowhere(terminal: Terminal, secret: str) -> None:
    terminal.do("key", "new", "--protect", "--passphrase-file", secret)
    terminal.do("publish", "--headline", "x", "--passphrase-file", secret)
    entry = json.loads((terminal.data / "keys" / "me.key").read_text())["sealed"]
    derived = bindings.crypto_pwhash_alg(
        32,
        PASSPHRASE.encode(),
        bytes.fromhex(entry["salt"]),
        entry["passes"],
        entry["memory"],
        bindings.crypto_pwhash_ALG_ARGON2ID13,
    )
    held = b"".join(path.read_bytes() for path in terminal.data.rglob("*") if path.is_file())
    assert derived not in held
    assert derived.hex().encode() not in held
    cost = Stretching(entry["passes"], entry["memory"])
    box, salt, nonce = (bytes.fromhex(entry[name]) for name in ("box", "salt", "nonce"))
    seed = unseal(box, PASSPHRASE.encode(), salt=salt, nonce=nonce, cost=cost)
    assert bindings.crypto_secretbox_open(box, nonce, derived) == seed  # so it is the right one that is missing
    assert seed is not None
    assert SigningKey.from_seed(seed).public.hex() == terminal.read("key", "show")["key"]
    assert seed not in held


def test_a_wipe_asks_for_the_name_and_leaves_what_is_not_a_relay_s(terminal: Terminal) -> None:
    filled(terminal)
    (terminal.data / "diary.txt").write_text("mine")
    assert "not the name" in terminal.refuse("wipe", "--yes-name", "School 13")
    for typed in ("School 13\n", "", "\n"):
        assert terminal.call("wipe", stdin=typed).exit_code == 1
    assert len(terminal.read("list")["bulletins"]) == 1
    result = terminal.call("wipe", stdin="School 12\n")
    assert result.exit_code == 0, result.output
    assert f"Left alone, since no relay made it: {terminal.data / 'diary.txt'}" in result.stdout
    assert [path.name for path in terminal.data.iterdir()] == ["diary.txt"]


def test_a_wipe_does_not_need_settings_that_can_be_read(terminal: Terminal) -> None:
    filled(terminal)
    (terminal.data / "settings.toml").write_text("name = ")
    terminal.do("wipe", "--yes-name", "This relay")
    assert not terminal.data.exists()


def test_a_relay_that_does_not_end_is_ended(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(terminal)
    monkeypatch.setattr(upkeep, "_PATIENCE", 0.5)
    deaf = f"""
import os, signal, time
from pathlib import Path
from meshrelay import folder
signal.signal(signal.SIGTERM, signal.SIG_IGN)
data = Path({str(terminal.data)!r})
entry = folder.Running(os.getpid(), ("http://127.0.0.1:1/",), (), "127.0.0.1:1", "token")
with folder.held(data), folder.announced(data, entry):
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", deaf]) as process:
        until(lambda: folder.running(terminal.data))
        terminal.do("wipe", "--yes-name", "School 12")
        assert process.wait(10) == -signal.SIGKILL
    assert not terminal.data.exists()
