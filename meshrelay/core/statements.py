"""What keys say about keys and about bulletins: roots, delegations, revocations, successors, branches, attestations.

A root says which keys are an organisation; a delegation lends its name to a key, within bounds and for a time; a
revocation ends a key; a successor names the key that comes after; a branch says which of two conflicting items counts;
an attestation says what somebody knows of a bulletin.

What an organisation says is signed by several keys. Such a payload lists its signers and in which role each signs, so
that nobody can take one away: here is checked that the roles fit and that the thresholds it claims are met, not that
the signers are who they must be. That, and what a statement leads to, is decided in organisation.py and trust.py.

Law: :func:`from_payload` of what :func:`to_payload` gives is the same statement, and nothing but InvalidItem is raised.
Source: docs/spec/statements.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from itertools import pairwise
from typing import Any, TypeAlias

from meshrelay.core import fields
from meshrelay.core.bulletin import MAX_NUMBER, Category, Circle, Point, Severity
from meshrelay.core.encoding import Value
from meshrelay.core.fields import Field, Table, listed, wrong
from meshrelay.errors import Reason

MAX_GOOD = 256
MAX_ROOT_KEYS = 16
MAX_RECOVERY_KEYS = 8
MAX_SIGNERS = 2 * MAX_ROOT_KEYS + MAX_RECOVERY_KEYS
MAX_LENT = 180 * 86400
"""A delegation lasts at most this many seconds."""
MAX_SCOPE_SHAPES = 8
MAX_SCOPE_POINTS = 64
MAX_RIVALS = 16


class Role(IntFlag):
    """For what a key signs; it may sign for several."""

    ROOT = 1
    """As one of the organisation's keys."""
    PREDECESSOR = 2
    """As one of the keys of the version before."""
    RECOVERY = 4
    """As one of the keys that settle conflicts."""


class Says(StrEnum):
    """What somebody knows of a bulletin."""

    CONFIRM = "confirm"
    """They saw it themselves."""
    DISPUTE = "dispute"
    CANNOT_CHECK = "cannot check"


class Fault(StrEnum):
    """What a dispute says is wrong."""

    FALSE = "false"
    OUTDATED = "outdated"
    MOVED = "moved"
    STAGED = "staged"


@dataclass(frozen=True, slots=True)
class Signer:
    """One of the keys that sign a statement of an organisation."""

    key: bytes
    roles: Role


