"""The peer listener: what another relay may ask of this one, over mutual TLS.

Not here: who is dialled (spread), what an answer is (side, core.reconcile). The law: every malformed request gets a
4xx and changes nothing, and every caller can hold only so many connections, bytes and seconds.
Source: docs/spec/http.md, "Peer listener".
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from meshrelay.core import reconcile
from meshrelay.errors import InvalidMessage, PeerFault, Refusal
from meshrelay.peers import wire
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.link import LinkIdentity, relay_id_of
from meshrelay.peers.side import OurSide

log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.library")

_CONNECTIONS = 200
_CONNECTIONS_EACH = 32  # from one source; several relays may stand behind one address
_HANDSHAKE = 10.0  # seconds for TLS
_IDLE = 5.0  # seconds between requests, and for the head of one
_BODY_FIRST = 10.0  # seconds for a body before the slowest rate counts
_BODY_RATE = 4096  # bytes a second: the slowest sender that is waited for
_EXCHANGE = 120.0  # seconds for one request and its reply
_VISITS = 256

_SOURCES = 4096
_DIALLED = (50.0, 200.0)  # connections a second, and at once: a handshake costs some milliseconds
_HASHED = (100e6, 400e6)  # bytes a second for reconciliation, and at once
_GIVEN = (4_000.0, 20_000.0)  # items a second, and at once

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Visit:
    """A relay that dialled this one: who it is, from where, and the port of its own listener (0 for none)."""

    relay_id: bytes
    host: str
    port: int


class _Discreet(logging.Filter):
    """Lets nothing through that a stranger can cause at will, and no address of another relay."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.args = tuple("another relay" for _ in record.args or ())
        return not isinstance(error, HttpProcessingError)


_library_log.addFilter(_Discreet())


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


