"""The index follows the store, and the view of one peer follows what was declined and refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.reconcile import Found, Keys
from meshrelay.index import Index, PeerView
from meshrelay.store import Change
from tests.reconciling import made_keys, reconciled

KEYS = made_keys(30, seed=1)
changes = st.lists(st.builds(lambda key, gone: Change(key, key[8:] * 2, gone), st.sampled_from(KEYS), st.booleans()))


def came(*keys: bytes) -> list[Change]:
    return [Change(key, key[8:] * 2, gone=False) for key in keys]


@settings(max_examples=150, deadline=None)
@given(st.sets(st.sampled_from(KEYS)), changes, st.integers(0, 30))
def test_changes_are_followed_in_order_and_twice_does_no_harm(held: set[bytes], rows: list[Change], again: int) -> None:
    model = set(held)
    for row in rows:
        model = model - {row.key} if row.gone else model | {row.key}
    index = Index(Keys.of(held).buffer)
    index.apply(rows)
    assert list(index.keys) == sorted(model)
    index.apply(rows[-again:])
    assert list(index.keys) == sorted(model)


def test_a_reader_keeps_the_keys_it_has() -> None:
    index = Index(Keys.of(KEYS).buffer)
    before = index.keys
    index.apply([Change(KEYS[0], b"", gone=True)])
    assert KEYS[0] in before
    assert KEYS[0] not in index.keys


def test_replacing_forgets_what_was_there_and_takes_two_of_one_key_as_one() -> None:
    index = Index(Keys.of(KEYS).buffer)
    index.replace(min(KEYS) * 2)
    assert list(index.keys) == [min(KEYS)]


def test_a_buffer_that_is_cut_off_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="key"):
        Index(KEYS[0][:-1])


@dataclass(slots=True)
class Station:
    """A relay that holds keys and meets one other; `wants` says what it takes."""

    index: Index
    view: PeerView
    wants: frozenset[bytes]

    @classmethod
    def holding(cls, keys: list[bytes], *, wants: list[bytes] | None = None) -> Station:
        return cls(Index(Keys.of(keys).buffer), PeerView(), frozenset(keys if wants is None else wants))


def meet(mine: Station, theirs: Station) -> int:
    """Reconcile and transfer as an exchange does; return the rounds it took."""
    done = reconciled(mine.view.keys(mine.index.keys), theirs.index.keys)
    found = mine.view.sort_out(Found(tuple(done.work.have), tuple(done.work.need)), mine.index.keys)
    mine.view.decline(key for key in found.need if key not in mine.wants)
    mine.view.refuse(key for key in found.have if key not in theirs.wants)
    mine.index.apply(came(*(key for key in found.need if key in mine.wants)))
    theirs.index.apply(came(*(key for key in found.have if key in theirs.wants)))
    return done.work.rounds


def test_relays_that_differ_for_ever_by_ten_thousand_settle_in_one_round_from_the_second_exchange_on() -> None:
    common, ours, yours = (made_keys(count, seed=count) for count in (20_000, 5_001, 4_999))
    one, other = Station.holding(common + ours), Station.holding(common + yours)
    assert meet(one, other) > 1
    assert meet(one, other) == 1
    assert len(one.index.keys) == 25_001
    view = one.view.keys(one.index.keys)
    assert view == other.index.keys
    assert reconciled(view, other.index.keys).total <= 1_200


def test_news_still_pass_between_relays_that_differ_for_ever() -> None:
    common, ours, yours = (made_keys(count, seed=count) for count in (2_000, 300, 200))
    news = made_keys(10, seed=9)
    one, other = (Station.holding(common + own, wants=common + own + news) for own in (ours, yours))
    meet(one, other)
    one.index.apply(came(*news[:5]))
    other.index.apply(came(*news[5:]))
    meet(one, other)
    assert set(news) <= set(one.index.keys)
    assert set(news) <= set(other.index.keys)
    assert meet(one, other) == 1


def test_what_was_declined_comes_up_again_once_it_could_get_in() -> None:
    wanted = made_keys(5, seed=3)
    one, other = Station.holding([]), Station.holding(wanted)
    meet(one, other)
    assert list(one.index.keys) == []
    one.wants = frozenset(wanted)
    meet(one, other)
    assert list(one.index.keys) == []
    one.view.reconsider()
    meet(one, other)
    assert set(one.index.keys) == set(wanted)


def test_a_view_is_made_once_until_it_or_the_index_changes() -> None:
    index, view = Index(Keys.of(KEYS).buffer), PeerView()
    view.refuse(KEYS[:3])
    made = view.keys(index.keys)
    assert list(made) == sorted(KEYS[3:])
    view.refuse(KEYS[:3])
    view.decline([])
    assert view.sort_out(Found((KEYS[9],), (KEYS[9],)), index.keys) == Found((KEYS[9],), ())
    assert view.keys(index.keys) is made
    view.refuse(KEYS[3:4])
    assert list(view.keys(index.keys)) == sorted(KEYS[4:])
    index.apply([Change(KEYS[5], b"", gone=True)])
    assert KEYS[5] not in view.keys(index.keys)


def test_the_view_forgets_what_the_peer_shows_to_be_outdated() -> None:
    view, held = PeerView(), Keys.of(KEYS[:10])
    view.decline([KEYS[20], KEYS[21]])
    view.refuse([KEYS[1], KEYS[2]])
    # The peer has lost 20, and has got 1 from someone else by now; 5 and 25 are true differences.
    found = view.sort_out(Found((KEYS[20], KEYS[5]), (KEYS[1], KEYS[25])), held)
    assert found == Found((KEYS[5],), (KEYS[25],))
    assert set(view.keys(held)) == (set(held) | {KEYS[21]}) - {KEYS[2]}


def test_the_last_word_on_a_key_counts() -> None:
    view = PeerView()
    view.refuse(KEYS[:1])
    view.decline(KEYS[:1])
    assert list(view.keys(Keys())) == KEYS[:1]
    view.refuse(KEYS[:1])
    assert list(view.keys(Keys.of(KEYS[:1]))) == []


def test_what_is_remembered_of_a_peer_is_bounded() -> None:
    view = PeerView(most=10)
    view.decline(KEYS[:6])
    view.refuse(KEYS[6:10])
    assert not view.overflowed
    view.decline(KEYS[:6])
    assert not view.overflowed
    view.decline(KEYS[10:12])
    assert view.overflowed
    assert len(view.keys(Keys())) == 6
    view.reconsider()
    assert not view.overflowed
    view.decline(KEYS[10:12])
    assert set(view.keys(Keys())) == set(KEYS[10:12])
