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
    MOST_STATEMENTS,
    OPERATORS_LINK,
    READERS_LINK,
    Limits,
    Link,
    Placed,
    Scene,
    Share,
    Through,
    Way,
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
    lasting: frozenset[bytes] = frozenset()
    links: dict[bytes, Link] = field(default_factory=dict)
    """By which link an item came; by the operator's hand what is not in it."""

    @property
    def first(self) -> frozenset[bytes]:
        return frozenset(one.to_bytes(32, "big") for one in self.known)

    @property
    def limits(self) -> Limits:
        return Limits.of(self.total, anchored=bool(self.known))

    def lasts(self, one: Header) -> bool:
        """Tell whether it is a statement that has an effect."""
        return one.id in self.lasting and one.item_class == ItemClass.KEYS

    def link(self, one: Header) -> Link | None:
        """Return the link that an item of the pool came by."""
        outside = one.author in self.first or self.lasts(one)
        return None if outside else self.links.get(one.id, OPERATORS_LINK)

    def share(self, author: bytes | None = None, link: Link | None = None) -> Share:
        found = [
            one.size
            for one in self.items.values()
            if (author is None or one.author == author)
            and (self.link(one) == link if link else author is not None or self.link(one) is not None)
        ]
        return Share(len(found), sum(found))

    def scene(self, link: Link = OPERATORS_LINK) -> Scene:
        by_author = defaultdict[bytes, list[Header]](list)
        parts = defaultdict[tuple[int, bytes], Share](Share)
        through = dict[int, Through]()
        for one in self.items.values():
            by_author[one.author].append(one)
            if (came := self.link(one)) is not None:
                parts[came.number, one.author] = parts[came.number, one.author].plus(one.size)
                share = through[came.number].share if came.number in through else Share()
                through[came.number] = Through(came.way, share.plus(one.size))
        ways = [came.way for came in through.values()] + [link.way] * (link.number not in through)
        return Scene(
            limits=self.limits,
            now=NOW,
            used=sum(cost(one.size) for one in self.items.values()),
            unknown=self.share(),
            link=link,
            links=through,
            sources={way: ways.count(way) for way in Way},
            shares={author: Share(len(held), sum(one.size for one in held)) for author, held in by_author.items()},
            parts=parts,
            expendable={
                author: [
                    Placed(one, came.number if (came := self.link(one)) else None)
                    for one in sorted(held, key=lambda one: worth(one, now=NOW))
                    if not self.lasts(one)
                ]
                for author, held in by_author.items()
            },
            first=self.first,
            lasting=self.lasting,
            idle={
                author: sum(one.item_class == ItemClass.KEYS and not self.lasts(one) for one in held)
                for author, held in by_author.items()
                if author in self.first
            },
        )

    def hears(self, *incoming: Header, link: Link = OPERATORS_LINK) -> tuple[Sequence[Header], Sequence[Header]]:
        """Take what has a place; return what was taken and what went for it."""
        found = plan([one for one in incoming if one.id not in self.items], self.scene(link))
        for one in found.let_go:
            del self.items[one.id]
        self.items |= {one.id: one for one in found.take}
        self.links |= {one.id: link for one in found.take}
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


def test_for_spare_room_nothing_known_goes_while_the_pool_holds_what_the_scene_does_not_show() -> None:
    store = Held(2_000_000, known=frozenset({1}))
    store.hears(*flood(1, 20, by=1, sent=NOW - 3 * DAY), *flood(1000, 3, by=2), *flood(2000, 3, by=3))
    scene = store.scene()
    unseen = (3).to_bytes(32, "big")
    partly = replace(scene, expendable={key: held for key, held in scene.expendable.items() if key != unseen})
    gone = plan((), partly, spare=2_000_000).let_go
    assert [one.author for one in gone] == [(2).to_bytes(32, "big")] * 3
    gone = plan((), scene, spare=2_000_000).let_go
    assert [one.author in store.first for one in gone] == [False] * 6 + [True] * 20


def test_among_a_keys_items_what_is_expired_goes_first_then_the_least_pressing_and_oldest() -> None:
    expired = header(1, 1, severity=Severity.EXTREME, sent=NOW - 2 * DAY)
    old, new = header(2, 1, sent=NOW - 50), header(3, 1)
    grave = header(4, 1, severity=Severity.SEVERE, sent=NOW - 60)
    update = header(5, 1, msg_type=MsgType.UPDATE, sent=NOW - 9 * DAY)
    statement = header(6, 1, msg_type=None)
    order = [expired, old, new, grave, update, statement]
    assert sorted(order, key=lambda one: worth(one, now=NOW)) == order
    assert min(order, key=lambda one: worth(one, now=0)) is old  # while the clock is doubtful nothing is expired


def test_a_statement_that_has_an_effect_stays_and_always_has_a_place() -> None:
    statement, strangers = header(7, 1, msg_type=None), header(8, 2, msg_type=None)
    held = Held(400_000, known=frozenset({1}), lasting=frozenset({statement.id, strangers.id}))
    held.hears(*flood(100, 100, by=1))
    for author in range(10, 60):
        held.hears(*flood(author * 1000, 10, by=author))
    taken, _ = held.hears(statement, strangers)
    assert len(taken) == 2
    held.hears(*flood(1000, 100, by=1, sent=NOW + 100))
    held.hears(*flood(2000, 100, by=2, sent=NOW + 100))
    assert {statement.id, strangers.id} <= set(held.items)


