"""What a relay answers to offers, above all where several offer the same at one time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.core.envelope import SignedItem
from meshrelay.core.quota import OPERATOR
from meshrelay.peers import side as side_module
from meshrelay.peers.side import OurSide
from meshrelay.peers.wire import Answer
from tests.mesh import scenarios
from tests.mesh.simulator import World, run
from tests.peers.stations import Station, bulletin, bulletins

A, B, C = (bytes([number]) * 32 for number in range(3))
NEW, COMING = Answer.NEW, Answer.COMING

Offer = Callable[[bytes, Sequence[SignedItem]], Awaitable[list[Answer]]]


def offering(folder: Path, scenario: Callable[[OurSide, Offer], Awaitable[None]]) -> None:
    """Run a scenario on one relay, in virtual time."""

    async def alone() -> None:
        world = World(folder, seed=1)
        relay = world.add()
        relay.boot()

        async def offer(giver: bytes, items: Sequence[SignedItem]) -> list[Answer]:
            answers, wanted = await relay.side.choose([(item.key, item.header) for item in items], giver=giver)
            assert sorted(wanted) == [place for place, answer in enumerate(answers) if answer is NEW]
            return answers

        try:
            await scenario(relay.side, offer)
        finally:
            await world.end()

    run(alone)


def test_what_one_offers_is_not_asked_of_the_next_for_five_seconds(tmp_path: Path) -> None:
    async def scenario(side: OurSide, offer: Offer) -> None:
        items = bulletins(3)
        assert await offer(A, items[:2]) == [NEW, NEW]
        assert await offer(B, items) == [COMING, COMING, NEW]
        assert await offer(A, items) == [NEW, NEW, COMING]
        assert side.is_coming(items[0].key)
        await asyncio.sleep(5.1)
        assert not side.is_coming(items[0].key)
        assert await offer(C, items) == [NEW, NEW, NEW]

    offering(tmp_path, scenario)


def test_promises_that_are_not_kept_hold_an_item_up_once(tmp_path: Path) -> None:
    async def scenario(side: OurSide, offer: Offer) -> None:
        item = bulletins(1)
        assert await offer(A, item) == [NEW]
        await asyncio.sleep(5.1)
        assert await offer(A, item) == [NEW]
        assert await offer(B, item) == [NEW]
        await asyncio.sleep(611)
        assert await offer(A, item) == [NEW]
        assert await offer(B, item) == [COMING]

    offering(tmp_path, scenario)


def test_what_is_pressing_is_asked_of_everybody(tmp_path: Path) -> None:
    async def scenario(side: OurSide, offer: Offer) -> None:
        pressing = [bulletin(1, severity=Severity.EXTREME), bulletin(2, severity=Severity.SEVERE)]
        pressing.append(bulletin(3, acts_on=(pressing[0].id,)))
        for giver in (A, B, C):
            assert await offer(giver, pressing) == [NEW] * 3

    offering(tmp_path, scenario)


def test_promises_without_number_leave_everything_to_be_asked_of_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_module, "_PROMISES", 10)

    async def scenario(side: OurSide, offer: Offer) -> None:
        items = bulletins(12)
        await offer(A, items)
        assert await offer(B, items) == [COMING] * 10 + [NEW] * 2
        await side.receive([item.data for item in items[:10]], giver=A, source=OPERATOR)
        await offer(A, items[10:])
        assert await offer(B, items[10:]) == [COMING] * 2

    offering(tmp_path, scenario)


async def test_who_is_told_that_an_item_is_coming_does_not_take_it_for_held(stations: list[Station]) -> None:
    a, b, _ = stations
    items = bulletins(20)
    a.holds(items)
    answers, _ = await b.side.choose([(item.key, item.header) for item in items[:5]], giver=C)
    assert answers == [NEW] * 5
    report = await a.visit(b)
    assert (report.sent, report.settled, report.trouble) == (15, False, None)
    assert [a.side.is_held_by(b.relay_id, item.key) for item in items[:5]] == [False] * 5


def test_a_backlog_crosses_each_relay_s_links_once(tmp_path: Path) -> None:
    found = run(lambda: scenarios.backlog(tmp_path, seed=1, relays=8, count=600))
    assert found.after is not None
    assert found.said[NEW] == 7 * 600
    assert found.said[Answer.KNOWN] < 0.05 * found.said[NEW]


def test_who_offers_everything_and_gives_nothing_does_not_keep_it_away(tmp_path: Path) -> None:
    found = run(lambda: scenarios.backlog(tmp_path, seed=1, relays=4, count=200, promising=2))
    assert found.after is not None
    assert found.after < 20
