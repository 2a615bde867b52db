"""Keeping in touch with other relays: finding them, reconciling with them, choosing among them anew.

Relays are found by discovery, by their own visits, in the address book, or are given by the operator; whatever the
source, dialling and the link decide who they are. Each neighbour has two tasks: one reconciles now and then, soon after
a failure and at once when the neighbour is seen again; the other pushes what has just arrived.

Not here: who is a neighbour (neighbours), what an exchange does (exchange), what is pushed to whom (push). The law: one
exchange at a time with a neighbour, and every list here is bounded. Source: docs/spec/http.md, "Neighbours".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Protocol

from meshrelay.core.clock import AGREEMENT
from meshrelay.errors import PeerFault, PeerUnreachable, Refusal
from meshrelay.index import PeerView
from meshrelay.local import KnownPeer
from meshrelay.peers.addressbook import PeerAddress, kept, pinned
from meshrelay.peers.answers import Answers, Visit, network_of
from meshrelay.peers.copies import Copies
from meshrelay.peers.discovery import Sighting
from meshrelay.peers.exchange import ExchangeReport, exchange
from meshrelay.peers.ladder import Ladder
from meshrelay.peers.neighbours import EVERY, Neighbour, Neighbours, Ourselves, Route
from meshrelay.peers.pace import Pace
from meshrelay.peers.push import Push
from meshrelay.peers.side import OurSide
from meshrelay.peers.speaking import Dial, Speaking
from meshrelay.peers.talk import Talk
from meshrelay.status import PeerStatus
from meshrelay.store import Change

log = logging.getLogger(__name__)

_FINDING = 32  # strangers being identified
_DIALS = 8  # of them at a time
_EXCHANGES = 4  # at a time
_PLACE = 3.0  # seconds for which one holds its place: a slow one goes on beside those that come next
_NAMES = 512  # instance names remembered

_CROWD = 12  # neighbours from which on each is reconciled with less often
_AGAIN = 2.0  # seconds until the exchange after one that was not finished
_SOON = 3.0  # the longest wait before trying again one that has just fallen silent, so that a healed cut is soon seen
_SILENCE = 0.1  # of its silence: the longest wait for one that has been silent for longer
_SELDOM = 300.0  # the longest wait of all
_GIVEN = 10.0  # the longest wait for an address of the operator's where nobody was met yet
_RARELY = 3600.0  # for one with which the differences are more than can be remembered
_REMIX = 60.0  # between two draws of a relay to have for a neighbour instead of another
_REMIX_SOON = 5.0  # the same while there are places to be had
_GREETED = 180.0  # for which what a relay's clock showed at its hello counts
_VISITED = 90.0  # for which a relay that comes here counts as being in touch
_TRIES = 3  # to identify a relay that was sighted
_FIRST = 0.2
_BOTH = 1.0  # two that dial each other: the one with the lower id waits until the other is silent for so long
_PATIENCE = 30.0
_MENDED = 10.0  # until something that failed and has no end is begun again
_SAVED = 600.0
_ASKED = 600.0  # between two questions for other relays
_ASKED_LONELY = 10.0  # the same while there are fewer neighbours than _LONELY
_LONELY = 4
_TIME_STEP = 86_400  # seconds of the time in force after which what was declined is asked for again


class Hears(Protocol):
    """Hears of relays on the networks that this one is in."""

    def sightings(self) -> AsyncIterator[Sighting]:
        """Yield what is heard, for ever."""
        ...


class Spread:
    """Keeps in touch with other relays: `run()` as a task, and `changed()` for everything newly stored."""

    def __init__(
        self,
        side: OurSide,
        answers: Answers,
        dial: Dial,
        *,
        ourselves: Ourselves,
        given: Sequence[str] = (),
        discovery: Hears | None = None,
        ladder: Ladder | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self._ladder = ladder or Ladder(now=lambda: side.now)
        self._side = side
        self._answers = answers
        self._ourselves = ourselves
        self._addresses = [PeerAddress.parse(uri) for uri in given]
        self._discovery = discovery
        self._neighbours = Neighbours(ourselves=ourselves, dice=side.dice)
        self._speaking = Speaking(side, answers, dial, neighbours=self._neighbours, ladder=self._ladder)
        self._push = Push(side, self._neighbours, self._speaking, pace=self._pace)
        self._copies = Copies()
        self._unfound: dict[PeerAddress, str] = {}
        """Given addresses behind which no relay was met yet, and why."""
        self._instances: OrderedDict[str, bytes] = OrderedDict()
        self._finding: set[str] = set()
        self._dials = asyncio.Semaphore(_DIALS)
        self._exchanges = asyncio.Semaphore(_EXCHANGES)
        self._believed: tuple[object, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._running: dict[bytes, list[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Keep in touch until cancelled."""
        self._believed = self._beliefs()
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await _logged(self._read_book())
                self._keep_doing(self._hear_visits)
                self._keep_doing(self._push.sort_news)
                self._keep_doing(self._choose_anew)
                if self._discovery is not None:
                    self._keep_doing(partial(self._hear_sightings, self._discovery))
        finally:
            self._tasks = None

    def changed(self, rows: Sequence[Change]) -> None:
        """Hear what was stored or removed; no rows means that anchors, blocks or the address book changed."""
        if rows:
            news = [change.key for change in rows if not change.gone]
            self._copies.came(news, moment=_moment())
            self._push.hear(news)
        elif self._tasks is not None:
            self._spawn(self._read_book())
        beliefs = self._beliefs()
        if beliefs != self._believed:
            self._believed = beliefs
            for neighbour in self._neighbours.everyone():
                if neighbour.view.overflowed:
                    neighbour.covered = None  # not all that it refused is remembered
                neighbour.view.reconsider()

    def woke(self) -> None:
        """Look after every neighbour at once: the computer has slept, or the networks have changed."""
        for neighbour in self._neighbours:
            neighbour.wake.set()

    def agreeing(self, now: int) -> int:
        """Return how many of the neighbours that this relay dialled show the time that is in force here.

        One that has fallen silent says nothing of a clock that was set meanwhile. May be asked on any thread.
        """
        if self._loop is None:
            return 0
        moment = self._loop.time()
        return sum(
            one.clock is not None
            and one.greeted is not None
            and moment - one.greeted <= _GREETED
            and one.answered is not None
            and one.reachable
            and abs(one.clock + moment - now) <= AGREEMENT
            for one in self._neighbours
        )

    def copies(self, key: bytes) -> int:
        """Return how many of the relays that were met have the item with this reconciliation key, at least."""
        if key not in self._side.index.keys:
            return 0
        return self._copies.count(key, met=self._neighbours.everyone(), holders=self._side.holders(key))

    def status(self) -> tuple[PeerStatus, ...]:
        """Return what is known of every relay that was met, those in touch first."""
        known = [self._status_of(one) for one in self._neighbours.everyone()]
        unfound = [PeerStatus(str(address), how="given", error=why) for address, why in self._unfound.items()]
        return tuple(sorted([*known, *unfound], key=lambda one: (not one.connected, one.uri)))

    async def sync(self, uri: str) -> ExchangeReport:
        """Exchange with one relay now; raises Refusal for what is no address, PeerUnreachable or PeerFault."""
        book = await self._side.read(self._side.relay.local.peers)
        address = pinned(PeerAddress.parse(uri), book)
        async with self._speaking.dial([address.host], address.port, address.relay_id) as link:
            await self._speaking.meet(link)
            neighbour = self._neighbours.known(link.relay_id)
            if neighbour is None:
                return await exchange(self._side, link, PeerView())
            async with neighbour.talking:
                began = _moment(), self._side.now
                report = await exchange(self._side, link, neighbour.view)
            self._note(neighbour, report, began)
            return report

    def _beliefs(self) -> tuple[object, ...]:
        """Return what decides whether an item is taken here: once it changes, what was declined is asked for again."""
        relay = self._side.relay
        return (
            relay.trust.known,
            relay.trust.speakers,
            relay.trust.blocked,
            relay.dropped,
            relay.room.eased,
            self._side.now // _TIME_STEP,
        )

    # Finding

    async def _read_book(self) -> None:
        """Take up what the operator gave and what was met before; let go of what the operator has removed."""
        book = await self._side.read(self._side.relay.local.peers)
        entries = kept(book)
        given = [*self._addresses, *(address for peer, address in entries if peer.kept)]
        for address in self._unfound.keys() - set(given):
            del self._unfound[address]
        for neighbour in self._neighbours:
            if neighbour.given and neighbour.given not in given:
                self._neighbours.forget(neighbour)
        self._end_those_let_go()
        for address in given:
            relay_id = pinned(address, book).relay_id
            if relay_id is not None:
                self._add(relay_id, Route((address.host,), address.port, "given"), given=address)
            elif address not in self._unfound:
                self._unfound[address] = "not reached yet"
                self._spawn(self._find_given(address))
        for peer, address in entries:
            if peer.relay_id is not None and not peer.kept and self._neighbours.known(peer.relay_id) is None:
                self._add(peer.relay_id, Route((address.host,), address.port, "book"))

    async def _find_given(self, address: PeerAddress) -> None:
        """Dial an address of the operator's until a relay answers, and pin that one."""
        failures = 0
        while address in self._unfound:
            try:
                relay_id = await self._identify((address.host,), address.port, "given")
            except (PeerFault, PeerUnreachable) as error:
                failures += 1
                self._unfound[address] = str(error)
                await asyncio.sleep(_wait_after(self._side.dice, failures, longest=_GIVEN))
                continue
            log.debug("%s is relay %s from now on", address, relay_id.hex())
            await self._write_down(KnownPeer(str(address), relay_id, "", "given", self._side.now))
            self._unfound.pop(address, None)
            self._dialled(self._add(relay_id, Route((address.host,), address.port, "given"), given=address))

    async def _hear_sightings(self, discovery: Hears) -> None:
        async for sighting in discovery.sightings():
            neighbour = self._neighbours.get(self._instances.get(sighting.instance))
            if neighbour is not None:
                if neighbour.add_route(Route(sighting.addresses, sighting.port, "mdns")) or neighbour.failures:
                    neighbour.wake.set()
            elif not self._neighbours.has_room():
                self._neighbours.sight(sighting, moment=_moment())
            else:
                self._find(sighting)

    def _find(self, sighting: Sighting) -> None:
        if sighting.instance not in self._finding and len(self._finding) < _FINDING:
            self._finding.add(sighting.instance)
            self._spawn(self._find_sighted(sighting))

    async def _find_sighted(self, sighting: Sighting) -> None:
        """Learn which relay was announced; if it is not reached, a later sighting tries again."""
        route = Route(sighting.addresses, sighting.port, "mdns")
        relay_id = self._instances.get(sighting.instance)
        try:
            if relay_id is None:
                relay_id = await self._identify_sighted(sighting)
        finally:
            self._finding.discard(sighting.instance)
        self._neighbours.identified(sighting.instance)
        if relay_id is not None:
            self._instances[sighting.instance] = relay_id
            if len(self._instances) > _NAMES:
                self._instances.popitem(last=False)
            self._dialled(self._add(relay_id, route, wake=True))

    async def _identify_sighted(self, sighting: Sighting) -> bytes | None:
        for failures in range(_TRIES):
            try:
                async with self._dials:
                    return await self._identify(sighting.addresses, sighting.port, "mdns")
            except (PeerFault, PeerUnreachable) as error:
                log.debug("no relay at %s, port %d: %s", sighting.addresses[0], sighting.port, error)
                await asyncio.sleep(_wait_after(self._side.dice, failures, longest=1.0))
        return None

    async def _identify(self, hosts: tuple[str, ...], port: int, how: str) -> bytes:
        with self._ladder.trying(how) as found:
            async with self._speaking.dial(hosts, port, None) as link:
                await self._speaking.meet(link)
                found(link.relay_id)
                return link.relay_id

    async def _ask_for_others(self, neighbour: Neighbour, link: Talk) -> None:
        """Dial whom this neighbour met on our network lately: where multicast is blocked, one known relay is enough."""
        pause = _ASKED_LONELY if len(self._neighbours) < _LONELY else _ASKED
        if neighbour.asked is not None and _moment() - neighbour.asked < pause:
            return
        if not self._neighbours.has_room():
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
            (host, route.port) for one in self._neighbours.everyone() for route in one.routes for host in route.hosts
        }
        if (address.host, address.port) in known or address.place in self._finding or len(self._finding) >= _FINDING:
            return
        self._finding.add(address.place)
        self._spawn(self._find_at(address, how))

    async def _find_at(self, address: PeerAddress, how: str) -> None:
        try:
            async with self._dials:
                if not self._neighbours.has_room():
                    return
                relay_id = await self._identify((address.host,), address.port, how)
            self._dialled(self._add(relay_id, Route((address.host,), address.port, how)))
        except (PeerFault, PeerUnreachable) as error:
            log.debug("no relay at %s: %s", address.place, error)
        finally:
            self._finding.discard(address.place)

    async def _hear_visits(self) -> None:
        async for visit in self._answers.visits():
            self._hear_visit(visit)

    def _hear_visit(self, visit: Visit) -> None:
        route = Route((visit.host,), visit.port, "inbound")
        neighbour = self._neighbours.get(visit.relay_id)
        if neighbour is None and visit.port:
            neighbour = self._add(visit.relay_id, route)
        neighbour = neighbour or self._neighbours.known(visit.relay_id)
        if neighbour is None:
            return
        neighbour.visited = _moment()
        neighbour.last_contact = self._side.now
        if neighbour.failures and visit.port:
            neighbour.add_route(route)
            neighbour.wake.set()

    # Choosing

    def _add(
        self, relay_id: bytes, route: Route, *, given: PeerAddress | None = None, wake: bool = False
    ) -> Neighbour | None:
        """Take up a neighbour, or another route to one; None when there is no room."""
        neighbour = self._neighbours.get(relay_id)
        if neighbour is not None:
            neighbour.given = given or neighbour.given
            if route.how == "book":
                return neighbour
            leads_elsewhere = neighbour.add_route(route)
            # Two that meet at the same moment are visitors to each other, and either would leave it to the other one.
            if self._neighbours.choose(neighbour) or (leads_elsewhere and wake):
                neighbour.wake.set()
            self._end_those_let_go()
            return neighbour
        neighbour = self._neighbours.take(relay_id, route, given=given)
        self._end_those_let_go()
        if neighbour is not None:
            self._running[relay_id] = [
                self._keep_doing(partial(self._keep_in_touch, neighbour)),
                self._keep_doing(partial(self._push.serve, neighbour)),
            ]
        return neighbour

    def _dialled(self, neighbour: Neighbour | None) -> None:
        """Note that one that was just taken up has answered at its address."""
        if neighbour is not None:
            self._speaking.answered(neighbour)

    def _end_those_let_go(self) -> None:
        for relay_id in [one for one in self._running if self._neighbours.get(one) is None]:
            for task in self._running.pop(relay_id):
                task.cancel()

    async def _choose_anew(self) -> None:
        """Now and then have a relay for a neighbour that is none, instead of one that is, and reconcile with it."""
        while True:
            pause = _REMIX_SOON if self._neighbours.has_room() else _REMIX
            await asyncio.sleep(pause * self._side.dice.uniform(0.75, 1.25))
            drawn = self._neighbours.candidate(moment=_moment())
            if drawn is None:
                continue
            self._neighbours.make_room()
            self._end_those_let_go()
            if isinstance(drawn, Neighbour):
                self._add(drawn.relay_id, drawn.routes[0])
            else:
                self._find(drawn)

    # Reconciling

    async def _keep_in_touch(self, neighbour: Neighbour) -> None:
        if neighbour.routes[0].how == "book":
            await asyncio.sleep(self._side.dice.uniform(0, 2))  # after a start, those who are seen come first
        if neighbour.visitor:
            # It came to exchange with us, which settles both.
            await self._until_woken(neighbour, self._wait(neighbour))
        while True:
            neighbour.wake.clear()
            await self._let_the_other_end(neighbour)
            await self._exchange(neighbour)
            await self._until_woken(neighbour, self._wait(neighbour))
            if neighbour.failures:
                await asyncio.sleep(self._side.dice.uniform(0, 0.2))

    async def _until_woken(self, neighbour: Neighbour, seconds: float) -> None:
        # Not wait_for, which forgets that it was cancelled when the event is set at the same moment (Python 3.11).
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await neighbour.wake.wait()

    async def _let_the_other_end(self, neighbour: Neighbour) -> None:
        """Wait while the other one is exchanging with us: one exchange settles both."""
        if neighbour.relay_id < self._ourselves.id_toward(neighbour.routes[0].hosts):
            return
        if neighbour.settled_at is None:
            await asyncio.sleep(_FIRST)  # two that have just met dial each other at the same moment
        until = _moment() + _PATIENCE
        while (heard := self._answers.heard(neighbour.relay_id)) is not None:
            silent = _moment() - heard
            if silent > _BOTH or _moment() > until:
                return
            await asyncio.sleep(_BOTH - silent + 0.01)

    def _wait(self, neighbour: Neighbour) -> float:
        """Return how many seconds to wait before the next exchange."""
        if neighbour.failures:
            longest = _SELDOM
            # One that breaks the protocol is not hurried back to.
            if neighbour.answered is not None and not isinstance(neighbour.trouble, PeerFault):
                longest = min(_SELDOM, max(_SOON, _SILENCE * (_moment() - neighbour.answered)))
            return _wait_after(self._side.dice, neighbour.failures, longest=longest)
        if neighbour.unfinished:
            return _AGAIN
        if neighbour.view.overflowed:
            neighbour.patience = min(neighbour.patience * 2, _RARELY)
        else:
            neighbour.patience = EVERY * max(1.0, len(self._neighbours) / _CROWD)
        return neighbour.patience * self._side.dice.uniform(0.75, 1.25)

    async def _exchange(self, neighbour: Neighbour) -> None:
        slow_start = neighbour.settled_at is None or neighbour.failures > 0

        async def both_ways(link: Talk) -> tuple[ExchangeReport, tuple[float, int]]:
            async with self._place():
                began = _moment(), self._side.now
                report = await exchange(
                    self._side, link, neighbour.view, slow_start=slow_start, pressing_only=self._pace.is_spent
                )
            if self._discovery is not None and report.trouble is None:
                await self._ask_for_others(neighbour, link)
            return report, began

        async with neighbour.talking:
            try:
                report, began = await self._speaking.over_a_link(neighbour, both_ways)
            except (PeerFault, PeerUnreachable, Refusal) as error:
                self._speaking.fail(neighbour, error)
                return
        await self._save(neighbour)
        self._note(neighbour, report, began)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait for a place to exchange; relays that answer slowly on purpose must not hold them all."""
        await self._exchanges.acquire()
        leave = _once(self._exchanges.release)
        leaving = asyncio.get_running_loop().call_later(_PLACE, leave)
        try:
            yield
        finally:
            leaving.cancel()
            leave()

    def _note(self, neighbour: Neighbour, report: ExchangeReport, began: tuple[float, int]) -> None:
        """Note an exchange that began at this moment by the loop's clock and this time by the relay's."""
        neighbour.unfinished = not report.settled and not self._pace.is_spent
        if report.settled:
            neighbour.covered, neighbour.settled_at = began
        self._speaking.note(neighbour, report)

    async def _save(self, neighbour: Neighbour) -> None:
        """Write it into the address book, now and then."""
        moment = _moment()
        if neighbour.saved is not None and moment - neighbour.saved < _SAVED:
            return
        neighbour.saved = moment
        await self._write_down(KnownPeer(neighbour.uri, neighbour.relay_id, "", neighbour.how, self._side.now))

    async def _write_down(self, entry: KnownPeer) -> None:
        try:
            await self._side.read(self._side.relay.local.save_peer, entry)
        except Refusal as error:
            log.warning("the address book cannot be written: %s", error)

    def _status_of(self, neighbour: Neighbour) -> PeerStatus:
        moment, total = _moment(), neighbour.total
        came, answered = neighbour.visited, neighbour.answered
        comes = came is not None and moment - came < _VISITED and came > (neighbour.failed or 0.0)
        if self._neighbours.get(neighbour.relay_id) is None and not comes:
            comes = answered is not None and moment - answered < _VISITED and neighbour.reachable
            answered = None
        return PeerStatus(
            uri=neighbour.uri,
            relay_id=neighbour.relay_id,
            how=neighbour.how,
            connected=comes or (answered is not None and neighbour.reachable),
            last_contact=neighbour.last_contact,
            settled_at=neighbour.settled_at,
            refuses=neighbour.view.refuses,
            bytes_sent=total.bytes_sent,
            bytes_received=total.bytes_received,
            items_sent=total.sent,
            items_received=total.received,
            refused=total.refused + total.declined,
            error=str(neighbour.trouble or ""),
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        return self._group.create_task(_logged(work))

    def _keep_doing(self, work: Callable[[], Coroutine[None, None, None]]) -> asyncio.Task[None]:
        """Do what has no end, and begin again where it fails in a way that nobody foresaw: the others go on."""

        async def for_ever() -> None:
            while True:
                await _logged(work())
                await asyncio.sleep(_MENDED)

        return self._group.create_task(for_ever())

    @property
    def _group(self) -> asyncio.TaskGroup:
        if self._tasks is None:
            raise RuntimeError("nothing is spread outside of run()")
        return self._tasks


async def _logged(work: Coroutine[None, None, None]) -> None:
    """Do something; an error that nobody foresaw is written down, and ends nothing else."""
    try:
        await work
    except Exception:
        log.exception("%s failed", getattr(work, "__qualname__", work))


def _once(function: Callable[[], None]) -> Callable[[], None]:
    """Return what calls a function the first time and never again."""
    left = [function]

    def call() -> None:
        if left:
            left.pop()()

    return call


def _wait_after(dice: random.Random, failures: int, *, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row."""
    return float(min(longest, 2.0 ** min(failures - 1, 12))) * dice.uniform(0.75, 1.25)


def _moment() -> float:
    return asyncio.get_running_loop().time()
