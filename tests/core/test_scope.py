"""Places: what lies within which, and how much is compared at most. The bounds themselves: tests/vectors/verdicts."""

from __future__ import annotations

import math

import pytest

from meshrelay.core import scope
from meshrelay.core.bulletin import Area, Bulletin, Chain, Circle, Point, Text
from meshrelay.core.organisation import Organisation
from meshrelay.core.scope import MOST_COMPARISONS, Beyond, Places, Remit, beyond, beyond_each
from meshrelay.core.statements import Scope
from tests.core.test_organisation import says
from tests.organising import DAY, Org, key
from tests.strategies import NOON

NAMES = (("en", "Quarter"),)


def polygon(*spots: tuple[float, float]) -> tuple[Point, ...]:
    """Return a closed polygon, given in degrees."""
    return tuple(Point(round(lat * 1e6), round(lon * 1e6)) for lat, lon in (*spots, spots[0]))


def ring(corners: int, radius: float, *, lat: float = 43, lon: float = 76) -> tuple[Point, ...]:
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    return polygon(*((lat + radius * math.sin(turn), lon + radius * math.cos(turn)) for turn in turns))


def square(low: float, high: float) -> tuple[Point, ...]:
    return polygon((low, low), (low, high), (high, high), (high, low))


def bulletin(*areas: Area) -> Bulletin:
    return Bulletin(NOON, NOON + DAY, Chain(b"stream--", 1), (Text("en", "Water"),), areas=areas)


def speaks_of(*polygons: tuple[Point, ...], circles: tuple[Circle, ...] = ()) -> Bulletin:
    return bulletin(Area(NAMES, polygons=polygons, circles=circles))


def remit(name: str, bounds: Scope) -> Remit:
    return Remit(name.encode(), bounds, Places.of(bounds))


HOLLOW = polygon((0, 0), (0, 9), (9, 9), (9, 6), (3, 6), (3, 3), (9, 3), (9, 0))
"""A square open on one side, down to its middle."""


@pytest.mark.parametrize(
    ("what", "shape", "within"),
    [
        ("itself", HOLLOW, True),
        ("on its edge", square(0, 3), True),
        ("in the hollow", polygon((4, 4), (4, 5), (5, 5), (5, 4)), False),
        ("across the hollow, corners within", polygon((8, 1), (8, 8), (7, 8), (7, 1)), False),
        ("a line through the hollow", polygon((7, 1), (7, 8), (7, 8)), False),
        ("half outside", polygon((1, 1), (1, 10), (2, 10), (2, 1)), False),
        ("one spot, again and again", polygon((1, 1), (1, 1), (1, 1)), True),
    ],
)
def test_a_shape_lies_within_a_polygon_or_not(what: str, shape: tuple[Point, ...], within: bool) -> None:
    assert (beyond(Scope(polygons=(HOLLOW,)), speaks_of(shape)) is None) == within, what


def test_each_shape_of_each_area_has_to_lie_within_one_place() -> None:
    places = Scope(polygons=(square(0, 2),), circles=(Circle(Point(50_000_000, 50_000_000), 100_000),))
    small, round_one = square(0.5, 1), Circle(Point(50_100_000, 50_000_000), 10_000)
    assert beyond(places, speaks_of(small, circles=(round_one,))) is None
    assert beyond(places, bulletin(Area(NAMES, polygons=(small,)), Area(NAMES, circles=(round_one,)))) is None
    assert beyond(places, bulletin(Area(NAMES, polygons=(small,)), Area(NAMES))) is Beyond.PLACE
    assert beyond(places, speaks_of(small, square(1, 3))) is Beyond.PLACE


def test_an_area_of_the_size_of_real_ones_is_well_inside_the_bound() -> None:
    """Of the alerts in shared/data the most detailed has four polygons with 150 points."""
    bounds = Scope(polygons=tuple(ring(63, 2, lat=43 + 5 * step) for step in range(8)))
    real = speaks_of(*(ring(38, 1) for _ in range(4)))
    assert beyond(bounds, real) is None
    # Three such polygons can be compared, and all the corners that fit into an item with one square.
    thrice = [remit(str(turn), Scope(polygons=(ring(63, 2 - turn / 10),))) for turn in range(3)]
    assert beyond_each(thrice, real) == [None] * 3
    assert beyond(Scope(polygons=(square(0, 90),)), speaks_of(ring(6_500, 1))) is None


def test_the_places_of_one_key_are_compared_as_far_as_the_bound_goes_in_whatever_order() -> None:
    said = speaks_of(ring(160, 1))
    remits = [remit(f"{step:02}", Scope(polygons=(ring(63, 2 + step / 10),))) for step in range(12)]
    most = MOST_COMPARISONS // (160 * 63 + 1)
    assert beyond_each(remits, said) == [None] * most + [Beyond.PLACE] * (12 - most)
    assert beyond_each(remits[::-1], said) == [Beyond.PLACE] * (12 - most) + [None] * most


def test_what_is_outside_for_another_reason_and_what_has_no_places_costs_nothing() -> None:
    said = speaks_of(ring(160, 1))
    spent = [remit(f"a{step:02}", Scope(kinds=("attestation",), polygons=(ring(63, 2),))) for step in range(12)]
    free = remit("b", Scope())
    last = remit("c", Scope(polygons=(ring(63, 2),)))
    assert beyond_each([*spent, free, last], said) == [*[Beyond.KIND] * 12, None, None]


def test_one_verdict_counts_the_corners_of_a_bulletin_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made, original = list[object](), scope._ring

    def counted(spots: tuple[Point, ...]) -> object:
        made.append(spots)
        return original(spots)

    monkeypatch.setattr(scope, "_ring", counted)
    org, field, other = Org(), key("field"), key("other field")
    lent = [org.delegates(field.public), org.delegates(other.public, scope=Scope(polygons=(ring(63, 2),)))]
    held = Organisation.of(org.id, [*org.roots, *lent])
    said, target = speaks_of(ring(160, 1)), says(org).header
    assert all(held.may_act(says(org, other, seq=number).header, target, said) for number in range(1, 30))
    assert len(made) == 2, "the shape and the polygon, for all the acts of a key"
