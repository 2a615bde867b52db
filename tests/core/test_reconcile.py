"""Two lines of keys: both sides learn exactly in what they differ, cheaply, and whatever the other end sends."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import xor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meshrelay.core.reconcile import (
    LEEWAY,
    MAX_NAMES,
    MAX_NAMES_LIMITED,
    MAX_REPLY,
    MAX_REQUEST,
    Keys,
    Reconciliation,
    Request,
    answer,
    cost,
)
from meshrelay.errors import InvalidMessage
from tests.reconciling import (
    DAY,
    FINGERPRINT,
    LIST,
    NAMED,
    NOTHING,
    NOW,
    SALT,
    SAME,
    exchange,
    forged,
    key,
    made_keys,
    named,
    packed,
    reconciled,
    reply,
    request,
    said,
    unpacked,
)
from tests.vectors import plain_responder
from tests.vectors.malformed_reconcile import (
    A_LONG_LIST,
    CLASS_3,
    DIFFERS,
    INVALID_REPLIES,
    INVALID_REQUESTS,
    KEY,
    THE_SAME,
    UP_TO_NOW,
    counted,
)

# Few classes, seconds and ids, so that keys stand close together and often have the same time.
crowded_keys = st.builds(
    lambda item_class, sent, number: key(item_class, sent, number.to_bytes(2, "big") * 8),
    st.integers(0, 3),
    st.one_of(st.integers(NOW - 3, NOW + LEEWAY + 2), st.sampled_from([0, 1, NOW - DAY, 2**56 - 1])),
    st.integers(0, 40),
)


@pytest.fixture(scope="module")
def many() -> Keys:
    return Keys.of(made_keys(100_000, seed=1))


def differences(mine: Keys, theirs: Keys) -> tuple[set[bytes], set[bytes]]:
    return set(mine) - set(theirs), set(theirs) - set(mine)


# The whole difference, and nothing but the difference


@settings(max_examples=150, deadline=None)
@given(st.sets(crowded_keys), st.sets(crowded_keys), st.binary(min_size=16, max_size=16))
@example(set(), set(), SALT)
@example({key(0, 0, bytes(16))}, set(), SALT)
@example(set(), {key(3, 2**56 - 1, b"\xff" * 16)}, SALT)
def test_have_and_need_are_the_whole_difference(mine: set[bytes], theirs: set[bytes], salt: bytes) -> None:
    done = reconciled(Keys.of(mine), Keys.of(theirs), salt=salt)
    assert done.work.settled
    assert (set(done.work.have), set(done.work.need)) == (mine - theirs, theirs - mine)
    assert len(done.work.have) + len(done.work.need) == len(mine ^ theirs)


@pytest.mark.parametrize("common", [0, 1, 30, 3_000])
@pytest.mark.parametrize(("only_mine", "only_theirs"), [(0, 0), (1, 0), (0, 1), (700, 1), (1, 700), (2_500, 2_500)])
@pytest.mark.parametrize("days", [1, 90])
def test_sets_of_every_proportion_settle(common: int, only_mine: int, only_theirs: int, days: int) -> None:
    keys = made_keys(common + only_mine + only_theirs, seed=common + only_mine, days=days)
    mine = Keys.of(keys[: common + only_mine])
    theirs = Keys.of(keys[:common] + keys[common + only_mine :])
    done = reconciled(mine, theirs)
    assert done.work.settled
    assert (set(done.work.have), set(done.work.need)) == differences(mine, theirs)
    assert done.work.rounds <= 6 + (only_mine + only_theirs) // 400


def test_keys_of_one_second_settle() -> None:
    dice = random.Random(3)
    keys = [key(2, NOW, dice.randbytes(16)) for _ in range(3_000)]
    mine, theirs = Keys.of(keys[:-7]), Keys.of(keys[7:])
    done = reconciled(mine, theirs)
    assert (set(done.work.have), set(done.work.need)) == differences(mine, theirs)


@pytest.mark.parametrize("place", [0, 1, 99, 4_998, 4_999])
def test_one_key_missing_anywhere_is_found_from_both_sides(place: int) -> None:
    whole = Keys.of(made_keys(5_000, seed=4))
    short = whole.changed(remove=[whole[place]])
    assert reconciled(whole, short).work.have == [whole[place]]
    assert reconciled(short, whole).work.need == [whole[place]]


def test_an_empty_relay_learns_of_everything_and_a_full_one_too() -> None:
    full = Keys.of(made_keys(5_000, seed=5))
    first = reconciled(Keys(), full)
    assert set(first.work.need) == set(full)
    assert first.work.rounds <= 7
    second = reconciled(full, Keys())
    assert set(second.work.have) == set(full)
    assert second.work.rounds == 1


def test_the_peer_may_change_while_the_exchange_runs() -> None:
    dice = random.Random(6)
    keys = made_keys(4_000, seed=6)
    held = set(keys[1_000:])
    work = Reconciliation(Keys.of(keys[:3_000]), salt=SALT, now=NOW)

    def respond(message: bytes) -> bytes:
        held.difference_update(dice.sample(sorted(held), 20))
        held.update(made_keys(20, seed=dice.randrange(1_000)))
        return answer(Keys.of(held), message)

    exchange(work, respond)
    assert work.settled
    assert work.rounds < 40
    # What stayed the same on both sides all the time is found all the same.
    assert set(work.need) >= held & set(keys[3_000:])


@settings(max_examples=100, deadline=None)
@given(st.sets(crowded_keys), st.sets(crowded_keys))
@example(set(made_keys(900, seed=41)), set(made_keys(700, seed=42)))
@example(set(made_keys(900, seed=41)[:890]), set(made_keys(900, seed=41)[10:]))
@example(set(), set(made_keys(300, seed=43)))
def test_the_specification_suffices_for_a_second_responder(mine: set[bytes], theirs: set[bytes]) -> None:
    settled = exchange(
        Reconciliation(Keys.of(mine), salt=SALT, now=NOW), lambda message: plain_responder.respond(theirs, message)
    )
    assert settled.work.settled
    assert (set(settled.work.have), set(settled.work.need)) == (mine - theirs, theirs - mine)
    # With a limit that is never reached nothing is left to choose: the replies are the same, to the last byte.
    limited = Reconciliation(Keys.of(mine), salt=SALT, now=NOW, budget=10_000_000)
    while (message := limited.message()) is not None:
        replied = answer(Keys.of(theirs), message)
        assert plain_responder.respond(theirs, message) == replied
        limited.receive(replied)
    assert limited.settled


# What it costs


def test_equal_sets_settle_in_one_post_of_less_than_1200_bytes(many: Keys) -> None:
    done = reconciled(many, many)
    assert (done.work.rounds, done.work.have, done.work.need) == (1, [], [])
    assert done.total <= 1_200


@pytest.mark.parametrize("item_class", [None, 3])
@pytest.mark.parametrize("mine", [0, 5, 10])
def test_the_ten_newest_settle_in_one_post_of_less_than_1500_bytes(
    many: Keys, mine: int, item_class: int | None
) -> None:
    newest = made_keys(10, seed=7, item_class=item_class, newest=NOW + 90 * DAY)
    newest = [key[:1] + (NOW + place).to_bytes(7, "big") + key[8:] for place, key in enumerate(newest)]
    done = reconciled(many.changed(add=newest[:mine]), many.changed(add=newest[mine:]))
    assert (set(done.work.have), set(done.work.need)) == (set(newest[:mine]), set(newest[mine:]))
    assert done.work.rounds == 1
    assert done.total <= 1_500


@pytest.mark.parametrize("item_class", [None, 3])
@pytest.mark.parametrize("mine", [0, 5, 10])
def test_ten_scattered_ones_settle_in_three_posts_of_less_than_13_kilobytes(
    many: Keys, mine: int, item_class: int | None
) -> None:
    scattered = made_keys(10, seed=8, item_class=item_class)
    done = reconciled(many.changed(add=scattered[:mine]), many.changed(add=scattered[mine:]))
    assert (set(done.work.have), set(done.work.need)) == (set(scattered[:mine]), set(scattered[mine:]))
    assert done.work.rounds <= 3
    assert done.total <= 13_000


def test_the_cost_is_told_before_anything_is_hashed(many: Keys) -> None:
    message = Reconciliation(Keys.of(made_keys(1_000, seed=9)), salt=SALT, now=NOW).message()
    assert message is not None
    told = cost(many, message)
    # Every key may be hashed twice: for its range, and when that is opened.
    assert len(many.buffer) < told < 2.5 * len(many.buffer)
    assert 0 < cost(Keys(), message) < 100_000
    assert cost(many, Request.parse(message)) == told


# Order, limits and budgets


def flood(count: int, item_class: int) -> list[bytes]:
    return made_keys(count, seed=count, item_class=item_class)


def test_classes_settle_from_the_lowest_and_the_newest_of_each_come_at_once() -> None:
    theirs = Keys.of([one for item_class in range(4) for one in flood(2_000, item_class)])
    work = Reconciliation(Keys(), salt=SALT, now=NOW)
    settled_at: dict[int, int] = {}
    while (message := work.message()) is not None:
        found = work.receive(answer(theirs, message))
        if work.rounds == 1:
            for item_class in range(4):
                newest = [one for one in theirs if one[0] == item_class][-30:]
                assert set(newest) <= set(found.need)
        for item_class in range(work.unsettled if work.unsettled is not None else 4):
            settled_at.setdefault(item_class, work.rounds)
    assert [settled_at[item_class] for item_class in range(4)] == sorted(settled_at.values())
    assert settled_at[0] <= 3
    assert set(work.need) == set(theirs)


def test_what_is_known_to_differ_is_opened_by_the_next_request(many: Keys) -> None:
    work = Reconciliation(many, salt=SALT, now=NOW, budget=100_000)
    scattered = [
        made_keys(1, seed=item_class, item_class=item_class, newest=NOW - 50 * DAY)[0] for item_class in (1, 3)
    ]
    done = exchange(work, lambda message: answer(many.changed(add=scattered), message))
    assert set(work.need) == set(scattered)
    # Class 1 is compared and opened by the peer, then listed. Class 3 is opened here at once, and listed.
    assert done.work.rounds == 2 + 2


@pytest.mark.parametrize("item_class", [0, 3])
def test_what_is_dated_ahead_waits_until_the_rest_is_known(item_class: int) -> None:
    ahead = [key(item_class, NOW + LEEWAY + 1 + n, n.to_bytes(16, "big")) for n in range(3_000)]
    honest = flood(3_000, 3)
    work = Reconciliation(Keys(), salt=SALT, now=NOW)
    theirs = Keys.of(ahead + honest)
    seen: set[bytes] = set()
    while not seen >= set(honest):
        message = work.message()
        assert message is not None
        seen.update(work.receive(answer(theirs, message)).need)
    assert len(seen & set(ahead)) <= 100
    assert (work.unsettled, work.settled) == (None, False)
    exchange(work, lambda message: answer(theirs, message))
    assert set(work.need) == set(theirs)


def test_items_up_to_ten_minutes_ahead_are_among_the_newest() -> None:
    message = Reconciliation(Keys(), salt=SALT, now=NOW).message()
    assert message is not None
    ranges = [(high, tag) for _, high, tag in unpacked(message, 21)]
    for item_class in range(4):
        ahead = key(item_class, NOW + 601, b"")
        assert ranges[2 * item_class : 2 * item_class + 2] == [(ahead, LIST), (bytes([item_class + 1]), FINGERPRINT)]


def test_of_several_lists_in_a_class_the_newest_are_answered_first() -> None:
    theirs = Keys.of(flood(4_000, 3))
    middle = theirs.separator(2_000)
    lists = said(1, middle[1:], LIST, b"\0"), said(0, b"\x04", LIST, b"\0")
    replied = list(unpacked(answer(theirs, request(CLASS_3, *lists)), 1))
    assert [tag for *_, tag in replied] == [NOTHING, NAMED]
    assert replied[-1][0] == theirs.separator(3_000)


def test_a_reply_names_a_thousand_keys_at_most_and_64_when_bytes_are_counted() -> None:
    theirs = Keys.of(flood(3_000, 0))
    free = Reconciliation(Keys(), salt=SALT, now=NOW, classes=[0])
    first = free.message()
    assert first is not None
    assert len(free.receive(answer(theirs, first)).need) == MAX_NAMES
    counted = Reconciliation(Keys(), salt=SALT, now=NOW, classes=[0], budget=100_000)
    first = counted.message()
    assert first is not None
    assert len(counted.receive(answer(theirs, first)).need) == MAX_NAMES_LIMITED


@pytest.mark.parametrize("limit", [0, 100_000])
def test_higher_classes_are_opened_early_only_while_the_reply_is_small_and_nothing_is_counted(limit: int) -> None:
    parts = [*(bytes([0, 0, 0, 0, 0x6A, n]) for n in range(0x40, 0x80, 2)), b"\1", b"\2", b"\3"]
    theirs = Keys.of(made_keys(30_000, seed=30, days=40))
    ranges = [said(0, parts[0], NOTHING)]
    for low, high in pairwise(parts):
        shared = 5 if high[0] == 0 and len(high) > 1 else 0
        ranges.append(said(shared, high[shared:] if low else high, FINGERPRINT, bytes(16)))
    replied = answer(theirs, request(*ranges, limit=limit))
    opened = {low[0] if low else 0 for low, _, tag in unpacked(replied, 1) if tag == FINGERPRINT}
    assert opened == ({0, 1, 2} if not limit else {0})


@pytest.mark.parametrize("budget", [1, 60, 900, 2_000, 9_000, 60_000])
def test_an_exchange_stays_within_its_budget(budget: int, many: Keys) -> None:
    theirs = many.changed(add=flood(1_000, 0) + flood(1_000, 3))
    work = Reconciliation(many, salt=SALT, now=NOW, budget=budget)
    done = exchange(work, lambda message: answer(theirs, message))
    assert done.total == work.spent <= budget
    assert not work.settled
    assert set(work.need) <= set(theirs)
    if budget >= 9_000:
        # But for the few newest of every class.
        assert sum(one[0] == 0 for one in work.need) > 0.75 * len(work.need) > 0


def test_bytes_spent_on_items_count_against_the_budget() -> None:
    work = Reconciliation(Keys(), salt=SALT, now=NOW, budget=10_000)
    first = work.message()
    assert first is not None
    work.receive(answer(Keys.of(flood(3_000, 0)), first))
    work.spent += 10_000
    assert work.message() is None
    assert not work.settled


def test_an_exchange_may_be_limited_to_classes_and_times() -> None:
    mine, theirs = Keys.of(made_keys(3_000, seed=10)), Keys.of(made_keys(3_000, seed=11))
    since, until = NOW - 40 * DAY, NOW - 20 * DAY
    work = Reconciliation(mine, salt=SALT, now=NOW, classes=[3, 1], since=since, until=until)
    exchange(work, lambda message: answer(theirs, message))

    def asked(one: bytes) -> bool:
        return one[0] in {1, 3} and since <= int.from_bytes(one[1:8], "big") < until

    assert work.settled
    assert set(work.have) == set(filter(asked, mine))
    assert set(work.need) == set(filter(asked, theirs))


def test_an_exchange_of_no_class_or_no_time_is_settled_without_a_message() -> None:
    assert Reconciliation(Keys(), salt=SALT, now=NOW, classes=[]).message() is None
    nothing = Reconciliation(Keys(), salt=SALT, now=NOW, since=5, until=5)
    assert nothing.message() is None
    assert nothing.settled


def test_two_full_relays_with_nothing_in_common_stay_within_the_message_sizes() -> None:
    mine, theirs = Keys.of(made_keys(20_000, seed=12)), Keys.of(made_keys(20_000, seed=13))
    done = reconciled(mine, theirs)
    assert (set(done.work.have), set(done.work.need)) == (set(mine), set(theirs))
    assert max(done.sent) <= 40_000 < MAX_REQUEST
    assert max(done.received) <= MAX_REPLY


def test_a_reply_that_would_be_too_long_leaves_the_rest_for_the_next_round() -> None:
    theirs = Keys.of(flood(100_000, 3))
    bounds = [b"\x03", *map(theirs.separator, range(25, len(theirs), 25))]
    ranges = [said(0, b"\x03", NOTHING)]
    for low, high in pairwise(bounds):
        shared = next((n for n, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
        ranges.append(said(shared, high[shared:], FINGERPRINT, bytes(16)))
    message = request(*ranges)
    whole = answer(theirs, message)
    assert len(whole) <= MAX_REPLY
    opened = {low for low, _, tag in unpacked(whole, 1) if tag == FINGERPRINT}
    assert len(opened) > 10_000
    assert max(opened) > bounds[-2] > min(opened), "the newest are opened first"


# Forged ids


def xor_of(keys: Keys) -> int:
    return reduce(xor, (int.from_bytes(one, "big") for one in keys), 0)


def test_made_up_ids_that_cancel_each_other_hide_nothing(many: Keys) -> None:
    hidden = key(3, NOW - 30 * DAY, b"the warning here")
    first, second = forged(hidden)
    mine, theirs = many.changed(add=first), many.changed(add=second)
    assert (len(mine), xor_of(mine)) == (len(theirs), xor_of(theirs)), "an XOR with a count would see no difference"
    done = reconciled(mine, theirs)
    assert hidden in done.work.need
    assert (set(done.work.have), set(done.work.need)) == differences(mine, theirs)


def test_every_exchange_salts_its_fingerprints_and_prefixes_afresh(many: Keys) -> None:
    one = Reconciliation(many, salt=SALT, now=NOW).message()
    other = Reconciliation(many, salt=SALT[::-1], now=NOW).message()
    assert one is not None
    assert other is not None
    assert [tag for *_, tag in unpacked(one, 21)] == [tag for *_, tag in unpacked(other, 21)]
    assert sum(a == b for a, b in zip(one[21:], other[21:], strict=True)) < len(one) / 3


def test_a_salt_has_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16"):
        Reconciliation(Keys(), salt=b"short", now=NOW)


# Malformed and hostile messages


@pytest.mark.parametrize("flaw", INVALID_REQUESTS)
def test_a_malformed_request_is_refused(flaw: str) -> None:
    with pytest.raises(InvalidMessage):
        answer(Keys.of([KEY]), INVALID_REQUESTS[flaw])
    with pytest.raises(InvalidMessage):
        cost(Keys.of([KEY]), INVALID_REQUESTS[flaw])


@pytest.mark.parametrize("flaw", INVALID_REPLIES)
def test_a_malformed_reply_is_refused_and_ends_the_exchange(flaw: str) -> None:
    work = Reconciliation(Keys.of([KEY]), salt=SALT, now=NOW)
    assert work.message()
    with pytest.raises(InvalidMessage):
        work.receive(INVALID_REPLIES[flaw])
    assert work.message() is None
    assert not work.settled
    assert (work.have, work.need) == ([], [])


def test_messages_may_be_as_long_as_the_limits_say() -> None:
    assert answer(Keys(), request(counted(4_096, DIFFERS)))
    assert answer(Keys(), request(counted(500, A_LONG_LIST)))
    for widest in (
        reply(counted(16_384, DIFFERS, THE_SAME)),
        reply(counted(9_000, DIFFERS, THE_SAME, tail=b"\1" * 21)),
        reply(CLASS_3, UP_TO_NOW, named(*(key(3, 1, n.to_bytes(16, "big")) for n in range(1_000)))),
        reply(CLASS_3, UP_TO_NOW, named(bits=b"\x01")),
    ):
        work = Reconciliation(Keys.of([KEY]), salt=SALT, now=NOW)
        assert work.message()
        work.receive(widest)


def test_a_reply_may_not_open_a_range_into_more_than_sixteen_parts() -> None:
    work = Reconciliation(Keys.of(flood(1_000, 3)), salt=SALT, now=NOW, classes=[3])
    first = work.message()
    assert first is not None
    low, high = next((low, high) for low, high, tag in unpacked(first, 21) if tag == FINGERPRINT)
    assert low == b"\x03"
    assert high[:4] == b"\x03\0\0\0"
    parts = [said(1, b"\0\0\0\1", FINGERPRINT, bytes(16))]
    parts += [said(4, bytes([n]), FINGERPRINT, bytes(16)) for n in range(2, 16)]
    last = said(4, high[4:], FINGERPRINT, bytes(16))
    with pytest.raises(InvalidMessage, match="opens"):
        work.receive(reply(CLASS_3, *parts, said(4, b"\x10", FINGERPRINT, bytes(16)), last))
    allowed = Reconciliation(Keys.of(flood(1_000, 3)), salt=SALT, now=NOW, classes=[3])
    assert allowed.message() == first
    allowed.receive(reply(CLASS_3, *parts, last))


def test_a_reply_to_a_class_that_was_not_asked_is_refused() -> None:
    work = Reconciliation(Keys.of([KEY]), salt=SALT, now=NOW, classes=[3])
    assert work.message()
    with pytest.raises(InvalidMessage, match="not asked"):
        work.receive(reply(said(0, b"\x01", NAMED, named(key(0, NOW, bytes(16))))))


def test_a_reply_to_more_than_was_asked_is_refused() -> None:
    work = Reconciliation(Keys.of([KEY]), salt=SALT, now=NOW, classes=[3], since=NOW - 5)
    assert work.message()
    with pytest.raises(InvalidMessage, match="more than one"):
        work.receive(reply(CLASS_3, said(1, key(3, NOW, b"")[1:], NAMED, named())))


def test_messages_and_replies_take_turns() -> None:
    work = Reconciliation(Keys.of([KEY]), salt=SALT, now=NOW)
    with pytest.raises(RuntimeError):
        work.receive(reply())
    assert work.message()
    with pytest.raises(RuntimeError):
        work.message()


SMALL = Keys.of(made_keys(400, seed=15))
OTHER = Keys.of(made_keys(300, seed=16)).changed(add=list(SMALL)[50:])


def begun() -> tuple[Reconciliation, bytes]:
    work = Reconciliation(SMALL, salt=SALT, now=NOW)
    message = work.message()
    assert message is not None
    return work, message


FIRST = begun()[1]
REPLY = answer(OTHER, FIRST)


def mutated(message: bytes) -> st.SearchStrategy[bytes]:
    """Change, drop, repeat or insert a few bytes of a valid message."""

    def change(data: bytes, edits: list[tuple[int, int, int, int]]) -> bytes:
        for kind, at, length, value in edits:
            at %= len(data) + 1
            piece = data[at : at + length]
            put = (bytes([value]) * length, b"", piece + piece, bytes([value]) + piece)[kind]
            data = data[:at] + put + data[at + length :]
        return data

    edit = st.tuples(st.integers(0, 3), st.integers(0, len(message)), st.integers(1, 12), st.integers(0, 255))
    return st.builds(change, st.just(message), st.lists(edit, min_size=1, max_size=4))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), st.binary().map(lambda rest: request() + rest), mutated(FIRST)))
def test_any_bytes_are_answered_or_refused(message: bytes) -> None:
    try:
        told = cost(OTHER, message)
        replied = answer(OTHER, message)
    except InvalidMessage:
        return
    assert told >= 0
    assert len(replied) <= MAX_REPLY


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(), st.binary().map(lambda rest: b"\x01" + rest), mutated(REPLY)))
def test_any_bytes_are_taken_as_a_reply_or_refused(replied: bytes) -> None:
    work, _ = begun()
    try:
        work.receive(replied)
    except InvalidMessage:
        return
    exchange(work, lambda message: answer(OTHER, message))
    assert set(work.have) <= set(SMALL)
    assert set(work.need).isdisjoint(SMALL)


def silent(message: bytes) -> bytes:
    return reply()


def always_different(message: bytes) -> bytes:
    return reply(said(0, b"\x04", NOTHING))


def opens_for_ever(message: bytes) -> bytes:
    """Answer every fingerprint with one more that differs, and every list with nothing."""
    at, ranges = b"", []
    for low, high, tag in unpacked(message, 21):
        if tag == FINGERPRINT:
            if low != at:
                ranges.append((low, NOTHING, b""))
            ranges.append((high, FINGERPRINT, bytes(16)))
            at = high
    return reply(packed(ranges))


def makes_keys_up(message: bytes) -> bytes:
    """Name one key that nobody has in every range, and say that there is more."""
    at, ranges = b"", []
    for low, _, tag in unpacked(message, 21):
        if tag == NOTHING:
            continue
        number = int.from_bytes(low.ljust(24, b"\0"), "big") + 1
        made_up, bound = number.to_bytes(24, "big"), (number + 1).to_bytes(24, "big")
        if low != at:
            ranges.append((low, NOTHING, b""))
        ranges.append((bound, NAMED, named(made_up)))
        at = bound
    return reply(packed(ranges))


@pytest.mark.parametrize("respond", [silent, always_different, opens_for_ever, makes_keys_up])
@pytest.mark.parametrize("count", [0, 5, 3_000])
def test_a_hostile_peer_wastes_a_bounded_number_of_rounds(respond: Callable[[bytes], bytes], count: int) -> None:
    work = Reconciliation(Keys.of(made_keys(count, seed=17)), salt=SALT, now=NOW)
    try:
        exchange(work, respond)
    except InvalidMessage:
        assert work.message() is None
    assert work.rounds <= 32 + count // 256 + len(work.need) // 32 < 300
    assert not work.settled


def test_saying_the_same_of_everything_ends_at_once() -> None:
    work = Reconciliation(Keys.of(made_keys(500, seed=18)), salt=SALT, now=NOW)
    done = exchange(work, lambda message: reply(said(0, b"\x04", SAME)))
    assert (done.work.rounds, work.settled, work.have, work.need) == (1, True, [], [])


def test_rounds_are_counted() -> None:
    work = Reconciliation(Keys(), salt=SALT, now=NOW, max_rounds=2)
    theirs = Keys.of(flood(5_000, 3))
    exchange(work, lambda message: answer(theirs, message))
    assert work.rounds == 2
    assert not work.settled


# Keys


def test_keys_are_sorted_and_each_is_there_once() -> None:
    keys = made_keys(50, seed=19)
    line = Keys.of(keys + keys[:5])
    assert list(line) == sorted(keys)
    assert keys[3] in line
    assert KEY not in line
    assert "text" not in line
    assert line[0] == min(keys)
    for outside in (50, -1):
        with pytest.raises(IndexError):
            line[outside]


@pytest.mark.parametrize(
    "buffer",
    [b"x", KEY + KEY, KEY + key(0, 0, bytes(16)), key(4, 0, bytes(16))],
    ids=["cut", "twice", "order", "class"],
)
def test_a_buffer_that_is_no_line_of_keys_is_a_mistake_of_ours(buffer: bytes) -> None:
    with pytest.raises(ValueError, match="key"):
        Keys(buffer)


def test_only_keys_can_be_added() -> None:
    for wrong in (b"short", key(4, 0, bytes(16))):
        with pytest.raises(ValueError, match="key"):
            Keys().changed(add=[wrong])


@settings(max_examples=100, deadline=None)
@given(st.sets(crowded_keys, max_size=60), st.sets(crowded_keys, max_size=60), st.sets(crowded_keys, max_size=60))
def test_changing_keys_is_changing_a_set(held: set[bytes], add: set[bytes], remove: set[bytes]) -> None:
    changed = Keys.of(held).changed(add=add, remove=remove)
    assert list(changed) == sorted((held - remove) | add)
    assert changed == Keys(changed.buffer)
    assert changed.changed(add=add, remove=remove - add) is changed


def test_a_few_changes_to_many_keys_are_the_same_as_many_changes(many: Keys) -> None:
    add, remove = made_keys(40, seed=20), [*list(many)[::5_000], *made_keys(5, seed=21)]
    changed = many.changed(add=add, remove=remove)
    assert list(changed) == sorted((set(many) - set(remove)) | set(add))


@settings(max_examples=100, deadline=None)
@given(st.sets(crowded_keys, min_size=2, max_size=30))
def test_a_separator_lies_between_its_keys_and_is_as_short_as_can_be(held: set[bytes]) -> None:
    line = Keys.of(held)
    for at in range(1, len(line)):
        bound = line.separator(at)
        assert line[at - 1] < bound <= line[at]
        assert line.find(bound) == at
        assert not line[at - 1] < bound[:-1] <= line[at]
