"""The reader's pages in a real browser: a small phone, both directions, with JavaScript and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from meshrelay.core.bulletin import Severity
from tests.web.sample import NOW, Author, Place, fill, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Serve

pytestmark = pytest.mark.browser
PHONE = {"width": 360, "height": 640}


@contextmanager
def opened(browser: Browser, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """Open a page, and gather everything that it asks for or complains about."""
    context = browser.new_context(viewport=PHONE, **options)  # type: ignore[arg-type]
    page = context.new_page()
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: seen.append(f"error: {error}"))
    page.on("dialog", lambda dialog: seen.append(f"dialog: {dialog.message}"))
    yield page, seen
    context.close()


@pytest.mark.parametrize("language", ["en", "my", "ar"])
def test_nothing_is_wider_than_a_small_phone(language: str, browser: Browser, serve: Serve, place: Place) -> None:
    found = fill(place)
    place.put(Author(12).sign(text("W" * 300, sender_name="M" * 300, instruction="x" * 500), severity=Severity.SEVERE))
    with serve(place) as site, opened(browser) as (page, seen):
        for path in ("", f"b/{found['update'].id.hex()}", "about", "search?q=water"):
            page.goto(f"{site.url}{path}{'&' if '?' in path else '?'}lang={language}")
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        assert [one for one in seen if not one.startswith(site.url)] == []


@pytest.mark.parametrize(("language", "side"), [("fa", "right"), ("ar", "right"), ("en", "left"), ("kk", "left")])
def test_the_line_runs_on_the_side_where_reading_begins(
    language: str, side: str, browser: Browser, serve: Serve, place: Place
) -> None:
    fill(place)
    with serve(place) as site, opened(browser) as (page, _):
        page.goto(f"{site.url}?lang={language}")
        edges = page.evaluate(
            "(() => { const style = getComputedStyle(document.querySelector('.card.extreme'));"
            " return {left: parseFloat(style.borderLeftWidth), right: parseFloat(style.borderRightWidth)} })()"
        )
        assert edges[side] > 5
        assert edges["left" if side == "right" else "right"] == 0


def test_the_pages_are_whole_without_javascript(browser: Browser, serve: Serve, place: Place) -> None:
    fill(place)
    place.relay.store.index_backlog(100)
    with serve(place) as site, opened(browser, java_script_enabled=False) as (page, _):
        page.goto(site.url)
        page.get_by_role("link", name="Shots near Station Square").first.click()
        assert page.get_by_role("heading", level=1).inner_text() == "Shots near Station Square"
        page.get_by_role("link", name="فارسی").first.click()
        assert page.locator("html").get_attribute("dir") == "rtl"
        page.goto(site.url)
        page.get_by_role("searchbox").fill("water")
        page.get_by_role("button", name="Find").click()
        assert page.get_by_role("link", name="Boil tap water").is_visible()
        page.goto(site.url)
        page.get_by_text("No longer true").click()
        assert page.get_by_text("open on foot").is_visible()


def test_no_request_leaves_the_relay_and_nothing_is_complained_about(
    browser: Browser, serve: Serve, place: Place
) -> None:
    found = fill(place)
    with serve(place) as site, opened(browser) as (page, seen):
        for path in ("", f"b/{found['water'].id.hex()}", "about"):
            page.goto(site.url + path)
            page.wait_for_load_state("load")
        assert seen
        assert [one for one in seen if not one.startswith(site.url)] == []


def test_a_known_alarm_is_in_the_first_view(browser: Browser, serve: Serve, place: Place) -> None:
    fill(place)
    with serve(place) as site, opened(browser) as (page, _):
        page.goto(site.url)
        box = page.get_by_text("Stay inside.").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"]


def test_what_is_new_is_offered_and_moves_nothing(browser: Browser, serve: Serve, place: Place) -> None:
    fill(place)
    bakery = Author(5)
    place.anchor(bakery, "Bakery")
    with serve(place) as site, opened(browser) as (page, _):
        page.goto(site.url)
        live = page.get_by_role("status")
        assert live.inner_text() == ""
        with page.expect_response(re.compile("/api/v1/events")):
            page.reload()
        before = page.get_by_role("article").count()
        place.put(bakery.sign(text("Bridge open", sender_name="x")), received=NOW)
        site.changed()
        link = live.get_by_role("link", name="1 new, show")
        link.wait_for(timeout=10_000)
        assert page.get_by_role("article").count() == before
        link.click()
        page.get_by_role("link", name="Bridge open").first.wait_for(timeout=10_000)
        assert page.get_by_role("article").count() == 1  # what is new, and nothing else


def test_every_target_is_large_enough_for_a_thumb(browser: Browser, serve: Serve, place: Place) -> None:
    fill(place)
    with serve(place) as site, opened(browser) as (page, _):
        page.goto(site.url)
        small = page.evaluate(
            "[...document.querySelectorAll('.row a, .new, button, input, summary, h3 a')].filter(one =>"
            " one.getClientRects().length && one.getBoundingClientRect().height < 24).map(one => one.textContent)"
        )
        assert small == []


@pytest.mark.parametrize(("language", "before", "after"), [("en", "41 min ago", "51 min ago"), ("fa", "۴۱", "۵۱")])
def test_how_long_ago_something_was_stays_true(
    language: str, before: str, after: str, browser: Browser, serve: Serve, place: Place
) -> None:
    fill(place)
    with serve(place) as site, opened(browser) as (page, _):
        # The phone's clock is wrong by a year; the relay says what time it is.
        page.clock.install(time=NOW + 365 * 86400)
        with page.expect_response(re.compile("/api/v1/events")):
            page.goto(f"{site.url}?lang={language}")
        first = page.locator(".card.extreme time.ago").first
        assert before in first.inner_text()
        page.wait_for_function("document.querySelector('#live')")
        page.clock.fast_forward(10 * 60_000)
        page.wait_for_function(
            "said => document.querySelector('.card.extreme time.ago').innerText.includes(said)", arg=after
        )


@pytest.mark.parametrize(
    ("zone", "hour", "offset"),
    [("Asia/Tashkent", "13:25", "UTC+5"), ("Asia/Dubai", "12:25", "UTC+4"), ("Asia/Kolkata", "13:55", "UTC+5:30")],
)
def test_hours_are_those_of_the_phone_where_the_relay_has_no_zone(
    zone: str, hour: str, offset: str, browser: Browser, serve: Serve, place: Place
) -> None:
    found = fill(place)
    place.settings = replace(place.settings, time_zone="")
    with serve(place) as site, opened(browser, timezone_id=zone) as (page, _):
        page.goto(f"{site.url}b/{found['update'].id.hex()}")
        facts = page.locator(".facts").inner_text()
        assert f"at {hour}" in facts
        assert offset in facts


def test_hours_are_the_relay_s_where_it_has_a_zone(browser: Browser, serve: Serve, place: Place) -> None:
    found = fill(place)
    with serve(place) as site, opened(browser, timezone_id="UTC") as (page, _):
        for path in ("", f"b/{found['update'].id.hex()}", "screen"):
            with page.expect_response(re.compile("/api/v1/events")):
                page.goto(site.url + path)
            said = page.locator("body").inner_text()
            assert "at 13:25" in said, path
            assert "08:25" not in said, path
            assert "09:06" not in said, path
            assert "14:06" in (page.locator("#live").get_attribute("data-lost") or "")
        assert "It is 14:06 here." in said
        before = page.locator("#live").get_attribute("data-next")
        page.clock.install()
        page.reload()
        page.clock.run_for(16_000)
        page.wait_for_function("before => document.getElementById('live').dataset.next !== before", arg=before)
        assert "It is 14:06 here." in page.locator("body").inner_text()


def test_hours_stay_the_relay_s_where_the_phone_s_day_is_another(browser: Browser, serve: Serve, place: Place) -> None:
    found = fill(place)
    place.settings = replace(place.settings, time_zone="")
    here = datetime.fromtimestamp(NOW - 41 * 60, UTC).astimezone()
    with serve(place) as site, opened(browser, timezone_id="Pacific/Auckland") as (page, _):
        page.goto(f"{site.url}b/{found['update'].id.hex()}")
        assert f"at {here:%H:%M}" in page.locator(".facts").inner_text()
