"""How many relays have an item, at least."""

from __future__ import annotations

import asyncio

from meshrelay.peers import copies as copies_module
from meshrelay.peers.copies import Copies
from meshrelay.peers.neighbours import Neighbour, Route
from tests.peers.stations import Station, bulletin

KEY, OTHER = b"\x03" + bytes(23), b"\x03" + bytes(22) + b"\x01"


def met(number: int, *, covered: float | None = None) -> Neighbour:
    one = Neighbour(number.to_bytes(32, "big"), [Route(("10.0.0.1",), 8443, "mdns")])
    one.covered = covered
    return one


def test_an_exchange_counts_for_what_was_here_when_it_began() -> None:
    copies = Copies()
    copies.came([KEY], moment=10.0)
    relays = [met(1), met(2, covered=9.0), met(3, covered=11.0)]
    assert copies.count(KEY, met=relays, holders=()) == 1
    assert copies.count(OTHER, met=relays, holders=()) == 2  # here since before this run


def test_who_gave_it_counts_once_and_who_refused_it_does_not() -> None:
    copies = Copies()
    relays = [met(1, covered=1.0), met(2, covered=1.0), met(3)]
    relays[1].view.refuse([KEY])
    assert copies.count(KEY, met=relays, holders={relays[0].relay_id, relays[2].relay_id, bytes(32)}) == 2


def test_what_is_no_longer_remembered_is_counted_from_its_successor_on(monkeypatch: object) -> None:
    copies = Copies()
    keys = [b"\x03" + number.to_bytes(23, "big") for number in range(copies_module._REMEMBERED + 5)]
    for moment, key in enumerate(keys):
        copies.came([key], moment=float(moment))
    assert len(copies._came) == copies_module._REMEMBERED
    assert copies.count(keys[0], met=[met(1, covered=2.0)], holders=()) == 0
    assert copies.count(keys[0], met=[met(1, covered=5.0)], holders=()) == 1


async def test_a_running_relay_counts_its_neighbours(stations: list[Station]) -> None:
    a, b, c = stations
    b.relay.local.block(bulletin(1).author, now=0)
    b.relay.refresh()
    async with asyncio.timeout(30), b.in_touch(), c.in_touch(), a.in_touch(b, c) as spread:
        item = bulletin(1)
        assert spread.copies(item.key) == 0
        a.publishes(item)
        await c.has(item)
        while spread.copies(item.key) < 1:  # noqa: ASYNC110  # counted once the answer has come
            await asyncio.sleep(0.01)
        assert spread.copies(item.key) == 1
