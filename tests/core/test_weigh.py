"""Whose word on a bulletin counts: known voices once each, nobody on their own, strangers as a number."""

from __future__ import annotations

from itertools import permutations

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Attestation, Fault, Revocation, Says, Scope
from meshrelay.core.trust import Acts, Anchor, Author, Surroundings, TrustView, Verdict, verdict
from tests.organising import DAY, Org, key
from tests.strategies import NOON

ME, SCHOOL, WATER, STRANGER = key("me"), key("school"), key("water"), key("stranger")
FIELD, NIGHT = key("field"), key("night")
NOW = Clock(NOON + 3600)
_streams = iter(range(1, 10_000))


def notice(author: SigningKey = STRANGER, org: bytes | None = None) -> SignedItem:
    body = Bulletin(NOON, NOON + DAY, Chain(b"stream--", 1), texts=(Text("en", "Notice", "Water"),), org=org)
    return sign(body, author)


def word(
    author: SigningKey,
    target: SignedItem,
    says: Says = Says.CONFIRM,
    *,
    sent: int = NOON + 60,
    org: bytes | None = None,
) -> SignedItem:
    fault = Fault.FALSE if says is Says.DISPUTE else None
    return sign(Attestation(sent, bytes(8), next(_streams), target.id, says, fault, org=org), author)


def view(*organisations: Organisation, anchored: tuple[bytes, ...] = (), **more: object) -> TrustView:
    anchors = [Anchor(one.public, name, NOON - DAY) for one, name in ((SCHOOL, "School"), (WATER, "Waterworks"))]
    anchors += [Anchor(org, "Clinic", NOON - DAY) for org in anchored]
    return TrustView.of(
        anchors=anchors,
        own={ME.public: "me"},
        organisations=organisations,
        now=NOW.now,
        **more,  # type: ignore[arg-type]
    )


def judged(target: SignedItem, *words: SignedItem, trust: TrustView | None = None, clock: Clock = NOW) -> Verdict:
    return verdict(target.header, Acts(), trust or view(), clock, Surroundings(attestations=words))


def voices(found: Verdict) -> list[tuple[str, Says]]:
    return [(one.petname, one.says) for one in found.words]


def test_known_keys_are_voices_and_strangers_are_a_number() -> None:
    target = notice()
    found = judged(target, word(SCHOOL, target), word(key("x"), target), word(key("y"), target))
    assert voices(found) == [("School", Says.CONFIRM)]
    assert found.unknown_words == 2


def test_disputes_come_first_and_then_the_newest_whatever_the_order() -> None:
    target = notice()
    said = [
        word(SCHOOL, target, sent=NOON + 90),
        word(WATER, target, Says.DISPUTE),
        word(ME, target, Says.CANNOT_CHECK, sent=NOON + 80),
    ]
    for order in permutations(said):
        found = judged(target, *order)
        assert voices(found) == [("Waterworks", Says.DISPUTE), ("School", Says.CONFIRM), ("", Says.CANNOT_CHECK)]
        assert [one.own for one in found.words] == [False, False, True]


def test_the_newest_word_of_a_key_takes_the_place_of_its_earlier_ones() -> None:
    target = notice()
    said = [word(SCHOOL, target), word(SCHOOL, target, Says.DISPUTE, sent=NOON + 61)]
    for order in permutations(said):
        assert voices(judged(target, *order)) == [("School", Says.DISPUTE)]


def test_a_word_about_something_else_or_of_a_time_to_come_is_none() -> None:
    target = notice()
    ahead = word(WATER, target, sent=NOW.now + 7200)
    assert judged(target, word(SCHOOL, notice(WATER)), ahead).words == ()
    assert voices(judged(target, ahead, clock=Clock(NOW.now, doubtful=True))) == [("Waterworks", Says.CONFIRM)]


def test_nobody_is_counted_on_what_they_said_themselves() -> None:
    target = notice(SCHOOL)
    found = judged(target, word(SCHOOL, target))
    assert (found.words, found.unknown_words) == ((), 0)


@pytest.mark.parametrize("author", [SCHOOL, FIELD])
@pytest.mark.parametrize("naming", [True, False])
def test_a_colleague_is_not_counted_by_whichever_name(author: SigningKey, naming: bool) -> None:
    org = Org()
    lent = [org.delegates(one.public) for one in (NIGHT, SCHOOL, FIELD)]
    held = Organisation.of(org.id, [*org.roots, *lent])
    target = notice(NIGHT, org.id)
    found = judged(target, word(author, target, org=org.id if naming else None), trust=view(held, anchored=(org.id,)))
    assert (found.words, found.unknown_words) == ((), 0)


def test_an_organisation_is_one_voice_whichever_of_its_keys_speak() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, *(org.delegates(one.public) for one in (NIGHT, FIELD))])
    target = notice()
    said = [word(NIGHT, target, org=org.id), word(FIELD, target, Says.DISPUTE, sent=NOON + 70, org=org.id)]
    found = judged(target, *said, trust=view(held, anchored=(org.id,)))
    assert voices(found) == [("Clinic", Says.DISPUTE)]
    assert [one.voice for one in found.words] == [org.id]
    unknown_here = judged(target, *said, trust=view(held))
    assert (unknown_here.words, unknown_here.unknown_words) == ((), 2)


def test_a_key_lent_for_bulletins_alone_does_not_attest_for_its_organisation() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public, scope=Scope(kinds=("bulletin",)))])
    target = notice()
    found = judged(target, word(FIELD, target, org=org.id), trust=view(held, anchored=(org.id,)))
    assert (found.words, found.unknown_words) == ((), 1)


def test_a_word_of_a_blocked_or_revoked_key_is_not_even_a_number() -> None:
    target = notice()
    said = word(SCHOOL, target)
    for trust in (
        view(blocked=[SCHOOL.public]),
        view(statements=[sign(Revocation(NOON, SCHOOL.public), SCHOOL)]),
    ):
        found = judged(target, said, trust=trust)
        assert (found.words, found.unknown_words) == ((), 0)


def test_a_word_hides_nothing_and_changes_no_lane() -> None:
    target = notice(WATER)
    plain, disputed = judged(target), judged(target, word(SCHOOL, target, Says.DISPUTE))
    assert (plain.standing, plain.known, plain.alarms) == (disputed.standing, disputed.known, disputed.alarms)


def test_a_verdict_says_who_is_against_it_the_key_or_the_organisation() -> None:
    org = Org()
    held = Organisation.of(org.id, [*org.roots, org.delegates(FIELD.public), org.revokes(FIELD.public)])
    target = notice(FIELD, org.id)
    by_org = judged(target, trust=view(held, anchored=(org.id,)))
    assert (by_org.author, by_org.against) == (Author.REVOKED, org.id)
    itself = view(held, anchored=(org.id,), statements=[sign(Revocation(NOON, FIELD.public), FIELD)])
    assert judged(target, trust=itself).against == FIELD.public
    blocked = judged(target, trust=view(held, blocked=[FIELD.public]))
    assert (blocked.author, blocked.against) == (Author.BLOCKED, FIELD.public)
    named = judged(notice(NIGHT, org.id), trust=view(held, blocked=[org.id]))
    assert (named.author, named.against) == (Author.BLOCKED, org.id)
    assert judged(notice()).against is None
