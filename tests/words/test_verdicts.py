"""What is said of trust: who is behind a bulletin, what others say of it, who ended it, and what a statement says."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from meshrelay.core import organisation
from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Severity
from meshrelay.core.envelope import SignedItem
from meshrelay.core.organisation import Membership
from meshrelay.core.scope import Beyond
from meshrelay.core.statements import Attestation, Branch, Fault, Revocation, Says, Successor
from meshrelay.core.trust import Anchor, Author, How, Standing, Verdict, Word
from meshrelay.words import PAGE_LANGUAGES, Sort
from tests.organising import Org, key
from tests.strategies import NOON
from tests.words.test_speech import ACT, BULLETIN, HEADER, KEY, NOW, RELAY, anchored, severe, stranger, words

ORG = bytes([9]) * 32
CLINIC = Anchor(ORG, "Clinic", NOW - 14 * 86400, How.DIGITS)
UNTIL = NOW + 20 * 86400
NAMING = replace(BULLETIN, org=ORG)
CLAIMING = replace(NAMING, texts=(replace(BULLETIN.texts[0], sender_name="Night watch"),))
COLLEAGUE = replace(ACT, author=bytes([3]) * 32, org=ORG)
Stands = organisation.Standing


def member(author: Author, standing: Stands, beyond: Beyond | None = None, *, title: str = "") -> Verdict:
    """Return the verdict on a bulletin that names the clinic, which is known here."""
    return replace(
        stranger(author),
        known=author is Author.DELEGATED,
        organisation=CLINIC,
        membership=Membership(standing, beyond, UNTIL, title),
    )


LENT = member(Author.DELEGATED, Stands.DELEGATED, title="field desk")


def why(verdict: Verdict, bulletin: object = NAMING, language: str = "en") -> str:
    assert isinstance(bulletin, type(BULLETIN))
    return str(words(language).why(verdict, bulletin, KEY, relay=RELAY))


def test_a_lent_key_speaks_by_the_name_of_who_lent_it_and_says_until_when() -> None:
    assert why(LENT) == (
        "Clinic says so. The key was lent by Clinic until 6 April: field desk. "
        "Believed because people of this relay compared the digits of this organisation with it on 3 March."
    )
    assert words().who(LENT, relay=RELAY).text == "Clinic"
    untitled = member(Author.DELEGATED, Stands.DELEGATED)
    assert "until 6 April. Believed" in why(untitled)
    assert why(replace(LENT, drill=True)).startswith("Clinic practises this.")
    given = replace(LENT, organisation=replace(CLINIC, how=How.KEY))
    assert why(given).endswith("took this organisation on as known on 3 March.")


def test_the_seal_of_a_lent_key_names_the_key_that_signed() -> None:
    assert str(words().seal(LENT, HEADER, relay=RELAY)).startswith("0001 0203 signed this bulletin")


@pytest.mark.parametrize(
    ("beyond", "said"),
    [
        (Beyond.TIME, "for the time when this was signed"),
        (Beyond.KIND, "for bulletins"),
        (Beyond.SEVERITY, "for anything as severe as this"),
        (Beyond.CATEGORY, "for this subject"),
        (Beyond.PLACE, "for this place"),
        (Beyond.DAILY, "for so many bulletins in one day"),
    ],
)
def test_what_is_outside_of_a_remit_says_in_which_way(beyond: Beyond, said: str) -> None:
    verdict = member(Author.OUTSIDE_REMIT, Stands.BEYOND, beyond)
    assert why(verdict) == f"Clinic lent this key its name, but not {said}."
    assert why(verdict, CLAIMING).endswith("It calls itself “Night watch”.")
    assert words().severity_line(verdict, severe(Severity.EXTREME)) == "Outside its remit. It says: Extreme"


def test_a_delegation_that_ended_says_whose_key_it_was_and_until_when() -> None:
    verdict = member(Author.DELEGATION_ENDED, Stands.ENDED)
    assert why(verdict) == "This was a key of Clinic until 6 April. It speaks for them no longer."
    assert words().severity_line(verdict, severe(Severity.MINOR)) == "Key no longer lent. It says: Minor"


def test_whoever_borrows_a_known_name_is_warned_about_before_anything_else() -> None:
    verdict = member(Author.UNKNOWN, Stands.NEVER_LENT)
    assert why(verdict, CLAIMING) == (
        "Careful: perhaps somebody pretends to be Clinic. It names Clinic, but they never lent this key their name. "
        "Unknown sender, calling itself “Night watch”, key 0001 0203."
    )


def test_a_name_that_nobody_here_knows_is_said_to_be_that() -> None:
    assert why(stranger()) == (
        "Unknown sender, no name given, key 0001 0203. It names an organisation that nobody here knows, 0909 0909."
    )


def test_an_organisation_in_dispute_is_not_to_be_relied_on_alone() -> None:
    verdict = member(Author.DISPUTED_ORGANISATION, Stands.DISPUTED)
    assert why(verdict).startswith("It names Clinic. Two sets of keys claim to be them")
    assert words().severity_line(verdict, severe(Severity.SEVERE)) == "Organisation in dispute. It says: Severe"


def test_a_key_withdrawn_by_its_organisation_is_not_called_withdrawn_by_its_owner() -> None:
    by_clinic = replace(member(Author.REVOKED, Stands.REVOKED), against=ORG)
    assert why(by_clinic) == "Clinic took its name back from this key, 0001 0203. Do not rely on this."
    unknown_here = replace(stranger(Author.REVOKED), against=ORG)
    assert why(unknown_here).startswith("0909 0909 took its name back")
    by_owner = replace(member(Author.REVOKED, Stands.DELEGATED), against=KEY)
    assert why(by_owner) == "This key, 0001 0203, was withdrawn by its owner. Do not rely on this."


def test_a_blocked_organisation_is_told_from_a_blocked_key() -> None:
    assert why(replace(stranger(Author.BLOCKED), against=ORG)).endswith("the organisation that it names, 0909 0909.")
    assert "blocked this sender" in why(replace(stranger(Author.BLOCKED), against=KEY))


def test_a_forked_key_is_not_relied_on_even_by_its_name() -> None:
    verdict = stranger(Author.FORKED, "Waterworks")
    assert why(verdict, BULLETIN).startswith("The key of Waterworks gave two different texts the same number")
    assert words().severity_line(verdict, severe(Severity.SEVERE)) == "Sender contradicts itself. It says: Severe"
    assert why(stranger(Author.FORKED), BULLETIN).startswith("The key 0001 0203 gave two")


def test_a_known_key_that_names_an_organisation_says_how_it_stands_to_it() -> None:
    lent = replace(anchored(), organisation=CLINIC, membership=LENT.membership)
    assert why(lent).startswith("Waterworks says so. Believed because")
    assert why(lent).endswith("The key was lent by Clinic until 6 April: field desk.")
    never = replace(lent, membership=Membership(Stands.NEVER_LENT))
    assert why(never).endswith("It names Clinic, but they never lent this key their name.")
    assert "Careful" not in why(never)


# What others say


def says(what: Says, petname: str = "River school", *, fault: Fault | None = None, **more: object) -> Word:
    return replace(Word(bytes([4]) * 32, petname, what, NOW - 600, fault), **more)  # type: ignore[arg-type]


SEEN, FALSE = says(Says.CONFIRM), says(Says.DISPUTE, "Waterworks", fault=Fault.FALSE, note="the tap runs")


def test_known_voices_confirm_and_dispute_by_name_and_the_others_are_a_number() -> None:
    verdict = replace(stranger(), words=(FALSE, SEEN, says(Says.CANNOT_CHECK)), unknown_words=12)
    assert [str(said) for said in words().others(verdict, relay=RELAY)] == [
        "Disputed by Waterworks: they say that it is false (13:56). “the tap runs”",
        "Confirmed by River school: they saw it themselves (13:56).",
        "River school could not check it (13:56).",
        "12 unknown senders say something about it too, which is not counted.",
    ]
    assert words().others(stranger(), relay=RELAY) == ()


def test_an_own_word_goes_by_the_relay_s_name() -> None:
    own = replace(SEEN, petname="", own=True)
    assert "Three Poplars" in str(words().attested(own, relay=RELAY))


def test_a_card_says_in_one_line_who_disputes_and_who_confirms() -> None:
    verdict = replace(stranger(), words=(FALSE, SEEN))
    assert str(words().disputed(verdict, relay=RELAY)).startswith("Disputed by Waterworks: they say that it is false")
    assert str(words().confirmed(verdict, relay=RELAY)) == "Confirmed by River school."
    assert words().disputed(replace(verdict, words=(SEEN,)), relay=RELAY) is None
    many = replace(verdict, words=tuple(replace(FALSE, petname=f"P{n}") for n in range(5)))
    assert str(words().disputed(many, relay=RELAY)) == "Disputed by P0, P1, P2 and 2 more."


def test_a_long_note_is_whole_where_everything_is_said_and_short_on_a_card() -> None:
    verdict = replace(stranger(), words=(replace(FALSE, note="x" * 500),))
    (whole,) = words().others(verdict, relay=RELAY)
    assert "x" * 500 in str(whole)
    assert "x" * 100 not in str(words().disputed(verdict, relay=RELAY))


def test_what_somebody_noted_is_one_part_and_no_place_to_fill() -> None:
    said = words().attested(replace(SEEN, note="{name} <b>"), relay=RELAY)
    assert [part.text for part in said if part.sort is Sort.QUOTE] == ["{name} <b>"]


# How it ended


def test_a_colleague_who_ends_a_bulletin_is_not_called_its_author() -> None:
    cancelled = replace(LENT, standing=Standing.CANCELLED, by=(COLLEAGUE,))
    said = words().ended(cancelled, HEADER, by=replace(BULLETIN, note="refilled"), relay=RELAY)
    assert str(said) == "Withdrawn by a colleague at Clinic: 13:56. “refilled”"
    own = replace(cancelled, by=(ACT,))
    assert "Withdrawn by its author, Clinic" in str(words().ended(own, HEADER, by=None, relay=RELAY))
    replaced = replace(LENT, standing=Standing.SUPERSEDED, by=(COLLEAGUE,))
    said = words().ended(replaced, HEADER, by=BULLETIN, relay=RELAY)
    assert str(said) == "Replaced by a colleague at Clinic (13:56): Boil water"
    nameless = replace(stranger(), standing=Standing.CANCELLED, by=(COLLEAGUE,))
    assert "a colleague at 0909 0909" in str(words().ended(nameless, HEADER, by=None, relay=RELAY))


# What is no bulletin


def statements() -> dict[str, SignedItem]:
    org, lent, other = Org(), key("lent"), key("other")
    return {
        "root": org.roots[0],
        "delegation": org.delegates(lent.public),
        "self-revocation": sign(Revocation(NOON, lent.public), lent),
        "revocation": org.revokes(lent.public),
        "successor": sign(Successor(NOON, other.public), lent),
        "branch": sign(Branch(NOON, bytes(32), (bytes([1]) * 32,)), lent),
        "org branch": org.chooses(bytes(32), bytes([1]) * 32),
        **{
            f"{what} {fault}": sign(Attestation(NOON, bytes(8), 1, bytes(32), what, fault, "a note"), lent)
            for what, fault in product(Says, (None, *Fault))
            if (what is Says.DISPUTE) == (fault is not None)
        },
    }


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_statement_says_what_it_is_in_every_language(language: str) -> None:
    said = {name: str(words(language).statement(item, petname=lambda _: "")) for name, item in statements().items()}
    assert len(set(said.values())) == len(said)


def test_a_statement_names_those_who_have_a_name_here() -> None:
    item = statements()["delegation"]
    assert str(words().statement(item, petname=lambda one: "Clinic" if one != key("lent").public else "")).startswith(
        "The organisation Clinic lends its name to the key "
    )
    assert "It calls itself “clinic”." in str(words().statement(statements()["root"], petname=lambda _: ""))


# In every language

VERDICTS = [
    LENT,
    member(Author.DELEGATED, Stands.DELEGATED),
    *(member(Author.OUTSIDE_REMIT, Stands.BEYOND, beyond) for beyond in Beyond),
    member(Author.DELEGATION_ENDED, Stands.ENDED),
    member(Author.UNKNOWN, Stands.NEVER_LENT),
    member(Author.DISPUTED_ORGANISATION, Stands.DISPUTED),
    stranger(),
    stranger(Author.FORKED),
    replace(member(Author.REVOKED, Stands.REVOKED), against=ORG),
    replace(stranger(Author.REVOKED), against=KEY),
    replace(stranger(Author.BLOCKED), against=ORG),
    replace(stranger(Author.BLOCKED), against=KEY),
]


@pytest.mark.parametrize("language", [one for one in PAGE_LANGUAGES if one != "en"])
def test_every_verdict_is_said_in_the_language_itself_and_differs_from_the_others(language: str) -> None:
    said, english = [why(verdict, NAMING, language) for verdict in VERDICTS], [why(one) for one in VERDICTS]
    assert len(set(said)) == len(VERDICTS)
    assert not set(said) & set(english)
    for author in Author:
        if author not in (Author.OWN, Author.ANCHORED, Author.DELEGATED):
            line = words(language).severity_line(stranger(author), severe(Severity.SEVERE))
            assert line != words().severity_line(stranger(author), severe(Severity.SEVERE))


@pytest.mark.parametrize("language", [one for one in PAGE_LANGUAGES if one != "en"])
def test_every_word_of_others_and_every_end_is_said_in_the_language_itself(language: str) -> None:
    spoken = [SEEN, says(Says.CANNOT_CHECK), *(says(Says.DISPUTE, fault=fault) for fault in Fault)]
    for word in spoken:
        assert str(words(language).attested(word, relay=RELAY)) != str(words().attested(word, relay=RELAY))
    for count in (0, 1, 2, 3, 5, 11, 100):
        for count_of in ("not_counted", "missing"):
            said = getattr(words(language), count_of)(count)
            assert said != getattr(words(), count_of)(count)
            assert words(language).number(count) in said or (language == "ar" and count < 3)
    for standing in (Standing.CANCELLED, Standing.SUPERSEDED):
        verdict = replace(LENT, standing=standing, by=(COLLEAGUE,))
        said = str(words(language).ended(verdict, HEADER, by=BULLETIN, relay=RELAY))
        assert "Clinic" in said
        assert said != str(words().ended(verdict, HEADER, by=BULLETIN, relay=RELAY))
    assert "Clinic" in str(words(language).heard(LENT, NOW - 60, relay=RELAY))


@pytest.mark.parametrize("verdict", VERDICTS)
def test_no_verdict_calls_anybody_checked_verified_or_safe(verdict: Verdict) -> None:
    said = why(verdict, CLAIMING).lower() + " ".join(map(str, words().others(verdict, relay=RELAY)))
    assert not {"checked", "verified", "safe", "confirmed"} & set(said.replace(".", "").split())
