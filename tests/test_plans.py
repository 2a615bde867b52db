"""What is planned is published once, however it is cut short, and never when it would be over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.core.bulletin import UNSIGNED, Bulletin, Text
from meshrelay.core.clock import Clock
from meshrelay.errors import NotFound, Refusal
from meshrelay.keyring import Keyring
from meshrelay.listing import Query
from meshrelay.local import Local
from meshrelay.relay import TRY_AGAIN, Relay
from meshrelay.store import Store

NOON = 1_931_504_760
HOUR = 3600


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    found = Relay(Store.open(tmp_path / "store.db"), Local.open(tmp_path / "local.db"), Keyring(tmp_path / "keys"))
    found.keyring.new("me", now=NOON)
    found.refresh()
    yield found
    found.close()


def draft(headline: str = "Water", *, life: int = 8 * HOUR) -> Bulletin:
    return Bulletin(NOON, NOON + life, UNSIGNED, (Text("en", "Notice", headline),))


def published(relay: Relay, now: int = NOON + HOUR) -> list[tuple[str, int]]:
    shown = relay.bulletins(Query(newest_first=True), Clock(now)).shown
    return [(one.bulletin.texts[0].headline, one.header.seq or 0) for one in shown]


def test_it_is_signed_at_its_time_and_not_before(relay: Relay) -> None:
    relay.plan(draft(), "me", due=NOON + HOUR)
    assert relay.publish_due(now=NOON + HOUR - 1, back_until=0) == ()
    (one,) = relay.publish_due(now=NOON + HOUR + 5, back_until=0)
    assert one.item is not None
    shown = relay.bulletin(one.item, Clock(NOON + HOUR + 5))
    assert (shown.header.sent, shown.bulletin.expires) == (NOON + HOUR + 5, NOON + 8 * HOUR)
    assert relay.local.planned() == ()
    assert relay.publish_due(now=NOON + 2 * HOUR, back_until=0) == ()


def test_one_that_was_stored_before_a_power_cut_is_not_published_again(relay: Relay) -> None:
    number = relay.plan(draft(), "me", due=NOON)
    item = relay.publish(draft(), "me", now=NOON, planned=number)  # and cut short before the plan is struck
    (one,) = relay.publish_due(now=NOON + 1, back_until=0)
    assert one.item == item.id
    assert published(relay) == [("Water", 1)]
    assert relay.local.planned() == ()


def test_one_that_was_signed_and_not_stored_is_published_under_another_number(relay: Relay) -> None:
    number = relay.plan(draft(), "me", due=NOON)
    with relay.keyring.signing("me") as signer:
        signer.take(signer.next_number())
    relay.local.note_signed(number, bytes(32))
    relay.publish_due(now=NOON + 1, back_until=0)
    assert published(relay) == [("Water", 2)]


def test_what_would_be_over_is_struck(relay: Relay) -> None:
    relay.plan(draft(), "me", due=NOON)
    (one,) = relay.publish_due(now=NOON + 8 * HOUR, back_until=0)
    assert "over" in one.trouble
    assert relay.local.planned() == ()
    assert relay.store.usage().items == 0


def test_what_cannot_be_published_is_tried_again(relay: Relay, tmp_path: Path) -> None:
    relay.plan(draft(), "me", due=NOON)
    relay.plan(draft("Bread"), "me", due=NOON)
    key = tmp_path / "keys" / "me.key"
    kept = key.read_bytes()
    key.write_text("{}")
    assert [one.item for one in relay.publish_due(now=NOON, back_until=0)] == [None, None]
    assert all("damaged" in one.trouble for one in relay.local.planned())
    key.write_bytes(kept)
    assert relay.publish_due(now=NOON + TRY_AGAIN - 1, back_until=0) == ()
    assert len(relay.publish_due(now=NOON + TRY_AGAIN, back_until=0)) == 2
    assert sorted(published(relay)) == [("Bread", 2), ("Water", 1)]


def test_the_source_of_a_plan_is_hidden_when_that_was_asked(relay: Relay) -> None:
    relay.plan(draft(), "me", due=NOON, hide_source=True)
    relay.plan(draft("Bread"), "me", due=NOON)
    first, second = relay.publish_due(now=NOON, back_until=NOON + 99)
    assert relay.kept_back == {first.item: NOON + 99}
    assert second.item not in relay.kept_back


def test_what_could_never_be_signed_is_not_planned(relay: Relay) -> None:
    with pytest.raises(Refusal):
        relay.plan(draft(life=-HOUR), "me", due=NOON)
    with pytest.raises(Refusal):
        relay.plan(draft(life=200 * 24 * HOUR), "me", due=NOON)
    with pytest.raises(NotFound):
        relay.plan(draft(), "nobody", due=NOON)
    assert relay.local.planned() == ()
