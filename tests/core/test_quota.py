"""Room is divided so that nobody unknown costs anybody known a place, and no flood costs the quiet ones theirs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.bulletin import MsgType, Severity, Urgency
from meshrelay.core.envelope import Header, ItemClass, Kind
from meshrelay.core.quota import (
    LEAST_BYTES,
    LEAST_ITEMS,
    MOST_BYTES,
    MOST_ITEMS,
    Limits,
    Scene,
    Share,
    cost,
    plan,
    worth,
)

NOW = 1_760_000_000
DAY = 86_400


def header(
    number: int,
    author: int,
    *,
    size: int = 2_000,
    severity: Severity = Severity.UNKNOWN,
    sent: int = NOW,
    life: int = DAY,
    msg_type: MsgType | None = MsgType.ALERT,
) -> Header:
    return Header(
        id=number.to_bytes(32, "big"),
        author=author.to_bytes(32, "big"),
        kind=Kind.BULLETIN if msg_type else Kind.REVOCATION,
        item_class=ItemClass.REST if msg_type else ItemClass.KEYS,
        sent=sent,
        size=size,
        expires=sent + life if msg_type else None,
        msg_type=msg_type,
        urgency=Urgency.UNKNOWN if msg_type else None,
        severity=severity if msg_type else None,
    )


@dataclass
class Held:
    """A store without a disk: what is held, and what a plan makes of it."""

    total: int
    known: frozenset[int] = frozenset()
    items: dict[bytes, Header] = field(default_factory=dict)

    @property
    def first(self) -> frozenset[bytes]:
        return frozenset(one.to_bytes(32, "big") for one in self.known)

    @property
    def limits(self) -> Limits:
        return Limits.of(self.total, anchored=bool(self.known))

    def share(self, author: bytes | None = None) -> Share:
        found = [
            one.size
            for one in self.items.values()
            if one.author == author or (author is None and one.author not in self.first)
        ]
        return Share(len(found), sum(found))

    def scene(self) -> Scene:
        by_author = defaultdict[bytes, list[Header]](list)
        for one in self.items.values():
            by_author[one.author].append(one)
        pool = [one for one in self.items.values() if one.author not in self.first]
        staying = Scene(self.limits, NOW, kept=self.first)
        return Scene(
            limits=self.limits,
            now=NOW,
            used=sum(cost(one.size) for one in self.items.values()),
            unknown=Share(len(pool), sum(one.size for one in pool)),
            shares={author: Share(len(held), sum(one.size for one in held)) for author, held in by_author.items()},
            expendable={
                author: sorted((one for one in held if not staying.stays(one)), key=lambda one: worth(one, now=NOW))
                for author, held in by_author.items()
            },
            first=self.first,
            kept=self.first,
        )

    def hears(self, *incoming: Header) -> tuple[Sequence[Header], Sequence[Header]]:
        """Take what has a place; return what was taken and what went for it."""
        found = plan([one for one in incoming if one.id not in self.items], self.scene())
        for one in found.let_go:
            del self.items[one.id]
        self.items |= {one.id: one for one in found.take}
        return found.take, found.let_go


def flood(first: int, count: int, *, by: int, size: int = 2_000, sent: int = NOW) -> list[Header]:
    return [header(first + number, by, size=size, sent=sent + number) for number in range(count)]


def test_while_there_is_room_everything_is_taken() -> None:
    held = Held(10_000_000)
    items = [*flood(0, 100, by=1), *flood(1000, 100, by=2)]
    taken, gone = held.hears(*items)
    assert ({*taken}, gone) == ({*items}, ())


@pytest.mark.parametrize(("size", "most"), [(2_000, MOST_ITEMS), (64_000, MOST_BYTES // 64_000)])
def test_an_unknown_key_holds_so_much_and_its_newest_stay(size: int, most: int) -> None:
    held = Held(1_000_000_000)
    items = flood(0, most + 50, by=1, size=size)
    for at in range(0, len(items), 20):
        held.hears(*items[at : at + 20])
    assert set(held.items) == {one.id for one in items[-most:]}


def test_a_known_key_holds_a_quarter_of_the_store() -> None:
    held = Held(4_000_000, known=frozenset({1}))
    held.hears(*flood(0, 1000, by=1))
    assert len(held.items) == 1_000_000 // cost(2_000)


@pytest.mark.parametrize(("known", "parts"), [(frozenset[int](), 4), (frozenset({9}), 1)])
def test_unknown_keys_share_four_fifths_where_nobody_is_known_else_one(known: frozenset[int], parts: int) -> None:
    held = Held(2_000_000, known=known)
    for author in range(100, 200):
        held.hears(*flood(author * 100, 30, by=author))
    pool = held.total * parts // 5
    assert pool - 3 * cost(2_000) < held.share().cost <= pool


def test_the_heaviest_gives_way_to_the_lighter_down_to_ten_items() -> None:
    held = Held(1_000_000)
    for author in (1, 2, 3):
        held.hears(*flood(author * 1000, 62, by=author))
    for author in range(4, 9):
        taken, gone = held.hears(*flood(author * 1000, 15, by=author))
        assert len(taken) == 15
        assert {one.author for one in gone} <= {heavy.to_bytes(32, "big") for heavy in (1, 2, 3)}
    for author in range(9, 60):
        held.hears(*flood(author * 1000, 50, by=author))
    assert min(held.share(author.to_bytes(32, "big")).items for author in range(1, 9)) == LEAST_ITEMS


def test_what_a_quiet_key_holds_no_flood_of_new_keys_takes() -> None:
    held = Held(500_000)
    quiet = flood(0, LEAST_ITEMS, by=1)
    held.hears(*quiet)
    for author in range(2, 300):
        held.hears(*flood(author * 1000, 30, by=author))
    assert {one.id for one in quiet} <= set(held.items)


def test_known_items_push_out_unknown_ones_and_never_the_other_way_round() -> None:
    held = Held(400_000, known=frozenset({1, 2, 3, 4, 5}))
    for author in range(10, 40):
        held.hears(*flood(author * 1000, 10, by=author))
    unknown = held.share().items
    ours = [one for author in (1, 2, 3, 4, 5) for one in flood(author * 100_000, 19, by=author)]
    held.hears(*ours)
    assert {one.id for one in ours} <= set(held.items)
    assert held.share().items < unknown
    for author in range(40, 80):
        held.hears(*flood(author * 1000, 10, by=author))
    assert {one.id for one in ours} <= set(held.items)


def test_among_a_keys_items_what_is_expired_goes_first_then_the_least_pressing_and_oldest() -> None:
    expired = header(1, 1, severity=Severity.EXTREME, sent=NOW - 2 * DAY)
    old, new = header(2, 1, sent=NOW - 50), header(3, 1)
    grave = header(4, 1, severity=Severity.SEVERE, sent=NOW - 60)
    update = header(5, 1, msg_type=MsgType.UPDATE, sent=NOW - 9 * DAY)
    statement = header(6, 1, msg_type=None)
    order = [expired, old, new, grave, update, statement]
    assert sorted(order, key=lambda one: worth(one, now=NOW)) == order
    assert min(order, key=lambda one: worth(one, now=0)) is old  # while the clock is doubtful nothing is expired


def test_a_statement_about_a_known_key_stays_and_always_has_a_place() -> None:
    held = Held(400_000, known=frozenset({1}))
    statement = header(7, 1, msg_type=None)
    held.hears(*flood(100, 100, by=1))
    held.hears(statement)
    held.hears(*flood(1000, 100, by=1, sent=NOW + 100))
    assert statement.id in held.items


def test_a_strangers_statement_is_one_of_its_items() -> None:
    held = Held(200_000)
    for author in range(1, 500):
        held.hears(header(author, author, msg_type=None))
    assert held.share().cost <= held.limits.pool


_headers = st.builds(
    header,
    st.integers(0, 10_000),
    st.integers(1, 6),
    size=st.sampled_from([300, 2_000, 60_000]),
    severity=st.sampled_from(Severity),
    sent=st.integers(NOW - 3 * DAY, NOW),
    msg_type=st.sampled_from([MsgType.ALERT, MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL, None]),
)


@given(
    batches=st.lists(st.lists(_headers, max_size=30, unique_by=lambda one: one.id), max_size=12),
    total=st.sampled_from([100_000, 400_000, 2_000_000]),
    known=st.frozensets(st.integers(1, 6), max_size=3),
)
def test_whatever_comes_the_limits_hold_and_nobody_known_makes_way(
    batches: list[list[Header]], total: int, known: frozenset[int]
) -> None:
    held = Held(total, known=known)
    for batch in batches:
        before = dict(held.items)
        taken, gone = held.hears(*batch)
        scene, limits = held.scene(), held.limits
        assert scene.used <= limits.total
        assert scene.unknown.cost <= limits.pool
        assert all(share.cost <= limits.key for share in scene.shares.values())
        for author in scene.shares.keys() - held.first:
            assert scene.shares[author].items <= MOST_ITEMS
            assert scene.shares[author].bytes <= MOST_BYTES
        assert not any(scene.stays(one) for one in gone)
        assert {one.id for one in gone} <= before.keys()
        # Whoever is known makes way for nobody unknown.
        if not any(scene.is_first(one) for one in taken):
            assert not any(one.author in held.first for one in gone)
        # Of a key, what went is worth less than all that stayed of what was held before.
        for one in gone:
            kept = [other for other in before.values() if other.author == one.author and other.id in held.items]
            assert all(worth(one, now=NOW) < worth(other, now=NOW) or scene.stays(other) for other in kept)
        # Nothing goes when all of it fits.
        if gone:
            everything = replace(scene, used=0)
            wanted = [*before.values(), *(one for one in batch if one.id not in before)]
            room = Held(total, known=known, items={one.id: one for one in wanted}).scene()
            assert (
                room.used > everything.limits.total
                or room.unknown.cost > limits.pool
                or any(share.cost > limits.key or share.items > MOST_ITEMS for share in room.shares.values())
                or any(share.bytes > MOST_BYTES for share in room.shares.values())
            )


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_no_flood_by_unknown_keys_takes_what_is_guaranteed(floods: list[int]) -> None:
    held = Held(1_000_000)
    quiet = [header(number, 99, size=LEAST_BYTES // LEAST_ITEMS, sent=NOW - DAY + 1) for number in range(5)]
    held.hears(*quiet)
    for place, author in enumerate(floods):
        held.hears(*flood(1000 + place * 100, 40, by=author))
        assert {one.id for one in quiet} <= set(held.items)
