"""Relays that come here and break the protocol: counted, named to the operator, and not heard for a while.

A relay id costs nothing, so the address that faults come from is counted too, more patiently: many relays may stand
behind one. Not here: relays that this one dials (spread backs off by itself). The law: everything here is bounded, and
a single fault, as one of another version may make, keeps nobody out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from meshrelay.door import Budget

_KEPT: Final = 256
_FORGIVEN: Final = 600.0  # seconds after which a fault no longer counts
_PATIENCE: Final = 8
_BARRED: Final = 60.0
_LONGEST: Final = 3600.0
_FROM_ONE_ADDRESS: Final = (0.1, 200.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a relay did wrong: how often, what last, from where, and until when it is not heard (the loop's clock)."""

    relay_id: bytes
    host: str
    count: int
    why: str
    last: float
    until: float = 0.0


class Faults:
    """The faults of those who came here lately."""

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, Fault] = OrderedDict()
        self._by_source = Budget(*_FROM_ONE_ADDRESS)
        self._shut: OrderedDict[str, float] = OrderedDict()

    def note(self, relay_id: bytes, host: str, why: str, *, source: str, moment: float) -> None:
        """Write a fault down; the eighth within ten minutes bars, each time for twice as long."""
        known = self._found.pop(relay_id, None)
        count = known.count + 1 if known is not None and moment - known.last < _FORGIVEN else 1
        until = known.until if known is not None else 0.0
        if count >= _PATIENCE:
            until = moment + min(_BARRED * 2.0 ** min(count - _PATIENCE, 10), _LONGEST)
        self._found[relay_id] = Fault(relay_id, host, count, why, moment, until)
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)
        if not self._by_source.take(source, 1, moment=moment):
            self._shut[source] = moment + _BARRED
            while len(self._shut) > _KEPT:
                self._shut.popitem(last=False)

    def is_barred(self, relay_id: bytes, source: str, *, moment: float) -> bool:
        """Tell whether a relay, or whoever comes from its address, is not heard now."""
        known = self._found.get(relay_id)
        return (known is not None and known.until > moment) or self._shut.get(source, 0.0) > moment

    def lately(self, *, moment: float) -> tuple[Fault, ...]:
        """Return what was wrong within the last ten minutes or still bars, the latest first."""
        return tuple(
            one for one in reversed(self._found.values()) if moment - one.last < _FORGIVEN or one.until > moment
        )