def network_of(host: str) -> str | None:
    """Return the network that an address literal is taken to be in (/24 or /64); None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(ipaddress.ip_network((address.packed, 24 if address.version == 4 else 64), strict=False))


class PeerServer:
    """Answers other relays: `start(sockets)`, read `visits()`, `stop()`."""

    def __init__(self, side: OurSide, identity: LinkIdentity, *, port: int) -> None:
        self._side = side
        self._identity = identity
        self.port = port
        self._visits: asyncio.Queue[Visit] = asyncio.Queue(_VISITS)
        self._places: tuple[PeerAddress, ...] = ()
        self._heard: OrderedDict[bytes, float] = OrderedDict()
        self._dialled = Budget(*_DIALLED)
        self._hashed = Budget(*_HASHED)
        self._given = Budget(*_GIVEN)
        self._tasks: set[asyncio.Task[None]] = set()
        self._shaking: list[str] = []
        self._callers: WeakKeyDictionary[asyncio.Transport, bytes] = WeakKeyDictionary()
        self._open: dict[asyncio.BaseTransport, str] = {}
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=_library_log,
            handle_signals=False,
            keepalive_timeout=_IDLE,
            lingering_time=1.0,
            shutdown_timeout=2.0,
            auto_decompress=False,
        )

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these listening sockets, which stay the caller's."""
        await self._runner.setup()
        for listener in sockets:
            listener.setblocking(False)
            self._spawn(self._accept(listener))

    async def stop(self) -> None:
        """Stop accepting, let requests under way end, and close what is open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.cleanup()

    async def visits(self) -> AsyncIterator[Visit]:
        """Yield the relays that say hello, for ever."""
        while True:
            yield await self._visits.get()

    def heard(self, relay_id: bytes) -> float | None:
        """Return the moment, by the loop's clock, at which a relay last compared or fetched here."""
        return self._heard.get(relay_id)

    def share(self, places: Iterable[PeerAddress]) -> None:
        """Tell from now on, to those who ask from the same network, that relays were met here lately."""
        self._places = tuple(place for place in places if not place.is_link_local)

    @property
    def open_connections(self) -> int:
        """How many connections are open, or shaking hands."""
        self._open = {transport: origin for transport, origin in self._open.items() if not transport.is_closing()}
        return len(self._open) + len(self._shaking)

    # Connections are accepted here and not by the loop: a TLS handshake takes memory before any protocol is asked.

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                log.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(0.2)
                continue
            source = source_of(peer[0])
            if self._has_room(source) and self._dialled.take(source, 1, moment=loop.time()):
                self._shaking.append(source)
                self._spawn(self._shake_hands(connection, source))
            else:
                connection.close()

    def _has_room(self, source: str) -> bool:
        if self.open_connections >= _CONNECTIONS:
            return False
        return [*self._open.values(), *self._shaking].count(source) < _CONNECTIONS_EACH

    async def _shake_hands(self, connection: socket.socket, source: str) -> None:
        server = self._runner.server
        try:
            if server is None:
                return
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                server,
                connection,
                ssl=self._identity.server,
                ssl_handshake_timeout=_HANDSHAKE,
                ssl_shutdown_timeout=1.0,
            )
            self._open[transport] = source
        except OSError as error:
            log.debug("a TLS handshake failed: %s", error)
        finally:
            self._shaking.remove(source)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Requests

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=reconcile.MAX_REQUEST)
        application.router.add_post("/mesh/v1/hello", self._hello)
        application.router.add_post("/mesh/v1/reconcile", self._reconcile)
        application.router.add_post("/mesh/v1/summaries", self._summaries)
        application.router.add_post("/mesh/v1/items", self._items)
        application.router.add_put("/mesh/v1/items", self._given_items)
        application.router.add_post("/mesh/v1/offer", self._offer)
        application.router.add_get("/mesh/v1/peers", self._peers)
        application.on_response_prepare.append(_plain_headers)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Check who asks, turn what is malformed into a 4xx, and see the reply on its way in bounded time."""
        try:
            async with asyncio.timeout(_EXCHANGE):
                response = await self._checked(request, handler)
                await response.prepare(request)
                await response.write_eof()
                return response
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise web.HTTPRequestTimeout from None
        except ConnectionError:
            return _refusal(400, "the connection was cut")

    async def _checked(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            self._relay_id(request)  # whoever has none is refused
            if "Content-Encoding" in request.headers:
                return _refusal(415, "bodies carry no content encoding")
            return await handler(request)
        except InvalidMessage as error:
            return _refusal(400, str(error))
        except PeerFault as error:
            return _refusal(403, str(error))
        except Refusal as error:
            log.warning("a request of another relay cannot be answered: %s", error)
            return _refusal(503, "not now")
        except web.RequestPayloadError:
            return _refusal(400, "the body cannot be read")
        except web.HTTPException as error:
            return _refusal(error.status, error.reason)

    async def _hello(self, request: web.Request) -> web.Response:
        port, _ = wire.unpack_hello(await _body(request, 64))
        if not self._visits.full():
            self._visits.put_nowait(Visit(self._relay_id(request), _host(_transport(request)), port))
        return _reply(wire.pack_hello(port=self.port, now=self._side.now))

    async def _reconcile(self, request: web.Request) -> web.Response:
        message = reconcile.Request.parse(await _body(request, reconcile.MAX_REQUEST))
        keys = self._side.index.keys
        self._hear(request)
        if not self._may(self._hashed, request, reconcile.cost(keys, message)):
            return _busy()
        return _reply(await self._side.read(reconcile.answer, keys, message))

    async def _summaries(self, request: web.Request) -> web.Response:
        keys = wire.unpack_keys(await _body(request, wire.KEY_SIZE * wire.MAX_ITEMS))
        return _reply(wire.pack_summaries(await self._side.summaries(keys)), wire.SUMMARIES)

    async def _items(self, request: web.Request) -> web.StreamResponse:
        keys = wire.unpack_keys(await _body(request, wire.KEY_SIZE * wire.MAX_ITEMS))
        self._hear(request)
        items, settled = await self._side.items(keys)
        batch = await asyncio.to_thread(wire.pack_items, [data for _, data in items])
        response = web.StreamResponse(headers={wire.ANSWERED: str(settled), "Content-Type": wire.BATCH})
        response.content_length = len(batch)
        await response.prepare(request)
        for start in range(0, len(batch), wire.SLICE):
            await response.write(batch[start : start + wire.SLICE])
        return response

    async def _given_items(self, request: web.Request) -> web.Response:
        if request.content_type != wire.BATCH:
            return _refusal(415, f"items come as {wire.BATCH}")
        body = bytearray()
        try:
            items = wire.unpack_items(await _body(request, wire.MAX_DEFLATED, into=body))
        except ConnectionError:
            # What came whole is kept, though nobody waits for the answer.
            items = wire.whole_items(bytes(body))
        if not items:
            return _refusal(400, "no items in the body")
        if not self._may(self._given, request, len(items)):
            return _busy()
        taken = await self._side.receive(items, source=self._relay_id(request))
        return _reply(bytes(one.answer for one in taken))

    async def _offer(self, request: web.Request) -> web.Response:
        if request.content_type != wire.OFFER:
            return _refusal(415, f"offers come as {wire.OFFER}")
        offer = wire.unpack_offer(await _body(request, wire.MAX_SUMMARIES))
        answers, wanted = await self._side.choose(offer)
        self._side.note([key for key, _ in offer], self._relay_id(request))
        return _reply(wire.pack_choice(answers, wanted))

    async def _peers(self, request: web.Request) -> web.Response:
        network = network_of(_host(_transport(request)))
        near = [place.place for place in self._places if network_of(place.host) == network]
        return _reply(wire.pack_places(near[: wire.MAX_PLACES]), "text/plain")

    def _relay_id(self, request: web.Request) -> bytes:
        """Return who asks; a certificate is read once a connection. Raises PeerFault."""
        transport = _transport(request)
        found = self._callers.get(transport)
        if found is None:
            found = self._callers[transport] = relay_id_of(transport)
        return found

    def _hear(self, request: web.Request) -> None:
        relay_id = self._relay_id(request)
        self._heard[relay_id] = asyncio.get_running_loop().time()
        self._heard.move_to_end(relay_id)
        if len(self._heard) > _VISITS:
            self._heard.popitem(last=False)

    def _may(self, budget: Budget, request: web.Request, amount: float) -> bool:
        moment = asyncio.get_running_loop().time()
        return budget.take(source_of(_host(_transport(request))), amount, moment=moment)


async def _body(request: web.Request, limit: int, *, into: bytearray | None = None) -> bytes:
    """Read a body of at most `limit` bytes from a sender that keeps up the slowest rate, into `into` as it comes."""
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=request.content_length)
    body = bytearray() if into is None else into
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(_BODY_FIRST) as patience:
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(body))
                patience.reschedule(began + _BODY_FIRST + len(body) / _BODY_RATE)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    return bytes(body)


async def _plain_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Leave out what tells about this machine and costs bytes in every reply."""
    response.headers.pop("Server", None)
    response.headers.pop("Date", None)


def _reply(body: bytes, content_type: str = wire.MESSAGE) -> web.Response:
    return web.Response(body=body, content_type=content_type)


def _refusal(status: int, reason: str) -> web.Response:
    response = web.Response(status=status, text=reason)
    if status in (408, 413):
        response.force_close()  # the rest of the body is not waited for
    return response


def _busy() -> web.Response:
    return web.Response(status=429, text="too much for now", headers={"Retry-After": "5"})


def _transport(request: web.Request) -> asyncio.Transport:
    if request.transport is None:
        raise PeerFault("the connection is gone")
    return request.transport


def _host(transport: asyncio.Transport) -> str:
    """Return the caller's address, a link-local one with its zone by interface name."""
    host, *rest = transport.get_extra_info("peername")
    zone = rest[2] if len(rest) == 3 else 0
    bare = str(host).partition("%")[0]
    if not zone or not ipaddress.ip_address(bare).is_link_local:
        return bare
    return f"{bare}%{socket.if_indextoname(zone)}"
