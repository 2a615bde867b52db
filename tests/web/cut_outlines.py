"""Cut meshrelay/web/outlines.bin anew: ``python -m tests.web.cut_outlines countries-50m.json``.

The argument is a file of the npm package `world-atlas` (2.0.2 was used): TopoJSON of the public-domain Natural Earth
"Admin 0 - countries" and "land" at 1:50 million. What is written stands in meshrelay/web/outlines.py.
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from meshrelay.web.outlines import FILE, STEPS
from tests.conftest import ROOT

TOLERANCE: Final = 0.02
"""Degrees by which a line may be off, about 2 km."""
SOUTHERNMOST: Final = -60.0
Line = list[tuple[float, float]]


def cut(topology: dict[str, Any]) -> bytes:
    """Return the file's content: of every line whether it is a coast, how many points, and the steps between them."""
    coasts = set(_arcs_of([shape["arcs"] for shape in topology["objects"]["land"]["geometries"]]))
    written = bytearray()
    for number, line in enumerate(_lines(topology)):
        points = [(round(lon * STEPS), round(lat * STEPS)) for lon, lat in simplified(line)]
        points = [point for at, point in enumerate(points) if not at or point != points[at - 1]]
        if len(points) < 2 or max(lat for _, lat in line) < SOUTHERNMOST:
            continue
        written += bytes([number in coasts]) + _varint(len(points))
        before = (0, 0)
        for point in points:
            written += b"".join(_varint(_zigzag(now - then)) for now, then in zip(point, before, strict=True))
            before = point
    return zlib.compress(bytes(written), 9)


def simplified(line: Line) -> Line:
    """Return a line with the points that matter (Douglas and Peucker)."""
    kept = {0, len(line) - 1}
    parts = [(0, len(line) - 1)]
    while parts:
        first, last = parts.pop()
        far, most = 0, 0.0
        for at in range(first + 1, last):
            distance = _off(line[at], line[first], line[last])
            if distance > most:
                far, most = at, distance
        if most > TOLERANCE:
            kept.add(far)
            parts += [(first, far), (far, last)]
    return [line[at] for at in sorted(kept)]


def _off(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    squeeze = math.cos(math.radians((start[1] + end[1]) / 2))
    (x, y), (dx, dy) = [((one[0] - start[0]) * squeeze, one[1] - start[1]) for one in (point, end)]
    length = math.hypot(dx, dy)
    return abs(dx * y - dy * x) / length if length > 1e-9 else math.hypot(x, y)


def _lines(topology: dict[str, Any]) -> Iterator[Line]:
    (scale_x, scale_y), (left, top) = topology["transform"]["scale"], topology["transform"]["translate"]
    for arc in topology["arcs"]:
        x = y = 0
        line = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            line.append((x * scale_x + left, y * scale_y + top))
        yield line


def _arcs_of(found: Sequence[Any] | int) -> Iterator[int]:
    if isinstance(found, int):
        yield found if found >= 0 else ~found
    else:
        for one in found:
            yield from _arcs_of(one)


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


if __name__ == "__main__":
    (ROOT / "meshrelay" / "web" / FILE).write_bytes(cut(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
