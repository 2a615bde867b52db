"""The catalogues: one gettext file a language, compiled and shipped inside the package.

A catalogue is read once, at its first use, through importlib.resources. A message that a catalogue lacks
is said in English. How catalogues are made and checked: docs/translating.md.
"""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import files
from typing import Final

DOMAIN: Final = "meshrelay"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the messages of a language of `PAGE_LANGUAGES`; those of another language are English."""
    path = files(__package__) / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
    if not path.is_file():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        return gettext.GNUTranslations(file)


def is_draft(language: str) -> bool:
    """Say whether nobody but its author has read this catalogue (its header says ``X-Review: draft``)."""
    return catalogue(language).info().get("x-review") == "draft"


def mark(message: str) -> str:
    """Return `message`; its only use is to be found when messages are collected (keyword ``mark``)."""
    return message
