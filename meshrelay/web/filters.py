"""What a reader of the first page wants to see of all that is here: a language, a place, a category, what is new.

Everything stands in the address of the page, so that it can be kept or handed on; nothing is remembered here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meshrelay.core.bulletin import Category
from meshrelay.listing import Query

SPANS: Final = {
    "1h": (3600, "since-1h"),
    "6h": (6 * 3600, "since-6h"),
    "1d": (86400, "since-1d"),
    "3d": (3 * 86400, "since-3d"),
}
"""What the form offers for "came here within": seconds, and the label."""
_LONGEST: Final = {"in": 35, "area": 100, "category": 20, "since": 20}


@dataclass(frozen=True, slots=True)
class Filters:
    """`language` is a BCP 47 tag, `category` one of CAP's, `since` unix seconds or a span; empty means everything."""

    language: str = ""
    area: str = ""
    category: str = ""
    since: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filters:
        """Read them from the query of an address; what makes no sense there is left out."""
        words = {name: " ".join(query.get(name, "").split())[:most] for name, most in _LONGEST.items()}
        categories = {known.lower(): str(known) for known in Category}
        since = words["since"]
        return cls(
            words["in"],
            words["area"],
            categories.get(words["category"].lower(), ""),
            since if since in SPANS or re.fullmatch("[0-9]{1,12}", since) else "",
        )

    @property
    def active(self) -> bool:
        """Whether anything is left out."""
        return self != Filters()

    @property
    def narrow(self) -> bool:
        """Whether anything but what is old is left out."""
        return bool(self.language or self.area or self.category)

    @property
    def pairs(self) -> dict[str, str]:
        """What of an address's query they are."""
        pairs = {"in": self.language, "area": self.area, "category": self.category, "since": self.since}
        return {name: value for name, value in pairs.items() if value}

    def moment(self, *, now: int) -> int | None:
        """Return from when on (unix seconds) something is new, or None where all of it is wanted."""
        if self.since in SPANS:
            return now - SPANS[self.since][0]
        return int(self.since) if self.since else None

    def query(self, *, now: int) -> Query:
        """Return what of a list they ask for."""
        return Query(language=self.language, area=self.area, category=self.category, since=self.moment(now=now))
