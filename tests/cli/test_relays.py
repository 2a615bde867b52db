"""run, demo, sync, peers, status, setup: a folder with a relay on it, and one without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from meshrelay import folder
from meshrelay.words import own_name
from tests.cli.conftest import Terminal

T = TypeVar("T")
PATIENCE = 30.0


def until(look: Callable[[], T | None]) -> T:
    """Return the first answer that is not None or False."""
    end = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < end, "it has not come to be"
        time.sleep(0.02)
    return found


@contextmanager
def running(data: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a relay on loopback beside the test, with its output to read."""
    local = ["--reader", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--desk", "127.0.0.1:0", "--no-discovery"]
    command = [sys.executable, "-m", "meshrelay", "--data", str(data), "run", *(words or local)]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until(lambda: process.poll() is not None or folder.running(data))
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_running_relay_tells_its_address_and_stops_when_told(terminal: Terminal) -> None:
    with running(terminal.data) as process:
        entry = folder.running(terminal.data)
        assert entry is not None
        assert process.stdout is not None
        assert process.stdout.readline() == f"Readers, this computer only: {entry.readers[0]}\n"
        found = terminal.read("status")
        assert (found["running"], found["reader_addresses"]) == (True, list(entry.readers))
        assert entry.readers[0] in terminal.do("status")
        said = terminal.refuse("--quiet", "run")
        assert said == f"a relay already runs here (process {process.pid}, {entry.readers[0]})"
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert folder.running(terminal.data) is None
    assert terminal.read("status")["running"] is False


def test_a_relay_stops_at_ctrl_c(terminal: Terminal) -> None:
    with running(terminal.data) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0


def test_relays_exchange_and_what_is_written_beside_them_is_noticed(terminal: Terminal, other: Terminal) -> None:
    with running(terminal.data), running(other.data):
        place = folder.running(other.data)
        assert place is not None
        item = terminal.do("publish", "--headline", "Water")
        # The second relay takes it from the first one as soon as the two are told to exchange.
        until(lambda: terminal.read("status")["bulletins"] == 1)
        url = f"meshrelay://{place.peers[0]}"
        (report,) = terminal.read("sync", url)["exchanges"]
        assert (report["sent"], report["refused"]) == (1, 0)
        assert [one["id"] for one in other.read("list")["bulletins"]] == [item]
        assert "both now have the same" in terminal.do("sync", url)
        # An address given beside a running relay is taken up by it.
        terminal.do("peers", "add", url)
        until(lambda: any(peer["connected"] for peer in terminal.read("peers")["peers"]))
        assert "in touch" in terminal.do("peers")


def test_an_exchange_needs_no_relay_running_here(terminal: Terminal, other: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water")
    with running(other.data):
        place = folder.running(other.data)
        assert place is not None
        assert "1 sent" in terminal.do("sync", place.peers[0])
        reply = other.do("publish", "--headline", "Thanks")
        until(lambda: other.read("status")["bulletins"] == 2)
        assert "1 received" in terminal.do("sync", place.peers[0])
    assert {one["id"] for one in terminal.read("list")["bulletins"]} == {item, reply}


def test_a_relay_that_cannot_be_reached_ends_with_4_and_one_of_many_with_3(terminal: Terminal, other: Terminal) -> None:
    nobody = "127.0.0.1:1"
    assert nobody in terminal.refuse("sync", nobody, code=4)
    with running(other.data):
        place = folder.running(other.data)
        assert place is not None
        result = terminal.call("sync", nobody, place.peers[0], "--json")
        assert result.exit_code == 3
        failed, done = json.loads(result.stdout)["exchanges"]
        assert "error" in failed
        assert done["settled"] is True
        wrong = terminal.call("sync", f"{place.peers[0]}#{'00' * 32}")
        assert wrong.exit_code != 0
        with running(terminal.data):
            assert nobody in terminal.refuse("sync", nobody, code=4)
    terminal.refuse("sync", "not an address", code=2)


def test_the_address_book_is_kept_without_a_relay(terminal: Terminal) -> None:
    terminal.do("peers", "add", "meshrelay://10.0.0.7:8443")
    assert "not met yet" in terminal.do("peers")
    (peer,) = terminal.read("peers")["peers"]
    assert (peer["uri"], peer["how"], peer["last_contact"]) == ("meshrelay://10.0.0.7:8443", "given", None)
    terminal.do("peers", "remove", "10.0.0.7")
    assert terminal.read("peers")["peers"] == []
    assert "not in the address book" in terminal.refuse("peers", "remove", "10.0.0.7")
    terminal.refuse("peers", "add", "ftp://x/y", code=2)


def test_a_chosen_port_that_is_taken_is_an_error(terminal: Terminal, other: Terminal) -> None:
    with running(terminal.data):
        entry = folder.running(terminal.data)
        assert entry is not None
        taken = entry.readers[0].removeprefix("http://").rstrip("/")
        assert "is taken" in other.refuse("run", "--reader", taken, "--peers", "127.0.0.1:0", "--desk", "127.0.0.1:0")


def test_setup_without_questions_writes_the_settings(terminal: Terminal) -> None:
    words = ["--name", "Library", "--place", "Almaty", "--languages", "kk,ru", "--time-zone", "UTC+5", "--private"]
    terminal.do("setup", "--yes", *words)
    found = tomllib.loads((terminal.data / "settings.toml").read_text(encoding="utf-8"))
    assert found == {
        "name": "Library",
        "place": "Almaty",
        "languages": ["kk", "ru"],
        "time_zone": "UTC+5",
        "private": True,
    }
    assert len(terminal.read("key", "list")["keys"]) == 1
    terminal.do("setup", "--yes", "--open")
    assert "private" not in tomllib.loads((terminal.data / "settings.toml").read_text(encoding="utf-8"))


def test_setup_asks_and_takes_the_answers(terminal: Terminal) -> None:
    answers = ["School 12", "Almaty", "kk ru", "UTC+5", "n", "y", "y", "y"]
    result = terminal.call("setup", stdin="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    found = tomllib.loads((terminal.data / "settings.toml").read_text(encoding="utf-8"))
    assert (found["name"], found["languages"]) == ("School 12", ["kk", "ru"])
    assert found["stable_link_key"] is True
    assert (terminal.data / "keys" / "me.revocation").is_file()


def test_setup_asks_again_where_an_answer_cannot_be(terminal: Terminal) -> None:
    answers = [os.uname().nodename, "School 12", "Almaty", "not_a", "kk", "Mars/Base", "UTC+5", "n", "n", "y", "y"]
    result = terminal.call("setup", stdin="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("meshrelay: ") == 3
    found = tomllib.loads((terminal.data / "settings.toml").read_text(encoding="utf-8"))
    assert found == {"name": "School 12", "place": "Almaty", "languages": ["kk"], "time_zone": "UTC+5"}


def test_setup_with_nobody_there_says_so(terminal: Terminal) -> None:
    assert "nobody is there" in terminal.refuse("setup", "--name", "a")
    assert not (terminal.data / "settings.toml").exists()


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--name", os.uname().nodename], "name of this computer"),
        (["--languages", "kk,not_a"], "not a language"),
        (["--time-zone", "Mars/Base"], "not a time zone"),
        (["--name", "x" * 81], "at most 80"),
    ],
)
def test_setup_refuses_what_cannot_be(terminal: Terminal, words: list[str], fault: str) -> None:
    assert fault in terminal.refuse("setup", "--yes", *words, code=2)
    assert not (terminal.data / "settings.toml").exists()


def test_setup_stops_at_a_wrong_clock(terminal: Terminal) -> None:
    words = ["--name", "a", "--place", "", "--languages", "en", "--time-zone", "", "--open", "--carried", "--key"]
    result = terminal.call("setup", *words, stdin="n\n")
    assert result.exit_code == 1
    assert "the clock is wrong" in result.stderr


def test_the_demonstration_shows_the_second_relay_s_page() -> None:
    begun = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "meshrelay", "demo"], capture_output=True, text=True, timeout=40, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "found each other by multicast DNS" in result.stdout
    assert "Library on Abay Street practises this." in result.stdout
    for start in ("Exercise: no water", "Учение: ", "Жаттығу: ", "تمرین: ", "تمرين: ", "Exercice : ", "Simulacro: "):
        assert start in result.stdout
    assert own_name("my") in result.stdout
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demonstration_that_is_kept_ends_when_told_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "BROWSER": "true", "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "meshrelay", "demo", "--keep", "--lan"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Both stay up"):
            break
    pids = [json.loads(path.read_text())["pid"] for path in tmp_path.glob("*/*/run.json")]
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0, "".join(said)
    process.stdout.close()
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert list(tmp_path.iterdir()) == []


def test_lan_is_no_demonstration_by_itself(terminal: Terminal) -> None:
    terminal.refuse("demo", "--lan", code=2)
