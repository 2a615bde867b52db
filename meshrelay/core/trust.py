"""What to tell a person about a bulletin: who is behind it, whether it still holds, and why.

A TrustView is what this relay's operator decided (anchors, blocks, own keys) together with the statements it
holds; it never changes, a new one is made. :func:`verdict` turns a header, whatever acts on it and a TrustView
into a value; words/ makes the sentences.

Law: a verdict is a function of the sets it is given, not of any order of arrival, and it never decides
whether an item is valid or kept. Source: docs/spec/bulletin.md, "Update and Cancel"; docs/spec/statements.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from meshrelay.core.bulletin import ACTS_FOR, MsgType
from meshrelay.core.clock import AGREEMENT, Clock
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.statements import Revocation


class How(StrEnum):
    """How the operator came to know a key."""

    DIGITS = "digits"
    """Digits were compared, read aloud or on paper."""
    KEY = "key"
    """The whole key was given, in a file or typed in."""


class Standing(StrEnum):
    """Whether what a bulletin says still holds."""

    LIVE = "live"
    NOT_YET = "not yet valid"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PERHAPS_EXPIRED = "perhaps expired"


class Author(StrEnum):
    """What this relay makes of the key behind a bulletin; the first that holds."""

    BLOCKED = "blocked"
    REVOKED = "revoked"
    OWN = "own"
    ANCHORED = "anchored"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A key that the operator chose to know, under the name the operator gave it (`petname`)."""

    key: bytes
    petname: str
    since: int
    how: How = How.KEY


@dataclass(frozen=True, slots=True)
class TrustView:
    """Who is known here, and what the keys themselves have taken back.

    `revoked` maps a key to the ids that stay good: those in *every* revocation of it that is held.
    """

    anchors: Mapping[bytes, Anchor] = field(default_factory=lambda: MappingProxyType({}))
    own: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))
    blocked: frozenset[bytes] = frozenset()
    revoked: Mapping[bytes, frozenset[bytes]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(
        cls,
        *,
        anchors: Iterable[Anchor] = (),
        own: Mapping[bytes, str] | None = None,
        blocked: Iterable[bytes] = (),
        statements: Iterable[SignedItem] = (),
    ) -> TrustView:
        """Make the view of these decisions and these held statements."""
        good: dict[bytes, frozenset[bytes]] = {}
        for item in statements:
            if isinstance(item.body, Revocation):
                ids = frozenset(item.body.good)
                good[item.body.subject] = good.get(item.body.subject, ids) & ids
        return cls(
            MappingProxyType({anchor.key: anchor for anchor in anchors}),
            MappingProxyType(dict(own or {})),
            frozenset(blocked),
            MappingProxyType(good),
        )

    def author(self, header: Header) -> Author:
        """Return what this relay makes of the key behind an item."""
        if header.author in self.blocked:
            return Author.BLOCKED
        if self.is_struck(header):
            return Author.REVOKED
        if header.author in self.own:
            return Author.OWN
        return Author.ANCHORED if header.author in self.anchors else Author.UNKNOWN

    def is_struck(self, header: Header) -> bool:
        """Tell whether the author's own revocation takes this item back; a revocation itself always stands."""
        good = self.revoked.get(header.author)
        return good is not None and header.item_class != 0 and header.id not in good

    @property
    def known(self) -> frozenset[bytes]:
        """The keys whose bulletins can stand in the first lane: own and anchored, not blocked, not wholly revoked."""
        lost = {key for key, good in self.revoked.items() if not good}
        return frozenset(self.own.keys() | self.anchors.keys()) - self.blocked - lost

    def petname(self, key: bytes) -> str:
        """Return the name the operator gave a key, or an empty text."""
        if key in self.own:
            return self.own[key]
        return self.anchors[key].petname if key in self.anchors else ""

    def matters(self, header: Header) -> bool:
        """Tell whether an item matters here: its author is known, or it is a statement about a known key."""
        keys = {header.author, *(header.targets if header.item_class == 0 else ())}
        return not keys.isdisjoint(self.own) or not keys.isdisjoint(self.anchors)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to tell a person about one bulletin; `by` are the headers that ended it, Cancels first, then the newest."""

    standing: Standing
    author: Author
    drill: bool
    known: bool
    anchor: Anchor | None = None
    petname: str = ""
    by: tuple[Header, ...] = ()

    @property
    def alarms(self) -> bool:
        """Whether its severity may be shown as an alarm: it holds now, and its sender is known."""
        return self.known and self.standing in (Standing.LIVE, Standing.PERHAPS_EXPIRED)


def verdict(header: Header, acts: Iterable[Header], trust: TrustView, clock: Clock) -> Verdict:
    """Judge one bulletin.

    `acts` holds at least every held Update and Cancel that acts on it, directly or through what it
    acted on; what does not concern it may be among them.
    """
    author = trust.author(header)
    by = ended_by(header, acts, trust, clock)
    if any(act.msg_type is MsgType.CANCEL for act in by):
        standing = Standing.CANCELLED
    elif by:
        standing = Standing.SUPERSEDED
    elif header.expires is not None and header.expires <= clock.now:
        standing = Standing.PERHAPS_EXPIRED if clock.doubtful else Standing.EXPIRED
    elif header.sent > clock.now + AGREEMENT and not clock.doubtful:
        standing = Standing.NOT_YET
    else:
        standing = Standing.LIVE
    return Verdict(
        standing=standing,
        author=author,
        drill=header.drill,
        known=author in (Author.OWN, Author.ANCHORED),
        anchor=trust.anchors.get(header.author),
        # What a key of our own is called here is for nobody else; while it holds, the relay's name stands for it.
        petname="" if author is Author.REVOKED and header.author in trust.own else trust.petname(header.author),
        by=by,
    )


def ended_by(header: Header, acts: Iterable[Header], trust: TrustView, clock: Clock) -> tuple[Header, ...]:
    """Return the Updates and Cancels in force that end a bulletin, Cancels first, then the newest.

    An act ends what it names and what that superseded in turn. Only the author's own acts count, not those
    that the author took back, and each until `sent` + 97 days, or for ever while the clock is doubtful. An Update that
    is not valid yet leaves what it replaces standing until it is; a Cancel acts at once.
    """
    own_acts = [
        act
        for act in acts
        if act.author == header.author
        and act.msg_type in (MsgType.UPDATE, MsgType.CANCEL)
        and act.id != header.id
        and (clock.doubtful or act.sent + ACTS_FOR > clock.now)
        and (clock.doubtful or act.msg_type is MsgType.CANCEL or act.sent <= clock.now + AGREEMENT)
        and not trust.is_struck(act)
    ]
    found: dict[bytes, Header] = {}
    reach = {header.id, header.alias} - {None}
    grown = True
    while grown:
        grown = False
        for act in own_acts:
            if act.id not in found and not reach.isdisjoint(act.targets):
                found[act.id] = act
                reach |= {act.id, act.alias} - {None}
                grown = True
    return tuple(sorted(found.values(), key=_weight, reverse=True))


def _weight(act: Header) -> tuple[bool, int, bytes]:
    return (act.msg_type is MsgType.CANCEL, act.sent, act.id)
