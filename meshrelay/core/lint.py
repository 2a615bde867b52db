"""What a good alert has, as codes: advice to whoever writes one, before it is signed.

All of the profile that Google asks of public alerts, and what its validator finds beyond the schema, as far as a
bulletin can have it: the rest is refused by the gate or by the import. words/ makes the sentences; the form is
core.bulletin's matter.

Law: nothing here refuses anything. A bulletin with every flaw is valid, and in an emergency better than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    CapReference,
    Certainty,
    MsgType,
    Origin,
    Point,
    Severity,
    Status,
    Text,
    Urgency,
    seconds,
)

LONGEST_HEADLINE = 140
MOST_COMPARED = 100_000
"""Pairs of edges of one shape that are looked at for a crossing; a shape that needs more is taken to have none."""

_MARKUP = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}(\s[^<>]{0,500})?/?>|&(#\d{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]{2,10});")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{0,30}:[^\s<>\"{}|\\^`]+")
_MEDIA_TYPE = re.compile(
    r"(application|audio|font|image|message|model|multipart|text|video)/[A-Za-z0-9!#$&^_.+\-]+(\s*;.*)?", re.IGNORECASE
)
_UTC = re.compile(r"(Z|[+-]00:00)$")


class Flaw(StrEnum):
    """What a bulletin lacks or does badly, the gravest first."""

    LEAVES_LIVE = "leaves-live"
    """An Update or Cancel does not name a bulletin of the same incident that still holds."""
    OTHER_CATEGORY = "other-category"
    """Another bulletin of the same incident is about something else: programs will show them apart."""
    OTHER_EVENT = "other-event"
    """Another bulletin of the same incident calls it something else in the same language."""
    OTHER_EVENT_CODE = "other-event-code"
    NO_HEADLINE = "no-headline"
    LONG_HEADLINE = "long-headline"
    NO_DESCRIPTION = "no-description"
    NO_INSTRUCTION = "no-instruction"
    SAME_HEADLINE = "same-headline"
    """The description says what the headline says, and nothing more."""
    SAME_INSTRUCTION = "same-instruction"
    """What has happened and what to do are the same words."""
    SAME_TEXT = "same-text"
    """Two languages have the same words."""
    MARKUP = "markup"
    """A text has tags or entities of HTML, which people will see as they are."""
    NO_AREA = "no-area"
    NOT_LOCATED = "not-located"
    """An area has neither a shape nor a code."""
    ONLY_CODES = "only-codes"
    """Codes say where it is, and no shape: whoever lacks the list of codes cannot tell."""
    NO_RADIUS = "no-radius"
    CROSSING = "crossing"
    """A polygon crosses itself, so that nobody can tell what is inside."""
    EMPTY_CODE = "empty-code"
    HEIGHT = "height"
    """A ceiling stands without an altitude, or below it."""
    NO_EXPIRY = "no-expiry"
    ENDS_FIRST = "ends-first"
    """It ends before it begins."""
    UTC_TIMES = "utc-times"
    """All times of an imported alert are in UTC, which is seldom that of the place."""
    REFERS_AHEAD = "refers-ahead"
    """An imported alert refers to one that was sent after it."""
    NO_SEVERITY = "no-severity"
    NO_URGENCY = "no-urgency"
    NO_CERTAINTY = "no-certainty"
    NO_RESPONSE = "no-response"
    NO_SENDER_NAME = "no-sender-name"
    NO_CONTACT = "no-contact"
    NO_WEB = "no-web"
    BAD_WEB = "bad-web"
    BAD_FILE = "bad-file"
    """A file that it names has no full address, or no media type."""
    IS_TEST = "is-test"
    LACKS_LANGUAGE = "lacks-language"


ADVICE = frozenset(
    {
        *(Flaw.NO_DESCRIPTION, Flaw.ONLY_CODES, Flaw.UTC_TIMES, Flaw.NO_RESPONSE, Flaw.NO_SENDER_NAME),
        *(Flaw.NO_CONTACT, Flaw.NO_WEB, Flaw.IS_TEST),
    }
)
"""What makes an alert better, and is no reason to hold one up that is urgent: told to those who ask."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw; `languages` are the BCP 47 tags it is about, `items` the bulletins."""

    flaw: Flaw
    languages: tuple[str, ...] = ()
    items: tuple[bytes, ...] = ()


