"""What every answer carries, and which requests are not answered."""

from __future__ import annotations

import asyncio
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshrelay.web.security import HostRule, split_host, url_of
from tests.web.sample import Client, Place, fill

PATHS = ("/", "/about", "/search?q=x", "/b/00", "/api/v1/status", "/feed.atom", "/healthz", "/static/none", "/nowhere")


def port(client: Client) -> int:
    found = client.port
    assert found is not None
    return found


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_carries_the_headers(path: str, client: Client) -> None:
    answer = await client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Server"] == "meshrelay"
    assert "Set-Cookie" not in answer.headers
    assert "Cache-Control" in answer.headers


@pytest.mark.parametrize(
    "host", ["localhost:{port}", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "0x7f.1:{port}", "", "a b", "[::1"]
)
async def test_a_host_that_is_not_ours_gets_a_page_with_the_right_address(host: str, client: Client) -> None:
    answer = await client.get("/", headers={"Host": host.format(port=port(client))})
    assert answer.status == 421
    assert f'<a class="new" href="http://127.0.0.1:{port(client)}/">' in await answer.text()


@pytest.mark.parametrize(
    "host", ["192.168.77.1:{port}", "[fe80::1]:{port}", "meshrelay.local:{port}", "127.0.0.1:{port}"]
)
async def test_any_literal_address_with_the_port_is_ours(host: str, client: Client) -> None:
    assert (await client.get("/", headers={"Host": host.format(port=port(client))})).status == 200


def test_names_in_the_settings_are_ours(place: Place) -> None:
    rule = HostRule(frozenset({"centre.lan"}))
    assert rule.accepts("Centre.LAN.:8080", port=8080)
    assert not rule.accepts("centre.lan:8081", port=8080)
    assert not HostRule(loopback=True).accepts("192.168.1.1:8080", port=8080)
    assert HostRule(loopback=True).accepts("127.0.0.1:8080", port=8080)


@given(st.text(max_size=80))
def test_splitting_a_host_never_fails(host: str) -> None:
    name, number = split_host(host)
    assert name is None or 0 <= number <= 99_999


def test_addresses_are_written_as_browsers_take_them() -> None:
    assert url_of("192.168.1.2", 80) == "http://192.168.1.2/"
    assert url_of("fe80::1%eth0", 8080) == "http://[fe80::1]:8080/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
)
async def test_other_sites_may_send_a_visitor_but_read_nothing(
    headers: dict[str, str], status: int, client: Client
) -> None:
    assert (await client.get("/api/v1/status", headers=headers)).status == status


async def test_other_sites_may_not_write(client: Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert (await client.post("/api/v1/items", data=b"x", headers=headers)).status == 403


async def test_the_same_origin_may_write(client: Client) -> None:
    headers = {"Origin": f"http://127.0.0.1:{port(client)}"}
    assert (await client.post("/api/v1/items", data=b"\xff", headers=headers)).status == 422


async def test_a_compressed_body_is_refused_before_it_is_inflated(client: Client) -> None:
    answer = await client.post("/api/v1/items", data=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert answer.status == 415


async def test_a_large_body_is_refused(client: Client) -> None:
    assert (await client.post("/api/v1/items", data=b"\0" * (1024 * 1024 + 1))).status == 413


async def test_a_large_body_of_no_stated_length_is_refused(client: Client) -> None:
    async def drip() -> object:
        for _ in range(20):
            yield b"\0" * 65_536 * 2

    assert (await client.post("/api/v1/items", data=drip())).status == 413


async def test_a_dripping_body_is_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.web.api.BODY_SECONDS", 0.05)
    release = asyncio.Event()

    async def drip() -> object:
        yield b"\0"
        await release.wait()

    try:
        async with asyncio.timeout(5):
            assert (await client.post("/api/v1/items", data=drip())).status == 408
    finally:
        release.set()


async def test_the_wrong_method_is_said_to_be_wrong(client: Client) -> None:
    answer = await client.post("/about")
    assert answer.status == 405
    assert "GET" in answer.headers["Allow"]


async def test_static_files_are_kept_for_ever_under_a_name_of_their_content(client: Client) -> None:
    html = await (await client.get("/")).text()
    for path in re.findall(r'"(/static/[^"]+)"', html):
        answer = await client.get(path)
        assert answer.status == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert (await client.get(re.sub(r"-\w{10}\.", "-0123456789.", path))).status == 404


async def test_pages_are_kept_for_a_moment_only(client: Client) -> None:
    assert (await client.get("/")).headers["Cache-Control"] == "private, max-age=10"


ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


async def test_no_query_leads_to_an_error_of_ours(client: Client, place: Place) -> None:
    fill(place)
    loop = asyncio.get_running_loop()
    names = ("lang", "q", "in", "lane", "after", "cursor", "since", "limit", "status", "known", "area", "category")
    paths = ("/", "/search", "/about", "/b/ab", "/api/v1/bulletins", "/api/v1/changes", "/feed.atom", "/feed.geojson")

    async def ask(path: str, query: dict[str, str]) -> int:
        return (await client.get(path, params=query)).status

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from(paths), st.dictionaries(st.sampled_from(names), ODD, max_size=4))
    def attack(path: str, query: dict[str, str]) -> None:
        assert asyncio.run_coroutine_threadsafe(ask(path, query), loop).result(10) < 500

    await asyncio.to_thread(attack)


async def test_nothing_is_logged_of_a_reader_who_sends_nonsense(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await client.get("/" + "f" * 5000)).status == 400
    _, writer = await asyncio.open_connection("127.0.0.1", port(client))
    writer.write(b"NONSENSE\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await client.get("/")).status == 200
    assert caplog.records == []


async def test_no_path_leads_to_an_error_of_ours(client: Client) -> None:
    for path in (
        "/b/" + "f" * 5000,
        "/b/..%2f..",
        "/%ff%fe",
        "/static/../pages.py",
        "/b/%F0%9F%92%A5",
        "/api/v1/bulletins/a.b.c",
    ):
        assert (await client.get(path)).status in (400, 404, 414)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/api/v1/items"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_an_odd_expectation_is_refused(path: str, method: str, client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port(client))
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port(client)}\r\n".encode() + b"Expect: \xa6\xff\r\n\r\n"
    )
    answer = await reader.readline()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 417 ")


async def test_a_sender_who_asks_first_may_send(client: Client) -> None:
    answer = await client.post("/api/v1/items", data=b"\xff", headers={"Expect": "100-continue"})
    assert answer.status == 422
    assert "Content-Security-Policy" in answer.headers


async def test_a_slow_but_honest_body_is_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.web.api.BODY_SECONDS", 0.2)
    monkeypatch.setattr("meshrelay.web.security.BODY_RATE", 8)

    async def steady() -> object:
        for _ in range(8):
            yield b"\0" * 8
            await asyncio.sleep(0.05)

    assert (await client.post("/api/v1/items", data=steady())).status == 422
