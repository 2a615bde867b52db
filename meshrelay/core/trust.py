"""What to tell a person about a bulletin: who is behind it, whether it still holds, and why.

A TrustView is what this relay's operator decided (anchors, blocks, own keys) together with what the statements it holds
add up to; it never changes, a new one is made. :func:`verdict` turns a header, what surrounds it and a TrustView into a
value; words/ makes the sentences.

Law: a verdict is a function of the sets it is given, not of any order of arrival, and it never decides whether an item
is valid or kept. Source: docs/spec/bulletin.md, "Update and Cancel"; docs/spec/statements.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from meshrelay.core import organisation
from meshrelay.core.bulletin import ACTS_FOR, Bulletin, MsgType
from meshrelay.core.clock import AGREEMENT, Clock
from meshrelay.core.envelope import Header, ItemClass, SignedItem
from meshrelay.core.organisation import MOST_BRANCHES, Membership, Organisation, agreed
from meshrelay.core.statements import Attestation, Branch, Fault, Revocation, Says, Successor, signers_of

_NO_IDS: Final[frozenset[bytes]] = frozenset()


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
    ANNOUNCED = "announced"
    """It says itself from when it is effective, and that is to come; only whoever has the body can tell."""
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PERHAPS_EXPIRED = "perhaps expired"


class Author(StrEnum):
    """What this relay makes of the key behind a bulletin; the first that holds."""

    BLOCKED = "blocked"
    REVOKED = "revoked"
    FORKED = "forked"
    OWN = "own"
    ANCHORED = "anchored"
    DISPUTED_ORGANISATION = "disputed organisation"
    OUTSIDE_REMIT = "outside remit"
    DELEGATION_ENDED = "delegation ended"
    DELEGATED = "delegated"
    UNKNOWN = "unknown"


KNOWN_AUTHORS: Final = frozenset({Author.OWN, Author.ANCHORED, Author.DELEGATED})
"""What stands in the first lane."""

_BY_MEMBERSHIP: Final = {
    organisation.Standing.DISPUTED: Author.DISPUTED_ORGANISATION,
    organisation.Standing.REVOKED: Author.REVOKED,
    organisation.Standing.NEVER_LENT: Author.UNKNOWN,
    organisation.Standing.BEYOND: Author.OUTSIDE_REMIT,
    organisation.Standing.ENDED: Author.DELEGATION_ENDED,
    organisation.Standing.DELEGATED: Author.DELEGATED,
}


@dataclass(frozen=True, slots=True)
class Anchor:
    """A key, or an organisation by its id, that the operator chose to know, under the name the operator gave it."""

    key: bytes
    petname: str
    since: int
    how: How = How.KEY


@dataclass(frozen=True, slots=True)
class TrustView:
    """Who is known here, and what the keys themselves have taken back.

    `revoked` maps a key to the ids that stay good by its own revocations; `organisations` holds those that the items in
    question name, anchored or not; `successors` are the keys that a key names to come after it, `chosen` what a key
    names where its own items exclude each other, by what they exclude. `counting` are ids of the statements that have
    an effect here.

    `known` are the keys whose bulletins can stand in the first lane: own, anchored, and lent the name of an anchored
    organisation at the time `now` (None: at any time); not blocked, not wholly revoked. `speakers` are the keys whose
    statements can have an effect here: own, anchored, those of anchored organisations, and all these ever lent to.
    """

    anchors: Mapping[bytes, Anchor] = field(default_factory=lambda: MappingProxyType({}))
    own: Mapping[bytes, str] = field(default_factory=lambda: MappingProxyType({}))
    blocked: frozenset[bytes] = _NO_IDS
    revoked: Mapping[bytes, frozenset[bytes]] = field(default_factory=lambda: MappingProxyType({}))
    organisations: Mapping[bytes, Organisation] = field(default_factory=lambda: MappingProxyType({}))
    successors: Mapping[bytes, tuple[bytes, ...]] = field(default_factory=lambda: MappingProxyType({}))
    chosen: Mapping[bytes, Mapping[bytes, frozenset[bytes]]] = field(default_factory=lambda: MappingProxyType({}))
    counting: frozenset[bytes] = _NO_IDS
    now: int | None = None
    known: frozenset[bytes] = _NO_IDS
    speakers: frozenset[bytes] = _NO_IDS

    @classmethod
    def of(
        cls,
        *,
        anchors: Iterable[Anchor] = (),
        own: Mapping[bytes, str] | None = None,
        blocked: Iterable[bytes] = (),
        statements: Iterable[SignedItem] = (),
        organisations: Iterable[Organisation] = (),
        now: int | None = None,
    ) -> TrustView:
        """Make the view of these decisions and these held statements; what organisations say is in `organisations`."""
        view = cls(
            MappingProxyType({anchor.key: anchor for anchor in anchors}),
            MappingProxyType(dict(own or {})),
            frozenset(blocked),
            now=now,
        )
        return view.including(statements, organisations)

    def including(self, statements: Iterable[SignedItem] = (), organisations: Iterable[Organisation] = ()) -> TrustView:
        """Return the view with what further keys and organisations say; all that one of them said at once."""
        revocations: dict[bytes, dict[bytes, frozenset[bytes]]] = {}
        successors: dict[bytes, set[tuple[bytes, bytes]]] = {}
        branches: dict[bytes, dict[bytes, Branch]] = {}
        chosen: dict[bytes, dict[bytes, set[bytes]]] = {}
        counting = set[bytes]()
        for item in statements:
            match item.body:
                case Revocation(org=None) as body:
                    revocations.setdefault(body.subject, {})[item.id] = frozenset(body.good)
                case Successor() as body:
                    successors.setdefault(item.author, set()).add((item.id, body.subject))
                case Branch(org=None) as body:
                    branches.setdefault(item.author, {})[item.id] = body
        revoked = dict[bytes, frozenset[bytes]]()
        for subject, found in revocations.items():
            revoked[subject], kept = agreed(found)
            counting |= kept
        for author, said in branches.items():
            for item_id in sorted(said)[:MOST_BRANCHES]:
                for rival in said[item_id].rivals:
                    chosen.setdefault(author, {}).setdefault(rival, set()).add(said[item_id].chosen)
                counting.add(item_id)
        for named in successors.values():
            counting |= {item for item, _ in sorted(named)[:2]}
        orgs = {**self.organisations, **{one.id: one for one in organisations}}
        return replace(
            self,
            revoked=MappingProxyType({**self.revoked, **revoked}),
            organisations=MappingProxyType(orgs),
            successors=MappingProxyType(
                {**self.successors, **{key: tuple(sorted({to for _, to in one})) for key, one in successors.items()}}
            ),
            chosen=MappingProxyType(
                {
                    **self.chosen,
                    **{
                        key: MappingProxyType({rival: frozenset(ids) for rival, ids in one.items()})
                        for key, one in chosen.items()
                    },
                }
            ),
            counting=self.counting.union(counting, *(one.counting for one in orgs.values() if one.id in self.anchors)),
        ).at(self.now)

    def at(self, now: int | None) -> TrustView:
        """Return the view at another time, None while the clock is doubtful: delegations begin and end."""
        anchored = [one for one in self.organisations.values() if one.id in self.anchors]
        lent = {key for one in anchored for key in one.lent if one.lends(key, now=now)}
        lost = {key for key, good in self.revoked.items() if not good}
        speakers = frozenset({*self.own, *self.anchors}).union(*(one.speakers | one.lent.keys() for one in anchored))
        known = frozenset({*self.own, *self.anchors} | lent) - self.blocked - lost
        if (now, known, speakers) == (self.now, self.known, self.speakers):
            return self
        return replace(self, now=now, known=known, speakers=speakers)

    def author(self, header: Header) -> Author:
        """Return what this relay makes of the key behind an item, apart from what the item says and from its fork."""
        return self.judge(header, None, now=self.now)[0]

    def judge(
        self,
        header: Header,
        bulletin: Bulletin | None,
        *,
        now: int | None,
        forked: bool = False,
        place_in_day: int = 1,
    ) -> tuple[Author, Membership | None]:
        """Return what this relay makes of who is behind a bulletin, and what the anchored organisation it names says.

        `now` is None while the clock is doubtful: then no delegation has ended.
        """
        named = self._named(header)
        membership = (
            named.judge(header, bulletin, now=now, place_in_day=place_in_day)
            if named is not None and named.id in self.anchors
            else None
        )
        if self._blocked(header) is not None:
            return Author.BLOCKED, membership
        if self.is_struck(header):
            return Author.REVOKED, membership
        if forked:
            return Author.FORKED, membership
        if header.author in self.own:
            return Author.OWN, membership
        if header.author in self.anchors:
            return Author.ANCHORED, membership
        return (_BY_MEMBERSHIP[membership.standing] if membership else Author.UNKNOWN), membership

    def is_struck(self, header: Header) -> bool:
        """Tell whether an item is taken back: by its author's own revocation, or by the organisation that it names.

        Statements about keys always stand.
        """
        return self.struck_by(header) is not None

    def struck_by(self, header: Header) -> bytes | None:
        """Return the key or the organisation that takes an item back, or None."""
        if header.item_class == ItemClass.KEYS:
            return None
        good = self.revoked.get(header.author)
        if good is not None and header.id not in good:
            return header.author
        named = self._named(header)
        return named.id if named is not None and named.strikes(header) else None

    def against(self, header: Header) -> bytes | None:
        """Return the key or the organisation that is blocked, else that takes the item back, or None."""
        return self._blocked(header) or self.struck_by(header)

    def petname(self, key: bytes) -> str:
        """Return the name the operator gave a key or an organisation, or an empty text."""
        if key in self.own:
            return self.own[key]
        return self.anchors[key].petname if key in self.anchors else ""

    def matters(self, header: Header) -> bool:
        """Tell whether an item matters here: its author is known, or as a statement could have an effect."""
        if header.item_class == ItemClass.KEYS:
            return header.author in self.speakers or header.id in self.anchors
        return header.author in self.known

    def concerns(self, item: SignedItem) -> bool:
        """Tell whether a statement matters here, by its author or by any other key that signed it."""
        return self.matters(item.header) or any(one.key in self.speakers for one in signers_of(item.body))

    def lasts(self, header: Header) -> bool:
        """Tell whether a statement has an effect here, so that it never makes room for anything."""
        return header.item_class == ItemClass.KEYS and header.id in self.counting

    def may_act(self, act: Header, target: Header, said: Bulletin | None) -> bool:
        """Tell whether an Update or Cancel may act on what `target` says (`said`, needed only for another key's)."""
        if act.author == target.author:
            return True
        named = self._named(act)
        return named is not None and named.may_act(act, target, said)

    def chosen_over(self, header: Header, rivals: frozenset[bytes]) -> bool | None:
        """Tell whether an item counts among those that share its number; None where nobody has said.

        The organisation that it names goes before the key itself, for the key may be in other hands; and what a
        revocation lists as good is named by it, so that a thief cannot cast doubt on that with a twin.
        """
        named = self._named(header)
        says = [_chosen(self.chosen.get(header.author, {}), rivals), self.revoked.get(header.author, _NO_IDS) & rivals]
        if named is not None:
            says = [_chosen(named.chosen, rivals), named.good(header.author) & rivals, *says]
        for chosen in says:
            if len(chosen) == 1:
                return header.id in chosen
            if chosen:
                return None
        return None

    def _blocked(self, header: Header) -> bytes | None:
        return next((one for one in (header.author, header.org) if one is not None and one in self.blocked), None)

    def _named(self, header: Header) -> Organisation | None:
        return self.organisations.get(header.org) if header.org is not None else None


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody known here says about a bulletin: `voice` is the key, or the organisation it speaks for.

    The voice of an `own` key is this relay's, and has no petname.
    """

    voice: bytes
    petname: str
    says: Says
    sent: int
    fault: Fault | None = None
    note: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to tell a person about one bulletin; `by` are the headers that ended it, Cancels first, then the newest.

    `against` is the key or the organisation that is blocked, or whose revocation takes it back. `membership` is what
    the organisation that it names says, if that is anchored here as `organisation`; `words` are the attestations of
    those known here, one a voice, disputes first and then the newest; `unknown_words` how many others gave one, which
    nobody counts.
    """

    standing: Standing
    author: Author
    drill: bool
    known: bool
    anchor: Anchor | None = None
    petname: str = ""
    by: tuple[Header, ...] = ()
    against: bytes | None = None
    organisation: Anchor | None = None
    membership: Membership | None = None
    words: tuple[Word, ...] = ()
    unknown_words: int = 0

    @property
    def alarms(self) -> bool:
        """Whether its severity may be shown as an alarm: it holds now, and its sender is known."""
        return self.known and self.standing in (Standing.LIVE, Standing.PERHAPS_EXPIRED)

    def saying(self, says: Says) -> tuple[Word, ...]:
        """Return what known voices say of this sort."""
        return tuple(word for word in self.words if word.says is says)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is held around one bulletin, beside what acts on it.

    `said` is what it says, `acts_said` what its acts say, by id (needed only where another key's acts count); `twins`
    are the items that share a number of its stream, by number; `place_in_day` as in Organisation.judge; `attestations`
    what is said about it by those who may be known, `unknown_words` how many others said something.
    """

    said: Bulletin | None = None
    acts_said: Mapping[bytes, Bulletin] = field(default_factory=lambda: MappingProxyType({}))
    twins: Mapping[int, tuple[Header, ...]] = field(default_factory=lambda: MappingProxyType({}))
    place_in_day: int = 1
    attestations: tuple[SignedItem, ...] = ()
    unknown_words: int = 0


@dataclass(frozen=True, slots=True)
class Acts:
    """Updates and Cancels, by what they name (an id or an alias) with who made them, and with in whose name.

    So what acts on a bulletin is found by looking at what names it, however many others there are.
    """

    all: tuple[Header, ...] = ()
    by_author: Mapping[tuple[bytes, bytes], tuple[Header, ...]] = field(default_factory=lambda: MappingProxyType({}))
    by_org: Mapping[tuple[bytes, bytes], tuple[Header, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, headers: Iterable[Header]) -> Acts:
        """Sort these headers in; what is neither Update nor Cancel is left out."""
        acts = tuple(act for act in headers if act.acts)
        by_author = defaultdict[tuple[bytes, bytes], list[Header]](list)
        by_org = defaultdict[tuple[bytes, bytes], list[Header]](list)
        for act in acts:
            for token in act.targets:
                by_author[token, act.author].append(act)
                if act.org is not None:
                    by_org[token, act.org].append(act)
        return cls(
            acts,
            MappingProxyType({key: tuple(found) for key, found in by_author.items()}),
            MappingProxyType({key: tuple(found) for key, found in by_org.items()}),
        )

    def naming(self, target: Header) -> Iterator[Header]:
        """Return what its author, and those who name its organisation, made that names `target`; some of it twice."""
        for token in (target.id, target.alias):
            if token is not None:
                yield from self.by_author.get((token, target.author), ())
                if target.org is not None:
                    yield from self.by_org.get((token, target.org), ())


def verdict(
    header: Header,
    acts: Acts,
    trust: TrustView,
    clock: Clock,
    around: Surroundings = Surroundings(),
) -> Verdict:
    """Judge one bulletin.

    `acts` holds at least every held Update and Cancel that acts on it, directly or through what it
    acted on; what does not concern it may be among them.
    """
    forked = is_forked(header, around.twins, trust)
    author, membership = trust.judge(
        header, around.said, now=_now(clock), forked=forked, place_in_day=around.place_in_day
    )
    by = ended_by(header, acts, trust, clock, around)
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
    words, unknown = weigh(header, around, trust, clock)
    return Verdict(
        standing=standing,
        author=author,
        drill=header.drill,
        known=author in KNOWN_AUTHORS,
        anchor=trust.anchors.get(header.author),
        # What a key of our own is called here is for nobody else; while it holds, the relay's name stands for it.
        petname="" if author is not Author.OWN and header.author in trust.own else trust.petname(header.author),
        by=by,
        against=trust.against(header),
        organisation=trust.anchors.get(header.org) if header.org is not None and membership is not None else None,
        membership=membership,
        words=words,
        unknown_words=unknown,
    )


def is_forked(header: Header, twins: Mapping[int, tuple[Header, ...]], trust: TrustView) -> bool:
    """Tell whether an item is one of two that exclude each other, or comes after such a pair that nobody decided on."""
    if header.seq is None:
        return False
    for number, sharing in twins.items():
        if number > header.seq or len(sharing) < 2:
            continue
        ids = frozenset(one.id for one in sharing)
        if header.id in ids:
            if trust.chosen_over(header, ids) is not True:
                return True
        elif all(trust.chosen_over(one, ids) is None for one in sharing):
            return True
    return False


def ended_by(
    header: Header,
    acts: Acts,
    trust: TrustView,
    clock: Clock,
    around: Surroundings = Surroundings(),
) -> tuple[Header, ...]:
    """Return the Updates and Cancels in force that end a bulletin, Cancels first, then the newest.

    An act ends what it names and what that superseded in turn. The author's own acts count, and those of another key
    in the same organisation's name whose remit covers what it acts on; not those that were taken back, and each until
    `sent` + 97 days, or for ever while the clock is doubtful. An Update that is not valid yet leaves what it replaces
    standing until it is; a Cancel acts at once.
    """
    found: dict[bytes, Header] = {}
    idle = {header.id}
    reached = [(header, around.said)]
    while reached:
        target, said = reached.pop()
        for act in acts.naming(target):
            if act.id in found or act.id in idle:
                continue
            if not _may_end(act, header, trust, clock):
                idle.add(act.id)
            elif trust.may_act(act, target, said):
                found[act.id] = act
                reached.append((act, around.acts_said.get(act.id)))
    return tuple(sorted(found.values(), key=_weight, reverse=True))


def is_ended(header: Header, acts: Acts, trust: TrustView, clock: Clock, said: Bulletin | None = None) -> bool:
    """Tell whether anything ends a bulletin; `said` is what it says, as in Surroundings."""
    return any(
        act.id != header.id and _may_end(act, header, trust, clock) and trust.may_act(act, header, said)
        for act in acts.naming(header)
    )


def _may_end(act: Header, header: Header, trust: TrustView, clock: Clock) -> bool:
    """Tell whether an act is in force, and of a key that can have a say in what becomes of this bulletin."""
    return (
        (act.author == header.author or (act.org is not None and act.author not in trust.blocked))
        and (clock.doubtful or act.sent + ACTS_FOR > clock.now)
        and (clock.doubtful or act.msg_type is MsgType.CANCEL or act.sent <= clock.now + AGREEMENT)
        and not trust.is_struck(act)
    )


def weigh(header: Header, around: Surroundings, trust: TrustView, clock: Clock) -> tuple[tuple[Word, ...], int]:
    """Return what known voices say of a bulletin, each its newest word, and how many others said something.

    A voice is a key or the organisation that it speaks for, and has no say on what it or a colleague said.
    """
    newest: dict[bytes, SignedItem] = {}
    for item in around.attestations:
        if isinstance(item.body, Attestation) and item.body.target == header.id and not trust.is_struck(item.header):
            if not clock.doubtful and item.header.sent > clock.now + AGREEMENT:
                continue
            held = newest.get(item.author)
            if held is None or (held.header.sent, held.id) < (item.header.sent, item.id):
                newest[item.author] = item
    own_voices = {one for one in (header.author, header.org) if one is not None}
    if (named := trust.organisations.get(header.org or b"")) is not None:
        own_voices |= named.lent.keys()
    words: dict[bytes, tuple[tuple[int, bytes], Word]] = {}
    unknown = around.unknown_words
    for item in newest.values():
        voice = _voice(item.header, trust, now=_now(clock))
        if item.author in trust.blocked or item.author in own_voices:
            continue
        if voice is None:
            unknown += 1
        elif isinstance(item.body, Attestation):
            said = item.body
            own = voice in trust.own
            petname = "" if own else trust.petname(voice)
            word = Word(voice, petname, said.says, said.sent, said.fault, said.note, own)
            order = (said.sent, item.id)
            if voice not in words or words[voice][0] < order:
                words[voice] = order, word
    ordered = sorted(words.values(), key=lambda pair: (pair[1].says is Says.DISPUTE, pair[0]), reverse=True)
    return tuple(word for _, word in ordered), unknown


def _chosen(said: Mapping[bytes, frozenset[bytes]], rivals: frozenset[bytes]) -> frozenset[bytes]:
    """Return which of these items statements name, by what they name it over."""
    return frozenset[bytes]().union(*(said.get(rival, _NO_IDS) for rival in rivals)) & rivals


def _voice(header: Header, trust: TrustView, *, now: int | None) -> bytes | None:
    """Return whose word an attestation is: its author's, or that of the anchored organisation that it names."""
    if header.author in trust.own or header.author in trust.anchors:
        return header.author
    named = trust.organisations.get(header.org) if header.org is not None else None
    if named is not None and named.id in trust.anchors and named.attests(header, now=now):
        return named.id
    return None


def _now(clock: Clock) -> int | None:
    return None if clock.doubtful else clock.now


def _weight(act: Header) -> tuple[bool, int, bytes]:
    return (act.msg_type is MsgType.CANCEL, act.sent, act.id)
