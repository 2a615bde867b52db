"""What the statements of one organisation add up to: its present root, whom it lends its name, what it has taken back.

An organisation is a chain of roots, each signed by enough keys of the one before and of itself. Where two follow the
same one, that one counts which a recovery key stands behind, and otherwise the organisation is disputed: then nothing
counts from the forked version on, for whoever holds enough of its keys could make either.

What retired keys sign later counts for nothing new: a delegation counts while enough of its signers are still in the
root, and a revocation ends what was lent up to the version that signed it.

Not here: who knows the organisation (trust.py). Law: a function of the set of statements, whatever their order; nothing
counts because a statement says so of itself. Source: docs/spec/statements.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Final, TypeVar

from meshrelay.core.bulletin import Bulletin
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.scope import Beyond, Places, Remit, beyond_each
from meshrelay.core.statements import Branch, Delegation, Revocation, Role, Root, Scope, Signer, holding

K = TypeVar("K")
V = TypeVar("V")

MOST_BRANCHES: Final = 64
"""Statements of one author, or one organisation, on which of two items counts: those of the lowest ids."""

_NO_IDS: Final[frozenset[bytes]] = frozenset()


class Standing(StrEnum):
    """How a bulletin that names an organisation stands to it."""

    DISPUTED = "disputed organisation"
    REVOKED = "revoked"
    NEVER_LENT = "never lent"
    BEYOND = "outside remit"
    ENDED = "delegation ended"
    DELEGATED = "delegated"


@dataclass(frozen=True, slots=True)
class Membership:
    """What an organisation makes of a bulletin that names it.

    `beyond` says in which way it is outside of its remit; `until` is when the last delegation of the key ends, `title`
    what the key was lent for.
    """

    standing: Standing
    beyond: Beyond | None = None
    until: int | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class Lent:
    """A delegation that counts: its id, the number of the version that signed it, and what it lends for."""

    id: bytes
    number: int
    delegation: Delegation
    remit: Remit = field(compare=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """What revocations of one sort and version say: they end what was lent up to version `number`, but for `good`."""

    number: int
    good: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation as far as its statements are held; `roots` is the chain that counts, oldest first.

    `rivals` are the ids of roots that exclude each other, while nothing decides between them. `lent` and `ended` are by
    key; `chosen` are the items that the organisation names where others exclude them, by what they exclude. `counting`
    are the ids of the statements that have an effect, the root that rivals follow among them, `speakers` the keys that
    can have said them.
    """

    id: bytes
    roots: tuple[SignedItem, ...] = ()
    rivals: frozenset[bytes] = _NO_IDS
    lent: Mapping[bytes, tuple[Lent, ...]] = field(default_factory=lambda: MappingProxyType({}))
    ended: Mapping[bytes, tuple[Ended, ...]] = field(default_factory=lambda: MappingProxyType({}))
    chosen: Mapping[bytes, frozenset[bytes]] = field(default_factory=lambda: MappingProxyType({}))
    counting: frozenset[bytes] = _NO_IDS
    speakers: frozenset[bytes] = _NO_IDS

    @classmethod
    def of(cls, org: bytes, statements: Iterable[SignedItem], *, followed: Collection[bytes] = ()) -> Organisation:
        """Add up what is held; `followed` are the roots that the operator follows where rivals exclude them."""
        held = sorted({item.id: item for item in statements}.values(), key=lambda item: item.id)
        chain, rivals, telling, deciding = _chain(org, held, followed)
        numbers = {item.id: (number, root) for number, (item, root) in enumerate(chain, start=1)}
        current = chain[-1][1] if chain else None
        lent: dict[bytes, list[Lent]] = {}
        ended: dict[bytes, list[tuple[int, bool, SignedItem, frozenset[bytes]]]] = {}
        chosen: dict[bytes, set[bytes]] = {}
        branches = set[bytes]()
        places: dict[tuple[object, ...], Places | None] = {}
        counting = {item.id for item, _ in chain} | telling | {*sorted(deciding)[:2]}
        for item in held:
            match item.body:
                case Delegation() as body if body.org == org and current and body.root in numbers:
                    number, root = numbers[body.root]
                    if _lends(body, root, current):
                        remit = Remit(item.id, body.scope, _places(body.scope, places))
                        lent.setdefault(body.subject, []).append(Lent(item.id, number, body, remit))
                        counting.add(item.id)
                case Revocation() as body if body.org == org and body.root in numbers:
                    number, root = numbers[body.root]
                    if (sort := _spoken(body, root)) is not None:
                        entry = (number, sort is Role.RECOVERY, item, frozenset(body.good))
                        ended.setdefault(body.subject, []).append(entry)
                case Branch() as body if body.org == org and body.root in numbers and len(branches) < MOST_BRANCHES:
                    if _spoken(body, numbers[body.root][1]) is not None:
                        for rival in body.rivals:
                            chosen.setdefault(rival, set()).add(body.chosen)
                        branches.add(item.id)
        ends: dict[bytes, tuple[Ended, ...]] = {}
        for subject, found in ended.items():
            ends[subject], kept = _added_up(found)
            counting |= kept if subject in lent else _NO_IDS
        counting |= branches
        return cls(
            org,
            tuple(item for item, _ in chain),
            frozenset(rivals),
            MappingProxyType({subject: tuple(found) for subject, found in lent.items()}),
            MappingProxyType(ends),
            MappingProxyType({rival: frozenset(found) for rival, found in chosen.items()}),
            frozenset(counting),
            frozenset(key for item in held if item.id in counting for key in _named(item)),
        )

    @property
    def disputed(self) -> bool:
        """Whether roots exclude each other and nothing decides between them."""
        return bool(self.rivals)

    @property
    def root(self) -> Root | None:
        """The present version, or None where none counts."""
        return _root(self.roots[-1]) if self.roots else None

    @property
    def name(self) -> str:
        """What it calls itself."""
        return self.root.name if self.root else ""

    def lends(self, key: bytes, *, now: int | None) -> bool:
        """Tell whether some of what a key signs can be in its name now; `now` is None while the clock is doubtful."""
        return not self.disputed and any(
            (now is None or now <= one.delegation.not_after) and not self._is_wholly_ended(key, one)
            for one in self.lent.get(key, ())
        )

    def until(self, key: bytes) -> int | None:
        """Return when the last delegation of a key that no revocation ends is over, or None where there is none."""
        lent = [one for one in self.lent.get(key, ()) if not self._is_ended(key, one)]
        return max((one.delegation.not_after for one in lent), default=None)

    def covers(self, header: Header) -> bool:
        """Tell whether it had lent its name to the author of an item when that was signed, and stands by it."""
        return any(not self._is_ended(header.author, one, header.id) for one in self._at(header))

    def good(self, key: bytes) -> frozenset[bytes]:
        """Return what all its revocations of a key list as good; nothing where there is none."""
        ends = self.ended.get(key, ())
        return frozenset.intersection(*(one.good for one in ends)) if ends else _NO_IDS

    def strikes(self, header: Header) -> bool:
        """Tell whether it takes back an item that names it: its author was revoked, and it is not among the good."""
        ends = self.ended.get(header.author, ())
        if not ends or header.org != self.id:
            return False
        return not self.covers(header) and not all(header.id in one.good for one in ends)

    def judge(self, header: Header, bulletin: Bulletin | None, *, now: int | None, place_in_day: int = 1) -> Membership:
        """Say how a bulletin that names it stands to it.

        `bulletin` is what it says, None where that does not matter. `place_in_day` counts the author's bulletins in its
        name on the UTC day of `sent`, from 1, by `sent` and then id. `now` is None while the clock is doubtful:
        then nothing has ended.
        """
        if self.disputed:
            return Membership(Standing.DISPUTED)
        if self.strikes(header):
            return Membership(Standing.REVOKED)
        lent = [one for one in self.lent.get(header.author, ()) if not self._is_ended(header.author, one, header.id)]
        if not lent:
            return Membership(Standing.NEVER_LENT)
        until = max(one.delegation.not_after for one in lent)
        last = max(lent, key=lambda one: (one.delegation.not_after, one.id))
        covering = [one for one in self._at(header) if one in lent]
        if not covering:
            ended = header.sent > until
            how = Standing.ENDED if ended else Standing.BEYOND
            return Membership(how, None if ended else Beyond.TIME, until, last.delegation.title)
        faults = zip(_faults(covering, bulletin, place_in_day), covering, strict=True)
        fault, best = min(faults, key=lambda pair: (pair[0] is not None, -pair[1].delegation.not_after, pair[1].id))
        if fault is not None:
            return Membership(Standing.BEYOND, fault, until, best.delegation.title)
        over = now is not None and now > until
        return Membership(Standing.ENDED if over else Standing.DELEGATED, None, until, best.delegation.title)

    def attests(self, header: Header, *, now: int | None) -> bool:
        """Tell whether an attestation that names it is made in its name: lent for that, when it was signed and now."""
        until = self.until(header.author)
        return (
            not self.disputed
            and until is not None
            and (now is None or now <= until)
            and any(
                not self._is_ended(header.author, one, header.id)
                and (not one.delegation.scope.kinds or "attestation" in one.delegation.scope.kinds)
                for one in self._at(header)
            )
        )

    def may_act(self, act: Header, target: Header, said: Bulletin | None) -> bool:
        """Tell whether one key's Update or Cancel acts on what another key said, both in this organisation's name.

        `said` is what the target says: the acting key's remit has to cover it. That its delegation ends later changes
        nothing; that it is revoked does.
        """
        if not act.org == target.org == self.id or said is None or not self.covers(target):
            return False
        lent = [one.remit for one in self._at(act) if not self._is_ended(act.author, one, act.id)]
        # A bulletin has to be compared with no place where one delegation lends for every place.
        plain = [one for one in lent if one.places is None]
        return None in beyond_each(plain, said) or None in beyond_each(lent, said)

    def _at(self, header: Header) -> list[Lent]:
        return [
            one
            for one in self.lent.get(header.author, ())
            if header.org == self.id and one.delegation.not_before <= header.sent <= one.delegation.not_after
        ]

    def _is_ended(self, key: bytes, lent: Lent, item: bytes = b"") -> bool:
        return any(item not in one.good for one in self._ends(key, lent))

    def _is_wholly_ended(self, key: bytes, lent: Lent) -> bool:
        ends = self._ends(key, lent)
        return bool(ends) and not frozenset.intersection(*(one.good for one in ends))

    def _ends(self, key: bytes, lent: Lent) -> list[Ended]:
        return [one for one in self.ended.get(key, ()) if one.number >= lent.number]


