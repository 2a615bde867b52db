"""Room in a real store: who stays, what goes, what a full disk does."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshrelay.core.bulletin import ACTS_FOR, UNSIGNED, Bulletin, CapReference, MsgType, Severity, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.core.quota import LEAST_ITEMS, MOST_ITEMS, READERS, Source, Way, worth
from meshrelay.core.trust import Anchor
from meshrelay.errors import StoreDamaged, StoreFull
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Outcome, Receipt, Relay
from meshrelay.room import Reserve
from meshrelay.store import Store
from tests.organising import Org
from tests.store.making import DAY, NOON, Author

SMALL = 2_000_000


def opened(folder: Path, *, max_bytes: int = SMALL, keeper: bool = True) -> Relay:
    store = Store.open(folder / "store.db", max_bytes=max_bytes)
    return Relay(store, Local.open(folder / "local.db"), Keyring(folder / "keys"), keeper=keeper)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    one = opened(tmp_path)
    yield one
    one.close()


def anchor(relay: Relay, *authors: Author) -> None:
    for one in authors:
        relay.local.add_anchor(Anchor(one.public, f"Clinic {one.number}", NOON))
    relay.refresh()


def receive(relay: Relay, items: list[SignedItem], *, now: int = NOON) -> list[Outcome]:
    answers = relay.receive_many([item.data for item in items], now=now)
    return [answer.outcome for answer in answers if isinstance(answer, Receipt)]


def held(relay: Relay, items: list[SignedItem]) -> set[bytes]:
    return set(relay.store.headers([item.id for item in items]))


def said(author: Author, count: int, *, sent: int = NOON, size: int = 1500) -> list[SignedItem]:
    return [author.says(str(number), sent=sent + number, description="d" * size) for number in range(count)]


def flood(relay: Relay, *, first: int = 1000, keys: int = 60, each: int = 20) -> None:
    for number in range(first, first + keys):
        receive(relay, said(Author(number), each))


def test_with_the_store_full_no_flood_pushes_out_what_known_senders_said(relay: Relay) -> None:
    clinic = Author(1)
    anchor(relay, clinic)
    ours = said(clinic, 100)
    assert receive(relay, ours) == [Outcome.NEW] * 100
    statement = clinic.revokes_itself(sent=NOON)
    flood(relay, keys=80)
    assert held(relay, ours) == {item.id for item in ours}
    assert receive(relay, [statement]) == [Outcome.NEW]
    flood(relay, first=2000, keys=10)
    assert held(relay, [statement])
    assert relay.store.usage().bytes <= SMALL


def test_what_known_senders_say_finds_room_in_a_full_store(relay: Relay) -> None:
    flood(relay, keys=60)
    clinics = [Author(number) for number in (1, 2, 3)]
    anchor(relay, *clinics)
    for clinic in clinics:
        ours = said(clinic, 100)
        for at in range(0, 100, 10):
            assert receive(relay, ours[at : at + 10]) == [Outcome.NEW] * 10
        assert len(held(relay, ours)) == 100
    assert relay.store.usage().bytes <= SMALL


def test_an_unknown_key_may_hold_200_items_and_its_newest_stay(tmp_path: Path) -> None:
    relay = opened(tmp_path, max_bytes=1 << 30)
    items = said(Author(1), MOST_ITEMS + 30, size=10)
    for at in range(0, len(items), 23):
        receive(relay, items[at : at + 23])
    assert held(relay, items) == {item.id for item in items[30:]}
    assert receive(relay, items[:5]) == [Outcome.DECLINED] * 5
    relay.close()


def test_a_quiet_key_keeps_its_ten_items_through_a_flood(relay: Relay) -> None:
    quiet = said(Author(1), LEAST_ITEMS)
    receive(relay, quiet)
    flood(relay, keys=100)
    assert held(relay, quiet) == {item.id for item in quiet}


def test_own_words_always_find_room_where_the_relay_runs(relay: Relay) -> None:
    relay.keyring.new("me", now=NOON)
    relay.refresh()
    flood(relay, keys=100)
    for number in range(50):
        draft = Bulletin(NOON, NOON + DAY, UNSIGNED, (Text("en", "Flood", str(number), "d" * 1500),))
        item = relay.publish(draft, "me", now=NOON + number)
        assert held(relay, [item])


def test_a_command_beside_the_relay_lets_nothing_go_and_says_what_to_do(tmp_path: Path) -> None:
    relay = opened(tmp_path)
    items = [item for number in range(60) for item in said(Author(1000 + number), 20)]
    for at in range(0, len(items), 20):
        receive(relay, items[at : at + 20])
    relay.close()
    beside = opened(tmp_path, max_bytes=1_100_000, keeper=False)
    beside.keyring.new("me", now=NOON)
    draft = Bulletin(NOON, NOON + DAY, UNSIGNED, (Text("en", "Flood", "late", "d" * 1500),))
    before = held(beside, items)
    with pytest.raises(StoreFull) as caught:
        beside.publish(draft, "me", now=NOON)
    assert "start the relay" in caught.value.hint
    assert held(beside, items) == before
    beside.close()


def test_the_relay_keeps_some_room_spare_for_commands(tmp_path: Path) -> None:
    relay = opened(tmp_path)
    relay.keyring.new("me", now=NOON)
    flood(relay, keys=60)
    smaller = relay.store.usage().bytes
    relay.close()
    relay, beside = opened(tmp_path, max_bytes=smaller), opened(tmp_path, max_bytes=smaller, keeper=False)
    draft = Bulletin(NOON, NOON + DAY, UNSIGNED, (Text("en", "Flood", "long", "d" * 30_000),))
    with pytest.raises(StoreFull):
        beside.publish(draft, "me", now=NOON)
    while relay.room.keep_house(relay.trust, now=NOON):
        pass
    assert held(relay, [beside.publish(draft, "me", now=NOON)])
    relay.close()
    beside.close()


def test_what_is_past_97_days_goes_and_statements_stay(relay: Relay) -> None:
    author = Author(1)
    old, new, statement = author.says(sent=NOON), author.says(sent=NOON + 1), author.revokes_itself(sent=NOON)
    receive(relay, [old, new, statement])
    for doubtful, left in ((True, {old.id, new.id, statement.id}), (False, {new.id, statement.id})):
        while relay.room.keep_house(relay.trust, now=NOON + ACTS_FOR, doubtful=doubtful):
            pass
        assert held(relay, [old, new, statement]) == left


def test_the_order_in_which_the_store_lets_go_is_that_of_the_rule(relay: Relay) -> None:
    author = Author(1)
    first = author.says("first", sent=NOON - 5 * DAY)
    items = [
        first,
        *[author.says(severity=severity, sent=NOON + place) for place, severity in enumerate(Severity)],
        author.says("update", msg_type=MsgType.UPDATE, acts_on=[first.id], sent=NOON + 20),
        author.says("cancel", msg_type=MsgType.CANCEL, acts_on=[first.id], sent=NOON - 4 * DAY),
        author.revokes_itself(sent=NOON - 9 * DAY),
    ]
    receive(relay, items)
    for now in (0, NOON, NOON + 2 * DAY):
        found = relay.store.expendable(author.public, now=now, together=1 << 30, pooled=True)
        wanted = sorted([item.header for item in items], key=lambda one: worth(one, now=now))
        assert [placed.header for placed in found] == wanted
    assert relay.store.expendable(author.public, now=NOON, together=1 << 30, pooled=False) == ()


def test_what_a_cancel_ended_goes_with_it_and_does_not_come_back(relay: Relay) -> None:
    author, other = Author(1), Author(2)
    alert = author.says("alert")
    update = author.says("update", msg_type=MsgType.UPDATE, acts_on=[alert.id], sent=NOON + 1)
    cancel = author.says("cancel", msg_type=MsgType.CANCEL, acts_on=[update.id], sent=NOON + 2)
    beside = author.says("beside")
    stranger = other.says("stranger", msg_type=MsgType.CANCEL, acts_on=[beside.id])
    receive(relay, [alert, update, cancel, beside, stranger])
    assert relay.store.let_go([cancel.header, stranger.header]) == 4
    assert held(relay, [alert, update, cancel, beside]) == {beside.id}
    assert receive(relay, [alert, update]) == [Outcome.DECLINED] * 2
    assert receive(relay, [alert], now=NOON + ACTS_FOR - 1) == [Outcome.DECLINED]
    # Nobody else's Cancel has that power.
    relay.store.remove([beside.id])
    assert receive(relay, [beside]) == [Outcome.NEW]


@pytest.mark.parametrize("order", ["before", "together", "after"])
def test_what_an_update_ended_that_is_turned_away_goes_and_stays_away(relay: Relay, order: str) -> None:
    author = Author(1)
    cap = CapReference("sender", "1", "2031-03-14T10:00:00+00:00")
    alert = author.says("alert", cap=cap)
    own = CapReference("sender", "2", "2031-03-14T11:00:00+00:00")
    update = author.says("update", msg_type=MsgType.UPDATE, sent=NOON + 1, cap=own, cap_references=[cap])
    again = author.says("again", msg_type=MsgType.UPDATE, sent=NOON + 2, acts_on=[update.id])
    cancel = author.says("cancel", msg_type=MsgType.CANCEL, sent=NOON + 3, acts_on=[again.id])
    beside = author.says("beside")
    receive(relay, [cancel, beside])
    relay.store.let_go([cancel.header])
    batches = {"before": [[alert], [update], [again]], "together": [[alert, update, again]]}
    for batch in batches.get(order, [[again], [update], [alert]]):
        receive(relay, batch)
    assert held(relay, [alert, update, again, beside]) == {beside.id}
    assert receive(relay, [alert, update, again]) == [Outcome.DECLINED] * 3


@pytest.fixture
def colleagues(relay: Relay) -> tuple[Org, Author, Author, SignedItem, SignedItem]:
    """Return an organisation that nobody anchored, two keys that it lent its name to, and what one took back."""
    org, field, office = Org(), Author(1), Author(2)
    alert = field.says("alert", org=org.id)
    cancel = office.says("cancel", org=org.id, msg_type=MsgType.CANCEL, acts_on=[alert.id], sent=NOON + 1)
    receive(relay, [*org.roots, org.delegates(field.public), org.delegates(office.public)])
    return org, field, office, alert, cancel


def push_out(relay: Relay, author: Author, org: bytes) -> None:
    """Have a key correct so many things that its first act has to make room."""
    acts = [
        author.says(org=org, msg_type=MsgType.CANCEL, acts_on=[bytes([n]) * 32], sent=NOON + 2 + n)
        for n in range(MOST_ITEMS)
    ]
    for at in range(0, len(acts), 50):
        receive(relay, acts[at : at + 50])


def test_what_a_colleague_took_back_goes_with_the_act_and_does_not_come_back(
    relay: Relay, colleagues: tuple[Org, Author, Author, SignedItem, SignedItem]
) -> None:
    org, field, office, alert, cancel = colleagues
    stranger, beside = Author(3), field.says("beside", org=org.id)
    theirs = stranger.says("theirs", org=org.id, msg_type=MsgType.CANCEL, acts_on=[beside.id], sent=NOON + 1)
    receive(relay, [alert, beside, cancel, theirs])
    push_out(relay, office, org.id)
    push_out(relay, stranger, org.id)
    assert held(relay, [alert, beside, cancel, theirs]) == {beside.id}
    assert receive(relay, [alert]) == [Outcome.DECLINED]
    # Whoever was never lent the name has no such power.
    relay.store.remove([beside.id])
    assert receive(relay, [beside]) == [Outcome.NEW]


def test_what_a_colleague_took_back_before_it_came_stays_away_unless_the_colleague_is_revoked(
    relay: Relay, colleagues: tuple[Org, Author, Author, SignedItem, SignedItem]
) -> None:
    org, _, office, alert, cancel = colleagues
    receive(relay, [cancel])
    push_out(relay, office, org.id)
    assert receive(relay, [alert]) == [Outcome.DECLINED]
    receive(relay, [org.revokes(office.public)])
    assert receive(relay, [alert]) == [Outcome.NEW]


def test_what_was_ended_stays_away_while_the_clock_is_doubtful(relay: Relay) -> None:
    author = Author(1)
    alert = author.says("alert")
    cancel = author.says("cancel", msg_type=MsgType.CANCEL, acts_on=[alert.id], sent=NOON + 1)
    receive(relay, [alert, cancel])
    relay.store.let_go([cancel.header])
    (answer,) = relay.receive_many([alert.data], now=NOON + 2 * ACTS_FOR, doubtful=True)
    assert isinstance(answer, Receipt)
    assert (answer.outcome, answer.reason) == (Outcome.DECLINED, "room")


def test_who_holds_how_much_is_counted_right_and_anew(relay: Relay) -> None:
    items = [*said(Author(1), 7), *said(Author(2), 3)]
    receive(relay, items)
    relay.store.remove([items[0].id])

    def counted() -> list[tuple[int, int]]:
        found = relay.store.shares([Author(1).public, Author(2).public, bytes(32)])
        shares = [found.total, *found.of.values()]
        return [(share.items, share.bytes) for share in shares]

    sizes = [len(item.data) for item in items[1:]]
    expected = [(9, sum(sizes)), (6, sum(sizes[:6])), (3, sum(sizes[6:]))]
    assert sorted(counted()) == sorted(expected)
    relay.store._writer.execute("UPDATE authors SET items = 99, bytes = -1")
    relay.store._writer.execute("UPDATE state SET items = 5")
    relay.store.scrub()
    assert sorted(counted()) == sorted(expected)


def test_nothing_grows_below_the_floor_of_the_disk(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    receive(relay, said(Author(1), 40))
    monkeypatch.setattr("meshrelay.room._free", lambda path: 0)
    clinic = Author(9)
    anchor(relay, clinic)
    ours = said(clinic, 20)
    before = relay.store.usage().bytes
    receive(relay, ours)
    assert held(relay, ours)
    assert relay.store.usage().bytes <= before * 1.1


def test_the_reserve_takes_real_room_and_is_given_up(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve", size=1 << 20)
    assert reserve.make(leaving=0)
    found = (tmp_path / "reserve").stat()
    assert (found.st_size, found.st_mode & 0o777) == (1 << 20, 0o600)
    assert found.st_blocks * 512 >= 1 << 20
    reserve.give_up()
    reserve.give_up()
    assert not (tmp_path / "reserve").exists()
    assert not Reserve(tmp_path / "reserve", size=1 << 62).make(leaving=0)


def small_items(count: int) -> list[SignedItem]:
    return [item for number in range(count // 10) for item in said(Author(1000 + number), 10)]


SQUEEZED = """
import sys, resource, signal
from pathlib import Path
from tests.test_room import opened, receive, said, small_items, anchor, held, Author
from meshrelay.relay import Outcome

