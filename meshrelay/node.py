"""One running relay: the only place where clock, threads, listeners and tasks are put together.

It holds DATA/lock, writes DATA/run.json for the commands beside it, and lets everything go in order when it stops.

Not here: any rule. What is taken, shown or sent is decided below; where this file says `if`, it is about processes,
sockets or time.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import secrets
import time
from collections.abc import Callable, Container, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from aiohttp import web

from meshrelay import folder, networks
from meshrelay.core.clock import Clock, Evidence, tell
from meshrelay.core.envelope import ItemClass
from meshrelay.doctor import Case, Report, examine
from meshrelay.door import Door, Limits
from meshrelay.errors import NotesDamaged, Refusal, StoreDamaged, StoreFull, StoreUnusable, WrongUsage
from meshrelay.folder import Running
from meshrelay.index import Index
from meshrelay.keyring import Keyring, from_file
from meshrelay.listeners import Listener, host_of, open_listener
from meshrelay.local import Local, set_aside_at
from meshrelay.machine import clock_is_synchronised, descriptors
from meshrelay.networks import Network
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.answers import Answers
from meshrelay.peers.client import Link
from meshrelay.peers.discovery import SERVICE_TYPE, Discovery
from meshrelay.peers.exchange import ExchangeReport
from meshrelay.peers.faults import Fault
from meshrelay.peers.ladder import Ladder, Way
from meshrelay.peers.link import open_identities
from meshrelay.peers.pace import Pace
from meshrelay.peers.server import MOST_CONNECTIONS, PeerServer
from meshrelay.peers.side import OurSide
from meshrelay.peers.spread import Spread
from meshrelay.peers.sweep import sweep, targets
from meshrelay.relay import MOST_KEPT_BACK, Relay
from meshrelay.settings import DESK_PORT, PEERS_PORT, READER_PORT, Settings, save, split_address
from meshrelay.status import PeerStatus, RelayStatus
from meshrelay.store import Change, Store
from meshrelay.web.desk import make_desk
from meshrelay.web.reader import make_reader
from meshrelay.web.security import SERVER_OPTIONS

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

LOOK_EVERY = 0.25
"""Seconds between two looks whether another process wrote into the store or the local facts."""
HOUSEKEEPING_EVERY = 600.0
DUE_LOOK_EVERY = 1.0
"""Seconds between two looks whether something planned or kept back is due."""
SAID_FOR = 0.25
"""Seconds for which what pages say of the relay itself stays as it was made."""
KEPT_BACK = range(60, MOST_KEPT_BACK + 1)
"""Seconds, of which one is drawn for each time that own items are to be kept from other relays."""
REBUILD_EVERY = 60.0
"""A store is made anew no more often than this."""
NETWORK_LOOK_EVERY = 2.0
"""Seconds between two looks at the networks, and whether the computer has slept."""
ASLEEP = 15.0
"""Seconds by which a look comes late, or the clock jumps, when the computer has slept."""
ALONE = 10.0
"""Seconds without another relay in reach, after which the own subnets are swept, if that is switched on."""
SWEEP_EVERY = 600.0
SWEEP_LOOK_EVERY = 1.0
ROOM_LOOK_EVERY = 10.0
"""Seconds between two looks whether there is room; commands that publish find what is kept spare."""
FULL_LOOK_EVERY = 1.0
READER_THREADS = 2
READERS, READERS_EACH, READERS_RATE, READERS_ASK = 2000, 256, (200.0, 1000.0), (300.0, 3000.0)
"""Connections of readers at a time and from one address; how many one address may open in a second, and at once; and
how many requests it may make."""
OPERATORS = 64
"""Connections to the operator's listener at a time."""
OWN_FILES = 256
"""Descriptors that this process needs for itself."""
SEARCH_CHUNK = 100
"""Items fed to the search index in one go; between two goes what others want written comes first."""


