"""Coasts and borders of the world, simplified, so that a drawn area can be recognised without tiles.

outlines.bin is cut from Natural Earth (public domain, naturalearthdata.com, 1:50 million) by tests/web/cut_outlines.py.
It is zlib over lines, one behind the other: a byte that is 1 for a coast and 0 for a border, the number of points,
and for each point the steps from the one before it in hundredths of a degree, longitude first (LEB128, zigzag).

Law: read once, at the first map; about 2 km exact, so nothing is drawn where that would show. Borders are where Natural
Earth draws them, which is no opinion of this project.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

FILE: Final = "outlines.bin"
STEPS: Final = 100
"""Steps in a degree."""


@dataclass(frozen=True, slots=True)
class Outline:
    """One line: points as longitude, latitude, longitude, ... in steps, and the box around them, in steps too."""

    coast: bool
    points: array[int]
    west: int
    south: int
    east: int
    north: int


@cache
def outlines() -> tuple[Outline, ...]:
    """Return every line."""
    data = zlib.decompress((files(__package__) / FILE).read_bytes())
    return tuple(_read(data))


def _read(data: bytes) -> Iterator[Outline]:
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while data[at] > 127:
            value |= (data[at] & 127) << shift
            at, shift = at + 1, shift + 7
        value |= data[at] << shift
        at += 1
        return value

    def step() -> int:
        value = number()
        return (value >> 1) ^ -(value & 1)

    while at < len(data):
        coast, count = number() == 1, number()
        points = array("h")
        lon = lat = 0
        for _ in range(count):
            lon, lat = lon + step(), lat + step()
            points.append(lon)
            points.append(lat)
        lons, lats = points[::2], points[1::2]
        yield Outline(coast, points, min(lons), min(lats), max(lons), max(lats))
