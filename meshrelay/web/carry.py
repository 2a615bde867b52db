"""Bulletins by file, for pockets: the page that gives a copy to a phone and takes in one that a phone brings.

Nothing is kept of who took or gave anything. A file that is given goes through the one gate like everything else; it
can bring items that this relay lacks and nothing more. Source: docs/spec/http.md, "Copies".
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Final

from aiohttp import web

from meshrelay.core.clock import Clock
from meshrelay.interop import carry
from meshrelay.interop.intake import Fate, Taken, is_unsigned, take_in
from meshrelay.interop.outgoing import envelopes, in_order
from meshrelay.relay import Relay
from meshrelay.web.pages import KEPT, SERVICES, answer, page_for, render
from meshrelay.web.report import DESK, moment, source_of
from meshrelay.web.security import Refused, read_body
from meshrelay.words.times import local

MOST_TAKEN: Final = 1_000_000
"""Bytes of the largest copy, small enough to be given to another relay by the same page."""
MOST_PARTS: Final = 8
MOST_REASONS: Final = 5
_TAKES: Final = {"urgent": True, "all": False}


async def form(request: web.Request) -> web.Response:
    """Show both ways, or with ``?take=urgent`` or ``?take=all`` give a copy."""
    if request.query.get("take") in _TAKES:
        return await _take(request, urgent=_TAKES[request.query["take"]])
    return _page(request)


async def give(request: web.Request) -> web.Response:
    """Take in a file that a phone brought, and say what became of what is in it."""
    try:
        body = await read_body(request)
    except Refused as refusal:
        if refusal.status != 413:
            raise
        answered = _page(request, trouble="carry-large", status=413)
        answered.force_close()  # what was not read must not be taken for the next request
        return answered
    fields = dict(_fields(body, request.headers.get("Content-Type", "")))
    data = fields.get("file", b"")
    services = request.config_dict[SERVICES]
    token = fields.get("token", b"").decode("ascii", "replace")
    if not request.app[DESK].gave(token, source_of(request), now=moment()):
        return _page(request, trouble="carry-old", status=403)
    if is_unsigned(data):
        return _page(request, trouble="carry-unsigned", status=422)
    taken = await services.write(_take_in, services.relay, data, services.clock())
    counts = Counter(one.fate for one in taken)
    if not data or not (counts[Fate.NEW] or counts[Fate.KNOWN] or len(taken) > 1):
        return _page(request, trouble="carry-empty", status=422)
    words = page_for(request).words
    reasons = list(dict.fromkeys(one.detail for one in taken if one.fate is Fate.REFUSED))
    values = {
        "counts": [words.taken(counts[Fate.NEW]), words.taken_known(counts[Fate.KNOWN])],
        "refused": words.taken_refused(counts[Fate.REFUSED]) if counts[Fate.REFUSED] else "",
        "reasons": reasons[:MOST_REASONS],
        "full": services.relay.room.full,
    }
    return answer(request, render(request, "given.html", page_for(request), values), seconds=0)


async def _take(request: web.Request, *, urgent: bool) -> web.Response:
    services = request.config_dict[SERVICES]

    async def make() -> bytes:
        return await services.read(_copy, services.relay, urgent=urgent)

    data: bytes = await request.app[KEPT].get(("carry", services.news.count, urgent), make)
    if not data:
        return _page(request, trouble="carry-nothing", status=404)
    day = local(services.clock().now, services.tz).date().isoformat()
    headers = {
        "Content-Type": carry.MEDIA_TYPE,
        "Content-Disposition": f'attachment; filename="bulletins-{day}{carry.SUFFIX}"',
        "Cache-Control": "no-store",
    }
    return web.Response(body=data, headers=headers)


def _copy(relay: Relay, *, urgent: bool) -> bytes:
    """Return a carry file of what this relay shows, most urgent first, as much as fits; nothing when that is nothing.

    What is kept back or hidden here is left out: whoever asks must not see by a copy what pages do not show.
    """
    without = relay.hidden.keys() | relay.kept_back.keys()
    plan = carry.plan(in_order(relay, without=without), max_bytes=MOST_TAKEN, urgent=urgent)
    if not plan.ids:
        return b""
    file = io.BytesIO()
    carry.write(file, envelopes(relay, plan.ids))
    return file.getvalue()


def _take_in(relay: Relay, data: bytes, clock: Clock) -> list[Taken]:
    return list(take_in(relay, io.BytesIO(data), clock=clock, key=None))


def _page(request: web.Request, *, trouble: str | None = None, status: int = 200) -> web.Response:
    services, page = request.config_dict[SERVICES], page_for(request)
    values = {
        "token": request.app[DESK].token(source_of(request), now=moment()),
        "trouble": trouble,
        "most": page.words.size(MOST_TAKEN),
        "held": services.status().bulletins,
    }
    return answer(request, render(request, "carry.html", page, values), status=status, seconds=0)


def _fields(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of a form's parts (RFC 7578); raises Refused when it is none."""
    head = EmailMessage()
    try:
        head["Content-Type"] = content_type
        boundary = head.get_boundary("")
        if head.get_content_type() != "multipart/form-data" or not 0 < len(boundary) <= 70:
            raise Refused(415, "a file is sent as a form")
        mark = b"\r\n--" + boundary.encode("ascii")
    except (ValueError, LookupError, UnicodeError) as error:
        raise Refused(415, "a file is sent as a form") from error
    first, *parts = (b"\r\n" + body).split(mark, MOST_PARTS + 1)
    if first or not parts or not parts[-1].startswith(b"--"):
        raise Refused(400, "this is no form, or it was cut off")
    for part in parts[:-1]:
        lines, gap, content = part.partition(b"\r\n\r\n")
        fields = EmailMessage()
        for line in lines.decode("utf-8", "replace").splitlines():
            if line.lower().startswith("content-disposition:"):
                fields["Content-Disposition"] = line.partition(":")[2].strip()
        name = fields.get_param("name", "", header="Content-Disposition")
        if gap and isinstance(name, str) and name:
            yield name, content
