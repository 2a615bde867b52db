"""Relays that keep in touch by themselves: finding, pushing, coming back."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.core.envelope import SignedItem
from meshrelay.core.reconcile import Keys
from meshrelay.index import PeerView
from meshrelay.local import KnownPeer
from meshrelay.peers import addressbook, wire
from meshrelay.peers import spread as spread_module
from meshrelay.peers.answers import Asked, Reply, Route
from meshrelay.peers.client import Link
from meshrelay.peers.discovery import Discovery
from meshrelay.peers.link import open_identity
from meshrelay.peers.neighbours import VISITORS
from meshrelay.peers.spread import Spread
from tests.peers.stations import Station, bulletin, bulletins


def connected(spread: Spread) -> set[bytes]:
    return {one.relay_id for one in spread.status() if one.connected and one.relay_id is not None}


async def until_connected(spread: Spread, count: int) -> None:
    while len(connected(spread)) < count:  # noqa: ASYNC110  # status() is what pages poll too
        await asyncio.sleep(0.01)


async def until_settled(spread: Spread, count: int) -> None:
    while sum(one.settled_at is not None for one in spread.status()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_given_relay_is_dialled_and_both_end_up_equal(stations: list[Station]) -> None:
    a, b, _ = stations
    a.holds(bulletins(20))
    b.holds(bulletins(20, first=10, by=2))
    async with asyncio.timeout(30), a.in_touch(b) as left, b.in_touch() as right:
        await asyncio.gather(a.has(*bulletins(20, first=10, by=2)), b.has(*bulletins(20)))
        await asyncio.gather(until_settled(left, 1), until_connected(right, 1))
    (there,), (here,) = left.status(), right.status()
    assert (there.how, there.relay_id, here.how, here.relay_id) == ("given", b.relay_id, "inbound", a.relay_id)
    assert there.items_received + here.items_sent == there.items_sent + here.items_received == 20
    assert (there.settled_at, there.error) == (a.now, "")


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has closed what it opened."""
    task.cancel()
    await asyncio.wait([task])


async def test_relays_on_one_network_find_each_other_without_being_told(stations: list[Station]) -> None:
    kind = f"_mr-{secrets.token_hex(4)}._tcp.local."
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        spreads = []
        for station in stations:
            discovery = Discovery(station.port, service_type=kind, interfaces=["127.0.0.1"])
            spreads.append(await stack.enter_async_context(station.in_touch(discovery=discovery)))
            hearing = asyncio.create_task(discovery.run())
            stack.push_async_callback(ended, hearing)
        async with asyncio.timeout(3):
            await asyncio.gather(*(until_connected(spread, 2) for spread in spreads))
        news = bulletin(1)
        stations[0].publishes(news)
        await asyncio.gather(*(station.has(news) for station in stations))


async def test_where_multicast_is_blocked_one_known_relay_names_the_others(stations: list[Station]) -> None:
    a, b, c = stations
    deaf = Discovery(a.port, service_type=f"_mr-{secrets.token_hex(4)}._tcp.local.", interfaces=["127.0.0.1"])
    async with asyncio.timeout(30), c.in_touch(), b.in_touch(c) as middle:
        await until_settled(middle, 1)
        async with a.in_touch(b, discovery=deaf) as spread:
            await until_connected(spread, 2)
            assert {one.how for one in spread.status()} == {"given", "told"}


