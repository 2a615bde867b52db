"""Finding bulletins by words: how texts are split for the store's two full-text indexes, and how they are asked.

Words go into one index; runs of scripts that are written without spaces go into another, by terms of three characters.
Neither keeps the text: what was put in is packed beside them, so that it can be taken out again.

Not here: transactions, and which bulletins are searchable (store.py). Law: what people type is data, no character of it
has a meaning; what a bulletin was indexed by is what it is taken out by.
"""

# What stands in the text of a statement here is a constant of this module or a row of question marks:
# ruff: noqa: S608

from __future__ import annotations

import re
import sqlite3
import unicodedata
import zlib
from collections.abc import Sequence

from meshrelay.core.bulletin import Bulletin

RANKED = 1000
"""So many of the newest bulletins with common words are ranked."""
_LONGEST_QUERY = 200
_MOST_RUN_TERMS = 400

# Scripts that are written without spaces between words: kana, Han, Thai, Lao, Tibetan, Burmese, Khmer.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u1049\u1050-\u109f\u1780-\u17ff\u19e0-\u19ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff]+"
)
# Spellings that people do not tell apart when they search: vowel signs and tatweel fall away, letters that Arabic and
# Persian keyboards write differently become one, ё is е; a zero width space separates nothing that is shown.
_SPELLINGS = dict.fromkeys(map(chr, (*range(0x064B, 0x0660), 0x0670, 0x0640, 0x200B)), "") | {
    "ي": "ی",
    "ى": "ی",
    "ك": "ک",
    "أ": "ا",
    "إ": "ا",
    "آ": "ا",
    "ё": "е",
    "Ё": "Е",
}
_SPELT = re.compile(f"[{''.join(_SPELLINGS)}]")


def _is_of_word(char: str) -> bool:
    return unicodedata.category(char)[0] in "LNM"


def _by_script(text: str) -> tuple[str, list[str]]:
    """Return the text without the runs of scripts that use no spaces, and those runs; as both indexes know them."""
    if text.isascii():
        return text, []
    text = _SPELT.sub(lambda match: _SPELLINGS[match[0]], unicodedata.normalize("NFC", text))
    runs: list[str] = _UNSPACED.findall(text)
    return (_UNSPACED.sub(" ", text) if runs else text), runs


def text_of(body: object) -> str:
    """Return what a bulletin is found by."""
    if not isinstance(body, Bulletin):
        return ""
    parts = [
        part
        for text in body.texts
        for part in (text.event, text.headline, text.description, text.instruction, text.sender_name)
    ]
    parts += dict.fromkeys(name for area in body.areas for _, name in area.names)
    return "\n".join(filter(None, parts))


def index(db: sqlite3.Connection, texts: Sequence[tuple[int, str]], *, reached: int) -> None:
    """Make bulletins searchable, those that are still held; all up to the number `reached` are from now on."""
    marks = ", ".join("?" * len(texts))
    held = {row[0] for row in db.execute(f"SELECT n FROM items WHERE n IN ({marks})", [n for n, _ in texts])}
    split = [(n, *_by_script(text)) for n, text in texts if n in held]
    # Two line ends more, so that the last characters of a run begin a term of three as all others do.
    rows = [(n, words, "\n".join([*runs, "", ""]) if runs else "") for n, words, runs in split]
    db.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", [(n, words) for n, words, _ in rows])
    db.executemany("INSERT INTO runs (rowid, body) VALUES (?, ?)", [(n, runs) for n, _, runs in rows if runs])
    db.executemany(
        "INSERT INTO texts (n, packed) VALUES (?, ?)",
        [(n, zlib.compress(f"{words}\0{runs}".encode(), 1)) for n, words, runs in rows],
    )
    db.execute("UPDATE state SET indexed = ?", (reached,))


def unindex(db: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Take bulletins out of both indexes."""
    marks = ", ".join("?" * len(numbers))
    packs = db.execute(
        f"SELECT n, ifnull(CAST(packed AS BLOB), x'') FROM texts WHERE n IN ({marks})", numbers
    ).fetchall()
    for n, packed in packs:
        try:
            words, runs = zlib.decompress(packed).decode().split("\0")
        except (zlib.error, ValueError):
            continue  # damaged: its terms stay, and lead to no item, for no n is used twice
        db.execute("INSERT INTO words (words, rowid, body) VALUES ('delete', ?, ?)", (n, words))
        if runs:
            db.execute("INSERT INTO runs (runs, rowid, body) VALUES ('delete', ?, ?)", (n, runs))
    db.execute(f"DELETE FROM texts WHERE n IN ({marks})", numbers)


def queries(db: sqlite3.Connection, text: str) -> list[tuple[str, str]]:
    """Return what to ask of which index, all of which must match; nothing where nothing can."""
    words, runs = _by_script(text[:_LONGEST_QUERY])
    terms = "".join([char if _is_of_word(char) else " " for char in words]).split()
    found = [("words", " AND ".join(map(_words_match, terms)))] if terms else []
    found += [("runs", _run_match(db, run)) for run in runs]
    return found if all(match for _, match in found) else []


def _words_match(term: str) -> str:
    return f'"{term}"*' if len(term) > 1 else f'"{term}"'


def _run_match(db: sqlite3.Connection, run: str) -> str:
    """Return the query that finds `run`; empty when nothing can match."""
    if len(run) > 2:
        return f'"{run}"'
    # Shorter than the index's terms of three: take the terms that begin with it.
    terms = db.execute(
        "SELECT term FROM runs_terms WHERE term >= ? AND term < ? LIMIT ?", (run, run + "\U0010ffff", _MOST_RUN_TERMS)
    )
    return " OR ".join(f'"{row[0]}"' for row in terms)
