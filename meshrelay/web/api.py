"""The interface for programs on the reader's listener: JSON, feeds, signed originals, and one upload.

Reading needs no key and no account; what is uploaded is verified like everything else, so it needs none either.

Law: every answer is data of the published forms, and every refusal is JSON with one sentence.
Source: docs/spec/http.md.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from aiohttp import web

from meshrelay.core.bulletin import Category
from meshrelay.core.encoding import split_sequence
from meshrelay.core.quota import READERS
from meshrelay.core.trust import Standing
from meshrelay.errors import InvalidItem, NotFound
from meshrelay.interop import atom, cap, geojson
from meshrelay.interop.cap_document import cap_document
from meshrelay.interop.document import document, listing
from meshrelay.listing import LIVE, TAKEN_BACK, Lane, Query, Shown
from meshrelay.relay import Outcome, Receipt
from meshrelay.web.openapi import description
from meshrelay.web.pages import SERVICES, words_for
from meshrelay.web.security import BODY_SECONDS, Refused, compress, local_address, read_body, url_of
from meshrelay.words.times import stamp

MOST_LISTED: Final = 200
LISTED: Final = 50
MOST_UPLOADED: Final = 250
IN_FEED: Final = 50
MOST_CHANGES: Final = 1000
ENVELOPE_TYPE: Final = 'application/cose; cose-type="cose-sign1"'


async def bulletins(request: web.Request) -> web.Response:
    """List bulletins: ``lang``, ``status``, ``known``, ``area``, ``category``, ``since``, ``limit``, ``cursor``."""
    services, words = request.config_dict[SERVICES], words_for(request)
    query = _query(request)
    try:
        page = await services.read(services.relay.bulletins, query, services.clock())
    except NotFound as error:
        raise Refused(400, "cursor: not one of ours, or of another list") from error
    return _json(request, listing(page, words, relay=services.status().name))


async def bulletin(request: web.Request) -> web.Response:
    """Answer one bulletin: ``ID`` or ``ID.json``, ``ID.cap``, ``ID.cose`` (as signed), ``.geojson``, ``.atom``."""
    services, words = request.config_dict[SERVICES], words_for(request)
    prefix, _, form = request.match_info["id"].partition(".")
    if form not in ("", "json", "cap", "cose", "geojson", "atom"):
        raise Refused(404, f"there is no form {form[:20]!r} of a bulletin")
    relay = services.status().name

    def read() -> tuple[Shown, bytes]:
        one = services.relay.public(services.relay.find(prefix[:64]), services.clock())
        if form == "cap":
            return one, cap_document(services.relay, one)
        return one, services.relay.store.get_many([one.header.id]).get(one.header.id, b"")

    one, data = await services.read(read)
    name = one.header.id.hex()[:16]
    match form:
        case "cose":
            return _file(data, ENVELOPE_TYPE, f"{name}.cose")
        case "cap":
            return _file(data, cap.MEDIA_TYPE, f"{name}.xml")
        case "atom":
            base = url_of(*local_address(request))
            return _atom(request, atom.entry(one, words, relay=relay, base=base))
        case "geojson":
            return _json(request, geojson.feature(one, words, relay=relay, whole=True), "application/geo+json")
        case _:
            return _json(request, document(one, words, relay=relay, whole=True))


async def items(request: web.Request) -> web.Response:
    """Take a CBOR sequence of envelopes; answer how many were new and known, and which were refused and why."""
    services = request.config_dict[SERVICES]
    body = await read_body(request, seconds=BODY_SECONDS)
    try:
        datas = split_sequence(body, max_items=MOST_UPLOADED)
    except InvalidItem as error:
        raise Refused(422, f"not a CBOR sequence of at most {MOST_UPLOADED} items: {error.detail}") from error
    if not datas:
        raise Refused(422, "no items")
    clock = services.clock()
    answers = await services.write(
        services.relay.receive_many, datas, now=clock.now, doubtful=clock.doubtful, source=READERS
    )
    refused = []
    for index, one in enumerate(answers):
        if isinstance(one, InvalidItem):
            refused.append({"index": index, "reason": str(one.reason)})
        elif one.outcome is Outcome.DECLINED:
            refused.append({"index": index, "reason": one.reason})
    found = {
        "new": sum(_is(one, Outcome.NEW) for one in answers),
        "known": sum(_is(one, Outcome.KNOWN) for one in answers),
        "refused": refused,
    }
    return web.json_response(found, status=422 if refused else 200)


async def status(request: web.Request) -> web.Response:
    """Say how this relay is: name, time, number of bulletins, whether it is in touch with others."""
    services, known = request.config_dict[SERVICES], request.config_dict[SERVICES].status()
    words, clock = words_for(request), services.clock()
    return _json(
        request,
        {
            "name": known.name,
            "as_of": stamp(clock.now, words.tz),
            "clock_doubtful": clock.doubtful,
            "started": stamp(known.started, words.tz),
            "bulletins": known.bulletins,
            "in_touch": known.in_touch,
            "last_exchange": stamp(known.last_exchange, words.tz) if known.last_exchange else None,
            "known_senders": len(services.relay.trust.known),
        },
    )


async def changes(request: web.Request) -> web.Response:
    """Say which items came and went since ``?since=CURSOR``; the cursor is the ETag."""
    services = request.config_dict[SERVICES]
    cursor = request.query.get("since", "")[:100]
    found = await services.read(services.relay.store.changes, cursor, limit=MOST_CHANGES)
    etag = f'"{found.cursor}"'
    if request.headers.get("If-None-Match") == etag and not found.rows:
        return web.Response(status=304, headers={"ETag": etag})
    answer = _json(
        request,
        {
            "changes": [{"id": row.id.hex(), "gone": row.gone} for row in found.rows],
            "cursor": found.cursor,
            "reset": found.reset,
        },
    )
    answer.headers["ETag"] = etag
    return answer


async def feed_atom(request: web.Request) -> web.Response:
    """Answer the newest bulletins, and those lately taken back, as Atom: known senders' unless ``?known=false``."""
    services, words = request.config_dict[SERVICES], words_for(request)
    shown = await _feed(request)
    base = url_of(*local_address(request))
    return _atom(request, atom.feed(shown, words, relay=services.status().name, base=base))


