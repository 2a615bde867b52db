"""Dialling other relays: one connection over mutual TLS, one request after the other.

Not here: what is said (talk, exchange), whom to dial and when (spread). The law: the pin is checked before any byte of
HTTP is sent, and nothing comes out of here but PeerUnreachable and PeerFault.
Source: docs/spec/http.md, "Links".
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from meshrelay.core.quota import Source, Way
from meshrelay.door import source_of
from meshrelay.errors import PeerFault
from meshrelay.index import PeerView
from meshrelay.peers import wire
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from meshrelay.peers.link import Identities, SpkiPin
from meshrelay.peers.pace import Pace
from meshrelay.peers.side import OurSide
from meshrelay.peers.talk import Answered, CutOff, Talk, check_status

_CONNECT = 6.0  # seconds for TCP and TLS: three tries of a first packet
_READ = 10.0  # seconds without a byte
_REQUEST = 120.0  # seconds for one request and its reply
_HOST = "relay.invalid"  # what HTTP calls every relay (RFC 2606); names and addresses stay out of it


class Link(Talk):
    """A connection over mutual TLS, dialled at the first of `hosts` that answers."""

    def __init__(
        self,
        identities: Identities,
        hosts: Sequence[str],
        port: int,
        relay_id: bytes | None,
        *,
        pace: Pace | None = None,
    ) -> None:
        super().__init__()
        self._pace = pace or Pace()
        self._identity, self._hosts = identities.toward(hosts)
        self.own_ids = identities.relay_ids
        self._port = port
        self._pin = SpkiPin(relay_id)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # The pin is the connector's and the context each request's: the other way round aiohttp checks no pin.
            connector=aiohttp.TCPConnector(
                ssl=self._pin, limit=1, resolver=_Given(self._hosts), use_dns_cache=False, keepalive_timeout=4.0
            ),
            timeout=aiohttp.ClientTimeout(total=_REQUEST, sock_connect=_CONNECT, sock_read=_READ),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            await self._pin.cut()

    @property
    def relay_id(self) -> bytes:
        """The relay at the other end; empty before anything answered."""
        return self._pin.relay_id or b""

    @property
    def source(self) -> Source:
        """The address that answered: whoever announces many relays at one has dialled relays' share of it once."""
        return Source(Way.DIALLED, source_of(self._pin.host) if self._pin.host else "")

    async def request(
        self, method: str, path: str, body: bytes, *, limit: int, content_type: str = wire.MESSAGE
    ) -> Answered:
        """Send a request and read its reply of at most `limit` bytes."""
        if self._session is None:
            raise RuntimeError("a link is used inside of its context")
        reply = bytearray()
        self.bytes_sent += len(body)
        if len(body) <= wire.SLICE:
            await self._pace.spend(len(body), hurried=self.is_hurried)
        try:
            async with self._session.request(
                method,
                URL.build(scheme="https", host=_HOST, port=self._port, path=f"/mesh/v1/{path}"),
                data=self._slices(body) if len(body) > wire.SLICE else body,
                headers={"Content-Type": content_type, "Content-Length": str(len(body))},
                ssl=self._identity.client,
                server_hostname="0.0.0.0",  # noqa: S104  # an address, so that no name is sent in the clear
                allow_redirects=False,
            ) as response:
                check_status(response.status)
                async for chunk in response.content.iter_any():
                    reply += chunk
                    self.bytes_received += len(chunk)
                    if len(reply) > limit:
                        raise PeerFault(f"a reply of more than {limit} bytes")
                    await self._pace.spend(len(chunk), hurried=self.is_hurried)
                return Answered(bytes(reply), response.headers.get(wire.ANSWERED, ""))
        except aiohttp.ServerFingerprintMismatch as error:
            raise PeerFault("another relay answers there than expected") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise CutOff(_words(error), bytes(reply)) from error

    async def _slices(self, body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), wire.SLICE):
            piece = body[start : start + wire.SLICE]
            await self._pace.spend(len(piece), hurried=self.is_hurried)
            yield piece


class _Given(AbstractResolver):
    """Gives the addresses that were dialled, whatever the name: all are tried, in their order."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found: list[ResolveResult] = []
        for given in self._hosts:
            try:
                infos = await asyncio.get_running_loop().getaddrinfo(given, port, type=socket.SOCK_STREAM)
            except UnicodeError as error:
                raise OSError(f"{given} can be no name") from error
            for kind, _, _, _, address in infos:
                # A link-local address keeps its zone, which getaddrinfo turns into a number that aiohttp drops.
                literal = given if "%" in given else str(address[0])
                found.append(
                    ResolveResult(
                        hostname=host, host=literal, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST
                    )
                )
        return found

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientSSLError):
        return "what answers there is not a relay"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or error.os_error}"
    return f"the link was cut: {error}" if str(error) else "the link was cut"


async def sync(side: OurSide, identities: Identities, address: PeerAddress, *, port: int = 0) -> ExchangeReport:
    """Dial one address, exchange once and report; raises PeerUnreachable or PeerFault when nothing could begin."""
    async with Link(identities, [address.host], address.port, address.relay_id) as link:
        await meet(side, link, port=port)
        return await exchange(side, link, PeerView())
