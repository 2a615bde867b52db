"""Relays on the same network, found by multicast DNS; the only module that knows zeroconf.

A relay announces a random instance name, a random host name, its port and addresses, and the protocol version: no
relay id, no name, nothing that lasts longer than the process. It asks again at intervals, so that a relay behind a
healed cut or a new address is seen without a restart, and opens its sockets afresh when the interfaces change.

Not here: whether a sighting is true. Anybody on the network can announce anything, so a sighting is a hint to dial;
the pin decides who answers. The law: whatever is announced, memory stays bounded and the event loop is not held.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import random
import secrets
import socket
import struct
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import ifaddr
from zeroconf import (  # type: ignore[attr-defined]  # the package hands these out without listing them
    DNSAddress,
    DNSIncoming,
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSService,
    DNSText,
    Error,
    IPVersion,
    RecordUpdate,
    RecordUpdateListener,
    Zeroconf,
)
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from meshrelay.networks import Network
from meshrelay.peers.ladder import Ladder, Way

SERVICE_TYPE = "_meshrelay._tcp.local."
_VERSION = {"v": "1"}

_FIRST_QUESTIONS = (0.05, 0.4, 1.0, 2.0)  # seconds after the sockets are opened; the first announcements may be lost
_PENDING = 128  # names waiting to be resolved
_NAMES = 16  # names looked at in one packet
_HEARD = 1024  # names heard lately
_SIGHTINGS = 256  # sightings nobody has taken yet
_RESOLVERS = 4
_RESOLVE_WAIT = 1500  # milliseconds
_ANSWERS_KNOWN = 40  # known answers in a question, of 31 bytes: it stays within one packet
_CROWD = 8  # relays heard lately from which on each asks less often, so that all together ask as often as so many
_LATELY = 60.0
_MOST_CROWDED = 6.0  # whoever makes up names does not silence the others
_ADDRESSES = 16  # addresses of one relay, ours or theirs

_MDNS_PORT, _MDNS_V4, _MDNS_V6 = 5353, "224.0.0.251", "ff02::fb"  # RFC 6762, 3
_DATAGRAMS = 4000  # of one call

_ALL_GROUPS = {
    socket.AF_INET: (socket.IPPROTO_IP, 49),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 29),
}
"""IP_MULTICAST_ALL and IPV6_MULTICAST_ALL, which the socket module does not name."""

_LOOK = 2.0  # seconds between two looks at the interfaces
_dice = random.SystemRandom()

_TYPE_PTR, _CLASS_IN, _FLAGS_QUERY = 12, 1, 0  # RFC 1035, 3.2 and 4.1.1


@dataclass(frozen=True, slots=True)
class Sighting:
    """A relay that was announced just now, if the announcement is true.

    `addresses` are literals; link-local IPv6 ones carry their zone by interface name, as in "fe80::1%eth0".
    """

    instance: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Interface:
    index: int
    address: str
    link_local_v6: bool


class Discovery:
    """Announce this relay's peer listener and hear of others: `run()` as a task, then read `sightings()`.

    `interfaces` are local addresses to stay on; none means all. `trouble` says in words why nothing can be heard.
    """

    def __init__(
        self,
        port: int,
        *,
        service_type: str = SERVICE_TYPE,
        interfaces: Sequence[str] = (),
        interval: float = 10.0,
        ladder: Ladder | None = None,
    ) -> None:
        self.trouble: str | None = None
        self._port = port
        self._type = service_type
        self._only = frozenset(interfaces)
        self._interval = interval
        self._ladder = ladder
        self._again = asyncio.Event()
        self._own: set[str] = set()
        self._sightings: asyncio.Queue[Sighting] = asyncio.Queue(_SIGHTINGS)

    async def sightings(self) -> AsyncIterator[Sighting]:
        """Yield what is heard, for ever; one that goes on answering once an interval, in a crowd less often."""
        while True:
            yield await self._sightings.get()

    def refresh(self) -> None:
        """Open the sockets afresh and ask at once: the computer has slept, and nobody knows what it missed."""
        self._again.set()

    async def run(self) -> None:
        """Announce and listen until cancelled; then say goodbye. No network is no error: it waits for one."""
        known: dict[int, tuple[frozenset[_Interface], str]] = {}
        while True:
            self._again.clear()
            try:
                interfaces = _interfaces(self._only)
                if not interfaces:
                    raise RuntimeError("there is no network interface with an address")
                known = _named(interfaces, known)
                async with asyncio.TaskGroup() as tasks:
                    for here, token in known.values():
                        tasks.create_task(self._on(here, token, interfaces))
            except* (OSError, RuntimeError, Error, TimeoutError) as group:
                self._note(f"cannot listen for relays on this network: {_first(group)}")
                await asyncio.sleep(self._interval / 2)

    async def _on(self, here: frozenset[_Interface], token: str, everywhere: frozenset[_Interface]) -> None:
        """Announce and listen on one network, `here`, until the interfaces are no longer the ones there are.

        Each network has sockets, a name and addresses of its own: nobody hears on one where else this relay is.
        """
        info = AsyncServiceInfo(
            self._type,
            f"{token}.{self._type}",
            port=self._port,
            properties=_VERSION,
            server=f"{token}.local.",
            parsed_addresses=sorted({interface.address for interface in here})[:_ADDRESSES],
        )
        self._own.add(info.name)
        zeroconf = AsyncZeroconf(interfaces=_sockets(here))
        try:
            ear = _Ear(zeroconf.zeroconf, self._type, self._own, self._sightings)
            await zeroconf.zeroconf.async_wait_for_start()
            _hear_own_groups_only(zeroconf.zeroconf)
            zeroconf.zeroconf.async_add_listener(ear, DNSQuestion(self._type, _TYPE_PTR, _CLASS_IN))
            # The name is random: nobody else can have it, and probing for it would cost half a second.
            await zeroconf.async_register_service(info, cooperating_responders=True)
            self._note(None)
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(ear.resolve()) for _ in range(_RESOLVERS)]
                await self._ask(zeroconf.zeroconf, ear, everywhere)
                for helper in helpers:
                    helper.cancel()
        finally:
            await zeroconf.async_close()

    def _note(self, trouble: str | None) -> None:
        self.trouble = trouble
        if self._ladder is not None:
            self._ladder.tried(Way.MDNS, trouble=trouble or "")

    async def _ask(self, zeroconf: Zeroconf, ear: _Ear, interfaces: frozenset[_Interface]) -> None:
        asked = 0.0
        for moment in _FIRST_QUESTIONS:
            await asyncio.sleep(moment - asked)
            asked = moment
            zeroconf.async_send(ear.question(within=0.0))
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + self._interval / 2
        while _interfaces(self._only) == interfaces and not self._again.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._again.wait()
            if loop.time() >= ask_at:
                interval = self._interval * ear.crowd()
                ask_at = loop.time() + interval * _dice.uniform(0.4, 0.6)
                zeroconf.async_send(ear.question(within=interval * 0.75))
                self._note(None)


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call by multicast brought: on how many interfaces it was heard back here, and who else was heard.

    `others` counts other devices that sent anything by multicast DNS, relays or not.
    """

    echoed: int
    others: int
    sightings: tuple[Sighting, ...]


