"""What a running relay says of itself and of those it has met: values for pages, commands and the doctor; no rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """What is known of one other relay; times in unix seconds, byte counts since start."""

    uri: str
    relay_id: bytes | None = None
    name: str = ""
    how: str = ""
    connected: bool = False
    last_contact: int | None = None
    settled_at: int | None = None
    """When it last had all that was held here and that it takes."""
    refuses: bool = False
    """Whether it does not take some of that."""
    bytes_sent: int = 0
    bytes_received: int = 0
    items_sent: int = 0
    items_received: int = 0
    refused: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Rung:
    """How one way of finding other relays has done since the start; times in unix seconds.

    `way` is one of those in :attr:`PeerStatus.how`. `found` counts relays, each once; `trouble` is why the last try
    failed, empty when it did not.
    """

    way: str
    on: bool = True
    tries: int = 0
    tried: int | None = None
    found: int = 0
    last_found: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """What a running relay says of itself."""

    name: str
    relay_id: bytes
    started: int
    now: int
    bulletins: int = 0
    unknown_bulletins: int = 0
    bytes_stored: int = 0
    last_exchange: int | None = None
    peers: tuple[PeerStatus, ...] = ()
    rungs: tuple[Rung, ...] = ()
    reader_addresses: tuple[str, ...] = ()
    peer_addresses: tuple[str, ...] = ()

    @property
    def in_touch(self) -> int:
        """How many relays answered at their last exchange."""
        return sum(peer.connected for peer in self.peers)
