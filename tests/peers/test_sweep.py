from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_interface

import pytest

from meshrelay.networks import Network
from meshrelay.peers import sweep as sweep_module
from meshrelay.peers.sweep import Knock, knock, sweep, targets


def network(*addresses: str, name: str = "wlan0") -> Network:
    return Network(name, 2, tuple(ip_interface(one) for one in addresses))


def test_only_the_own_24_is_knocked_at_and_never_this_computer() -> None:
    assert len(targets([network("10.1.2.3/8")])) == 253
    assert set(targets([network("10.1.2.3/8")])) == {f"10.1.2.{n}" for n in range(1, 255) if n != 3}
    assert targets([network("10.1.2.1/30")]) == ("10.1.2.2",)


@pytest.mark.parametrize("here", [network("127.0.0.1/8"), network("10.8.0.2/24", name="tun0"), network("fe80::1/64")])
def test_loopback_tunnels_and_ipv6_are_left_alone(here: Network) -> None:
    assert targets([here]) == ()


def test_a_computer_on_many_networks_knocks_on_four_of_them() -> None:
    assert len(targets([network(*(f"10.0.{n}.1/24" for n in range(9)))])) == 4 * 253


async def test_what_is_there_is_told_from_what_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as closed:
        port, shut = listener.getsockname()[1], closed.getsockname()[1]
        closed.close()
        assert await knock("127.0.0.1", port) is Knock.OPEN
        assert await knock("127.0.0.1", shut) is Knock.REFUSED
        assert await knock("relay.invalid", port) is Knock.NAMELESS
        found = await sweep(["127.0.0.1", "127.0.0.2"], [port])
    assert found.open == (f"127.0.0.1:{port}",)
    assert found.present == {"127.0.0.1", "127.0.0.2"}


async def test_a_sweep_keeps_its_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "RATE", 50.0)
    begun = asyncio.get_running_loop().time()
    await sweep([f"127.0.0.{n}" for n in range(1, 11)], [1])
    assert asyncio.get_running_loop().time() - begun >= 9 / 50
