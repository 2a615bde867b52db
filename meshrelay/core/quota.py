"""Who may take how much room, and who goes first when room runs out.

Keys that are known here come first: each may fill a quarter of the store. All other keys share a pool; while it has
room a key may hold MOST_ITEMS or MOST_BYTES, and when it has none, the key that holds the most gives way, item by item,
down to LEAST_ITEMS or LEAST_BYTES, which nobody unknown can take from it. What is expired goes first, then the least
pressing and oldest; an Update or Cancel goes after everything it may act on, and a statement about keys last of all.

Not here: what is held (store.py), and the doing (room.py). Law: a pure function of what is held and what comes; whoever
is known loses nothing to whoever is not. Source: docs/operations.md, "When room runs out".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from meshrelay.core.bulletin import MsgType
from meshrelay.core.envelope import Header, ItemClass
from meshrelay.core.order import rank

MOST_ITEMS: Final = 200
MOST_BYTES: Final = 2 << 20
"""What an unknown key may hold while the pool has room: so many items, and envelopes of so many bytes."""
LEAST_ITEMS: Final = 10
LEAST_BYTES: Final = 256 << 10
"""What no other unknown key can take from it."""
ITEM_COST: Final = 1024
"""Bytes that an item takes beside its text: its header, and its place in the indexes."""
GUARANTEED: Final = LEAST_ITEMS * LEAST_BYTES
"""The weight of a share that gives nothing more."""


def cost(size: int) -> int:
    """Return how much of the store an item of `size` bytes takes, about: its envelope, indexes, being searchable."""
    return size + size // 2 + ITEM_COST


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the store belongs together: a number of items, and the bytes of their envelopes."""

    items: int = 0
    bytes: int = 0

    @property
    def cost(self) -> int:
        """How much of the store that takes, about."""
        return self.bytes + self.bytes // 2 + self.items * ITEM_COST

    @property
    def weight(self) -> int:
        """How heavy a share is, by its number or by its bytes, whichever says more; GUARANTEED is light."""
        return max(self.items * LEAST_BYTES, self.bytes * LEAST_ITEMS)

    def plus(self, size: int) -> Share:
        """Return the share with one item more."""
        return Share(self.items + 1, self.bytes + size)

    def minus(self, size: int) -> Share:
        """Return the share with one item less."""
        return Share(self.items - 1, self.bytes - size)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the whole store may take, the pool of unknown keys, and a single key, in bytes of the store."""

    total: int
    pool: int
    key: int

    @classmethod
    def of(cls, total: int, *, anchored: bool) -> Limits:
        """Divide a store: most laptops will anchor nobody and must still carry."""
        return cls(total, total // 5 if anchored else total * 4 // 5, total // 4)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision rests on.

    `used` is what the store takes now; `unknown` what all keys that are not `first` hold together; `shares` what each
    author of something that comes or could go holds. `expendable` holds, by author, the items that could go, in the
    order of :func:`worth`; of unknown keys those that hold the most, enough for all that comes. Keys in `first` are
    known here; statements about keys in `kept` never go. `now` is 0 while the clock is doubtful, so nothing is expired.
    """

    limits: Limits
    now: int
    used: int = 0
    unknown: Share = Share()
    shares: Mapping[bytes, Share] = field(default_factory=lambda: MappingProxyType({}))
    expendable: Mapping[bytes, Sequence[Header]] = field(default_factory=lambda: MappingProxyType({}))
    first: frozenset[bytes] = frozenset()
    kept: frozenset[bytes] = frozenset()

    def is_first(self, header: Header) -> bool:
        """Tell whether an item has its place outside the pool."""
        return header.author in self.first or self.stays(header)

    def stays(self, header: Header) -> bool:
        """Tell whether an item never goes: a statement about a key that is known here."""
        return header.item_class == ItemClass.KEYS and header.author in self.kept


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of the items that come have a place, and which held ones go for it, in this order."""

    take: tuple[Header, ...]
    let_go: tuple[Header, ...]


def worth(header: Header, *, now: int) -> tuple[bool, bool, bool, int, int, bytes]:
    """Return the sort key of one key's items, what goes first at the front."""
    acts = header.msg_type in (MsgType.UPDATE, MsgType.CANCEL)
    lasts = header.expires is None or header.expires > now
    return (header.item_class == ItemClass.KEYS, acts, lasts, -rank(header), header.sent, header.id)


def plan(incoming: Iterable[Header], scene: Scene, *, spare: int = 0) -> Plan:
    """Find places for what comes; best first, so that nothing is taken that something else in it would push out.

    `spare` is room to make beside: for that only unknown keys' items and expired ones go.
    """
    work = _Work(scene)
    for header in sorted(incoming, key=lambda one: (scene.is_first(one), worth(one, now=scene.now)), reverse=True):
        work.place(header)
    work.make_spare(spare)
    return Plan(tuple(work.taken), tuple(work.gone))


