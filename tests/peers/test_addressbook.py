from __future__ import annotations

import pytest

from meshrelay.errors import Refusal
from meshrelay.local import KnownPeer
from meshrelay.peers.addressbook import PeerAddress, kept, pinned

ID = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("meshrelay://192.168.1.5:8443", PeerAddress("192.168.1.5", 8443)),
        ("meshrelay://192.168.1.5", PeerAddress("192.168.1.5", 8443)),
        ("192.168.1.5:9000", PeerAddress("192.168.1.5", 9000)),
        (" meshrelay://clinic.lan:9000/ ", PeerAddress("clinic.lan", 9000)),
        (f"meshrelay://10.0.0.1:1#{ID.hex()}", PeerAddress("10.0.0.1", 1, ID)),
        ("meshrelay://[fe80::1%eth0]:8443", PeerAddress("fe80::1%eth0", 8443)),
        ("meshrelay://[fe80::1%25eth0]:8443", PeerAddress("fe80::1%eth0", 8443)),
        (f"meshrelay://[2001:db8::7]:65535#{ID.hex().upper()}", PeerAddress("2001:db8::7", 65535, ID)),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, address: PeerAddress) -> None:
    assert PeerAddress.parse(text) == address
    assert PeerAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "meshrelay://", "http://10.0.0.1:80", "10.0.0.1:0", "10.0.0.1:65536", "::1:8443", "[::1", "a b",
     "10.0.0.1:8443#12", "u@10.0.0.1:8443", "10.0.0.1:8443/x", "[fe80::1%eth0;x]:1", "10.0.0.1:8443?x",
     "192.168.1..5", ".", f"{'x' * 64}.example:8443"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        PeerAddress.parse(text)
    assert "meshrelay://HOST:PORT" in refusal.value.hint


def test_what_stands_in_a_book_and_can_be_no_address_is_passed_by() -> None:
    book = [
        KnownPeer("meshrelay://10.0.0..1:8443", ID, "", "given", 5, kept=True),
        KnownPeer("10.0.0.1", ID, "", "", 5),
    ]
    assert kept(book) == [(book[1], PeerAddress("10.0.0.1", 8443))]
    assert pinned(PeerAddress("10.0.0.1", 8443), book).relay_id is None


def test_link_local_addresses_are_told_apart() -> None:
    assert PeerAddress("fe80::1%eth0", 1).is_link_local
    assert PeerAddress("169.254.3.4", 1).is_link_local
    assert not PeerAddress("10.0.0.1", 1).is_link_local
    assert not PeerAddress("clinic.lan", 1).is_link_local


def test_a_given_address_is_pinned_by_its_first_use() -> None:
    book = [KnownPeer("meshrelay://10.0.0.1:8443", ID, "", "given", 5, kept=True)]
    assert pinned(PeerAddress("10.0.0.1", 8443), book).relay_id == ID
    assert pinned(PeerAddress("10.0.0.1", 8444), book).relay_id is None
    other = bytes(32)
    assert pinned(PeerAddress("10.0.0.1", 8443, other), book).relay_id == other


def test_an_address_that_the_network_suggested_is_not_pinned() -> None:
    book = [KnownPeer("meshrelay://10.0.0.1:8443", ID, "", "mdns", 5)]
    assert pinned(PeerAddress("10.0.0.1", 8443), book).relay_id is None