async def test_a_relay_that_knows_only_one_other_goes_on_asking_it(
    stations: list[Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_module, "EVERY", 2.0)
    monkeypatch.setattr(spread_module, "_ASKED_LONELY", 0.1)
    a, b, c = stations
    deaf = Discovery(a.port, service_type=f"_mr-{secrets.token_hex(4)}._tcp.local.", interfaces=["127.0.0.1"])
    async with asyncio.timeout(30), b.in_touch(), a.in_touch(b, discovery=deaf) as spread:
        await until_settled(spread, 1)  # nobody else was there to be named
        async with c.in_touch(b):
            await until_connected(spread, 2)
            assert {one.how for one in spread.status()} == {"given", "told"}


async def test_one_that_was_only_greeted_yet_is_named(stations: list[Station]) -> None:
    a, b, c = stations
    deaf = Discovery(a.port, service_type=f"_mr-{secrets.token_hex(4)}._tcp.local.", interfaces=["127.0.0.1"])
    asked = asyncio.Event()

    async def never(_: Asked) -> Reply:
        asked.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    c.answers.routes["POST", "reconcile"] = Route(never, 1 << 20)
    async with asyncio.timeout(30), b.in_touch() as middle:
        await middle.sync(str(a.address))
        middle.hear_of(c.address, "sweep")
        await asked.wait()
        async with a.in_touch(b, discovery=deaf) as spread:
            await until_connected(spread, 2)


async def test_addresses_elsewhere_that_a_neighbour_names_are_not_dialled(stations: list[Station]) -> None:
    a, b, _ = stations
    dialled: list[str] = []

    async def listen(host: str) -> asyncio.Server:
        def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            dialled.append(host)
            writer.close()

        return await asyncio.start_server(called, host, 0)

    async with await listen("127.0.0.7") as near, await listen("127.0.7.7") as far:
        places = [f"{host}:{port}" for host, port in (one.sockets[0].getsockname() for one in (far, near))]

        async def lie(asked: Asked) -> Reply:
            return Reply(wire.pack_places([*places, "relay.example:1"]), "text/plain")

        b.answers.routes["GET", "peers"] = Route(lie, 0)
        deaf = Discovery(a.port, service_type=f"_mr-{secrets.token_hex(4)}._tcp.local.", interfaces=["127.0.0.1"])
        async with asyncio.timeout(30), b.in_touch(), a.in_touch(b, discovery=deaf):
            while "127.0.0.7" not in dialled:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert set(dialled) == {"127.0.0.7"}


async def test_a_relay_that_does_not_look_for_others_asks_for_none(stations: list[Station]) -> None:
    a, b, c = stations
    async with asyncio.timeout(30), c.in_touch(), b.in_touch(c) as middle:
        await until_settled(middle, 1)
        async with a.in_touch(b) as spread:
            await until_settled(spread, 1)
            assert [one.how for one in spread.status()] == ["given"]


async def test_in_a_line_of_three_the_far_end_gets_it_through_the_middle(stations: list[Station]) -> None:
    a, b, c = stations
    for station in stations:
        station.knows(1)
    async with asyncio.timeout(30), a.in_touch(b) as left, b.in_touch(c) as right, c.in_touch():
        await asyncio.gather(until_settled(left, 1), until_settled(right, 1))
        known = bulletin(1, severity=Severity.EXTREME)
        unknown = bulletin(2, by=9)
        a.publishes(known, unknown)
        await c.has(known, unknown)
        # and back, over a connection that c's side never opened
        answer = bulletin(3, by=2)
        c.publishes(answer)
        await a.has(answer)


async def test_an_item_never_goes_back_where_it_came_from(stations: list[Station]) -> None:
    a, b, _ = stations
    async with asyncio.timeout(30), a.in_touch(b) as left, b.in_touch(a) as right:
        await asyncio.gather(until_settled(left, 1), until_settled(right, 1))
        news = bulletins(5)
        a.publishes(*news)
        await b.has(*news)
        back = bulletin(100, by=2)
        b.publishes(back)
        await a.has(back)
        while sum(one.items_sent for one in right.status()) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert [one.items_sent for one in right.status()] == [1]
        assert [one.items_sent for one in left.status()] == [5]


async def test_a_relay_that_comes_back_is_caught_up_with_at_once(stations: list[Station]) -> None:
    a, b, _ = stations
    async with asyncio.timeout(40), a.in_touch(b) as left, b.in_touch():
        await until_settled(left, 1)
        await b.server.stop()
        b.socket.close()
        missed = bulletin(1)
        a.publishes(missed)
        while not left.status()[0].error:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not left.status()[0].connected
        await b.reopen()
        async with asyncio.timeout(spread_module._SOON * 1.25 + 2):
            await b.has(missed)
            await until_connected(left, 1)


async def test_a_visitor_is_dialled_back_and_pushed_to(stations: list[Station]) -> None:
    a, b, _ = stations
    async with asyncio.timeout(30), b.in_touch() as right, a.in_touch(b) as left:
        await until_settled(left, 1)
        await until_connected(right, 1)
        (status,) = right.status()
        assert (status.relay_id, status.how) == (a.relay_id, "inbound")
        news = bulletin(1)
        b.publishes(news)
        await a.has(news)


async def test_several_neighbours_share_the_work_of_filling_an_empty_relay(stations: list[Station]) -> None:
    a, b, c = stations
    items = [bulletin(number, words=random.Random(number).randbytes(400).hex()) for number in range(900)]
    a.knows(1)
    b.holds(items)
    c.holds(items)
    async with asyncio.timeout(60), a.in_touch(b, c) as spread:
        await a.has(*items)
        await until_settled(spread, 2)
        shares = [one.items_received for one in spread.status()]
        bodies = sum(one.bytes_received for one in spread.status())
    assert sum(shares) <= 900
    assert bodies < 1.4 * len(wire.pack_items([item.data for item in items]))


async def test_visitors_without_number_take_only_so_many_places(stations: list[Station], tmp_path: Path) -> None:
    a, b, _ = stations
    async with asyncio.timeout(30), a.in_touch() as spread:
        for number in range(VISITORS + 6):
            visitor = open_identity(tmp_path / f"{number}.pem")
            async with Link(visitor, ["127.0.0.1"], a.port, a.relay_id) as link:
                await link.hello(port=9, now=0)
        while len(spread.status()) < VISITORS:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert len(spread.status()) == VISITORS
        a.relay.local.save_peer(KnownPeer(str(b.address), b.relay_id, "", "given", 0, kept=True))
        spread.changed(())
        while b.relay_id not in connected(spread):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_given_address_without_an_id_is_pinned_on_first_use(stations: list[Station]) -> None:
    a, b, c = stations
    bare = a.spread(f"meshrelay://127.0.0.1:{b.port}")
    task = asyncio.create_task(bare.run())
    try:
        async with asyncio.timeout(30):
            await until_settled(bare, 1)
    finally:
        task.cancel()
        await asyncio.wait([task])
    # Another relay at the same address is refused from now on.
    await c.server.stop()
    again = a.spread(f"meshrelay://127.0.0.1:{b.port}")
    await b.server.stop()
    c.socket.close()
    b.socket.close()
    await c.reopen(port=b.port)
    task = asyncio.create_task(again.run())
    try:
        async with asyncio.timeout(30):
            while not again.status() or not again.status()[0].error:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert again.status()[0].error == "another relay answers there than expected"
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_what_was_declined_is_fetched_once_the_block_is_lifted(stations: list[Station]) -> None:
    a, b, _ = stations
    wanted = bulletin(1, by=3)
    b.holds([wanted])
    a.relay.local.block(wanted.author, now=0)
    a.relay.refresh()
    async with asyncio.timeout(30), a.in_touch(b) as spread:
        await until_settled(spread, 1)
        assert wanted.key not in a.index.keys
        a.relay.local.unblock(wanted.author)
        a.relay.refresh()
        spread.changed(())
        assert (await spread.sync(str(b.address))).received == 1


async def test_a_removed_peer_is_left_alone(stations: list[Station]) -> None:
    a, b, _ = stations
    uri = str(b.address)
    a.relay.local.save_peer(KnownPeer(uri, b.relay_id, "", "given", 0, kept=True))
    async with asyncio.timeout(30), a.in_touch() as spread:
        await until_settled(spread, 1)
        a.relay.local.remove_peer(uri)
        spread.changed(())
        while spread.status():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_address_book_that_cannot_be_written_stops_nothing(stations: list[Station]) -> None:
    a, b, _ = stations
    a.relay.local._connection.execute("PRAGMA query_only = 1")
    async with asyncio.timeout(30), a.in_touch(b) as spread, b.in_touch():
        await until_settled(spread, 1)
        news = bulletin(1)
        a.publishes(news)
        await b.has(news)


@pytest.mark.parametrize("failures", range(1, 12))
def test_the_wait_after_a_failure_is_bounded(failures: int) -> None:
    waits = [spread_module._wait_after(random.Random(failures), failures, longest=3.0) for _ in range(50)]
    assert all(0.75 <= wait <= 3.75 for wait in waits)


async def test_an_error_that_nobody_foresaw_ends_one_task_and_not_the_others(
    stations: list[Station], unforeseen: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = stations
    news = bulletins(1)
    a.holds(news)
    whole, failed = PeerView.keys, asyncio.Event()

    def fails_once(view: PeerView, held: Keys) -> Keys:
        if failed.is_set():
            return whole(view, held)
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(PeerView, "keys", fails_once)
    monkeypatch.setattr(spread_module, "_MENDED", 0.1)
    async with asyncio.timeout(30), b.in_touch(), a.in_touch(b):
        await b.has(*news)
    assert [type(one) for one in unforeseen] == [ZeroDivisionError]
    unforeseen.clear()


@pytest.mark.parametrize("wrong", ["192.168.1..5", f"{'x' * 64}.example:8443"])
async def test_a_name_that_can_be_none_is_one_relay_not_reached_and_no_more(
    stations: list[Station], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    a, b, _ = stations
    news = bulletins(1)
    a.holds(news)
    # As if it had come from a resolver of another kind, or out of an old book.
    monkeypatch.setattr(addressbook, "_can_be_looked_up", lambda _: True)
    a.relay.local.save_peer(KnownPeer(f"meshrelay://{wrong}", None, "", "given", 0, kept=True))
    async with asyncio.timeout(30), b.in_touch(), a.in_touch(b) as spread:
        await b.has(*news)
        while not any("cannot connect" in one.error for one in spread.status()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def refused(here: Station, there: Station) -> list[SignedItem]:
    """Return what one holds and the other blocks."""
    items = bulletins(5)
    there.relay.local.block(items[0].author, now=0)
    there.relay.refresh()
    here.holds(items)
    return items


async def test_a_relay_that_refuses_is_not_said_to_have_the_same(stations: list[Station]) -> None:
    a, b, _ = stations
    items = refused(a, b)
    async with asyncio.timeout(30), b.in_touch(), a.in_touch(b) as spread:
        await until_settled(spread, 1)
        (there,) = spread.status()
        report = await spread.sync(str(b.address))
        assert there.refuses
        assert (report.settled, report.same, report.refused) == (True, False, 0)
        assert [spread.copies(item.key) for item in items] == [0] * 5


async def test_refusals_that_were_too_many_to_remember_count_nobody_as_having_the_item(
    stations: list[Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PeerView.__init__, "__kwdefaults__", {"most": 3})
    a, b, _ = stations
    items = refused(a, b)
    async with asyncio.timeout(30), b.in_touch(), a.in_touch(b) as spread:
        await until_settled(spread, 1)
        assert [spread.copies(item.key) for item in items] == [0] * 5
        a.knows(7)  # what was declined is looked at anew
        spread.changed([])
        assert [spread.copies(item.key) for item in items] == [0] * 5


async def test_a_crowd_of_made_up_ids_is_not_remembered_for_every_item(station: Station) -> None:
    keys = [item.key for item in bulletins(2)]
    for number in range(1_000):
        station.side.note(keys, number.to_bytes(32, "big"))
    assert [len(station.side.holders(key)) for key in keys] == [64, 64]
