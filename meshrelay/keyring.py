"""Signing keys on disk: seeds, the streams they number, and the lock that keeps numbers unique.

DATA/keys holds, for every key NAME:

- ``NAME.key``: the seed, readable by its owner alone; or, when the key has a passphrase, the seed under it
- ``NAME.mark``: the stream and the last number taken in it; never in a backup
- ``NAME.lock``: held by the process that is signing
- ``NAME.revocation``: the key's own revocation, to be printed or put away

A key file from elsewhere (``exported``, a backup) brings no mark: the key begins a new stream here.

A number is written down before what carries it can be seen: lock, read the mark, sign, write and fsync the mark,
store. When the mark is lost a new stream begins, so that no number is ever used twice in one.
Source: docs/spec/bulletin.md, "Streams".
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import filelock

from meshrelay.core.admission import admit, sign
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey, is_public_key
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidItem, KeyLocked, NotFound, Refusal, WrongUsage
from meshrelay.machine import sync_folder
from meshrelay.sealing import Sealed, read_passphrase, sealed

LOCK_SECONDS = 30.0
POLL_SECONDS = 0.005
"""How often a waiting process looks; signing takes a few milliseconds."""
LARGEST_FILE: Final = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_EXPORTED: Final = "signing key"
_KEPT: Final = (".key", ".revocation")
"""What of a key goes into a backup; a mark that came back would give numbers a second time."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key of this relay's people: its name here, its public half, when it was made (unix seconds).

    One that is `protected` is under a passphrase.
    """

    name: str
    public: bytes
    created: int
    protected: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a key file holds: a seed, or a sealed one."""

    public: bytes
    created: int
    seed: bytes | None = field(default=None, repr=False)
    box: Sealed | None = None

    @classmethod
    def of(cls, entry: Any) -> _Entry:
        """Read what a file says; raises ValueError, KeyError or TypeError."""
        created = int(entry["created"])
        if "sealed" not in entry:
            key = SigningKey.from_seed(bytes.fromhex(entry["seed"]))
            return cls(key.public, created, key.seed)
        public = bytes.fromhex(entry["public"])
        if not is_public_key(public):
            raise ValueError("no public key")
        return cls(public, created, box=Sealed.of(entry["sealed"]))

    @classmethod
    def sealing(cls, key: SigningKey, created: int, passphrase: str) -> _Entry:
        return cls(key.public, created, box=sealed(key.seed, passphrase))

    def document(self) -> dict[str, object]:
        if self.box is None:
            return {"version": 1, "seed": (self.seed or b"").hex(), "created": self.created}
        return {
            "version": 1,
            "public": self.public.hex(),
            "created": self.created,
            "sealed": self.box.document(),
        }

    def open(self, passphrase: Callable[[], str]) -> SigningKey:
        """Return the key, asking for its passphrase when it has one; raises KeyLocked or ValueError."""
        seed = self.seed if self.box is None else self.box.open(passphrase())
        key = SigningKey.from_seed(seed or b"")
        if key.public != self.public:
            raise ValueError("the seed is that of another key")
        return key


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


def nobody(name: str) -> str:
    """Answer for a passphrase where nobody can be asked."""
    raise KeyLocked(
        f"the key {name} needs its passphrase",
        hint="give the file that holds it with --passphrase-file, or with `meshrelay config set passphrase_file`",
    )


def from_file(path: str) -> Callable[[str], str]:
    """Return whom to ask when passphrases lie in a file, or nowhere."""
    return (lambda _: read_passphrase(Path(path))) if path else nobody


