"""A simulated mesh: the relays are the real ones, and only time, links and dice are made up.

Everything that decides runs as in a process: store, index, relay, exchange, push, choice of neighbours, answers. What
is simulated is what carries the bytes (`_Wire`), what announces relays (`World.announce`), and the clock: the event
loop never waits but jumps to the next thing that happens. One seed gives one trace, in any process.

Hostile relays lie in the answers they give and push what they like; honest ones can crash and come back with their
store, and have clocks that are wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import selectors
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from meshrelay.core.clock import Clock, Evidence, tell
from meshrelay.core.envelope import ItemClass, SignedItem
from meshrelay.core.quota import Source
from meshrelay.core.trust import Anchor
from meshrelay.errors import PeerUnreachable
from meshrelay.index import Index
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.peers import wire
from meshrelay.peers.answers import Answers, Asked, Reply
from meshrelay.peers.discovery import Sighting
from meshrelay.peers.side import OurSide, Taken
from meshrelay.peers.spread import Spread
from meshrelay.peers.talk import Answered, CutOff, Talk, check_status
from meshrelay.relay import Relay
from meshrelay.store import Store

P = ParamSpec("P")
T = TypeVar("T")

START = 1_790_000_000
"""The true time, in unix seconds, when a world begins."""
PORT = 8443

_HEAD = 250  # bytes of a request or reply beside its body
_PACKET = 1_400
_HANDSHAKE = 1_000  # bytes of TCP and TLS in each of four flights, certificates included
_PATIENCE = 10.0  # seconds without a byte after which a link is given up
_ANNOUNCED = 10.0  # seconds between two announcements


class _Jump(selectors.SelectSelector):
    """Waits for nothing: the clock is set to when the next thing is due."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only where everybody waits."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jump.now


@dataclass(frozen=True, slots=True)
class Weather:
    """What links are like: the share of packets lost, seconds one way, bytes a second each way (None: no limit)."""

    loss: float = 0.0
    latency: float = 0.005
    rate: float | None = None


