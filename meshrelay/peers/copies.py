"""On how many other relays an item is: at least so many, counted from exchanges that took place anyway.

No message asks for it and nobody is named. Relays that were met count; an id costs nothing to make, so a crowd of
made-up ones can raise the number, and docs/attacks.md says so.

Not here: who was met (neighbours). The law: a relay counts only if it gave, offered or took the item, or if an exchange
that began after the item came here ended with nothing left to carry, and the relay had not refused it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from meshrelay.peers.neighbours import Neighbour

_REMEMBERED = 20_000  # arrivals whose moment is remembered


class Copies:
    """When what came here in this run; what came before it, or longer ago than is remembered, was here all the time."""

    def __init__(self) -> None:
        self._came: OrderedDict[bytes, float] = OrderedDict()
        self._before = float("-inf")

    def came(self, keys: Iterable[bytes], *, moment: float) -> None:
        """Note what is held from now on."""
        for key in keys:
            self._came[key] = moment
        while len(self._came) > _REMEMBERED:
            _, self._before = self._came.popitem(last=False)

    def count(self, key: bytes, *, met: Iterable[Neighbour], holders: Collection[bytes]) -> int:
        """Return how many of the relays that were met have an item, at least."""
        came = self._came.get(key, self._before)
        return sum(
            one.relay_id in holders or (one.covered is not None and one.covered > came and not _has_refused(one, key))
            for one in met
        )


def _has_refused(one: Neighbour, key: bytes) -> bool:
    """Tell whether a relay did not want an item, or may not have: so much was refused that not all is remembered."""
    return one.view.overflowed or one.view.refused(key)
