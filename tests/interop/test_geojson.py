"""Areas out of GeoJSON files: polygons are read, whatever they are part of, and everything else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.bulletin import Point
from meshrelay.errors import InvalidDocument
from meshrelay.interop.geojson import polygons

RING = [[76.9, 43.2], [77.0, 43.2], [77.0, 43.3], [76.9, 43.2]]
POINTS = (Point(43_200_000, 76_900_000), Point(43_200_000, 77_000_000), Point(43_300_000, 77_000_000))
POLYGON = {"type": "Polygon", "coordinates": [RING]}


@pytest.mark.parametrize(
    ("entry", "count"),
    [
        (POLYGON, 1),
        ({"type": "Polygon", "coordinates": [[[*point, 812.5] for point in RING]]}, 1),
        ({"type": "MultiPolygon", "coordinates": [[RING], [RING]]}, 2),
        ({"type": "Feature", "properties": {}, "geometry": POLYGON}, 1),
        ({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": POLYGON}] * 3}, 3),
        ({"type": "GeometryCollection", "geometries": [POLYGON]}, 1),
    ],
)
def test_polygons_are_found_wherever_they_are(entry: dict[str, Any], count: int) -> None:
    assert polygons(json.dumps(entry).encode()) == ((*POINTS, POINTS[0]),) * count


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "Point", "coordinates": [76.9, 43.2]},
        {"type": "Polygon", "coordinates": [RING, RING]},
        {"type": "Polygon", "coordinates": [RING[:-1]]},
        {"type": "Polygon", "coordinates": [RING[:2]]},
        {"type": "Polygon", "coordinates": [[[43.2, 176.9]] * 4]},
        {"type": "Polygon", "coordinates": [[["a", "b"]] * 4]},
        {"type": "Polygon"},
        {"type": "Feature", "geometry": None},
        {"type": []},
        [],
        None,
    ],
)
def test_what_is_no_area_is_refused(entry: Any) -> None:
    with pytest.raises(InvalidDocument):
        polygons(json.dumps(entry).encode())


@given(st.binary(max_size=100))
def test_whatever_a_file_holds_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        polygons(data)


def test_numbers_that_are_none_are_refused() -> None:
    for number in ("NaN", "Infinity", "1e999"):
        with pytest.raises(InvalidDocument):
            polygons(json.dumps(POLYGON).replace("43.2", number).encode())
