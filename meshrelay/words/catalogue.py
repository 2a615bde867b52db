"""The catalogues: one gettext file a language, compiled and shipped inside the package.

A catalogue is read once, at its first use, through importlib.resources. A message that a catalogue lacks
is said in English. How catalogues are made and checked: docs/translating.md.
"""

from __future__ import annotations

import gettext
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from meshrelay.core.bulletin import is_language
from meshrelay.words.languages import PAGE_LANGUAGES

DOMAIN: Final = "meshrelay"


_folders: list[Path] = []


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """Return the messages of a language that pages are written in; those of another language are English."""
    found = gettext.NullTranslations()
    for root in (files(__package__) / "locale", *_folders):
        path = root / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
        if path.is_file():
            with path.open("rb") as file:
                later = gettext.GNUTranslations(file)
            later.add_fallback(found)
            found = later
    return found


def add_folder(folder: Path) -> None:
    """Let catalogues in `folder` (LANGUAGE/LC_MESSAGES/meshrelay.mo) add languages and correct shipped messages."""
    if folder not in _folders:
        _folders.append(folder)
        catalogue.cache_clear()


def page_languages() -> tuple[str, ...]:
    """Return the languages that pages are written in: those shipped, then those of added folders."""
    added = [path.parts[-3] for folder in _folders for path in sorted(folder.glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))]
    return tuple(dict.fromkeys((*PAGE_LANGUAGES, *filter(is_language, added))))


def is_draft(language: str) -> bool:
    """Say whether nobody but its author has read this catalogue (its header says ``Language-Team: draft``)."""
    return catalogue(language).info().get("language-team") == "draft"


def mark(message: str) -> str:
    """Return `message`; its only use is to be found when messages are collected (keyword ``mark``)."""
    return message
