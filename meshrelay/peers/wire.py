"""The bodies that relays send each other beside reconciliation messages: summaries, answers, batches of items.

Not here: HTTP, and whether an item is valid. The law: reading any bytes gives a value or InvalidMessage, and never more
than the stated number of bytes is inflated. Source: docs/spec/http.md, "Bodies".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from enum import IntEnum

from meshrelay.core.bulletin import Severity, Urgency
from meshrelay.core.encoding import MAX_ITEM, skip, split_sequence
from meshrelay.core.envelope import KEY_SIZE as KEY_SIZE
from meshrelay.core.envelope import Header, Kind
from meshrelay.errors import InvalidItem, InvalidMessage

VERSION = 1
ANSWERED = "Meshrelay-Answered"
"""Response header: how many of the keys asked for a batch settles, missing ones counted."""
BATCH = "application/meshrelay-batch+deflate"
SUMMARIES = "application/meshrelay-summaries+deflate"
OFFER = "application/meshrelay-offer+deflate"
MESSAGE = "application/octet-stream"

MAX_ITEMS = 250
"""The most items, keys or summaries in one body."""
MAX_BATCH = 1024 * 1024
"""The most bytes of items in one body, inflated; a body also holds one item at least."""
MAX_DEFLATED = MAX_BATCH + MAX_BATCH // 512
MAX_PLACES = 32
SLICE = 4096
"""Bytes handed to TLS at a time: a record counts only once it has come whole, and the link may break."""
FIRST_CHUNK = 64
"""Items in the first chunks of an exchange, so that what matters most does not wait for the rest."""

_HELLO = struct.Struct(">BHQ")
_SUMMARY = struct.Struct(">32s32sBBBI")
_KINDS = tuple(Kind)
_URGENCIES = tuple(Urgency)
_SEVERITIES = tuple(Severity)
_NONE = 255
MAX_SUMMARIES = 2 * MAX_ITEMS * (KEY_SIZE + _SUMMARY.size)
"""The most bytes of summaries or an offer, deflated, in one body."""
_NO_TARGET = bytes(32)
_INDEX = struct.Struct(">H")


class Answer(IntEnum):
    """What a relay says about an item that it was offered or given."""

    NEW = 0
    """Offered: send it. Given: it is stored now."""
    KNOWN = 1
    DECLINED = 2
    """Not taken here: no room, blocked, or not now."""
    BAD = 3
    """Not an item."""
    COMING = 4
    """Offered: another relay was asked for it a moment ago."""


_OF_AN_OFFER = (Answer.NEW, Answer.KNOWN, Answer.DECLINED, Answer.COMING)
_OF_A_BATCH = (Answer.NEW, Answer.KNOWN, Answer.DECLINED, Answer.BAD)


def pack_hello(*, port: int, now: int) -> bytes:
    """Say the protocol version, the port of one's own listener (0 for none) and the time here."""
    return _HELLO.pack(VERSION, port, max(0, now))


def unpack_hello(data: bytes) -> tuple[int, int]:
    """Return port and time of a hello; a relay of another version raises InvalidMessage."""
    if len(data) != _HELLO.size:
        raise InvalidMessage("not a hello")
    version, port, now = _HELLO.unpack(data)
    if version != VERSION:
        raise InvalidMessage(f"protocol version {version} is not spoken here")
    return port, now


def pack_keys(keys: Iterable[bytes]) -> bytes:
    """Put reconciliation keys one after the other."""
    return b"".join(keys)


def unpack_keys(data: bytes) -> list[bytes]:
    """Take them apart: at least one, at most MAX_ITEMS, none twice."""
    if not data or len(data) % KEY_SIZE or len(data) > KEY_SIZE * MAX_ITEMS:
        raise InvalidMessage("not a list of keys")
    keys = [data[start : start + KEY_SIZE] for start in range(0, len(data), KEY_SIZE)]
    if len(set(keys)) != len(keys):
        raise InvalidMessage("a key twice")
    return keys


def pack_summaries(headers: Iterable[Header | None]) -> bytes:
    """Put down what a receiver needs in order to choose; None stands for an item that is not here (any more)."""
    return zlib.compress(b"".join(map(_summary, headers)), 1)


def unpack_summaries(data: bytes, keys: Sequence[bytes]) -> list[Header | None]:
    """Read the summaries of these keys, in their order."""
    raw = inflate(data, _SUMMARY.size * MAX_ITEMS)
    if len(raw) != _SUMMARY.size * len(keys):
        raise InvalidMessage("not one summary a key")
    return [_claim(key, *fields) for key, fields in zip(keys, _SUMMARY.iter_unpack(raw), strict=True)]


def pack_offer(headers: Sequence[Header]) -> bytes:
    """Put down the keys of items, and then their summaries."""
    return zlib.compress(b"".join([*(header.key for header in headers), *map(_summary, headers)]), 1)


