"""Speaking with one neighbour: dial it by what is known of it, and keep account of what came of it.

Not here: when, and what is said. The law: an account is kept whatever comes out, and only PeerUnreachable and
PeerFault come out of a link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from meshrelay.errors import PeerFault, PeerUnreachable
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.answers import Answers
from meshrelay.peers.exchange import ExchangeReport, meet
from meshrelay.peers.ladder import Ladder
from meshrelay.peers.neighbours import Neighbour, Neighbours
from meshrelay.peers.side import OurSide
from meshrelay.peers.talk import Talk

log = logging.getLogger(__name__)
T = TypeVar("T")

_GREETED = 60.0  # seconds between two hellos
_NAMED = 10.0  # seconds for which those who are named stay as they are, but for new ones
_SHARED = 3600.0  # seconds for which a relay that was met is named to others


class Dial(Protocol):
    """Opens a connection to a relay at the first of `hosts` that answers; a `relay_id` is a pin."""

    def __call__(self, hosts: Sequence[str], port: int, relay_id: bytes | None, /) -> Talk:
        """Return what connects once its context is entered."""
        ...


class Speaking:
    """Dials, and notes in each neighbour what came of it."""

    def __init__(self, side: OurSide, answers: Answers, dial: Dial, *, neighbours: Neighbours, ladder: Ladder) -> None:
        self.dial = dial
        self._side = side
        self._answers = answers
        self._ladder = ladder
        self._neighbours = neighbours
        self._named: list[tuple[bytes, PeerAddress]] = []

    async def meet(self, link: Talk) -> None:
        """Say hello, and note what its clock shows where it is a neighbour."""
        _, theirs = await meet(self._side, link, port=self._answers.port)
        neighbour = self._neighbours.get(link.relay_id)
        if neighbour is not None:
            neighbour.clock, neighbour.greeted = theirs - _moment(), _moment()

    async def over_a_link(self, neighbour: Neighbour, work: Callable[[Talk], Awaitable[T]]) -> T:
        """Dial by the known routes until one answers, and do `work` over the link."""
        trouble: PeerFault | PeerUnreachable = PeerUnreachable("no address is known")
        for route in list(neighbour.routes):
            try:
                with self._ladder.trying(route.how) as found:
                    async with self.dial(route.hosts, route.port, neighbour.relay_id) as link:
                        if neighbour.greeted is None or neighbour.failures or _moment() - neighbour.greeted > _GREETED:
                            await self.meet(link)
                        result = await work(link)
                        found(neighbour.relay_id)
            except (PeerFault, PeerUnreachable) as error:
                trouble = error
            else:
                neighbour.add_route(route)
                return result
        raise trouble

    def note(self, neighbour: Neighbour, report: ExchangeReport) -> None:
        """Note what an exchange or a push has done."""
        total = neighbour.total
        total.received += report.received
        total.sent += report.sent
        total.declined += report.declined
        total.refused += report.refused
        total.bytes_received += report.bytes_received
        total.bytes_sent += report.bytes_sent
        neighbour.last_contact = self._side.now
        neighbour.trouble = report.trouble
        if report.trouble is None:
            neighbour.failures = 0
        else:
            made_headway = report.received + report.sent > 0 and not isinstance(report.trouble, PeerFault)
            neighbour.failures = 1 if made_headway else neighbour.failures + 1
        self.answered(neighbour)

    def answered(self, neighbour: Neighbour) -> None:
        """Note that it answered when it was dialled: from now on it is named to others who ask for relays."""
        before, neighbour.answered = neighbour.answered, _moment()
        if before is None or neighbour.answered - before > _NAMED:
            self._name_those_met()

    def _name_those_met(self) -> None:
        """Let others who ask hear where relays were met lately."""
        since = _moment() - _SHARED
        met = [one for one in self._neighbours.everyone() if one.answered is not None and one.answered > since]
        named = [(one.relay_id, PeerAddress(host, one.routes[0].port)) for one in met for host in one.routes[0].hosts]
        if named != self._named:
            self._named = named
            self._answers.share(named)

    def fail(self, neighbour: Neighbour, error: Exception) -> None:
        """Note that it could not be spoken with."""
        neighbour.failures += 1
        neighbour.failed = _moment()
        neighbour.trouble = error
        log.debug("no exchange with %s: %s", neighbour.routes[0].address, error)


def _moment() -> float:
    return asyncio.get_running_loop().time()
