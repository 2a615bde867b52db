from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from zeroconf import DNSOutgoing, DNSPointer, RecordUpdate, current_time_millis  # type: ignore[attr-defined]
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from meshrelay.peers import discovery as discovery_module
from meshrelay.peers.discovery import Discovery, Sighting

LOOPBACK = ("127.0.0.1",)


@pytest.fixture
def service_type() -> str:
    """Return a service type that no other test or relay on this machine uses."""
    return f"_mr-{secrets.token_hex(4)}._tcp.local."


@asynccontextmanager
async def running(*found: Discovery) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in found]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ports(discovery: Discovery, count: int) -> set[int]:
    seen: set[int] = set()
    async for sighting in discovery.sightings():
        seen.add(sighting.port)
        if len(seen) == count:
            break
    return seen


def discovery(port: int, service_type: str, interval: float = 10.0) -> Discovery:
    return Discovery(port, service_type=service_type, interfaces=LOOPBACK, interval=interval)


async def test_all_pairs_of_five_find_each_other_within_three_seconds_and_nobody_finds_itself(
    service_type: str,
) -> None:
    relays = [discovery(4000 + number, service_type) for number in range(5)]
    async with asyncio.timeout(3), running(*relays):
        seen = await asyncio.gather(*(ports(relay, 4) for relay in relays))
    for number, others in enumerate(seen):
        assert others == {4000 + other for other in range(5) if other != number}


async def test_a_latecomer_is_found_by_and_finds_those_who_are_there(service_type: str) -> None:
    first, mate, late = (discovery(4000 + number, service_type) for number in range(3))
    async with asyncio.timeout(5), running(first, mate):
        assert await ports(first, 1) == {4001}
        async with running(late):
            assert await ports(late, 2) == {4000, 4001}
            assert await ports(first, 1) == {4002}


async def test_a_relay_that_stays_is_sighted_again_and_again(service_type: str) -> None:
    one, two = discovery(4000, service_type, interval=1.0), discovery(4001, service_type)
    times = []
    async with asyncio.timeout(10), running(one, two):
        async for _ in one.sightings():
            times.append(asyncio.get_running_loop().time())
            if len(times) == 2:
                break


async def test_another_service_type_is_not_heard(service_type: str) -> None:
    ours, theirs = discovery(4000, service_type), discovery(4001, "_mr-other._tcp.local.")
    mate = discovery(4002, service_type)
    async with asyncio.timeout(5), running(ours, theirs), running(mate):
        assert await ports(ours, 1) == {4002}


async def announced(
    zeroconf: AsyncZeroconf, service_type: str, name: str, properties: dict[str, str], port: int
) -> None:
    info = AsyncServiceInfo(
        service_type, f"{name}.{service_type}", port=port, properties=properties, server=f"{name}.local.",
        addresses=[socket.inet_aton("127.0.0.1")],
    )  # fmt: skip
    await zeroconf.async_register_service(info, cooperating_responders=True)


def odd_names(service_type: str) -> DNSOutgoing:
    """Announce instances whose names no service can have."""
    out = DNSOutgoing(0x8400)
    for name in ("\x07", "..", "_x._y", "a" * 63 + "." + "b" * 63, ""):
        out.add_answer_at_time(DNSPointer(service_type, 12, 1, 4500, f"{name}.{service_type}"), 0.0)
    return out


async def test_in_a_crowd_each_asks_less_often_but_made_up_names_silence_nobody(service_type: str) -> None:
    quiet = AsyncZeroconf(interfaces=list(LOOPBACK))
    try:
        ear = discovery_module._Ear(quiet.zeroconf, service_type, set(), asyncio.Queue())
        crowds = [ear.crowd()]
        for first, past in ((0, 5), (5, 23), (23, 500)):
            names = [f"relay-{number}.{service_type}" for number in range(first, past)]
            now = current_time_millis()
            records = [RecordUpdate(DNSPointer(service_type, 12, 1, 4500, name, now), None) for name in names]
            ear.async_update_records(quiet.zeroconf, now, records)
            crowds.append(ear.crowd())
    finally:
        await quiet.async_close()
    assert crowds == [1.0, 1.0, 3.0, 6.0]


async def test_false_records_are_bounded_and_the_true_one_is_still_found(service_type: str) -> None:
    one, two = discovery(4000, service_type, interval=1.0), discovery(4001, service_type, interval=1.0)
    flood = AsyncZeroconf(interfaces=list(LOOPBACK))
    try:
        async with asyncio.timeout(20), running(one):
            for number in range(150):
                await announced(flood, service_type, f"false-{number}", {"v": "1"}, 5000 + number)
            await announced(flood, service_type, "old", {"v": "0"}, 3999)
            flood.zeroconf.async_send(odd_names(service_type))
            async with running(two):
                seen: list[Sighting] = []
                async for sighting in one.sightings():
                    seen.append(sighting)
                    if sighting.port == 4001:
                        break
        assert 3999 not in {sighting.port for sighting in seen}
        assert all(sighting.addresses == ("127.0.0.1",) for sighting in seen)
    finally:
        await flood.async_close()


async def test_a_network_that_fails_for_a_moment_is_listened_on_again(
    service_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = discovery_module._interfaces, 0

    def failing(only: frozenset[str]) -> frozenset[discovery_module._Interface]:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise OSError("the network is gone")
        return look(only)

    monkeypatch.setattr(discovery_module, "_interfaces", failing)
    monkeypatch.setattr(discovery_module, "_LOOK", 0.01)
    one = discovery(4000, service_type, interval=0.2)
    async with asyncio.timeout(20), running(one):
        while one.trouble is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "the network is gone" in one.trouble
        async with running(discovery(4001, service_type)):
            assert await ports(one, 1) == {4001}
        assert one.trouble is None


async def test_no_interface_is_said_and_no_error(service_type: str) -> None:
    lost = Discovery(4000, service_type=service_type, interfaces=["203.0.113.77"])
    async with running(lost):
        await asyncio.sleep(0)
        assert lost.trouble is not None
        assert "no network interface" in lost.trouble
