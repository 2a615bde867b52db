from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from meshrelay.core.admission import admit, sign
from meshrelay.core.bulletin import (
    ACTS_FOR,
    MAX_LIFE,
    MAX_LIVE,
    UNSIGNED,
    Area,
    Bulletin,
    CapReference,
    Category,
    Chain,
    MsgType,
    Response,
    Severity,
    Text,
    Urgency,
)
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem, open_envelope, seal
from meshrelay.core.keys import digits
from meshrelay.core.statements import Revocation
from meshrelay.core.trust import Anchor, Author, How, Standing
from meshrelay.core.withdrawal import withdrawal
from meshrelay.errors import InvalidItem, NotFound, Reason, Refusal, StoreFull
from meshrelay.keyring import Keyring
from meshrelay.listing import GONE, Lane, Query, Shown
from meshrelay.local import Local, Waiting
from meshrelay.relay import FUTURE_LIMIT, Outcome, Receipt, Relay
from meshrelay.store import Store
from tests.bench.relay import held_memory
from tests.processes import made_items
from tests.store.making import Author as Writer

NOON = 1_760_000_000
DAY = 86_400
NOW = Clock(NOON + 60)
ANY = Query(standings=frozenset())


def open_relay(folder: Path, *, max_bytes: int | None = None) -> Relay:
    return Relay(
        Store.open(folder / "store.db", max_bytes=max_bytes),
        Local.open(folder / "local.db"),
        Keyring(folder / "keys"),
    )


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    opened = open_relay(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clinic() -> Writer:
    return Writer(1)


def draft(headline: str = "Water rises", *, life: int = DAY, **rest: object) -> Bulletin:
    texts = (Text("en", "Flood", headline),)
    return Bulletin(NOON, NOON + life, UNSIGNED, texts, **rest)  # type: ignore[arg-type]


def anchor(relay: Relay, writer: Writer, petname: str = "Clinic") -> None:
    relay.local.add_anchor(Anchor(writer.public, petname, NOON))
    relay.refresh()


def receive(relay: Relay, *items: SignedItem, now: int = NOW.now) -> list[Outcome]:
    answers = relay.receive_many([item.data for item in items], now=now)
    return [answer.outcome for answer in answers if isinstance(answer, Receipt)]


def headlines(relay: Relay, query: Query = ANY, clock: Clock = NOW) -> list[str]:
    return [one.bulletin.texts[0].headline for one in relay.bulletins(query, clock).shown]


def standings(relay: Relay, *items: SignedItem, clock: Clock = NOW) -> list[Standing]:
    return [relay.bulletin(item.id, clock).verdict.standing for item in items]


# Receiving


def test_an_item_is_new_once_and_known_afterwards(relay: Relay, clinic: Writer) -> None:
    item = clinic.says()
    assert relay.receive(item.data, now=NOON) == Receipt(Outcome.NEW, item.header)
    assert relay.receive(item.data, now=NOON + 1) == Receipt(Outcome.KNOWN, item.header)
    assert relay.bulletin(item.id, NOW).received == NOON


def test_answers_come_in_the_order_of_what_was_given(relay: Relay, clinic: Writer) -> None:
    blocked = Writer(2)
    relay.local.block(blocked.public, now=NOON)
    relay.refresh()
    new, known, refused = clinic.says("new"), clinic.says("known"), blocked.says("refused")
    relay.receive(known.data, now=NOON)
    answers = relay.receive_many([b"junk", new.data, refused.data, known.data, new.data, b""], now=NOON)
    assert isinstance(answers[0], InvalidItem)
    assert answers[1:5] == (
        Receipt(Outcome.NEW, new.header),
        Receipt(Outcome.DECLINED, refused.header, "block"),
        Receipt(Outcome.KNOWN, known.header),
        Receipt(Outcome.KNOWN, new.header),
    )
    assert isinstance(answers[5], InvalidItem)
    assert relay.receive_many([], now=NOON) == ()


def test_a_large_batch_is_answered_like_a_small_one(relay: Relay, clinic: Writer) -> None:
    items = [clinic.says(str(number)) for number in range(80)]
    datas = [item.data for item in items]
    datas[7] = datas[7][:-1]
    answers = relay.receive_many(datas, now=NOON)
    assert isinstance(answers[7], InvalidItem)
    assert [answer.header for answer in answers if isinstance(answer, Receipt)] == [
        item.header for item in items if item is not items[7]
    ]
    assert relay.store.usage().items == 79


def test_one_message_with_two_signatures_is_one_item(relay: Relay, clinic: Writer) -> None:
    item = clinic.says()
    parts = open_envelope(item.data)
    other = seal(item.author, parts.payload, bytes(64))
    with pytest.raises(InvalidItem) as refusal:
        relay.receive(other, now=NOON)
    assert refusal.value.reason is Reason.SIGNATURE
    assert receive(relay, item, item) == [Outcome.NEW, Outcome.KNOWN]


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), at=st.integers(0, 400), as_item=st.booleans())
def test_no_bytes_make_receiving_fail_in_another_way(
    relay: Relay, clinic: Writer, data: bytes, at: int, as_item: bool
) -> None:
    if as_item:
        whole = clinic.says().data
        data = whole[:at] + data + whole[at + len(data) :]
    try:
        relay.receive(data, now=NOON)
    except InvalidItem:
        return
    assert admit(data).data == data


