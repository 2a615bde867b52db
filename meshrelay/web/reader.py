"""The reader's listener: pages for any browser on this network, and the interface for programs beside them.

Nothing here needs JavaScript, an account or the internet, and nothing is written down about who reads.

Law: what a page shows comes from Relay with its verdict; this file decides where it stands, never whether it is true.
Routes: docs/spec/http.md, "Reader listener".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from meshrelay import __version__
from meshrelay.core.bulletin import Category, Severity, is_language
from meshrelay.core.clock import Clock
from meshrelay.core.trust import Author, Standing
from meshrelay.errors import NotFound
from meshrelay.listing import TAKEN_BACK, Lane, Listing, Query, Shown
from meshrelay.relay import Relay
from meshrelay.settings import Settings
from meshrelay.status import RelayStatus
from meshrelay.store import Change
from meshrelay.web import api, carry, poster, report, screen
from meshrelay.web.events import STREAMS, Streams, events
from meshrelay.web.failures import explain, hold
from meshrelay.web.filters import SPANS, Filters
from meshrelay.web.pages import KEPT, SERVICES, Kept, Packed, answer, choice, page_for, render, set_up, static
from meshrelay.web.poster import key_digits
from meshrelay.web.security import MAX_BODY, HostRule, add_headers, add_routes, guard
from meshrelay.web.services import OnThread, Services
from meshrelay.web.states import tried, warnings
from meshrelay.web.view import Page, card, whole
from meshrelay.words import add_folder, is_draft, page_languages
from meshrelay.words.languages import primary

ON_FRONT: Final = 25
UNKNOWN_ON_FRONT: Final = 10
GONE_ON_FRONT: Final = 8
GONE_SINCE: Final = 25
ON_PAGE: Final = 50
MOST_FOUND: Final = 50
_KEPT_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Front:
    """What the first page lists, the same for every reader."""

    known: Listing
    unknown: Listing
    gone: tuple[Shown, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader's listener: `app` is served with security.SERVER_OPTIONS."""

    app: web.Application
    services: Services

    def changed(self, rows: Sequence[Change]) -> None:
        """Say that items came or went, or (no rows) that trust or names changed; on the event loop."""
        self.services.news.tell()


def make_reader(
    *,
    relay: Relay,
    clock: Callable[[], Clock],
    read: OnThread,
    write: OnThread,
    settings: Settings,
    status: Callable[[], RelayStatus],
) -> Reader:
    """Put the reader's listener together; `read` and `write` run a function on the relay's threads."""
    if settings.locale_dir:
        add_folder(Path(settings.locale_dir))
    services = Services(relay, clock, read, write, status, settings)
    names = {name.lower() for name in settings.host_names}
    app = web.Application(
        client_max_size=MAX_BODY, middlewares=[guard(HostRule(names | {"meshrelay.local"}), explain), hold]
    )
    _fit(app, services)
    return Reader(app, services)


def _fit(app: web.Application, services: Services) -> None:
    app[SERVICES], app[STREAMS], app[KEPT], app[report.DESK] = services, Streams(), Kept(), report.Desk()
    set_up(app)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(app[STREAMS].close)
    add_routes(
        app,
        [
            web.get("/", front),
            web.get("/b/{id}", bulletin),
            web.get("/search", search),
            web.get("/about", about),
            web.get("/report", report.form),
            web.post("/report", report.send),
            web.get("/carry", carry.form),
            web.post("/carry", carry.give),
            web.get("/screen", screen.screen),
            web.get("/poster", poster.show),
            web.get("/static/{name}", static),
            web.get("/api/v1/events", events),
            *api.ROUTES,
        ],
    )


async def front(request: web.Request) -> web.Response:
    """Show the most pressing and newest bulletins, in lanes; with ``?lane=`` and ``?after=`` more of one lane."""
    services = request.config_dict[SERVICES]
    news, clock = services.news.count, services.clock()
    made = clock.now // _KEPT_SECONDS
    lane = request.query.get("lane", "")
    key = (news, made, clock.doubtful, choice(request), sorted(request.query.items()))

    async def page() -> Packed:
        if lane in ("known", "unknown"):
            return Packed.of(await _more(request, Lane(lane), clock))
        return Packed.of(await _front(request, clock, (news, made, clock.doubtful)))

    kept: Packed = await request.app[KEPT].get(("page", repr(key)), page)
    return kept.answer(request)


