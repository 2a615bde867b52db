"""Pushing: what has just been stored goes to the neighbours, the most urgent at once.

A few neighbours, drawn anew each time, get what is new at once; the others are offered it a little later, unless they
have been heard to have it by then, or so much comes that exchanges have to see to it. An item goes to a neighbour at
most once, and never to one that is known to have it.

Not here: what an exchange does, who is a neighbour. Source: docs/spec/http.md, "Push".
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Iterable, Mapping, Sequence

from meshrelay.core.envelope import Header, ItemClass
from meshrelay.errors import PeerFault, PeerUnreachable, Refusal
from meshrelay.peers.exchange import ExchangeReport, give
from meshrelay.peers.neighbours import Neighbour, Neighbours
from meshrelay.peers.pace import Pace
from meshrelay.peers.side import OurSide
from meshrelay.peers.speaking import Speaking
from meshrelay.peers.talk import Talk

log = logging.getLogger(__name__)

_FANOUT = 4  # neighbours that get what is new at once
_LATER = (0.3, 1.0)  # seconds until the others are offered it
_AT_ONCE = 16  # urgent items that are given without asking
# Seconds between two offers of what is not urgent, of known senders and of others: the least, and the most while there
# is no end of it. Somebody who makes up items without number must not keep every link busy.
_KNOWN = (0.15, 2.0)
_OTHERS = (0.5, 8.0)
_AHEAD = 600  # seconds: what is dated further ahead waits for its time
_MOST = 2_000  # items waiting for one neighbour; beyond that an exchange is cheaper
_PUSHED = 20_000  # items remembered to have been pushed to one neighbour
_SLICE = 500


class _Lane:
    """What waits to be offered together; after a silence the first goes at once."""

    def __init__(self, least: float, most: float) -> None:
        self.items: list[Header] = []
        self._least = self._pause = least
        self._most = most
        self._last = float("-inf")

    @property
    def due(self) -> float:
        """When they go, by the loop's clock."""
        return self._last + self._pause

    def take(self, moment: float) -> tuple[list[Header], bool]:
        """Return them, and whether it has been quiet: while it is not, the next ones wait longer."""
        quiet = moment > self.due + self._pause
        self._pause = self._least if quiet else min(self._most, 2 * self._pause)
        self._last = moment
        items, self.items = self.items, []
        return items, quiet


