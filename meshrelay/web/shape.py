"""A map without tiles: the shapes of a bulletin as lines of an inline drawing, with a scale.

North is up, and a degree of longitude is drawn as long as it is at the middle of the area. The place in words always
stands beside it; a drawing of nothing but codes is not made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshrelay.core.bulletin import Area
from meshrelay.interop.geojson import rings_of
from meshrelay.words import Words

WIDTH: Final = 340
HEIGHT: Final = 200
_MARGIN: Final = 24
_MOST_POINTS: Final = 600
_METRES_PER_DEGREE: Final = 111_195.0


@dataclass(frozen=True, slots=True)
class Map:
    """A drawing of `WIDTH` x `HEIGHT` units: path data of the shapes, and a bar of `bar` units as long as `scale`."""

    paths: tuple[str, ...]
    bar: int
    scale: str


def draw(areas: Sequence[Area], words: Words) -> Map | None:
    """Return the drawing of these areas, or None when they have no shapes."""
    rings = [ring for area in areas for ring in rings_of(area)]
    if not rings:
        return None
    if _width(rings) > 180:  # on both sides of the 180th meridian
        rings = [[[lon + 360 if lon < 0 else lon, lat] for lon, lat in ring] for ring in rings]
    step = max(1, math.ceil(sum(map(len, rings)) / _MOST_POINTS))
    lons = [lon for ring in rings for lon, _ in ring]
    lats = [lat for ring in rings for _, lat in ring]
    middle = (min(lats) + max(lats)) / 2
    squeeze = max(math.cos(math.radians(middle)), 0.05)
    wide = max((max(lons) - min(lons)) * squeeze, 1e-5)
    high = max(max(lats) - min(lats), 1e-5)
    unit = min((WIDTH - 2 * _MARGIN) / wide, (HEIGHT - 2 * _MARGIN) / high)
    left = (WIDTH - wide * unit) / 2 - min(lons) * squeeze * unit
    top = (HEIGHT - high * unit) / 2 + max(lats) * unit

    def path(ring: Sequence[Sequence[float]]) -> str:
        kept = ring[::step] if len(ring) > 8 else ring
        points = [f"{left + lon * squeeze * unit:.0f} {top - lat * unit:.0f}" for lon, lat in kept]
        return "M" + "L".join(points) + "Z"

    metres = _nice(WIDTH / 4 / unit * _METRES_PER_DEGREE)
    return Map(
        paths=tuple(path(ring) for ring in rings),
        bar=round(metres / _METRES_PER_DEGREE * unit),
        scale=words.distance(metres),
    )


def _width(rings: Sequence[Sequence[Sequence[float]]]) -> float:
    lons = [lon for ring in rings for lon, _ in ring]
    return max(lons) - min(lons)


def _nice(metres: float) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50 ... that is not above `metres`."""
    power: int = 10 ** max(0, math.floor(math.log10(max(metres, 1))))
    return next((factor * power for factor in (5, 2) if factor * power <= metres), power)
