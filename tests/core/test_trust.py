from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.bulletin import ACTS_FOR, MsgType
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import Header, ItemClass, Kind, SignedItem
from meshrelay.core.statements import Revocation
from meshrelay.core.trust import Acts, Anchor, Author, How, Standing, TrustView, Verdict, is_ended, verdict
from tests.strategies import NOON

ME, CLINIC, STRANGER = b"m" * 32, b"c" * 32, b"s" * 32
ANCHOR = Anchor(CLINIC, "Clinic on the hill", NOON - 100, How.DIGITS)
NOW = Clock(NOON + 60)
DAY = 86_400


def item(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def says(
    name: str,
    *acts_on: str,
    author: bytes = CLINIC,
    msg_type: MsgType = MsgType.ALERT,
    sent: int = NOON,
    life: int = DAY,
    alias: str = "",
) -> Header:
    """Return the header of a bulletin with this id."""
    return Header(
        id=item(name),
        author=author,
        kind=Kind.BULLETIN,
        item_class=ItemClass.REST if msg_type is MsgType.ALERT else ItemClass.CORRECTION,
        sent=sent,
        size=1000,
        expires=sent + life,
        msg_type=msg_type,
        alias=item(alias) if alias else None,
        targets=tuple(map(item, acts_on)),
    )


def updates(name: str, *acts_on: str, **rest: object) -> Header:
    return says(name, *acts_on, msg_type=MsgType.UPDATE, **rest)  # type: ignore[arg-type]


def cancels(name: str, *acts_on: str, **rest: object) -> Header:
    return says(name, *acts_on, msg_type=MsgType.CANCEL, **rest)  # type: ignore[arg-type]


def revokes(key: bytes, *good: str, number: int = 0) -> SignedItem:
    """Return the statement that ends a key, as held; nobody verifies it again."""
    body = Revocation(NOON, key, tuple(sorted(map(item, good))))
    header = Header(item(f"end {number}"), key, Kind.REVOCATION, ItemClass.KEYS, NOON, 200, targets=(key,))
    return SignedItem(header, b"", body)


def judge(header: Header, acts: Iterable[Header] = (), trust: TrustView | None = None, clock: Clock = NOW) -> Verdict:
    return verdict(header, Acts.of(acts), trust or TrustView.of(anchors=[ANCHOR]), clock)


def standings(headers: Iterable[Header], trust: TrustView | None = None, clock: Clock = NOW) -> list[Standing]:
    """Judge each of these headers with all of them as what is held."""
    held = list(headers)
    return [judge(header, held, trust, clock).standing for header in held]


# Update and Cancel


ALERT = says("alert")
FIRST = updates("first", "alert", sent=NOON + 1)
SECOND = updates("second", "first", sent=NOON + 2)
CANCEL = cancels("cancel", "second", sent=NOON + 3)
STORY = (ALERT, FIRST, SECOND, CANCEL)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_an_update_ends_what_it_names_and_a_cancel_the_whole_story(length: int) -> None:
    ended = {1: [], 2: [Standing.SUPERSEDED], 3: [Standing.SUPERSEDED] * 2, 4: [Standing.CANCELLED] * 3}
    assert standings(STORY[:length]) == [*ended[length], Standing.LIVE]


def test_verdicts_do_not_depend_on_the_order_in_which_items_came() -> None:
    expected = {header.id: judge(header, STORY) for header in STORY}
    for order in permutations(STORY):
        assert {header.id: judge(header, order) for header in order} == expected


def test_what_ended_a_bulletin_is_named_newest_first() -> None:
    assert judge(ALERT, STORY).by == (CANCEL, SECOND, FIRST)


def test_a_withdrawal_is_named_before_an_update_of_the_same_second_or_later() -> None:
    for sent in (NOON + 3, NOON + 9):
        late = updates("late", "alert", sent=sent)
        assert judge(ALERT, (*STORY, late)).by == (CANCEL, *sorted((late, SECOND), key=lambda one: -one.sent), FIRST)


def test_a_gap_in_the_story_ends_only_what_is_named() -> None:
    assert standings([ALERT, SECOND]) == [Standing.LIVE, Standing.LIVE]
    assert standings([FIRST, SECOND, CANCEL]) == [Standing.CANCELLED, Standing.CANCELLED, Standing.LIVE]


def test_two_updates_of_one_bulletin_are_both_live() -> None:
    rival = updates("rival", "alert", sent=NOON + 1)
    assert standings([ALERT, FIRST, rival]) == [Standing.SUPERSEDED, Standing.LIVE, Standing.LIVE]


def test_one_cancel_can_end_several() -> None:
    other = says("other")
    both = cancels("both", "alert", "other")
    assert standings([ALERT, other, both]) == [Standing.CANCELLED, Standing.CANCELLED, Standing.LIVE]


def test_updates_that_name_each_other_end_each_other() -> None:
    # Nobody can make these, since an id is a hash of what it names; a verdict must end all the same.
    one, two = updates("one", "two"), updates("two", "one")
    assert standings([one, two]) == [Standing.SUPERSEDED, Standing.SUPERSEDED]


def test_an_alert_ends_nothing_whatever_it_names() -> None:
    assert standings([ALERT, says("second alert", "alert")]) == [Standing.LIVE, Standing.LIVE]


@pytest.mark.parametrize("act", [updates, cancels])
def test_nobody_else_ends_a_bulletin(act: object) -> None:
    foreign = act("foreign", "alert", author=STRANGER)  # type: ignore[operator]
    assert standings([ALERT, foreign]) == [Standing.LIVE, Standing.LIVE]


def test_a_strangers_link_in_the_chain_leads_nowhere() -> None:
    foreign = updates("foreign", "alert", author=STRANGER)
    onwards = cancels("onwards", "foreign")
    assert standings([ALERT, foreign, onwards])[0] is Standing.LIVE


def test_an_imported_update_ends_what_came_from_the_message_it_names() -> None:
    alert = says("alert", alias="cap 1")
    first = updates("first", "cap 1", alias="cap 2")
    second = updates("second", "cap 2", alias="cap 3")
    cancel = cancels("cancel", "cap 3", alias="cap 4")
    story = [alert, first, second, cancel]
    for length in range(1, 5):
        *ended, last = standings(story[:length])
        assert last is Standing.LIVE
        assert set(ended) <= {Standing.CANCELLED if length == 4 else Standing.SUPERSEDED}
    for order in permutations(story):
        assert judge(alert, order).by == judge(alert, story).by


def test_somebody_elses_import_of_the_same_message_is_not_ended() -> None:
    mine, theirs = says("mine", alias="cap 1"), says("theirs", alias="cap 1", author=STRANGER)
    update = updates("update", "cap 1", alias="cap 2")
    assert standings([mine, theirs, update]) == [Standing.SUPERSEDED, Standing.LIVE, Standing.LIVE]


def test_one_message_split_into_two_bulletins_is_cancelled_whole() -> None:
    parts = [says("part one", alias="cap 1"), says("part two", alias="cap 1")]
    cancel = cancels("cancel", "cap 1", alias="cap 2")
    assert standings([*parts, cancel])[:2] == [Standing.CANCELLED, Standing.CANCELLED]


def test_an_update_in_two_parts_does_not_end_itself() -> None:
    parts = [updates("part one", "cap 1", alias="cap 2"), updates("part two", "cap 1", alias="cap 2")]
    assert standings(parts) == [Standing.LIVE, Standing.LIVE]


def test_an_update_that_names_its_own_message_does_not_end_itself() -> None:
    assert standings([updates("update", "cap 1", "cap 2", alias="cap 2")]) == [Standing.LIVE]


@pytest.mark.parametrize("act", [updates, cancels])
def test_an_act_counts_until_97_days_after_it_was_signed(act: object) -> None:
    alert = says("alert", sent=NOON + 80 * DAY, life=90 * DAY)
    ender = act("ender", "alert", sent=NOON, life=1)  # type: ignore[operator]
    assert judge(alert, [ender], clock=Clock(NOON + ACTS_FOR - 1)).by == (ender,)
    assert judge(alert, [ender], clock=Clock(NOON + ACTS_FOR)).by == ()


@st.composite
def histories(draw: st.DrawFn) -> list[Header]:
    """Draw bulletins of two authors that act on each other anyhow, by id or by the message they came from."""
    count = draw(st.integers(2, 6))
    names = [*map(str, range(count)), "cap 0", "cap 1"]
    return [
        says(
            str(number),
            *draw(st.lists(st.sampled_from(names), max_size=2, unique=True)),
            author=draw(st.sampled_from([CLINIC, CLINIC, STRANGER])),
            msg_type=draw(st.sampled_from(MsgType)),
            sent=NOON + draw(st.integers(0, 3)),
            alias=draw(st.sampled_from(["", "", "cap 0", "cap 1"])),
        )
        for number in range(count)
    ]


def leads_to(act: Header, target: Header, held: list[Header], passed: frozenset[bytes] = frozenset()) -> bool:
    """Tell whether one bulletin ends another, by the letter of the rule: what it names, and what that superseded."""
    if act.msg_type is MsgType.ALERT or act.author != target.author:
        return False
    if not {target.id, target.alias}.isdisjoint(act.targets):
        return True
    return any(
        not {link.id, link.alias}.isdisjoint(act.targets) and leads_to(link, target, held, passed | {act.id})
        for link in held
        if link.id not in passed | {act.id} and link.author == act.author
    )


@given(histories(), st.randoms())
def test_what_ends_a_bulletin_is_what_the_rule_says_in_any_order(held: list[Header], dice: random.Random) -> None:
    shuffled = [*held]
    dice.shuffle(shuffled)
    for target in held:
        by = judge(target, shuffled).by
        assert {act.id for act in by} == {act.id for act in held if act.id != target.id and leads_to(act, target, held)}
        assert by == judge(target, held).by
        assert is_ended(target, Acts.of(shuffled), TrustView(), NOW) is bool(by)


# Time


@pytest.mark.parametrize(
    ("now", "doubtful", "expected"),
    [
        (NOON - 601, False, Standing.NOT_YET),
        (NOON - 600, False, Standing.LIVE),
        (NOON - DAY, True, Standing.LIVE),
        (NOON, False, Standing.LIVE),
        (NOON + DAY - 1, False, Standing.LIVE),
        (NOON + DAY, False, Standing.EXPIRED),
        (NOON + DAY, True, Standing.PERHAPS_EXPIRED),
        (NOON + 400 * DAY, True, Standing.PERHAPS_EXPIRED),
    ],
)
def test_time_decides_what_nothing_else_ended(now: int, doubtful: bool, expected: Standing) -> None:
    assert judge(ALERT, clock=Clock(now, doubtful)).standing is expected


def test_a_cancelled_bulletin_stays_cancelled_when_it_expires() -> None:
    cancel = cancels("cancel", "alert")
    assert judge(ALERT, [cancel], clock=Clock(NOON + 2 * DAY)).standing is Standing.CANCELLED


# Who is believed


def test_an_anchored_author_is_known_by_the_petname() -> None:
    one = judge(ALERT)
    assert (one.author, one.known, one.anchor, one.petname) == (Author.ANCHORED, True, ANCHOR, ANCHOR.petname)


def test_an_own_key_is_known_by_its_name() -> None:
    one = judge(says("alert", author=ME), trust=TrustView.of(own={ME: "me"}))
    assert (one.author, one.known, one.anchor, one.petname) == (Author.OWN, True, None, "me")


def test_everybody_else_is_unknown() -> None:
    one = judge(says("alert", author=STRANGER))
    assert (one.author, one.known, one.anchor, one.petname) == (Author.UNKNOWN, False, None, "")


@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (TrustView.of(anchors=[ANCHOR], blocked=[CLINIC], statements=[revokes(CLINIC)]), Author.BLOCKED),
        (TrustView.of(anchors=[ANCHOR], own={CLINIC: "me"}, statements=[revokes(CLINIC)]), Author.REVOKED),
        (TrustView.of(anchors=[ANCHOR], own={CLINIC: "me"}), Author.OWN),
        (TrustView.of(anchors=[ANCHOR]), Author.ANCHORED),
        (TrustView.of(), Author.UNKNOWN),
    ],
)
def test_of_several_things_to_say_of_an_author_the_first_holds(trust: TrustView, expected: Author) -> None:
    one = judge(ALERT, trust=trust)
    assert one.author is expected
    assert one.known is (expected in (Author.OWN, Author.ANCHORED))
    assert (CLINIC in trust.known) is one.known