class Push:
    """Hears what is new (`hear`), decides who gets it and when (`sort_news`), and does it (`serve`)."""

    def __init__(self, side: OurSide, neighbours: Neighbours, speaking: Speaking, *, pace: Pace) -> None:
        self._pace = pace
        self._side = side
        self._neighbours = neighbours
        self._speaking = speaking
        self._news: list[bytes] = []
        self._has_news = asyncio.Event()
        self._known, self._others = _Lane(*_KNOWN), _Lane(*_OTHERS)
        self._numbers = itertools.count()

    def hear(self, keys: Iterable[bytes]) -> None:
        """Take up what was newly stored."""
        self._news += keys
        self._has_news.set()

    async def sort_news(self) -> None:
        """Decide for everything newly stored who gets it, and when; until cancelled."""
        lanes = (self._known, self._others)
        while True:
            due = min((lane.due for lane in lanes if lane.items), default=None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.0, due - _moment())):
                    await self._has_news.wait()
            self._has_news.clear()
            news, self._news = self._news, []
            for start in range(0, len(news), _SLICE):
                try:
                    headers = await self._side.summaries(news[start : start + _SLICE])
                except Refusal as error:
                    log.warning("what has arrived is not pushed: %s", error)  # exchanges will find it
                    break
                latest = self._side.now + _AHEAD
                self._sort([one for one in headers if one is not None and one.sent <= latest])
            moment = _moment()
            for lane in lanes:
                if lane.items and lane.due <= moment:
                    items, quiet = lane.take(moment)
                    if not self._pace.is_spent:
                        self._send(items, at_once=False, to_all=quiet)

    def _sort(self, headers: Sequence[Header]) -> None:
        urgent: list[Header] = []
        for header in headers:
            if not self._side.matters(header):
                self._others.items.append(header)
            elif header.item_class <= ItemClass.GRAVE:
                urgent.append(header)
            else:
                self._known.items.append(header)
        # So many at a time are a backlog, which the others may have long since: they are asked.
        self._send(urgent, at_once=len(urgent) <= _AT_ONCE, to_all=True)

    def _send(self, headers: Sequence[Header], *, at_once: bool, to_all: bool) -> None:
        """Let a few neighbours, drawn for this, have something now, and the others be offered it a little later."""
        moment = _moment()
        items = {one.key: one for one in headers}
        neighbours = [
            one
            for one in self._neighbours
            if not one.failures and (one.answered is not None or one.visited is not None or one.talking.locked())
        ]
        self._side.dice.shuffle(neighbours)
        for place, neighbour in enumerate(neighbours if to_all else neighbours[:_FANOUT]):
            fresh = self._news_for(neighbour, items)
            if not fresh:
                continue
            first = place < _FANOUT
            due = moment + (0.0 if first else self._side.dice.uniform(*_LATER))
            heapq.heappush(neighbour.waiting, (due, next(self._numbers), first and at_once, fresh))
            if sum(len(some) for _, _, _, some in neighbour.waiting) > _MOST:
                neighbour.waiting.clear()
                neighbour.wake.set()
            neighbour.news.set()

    def _news_for(self, neighbour: Neighbour, items: Mapping[bytes, Header]) -> dict[bytes, Header]:
        has, pushed, relay_id = self._side.is_held_by, neighbour.pushed, neighbour.relay_id
        return {key: one for key, one in items.items() if key not in pushed and not has(relay_id, key)}

    async def serve(self, neighbour: Neighbour) -> None:
        """Push to one neighbour what is due, until cancelled."""
        waiting = neighbour.waiting
        while True:
            await neighbour.news.wait()
            neighbour.news.clear()
            while waiting:
                with contextlib.suppress(TimeoutError):
                    # Something more urgent may come meanwhile.
                    async with asyncio.timeout(max(0.0, waiting[0][0] - _moment())):
                        await neighbour.news.wait()
                    neighbour.news.clear()
                    continue
                moment = _moment()
                at_once: dict[bytes, Header] = {}
                offered: dict[bytes, Header] = {}
                while waiting and waiting[0][0] <= moment:
                    _, _, urgent, some = heapq.heappop(waiting)
                    (at_once if urgent else offered).update(some)
                await self._push(neighbour, at_once, offered)

    async def _push(
        self, neighbour: Neighbour, at_once: Mapping[bytes, Header], offered: Mapping[bytes, Header]
    ) -> None:
        urgent = self._news_for(neighbour, at_once)
        others = {key: one for key, one in self._news_for(neighbour, offered).items() if key not in urgent}
        if neighbour.failures or not (urgent or others):
            return  # one that fails is reconciled with when it is back
        neighbour.pushed.update(dict.fromkeys([*urgent, *others]))
        while len(neighbour.pushed) > _PUSHED:
            neighbour.pushed.popitem(last=False)

        async def both(link: Talk) -> ExchangeReport:
            link.is_hurried = bool(urgent)
            return await give(self._side, link, neighbour.view, at_once=[*urgent.values()], offered=[*others.values()])

        try:
            report = await self._speaking.over_a_link(neighbour, both)
        except (PeerFault, PeerUnreachable, Refusal) as error:
            # What did not arrive is found by the next exchange, which comes at once.
            self._speaking.fail(neighbour, error)
            neighbour.wake.set()
            return
        self._speaking.note(neighbour, report)


def _moment() -> float:
    return asyncio.get_running_loop().time()
