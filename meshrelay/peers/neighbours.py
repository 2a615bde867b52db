"""Who this relay keeps in touch with: a few that it chose, a few that chose it, and those it has met besides.

Two hundred laptops on one network must not mean two hundred connections each; so the neighbours are few, and chosen
anew now and then among all that were met or sighted, for chance alone keeps a network in one piece.

Not here: any connection or task. The law: every list is bounded; a relay id costs nothing, so one that merely came, or
that does not answer, never keeps another out that this relay chose.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from meshrelay.core.envelope import Header
from meshrelay.index import PeerView
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.discovery import Sighting
from meshrelay.peers.exchange import ExchangeReport

CHOSEN = 10
"""Neighbours that this relay chose, those that the operator gave apart."""
VISITORS = 14
"""Neighbours that are so because they came."""
MET = 256
"""Relays remembered that are no neighbours now."""
SIGHTED = 512
"""Announcements remembered behind which no relay was met yet."""
FRESH = 60.0
"""Seconds for which an announcement is worth a dial."""
AGAIN = 300.0
"""Seconds after which one that was let go because it did not answer may be tried again."""
EVERY = 20.0
"""Seconds between exchanges with a settled neighbour."""

_HOSTS = 16
_ROUTES = 4  # addresses remembered of one neighbour
_VIEW = 2_000  # keys remembered of a relay that is no neighbour now

_WAYS = ("given", "mdns", "book", "told", "sweep", "inbound")


@dataclass(frozen=True, slots=True)
class Route:
    """Addresses of one relay that are dialled together, and how they were learnt."""

    hosts: tuple[str, ...]
    port: int
    how: str

    @property
    def address(self) -> PeerAddress:
        """The first of them."""
        return PeerAddress(self.hosts[0], self.port)


@dataclass(slots=True, eq=False)
class Neighbour:
    """What is known of one relay, neighbour or not."""

    relay_id: bytes
    routes: list[Route]
    given: PeerAddress | None = None
    """The address that the operator gave."""
    visitor: bool = False
    """Whether it is a neighbour only because it came."""
    view: PeerView = field(default_factory=PeerView)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    talking: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: list[tuple[float, int, bool, Mapping[bytes, Header]]] = field(default_factory=list)
    """A heap of what is to be pushed: when, a running number, whether at once, what."""
    pushed: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    answered: float | None = None
    """Moment of its last answer, by the loop's clock; `last_contact` and `settled_at` by the relay's."""
    clock: float | None = None
    """The time that it showed at its last hello, in unix seconds, less the moment of that by the loop's clock."""
    visited: float | None = None
    greeted: float | None = None
    asked: float | None = None
    failed: float | None = None
    saved: float | None = None
    last_contact: int | None = None
    settled_at: int | None = None
    covered: float | None = None
    """Moment up to which it has what was held here and what it does not refuse, as an exchange has shown."""
    total: ExchangeReport = field(default_factory=ExchangeReport)
    unfinished: bool = False
    """Whether the last exchange left something over, such as what another neighbour was just sending."""
    trouble: Exception | None = None
    patience: float = EVERY

    @property
    def how(self) -> str:
        """How it was found, in the word that says most."""
        ways = {route.how for route in self.routes}
        return "given" if self.given else next(way for way in _WAYS if way in ways)

    @property
    def uri(self) -> str:
        """Where it is dialled."""
        route = self.routes[0]
        return str(self.given or PeerAddress(route.hosts[0], route.port, self.relay_id))

    @property
    def reachable(self) -> bool:
        """Whether it answered when it was last dialled, or was not dialled yet."""
        return not self.failures

    def add_route(self, route: Route) -> bool:
        """Put a route first; tell whether it leads anywhere new."""
        same = [one for one in self.routes if one.port == route.port and not set(one.hosts).isdisjoint(route.hosts)]
        hosts = dict.fromkeys([*route.hosts, *(host for one in same for host in one.hosts)])
        how = min((one.how for one in [route, *same]), key=_WAYS.index)
        merged = Route(tuple(hosts)[:_HOSTS], route.port, how)
        self.routes = [merged, *(one for one in self.routes if one not in same)][:_ROUTES]
        return not same

    def rest(self) -> None:
        """Forget what only a neighbour needs."""
        self.waiting.clear()
        self.pushed.clear()
        self.visitor = False
        if self.view.remembered > _VIEW:
            self.view = PeerView()
            self.covered = None


class Ourselves(Protocol):
    """Who this relay is, which may depend on the network."""

    @property
    def relay_ids(self) -> Collection[bytes]:
        """Every relay id that may be met as one's own."""
        ...

    def id_toward(self, hosts: Sequence[str]) -> bytes:
        """Return the relay id that a relay at these hosts sees."""
        ...


