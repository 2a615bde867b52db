"""What has to get through gets through: a stranger's bulletins along a line, a revocation ahead of everything."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.envelope import SignedItem
from meshrelay.core.quota import Source, Way
from meshrelay.core.statements import Revocation
from meshrelay.errors import PeerUnreachable
from meshrelay.index import PeerView
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import exchange, meet
from meshrelay.relay import Outcome, Receipt, Relay
from meshrelay.store import Store
from tests.organising import key
from tests.peers.stations import NOW, Station, bulletin, bulletins, revocation
from tests.peers.wires import wire

LINK = 64 * 1024
"""Bytes a second."""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Station, Station]]:
    """Two running relays that know nothing of each other."""
    async with Station(tmp_path / "a") as a, Station(tmp_path / "b") as b:
        yield a, b


async def test_a_line_of_ten_relays_that_know_nobody_carries_a_strangers_hundred_bulletins(tmp_path: Path) -> None:
    said = bulletins(100)
    async with AsyncExitStack() as stack:
        line = [await stack.enter_async_context(Station(tmp_path / str(number))) for number in range(10)]
        line[0].holds(said)
        for near, far in pairwise(line):
            await far.visit(near)
        assert {item.id for item in said} <= line[-1].ids()


def test_and_so_it_does_where_every_relay_of_the_line_is_full_of_a_flood(tmp_path: Path) -> None:
    line = [_full(tmp_path / str(number), flood=number) for number in range(10)]
    said = [bulletin(number, words="w" * 400) for number in range(100)]
    datas = [item.data for item in said]
    for number, relay in enumerate(line):
        # Each dials the one before it, and goes on being flooded by those that dial in.
        answers = relay.receive_many(datas, now=NOW, source=Source(Way.DIALLED, f"192.0.2.{number}"))
        assert [answer.outcome for answer in answers if isinstance(answer, Receipt)] == [Outcome.NEW] * 100
        _flood(relay, first=1000, name=f"later {number}")
        datas = [*relay.store.get_many([item.id for item in said]).values()]
        assert len(datas) == 100
        relay.close()


def _full(folder: Path, *, flood: int) -> Relay:
    folder.mkdir()
    store = Store.open(folder / "store.db", max_bytes=1_500_000)
    relay = Relay(store, Local.open(folder / "local.db"), Keyring(folder / "keys"), keeper=True)
    _flood(relay, first=0, name=f"before {flood}")
    assert any(through.share.cost > 700_000 for through in store.links().values())
    return relay


def _flood(relay: Relay, *, first: int, name: str) -> None:
    for number in range(first, first + 5):
        by = key(f"{name} {number}")
        body = bulletin(number, words="f" * 12_000).body
        datas = [sign(body, key(f"{name} {number} {one}")).data for one in range(14)]
        datas += [sign(Revocation(NOW, by.public), by).data]
        relay.receive_many(datas, now=NOW, source=Source(Way.CALLED, "198.51.100.1"))


@dataclass
class Passed:
    """How many bytes went over a wire, both ways, until it was cut."""

    count: int = 0


async def seconds_until_revoked(
    here: Station, there: Station, *, fetching: bool, backlog: int, statements: int
) -> float:
    """Return how long a link of 64 KB/s takes to bring a known key's revocation, beside all that waits for it as well.

    `backlog` bulletins are of known senders, and so many `statements` are of throwaway keys, newer than the revocation.
    """
    end = revocation(8)
    full, empty = (there, here) if fetching else (here, there)
    for station in (here, there):
        station.knows(*range(1, 9))
    each = -(-backlog // 7)
    full.holds(item for by in range(1, 8) for item in _said(by, each))
    full.holds([end, *(_thrown_away(number) for number in range(statements))])
    passed = Passed()

    def holds(count: int) -> bool:
        passed.count = count
        return not empty.relay.store.headers([end.id])

    async with wire(there.port, holds=holds) as port:
        with suppress(PeerUnreachable):
            async with Link(here.identity, ["127.0.0.1"], port, there.relay_id) as link:
                await meet(here.side, link, port=here.port)
                await exchange(here.side, link, PeerView(), slow_start=True)
    assert empty.relay.store.headers([end.id])
    return passed.count / LINK


def _said(by: int, count: int) -> list[SignedItem]:
    dice = random.Random(by)
    return [bulletin(number, by=by, words=dice.randbytes(200).hex()) for number in range(count)]


def _thrown_away(number: int) -> SignedItem:
    by = key(f"throwaway {number}")
    return sign(Revocation(NOW + 1, by.public), by)


@pytest.mark.parametrize("fetching", [True, False], ids=["fetching", "giving"])
async def test_a_revocation_overtakes_a_backlog_and_a_flood_of_statements(
    pair: tuple[Station, Station], fetching: bool
) -> None:
    a, b = pair
    assert await seconds_until_revoked(a, b, fetching=fetching, backlog=700, statements=200) < 1


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fetching", [True, False], ids=["fetching", "giving"])
@pytest.mark.parametrize(("statements", "most"), [(0, 1.0), (2_000, 6.0), (10_000, 20.0)])
async def test_a_revocation_overtakes_ten_thousand_bulletins(
    pair: tuple[Station, Station], fetching: bool, statements: int, most: float
) -> None:
    a, b = pair
    took = await seconds_until_revoked(a, b, fetching=fetching, backlog=10_000, statements=statements)
    print(f"{'fetching' if fetching else 'giving'}, {statements:,} statements: {took:.2f} s")
    assert took < most
