"""Common Alerting Protocol 1.2 (and 1.1, which maps the same way): documents into drafts, bulletins into documents.

Not here: feeds and envelopes around alerts, signing, and the verification of XML signatures, which are reported as
present and otherwise passed over. Nothing that a document points at is fetched.

Law: for any bytes :func:`read_alerts` returns what can be imported and says what cannot, naming the element, and
raises nothing but InvalidDocument. Every draft it returns would pass the gate. :func:`write_alert` writes a
document that is valid by the CAP 1.2 schema, whatever the bulletin says.
Source: docs/spec/bulletin.md, "Mapping to CAP 1.2".
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from meshrelay.core.bulletin import (
    MAX_AREAS,
    MAX_CODES,
    MAX_LANGUAGES,
    MAX_LIFE,
    MAX_NUMBER,
    MAX_REFERENCES,
    MAX_RESOURCES,
    MAX_SHAPES,
    Area,
    Bulletin,
    CapReference,
    Category,
    Certainty,
    Circle,
    MsgType,
    Origin,
    OriginKind,
    Point,
    Resource,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
    XmlSignature,
    from_payload,
    is_language,
    to_payload,
)
from meshrelay.core.encoding import MAX_ITEM, decode, encode, is_clean_text
from meshrelay.core.envelope import SignedItem
from meshrelay.errors import InvalidDocument, InvalidItem
from meshrelay.relay import UNSIGNED

MEDIA_TYPE: Final = "application/cap+xml"
NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MAX_DOCUMENT: Final = 16 * 1024 * 1024
MAX_ELEMENTS: Final = 250_000
MAX_DEPTH: Final = 64
MAX_INFOS: Final = 1_000
MAX_READ: Final = 250_000
"""Points of all polygons of a document, and triples that it references; the largest seen have 41,000 and a few."""
MAX_POINTS: Final = 50_000
"""Points of one document that simplification looks at; where there are more, every second one goes first."""
ASSUMED_LIFE: Final = 86_400
"""Seconds after its own `sent` that an alert without `expires` is taken to hold."""

_NAMESPACES: Final = (NAMESPACE, "urn:oasis:names:tc:emergency:cap:1.1")
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_DEFAULT_LANGUAGE: Final = "en-US"
# What the envelope and the place in a stream (prev and 64 of live) add to the words of a draft.
_ROOM: Final = MAX_ITEM - 1_024
_POINT_SIZE: Final = 10
_LINE, _LONG, _VALUE, _URI, _DECIMAL = 1_000, 60_000, 10_000, 4_000, 32
_GEOCODES: Final = MAX_CODES * 4

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|([+-])(\d\d):(\d\d))", re.ASCII)
_CAP_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})", re.ASCII)
_NOT_XML: Final = re.compile(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_URI_SAFE: Final = ":/?#@!$&'()*+,;=%-._~"
# With a scheme, or with no colon before the first slash; every % is an escape and there is one fragment at most.
_URI_FORM: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:(?=.)|(?![^/?#]*:))(?:[^%#]|%[0-9A-Fa-f]{2})*(?:#(?:[^%#]|%[0-9A-Fa-f]{2})*)?"
)
_IDS: Final = "urn:meshrelay:"
_ACTS_ON: Final = _IDS + "acts-on:"

E = TypeVar("E", bound=StrEnum)
V = TypeVar("V")


class Change(StrEnum):
    """What an import had to alter; the words are stable, for the pages say them."""

    PAST = "already past"
    ASSUMED = "no end given"
    CUT = "end cut to 90 days"
    TEXT = "text shortened or characters left out"
    TIME = "time in a form that CAP does not have"
    CLOSED = "open polygon closed"
    SHAPES = "polygons simplified"
    RESOURCES = "resources left out"
    ENTRIES = "entries left out"


@dataclass(frozen=True, slots=True)
class ImportedAlert:
    """One CAP alert as drafts: one for each incident, in the order of the document, and what was altered.

    A draft is a bulletin without its place in a stream; publish it at the same `now` as it was read.
    """

    identity: CapReference
    drafts: tuple[Bulletin, ...]
    changes: frozenset[Change]


def read_alerts(data: bytes, *, now: int, checked: bool = False) -> list[ImportedAlert | InvalidDocument]:
    """Return what each alert of a document says, or why it cannot be imported.

    `now` is the time of signing; `checked` says that the operator has looked into it themselves.
    Raises InvalidDocument when the document as a whole is none.
    """
    root = _parse(data)
    if _local(root) != "alert":
        raise InvalidDocument("alert", "the document is not a CAP 1.2 or 1.1 alert")
    try:
        return [_Reader(root, now=now, checked=checked, digest=hashlib.sha256(data).digest()).read()]
    except InvalidDocument as refusal:
        return [refusal]


def triple(item: SignedItem) -> CapReference:
    """Return how CAP names this bulletin: as what it was imported from, or by its own key and id."""
    body = _bulletin(item)
    if body.origin.identity is None:
        return CapReference(f"{_IDS}key:{item.author.hex()}", f"{_IDS}id:{item.id.hex()}", _written(body.sent))
    identity = body.origin.identity
    return dataclasses.replace(identity, sent=_as_cap_time(identity.sent))


def write_alert(item: SignedItem, *, targets: Iterable[SignedItem] = ()) -> bytes:
    """Return the CAP 1.2 document of a bulletin.

    `targets` are what it acts on by id, as far as that is held: CAP names alerts by more than an id. Statements among
    them, which anybody may name, have no name in CAP.
    """
    body = _bulletin(item)
    own = body.origin.identity is None
    name = triple(item)
    alert = ElementTree.Element("alert", {"xmlns": NAMESPACE})
    named = {target.id: triple(target) for target in targets if isinstance(target.body, Bulletin)}
    references = [named[id_] for id_ in body.references if id_ in named] + list(body.origin.references)
    _add(alert, "identifier", name.identifier)
    _add(alert, "sender", name.sender)
    _add(alert, "sent", name.sent)
    _add(alert, "status", body.status)
    _add(alert, "msgType", body.msg_type)
    _add_some(alert, "source", body.source)
    _add(alert, "scope", "Public")
    for code in (*body.codes, *(_ACTS_ON + id_.hex() for id_ in body.references)):
        _add(alert, "code", code)
    _add_some(alert, "note", body.note)
    _add_some(alert, "references", " ".join(f"{r.sender},{r.identifier},{_as_cap_time(r.sent)}" for r in references))
    _add_some(alert, "incidents", body.incidents)
    times = _own_times(body) if own else _original_times(body.origin)
    for text in body.texts:
        _add_info(alert, body, text, times)
    ElementTree.indent(alert)
    xml: bytes = ElementTree.tostring(alert, encoding="utf-8", xml_declaration=True)
    return xml


# Reading


class _Builder(ElementTree.TreeBuilder):
    """A tree of bounded size: thin elements make a small file a large tree."""

    def __init__(self) -> None:
        super().__init__()
        self._count = self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> ElementTree.Element:
        self._count += 1
        self._depth += 1
        if self._count > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise InvalidDocument("document", "has too many elements, or they are nested too deep")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def _parse(data: bytes) -> ElementTree.Element:
    if len(data) > MAX_DOCUMENT:
        raise InvalidDocument("document", f"{len(data)} bytes, at most {MAX_DOCUMENT} are read")
    parser = DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(data)
        root: ElementTree.Element = parser.close()
    except DefusedXmlException as error:
        raise InvalidDocument("document", "has a document type declaration, which is never read") from error
    except (ParseError, LookupError, ValueError) as error:
        raise InvalidDocument("document", f"is not XML that can be read: {error}") from error
    return root


def _local(element: ElementTree.Element) -> str:
    """Return the name of a CAP element, or an empty string for any other."""
    namespace, _, name = element.tag.rpartition("}")
    return name if namespace[1:] in _NAMESPACES else ""


def _refuse(element: str, detail: str) -> NoReturn:
    raise InvalidDocument(element, detail)


@dataclass(frozen=True, slots=True)
class _Incident:
    """What the infos of one incident share; infos that differ in nothing but language are one incident."""

    categories: tuple[Category, ...]
    responses: tuple[Response, ...]
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    times: tuple[str, str, str]
    event_codes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Info:
    """One info; `shapes` stands for what its areas are without their names."""

    incident: _Incident
    text: Text
    areas: tuple[Area, ...]
    shapes: bytes
    audience: str
    parameters: tuple[tuple[str, str], ...]
    resources: tuple[Resource, ...]

    def is_translation(self, other: _Info) -> bool:
        """Tell whether this may be the same incident in another language, or one of the two names no place."""
        return self.text.language.lower() != other.text.language.lower() and (
            self.shapes == other.shapes or not self.areas or not other.areas
        )


class _Element:
    """One CAP element and its children by name; what is empty counts as absent."""

    def __init__(self, element: ElementTree.Element, changes: set[Change]) -> None:
        self._children: dict[str, list[ElementTree.Element]] = {}
        self._changes = changes
        for child in element:
            if name := _local(child):
                self._children.setdefault(name, []).append(child)

    def elements(self, name: str) -> Iterator[_Element]:
        return (_Element(child, self._changes) for child in self._children.get(name, ()))

    def texts(self, name: str, *, most: int = _LINE) -> list[str]:
        found = (self._clean("".join(child.itertext()), most) for child in self._children.get(name, ()))
        return [text for text in found if text]

    def text(self, name: str, *, most: int = _LINE) -> str:
        """Return the text of an element that may be there once, or an empty string."""
        if len(self._children.get(name, ())) > 1:
            _refuse(name, "is there more than once")
        return next(iter(self.texts(name, most=most)), "")

    def needed(self, name: str, *, most: int = _LINE) -> str:
        return self.text(name, most=most) or _refuse(name, "missing or empty")

    def exact(self, name: str) -> str:
        """Return a text that names something, so that nothing of it may be altered."""
        raw = "".join("".join(child.itertext()) for child in self._children.get(name, ())).strip()
        text = self.needed(name)
        if text != raw:
            _refuse(name, f"is longer than {_LINE} characters, or has characters that are not shown")
        return text

    def word(self, name: str, words: type[E]) -> E:
        return _word(self.needed(name), name, words)

    def words(self, name: str, words: type[E]) -> tuple[E, ...]:
        return tuple(dict.fromkeys(_word(text, name, words) for text in self.texts(name)))

    def pairs(self, name: str, *, most: int) -> tuple[tuple[str, str], ...]:
        found = [(pair.text("valueName"), pair.text("value", most=_VALUE)) for pair in self.elements(name)]
        named = [pair for pair in found if pair[0]]
        if len(named) < len(found):
            self._changes.add(Change.ENTRIES)
        return self.at_most(most, dict.fromkeys(named))

    def at_most(self, most: int, values: Iterable[V]) -> tuple[V, ...]:
        """Return the first values, and take down that others were left out."""
        kept = tuple(values)
        if len(kept) > most:
            self._changes.add(Change.ENTRIES)
        return kept[:most]

    def _clean(self, raw: str, most: int) -> str:
        """Return text as the gate takes it; the margin that a pretty-printer put before each line goes too."""
        raw = raw.strip()
        if len(raw) > most * 4:
            raw = raw[: most * 4]
            self._changes.add(Change.TEXT)
        text = inspect.cleandoc(raw.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")).strip()
        if not is_clean_text(text):
            text = "".join(c for c in text if is_clean_text(c)).strip()
            self._changes.add(Change.TEXT)
        if len(text) > most:
            text = text[: most - 1].rstrip() + "…"
            self._changes.add(Change.TEXT)
        return text


class _Reader:
    """One alert element on its way to drafts."""

    def __init__(self, alert: ElementTree.Element, *, now: int, checked: bool, digest: bytes) -> None:
        self._changes: set[Change] = set()
        self._points = 0
        self._alert = _Element(alert, self._changes)
        self._now = now
        self._checked = checked
        self._digest = digest
        self._signature = XmlSignature.ABSENT if alert.find(f".//{_SIGNATURE}") is None else XmlSignature.PRESENT

    def read(self) -> ImportedAlert:
        alert = self._alert
        identity = CapReference(alert.exact("sender"), alert.exact("identifier"), alert.exact("sent"))
        sent = self._time(identity.sent, "sent")
        status, msg_type = self._status(), self._msg_type()
        scope = alert.needed("scope")
        if scope != "Public":
            _refuse("scope", f"{scope[:40]!r}: only what is Public is passed on")
        references = self._references()
        if msg_type is not MsgType.ALERT and not references:
            _refuse("references", f"missing; an {msg_type} names what it acts on")
        infos = [self._info(info) for info in alert.elements("info")]
        if len(infos) > MAX_INFOS:
            _refuse("info", f"is there {len(infos)} times, at most {MAX_INFOS} are read")
        if not infos and msg_type is not MsgType.CANCEL:
            _refuse("info", "missing")
        drafts = []
        for group in _incidents(infos) or [[]]:
            draft = Bulletin(
                sent=self._now,
                expires=self._now + 1,
                chain=UNSIGNED,
                status=status,
                msg_type=msg_type,
                codes=alert.at_most(MAX_CODES, alert.texts("code")),
                note=alert.text("note", most=_LONG),
                source=alert.text("source"),
                incidents=alert.text("incidents", most=_LONG),
                origin=Origin(
                    OriginKind.CAP, self._checked, identity, references, "", "", "", self._digest, self._signature
                ),
            )
            drafts.append(self._checked_draft(self._timed(self._with_infos(draft, group), group, sent)))
        return ImportedAlert(identity, tuple(drafts), frozenset(self._changes))

    def _status(self) -> Status:
        word = self._alert.needed("status")
        if word in ("System", "Draft"):
            _refuse("status", f"{word} is not for the public")
        return _word(word, "status", Status)

    def _msg_type(self) -> MsgType:
        word = self._alert.needed("msgType")
        if word in ("Ack", "Error"):
            _refuse("msgType", f"{word} speaks to the sender, not to the public")
        return _word(word, "msgType", MsgType)

    def _references(self) -> tuple[CapReference, ...]:
        found: dict[CapReference, None] = {}
        words = self._alert.text("references", most=MAX_DOCUMENT).split()
        if len(words) > MAX_READ:
            _refuse("references", f"has more than {MAX_READ} triples")
        for word in words:
            sender, _, rest = word.partition(",")
            identifier, _, sent = rest.rpartition(",")
            if not sender or not identifier or max(map(len, (sender, identifier, sent))) > _LINE:
                _refuse("references", f"{word[:80]!r} is not sender,identifier,sent")
            self._time(sent, "references")
            found[CapReference(sender, identifier, sent)] = None
        # They are written oldest first; what an Update or Cancel leaves out, its own targets name.
        return self._alert.at_most(MAX_REFERENCES, reversed(found))[::-1]

    def _info(self, info: _Element) -> _Info:
        language = (info.text("language") or _DEFAULT_LANGUAGE).replace("_", "-")
        if not is_language(language):
            _refuse("language", f"{language[:40]!r} is not a language tag")
        incident = _Incident(
            categories=info.words("category", Category) or _refuse("category", "missing or empty"),
            responses=info.words("responseType", Response),
            urgency=info.word("urgency", Urgency),
            severity=info.word("severity", Severity),
            certainty=_certainty(info.needed("certainty")),
            times=(info.text("effective"), info.text("onset"), info.text("expires")),
            event_codes=info.pairs("eventCode", most=MAX_CODES),
        )
        text = Text(
            language=language,
            event=info.needed("event"),
            headline=info.text("headline"),
            description=info.text("description", most=_LONG),
            instruction=info.text("instruction", most=_LONG),
            sender_name=info.text("senderName"),
            contact=info.text("contact"),
            web=info.text("web"),
        )
        areas = tuple([self._area(area, language) for area in info.elements("area")])
        return _Info(
            incident,
            text,
            areas,
            hashlib.sha256(repr([dataclasses.replace(area, names=()) for area in areas]).encode()).digest(),
            info.text("audience"),
            info.pairs("parameter", most=MAX_CODES),
            tuple(filter(None, [self._resource(resource) for resource in info.elements("resource")])),
        )

    def _area(self, area: _Element, language: str) -> Area:
        return Area(
            names=((language, area.needed("areaDesc", most=_LONG)),),
            polygons=area.at_most(MAX_SHAPES, map(self._polygon, area.texts("polygon", most=MAX_DOCUMENT))),
            circles=area.at_most(MAX_SHAPES, map(_circle, area.texts("circle"))),
            geocodes=area.pairs("geocode", most=_GEOCODES),
            altitude=_decimal(area.text("altitude"), "altitude"),
            ceiling=_decimal(area.text("ceiling"), "ceiling"),
        )

    def _polygon(self, text: str) -> tuple[Point, ...]:
        pairs = text.split()
        self._points += len(pairs)
        if self._points > MAX_READ:
            _refuse("polygon", f"there are more than {MAX_READ} points")
        points = [_point(pair, "polygon") for pair in pairs]
        if points[0] != points[-1]:
            points.append(points[0])
            self._changes.add(Change.CLOSED)
        if len(points) < 4:
            _refuse("polygon", "has fewer than three corners")
        return tuple(points)

    def _resource(self, resource: _Element) -> Resource | None:
        description = resource.text("resourceDesc")
        if resource.text("derefUri", most=1):
            self._changes.add(Change.RESOURCES)
        if not description:
            self._changes.add(Change.RESOURCES)
            return None
        size = resource.text("size", most=16)
        return Resource(
            description=description,
            mime_type=resource.text("mimeType"),
            uri=resource.text("uri", most=_URI),
            size=int(size) if size.isascii() and size.isdigit() and int(size) <= MAX_NUMBER else None,
            digest=resource.text("digest"),
        )

    def _with_infos(self, draft: Bulletin, infos: Sequence[_Info]) -> Bulletin:
        """Put the infos of one incident together; they differ in language."""
        if not infos:
            return draft
        incident, alert = infos[0].incident, self._alert
        effective, onset, expires = incident.times
        audiences = list(dict.fromkeys(info.audience for info in infos if info.audience))
        return dataclasses.replace(
            draft,
            texts=tuple(info.text for info in infos),
            categories=incident.categories,
            responses=incident.responses,
            urgency=incident.urgency,
            severity=incident.severity,
            certainty=incident.certainty,
            event_codes=incident.event_codes,
            areas=self._fewer_areas(_joined_areas(infos)),
            audience=next(iter(alert.at_most(1, audiences)), ""),
            parameters=alert.at_most(MAX_CODES, dict.fromkeys(pair for info in infos for pair in info.parameters)),
            resources=alert.at_most(MAX_RESOURCES, dict.fromkeys(one for info in infos for one in info.resources)),
            origin=dataclasses.replace(draft.origin, effective=effective, onset=onset, expires=expires),
        )

    def _timed(self, draft: Bulletin, infos: Sequence[_Info], sent: int) -> Bulletin:
        """Set the times by the rule of this protocol; the alert's own stay in `origin` as written."""
        origin, now = draft.origin, self._now
        assumed = not origin.expires
        end = sent + ASSUMED_LIFE if assumed else self._time(origin.expires, "expires")
        if assumed:
            self._changes.add(Change.ASSUMED)
        if end <= now:
            self._changes.add(Change.PAST)
        if end > now + MAX_LIFE:
            self._changes.add(Change.CUT)
        return dataclasses.replace(
            draft,
            expires=max(now + 1, min(end, now + MAX_LIFE)),
            expires_assumed=assumed,
            effective=self._moment(origin.effective, "effective"),
            onset=self._moment(origin.onset, "onset"),
        )

    def _moment(self, text: str, name: str) -> int | None:
        """Return a time, or None where there is none or it lies before 1970, which only its text can say."""
        moment = self._time(text, name) if text else 0
        return moment if moment > 0 else None

    def _time(self, text: str, name: str) -> int:
        match = _TIME.fullmatch(text)
        if match is None:
            _refuse(name, f"{text[:40]!r} is not a time with an offset from UTC")
        whole, fraction, _, sign, hours, minutes = match.groups()
        if fraction or not sign:
            self._changes.add(Change.TIME)
        try:
            offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            zone = timezone(-offset if sign == "-" else offset)
            return int(datetime.fromisoformat(whole).replace(tzinfo=zone).timestamp())
        except (ValueError, OverflowError):
            _refuse(name, f"{text[:40]!r} is not a time that exists")

    def _fewer_areas(self, areas: tuple[Area, ...]) -> tuple[Area, ...]:
        """Return at most as many areas as a bulletin may have; the last one takes in what is too many."""
        if len(areas) <= MAX_AREAS:
            return areas
        last = areas[MAX_AREAS - 1 :]
        names: dict[str, list[str]] = {}
        for language, words in (pair for area in last for pair in area.names):
            names.setdefault(language, []).append(words)
        self._changes.add(Change.ENTRIES)
        one = Area(
            names=tuple([(language, "; ".join(words)[:_LONG]) for language, words in names.items()]),
            polygons=tuple([polygon for area in last for polygon in area.polygons][:MAX_SHAPES]),
            circles=tuple([circle for area in last for circle in area.circles][:MAX_SHAPES]),
            geocodes=tuple([geocode for area in last for geocode in area.geocodes][:_GEOCODES]),
        )
        return (*areas[: MAX_AREAS - 1], one)

    def _checked_draft(self, draft: Bulletin) -> Bulletin:
        """Return the draft, made to fit into one item; the gate's own rules have the last word."""
        if _size(draft) > _ROOM and draft.resources:
            self._changes.add(Change.RESOURCES)
            draft = dataclasses.replace(draft, resources=())
        if _size(draft) > _ROOM:
            self._changes.add(Change.SHAPES)
            bare = dataclasses.replace(draft, areas=tuple(dataclasses.replace(a, polygons=()) for a in draft.areas))
            # 8 bytes are the heads of a polygon and of the list it is in.
            polygons = sum(len(area.polygons) for area in draft.areas)
            room = (_ROOM - _size(bare) - 8 * (polygons + len(draft.areas))) // _POINT_SIZE
            if room < 4 * polygons or not polygons:
                _refuse("alert", "is over 64 KiB, also without resources and with the simplest polygons")
            draft = dataclasses.replace(draft, areas=_simplified(draft.areas, room))
        try:
            return from_payload(decode(encode(to_payload(draft))))  # type: ignore[arg-type]
        except InvalidItem as error:
            element, _, detail = error.detail.partition(": ")
            raise InvalidDocument(element, detail) from error


