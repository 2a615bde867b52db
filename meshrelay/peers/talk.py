"""What one relay says to another, request by request, typed and checked; how the bytes cross is somebody else's.

Not here: sockets (client), and what is said when (exchange). The law: whatever is answered, only PeerUnreachable and
PeerFault come out. Source: docs/spec/http.md, "Requests".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from meshrelay.core import reconcile
from meshrelay.core.envelope import Header
from meshrelay.core.quota import Source, Way
from meshrelay.errors import InvalidMessage, PeerFault, PeerUnreachable
from meshrelay.peers import wire
from meshrelay.peers.wire import Answer

T = TypeVar("T")


class CutOff(PeerUnreachable):
    """No answer, or only the beginning of one: `body`."""

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body


@dataclass(frozen=True, slots=True)
class Answered:
    """The body of a reply, and how many of the keys asked for it says to settle, as it was written."""

    body: bytes
    settled: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Fetched items, how many of the keys asked for they settle, and what cut the batch off."""

    items: list[bytes]
    settled: int
    trouble: CutOff | None = None


class Talk(ABC):
    """One connection to one relay, inside of its context; `relay_id` is known once something answered."""

    def __init__(self) -> None:
        self.bytes_sent = 0
        self.bytes_received = 0
        self.is_hurried = False
        """Whether what is said is urgent, and waits for nobody's turn."""
        self.own_ids: Collection[bytes] = ()
        """The relay ids that, at the other end, would mean that this relay has dialled itself."""

    @property
    @abstractmethod
    def relay_id(self) -> bytes:
        """The relay at the other end; empty before anything answered."""

    @property
    def source(self) -> Source:
        """What items from the other end count by: its address, where what carries the bytes has any."""
        return Source(Way.DIALLED, self.relay_id.hex())

    @abstractmethod
    async def request(
        self, method: str, path: str, body: bytes, *, limit: int, content_type: str = wire.MESSAGE
    ) -> Answered:
        """Send a request and return its reply of at most `limit` bytes; raises CutOff, PeerUnreachable, PeerFault."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection, where there is one."""
        return

    async def hello(self, *, port: int, now: int) -> tuple[int, int]:
        """Greet; return the peer's port and time."""
        answer = await self.request("POST", "hello", wire.pack_hello(port=port, now=now), limit=64)
        return _understood(lambda: wire.unpack_hello(answer.body))

    async def reconcile(self, message: bytes) -> bytes:
        """Send a message; return the reply as it came."""
        return (await self.request("POST", "reconcile", message, limit=reconcile.MAX_REPLY)).body

    async def summaries(self, keys: Sequence[bytes]) -> list[Header | None]:
        """Ask what stands behind these keys; None for what is gone."""
        answer = await self.request("POST", "summaries", wire.pack_keys(keys), limit=wire.MAX_SUMMARIES)
        return _understood(lambda: wire.unpack_summaries(answer.body, keys))

    async def fetch(self, keys: Sequence[bytes]) -> Batch:
        """Fetch the items of these keys, or the first of them; a batch that was cut off holds what came whole."""
        try:
            answer = await self.request("POST", "items", wire.pack_keys(keys), limit=wire.MAX_DEFLATED)
        except CutOff as error:
            return Batch(wire.whole_items(error.body), 0, error)
        settled = answer.settled
        if not settled.isascii() or not settled.isdecimal() or not 0 < int(settled[:9]) <= len(keys):
            raise PeerFault("a batch that does not say what it settles")
        return Batch(_understood(lambda: wire.unpack_items(answer.body)), int(settled))

    async def offer(self, headers: Sequence[Header]) -> tuple[list[Answer], list[int]]:
        """Offer items; return the answers, and the positions of those wanted, in the order wanted."""
        answer = await self.request(
            "POST", "offer", wire.pack_offer(headers), limit=4 * len(headers), content_type=wire.OFFER
        )
        return _understood(lambda: wire.unpack_choice(answer.body, offered=len(headers)))

    async def peers(self) -> list[str]:
        """Ask where other relays of this network listen."""
        answer = await self.request("GET", "peers", b"", limit=4096)
        return _understood(lambda: wire.unpack_places(answer.body))

    async def give(self, packed: bytes, *, count: int) -> list[Answer]:
        """Give a batch of so many items; return an answer for each."""
        answer = await self.request("PUT", "items", packed, limit=count, content_type=wire.BATCH)
        return _understood(lambda: wire.unpack_answers(answer.body, given=count))


def check_status(status: int) -> None:
    """Raise for a reply that is none: PeerUnreachable where it may be another one later, else PeerFault."""
    if status in (429, 503):
        raise PeerUnreachable("the relay is busy")
    if status == 403:
        raise PeerFault("the relay does not take this one for a relay")
    if status != 200:
        raise PeerFault(f"the relay answers {status}")


def _understood(read: Callable[[], T]) -> T:
    try:
        return read()
    except InvalidMessage as error:
        raise PeerFault(str(error)) from error
