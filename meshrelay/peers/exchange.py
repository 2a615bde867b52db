"""One exchange with one other relay: learn what each side lacks, fetch it, and offer what the other lacks.

Not here: whom to speak to and when (spread), how bytes cross (talk), what a message means (core.reconcile). The law:
whatever the peer answers, an exchange ends in bounded time with a report of what was done, and nothing comes out of
here but PeerUnreachable and PeerFault. What has arrived whole is kept, wherever the link is cut.
Source: docs/spec/http.md, "An exchange".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from meshrelay.core import order, reconcile
from meshrelay.core.envelope import Header, ItemClass
from meshrelay.core.reconcile import Reconciliation
from meshrelay.errors import InvalidMessage, PeerFault, PeerUnreachable
from meshrelay.index import PeerView
from meshrelay.peers import wire
from meshrelay.peers.side import OurSide
from meshrelay.peers.talk import Batch, Talk
from meshrelay.peers.wire import Answer

T = TypeVar("T")

_EXCHANGE = 900.0  # seconds for an exchange; the next one goes on from there

_FEW = 16  # so few items are fetched without asking for their summaries
_DEFLATED = 3  # to one: how much a batch shrinks
_AT_A_TIME = 20_000  # items that one exchange finds missing here, or a round's more
_FAULTS = 3
_ALL = tuple(range(reconcile.CLASSES))
_SLOW_START = (
    ((ItemClass.KEYS, ItemClass.CORRECTION, ItemClass.GRAVE), 24 * 1024),
    (_ALL, 8 * 1024),
)
"""Classes and bytes of the first rounds with a relay that was not met lately; the last one has no limit."""


@dataclass(slots=True)
class ExchangeReport:
    """What one exchange did: items received (new here), sent (new there), refused by either side, bytes of bodies.

    `settled` says that nothing is left that either side lacks and would take, `same` that nothing is left at all.
    `trouble` is what cut it short.
    """

    relay_id: bytes = b""
    settled: bool = False
    same: bool = False
    received: int = 0
    sent: int = 0
    declined: int = 0
    refused: int = 0
    rounds: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0
    trouble: PeerFault | PeerUnreachable | None = None


def _within(headers: Sequence[Header], budget: int | None) -> int:
    """Return how many of these items go into a budget of bytes."""
    if budget is None:
        return len(headers)
    for count, total in enumerate(accumulate(header.size for header in headers)):
        if total > budget * _DEFLATED:
            return count
    return len(headers)


async def meet(side: OurSide, link: Talk, *, port: int) -> tuple[int, int]:
    """Say hello, which tells who is there; return the peer's port and time. Raises PeerFault for a mirror."""
    answer = await link.hello(port=port, now=side.now)
    if link.relay_id in link.own_ids:
        raise PeerFault("that is this relay itself")
    return answer


