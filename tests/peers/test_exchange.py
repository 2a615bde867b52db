"""Two and three whole relays: what one exchange brings, and what a second one costs."""

from __future__ import annotations

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.errors import PeerFault, PeerUnreachable
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.client import sync
from tests.peers.stations import Station, author, bulletin, bulletins, revocation


async def test_an_exchange_brings_each_what_it_lacks(stations: list[Station]) -> None:
    a, b, _ = stations
    a.holds(bulletins(30))
    b.holds(bulletins(30, first=20, by=2))
    report = await a.visit(b)
    assert (report.received, report.sent, report.settled, report.trouble) == (30, 30, True, None)
    assert a.ids() == b.ids()
    assert len(a.ids()) == 60


async def test_an_empty_relay_asks_for_everything_and_a_full_one_gives_everything(stations: list[Station]) -> None:
    a, b, c = stations
    everything = [item for by in range(1, 8) for item in bulletins(100, by=by)]
    a.holds(everything)
    assert (await b.visit(a, slow_start=True)).received == 700
    assert (await a.visit(c, slow_start=True)).sent == 700
    assert a.ids() == b.ids() == c.ids() == {item.id for item in everything}


async def test_the_second_exchange_moves_nothing(stations: list[Station]) -> None:
    a, b, _ = stations
    a.holds(bulletins(300))
    await b.visit(a)
    report = await b.visit(a)
    assert (report.received, report.sent, report.rounds, report.settled) == (0, 0, 1, True)
    assert report.bytes_sent + report.bytes_received < 1200


async def test_a_line_of_three_carries_from_end_to_end(stations: list[Station]) -> None:
    a, b, c = stations
    a.holds(bulletins(5))
    await b.visit(a)
    await c.visit(b)
    assert c.ids() == a.ids()


async def test_what_is_declined_and_what_is_refused_is_not_brought_up_again(stations: list[Station]) -> None:
    a, b, _ = stations
    a.holds([*bulletins(100, by=1), *bulletins(3, by=2)])
    b.holds(bulletins(90, by=3))
    a.relay.local.block(author(3).public, now=0)
    b.relay.local.block(author(1).public, now=0)
    a.relay.refresh()
    b.relay.refresh()
    first = await a.visit(b)
    assert (first.received, first.sent, first.declined, first.refused) == (0, 3, 90, 100)
    second = await a.visit(b)
    assert (second.received, second.sent, second.declined, second.refused, second.rounds) == (0, 0, 0, 0, 1)
    assert second.settled


async def test_a_lifted_block_lets_the_items_in_at_the_next_exchange(stations: list[Station]) -> None:
    a, b, _ = stations
    b.holds(bulletins(40, by=3))
    a.relay.local.block(author(3).public, now=0)
    a.relay.refresh()
    assert (await a.visit(b)).declined == 40
    a.relay.local.unblock(author(3).public)
    a.relay.refresh()
    a.views[b.relay_id].reconsider()
    assert (await a.visit(b)).received == 40


async def test_what_matters_here_comes_first_then_what_is_grave(stations: list[Station]) -> None:
    a, b, _ = stations
    a.knows(7)
    a.knows(8)
    known = [*bulletins(30, by=7), revocation(8)]
    grave = [bulletin(number, by=2, severity=Severity.EXTREME) for number in range(40)]
    rest = [*bulletins(150, by=3), *bulletins(150, by=4)]
    b.holds([*rest, *grave, *known])
    cursor = a.relay.store.keys()[1]
    await a.visit(b, slow_start=True)
    order = [change.id for change in a.relay.store.changes(cursor).rows]
    assert order[0] == known[-1].id
    places = {item: place for place, item in enumerate(order)}
    assert max(places[item.id] for item in known) < 90  # a quarter of the bytes may be others' meanwhile
    assert max(places[item.id] for item in grave) < min(places[item.id] for item in rest)


async def test_a_wrong_pin_ends_it_before_anything_is_said(stations: list[Station]) -> None:
    a, b, c = stations
    b.holds(bulletins(3))
    with pytest.raises(PeerFault, match="another relay"):
        await sync(a.side, a.identity, PeerAddress("127.0.0.1", b.port, c.relay_id))


async def test_nobody_there_is_said_as_unreachable(stations: list[Station]) -> None:
    a, b, _ = stations
    await b.server.stop()
    b.socket.close()
    with pytest.raises(PeerUnreachable, match="cannot connect"):
        await sync(a.side, a.identity, b.address)


async def test_a_relay_that_dials_itself_is_told_so(stations: list[Station]) -> None:
    a, _, _ = stations
    with pytest.raises(PeerFault, match="itself"):
        await sync(a.side, a.identity, a.address)
