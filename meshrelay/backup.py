"""A relay in one file: what a backup holds, and how it becomes a relay again.

The file: a line that says what it is; the length of a manifest in 4 bytes (big-endian); the manifest in JSON, with
name, size and SHA-256 of each part; the parts one behind the other; the SHA-256 of everything before. Parts are the
two databases, the settings, and, only under a passphrase, the keys. Never in it: marks (a number would be given
twice), the lock, run.json, and the key of this relay's links.

Not here: whom to ask for a passphrase (cli). Law: nothing in the folder changes before the whole backup was read,
compared and opened, and every item in it has come through the one gate; and then all of it comes back or nothing:
what is to come back lies whole in DATA/.restored before the first file of the folder makes way for it, and whoever
opens the folder next finishes what a power cut interrupted (:func:`settle`). Source: docs/operations.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from meshrelay import settings as settings_module
from meshrelay.core.admission import admit
from meshrelay.core.envelope import KEY_SIZE
from meshrelay.errors import InvalidItem, Refusal
from meshrelay.folder import shred
from meshrelay.keyring import Keyring, OwnKey
from meshrelay.local import Local
from meshrelay.machine import sync_folder
from meshrelay.sealing import Sealed, sealed
from meshrelay.settings import Settings
from meshrelay.store import Store

MAGIC: Final = b"meshrelay backup 1\n"
_ANY_VERSION: Final = b"meshrelay backup "
_STORE, _LOCAL, _SETTINGS, _KEYS = "store.db", "local.db", "settings.toml", "keys"
_NEEDED: Final = frozenset({_STORE, _LOCAL})
_DATABASES: Final = (_LOCAL, _SETTINGS, _STORE)
_PARTS: Final = (_KEYS, _LOCAL, _SETTINGS, _STORE)
_LARGEST_MANIFEST: Final = 64 * 1024
_LARGEST_KEYS: Final = 64 * 1024**2
_CHUNK: Final = 2**20
_AT_ONCE: Final = 250
_DIGEST_SIZE: Final = 32
_FORGOTTEN_AFTER: Final = 86400
_RESTORED: Final = ".restored"
_HINT: Final = "use another copy of it; nothing here has changed"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a backup: its size in bytes and its SHA-256."""

    name: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself: when it was made (unix seconds), of which relay, and its parts in order."""

    made: int
    relay: str
    parts: tuple[Part, ...]

    @property
    def has_keys(self) -> bool:
        """Whether it holds keys."""
        return any(part.name == _KEYS for part in self.parts)


@dataclass(frozen=True, slots=True)
class Restored:
    """What has come back.

    `overdue` counts plans that were not taken, since their time had passed, `paused` those that wait for a word.
    """

    bulletins: int
    keys: tuple[OwnKey, ...]
    overdue: int
    paused: int


# Out


def write(
    out: BinaryIO,
    *,
    settings: Settings,
    store: Store,
    local: Local,
    keys: Mapping[str, bytes],
    passphrase: str,
    now: int,
) -> Manifest:
    """Write a backup; a relay may run meanwhile. `keys` are files as Keyring.files gives them, none for none.

    Raises Refusal.
    """
    with _workshop(settings.data, ".backup-", left_before=now - _FORGOTTEN_AFTER) as shop:
        store.copy_to(shop / _STORE)
        local.copy_to(shop / _LOCAL)
        if settings.file.exists():
            shutil.copyfile(settings.file, shop / _SETTINGS)
        parts = {name: _measured(shop / name) for name in _PARTS if (shop / name).exists()}
        if keys:
            (shop / _KEYS).write_bytes(_sealed_keys(keys, parts, passphrase))
            parts[_KEYS] = _measured(shop / _KEYS)
        manifest = Manifest(now, settings.name, tuple(parts[name] for name in _PARTS if name in parts))
        hashed = _Hashing(out)
        hashed.write(MAGIC)
        said = json.dumps(_document(manifest), ensure_ascii=False).encode()
        hashed.write(len(said).to_bytes(4, "big") + said)
        for part in manifest.parts:
            with (shop / part.name).open("rb") as file:
                shutil.copyfileobj(file, hashed, _CHUNK)
        out.write(hashed.digest())
    return manifest


def _sealed_keys(files: Mapping[str, bytes], others: Mapping[str, Part], passphrase: str) -> bytes:
    # With the hashes of the other parts under it, a passphrase also tells whether anybody altered those.
    inner = {
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "parts": {name: part.digest.hex() for name, part in others.items()},
    }
    return json.dumps(sealed(json.dumps(inner).encode(), passphrase).document()).encode()


def _measured(path: Path) -> Part:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        return Part(path.name, file.tell(), digest)


class _Hashing:
    """A file that is written, and the SHA-256 of what was."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._out.write(data)

    def digest(self) -> bytes:
        return self._hash.digest()


