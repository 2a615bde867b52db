"""Room: what the store may take now, who gets it, and what is done when the disk is full.

The relay that holds the folder (`keeper`) lets others go by the rules of core.quota; a command beside it takes only
what has a place already. A file is kept in reserve on the disk, for a full disk does not even let one delete: it is
given up first, then room is made inside the store, and it is made again once the disk has room.

Not here: the rules (core.quota) and the tables (store.py). Law: nothing that was acknowledged goes but by those rules,
and reading never waits for room. Source: docs/operations.md, "When room runs out".
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import ACTS_FOR, Bulletin
from meshrelay.core.envelope import Header, ItemClass, SignedItem
from meshrelay.core.quota import (
    MOST_BYTES,
    MOST_ITEMS,
    MOST_STATEMENTS,
    OPERATOR,
    OPERATORS_LINK,
    READERS,
    READERS_LINK,
    Limits,
    Link,
    Placed,
    Scene,
    Share,
    Source,
    Through,
    cost,
    plan,
    pool_room,
    pressure,
)
from meshrelay.core.trust import TrustView
from meshrelay.errors import StoreFull, StoreUnusable
from meshrelay.rows import ID_SIZE, ROWS_AT_ONCE
from meshrelay.store import BYTES_AT_ONCE, LET_GO_AT_ONCE, Store

log = logging.getLogger(__name__)

FLOOR_BYTES: Final = 500_000_000
FLOOR_SHARE: Final = 20
"""The store leaves the smaller of FLOOR_BYTES and one part in FLOOR_SHARE of the disk to everybody else."""
HEAVY_KEYS: Final = 16
"""How many of the keys that hold the most are looked at in one decision, at least, where there are so many."""
MOST_SOURCES: Final = 10_000
"""How many sources are told apart in memory."""
SPARE_SHARE: Final = 20
"""One part in so many of the store is kept free for what commands beside the relay publish."""
ATTEMPTS: Final = 3
SHRINK_FROM: Final = 4 << 20
"""Unused bytes in the file from which on they are given back to the disk."""
RESERVE_FILE: Final = "reserve"


MOST_ENDED: Final = 200
"""Of what one act ends of other keys' items so many go with it."""

