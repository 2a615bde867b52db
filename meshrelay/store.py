"""Where signed items live: one SQLite file, and all SQL that reads items out of it.

What changes the tables is in tables.py, what one row is in rows.py, the file itself in database.py, the search by words
in fulltext.py. Not here: what is valid (core.admission), what is believed (core.trust), what may stay when room runs
out, the index that relays reconcile by (index.py), and this relay's private facts (local.py).

Law: what :meth:`Store.put_many` returned is on the disk, and what comes out is what went in. A row whose bytes have
changed since leaves the store instead, so that it counts as missing and is fetched again. Nothing of SQL shows in the
interface: cursors are opaque, and another engine may stand behind it. Source: docs/architecture.md, "Storage".
"""

# What stands in the text of a statement here is a constant of this module or a row of question marks:
# ruff: noqa: S608

from __future__ import annotations

import re
import shutil
import sqlite3
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from meshrelay import database, fulltext, migrations, tables
from meshrelay.core.admission import admit, reopen
from meshrelay.core.bulletin import ACTS_FOR
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.quota import OPERATORS_LINK, Link, Placed, Share, Through, Way, cost
from meshrelay.errors import InvalidItem, NotFound, StoreFull, StoreUnusable
from meshrelay.rows import (
    AT,
    COLUMNS,
    ROWS_AT_ONCE,
    SELECT,
    Held,
    Row,
    chunks,
    held_of,
    is_id,
    is_key,
    is_whole,
    marks,
)
from meshrelay.tables import REMEMBERED

BYTES_AT_ONCE = 1 << 20
"""Envelope bytes a transaction: even a slow memory card takes these in 200 ms."""
MAX_BYTES = 2 << 30
"""The largest store, unless its opener says otherwise."""

LET_GO_AT_ONCE = 50
"""Rows a transaction when room has run out: even deleting takes some."""

_WAL_PAGES = 4000
_FEWEST_WAL_PAGES = 500
_VACUUM_PAGES = 2000
_FRESH_TEXTS = 2000
_FRESH_SIZE = 4096
_CACHE_KIB = 16_000