class Neighbours:
    """The table: neighbours by relay id, and beside them those that were met or sighted."""

    def __init__(self, *, ourselves: Ourselves, dice: random.Random) -> None:
        self._ourselves = ourselves
        self._dice = dice
        self._active: dict[bytes, Neighbour] = {}
        self._met: OrderedDict[bytes, Neighbour] = OrderedDict()
        self._sighted: OrderedDict[str, tuple[float, Sighting]] = OrderedDict()

    def __iter__(self) -> Iterator[Neighbour]:
        return iter(tuple(self._active.values()))

    def __len__(self) -> int:
        return len(self._active)

    def get(self, relay_id: bytes | None) -> Neighbour | None:
        """Return a neighbour."""
        return self._active.get(relay_id) if relay_id is not None else None

    def known(self, relay_id: bytes) -> Neighbour | None:
        """Return a relay that was met, neighbour or not."""
        return self._active.get(relay_id) or self._met.get(relay_id)

    def everyone(self) -> Iterator[Neighbour]:
        """Yield all that were met, neighbours first."""
        yield from tuple(self._active.values())
        yield from tuple(self._met.values())

    def has_room(self) -> bool:
        """Tell whether one more can be chosen without letting go of one that answers."""
        return sum(one.reachable for one in self._chosen()) < CHOSEN

    def take(self, relay_id: bytes, route: Route, *, given: PeerAddress | None = None) -> Neighbour | None:
        """Make a neighbour of a relay that is none yet; None when there is no room, and it is remembered as met.

        Who has to go for it, one that does not answer, is no longer here afterwards.
        """
        if relay_id in self._ourselves.relay_ids:
            return None
        visitor = route.how == "inbound"
        rivals, most = (self._visitors(), VISITORS) if visitor else (self._chosen(), CHOSEN)
        if given is None and not self._has_place(rivals, most):
            if not visitor:
                self.meet(relay_id, route)
            return None
        neighbour = self._met.pop(relay_id, None) or Neighbour(relay_id, [route])
        neighbour.add_route(route)
        neighbour.given = given
        neighbour.visitor = visitor and given is None
        self._active[relay_id] = neighbour
        return neighbour

    def choose(self, neighbour: Neighbour) -> bool:
        """Choose one that is a neighbour because it came, for it was found here too; False where there is no room."""
        if not neighbour.visitor or (neighbour.given is None and not self._has_place(self._chosen(), CHOSEN)):
            return False
        neighbour.visitor = False
        return True

    def meet(self, relay_id: bytes, route: Route) -> Neighbour | None:
        """Remember a relay that is no neighbour."""
        if relay_id in self._ourselves.relay_ids or relay_id in self._active:
            return None
        neighbour = self._met.pop(relay_id, None) or Neighbour(relay_id, [route])
        neighbour.add_route(route)
        self._met[relay_id] = neighbour
        while len(self._met) > MET:
            self._met.popitem(last=False)
        return neighbour

    def let_go(self, neighbour: Neighbour) -> None:
        """Make it a neighbour no longer; one that came and never answered leaves no trace."""
        self._active.pop(neighbour.relay_id, None)
        if neighbour.visitor and neighbour.answered is None:
            return
        neighbour.rest()
        self._met[neighbour.relay_id] = neighbour
        while len(self._met) > MET:
            self._met.popitem(last=False)

    def forget(self, neighbour: Neighbour) -> None:
        """Know nothing of it any more."""
        self._active.pop(neighbour.relay_id, None)
        self._met.pop(neighbour.relay_id, None)

    # Who might become one

    def sight(self, sighting: Sighting, *, moment: float) -> None:
        """Remember an announcement for which there is no room now."""
        self._sighted.pop(sighting.instance, None)
        self._sighted[sighting.instance] = moment, sighting
        while len(self._sighted) > SIGHTED:
            self._sighted.popitem(last=False)

    def identified(self, instance: str) -> None:
        """Take an announcement off the list: which relay it was is known by now."""
        self._sighted.pop(instance, None)

    def candidate(self, *, moment: float) -> Neighbour | Sighting | None:
        """Draw a relay that might become a neighbour: one that was sighted just now, or that was met and not in vain.

        Those at an address where no neighbour is come first: one address must not stand for a crowd.
        """
        fresh = [one for heard, one in self._sighted.values() if moment - heard < FRESH]
        met = [
            one
            for one in self._met.values()
            if one.reachable or (one.failed is not None and moment - one.failed > AGAIN)
        ]
        taken = {host for one in self._active.values() for host in _hosts(one)}
        drawn: list[Neighbour | Sighting] = [*fresh, *met]
        drawn = [one for one in drawn if taken.isdisjoint(_hosts(one))] or drawn
        return self._dice.choice(drawn) if drawn else None

    def make_room(self) -> None:
        """Let go of one that was chosen, of those that do not answer rather, when all places are taken."""
        chosen = self._chosen()
        if len(chosen) >= CHOSEN:
            settled = [one for one in chosen if not one.reachable] or [one for one in chosen if one.covered is not None]
            if settled:
                self.let_go(self._dice.choice(settled))

    def _has_place(self, rivals: Sequence[Neighbour], most: int) -> bool:
        """Tell whether there is a place for one more, for which one that does not answer has to go."""
        if len(rivals) < most:
            return True
        failing = max((one for one in rivals if not one.reachable), key=lambda one: one.failures, default=None)
        if failing is not None:
            self.let_go(failing)
        return failing is not None

    def _chosen(self) -> list[Neighbour]:
        return [one for one in self._active.values() if not one.visitor and one.given is None]

    def _visitors(self) -> list[Neighbour]:
        return [one for one in self._active.values() if one.visitor]


def _hosts(one: Neighbour | Sighting) -> Iterable[str]:
    if isinstance(one, Sighting):
        return one.addresses
    return [host for route in one.routes for host in route.hosts]
