"""Whether what a lent key says lies within what it was lent for.

Places are compared on the map: an area lies within a scope when each of its shapes lies within one of the scope's, or
when it has no shape and each of its geocodes begins with one of the scope's. An area that has words alone lies nowhere
that could be compared, so it is outside of every scope that has places. Shapes are taken as they stand on a flat map of
degrees; none reaches across the 180th meridian.

Not here: times and daily numbers (organisation.py). Law: a pure function of scope and bulletin.
Source: docs/spec/statements.md, "Scope".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from math import cos, hypot, pi, radians, sin
from typing import Final, TypeAlias

from meshrelay.core.bulletin import Area, Bulletin, Circle, Severity
from meshrelay.core.statements import Scope

_SEVERITY = {severity: rank for rank, severity in enumerate(Severity)}
_METRES: Final = 111_320.0
"""Metres a degree of latitude."""
_CORNERS: Final = 16
"""A circle within a polygon is looked at as a polygon of so many corners around it."""

_Spot: TypeAlias = tuple[float, float]


class Beyond(StrEnum):
    """In which way something is outside of what its key was lent for."""

    TIME = "time"
    KIND = "kind"
    SEVERITY = "severity"
    CATEGORY = "category"
    PLACE = "place"
    DAILY = "daily"


def beyond(scope: Scope, bulletin: Bulletin) -> Beyond | None:
    """Return in which way a bulletin is outside of a scope, or None when it is within."""
    if scope.kinds and "bulletin" not in scope.kinds:
        return Beyond.KIND
    if scope.severity is not None and _SEVERITY[bulletin.severity] < _SEVERITY[scope.severity]:
        return Beyond.SEVERITY
    if scope.categories and not set(bulletin.categories) <= set(scope.categories):
        return Beyond.CATEGORY
    if not (scope.polygons or scope.circles or scope.geocodes):
        return None
    within = bool(bulletin.areas) and all(_within(scope, area) for area in bulletin.areas)
    return None if within else Beyond.PLACE


@lru_cache(maxsize=4096)
def _within(scope: Scope, area: Area) -> bool:
    shapes = [[(point.lat / 1e6, point.lon / 1e6) for point in polygon] for polygon in area.polygons]
    shapes += [_around(circle) for circle in area.circles]
    if not shapes:
        return bool(area.geocodes) and all(_coded(scope, name, value) for name, value in area.geocodes)
    polygons = [[(point.lat / 1e6, point.lon / 1e6) for point in polygon] for polygon in scope.polygons]
    return all(
        any(_inside_circle(shape, circle) for circle in scope.circles)
        or any(_inside_polygon(shape, polygon) for polygon in polygons)
        for shape in shapes
    )


def _coded(scope: Scope, name: str, value: str) -> bool:
    return any(name == lent_name and value.startswith(lent) for lent_name, lent in scope.geocodes)


def _around(circle: Circle) -> list[_Spot]:
    """Return a closed polygon that a circle lies within."""
    lat, lon = circle.center.lat / 1e6, circle.center.lon / 1e6
    radius = circle.radius / _METRES / cos(pi / _CORNERS)
    wide = radius / max(cos(radians(lat)), 1e-6)
    turns = [2 * pi * corner / _CORNERS for corner in range(_CORNERS)]
    corners = [(lat + radius * sin(turn), lon + wide * cos(turn)) for turn in turns]
    return [*corners, corners[0]]


def _inside_circle(shape: Iterable[_Spot], circle: Circle) -> bool:
    lat, lon = circle.center.lat / 1e6, circle.center.lon / 1e6
    narrow = cos(radians(lat))
    return all(hypot(x - lat, (y - lon) * narrow) * _METRES <= circle.radius for x, y in shape)


def _inside_polygon(shape: Sequence[_Spot], polygon: Sequence[_Spot]) -> bool:
    low, high = (tuple(pick(spot[axis] for spot in polygon) for axis in (0, 1)) for pick in (min, max))
    if any(not (low[0] <= x <= high[0] and low[1] <= y <= high[1]) for x, y in shape):
        return False
    if not all(_is_inside(spot, polygon) for spot in shape):
        return False
    return not any(_cross(a, b, c, d) for a, b in pairwise(shape) for c, d in pairwise(polygon))


def _is_inside(spot: _Spot, polygon: Sequence[_Spot]) -> bool:
    """Tell whether a spot lies in a closed polygon or on its edge."""
    x, y = spot
    inside = False
    for (ax, ay), (bx, by) in pairwise(polygon):
        turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if turn == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return True
        if (ay > y) != (by > y) and (turn < 0) == (by < ay):
            inside = not inside
    return inside


def _cross(a: _Spot, b: _Spot, c: _Spot, d: _Spot) -> bool:
    """Tell whether two lines cross in a point within both; touching is not crossing."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: _Spot, b: _Spot, c: _Spot) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
