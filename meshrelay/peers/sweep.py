"""Knocking at every address of the own subnets, where multicast is blocked and no other relay is known.

Off unless the operator asks for it: it looks like an attack to whoever watches the network. Not here: who answers there
(spread dials them). The law: only addresses of the own /24, never through a tunnel or a router, and no faster than
:data:`RATE`.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

from meshrelay.networks import Network

RATE: Final = 100.0
"""Addresses a second."""
WAIT: Final = 1.0
"""Seconds for an address to answer."""
_SUBNETS: Final = 4
_WIDTH: Final = 24


class Knock(StrEnum):
    """What came of a TCP connection to an address, the best first.

    Somebody listens; somebody is there and does not; nobody answers; nobody has that address; no way leads there; no
    address has that name.
    """

    OPEN = "open"
    REFUSED = "refused"
    SILENT = "silent"
    NOBODY = "nobody"
    NO_ROUTE = "no route"
    NAMELESS = "no such name"


_NO_ROUTE: Final = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EINVAL, errno.ENODEV})
_NOBODY: Final = frozenset({errno.EHOSTUNREACH, errno.EHOSTDOWN})
_SILENT: Final = frozenset({errno.ETIMEDOUT, errno.EPERM, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Sweep:
    """Where somebody listens (HOST:PORT), and which addresses somebody has, listening or not."""

    open: tuple[str, ...]
    present: frozenset[str]


async def knock(host: str, port: int, *, wait: float = WAIT) -> Knock:
    """Open a TCP connection to a literal address or a name and close it again."""
    try:
        async with asyncio.timeout(wait):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Knock.SILENT
    except ConnectionRefusedError:
        return Knock.REFUSED
    except socket.gaierror:
        return Knock.NAMELESS
    except OSError as error:
        # Names that stand for several addresses come without a number.
        if error.errno in _NO_ROUTE:
            return Knock.NO_ROUTE
        return Knock.SILENT if error.errno in _SILENT else Knock.NOBODY
    writer.transport.abort()
    return Knock.OPEN


def targets(networks: Iterable[Network]) -> tuple[str, ...]:
    """Return the other addresses of the own subnets, of each no more than the /24 that this computer is in."""
    found: dict[str, None] = {}
    own: set[IPv4Address] = set()
    subnets: dict[ipaddress.IPv4Network, None] = {}
    for network in networks:
        for one in network.addresses:
            if isinstance(one, ipaddress.IPv4Interface) and not network.is_loopback and not network.is_tunnel:
                own.add(one.ip)
                width = max(_WIDTH, one.network.prefixlen)
                subnets[ipaddress.IPv4Network((one.ip, width), strict=False)] = None
    for subnet in list(subnets)[:_SUBNETS]:
        found |= {str(host): None for host in subnet.hosts() if host not in own}
    return tuple(found)


async def sweep(hosts: Sequence[str], ports: Sequence[int]) -> Sweep:
    """Knock at every port of these hosts; takes their number divided by RATE, and WAIT, in seconds."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    present: set[str] = set()
    opened: list[str] = []

    async def one(host: str, port: int) -> None:
        answer = await knock(host, port)
        if answer in (Knock.OPEN, Knock.REFUSED):
            present.add(host)
        if answer is Knock.OPEN:
            opened.append(f"{host}:{port}")

    async with asyncio.TaskGroup() as tasks:
        for place, (host, port) in enumerate((host, port) for host in hosts for port in ports):
            await asyncio.sleep(max(0.0, begun + place / RATE - loop.time()))
            tasks.create_task(one(host, port))
    return Sweep(tuple(sorted(opened)), frozenset(present))
