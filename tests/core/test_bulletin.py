from __future__ import annotations

import contextlib
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshrelay.core.admission import admit, sign
from meshrelay.core.bulletin import (
    MAX_LIFE,
    MAX_LIVE,
    Area,
    Bulletin,
    CapReference,
    Category,
    Chain,
    MsgType,
    Origin,
    OriginKind,
    Point,
    Resource,
    Status,
    Text,
    from_payload,
    is_language,
    to_payload,
)
from meshrelay.core.encoding import Value, decode, encode
from meshrelay.core.keys import SigningKey
from meshrelay.errors import InvalidItem, Reason
from tests.strategies import NOON, bulletins, values

KEY = SigningKey.from_seed(bytes(32))
PLAIN = Bulletin(NOON, NOON + 3600, Chain(b"stream--", 1), texts=(Text("en", "Flood"),))
A, B = b"a" * 32, b"b" * 32

whole = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def changed(**fields: object) -> Bulletin:
    return dataclasses.replace(PLAIN, **fields)  # type: ignore[arg-type]


def reason_of(payload: dict[int, Value]) -> Reason:
    with pytest.raises(InvalidItem) as refusal:
        from_payload(payload)
    return refusal.value.reason


@whole
@given(bulletins())
def test_a_bulletin_comes_back_from_its_payload(bulletin: Bulletin) -> None:
    assert from_payload(to_payload(bulletin)) == bulletin


@whole
@given(bulletins())
def test_a_bulletin_comes_back_from_its_signed_bytes(bulletin: Bulletin) -> None:
    item = sign(bulletin, KEY)
    assert item.body == bulletin
    assert admit(item.data) == item


@whole
@given(bulletins(), st.data())
def test_no_two_payloads_mean_the_same(bulletin: Bulletin, data: st.DataObject) -> None:
    payload = to_payload(bulletin)
    payload[data.draw(st.integers(0, 40))] = data.draw(values())
    with contextlib.suppress(InvalidItem):
        assert encode(to_payload(from_payload(payload))) == encode(payload)


# Absent and empty would say the same, so only one of them is a bulletin: keys of the payload map.
WRITTEN_OUT: dict[str, tuple[int, Value]] = {
    "live": (6, []),
    "responses": (13, []),
    "expires_assumed": (20, False),
    "references": (21, []),
    "areas": (22, []),
    "texts": (23, {}),
    "codes": (24, []),
    "event_codes": (25, []),
    "parameters": (26, []),
    "resources": (27, []),
    "note": (28, ""),
    "audience": (29, ""),
    "source": (30, ""),
    "incidents": (31, ""),
    "origin": (32, {0: "own"}),
    "a headline": (23, {"en": {0: "Flood", 1: ""}}),
    "a polygon": (22, [{0: {"en": "Here"}, 1: []}]),
    "checked": (32, {0: "feed", 1: False}),
}


@pytest.mark.parametrize(("key", "value"), WRITTEN_OUT.values(), ids=WRITTEN_OUT.keys())
def test_what_says_nothing_is_left_out_or_refused(key: int, value: Value) -> None:
    assert reason_of({**to_payload(PLAIN), key: value}) is Reason.FIELD


@pytest.mark.parametrize("key", [2, 3, 4, 10, 11, 12, 14, 15, 16, 19, 23])
def test_a_required_field_cannot_be_left_out(key: int) -> None:
    payload = to_payload(PLAIN)
    del payload[key]
    assert reason_of(payload) is Reason.FIELD


@pytest.mark.parametrize("key", [0, 1, 8, 9, 33, 255])
def test_a_key_that_means_nothing_is_refused(key: int) -> None:
    assert reason_of({**to_payload(PLAIN), key: 1}) is Reason.FIELD


def test_the_last_second_of_a_bulletin_is_90_days_after_it_was_signed() -> None:
    longest = changed(expires=NOON + MAX_LIFE)
    assert from_payload(to_payload(longest)) == longest
    assert reason_of(to_payload(changed(expires=NOON + MAX_LIFE + 1))) is Reason.TIME
    assert reason_of(to_payload(changed(expires=NOON))) is Reason.TIME
    assert from_payload(to_payload(changed(expires=NOON + 1))).expires == NOON + 1