# In


def read_manifest(source: BinaryIO) -> Manifest:
    """Read a backup to its end, and return its manifest when all of it is as it was written; raises Refusal."""
    manifest = _read_head(source)
    start = source.tell()
    size = source.seek(0, os.SEEK_END)
    if size != start + sum(part.size for part in manifest.parts) + _DIGEST_SIZE:
        raise Refusal("this backup is not whole: it has been cut short, or added to", hint=_HINT)
    source.seek(0)
    found, rest = hashlib.sha256(), size - _DIGEST_SIZE
    while rest:
        chunk = source.read(min(rest, _CHUNK))
        found.update(chunk)
        rest -= len(chunk)
    if found.digest() != source.read(_DIGEST_SIZE):
        raise Refusal("this backup is damaged: it is not what was written", hint=_HINT)
    source.seek(start)
    return manifest


def restore(
    source: BinaryIO,
    manifest: Manifest,
    settings: Settings,
    *,
    keyring: Keyring,
    passphrase: Callable[[], str] | None,
    now: int,
) -> Restored:
    """Put a backup in the place of what the folder holds, which must be held; `source` stands behind the manifest.

    Without `passphrase` the keys in it stay there. Keys that are here stay; every key begins a new stream. What was
    planned there waits until somebody resumes it here. Raises Refusal, and nothing has changed then.
    """
    settle(settings.data)
    size = sum(part.size for part in manifest.parts)
    if shutil.disk_usage(settings.data).free < 2 * size:
        raise Refusal(f"this takes {2 * size // 10**6} MB of free disk", hint="make room, or choose another --data")
    with _workshop(settings.data, ".restore-", left_before=None) as shop:
        keys: dict[str, bytes] = {}
        for part in manifest.parts:
            _extract(source, part, shop / part.name)
        if manifest.has_keys and passphrase is not None:
            keys = _opened_keys(shop / _KEYS, manifest, passphrase)
            keyring.check(keys)
        bulletins = _checked_store(shop / _STORE)
        overdue, paused = _checked_rest(shop, now=now)
        # Until the databases follow, new streams and further keys cost nothing.
        keyring.begin_anew()
        made = keyring.put(keys)
        _decide(shop, settings.data)
    settle(settings.data)
    return Restored(bulletins, made, overdue, paused)


def is_settled(data: Path) -> bool:
    """Tell whether no restore was interrupted here."""
    return not (data / _RESTORED).exists()


def settle(data: Path) -> None:
    """Finish a restore that was interrupted after it was decided; the folder must be held."""
    for name in _DATABASES:
        if (data / _RESTORED / name).exists():
            _put(data / _RESTORED / name, data / name)
    if not is_settled(data):
        shred(data / _RESTORED)
        sync_folder(data)


def _decide(shop: Path, data: Path) -> None:
    """Put what is to come back beside what is there, in one step: from here on it comes back."""
    ready = shop / "ready"
    ready.mkdir(mode=0o700)
    for name in _DATABASES:
        if (shop / name).exists():
            (shop / name).replace(ready / name)
            _flush(ready / name)
    sync_folder(ready)
    ready.replace(data / _RESTORED)
    sync_folder(data)


