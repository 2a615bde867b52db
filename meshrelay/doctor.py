"""The doctor: tries the ways of finding other relays one by one, looks at what they need, and says what is wrong.

:func:`examine` gathers the facts, in bounded time, from inside a running relay or beside a folder on which none runs;
:func:`conclude` is pure and makes findings of them. A finding is a code with values; its sentences stand in
words/diagnosis.py.

Not here: mending anything. The law: nothing is changed, nothing is told to others but what a hello says, and only
addresses that are known, announced here, or in the own /24 (on request) are dialled.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import shutil
import socket
import statistics
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from meshrelay import networks
from meshrelay.core.clock import AGREEMENT, Clock
from meshrelay.errors import PeerFault, PeerUnreachable, Refusal
from meshrelay.local import KnownPeer
from meshrelay.networks import Network
from meshrelay.peers.addressbook import PeerAddress, kept, pinned
from meshrelay.peers.client import Link
from meshrelay.peers.discovery import SERVICE_TYPE, Heard, Sighting, call
from meshrelay.peers.ladder import Way
from meshrelay.peers.link import Identities
from meshrelay.peers.sweep import Knock, Sweep, knock, sweep, targets
from meshrelay.settings import PEERS_PORT
from meshrelay.status import RelayStatus

_LISTEN: Final = 2.5  # seconds for answers to a call by multicast
_KNOCK: Final = 4.0  # seconds: the system needs three to find out that nobody has an address
_HELLO: Final = 4.0
_TRIES: Final = 16  # addresses dialled of one way
_HOSTS: Final = 4  # addresses of one relay
_NAMED: Final = 6  # failures of one way that are told one by one
_LOW: Final = 20_000_000  # bytes free: less and the store cannot write
_SETTLING: Final = 180  # seconds after which others should have come here


class Health(StrEnum):
    """How a finding is to be taken: all well, good to know, wrong, or not tried."""

    WELL = "well"
    NOTE = "note"
    WRONG = "wrong"
    OFF = "off"


class Code(StrEnum):
    """What can be found, by the name under which words/diagnosis.py has its sentences."""

    RELAY_SILENT = "relay-silent"
    RUNNING = "running"
    NOT_RUNNING = "not-running"
    NETWORK = "network"
    NO_NETWORK = "no-network"
    LINK_ONLY = "link-only"
    VPN = "vpn"
    VPN_TAKES_ALL = "vpn-takes-all"
    PORT_TAKEN = "port-taken"
    DISK = "disk"
    DISK_LOW = "disk-low"
    DISK_FULL = "disk-full"
    DISK_SHUT = "disk-shut"
    STORE_UNUSABLE = "store-unusable"
    NOTES_LOST = "notes-lost"
    CLOCK = "clock"
    CLOCK_BEHIND = "clock-behind"
    CLOCK_DOUBTFUL = "clock-doubtful"
    CLOCK_DIFFERS = "clock-differs"
    CLOCKS_DIFFER = "clocks-differ"
    MDNS_OFF = "mdns-off"
    MDNS_SHUT = "mdns-shut"
    MDNS_FOUND = "mdns-found"
    MDNS_NOBODY = "mdns-nobody"
    MDNS_DROPPED = "mdns-dropped"
    MDNS_SILENT = "mdns-silent"
    REACHED = "reached"
    NONE_KNOWN = "none-known"
    REFUSED = "refused"
    FIREWALL = "firewall"
    NO_ANSWER = "no-answer"
    NOBODY = "nobody"
    OTHER_SUBNET = "other-subnet"
    NOT_A_RELAY = "not-a-relay"
    WRONG_RELAY = "wrong-relay"
    NO_SUCH_NAME = "no-such-name"
    ISOLATED = "isolated"
    TOLD = "told"
    SWEEP_OFFERED = "sweep-offered"
    SWEEP_FOUND = "sweep-found"
    SWEEP_NOBODY = "sweep-nobody"
    NOBODY_COMES = "nobody-comes"
    IN_TOUCH = "in-touch"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: which check, how it is, and what the sentence names."""

    check: str
    health: Health
    code: Code
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found; `reached` is how many other relays answered."""

    running: bool
    reached: int
    findings: tuple[Finding, ...]

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return all(one.health is not Health.WRONG for one in self.findings)


@dataclass(frozen=True, slots=True)
class Case:
    """What is known before anything is tried; `status` is that of the relay that runs, if one does.

    `store_trouble` says why the store cannot be used; `taken` are listeners whose ports other programs have;
    `notes_aside` is where this relay's own notes lie that were damaged.
    """

    data: Path
    identities: Identities
    book: Sequence[KnownPeer]
    clock: Clock
    given: Sequence[str] = ()
    discovery: bool = True
    service_type: str = SERVICE_TYPE
    port: int = PEERS_PORT
    status: RelayStatus | None = None
    full: bool = False
    store_trouble: str = ""
    silent: str = ""
    """Why the relay that runs here could not be asked."""
    taken: Sequence[tuple[str, int]] = ()
    notes_aside: Path | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One address that was dialled, and what came of it; `ahead` is how far the clock there is ahead of this one."""

    way: Way
    place: str
    knock: Knock
    relay_id: bytes | None = None
    trouble: str = ""
    wrong_pin: bool = False
    near: bool = False
    """Whether it is in a subnet of this computer's."""
    ahead: int | None = None
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What was tried and seen."""

    networks: tuple[Network, ...] = ()
    swallowed: bool = False
    """Whether a tunnel takes what is meant for this computer's own subnet."""
    heard: Heard | None = None
    tried: tuple[Tried, ...] = ()
    sweep: Sweep | None = None
    free: int = 0
    disk_errno: int = 0
    disk_low: bool = False


