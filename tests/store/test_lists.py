"""Lists for people: order, filters, and going on from a cursor."""

from __future__ import annotations

import pytest

from meshrelay.core import order
from meshrelay.core.bulletin import MsgType, Severity, Urgency
from meshrelay.core.envelope import Header
from meshrelay.errors import NotFound
from meshrelay.store import Order, Page, Store
from tests.store.making import DAY, NOON, Author, unsigned_items


def _headers(page: Page) -> list[Header]:
    return [held.header for held in page.rows]


def _walk(store: Store, by: Order, limit: int) -> list[Header]:
    page = store.page(order=by, limit=limit)
    found = _headers(page)
    while page.next is not None:
        page = store.page(order=by, limit=limit, after=page.next)
        found += _headers(page)
    return found


def test_most_pressing_first_then_newest(store: Store) -> None:
    author = Author(1)
    minor = author.says(severity=Severity.MINOR, urgency=Urgency.IMMEDIATE, sent=NOON + 9)
    soon = author.says(severity=Severity.EXTREME, urgency=Urgency.EXPECTED, sent=NOON + 5)
    older = author.says(severity=Severity.EXTREME, urgency=Urgency.IMMEDIATE)
    newer = author.says(severity=Severity.EXTREME, urgency=Urgency.IMMEDIATE, sent=NOON + 1)
    store.put_many([minor, soon, older, newer], received=NOON)
    assert _headers(store.page(order="urgent", limit=10)) == [newer.header, older.header, soon.header, minor.header]
    assert _headers(store.page(order="newest", limit=10)) == [minor.header, soon.header, newer.header, older.header]


@pytest.mark.parametrize("limit", [1, 7, 50, 200])
def test_a_list_walked_page_by_page_has_every_bulletin_once_in_order(store: Store, limit: int) -> None:
    items = unsigned_items(200, seed=4, size=50)
    store.put_many([*items, Author(1).revokes_itself()], received=NOON)
    pressing = _walk(store, "urgent", limit)
    assert {header.id for header in pressing} == {item.id for item in items}
    assert len(pressing) == 200
    places = [(order.rank(header), -header.sent) for header in pressing]
    assert places == sorted(places)
    newest = _walk(store, "newest", limit)
    assert len({header.id for header in newest}) == len(newest) == 200
    assert [header.sent for header in newest] == sorted((item.header.sent for item in items), reverse=True)


def test_what_arrives_between_two_pages_repeats_nothing_and_hides_nothing(store: Store) -> None:
    items = unsigned_items(60, seed=4, size=50)
    store.put_many(items[:50], received=NOON)
    first = store.page(order="newest", limit=20)
    store.put_many(items[50:], received=NOON)
    store.remove([first.rows[-1].header.id])
    second = store.page(order="newest", limit=100, after=first.next)
    assert [one.header.id for one in (*first.rows, *second.rows)] == [item.id for item in reversed(items[:50])]


def test_a_list_can_be_gone_on_with_after_any_of_its_rows(store: Store) -> None:
    store.put_many(unsigned_items(20, seed=4, size=50), received=NOON)
    for by in ("urgent", "newest"):
        page = store.page(order=by, limit=20)
        for place, cursor in enumerate(page.cursors, start=1):
            following = store.page(order=by, limit=20, after=cursor)
            assert following.rows == page.rows[place:]


def test_an_exact_fit_ends_the_list(store: Store) -> None:
    store.put_many(unsigned_items(5, seed=4, size=50), received=NOON)
    assert store.page(order="urgent", limit=5).next is None
    assert store.page(order="urgent", limit=4).next is not None


def test_lists_can_be_narrowed(store: Store) -> None:
    known, unknown = Author(1), Author(2)
    live = known.says(life=DAY)
    ended = known.says(life=10)
    strange = unknown.says(sent=NOON + 1)
    cancel = unknown.says(msg_type=MsgType.CANCEL, acts_on=[strange.id], sent=NOON + 2)
    store.put_many([live, ended], received=NOON)
    store.put_many([strange, cancel], received=NOON + 5)
    everything = {item.id for item in (live, ended, strange, cancel)}

    def ids(**narrowed: object) -> set[bytes]:
        pages = [store.page(order=by, limit=10, **narrowed) for by in ("urgent", "newest")]  # type: ignore[arg-type]
        one, two = ({held.header.id for held in page.rows} for page in pages)
        assert one == two
        return one

    assert ids() == everything
    assert ids(live_at=NOON + 10) == everything - {ended.id}
    assert ids(live_at=NOON + 9) == everything
    assert ids(ended_at=NOON + 10) == {ended.id, strange.id}
    assert ids(ended_at=NOON + 9) == {strange.id}
    assert ids(acted_on=True) == {strange.id}
    assert ids(since=NOON + 5) == {strange.id, cancel.id}
    assert ids(cancels=False) == everything - {cancel.id}
    assert ids(authors=frozenset({known.public})) == {live.id, ended.id}
    assert ids(authors=[known.public, bytes(32)], live_at=NOON + 10) == {live.id}
    assert ids(authors=[bytes(32)]) == set()
    assert ids(authors=[]) == set()
    assert ids(not_authors=[known.public]) == {strange.id, cancel.id}
    assert ids(not_authors=[]) == everything
    assert ids(not_authors=[known.public, unknown.public]) == set()


def test_senders_with_few_and_with_many_bulletins_are_listed_alike(store: Store) -> None:
    items = unsigned_items(5000, seed=5, authors=2, size=20)
    store.put_many(items, received=NOON)
    for author in {item.author for item in items}:
        mine = [item.header for item in items if item.author == author]
        expected = sorted(mine, key=lambda header: (order.rank(header), -header.sent))[:30]
        page = store.page(order="urgent", limit=30, authors=[author])
        assert [(order.rank(one), one.sent) for one in _headers(page)] == [
            (order.rank(one), one.sent) for one in expected
        ]


def test_more_authors_than_any_operator_knows_can_be_named(store: Store) -> None:
    store.put_many(unsigned_items(10, seed=4, size=50), received=NOON)
    crowd = [number.to_bytes(32, "big") for number in range(5000)]
    assert store.page(order="urgent", limit=10, authors=crowd).rows == ()
    assert len(store.page(order="urgent", limit=10, not_authors=crowd).rows) == 10


@pytest.mark.parametrize("cursor", ["", "u", "u1", "n1-1", "u-1-1", "u1-1; DROP TABLE items", "u" + "f" * 40 + "-1"])
def test_a_cursor_that_was_never_given_is_not_found(store: Store, cursor: str) -> None:
    with pytest.raises(NotFound):
        store.page(order="urgent", limit=10, after=cursor)
