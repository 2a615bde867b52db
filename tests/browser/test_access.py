"""Everybody can use the pages: the rules of WCAG 2.2 AA by axe, a keyboard alone, a narrow phone, large letters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshrelay.words import PAGE_LANGUAGES
from tests.browser.conftest import Site, serving
from tests.browser.scene import set_up, set_up_doubts
from tests.browser.test_reader import opened
from tests.web.sample import NOW, Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, dict[str, str]]]:
    """Return a served relay with one of everything, and the paths of its pages by name."""
    place = Place.open(tmp_path_factory.mktemp("scene"))
    found = set_up(place)
    place.relay.keyring.new("me", now=NOW)
    place.relay.hide(found["trucks"].id, now=NOW)
    place.relay.start_drill(now=NOW)
    place.relay.refresh()
    paths = {
        "front": "",
        "front, filtered": "?area=nowhere&category=Fire",
        "since": f"?since={NOW - 3600}",
        "known lane": "?lane=known",
        "unknown lane": "?lane=unknown",
        "extreme": f"b/{found['shots'].id.hex()}",
        "unknown sender": f"b/{found['rumour'].id.hex()}",
        "drill": f"b/{found['drill'].id.hex()}",
        "cancelled": f"b/{found['bridge'].id.hex()}",
        "province": f"b/{found['snow'].id.hex()}",
        "search": "search?q=water",
        "nothing found": "search?q=zeppelin",
        "about": "about",
        "carry": "carry",
        "nothing to send": "carry?take=nothing",
        "report": "report",
        "sent": "report?sent=",
        "screen": "screen",
        "screen, drill": "screen?n=3",
        "poster": "poster?lang=en&lang=fa",
        "missing": "b/" + "0" * 64,
        "no page": "nowhere",
    }
    with serving(place) as site:
        yield site, paths
    place.relay.close()


def with_language(path: str, language: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}lang={language}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(scheme: str, browser: Browser, scene: tuple[Site, dict[str, str]]) -> None:
    site, paths = scene
    # The rules are about structure and colour, which languages share: one of each direction will do.
    pages = {
        f"{name} ({language})": with_language(path, language)
        for name, path in paths.items()
        for language in (("en", "fa") if name in ("front", "extreme", "report") else ("en",))
    }
    assert violations(browser, site, pages, scheme=scheme) == []


def test_axe_finds_nothing_where_a_sender_or_a_time_is_in_doubt(browser: Browser, tmp_path: Path) -> None:
    place = Place.open(tmp_path)
    found = set_up_doubts(place)
    names = ("forked", "revoked", "outside", "ended", "divided", "announced")
    with serving(place) as site:
        pages = {name: f"b/{found[name].id.hex()}" for name in names}
        assert violations(browser, site, pages, scheme="light") == []
    place.relay.close()


def violations(browser: Browser, site: Site, pages: dict[str, str], *, scheme: str) -> list[str]:
    """Return what axe finds on pages, all of it unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Of all rules, contrast alone depends on the colours.
    what = {"type": "tag", "values": RULES} if scheme == "light" else {"type": "rule", "values": ["color-contrast"]}
    options = {"runOnly": what, "resultTypes": ["violations"]}
    found: list[str] = []
    with opened(browser, bypass_csp=True, color_scheme=scheme, java_script_enabled=True) as (page, _):
        for name, path in pages.items():
            page.goto(site.url + path)
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            for one in axe.run(page, options=options).response["violations"]:
                found.append(f"{name}: {one['id']}: {one['nodes'][0]['html'][:200]}")
    return found


def test_nothing_is_wider_than_the_narrowest_phone_even_in_large_letters(
    browser: Browser, scene: tuple[Site, dict[str, str]]
) -> None:
    site, paths = scene
    wide: list[str] = []
    with opened(browser) as (page, _):
        page.set_viewport_size({"width": 320, "height": 640})
        for name, path in paths.items():
            for language in PAGE_LANGUAGES if name in ("front", "extreme") else ("ru", "ar"):
                page.goto(site.url + with_language(path, language) + "&big=1")
                page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
                if page.evaluate("document.documentElement.scrollWidth") > 320:
                    wide.append(f"{name} {language}")
    assert wide == []


STOP = """() => { const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
    one.dataset.reached = "yes";
    const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const inside = box.top >= -1 && Math.min(box.bottom, innerHeight) - box.top >= Math.min(box.height, 24) - 1;
    const above = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height, 20) / 2);
    const free = above === null || one.contains(above) || above.contains(one);
    return ringed && inside && free ? "" : (one.textContent.trim() || one.name || one.id) }"""
"""What the focus is on, unless its ring can be seen."""


def test_a_keyboard_reaches_everything_and_its_focus_is_always_seen(
    browser: Browser, scene: tuple[Site, dict[str, str]]
) -> None:
    site, paths = scene
    stops = "a[href], button, input:not([type=hidden]), select, textarea, summary"
    with opened(browser) as (page, _):
        for name in ("front", "extreme", "carry", "report", "about"):
            page.goto(site.url + paths[name])
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            hidden = []
            for _ in range(page.locator(stops).count()):
                page.keyboard.press("Tab")
                hidden.append(page.evaluate(STOP))
            assert [one for one in hidden if one] == [], name
            left = page.evaluate(f"[...document.querySelectorAll('{stops}')].filter(one => !one.dataset.reached)")
            assert left == [], name


def test_by_the_keyboard_alone_one_unfolds_searches_and_sends_a_report(
    browser: Browser, scene: tuple[Site, dict[str, str]]
) -> None:
    site, _ = scene
    with opened(browser) as (page, _):
        page.goto(site.url)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # "Skip to the bulletins"
        assert page.url.endswith("#main")
        page.locator(".lane.open summary").focus()
        page.keyboard.press("Enter")
        assert page.get_by_role("link", name="Bank machines").is_visible()
        page.get_by_role("searchbox").focus()
        page.keyboard.type("frost")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Hard frost").wait_for()
        page.goto(f"{site.url}report")
        page.locator("#what").focus()
        for words in ("Smoke", "Mill", "noon", "blue house"):
            page.keyboard.type(words)
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Your report was sent").wait_for()
