"""The data folder as two processes share it: who holds it, and where the running relay can be asked.

A running relay holds DATA/lock until it ends, however it ends, and says in DATA/run.json (readable by its owner alone)
where it listens and with which token its operator's commands may ask it.

Not here: what is in the other files. Law: run.json is believed only while the lock is held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from meshrelay.errors import AlreadyRunning

LOCK_FILE = "lock"
RUN_FILE = "run.json"


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
