"""How the items' database came to have its present form, step by step; a step that was released is never edited.

Not here: what the tables are used for (store.py), and the steps of the database of private facts (local.py), which are
taken by the same function.
"""

from __future__ import annotations

import sqlite3

import sqlite_utils
from sqlite_utils.migrations import Migrations

from meshrelay.core.envelope import open_envelope
from meshrelay.errors import InvalidItem, StoreDamaged, StoreUnusable

PAGE_SIZE = 4096
DAMAGED_HINT = "start the relay: it keeps what is whole and fetches the rest from other relays"

items = Migrations("meshrelay-items")


@items()
def _first(db: sqlite_utils.Database) -> None:
    for statement in _FIRST:
        db.conn.execute(statement)


@items()
def _forks(db: sqlite_utils.Database) -> None:
    # Numbers of a stream that two items were given: both may have gone since.
    db.conn.execute(
        "CREATE TABLE forked (author INTEGER NOT NULL, stream BLOB NOT NULL, seq INTEGER NOT NULL,"
        " UNIQUE (author, stream, seq))"
    )
    db.conn.execute(
        "INSERT OR IGNORE INTO forked (author, stream, seq) SELECT author, stream, seq FROM items"
        " WHERE seq IS NOT NULL GROUP BY author, stream, seq HAVING count(*) > 1"
    )
    db.conn.execute("CREATE INDEX items_org ON items (author, org, sent) WHERE org IS NOT NULL")


@items()
def _numbers_gone(db: sqlite_utils.Database) -> None:
    # Numbers of a stream whose items were here and were let go, so that nobody takes them for missing.
    db.conn.execute(
        "CREATE TABLE gone (n INTEGER PRIMARY KEY, author INTEGER NOT NULL, stream BLOB NOT NULL, seq INTEGER NOT NULL,"
        " UNIQUE (author, stream, seq))"
    )


@items()
def _links(db: sqlite_utils.Database) -> None:
    for statement in _SHARED_OUT:
        db.conn.execute(statement)


@items()
def _voices(db: sqlite_utils.Database) -> None:
    for statement in _BY_WHOM:
        db.conn.execute(statement)


@items()
def _signers(db: sqlite_utils.Database) -> None:
    for statement in _TOGETHER:
        db.conn.execute(statement)
    rows = db.conn.execute(
        "SELECT i.n, a.key, e.data FROM items i JOIN authors a ON a.n = i.author JOIN envelopes e ON e.n = i.n"
        " WHERE i.key < x'01'"
    )
    db.conn.executemany(
        "INSERT OR IGNORE INTO signers (key, item) VALUES (?, ?)",
        ((key, n) for n, author, data in rows for key in _signing(data) if key != author),
    )


def _signing(data: object) -> tuple[bytes, ...]:
    """Return the keys that signed an item; none where it is damaged, which whoever reads it will find."""
    try:
        return open_envelope(data).keys if isinstance(data, bytes) else ()
    except InvalidItem:
        return ()


_TOGETHER = (
    # Who signed a statement beside its author: what an organisation says is looked up by each of its keys, for the
    # author is the lowest of those that signed, which may be no key of the organisation.
    "CREATE TABLE signers (key BLOB NOT NULL, item INTEGER NOT NULL, UNIQUE (key, item))",
    "CREATE INDEX signers_item ON signers (item)",
)
_BY_WHOM = (
    # Anybody can name a bulletin as often as keys can be made: whose word counts is looked up by who says it.
    "ALTER TABLE targets ADD COLUMN author INTEGER",
    "UPDATE targets SET author = (SELECT author FROM items WHERE n = targets.item)",
    "CREATE INDEX targets_author ON targets (token, author, item)",
    # An attestation names one bulletin.
    "CREATE INDEX items_attests ON items (targets, author) WHERE kind = 'attestation'",
)
_JOINS = (
    "INSERT INTO parts (link, author, items, bytes) SELECT new.link, new.author, 1, new.size WHERE new.link IS NOT NULL"
    " ON CONFLICT (author, link) DO UPDATE SET items = items + 1, bytes = bytes + excluded.bytes;"
    " UPDATE links SET items = items + 1, bytes = bytes + new.size WHERE n = new.link;"
)
_LEAVES = (
    "UPDATE parts SET items = items - 1, bytes = bytes - old.size WHERE author = old.author AND link = old.link;"
    " DELETE FROM parts WHERE author = old.author AND link = old.link AND items <= 0;"
    " UPDATE links SET items = items - 1, bytes = bytes - old.size WHERE n = old.link;"
    " DELETE FROM links WHERE n = old.link AND items <= 0;"
)
_SHARED_OUT = (
    # The link that an item of the pool came by, so that one link's flood does not cost another's senders their place: a
    # number made at random in every run, which says nothing of the other end. None for what is outside of the pool.
    "ALTER TABLE items ADD COLUMN link INTEGER",
    "CREATE TABLE links (n INTEGER PRIMARY KEY, way TEXT NOT NULL, items INTEGER NOT NULL DEFAULT 0,"
    " bytes INTEGER NOT NULL DEFAULT 0)",
    # Who holds how much of the pool, by link, always to hand: core.quota.Share.weight.
    "CREATE TABLE parts (link INTEGER NOT NULL, author INTEGER NOT NULL, items INTEGER NOT NULL,"
    " bytes INTEGER NOT NULL, UNIQUE (author, link))",
    "CREATE INDEX parts_weight ON parts (link, max(items * 262144, bytes * 10))",
    "DROP INDEX authors_weight",
    f"CREATE TRIGGER items_shared AFTER INSERT ON items WHEN new.link IS NOT NULL BEGIN {_JOINS} END",
    f"CREATE TRIGGER items_unshared AFTER DELETE ON items WHEN old.link IS NOT NULL BEGIN {_LEAVES} END",
    "CREATE TRIGGER items_moved AFTER UPDATE OF link ON items WHEN new.link IS NOT old.link BEGIN"
    f" {_LEAVES} {_JOINS} END",
    # Delegations are kept until some time after they end.
    "CREATE INDEX items_lent ON items (expires) WHERE kind = 'delegation'",
)


