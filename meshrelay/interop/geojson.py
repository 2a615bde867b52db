"""GeoJSON (RFC 7946): bulletins as Features, with shapes as geometry and documents as properties; and areas out of it.

GeoJSON writes longitude first and knows no circles: a circle becomes a ring of 64 points, and `radius_m` stays among
the properties. Exterior rings run counterclockwise.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from meshrelay.core.bulletin import Area, Circle, Point
from meshrelay.errors import InvalidDocument
from meshrelay.interop.document import document
from meshrelay.listing import Shown
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


def polygons(data: bytes) -> tuple[tuple[Point, ...], ...]:
    """Return the polygons of a file, closed, whatever they are features of; raises InvalidDocument.

    One with a hole is refused, for there are none here, and so is everything that is no polygon.
    """
    try:
        return tuple(_outlines(json.loads(data)))
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise InvalidDocument("GeoJSON", f"is not what it should be: {error!r:.80}") from error


def _outlines(entry: Any) -> Iterator[tuple[Point, ...]]:
    match entry["type"]:
        case "FeatureCollection":
            inner = entry["features"]
        case "Feature":
            inner = [entry["geometry"]]
        case "GeometryCollection":
            inner = entry["geometries"]
        case "MultiPolygon":
            inner = [{"type": "Polygon", "coordinates": rings} for rings in entry["coordinates"]]
        case "Polygon":
            ring, *holes = entry["coordinates"]
            if holes:
                raise InvalidDocument("Polygon", "has a hole, and a hole cannot be said here")
            points = tuple(_point(lon, lat) for lon, lat, *_ in ring)
            if len(points) < 4 or points[0] != points[-1]:
                raise InvalidDocument("Polygon", "is no closed ring")
            yield points
            return
        case other:
            raise InvalidDocument(str(other)[:40], "is no area")
    for one in inner:
        yield from _outlines(one)


def _point(lon: float, lat: float) -> Point:
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise InvalidDocument("coordinates", "are not on this planet: longitude comes first, in degrees")
    return Point(round(lat * 1e6), round(lon * 1e6))


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
