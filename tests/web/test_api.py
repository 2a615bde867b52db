"""The interface for programs: lists, single bulletins, uploads, changes, feeds."""

from __future__ import annotations

import asyncio
import contextlib
import json
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import ClientConnectionResetError, ClientError
from aiohttp_sse import EventSourceResponse

from meshrelay.core.admission import admit
from meshrelay.core.bulletin import Category, MsgType, Severity
from meshrelay.web.api import ROUTES
from meshrelay.web.events import MOST_FROM_ONE_ADDRESS
from meshrelay.web.openapi import description
from tests.web.sample import NOW, Author, Client, Place, browsing, fill, text


async def get(client: Client, path: str, status: int = 200) -> Any:
    answer = await client.get(path)
    assert answer.status == status, path
    return json.loads(await answer.text())


async def headlines(client: Client, path: str) -> list[str]:
    return [one["headline"] for one in (await get(client, path))["bulletins"]]


async def test_a_bulletin_has_the_published_fields(client: Client, place: Place) -> None:
    found = fill(place)
    one = (await get(client, "/api/v1/bulletins?limit=1"))["bulletins"][0]
    wanted = (
        "id author kind sent expires status msg_type category event urgency severity certainty sender_name areas "
        "references origin languages language headline description instruction seq received verdict"
    )
    assert set(wanted.split()) <= one.keys()
    assert one["id"] == found["update"].id.hex()
    assert one["sent"] == "2031-03-17T13:25:00+05:00"
    assert one["references"] == [found["first"].id.hex()]
    assert one["verdict"]["known"] is True
    assert one["verdict"]["name"] == "Lailak Valley Rescue"
    assert one["verdict"]["says"].startswith("Lailak Valley Rescue says so.")


async def test_lists_can_be_narrowed(client: Client, place: Place) -> None:
    fill(place)
    assert await headlines(client, "/api/v1/bulletins?known=false&lang=ug") == ["سۇ كەلدى"]
    assert set(await headlines(client, "/api/v1/bulletins?status=cancelled")) == {"Mill Street bridge closed"}
    assert await headlines(client, "/api/v1/bulletins?area=north%20bank") == ["Shots near Station Square"]
    assert await headlines(client, "/api/v1/bulletins?category=Fire") == []
    assert await headlines(client, f"/api/v1/bulletins?since={NOW}") == []
    assert len(await headlines(client, "/api/v1/bulletins?since=2031-03-17T00:00:00%2B05:00")) == 5
    assert len(await headlines(client, "/api/v1/bulletins?status=all")) == 9


