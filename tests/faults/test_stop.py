"""Told to stop in the middle of everything: in time, with exit code 0, and nothing acknowledged is lost."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from meshrelay.core.envelope import SignedItem
from meshrelay.store import Store
from tests.processes import Process, made_items, run, sequence

pytestmark = pytest.mark.faults

NOW = int(time.time())
IN_TIME = 5.0


class SlowLink(threading.Thread):
    """Carries bytes from whoever dials it to `port`; after so many bytes in one connection it carries no more."""

    def __init__(self, port: int, *, most: int) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.stuck = threading.Event()
        self._port, self._most = port, most
        self._open: list[socket.socket] = []

    @property
    def uri(self) -> str:
        return f"meshrelay://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return  # closed
            self._open += [near, far]
            for one, other, most in ((near, far, 1 << 30), (far, near, self._most)):
                threading.Thread(target=self._carry, args=(one, other, most), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, left: int) -> None:
        try:
            while left > 0 and (data := one.recv(min(left, 1 << 14))):
                other.sendall(data)
                left -= len(data)
        except OSError:
            return
        if left <= 0:
            self.stuck.set()

    def close(self) -> None:
        for one in (self.listener, *self._open):
            one.close()


@contextmanager
def event_stream(relay: Process) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection(*relay.reader, timeout=10)) as connection:
        connection.request("GET", "/api/v1/events")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.readline().startswith(b"event: news")
        yield answer


def held(data: Path, items: list[SignedItem]) -> set[bytes]:
    with closing(Store.open(data / "store.db")) as store:
        return set(store.get_many(item.id for item in items))


def ended(relay: Process, number: signal.Signals) -> float:
    begun = time.monotonic()
    relay.process.send_signal(number)
    assert relay.process.wait(timeout=20) == 0
    return time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_with_pages_open_and_an_exchange_under_way(tmp_path: Path, number: signal.Signals) -> None:
    theirs, ours = list(made_items(600, now=NOW, seed=1)), list(made_items(40, now=NOW, seed=2))
    (tmp_path / "a").mkdir()
    with closing(Store.open(tmp_path / "a" / "store.db")) as store:
        store.put_many(theirs, received=NOW)
    peer = run(tmp_path / "a")
    link = SlowLink(int(peer.peer_uri.rpartition(":")[2]), most=20_000)
    link.start()
    # Where the peer does not dial it: the exchange goes over the slow link or not at all.
    relay = run(tmp_path / "b", "--peer", link.uri, "--peers", "127.0.0.2:0")
    with closing(link), event_stream(relay), event_stream(peer):
        code, body = relay.request("POST", "/api/v1/items", sequence(ours))
        assert (code, json.loads(body)["refused"]) == (200, [])
        assert link.stuck.wait(20), "the exchange was over too soon to prove anything"
        # The one waits for the rest of an answer, the other to be rid of it.
        assert ended(relay, number) < IN_TIME
        assert ended(peer, number) < IN_TIME
    assert held(tmp_path / "b", ours) == {item.id for item in ours}
    assert len(held(tmp_path / "b", theirs)) < len(theirs)
    assert not (tmp_path / "b" / "run.json").exists()
    assert "Stopping." in (tmp_path / "b" / "log").read_text()


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGINT, signal.SIGTERM)],
)
def test_a_second_signal_ends_at_once(tmp_path: Path, first: signal.Signals, second: signal.Signals) -> None:
    relay = run(tmp_path / "a")
    with closing(socket.create_connection(relay.reader)) as slow:
        # A body that never comes holds up the end of the pages.
        slow.sendall(
            b"POST /api/v1/items HTTP/1.1\r\nHost: %s:%d\r\nContent-Length: 100\r\n\r\nx"
            % (relay.reader[0].encode(), relay.reader[1])
        )
        relay.request("GET", "/healthz")
        relay.process.send_signal(first)
        while "Stopping." not in (tmp_path / "a" / "log").read_text():
            time.sleep(0.01)
        begun = time.monotonic()
        relay.process.send_signal(second)
        assert relay.process.wait(timeout=20) == -second
        assert time.monotonic() - begun < 0.9  # not told again, it takes more than a second
