"""Proposal files: what an organisation is about to say, passed round until all whose signature it needs have signed.

A proposal is a JSON file that goes from stick to stick. It holds the payload that is signed, the signatures so far,
what the keys are called, and the roots of the organisation, so that whoever is asked to sign can see what they sign
with nothing but the file. It also says in words what it is and who is missing; nobody reads that back, and what is
shown to a person is made anew from the payload.

Not here: who ought to sign, and what a statement leads to (core.organisation). Law: :func:`read` returns a proposal
every signature of which fits, or raises InvalidDocument, for any bytes.
Source: docs/spec/proposal.md.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from meshrelay.core.admission import admit, assemble, proposal, read_proposal, sign_together
from meshrelay.core.encoding import MAX_ITEM
from meshrelay.core.envelope import Envelope, SignedItem
from meshrelay.core.keys import PUBLIC_KEY_SIZE, SigningKey, verify
from meshrelay.core.statements import Branch, Delegation, Revocation, Root, Signer, Statement, signers_of
from meshrelay.errors import InvalidDocument, InvalidItem

SUFFIX: Final = ".org"
MAX_FILE: Final = 4 * 1024 * 1024
MAX_BESIDE: Final = 256
"""Statements that may come with a proposal."""
MAX_NAME: Final = 80

_KIND: Final = "to be signed together"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Proposal:
    """What several keys are asked to sign: the payload, what it says, and the signatures so far, by key.

    `names` are what keys are called by whoever made the file, which proves nothing; `beside` are statements that it
    rests on: the roots of the organisation.
    """

    payload: bytes
    body: Statement
    signatures: Mapping[bytes, bytes] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))
    beside: tuple[SignedItem, ...] = ()

    @classmethod
    def of(
        cls, body: Statement, *, names: Mapping[bytes, str] | None = None, beside: Iterable[SignedItem] = ()
    ) -> Proposal:
        """Return the proposal of a statement that nobody has signed yet; raise ValueError where it cannot be signed."""
        return cls(proposal(body), body, names=MappingProxyType(dict(names or {})), beside=tuple(beside))

    @property
    def id(self) -> bytes:
        """The id that the item will have: signatures do not change it."""
        return Envelope(self.payload, (), many=True).id

    @property
    def org(self) -> bytes:
        """The id of the organisation."""
        match self.body:
            case Root(org=bytes() as org) | Delegation(org=org):
                return org
            case Revocation(org=bytes() as org) | Branch(org=bytes() as org):
                return org
            case _:
                return self.id

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Every key that has to sign."""
        return signers_of(self.body)

    @property
    def missing(self) -> tuple[bytes, ...]:
        """The keys that have not signed yet."""
        return tuple(one.key for one in self.signers if one.key not in self.signatures)

    def signed_by(self, keys: Iterable[SigningKey]) -> Proposal:
        """Return it with the signatures of these keys, which must be among those that have to sign."""
        signing = list(keys)
        if not {one.public for one in signing} <= {one.key for one in self.signers}:
            raise ValueError("a key that is not asked to sign")
        return replace(self, signatures={**self.signatures, **sign_together(self.payload, signing)})

    def whole(self) -> SignedItem:
        """Return the item, once all have signed."""
        if self.missing:
            raise ValueError(f"{len(self.missing)} signatures are missing")
        return assemble(self.payload, self.signatures.items())


def write(one: Proposal, *, says: Sequence[str], missing: Sequence[str]) -> bytes:
    """Return the file; `says` and `missing` are words for people who open it."""
    document = {
        "meshrelay": _KIND,
        "version": _VERSION,
        "says": list(says),
        "missing": list(missing),
        "payload": _letters(one.payload),
        "signatures": {key.hex(): _letters(signature) for key, signature in sorted(one.signatures.items())},
        "names": {key.hex(): name for key, name in sorted(one.names.items())},
        "with": [_letters(item.data) for item in one.beside],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def looks_like(data: bytes) -> bool:
    """Tell whether a file that begins with these bytes is meant as a proposal."""
    return data.lstrip().startswith(b"{") and f'"{_KIND}"'.encode() in data[:200]


def read(data: bytes) -> Proposal:
    """Return the proposal that a file holds; raise InvalidDocument."""
    if len(data) > MAX_FILE:
        raise InvalidDocument("the file", f"has more than {MAX_FILE} bytes")
    try:
        entry = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDocument("the file", "is no JSON") from error
    if not isinstance(entry, dict) or entry.get("meshrelay") != _KIND:
        raise InvalidDocument("the file", "holds nothing to be signed together")
    if entry.get("version") != _VERSION:
        raise InvalidDocument("version", "is not known here; a newer meshrelay reads it")
    payload = _bytes(entry.get("payload"), "payload", most=MAX_ITEM)
    try:
        body = read_proposal(payload)
    except ValueError as error:
        raise InvalidDocument("payload", str(error)) from error
    if not isinstance(body, Root | Delegation | Revocation | Branch):
        raise InvalidDocument("payload", "is nothing that several keys sign")
    found = Proposal(payload, body, _signatures(entry, payload), _names(entry), _beside(entry))
    if strangers := found.signatures.keys() - {one.key for one in found.signers}:
        raise InvalidDocument("signatures", f"there is one of {min(strangers).hex()}, who is not asked to sign")
    return found


def _signatures(entry: Mapping[str, Any], payload: bytes) -> dict[bytes, bytes]:
    envelope = Envelope(payload, (), many=True)
    found = dict[bytes, bytes]()
    for key, signature in _map(entry, "signatures").items():
        public = _key(key, "signatures")
        found[public] = _bytes(signature, "signatures", most=64)
        if not verify(public, envelope.to_be_signed(public), found[public]):
            raise InvalidDocument("signatures", f"the one of {key} does not fit: the file was altered or damaged")
    return found


def _names(entry: Mapping[str, Any]) -> Mapping[bytes, str]:
    found = {_key(key, "names"): name for key, name in _map(entry, "names").items()}
    if not all(isinstance(name, str) and name.isprintable() and len(name) <= MAX_NAME for name in found.values()):
        raise InvalidDocument("names", "one is no short text")
    return MappingProxyType(found)


def _beside(entry: Mapping[str, Any]) -> tuple[SignedItem, ...]:
    letters = entry.get("with", [])
    if not isinstance(letters, list) or len(letters) > MAX_BESIDE:
        raise InvalidDocument("with", f"is no list of at most {MAX_BESIDE} items")
    try:
        return tuple([admit(_bytes(one, "with", most=MAX_ITEM)) for one in letters])
    except InvalidItem as error:
        raise InvalidDocument("with", str(error)) from error


def _map(entry: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = entry.get(name, {})
    if not isinstance(found, dict) or len(found) > MAX_BESIDE:
        raise InvalidDocument(name, "is no object, or has too many entries")
    return found


def _key(text: str, name: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != PUBLIC_KEY_SIZE:
        raise InvalidDocument(name, f"{text[:70]!r} is no key")
    return key


def _bytes(letters: object, name: str, *, most: int) -> bytes:
    try:
        data = base64.b64decode(letters, validate=True) if isinstance(letters, str) else b""
    except ValueError:
        data = b""
    if not 0 < len(data) <= most:
        raise InvalidDocument(name, f"is not 1 to {most} bytes in base64")
    return data


def _letters(data: bytes) -> str:
    return base64.b64encode(data).decode()
