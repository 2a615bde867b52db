"""The poster: which languages, address and digits stand on it, and that its one file needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC

import pytest

from meshrelay.core.keys import digits
from meshrelay.web.poster import Poster, Wifi, file, key_digits, voices_in
from meshrelay.words import Words
from tests.web.sample import NOW, Client, Place, browsing
from tests.web.test_pages import page

LIKE = Words("en", UTC, NOW)


async def test_it_names_the_relay_the_address_and_the_day(client: Client, place: Place) -> None:
    html = await page(client, "/poster")
    assert f"http://127.0.0.1:{client.port}/" in html
    assert "Three Poplars" in html
    assert '<time datetime="2031-03-17">' in html
    assert html.count('role="img"') == 2
    assert 'class="blank"' in html


async def test_it_speaks_the_languages_of_the_place_or_those_asked_for(place: Place) -> None:
    place.settings = replace(place.settings, languages=("kk", "ru"))
    async with browsing(place.reader().app) as client:
        html = await page(client, "/poster")
        assert re.findall(r'<span lang="(\w+)" dir="\w+">', html) == ["kk", "ru"]
        html = await page(client, "/poster?lang=fa&lang=my")
        assert re.findall(r'<span lang="(\w+)" dir="(\w+)">', html) == [
            ("fa", "rtl"),
            ("my", "ltr"),
            ("kk", "ltr"),
            ("ru", "ltr"),
        ]


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ((), ["en"]),
        (("xx",), ["en"]),
        (("ru-KZ", "ru", "kk"), ["ru", "kk"]),
        (("kk", "ru", "en", "fa", "ar"), ["kk", "ru", "en", "fa"]),
    ],
)
def test_each_language_is_spoken_once_and_four_at_most(asked: tuple[str, ...], spoken: list[str]) -> None:
    assert [voice.language for voice in voices_in(asked, LIKE)] == spoken


async def test_the_digits_are_those_of_the_key_that_signs_here(client: Client, place: Place) -> None:
    assert "show these digits" not in await page(client, "/poster")
    place.relay.keyring.new("me", now=NOW)
    place.relay.keyring.new("shift", now=NOW)
    place.relay.refresh()
    own = {name: digits(key) for key, name in place.relay.trust.own.items()}
    assert own["me"] in await page(client, "/poster")
    assert own["me"] in await page(client, "/about")
    assert key_digits(place.relay, "shift") == own["shift"]


def test_its_one_file_loads_nothing_and_shows_hostile_names_as_text() -> None:
    nasty = '</style><script>alert(1)</script>"><img src=x>'
    poster = Poster(nasty, "http://10.0.0.1:8080/", "123 456", voices_in(("kk", "en"), LIKE), Wifi(nasty, nasty))
    html = file(poster)
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("</style>") == 1
    assert re.findall(r'(?:src|href)="', html) == []
    assert "url(" not in html
    ours = ("http://10.0.0.1:8080", "http://<wbr>10.0.0.1:8080", "http://www.w3.org/2000/svg")
    for known in ours:
        html = html.replace(known, "")
    assert "http" not in html


@pytest.mark.parametrize(
    ("address", "wifi", "strips"),
    [
        ("http://192.168.1.23:8080/", "School 12", 9),
        ("http://192.168.1.23:8080/", "", 9),
        ("http://[2001:db8:1234:5678:9abc:def0:1234:5678]:8080/", "Community Centre Guest Network 5", 5),
        (f"http://{'relay-' * 40}.example:8080/", "W" * 32, 2),
    ],
)
def test_there_are_as_many_strips_as_have_room_for_their_text(address: str, wifi: str, strips: int) -> None:
    html = file(Poster("School 12", address, "", voices_in(("kk",), LIKE), Wifi(wifi) if wifi else None))
    tail = html.partition("<footer")[2]
    assert tail.count("<p>") == strips
    assert tail.count(address.removeprefix("http://").removesuffix("/")) == strips
