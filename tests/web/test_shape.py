"""The map: where it shows coasts and borders, where whereabouts, and that no place in the world breaks it."""

from __future__ import annotations

import re
from datetime import UTC

from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.bulletin import Area, Circle, Point
from meshrelay.web.outlines import outlines
from meshrelay.web.shape import HEIGHT, LOCATOR, WIDTH, Map, draw
from meshrelay.words import Words
from tests.web.sample import NOW

WORDS = Words("en", UTC, NOW)


def drawn(lat: float, lon: float, metres: int) -> Map:
    found = draw((Area((("en", "x"),), circles=(Circle(Point(round(lat * 1e6), round(lon * 1e6)), metres),)),), WORDS)
    assert found is not None
    return found


def test_the_outlines_hold_the_coasts_and_the_borders_of_the_world() -> None:
    coasts = sum(line.coast for line in outlines())
    assert coasts > 1000
    assert len(outlines()) - coasts > 200
    assert min(line.west for line in outlines()) == -18000
    assert max(line.east for line in outlines()) == 18000


def test_a_wide_area_lies_over_coasts_and_borders() -> None:
    strait = drawn(36.0, -5.5, 150_000)
    assert strait.coasts
    assert strait.locator is None
    assert drawn(42.9, 74.6, 200_000).borders


def test_a_small_area_has_whereabouts_beside_it_and_no_coarse_line_through_it() -> None:
    quarter = drawn(43.25, 76.9, 600)
    assert quarter.coasts == quarter.borders == ""
    assert quarter.locator is not None
    assert quarter.locator.borders
    assert quarter.locator.x == WIDTH - LOCATOR / 2
    xs = [int(x) for x in re.findall(r"[ML](-?\d+) ", "".join(quarter.paths))]
    assert max(xs) <= WIDTH - LOCATOR


def test_far_out_at_sea_nothing_but_the_area_is_drawn() -> None:
    assert drawn(-48.9, -123.4, 500).locator is None


def test_an_area_across_the_date_line_is_drawn_in_one_piece() -> None:
    found = drawn(52.0, 179.9, 90_000)
    xs = [int(x) for x in re.findall(r"[ML](-?\d+) ", "".join(found.paths))]
    assert max(xs) - min(xs) < WIDTH


@settings(max_examples=30)
@given(st.floats(-90, 90), st.floats(-180, 180), st.integers(1, 3_000_000))
def test_any_circle_on_earth_is_drawn_within_bounds(lat: float, lon: float, metres: int) -> None:
    found = drawn(lat, lon, metres)
    numbers = [int(number) for path in found.paths for number in re.findall(r"-?\d+", path)]
    assert all(-5 <= number <= max(WIDTH, HEIGHT) + 5 for number in numbers)
    assert len(found.coasts) + len(found.borders) < 60_000