def _chain(
    org: bytes, held: Iterable[SignedItem], followed: Collection[bytes]
) -> tuple[list[tuple[SignedItem, Root]], frozenset[bytes], frozenset[bytes], frozenset[bytes]]:
    """Return the roots that count, the rivals that nothing decides between, the roots that tell so, and who decided.

    Those that tell so are the root that rivals follow and two of these; who decided are branch statements.
    """
    roots = [(item, item.body) for item in held if isinstance(item.body, Root)]
    branches = [(item, item.body) for item in held if isinstance(item.body, Branch) and item.body.org == org]
    chain = [(item, root) for item, root in roots if item.id == org and root.number == 1]
    decided = set[bytes]()
    while chain:
        last_item, last = chain[-1]
        following = [one for one in roots if _follows(one[1], last_item.id, last, org)]
        if len(following) > 1:
            recovery = set(last.recovery)
            settled = [one for one in following if holding(one[1].signers, Role.RECOVERY) & recovery]
            among = {item.id for item, _ in settled or following}
            if len(settled) != 1:
                naming = [
                    (item.id, branch.chosen)
                    for item, branch in branches
                    if branch.root == last_item.id
                    and branch.chosen in among
                    and holding(branch.signers, Role.RECOVERY) & recovery
                ]
                chosen = {one for _, one in naming} or (set(followed) & among if not settled else set())
                settled = [one for one in following if one[0].id in chosen]
                decided |= {item for item, _ in naming}
            if len(settled) != 1:
                # Whoever holds enough keys of this version can make either successor: it does not count itself.
                # Who can make two rivals can make thousands: two tell of the conflict, while what they follow is here.
                telling = frozenset({last_item.id, *sorted(among)[:2]})
                return chain[:-1], frozenset(item.id for item, _ in following), telling, frozenset(decided)
            following = settled
        if not following:
            break
        chain += following
    return chain, _NO_IDS, _NO_IDS, frozenset(decided)


