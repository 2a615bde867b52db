"""Bulletins: emergency messages in the words of the Common Alerting Protocol 1.2.

A bulletin is what an author says; who signed it is the envelope's matter, whether to believe it is trust's.
:func:`to_payload` and :func:`from_payload` are the two directions between values and the map that is signed.

Law: from_payload(to_payload(b)) == b for every bulletin that from_payload accepts, and from_payload raises
nothing but InvalidItem. Source: docs/spec/bulletin.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from operator import lt
from typing import Any, TypeVar

from meshrelay.core import fields
from meshrelay.core.encoding import Value, encode
from meshrelay.core.fields import Field, Table, listed, wrong
from meshrelay.errors import Reason

E = TypeVar("E", bound=StrEnum)

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
DEFAULT_EVENT = "Notice"
"""The event of a text whose writer names none: CAP does not let it be empty."""
LANGUAGE_ORDER = "urn:meshrelay:info:languages"
"""The parameter that says in which order texts were written where that is not the order of their map: tags in a row."""
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
        """The 32 bytes that stand for this triple where ids of bulletins do (docs/spec/bulletin.md).

        Two ways to write one moment give the same token; all else counts as it is written.
        """
        moment = seconds(self.sent)
        sent = self.sent if moment is None else moment
        return hashlib.sha256(encode(["meshrelay/1 cap", self.sender, self.identifier, sent])).digest()


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


UNSIGNED = Chain(bytes(8), 1)
"""The place in a stream of a draft: whoever signs it sets the real one."""


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


def seconds(text: str) -> int | None:
    """Return the unix time that a time of CAP stands for, a fraction dropped, or None when it is no such time."""
    match = _CAP_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    sign, hours, minutes = match[7], int(match[8] or 0), int(match[9] or 0)
    # No leap second, no hour 24, no offset of a day: the same in every language, whatever its library thinks of time.
    if hour > 23 or minute > 59 or second > 59 or hours > 23 or minutes > 59:
        return None
    try:
        days = date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None
    ahead = hours * 3600 + minutes * 60
    return days * 86400 + hour * 3600 + minute * 60 + second + (ahead if sign == "-" else -ahead)


def is_language(tag: str) -> bool:
    """Tell whether `tag` has the form of a BCP 47 language tag of at most 35 characters."""
    return len(tag) <= 35 and _LANGUAGE.fullmatch(tag) is not None


_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_CAP_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()

# Keys of the payload map; 0 to 9 are common to all kinds (docs/spec/item.md).
_SENT, _STREAM, _SEQ, _PREV, _LIVE, _ORG = 2, 3, 4, 5, 6, 7
_MSG_TYPE, _STATUS, _CATEGORIES, _RESPONSES, _URGENCY, _SEVERITY, _CERTAINTY = 10, 11, 12, 13, 14, 15, 16
_EFFECTIVE, _ONSET, _EXPIRES, _ASSUMED, _REFERENCES, _AREAS, _TEXTS = 17, 18, 19, 20, 21, 22, 23
_CODES, _EVENT_CODES, _PARAMETERS, _RESOURCES, _NOTE, _AUDIENCE, _SOURCE, _INCIDENTS, _ORIGIN = range(24, 33)

_id = fields.raw(32)
_radius = fields.integer(0, 20_040_000, Reason.PLACE)
_size = fields.integer(0, MAX_NUMBER)
_LONG, _LINE = fields.text(60_000), fields.text(1_000)
_VALUE = fields.text(10_000, empty=True)
_FEET, _URI = fields.text(32), fields.text(4_000)

_TEXT_ATTRIBUTES = ("event", "headline", "description", "instruction", "sender_name", "contact", "web")


def to_payload(bulletin: Bulletin) -> dict[int, Value]:
    """Return the map that is signed, without `kind` and `version`; raise ValueError if a language is there twice."""
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
        _TEXTS: _by_language_out((text.language, _text_out(text)) for text in b.texts),
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


def in_order(bulletin: Bulletin) -> tuple[Text, ...]:
    """Return the texts in the order in which they were written, as far as the bulletin says: the original first."""
    said = next((value for name, value in bulletin.parameters if name == LANGUAGE_ORDER), "")
    order = {tag: place for place, tag in enumerate(said.split())}
    return tuple(sorted(bulletin.texts, key=lambda text: order.get(text.language, len(order))))


def with_order(bulletin: Bulletin, first: str) -> Bulletin:
    """Return the bulletin with a parameter for the order of its texts, where it needs one.

    Those that it has an order for keep it; without one, the text in the language `first` is the original.
    """
    known = any(name == LANGUAGE_ORDER for name, _ in bulletin.parameters)
    tags = [text.language for text in in_order(bulletin)]
    if not known and first in tags:
        tags = [first, *(tag for tag in tags if tag != first)]
    parameters = tuple(pair for pair in bulletin.parameters if pair[0] != LANGUAGE_ORDER)
    if tags != sorted(tags, key=lambda tag: (len(tag.encode()), tag)) and len(parameters) < MAX_CODES:
        parameters += ((LANGUAGE_ORDER, " ".join(tags)),)
    return replace(bulletin, parameters=parameters)


def from_payload(entries: Mapping[int, Any]) -> Bulletin:
    """Return the bulletin that a payload map (without `kind` and `version`) stands for; the gate's types and ranges."""
    values = _BULLETIN.read(entries, "bulletin")
    chain = Chain(**{name: values.pop(name) for name in ("stream", "seq", "prev", "live") if name in values})
    bulletin = Bulletin(chain=chain, **values)
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


def _words_of(words: type[E]) -> Callable[[object, str], tuple[E, ...]]:
    return listed(fields.word_of(words), most=len(words))


def _live_in(value: object, name: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LIVE:
        wrong(name, f"not a list of 1 to {MAX_LIVE} numbers")
    numbers = fields.integers(value, name, 1, MAX_NUMBER)
    if not all(map(lt, numbers, numbers[1:])):
        wrong(name, "not ascending")
    return tuple(numbers)


def _text_out(text: Text) -> dict[int, Value]:
    return _present({key: getattr(text, name) for key, name in enumerate(_TEXT_ATTRIBUTES)})


def _texts_in(value: object, name: str) -> tuple[Text, ...]:
    return tuple([Text(language, **_TEXT.read(entries, "text")) for language, entries in _by_language(value, name)])


def _by_language_out(entries: Iterable[tuple[str, Value]]) -> Value:
    said: dict[str, Value] = {}
    for language, value in entries:
        if language in said:
            raise ValueError(f"two texts in {language}")
        said[language] = value
    return said


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
    return {0: _by_language_out(area.names)} | _present(
        {
            1: [[number for point in polygon for number in (point.lat, point.lon)] for polygon in area.polygons],
            2: [[circle.center.lat, circle.center.lon, circle.radius] for circle in area.circles],
            3: [list(pair) for pair in area.geocodes],
            4: area.altitude,
            5: area.ceiling,
        }
    )


def _area_in(value: object, name: str) -> Area:
    return Area(**_AREA.read(value, name))


def _area_names_in(value: object, name: str) -> tuple[tuple[str, str], ...]:
    return tuple([(language, _LONG(words, name)) for language, words in _by_language(value, name)])


def _polygon_in(value: object, name: str) -> tuple[Point, ...]:
    if not isinstance(value, list) or len(value) < 8 or len(value) % 2:
        wrong(name, "has fewer than four points, or half a point", Reason.PLACE)
    points = _points(value[::2], value[1::2], name)
    if points[0] != points[-1]:
        wrong(name, "not closed", Reason.PLACE)
    return points


def _points(lats: Sequence[object], lons: Sequence[object], name: str) -> tuple[Point, ...]:
    return tuple(
        map(
            Point,
            fields.integers(lats, name, -90_000_000, 90_000_000, Reason.PLACE),
            fields.integers(lons, name, -180_000_000, 180_000_000, Reason.PLACE),
        )
    )


def _circle_in(value: object, name: str) -> Circle:
    if not isinstance(value, list) or len(value) != 3:
        wrong(name, "not latitude, longitude and radius", Reason.PLACE)
    ((center,), radius) = _points([value[0]], [value[1]], name), _radius(value[2], name)
    return Circle(center, radius)


def _resource_out(resource: Resource) -> dict[int, Value]:
    return {0: resource.description} | _present(
        {1: resource.mime_type, 2: resource.uri, 3: resource.size, 4: resource.digest}
    )


def _resource_in(value: object, name: str) -> Resource:
    return Resource(**_RESOURCE.read(value, name))


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
    origin = Origin(**_ORIGIN_FIELDS.read(value, name))
    if origin == Origin():
        wrong(name, "says nothing; leave it out instead")
    if (origin.kind is OriginKind.CAP) != (origin.identity is not None):
        wrong(name, "the identity of a CAP message goes with the kind cap, and only with it")
    return origin


_TEXT = Table(
    {
        0: Field("event", "event", _LINE, required=True),
        1: Field("headline", "headline", _LINE),
        2: Field("description", "description", _LONG),
        3: Field("instruction", "instruction", _LONG),
        4: Field("sender_name", "senderName", _LINE),
        5: Field("contact", "contact", _LINE),
        6: Field("web", "web", _LINE),
    }
)
_AREA = Table(
    {
        0: Field("names", "areaDesc", _area_names_in, required=True),
        1: Field("polygons", "polygon", listed(_polygon_in, most=MAX_SHAPES)),
        2: Field("circles", "circle", listed(_circle_in, most=MAX_SHAPES)),
        3: Field("geocodes", "geocode", listed(_pair_in, most=MAX_CODES * 4)),
        4: Field("altitude", "altitude", _FEET),
        5: Field("ceiling", "ceiling", _FEET),
    }
)
_RESOURCE = Table(
    {
        0: Field("description", "resourceDesc", _LINE, required=True),
        1: Field("mime_type", "mimeType", _LINE),
        2: Field("uri", "uri", _URI),
        3: Field("size", "size", _size),
        4: Field("digest", "digest", _LINE),
    }
)
_ORIGIN_FIELDS = Table(
    {
        0: Field("kind", "origin.kind", fields.word_of(OriginKind), required=True),
        1: Field("checked", "origin.checked", fields.true),
        2: Field("identity", "origin.identity", _reference_in),
        3: Field("references", "origin.references", listed(_reference_in, most=MAX_REFERENCES)),
        4: Field("effective", "origin.effective", _LINE),
        5: Field("onset", "origin.onset", _LINE),
        6: Field("expires", "origin.expires", _LINE),
        7: Field("digest", "origin.digest", _id),
        8: Field("signature", "origin.signature", fields.word_of(XmlSignature)),
    }
)
_BULLETIN = Table(
    {
        _SENT: Field("sent", "sent", fields.time, required=True),
        _STREAM: Field("stream", "stream", fields.raw(8), required=True),
        _SEQ: Field("seq", "seq", fields.integer(1, MAX_NUMBER), required=True),
        _PREV: Field("prev", "prev", _id),
        _LIVE: Field("live", "live", _live_in),
        _ORG: Field("org", "org", _id),
        _MSG_TYPE: Field("msg_type", "msgType", fields.word_of(MsgType), required=True),
        _STATUS: Field("status", "status", fields.word_of(Status), required=True),
        _CATEGORIES: Field("categories", "category", _words_of(Category), required=True),
        _RESPONSES: Field("responses", "responseType", _words_of(Response)),
        _URGENCY: Field("urgency", "urgency", fields.word_of(Urgency), required=True),
        _SEVERITY: Field("severity", "severity", fields.word_of(Severity), required=True),
        _CERTAINTY: Field("certainty", "certainty", fields.word_of(Certainty), required=True),
        _EFFECTIVE: Field("effective", "effective", fields.time),
        _ONSET: Field("onset", "onset", fields.time),
        _EXPIRES: Field("expires", "expires", fields.time, required=True),
        _ASSUMED: Field("expires_assumed", "expires_assumed", fields.true),
        _REFERENCES: Field("references", "references", listed(_id, most=MAX_REFERENCES)),
        _AREAS: Field("areas", "areas", listed(_area_in, most=MAX_AREAS)),
        _TEXTS: Field("texts", "texts", _texts_in),
        _CODES: Field("codes", "code", listed(_LINE, most=MAX_CODES)),
        _EVENT_CODES: Field("event_codes", "eventCode", listed(_pair_in, most=MAX_CODES)),
        _PARAMETERS: Field("parameters", "parameter", listed(_pair_in, most=MAX_CODES)),
        _RESOURCES: Field("resources", "resource", listed(_resource_in, most=MAX_RESOURCES)),
        _NOTE: Field("note", "note", _LONG),
        _AUDIENCE: Field("audience", "audience", _LINE),
        _SOURCE: Field("source", "source", _LINE),
        _INCIDENTS: Field("incidents", "incidents", _LONG),
        _ORIGIN: Field("origin", "origin", _origin_in),
    }
)
