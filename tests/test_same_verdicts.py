"""Two relays that hold the same items tell the same, whatever the order in which they came and went.

What each of them should tell is worked out by the core alone from the set of what it holds (tests/faults/judging.py):
so nothing that is revoked, cancelled or superseded is told as live one step after the statement arrived, either.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Category, Chain, MsgType, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Attestation, Branch, Fault, Revocation, Says, Scope
from meshrelay.core.trust import Author, Standing, Verdict
from meshrelay.listing import LIVE, Query
from meshrelay.relay import Relay
from tests.faults import judging
from tests.organising import DAY, Org, key
from tests.strategies import NOON
from tests.test_verdict_vectors import open_relay, told

FIELD, COLLEAGUE, NEIGHBOUR, THIEF, PORTER, WATCH = (
    key(name) for name in ("field", "colleague", "neighbour", "thief", "porter", "watch")
)
NOW = NOON + 3600
LOW = next(one for number in range(1000) if (one := key(f"low {number}")).public < min(k.public for k in Org().keys))
"""A key below all of the organisation's: what it signs with them is its own, by the header."""


def says(
    author: SigningKey,
    number: int,
    *acts_on: bytes,
    org: bytes | None = None,
    msg_type: MsgType = MsgType.ALERT,
    words: str = "Water",
    category: Category = Category.SAFETY,
) -> SignedItem:
    body = Bulletin(
        NOON + number,
        NOON + DAY,
        Chain(b"stream--", number),
        (Text("en", "Notice", f"{words} {number}"),),
        msg_type,
        categories=(category,),
        references=acts_on,
        org=org,
    )
    return sign(body, author)


def attests(author: SigningKey, number: int, target: bytes, what: Says, *, org: bytes | None = None) -> SignedItem:
    fault = Fault.MOVED if what is Says.DISPUTE else None
    return sign(Attestation(NOON + number, b"stream--", number, target, what, fault, org=org), author)


def world() -> list[SignedItem]:
    """Return what happens around a clinic: enough that every rule takes part."""
    org, elsewhere = Org(), Org("school")
    first = [says(FIELD, number, org=org.id) for number in (1, 2, 3)]
    plain, theirs = says(NEIGHBOUR, 1), says(THIEF, 1, org=org.id)
    fire = says(COLLEAGUE, 1, org=org.id, category=Category.FIRE)
    update = says(COLLEAGUE, 2, first[0].id, org=org.id, msg_type=MsgType.UPDATE)
    withdrawn = says(FIELD, 4, update.id, org=org.id, msg_type=MsgType.CANCEL)
    report = says(PORTER, 1, org=org.id)
    later = says(PORTER, 2, report.id, org=org.id, msg_type=MsgType.UPDATE)
    own = says(PORTER, 3)
    renamed = says(PORTER, 4, own.id, org=org.id, msg_type=MsgType.UPDATE)
    rivals = [org.successor([*org.keys[:2], key("a")]), org.successor([THIEF, key("x")])]
    items = [
        *org.roots,
        *first,
        plain,
        theirs,
        fire,
        update,
        org.delegates(FIELD.public),
        org.delegates(COLLEAGUE.public, scope=Scope(categories=(Category.SAFETY,), daily=2)),
        withdrawn,
        says(COLLEAGUE, 3, first[1].id, org=org.id, msg_type=MsgType.CANCEL),
        says(THIEF, 2, first[2].id, org=org.id, msg_type=MsgType.CANCEL),
        says(NEIGHBOUR, 2, plain.id, msg_type=MsgType.UPDATE),
        says(NEIGHBOUR, 2, plain.id, msg_type=MsgType.UPDATE, words="A twin"),
        org.revokes(COLLEAGUE.public, good=[update.id]),
        org.revokes(FIELD.public, recovery=True, good=[first[0].id, first[2].id, withdrawn.id]),
        sign(Revocation(NOON + 50, THIEF.public), THIEF),
        report,
        later,
        own,
        renamed,
        says(WATCH, 2, renamed.id, org=org.id, msg_type=MsgType.CANCEL),
        org.delegates(PORTER.public),
        org.delegates(WATCH.public),
        says(WATCH, 1, later.id, org=org.id, msg_type=MsgType.CANCEL),
        attests(NEIGHBOUR, 7, first[0].id, Says.CONFIRM),
        org.delegates(THIEF.public, by=[*org.keys[:2], LOW]),
        *elsewhere.roots,
        elsewhere.revokes(NEIGHBOUR.public),
        attests(NEIGHBOUR, 8, first[1].id, Says.CONFIRM, org=elsewhere.id),
        attests(THIEF, 8, first[0].id, Says.DISPUTE),
        attests(COLLEAGUE, 9, plain.id, Says.DISPUTE, org=org.id),
        *rivals,
        org.chooses(rivals[0].id, rivals[1].id, recovery=True),
    ]
    twins = [item for item in items if item.author == NEIGHBOUR.public and item.header.seq == 2]
    items.append(sign(Branch(NOON + 60, twins[0].id, (twins[1].id,)), NEIGHBOUR))
    return items


