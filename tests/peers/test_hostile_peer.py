"""A peer that breaks the protocol in every way it can: the exchange ends with words, and keeps what was good."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from meshrelay.core import reconcile
from meshrelay.core.envelope import SignedItem
from meshrelay.core.reconcile import Keys
from meshrelay.errors import PeerFault, PeerUnreachable
from meshrelay.index import PeerView
from meshrelay.peers import client, side, wire
from meshrelay.peers import exchange as exchange_module
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from meshrelay.peers.link import LinkIdentity, open_identity
from tests.peers.stations import Station, bulletin, bulletins

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Liar:
    """A listener that says what its script says, and answers as an honest relay where it has none."""

    def __init__(self, identity: LinkIdentity, items: list[SignedItem]) -> None:
        self.identity = identity
        self.items = {item.key: item for item in items}
        self.script: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.port = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Liar]:
        application = web.Application()
        application.router.add_route("*", "/mesh/v1/{what}", self._answer)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            await web.SockSite(runner, listener, ssl_context=self.identity.server).start()
            try:
                yield self
            finally:
                await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        what = request.match_info["what"]
        self.asked.append(what)
        if what in self.script:
            return await self.script[what](request)
        body = await request.read()
        if what == "hello":
            return web.Response(body=wire.pack_hello(port=0, now=0))
        if what == "reconcile":
            return web.Response(body=reconcile.answer(Keys.of(self.items), body))
        if what == "summaries":
            headers = [self.items[key].header for key in wire.unpack_keys(body)]
            return web.Response(body=wire.pack_summaries(headers))
        if what == "items" and request.method == "POST":
            return batch([self.items[key].data for key in wire.unpack_keys(body)], settled=len(body) // 24)
        raise web.HTTPNotFound


def batch(datas: list[bytes], *, settled: int) -> web.Response:
    return web.Response(body=wire.pack_items(datas), headers={wire.ANSWERED: str(settled)})


def says(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, status=status, headers=headers)

    return answer


@pytest.fixture
async def liar(tmp_path: Path) -> AsyncIterator[Liar]:
    async with Liar(open_identity(tmp_path / "liar.pem"), bulletins(40)).running() as liar:
        yield liar


async def visit(station: Station, liar: Liar, view: PeerView | None = None) -> ExchangeReport:
    async with Link(station.identity, ["127.0.0.1"], liar.port, liar.identity.relay_id) as link:
        await meet(station.side, link, port=station.port)
        return await exchange(station.side, link, view or PeerView(), slow_start=False)


async def test_the_script_without_a_lie_is_an_honest_relay(station: Station, liar: Liar) -> None:
    report = await visit(station, liar)
    assert (report.received, report.trouble) == (40, None)


@pytest.mark.parametrize(
    ("flaw", "what", "answer", "words"),
    [
        ("another version", "hello", says(b"\x02" + bytes(10)), "version 2"),
        ("a hello that is none", "hello", says(b"hello"), "not a hello"),
        ("too long a hello", "hello", says(bytes(100)), "more than 64 bytes"),
        ("an error", "hello", says(b"", status=500), "answers 500"),
        ("a redirect", "hello", says(b"", status=302, headers={"Location": "http://127.0.0.1:1/"}), "answers 302"),
        ("nonsense for a reply", "reconcile", says(b"\x01\xff\xff"), "a reply that cannot be one"),
        ("an endless reply", "reconcile", says(bytes(300_000)), "more than 262144 bytes"),
        ("an empty reply", "reconcile", says(b""), "a reply that cannot be one"),
    ],
)
async def test_a_flaw_before_anything_was_settled_is_a_fault(
    station: Station, liar: Liar, flaw: str, what: str, answer: Answer, words: str
) -> None:
    liar.script[what] = answer
    with pytest.raises(PeerFault, match=words):
        await visit(station, liar)


@pytest.mark.parametrize(
    ("flaw", "what", "answer", "words"),
    [
        ("summaries of too few", "summaries", says(wire.pack_summaries([None])), "not one summary a key"),
        ("summaries that are a bomb", "summaries", says(zlib.compress(bytes(1_000_000))), "inflates to more"),
        ("summaries that are none", "summaries", says(b"junk"), "not a deflated body"),
        ("a batch that settles nothing", "items", says(wire.pack_items([]), headers={wire.ANSWERED: "0"}), "settles"),
        ("a batch that settles too much", "items", says(wire.pack_items([]), headers={wire.ANSWERED: "41"}), "settles"),
        ("a batch that settles nonsense", "items", says(wire.pack_items([]), headers={wire.ANSWERED: "٣"}), "settles"),
        ("a batch that does not say", "items", says(wire.pack_items([])), "settles"),
        ("a batch that is a bomb", "items",
         says(zlib.compress(bytes(5_000_000)), headers={wire.ANSWERED: "1"}), "inflates"),
        ("a batch that is none", "items", says(b"junk", headers={wire.ANSWERED: "1"}), "not a deflated body"),
        ("a batch too large", "items", says(bytes(1_200_000), headers={wire.ANSWERED: "1"}), "more than"),
    ],
)  # fmt: skip
async def test_a_flaw_later_is_in_the_report(
    station: Station, liar: Liar, flaw: str, what: str, answer: Answer, words: str
) -> None:
    liar.script[what] = answer
    report = await visit(station, liar)
    assert isinstance(report.trouble, PeerFault)
    assert words in str(report.trouble)
    assert not report.settled


async def test_one_bad_item_in_a_batch_does_not_keep_the_good_ones_out(station: Station, liar: Liar) -> None:
    async def answer(request: web.Request) -> web.Response:
        keys = wire.unpack_keys(await request.read())
        datas = [liar.items[key].data for key in keys]
        return batch([datas[0][:-1] + b"\xff", *datas[1:]], settled=len(keys))

    liar.script["items"] = answer
    view = PeerView()
    report = await visit(station, liar, view)
    assert (report.received, report.declined, report.trouble) == (39, 1, None)
    # what was claimed and not given is not asked for again
    station.settle()
    liar.asked.clear()
    assert (await visit(station, liar, view)).settled
    assert liar.asked == ["hello", "reconcile"]


async def test_a_valid_item_under_another_key_is_a_fault_and_three_end_the_exchange(
    station: Station, liar: Liar
) -> None:
    async def answer(request: web.Request) -> web.Response:
        keys = wire.unpack_keys(await request.read())
        return batch([bulletin(900 + number).data for number in range(len(keys))], settled=len(keys))

    liar.script["items"] = answer
    report = await visit(station, liar)
    assert isinstance(report.trouble, PeerFault)
    assert "not asked for" in str(report.trouble)


async def test_claimed_keys_without_items_end_after_three_batches(station: Station, liar: Liar) -> None:
    liar.items |= {item.key: item for item in bulletins(900, first=1000)}
    batches = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal batches
        batches += 1
        return batch([], settled=len(await request.read()) // 24)

    liar.script["items"] = answer
    report = await visit(station, liar)
    assert isinstance(report.trouble, PeerFault)
    assert batches <= 4  # the fourth was under way


async def test_a_cut_in_the_middle_of_a_batch_keeps_what_came_whole(station: Station, liar: Liar) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        keys = wire.unpack_keys(await request.read())
        packed = wire.pack_items([liar.items[key].data for key in keys])
        response = web.StreamResponse(headers={wire.ANSWERED: str(len(keys))})
        response.content_length = len(packed)
        await response.prepare(request)
        await response.write(packed[: len(packed) * 2 // 3])
        assert request.transport is not None
        request.transport.close()
        return response

    liar.script["items"] = answer
    report = await visit(station, liar)
    assert isinstance(report.trouble, PeerUnreachable)
    assert 10 < report.received < 40
    del liar.script["items"]
    station.settle()
    again = await visit(station, liar)
    assert report.received + again.received == 40


async def test_a_peer_that_stops_talking_is_given_up(
    station: Station, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_READ", 0.3)
    never = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await never.wait()
        return web.Response()

    liar.script["reconcile"] = answer
    with pytest.raises(PeerUnreachable, match="no answer in time"):
        await visit(station, liar)
    never.set()


async def test_a_peer_that_names_everything_and_gives_nothing_keeps_nothing_out(
    station: Station, liar: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "_EXPECTED", 0.3)
    asked, never = asyncio.Event(), asyncio.Event()

    async def stall(_: web.Request) -> web.Response:
        asked.set()
        await never.wait()
        return web.Response()

    liar.script["items"] = stall
    stalled = asyncio.create_task(visit(station, liar))
    async with asyncio.timeout(30), Station(tmp_path / "honest") as honest:
        honest.holds(bulletins(40))
        await asked.wait()
        report = await station.visit(honest)
        assert (report.received, report.settled) == (0, False)
        while not (report := await station.visit(honest)).settled:
            continue
        assert report.received == 40
    never.set()
    stalled.cancel()
    await asyncio.wait([stalled])


async def test_a_peer_that_goes_on_for_ever_is_given_up(
    station: Station, liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "_EXCHANGE", 0.5)
    endless = Keys.of(bytes([3]) + number.to_bytes(23, "big") for number in range(200_000))

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)  # so that it has not named enough by then
        return web.Response(body=reconcile.answer(endless, await request.read()))

    async def nothing(request: web.Request) -> web.Response:
        return web.Response(body=wire.pack_summaries([None] * len(wire.unpack_keys(await request.read()))))

    liar.script["reconcile"] = answer
    liar.script["summaries"] = nothing
    report = await visit(station, liar)
    assert str(report.trouble) == "the exchange took too long"


async def test_plain_http_and_other_tls_are_not_a_relay(station: Station) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Link(station.identity, ["127.0.0.1"], port, None) as link:
            with pytest.raises(PeerUnreachable, match="not a relay"):
                await link.hello(port=0, now=0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"junk\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 5000,
    ],
)
async def test_broken_http_is_nobodys_crash(station: Station, liar: Liar, raw: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=liar.identity.server)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Link(station.identity, ["127.0.0.1"], port, None) as link:
            with pytest.raises((PeerUnreachable, PeerFault)):
                await link.hello(port=0, now=0)


async def test_a_link_that_is_refused_is_cut_though_the_other_end_says_no_farewell(
    station: Station, liar: Liar
) -> None:
    def be_deaf() -> None:
        with listener.accept()[0] as accepted:
            tls = liar.identity.server.wrap_socket(accepted, server_side=True)
            with socket.socket(fileno=tls.detach()) as below, contextlib.suppress(ConnectionResetError):
                below.settimeout(10.0)
                while below.recv(4096):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        other_end = asyncio.create_task(asyncio.to_thread(be_deaf))
        async with Link(station.identity, ["127.0.0.1"], listener.getsockname()[1], bytes(32)) as link:
            with pytest.raises(PeerFault, match="another relay"):
                await link.hello(port=0, now=0)
        await other_end  # fails where it waits in vain for the end


async def test_an_offer_answered_with_nonsense_is_a_fault(station: Station, liar: Liar) -> None:
    station.holds(bulletins(5, first=2000))
    liar.script["offer"] = says(b"\x00")
    report = await visit(station, liar)
    assert isinstance(report.trouble, PeerFault)
    assert report.received == 40


async def test_a_busy_peer_is_tried_again_later(station: Station, liar: Liar) -> None:
    liar.script["reconcile"] = says(b"", status=429)
    with pytest.raises(PeerUnreachable, match="busy"):
        await visit(station, liar)


async def test_an_exchange_that_is_cancelled_ends_whatever_came_before(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, judged, pending = 0, asyncio.Event(), asyncio.Event()
    receive = station.side.receive

    async def seen(*args: Any, **kwargs: Any) -> Any:
        taken = await receive(*args, **kwargs)
        judged.set()
        return taken

    monkeypatch.setattr(station.side, "receive", seen)

    async def junk_and_then_nothing(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        keys = wire.unpack_keys(await request.read())
        asked += 1
        if asked == 1:
            return batch([b"\x01", b"\x02", b"\x03"], settled=len(keys))
        pending.set()
        await asyncio.sleep(100)
        raise web.HTTPNotFound

    async with Liar(open_identity(tmp_path / "slow.pem"), bulletins(200)).running() as liar:
        liar.script["items"] = junk_and_then_nothing
        visiting = asyncio.create_task(visit(station, liar))
        async with asyncio.timeout(10):
            await judged.wait()
            await pending.wait()
        visiting.cancel()
        await asyncio.wait([visiting], timeout=5)
        assert visiting.cancelled()


async def test_what_a_peer_can_name_has_no_end_and_an_exchange_has(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "_AT_A_TIME", 100)
    station.knows(1)
    async with Liar(open_identity(tmp_path / "rich.pem"), bulletins(9_000)).running() as liar:
        first = await visit(station, liar)
        assert not first.settled
        assert 100 <= first.received < 5_000
        station.settle()
        assert (await visit(station, liar)).received > 0
