"""The signed item: exact bytes, who signed them, and the id they are known by.

An item is a COSE_Sign1 message (RFC 9052) of one fixed shape, so that an id names one byte string but for the
signature, and nothing can be added to it on the way. Bytes are signed, carried and hashed; they are never encoded
again once :func:`sign` has made them.

Here is the layout alone. Whether bytes from outside are an item is admission's question.
Source: docs/spec/item.md.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from meshrelay.core.bulletin import Bulletin, MsgType, Severity, Urgency
from meshrelay.core.encoding import MAX_ITEM, encode
from meshrelay.core.keys import PUBLIC_KEY_SIZE, SIGNATURE_SIZE
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidItem, Reason

CONTEXT = b"meshrelay/1"
"""The external_aad: a signature made for anything else is not a signature here."""
VERSION = 1
KEY_SIZE = 24
"""Bytes of a reconciliation key."""

# The protected header {1: -8, 4: kid} as a byte string of 38, up to the kid of 32.
_PROTECTED = bytes.fromhex("5826 a2 01 27 04 5820")
# Tag 18, array of 4, the protected header; after the kid the empty unprotected header.
_PREFIX = bytes.fromhex("d2 84") + _PROTECTED
_UNPROTECTED = bytes.fromhex("a0")
_PAYLOAD_AT = len(_PREFIX) + PUBLIC_KEY_SIZE + len(_UNPROTECTED)
_SIGNATURE_HEAD = bytes.fromhex("5840")
_TAIL = len(_SIGNATURE_HEAD) + SIGNATURE_SIZE
# What stands before the key and around it in the two arrays that are signed and hashed.
_SIGNED = bytes.fromhex("84") + encode("Signature1") + _PROTECTED
_HASHED = bytes.fromhex("83") + encode("meshrelay/1 id") + _PROTECTED
_CONTEXT = encode(CONTEXT)


class Kind(StrEnum):
    """What a payload is."""

    BULLETIN = "bulletin"
    REVOCATION = "revocation"


class ItemClass:
    """The four classes that links settle one after the other."""

    KEYS = 0
    """Statements about keys."""
    CORRECTION = 1
    """Update, Cancel and dispute."""
    GRAVE = 2
    """Severity Extreme or Severe."""
    REST = 3


@dataclass(frozen=True, slots=True)
class Header:
    """What lists, order, verdicts and the index need of an item without decoding it.

    `targets` are the ids, or tokens of CAP messages, that it acts on (for a revocation: the key);
    `alias` is the token of the CAP message it was imported from.
    """

    id: bytes
    author: bytes
    kind: Kind
    item_class: int
    sent: int
    size: int
    expires: int | None = None
    stream: bytes | None = None
    seq: int | None = None
    org: bytes | None = None
    msg_type: MsgType | None = None
    drill: bool = False
    urgency: Urgency | None = None
    severity: Severity | None = None
    alias: bytes | None = None
    targets: tuple[bytes, ...] = ()

    @property
    def key(self) -> bytes:
        """The 24 bytes that relays reconcile by: class, time of signing, first half of the id."""
        return bytes((self.item_class,)) + self.sent.to_bytes(7, "big") + self.id[:16]


@dataclass(frozen=True, slots=True)
class SignedItem:
    """An item that went through the gate: everything in it is as the signature says."""

    header: Header
    data: bytes
    body: Bulletin | Revocation

    @property
    def id(self) -> bytes:
        """The SHA-256 that names it."""
        return self.header.id

    @property
    def author(self) -> bytes:
        """The public key that signed it."""
        return self.header.author

    @property
    def key(self) -> bytes:
        """Its reconciliation key."""
        return self.header.key


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a COSE_Sign1 message of the fixed shape; nothing is verified yet."""

    author: bytes
    payload: bytes
    signature: bytes


def seal(author: bytes, payload: bytes, signature: bytes) -> bytes:
    """Put the parts together."""
    return _PREFIX + author + _UNPROTECTED + encode(payload) + _SIGNATURE_HEAD + signature


def open_envelope(data: bytes) -> Envelope:
    """Take the parts out; every byte of `data` is accounted for. Raises InvalidItem."""
    if len(data) > MAX_ITEM:
        raise InvalidItem(Reason.SIZE, f"{len(data)} bytes, at most {MAX_ITEM} are allowed")
    if not data.startswith(_PREFIX):
        raise InvalidItem(Reason.ENVELOPE, "not a COSE_Sign1 message of this protocol")
    end = len(data) - _TAIL
    if end < _PAYLOAD_AT or data[end : end + 2] != _SIGNATURE_HEAD or data[_PAYLOAD_AT - 1 : _PAYLOAD_AT] != b"\xa0":
        raise InvalidItem(Reason.ENVELOPE, "no empty unprotected header, or no 64-byte signature at the end")
    author = data[len(_PREFIX) : _PAYLOAD_AT - 1]
    content = data[_PAYLOAD_AT:end]
    payload = content[_head_size(content) :]
    if not payload or encode(payload) != content:
        raise InvalidItem(Reason.ENVELOPE, "the payload is not one byte string that fills the message")
    return Envelope(author, payload, data[end + 2 :])


def _head_size(content: bytes) -> int:
    """Return how long the head of a byte string of this whole length is, at its shortest."""
    return 1 if len(content) <= 24 else 2 if len(content) <= 257 else 3


def to_be_signed(author: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052 section 4.4): ["Signature1", protected, external_aad, payload]."""
    return _SIGNED + author + _CONTEXT + encode(payload)


def item_id(author: bytes, payload: bytes) -> bytes:
    """Return the id, the SHA-256 of ["meshrelay/1 id", protected, payload].

    The signature stays out, for a key can sign one message in many ways.
    """
    return hashlib.sha256(_HASHED + author + encode(payload)).digest()


def header_of(body: Bulletin | Revocation, *, author: bytes, item: bytes, size: int) -> Header:
    """Return the header of the item with id `item`."""
    if isinstance(body, Revocation):
        return Header(item, author, Kind.REVOCATION, ItemClass.KEYS, body.sent, size, targets=(body.subject,))
    return Header(
        id=item,
        author=author,
        kind=Kind.BULLETIN,
        item_class=class_of(body),
        sent=body.sent,
        size=size,
        expires=body.expires,
        stream=body.chain.stream,
        seq=body.chain.seq,
        org=body.org,
        msg_type=body.msg_type,
        drill=body.is_drill,
        urgency=body.urgency,
        severity=body.severity,
        alias=body.alias,
        targets=body.targets,
    )


def class_of(body: Bulletin | Revocation) -> int:
    """Return which of the four classes an item belongs to."""
    if isinstance(body, Revocation):
        return ItemClass.KEYS
    if body.msg_type is not MsgType.ALERT:
        return ItemClass.CORRECTION
    return ItemClass.GRAVE if body.severity in (Severity.EXTREME, Severity.SEVERE) else ItemClass.REST
