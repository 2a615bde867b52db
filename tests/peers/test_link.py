from __future__ import annotations

import asyncio
import datetime
import os
import ssl
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_interface
from pathlib import Path

import aiohttp
import pytest

from meshrelay import networks
from meshrelay.errors import PeerFault, Refusal
from meshrelay.networks import Network, Router
from meshrelay.peers import link as link_module
from meshrelay.peers.link import LinkIdentity, NetworkIdentities, SpkiPin, open_identity, relay_id_of


@pytest.fixture
def alice(tmp_path: Path) -> LinkIdentity:
    return open_identity(tmp_path / "alice" / "link.pem")


@pytest.fixture
def bob(tmp_path: Path) -> LinkIdentity:
    return open_identity(tmp_path / "bob" / "link.pem")


class Listener:
    """A TLS listener that says what it saw: relay ids, and every byte after the handshake."""

    def __init__(self, identity: LinkIdentity) -> None:
        self.identity = identity
        self.seen: list[bytes] = []
        self.received = b""
        self.closed = asyncio.Event()
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Listener]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.identity.server)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen.append(relay_id_of(writer.transport))
        try:
            while data := await reader.read(4096):
                self.received += data
                if b"\r\n\r\n" in self.received:
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    break
        finally:
            writer.close()
            self.closed.set()


async def get(identity: LinkIdentity, pin: SpkiPin, port: int) -> int:
    connector = aiohttp.TCPConnector(ssl=pin)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://127.0.0.1:{port}/", ssl=identity.client) as response,
    ):
        return response.status


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "link.pem"
    first = open_identity(path)
    assert open_identity(path).relay_id == first.relay_id
    assert len(first.relay_id) == 32


def test_two_relays_have_two_ids(alice: LinkIdentity, bob: LinkIdentity) -> None:
    assert alice.relay_id != bob.relay_id


def test_the_key_file_is_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    open_identity(tmp_path / "link.pem")
    assert stat.S_IMODE((tmp_path / "link.pem").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["link.pem"]


def test_a_damaged_key_file_is_said_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "link.pem"
    open_identity(path)
    for damaged in (path.read_bytes().replace(b"PRIVATE", b"PRIVATF"), b"milk, bread"):
        path.write_bytes(damaged)
        with pytest.raises(Refusal, match=r"link\.pem"):
            open_identity(path)
        assert path.read_bytes() == damaged


async def test_both_ends_learn_the_other_ones_relay_id(alice: LinkIdentity, bob: LinkIdentity) -> None:
    async with Listener(bob).running() as listener:
        pin = SpkiPin(bob.relay_id)
        assert await get(alice, pin, listener.port) == 200
        assert listener.seen == [alice.relay_id]


async def test_an_unknown_relay_is_pinned_on_first_use(alice: LinkIdentity, bob: LinkIdentity) -> None:
    pin = SpkiPin(None)
    async with Listener(bob).running() as listener:
        await get(alice, pin, listener.port)
    assert pin.relay_id == bob.relay_id
    async with Listener(alice).running() as listener:
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await get(alice, pin, listener.port)


async def test_a_wrong_pin_is_refused_before_any_http(alice: LinkIdentity, bob: LinkIdentity) -> None:
    async with Listener(bob).running() as listener:
        with pytest.raises(aiohttp.ServerFingerprintMismatch):
            await get(alice, SpkiPin(alice.relay_id), listener.port)
        await listener.closed.wait()
        assert listener.received == b""


async def test_a_client_without_a_certificate_is_refused(bob: LinkIdentity) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.verify_mode = ssl.CERT_NONE
    async with Listener(bob).running() as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=bare)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.transport.abort()
        assert listener.received == b""


