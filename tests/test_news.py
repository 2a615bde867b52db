"""How far the news of a known sender reaches: when it was last heard from, and what of it never came."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.belief import News
from meshrelay.core.admission import sign
from meshrelay.core.bulletin import MAX_LIVE, Bulletin, Chain, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.statements import Attestation, Says
from meshrelay.core.trust import Anchor, How
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.organising import DAY, Org, key
from tests.strategies import NOON

CLINIC, STRANGER, COLLEAGUE = key("clinic"), key("stranger"), key("colleague")
STREAM = b"stream--"


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    """Return a relay that knows the clinic's key."""
    made = Relay(
        Store.open(tmp_path / "store.db"), Local.open(tmp_path / "local.db"), Keyring(tmp_path / "keys"), keeper=True
    )
    made.local.add_anchor(Anchor(CLINIC.public, "Clinic", NOON - DAY, How.DIGITS))
    made.refresh()
    yield made
    made.close()


def notice(seq: int, *live: int, author: object = CLINIC, org: bytes | None = None, size: int = 10) -> SignedItem:
    chain = Chain(STREAM, seq, None, live)
    assert isinstance(author, type(CLINIC))
    text = Text("en", "Notice", f"Notice {seq}", description="x" * size)
    return sign(Bulletin(NOON + seq, NOON + DAY, chain, texts=(text,), org=org), author)


def missing(relay: Relay, item: SignedItem) -> frozenset[int] | None:
    found = relay.bulletin(item.id, Clock(NOON + 100)).news
    return None if found is None else found.missing


def test_numbers_that_held_when_the_newest_was_signed_and_never_came_are_missing(relay: Relay) -> None:
    first, second, fourth = notice(1), notice(2, 1), notice(4, 1, 2, 3)
    relay.store.put_many([first, fourth], received=NOON)
    assert missing(relay, first) == missing(relay, fourth) == {2, 3}
    relay.store.put_many([second], received=NOON)
    assert missing(relay, fourth) == {3}


def test_a_gap_among_numbers_that_no_longer_held_is_none(relay: Relay) -> None:
    newest = notice(9, 1)
    relay.store.put_many([notice(1), newest], received=NOON)
    assert missing(relay, newest) == frozenset()


def test_of_a_sender_that_nobody_knows_nothing_is_said(relay: Relay) -> None:
    item = notice(4, 1, 2, author=STRANGER)
    relay.store.put_many([item], received=NOON)
    assert missing(relay, item) is None


def test_what_this_relay_let_go_of_or_dropped_is_not_missing(relay: Relay) -> None:
    items = [notice(1), notice(2, 1), notice(3, 1, 2), notice(4, 1, 2, 3)]
    relay.store.put_many(items, received=NOON)
    relay.store.let_go([items[0].header])
    relay.hide(items[1].id, now=NOON, drop=True)
    assert missing(relay, items[3]) == frozenset()
    relay.store.put_many(items[:1], received=NOON)
    assert missing(relay, items[3]) == frozenset()


def test_what_this_relay_had_no_room_for_is_not_missing(tmp_path: Path) -> None:
    relay = Relay(
        Store.open(tmp_path / "store.db", max_bytes=400_000), Local.open(tmp_path / "local.db"), Keyring(tmp_path / "k")
    )
    relay.local.add_anchor(Anchor(CLINIC.public, "Clinic", NOON - DAY, How.DIGITS))
    relay.refresh()
    newest = notice(40, *range(1, 40))
    relay.receive(newest.data, now=NOON + 50)
    answers = relay.receive_many([notice(seq, size=15_000).data for seq in range(1, 40)], now=NOON + 50)
    declined = [answer for answer in answers if getattr(answer, "reason", "") == "room"]
    assert declined, "the store was to be too small"
    assert missing(relay, newest) == frozenset()
    relay.close()


def test_what_was_damaged_and_is_gone_is_missing_until_it_comes_again(relay: Relay) -> None:
    first, newest = notice(1), notice(2, 1)
    relay.store.put_many([first, newest], received=NOON)
    with relay.store._writing() as db:
        db.execute("UPDATE envelopes SET data = x'00' WHERE n = 1")
    assert relay.store.get_many([first.id]) == {}
    assert missing(relay, newest) == {1}


def test_of_one_author_no_more_numbers_are_remembered_than_a_bulletin_lists(relay: Relay) -> None:
    items = [notice(seq) for seq in range(1, 3 * MAX_LIVE)]
    relay.store.put_many([*items, notice(900)], received=NOON)
    for item in items:
        relay.store.remove([item.id])
    numbers = range(1, 3 * MAX_LIVE)
    assert relay.store.lacking(CLINIC.public, STREAM, numbers) == set(numbers[:-MAX_LIVE])
    relay.store.remove([notice(900).id])
    relay.store.put_many([notice(901)], received=NOON)
    assert relay.store.lacking(CLINIC.public, STREAM, numbers) == set(numbers), "it goes with the last of its author"


def test_a_sender_was_last_heard_from_when_the_newest_of_it_was_signed(relay: Relay) -> None:
    item = notice(1)
    relay.store.put_many([item], received=NOON)
    word = sign(Attestation(NOON + 70, STREAM, 2, bytes(32), Says.CONFIRM), CLINIC)
    assert relay.bulletin(item.id, Clock(NOON + 100)).news == News(NOON + 1)
    relay.store.put_many([word], received=NOON)
    assert relay.bulletin(item.id, Clock(NOON + 100)).news == News(NOON + 70)


def test_the_last_of_several_words_of_one_second_is_the_newest(relay: Relay) -> None:
    item = notice(1)
    relay.store.put_many([item], received=NOON)
    relay.keyring.new("me", now=NOON)
    relay.refresh()
    for _ in range(8):
        for says in (Says.CONFIRM, Says.CANNOT_CHECK):
            relay.attest(item.id, "me", says, now=NOON + 50)
            (word,) = relay.bulletin(item.id, Clock(NOON + 100)).verdict.words
            assert word.says is says


def test_an_organisation_was_heard_from_when_any_of_its_keys_was(relay: Relay) -> None:
    org = Org()
    lent = [org.delegates(one.public) for one in (STRANGER, COLLEAGUE)]
    relay.store.put_many([*org.roots, *lent], received=NOON)
    relay.local.add_anchor(Anchor(org.id, "Clinic on the hill", NOON - DAY, How.DIGITS))
    relay.refresh()
    item, later = notice(1, author=STRANGER, org=org.id), notice(60, author=COLLEAGUE, org=org.id)
    relay.store.put_many([item, later], received=NOON)
    assert relay.bulletin(item.id, Clock(NOON + 100)).news == News(NOON + 60)