def test_a_revocation_strikes_everything_but_what_it_names_as_good() -> None:
    trust = TrustView.of(anchors=[ANCHOR], statements=[revokes(CLINIC, "good")])
    assert judge(says("good"), trust=trust).author is Author.ANCHORED
    assert judge(says("bad"), trust=trust).author is Author.REVOKED
    assert judge(says("bad", author=STRANGER), trust=trust).author is Author.UNKNOWN


def test_two_revocations_that_differ_leave_nothing_good() -> None:
    statements = [revokes(CLINIC, "a", "b", number=1), revokes(CLINIC, "b", "c", number=2)]
    for order in permutations(statements):
        trust = TrustView.of(anchors=[ANCHOR], statements=order)
        assert [name for name in "abcd" if judge(says(name), trust=trust).known] == []


def test_two_revocations_that_agree_are_as_one() -> None:
    statements = [revokes(CLINIC, "a", number=number) for number in (1, 2)]
    trust = TrustView.of(anchors=[ANCHOR], statements=statements)
    assert [name for name in "ab" if judge(says(name), trust=trust).known] == ["a"]
    assert len(trust.counting) == 1


def test_a_key_with_something_good_left_is_still_among_the_known() -> None:
    assert CLINIC in TrustView.of(anchors=[ANCHOR], statements=[revokes(CLINIC, "good")]).known
    assert CLINIC not in TrustView.of(anchors=[ANCHOR], statements=[revokes(CLINIC)]).known


