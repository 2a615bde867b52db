"""Every flaw is found where it is, and nowhere else."""

from __future__ import annotations

import dataclasses

import pytest

from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    Category,
    Certainty,
    Chain,
    Circle,
    MsgType,
    Point,
    Severity,
    Text,
    Urgency,
)
from meshrelay.core.lint import LONGEST_HEADLINE, Finding, Flaw, lint

NOW = 1_760_000_000
OLD, OTHER = b"o" * 32, b"p" * 32
GOOD = Bulletin(
    sent=NOW,
    expires=NOW + 3600,
    chain=Chain(bytes(8), 1),
    texts=(
        Text("kk", "Су", "Су жоқ", instruction="Қайнатыңыз"),
        Text("ru", "Вода", "Воды нет", instruction="Кипятите"),
    ),
    urgency=Urgency.IMMEDIATE,
    severity=Severity.SEVERE,
    certainty=Certainty.OBSERVED,
    areas=(Area((("ru", "Школа"),), circles=(Circle(Point(43_000_000, 76_000_000), 500),)),),
    incidents="flood-3",
)
BARE = Text("ru", "Вода")
HERE = ("kk", "ru")


def changed(**fields: object) -> Bulletin:
    return dataclasses.replace(GOOD, **fields)  # type: ignore[arg-type]


def test_a_good_alert_has_no_flaw() -> None:
    assert lint(GOOD, languages=HERE) == ()
    assert lint(changed(texts=(dataclasses.replace(GOOD.texts[1], language="ru-KZ"),)), languages=("ru",)) == ()


@pytest.mark.parametrize(
    ("draft", "wanted"),
    [
        (changed(areas=()), Finding(Flaw.NO_AREA)),
        (changed(areas=(Area((("ru", "Школа"),)),)), Finding(Flaw.NOT_LOCATED)),
        (changed(expires_assumed=True), Finding(Flaw.NO_EXPIRY)),
        (changed(severity=Severity.UNKNOWN), Finding(Flaw.NO_SEVERITY)),
        (changed(urgency=Urgency.UNKNOWN), Finding(Flaw.NO_URGENCY)),
        (changed(certainty=Certainty.UNKNOWN), Finding(Flaw.NO_CERTAINTY)),
        (changed(texts=GOOD.texts[1:]), Finding(Flaw.LACKS_LANGUAGE, ("kk",))),
        (
            changed(texts=(GOOD.texts[0], dataclasses.replace(GOOD.texts[1], headline=""))),
            Finding(Flaw.NO_HEADLINE, ("ru",)),
        ),
        (
            changed(texts=(GOOD.texts[0], dataclasses.replace(GOOD.texts[1], headline="В" * (LONGEST_HEADLINE + 1)))),
            Finding(Flaw.LONG_HEADLINE, ("ru",)),
        ),
        (
            changed(texts=(dataclasses.replace(GOOD.texts[0], instruction=""), GOOD.texts[1])),
            Finding(Flaw.NO_INSTRUCTION, ("kk",)),
        ),
    ],
    ids=lambda value: value.flaw if isinstance(value, Finding) else "",
)
def test_one_flaw_is_found_alone(draft: Bulletin, wanted: Finding) -> None:
    assert lint(draft, languages=HERE) == (wanted,)


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
    fire = changed(categories=(Category.FIRE,))
    assert lint(GOOD, incident=[(OLD, fire)], languages=HERE) == (Finding(Flaw.OTHER_CATEGORY, items=(OLD,)),)


def test_a_cancel_need_not_say_anew_what_it_takes_back() -> None:
    cancel = changed(texts=(BARE,), areas=(), msg_type=MsgType.CANCEL, references=(OLD,), urgency=Urgency.UNKNOWN)
    assert lint(cancel, incident=[(OLD, GOOD)], languages=HERE) == ()
