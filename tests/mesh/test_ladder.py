"""The ladder, rung by rung, with real relays: how they find each other where the network makes it hard."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mesh.netlab import Host, Lab, start_all, until
from tests.mesh.test_namespaces import everywhere, wait_seconds

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

_NAME = re.compile(rb"\x10([0-9a-f]{16})")
"""A random name, as multicast DNS writes it behind its length."""
YEARS = 5 * 365 * 86400


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as lab:
        yield lab


def met(host: Host) -> set[str]:
    """Return the relay ids of those that a relay has had contact with."""
    status = host.status()
    return {peer["relay_id"] for peer in status["peers"] if peer["last_contact"]} if status else set()


def own_id(host: Host) -> str:
    status, _ = until(f"{host.name} answers", 10, host.status)
    return str(status["relay_id"])


def rung(host: Host, way: str) -> dict[str, Any]:
    status = host.status()
    assert status is not None
    return next(one for one in status["rungs"] if one["way"] == way)


class Ten:
    """Ten relays on one network, and all that crossed the link of the first."""

    def __init__(self, lab: Lab) -> None:
        self.hosts = [lab.host(name) for name in "ABCDEFGHIJ"]
        lab.bridge(self.hosts, network="10.70.0")
        self.frames = lab.capture(self.hosts[0].links[0])
        start_all(self.hosts)

    def pairs(self) -> int:
        """Return how many relays know how many others, added up."""
        return sum(len(met(host)) for host in self.hosts)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ten]:
    with Lab(tmp_path_factory.mktemp("ten")) as lab:
        yield Ten(lab)


def test_ten_relays_all_find_each_other(ten: Ten) -> None:
    _, took = until("all pairs found", 3, lambda: ten.pairs() == 90)
    print(f"all 45 pairs found {took:.2f} s after the last was ready")


def test_a_bulletin_is_on_all_ten_within_five_seconds_and_the_link_shows_no_byte_of_it(ten: Ten) -> None:
    first = ten.hosts[0]
    headline = f"Shelter at gate {secrets.token_hex(8)}"
    item = first.meshrelay("publish", "--headline", headline, "--lang", "en").stdout.split()[0]
    print(f"on all ten after {everywhere(ten.hosts[1:], item, seconds=5):.2f} s")
    seen, envelope = ten.frames.read_bytes(), first.raw(item)
    assert len(seen) > 20_000
    assert b"_meshrelay" in seen  # what is announced can be read, and shows that the capture would have it
    assert headline.encode() not in seen
    assert not [place for place in range(len(envelope) - 16) if envelope[place : place + 16] in seen]
    for word in (b"HTTP/1.1", b"/mesh/v1", b"relay.invalid", bytes.fromhex(own_id(first))):
        assert word not in seen


def test_a_wrong_pin_is_refused(ten: Ten) -> None:
    one, other = ten.hosts[:2]
    wrong = other.meshrelay("sync", f"meshrelay://{one.addresses[0]}:8443#{'00' * 32}", check=False)
    assert wrong.returncode == 1
    assert "another relay answers there" in wrong.stderr
    right = f"meshrelay://{one.addresses[0]}:8443#{own_id(one)}"
    assert other.meshrelay("sync", right).returncode == 0


def test_a_relay_whose_address_changes_is_found_again(ten: Ten) -> None:
    mover, others = ten.hosts[9], ten.hosts[:9]
    link = mover.links[0]
    mover.ip("addr", "del", f"{mover.addresses[0]}/24", "dev", link)
    mover.ip("addr", "add", "10.70.0.77/24", "dev", link)
    mover.addresses[0] = "10.70.0.77"
    item = mover.meshrelay("publish", "--headline", "Moved to the school", "--lang", "en").stdout.split()[0]
    print(f"from its new address, on all others after {everywhere(others, item, seconds=15):.2f} s")


def test_relays_started_before_the_link_meet_on_it_by_ipv6_alone_with_clocks_years_apart(lab: Lab) -> None:
    one, other = lab.host("one"), lab.host("other")
    other.ahead(YEARS)
    start_all([one, other])
    assert not met(one)
    lab.bridge([one, other], network="")
    _, took = until("they have met", 30, lambda: len(met(one)) == len(met(other)) == 1)
    print(f"met {took:.2f} s after the link was there")
    status = one.status()
    assert status is not None
    assert [peer["uri"].startswith("meshrelay://[fe80::") for peer in status["peers"]] == [True]


def test_where_multicast_is_dropped_book_exchange_and_sweep_find_the_others(lab: Lab) -> None:
    hosts = [lab.host(name) for name in ("inn", "book", "told", "sweep")]
    inn, book, told, sweep = hosts
    lab.bridge(hosts, network="10.71.0")
    start_all([inn, book])
    until("they have met", 10, lambda: len(met(inn)) == len(met(book)) == 1)
    until("it is written down", 10, book.address_book)
    book.stop()
    for host in hosts:
        host.deaf()
    start_all([book])
    _, took = until("found by the address book", 10, lambda: rung(book, "book")["found"])
    print(f"by the address book after {took:.2f} s")
    told.start("--name", "told", "--peer", "10.71.0.1")
    sweep.start("--name", "sweep", "--sweep")
    _, took = until("found by what a neighbour told", 10, lambda: told.ready() and rung(told, "told")["found"])
    print(f"by peer exchange after {took:.2f} s")
    until("they have met", 20, lambda: own_id(book) in met(told))
    _, took = until("found by a sweep", 20, lambda: sweep.ready() and rung(sweep, "sweep")["found"])
    print(f"by a sweep after {took:.2f} s, ten of which it was alone first")
    until("all three met", 20, lambda: {own_id(inn), own_id(book), own_id(told)} <= met(sweep))
    assert not any(rung(host, "mdns")["found"] for host in (book, told, sweep))


def test_a_relay_that_is_carried_around_has_another_id_behind_every_router(lab: Lab) -> None:
    here, there, traveller = lab.host("here"), lab.host("there"), lab.host("traveller")
    # The same subnet and the same address of the router, twice, as with so many routers that are sold.
    lab.bridge([there, traveller], network="192.168.1", router=there)
    (cafe,) = traveller.links
    traveller.ip("link", "set", cafe, "down")
    lab.bridge([here, traveller], network="192.168.1", router=here)
    home = traveller.links[1]
    start_all([traveller])
    at_home = own_id(traveller)

    def goes(leaves: str, joins: str) -> str:
        before = own_id(traveller)
        traveller.ip("link", "set", leaves, "down")
        until("it is nowhere", 10, lambda: own_id(traveller) != before)
        nowhere = own_id(traveller)
        traveller.ip("link", "set", joins, "up")
        traveller.ip("route", "replace", "default", "via", "192.168.1.1", "dev", joins)
        until("it is somewhere", 10, lambda: own_id(traveller) != nowhere)
        wait_seconds(4)  # time to see the router, if it was quicker than the route
        return own_id(traveller)

    at_cafe = goes(home, cafe)
    assert at_cafe != at_home
    assert goes(cafe, home) == at_home
    traveller.stop()
    start_all([traveller])
    assert own_id(traveller) == at_home


def test_a_relay_on_two_networks_tells_neither_of_the_other(lab: Lab) -> None:
    one, between, two = lab.host("one"), lab.host("between"), lab.host("two")
    lab.bridge([one, between], network="10.72.1")
    lab.bridge([between, two], network="10.72.2")
    left, right = lab.capture(one.links[0]), lab.capture(two.links[0])
    start_all([one, between, two])
    until("both have met it", 30, lambda: (len(met(one)), len(met(two)), len(met(between))) == (1, 1, 2))
    assert met(one) != met(two)
    names = [set(_NAME.findall(frames.read_bytes())) for frames in (left, right)]
    assert [len(found) for found in names] == [2, 2]
    assert not names[0] & names[1]
    assert socket.inet_aton("10.72.2.1") not in left.read_bytes()
    assert socket.inet_aton("10.72.1.2") not in right.read_bytes()