@pytest.mark.parametrize(
    ("sent", "now", "reason"),
    [
        (NOON, NOON + ACTS_FOR - 1, ""),
        (NOON, NOON + ACTS_FOR, "age"),
        (NOON + FUTURE_LIMIT, NOON, ""),
        (NOON + FUTURE_LIMIT + 1, NOON, "time"),
    ],
)
def test_items_too_old_or_too_far_ahead_are_declined(
    relay: Relay, clinic: Writer, sent: int, now: int, reason: str
) -> None:
    answer = relay.receive(clinic.says(sent=sent).data, now=now)
    assert (answer.outcome, answer.reason) == (Outcome.DECLINED if reason else Outcome.NEW, reason)


def test_an_anchored_author_may_be_dated_far_ahead(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    assert receive(relay, clinic.says(sent=NOON + 2 * FUTURE_LIMIT), now=NOON) == [Outcome.NEW]


def test_statements_about_keys_are_never_too_old(relay: Relay, clinic: Writer) -> None:
    assert receive(relay, clinic.revokes_itself(sent=NOON - 10 * FUTURE_LIMIT)) == [Outcome.NEW]


def test_without_room_an_item_is_declined_and_what_is_held_stays_known(tmp_path: Path, clinic: Writer) -> None:
    relay = open_relay(tmp_path, max_bytes=400_000)
    items = [clinic.says(str(number), description="d" * 2000) for number in range(300)]
    held = set()
    for start in range(0, 300, 20):
        batch = items[start : start + 20]
        for item, answer in zip(batch, relay.receive_many([item.data for item in batch], now=NOON), strict=True):
            assert isinstance(answer, Receipt)
            if answer.outcome is Outcome.DECLINED:
                assert answer.reason == "room"
            else:
                held.add(item.id)
    assert 0 < len(held) < 300
    assert held == set(relay.store.headers([item.id for item in items]))
    large = clinic.says("large", description="d" * 50_000)
    again = relay.receive_many([items[0].data, large.data], now=NOON)
    assert again == (Receipt(Outcome.KNOWN, items[0].header), Receipt(Outcome.DECLINED, large.header, "room"))
    relay.close()


def test_receiving_keeps_nothing_in_memory_for_each_item(relay: Relay) -> None:
    datas = [item.data for item in made_items(1_000, now=NOON, keys=10)]
    after_250, after_all, _ = held_memory(relay, datas)
    assert after_all - after_250 < sum(map(len, datas)) // 4


# Update and Cancel


def story(writer: Writer) -> list[SignedItem]:
    """Return an Alert, an Update of it, an Update of that, and a Cancel of the last."""
    items = [writer.says("alert")]
    for number, msg_type in enumerate((MsgType.UPDATE, MsgType.UPDATE, MsgType.CANCEL), start=1):
        items.append(writer.says(str(msg_type), sent=NOON + number, msg_type=msg_type, acts_on=[items[-1].id]))
    return items


def test_update_and_cancel_act_whichever_came_first(relay: Relay) -> None:
    for number, order in enumerate(permutations(range(4)), start=1):
        items = story(Writer(number))
        for place in order:
            relay.receive(items[place].data, now=NOW.now)
        assert standings(relay, *items) == [Standing.CANCELLED] * 3 + [Standing.LIVE]
        by = relay.bulletin(items[0].id, NOW).by
        assert [item.id for item in by] == [item.id for item in reversed(items[1:])]
    assert headlines(relay, Query()) == []


def test_without_the_cancel_the_last_update_is_what_holds(relay: Relay, clinic: Writer) -> None:
    items = story(clinic)[:3]
    receive(relay, *reversed(items))
    assert standings(relay, *items) == [Standing.SUPERSEDED, Standing.SUPERSEDED, Standing.LIVE]


def test_a_stranger_ends_nothing(relay: Relay, clinic: Writer) -> None:
    alert = clinic.says("alert")
    receive(relay, alert, Writer(2).says("no", msg_type=MsgType.CANCEL, acts_on=[alert.id]))
    assert standings(relay, alert) == [Standing.LIVE]


def test_imported_updates_find_each_other_by_the_messages_they_came_from(relay: Relay, clinic: Writer) -> None:
    triples = [CapReference("met@example.org", str(number), "2026-01-01T00:00:00+00:00") for number in range(3)]
    alert = clinic.says("alert", cap=triples[0])
    update = clinic.says("update", msg_type=MsgType.UPDATE, cap=triples[1], cap_references=triples[:1])
    cancel = clinic.says("cancel", msg_type=MsgType.CANCEL, cap=triples[2], cap_references=triples[1:2])
    receive(relay, cancel, update, alert)
    assert standings(relay, alert, update, cancel) == [Standing.CANCELLED, Standing.CANCELLED, Standing.LIVE]


def test_a_cancel_that_came_long_before_its_target_still_ends_it(relay: Relay, clinic: Writer) -> None:
    alert = clinic.says("alert", life=90 * DAY)
    cancel = clinic.says("cancel", msg_type=MsgType.CANCEL, acts_on=[alert.id], life=1)
    receive(relay, cancel)
    receive(relay, alert, now=NOON + 50 * DAY)
    assert standings(relay, alert, clock=Clock(NOON + 50 * DAY)) == [Standing.CANCELLED]


# Trust


def test_a_revocation_that_arrives_strikes_at_once(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    alert = clinic.says("alert")
    cancel = clinic.says("cancel", msg_type=MsgType.CANCEL, acts_on=[alert.id])
    receive(relay, alert, cancel)
    assert relay.bulletin(alert.id, NOW).verdict.standing is Standing.CANCELLED
    receive(relay, clinic.revokes_itself())
    struck = relay.bulletin(alert.id, NOW).verdict
    assert (struck.author, struck.known, struck.standing) == (Author.REVOKED, False, Standing.LIVE)
    assert relay.trust.known == frozenset()


def test_a_revocation_counts_whatever_came_first_and_after_a_restart(tmp_path: Path, clinic: Writer) -> None:
    relay = open_relay(tmp_path)
    alert = clinic.says("alert")
    receive(relay, clinic.revokes_itself(), alert)
    relay.close()
    relay = open_relay(tmp_path)
    assert relay.bulletin(alert.id, NOW).verdict.author is Author.REVOKED
    relay.close()


def test_what_a_revocation_calls_good_stays_in_the_first_lane(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    good, bad = clinic.says("good"), clinic.says("bad")
    receive(relay, good, bad, sign(Revocation(NOON, clinic.public, (good.id,)), clinic.key))
    assert headlines(relay, Query(lane=Lane.KNOWN)) == ["good"]
    assert headlines(relay, Query(lane=Lane.UNKNOWN)) == ["bad"]


def test_lanes_tell_known_senders_from_the_rest(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    relay.keyring.new("me", now=NOON)
    relay.publish(draft("mine"), "me", now=NOON)
    receive(relay, clinic.says("clinic"), Writer(2).says("stranger"))
    assert sorted(headlines(relay, Query(lane=Lane.KNOWN))) == ["clinic", "mine"]
    assert headlines(relay, Query(lane=Lane.UNKNOWN)) == ["stranger"]
    assert len(headlines(relay, Query())) == 3


def test_waiting_digits_become_an_anchor_when_the_key_arrives(relay: Relay, clinic: Writer) -> None:
    relay.local.add_waiting(Waiting(digits(clinic.public), "Clinic", NOON))
    receive(relay, Writer(2).says("stranger"))
    assert relay.local.anchors() == ()
    alert = clinic.says("alert")
    receive(relay, alert, now=NOON + 5)
    assert relay.local.anchors() == (Anchor(clinic.public, "Clinic", NOON + 5, How.DIGITS),)
    assert relay.local.waiting() == ()
    assert relay.bulletin(alert.id, NOW).verdict.petname == "Clinic"


def test_a_blocked_author_is_neither_taken_nor_believed(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    alert = clinic.says("alert")
    receive(relay, alert)
    relay.local.block(clinic.public, now=NOON)
    relay.refresh()
    assert receive(relay, clinic.says("more"), clinic.revokes_itself()) == [Outcome.DECLINED] * 2
    assert relay.bulletin(alert.id, NOW).verdict.author is Author.BLOCKED
    assert headlines(relay, Query(lane=Lane.KNOWN)) == []


# Publishing


@pytest.fixture
def publish(relay: Relay) -> Callable[..., SignedItem]:
    relay.keyring.new("me", now=NOON)

    def made(headline: str = "Water rises", *, now: int = NOON, **rest: object) -> SignedItem:
        return relay.publish(draft(headline, **rest), "me", now=now)  # type: ignore[arg-type]

    return made


def chain_of(item: SignedItem) -> Chain:
    assert isinstance(item.body, Bulletin)
    return item.body.chain


def test_publishing_numbers_a_stream_without_a_gap(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    items = [publish(str(number), now=NOON + number) for number in range(5)]
    chains = [chain_of(item) for item in items]
    assert [chain.seq for chain in chains] == [1, 2, 3, 4, 5]
    assert len({chain.stream for chain in chains}) == 1
    assert [chain.prev for chain in chains] == [None, *[item.id for item in items[:-1]]]
    assert [chain.live for chain in chains] == [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]


def test_what_was_published_is_held_and_own(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    item = publish(now=NOON + 3)
    one = relay.bulletin(item.id, NOW)
    assert (one.verdict.author, one.verdict.petname, one.bulletin.sent) == (Author.OWN, "me", NOON + 3)
    assert relay.receive(item.data, now=NOON) == Receipt(Outcome.KNOWN, item.header)


def test_a_draft_that_is_refused_uses_up_no_number(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    with pytest.raises(Refusal) as refusal:
        publish(life=MAX_LIFE + 1)
    assert refusal.value.hint
    assert chain_of(publish()).seq == 1


def test_a_key_that_is_revoked_publishes_no_more(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    publish()
    relay.receive(relay.keyring.revocation_path("me").read_bytes(), now=NOON)
    with pytest.raises(Refusal, match="revoked"):
        publish()


def test_live_names_what_is_neither_ended_nor_expired(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    kept, short, replaced = publish("kept"), publish("short", life=10), publish("replaced")
    withdrawn = publish("withdrawn")
    update = publish("update", msg_type=MsgType.UPDATE, references=(replaced.id,))
    cancel = relay.publish(withdrawal(withdrawn, now=NOON), "me", now=NOON)
    last = publish("last", now=NOON + 10, life=DAY)
    number = {item.id: chain_of(item).seq for item in (kept, short, replaced, withdrawn, update, cancel)}
    assert chain_of(update).live == (number[kept.id], number[short.id], number[withdrawn.id])
    assert chain_of(last).live == (number[kept.id], number[update.id], number[cancel.id])


def test_live_is_about_this_stream_of_this_key_alone(
    relay: Relay, publish: Callable[..., SignedItem], clinic: Writer
) -> None:
    relay.keyring.new("office", now=NOON)
    relay.publish(draft(), "office", now=NOON)
    receive(relay, clinic.says())
    assert chain_of(publish()).live == ()


def test_live_names_the_newest_64(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    key = relay.keyring.get("me")
    with relay.keyring.signing("me") as signer:
        stream, secret = signer.stream, signer.key
    items = [
        sign(dataclasses.replace(draft(), sent=NOON + seq, expires=NOON + DAY, chain=Chain(stream, seq)), secret)
        for seq in range(1, MAX_LIVE + 7)
    ]
    receive(relay, *items)
    assert items[0].author == key.public
    chain = chain_of(publish(now=NOON + 100))
    assert chain.seq == MAX_LIVE + 7
    assert chain.live == tuple(range(7, MAX_LIVE + 7))


def test_a_number_that_two_ids_share_does_not_silence_the_key(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    first = publish("first")
    assert isinstance(first.body, Bulletin)
    with relay.keyring.signing("me") as signer:
        fork = sign(dataclasses.replace(first.body, note="restored elsewhere"), signer.key)
    assert receive(relay, fork) == [Outcome.NEW]
    assert chain_of(publish("second")).live == (1,)


def test_a_lost_mark_begins_a_new_stream(relay: Relay, publish: Callable[..., SignedItem], tmp_path: Path) -> None:
    first = publish()
    (tmp_path / "keys" / "me.mark").unlink()
    second = publish()
    assert chain_of(second).stream != chain_of(first).stream
    assert (chain_of(second).seq, chain_of(second).prev) == (1, None)


def test_a_mark_that_is_behind_what_is_held_takes_no_number_twice(
    relay: Relay, publish: Callable[..., SignedItem], tmp_path: Path
) -> None:
    mark = tmp_path / "keys" / "me.mark"
    old = mark.read_bytes()
    taken = [chain_of(publish()).seq, chain_of(publish()).seq]
    mark.write_bytes(old)
    assert chain_of(publish()).seq not in taken


def test_a_number_is_not_given_again_when_its_item_is_gone(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    first = publish()
    relay.store.remove([first.id])
    second = publish()
    assert (chain_of(second).seq, chain_of(second).prev) == (2, None)


_PUBLISH_100 = """
import sys
from pathlib import Path
from tests.test_relay import NOON, draft, open_relay

relay = open_relay(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(100):
    item = relay.publish(draft(), "me", now=NOON)
    print(item.header.stream.hex(), item.header.seq)
relay.close()
"""


def test_two_processes_take_200_numbers_and_none_twice(relay: Relay, tmp_path: Path) -> None:
    relay.keyring.new("me", now=NOON)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PUBLISH_100, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    taken = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=50)
        assert process.returncode == 0
        taken += output.splitlines()
    assert len(set(taken)) == 200
    assert sorted(int(line.split()[1]) for line in taken) == list(range(1, 201))


def test_a_withdrawal_says_again_which_bulletin_it_was(relay: Relay, publish: Callable[..., SignedItem]) -> None:
    item = publish("Bridge closed", life=3600)
    cancel = relay.publish(withdrawal(item, now=NOON + 5, note="open again"), "me", now=NOON + 5)
    assert isinstance(cancel.body, Bulletin)
    assert cancel.body.texts == item.body.texts  # type: ignore[union-attr]
    assert (cancel.body.note, cancel.body.expires) == ("open again", NOON + 5 + DAY)
    assert standings(relay, item) == [Standing.CANCELLED]


GRAVE = {"severity": Severity.EXTREME, "urgency": Urgency.IMMEDIATE, "responses": (Response.EVACUATE,)}


def test_what_a_withdrawal_only_repeats_it_does_not_say_itself(
    relay: Relay, publish: Callable[..., SignedItem]
) -> None:
    item = publish("Leave the valley", **GRAVE)
    cancel = relay.publish(withdrawal(item, now=NOON + 5), "me", now=NOON + 5)
    said = relay.bulletin(cancel.id, NOW).own
    assert not said.words
    assert [text.headline for text in said.bulletin.texts] == ["Leave the valley"]
    left = said.bulletin
    assert (left.severity, left.urgency, left.responses) == (Severity.UNKNOWN, Urgency.UNKNOWN, ())
    assert relay.bulletin(item.id, NOW).end == said


def test_what_a_withdrawal_says_in_words_of_its_own_is_told_from_what_it_repeats(
    relay: Relay, publish: Callable[..., SignedItem]
) -> None:
    item = publish("Leave the valley", **GRAVE)
    texts = (
        Text("en", "Flood", "Leave the valley"),
        Text("ru", "Flood", "Плотина цела", "", "Возвращайтесь домой."),
    )
    draft_ = dataclasses.replace(
        withdrawal(item, now=NOON + 5), texts=texts, responses=(Response.EVACUATE, Response.ALL_CLEAR)
    )
    cancel = relay.publish(draft_, "me", now=NOON + 5)
    said = relay.bulletin(cancel.id, NOW).own
    assert said.words
    assert said.bulletin.texts == texts[1:]
    assert said.bulletin.responses == (Response.ALL_CLEAR,)
    assert relay.bulletin(item.id, NOW).end == said


def test_a_withdrawal_of_what_is_not_held_is_taken_to_repeat_it(relay: Relay, clinic: Writer) -> None:
    alert = clinic.says("Leave the valley")
    cancel = clinic.says("Leave the valley", msg_type=MsgType.CANCEL, acts_on=[alert.id])
    receive(relay, cancel)
    assert not relay.bulletin(cancel.id, NOW).own.words


# Lists


def test_a_list_begins_with_the_most_pressing(relay: Relay, clinic: Writer) -> None:
    receive(
        relay,
        clinic.says("minor", severity=Severity.MINOR, sent=NOON + 9),
        clinic.says("later", severity=Severity.EXTREME, urgency=Urgency.FUTURE),
        clinic.says("now", severity=Severity.EXTREME, urgency=Urgency.IMMEDIATE),
    )
    assert headlines(relay) == ["now", "later", "minor"]
    assert headlines(relay, dataclasses.replace(ANY, newest_first=True))[0] == "minor"


def test_a_list_shows_what_was_asked_for(relay: Relay, clinic: Writer) -> None:
    alert, live = clinic.says("alert"), clinic.says("live")
    cancel = clinic.says("Cancel", msg_type=MsgType.CANCEL, acts_on=[alert.id])
    ended = clinic.says("ended", life=30)
    coming = clinic.says("coming", sent=NOW.now + DAY)
    receive(relay, alert, cancel, live, ended, coming)
    assert headlines(relay, Query()) == ["live"]
    assert headlines(relay, Query(standings=frozenset({Standing.EXPIRED}))) == ["ended"]
    assert sorted(headlines(relay, Query(standings=frozenset({Standing.NOT_YET})))) == ["coming"]
    assert sorted(headlines(relay, ANY)) == ["alert", "coming", "ended", "live"]
    assert "Cancel" in headlines(relay, dataclasses.replace(ANY, cancels=True))


def test_what_is_effective_later_is_announced_and_no_alarm_until_then(relay: Relay, clinic: Writer) -> None:
    anchor(relay, clinic)
    item = clinic.says("tomorrow", severity=Severity.EXTREME, effective=NOW.now + DAY // 2)
    receive(relay, item)
    (shown,) = relay.bulletins(Query(), NOW).shown
    assert (shown.verdict.standing, shown.verdict.alarms) == (Standing.ANNOUNCED, False)
    assert headlines(relay, Query(standings=frozenset({Standing.ANNOUNCED}))) == ["tomorrow"]
    (shown,) = relay.bulletins(Query(), Clock(NOW.now + DAY // 2)).shown
    assert (shown.verdict.standing, shown.verdict.alarms) == (Standing.LIVE, True)
    receive(relay, clinic.says("Cancel", msg_type=MsgType.CANCEL, acts_on=[item.id]))
    assert standings(relay, item) == [Standing.CANCELLED]


def test_cancelled_bulletins_are_listed_before_they_expire(relay: Relay, clinic: Writer) -> None:
    alert, update, _, _ = story(clinic)
    other = clinic.says("other")
    cancel = clinic.says("Cancel", msg_type=MsgType.CANCEL, acts_on=[other.id])
    receive(relay, alert, update, other, cancel)
    assert headlines(relay, Query(standings=frozenset({Standing.CANCELLED}))) == ["other"]
    gone = Query(standings=GONE)
    assert sorted(headlines(relay, gone)) == ["alert", "other"]


def test_with_a_doubtful_clock_nothing_is_left_out_as_expired(relay: Relay, clinic: Writer) -> None:
    receive(relay, clinic.says("ended", life=30))
    assert headlines(relay, Query(), Clock(NOON + 900 * DAY, doubtful=True)) == ["ended"]


def test_pages_of_a_list_hold_everything_once(relay: Relay, clinic: Writer) -> None:
    receive(relay, *[clinic.says(str(number), life=DAY if number % 3 else 1) for number in range(40)])
    query, found = Query(limit=7), list[Shown]()
    while True:
        listing = relay.bulletins(query, NOW)
        found += listing.shown
        assert len(listing.shown) <= 7
        if listing.next is None:
            break
        query = dataclasses.replace(query, after=listing.next)
    assert sorted(int(one.bulletin.texts[0].headline) for one in found) == [n for n in range(40) if n % 3]


def walked(relay: Relay, query: Query) -> list[Shown]:
    found = list[Shown]()
    while True:
        listing = relay.bulletins(query, NOW)
        found += listing.shown
        if listing.next is None:
            return found
        query = dataclasses.replace(query, after=listing.next)


def repeating(writer: Writer, count: int) -> list[SignedItem]:
    """Return so many Updates of one bulletin, each naming as many of those before as it can, and that bulletin."""
    items = [writer.says("0")]
    for number in range(1, count + 1):
        named = [one.id for one in items[-64:]]
        items.append(writer.says(str(number), msg_type=MsgType.UPDATE, acts_on=named, sent=NOON + number % 60))
    return items


@pytest.mark.parametrize("most_acts", [1, 10, 10_000])
def test_a_list_that_has_read_enough_is_gone_on_with_where_it_ended(
    relay: Relay, clinic: Writer, monkeypatch: pytest.MonkeyPatch, most_acts: int
) -> None:
    monkeypatch.setattr("meshrelay.listing.MOST_ACTS", most_acts)
    other = Writer(2)
    receive(relay, *repeating(clinic, 20), *[other.says("other") for _ in range(5)])
    for limit in (1, 3, 50):
        live = [one.bulletin.texts[0].headline for one in walked(relay, Query(limit=limit))]
        assert sorted(live) == ["20", *["other"] * 5]
        everything = [one.header.id for one in walked(relay, Query(standings=frozenset(), limit=limit))]
        assert len(everything) == len(set(everything)) == 26


def test_many_updates_by_a_few_strangers_do_not_slow_a_list(relay: Relay) -> None:
    for number in range(2):
        receive(relay, *repeating(Writer(number), 150))
    begun = time.process_time()
    assert headlines(relay, Query(limit=20)) == ["150"] * 2
    assert time.process_time() - begun < 1  # a tenth of it on an idle machine


def test_a_list_can_be_narrowed(relay: Relay, clinic: Writer) -> None:
    receive(relay, clinic.says("north", area="North Bank"))
    receive(relay, clinic.says("south", area="South Bank"), now=NOW.now + 10)
    kazakh = Bulletin(NOON, NOON + DAY, UNSIGNED, (Text("kk-KZ", "Су", "kk"),), categories=(Category.MET,))
    relay.keyring.new("me", now=NOON)
    relay.publish(dataclasses.replace(kazakh, areas=(Area((("kk", "Көше"),)),)), "me", now=NOON)
    assert headlines(relay, Query(area="north")) == ["north"]
    assert sorted(headlines(relay, Query(area="bank"))) == ["north", "south"]
    assert headlines(relay, Query(area="КӨШЕ")) == ["kk"]
    assert headlines(relay, Query(language="KK")) == ["kk"]
    assert headlines(relay, Query(category="met")) == ["kk"]
    assert headlines(relay, Query(since=NOW.now + 10)) == ["south"]


def test_search_finds_what_was_made_searchable(relay: Relay, clinic: Writer) -> None:
    receive(relay, clinic.says("Bridge closed"), clinic.says("School open"))
    while relay.store.index_backlog(100):
        pass
    assert [one.bulletin.texts[0].headline for one in relay.search("bridge", NOW)] == ["Bridge closed"]


def test_a_unique_beginning_of_an_id_finds_it(relay: Relay, clinic: Writer) -> None:
    items = [clinic.says(str(number)) for number in range(20)]
    receive(relay, *items)
    assert relay.find(items[0].id.hex().upper()) == items[0].id
    for prefix, message in (("", "nothing"), ("zz", "no item"), ("0" * 64, "no item")):
        with pytest.raises(NotFound, match=message):
            relay.find(prefix)
    first_digits = [item.id.hex()[0] for item in items]
    shared = next(digit for digit in first_digits if first_digits.count(digit) > 1)
    with pytest.raises(NotFound, match="several"):
        relay.find(shared)


def test_a_statement_is_no_bulletin(relay: Relay, clinic: Writer) -> None:
    statement = clinic.revokes_itself()
    receive(relay, statement)
    for missing in (statement.id, bytes(32)):
        with pytest.raises(NotFound):
            relay.bulletin(missing, NOW)
    with pytest.raises(ValueError, match="only a bulletin"):
        withdrawal(statement, now=NOON)


def test_publishing_without_room_is_refused(tmp_path: Path) -> None:
    relay = open_relay(tmp_path, max_bytes=200_000)
    relay.keyring.new("me", now=NOON)
    long = dataclasses.replace(draft(), note="n" * 30_000)

    def fill() -> None:
        for _ in range(20):
            relay.publish(long, "me", now=NOON)

    with pytest.raises(StoreFull):
        fill()
    relay.close()
