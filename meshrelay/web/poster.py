"""The poster: one A4 page by which a visitor joins the Wi-Fi, opens the page and knows that it is the right one.

As a page of the reader's listener (without a Wi-Fi, which the relay does not know: its line is left to be filled in),
and as one file that needs nothing else, for `meshrelay poster`. Always black on white, in up to four languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Final
from unicodedata import combining, east_asian_width

import jinja2
from aiohttp import web
from markupsafe import Markup

from meshrelay.core.keys import digits
from meshrelay.relay import Relay
from meshrelay.web.codes import code, wifi_text
from meshrelay.web.pages import SERVICES, answer, asset, page_for, shown_address
from meshrelay.words import Words, direction, page_languages
from meshrelay.words.languages import primary
from meshrelay.words.times import local

MOST_LANGUAGES: Final = 4
_LONG: Final = 140
"""From how many columns on the names and numbers of a poster make all its letters smaller (poster.css)."""
_MOST_TABS, _LEAST_TABS = 9, 2
_TABS_WIDTH, _TAB_LINE, _TAB_MARGIN = 182.0, 4.2, 2.4
"""Millimetres: how wide all strips are together, a line on one of them, and what else one takes (poster.css)."""
_TAB_COLUMNS: Final = 18
_NARROW: Final = frozenset(".,:;/-'!|()[]ijltfI ")
_BROAD: Final = frozenset("mwMW@%+=жмфшщыюЖМФШЩЫЮ")


@dataclass(frozen=True, slots=True)
class Wifi:
    """A Wi-Fi to join; one without a password is open."""

    name: str
    password: str = ""


@dataclass(frozen=True, slots=True)
class Poster:
    """What stands on it: `address` is a URL, `key` the digits of the key that this relay signs with, or nothing."""

    relay: str
    address: str
    key: str
    voices: tuple[Words, ...]
    wifi: Wifi | None = None


async def show(request: web.Request) -> web.Response:
    """Show the poster to be printed, in the languages of ``?lang=`` (several may be given) and those of the place."""
    services, page = request.config_dict[SERVICES], page_for(request)
    asked = [tag[:35] for tag in request.query.getall("lang", [])]
    voices = voices_in([*asked, *services.settings.languages, page.words.language], page.words)
    poster = Poster(page.relay, shown_address(request), key_digits(services.relay, services.settings.key), voices)
    styles = Markup('<link rel="stylesheet" href="{}"><link rel="icon" href="{}">').format(
        asset("poster.css"), asset("icon.svg")
    )
    return answer(request, draw(poster, styles=styles, back=f"/{page.query}").encode(), seconds=0)


def voices_in(languages: Sequence[str], like: Words) -> tuple[Words, ...]:
    """Return the voices of a poster: of these the languages of pages, each once, four at most; else English."""
    asked = [primary(tag) for tag in languages]
    found = dict.fromkeys(known for tag in asked for known in page_languages() if primary(known) == tag)
    return tuple(
        Words(tag, like.tz, like.now, (tag,)) for tag in [*found, "en"][: min(len(found), MOST_LANGUAGES) or 1]
    )


def speaks(language: str) -> bool:
    """Tell whether there are words for a poster in a language."""
    return primary(language) in map(primary, page_languages())


def key_digits(relay: Relay, name: str = "") -> str:
    """Return the digits of the key that this relay signs with by default; nothing where there is none or no saying."""
    names = {called: key for key, called in relay.trust.own.items() if key not in relay.trust.revoked}
    chosen = names.get(name) or names.get("me") or (next(iter(names.values())) if len(names) == 1 else None)
    return digits(chosen) if chosen else ""


def file(poster: Poster) -> str:
    """Return the poster as one HTML file that loads nothing."""
    css = (files(__package__) / "static" / "poster.css").read_text(encoding="utf-8")
    # Our own sheet, which holds no end tag; a test looks.
    return draw(poster, styles=Markup("<style>{}</style>").format(Markup(css)), back="")  # noqa: S704


def draw(poster: Poster, *, styles: Markup, back: str) -> str:
    """Return the poster as HTML; with `back`, a link that leads to the list and is not printed."""
    first = poster.voices[0]
    network = poster.wifi or Wifi("")
    return _template().render(
        it=poster,
        w=first,
        styles=styles,
        back=back,
        direction=direction,
        tab_address=_split(poster.address),
        tabs=_tabs(poster),
        long=_columns(f"{poster.relay}{poster.address}{network.name}{network.password}") > _LONG,
        made=local(first.now, first.tz).date().isoformat(),
        address_code=code(poster.address, first["code-address"]),
        wifi_code=code(wifi_text(poster.wifi.name, poster.wifi.password), first["code-wifi"]) if poster.wifi else "",
    )


def _tabs(poster: Poster) -> int:
    """Return how many strips the sheet has room for when each shows its text whole."""
    texts = [*_split(poster.address), f"Wi-Fi {poster.wifi.name}" if poster.wifi else ""]
    lines = sum(_lines(text) for text in texts)
    return max(_LEAST_TABS, min(_MOST_TABS, int(_TABS_WIDTH / (lines * _TAB_LINE + _TAB_MARGIN))))


def _split(address: str) -> tuple[str, str]:
    """Return the two parts of a URL between which a strip breaks it first; numbers stay whole where they can."""
    scheme, slashes, rest = address.rpartition("//")
    return scheme + slashes, rest.removesuffix("/")


def _lines(text: str) -> int:
    """Return how many lines of a strip a text takes at most, broken between words, and in words longer than a line."""
    lines, room = 0, 0.0
    for word in text.split():
        wide = _columns(word)
        if wide < room:
            room -= wide + 1
        else:
            more = ceil(wide / _TAB_COLUMNS)
            lines, room = lines + more, more * _TAB_COLUMNS - wide
    return lines


def _columns(text: str) -> float:
    """Return about how wide a bold text is, in digits; no font is at hand, so rather too much than too little."""
    return sum(_column(letter) for letter in text)


def _column(letter: str) -> float:
    if letter in _NARROW:
        return 0.6
    if letter in _BROAD:
        return 1.7
    if combining(letter):
        return 0.0
    if east_asian_width(letter) in "WF" or "\u0900" <= letter < "\u2000" or letter >= "\u3000":
        return 2.0
    return 1.3 if letter.isupper() else 1.0


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("meshrelay.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("poster.html")
