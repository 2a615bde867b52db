"""One CAP alert into drafts of bulletins: one for each incident that it tells of.

CAP 1.1 maps the same way as 1.2. Not here: where alerts lie in a document, signing, and the verification of XML
signatures, which are reported as present and otherwise passed over. Nothing that an alert points at is fetched.

Law: every draft would pass the gate, what had to be altered is named by a Change, and nothing but InvalidDocument is
raised. Source: docs/spec/bulletin.md, "Mapping to CAP 1.2".
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from xml.etree.ElementTree import Element

from meshrelay.core.bulletin import (
    MAX_AREAS,
    MAX_CODES,
    MAX_LANGUAGES,
    MAX_LIFE,
    MAX_NUMBER,
    MAX_REFERENCES,
    MAX_SHAPES,
    UNSIGNED,
    Area,
    Bulletin,
    CapReference,
    Category,
    Certainty,
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
from meshrelay.errors import InvalidDocument, InvalidItem
from meshrelay.interop.cap import forms
from meshrelay.interop.cap.forms import refuse
from meshrelay.interop.cap.languages import Apart, is_reserved, together
from meshrelay.interop.cap.schema import (
    DECIMAL,
    LINE,
    LONG,
    MAX_DOCUMENT,
    MAX_INFOS,
    MAX_POINTS_READ,
    MAX_READ,
    ORDER,
    SIGNATURE,
    URI,
    VALUE,
    local,
)
from meshrelay.interop.cap.shapes import simplified

ASSUMED_LIFE: Final = 86_400
"""Seconds after its own `sent` that an alert without `expires` is taken to hold."""
NO_WORDS: Final = "und"
"""The language of a text that stands for an alert without any info: undetermined."""

_DEFAULT_LANGUAGE: Final = "en-US"
# What the envelope and the place in a stream (prev and 64 of live) add to the words of a draft.
_ROOM: Final = MAX_ITEM - 1_024
_POINT_SIZE: Final = 10
_GEOCODES: Final = MAX_CODES * 4
# Sender, identifier and a time. Where agencies put blanks into a name, a blank may stand in it, but none that begins
# another triple; an identifier may have commas.
_TRIPLE: Final = re.compile(
    r"\s*([^\s,][^,]{0,1000}),([^\s,](?:\S|\s(?!\S*,(?!\d{4}-\d\d-\d\dT))){0,1000}?),(\d{4}-\d\d-\d\dT[^\s,]+)(?:\s+|$)"
)


E = TypeVar("E", bound=StrEnum)
V = TypeVar("V")


class Change(StrEnum):
    """What an import had to alter, or passed over although CAP does not allow it; the words are for people."""

    PAST = "already past"
    ASSUMED = "no end given"
    CUT = "end cut to 90 days"
    TEXT = "text shortened or characters left out"
    TIME = "time in a form that CAP does not have"
    CLOSED = "open polygon closed"
    SHAPES = "polygons simplified"
    RESOURCES = "resources left out"
    ENTRIES = "entries left out"
    ORDER = "elements in another order than CAP has"
    FOREIGN = "elements that CAP does not have left out"
    SPACES = "sender or identifier with spaces, which CAP does not allow"
    NO_WORDS = "no words in it: its note or its number stands for them"
    DRILL = "marked as a drill, as its envelope says"
    OTHERS = "acts on an alert of another sender"


@dataclass(slots=True)
class Points:
    """How many more points of polygons of a document may be read."""

    left: int = MAX_POINTS_READ


@dataclass(frozen=True, slots=True)
class ImportedAlert:
    """One CAP alert as drafts: one for each incident, in the order of the document, and what was altered.

    A draft is a bulletin without its place in a stream; publish it at the same `now` as it was read.
    """

    identity: CapReference
    drafts: tuple[Bulletin, ...]
    changes: frozenset[Change]


def read_alert(
    alert: Element, *, now: int, checked: bool, digest: bytes, points: Points, drill: Status | None = None
) -> ImportedAlert:
    """Return what an alert element says; raises InvalidDocument.

    `now` is the time of signing; `checked` says that the operator has looked into it themselves; `digest` is the
    SHA-256 of the file; `drill` is what its envelope calls it, if that is a drill.
    """
    return _Reader(alert, now=now, checked=checked, digest=digest, points=points).read(drill)


def stand_in(note: str, identifier: str) -> Text:
    """Return the text that stands for an alert which has no info, and so no words but its note."""
    line = " ".join(note.split()) or identifier
    return Text(NO_WORDS, line if len(line) <= LINE else line[: LINE - 1] + "…")


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
    beside: Apart

    def is_translation(self, other: _Info) -> bool:
        """Tell whether this may be the same incident in another language, or one of the two names no place."""
        return self.text.language.lower() != other.text.language.lower() and (
            self.shapes == other.shapes or not self.areas or not other.areas
        )


class _Element:
    """One CAP element and its children by name; what is empty counts as absent."""

    def __init__(self, element: Element, changes: set[Change]) -> None:
        self._children: dict[str, list[Element]] = {}
        self._changes = changes
        order, last = ORDER.get(local(element), ()), 0
        for child in element:
            name = local(child)
            if name not in order:
                if name:
                    changes.add(Change.FOREIGN)
                continue
            place = order.index(name)
            if place < last:
                changes.add(Change.ORDER)
            last = max(place, last)
            self._children.setdefault(name, []).append(child)

    def elements(self, name: str) -> Iterator[_Element]:
        return (_Element(child, self._changes) for child in self._children.get(name, ()))

    def texts(self, name: str, *, most: int = LINE) -> list[str]:
        found = (self._clean("".join(child.itertext()), most) for child in self._children.get(name, ()))
        return [text for text in found if text]

    def text(self, name: str, *, most: int = LINE) -> str:
        """Return the text of an element that may be there once, or an empty string."""
        if len(self._children.get(name, ())) > 1:
            refuse(name, "is there more than once")
        return next(iter(self.texts(name, most=most)), "")

    def needed(self, name: str, *, most: int = LINE) -> str:
        return self.text(name, most=most) or refuse(name, "missing or empty")

    def exact(self, name: str) -> str:
        """Return a text that names something, so that nothing of it may be altered."""
        raw = "".join("".join(child.itertext()) for child in self._children.get(name, ())).strip()
        text = self.needed(name)
        if text != raw:
            refuse(name, f"is longer than {LINE} characters, or has characters that are not shown")
        if wrong := next((char for char in text if char in ",<&"), ""):
            refuse(name, f"{text[:40]!r} has {wrong!r} in it, so that no other alert can refer to it")
        if len(text.split()) > 1:
            self._changes.add(Change.SPACES)
        return text

    def word(self, name: str, words: type[E]) -> E:
        return forms.word(self.needed(name), name, words)

    def words(self, name: str, words: type[E]) -> tuple[E, ...]:
        return tuple(dict.fromkeys(forms.word(text, name, words) for text in self.texts(name)))

    def pairs(self, name: str, *, most: int) -> tuple[tuple[str, str], ...]:
        found = [(pair.text("valueName"), pair.text("value", most=VALUE)) for pair in self.elements(name)]
        named = [pair for pair in found if pair[0]]
        if len(named) < len(found):
            self._changes.add(Change.ENTRIES)
        return self.at_most(most, named)

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

    def __init__(self, alert: Element, *, now: int, checked: bool, digest: bytes, points: Points) -> None:
        self._changes: set[Change] = set()
        self._points = 0
        self._of_document = points
        self._alert = _Element(alert, self._changes)
        self._now = now
        self._checked = checked
        self._digest = digest
        self._signature = XmlSignature.ABSENT if alert.find(f".//{SIGNATURE}") is None else XmlSignature.PRESENT

    def read(self, drill: Status | None) -> ImportedAlert:
        alert = self._alert
        identifier, sender, written = (alert.exact(name) for name in ("identifier", "sender", "sent"))
        identity = CapReference(sender, identifier, written)
        sent = self._time(identity.sent, "sent")
        status, msg_type = self._status(), self._msg_type()
        scope = alert.needed("scope")
        if scope != "Public":
            refuse("scope", f"{scope[:40]!r}: only what is Public is passed on")
        if drill is not None and status is Status.ACTUAL:
            self._changes.add(Change.DRILL)
            status = drill
        references = self._references(identity, acts=msg_type is not MsgType.ALERT)
        if msg_type is not MsgType.ALERT and not references:
            refuse("references", f"missing; an {msg_type} names what it acts on")
        infos = [self._info(info) for info in alert.elements("info")]
        if len(infos) > MAX_INFOS:
            refuse("info", f"is there {len(infos)} times, at most {MAX_INFOS} are read")
        note = alert.text("note", most=LONG)
        stands_in: tuple[Text, ...] = ()
        if not infos and msg_type is not MsgType.CANCEL:
            self._changes.add(Change.NO_WORDS)
            stands_in = (stand_in(note, identity.identifier),)
        drafts = []
        for group in _incidents(infos) or [[]]:
            draft = Bulletin(
                sent=self._now,
                expires=self._now + 1,
                chain=UNSIGNED,
                status=status,
                msg_type=msg_type,
                codes=alert.at_most(MAX_CODES, alert.texts("code")),
                note=note,
                texts=stands_in,
                source=alert.text("source"),
                incidents=alert.text("incidents", most=LONG),
                origin=Origin(
                    OriginKind.CAP, self._checked, identity, references, "", "", "", self._digest, self._signature
                ),
            )
            drafts.append(self._checked_draft(self._timed(self._with_infos(draft, group), group, sent)))
        return ImportedAlert(identity, tuple(drafts), frozenset(self._changes))

    def _status(self) -> Status:
        word = self._alert.needed("status")
        if word in ("System", "Draft"):
            refuse("status", f"{word} is not for the public")
        return forms.word(word, "status", Status)

    def _msg_type(self) -> MsgType:
        word = self._alert.needed("msgType")
        if word in ("Ack", "Error"):
            refuse("msgType", f"{word} speaks to the sender, not to the public")
        return forms.word(word, "msgType", MsgType)

    def _references(self, identity: CapReference, *, acts: bool) -> tuple[CapReference, ...]:
        found: dict[CapReference, None] = {}
        text = self._alert.text("references", most=MAX_DOCUMENT)
        at = 0
        while at < len(text):
            match = _TRIPLE.match(text, at)
            if match is None or max(map(len, match.groups())) > LINE:
                refuse("references", f"{text[at : at + 80]!r} is not sender,identifier,sent")
            reference = CapReference(*match.groups())
            at = match.end()
            if reference in found:
                continue
            self._time(reference.sent, "references")
            if reference.identifier == identity.identifier and reference.token == identity.token:
                refuse("references", "names the alert itself")
            if acts and reference.sender != identity.sender:
                self._changes.add(Change.OTHERS)
            found[reference] = None
            if len(found) > MAX_READ:
                refuse("references", f"has more than {MAX_READ} triples")
        # They are written oldest first; what an Update or Cancel leaves out, its own targets name.
        return self._alert.at_most(MAX_REFERENCES, reversed(found))[::-1]

    def _info(self, info: _Element) -> _Info:
        language = (info.text("language") or _DEFAULT_LANGUAGE).replace("_", "-")
        if language[1:2] == "-":
            language = f"{NO_WORDS}-{language}"  # a private tag, which no item may begin with
        if not is_language(language):
            refuse("language", f"{language[:40]!r} is not a language tag")
        incident = _Incident(
            categories=info.words("category", Category) or refuse("category", "missing or empty"),
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
            description=info.text("description", most=LONG),
            instruction=info.text("instruction", most=LONG),
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
            Apart(
                info.text("audience"),
                tuple([pair for pair in info.pairs("parameter", most=MAX_CODES) if not is_reserved(pair)]),
                tuple(filter(None, [self._resource(resource) for resource in info.elements("resource")])),
            ),
        )

    def _area(self, area: _Element, language: str) -> Area:
        return Area(
            names=((language, area.needed("areaDesc", most=LONG)),),
            polygons=area.at_most(MAX_SHAPES, map(self._polygon, area.texts("polygon", most=MAX_DOCUMENT))),
            circles=area.at_most(MAX_SHAPES, map(forms.circle, area.texts("circle"))),
            geocodes=area.pairs("geocode", most=_GEOCODES),
            altitude=_decimal(area.text("altitude"), "altitude"),
            ceiling=_decimal(area.text("ceiling"), "ceiling"),
        )

    def _polygon(self, text: str) -> tuple[Point, ...]:
        count = text.count(",")
        self._points += count
        self._of_document.left -= count
        if self._points > MAX_READ:
            refuse("polygon", f"there are more than {MAX_READ} points")
        if self._of_document.left < 0:
            refuse("polygon", f"the document has more than {MAX_POINTS_READ} points")
        points = forms.points(text, "polygon")
        if points[0] != points[-1]:
            points.append(points[0])
            self._changes.add(Change.CLOSED)
        if len(points) < 4:
            refuse("polygon", "has fewer than three corners")
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
            uri=resource.text("uri", most=URI),
            size=int(size) if size.isascii() and size.isdigit() and int(size) <= MAX_NUMBER else None,
            digest=resource.text("digest"),
        )

    def _with_infos(self, draft: Bulletin, infos: Sequence[_Info]) -> Bulletin:
        """Put the infos of one incident together; they differ in language."""
        if not infos:
            return draft
        incident = infos[0].incident
        effective, onset, expires = incident.times
        beside = together([(info.text.language, info.beside) for info in infos])
        if not beside.is_whole:
            self._changes.add(Change.ENTRIES)
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
            audience=beside.audience,
            parameters=beside.parameters,
            resources=beside.resources,
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
        seconds = forms.moment(text, name)
        if not forms.is_cap_time(text):
            self._changes.add(Change.TIME)
        return seconds

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
            names=tuple([(language, "; ".join(words)[:LONG]) for language, words in names.items()]),
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
                refuse("alert", "is over 64 KiB, also without resources and with the simplest polygons")
            draft = dataclasses.replace(draft, areas=simplified(draft.areas, room))
        try:
            return from_payload(decode(encode(to_payload(draft))))  # type: ignore[arg-type]
        except InvalidItem as error:
            element, _, detail = error.detail.partition(": ")
            raise InvalidDocument(element, detail) from error


def _size(draft: Bulletin) -> int:
    return len(encode(to_payload(draft)))


def _certainty(text: str) -> Certainty:
    # CAP 1.1 keeps this word of CAP 1.0 for old senders and says what it means.
    return Certainty.LIKELY if text == "Very Likely" else forms.word(text, "certainty", Certainty)


def _decimal(text: str, name: str) -> str:
    if text and len(text) > DECIMAL:
        refuse(name, f"has more than {DECIMAL} characters")
    if text:
        forms.number(text, name)
    return text


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
