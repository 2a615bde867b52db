"""Whether what a lent key says lies within what it was lent for.

Places are compared on the map: an area lies within a scope when each of its shapes lies within one of the scope's, or
when it has no shape and each of its geocodes begins with one of the scope's. An area that has words alone lies nowhere
that could be compared, so it is outside of every scope that has places. Shapes are taken as they stand on a flat map of
degrees; none reaches across the 180th meridian.

Anybody can make an organisation, and a bulletin with more corners than a computer can compare with all that its key was
lent for. So what is compared is counted beforehand, and what would take too many comparisons is outside.

Not here: times and daily numbers (organisation.py). Law: a pure function of scope and bulletin.
Source: docs/spec/statements.md, "Scope".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import pairwise
from math import cos, hypot, pi, radians, sin
from typing import Final, TypeAlias

from meshrelay.core.bulletin import Area, Bulletin, Circle, Point, Severity
from meshrelay.core.statements import Scope

MOST_COMPARISONS: Final = 32_768
"""What one bulletin is compared with, of all that one key was lent for, takes no more comparisons than this."""
MOST_CORNERS: Final = 8_192
"""A bulletin whose shapes have more corners together lies within no place."""

_SEVERITY = {severity: rank for rank, severity in enumerate(Severity)}
_METRES: Final = 111_320.0
"""Metres a degree of latitude."""
_CORNERS: Final = 16
"""A circle within a polygon is looked at as a polygon of so many corners around it."""

_CIRCLE: Final = 4
"""To tell whether a corner lies in a circle counts as much as to compare it with so many edges."""

_Spot: TypeAlias = tuple[float, float]


class Beyond(StrEnum):
    """In which way something is outside of what its key was lent for."""

    TIME = "time"
    KIND = "kind"
    SEVERITY = "severity"
    CATEGORY = "category"
    PLACE = "place"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class _Ring:
    """A closed polygon, its last spot its first, and the lowest and highest of each axis."""

    spots: tuple[_Spot, ...]
    low: _Spot
    high: _Spot

    @classmethod
    def of(cls, spots: Iterable[_Spot]) -> _Ring:
        closed = tuple(spots)
        first, second = [spot[0] for spot in closed], [spot[1] for spot in closed]
        return cls(closed, (min(first), min(second)), (max(first), max(second)))

    @property
    def corners(self) -> int:
        return len(self.spots) - 1

    def fits(self, other: _Ring) -> bool:
        """Tell whether it lies in the box around another."""
        return (
            other.low[0] <= self.low[0]
            and other.low[1] <= self.low[1]
            and self.high[0] <= other.high[0]
            and self.high[1] <= other.high[1]
        )


@dataclass(frozen=True, eq=False)
class Places:
    """Where a key may speak of; make one for all delegations that say the same, so that it is compared once."""

    polygons: tuple[tuple[Point, ...], ...]
    circles: tuple[Circle, ...]
    geocodes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, scope: Scope) -> Places | None:
        """Return the places of a scope, or None where it has none and so does not bound them."""
        if not (scope.polygons or scope.circles or scope.geocodes):
            return None
        return cls(scope.polygons, scope.circles, scope.geocodes)

    @cached_property
    def rings(self) -> tuple[_Ring, ...]:
        """Its polygons, made ready to be compared with."""
        return tuple(_ring(polygon) for polygon in self.polygons)

    @property
    def size(self) -> int:
        """The edges of its polygons, its circles and its geocodes together."""
        return sum(len(polygon) - 1 for polygon in self.polygons) + len(self.circles) + len(self.geocodes)


@dataclass(frozen=True, slots=True)
class Remit:
    """What one delegation, by its id, lends a key for; `places` are those of the scope."""

    id: bytes
    scope: Scope
    places: Places | None


def beyond(scope: Scope, bulletin: Bulletin) -> Beyond | None:
    """Return in which way a bulletin is outside of a scope, or None when it is within."""
    return beyond_each([Remit(b"", scope, Places.of(scope))], bulletin)[0]


def beyond_each(remits: Sequence[Remit], bulletin: Bulletin) -> list[Beyond | None]:
    """Return in which way a bulletin is outside of each of these, all that one key was lent for at the time.

    The smallest are compared first, as far as MOST_COMPARISONS go; places that several have are compared once.
    """
    found = [_beyond_plain(remit.scope, bulletin) for remit in remits]
    todo = [
        (remit.places.size, remit.id, place, remit.places)
        for place, (remit, fault) in enumerate(zip(remits, found, strict=True))
        if remit.places is not None and fault is None
    ]
    if not todo:
        return found
    where = _where(_Same(bulletin))
    left, counted = MOST_COMPARISONS, set[Places]()
    for _, _, place, places in sorted(todo, key=lambda entry: entry[:3]):
        if places not in counted:
            counted.add(places)
            left -= where.comparisons(places) if left >= 0 else 0
        if left < 0 or not where.lies_within(places):
            found[place] = Beyond.PLACE
    return found


def _beyond_plain(scope: Scope, bulletin: Bulletin) -> Beyond | None:
    """Return in which way a bulletin is outside of a scope, its places apart."""
    if scope.kinds and "bulletin" not in scope.kinds:
        return Beyond.KIND
    if scope.severity is not None and _SEVERITY[bulletin.severity] < _SEVERITY[scope.severity]:
        return Beyond.SEVERITY
    if scope.categories and not set(bulletin.categories) <= set(scope.categories):
        return Beyond.CATEGORY
    return None


class _Same:
    """A bulletin as a key: the very same value, for to compare two would take as long as what is kept by it."""

    def __init__(self, bulletin: Bulletin) -> None:
        self.bulletin = bulletin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.bulletin is other.bulletin

    def __hash__(self) -> int:
        return id(self.bulletin)


class _Where:
    """Where one bulletin speaks of: the shapes and the geocodes of each of its areas; and what that lies within."""

    def __init__(self, areas: Sequence[Area]) -> None:
        corners = sum(len(polygon) - 1 for area in areas for polygon in area.polygons)
        corners += sum(_CORNERS * len(area.circles) for area in areas)
        self._areas = [(_shapes(area), area.geocodes) for area in areas] if corners <= MOST_CORNERS else []
        self._counts: dict[Places, int] = {}
        self._answers: dict[Places, bool] = {}

    def comparisons(self, places: Places) -> int:
        """Return how many comparisons it takes to tell whether it lies within, or more than are ever made."""
        if places not in self._counts:
            self._counts[places] = self._count(places)
        return self._counts[places]

    def _count(self, places: Places) -> int:
        count = 0
        for shapes, geocodes in self._areas:
            if not shapes:
                count += len(geocodes) * len(places.geocodes)
            for shape in shapes:
                count += len(places.polygons) + _CIRCLE * shape.corners * len(places.circles)
                count += shape.corners * sum(ring.corners for ring in places.rings if shape.fits(ring))
                if count > MOST_COMPARISONS:
                    return count
        return count

    def lies_within(self, places: Places) -> bool:
        """Tell whether each of its areas lies within one of these places."""
        if places not in self._answers:
            within = bool(self._areas) and all(_within(places, *area) for area in self._areas)
            self._answers[places] = within
        return self._answers[places]


@lru_cache(maxsize=8)
def _where(same: _Same) -> _Where:
    """Return where a bulletin speaks of, made once for all that it is compared with for one verdict."""
    return _Where(same.bulletin.areas)


def _shapes(area: Area) -> list[_Ring]:
    return [_ring(polygon) for polygon in area.polygons] + [_Ring.of(_around(circle)) for circle in area.circles]


def _ring(polygon: Iterable[Point]) -> _Ring:
    return _Ring.of((point.lat / 1e6, point.lon / 1e6) for point in polygon)


def _within(places: Places, shapes: Sequence[_Ring], geocodes: Sequence[tuple[str, str]]) -> bool:
    if not shapes:
        return bool(geocodes) and all(_coded(places, name, value) for name, value in geocodes)
    return all(
        any(_inside_circle(shape.spots, circle) for circle in places.circles)
        or any(_inside_polygon(shape, polygon) for polygon in places.rings)
        for shape in shapes
    )


def _coded(places: Places, name: str, value: str) -> bool:
    return any(name == lent_name and value.startswith(lent) for lent_name, lent in places.geocodes)


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


def _inside_polygon(shape: _Ring, polygon: _Ring) -> bool:
    """Tell whether each spot of a shape lies in a polygon or on its edge, and no line of the one crosses the other's.

    Touching is not crossing.
    """
    if not shape.fits(polygon):
        return False
    spots, seconds = shape.spots, [y for _, y in shape.spots]
    inside, on_edge = [False] * len(spots), [False] * len(spots)
    for c, d in pairwise(polygon.spots):
        (cx, cy), (dx, dy) = c, d
        across, along = dx - cx, dy - cy
        sides = [across * (y - cy) - along * (x - cx) for x, y in spots]
        if min(sides) < 0 < max(sides):
            for place in [place for place, (one, other) in enumerate(pairwise(sides)) if one * other < 0]:
                a, b = spots[place], spots[place + 1]
                if _side(a, b, c) * _side(a, b, d) < 0:
                    return False
        if 0 in sides:
            for place in [place for place, side in enumerate(sides) if side == 0]:
                x, y = spots[place]
                on_edge[place] |= min(cx, dx) <= x <= max(cx, dx) and min(cy, dy) <= y <= max(cy, dy)
        low, high = min(cy, dy), max(cy, dy)
        for place in [place for place, y in enumerate(seconds) if low <= y < high]:
            inside[place] ^= (sides[place] < 0) == (dy < cy)
    return all(one or other for one, other in zip(inside, on_edge, strict=True))


def _side(a: _Spot, b: _Spot, c: _Spot) -> float:
    """Return on which side of a line a spot lies, by the sign."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
