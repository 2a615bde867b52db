"""Times in words: how long ago, at what hour, until when, and by whose clock.

Nothing here reads a clock or a time zone database: the moment, now and the zone are arguments, and a fixed offset is a
zone like any other.

Law: every moment that a bulletin may carry can be said. An hour is always said in 24, a day that is not today's is
named, and an end carries the offset.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.dates import format_date, format_skeleton

_LAST: Final = 253_402_300_799
"""The last second of the year 9999, the last that a date can be written for."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_DIGITS: Final = {
    "arabext": str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹"),
    "mymr": str.maketrans("0123456789", "၀၁၂၃၄၅၆၇၈၉"),
}


@lru_cache(maxsize=4096)
def local(moment: int, tz: tzinfo) -> datetime:
    """Return `moment` (unix seconds) in `tz`; what no calendar can write becomes its nearest writable moment."""
    utc = datetime.fromtimestamp(min(max(moment, 0), _LAST), UTC)
    try:
        return utc.astimezone(tz)
    except OverflowError:
        return (utc - timedelta(days=1)).astimezone(tz)


def stamp(moment: int, tz: tzinfo) -> str:
    """Return `moment` as RFC 3339 with the offset of `tz`."""
    return local(moment, tz).isoformat(timespec="seconds")


def offset(moment: int, tz: tzinfo) -> str:
    """Return the offset of `tz` at `moment`: "UTC+5", "UTC+5:30", "UTC"."""
    minutes = round((local(moment, tz).utcoffset() or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    sign = "-" if minutes < 0 else "+"
    return "UTC" if not minutes else f"UTC{sign}{hours}" + (f":{rest:02d}" if rest else "")


def digits(text: str, locale: Locale) -> str:
    """Return `text` with the digits that the language is written with."""
    table = _DIGITS.get(locale.default_numbering_system)
    return text.translate(table) if table else text


def hour(moment: int, tz: tzinfo, locale: Locale) -> str:
    """Return the time of day, "14:06"."""
    return digits(f"{local(moment, tz):%H:%M}", locale)


def day(moment: int, tz: tzinfo, locale: Locale, *, now: int) -> str:
    """Return the date, "14 March"; with its year where that is not this year."""
    when = local(moment, tz).date()
    return _written(when, locale, with_year=when.year != local(now, tz).year)


@lru_cache(maxsize=4096)
def _written(when: date, locale: Locale, *, with_year: bool) -> str:
    text = format_date(when, "long", locale=locale) if with_year else format_skeleton("MMMMd", when, locale=locale)
    return digits(text, locale)


def days_apart(moment: int, tz: tzinfo, *, now: int) -> int:
    """Return how many midnights lie between now and `moment`: 0 today, 1 tomorrow, -1 yesterday."""
    return (local(moment, tz).date() - local(now, tz).date()).days


def span(seconds: int) -> tuple[int, str]:
    """Return a length of time as a number and its unit: "minute", "hour" or "day"; whole units, rounded down."""
    if seconds < _HOUR:
        return max(seconds, 0) // _MINUTE, "minute"
    if seconds < 2 * _DAY:
        return seconds // _HOUR, "hour"
    return seconds // _DAY, "day"
