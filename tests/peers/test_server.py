"""The peer listener against callers that send what they should not, too much, too slowly, or nothing."""

from __future__ import annotations

import asyncio
import random
import re
import ssl
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from meshrelay.core.reconcile import MAX_REQUEST, Keys, Reconciliation
from meshrelay.peers import link, wire
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.peers.link import LinkIdentity, open_identity
from tests.peers.stations import Station, bulletin, bulletins


@pytest.fixture
def identity(tmp_path: Path) -> LinkIdentity:
    return open_identity(tmp_path / "caller.pem")


@pytest.fixture
async def caller(identity: LinkIdentity) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(ssl=identity.client)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        yield session


def url(station: Station, path: str) -> str:
    return f"https://127.0.0.1:{station.port}/mesh/v1/{path}"


GOOD = wire.pack_items([item.data for item in bulletins(3)])
FLAWS = [
    ("hello that is none", "POST", "hello", b"hi", {}, 400),
    ("hello of another version", "POST", "hello", b"\x09" + bytes(10), {}, 400),
    ("hello too long", "POST", "hello", bytes(65), {}, 413),
    ("no message", "POST", "reconcile", b"", {}, 400),
    ("a broken message", "POST", "reconcile", b"\x01" + b"\xff" * 300, {}, 400),
    ("too long a message", "POST", "reconcile", bytes(MAX_REQUEST + 1), {}, 413),
    ("no keys", "POST", "summaries", b"", {}, 400),
    ("part of a key", "POST", "summaries", bytes(25), {}, 400),
    ("too many keys", "POST", "summaries", bytes(24 * 251), {}, 413),
    ("a key twice", "POST", "items", bytes(48), {}, 400),
    ("a batch without its type", "PUT", "items", GOOD, {}, 415),
    ("a batch that is none", "PUT", "items", b"junk", {"Content-Type": wire.BATCH}, 400),
    ("a batch cut off", "PUT", "items", GOOD[:-3], {"Content-Type": wire.BATCH}, 400),
    ("an empty batch", "PUT", "items", zlib.compress(b""), {"Content-Type": wire.BATCH}, 400),
    ("a bomb", "PUT", "items", zlib.compress(bytes(40_000_000)), {"Content-Type": wire.BATCH}, 400),
    ("too many items", "PUT", "items", zlib.compress(b"\x01" * 251), {"Content-Type": wire.BATCH}, 400),
    ("a batch too long", "PUT", "items", bytes(wire.MAX_DEFLATED + 1), {"Content-Type": wire.BATCH}, 413),
    ("a batch with a content encoding", "PUT", "items", GOOD,
     {"Content-Type": wire.BATCH, "Content-Encoding": "gzip"}, 415),
    ("a message with a content encoding", "POST", "reconcile", b"x", {"Content-Encoding": "deflate"}, 415),
    ("an unknown content encoding", "POST", "hello", b"x", {"Content-Encoding": "x"}, 415),
    ("an offer without its type", "POST", "offer", wire.pack_offer([bulletin(1).header]), {}, 415),
    ("an offer that is none", "POST", "offer", b"junk", {"Content-Type": wire.OFFER}, 400),
    ("an offer that is a bomb", "POST", "offer", zlib.compress(bytes(9_000_000)),
     {"Content-Type": wire.OFFER}, 400),
    ("an empty offer", "POST", "offer", zlib.compress(b""), {"Content-Type": wire.OFFER}, 400),
    ("another path", "POST", "nothing", b"", {}, 404),
    ("another method", "GET", "items", b"", {}, 405),
    ("deleting", "DELETE", "items", b"", {}, 405),
]  # fmt: skip


