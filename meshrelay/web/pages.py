"""The templates, compiled once, and the few values that every page has.

Everything is escaped unless it is Markup made by view.py; a name that a template is not given is an error.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web

from meshrelay.web.security import VARY, compress, is_loopback, local_address, takes_gzip, url_of
from meshrelay.web.services import Services
from meshrelay.web.view import Page
from meshrelay.words import Choice, Words, direction, negotiate, own_name, page_languages

SERVICES: Final = web.AppKey("services", Services)
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOREVER: Final = "public, max-age=31536000, immutable"
_SAME: Final = ("lang", "big", "q", "in", "area", "category", "since", "lane")
"""What a link to the same page in another language, or with other letters, keeps of its query."""
PAGE_SECONDS: Final = 10
"""How long a browser may show a page again without asking."""
MOST_KEPT: Final = 64


def set_up(app: web.Application) -> None:
    """Give `app` its templates and static files."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("meshrelay.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        page_languages=[(tag, own_name(tag), direction(tag)) for tag in page_languages()],
        own_name=own_name,
        direction=direction,
        asset=asset,
    )


def choice(request: web.Request) -> Choice:
    """Return what the reader of this request reads."""
    services = request.config_dict[SERVICES]
    accept = request.headers.get("Accept-Language", "")[:1000]
    return negotiate(request.query.get("lang"), accept, default=services.default_language, pages=page_languages())


def words_for(request: web.Request) -> Words:
    """Return the voice in which this request is answered."""
    services, wanted = request.config_dict[SERVICES], choice(request)
    return Words(wanted.page, services.tz, services.clock().now, wanted.texts)


def page_for(request: web.Request) -> Page:
    """Return what the cards of this page are made with; links keep the language once it was chosen."""
    services = request.config_dict[SERVICES]
    words = words_for(request)
    kept = [("lang", words.texts[0])] if request.query.get("lang") else []
    if request.query.get("big") == "1":
        kept.append(("big", "1"))
    return Page(words, services.status().name, tuple(kept))


def render(request: web.Request, template: str, page: Page, values: Mapping[str, Any]) -> bytes:
    """Return the HTML of a page."""
    services = request.config_dict[SERVICES]
    known = services.status()
    until = services.relay.drill_until(page.words.now)
    environment = aiohttp_jinja2.get_env(request.app)
    here = {name: request.query[name][:200] for name in _SAME if name in request.query}
    context = {
        "w": page.words,
        "page": page,
        "relay": page.relay,
        "status": known,
        "html": page.html,
        "zone_is_set": bool(services.settings.time_zone),
        "drilling": page.words.drilling(until) if until else None,
        "language": page.words.language,
        "direction_of_page": direction(page.words.language),
        "here": lambda **changed: Page(page.words, page.relay).to(request.path, **{**here, **changed}),
        **values,
    }
    return environment.get_template(template).render(context).encode()


def shown_address(request: web.Request) -> str:
    """Return the address to hand to others: one of this relay's on a network, else that of this connection."""
    known = [url for url in request.config_dict[SERVICES].status().reader_addresses if not is_loopback(url)]
    here = url_of(*local_address(request))
    return here if here in known or not known else known[0]


def answer(request: web.Request, html: bytes, *, status: int = 200, seconds: int = PAGE_SECONDS) -> web.Response:
    """Return a page as an answer."""
    response = web.Response(body=html, status=status, content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = f"private, max-age={seconds}" if seconds else "no-store"
    compress(request, response)
    return response


@dataclass(frozen=True, slots=True)
class Packed:
    """A page that is answered many times: as it is, and compressed once."""

    html: bytes
    gzip: bytes

    @classmethod
    def of(cls, html: bytes) -> Packed:
        """Compress a page."""
        return cls(html, gzip.compress(html, 6, mtime=0))

    def answer(self, request: web.Request) -> web.Response:
        """Return the page as an answer."""
        response = web.Response(body=self.html, content_type="text/html", charset="utf-8")
        if takes_gzip(request):
            response.body = self.gzip
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Cache-Control"] = f"private, max-age={PAGE_SECONDS}"
        response.headers["Vary"] = VARY
        return response


class Kept:
    """What was made a moment ago, so that two hundred readers cost as much as one; empty after every change."""

    def __init__(self) -> None:
        self._made: OrderedDict[tuple[Any, ...], asyncio.Future[Any]] = OrderedDict()

    async def get(self, key: tuple[Any, ...], make: Any) -> Any:
        """Return what is kept under `key`, or what the coroutine function `make` returns, made once."""
        found = self._made.get(key)
        if found is None or (found.done() and (found.cancelled() or found.exception() is not None)):
            found = self._made[key] = asyncio.ensure_future(make())
            while len(self._made) > MOST_KEPT:
                self._made.popitem(last=False)
        return await asyncio.shield(found)


KEPT: Final = web.AppKey("kept", Kept)


def asset(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    return _versioned(name)[0]


@cache
def _versioned(name: str) -> tuple[str, bytes, bytes, str]:
    """Return address, content, compressed content and type of a static file."""
    data = (files(__package__) / "static" / name).read_bytes()
    stem, _, suffix = name.rpartition(".")
    version = hashlib.sha256(data).hexdigest()[:10]
    return f"/static/{stem}-{version}.{suffix}", data, gzip.compress(data, 9, mtime=0), _TYPES[suffix]


@cache
def _assets() -> Mapping[str, str]:
    names = [entry.name for entry in (files(__package__) / "static").iterdir() if entry.is_file()]
    return {asset(name): name for name in names if name.rpartition(".")[2] in _TYPES}


async def static(request: web.Request) -> web.Response:
    """Answer a static file under the address of its present content; any other is not there."""
    name = _assets().get(request.path)
    if name is None:
        raise web.HTTPNotFound
    _, data, packed, content_type = _versioned(name)
    headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
    if takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        data = packed
    return web.Response(body=data, content_type=content_type, charset="utf-8", headers=headers)
