"""The wall display: what is on it, in which order, and that it turns without JavaScript."""

from __future__ import annotations

import re

import pytest

from meshrelay.core.bulletin import Severity, Status
from meshrelay.web.screen import MOST_TEXT, OTHER_LANGUAGES
from tests.web.sample import NOW, Author, Client, Place, fill, text
from tests.web.test_pages import page


def headline(html: str) -> str:
    return str(re.findall(r"<h1[^>]*>(.*?)</h1>", html)[0])


def following(html: str) -> str:
    return str(re.findall(r'http-equiv="refresh" content="15;url=([^"]+)"', html)[0]).replace("&amp;", "&")


async def turned(client: Client, path: str = "/screen") -> list[str]:
    """Return the headlines in the order of the display, until it begins anew."""
    seen: list[str] = []
    while True:
        html = await page(client, path)
        if headline(html) in seen:
            return seen
        seen.append(headline(html))
        path = following(html)


async def test_urgent_bulletins_of_known_senders_take_turns(client: Client, place: Place) -> None:
    fill(place)
    assert await turned(client) == ["Shots near Station Square", "Boil tap water"]


async def test_what_is_not_urgent_is_shown_while_nothing_else_is(client: Client, place: Place) -> None:
    school = Author(60)
    place.anchor(school, "School")
    place.put(
        school.sign(text("Bread"), severity=Severity.MINOR), Author(61).sign(text("x"), severity=Severity.EXTREME)
    )
    assert await turned(client) == ["Bread"]


async def test_what_is_not_valid_yet_says_so_above_its_headline(client: Client, place: Place) -> None:
    rescue = Author(60)
    place.anchor(rescue, "Rescue")
    place.put(rescue.sign(text("The bridge opens"), effective=NOW + 7200))
    html = await page(client, "/screen")
    assert html.index("Not valid yet.") < html.index("The bridge opens")


async def test_an_unknown_sender_is_never_on_it_drill_or_not(client: Client, place: Place) -> None:
    stranger = Author(62)
    place.put(
        stranger.sign(text("Run"), severity=Severity.EXTREME),
        stranger.sign(text("Run, a drill"), severity=Severity.EXTREME, status=Status.EXERCISE),
    )
    html = await page(client, "/screen")
    assert "Run" not in html
    assert "Nothing is in force now" in html


async def test_a_known_drill_comes_after_what_is_real_and_is_marked(client: Client, place: Place) -> None:
    fill(place)
    school = Author(63)
    place.anchor(school, "School")
    place.put(school.sign(text("The river rises"), severity=Severity.EXTREME, status=Status.EXERCISE))
    assert (await turned(client))[-1] == "The river rises"
    html = await page(client, "/screen?n=3")
    assert 'class="card isdrill' in html
    assert "Drill, not real" in html


async def test_an_empty_relay_says_so_and_where_to_read(client: Client) -> None:
    html = await page(client, "/screen?lang=ru")
    assert "Здесь пока ничего нет" in html
    assert f"http://127.0.0.1:{client.port}/" in html
    assert following(html) == "/screen?lang=ru&n=1"


async def test_two_more_languages_stand_beneath_the_headline(client: Client, place: Place) -> None:
    known = Author(64)
    place.anchor(known, "School")
    place.put(known.sign(*[text(f"Bread {tag}", tag) for tag in ("en", "kk", "ru", "fa", "ar")]))
    html = await page(client, "/screen?lang=fa")
    assert headline(html) == "Bread fa"
    assert html.count('class="other soft"') == OTHER_LANGUAGES


@pytest.mark.parametrize("asked", ["0", "99", "-1", "x", "1e3", "٣"])
async def test_a_number_that_is_not_there_begins_anew(asked: str, client: Client, place: Place) -> None:
    fill(place)
    assert headline(await page(client, f"/screen?n={asked}")) == "Shots near Station Square"


async def test_the_longer_the_text_the_smaller_the_letters(client: Client, place: Place) -> None:
    known = Author(65)
    place.anchor(known, "School")
    sizes = []
    for length in (20, 700, 5000):
        place.put(known.sign(text(f"Water {length}", instruction="word " * (length // 5)), severity=Severity.EXTREME))
        place.now += 60
        pages = [await page(client, f"/screen?n={number}") for number in (1, 2, 3)]
        found = next(html for html in pages if headline(html) == f"Water {length}")
        sizes.append(int(re.findall(r"card extreme size(\d)", found)[0]))
        assert len(re.findall(r'<p class="act">.*?</p>', found, re.DOTALL)[0]) < MOST_TEXT + 300
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[1] < sizes[2]


async def test_it_shows_a_withdrawal_at_the_next_turn(client: Client, place: Place) -> None:
    found = fill(place)
    assert headline(await page(client, "/screen")) == "Shots near Station Square"
    place.relay.hide(found["update"].id, now=NOW)
    place.now += 20
    assert headline(await page(client, "/screen")) == "Boil tap water"