def _flush(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _read_head(source: BinaryIO) -> Manifest:
    magic = source.read(len(MAGIC))
    if magic != MAGIC:
        if magic.startswith(_ANY_VERSION):
            raise Refusal("this backup was made by a newer version of meshrelay", hint="use that version")
        raise Refusal("this is not a backup", hint="give a file made by `meshrelay backup`")
    size = int.from_bytes(source.read(4), "big")
    try:
        if size > _LARGEST_MANIFEST:
            raise ValueError("too long")
        return _manifest(json.loads(source.read(size)))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refusal("this backup is damaged: nobody can say what is in it", hint=_HINT) from error


def _manifest(found: Any) -> Manifest:
    parts = tuple(Part(str(one["name"]), int(one["size"]), bytes.fromhex(one["sha256"])) for one in found["parts"])
    names = [part.name for part in parts]
    if len(set(names)) < len(names) or not _NEEDED <= set(names) <= set(_PARTS) or min(part.size for part in parts) < 0:
        raise ValueError("not the parts of a backup")
    return Manifest(int(found["made"]), str(found["relay"]), parts)


def _document(manifest: Manifest) -> dict[str, object]:
    parts = [{"name": part.name, "size": part.size, "sha256": part.digest.hex()} for part in manifest.parts]
    return {"made": manifest.made, "relay": manifest.relay, "parts": parts}


def _extract(source: BinaryIO, part: Part, path: Path) -> None:
    found, rest = hashlib.sha256(), part.size
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while rest and (chunk := source.read(min(rest, _CHUNK))):
            file.write(chunk)
            found.update(chunk)
            rest -= len(chunk)
        file.flush()
        os.fsync(file.fileno())
    if rest or found.digest() != part.digest:
        raise Refusal(f"this backup is damaged: its {part.name} is not what was written", hint=_HINT)


def _opened_keys(path: Path, manifest: Manifest, passphrase: Callable[[], str]) -> dict[str, bytes]:
    try:
        if path.stat().st_size > _LARGEST_KEYS:
            raise ValueError("too long")
        box = Sealed.of(json.loads(path.read_bytes()))
        inner = json.loads(box.open(passphrase()))
        files = {str(name): base64.b64decode(data, validate=True) for name, data in inner["files"].items()}
        digests = {str(name): bytes.fromhex(digest) for name, digest in inner["parts"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refusal("this backup is damaged: nobody can read its keys", hint=_HINT) from error
    if digests != {part.name: part.digest for part in manifest.parts if part.name != _KEYS}:
        raise Refusal("this backup was altered after it was made, by somebody without its passphrase", hint=_HINT)
    return files


def _checked_store(path: Path) -> int:
    """Bring the store of a backup up to date, and take it only if the gate would take every item; count bulletins."""
    with closing(Store.open(path)) as store:
        keys, _ = store.keys()
        for at in range(0, len(keys), _AT_ONCE * KEY_SIZE):
            batch = keys[at : at + _AT_ONCE * KEY_SIZE]
            headers = store.by_key(batch[start : start + KEY_SIZE] for start in range(0, len(batch), KEY_SIZE))
            held = {header.id: header for header in headers.values()}
            for item, data in store.get_many(held).items():
                try:
                    sound = admit(data).header == held[item]
                except InvalidItem:
                    sound = False
                if not sound:
                    raise Refusal("this backup holds an item that no relay would take", hint=_HINT)
        return store.usage().bulletins


def _checked_rest(shop: Path, *, now: int) -> tuple[int, int]:
    """Open the other parts; leave out the plans that were most likely fulfilled since, and pause the rest; count both.

    The relay that the backup was made of may still be there, and publish them.
    """
    settings_module.load(shop)
    with closing(Local.open(shop / _LOCAL)) as local:
        overdue = sum(local.unplan(plan.n) for plan in local.planned(due=now))
        return overdue, sum(local.pause(plan.n) for plan in local.planned())


def _put(new: Path, place: Path) -> None:
    """Put a file where an older one was; an old database's journals go too, or they would be played into it."""
    if new.suffix == ".db":
        for old in (place, place.with_name(place.name + "-wal"), place.with_name(place.name + "-shm")):
            old.unlink(missing_ok=True)
    new.replace(place)
    sync_folder(place.parent)


@contextmanager
def _workshop(data: Path, prefix: str, *, left_before: int | None) -> Iterator[Path]:
    """Give a folder inside the data folder, on the same disk and as private, and leave nothing of it.

    What a power cut left of an earlier one goes first: any, or one from before `left_before`.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in data.glob(f"{prefix}*"):
        if left_before is None or left.stat().st_mtime < left_before:
            shred(left)
    shop = Path(tempfile.mkdtemp(prefix=prefix, dir=data))
    try:
        yield shop
    finally:
        for path in shop.glob(f"{_STORE}*"):
            path.unlink()
        shred(shop)
