"""The signed item: exact bytes, who signed them, and the id they are known by.

An item is a COSE message (RFC 9052) of one of two fixed shapes: COSE_Sign1 for what one key says, COSE_Sign for what an
organisation says with several. So an id names one byte string but for the signatures, and nothing can be added to it on
the way. Bytes are signed, carried and hashed; they are never encoded again once they were signed.

Here is the layout alone. Whether bytes from outside are an item is admission's question.
Source: docs/spec/item.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from meshrelay.core.bulletin import Bulletin, MsgType, Severity, Urgency
from meshrelay.core.encoding import MAX_ITEM, encode
from meshrelay.core.keys import PUBLIC_KEY_SIZE, SIGNATURE_SIZE
from meshrelay.core.statements import (
    MAX_SIGNERS,
    Attestation,
    Branch,
    Delegation,
    Revocation,
    Role,
    Root,
    Says,
    Statement,
    Successor,
    holding,
    signers_of,
)
from meshrelay.errors import InvalidItem, Reason

Body: TypeAlias = Bulletin | Statement

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
# Tag 98, array of 4, no protected header, empty unprotected header; then the payload and the list of signatures.
_MANY_PREFIX = bytes.fromhex("d8 62 84 40 a0")
# A signature in that list: array of 3, the protected header up to its kid; then as above.
_SIGNER_PREFIX = bytes.fromhex("83") + _PROTECTED
_SIGNER_SIZE = len(_SIGNER_PREFIX) + PUBLIC_KEY_SIZE + len(_UNPROTECTED) + len(_SIGNATURE_HEAD) + SIGNATURE_SIZE
_MANY_SIGNED = bytes.fromhex("85") + encode("Signature") + encode(b"") + _PROTECTED
_MANY_HASHED = bytes.fromhex("83") + encode("meshrelay/1 id") + encode(b"")


class Kind(StrEnum):
    """What a payload is."""

    BULLETIN = "bulletin"
    REVOCATION = "revocation"
    ATTESTATION = "attestation"
    ROOT = "root"
    DELEGATION = "delegation"
    SUCCESSOR = "successor"
    BRANCH = "branch"


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

    `author` is the key that signed it; where several sign together, one of them: see :func:`speaker`. `targets` are the
    ids, or tokens of CAP messages, that it acts on; for a statement what it is about: its organisation, if it has one,
    and the key or the item. `alias` is the token of the CAP message it was imported from.
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

    @property
    def acts(self) -> bool:
        """Whether it ends others: an Update or a Cancel."""
        return self.msg_type in (MsgType.UPDATE, MsgType.CANCEL)


@dataclass(frozen=True, slots=True)
class SignedItem:
    """An item that went through the gate: everything in it is as the signature says."""

    header: Header
    data: bytes
    body: Body

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
    """The parts of a message of one of the two shapes; nothing is verified yet.

    `signatures` are (key, signature) pairs: one, or with `many` those of the keys that sign together, ascending.
    """

    payload: bytes
    signatures: tuple[tuple[bytes, bytes], ...]
    many: bool = False

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys whose signatures it carries."""
        return tuple(key for key, _ in self.signatures)

    def to_be_signed(self, key: bytes) -> bytes:
        """Return the bytes that `key` signs."""
        return (together_signed if self.many else to_be_signed)(key, self.payload)

    @property
    def id(self) -> bytes:
        """SHA-256 over ["meshrelay/1 id", protected, payload].

        The signatures stay out, for a key can sign one message in many ways.
        """
        head = _MANY_HASHED if self.many else _HASHED + self.signatures[0][0]
        return hashlib.sha256(head + encode(self.payload)).digest()


def seal(author: bytes, payload: bytes, signature: bytes) -> bytes:
    """Put together what one key signed."""
    return _PREFIX + author + _UNPROTECTED + encode(payload) + _SIGNATURE_HEAD + signature


