"""Every error meshrelay raises on purpose, in one tree.

::

    MeshrelayError
    ├── Theirs                bytes or documents from outside are wrong; our state is unharmed
    │   ├── InvalidItem       not a signed item (the one thing core.admission raises)
    │   ├── InvalidMessage    not a message of the peer protocol, a batch or a carry file
    │   ├── InvalidDocument   not a CAP document that can be imported
    │   └── PeerFault         a peer broke the protocol; counts against that peer
    ├── PeerUnreachable       nobody's fault: no answer, or the link was cut
    └── Refusal               a person asked for something that cannot be done; the message says what,
        │                     `hint` says what to do
        ├── WrongUsage        a value that a person typed cannot be what it is meant to be
        ├── NotFound
        ├── AlreadyRunning    another relay holds this data folder
        ├── StoreFull         no room on the disk or in max_store
        ├── StoreUnusable     the store or the notes are of a newer version, kept locked, or
        │   ├── StoreDamaged  damaged: a running relay makes it anew
        │   └── NotesDamaged  damaged: a relay that starts keeps what can be read
        └── KeyLocked         a key cannot be read or is held by another process for too long

Wrong arguments from our own code are ValueError, broken promises inside are RuntimeError: those are bugs.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an item was refused; part of the protocol (docs/spec/item.md), so the words are stable."""

    SIZE = "size"
    ENVELOPE = "envelope"
    KEY = "key"
    SIGNATURE = "signature"
    ENCODING = "encoding"
    KIND = "kind"
    VERSION = "version"
    FIELD = "field"
    TEXT = "text"
    TIME = "time"
    PLACE = "place"


class MeshrelayError(Exception):
    """Whatever meshrelay raises on purpose."""


class Theirs(MeshrelayError):
    """Something that came from outside is wrong; nothing of ours changed."""


class InvalidItem(Theirs):
    """These bytes are not a valid signed item.

    `reason` is a word of the protocol; `detail` is for people who look for the flaw.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class InvalidMessage(Theirs):
    """These bytes are not a message of the peer protocol, a batch, or a carry file."""


class InvalidDocument(Theirs):
    """This document cannot be imported; `element` names what is at fault.

    `place` says which of several parts of the document is meant; empty where it is the only one.
    """

    def __init__(self, element: str, detail: str, place: str = "") -> None:
        super().__init__(f"{element}: {detail}")
        self.element = element
        self.detail = detail
        self.place = place


class PeerFault(Theirs):
    """A peer broke the protocol."""


class PeerUnreachable(MeshrelayError):
    """A peer gave no answer, or the link was cut."""


class Refusal(MeshrelayError):
    """What a person asked for cannot be done; `hint` is one line on what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class WrongUsage(Refusal):
    """A value that a person typed cannot be what it is meant to be: an address, a place, a language."""


class NotFound(Refusal):
    """There is no such bulletin, key, peer or file here."""


class AlreadyRunning(Refusal):
    """Another relay holds this data folder."""


class StoreFull(Refusal):
    """There is no room for more items, on the disk or within max_store."""


class StoreUnusable(Refusal):
    """The store is damaged, was made by a newer version, or another process keeps it locked."""


class StoreDamaged(StoreUnusable):
    """The store's file is damaged beyond single items."""


class NotesDamaged(StoreUnusable):
    """This relay's own notes, the database of private facts, are damaged."""


class KeyLocked(Refusal):
    """A key cannot be used now: another process holds it, or it cannot be read."""
