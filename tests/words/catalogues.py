"""Bring the catalogues up to date with the sentences in meshrelay/words: ``python -m tests.words.catalogues``.

Collects the messages, merges them into every language's catalogue (what is no longer said goes, what is new stands
there untranslated), and compiles each. Heads hold nothing that changes by itself: running it twice changes nothing.
Prints how many messages each language lacks. See docs/translating.md.
"""

from __future__ import annotations

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

WORDS = Path(__file__).resolve().parents[2] / "meshrelay" / "words"
LOCALE = WORDS / "locale"
KEYWORDS = {**DEFAULT_KEYWORDS, "mark": None, "_count": (1, 2), "_form": (1, 2)}
_KEPT_IN_HEADS = ("Project-Id-Version", "Language", "Language-Team", "Plural-Forms", "MIME-Version", "Content-T")


def collected() -> Catalog:
    """Return every message that the words say, in the order of the files."""
    template = Catalog(project="meshrelay", version="1", charset="utf-8")
    found = sorted(extract_from_dir(WORDS, keywords=KEYWORDS), key=lambda one: (one[0], one[1]))
    for _, _, message, comments, context in found:
        template.add(message, auto_comments=comments, context=context)
    return template


def main() -> None:
    """Bring the template, every catalogue and its compiled form up to date."""
    template = collected()
    with (LOCALE / "meshrelay.pot").open("wb") as file:
        write_po(file, template, width=0, no_location=True, omit_header=True)
    for path in sorted(LOCALE.glob("*/LC_MESSAGES/meshrelay.po")):
        with path.open("rb") as file:
            catalogue = read_po(file)
        # Anew for each: an update takes over the messages themselves, and what is filled in for one would be all's.
        catalogue.update(collected(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        if path.parts[-3] == "en":
            for message in catalogue:
                message.string = message.string if any(_strings(message.string)) else message.id
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, no_location=True)
        path.write_text(_plain_head(path.read_text(encoding="utf-8")), encoding="utf-8")
        with path.open("rb") as file:
            compiled = read_po(file)
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, compiled)
        missing = len([one for one in compiled if one.id and not any(_strings(one.string))])
        print(f"{path.parts[-3]}: {len(compiled)} messages, {missing} not translated")


def _strings(text: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _plain_head(text: str) -> str:
    """Leave out of a catalogue's head what only says when and by which program it was written."""
    head, rest = text.split("\n\n", 1)
    kept = [line for line in head.split("\n") if not line.startswith('"') or line[1:].startswith(_KEPT_IN_HEADS)]
    return "\n".join(kept) + "\n\n" + rest


if __name__ == "__main__":
    main()
