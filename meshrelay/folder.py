"""The data folder as two processes share it: who holds it, and where the running relay can be asked.

A running relay holds DATA/lock until it ends, however it ends, and says in DATA/run.json (readable by its owner alone)
where it listens and with which token its operator's commands may ask it.

Every file that may be in it is named in :data:`CONTENTS` (docs/operations.md has the same table), so that it can be
destroyed as a whole, and nothing else with it.

Not here: what is in the other files. Law: run.json is believed only while the lock is held.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import filelock

from meshrelay.errors import AlreadyRunning
from meshrelay.machine import sync_folder

LOCK_FILE = "lock"
RUN_FILE = "run.json"
_CHUNK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Content:
    """A kind of files in the data folder, by a pattern; a `secret` one is overwritten before it is let go."""

    pattern: str
    secret: bool = False


CONTENTS: Final = (
    # In the order in which they are destroyed: who interrupts that finds what matters least.
    Content("keys", secret=True),
    Content("local.db*", secret=True),
    Content("link*.pem", secret=True),
    Content(".link*", secret=True),
    Content("run.*", secret=True),
    Content(".backup-*", secret=True),
    Content(".restore-*", secret=True),
    Content(".restored", secret=True),
    Content("settings.*", secret=True),
    Content("store.db*"),
    Content("reserve*"),
    Content(LOCK_FILE),
)


@dataclass(frozen=True, slots=True)
class Running:
    """A running relay: addresses of pages (URLs), of its peer listener (HOST:PORT) and of its desk (HOST:PORT)."""

    pid: int
    readers: tuple[str, ...]
    peers: tuple[str, ...]
    desk: str
    token: str


@contextmanager
def held(data: Path) -> Iterator[None]:
    """Hold the folder; raises AlreadyRunning when another process does."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = filelock.FileLock(data / LOCK_FILE, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        entry = _read(data)
        where = f" (process {entry.pid}, {', '.join(entry.readers)})" if entry else ""
        raise AlreadyRunning(
            f"a relay already runs here{where}",
            hint="use that one, or give this one a folder of its own with --data",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def announced(data: Path, entry: Running) -> Iterator[None]:
    """Keep DATA/run.json while the relay runs; the folder must be held."""
    path = data / RUN_FILE
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(entry), file)
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def running(data: Path) -> Running | None:
    """Return the relay that runs on this folder now, or None."""
    entry = _read(data)
    if entry is None:
        return None
    lock = filelock.FileLock(data / LOCK_FILE, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return entry
    lock.release()  # nobody holds it: the file was left behind by a process that was killed
    return None


def _read(data: Path) -> Running | None:
    try:
        entry = json.loads((data / RUN_FILE).read_text(encoding="utf-8"))
        return Running(entry["pid"], tuple(entry["readers"]), tuple(entry["peers"]), entry["desk"], entry["token"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def is_used(data: Path) -> bool:
    """Tell whether a relay has ever been in this folder."""
    return any(path.name != LOCK_FILE for content in CONTENTS for path in data.glob(content.pattern))


def destroy(data: Path) -> tuple[Path, ...]:
    """Destroy what a relay has in this folder, which must be held; return what could not be destroyed.

    Secret files are overwritten, removed, and the removal written down, one kind after the other.
    """
    left: list[Path] = []
    for content in CONTENTS:
        for path in sorted(data.glob(content.pattern)):
            if path.name != LOCK_FILE:
                left += shred(path) if content.secret else ([] if _done(Path.unlink, path) else [path])
        sync_folder(data)
    return tuple(left)


def leave(data: Path) -> tuple[Path, ...]:
    """Remove the lock file, and the folder itself when nothing is in it any more; return what others put there.

    The folder is still held, so that no relay that starts at this moment loses its lock.
    """
    _done(Path.unlink, data / LOCK_FILE)  # not on Windows, where an open file stays
    left = tuple(path for path in sorted(data.iterdir()) if path.name != LOCK_FILE)
    if not left:
        _done(Path.rmdir, data)
    return left


def shred(path: Path) -> list[Path]:
    """Overwrite a file, or all files of a folder, then remove it; return what could not be.

    What a flash card or a journalling disk keeps elsewhere is out of reach of this.
    """
    if not path.is_symlink() and path.is_dir():
        left = [one for inner in sorted(path.iterdir()) for one in shred(inner)]
        sync_folder(path)
        return left or ([] if _done(Path.rmdir, path) else [path])
    overwritten = not path.is_file() or _done(_overwrite, path)
    # What cannot be overwritten can perhaps still be removed.
    return [] if _done(Path.unlink, path) and overwritten else [path]


def _done(work: Callable[[Path], None], path: Path) -> bool:
    """Do `work`, and tell whether the system let it be done."""
    try:
        work(path)
    except OSError:
        return False
    return True


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        rest = os.fstat(file.fileno()).st_size
        while rest > 0:
            rest -= file.write(secrets.token_bytes(min(rest, _CHUNK)))
        file.flush()
        os.fsync(file.fileno())
