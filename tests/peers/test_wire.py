from __future__ import annotations

import contextlib
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.bulletin import Urgency
from meshrelay.core.envelope import Header, Kind
from meshrelay.errors import InvalidMessage
from meshrelay.peers import wire
from meshrelay.peers.wire import Answer

HEADER = Header(
    id=bytes(range(32)),
    author=b"a" * 32,
    kind=Kind.BULLETIN,
    item_class=2,
    sent=1_790_000_000,
    size=700,
    urgency=Urgency.IMMEDIATE,
    targets=(b"t" * 32,),
)
REVOCATION = Header(b"r" * 32, b"a" * 32, Kind.REVOCATION, 0, 1_790_000_000, 200, targets=(b"s" * 32,))


def test_a_hello_comes_back_and_another_version_does_not() -> None:
    data = wire.pack_hello(port=8443, now=1_790_000_000)
    assert wire.unpack_hello(data) == (8443, 1_790_000_000)
    with pytest.raises(InvalidMessage, match="version 2"):
        wire.unpack_hello(b"\x02" + data[1:])


def test_a_summary_says_what_a_receiver_needs_to_choose() -> None:
    packed = wire.pack_summaries([HEADER, REVOCATION, None])
    claim, statement, missing = wire.unpack_summaries(packed, [HEADER.key, REVOCATION.key, b"k" * 24])
    assert claim is not None
    assert (claim.key, claim.author, claim.urgency, claim.size) == (HEADER.key, HEADER.author, HEADER.urgency, 700)
    assert claim.severity is HEADER.severity
    assert statement is not None
    assert statement.kind is Kind.REVOCATION
    assert statement.targets == (b"s" * 32,)
    assert missing is None
    with pytest.raises(InvalidMessage):
        wire.unpack_summaries(packed, [HEADER.key, REVOCATION.key])


def test_an_offer_is_keys_and_summaries() -> None:
    (key, claim), (_, statement) = wire.unpack_offer(wire.pack_offer([HEADER, REVOCATION]))
    assert claim is not None
    assert key == claim.key == HEADER.key
    assert statement is not None
    assert statement.author == REVOCATION.author
    for flaw in ([], [HEADER, HEADER], [HEADER] * 251):
        with pytest.raises(InvalidMessage):
            wire.unpack_offer(wire.pack_offer(flaw))


def test_keys_come_back_and_none_twice() -> None:
    keys = [bytes([number]) * 24 for number in range(250)]
    assert wire.unpack_keys(wire.pack_keys(keys)) == keys
    for bad in ([], [*keys, b"x" * 24], [keys[0], keys[0]]):
        with pytest.raises(InvalidMessage):
            wire.unpack_keys(wire.pack_keys(bad))


def test_a_choice_names_each_wanted_item_once_in_the_order_wanted() -> None:
    answers = [Answer.NEW, Answer.KNOWN, Answer.NEW, Answer.DECLINED, Answer.COMING]
    data = wire.pack_choice(answers, [2, 0])
    assert wire.unpack_choice(data, offered=5) == (answers, [2, 0])
    for wanted in ([2], [2, 0, 0], [2, 1], [2, 9], [2, 0, 4]):
        with pytest.raises(InvalidMessage):
            wire.unpack_choice(wire.pack_choice(answers, wanted), offered=5)
    with pytest.raises(InvalidMessage):
        wire.unpack_choice(wire.pack_choice([Answer.BAD], []), offered=1)


def test_answers_that_do_not_fit_the_items_are_refused() -> None:
    for data in (b"\0", b"\0\0\0", b"\0\4"):
        with pytest.raises(InvalidMessage):
            wire.unpack_answers(data, given=2)


def test_a_batch_comes_back_as_the_same_bytes() -> None:
    items = [b"\xd2\x80", b"\x43abc"]
    assert wire.unpack_items(wire.pack_items(items)) == items


def test_a_batch_that_was_cut_off_gives_what_came_whole() -> None:
    items = [bytes([0x58, 200, *random.Random(number).randbytes(200)]) for number in range(50)]
    packed = wire.pack_items(items)
    for length in range(0, len(packed), 97):
        whole = wire.whole_items(packed[:length])
        assert whole == items[: len(whole)]
    assert wire.whole_items(packed) == items
    assert len(wire.whole_items(packed[: len(packed) // 2])) > 15
    assert wire.whole_items(b"junk") == []


@pytest.mark.parametrize(
    ("flaw", "body"),
    [
        ("a bomb", zlib.compress(bytes(50_000_000))),
        ("cut off", zlib.compress(b"\x43abc")[:-2]),
        ("bytes after the end", zlib.compress(b"\x43abc") + b"x"),
        ("not deflated", b"\x43abc"),
        ("empty", b""),
        ("too many items", zlib.compress(b"\x01" * 251)),
        ("an item that is cut off", zlib.compress(b"\x43ab")),
        ("an indefinite length", zlib.compress(b"\x9f\xff")),
    ],
)
def test_a_batch_with_a_flaw_is_refused(flaw: str, body: bytes) -> None:
    with pytest.raises(InvalidMessage):
        wire.unpack_items(body)


def test_a_batch_holds_a_mebibyte_or_one_item_at_least() -> None:
    assert wire.fitting([]) == 0
    assert wire.fitting([2_000_000, 1]) == 1
    assert wire.fitting([600_000, 400_000, 100_000]) == 2
    assert wire.fitting([1] * 1000) == 250


@given(st.binary(max_size=400), st.integers(1, 5))
def test_any_bytes_give_a_value_or_an_invalid_message(data: bytes, count: int) -> None:
    deflated = zlib.compress(data)
    for read in (
        lambda: wire.unpack_hello(data),
        lambda: wire.unpack_keys(data),
        lambda: wire.unpack_summaries(deflated, [bytes(24)] * count),
        lambda: wire.unpack_offer(deflated),
        lambda: wire.unpack_choice(data, offered=count),
        lambda: wire.unpack_answers(data, given=count),
        lambda: wire.unpack_items(data),
        lambda: wire.unpack_places(data),
        lambda: wire.unpack_items(deflated),
    ):
        with contextlib.suppress(InvalidMessage):
            read()