async def bulletin(request: web.Request) -> web.Response:
    """Show everything known about one bulletin; a unique beginning of its id will do."""
    services, page = request.config_dict[SERVICES], page_for(request)
    clock = services.clock()
    one, before, cursor = await services.read(_whole, services.relay, request.match_info["id"], clock)
    copies = await services.read(services.relay.copies, one, clock)
    it = whole(one, page, before=before, copies=copies)
    state = (one.verdict.standing, one.verdict.author, "disputed" if it.card.disputed else "")
    values = {"it": it, "cursor": cursor, "state": " ".join(state)}
    return answer(request, render(request, "bulletin.html", page, values))


async def search(request: web.Request) -> web.Response:
    """Show what was found for ``?q=``."""
    services, page = request.config_dict[SERVICES], page_for(request)
    query = " ".join(request.query.get("q", "").split())[:200]
    found: tuple[Shown, ...] = ()
    if query:
        found = await services.read(services.relay.search, query, services.clock(), limit=MOST_FOUND)
    hidden = services.settings.unknown_senders == "hide"
    cards = [card(one, page) for one in found if one.verdict.known or not hidden]
    cards.sort(key=lambda one: one.over)
    values = {
        "query": query,
        "known": [one for one in cards if one.badge == "ok"],
        "unknown": [one for one in cards if one.badge != "ok"],
    }
    return answer(request, render(request, "search.html", page, values))


async def about(request: web.Request) -> web.Response:
    """Say what this relay is, whom it knows, and what its pages do not claim."""
    services, page = request.config_dict[SERVICES], page_for(request)
    anchors = sorted(services.relay.trust.anchors.values(), key=lambda anchor: anchor.petname.casefold())
    known = [anchor for anchor in anchors if anchor.key in services.relay.trust.known]
    organisations = services.relay.trust.organisations
    waiting = await services.read(services.relay.local.waiting)
    values = {
        "version": __version__,
        "severities": [(str(one).lower(), page.words.severity_meaning(one)) for one in list(Severity)[:4]],
        "waiting": [page.html(page.words.awaited(one.petname)) for one in waiting],
        "key": key_digits(services.relay, services.settings.key),
        "known": [
            page.html(page.words.met(one.petname, since=one.since, how=one.how, organisation=one.key in organisations))
            for one in known
        ],
        "drafts": frozenset(tag for tag in page_languages() if is_draft(tag)),
        "chain": list(dict.fromkeys(primary(tag) for tag in page.words.texts)),
    }
    return answer(request, render(request, "about.html", page, values))


async def _front(request: web.Request, clock: Clock, version: tuple[Any, ...]) -> bytes:
    services, page = request.config_dict[SERVICES], page_for(request)
    filters = Filters.of(request.query)

    async def load() -> Front:
        return await services.read(_load, services, clock, filters)

    lists: Front = await request.app[KEPT].get(("front", version, filters), load)
    known = [card(one, page) for one in lists.known.shown]
    others = _languages(lists, page)
    values = {
        "cards": [one for one in known if one.looks != "isdrill"],
        "drills": [one for one in known if one.looks == "isdrill"],
        "unknown": [card(one, page) for one in lists.unknown.shown if one.verdict.author is not Author.BLOCKED],
        "gone": [card(one, page) for one in lists.gone],
        "more_known": lists.known.next,
        "more_unknown": lists.unknown.next,
        "fold": services.settings.unknown_senders == "fold" and bool(services.relay.trust.anchors),
        "hide": services.settings.unknown_senders == "hide",
        "nobody_known": not services.relay.trust.anchors,
        "hidden": services.relay.hidden_now(clock),
        "filters": filters,
        "since": filters.moment(now=clock.now),
        "categories": list(Category),
        "spans": [(span, page.words[label]) for span, (_, label) in SPANS.items()],
        "choices": list(dict.fromkeys((*page_languages(), *others, *filter(is_language, (filters.language,))))),
        "other_languages": others,
        "warnings": warnings(services, clock, page.words),
        "tried": tried(services, page),
        "cursor": lists.cursor,
    }
    return render(request, "front.html", page, values)


