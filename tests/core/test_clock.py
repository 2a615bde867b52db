"""The time in force: lifted by what known senders signed, doubted when they are silent, and nobody's to command."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.clock import DOUBT_AFTER, SINGLE_LIFT, Clock, Evidence, floor, tell

BUILT = 1_800_000_000
DAY = 86400
YEARS = 2 * 365 * DAY
NOW = BUILT + 100 * DAY

times = st.integers(0, BUILT + 3 * YEARS)


def now(machine: int, *newest: int, saved: int = 0) -> int:
    return tell(Evidence(machine, saved, newest), built=BUILT).now


def test_with_nobody_known_the_machine_s_clock_is_in_force_and_not_doubted() -> None:
    assert tell(Evidence(NOW), built=BUILT) == Clock(NOW)
    assert tell(Evidence(NOW + YEARS), built=BUILT) == Clock(NOW + YEARS)


def test_a_clock_from_before_this_version_was_made_is_lifted_to_that_or_to_the_time_last_saved() -> None:
    assert now(0) == BUILT
    assert now(0, saved=NOW) == NOW
    assert now(0, saved=5) == BUILT
    assert now(NOW, saved=NOW + YEARS) == NOW, "a saved time never pushes a plausible clock"


def test_two_known_senders_lift_a_slow_clock_to_what_both_have_reached() -> None:
    assert now(NOW - 50 * DAY, NOW, NOW - DAY) == NOW - DAY
    assert tell(Evidence(NOW - 50 * DAY, 0, (NOW, NOW)), built=BUILT).behind == 50 * DAY


def test_one_known_sender_lifts_it_by_thirty_days_and_no_more() -> None:
    assert now(NOW, NOW + 10 * DAY) == NOW + 10 * DAY
    assert now(NOW, NOW + YEARS) == NOW + SINGLE_LIFT


def test_one_sender_set_to_another_year_expires_nothing_where_two_are_known() -> None:
    assert now(NOW, NOW + YEARS, NOW - DAY) == NOW


def test_a_clock_far_ahead_of_everyone_known_is_doubted_and_never_turned_back() -> None:
    found = tell(Evidence(NOW + YEARS, 0, (NOW, NOW)), built=BUILT)
    assert found == Clock(NOW + YEARS, doubtful=True)
    assert not tell(Evidence(NOW + DOUBT_AFTER, 0, (NOW,)), built=BUILT).doubtful
    assert tell(Evidence(NOW + DOUBT_AFTER + 1, 0, (NOW,)), built=BUILT).doubtful


def test_the_operator_the_system_or_three_relays_clear_the_doubt() -> None:
    assert not tell(Evidence(NOW + YEARS, 0, (NOW,), confirmed=True), built=BUILT).doubtful
    assert tell(Evidence(NOW + YEARS, 0, (NOW,), agreeing=2), built=BUILT).doubtful
    assert not tell(Evidence(NOW + YEARS, 0, (NOW,), agreeing=3), built=BUILT).doubtful


def test_taking_evidence_away_takes_its_effect_away() -> None:
    assert now(NOW, NOW + 5 * DAY, NOW + 5 * DAY) == NOW + 5 * DAY
    assert now(NOW) == NOW


@given(times, times, st.lists(times, max_size=6), st.permutations(range(6)))
def test_it_never_goes_back_and_the_order_of_senders_does_not_matter(
    machine: int, saved: int, newest: list[int], order: list[int]
) -> None:
    found = tell(Evidence(machine, saved, newest), built=BUILT)
    assert found.now >= max(machine, BUILT) or found.now >= machine
    assert found.now == machine + found.behind or found.behind == 0
    shuffled = [newest[place] for place in order if place < len(newest)]
    assert tell(Evidence(machine, saved, shuffled), built=BUILT) == found


@given(times, st.lists(times, min_size=1, max_size=6))
def test_no_single_sender_moves_it_beyond_what_a_second_one_says_or_thirty_days(base: int, newest: list[int]) -> None:
    others = sorted(newest)[:-1]
    assert floor(newest, base=base) <= max([base + SINGLE_LIFT, *others])
