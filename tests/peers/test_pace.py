"""Limits for links: bytes a second, and bytes an hour."""

from __future__ import annotations

import asyncio
import random

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.index import PeerView
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import exchange, meet
from meshrelay.peers.pace import Pace
from tests.mesh.simulator import run
from tests.peers.stations import Station, bulletin, bulletins, revocation


def moment() -> float:
    return asyncio.get_running_loop().time()


def test_bytes_take_turns_and_what_is_hurried_goes_at_once() -> None:
    async def scenario() -> tuple[float, float, float]:
        pace = Pace(rate=10_000)
        await pace.spend(10_000)  # the link was free
        await pace.spend(5_000)
        second = moment()
        await pace.spend(10_000, hurried=True)
        hurried = moment()
        await pace.spend(1)
        return second, hurried, moment()

    assert run(scenario) == pytest.approx((1.0, 1.0, 2.5))


def test_without_a_limit_nobody_waits() -> None:
    async def scenario() -> tuple[float, bool]:
        pace = Pace()
        await pace.spend(10**12)
        return moment(), pace.is_spent

    assert run(scenario) == (0.0, False)


def test_the_bytes_of_an_hour_are_spent_and_come_back() -> None:
    async def scenario() -> list[bool]:
        pace = Pace(hour=1_000_000)
        seen = [pace.is_spent]
        await pace.spend(1_000_500)
        seen.append(pace.is_spent)
        await asyncio.sleep(3)
        seen.append(pace.is_spent)
        await asyncio.sleep(5 * 3600)
        await pace.spend(999_999)
        seen.append(pace.is_spent)
        await pace.spend(2)
        return [*seen, pace.is_spent]

    assert run(scenario) == [False, True, False, False, True]


async def test_an_exchange_keeps_to_the_rate(stations: list[Station]) -> None:
    a, b, _ = stations
    a.knows(1)
    b.holds(bulletin(number, words=random.Random(number).randbytes(450).hex()) for number in range(300))
    began = moment()
    pace = Pace(rate=80_000)
    async with Link(a.identity, ["127.0.0.1"], b.port, b.relay_id, pace=pace) as link:
        await meet(a.side, link, port=a.port)
        report = await exchange(a.side, link, PeerView(), slow_start=False)
    assert report.received == 300
    # What has come before it could be made to wait is at most what the system holds of a connection.
    assert moment() - began >= (report.bytes_received - 70_000) / 80_000


async def test_once_the_hour_is_spent_only_what_is_pressing_and_known_is_fetched(stations: list[Station]) -> None:
    a, b, _ = stations
    a.knows(1, 2)
    urgent = [revocation(2), bulletin(500, severity=Severity.EXTREME)]
    b.holds([*urgent, *bulletins(50), bulletin(600, by=9, severity=Severity.EXTREME)])
    async with Link(a.identity, ["127.0.0.1"], b.port, b.relay_id) as link:
        await meet(a.side, link, port=a.port)
        report = await exchange(a.side, link, PeerView(), pressing_only=True)
    a.settle()
    assert a.ids() == {item.id for item in urgent}
    assert not report.settled


def test_what_others_send_slows_this_relay_down_and_does_not_silence_it() -> None:
    async def scenario() -> list[float]:
        pace = Pace(rate=10_000)
        moments = []
        for _ in range(5):
            pace.count(10_000_000)  # a thousand seconds' worth
            await pace.spend(10_000)
            moments.append(moment())
        await asyncio.sleep(20)
        await pace.spend(10_000)
        await pace.spend(10_000)
        return [*moments, moment()]

    assert run(scenario) == pytest.approx([0, 2, 4, 6, 8, 29])


def test_what_others_send_beyond_an_hour_s_bytes_is_not_owed() -> None:
    async def scenario() -> list[bool]:
        pace = Pace(hour=3_600)
        pace.count(1_000_000)
        seen = [pace.is_spent]
        await asyncio.sleep(2)
        return [*seen, pace.is_spent]

    assert run(scenario) == [True, False]
