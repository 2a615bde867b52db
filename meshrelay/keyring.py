"""Signing keys on disk: seeds, the streams they number, and the lock that keeps numbers unique.

DATA/keys holds, for every key NAME:

- ``NAME.key``: the seed, readable by its owner alone
- ``NAME.mark``: the stream and the last number taken in it; never in a backup
- ``NAME.lock``: held by the process that is signing
- ``NAME.revocation``: the key's own revocation, to be printed or put away

A number is written down before what carries it can be seen: lock, read the mark, sign, write and fsync the mark,
store. When the mark is lost a new stream begins, so that no number is ever used twice in one.
Source: docs/spec/bulletin.md, "Streams".
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import filelock

from meshrelay.core.admission import sign
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.errors import KeyLocked, NotFound, Refusal

LOCK_SECONDS = 30.0
POLL_SECONDS = 0.005
"""How often a waiting process looks; signing takes a few milliseconds."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of this relay's people: its name here, its public half, when it was made (unix seconds)."""

    name: str
    public: bytes
    created: int


class Signer:
    """A key while its lock is held."""

    def __init__(self, key: SigningKey, mark: Path) -> None:
        self.key = key
        self._mark = mark
        self.stream, self._last = _read_mark(mark)

    def next_number(self, *, highest_held: int = 0) -> int:
        """Return the next number of the stream; it is free until it is taken.

        `highest_held` is the highest number of this stream among the items held here.
        """
        return max(self._last, highest_held) + 1

    def take(self, number: int) -> None:
        """Write a number down, so that it is never given again; to be done before the item is stored or sent."""
        _write(self._mark, {"stream": self.stream.hex(), "seq": number})
        self._last = number


class Keyring:
    """The keys in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def own(self) -> dict[bytes, str]:
        """Return the public key and name of every key here that can be read.

        A relay goes on without a damaged one; whoever wants to use that is told.
        """
        found: dict[bytes, str] = {}
        for name in self._names():
            with suppress(KeyLocked):
                found[self.get(name).public] = name
        return found

    def all(self) -> tuple[OwnKey, ...]:
        """Return every key here, oldest first."""
        return tuple(sorted(map(self.get, self._names()), key=lambda key: (key.created, key.name)))

    def get(self, name: str) -> OwnKey:
        """Return the key called `name`; raise NotFound."""
        key, created = self._load(name)
        return OwnKey(name, key.public, created)

    def choose(self, name: str = "") -> OwnKey | None:
        """Return the key called `name`, or without a name the only one, or `me`; None when there is no key at all."""
        if name:
            return self.get(name)
        found = self.all()
        if len(found) < 2:
            return found[0] if found else None
        for key in found:
            if key.name == "me":
                return key
        names = ", ".join(key.name for key in found)
        raise Refusal(f"several keys are here: {names}", hint="say which one with --key NAME")

    def new(self, name: str, *, now: int) -> OwnKey:
        """Make a key, its first stream and its own revocation."""
        if not _NAME.fullmatch(name):
            raise Refusal(f"{name!r} cannot name a key", hint="use up to 32 letters, digits, - and _")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked(name):
            if self._path(name, "key").exists():
                raise Refusal(f"a key called {name} is here already", hint="choose another name")
            key = SigningKey.from_seed(secrets.token_bytes(32))
            revocation = sign(Revocation(sent=now, subject=key.public), key)
            _write_bytes(self.revocation_path(name), revocation.data)
            _write(self._path(name, "mark"), {"stream": secrets.token_hex(8), "seq": 0})
            _write(self._path(name, "key"), {"version": 1, "seed": key.seed.hex(), "created": now})
        return OwnKey(name, key.public, now)

    def revocation_path(self, name: str) -> Path:
        """Return where the key's own revocation lies; to use it, import that file."""
        return self._path(name, "revocation")

    @contextmanager
    def signing(self, name: str) -> Iterator[Signer]:
        """Hold the key's lock; raise KeyLocked when another process keeps it."""
        key, _ = self._load(name)
        with self._locked(name):
            yield Signer(key, self._path(name, "mark"))

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        lock = filelock.FileLock(self._path(name, "lock"), timeout=LOCK_SECONDS, mode=0o600)
        try:
            lock.acquire(poll_interval=POLL_SECONDS)
        except filelock.Timeout as error:
            raise KeyLocked(
                f"the key {name} is in use", hint="wait until the other meshrelay process is done and try again"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _names(self) -> list[str]:
        return sorted(path.stem for path in self._folder.glob("*.key") if _NAME.fullmatch(path.stem))

    def _path(self, name: str, suffix: str) -> Path:
        return self._folder / f"{name}.{suffix}"

    def _load(self, name: str) -> tuple[SigningKey, int]:
        path = self._path(name, "key")
        if not _NAME.fullmatch(name) or not path.exists():
            raise NotFound(f"no key called {name!r} is here", hint="see `meshrelay key list`")
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            return SigningKey.from_seed(bytes.fromhex(entry["seed"])), int(entry["created"])
        except (ValueError, KeyError, TypeError) as error:
            raise KeyLocked(f"the key file {path} is damaged", hint="restore it from a backup") from error


def _read_mark(path: Path) -> tuple[bytes, int]:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        stream, seq = bytes.fromhex(entry["stream"]), int(entry["seq"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Numbers of the old stream may have been used beyond what anything here says, so a new one begins.
        return secrets.token_bytes(8), 0
    return (stream, seq) if len(stream) == 8 and seq >= 0 else (secrets.token_bytes(8), 0)


def _write(path: Path, entry: dict[str, object]) -> None:
    _write_bytes(path, json.dumps(entry).encode())


def _write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