async def test_a_self_signed_stranger_is_refused(
    alice: LinkIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_ANCHOR_SCALAR", 7)
    stranger = open_identity(tmp_path / "stranger.pem")
    monkeypatch.undo()
    async with Listener(stranger).running() as listener:
        with pytest.raises(aiohttp.ClientSSLError):
            await get(alice, SpkiPin(None), listener.port)


async def test_older_tls_is_refused(bob: LinkIdentity, alice: LinkIdentity) -> None:
    alice.client.minimum_version = ssl.TLSVersion.TLSv1_2
    alice.client.maximum_version = ssl.TLSVersion.TLSv1_2
    async with Listener(bob).running() as listener:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", listener.port, ssl=alice.client)


async def test_a_link_without_tls_has_no_relay_id() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with pytest.raises(PeerFault):
            relay_id_of(writer.transport)
        writer.close()


async def test_strict_checking_of_newer_pythons_accepts_the_certificates(
    alice: LinkIdentity, bob: LinkIdentity
) -> None:
    for context in (alice.client, bob.server):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    async with Listener(bob).running() as listener:
        assert await get(alice, SpkiPin(bob.relay_id), listener.port) == 200


@pytest.mark.parametrize("year", [1990, 2090])
async def test_certificates_made_under_clocks_years_apart_still_link(
    alice: LinkIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    """One whose certificate holds in another year than this is no stranger: to its clock, ours is the wrong one."""
    monkeypatch.setattr(link_module, "_NOT_BEFORE", datetime.datetime(year, 1, 1, tzinfo=datetime.UTC))
    monkeypatch.setattr(link_module, "_NOT_AFTER", datetime.datetime(year, 12, 31, tzinfo=datetime.UTC))
    other = open_identity(tmp_path / "other.pem")
    async with Listener(other).running() as listener:
        assert await get(alice, SpkiPin(other.relay_id), listener.port) == 200
    async with Listener(alice).running() as listener:
        assert await get(other, SpkiPin(alice.relay_id), listener.port) == 200


class Roaming:
    """A computer that is carried from network to network."""

    def __init__(self, *networks: Network) -> None:
        self.networks = networks

    def __call__(self) -> tuple[Network, ...]:
        return self.networks


HOME = Network("wlan0", 3, (ip_interface("192.168.1.7/24"),), Router(ip_address("192.168.1.1"), "aa:aa"))
CAFE = Network("wlan0", 3, (ip_interface("192.168.1.7/24"),), Router(ip_address("192.168.1.1"), "bb:bb"))
CABLE = Network("eth0", 2, (ip_interface("10.0.0.7/24"), ip_interface("fe80::7/64")))


async def ids(identities: NetworkIdentities, *addresses: str) -> list[bytes]:
    await identities.settle()
    return [identities.at(address).relay_id for address in addresses]


async def test_each_network_sees_another_relay_and_the_same_one_again(tmp_path: Path) -> None:
    here = Roaming(HOME)
    first = NetworkIdentities(tmp_path, look=here)
    (home,) = await ids(first, "192.168.1.7")
    here.networks = (CAFE,)  # the same addresses behind another router
    (cafe,) = await ids(first, "192.168.1.7")
    assert home != cafe
    here.networks = (HOME, CABLE)
    assert await ids(first, "192.168.1.7", "10.0.0.7", "fe80::7%eth0", "127.0.0.1") == [
        home,
        first.at("10.0.0.7").relay_id,
        first.at("10.0.0.7").relay_id,
        first.at("::1").relay_id,
    ]
    assert len({home, cafe, *first.relay_ids}) == 4
    assert first.main.relay_id == home
    again = NetworkIdentities(tmp_path, look=Roaming(CAFE))
    assert await ids(again, "192.168.1.7", "::ffff:192.168.1.7") == [cafe, cafe]


async def test_a_router_that_answers_late_changes_nobody_s_relay_id(tmp_path: Path) -> None:
    silent = Network(CAFE.name, CAFE.index, CAFE.addresses, Router(ip_address("192.168.1.1")))
    here = Roaming(silent)
    identities = NetworkIdentities(tmp_path, look=here)
    (first,) = await ids(identities, "192.168.1.7")
    here.networks = (CAFE,)
    assert await ids(identities, "192.168.1.7") == [first]
    here.networks = ()
    await identities.settle()
    here.networks = (CAFE,)  # gone and come back: a start of its own
    assert await ids(identities, "192.168.1.7") != [first]


async def test_hosts_are_dialled_on_one_network_at_a_time(tmp_path: Path) -> None:
    identities = NetworkIdentities(tmp_path, look=Roaming(HOME))
    await identities.settle()
    own, hosts = identities.toward(["relay.example", "fe80::1%nothere", "127.0.0.1"])
    assert (own.relay_id, hosts) == (identities.at("127.0.0.1").relay_id, ("127.0.0.1",))
    own, hosts = identities.toward(["relay.example"])
    assert (own.relay_id, hosts) == (identities.main.relay_id, ("relay.example",))


async def test_a_key_that_cannot_be_kept_holds_until_the_relay_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the disk is full, the folder for temporary files often is, too.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "full"))
    identities = NetworkIdentities(tmp_path / "link.pem" / "a file is no folder", look=Roaming(HOME))
    (tmp_path / "link.pem").touch()
    assert await ids(identities, "192.168.1.7") == await ids(identities, "192.168.1.7")
    assert "cannot be kept" in caplog.text


def test_only_the_networks_visited_last_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "_KEPT", 2)
    for number in range(1, 4):
        subnet = Network("eth0", 2, (ip_interface(f"10.0.{number}.7/24"),))
        asyncio.run(ids(NetworkIdentities(tmp_path, look=Roaming(subnet)), f"10.0.{number}.7"))
        for path in tmp_path.glob("link-*.pem"):
            os.utime(path, (path.stat().st_mtime - 100,) * 2)
    assert len(list(tmp_path.glob("link-*.pem"))) == 2


async def test_the_router_of_a_known_network_is_asked_again_when_it_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cable may have been moved to another network with the same addresses."""
    forgotten = Network(HOME.name, HOME.index, HOME.addresses, Router(ip_address("192.168.1.1")))
    here = Roaming(HOME)

    def call_routers(some: Iterable[Network]) -> bool:
        if silent := [one for one in some if not one.has_known_router]:
            here.networks = (CAFE,)
        return bool(silent)

    monkeypatch.setattr(networks, "call_routers", call_routers)
    identities = NetworkIdentities(tmp_path, look=here)
    (home,) = await ids(identities, "192.168.1.7")
    assert await ids(identities, "192.168.1.7") == [home]
    here.networks = (forgotten,)
    assert await ids(identities, "192.168.1.7") != [home]
