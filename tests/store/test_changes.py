"""The change feed: what the index, the pages and the neighbours live on."""

from __future__ import annotations

from meshrelay.store import Change, Store
from tests.store.conftest import Engine
from tests.store.making import NOON, Author, unsigned_items


def test_the_keys_are_sorted_in_one_buffer(store: Store) -> None:
    items = unsigned_items(500, seed=1, size=50)
    store.put_many([*items, Author(1).revokes_itself()], received=NOON)
    keys, cursor = store.keys()
    assert keys == b"".join(sorted([*(item.key for item in items), Author(1).revokes_itself().key]))
    assert store.changes(cursor).rows == ()
    assert store.keys() == (keys, cursor)


def test_an_empty_store_has_a_cursor_to_start_from(store: Store) -> None:
    keys, cursor = store.keys()
    assert keys == b""
    item = Author(1).says()
    store.put_many([item], received=NOON)
    changes = store.changes(cursor)
    assert changes.rows == (Change(item.key, item.id, gone=False),)
    assert not changes.reset
    assert store.changes(changes.cursor).rows == ()


def test_arrivals_and_removals_come_in_their_order(store: Store) -> None:
    _, cursor = store.keys()
    one, two, three = (Author(number).says() for number in range(3))
    store.put_many([one, two], received=NOON)
    cursor = store.changes(cursor).cursor
    store.put_many([three], received=NOON)
    store.remove([one.id])
    store.put_many([one], received=NOON)
    store.remove([two.id])
    assert store.changes(cursor).rows == (
        Change(three.key, three.id, gone=False),
        Change(one.key, one.id, gone=True),
        Change(one.key, one.id, gone=False),
        Change(two.key, two.id, gone=True),
    )


def test_what_came_and_went_in_between_is_told_as_gone(store: Store) -> None:
    _, cursor = store.keys()
    item = Author(1).says()
    store.put_many([item], received=NOON)
    store.remove([item.id])
    assert store.changes(cursor).rows == (Change(item.key, item.id, gone=True),)


def test_a_long_feed_is_read_in_parts(store: Store) -> None:
    _, cursor = store.keys()
    items = unsigned_items(300, seed=1, size=50)
    store.put_many(items, received=NOON)
    store.remove(item.id for item in items[::3])
    seen: list[Change] = []
    while rows := (part := store.changes(cursor, limit=37)).rows:
        assert len(rows) <= 37
        seen += rows
        cursor = part.cursor
    assert len(seen) == 300
    assert {change.id for change in seen if not change.gone} == {
        item.id for number, item in enumerate(items) if number % 3
    }


def test_a_known_item_put_again_changes_nothing(store: Store) -> None:
    item = Author(1).says()
    store.put_many([item], received=NOON)
    _, cursor = store.keys()
    store.put_many([item], received=NOON)
    store.remove([bytes(32)])
    assert store.changes(cursor).rows == ()


def test_cursors_outlive_the_process_and_see_other_writers(engine: Engine) -> None:
    reader = engine.open()
    _, cursor = reader.keys()
    reader.close()
    writer = engine.open()
    item = Author(1).says()
    writer.put_many([item], received=NOON)
    assert engine.open().changes(cursor).rows == (Change(item.key, item.id, gone=False),)


def test_a_cursor_of_nowhere_asks_for_a_reload(store: Store) -> None:
    store.put_many([Author(1).says()], received=NOON)
    _, cursor = store.keys()
    ahead = cursor[:-1] + "f"
    for wrong in ("", "0", "abc", cursor + "0", ahead, "0" * 16 + "-0", cursor + "\n", "٠" * 16 + "-1"):
        changes = store.changes(wrong)
        assert changes.reset, wrong
        assert changes.rows == ()
        assert changes.cursor == cursor


def test_the_data_version_moves_with_every_writer_and_rests_otherwise(engine: Engine) -> None:
    here, there = engine.open(), engine.open()
    seen = [here.data_version()]
    assert here.data_version() == seen[0]
    here.put_many([Author(1).says()], received=NOON)
    seen.append(here.data_version())
    there.put_many([Author(2).says()], received=NOON)
    seen.append(here.data_version())
    assert len(set(seen)) == 3
    here.keys()
    there.page(order="urgent", limit=5)
    assert here.data_version() == seen[2]
