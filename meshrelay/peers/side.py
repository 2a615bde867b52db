"""What this relay gives and takes in an exchange, whichever end began it: the relay's rules, off the event loop.

Not here: HTTP (server, client), and when to speak to whom (spread). The law: nothing is given that the index does not
hold, nothing is taken but by `Relay.receive_many`, and the event loop is never held by a disk or a signature.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from meshrelay.core import order, reconcile
from meshrelay.core.envelope import Header
from meshrelay.core.reconcile import Keys
from meshrelay.errors import InvalidItem
from meshrelay.index import Index
from meshrelay.peers.wire import Answer, fitting
from meshrelay.relay import Outcome, Receipt, Relay, declines

T = TypeVar("T")

_GIVERS = 20_000  # items of which we remember who has them

_ANSWERS = {Outcome.NEW: Answer.NEW, Outcome.KNOWN: Answer.KNOWN, Outcome.DECLINED: Answer.DECLINED}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one item from outside: its key if it was one, and the answer for its sender."""

    key: bytes | None
    answer: Answer
    reason: str = ""


class OurSide:
    """This relay's items, its rules, its clock and its threads, as an exchange sees them.

    `stored` is set whenever something new was stored, for whoever feeds the index.
    """

    def __init__(
        self, relay: Relay, index: Index, *, clock: Callable[[], int], readers: Executor, writer: Executor
    ) -> None:
        self.relay = relay
        self.index = index
        self.clock = clock
        self.stored = asyncio.Event()
        self._readers = readers
        self._writer = writer
        self._holders: OrderedDict[bytes, set[bytes]] = OrderedDict()

    def matters(self, header: Header) -> bool:
        """Tell whether an item matters here, so that it is carried first."""
        return self.relay.trust.matters(header)

    def declines(self, header: Header) -> str:
        """Return why an item would not be taken here, or an empty text."""
        return declines(header, self.relay.trust, now=self.clock())

    def holders(self, key: bytes) -> frozenset[bytes]:
        """Return the relays that are known to have an item, because they gave, offered or took it."""
        return frozenset(self._holders.get(key, ()))

    def note(self, keys: Iterable[bytes], relay_id: bytes) -> None:
        """Remember that a relay has these items."""
        for key in keys:
            self._holders.setdefault(key, set()).add(relay_id)
        while len(self._holders) > _GIVERS:
            self._holders.popitem(last=False)

    async def answer(self, keys: Keys, request: reconcile.Request) -> bytes:
        """Answer one reconciliation message over `keys`."""
        return await self.run(lambda: reconcile.answer(keys, request))

    async def receive(self, datas: Sequence[bytes], *, source: bytes) -> list[Taken]:
        """Take items that the relay `source` gave; what is answered as new is on the disk."""
        now = self.clock()
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._writer, lambda: self.relay.receive_many(datas, now=now))
        taken = [_taken(outcome) for outcome in outcomes]
        self.note([one.key for one in taken if one.key is not None], source)
        if any(one.answer is Answer.NEW for one in taken):
            self.stored.set()
        return taken

    async def summaries(self, keys: Sequence[bytes]) -> list[Header | None]:
        """Return the headers of these keys, None where there is no such item."""
        held = await self.run(lambda: self.relay.store.by_key(keys))
        return [held.get(key) for key in keys]

    async def items(self, keys: Sequence[bytes]) -> tuple[list[tuple[bytes, bytes]], int]:
        """Return keys and items that fit into one batch, in the order asked, and how many of the keys that settles."""
        return await self.run(lambda: self._items(keys))

    async def choose(self, claims: Sequence[Header | None]) -> tuple[list[Answer], list[int]]:
        """Answer an offer: what is new here and would be taken, and in which order it should come."""
        held = await self.run(lambda: self.relay.store.by_key([claim.key for claim in claims if claim is not None]))
        answers = [self._wants(claim, held) for claim in claims]
        wanted = [
            (order.carried(claim, matters=self.matters(claim)), place)
            for place, (claim, answer) in enumerate(zip(claims, answers, strict=True))
            if claim is not None and answer is Answer.NEW
        ]
        return answers, [place for _, place in sorted(wanted)]

    def _wants(self, claim: Header | None, held: dict[bytes, Header]) -> Answer:
        if claim is None:
            return Answer.DECLINED  # of a kind that is unknown here
        if claim.key in held:
            return Answer.KNOWN
        return Answer.DECLINED if self.declines(claim) else Answer.NEW

    def _items(self, keys: Sequence[bytes]) -> tuple[list[tuple[bytes, bytes]], int]:
        headers = self.relay.store.by_key(keys)
        held = [(place, headers[key]) for place, key in enumerate(keys) if key in headers]
        count = fitting(header.size for _, header in held)
        settled = held[count][0] if count < len(held) else len(keys)
        datas = self.relay.store.get_many([header.id for _, header in held[:count]])
        return [(header.key, datas[header.id]) for _, header in held[:count] if header.id in datas], settled

    async def run(self, work: Callable[[], T]) -> T:
        """Do work that would hold the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)


def _taken(outcome: Receipt | InvalidItem) -> Taken:
    if isinstance(outcome, InvalidItem):
        return Taken(None, Answer.BAD, str(outcome))
    return Taken(outcome.header.key, _ANSWERS[outcome.outcome], outcome.reason)
