from __future__ import annotations

from meshrelay.core.bulletin import Severity, Urgency
from meshrelay.core.envelope import Header, ItemClass, Kind
from meshrelay.core.order import carried, rank, shown
from tests.strategies import NOON


def header(
    number: int,
    *,
    item_class: int = ItemClass.REST,
    urgency: Urgency | None = Urgency.UNKNOWN,
    severity: Severity | None = Severity.UNKNOWN,
    sent: int = NOON,
) -> Header:
    item = number.to_bytes(32, "big")
    return Header(item, bytes(32), Kind.BULLETIN, item_class, sent, 1000, urgency=urgency, severity=severity)


def test_what_matters_here_is_carried_before_everything_else() -> None:
    known, unknown = header(1), header(2, item_class=ItemClass.KEYS)
    order = sorted([(unknown, False), (known, True)], key=lambda pair: carried(pair[0], matters=pair[1]))
    assert [one for one, _ in order] == [known, unknown]


def test_items_are_carried_by_class_then_what_is_extreme_then_urgency_then_the_newest() -> None:
    expected = [
        header(1, item_class=ItemClass.KEYS, urgency=None, severity=None),
        header(2, item_class=ItemClass.CORRECTION, urgency=Urgency.PAST),
        header(8, item_class=ItemClass.GRAVE, urgency=Urgency.PAST, severity=Severity.EXTREME, sent=NOON - 90),
        header(3, item_class=ItemClass.GRAVE, urgency=Urgency.IMMEDIATE, sent=NOON - 50),
        header(4, item_class=ItemClass.GRAVE, urgency=Urgency.EXPECTED, sent=NOON + 50),
        header(5, item_class=ItemClass.REST, urgency=Urgency.FUTURE, sent=NOON + 1),
        header(6, item_class=ItemClass.REST, urgency=Urgency.FUTURE, sent=NOON),
        header(7, item_class=ItemClass.REST, urgency=Urgency.FUTURE, sent=NOON),
    ]
    assert sorted(reversed(expected), key=lambda one: carried(one, matters=True)) == expected


def test_people_see_the_gravest_first_then_the_most_urgent_then_the_newest() -> None:
    expected = [
        header(1, severity=Severity.EXTREME, urgency=Urgency.UNKNOWN, sent=NOON - 50),
        header(2, severity=Severity.SEVERE, urgency=Urgency.IMMEDIATE, sent=NOON - 60),
        header(3, severity=Severity.SEVERE, urgency=Urgency.FUTURE, sent=NOON + 5),
        header(4, severity=Severity.SEVERE, urgency=Urgency.FUTURE, sent=NOON),
        header(5, severity=Severity.MINOR, urgency=Urgency.IMMEDIATE),
        header(6, severity=None, urgency=None),
    ]
    assert sorted(reversed(expected), key=shown) == expected


def test_a_rank_tells_every_severity_and_urgency_apart() -> None:
    ranks = [rank(header(1, severity=severity, urgency=urgency)) for severity in Severity for urgency in Urgency]
    assert ranks == sorted(set(ranks))
