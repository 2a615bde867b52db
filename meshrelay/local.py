"""This relay's private, unsigned facts: whom its people know, block and met, what they hide, plan or draft; the inbox.

They live in DATA/local.db and never leave it. The law: nothing in here names a reader, but for how a visitor wishes to
be reached, where they wrote that into a report.
Other processes write here too; :meth:`Local.version` changes when they did.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import filelock
import sqlite_utils
from sqlite_utils.migrations import Migrations

from meshrelay import database
from meshrelay.core.trust import Anchor, How
from meshrelay.errors import NotesDamaged, StoreDamaged, StoreUnusable
from meshrelay.migrations import take

FORGET_PEERS_AFTER = 30 * 86400
FORGET_REPORTS_AFTER: Final = 30 * 86400
MOST_NEW_REPORTS: Final = 200
MOST_REPORTED: Final = 64 * 1024
"""Bytes of text that all the reports of a day may have."""
PAUSED: Final = "it came with a backup, and may be published where that was made"
_NEVER: Final = 2**62
_ID_SIZE: Final = 32
_ONE_BY_ONE: Final = 200
_ROOM: Final = "see that there is room on the disk, and that its folder can be written"

_POSTER_ADDRESS: Final = "poster address"

_migrations = Migrations("meshrelay-local")


@_migrations()
def _first(db: sqlite_utils.Database) -> None:
    db.table("anchors").create({"key": bytes, "petname": str, "since": int, "how": str}, pk="key")
    db.table("waiting").create({"digits": str, "petname": str, "since": int}, pk="digits")
    db.table("blocks").create({"key": bytes, "since": int}, pk="key")
    db.table("peers").create(
        {"uri": str, "relay_id": bytes, "name": str, "how": str, "last_contact": int, "kept": int}, pk="uri"
    )
    db.table("facts").create({"name": str, "value": bytes}, pk="name")


@_migrations()
def _second(db: sqlite_utils.Database) -> None:
    db.table("hidden").create({"id": bytes, "since": int, "reason": str, "expires": int, "dropped": int}, pk="id")
    db.table("kept_back").create({"id": bytes, "until": int}, pk="id")
    db.table("drafts").create({"name": str, "form": bytes, "saved": int}, pk="name")
    db.table("planned").create(
        {
            "n": int,
            "due": int,
            "key": str,
            "draft": bytes,
            "hide_source": int,
            "item": bytes,
            "trouble": str,
            "again": int,
        },
        pk="n",
    )


@_migrations()
def _inbox(db: sqlite_utils.Database) -> None:
    db.table("inbox").create(
        {
            "n": int,
            "received": int,
            "language": str,
            "what": str,
            "place": str,
            "seen": str,
            "contact": str,
            "state": str,
        },
        pk="n",
    )


@_migrations()
def _followed(db: sqlite_utils.Database) -> None:
    db.table("followed").create({"root": bytes, "since": int}, pk="root")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fingerprint that the operator trusts, of which no key has arrived yet."""

    code: str
    """In digits or in words, in the form of core.keys."""
    petname: str
    since: int


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A relay in the address book; `kept` ones were given by the operator and are never forgotten."""

    uri: str
    relay_id: bytes | None
    name: str
    how: str
    last_contact: int
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Hidden:
    """An item that this relay's people do not show; `dropped` ones are not held or taken either."""

    id: bytes
    since: int
    reason: str = ""
    expires: int | None = None
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that may become a bulletin: JSON or CAP, as it was given."""

    name: str
    form: bytes
    saved: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A bulletin to be signed at a time to come.

    `draft` is its payload as core.encoding writes it. `item` is the id under which it was last signed, written
    before it is stored. After a `trouble` it is tried again at `again`.
    """

    due: int
    key: str
    draft: bytes
    hide_source: bool = False
    n: int = 0
    item: bytes | None = None
    trouble: str = ""
    again: int = 0


class ReportState(StrEnum):
    """What has become of a report."""

    NEW = "new"
    PUBLISHED = "published"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True)
class Report:
    """What a visitor told this relay; `seen` is when, in the visitor's words, `contact` how they wish to be reached."""

    received: int
    language: str
    what: str
    place: str
    seen: str = ""
    contact: str = ""
    state: ReportState = ReportState.NEW
    n: int = 0


