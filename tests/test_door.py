from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshrelay import door as door_module
from meshrelay.door import Budget, Door, Limits, source_of

MANY = (1000.0, 1000.0)


class Echo(asyncio.Protocol):
    """Sends back what it gets; many times over where that is "pour"."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data == b"ask":
            self.asked = asyncio.create_task(self._answer())
        else:
            self.transport.write(bytes(50_000_000) if data == b"pour" else data)

    async def _answer(self) -> None:
        async with self._door.asking(self.transport):
            self.transport.write(b"wait")
            await asyncio.Event().wait()

    def connection_lost(self, exc: Exception | None) -> None:
        if hasattr(self, "asked"):
            self.asked.cancel()


class House:
    def __init__(self, door: Door, port: int) -> None:
        self.door = door
        self.port = port
        self.calls: list[asyncio.StreamWriter] = []

    async def call(self, source: str = "127.0.0.1") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.calls.append(writer)
        return reader, writer

    async def served(self, source: str = "127.0.0.1", said: bytes = b"hello") -> asyncio.StreamWriter:
        """Call, and see that somebody answers."""
        reader, writer = await self.call(source)
        writer.write(said)
        assert await reader.read(4) == (b"wait" if said == b"ask" else said[:4])
        return writer


@asynccontextmanager
async def house(limits: Limits) -> AsyncIterator[House]:
    door = Door(limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door.start([listener], lambda: Echo(door))
        async with asyncio.timeout(20):
            place = House(door, listener.getsockname()[1])
            yield place
        await door.stop()
        for writer in place.calls:
            writer.transport.abort()
        while door.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionError:
        return True


async def test_who_only_stands_there_makes_way_for_who_comes() -> None:
    async with house(Limits(3, 3, MANY, MANY)) as place:
        idle = [await place.call() for _ in range(3)]
        for _ in range(3):
            await place.served()
        assert [await ended(reader) for reader, _ in idle] == [True] * 3
        assert place.door.count == 3


async def test_who_is_being_answered_makes_way_for_nobody() -> None:
    async with house(Limits(2, 2, MANY, MANY)) as place:
        await place.served(said=b"ask")
        await place.served(said=b"ask")
        reader, _ = await place.call()
        assert await ended(reader)
        assert place.door.count == 2


async def test_one_source_crowds_out_itself_and_nobody_else() -> None:
    async with house(Limits(100, 2, MANY, MANY)) as place:
        quiet, _ = await place.call("127.0.0.2")
        crowd = [await place.call() for _ in range(5)]
        assert [await ended(reader) for reader, _ in crowd[:3]] == [True] * 3
        assert place.door.count == 3
        assert not quiet.at_eof()


async def test_who_calls_too_often_is_not_let_in() -> None:
    async with house(Limits(100, 100, (0.001, 3.0), MANY)) as place:
        for _ in range(3):
            await place.served()
        reader, _ = await place.call()
        assert await ended(reader)
        await place.served("127.0.0.2")


async def test_who_asks_too_often_is_told_to_wait() -> None:
    async with house(Limits(10, 10, MANY, (0.001, 3.0))) as place:
        await place.served()
        (transport,) = place.door._by_transport
        assert [place.door.may_ask(transport) for _ in range(4)] == [True, True, True, False]
        assert place.door.may_ask(None)


async def test_who_does_not_take_an_answer_is_shown_out() -> None:
    async with house(Limits(10, 10, MANY, MANY, unread=0.1)) as place:
        _, writer = await place.call()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"pour")
        while not place.door.shown_out:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert place.door.count == 0


async def test_who_leaves_is_no_longer_counted() -> None:
    async with house(Limits(10, 10, MANY, MANY)) as place:
        for _ in range(20):
            writer = await place.served()
            writer.close()
            await writer.wait_closed()
        while place.door.count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not place.door._sources


def test_a_bucket_fills_up_again_and_never_beyond_its_burst() -> None:
    budget = Budget(rate=10, burst=100)
    assert budget.take("a", 100, moment=0)
    assert not budget.take("a", 1, moment=0)
    assert budget.take("b", 100, moment=0)
    assert not budget.take("a", 100, moment=9)
    assert budget.take("a", 100, moment=10)
    assert budget.take("a", 1000, moment=1000)  # a full bucket covers any amount, and owes the rest
    assert not budget.take("a", 1, moment=1001)


def test_buckets_are_bounded_in_number() -> None:
    budget = Budget(rate=1, burst=1)
    for number in range(3 * door_module._SOURCES):
        budget.take(str(number), 1, moment=0)
    assert len(budget._left) == door_module._SOURCES


def test_sources_are_counted_by_address_or_by_ipv6_network() -> None:
    assert source_of("192.168.1.7") == "192.168.1.7"
    assert source_of("::ffff:192.168.1.7") == "192.168.1.7"
    assert source_of("2001:db8:1:2::7") == source_of("2001:db8:1:2:ffff::") == "2001:db8:1:2::/64"
    assert source_of("fe80::1%eth0") == "fe80::/64"
