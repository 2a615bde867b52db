"""What changes the items' tables: functions of a connection, inside a transaction that the caller has begun.

Rows never change what they say of an item: they come, go, are marked as ended, and leave the pool that those who are
not known share. Not here: connections, errors in words, and everything that only reads (store.py).
"""

# What stands in the text of a statement here is a constant of this module or a row of question marks:
# ruff: noqa: S608

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from meshrelay import database, fulltext
from meshrelay.core.bulletin import ACTS_FOR, MAX_LIVE
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.quota import Link, Share
from meshrelay.core.statements import signers_of
from meshrelay.rows import AT, ID_SIZE, INSERT, SELECT, chunks, held_of, is_whole, marks, row_of

REMEMBERED = 100_000
"""A change cursor holds for this many arrivals and removals; whoever is further behind reloads."""
_LET_GO = 100_000  # names of what does not come back; the oldest are forgotten first
_FEW = 2_000  # rows that are cheaper to sort than a long index is to walk

# What acts on the items of `held`. By author, for anybody can name an item as often as keys can be made.
_BY_THE_SAME = """JOIN targets t ON t.token IN (held.id, held.alias) AND t.author = held.author
        JOIN items act ON act.n = t.item WHERE act.msg_type IN ('Update', 'Cancel')"""
_BY_COLLEAGUES = """JOIN targets t ON t.token IN (held.id, held.alias) AND t.author IN ({colleagues})
        JOIN items act ON act.n = t.item WHERE act.msg_type IN ('Update', 'Cancel') AND act.org = held.org"""
_FIRST_BY_THE_SAME = """SELECT (SELECT act.n FROM targets t JOIN items act ON act.n = t.item
        WHERE t.token IN (held.id, held.alias) AND t.author = held.author AND act.msg_type IN ('Update', 'Cancel')
        AND act.sent BETWEEN ? AND ? LIMIT 1)
    FROM items held WHERE held.id IN ({marks}) AND held.n IN (SELECT n FROM ended)"""
ACTED_ON = "i.n IN (SELECT n FROM ended)"
# Of these rows, those that a held item acts on directly; authors as in acting_on. Anybody can name a token, or be named
# by one, as often as keys can be made: in which organisations' names it is named is looked up once a token.
_NOW_ENDED = """INSERT INTO ended (n)
    WITH held AS MATERIALIZED (SELECT n, id, alias, author, org FROM items WHERE n IN (SELECT value FROM json_each(?))),
    tokens AS (SELECT id AS token FROM held WHERE org IS NOT NULL
        UNION SELECT alias FROM held WHERE org IS NOT NULL AND alias IS NOT NULL),
    named AS MATERIALIZED (SELECT DISTINCT t.token, act.org FROM tokens CROSS JOIN targets t USING (token)
        CROSS JOIN items act ON act.n = t.item WHERE act.org IS NOT NULL AND act.msg_type IS NOT NULL)
    SELECT held.n FROM held WHERE EXISTS (SELECT 1 FROM targets t CROSS JOIN items act ON act.n = t.item
        WHERE t.token IN (held.id, held.alias) AND t.author = held.author AND act.msg_type IS NOT NULL)
    OR (held.id, held.org) IN (SELECT token, org FROM named)
    OR (held.alias, held.org) IN (SELECT token, org FROM named)"""
# Numbers of streams that one of these rows shares with another.
_FORKS = """INSERT OR IGNORE INTO forked (author, stream, seq)
    SELECT i.author, i.stream, i.seq FROM items i JOIN items other INDEXED BY items_author
    ON other.author = i.author AND other.stream = i.stream AND other.seq = i.seq AND other.n <> i.n
    WHERE i.n IN ({marks}) AND i.seq IS NOT NULL"""