def lint(
    draft: Bulletin, *, incident: Iterable[tuple[bytes, Bulletin]] = (), languages: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Return what could be better about a draft, the gravest first.

    `incident` are the ids and bulletins of the same author that hold now and belong to the same incident; `languages`
    those that the people of the place read. An `expires` that nobody chose is one that was assumed.
    """
    found = [*_beside(draft, [(item, one) for item, one in incident if item not in draft.references])]
    if draft.msg_type is MsgType.CANCEL:
        return tuple(found)  # it repeats the words of what it takes back
    found += [*_of_texts(draft.texts), *_of_places(draft), *_of_times(draft), *_of_the_rest(draft)]
    written = {_primary(text.language) for text in draft.texts}
    if lacking := tuple(tag for tag in languages if _primary(tag) not in written):
        found.append(Finding(Flaw.LACKS_LANGUAGE, lacking))
    order = list(Flaw)
    return tuple(sorted(found, key=lambda finding: order.index(finding.flaw)))


def _beside(draft: Bulletin, others: Sequence[tuple[bytes, Bulletin]]) -> Iterator[Finding]:
    """Yield what is wrong towards other bulletins of the incident that hold and that the draft does not end."""
    for flaw, wrong in (
        (Flaw.LEAVES_LIVE, others if draft.msg_type is not MsgType.ALERT else ()),
        (Flaw.OTHER_CATEGORY, [one for one in others if set(one[1].categories) != set(draft.categories)]),
        (Flaw.OTHER_EVENT, [one for one in others if _is_called_otherwise(one[1], draft)]),
        (Flaw.OTHER_EVENT_CODE, [one for one in others if set(one[1].event_codes) != set(draft.event_codes)]),
    ):
        if wrong:
            yield Finding(flaw, items=tuple(item for item, _ in wrong))


def _is_called_otherwise(one: Bulletin, other: Bulletin) -> bool:
    """Tell whether two bulletins name their event differently in one language."""
    here, there = ({text.language.lower(): text.event for text in bulletin.texts} for bulletin in (one, other))
    return any(here[tag] != there[tag] for tag in here.keys() & there.keys())


def _of_texts(texts: Sequence[Text]) -> Iterator[Finding]:
    for flaw, wrong in (
        (Flaw.NO_HEADLINE, [text for text in texts if not text.headline]),
        (Flaw.LONG_HEADLINE, [text for text in texts if len(text.headline) > LONGEST_HEADLINE]),
        (Flaw.NO_DESCRIPTION, [text for text in texts if not text.description]),
        (Flaw.NO_INSTRUCTION, [text for text in texts if not text.instruction]),
        (Flaw.SAME_HEADLINE, [text for text in texts if text.headline and text.headline == text.description]),
        (Flaw.SAME_INSTRUCTION, [text for text in texts if text.instruction and text.instruction == text.description]),
        (Flaw.SAME_TEXT, _twice(texts)),
        (Flaw.MARKUP, [text for text in texts if any(map(_MARKUP.search, _words(text)))]),
        (Flaw.NO_SENDER_NAME, [text for text in texts if not text.sender_name]),
        (Flaw.NO_CONTACT, [text for text in texts if not text.contact]),
        (Flaw.NO_WEB, [text for text in texts if not text.web]),
        (Flaw.BAD_WEB, [text for text in texts if text.web and not _ADDRESS.fullmatch(text.web)]),
    ):
        if wrong:
            yield Finding(flaw, tuple(text.language for text in wrong))


def _words(text: Text) -> tuple[str, ...]:
    return (text.event, text.headline, text.description, text.instruction, text.sender_name, text.contact)


def _twice(texts: Sequence[Text]) -> list[Text]:
    """Return the texts that say something in the very words of a text in another language."""
    said: dict[tuple[int, str], set[str]] = {}
    for text in texts:
        for place, words in enumerate((text.headline, text.description, text.instruction)):
            said.setdefault((place, words), set()).add(_primary(text.language))
    return [
        text
        for text in texts
        if any(
            words and len(said[place, words]) > 1
            for place, words in enumerate((text.headline, text.description, text.instruction))
        )
    ]


def _of_places(draft: Bulletin) -> Iterator[Finding]:
    areas = draft.areas
    shaped = any(area.polygons or area.circles for area in areas)
    located = all(area.polygons or area.circles or area.geocodes for area in areas)
    for flaw, is_there in (
        (Flaw.NO_AREA, not areas),
        (Flaw.NOT_LOCATED, not located),
        (Flaw.ONLY_CODES, bool(areas) and located and not shaped),
        (Flaw.NO_RADIUS, any(circle.radius == 0 for area in areas for circle in area.circles)),
        (Flaw.CROSSING, any(_crosses_itself(polygon) for area in areas for polygon in area.polygons)),
        (Flaw.EMPTY_CODE, any(not value for area in areas for _, value in area.geocodes)),
        (Flaw.HEIGHT, any(map(_is_upside_down, areas))),
    ):
        if is_there:
            yield Finding(flaw)


def _is_upside_down(area: Area) -> bool:
    if not area.ceiling:
        return False
    try:
        return not area.altitude or float(area.altitude) > float(area.ceiling)
    except ValueError:
        return True


def _crosses_itself(ring: Sequence[Point]) -> bool:
    """Tell whether two edges of a closed ring cross, other than where they meet."""
    edges = [(a, b) for a, b in pairwise(ring) if a != b]
    edges.sort(key=lambda edge: min(edge[0].lat, edge[1].lat))
    compared = 0
    for place, (a, b) in enumerate(edges):
        top = max(a.lat, b.lat)
        left, right = min(a.lon, b.lon), max(a.lon, b.lon)
        for at in range(place + 1, len(edges)):
            c, d = edges[at]
            compared += 1
            if compared > MOST_COMPARED:
                return False
            if min(c.lat, d.lat) > top:
                break
            if min(c.lon, d.lon) <= right and max(c.lon, d.lon) >= left and _cross(a, b, c, d):
                return True
    return False


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, c: Point) -> int:
    """Return on which side of the line from `a` to `b` the point `c` lies: -1, 0 or 1."""
    turn = (b.lon - a.lon) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lon - a.lon)
    return (turn > 0) - (turn < 0)


def _of_times(draft: Bulletin) -> Iterator[Finding]:
    origin = draft.origin
    imported = origin.identity is not None
    # What was past when it was imported was signed to end at once; its own times stand in origin.
    end = (seconds(origin.expires) or draft.expires) if imported else draft.expires
    beginnings = [moment for moment in (draft.effective, draft.onset) if moment is not None]
    for flaw, is_there in (
        (Flaw.NO_EXPIRY, draft.expires_assumed),
        (Flaw.ENDS_FIRST, any(moment > end for moment in beginnings)),
        (Flaw.UTC_TIMES, imported and _is_in_utc(origin)),
        (Flaw.REFERS_AHEAD, any(_is_later(one, origin.identity) for one in origin.references)),
    ):
        if is_there:
            yield Finding(flaw)


def _is_in_utc(origin: Origin) -> bool:
    sent = origin.identity.sent if origin.identity else ""
    times = [text for text in (sent, origin.effective, origin.onset, origin.expires) if text]
    return bool(times) and all(map(_UTC.search, times))


def _is_later(one: CapReference, other: CapReference | None) -> bool:
    here, there = seconds(one.sent), seconds(other.sent) if other else None
    return here is not None and there is not None and here > there


def _of_the_rest(draft: Bulletin) -> Iterator[Finding]:
    for flaw, is_there in (
        (Flaw.NO_SEVERITY, draft.severity is Severity.UNKNOWN),
        (Flaw.NO_URGENCY, draft.urgency is Urgency.UNKNOWN),
        (Flaw.NO_CERTAINTY, draft.certainty is Certainty.UNKNOWN),
        (Flaw.NO_RESPONSE, not draft.responses),
        (
            Flaw.BAD_FILE,
            any(
                not _MEDIA_TYPE.fullmatch(file.mime_type) or (file.uri and not _ADDRESS.fullmatch(file.uri))
                for file in draft.resources
            ),
        ),
        (Flaw.IS_TEST, draft.status is Status.TEST),
    ):
        if is_there:
            yield Finding(flaw)


def _primary(tag: str) -> str:
    return tag.partition("-")[0].lower()
