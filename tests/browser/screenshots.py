"""Take the pictures that README and the guides show: ``python -m tests.browser.screenshots docs/pictures``.

A made-up relay (scene.py) is served and looked at by Debian's chromium; each picture gets 64 colours, so that all of
them together stay small. Whoever changes how pages look takes them anew and looks at each.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from yarl import URL

from meshrelay.core.envelope import SignedItem
from tests.browser.conftest import Site, serving
from tests.browser.scene import set_up, set_up_doubts
from tests.conftest import CHROMIUM
from tests.web.sample import NOW, Place

Fill = Callable[[Place], dict[str, SignedItem]]

COLOURS: Final = 64
PHONE: Final = (360, 760)
WALL: Final = (1280, 800)
SHEET: Final = (800, 1123)
GAP: Final = 16


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: of which page, how large, and how the reader has set up the phone."""

    name: str
    path: str
    size: tuple[int, int] = PHONE
    dark: bool = False
    scroll: int = 0
    unfold: bool = False


SHOTS: Final = (
    Shot("list", ""),
    Shot("list-dark", "?lang=ru", dark=True),
    Shot("list-fa", "?lang=fa"),
    Shot("list-my", "?lang=my", dark=True),
    Shot("list-unknown", "", scroll=2560, unfold=True),
    Shot("list-wide", "", size=WALL),
    Shot("bulletin", "b/{shots}"),
    Shot("bulletin-map", "b/{shots}", scroll=1500),
    Shot("bulletin-others", "b/{shots}", scroll=2090),
    Shot("bulletin-wide-map", "b/{snow}?lang=ru", dark=True, scroll=520),
    Shot("bulletin-cancelled", "b/{bridge}"),
    Shot("bulletin-unknown", "b/{rumour}"),
    Shot("bulletin-ar", "b/{shots}?lang=ar", dark=True),
    Shot("large-letters", "?lang=kk&big=1"),
    Shot("choose", "?category=Health", unfold=True),
    Shot("search", "search?q=water"),
    Shot("about", "about?lang=es", scroll=230),
    Shot("carry", "carry?lang=fr"),
    Shot("report", "report?lang=kk", dark=True),
    Shot("screen", "screen", size=WALL),
    Shot("screen-fa", "screen?lang=fa&n=2", size=WALL, dark=True),
    Shot("poster", "poster?lang=kk&lang=en&lang=fa", size=SHEET),
)
EMPTY: Final = (Shot("empty", ""),)
DRILL: Final = (Shot("drill", "", scroll=1), Shot("screen-drill", "screen?n=3", size=WALL))
DOUBTS: Final = (
    Shot("forked", "b/{forked}"),
    Shot("outside", "b/{outside}"),
    Shot("ended", "b/{ended}?lang=fa", dark=True),
    Shot("announced", "b/{announced}?lang=ru"),
)
TOGETHER: Final = {
    "phones": ("list", "list-fa", "bulletin", "list-dark"),
    "trust": ("list-unknown", "bulletin-unknown", "bulletin-cancelled", "drill"),
    "doubts": ("forked", "outside", "ended", "announced"),
    "pocket": ("carry", "report", "choose", "large-letters"),
}
"""Pictures that stand beside each other in one file."""


def main(folder: Path) -> None:
    """Take all pictures into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        taken: dict[str, Image.Image] = {}
        with _relay(Path(place) / "empty", drill=False) as (site, ids):
            taken |= _take(browser, site, ids, EMPTY)
        with _relay(Path(place) / "full", set_up, drill=False) as (site, ids):
            taken |= _take(browser, site, ids, SHOTS)
        with _relay(Path(place) / "drill", set_up, drill=True) as (site, ids):
            taken |= _take(browser, site, ids, DRILL)
        with _relay(Path(place) / "doubts", set_up_doubts, drill=False) as (site, ids):
            taken |= _take(browser, site, ids, DOUBTS)
        browser.close()
    parts = {name for names in TOGETHER.values() for name in names}
    for name, names in TOGETHER.items():
        _write(folder / f"{name}.png", _beside([taken[one] for one in names]))
    for name, picture in taken.items():
        if name not in parts:
            _write(folder / f"{name}.png", picture)
    total = sum(path.stat().st_size for path in folder.glob("*.png"))
    print(f"{len(list(folder.glob('*.png')))} pictures, {total / 1000:.0f} kB")


@contextmanager
def _relay(folder: Path, fill: Fill | None = None, *, drill: bool) -> Iterator[tuple[Site, dict[str, str]]]:
    place = Place.open(folder, languages=("en", "kk", "ru"))
    place.relay.keyring.new("me", now=NOW)
    place.relay.refresh()
    found = fill(place) if fill is not None else {}
    if fill is None:
        place.peers, place.last_exchange = (), None
    if drill:
        place.relay.start_drill(now=NOW)
    place.settings = replace(place.settings, name="Three Poplars")
    with serving(place) as site:
        yield site, {name: item.id.hex() for name, item in found.items()}
    place.relay.close()


_OTHER_ADDRESS = """([from, to]) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.nodeValue = walker.currentNode.nodeValue.replaceAll(from, to);
}"""


def _take(browser: Browser, site: Site, ids: dict[str, str], shots: tuple[Shot, ...]) -> dict[str, Image.Image]:
    taken = {}
    for shot in shots:
        width, height = shot.size
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if shot.dark else "light",
            device_scale_factor=2 if shot.size == PHONE else 1,
            timezone_id="Asia/Tashkent",
        )
        page = context.new_page()
        if shot.size == SHEET:
            page.emulate_media(media="print")
        page.goto(site.url + shot.path.format(**ids))
        if shot.unfold:
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.evaluate(f"scrollTo(0, {shot.scroll})")
        # The port of a test's relay means nothing to who looks at a picture.
        page.evaluate(_OTHER_ADDRESS, [URL(site.url).authority, "192.168.1.23:8080"])
        taken[shot.name] = Image.open(BytesIO(page.screenshot())).convert("RGB")
        context.close()
    return taken


def _beside(pictures: list[Image.Image]) -> Image.Image:
    width = sum(one.width for one in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(one.height for one in pictures)), "white")
    at = 0
    for one in pictures:
        sheet.paste(one, (at, 0))
        at += one.width + GAP
    return sheet


def _write(path: Path, picture: Image.Image) -> None:
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