async def test_a_cursor_goes_through_all_of_them_once(client: Client, place: Place) -> None:
    author = Author(5)
    place.put(*[author.sign(text(f"Notice {number}"), severity=list(Severity)[number % 5]) for number in range(23)])
    seen, cursor = [], ""
    while True:
        page = await get(client, f"/api/v1/bulletins?limit=5{cursor}")
        seen += [one["id"] for one in page["bulletins"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 23


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=201", "known=maybe", "status=odd", "since=now", "category=Odd", "cursor=odd"]
)
async def test_a_wrong_parameter_is_named(query: str, client: Client) -> None:
    answer = await get(client, f"/api/v1/bulletins?{query}", status=400)
    assert query.split("=")[0] in answer["error"]


async def test_one_bulletin_in_every_form(client: Client, place: Place) -> None:
    item = fill(place)["update"]
    base = f"/api/v1/bulletins/{item.id.hex()}"
    assert (await get(client, base))["texts"]["fa"]["headline"] == "صدای تیراندازی"
    assert await get(client, f"{base}.json") == await get(client, base)
    original = await client.get(f"{base}.cose")
    assert admit(await original.read()).id == item.id
    assert "attachment" in original.headers["Content-Disposition"]
    cap = ElementTree.fromstring(await (await client.get(f"{base}.cap")).text())
    assert cap.tag == "{urn:oasis:names:tc:emergency:cap:1.2}alert"
    shape = await get(client, f"{base}.geojson")
    assert shape["type"] == "Feature"
    assert shape["geometry"]["type"] == "MultiPolygon"
    entry = ElementTree.fromstring(await (await client.get(f"{base}.atom")).text())
    assert entry.tag == "{http://www.w3.org/2005/Atom}entry"
    assert entry.findtext("{*}id") == f"urn:meshrelay:{item.id.hex()}"
    assert (await get(client, f"{base}.odd", status=404))["error"]
    assert (await get(client, f"/api/v1/bulletins/{'0' * 64}", status=404))["error"]


async def test_every_ring_of_geojson_is_closed_and_runs_counterclockwise(client: Client, place: Place) -> None:
    fill(place)
    collection = await get(client, "/feed.geojson")
    rings = [
        ring
        for feature in collection["features"]
        if feature["geometry"]
        for (ring,) in feature["geometry"]["coordinates"]
    ]
    assert len(rings) == 2
    for ring in rings:
        assert ring[0] == ring[-1]
        assert all(-180 <= lon <= 180 and -90 <= lat <= 90 for lon, lat in ring)
        assert sum((b[0] - a[0]) * (b[1] + a[1]) for a, b in pairwise(ring)) < 0


async def test_the_feed_is_atom_and_names_severity_and_sender(client: Client, place: Place) -> None:
    fill(place)
    root = ElementTree.fromstring(await (await client.get("/feed.atom")).text())
    space = "{http://www.w3.org/2005/Atom}"
    titles = [entry.findtext(f"{space}title") for entry in root.iter(f"{space}entry")]
    assert "Extreme: act now. Shots near Station Square" in titles
    assert not any("Bank machines" in (title or "") for title in titles)
    for element in ("id", "updated", "title"):
        assert root.findtext(f"{space}{element}")
    root = ElementTree.fromstring(await (await client.get("/feed.atom?known=false")).text())
    titles = [entry.findtext(f"{space}title") for entry in root.iter(f"{space}entry")]
    assert "Unknown sender. It says: Extreme. Bank machines work tomorrow" in titles


async def test_the_feed_says_what_a_withdrawal_says_in_words_of_its_own(client: Client, place: Place) -> None:
    water = Author(11)
    place.anchor(water, "Waterworks")
    order = water.sign(text("Boil water"), severity=Severity.SEVERE)
    good = water.sign(
        text("Water is clean"), severity=Severity.SEVERE, msg_type=MsgType.CANCEL, references=(order.id,), sent=NOW - 60
    )
    place.put(order, good)
    space = "{http://www.w3.org/2005/Atom}"
    (entry,) = ElementTree.fromstring(await (await client.get("/feed.atom")).text()).iter(f"{space}entry")
    assert "“Water is clean”" in (entry.findtext(f"{space}summary") or "")
    alone = ElementTree.fromstring(await (await client.get(f"/api/v1/bulletins/{good.id.hex()}.atom")).text())
    assert alone.findtext(f"{space}title") == "This withdraws an earlier bulletin. Water is clean"
    assert "until" not in (alone.findtext(f"{space}summary") or "").split("Believed")[0]


async def test_uploads_are_verified_one_by_one(client: Client, place: Place) -> None:
    author = Author(9)
    items = [author.sign(text(f"Notice {number}")) for number in range(3)]
    broken = bytearray(items[1].data)
    broken[-1] ^= 1
    answer = await client.post("/api/v1/items", data=items[0].data + bytes(broken) + items[2].data)
    assert answer.status == 422
    assert await answer.json() == {"new": 2, "known": 0, "refused": [{"index": 1, "reason": "signature"}]}
    answer = await client.post("/api/v1/items", data=b"".join(item.data for item in items))
    assert answer.status == 200
    assert await answer.json() == {"new": 1, "known": 2, "refused": []}
    assert place.relay.store.usage().bulletins == 3


async def test_a_blocked_sender_s_upload_is_declined_with_the_reason(client: Client, place: Place) -> None:
    author = Author(9)
    place.relay.local.block(author.key.public, now=NOW)
    place.relay.refresh()
    answer = await client.post("/api/v1/items", data=author.sign(text("News")).data)
    assert answer.status == 422
    assert (await answer.json())["refused"] == [{"index": 0, "reason": "block"}]


@pytest.mark.parametrize("body", [b"", b"\xff", b"\xd2\x84", b"\x9f", b"\x5b" + b"\xff" * 8, b"\x01" * 251])
async def test_a_body_that_is_no_sequence_is_refused(body: bytes, client: Client) -> None:
    assert (await client.post("/api/v1/items", data=body)).status == 422


async def test_changes_are_told_once_and_the_cursor_is_the_etag(client: Client, place: Place) -> None:
    first = await get(client, "/api/v1/changes")
    assert first["reset"] is True
    item = Author(9).sign(text("News"))
    place.put(item)
    second = await get(client, f"/api/v1/changes?since={first['cursor']}")
    assert second["changes"] == [{"id": item.id.hex(), "gone": False}]
    answer = await client.get(
        f"/api/v1/changes?since={second['cursor']}", headers={"If-None-Match": f'"{second["cursor"]}"'}
    )
    assert answer.status == 304


async def test_the_status_says_how_the_relay_is(client: Client, place: Place) -> None:
    fill(place)
    found = await get(client, "/api/v1/status")
    assert found["name"] == "Three Poplars"
    assert found["bulletins"] == 9
    assert found["in_touch"] == 1
    assert found["as_of"] == "2031-03-17T14:06:00+05:00"
    assert (await (await client.get("/healthz")).text()) == "ok\n"


async def test_the_description_names_every_route_and_no_other(client: Client) -> None:
    routes = {(route.method.lower(), route.path) for route in ROUTES} | {("get", "/api/v1/events")}
    described = {(method, path) for path, methods in description()["paths"].items() for method in methods}
    assert described == routes
    assert (await get(client, "/api/v1/openapi.json"))["openapi"] == "3.1.0"


async def next_event(answer: Any) -> Any:
    async with asyncio.timeout(5):
        while True:
            line = (await answer.content.readline()).decode().strip()
            if line.startswith("data: "):
                return json.loads(line[6:])


async def test_a_stream_tells_of_arrivals(place: Place) -> None:
    reader = place.reader()
    async with browsing(reader.app) as client:
        async with client.get("/api/v1/events") as stream:
            assert stream.content_type == "text/event-stream"
            first = await next_event(stream)
            assert first["new"] == 0
        place.put(Author(9).sign(text("One")), Author(8).sign(text("Two")))
        async with client.get(f"/api/v1/events?since={first['cursor']}") as stream:
            assert (await next_event(stream))["new"] == 2


async def test_an_open_stream_hears_of_a_change(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.web.events._PAUSE_SECONDS", 0.01)
    reader = place.reader()
    async with browsing(reader.app) as client, client.get("/api/v1/events") as stream:
        assert (await next_event(stream))["new"] == 0
        place.put(Author(9).sign(text("One")))
        reader.changed(())
        assert (await next_event(stream))["new"] == 1


async def test_whoever_leaves_while_something_is_said_is_no_error(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("meshrelay.web.events._PAUSE_SECONDS", 0.01)
    send = EventSourceResponse.send

    async def has_left(answer: EventSourceResponse, data: str, **more: Any) -> None:
        if json.loads(data)["new"]:
            raise ClientConnectionResetError("Cannot write to closing transport")
        await send(answer, data, **more)

    monkeypatch.setattr(EventSourceResponse, "send", has_left)
    reader = place.reader()
    async with browsing(reader.app) as client, client.get("/api/v1/events") as stream:
        assert (await next_event(stream))["new"] == 0
        place.put(Author(9).sign(text("One")))
        reader.changed(())
        with contextlib.suppress(ClientError):
            await stream.content.read()
    assert "Error handling request" not in caplog.text


async def test_streams_are_bounded_and_given_back(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.web.events._LOOK_SECONDS", 0.02)
    async with browsing(place.reader().app) as client:
        streams = [await client.get("/api/v1/events") for _ in range(MOST_FROM_ONE_ADDRESS)]
        for stream in streams:
            await next_event(stream)
        answer = await client.get("/api/v1/events")
        assert answer.status == 503
        assert "/api/v1/changes" in (await answer.json())["error"]
        for stream in streams:
            stream.close()
        async with asyncio.timeout(5):
            while (again := await client.get("/api/v1/events")).status != 200:
                await again.read()
        again.close()


async def test_the_list_of_categories_is_cap_s(client: Client) -> None:
    for category in Category:
        assert await headlines(client, f"/api/v1/bulletins?category={category.lower()}") == []