def acting(ids: Sequence[bytes], colleagues: Sequence[int]) -> str:
    """Return the condition for what acts on these items and on what acts on them; its arguments: ids, then keys."""
    ways = [_BY_THE_SAME, *([_BY_COLLEAGUES.format(colleagues=marks(colleagues))] if colleagues else [])]
    acts = " UNION ".join([f"SELECT act.n, 1 FROM reach JOIN items held USING (n) {way}" for way in ways])
    reach = f"SELECT n, 0 FROM items WHERE id IN ({marks(ids)}) UNION {acts}"
    return f"WHERE i.n IN (WITH RECURSIVE reach (n, acts) AS ({reach}) SELECT n FROM reach WHERE acts)"


def first_acting(ids: Sequence[bytes]) -> str:
    """Return the condition for one act of its author on each of these items; its arguments: two times, then ids."""
    return f"WHERE i.n IN ({_FIRST_BY_THE_SAME.format(marks=marks(ids))})"


def put(
    db: sqlite3.Connection, items: Sequence[SignedItem], *, received: int, pooled: Collection[bytes], link: Link
) -> list[SignedItem]:
    """Insert those of these items that are not held yet, and return them; `received` in unix seconds.

    Those `pooled` share the pool of those who are not known, and came by `link`.
    """
    known = f"SELECT id FROM items WHERE id IN ({marks(items)})"
    seen = {row[0] for row in db.execute(known, [item.id for item in items])}
    fresh: list[SignedItem] = []
    for item in items:
        if item.id not in seen:
            seen.add(item.id)
            fresh.append(item)
    if not fresh:
        return []
    authors = numbered_authors(db, {item.author for item in fresh})
    _, sequence = state(db)
    numbered = list(enumerate(fresh, start=sequence + 1))
    if any(item.id in pooled for item in fresh):
        open_link(db, link)
    rows = [(n, row_of(item, received=received)) for n, item in numbered]
    db.executemany(
        INSERT,
        [(n, row[0], row[1], authors[row[2]], *row[3:], link.number if row[0] in pooled else None) for n, row in rows],
    )
    db.executemany("INSERT INTO envelopes (n, data) VALUES (?, ?)", [(n, item.data) for n, item in numbered])
    db.execute(_FORKS.format(marks=marks(numbered)), [n for n, _ in numbered])
    db.executemany(
        "INSERT OR IGNORE INTO targets (token, item, author) VALUES (?, ?, ?)",
        [(token, n, authors[item.author]) for n, item in numbered for token in item.header.targets],
    )
    db.executemany(
        "INSERT INTO signers (key, item) VALUES (?, ?)",
        [(one.key, n) for n, item in numbered for one in signers_of(item.body) if one.key != item.author],
    )
    mark_ended(db, [n for n, _ in numbered])
    acts = [item.header for _, item in numbered if item.header.msg_type is not None]
    ended = _acted_on(db, ((authors[act.author], act.org, act.targets) for act in acts))
    db.executemany("INSERT OR IGNORE INTO ended (n) VALUES (?)", [(n,) for n in ended])
    db.execute("UPDATE state SET sequence = ?", (numbered[-1][0],))
    return fresh


def _acted_on(db: sqlite3.Connection, acts: Iterable[tuple[int, bytes | None, Iterable[bytes]]]) -> set[int]:
    """Return the rows that these acts end: the number of each act's author, its organisation, what it names.

    Each token is looked up once, however many acts name it.
    """
    naming: dict[bytes, set[int | bytes]] = {}
    for author, org, tokens in acts:
        for token in tokens:
            naming.setdefault(token, set()).update([author] if org is None else [author, org])
    found = set[int]()
    for token, by in naming.items():
        for column in ("id", "alias"):
            rows = db.execute(f"SELECT n, author, org FROM items WHERE {column} = ?", (token,))
            found.update(n for n, author, org in rows if author in by or org in by)
    return found


