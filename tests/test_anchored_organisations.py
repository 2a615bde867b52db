"""What an anchored organisation says reaches a whole relay and stays there, whatever others send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.clock import BUILT, SINGLE_LIFT, Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.quota import Source, Way
from meshrelay.core.statements import Revocation, Successor
from meshrelay.core.trust import Author
from meshrelay.peers.wire import pack_summaries, unpack_summaries
from meshrelay.relay import Outcome, Receipt, Relay
from tests.organising import DAY, Org, key
from tests.strategies import NOON
from tests.test_verdict_vectors import open_relay

NOW = NOON + 3600
FIELD = key("field")


@pytest.fixture
def anchoring(tmp_path: Path) -> Iterator[Callable[..., Relay]]:
    relays = list[Relay]()

    def make(*keys: bytes) -> Relay:
        scene = {"anchors": {one.hex(): "known here" for one in keys}, "now": NOW, "blocked": [], "followed": []}
        relays.append(open_relay(tmp_path / str(len(relays)), scene))
        return relays[-1]

    yield make
    for relay in relays:
        relay.close()


def says(author: SigningKey, number: int = 1, *, org: bytes | None = None, sent: int = NOON) -> SignedItem:
    body = Bulletin(sent, sent + DAY, Chain(b"stream--", number), (Text("en", "Notice", f"Water {number}"),), org=org)
    return sign(body, author)


def receive(relay: Relay, items: Sequence[SignedItem], *, now: int = NOW) -> list[str]:
    """Return what became of them: the outcome, or why they were declined."""
    source = Source(Way.CALLED, "192.0.2.9")
    answers = relay.receive_many([item.data for item in items], now=now, source=source)
    return [one.reason or str(one.outcome) for one in answers if isinstance(one, Receipt)]


def author(relay: Relay, item: SignedItem, *, now: int = NOW) -> Author:
    return relay.bulletin(item.id, Clock(now)).verdict.author


def test_whoever_holds_one_retired_key_cannot_push_out_the_version_that_is_disputed(
    anchoring: Callable[..., Relay],
) -> None:
    org = Org()
    retired = {one.public: one for one in org.keys[:2]}
    lent = org.delegates(FIELD.public)
    second = org.rotate([org.keys[2], key("new"), key("newer")])
    rivals = [org.successor([*org.keys[:2], key(name)]) for name in "ab"]
    relay, said = anchoring(org.id), says(FIELD, org=org.id)
    assert set(receive(relay, [*org.roots, *rivals, lent, said])) == {Outcome.NEW}
    assert author(relay, said) is Author.DISPUTED_ORGANISATION
    relay.keep_house(Clock(NOW), heard=relay.heard)
    thief = retired[second.author]
    flood = [sign(Successor(NOON + turn, key(f"next {turn}").public), thief) for turn in range(210)]
    for start in range(0, len(flood), 30):
        receive(relay, flood[start : start + 30])
    assert len(relay.store.headers([one.id for one in flood])) <= 200, "the key's share is used up"
    assert relay.store.headers([second.id, *(one.id for one in rivals)]).keys() == {second.id, *(r.id for r in rivals)}
    relay.refresh()
    assert author(relay, said) is Author.DISPUTED_ORGANISATION


# What is dated ahead

YEAR = 366 * DAY


def test_a_revocation_by_an_organisation_stands_however_far_ahead_it_is_dated(anchoring: Callable[..., Relay]) -> None:
    org = Org()
    relay, said = anchoring(org.id), says(FIELD, org=org.id)
    receive(relay, [*org.roots, org.delegates(FIELD.public), said])
    assert author(relay, said) is Author.DELEGATED
    heard, trusted = relay.heard, relay.trust.known
    assert receive(relay, [org.revokes(FIELD.public, sent=NOW + YEAR)]) == [Outcome.NEW]
    assert author(relay, said) is Author.REVOKED
    assert trusted - relay.trust.known == {FIELD.public}
    relay.keep_house(Clock(NOW), heard=relay.heard)
    assert heard == (NOON,)
    assert relay.heard == (), "and nothing that is dated ahead tells the time"


def test_a_key_that_speaks_for_an_organisation_can_end_itself_with_a_clock_that_is_ahead(
    anchoring: Callable[..., Relay],
) -> None:
    org = Org()
    relay, said = anchoring(org.id), says(FIELD, org=org.id)
    lent = org.delegates(FIELD.public)
    assert receive(relay, [*org.roots, lent, said, sign(Revocation(NOW + YEAR, FIELD.public), FIELD)]) == [
        *[Outcome.NEW] * 4
    ]
    assert author(relay, said) is Author.REVOKED


@pytest.mark.parametrize("together", [True, False])
def test_a_relay_whose_clock_is_a_year_behind_hears_an_organisation_it_knows(
    anchoring: Callable[..., Relay], together: bool
) -> None:
    org, late = Org(), NOW - YEAR - DAY
    relay, said = anchoring(org.id), says(FIELD, org=org.id)
    items = [*org.roots, org.delegates(FIELD.public), said]
    if together:
        assert receive(relay, items[::-1], now=late) == [Outcome.NEW] * 3
    else:
        assert [receive(relay, [item], now=late) for item in items] == [[Outcome.NEW]] * 3
    relay.listen()
    assert relay.heard == (NOON,)


def test_one_organisation_alone_lifts_the_clock_no_further_than_one_sender_does(
    anchoring: Callable[..., Relay],
) -> None:
    org, now = Org(sent=BUILT + 3 * YEAR), BUILT + DAY
    ahead = BUILT + 3 * YEAR
    lent = org.delegates(FIELD.public, start=ahead, end=ahead + 30 * DAY, sent=ahead)
    relay = anchoring(org.id)
    assert receive(relay, [*org.roots, lent], now=now) == [Outcome.NEW] * 2
    relay.listen()
    assert relay.clock(now, synchronised=False) == Clock(now), "no statement moves a clock"
    assert receive(relay, [says(FIELD, org=org.id, sent=ahead)], now=now) == [Outcome.NEW]
    relay.listen()
    assert relay.clock(now, synchronised=False).now == now + SINGLE_LIFT


def test_what_strangers_date_ahead_stays_out_also_beside_what_matters(anchoring: Callable[..., Relay]) -> None:
    org, other, stranger = Org(), Org("other"), key("stranger")
    relay = anchoring(org.id)
    ahead = NOW + YEAR
    items = [
        *org.roots,
        org.delegates(FIELD.public, sent=ahead),
        sign(Revocation(ahead, stranger.public), stranger),
        sign(Successor(ahead, FIELD.public), stranger),
        says(stranger, org=org.id, sent=ahead),
        other.delegates(stranger.public, org=org.id, root=org.id, sent=ahead),
        Org("third", sent=ahead).roots[0],
    ]
    assert receive(relay, items) == [Outcome.NEW] * 2 + ["time"] * 5


def test_a_statement_that_is_offered_is_not_declined_for_its_time(anchoring: Callable[..., Relay]) -> None:
    """A peer's claim has no more than half the id, and what a statement rests on may come with it."""
    org, late = Org(), NOW - YEAR - DAY
    statements = [*org.roots, org.delegates(FIELD.public), org.revokes(key("other").public)]
    bulletins = [says(FIELD, org=org.id), says(key("stranger"))]
    relay = anchoring(org.id)

    def declined(relay: Relay) -> list[str]:
        claims = unpack_summaries(pack_summaries([item.header for item in (*statements, *bulletins)]), keys)
        return [relay.declines(one, now=late, doubtful=False) for one in claims if one is not None]

    keys = [item.header.key for item in (*statements, *bulletins)]
    assert declined(anchoring()) == ["time"] * 5, "nothing of that could be in the name of anybody known"
    assert declined(relay) == ["", "", "", "time", "time"]
    receive(relay, statements, now=late)
    assert declined(relay) == ["", "", "", "", "time"], "a lent key's bulletin is taken once its delegation is here"