def unpack_offer(data: bytes) -> list[tuple[bytes, Header | None]]:
    """Read the keys and summaries of at least one and at most MAX_ITEMS items."""
    raw = inflate(data, (KEY_SIZE + _SUMMARY.size) * MAX_ITEMS)
    count, rest = divmod(len(raw), KEY_SIZE + _SUMMARY.size)
    if rest:
        raise InvalidMessage("not an offer")
    keys = unpack_keys(raw[: KEY_SIZE * count])
    return [
        (key, _claim(key, *it)) for key, it in zip(keys, _SUMMARY.iter_unpack(raw[KEY_SIZE * count :]), strict=True)
    ]


def _summary(header: Header | None) -> bytes:
    if header is None:
        return bytes(_SUMMARY.size)
    urgency = _URGENCIES.index(header.urgency) if header.urgency is not None else _NONE
    severity = _SEVERITIES.index(header.severity) if header.severity is not None else _NONE
    subject = header.targets[0] if header.kind is not Kind.BULLETIN and header.targets else _NO_TARGET
    return _SUMMARY.pack(header.author, subject, _KINDS.index(header.kind), urgency, severity, header.size)


def _claim(
    key: bytes, author: bytes, subject: bytes, kind: int, urgency: int, severity: int, size: int
) -> Header | None:
    """Return a header that is a claim: only what a summary holds is filled in, and the id is its first half.

    None stands for an item that is not there, or of a kind that is unknown here.
    """
    if size == 0 or kind >= len(_KINDS):
        return None
    return Header(
        id=key[8:],
        author=author,
        kind=_KINDS[kind],
        item_class=key[0],
        sent=int.from_bytes(key[1:8], "big"),
        size=size,
        urgency=_URGENCIES[urgency] if urgency < len(_URGENCIES) else None,
        severity=_SEVERITIES[severity] if severity < len(_SEVERITIES) else None,
        targets=(subject,) if subject != _NO_TARGET else (),
    )


def pack_choice(answers: Sequence[Answer], wanted: Iterable[int]) -> bytes:
    """Answer an offer: one byte an item, then the positions of those wanted, in the order wanted."""
    return bytes(answers) + b"".join(map(_INDEX.pack, wanted))


def unpack_choice(data: bytes, *, offered: int) -> tuple[list[Answer], list[int]]:
    """Read the answer to an offer of so many items; each NEW one is wanted exactly once."""
    answers = _answers(data[:offered], _OF_AN_OFFER, count=offered)
    if (len(data) - offered) % _INDEX.size:
        raise InvalidMessage("not an answer to an offer")
    wanted = [index for (index,) in _INDEX.iter_unpack(data[offered:])]
    if sorted(wanted) != [index for index, answer in enumerate(answers) if answer is Answer.NEW]:
        raise InvalidMessage("an answer to an offer that contradicts itself")
    return answers, wanted


def unpack_answers(data: bytes, *, given: int) -> list[Answer]:
    """Read one answer for each of the items given."""
    return _answers(data, _OF_A_BATCH, count=given)


def _answers(data: bytes, allowed: Sequence[Answer], *, count: int) -> list[Answer]:
    if len(data) != count or any(byte not in allowed for byte in data):
        raise InvalidMessage("not one answer an item")
    return [Answer(byte) for byte in data]


def pack_places(places: Iterable[str]) -> bytes:
    """Put down where relays listen, HOST:PORT, one a line."""
    return "".join(f"{place}\n" for place in places).encode()


def unpack_places(data: bytes) -> list[str]:
    """Read at most MAX_PLACES lines; whether they are places is for the address book to say."""
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidMessage("not a list of places") from error
    if len(lines) > MAX_PLACES:
        raise InvalidMessage(f"more than {MAX_PLACES} places")
    return lines


def pack_items(items: Sequence[bytes]) -> bytes:
    """Deflate envelopes, one after the other."""
    return zlib.compress(b"".join(items), 1)


def unpack_items(data: bytes) -> list[bytes]:
    """Inflate a batch and cut it into envelopes; whether they are items is for the gate to say."""
    try:
        return split_sequence(inflate(data, MAX_BATCH + MAX_ITEM), max_items=MAX_ITEMS)
    except InvalidItem as error:
        raise InvalidMessage(f"not a batch of items: {error.detail}") from error


def whole_items(data: bytes) -> list[bytes]:
    """Return the envelopes that lie whole in the beginning of a batch whose rest never came."""
    inflater = zlib.decompressobj()
    items: list[bytes] = []
    try:
        raw = inflater.decompress(data, MAX_BATCH + MAX_ITEM)
        start = 0
        while start < len(raw) and len(items) < MAX_ITEMS:
            end = skip(raw, start)
            items.append(raw[start:end])
            start = end
    except (zlib.error, InvalidItem):
        pass  # here it was cut off
    return items


def fitting(sizes: Iterable[int]) -> int:
    """Return how many of the items with these sizes go into one batch: one at least, if there is one."""
    count = total = 0
    for size in sizes:
        total += size
        if count == MAX_ITEMS or (count and total > MAX_BATCH):
            break
        count += 1
    return count


def inflate(data: bytes, limit: int) -> bytes:
    """Inflate one whole zlib stream of at most `limit` bytes."""
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise InvalidMessage("not a deflated body") from error
    if len(raw) > limit:
        raise InvalidMessage(f"a body inflates to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise InvalidMessage("a deflated body is cut off or goes on after its end")
    return raw