async def examine(case: Case, *, sweeping: bool = False) -> Report:
    """Try everything and conclude; half a minute at most. With `sweeping` the own /24 is knocked at too."""
    here = networks.look()
    outside = [one for one in here if not one.is_loopback]
    tried: list[Tried] = []
    heard: Heard | None = None
    dialled = asyncio.ensure_future(_dial_known(case, here))
    try:
        if case.discovery and outside:
            heard = await call(case.service_type, outside, seconds=_LISTEN)
        tried += await dialled
    finally:
        dialled.cancel()
    if heard is not None:
        tried += await _dial_sighted(case, here, heard.sightings)
    tried += await _dial_places(case, here, Way.TOLD, _told(here, tried))
    swept: Sweep | None = None
    if sweeping and outside:
        swept = await sweep(targets(outside), sorted({PEERS_PORT, case.port}))
        known = {one.place for one in tried}
        tried += await _dial_places(case, here, Way.SWEEP, [place for place in swept.open if place not in known])
    free, trouble, low = await asyncio.to_thread(_look_at_disk, case.data)
    facts = Facts(
        networks=here,
        swallowed=_is_swallowed(outside),
        heard=heard,
        tried=tuple(tried),
        sweep=swept,
        free=free,
        disk_errno=trouble,
        disk_low=low,
    )
    return conclude(case, facts)


# Trying


async def _dial_known(case: Case, here: Sequence[Network]) -> list[Tried]:
    given = [pinned(PeerAddress.parse(uri), case.book) for uri in case.given]
    book = kept(case.book)
    given += [address for peer, address in book if peer.kept]
    met = [
        PeerAddress(address.host, address.port, peer.relay_id)
        for peer, address in book
        if not peer.kept and address not in given
    ]
    named = {Way.GIVEN: list(dict.fromkeys(given))[:_TRIES], Way.BOOK: met[:_TRIES]}
    return list(
        await asyncio.gather(
            *(
                _dial(case, here, way, (one.host,), one.port, one.relay_id)
                for way, those in named.items()
                for one in those
            )
        )
    )


async def _dial_sighted(case: Case, here: Sequence[Network], sightings: Sequence[Sighting]) -> list[Tried]:
    own = _own(here)
    others = [one for one in sightings if own.isdisjoint(one.addresses) or one.port != case.port]
    return list(
        await asyncio.gather(
            *(_dial(case, here, Way.MDNS, one.addresses[:_HOSTS], one.port, None) for one in others[:_TRIES])
        )
    )


async def _dial_places(case: Case, here: Sequence[Network], way: Way, places: Sequence[str]) -> list[Tried]:
    found = [PeerAddress.parse(place) for place in places[:_TRIES]]
    return list(await asyncio.gather(*(_dial(case, here, way, (one.host,), one.port, None) for one in found)))