async def call(service_type: str, networks: Sequence[Network], *, seconds: float) -> Heard:
    """Ask by multicast who is there, on every network, and listen; announces nothing and needs no running Discovery."""
    own = {str(one.ip) for network in networks for one in network.addresses}
    listener = _Listener(service_type, own)
    question = DNSOutgoing(_FLAGS_QUERY)
    question.add_question(DNSQuestion(service_type, _TYPE_PTR, _CLASS_IN))
    (packet,) = question.packets()
    loop = asyncio.get_running_loop()
    transports: list[asyncio.DatagramTransport] = []
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):
                opened = _multicast_socket(family, networks)
                transport, _ = await loop.create_datagram_endpoint(lambda: listener, sock=opened)
                transports.append(transport)
        for pause in (0.0, 0.5, 1.0):
            await asyncio.sleep(min(pause, seconds))
            for network in networks:
                _send_on(network, packet, transports)
        await asyncio.sleep(max(0.0, seconds - 1.5))
    finally:
        for transport in transports:
            transport.close()
    return Heard(len(listener.echoes), len(listener.others), tuple(listener.sightings.values()))


def _multicast_socket(family: socket.AddressFamily, networks: Sequence[Network]) -> socket.socket:
    """Open a socket that hears multicast DNS on these networks; raises OSError."""
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(("", _MDNS_PORT))
        opened.setblocking(False)
        for network in networks:
            # A link that is down, or has no addresses of this family, is left out.
            with contextlib.suppress(OSError):
                if family == socket.AF_INET6:
                    member = socket.inet_pton(family, _MDNS_V6) + struct.pack("@I", network.index)
                    opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)
                    continue
                for address in network.v4:
                    member = socket.inet_aton(_MDNS_V4) + address.packed
                    opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError:
        opened.close()
        raise
    return opened


def _send_on(network: Network, packet: bytes, transports: Iterable[asyncio.DatagramTransport]) -> None:
    for transport in transports:
        plain = transport.get_extra_info("socket")
        # What cannot be sent is not heard back, and that is what is reported.
        with contextlib.suppress(OSError):
            if plain.family == socket.AF_INET6:
                plain.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, network.index)
                transport.sendto(packet, (_MDNS_V6, _MDNS_PORT, 0, network.index))
                continue
            for address in network.v4:
                plain.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, address.packed)
                transport.sendto(packet, (_MDNS_V4, _MDNS_PORT))


