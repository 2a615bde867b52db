"""An organisation as it is held here: what people and programs are shown of it, and what its people should mind.

Not here: the commands (cli/org.py), and what statements add up to (core.organisation).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import tzinfo
from typing import Any, Final

from meshrelay.cli import codes
from meshrelay.cli.clauses import DAY, Teller, quoted
from meshrelay.core.admission import reopen
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import digits, words
from meshrelay.core.organisation import Lent, Organisation
from meshrelay.core.statements import Branch, Delegation, Revocation, Role, Root, Scope, Statement, holding
from meshrelay.core.trust import TrustView
from meshrelay.errors import NotFound
from meshrelay.relay import Relay
from meshrelay.words.times import stamp

WARNED_AHEAD: Final = 10 * DAY
"""Seconds before the end of a delegation from which on it is warned about."""


def last(held: Organisation, relay: Relay) -> tuple[Root, bytes]:
    """Return the version that the next one follows, also where rivals exclude each other; raises NotFound."""
    if not held.disputed:
        if held.root is None:
            raise NotFound("the root of this organisation is not held here", hint="import its carry file")
        return held.root, held.roots[-1].id
    rival = reopen(relay.store.get_many(held.rivals)[min(held.rivals)]).body
    before = rival.prev if isinstance(rival, Root) else None
    data = relay.store.get_many([before]).get(before) if before is not None else None
    body = reopen(data).body if data is not None else None
    if before is None or not isinstance(body, Root):
        raise NotFound("the version before the rivals is not held here", hint="import the carry file of its root")
    return body, before


def resting_on(held: Organisation, relay: Relay) -> tuple[SignedItem, ...]:
    """Return the statements that say which keys an organisation has: its roots, and branches between them."""
    opened = map(reopen, relay.store.get_many(held.counting).values())
    found = [item for item in opened if isinstance(item.body, Root | Branch)]
    return tuple(sorted(found, key=lambda item: (_number(item), item.id)))


def _number(item: SignedItem) -> int:
    return item.body.number if isinstance(item.body, Root) else 2**53


def misplaced(trust: TrustView) -> list[str]:
    """Return the names of own keys that are root or recovery keys of an organisation known here."""
    roots = [one.root for one in trust.organisations.values() if one.root is not None]
    secret = {key for root in roots for key in (*root.keys, *root.recovery)}
    return sorted(name for key, name in trust.own.items() if key in secret)


def is_ended(key: bytes, held: Organisation, relay: Relay) -> bool:
    """Tell whether a key was revoked, by itself or by the organisation."""
    own = any(
        isinstance(item.body, Revocation) and item.body.org is None
        for item in map(reopen, relay.store.statements([key]))
    )
    return own or key in held.ended


def believed(relay: Relay, held: Organisation, key: bytes) -> frozenset[bytes]:
    """Return the items of a key, held here in the organisation's name, that it stands by."""
    said = relay.store.in_name_of(held.id, key)
    return frozenset(one.header.id for one in said if held.covers(one.header))


def lapsing_with(held: Organisation, keys: Collection[bytes], threshold: int) -> tuple[bytes, ...]:
    """Return the keys to which nothing is lent any more once these keys speak for the organisation."""
    return tuple(
        subject
        for subject, lent in sorted(held.lent.items())
        if subject not in held.ended
        and all(len(holding(one.delegation.signers, Role.ROOT) & set(keys)) < threshold for one in lent)
    )


