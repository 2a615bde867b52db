"""The wall display through ten minutes: it turns, it hears of news, it says when it is alone, and nothing overflows."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.words import PAGE_LANGUAGES
from tests.browser.conftest import Serve
from tests.browser.scene import set_up
from tests.browser.test_reader import PHONE, opened
from tests.web.sample import NOW, Author, Place, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
WALL = {"width": 1280, "height": 720}
TALES = {
    "short": ("Fire", "Leave."),
    "usual": ("Boil tap water on the North Bank", "Boil it for one minute before drinking or cooking. " * 2),
    "long": (
        "Curfew tonight 23:00 to 05:00 in all districts: what the order says and who may pass " * 2,
        "x y z " * 150,
    ),
    "longest": ("W" * 200, "M" * 900),
    "lines": ("Shelters", "\n".join(f"School {number}" for number in range(60))),
}


def headline(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def turned(page: Page, seconds: float) -> str:
    """Let the display's time pass, and return what stands on it then."""
    before = page.locator("#live").get_attribute("data-next")
    page.clock.run_for(int(seconds * 1000))
    page.wait_for_function("before => document.getElementById('live').dataset.next !== before", arg=before)
    return headline(page)


def test_it_turns_for_ten_minutes_hears_of_news_and_says_when_it_is_alone(
    browser: Browser, serve: Serve, place: Place
) -> None:
    set_up(place)
    bakery = Author(70)
    place.anchor(bakery, "Bakery")
    with opened(browser) as (page, seen):
        page.set_viewport_size(WALL)  # type: ignore[arg-type]
        with serve(place) as site:
            page.clock.install(time=NOW)
            with page.expect_response("**/api/v1/events*"):
                page.goto(f"{site.url}screen")
            rows = [headline(page)] + [turned(page, 15.1) for _ in range(40)]
            assert len(set(rows)) == 3
            assert rows[:3] * 13 == rows[:39]  # in turn, none left out
            place.put(bakery.sign(text("Fire in the mill"), severity=Severity.EXTREME, sent=NOW), received=NOW)
            site.changed()
            page.get_by_role("heading", level=1, name="Fire in the mill").or_(
                page.get_by_text("1 of 4", exact=False)
            ).first.wait_for(timeout=10_000)
            assert "Fire in the mill" in {headline(page), *(turned(page, 15.1) for _ in range(3))}
            assert page.evaluate("document.querySelectorAll('body *').length") < 250
            assert sum("/api/v1/events" in one for one in seen) == 1
            assert [one for one in seen if not one.startswith(site.url)] == []
            last = headline(page)
        page.clock.run_for(16_000)
        page.get_by_text("Not connected; this is the copy of").wait_for(timeout=10_000)
        assert headline(page) == last


def test_without_javascript_it_turns_by_itself(
    browser: Browser, serve: Serve, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(place)
    monkeypatch.setattr("meshrelay.web.screen.SECONDS", 1)
    with serve(place) as site, opened(browser, java_script_enabled=False) as (page, _):
        page.goto(f"{site.url}screen")
        seen = {headline(page)}
        end = time.monotonic() + 15
        while len(seen) < 3 and time.monotonic() < end:
            page.wait_for_url(f"{site.url}screen?n=*", timeout=10_000)
            seen.add(headline(page))
            page.wait_for_timeout(300)
        assert len(seen) == 3


@pytest.mark.parametrize("name", ["Mill", "Информационный центр помощи Северного берега"])
def test_on_a_phone_no_word_of_its_clock_or_its_address_is_broken(
    name: str, browser: Browser, serve: Serve, place: Place
) -> None:
    set_up(place)
    place.settings = replace(place.settings, name=name)
    with serve(place) as site, opened(browser) as (page, _):
        for language in PAGE_LANGUAGES:
            page.goto(f"{site.url}screen?lang={language}")
            for what in (".now", "footer b bdi"):
                lines = page.evaluate(
                    "what => { const range = document.createRange();"
                    " range.selectNodeContents(document.querySelector(what));"
                    " return new Set([...range.getClientRects()].map(one => Math.round(one.bottom))).size }",
                    what,
                )
                assert lines == 1, (language, what)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], language


@pytest.mark.parametrize("size", [WALL, {"width": 1920, "height": 1080}, {"width": 1024, "height": 768}])
def test_the_whole_text_has_a_place(size: dict[str, int], browser: Browser, serve: Serve, place: Place) -> None:
    known = Author(80)
    place.anchor(known, "Lailak Valley Rescue")
    for title, instruction in TALES.values():
        place.put(
            known.sign(
                text(title[:200], instruction=instruction),
                text("Вскипятите воду из крана на Северном берегу", "ru"),
                text("بسیار مهم: آب را بجوشانید", "fa"),
                severity=Severity.EXTREME,
            )
        )
    with serve(place) as site, opened(browser) as (page, _):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        for number in range(1, len(TALES) + 1):
            for language in ("en", "fa", "my"):
                page.goto(f"{site.url}screen?n={number}&lang={language}")
                over = page.evaluate(
                    "(() => { const at = (what) => document.querySelector(what).getBoundingClientRect();"
                    " return Math.max(at('.card').bottom - at('footer').top, at('footer').bottom - innerHeight) })()"
                )
                assert over <= 1, (headline(page)[:30], language)
