"""One bulletin as the JSON document that programs read: on /api/v1/bulletins, in /feed.geojson and by ``list --json``.

And one statement, for ``show --json`` and the commands that make one.

Times are RFC 3339 with the relay's offset, ids and keys lower-case hex. What people read stands beside what programs
read: `language`, `headline`, `description` and `instruction` are the text that fits the reader best.

Source: docs/spec/http.md, "A bulletin as JSON".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from meshrelay.core.bulletin import Area, Bulletin, CapReference, Origin, Point, Resource
from meshrelay.core.envelope import SignedItem
from meshrelay.core.statements import Role, Says
from meshrelay.core.trust import Verdict
from meshrelay.listing import Listing, Shown
from meshrelay.words import Words
from meshrelay.words.times import stamp

_TIMES: Final = frozenset({"sent", "not_before", "not_after"})


def document(one: Shown, words: Words, *, relay: str, whole: bool = False) -> dict[str, Any]:
    """Return the document of a bulletin; `whole` adds every language and every field that people rarely need."""
    header, bulletin, verdict = one.header, one.bulletin, one.verdict
    text = words.text_of(bulletin)
    found: dict[str, Any] = {
        "id": header.id.hex(),
        "author": header.author.hex(),
        "kind": str(header.kind),
        "sent": stamp(bulletin.sent, words.tz),
        "effective": _time(bulletin.effective, words),
        "onset": _time(bulletin.onset, words),
        "expires": stamp(bulletin.expires, words.tz),
        "status": str(verdict.standing),
        "cap_status": str(bulletin.status),
        "msg_type": str(bulletin.msg_type),
        "category": [str(category) for category in bulletin.categories],
        "event": text.event if text else "",
        "response": [str(response) for response in bulletin.responses],
        "urgency": str(bulletin.urgency),
        "severity": str(bulletin.severity),
        "certainty": str(bulletin.certainty),
        "sender_name": text.sender_name if text else "",
        "areas": [_area(area, words) for area in bulletin.areas],
        "references": [reference.hex() for reference in bulletin.references],
        "origin": _origin(bulletin.origin),
        "languages": [text.language for text in bulletin.texts],
        "language": text.language if text else None,
        "headline": text.headline if text else "",
        "description": text.description if text else "",
        "instruction": text.instruction if text else "",
        "seq": bulletin.chain.seq,
        "received": stamp(one.received, words.tz),
        "verdict": {
            "status": str(verdict.standing),
            "author": str(verdict.author),
            "known": verdict.known,
            "drill": verdict.drill,
            "name": words.who(verdict, relay=relay).text or None,
            "since": _time(verdict.anchor.since if verdict.anchor else None, words),
            "how": str(verdict.anchor.how) if verdict.anchor else None,
            "against": verdict.against.hex() if verdict.against else None,
            "organisation": _organisation(verdict, bulletin.org, words),
            "disputed": str(words.disputed(verdict, relay=relay) or "") or None,
            "attestations": {
                "dispute": _attestations(verdict, Says.DISPUTE, words, relay),
                "confirm": _attestations(verdict, Says.CONFIRM, words, relay),
                "cannot_check": _attestations(verdict, Says.CANNOT_CHECK, words, relay),
                "unknown": verdict.unknown_words,
            },
            "heard": _time(one.news.heard if one.news else None, words),
            "missing": len(one.news.missing) if one.news else None,
            "ended_by": [act.id.hex() for act in verdict.by],
            "says": str(words.why(verdict, bulletin, header.author, relay=relay)),
        },
    }
    if one.hidden:
        found["hidden"] = True  # this relay's own people alone are ever given it
    return found | _rest(bulletin) if whole else found


def statement(item: SignedItem, words: Words, *, petname: Callable[[bytes], str]) -> dict[str, Any]:
    """Return the document of an item that is no bulletin; `petname` as for :meth:`Words.statement`.

    `author` is the key that signed it, or for what several signed the first of them; `in_words` what it says.
    """
    body = item.body
    said = {field.name: getattr(body, field.name) for field in dataclasses.fields(body)}
    said["organisation"] = said.pop("org", None)
    return {
        "id": item.id.hex(),
        "author": item.author.hex(),
        "kind": str(item.header.kind),
        **{key: _time(value, words) if key in _TIMES else _written(value) for key, value in said.items()},
        "in_words": str(words.statement(item, petname=petname)),
    }


def _written(value: object) -> Any:
    """Return a value of a statement as JSON has it."""
    match value:
        case bytes():
            return value.hex()
        case Role():
            return [str(role.name).lower() for role in Role if role in value]
        case tuple():
            return [_written(one) for one in value]
        case Point():
            return [value.lat / 1e6, value.lon / 1e6]
        case StrEnum():
            return str(value)
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _written(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value


def listing(page: Listing, words: Words, *, relay: str) -> dict[str, Any]:
    """Return the document of one page of bulletins."""
    return {
        "bulletins": [document(one, words, relay=relay) for one in page.shown],
        "next": page.next,
        "as_of": stamp(words.now, words.tz),
    }


def _organisation(verdict: Verdict, org: bytes | None, words: Words) -> dict[str, Any] | None:
    """Return how a bulletin stands to the organisation that it names; null where it names none."""
    if org is None:
        return None
    known, stands = verdict.organisation, verdict.membership
    return {
        "id": org.hex(),
        "name": known.petname if known else None,
        "state": str(stands.standing) if stands else "unknown",
        "beyond": str(stands.beyond) if stands and stands.beyond else None,
        "until": _time(stands.until if stands else None, words),
        "title": stands.title if stands else "",
    }


def _attestations(verdict: Verdict, what: Says, words: Words, relay: str) -> list[dict[str, Any]]:
    return [
        {
            "voice": word.voice.hex(),
            "name": relay if word.own else word.petname,
            "sent": stamp(word.sent, words.tz),
            "fault": str(word.fault) if word.fault else None,
            "note": word.note,
            "says": str(words.attested(word, relay=relay)),
        }
        for word in verdict.saying(what)
    ]


def _rest(bulletin: Bulletin) -> dict[str, Any]:
    return {
        "texts": {
            text.language: {
                "event": text.event,
                "headline": text.headline,
                "description": text.description,
                "instruction": text.instruction,
                "sender_name": text.sender_name,
                "contact": text.contact,
                "web": text.web,
            }
            for text in bulletin.texts
        },
        "expires_assumed": bulletin.expires_assumed,
        "organisation": bulletin.org.hex() if bulletin.org else None,
        "stream": bulletin.chain.stream.hex(),
        "previous": bulletin.chain.prev.hex() if bulletin.chain.prev else None,
        "live": list(bulletin.chain.live),
        "codes": list(bulletin.codes),
        "event_codes": [list(pair) for pair in bulletin.event_codes],
        "parameters": [list(pair) for pair in bulletin.parameters],
        "resources": [_resource(resource) for resource in bulletin.resources],
        "note": bulletin.note,
        "audience": bulletin.audience,
        "source": bulletin.source,
        "incidents": bulletin.incidents,
    }


def _time(moment: int | None, words: Words) -> str | None:
    return None if moment is None else stamp(moment, words.tz)


def _area(area: Area, words: Words) -> dict[str, Any]:
    return {
        "description": words.place(area).text,
        "descriptions": dict(area.names),
        "polygons": [[[point.lat / 1e6, point.lon / 1e6] for point in polygon] for polygon in area.polygons],
        "circles": [
            {"lat": circle.center.lat / 1e6, "lon": circle.center.lon / 1e6, "radius_m": circle.radius}
            for circle in area.circles
        ],
        "geocodes": [list(pair) for pair in area.geocodes],
        "altitude": area.altitude,
        "ceiling": area.ceiling,
    }


def _resource(resource: Resource) -> dict[str, Any]:
    return {
        "description": resource.description,
        "mime_type": resource.mime_type,
        "uri": resource.uri,
        "size": resource.size,
        "digest": resource.digest,
    }


def _origin(origin: Origin) -> dict[str, Any]:
    return {
        "kind": str(origin.kind),
        "checked": origin.checked,
        "identity": _reference(origin.identity) if origin.identity else None,
        "references": [_reference(reference) for reference in origin.references],
        "effective": origin.effective or None,
        "onset": origin.onset or None,
        "expires": origin.expires or None,
        "digest": origin.digest.hex() if origin.digest else None,
        "signature": str(origin.signature) if origin.signature else None,
    }


def _reference(reference: CapReference) -> dict[str, str]:
    return {"sender": reference.sender, "identifier": reference.identifier, "sent": reference.sent}
