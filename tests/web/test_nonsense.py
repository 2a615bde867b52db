"""Requests that no browser sends: whatever comes, the answer is not an error of ours, and the next reader is served."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from tests.web.sample import Client, Place, fill

PATHS = (
    "/",
    "/b/",
    "/search?q=",
    "/about?lang=",
    "/?lane=known&after=",
    "/static/",
    "/api/v1/items",
    "/api/v1/status",
    "/api/v1/bulletins/",
    "/api/v1/bulletins?cursor=",
    "/api/v1/bulletins?since=",
    "/api/v1/bulletins?limit=",
    "/api/v1/changes?since=",
    "/feed.atom?in=",
    "/feed.geojson",
    "/healthz",
)
METHODS = (b"GET",) * 6 + (b"POST", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"TRACE", b"DELETE", b"x")
TAILS = (b"-1", b"9" * 30, b"u1-1", b"n1-1", b"u-1", b"0" * 64, b"2031-99-99", b"0001-01-01T00:00:00+14:00")
HEADERS = (
    b"Accept-Language Accept-Encoding If-None-Match Origin Sec-Fetch-Site Content-Encoding Range Expect "
    b"Transfer-Encoding Cookie Content-Type Upgrade Last-Event-ID If-Modified-Since"
).split()
VALUES = (b"gzip", b"chunked", b"100-continue", b"bytes=0-1", b"websocket", b"br;q=nan", b"text/plain; charset=odd")


class Nonsense:
    """Requests that are each a little wrong, the same for the same seed."""

    def __init__(self, seed: int, port: int) -> None:
        self._dice = random.Random(seed)
        self._port = port

    def request(self) -> bytes:
        dice = self._dice
        if dice.random() < 0.1:
            return self._bytes(300) + b"\r\n\r\n"
        method = dice.choice(METHODS)
        tail = self._escaped(40) if dice.random() < 0.7 else dice.choice(TAILS)
        body = self._bytes(600) if method in (b"POST", b"PUT") else b""
        lines = [method + b" " + dice.choice(PATHS).encode() + tail + b" HTTP/1.1", self._host()]
        if body:
            length = len(body) if dice.random() < 0.9 else dice.randrange(10**6)
            lines.append(b"Content-Length: %d" % length)
        lines += [name + b": " + self._value() for name in HEADERS if dice.random() < 0.06]
        return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body

    def _host(self) -> bytes:
        return b"Host: 127.0.0.1:%d" % self._port if self._dice.random() < 0.93 else b"Host: " + self._line(20)

    def _value(self) -> bytes:
        return self._line(60) if self._dice.random() < 0.6 else self._dice.choice(VALUES)

    def _line(self, most: int) -> bytes:
        return self._bytes(most).translate(None, b"\r\n\0")

    def _bytes(self, most: int) -> bytes:
        return self._dice.randbytes(self._dice.randrange(most))

    def _escaped(self, most: int) -> bytes:
        return b"".join(
            b"%%%02x" % byte if self._dice.random() < 0.9 else self._dice.choice((b"'", b"<", b"%", b"&", b"/", b"."))
            for byte in self._bytes(most)
        )


@pytest.mark.parametrize(
    "count", [400, pytest.param(20_000, marks=[pytest.mark.full, pytest.mark.timeout(600)])], ids=["some", "many"]
)
async def test_nonsense_is_answered_and_harms_nobody(
    count: int, client: Client, place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    fill(place)
    assert client.port is not None
    nonsense, port = Nonsense(count, client.port), client.port
    answers: Counter[bytes] = Counter()

    async def one(request: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        try:
            async with asyncio.timeout(10):
                line = await reader.readline()
        except ConnectionResetError:
            line = b""
        finally:
            writer.close()
        answers[line[9:12]] += 1
        assert not line[9:12].startswith(b"5"), request

    for _ in range(0, count, 40):
        await asyncio.gather(*[one(nonsense.request()) for _ in range(40)])
    assert answers[b"200"] > 0
    assert answers[b"400"] > count / 10
    assert (await client.get("/")).status == 200
    assert caplog.records == []
