from __future__ import annotations

import pytest
from hypothesis import given

from meshrelay.core.admission import admit, sign
from meshrelay.core.encoding import Value
from meshrelay.core.envelope import Kind
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import MAX_GOOD, Revocation, from_payload, to_payload
from meshrelay.errors import InvalidItem, Reason
from tests.strategies import NOON, revocations

KEY = SigningKey.from_seed(bytes(32))
GOOD = tuple(number.to_bytes(32, "big") for number in range(MAX_GOOD + 1))


def read(payload: dict[int, Value]) -> Revocation:
    statement = from_payload("revocation", payload, author=KEY.public, many=False)
    assert isinstance(statement, Revocation)
    return statement


@given(revocations(KEY.public))
def test_a_revocation_comes_back_from_its_signed_bytes(revocation: Revocation) -> None:
    assert read(to_payload(revocation)) == revocation
    assert admit(sign(revocation, KEY).data).body == revocation


def test_a_revocation_acts_on_its_key_and_has_no_end_and_no_stream() -> None:
    header = sign(Revocation(NOON, KEY.public), KEY).header
    assert header.kind is Kind.REVOCATION
    assert header.targets == (KEY.public,)
    assert (header.expires, header.stream, header.seq, header.msg_type) == (None, None, None, None)


PAYLOADS: dict[str, dict[int, Value]] = {
    "another key's": {2: NOON, 10: b"k" * 32},
    "no time": {10: KEY.public},
    "no key": {2: NOON},
    "ids out of order": {2: NOON, 10: KEY.public, 11: [GOOD[1], GOOD[0]]},
    "an id twice": {2: NOON, 10: KEY.public, 11: [GOOD[0], GOOD[0]]},
    "an empty list": {2: NOON, 10: KEY.public, 11: []},
    "half an id": {2: NOON, 10: KEY.public, 11: [bytes(16)]},
    "257 ids": {2: NOON, 10: KEY.public, 11: list(GOOD)},
    "a stream": {2: NOON, 3: b"stream--", 10: KEY.public},
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_revocation_with_a_flaw_is_refused(payload: dict[int, Value]) -> None:
    with pytest.raises(InvalidItem) as refusal:
        read(payload)
    assert refusal.value.reason is Reason.FIELD


def test_256_ids_can_stay_good() -> None:
    assert len(read({2: NOON, 10: KEY.public, 11: list(GOOD[:MAX_GOOD])}).good) == MAX_GOOD