def mark_ended(db: sqlite3.Connection, numbers: Collection[int]) -> None:
    """Note anew which of these rows a held item acts on."""
    rows = json.dumps([*numbers])
    db.execute("DELETE FROM ended WHERE n IN (SELECT value FROM json_each(?))", (rows,))
    db.execute(_NOW_ENDED, (rows,))


def let_go(db: sqlite3.Connection, headers: Sequence[Header], *, coming: Sequence[Header] = ()) -> int:
    """Remove items, and with an act what it acts on; they do not come back before their time. Return how many went.

    What acts among those `coming` end, which an act before them ended, goes as well.
    """
    gone = {header.id: header for header in headers}
    names: dict[tuple[bytes, bytes], int] = {}
    acts = [header for header in headers if header.acts]
    while acts:
        act = acts.pop()
        names |= {(act.author, token): act.sent + ACTS_FOR for token in act.targets}
        beside = [one for one in coming if one.author == act.author and {one.id, one.alias} & {*act.targets}]
        for header in (*_own_of(db, act), *beside):
            if header.id not in gone:
                gone[header.id] = header
                acts += [header] if header.acts else []
    removed = 0
    for batch in chunks(gone):
        removed += remove(db, batch)
    decline(db, names)
    return removed


def _own_of(db: sqlite3.Connection, act: Header) -> list[Header]:
    """Return what an act names of its own author's items, by id or by alias."""
    found: list[Header] = []
    for batch in chunks(act.targets):
        for column in ("id", "alias"):
            rows = db.execute(f"{SELECT} WHERE a.key = ? AND i.{column} IN ({marks(batch)})", (act.author, *batch))
            found += [one.header for one in map(held_of, rows) if one is not None]
    return found


def decline(db: sqlite3.Connection, names: Mapping[tuple[bytes, bytes], int]) -> None:
    """Note, by author and id or alias, what does not come back until then."""
    db.executemany(
        "INSERT INTO let_go (author, token, until) VALUES (?, ?, ?)"
        " ON CONFLICT (author, token) DO UPDATE SET until = excluded.until WHERE excluded.until > until",
        [(*name, until) for name, until in names.items()],
    )
    if names:
        db.execute(f"DELETE FROM let_go WHERE rowid <= (SELECT max(rowid) FROM let_go) - {_LET_GO}")


def open_link(db: sqlite3.Connection, link: Link) -> None:
    """Make sure that a link is written down before anything is counted by it."""
    db.execute("INSERT OR IGNORE INTO links (n, way) VALUES (?, ?)", (link.number, link.way.value))


def take_out_of_pool(db: sqlite3.Connection, which: str, arguments: Sequence[object], *, limit: int) -> int:
    """Let up to `limit` rows leave the pool and return how many; `which` is a statement from its FROM on."""
    rows = db.execute(f"SELECT i.n FROM {which} LIMIT ?", (*arguments, max(0, limit))).fetchall()
    db.executemany("UPDATE items SET link = NULL WHERE n = ?", rows)
    return len(rows)


