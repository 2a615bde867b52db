"""Make the vectors of signed items: good ones, and everything that the gate has to refuse.

Run ``python -m tests.vectors.make`` in the checkout; the files in tests/vectors/items are its only product.
It is written from docs/spec/item.md, bulletin.md and statements.md and imports nothing of meshrelay: the encoder,
the Sig_structure and the id are made here a second time, so that both sides cannot share one mistake.

The form of a file: header lines `name: value` (expect, comment, and for good items id and author), an empty line,
and the bytes of the envelope as hexadecimal digits, to be joined over the lines. `expect` is `ok` or the reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nacl import bindings

from tests.vectors import statements
from tests.vectors.cbor import Raw, enc, head, long_head, unsorted_map

FOLDER = Path(__file__).parent / "items"
SENT = 1_700_000_000
DAY = 86_400
L = 2**252 + 27742317777372353535851937790883648493
P = 2**255 - 19


# COSE_Sign1, by hand (RFC 9052)

SEED = hashlib.sha256(b"meshrelay vectors, author").digest()
OTHER_SEED = hashlib.sha256(b"meshrelay vectors, another author").digest()
AUTHOR, SECRET = bindings.crypto_sign_seed_keypair(SEED)
OTHER, OTHER_SECRET = bindings.crypto_sign_seed_keypair(OTHER_SEED)
AAD = b"meshrelay/1"


def protected(author: bytes = AUTHOR) -> bytes:
    return enc({1: -8, 4: author})


def structure(payload: bytes, *, header: bytes | None = None, aad: bytes = AAD, context: str = "Signature1") -> bytes:
    return enc([context, protected() if header is None else header, aad, payload])


def signature(message: bytes, secret: bytes = SECRET) -> bytes:
    signed: bytes = bindings.crypto_sign(message, secret)
    return signed[:64]


def envelope(payload: bytes, sig: bytes | None = None, *, header: bytes | None = None, author: bytes = AUTHOR) -> bytes:
    header = protected(author) if header is None else header
    sig = signature(structure(payload, header=header)) if sig is None else sig
    return b"\xd2" + enc([header, Raw(b"\xa0"), payload, sig])


def item_id(payload: bytes, author: bytes = AUTHOR) -> bytes:
    return hashlib.sha256(enc(["meshrelay/1 id", protected(author), payload])).digest()


# What the items say

TEXT = {0: "Flood", 1: "Leave the river bank", 2: "The water rises.\nIt rises fast.", 3: "Go east."}
BULLETIN: dict[Any, Any] = {
    0: "bulletin",
    1: 1,
    2: SENT,
    3: bytes(range(8)),
    4: 1,
    10: "Alert",
    11: "Actual",
    12: ["Met", "Safety"],
    14: "Immediate",
    15: "Extreme",
    16: "Observed",
    19: SENT + DAY,
    23: {"en": TEXT, "kk": {0: "Су тасқыны"}},
}
PREVIOUS = hashlib.sha256(b"an earlier item").digest()
LATER = BULLETIN | {4: 9, 5: PREVIOUS, 6: [1, 3, 8]}
SQUARE = [43_000_000, 76_000_000, 44_000_000, 76_000_000, 44_000_000, 77_000_000, 43_000_000, 76_000_000]
FULL = LATER | {
    7: hashlib.sha256(b"an organisation").digest(),
    13: ["Evacuate", "Avoid"],
    17: SENT - 60,
    18: SENT + 60,
    20: True,
    21: [PREVIOUS],
    10: "Update",
    22: [
        {
            0: {"en": "River bank", "kk": "Жаға"},
            1: [SQUARE],
            2: [[-90_000_000, 180_000_000, 0], [43_000_000, 76_000_000, 20_040_000]],
            3: [["KATO", "750000000"], ["empty", ""]],
            4: "10.5",
            5: "200",
        }
    ],
    24: ["profile:one"],
    25: [["SAME", "FLW"]],
    26: [["depth", "2 m"]],
    27: [{0: "Map", 1: "image/png", 2: "https://example.org/map.png", 3: 0, 4: "aa"}],
    28: "A note",
    29: "All",
    30: "Desk",
    31: "river",
    32: {
        0: "cap",
        1: True,
        2: ["water@example.org", "flood-7", "2023-11-15T02:00:00+05:00"],
        3: [["water@example.org", "flood-6", "2023-11-15T01:00:00+05:00"]],
        4: "2023-11-15T02:00:00+05:00",
        5: "2023-11-15T03:00:00+05:00",
        6: "2023-11-15T10:00:00+05:00",
        7: bytes(32),
        8: "present",
    },
}
REVOCATION: dict[Any, Any] = {0: "revocation", 1: 1, 2: SENT, 10: AUTHOR}


def but(changes: dict[Any, Any], base: dict[Any, Any] = BULLETIN) -> dict[Any, Any]:
    """Return `base` with some entries replaced; ... takes an entry away."""
    return {key: value for key, value in (base | changes).items() if value is not ...}


def text_but(changes: dict[Any, Any]) -> dict[Any, Any]:
    return but({23: {"en": but(changes, TEXT)}})


def origin(changes: dict[Any, Any]) -> dict[Any, Any]:
    return but({32: but(changes, FULL[32])}, FULL)


def area(changes: dict[Any, Any]) -> dict[Any, Any]:
    return but({22: [but(changes, FULL[22][0])]}, FULL)


def raw_payload(value: bytes) -> bytes:
    """Return a bulletin whose note (28, the last key) is these bytes."""
    keys = enc(BULLETIN)
    return bytes([keys[0] + 1]) + keys[1:] + enc(28) + value


def strings(payload: bytes, at: str) -> tuple[bytes, bytes]:
    before, _, after = payload.partition(enc(at))
    return before, after


# The vectors


@dataclass(frozen=True)
class Vector:
    name: str
    expect: str
    comment: str
    data: bytes
    id: bytes | None = None
    author: bytes = AUTHOR


def good() -> Iterator[tuple[str, str, Any]]:
    yield "bulletin", "an Alert in two languages, the first of its stream", BULLETIN
    yield "bulletin-later", "a later one of the stream: prev, and live ascending", LATER
    yield "bulletin-prev-lost", "the one before it was lost, so that its id is not known", but({4: 2})
    yield "bulletin-full", "every field is there", FULL
    yield "bulletin-own-origin", "the author looked into it", but({32: {0: "own", 1: True}})
    yield "bulletin-90-days", "the longest life", but({19: SENT + 90 * DAY})
    yield "bulletin-one-second", "the shortest life, as an imported alert has that was past", but({19: SENT + 1})
    yield "bulletin-last-time", "the last second of the year 9999", but({2: 253_402_300_798, 19: 253_402_300_799})
    yield "bulletin-first-time", "the first second", but({2: 1, 19: 2})
    yield "bulletin-largest-seq", "the largest number", but({4: 2**53 - 1, 5: PREVIOUS, 6: [2**53 - 2]})
    yield "bulletin-joiners", "joiners and marks of direction that Persian and Arabic need", text_but({1: "می‌خواهم ‏ا؜‎"})
    yield "bulletin-newline", "a newline in a text", text_but({1: "one\ntwo"})
    yield "bulletin-not-nfc", "text that is not in normal form stays as it is", text_but({1: "e\u0301"})
    yield "bulletin-long-tag", "a language tag of 35 bytes", but({23: {"en-aaaaaaaa-bbbbbbbb-cccccccc-ddddd": TEXT}})
    yield "cancel", "a Cancel needs no text", but({10: "Cancel", 21: [PREVIOUS], 23: ...})
    yield "alert-with-references", "an Alert may name others; it does not act on them", but({21: [PREVIOUS]})
    yield "update-by-triple", "an Update that names a CAP message only", but({10: "Update", 21: ...}, FULL)
    yield "revocation", "a key ends itself and everything it signed", REVOCATION
    yield "revocation-good", "two ids stay good", but({11: [bytes(32), PREVIOUS]}, REVOCATION)
    yield (
        "polygon-poles",
        "the corners of the world",
        area({1: [[-90_000_000, -180_000_000, 90_000_000, 180_000_000] * 2 + [-90_000_000, -180_000_000]]}),
    )


def fields() -> Iterator[tuple[str, str, str, Any]]:
    """Yield payloads that are well encoded and well signed, and wrong."""
    # What an item is
    yield "payload-array", "field", "the payload is an array", [BULLETIN]
    yield "payload-integer", "field", "the payload is a number", 1
    yield "payload-empty-map", "kind", "an empty map", {}
    yield "kind-missing", "kind", "no kind", but({0: ...})
    yield "kind-integer", "kind", "the kind is a number", but({0: 1})
    yield "kind-unknown", "kind", "a kind that nobody knows", but({0: "rumour"})
    yield "kind-case", "kind", "kinds are lower case", but({0: "Bulletin"})
    for kind in ("list", "heartbeat"):
        yield f"kind-reserved-{kind}", "kind", "a kind that is kept for later", but({0: kind})
    yield "version-missing", "version", "no version", but({1: ...})
    yield "version-0", "version", "version 0", but({1: 0})
    yield "version-2", "version", "version 2", but({1: 2})
    yield "version-true", "version", "true is not 1", but({1: True})
    yield "version-text", "version", "the version as text", but({1: "1"})
    # Missing, unknown, of another type
    required = {2: "sent", 3: "stream", 4: "seq", 10: "msgType", 11: "status", 12: "category", 14: "urgency"}
    required |= {15: "severity", 16: "certainty", 19: "expires", 23: "texts"}
    for key, name in required.items():
        yield f"missing-{name}", "field", f"no {name}", but({key: ...})
    for key in (8, 9, 33, 255):
        yield f"unknown-key-{key}", "field", f"key {key} has no meaning, and nothing unknown rides along", but({key: 1})
    yield "unknown-key-text", "field", "a language tag where a number is a key", but({"en": 1})
    yield "unknown-key-in-text", "field", "key 7 of a text has no meaning", text_but({7: "x"})
    yield "unknown-key-in-area", "field", "key 6 of an area has no meaning", area({6: "x"})
    yield "unknown-key-in-resource", "field", "key 5 of a resource has no meaning", but({27: [{0: "a", 5: "x"}]})
    yield "unknown-key-in-origin", "field", "key 9 of an origin has no meaning", origin({9: "x"})
    for key in FULL:
        if key not in (0, 1, 20):
            yield f"type-true-{key}", "field", f"key {key} is true", but({key: True}, FULL)
    for key in FULL:
        if key > 1 and not isinstance(FULL[key], bool | bytes):
            yield f"type-bytes-{key}", "field", f"key {key} is a byte string", but({key: b"12345678"}, FULL)
    for key in FULL:
        if isinstance(FULL[key], list | dict):
            yield (
                f"empty-{key}",
                "field",
                f"key {key} is empty; what is empty is left out",
                but({key: type(FULL[key])()}, FULL),
            )
    for key in (28, 29, 30, 31):
        yield f"empty-{key}", "field", f"key {key} is empty; what is empty is left out", but({key: ""}, FULL)
    for key in (12, 13, 24):
        yield f"type-number-in-{key}", "field", f"a number in the list of key {key}", but({key: [1]}, FULL)
    yield "expires-assumed-false", "field", "false is left out", but({20: False})
    yield "org-31-bytes", "field", "an organisation of 31 bytes", but({7: bytes(31)})
    yield "org-33-bytes", "field", "an organisation of 33 bytes", but({7: bytes(33)})
    # The place in a stream
    yield "stream-7-bytes", "field", "a stream of 7 bytes", but({3: bytes(7)})
    yield "stream-9-bytes", "field", "a stream of 9 bytes", but({3: bytes(9)})
    yield "seq-0", "field", "numbers begin at 1", but({4: 0})
    yield "seq-negative", "field", "a number below zero", but({4: -1})
    yield "seq-too-large", "field", "2^53 is one too many", but({4: 2**53, 5: PREVIOUS})
    yield "prev-of-the-first", "field", "the first of a stream has none before it", but({5: PREVIOUS})
    yield "prev-31-bytes", "field", "an id of 31 bytes", but({5: bytes(31)}, LATER)
    yield "live-descending", "field", "live is not ascending", but({6: [3, 1]}, LATER)
    yield "live-twice", "field", "one number twice in live", but({6: [3, 3]}, LATER)
    yield "live-itself", "field", "live names the bulletin itself", but({6: [1, 9]}, LATER)
    yield "live-later", "field", "live names a number that is yet to come", but({6: [10]}, LATER)
    yield "live-0", "field", "0 is no number of a bulletin", but({6: [0, 1]}, LATER)
    yield "live-65", "field", "live has 65 entries", but({4: 99, 6: list(range(1, 66))}, LATER)
    # CAP's words
    for key, name, word in (
        (10, "msgType", "Ack"),
        (10, "msgType", "alert"),
        (11, "status", "Draft"),
        (11, "status", "System"),
        (14, "urgency", "Soon"),
        (15, "severity", "extreme"),
        (16, "certainty", "Very Likely"),
    ):
        yield f"{name}-{word.replace(' ', '-')}", "field", f"{word} is no {name} here", but({key: word})
    yield "category-unknown", "field", "a category that CAP does not have", but({12: ["Weather"]})
    yield "category-twice", "field", "one category twice", but({12: ["Met", "Met"]})
    yield "response-unknown", "field", "a response that CAP does not have", but({13: ["Run"]})
    yield "response-twice", "field", "one response twice", but({13: ["Avoid", "Avoid"]})
    yield "update-of-nothing", "field", "an Update names what it acts on", but({10: "Update"})
    yield "cancel-of-nothing", "field", "a Cancel names what it acts on", but({10: "Cancel"})
    yield "update-without-text", "field", "only a Cancel needs no text", but({10: "Update", 21: [PREVIOUS], 23: ...})
    yield "references-31-bytes", "field", "an id of 31 bytes", but({21: [bytes(31)]})
    yield "references-twice", "field", "one id twice", but({21: [PREVIOUS, PREVIOUS]})
    yield "references-65", "field", "65 ids", but({21: [n.to_bytes(32, "big") for n in range(65)]})
    # Texts
    yield "texts-array", "field", "texts as a list", but({23: [TEXT]})
    yield (
        "texts-65",
        "field",
        "65 languages",
        but({23: {f"q{chr(97 + n // 26)}{chr(97 + n % 26)}": TEXT for n in range(65)}}),
    )
    yield "text-not-a-map", "field", "a text that is only text", but({23: {"en": "Flood"}})
    yield "text-without-event", "field", "a text without its event", text_but({0: ...})
    yield "text-empty-headline", "field", "an empty headline is left out", text_but({1: ""})
    yield "text-long-headline", "field", "a headline of 1,001 characters", text_but({1: "h" * 1001})
    yield "text-number", "field", "a headline that is a number", text_but({1: 1})
    for name, tag in {
        "underscore": "en_GB",
        "space": "en GB",
        "one-letter": "e",
        "digits": "12",
        "hyphen-at-the-end": "en-",
        "part-of-9": "en-abcdefghi",
        "not-ascii": "қаз",
    }.items():
        yield f"language-{name}", "field", f"{tag!r} is not a language tag", but({23: {tag: TEXT}})
    yield "language-integer", "field", "a number where a language is a key", but({23: {1: TEXT}})
    yield "language-twice", "field", "one language in two spellings", but({23: {"en": TEXT, "EN": TEXT}})
    # Pairs and resources
    for key, name in ((25, "eventCode"), (26, "parameter")):
        yield f"{name}-of-three", "field", "a pair of three", but({key: [["a", "b", "c"]]})
        yield f"{name}-of-one", "field", "a pair of one", but({key: [["a"]]})
        yield f"{name}-without-a-name", "field", "a pair with an empty name", but({key: [["", "b"]]})
        yield f"{name}-number", "field", "a value that is a number", but({key: [["a", 1]]})
        yield f"{name}-257", "field", "257 pairs", but({key: [["a", "b"]] * 257})
    yield "code-257", "field", "257 codes", but({24: ["a"] * 257})
    yield "resource-without-description", "field", "a resource without a description", but({27: [{1: "image/png"}]})
    yield "resource-negative-size", "field", "a resource of -1 bytes", but({27: [{0: "a", 3: -1}]})
    yield "resource-33", "field", "33 resources", but({27: [{0: "a"}] * 33})
    # Areas
    yield "area-without-names", "field", "an area without words", area({0: ...})
    yield "area-empty-names", "field", "an area with no language", area({0: {}})
    yield "area-bad-language", "field", "an area in no language", area({0: {"x": "River"}})
    yield "area-257", "field", "257 areas", but({22: [{0: {"en": "a"}}] * 257})
    yield "area-text-number", "field", "an altitude that is a number", area({4: 10})
    yield "geocode-of-three", "field", "a geocode of three", area({3: [["a", "b", "c"]]})
    # Origin
    yield "origin-empty-own", "field", "an origin that says nothing is left out", but({32: {0: "own"}})
    yield "origin-kind-unknown", "field", "an origin of a kind that nobody knows", origin({0: "radio"})
    yield "origin-kind-missing", "field", "an origin without a kind", origin({0: ...})
    yield "origin-cap-without-identity", "field", "a CAP message without its triple", origin({2: ...})
    yield "origin-own-with-identity", "field", "own words with the triple of another", origin({0: "own"})
    yield "origin-identity-of-two", "field", "a triple of two", origin({2: ["a", "b"]})
    yield "origin-identity-empty", "field", "a triple with an empty part", origin({2: ["a", "", "c"]})
    yield "origin-references-65", "field", "65 triples", origin({3: [["a", str(n), "c"] for n in range(65)]})
    yield "origin-checked-false", "field", "false is left out", origin({1: False})
    yield "origin-digest-31-bytes", "field", "a digest of 31 bytes", origin({7: bytes(31)})
    yield "origin-signature-valid", "field", "nobody checks XML signatures, so none is valid", origin({8: "valid"})
    # Times
    yield "expires-at-sent", "time", "it expires when it is signed", but({19: SENT})
    yield "expires-before-sent", "time", "it expires before it is signed", but({19: SENT - 1})
    yield "expires-after-90-days", "time", "it lives a second longer than 90 days", but({19: SENT + 90 * DAY + 1})
    yield "sent-0", "time", "times begin at 1", but({2: 0, 19: 1})
    yield "sent-negative", "time", "a time before 1970", but({2: -SENT})
    yield "sent-after-9999", "time", "a time after the year 9999", but({2: 253_402_300_800, 19: 253_402_300_801})
    yield "expires-after-9999", "time", "an end after the year 9999", but({2: 253_402_300_799, 19: 253_402_300_800})
    yield "sent-in-milliseconds", "time", "milliseconds are no seconds", but({2: SENT * 1000, 19: SENT * 1000 + 1})
    yield "effective-0", "time", "a beginning at 0", but({17: 0})
    yield "onset-2-to-the-64", "time", "an onset of 2^64 - 1", but({18: 2**64 - 1})
    # Places
    yield "latitude-too-far", "place", "a latitude of 90.000001", area({2: [[90_000_001, 0, 1]]})
    yield "longitude-too-far", "place", "a longitude of -180.000001", area({2: [[0, -180_000_001, 1]]})
    yield (
        "latitude-and-longitude-swapped",
        "place",
        "longitude first",
        area({1: [[76_000_000, 43_000_000, 120_000_000, 44_000_000] * 2]}),
    )
    yield "radius-negative", "place", "a radius of -1 m", area({2: [[0, 0, -1]]})
    yield "radius-too-large", "place", "a radius larger than the world", area({2: [[0, 0, 20_040_001]]})
    yield "circle-of-two", "place", "a circle without a radius", area({2: [[0, 0]]})
    yield "polygon-open", "place", "a polygon that is not closed", area({1: [[*SQUARE[:6], 43_000_000, 76_000_001]]})
    yield "polygon-of-three", "place", "a polygon of three points", area({1: [[*SQUARE[:4], *SQUARE[:2]]]})
    yield "polygon-half-a-point", "place", "half a point too many", area({1: [[*SQUARE, 1]]})
    yield "polygon-text", "place", "a polygon as text", area({1: ["43,76 44,76 44,77 43,76"]})
    yield "latitude-text", "field", "a latitude that is text", area({2: [["43", 76, 1]]})
    yield "polygon-257", "field", "257 polygons", area({1: [SQUARE] * 257})
    # Revocations
    yield "revocation-of-another", "field", "a key can end itself only", but({10: OTHER}, REVOCATION)
    yield "revocation-without-subject", "field", "a revocation of nothing", but({10: ...}, REVOCATION)
    yield "revocation-without-sent", "field", "a revocation without a time", but({2: ...}, REVOCATION)
    yield (
        "revocation-in-a-stream",
        "field",
        "statements have no place in a stream",
        but({3: bytes(8), 4: 1}, REVOCATION),
    )
    yield "revocation-good-descending", "field", "good is not ascending", but({11: [PREVIOUS, bytes(32)]}, REVOCATION)
    yield "revocation-good-twice", "field", "one id twice in good", but({11: [PREVIOUS, PREVIOUS]}, REVOCATION)
    yield (
        "revocation-good-257",
        "field",
        "good has 257 ids",
        but({11: [n.to_bytes(32, "big") for n in range(257)]}, REVOCATION),
    )
    yield "revocation-good-empty", "field", "an empty list is left out", but({11: []}, REVOCATION)
    yield "revocation-sent-0", "time", "times begin at 1", but({2: 0}, REVOCATION)


def encodings() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield payloads that are well signed and not the one encoding of a value."""
    body = enc(BULLETIN)
    entries = list(BULLETIN.items())
    note = raw_payload
    # Numbers and lengths in a longer form
    for width in (1, 2, 4, 8):
        yield f"long-number-{width}", "encoding", f"1 in {width} bytes more than it needs", note(long_head(0, 1, width))
        yield (
            f"long-text-{width}",
            "encoding",
            f"a length in {width} bytes too many",
            note(long_head(3, 4, width) + b"note"),
        )
    yield "long-bytes", "encoding", "the length of a byte string in a longer form", note(long_head(2, 4, 1) + b"note")
    yield "long-array", "encoding", "the length of an array in a longer form", note(long_head(4, 1, 1) + b"\x01")
    yield "long-map", "encoding", "the length of a map in a longer form", long_head(5, len(entries), 1) + body[1:]
    yield "long-key", "encoding", "a key in a longer form", body[:1] + b"\x18\x00" + body[2:]
    yield "long-negative", "encoding", "a negative number in a longer form", note(long_head(1, 3, 2))
    # Maps
    yield (
        "map-unsorted",
        "encoding",
        "two entries have changed places",
        unsorted_map(entries[1], entries[0], *entries[2:]),
    )
    yield "map-reversed", "encoding", "all entries backwards", unsorted_map(*reversed(entries))
    tags = unsorted_map(("kk", TEXT), ("en", TEXT))
    yield "map-of-languages-unsorted", "encoding", "languages out of order", enc(but({23: Raw(tags)}))
    older = unsorted_map(("en", TEXT), ("kk", TEXT), (30, 1))
    yield "map-in-the-older-order", "encoding", "sorted by length first, as RFC 7049 had it", enc(but({23: Raw(older)}))
    yield "map-key-twice", "encoding", "sent is there twice", unsorted_map(*entries[:3], *entries[2:])
    yield (
        "map-key-twice-with-two-values",
        "encoding",
        "two kinds in one payload",
        unsorted_map((0, "revocation"), *entries),
    )
    yield "map-key-negative", "encoding", "a key below zero", enc(but({-1: 1}))
    yield "map-key-256", "encoding", "a key above 255", enc(but({256: 1}))
    yield "map-key-bytes", "encoding", "a byte string as a key", enc(but({b"key": 1}))
    yield "map-key-empty-text", "encoding", "an empty text as a key", enc(but({"": 1}))
    yield "map-key-36-bytes", "encoding", "a text of 36 bytes as a key", enc(but({"x" * 36: 1}))
    yield "map-key-array", "encoding", "an array as a key", unsorted_map(*entries, (Raw(b"\x81\x01"), 1))
    yield "map-key-true", "encoding", "true as a key", unsorted_map(*entries, (True, 1))
    yield "map-key-bignum", "encoding", "a bignum as a key", unsorted_map(*entries, (Raw(b"\xc2\x41\x05"), 1))
    # Indefinite lengths
    yield "indefinite-map", "encoding", "a map of indefinite length", b"\xbf" + body[1:] + b"\xff"
    yield "indefinite-array", "encoding", "an array of indefinite length", note(b"\x9f\x01\xff")
    yield "indefinite-text", "encoding", "a text in pieces", note(b"\x7f\x62no\x62te\xff")
    yield "indefinite-bytes", "encoding", "a byte string in pieces", note(b"\x5f\x42no\x42te\xff")
    yield "break-alone", "encoding", "a break that ends nothing", note(b"\xff")
    # What has no place here
    yield "tag-time", "encoding", "a tag: a time since 1970", enc(but({2: Raw(b"\xc1" + enc(SENT))}))
    yield "tag-bignum", "encoding", "a tag: a large number", note(b"\xc2\x49\x01" + bytes(8))
    yield "tag-regular-expression", "encoding", "a tag: a regular expression", note(b"\xd8\x23" + enc("(a+)+$"))
    yield "tag-shared", "encoding", "tags: a value that contains itself", note(b"\xd8\x1c\x81\xd8\x1d\x00")
    yield "tag-self-described", "encoding", "the tag of CBOR itself before the map", b"\xd9\xd9\xf7" + body
    yield "float-16", "encoding", "a float of 16 bits", note(b"\xf9\x3c\x00")
    yield "float-32", "encoding", "a float of 32 bits", note(b"\xfa\x3f\x80\x00\x00")
    yield "float-64", "encoding", "a float of 64 bits", note(b"\xfb\x3f\xf0" + bytes(6))
    yield "float-nan", "encoding", "not a number", note(b"\xf9\x7e\x00")
    yield "float-version", "encoding", "version 1.0", enc(but({1: Raw(b"\xf9\x3c\x00")}))
    yield "null", "encoding", "null", note(b"\xf6")
    yield "undefined", "encoding", "undefined", note(b"\xf7")
    yield "simple-0", "encoding", "simple value 0", note(b"\xe0")
    yield "simple-19", "encoding", "simple value 19", note(b"\xf3")
    yield "simple-true-in-two-bytes", "encoding", "true in a longer form", note(b"\xf8\x15")
    yield "simple-255", "encoding", "simple value 255", note(b"\xf8\xff")
    for info in (28, 29, 30):
        yield f"reserved-head-{info}", "encoding", "a head that CBOR keeps for later", note(bytes([info]))
    # Lengths that lie, and what stands behind the end
    yield "payload-trailing-byte", "encoding", "a byte after the map", body + b"\x00"
    yield "payload-two-maps", "encoding", "two bulletins in one payload", body + body
    yield "payload-cut-off", "encoding", "the last byte is missing", body[:-1]
    yield "payload-only-a-head", "encoding", "a map of 23 entries, and nothing in it", b"\xb7"
    yield "length-of-text-lies", "encoding", "a text of 2^64 - 1 bytes", note(b"\x7b" + b"\xff" * 8)
    yield "length-of-bytes-lies", "encoding", "a byte string of 2^63 bytes", note(b"\x5b\x80" + bytes(7))
    yield "length-of-array-lies", "encoding", "an array of 2^64 - 1 elements", note(b"\x9b" + b"\xff" * 8)
    yield "length-of-map-lies", "encoding", "a map of 2^63 entries", note(b"\xbb\x80" + bytes(7))
    yield "depth-9", "encoding", "arrays nested nine deep, the payload's map counted", note(b"\x81" * 8 + b"\x01")
    yield "depth-30000", "encoding", "arrays nested 30,000 deep", note(b"\x81" * 30_000 + b"\x01")
    yield "depth-maps", "encoding", "maps nested nine deep", note(b"\xa1\x01" * 8 + b"\x01")
    # Text
    for name, raw, comment in (
        ("not-utf-8", b"\xc3\x28", "a broken character"),
        ("cut-off", b"a\xe2\x82", "a character that is cut off"),
        ("overlong", b"\xc0\x80", "zero in two bytes"),
        ("surrogate", b"\xed\xa0\x80", "half of a pair"),
        ("beyond-unicode", b"\xf4\x90\x80\x80", "beyond the last character"),
        ("latin-1", b"caf\xe9", "another encoding"),
    ):
        yield f"text-{name}", "text", comment, note(head(3, len(raw)) + raw)
    for code in (0x00, 0x09, 0x0B, 0x0D, 0x1B, 0x1F, 0x7F, 0x80, 0x85, 0x9F, 0x202A, 0x202E, 0x2066, 0x2069):
        yield (
            f"text-u{code:04x}",
            "text",
            f"U+{code:04X} misleads the eye or the machine",
            enc(but({28: f"a{chr(code)}b"})),
        )
    yield "text-control-in-a-headline", "text", "a line that hides another", enc(text_but({1: "All clear\r"}))
    yield (
        "text-override-in-an-area",
        "text",
        "an override in the name of a place",
        enc(area({0: {"en": "\u202eRiver"}})),
    )


