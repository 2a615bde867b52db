"""Who may take how much room, and who goes first when room runs out.

Keys that are known here come first: each may fill a quarter of the store, and a statement that has an effect here never
goes. All else shares a pool. While that has room an unknown key may hold MOST_ITEMS or MOST_BYTES. When it has none it
is shared out by the links that things came by, and within a link by author: what came by the link that is furthest over
its part makes way for what comes by another, and where a link has to make do with its own part, the key that holds the
most gives way, item by item, down to LEAST_ITEMS or LEAST_BYTES, which no other key of that link can take from it. What
is expired goes first, then the least pressing and oldest; an Update or Cancel goes after everything it may act on, and
a statement about keys last of all.

Not here: what is held (store.py), and the doing (room.py). Law: a pure function of what is held and what comes; whoever
is known loses nothing to whoever is not. Source: docs/operations.md, "When room runs out".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from functools import partial
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from meshrelay.core.envelope import Header, ItemClass
from meshrelay.core.order import rank

K = TypeVar("K", int, bytes)

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
MOST_STATEMENTS: Final = 200
"""How many statements without an effect here a known key may hold; of an unknown one they are among its items."""


class Way(StrEnum):
    """How something came here."""

    DIALLED = "dialled"
    """From a relay that this one dialled, or by the operator's own hand."""
    CALLED = "called"
    """From a relay that dialled this one."""
    UPLOADED = "uploaded"
    """From a reader."""


QUARTERS: Final = MappingProxyType({Way.DIALLED: 2, Way.CALLED: 1, Way.UPLOADED: 1})
"""How many quarters belong to each way, to be shared equally by its sources: of the pool, of CPU and of bytes."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whom something came from, as far as shares go: a relay by its network address (/32, /64), readers all together.

    A relay's id is free to make and earns nothing. A source is known in memory alone, never on the disk.
    """

    way: Way
    name: str = ""


OPERATOR: Final = Source(Way.DIALLED)
"""The operator's own imports count as one dialled relay."""
READERS: Final = Source(Way.UPLOADED)


@dataclass(frozen=True, slots=True)
class Link:
    """What stands for a source where items are kept: a number that says nothing else of it."""

    number: int
    way: Way


OPERATORS_LINK: Final = Link(0, Way.DIALLED)
"""Also of what an author left who is known no more, and of what came before links were told apart."""
READERS_LINK: Final = Link(1, Way.UPLOADED)


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

    def moved(self, items: int, size: int) -> Share:
        """Return the share with so many items and bytes more, or less where they are negative."""
        return Share(self.items + items, self.bytes + size)


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
class Through:
    """What of the pool came by one link."""

    way: Way
    share: Share


@dataclass(frozen=True, slots=True)
class Placed:
    """A held item, and the number of the link that it came by; None outside of the pool."""

    header: Header
    link: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a decision rests on.

    `used` is what the store takes now; `unknown` what the pool holds; `link` the one that all that comes came by;
    `links` what of the pool came by the links that are looked at, `sources` how many there are of each way; `shares`
    what each author of something that comes or could go holds, `parts` what an author holds by a link. `expendable`
    holds, by author, the items that could go, in the order of :func:`worth`; of the pool those of the keys that hold
    the most by the links that are furthest over their part, enough for all that comes. Keys in `first` are known here;
    statements of ids in `lasting` have an effect here, and `idle` is how many others a known key holds. `now` is 0
    while the clock is doubtful, so nothing is expired.
    """

    limits: Limits
    now: int
    used: int = 0
    unknown: Share = Share()
    link: Link = OPERATORS_LINK
    links: Mapping[int, Through] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[Way, int] = field(default_factory=lambda: MappingProxyType({}))
    shares: Mapping[bytes, Share] = field(default_factory=lambda: MappingProxyType({}))
    parts: Mapping[tuple[int, bytes], Share] = field(default_factory=lambda: MappingProxyType({}))
    expendable: Mapping[bytes, Sequence[Placed]] = field(default_factory=lambda: MappingProxyType({}))
    first: frozenset[bytes] = frozenset()
    lasting: frozenset[bytes] = frozenset()
    idle: Mapping[bytes, int] = field(default_factory=lambda: MappingProxyType({}))

    def is_first(self, header: Header) -> bool:
        """Tell whether an item has its place outside the pool."""
        return header.author in self.first or self.stays(header)

    def stays(self, header: Header) -> bool:
        """Tell whether an item never goes: a statement that has an effect here."""
        return header.id in self.lasting and header.item_class == ItemClass.KEYS


@dataclass(frozen=True, slots=True)
class Plan:
    """Which of the items that come have a place, and which held ones go for it, in this order."""

    take: tuple[Header, ...]
    let_go: tuple[Header, ...]


def worth(header: Header, *, now: int) -> tuple[bool, bool, bool, int, int, bytes]:
    """Return the sort key of one key's items, what goes first at the front."""
    acts = header.acts
    lasts = header.expires is None or header.expires > now
    return (header.item_class == ItemClass.KEYS, acts, lasts, -rank(header), header.sent, header.id)


