"""A bulletin from a form: flags, a JSON file with the same names, or a CAP file; or an earlier bulletin as the form.

A form says what its writer wants to say and nothing about the item it becomes: ids, senders, times of signing and
verdicts in it are passed over, so that the document of any bulletin can be one. Source: docs/commands.md, "publish".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, TypeVar

import msgspec

from meshrelay.cli.values import read_circle, read_language, read_moment, read_pair, read_polygon
from meshrelay.core.bulletin import (
    DEFAULT_EVENT,
    UNSIGNED,
    Area,
    Bulletin,
    Category,
    Certainty,
    Circle,
    MsgType,
    Origin,
    Point,
    Resource,
    Response,
    Severity,
    Status,
    Text,
    Urgency,
)
from meshrelay.core.trust import Standing
from meshrelay.errors import InvalidDocument, Refusal, WrongUsage
from meshrelay.interop import cap
from meshrelay.interop.cap import Change

DEFAULT_LIFE: Final = 86_400

T = TypeVar("T")


class FormText(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a form says in one language; `area` is the place in that language."""

    headline: str = ""
    description: str = ""
    instruction: str = ""
    event: str = ""
    sender_name: str = ""
    contact: str = ""
    web: str = ""
    area: str = ""


class FormCircle(msgspec.Struct, forbid_unknown_fields=True):
    """A circle of a bulletin's document."""

    lat: float
    lon: float
    radius_m: float