@dataclass(frozen=True, slots=True)
class Root:
    """One version of an organisation: `threshold` of `keys` speak for it; `recovery` keys settle conflicts.

    Version 1 is the organisation, and its id is the organisation's; later ones name that (`org`), the version before
    (`prev`) and how many of its keys had to sign (`prev_threshold`). `name` is what it calls itself.
    """

    sent: int
    signers: tuple[Signer, ...]
    number: int
    keys: tuple[bytes, ...]
    threshold: int
    recovery: tuple[bytes, ...] = ()
    org: bytes | None = None
    prev: bytes | None = None
    prev_threshold: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a lent key may speak about; empty means anything.

    An area has to lie within one of the polygons or circles, or to have a geocode that begins with one of these;
    `severity` is the gravest allowed; `kinds` of `bulletin`, `attestation`; `daily` is bulletins a UTC day.
    """

    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()
    categories: tuple[Category, ...] = ()
    kinds: tuple[str, ...] = ()
    severity: Severity | None = None
    daily: int | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """An organisation lends its name to the key `subject`, from `not_before` to `not_after`, both included.

    `root` is the version whose keys sign, `threshold` how many of them had to; `title` says what the key is for.
    """

    sent: int
    signers: tuple[Signer, ...]
    subject: bytes
    org: bytes
    root: bytes
    threshold: int
    not_before: int
    not_after: int
    scope: Scope = Scope()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """An end to a key: `subject` is the key, `good` the full ids, ascending, of what stays good.

    By the key itself, or by an organisation that lent it its name: then `root` is the version whose keys or whose
    recovery keys sign, and `threshold` how many of the former had to.
    """

    sent: int
    subject: bytes
    good: tuple[bytes, ...] = ()
    signers: tuple[Signer, ...] = ()
    org: bytes | None = None
    root: bytes | None = None
    threshold: int | None = None


@dataclass(frozen=True, slots=True)
class Successor:
    """A key names the one that comes after it."""

    sent: int
    subject: bytes


@dataclass(frozen=True, slots=True)
class Branch:
    """Which item counts (`chosen`) where it and the `rivals` exclude each other.

    By the key whose stream is forked, or by an organisation; its recovery keys settle rival roots too.
    """

    sent: int
    chosen: bytes
    rivals: tuple[bytes, ...]
    signers: tuple[Signer, ...] = ()
    org: bytes | None = None
    root: bytes | None = None
    threshold: int | None = None


@dataclass(frozen=True, slots=True)
class Attestation:
    """What the author knows of the bulletin `target`; a `fault` goes with a dispute, and only with it."""

    sent: int
    stream: bytes
    seq: int
    target: bytes
    says: Says
    fault: Fault | None = None
    note: str = ""
    org: bytes | None = None
    prev: bytes | None = None


Statement: TypeAlias = Root | Delegation | Revocation | Successor | Branch | Attestation


def signers_of(body: object) -> tuple[Signer, ...]:
    """Return the keys that sign together, ascending; none for what one key signs."""
    return body.signers if isinstance(body, Root | Delegation | Revocation | Branch) else ()


def holding(signers: Iterable[Signer], role: Role) -> frozenset[bytes]:
    """Return the keys that sign in this role."""
    return frozenset(signer.key for signer in signers if role in signer.roles)


# Keys of the payload maps; 0 to 9 are common to all kinds (docs/spec/item.md).
_SENT, _STREAM, _SEQ, _PREV, _ORG, _SIGNERS = 2, 3, 4, 5, 7, 8

_id = fields.raw(32)
_number = fields.integer(1, MAX_NUMBER)
_few = fields.integer(1, MAX_ROOT_KEYS)
_TITLE, _NOTE = fields.text(200), fields.text(2_000)


def _signers_in(value: object, name: str) -> tuple[Signer, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_SIGNERS:
        wrong(name, f"not a list of 1 to {MAX_SIGNERS} signers")
    signers = []
    for entry in value:
        if not isinstance(entry, list) or len(entry) != 2:
            wrong(name, "not a pair of key and roles")
        signers.append(Signer(_id(entry[0], name), Role(fields.integer(1, 7)(entry[1], name))))
    _ascending([signer.key for signer in signers], name)
    return tuple(signers)


def _keys_in(most: int) -> Any:
    read = listed(_id, most=most)

    def read_keys(value: object, name: str) -> tuple[bytes, ...]:
        keys = read(value, name)
        _ascending(keys, name)
        return keys

    return read_keys


def _ascending(values: Iterable[bytes], name: str) -> None:
    if any(a >= z for a, z in pairwise(values)):
        wrong(name, "not ascending")


def _point_list(value: object, name: str, *, least: int, most: int) -> list[int]:
    if not isinstance(value, list) or len(value) % 2 or not least <= len(value) // 2 <= most:
        wrong(name, f"not {least} to {most} points", Reason.PLACE)
    fields.integers(value[::2], name, -90_000_000, 90_000_000, Reason.PLACE)
    fields.integers(value[1::2], name, -180_000_000, 180_000_000, Reason.PLACE)
    return value


def _polygon_in(value: object, name: str) -> tuple[Point, ...]:
    numbers = _point_list(value, name, least=4, most=MAX_SCOPE_POINTS)
    points = tuple(map(Point, numbers[::2], numbers[1::2]))
    if points[0] != points[-1]:
        wrong(name, "not closed", Reason.PLACE)
    return points


def _circle_in(value: object, name: str) -> Circle:
    if not isinstance(value, list) or len(value) != 3:
        wrong(name, "not latitude, longitude and radius", Reason.PLACE)
    lat, lon = _point_list(value[:2], name, least=1, most=1)
    return Circle(Point(lat, lon), fields.integer(1, 20_040_000, Reason.PLACE)(value[2], name))


def _geocode_in(value: object, name: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        wrong(name, "not a pair of name and value")
    return _TITLE(value[0], name), _TITLE(value[1], name)


def _kind_in(value: object, name: str) -> str:
    if value not in ("attestation", "bulletin"):
        wrong(name, "not a kind that can be lent")
    return str(value)


def _scope_in(value: object, name: str) -> Scope:
    scope = Scope(**_SCOPE.read(value, name))
    if scope == Scope():
        wrong(name, "says nothing; leave it out instead")
    for values in (scope.categories, scope.kinds):
        if any(a >= z for a, z in pairwise(values)):
            wrong(name, "not ascending")
    return scope


def _scope_out(scope: Scope) -> dict[int, Value]:
    return _present(
        {
            0: [[number for point in polygon for number in (point.lat, point.lon)] for polygon in scope.polygons],
            1: [[circle.center.lat, circle.center.lon, circle.radius] for circle in scope.circles],
            2: [list(pair) for pair in scope.geocodes],
            3: [str(category) for category in scope.categories],
            4: list(scope.kinds),
            5: scope.severity and str(scope.severity),
            6: scope.daily,
        }
    )


_SCOPE = Table(
    {
        0: Field("polygons", "polygon", listed(_polygon_in, most=MAX_SCOPE_SHAPES)),
        1: Field("circles", "circle", listed(_circle_in, most=MAX_SCOPE_SHAPES)),
        2: Field("geocodes", "geocode", listed(_geocode_in, most=64)),
        3: Field("categories", "category", listed(fields.word_of(Category), most=len(Category))),
        4: Field("kinds", "kind", listed(_kind_in, most=2)),
        5: Field("severity", "severity", fields.word_of(Severity)),
        6: Field("daily", "daily", fields.integer(1, 100_000)),
    }
)

_SENT_FIELD = Field("sent", "sent", fields.time, required=True)
_SUBJECT_FIELD = Field("subject", "subject", _id, required=True)
_SIGNERS_FIELD = Field("signers", "signers", _signers_in, required=True)
_ORG_FIELDS: dict[int, Field[Any]] = {
    12: Field("org", "org", _id, required=True),
    13: Field("root", "root", _id, required=True),
}

_ROOT = Table(
    {
        _SENT: _SENT_FIELD,
        _SIGNERS: _SIGNERS_FIELD,
        10: Field("number", "number", _number, required=True),
        11: Field("keys", "keys", _keys_in(MAX_ROOT_KEYS), required=True),
        12: Field("threshold", "threshold", _few, required=True),
        13: Field("recovery", "recovery", _keys_in(MAX_RECOVERY_KEYS)),
        14: Field("org", "org", _id),
        15: Field("prev", "prev", _id),
        16: Field("prev_threshold", "prev_threshold", _few),
        17: Field("name", "name", _TITLE),
    }
)
_DELEGATION = Table(
    {
        _SENT: _SENT_FIELD,
        _SIGNERS: _SIGNERS_FIELD,
        10: _SUBJECT_FIELD,
        **_ORG_FIELDS,
        14: Field("threshold", "threshold", _few, required=True),
        15: Field("not_before", "not_before", fields.time, required=True),
        16: Field("not_after", "not_after", fields.time, required=True),
        17: Field("scope", "scope", _scope_in),
        18: Field("title", "title", _TITLE),
    }
)
_GOOD = Field("good", "good", _keys_in(MAX_GOOD))
_SELF_REVOCATION = Table({_SENT: _SENT_FIELD, 10: _SUBJECT_FIELD, 11: _GOOD})
_ORG_REVOCATION = Table(
    {
        _SENT: _SENT_FIELD,
        _SIGNERS: _SIGNERS_FIELD,
        10: _SUBJECT_FIELD,
        11: _GOOD,
        **_ORG_FIELDS,
        14: Field("threshold", "threshold", _few),
    }
)
_SUCCESSOR = Table({_SENT: _SENT_FIELD, 10: _SUBJECT_FIELD})
_CHOSEN = Field("chosen", "chosen", _id, required=True)
_RIVALS = Field("rivals", "rivals", _keys_in(MAX_RIVALS), required=True)
_KEY_BRANCH = Table({_SENT: _SENT_FIELD, 10: _CHOSEN, 11: _RIVALS})
_ORG_BRANCH = Table(
    {
        _SENT: _SENT_FIELD,
        _SIGNERS: _SIGNERS_FIELD,
        10: _CHOSEN,
        11: _RIVALS,
        **_ORG_FIELDS,
        14: Field("threshold", "threshold", _few),
    }
)
_ATTESTATION = Table(
    {
        _SENT: _SENT_FIELD,
        _STREAM: Field("stream", "stream", fields.raw(8), required=True),
        _SEQ: Field("seq", "seq", _number, required=True),
        _PREV: Field("prev", "prev", _id),
        _ORG: Field("org", "org", _id),
        10: Field("target", "target", _id, required=True),
        11: Field("says", "says", fields.word_of(Says), required=True),
        12: Field("fault", "fault", fields.word_of(Fault)),
        13: Field("note", "note", _NOTE),
    }
)

ONE_SIGNER = frozenset({"revocation", "successor", "branch", "attestation"})
"""Kinds that one key can sign."""
MANY_SIGNERS = frozenset({"root", "delegation", "revocation", "branch"})
"""Kinds that an organisation says."""


def to_payload(statement: Statement) -> dict[int, Value]:
    """Return the map that is signed, without `kind` and `version`."""
    s = statement
    payload: dict[int, Value | None] = {_SENT: s.sent}
    if signers := signers_of(s):
        payload[_SIGNERS] = [[signer.key, int(signer.roles)] for signer in signers]
    match s:
        case Root():
            payload |= {10: s.number, 11: list(s.keys), 12: s.threshold, 13: list(s.recovery)}
            payload |= {14: s.org, 15: s.prev, 16: s.prev_threshold, 17: s.name}
        case Delegation():
            payload |= {10: s.subject, 12: s.org, 13: s.root, 14: s.threshold, 15: s.not_before, 16: s.not_after}
            payload |= {17: _scope_out(s.scope), 18: s.title}
        case Revocation():
            payload |= {10: s.subject, 11: list(s.good), 12: s.org, 13: s.root, 14: s.threshold}
        case Successor():
            payload |= {10: s.subject}
        case Branch():
            payload |= {10: s.chosen, 11: list(s.rivals), 12: s.org, 13: s.root, 14: s.threshold}
        case Attestation():
            payload |= {_STREAM: s.stream, _SEQ: s.seq, _PREV: s.prev, _ORG: s.org}
            payload |= {10: s.target, 11: str(s.says), 12: s.fault and str(s.fault), 13: s.note}
    return _present(payload)


def from_payload(kind: str, entries: Mapping[int, Any], *, author: bytes, many: bool) -> Statement:
    """Return the statement that a payload map stands for.

    `many` says that it came in the form that several keys sign together; `author` is the key that signed it alone.
    """
    if kind not in (MANY_SIGNERS if many else ONE_SIGNER):
        wrong("kind", f"a {kind} is signed {'by one key' if many else 'by several keys together'}", Reason.KIND)
    match kind:
        case "root":
            return _root(Root(**_ROOT.read(entries, kind)))
        case "delegation":
            return _delegation(Delegation(**_DELEGATION.read(entries, kind)))
        case "revocation" if many:
            revocation = Revocation(**_ORG_REVOCATION.read(entries, kind))
            _by_root_or_recovery(revocation)
            return revocation
        case "revocation":
            revocation = Revocation(**_SELF_REVOCATION.read(entries, kind))
            if revocation.subject != author:
                wrong("subject", "a key alone can revoke itself only")
            return revocation
        case "successor":
            successor = Successor(**_SUCCESSOR.read(entries, kind))
            if successor.subject == author:
                wrong("subject", "a key does not come after itself")
            return successor
        case "branch":
            return _branch(Branch(**(_ORG_BRANCH if many else _KEY_BRANCH).read(entries, kind)))
        case _:
            return _attestation(Attestation(**_ATTESTATION.read(entries, kind)))


def _root(root: Root) -> Root:
    first = root.number == 1
    for name, value in (("org", root.org), ("prev", root.prev), ("prev_threshold", root.prev_threshold)):
        if (value is None) != first:
            wrong(name, "the first version has none" if first else "missing")
    if root.threshold > len(root.keys):
        wrong("threshold", "more than there are keys")
    _signed_by(root.signers, Role.ROOT, root.threshold)
    if not holding(root.signers, Role.ROOT) <= set(root.keys):
        wrong("signers", "one signs as a key of this version and is none")
    if first and not holding(root.signers, Role.RECOVERY) <= set(root.recovery):
        wrong("signers", "one signs as a recovery key and is none")
    if root.prev_threshold is None:
        if holding(root.signers, Role.PREDECESSOR):
            wrong("signers", "there is no version before")
    else:
        _signed_by(root.signers, Role.PREDECESSOR, root.prev_threshold)
    return root


def _delegation(delegation: Delegation) -> Delegation:
    _signed_by(delegation.signers, Role.ROOT, delegation.threshold)
    _only(delegation.signers, Role.ROOT)
    if not delegation.not_before < delegation.not_after <= delegation.not_before + MAX_LENT:
        wrong("not_after", "not after not_before, or more than 180 days after it", Reason.TIME)
    return delegation


def _branch(branch: Branch) -> Branch:
    if branch.chosen in branch.rivals:
        wrong("rivals", "what is chosen is no rival of itself")
    if branch.signers:
        _by_root_or_recovery(branch)
    return branch


def _attestation(attestation: Attestation) -> Attestation:
    if (attestation.says is Says.DISPUTE) != (attestation.fault is not None):
        wrong("fault", "goes with a dispute, and only with it")
    if attestation.seq == 1 and attestation.prev is not None:
        wrong("prev", "the first of a stream has none")
    return attestation


def _by_root_or_recovery(statement: Revocation | Branch) -> None:
    """Check that enough keys of the root sign, as claimed, or a recovery key does."""
    _only(statement.signers, Role.ROOT | Role.RECOVERY)
    if statement.threshold is not None:
        _signed_by(statement.signers, Role.ROOT, statement.threshold)
    elif holding(statement.signers, Role.ROOT):
        wrong("threshold", "missing")


def _signed_by(signers: Iterable[Signer], role: Role, threshold: int) -> None:
    if len(holding(signers, role)) < threshold:
        wrong("signers", f"fewer than the {threshold} that it takes", Reason.SIGNATURE)


def _only(signers: Iterable[Signer], roles: Role) -> None:
    if any(signer.roles & ~roles for signer in signers):
        wrong("signers", "a role that signs nothing of this kind")


def _present(optional: Mapping[int, Value | None]) -> dict[int, Value]:
    """Leave out what is absent: there is no empty list, empty text or empty map, and no zero here."""
    return {key: value for key, value in optional.items() if value}
