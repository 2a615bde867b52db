"""The forms of single values in CAP, both ways: times, numbers, places, addresses.

Not here: which element a value is of, but for the name that a refusal bears.

Law: what is read here is what was written, or InvalidDocument is raised; what is written is valid by the schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Final, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

from meshrelay.core.bulletin import Circle, Point
from meshrelay.errors import InvalidDocument

EPOCH: Final = "1970-01-01T00:00:00+00:00"

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|([+-])(\d\d):(\d\d))", re.ASCII)
_CAP_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d{1,20}(\.\d{0,40})?|\.\d{1,40})", re.ASCII)
_URI_SAFE: Final = ":/?#@!$&'()*+,;=%-._~"
# With a scheme, or with no colon before the first slash; every % is an escape and there is one fragment at most.
_URI_FORM: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:(?=.)|(?![^/?#]*:))(?:[^%#]|%[0-9A-Fa-f]{2})*(?:#(?:[^%#]|%[0-9A-Fa-f]{2})*)?"
)
_FARTHEST: Final = 20_040_000

E = TypeVar("E", bound=StrEnum)


def refuse(element: str, detail: str) -> NoReturn:
    """Raise InvalidDocument that names the element."""
    raise InvalidDocument(element, detail)


def word(text: str, name: str, words: type[E]) -> E:
    """Return the member of an enumeration that `text` is."""
    try:
        return words(text)
    except ValueError:
        refuse(name, f"{text[:40]!r} is not one of {', '.join(words)}")


def moment(text: str, name: str) -> int:
    """Return a time as unix seconds; a fraction of a second is dropped."""
    match = _TIME.fullmatch(text)
    if match is None:
        refuse(name, f"{text[:40]!r} is not a time with an offset from UTC")
    whole, _, _, sign, hours, minutes = match.groups()
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        return int(datetime.fromisoformat(whole).replace(tzinfo=zone).timestamp())
    except (ValueError, OverflowError):
        refuse(name, f"{text[:40]!r} is not a time that exists")


def is_cap_time(text: str) -> bool:
    """Tell whether a time has the one form that CAP allows: whole seconds, and an offset in digits."""
    return _CAP_TIME.fullmatch(text) is not None


def written_moment(seconds: int) -> str:
    """Return unix seconds as CAP wants a time."""
    return (datetime(1970, 1, 1) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S+00:00")  # noqa: DTZ001


def as_cap_time(text: str) -> str:
    """Return a time as it was written, or in CAP's form where it was written otherwise."""
    if is_cap_time(text):
        return text
    match = _TIME.fullmatch(text)
    return f"{match[1]}{'+00:00' if match[3] == 'Z' else match[3]}" if match else EPOCH


def is_number(text: str) -> bool:
    """Tell whether `text` is a decimal number."""
    return _NUMBER.fullmatch(text) is not None


def number(text: str, name: str) -> Decimal:
    """Return a decimal number."""
    if not is_number(text):
        refuse(name, f"{text[:40]!r} is not a number")
    return Decimal(text)


def point(pair: str, name: str) -> Point:
    """Return a place from latitude and longitude in degrees, rounded to micro-degrees."""
    lat, comma, lon = pair.partition(",")
    if not comma:
        refuse(name, f"{pair[:40]!r} is no latitude and longitude with a comma between them")
    place = Point(*(int((number(part, name) * 1_000_000).to_integral_value()) for part in (lat, lon)))
    if abs(place.lat) > 90_000_000 or abs(place.lon) > 180_000_000:
        refuse(name, f"{pair[:40]!r} is no latitude and longitude")
    return place


def points(text: str, name: str) -> list[Point]:
    """Return the places of a polygon."""
    return [point(pair, name) for pair in text.split()]


def circle(text: str) -> Circle:
    """Return a place and a radius, which CAP gives in kilometres."""
    center, _, radius = " ".join(text.split()).partition(" ")
    metres = number(radius, "circle") * 1_000
    if not 0 <= metres <= _FARTHEST:
        refuse("circle", f"{radius[:40]!r} is no radius in kilometres")
    return Circle(point(center, "circle"), int(metres.to_integral_value()))


def written_polygon(polygon: Iterable[Point]) -> str:
    """Return a polygon as CAP has it, latitude first."""
    return " ".join(map(_place, polygon))


def written_circle(one: Circle) -> str:
    """Return a circle as CAP has it."""
    return f"{_place(one.center)} {_shifted(one.radius, 3)}"


def uri(text: str) -> str:
    """Return `text` as an xs:anyURI: what a URI cannot hold is escaped, and what is no URI at all is a plain name."""
    escaped = quote(text, safe=_URI_SAFE)
    try:
        is_uri = _URI_FORM.fullmatch(escaped) is not None and urlsplit(escaped).port != -1
    except ValueError:
        is_uri = False
    return escaped if is_uri else quote(text, safe="")


def _place(one: Point) -> str:
    return f"{_shifted(one.lat, 6)},{_shifted(one.lon, 6)}"


def _shifted(value: int, places: int) -> str:
    """Return an integer as a decimal with the point moved to the left."""
    whole, rest = divmod(abs(value), 10**places)
    fraction = f"{rest:0{places}}".rstrip("0")
    return ("-" if value < 0 else "") + str(whole) + (f".{fraction}" if fraction else "")
