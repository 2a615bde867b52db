"""The front door of a listener: which connections come in, how many stay, and who is shown out when it gets full.

Connections are counted here before anything is read from them, TLS included. When there are as many as may be, or as
many from one source, the one that has waited longest without asking anything makes way: whoever asks at once is always
served, however many only stand there. One that does not take its answer is shown out too.

Not here: what is asked and answered. The law: no connection is open that is not counted, and none stays for long
without bytes moving. Source: docs/spec/http.md, "Peer listener" and "Rules".
"""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

log = logging.getLogger(__name__)

_SOURCES: Final = 4096
_AT_ONCE: Final = 16  # connections let in before those who are in are heard
_LOOK: Final = 1.0  # seconds between two looks whether answers are being taken
_TLS_HANDSHAKE: Final = b"\x16"  # how every TLS connection begins (RFC 8446, 5.1)
_PAUSE: Final = 0.2  # seconds after the system could not hand over a connection


class Budget:
    """Token buckets by source: `rate` a second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, source: str, amount: float, *, moment: float) -> bool:
        """Take from the bucket of a source; False when there is not enough in it. A full one covers any amount."""
        left, then = self._left.pop(source, (self._burst, moment))
        left = min(self._burst, left + (moment - then) * self._rate)
        allowed = left >= min(amount, self._burst)
        self._left[source] = (left - amount if allowed else left, moment)
        if len(self._left) > _SOURCES:
            self._left.popitem(last=False)
        return allowed


def source_of(host: str) -> str:
    """Return what limits are counted by: the IPv4 address, or the /64 of an IPv6 one."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


async def _first_byte(connection: socket.socket) -> bytes | None:
    """Wait for the first byte, without taking it; None where the system's loop cannot wait so (Windows)."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(connection, ready.set)
    except NotImplementedError:
        return None
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be in all and from one source.

    `rate` and `asks` are how many connections one source may open in a second, and requests make, and at once.
    `handshake` is how many seconds TLS may take, `unread` for how many an answer may lie there without a byte of it
    being taken.
    """

    most: int
    each: int
    rate: tuple[float, float]
    asks: tuple[float, float]
    handshake: float = 10.0
    unread: float = 10.0


class _Guest(asyncio.Protocol):
    """One connection: hands everything on to the protocol that serves it, and tells the door when it ends."""

    def __init__(self, door: Door, source: str, serve: Callable[[], asyncio.Protocol]) -> None:
        self.source = source
        self.transport: asyncio.Transport | None = None
        self.entering: asyncio.Task[None] | None = None
        self.busy = False
        self.unread = (0, 0.0)
        """Bytes that wait to be taken, and since when they are so many."""
        self._door = door
        self._serve = serve
        self._inner: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inner = self._serve()
        self.transport = transport  # type: ignore[assignment]  # asyncio hands a stream over as what every transport is
        self._door._came(self)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._door._left(self)
        inner, self._inner, self.transport = self._inner, None, None  # no circles: TLS holds much memory
        if inner is not None:
            inner.connection_lost(exc)

    def show_out(self) -> None:
        """End the connection at once, or the handshake before it."""
        if self.transport is not None:
            self.transport.abort()
        elif self.entering is not None:
            self.entering.cancel()
        self._door._left(self)


