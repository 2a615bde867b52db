"""The one gate: bytes from outside become a signed item here, or nowhere.

The order of the checks is the cheapest first that an attacker cannot use: size, the fixed envelope, the
signature, and only then the payload, which is scanned before it is decoded. (A sender's rate budget is
checked by whoever holds the sender, before this.)

Law: :func:`admit` returns a SignedItem or raises InvalidItem, for any bytes. It reads no clock: an item that
is valid once is valid for ever; whether it is shown, kept or believed is decided elsewhere.
Source: docs/spec/item.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from meshrelay.core import bulletin, envelope, statements
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.encoding import Value, decode, encode
from meshrelay.core.envelope import Body, Envelope, Kind, SignedItem
from meshrelay.core.keys import SigningKey, verify
from meshrelay.core.statements import signers_of
from meshrelay.errors import InvalidItem, Reason

RESERVED = frozenset({"list", "heartbeat"})
"""Kinds whose meaning is planned, but which this version does not take."""

_KIND, _VERSION = 0, 1


def admit(data: bytes) -> SignedItem:
    """Return the item that these bytes are; raise InvalidItem if they are none."""
    parts = envelope.open_envelope(data)
    for key, signature in parts.signatures:
        if not verify(key, parts.to_be_signed(key), signature):
            raise InvalidItem(Reason.SIGNATURE, "a signature does not fit its key and the payload")
    return _item(parts, data)


def reopen(data: bytes) -> SignedItem:
    """Return the item that these bytes are, without verifying the signatures again.

    For bytes alone that went through :func:`admit` or :func:`sign` before and have been guarded since, as
    the store does by a hash of the whole envelope.
    """
    return _item(envelope.open_envelope(data), data)


def sign(body: Body, key: SigningKey) -> SignedItem:
    """Sign `body`; raise ValueError when it would not pass the gate, so that nothing invalid is ever signed."""
    payload = encode(_write(body))
    return _checked(envelope.seal(key.public, payload, key.sign(envelope.to_be_signed(key.public, payload))))


def proposal(body: Body) -> bytes:
    """Return the payload that the keys listed in `body` are to sign together; raise ValueError where that cannot be.

    Whoever signs it signs these bytes: see :func:`read_proposal` and :func:`sign_together`.
    """
    payload = encode(_write(body))
    read_proposal(payload)
    return payload


def read_proposal(payload: bytes) -> Body:
    """Return what the payload says that several keys are asked to sign; raise ValueError when it is no such thing."""
    try:
        body = _read(decode(payload), author=b"", many=True)
    except InvalidItem as error:
        raise ValueError(f"cannot be signed: {error}") from error
    if encode(_write(body)) != payload:
        raise ValueError("cannot be signed: not the one form of what it says")
    return body


def sign_together(payload: bytes, keys: Iterable[SigningKey]) -> dict[bytes, bytes]:
    """Return the signatures that these keys make of a proposal, by public key."""
    return {key.public: key.sign(envelope.together_signed(key.public, payload)) for key in keys}


def assemble(payload: bytes, signatures: Iterable[tuple[bytes, bytes]]) -> SignedItem:
    """Put the signatures of all the listed keys together; raise ValueError while one is missing or wrong."""
    return _checked(envelope.seal_together(payload, signatures))


def _checked(data: bytes) -> SignedItem:
    try:
        return admit(data)
    except InvalidItem as error:
        raise ValueError(f"cannot be signed: {error}") from error


def _item(parts: Envelope, data: bytes) -> SignedItem:
    keys = parts.keys
    body = _read(decode(parts.payload), author=keys[0], many=parts.many)
    if parts.many and tuple(signer.key for signer in signers_of(body)) != keys:
        raise InvalidItem(Reason.SIGNATURE, "the keys that sign are not those that it lists")
    author = envelope.speaker(body, keys)
    return SignedItem(envelope.header_of(body, author=author, item=parts.id, size=len(data)), data, body)


def _write(body: Body) -> dict[int, Value]:
    entries = bulletin.to_payload(body) if isinstance(body, Bulletin) else statements.to_payload(body)
    return {_KIND: str(envelope.kind_of(body)), _VERSION: envelope.VERSION, **entries}


def _read(payload: Any, *, author: bytes, many: bool) -> Body:
    if not isinstance(payload, dict):
        raise InvalidItem(Reason.FIELD, "the payload is not a map")
    kind, version = payload.pop(_KIND, None), payload.pop(_VERSION, None)
    if not isinstance(kind, str):
        raise InvalidItem(Reason.KIND, "the kind is missing or not text")
    if version is True or version != envelope.VERSION:
        raise InvalidItem(Reason.VERSION, f"version {version!r} is not known here")
    if kind not in _KINDS:
        what = "is reserved for later" if kind in RESERVED else "is not known here"
        raise InvalidItem(Reason.KIND, f"kind {kind[:40]!r} {what}")
    if kind != Kind.BULLETIN:
        return statements.from_payload(kind, payload, author=author, many=many)
    if many:
        raise InvalidItem(Reason.KIND, "a bulletin is signed by one key")
    return bulletin.from_payload(payload)


_KINDS = frozenset(map(str, Kind))
