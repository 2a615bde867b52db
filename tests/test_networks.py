from __future__ import annotations

import sys
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from meshrelay import networks
from meshrelay.networks import LOOPBACK, Network, Router, local_address, look

# As Linux writes them; addresses of IPv4 in the order of this machine's bytes, as on any that is little-endian.
ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0
"""
ARP = """IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         aa:bb:cc:00:00:01     *        eth0
10.0.0.1         0x1         0x0         00:00:00:00:00:00     *        wlan0
"""
IPV6_ROUTE = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe80000000000000aabbccfffe000002 00000400 00000000 00000000 00000003     eth1\n"
    "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000000 00000000 00000001     eth0\n"
)


def network(*addresses: str, router: Router | None = None, name: str = "eth0", index: int = 2) -> Network:
    return Network(name, index, tuple(ip_interface(one) for one in addresses), router)


@pytest.mark.skipif(sys.platform != "linux" or sys.byteorder != "little", reason="reads what such a Linux writes")
def test_routers_are_read_from_the_kernel_s_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("route", ROUTE), ("arp", ARP), ("ipv6_route", IPV6_ROUTE)):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(networks, "_PROC", tmp_path)
    assert networks._routers() == {
        "eth0": Router(ip_address("192.168.1.1"), "aa:bb:cc:00:00:01"),
        "wlan0": Router(ip_address("10.0.0.1"), ""),
        "eth1": Router(ip_address("fe80::aabb:ccff:fe00:2"), "fe80::aabb:ccff:fe00:2"),
    }
    monkeypatch.setattr(networks, "_PROC", tmp_path / "not there")
    assert networks._routers() == {}


@pytest.mark.parametrize(
    ("here", "mark"),
    [
        (network("127.0.0.1/8", "::1/128"), LOOPBACK),
        (network("192.168.1.7/24", router=Router(ip_address("192.168.1.1"), "aa:bb")), "router aa:bb"),
        (network("192.168.1.7/24", router=Router(ip_address("192.168.1.1"))), "subnet 192.168.1.0/24"),
        (network("fe80::1/64", "192.168.1.7/24", "2001:db8::7/64"), "subnet 192.168.1.0/24"),
        (network("fe80::1/64", "2001:db8::7/64"), "subnet 2001:db8::/64"),
        (network("fe80::1/64"), "link"),
    ],
)
def test_a_network_is_told_by_its_router_or_else_by_its_subnet(here: Network, mark: str) -> None:
    assert here.mark == mark


def test_a_router_that_answers_late_makes_no_other_network() -> None:
    assert network("10.0.0.7/24") == network("10.0.0.7/24", router=Router(ip_address("10.0.0.1"), "aa:bb"))


def test_loopback_is_among_the_networks_and_comes_last() -> None:
    found = look()
    assert found[-1].is_loopback
    assert ip_address("127.0.0.1") in [one.ip for one in found[-1].addresses]


def test_the_own_address_toward_another_is_found_without_a_name_being_asked_for() -> None:
    assert local_address("127.0.0.1") == ip_address("127.0.0.1")
    assert local_address("relay.example") is None
    assert local_address("fe80::1%nothere") is None