async def exchange(
    side: OurSide, link: Talk, view: PeerView, *, slow_start: bool = True, pressing_only: bool = False
) -> ExchangeReport:
    """Exchange with the relay at the other end of an open link, both ways, and report what was done.

    Raises PeerUnreachable or PeerFault when nothing could begin; what goes wrong later is in the report.
    `slow_start` is for a relay that was not met lately, when nobody knows how long the link will last: a few kilobytes
    for the urgent classes come first, then a few for all of them. Whenever it breaks, something has arrived.
    `pressing_only` ends it after the urgent classes, and fetches of them what matters here.
    """
    work = _Exchange(side, link, view)
    try:
        async with asyncio.timeout(_EXCHANGE):
            stages = (*_SLOW_START, (_ALL, None)) if slow_start else ((_ALL, None),)
            for classes, budget in _SLOW_START[:1] if pressing_only else stages:
                settled = await work.settle(classes=classes, budget=budget) and classes == _ALL
                await work.offer_what_matters()
                if classes == _ALL:
                    # Until all is known, a quarter of the bytes for what does not matter here.
                    await work.carry_the_rest(budget=None if settled or budget is None else budget // 4)
                if settled:
                    work.report.settled = not work.shared
                    work.report.same = work.report.settled and not view.remembered and not view.overflowed
                    break
    except (PeerFault, PeerUnreachable) as error:
        if not work.report.rounds:
            raise
        work.report.trouble = error
    except TimeoutError:
        work.report.trouble = PeerUnreachable("the exchange took too long")
    finally:
        work.let_go()
    return work.done()


async def give(
    side: OurSide, link: Talk, view: PeerView, *, at_once: Sequence[Header], offered: Sequence[Header]
) -> ExchangeReport:
    """Give some items without asking whether they are wanted, and offer others; raises PeerUnreachable or PeerFault."""
    work = _Exchange(side, link, view)
    await work.give_at_once(at_once)
    await work.offer(offered)
    return work.done()


class _Exchange:
    def __init__(self, side: OurSide, link: Talk, view: PeerView) -> None:
        self.report = ExchangeReport()
        self._side = side
        self._link = link
        self._view = view
        self._faults = 0
        self._chunk = wire.FIRST_CHUNK
        self._done: set[bytes] = set()
        """Keys of the peer's that this exchange has dealt with; the index may not have heard of them yet."""
        self._given: set[bytes] = set()
        self._claimed: set[bytes] = set()
        self.shared = False
        """Whether something was left to another exchange, so that this one does not know whether it came."""
        self._soon: list[Header] = []
        """What matters here and is not pressing, while few bytes are to be spent."""
        self._later: list[Header] = []
        """What does not matter here, to be fetched last."""
        self._have: list[bytes] = []
        self._rest: list[Header] = []

    async def settle(self, *, classes: Sequence[int], budget: int | None) -> bool:
        """Find the difference, and fetch what matters here as soon as its class is settled; tell whether all is known.

        Under a budget, which may end before a class is settled, at once.
        """
        held = self._side.index.keys
        view = await self._side.read(self._view.keys, held)
        work = Reconciliation(
            view.changed(add=self._done) if self._done else view,
            salt=self._side.salt(),
            now=self._side.now,
            classes=classes,
            budget=budget,
        )
        have: list[bytes] = []
        need: list[bytes] = []
        while (message := await self._side.read(work.message)) is not None:
            reply = await self._link.reconcile(message)
            try:
                found = self._view.sort_out(await self._side.read(work.receive, reply), held)
            except InvalidMessage as error:
                raise PeerFault(f"a reply that cannot be one: {error}") from error
            have += found.have
            need += found.need
            self.report.rounds += 1
            unsettled = reconcile.CLASSES if work.unsettled is None else work.unsettled
            enough = len(need) >= _AT_A_TIME
            known = [key for key in need if enough or key[0] < unsettled + (budget is not None)]
            await self._need(known, sparing=budget is not None)
            if enough:
                break  # what a peer can name has no end; the next exchange goes on
        if budget is None or work.unsettled is None or work.unsettled > ItemClass.GRAVE:
            # Only now is it sure that nothing more pressing will be named.
            soon, self._soon = self._soon, []
            await self._fetch([claim.key for claim in self._sorted(soon)])
        self._have = [key for key in have if key not in self._given]
        return work.settled

    async def offer_what_matters(self) -> None:
        """Offer, of what the peer lacks, what matters here."""
        headers = [header for header in await self._side.summaries(self._have) if header is not None]
        self._rest = [header for header in headers if not self._side.matters(header)]
        await self.offer([header for header in headers if self._side.matters(header)])

    async def carry_the_rest(self, *, budget: int | None) -> None:
        """Fetch and then offer what does not matter here, about `budget` bytes of it each way."""
        later = self._sorted(self._later)
        now = later[: _within(later, budget)]
        self._later = later[len(now) :]
        await self._fetch([claim.key for claim in now])
        rest = self._sorted(self._rest)
        await self.offer(rest[: _within(rest, budget)])

    async def _need(self, keys: Iterable[bytes], *, sparing: bool) -> None:
        """Fetch what matters here of these, and note the others; when `sparing`, what is pressing alone for now.

        When not, a few of them are fetched without choosing.
        """
        wanted = [key for key in keys if key not in self._done]
        self._done.update(wanted)
        if len(wanted) <= _FEW and not sparing:
            # In key order the newest of a class are last.
            await self._fetch(sorted(wanted, key=lambda key: (key[0], -int.from_bytes(key[1:], "big"))))
            return
        claims: list[Header] = []
        for chunk in self._chunks(wanted):
            claims += self._worth(chunk, await self._link.summaries(chunk))
        self._later += [claim for claim in claims if not self._side.matters(claim)]
        matters = [claim for claim in claims if self._side.matters(claim)]
        self._soon += [claim for claim in matters if sparing and not order.is_pressing(claim)]
        now = [claim for claim in matters if not sparing or order.is_pressing(claim)]
        await self._fetch([claim.key for claim in self._sorted(now)])

    def _worth(self, keys: Sequence[bytes], claims: Sequence[Header | None]) -> list[Header]:
        """Leave out what is gone there or would be declined here."""
        worth: list[Header] = []
        for key, claim, taken in zip(keys, claims, self._side.would_take(claims), strict=True):
            if claim is not None and taken:
                worth.append(claim)
            else:
                self._view.decline([key])
                self.report.declined += 1
        return worth

    def _sorted(self, headers: Iterable[Header]) -> list[Header]:
        return sorted(headers, key=lambda header: order.carried(header, matters=self._side.matters(header)))

    async def _fetch(self, keys: Iterable[bytes]) -> None:
        """Fetch in this order; the next batch is on its way while the last one is verified and stored.

        What has come from elsewhere by now, or is just coming, is left out: several neighbours share the work.
        """
        rest = deque(keys)
        taking: asyncio.Task[None] | None = None
        try:
            while chunk := self._claim(rest):
                batch = await self._link.fetch(chunk)
                self._chunk = wire.MAX_ITEMS
                if taking is not None:
                    await taking
                taking = asyncio.create_task(self._take(chunk, batch))
                if batch.trouble is not None:
                    raise batch.trouble
                unsettled = chunk[batch.settled :]
                self._release(unsettled)
                rest.extendleft(reversed(unsettled))
        except BaseException:
            if taking is not None:
                # What came is stored all the same; what goes wrong with it must not hide what ended this.
                await asyncio.gather(taking, return_exceptions=True)
            raise
        if taking is not None:
            await taking

    def _claim(self, rest: deque[bytes]) -> list[bytes]:
        """Take the next chunk, and let other exchanges know that it is coming."""
        held = self._side.index.keys
        chunk: list[bytes] = []
        while rest and len(chunk) < self._chunk:
            key = rest.popleft()
            if self._side.is_coming(key):
                self.shared = True
            elif key not in held:
                chunk.append(key)
        self._side.expect(chunk)
        self._claimed.update(chunk)
        return chunk

    def _release(self, keys: Iterable[bytes]) -> None:
        self._side.expect_no_more(keys)
        self._claimed.difference_update(keys)

    async def _take(self, chunk: Sequence[bytes], batch: Batch) -> None:
        asked = chunk if batch.trouble is not None else chunk[: batch.settled]
        try:
            taken = (
                await self._side.receive(batch.items, giver=self._link.relay_id, source=self._link.source)
                if batch.items
                else []
            )
        finally:
            self._release(asked)
        missing = set(asked)
        faults = 0
        for one in taken:
            if one.key is None or one.key not in missing:
                faults += 1  # not an item, or not one that was asked for
                self.report.declined += 1
                continue
            missing.discard(one.key)
            self.report.received += one.answer is Answer.NEW
            if one.answer is Answer.DECLINED:
                self.report.declined += 1
                self._view.decline([one.key])
        if batch.trouble is not None:
            return
        self._view.decline(missing)
        self._faults += max(faults, bool(missing))
        if self._faults >= _FAULTS:
            raise PeerFault("items that are none, not asked for, or missing")

    async def offer(self, headers: Sequence[Header]) -> None:
        """Offer in our order; give what is wanted in the peer's."""
        for chunk in self._chunks(self._sorted(headers)):
            answers, wanted = await self._link.offer(chunk)
            self._given.update(header.key for header in chunk)
            self._heed([header.key for header in chunk], answers)
            await self._give([chunk[place].key for place in wanted])

    async def give_at_once(self, headers: Sequence[Header]) -> None:
        """Give items without asking whether they are wanted."""
        await self._give([header.key for header in self._sorted(headers)])

    def let_go(self) -> None:
        """Leave to other exchanges what was asked for and did not come."""
        self._release(tuple(self._claimed))

    def done(self) -> ExchangeReport:
        """Return the report, complete."""
        self.report.relay_id = self._link.relay_id
        self.report.bytes_sent, self.report.bytes_received = self._link.bytes_sent, self._link.bytes_received
        return self.report

    async def _give(self, keys: Sequence[bytes]) -> None:
        rest = keys
        while rest:
            items, settled = await self._side.items(rest[: wire.MAX_ITEMS])
            if items:
                packed = await self._side.read(wire.pack_items, [data for _, data in items])
                answers = await self._link.give(packed, count=len(items))
                self.report.sent += answers.count(Answer.NEW)
                self._heed([key for key, _ in items], answers)
            rest = rest[settled:]

    def _heed(self, keys: Sequence[bytes], answers: Sequence[Answer]) -> None:
        """Remember who has what, and what the peer does not want."""
        refused = [key for key, answer in zip(keys, answers, strict=True) if answer in (Answer.DECLINED, Answer.BAD)]
        held = [key for key, answer in zip(keys, answers, strict=True) if answer is Answer.KNOWN]
        self.shared |= Answer.COMING in answers
        self._view.refuse(refused)
        self.report.refused += len(refused)
        self._side.note(held, self._link.relay_id)

    def _chunks(self, whole: Sequence[T]) -> Iterator[Sequence[T]]:
        """Cut into pieces, the first small, so that what matters most does not wait for the rest."""
        start = 0
        while start < len(whole):
            size = wire.FIRST_CHUNK if start == 0 else wire.MAX_ITEMS
            yield whole[start : start + size]
            start += size