def pool_room(limits: Limits, *, used: int, pooled: int) -> int:
    """Return how much the pool may take, beside what is held outside of it."""
    return max(1, min(limits.pool, limits.total - (used - pooled)))


def pressure(through: Through, *, room: int, sources: Mapping[Way, int]) -> int:
    """Return how full its part of the pool a link is, in millionths: half of it, or a quarter, is shared by its way."""
    part = room * QUARTERS[through.way] // (4 * max(1, sources.get(through.way, 0)))
    return through.share.cost * FULL // max(1, part)


FULL: Final = 1_000_000
"""The pressure of a link that takes exactly its part."""


def plan(incoming: Iterable[Header], scene: Scene, *, spare: int = 0) -> Plan:
    """Find places for what comes; best first, so that nothing is taken that something else in it would push out.

    `spare` is room to make beside: for that only what is in the pool goes, and what is expired. Where the pool holds
    more than the scene shows there may be less of it: look again.
    """
    work = _Work(scene)
    for header in sorted(incoming, key=lambda one: (scene.is_first(one), worth(one, now=scene.now)), reverse=True):
        work.place(header)
    work.make_spare(spare)
    return Plan(tuple(work.taken), tuple(placed.header for placed in work.gone))


class _Short(Enum):
    KEY = auto()
    POOL = auto()
    TOTAL = auto()


class _Heaviest(Generic[K]):
    """Which of many is the heaviest, while their weights change; `weigh` gives None for what cannot give way."""

    def __init__(self, keys: Iterable[K], weigh: Callable[[K], int | None]) -> None:
        self._weigh: Callable[[K], int | None] = weigh
        self._heap: list[tuple[int, K]] = []
        for key in keys:
            self.changed(key)

    def changed(self, key: K) -> None:
        weight = self._weigh(key)
        if weight is not None:
            heappush(self._heap, (-weight, key))

    def top(self) -> K | None:
        while self._heap:
            weight, key = self._heap[0]
            if self._weigh(key) == -weight:
                return key
            heappop(self._heap)
        return None


