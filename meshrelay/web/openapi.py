"""The description of the interface for programs, as OpenAPI 3.1; a test holds it to the routes that exist."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from meshrelay.core import organisation
from meshrelay.core.bulletin import Category
from meshrelay.core.scope import Beyond
from meshrelay.core.statements import Fault
from meshrelay.core.trust import Author, Standing

_TEXT: Final = {"type": "string"}
_TIME: Final = {"type": "string", "format": "date-time"}
_HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def _parameter(name: str, schema: dict[str, Any], about: str, *, where: str = "query") -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema, "description": about}


def _answers(about: str, media_type: str, schema: dict[str, Any] | None = None, **others: str) -> dict[str, Any]:
    content = {media_type: {"schema": schema} if schema else {}}
    failures = {status.removeprefix("s"): {"description": text} for status, text in others.items()}
    return {"200": {"description": about, "content": content}, **failures}


def _get(summary: str, responses: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": responses}}


@cache
def description() -> dict[str, Any]:
    """Return the document."""
    bulletin = {"$ref": "#/components/schemas/Bulletin"}
    lang = _parameter("lang", _TEXT, "BCP 47 language of the sentences, and of the texts where there is a choice")
    known = _parameter("known", {"enum": ["false"]}, "false adds senders that this relay does not know")
    only = _parameter("in", _TEXT, "only bulletins written in this language")
    item = _parameter(
        "id", _TEXT, "id, a unique beginning of it, or either with .json, .cap, .cose, .geojson, .atom", where="path"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "meshrelay, reader listener",
            "version": "1",
            "description": "Signed emergency bulletins without internet. Times are RFC 3339, ids and keys are hex.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/api/v1/bulletins": _get(
                "Bulletins, most pressing first",
                _answers("A page of bulletins", "application/json", _listing(bulletin), s400="A parameter is wrong"),
                _parameter("lang", _TEXT, "only bulletins written in this language; sentences come in it too"),
                _parameter(
                    "status", {"enum": ["live", "all", *Standing]}, "what still holds (default), all, or one standing"
                ),
                _parameter("known", {"enum": ["true", "false"]}, "only senders this relay knows, or only others"),
                _parameter("area", _TEXT, "part of the place in words"),
                _parameter("category", {"enum": list(Category)}, "a CAP category"),
                _parameter("since", _TIME, "arrived here at this time or later"),
                _parameter("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "how many"),
                _parameter("cursor", _TEXT, "`next` of the page before"),
            ),
            "/api/v1/bulletins/{id}": _get(
                "One bulletin: JSON, CAP 1.2, the signed original, or GeoJSON",
                _answers("The bulletin", "application/json", bulletin, s404="It is not here"),
                item,
                lang,
            ),
            "/api/v1/items": {
                "post": {
                    "summary": "Hand over signed items",
                    "requestBody": {
                        "required": True,
                        "description": "A CBOR sequence (RFC 8742) of at most 250 envelopes and 1 MiB, uncompressed",
                        "content": {"application/cbor-seq": {}},
                    },
                    "responses": _answers(
                        "All were new or known",
                        "application/json",
                        {"$ref": "#/components/schemas/Taken"},
                        s413="Too large",
                        s422="Some were refused; the others are taken",
                    ),
                }
            },
            "/api/v1/status": _get("How this relay is", _answers("Its state", "application/json"), lang),
            "/api/v1/changes": _get(
                "Items that came and went; the cursor is the ETag",
                _answers("Changes, oldest first", "application/json", s304="Nothing since that cursor"),
                _parameter("since", _TEXT, "`cursor` of the answer before"),
            ),
            "/api/v1/events": _get(
                "Server-sent events `news`: how many items have come since the cursor",
                _answers("A stream", "text/event-stream", s503="Too many open streams"),
                _parameter("since", _TEXT, "a cursor of /api/v1/changes"),
            ),
            "/api/v1/openapi.json": _get("This document", _answers("OpenAPI 3.1", "application/json")),
            "/feed.atom": _get(
                "The newest bulletins in force", _answers("Atom", "application/atom+xml"), lang, known, only
            ),
            "/feed.geojson": _get(
                "The newest bulletins in force", _answers("GeoJSON", "application/geo+json"), lang, known, only
            ),
            "/healthz": _get("Whether the store can be read", _answers("ok", "text/plain", s503="It cannot")),
        },
        "components": {"schemas": {"Bulletin": _bulletin(), "Taken": _taken()}},
    }


def _listing(bulletin: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["bulletins", "next", "as_of"],
        "properties": {
            "bulletins": {"type": "array", "items": bulletin},
            "next": {"type": ["string", "null"]},
            "as_of": _TIME,
        },
    }


def _taken() -> dict[str, Any]:
    refused = {"type": "object", "properties": {"index": {"type": "integer"}, "reason": _TEXT}}
    return {
        "type": "object",
        "required": ["new", "known", "refused"],
        "properties": {
            "new": {"type": "integer"},
            "known": {"type": "integer"},
            "refused": {"type": "array", "items": refused},
        },
    }


def _bulletin() -> dict[str, Any]:
    said = {"type": "array", "items": _attestation()}
    texts = ("event", "urgency", "severity", "certainty", "sender_name", "headline", "description", "instruction")
    return {
        "type": "object",
        "required": ["id", "author", "kind", "sent", "expires", "verdict"],
        "properties": {
            "id": _HEX,
            "author": _HEX,
            "kind": {"const": "bulletin"},
            "sent": _TIME,
            "expires": _TIME,
            "received": _TIME,
            "status": {"enum": list(Standing)},
            "cap_status": {"enum": ["Actual", "Exercise", "Test"]},
            "msg_type": {"enum": ["Alert", "Update", "Cancel"]},
            "category": {"type": "array", "items": {"enum": list(Category)}},
            "languages": {"type": "array", "items": _TEXT},
            "language": {"type": ["string", "null"]},
            "references": {"type": "array", "items": _HEX},
            "areas": {"type": "array", "items": {"type": "object"}},
            "origin": {"type": "object"},
            "seq": {"type": "integer"},
            **dict.fromkeys(texts, _TEXT),
            "verdict": {
                "type": "object",
                "properties": {
                    "status": {"enum": list(Standing)},
                    "author": {"enum": list(Author)},
                    "known": {"type": "boolean"},
                    "drill": {"type": "boolean"},
                    "name": {"type": ["string", "null"]},
                    "since": {"type": ["string", "null"], "format": "date-time"},
                    "how": {"type": ["string", "null"]},
                    "against": {**_HEX, "type": ["string", "null"]},
                    "organisation": _organisation(),
                    "disputed": {"type": ["string", "null"]},
                    "attestations": {
                        "type": "object",
                        "required": ["dispute", "confirm", "cannot_check", "unknown"],
                        "properties": {
                            "dispute": said,
                            "confirm": said,
                            "cannot_check": said,
                            "unknown": {"type": "integer"},
                        },
                    },
                    "heard": {**_TIME, "type": ["string", "null"]},
                    "missing": {"type": ["integer", "null"]},
                    "ended_by": {"type": "array", "items": _HEX},
                    "says": _TEXT,
                },
            },
        },
    }


def _organisation() -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "properties": {
            "id": _HEX,
            "name": {"type": ["string", "null"]},
            "state": {"enum": ["unknown", *organisation.Standing]},
            "beyond": {"enum": [None, *Beyond]},
            "until": {**_TIME, "type": ["string", "null"]},
            "title": _TEXT,
        },
    }


def _attestation() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "voice": _HEX,
            "name": _TEXT,
            "sent": _TIME,
            "fault": {"enum": [None, *Fault]},
            "note": _TEXT,
            "says": _TEXT,
        },
    }
