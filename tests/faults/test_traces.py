"""A thousand pages are read from a distinctive address, and nothing in the relay's folder or log tells of it."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.processes import Process, made_items, run, sequence

pytestmark = pytest.mark.faults

READER = "127.77.88.99"
PACKED = ipaddress.ip_address(READER).packed
TRACES = (READER.encode(), b"77.88.99", PACKED, PACKED.hex().encode())
PAGES = ("/", "/?all=1", "/search?q=water", "/about", "/feed.atom", "/api/v1/bulletins", "/api/v1/status", "/nowhere")
NOW = int(time.time())


def connection_to(relay: Process) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*relay.reader, timeout=10, source_address=(READER, 0))


def misbehave(relay: Process) -> None:
    """Send what no browser sends, and go away in the middle."""
    for nonsense in (
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: elsewhere\r\n\r\n",
        b"POST /api/v1/items HTTP/1.1\r\n",
    ):
        with socket.create_connection(relay.reader, timeout=10, source_address=(READER, 0)) as one:
            one.sendall(nonsense)
            one.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                one.recv(4096)
    with closing(connection_to(relay)) as connection:
        connection.request("GET", "/api/v1/events")
        connection.getresponse().readline()


@pytest.mark.parametrize("loudness", ["-q", "-vv"])
def test_a_thousand_readings_leave_no_address_behind(tmp_path: Path, loudness: str) -> None:
    relay = run(tmp_path / "data", loudness)
    items = list(made_items(20, now=NOW))
    with closing(connection_to(relay)) as connection:
        connection.request("POST", "/api/v1/items", sequence(items))
        assert connection.getresponse().read()
        for number in range(1000):
            connection.request("GET", PAGES[number % len(PAGES)])
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 404)
    misbehave(relay)
    files = [path for path in relay.data.rglob("*") if path.is_file()]
    assert relay.data / "store.db-wal" in files, "the relay should be looked at while it runs"
    found = look_for_traces(files)
    assert relay.stop() == 0
    found += look_for_traces([path for path in relay.data.rglob("*") if path.is_file()])
    assert found == []


def look_for_traces(files: list[Path]) -> list[str]:

    return [f"{path.name}: {trace!r}" for path in files for trace in TRACES if trace in path.read_bytes()]