CHAINS = {
    "number zero": Chain(b"stream--", 0),
    "a number JSON cannot hold": Chain(b"stream--", 2**53),
    "a first with one before it": Chain(b"stream--", 1, A),
    "live out of order": Chain(b"stream--", 9, A, (3, 2)),
    "live twice": Chain(b"stream--", 9, A, (3, 3)),
    "itself among the live": Chain(b"stream--", 9, A, (3, 9)),
    "65 live": Chain(b"stream--", 99, A, tuple(range(1, MAX_LIVE + 2))),
    "zero among the live": Chain(b"stream--", 9, A, (0, 1)),
    "a short stream": Chain(b"stream-", 1),
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_a_place_in_a_stream_that_cannot_be_is_refused(chain: Chain) -> None:
    assert reason_of(to_payload(changed(chain=chain))) is Reason.FIELD


def test_64_live_before_the_65th_are_a_bulletin() -> None:
    full = changed(chain=Chain(b"stream--", MAX_LIVE + 1, A, tuple(range(1, MAX_LIVE + 1))))
    assert from_payload(to_payload(full)) == full


def test_zero_is_written_and_read_back() -> None:
    empty_file = changed(resources=(Resource("map", size=0),))
    assert from_payload(to_payload(empty_file)) == empty_file


PLACES = {
    "a point too far north": (Point(90_000_001, 0), Point(0, 1), Point(1, 1), Point(90_000_001, 0)),
    "a point too far west": (Point(0, -180_000_001), Point(0, 1), Point(1, 1), Point(0, -180_000_001)),
    "three points": (Point(0, 0), Point(0, 1), Point(0, 0)),
    "no closed ring": (Point(0, 0), Point(0, 1), Point(1, 1), Point(1, 0)),
}


@pytest.mark.parametrize("polygon", PLACES.values(), ids=PLACES.keys())
def test_a_polygon_that_is_none_is_refused(polygon: tuple[Point, ...]) -> None:
    area = Area((("en", "Here"),), polygons=(polygon,))
    assert reason_of(to_payload(changed(areas=(area,)))) is Reason.PLACE


@pytest.mark.parametrize(
    ("bulletin", "what"),
    [
        (changed(msg_type=MsgType.UPDATE), "references"),
        (changed(msg_type=MsgType.CANCEL), "references"),
        (changed(references=(A, A)), "references"),
        (changed(categories=(Category.MET, Category.MET)), "category"),
        (changed(texts=()), "texts"),
        (changed(origin=Origin(OriginKind.CAP)), "origin"),
        (changed(origin=Origin(OriginKind.FEED, identity=CapReference("a", "b", "c"))), "origin"),
    ],
)
def test_a_bulletin_that_contradicts_itself_is_refused(bulletin: Bulletin, what: str) -> None:
    with pytest.raises(InvalidItem, match=what) as refusal:
        from_payload(to_payload(bulletin))
    assert refusal.value.reason is Reason.FIELD


def test_a_cancel_needs_no_words() -> None:
    cancel = changed(msg_type=MsgType.CANCEL, references=(A,), texts=())
    assert from_payload(to_payload(cancel)) == cancel


def test_one_language_in_two_spellings_is_refused() -> None:
    twice = changed(texts=(Text("en-GB", "Flood"), Text("en-gb", "Flood")))
    assert reason_of(to_payload(twice)) is Reason.FIELD


@pytest.mark.parametrize(
    "bulletin",
    [
        changed(texts=(Text("en", "Flood"), Text("en", "Fire"))),
        changed(areas=(Area((("en", "Here"), ("en", "There"))),)),
    ],
    ids=["texts", "areas"],
)
def test_of_two_texts_in_one_language_none_is_lost_unseen(bulletin: Bulletin) -> None:
    with pytest.raises(ValueError, match="two texts in en"):
        sign(bulletin, KEY)


@pytest.mark.parametrize("tag", ["en", "kk", "zh-Hant-TW", "de-CH-1996", "EN", "a" * 8])
def test_a_language_tag_is_taken(tag: str) -> None:
    assert is_language(tag)


@pytest.mark.parametrize(
    "tag", ["", "e", "en_US", "en-", "-en", "en--US", "en-toolongpart", "e1", "en\n", "ен", "aa-" * 15]
)
def test_what_is_no_language_tag_is_not_taken(tag: str) -> None:
    assert not is_language(tag)


def test_an_alert_acts_on_nothing_whatever_it_names() -> None:
    cap = Origin(OriginKind.CAP, identity=CapReference("s", "1", "t"), references=(CapReference("s", "0", "t"),))
    assert changed(references=(A,), origin=cap).targets == ()


def test_an_update_acts_on_ids_and_on_the_messages_its_origin_names() -> None:
    earlier = CapReference("sender@example.org", "17", "2026-01-01T00:00:00+00:00")
    update = changed(
        msg_type=MsgType.UPDATE,
        references=(A, B),
        origin=Origin(OriginKind.CAP, identity=CapReference("s", "18", "t"), references=(earlier,)),
    )
    assert update.targets == (A, B, earlier.token)


def test_the_token_of_a_cap_message_depends_on_each_part() -> None:
    parts = [("s", "1", "t"), ("s", "1", "u"), ("s", "2", "t"), ("r", "1", "t"), ("s1", "", "t"), ("", "s1", "t")]
    assert len({CapReference(*triple).token for triple in parts}) == len(parts)
    imported = changed(origin=Origin(OriginKind.CAP, identity=CapReference("s", "1", "t")))
    assert imported.alias == CapReference("s", "1", "t").token
    assert PLAIN.alias is None


def test_exercise_and_test_are_drills() -> None:
    assert [changed(status=status).is_drill for status in Status] == [False, True, True]


def test_the_payload_of_a_plain_bulletin_is_this() -> None:
    assert to_payload(PLAIN) == {
        2: NOON,
        3: b"stream--",
        4: 1,
        10: "Alert",
        11: "Actual",
        12: ["Safety"],
        14: "Unknown",
        15: "Unknown",
        16: "Unknown",
        19: NOON + 3600,
        23: {"en": {0: "Flood"}},
    }
    assert decode(encode(to_payload(PLAIN))) == to_payload(PLAIN)
