"""The wall display: one bulletin of a known sender at a time, large enough to be read across a room.

What is urgent comes first and, while there is any, alone with the drills of known senders behind it; an unknown sender
is never on it. It turns by a refresh of the page, or by the script, which also says when the relay is out of reach.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from meshrelay.core.bulletin import Severity
from meshrelay.core.clock import Clock
from meshrelay.listing import Lane, Query, Shown
from meshrelay.relay import Relay
from meshrelay.web.codes import code
from meshrelay.web.pages import KEPT, SERVICES, answer, page_for, render, shown_address
from meshrelay.web.states import warnings
from meshrelay.web.view import Card, Page, card
from meshrelay.words import direction
from meshrelay.words.languages import primary

MOST: Final = 12
SECONDS: Final = 15
"""For which one bulletin stands."""
OTHER_LANGUAGES: Final = 2
MOST_TEXT: Final = 900
"""Characters of what to do that have a place; the rest is read on a phone."""
_LOOKED_AT: Final = 60
_SIZES: Final = ((4.0, 2.2), (3.2, 1.8), (2.6, 1.5), (2.1, 1.25), (1.7, 1.05), (1.4, 0.9))
"""Letters of the headline and of what to do, in rem, as screen.css has them."""
_ROOM: Final = 25.0
_WIDTH: Final = 68.0
"""Height and width in rem that texts have on a screen of 16 to 9."""
_LETTER: Final = 0.56
"""The width of a letter, by its own size."""
_TALL: Final = frozenset({"ar", "fa", "my", "ug", "ur"})
_URGENT: Final = (Severity.EXTREME, Severity.SEVERE)


@dataclass(frozen=True, slots=True)
class Headline:
    """The headline of a bulletin in one more language."""

    language: str
    direction: str
    text: str


async def screen(request: web.Request) -> web.Response:
    """Show bulletin ``?n=`` of those that are on the wall display now, the first where there is no such number."""
    services, page, clock = request.config_dict[SERVICES], page_for(request), request.config_dict[SERVICES].clock()

    async def load() -> tuple[tuple[Shown, ...], str]:
        return await services.read(_on_display, services.relay, clock)

    key = ("screen", services.news.count, clock.now // SECONDS, clock.doubtful)
    shown, cursor = await request.app[KEPT].get(key, load)
    asked = request.query.get("n", "1")
    at = int(asked) if re.fullmatch("[0-9]{1,3}", asked) and 1 <= int(asked) <= len(shown) else 1
    one = shown[at - 1] if shown else None
    it = None if one is None else card(one, page, whole=True).cut(MOST_TEXT)
    others = [] if one is None else _others(one, page, services.settings.languages)
    address = shown_address(request)
    values = {
        "it": it,
        "others": others,
        "size": 0 if it is None else size(it, others),
        "urgent": one is not None and one.bulletin.severity in _URGENT,
        "at": at,
        "count": len(shown),
        "next": page.to("/screen", n=str(at % max(len(shown), 1) + 1)),
        "first": page.to("/screen", n="1"),
        "seconds": SECONDS,
        "cursor": cursor,
        "warnings": warnings(services, clock, page.words),
        "address": address,
        "code": code(address, page.words["code-address"]),
    }
    return answer(request, render(request, "screen.html", page, values), seconds=0)


def _on_display(relay: Relay, clock: Clock) -> tuple[tuple[Shown, ...], str]:
    cursor = relay.store.changes("").cursor
    live = relay.bulletins(Query(lane=Lane.KNOWN, limit=_LOOKED_AT), clock).shown
    real = [one for one in live if not one.verdict.drill]
    urgent = [one for one in real if one.bulletin.severity in _URGENT]
    drills = [one for one in live if one.verdict.drill]
    return tuple([*(urgent or real)[:MOST], *drills[: MOST // 3]]), cursor


def size(it: Card, others: Sequence[Headline]) -> int:
    """Return the number of the largest letters (screen.css) in which this fits on the display, going by its length."""
    for number, (title, text) in enumerate(_SIZES):
        rows = _height(it.title, title, it.language) + _height(it.instruction, text, it.language) * 1.15
        rows += 5.0 * bool(it.disputed) + 2.5 * bool(it.standing)
        rows += sum(_height(other.text, 1.6 if number < 4 else 1.0, other.language) for other in others)
        if rows <= _ROOM:
            return number
    return len(_SIZES) - 1


def _height(text: str, letters: float, language: str) -> float:
    """Return about how high a text stands, in rem, in letters of so many."""
    tall = primary(language) in _TALL
    lines = sum(-(-len(line) // max(1, int(_WIDTH / letters / _LETTER))) for line in text.splitlines())
    return lines * letters * (1.65 if tall else 1.3)


def _others(one: Shown, page: Page, wanted: tuple[str, ...]) -> list[Headline]:
    """Return the headline in further languages, those of the place before others."""
    shown = page.words.text_of(one.bulletin)
    rest = [text for text in one.bulletin.texts if shown is None or text.language != shown.language]
    rest.sort(key=lambda text: wanted.index(text.language) if text.language in wanted else len(wanted))
    found = [Headline(text.language, direction(text.language), text.headline or text.event) for text in rest]
    return [headline for headline in found if headline.text.strip()][:OTHER_LANGUAGES]
