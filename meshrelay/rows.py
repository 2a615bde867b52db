"""What one row of the items' table is: how a header is written into columns, and whether a row is still what went in.

Not here: the tables (migrations.py), and any statement that changes them (tables.py). The law: a row whose bytes have
changed is no value. Source: docs/architecture.md, "Storage".
"""

# Statements here are made of the names of columns alone:
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias

from meshrelay.core import order
from meshrelay.core.bulletin import MsgType, Severity, Urgency
from meshrelay.core.envelope import KEY_SIZE, Header, Kind, SignedItem

ROWS_AT_ONCE = 250
"""Rows a transaction, so that no other writer and no reader of fresh data waits for long."""
ID_SIZE = 32
_LAST_SECOND: Final = (1 << 40) - 1  # that a place in a list can hold


@dataclass(frozen=True, slots=True)
class Held:
    """A header, and when the item came here (unix seconds)."""

    header: Header
    received: int


Row: TypeAlias = tuple[Any, ...]
"""What SELECT gives."""

_NAMES = (
    *("n", "id", "key", "author", "kind", "sent", "expires", "size", "stream", "seq", "org", "msg_type", "drill"),
    *("urgency", "severity", "alias", "targets", "pressing", "received", "digest", "checksum"),
)
AT = {name: place for place, name in enumerate(_NAMES)}
COLUMNS = ", ".join("a.key" if name == "author" else f"i.{name}" for name in _NAMES)
SELECT = f"SELECT {COLUMNS} FROM items i LEFT JOIN authors a ON a.n = i.author"
INSERT = f"INSERT INTO items ({', '.join(_NAMES)}, link) VALUES ({', '.join('?' * len(_NAMES))}, ?)"

_KINDS: dict[str | None, Kind] = {kind.value: kind for kind in Kind}
_MSG_TYPES: dict[str | None, MsgType | None] = {None: None, **{one.value: one for one in MsgType}}
_URGENCIES: dict[str | None, Urgency | None] = {None: None, **{one.value: one for one in Urgency}}
_SEVERITIES: dict[str | None, Severity | None] = {None: None, **{one.value: one for one in Severity}}


def row_of(item: SignedItem, *, received: int) -> Row:
    """Return the columns from `id` on, the author's key still in full."""
    header = item.header
    values = (
        header.id,
        header.key,
        header.author,
        header.kind.value,
        header.sent,
        header.expires,
        header.size,
        header.stream,
        header.seq,
        header.org,
        header.msg_type and header.msg_type.value,
        int(header.drill),
        header.urgency and header.urgency.value,
        header.severity and header.severity.value,
        header.alias,
        b"".join(header.targets),
        order.rank(header) << 40 | _LAST_SECOND - header.sent,
        received,
        _digest(header.id, item.data),
    )
    return (*values, _checksum(values))


def _checksum(values: Row) -> int:
    return zlib.crc32(repr(values).encode())


def held_of(row: Row) -> Held | None:
    """Return the value of a row, None when it is not what :func:`row_of` made."""
    *values, checksum = row[1:]
    if _checksum(tuple(values)) != checksum:
        return None
    (item, key, author, kind, sent, expires, size, stream, seq, org) = values[:10]
    (msg_type, drill, urgency, severity, alias, targets, _, received, _) = values[10:]
    header = Header(
        id=item,
        author=author,
        kind=_KINDS[kind],
        item_class=key[0],
        sent=sent,
        size=size,
        expires=expires,
        stream=stream,
        seq=seq,
        org=org,
        msg_type=_MSG_TYPES[msg_type],
        drill=bool(drill),
        urgency=_URGENCIES[urgency],
        severity=_SEVERITIES[severity],
        alias=alias,
        targets=tuple([targets[at : at + ID_SIZE] for at in range(0, len(targets), ID_SIZE)]),
    )
    return Held(header, received)


def is_whole(item: object, digest: object, data: object) -> bool:
    """Tell whether an envelope is what was stored under this id, as the digest says; damage changes types as well."""
    return isinstance(item, bytes) and isinstance(data, bytes) and _digest(item, data) == digest


def _digest(item: bytes, data: bytes) -> bytes:
    # With the id, so that an index that leads from one id to the row of another is found out.
    return hashlib.sha256(item + data).digest()


def is_key(value: object) -> bool:
    """Tell whether this can be a reconciliation key."""
    return isinstance(value, bytes) and len(value) == KEY_SIZE


def is_id(value: object) -> bool:
    """Tell whether this can be an item's id."""
    return isinstance(value, bytes) and len(value) == ID_SIZE


def marks(values: Collection[object]) -> str:
    """Return a question mark for each value."""
    return ", ".join("?" * len(values))


def chunks(values: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Cut into lists of at most so many as a transaction takes, each value once."""
    rest = iter(dict.fromkeys(values))
    while chunk := list(islice(rest, ROWS_AT_ONCE)):
        yield chunk
