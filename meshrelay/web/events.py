"""Open streams that tell a page when something new has come: bounded, so that they cannot eat the relay.

A stream says how many bulletins of senders known here have come since the cursor that the page was made at (everybody's
while nobody is known, or where the setting is to show them): what strangers send at will must not call for attention.
Four streams an address and 256 in all; whoever comes later gets 503 and asks again by itself now and then.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from meshrelay.core.envelope import Kind
from meshrelay.door import source_of
from meshrelay.relay import Relay
from meshrelay.web.pages import KEPT, SERVICES
from meshrelay.web.security import Refused
from meshrelay.web.services import News

MOST_FROM_ONE_ADDRESS: Final = 4
MOST: Final = 256
_PING_SECONDS: Final = 20
_SEND_SECONDS: Final = 15.0
_LOOK_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 2.0
_LIFE_SECONDS: Final = 900.0
_MOST_COUNTED: Final = 1000


class Streams:
    """The streams that are open now, counted by address; nothing is kept of one that has ended."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._answers: set[EventSourceResponse] = set()

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Count a stream in and out; raises Refused when there are too many."""
        if self._open[address] >= MOST_FROM_ONE_ADDRESS or self._open.total() >= MOST:
            raise Refused(503, "too many open streams; ask /api/v1/changes instead")
        self._open[address] += 1
        try:
            yield
        finally:
            self._open[address] -= 1
            self._open += Counter()  # forgets addresses that have none

    @contextmanager
    def listed(self, answer: EventSourceResponse) -> Iterator[None]:
        """Let :meth:`close` end this stream."""
        self._answers.add(answer)
        try:
            yield
        finally:
            self._answers.discard(answer)

    async def close(self, app: web.Application) -> None:
        """End all streams; for ``app.on_shutdown``."""
        for answer in tuple(self._answers):
            answer.stop_streaming()


STREAMS: Final = web.AppKey("streams", Streams)


async def events(request: web.Request) -> web.StreamResponse:
    """Tell, as server-sent events, how many items have come since ``?since=CURSOR``, now and after every change."""
    services, streams = request.config_dict[SERVICES], request.config_dict[STREAMS]
    cursor = request.query.get("since", "")
    loop = asyncio.get_running_loop()
    end = loop.time() + _LIFE_SECONDS
    with streams.place(source_of(request.remote or "::")):
        async with sse_response(request, ping_interval=_PING_SECONDS, send_timeout=_SEND_SECONDS) as answer:
            gone = asyncio.ensure_future(answer.wait())
            # Who leaves while something is said has left.
            with streams.listed(answer), suppress(ConnectionResetError):
                while loop.time() < end:
                    seen = services.news.count
                    found = await _news(request, cursor)
                    if found.reset:
                        cursor = found.cursor
                    said = {"cursor": found.cursor, "new": found.new, "now": services.clock().now}
                    await answer.send(json.dumps(said), event="news")
                    await _until_changed(request, gone, services.news, seen=seen, seconds=end - loop.time())
                    if gone.done() or request.transport is None:
                        break
                    await asyncio.wait((gone,), timeout=_PAUSE_SECONDS)
        return answer


@dataclass(frozen=True, slots=True)
class Found:
    """What has come since a cursor; `reset` when that cursor is not known any more."""

    cursor: str
    new: int
    reset: bool


async def _news(request: web.Request, cursor: str) -> Found:
    """Count what has come since `cursor`; pages that were made at the same moment share the answer."""
    services = request.config_dict[SERVICES]

    async def count() -> Found:
        return await services.read(
            _count, services.relay, cursor, everybody=services.settings.unknown_senders == "show"
        )

    found: Found = await request.config_dict[KEPT].get(("news", cursor[:100], services.news.count), count)
    return found


def _count(relay: Relay, cursor: str, *, everybody: bool) -> Found:
    trust = relay.trust
    changes = relay.store.changes(cursor, limit=_MOST_COUNTED)
    ids = {row.id for row in changes.rows if not row.gone} - relay.hidden.keys()
    headers = [held.header for held in relay.store.headers(ids).values() if held.header.kind is Kind.BULLETIN]
    wanted = [one for one in headers if everybody or not trust.anchors or one.author in trust.known]
    return Found(changes.cursor, len(wanted), changes.reset)


async def _until_changed(
    request: web.Request, gone: asyncio.Future[None], news: News, *, seen: int, seconds: float
) -> None:
    """Wait for news, the end of the stream or of its time; a reader who left is seen within a second."""
    changed = asyncio.ensure_future(news.wait(seen=seen))
    try:
        for _ in range(max(1, int(seconds / _LOOK_SECONDS))):
            await asyncio.wait((gone, changed), timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or changed.done() or request.transport is None:
                return
    finally:
        changed.cancel()