WORLD = world()
BULLETINS = [item for item in WORLD if isinstance(item.body, Bulletin)]
CHOICE = st.integers(0, len(WORLD) - 1)
SCENE = {"anchors": {Org().id.hex(): "The clinic", NEIGHBOUR.public.hex(): "Next door"}, "now": NOW}


class TwoRelays(RuleBasedStateMachine):
    """Items come to either relay in any order; sometimes one is lost, as damage or want of room would have it."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.relays = [
            open_relay(Path(self.folder.name) / str(number), {**SCENE, "blocked": [], "followed": []})
            for number in range(2)
        ]
        self.held: list[dict[bytes, SignedItem]] = [{}, {}]

    @rule(relay=st.integers(0, 1), items=st.lists(CHOICE, min_size=1, max_size=6))
    def some_come(self, relay: int, items: list[int]) -> None:
        chosen = [WORLD[item] for item in items]
        self.relays[relay].receive_many([item.data for item in chosen], now=NOW)
        self.held[relay].update((item.id, item) for item in chosen)

    @rule(relay=st.integers(0, 1), item=CHOICE)
    def one_is_lost(self, relay: int, item: int) -> None:
        self.relays[relay].store.remove([WORLD[item].id])
        self.relays[relay].refresh()
        self.held[relay].pop(WORLD[item].id, None)

    @invariant()
    def each_tells_what_follows_from_what_it_holds(self) -> None:
        for relay, held in zip(self.relays, self.held, strict=True):
            tells_what_follows(relay, list(held.values()))

    def teardown(self) -> None:
        for relay, held in zip(self.relays, self.held, strict=True):
            relay.receive_many([item.data for item in WORLD if item.id not in held], now=NOW)
        here, there = (
            {item.id: told(relay.bulletin(item.id, Clock(NOW)).verdict) for item in BULLETINS} for relay in self.relays
        )
        assert here == there
        for relay in self.relays:
            relay.close()
        self.folder.cleanup()


def tells_what_follows(relay: Relay, held: list[SignedItem], scene: dict[str, Any] = SCENE) -> None:
    trust = judging.view({**scene, "blocked": [], "followed": []}, held)
    for item in held:
        if isinstance(item.body, Bulletin):
            assert told(relay.bulletin(item.id, Clock(NOW)).verdict) == judging.told(item, held, trust, NOW)
    lists_tell_the_same(relay, held)


def lists_tell_the_same(relay: Relay, held: list[SignedItem]) -> None:
    """Whatever else is on a page, a bulletin's verdict is the one that it has alone; and live lists lack none."""
    alone = {item.id: relay.bulletin(item.id, Clock(NOW)).verdict for item in held if isinstance(item.body, Bulletin)}
    live = {item: one for item, one in alone.items() if one.standing in LIVE}
    assert walked(relay, Query(standings=frozenset(), cancels=True, limit=6)) == alone
    assert walked(relay, Query(cancels=True, limit=6)) == live


def walked(relay: Relay, query: Query) -> dict[bytes, Verdict]:
    """Return the verdicts of a whole list, page by page."""
    found = dict[bytes, Verdict]()
    while True:
        listing = relay.bulletins(query, Clock(NOW))
        found.update((one.header.id, one.verdict) for one in listing.shown)
        if listing.next is None:
            return found
        query = dataclasses.replace(query, after=listing.next)


def lone_relay(folder: Path, anchors: dict[bytes, str], items: Iterable[SignedItem]) -> Relay:
    scene = {"anchors": {key.hex(): name for key, name in anchors.items()}, "blocked": [], "followed": [], "now": NOW}
    relay = open_relay(folder, scene)
    relay.receive_many([item.data for item in items], now=NOW)
    return relay


@pytest.mark.parametrize("beside", [False, True])
def test_a_colleagues_cancel_of_an_authors_own_update_counts_whatever_else_is_on_the_page(
    tmp_path: Path, beside: bool
) -> None:
    org = Org()
    alert = says(FIELD, 1, org=org.id)
    update = says(FIELD, 2, alert.id, org=org.id, msg_type=MsgType.UPDATE)
    cancel = says(COLLEAGUE, 1, update.id, org=org.id, msg_type=MsgType.CANCEL)
    held = [*org.roots, org.delegates(FIELD.public), org.delegates(COLLEAGUE.public), alert, update, cancel]
    relay = lone_relay(tmp_path, {org.id: "The clinic"}, [*held, *([says(THIEF, 1)] if beside else [])])
    assert relay.bulletin(alert.id, Clock(NOW)).verdict.standing is Standing.CANCELLED
    found = walked(relay, Query(standings=frozenset()))
    assert found[alert.id].standing is found[update.id].standing is Standing.CANCELLED
    relay.close()