relay = opened(Path(sys.argv[1]), max_bytes=1 << 30)
clinic = Author(1)
anchor(relay, clinic)
ours, others = said(clinic, 40), small_items(2000)
assert receive(relay, ours) == [Outcome.NEW] * 40
kept, squeezed = [], 0
for at in range(0, len(others), 20):
    outcomes = receive(relay, others[at : at + 20])
    kept += [item for item, one in zip(others[at : at + 20], outcomes) if one is Outcome.NEW]
    if relay.room.full:
        squeezed += 1
    if squeezed > 3:
        break
assert relay.room.full, "never full"
assert held(relay, ours) == {item.id for item in ours}
assert relay.store.page(order="urgent", limit=5).rows
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
late = said(Author(77), 5)
assert receive(relay, late) == [Outcome.NEW] * 5
while relay.room.keep_house(relay.trust, now=1_760_000_000):
    pass
assert not relay.room.full
assert relay.room.eased
assert relay.store._writer.execute("PRAGMA integrity_check").fetchone() == ("ok",)
relay.close()
print("done")
"""


def test_a_disk_that_takes_no_more_costs_nothing_known_and_is_noticed_to_have_room_again(tmp_path: Path) -> None:
    """A limit on file sizes fails the write itself, as a full disk does."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))

    done = subprocess.run(
        [sys.executable, "-c", SQUEEZED, tmp_path],
        cwd=Path(__file__).parent.parent,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr


# A damaged file


def test_a_store_made_anew_keeps_what_is_whole_and_its_readers(relay: Relay) -> None:
    items = [*said(Author(1), 30), Author(2).revokes_itself()]
    receive(relay, items)
    store = relay.store
    _, cursor = store.keys()
    store._writer.execute("UPDATE envelopes SET data = zeroblob(9) WHERE n = 3")
    store.rebuild()
    assert held(relay, items) == {item.id for item in items} - {items[2].id}
    assert store.get_many([items[5].id]) == {items[5].id: items[5].data}
    assert store.headers([items[5].id])[items[5].id].received == NOON
    assert store.changes(cursor).reset
    assert receive(relay, items[2:3]) == [Outcome.NEW]
    assert store.path.with_name("store.db.damaged").exists()
    store.rebuild()
    assert held(relay, items) == {item.id for item in items}
    assert not store.path.with_name("store.db.damaged").exists()


def test_holes_in_a_file_cost_what_was_in_them_alone(relay: Relay) -> None:
    items = said(Author(1), 150)
    receive(relay, items)
    relay.store.shrink()
    path = relay.store.path
    data = bytearray(path.read_bytes())
    pages = range(0, len(data), 4096)
    # Leaf pages of the envelopes' table begin so, and hold the text of the bulletins.
    leaves = [at for at in pages if data[at] == 13 and data[at : at + 4096].count(b"dddddddd") > 50]
    for at in leaves[5:8]:
        data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    relay.store.rebuild()
    assert 120 < len(held(relay, items)) < 150


def test_a_rescue_that_was_cut_short_is_gone_on_with(relay: Relay, tmp_path: Path) -> None:
    items = said(Author(1), 20)
    receive(relay, items)
    path = relay.store.path
    relay.store.close()
    path.rename(path.with_name("store.db.salvage"))
    with closing(Store.open(path)) as store:
        store.put_many(items[:7], received=NOON)
        store.take_over()
        assert set(store.headers([item.id for item in items])) == {item.id for item in items}
        assert {one.name for one in path.parent.glob("store.db.*")} <= {"store.db.lock"}


def test_a_file_that_cannot_be_opened_makes_way_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreDamaged):
        Store.open(path)
    store = Store.rescue(path)
    assert store.usage().items == 0
    store.close()
    assert (tmp_path / "store.db.damaged").read_bytes() == b"no database" * 1000


