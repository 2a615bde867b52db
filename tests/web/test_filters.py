"""What of all that is here a reader chose to see, and what has come or changed since a moment."""

from __future__ import annotations

import pytest

from meshrelay.core.bulletin import Area, Category, MsgType
from meshrelay.web.filters import Filters
from tests.web.sample import HOUR, NOW, Author, Client, Place, fill, text
from tests.web.test_pages import lane, page, titles


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("in=fa", ["Shots near Station Square"]),
        ("area=north", ["Shots near Station Square"]),
        ("area=%D1%81%D0%B5%D0%B2%D0%B5%D1%80%D0%BD%D1%8B%D0%B9", ["Shots near Station Square"]),
        ("category=Health", ["Clinic open"]),
        ("category=health&area=clay", ["Clinic open"]),
        ("category=Health&area=north", []),
    ],
)
async def test_a_language_a_place_or_a_category_can_be_chosen(
    query: str, shown: list[str], client: Client, place: Place
) -> None:
    fill(place)
    health = Author(40)
    place.anchor(health, "Clinic")
    place.put(
        health.sign(text("Clinic open"), categories=(Category.HEALTH,), areas=(Area((("en", "Clay Hill"),)),)),
    )
    html = await page(client, f"/?{query}")
    assert (titles(lane(html, "known")) if shown else titles(html)) == shown
    assert "Only some of the bulletins are shown." in html
    assert ("Nothing here fits what you chose." in html) == (not shown)


async def test_the_form_stands_as_it_was_filled_in_and_keeps_the_language(client: Client, place: Place) -> None:
    fill(place)
    html = await page(client, "/?lang=ru&in=ug&area=%22%3E&category=Fire&since=6h&big=1")
    assert '<option value="ug" lang="ug" selected>' in html
    assert '<option value="Fire" selected>' in html
    assert '<option value="6h" selected>' in html
    assert 'value="&#34;&gt;"' in html
    assert '<input type="hidden" name="lang" value="ru">' in html
    assert '<input type="hidden" name="big" value="1">' in html
    assert "in=ug&amp;area=%22%3E&amp;category=Fire&amp;since=6h" in html  # in the language row


async def test_what_makes_no_sense_is_left_out(client: Client, place: Place) -> None:
    fill(place)
    assert titles(await page(client, "/?category=Nonsense&since=yesterday")) == titles(await page(client))
    assert not Filters.of({"category": "x", "since": "-1"}).active
    assert Filters.of({"since": "9" * 13}).since == ""


async def test_since_a_moment_only_what_came_or_changed_is_shown(client: Client, place: Place) -> None:
    rescue = Author(41)
    place.anchor(rescue, "Rescue")
    old, moved, gone = (rescue.sign(text(name), sent=NOW - 5 * HOUR) for name in ("Old", "Moved", "Withdrawn"))
    place.put(old, moved, gone, received=NOW - 4 * HOUR)
    # Signed before the reader was last here, and yet news: it has come only now.
    update = rescue.sign(text("New"), msg_type=MsgType.UPDATE, references=(moved.id,), sent=NOW - 3 * HOUR)
    cancel = rescue.sign(text("Withdrawn"), msg_type=MsgType.CANCEL, references=(gone.id,), sent=NOW - 3 * HOUR)
    place.put(update, cancel, received=NOW - 600)
    html = await page(client, f"/?since={NOW - HOUR}")
    assert titles(lane(html, "known")) == ["New"]
    over = html[html.index('<details class="gone" open>') :]
    assert "Withdrawn" in over
    assert ">Moved</a></s>" in over
    assert "Old" not in html
    assert "What is new since" in html
    html = await page(client, f"/?since={NOW - 60}")
    assert titles(html) == []
    assert "Nothing has come or changed since then." in html


async def test_what_ended_by_itself_since_then_is_named(client: Client, place: Place) -> None:
    rescue = Author(42)
    place.anchor(rescue, "Rescue")
    place.put(rescue.sign(text("Water trucks"), sent=NOW - 5 * HOUR, life=5 * HOUR - 60), received=NOW - 4 * HOUR)
    assert "Water trucks" in await page(client, f"/?since={NOW - HOUR}")
    assert "Water trucks" not in await page(client, f"/?since={NOW - 30}")


async def test_every_page_offers_its_own_moment_for_the_next_visit(client: Client, place: Place) -> None:
    fill(place)
    assert f'href="/?lang=kk&amp;area=north&amp;since={NOW}"' in await page(client, "/?lang=kk&area=north")


async def test_a_filtered_lane_goes_on_filtered(client: Client, place: Place) -> None:
    author = Author(43)
    place.anchor(author, "Bakery")
    place.put(
        *[
            author.sign(text(f"Notice {number}"), areas=(Area((("en", "Mill" if number % 2 else "Hill"),)),))
            for number in range(120)
        ]
    )
    html = await page(client, "/?area=mill")
    assert "lane=known&amp;after=" in html
    after = html.split("lane=known&amp;after=")[1].split("&amp;")[0]
    more = titles(await page(client, f"/?lane=known&after={after}&area=mill"))
    assert len(more) == 35
    assert {int(title.split()[1]) % 2 for title in more} == {1}


async def test_large_letters_stay_chosen_on_every_link(client: Client, place: Place) -> None:
    found = fill(place)
    html = await page(client, "/?big=1")
    assert '<html lang="en" dir="ltr" class="big">' in html
    assert f'href="/b/{found["water"].id.hex()}?big=1"' in html
    assert 'href="/about?big=1"' in html
    assert 'class="big"' not in await page(client)
