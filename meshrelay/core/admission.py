"""The one gate: bytes from outside become a signed item here, or nowhere.

The order of the checks is the cheapest first that an attacker cannot use: size, the fixed envelope, the
signature, and only then the payload, which is scanned before it is decoded. (A sender's rate budget is
checked by whoever holds the sender, before this.)

Law: :func:`admit` returns a SignedItem or raises InvalidItem, for any bytes. It reads no clock: an item that
is valid once is valid for ever; whether it is shown, kept or believed is decided elsewhere.
Source: docs/spec/item.md.
"""

from __future__ import annotations

from typing import Any

from meshrelay.core import bulletin, envelope, statements
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.encoding import Value, decode, encode
from meshrelay.core.envelope import Envelope, Kind, SignedItem
from meshrelay.core.keys import SigningKey, verify
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidItem, Reason

RESERVED = frozenset({"attestation", "root", "delegation", "successor", "branch", "list", "heartbeat"})
"""Kinds whose meaning is settled or planned, but which this version does not take."""

_KIND, _VERSION = 0, 1


def admit(data: bytes) -> SignedItem:
    """Return the item that these bytes are; raise InvalidItem if they are none."""
    parts = envelope.open_envelope(data)
    if not verify(parts.author, envelope.to_be_signed(parts.author, parts.payload), parts.signature):
        raise InvalidItem(Reason.SIGNATURE, "the signature does not fit the key and the payload")
    return _item(parts, data)


def reopen(data: bytes) -> SignedItem:
    """Return the item that these bytes are, without verifying the signature again.

    For bytes alone that went through :func:`admit` or :func:`sign` before and have been guarded since, as
    the store does by a hash of the whole envelope.
    """
    return _item(envelope.open_envelope(data), data)


def sign(body: Bulletin | Revocation, key: SigningKey) -> SignedItem:
    """Sign `body`; raise ValueError when it would not pass the gate, so that nothing invalid is ever signed."""
    payload = encode(_write(body))
    try:
        data = envelope.seal(key.public, payload, key.sign(envelope.to_be_signed(key.public, payload)))
        return _item(envelope.open_envelope(data), data)
    except InvalidItem as error:
        raise ValueError(f"cannot be signed: {error}") from error


def _item(parts: Envelope, data: bytes) -> SignedItem:
    body = _read(decode(parts.payload), author=parts.author)
    item = envelope.item_id(parts.author, parts.payload)
    return SignedItem(envelope.header_of(body, author=parts.author, item=item, size=len(data)), data, body)


def _write(body: Bulletin | Revocation) -> dict[int, Value]:
    if isinstance(body, Revocation):
        kind, entries = Kind.REVOCATION, statements.to_payload(body)
    else:
        kind, entries = Kind.BULLETIN, bulletin.to_payload(body)
    return {_KIND: str(kind), _VERSION: envelope.VERSION, **entries}


def _read(payload: Any, *, author: bytes) -> Bulletin | Revocation:
    if not isinstance(payload, dict):
        raise InvalidItem(Reason.FIELD, "the payload is not a map")
    kind, version = payload.pop(_KIND, None), payload.pop(_VERSION, None)
    if not isinstance(kind, str):
        raise InvalidItem(Reason.KIND, "the kind is missing or not text")
    if version is True or version != envelope.VERSION:
        raise InvalidItem(Reason.VERSION, f"version {version!r} is not known here")
    if kind == Kind.BULLETIN:
        return bulletin.from_payload(payload)
    if kind == Kind.REVOCATION:
        return statements.from_payload(payload, author=author)
    what = "is reserved for later" if kind in RESERVED else "is not known here"
    raise InvalidItem(Reason.KIND, f"kind {kind[:40]!r} {what}")
