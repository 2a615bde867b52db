"""A map without tiles: the shapes of a bulletin as lines of an inline drawing, with a scale.

North is up, and a degree of longitude is drawn as long as it is at the middle of the area. A wide area is drawn over
coasts and borders; beside a small one, where these are out of sight or too coarse, stands a second drawing that shows
whereabouts it lies. The place in words always stands beside it; a drawing of nothing but codes is not made.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Final

from meshrelay.core.bulletin import Area
from meshrelay.interop.geojson import rings_of
from meshrelay.web.outlines import STEPS, outlines
from meshrelay.words import Words

WIDTH: Final = 340
HEIGHT: Final = 200
LOCATOR: Final = 120
"""Width of the second drawing, which stands at the right end; its height is that of the first."""
_MARGIN: Final = 24
_MOST_POINTS: Final = 600
_METRES_PER_DEGREE: Final = 111_195.0
_COARSE: Final = 0.6
"""Degrees: where less than this is in sight, outlines that are 2 km exact would mislead."""
_AROUND: Final = (12.0, 30.0)
"""Degrees from top to bottom of the second drawing; the first that has any line in it is taken."""
_FINEST: Final = 1.2
"""Points nearer to each other than this many units are drawn as one."""

_KEPT: Final = 64
"""Drawings that are kept."""

Ring = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Locator:
    """Where in its part of the world an area lies: lines, and its middle in the units of the map."""

    coasts: str
    borders: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Map:
    """A drawing of `WIDTH` x `HEIGHT` units: path data, and a bar of `bar` units as long as `scale`."""

    paths: tuple[str, ...]
    coasts: str
    borders: str
    locator: Locator | None
    bar: int
    scale: str


@dataclass(frozen=True, slots=True)
class _View:
    """A window on the world: `unit` is drawn for a degree of latitude, the point `lon`, `lat` at `x`, `y`."""

    lon: float
    lat: float
    x: float
    y: float
    unit: float

    @property
    def squeeze(self) -> float:
        return max(math.cos(math.radians(self.lat)), 0.05)

    def place(self, lon: float, lat: float) -> tuple[float, float]:
        return self.x + (lon - self.lon) * self.squeeze * self.unit, self.y - (lat - self.lat) * self.unit


def draw(areas: Sequence[Area], words: Words) -> Map | None:
    """Return the drawing of these areas, or None when they have no shapes."""
    drawn = _draw(tuple(areas))
    if drawn is None:
        return None
    return replace(drawn[0], scale=words.distance(drawn[1]))


@lru_cache(maxsize=_KEPT)
def _draw(areas: tuple[Area, ...]) -> tuple[Map, int] | None:
    """Return the drawing without words, and how many metres its bar is long; drawn once for all languages."""
    rings: list[Ring] = [ring for area in areas for ring in rings_of(area)]
    if not rings:
        return None
    lons = [lon for ring in rings for lon, _ in ring]
    if max(lons) - min(lons) > 180:  # on both sides of the 180th meridian
        rings = [[[lon + 360 if lon < 0 else lon, lat] for lon, lat in ring] for ring in rings]
        lons = [lon for ring in rings for lon, _ in ring]
    lats = [lat for ring in rings for _, lat in ring]
    lon, lat = (min(lons) + max(lons)) / 2, (min(lats) + max(lats)) / 2
    squeeze = max(math.cos(math.radians(lat)), 0.05)
    wide, high = max((max(lons) - min(lons)) * squeeze, 1e-5), max(max(lats) - min(lats), 1e-5)
    view = _View(lon, lat, WIDTH / 2, HEIGHT / 2, _unit(wide, high, WIDTH))
    coasts, borders = ("", "") if HEIGHT / view.unit < _COARSE else _outlines(view, 0, WIDTH)
    locator = None if coasts or borders else _locate(lon, lat)
    width = WIDTH - LOCATOR if locator else WIDTH
    view = _View(lon, lat, width / 2, HEIGHT / 2, _unit(wide, high, width))
    step = max(1, math.ceil(sum(map(len, rings)) / _MOST_POINTS))
    metres = _nice(width / 4 / view.unit * _METRES_PER_DEGREE)
    drawn = Map(
        paths=tuple(_ring(ring[::step] if len(ring) > 8 else ring, view) for ring in rings),
        coasts=coasts,
        borders=borders,
        locator=locator,
        bar=round(metres / _METRES_PER_DEGREE * view.unit),
        scale="",
    )
    return drawn, metres


def _unit(wide: float, high: float, width: int) -> float:
    return min((width - 2 * _MARGIN) / wide, (HEIGHT - 2 * _MARGIN) / high)


def _locate(lon: float, lat: float) -> Locator | None:
    for degrees in _AROUND:
        view = _View(lon, lat, WIDTH - LOCATOR / 2, HEIGHT / 2, HEIGHT / degrees)
        coasts, borders = _outlines(view, WIDTH - LOCATOR, WIDTH)
        if coasts or borders:
            return Locator(coasts, borders, round(view.x), round(view.y))
    return None  # nothing but sea


def _outlines(view: _View, left: float, right: float) -> tuple[str, str]:
    """Return path data of the coasts and of the borders that can be seen between `left` and `right`."""
    reach_lon = max(right - view.x, view.x - left) / view.unit / view.squeeze
    reach_lat = HEIGHT / 2 / view.unit
    south, north = (view.lat - reach_lat) * STEPS, (view.lat + reach_lat) * STEPS
    found: dict[bool, list[str]] = {True: [], False: []}
    for turn in (-360, 0, 360):
        west, east = (view.lon - reach_lon - turn) * STEPS, (view.lon + reach_lon - turn) * STEPS
        if east < -180 * STEPS or west > 180 * STEPS:
            continue
        for line in outlines():
            if line.east < west or line.west > east or line.north < south or line.south > north:
                continue
            pairs = zip(line.points[::2], line.points[1::2], strict=True)
            points = [view.place(lon / STEPS + turn, lat / STEPS) for lon, lat in pairs]
            found[line.coast] += [_line(run) for run in _seen(points, left, right)]
    return "".join(found[True]), "".join(found[False])


def _seen(points: Sequence[tuple[float, float]], left: float, right: float) -> Iterator[list[tuple[float, float]]]:
    """Yield the stretches of a line of which anything can be seen, with one point beyond the edge at either end."""
    run: list[tuple[float, float]] = []
    for (ax, ay), (bx, by) in pairwise(points):
        if max(ax, bx) < left or min(ax, bx) > right or max(ay, by) < 0 or min(ay, by) > HEIGHT:
            if run:
                yield run
            run = []
            continue
        run = run or [(ax, ay)]
        run.append((bx, by))
    if run:
        yield run


def _line(points: Sequence[tuple[float, float]]) -> str:
    kept = [points[0]]
    for point in points[1:-1]:
        if math.dist(point, kept[-1]) >= _FINEST:
            kept.append(point)
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in (*kept, points[-1]))


def _ring(ring: Ring, view: _View) -> str:
    points = [view.place(lon, lat) for lon, lat in ring]
    return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in points) + "Z"


def _nice(metres: float) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50 ... that is not above `metres`."""
    power: int = 10 ** max(0, math.floor(math.log10(max(metres, 1))))
    return next((factor * power for factor in (5, 2) if factor * power <= metres), power)
