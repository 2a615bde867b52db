"""Typed values out of decoded maps, or InvalidItem that names the field.

A frozen dataclass checks no types, so the gate does: every value of a payload passes through one of these
functions. Unknown keys are refused, so that a second meaning cannot ride along unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NoReturn, TypeVar, cast

from meshrelay.errors import InvalidItem, Reason

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MIN_TIME = 1
MAX_TIME = 253_402_300_799
"""The last second of the year 9999, so that every time can be written as a date."""

_ABSENT = object()


def wrong(name: str, detail: str, reason: Reason = Reason.FIELD) -> NoReturn:
    """Refuse the field `name`."""
    raise InvalidItem(reason, f"{name}: {detail}")


class Fields:
    """One decoded map, read field by field; :meth:`end` refuses what was not asked for."""

    __slots__ = ("_entries", "_name")

    def __init__(self, entries: object, name: str) -> None:
        if not isinstance(entries, dict):
            wrong(name, "not a map")
        self._entries = dict(entries)
        self._name = name

    def take(self, key: int, name: str, read: Callable[[object, str], T]) -> T:
        """Return the field that must be there."""
        value = self._entries.pop(key, _ABSENT)
        if value is _ABSENT:
            wrong(name, "missing")
        return read(value, name)

    def take_optional(self, key: int, name: str, read: Callable[[object, str], T]) -> T | None:
        """Return the field, or None when it is absent."""
        value = self._entries.pop(key, _ABSENT)
        return None if value is _ABSENT else read(value, name)

    def take_list(self, key: int, name: str, read: Callable[[object, str], T], *, most: int) -> tuple[T, ...]:
        """Return the list, or the empty one when it is absent; a list that is there is never empty."""
        value = self._entries.pop(key, _ABSENT)
        return () if value is _ABSENT else list_of(value, name, read, most=most)

    def end(self) -> None:
        """Refuse keys that nobody took."""
        if self._entries:
            wrong(self._name, f"unknown key {next(iter(self._entries))!r}")


def list_of(value: object, name: str, read: Callable[[object, str], T], *, most: int) -> tuple[T, ...]:
    """Read a list of 1 to `most` elements."""
    if not isinstance(value, list):
        wrong(name, "not a list")
    if not 1 <= len(value) <= most:
        wrong(name, f"has {len(value)} entries, 1 to {most} are allowed")
    return tuple([read(element, name) for element in value])


def boolean(value: object, name: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        wrong(name, "neither true nor false")
    return value


def true(value: object, name: str) -> bool:
    """Read a flag whose only written form is true; absent means false."""
    if value is not True:
        wrong(name, "not true")
    return True


def integer(low: int, high: int, reason: Reason = Reason.FIELD) -> Callable[[object, str], int]:
    """Return a reader of integers from `low` to `high`."""

    def read(value: object, name: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            wrong(name, "not an integer")
        if not low <= value <= high:
            wrong(name, f"{value} is not between {low} and {high}", reason)
        return value

    return read


time = integer(MIN_TIME, MAX_TIME, Reason.TIME)
"""Read a time in whole seconds since 1970."""


def raw(size: int) -> Callable[[object, str], bytes]:
    """Return a reader of byte strings of exactly `size` bytes."""

    def read(value: object, name: str) -> bytes:
        if not isinstance(value, bytes):
            wrong(name, "not a byte string")
        if len(value) != size:
            wrong(name, f"has {len(value)} bytes, not {size}")
        return value

    return read


def text(most: int, *, empty: bool = False) -> Callable[[object, str], str]:
    """Return a reader of text of at most `most` characters."""

    def read(value: object, name: str) -> str:
        if not isinstance(value, str):
            wrong(name, "not text")
        if not value and not empty:
            wrong(name, "empty; leave it out instead")
        if len(value) > most:
            wrong(name, f"has {len(value)} characters, at most {most} are allowed")
        return value

    return read


def integers(values: Sequence[object], name: str, low: int, high: int, reason: Reason = Reason.FIELD) -> None:
    """Refuse a list, not an empty one, that holds anything but integers from `low` to `high`: quick for long lists."""
    if set(map(type, values)) != {int}:
        wrong(name, "not integers alone")
    numbers = cast("Sequence[int]", values)
    if min(numbers) < low or max(numbers) > high:
        wrong(name, f"a number that is not between {low} and {high}", reason)


def word_of(words: type[E]) -> Callable[[object, str], E]:
    """Return a reader of the words of an enumeration."""
    members = {str(word): word for word in words}

    def read(value: object, name: str) -> E:
        if not isinstance(value, str):
            wrong(name, "not text")
        if value not in members:
            wrong(name, f"{value[:40]!r} is not one of {', '.join(members)}")
        return members[value]

    return read