def _follows(root: Root, before: bytes, last: Root, org: bytes) -> bool:
    """Tell whether a root is a valid successor of the last one."""
    by_recovery = holding(root.signers, Role.RECOVERY) & set(last.recovery)
    return (
        root.org == org
        and root.prev == before
        and root.number == last.number + 1
        and root.prev_threshold == last.threshold
        and len(holding(root.signers, Role.PREDECESSOR) & set(last.keys)) >= last.threshold
        and (root.recovery == last.recovery or bool(by_recovery))
    )


def _lends(delegation: Delegation, root: Root, current: Root) -> bool:
    """Tell whether enough keys of its root signed a delegation, and enough of them are still in the present one."""
    signers = holding(delegation.signers, Role.ROOT)
    return (
        delegation.threshold == root.threshold
        and len(signers & set(root.keys)) >= root.threshold
        and len(signers & set(current.keys)) >= current.threshold
    )


def _spoken(statement: Revocation | Branch, root: Root) -> Role | None:
    """Return for whom a statement speaks: the root, if enough of its keys signed; a recovery key; or nobody."""
    signers: tuple[Signer, ...] = statement.signers
    if statement.threshold == root.threshold and len(holding(signers, Role.ROOT) & set(root.keys)) >= root.threshold:
        return Role.ROOT
    return Role.RECOVERY if holding(signers, Role.RECOVERY) & set(root.recovery) else None