class Node:
    """A relay in a data folder, from :meth:`start` to :meth:`stop`.

    `service_type` is the name it looks for others by; relays with another one do not see it. `clock` gives unix
    seconds, `synchronised` tells whether something keeps it right. Everything in here but the work of the threads
    happens on one event loop.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        service_type: str = SERVICE_TYPE,
        clock: Callable[[], float] = time.time,
        synchronised: Callable[[], bool] = clock_is_synchronised,
    ) -> None:
        self.settings = settings
        self._service_type = service_type
        self._time = clock
        self._synchronised = synchronised
        self._stack = AsyncExitStack()
        self._wake = asyncio.Event()
        self._damaged = False
        self._rebuilt: float | None = None
        self._unsearched = asyncio.Event()
        self._vouched = False
        self._said: tuple[float, RelayStatus] | None = None
        self._saved = 0
        self._kept_back: dict[bytes, float] = {}
        self._broken = False
        self._examining = asyncio.Lock()

    # Life

    async def start(self) -> None:
        """Take the folder, open everything and be ready; raises Refusal with what to do when it cannot."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Finish what is under way, close everything and let the folder go."""
        await self._stack.aclose()

    def clock(self) -> Clock:
        """Return the time in force; asked often, so what it rests on is kept up to date elsewhere."""
        alone = Evidence(int(self._time()), self._saved, self.relay.heard, self._vouched)
        return tell(dataclasses.replace(alone, agreeing=self.spread.agreeing(tell(alone).now)))

    def status(self) -> RelayStatus:
        """Return what this relay says of itself."""
        peers = self._with_visits(self.spread.status())
        contacts = [peer.last_contact for peer in peers if peer.last_contact is not None]
        return RelayStatus(
            name=self.settings.name,
            relay_id=self.identities.main.relay_id,
            started=self._started,
            now=self.clock().now,
            bulletins=self._usage.bulletins,
            bytes_stored=self._usage.bytes,
            last_exchange=max(contacts, default=None),
            peers=peers,
            rungs=self.ladder.rungs(),
            reader_addresses=self.reader_addresses(),
            peer_addresses=tuple(
                f"meshrelay://{place}#{self.identities.at(host_of(place)).relay_id.hex()}"
                for place in self._peer_listener.places()
            ),
        )

    def recent_status(self) -> RelayStatus:
        """Return what this relay said of itself a moment ago: two hundred readers cost no more than one."""
        moment = self._loop.time()
        if self._said is None or moment - self._said[0] > SAID_FOR:
            self._said = moment, self.status()
        return self._said[1]

    def _with_visits(self, peers: tuple[PeerStatus, ...]) -> tuple[PeerStatus, ...]:
        """Add to what is known of other relays what they did when they came here, faults above all."""
        faulty = {one.relay_id: (one, left) for one, left in self.answers.faulty()}
        found = []
        for peer in peers:
            traffic = self.answers.traffic(peer.relay_id or b"")
            fault, left = faulty.pop(peer.relay_id or b"", (None, 0))
            found.append(
                dataclasses.replace(
                    peer,
                    bytes_sent=peer.bytes_sent + traffic.sent,
                    bytes_received=peer.bytes_received + traffic.received,
                    refused=peer.refused + traffic.refused,
                    error=_blamed(fault, left) if fault is not None else peer.error,
                )
            )
        strangers = [
            PeerStatus(
                str(PeerAddress(one.host, PEERS_PORT, one.relay_id)),
                one.relay_id,
                how="inbound",
                error=_blamed(one, left),
            )
            for one, left in faulty.values()
        ]
        return (*found, *strangers)

    def reader_addresses(self) -> tuple[str, ...]:
        """Return the addresses under which readers find the pages now; they change with the networks."""
        return tuple(f"http://{place}/" for place in self._reader_listener.places())

    async def sync(self, uri: str) -> ExchangeReport:
        """Exchange with one relay now."""
        return await self.spread.sync(uri)

    async def examine(self, sweeping: bool) -> Report:
        """Have the doctor try all ways of finding other relays; with `sweeping`, knock at the own /24 too."""
        case = Case(
            data=self.settings.data,
            identities=self.identities,
            book=await self.read(self.relay.local.peers),
            clock=self.clock(),
            given=self.settings.peer,
            discovery=self.settings.discovery and not self.settings.private,
            service_type=self._service_type,
            port=self._peer_listener.port,
            status=self.status(),
            full=self.relay.room.full,
            notes_aside=set_aside_at(self.settings.local_path),
        )
        async with self._examining:
            return await examine(case, sweeping=sweeping)

    async def copies(self, item: bytes) -> int:
        """Return how many of the relays that were met have an item, at least; 0 for what no other may know of yet."""
        held = (await self.read(self.relay.store.headers, [item])).get(item)
        return self.spread.copies(held.header.key) if held is not None else 0

    async def is_well(self) -> bool:
        """Tell whether every task runs and the store answers; waits until the thread that writes has come round."""
        if self._broken:
            return False
        try:
            await self.read(self.relay.store.usage)
        except StoreUnusable as error:
            log.error("the store does not answer: %s", error)
            return False
        await self._loop.run_in_executor(self._writer, int)
        return True

    async def read(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on a reader thread."""
        try:
            return await self._loop.run_in_executor(self._readers, lambda: function(*args, **kwargs))
        except StoreDamaged:
            self._damaged = True
            raise

    async def write(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` on the one thread that writes, then see what has changed."""
        try:
            return await self._loop.run_in_executor(self._writer, lambda: function(*args, **kwargs))
        except StoreDamaged:
            self._damaged = True
            raise
        finally:
            self._wake.set()

    # Putting it together

    async def _start(self) -> None:
        data = self.settings.data
        self._loop = asyncio.get_running_loop()
        self._started = int(self._time())
        self._stack.enter_context(folder.held(data))
        self._take_name()
        self._open_listeners()
        self._open_relay()
        self.identities = await open_identities(data, stable=self.settings.stable_link_key)
        token = secrets.token_urlsafe(24)
        await self._compose(token)
        desk = f"127.0.0.1:{self._desk_listener.port}"
        here = Running(os.getpid(), self.reader_addresses(), self._peer_listener.places(), desk, token)
        self._stack.enter_context(folder.announced(data, here))

    def _take_name(self) -> None:
        """Give the relay a name at its first start: a random one, for the host's says too much."""
        if not self.settings.name:
            name = f"Relay {secrets.randbelow(9000) + 1000}"
            save(self.settings.data, {"name": name})
            self.settings = dataclasses.replace(self.settings, name=name)

    def _open_listeners(self) -> None:
        private = self.settings.private
        self._reader_listener = self._open_listener("reader", READER_PORT, "127.0.0.1" if private else "")
        self._peer_listener = self._open_listener("peers", PEERS_PORT, "127.0.0.1" if private else "")
        self._desk_listener = self._open_listener("desk", DESK_PORT, "localhost")

    def _open_listener(self, key: str, default_port: int, default_host: str) -> Listener:
        chosen: str = getattr(self.settings, key)
        try:
            host, port = split_address(chosen, default_host=default_host, default_port=default_port)
        except ValueError as error:
            raise WrongUsage(f"{key}: {error}", hint="write it as HOST:PORT, such as *:8080") from error
        if self.settings.private:
            host = default_host
        listener = open_listener(key, host, port, may_move=not chosen)
        self._stack.callback(listener.close)
        if not chosen:
            # Being private is for as long as it is asked for; the port is for good.
            kept = "*" if self.settings.private and key != "desk" else host or "*"
            save(self.settings.data, {key: f"{kept}:{listener.port}"})
        return listener

    def _open_relay(self) -> None:
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        store = self._open_store()
        keyring = Keyring(self.settings.keys_dir, passphrase=from_file(self.settings.passphrase_file))
        self.relay = Relay(store, self._open_local(), keyring, keeper=True)
        # Undone last to first: the threads end before the databases under them close.
        self._stack.callback(self.relay.close)
        self._stack.callback(self._readers.shutdown)
        self._stack.callback(self._writer.shutdown)
        keys, self._cursor = store.keys()
        self.relay.let_go_due(int(self._time()))
        self.index = Index(keys)
        self.index.apply(self.relay.withheld())
        self._note_kept_back(self.relay.kept_back)
        self._usage = store.usage()

    def _open_store(self) -> Store:
        path, size = self.settings.store_path, self.settings.store_bytes
        try:
            store = Store.open(path, max_bytes=size)
        except StoreDamaged as error:
            log.error("%s; it is made anew", error)
            return Store.rescue(path, max_bytes=size)
        try:
            # What a start needs; the whole file is looked over in the background.
            store.keys(), store.usage(), store.statements(())
        except StoreDamaged as error:
            log.error("%s; it is made anew", error)
            store.rebuild()
        store.take_over()  # what a rescue that was cut short has left
        return store

    def _open_local(self) -> Local:
        path = self.settings.local_path
        try:
            return Local.open(path)
        except NotesDamaged as error:
            log.error("%s; what can be read of them is kept, see `meshrelay doctor`", error)
            return Local.rescue(path)

    async def _compose(self, token: str) -> None:
        looks = self.settings.discovery and not self.settings.private
        self.ladder = Ladder(
            now=lambda: int(self._time()),
            off=[
                *([] if looks else [Way.MDNS, Way.TOLD]),
                *([] if self.settings.sweep and not self.settings.private else [Way.SWEEP]),
            ],
        )
        discovery = None
        if looks:
            discovery = Discovery(
                self._peer_listener.port,
                service_type=self._service_type,
                interfaces=self.settings.interface,
                ladder=self.ladder,
            )
        side = OurSide(self.relay, self.index, clock=self.clock, read=self.read, write=self.write)
        self.answers = answers = Answers(side, port=self._peer_listener.port)
        pace = Pace(rate=self.settings.bytes_a_second, hour=self.settings.bytes_an_hour)
        server = PeerServer(answers, self.identities, pace=pace, most=_share(MOST_CONNECTIONS, 4))
        self.spread = Spread(
            side,
            answers,
            partial(Link, self.identities, pace=pace),
            ourselves=self.identities,
            given=self.settings.peer,
            discovery=discovery,
            ladder=self.ladder,
            pace=pace,
        )
        reader = make_reader(
            relay=self.relay,
            clock=self.clock,
            read=self.read,
            write=self.write,
            settings=self.settings,
            status=self.recent_status,
        )
        desk = make_desk(token=token, status=self.status, sync=self.sync, doctor=self.examine, copies=self.copies)
        self._tell_pages = reader.changed
        await server.start(self._peer_listener.sockets)
        self._stack.push_async_callback(server.stop)
        await self._serve(
            reader.app, self._reader_listener, Limits(_share(READERS, 2), READERS_EACH, READERS_RATE, READERS_ASK)
        )
        await self._serve(desk, self._desk_listener, Limits(_share(OPERATORS, 8), OPERATORS, READERS_RATE, READERS_ASK))
        # Ended last to first: who tells others of changes ends before those who hear of them.
        self._run("spread", self.spread.run())
        if discovery is not None:
            self._run("discovery", discovery.run())
        if self.settings.sweep and not self.settings.private:
            self._run("sweep", self._sweep())
        self._run("search index", self._feed_search())
        self._run("housekeeping", self._keep_house())
        self._run("what is due", self._do_what_is_due())
        self._run("networks", self._watch_networks(discovery))
        self._run("watch", self._watch())

    async def _serve(self, app: web.Application, listener: Listener, limits: Limits) -> None:
        door = Door(limits)
        app.middlewares.insert(0, door.middleware)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1.0, **SERVER_OPTIONS)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        if runner.server is None:
            raise RuntimeError("a server that was set up serves")
        door.start(listener.sockets, runner.server)
        self._stack.push_async_callback(door.stop)

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Keep a task until the relay stops; one that ends by an error is a bug, and is said loudly."""
        task = asyncio.create_task(work, name=name)

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._broken = True
                self._loop.call_exception_handler({"message": f"{name} has ended", "exception": error, "task": task})

        async def cancel() -> None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        task.add_done_callback(ended)
        self._stack.push_async_callback(cancel)

    # Tasks

    async def _watch(self) -> None:
        """See every write, ours and other processes', and tell those who want to know."""
        seen: int | None = None
        facts: tuple[object, ...] | None = None
        trouble = ""
        while True:
            try:
                if self._damaged:
                    await self._rebuild()
                    seen = None
                # A few microseconds each; they are not worth a thread.
                version = self.relay.store.data_version()
                # A key or an anchor is written before the item that rests on it, so these are read first.
                found = self.relay.local.version(), _modified(self.settings.keys_dir), self.relay.room.eased
                if found != facts:
                    await self.read(self.relay.refresh)
                    self._look_at_clock()
                    self._announce(())
                    facts = found
                if version != seen:
                    await self._catch_up()
                    seen = version
                trouble = ""
            except (StoreFull, StoreUnusable) as error:
                # Pages and exchanges go on with what can still be read; the next look tries again.
                self._damaged |= isinstance(error, StoreDamaged)
                if str(error) != trouble:
                    log.error("%s", error)
                trouble = str(error)
            # Not wait_for, which forgets that it was cancelled when the event is set at the same moment (Python 3.11).
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wake.wait()
            self._wake.clear()

    async def _watch_networks(self, discovery: Discovery | None) -> None:
        """See that networks change, and that the computer has slept: then everybody is looked for at once."""
        moment, wall = self._loop.time(), self._time()
        before: frozenset[Network] | None = None
        while True:
            await self.identities.settle(patient=True)
            here = frozenset(one for one in networks.look() if not one.is_loopback)
            changed = before is not None and bool(here - before)
            await asyncio.sleep(NETWORK_LOOK_EVERY)
            before = here
            passed = self._loop.time() - moment
            # The loop's clock stands still in sleep on some systems, and goes on in others.
            slept = passed > NETWORK_LOOK_EVERY + ASLEEP or abs(self._time() - wall - passed) > ASLEEP
            moment, wall = self._loop.time(), self._time()
            if slept and discovery is not None:
                discovery.refresh()
            if slept or changed:
                self.spread.woke()

    async def _sweep(self) -> None:
        """Knock at the own subnets while nobody is in reach, seldom; networks that are new are swept at once."""
        alone: float | None = None
        swept: dict[tuple[str, ...], float] = {}
        while True:
            await asyncio.sleep(SWEEP_LOOK_EVERY)
            moment = self._loop.time()
            if any(peer.connected for peer in self.spread.status()):
                alone = None
                continue
            alone = moment if alone is None else alone
            hosts = targets(networks.look())
            swept = {those: when for those, when in swept.items() if moment - when < SWEEP_EVERY}
            if not hosts or moment - alone < ALONE or hosts in swept:
                continue
            swept[hosts] = moment
            self.ladder.tried(Way.SWEEP)
            found = await sweep(hosts, sorted({PEERS_PORT, self._peer_listener.port}))
            for place in found.open:
                self.spread.hear_of(PeerAddress.parse(place), Way.SWEEP)

    async def _rebuild(self) -> None:
        """Make the store anew, once in a while: what is whole stays, and other relays have the rest."""
        if self._rebuilt is not None and self._loop.time() < self._rebuilt + REBUILD_EVERY:
            return
        self._rebuilt = self._loop.time()
        log.error("the store is damaged; it is made anew with all that is whole")
        await self._loop.run_in_executor(self._writer, self.relay.store.rebuild)
        self._damaged = False

    async def _catch_up(self) -> None:
        store = self.relay.store
        while True:
            changes = await self.read(store.changes, self._cursor)
            if changes.reset:
                keys, self._cursor = await self.read(store.keys)
                withheld = await self.read(self.relay.withheld)
                self.index.replace(keys)
                self.index.apply(withheld)
                await self.read(self.relay.refresh)
                self._announce(())
                break
            self._cursor = changes.cursor
            if not changes.rows:
                break
            # What is kept back was written down before it was stored, so it is known here.
            kept_back = await self.read(self.relay.local.kept_back)
            self._note_kept_back(kept_back)
            self.index.apply([row for row in changes.rows if row.gone or row.id not in kept_back])
            if any(change.key[0] == ItemClass.KEYS for change in changes.rows):
                await self.read(self.relay.refresh)
            self._announce(changes.rows, kept_back)
        await self.read(self.relay.listen)
        self._usage = await self.read(store.usage)
        self._unsearched.set()

    def _look_at_clock(self) -> None:
        self._vouched = self._synchronised() or self.relay.clock_is_confirmed(int(self._time()))
        self._saved = self.relay.saved_time()

    def _announce(self, rows: tuple[Change, ...], kept_back: Container[bytes] = ()) -> None:
        """Tell pages what has changed, and other relays what of it they may know."""
        told = tuple([row for row in rows if row.gone or row.id not in kept_back])
        if told or not rows:
            self.spread.changed(told)
        self._tell_pages(rows)

    async def _do_what_is_due(self) -> None:
        """Publish what was planned for now, and let other relays hear of what was kept back long enough."""
        while True:
            try:
                # By a clock that is years ahead everything would be due, or over.
                while not (clock := self.clock()).doubtful:
                    back_until = int(self._time()) + secrets.choice(KEPT_BACK)
                    done = await self.write(self.relay.publish_due, now=clock.machine, back_until=back_until)
                    if not done:
                        break
                    for one in done:
                        if one.trouble and one.trouble != one.plan.trouble:
                            log.warning("a bulletin planned with the key %s: %s", one.plan.key, one.trouble)
                await self._let_go()
            except Refusal as error:
                log.warning("what is due cannot be done now: %s", error)
            await asyncio.sleep(DUE_LOOK_EVERY)

    def _note_kept_back(self, kept_back: Mapping[bytes, int]) -> None:
        """Count the time of what is kept back by a clock that nobody sets: a day put back must not keep it here."""
        moment, now = self._loop.time(), int(self._time())
        for item, until in kept_back.items():
            self._kept_back.setdefault(item, moment + min(max(until - now, 0), MOST_KEPT_BACK))

    async def _let_go(self) -> None:
        kept = await self.read(self.relay.local.kept_back)
        self._note_kept_back(kept)
        moment = self._loop.time()
        over = [item for item, at in self._kept_back.items() if at <= moment or item not in kept]
        for item in over:
            if item in kept:
                await self.write(self.relay.let_go, item)
            del self._kept_back[item]
        held = await self.read(self.relay.store.headers, over) if over else {}
        if rows := tuple([Change(one.header.key, item, gone=False) for item, one in held.items()]):
            self.index.apply(rows)
            self.spread.changed(rows)

    async def _feed_search(self) -> None:
        """Make new items searchable, after they were acknowledged and between other writes."""
        while True:
            await self._unsearched.wait()
            self._unsearched.clear()
            try:
                while await self._loop.run_in_executor(self._writer, self.relay.store.index_backlog, SEARCH_CHUNK):
                    continue
            except (StoreFull, StoreUnusable) as error:
                self._damaged |= isinstance(error, StoreDamaged)
                log.warning("new bulletins cannot be made searchable now: %s", error)  # the next change tries again

    async def _keep_house(self) -> None:
        """Look after what nobody asks for: what has had its time, what is damaged, whether there is room."""
        place: str | None = None
        due, trouble = 0.0, ""
        while True:
            try:
                await self._make_room()
                if self._loop.time() >= due:
                    due = self._loop.time() + HOUSEKEEPING_EVERY
                    self._look_at_clock()
                    await self.write(self.relay.save_time, self.clock())
                    await self.write(self.relay.local.forget_peers, now=self.clock().now)
                    place = await self.read(self.relay.store.scrub, after=place)
                    if place is None:
                        await self.read(self.relay.store.look_over)
                trouble = ""
            except (StoreFull, StoreUnusable) as error:
                if str(error) != trouble:
                    log.warning("the house cannot be kept now: %s", error)
                trouble = str(error)
            await asyncio.sleep(FULL_LOOK_EVERY if self.relay.room.full else ROOM_LOOK_EVERY)

    async def _make_room(self) -> None:
        more = True
        while more:
            heard = self.relay.heard
            more = await self.write(self.relay.keep_house, self.clock(), heard=heard)


def _blamed(fault: Fault, left: int) -> str:
    """Return what a relay did wrong when it came here, and for how many seconds it is not heard."""
    times = f"{fault.count} times" if fault.count > 1 else "once"
    barred = f"; it is not heard for {left} s" if left else ""
    return f"came here and broke the protocol {times}, last by {fault.why}{barred}"


def _share(wanted: int, part: int) -> int:
    """Return how many connections a listener may have: what is `wanted`, or one `part` of the descriptors there are."""
    return max(16, min(wanted, (descriptors() - OWN_FILES) // part))


def _modified(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
