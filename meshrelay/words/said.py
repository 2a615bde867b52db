"""A sentence as parts, so that a terminal and a page can both show it: a page sets names and times apart.

Nothing here knows HTML, a terminal or a language.

Law: the plain text of what is said is the same in both, and what a stranger wrote never becomes anything but the
text of one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from string import Formatter
from typing import TypeAlias


class Sort(StrEnum):
    """What a part of a sentence is."""

    PLAIN = "plain"
    NAME = "name"
    CODE = "code"
    TIME = "time"
    AGO = "ago"
    ZONE = "zone"
    TITLE = "title"
    QUOTE = "quote"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a sentence.

    `at` is the moment (unix seconds) that a TIME or AGO stands for, or at which a ZONE is the offset; `id` the bulletin
    that a TITLE leads to; `language` the BCP 47 tag of text that is not in the language of the sentence.
    """

    text: str
    sort: Sort = Sort.PLAIN
    at: int | None = None
    id: bytes | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence; `str()` gives its plain text."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        """Return the plain text."""
        return "".join(part.text for part in self.parts)

    def __iter__(self) -> Iterator[Part]:
        """Go through the parts in reading order."""
        return iter(self.parts)

    def __add__(self, other: Said) -> Said:
        """Return both sentences with a space between them."""
        return Said((*self.parts, Part(" "), *other.parts))


Filling: TypeAlias = "Said | Part | str"


def fill(template: str, /, **fillings: Filling) -> Said:
    """Return `template` with each ``{name}`` replaced; raise KeyError for a name that is not given."""
    parts: list[Part] = []
    for literal, field in _fields(template):
        if literal:
            parts.append(Part(literal))
        if field:
            parts.extend(_parts(fillings[field]))
    return Said(tuple(parts))


def plain(text: str) -> Said:
    """Return `text` as a sentence of one part."""
    return Said((Part(text),))


def name(text: str) -> Part:
    """Return a person's, relay's or organisation's name."""
    return Part(text, Sort.NAME)


def _parts(filling: Filling) -> tuple[Part, ...]:
    match filling:
        case Said():
            return filling.parts
        case Part():
            return (filling,)
        case _:
            return (Part(filling),)


@lru_cache(maxsize=1024)
def _fields(template: str) -> tuple[tuple[str, str | None], ...]:
    return tuple((literal, field) for literal, field, _, _ in Formatter().parse(template))
