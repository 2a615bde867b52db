"""Typed values out of decoded maps, or InvalidItem that names the field.

A frozen dataclass checks no types, so the gate does: every value of a payload passes through one of these
functions. Unknown keys are refused, so that a second meaning cannot ride along unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar, cast

from meshrelay.errors import InvalidItem, Reason

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MIN_TIME = 1
MAX_TIME = 253_402_300_799
"""The last second of the year 9999, so that every time can be written as a date."""


def wrong(name: str, detail: str, reason: Reason = Reason.FIELD) -> NoReturn:
    """Refuse the field `name`."""
    raise InvalidItem(reason, f"{name}: {detail}")


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One field of a map: the attribute that it fills, what it is called towards people, and how it is read."""

    attribute: str
    name: str
    read: Callable[[object, str], T]
    required: bool = False


class Table:
    """The fields that a map may have, by their keys."""

    __slots__ = ("_fields", "_required")

    def __init__(self, fields: Mapping[int, Field[Any]]) -> None:
        self._fields = {key: (field.attribute, field.name, field.read) for key, field in fields.items()}
        self._required = {key: field.name for key, field in fields.items() if field.required}

    def read(self, entries: object, name: str) -> dict[str, Any]:
        """Return the values of the map by attribute; those that are absent are left out.

        Raises InvalidItem for what is no map, has an unknown key, lacks a required one, or has a value that its
        field does not take.
        """
        if not isinstance(entries, dict):
            wrong(name, "not a map")
        fields, values = self._fields, {}
        for key, value in entries.items():
            if key not in fields:
                wrong(name, f"unknown key {key!r}")
            attribute, called, read = fields[key]
            values[attribute] = read(value, called)
        if not self._required.keys() <= entries.keys():
            wrong(next(called for key, called in self._required.items() if key not in entries), "missing")
        return values


def listed(read: Callable[[object, str], T], *, most: int) -> Callable[[object, str], tuple[T, ...]]:
    """Return a reader of lists of 1 to `most` of what `read` reads; an empty list has no written form."""

    def read_all(value: object, name: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            wrong(name, "not a list")
        if not 1 <= len(value) <= most:
            wrong(name, f"has {len(value)} entries, 1 to {most} are allowed")
        return tuple([read(element, name) for element in value])

    return read_all


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


def integers(values: Sequence[object], name: str, low: int, high: int, reason: Reason = Reason.FIELD) -> Sequence[int]:
    """Read a list, not an empty one, of integers from `low` to `high`: all at once, for long lists of points."""
    if set(map(type, values)) != {int}:
        wrong(name, "not integers alone")
    numbers = cast("Sequence[int]", values)
    if min(numbers) < low or max(numbers) > high:
        wrong(name, f"a number that is not between {low} and {high}", reason)
    return numbers


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
