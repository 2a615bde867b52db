"""Listening: the sockets of one address, and under which addresses others reach them.

Not here: who comes in (door.py), and what is answered. The law: a machine without IPv6 listens on IPv4 alone; a port
that is taken is an error in words, or another port where none was chosen.
"""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import ifaddr

from meshrelay.errors import Refusal

BACKLOG = 4096
"""Connections that the system keeps until they are let in: a flood must not crowd out the others before they are."""
PORTS_TRIED = 20

_ANY = {"": (4, 6), str(IPv4Address(0)): (4,), str(IPv6Address(0)): (6,)}
"""Hosts that mean every address here, and of which kinds, the one that is shorter to copy by hand first."""


@dataclass(frozen=True, slots=True)
class Listener:
    """The open sockets of one address, all on `port`; an empty host means every address here, IPv4 and IPv6."""

    key: str
    host: str
    port: int
    sockets: tuple[socket.socket, ...]

    def places(self) -> tuple[str, ...]:
        """Return HOST:PORT for every address that others can use now; loopback only when there is nothing else."""
        kinds = _ANY.get(self.host)
        if kinds is None:
            return (_place(self.host, self.port),)
        found = [
            ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            for adapter in ifaddr.get_adapters()
            for ip in adapter.ips
        ]
        for kind in kinds:
            if outside := [str(one) for one in found if one.version == kind and _is_reachable(one)]:
                return tuple(_place(address, self.port) for address in outside)
        return (_place("127.0.0.1" if 4 in kinds else "::1", self.port),)

    def close(self) -> None:
        """Close the sockets."""
        for one in self.sockets:
            one.close()


def open_listener(key: str, host: str, port: int, *, may_move: bool) -> Listener:
    """Open the sockets of an address; with `may_move`, on one of the next ports when this one is taken.

    Raises Refusal when no port is free.
    """
    for candidate in range(port, port + (PORTS_TRIED if may_move else 1)):
        try:
            sockets = tuple(_listen(host, candidate))
            return Listener(key, host, sockets[0].getsockname()[1], sockets)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise Refusal(
                    f"cannot listen on {host or '*'}:{candidate}: {error.strerror or error}",
                    hint=f"choose another address with --{key} HOST:PORT",
                ) from error
    raise Refusal(
        f"port {port} is taken by another program",
        hint=f"stop that program, or choose another port with --{key} HOST:PORT",
    )


def _listen(host: str, port: int) -> list[socket.socket]:
    if not host:
        hosts = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104  # anyone on this Wi-Fi may read
    elif host == "localhost":
        hosts = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    else:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        hosts = [(found[0][0], str(found[0][4][0]))]
    opened: list[socket.socket] = []
    for family, address in hosts:
        try:
            opened.append(_listen_one(family, address, port))
        except OSError as error:
            # A machine without IPv6 listens on IPv4 alone.
            if opened and error.errno != errno.EADDRINUSE:
                continue
            for other in opened:
                other.close()
            raise
        port = opened[0].getsockname()[1]
    return opened


def _listen_one(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
        one.listen(BACKLOG)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def host_of(place: str) -> str:
    """Return the host of HOST:PORT, an IPv6 one without brackets."""
    return place.rpartition(":")[0].strip("[]")


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_reachable(address: IPv4Address | IPv6Address) -> bool:
    return not address.is_loopback and not address.is_link_local
