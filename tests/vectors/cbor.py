"""CBOR by hand (RFC 8949), for vectors: every function returns bytes, so that a flaw can be put anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in the encoding as they are."""

    data: bytes


def head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width, "big")
    raise ValueError(argument)


def long_head(major: int, argument: int, width: int) -> bytes:
    """Return a head that is longer than it has to be."""
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + argument.to_bytes(width, "big")


def enc(value: Any) -> bytes:
    match value:
        case Raw(data):
            return data
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(enc, value))
        case dict():
            return head(5, len(value)) + b"".join(k + v for k, v in sorted((enc(k), enc(v)) for k, v in value.items()))
    raise TypeError(value)


def unsorted_map(*entries: tuple[Any, Any]) -> bytes:
    return head(5, len(entries)) + b"".join(enc(key) + enc(value) for key, value in entries)
