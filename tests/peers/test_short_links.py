"""Links that last for a few kilobytes: what matters most is what arrived."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.core.envelope import SignedItem
from meshrelay.errors import PeerUnreachable
from meshrelay.index import PeerView
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from tests.peers.stations import Station, bulletin, bulletins, revocation

LINK = 64 * 1024
FITS = 56 * 1024


@asynccontextmanager
async def wire_that_breaks(port: int, after: int) -> AsyncIterator[int]:
    """Pass bytes on to a port, both ways, and break once so many have passed."""
    left = after

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
        nonlocal left
        with suppress(ConnectionError):
            while left > 0 and (data := await reader.read(1024)):
                left -= len(data)
                writer.write(data)
                await writer.drain()
        writer.close()
        other.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, back, writer), pump(there, writer, back))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def words(number: int) -> str:
    return random.Random(number).randbytes(450).hex()


async def met_once(here: Station, there: Station, after: int) -> ExchangeReport | None:
    """Exchange over a link that breaks; None when it broke before anything was compared."""
    async with wire_that_breaks(there.port, after) as port:
        try:
            async with Link(here.identity, ["127.0.0.1"], port, there.relay_id) as link:
                await meet(here.side, link, port=here.port)
                return await exchange(here.side, link, PeerView(), slow_start=True)
        except PeerUnreachable:
            return None
        finally:
            here.settle()
            there.settle()


@pytest.mark.parametrize("fetching", [True, False], ids=["fetching", "giving"])
async def test_what_is_urgent_and_known_arrives_over_a_link_cut_after_64_kib(
    stations: list[Station], fetching: bool
) -> None:
    a, b, _ = stations
    full, empty = (b, a) if fetching else (a, b)
    for station in (a, b):
        station.knows(7, 8)
    urgent: list[SignedItem] = [revocation(8)]
    rest = bulletins(1500, by=3)
    urgent += [bulletin(n, by=7, words=words(n), acts_on=(rest[n].id,)) for n in range(30)]
    urgent += [bulletin(n, by=7, words=words(n), severity=Severity.EXTREME) for n in range(100, 130)]
    assert 30 * 1024 < sum(item.header.size for item in urgent) < FITS * 2
    grave = [bulletin(n, by=4, words=words(n), severity=Severity.SEVERE) for n in range(200, 260)]
    known = [bulletin(n, by=7, words=words(n)) for n in range(600, 700)]
    full.holds([*rest, *grave, *known, *urgent])
    report = await met_once(a, b, LINK)
    assert report is not None
    assert isinstance(report.trouble, PeerUnreachable)
    missing = [item for item in urgent if item.id not in empty.ids()]
    assert not missing, (len(missing), report)


async def test_many_short_meetings_add_up(stations: list[Station]) -> None:
    a, b, _ = stations
    b.holds(bulletin(number, words=words(number)) for number in range(150))
    held: list[int] = []
    while not held or held[-1] < 150:
        await met_once(a, b, 20 * 1024)
        held.append(len(a.ids()))
        assert len(held) < 40, held
    print("held after each meeting of 20 KiB:", held)