def recount(db: sqlite3.Connection) -> bool:
    """Count anew what each key holds: damage may have changed that too. Tell whether it has moved items in the pool."""
    db.execute(
        "UPDATE authors SET items = found.items, bytes = found.bytes FROM (SELECT author, count(*) AS items,"
        " sum(size) AS bytes FROM items GROUP BY author) found"
        " WHERE found.author = n AND (found.items, found.bytes) <> (authors.items, authors.bytes)"
    )
    db.execute(
        "UPDATE state SET items = found.items, bytes = found.bytes"
        " FROM (SELECT count(*) AS items, ifnull(sum(size), 0) AS bytes FROM items) found"
    )
    parts = "SELECT link, author, count(*), sum(size) FROM items WHERE link IS NOT NULL GROUP BY link, author"
    counted = "SELECT link, author, items, bytes FROM parts"
    moved = db.execute(
        f"SELECT 1 FROM ({parts} EXCEPT {counted}) UNION SELECT 1 FROM ({counted} EXCEPT {parts})"
        " UNION SELECT 1 FROM parts WHERE link NOT IN (SELECT n FROM links)"
    ).fetchone()
    if moved:
        # A number that damage made belongs to nobody, and is nobody's part.
        db.execute("UPDATE items SET link = NULL WHERE link IS NOT NULL AND link NOT IN (SELECT n FROM links)")
        db.execute("DELETE FROM parts")
        db.execute(f"INSERT INTO parts (link, author, items, bytes) {parts}")
    db.execute(
        "UPDATE links SET items = found.items, bytes = found.bytes FROM (SELECT l.n, ifnull(sum(p.items), 0) AS items,"
        " ifnull(sum(p.bytes), 0) AS bytes FROM links l LEFT JOIN parts p ON p.link = l.n GROUP BY l.n) found"
        " WHERE found.n = links.n AND (found.items, found.bytes) <> (links.items, links.bytes)"
    )
    db.execute("DELETE FROM links WHERE items <= 0")
    return moved is not None


def remove(db: sqlite3.Connection, ids: Sequence[bytes], *, wanted: bool = False) -> int:
    """Remove items; those that are still `wanted`, for they were damaged, leave no memory of their numbers."""
    if not wanted:
        _remember_gone(db, ids)
    rows = db.execute(
        "SELECT n, id, key, author, ifnull(CAST(targets AS BLOB), x''), org, msg_type FROM items"
        f" WHERE id IN ({marks(ids)}) ORDER BY n",
        ids,
    ).fetchall()
    if not rows:
        return 0
    _, sequence = state(db)
    numbers = [row[0] for row in rows]
    fulltext.unindex(db, numbers)
    for table in ("items", "envelopes"):
        db.execute(f"DELETE FROM {table} WHERE n IN ({marks(numbers)})", numbers)
    named = {row[0]: [row[4][at : at + ID_SIZE] for at in range(0, len(row[4]), ID_SIZE)] for row in rows}
    db.executemany(
        "DELETE FROM targets WHERE token = ? AND item = ?",
        [(token, n) for n, tokens in named.items() for token in tokens],
    )
    db.execute(f"DELETE FROM signers WHERE item IN ({marks(numbers)})", numbers)
    db.execute(f"DELETE FROM ended WHERE n IN ({marks(numbers)})", numbers)
    mark_ended(db, _acted_on(db, ((row[3], row[5], named[row[0]]) for row in rows if row[6] is not None)))
    authors = [(author,) for author in {row[3] for row in rows}]
    db.executemany("DELETE FROM authors WHERE n = ?1 AND NOT EXISTS (SELECT 1 FROM items WHERE author = ?1)", authors)
    db.executemany("DELETE FROM gone WHERE author = ?1 AND NOT EXISTS (SELECT 1 FROM authors WHERE n = ?1)", authors)
    db.executemany(
        "INSERT INTO removals (n, key, id) VALUES (?, ?, ?)",
        [(n, key, item) for n, (_, item, key, *_) in enumerate(rows, start=sequence + 1)],
    )
    sequence += len(rows)
    db.execute("DELETE FROM removals WHERE n < ?", (sequence - REMEMBERED,))
    db.execute("UPDATE state SET sequence = ?", (sequence,))
    return len(rows)


def _remember_gone(db: sqlite3.Connection, ids: Sequence[bytes]) -> None:
    """Remember the numbers of these items, of each author the last so many that a bulletin can list as live."""
    place = f"FROM items WHERE id IN ({marks(ids)}) AND seq IS NOT NULL"
    authors = db.execute(f"SELECT DISTINCT author {place}", ids).fetchall()
    db.execute(f"INSERT OR REPLACE INTO gone (author, stream, seq) SELECT author, stream, seq {place}", ids)
    db.executemany(
        f"DELETE FROM gone WHERE author = ?1 AND n <= (SELECT n FROM gone WHERE author = ?1"
        f" ORDER BY n DESC LIMIT 1 OFFSET {MAX_LIVE})",
        authors,
    )


