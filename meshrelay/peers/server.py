"""The peer listener: other relays' requests over mutual TLS, and their limits.

Not here: who is dialled (spread), what is answered (answers). The law: every malformed request gets a 4xx and changes
nothing, and every caller can hold only so many connections, bytes and seconds.
Source: docs/spec/http.md, "Peer listener".
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakKeyDictionary

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from meshrelay.core import reconcile
from meshrelay.door import Door, Limits
from meshrelay.errors import PeerFault
from meshrelay.peers import wire
from meshrelay.peers.answers import Answers, Asked, Reply
from meshrelay.peers.link import Identities, relay_id_of
from meshrelay.peers.pace import Pace

log = logging.getLogger(__name__)
_library_log = logging.getLogger(f"{__name__}.library")

MOST_CONNECTIONS = 200
_CONNECTIONS_EACH = 32  # from one source; several relays may stand behind one address
_HANDSHAKE = 10.0  # seconds for TLS
_IDLE = 5.0  # seconds between requests, and for the head of one
_BODY_FIRST = 10.0  # seconds for a body before the slowest rate counts
_BODY_RATE = 4096  # bytes a second: the slowest sender that is waited for
_EXCHANGE = 120.0  # seconds for one request and its reply
_ASKED = (200.0, 2000.0)  # requests a second, and at once
_DIALLED = (50.0, 200.0)  # connections a second, and at once: a handshake costs some milliseconds

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Discreet(logging.Filter):
    """Lets nothing through that a stranger can cause at will, and no address of another relay."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.args = tuple("another relay" for _ in record.args or ())
        return not isinstance(error, HttpProcessingError)


_library_log.addFilter(_Discreet())


class PeerServer:
    """Carries other relays' requests to `answers`: `start(sockets)`, `stop()`."""

    def __init__(
        self, answers: Answers, identities: Identities, *, most: int = MOST_CONNECTIONS, pace: Pace | None = None
    ) -> None:
        self._answers = answers
        self._pace = pace or Pace()
        self._door = Door(
            # A TLS handshake takes memory before any protocol is asked, so they are counted before it.
            Limits(most, _CONNECTIONS_EACH, _DIALLED, _ASKED, handshake=_HANDSHAKE),
            tls=lambda here: identities.at(here).server,
        )
        self._callers: WeakKeyDictionary[asyncio.Transport, bytes] = WeakKeyDictionary()
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
        if self._runner.server is None:
            raise RuntimeError("a server that was set up serves")
        self._door.start(sockets, self._runner.server)

    async def stop(self) -> None:
        """Stop accepting, let requests under way end, and close what is open."""
        await self._door.stop()
        await self._runner.cleanup()

    @property
    def open_connections(self) -> int:
        """How many connections are open, or shaking hands."""
        return self._door.count

    # Requests

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._guard], client_max_size=reconcile.MAX_REQUEST)
        for method, path in self._answers.routes:
            application.router.add_route(method, f"/mesh/v1/{path}", self._answer)
        application.on_response_prepare.append(_plain_headers)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Check who asks, turn what is malformed into a 4xx, and see the reply on its way in bounded time."""
        try:
            async with asyncio.timeout(_EXCHANGE), self._door.asking(request.transport):
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
        if not self._door.may_ask(request.transport):
            return _refusal(429, "too much for now")
        try:
            caller = self._relay_id(request)  # whoever has none is refused
            if self._answers.is_barred(caller, _host(_transport(request))):
                response = _refusal(403, "too many faults; come back later")
                response.force_close()
                return response
            if "Content-Encoding" in request.headers:
                return _refusal(415, "bodies carry no content encoding")
            return await handler(request)
        except PeerFault as error:
            return _refusal(403, str(error))
        except web.RequestPayloadError:
            return _refusal(400, "the body cannot be read")
        except web.HTTPException as error:
            return _refusal(error.status, error.reason)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rpartition("/")[2]
        route = self._answers.routes[request.method, path]
        if route.content_type and request.content_type != route.content_type:
            return _refusal(415, f"this takes {route.content_type}")
        body, whole = bytearray(), True
        try:
            await _read_body(request, route.limit, into=body)
        except ConnectionError:
            if not route.in_part:
                raise
            whole = False
        self._pace.count(len(body))
        asked = Asked(self._relay_id(request), _host(_transport(request)), bytes(body), whole)
        reply = await self._answers.answer(request.method, path, asked)
        if reply.status != 200:
            return _refusal(reply.status, reply.body.decode())
        return await self._send(request, reply)

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        headers = {"Content-Type": reply.content_type}
        if reply.settled is not None:
            headers[wire.ANSWERED] = str(reply.settled)
        if len(reply.body) <= wire.SLICE:
            self._pace.count(len(reply.body))
            return web.Response(body=reply.body, headers=headers)
        response = web.StreamResponse(headers=headers)
        response.content_length = len(reply.body)
        await response.prepare(request)
        for start in range(0, len(reply.body), wire.SLICE):
            piece = reply.body[start : start + wire.SLICE]
            await self._pace.spend(len(piece))
            await response.write(piece)
        return response

    def _relay_id(self, request: web.Request) -> bytes:
        """Return who asks; a certificate is read once a connection. Raises PeerFault."""
        transport = _transport(request)
        found = self._callers.get(transport)
        if found is None:
            found = self._callers[transport] = relay_id_of(transport)
        return found


async def _read_body(request: web.Request, limit: int, *, into: bytearray) -> None:
    """Read a body of at most `limit` bytes from a sender that keeps up the slowest rate, into `into` as it comes."""
    if request.content_length is not None and request.content_length > limit:
        raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=request.content_length)
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_BODY_FIRST) as patience:
            while chunk := await request.content.readany():
                into += chunk
                if len(into) > limit:
                    raise web.HTTPRequestEntityTooLarge(max_size=limit, actual_size=len(into))
                patience.reschedule(began + _BODY_FIRST + len(into) / _BODY_RATE)
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


async def _plain_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Leave out what tells about this machine and costs bytes in every reply."""
    response.headers.pop("Server", None)
    response.headers.pop("Date", None)


def _refusal(status: int, reason: str) -> web.Response:
    response = web.Response(status=status, text=reason)
    if status == 429:
        response.headers["Retry-After"] = "5"
    if status in (408, 413):
        response.force_close()  # the rest of the body is not waited for
    return response


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