@pytest.mark.parametrize(("flaw", "method", "path", "body", "headers", "status"), FLAWS, ids=[row[0] for row in FLAWS])
async def test_what_is_malformed_gets_a_4xx_and_changes_nothing(
    station: Station,
    caller: aiohttp.ClientSession,
    flaw: str,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    headers = {"Content-Type": "application/octet-stream"} | headers
    async with caller.request(method, url(station, path), data=body, headers=headers) as response:
        assert response.status == status
    station.settle()
    assert not station.ids()


async def test_another_kind_of_key_is_no_relay(station: Station, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = link._certificate(link._RELAY_NAME, key.public_key(), 5, authority=False)
    pem = tmp_path / "other.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    other = link._context(ssl.PROTOCOL_TLS_CLIENT, pem)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=other)) as session:
        async with session.post(url(station, "hello"), data=wire.pack_hello(port=0, now=0)) as response:
            assert response.status == 403
        async with session.put(url(station, "items"), data=GOOD, headers={"Content-Type": wire.BATCH}) as response:
            assert response.status == 403
    station.settle()
    assert not station.ids()


async def test_random_bytes_never_make_a_500(station: Station, caller: aiohttp.ClientSession) -> None:
    dice = random.Random(7)
    for number in range(200):
        body = dice.randbytes(dice.randrange(300))
        if number % 3 == 0:
            body = zlib.compress(body)
        path = dice.choice(["hello", "reconcile", "summaries", "items", "offer"])
        method = dice.choice(["POST", "PUT"])
        kind = dice.choice([wire.BATCH, wire.OFFER, wire.MESSAGE, "text/plain; charset=\xff"])
        async with caller.request(method, url(station, path), data=body, headers={"Content-Type": kind}) as response:
            assert 400 <= response.status < 500 or response.status == 200, (method, path, body)
    station.settle()
    assert not station.ids()


async def test_a_bad_item_among_good_ones_is_answered_on_its_own(
    station: Station, caller: aiohttp.ClientSession
) -> None:
    good = bulletins(3)
    station.holds(good[:1])
    body = wire.pack_items([good[0].data, good[1].data[:-1] + b"\x00", good[2].data])
    async with caller.put(url(station, "items"), data=body, headers={"Content-Type": wire.BATCH}) as response:
        assert await response.read() == bytes([wire.Answer.KNOWN, wire.Answer.BAD, wire.Answer.NEW])
    station.settle()
    assert station.ids() == {good[0].id, good[2].id}


async def test_an_offer_is_answered_with_what_is_wanted_most_pressing_first(
    station: Station, caller: aiohttp.ClientSession
) -> None:
    station.knows(2)
    items = [bulletin(1), bulletin(2), bulletin(3, by=2)]
    station.holds(items[:1])
    body = wire.pack_offer([item.header for item in items])
    async with caller.post(url(station, "offer"), data=body, headers={"Content-Type": wire.OFFER}) as response:
        answers, wanted = wire.unpack_choice(await response.read(), offered=3)
    assert answers == [wire.Answer.KNOWN, wire.Answer.NEW, wire.Answer.NEW]
    assert wanted == [2, 1]


async def test_a_reply_says_nothing_about_this_machine(station: Station, caller: aiohttp.ClientSession) -> None:
    async with caller.post(url(station, "hello"), data=wire.pack_hello(port=0, now=0)) as response:
        assert set(response.headers) == {"Content-Type", "Content-Length"}


async def test_a_batch_that_is_asked_for_stays_within_a_mebibyte(
    station: Station, caller: aiohttp.ClientSession
) -> None:
    items = [bulletin(number, words=long_words(number)) for number in range(100)]
    station.holds(items)
    rest = [item.key for item in items]
    got: list[bytes] = []
    while rest:
        async with caller.post(url(station, "items"), data=wire.pack_keys(rest)) as response:
            batch = wire.unpack_items(await response.read())
            assert sum(map(len, batch)) <= wire.MAX_BATCH
            got += batch
            rest = rest[int(response.headers[wire.ANSWERED]) :]
    assert got == [item.data for item in items]


def long_words(number: int) -> str:
    """Return words that do not shrink much."""
    return random.Random(number).randbytes(7_000).hex()


NONSENSE = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/9.9\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nExpect: everything\r\nContent-Length: 0\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\nHost: x\r\nContent-Type: \xff;\x00\r\nContent-Length: 0\r\n\r\n",
    b"PUT /mesh/v1/items HTTP/1.1\r\nHost: x\r\nContent-Type: ;;;=\r\nContent-Length: 0\r\n\r\n",
    b"POST //\x00/../%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"POST http://[::1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /mesh/v1/hello HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
    b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("sent", NONSENSE, ids=range(len(NONSENSE)))
async def test_nonsense_for_http_is_no_error_of_ours(
    station: Station, identity: LinkIdentity, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    await station.reopen_with(monkeypatch, _IDLE=0.2, _BODY_FIRST=0.2)
    reader, writer = await raw(station, identity)
    writer.write(sent)
    async with asyncio.timeout(10):
        answer = await closed(reader)
    writer.close()
    assert not answer or re.match(rb"HTTP/1\.[01] 4\d\d ", answer), answer[:200]


# Time and numbers


async def raw(station: Station, identity: LinkIdentity) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", station.port, ssl=identity.client)


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Read until the other end closes, or the connection is reset."""
    data = b""
    try:
        while chunk := await reader.read(65536):
            data += chunk
    except ConnectionError:
        pass
    return data


HEAD = b"POST /mesh/v1/reconcile HTTP/1.1\r\nHost: x\r\n"


async def test_nothing_is_logged_of_a_caller_who_sends_nonsense(
    station: Station, identity: LinkIdentity, caplog: pytest.LogCaptureFixture
) -> None:
    for nonsense in (b"NONSENSE\r\n\r\n", b"GET /mesh/v1/peers HTTP/1.1\r\nno colon\r\n\r\n", b"\x00" * 9000):
        reader, writer = await raw(station, identity)
        writer.write(nonsense)
        await closed(reader)
        writer.close()
    assert caplog.records == []


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"X: "], ids=["nothing", "half a head", "half a header"])
async def test_a_caller_that_does_not_finish_its_head_is_closed(
    station: Station, identity: LinkIdentity, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    await station.reopen_with(monkeypatch, _IDLE=0.3)
    reader, writer = await raw(station, identity)
    writer.write(sent)
    async with asyncio.timeout(5):
        await closed(reader)
    writer.close()


async def test_a_body_that_drips_is_given_up(
    station: Station, identity: LinkIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    await station.reopen_with(monkeypatch, _BODY_FIRST=0.4)
    reader, writer = await raw(station, identity)
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\n")

    async def drip() -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(10):
        answer = await closed(reader)
    assert answer.startswith(b"HTTP/1.1 408 ")
    dripping.cancel()
    writer.close()


async def test_a_caller_that_does_not_read_is_given_up(
    station: Station, identity: LinkIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [bulletin(number, words=long_words(number)) for number in range(70)]
    station.holds(items)
    await station.reopen_with(monkeypatch, _EXCHANGE=0.5)
    _, writer = await raw(station, identity)
    body = wire.pack_keys([item.key for item in items])
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    for _ in range(30):
        writer.write(b"POST /mesh/v1/items HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    async with asyncio.timeout(10):
        while station.server.open_connections:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    writer.transport.abort()


async def test_a_caller_without_tls_is_closed(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    await station.reopen_with(monkeypatch, _HANDSHAKE=0.3)
    for sent in (b"", b"GET / HTTP/1.1\r\n\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", station.port)
        writer.write(sent)
        async with asyncio.timeout(5):
            assert b"HTTP" not in await closed(reader)
        writer.close()


async def test_one_source_holds_only_so_many_connections_and_the_others_are_closed_at_once(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    await station.reopen_with(monkeypatch, _CONNECTIONS_EACH=5)
    connections = [await asyncio.open_connection("127.0.0.1", station.port) for _ in range(20)]
    waiting = [asyncio.create_task(closed(reader)) for reader, _ in connections]
    async with asyncio.timeout(5):
        while sum(task.done() for task in waiting) < 15:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert sum(task.done() for task in waiting) == 15
    for _, writer in connections:
        writer.close()
    await asyncio.wait(waiting)


async def test_a_source_that_dials_too_often_is_closed_at_once(
    station: Station, identity: LinkIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    await station.reopen_with(monkeypatch, _DIALLED=(0.001, 3.0))
    for _ in range(3):
        _, writer = await raw(station, identity)
        writer.close()
    with pytest.raises(OSError):  # noqa: PT011  # a reset, or a handshake cut short: it depends on the moment
        await raw(station, identity)


async def test_a_source_that_makes_this_relay_hash_too_much_is_told_to_wait(
    station: Station, caller: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.holds(bulletins(200))
    await station.reopen_with(monkeypatch, _HASHED=(1.0, 20_000.0))
    message = Reconciliation(Keys(), salt=bytes(16), now=0).message()
    statuses = []
    for _ in range(5):
        async with caller.post(url(station, "reconcile"), data=message) as response:
            statuses.append(response.status)
    assert statuses[0] == 200
    assert statuses[-1] == 429


async def test_relays_are_named_only_to_those_on_the_same_network(
    station: Station, caller: aiohttp.ClientSession, identity: LinkIdentity
) -> None:
    other = bytes(32)
    near, far = PeerAddress("127.0.0.9", 8443, other), PeerAddress("10.0.0.9", 8443)
    places = [near, far, PeerAddress("fe80::1%eth0", 8443), PeerAddress("clinic.lan", 8443)]
    asker = identity.relay_id, PeerAddress("127.0.0.1", 8443)
    station.answers.share([*((other, place) for place in places), asker])
    async with caller.get(url(station, "peers")) as response:
        assert wire.unpack_places(await response.read()) == ["127.0.0.9:8443"]


async def test_a_caller_that_goes_on_breaking_the_protocol_is_not_heard_for_a_while_and_named(
    station: Station, caller: aiohttp.ClientSession, identity: LinkIdentity
) -> None:
    statuses = []
    for _ in range(10):
        async with caller.post(url(station, "hello"), data=b"nonsense") as response:
            statuses.append(response.status)
    assert statuses == [400] * 8 + [403] * 2
    ((fault, left),) = station.answers.faulty()
    assert (fault.relay_id, fault.host, fault.count) == (identity.relay_id, "127.0.0.1", 8)
    assert 50 < left <= 60


async def test_items_that_are_none_are_faults_of_who_brought_them_and_counted_with_its_bytes(
    station: Station, caller: aiohttp.ClientSession, identity: LinkIdentity
) -> None:
    packed = wire.pack_items([cbor2.dumps("no item"), cbor2.dumps(["none", "either"])])
    async with caller.put(url(station, "items"), data=packed, headers={"Content-Type": wire.BATCH}) as response:
        assert response.status == 200
    ((fault, left),) = station.answers.faulty()
    assert (fault.count, left) == (2, 0)
    assert "an item that is none" in fault.why
    traffic = station.answers.traffic(identity.relay_id)
    assert (traffic.received, traffic.sent, traffic.refused) == (len(packed), 2, 2)