Order: TypeAlias = Literal["urgent", "newest"]


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, and the cursor to go on from, or None at the end; `cursors` go on after each of its rows."""

    rows: tuple[Held, ...]
    next: str | None
    cursors: tuple[str, ...] = ()


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
        with database.named_errors():
            self._writer = self._connect_writer()
            self._watcher = database.connect(self._path)
        self._watch_lock = threading.Lock()
        self._fresh: dict[bytes, str] = {}
        self.misplaced = 0
        """Rises whenever items may be outside of the pool that belong in it, until :meth:`settle` has sorted them."""

    @classmethod
    def open(cls, path: Path, *, max_bytes: int | None = None) -> Store:
        """Open the store, making or upgrading it where needed.

        `max_bytes` caps its file: without it, the smaller of MAX_BYTES and a tenth of the disk. A file that is larger
        already keeps what it has and takes no more.

        Raises StoreUnusable when the file is of a newer version, StoreDamaged when it is damaged or no store.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database.prepare(path)
        return cls(path, max_bytes=max_bytes or min(MAX_BYTES, shutil.disk_usage(path).total // 10))

    @classmethod
    def rescue(cls, path: Path, *, max_bytes: int | None = None) -> Store:
        """Open a store in place of one that cannot be opened, with what is whole of it; see :meth:`rebuild`."""
        database.set_aside(path)
        store = cls.open(path, max_bytes=max_bytes)
        store.take_over()
        return store

    def rebuild(self) -> None:
        """Set the damaged file aside, begin a new one, and take over every item that is whole.

        Cursors end. The old file is deleted when all of it could be read; otherwise it stays until the next time.
        """
        with self._write_lock, self._watch_lock:
            self._check_open()
            database.set_aside(self._path)
            try:
                database.prepare(self._path)
                with database.named_errors():
                    writer, watcher = self._connect_writer(), database.connect(self._path)
            except (StoreFull, StoreUnusable):
                database.put_back(self._path)
                raise
            for connection in (*self._readers, self._watcher, self._writer):
                connection.close()
            self._readers = deque()  # whoever reads at this moment closes its own
            self._writer, self._watcher = writer, watcher
        self.take_over()

    def take_over(self) -> None:
        """Take over what is whole of a file that was set aside; nothing, where there is none or all of it was done.

        Cut short, or where there is no room for all, it begins anew at the next call.
        """
        aside = database.salvage_of(self._path)
        if not aside.exists():
            return
        whole = True
        for part in database.salvaged(aside):
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
            try:
                self.put_many(items, received=received)
            except StoreFull:
                return
            finally:
                self.misplaced += 1
        kept = database.aside_of(self._path)
        database.move(aside, kept)
        if whole:
            for one in database.beside(kept):
                one.unlink(missing_ok=True)

    def look_over(self) -> None:
        """Raise StoreDamaged where the file is damaged beyond single items, which :meth:`scrub` finds."""
        with self._reading() as db:
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise database.damaged(str(found).replace("\n", " "))
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
                fresh = tables.put(db, batch, received=received, pooled=pooled, link=link)
            new += [item.id for item in fresh]
            # Their text is at hand now and costs a decoding later.
            for item in fresh[: max(0, _FRESH_TEXTS - len(self._fresh))]:
                if item.header.size <= _FRESH_SIZE:
                    self._fresh[item.id] = fulltext.text_of(item.body)
        return tuple(new)

    def remove(self, ids: Iterable[bytes]) -> int:
        """Remove items and return how many were held; as on arrival, done means on the disk."""
        removed = 0
        for batch in chunks(ids):
            with self._writing() as db:
                removed += tables.remove(db, batch)
        return removed

    def get_many(self, ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the envelopes that are held, by id; damaged ones are removed instead."""
        found: dict[bytes, bytes] = {}
        damaged: list[int] = []
        for batch in chunks(ids):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT i.n, i.id, i.digest, e.data FROM items i LEFT JOIN envelopes e USING (n)"
                    f" WHERE i.id IN ({marks(batch)})",
                    batch,
                ).fetchall()
            for n, item, digest, data in rows:
                if is_whole(item, digest, data):
                    found[item] = data
                else:
                    damaged.append(n)
        self._heal(damaged)
        return found

    def statements(self, authors: Collection[bytes]) -> tuple[bytes, ...]:
        """Return the envelopes of all that these keys say about keys (class 0), alone or together with others."""
        ids = list[bytes]()
        for batch in chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT i.id FROM authors a JOIN items i INDEXED BY items_author ON i.author = a.n"
                    f" WHERE a.key IN ({marks(batch)}) AND i.stream IS NULL AND i.key < x'01'"
                    f" UNION SELECT i.id FROM signers s JOIN items i ON i.n = s.item WHERE s.key IN ({marks(batch)})",
                    (*batch, *batch),
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
        for batch in chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    f"SELECT key FROM authors a WHERE key IN ({marks(batch)})"
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
        for batch in chunks(ids):
            with self._reading() as db:
                numbers = tables.author_numbers(db, authors)
                if not numbers:
                    return {}
                rows = db.execute(
                    "SELECT targets, id FROM items INDEXED BY items_attests WHERE kind = 'attestation'"
                    f" AND targets IN ({marks(batch)}) AND author IN ({marks(numbers)})",
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
            numbers = tables.author_numbers(db, but)
            (count,) = db.execute(
                "SELECT count(DISTINCT author) FROM (SELECT author FROM items INDEXED BY items_attests"
                f" WHERE kind = 'attestation' AND targets = ? AND author NOT IN ({marks(numbers)}) LIMIT ?)",
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
        for batch in chunks(ids):
            found += self._held(f"WHERE i.id IN ({marks(batch)})", batch)
        return {one.header.id: one for one in found}

    def by_key(self, keys: Iterable[bytes]) -> dict[bytes, Header]:
        """Return the headers that are held, by reconciliation key."""
        found: list[Held] = []
        for batch in chunks(keys):
            # Two ids that share their first half would share a key: the first to come stands for it.
            found += self._held(f"WHERE i.key IN ({marks(batch)}) ORDER BY i.n DESC", batch)
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
            rest += f" AND a.key IN ({marks(authors)})"
        if not_authors:
            rest += f" AND a.key NOT IN ({marks(not_authors)})"
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
            numbers = tables.author_numbers(db, colleagues)
        for batch in chunks(ids):
            for one in self._held(tables.acting(batch, numbers), (*batch, *numbers)):
                found[one.header.id] = one
        return tuple(sorted(found.values(), key=lambda one: (one.header.sent, one.header.id)))

    def first_acting_on(self, ids: Iterable[bytes], *, since: int, until: int) -> tuple[Held, ...]:
        """Return of each of these items one Update or Cancel by its author that names it, if any was signed then.

        `since` and `until` are both included. However many there are of one, this costs as much as the items asked for.
        """
        found: dict[bytes, Held] = {}
        for batch in chunks(ids):
            for one in self._held(tables.first_acting(batch), (since, until, *batch)):
                found[one.header.id] = one
        return tuple(found.values())

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
                f" AND seq IN ({marks(numbers)})"
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
            where.append(tables.ACTED_ON)
        for condition, value in (
            ("i.expires > ?", live_at),
            (f"(i.expires <= ? OR {tables.ACTED_ON})", ended_at),
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
                numbers = tables.author_numbers(db, authors)
                where.append(f"i.author IN ({marks(numbers)})")
                arguments += numbers
                if tables.are_few(db, numbers):
                    index = "items_author"
            if not_authors:
                numbers = tables.author_numbers(db, not_authors)
                where.append(f"i.author NOT IN ({marks(numbers)})")
                arguments += numbers
            direction = "ASC" if order == "urgent" else "DESC"
            rows = db.execute(
                f"SELECT {COLUMNS} FROM items i INDEXED BY {index} LEFT JOIN authors a ON a.n = i.author"
                f" WHERE {' AND '.join(where)} ORDER BY i.{column} {direction}, i.n {direction} LIMIT ?",
                (*arguments, limit + 1),
            ).fetchall()
        checked = self._checked(rows[:limit])
        sound = [(one, row) for one, row in zip(checked, rows, strict=False) if one is not None]
        more = len(rows) > limit and sound
        cursors = tuple(_place(order, row[AT[column]], row[0]) for _, row in sound)
        return Page(tuple(one for one, _ in sound), cursors[-1] if more else None, cursors)

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
            total = tables.share(*db.execute("SELECT items, bytes FROM state").fetchone())
            for batch in chunks(keys):
                rows = db.execute(f"SELECT key, items, bytes FROM authors WHERE key IN ({marks(batch)})", batch)
                found |= {key: tables.share(items, size) for key, items, size in rows}
        return Shares((pages - free) * migrations.PAGE_SIZE, pages * migrations.PAGE_SIZE, total, found)

    def pool(self) -> Share:
        """Return how much is in the pool."""
        with self._reading() as db:
            return tables.share(
                *db.execute("SELECT ifnull(sum(items), 0), ifnull(sum(bytes), 0) FROM links").fetchone()
            )

    def links(self) -> dict[int, Through]:
        """Return what of the pool came by each link."""
        with self._reading() as db:
            rows = db.execute("SELECT n, way, items, bytes FROM links").fetchall()
        return {n: Through(_WAYS.get(way, Way.CALLED), tables.share(items, size)) for n, way, items, size in rows}

    def parts(self, authors: Collection[bytes]) -> dict[tuple[int, bytes], Share]:
        """Return what of the pool these keys hold, by link and key."""
        found = dict[tuple[int, bytes], Share]()
        for batch in chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    "SELECT p.link, a.key, p.items, p.bytes FROM authors a JOIN parts p ON p.author = a.n"
                    f" WHERE a.key IN ({marks(batch)})",
                    batch,
                )
                found |= {(link, key): tables.share(items, size) for link, key, items, size in rows}
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
                sum_of_costs += tables.share(items, size).cost
        return tuple(found)

    def expendable(
        self, author: bytes, *, now: int, together: int, pooled: bool, links: Collection[int] = ()
    ) -> tuple[Placed, ...]:
        """Return items of a key in the pool, or outside of it, what goes first at the front: core.quota.worth.

        As many as it takes to hold so much `together`, by core.quota.cost: of what came by `links`, if any are given.
        """
        rows = list[Row]()
        sum_of_costs = 0
        with self._reading() as db:
            for row in db.execute(
                f"SELECT {COLUMNS}, i.link FROM items i LEFT JOIN authors a ON a.n = i.author"
                " WHERE i.author = (SELECT n FROM authors WHERE key = ?) AND (i.link IS NOT NULL) = ?"
                " ORDER BY i.key < x'01', ifnull(i.msg_type IN ('Update', 'Cancel'), 0), ifnull(i.expires > ?, 1),"
                " i.pressing DESC, i.id",
                (author, pooled, now),
            ):
                if sum_of_costs >= together:
                    break
                rows.append(row)
                if isinstance(row[AT["size"]], int) and (not links or row[-1] in links):
                    sum_of_costs += cost(row[AT["size"]])
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
            tables.open_link(db, OPERATORS_LINK)
            for n, key in outside:
                if key in known or left <= 0:
                    continue
                rows = db.execute("SELECT n, id FROM items WHERE author = ? AND link IS NULL", (n,))
                come = list(islice((row[0] for row in rows if row[1] not in lasting), left))
                left -= len(come)
                db.executemany("UPDATE items SET link = ? WHERE n = ?", [(OPERATORS_LINK.number, one) for one in come])
            for batch in chunks(known):
                numbers = tables.author_numbers(db, batch)
                left -= tables.take_out_of_pool(
                    db,
                    "parts p JOIN items i ON i.author = p.author AND i.link = p.link"
                    f" WHERE p.author IN ({marks(numbers)})",
                    numbers,
                    limit=left,
                )
            for batch in chunks(lasting):
                left -= tables.take_out_of_pool(
                    db, f"items i WHERE i.id IN ({marks(batch)}) AND i.link IS NOT NULL", batch, limit=left
                )
            db.execute("DELETE FROM links WHERE items <= 0")
        return left <= 0

    def move(self, ids: Collection[bytes], *, pooled: bool) -> None:
        """Give items their place in the pool, by the operator's link, or outside of it."""
        for batch in chunks(ids):
            with self._writing() as db:
                if pooled:
                    tables.open_link(db, OPERATORS_LINK)
                db.execute(
                    f"UPDATE items SET link = ? WHERE id IN ({marks(batch)}) AND (link IS NULL) = ?",
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
        for batch in chunks(ids):
            with self._writing() as db:
                about = db.execute(
                    "SELECT i.id, a.key, i.sent FROM targets t JOIN items i ON i.n = t.item JOIN authors a ON"
                    f" a.n = i.author WHERE t.token IN ({marks(batch)}) AND i.kind = 'attestation' LIMIT ?",
                    (*batch, most),
                ).fetchall()
                removed += tables.remove(db, batch)
                for more in chunks([item for item, _, _ in about]):
                    removed += tables.remove(db, more)
                tables.decline(db, {(author, item): sent + ACTS_FOR for item, author, sent in about})
        return removed

    def let_go(self, headers: Sequence[Header], *, coming: Sequence[Header] = ()) -> int:
        """Remove items to make room, in this order, and return how many.

        With an Update or Cancel goes what it acts on, held or `coming`, and does not come back: see :meth:`went`.
        """
        removed = 0
        for at in range(0, len(headers), LET_GO_AT_ONCE):
            with self._writing() as db:
                removed += tables.let_go(db, headers[at : at + LET_GO_AT_ONCE], coming=coming)
        return removed

    def has_let_go(self) -> bool:
        """Tell whether any Update or Cancel had to make room lately."""
        with self._reading() as db:
            return db.execute("SELECT 1 FROM let_go LIMIT 1").fetchone() is not None

    def went(self, headers: Collection[Header], *, now: int) -> frozenset[bytes]:
        """Return ids of those that an Update or Cancel ended which had to make room: alone they would live again."""
        found = set[bytes]()
        if not self.has_let_go():
            return frozenset()
        with self._reading() as db:
            for one in headers:
                if db.execute(
                    "SELECT 1 FROM let_go WHERE author = ? AND token IN (?, ?) AND until > ?",
                    (one.author, one.id, one.alias, now),
                ).fetchone():
                    found.add(one.id)
        return frozenset(found)

    def went_by(self, header: Header, *, authors: Collection[bytes], now: int) -> dict[bytes, int]:
        """Return which of these other keys named an item in an act that had to make room, and until when that holds."""
        found = dict[bytes, int]()
        for batch in chunks(authors):
            with self._reading() as db:
                rows = db.execute(
                    f"SELECT author, max(until) FROM let_go WHERE author IN ({marks(batch)}) AND token IN (?, ?)"
                    " AND until > ? GROUP BY author",
                    (*batch, header.id, header.alias, now),
                )
                found.update(rows)
        return found

    def in_one_name(self, act: Header, *, limit: int) -> tuple[Header, ...]:
        """Return held items that an act names and that name the same organisation, oldest first."""
        found = dict[bytes, Header]()
        for batch in chunks(act.targets):
            for column in ("id", "alias"):
                held = self._held(
                    f"WHERE i.{column} IN ({marks(batch)}) AND i.org = ? ORDER BY i.n LIMIT ?", (*batch, act.org, limit)
                )
                found |= {one.header.id: one.header for one in held}
        return tuple(found.values())[:limit]

    def shrink(self) -> None:
        """Write the log into the file and give unused pages back to the disk, as far as readers let it."""
        with self._write_lock, database.named_errors():
            self._check_open()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            self._writer.execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # What changed

    def keys(self) -> tuple[bytes, str]:
        """Return all reconciliation keys, sorted, in one buffer, and the change cursor they stand for."""
        with self._reading() as db:
            epoch, sequence = tables.state(db)
            keys = [row[0] for row in db.execute("SELECT key FROM items ORDER BY key")]
        if not all(map(is_key, keys)):  # of damaged rows, which scrubbing will meet
            keys = list(filter(is_key, keys))
        return b"".join(keys), _cursor(epoch, sequence)

    def changes(self, cursor: str, *, limit: int = 10_000) -> Changes:
        """Return what changed since `cursor`, in every process, at most `limit` rows; no rows means up to date.

        An item that came and went in between shows as removed alone. Cursors outlive restarts.
        """
        with self._reading() as db:
            epoch, sequence = tables.state(db)
            since = _read_cursor(cursor, epoch)
            if since is None or not sequence - REMEMBERED <= since <= sequence:
                return Changes((), _cursor(epoch, sequence), reset=True)
            rows = db.execute(
                "SELECT n, key, id, 0 FROM items WHERE n > ?1 UNION ALL SELECT n, key, id, 1 FROM removals"
                " WHERE n > ?1 ORDER BY n LIMIT ?2",
                (since, limit),
            ).fetchall()
        reached = rows[-1][0] if len(rows) == limit else sequence
        changes = tuple(Change(key, item, bool(gone)) for _, key, item, gone in rows if is_key(key) and is_id(item))
        return Changes(changes, _cursor(epoch, reached), reset=False)

    def data_version(self) -> int:
        """Return a number that differs from the last one when anything was written, by this process or another."""
        with self._watch_lock, database.named_errors():
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
                indexed = tables.indexed(db)
                _, sequence = tables.state(db)
                rows = db.execute(
                    "SELECT n, id FROM items WHERE n > ? AND kind = 'bulletin' ORDER BY n LIMIT ?",
                    (indexed, min(limit - done, ROWS_AT_ONCE)),
                ).fetchall()
            if indexed == sequence:
                self._fresh.clear()
                break
            texts = self._texts(rows)
            with self._writing() as db:
                if tables.indexed(db) != indexed:
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
            rows = db.execute(f"{SELECT} WHERE i.n > ? ORDER BY i.n LIMIT ?", (since, limit)).fetchall()
        sound = {row[0]: one.header for row, one in zip(rows, self._checked(rows), strict=True) if one is not None}
        by_id = self.headers(header.id for header in sound.values())
        by_key = self.by_key(header.key for header in sound.values())
        # Rows that the indexes have lost: nobody would find them, and an index made anew does.
        self._heal([n for n, header in sound.items() if header.id not in by_id or header.key not in by_key])
        self.get_many(by_id)
        if len(rows) == limit:
            return f"{rows[-1][0]:x}"
        with suppress(StoreFull, StoreUnusable), self._writing() as db:
            self.misplaced += tables.recount(db)
        return None

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the store to `path`, which must not exist; writers need not wait.

        Cursors of this store mean nothing to the copy.
        """
        if path.exists():
            raise FileExistsError(path)
        path.touch(mode=0o600)
        with (
            database.named_errors(),
            closing(database.connect(self._path)) as db,
            closing(sqlite3.connect(path)) as copy,
        ):
            db.execute("VACUUM INTO ?", (str(path),))
            with copy:
                copy.execute("UPDATE state SET epoch = randomblob(8)")
                # What came together with what is nobody's business where the copy goes.
                copy.execute("UPDATE items SET link = NULL WHERE link IS NOT NULL")

    # Beneath

    def _connect_writer(self) -> sqlite3.Connection:
        db = database.connect(self._path)
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
        with self._write_lock, database.named_errors():
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
            db = database.connect(self._path)
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
        with database.named_errors(), self._pooled() as db:
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

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the store is closed")

    def _held(self, rest: str, arguments: Sequence[object]) -> list[Held]:
        with self._reading() as db:
            rows = db.execute(f"{SELECT} {rest}", arguments).fetchall()
        return [one for one in self._checked(rows) if one is not None]

    def _checked(self, rows: Sequence[Row]) -> list[Held | None]:
        """Return the rows as values, None for those that are not what went in; the latter leave the store."""
        held = [held_of(row) for row in rows]
        damaged = [row[0] for row, one in zip(rows, held, strict=True) if one is None]
        self._heal(damaged)
        return held

    def _heal(self, numbers: Sequence[int]) -> None:
        if numbers:
            # Reading goes on when damage cannot be cleared away now (the disk is full); it is met again.
            with suppress(StoreFull, StoreUnusable), self._writing() as db:
                self.misplaced += tables.clear_away(db, numbers)


_WEIGHT = "max(p.items * 262144, p.bytes * 10)"

_WAYS: dict[str | None, Way] = {way.value: way for way in Way}


# Cursors


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