class World:
    """Relays, the networks they are in, and everything that passes between them.

    `networks` says by relay which ones it is in; two relays reach each other where they share one. Change it by
    :meth:`move`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        weather: Weather | None = None,
        housekeeping: tuple[float, float] = (40.0, 80.0),
        store: int = 12_000_000,
    ) -> None:
        self.dice = random.Random(f"world {seed}")
        self.seed = seed
        self.folder = folder
        self.weather = weather or Weather()
        self.housekeeping = housekeeping
        """Between how many seconds a relay looks whether something has had its time."""
        self.store = store
        """Bytes a relay may keep."""
        self.relays: list[SimRelay] = []
        self.passed = 0
        """Bytes that crossed links."""
        self.requests = 0
        self.said: Counter[wire.Answer] = Counter()
        """What honest relays said of what others gave them."""
        self._trace = hashlib.sha256()
        self._unforeseen = _Unforeseen(self)
        logging.getLogger("meshrelay").addHandler(self._unforeseen)
        self._turns: dict[tuple[int, int], asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def moment(self) -> float:
        """Virtual seconds since the world began."""
        return asyncio.get_running_loop().time()

    @property
    def trace(self) -> str:
        """A hash over everything that happened."""
        return self._trace.hexdigest()

    def note(self, *what: object) -> None:
        """Add to the trace."""
        self._trace.update(f"{self.moment:.6f} {what!r}\n".encode())

    def add(self, **traits: Any) -> SimRelay:
        """Add a relay, which is not running yet."""
        relay = SimRelay(self, len(self.relays), **traits)
        self.relays.append(relay)
        return relay

    def at(self, host: str) -> SimRelay | None:
        """Return the relay at an address."""
        _, _, high, low = host.split(".")
        number = int(high) * 250 + int(low) - 1
        return self.relays[number] if number < len(self.relays) else None

    def joined(self, one: SimRelay, other: SimRelay) -> bool:
        """Tell whether bytes pass between two relays now."""
        return one.up and other.up and not one.networks.isdisjoint(other.networks)

    def move(self, relay: SimRelay, networks: Iterable[str]) -> None:
        """Put a relay into other networks; who is there hears of it, and it hears of them."""
        new = frozenset(networks)
        came, relay.networks = new - relay.networks, new
        if came and relay.up:
            self.introduce(relay, among=came)

    def introduce(self, relay: SimRelay, *, among: Iterable[str]) -> None:
        """Announce a relay to those in some networks, and them to it."""
        names = frozenset(among)
        for other in self.relays:
            if other is not relay and other.up and not names.isdisjoint(other.networks):
                self._announce(relay, other)
                self._announce(other, relay)

    async def announce(self) -> None:
        """Announce everybody to everybody in the same network, again and again."""
        while True:
            places: dict[str, list[SimRelay]] = {}
            for relay in self.relays:
                for name in sorted(relay.networks) if relay.up else ():
                    places.setdefault(name, []).append(relay)
            for crowd in places.values():
                for relay, other in permutations(crowd, 2):
                    self._announce(relay, other)
            await asyncio.sleep(_ANNOUNCED)

    def _announce(self, relay: SimRelay, hearer: SimRelay) -> None:
        if self.dice.random() < self.weather.loss:
            return
        asyncio.get_running_loop().call_later(self.dice.uniform(0.02, 0.4), self._heard, relay, hearer)

    def _heard(self, relay: SimRelay, hearer: SimRelay) -> None:
        if self.joined(relay, hearer) and not hearer.ear.full():
            hearer.ear.put_nowait(Sighting(relay.instance, PORT, (relay.host,)))

    async def greet(self, one: SimRelay, other: SimRelay) -> bool:
        """Let two relays shake hands, which takes two round trips; tell whether they did."""
        delay = self._delay(4) + 3 * self.weather.latency
        await asyncio.sleep(min(delay, _PATIENCE))
        self.passed += 4 * _HANDSHAKE
        return delay < _PATIENCE and self.joined(one, other)

    def _delay(self, packets: int) -> float:
        """Return the seconds until so many packets have arrived, sent again after a timeout that doubles."""
        delay = self.weather.latency * self.dice.uniform(0.8, 1.5)
        for _ in range(packets if self.weather.loss else 0):
            again = 0.2
            while self.dice.random() < self.weather.loss and delay < _PATIENCE:
                delay += again
                again *= 2
        return delay

    async def carry(self, one: SimRelay, other: SimRelay, size: int) -> int:
        """Let bytes pass; return how many arrived, fewer where the link broke meanwhile."""
        weather = self.weather
        # Windows grow, so a body takes about as many rounds as its length has digits.
        delay = self._delay((1 + size // _PACKET).bit_length())
        await asyncio.sleep(min(delay, _PATIENCE))
        if delay >= _PATIENCE or not self.joined(one, other):
            return int(size * self.dice.random()) if delay < _PATIENCE else 0
        if weather.rate is None:
            self.passed += size
            return size
        turn = self._turns.setdefault((one.number, other.number), asyncio.Lock())
        done = 0
        while done < size:
            piece = min(wire.SLICE, size - done)
            async with turn:  # everything on one link takes turns
                await asyncio.sleep(piece / weather.rate)
            if not self.joined(one, other):
                break
            done += piece
        self.passed += done
        return done

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Keep a task until the world ends; one that fails ends the world."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken = error

    broken: BaseException | None = None

    async def until(self, what: Callable[[], bool], *, most: float, step: float = 0.5) -> float | None:
        """Let time pass until something is so; return how long that took, or None when it was not within `most`."""
        began = self.moment
        while not what():
            if self.broken is not None:
                raise self.broken
            if self.moment - began >= most:
                return None
            await asyncio.sleep(step)
        return self.moment - began

    async def end(self) -> None:
        """Stop everything."""
        logging.getLogger("meshrelay").removeHandler(self._unforeseen)
        for relay in self.relays:
            await relay.crash()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.broken is not None:
            raise self.broken


class _Unforeseen(logging.Handler):
    """Ends a world in which a relay wrote down an error that nobody foresaw, and went on."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None:
            self._world.broken = self._world.broken or record.exc_info[1]


@dataclass(frozen=True, slots=True)
class OnlyId:
    """A relay that is the same on every network."""

    relay_id: bytes

    @property
    def relay_ids(self) -> tuple[bytes]:
        return (self.relay_id,)

    def id_toward(self, hosts: Sequence[str]) -> bytes:
        return self.relay_id


