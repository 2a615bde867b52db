"""The ways in which other relays are found, and how each has done: what is shown where nobody is in reach.

given by the operator, heard by multicast DNS, met before (the address book), told by another relay, found by a sweep of
the own subnet, or come here by themselves. Whoever tries a way writes down what came of it.

Not here: the trying (discovery, sweep, spread). The law: everything kept is bounded, and no address is kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshrelay.errors import PeerFault, PeerUnreachable
from meshrelay.status import Rung

_COUNTED: Final = 512  # relays of one way


class Way(StrEnum):
    """A way of finding other relays, the one that says most first."""

    GIVEN = "given"
    MDNS = "mdns"
    BOOK = "book"
    TOLD = "told"
    SWEEP = "sweep"
    INBOUND = "inbound"


@dataclass(slots=True)
class _Record:
    tries: int = 0
    tried: int | None = None
    found: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    last_found: int | None = None
    trouble: str = ""


class Ladder:
    """Counts tries and finds by way; `now` gives unix seconds, `off` are the ways that are switched off."""

    def __init__(self, *, now: Callable[[], int], off: Collection[Way] = ()) -> None:
        self._now = now
        self._off = frozenset(off)
        self._records = {way: _Record() for way in Way}

    def tried(self, way: str, *, trouble: str = "") -> None:
        """Write down a try; with a `trouble`, one that failed."""
        record = self._records[Way(way)]
        record.tries += 1
        record.tried = self._now()
        record.trouble = trouble

    def found(self, way: str, relay_id: bytes) -> None:
        """Write down that a relay answered."""
        record = self._records[Way(way)]
        record.found[relay_id] = None
        if len(record.found) > _COUNTED:
            record.found.popitem(last=False)
        record.last_found = self._now()
        record.trouble = ""

    @contextmanager
    def trying(self, way: str) -> Iterator[Callable[[bytes], None]]:
        """Write down a try: that it failed, if PeerFault or PeerUnreachable come out, else who was found."""
        try:
            yield lambda relay_id: self.found(way, relay_id)
        except (PeerFault, PeerUnreachable) as error:
            self.tried(way, trouble=str(error))
            raise
        self.tried(way)

    def rungs(self) -> tuple[Rung, ...]:
        """Return how each way has done."""
        return tuple(
            Rung(way, way not in self._off, one.tries, one.tried, len(one.found), one.last_found, one.trouble)
            for way, one in self._records.items()
        )