async def _dial(
    case: Case, here: Sequence[Network], way: Way, hosts: Sequence[str], port: int, relay_id: bytes | None
) -> Tried:
    """Knock at every host of one relay, and say hello where somebody opens."""
    answers = await asyncio.gather(*(knock(host, port, wait=_KNOCK) for host in hosts))
    best = min(zip(answers, hosts, strict=True), key=lambda pair: list(Knock).index(pair[0]))
    answer, host = best
    place, near = PeerAddress(host, port).place, _is_near(host, here)
    if answer is not Knock.OPEN:
        return Tried(way, place, answer, near=near)
    try:
        async with asyncio.timeout(_HELLO), Link(case.identities, [host], port, relay_id) as link:
            _, theirs = await link.hello(port=0, now=case.clock.machine)
            told = await link.peers()
            own = link.relay_id in link.own_ids
    except (PeerUnreachable, PeerFault, TimeoutError) as error:
        wrong = isinstance(error, PeerFault) and relay_id is not None
        return Tried(way, place, answer, trouble=str(error), near=near, wrong_pin=wrong)
    if own:
        return Tried(way, place, answer, relay_id=b"", near=near)
    return Tried(way, place, answer, link.relay_id, near=near, ahead=theirs - case.clock.machine, told=tuple(told))


def _told(here: Sequence[Network], tried: Sequence[Tried]) -> list[str]:
    known = {one.place for one in tried}
    own = _own(here)
    found: dict[str, None] = {}
    for place in (place for one in tried for place in one.told):
        with contextlib.suppress(Refusal):
            host = PeerAddress.parse(place).host
            if place not in known and host not in own and _is_near(host, here):
                found[place] = None
    return list(found)


def _own(here: Sequence[Network]) -> frozenset[str]:
    return frozenset(str(address.ip) for one in here for address in one.addresses)


def _is_near(host: str, here: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in one.network for network in here for one in network.addresses)


def _is_swallowed(outside: Sequence[Network]) -> bool:
    """Tell whether what is meant for an own subnet would leave by an address that is not in it."""
    own = {one.ip for network in outside for one in network.addresses}
    for network in outside:
        if network.is_tunnel:
            continue
        for one in network.addresses:
            if one.version != 4 or one.network.prefixlen > 30 or one.is_link_local:
                continue
            mate = next(host for host in one.network.hosts() if host not in own)
            leaves = networks.local_address(str(mate))
            if leaves is not None and leaves not in one.network:
                return True
    return False


def _look_at_disk(data: Path) -> tuple[int, int, bool]:
    """Return the bytes free, the number of the error when a megabyte cannot be written, and whether it is low."""
    try:
        with tempfile.NamedTemporaryFile(dir=data, prefix="run.doctor-") as file:
            file.write(bytes(1 << 20))
            file.flush()
    except OSError as error:
        return 0, error.errno or errno.EIO, False
    usage = shutil.disk_usage(data)
    return usage.free, 0, usage.free < _LOW


