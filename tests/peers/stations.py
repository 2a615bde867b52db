"""Whole relays in one process, over real TLS sockets on loopback, with a clock that stands still."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, MsgType, Severity, Text, Urgency
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.core.trust import Anchor
from meshrelay.index import Index, PeerView
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.peers import answers as answers_module
from meshrelay.peers import server as server_module
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.answers import Answers
from meshrelay.peers.client import Link
from meshrelay.peers.discovery import Discovery
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from meshrelay.peers.link import open_identity
from meshrelay.peers.server import PeerServer
from meshrelay.peers.side import OurSide, Runs
from meshrelay.peers.spread import Spread
from meshrelay.relay import Relay
from meshrelay.store import Store

P = ParamSpec("P")
T = TypeVar("T")

NOW = 1_790_000_000


def author(number: int) -> SigningKey:
    return SigningKey.from_seed(number.to_bytes(32, "big"))


def bulletin(
    number: int,
    *,
    by: int = 1,
    sent: int = 0,
    severity: Severity = Severity.UNKNOWN,
    urgency: Urgency = Urgency.UNKNOWN,
    acts_on: tuple[bytes, ...] = (),
    words: str = "",
) -> SignedItem:
    """Sign a bulletin; the same arguments give the same item."""
    when = sent or NOW - 100_000 + number
    body = Bulletin(
        sent=when,
        expires=when + 30 * 86400,
        chain=Chain(b"stream-1", number + 1),
        texts=(Text("en", "Notice", f"Notice number {number}", words),),
        severity=severity,
        urgency=urgency,
        msg_type=MsgType.CANCEL if acts_on else MsgType.ALERT,
        references=acts_on,
    )
    return sign(body, author(by))


def bulletins(count: int, *, first: int = 0, by: int = 1) -> list[SignedItem]:
    return [bulletin(number, by=by) for number in range(first, first + count)]


def revocation(by: int) -> SignedItem:
    return sign(Revocation(NOW, author(by).public), author(by))


class Station:
    """One relay with its peer listener; `settle()` feeds its index as a running node would."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        folder.mkdir()
        self.relay = Relay(Store.open(folder / "store.db"), Local.open(folder / "local.db"), Keyring(folder / "keys"))
        self.identity = open_identity(folder / "link.pem")
        self.index = Index()
        self._readers, self._writer = ThreadPoolExecutor(2), ThreadPoolExecutor(1)
        self.side = OurSide(
            self.relay,
            self.index,
            clock=lambda: Clock(self.now),
            read=self._on(self._readers),
            write=self._write,
        )
        self._listen(0)
        self.wrote, self.arrived = asyncio.Event(), asyncio.Event()
        self.views: dict[bytes, PeerView] = {}

    @asynccontextmanager
    async def in_touch(self, *given: Station, discovery: Discovery | None = None) -> AsyncIterator[Spread]:
        """Keep in touch with others, as a running node does."""
        spread = self.spread(*(str(one.address) for one in given), discovery=discovery)
        tasks = [asyncio.create_task(spread.run()), asyncio.create_task(self._feed(spread))]
        try:
            yield spread
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                assert task.cancelled(), task.exception()

    def spread(self, *given: str, discovery: Discovery | None = None) -> Spread:
        """Return what keeps in touch with others, not running yet."""
        dial = partial(Link, self.identity)
        return Spread(self.side, self.answers, dial, ourselves=self.identity, given=given, discovery=discovery)

    async def _feed(self, spread: Spread) -> None:
        _, cursor = self.relay.store.keys()
        self.settle()
        while True:
            changes = self.relay.store.changes(cursor)
            cursor = changes.cursor
            if changes.rows:
                self.index.apply(changes.rows)
                spread.changed(changes.rows)
                self.arrived.set()
            else:
                await self.wrote.wait()
                self.wrote.clear()

    def publishes(self, *items: SignedItem) -> None:
        """Store items as a command beside the relay would, and let the relay notice."""
        self.relay.store.put_many(items, received=self.now)
        self.wrote.set()

    async def has(self, *items: SignedItem) -> None:
        """Wait until the index holds these items."""
        while not all(item.key in self.index.keys for item in items):
            self.arrived.clear()
            await self.arrived.wait()

    async def _write(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._on(self._writer)(function, *args, **kwargs)
        finally:
            self.wrote.set()

    @staticmethod
    def _on(threads: ThreadPoolExecutor) -> Runs:
        async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
            return await asyncio.get_running_loop().run_in_executor(threads, partial(function, *args, **kwargs))

        return run

    @property
    def relay_id(self) -> bytes:
        return self.identity.relay_id

    @property
    def address(self) -> PeerAddress:
        return PeerAddress("127.0.0.1", self.port, self.relay_id)

    async def __aenter__(self) -> Self:
        await self.server.start([self.socket])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.server.stop()
        self.socket.close()
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._writer.shutdown)
        self.relay.close()

    def _listen(self, port: int) -> None:
        self.socket = socket.create_server(("127.0.0.1", port))
        self.port: int = self.socket.getsockname()[1]
        self.answers = Answers(self.side, port=self.port)
        self.server = PeerServer(self.answers, self.identity)

    async def reopen(self, *, port: int = 0) -> None:
        """Listen again, after the server was stopped and the socket closed."""
        self._listen(port or self.port)
        await self.server.start([self.socket])

    async def reopen_with(self, monkeypatch: pytest.MonkeyPatch, **limits: object) -> None:
        """Listen again with other limits, so that a test need not wait for the real ones."""
        for name, value in limits.items():
            monkeypatch.setattr(server_module if hasattr(server_module, name) else answers_module, name, value)
        await self.server.stop()
        self.socket.close()
        await self.reopen()

    def knows(self, *authors: int) -> None:
        for number in authors:
            self.relay.local.add_anchor(Anchor(author(number).public, f"Clinic {number}", NOW))
        self.relay.refresh()

    def holds(self, items: Iterable[SignedItem]) -> None:
        self.relay.store.put_many(list(items), received=self.now)
        self.settle()

    def settle(self) -> None:
        self.index.replace(self.relay.store.keys()[0])

    def ids(self) -> set[bytes]:
        return {header.id for header in self.relay.store.by_key(self.index.keys).values()}

    async def visit(self, other: Station, *, slow_start: bool = False) -> ExchangeReport:
        """Exchange with another station, with the memory of earlier visits, and let both indexes follow."""
        async with Link(self.identity, ["127.0.0.1"], other.port, other.relay_id) as link:
            await meet(self.side, link, port=self.port)
            view = self.views.setdefault(other.relay_id, PeerView())
            report = await exchange(self.side, link, view, slow_start=slow_start)
        self.settle()
        other.settle()
        return report
