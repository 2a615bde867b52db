"""What every answer carries and what every request must satisfy, on any listener that speaks to browsers.

Browsers are the guard here, so each rule is one that a browser keeps: a content policy that lets nothing in from
elsewhere and runs no script but ours, no framing, no referrer; a Host that is a literal address, so that a name under
someone else's control cannot be pointed at a relay (DNS rebinding); requests made by other sites refused.

Law: no request leads to a 500, and no answer leaves without the headers. Source: docs/spec/http.md, "Rules".
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from aiohttp import HttpVersion11, web
from aiohttp.hdrs import METH_ANY
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

Explain: TypeAlias = Callable[[web.Request, int, str], Awaitable[web.StreamResponse]]
"""Makes the answer for a status of 400 and above; the text says what was wrong."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "meshrelay",
}

VARY: Final = "Accept-Encoding, Accept-Language"
MAX_BODY: Final = 1024 * 1024
BODY_SECONDS: Final = 5.0
BODY_RATE: Final = 16 * 1024
"""A body has this many seconds, and one more for each of these many bytes that have come."""
_log = logging.getLogger(__name__)


class _Discreet(logging.Filter):
    """Lets nothing through that a stranger can cause at will, and no address of a reader."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        record.args = tuple("a reader" for _ in record.args or ())
        return not isinstance(error, HttpProcessingError)


_log.addFilter(_Discreet())

SERVER_OPTIONS: Final[Mapping[str, Any]] = {
    # Closes idle and dripping connections; the library's own value is an hour.
    "keepalive_timeout": 5.0,
    # How long the rest of a refused body is read before the connection closes.
    "lingering_time": 1.0,
    # A compressed request is refused, not inflated.
    "auto_decompress": False,
    # Nobody's address is written down.
    "access_log": None,
    "logger": _log,
    "max_line_size": 4096,
    "max_field_size": 4096,
}
"""Options for aiohttp's AppRunner, without which the rules of this file do not all hold."""


class Refused(Exception):
    """A request that breaks a rule; `status` and a text for the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class HostRule:
    """Which Host headers a listener answers to.

    `literals` lets any literal IP address with the port of the connection through; `loopback` narrows that to
    127.0.0.0/8 and ::1. `names` are names that are accepted with the right port.
    """

    names: Collection[str] = field(default_factory=frozenset)
    literals: bool = True
    loopback: bool = False

    def accepts(self, host: str | None, *, port: int) -> bool:
        """Tell whether a Host header is one of this listener's."""
        name, given = split_host(host or "")
        if name is None or given != port:
            return False
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return self.literals and (address.is_loopback or not self.loopback)


def split_host(host: str) -> tuple[str | None, int]:
    """Return the name or address, in lower case, and the port (80 where none is given) of a Host header."""
    if host.startswith("["):
        name, bracket, rest = host[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return None, 0
        port = rest[1:]
    else:
        name, colon, port = host.partition(":")
        if colon and not port:
            return None, 0
    if not name or (port and not (port.isascii() and port.isdigit() and len(port) <= 5)):
        return None, 0
    return name.lower().removesuffix("."), int(port) if port else 80


def local_address(request: web.Request) -> tuple[str, int]:
    """Return the address and port at which this connection reached us, which is therefore one that works."""
    name = request.get_extra_info("sockname")
    if not isinstance(name, tuple) or len(name) < 2:
        return "127.0.0.1", 0
    address = str(name[0])
    if address.startswith("::ffff:"):
        address = address.removeprefix("::ffff:")
    return address, int(name[1])


def url_of(address: str, port: int) -> str:
    """Return the http address of a listener."""
    host = f"[{address.partition('%')[0]}]" if ":" in address else address
    return f"http://{host}/" if port == 80 else f"http://{host}:{port}/"


def is_loopback(url: str) -> bool:
    """Tell whether the http address of a listener leads to this computer alone."""
    name, _ = split_host(url.removeprefix("http://").rstrip("/"))
    try:
        return ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return name == "localhost"


def guard(rule: HostRule, explain: Explain) -> Middleware:
    """Return the middleware that holds every request to the rules and makes an answer of every error."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check(request, rule)
            return await handler(request)
        except Refused as refusal:
            response = await explain(request, refusal.status, refusal.message)
        except web.HTTPRequestEntityTooLarge:
            response = await explain(request, 413, "the body is too large")
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = await explain(request, error.status, error.reason.lower())
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except TimeoutError:
            response = await explain(request, 408, "the body came too slowly")
        if request.can_read_body:
            # What was not read must not be taken for the next request.
            response.force_close()
        return response

    return middleware


def add_routes(app: web.Application, routes: Iterable[web.RouteDef]) -> None:
    """Give `app` its routes, and answers for wrong methods and all other paths.

    Without the latter the library would answer those itself, and its answer to an odd Expect header is a 500.
    """
    methods: dict[str, set[str]] = {}
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler, expect_handler=_expect)
        methods.setdefault(route.path, set()).update({route.method} | ({"HEAD"} if route.method == "GET" else set()))
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.handler, expect_handler=_expect)
    for path, allowed in methods.items():
        app.router.add_route(METH_ANY, path, _wrong_method(frozenset(allowed)), expect_handler=_expect)
    app.router.add_route(METH_ANY, "/{path:.*}", _nothing, expect_handler=_expect)


def _wrong_method(allowed: Collection[str]) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMethodNotAllowed(request.method, allowed)

    return handler


async def _nothing(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound


async def _expect(request: web.Request) -> None:
    """Let a body come that its sender asks about first; refuse any other expectation."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Else the headers of the answer would count as written.
        request.writer.output_size = 0


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on an answer; to be appended to ``app.on_response_prepare``."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")


async def read_body(request: web.Request, *, most: int = MAX_BODY, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body; raises Refused when it is too large or compressed, TimeoutError when it drips."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(415, "compressed requests are not taken")
    if (request.content_length or 0) > most:
        raise Refused(413, f"at most {most} bytes are taken")
    body = bytearray()
    begun = asyncio.get_running_loop().time()
    async with asyncio.timeout(seconds) as limit:
        async for chunk in request.content.iter_chunked(64 * 1024):
            body += chunk
            if len(body) > most:
                raise Refused(413, f"at most {most} bytes are taken")
            limit.reschedule(begun + seconds + len(body) / BODY_RATE)
    return bytes(body)


def compress(request: web.Request, response: web.StreamResponse) -> None:
    """Let the answer be sent compressed if the browser takes gzip."""
    if takes_gzip(request):
        response.enable_compression(web.ContentCoding.gzip)
    response.headers["Vary"] = VARY


def takes_gzip(request: web.Request) -> bool:
    """Tell whether the browser takes gzip."""
    return "gzip" in request.headers.get("Accept-Encoding", "").lower()


def _check(request: web.Request, rule: HostRule) -> None:
    _, port = local_address(request)
    host = request.headers.get("Host")
    if not rule.accepts(host, port=port):
        raise Refused(421, "this relay is not reached under that name")
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{host}".lower():
        raise Refused(403, "requests from other sites are refused")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none") and not _is_visit(request):
        raise Refused(403, "requests from other sites are refused")


def _is_visit(request: web.Request) -> bool:
    """Tell whether somebody followed a link here: it reads a page, in a window of its own (frames are forbidden)."""
    return (
        request.method in ("GET", "HEAD")
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )
