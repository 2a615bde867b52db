"""Where signed items live: one SQLite file, and all SQL about items (that of the search by words is in fulltext.py).

Not here: what is valid (core.admission), what is believed (core.trust), what may stay when room runs out, the index
that relays reconcile by (index.py), and this relay's private facts (local.py).

Law: what :meth:`Store.put_many` returned is on the disk, and what comes out is what went in. A row whose bytes have
changed since leaves the store instead, so that it counts as missing and is fetched again. Nothing of SQL shows in the
interface: cursors are opaque, and another engine may stand behind it. Source: docs/architecture.md, "Storage".
"""

# What stands in the text of a statement here is a constant of this module or a row of question marks:
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import threading
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import filelock
import sqlite_utils

from meshrelay import fulltext, migrations
from meshrelay.core import order
from meshrelay.core.admission import admit, reopen
from meshrelay.core.bulletin import ACTS_FOR, MAX_LIVE, MsgType, Severity, Urgency
from meshrelay.core.envelope import KEY_SIZE, Header, Kind, SignedItem
from meshrelay.core.quota import OPERATORS_LINK, Link, Placed, Share, Through, Way, cost
from meshrelay.errors import InvalidItem, MeshrelayError, NotFound, StoreDamaged, StoreFull, StoreUnusable

ROWS_AT_ONCE = 250
"""Rows a transaction, so that no other writer and no reader of fresh data waits for long."""
BYTES_AT_ONCE = 1 << 20
"""Envelope bytes a transaction: even a slow memory card takes these in 200 ms."""
MAX_BYTES = 2 << 30
"""The largest store, unless its opener says otherwise."""
REMEMBERED = 100_000
"""A change cursor holds for this many arrivals and removals; whoever is further behind reloads."""
BUSY_SECONDS = 10
"""How long to wait for another process's transaction, which takes milliseconds."""

LET_GO_AT_ONCE = 50
"""Rows a transaction when room has run out: even deleting takes some."""

_WAL_PAGES = 4000
_FEWEST_WAL_PAGES = 500
_LET_GO = 100_000  # names of what does not come back; the oldest are forgotten first
_VACUUM_PAGES = 2000
_FRESH_TEXTS = 2000
_FRESH_SIZE = 4096
_CACHE_KIB = 16_000
_FEW = 2_000  # rows that are cheaper to sort than a long index is to walk
_ID_SIZE = 32
_LAST_SECOND: Final = (1 << 40) - 1

Order: TypeAlias = Literal["urgent", "newest"]


@dataclass(frozen=True, slots=True)
class Held:
    """A header, and when the item came here (unix seconds)."""

    header: Header
    received: int


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, and the cursor to go on from, or None at the end."""

    rows: tuple[Held, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One arrival or removal; `key` is the reconciliation key."""

    key: bytes
    id: bytes
    gone: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since a cursor, oldest first, and the cursor after it.

    `reset` says that the cursor asked for is unknown or too old: there are no rows, reload with :meth:`Store.keys`.
    """

    rows: tuple[Change, ...]
    cursor: str
    reset: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """How much is held; `bytes` is what counts against `max_bytes`, indexes included."""

    items: int
    bulletins: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Shares:
    """Who holds how much: all keys together, and some; `used` as in Usage, `file` the size of the file itself."""

    used: int
    file: int
    total: Share
    of: dict[bytes, Share]

    @property
    def spare(self) -> int:
        """How many bytes of the file hold nothing."""
        return self.file - self.used


class Store:
    """The items of one relay; safe to use from several threads, beside other processes that use the same file."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        # On a small disk the log is kept small too.
        self._wal_pages = min(_WAL_PAGES, max(_FEWEST_WAL_PAGES, max_bytes // migrations.PAGE_SIZE // 8))
        self._closed = False
        self._write_lock = threading.Lock()
        self._readers: deque[sqlite3.Connection] = deque()
        with _named_errors():
            self._writer = self._connect_writer()
            self._watcher = self._connect()
        self._watch_lock = threading.Lock()
        self._fresh: dict[bytes, str] = {}

    @classmethod
    def open(cls, path: Path, *, max_bytes: int | None = None) -> Store:
        """Open the store, making or upgrading it where needed.

        `max_bytes` caps its file: without it, the smaller of MAX_BYTES and a tenth of the disk. A file that is larger
        already keeps what it has and takes no more.

        Raises StoreUnusable when the file is of a newer version, StoreDamaged when it is damaged or no store.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        # Two processes may be the first to open it at the same moment.
        with filelock.FileLock(path.with_name(path.name + ".lock"), mode=0o600), _named_errors():
            _prepare(path)
        return cls(path, max_bytes=max_bytes or min(MAX_BYTES, shutil.disk_usage(path).total // 10))

    @classmethod
    def rescue(cls, path: Path, *, max_bytes: int | None = None) -> Store:
        """Open a store in place of one that cannot be opened, with what is whole of it; see :meth:`rebuild`."""
        aside = _set_aside(path)
        store = cls.open(path, max_bytes=max_bytes)
        store._take_over(aside)
        return store

    def rebuild(self) -> None:
        """Set the damaged file aside, begin a new one, and take over every item that is whole.

        Cursors end. The old file is deleted when all of it could be read; otherwise it stays until the next time.
        """
        with self._write_lock, self._watch_lock:
            self._check_open()
            aside = _set_aside(self._path)
            try:
                with filelock.FileLock(self._path.with_name(self._path.name + ".lock"), mode=0o600), _named_errors():
                    _prepare(self._path)
                    writer, watcher = self._connect_writer(), self._connect()
            except (StoreFull, StoreUnusable):
                _move(aside, self._path)
                raise
            for connection in (*self._readers, self._watcher, self._writer):
                connection.close()
            self._readers = deque()  # whoever reads at this moment closes its own
            self._writer, self._watcher = writer, watcher
        self._take_over(aside)

    def look_over(self) -> None:
        """Raise StoreDamaged where the file is damaged beyond single items, which :meth:`scrub` finds."""
        with self._reading() as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise _damaged(str(found).replace("\n", " "))
        self.shares(())
        self.keys()

    def close(self) -> None:
        """Close the store; no call may be under way in another thread."""
        self._closed = True
        with self._write_lock:
            for connection in (*self._readers, self._watcher, self._writer):
                connection.close()
            self._readers.clear()

    # In and out

    def put_many(
        self,
        items: Sequence[SignedItem],
        *,
        received: int,
        pooled: Collection[bytes] = (),
        link: Link = OPERATORS_LINK,
    ) -> tuple[bytes, ...]:
        """Store items and return the ids that were new, once all of them are on the disk.

        Those of ids in `pooled` have their place in the pool, in the part of `link`.

        Raises StoreFull when there is no room. Of a long sequence the first items may then have been stored; each
        is whole, and none is acknowledged.
        """
        new: list[bytes] = []
        for batch in _batches(items):
            with self._writing() as db:
                fresh = _put(db, batch, received=received, pooled=pooled, link=link)
            new += [item.id for item in fresh]
            # Their text is at hand now and costs a decoding later.
            for item in fresh[: max(0, _FRESH_TEXTS - len(self._fresh))]:
                if item.header.size <= _FRESH_SIZE:
                    self._fresh[item.id] = fulltext.text_of(item.body)
        return tuple(new)

    def remove(self, ids: Iterable[bytes]) -> int:
        """Remove items and return how many were held; as on arrival, done means on the disk."""
        removed = 0
        for batch in _chunks(ids):
            with self._writing() as db:
                removed += _remove(db, batch)
        return removed

    def get_many(self, ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the envelopes that are held, by id; damaged ones are removed instead."""
        found: dict[bytes, bytes] = {}
        damaged: list[int] = []
        for batch in _chunks(ids):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT i.n, i.id, i.digest, e.data FROM items i LEFT JOIN envelopes e USING (n)"
                    f" WHERE i.id IN ({_marks(batch)})",
                    batch,
                ).fetchall()
            for n, item, digest, data in rows:
                if _is_whole(item, digest, data):
                    found[item] = data
                else:
                    damaged.append(n)
        self._heal(damaged)
        return found

    def statements(self, authors: Collection[bytes]) -> tuple[bytes, ...]:
        """Return the envelopes of all that these keys say about keys (class 0)."""
        ids = list[bytes]()
        for batch in _chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT i.id FROM authors a JOIN items i INDEXED BY items_author ON i.author = a.n"
                    f" WHERE a.key IN ({_marks(batch)}) AND i.stream IS NULL AND i.key < x'01'",
                    batch,
                )
                ids += [row[0] for row in rows]
        return tuple(self.get_many(ids).values())

    def first_roots(self) -> tuple[bytes, ...]:
        """Return the ids of the organisations that are held by their first version."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT id FROM items INDEXED BY items_key"
                " WHERE key < x'01' AND kind = 'root' AND targets = x'' ORDER BY n"
            )
            return tuple(row[0] for row in rows)

    def plain(self, authors: Collection[bytes]) -> frozenset[bytes]:
        """Return those of these keys that gave no number twice and speak for nobody but themselves."""
        found = set[bytes]()
        for batch in _chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    f"SELECT key FROM authors a WHERE key IN ({_marks(batch)})"
                    " AND NOT EXISTS (SELECT 1 FROM forked WHERE author = a.n) AND NOT EXISTS"
                    " (SELECT 1 FROM items INDEXED BY items_org WHERE author = a.n AND org IS NOT NULL)",
                    batch,
                )
                found.update(row[0] for row in rows)
        return frozenset(found)

    # Around a bulletin

    def twins(self, streams: Collection[tuple[bytes, bytes]]) -> dict[tuple[bytes, bytes], dict[int, list[Header]]]:
        """Return, for streams by author and stream, the items that share a number, by that number."""
        found: dict[tuple[bytes, bytes], dict[int, list[Header]]] = {}
        for author, stream in streams:
            shared = self._held(
                "JOIN forked f ON f.author = i.author AND f.stream = i.stream AND f.seq = i.seq"
                " WHERE i.author = (SELECT n FROM authors WHERE key = ?) AND i.stream = ?",
                (author, stream),
            )
            by_number: dict[int, list[Header]] = {}
            for one in shared:
                if one.header.seq is not None:
                    by_number.setdefault(one.header.seq, []).append(one.header)
            if twins := {seq: sharing for seq, sharing in by_number.items() if len(sharing) > 1}:
                found[author, stream] = twins
        return found

    def attestations(self, ids: Iterable[bytes], *, authors: Collection[bytes]) -> dict[bytes, list[bytes]]:
        """Return the envelopes of what these keys attest about bulletins, by the bulletin's id."""
        about: dict[bytes, list[bytes]] = {}
        for batch in _chunks(ids):
            with self._reading() as db:
                numbers = _author_numbers(db, authors)
                if not numbers:
                    return {}
                rows = db.execute(
                    "SELECT targets, id FROM items INDEXED BY items_attests WHERE kind = 'attestation'"
                    f" AND targets IN ({_marks(batch)}) AND author IN ({_marks(numbers)})",
                    (*batch, *numbers),
                ).fetchall()
            datas = self.get_many({item for _, item in rows})
            for token, item in rows:
                if item in datas:
                    about.setdefault(token, []).append(datas[item])
        return about

    def attesting(self, item: bytes, *, but: Collection[bytes], most: int) -> int:
        """Return how many keys, these left out, attest anything about a bulletin; it counts no further than `most`."""
        with self._reading() as db:
            numbers = _author_numbers(db, but)
            (count,) = db.execute(
                "SELECT count(DISTINCT author) FROM (SELECT author FROM items INDEXED BY items_attests"
                f" WHERE kind = 'attestation' AND targets = ? AND author NOT IN ({_marks(numbers)}) LIMIT ?)",
                (item, *numbers, most),
            ).fetchone()
        return int(count)

    def place_in_day(self, header: Header) -> int:
        """Return which bulletin of its author's in its organisation's name this is on its UTC day, by `sent` and id."""
        start = header.sent - header.sent % 86400
        with self._reading() as db:
            (before,) = db.execute(
                "SELECT count(*) FROM items INDEXED BY items_org WHERE org = ? AND kind = 'bulletin'"
                " AND author = (SELECT n FROM authors WHERE key = ?) AND sent BETWEEN ? AND ? AND (sent, id) < (?, ?)",
                (header.org, header.author, start, header.sent, header.sent, header.id),
            ).fetchone()
        return int(before) + 1

    # Looking up

    def in_name_of(self, org: bytes, author: bytes) -> tuple[Held, ...]:
        """Return what a key said in an organisation's name: bulletins and attestations."""
        return tuple(self._held("WHERE i.org = ? AND i.author = (SELECT n FROM authors WHERE key = ?)", (org, author)))

    def headers(self, ids: Iterable[bytes]) -> dict[bytes, Held]:
        """Return the headers that are held, by id."""
        found: list[Held] = []
        for batch in _chunks(ids):
            found += self._held(f"WHERE i.id IN ({_marks(batch)})", batch)
        return {one.header.id: one for one in found}

    def by_key(self, keys: Iterable[bytes]) -> dict[bytes, Header]:
        """Return the headers that are held, by reconciliation key."""
        found: list[Held] = []
        for batch in _chunks(keys):
            # Two ids that share their first half would share a key: the first to come stands for it.
            found += self._held(f"WHERE i.key IN ({_marks(batch)}) ORDER BY i.n DESC", batch)
        return {one.header.key: one.header for one in found}

    def find_prefix(self, prefix_hex: str, *, limit: int = 2) -> tuple[bytes, ...]:
        """Return the ids that begin with these hexadecimal digits, in order; none for what is no such text."""
        if not re.fullmatch("[0-9a-fA-F]{0,64}", prefix_hex):
            return ()
        low, high = (bytes.fromhex(prefix_hex.ljust(64, filler)) for filler in "0f")
        with self._reading() as db:
            rows = db.execute("SELECT id FROM items WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", (low, high, limit))
            return tuple(row[0] for row in rows)

    def imported_from(
        self, alias: bytes, *, authors: Collection[bytes] = (), not_authors: Collection[bytes] = (), limit: int = 1_000
    ) -> tuple[Held, ...]:
        """Return the items that were imported from the CAP message with this token, oldest first.

        Only those of `authors`, if any are given, and none of `not_authors`: anybody may import a message, any number
        of times.
        """
        rest, arguments = "WHERE i.alias = ?", [alias, *authors, *not_authors, limit]
        if authors:
            rest += f" AND a.key IN ({_marks(authors)})"
        if not_authors:
            rest += f" AND a.key NOT IN ({_marks(not_authors)})"
        return tuple(self._held(f"{rest} ORDER BY i.n LIMIT ?", arguments))

    def authors(self) -> frozenset[bytes]:
        """Return the keys that signed any of the items held."""
        with self._reading() as db:
            return frozenset(row[0] for row in db.execute("SELECT key FROM authors"))

    def acting_on(self, ids: Iterable[bytes], *, colleagues: Collection[bytes] = ()) -> tuple[Held, ...]:
        """Return the items that act on any of these held ones, and what acts on those in turn, oldest first.

        They name its id or its alias, and are by the same author, or by one of `colleagues` and name the same
        organisation: no other key may act on it (docs/spec/bulletin.md), and a stranger's flood of Cancels costs no
        reader anything.
        """
        found: dict[bytes, Held] = {}
        with self._reading() as db:
            numbers = _author_numbers(db, colleagues)
        for batch in _chunks(ids):
            for one in self._held(_acting(batch, numbers), (*batch, *numbers, *numbers)):
                found[one.header.id] = one
        return tuple(sorted(found.values(), key=lambda one: (one.header.sent, one.header.id)))

    def highest_seq(self, author: bytes, stream: bytes) -> tuple[int, bytes] | None:
        """Return number and id of the newest item held of a stream."""
        newest = self._held(
            "WHERE a.key = ? AND i.stream = ? AND i.seq IS NOT NULL ORDER BY i.seq DESC, i.id LIMIT 1", (author, stream)
        )
        for held in newest:
            if held.header.seq is not None:
                return held.header.seq, held.header.id
        return None

    def newest(self, author: bytes) -> Held | None:
        """Return the newest bulletin held of an author, by the time at which it was signed."""
        by_author = "WHERE i.kind = 'bulletin' AND i.author = (SELECT n FROM authors WHERE key = ?)"
        return next(iter(self._held(f"{by_author} ORDER BY i.sent DESC, i.id DESC LIMIT 1", (author,))), None)

    def lacking(self, author: bytes, stream: bytes, numbers: Collection[int]) -> frozenset[int]:
        """Return those numbers of a stream of which nothing is held, nor was held and let go of, nor declined."""
        with self._reading() as db:
            found = db.execute(
                "WITH wanted AS (SELECT n FROM authors WHERE key = ?)"
                " SELECT seq FROM items INDEXED BY items_author WHERE author = (SELECT n FROM wanted) AND stream = ?2"
                f" AND seq IN ({_marks(numbers)})"
                " UNION SELECT seq FROM gone WHERE author = (SELECT n FROM wanted) AND stream = ?2",
                (author, stream, *numbers),
            )
            return frozenset(numbers) - {row[0] for row in found}

    def pass_over(self, headers: Iterable[Header]) -> None:
        """Remember of items that were declined that they are not missing, where something of their author is held."""
        places = [(one.stream, one.seq, one.author) for one in headers if one.seq is not None]
        if places:
            with self._writing() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO gone (author, stream, seq) SELECT n, ?, ? FROM authors WHERE key = ?", places
                )

    def newest_sent(self, authors: Collection[bytes]) -> dict[bytes, int]:
        """Return when the newest bulletin held of each of these authors was signed; those of whom none is held lack."""
        found = dict[bytes, int]()
        with self._reading() as db:
            for author in authors:
                (sent,) = db.execute(
                    "SELECT max(sent) FROM items INDEXED BY items_sent"
                    " WHERE kind = 'bulletin' AND author = (SELECT n FROM authors WHERE key = ?)",
                    (author,),
                ).fetchone()
                if sent is not None:
                    found[author] = sent
        return found

    # Lists

    def page(
        self,
        *,
        order: Order,
        limit: int,
        after: str | None = None,
        live_at: int | None = None,
        ended_at: int | None = None,
        acted_on: bool = False,
        authors: Collection[bytes] | None = None,
        not_authors: Collection[bytes] | None = None,
        since: int | None = None,
        cancels: bool = True,
    ) -> Page:
        """Return bulletins: the most pressing first (core.order.rank, then the newest), or the newest first.

        `live_at` keeps those that expire after that time; `acted_on` those that a held item acts on directly, and
        `ended_at` these and those that have expired by then; `since` those that came here then or later;
        `cancels=False` leaves out Cancels. `after` is a cursor of an earlier page of the same order;
        raises NotFound when it is none.
        """
        column, seek = ("pressing", ">") if order == "urgent" else ("sent", "<")
        where, arguments = ["i.kind = 'bulletin'"], list[Any]()
        if after is not None:
            where.append(f"(i.{column}, i.n) {seek} (?, ?)")
            arguments += _read_place(after, order)
        if acted_on:
            where.append(_ACTED_ON)
        for condition, value in (
            ("i.expires > ?", live_at),
            (f"(i.expires <= ? OR {_ACTED_ON})", ended_at),
            ("i.received >= ?", since),
        ):
            if value is not None:
                where.append(condition)
                arguments.append(value)
        if not cancels:
            where.append("i.msg_type <> 'Cancel'")
        with self._reading() as db:
            index = f"items_{'pressing' if order == 'urgent' else 'newest'}"
            if authors is not None:
                numbers = _author_numbers(db, authors)
                where.append(f"i.author IN ({_marks(numbers)})")
                arguments += numbers
                if _are_few(db, numbers):
                    index = "items_author"
            if not_authors:
                numbers = _author_numbers(db, not_authors)
                where.append(f"i.author NOT IN ({_marks(numbers)})")
                arguments += numbers
            direction = "ASC" if order == "urgent" else "DESC"
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM items i INDEXED BY {index} LEFT JOIN authors a ON a.n = i.author"
                f" WHERE {' AND '.join(where)} ORDER BY i.{column} {direction}, i.n {direction} LIMIT ?",
                (*arguments, limit + 1),
            ).fetchall()
        checked = self._checked(rows[:limit])
        sound = [(one, row) for one, row in zip(checked, rows, strict=False) if one is not None]
        more = len(rows) > limit and sound
        following = _place(order, sound[-1][1][_AT[column]], sound[-1][1][0]) if more else None
        return Page(tuple(one for one, _ in sound), following)

    def usage(self) -> Usage:
        """Return how much is held."""
        with self._reading() as db:
            items = db.execute("SELECT count(*) FROM items").fetchone()[0]
            bulletins = db.execute("SELECT count(*) FROM items WHERE kind = 'bulletin'").fetchone()[0]
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
        return Usage(items, bulletins, (pages - free) * size)

    # Room

    @property
    def max_bytes(self) -> int:
        """How large the file may become."""
        return self._max_bytes

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def log_bytes(self) -> int:
        """How large the log beside the file may become, about."""
        return self._wal_pages * migrations.PAGE_SIZE + BYTES_AT_ONCE

    def shares(self, keys: Iterable[bytes]) -> Shares:
        """Return how much is held by these keys, and by all."""
        found = dict[bytes, Share]()
        with self._reading() as db:
            pages, free = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
            total = _share(*db.execute("SELECT items, bytes FROM state").fetchone())
            for batch in _chunks(keys):
                rows = db.execute(f"SELECT key, items, bytes FROM authors WHERE key IN ({_marks(batch)})", batch)
                found |= {key: _share(items, size) for key, items, size in rows}
        return Shares((pages - free) * migrations.PAGE_SIZE, pages * migrations.PAGE_SIZE, total, found)

    def pool(self) -> Share:
        """Return how much is in the pool."""
        with self._reading() as db:
            return _share(*db.execute("SELECT ifnull(sum(items), 0), ifnull(sum(bytes), 0) FROM links").fetchone())

    def links(self) -> dict[int, Through]:
        """Return what of the pool came by each link."""
        with self._reading() as db:
            rows = db.execute("SELECT n, way, items, bytes FROM links").fetchall()
        return {n: Through(_WAYS.get(way, Way.CALLED), _share(items, size)) for n, way, items, size in rows}

    def parts(self, authors: Collection[bytes]) -> dict[tuple[int, bytes], Share]:
        """Return what of the pool these keys hold, by link and key."""
        found = dict[tuple[int, bytes], Share]()
        for batch in _chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT p.link, a.key, p.items, p.bytes FROM authors a JOIN parts p ON p.author = a.n"
                    f" WHERE a.key IN ({_marks(batch)})",
                    batch,
                )
                found |= {(link, key): _share(items, size) for link, key, items, size in rows}
        return found

    def heaviest(self, link: int, *, limit: int, together: int) -> tuple[bytes, ...]:
        """Return the keys that hold the most of the pool by one link, by Share.weight, heaviest first.

        As many as `limit`, or as it takes to hold so much `together`, by Share.cost.
        """
        found = list[bytes]()
        sum_of_costs = 0
        with self._reading() as db:
            for key, items, size in db.execute(
                "SELECT a.key, p.items, p.bytes FROM parts p INDEXED BY parts_weight JOIN authors a ON a.n = p.author"
                f" WHERE p.link = ? ORDER BY {_WEIGHT} DESC",
                (link,),
            ):
                if len(found) >= limit and sum_of_costs >= together:
                    break
                found.append(key)
                sum_of_costs += _share(items, size).cost
        return tuple(found)

    def expendable(
        self, author: bytes, *, now: int, together: int, pooled: bool, links: Collection[int] = ()
    ) -> tuple[Placed, ...]:
        """Return items of a key in the pool, or outside of it, what goes first at the front: core.quota.worth.

        As many as it takes to hold so much `together`, by core.quota.cost: of what came by `links`, if any are given.
        """
        rows = list[_Row]()
        sum_of_costs = 0
        with self._reading() as db:
            for row in db.execute(
                f"SELECT {_COLUMNS}, i.link FROM items i LEFT JOIN authors a ON a.n = i.author"
                " WHERE i.author = (SELECT n FROM authors WHERE key = ?) AND (i.link IS NOT NULL) = ?"
                " ORDER BY i.key < x'01', ifnull(i.msg_type IN ('Update', 'Cancel'), 0), ifnull(i.expires > ?, 1),"
                " i.pressing DESC, i.id",
                (author, pooled, now),
            ):
                if sum_of_costs >= together:
                    break
                rows.append(row)
                if isinstance(row[_AT["size"]], int) and (not links or row[-1] in links):
                    sum_of_costs += cost(row[_AT["size"]])
        held = self._checked([row[:-1] for row in rows])
        return tuple(Placed(one.header, row[-1]) for one, row in zip(held, rows, strict=True) if one is not None)

    def statements_of(self, author: bytes, *, most: int) -> tuple[bytes, ...]:
        """Return ids of what a key says about keys (class 0), no more than `most`."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT id FROM items INDEXED BY items_author WHERE author = (SELECT n FROM authors WHERE key = ?)"
                " AND stream IS NULL AND key < x'01' LIMIT ?",
                (author, most),
            )
            return tuple(row[0] for row in rows)

    def settle(self, *, first: Collection[bytes], lasting: Collection[bytes], limit: int) -> bool:
        """Bring places up to date, after it has changed who is known: about `limit` rows; tell whether there is more.

        Outside of the pool are the items of `first` and the statements of ids in `lasting`. What an author leaves there
        who is known no more belongs to the operator's link.
        """
        known = set(first)
        with self._reading() as db:
            outside = db.execute(
                "SELECT a.n, a.key FROM authors a WHERE a.items > ifnull((SELECT sum(p.items) FROM parts p"
                " WHERE p.author = a.n), 0)"
            ).fetchall()
        left = limit
        with self._writing() as db:
            _open_link(db, OPERATORS_LINK)
            for n, key in outside:
                if key in known or left <= 0:
                    continue
                rows = db.execute("SELECT n, id FROM items WHERE author = ? AND link IS NULL", (n,))
                come = list(islice((row[0] for row in rows if row[1] not in lasting), left))
                left -= len(come)
                db.executemany("UPDATE items SET link = ? WHERE n = ?", [(OPERATORS_LINK.number, one) for one in come])
            for batch in _chunks(known):
                numbers = _author_numbers(db, batch)
                left -= _take_out_of_pool(
                    db,
                    "parts p JOIN items i ON i.author = p.author AND i.link = p.link"
                    f" WHERE p.author IN ({_marks(numbers)})",
                    numbers,
                    limit=left,
                )
            for batch in _chunks(lasting):
                left -= _take_out_of_pool(
                    db, f"items i WHERE i.id IN ({_marks(batch)}) AND i.link IS NOT NULL", batch, limit=left
                )
            db.execute("DELETE FROM links WHERE items <= 0")
        return left <= 0

    def move(self, ids: Collection[bytes], *, pooled: bool) -> None:
        """Give items their place in the pool, by the operator's link, or outside of it."""
        for batch in _chunks(ids):
            with self._writing() as db:
                if pooled:
                    _open_link(db, OPERATORS_LINK)
                db.execute(
                    f"UPDATE items SET link = ? WHERE id IN ({_marks(batch)}) AND (link IS NULL) = ?",
                    (OPERATORS_LINK.number if pooled else None, *batch, pooled),
                )

    def expired(self, *, now: int, limit: int) -> tuple[Header, ...]:
        """Return items that have expired and end no other, the longest expired first."""
        held = self._held(
            "WHERE i.expires <= ? AND i.msg_type = 'Alert' ORDER BY i.expires LIMIT ?",
            (now, limit),
        )
        return tuple(one.header for one in held)

    def signed_before(self, moment: int, *, limit: int) -> tuple[bytes, ...]:
        """Return ids of items signed until then, and of delegations that ended until then; no other statement."""
        found: list[bytes] = []
        with self._reading() as db:
            for item_class in (1, 2, 3):
                low, high = bytes((item_class,)), bytes((item_class,)) + (moment + 1).to_bytes(7, "big")
                rows = db.execute("SELECT id FROM items WHERE key >= ? AND key < ? LIMIT ?", (low, high, limit))
                found += [row[0] for row in rows]
            rows = db.execute(
                "SELECT id FROM items INDEXED BY items_lent WHERE kind = 'delegation' AND expires <= ? LIMIT ?",
                (moment, limit),
            )
            found += [row[0] for row in rows]
        return tuple(found[:limit])

    def retire(self, ids: Collection[bytes], *, most: int) -> int:
        """Remove items that have had their time, and up to `most` of what was attested about each; return how many.

        What is attested about something that is gone for good does not come back: see :meth:`went`.
        """
        removed = 0
        for batch in _chunks(ids):
            with self._writing() as db:
                about = db.execute(
                    "SELECT i.id, a.key, i.sent FROM targets t JOIN items i ON i.n = t.item JOIN authors a ON"
                    f" a.n = i.author WHERE t.token IN ({_marks(batch)}) AND i.kind = 'attestation' LIMIT ?",
                    (*batch, most),
                ).fetchall()
                removed += _remove(db, batch)
                for more in _chunks([item for item, _, _ in about]):
                    removed += _remove(db, more)
                _decline(db, {(author, item): sent + ACTS_FOR for item, author, sent in about})
        return removed

    def let_go(self, headers: Sequence[Header]) -> int:
        """Remove items to make room, in this order, and return how many.

        With an Update or Cancel goes what it acts on, and does not come back: see :meth:`went`.
        """
        removed = 0
        for at in range(0, len(headers), LET_GO_AT_ONCE):
            with self._writing() as db:
                removed += _let_go(db, headers[at : at + LET_GO_AT_ONCE])
        return removed

    def went(self, headers: Collection[Header], *, now: int) -> frozenset[bytes]:
        """Return ids of those that an Update or Cancel ended which had to make room: alone they would live again."""
        found = set[bytes]()
        with self._reading() as db:
            if not db.execute("SELECT 1 FROM let_go LIMIT 1").fetchone():
                return frozenset()
            for one in headers:
                if db.execute(
                    "SELECT 1 FROM let_go WHERE author = ? AND token IN (?, ?) AND until > ?",
                    (one.author, one.id, one.alias, now),
                ).fetchone():
                    found.add(one.id)
        return frozenset(found)

    def shrink(self) -> None:
        """Write the log into the file and give unused pages back to the disk, as far as readers let it."""
        with self._write_lock, _named_errors():
            self._check_open()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._writer.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # What changed

    def keys(self) -> tuple[bytes, str]:
        """Return all reconciliation keys, sorted, in one buffer, and the change cursor they stand for."""
        with self._reading() as db:
            epoch, sequence = _state(db)
            keys = [row[0] for row in db.execute("SELECT key FROM items ORDER BY key")]
        if not all(map(_is_key, keys)):  # of damaged rows, which scrubbing will meet
            keys = list(filter(_is_key, keys))
        return b"".join(keys), _cursor(epoch, sequence)

    def changes(self, cursor: str, *, limit: int = 10_000) -> Changes:
        """Return what changed since `cursor`, in every process, at most `limit` rows; no rows means up to date.

        An item that came and went in between shows as removed alone. Cursors outlive restarts.
        """
        with self._reading() as db:
            epoch, sequence = _state(db)
            since = _read_cursor(cursor, epoch)
            if since is None or not sequence - REMEMBERED <= since <= sequence:
                return Changes((), _cursor(epoch, sequence), reset=True)
            rows = db.execute(
                "SELECT n, key, id, 0 FROM items WHERE n > ?1 UNION ALL SELECT n, key, id, 1 FROM removals"
                " WHERE n > ?1 ORDER BY n LIMIT ?2",
                (since, limit),
            ).fetchall()
        reached = rows[-1][0] if len(rows) == limit else sequence
        changes = tuple(Change(key, item, bool(gone)) for _, key, item, gone in rows if _is_key(key) and _is_id(item))
        return Changes(changes, _cursor(epoch, reached), reset=False)

    def data_version(self) -> int:
        """Return a number that differs from the last one when anything was written, by this process or another."""
        with self._watch_lock, _named_errors():
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    # Search

    def search(self, text: str, *, limit: int) -> tuple[bytes, ...]:
        """Return ids of bulletins in which every word of `text` occurs or begins a word, best match first.

        What people type is data: no character of it has a meaning. In scripts without spaces any stretch counts.
        Common words are ranked among the newest thousand bulletins alone.
        """
        with self._reading() as db:
            matches = fulltext.queries(db, text)
            if not matches:
                return ()
            (first, _), *others = matches
            also = "".join(f" AND rowid IN (SELECT rowid FROM {table} WHERE {table} MATCH ?)" for table, _ in others)
            rows = db.execute(
                f"SELECT i.id FROM (SELECT rowid, rank FROM {first} WHERE {first} MATCH ?{also} ORDER BY rowid DESC"
                f" LIMIT {fulltext.RANKED}) hit JOIN items i ON i.n = hit.rowid ORDER BY hit.rank, i.n DESC LIMIT ?",
                (*(match for _, match in matches), limit),
            )
            return tuple(row[0] for row in rows)

    def index_backlog(self, limit: int) -> int:
        """Make up to `limit` more bulletins searchable, oldest first; return how many were done, 0 when all are.

        Apart from :meth:`put_many`, because it takes longer than that: call it after the acknowledgement.
        """
        done = 0
        while done < limit:
            with self._reading() as db:
                indexed = _indexed(db)
                _, sequence = _state(db)
                rows = db.execute(
                    "SELECT n, id FROM items WHERE n > ? AND kind = 'bulletin' ORDER BY n LIMIT ?",
                    (indexed, min(limit - done, ROWS_AT_ONCE)),
                ).fetchall()
            if indexed == sequence:
                self._fresh.clear()
                break
            texts = self._texts(rows)
            with self._writing() as db:
                if _indexed(db) != indexed:
                    continue  # another process did these
                fulltext.index(db, texts, reached=rows[-1][0] if rows else sequence)
            done += len(rows)
        return done

    # Keeping house

    def scrub(self, *, after: str | None = None, limit: int = 1000) -> str | None:
        """Compare up to `limit` rows with what went in, removing damaged ones; return where to go on, None at the end.

        What nobody reads is found damaged in no other way, nor an index that has lost an item.
        """
        since = 0 if after is None else int(after, 16)
        with self._reading() as db:
            rows = db.execute(f"{_SELECT} WHERE i.n > ? ORDER BY i.n LIMIT ?", (since, limit)).fetchall()
        sound = {row[0]: one.header for row, one in zip(rows, self._checked(rows), strict=True) if one is not None}
        by_id = self.headers(header.id for header in sound.values())
        by_key = self.by_key(header.key for header in sound.values())
        # Rows that the indexes have lost: nobody would find them, and an index made anew does.
        self._heal([n for n, header in sound.items() if header.id not in by_id or header.key not in by_key])
        self.get_many(by_id)
        if len(rows) == limit:
            return f"{rows[-1][0]:x}"
        with suppress(StoreFull, StoreUnusable), self._writing() as db:
            _recount(db)
        return None

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the store to `path`, which must not exist; writers need not wait.

        Cursors of this store mean nothing to the copy.
        """
        if path.exists():
            raise FileExistsError(path)
        path.touch(mode=0o600)
        with _named_errors(), closing(self._connect()) as db, closing(sqlite3.connect(path)) as copy:
            db.execute("VACUUM INTO ?", (str(path),))
            with copy:
                copy.execute("UPDATE state SET epoch = randomblob(8)")
                # What came together with what is nobody's business where the copy goes.
                copy.execute("UPDATE items SET link = NULL WHERE link IS NOT NULL")

    # Beneath

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.text_factory = _text
        return db

    def _connect_writer(self) -> sqlite3.Connection:
        db = self._connect()
        db.execute("PRAGMA synchronous = FULL")
        # What a statement may have to undo goes to files elsewhere on the disk otherwise, ten times what it stores.
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA wal_autocheckpoint = {self._wal_pages}")
        db.execute(f"PRAGMA journal_size_limit = {self._wal_pages * migrations.PAGE_SIZE}")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        page_size = db.execute("PRAGMA page_size").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {max(1, self._max_bytes // page_size)}")
        return db

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, _named_errors():
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _pooled(self) -> Iterator[sqlite3.Connection]:
        self._check_open()
        readers = self._readers
        try:
            db = readers.pop()
        except IndexError:
            db = self._connect()
            db.execute("PRAGMA query_only = ON")
        try:
            yield db
        finally:
            if readers is self._readers:
                readers.append(db)
            else:
                db.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with _named_errors(), self._pooled() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def _texts(self, rows: Sequence[tuple[int, bytes]]) -> list[tuple[int, str]]:
        """Return the texts of these items (row number and id) that are still held."""
        texts = {item: self._fresh.pop(item) for _, item in rows if item in self._fresh}
        for item, data in self.get_many(item for _, item in rows if item not in texts).items():
            try:
                texts[item] = fulltext.text_of(reopen(data).body)
            except InvalidItem:
                texts[item] = ""  # of a form that this version reads no more
        return [(n, texts[item]) for n, item in rows if item in texts]

    def _take_over(self, aside: Path) -> None:
        whole = True
        for part in _salvaged(aside):
            if part is None:
                whole = False
                continue
            items = list[SignedItem]()
            received = 0
            for data, came in part:
                try:
                    items.append(admit(data))
                except InvalidItem:
                    whole = False
                    continue
                received = max(received, came if isinstance(came, int) else items[-1].header.sent)
            with suppress(StoreFull):
                self.put_many(items, received=received)
        if whole:
            for one in _beside(aside):
                one.unlink(missing_ok=True)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")

    def _held(self, rest: str, arguments: Sequence[object]) -> list[Held]:
        with self._reading() as db:
            rows = db.execute(f"{_SELECT} {rest}", arguments).fetchall()
        return [one for one in self._checked(rows) if one is not None]

    def _checked(self, rows: Sequence[_Row]) -> list[Held | None]:
        """Return the rows as values, None for those that are not what went in; the latter leave the store."""
        held = [_held_of(row) for row in rows]
        damaged = [row[0] for row, one in zip(rows, held, strict=True) if one is None]
        self._heal(damaged)
        return held

    def _heal(self, numbers: Sequence[int]) -> None:
        if numbers:
            # Reading goes on when damage cannot be cleared away now (the disk is full); it is met again.
            with suppress(StoreFull, StoreUnusable), self._writing() as db:
                _clear_away(db, numbers)


def _beside(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))


def _set_aside(path: Path) -> Path:
    aside = path.with_name(path.name + ".damaged")
    _move(path, aside)
    return aside


def _move(path: Path, to: Path) -> None:
    for old, new in zip(_beside(path), _beside(to), strict=True):
        new.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            old.rename(new)


def _salvaged(path: Path) -> Iterator[list[tuple[bytes, object]] | None]:
    """Yield what can still be read of a damaged file: envelopes, and when they came; None for what cannot."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.text_factory = _text
        reached, step = -1, 1
        while step < 1 << 62:
            try:
                rows = db.execute(
                    "SELECT e.n, e.data, i.received FROM envelopes e LEFT JOIN items i USING (n)"
                    " WHERE e.n > ? ORDER BY e.n LIMIT 100",
                    (reached,),
                ).fetchall()
            except (sqlite3.DatabaseError, UnicodeDecodeError):
                # One by one across the hole, then in longer and longer leaps.
                yield None
                for n in range(reached + 1, reached + 101 if step == 1 else reached + 1):
                    with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
                        found = db.execute("SELECT data FROM envelopes WHERE n = ?", (n,)).fetchone()
                        if found and isinstance(found[0], bytes):
                            yield [(found[0], None)]
                reached, step = reached + (100 if step == 1 else step), step * 2
                continue
            if not rows:
                return
            yield [(data, came) for _, data, came in rows if isinstance(data, bytes)]
            reached, step = rows[-1][0], 1


def _prepare(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as db:
        if path.stat().st_size == 0:
            # In this order: once there is a first page, in WAL or not, neither can be changed.
            db.execute(f"PRAGMA page_size = {migrations.PAGE_SIZE}")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        migrations.bring_up(sqlite_utils.Database(db, execute_plugins=False))


# Rows

_Row: TypeAlias = tuple[Any, ...]

_NAMES = (
    *("n", "id", "key", "author", "kind", "sent", "expires", "size", "stream", "seq", "org", "msg_type", "drill"),
    *("urgency", "severity", "alias", "targets", "pressing", "received", "digest", "checksum"),
)
_AT = {name: place for place, name in enumerate(_NAMES)}
_COLUMNS = ", ".join("a.key" if name == "author" else f"i.{name}" for name in _NAMES)
_SELECT = f"SELECT {_COLUMNS} FROM items i LEFT JOIN authors a ON a.n = i.author"
_INSERT = f"INSERT INTO items ({', '.join(_NAMES)}, link) VALUES ({', '.join('?' * len(_NAMES))}, ?)"
# What acts on the items of `held`. By author, for anybody can name an item as often as keys can be made.
_BY_THE_SAME = """JOIN targets t ON t.token IN (held.id, held.alias) AND t.author = held.author
        JOIN items act ON act.n = t.item WHERE act.msg_type IS NOT NULL"""
_BY_COLLEAGUES = """JOIN targets t ON t.token IN (held.id, held.alias) AND t.author IN ({colleagues})
        JOIN items act ON act.n = t.item WHERE act.msg_type IS NOT NULL AND act.org = held.org"""
_ACTED_ON = "i.n IN (SELECT n FROM ended)"
# Of these rows, those that a held item acts on directly; authors as in acting_on.
_NOW_ENDED = """INSERT OR IGNORE INTO ended (n)
    SELECT held.n FROM items held JOIN targets t ON t.token = held.id JOIN items act ON act.n = t.item
    WHERE held.n IN ({marks}) AND act.msg_type IS NOT NULL AND (act.author = held.author OR act.org = held.org)
    UNION
    SELECT held.n FROM items held JOIN targets t ON t.token = held.alias JOIN items act ON act.n = t.item
    WHERE held.n IN ({marks}) AND act.msg_type IS NOT NULL AND (act.author = held.author OR act.org = held.org)"""
# What one act ends of what is held. One by one: an item that many strangers name costs them alone.
_ENDS = """INSERT OR IGNORE INTO ended (n)
    SELECT held.n FROM items held JOIN items act ON act.n = ?1
    WHERE held.{name} = ?2 AND act.msg_type IS NOT NULL AND (act.author = held.author OR act.org = held.org)"""
# Numbers of streams that one of these rows shares with another.
_FORKS = """INSERT OR IGNORE INTO forked (author, stream, seq)
    SELECT i.author, i.stream, i.seq FROM items i JOIN items other INDEXED BY items_author
    ON other.author = i.author AND other.stream = i.stream AND other.seq = i.seq AND other.n <> i.n
    WHERE i.n IN ({marks}) AND i.seq IS NOT NULL"""
_ENDED_BY = """SELECT held.n FROM items held JOIN ended USING (n)
    WHERE held.{name} = ?1 AND (held.author = ?2 OR held.org IS NOT NULL)"""
_WEIGHT = "max(p.items * 262144, p.bytes * 10)"

_KINDS: dict[str | None, Kind] = {kind.value: kind for kind in Kind}
_WAYS: dict[str | None, Way] = {way.value: way for way in Way}
_MSG_TYPES: dict[str | None, MsgType | None] = {None: None, **{one.value: one for one in MsgType}}
_URGENCIES: dict[str | None, Urgency | None] = {None: None, **{one.value: one for one in Urgency}}
_SEVERITIES: dict[str | None, Severity | None] = {None: None, **{one.value: one for one in Severity}}


def _acting(ids: Sequence[bytes], colleagues: Sequence[int]) -> str:
    """Return the condition for what acts on these items and on what acts on them; its arguments: ids, keys, keys."""
    ways = [_BY_THE_SAME, *([_BY_COLLEAGUES.format(colleagues=_marks(colleagues))] if colleagues else [])]
    acts = " UNION ".join([f"SELECT act.n FROM reach JOIN items held USING (n) {way}" for way in ways])
    reach = f"SELECT n FROM items WHERE id IN ({_marks(ids)}) UNION {acts}"
    return f"WHERE i.n IN (WITH RECURSIVE reach (n) AS ({reach}) {acts})"


def _row_of(item: SignedItem, *, received: int) -> _Row:
    """Return the columns from `id` on, the author's key still in full."""
    header = item.header
    values = (
        header.id,
        header.key,
        header.author,
        header.kind.value,
        header.sent,
        header.expires,
        header.size,
        header.stream,
        header.seq,
        header.org,
        header.msg_type and header.msg_type.value,
        int(header.drill),
        header.urgency and header.urgency.value,
        header.severity and header.severity.value,
        header.alias,
        b"".join(header.targets),
        order.rank(header) << 40 | _LAST_SECOND - header.sent,
        received,
        _digest(header.id, item.data),
    )
    return (*values, _checksum(values))


def _checksum(values: _Row) -> int:
    return zlib.crc32(repr(values).encode())


def _held_of(row: _Row) -> Held | None:
    """Return the value of a row, None when it is not what :func:`_row_of` made."""
    *values, checksum = row[1:]
    if _checksum(tuple(values)) != checksum:
        return None
    (item, key, author, kind, sent, expires, size, stream, seq, org) = values[:10]
    (msg_type, drill, urgency, severity, alias, targets, _, received, _) = values[10:]
    header = Header(
        id=item,
        author=author,
        kind=_KINDS[kind],
        item_class=key[0],
        sent=sent,
        size=size,
        expires=expires,
        stream=stream,
        seq=seq,
        org=org,
        msg_type=_MSG_TYPES[msg_type],
        drill=bool(drill),
        urgency=_URGENCIES[urgency],
        severity=_SEVERITIES[severity],
        alias=alias,
        targets=tuple([targets[at : at + _ID_SIZE] for at in range(0, len(targets), _ID_SIZE)]),
    )
    return Held(header, received)


def _put(
    db: sqlite3.Connection, items: Sequence[SignedItem], *, received: int, pooled: Collection[bytes], link: Link
) -> list[SignedItem]:
    marks = _marks(items)
    seen = {row[0] for row in db.execute(f"SELECT id FROM items WHERE id IN ({marks})", [item.id for item in items])}
    fresh: list[SignedItem] = []
    for item in items:
        if item.id not in seen:
            seen.add(item.id)
            fresh.append(item)
    if not fresh:
        return []
    authors = _numbered_authors(db, {item.author for item in fresh})
    _, sequence = _state(db)
    numbered = list(enumerate(fresh, start=sequence + 1))
    if any(item.id in pooled for item in fresh):
        _open_link(db, link)
    rows = [(n, _row_of(item, received=received)) for n, item in numbered]
    db.executemany(
        _INSERT,
        [(n, row[0], row[1], authors[row[2]], *row[3:], link.number if row[0] in pooled else None) for n, row in rows],
    )
    db.executemany("INSERT INTO envelopes (n, data) VALUES (?, ?)", [(n, item.data) for n, item in numbered])
    db.execute(_FORKS.format(marks=_marks(numbered)), [n for n, _ in numbered])
    db.executemany(
        "INSERT OR IGNORE INTO targets (token, item, author) VALUES (?, ?, ?)",
        [(token, n, authors[item.author]) for n, item in numbered for token in item.header.targets],
    )
    numbers = [n for n, _ in numbered]
    _mark_ended(db, numbers)
    pairs = [(n, token) for n, item in numbered for token in item.header.targets]
    for name in ("id", "alias"):
        db.executemany(_ENDS.format(name=name), pairs)
    db.execute("UPDATE state SET sequence = ?", (numbered[-1][0],))
    return fresh


def _rows_named(db: sqlite3.Connection, tokens: Sequence[bytes]) -> list[int]:
    """Return the rows that these tokens name, by id or by alias."""
    found: list[int] = []
    for batch in _chunks(tokens):
        for column in ("id", "alias"):
            found += [row[0] for row in db.execute(f"SELECT n FROM items WHERE {column} IN ({_marks(batch)})", batch)]
    return found


def _mark_ended(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    for at in range(0, len(numbers), ROWS_AT_ONCE):
        batch = numbers[at : at + ROWS_AT_ONCE]
        db.execute(f"DELETE FROM ended WHERE n IN ({_marks(batch)})", batch)
        db.execute(_NOW_ENDED.format(marks=_marks(batch)), (*batch, *batch))


def _let_go(db: sqlite3.Connection, headers: Sequence[Header]) -> int:
    gone = {header.id: header for header in headers}
    names: dict[tuple[bytes, bytes], int] = {}
    acts = [header for header in headers if header.msg_type in (MsgType.UPDATE, MsgType.CANCEL)]
    while acts:
        act = acts.pop()
        names |= {(act.author, token): act.sent + ACTS_FOR for token in act.targets}
        for n in _rows_named(db, act.targets):
            held = _held_of(db.execute(f"{_SELECT} WHERE i.n = ?", (n,)).fetchone())
            if held is None or held.header.author != act.author or held.header.id in gone:
                continue
            gone[held.header.id] = held.header
            if held.header.msg_type is not MsgType.ALERT:
                acts.append(held.header)
    removed = 0
    for batch in _chunks(gone):
        removed += _remove(db, batch)
    _decline(db, names)
    return removed


def _decline(db: sqlite3.Connection, names: Mapping[tuple[bytes, bytes], int]) -> None:
    """Note, by author and id or alias, what does not come back until then."""
    db.executemany(
        "INSERT INTO let_go (author, token, until) VALUES (?, ?, ?)"
        " ON CONFLICT (author, token) DO UPDATE SET until = max(until, excluded.until)",
        [(*name, until) for name, until in names.items()],
    )
    if names:
        db.execute(f"DELETE FROM let_go WHERE rowid <= (SELECT max(rowid) FROM let_go) - {_LET_GO}")


def _open_link(db: sqlite3.Connection, link: Link) -> None:
    db.execute("INSERT OR IGNORE INTO links (n, way) VALUES (?, ?)", (link.number, link.way.value))


def _take_out_of_pool(db: sqlite3.Connection, which: str, arguments: Sequence[object], *, limit: int) -> int:
    rows = db.execute(f"SELECT i.n FROM {which} LIMIT ?", (*arguments, max(0, limit))).fetchall()
    db.executemany("UPDATE items SET link = NULL WHERE n = ?", rows)
    return len(rows)


def _recount(db: sqlite3.Connection) -> None:
    """Count anew what each key holds: damage may have changed that too."""
    db.execute(
        "UPDATE authors SET items = found.items, bytes = found.bytes FROM (SELECT author, count(*) AS items,"
        " sum(size) AS bytes FROM items GROUP BY author) found"
        " WHERE found.author = n AND (found.items, found.bytes) <> (authors.items, authors.bytes)"
    )
    db.execute(
        "UPDATE state SET items = found.items, bytes = found.bytes"
        " FROM (SELECT count(*) AS items, ifnull(sum(size), 0) AS bytes FROM items) found"
    )
    parts = "SELECT link, author, count(*), sum(size) FROM items WHERE link IS NOT NULL GROUP BY link, author"
    counted = "SELECT link, author, items, bytes FROM parts"
    if db.execute(
        f"SELECT 1 FROM ({parts} EXCEPT {counted}) UNION SELECT 1 FROM ({counted} EXCEPT {parts})"
    ).fetchone():
        # A number that damage made belongs to nobody, and is nobody's part.
        db.execute("UPDATE items SET link = NULL WHERE link IS NOT NULL AND link NOT IN (SELECT n FROM links)")
        db.execute("DELETE FROM parts")
        db.execute(f"INSERT INTO parts (link, author, items, bytes) {parts}")
    db.execute(
        "UPDATE links SET items = found.items, bytes = found.bytes FROM (SELECT l.n, ifnull(sum(p.items), 0) AS items,"
        " ifnull(sum(p.bytes), 0) AS bytes FROM links l LEFT JOIN parts p ON p.link = l.n GROUP BY l.n) found"
        " WHERE found.n = links.n AND (found.items, found.bytes) <> (links.items, links.bytes)"
    )
    db.execute("DELETE FROM links WHERE items <= 0")


def _remove(db: sqlite3.Connection, ids: Sequence[bytes], *, wanted: bool = False) -> int:
    """Remove items; those that are still `wanted`, for they were damaged, leave no memory of their numbers."""
    if not wanted:
        _remember_gone(db, ids)
    rows = db.execute(
        "SELECT n, id, key, author, ifnull(CAST(targets AS BLOB), x'') FROM items"
        f" WHERE id IN ({_marks(ids)}) ORDER BY n",
        ids,
    ).fetchall()
    _, sequence = _state(db)
    numbers = [row[0] for row in rows]
    fulltext.unindex(db, numbers)
    for table in ("items", "envelopes"):
        db.execute(f"DELETE FROM {table} WHERE n IN ({_marks(numbers)})", numbers)
    db.executemany(
        "DELETE FROM targets WHERE token = ? AND item = ?",
        [(targets[at : at + _ID_SIZE], n) for n, _, _, _, targets in rows for at in range(0, len(targets), _ID_SIZE)],
    )
    db.execute(f"DELETE FROM ended WHERE n IN ({_marks(numbers)})", numbers)
    perhaps = set[int]()
    for *_, author, targets in rows:
        for at in range(0, len(targets), _ID_SIZE):
            for name in ("id", "alias"):
                found = db.execute(_ENDED_BY.format(name=name), (targets[at : at + _ID_SIZE], author))
                perhaps.update(row[0] for row in found)
    _mark_ended(db, list(perhaps))
    authors = [(author,) for author in {row[3] for row in rows}]
    db.executemany("DELETE FROM authors WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM items WHERE author = ?1)", authors)
    db.executemany("DELETE FROM gone WHERE author = ?1 AND NOT EXISTS (SELECT 1 FROM authors WHERE n = ?1)", authors)
    db.executemany(
        "INSERT INTO removals (n, key, id) VALUES (?, ?, ?)",
        [(n, key, item) for n, (_, item, key, _, _) in enumerate(rows, start=sequence + 1)],
    )
    sequence += len(rows)
    db.execute("DELETE FROM removals WHERE n < ?", (sequence - REMEMBERED,))
    db.execute("UPDATE state SET sequence = ?", (sequence,))
    return len(rows)


def _remember_gone(db: sqlite3.Connection, ids: Sequence[bytes]) -> None:
    """Remember the numbers of these items, of each author the last so many that a bulletin can list as live."""
    place = f"FROM items WHERE id IN ({_marks(ids)}) AND seq IS NOT NULL"
    authors = db.execute(f"SELECT DISTINCT author {place}", ids).fetchall()
    db.execute(f"INSERT OR REPLACE INTO gone (author, stream, seq) SELECT author, stream, seq {place}", ids)
    db.executemany(
        f"DELETE FROM gone WHERE author = ?1 AND n <= (SELECT n FROM gone WHERE author = ?1"
        f" ORDER BY n DESC LIMIT 1 OFFSET {MAX_LIVE})",
        authors,
    )


def _share(items: object, size: object) -> Share:
    """Return a share as counted; damage changes types as well, and is counted anew at the end of scrubbing."""
    if isinstance(items, int) and isinstance(size, int) and items >= 0 and size >= 0:
        return Share(items, size)
    return Share()


def _is_whole(item: object, digest: object, data: object) -> bool:
    # Damage changes types as well.
    return isinstance(item, bytes) and isinstance(data, bytes) and _digest(item, data) == digest


def _digest(item: bytes, data: bytes) -> bytes:
    # With the id, so that an index that leads from one id to the row of another is found out.
    return hashlib.sha256(item + data).digest()


def _clear_away(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Delete what is damaged among these rows; what is sound was reached through a damaged index."""
    rows = db.execute(f"{_SELECT} WHERE i.n IN ({_marks(numbers)})", numbers).fetchall()
    held = {row[0]: one for row in rows if (one := _held_of(row)) is not None}
    datas = dict(db.execute(f"SELECT n, data FROM envelopes WHERE n IN ({_marks(numbers)})", numbers))
    digests = {row[0]: row[_AT["digest"]] for row in rows}
    hollow = [n for n, one in held.items() if not _is_whole(one.header.id, digests[n], datas.get(n))]
    ids = [held[n].header.id for n in hollow]
    if len(hollow) == len(numbers) and _remove(db, ids, wanted=True) == len(ids):
        return
    # The indexes hold what a row said before it was damaged; deleting it would find them wrong.
    db.execute("REINDEX items")
    lost = [*hollow, *(n for n in numbers if n not in held)]
    fulltext.unindex(db, lost)
    for table, number in (("items", "n"), ("envelopes", "n"), ("ended", "n"), ("targets", "item")):
        db.execute(f"DELETE FROM {table} WHERE {number} IN ({_marks(lost)})", lost)
    _recount(db)
    # Nobody can be told which key is gone: every cursor ends, and all reload.
    db.execute("UPDATE state SET epoch = randomblob(8), sequence = sequence + 1")


def _numbered_authors(db: sqlite3.Connection, keys: Collection[bytes]) -> dict[bytes, int]:
    db.executemany("INSERT OR IGNORE INTO authors (key) VALUES (?)", [(key,) for key in keys])
    numbers = dict(db.execute(f"SELECT key, n FROM authors WHERE key IN ({_marks(keys)})", tuple(keys)))
    if not numbers.keys() >= set(keys):
        raise _damaged("an author cannot be found again")
    return numbers


def _author_numbers(db: sqlite3.Connection, keys: Collection[bytes]) -> list[int]:
    return [row[0] for row in db.execute(f"SELECT n FROM authors WHERE key IN ({_marks(keys)})", tuple(keys))]


def _are_few(db: sqlite3.Connection, authors: Sequence[int]) -> bool:
    counted = f"SELECT 1 FROM items WHERE author IN ({_marks(authors)}) LIMIT {_FEW}"
    return bool(db.execute(f"SELECT count(*) < {_FEW} FROM ({counted})", authors).fetchone()[0])


# Cursors


def _state(db: sqlite3.Connection) -> tuple[bytes, int]:
    for epoch, sequence in db.execute("SELECT epoch, sequence FROM state"):
        if isinstance(epoch, bytes) and isinstance(sequence, int):
            return epoch, sequence
    raise _damaged("its count of changes cannot be read")


def _indexed(db: sqlite3.Connection) -> int:
    for (indexed,) in db.execute("SELECT indexed FROM state"):
        if isinstance(indexed, int):
            return indexed
    raise _damaged("its place in the search index cannot be read")


def _cursor(epoch: bytes, sequence: int) -> str:
    return f"{epoch.hex()}-{sequence:x}"


def _read_cursor(cursor: str, epoch: bytes) -> int | None:
    match = re.fullmatch("([0-9a-f]{16})-([0-9a-f]{1,15})", cursor)
    return int(match[2], 16) if match and match[1] == epoch.hex() else None


def _place(order: Order, value: int, n: int) -> str:
    return f"{order[0]}{value:x}-{n:x}"


def _read_place(cursor: str, order: Order) -> tuple[int, int]:
    match = re.fullmatch(f"{order[0]}([0-9a-f]{{1,15}})-([0-9a-f]{{1,15}})", cursor)
    if match is None:
        raise NotFound("this is no place in this list", hint="start again at the beginning of the list")
    return int(match[1], 16), int(match[2], 16)


# Small things


def _is_key(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == KEY_SIZE


def _is_id(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == _ID_SIZE


def _text(raw: bytes) -> str:
    # A damaged row is found by its checksum, not by an error of the driver.
    return raw.decode("utf-8", "replace")


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _chunks(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(dict.fromkeys(values))
    while chunk := list(islice(rest, ROWS_AT_ONCE)):
        yield chunk


def _batches(items: Sequence[SignedItem]) -> Iterator[list[SignedItem]]:
    batch, size = list[SignedItem](), 0
    for item in items:
        if batch and (len(batch) == ROWS_AT_ONCE or size + len(item.data) > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += len(item.data)
    if batch:
        yield batch


_NO_ROOM = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # ours: a bug
    except sqlite3.DatabaseError as error:
        raise _named(error) from error
    except UnicodeDecodeError as error:
        # SQLite's own message quoted damaged bytes, and the driver could not make text of it.
        raise _damaged("it cannot even say where") from error


def _named(error: sqlite3.DatabaseError) -> MeshrelayError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return StoreFull("the store is full", hint="make room on the disk; the store takes a tenth of it, 2 GB at most")
    if code in _NO_ROOM:
        return StoreFull("the disk takes no more", hint="make room on the disk; if there is room, it may be failing")
    if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreUnusable(
            f"another process has been writing to the store for {BUSY_SECONDS} s", hint="wait, then try again"
        )
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT):
        return _damaged(str(error))
    return StoreUnusable(f"the store cannot be used: {error}", hint="see that its folder can be read and written")


def _damaged(how: str) -> StoreDamaged:
    return StoreDamaged(f"the store is damaged: {how}", hint=migrations.DAMAGED_HINT)
