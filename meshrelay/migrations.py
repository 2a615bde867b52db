"""How the items' database came to have its present form, step by step; a step that was released is never edited.

Not here: what the tables are used for (store.py), and the database of private facts (local.py).
"""

from __future__ import annotations

import sqlite_utils
from sqlite_utils.migrations import Migrations

PAGE_SIZE = 4096

items = Migrations("meshrelay-items")


@items()
def _first(db: sqlite_utils.Database) -> None:
    for statement in _FIRST:
        db.conn.execute(statement)


_FIRST = (
    # `sequence` counts arrivals and removals alike and never falls; a row's n is its place in that count, so no n is
    # used twice and "what changed since" needs no log of arrivals.
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), epoch BLOB NOT NULL, sequence INTEGER NOT NULL,"
    " indexed INTEGER NOT NULL)",
    "INSERT INTO state VALUES (1, randomblob(8), 0, 0)",
    # A key is 32 bytes and stands in every list's index: a number stands for it there.
    "CREATE TABLE authors (n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE)",
    "CREATE TABLE items (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, key BLOB NOT NULL, author INTEGER NOT NULL,"
    " kind TEXT NOT NULL, sent INTEGER NOT NULL, expires INTEGER, size INTEGER NOT NULL, stream BLOB, seq INTEGER,"
    " org BLOB, msg_type TEXT, drill INTEGER NOT NULL, urgency TEXT, severity TEXT, alias BLOB, targets BLOB NOT NULL,"
    " pressing INTEGER NOT NULL, received INTEGER NOT NULL, digest BLOB NOT NULL, checksum INTEGER NOT NULL)",
    # Apart from the headers: lists then read 250 bytes a row, and two envelopes of 2 kB share a page.
    "CREATE TABLE envelopes (n INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE targets (token BLOB NOT NULL, item INTEGER NOT NULL)",
    "CREATE TABLE removals (n INTEGER PRIMARY KEY, key BLOB NOT NULL, id BLOB NOT NULL)",
    "CREATE INDEX items_key ON items (key)",
    "CREATE INDEX items_author ON items (author, stream, seq)",
    "CREATE INDEX items_alias ON items (alias) WHERE alias IS NOT NULL",
    # These two hold all that a list filters by, so that what it passes over costs no look at the row.
    "CREATE INDEX items_pressing ON items (pressing, n, expires, author, received, msg_type) WHERE kind = 'bulletin'",
    "CREATE INDEX items_newest ON items (sent, n, expires, author, received, msg_type) WHERE kind = 'bulletin'",
    "CREATE UNIQUE INDEX targets_token ON targets (token, item)",
    # The two indexes keep no text, so a row is taken out of them by the text that went in, which is kept here, packed.
    "CREATE TABLE texts (n INTEGER PRIMARY KEY, packed BLOB NOT NULL)",
    "CREATE VIRTUAL TABLE words USING fts5 (body, content = '',"
    " tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\")",
    "CREATE VIRTUAL TABLE runs USING fts5 (body, content = '', tokenize = 'trigram')",
    "CREATE VIRTUAL TABLE runs_terms USING fts5vocab (runs, 'row')",
)


def bring_up(db: sqlite_utils.Database) -> bool:
    """Take the steps that the database has not taken; tell False, and take none, when it is ahead of this version."""
    # Asked in plain SQL, whose errors have a name: on a damaged file the library's own question raises KeyError.
    exists = db.conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (items.migrations_table,)).fetchone()
    taken = set[str]()
    if exists:
        asked = f"SELECT name FROM {items.migrations_table} WHERE migration_set = ?"  # noqa: S608
        taken = {row[0] for row in db.conn.execute(asked, (items.name,))}
    known = {step.name for step in items.pending(sqlite_utils.Database(memory=True))}
    if taken < known:
        items.apply(db)
    return taken <= known