def test_of_statements_without_an_effect_a_known_key_holds_so_many() -> None:
    held = Held(1_000_000_000, known=frozenset({1}))
    statements = [header(number, 1, size=200, msg_type=None) for number in range(MOST_STATEMENTS + 30)]
    for at in range(0, len(statements), 20):
        held.hears(*statements[at : at + 20])
    assert len(held.items) == MOST_STATEMENTS
    assert len(held.hears(*flood(1000, 30, by=1))[0]) == 30


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
    lasting=st.frozensets(st.integers(0, 10_000), max_size=50),
    links=st.lists(
        st.sampled_from([OPERATORS_LINK, READERS_LINK, Link(2, Way.DIALLED), Link(3, Way.CALLED), Link(5, Way.CALLED)]),
        min_size=12,
        max_size=12,
    ),
)
def test_whatever_comes_the_limits_hold_and_nobody_known_makes_way(
    batches: list[list[Header]], total: int, known: frozenset[int], lasting: frozenset[int], links: list[Link]
) -> None:
    held = Held(total, known=known, lasting=frozenset(one.to_bytes(32, "big") for one in lasting))
    for batch, link in zip(batches, links, strict=False):
        before = dict(held.items)
        taken, gone = held.hears(*batch, link=link)
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
        # Of a key, what went is worth less than all that stayed of what it held by the same link, and a statement goes
        # when nothing else is left of it.
        for one in gone:
            kept = [other for other in before.values() if other.author == one.author and other.id in held.items]
            assert all(
                worth(one, now=NOW) < worth(other, now=NOW) or scene.stays(other)
                for other in kept
                if held.link(other) == held.link(one)
            )
            assert one.item_class != ItemClass.KEYS or all(other.item_class == ItemClass.KEYS for other in kept)
        # Nothing goes when all of it fits.
        if gone:
            everything = replace(scene, used=0)
            wanted = [*before.values(), *(one for one in batch if one.id not in before)]
            room = replace(held, items={one.id: one for one in wanted}).scene()
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


# Shares by link

DIALLED, STRANGER = Link(2, Way.DIALLED), Link(3, Way.CALLED)


def test_what_comes_by_a_link_over_its_part_makes_way_for_another_and_never_the_other_way_round() -> None:
    held = Held(1_000_000)
    for author in range(100, 250):
        held.hears(*flood(author * 100, 10, by=author), link=STRANGER)
    honest = [one for author in range(1, 11) for one in flood(author * 100_000, 9, by=author)]
    for one in honest:
        assert held.hears(one, link=DIALLED)[0] == (one,)
    for author in range(400, 500):
        held.hears(*flood(author * 100, 1, by=author), link=STRANGER)
    assert {one.id for one in honest} <= set(held.items)


@pytest.mark.parametrize("links", [1, 10])
def test_half_is_for_dialled_relays_and_a_quarter_each_for_callers_and_readers(links: int) -> None:
    held = Held(2_000_000, known=frozenset({9}))
    callers = [Link(100 + number, Way.CALLED) for number in range(links)]
    for number in range(40):
        for link in (callers[number % links], READERS_LINK, Link(2, Way.DIALLED), Link(3, Way.DIALLED)):
            first = number * 10_000 + link.number * 10
            held.hears(*flood(first, 6, by=1_000_000 + first), link=link)
    share = {
        way: sum(cost(one.size) for one in held.items.values() if held.links[one.id].way is way) / held.limits.pool
        for way in Way
    }
    assert share[Way.DIALLED] == pytest.approx(0.5, abs=0.06)
    assert share[Way.CALLED] == pytest.approx(0.25, abs=0.06)
    assert share[Way.UPLOADED] == pytest.approx(0.25, abs=0.06)
    two = [sum(cost(one.size) for one in held.items.values() if held.links[one.id].number == n) for n in (2, 3)]
    assert two[0] == pytest.approx(two[1], rel=0.1)


def test_a_key_that_ended_itself_is_not_without_its_end_before_the_last_of_what_it_signed() -> None:
    held = Held(400_000)
    said = flood(0, 3, by=1)
    held.hears(*said, link=DIALLED)
    held.hears(header(99, 1, msg_type=None, size=60_000), link=STRANGER)
    for author in range(100, 200):
        _, gone = held.hears(*flood(author * 100, 3, by=author), link=READERS_LINK if author % 2 else DIALLED)
        if any(one.id == header(99, 1).id for one in gone):
            assert not any(one.id in held.items for one in said)
            break
    else:
        pytest.fail("never went")


@given(
    floods=st.lists(
        st.tuples(st.integers(0, 999), st.integers(0, 40), st.sampled_from([Way.CALLED, Way.UPLOADED])), max_size=40
    ),
    at=st.integers(0, 40),
)
def test_a_quiet_author_at_a_dialled_relay_keeps_its_share_whoever_floods(
    floods: list[tuple[int, int, Way]], at: int
) -> None:
    held = Held(600_000, known=frozenset({9}))
    quiet = [header(number, 99, sent=NOW - number) for number in range(LEAST_ITEMS)]
    for place, (author, number, way) in enumerate([*floods[:at], (0, 0, Way.DIALLED), *floods[at:]]):
        if way is Way.DIALLED:
            assert len(held.hears(*quiet, link=DIALLED)[0]) == len(quiet)
            continue
        link = READERS_LINK if way is Way.UPLOADED else Link(100 + number, way)
        held.hears(*flood(1000 + place * 100, 30, by=1000 + author), link=link)
    assert {one.id for one in quiet} <= set(held.items)
    assert held.share().cost <= held.limits.pool
