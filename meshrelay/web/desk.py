"""The operator's listener: for now the interface that commands beside a running relay ask, /api/v1/local/*.

It answers on this computer alone (localhost, 127.0.0.1, ::1) and only with the token that stands in DATA/run.json,
which nobody but the operator can read. Routes: docs/spec/http.md, "Desk listener".
"""

from __future__ import annotations

import dataclasses
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from meshrelay.errors import MeshrelayError, PeerUnreachable, Refusal
from meshrelay.status import RelayStatus
from meshrelay.web.security import HostRule, Refused, add_headers, add_routes, guard, read_body

MAX_REQUEST: Final = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """What the routes ask: how the relay is, an exchange with another one, and what the doctor finds."""

    status: Callable[[], RelayStatus]
    sync: Callable[[str], Awaitable[Any]]
    doctor: Callable[[bool], Awaitable[Any]]
    copies: Callable[[bytes], Awaitable[int]]


async def _not_counted(item: bytes) -> int:
    return 0


_DESK: Final = web.AppKey("desk", Desk)


def make_desk(
    *,
    token: str,
    status: Callable[[], RelayStatus],
    sync: Callable[[str], Awaitable[Any]],
    doctor: Callable[[bool], Awaitable[Any]],
    copies: Callable[[bytes], Awaitable[int]] = _not_counted,
) -> web.Application:
    """Put the operator's listener together; requests carry ``Authorization: Bearer TOKEN``.

    `sync` exchanges with the relay at a URI, `doctor` tries all ways of finding relays, with or without a sweep; both
    return a dataclass that says what came of it. `copies` tells how many other relays have an item, at least.
    """
    secret = f"Bearer {token}".encode()

    @web.middleware
    async def ask_token(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, secret):
            raise Refused(401, "the token of DATA/run.json is needed")
        return await handler(request)

    rule = HostRule(names=frozenset({"localhost"}), loopback=True)
    app = web.Application(client_max_size=MAX_REQUEST, middlewares=[guard(rule, _explain), ask_token])
    app[_DESK] = Desk(status, sync, doctor, copies)
    app.on_response_prepare.append(add_headers)
    add_routes(
        app,
        [
            web.get("/api/v1/local/status", _get_status),
            web.get("/api/v1/local/peers", _get_peers),
            web.get("/api/v1/local/copies/{id:[0-9a-f]{64}}", _get_copies),
            web.post("/api/v1/local/sync", _post_sync),
            web.post("/api/v1/local/doctor", _post_doctor),
        ],
    )
    return app


async def _get_status(request: web.Request) -> web.Response:
    """Answer RelayStatus, ids in hex."""
    return web.json_response(plain(request.app[_DESK].status()))


async def _get_peers(request: web.Request) -> web.Response:
    """Answer what is known of every peer."""
    return web.json_response({"peers": plain(request.app[_DESK].status())["peers"]})


async def _get_copies(request: web.Request) -> web.Response:
    """Answer on how many other relays an item is, at least: ``{"relays": N}``."""
    item = bytes.fromhex(request.match_info["id"])
    return web.json_response({"relays": await request.app[_DESK].copies(item)})


async def _post_sync(request: web.Request) -> web.Response:
    """Exchange with the relay at ``{"uri": ...}`` now and answer what came of it; 504 when it cannot be reached."""
    uri = (await _asked(request)).get("uri")
    if not isinstance(uri, str):
        raise Refused(400, "uri is missing")
    try:
        report = await request.app[_DESK].sync(uri)
    except PeerUnreachable as error:
        raise Refused(504, str(error)) from error
    except Refusal as error:
        return web.json_response({"error": str(error), "hint": error.hint}, status=400)
    except MeshrelayError as error:
        raise Refused(502, str(error)) from error
    return web.json_response(plain(report))


async def _post_doctor(request: web.Request) -> web.Response:
    """Try all ways of finding relays, with a sweep for ``{"sweep": true}``, and answer what was found."""
    sweep = (await _asked(request)).get("sweep", False)
    if not isinstance(sweep, bool):
        raise Refused(400, "sweep is true or false")
    return web.json_response(plain(await request.app[_DESK].doctor(sweep)))


async def _asked(request: web.Request) -> dict[str, Any]:
    try:
        asked = json.loads(await read_body(request, most=MAX_REQUEST))
    except (ValueError, RecursionError) as error:
        raise Refused(400, "the body is no JSON") from error
    if not isinstance(asked, dict):
        raise Refused(400, "the body is no JSON object")
    return asked


async def _explain(request: web.Request, status: int, message: str) -> web.StreamResponse:
    return web.json_response({"error": message}, status=status)


def plain(value: Any) -> Any:
    """Return a value of dataclasses and tuples as JSON has it; bytes become hex, errors what they say."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, MeshrelayError):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    return value
