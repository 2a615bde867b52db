"""The poster as a printer gets it: one page, whose codes say to a phone what they should."""

from __future__ import annotations

from datetime import UTC
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshrelay.web.poster import MOST_LANGUAGES, Poster, Wifi, file, voices_in
from meshrelay.words import Words
from tests.browser.conftest import serving
from tests.browser.test_reader import opened
from tests.cli.conftest import Terminal
from tests.web.sample import NOW, Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
ADDRESS = "http://192.168.1.23:8080/"
MANY_WORDS = ("ru", "ar", "my", "fr", "es")
"""The languages in which the poster's texts take the most room."""
DIGITS = "12345 67890 12345 67890 1234567"
LONG_WIFI = "Community Centre Guest Network 5"
LONG_NAME = "Районный общественный центр помощи имени Абая Кунанбаева, второй корпус, зал 120"
LONG_PASSWORD = "correct horse battery staple, correct horse battery staple, 123"
V6 = "http://[2001:db8:1234:5678:9abc:def0:1234:5678]:8080/"
LONG_HOST = "http://" + ".".join(["relay-of-the-community-centre-in-the-old-town"] * 5) + ".example.org:8080/"
CUT = """() => {
    const sheet = document.querySelector(".sheet").getBoundingClientRect();
    const footer = document.querySelector("footer").getBoundingClientRect();
    const cut = [];
    // A box's edges, and those of every line of text in it, which may be larger than the box.
    const look = (element, bottom, right) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        for (const box of [element.getBoundingClientRect(), ...range.getClientRects()]) {
            if (!box.width && !box.height) continue;
            if (box.bottom > bottom + 0.5 || box.right > right + 0.5 || box.left < sheet.left - 0.5)
                return cut.push(`${element.tagName}: ${element.textContent.trim()}`);
        }
    };
    for (const one of document.querySelectorAll("h1, h2, p, svg, time"))
        if (!one.closest("footer")) look(one, footer.top, sheet.right);
    for (const one of document.querySelectorAll("footer p")) {
        const strip = one.getBoundingClientRect();
        look(one, Math.min(strip.bottom, sheet.bottom), strip.right);
        if (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight) cut.push("scrolls");
    }
    return cut;
}"""
"""Returns what is not whole on the sheet: what reaches into the strips or over the edge, and strips with cut text."""


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


@pytest.mark.parametrize("count", range(1, MOST_LANGUAGES + 1))
@pytest.mark.parametrize(
    ("relay", "address", "wifi"),
    [
        ("School 12", ADDRESS, Wifi("School 12")),
        ("School 12", ADDRESS, None),
        ("School 12", "http://192.168.100.123:18080/", Wifi("Community Centre Guest")),
        (LONG_NAME, ADDRESS, Wifi(LONG_WIFI)),
        (LONG_NAME, V6, Wifi(LONG_WIFI, LONG_PASSWORD)),
        ("М" * 80, LONG_HOST, Wifi("W" * 32, "W" * 63)),
        ("မြို့" * 16, ADDRESS, Wifi("မြို့နယ်")),
    ],
    ids=("short", "blank", "usual", "long", "longest", "absurd", "burmese"),
)
def test_nothing_on_the_sheet_is_cut(relay: str, address: str, wifi: Wifi | None, count: int, browser: Browser) -> None:
    like = Words("en", UTC, NOW)
    with opened(browser) as (page, _):
        page.set_viewport_size({"width": 800, "height": 1123})
        page.emulate_media(media="print")
        for languages in combinations(MANY_WORDS, count):
            page.set_content(file(Poster(relay, address, DIGITS, voices_in(languages, like), wifi)))
            assert page.evaluate(CUT) == [], languages


@pytest.mark.parametrize("address", [ADDRESS, "http://10.0.0.1/", "http://192.168.100.123:8080/"])
def test_a_strip_breaks_no_number_of_an_address(address: str, browser: Browser) -> None:
    poster = Poster("School 12", address, DIGITS, voices_in(("kk", "ru", "ar"), Words("en", UTC, NOW)), Wifi("School"))
    with opened(browser) as (page, _):
        page.set_viewport_size({"width": 800, "height": 1123})
        page.set_content(file(poster))
        strip = page.locator("footer p").first.inner_text()
        assert strip.endswith(address.removesuffix("/"))
        # Each line of text has a box of its own; vertical, they stand side by side.
        lines = page.evaluate(
            "(() => { const texts = document.querySelector('footer p > bdi').childNodes, range = new Range();"
            " range.selectNode(texts[texts.length - 1]); return range.getClientRects().length })()"
        )
        assert lines == 1
