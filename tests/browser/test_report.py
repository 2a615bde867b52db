"""A visitor's report in a real browser: sent by its own page alone, and no wider than a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.test_reader import PHONE, opened
from tests.web.sample import Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import Serve

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["kk", "fa", "my"])
def test_a_visitor_without_javascript_writes_a_report(
    language: str, browser: Browser, serve: Serve, place: Place
) -> None:
    with serve(place) as site, opened(browser, java_script_enabled=False) as (page, seen):
        page.goto(f"{site.url}?lang={language}")
        page.click("main a[href^='/report']")
        page.fill("#what", "Дым над мельницей")
        page.fill("#where", "Мельничная")
        for field in ("what", "where", "when", "contact"):
            box = page.locator(f"#{field}").bounding_box()
            assert box is not None
            assert box["height"] >= 24
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"]
            assert page.locator(f"label[for={field}]").count() == 1
        page.click(".report .btn")
        assert page.url == f"{site.url}report?lang={language}&sent="
        page.wait_for_load_state("load")  # a page that is half there cannot be asked for again
        page.reload()
        assert [one for one in seen if not one.startswith(site.url)] == []
    assert [(one.language, one.what) for one in place.relay.local.reports()] == [(language, "Дым над мельницей")]


def test_a_page_of_another_site_sends_nothing(browser: Browser, serve: Serve, place: Place) -> None:
    with serve(place) as site, opened(browser) as (page, _):
        page.goto(f"{site.url}report")
        token = page.get_attribute("[name=token]", "value")
        page.goto("about:blank")
        fields = "".join(
            f"<input name={name} value='{value}'>" for name, value in (("what", "x"), ("where", "y"), ("token", token))
        )
        page.set_content(f"<form method=post action='{site.url}report'>{fields}<button>x</button></form>")
        with page.expect_navigation() as answer:
            page.click("button")
        assert answer.value is not None
        assert answer.value.status == 403
    assert place.relay.local.reports() == ()
