"""What an anchored organisation says reaches a whole relay and stays there, whatever others send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.quota import Source, Way
from meshrelay.core.statements import Successor
from meshrelay.core.trust import Author
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
