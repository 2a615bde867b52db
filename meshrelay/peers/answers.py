"""What this relay answers to another one, request by request, whatever carried the bytes.

Not here: sockets, TLS, and how long a body may take (server); what an answer is made of (side, core.reconcile). The
law: what is malformed gets a 4xx and changes nothing, and what one source may ask in a second is bounded.
Source: docs/spec/http.md, "Requests".
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from meshrelay.core import reconcile
from meshrelay.core.quota import Source, Way
from meshrelay.door import Budget, source_of
from meshrelay.errors import InvalidMessage, Reason, Refusal
from meshrelay.peers import wire
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.faults import Fault, Faults
from meshrelay.peers.side import OurSide
from meshrelay.peers.wire import Answer

log = logging.getLogger(__name__)

_VISITS = 256
_HASHED = (100e6, 400e6)  # bytes a second for reconciliation, and at once
_GIVEN = (4_000.0, 20_000.0)  # items a second, and at once

_Handler = Callable[["Asked"], Awaitable["Reply"]]


@dataclass(frozen=True, slots=True)
class Visit:
    """A relay that dialled this one: who it is, from where, and the port of its own listener (0 for none)."""

    relay_id: bytes
    host: str
    port: int


@dataclass(slots=True)
class Traffic:
    """What one relay brought and took when it came here: bytes of bodies, and items of its that were refused."""

    received: int = 0
    sent: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the relay `caller` at the address `host`; not `whole` if the connection was cut in its body."""

    caller: bytes
    host: str
    body: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `settled` says how many of the keys asked for a batch settles."""

    body: bytes
    content_type: str = wire.MESSAGE
    status: int = 200
    settled: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A request that can be made: the most bytes of its body, and the media type it must have, if any."""

    answer: _Handler
    limit: int
    content_type: str = ""
    in_part: bool = False
    """Whether a body that was cut off is worth something."""


