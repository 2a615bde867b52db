"""What a service manager and the system hear of a running relay, and what its log says."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshrelay.cli.process import Supervisor, ended_within, raise_descriptor_limit
from meshrelay.cli.run import Touch
from meshrelay.status import PeerStatus, RelayStatus
from tests.processes import Process, run


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Return the socket of a service manager that wants to hear every 0.3 s that all is well."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield channel


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Process]:
    relay = run(tmp_path / "data")
    yield relay
    if relay.process.poll() is None:
        relay.kill()


def hear(channel: socket.socket, wanted: str) -> list[str]:
    """Return what is heard, the last of it being `wanted`."""
    lines: list[str] = []
    while wanted not in lines:
        lines += channel.recv(4096).decode().splitlines()
    return lines


def falls_silent(channel: socket.socket) -> bool:
    """Tell whether there comes a second and a half, five times what is asked for, without a word; takes up to 20."""
    for _ in range(60):
        if not select.select([channel], [], [], 1.5)[0]:
            return True
        channel.recv(4096)
    return False


def test_a_service_manager_hears_that_it_is_ready_well_and_stopping(heard: socket.socket, relay: Process) -> None:
    assert hear(heard, "READY=1")[0] == "READY=1"
    said = hear(heard, "WATCHDOG=1") + hear(heard, "WATCHDOG=1")
    assert f"STATUS=Readers: {relay.entry['readers'][0]}" in said
    relay.process.send_signal(signal.SIGTERM)
    hear(heard, "STOPPING=1")
    assert relay.process.wait(20) == 0


def test_a_relay_whose_store_is_broken_does_not_say_that_it_is_well(heard: socket.socket, relay: Process) -> None:
    hear(heard, "WATCHDOG=1")
    with closing(sqlite3.connect(relay.data / "store.db")) as db, db:
        db.execute("ALTER TABLE items RENAME TO elsewhere")
    assert falls_silent(heard)
    relay.process.send_signal(signal.SIGTERM)
    hear(heard, "STOPPING=1")
    relay.process.wait(20)
    assert "the store cannot be used" in (relay.data / "log").read_text()


def test_a_manager_with_an_abstract_address_hears_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        name = f"meshrelay-test-{os.getpid()}"
        channel.bind("\0" + name)
        channel.settimeout(5)
        Supervisor({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1", "STATUS=x")
        assert channel.recv(100) == b"READY=1\nSTATUS=x"


def test_a_manager_that_is_gone_is_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).tell("READY=1")
    assert "cannot be told anything" in caplog.text
    Supervisor({}).tell("READY=1")
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("environment", "patience"),
    [
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "120000000"}, 120.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}, 120.0),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"}, None),
        ({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "/x"}, None),
        ({"WATCHDOG_USEC": "120000000"}, None),
    ],
)
def test_the_watchdog_is_fed_only_when_it_asks_this_process(
    environment: dict[str, str], patience: float | None
) -> None:
    assert Supervisor(environment).patience == patience


def test_a_process_may_open_as_many_files_as_its_administrator_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, before[1]), before[1]))
        raise_descriptor_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_does_not_end_in_time_is_ended() -> None:
    program = (
        "import time; from meshrelay.cli.process import ended_within\n"
        "with ended_within(0.2, otherwise=lambda: print('too long', flush=True)): time.sleep(30)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "too long\n")
    with ended_within(5.0, otherwise=sys.exit):
        pass


def status(*peers: PeerStatus) -> RelayStatus:
    return RelayStatus("One", b"", 0, 0, peers=peers)


HERE = PeerStatus("meshrelay://10.0.0.9:8443", how="mdns", connected=True)
GONE = PeerStatus("meshrelay://10.0.0.9:8443", how="mdns", error="cannot connect: No route to host")
GIVEN = PeerStatus("meshrelay://10.0.0.7:8443", how="given", error="cannot connect: No route to host")


def test_the_log_tells_each_change_of_the_links_once_and_names_no_address() -> None:
    touch = Touch()
    course = [(), (HERE,), (HERE,), (HERE,), (HERE, GIVEN), (HERE, GIVEN), (GONE, GIVEN), (GONE, GIVEN), (GONE, GIVEN)]
    said = [touch.look(status(*peers), moment=20.0 * at) for at, peers in enumerate(course)]
    assert [line for line in said if line] == [
        "In touch with 1 relay.",
        "In touch with 1 relay. Not reached: 1 relay of those given (cannot connect: No route to host).",
        "In touch with no relays. Not reached: 1 relay of those given (cannot connect: No route to host).",
    ]


def test_a_relay_that_is_met_is_told_in_the_log_and_not_named(tmp_path: Path, relay: Process) -> None:
    other = run(tmp_path / "other", "--peer", relay.peer_uri)
    try:
        log = tmp_path / "other" / "log"
        deadline = time.monotonic() + 30
        while "In touch with 1 relay.\n" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert relay.entry["peers"][0] not in log.read_text()
    finally:
        other.stop()


def test_relays_that_come_and_go_all_day_do_not_fill_the_log() -> None:
    touch = Touch()
    day = [touch.look(status(*[HERE] * (at // 4 % 2)), moment=2.0 * at) for at in range(43_200)]
    assert 10 < len([line for line in day if line]) < 200