_FIRST = (
    # `sequence` counts arrivals and removals alike and never falls; a row's n is its place in that count, so no n is
    # used twice and "what changed since" needs no log of arrivals.
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), epoch BLOB NOT NULL, sequence INTEGER NOT NULL,"
    " indexed INTEGER NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL)",
    "INSERT INTO state VALUES (1, randomblob(8), 0, 0, 0, 0)",
    # A key is 32 bytes and stands in every list's index: a number stands for it there.
    "CREATE TABLE authors (n INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, items INTEGER NOT NULL DEFAULT 0,"
    " bytes INTEGER NOT NULL DEFAULT 0)",
    # Who holds how much, always to hand: core.quota.Share.weight.
    "CREATE INDEX authors_weight ON authors (max(items * 262144, bytes * 10))",
    "CREATE TABLE items (n INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, key BLOB NOT NULL, author INTEGER NOT NULL,"
    " kind TEXT NOT NULL, sent INTEGER NOT NULL, expires INTEGER, size INTEGER NOT NULL, stream BLOB, seq INTEGER,"
    " org BLOB, msg_type TEXT, drill INTEGER NOT NULL, urgency TEXT, severity TEXT, alias BLOB, targets BLOB NOT NULL,"
    " pressing INTEGER NOT NULL, received INTEGER NOT NULL, digest BLOB NOT NULL, checksum INTEGER NOT NULL)",
    # Apart from the headers: lists then read 250 bytes a row, and two envelopes of 2 kB share a page.
    "CREATE TABLE envelopes (n INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE targets (token BLOB NOT NULL, item INTEGER NOT NULL)",
    # The items that a held item acts on, so that no list looks them up among the targets, which anybody can make many.
    "CREATE TABLE ended (n INTEGER PRIMARY KEY)",
    # What an Update or Cancel acted on that had to make room: its author's items of these names do not come back.
    "CREATE TABLE let_go (author BLOB NOT NULL, token BLOB NOT NULL, until INTEGER NOT NULL, UNIQUE (author, token))",
    "CREATE TABLE removals (n INTEGER PRIMARY KEY, key BLOB NOT NULL, id BLOB NOT NULL)",
    "CREATE INDEX items_key ON items (key)",
    "CREATE INDEX items_author ON items (author, stream, seq)",
    "CREATE INDEX items_sent ON items (author, sent) WHERE kind = 'bulletin'",
    "CREATE INDEX items_expires ON items (expires) WHERE msg_type = 'Alert'",
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
    "CREATE TRIGGER items_come AFTER INSERT ON items BEGIN"
    " UPDATE authors SET items = items + 1, bytes = bytes + new.size WHERE n = new.author;"
    " UPDATE state SET items = items + 1, bytes = bytes + new.size; END",
    "CREATE TRIGGER items_go AFTER DELETE ON items BEGIN"
    " UPDATE authors SET items = items - 1, bytes = bytes - old.size WHERE n = old.author;"
    " UPDATE state SET items = items - 1, bytes = bytes - old.size; END",
)


def bring_up(db: sqlite_utils.Database) -> None:
    """Take the steps that the items' database has not taken yet.

    Raises StoreUnusable when it is ahead of this version, StoreDamaged when its tables are not what the steps lead to.
    """
    pattern = take(items, db, what="the store")
    # A flipped bit in the text of a table's definition changes what every row of it means.
    if not _definitions(pattern) <= _definitions(db):
        raise StoreDamaged("the store is damaged: its tables are not what they were", hint=DAMAGED_HINT)


def take(steps: Migrations, db: sqlite_utils.Database, *, what: str) -> sqlite_utils.Database:
    """Take the steps that a database has not taken yet; return an empty one, in memory, of the form they lead to.

    Raises StoreUnusable when it is ahead of this version, StoreDamaged when it is what no version was; `what` is how
    people call it.
    """
    pattern = sqlite_utils.Database(memory=True, execute_plugins=False)
    steps.apply(pattern)
    known = {step.name for step in steps.applied(pattern)}
    try:
        taken = _taken(steps, db)
        if taken > known:
            raise StoreUnusable(f"{what} was made by a newer version of meshrelay", hint="use that version")
        if not taken <= known:
            raise StoreDamaged(f"{what} is damaged: its history is not what it was", hint=DAMAGED_HINT)
        if taken < known:
            steps.apply(db)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
            raise
        # The statements are right, so it is the tables that are not what they were.
        raise StoreDamaged(f"{what} is damaged: {error}", hint=DAMAGED_HINT) from error
    return pattern


def _taken(steps: Migrations, db: sqlite_utils.Database) -> set[str]:
    # Asked in plain SQL, whose errors have a name: on a damaged file the library's own question raises KeyError.
    if not db.conn.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (steps.migrations_table,)).fetchone():
        return set()
    asked = f"SELECT name FROM {steps.migrations_table} WHERE migration_set = ?"  # noqa: S608
    return {row[0] for row in db.conn.execute(asked, (steps.name,))}


def _definitions(db: sqlite_utils.Database) -> set[tuple[str, str]]:
    found = db.conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    # The tables beneath the search indexes are SQLite's own and may differ from one version of it to the next.
    return {(name, sql) for name, sql in found if not str(name).startswith(("words_", "runs_", "_sqlite"))}
