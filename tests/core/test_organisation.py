from __future__ import annotations

import random
from itertools import permutations

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Category, Chain, Point, Severity, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.organisation import Organisation, Standing
from meshrelay.core.scope import Beyond
from meshrelay.core.statements import Scope
from tests.organising import DAY, Org, key
from tests.strategies import NOON

FIELD, OTHER, THIEF = key("field"), key("other field"), key("thief")


def says(
    org: Org, author: SigningKey = FIELD, *, sent: int = NOON, seq: int = 1, severity: Severity = Severity.MINOR
) -> SignedItem:
    """Return a bulletin in the organisation's name."""
    return sign(
        Bulletin(
            sent,
            sent + DAY,
            Chain(b"stream--", seq),
            texts=(Text("en", "Water", f"Water {seq}"),),
            org=org.id,
            severity=severity,
        ),
        author,
    )


def stands(held: Organisation, item: SignedItem, *, now: int = NOON) -> Standing:
    body = item.body
    assert isinstance(body, Bulletin)
    return held.judge(item.header, body, now=now).standing


# Roots


def test_the_first_root_alone_is_an_organisation() -> None:
    org = Org()
    held = Organisation.of(org.id, org.roots)
    assert held.root == org.root
    assert held.speakers == {one.public for one in (*org.keys, *org.recovery)}
    assert not held.disputed


def test_a_chain_of_roots_is_followed_to_its_end_in_any_order() -> None:
    org = Org()
    org.rotate([key("a"), key("b"), org.keys[0]])
    org.rotate([key("c"), key("d"), key("a")])
    for order in permutations(org.roots):
        held = Organisation.of(org.id, order)
        assert [root.id for root in held.roots] == [root.id for root in org.roots]
    assert Organisation.of(org.id, [org.roots[0], org.roots[2]]).root == Org().root, "a skipped version leads nowhere"


def test_enough_keys_of_the_version_before_have_to_sign() -> None:
    org = Org()
    strangers = [key("s"), key("t")]
    forged = org.successor(strangers, by=strangers, prev_threshold=2)
    assert Organisation.of(org.id, [*org.roots, forged]).root == org.root
    one_real = org.successor(strangers, by=[org.keys[0], strangers[0]], prev_threshold=2)
    assert Organisation.of(org.id, [*org.roots, one_real]).root == org.root
    lowered = org.successor(strangers, by=org.keys[:1], prev_threshold=1)
    assert Organisation.of(org.id, [*org.roots, lowered]).root == org.root


def test_recovery_keys_change_only_with_a_recovery_signature() -> None:
    org = Org()
    new = (key("new recovery").public,)
    without = org.successor(org.keys, recovery=new)
    assert Organisation.of(org.id, [*org.roots, without]).root == org.root
    signed = org.successor(org.keys, recovery=new, recovery_signs=True)
    root = Organisation.of(org.id, [*org.roots, signed]).root
    assert root is not None
    assert root.recovery == new


def test_rival_roots_leave_nothing_from_the_forked_version_on() -> None:
    org = Org()
    lent = org.delegates(FIELD.public)
    one, other = org.successor([key("a"), key("b")]), org.successor([THIEF, key("x")])
    held = Organisation.of(org.id, [*org.roots, lent, one, other])
    assert held.rivals == {one.id, other.id}
    assert held.root is None
    assert stands(held, says(org)) is Standing.DISPUTED
    assert not held.lends(FIELD.public, now=NOON)


def test_the_rival_that_a_recovery_key_signed_wins() -> None:
    org = Org()
    honest, forged = org.successor([key("a"), key("b")], recovery_signs=True), org.successor([THIEF, key("x")])
    held = Organisation.of(org.id, [*org.roots, forged, honest])
    assert held.roots[-1].id == honest.id
    assert not held.disputed


def test_a_recovery_key_can_decide_later_and_the_root_s_own_keys_cannot() -> None:
    org = Org()
    honest, forged = org.successor([key("a"), key("b")]), org.successor([THIEF, key("x")])
    by_root = org.chooses(forged.id, honest.id)
    assert Organisation.of(org.id, [*org.roots, honest, forged, by_root]).disputed
    decided = Organisation.of(
        org.id, [*org.roots, honest, forged, by_root, org.chooses(honest.id, forged.id, recovery=True)]
    )
    assert decided.roots[-1].id == honest.id


def test_the_operator_can_follow_one_rival_by_hand() -> None:
    org = Org()
    honest, forged = org.successor([key("a"), key("b")]), org.successor([THIEF, key("x")])
    held = Organisation.of(org.id, [*org.roots, honest, forged], followed=[honest.id])
    assert held.roots[-1].id == honest.id
    both = Organisation.of(org.id, [*org.roots, honest, forged], followed=[honest.id, forged.id])
    assert both.disputed


