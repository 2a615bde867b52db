"""What is SQLite's own: the file, its limits, its damage, and processes that die while they write."""

from __future__ import annotations

import itertools
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from meshrelay import migrations
from meshrelay.core.bulletin import MsgType
from meshrelay.core.envelope import KEY_SIZE, SignedItem
from meshrelay.errors import StoreFull, StoreUnusable
from meshrelay.store import BYTES_AT_ONCE, Store
from meshrelay.tables import REMEMBERED
from tests.organising import Org
from tests.store.making import NOON, Author, unsigned_items


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "items.db"


def _sql(path: Path, statement: str, *arguments: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db, db:
        return db.execute(statement, arguments).fetchall()


# The file


def test_a_new_file_is_private_and_can_shrink(path: Path) -> None:
    store = Store.open(path)
    store.put_many([Author(1).says()], received=NOON)
    assert {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {
        name: 0o600 for name in ("items.db", "items.db-wal", "items.db-shm", "items.db.lock")
    }
    store.close()
    assert _sql(path, "PRAGMA auto_vacuum") == [(2,)]
    assert _sql(path, "PRAGMA journal_mode") == [("wal",)]
    assert _sql(path, "PRAGMA page_size") == [(migrations.PAGE_SIZE,)]
    assert _sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_the_writing_connection_waits_for_the_disk(path: Path) -> None:
    with closing(Store.open(path)) as store:
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._writer.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Store.open(path).close()
    _sql(path, "INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('meshrelay-items', '_later')")
    with pytest.raises(StoreUnusable, match="newer"):
        Store.open(path)


def test_a_file_whose_tables_mean_something_else_is_left_alone(path: Path) -> None:
    Store.open(path).close()
    path.write_bytes(path.read_bytes().replace(b"items (n INTEGER PRIMARY", b"items (n INTEGES PRIMARY"))
    with pytest.raises(StoreUnusable, match="damaged"):
        Store.open(path)


def test_a_file_of_an_earlier_version_tells_who_signed_together(path: Path) -> None:
    org = Org()
    with closing(Store.open(path)) as store:
        store.put_many([*org.roots, org.delegates(Author(1).public), Author(1).says()], received=NOON)
        found = {one.public: set(store.statements([one.public])) for one in org.keys}
    assert all(found.values())
    _sql(path, "DROP TABLE signers")
    _sql(path, "DELETE FROM _sqlite_migrations WHERE name = '_signers'")
    with closing(Store.open(path)) as store:
        assert {one.public: set(store.statements([one.public])) for one in org.keys} == found


def test_who_signed_together_is_forgotten_with_the_statement(path: Path) -> None:
    org = Org()
    with closing(Store.open(path)) as store:
        store.put_many(org.roots, received=NOON)
        assert all(store.statements([one.public]) == (org.roots[0].data,) for one in org.keys)
        store.remove([org.id])
        assert store.statements([one.public for one in org.keys]) == ()
    assert _sql(path, "SELECT * FROM signers") == []


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"some other file" * 1000)
    with pytest.raises(StoreUnusable) as caught:
        Store.open(path)
    assert caught.value.hint
    assert path.read_bytes() == b"some other file" * 1000


def test_a_cursor_too_far_behind_asks_for_a_reload(path: Path) -> None:
    with closing(Store.open(path)) as store:
        _, cursor = store.keys()
        item = Author(1).says()
        store.put_many([item], received=NOON)
        store.remove([item.id])
        _sql(path, "UPDATE state SET sequence = ?", REMEMBERED)
        assert not store.changes(cursor).reset
        _sql(path, "UPDATE state SET sequence = ?", REMEMBERED + 1)
        assert store.changes(cursor).reset
        # What no cursor can ask for any more is forgotten.
        _sql(path, "UPDATE state SET sequence = ?", REMEMBERED + 10)
        store.put_many([item], received=NOON)
        store.remove([item.id])
        assert _sql(path, "SELECT count(*) FROM removals") == [(1,)]


def test_a_copy_is_whole_and_private_and_knows_no_cursor_of_the_first(path: Path) -> None:
    items = unsigned_items(300, seed=1, size=300)
    with closing(Store.open(path)) as store:
        store.put_many(items, received=NOON)
        keys, cursor = store.keys()
        target = path.with_name("copy.db")
        store.copy_to(target)
        assert target.stat().st_mode & 0o777 == 0o600
        with pytest.raises(FileExistsError):
            store.copy_to(target)
        with closing(Store.open(target)) as copy:
            assert copy.keys()[0] == keys
            assert copy.changes(cursor).reset
            assert copy.get_many([items[7].id]) == {items[7].id: items[7].data}
        assert not store.changes(cursor).reset


def test_removed_authors_and_targets_leave_nothing_behind(path: Path) -> None:
    author = Author(1)
    first = author.says("Bridge 洪水")
    update = author.says(acts_on=[first.id, bytes(32)])
    with closing(Store.open(path)) as store:
        store.put_many([first, update], received=NOON)
        store.index_backlog(10)
        store.remove([update.id])
        assert _sql(path, "SELECT count(*) FROM authors") == [(1,)]
        store.remove([first.id])
    for table in ("authors", "items", "envelopes", "targets", "texts"):
        assert _sql(path, f"SELECT count(*) FROM {table}") == [(0,)], table
    assert _sql(path, "SELECT rowid FROM words WHERE words MATCH 'bridge'") == []
    assert _sql(path, "SELECT rowid FROM runs WHERE runs MATCH '\"洪水\n\"'") == []


@pytest.mark.parametrize(
    ("order", "extra", "index"),
    [
        ("pressing ASC, n ASC", "(pressing, n) > (1, 1)", "items_pressing"),
        ("sent DESC, n DESC", "(sent, n) < (1, 1)", "items_newest"),
    ],
)
def test_lists_are_read_off_an_index_without_sorting(path: Path, order: str, extra: str, index: str) -> None:
    Store.open(path).close()
    plan = _sql(
        path,
        f"EXPLAIN QUERY PLAN SELECT * FROM items INDEXED BY {index} WHERE kind = 'bulletin' AND expires > 5"
        f" AND author NOT IN (1, 2) AND {extra} ORDER BY {order} LIMIT 50",
    )
    steps = [str(step[3]) for step in plan]
    assert any(step.startswith(f"SEARCH items USING INDEX {index}") for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps)


# Full


def _naming_one_message(count: int) -> tuple[list[SignedItem], list[SignedItem]]:
    """Return Alerts made of one CAP message, and Cancels that name it, each of its own key, in one name."""
    made = unsigned_items(2 * count, seed=count, authors=2 * count, size=10)
    alerts, cancels = list[SignedItem](), list[SignedItem]()
    for number, item in enumerate(made):
        header = replace(item.header, org=bytes(32), author=number.to_bytes(32, "big"))
        if number % 2:
            cancels.append(replace(item, header=replace(header, msg_type=MsgType.CANCEL, targets=(b"t" * 32,))))
        else:
            alerts.append(replace(item, header=replace(header, alias=b"t" * 32)))
    return alerts, cancels


def _effort(store: Store, do: Callable[[], object]) -> int:
    """Return how much SQLite does for it, in thousands of its steps, in the transactions that write."""
    steps = itertools.count()
    store._writer.set_progress_handler(lambda: next(steps) < 0, 1_000)
    do()
    store._writer.set_progress_handler(None, 0)
    return next(steps)


@pytest.mark.parametrize("first", ["alerts", "cancels"])
def test_what_many_strangers_name_costs_little_more_when_they_are_more(path: Path, first: str) -> None:
    efforts = list[tuple[int, int]]()
    for count in (100, 1000):
        alerts, cancels = _naming_one_message(count)
        before, after = (alerts, cancels) if first == "alerts" else (cancels, alerts)
        with closing(Store.open(path.with_name(f"{count}.db"))) as store:
            store.put_many(before, received=NOON)
            putting = _effort(store, partial(store.put_many, after[:100], received=NOON))
            store.put_many(after[100:], received=NOON)
            removing = _effort(store, partial(store.remove, [item.id for item in cancels[:50]]))
            efforts.append((putting, removing))
            assert len(store.page(order="newest", limit=2 * count, acted_on=True).rows) == count
            store.remove([item.id for item in cancels])
            assert store.page(order="newest", limit=2 * count, acted_on=True).rows == ()
    (put_few, remove_few), (put_many, remove_many) = efforts
    # Ten times as many items of both sorts: a hundred times as many pairs.
    assert put_many < 15 * put_few
    assert remove_many < 15 * remove_few


def _fill(store: Store, items: list[SignedItem]) -> Iterator[bytes]:
    for at in range(0, len(items), 50):
        try:
            yield from store.put_many(items[at : at + 50], received=NOON)
        except StoreFull:
            return


def test_a_full_store_refuses_and_keeps_what_it_has(path: Path) -> None:
    items = unsigned_items(2000, seed=1)
    with closing(Store.open(path, max_bytes=1_500_000)) as store:
        stored = list(_fill(store, items))
        assert 100 < len(stored) < 700
        with pytest.raises(StoreFull) as caught:
            store.put_many(items[len(stored) : len(stored) + 50], received=NOON)
        assert caught.value.hint
        assert set(store.get_many(item.id for item in items)) == set(stored)
        assert store.usage().bytes <= 1_500_000
        assert store.page(order="urgent", limit=5).rows
        store.remove(stored[:100])
        assert len(store.put_many(items[-50:], received=NOON)) == 50
    assert _sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_without_a_word_a_store_takes_a_tenth_of_the_disk_and_no_more_than_2_gb(path: Path) -> None:
    with closing(Store.open(path)) as store:
        (pages,) = store._writer.execute("PRAGMA max_page_count").fetchone()
    assert pages * migrations.PAGE_SIZE <= min(2 << 30, shutil.disk_usage(path).total // 10)
    assert (pages + 1) * migrations.PAGE_SIZE > min(2 << 30, shutil.disk_usage(path).total // 10)


def test_of_a_long_sequence_each_stored_item_is_whole(path: Path) -> None:
    items = unsigned_items(1000, seed=1)
    with closing(Store.open(path, max_bytes=1_500_000)) as store:
        _, cursor = store.keys()
        with pytest.raises(StoreFull):
            store.put_many(items, received=NOON)
        held = store.get_many(item.id for item in items)
        assert held == {item.id: item.data for item in items if item.id in held}
        assert {change.id for change in store.changes(cursor).rows} == set(held)


def test_a_large_batch_is_cut_by_bytes_too(path: Path) -> None:
    items = unsigned_items(60, seed=1, size=60_000)
    with closing(Store.open(path)) as store:
        commits: list[str] = []
        store._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
        store.put_many(items, received=NOON)
    assert len(commits) == -(-60 // (BYTES_AT_ONCE // 60_000))


def _run(program: str, *arguments: object, limit: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(__file__).parent.parent,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


FILL = """
import sys
from pathlib import Path
from meshrelay.errors import StoreFull
from meshrelay.store import Store
from tests.store.making import NOON, unsigned_items

items = unsigned_items(3000, seed=1)
store = Store.open(Path(sys.argv[1]), max_bytes=1 << 30)
try:
    for at in range(0, len(items), 50):
        for item in store.put_many(items[at : at + 50], received=NOON):
            print(item.hex())
except StoreFull as error:
    print("full:", error)
    assert store.page(order="urgent", limit=5).rows
"""


def test_a_disk_that_takes_no_more_is_a_full_store(path: Path) -> None:
    """A limit on file sizes fails the write itself, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    done = _run(FILL, path, limit=limit)
    *stored, last = done.stdout.split("\n")[:-1]
    assert last.startswith("full:"), done.stderr
    with closing(Store.open(path)) as store:
        assert {item.hex() for item in store.get_many(map(bytes.fromhex, stored))} == set(stored)
    assert _sql(path, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.netns
def test_a_full_file_system_is_a_full_store(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    try:
        done = _run(FILL, small / "items.db")
        *stored, last = done.stdout.split("\n")[:-1]
        assert last.startswith("full:"), done.stderr
        shutil.copy(small / "items.db", tmp_path)
        if (small / "items.db-wal").exists():
            shutil.copy(small / "items.db-wal", tmp_path)
    finally:
        subprocess.run(["umount", small], check=True)
    with closing(Store.open(tmp_path / "items.db")) as store:
        assert {item.hex() for item in store.get_many(map(bytes.fromhex, stored))} == set(stored)


# Damage


def test_a_damaged_envelope_leaves_the_store_and_the_feed_says_so(path: Path) -> None:
    author = Author(1)
    items = [author.says(f"Bridge {number}") for number in range(3)]
    with closing(Store.open(path)) as store:
        store.put_many(items, received=NOON)
        store.index_backlog(10)
        _, cursor = store.keys()
        bad = bytearray(items[1].data)
        bad[100] ^= 1
        _sql(path, "UPDATE envelopes SET data = ? WHERE n = 2", bytes(bad))
        assert set(store.get_many(item.id for item in items)) == {items[0].id, items[2].id}
        assert store.headers([items[1].id]) == {}
        (change,) = store.changes(cursor).rows
        assert (change.id, change.key, change.gone) == (items[1].id, items[1].key, True)
        assert items[1].id not in store.search("bridge", limit=10)
        assert store.put_many([items[1]], received=NOON) == (items[1].id,)


def test_a_lost_envelope_is_damage_too(path: Path) -> None:
    item = Author(1).says()
    with closing(Store.open(path)) as store:
        store.put_many([item], received=NOON)
        _sql(path, "DELETE FROM envelopes")
        assert store.get_many([item.id]) == {}
        assert store.headers([item.id]) == {}


@pytest.mark.parametrize(
    "change",
    [
        "author = author + 1",
        "expires = expires + 1",
        "sent = sent + 1",
        "severity = 'Minor'",
        "severity = CAST(x'ff41' AS TEXT)",
        "kind = 'revocation'",
        "key = x'00'",
        "id = zeroblob(32)",
        "drill = 1",
        "targets = zeroblob(31)",
        "received = 0",
        "digest = zeroblob(32)",
        "checksum = checksum + 1",
        "msg_type = NULL",
    ],
)
def test_a_damaged_header_leaves_the_store_and_all_followers_reload(path: Path, change: str) -> None:
    one, other, third = Author(1), Author(2), Author(3)
    items = [one.says(), other.says(), third.says()]
    with closing(Store.open(path)) as store:
        store.put_many(items, received=NOON)
        _, cursor = store.keys()
        _sql(path, f"UPDATE items SET {change} WHERE n = 2")
        seen = {held.header.id for held in store.page(order="urgent", limit=10).rows}
        seen |= store.headers(item.id for item in items).keys()
        store.scrub()
        assert seen == {items[0].id, items[2].id}
        assert store.changes(cursor).reset
        keys, _ = store.keys()
        assert keys == b"".join(sorted((items[0].key, items[2].key)))
        assert store.put_many(items, received=NOON) == (items[1].id,)


def test_a_damaged_name_of_an_author_takes_their_items_along(path: Path) -> None:
    one, other = Author(1).says(), Author(2).says()
    with closing(Store.open(path)) as store:
        store.put_many([one, other], received=NOON)
        _sql(path, "UPDATE authors SET key = zeroblob(32) WHERE key = ?", one.author)
        assert [held.header for held in store.page(order="urgent", limit=10).rows] == [other.header]


def test_an_index_that_leads_to_another_row_is_made_anew(path: Path) -> None:
    author = Author(1)
    items = {item.id: item for item in (author.says(f"Bridge {number}", sent=NOON + number) for number in range(6))}
    with closing(Store.open(path)) as store:
        store.put_many(list(items.values()), received=NOON)
    one, other = list(items)[2:4]
    entry = b"\x03\x4c\x01%b%c"  # of the index by id: a blob of 32 bytes and the number of a row
    whole = path.read_bytes()
    swapped = whole.replace(entry % (one, 3), entry % (one, 4)).replace(entry % (other, 4), entry % (other, 3))
    assert swapped != whole
    path.write_bytes(swapped)
    with closing(Store.open(path)) as store:
        _, cursor = store.keys()
        assert set(store.get_many(items)) == items.keys() - {one, other}
        assert store.changes(cursor).reset
        assert store.get_many(items) == {item: items[item].data for item in items}
        assert store.usage().items == 6


@pytest.mark.parametrize("head", [b"\x03\x4c\x01", b"\x03\x3c\x01"], ids=["by id", "by key"])
def test_scrubbing_finds_an_item_that_an_index_has_lost(path: Path, head: bytes) -> None:
    items = unsigned_items(6, seed=1, size=50)
    with closing(Store.open(path)) as store:
        store.put_many(items, received=NOON)
    lost = items[3].id if head[1] == 0x4C else items[3].key
    whole = path.read_bytes()
    damaged = whole.replace(head + lost, head + bytes([lost[0] ^ 1]) + lost[1:])
    assert damaged != whole
    path.write_bytes(damaged)
    with closing(Store.open(path)) as store:
        _, cursor = store.keys()
        assert not store.get_many([items[3].id]) or not store.by_key([items[3].key])
        store.scrub()
        assert store.get_many([items[3].id])
        assert store.by_key([items[3].key])
        assert store.keys()[0] == b"".join(sorted(item.key for item in items))
        assert store.changes(cursor).reset


def test_scrubbing_finds_damage_that_nobody_reads(path: Path) -> None:
    items = unsigned_items(100, seed=1, size=200)
    with closing(Store.open(path)) as store:
        store.put_many(items, received=NOON)
        _sql(path, "UPDATE envelopes SET data = zeroblob(200) WHERE n % 10 = 0")
        places, after = 0, store.scrub(limit=30)
        while after is not None:
            places, after = places + 1, store.scrub(after=after, limit=30)
        assert places == 3
        assert len(store.keys()[0]) == 24 * 90


def test_bits_flipped_in_the_file_never_change_what_comes_out(path: Path) -> None:
    """Damage may cost items, or the whole file; it never shows as an item."""
    author = Author(1)
    items = {
        item.id: item for item in (author.says(f"Bridge {number} 洪水", sent=NOON + number) for number in range(60))
    }
    with closing(Store.open(path)) as store:
        store.put_many(list(items.values()), received=NOON)
        store.index_backlog(100)
        _, cursor = store.keys()
    keys = [item.key for item in items.values()]
    whole, dice, lost, unusable = path.read_bytes(), random.Random(3), 0, 0
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(dice.choice((1, 8, 64))):
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        try:
            with closing(Store.open(path)) as store:
                listed = [held.header for held in store.page(order="newest", limit=100).rows]
                assert all(items[header.id].header == header for header in listed)
                out = store.get_many(items)
                assert all(items[item].data == data for item, data in out.items())
                store.search("bridge", limit=100)
                store.search("洪水", limit=100)
                assert all(items[held.header.id].header == held.header for held in store.headers(items).values())
                assert all(items[header.id].key == key for key, header in store.by_key(keys).items())
                for shown in store.page(order="urgent", limit=7, authors=[author.public]).rows:
                    assert items[shown.header.id].header == shown.header
                assert all(items[act.header.id].header == act.header for act in store.acting_on(items))
                store.changes(cursor)
                store.statements([author.public])
                store.highest_seq(author.public, author.stream)
                store.find_prefix("a", limit=50)
                store.index_backlog(100)
                store.scrub()
                assert len(store.keys()[0]) % KEY_SIZE == 0
                assert store.usage().items >= 0
                lost += len(items) - len(out)
                store.put_many(list(items.values()), received=NOON)
                store.remove(items)
        except (StoreUnusable, StoreFull):  # a damaged count of pages makes a file look full
            unusable += 1
    assert lost > 0
    assert unusable < 40


# Processes that die

WRITE = """
import sys
from pathlib import Path
from meshrelay.store import Store
from tests.store.making import NOON, unsigned_items

store = Store.open(Path(sys.argv[1]))
items = unsigned_items(20_000, seed=int(sys.argv[2]), size=400)
for at in range(0, len(items), 40):
    new = store.put_many(items[at : at + 40], received=NOON)
    sys.stdout.write("".join(item.hex() + "\\n" for item in new))
    sys.stdout.flush()
    if at % 200 == 0:
        store.index_backlog(100)
        store.remove(item.id for item in items[at : at + 5])
"""


def _kill_while_writing(path: Path, *, round_: int, lines: int) -> set[bytes]:
    """Return the ids a child acknowledged before it was killed."""
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), str(round_)],
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    seen = [child.stdout.readline() for _ in range(lines)]
    os.kill(child.pid, signal.SIGKILL)
    rest, _ = child.communicate()
    whole = re.findall("^[0-9a-f]{64}$", "".join(seen) + rest, re.MULTILINE)
    return {bytes.fromhex(line) for line in whole}


MAKE_ANEW = """
import itertools, os, resource, signal, sys
from contextlib import suppress
from pathlib import Path
from meshrelay.errors import StoreFull
from meshrelay.store import Store
from tests.store.making import NOON, Author

author = Author(1)
items = [author.says(str(number)) for number in range(30)]


def make_anew(path, *, last, full):
    store = Store.open(path)
    store.put_many(items, received=NOON)
    if full:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    steps = itertools.count(1)

    def mortal(function):
        def called(*words, **named):
            if next(steps) == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*words, **named)

        return called

    for name in ("rename", "replace", "unlink", "fsync"):
        setattr(os, name, mortal(getattr(os, name)))
    with suppress(StoreFull):
        store.rebuild()
        assert not full
    os._exit(0)


for step in range(1, 100):
    if not (child := os.fork()):
        make_anew(Path(sys.argv[1]) / str(step) / "items.db", last=step, full=sys.argv[2] == "full")
    if (end := os.waitpid(child, 0)[1]) != signal.SIGKILL:
        sys.exit(end)
"""


@pytest.mark.parametrize("disk", ["roomy", "full"])
def test_nothing_is_lost_when_a_store_that_is_made_anew_is_killed_at_any_step(tmp_path: Path, disk: str) -> None:
    done = _run(MAKE_ANEW, tmp_path, disk)
    assert done.returncode == 0, done.stderr
    author = Author(1)
    ids = {author.says(str(number)).id for number in range(30)}
    folders = [*tmp_path.iterdir()]
    assert 10 < len(folders) < 99
    for folder in folders:
        with closing(Store.open(folder / "items.db")) as store:
            store.take_over()
            assert store.headers(ids).keys() == ids, f"killed before step {folder.name}"


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.full)])
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(path: Path, rounds: int) -> None:
    dice, acknowledged = random.Random(rounds), set[bytes]()
    with closing(Store.open(path)) as watcher:
        _, cursor = watcher.keys()
        followed: set[bytes] = set()
        for round_ in range(rounds):
            acknowledged |= _kill_while_writing(path, round_=round_, lines=dice.randrange(1, 900))
            while (changes := watcher.changes(cursor)).rows:
                for change in changes.rows:
                    (followed.discard if change.gone else followed.add)(change.key)
                cursor = changes.cursor
            with closing(Store.open(path)) as store:
                keys, _ = store.keys()
                assert keys == b"".join(sorted(followed))
                missing = acknowledged - store.get_many(acknowledged).keys()
                removed = {row[0] for row in _sql(path, "SELECT id FROM removals")}
                assert missing <= removed
                store.index_backlog(100_000)
        assert len(acknowledged) > rounds
    assert _sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_lock_that_another_process_keeps_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.database.BUSY_SECONDS", 0.05)
    with closing(Store.open(path)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnusable, match="another process"):
            store.put_many([Author(1).says()], received=NOON)
        assert store.page(order="urgent", limit=5).rows == ()
        other.execute("ROLLBACK")
        assert len(store.put_many([Author(1).says()], received=NOON)) == 1


OPEN = """
import sys
from pathlib import Path
from meshrelay.store import Store
from tests.store.making import NOON, Author

store = Store.open(Path(sys.argv[1]))
assert len(store.put_many([Author(int(sys.argv[2])).says()], received=NOON)) == 1
"""


def test_several_processes_may_make_the_file_at_once(path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(path), str(number)], cwd=Path(__file__).parent.parent)
        for number in range(3)
    ]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0]
    with closing(Store.open(path)) as store:
        assert store.usage().items == 3
    assert _sql(path, "PRAGMA auto_vacuum") == [(2,)]