def test_a_key_of_this_relay_that_was_taken_back_goes_by_no_name() -> None:
    trust = TrustView.of(own={CLINIC: "me"}, statements=[revokes(CLINIC)])
    assert judge(says("x"), trust=trust).petname == ""
    assert judge(says("x"), trust=TrustView.of(own={CLINIC: "me"})).petname == "me"


def test_a_revoked_authors_cancel_no_longer_acts() -> None:
    cancel = cancels("cancel", "alert")
    struck = TrustView.of(anchors=[ANCHOR], statements=[revokes(CLINIC, "alert")])
    assert judge(ALERT, [cancel]).standing is Standing.CANCELLED
    assert judge(ALERT, [cancel], struck).standing is Standing.LIVE
    kept = TrustView.of(anchors=[ANCHOR], statements=[revokes(CLINIC, "alert", "cancel")])
    assert judge(ALERT, [cancel], kept).standing is Standing.CANCELLED


def test_a_revocation_does_not_strike_itself() -> None:
    statement = revokes(CLINIC)
    assert not TrustView.of(statements=[statement]).is_struck(statement.header)


def test_a_block_does_not_change_whether_a_bulletin_still_holds() -> None:
    blocked = TrustView.of(blocked=[CLINIC])
    assert standings(STORY, blocked) == standings(STORY)


