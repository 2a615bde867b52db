"""What this relay gives and takes in an exchange, whichever end began it: the relay's rules, off the event loop.

Not here: HTTP (server, client), and when to speak to whom (spread). The law: nothing is given that the index does not
hold, nothing is taken but by `Relay.receive_many`, and the event loop is never held by a disk or a signature.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from meshrelay.core import order
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import Header, ItemClass
from meshrelay.core.quota import Source
from meshrelay.core.reconcile import SALT_SIZE
from meshrelay.errors import InvalidItem
from meshrelay.index import Index
from meshrelay.peers.wire import Answer, fitting
from meshrelay.relay import Outcome, Receipt, Relay

P = ParamSpec("P")
T = TypeVar("T")

_DICE = random.SystemRandom()
_EXPECTED = 5.0  # seconds for which an item that was asked for is left to whoever was asked
_PROMISES = 20_000  # items on their way here by offers; more are asked of everybody who offers them
_BROKEN = 600.0  # seconds for which an item that was promised and did not come is left to nobody
_GIVERS = 20_000  # items of which we remember who has them
_HOLDERS = 64  # relays of which we remember that they have an item: an id costs nothing to make

_ANSWERS = {Outcome.NEW: Answer.NEW, Outcome.KNOWN: Answer.KNOWN, Outcome.DECLINED: Answer.DECLINED}


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one item from outside: its key if it was one, and the answer for its sender."""

    key: bytes | None
    answer: Answer
    reason: str = ""


