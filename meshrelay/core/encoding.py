"""One value, one byte string: the strict deterministic CBOR that everything signed or hashed is made of.

The form is the core deterministic encoding of RFC 8949 section 4.2.1, narrowed to unsigned and negative
integers of at most 64 bits, byte strings, UTF-8 text, arrays, maps and the two booleans.
There are no tags, floats, nulls or indefinite lengths. All size limits of the format live here.

Law: for any bytes, :func:`decode` returns a value whose :func:`encode` is those bytes, or raises InvalidItem
with the reason ``size``, ``encoding`` or ``text``. Source: docs/spec/item.md, "Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import cbor2

from meshrelay.errors import InvalidItem, Reason

Value: TypeAlias = "int | bool | bytes | str | Sequence[Value] | Mapping[int, Value] | Mapping[str, Value]"

MAX_ITEM = 64 * 1024
"""The largest signed item, in bytes."""
MAX_DEPTH = 8
"""How deep arrays and maps may nest; the outermost one counts."""
MAX_INT_KEY = 255
MAX_TEXT_KEY = 35
"""The longest text used as a map key, in bytes: BCP 47 asks for 35."""

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_ONE_BYTE_MORE, _EIGHT_BYTES_MORE = 24, 27
_SCALARS = bytearray(256)
"""By its first byte, how many bytes a number or a boolean has; 0 for everything else."""
for _major in (_UINT, _NINT):
    _SCALARS[_major << 5 : _major + 1 << 5] = bytes([*[1] * 24, 2, 3, 5, 9, *[0] * 4])
_SCALARS[0xF4] = _SCALARS[0xF5] = 1
# C0 but newline, DEL and C1, the embeddings, overrides and isolates of writing direction.
_FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def encode(value: Value) -> bytes:
    """Return the one encoding of `value`; raise ValueError for what has none."""
    return cbor2.dumps(_ordered(value, 0))


def decode(data: bytes, *, max_size: int = MAX_ITEM) -> Value:
    """Return the value that `data` is the one encoding of; raise InvalidItem otherwise."""
    if len(data) > max_size:
        raise InvalidItem(Reason.SIZE, f"{len(data)} bytes, at most {max_size} are allowed")
    _scan(data)
    try:
        value: Value = cbor2.loads(data, allow_duplicate_keys=False, allow_indefinite=False, max_depth=MAX_DEPTH + 1)
    except (cbor2.CBORDecodeError, UnicodeDecodeError, ValueError) as error:
        raise InvalidItem(Reason.ENCODING, f"not decodable: {error}") from error
    # The scan has seen that every head is minimal and every map is in order; this comparison holds it to that.
    if cbor2.dumps(value) != data:
        raise InvalidItem(Reason.ENCODING, "not in deterministic form")
    return value


def split_sequence(data: bytes, *, max_items: int) -> list[bytes]:
    """Cut a CBOR sequence (RFC 8742) into the bytes of its items, without decoding them.

    Raises InvalidItem when an item is cut off, has an indefinite length, nests too deep,
    or when there are more than `max_items`.
    """
    parts: list[bytes] = []
    start = 0
    while start < len(data):
        if len(parts) == max_items:
            raise InvalidItem(Reason.SIZE, f"more than {max_items} items in one sequence")
        end = skip(data, start)
        parts.append(data[start:end])
        start = end
    return parts


def skip(data: bytes, start: int) -> int:
    """Return where the CBOR item that begins at `start` ends; tags are allowed, indefinite lengths are not."""
    pos = start
    open_items = [1]
    while open_items:
        if not open_items[-1]:
            open_items.pop()
            continue
        open_items[-1] -= 1
        major, argument, pos = _head(data, pos)
        if major in (_BYTES, _TEXT):
            pos += argument
        elif major == _ARRAY:
            open_items.append(argument)
        elif major == _MAP:
            open_items.append(argument * 2)
        elif major == _TAG:
            open_items.append(1)
        if pos > len(data):
            raise InvalidItem(Reason.ENCODING, "cut off")
        if len(open_items) > MAX_DEPTH * 2:
            raise InvalidItem(Reason.ENCODING, "nested too deep")
    return pos


def is_clean_text(text: str) -> bool:
    """Tell whether `text` has no control characters but newline, and no overrides of writing direction."""
    # Most text is printable but for newlines, and asking that is ten times faster than looking for each.
    return text.replace("\n", " ").isprintable() or _FORBIDDEN.search(text) is None


def _ordered(value: Value, depth: int) -> Value:
    """Return `value` with every map in the order of its encoded keys (RFC 8949 section 4.2.1)."""
    if isinstance(value, bool | bytes):
        return value
    if isinstance(value, str):
        if not is_clean_text(value):
            raise ValueError("text has control characters or direction overrides")
        return value
    if isinstance(value, int):
        if not -(2**64) <= value < 2**64:
            raise ValueError("integers have at most 64 bits")
        return value
    if not isinstance(value, list | tuple | dict):
        raise ValueError(f"{type(value).__name__} has no encoding")
    if depth == MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: cbor2.dumps(_checked_key(key)))
        return {key: _ordered(value[key], depth + 1) for key in keys}
    return [_ordered(element, depth + 1) for element in value]


def _checked_key(key: object) -> int | str:
    if isinstance(key, int) and not isinstance(key, bool) and 0 <= key <= MAX_INT_KEY:
        return key
    if isinstance(key, str) and 0 < len(key.encode()) <= MAX_TEXT_KEY and is_clean_text(key):
        return key
    raise ValueError(f"{key!r} cannot be a map key")


def _head(data: bytes, pos: int) -> tuple[int, int, int]:
    """Read one head at `pos`: its major type, its argument, and where the content begins."""
    if pos >= len(data):
        raise InvalidItem(Reason.ENCODING, "cut off")
    first = data[pos]
    major, info = first >> 5, first & 0x1F
    if info < _ONE_BYTE_MORE:
        return major, info, pos + 1
    if info > _EIGHT_BYTES_MORE:
        raise InvalidItem(Reason.ENCODING, "an indefinite length" if info == 31 else "a reserved head")
    width = 1 << (info - _ONE_BYTE_MORE)
    end = pos + 1 + width
    if end > len(data):
        raise InvalidItem(Reason.ENCODING, "cut off")
    argument = int.from_bytes(data[pos + 1 : end], "big")
    if major != _SIMPLE and argument < (_ONE_BYTE_MORE if width == 1 else 1 << (4 * width)):
        raise InvalidItem(Reason.ENCODING, "a length or number that is not in its shortest form")
    return major, argument, end


def _scan(data: bytes) -> None:
    """Refuse whatever the decoder must never see, before it sees it: tags, floats, odd or unordered map keys.

    A decoder builds odd objects from tags and may spend long on keys that collide; this walk builds nothing
    and its time is linear in the size.
    """
    texts: list[bytes] = []
    try:
        end = _walk(data, 0, 0, texts)
    except IndexError as error:
        raise InvalidItem(Reason.ENCODING, "cut off") from error
    if end != len(data):
        raise InvalidItem(Reason.ENCODING, "cut off" if end > len(data) else "bytes after the end")
    try:
        # All at once is several times faster; the newlines between them belong to no longer character.
        text = b"\n".join(texts).decode()
    except UnicodeDecodeError as error:
        raise InvalidItem(Reason.TEXT, "not UTF-8") from error
    if not is_clean_text(text):
        raise InvalidItem(Reason.TEXT, "control characters or overrides of writing direction")


def _walk(data: bytes, start: int, depth: int, texts: list[bytes]) -> int:
    """Return where the value at `start` ends, and add its texts; what is cut off ends late or in IndexError."""
    if scalar := _SCALARS[data[start]]:
        return start + scalar
    major, argument, pos = data[start] >> 5, data[start] & 0x1F, start + 1
    if argument >= _ONE_BYTE_MORE:
        major, argument, pos = _head(data, start)
    if major == _TEXT:
        texts.append(data[pos : pos + argument])
        return pos + argument
    if major == _BYTES:
        return pos + argument
    if major not in (_ARRAY, _MAP):
        raise InvalidItem(Reason.ENCODING, "a tag, a float, or a simple value other than true and false")
    if depth == MAX_DEPTH:
        raise InvalidItem(Reason.ENCODING, f"nested deeper than {MAX_DEPTH}")
    last_key = b""
    for _ in range(argument):
        if major == _MAP:
            key_at = pos
            pos = pos + 1 if data[pos] < _ONE_BYTE_MORE else _walk_key(data, pos, texts)
            key = data[key_at:pos]
            if key <= last_key:
                raise InvalidItem(Reason.ENCODING, "map keys out of order or twice")
            last_key = key
        # Without a call for each scalar, since long lists are lists of numbers.
        scalar = _SCALARS[data[pos]]
        pos = pos + scalar if scalar else _walk(data, pos, depth + 1, texts)
    return pos


def _walk_key(data: bytes, start: int, texts: list[bytes]) -> int:
    """Return where the map key at `start` ends, and add it if it is text."""
    major, argument, pos = _head(data, start)
    if major == _UINT and argument <= MAX_INT_KEY:
        return pos
    if major == _TEXT and 0 < argument <= MAX_TEXT_KEY:
        texts.append(data[pos : pos + argument])
        return pos + argument
    raise InvalidItem(Reason.ENCODING, "a map key that is neither a small number nor a language tag")