# What is taken back


def test_what_was_taken_back_is_listed_as_long_as_something_ends_it(relay: Relay) -> None:
    author, stranger = Author(1), Author(2)
    one, other, third = author.says("one"), author.says("other"), author.says("third")
    cancel = author.says(msg_type=MsgType.CANCEL, acts_on=[one.id, other.id, bytes(32)])
    again = author.says(msg_type=MsgType.UPDATE, acts_on=[other.id])
    theirs = stranger.says(msg_type=MsgType.CANCEL, acts_on=[third.id])

    def listed() -> set[bytes]:
        page = relay.store.page(order="newest", limit=50, acted_on=True)
        return {held.header.id for held in page.rows}

    receive(relay, [cancel, theirs, one])
    assert listed() == {one.id}
    receive(relay, [other, third, again])
    assert listed() == {one.id, other.id}
    relay.store.remove([cancel.id])
    assert listed() == {other.id}
    relay.store.remove([again.id])
    assert listed() == set()


def test_what_colleagues_took_back_is_listed_as_long_as_one_of_them_ends_it(relay: Relay) -> None:
    org, other = b"o" * 32, b"p" * 32
    cap = CapReference("sender", "1", "2031-03-14T10:00:00+00:00")
    alert, made = Author(1).says("by id", org=org), Author(1).says("by name", org=org, cap=cap)
    beside = Author(2).says("of another name", org=other, cap=cap)

    def ends(author: Author, org: bytes) -> SignedItem:
        own = CapReference("sender", "2", "2031-03-14T11:00:00+00:00")
        return author.says(msg_type=MsgType.CANCEL, org=org, cap=own, cap_references=[cap], acts_on=[alert.id])

    def listed() -> set[bytes]:
        page = relay.store.page(order="newest", limit=50, acted_on=True)
        return {held.header.id for held in page.rows}

    first, second, stranger = ends(Author(3), org), ends(Author(4), org), ends(Author(5), other)
    receive(relay, [first, alert, made, beside, second])
    assert listed() == {alert.id, made.id}
    receive(relay, [stranger])
    assert listed() == {alert.id, made.id, beside.id}
    relay.store.remove([first.id])
    assert listed() == {alert.id, made.id, beside.id}
    relay.store.remove([second.id])
    assert listed() == {beside.id}
    relay.store.remove([stranger.id])
    assert listed() == set()