class _Counting(OurSide):
    """Counts what it says of what it is given."""

    said: Counter[wire.Answer]

    async def receive(self, datas: Sequence[bytes], *, giver: bytes, source: Source) -> list[Taken]:
        taken = await super().receive(datas, giver=giver, source=source)
        self.said.update(one.answer for one in taken)
        return taken


class SimRelay:
    """One relay of a world: `boot()`, `crash()`, `boot()` again.

    `clock_off` is by how many seconds its clock is wrong, `knows` whom it anchors. A `hostile` one answers as it likes.
    """

    def __init__(
        self,
        world: World,
        number: int,
        *,
        networks: Iterable[str] = ("room",),
        clock_off: int = 0,
        knows: Sequence[bytes] = (),
        hostile: Callable[[SimRelay, Answers], Answers] | None = None,
    ) -> None:
        self.world = world
        self.number = number
        self.networks = frozenset(networks)
        self.clock_off = clock_off
        self.hostile = hostile
        self.host = f"10.9.{number // 250}.{number % 250 + 1}"
        self.relay_id = hashlib.sha256(f"relay {world.seed} {number}".encode()).digest()
        self.up = False
        self.boots = 0
        self.arrived: dict[bytes, float] = {}
        """Virtual moment at which each item came."""
        self.ear: asyncio.Queue[Sighting] = asyncio.Queue(256)
        self._folder = world.folder / str(number)
        self._folder.mkdir()
        self._knows = tuple(knows)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def instance(self) -> str:
        """The name by which it announces itself, new after each start."""
        return f"{self.number}-{self.boots}"

    def boot(self) -> None:
        """Start, with what the disk holds."""
        self.boots += 1
        if not (self._folder / "store.db").exists():
            for source in _template(self.world).iterdir():
                shutil.copyfile(source, self._folder / source.name)
        store = Store.open(self._folder / "store.db", max_bytes=self.world.store)
        # What a power cut would take is no matter here, and the disk's time is not virtual.
        store._writer.execute("PRAGMA synchronous = OFF")
        self.relay = Relay(store, Local.open(self._folder / "local.db"), Keyring(self._folder / "keys"), keeper=True)
        if self.boots == 1:
            for key in self._knows:
                self.relay.local.add_anchor(Anchor(key, f"clinic {key.hex()[:4]}", START))
            self.relay.refresh()
        keys, self._cursor = store.keys()
        self.index = Index(keys)
        self._saved = self.relay.saved_time()
        self._wrote = asyncio.Event()
        self.side = _Counting(
            self.relay,
            self.index,
            clock=self.clock,
            read=self._read,
            write=self._write,
            dice=random.Random(f"relay {self.world.seed} {self.number} {self.boots}"),
        )
        self.side.said = self.world.said if self.hostile is None else Counter()
        answers = Answers(self.side, port=PORT)
        self.answers = self.hostile(self, answers) if self.hostile is not None else answers
        self.ear = asyncio.Queue(256)
        self.spread = Spread(
            self.side, self.answers, partial(_Wire, self.world, self), ourselves=OnlyId(self.relay_id), discovery=self
        )
        self.up = True
        work = [self.spread.run(), self._watch(), self._keep_house()]
        self._tasks = [self.world.spawn(one) for one in work]
        self.world.note(self.number, "boot")
        self.world.introduce(self, among=self.networks)

    async def crash(self) -> None:
        """Stop at once; memory is lost, what was stored is not."""
        if not self.up:
            return
        self.up = False
        self.world.note(self.number, "crash")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.relay.close()

    def clock(self) -> Clock:
        """Return the time in force here."""
        machine = START + int(self.world.moment) + self.clock_off
        alone = Evidence(machine, self._saved, self.relay.heard)
        return tell(replace(alone, agreeing=self.spread.agreeing(tell(alone).now)))

    async def sightings(self) -> Any:
        """Yield what is announced where it is."""
        while True:
            yield await self.ear.get()

    def dial(self, other: SimRelay) -> Talk:
        """Return a connection to another relay, not open yet."""
        return _Wire(self.world, self, [other.host], PORT, None)

    def publish(self, *items: SignedItem) -> None:
        """Take items as the people of this relay would hand them in."""
        self.relay.room.take(items, self.relay.trust, now=self.clock().now)
        self._wrote.set()

    def holds(self, items: Iterable[SignedItem]) -> bool:
        """Tell whether all of these are held."""
        return self.up and all(item.key in self.index.keys for item in items)

    async def _read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)  # as with a thread, others come in between
        return function(*args, **kwargs)

    async def _write(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        try:
            return function(*args, **kwargs)
        finally:
            self._wrote.set()

    async def _watch(self) -> None:
        """Follow the store, as a node does."""
        while True:
            await self._wrote.wait()
            self._wrote.clear()
            changes = self.relay.store.changes(self._cursor)
            self._cursor = changes.cursor
            if not changes.rows:
                continue
            self.index.apply(changes.rows)
            for row in changes.rows:
                if not row.gone:
                    self.arrived.setdefault(row.id, self.world.moment)
                self.world.note(self.number, row.key.hex(), row.gone)
            if any(row.key[0] == ItemClass.KEYS for row in changes.rows):
                self.relay.refresh()
            self.relay.listen()
            self.spread.changed(changes.rows)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(self.side.dice.uniform(*self.world.housekeeping))
            while self.relay.keep_house(self.clock(), heard=self.relay.heard):
                self._wrote.set()


class _Wire(Talk):
    """A connection of the simulated kind."""

    def __init__(self, world: World, caller: SimRelay, hosts: Sequence[str], port: int, relay_id: bytes | None) -> None:
        super().__init__()
        self._world = world
        self._caller = caller
        self._hosts = hosts
        self._port = port
        self._pin = relay_id
        self._other: SimRelay | None = None
        self._boot = 0

    @property
    def relay_id(self) -> bytes:
        return self._other.relay_id if self._other is not None else self._pin or b""

    async def request(
        self, method: str, path: str, body: bytes, *, limit: int, content_type: str = wire.MESSAGE
    ) -> Answered:
        world, caller = self._world, self._caller
        other = self._other or await self._connect()
        self.bytes_sent += len(body)
        world.requests += 1
        arrived = max(0, await world.carry(caller, other, len(body) + _HEAD) - _HEAD)
        whole = arrived == len(body) and other.up and other.boots == self._boot
        world.note(caller.number, other.number, method, path, len(body), arrived)
        if not whole:
            if arrived and other.up and other.answers.routes[method, path].in_part:
                await other.answers.answer(method, path, Asked(caller.relay_id, caller.host, body[:arrived], False))
            raise CutOff("the link was cut")
        reply = await self._answered(other, method, path, Asked(caller.relay_id, caller.host, body))
        check_status(reply.status)
        came = max(0, await world.carry(other, caller, len(reply.body) + _HEAD) - _HEAD)
        self.bytes_received += came
        if came < len(reply.body) or not other.up:
            raise CutOff("the link was cut", reply.body[:came])
        return Answered(reply.body, "" if reply.settled is None else str(reply.settled))

    async def _answered(self, other: SimRelay, method: str, path: str, asked: Asked) -> Reply:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await other.answers.answer(method, path, asked)
        except TimeoutError as error:
            raise CutOff("no answer in time") from error

    async def _connect(self) -> SimRelay:
        world, caller = self._world, self._caller
        other = world.at(self._hosts[0]) if self._port == PORT else None
        if other is None or not world.joined(caller, other):
            await asyncio.sleep(0.5)
            raise PeerUnreachable("cannot connect")
        if not await world.greet(caller, other):
            raise PeerUnreachable("cannot connect")
        if self._pin is not None and other.relay_id != self._pin:
            raise PeerUnreachable("another relay answers there than expected")
        self._other, self._boot = other, other.boots
        return other


def _template(world: World) -> Path:
    """Return a folder with empty databases: to copy them is cheaper than to make them."""
    template = world.folder / "template"
    if not template.exists():
        template.mkdir()
        Store.open(template / "store.db", max_bytes=world.store).close()
        Local.open(template / "local.db").close()
    return template


def run(scenario: Callable[[], Awaitable[T]]) -> T:
    """Run a scenario in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(scenario())
    finally:
        loop.close()
