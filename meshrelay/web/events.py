"""Open streams that tell a page when something new has come: bounded, so that they cannot eat the relay.

A stream says how many bulletins have come since the cursor that the page was made at. Four streams an address and 256
in all; whoever comes later gets 503 and asks again by itself now and then.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from meshrelay.web.pages import SERVICES
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
    with streams.place(request.remote or ""):
        async with sse_response(request, ping_interval=_PING_SECONDS, send_timeout=_SEND_SECONDS) as answer:
            gone = asyncio.ensure_future(answer.wait())
            with streams.listed(answer):
                while loop.time() < end:
                    seen = services.news.count
                    changes = await services.read(services.relay.store.changes, cursor, limit=_MOST_COUNTED)
                    if changes.reset:
                        cursor = changes.cursor
                    new = len({row.id for row in changes.rows if not row.gone})
                    await answer.send(json.dumps({"cursor": changes.cursor, "new": new}), event="news")
                    await _until_changed(request, gone, services.news, seen=seen, seconds=end - loop.time())
                    if gone.done() or request.transport is None:
                        break
                    await asyncio.wait((gone,), timeout=_PAUSE_SECONDS)
        return answer


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
