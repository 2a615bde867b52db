"""Carry files: signed items in a plain file, for a memory stick, a phone or a mail.

Not here: what an item says, which items are wanted, and whether a bulletin is believed. Envelopes go in and
come out as bytes; whoever reads a carry file hands each of them to the same gate as if a peer had sent it.

Law: reading a file of any content ends, in memory bounded by one item, and every byte of it is accounted
for: it belongs to a whole record, or to a stretch that is reported as damaged. What stands behind a damaged
stretch is still found. Source: docs/spec/carry.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, TypeAlias

from meshrelay.core.encoding import MAX_ITEM
from meshrelay.rows import Held

MEDIA_TYPE: Final = "application/meshrelay-carry"
SUFFIX: Final = ".carry"
MAGIC: Final = b"\x71meshrelay carry 1"
"""The text "meshrelay carry 1" as CBOR, so that the whole file is one CBOR sequence."""

MAX_FALSE_STARTS: Final = 10_000
"""How many broken records are looked at before reading ends: each may cost the hashing of a whole item."""

# An array of three, or of two at the end, opens with this byte string. Its first byte is in no UTF-8 text and its
# last two are what a transfer in text mode alters, so that such damage shows at the first record.
_MARK: Final = b"\x44\xfeMR\n"
_ITEM: Final = b"\x83" + _MARK
_END: Final = b"\x82" + _MARK
_CHECKSUM: Final = 8
_ITEM_HEAD: Final = len(_ITEM) + 1 + _CHECKSUM
_LONGEST: Final = _ITEM_HEAD + 5 + MAX_ITEM
_CHUNK: Final = 64 * 1024
_URGENT_CLASS: Final = 2


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record: the bytes of an envelope, not looked into, and where in the file it begins."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of the file that holds no whole record, and what is wrong with it."""

    offset: int
    size: int
    detail: str


Part: TypeAlias = Record | Damage


@dataclass(frozen=True, slots=True)
class Plan:
    """Which items go into a carry file, in order; `size` is that of the file, `left_out` what had no room."""

    ids: tuple[bytes, ...]
    size: int
    left_out: int


def plan(
    items: Iterable[Held], *, since: int | None = None, max_bytes: int | None = None, urgent: bool = False
) -> Plan:
    """Choose from `items`, which are in the order of core.order, what fits into a file of `max_bytes`.

    `since` keeps what arrived here at that time or later, `urgent` statements about keys, updates, cancels,
    disputes and what is Extreme or Severe. An item that has no room is left out and smaller ones after it are
    still taken.
    """
    ids: list[bytes] = []
    # The end record counts with its longest form, so that the figure never falls short.
    size, left_out = len(MAGIC) + len(_END) + 9, 0
    for held in items:
        header = held.header
        if (since is not None and held.received < since) or (urgent and header.item_class > _URGENT_CLASS):
            continue
        needed = _ITEM_HEAD + len(_length_head(header.size)) + header.size
        if max_bytes is not None and size + needed > max_bytes:
            left_out += 1
            continue
        size += needed
        ids.append(header.id)
    return Plan(tuple(ids), size, left_out)


def write(target: BinaryIO, envelopes: Iterable[bytes]) -> int:
    """Write a carry file to `target`, one envelope after the other; return how many there were."""
    target.write(MAGIC)
    count = 0
    for data in envelopes:
        if not 0 < len(data) <= MAX_ITEM:
            raise ValueError("an envelope has 1 to 65536 bytes")
        target.write(_ITEM + b"\x48" + _checksum(data) + _length_head(len(data)) + data)
        count += 1
    target.write(_END + _uint(0, count))
    return count


def looks_like(start: bytes) -> bool:
    """Tell whether a file that begins with `start` is a carry file, be it a damaged one."""
    return start.startswith(MAGIC) or _MARK in start[:_CHUNK]