class Runs(Protocol):
    """Whoever runs a function on a thread of its own kind: `read` on one of several, `write` on the only one."""

    async def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run it and return what it returns."""
        ...


class OurSide:
    """This relay's items, its rules, its clock, its dice and its threads, as an exchange sees them."""

    def __init__(
        self,
        relay: Relay,
        index: Index,
        *,
        clock: Callable[[], Clock],
        read: Runs,
        write: Runs,
        dice: random.Random = _DICE,
    ) -> None:
        self.relay = relay
        self.index = index
        self.read = read
        self.dice = dice
        self._coming: dict[bytes, float] = {}
        self._promised: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._clock = clock
        self._write = write
        self._holders: OrderedDict[bytes, set[bytes]] = OrderedDict()

    @property
    def now(self) -> int:
        """The time in force, in unix seconds."""
        return self._clock().now

    def salt(self) -> bytes:
        """Return the salt of a new exchange, which nobody can foresee."""
        return self.dice.randbytes(SALT_SIZE)

    def matters(self, header: Header) -> bool:
        """Tell whether an item matters here, so that it is carried first."""
        return self.relay.trust.matters(header)

    def would_take(self, claims: Iterable[Header | None]) -> list[bool]:
        """Tell of each item whether it would be taken here; none stands for one of no kind that is known."""
        clock = self._clock()
        return [
            claim is not None and not self.relay.declines(claim, now=clock.now, doubtful=clock.doubtful)
            for claim in claims
        ]

    def holders(self, key: bytes) -> frozenset[bytes]:
        """Return the relays that are known to have an item, because they gave, offered or took it."""
        return frozenset(self._holders.get(key, ()))

    def is_held_by(self, relay_id: bytes, key: bytes) -> bool:
        """Tell whether a relay is known to have an item."""
        return relay_id in self._holders.get(key, ())

    def note(self, keys: Iterable[bytes], relay_id: bytes) -> None:
        """Remember that a relay has these items."""
        for key in keys:
            holders = self._holders.setdefault(key, set())
            if len(holders) < _HOLDERS:
                holders.add(relay_id)
        while len(self._holders) > _GIVERS:
            self._holders.popitem(last=False)

    def is_coming(self, key: bytes, *, offered_by: bytes = b"") -> bool:
        """Tell whether an item is on its way: asked of a relay a moment ago, or offered by another than `offered_by`.

        Who is slow to give it keeps nobody waiting, and who offers it and does not give it does so once.
        """
        moment = asyncio.get_running_loop().time()
        giver, until = self._promised.get(key, (b"", 0.0))
        return moment < self._coming.get(key, 0.0) or (moment < until and giver != offered_by)

    def expect(self, keys: Iterable[bytes]) -> None:
        """Let other exchanges know that these items were asked for."""
        until = asyncio.get_running_loop().time() + _EXPECTED
        self._coming.update((key, until) for key in keys)

    def expect_no_more(self, keys: Iterable[bytes]) -> None:
        """Leave items to other exchanges, for they have come, or have not."""
        for key in keys:
            self._coming.pop(key, None)

    async def receive(self, datas: Sequence[bytes], *, giver: bytes, source: Source) -> list[Taken]:
        """Take items that the relay `giver` gave; what is answered as new is on the disk."""
        clock = self._clock()
        outcomes = await self._write(
            self.relay.receive_many, datas, now=clock.now, doubtful=clock.doubtful, source=source
        )
        taken = [_taken(outcome) for outcome in outcomes]
        keys = [one.key for one in taken if one.key is not None]
        for key in keys:
            self._promised.pop(key, None)
        self.note(keys, giver)
        return taken

    async def summaries(self, keys: Sequence[bytes]) -> list[Header | None]:
        """Return the headers of these keys, None where there is no such item."""
        held = await self.read(self._held, keys)
        return [held.get(key) for key in keys]

    async def items(self, keys: Sequence[bytes]) -> tuple[list[tuple[bytes, bytes]], int]:
        """Return keys and items that fit into one batch, in the order asked, and how many of the keys that settles."""
        return await self.read(self._items, keys)

    async def choose(
        self, offer: Sequence[tuple[bytes, Header | None]], *, giver: bytes
    ) -> tuple[list[Answer], list[int]]:
        """Answer the relay `giver`: what is new here and would be taken, and in which order it should come.

        What others offer meanwhile is coming already, unless it is pressing.
        """
        # What was stored a moment ago may not be in the index yet, and what is kept back is not to be told from it.
        keys = self.index.keys if not self.relay.kept_back else frozenset[bytes]()
        others = [key for key, _ in offer if key not in keys]
        held = await self.read(self._held, others) if others else {}
        lacking = {key for key in others if key not in held}
        would_take = self.would_take(claim for _, claim in offer)
        answers = [
            self._answer(key, giver=giver, taken=taken) if key in lacking else Answer.KNOWN
            for (key, _), taken in zip(offer, would_take, strict=True)
        ]
        self._leave_to(giver, (key for (key, _), answer in zip(offer, answers, strict=True) if answer is Answer.NEW))
        wanted = [
            (order.carried(claim, matters=self.matters(claim)), place)
            for place, ((_, claim), answer) in enumerate(zip(offer, answers, strict=True))
            if claim is not None and answer is Answer.NEW
        ]
        return answers, [place for _, place in sorted(wanted)]

    def _answer(self, key: bytes, *, giver: bytes, taken: bool) -> Answer:
        if not taken:
            return Answer.DECLINED
        return Answer.COMING if self.is_coming(key, offered_by=giver) else Answer.NEW

    def _leave_to(self, giver: bytes, keys: Iterable[bytes]) -> None:
        """Let others who offer these items wait: each once, so that promises alone keep nothing away."""
        moment = asyncio.get_running_loop().time()
        while self._promised and next(iter(self._promised.values()))[1] + _BROKEN < moment:
            self._promised.popitem(last=False)
        for key in keys:
            if key[0] > ItemClass.GRAVE and len(self._promised) < _PROMISES:
                self._promised.setdefault(key, (giver, moment + _EXPECTED))

    def _held(self, keys: Sequence[bytes]) -> dict[bytes, Header]:
        """Return what others may know is held here: what is kept back is not."""
        kept_back = self.relay.kept_back
        return {key: one for key, one in self.relay.store.by_key(keys).items() if one.id not in kept_back}

    def _items(self, keys: Sequence[bytes]) -> tuple[list[tuple[bytes, bytes]], int]:
        headers = self._held(keys)
        held = [(place, headers[key]) for place, key in enumerate(keys) if key in headers]
        count = fitting(header.size for _, header in held)
        settled = held[count][0] if count < len(held) else len(keys)
        datas = self.relay.store.get_many([header.id for _, header in held[:count]])
        return [(header.key, datas[header.id]) for _, header in held[:count] if header.id in datas], settled


def _taken(outcome: Receipt | InvalidItem) -> Taken:
    if isinstance(outcome, InvalidItem):
        return Taken(None, Answer.BAD, str(outcome))
    return Taken(outcome.header.key, _ANSWERS[outcome.outcome], outcome.reason)