def share(items: object, size: object) -> Share:
    """Return a share as counted; damage changes types as well, and is counted anew at the end of scrubbing."""
    if isinstance(items, int) and isinstance(size, int) and items >= 0 and size >= 0:
        return Share(items, size)
    return Share()


def clear_away(db: sqlite3.Connection, numbers: Sequence[int]) -> bool:
    """Delete what is damaged among these rows; what is sound was reached through a damaged index.

    Tell whether the damage has moved items in the pool.
    """
    rows = db.execute(f"{SELECT} WHERE i.n IN ({marks(numbers)})", numbers).fetchall()
    held = {row[0]: one for row in rows if (one := held_of(row)) is not None}
    datas = dict(db.execute(f"SELECT n, data FROM envelopes WHERE n IN ({marks(numbers)})", numbers))
    digests = {row[0]: row[AT["digest"]] for row in rows}
    hollow = [n for n, one in held.items() if not is_whole(one.header.id, digests[n], datas.get(n))]
    ids = [held[n].header.id for n in hollow]
    if len(hollow) == len(numbers) and remove(db, ids, wanted=True) == len(ids):
        return False
    # The indexes hold what a row said before it was damaged; deleting it would find them wrong.
    db.execute("REINDEX items")
    lost = [*hollow, *(n for n in numbers if n not in held)]
    fulltext.unindex(db, lost)
    for table, number in (("items", "n"), ("envelopes", "n"), ("ended", "n"), ("targets", "item"), ("signers", "item")):
        db.execute(f"DELETE FROM {table} WHERE {number} IN ({marks(lost)})", lost)
    # Nobody can be told which key is gone: every cursor ends, and all reload.
    db.execute("UPDATE state SET epoch = randomblob(8), sequence = sequence + 1")
    return recount(db)


def numbered_authors(db: sqlite3.Connection, keys: Collection[bytes]) -> dict[bytes, int]:
    """Return the numbers of these keys, giving one to each that has none; raises StoreDamaged."""
    db.executemany("INSERT OR IGNORE INTO authors (key) VALUES (?)", [(key,) for key in keys])
    numbers = dict(db.execute(f"SELECT key, n FROM authors WHERE key IN ({marks(keys)})", tuple(keys)))
    if not numbers.keys() >= set(keys):
        raise database.damaged("an author cannot be found again")
    return numbers


def author_numbers(db: sqlite3.Connection, keys: Collection[bytes]) -> list[int]:
    """Return the numbers of those of these keys that have any."""
    return [row[0] for row in db.execute(f"SELECT n FROM authors WHERE key IN ({marks(keys)})", tuple(keys))]


def are_few(db: sqlite3.Connection, authors: Sequence[int]) -> bool:
    """Tell whether these authors have so few items that sorting them is cheaper than walking an index."""
    counted = f"SELECT 1 FROM items WHERE author IN ({marks(authors)}) LIMIT {_FEW}"
    return bool(db.execute(f"SELECT count(*) < {_FEW} FROM ({counted})", authors).fetchone()[0])


def state(db: sqlite3.Connection) -> tuple[bytes, int]:
    """Return the epoch and the count of changes; raises StoreDamaged."""
    for epoch, sequence in db.execute("SELECT epoch, sequence FROM state"):
        if isinstance(epoch, bytes) and isinstance(sequence, int):
            return epoch, sequence
    raise database.damaged("its count of changes cannot be read")


def indexed(db: sqlite3.Connection) -> int:
    """Return the number up to which rows are in the search index; raises StoreDamaged."""
    for (indexed,) in db.execute("SELECT indexed FROM state"):
        if isinstance(indexed, int):
            return indexed
    raise database.damaged("its place in the search index cannot be read")
