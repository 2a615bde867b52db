"""A database as a file, that of the items above all: made, set aside, salvaged; and SQLite's errors in words.

Not here: what is in it (migrations.py, tables.py), and what becomes of what was salvaged (store.py).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import filelock
import sqlite_utils

from meshrelay import migrations
from meshrelay.errors import MeshrelayError, StoreDamaged, StoreFull, StoreUnusable
from meshrelay.machine import sync_folder

BUSY_SECONDS = 10
"""How long to wait for another process's transaction, which takes milliseconds."""


def _text(raw: bytes) -> str:
    """Return text as far as it can be read: a damaged row is found by its checksum, not by an error of the driver."""
    return raw.decode("utf-8", "replace")


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for any thread, which begins no transaction by itself; raises what SQLite raises."""
    db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    db.text_factory = _text
    return db


def beside(path: Path) -> tuple[Path, ...]:
    """Return the files of a database: its own, its log, and the log's index."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm"))


def aside_of(path: Path) -> Path:
    """Return where a damaged database is kept, of which not all could be read."""
    return path.with_name(path.name + ".damaged")


def salvage_of(path: Path) -> Path:
    """Return where a damaged database lies while what is whole of it is taken over."""
    return path.with_name(path.name + ".salvage")


def copy_aside(path: Path) -> Path:
    """Copy a damaged database to where it is kept, in place of the one before; return where that is."""
    for old, new in zip(beside(path), beside(aside_of(path)), strict=True):
        new.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copy2(old, new)
    return aside_of(path)


def replace(path: Path, by: Path) -> None:
    """Put a database, which is closed, in place of another; whoever is killed meanwhile has the one or the other."""
    for old in beside(path)[1:]:
        old.unlink(missing_ok=True)
    by.replace(path)
    sync_folder(path.parent)


def set_aside(path: Path) -> None:
    """Move a damaged database to where it is salvaged, in place of any that is there; nobody opens it meanwhile."""
    with _alone(path):
        move(path, salvage_of(path))


def put_back(path: Path) -> None:
    """Move a database back from where it was to be salvaged, in place of any that is there."""
    with _alone(path):
        move(salvage_of(path), path)


def move(path: Path, to: Path) -> None:
    """Rename a database with its log, in place of any that is there.

    The log goes first: a database that opens without its log has lost what was last written, and SQLite deletes a log
    that lies beside a new one. :func:`prepare` finishes what is cut short in between.
    """
    (main, *others), (new, *new_others) = beside(path), beside(to)
    for one in (*new_others, new):
        one.unlink(missing_ok=True)
    sync_folder(path.parent)
    for old, other in zip(others, new_others, strict=True):
        with suppress(FileNotFoundError):
            old.rename(other)
    sync_folder(path.parent)
    with suppress(FileNotFoundError):
        main.rename(new)
    sync_folder(path.parent)


def _finish_moving(path: Path) -> None:
    """Finish what :func:`set_aside` or :func:`put_back` has begun: a log without its database waits for it."""
    for old, new in ((path, salvage_of(path)), (salvage_of(path), path)):
        main, *others = beside(old)
        _, log, _ = beside(new)
        if log.exists() and not new.exists() and main.exists():
            for one in others:
                one.unlink(missing_ok=True)
            main.rename(new)
            sync_folder(path.parent)


def _alone(path: Path) -> filelock.FileLock:
    """Return what keeps other processes from making, moving or upgrading a database meanwhile."""
    return filelock.FileLock(path.with_name(path.name + ".lock"), mode=0o600)


def salvaged(path: Path) -> Iterator[list[tuple[bytes, object]] | None]:
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


def prepare(path: Path) -> None:
    """Make the database or bring it up to its present form; raises as :func:`named_errors` does."""
    # Two processes may be the first to open it at the same moment.
    with _alone(path):
        _finish_moving(path)
        path.touch(mode=0o600)
        _bring_up(path)


def _bring_up(path: Path) -> None:
    with named_errors(), closing(connect(path)) as db:
        if path.stat().st_size == 0:
            # In this order: once there is a first page, in WAL or not, neither can be changed.
            db.execute(f"PRAGMA page_size = {migrations.PAGE_SIZE}")
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        migrations.bring_up(sqlite_utils.Database(db, execute_plugins=False))


_NO_ROOM = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}


@contextmanager
def named_errors() -> Iterator[None]:
    """Raise StoreFull, StoreUnusable or StoreDamaged for what SQLite raises."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # ours: a bug
    except sqlite3.DatabaseError as error:
        raise _named(error) from error
    except UnicodeDecodeError as error:
        # SQLite's own message quoted damaged bytes, and the driver could not make text of it.
        raise damaged("it cannot even say where") from error


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
        return damaged(str(error))
    return StoreUnusable(f"the store cannot be used: {error}", hint="see that its folder can be read and written")


def damaged(how: str) -> StoreDamaged:
    """Return the error that says how the store is damaged."""
    return StoreDamaged(f"the store is damaged: {how}", hint=migrations.DAMAGED_HINT)