def _size(draft: Bulletin) -> int:
    return len(encode(to_payload(draft)))


def _word(text: str, name: str, words: type[E]) -> E:
    try:
        return words(text)
    except ValueError:
        _refuse(name, f"{text[:40]!r} is not one of {', '.join(words)}")


def _certainty(text: str) -> Certainty:
    # CAP 1.1 keeps this word of CAP 1.0 for old senders and says what it means.
    return Certainty.LIKELY if text == "Very Likely" else _word(text, "certainty", Certainty)


def _number(text: str, name: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        _refuse(name, f"{text[:40]!r} is not a number")
    return Decimal(text)


def _decimal(text: str, name: str) -> str:
    if text and len(text) > _DECIMAL:
        _refuse(name, f"has more than {_DECIMAL} characters")
    if text:
        _number(text, name)
    return text


def _point(pair: str, name: str) -> Point:
    lat, _, lon = pair.partition(",")
    point = Point(*(int((_number(part, name) * 1_000_000).to_integral_value()) for part in (lat, lon)))
    if abs(point.lat) > 90_000_000 or abs(point.lon) > 180_000_000:
        _refuse(name, f"{pair[:40]!r} is no latitude and longitude")
    return point


def _circle(text: str) -> Circle:
    center, _, radius = " ".join(text.split()).partition(" ")
    metres = _number(radius, "circle") * 1_000
    if not 0 <= metres <= 20_040_000:
        _refuse("circle", f"{radius[:40]!r} is no radius in kilometres")
    return Circle(_point(center, "circle"), int(metres.to_integral_value()))


def _incidents(infos: Iterable[_Info]) -> list[list[_Info]]:
    """Put infos together that say the same in different languages, in the order of the document."""
    groups: list[list[_Info]] = []
    by_incident: dict[_Incident, list[list[_Info]]] = {}
    for info in infos:
        for group in by_incident.setdefault(info.incident, []):
            if len(group) < MAX_LANGUAGES and all(map(info.is_translation, group)):
                group.append(info)
                break
        else:
            groups.append([info])
            by_incident[info.incident].append(groups[-1])
    return groups


def _joined_areas(infos: Sequence[_Info]) -> tuple[Area, ...]:
    """Return the areas of one incident, each with its name in every language that has one."""
    placed = [info.areas for info in infos if info.areas]
    return tuple(
        dataclasses.replace(same[0], names=tuple(name for area in same for name in area.names))
        for same in zip(*placed, strict=True)
    )


def _simplified(areas: Sequence[Area], room: int) -> tuple[Area, ...]:
    """Return the areas with at most `room` points in all, those left out that change the shapes least."""
    rings = [polygon for area in areas for polygon in area.polygons]
    while sum(map(len, rings)) > max(MAX_POINTS, 8 * len(rings)):
        rings = [(*ring[:-1][::2], ring[0]) if len(ring) > 8 else ring for ring in rings]
    ranked = sorted((weight, which, at) for which, ring in enumerate(rings) for at, weight in enumerate(_weights(ring)))
    surplus = max(0, sum(map(len, rings)) - room)
    gone = {(which, at) for _, which, at in ranked[:surplus]}
    thinned = iter([tuple(p for at, p in enumerate(r) if (which, at) not in gone) for which, r in enumerate(rings)])
    return tuple(dataclasses.replace(area, polygons=tuple(next(thinned) for _ in area.polygons)) for area in areas)


def _weights(ring: Sequence[Point]) -> list[float]:
    """Rank the points of a closed ring by the area that goes with each (Visvalingam and Whyatt).

    The first, the last and the two of the rest that go last weigh infinitely much: three corners always stay.
    """
    count = len(ring)
    weights = [float("inf")] * count
    before, after = list(range(-1, count - 1)), list(range(1, count + 1))

    def area(at: int) -> int:
        a, b, c = ring[before[at]], ring[at], ring[after[at]]
        return abs((b.lat - a.lat) * (c.lon - a.lon) - (c.lat - a.lat) * (b.lon - a.lon))

    heap = [(area(at), at) for at in range(1, count - 1)]
    current = dict((at, weight) for weight, at in heap)
    heapq.heapify(heap)
    least = 0
    while len(current) > 2:
        weight, at = heapq.heappop(heap)
        if current.get(at) != weight:
            continue
        del current[at]
        # A point never goes before one that went before it, however small its triangle has become.
        least = max(least, weight)
        weights[at] = least
        before[after[at]], after[before[at]] = before[at], after[at]
        for near in (before[at], after[at]):
            if near in current:
                current[near] = area(near)
                heapq.heappush(heap, (current[near], near))
    return weights


# Writing


def _bulletin(item: SignedItem) -> Bulletin:
    if not isinstance(item.body, Bulletin):
        raise ValueError("only a bulletin has a form in CAP")
    return item.body


def _written(moment: int) -> str:
    """Return a time as CAP wants it: seconds, and an offset in digits."""
    return (datetime(1970, 1, 1) + timedelta(seconds=moment)).strftime("%Y-%m-%dT%H:%M:%S+00:00")  # noqa: DTZ001


def _as_cap_time(text: str) -> str:
    """Return a time as it was written, or in CAP's form where it was written otherwise."""
    if _CAP_TIME.fullmatch(text):
        return text
    match = _TIME.fullmatch(text)
    return f"{match[1]}{'+00:00' if match[3] == 'Z' else match[3]}" if match else "1970-01-01T00:00:00+00:00"


def _own_times(body: Bulletin) -> tuple[str, str, str]:
    effective, onset = ("" if moment is None else _written(moment) for moment in (body.effective, body.onset))
    return effective, onset, _written(body.expires)


def _original_times(origin: Origin) -> tuple[str, str, str]:
    effective, onset, expires = (
        _as_cap_time(text) if text else "" for text in (origin.effective, origin.onset, origin.expires)
    )
    return effective, onset, expires


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _NOT_XML.sub("", text)


def _add_some(parent: ElementTree.Element, name: str, text: str) -> None:
    if text:
        _add(parent, name, text)


def _add_pairs(parent: ElementTree.Element, name: str, pairs: Iterable[tuple[str, str]]) -> None:
    for value_name, value in pairs:
        pair = ElementTree.SubElement(parent, name)
        _add(pair, "valueName", value_name)
        _add(pair, "value", value)


def _add_info(alert: ElementTree.Element, body: Bulletin, text: Text, times: tuple[str, str, str]) -> None:
    effective, onset, expires = times
    info = ElementTree.SubElement(alert, "info")
    _add(info, "language", text.language)
    for category in body.categories:
        _add(info, "category", category)
    _add(info, "event", text.event)
    for response in body.responses:
        _add(info, "responseType", response)
    _add(info, "urgency", body.urgency)
    _add(info, "severity", body.severity)
    _add(info, "certainty", body.certainty)
    _add_some(info, "audience", body.audience)
    _add_pairs(info, "eventCode", body.event_codes)
    _add_some(info, "effective", effective)
    _add_some(info, "onset", onset)
    _add_some(info, "expires", expires)
    _add_some(info, "senderName", text.sender_name)
    _add_some(info, "headline", text.headline)
    _add_some(info, "description", text.description)
    _add_some(info, "instruction", text.instruction)
    _add_some(info, "web", _uri(text.web))
    _add_some(info, "contact", text.contact)
    _add_pairs(info, "parameter", body.parameters)
    for resource in body.resources:
        _add_resource(info, resource)
    for area in body.areas:
        _add_area(info, area, text.language)


def _add_resource(info: ElementTree.Element, resource: Resource) -> None:
    element = ElementTree.SubElement(info, "resource")
    _add(element, "resourceDesc", resource.description)
    _add(element, "mimeType", resource.mime_type or "application/octet-stream")
    if resource.size is not None:
        _add(element, "size", str(resource.size))
    _add_some(element, "uri", _uri(resource.uri))
    _add_some(element, "digest", resource.digest)


def _add_area(info: ElementTree.Element, area: Area, language: str) -> None:
    names = dict(area.names)
    element = ElementTree.SubElement(info, "area")
    _add(element, "areaDesc", names.get(language) or next(iter(names.values())))
    for polygon in area.polygons:
        _add(element, "polygon", " ".join(map(_place, polygon)))
    for circle in area.circles:
        _add(element, "circle", f"{_place(circle.center)} {_shifted(circle.radius, 3)}")
    _add_pairs(element, "geocode", area.geocodes)
    for name, text in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        # The gate lets any short text pass here; the schema does not.
        _add_some(element, name, text if _NUMBER.fullmatch(text) else "")


def _place(point: Point) -> str:
    return f"{_shifted(point.lat, 6)},{_shifted(point.lon, 6)}"


def _shifted(number: int, places: int) -> str:
    """Return an integer as a decimal with the point moved to the left."""
    whole, rest = divmod(abs(number), 10**places)
    fraction = f"{rest:0{places}}".rstrip("0")
    return ("-" if number < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")


def _uri(text: str) -> str:
    """Return `text` as an xs:anyURI: what a URI cannot hold is escaped, and what is no URI at all is a plain name."""
    escaped = quote(text, safe=_URI_SAFE)
    try:
        is_uri = _URI_FORM.fullmatch(escaped) is not None and urlsplit(escaped).port != -1
    except ValueError:
        is_uri = False
    return escaped if is_uri else quote(text, safe="")
