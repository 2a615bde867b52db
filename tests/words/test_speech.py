"""What is said of senders and bulletins: never more than was checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    CapReference,
    Category,
    Certainty,
    Chain,
    MsgType,
    Origin,
    OriginKind,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
    with_order,
)
from meshrelay.core.envelope import Header, Kind
from meshrelay.core.trust import Anchor, Author, How, Standing, Verdict
from meshrelay.words import PAGE_LANGUAGES, Part, Sort, Words, shortened

TZ = timezone(timedelta(hours=5))
NOW = 1_931_504_760  # 2031-03-17 14:06 in TZ
KEY = bytes(range(32))
RELAY = "Three Poplars"
BULLETIN = Bulletin(
    sent=NOW - 3600,
    expires=NOW + 3600,
    chain=Chain(bytes(8), 1),
    texts=(Text("en", "Notice", "Boil water"), Text("ru", "Весть", "Кипятите воду")),
    severity=Severity.SEVERE,
)
HEADER = Header(bytes(32), KEY, Kind.BULLETIN, 2, BULLETIN.sent, 500, BULLETIN.expires)
ACT = replace(HEADER, id=bytes([7]) * 32, msg_type=MsgType.CANCEL, sent=NOW - 600)


def anchored(how: How = How.DIGITS) -> Verdict:
    anchor = Anchor(KEY, "Waterworks", NOW - 14 * 86400, how)
    return Verdict(Standing.LIVE, Author.ANCHORED, drill=False, known=True, anchor=anchor, petname="Waterworks")


def stranger(author: Author = Author.UNKNOWN, petname: str = "") -> Verdict:
    return Verdict(Standing.LIVE, author, drill=False, known=False, petname=petname)


OWN = Verdict(Standing.LIVE, Author.OWN, drill=False, known=True, petname="me")


def severe(severity: Severity, **more: object) -> Bulletin:
    return replace(BULLETIN, severity=severity, **more)  # type: ignore[arg-type]


def words(language: str = "en", *texts: str) -> Words:
    return Words(language, TZ, NOW, texts or (language, "en"))


def why(verdict: Verdict, bulletin: Bulletin = BULLETIN) -> str:
    return str(words().why(verdict, bulletin, KEY, relay=RELAY))


def test_a_known_sender_is_believed_because_of_an_act() -> None:
    assert why(anchored()) == (
        "Waterworks says so. "
        "Believed because people of this relay compared the digits of their key with them on 3 March."
    )
    assert "were given their key" in why(anchored(How.KEY))


def test_own_bulletins_speak_for_the_relay_and_not_for_a_file_name() -> None:
    assert why(OWN) == "Three Poplars says so. These are the people who run this relay."


def test_an_unknown_sender_claims_a_name_and_has_none() -> None:
    assert why(stranger()) == "Unknown sender, no name given, key 0001 0203."
    claiming = replace(BULLETIN, texts=(replace(BULLETIN.texts[0], sender_name="City  News\n24"),))
    assert why(stranger(), claiming) == "Unknown sender, calling itself “City News 24”, key 0001 0203."
    boasting = replace(BULLETIN, texts=(replace(BULLETIN.texts[0], sender_name="x" * 1000),))
    assert len(why(stranger(), boasting)) < 200


def test_a_withdrawn_or_blocked_key_is_named_as_such() -> None:
    assert why(stranger(Author.REVOKED, "Waterworks")).startswith("The key of Waterworks was withdrawn by its owner.")
    assert "0001 0203" in why(stranger(Author.REVOKED))
    assert "blocked" in why(stranger(Author.BLOCKED))


def test_words_of_others_are_relayed_and_unmarked_unless_somebody_looked() -> None:
    identity = CapReference("dwd@dwd.de", "1.2.3", "2031-03-17T00:00:00+00:00")
    relayed = replace(BULLETIN, origin=Origin(OriginKind.CAP, identity=identity), source="Weather Service")
    assert why(anchored(), relayed).endswith("Relayed from Weather Service. They did not check it.")
    checked = replace(relayed, origin=replace(relayed.origin, checked=True))
    assert why(anchored(), checked).endswith("They say that they checked it themselves.")
    report = replace(BULLETIN, origin=Origin(OriginKind.REPORT))
    assert why(anchored(), report).endswith("A visitor told them; they passed it on. They did not check it.")


def copies(verdict: Verdict, *others: Verdict) -> list[str]:
    headers = [replace(HEADER, author=bytes([number]) * 32) for number in range(len(others))]
    return [str(said) for said in words().copies(verdict, [*zip(headers, others, strict=True)], relay=RELAY)]


ALONE = "Whoever passes an alert on updates and withdraws only what they passed on themselves."


def test_whoever_else_passed_the_same_alert_on_is_named() -> None:
    assert copies(anchored()) == []
    assert copies(stranger(), anchored()) == ["Waterworks passed on the same alert too.", ALONE]
    assert copies(anchored(), stranger(), stranger()) == ["Unknown senders passed on the same alert too: 2.", ALONE]


def test_that_another_copy_was_withdrawn_is_said_where_this_one_still_holds() -> None:
    over = replace(anchored(), standing=Standing.CANCELLED, by=(ACT,))
    assert copies(stranger(), over) == [
        "Waterworks passed on the same alert too, and there it no longer holds: Cancelled.",
        ALONE,
    ]
    assert copies(replace(stranger(), by=(ACT,)), over) == ["Waterworks passed on the same alert too.", ALONE]


def test_a_withdrawal_that_was_passed_on_is_that_of_whoever_wrote_it() -> None:
    verdict = replace(anchored(), standing=Standing.CANCELLED, by=(ACT,))
    identity = CapReference("dwd@dwd.de", "1.2.4", "2031-03-17T00:00:00+00:00")
    cancel = replace(BULLETIN, texts=(), origin=Origin(OriginKind.CAP, identity=identity), note="")
    said = words().ended(verdict, HEADER, by=cancel, relay=RELAY)
    assert str(said) == "Withdrawn by dwd@dwd.de, as Waterworks passed on: 13:56."
    said = words().ended(verdict, HEADER, by=replace(cancel, note="It is over"), relay=RELAY)
    assert str(said) == "Withdrawn by dwd@dwd.de, as Waterworks passed on: 13:56. “It is over”"


@pytest.mark.parametrize("verdict", [anchored(), anchored(How.KEY), OWN])
def test_nobody_known_is_called_checked_verified_or_safe(verdict: Verdict) -> None:
    said = why(verdict).lower()
    assert not {"checked", "verified", "safe", "confirmed"} & set(said.replace(".", "").split())


def test_severity_of_a_stranger_is_what_it_says_of_itself() -> None:
    assert words().severity_line(anchored(), severe(Severity.EXTREME)) == "Extreme: act now"
    assert words().severity_line(stranger(), severe(Severity.EXTREME)) == "Unknown sender. It says: Extreme"
    drill = replace(anchored(), drill=True)
    assert words().severity_line(drill, severe(Severity.SEVERE)) == "Drill: practising Severe"
    assert (
        words().severity_line(replace(stranger(), drill=True), severe(Severity.SEVERE))
        == "Unknown sender. Drill: Severe"
    )


@pytest.mark.parametrize(
    ("severity", "urgency", "said"),
    [
        (Severity.EXTREME, Urgency.IMMEDIATE, "Extreme: act now"),
        (Severity.EXTREME, Urgency.UNKNOWN, "Extreme: act now"),
        (Severity.EXTREME, Urgency.PAST, "Extreme"),
        (Severity.EXTREME, Urgency.FUTURE, "Extreme"),
        (Severity.SEVERE, Urgency.EXPECTED, "Severe: act soon"),
        (Severity.SEVERE, Urgency.IMMEDIATE, "Severe"),
        (Severity.SEVERE, Urgency.FUTURE, "Severe"),
        (Severity.MODERATE, Urgency.FUTURE, "Moderate: plan for it"),
        (Severity.MODERATE, Urgency.PAST, "Moderate"),
        (Severity.MINOR, Urgency.PAST, "Minor: good to know"),
    ],
)
def test_a_severity_never_says_to_act_at_another_time_than_the_sender(
    severity: Severity, urgency: Urgency, said: str
) -> None:
    assert words().severity_line(anchored(), severe(severity, urgency=urgency)) == said


def test_a_withdrawal_says_that_it_is_one_and_not_how_severe_what_it_withdraws_was() -> None:
    cancel = severe(Severity.EXTREME, msg_type=MsgType.CANCEL)
    assert words().severity_line(anchored(), cancel) == "This withdraws an earlier bulletin."
    drill = replace(anchored(), drill=True)
    assert words().severity_line(drill, cancel) == "Drill, not real. This withdraws an earlier bulletin."
    said = words().severity_line(stranger(), cancel)
    assert said == "Unknown sender. It says: This withdraws an earlier bulletin."
    assert words().valid(cancel) is None


def test_a_withdrawal_does_not_end_with_its_time() -> None:
    header = replace(HEADER, msg_type=MsgType.CANCEL)
    over = replace(anchored(), standing=Standing.EXPIRED)
    assert words().standing(over, withdraws=True) is None
    assert words().ended(over, header, by=None, relay=RELAY) is None
    assert words().standing(over) == "Ended."


def test_what_a_withdrawal_says_in_words_of_its_own_is_said_of_what_it_withdrew() -> None:
    verdict = replace(anchored(), standing=Standing.CANCELLED, by=(ACT,))
    cancel = replace(BULLETIN, msg_type=MsgType.CANCEL, texts=(Text("ru", "Весть", "Вода чистая"),), note="проверено")
    said = words().ended(verdict, HEADER, by=cancel, own_words=True, relay=RELAY)
    assert said is not None
    assert str(said) == "Withdrawn by its author, Waterworks: 13:56. “Вода чистая” “проверено”"
    assert next((part.text, part.language) for part in said if part.sort is Sort.QUOTE) == ("Вода чистая", "ru")
    said = words().ended(verdict, HEADER, by=cancel, relay=RELAY)
    assert str(said) == "Withdrawn by its author, Waterworks: 13:56. “проверено”"


def test_the_end_of_a_bulletin_says_by_whom_and_what_stands_in_its_place() -> None:
    cancelled = replace(anchored(), standing=Standing.CANCELLED, by=(ACT,))
    note = replace(BULLETIN, msg_type=MsgType.CANCEL, note="the pump works again")
    said = words().ended(cancelled, HEADER, by=note, relay=RELAY)
    assert str(said) == "Withdrawn by its author, Waterworks: 13:56. “the pump works again”"
    replaced = replace(anchored(), standing=Standing.SUPERSEDED, by=(ACT,))
    said = words().ended(replaced, HEADER, by=BULLETIN, relay=RELAY)
    assert said is not None
    assert str(said) == "Replaced 13:56 by Boil water"
    assert [part.id for part in said if part.sort is Sort.TITLE] == [ACT.id]
    assert words().ended(anchored(), HEADER, by=None, relay=RELAY) is None


def test_a_missing_language_falls_back_and_says_so() -> None:
    voice = words("fa", "fa", "en")
    assert voice.title_of(BULLETIN) == Part("Boil water", Sort.TITLE, language="en")
    assert str(voice.fallback_note(BULLETIN)) == "به English، چون متنی به این زبان ندارد: فارسی."
    assert words("ru").fallback_note(BULLETIN) is None


def test_a_reader_of_none_of_its_languages_is_shown_the_original() -> None:
    texts = tuple(Text(tag, "Notice", f"Water {tag}") for tag in ("ar", "kk", "ru"))
    area = Area(names=(("ar", "Mill ar"), ("kk", "Mill kk")))
    written = with_order(replace(BULLETIN, texts=texts, areas=(area,)), "kk")
    assert words("en").title_of(written).text == "Water kk"
    assert [place.text for place in words("en").places(written)] == ["Mill kk"]
    assert words("ru").title_of(written).text == "Water ru"
    assert words("en").title_of(replace(written, parameters=())).text == "Water ar"


def test_a_beginning_to_come_and_an_assumed_end_are_said() -> None:
    later = replace(BULLETIN, onset=NOW + 600, expires_assumed=True)
    assert str(words().valid(later)) == ("from 14:16 until 15:06 today, UTC+5 (no end was given, one day was assumed)")
    past = replace(BULLETIN, expires=NOW - 7200, sent=NOW - 86400)
    assert str(words().valid(past)) == "ended 2 h ago: 12:06"


def test_an_alert_that_was_over_when_it_came_keeps_its_own_times() -> None:
    identity = CapReference("a", "b", "c")
    origin = Origin(OriginKind.CAP, identity=identity, expires="2020-01-01T00:00:00+01:00")
    past = replace(BULLETIN, expires=BULLETIN.sent + 1, origin=origin)
    assert "2020-01-01T00:00:00+01:00" in str(words().valid(past))


def test_what_a_stranger_wrote_is_one_part_and_no_place_to_fill() -> None:
    odd = replace(BULLETIN, texts=(replace(BULLETIN.texts[0], sender_name="{key} {0} <b>"),))
    said = words().why(stranger(), odd, KEY, relay=RELAY)
    assert [part.text for part in said if part.sort is Sort.QUOTE] == ["{key} {0} <b>"]


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_everything_can_be_said_in_every_language(language: str) -> None:
    voice = words(language)
    for how in How:
        assert "Waterworks" in str(voice.why(anchored(how), BULLETIN, KEY, relay=RELAY))
        assert "Waterworks" in str(voice.met("Waterworks", since=NOW, how=how))
    for author in Author:
        assert str(voice.why(stranger(author), BULLETIN, KEY, relay=RELAY))
    for standing in Standing:
        verdict = replace(anchored(), standing=standing, by=(ACT,))
        assert (voice.standing(verdict) is None) == (standing is Standing.LIVE)
        voice.ended(verdict, HEADER, by=BULLETIN, relay=RELAY)
    for severity in Severity:
        for verdict in (anchored(), stranger(), replace(anchored(), drill=True)):
            assert voice.severity_line(verdict, severe(severity))
    assert all(voice.category(category) for category in Category)
    assert all(voice.response(response) for response in Response)
    assert [urgency for urgency in Urgency if voice.urgency(urgency) is None] == [Urgency.UNKNOWN]
    assert [certainty for certainty in Certainty if voice.certainty(certainty) is None] == [Certainty.UNKNOWN]
    for count in (0, 1, 2, 3, 5, 11, 21, 100, 101, 111):
        assert voice.number(count) in voice.bulletins(count) or (language == "ar" and count < 3)
        assert voice.fresh(count)
        voice.contact(count, last=NOW - 60, started=NOW)


def test_places_come_in_the_language_that_fits() -> None:
    area = Area(names=(("en", "North Bank"), ("ru", "Северный берег")))
    voice = words("kk", "kk", "ru", "en")
    assert [place.text for place in voice.places(replace(BULLETIN, areas=(area,)))] == ["Северный берег"]


def test_a_bulletin_without_words_has_a_title_all_the_same() -> None:
    silent = replace(BULLETIN, texts=(), msg_type=MsgType.CANCEL, status=Status.ACTUAL)
    assert words().title_of(silent).text == "(no text)"
    assert words().fallback_note(silent) is None


def test_names_are_cut_to_one_short_line() -> None:
    assert shortened("  a\n b ") == "a b"
    assert len(shortened("x" * 500)) == 80
