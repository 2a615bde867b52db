"""Every flaw is found where it is, and nowhere else."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    CapReference,
    Category,
    Certainty,
    Chain,
    Circle,
    MsgType,
    Origin,
    OriginKind,
    Point,
    Resource,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
)
from meshrelay.core.lint import LONGEST_HEADLINE, Finding, Flaw, lint

NOW = 1_760_000_000
OLD, OTHER = b"o" * 32, b"p" * 32
SAID = {"sender_name": "Акимат", "contact": "+7 700", "web": "https://example.org/water"}
SQUARE = (
    Point(43_000_000, 76_000_000),
    Point(43_000_000, 77_000_000),
    Point(44_000_000, 77_000_000),
    Point(44_000_000, 76_000_000),
    Point(43_000_000, 76_000_000),
)
BOW_TIE = (SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0])
GOOD = Bulletin(
    sent=NOW,
    expires=NOW + 3600,
    chain=Chain(bytes(8), 1),
    texts=(
        Text("kk", "Су", "Су жоқ", "Құбыр жарылды", "Қайнатыңыз", **SAID),
        Text("ru", "Вода", "Воды нет", "Прорвало трубу", "Кипятите", **SAID),
    ),
    responses=(Response.PREPARE,),
    urgency=Urgency.IMMEDIATE,
    severity=Severity.SEVERE,
    certainty=Certainty.OBSERVED,
    onset=NOW + 60,
    areas=(
        Area(
            (("ru", "Школа"),),
            polygons=(SQUARE,),
            circles=(Circle(Point(43_000_000, 76_000_000), 500),),
            geocodes=(("KATO", "750000000"),),
            altitude="1",
            ceiling="2",
        ),
    ),
    event_codes=(("OET:v1.2", "OET-201"),),
    resources=(Resource("Map", "image/png", "https://example.org/map.png"),),
    incidents="flood-3",
)
BARE = Text("ru", "Вода")
HERE = ("kk", "ru")


def changed(**fields: object) -> Bulletin:
    return dataclasses.replace(GOOD, **fields)  # type: ignore[arg-type]


def test_a_good_alert_has_no_flaw() -> None:
    assert lint(GOOD, languages=HERE) == ()
    assert lint(changed(texts=(dataclasses.replace(GOOD.texts[1], language="ru-KZ"),)), languages=("ru",)) == ()


def said(**words: str) -> Bulletin:
    """Return the good alert with other words in Kazakh."""
    return changed(texts=(dataclasses.replace(GOOD.texts[0], **words), GOOD.texts[1]))


def placed(**fields: Any) -> Bulletin:
    """Return the good alert with another area."""
    return changed(areas=(dataclasses.replace(GOOD.areas[0], **fields),))


def relayed(sent: str, *references: str, onset: str = "", expires: str = "") -> Bulletin:
    """Return the good alert as one that was imported from CAP."""
    named = tuple(CapReference("a", str(number), one) for number, one in enumerate(references))
    return changed(
        origin=Origin(
            OriginKind.CAP, identity=CapReference("a", "x", sent), references=named, onset=onset, expires=expires
        )
    )


LOCAL, LATER = "2025-10-09T13:53:20+05:00", "2025-10-09T14:53:20+05:00"
FLAWED = {
    Flaw.NO_AREA: changed(areas=()),
    Flaw.NOT_LOCATED: changed(areas=(*GOOD.areas, Area((("ru", "Школа"),)))),
    Flaw.ONLY_CODES: placed(polygons=(), circles=()),
    Flaw.NO_RADIUS: placed(circles=(Circle(Point(0, 0), 0),)),
    Flaw.CROSSING: placed(polygons=(SQUARE, BOW_TIE)),
    Flaw.EMPTY_CODE: placed(geocodes=(("KATO", ""),)),
    Flaw.HEIGHT: placed(altitude=""),
    Flaw.NO_EXPIRY: changed(expires_assumed=True),
    Flaw.ENDS_FIRST: changed(onset=NOW + 3601),
    Flaw.UTC_TIMES: relayed("2025-10-09T08:53:20-00:00", expires="2025-10-09T09:53:20Z"),
    Flaw.REFERS_AHEAD: relayed(LOCAL, LOCAL, LATER, expires=LATER),
    Flaw.NO_SEVERITY: changed(severity=Severity.UNKNOWN),
    Flaw.NO_URGENCY: changed(urgency=Urgency.UNKNOWN),
    Flaw.NO_CERTAINTY: changed(certainty=Certainty.UNKNOWN),
    Flaw.NO_RESPONSE: changed(responses=()),
    Flaw.BAD_FILE: changed(resources=(Resource("Map", "a picture", "https://example.org/map.png"),)),
    Flaw.IS_TEST: changed(status=Status.TEST),
}
FLAWED_WORDS = {
    Flaw.NO_HEADLINE: said(headline=""),
    Flaw.LONG_HEADLINE: said(headline="В" * (LONGEST_HEADLINE + 1)),
    Flaw.NO_DESCRIPTION: said(description=""),
    Flaw.NO_INSTRUCTION: said(instruction=""),
    Flaw.SAME_HEADLINE: said(description=GOOD.texts[0].headline),
    Flaw.SAME_INSTRUCTION: said(description=GOOD.texts[0].instruction),
    Flaw.MARKUP: said(description="Құбыр <br/> жарылды"),
    Flaw.NO_SENDER_NAME: said(sender_name=""),
    Flaw.NO_CONTACT: said(contact=""),
    Flaw.NO_WEB: said(web=""),
    Flaw.BAD_WEB: said(web="example.org/water"),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_one_flaw_is_found_alone(flaw: Flaw) -> None:
    assert lint(FLAWED[flaw], languages=HERE) == (Finding(flaw),)


@pytest.mark.parametrize("flaw", FLAWED_WORDS)
def test_a_flaw_of_words_is_found_alone_with_its_language(flaw: Flaw) -> None:
    assert lint(FLAWED_WORDS[flaw], languages=HERE) == (Finding(flaw, ("kk",)),)


def test_every_flaw_has_a_test_of_its_own() -> None:
    elsewhere = {Flaw.LEAVES_LIVE, Flaw.OTHER_CATEGORY, Flaw.OTHER_EVENT, Flaw.OTHER_EVENT_CODE}
    assert {*FLAWED, *FLAWED_WORDS, *elsewhere, Flaw.SAME_TEXT, Flaw.LACKS_LANGUAGE} == set(Flaw)


def test_a_language_of_the_place_that_is_missing_is_named() -> None:
    assert lint(changed(texts=GOOD.texts[1:]), languages=HERE) == (Finding(Flaw.LACKS_LANGUAGE, ("kk",)),)


def test_the_same_words_in_two_languages_are_found() -> None:
    copied = said(headline=GOOD.texts[1].headline)
    assert lint(copied, languages=HERE) == (Finding(Flaw.SAME_TEXT, ("kk", "ru")),)
    dialect = changed(texts=(GOOD.texts[1], dataclasses.replace(GOOD.texts[1], language="ru-KZ")))
    assert lint(dialect, languages=("ru",)) == ()


@pytest.mark.parametrize("text", ["5 < 6 and 7 > 6", "R&D", "<3", "a & b; c", "https://example.org/?a=1&b=2"])
def test_signs_that_are_no_markup_are_none(text: str) -> None:
    assert lint(said(description=text), languages=HERE) == ()


@pytest.mark.parametrize("text", ["<b>now</b>", "it&apos;s", "&nbsp;", "&#8217;", '<a href="x">x</a>'])
def test_tags_and_entities_are_markup(text: str) -> None:
    assert [one.flaw for one in lint(said(description=text), languages=HERE)] == [Flaw.MARKUP]


def test_a_ring_that_touches_itself_does_not_cross() -> None:
    a, b, c, d, _ = SQUARE
    inner = Point(43_500_000, 76_500_000)
    assert lint(placed(polygons=((a, b, inner, c, d, inner, a),)), languages=HERE) == ()


def test_a_large_ring_is_looked_at_in_bounded_time() -> None:
    rows = [Point(43_000_000 + number, 76_000_000 + (number % 2) * 1_000_000) for number in range(5_000)]
    began = time.process_time()
    lint(placed(polygons=((*rows, rows[0]),)), languages=HERE)
    assert time.process_time() - began < 2


def test_a_past_alert_that_was_imported_is_judged_by_its_own_times() -> None:
    past = relayed(LOCAL, onset=LOCAL, expires=LATER)
    assert lint(dataclasses.replace(past, expires=NOW + 1, onset=NOW), languages=HERE) == ()


def test_a_headline_of_140_signs_is_not_too_long() -> None:
    exact = dataclasses.replace(GOOD.texts[0], headline="В" * LONGEST_HEADLINE)
    assert lint(changed(texts=(exact, GOOD.texts[1])), languages=HERE) == ()


@pytest.mark.parametrize("msg_type", [MsgType.UPDATE, MsgType.CANCEL])
def test_what_ends_one_bulletin_names_all_that_hold_of_its_incident(msg_type: MsgType) -> None:
    incident = [(OLD, GOOD), (OTHER, GOOD)]
    some = changed(msg_type=msg_type, references=(OLD,))
    assert lint(some, incident=incident, languages=HERE) == (Finding(Flaw.LEAVES_LIVE, items=(OTHER,)),)
    both = changed(msg_type=msg_type, references=(OLD, OTHER))
    assert lint(both, incident=incident, languages=HERE) == ()


def test_an_alert_beside_others_of_its_incident_leaves_them_and_keeps_their_category() -> None:
    assert lint(GOOD, incident=[(OLD, GOOD)], languages=HERE) == ()
    others = {
        Flaw.OTHER_CATEGORY: changed(categories=(Category.FIRE,)),
        Flaw.OTHER_EVENT: said(event="Құбыр"),
        Flaw.OTHER_EVENT_CODE: changed(event_codes=()),
    }
    for flaw, other in others.items():
        assert lint(GOOD, incident=[(OLD, other)], languages=HERE) == (Finding(flaw, items=(OLD,)),)
    french = changed(texts=(Text("fr", "Eau", "Pas d'eau"),))
    assert lint(GOOD, incident=[(OLD, french)], languages=HERE) == ()


def test_a_cancel_need_not_say_anew_what_it_takes_back() -> None:
    cancel = changed(texts=(BARE,), areas=(), msg_type=MsgType.CANCEL, references=(OLD,), urgency=Urgency.UNKNOWN)
    assert lint(cancel, incident=[(OLD, GOOD)], languages=HERE) == ()