def test_known_senders_make_way_only_when_of_many_small_strangers_none_is_left(relay: Relay) -> None:
    clinic, other = Author(1), Author(2)
    anchor(relay, clinic, other)
    ours = [*said(clinic, 60), *said(other, 10)]
    receive(relay, ours)
    strangers = [item for number in range(90) for item in said(Author(1000 + number), 1)]
    receive(relay, strangers)
    path = relay.store.path.parent
    smaller = opened(path, max_bytes=relay.store.usage().bytes)
    more = said(other, 20, sent=NOON + 100)
    assert receive(smaller, more) == [Outcome.NEW] * 20
    assert held(smaller, [*ours, *more]) == {item.id for item in [*ours, *more]}
    smaller.close()


def test_for_spare_room_strangers_make_way_before_what_is_expired_of_known_senders(tmp_path: Path) -> None:
    relay = opened(tmp_path, max_bytes=1 << 26)
    clinic = Author(1)
    anchor(relay, clinic)
    expired = said(clinic, 60, sent=NOON - 3 * DAY, size=10)
    receive(relay, expired)
    strangers = [Author(1000 + number).says(description="d" * 50_000) for number in range(120)]
    receive(relay, strangers)
    used = relay.store.usage().bytes
    relay.close()
    relay = opened(tmp_path, max_bytes=used * 6 // 10)
    rounds = 0
    while relay.room.keep_house(relay.trust, now=NOON):
        rounds += 1
        assert len(held(relay, expired)) == 60 or not held(relay, strangers)
    assert rounds < 10
    assert len(held(relay, expired)) == 60
    assert relay.store.usage().bytes <= used * 6 // 10
    relay.close()


# Shares by link

DIALLED, CALLER = Source(Way.DIALLED, "10.0.0.1"), Source(Way.CALLED, "10.0.0.2")


def counted(relay: Relay) -> dict[Way, int]:
    found = Counter[Way]()
    for through in relay.store.links().values():
        found[through.way] += through.share.items
    return {way: count for way, count in found.items() if count}


def hears(relay: Relay, items: list[SignedItem], source: Source) -> list[Outcome]:
    answers = relay.receive_many([item.data for item in items], now=NOON, source=source)
    return [answer.outcome for answer in answers if isinstance(answer, Receipt)]


def test_what_unknown_senders_said_is_counted_by_link_as_long_as_they_are_unknown(relay: Relay) -> None:
    author, other = Author(1), Author(2)
    items = said(author, 5)
    hears(relay, items[:3], DIALLED)
    hears(relay, items, CALLER)
    hears(relay, said(other, 4), READERS)
    assert counted(relay) == {Way.DIALLED: 3, Way.CALLED: 2, Way.UPLOADED: 4}
    anchor(relay, author)
    while relay.room.keep_house(relay.trust, now=NOON):
        pass
    assert counted(relay) == {Way.UPLOADED: 4}
    hears(relay, said(author, 4), CALLER)
    assert counted(relay) == {Way.UPLOADED: 4}
    relay.local.remove_anchor(author.public)
    relay.refresh()
    while relay.room.keep_house(relay.trust, now=NOON):
        pass
    assert counted(relay) == {Way.DIALLED: 9, Way.UPLOADED: 4}  # the operator's


def test_the_disk_has_a_number_for_a_link_that_no_address_and_no_other_run_leads_to(tmp_path: Path) -> None:
    numbers = set[int]()
    for run in range(2):
        relay = opened(tmp_path)
        hears(relay, said(Author(1 + run), 3), CALLER)
        numbers |= relay.store.links().keys()
        relay.store.shrink()
        relay.close()
    assert len(numbers) == 2
    assert not any(number < 1 << 32 for number in numbers)
    assert CALLER.name.encode() not in (tmp_path / "store.db").read_bytes()


def test_a_copy_has_no_number_of_any_link(relay: Relay, tmp_path: Path) -> None:
    hears(relay, said(Author(1), 3), CALLER)
    relay.store.copy_to(tmp_path / "copy.db")
    copy = Store.open(tmp_path / "copy.db")
    assert (copy.links(), copy.usage().items) == ({}, 3)
    copy.close()


def test_what_is_counted_by_link_is_counted_anew_where_it_was_damaged(relay: Relay) -> None:
    hears(relay, said(Author(1), 7), DIALLED)
    hears(relay, said(Author(2), 2), CALLER)
    relay.store._writer.execute("UPDATE parts SET items = 99")
    relay.store._writer.execute("UPDATE links SET bytes = -3")
    relay.store.scrub()
    assert counted(relay) == {Way.DIALLED: 7, Way.CALLED: 2}


def test_what_unknown_senders_said_is_in_the_pool_again_after_a_store_was_made_anew(relay: Relay) -> None:
    clinic = Author(9)
    anchor(relay, clinic)
    ours = said(clinic, 5)
    receive(relay, ours)
    for number in range(2):
        hears(relay, said(Author(1 + number), 100, size=10), CALLER)
    relay.store.rebuild()
    relay.refresh()
    while relay.room.keep_house(relay.trust, now=NOON):
        pass
    assert counted(relay) == {Way.DIALLED: 200}  # the operator's
    assert held(relay, ours) == {item.id for item in ours}


def test_what_came_by_a_link_whose_count_was_lost_is_in_the_pool_still(relay: Relay) -> None:
    hears(relay, said(Author(1), 7), DIALLED)
    hears(relay, said(Author(2), 2), CALLER)
    relay.store._writer.execute("DELETE FROM links WHERE way = 'dialled'")
    relay.store.scrub()
    while relay.room.keep_house(relay.trust, now=NOON):
        pass
    assert counted(relay) == {Way.DIALLED: 7, Way.CALLED: 2}


def test_a_flood_from_relays_that_dialled_costs_a_dialled_ones_senders_nothing(relay: Relay) -> None:
    for number in range(60):
        hears(relay, said(Author(1000 + number), 10), Source(Way.CALLED, f"10.1.0.{number}"))
    honest = [said(Author(number), 8) for number in range(1, 9)]
    for items in honest:
        assert hears(relay, items, DIALLED) == [Outcome.NEW] * 8
    for number in range(60):
        hears(relay, said(Author(2000 + number), 10), Source(Way.CALLED, f"10.2.0.{number}"))
    everything = [item for items in honest for item in items]
    assert held(relay, everything) == {item.id for item in everything}
    assert relay.store.usage().bytes <= SMALL


def test_known_senders_find_room_where_the_pool_is_shared_by_many_links_that_hold_little(relay: Relay) -> None:
    clinics = [Author(number) for number in (1, 2, 3, 4)]
    for number in range(400):
        hears(relay, said(Author(1000 + number), 1), Source(Way.CALLED, f"10.1.{number // 250}.{number % 250}"))
    anchor(relay, *clinics)
    for clinic in clinics:
        ours = said(clinic, 90)
        assert receive(relay, ours) == [Outcome.NEW] * 90
        assert len(held(relay, ours)) == 90