class _Listener(asyncio.DatagramProtocol):
    """Takes datagrams of multicast DNS as they come; bounded, whoever sends them."""

    def __init__(self, service_type: str, own: set[str]) -> None:
        self.echoes: set[str] = set()
        self.others: set[str] = set()
        self.sightings: dict[str, Sighting] = {}
        self._type = service_type
        self._own = own
        self._taken = 0

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Note who sent it, and the relays that it announces."""
        self._taken += 1
        if self._taken > _DATAGRAMS:
            return
        host = str(addr[0]).partition("%")[0]
        if host in self._own:
            self.echoes.add(host)
        elif len(self.others) < _HEARD:
            self.others.add(host)
        scope = int(addr[3]) if len(addr) > 3 else 0
        for sighting in _announced(data, self._type, scope):
            if len(self.sightings) < _SIGHTINGS:
                self.sightings.setdefault(sighting.instance, sighting)

    def error_received(self, exc: Exception) -> None:
        """Hear that something could not be sent; it is not heard back then."""


def _announced(data: bytes, service_type: str, scope: int) -> list[Sighting]:
    """Return the relays that one packet announces whole, as relays do."""
    packet = DNSIncoming(data)
    if not packet.is_response():
        return []
    records = packet.answers()  # none, where the packet is malformed
    names = [one.alias for one in records if isinstance(one, DNSPointer) and one.name.lower() == service_type]
    versions = {
        one.name for one in records if isinstance(one, DNSText) and one.text == b"\x03v=" + _VERSION["v"].encode()
    }
    found = []
    for service in (one for one in records if isinstance(one, DNSService) and one.name in names):
        hosts = [
            socket.inet_ntop(socket.AF_INET6 if len(one.address) == 16 else socket.AF_INET, one.address)
            for one in records
            if isinstance(one, DNSAddress) and one.name == service.server and len(one.address) in (4, 16)
        ]
        dialable = [
            host for text in hosts if (host := _dialable(f"{text}%{scope}" if scope and _is_link_local(text) else text))
        ]
        if service.name in versions and service.port and dialable:
            found.append(Sighting(service.name, service.port, tuple(dialable[:_ADDRESSES])))
    return found


def _is_link_local(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address.version == 6 and address.is_link_local


class _Ear(RecordUpdateListener):
    """Hears pointer records, turns them into sightings, and forgets all beyond its bounds."""

    def __init__(
        self, zeroconf: Zeroconf, service_type: str, own: set[str], sightings: asyncio.Queue[Sighting]
    ) -> None:
        super().__init__()
        self._zeroconf = zeroconf
        self._type = service_type
        self._own = own
        self._sightings = sightings
        self._loop = asyncio.get_running_loop()
        self._heard: OrderedDict[str, tuple[float, DNSPointer]] = OrderedDict()
        self._pending: list[str] = []
        self._waiting = asyncio.Event()

    def question(self, *, within: float) -> DNSOutgoing:
        """Ask who is there, naming those heard `within` the last seconds so that they need not answer again.

        When many ask, the first question of an interval is answered to all of them and the others cost nothing.
        """
        out = DNSOutgoing(_FLAGS_QUERY)
        out.add_question(DNSQuestion(self._type, _TYPE_PTR, _CLASS_IN))
        since = self._loop.time() - within
        known = [record for moment, record in reversed(self._heard.values()) if moment > since]
        for record in known[:_ANSWERS_KNOWN]:
            out.add_answer_at_time(record, 0.0)
        return out

    def crowd(self) -> float:
        """Return how many times too many relays there are for each to ask as often as one of a few does."""
        since = self._loop.time() - _LATELY
        lately = sum(1 for _ in takewhile(lambda heard: heard[0] > since, reversed(self._heard.values())))
        return min(max(1.0, (lately + 1) / _CROWD), _MOST_CROWDED)

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Sight the relays in one packet (called by zeroconf)."""
        for name in self._fresh_names(records, now)[:_NAMES]:
            info = self._info(name)
            if info is None or name in self._pending:
                continue
            # A relay's addresses come along. They are taken from the packet: a flood empties the cache.
            info.load_from_cache(zc)
            for _ in range(2):  # the second time the host's name is known
                info.async_update_records(zc, now, records)
            if self._sight(info):
                continue
            if len(self._pending) < _PENDING:
                self._pending.append(name)
                self._waiting.set()
            else:
                # At random, so that a flood cannot be timed to push out all that is true.
                self._pending[_dice.randrange(_PENDING)] = name

    def _fresh_names(self, records: list[RecordUpdate], now: float) -> list[str]:
        names: list[str] = []
        for update in records:
            record = update.new
            if not isinstance(record, DNSPointer) or record.name.lower() != self._type:
                continue
            name = record.alias
            if name in self._own or not name.endswith(f".{self._type}") or record.is_expired(now) or record.ttl <= 1:
                continue
            moment = self._loop.time()
            last = self._heard.pop(name, None)
            self._heard[name] = (moment, record)
            if len(self._heard) > _HEARD:
                self._heard.popitem(last=False)
            # One announcement arrives by every interface and address family.
            if last is None or moment - last[0] > 1.0:
                names.append(name)
        return names

    async def resolve(self) -> None:
        """Ask for the addresses of queued names, for ever."""
        while True:
            await self._waiting.wait()
            if not self._pending:
                self._waiting.clear()
                continue
            info = self._info(self._pending.pop(0))
            if info is not None and await info.async_request(self._zeroconf, _RESOLVE_WAIT):
                self._sight(info)

    def _info(self, name: str) -> AsyncServiceInfo | None:
        try:
            return AsyncServiceInfo(self._type, name)
        except Error:
            return None  # a name that no service can have

    def _sight(self, info: AsyncServiceInfo) -> bool:
        sighting = _sighting(info)
        if sighting is not None and not self._sightings.full():
            self._sightings.put_nowait(sighting)
        return sighting is not None