def test_two_rivals_with_recovery_signatures_are_still_disputed() -> None:
    org = Org()
    rivals = [org.successor([key(name), key("b")], recovery_signs=True) for name in "ac"]
    assert Organisation.of(org.id, [*org.roots, *rivals], followed=[rivals[0].id]).disputed


def test_a_thousand_rivals_keep_no_more_than_two_in_place() -> None:
    org = Org()
    rivals = [org.successor([THIEF, key(str(number))]) for number in range(20)]
    held = Organisation.of(org.id, [*org.roots, *rivals])
    assert len(held.counting & {item.id for item in rivals}) == 2


def test_the_version_that_rivals_follow_has_an_effect_and_so_have_its_keys() -> None:
    org = Org()
    retired = list(org.keys)
    lent = org.delegates(FIELD.public)
    second = org.rotate([org.keys[2], key("new"), key("newer")], recovery=key("new recovery"))
    rivals = [org.successor([*org.keys[:2], key(name)]) for name in ("a", "b")]
    held = Organisation.of(org.id, [*org.roots, lent, *rivals])
    assert held.disputed
    assert held.counting >= {org.id, second.id, *(item.id for item in rivals)}
    assert held.speakers >= {*org.root.keys, *org.root.recovery, *(one.public for one in retired)}
    # Were it to go, its rivals would follow nothing, and keys that it retired would speak again.
    without = Organisation.of(org.id, [org.roots[0], lent, *rivals])
    assert stands(without, says(org)) is Standing.DELEGATED
    assert stands(held, says(org)) is Standing.DISPUTED


def test_of_rivals_those_are_kept_between_which_it_would_be_decided() -> None:
    org = Org()
    plain = [org.successor([THIEF, key(str(number))]) for number in range(20)]
    signed = [org.successor([key(name), key("b")], recovery_signs=True) for name in "ac"]
    held = Organisation.of(org.id, [*org.roots, *plain, *signed])
    assert held.counting == {org.id, *(item.id for item in signed)}
    assert Organisation.of(org.id, [*org.roots, *plain, signed[0]]).roots[-1].id == signed[0].id


def test_a_version_whose_rivals_are_decided_between_is_one_of_the_chain() -> None:
    org = Org()
    honest, forged = org.successor([key("a"), key("b")], recovery_signs=True), org.successor([THIEF, key("x")])
    held = Organisation.of(org.id, [*org.roots, forged, honest])
    assert held.counting == {org.id, honest.id}


# Delegations


def test_a_lent_key_speaks_for_the_organisation_while_it_lasts() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public, end=NOON + DAY)])
    assert stands(held, says(org)) is Standing.DELEGATED
    assert stands(held, says(org), now=NOON + DAY) is Standing.DELEGATED
    assert stands(held, says(org), now=NOON + DAY + 1) is Standing.ENDED
    assert stands(held, says(org, sent=NOON + DAY + 1), now=NOON + DAY + 1) is Standing.ENDED
    assert stands(held, says(org, sent=NOON - DAY - 1)) is Standing.BEYOND
    assert stands(held, says(org, THIEF)) is Standing.NEVER_LENT


def test_while_the_clock_is_doubtful_no_delegation_has_ended() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public, end=NOON + DAY)])
    item = says(org)
    assert isinstance(item.body, Bulletin)
    assert held.judge(item.header, item.body, now=None).standing is Standing.DELEGATED


def test_a_later_delegation_revives_what_an_earlier_one_covered() -> None:
    org = Org()
    first, second = (
        org.delegates(FIELD.public, end=NOON + DAY),
        org.delegates(FIELD.public, start=NOON + 10 * DAY, end=NOON + 20 * DAY),
    )
    held = Organisation.of(org.id, [*org.roots, first, second])
    assert stands(held, says(org), now=NOON + 15 * DAY) is Standing.DELEGATED
    assert stands(held, says(org, sent=NOON + 5 * DAY), now=NOON + 15 * DAY) is Standing.BEYOND


