from __future__ import annotations

import io
import random

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.envelope import Header, Kind
from meshrelay.interop import carry
from meshrelay.rows import Held

ENVELOPES = [bytes([n]) * (n * 37 + 1) for n in range(40)] + [b"\xff" * 65536]


def written(envelopes: list[bytes]) -> bytes:
    target = io.BytesIO()
    assert carry.write(target, envelopes) == len(envelopes)
    return target.getvalue()


def parts(data: bytes) -> list[carry.Part]:
    return list(carry.read(io.BytesIO(data)))


def records(data: bytes) -> list[bytes]:
    return [part.data for part in parts(data) if isinstance(part, carry.Record)]


def damages(data: bytes) -> list[carry.Damage]:
    return [part for part in parts(data) if isinstance(part, carry.Damage)]


@given(st.lists(st.binary(min_size=1, max_size=300)))
def test_what_is_written_is_read(envelopes: list[bytes]) -> None:
    data = written(envelopes)
    assert records(data) == envelopes
    assert damages(data) == []


def test_a_carry_file_is_a_cbor_sequence() -> None:
    decoder = cbor2.CBORDecoder(io.BytesIO(written(ENVELOPES[:3])))
    head, *items, end = [decoder.decode() for _ in range(5)]
    assert head == "meshrelay carry 1"
    assert [item[2] for item in items] == ENVELOPES[:3]
    assert end[1] == 3


@pytest.mark.parametrize("size", [1, 23, 24, 255, 256, 65535, 65536])
def test_every_form_of_length_is_read(size: int) -> None:
    assert records(written([b"x" * size])) == [b"x" * size]


def test_an_empty_envelope_is_not_written() -> None:
    with pytest.raises(ValueError, match="1 to 65536"):
        written([b""])


def test_a_file_that_is_cut_off_gives_what_is_whole() -> None:
    data = written(ENVELOPES[:20])
    starts = [part.offset for part in parts(data)] + [len(data) - len(b"\x82\x44\xfeMR\n\x14")]
    for cut in range(len(carry.MAGIC), len(data), 7):
        whole = sum(1 for end in starts[1:] if end <= cut)
        assert records(data[:cut]) == ENVELOPES[:whole]
        assert damages(data[:cut])


def test_a_file_cut_off_between_two_records_says_so() -> None:
    data = written(ENVELOPES[:3])
    third = parts(data)[2]
    (damage,) = damages(data[: third.offset])
    assert damage == carry.Damage(third.offset, 0, "the file ends early: its last record is missing")


def test_one_altered_byte_costs_one_record_at_most() -> None:
    data = written(ENVELOPES[:12])
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 0x41
        found = records(bytes(altered))
        assert len(found) >= 11
        assert set(found) <= set(ENVELOPES)
        assert damages(bytes(altered))


@pytest.mark.parametrize("lost", [1, 5, 1000, 70_000])
def test_records_behind_a_hole_are_found(lost: int) -> None:
    first, hole, last = b"a" * 500, b"b" * 50_000, [b"c" * 60_000, b"d" * 60_000, b"e" * 9]
    data = written([first, hole, *last])
    cut = len(carry.MAGIC) + 600
    assert records(data[:cut] + data[cut + lost :]) == [first, *(last if lost < 50_000 else last[1:])]


def test_junk_between_two_records_is_reported_with_its_place_and_size() -> None:
    data = written(ENVELOPES[1:3])
    second = parts(data)[1].offset
    altered = data[:second] + b"junk" * 50_000 + data[second:]
    assert damages(altered) == [carry.Damage(second, 200_000, "no record begins here")]
    assert records(altered) == ENVELOPES[1:3]