def seal_together(payload: bytes, signatures: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Put together what several keys signed; (key, signature) pairs in any order."""
    pairs = sorted(signatures)
    signers = b"".join([_SIGNER_PREFIX + key + _UNPROTECTED + _SIGNATURE_HEAD + one for key, one in pairs])
    return _MANY_PREFIX + encode(payload) + _list_head(len(pairs)) + signers


def open_envelope(data: bytes) -> Envelope:
    """Take the parts out; every byte of `data` is accounted for. Raises InvalidItem."""
    if len(data) > MAX_ITEM:
        raise InvalidItem(Reason.SIZE, f"{len(data)} bytes, at most {MAX_ITEM} are allowed")
    if data.startswith(_MANY_PREFIX):
        return _open_many(data)
    if not data.startswith(_PREFIX):
        raise InvalidItem(Reason.ENVELOPE, "not a COSE message of this protocol")
    end = len(data) - _TAIL
    if end < _PAYLOAD_AT or data[end : end + 2] != _SIGNATURE_HEAD or data[_PAYLOAD_AT - 1 : _PAYLOAD_AT] != b"\xa0":
        raise InvalidItem(Reason.ENVELOPE, "no empty unprotected header, or no 64-byte signature at the end")
    author = data[len(_PREFIX) : _PAYLOAD_AT - 1]
    content = data[_PAYLOAD_AT:end]
    payload = content[_head_size(content) :]
    if not payload or encode(payload) != content:
        raise InvalidItem(Reason.ENVELOPE, "the payload is not one byte string that fills the message")
    return Envelope(payload, ((author, data[end + 2 :]),))


def _open_many(data: bytes) -> Envelope:
    at = len(_MANY_PREFIX)
    head = data[at : at + 3]
    width = {0x58: 1, 0x59: 2}.get(head[0] if head else 0, 0)
    size = int.from_bytes(head[1 : 1 + width], "big") if width else (head[0] - 0x40 if head else -1)
    start = at + 1 + width
    payload, rest = data[start : start + size], data[start + size :] if size > 0 else b""
    if size < 1 or len(payload) != size or encode(payload) != data[at : start + size]:
        raise InvalidItem(Reason.ENVELOPE, "the payload is not one byte string")
    count = next((n for n in range(1, MAX_SIGNERS + 1) if len(_list_head(n)) + n * _SIGNER_SIZE == len(rest)), 0)
    if not count or not rest.startswith(_list_head(count)):
        raise InvalidItem(Reason.ENVELOPE, f"not a list of 1 to {MAX_SIGNERS} signatures at the end")
    signatures = list[tuple[bytes, bytes]]()
    at = len(_list_head(count))
    for one in (rest[at + n * _SIGNER_SIZE : at + (n + 1) * _SIGNER_SIZE] for n in range(count)):
        key = one[len(_SIGNER_PREFIX) : len(_SIGNER_PREFIX) + PUBLIC_KEY_SIZE]
        signature = one[-SIGNATURE_SIZE:]
        if one != _SIGNER_PREFIX + key + _UNPROTECTED + _SIGNATURE_HEAD + signature:
            raise InvalidItem(Reason.ENVELOPE, "a signature of another form")
        if signatures and signatures[-1][0] >= key:
            raise InvalidItem(Reason.ENVELOPE, "the keys that sign are not ascending")
        signatures.append((key, signature))
    return Envelope(payload, tuple(signatures), many=True)


def _list_head(count: int) -> bytes:
    return bytes([0x80 + count]) if count < 24 else bytes([0x98, count])


def _head_size(content: bytes) -> int:
    """Return how long the head of a byte string of this whole length is, at its shortest."""
    return 1 if len(content) <= 24 else 2 if len(content) <= 257 else 3


def to_be_signed(author: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052, 4.4) of what `author` signs alone."""
    return _SIGNED + author + _CONTEXT + encode(payload)


def together_signed(key: bytes, payload: bytes) -> bytes:
    """Return the Sig_structure (RFC 9052, 4.4) of what `key` signs together with others."""
    return _MANY_SIGNED + key + _CONTEXT + encode(payload)


def speaker(body: Body, keys: tuple[bytes, ...]) -> bytes:
    """Return the key that an item counts as being by.

    Where several sign together: the lowest of those that sign as the version before, else as root, else as recovery.
    Each of them signed, but whether it is a key of the organisation the statement alone does not tell.
    """
    signers = signers_of(body)
    for role in (Role.PREDECESSOR, Role.ROOT, Role.RECOVERY):
        if found := holding(signers, role):
            return min(found)
    return keys[0]


def header_of(body: Body, *, author: bytes, item: bytes, size: int) -> Header:
    """Return the header of the item with id `item`."""
    if isinstance(body, Bulletin):
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
    header = Header(
        item, author, kind_of(body), class_of(body), body.sent, size, targets=tuple(filter(None, _about(body)))
    )
    match body:
        case Attestation():
            return replace(header, stream=body.stream, seq=body.seq, org=body.org)
        case Delegation():
            return replace(header, expires=body.not_after)
        case _:
            return header


def kind_of(body: Body) -> Kind:
    """Return what an item with this body is called."""
    return _KINDS[type(body)]


def class_of(body: Body) -> int:
    """Return which of the four classes an item belongs to."""
    if isinstance(body, Attestation):
        return ItemClass.CORRECTION if body.says is Says.DISPUTE else ItemClass.REST
    if not isinstance(body, Bulletin):
        return ItemClass.KEYS
    if body.msg_type is not MsgType.ALERT:
        return ItemClass.CORRECTION
    return ItemClass.GRAVE if body.severity in (Severity.EXTREME, Severity.SEVERE) else ItemClass.REST


def _about(body: Statement) -> tuple[bytes | None, ...]:
    match body:
        case Attestation():
            return (body.target,)
        case Root():
            return (body.org,)
        case Branch():
            return (body.org, body.chosen)
        case Successor():
            return (body.subject,)
        case Delegation() | Revocation():
            return (body.org, body.subject)


_KINDS: dict[type, Kind] = {
    Bulletin: Kind.BULLETIN,
    Revocation: Kind.REVOCATION,
    Attestation: Kind.ATTESTATION,
    Root: Kind.ROOT,
    Delegation: Kind.DELEGATION,
    Successor: Kind.SUCCESSOR,
    Branch: Kind.BRANCH,
}