def _added_up(
    found: Iterable[tuple[int, bool, SignedItem, frozenset[bytes]]],
) -> tuple[tuple[Ended, ...], frozenset[bytes]]:
    """Return what revocations of one key say, and the ids of those that are kept for it."""
    ends, kept = [], set[bytes]()
    groups = groupby(sorted(found, key=lambda entry: (entry[0], entry[1], entry[2].id)), key=lambda entry: entry[:2])
    for (number, _), group in groups:
        good, ids = agreed({item.id: good for _, _, item, good in group})
        ends.append(Ended(number, good))
        kept |= ids
    return tuple(ends), frozenset(kept)


def agreed(revocations: Mapping[bytes, frozenset[bytes]]) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return what stays good by revocations of one key and sort, by id, and the ids of those that say so.

    The lowest id, and the lowest with another `good`: two that differ leave nothing good, so a third adds nothing.
    """
    first = min(revocations)
    others = [item for item, good in revocations.items() if good != revocations[first]]
    if not others:
        return revocations[first], frozenset({first})
    return _NO_IDS, frozenset({first, min(others)})


def _named(item: SignedItem) -> frozenset[bytes]:
    """Return the keys that a root names, which may say what follows; none for what is no root."""
    return frozenset((*item.body.keys, *item.body.recovery)) if isinstance(item.body, Root) else _NO_IDS


def _places(scope: Scope, known: dict[tuple[object, ...], Places | None]) -> Places | None:
    """Return the places of a scope, one value for all of the `known` that say the same."""
    said = (scope.polygons, scope.circles, scope.geocodes)
    if said not in known:
        known[said] = Places.of(scope)
    return known[said]


def _faults(lent: Sequence[Lent], bulletin: Bulletin | None, place_in_day: int) -> list[Beyond | None]:
    """Return in which way a bulletin is outside of what each of these lends for."""
    faults = [None] * len(lent) if bulletin is None else beyond_each([one.remit for one in lent], bulletin)
    return [
        Beyond.DAILY if fault is None and daily is not None and place_in_day > daily else fault
        for fault, daily in zip(faults, (one.delegation.scope.daily for one in lent), strict=True)
    ]


def _root(item: SignedItem) -> Root:
    if not isinstance(item.body, Root):
        raise TypeError("not a root")
    return item.body