async def feed_geojson(request: web.Request) -> web.Response:
    """Answer the newest bulletins, and those lately taken back, as GeoJSON: known senders' unless ``?known=false``."""
    services, words = request.config_dict[SERVICES], words_for(request)
    found = geojson.collection(await _feed(request), words, relay=services.status().name)
    return _json(request, found, "application/geo+json")


async def healthz(request: web.Request) -> web.Response:
    """Answer "ok" when the store can be read."""
    services = request.config_dict[SERVICES]
    await services.read(services.relay.store.data_version)
    return web.Response(text="ok\n")


async def openapi(request: web.Request) -> web.Response:
    """Answer the description of this interface (OpenAPI 3.1)."""
    return _written(request, _description())


ROUTES: Final = (
    web.get("/api/v1/bulletins", bulletins),
    web.get("/api/v1/bulletins/{id}", bulletin),
    web.post("/api/v1/items", items),
    web.get("/api/v1/status", status),
    web.get("/api/v1/changes", changes),
    web.get("/api/v1/openapi.json", openapi),
    web.get("/feed.atom", feed_atom),
    web.get("/feed.geojson", feed_geojson),
    web.get("/healthz", healthz),
)


async def _feed(request: web.Request) -> tuple[Shown, ...]:
    services = request.config_dict[SERVICES]
    lane = Lane.ALL if request.query.get("known") == "false" else Lane.KNOWN
    live = Query(lane=lane, newest_first=True, limit=IN_FEED, language=request.query.get("in", "")[:35])
    # Whoever has shown a bulletin must hear that it was withdrawn or replaced.
    ended = replace(live, standings=TAKEN_BACK)
    clock = services.clock()
    found = [
        one for query in (live, ended) for one in (await services.read(services.relay.bulletins, query, clock)).shown
    ]
    return tuple(sorted(found, key=lambda one: one.changed, reverse=True)[:IN_FEED])


def _query(request: web.Request) -> Query:
    asked = request.query
    known = asked.get("known", "")
    lanes = {"": Lane.ALL, "true": Lane.KNOWN, "false": Lane.UNKNOWN}
    if known not in lanes:
        raise Refused(400, "known: true or false")
    limit = asked.get("limit", str(LISTED))
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MOST_LISTED:
        raise Refused(400, f"limit: 1 to {MOST_LISTED}")
    category = asked.get("category", "")
    if category and category.lower() not in [known.lower() for known in Category]:
        raise Refused(400, f"category: one of {', '.join(Category)}")
    return Query(
        lane=lanes[known],
        standings=_standings(asked.get("status", "live")),
        cancels=asked.get("status") == "all",
        language=asked.get("lang", "")[:35],
        area=asked.get("area", "")[:200],
        category=category,
        since=_since(asked["since"]) if "since" in asked else None,
        limit=int(limit),
        after=asked.get("cursor"),
    )


def _standings(word: str) -> frozenset[Standing]:
    if word == "all":
        return frozenset()
    if word == "live":
        return LIVE
    if word in list(Standing):
        return frozenset({Standing(word)})
    raise Refused(400, f"status: live, all, or one of {', '.join(Standing)}")


def _since(word: str) -> int:
    """Return unix seconds of a time in RFC 3339 or of a whole number."""
    if re.fullmatch("[0-9]{1,12}", word):
        return int(word)
    try:
        # A plus sign in an address stands for a space.
        moment = datetime.fromisoformat(word.replace(" ", "+") if word[10:11] == "T" else word)
    except ValueError as error:
        raise Refused(400, "since: a time as in 2031-03-14T13:25:00+05:00") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _is(answer: Receipt | InvalidItem, outcome: Outcome) -> bool:
    return isinstance(answer, Receipt) and answer.outcome is outcome


@cache
def _description() -> str:
    return json.dumps(description())


def _json(request: web.Request, found: Any, content_type: str = "application/json") -> web.Response:
    return _written(request, json.dumps(found), content_type)


def _written(request: web.Request, text: str, content_type: str = "application/json") -> web.Response:
    answer = web.Response(text=text, content_type=content_type)
    answer.headers["Cache-Control"] = "no-cache"
    compress(request, answer)
    return answer


def _atom(request: web.Request, data: bytes) -> web.Response:
    answer = web.Response(body=data, content_type=atom.MEDIA_TYPE, charset="utf-8")
    answer.headers["Cache-Control"] = "no-cache"
    compress(request, answer)
    return answer


def _file(data: bytes, content_type: str, name: str) -> web.Response:
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-cache",
    }
    return web.Response(body=data, headers=headers)
