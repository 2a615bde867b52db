"""Fewer points for a shape that is too large for an item, those first that change it least (Visvalingam and Whyatt).

Not here: when a shape is too large. Law: what comes out is a closed ring with at least three corners, and it takes time
in proportion to n log n, for any ring that is one.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Sequence

from meshrelay.core.bulletin import Area, Point
from meshrelay.interop.cap.schema import MAX_POINTS


def simplified(areas: Sequence[Area], room: int) -> tuple[Area, ...]:
    """Return the areas with at most `room` points in all, those left out that change the shapes least."""
    rings = [polygon for area in areas for polygon in area.polygons]
    while sum(map(len, rings)) > max(MAX_POINTS, 8 * len(rings)):
        rings = [(*ring[:-1][::2], ring[0]) if len(ring) > 8 else ring for ring in rings]
    ranked = sorted((weight, which, at) for which, ring in enumerate(rings) for at, weight in enumerate(_weights(ring)))
    surplus = max(0, sum(map(len, rings)) - room)
    gone = {(which, at) for _, which, at in ranked[:surplus]}
    thinned = iter([tuple(p for at, p in enumerate(r) if (which, at) not in gone) for which, r in enumerate(rings)])
    return tuple(dataclasses.replace(area, polygons=tuple(next(thinned) for _ in area.polygons)) for area in areas)


def _weights(ring: Sequence[Point]) -> list[float]:
    """Rank the points of a closed ring by the area that goes with each (Visvalingam and Whyatt).

    The first, the last and the two of the rest that go last weigh infinitely much: three corners always stay.
    """
    count = len(ring)
    weights = [float("inf")] * count
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))

    def area(at: int) -> int:
        a, b, c = ring[before[at]], ring[at], ring[after[at]]
        return abs((b.lat - a.lat) * (c.lon - a.lon) - (c.lat - a.lat) * (b.lon - a.lon))

    heap = [(area(at), at) for at in range(1, count - 1)]
    current = dict((at, weight) for weight, at in heap)
    heapq.heapify(heap)
    least = 0
    while len(current) > 2:
        weight, at = heapq.heappop(heap)
        if current.get(at) != weight:
            continue
        del current[at]
        # A point never goes before one that went before it, however small its triangle has become.
        least = max(least, weight)
        weights[at] = least
        before[after[at]], after[before[at]] = before[at], after[at]
        for near in (before[at], after[at]):
            if near in current:
                current[near] = area(near)
                heapq.heappush(heap, (current[near], near))
    return weights
