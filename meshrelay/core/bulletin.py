"""Bulletins: emergency messages in the words of the Common Alerting Protocol 1.2.

A bulletin is what an author says; who signed it is the envelope's matter, whether to believe it is trust's.
:func:`to_payload` and :func:`from_payload` are the two directions between values and the map that is signed.

Law: from_payload(to_payload(b)) == b for every bulletin that from_payload accepts, and from_payload raises
nothing but InvalidItem. Source: docs/spec/bulletin.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import lt
from typing import Any

from meshrelay.core import fields
from meshrelay.core.encoding import Value, encode
from meshrelay.core.fields import Fields, wrong
from meshrelay.errors import Reason

MAX_LIFE = 90 * 86400
"""A bulletin expires at most this many seconds after it was signed."""
ACTS_FOR = 97 * 86400
"""An Update or a Cancel has effect until this many seconds after it was signed, whatever its own `expires`."""

MAX_LANGUAGES = 64
MAX_REFERENCES = 64
MAX_LIVE = 64
MAX_AREAS = 256
MAX_SHAPES = 256
MAX_CODES = 256
MAX_RESOURCES = 32
MAX_NUMBER = 2**53 - 1
"""The largest sequence number: every language that reads JSON can hold it."""


class MsgType(StrEnum):
    """What a bulletin is towards earlier ones."""

    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"


class Status(StrEnum):
    """Whether a bulletin is meant; Exercise and Test are drills."""

    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    TEST = "Test"


class Category(StrEnum):
    """What a bulletin is about."""

    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class Response(StrEnum):
    """What people should do."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Urgency(StrEnum):
    """How soon to act, most urgent first."""

    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    """How bad it is, worst first."""

    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    """How sure the author is, surest first."""

    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class OriginKind(StrEnum):
    """Where the words come from: the author's own, or passed on."""

    OWN = "own"
    CAP = "cap"
    FEED = "feed"
    REPORT = "report"


class XmlSignature(StrEnum):
    """Whether the imported document carried an XML signature; nobody checked it."""

    ABSENT = "absent"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class Text:
    """What a bulletin says in one language (BCP 47)."""

    language: str
    event: str
    headline: str = ""
    description: str = ""
    instruction: str = ""
    sender_name: str = ""
    contact: str = ""
    web: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    """A place in integer micro-degrees (WGS 84)."""

    lat: int
    lon: int


@dataclass(frozen=True, slots=True)
class Circle:
    """A place and a radius in metres."""

    center: Point
    radius: int


@dataclass(frozen=True, slots=True)
class Area:
    """Where a bulletin holds: words per language always, shapes and codes where known.

    `names` are (language, description) pairs; polygons are closed: the last point is the first.
    `altitude` and `ceiling` are decimal text in feet, as CAP has them.
    """

    names: tuple[tuple[str, str], ...]
    polygons: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[tuple[str, str], ...] = ()
    altitude: str = ""
    ceiling: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """A file that the author points at; shown as text, never fetched."""

    description: str
    mime_type: str = ""
    uri: str = ""
    size: int | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class CapReference:
    """One CAP message named by its triple, each part as written."""

    sender: str
    identifier: str
    sent: str

    @property
    def token(self) -> bytes:
        """The 32 bytes that stand for this triple where ids of bulletins do (docs/spec/bulletin.md)."""
        return hashlib.sha256(encode(["meshrelay/1 cap", self.sender, self.identifier, self.sent])).digest()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the words come from. Times are text as written there; `digest` is the SHA-256 of the file."""

    kind: OriginKind = OriginKind.OWN
    checked: bool = False
    identity: CapReference | None = None
    references: tuple[CapReference, ...] = ()
    effective: str = ""
    onset: str = ""
    expires: str = ""
    digest: bytes | None = None
    signature: XmlSignature | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a bulletin stands in its author's stream.

    `live` are the sequence numbers, ascending, of the newest 64 bulletins of the stream that its author
    still stands by, this one left out.
    """

    stream: bytes
    seq: int
    prev: bytes | None = None
    live: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bulletin:
    """What an author says, in CAP's words; times are whole seconds since 1970."""

    sent: int
    expires: int
    chain: Chain
    texts: tuple[Text, ...] = ()
    msg_type: MsgType = MsgType.ALERT
    status: Status = Status.ACTUAL
    categories: tuple[Category, ...] = (Category.SAFETY,)
    responses: tuple[Response, ...] = ()
    urgency: Urgency = Urgency.UNKNOWN
    severity: Severity = Severity.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    effective: int | None = None
    onset: int | None = None
    expires_assumed: bool = False
    org: bytes | None = None
    references: tuple[bytes, ...] = ()
    areas: tuple[Area, ...] = ()
    codes: tuple[str, ...] = ()
    event_codes: tuple[tuple[str, str], ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    resources: tuple[Resource, ...] = ()
    note: str = ""
    audience: str = ""
    source: str = ""
    incidents: str = ""
    origin: Origin = Origin()

    @property
    def is_drill(self) -> bool:
        """Whether it is an exercise or a test."""
        return self.status is not Status.ACTUAL

    @property
    def alias(self) -> bytes | None:
        """The token of the CAP message it was imported from."""
        return self.origin.identity.token if self.origin.identity else None

    @property
    def targets(self) -> tuple[bytes, ...]:
        """The ids and tokens it acts on; empty for an Alert, whatever that names."""
        if self.msg_type is MsgType.ALERT:
            return ()
        return self.references + tuple(reference.token for reference in self.origin.references)


def is_language(tag: str) -> bool:
    """Tell whether `tag` has the form of a BCP 47 language tag of at most 35 characters."""
    return len(tag) <= 35 and _LANGUAGE.fullmatch(tag) is not None


_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")

# Keys of the payload map; 0 to 9 are common to all kinds (docs/spec/item.md).
_SENT, _STREAM, _SEQ, _PREV, _LIVE, _ORG = 2, 3, 4, 5, 6, 7
_MSG_TYPE, _STATUS, _CATEGORIES, _RESPONSES, _URGENCY, _SEVERITY, _CERTAINTY = 10, 11, 12, 13, 14, 15, 16
_EFFECTIVE, _ONSET, _EXPIRES, _ASSUMED, _REFERENCES, _AREAS, _TEXTS = 17, 18, 19, 20, 21, 22, 23
_CODES, _EVENT_CODES, _PARAMETERS, _RESOURCES, _NOTE, _AUDIENCE, _SOURCE, _INCIDENTS, _ORIGIN = range(24, 33)

_id = fields.raw(32)
_seq = fields.integer(1, MAX_NUMBER)
_lat = fields.integer(-90_000_000, 90_000_000, Reason.PLACE)
_lon = fields.integer(-180_000_000, 180_000_000, Reason.PLACE)
_radius = fields.integer(0, 20_040_000, Reason.PLACE)
_size = fields.integer(0, MAX_NUMBER)
_LONG, _LINE = fields.text(60_000), fields.text(1_000)
_VALUE = fields.text(10_000, empty=True)
_msg_type, _status = fields.word_of(MsgType), fields.word_of(Status)
_category, _response = fields.word_of(Category), fields.word_of(Response)
_urgency, _severity, _certainty = fields.word_of(Urgency), fields.word_of(Severity), fields.word_of(Certainty)
_origin_kind, _xml_signature = fields.word_of(OriginKind), fields.word_of(XmlSignature)

_TEXT_FIELDS = (
    (1, "headline", _LINE),
    (2, "description", _LONG),
    (3, "instruction", _LONG),
    (4, "sender_name", _LINE),
    (5, "contact", _LINE),
    (6, "web", _LINE),
)


def to_payload(bulletin: Bulletin) -> dict[int, Value]:
    """Return the map that is signed, without `kind` and `version`."""
    b = bulletin
    payload: dict[int, Value] = {
        _SENT: b.sent,
        _STREAM: b.chain.stream,
        _SEQ: b.chain.seq,
        _MSG_TYPE: str(b.msg_type),
        _STATUS: str(b.status),
        _CATEGORIES: [str(category) for category in b.categories],
        _URGENCY: str(b.urgency),
        _SEVERITY: str(b.severity),
        _CERTAINTY: str(b.certainty),
        _EXPIRES: b.expires,
    }
    optional: dict[int, Value | None] = {
        _PREV: b.chain.prev,
        _LIVE: list(b.chain.live),
        _ORG: b.org,
        _RESPONSES: [str(response) for response in b.responses],
        _EFFECTIVE: b.effective,
        _ONSET: b.onset,
        _ASSUMED: b.expires_assumed,
        _REFERENCES: list(b.references),
        _AREAS: [_area_out(area) for area in b.areas],
        _TEXTS: {text.language: _text_out(text) for text in b.texts},
        _CODES: list(b.codes),
        _EVENT_CODES: [list(pair) for pair in b.event_codes],
        _PARAMETERS: [list(pair) for pair in b.parameters],
        _RESOURCES: [_resource_out(resource) for resource in b.resources],
        _NOTE: b.note,
        _AUDIENCE: b.audience,
        _SOURCE: b.source,
        _INCIDENTS: b.incidents,
        _ORIGIN: None if b.origin == Origin() else _origin_out(b.origin),
    }
    return payload | _present(optional)


def from_payload(entries: Mapping[int, Any]) -> Bulletin:
    """Return the bulletin that a payload map (without `kind` and `version`) stands for; the gate's types and ranges."""
    f = Fields(entries, "bulletin")
    texts = f.take_optional(_TEXTS, "texts", _texts_in) or ()
    bulletin = Bulletin(
        sent=f.take(_SENT, "sent", fields.time),
        chain=Chain(
            stream=f.take(_STREAM, "stream", fields.raw(8)),
            seq=f.take(_SEQ, "seq", _seq),
            prev=f.take_optional(_PREV, "prev", _id),
            live=f.take_optional(_LIVE, "live", _live_in) or (),
        ),
        org=f.take_optional(_ORG, "org", _id),
        msg_type=f.take(_MSG_TYPE, "msgType", _msg_type),
        status=f.take(_STATUS, "status", _status),
        categories=f.take_list(_CATEGORIES, "category", _category, most=len(Category)),
        responses=f.take_list(_RESPONSES, "responseType", _response, most=len(Response)),
        urgency=f.take(_URGENCY, "urgency", _urgency),
        severity=f.take(_SEVERITY, "severity", _severity),
        certainty=f.take(_CERTAINTY, "certainty", _certainty),
        effective=f.take_optional(_EFFECTIVE, "effective", fields.time),
        onset=f.take_optional(_ONSET, "onset", fields.time),
        expires=f.take(_EXPIRES, "expires", fields.time),
        expires_assumed=f.take_optional(_ASSUMED, "expires_assumed", fields.true) or False,
        references=f.take_list(_REFERENCES, "references", _id, most=MAX_REFERENCES),
        areas=f.take_list(_AREAS, "areas", _area_in, most=MAX_AREAS),
        texts=texts,
        codes=f.take_list(_CODES, "code", _LINE, most=MAX_CODES),
        event_codes=f.take_list(_EVENT_CODES, "eventCode", _pair_in, most=MAX_CODES),
        parameters=f.take_list(_PARAMETERS, "parameter", _pair_in, most=MAX_CODES),
        resources=f.take_list(_RESOURCES, "resource", _resource_in, most=MAX_RESOURCES),
        note=f.take_optional(_NOTE, "note", _LONG) or "",
        audience=f.take_optional(_AUDIENCE, "audience", _LINE) or "",
        source=f.take_optional(_SOURCE, "source", _LINE) or "",
        incidents=f.take_optional(_INCIDENTS, "incidents", _LONG) or "",
        origin=f.take_optional(_ORIGIN, "origin", _origin_in) or Origin(),
    )
    f.end()
    _check_whole(bulletin)
    return bulletin


def _check_whole(b: Bulletin) -> None:
    if not b.sent < b.expires <= b.sent + MAX_LIFE:
        wrong("expires", "not after sent, or more than 90 days after it", Reason.TIME)
    if b.chain.seq == 1 and b.chain.prev is not None:
        wrong("prev", "the first of a stream has none")
    if b.chain.live and b.chain.live[-1] >= b.chain.seq:
        wrong("live", "not below seq")
    if not b.texts and b.msg_type is not MsgType.CANCEL:
        wrong("texts", "missing")
    if not b.categories:
        wrong("category", "missing")
    if b.msg_type is not MsgType.ALERT and not b.references and not b.origin.references:
        wrong("references", f"missing; a bulletin of type {b.msg_type} names what it acts on")
    for name, values in (("references", b.references), ("category", b.categories), ("responseType", b.responses)):
        if len(set(values)) != len(values):
            wrong(name, "something is there twice")


def _present(optional: dict[int, Value | None]) -> dict[int, Value]:
    """Leave out what is absent: None, false, empty text and empty lists have no written form; zero has one."""
    return {
        key: value
        for key, value in optional.items()
        if value or (isinstance(value, int) and not isinstance(value, bool))
    }


def _live_in(value: object, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LIVE:
        wrong(name, f"not a list of 1 to {MAX_LIVE} numbers")
    fields.integers(value, name, 1, MAX_NUMBER)
    if not all(map(lt, value, value[1:])):
        wrong(name, "not ascending")
    return tuple(value)


def _text_out(text: Text) -> dict[int, Value]:
    return {0: text.event} | _present({key: getattr(text, name) for key, name, _ in _TEXT_FIELDS})


def _texts_in(value: object, name: str) -> tuple[Text, ...]:
    return tuple([_text_in(language, entries) for language, entries in _by_language(value, name)])


def _text_in(language: str, entries: object) -> Text:
    f = Fields(entries, "text")
    event = f.take(0, "event", _LINE)
    rest = {name: f.take_optional(key, name, read) or "" for key, name, read in _TEXT_FIELDS}
    f.end()
    return Text(language, event, **rest)


def _by_language(value: object, name: str) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        wrong(name, "not a map")
    if not 1 <= len(value) <= MAX_LANGUAGES:
        wrong(name, f"has {len(value)} languages, 1 to {MAX_LANGUAGES} are allowed")
    for tag in value:
        if not isinstance(tag, str) or not is_language(tag):
            wrong(name, f"{tag!r} is not a language tag")
    if len({tag.lower() for tag in value}) != len(value):
        wrong(name, "one language is there twice")
    return list(value.items())


def _pair_in(value: object, name: str) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2:
        wrong(name, "not a pair of name and value")
    return _LINE(value[0], name), _VALUE(value[1], name)


def _area_out(area: Area) -> dict[int, Value]:
    return {0: dict(area.names)} | _present(
        {
            1: [[number for point in polygon for number in (point.lat, point.lon)] for polygon in area.polygons],
            2: [[circle.center.lat, circle.center.lon, circle.radius] for circle in area.circles],
            3: [list(pair) for pair in area.geocodes],
            4: area.altitude,
            5: area.ceiling,
        }
    )


def _area_in(value: object, name: str) -> Area:
    f = Fields(value, name)
    names = f.take(0, "areaDesc", _by_language)
    area = Area(
        names=tuple([(language, _LONG(words, "areaDesc")) for language, words in names]),
        polygons=f.take_list(1, "polygon", _polygon_in, most=MAX_SHAPES),
        circles=f.take_list(2, "circle", _circle_in, most=MAX_SHAPES),
        geocodes=f.take_list(3, "geocode", _pair_in, most=MAX_CODES * 4),
        altitude=f.take_optional(4, "altitude", fields.text(32)) or "",
        ceiling=f.take_optional(5, "ceiling", fields.text(32)) or "",
    )
    f.end()
    return area


def _polygon_in(value: object, name: str) -> tuple[Point, ...]:
    if not isinstance(value, list) or len(value) < 8 or len(value) % 2:
        wrong(name, "has fewer than four points, or half a point", Reason.PLACE)
    lats, lons = value[::2], value[1::2]
    fields.integers(lats, name, -90_000_000, 90_000_000, Reason.PLACE)
    fields.integers(lons, name, -180_000_000, 180_000_000, Reason.PLACE)
    points = tuple(map(Point, lats, lons))
    if points[0] != points[-1]:
        wrong(name, "not closed", Reason.PLACE)
    return points


def _circle_in(value: object, name: str) -> Circle:
    if not isinstance(value, list) or len(value) != 3:
        wrong(name, "not latitude, longitude and radius", Reason.PLACE)
    return Circle(Point(_lat(value[0], name), _lon(value[1], name)), _radius(value[2], name))


def _resource_out(resource: Resource) -> dict[int, Value]:
    return {0: resource.description} | _present(
        {1: resource.mime_type, 2: resource.uri, 3: resource.size, 4: resource.digest}
    )


def _resource_in(value: object, name: str) -> Resource:
    f = Fields(value, name)
    resource = Resource(
        description=f.take(0, "resourceDesc", _LINE),
        mime_type=f.take_optional(1, "mimeType", _LINE) or "",
        uri=f.take_optional(2, "uri", fields.text(4_000)) or "",
        size=f.take_optional(3, "size", _size),
        digest=f.take_optional(4, "digest", _LINE) or "",
    )
    f.end()
    return resource


def _reference_in(value: object, name: str) -> CapReference:
    if not isinstance(value, list) or len(value) != 3:
        wrong(name, "not sender, identifier and sent")
    return CapReference(*[_LINE(part, name) for part in value])


def _origin_out(origin: Origin) -> dict[int, Value]:
    identity = origin.identity
    return {0: str(origin.kind)} | _present(
        {
            1: origin.checked,
            2: [identity.sender, identity.identifier, identity.sent] if identity else None,
            3: [[reference.sender, reference.identifier, reference.sent] for reference in origin.references],
            4: origin.effective,
            5: origin.onset,
            6: origin.expires,
            7: origin.digest,
            8: str(origin.signature) if origin.signature else None,
        }
    )


def _origin_in(value: object, name: str) -> Origin:
    f = Fields(value, name)
    kind = f.take(0, "origin.kind", _origin_kind)
    origin = Origin(
        kind=kind,
        checked=f.take_optional(1, "origin.checked", fields.true) or False,
        identity=f.take_optional(2, "origin.identity", _reference_in),
        references=f.take_list(3, "origin.references", _reference_in, most=MAX_REFERENCES),
        effective=f.take_optional(4, "origin.effective", _LINE) or "",
        onset=f.take_optional(5, "origin.onset", _LINE) or "",
        expires=f.take_optional(6, "origin.expires", _LINE) or "",
        digest=f.take_optional(7, "origin.digest", _id),
        signature=f.take_optional(8, "origin.signature", _xml_signature),
    )
    f.end()
    if origin == Origin():
        wrong(name, "says nothing; leave it out instead")
    if (kind is OriginKind.CAP) != (origin.identity is not None):
        wrong(name, "the identity of a CAP message goes with the kind cap, and only with it")
    return origin
