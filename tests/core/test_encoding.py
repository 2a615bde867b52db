from __future__ import annotations

import contextlib
import itertools

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshrelay.core.encoding import (
    MAX_DEPTH,
    MAX_ITEM,
    Value,
    decode,
    encode,
    is_clean_text,
    skip,
    split_sequence,
)
from meshrelay.errors import InvalidItem, Reason
from tests.strategies import values


def reason_of(data: bytes, *, max_size: int = MAX_ITEM) -> Reason:
    with pytest.raises(InvalidItem) as refusal:
        decode(data, max_size=max_size)
    return refusal.value.reason


def nested(depth: int) -> Value:
    value: Value = 1
    for _ in range(depth):
        value = [value]
    return value


# Appendix A of RFC 8949, as far as these values go.
EXAMPLES: list[tuple[Value, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65_536, "1a00010000"),
    (2**32, "1b0000000100000000"),
    (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"),
    (-1000, "3903e7"),
    (-(2**64), "3bffffffffffffffff"),
    (False, "f4"),
    (True, "f5"),
    (b"", "40"),
    (b"\1\2\3\4", "4401020304"),
    ("", "60"),
    ("ü水", "65c3bce6b0b4"),
    ([], "80"),
    ([1, [2, 3]], "8201820203"),
    ({}, "a0"),
    ({"b": 2, 10: 1, 100: 3, "aa": 4}, "a40a0118640361620262616104"),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("value", "expected"), EXAMPLES, ids=[text for _, text in EXAMPLES])
def test_the_examples_of_the_rfc_are_encoded_as_there(value: Value, expected: str) -> None:
    assert encode(value).hex() == expected
    assert decode(bytes.fromhex(expected)) == value


@given(values())
def test_what_was_encoded_is_decoded_to_the_same(value: Value) -> None:
    assert decode(encode(value)) == value


@given(values())
def test_the_order_in_which_a_map_was_filled_does_not_show(value: Value) -> None:
    def turned(value: Value) -> Value:
        if isinstance(value, dict):
            return dict(reversed([(key, turned(element)) for key, element in value.items()]))
        return [turned(element) for element in value] if isinstance(value, list) else value

    assert encode(turned(value)) == encode(value)


@given(st.binary(max_size=60))
@example(bytes.fromhex("9bffffffffffffffff"))
@example(bytes.fromhex("bbffffffffffffffff"))
@example(bytes.fromhex("7bffffffffffffffff61"))
def test_bytes_are_the_one_encoding_of_a_value_or_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidItem):
        assert encode(decode(data)) == data


@given(values(), st.data())
def test_changed_bytes_are_the_one_encoding_of_a_value_or_refused(value: Value, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InvalidItem):
        assert encode(decode(bytes(raw))) == raw


@given(values())
def test_every_beginning_of_an_encoding_is_refused(value: Value) -> None:
    raw = encode(value)
    for end in range(len(raw)):
        assert reason_of(raw[:end]) in (Reason.ENCODING, Reason.TEXT)