Widen: TypeAlias = Callable[[TrustView, Sequence[Header]], TrustView]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of items: ids that were new, and ids that had no place."""

    new: frozenset[bytes]
    declined: frozenset[bytes]


class Room:
    """The room of one store; `take` and `keep_house` belong on the thread that writes.

    `widen` adds to a view what the organisations that items name have said.
    """

    def __init__(self, store: Store, *, widen: Widen = lambda trust, headers: trust, keeper: bool = False) -> None:
        self._store = store
        self._widen = widen
        self._keeper = keeper
        self._reserve = Reserve(store.path.with_name(RESERVE_FILE), size=2 * store.log_bytes)
        self._lock = threading.Lock()
        self.full = False
        """Whether the disk took no more when something was last written."""
        self.eased = 0
        """Rises whenever what was declined for want of room may have a place now."""
        self._declined = False
        self._may_ease = False
        self._numbers: OrderedDict[Source, Link] = OrderedDict()
        self._settled: tuple[frozenset[bytes], frozenset[bytes]] | None = None
        self._misplaced = store.misplaced

    @property
    def advice(self) -> str:
        """One line on what to do when there is no room."""
        if self._keeper:
            return "make room on the disk, or raise max_store"
        return "start the relay, which lets others go for it; or make room on the disk, or raise max_store"

    def limits(self, trust: TrustView, *, file: int) -> Limits:
        """Return what may be taken now, when the store's file has so many bytes: the disk's floor is kept free."""
        total = min(self._store.max_bytes, file + max(0, _free(self._store.path) - _floor(self._store.path)))
        return Limits.of(total, anchored=bool(trust.anchors))

    def take(
        self,
        items: Sequence[SignedItem],
        trust: TrustView,
        *,
        now: int,
        doubtful: bool = False,
        source: Source = OPERATOR,
    ) -> Taken:
        """Store what has a place, letting others go for it where this relay may."""
        with self._lock:
            self._settle(trust)
            link = self._link(source)
            gone = self._turn_away(items, trust, now=0 if doubtful else now)
            wanted = {item.id: item for item in items if item.id not in gone}
            new = set[bytes]()
            if self._has_place(wanted.values(), trust):
                try:
                    new.update(self._put(wanted.values(), trust, now=now, link=link))
                    missing = set[bytes]()
                except StoreFull as error:
                    self._hear(error)
                    missing = wanted.keys() - self._store.headers(wanted).keys()
            else:
                missing = wanted.keys() - self._store.headers(wanted).keys()
            for attempt in range(ATTEMPTS if missing else 0):
                fresh = [wanted[item] for item in wanted if item in missing]
                done, again = self._replace(fresh, trust, now=now, doubtful=doubtful, attempt=attempt, link=link)
                new |= done
                missing -= done
                if not again:
                    break
            self._declined |= bool(missing)
            return Taken(frozenset(new), frozenset(missing | gone))

    def keep_house(self, trust: TrustView, *, now: int, doubtful: bool = False) -> bool:
        """Let go of what has had its time, keep some room spare, look whether the disk has room again.

        Returns whether there is more to do at once, so that others may write in between.
        """
        with self._lock:
            if self._settle(trust):
                return True
            aged = () if doubtful else self._store.signed_before(now - ACTS_FOR, limit=ROWS_AT_ONCE)
            removed = self._store.retire(aged, most=ROWS_AT_ONCE) or self._make_spare(trust, now=0 if doubtful else now)
            if removed:
                self._may_ease = self._declined
                return True
            if self._may_ease:
                self._ease()
            if self._store.shares(()).spare > SHRINK_FROM:
                self._store.shrink()
            self._look_at_disk()
            return False

    def _link(self, source: Source) -> Link:
        """Return what stands for a source on the disk: made up anew in every run, so that nobody reads who gave it."""
        if source == OPERATOR:
            return OPERATORS_LINK
        if source.way is READERS.way:
            return READERS_LINK
        link = self._numbers.pop(source, None) or Link(secrets.randbits(62) | 2, source.way)
        self._numbers[source] = link
        if len(self._numbers) > MOST_SOURCES:
            self._numbers.popitem(last=False)
        return link

    def _settle(self, trust: TrustView) -> bool:
        """Have the store follow who is known here, a little at a time; tell whether there is more to do."""
        if not self._keeper:
            return False
        if self._misplaced != (misplaced := self._store.misplaced):
            self._settled, self._misplaced = None, misplaced
        known, lasting = self._settled or (None, frozenset[bytes]())
        if known is not trust.known and known != trust.known:
            if self._store.settle(first=trust.known, lasting=trust.counting, limit=ROWS_AT_ONCE):
                return True
        elif lasting is not trust.counting:
            ended = self._store.headers(lasting - trust.counting).items()
            self._store.move([item for item, held in ended if held.header.author not in trust.known], pooled=True)
            self._store.move(trust.counting - lasting, pooled=False)
        self._settled = trust.known, trust.counting
        return False

    def _put(self, items: Collection[SignedItem], trust: TrustView, *, now: int, link: Link) -> tuple[bytes, ...]:
        pooled = {item.id for item in items if not (item.author in trust.known or trust.lasts(item.header))}
        return self._store.put_many([*items], received=now, pooled=pooled, link=link)

    def _has_place(self, items: Collection[SignedItem], trust: TrustView) -> bool:
        """Tell whether all of these fit without a closer look, those held already counted twice."""
        found = self._store.shares({item.author for item in items})
        limits = self.limits(trust, file=found.file)
        shares = dict(found.of)
        used, pooled = found.used, self._store.pool().cost
        idle = Counter[bytes]()
        for item in items:
            size = item.header.size
            share = shares[item.author] = shares.get(item.author, Share()).plus(size)
            used += cost(size)
            if share.cost > limits.key:
                return False
            if trust.lasts(item.header):
                continue
            if item.author not in trust.known:
                pooled += cost(size)
                if share.items > MOST_ITEMS or share.bytes > MOST_BYTES:
                    return False
            elif item.header.item_class == ItemClass.KEYS:
                idle[item.author] += 1
        if any(self._idle(author, trust) + count > MOST_STATEMENTS for author, count in idle.items()):
            return False
        return used <= limits.total and pooled <= limits.pool

    def _idle(self, author: bytes, trust: TrustView) -> int:
        """Return how many statements a key holds that have no effect here; it counts as many as matter."""
        held = self._store.statements_of(author, most=MOST_STATEMENTS + len(trust.counting))
        return len(set(held) - trust.counting)

    def _replace(
        self,
        items: Sequence[SignedItem],
        trust: TrustView,
        *,
        now: int,
        doubtful: bool,
        attempt: int,
        link: Link,
    ) -> tuple[set[bytes], bool]:
        """Let others go for what is worth more, and store that; return what was stored, and whether to try again."""
        coming = (attempt + 1) * sum(cost(item.header.size) for item in items)
        scene = self._scene(items, trust, now=0 if doubtful else now, coming=coming, link=link)
        spare = 0
        if attempt or self.full:
            # There is less room than was thought: nothing may grow, and for those who come first it must shrink.
            scene = replace(scene, limits=replace(scene.limits, total=min(scene.used, scene.limits.total)))
            if any(scene.is_first(item.header) for item in items):
                spare = coming - coming // (attempt + 1)
        found = plan([item.header for item in items], scene, spare=spare)
        chosen = {header.id for header in found.take}
        try:
            if chosen and found.let_go:
                self._let_go(found.let_go, trust)
            for first in (True, False):
                batch = [item for item in items if item.id in chosen and scene.is_first(item.header) == first]
                self._put(batch, trust, now=now, link=link)
        except StoreFull as error:
            self._hear(error)
            return {*self._store.headers(chosen)}, True
        return chosen, False

    def _scene(
        self, items: Sequence[SignedItem], trust: TrustView, *, now: int, coming: int, link: Link = OPERATORS_LINK
    ) -> Scene:
        first, authors = trust.known, {item.author for item in items}
        found = self._store.shares({*authors, *first})
        links = self._store.links()
        unknown = _together(links)
        limits = self.limits(trust, file=found.file)
        sources = Counter({through.way: 0 for through in links.values()})
        sources.update(through.way for through in links.values())
        sources[link.way] += link.number not in links
        shares = dict(found.of)
        expendable = dict[bytes, tuple[Placed, ...]]()
        parts = self._store.parts(authors - first)
        looked_at = {number: through for number, through in links.items() if number == link.number}
        if self._keeper:
            room = pool_room(limits, used=found.used, pooled=unknown.cost)
            fullest = sorted(
                links, key=lambda number: pressure(links[number], room=room, sources=sources), reverse=True
            )
            # Of each link as much as is still wanting when it is its turn, so that together there is enough.
            wanting = dict.fromkeys(looked_at, 2 * coming)
            seen = 0
            for number in fullest:
                if seen >= 2 * coming:
                    break
                looked_at[number] = links[number]
                wanting[number] = 2 * coming - seen
                seen += links[number].share.cost
            each = max(2, HEAVY_KEYS // (len(looked_at) or 1))
            heavy = {
                author
                for number, together in wanting.items()
                for author in self._store.heaviest(number, limit=each, together=together)
            }
            parts = self._store.parts({*authors, *heavy} - first)
            shares |= self._store.shares(heavy).of
            known = sorted(first & shares.keys(), key=lambda key: shares[key].cost, reverse=True)
            wanted = Counter[bytes]()
            for item in items:
                wanted[item.author] += 2 * (coming // max(1, len(items)) + cost(item.header.size))
            wanted.update(dict.fromkeys({*heavy, *known[:HEAVY_KEYS]}, 2 * coming))
            for author, together in wanted.items():
                pooled = author not in first
                links_of = looked_at.keys() if pooled and author in heavy else ()
                held = self._store.expendable(author, now=now, together=together, pooled=pooled, links=links_of)
                expendable[author] = tuple(placed for placed in held if not trust.lasts(placed.header))
        telling = {item.author for item in items if item.header.item_class == ItemClass.KEYS and item.author in first}
        return Scene(
            limits=limits,
            now=now,
            used=found.used,
            unknown=unknown,
            link=link,
            links=looked_at,
            sources=sources,
            shares=shares,
            parts=parts,
            expendable=expendable,
            first=first,
            lasting=trust.counting,
            idle={author: self._idle(author, trust) for author in telling},
        )

    def _make_spare(self, trust: TrustView, *, now: int) -> int:
        """Keep some room free for commands: what unknown keys hold goes first, of that what is expired."""
        found = self._store.shares(())
        limits = self.limits(trust, file=found.file)
        spare = limits.total // SPARE_SHARE
        if max(found.used - limits.total, self._store.pool().cost - limits.pool) + spare <= 0:
            return 0
        scene = self._scene((), trust, now=now, coming=BYTES_AT_ONCE)
        expired = [one for one in self._store.expired(now=now, limit=ROWS_AT_ONCE) if one.author not in scene.first]
        return self._let_go((expired or plan((), scene, spare=spare).let_go)[:LET_GO_AT_ONCE], trust)

    def _turn_away(self, items: Sequence[SignedItem], trust: TrustView, *, now: int) -> frozenset[bytes]:
        """Return ids of what was ended by something that had to make room; what it ended itself goes for good too."""
        headers = [item.header for item in items]
        gone = self._went(items, trust, now=now)
        acts = [header for header in headers if header.id in gone and header.acts]
        if not acts:
            return gone
        try:
            self._let_go(acts, trust, coming=headers)
        except StoreFull as error:
            log.info("what was ended cannot be removed now: %s", error)
        return self._went(items, trust, now=now)

    def _went(self, items: Sequence[SignedItem], trust: TrustView, *, now: int) -> frozenset[bytes]:
        """Return ids of what an act ended that had to make room: its author's, or a colleague's."""
        found = set(self._store.went([item.header for item in items], now=now))
        named = [item for item in items if item.header.org is not None and item.id not in found]
        if not named or not self._store.has_let_go():
            return frozenset(found)
        wide = self._widen(trust, [item.header for item in named])
        for item in named:
            org = wide.organisations.get(item.header.org or b"")
            keys = org.lent.keys() - {item.author} if org is not None else ()
            for author, until in self._store.went_by(item.header, authors=keys, now=now).items():
                act = replace(item.header, id=bytes(ID_SIZE), author=author, sent=until - ACTS_FOR)
                if _ends(act, item, wide):
                    found.add(item.id)
        return frozenset(found)

    def _with_colleagues(self, headers: Sequence[Header], trust: TrustView) -> list[Header]:
        """Return these items, and before them what they end of other keys' in one organisation's name.

        Before them, for whoever is killed in between is not to show it without its end.
        """
        found = {header.id: header for header in headers}
        acts = [header for header in headers if header.acts and header.org is not None]
        also = list[Header]()
        while acts:
            act = acts.pop()
            named = [one for one in self._store.in_one_name(act, limit=MOST_ENDED) if one.id not in found]
            if not named:
                continue
            wide = self._widen(trust, [act, *named])
            datas = self._store.get_many(one.id for one in named)
            for target in named:
                if target.id in datas and _ends(act, reopen(datas[target.id]), wide):
                    found[target.id] = target
                    also.append(target)
                    acts += [target] if target.acts else []
        return [*also, *headers]

    def _let_go(self, headers: Sequence[Header], trust: TrustView, *, coming: Sequence[Header] = ()) -> int:
        headers = self._with_colleagues(headers, trust)
        try:
            return self._store.let_go(headers, coming=coming)
        except StoreFull as error:
            # Deleting takes room too.
            self._hear(error)
            return self._store.let_go(headers, coming=coming)

    def _hear(self, error: StoreFull) -> None:
        """Hear that something found no room: give up the reserve, and free what can be freed."""
        if not self._keeper:
            return
        at_its_limit = self._store.shares(()).file + 2 * BYTES_AT_ONCE >= self._store.max_bytes
        if not at_its_limit or _free(self._store.path) < self._store.log_bytes:
            if not self.full:
                log.warning("%s; what is here is still shown, known senders come first", error)
            self.full = True
            self._reserve.give_up()
        try:
            self._store.shrink()
        except (StoreFull, StoreUnusable) as more:
            log.info("the store cannot shrink now: %s", more)

    def _look_at_disk(self) -> None:
        """Make the reserve anew once the disk has room for it; only then is it no longer full."""
        if self._reserve.make(leaving=_floor(self._store.path)) and self.full:
            log.warning("there is room on the disk again")
            self.full = False
            self._ease()

    def _ease(self) -> None:
        self._declined = self._may_ease = False
        self.eased += 1


class Reserve:
    """A file that only takes room on the disk, to be given up when there is no other."""

    def __init__(self, path: Path, *, size: int) -> None:
        self._path = path
        self._size = size

    def make(self, *, leaving: int) -> bool:
        """Make it where it is missing and the disk keeps so many bytes free beside it; tell whether it is there."""
        if self._path.exists() and self._path.stat().st_size == self._size:
            return True
        if _free(self._path) < self._size + leaving:
            return False
        try:
            with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self._size)
                else:
                    for _ in range(self._size // _BLOCK):
                        file.write(bytes(_BLOCK))
                    file.write(bytes(self._size % _BLOCK))
        except OSError as error:
            log.info("nothing can be kept in reserve on this disk: %s", error.strerror or error)
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        """Delete it."""
        self._path.unlink(missing_ok=True)


_BLOCK = 1 << 20


def _ends(act: Header, target: SignedItem, trust: TrustView) -> bool:
    """Tell whether an act counts for what it names."""
    said = target.body if isinstance(target.body, Bulletin) else None
    allowed = act.author not in trust.blocked and not trust.is_struck(act)
    return allowed and trust.may_act(act, target.header, said)


def _together(links: Mapping[int, Through]) -> Share:
    return Share(sum(one.share.items for one in links.values()), sum(one.share.bytes for one in links.values()))


def _free(path: Path) -> int:
    return shutil.disk_usage(path.parent).free


def _floor(path: Path) -> int:
    return min(FLOOR_BYTES, shutil.disk_usage(path.parent).total // FLOOR_SHARE)
