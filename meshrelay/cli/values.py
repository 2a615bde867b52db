"""Values as people type them: times, places, sizes; what is not understood is said in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

import click

from meshrelay.cli.session import Session
from meshrelay.core.bulletin import Circle, Point
from meshrelay.errors import WrongUsage
from meshrelay.settings import time_zone
from meshrelay.words import languages

_SPAN = re.compile(r"(\d{1,6}) ?(m|min|h|d|w)", re.IGNORECASE)
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"(\d{1,15}) ?([kmg]?)(?:i?b)?", re.IGNORECASE)
_SIZES = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3}
_FARTHEST = 20_040_000
"""Metres to the other side of the Earth."""
_CLOCK = re.compile(r"\d{1,2}:\d\d")


def read_moment(text: str, *, now: int, tz: tzinfo, ahead: bool) -> int:
    """Return unix seconds of a time (RFC 3339; without an offset it is the relay's) or of a span such as 6h or 3d.

    A span counts from now: forward when `ahead`, else back. Raises ValueError.
    """
    text = text.strip()
    if span := _SPAN.fullmatch(text):
        seconds = int(span[1]) * _SECONDS[span[2].lower()]
        return now + seconds if ahead else now - seconds
    if _CLOCK.fullmatch(text):
        raise ValueError(f"{text!r} has no date")
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=tz)).timestamp())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time") from error


def read_language(text: str) -> str:
    """Return the BCP 47 tag of a language; raises ValueError that says which one may be meant."""
    if languages.is_known(text):
        return text
    if likely := languages.meant(text):
        raise ValueError(f"{text!r} is not a language; did you mean {' or '.join(likely)}?")
    raise ValueError(f"{text!r} is not a language; write its code, such as kk, ru, en, zh-Hant")


def read_languages(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the tags of a setting's languages; raises WrongUsage."""
    try:
        return tuple(map(read_language, texts))
    except ValueError as error:
        raise WrongUsage(str(error), hint="write them as kk,ru,en") from error


class Moment(click.ParamType[int]):
    """A time, or a span from now."""

    name = "time"

    def __init__(self, *, ahead: bool) -> None:
        self._ahead = ahead

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return unix seconds."""
        if isinstance(value, int):
            return value
        session = ctx.ensure_object(Session) if ctx else Session()
        tz = time_zone(session.settings().time_zone)
        try:
            return read_moment(value, now=session.counts_from or session.now, tz=tz, ahead=self._ahead)
        except ValueError as error:
            self.fail(f"{error}; write 2031-03-14T18:00+05:00, or 6h, 3d", param, ctx)


class Size(click.ParamType[int]):
    """A number of bytes, such as 700k or 16M."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return bytes."""
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            self.fail(f"{value!r} is not a size; write 700000, 700k or 16M", param, ctx)
        return int(match[1]) * _SIZES[match[2].lower()]


class Text(click.types.StringParamType):
    """Words of one's own. Those that begin as options do were meant as one, and the words forgotten."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the words."""
        text = str(value)
        if text.startswith("--"):
            self.fail(f"{text!r} begins with --, as options do; give the words", param, ctx)
        return text


class Language(click.ParamType[str]):
    """A language by its BCP 47 tag."""

    name = "language"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the tag."""
        try:
            return read_language(str(value).replace("_", "-"))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Word(click.Choice[str]):
    """One of CAP's words, in any case."""

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__([str(word) for word in words], case_sensitive=False)
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> StrEnum:
        """Return the word."""
        return self._words(super().convert(value, param, ctx))


def read_polygon(text: str) -> tuple[Point, ...]:
    """Return the corners of ``LAT,LON LAT,LON LAT,LON``, closed where the last is not the first. Raises ValueError."""
    points = [_point(pair) for pair in text.split()]
    if points and points[0] != points[-1]:
        points.append(points[0])
    if len(points) < 4:
        raise ValueError("a polygon has three corners or more: LAT,LON LAT,LON LAT,LON")
    return tuple(points)


def read_circle(text: str) -> Circle:
    """Return ``LAT,LON,KM`` or, as CAP writes it, ``LAT,LON KM``. Raises ValueError."""
    parts = text.replace(",", " ").split()
    if len(parts) != 3:
        raise ValueError(f"the circle {text!r} is not LAT,LON,KM")
    try:
        centre, radius = _point(",".join(parts[:2])), int(_number(parts[2]) * 1000)
    except ValueError as error:
        raise ValueError(f"the circle {text!r}: {error}") from error
    if not 0 <= radius <= _FARTHEST:
        raise ValueError(f"the circle {text!r}: a radius has 0 to {_FARTHEST // 1000} kilometres")
    return Circle(centre, radius)


def read_pair(text: str) -> tuple[str, str]:
    """Return name and value of ``NAME=VALUE``. Raises ValueError."""
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value.strip()


def _point(pair: str) -> Point:
    lat, comma, lon = pair.partition(",")
    if not comma:
        raise ValueError(f"{pair!r} is not LAT,LON")
    point = Point(*(int((_number(part) * 1_000_000).to_integral_value()) for part in (lat, lon)))
    if abs(point.lat) > 90_000_000 or abs(point.lon) > 180_000_000:
        raise ValueError(f"{pair!r} is not on this planet: latitude comes first")
    return point


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error
    if not number.is_finite() or abs(number) > 1_000_000:
        raise ValueError(f"{text!r} is not a number that can be meant")
    return number
