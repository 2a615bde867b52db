"""What no request and no reply of a reconciliation may look like, one named flaw each."""

from __future__ import annotations

from itertools import cycle

from tests.reconciling import (
    FINGERPRINT,
    LIST,
    NAMED,
    NOTHING,
    NOW,
    SAME,
    key,
    named,
    packed,
    reply,
    request,
    said,
)

KEY = key(3, NOW, bytes(16))
CLASS_3 = said(0, b"\x03", NOTHING)
UP_TO_NOW = said(1, key(3, NOW + 601, b"")[1:], NAMED)
"""What the first message asks about KEY: the class from its beginning to ten minutes past now."""


def counted(count: int, *words: tuple[int, bytes], tail: bytes = b"") -> bytes:
    """Pack so many narrow ranges of class 0, saying these words of them in turn; `tail` makes the bounds longer."""
    bounds = (b"\0" + n.to_bytes(2, "big") + tail for n in range(1, count + 1))
    return packed([(bound, *word) for bound, word in zip(bounds, cycle(words), strict=False)])


DIFFERS, THE_SAME = (NOTHING, b""), (SAME, b"")
A_LONG_LIST = (LIST, b"\xff" + bytes(255 * 8))
INVALID_RANGES = {
    "an empty bound": said(0, b"", NOTHING),
    "a bound that stays": said(0, b"\x03", NOTHING) + said(0, b"\x03", NOTHING),
    "a bound that falls": said(0, b"\x03", NOTHING) + said(0, b"\x02", NOTHING),
    "a bound that repeats itself less than it could": said(0, b"\x01\x02", NOTHING) + said(0, b"\x01\x03", NOTHING),
    "a bound that shares more than there is": said(1, b"\x03", NOTHING),
    "a bound past the last class": said(0, b"\x05", NOTHING),
    "a bound just past the last class": said(0, b"\x04\x00", NOTHING),
    "a bound longer than a key": said(0, b"\x01" * 25, NOTHING),
    "an unknown tag": said(0, b"\x04", 5),
    "the last tag there can be": said(0, b"\x04", 7),
    "a fingerprint over two classes": said(0, b"\x02", FINGERPRINT, bytes(16)),
    "a fingerprint that is cut off": said(0, b"\x01", FINGERPRINT, bytes(15)),
    "a bound that is cut off": b"\x00\x02\x01",
    "half a head": b"\x00",
}
INVALID_REQUESTS = {
    "nothing": b"",
    "a head that is cut off": request()[:-1],
    "another version": request(version=2),
    "a word for replies": request(said(0, b"\x04", SAME)),
    "keys": request(CLASS_3, said(0, b"\x04", NAMED, named(KEY))),
    "a list over two classes": request(said(0, b"\x02", LIST, b"\x00")),
    "a list that is cut off": request(said(0, b"\x01", LIST, b"\x02", bytes(15))),
    "too many ranges": request(counted(4_097, DIFFERS)),
    "too many bytes": request(counted(600, A_LONG_LIST)),
} | {name: request(ranges) for name, ranges in INVALID_RANGES.items()}
INVALID_REPLIES = {
    "nothing": b"",
    "another version": b"\x02",
    "a list": reply(said(0, b"\x01", LIST, b"\x00")),
    "keys out of order": reply(CLASS_3, UP_TO_NOW, named(key(3, NOW, b"\2" * 16), key(3, NOW, b"\1" * 16))),
    "a key twice": reply(CLASS_3, UP_TO_NOW, named(KEY, KEY)),
    "a key below its range": reply(CLASS_3, UP_TO_NOW, named(key(2, NOW, bytes(16)))),
    "a key above its range": reply(CLASS_3, UP_TO_NOW, named(key(3, NOW + 601, bytes(16)))),
    "keys that are cut off": reply(CLASS_3, UP_TO_NOW, b"\0\0\2", KEY),
    "bits with nothing in the last byte": reply(CLASS_3, UP_TO_NOW, named(bits=b"\1\0")),
    "bits past the end of the list": reply(CLASS_3, UP_TO_NOW, named(bits=b"\x02")),
    "more keys than it may name": reply(
        CLASS_3, UP_TO_NOW, named(*(key(3, 1, n.to_bytes(16, "big")) for n in range(1_001)))
    ),
    "too many bytes": reply(counted(11_000, DIFFERS, THE_SAME, tail=b"\1" * 21)),
    "too many ranges": reply(counted(16_385, DIFFERS, THE_SAME)),
    "one naming for two questions": reply(CLASS_3, said(0, b"\x04", NAMED, named())),
    "a list that is opened": reply(CLASS_3, said(1, b"\0\0\0\x6b", FINGERPRINT, bytes(16))),
} | {name: reply(ranges) for name, ranges in INVALID_RANGES.items()}
