"""Items in, items out, and what is found by id, key, prefix, stream and target."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest

from meshrelay.core.bulletin import CapReference, MsgType, Severity, Urgency
from meshrelay.core.envelope import SignedItem
from meshrelay.store import Store
from tests.store.conftest import Engine
from tests.store.making import NOON, Author, unsigned_items


def test_what_was_put_comes_out_byte_for_byte(store: Store) -> None:
    item = Author(1).says()
    assert store.put_many([item], received=NOON) == (item.id,)
    assert store.get_many([item.id, bytes(32)]) == {item.id: item.data}


def test_every_column_of_a_header_comes_back(store: Store) -> None:
    full = Author(1).says(
        msg_type=MsgType.UPDATE,
        acts_on=[bytes(32), b"\xff" * 32],
        severity=Severity.EXTREME,
        urgency=Urgency.IMMEDIATE,
        org=b"o" * 32,
        drill=True,
        cap=CapReference("a@example.org", "1", "2026-01-01T00:00:00+00:00"),
        cap_references=[CapReference("a@example.org", "0", "2026-01-01T00:00:00+00:00")],
    )
    plain, statement = Author(2).says(), Author(3).revokes_itself()
    store.put_many([full, plain, statement], received=NOON + 7)
    for item in (full, plain, statement):
        held = store.headers([item.id])[item.id]
        assert held.header == item.header
        assert held.received == NOON + 7


def test_an_item_is_new_once(store: Store) -> None:
    item = Author(1).says()
    assert store.put_many([item, item], received=NOON) == (item.id,)
    assert store.put_many([item], received=NOON + 1) == ()
    assert store.headers([item.id])[item.id].received == NOON


def test_new_ids_are_named_in_the_order_of_arrival(store: Store) -> None:
    items = unsigned_items(600, seed=1, size=100)
    store.put_many(items[100:200], received=NOON)
    assert store.put_many(items, received=NOON) == tuple(item.id for item in items[:100] + items[200:])


def test_what_is_removed_is_gone_and_may_come_again(store: Store) -> None:
    item, other = Author(1).says(), Author(2).says()
    store.put_many([item, other], received=NOON)
    assert store.remove([item.id, bytes(32)]) == 1
    assert store.get_many([item.id, other.id]) == {other.id: other.data}
    assert store.headers([item.id]) == {}
    assert store.by_key([item.key]) == {}
    assert store.put_many([item], received=NOON + 1) == (item.id,)
    assert store.headers([item.id])[item.id].received == NOON + 1


def test_items_outlive_the_process(engine: Engine) -> None:
    item = Author(1).says()
    first = engine.open()
    first.put_many([item], received=NOON)
    first.close()
    assert engine.open().get_many([item.id]) == {item.id: item.data}


def test_items_are_found_by_reconciliation_key(store: Store) -> None:
    items = unsigned_items(300, seed=1, size=50)
    store.put_many(items, received=NOON)
    assert store.by_key(item.key for item in items) == {item.key: item.header for item in items}
    assert store.by_key([bytes(24)]) == {}


def test_two_items_that_share_a_key_do_no_harm(store: Store) -> None:
    (first,) = unsigned_items(1, seed=1, size=50)
    header = dataclasses.replace(first.header, id=first.id[:16] + bytes(16))
    twin = SignedItem(header, b"twin", first.body)
    store.put_many([first, twin], received=NOON)
    assert store.by_key([first.key]) == {first.key: first.header}
    assert len(store.keys()[0]) == 48
    store.remove([first.id])
    assert store.by_key([first.key]) == {first.key: twin.header}


def test_a_prefix_finds_the_ids_that_begin_with_it(store: Store) -> None:
    items = unsigned_items(40, seed=1, size=50)
    store.put_many(items, received=NOON)
    ids = sorted(item.id for item in items)
    wanted = ids[17].hex()
    for length in (64, 33, 12):
        assert store.find_prefix(wanted[:length]) == (ids[17],)
        assert store.find_prefix(wanted[:length].upper()) == (ids[17],)
    nibble = [one for one in ids if one.hex()[0] == wanted[0]]
    assert store.find_prefix(wanted[0], limit=50) == tuple(nibble)
    assert store.find_prefix("") == tuple(ids[:2])


@pytest.mark.parametrize("text", ["xyz", "0x12", "a" * 65, "' OR 1", "٣", "a b", "%"])
def test_a_prefix_that_is_no_hexadecimal_text_finds_nothing(store: Store, text: str) -> None:
    store.put_many(unsigned_items(40, seed=1, size=50), received=NOON)
    assert store.find_prefix(text) == ()


def test_statements_are_the_items_of_class_0_of_the_keys_asked_for(store: Store) -> None:
    authors = [Author(1), Author(2), Author(3)]
    one, two, three = [author.revokes_itself() for author in authors]
    store.put_many([one, authors[0].says(), two, three], received=NOON)
    assert set(store.statements([author.public for author in authors[:2]])) == {one.data, two.data}
    assert store.statements([]) == ()


def test_the_newest_of_a_stream_is_that_authors_own(store: Store) -> None:
    author, other = Author(1), Author(2)
    first, second = author.says(), author.says()
    store.put_many([second, first, *(other.says() for _ in range(5))], received=NOON)
    assert store.highest_seq(author.public, author.stream) == (2, second.id)
    assert store.highest_seq(author.public, b"elsewhat") is None
    assert store.highest_seq(Author(3).public, author.stream) is None


def test_acts_are_found_up_the_whole_chain_whichever_came_first(store: Store) -> None:
    author = Author(1)
    first = author.says()
    second = author.says(msg_type=MsgType.UPDATE, acts_on=[first.id], sent=NOON + 1)
    third = author.says(msg_type=MsgType.UPDATE, acts_on=[second.id], sent=NOON + 2)
    end = author.says(msg_type=MsgType.CANCEL, acts_on=[third.id], sent=NOON + 3)
    beside = author.says(msg_type=MsgType.UPDATE, acts_on=[author.says().id])
    store.put_many([end, second, beside, third, first], received=NOON)
    assert [held.header for held in store.acting_on([first.id])] == [second.header, third.header, end.header]
    assert [held.header for held in store.acting_on([third.id, second.id])] == [third.header, end.header]
    assert store.acting_on([end.id]) == ()
    assert store.acting_on([]) == ()
    store.remove([second.id])
    assert store.acting_on([first.id]) == ()


def test_acts_on_an_imported_alert_are_found_by_its_cap_triple(store: Store) -> None:
    triples = [CapReference("met@example.org", str(number), "2026-01-01T00:00:00+00:00") for number in range(3)]
    gateway = Author(1)
    alert = gateway.says(cap=triples[0])
    update = gateway.says(cap=triples[1], cap_references=triples[:1], msg_type=MsgType.UPDATE, sent=NOON + 1)
    cancel = gateway.says(cap=triples[2], cap_references=triples[1:2], msg_type=MsgType.CANCEL, sent=NOON + 2)
    store.put_many([alert, update, cancel], received=NOON)
    assert [held.header.id for held in store.acting_on([alert.id])] == [update.id, cancel.id]


def test_of_what_acts_on_each_item_one_of_its_authors_acts_of_that_time_is_found(store: Store) -> None:
    author = Author(1)
    triples = [CapReference("met@example.org", str(number), "2026-01-01T00:00:00+00:00") for number in range(2)]
    first, imported, free = author.says(), author.says(cap=triples[0]), author.says()
    acts = [author.says(msg_type=MsgType.UPDATE, acts_on=[first.id], sent=NOON + number) for number in range(3)]
    cancel = author.says(msg_type=MsgType.CANCEL, cap=triples[1], cap_references=triples[:1], sent=NOON + 1)
    theirs = Author(2).says(msg_type=MsgType.CANCEL, acts_on=[free.id])
    alert = author.says(acts_on=[free.id])
    store.put_many([first, imported, free, *acts, cancel, theirs, alert], received=NOON)
    ids = [first.id, imported.id, free.id]
    found = {held.header.id for held in store.first_acting_on(ids, since=NOON + 1, until=NOON + 1)}
    assert found == {acts[1].id, cancel.id}
    assert len(store.first_acting_on([first.id], since=NOON, until=NOON + 2)) == 1
    assert store.first_acting_on(ids, since=NOON + 3, until=NOON + 9) == ()


def test_an_alert_acts_on_nothing_though_it_names_it(store: Store) -> None:
    author = Author(1)
    first = author.says()
    store.put_many([first, author.says(acts_on=[first.id])], received=NOON)
    assert store.acting_on([first.id]) == ()


def test_acts_that_name_each_other_in_a_ring_are_found_once(store: Store) -> None:
    triples = [CapReference("met@example.org", str(number), "2026-01-01T00:00:00+00:00") for number in range(2)]
    gateway = Author(1)
    one = gateway.says(cap=triples[0], cap_references=triples[1:], msg_type=MsgType.UPDATE)
    two = gateway.says(cap=triples[1], cap_references=triples[:1], msg_type=MsgType.UPDATE, sent=NOON + 1)
    store.put_many([one, two], received=NOON)
    assert {held.header.id for held in store.acting_on([one.id])} == {one.id, two.id}


def test_a_strangers_cancel_is_not_among_the_acts_but_one_of_the_same_organisation_is(store: Store) -> None:
    target = Author(1).says(org=b"o" * 32)
    stranger = Author(2).says(msg_type=MsgType.CANCEL, acts_on=[target.id])
    elsewhere = Author(3).says(msg_type=MsgType.CANCEL, acts_on=[target.id], org=b"x" * 32)
    colleague = Author(4).says(msg_type=MsgType.CANCEL, acts_on=[target.id], org=b"o" * 32)
    store.put_many([target, stranger, elsewhere, colleague], received=NOON)
    assert store.acting_on([target.id]) == ()
    found = store.acting_on([target.id], colleagues=[colleague.author])
    assert [held.header.id for held in found] == [colleague.id]


def test_usage_counts_items_and_bulletins(store: Store) -> None:
    items = unsigned_items(100, seed=1)
    empty = store.usage()
    store.put_many([*items, Author(1).revokes_itself()], received=NOON)
    full = store.usage()
    assert (empty.items, empty.bulletins, full.items, full.bulletins) == (0, 0, 101, 100)
    assert 200_000 < full.bytes - empty.bytes < 400_000
    store.remove(item.id for item in items)
    assert store.usage().items == 1
    assert store.usage().bytes < empty.bytes + 60_000


def test_threads_may_read_and_write_at_once(store: Store) -> None:
    items = unsigned_items(1200, seed=1, size=200)
    parts = [items[at : at + 100] for at in range(0, 1200, 100)]

    def put_and_look(part: list[SignedItem]) -> int:
        new = store.put_many(part, received=NOON)
        assert len(store.get_many(item.id for item in part)) == 100
        store.page(order="urgent", limit=10)
        return len(new)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(put_and_look, parts)) == 1200
    assert store.keys()[0] == b"".join(sorted(item.key for item in items))


def test_two_stores_on_the_same_items_agree(engine: Engine) -> None:
    here, there = engine.open(), engine.open()
    items = unsigned_items(400, seed=1, size=200)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda store: store.put_many(items, received=NOON), (here, there))
    assert len(one) + len(two) == 400
    assert here.keys() == there.keys()


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        store.keys()
    with pytest.raises(RuntimeError, match="closed"):
        store.put_many([Author(1).says()], received=NOON)
