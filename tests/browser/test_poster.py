"""The poster as a printer gets it: one page, whose codes say to a phone what they should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import serving
from tests.browser.test_reader import opened
from tests.cli.conftest import Terminal
from tests.web.sample import Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
ADDRESS = "http://192.168.1.23:8080/"


def printed(browser: Browser, url: str, path: Path) -> tuple[int, list[str], str]:
    """Print a page into a file; return how many pages it has, what its codes say, and its text."""
    pdfium, codes = pytest.importorskip("pypdfium2"), pytest.importorskip("zxingcpp")
    with opened(browser) as (page, _):
        page.goto(url)
        page.pdf(path=path, prefer_css_page_size=True)
    document = pdfium.PdfDocument(path)
    image = document[0].render(scale=3).to_pil()
    text = document[0].get_textpage().get_text_range()
    return len(document), sorted(code.text for code in codes.read_barcodes(image)), text


@pytest.mark.parametrize("languages", [("en",), ("kk", "ru", "en"), ("my", "ar", "fa", "fr")])
@pytest.mark.parametrize(
    ("wifi", "password", "code"),
    [
        ("ThreePoplars", "correct horse", "WIFI:T:WPA;S:ThreePoplars;P:correct horse;;"),
        ('Üç;Te"rek', "", 'WIFI:T:nopass;S:Üç\\;Te\\"rek;;'),
    ],
)
def test_the_file_is_one_page_whose_codes_join_the_wifi_and_open_the_address(
    wifi: str, password: str, code: str, languages: tuple[str, ...], browser: Browser, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "data")
    terminal.do("key", "new", "me")
    words = ["--address", "192.168.1.23:8080", "--wifi", wifi]
    if password:
        (tmp_path / "wifi").write_text(f"{password}\n")
        words += ["--wifi-password-file", str(tmp_path / "wifi")]
    for language in languages:
        words += ["--lang", language]
    terminal.do("poster", str(tmp_path / "p.html"), *words)
    pages, found, text = printed(browser, (tmp_path / "p.html").as_uri(), tmp_path / "p.pdf")
    assert pages == 1
    assert found == sorted([code, ADDRESS])
    assert ADDRESS in text
    digits = terminal.read("key", "list")["keys"][0]["digits"]
    assert digits.split()[0] in text


def test_the_page_prints_as_one_page_without_its_link(browser: Browser, place: Place, tmp_path: Path) -> None:
    with serving(place) as site:
        pages, found, text = printed(browser, f"{site.url}poster?lang=en&lang=kk", tmp_path / "p.pdf")
        assert pages == 1
        assert found == [site.url]
        assert "Print this page" not in text
        with opened(browser, color_scheme="dark") as (page, seen):
            page.goto(f"{site.url}poster")
            assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
            assert page.get_by_role("link", name="All bulletins").is_visible()
            assert [one for one in seen if not one.startswith(site.url)] == []