@pytest.mark.parametrize(
    ("flaw", "make"),
    [
        ("one signature too few", lambda org: org.delegates(FIELD.public, by=org.keys[:1], threshold=1)),
        ("a stranger's", lambda org: org.delegates(FIELD.public, by=[THIEF, OTHER])),
        ("a real key and a stranger's", lambda org: org.delegates(FIELD.public, by=[org.keys[0], THIEF])),
        ("another organisation's", lambda org: Org("other").delegates(FIELD.public, org=org.id)),
        ("an unknown root's", lambda org: org.delegates(FIELD.public, root=b"r" * 32)),
        ("the lent key's own", lambda org: org.delegates(OTHER.public, by=[FIELD], threshold=1)),
    ],
)
def test_a_delegation_that_the_organisation_did_not_make_lends_nothing(flaw: str, make: object) -> None:
    org = Org()
    forged = make(org)  # type: ignore[operator]
    held = Organisation.of(org.id, [*org.roots, forged])
    assert stands(held, says(org)) is Standing.NEVER_LENT, flaw
    assert forged.id not in held.counting


def test_after_a_rotation_a_delegation_lasts_while_enough_of_its_signers_stay() -> None:
    org = Org()
    lent = org.delegates(FIELD.public)
    stay = org.successor([*org.keys[:2], key("new")], recovery_signs=True)
    assert stands(Organisation.of(org.id, [*org.roots, lent, stay]), says(org)) is Standing.DELEGATED
    go = org.successor([org.keys[0], key("new"), key("newer")], recovery_signs=True)
    assert stands(Organisation.of(org.id, [*org.roots, lent, go]), says(org)) is Standing.NEVER_LENT


SQUARE = tuple(
    Point(lat * 1_000_000, lon * 1_000_000) for lat, lon in ((43, 76), (44, 76), (44, 77), (43, 77), (43, 76))
)


@pytest.mark.parametrize(
    ("scope", "beyond"),
    [
        (Scope(), None),
        (Scope(severity=Severity.MODERATE), None),
        (Scope(severity=Severity.MINOR), Beyond.SEVERITY),
        (Scope(categories=(Category.MET, Category.SAFETY)), None),
        (Scope(categories=(Category.MET,)), Beyond.CATEGORY),
        (Scope(kinds=("attestation",)), Beyond.KIND),
        (Scope(kinds=("attestation", "bulletin")), None),
        (Scope(polygons=(SQUARE,)), Beyond.PLACE),
        (Scope(daily=1), None),
    ],
)
def test_a_lent_key_keeps_to_its_remit(scope: Scope, beyond: Beyond | None) -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public, scope=scope)])
    item = says(org, severity=Severity.MODERATE)
    assert isinstance(item.body, Bulletin)
    found = held.judge(item.header, item.body, now=NOON)
    assert found.beyond is beyond
    assert found.standing is (Standing.DELEGATED if beyond is None else Standing.BEYOND)


def test_beyond_the_daily_number_a_bulletin_is_outside_the_remit() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public, scope=Scope(daily=2))])
    item = says(org)
    assert held.judge(item.header, None, now=NOON, place_in_day=2).standing is Standing.DELEGATED
    assert held.judge(item.header, None, now=NOON, place_in_day=3).beyond is Beyond.DAILY


def test_one_delegation_that_covers_is_enough() -> None:
    org = Org()
    narrow, wide = (
        org.delegates(FIELD.public, scope=Scope(categories=(Category.MET,))),
        org.delegates(FIELD.public, scope=Scope(categories=(Category.SAFETY,)), end=NOON + DAY),
    )
    assert stands(Organisation.of(org.id, [*org.roots, narrow, wide]), says(org)) is Standing.DELEGATED


# Revocations


@pytest.mark.parametrize("recovery", [False, True])
def test_the_organisation_ends_a_key_but_for_what_stays_good(recovery: bool) -> None:
    org = Org()
    good, bad = says(org, seq=1), says(org, seq=2)
    revoked = org.revokes(FIELD.public, good=[good.id], recovery=recovery)
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public), revoked])
    assert stands(held, good) is Standing.DELEGATED
    assert stands(held, bad) is Standing.REVOKED
    assert held.lends(FIELD.public, now=NOON)
    assert revoked.id in held.counting


def test_what_is_good_must_be_good_in_every_revocation() -> None:
    org = Org()
    one, two = says(org, seq=1), says(org, seq=2)
    both = [org.revokes(FIELD.public, good=[one.id, two.id], recovery=True), org.revokes(FIELD.public, good=[one.id])]
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public), *both])
    assert stands(held, one) is Standing.DELEGATED
    assert stands(held, two) is Standing.REVOKED


def test_two_different_revocations_of_one_sort_leave_nothing_good() -> None:
    org = Org()
    one, two = says(org, seq=1), says(org, seq=2)
    several = [
        org.revokes(FIELD.public, good=good) for good in ([one.id, two.id], [one.id], [two.id], [one.id, b"x" * 32])
    ]
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public), *several])
    assert stands(held, one) is Standing.REVOKED
    assert len(held.counting & {item.id for item in several}) == 2
    assert not held.lends(FIELD.public, now=NOON)