def network_of(host: str) -> str | None:
    """Return the network that an address literal is taken to be in (/24 or /64); None for a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return str(ipaddress.ip_network((address.packed, 24 if address.version == 4 else 64), strict=False))


class Answers:
    """This relay as others see it: `answer()` their requests, read `visits()`; `port` is where it listens."""

    def __init__(self, side: OurSide, *, port: int) -> None:
        self.port = port
        self.routes = {
            ("POST", "hello"): Route(self._hello, 64),
            ("POST", "reconcile"): Route(self._reconcile, reconcile.MAX_REQUEST),
            ("POST", "summaries"): Route(self._summaries, wire.KEY_SIZE * wire.MAX_ITEMS),
            ("POST", "items"): Route(self._items, wire.KEY_SIZE * wire.MAX_ITEMS),
            ("PUT", "items"): Route(self._given_items, wire.MAX_DEFLATED, wire.BATCH, in_part=True),
            ("POST", "offer"): Route(self._offer, wire.MAX_SUMMARIES, wire.OFFER),
            ("GET", "peers"): Route(self._peers, 0),
        }
        """What can be asked, by method and the last part of the path."""
        self._side = side
        self._visits: asyncio.Queue[Visit] = asyncio.Queue(_VISITS)
        self._places: tuple[tuple[bytes, PeerAddress], ...] = ()
        self._heard: OrderedDict[bytes, float] = OrderedDict()
        self._hashed = Budget(*_HASHED)
        self._given = Budget(*_GIVEN)
        self._traffic: OrderedDict[bytes, Traffic] = OrderedDict()
        self._faults = Faults()

    async def answer(self, method: str, path: str, asked: Asked) -> Reply:
        """Answer a request for which there is a route."""
        traffic = self._traffic_with(asked.caller)
        traffic.received += len(asked.body)
        try:
            reply = await self.routes[method, path].answer(asked)
            traffic.sent += len(reply.body)
            return reply
        except InvalidMessage as error:
            self._blame(asked, str(error))
            return refusal(400, str(error))
        except Refusal as error:
            log.warning("a request of another relay cannot be answered: %s", error)
            return refusal(503, "not now")

    def is_barred(self, relay_id: bytes, host: str) -> bool:
        """Tell whether a relay that came is not heard now, for what it or its address did wrong."""
        return self._faults.is_barred(relay_id, source_of(host), moment=_moment())

    def faulty(self) -> tuple[tuple[Fault, int], ...]:
        """Return what was done wrong here lately, with the seconds for which its relay is not heard yet."""
        moment = _moment()
        return tuple((one, max(0, round(one.until - moment))) for one in self._faults.lately(moment=moment))

    def traffic(self, relay_id: bytes) -> Traffic:
        """Return what crossed when a relay came here, since the start or since it was last forgotten."""
        return self._traffic.get(relay_id, Traffic())

    async def visits(self) -> AsyncIterator[Visit]:
        """Yield the relays that say hello, for ever."""
        while True:
            yield await self._visits.get()

    def heard(self, relay_id: bytes) -> float | None:
        """Return the moment, by the loop's clock, at which a relay last compared or fetched here."""
        return self._heard.get(relay_id)

    def share(self, met: Iterable[tuple[bytes, PeerAddress]]) -> None:
        """Tell from now on, to others who ask from the same network, that these relays were met here lately."""
        self._places = tuple((relay_id, place) for relay_id, place in met if not place.is_link_local)

    async def _hello(self, asked: Asked) -> Reply:
        port, _ = wire.unpack_hello(asked.body)
        if not self._visits.full():
            self._visits.put_nowait(Visit(asked.caller, asked.host, port))
        return Reply(wire.pack_hello(port=self.port, now=self._side.now))

    async def _reconcile(self, asked: Asked) -> Reply:
        message = reconcile.Request.parse(asked.body)
        keys = self._side.index.keys
        self._hear(asked.caller)
        if not self._may(self._hashed, asked, reconcile.cost(keys, message)):
            return refusal(429, "too much for now")
        return Reply(await self._side.read(reconcile.answer, keys, message))

    async def _summaries(self, asked: Asked) -> Reply:
        keys = wire.unpack_keys(asked.body)
        return Reply(wire.pack_summaries(await self._side.summaries(keys)), wire.SUMMARIES)

    async def _items(self, asked: Asked) -> Reply:
        keys = wire.unpack_keys(asked.body)
        self._hear(asked.caller)
        items, settled = await self._side.items(keys)
        packed = await self._side.read(wire.pack_items, [data for _, data in items])
        return Reply(packed, wire.BATCH, settled=settled)

    async def _given_items(self, asked: Asked) -> Reply:
        # Of a body that was cut off, what came whole is kept, though nobody waits for the answer.
        items = wire.unpack_items(asked.body) if asked.whole else wire.whole_items(asked.body)
        if not items:
            return refusal(400, "no items in the body")
        if not self._may(self._given, asked, len(items)):
            return refusal(429, "too much for now")
        source = Source(Way.CALLED, source_of(asked.host))
        taken = await self._side.receive(items, giver=asked.caller, source=source)
        self._traffic_with(asked.caller).refused += sum(one.answer in (Answer.DECLINED, Answer.BAD) for one in taken)
        for one in taken:
            # Kinds and versions that are unknown here are no fault of one that is newer.
            if one.answer is Answer.BAD and not one.reason.startswith((Reason.KIND, Reason.VERSION)):
                self._blame(asked, f"an item that is none: {one.reason}")
        return Reply(bytes(one.answer for one in taken))

    async def _offer(self, asked: Asked) -> Reply:
        offer = wire.unpack_offer(asked.body)
        answers, wanted = await self._side.choose(offer, giver=asked.caller)
        self._side.note([key for key, _ in offer], asked.caller)
        return Reply(wire.pack_choice(answers, wanted))

    async def _peers(self, asked: Asked) -> Reply:
        network = network_of(asked.host)
        near = [
            place.place
            for relay_id, place in self._places
            if relay_id != asked.caller and network_of(place.host) == network
        ]
        return Reply(wire.pack_places(near[: wire.MAX_PLACES]), "text/plain")

    def _hear(self, relay_id: bytes) -> None:
        self._heard[relay_id] = _moment()
        self._heard.move_to_end(relay_id)
        if len(self._heard) > _VISITS:
            self._heard.popitem(last=False)

    def _may(self, budget: Budget, asked: Asked, amount: float) -> bool:
        return budget.take(source_of(asked.host), amount, moment=_moment())

    def _blame(self, asked: Asked, why: str) -> None:
        self._faults.note(asked.caller, asked.host, why, source=source_of(asked.host), moment=_moment())

    def _traffic_with(self, relay_id: bytes) -> Traffic:
        found = self._traffic.pop(relay_id, None) or Traffic()
        self._traffic[relay_id] = found
        if len(self._traffic) > _VISITS:
            self._traffic.popitem(last=False)
        return found


def _moment() -> float:
    return asyncio.get_running_loop().time()


def refusal(status: int, reason: str) -> Reply:
    """Say in a word what is wrong with a request."""
    return Reply(reason.encode(), "text/plain", status)
