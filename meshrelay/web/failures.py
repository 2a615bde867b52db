"""Answers for what went wrong: a page that helps for people, a sentence in JSON for programs.

Law: an error of ours that has a name is an answer with a number of its own; nothing here says more of the relay than a
reader needs.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from meshrelay.errors import MeshrelayError, NotFound, StoreFull
from meshrelay.web.pages import answer, page_for, render
from meshrelay.web.security import Refused, local_address, url_of

_SENTENCES: Final = {
    400: ("bad-request", None),
    403: ("bad-request", None),
    404: ("missing", "no-page"),
    413: ("bad-request", None),
    421: ("wrong-address", "right-address"),
    503: ("too-busy", None),
    507: ("full", None),
}


@web.middleware
async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the errors of the floors below into refusals with a status."""
    try:
        return await handler(request)
    except NotFound as error:
        raise Refused(404, str(error)) from error
    except StoreFull as error:
        raise Refused(507, str(error)) from error
    except MeshrelayError as error:
        raise Refused(503, str(error)) from error


async def explain(request: web.Request, status: int, message: str) -> web.StreamResponse:
    """Answer a status of 400 and above in the form that was asked for."""
    if request.path.startswith(("/api/", "/feed.", "/static/", "/healthz")):
        return web.json_response({"error": message}, status=status)
    if status == 408:
        # Whoever lets a request drip reads no page, and there may be thousands who do.
        return web.Response(status=status, text=f"{message}\n")
    page = page_for(request)
    title, note = _SENTENCES.get(status, ("failed" if status >= 500 else "bad-request", None))
    if status == 404 and request.path.startswith("/b/"):
        note = "missing-note"
    address = url_of(*local_address(request)) if status == 421 else None
    values = {"title": page.words[title], "note": page.words[note] if note else None, "address": address}
    return answer(request, render(request, "failure.html", page, values), status=status, seconds=0)
