"""Bulletins as GeoJSON (RFC 7946): one Feature each, its shapes as geometry, its document as properties.

GeoJSON writes longitude first and knows no circles: a circle becomes a ring of 64 points, and `radius_m` stays among
the properties. Exterior rings run counterclockwise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

from meshrelay.core.bulletin import Area, Circle
from meshrelay.interop.document import document
from meshrelay.relay import Shown
from meshrelay.words import Words
from meshrelay.words.times import stamp

_STEPS: Final = 64
_METRES_PER_DEGREE: Final = 111_195.0
_Ring = list[list[float]]


def feature(one: Shown, words: Words, *, relay: str, whole: bool = False) -> dict[str, Any]:
    """Return the Feature of one bulletin; its geometry is null where only words say where."""
    rings = [ring for area in one.bulletin.areas for ring in rings_of(area)]
    geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]} if rings else None
    properties = document(one, words, relay=relay, whole=whole)
    return {"type": "Feature", "id": one.header.id.hex(), "geometry": geometry, "properties": properties}


def collection(shown: Iterable[Shown], words: Words, *, relay: str) -> dict[str, Any]:
    """Return the FeatureCollection of these bulletins."""
    return {
        "type": "FeatureCollection",
        "features": [feature(one, words, relay=relay) for one in shown],
        "as_of": stamp(words.now, words.tz),
    }


def rings_of(area: Area) -> list[_Ring]:
    """Return the shapes of an area as closed rings of [longitude, latitude] in degrees."""
    return [
        *[_counterclockwise([[point.lon / 1e6, point.lat / 1e6] for point in polygon]) for polygon in area.polygons],
        *[_round(circle) for circle in area.circles],
    ]


def _round(circle: Circle) -> _Ring:
    # A radius of 0 stands for a point; a ring needs some width.
    reach = max(circle.radius, 1) / _METRES_PER_DEGREE
    lat, lon = circle.center.lat / 1e6, circle.center.lon / 1e6
    wide = reach / max(math.cos(math.radians(lat)), 0.01)
    steps = [2 * math.pi * step / _STEPS for step in range(_STEPS)]
    ring = [[_within(lon + wide * math.cos(a), 180), _within(lat + reach * math.sin(a), 90)] for a in steps]
    return [*ring, ring[0]]


def _within(degrees: float, limit: int) -> float:
    return round(min(max(degrees, -limit), limit), 6)


def _counterclockwise(ring: _Ring) -> _Ring:
    doubled = sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(ring))
    return ring[::-1] if doubled > 0 else ring