def _sighting(info: AsyncServiceInfo) -> Sighting | None:
    if not info.port or info.decoded_properties.get("v") != _VERSION["v"]:
        return None
    found = [address for text in info.parsed_scoped_addresses(IPVersion.All) if (address := _dialable(text))]
    return Sighting(info.name, info.port, tuple(found[:_ADDRESSES])) if found else None


def _dialable(text: str) -> str | None:
    """Return the address with its zone as an interface name, or None where nobody can be dialled."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified:
        return None
    if not isinstance(address, ipaddress.IPv6Address) or not address.is_link_local:
        return str(address).partition("%")[0]
    if address.scope_id is None:
        return None  # heard over IPv4: which link it is on is not known
    bare = str(address).partition("%")[0]
    if not address.scope_id.isdecimal():
        return f"{bare}%{address.scope_id}"
    try:
        return f"{bare}%{socket.if_indextoname(int(address.scope_id))}"
    except (OSError, OverflowError):
        return None


def _named(
    interfaces: frozenset[_Interface], known: Mapping[int, tuple[frozenset[_Interface], str]]
) -> dict[int, tuple[frozenset[_Interface], str]]:
    """Return the interfaces by network, each with a random name.

    Another network is not told that this is the same relay; one more address is no other network.
    """
    found: dict[int, tuple[frozenset[_Interface], str]] = {}
    for index in sorted({one.index for one in interfaces}):
        here = frozenset(one for one in interfaces if one.index == index)
        before, token = known.get(index, (frozenset(), ""))
        found[index] = here, token if before and before <= here else secrets.token_hex(8)
    return found


def _hear_own_groups_only(zeroconf: Zeroconf) -> None:
    """Keep out what comes by another network: Linux hands it to every socket that is bound to the port."""
    if sys.platform != "linux":
        return
    for reader in zeroconf.engine.readers:
        plain = reader.transport.get_extra_info("socket")
        level, option = _ALL_GROUPS[plain.family]
        with contextlib.suppress(OSError):  # an older kernel
            plain.setsockopt(level, option, 0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that is no group."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _interfaces(only: frozenset[str]) -> frozenset[_Interface]:
    """Return where this machine can be reached now; loopback counts when asked for, or when there is nothing else."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address, index = ip.ip[0] if isinstance(ip.ip, tuple) else ip.ip, adapter.index or 0
            if ":" not in address:
                found.append(_Interface(index, address, link_local_v6=False))
            elif _is_ready(address, index):
                found.append(_Interface(index, address, ipaddress.ip_address(address).is_link_local))
    if only:
        return frozenset(interface for interface in found if interface.address in only)
    outside = frozenset(item for item in found if not ipaddress.ip_address(item.address).is_loopback)
    return outside or frozenset(item for item in found if item.address == "127.0.0.1")


def _is_ready(address: str, index: int) -> bool:
    """Say whether an IPv6 address can be used yet: a new one is listed while the kernel still looks for duplicates."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0, 0, index))
        except OSError:
            return False
    return True


def _sockets(interfaces: Iterable[_Interface]) -> list[str | int | tuple[tuple[str, int, int], int]]:
    """Name one multicast socket per IPv4 address and one per link that has IPv6."""
    v4 = sorted(item.address for item in interfaces if ":" not in item.address)
    v6 = sorted({item.index for item in interfaces if item.link_local_v6})
    return [*v4, *v6]