def test_only_what_holds_now_and_comes_from_a_known_author_alarms() -> None:
    assert judge(ALERT).alarms
    assert judge(ALERT, clock=Clock(NOON + DAY, doubtful=True)).alarms
    assert not judge(says("alert", author=STRANGER)).alarms
    assert not judge(ALERT, clock=Clock(NOON + DAY)).alarms
    assert not judge(ALERT, clock=Clock(NOON - DAY)).alarms
    assert not judge(ALERT, STORY).alarms


def test_a_drill_says_so() -> None:
    assert judge(dataclasses.replace(ALERT, drill=True)).drill
    assert not judge(ALERT).drill


# What matters here


def test_what_known_authors_say_and_what_is_said_about_their_keys_matters_here() -> None:
    trust = TrustView.of(anchors=[ANCHOR], own={ME: "me"})
    assert trust.matters(ALERT)
    assert trust.matters(says("mine", author=ME))
    assert trust.matters(revokes(CLINIC).header)
    assert not trust.matters(says("theirs", author=STRANGER))
    assert not trust.matters(revokes(STRANGER).header)
    assert not trust.matters(updates("theirs", "alert", author=STRANGER))


def test_a_view_does_not_change_when_what_it_was_made_of_does() -> None:
    own = {ME: "me"}
    view = TrustView.of(own=own)
    own[STRANGER] = "stranger"
    assert view.known == {ME}
    with pytest.raises(TypeError):
        view.own[STRANGER] = "stranger"  # type: ignore[index]


def test_an_update_from_the_future_leaves_what_it_replaces_standing_until_it_is_valid() -> None:
    coming = updates("coming", "alert", sent=NOON + 7200)
    assert judge(ALERT, [coming], clock=Clock(NOON + 60)).standing is Standing.LIVE
    assert judge(ALERT, [coming], clock=Clock(NOON + 7200)).standing is Standing.SUPERSEDED
    assert judge(ALERT, [cancels("coming", "alert", sent=NOON + 7200)]).standing is Standing.CANCELLED


def test_a_doubtful_clock_brings_nothing_back_that_was_withdrawn() -> None:
    years_ahead = NOON + 800 * DAY
    cancel = cancels("cancel", "alert")
    assert judge(ALERT, [cancel], clock=Clock(years_ahead, doubtful=True)).standing is Standing.CANCELLED
    assert judge(ALERT, [cancel], clock=Clock(years_ahead)).standing is Standing.EXPIRED
