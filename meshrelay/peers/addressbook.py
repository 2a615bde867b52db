"""Where a relay can be dialled, as people write it: ``meshrelay://HOST:PORT#RELAYID``.

Not here: the file (local), who is dialled and when (spread). The law: an address with a relay id is that relay or
nobody; one without is pinned on first use when the operator gave it, and never when the network suggested it.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from meshrelay.errors import WrongUsage
from meshrelay.local import KnownPeer
from meshrelay.settings import PEERS_PORT

log = logging.getLogger(__name__)

_SCHEME = "meshrelay://"
_ADDRESS = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?\]|[^\[\]:/#?@\s]+)(?::(?P<port>[0-9]{1,5}))?/?(?:#(?P<id>[0-9A-Fa-f]{64}))?"
)


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """A host (a name, an IPv4 or an IPv6 literal, zone included), a port, and the relay that must answer there."""

    host: str
    port: int
    relay_id: bytes | None = None

    @classmethod
    def parse(cls, text: str) -> PeerAddress:
        """Read an address; scheme and port may be left out. Raises WrongUsage."""
        match = _ADDRESS.fullmatch(text.strip().removeprefix(_SCHEME))
        port = int(match["port"] or PEERS_PORT) if match else 0
        if match is None or not 0 < port < 65536 or not _can_be_looked_up(match["host"]):
            raise WrongUsage(
                f"{text[:80]!r} is not the address of a relay",
                hint="write meshrelay://HOST:PORT or meshrelay://HOST:PORT#RELAYID",
            )
        relay_id = bytes.fromhex(match["id"]) if match["id"] else None
        # A URI proper writes the % of a zone as %25, which no socket takes.
        return cls(match["host"].strip("[]").replace("%25", "%", 1), port, relay_id)

    def __str__(self) -> str:
        pin = f"#{self.relay_id.hex()}" if self.relay_id is not None else ""
        return f"{_SCHEME}{self.place}{pin}"

    @property
    def place(self) -> str:
        """HOST:PORT, whoever answers there."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_link_local(self) -> bool:
        """Whether it means something on one link of this machine alone, so that it is never shared."""
        try:
            return ipaddress.ip_address(self.host).is_link_local
        except ValueError:
            return False


def kept(book: Iterable[KnownPeer]) -> list[tuple[KnownPeer, PeerAddress]]:
    """Return what is in a book with its addresses, but for those that can be none."""
    found: list[tuple[KnownPeer, PeerAddress]] = []
    for peer in book:
        try:
            found.append((peer, PeerAddress.parse(peer.uri)))
        except WrongUsage as error:
            log.warning("in the address book: %s", error)
    return found


def _can_be_looked_up(host: str) -> bool:
    """Tell whether a name is one that a resolver takes: no empty part, none of more than 63 letters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return host.startswith("[")
    return True


def pinned(address: PeerAddress, book: Iterable[KnownPeer]) -> PeerAddress:
    """Return the address with the relay id that its first use has pinned, if the operator gave it and it was used."""
    if address.relay_id is None:
        for peer, known in kept(book):
            if peer.how == "given" and peer.relay_id is not None and known.place == address.place:
                return replace(address, relay_id=peer.relay_id)
    return address