def envelopes() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield envelopes that are not the one form, most of them with a signature that verifies."""
    payload = enc(BULLETIN)
    whole = envelope(payload)
    sig = whole[-64:]
    prot = enc(protected())
    rest = enc(payload) + enc(sig)

    def signed_with(header: bytes) -> bytes:
        return signature(structure(payload, header=header))

    yield "empty", "envelope", "no bytes at all", b""
    yield "one-byte", "envelope", "one byte", b"\xd2"
    for cut in (10, 44, 60, len(whole) - 65, len(whole) - 1):
        yield f"cut-off-at-{cut}", "envelope", f"the first {cut} bytes of a good item", whole[:cut]
    yield "trailing-byte", "envelope", "a byte after the end", whole + b"\x00"
    yield "twice", "envelope", "two items in one", whole + whole
    yield "without-tag", "envelope", "no tag 18", whole[1:]
    yield "tag-98", "envelope", "tag 98 on a message of four", b"\xd8\x62" + whole[1:]
    yield "tag-in-a-longer-form", "envelope", "tag 18 in two bytes", b"\xd8\x12" + whole[1:]
    yield "tag-twice", "envelope", "a tag before the tag", b"\xd9\xd9\xf7" + whole
    yield "tag-cwt", "envelope", "the tag of a CBOR Web Token before the tag", b"\xd8\x3d" + whole
    yield "array-of-5", "envelope", "a fifth element", b"\xd2\x85" + whole[2:] + b"\x00"
    yield "array-of-3", "envelope", "no signature at all", b"\xd2\x83" + prot + b"\xa0" + enc(payload)
    yield "array-in-a-longer-form", "envelope", "the array's length in two bytes", b"\xd2\x98\x04" + whole[2:]
    yield "array-indefinite", "envelope", "an array of indefinite length", b"\xd2\x9f" + whole[2:] + b"\xff"
    # The protected header
    for name, comment, header in (
        ("es256", "another algorithm is named", enc({1: -7, 4: AUTHOR})),
        ("ed448", "the algorithm as newer registries write it", enc({1: -19, 4: AUTHOR})),
        ("alg-text", "the algorithm as text", enc({1: "EdDSA", 4: AUTHOR})),
        ("alg-missing", "no algorithm", enc({4: AUTHOR})),
        ("kid-missing", "no key", enc({1: -8})),
        ("kid-31-bytes", "a key of 31 bytes", enc({1: -8, 4: AUTHOR[:31]})),
        ("kid-33-bytes", "a key of 33 bytes", enc({1: -8, 4: AUTHOR + b"\x00"})),
        ("third-entry", "a content type", enc({1: -8, 3: 0, 4: AUTHOR})),
        ("critical", "a header that has to be understood", enc({1: -8, 2: [99], 4: AUTHOR, 99: 1})),
        ("reversed", "the entries backwards", unsorted_map((4, AUTHOR), (1, -8))),
        (
            "in-a-longer-form",
            "the algorithm in a longer form",
            b"\xa2\x01" + long_head(1, 7, 1) + b"\x04" + enc(AUTHOR),
        ),
        ("empty-map", "an empty map", b"\xa0"),
        ("empty", "nothing", b""),
    ):
        data = b"\xd2\x84" + enc(header) + b"\xa0" + enc(payload) + enc(signed_with(header))
        yield f"protected-{name}", "envelope", f"the protected header: {comment}; the signature fits", data
    yield (
        "protected-as-a-map",
        "envelope",
        "the protected header as a map, not as bytes",
        b"\xd2\x84" + protected() + b"\xa0" + rest,
    )
    long_protected = b"\xd2\x84" + long_head(2, len(protected()), 2) + protected() + b"\xa0" + rest
    yield (
        "protected-length-in-a-longer-form",
        "envelope",
        "a longer form of a length outside the signature",
        long_protected,
    )
    # The unprotected header
    for name, comment, header in (
        ("kid", "the key once more", enc({4: AUTHOR})),
        ("other-kid", "another key", enc({4: OTHER})),
        ("junk", "an entry that means nothing", enc({99: b"junk"})),
        ("30-kb", "30 kB of junk, which the signature does not cover", enc({99: bytes(30_000)})),
        ("indefinite", "an empty map of indefinite length", b"\xbf\xff"),
        ("in-a-longer-form", "an empty map in a longer form", b"\xb8\x00"),
        ("array", "an array", b"\x80"),
        ("null", "null", b"\xf6"),
    ):
        yield (
            f"unprotected-{name}",
            "envelope",
            f"the unprotected header: {comment}",
            b"\xd2\x84" + prot + header + rest,
        )
    # The payload and the signature as they stand in the envelope
    start = b"\xd2\x84" + prot + b"\xa0"
    yield "payload-detached", "envelope", "the payload is elsewhere", start + b"\xf6" + enc(sig)
    yield "payload-empty", "envelope", "an empty payload", start + b"\x40" + enc(signature(structure(b"")))
    yield "payload-text", "envelope", "the payload as text", start + head(3, len(payload)) + payload + enc(sig)
    yield "payload-map", "envelope", "the payload as a map, not as bytes", start + payload + enc(sig)
    yield "payload-indefinite", "envelope", "the payload in pieces", start + b"\x5f" + enc(payload) + b"\xff" + enc(sig)
    yield "payload-tag-24", "envelope", "the payload with a tag", start + b"\xd8\x18" + rest
    for width in (4, 8):
        long_payload = start + long_head(2, len(payload), width) + payload + enc(sig)
        yield f"payload-length-in-{width}-bytes", "envelope", "a longer form of the payload's length", long_payload
    yield (
        "payload-length-too-small",
        "envelope",
        "a payload that ends early",
        start + head(2, len(payload) - 1) + payload + enc(sig),
    )
    yield (
        "payload-length-too-large",
        "envelope",
        "a payload that ends late",
        start + head(2, len(payload) + 1) + payload + enc(sig),
    )
    yield "signature-63-bytes", "envelope", "a signature of 63 bytes", start + enc(payload) + enc(sig[:63])
    yield "signature-65-bytes", "envelope", "a signature of 65 bytes", start + enc(payload) + enc(sig + b"\x00")
    yield "signature-empty", "envelope", "an empty signature", start + enc(payload) + b"\x40"
    yield "signature-text", "envelope", "the signature as text", start + enc(payload) + b"\x78\x40" + sig
    yield "signature-null", "envelope", "null for a signature", start + enc(payload) + b"\xf6"
    yield (
        "signature-in-a-longer-form",
        "envelope",
        "a longer form of its length",
        start + enc(payload) + long_head(2, 64, 2) + sig,
    )
    yield (
        "sign-message",
        "signature",
        "a COSE_Sign message of one signer, whose signature is that of a COSE_Sign1 message",
        b"\xd8\x62" + enc([b"", Raw(b"\xa0"), payload, [[protected(), Raw(b"\xa0"), sig]]]),
    )
    yield "mac-message", "envelope", "a COSE_Mac0 message", b"\xd1" + whole[1:]
    yield "json", "envelope", "another protocol", b'{"kind":1,"content":"Flood","sig":"00"}'
    yield "payload-alone", "envelope", "a payload without an envelope", payload
    # Size
    yield "size-65537", "size", "a byte more than an item may have, in every other way good", sized(65_537)
    yield "size-junk", "size", "a good item and 64 KiB of zeros", whole + bytes(65_536)


def sized(size: int) -> bytes:
    """Return an item of `size` bytes that is right in everything else."""
    short = len(envelope(enc(text_but({2: "d" * 40_000, 3: "i" * 20_000}))))
    return envelope(enc(text_but({2: "d" * 40_000, 3: "i" * (20_000 + size - short)})))


# Signatures that do not count


def little(number: int) -> bytes:
    return number.to_bytes(32, "little")


# Points of order 1, 2, 4 and 8, and the other ways to write them.
ORDER_8 = (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)
SIGN = 1 << 255
SMALL: dict[str, bytes] = {
    "order-1": little(1),
    "order-1-with-a-sign": little(1 | SIGN),
    "order-1-unreduced": little(P + 1),
    "order-1-unreduced-with-a-sign": little((P + 1) | SIGN),
    "order-2": little(P - 1),
    "order-2-with-a-sign": little((P - 1) | SIGN),
    "order-4": little(0),
    "order-4-with-a-sign": little(SIGN),
    "order-4-unreduced": little(P),
    "order-4-unreduced-with-a-sign": little(P | SIGN),
    **{f"order-8-{n}": bytes.fromhex(key) for n, key in enumerate(ORDER_8, 1)},
}


def challenge(r: bytes, author: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + author + message).digest(), "little") % L


def keyless(author: bytes, payload: bytes) -> bytes:
    """Return a signature under a key of small order: [s]B = R + [h]A holds where h is a multiple of 8."""
    message = structure(payload, header=protected(author))
    for number in range(1, 1000):
        scalar = little(number)
        r: bytes = bindings.crypto_scalarmult_ed25519_base_noclamp(scalar)
        if challenge(r, author, message) % 8 == 0:
            return r + scalar
    raise ValueError("no such signature was found")


def expanded(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = bytearray(digest[:32])
    scalar[0] &= 248
    scalar[31] &= 127
    scalar[31] |= 64
    return int.from_bytes(scalar, "little"), digest[32:]


def mixed(payload: bytes, *, wanted: bool) -> tuple[bytes, bytes]:
    """Return a key with a part of order 8 and a signature of it: right by the equation times 8, or by both."""
    secret, prefix = expanded(SEED)
    author: bytes = bindings.crypto_core_ed25519_add(AUTHOR, bytes.fromhex(ORDER_8[0]))
    message = structure(payload, header=protected(author))
    for number in range(1000):
        nonce = int.from_bytes(hashlib.sha512(prefix + bytes([number % 256, number // 256])).digest(), "little") % L
        r: bytes = bindings.crypto_scalarmult_ed25519_base_noclamp(little(nonce))
        h = challenge(r, author, message)
        if (h % 8 == 0) is wanted:
            return author, r + little((nonce + h * secret) % L)
    raise ValueError("no such signature was found")


def torsioned_nonce(payload: bytes) -> bytes:
    """Return a signature whose R has a part of order 8: right by the equation times 8, wrong without."""
    secret, prefix = expanded(SEED)
    nonce = int.from_bytes(hashlib.sha512(prefix).digest(), "little") % L
    r: bytes = bindings.crypto_core_ed25519_add(
        bindings.crypto_scalarmult_ed25519_base_noclamp(little(nonce)), bytes.fromhex(ORDER_8[0])
    )
    return r + little((nonce + challenge(r, AUTHOR, structure(payload)) * secret) % L)


def signatures() -> Iterator[tuple[str, str, str, bytes]]:
    """Yield envelopes of the one form whose signature is none."""
    payload = enc(BULLETIN)
    whole = envelope(payload)
    sig = whole[-64:]

    def with_signature(sig: bytes) -> bytes:
        return envelope(payload, sig)

    yield (
        "other-context",
        "signature",
        "signed for meshrelay/2",
        with_signature(signature(structure(payload, aad=b"meshrelay/2"))),
    )
    yield (
        "no-context",
        "signature",
        "signed for nothing in particular",
        with_signature(signature(structure(payload, aad=b""))),
    )
    yield (
        "cose-sign-context",
        "signature",
        "signed as a signer of COSE_Sign",
        with_signature(signature(structure(payload, context="Signature"))),
    )
    yield (
        "counter-signature",
        "signature",
        "signed as a counter signature",
        with_signature(signature(structure(payload, context="CounterSignature"))),
    )
    yield (
        "payload-signed-bare",
        "signature",
        "the payload is signed, not the structure",
        with_signature(signature(payload)),
    )
    yield "id-signed", "signature", "the id is signed", with_signature(signature(item_id(payload)))
    yield (
        "no-header-signed",
        "signature",
        "the protected header is not covered",
        with_signature(signature(structure(payload, header=b""))),
    )
    yield (
        "signed-by-another",
        "signature",
        "another key signed it",
        with_signature(signature(structure(payload), OTHER_SECRET)),
    )
    yield (
        "signed-as-another",
        "signature",
        "another key is named than signed it",
        envelope(payload, signature(structure(payload, header=protected(OTHER))), author=OTHER),
    )
    yield (
        "signature-of-another-item",
        "signature",
        "a signature of the same key from another item",
        with_signature(signature(structure(enc(LATER)))),
    )
    yield "signature-zeros", "signature", "zeros", with_signature(bytes(64))
    yield "signature-ones", "signature", "all bits set", with_signature(b"\xff" * 64)
    yield "signature-halves-swapped", "signature", "S before R", with_signature(sig[32:] + sig[:32])
    yield "signature-r-identity", "signature", "R is the identity, S is zero", with_signature(little(1) + bytes(32))
    for at in (0, 31, 32, 63):
        flipped = bytearray(sig)
        flipped[at] ^= 1
        yield (
            f"signature-bit-flipped-{at}",
            "signature",
            f"a bit of byte {at} of the signature",
            with_signature(bytes(flipped)),
        )
    unreduced = little(int.from_bytes(sig[32:], "little") + L)
    yield (
        "s-not-reduced",
        "signature",
        "S and the order of the group: a second signature from the first",
        with_signature(sig[:32] + unreduced),
    )
    top = little(int.from_bytes(sig[32:], "little") | 1 << 255)
    yield "s-with-a-high-bit", "signature", "S with a bit that some libraries leave out", with_signature(sig[:32] + top)
    yield "r-of-mixed-order", "signature", "R has a part of small order", with_signature(torsioned_nonce(payload))
    bit = bytearray(whole)
    bit[len(whole) // 2] ^= 1
    yield "payload-bit-flipped", "signature", "a bit of the payload", bytes(bit)
    for name, old, new in (
        ("severity", "Extreme", "Unknown"),
        ("headline", "Leave the river bank", "Stay by the river now"),
        ("drill", "Actual", "Exercise"),
    ):
        changed = envelope(payload.replace(enc(old), enc(new)), sig)
        yield f"altered-{name}", "signature", f"{name} was altered on the way", changed
    for name, key in SMALL.items():
        forged = envelope(payload, keyless(key, payload), author=key)
        yield f"key-of-{name}", "signature", "a key of small order: nobody holds it, anybody can sign for it", forged
    key, forged_sig = mixed(payload, wanted=False)
    yield (
        "key-of-mixed-order",
        "signature",
        "a key with a part of small order, where libraries disagree",
        envelope(payload, forged_sig, author=key),
    )
    for name, key in (("not-a-point", little(2)), ("unreduced", little(P + 3)), ("all-bits", b"\xff" * 32)):
        yield f"key-{name}", "signature", "bytes that are no key", envelope(payload, sig, author=key)


def vectors() -> Iterator[Vector]:
    """Yield every vector; no two have one name."""
    for name, comment, value in good():
        payload = enc(value)
        yield Vector(f"ok-{name}", "ok", comment, envelope(payload), item_id(payload))
    largest = sized(65_536)
    yield Vector("ok-largest", "ok", "the largest item", largest, item_id(payload_of(largest)))
    payload = enc(BULLETIN)
    author, sig = mixed(payload, wanted=True)
    comment = "a key with a part of small order, where every library agrees: whoever holds it signed this"
    yield Vector(
        "ok-key-of-mixed-order", "ok", comment, envelope(payload, sig, author=author), item_id(payload, author), author
    )
    for name, expect, comment, value in fields():
        yield Vector(f"{expect}-{name}", expect, comment, envelope(enc(value)))
    for name, expect, comment, data in encodings():
        yield Vector(f"{expect}-{name}", expect, comment, envelope(data))
    for name, expect, comment, data in (*envelopes(), *signatures()):
        yield Vector(f"{expect}-{name}", expect, comment, data)
    for name, comment, data, item, author in statements.good():
        yield Vector(f"ok-{name}", "ok", comment, data, item, author)
    for name, expect, comment, value in statements.refused_together():
        yield Vector(f"{expect}-{name}", expect, comment, statements.together(value))
    for name, expect, comment, value in statements.refused_alone():
        yield Vector(f"{expect}-{name}", expect, comment, statements.alone(value))
    for name, expect, comment, data in statements.forged():
        yield Vector(f"{expect}-together-{name}", expect, comment, data)


def payload_of(data: bytes) -> bytes:
    """Return the payload of an item of the one form."""
    start = 2 + len(enc(protected())) + 1
    return data[start + {0x58: 2, 0x59: 3}[data[start]] : -66]


def written(vector: Vector) -> str:
    """Return the text of a vector's file."""
    lines = [f"expect: {vector.expect}", f"comment: {vector.comment}"]
    if vector.id is not None:
        lines += [f"id: {vector.id.hex()}", f"author: {vector.author.hex()}"]
    digits = vector.data.hex()
    return "\n".join([*lines, "", *(digits[at : at + 120] for at in range(0, len(digits), 120))]) + "\n"


def main() -> None:
    """Write all files, and remove those that are no longer made."""
    FOLDER.mkdir(exist_ok=True)
    made = {f"{vector.name}.txt": written(vector) for vector in vectors()}
    for path in FOLDER.iterdir():
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