def test_every_byte_is_in_a_record_or_in_a_damaged_stretch() -> None:
    rng = random.Random(7)
    data = written(ENVELOPES)
    for _ in range(60):
        altered = bytearray(data)
        for _ in range(rng.randrange(1, 6)):
            start = rng.randrange(len(altered))
            altered[start : start + rng.randrange(3000)] = rng.randbytes(rng.randrange(3000))
        position = None
        for part in parts(bytes(altered)):
            if position is not None:
                assert part.offset >= position
            if isinstance(part, carry.Damage):
                position = part.offset + part.size
            else:
                assert part.data in ENVELOPES
                assert bytes(altered[part.offset :]).startswith(b"\x83\x44\xfeMR\n\x48")
                position = part.offset + 15 + len(part.data)
        assert position is not None
        assert position <= len(altered)


@given(st.binary(max_size=2000))
def test_bytes_of_any_kind_end_in_parts(data: bytes) -> None:
    parts(data)
    parts(carry.MAGIC + data)
    parts(carry.MAGIC + b"\x83\x44\xfeMR\n\x48" + data)


def test_two_files_in_one_are_read_as_both() -> None:
    data = written(ENVELOPES[:3]) + written(ENVELOPES[3:6])
    assert records(data) == ENVELOPES[:6]
    assert damages(data) == []


def test_a_record_that_vanished_without_a_trace_is_missed() -> None:
    data = written(ENVELOPES[:3])
    second, third = parts(data)[1].offset, parts(data)[2].offset
    (damage,) = damages(data[:second] + data[third:])
    assert damage.detail == "3 records were written, 2 are whole"


def test_a_record_inside_an_envelope_does_not_show_while_the_file_is_whole() -> None:
    inner = written([b"inner"])
    assert records(written([inner, b"outer"])) == [inner, b"outer"]


def test_a_file_of_false_starts_is_given_up_in_time() -> None:
    false_start = b"\x83\x44\xfeMR\n\x48" + bytes(8) + b"\x5a\x00\x01\x00\x00"
    data = carry.MAGIC + false_start * 20_000 + bytes(70_000)
    (damage, end) = damages(data)
    assert damage.offset + damage.size == len(data)
    assert end.size == 0


def test_only_one_item_is_held_in_memory() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            assert 0 < size <= 65536
            self.given += size
            return bytes(size) if self.given < 50_000_000 else b""

    (damage, _) = list(carry.read(Endless()))  # type: ignore[arg-type]
    assert isinstance(damage, carry.Damage)
    assert damage.size > 49_000_000


def test_a_damaged_first_line_still_looks_like_a_carry_file() -> None:
    data = written(ENVELOPES[:2])
    assert carry.looks_like(data[:4096])
    assert carry.looks_like(b"??" + data[2:4096])
    assert not carry.looks_like(b"<?xml version='1.0'?><alert/>")


def held(number: int, *, item_class: int = 3, size: int = 1000, received: int = 0) -> Held:
    header = Header(bytes([number]) * 32, bytes(32), Kind.BULLETIN, item_class, 1_700_000_000, size)
    return Held(header, received)


def test_a_plan_keeps_the_order_and_says_the_size_of_the_file() -> None:
    items = [held(n, size=len(envelope)) for n, envelope in enumerate(ENVELOPES)]
    plan = carry.plan(items)
    assert plan.ids == tuple(item.header.id for item in items)
    assert plan.left_out == 0
    assert len(written(ENVELOPES)) <= plan.size <= len(written(ENVELOPES)) + 8


def test_a_plan_leaves_out_what_has_no_room_and_goes_on_with_what_has() -> None:
    plan = carry.plan([held(1), held(2, size=60_000), held(3)], max_bytes=3_000)
    assert [id_[0] for id_ in plan.ids] == [1, 3]
    assert plan.left_out == 1
    assert plan.size <= 3_000


def test_a_plan_of_urgent_things_leaves_the_rest_aside() -> None:
    items = [held(n, item_class=n) for n in range(4)]
    assert [id_[0] for id_ in carry.plan(items, urgent=True).ids] == [0, 1, 2]
    assert carry.plan(items, urgent=True).left_out == 0


def test_a_plan_since_a_time_counts_from_arrival_here() -> None:
    items = [held(1, received=99), held(2, received=100)]
    assert [id_[0] for id_ in carry.plan(items, since=100).ids] == [2]