class Local:
    """The database of private facts; safe to use from several threads. What cannot be read raises StoreUnusable."""

    def __init__(self, connection: sqlite3.Connection, watcher: sqlite3.Connection) -> None:
        self._connection = connection
        self._watcher = watcher
        self._lock = threading.Lock()
        self._own_writes = 0

    @classmethod
    def open(cls, path: Path) -> Local:
        """Open or make the database; raises StoreUnusable when it cannot be used, NotesDamaged when it is damaged."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        try:
            with ExitStack() as undo:
                connection = undo.enter_context(closing(_connect(path)))
                # Two processes may be the first to open it at the same moment.
                with filelock.FileLock(_lock_of(path), mode=0o600):
                    connection.execute("PRAGMA journal_mode = WAL")
                    _bring_up(connection)
                watcher = undo.enter_context(closing(_connect(path)))
                undo.pop_all()
            return cls(connection, watcher)
        except _UNREADABLE as error:
            raise _unreadable(error) from error

    @classmethod
    def rescue(cls, path: Path) -> Local:
        """Open a database in place of a damaged one, with what can be read of it, which may be nothing.

        The old file is kept beside it until somebody removes it; see :func:`set_aside_at`. Whoever is killed meanwhile
        has either of them in its place.
        """
        fresh = path.with_name(path.name + ".fresh")
        try:
            aside = database.copy_aside(path)
            for old in (*database.beside(fresh), _lock_of(fresh)):
                old.unlink(missing_ok=True)
            with closing(cls.open(fresh)) as local:
                for table, kinds in _form(local._connection).items():
                    named, marks = ", ".join(kinds), ", ".join("?" * len(kinds))
                    rows = list(_readable(aside, table, kinds))
                    local._write(f"INSERT OR IGNORE INTO {table} ({named}) VALUES ({marks})", *rows)  # noqa: S608  # our names
            database.replace(path, by=fresh)
            _lock_of(fresh).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnusable(
                f"this relay's own notes are damaged, and cannot be made anew: {error}", hint=_ROOM
            ) from error
        return cls.open(path)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
        self._watcher.close()

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy to `path`, which must not exist; raises StoreUnusable when that cannot be."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        with self._lock:
            try:
                self._connection.execute("VACUUM INTO ?", (str(path),))
            except sqlite3.Error as error:
                raise StoreUnusable(
                    f"this relay's own notes cannot be copied: {error}", hint="see that there is room on the disk"
                ) from error

    def version(self) -> tuple[int, int]:
        """Return a value that differs once anything here was written, by this process or another."""
        with self._lock:
            try:
                return self._own_writes, self._watcher.execute("PRAGMA data_version").fetchone()[0]
            except _UNREADABLE as error:
                raise _unreadable(error) from error

    # Whom this relay knows

    def anchors(self) -> tuple[Anchor, ...]:
        """Return every anchor, oldest first."""
        rows = self._read("SELECT key, petname, since, how FROM anchors ORDER BY since, petname")
        return tuple(Anchor(bytes(key), petname, since, How(how)) for key, petname, since, how in rows)

    def add_anchor(self, anchor: Anchor) -> None:
        """Know a key from now on; a new petname replaces the old one."""
        self._write(
            "INSERT OR REPLACE INTO anchors (key, petname, since, how) VALUES (?, ?, ?, ?)",
            (anchor.key, anchor.petname, anchor.since, str(anchor.how)),
        )

    def remove_anchor(self, key: bytes) -> bool:
        """Stop knowing a key; tell whether it was known."""
        return self._write("DELETE FROM anchors WHERE key = ?", (key,)) > 0

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the fingerprints whose keys have not arrived yet."""
        rows = self._read("SELECT digits, petname, since FROM waiting ORDER BY since")
        return tuple(Waiting(*row) for row in rows)

    def add_waiting(self, waiting: Waiting) -> None:
        """Remember a fingerprint until its key arrives."""
        self._write(
            "INSERT OR REPLACE INTO waiting (digits, petname, since) VALUES (?, ?, ?)",
            (waiting.code, waiting.petname, waiting.since),
        )

    def remove_waiting(self, code: str) -> bool:
        """Forget a fingerprint; tell whether it was there."""
        return self._write("DELETE FROM waiting WHERE digits = ?", (code,)) > 0

    def blocked(self) -> frozenset[bytes]:
        """Return the keys whose items this relay neither takes nor shows."""
        return frozenset(bytes(key) for (key,) in self._read("SELECT key FROM blocks"))

    def block(self, key: bytes, *, now: int) -> None:
        """Block a key."""
        self._write("INSERT OR IGNORE INTO blocks (key, since) VALUES (?, ?)", (key, now))

    def unblock(self, key: bytes) -> bool:
        """Take a block back; tell whether there was one."""
        return self._write("DELETE FROM blocks WHERE key = ?", (key,)) > 0

    def followed(self) -> frozenset[bytes]:
        """Return the roots that the operator follows where an organisation's roots exclude each other."""
        return frozenset(bytes(root) for (root,) in self._read("SELECT root FROM followed"))

    def follow(self, root: bytes, *, instead_of: Collection[bytes], now: int) -> None:
        """Follow a root, and none of its rivals any more."""
        self._write("INSERT OR IGNORE INTO followed (root, since) VALUES (?, ?)", (root, now))
        for rival in set(instead_of) - {root}:
            self._write("DELETE FROM followed WHERE root = ?", (rival,))

    # Where other relays were met

    def peers(self) -> tuple[KnownPeer, ...]:
        """Return the address book, last met first."""
        rows = self._read("SELECT uri, relay_id, name, how, last_contact, kept FROM peers ORDER BY last_contact DESC")
        return tuple(
            KnownPeer(uri, relay_id, name, how, last, bool(kept)) for uri, relay_id, name, how, last, kept in rows
        )

    def save_peer(self, peer: KnownPeer) -> None:
        """Write an entry of the address book; one that was kept stays kept, and an id once learnt is not forgotten."""
        self._write(
            "INSERT INTO peers (uri, relay_id, name, how, last_contact, kept) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (uri) DO UPDATE SET relay_id = coalesce(excluded.relay_id, relay_id), name = excluded.name, "
            "how = excluded.how, last_contact = max(last_contact, excluded.last_contact), "
            "kept = max(kept, excluded.kept)",
            (peer.uri, peer.relay_id, peer.name, peer.how, peer.last_contact, int(peer.kept)),
        )

    def remove_peer(self, uri: str) -> bool:
        """Strike an entry from the address book; tell whether it was there."""
        return self._write("DELETE FROM peers WHERE uri = ?", (uri,)) > 0

    def forget_peers(self, *, now: int) -> int:
        """Strike what was last met over 30 days ago and not given by the operator; return how many."""
        return self._write("DELETE FROM peers WHERE NOT kept AND last_contact < ?", (now - FORGET_PEERS_AFTER,))

    # What is not shown

    def hidden(self) -> tuple[Hidden, ...]:
        """Return what is hidden, the latest first."""
        rows = self._read("SELECT id, since, reason, expires, dropped FROM hidden ORDER BY since DESC, id")
        return tuple(
            Hidden(bytes(item), since, reason, expires, bool(dropped)) for item, since, reason, expires, dropped in rows
        )

    def hide(self, hidden: Hidden) -> None:
        """Hide an item from now on; what was dropped stays so."""
        self._write(
            "INSERT INTO hidden (id, since, reason, expires, dropped) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, dropped = max(dropped, excluded.dropped)",
            (hidden.id, hidden.since, hidden.reason, hidden.expires, int(hidden.dropped)),
        )

    def unhide(self, item: bytes) -> bool:
        """Show an item again, and take it in again; tell whether it was hidden."""
        return self._write("DELETE FROM hidden WHERE id = ?", (item,)) > 0

    # What is kept back from other relays for a while

    def kept_back(self) -> dict[bytes, int]:
        """Return the own items that no other relay may hear of yet, and until when."""
        return {bytes(item): until for item, until in self._read("SELECT id, until FROM kept_back")}

    def keep_back(self, item: bytes, *, until: int) -> None:
        """Keep an item back; to be written before the item is stored."""
        self._write("INSERT OR REPLACE INTO kept_back (id, until) VALUES (?, ?)", (item, until))

    def let_go(self, item: bytes) -> bool:
        """Keep an item back no longer; tell whether it was."""
        return self._write("DELETE FROM kept_back WHERE id = ?", (item,)) > 0

    # Forms

    def drafts(self) -> tuple[Draft, ...]:
        """Return every draft, by name."""
        return tuple(Draft(*row) for row in self._read("SELECT name, form, saved FROM drafts ORDER BY name"))

    def save_draft(self, draft: Draft) -> None:
        """Keep a draft; one of the same name is replaced."""
        self._write(
            "INSERT OR REPLACE INTO drafts (name, form, saved) VALUES (?, ?, ?)", (draft.name, draft.form, draft.saved)
        )

    def remove_draft(self, name: str) -> bool:
        """Throw a draft away; tell whether it was there."""
        return self._write("DELETE FROM drafts WHERE name = ?", (name,)) > 0

    # What is to be published later

    def planned(self, *, due: int | None = None, limit: int = -1) -> tuple[Planned, ...]:
        """Return what is planned, the soonest first; with `due` only what is to be tried by then."""
        rows = self._read(
            "SELECT due, key, draft, hide_source, n, item, trouble, again FROM planned "
            "WHERE max(due, again) <= coalesce(?, max(due, again)) ORDER BY due, n LIMIT ?",
            (due, limit),
        )
        return tuple(
            Planned(due, key, draft, bool(hide), n, item, trouble, again)
            for due, key, draft, hide, n, item, trouble, again in rows
        )

    def plan(self, planned: Planned) -> int:
        """Remember a bulletin until its time; return the number that it got."""
        self._write(
            "INSERT INTO planned (due, key, draft, hide_source, trouble, again) VALUES (?, ?, ?, ?, '', 0)",
            (planned.due, planned.key, planned.draft, int(planned.hide_source)),
        )
        return max(one.n for one in self.planned() if one.draft == planned.draft)

    def note_signed(self, n: int, item: bytes) -> None:
        """Write down under which id something planned was signed; to be written before the item is stored."""
        self._write("UPDATE planned SET item = ? WHERE n = ?", (item, n))

    def note_trouble(self, n: int, trouble: str, *, again: int) -> None:
        """Write down why something planned could not be published, and when to try again."""
        self._write("UPDATE planned SET trouble = ?, again = ? WHERE n = ?", (trouble, again, n))

    def pause(self, n: int) -> bool:
        """Let something planned wait for :meth:`resume`, however long it is due; tell whether it was there."""
        return self._write("UPDATE planned SET trouble = ?, again = ? WHERE n = ?", (PAUSED, _NEVER, n)) > 0

    def resume(self, n: int) -> bool:
        """Let something planned be published at its time after all; tell whether it was there."""
        return self._write("UPDATE planned SET trouble = '', again = 0 WHERE n = ?", (n,)) > 0

    def unplan(self, n: int) -> bool:
        """Strike something planned; tell whether it was there."""
        return self._write("DELETE FROM planned WHERE n = ?", (n,)) > 0

    # The inbox

    def reports(self, *, new: bool = True) -> tuple[Report, ...]:
        """Return the reports, oldest first; unless `new`, those too that were published or dismissed."""
        rows = self._read(
            "SELECT received, language, what, place, seen, contact, state, n FROM inbox "
            "WHERE state = 'new' OR NOT ? ORDER BY n",
            (int(new),),
        )
        return tuple(
            Report(received, language, what, place, seen, contact, ReportState(state), n)
            for received, language, what, place, seen, contact, state, n in rows
        )

    def add_report(self, report: Report) -> bool:
        """Keep a report; tell whether there was room: for 200 new ones, and for 64 KiB of text within a day."""
        now = report.received
        self._write("DELETE FROM inbox WHERE state != 'new' AND abs(received - ?) > ?", (now, FORGET_REPORTS_AFTER))
        texts = (report.language, report.what, report.place, report.seen, report.contact)
        size = sum(len(text.encode()) for text in texts)
        count = self._write(
            "INSERT INTO inbox (received, language, what, place, seen, contact, state) SELECT ?, ?, ?, ?, ?, ?, 'new' "
            "WHERE (SELECT count(*) FROM inbox WHERE state = 'new') < ? "
            "AND (SELECT coalesce(sum(length(CAST(language || what || place || seen || contact AS BLOB))), 0) "
            "FROM inbox WHERE abs(received - ?) < 86400) + ? <= ?",
            (now, *texts, MOST_NEW_REPORTS, now, size, MOST_REPORTED),
        )
        return count > 0

    def close_report(self, n: int, state: ReportState) -> bool:
        """Say what became of a new report; a dismissed one loses its contact. Tell whether it was there and new."""
        return (
            self._write(
                "UPDATE inbox SET state = ?, contact = CASE ? WHEN 'dismissed' THEN '' ELSE contact END "
                "WHERE n = ? AND state = 'new'",
                (str(state), str(state), n),
            )
            > 0
        )

    # Single facts

    def fact(self, name: str) -> bytes | None:
        """Return a single fact, such as the last saved time."""
        rows = self._read("SELECT value FROM facts WHERE name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def set_fact(self, name: str, value: bytes) -> None:
        """Write a single fact."""
        self._write("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))

    def note_poster(self, address: str) -> None:
        """Remember the address on the last poster that was made; nothing, where somebody chose it."""
        self.set_fact(_POSTER_ADDRESS, address.encode())

    def lost_poster(self, addresses: Collection[str]) -> str:
        """Return the address on the last poster when it is none of these, where readers find us now; else nothing."""
        address = (self.fact(_POSTER_ADDRESS) or b"").decode()
        return address if address and address not in addresses else ""

    def _read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except _UNREADABLE as error:
                raise _unreadable(error) from error

    def _write(self, sql: str, *rows: tuple[object, ...]) -> int:
        """Write in a transaction of its own, once for each row; raises StoreUnusable when the disk does not take it."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                count = self._connection.executemany(sql, rows).rowcount
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise StoreUnusable(f"this relay's own notes cannot be written: {error}", hint=_ROOM) from error
            self._own_writes += 1
            return count


_KINDS: Final[dict[str, type]] = {"BLOB": bytes, "TEXT": str, "INTEGER": int}
"""What columns are declared as, and the values that they hold."""
_WORDS: Final = {("anchors", "how"): frozenset(How), ("inbox", "state"): frozenset(ReportState)}
_IDS: Final = frozenset({"key", "root", "id", "item", "relay_id"})
"""Columns whose bytes are a key or a hash."""
_EMPTY: Final = frozenset({"item", "relay_id", "expires"})
"""Columns that may hold nothing."""

_Form: TypeAlias = dict[str, dict[str, type]]
"""Tables, each with its columns and of which kind their values are."""


def _bring_up(connection: sqlite3.Connection) -> None:
    """Take the steps not taken yet; raise NotesDamaged where it shows that something is not what it was."""
    ((found,),) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if found != "ok":
        raise _damaged(str(found).replace("\n", " "))
    try:
        form = _form(take(_migrations, sqlite_utils.Database(connection), what="local.db").conn)
    except StoreDamaged as error:
        raise _damaged(str(error)) from error
    if _form(connection) != form:
        raise _damaged("its tables are not what they were")
    for table, kinds in form.items():
        for row in connection.execute(f"SELECT {', '.join(kinds)} FROM {table}"):  # noqa: S608  # our names
            if not _fits(table, kinds, row):
                raise _damaged(f"a row of {table} is not what it was")


def _form(connection: sqlite3.Connection) -> _Form:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'")
    asked = "SELECT name, type FROM pragma_table_info(?)"
    return {
        table: {name: _KINDS.get(kind, object) for name, kind in connection.execute(asked, (table,))}
        for (table,) in tables.fetchall()
    }


def set_aside_at(path: Path) -> Path | None:
    """Return where the notes are that were set aside for they were damaged, or None; `path` is where they belong."""
    aside = database.aside_of(path)
    return aside if aside.exists() else None


def _readable(path: Path, table: str, kinds: Mapping[str, type]) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a damaged file's table that can be read and whose values are of their kinds."""
    asked = f"SELECT rowid, {', '.join(kinds)} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT 1"  # noqa: S608
    with closing(sqlite3.connect(path)) as db:
        db.text_factory = _text
        db.execute("PRAGMA writable_schema = ON")  # definitions that cannot be read are passed over
        reached, tried = -1, 0
        while reached < 1 << 61:
            try:
                row = db.execute(asked, (reached,)).fetchone()
            except _UNREADABLE as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
                    return  # no such table any more, or no database at all
                # One by one across the hole, then in longer and longer leaps.
                tried += 1
                reached += 1 << max(0, tried - _ONE_BY_ONE)
                continue
            if row is None or row[0] <= reached:
                return  # at the end, or led in a circle
            reached, *values = row
            tried = 0
            if _fits(table, kinds, values):
                yield tuple(values)


def _text(raw: bytes) -> str | bytes:
    """Return text as text, and what is none as it is: damage is found by its kind, not by an error of the driver."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _fits(table: str, kinds: Mapping[str, type], values: Sequence[object]) -> bool:
    """Tell whether these values can be a row of a table: damage changes types and lengths as well."""
    for (column, kind), value in zip(kinds.items(), values, strict=True):
        if value is None and column in _EMPTY:
            continue
        if not isinstance(value, kind) or value not in _WORDS.get((table, column), (value,)):
            return False
        if isinstance(value, bytes) and column in _IDS and len(value) != _ID_SIZE:
            return False
    return True


_UNREADABLE: Final = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged database raises; the second where SQLite's message quotes damaged bytes."""


def _unreadable(error: sqlite3.DatabaseError | UnicodeDecodeError) -> StoreUnusable:
    if isinstance(error, UnicodeDecodeError):
        return _damaged("it cannot even be said where")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR):
        return _damaged(str(error))
    return StoreUnusable(
        f"this relay's own notes, local.db, cannot be read: {error}", hint="see that they can be read, then try again"
    )


def _damaged(how: str) -> NotesDamaged:
    return NotesDamaged(
        f"this relay's own notes, local.db, are damaged: {how}",
        hint="restore a backup; or start the relay, which keeps what can be read of them",
    )


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection
