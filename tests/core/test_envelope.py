from __future__ import annotations

import dataclasses
import hashlib

import cbor2
import pytest

from meshrelay.core.admission import admit, reopen, sign
from meshrelay.core.bulletin import Bulletin, CapReference, Chain, MsgType, Origin, OriginKind, Severity, Text, Urgency
from meshrelay.core.encoding import MAX_ITEM
from meshrelay.core.envelope import (
    ItemClass,
    Kind,
    class_of,
    open_envelope,
    seal,
    to_be_signed,
)
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidItem, Reason
from tests.strategies import NOON

KEY = SigningKey.from_seed(bytes(32))
PLAIN = Bulletin(NOON, NOON + 3600, Chain(b"stream--", 7, b"p" * 32), texts=(Text("en", "Flood", "Water rises"),))
PROTECTED = cbor2.dumps({1: -8, 4: KEY.public})


def with_note(size: int) -> Bulletin:
    return dataclasses.replace(PLAIN, note="n" * size)


def refused(data: bytes) -> Reason:
    with pytest.raises(InvalidItem) as refusal:
        admit(data)
    return refusal.value.reason


def test_an_item_is_the_cose_message_that_the_rfc_describes() -> None:
    item = sign(PLAIN, KEY)
    message = cbor2.loads(item.data)
    assert message.tag == 18
    protected, unprotected, payload, signature = message.value
    assert (protected, unprotected) == (PROTECTED, {})
    assert to_be_signed(KEY.public, payload) == cbor2.dumps(["Signature1", PROTECTED, b"meshrelay/1", payload])
    assert signature == KEY.sign(to_be_signed(KEY.public, payload))
    assert item.id == hashlib.sha256(cbor2.dumps(["meshrelay/1 id", PROTECTED, payload])).digest()


@pytest.mark.parametrize("size", [1, 23, 24, 255, 256, 60_000])
def test_an_envelope_gives_back_what_was_put_in(size: int) -> None:
    payload, signature = bytes(range(1, 256)) * (size // 255 + 1), b"s" * 64
    parts = open_envelope(seal(KEY.public, payload[:size], signature))
    assert (parts.payload, parts.signatures) == (payload[:size], ((KEY.public, signature),))


@pytest.mark.parametrize("length", range(12, 109))
def test_what_is_too_short_for_an_envelope_is_refused(length: int) -> None:
    whole = seal(b"\x58\x40" * 16, b"\x58\x40", b"\x58\x40" * 32)
    with pytest.raises(InvalidItem) as refusal:
        open_envelope(whole[:length])
    assert refusal.value.reason is Reason.ENVELOPE


def test_one_flipped_bit_is_refused() -> None:
    data = sign(PLAIN, KEY).data
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(InvalidItem):
            admit(bytes(flipped))


def test_the_largest_item_passes_and_one_byte_more_does_not() -> None:
    spare = MAX_ITEM - len(sign(with_note(50_000), KEY).data)
    largest = dataclasses.replace(with_note(50_000), incidents="i" * (spare - 5))
    data = sign(largest, KEY).data
    assert len(data) == MAX_ITEM
    assert admit(data).header.size == MAX_ITEM
    with pytest.raises(ValueError, match="size"):
        sign(dataclasses.replace(largest, incidents="i" * (spare - 4)), KEY)


def test_nothing_that_the_gate_would_refuse_is_signed() -> None:
    with pytest.raises(ValueError, match="expires"):
        sign(dataclasses.replace(PLAIN, expires=NOON), KEY)
    with pytest.raises(ValueError, match="subject"):
        sign(Revocation(NOON, b"k" * 32), KEY)


def test_the_signature_is_no_part_of_the_id() -> None:
    item = sign(PLAIN, KEY)
    parts = open_envelope(item.data)
    assert parts.id == item.id
    assert reopen(seal(KEY.public, parts.payload, bytes(64))).id == item.id
    assert refused(seal(KEY.public, parts.payload, bytes(64))) is Reason.SIGNATURE


def test_the_same_words_by_another_key_are_another_item() -> None:
    assert sign(PLAIN, KEY).id != sign(PLAIN, SigningKey.from_seed(b"\1" * 32)).id


def test_a_header_says_what_lists_and_verdicts_need() -> None:
    earlier, itself = CapReference("s", "1", "t"), CapReference("s", "2", "t")
    item = sign(
        dataclasses.replace(
            PLAIN,
            msg_type=MsgType.UPDATE,
            urgency=Urgency.IMMEDIATE,
            severity=Severity.EXTREME,
            org=b"o" * 32,
            references=(b"r" * 32,),
            origin=Origin(OriginKind.CAP, identity=itself, references=(earlier,)),
        ),
        KEY,
    )
    header = item.header
    assert (header.id, header.author, header.kind, header.size) == (item.id, KEY.public, Kind.BULLETIN, len(item.data))
    assert (header.sent, header.expires, header.stream, header.seq) == (NOON, NOON + 3600, b"stream--", 7)
    assert (header.msg_type, header.urgency, header.severity) == (MsgType.UPDATE, Urgency.IMMEDIATE, Severity.EXTREME)
    assert (header.org, header.alias, header.targets) == (b"o" * 32, itself.token, (b"r" * 32, earlier.token))
    assert not header.drill


def test_a_reconciliation_key_is_class_time_and_half_the_id() -> None:
    item = sign(PLAIN, KEY)
    assert item.key == bytes([item.header.item_class]) + NOON.to_bytes(7, "big") + item.id[:16]
    assert len(item.key) == 24


@pytest.mark.parametrize(
    ("msg_type", "severity", "expected"),
    [
        (MsgType.UPDATE, Severity.MINOR, ItemClass.CORRECTION),
        (MsgType.CANCEL, Severity.EXTREME, ItemClass.CORRECTION),
        (MsgType.ALERT, Severity.EXTREME, ItemClass.GRAVE),
        (MsgType.ALERT, Severity.SEVERE, ItemClass.GRAVE),
        (MsgType.ALERT, Severity.MODERATE, ItemClass.REST),
        (MsgType.ALERT, Severity.MINOR, ItemClass.REST),
        (MsgType.ALERT, Severity.UNKNOWN, ItemClass.REST),
    ],
)
def test_corrections_go_before_grave_alerts_and_these_before_the_rest(
    msg_type: MsgType, severity: Severity, expected: int
) -> None:
    assert class_of(dataclasses.replace(PLAIN, msg_type=msg_type, severity=severity)) == expected


def test_statements_about_keys_go_first_of_all() -> None:
    assert class_of(Revocation(NOON, KEY.public)) == ItemClass.KEYS == 0
