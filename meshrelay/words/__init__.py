"""The only place that makes sentences for people, in every language; pure.

`Words` is a voice in one language; what it says is a `Said`: plain text for a terminal, parts for a page.
"""

from __future__ import annotations

from meshrelay.words.catalogue import add_folder, is_draft, page_languages
from meshrelay.words.languages import PAGE_LANGUAGES, Choice, direction, negotiate, own_name, pick
from meshrelay.words.said import Part, Said, Sort
from meshrelay.words.speech import grouped, key_code, shortened, visible
from meshrelay.words.verdicts import Words

__all__ = [
    "PAGE_LANGUAGES",
    "Choice",
    "Part",
    "Said",
    "Sort",
    "Words",
    "add_folder",
    "direction",
    "grouped",
    "is_draft",
    "key_code",
    "negotiate",
    "own_name",
    "page_languages",
    "pick",
    "shortened",
    "visible",
]
