"""The networks this computer is on at this moment: its addresses there, and by what one is told from another.

A network is one interface with an address. Its *mark* is the hardware address of its router; where no router is known,
the IPv4 subnet; where there is none, the IPv6 one. The router can be asked on Linux alone.

Not here: who is on those networks (peers.discovery). Nothing is cached and nothing sent but by :func:`call_routers`.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Final

import ifaddr

LOOPBACK: Final = "loopback"
_PROC = Path("/proc/net")
_UP, _GATEWAY = 0x1, 0x2  # flags of a route: it is usable, and leads through a router
_COMPLETE = 0x2  # flag of a neighbour whose hardware address is known
_UNKNOWN: Final = ("", "00:00:00:00:00:00")
_DISCARD: Final = 9  # RFC 863
_TUNNELS: Final = ("tun", "tap", "wg", "ppp", "utun", "ipsec", "tailscale", "nordlynx", "proton")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Router:
    """Who leads out of a network; `hardware` is empty while nobody knows it."""

    address: Address
    hardware: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """One interface with its addresses, literals without a zone."""

    name: str
    index: int
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    router: Router | None = field(default=None, compare=False)

    @property
    def is_loopback(self) -> bool:
        """Whether it leads nowhere but to this computer."""
        return all(one.is_loopback for one in self.addresses)

    @property
    def is_tunnel(self) -> bool:
        """Whether its name is one that tunnels have, as far as names tell."""
        return self.name.lower().startswith(_TUNNELS)

    @property
    def has_known_router(self) -> bool:
        """Whether the hardware address of its router is known."""
        return self.router is not None and bool(self.router.hardware)

    @property
    def mark(self) -> str:
        """By what this network is told from others; the same when this computer comes back to it."""
        if self.is_loopback:
            return LOOPBACK
        if self.router is not None and self.router.hardware:
            return f"router {self.router.hardware}"
        if subnets := self.subnets:
            return f"subnet {subnets[0]}"
        wide = sorted(str(one.network) for one in self.addresses if not one.is_link_local)
        return f"subnet {wide[0]}" if wide else "link"

    @property
    def v4(self) -> tuple[IPv4Address, ...]:
        """Its IPv4 addresses."""
        return tuple(one.ip for one in self.addresses if isinstance(one, IPv4Interface))

    @property
    def subnets(self) -> tuple[ipaddress.IPv4Network, ...]:
        """The IPv4 subnets that this interface is in, in order."""
        return tuple(sorted({one.network for one in self.addresses if isinstance(one, IPv4Interface)}))


def look() -> tuple[Network, ...]:
    """Return the networks there are now, loopback included, those with a router first."""
    by_index: dict[int, tuple[str, list[IPv4Interface | IPv6Interface]]] = {}
    for adapter in ifaddr.get_adapters():
        # An alias such as eth0:1 is another adapter with the index of the first.
        _, found = by_index.setdefault(adapter.index or 0, (str(adapter.nice_name).partition(":")[0], []))
        for ip in adapter.ips:
            literal = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            found.append(ipaddress.ip_interface(f"{literal.partition('%')[0]}/{ip.network_prefix}"))
    routers = _routers()
    networks = [
        Network(name, index, tuple(sorted(found, key=lambda one: (one.version, one))), routers.get(name))
        for index, (name, found) in by_index.items()
        if found
    ]
    return tuple(sorted(networks, key=lambda one: (one.is_loopback, one.is_tunnel, one.router is None, one.index)))


def local_address(host: str) -> Address | None:
    """Return the address of this computer from which it would speak to a literal address; None where it cannot.

    Nothing is sent.
    """
    try:
        ((family, kind, _, _, there), *_) = socket.getaddrinfo(
            host, _DISCARD, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )
        with socket.socket(family, kind) as probe:
            probe.connect(there)
            return ipaddress.ip_address(str(probe.getsockname()[0]).partition("%")[0])
    except (OSError, ValueError):
        return None


def call_routers(networks: Iterable[Network]) -> bool:
    """Make the system ask for the hardware address of every router that has none yet; tell whether there is one."""
    called = False
    for network in networks:
        router = network.router
        if router is None or router.hardware or not isinstance(router.address, IPv4Address):
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.setblocking(False)
            try:
                probe.sendto(b"", (str(router.address), _DISCARD))
                called = True
            except OSError:
                continue
    return called


def _routers() -> Mapping[str, Router]:
    """Return the router of each interface that has one, by the name of the interface."""
    if sys.platform != "linux":
        return {}
    neighbours = {fields[0]: fields[3] for fields in _table("arp") if int(fields[2], 16) & _COMPLETE}
    found: dict[str, Router] = {}
    for fields in _table("route"):
        flags = int(fields[3], 16)
        if int(fields[1], 16) == 0 and flags & _UP and flags & _GATEWAY and fields[0] not in found:
            address = IPv4Address(int(fields[2], 16).to_bytes(4, sys.byteorder))
            hardware = neighbours.get(str(address), "")
            found[fields[0]] = Router(address, "" if hardware in _UNKNOWN else hardware)
    for fields in _table("ipv6_route", header=False):
        flags = int(fields[8], 16)
        if fields[0] == "0" * 32 and fields[1] == "00" and flags & _UP and flags & _GATEWAY and fields[9] not in found:
            # The table of IPv6 neighbours is no file; a router's link-local address tells it as well.
            address6 = IPv6Address(bytes.fromhex(fields[4]))
            found[fields[9]] = Router(address6, str(address6) if address6.is_link_local else "")
    return found


def _table(name: str, *, header: bool = True) -> Sequence[list[str]]:
    try:
        lines = (_PROC / name).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:  # a kernel without IPv6, or a sandbox
        return ()
    return [line.split() for line in lines[header:]]
