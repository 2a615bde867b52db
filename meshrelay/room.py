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
import shutil
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from meshrelay.core.bulletin import ACTS_FOR
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.quota import MOST_BYTES, MOST_ITEMS, Limits, Plan, Scene, Share, cost, plan
from meshrelay.core.trust import TrustView
from meshrelay.errors import StoreFull, StoreUnusable
from meshrelay.store import BYTES_AT_ONCE, LET_GO_AT_ONCE, ROWS_AT_ONCE, Store

log = logging.getLogger(__name__)

FLOOR_BYTES: Final = 500_000_000
FLOOR_SHARE: Final = 20
"""The store leaves the smaller of FLOOR_BYTES and one part in FLOOR_SHARE of the disk to everybody else."""
HEAVY_KEYS: Final = 16
"""How many of the keys that hold the most are looked at in one decision."""
SPARE_SHARE: Final = 20
"""One part in so many of the store is kept free for what commands beside the relay publish."""
ATTEMPTS: Final = 3
SHRINK_FROM: Final = 4 << 20
"""Unused bytes in the file from which on they are given back to the disk."""
RESERVE_FILE: Final = "reserve"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of items: ids that were new, and ids that had no place."""

    new: frozenset[bytes]
    declined: frozenset[bytes]


class Room:
    """The room of one store; `take` and `keep_house` belong on the thread that writes."""

    def __init__(self, store: Store, *, keeper: bool = False) -> None:
        self._store = store
        self._keeper = keeper
        self._reserve = Reserve(store.path.with_name(RESERVE_FILE), size=2 * store.log_bytes)
        self._lock = threading.Lock()
        self.full = False
        """Whether the disk took no more when something was last written."""
        self.eased = 0
        """Rises whenever what was declined for want of room may have a place now."""
        self._declined = False
        self._may_ease = False

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

    def take(self, items: Sequence[SignedItem], trust: TrustView, *, now: int, doubtful: bool = False) -> Taken:
        """Store what has a place, letting others go for it where this relay may."""
        with self._lock:
            gone = self._store.went([item.header for item in items], now=now)
            wanted = {item.id: item for item in items if item.id not in gone}
            new = set[bytes]()
            if self._has_place(wanted.values(), trust):
                try:
                    new.update(self._store.put_many([*wanted.values()], received=now))
                    missing = set[bytes]()
                except StoreFull as error:
                    self._hear(error)
                    missing = wanted.keys() - self._store.headers(wanted).keys()
            else:
                missing = wanted.keys() - self._store.headers(wanted).keys()
            for attempt in range(ATTEMPTS if missing else 0):
                fresh = [wanted[item] for item in wanted if item in missing]
                done, again = self._replace(fresh, trust, now=now, doubtful=doubtful, attempt=attempt)
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
            aged = () if doubtful else self._store.signed_before(now - ACTS_FOR, limit=ROWS_AT_ONCE)
            removed = self._store.remove(aged) or self._make_spare(trust, now=0 if doubtful else now)
            if removed:
                self._may_ease = self._declined
                return True
            if self._may_ease:
                self._ease()
            if self._store.shares(()).spare > SHRINK_FROM:
                self._store.shrink()
            self._look_at_disk()
            return False

    def _has_place(self, items: Collection[SignedItem], trust: TrustView) -> bool:
        """Tell whether all of these fit without a closer look, those held already counted twice."""
        authors = {item.author for item in items}
        found = self._store.shares(authors | trust.known)
        limits = self.limits(trust, file=found.file)
        pool = _pool(found.total, found.of, trust.known)
        shares = dict(found.of)
        used, pooled = found.used, pool.cost
        for item in items:
            size = item.header.size
            share = shares[item.author] = shares.get(item.author, Share()).plus(size)
            used += cost(size)
            if share.cost > limits.key:
                return False
            if item.author not in trust.known:
                pooled += cost(size)
                if share.items > MOST_ITEMS or share.bytes > MOST_BYTES:
                    return False
        return used <= limits.total and pooled <= limits.pool

    def _replace(
        self, items: Sequence[SignedItem], trust: TrustView, *, now: int, doubtful: bool, attempt: int
    ) -> tuple[set[bytes], bool]:
        """Let others go for what is worth more, and store that; return what was stored, and whether to try again."""
        coming = (attempt + 1) * sum(cost(item.header.size) for item in items)
        scene = self._scene({item.author for item in items}, trust, now=0 if doubtful else now, coming=coming)
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
                self._let_go(found)
            for first in (True, False):
                batch = [item for item in items if item.id in chosen and scene.is_first(item.header) == first]
                self._store.put_many(batch, received=now)
        except StoreFull as error:
            self._hear(error)
            return {*self._store.headers(chosen)}, True
        return chosen, False

    def _scene(self, authors: Collection[bytes], trust: TrustView, *, now: int, coming: int) -> Scene:
        first = trust.known
        kept = frozenset(trust.own.keys() | trust.anchors.keys())
        found = self._store.shares({*authors, *first})
        shares = dict(found.of)
        expendable = dict[bytes, tuple[Header, ...]]()
        if self._keeper:
            shares |= self._store.heaviest(but=first, limit=HEAVY_KEYS, together=2 * coming)
            known = sorted(first & shares.keys(), key=lambda key: shares[key].cost, reverse=True)
            for author in {*authors, *(shares.keys() - first), *known[:HEAVY_KEYS]}:
                expendable[author] = self._store.expendable(
                    author, now=now, limit=MOST_ITEMS, statements=author not in kept
                )
        return Scene(
            limits=self.limits(trust, file=found.file),
            now=now,
            used=found.used,
            unknown=_pool(found.total, found.of, first),
            shares=shares,
            expendable=expendable,
            first=first,
            kept=kept,
        )

    def _make_spare(self, trust: TrustView, *, now: int) -> int:
        """Keep some room free for commands: what unknown keys hold goes first, of that what is expired."""
        found = self._store.shares(trust.known)
        limits = self.limits(trust, file=found.file)
        spare = limits.total // SPARE_SHARE
        if max(found.used - limits.total, _pool(found.total, found.of, trust.known).cost - limits.pool) + spare <= 0:
            return 0
        scene = self._scene((), trust, now=now, coming=BYTES_AT_ONCE)
        expired = [one for one in self._store.expired(now=now, limit=ROWS_AT_ONCE) if one.author not in scene.first]
        return self._store.let_go((expired or plan((), scene, spare=spare).let_go)[:LET_GO_AT_ONCE])

    def _let_go(self, found: Plan) -> None:
        try:
            self._store.let_go(found.let_go)
        except StoreFull as error:
            # Deleting takes room too.
            self._hear(error)
            self._store.let_go(found.let_go)

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


def _pool(total: Share, of: dict[bytes, Share], first: Collection[bytes]) -> Share:
    known = [of[key] for key in first if key in of]
    return Share(total.items - sum(one.items for one in known), total.bytes - sum(one.bytes for one in known))


def _free(path: Path) -> int:
    return shutil.disk_usage(path.parent).free


def _floor(path: Path) -> int:
    return min(FLOOR_BYTES, shutil.disk_usage(path.parent).total // FLOOR_SHARE)