@pytest.mark.parametrize("anchored", [True, False])
def test_what_an_organisation_says_counts_whoever_signed_it_too(tmp_path: Path, anchored: bool) -> None:
    org = Org()
    bulletin, other = says(FIELD, 1, org=org.id), says(PORTER, 1, org=org.id)
    scene = {**SCENE, "anchors": {org.id.hex(): "The clinic"} if anchored else {}}
    with_low = [*org.keys[:2], LOW]
    held = [*org.roots, org.delegates(FIELD.public), org.delegates(PORTER.public, by=with_low), bulletin, other]
    relay = lone_relay(tmp_path, {org.id: "The clinic"} if anchored else {}, held)
    tells_what_follows(relay, held, scene)
    held.append(org.revokes(FIELD.public, by=with_low))
    assert held[-1].author == LOW.public
    relay.receive(held[-1].data, now=NOW)
    assert relay.bulletin(bulletin.id, Clock(NOW)).verdict.author is Author.REVOKED
    tells_what_follows(relay, held, scene)
    keys = [*org.keys[:2], key("new")]
    held.append(org.successor(keys, by=with_low))
    assert held[-1].author == LOW.public
    relay.receive(held[-1].data, now=NOW)
    org.roots, org.keys = [*org.roots, held[-1]], keys
    held.append(org.revokes(PORTER.public))
    relay.receive(held[-1].data, now=NOW)
    assert relay.bulletin(other.id, Clock(NOW)).verdict.author is Author.REVOKED
    tells_what_follows(relay, held, scene)
    relay.close()


def test_a_colleagues_cancel_counts_where_the_update_alone_names_the_organisation(tmp_path: Path) -> None:
    org, other = Org(), Org("school")
    alert = says(FIELD, 1)
    update = says(FIELD, 2, alert.id, org=org.id, msg_type=MsgType.UPDATE)
    again = says(COLLEAGUE, 1, update.id, org=org.id, msg_type=MsgType.UPDATE)
    onwards = says(COLLEAGUE, 2, again.id, org=other.id, msg_type=MsgType.UPDATE)
    cancel = says(PORTER, 1, onwards.id, org=other.id, msg_type=MsgType.CANCEL)
    lent = [
        *map(org.delegates, (FIELD.public, COLLEAGUE.public)),
        *map(other.delegates, (COLLEAGUE.public, PORTER.public)),
    ]
    held = [*org.roots, *other.roots, *lent, alert, update, again, onwards]
    relay = lone_relay(tmp_path, {}, held)
    assert len(relay.bulletin(alert.id, Clock(NOW)).verdict.by) == 3
    relay.receive(cancel.data, now=NOW)
    tells_what_follows(relay, [*held, cancel], {**SCENE, "anchors": {}})
    assert relay.bulletin(alert.id, Clock(NOW)).verdict.standing is Standing.CANCELLED
    relay.close()


@pytest.mark.parametrize("beside", [False, True])
def test_an_organisation_that_only_a_confirmation_names_can_take_it_back(tmp_path: Path, beside: bool) -> None:
    org = Org()
    plain = says(THIEF, 1)
    confirmation = attests(NEIGHBOUR, 1, plain.id, Says.CONFIRM, org=org.id)
    held = [*org.roots, org.delegates(NEIGHBOUR.public), plain, confirmation]
    relay = lone_relay(
        tmp_path, {NEIGHBOUR.public: "Next door"}, [*held, *([says(PORTER, 1, org=org.id)] if beside else [])]
    )
    assert len(relay.bulletin(plain.id, Clock(NOW)).verdict.words) == 1
    relay.receive(org.revokes(NEIGHBOUR.public).data, now=NOW)
    assert relay.bulletin(plain.id, Clock(NOW)).verdict.words == ()
    assert walked(relay, Query())[plain.id].words == ()
    relay.close()


TestTwoRelays = TwoRelays.TestCase
TestTwoRelays.settings = settings(max_examples=12, stateful_step_count=12, deadline=None)


def test_everything_together_tells_a_whole_story() -> None:
    trust = judging.view({**SCENE, "blocked": [], "followed": []}, WORLD)
    found = [judging.told(item, WORLD, trust, NOW) for item in BULLETINS]
    assert {one["author"] for one in found} >= {"delegated", "revoked", "anchored", "forked"}
    assert {one["standing"] for one in found} >= {"live", "superseded", "cancelled"}