class Keyring:
    """The keys in one folder; `passphrase` is asked for that of a key, by the key's name."""

    def __init__(self, folder: Path, *, passphrase: Callable[[str], str] = nobody) -> None:
        self._folder = folder
        self._passphrase = passphrase
        self._open: dict[str, tuple[_Entry, SigningKey]] = {}

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
        entry = self._load(name)
        return OwnKey(name, entry.public, entry.created, entry.box is not None)

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

    def new(self, name: str, *, now: int, passphrase: str | None = None) -> OwnKey:
        """Make a key, its first stream and its own revocation."""
        key = SigningKey.from_seed(secrets.token_bytes(32))
        entry = _Entry(key.public, now, key.seed)
        return self._add(name, key, entry if passphrase is None else _Entry.sealing(key, now, passphrase))

    def _add(self, name: str, key: SigningKey, entry: _Entry) -> OwnKey:
        if not _NAME.fullmatch(name):
            raise WrongUsage(f"{name!r} cannot name a key", hint="use up to 32 letters, digits, - and _")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked(name):
            if self._path(name, "key").exists():
                raise Refusal(f"a key called {name} is here already", hint="choose another name")
            _write_bytes(self.revocation_path(name), _own_revocation(key, entry.created).data)
            _write(self._path(name, "mark"), {"stream": secrets.token_hex(8), "seq": 0})
            _write(self._path(name, "key"), entry.document())
        return self.get(name)

    # Out of this folder and into it

    def exported(self, name: str, passphrase: Callable[[], str]) -> bytes:
        """Return a key as a file for another folder, always under a passphrase: its own, else a new one."""
        entry = self._load(name)
        if entry.box is None:
            entry = _Entry.sealing(self._key(name), entry.created, passphrase())
        return json.dumps({"meshrelay": _EXPORTED, "name": name, **entry.document()}, indent=1).encode() + b"\n"

    def take(self, data: bytes, *, name: str = "") -> OwnKey:
        """Take in a key that was exported, under its name there or another one; raises Refusal.

        It keeps its passphrase. It begins a new stream here, whatever the other folder goes on to sign.
        """
        try:
            found = json.loads(data)
            if found["meshrelay"] != _EXPORTED or "sealed" not in found:
                raise ValueError("of another kind")
            name, entry = name or str(found["name"]), _Entry.of(found)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise Refusal("this is not an exported key", hint="give a file made by `meshrelay key export`") from error
        if (here := self.own().get(entry.public)) is not None:
            raise Refusal(f"this key is here already, as {here}", hint="see `meshrelay key list`")
        try:
            key = entry.open(lambda: self._passphrase(name))
        except ValueError as error:
            raise Refusal(f"the exported key is damaged: {error}", hint="export it again") from error
        return self._add(name, key, entry)

    def protect(self, name: str, passphrase: str | None) -> None:
        """Put a key under a new passphrase, or under none; the old file is overwritten before it is let go."""
        entry, key = self._load(name), self._key(name)
        now = _Entry(key.public, entry.created, key.seed)
        if passphrase is not None:
            now = _Entry.sealing(key, entry.created, passphrase)
        with self._locked(name):
            _replace_for_good(self._path(name, "key"), json.dumps(now.document()).encode())

    def files(self) -> dict[str, bytes]:
        """Return what a backup holds of the keys that can be read: their files by name, without any mark."""
        names = set(self._names()) - set(self.damaged())
        found = [path for path in self._folder.glob("*") if _is_kept(path.name) and path.stem in names]
        return {path.name: path.read_bytes() for path in sorted(found)}

    def damaged(self) -> tuple[str, ...]:
        """Return the names of keys whose files cannot be read."""
        damaged = []
        for name in self._names():
            try:
                self._load(name)
            except KeyLocked:
                damaged.append(name)
        return tuple(damaged)

    def check(self, files: Mapping[str, bytes]) -> None:
        """Raise Refusal unless these files of a backup can be put here."""
        for file, data in files.items():
            if not _is_kept(file):
                raise Refusal(f"the backup holds {file!r} among its keys", hint="use another backup")
            if not file.endswith(".key"):
                continue
            name = file.removesuffix(".key")
            try:
                public = _Entry.of(json.loads(data)).public
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise Refusal(f"the key {name} in the backup is damaged", hint="use another backup") from error
            if self._path(name, "key").exists() and self.get(name).public != public:
                raise Refusal(
                    f"another key called {name} is here",
                    hint="restore into an empty folder with --data, and `meshrelay key export` it from there",
                )

    def begin_anew(self) -> None:
        """Let every key here begin a new stream: what was held when the old ones went on is not held any more."""
        for name in self._names():
            with self._locked(name):
                self._path(name, "mark").unlink(missing_ok=True)
        if self._folder.is_dir():
            sync_folder(self._folder)

    def put(self, files: Mapping[str, bytes]) -> tuple[OwnKey, ...]:
        """Put files of a backup here; every key among them begins a new stream, also one that is here already."""
        self.check(files)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = sorted({file.rpartition(".")[0] for file in files if file.endswith(".key")})
        for name in names:
            with self._locked(name):
                # First of all: with the mark gone no number can be given twice, wherever this is cut short.
                self._path(name, "mark").unlink(missing_ok=True)
                sync_folder(self._folder)
                for suffix in _KEPT:
                    path = self._folder / (name + suffix)
                    if (data := files.get(path.name)) is not None and not path.exists():
                        _write_bytes(path, data)
        return tuple(self.get(name) for name in names)

    def revocation(self, name: str) -> SignedItem:
        """Return the key's own revocation, as it was made with the key; it strikes all that the key ever signed.

        Its passphrase is asked for only when the file is lost: the key then makes the same one again.
        """
        entry = self._load(name)
        try:
            item = admit(self.revocation_path(name).read_bytes())
        except (FileNotFoundError, InvalidItem):
            item = None
        if item is not None and item.body == Revocation(item.header.sent, entry.public):
            return item
        return _own_revocation(self._key(name), entry.created)

    def revocation_path(self, name: str) -> Path:
        """Return where the key's own revocation lies; to use it, import that file."""
        return self._path(name, "revocation")

    @contextmanager
    def signing(self, name: str) -> Iterator[Signer]:
        """Hold the key's lock; raise KeyLocked when another process keeps it."""
        key = self._key(name)
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

    def _load(self, name: str) -> _Entry:
        path = self._path(name, "key")
        if not _NAME.fullmatch(name) or not path.exists():
            raise NotFound(f"no key called {name!r} is here", hint="see `meshrelay key list`")
        try:
            return _Entry.of(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(name) from error

    def _key(self, name: str) -> SigningKey:
        """Return the key itself; who has opened it once is not asked again while its file stays the same."""
        entry = self._load(name)
        known = self._open.get(name)
        if known is not None and known[0] == entry:
            return known[1]
        try:
            key = entry.open(lambda: self._passphrase(name))
        except ValueError as error:
            raise self._damaged(name) from error
        if entry.box is not None:
            self._open[name] = entry, key
        return key

    def _damaged(self, name: str) -> KeyLocked:
        return KeyLocked(f"the key file {self._path(name, 'key')} is damaged", hint="restore it from a backup")


def _is_kept(file: str) -> bool:
    name, dot, suffix = file.rpartition(".")
    return dot + suffix in _KEPT and _NAME.fullmatch(name) is not None


def _own_revocation(key: SigningKey, created: int) -> SignedItem:
    # Of the same second each time, so that it is the same item, whoever makes it again.
    return sign(Revocation(sent=created, subject=key.public), key)


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


def _replace_for_good(path: Path, data: bytes) -> None:
    """Replace a file, and leave nothing of the old one on the disk as far as files can."""
    with path.open("r+b") as old:
        _write_bytes(path, data)
        old.write(secrets.token_bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())


def _write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one step that survives a power cut."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)