class Door:
    """Lets connections in; `tls` gives the context by the address at which this computer was reached.

    `start(sockets, serve)`, `stop()`; whoever answers a request does it inside of :meth:`asking`.
    """

    def __init__(self, limits: Limits, *, tls: Callable[[str], ssl.SSLContext] | None = None) -> None:
        self.shown_out = 0
        """How many made way for others, or were refused."""
        self._limits = limits
        self._tls = tls
        self._rate = Budget(*limits.rate)
        self._asks = Budget(*limits.asks)
        self._guests: dict[_Guest, None] = {}
        self._waiting: OrderedDict[_Guest, None] = OrderedDict()
        """Those who ask nothing now, the one that has waited longest first."""
        self._by_transport: dict[asyncio.BaseTransport, _Guest] = {}
        self._sources: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many connections are open, or shaking hands."""
        return len(self._guests)

    def start(self, sockets: Sequence[socket.socket], serve: Callable[[], Any]) -> None:
        """Accept on these listening sockets, which stay the caller's; `serve` makes the protocol that serves one."""
        for listener in sockets:
            listener.setblocking(False)
            self._spawn(self._accept(listener, serve))
        self._spawn(self._watch())

    async def stop(self) -> None:
        """Accept no more, and give up those that are still shaking hands."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @asynccontextmanager
    async def asking(self, transport: asyncio.BaseTransport | None) -> AsyncIterator[None]:
        """Count a connection as one that is being answered, so that it makes way for nobody."""
        guest = self._by_transport.get(transport) if transport is not None else None
        if guest is None:
            yield
            return
        guest.busy = True
        self._waiting.pop(guest, None)
        try:
            yield
        finally:
            guest.busy = False
            if guest in self._guests:
                self._waiting[guest] = None

    def may_ask(self, transport: asyncio.BaseTransport | None) -> bool:
        """Tell whether the source of a connection may make one more request now."""
        guest = self._by_transport.get(transport) if transport is not None else None
        return guest is None or self._asks.take(guest.source, 1, moment=asyncio.get_running_loop().time())

    @property
    def middleware(self) -> Middleware:
        """What an application needs around all its handlers, so that those who ask are told from those who wait."""

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.may_ask(request.transport):
                return web.Response(status=429, text="too much for now", headers={"Retry-After": "5"})
            async with self.asking(request.transport):
                return await handler(request)

        return middleware

    async def _accept(self, listener: socket.socket, serve: Callable[[], Any]) -> None:
        loop = asyncio.get_running_loop()
        for number in itertools.count(1):
            if number % _AT_ONCE == 0:
                # Accepting does not wait while anybody stands outside; those who are in are to be heard meanwhile.
                await asyncio.sleep(0)
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                # There are no more descriptors, or the peer is gone again.
                log.warning("cannot accept a connection: %s", error.strerror or error)
                self._make_way(None)
                await asyncio.sleep(_PAUSE)
                continue
            source = source_of(str(peer[0]).partition("%")[0])
            if not self._rate.take(source, 1, moment=loop.time()) or not self._has_room(source):
                self.shown_out += 1
                connection.close()
                continue
            guest = _Guest(self, source, serve)
            self._guests[guest] = None
            self._waiting[guest] = None
            self._sources[source] += 1
            guest.entering = self._spawn(self._let_in(connection, guest))
            guest.entering.add_done_callback(partial(self._has_entered, connection, guest))

    def _has_room(self, source: str) -> bool:
        if self._sources[source] >= self._limits.each and not self._make_way(source):
            return False
        return len(self._guests) < self._limits.most or self._make_way(None)

    def _make_way(self, source: str | None) -> bool:
        """Show out the one, of this source if given, that has waited longest; False when nobody is waiting."""
        for guest in self._waiting:
            unread = guest.transport.get_write_buffer_size() if guest.transport is not None else 0
            if (source is None or guest.source == source) and not unread:
                self.shown_out += 1
                guest.show_out()
                return True
        return False

    async def _let_in(self, connection: socket.socket, guest: _Guest) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._tls is None:
                await loop.connect_accepted_socket(lambda: guest, connection)
                return
            async with asyncio.timeout(self._limits.handshake):
                # TLS takes memory and time: none of it for those who say nothing, or something else.
                if await _first_byte(connection) not in (_TLS_HANDSHAKE, None):
                    return
                await loop.connect_accepted_socket(
                    lambda: guest,
                    connection,
                    ssl=self._tls(connection.getsockname()[0]),
                    ssl_handshake_timeout=self._limits.handshake,
                    ssl_shutdown_timeout=1.0,
                )
        except (OSError, TimeoutError) as error:
            log.debug("a connection ended before it began: %s", error)

    def _has_entered(self, connection: socket.socket, guest: _Guest, _: asyncio.Task[None]) -> None:
        """Let go of a connection that did not become a guest's; its task may have ended before it began."""
        guest.entering = None
        if guest.transport is None:
            self._left(guest)
            connection.close()

    async def _watch(self) -> None:
        """Show out those who do not take their answers."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK)
            moment = loop.time()
            for guest in list(self._guests):
                if guest.transport is None:
                    continue
                lying = guest.transport.get_write_buffer_size()
                if not lying or lying != guest.unread[0]:
                    guest.unread = (lying, moment)
                elif moment - guest.unread[1] > self._limits.unread:
                    self.shown_out += 1
                    guest.show_out()

    def _came(self, guest: _Guest) -> None:
        if guest.transport is not None:
            self._by_transport[guest.transport] = guest

    def _left(self, guest: _Guest) -> None:
        if guest not in self._guests:
            return
        del self._guests[guest]
        self._waiting.pop(guest, None)
        if guest.transport is not None:
            self._by_transport.pop(guest.transport, None)
        self._sources[guest.source] -= 1
        if not self._sources[guest.source]:
            del self._sources[guest.source]

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