def lapsing(held: Organisation, *, now: int, teller: Teller) -> list[str]:
    """Return a line for each key whose time ends within ten days."""
    said = []
    for key in held.lent:
        until = held.until(key)
        if until is not None and now < until <= now + WARNED_AHEAD:
            days = -(-(until - now) // DAY)
            left = f"{days} days" if days > 1 else "a day"
            said.append(f"{teller.key(key)} lapses within {left}: `meshrelay org delegate` lends it the name anew.")
    return said


def doubts(body: Statement, held: Organisation | None, relay: Relay, *, now: int, teller: Teller) -> list[str]:
    """Return why a statement that somebody is asked to sign might not count, or not be meant."""
    if isinstance(body, Root) and body.org is None:
        return []
    if held is None or not held.roots:
        return ["nothing of this organisation is held here: compare its digits before you sign"]
    said = []
    if isinstance(body, Root):
        before, before_id = last(held, relay)
        if body.prev != before_id or body.number != before.number + 1:
            said.append(f"it does not follow version {before.number}, the last one that is known here")
        said += [f"it ends what was lent to {teller.key(key)}" for key in lapsing_with(held, body.keys, body.threshold)]
    elif isinstance(body, Delegation | Revocation | Branch):
        known = {one.id for one in held.roots}
        if body.root != held.roots[-1].id and not (isinstance(body, Branch) and held.disputed):
            said.append(
                "it was made for an earlier version of the organisation"
                if body.root in known
                else "it was made for a version of the organisation that is not known here"
            )
    if isinstance(body, Delegation):
        if is_ended(body.subject, held, relay):
            said.append("that key was revoked; lending it the name has no effect")
        if body.not_after <= now:
            said.append("its time is over already")
        if held.root is not None and body.subject in held.root.keys:
            said.append("that key speaks for the organisation itself; one that signs in the field should be another")
    if isinstance(body, Revocation) and body.subject not in held.lent:
        said.append("this organisation never lent that key its name, as far as is known here")
    return said


def lines(held: Organisation, relay: Relay, *, now: int, teller: Teller) -> list[str]:
    """Return what people are shown of an organisation."""
    petname = relay.trust.petname(held.id)
    called = f"calls itself {quoted(held.name)}" if held.name else "has no name of its own"
    known = f"known here as {petname}" if petname else "not known here"
    said = [
        f"Organisation  {called}; {known}",
        f"Digits        {digits(held.id)}",
        f"In words      {words(held.id)}",
        f"In hex        {held.id.hex()}",
    ]
    if held.disputed:
        said += [
            "DISPUTED: these roots exclude each other, and nothing counts from them on:",
            *[f"  {rival.hex()}" for rival in sorted(held.rivals)],
            "Ask its people in person which one is theirs. A recovery key settles it for all: `meshrelay org branch`",
            "or `org rotate`. Where none has signed any of them, `meshrelay trust follow ROOTID` does for this relay.",
        ]
    for item in held.roots:
        root = item.body
        if isinstance(root, Root):
            current = item is held.roots[-1]
            said.append(f"Version {root.number}, {teller.time(root.sent)}{', the present one' if current else ''}")
            if current:
                said.append(f"  any {root.threshold} of these {len(root.keys)} keys speak for it:")
                said += [f"    {teller.key(key)}" for key in root.keys]
                said.append("  recovery:" if root.recovery else "  no recovery key")
                said += [f"    {teller.key(key)}" for key in root.recovery]
    for key, lent in sorted(held.lent.items()):
        said.append(f"Lent to {teller.key(key)}{_state(held, key, now)}")
        for one in sorted(lent, key=lambda one: (one.delegation.not_after, one.id)):
            titled = f"{quoted(one.delegation.title)}, " if one.delegation.title else ""
            said.append(
                f"  {titled}from {teller.time(one.delegation.not_before)} to {teller.time(one.delegation.not_after)}"
            )
            said += [f"    {line}" for line in teller.scope(one.delegation.scope)]
    for _, delegation in _without_effect(held, relay):
        said.append(f"No longer lent to {teller.key(delegation.subject)}: too few who signed it are keys of it now")
    for key, ends in sorted(held.ended.items()):
        good = frozenset.intersection(*(one.good for one in ends))
        but = f", but for {len(good)} that stay good" if good else ""
        said.append(f"Ended: {teller.key(key)}{but}")
    return said


def _state(held: Organisation, key: bytes, now: int) -> str:
    if key in held.ended:
        return " (ended)"
    until = held.until(key)
    return " (over)" if until is not None and until < now else ""


def _without_effect(held: Organisation, relay: Relay) -> Iterator[tuple[bytes, Delegation]]:
    """Yield the delegations by its keys that do not count: too few of their signers are keys of it now."""
    versions = {one.id for one in held.roots}
    for item in map(reopen, relay.store.statements(held.speakers)):
        if isinstance(item.body, Delegation) and item.body.root in versions and item.id not in held.counting:
            yield item.id, item.body


def document(held: Organisation, relay: Relay, *, now: int, tz: tzinfo) -> dict[str, Any]:
    """Return the JSON document of an organisation; it can be given away, and to `trust add` as a file."""

    def key(one: bytes) -> dict[str, Any]:
        return {**codes.named(one), "name": relay.trust.petname(one)}

    def lent(one: Lent) -> dict[str, Any]:
        body = one.delegation
        return {
            **key(body.subject),
            "id": one.id.hex(),
            "version": one.number,
            "title": body.title,
            "from": stamp(body.not_before, tz),
            "until": stamp(body.not_after, tz),
            "over": body.not_after < now,
            "ended": body.subject in held.ended,
            "lapses_soon": now <= body.not_after <= now + WARNED_AHEAD,
            "scope": _scope(body.scope),
        }

    return {
        "organisation": held.id.hex(),
        "digits": digits(held.id),
        "words": words(held.id),
        "code": codes.payload(codes.ORGANISATION, held.id),
        "name": held.name,
        "petname": relay.trust.petname(held.id),
        "disputed": held.disputed,
        "rivals": [one.hex() for one in sorted(held.rivals)],
        "roots": [
            {
                "id": item.id.hex(),
                "version": item.body.number,
                "name": item.body.name,
                "sent": stamp(item.body.sent, tz),
                "threshold": item.body.threshold,
                "keys": [key(one) for one in item.body.keys],
                "recovery": [key(one) for one in item.body.recovery],
            }
            for item in held.roots
            if isinstance(item.body, Root)
        ],
        "lent": [lent(one) for _, several in sorted(held.lent.items()) for one in several],
        "without_effect": [{**key(body.subject), "id": item.hex()} for item, body in _without_effect(held, relay)],
        "ended": [
            {**key(subject), "version": one.number, "good": [item.hex() for item in sorted(one.good)]}
            for subject, ends in sorted(held.ended.items())
            for one in ends
        ],
    }


def _scope(scope: Scope) -> dict[str, Any]:
    return {
        "polygons": [[[point.lat / 1e6, point.lon / 1e6] for point in polygon] for polygon in scope.polygons],
        "circles": [
            {"lat": one.center.lat / 1e6, "lon": one.center.lon / 1e6, "radius_m": one.radius} for one in scope.circles
        ],
        "geocodes": [list(pair) for pair in scope.geocodes],
        "categories": list(scope.categories),
        "kinds": list(scope.kinds),
        "severity": scope.severity and str(scope.severity),
        "daily": scope.daily,
    }