async def _more(request: web.Request, lane: Lane, clock: Clock) -> bytes:
    services, page = request.config_dict[SERVICES], page_for(request)
    filters = Filters.of(request.query)
    query = replace(filters.query(now=clock.now), lane=lane, limit=ON_PAGE, after=request.query.get("after"))
    listing = await services.read(services.relay.bulletins, query, clock)
    values = {
        "lane": str(lane),
        "cards": [card(one, page) for one in listing.shown if one.verdict.author is not Author.BLOCKED],
        "after": listing.next,
        "filters": filters,
    }
    return render(request, "lane.html", page, values)


def _load(services: Services, clock: Clock, filters: Filters) -> Front:
    """Read the lists of the first page; on a thread, for it reads the store."""
    relay = services.relay
    nothing = Listing((), None)
    wanted = filters.query(now=clock.now)
    known = replace(wanted, lane=Lane.KNOWN, limit=ON_FRONT)
    unknown = replace(known, lane=Lane.UNKNOWN, limit=UNKNOWN_ON_FRONT)
    return Front(
        known=relay.bulletins(known, clock),
        unknown=nothing if services.settings.unknown_senders == "hide" else relay.bulletins(unknown, clock),
        gone=_gone(relay, clock, wanted) if wanted.since is None else _gone_since(relay, clock, wanted),
        cursor=relay.store.changes("").cursor,
    )


def _gone(relay: Relay, clock: Clock, wanted: Query) -> tuple[Shown, ...]:
    """Return what no longer holds of known senders: the newest that were withdrawn or replaced, then ended ones."""
    taken_back = replace(wanted, lane=Lane.KNOWN, standings=TAKEN_BACK, newest_first=True, limit=GONE_ON_FRONT)
    found = relay.bulletins(taken_back, clock).shown
    if len(found) == GONE_ON_FRONT:
        return found
    ended = replace(taken_back, standings=frozenset({Standing.EXPIRED}), limit=GONE_ON_FRONT - len(found))
    return found + relay.bulletins(ended, clock).shown


def _gone_since(relay: Relay, clock: Clock, wanted: Query) -> tuple[Shown, ...]:
    """Return what ceased to hold since: by an act that came here since, however old the act is, or by its time."""
    lately = replace(wanted, lane=Lane.KNOWN, standings=frozenset(), cancels=True, newest_first=True, limit=ON_PAGE)
    found: dict[bytes, Shown] = {}
    for act in relay.bulletins(lately, clock).shown:
        for one in _acted_on(relay, act, clock):
            found.setdefault(one.header.id, one)
    ended = replace(lately, standings=frozenset({Standing.EXPIRED}), cancels=False, since=None, limit=GONE_ON_FRONT)
    for one in relay.bulletins(ended, clock).shown:
        if one.bulletin.expires >= (wanted.since or 0):
            found.setdefault(one.header.id, one)
    return tuple(found.values())[:GONE_SINCE]


def _acted_on(relay: Relay, act: Shown, clock: Clock) -> Iterator[Shown]:
    """Yield what a bulletin ended, as far as it is held and shown here."""
    for target in relay.named(act)[:8]:
        try:
            earlier = relay.public(target, clock)
        except NotFound:
            continue
        if act.header.id in {one.id for one in earlier.verdict.by}:
            yield earlier


def _whole(relay: Relay, prefix: str, clock: Clock) -> tuple[Shown, tuple[Shown, ...], str]:
    """Return a bulletin, those it acted on that are held here, and the cursor of the changes that they include."""
    cursor = relay.store.changes("").cursor
    one = relay.public(relay.find(prefix[:64]), clock)
    return one, tuple(_acted_on(relay, one, clock)), cursor


def _languages(lists: Front, page: Page) -> list[str]:
    """Return the languages in which what is listed is written, but those of the language row."""
    tags = {text.language for one in (*lists.known.shown, *lists.unknown.shown) for text in one.bulletin.texts}
    return sorted(tag for tag in tags if primary(tag) not in page_languages())