class _Work:
    """The scene while it changes."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._used, self._pool = scene.used, scene.unknown
        self._room = pool_room(scene.limits, used=scene.used, pooled=scene.unknown.cost)
        self._shares, self._parts, self._idle = dict(scene.shares), dict(scene.parts), dict(scene.idle)
        self._links = {scene.link.number: Through(scene.link.way, Share()), **scene.links}
        # Taken from the end.
        self._left = {author: [*reversed(held)] for author, held in scene.expendable.items()}
        self._loose = Counter(
            (placed.link, author) for author, held in self._left.items() for placed in held if placed.link is not None
        )
        self._unseen = scene.unknown.items - self._loose.total()
        by_link: dict[int, list[bytes]] = {number: [] for number in self._links}
        for number, author in self._loose:
            by_link.setdefault(number, []).append(author)
        self._authors = {
            number: _Heaviest(authors, partial(self._weight, number)) for number, authors in by_link.items()
        }
        self._ranked = _Heaviest(self._links, self._pressure)
        self.taken: list[Header] = []
        self.gone: list[Placed] = []

    def place(self, header: Header) -> None:
        before = self._share(header.author), self._pool.cost, self._used
        gone: list[tuple[Placed, int]] = []
        while (short := self._short(header, before)) is not None:
            victim = self._victim(header, short)
            if victim is None:
                for placed, at in reversed(gone):
                    self._put_back(placed, at)
                return
            gone.append((self._take_out(*victim), victim[1]))
        link = None if self._scene.is_first(header) else self._scene.link.number
        self._count(Placed(header, link), 1)
        if self._is_idle(header):
            self._idle[header.author] = self._idle.get(header.author, 0) + 1
        self.taken.append(header)
        self.gone += [placed for placed, _ in gone]

    def make_spare(self, spare: int) -> None:
        while self._used + spare > self._scene.limits.total:
            victim = self._out_of_pool()
            if victim is None and self._unseen == 0:
                victim = self._out_of_first(expired=True)
            if victim is None:
                return
            self.gone.append(self._take_out(*victim))

    def _short(self, header: Header, before: tuple[Share, int, int]) -> _Short | None:
        """Return what there is too little of; what was too large already may be exchanged, but not grow."""
        limits, first = self._scene.limits, self._scene.is_first(header)
        share = self._share(header.author).plus(header.size)
        large = share.cost > limits.key or (not first and (share.items > MOST_ITEMS or share.bytes > MOST_BYTES))
        if large and (share.cost > before[0].cost or share.items > before[0].items):
            return _Short.KEY
        if self._is_idle(header) and self._idle.get(header.author, 0) >= MOST_STATEMENTS:
            return _Short.KEY
        price = cost(header.size)
        if not first and max(limits.pool, before[1]) < self._pool.cost + price:
            return _Short.POOL
        return _Short.TOTAL if max(limits.total, before[2]) < self._used + price else None

    def _victim(self, header: Header, short: _Short) -> tuple[bytes, int] | None:
        """Return what goes: the place of an item among what is left of an author."""
        author = header.author
        if short is _Short.KEY:
            # One statement more of a key that has so many is worth none of them.
            too_many = self._is_idle(header) and self._idle.get(author, 0) >= MOST_STATEMENTS
            return None if too_many else self._worse(header)
        if not self._scene.is_first(header):
            return self._within_pool(header)
        found = self._out_of_pool()
        if found is not None:
            return found
        if self._unseen > 0:
            return None  # nobody known makes way while the pool holds what could go
        expired = self._out_of_first(expired=True)
        if expired is not None:
            return expired
        heaviest = self._out_of_first(but=author)
        own_cost = self._share(author).plus(header.size).cost
        if heaviest is not None and self._share(heaviest[0]).cost > own_cost:
            return heaviest
        return self._worse(header)

    def _within_pool(self, header: Header) -> tuple[bytes, int] | None:
        """Return what makes way for one more item in the pool: another link's, or a heavier key's of its own link."""
        link, author = self._scene.link.number, header.author
        own = self._links[link]
        with_it = self._pressed(Through(own.way, own.share.plus(header.size)))
        fullest = self._ranked.top()
        if fullest is not None and fullest != link and self._pressed(self._links[fullest]) > max(with_it, FULL):
            return self._out_of(fullest)
        heaviest = self._authors[link].top()
        if heaviest is not None and heaviest != author:
            weight = self._part(link, author).plus(header.size).weight
            if self._part(link, heaviest).weight > max(weight, GUARANTEED):
                return self._out_of(link)
        return self._worse(header)

    def _out_of_pool(self) -> tuple[bytes, int] | None:
        fullest = self._ranked.top()
        return self._out_of(fullest) if fullest is not None else None

    def _out_of(self, link: int) -> tuple[bytes, int] | None:
        """Return what goes first of the key that holds the most by a link."""
        author = self._authors[link].top()
        if author is None:
            return None
        left = self._left[author]
        at = next(at for at in range(len(left) - 1, -1, -1) if left[at].link == link)
        # What ends a key does not go before what it signed, by whatever link that came.
        return author, len(left) - 1 if _is_statement(left[at].header) else at

    def _out_of_first(self, *, but: bytes = b"", expired: bool = False) -> tuple[bytes, int] | None:
        found = [
            author
            for author, left in self._left.items()
            if left
            and author != but
            and author in self._scene.first
            and (not expired or worth(left[-1].header, now=self._scene.now)[:3] == (False, False, False))
        ]
        heaviest = max(found, key=lambda author: (self._share(author).weight, author), default=None)
        return (heaviest, len(self._left[heaviest]) - 1) if heaviest is not None else None

    def _worse(self, header: Header) -> tuple[bytes, int] | None:
        """Return the item of the same key that goes first, if it is worth less than this one."""
        left, now = self._left.get(header.author), self._scene.now
        if left and worth(left[-1].header, now=now) < worth(header, now=now):
            return header.author, len(left) - 1
        return None

    def _is_idle(self, header: Header) -> bool:
        """Tell whether it is a known key's statement without an effect; others' are among their few items."""
        return _is_statement(header) and header.author in self._scene.first and not self._scene.stays(header)

    def _pressed(self, through: Through) -> int:
        return pressure(through, room=self._room, sources=self._scene.sources)

    def _pressure(self, link: int) -> int | None:
        authors = self._authors.get(link)
        return self._pressed(self._links[link]) if authors is not None and authors.top() is not None else None

    def _weight(self, link: int, author: bytes) -> int | None:
        return self._part(link, author).weight if self._loose[link, author] else None

    def _share(self, author: bytes) -> Share:
        return self._shares.get(author, Share())

    def _part(self, link: int, author: bytes) -> Share:
        return self._parts.get((link, author), Share())

    def _count(self, placed: Placed, sign: int) -> None:
        size, author, link = placed.header.size * sign, placed.header.author, placed.link
        self._shares[author] = self._share(author).moved(sign, size)
        self._used += cost(placed.header.size) * sign
        if link is not None:
            self._pool = self._pool.moved(sign, size)
            through = self._links.get(link, Through(Way.DIALLED, Share()))
            self._links[link] = Through(through.way, through.share.moved(sign, size))
            self._parts[link, author] = self._part(link, author).moved(sign, size)
            if link in self._authors:
                self._authors[link].changed(author)
                self._ranked.changed(link)

    def _take_out(self, author: bytes, at: int) -> Placed:
        placed = self._left[author].pop(at)
        if placed.link is not None:
            self._loose[placed.link, author] -= 1
        self._count(placed, -1)
        return placed

    def _put_back(self, placed: Placed, at: int) -> None:
        author = placed.header.author
        self._left[author].insert(at, placed)
        if placed.link is not None:
            self._loose[placed.link, author] += 1
        self._count(placed, 1)


def _is_statement(header: Header) -> bool:
    return header.item_class == ItemClass.KEYS