def test_a_revocation_strikes_only_what_names_the_organisation() -> None:
    org, other = Org(), Org("other")
    held = Organisation.of(org.id, [*org.roots, org.revokes(FIELD.public)])
    assert held.strikes(says(org).header)
    assert not held.strikes(says(other).header)


@pytest.mark.parametrize(
    ("flaw", "make"),
    [
        ("one signature too few", lambda org: org.revokes(FIELD.public, by=org.keys[:1], threshold=1)),
        ("a stranger's", lambda org: org.revokes(FIELD.public, by=[THIEF, OTHER])),
        ("a stranger as recovery", lambda org: org.revokes(FIELD.public, by=[THIEF], recovery=True)),
        ("another organisation's", lambda org: Org("other").revokes(FIELD.public, org=org.id)),
        ("an unknown root's", lambda org: org.revokes(FIELD.public, root=b"r" * 32)),
    ],
)
def test_a_revocation_that_the_organisation_did_not_make_ends_nothing(flaw: str, make: object) -> None:
    org = Org()
    forged = make(org)  # type: ignore[operator]
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public), forged])
    assert stands(held, says(org)) is Standing.DELEGATED, flaw
    assert forged.id not in held.counting


def test_retired_keys_end_only_what_was_lent_up_to_their_time() -> None:
    org = Org()
    retired = list(org.keys)
    before = org.delegates(FIELD.public)
    ended = org.revokes(FIELD.public, by=retired[:2])
    org.rotate([key("a"), key("b")])
    again = org.delegates(FIELD.public, start=NOON + DAY)
    held = Organisation.of(org.id, [*org.roots, before, ended, again])
    assert stands(held, says(org, sent=NOON + 2 * DAY), now=NOON + 2 * DAY) is Standing.DELEGATED
    assert stands(held, says(org)) is Standing.REVOKED


# Acts of colleagues


def test_a_colleague_may_act_within_its_remit_and_a_stranger_never() -> None:
    org = Org()
    lent = [org.delegates(FIELD.public), org.delegates(OTHER.public, scope=Scope(severity=Severity.MODERATE))]
    held = Organisation.of(org.id, [*org.roots, *lent])
    minor, grave = says(org, severity=Severity.MINOR), says(org, severity=Severity.EXTREME)
    act = says(org, OTHER).header
    assert isinstance(minor.body, Bulletin)
    assert isinstance(grave.body, Bulletin)
    assert held.may_act(act, minor.header, minor.body)
    assert not held.may_act(act, grave.header, grave.body)
    assert not held.may_act(says(org, THIEF).header, minor.header, minor.body)
    assert not held.may_act(act, says(Org("other")).header, minor.body)
    assert not held.may_act(act, minor.header, None)


def test_the_later_end_of_a_delegation_undoes_no_act_and_a_revocation_does() -> None:
    org = Org()
    target, act = says(org), says(org, OTHER)
    assert isinstance(target.body, Bulletin)
    lent = [org.delegates(FIELD.public, end=NOON + 60), org.delegates(OTHER.public, end=NOON + 60)]
    assert Organisation.of(org.id, [*org.roots, *lent]).may_act(act.header, target.header, target.body)
    revoked = [*org.roots, *lent, org.revokes(OTHER.public)]
    assert not Organisation.of(org.id, revoked).may_act(act.header, target.header, target.body)
    kept = [*org.roots, *lent, org.revokes(OTHER.public, good=[act.id])]
    assert Organisation.of(org.id, kept).may_act(act.header, target.header, target.body)


def test_an_organisation_has_no_power_over_a_key_that_has_not_named_it() -> None:
    org = Org()
    lent = [org.delegates(FIELD.public), org.delegates(OTHER.public)]
    held = Organisation.of(org.id, [*org.roots, *lent])
    plain = sign(Bulletin(NOON, NOON + DAY, Chain(b"stream--", 1), texts=(Text("en", "Water"),)), FIELD)
    assert isinstance(plain.body, Bulletin)
    assert not held.may_act(says(org, OTHER).header, plain.header, plain.body)


def test_the_order_of_arrival_changes_nothing() -> None:
    org = Org()
    statements = [org.delegates(FIELD.public), org.revokes(OTHER.public), org.delegates(OTHER.public)]
    org.rotate([*org.keys[:2], key("new")])
    statements += [org.revokes(FIELD.public, recovery=True, good=[b"g" * 32]), org.delegates(THIEF.public)]
    dice = random.Random(3)
    everything = [*org.roots, *statements]
    expected = Organisation.of(org.id, everything)
    for _ in range(20):
        dice.shuffle(everything)
        assert Organisation.of(org.id, everything) == expected
