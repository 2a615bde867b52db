"""Neighbours: whom this relay keeps in touch with, when it reconciles with them, and what it pushes at once.

Relays are found by discovery, by their own visits, in the address book, or are given by the operator; whatever the
source, dialling and the link decide who they are. Each neighbour has two tasks: one reconciles now and then, soon after
a failure and at once when the neighbour is seen again; the other pushes what has just arrived.

Not here: what an exchange does (client), what is believed. The law: one exchange at a time with a neighbour, each item
pushed at most once to a neighbour and never to one that is known to have it, and every list here is bounded.
Source: docs/spec/http.md, "Push".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from meshrelay.core.clock import AGREEMENT
from meshrelay.core.envelope import Header, ItemClass
from meshrelay.errors import PeerFault, PeerUnreachable, Refusal
from meshrelay.index import PeerView
from meshrelay.local import KnownPeer
from meshrelay.peers.addressbook import PeerAddress, pinned
from meshrelay.peers.answers import Answers, Visit, network_of
from meshrelay.peers.discovery import Sighting
from meshrelay.peers.exchange import ExchangeReport, exchange, give, meet
from meshrelay.peers.ladder import Ladder
from meshrelay.peers.side import OurSide
from meshrelay.peers.talk import Talk
from meshrelay.relay import PeerStatus
from meshrelay.store import Change

log = logging.getLogger(__name__)
T = TypeVar("T")

_NEIGHBOURS = 64
_VISITORS = 16  # of them, those that are known only because they came
_FINDING = 32  # strangers being identified
_DIALS = 8  # of them at a time
_EXCHANGES = 4  # at a time
_HOSTS = 16
_ROUTES = 4  # addresses remembered of one neighbour
_NAMES = 512  # instance names remembered

_EVERY = 20.0  # seconds between exchanges with a settled neighbour
_AGAIN = 2.0  # after one that was not finished
_SOON = 3.0  # the longest wait before trying again one that answered lately, so that a healed cut is soon seen
_LATELY = 600.0
_SELDOM = 300.0  # the longest wait for the others
_GIVEN = 10.0  # the longest wait for an address of the operator's where nobody was met yet
_RARELY = 3600.0  # for one with which the differences are more than can be remembered
_GREETED = 60.0  # seconds between two hellos
_VISITED = 90.0  # seconds for which a relay that comes here counts as being in touch
_TRIES = 3  # to identify a relay that was sighted
_FIRST = 0.2
_BOTH = 1.0  # two that dial each other: the one with the lower id waits until the other is silent for so long
_PATIENCE = 30.0
_SAVED = 600.0

_FANOUT = 4  # neighbours that get what is new at once; the others a little later, if they have not heard of it by then
_KNOWN_DELAY = 0.15
_DELAY = 0.5
_AHEAD = 600  # seconds: what is dated further ahead waits for its time
_PENDING = 20_000  # items waiting to be pushed to one neighbour
_SLICE = 500

_ASKED = 600.0  # seconds between two questions for other relays
_SHARED = 3600.0  # seconds for which a relay that was met is named to others


class Dial(Protocol):
    """Opens a connection to a relay at the first of `hosts` that answers; a `relay_id` is a pin."""

    def __call__(self, hosts: Sequence[str], port: int, relay_id: bytes | None, /) -> Talk:
        """Return what connects once its context is entered."""
        ...


class Hears(Protocol):
    """Hears of relays on the networks that this one is in."""

    def sightings(self) -> AsyncIterator[Sighting]:
        """Yield what is heard, for ever."""
        ...


_WAYS = ("given", "mdns", "book", "told", "sweep", "inbound")
_dice = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class _Route:
    hosts: tuple[str, ...]
    port: int
    how: str

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.hosts[0], self.port)


@dataclass(slots=True, eq=False)
class _Neighbour:
    relay_id: bytes
    routes: list[_Route]
    given: PeerAddress | None = None
    """The address that the operator gave."""
    view: PeerView = field(default_factory=PeerView)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    talking: asyncio.Lock = field(default_factory=asyncio.Lock)
    pending: list[tuple[float, Header]] = field(default_factory=list)
    pushed: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    failures: int = 0
    answered: float | None = None
    """Moment of its last answer, by the loop's clock; `last_contact` and `settled_at` by the relay's."""
    agrees: bool = False
    """Whether its clock and ours showed the same when it was last dialled."""
    visited: float | None = None
    greeted: float | None = None
    asked: float | None = None
    failed: float | None = None
    last_push: float = 0.0
    saved: float | None = None
    last_contact: int | None = None
    settled_at: int | None = None
    total: ExchangeReport = field(default_factory=ExchangeReport)
    unfinished: bool = False
    """Whether the last exchange left something over, such as what another neighbour was just sending."""
    trouble: Exception | None = None
    patience: float = _EVERY

    @property
    def how(self) -> str:
        """How it was found, in the word that says most."""
        ways = {route.how for route in self.routes}
        return "given" if self.given else next(way for way in _WAYS if way in ways)

    def add_route(self, route: _Route) -> bool:
        """Put a route first; tell whether it leads anywhere new."""
        same = [one for one in self.routes if one.port == route.port and not set(one.hosts).isdisjoint(route.hosts)]
        hosts = dict.fromkeys([*route.hosts, *(host for one in same for host in one.hosts)])
        how = min((one.how for one in [route, *same]), key=_WAYS.index)
        merged = _Route(tuple(hosts)[:_HOSTS], route.port, how)
        self.routes = [merged, *(one for one in self.routes if one not in same)][:_ROUTES]
        return not same


class Spread:
    """Keeps in touch with other relays: `run()` as a task, and `changed()` for everything newly stored."""

    def __init__(
        self,
        side: OurSide,
        answers: Answers,
        dial: Dial,
        *,
        own_id: bytes,
        given: Sequence[str] = (),
        discovery: Hears | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        self._ladder = ladder or Ladder(now=lambda: side.now)
        self._side = side
        self._answers = answers
        self._dial = dial
        self._own_id = own_id
        self._addresses = [PeerAddress.parse(uri) for uri in given]
        self._discovery = discovery
        self._neighbours: dict[bytes, _Neighbour] = {}
        self._unfound: dict[PeerAddress, str] = {}
        """Given addresses behind which no relay was met yet, and why."""
        self._instances: OrderedDict[str, bytes] = OrderedDict()
        self._finding: set[str] = set()
        self._dials = asyncio.Semaphore(_DIALS)
        self._exchanges = asyncio.Semaphore(_EXCHANGES)
        self._believed: tuple[object, ...] = ()
        self._news: list[bytes] = []
        self._has_news = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[bytes, list[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Keep in touch until cancelled."""
        self._believed = self._beliefs()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._read_book()
                self._spawn(self._hear_visits())
                self._spawn(self._sort_news())
                if self._discovery is not None:
                    self._spawn(self._hear_sightings(self._discovery))
        finally:
            self._tasks = None

    def changed(self, rows: Sequence[Change]) -> None:
        """Hear what was stored or removed; no rows means that anchors, blocks or the address book changed."""
        if rows:
            self._news += [change.key for change in rows if not change.gone]
            self._has_news.set()
        elif self._tasks is not None:
            self._spawn(self._read_book())
        beliefs = self._beliefs()
        if beliefs != self._believed:
            self._believed = beliefs
            for neighbour in self._neighbours.values():
                neighbour.view.reconsider()

    def woke(self) -> None:
        """Look after every neighbour at once: the computer has slept, or the networks have changed."""
        for neighbour in self._neighbours.values():
            neighbour.wake.set()

    def agreeing(self) -> int:
        """Return how many of the neighbours that this relay dialled show the time that is shown here."""
        return sum(one.agrees and one.answered is not None for one in self._neighbours.values())

    def status(self) -> tuple[PeerStatus, ...]:
        """Return what is known of every neighbour, those in touch first."""
        known = [self._status_of(one) for one in self._neighbours.values()]
        unfound = [PeerStatus(str(address), how="given", error=why) for address, why in self._unfound.items()]
        return tuple(sorted([*known, *unfound], key=lambda one: (not one.connected, one.uri)))

    async def sync(self, uri: str) -> ExchangeReport:
        """Exchange with one relay now; raises Refusal for what is no address, PeerUnreachable or PeerFault."""
        book = await self._side.read(self._side.relay.local.peers)
        address = pinned(PeerAddress.parse(uri), book)
        async with self._dial([address.host], address.port, address.relay_id) as link:
            await self._meet(link)
            neighbour = self._neighbours.get(link.relay_id)
            if neighbour is None:
                return await exchange(self._side, link, PeerView())
            async with neighbour.talking:
                report = await exchange(self._side, link, neighbour.view)
            self._note(neighbour, report)
            return report

    def _beliefs(self) -> tuple[object, ...]:
        """Return what decides whether an item is taken here: once it changes, what was declined is asked for again."""
        relay = self._side.relay
        return relay.trust.known, relay.trust.speakers, relay.trust.blocked, relay.dropped, relay.room.eased

    # Finding

    async def _read_book(self) -> None:
        """Take up what the operator gave and what was met before; let go of what the operator has removed."""
        book = await self._side.read(self._side.relay.local.peers)
        given = [*self._addresses, *(PeerAddress.parse(peer.uri) for peer in book if peer.kept)]
        for address in self._unfound.keys() - set(given):
            del self._unfound[address]
        for neighbour in list(self._neighbours.values()):
            if neighbour.given and neighbour.given not in given:
                self._drop(neighbour)
        for address in given:
            relay_id = pinned(address, book).relay_id
            if relay_id is not None:
                self._add(relay_id, _Route((address.host,), address.port, "given"), given=address)
            elif address not in self._unfound:
                self._unfound[address] = "not reached yet"
                self._spawn(self._find_given(address))
        for peer in book:
            if peer.relay_id is not None and not peer.kept:
                address = PeerAddress.parse(peer.uri)
                self._add(peer.relay_id, _Route((address.host,), address.port, "book"))

    async def _find_given(self, address: PeerAddress) -> None:
        """Dial an address of the operator's until a relay answers, and pin that one."""
        failures = 0
        while address in self._unfound:
            try:
                relay_id = await self._identify((address.host,), address.port, "given")
            except (PeerFault, PeerUnreachable) as error:
                failures += 1
                self._unfound[address] = str(error)
                await asyncio.sleep(_wait_after(failures, longest=_GIVEN))
                continue
            log.debug("%s is relay %s from now on", address, relay_id.hex())
            await self._write_down(KnownPeer(str(address), relay_id, "", "given", self._side.now))
            self._unfound.pop(address, None)
            self._add(relay_id, _Route((address.host,), address.port, "given"), given=address)

    async def _hear_sightings(self, discovery: Hears) -> None:
        async for sighting in discovery.sightings():
            relay_id = self._instances.get(sighting.instance)
            neighbour = self._neighbours.get(relay_id) if relay_id is not None else None
            if neighbour is not None:
                if neighbour.add_route(_Route(sighting.addresses, sighting.port, "mdns")) or neighbour.failures:
                    neighbour.wake.set()
            elif sighting.instance not in self._finding and len(self._finding) < _FINDING:
                self._finding.add(sighting.instance)
                self._spawn(self._find_sighted(sighting))

    async def _find_sighted(self, sighting: Sighting) -> None:
        """Learn which relay was announced; if it is not reached, a later sighting tries again."""
        try:
            relay_id = await self._identify_sighted(sighting)
        finally:
            self._finding.discard(sighting.instance)
        if relay_id is not None:
            self._instances[sighting.instance] = relay_id
            if len(self._instances) > _NAMES:
                self._instances.popitem(last=False)
            self._add(relay_id, _Route(sighting.addresses, sighting.port, "mdns"), wake=True)

    async def _identify_sighted(self, sighting: Sighting) -> bytes | None:
        for failures in range(_TRIES):
            try:
                async with self._dials:
                    return await self._identify(sighting.addresses, sighting.port, "mdns")
            except (PeerFault, PeerUnreachable) as error:
                log.debug("no relay at %s, port %d: %s", sighting.addresses[0], sighting.port, error)
                await asyncio.sleep(_wait_after(failures, longest=1.0))
        return None

    async def _identify(self, hosts: tuple[str, ...], port: int, how: str) -> bytes:
        with self._ladder.trying(how) as found:
            async with self._dial(hosts, port, None) as link:
                await self._meet(link)
                found(link.relay_id)
                return link.relay_id

    async def _ask_for_others(self, neighbour: _Neighbour, link: Talk) -> None:
        """Dial whom this neighbour met on our network lately: where multicast is blocked, one known relay is enough."""
        if neighbour.asked is not None and _moment() - neighbour.asked < _ASKED:
            return
        neighbour.asked = _moment()
        # Where the neighbour is and nowhere else: nobody may send this relay to knock at doors of their choice.
        near = {network_of(host) for route in neighbour.routes for host in route.hosts} - {None}
        for place in await link.peers():
            with contextlib.suppress(Refusal):
                address = PeerAddress.parse(place)
                if network_of(address.host) in near:
                    self.hear_of(address, "told")

    def hear_of(self, address: PeerAddress, how: str) -> None:
        """Dial an address that was found in the way `how`, unless it is known already."""
        known = {
            (host, route.port) for one in self._neighbours.values() for route in one.routes for host in route.hosts
        }
        if (address.host, address.port) in known or address.place in self._finding or len(self._finding) >= _FINDING:
            return
        self._finding.add(address.place)
        self._spawn(self._find_at(address, how))

    async def _find_at(self, address: PeerAddress, how: str) -> None:
        try:
            async with self._dials:
                relay_id = await self._identify((address.host,), address.port, how)
            self._add(relay_id, _Route((address.host,), address.port, how))
        except (PeerFault, PeerUnreachable) as error:
            log.debug("no relay at %s: %s", address.place, error)
        finally:
            self._finding.discard(address.place)

    async def _meet(self, link: Talk) -> None:
        _, theirs = await meet(self._side, link, port=self._answers.port)
        neighbour = self._neighbours.get(link.relay_id)
        if neighbour is not None:
            neighbour.agrees = abs(theirs - self._side.now) <= AGREEMENT

    async def _hear_visits(self) -> None:
        async for visit in self._answers.visits():
            self._hear_visit(visit)

    def _hear_visit(self, visit: Visit) -> None:
        neighbour = self._neighbours.get(visit.relay_id)
        route = _Route((visit.host,), visit.port, "inbound")
        if neighbour is None and visit.port:
            neighbour = self._add(visit.relay_id, route)
        if neighbour is None:
            return
        neighbour.visited = _moment()
        neighbour.last_contact = self._side.now
        if neighbour.failures and visit.port:
            neighbour.add_route(route)
            neighbour.wake.set()

    def _add(
        self, relay_id: bytes, route: _Route, *, given: PeerAddress | None = None, wake: bool = False
    ) -> _Neighbour | None:
        """Take up a neighbour, or another route to one; None when there is no room."""
        neighbour = self._neighbours.get(relay_id)
        if neighbour is not None:
            neighbour.given = given or neighbour.given
            if route.how != "book" and neighbour.add_route(route) and wake:
                neighbour.wake.set()
            return neighbour
        if relay_id == self._own_id or not self._has_room(route.how):
            return None
        neighbour = _Neighbour(relay_id, [route], given)
        self._neighbours[relay_id] = neighbour
        self._running[relay_id] = [self._spawn(self._keep_in_touch(neighbour)), self._spawn(self._push(neighbour))]
        return neighbour

    def _has_room(self, how: str) -> bool:
        """Tell whether there is room for a neighbour, letting the least useful one go if need be.

        A relay id costs nothing, so those that merely came, or that do not answer, never keep others out.
        """
        if how == "inbound":
            came = [one for one in self._neighbours.values() if one.routes[0].how == "inbound"]
            return len(came) < _VISITORS and len(self._neighbours) < _NEIGHBOURS
        if len(self._neighbours) < _NEIGHBOURS:
            return True
        idle = [one for one in self._neighbours.values() if not one.given and one.answered is None]
        failing = [one for one in self._neighbours.values() if not one.given and one.failures > 3]
        for one in [*idle, *failing][:1]:
            self._drop(one)
            return True
        return how == "given"

    def _drop(self, neighbour: _Neighbour) -> None:
        del self._neighbours[neighbour.relay_id]
        for task in self._running.pop(neighbour.relay_id):
            task.cancel()

    # Reconciling

    async def _keep_in_touch(self, neighbour: _Neighbour) -> None:
        if neighbour.routes[0].how == "book":
            await asyncio.sleep(_dice.uniform(0, 2))  # after a start, those who are seen come first
        while True:
            neighbour.wake.clear()
            await self._let_the_other_end(neighbour)
            await self._exchange(neighbour)
            # Not wait_for, which forgets that it was cancelled when the event is set at the same moment (Python 3.11).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait(neighbour)):
                    await neighbour.wake.wait()
            if neighbour.failures:
                await asyncio.sleep(_dice.uniform(0, 0.2))

    async def _let_the_other_end(self, neighbour: _Neighbour) -> None:
        """Wait while the other one is exchanging with us: one exchange settles both."""
        if neighbour.relay_id < self._own_id:
            return
        if neighbour.settled_at is None:
            await asyncio.sleep(_FIRST)  # two that have just met dial each other at the same moment
        until = _moment() + _PATIENCE
        while (heard := self._answers.heard(neighbour.relay_id)) is not None:
            silent = _moment() - heard
            if silent > _BOTH or _moment() > until:
                return
            await asyncio.sleep(_BOTH - silent + 0.01)

    def _wait(self, neighbour: _Neighbour) -> float:
        """Return how many seconds to wait before the next exchange."""
        if neighbour.failures:
            # One that breaks the protocol is not hurried back to.
            lately = neighbour.answered is not None and _moment() - neighbour.answered < _LATELY
            lately = lately and not isinstance(neighbour.trouble, PeerFault)
            return _wait_after(neighbour.failures, longest=_SOON if lately else _SELDOM)
        if neighbour.unfinished:
            return _AGAIN
        if neighbour.view.overflowed:
            neighbour.patience = min(neighbour.patience * 2, _RARELY)
        else:
            neighbour.patience = _EVERY
        return neighbour.patience * _dice.uniform(0.75, 1.25)

    async def _exchange(self, neighbour: _Neighbour) -> None:
        slow_start = neighbour.settled_at is None or neighbour.failures > 0

        async def both_ways(link: Talk) -> ExchangeReport:
            async with self._exchanges:
                report = await exchange(self._side, link, neighbour.view, slow_start=slow_start)
            if self._discovery is not None and report.trouble is None:
                await self._ask_for_others(neighbour, link)
            return report

        async with neighbour.talking:
            try:
                report = await self._over_a_link(neighbour, both_ways)
            except (PeerFault, PeerUnreachable, Refusal) as error:
                self._fail(neighbour, error)
                return
        await self._save(neighbour)
        neighbour.unfinished = not report.settled
        self._note(neighbour, report)

    async def _over_a_link(self, neighbour: _Neighbour, work: Callable[[Talk], Awaitable[T]]) -> T:
        """Dial by the known routes until one answers, and do `work` over the link."""
        trouble: PeerFault | PeerUnreachable = PeerUnreachable("no address is known")
        for route in list(neighbour.routes):
            try:
                with self._ladder.trying(route.how) as found:
                    async with self._dial(route.hosts, route.port, neighbour.relay_id) as link:
                        if neighbour.greeted is None or neighbour.failures or _moment() - neighbour.greeted > _GREETED:
                            await self._meet(link)
                            neighbour.greeted = _moment()
                        result = await work(link)
                        found(neighbour.relay_id)
            except (PeerFault, PeerUnreachable) as error:
                trouble = error
            else:
                neighbour.add_route(route)
                return result
        raise trouble

    def _note(self, neighbour: _Neighbour, report: ExchangeReport) -> None:
        total = neighbour.total
        total.received += report.received
        total.sent += report.sent
        total.declined += report.declined
        total.refused += report.refused
        total.bytes_received += report.bytes_received
        total.bytes_sent += report.bytes_sent
        neighbour.answered = _moment()
        neighbour.last_contact = self._side.now
        neighbour.trouble = report.trouble
        if report.trouble is None:
            neighbour.failures = 0
        else:
            made_headway = report.received + report.sent > 0 and not isinstance(report.trouble, PeerFault)
            neighbour.failures = 1 if made_headway else neighbour.failures + 1
        if report.settled:
            neighbour.settled_at = self._side.now
        moment = _moment()
        met = [one for one in self._neighbours.values() if one.answered is not None and moment - one.answered < _SHARED]
        self._answers.share(
            PeerAddress(host, route.port) for one in met for route in one.routes[:1] for host in route.hosts
        )

    def _fail(self, neighbour: _Neighbour, error: Exception) -> None:
        neighbour.failures += 1
        neighbour.failed = _moment()
        neighbour.trouble = error
        log.debug("no exchange with %s: %s", neighbour.routes[0].address, error)

    async def _save(self, neighbour: _Neighbour) -> None:
        """Write it into the address book, now and then."""
        moment = _moment()
        if neighbour.saved is not None and moment - neighbour.saved < _SAVED:
            return
        neighbour.saved = moment
        route = neighbour.routes[0]
        address = neighbour.given or PeerAddress(route.hosts[0], route.port, neighbour.relay_id)
        await self._write_down(KnownPeer(str(address), neighbour.relay_id, "", neighbour.how, self._side.now))

    async def _write_down(self, entry: KnownPeer) -> None:
        try:
            await self._side.read(self._side.relay.local.save_peer, entry)
        except Refusal as error:
            log.warning("the address book cannot be written: %s", error)

    def _status_of(self, neighbour: _Neighbour) -> PeerStatus:
        moment, total, route = _moment(), neighbour.total, neighbour.routes[0]
        came = neighbour.visited
        comes = came is not None and moment - came < _VISITED and came > (neighbour.failed or 0.0)
        return PeerStatus(
            uri=str(neighbour.given or PeerAddress(route.hosts[0], route.port, neighbour.relay_id)),
            relay_id=neighbour.relay_id,
            how=neighbour.how,
            connected=comes or (neighbour.answered is not None and not neighbour.failures),
            last_contact=neighbour.last_contact,
            settled_at=neighbour.settled_at,
            bytes_sent=total.bytes_sent,
            bytes_received=total.bytes_received,
            items_sent=total.sent,
            items_received=total.received,
            refused=total.refused + total.declined,
            error=str(neighbour.trouble or ""),
        )

    # Pushing

    async def _sort_news(self) -> None:
        """Decide for everything newly stored who gets it, and when."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            news, self._news = self._news, []
            for start in range(0, len(news), _SLICE):
                try:
                    headers = await self._side.summaries(news[start : start + _SLICE])
                except Refusal as error:
                    log.warning("what has arrived is not pushed: %s", error)  # exchanges will find it
                    break
                now = self._side.now
                self._schedule([one for one in headers if one is not None and one.sent <= now + _AHEAD])

    def _schedule(self, headers: Sequence[Header]) -> None:
        moment = _moment()
        neighbours = [
            one
            for one in self._neighbours.values()
            if not one.failures and (one.answered is not None or one.visited is not None or one.talking.locked())
        ]
        _dice.shuffle(neighbours)
        for place, neighbour in enumerate(neighbours):
            late = 0.0 if place < _FANOUT else _dice.uniform(0.3, 1.0)
            pending = neighbour.pending
            for header in headers:
                if header.key not in neighbour.pushed and len(pending) < _PENDING:
                    # After a silence the first goes at once; what follows it within the delay goes together.
                    due = moment if not self._delay(header) else neighbour.last_push + self._delay(header)
                    pending.append((max(moment, due) + late, header))
            neighbour.news.set()

    def _delay(self, header: Header) -> float:
        if not self._side.matters(header):
            return _DELAY
        return 0.0 if header.item_class <= ItemClass.GRAVE else _KNOWN_DELAY

    async def _push(self, neighbour: _Neighbour) -> None:
        while True:
            await neighbour.news.wait()
            neighbour.news.clear()
            while neighbour.pending:
                first = min(due for due, _ in neighbour.pending)
                with contextlib.suppress(TimeoutError):
                    # Something more urgent may come meanwhile.
                    async with asyncio.timeout(max(0.0, first - _moment())):
                        await neighbour.news.wait()
                    neighbour.news.clear()
                    continue
                moment = _moment()
                due = [header for when, header in neighbour.pending if when <= moment]
                neighbour.pending = [(when, header) for when, header in neighbour.pending if when > moment]
                await self._push_now(neighbour, due)

    async def _push_now(self, neighbour: _Neighbour, headers: Sequence[Header]) -> None:
        fresh = [
            header
            for header in headers
            if header.key not in neighbour.pushed and neighbour.relay_id not in self._side.holders(header.key)
        ]
        if not fresh or neighbour.failures:
            return  # one that fails is reconciled with when it is back
        neighbour.last_push = _moment()
        for header in fresh:
            neighbour.pushed[header.key] = None
        while len(neighbour.pushed) > _PENDING:
            neighbour.pushed.popitem(last=False)
        try:
            report = await self._over_a_link(
                neighbour, lambda link: give(self._side, link, neighbour.view, fresh, urgent=self._is_urgent)
            )
        except (PeerFault, PeerUnreachable, Refusal) as error:
            # What did not arrive is found by the next exchange, which comes at once.
            self._fail(neighbour, error)
            neighbour.wake.set()
            return
        self._note(neighbour, report)

    def _is_urgent(self, header: Header) -> bool:
        return self._delay(header) == 0.0

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        if self._tasks is None:
            raise RuntimeError("nothing is spread outside of run()")
        return self._tasks.create_task(work)


def _wait_after(failures: int, *, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return float(min(longest, 2.0 ** min(failures - 1, 12))) * _dice.uniform(0.75, 1.25)


def _moment() -> float:
    return asyncio.get_running_loop().time()