def test_nesting_stops_at_eight() -> None:
    assert decode(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    assert reason_of(b"\x81" * (MAX_DEPTH + 1) + b"\x01") is Reason.ENCODING
    with pytest.raises(ValueError, match="nested"):
        encode(nested(MAX_DEPTH + 1))


def test_ten_thousand_open_arrays_are_refused_like_nine() -> None:
    assert reason_of(b"\x81" * 10_000) is Reason.ENCODING


KEYS = {
    "a number of one byte": ({255: 1}, True),
    "a number of two bytes": ({256: 1}, False),
    "a negative number": ({-1: 1}, False),
    "a text of 35 bytes": ({"k" * 35: 1}, True),
    "a text of 36 bytes": ({"k" * 36: 1}, False),
    "a text of 18 characters and 36 bytes": ({"ü" * 18: 1}, False),
    "an empty text": ({"": 1}, False),
    "a text with a control character": ({"a\x00": 1}, False),
    "bytes": ({b"a": 1}, False),
    "true": ({True: 1}, False),
    "a list": ({(1,): 1}, False),
}


@pytest.mark.parametrize(("entries", "allowed"), KEYS.values(), ids=KEYS.keys())
def test_a_map_key_is_a_small_number_or_a_short_text(entries: dict[int, int], allowed: bool) -> None:
    if allowed:
        assert decode(encode(entries)) == entries
    else:
        with pytest.raises(ValueError):  # noqa: PT011 - any flaw of a value is one
            encode(entries)
        assert reason_of(cbor2.dumps(entries)) in (Reason.ENCODING, Reason.TEXT)


@pytest.mark.parametrize(
    "value",
    [None, 1.0, 2**64, -(2**64) - 1, "\ud800", "\x1b", {1, 2}, pytest.param(object(), id="an object")],
    ids=repr,
)
def test_what_has_no_encoding_is_a_value_error(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any flaw of a value is one
        encode([value])  # type: ignore[list-item]


FLAWS = {
    "nothing": ("", Reason.ENCODING),
    "a second value": ("0000", Reason.ENCODING),
    "a length in a byte too many": ("8018", Reason.ENCODING),
    "a number in a byte too many": ("811817", Reason.ENCODING),
    "a number in two bytes too many": ("1a0000ffff", Reason.ENCODING),
    "a text length in a byte too many": ("780161", Reason.ENCODING),
    "an indefinite array": ("9f01ff", Reason.ENCODING),
    "an indefinite text": ("7f6161ff", Reason.ENCODING),
    "a reserved head": ("1c", Reason.ENCODING),
    "null": ("f6", Reason.ENCODING),
    "undefined": ("f7", Reason.ENCODING),
    "a simple value in two bytes": ("f8ff", Reason.ENCODING),
    "true in two bytes": ("f815", Reason.ENCODING),
    "a float": ("f93c00", Reason.ENCODING),
    "a big number": ("c24101", Reason.ENCODING),
    "a tag in a map": ("a100c101", Reason.ENCODING),
    "a map in the wrong order": ("a201000000", Reason.ENCODING),
    "a key twice": ("a200000000", Reason.ENCODING),
    "a map without its last value": ("a100", Reason.ENCODING),
    "half a character": ("61c3", Reason.TEXT),
    "half a character, the other half in the next text": ("8261c361bc", Reason.TEXT),
    "a surrogate": ("63eda080", Reason.TEXT),
    "an override of direction": ("63e280ae", Reason.TEXT),
    "an isolate": ("63e281a6", Reason.TEXT),
    "a carriage return": ("610d", Reason.TEXT),
    "a C1 control": ("62c285", Reason.TEXT),
}


@pytest.mark.parametrize(("data", "reason"), FLAWS.values(), ids=FLAWS.keys())
def test_a_flaw_is_refused_with_its_reason(data: str, reason: Reason) -> None:
    assert reason_of(bytes.fromhex(data)) is reason


def test_the_largest_item_is_decoded_and_one_byte_more_is_not() -> None:
    assert decode(encode(b"\0" * (MAX_ITEM - 5)), max_size=MAX_ITEM)
    assert reason_of(bytes(MAX_ITEM + 1)) is Reason.SIZE


def test_letters_that_persian_and_emoji_need_are_clean() -> None:
    for text in ("می\u200cخواهم", "\u061c\u200f", "👩\u200d🚒", "one\ntwo", "\u00a0\u2028", ""):
        assert is_clean_text(text), text


def test_every_control_character_but_newline_is_unclean() -> None:
    controls = itertools.chain(range(0x20), range(0x7F, 0xA0), range(0x202A, 0x202F), range(0x2066, 0x206A))
    assert [chr(code) for code in controls if is_clean_text("a" + chr(code))] == ["\n"]


@given(st.lists(values(), max_size=6))
def test_a_sequence_is_cut_where_its_items_end(items: list[Value]) -> None:
    parts = [encode(item) for item in items]
    assert split_sequence(b"".join(parts), max_items=6) == parts


def test_a_sequence_of_one_item_too_many_is_refused() -> None:
    with pytest.raises(InvalidItem, match="more than 2"):
        split_sequence(b"\0\0\0", max_items=2)


@pytest.mark.parametrize("data", ["", "4401", "1b00", "8201", "a1", "5f", "d2", "9bffffffffffffffff", "18"])
def test_a_sequence_that_is_cut_off_is_refused(data: str) -> None:
    with pytest.raises(InvalidItem):
        skip(bytes.fromhex(data), 0)


@given(st.binary(max_size=40))
def test_skipping_ends_within_the_bytes_or_refuses(data: bytes) -> None:
    with contextlib.suppress(InvalidItem):
        assert 0 < skip(data, 0) <= len(data)