def ports_taken(wanted: Mapping[str, tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    """Return which of these listeners (name -> host and port) cannot be opened because another program has the port."""
    taken = []
    for name, (host, port) in wanted.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    taken.append((name, port))
    return tuple(taken)


# Concluding


def conclude(case: Case, facts: Facts) -> Report:
    """Make findings of facts."""
    outside = [one for one in facts.networks if not one.is_loopback]
    others = [one for one in facts.tried if one.relay_id != b""]
    met = {one.relay_id for one in others if one.relay_id}
    if case.status is not None:
        met |= {peer.relay_id for peer in case.status.peers if peer.connected and peer.relay_id}
    findings = [
        _on_relay(case),
        *_on_disk(case, facts),
        *(Finding("port", Health.WRONG, Code.PORT_TAKEN, {"listener": n, "port": p}) for n, p in case.taken),
        *_on_clock(case, others),
        *_on_network(outside, facts),
    ]
    if outside:
        findings += [
            *_on_multicast(case, facts, others),
            *_on_known(Way.GIVEN, facts, others),
            *_on_known(Way.BOOK, facts, others),
            *_on_told(others),
            *_on_isolation(facts, others, outside),
            *_on_sweep(facts, others, met),
            *_on_visits(case),
        ]
    if met:
        findings.append(Finding("relays", Health.WELL, Code.IN_TOUCH, {"count": len(met)}))
    else:
        findings.append(Finding("relays", Health.NOTE, Code.ALONE))
    return Report(case.status is not None, len(met), tuple(findings))


def _on_relay(case: Case) -> Finding:
    if case.silent:
        return Finding("relay", Health.WRONG, Code.RELAY_SILENT, {"why": case.silent})
    if case.status is None:
        return Finding("relay", Health.NOTE, Code.NOT_RUNNING)
    return Finding("relay", Health.WELL, Code.RUNNING)


def _on_disk(case: Case, facts: Facts) -> list[Finding]:
    if case.full or facts.disk_errno in (errno.ENOSPC, errno.EDQUOT):
        return [Finding("disk", Health.WRONG, Code.DISK_FULL)]
    if facts.disk_errno:
        return [Finding("disk", Health.WRONG, Code.DISK_SHUT, {"path": str(case.data)})]
    if case.store_trouble:
        return [Finding("disk", Health.WRONG, Code.STORE_UNUSABLE, {"why": case.store_trouble})]
    found = (
        [Finding("disk", Health.WRONG, Code.NOTES_LOST, {"path": str(case.notes_aside)})] if case.notes_aside else []
    )
    free = {"megabytes": facts.free // 1_000_000}
    if facts.disk_low:
        return [*found, Finding("disk", Health.WRONG, Code.DISK_LOW, free)]
    return [*found, Finding("disk", Health.WELL, Code.DISK, free)]


def _on_clock(case: Case, others: Sequence[Tried]) -> list[Finding]:
    ahead = {one.relay_id: one.ahead for one in others if one.ahead is not None}
    off = [by for by in ahead.values() if abs(by) > AGREEMENT]
    if 2 * len(off) > len(ahead):
        values = {"minutes": round(abs(statistics.median(off)) / 60), "count": len(off), "relays": len(ahead)}
        return [Finding("clock", Health.WRONG, Code.CLOCK_DIFFERS, values)]
    if case.clock.behind > AGREEMENT:
        return [Finding("clock", Health.WRONG, Code.CLOCK_BEHIND)]
    if case.clock.doubtful:
        return [Finding("clock", Health.WRONG, Code.CLOCK_DOUBTFUL)]
    if off:
        return [Finding("clock", Health.NOTE, Code.CLOCKS_DIFFER, {"count": len(off), "relays": len(ahead)})]
    return [Finding("clock", Health.WELL, Code.CLOCK, {"relays": len(ahead) - len(off)})]


def _on_network(outside: Sequence[Network], facts: Facts) -> list[Finding]:
    if not outside:
        return [Finding("network", Health.WRONG, Code.NO_NETWORK)]
    ways = [one for one in outside if not one.is_tunnel] or list(outside)
    wide = [str(one.ip) for network in ways for one in network.addresses if not one.is_link_local]
    if wide:
        named = {"interfaces": ", ".join(one.name for one in ways), "addresses": ", ".join(wide[:4])}
        found = [Finding("network", Health.WELL, Code.NETWORK, named)]
    else:
        found = [Finding("network", Health.NOTE, Code.LINK_ONLY, {"interfaces": ", ".join(one.name for one in ways)})]
    tunnels = ", ".join(one.name for one in outside if one.is_tunnel)
    if facts.swallowed:
        found.append(Finding("vpn", Health.WRONG, Code.VPN_TAKES_ALL, {"interfaces": tunnels or "?"}))
    elif tunnels:
        found.append(Finding("vpn", Health.NOTE, Code.VPN, {"interfaces": tunnels}))
    return found


def _on_multicast(case: Case, facts: Facts, others: Sequence[Tried]) -> list[Finding]:
    heard = facts.heard
    if heard is None:
        return [Finding("mdns", Health.OFF, Code.MDNS_OFF)]
    here = [one for one in others if one.way is Way.MDNS]
    if not heard.echoed:
        return [Finding("mdns", Health.WRONG, Code.MDNS_SHUT)]
    found: list[Finding] = []
    if reached := {one.relay_id for one in here if one.relay_id}:
        found.append(Finding("mdns", Health.WELL, Code.MDNS_FOUND, {"count": len(reached)}))
    elif any(one.relay_id and one.near for one in others):
        found.append(Finding("mdns", Health.WRONG, Code.MDNS_DROPPED))
    elif not here and heard.others:
        found.append(Finding("mdns", Health.NOTE, Code.MDNS_NOBODY, {"count": heard.others}))
    elif not here:
        found.append(Finding("mdns", Health.NOTE, Code.MDNS_SILENT))
    return found + [_failure("mdns", one, Health.WRONG) for one in here if one.relay_id is None][:_NAMED]


def _on_known(way: Way, facts: Facts, others: Sequence[Tried]) -> list[Finding]:
    tried = [one for one in others if one.way is way]
    if not tried:
        return [Finding(way, Health.OFF, Code.NONE_KNOWN)]
    reached = [one for one in tried if one.relay_id]
    found = []
    if reached:
        found.append(Finding(way, Health.WELL, Code.REACHED, {"count": len(reached), "all": len(tried)}))
    # One that was met somewhere is often somewhere else today; one that the operator gave should be there.
    health = Health.WRONG if way is Way.GIVEN else Health.NOTE
    return found + [_failure(way, one, health) for one in tried if one.relay_id is None][:_NAMED]


def _failure(check: str, one: Tried, health: Health) -> Finding:
    where: dict[str, str | int] = {"place": one.place, "port": int(one.place.rpartition(":")[2])}
    if one.knock is Knock.OPEN:
        code = Code.WRONG_RELAY if one.wrong_pin else Code.NOT_A_RELAY
        return Finding(check, health, code, where)
    if one.knock is Knock.NAMELESS:
        return Finding(check, health, Code.NO_SUCH_NAME, where)
    if one.knock is Knock.REFUSED:
        return Finding(check, health, Code.REFUSED, where)
    if one.knock is Knock.NO_ROUTE or (not one.near and _is_private(one.place)):
        return Finding(check, health, Code.OTHER_SUBNET, where)
    if one.knock is Knock.SILENT:
        return Finding(check, health, Code.FIREWALL if one.near else Code.NO_ANSWER, where)
    return Finding(check, health, Code.NOBODY, where)


def _is_private(place: str) -> bool:
    try:
        return ipaddress.ip_address(PeerAddress.parse(place).host.partition("%")[0]).is_private
    except (ValueError, Refusal):
        return False


def _on_told(others: Sequence[Tried]) -> list[Finding]:
    told = [one for one in others if one.way is Way.TOLD]
    reached = sum(one.relay_id is not None for one in told)
    return [Finding("told", Health.WELL, Code.TOLD, {"count": reached, "all": len(told)})] if told else []


def _on_isolation(facts: Facts, others: Sequence[Tried], outside: Sequence[Network]) -> list[Finding]:
    """Say that the network keeps its devices apart where the router answers and none of the others does."""
    routers = {str(one.router.address) for one in outside if one.router is not None and one.router.hardware}
    near = [one for one in others if one.near]
    if not routers or any(one.knock in (Knock.OPEN, Knock.REFUSED, Knock.SILENT) for one in near):
        return []
    if facts.heard is not None and facts.heard.others:
        return []
    if facts.sweep is not None and facts.sweep.present - routers:
        return []
    missing = [one for one in near if one.knock is Knock.NOBODY]
    if missing:
        return [Finding("isolation", Health.WRONG, Code.ISOLATED)]
    return [Finding("isolation", Health.NOTE, Code.ISOLATED)] if facts.sweep is not None else []


def _on_sweep(facts: Facts, others: Sequence[Tried], met: Collection[bytes | None]) -> list[Finding]:
    if facts.sweep is None:
        return [] if met else [Finding("sweep", Health.OFF, Code.SWEEP_OFFERED)]
    found = [one for one in others if one.relay_id and one.place in facts.sweep.open]
    if found:
        places = ", ".join(one.place for one in found[:_NAMED])
        return [Finding("sweep", Health.WELL, Code.SWEEP_FOUND, {"count": len(found), "places": places})]
    return [Finding("sweep", Health.NOTE, Code.SWEEP_NOBODY, {"count": len(facts.sweep.present)})]


def _on_visits(case: Case) -> list[Finding]:
    status = case.status
    if status is None or status.now - status.started < _SETTLING:
        return []
    came = any(one.way == Way.INBOUND and one.found for one in status.rungs)
    if came or not any(peer.connected for peer in status.peers):
        return []
    return [Finding("visits", Health.NOTE, Code.NOBODY_COMES, {"port": case.port})]