class FormArea(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An area of a bulletin's document."""

    description: str = ""
    descriptions: dict[str, str] = {}
    polygons: list[list[tuple[float, float]]] = []
    circles: list[FormCircle] = []
    geocodes: list[tuple[str, str]] = []
    altitude: str = ""
    ceiling: str = ""


class FormResource(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A file that a bulletin's document names."""

    description: str
    mime_type: str = ""
    uri: str = ""
    size: int | None = None
    digest: str = ""


class Form(FormText, forbid_unknown_fields=True, kw_only=True):
    """What somebody wants to say; what is absent stays as it is."""

    lang: str = ""
    language: str | None = None
    category: Category | list[Category] = []
    response: Response | list[Response] = []
    urgency: Urgency | None = None
    severity: Severity | None = None
    certainty: Certainty | None = None
    polygon: str | list[str] = []
    circle: str | list[str] = []
    geocode: str | list[str] = []
    areas: list[FormArea] = []
    effective: str | int | None = None
    onset: str | int | None = None
    expires: str | int | None = None
    drill: bool | None = None
    cap_status: Status | None = None
    status: str = ""
    """CAP's word (for those who write a form by hand), or whether a bulletin still held (from its document)."""
    update: str = ""
    cancel: str = ""
    texts: dict[str, FormText] = {}
    translation: dict[str, FormText] = {}
    codes: list[str] = []
    event_codes: list[tuple[str, str]] = []
    parameters: list[tuple[str, str]] = []
    resources: list[FormResource] = []
    note: str = ""
    audience: str = ""
    source: str = ""
    incidents: str = ""

    # Part of every bulletin's document, and nobody's to write.
    id: Any = None
    author: Any = None
    kind: Any = None
    sent: Any = None
    msg_type: Any = None
    references: Any = None
    origin: Any = None
    languages: Any = None
    expires_assumed: Any = None
    organisation: Any = None
    stream: Any = None
    seq: Any = None
    previous: Any = None
    live: Any = None
    received: Any = None
    relays: Any = None
    hidden: Any = None
    verdict: Any = None

    def words(self, language: str) -> dict[str, FormText]:
        """Return what it says, by language; its own fields are in `language`."""
        said = {**self.texts, **self.translation}
        own = {name: value for name in _WORDS if (value := getattr(self, name))}
        if own:
            said[language] = msgspec.structs.replace(said.get(language, FormText()), **own)
        return said


_WORDS: Final = FormText.__struct_fields__
_SAID: Final = tuple(name for name in _WORDS if name != "area")
_PLAIN: Final = ("note", "audience", "source", "incidents")


def read_json(data: bytes, *, name: str) -> Form:
    """Read a form; raises Refusal that says where it is wrong."""
    return _read_json(data, Form, name=name)


def is_cap(data: bytes) -> bool:
    """Tell whether a form is a CAP file rather than JSON."""
    return cap.is_xml(data)


def read_translation(data: bytes, *, name: str) -> FormText:
    """Read what a bulletin says in one more language; raises Refusal."""
    return _read_json(data, FormText, name=name)


def read_cap(data: bytes, *, name: str, now: int) -> Bulletin:
    """Read a CAP file as a form: its words, as one's own; raises Refusal when it holds several alerts, or none."""
    try:
        alerts = cap.read_alerts(data, now=now)
    except InvalidDocument as error:
        raise Refusal(f"{name}: {error}", hint="correct that, or write the bulletin anew") from error
    for alert in alerts:
        if isinstance(alert, InvalidDocument):
            raise Refusal(f"{name}: {alert}", hint="correct that, or write the bulletin anew")
    imported = [alert for alert in alerts if isinstance(alert, cap.ImportedAlert)]
    drafts = [draft for alert in imported for draft in alert.drafts]
    if len(drafts) != 1:
        raise Refusal(
            f"{name} holds {len(drafts)} alerts, and a form is one", hint=f"`meshrelay import {name}` takes all of them"
        )
    draft = drafts[0]
    if draft.msg_type is not MsgType.ALERT:
        raise Refusal(
            f"{name} is an {draft.msg_type} of somebody else's alert", hint=f"`meshrelay import {name}` passes it on"
        )
    changes = imported[0].changes
    if Change.NO_WORDS in changes:
        draft = dataclasses.replace(draft, texts=())
    if Change.PAST in changes:
        # An old file serves for its words: what it says of its time is over.
        draft = dataclasses.replace(draft, expires=now + DEFAULT_LIFE, effective=None, onset=None)
    expires = now + DEFAULT_LIFE if draft.expires_assumed else draft.expires
    return dataclasses.replace(draft, expires=expires, expires_assumed=False, origin=Origin())


def blank(*, now: int) -> Bulletin:
    """Return a bulletin that says nothing yet."""
    return Bulletin(sent=now, expires=now + DEFAULT_LIFE, chain=UNSIGNED)


def update(target: Bulletin, references: tuple[bytes, ...], *, now: int) -> Bulletin:
    """Return the draft of an Update that says what `target` said, until something else is filled in."""
    return dataclasses.replace(
        target,
        sent=now,
        expires=target.expires if target.expires > now else now + DEFAULT_LIFE,
        expires_assumed=False,
        chain=UNSIGNED,
        msg_type=MsgType.UPDATE,
        references=references,
        effective=None,
        onset=None,
        note="",
        origin=Origin(),
    )


def fill(
    base: Bulletin, form: Form, *, language: str, now: int, tz: tzinfo, place: str = "", anew: bool = False
) -> Bulletin:
    """Return `base` with what `form` says; `anew` drops every text of the base that the form does not say again.

    `place` names an area of which nothing else says where it is. Raises Refusal.
    """
    words = form.words(language)
    for tag in words:
        try:
            read_language(tag)
        except ValueError as error:
            raise WrongUsage(str(error), hint="write it as kk, ru or en, in the form or with --lang") from error
    texts = {text.language: text for text in base.texts}
    for tag, said in words.items():
        texts[tag] = _text(tag, said, texts.get(tag), base.texts)
    if anew and words:
        texts = {tag: _text(tag, said, None, base.texts) for tag, said in words.items()}
    try:
        return dataclasses.replace(
            base,
            texts=tuple(texts.values()),
            areas=_areas(base.areas, form, words, language, place),
            categories=_listed(form.category) or base.categories,
            responses=_listed(form.response) or base.responses,
            urgency=form.urgency or base.urgency,
            severity=form.severity or base.severity,
            certainty=form.certainty or base.certainty,
            status=_status(form) or base.status,
            effective=_moment(form.effective, base.effective, now=now, tz=tz),
            onset=_moment(form.onset, base.onset, now=now, tz=tz),
            expires=_moment(form.expires, base.expires, now=now, tz=tz) or base.expires,
            codes=tuple(form.codes) or base.codes,
            event_codes=tuple(form.event_codes) or base.event_codes,
            parameters=tuple(form.parameters) or base.parameters,
            resources=tuple(Resource(**msgspec.structs.asdict(one)) for one in form.resources) or base.resources,
            **{name: getattr(form, name) or getattr(base, name) for name in _PLAIN},
        )
    except ValueError as error:
        raise WrongUsage(str(error), hint="see `meshrelay publish --help` for the form of every value") from error


def placed(draft: Bulletin, place: str, *, language: str) -> Bulletin:
    """Return the draft with the relay's own place as its area, when it has none and the place is known."""
    if draft.areas or not place:
        return draft
    return dataclasses.replace(draft, areas=(Area(((language, place),)),))


def _read_json(data: bytes, kind: type[T], *, name: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise WrongUsage(
            f"{name}: {error}", hint="docs/commands.md lists what a form may hold, under publish"
        ) from error
    except msgspec.DecodeError as error:
        raise WrongUsage(f"{name} is not JSON: {error}", hint="give a JSON object, or a CAP 1.2 file") from error


def _text(tag: str, said: FormText, before: Text | None, others: Sequence[Text]) -> Text:
    """Return one text: what is said, then what was there, then the event of another language."""
    old = before or Text(tag, next((text.event for text in others), DEFAULT_EVENT))
    return dataclasses.replace(old, **{name: value for name in _SAID if (value := getattr(said, name))})


def _status(form: Form) -> Status | None:
    if form.drill is not None:
        return Status.EXERCISE if form.drill else Status.ACTUAL
    if form.status in list(Status):
        return Status(form.status)
    if form.status and form.status not in list(Standing):
        raise ValueError(f"status: {form.status!r} is not one of {', '.join(Status)}")
    return form.cap_status


def _areas(
    base: tuple[Area, ...], form: Form, words: Mapping[str, FormText], language: str, place: str
) -> tuple[Area, ...]:
    areas = tuple(_area(area, language) for area in form.areas) or base
    shapes = (
        tuple(map(read_polygon, _listed(form.polygon))),
        tuple(map(read_circle, _listed(form.circle))),
        tuple(map(read_pair, _listed(form.geocode))),
    )
    names = {tag: said.area for tag, said in words.items() if said.area}
    if not names and not any(shapes):
        return areas
    if not names:
        names = dict(areas[0].names) if areas else {language: place} if place else {}
    if not names:
        raise ValueError("a polygon, circle or geocode needs --area, the place in words, for those who see no map")
    return (Area(tuple(names.items()), *shapes),)


def _area(area: FormArea, language: str) -> Area:
    names = area.descriptions or {language: area.description}
    return Area(
        names=tuple(names.items()),
        polygons=tuple(tuple(_degrees(*corner) for corner in polygon) for polygon in area.polygons),
        circles=tuple(Circle(_degrees(one.lat, one.lon), round(one.radius_m)) for one in area.circles),
        geocodes=tuple(area.geocodes),
        altitude=area.altitude,
        ceiling=area.ceiling,
    )


def _degrees(lat: float, lon: float) -> Point:
    return Point(round(lat * 1e6), round(lon * 1e6))


def _listed(value: T | list[T]) -> tuple[T, ...]:
    if isinstance(value, list):
        return tuple(value)
    return (value,)


def _moment(value: str | int | None, before: int | None, *, now: int, tz: tzinfo) -> int | None:
    if isinstance(value, str):
        return read_moment(value, now=now, tz=tz, ahead=True)
    return before if value is None else value