def read(source: BinaryIO) -> Iterator[Part]:
    """Yield the records and the damaged stretches of the file `source`, in the order of the file.

    Raises nothing but what `source` raises when it is read.
    """
    window = _Window(source)
    counted, ended, false_starts = 0, False, 0
    damage: Damage | None = None
    if window.at_least(len(MAGIC)).startswith(MAGIC):
        window.take(len(MAGIC))
    else:
        damage = _lost(None, window, _up_to_mark(window, 0), "this is not how a carry file begins")
    while buffer := window.at_least(_LONGEST):
        if ended and buffer.startswith(MAGIC):
            # Two files one behind the other are read as both.
            window.take(len(MAGIC))
            counted, ended = 0, False
            continue
        part = _parse(buffer)
        if isinstance(part, str):
            false_starts += 1
            if false_starts > MAX_FALSE_STARTS:
                damage = _lost(damage, window, len(buffer), "too much damage, the rest was not looked at")
                while rest := window.at_least(_CHUNK):
                    damage = _lost(damage, window, len(rest), part)
                break
            damage = _lost(damage, window, _up_to_mark(window, 1), part)
            continue
        if damage:
            yield damage
            damage = None
        offset, taken = window.offset, part
        if isinstance(taken, bytes):
            counted += 1
            window.take(_ITEM_HEAD + len(_length_head(len(taken))) + len(taken))
            yield Record(offset, taken)
            continue
        window.take(len(_END) + len(_uint(0, taken)))
        ended = True
        if taken != counted:
            yield Damage(offset, 0, f"{taken} records were written, {counted} are whole")
    if damage:
        yield damage
    if not ended:
        yield Damage(window.offset, 0, "the file ends early: its last record is missing")


def _parse(buffer: bytes) -> bytes | int | str:
    """Read the record that `buffer` begins with: an envelope, the count of an end record, or what is wrong."""
    if buffer.startswith(_END):
        count = _read_uint(buffer, len(_END), major=0)
        return "a broken end record" if count is None else count[0]
    if not buffer.startswith(_ITEM + b"\x48"):
        return "no record begins here"
    length = _read_uint(buffer, _ITEM_HEAD, major=2)
    if length is None or not 0 < length[0] <= MAX_ITEM:
        return "a broken length"
    start, end = length[1], length[1] + length[0]
    if end > len(buffer):
        return "a record that is cut off"
    data = buffer[start:end]
    if _checksum(data) != buffer[_ITEM_HEAD - _CHECKSUM : _ITEM_HEAD]:
        return "a record with a wrong checksum"
    return data


class _Window:
    """A few bytes of a file, read forward once; what was taken is forgotten."""

    def __init__(self, source: BinaryIO) -> None:
        self.offset = 0
        self._source = source
        self._buffer = bytearray()
        self._start = 0

    def at_least(self, size: int) -> bytes:
        """Return the next bytes without taking them: `size` or more, fewer only where the file ends."""
        while len(self._buffer) - self._start < size:
            chunk = self._source.read(_CHUNK)
            if not chunk:
                break
            del self._buffer[: self._start]
            self._start = 0
            self._buffer += chunk
        return bytes(memoryview(self._buffer)[self._start : self._start + max(size, 1)])

    def take(self, size: int) -> None:
        """Go forward by `size` bytes, which were seen before."""
        self._start += size
        self.offset += size


def _up_to_mark(window: _Window, start: int) -> int:
    """Return how many of the bytes in sight lie before the next place where a record may begin."""
    buffer = window.at_least(_LONGEST)
    found = buffer.find(_MARK, start + 1)
    if found > start:
        return found - 1
    # A mark may be half in sight.
    return len(buffer) if len(buffer) < _LONGEST else len(buffer) - len(_ITEM)


def _lost(damage: Damage | None, window: _Window, size: int, detail: str) -> Damage:
    """Take `size` bytes as damaged, joined to the damaged stretch before them; the first detail stays."""
    offset = window.offset
    window.take(size)
    if damage is None:
        return Damage(offset, size, detail)
    return Damage(damage.offset, damage.size + size, damage.detail)


def _checksum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECKSUM]


def _length_head(size: int) -> bytes:
    return _uint(2, size)


def _uint(major: int, value: int) -> bytes:
    """Return the shortest CBOR head of a major type with `value` as its argument."""
    if value < 24:
        return bytes([major << 5 | value])
    width = (value.bit_length() + 7) // 8
    exponent = max(0, (width - 1).bit_length())
    return bytes([major << 5 | 24 + exponent]) + value.to_bytes(1 << exponent, "big")


def _read_uint(buffer: bytes, start: int, *, major: int) -> tuple[int, int] | None:
    """Read a shortest-form CBOR head: its argument and where it ends, or None."""
    if start >= len(buffer) or buffer[start] >> 5 != major:
        return None
    info = buffer[start] & 0x1F
    if info < 24:
        return info, start + 1
    if info > 27:
        return None
    end = start + 1 + (1 << (info - 24))
    value = int.from_bytes(buffer[start + 1 : end], "big")
    if end > len(buffer) or _uint(major, value) != buffer[start:end]:
        return None
    return value, end
