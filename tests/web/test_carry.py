"""Copies for pockets: what is in one, and that a file somebody brings passes the one gate."""

from __future__ import annotations

import contextlib
import re
from io import BytesIO

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Severity
from meshrelay.core.statements import Revocation
from meshrelay.interop import carry
from meshrelay.web.carry import MOST_TAKEN, _fields
from meshrelay.web.security import MAX_BODY, Refused
from tests.processes import made_items
from tests.web.sample import NOW, Author, Client, Place, fill, text
from tests.web.test_pages import page


def records(data: bytes) -> list[bytes]:
    parts = list(carry.read(BytesIO(data)))
    assert all(isinstance(part, carry.Record) for part in parts)
    return [part.data for part in parts if isinstance(part, carry.Record)]


def written(*items: bytes) -> bytes:
    file = BytesIO()
    carry.write(file, items)
    return file.getvalue()


async def give(client: Client, data: bytes, *, status: int = 200, token: str | None = None) -> str:
    if token is None:
        token = re.findall('name="token" value="([^"]+)"', await page(client, "/carry"))[0]
    form = aiohttp.FormData({"token": token})
    form.add_field("file", data, filename="bulletins.carry", content_type="application/octet-stream")
    answer = await client.post("/carry", data=form)
    assert answer.status == status
    return await answer.text()


async def test_a_copy_holds_what_is_shown_here_most_urgent_first(client: Client, place: Place) -> None:
    found = fill(place)
    answer = await client.get("/carry?take=all")
    assert answer.content_type == carry.MEDIA_TYPE
    assert answer.headers["Content-Disposition"] == 'attachment; filename="bulletins-2031-03-17.carry"'
    items = records(await answer.read())
    assert set(items) == {item.data for item in found.values()}
    assert items[0] in (found["update"].data, found["cancel"].data)
    urgent = records(await (await client.get("/carry?take=urgent")).read())
    assert found["update"].data in urgent
    assert found["bread"].data not in urgent


async def test_what_pages_do_not_show_is_in_no_copy(client: Client, place: Place) -> None:
    found = fill(place)
    place.relay.hide(found["water"].id, now=NOW)
    place.relay.local.keep_back(found["bread"].id, until=NOW + 60)
    place.relay.refresh()
    items = records(await (await client.get("/carry?take=all")).read())
    assert found["update"].data in items
    assert found["water"].data not in items
    assert found["bread"].data not in items


async def test_a_copy_can_be_given_at_another_relay_by_the_same_page(client: Client, place: Place) -> None:
    place.put(*made_items(900, now=NOW))
    data = await (await client.get("/carry?take=all")).read()
    assert MOST_TAKEN * 0.95 < len(data) <= MOST_TAKEN < MAX_BODY
    html = await give(client, data)
    assert f"Here before: {len(records(data))}" in html


async def test_an_empty_relay_offers_no_copy(client: Client) -> None:
    assert "There is nothing here yet that you could take." in await page(client, "/carry")
    assert "There is nothing here yet that you could take." in await page(client, "/carry?take=all", status=404)


async def test_a_file_brings_what_was_not_here(client: Client, place: Place) -> None:
    author = Author(50)
    item, known = author.sign(text("Bridge open")), author.sign(text("Bread"))
    place.put(known)
    html = await give(client, written(item.data, known.data, item.data[:-1] + bytes([item.data[-1] ^ 1])))
    assert "New here: 1" in html
    assert "Here before: 1" in html
    assert "Not taken in: 1" in html
    assert "Bridge open" in await page(client)


async def test_bare_items_and_a_printed_withdrawal_of_a_key_are_taken_too(client: Client, place: Place) -> None:
    author = Author(51)
    place.anchor(author, "Bakery")
    place.put(author.sign(text("Bread")))
    assert "New here: 1" in await give(client, author.sign(text("Cake")).data)
    assert "New here: 1" in await give(client, sign(Revocation(NOW - 60, author.key.public), author.key).data)
    assert "Key withdrawn" in await page(client)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "nothing in it that is signed"),
        (b"hello", "nothing in it that is signed"),
        (bytes(range(256)) * 100, "nothing in it that is signed"),
        (b"<?xml version='1.0'?><alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>", "without a signature"),
        ("<html>".encode("utf-16"), "without a signature"),
    ],
)
async def test_what_is_not_signed_is_refused_with_a_reason(
    data: bytes, said: str, client: Client, place: Place
) -> None:
    assert said in await give(client, data, status=422)
    assert place.relay.store.usage().items == 0


async def test_a_form_of_another_page_or_of_yesterday_is_not_taken(client: Client, place: Place) -> None:
    item = Author(52).sign(text("x"), severity=Severity.MINOR)
    assert "open for too long" in await give(client, written(item.data), status=403, token="1.2")
    assert place.relay.store.usage().items == 0


async def test_what_is_no_form_is_refused(client: Client) -> None:
    for body, kind, status in (
        (b"x", "text/plain", 415),
        (b"x", "multipart/form-data", 415),
        (b"x", "multipart/form-data; boundary=a", 400),
        (b"--a\r\n\r\nx", "multipart/form-data; boundary=a", 400),
        (bytes(MAX_BODY + 1), "multipart/form-data; boundary=a", 413),
    ):
        answer = await client.post("/carry", data=body, headers={"Content-Type": kind})
        assert answer.status == status, (body[:20], kind)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_a_form_of_any_bytes_is_read_or_refused(body: bytes, kind: str) -> None:
    for content_type in (kind, f"multipart/form-data; boundary={kind}", "multipart/form-data; boundary=a"):
        for data in (body, b"--a\r\n" + body + b"\r\n--a--"):
            with contextlib.suppress(Refused):
                list(_fields(data, content_type))


@given(st.binary(max_size=300).filter(lambda data: b"\r\n--a" not in b"\r\n" + data))
def test_a_part_keeps_its_bytes(data: bytes) -> None:
    head = b'--a\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: x/y\r\n\r\n'
    assert dict(_fields(head + data + b"\r\n--a--\r\n", 'multipart/form-data; boundary="a"')) == {"file": data}


@pytest.mark.parametrize(
    "headers", [{"Origin": "null"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_another_site_gives_nothing_here(headers: dict[str, str], client: Client, place: Place) -> None:
    token = re.findall('name="token" value="([^"]+)"', await page(client, "/carry"))[0]
    form = aiohttp.FormData({"token": token})
    form.add_field("file", written(Author(53).sign(text("x")).data), filename="x.carry")
    assert (await client.post("/carry", data=form, headers=headers)).status == 403
    assert place.relay.store.usage().items == 0