class _Short(Enum):
    KEY = auto()
    POOL = auto()
    TOTAL = auto()


class _Work:
    """The scene while it changes."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._used, self._pool = scene.used, scene.unknown
        self._shares = dict(scene.shares)
        # Taken from the end.
        self._left = {author: [*reversed(held)] for author, held in scene.expendable.items()}
        seen = sum(len(held) for author, held in self._left.items() if author not in scene.first)
        # Statements about keys that are kept but not first (they have revoked themselves) are in the pool and stay.
        self._unseen = scene.unknown.items - seen - 2 * len(scene.kept - scene.first)
        self.taken: list[Header] = []
        self.gone: list[Header] = []

    def place(self, header: Header) -> None:
        before = self._share(header.author), self._pool.cost, self._used
        gone: list[Header] = []
        while (short := self._short(header, before)) is not None:
            victim = self._victim(header, short)
            if victim is None:
                for one in reversed(gone):
                    self._put_back(one)
                return
            self._take_out(victim)
            gone.append(victim)
        self._count(header)
        self.taken.append(header)
        self.gone += gone

    def make_spare(self, spare: int) -> None:
        while self._used + spare > self._scene.limits.total:
            author = self._heaviest(first=False) or self._heaviest(first=True, expired=True)
            if author is None:
                return
            victim = self._left[author][-1]
            self._take_out(victim)
            self.gone.append(victim)

    def _short(self, header: Header, before: tuple[Share, int, int]) -> _Short | None:
        """Return what there is too little of; what was too large already may be exchanged, but not grow."""
        limits, first = self._scene.limits, self._scene.is_first(header)
        share = self._share(header.author).plus(header.size)
        large = share.cost > limits.key or (not first and (share.items > MOST_ITEMS or share.bytes > MOST_BYTES))
        if large and (share.cost > before[0].cost or share.items > before[0].items):
            return _Short.KEY
        price = cost(header.size)
        if not first and max(limits.pool, before[1]) < self._pool.cost + price:
            return _Short.POOL
        return _Short.TOTAL if max(limits.total, before[2]) < self._used + price else None

    def _victim(self, header: Header, short: _Short) -> Header | None:
        author, scene = header.author, self._scene
        if short is _Short.KEY:
            return self._worse(header)
        if not scene.is_first(header):
            own = self._share(author).plus(header.size).weight
            heaviest = self._heaviest(first=False, but=author)
            if heaviest is not None and self._share(heaviest).weight > max(own, GUARANTEED):
                return self._left[heaviest][-1]
            return self._worse(header)
        unknown = self._heaviest(first=False)
        if unknown is not None:
            return self._left[unknown][-1]
        if self._unseen > 0:
            return None  # nobody known makes way while unknown keys hold what could go
        expired = self._heaviest(first=True, expired=True)
        if expired is not None:
            return self._left[expired][-1]
        heaviest = self._heaviest(first=True, but=author)
        own_cost = self._share(author).plus(header.size).cost
        if heaviest is not None and self._share(heaviest).cost > own_cost:
            return self._left[heaviest][-1]
        return self._worse(header)

    def _worse(self, header: Header) -> Header | None:
        """Return the item of the same key that goes first, if it is worth less than this one."""
        left, now = self._left.get(header.author), self._scene.now
        return left[-1] if left and worth(left[-1], now=now) < worth(header, now=now) else None

    def _heaviest(self, *, first: bool, but: bytes = b"", expired: bool = False) -> bytes | None:
        found = [
            author
            for author, left in self._left.items()
            if left
            and author != but
            and (author in self._scene.first) == first
            and (not expired or worth(left[-1], now=self._scene.now)[:3] == (False, False, False))
        ]
        return max(found, key=lambda author: (self._share(author).weight, author), default=None)

    def _share(self, author: bytes) -> Share:
        return self._shares.get(author, Share())

    def _count(self, header: Header) -> None:
        self._shares[header.author] = self._share(header.author).plus(header.size)
        if header.author not in self._scene.first:
            self._pool = self._pool.plus(header.size)
        self._used += cost(header.size)

    def _take_out(self, header: Header) -> None:
        self._left[header.author].pop()
        self._shares[header.author] = self._share(header.author).minus(header.size)
        if header.author not in self._scene.first:
            self._pool = self._pool.minus(header.size)
        self._used -= cost(header.size)

    def _put_back(self, header: Header) -> None:
        self._left[header.author].append(header)
        self._count(header)
