"""A hundred thousand bad inputs at every entrance for files: nothing but the error that is promised, nothing let in."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import pytest

from meshrelay.core.admission import admit, sign
from meshrelay.core.envelope import seal, to_be_signed
from meshrelay.core.keys import SigningKey
from meshrelay.errors import InvalidDocument, InvalidItem
from meshrelay.interop import cap, carry
from tests.interop.test_cap import ALERT, FULL, NOW, signed
from tests.vectors import make

COUNT = 100_000
KEY = SigningKey.from_seed(make.SEED)
GOOD = [vector.data for vector in make.vectors() if vector.id is not None and len(vector.data) < 4_000]

pytestmark = [pytest.mark.full, pytest.mark.timeout(1_200)]


def altered(rng: random.Random, data: bytes) -> bytes:
    """Return `data` with one to four places flipped, cut out, doubled or overwritten."""
    bad = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(bad) + 1)
        match rng.randrange(5):
            case 0:
                bad[at : at + 1] = rng.randbytes(1)
            case 1:
                del bad[at : at + rng.randrange(1, 40)]
            case 2:
                bad[at:at] = rng.randbytes(rng.randrange(1, 9))
            case 3:
                bad[at:at] = bad[at : at + rng.randrange(1, 200)]
            case _:
                bad[at : at + 1] = rng.choice((b"\xff", b"\x00", b"\xbf", b"\x9f", b"\xc2", b"\xfb", b"<", b"&", b">"))
    return bytes(bad)


def inputs(seed: int, samples: list[bytes]) -> list[bytes]:
    rng = random.Random(seed)
    return [altered(rng, rng.choice(samples)) for _ in range(COUNT)]


def count_refused(data: list[bytes], take: Callable[[bytes], object], error: type[Exception]) -> int:
    refused = 0
    for one in data:
        try:
            take(one)
        except error:
            refused += 1
    return refused


def test_no_altered_envelope_is_an_item() -> None:
    bad = [data for data in inputs(1, GOOD) if data not in GOOD]
    assert count_refused(bad, admit, InvalidItem) == len(bad) > COUNT * 0.99


def test_an_altered_payload_that_is_signed_again_is_refused_or_means_what_it_says() -> None:
    payloads = [make.payload_of(data) for data in GOOD]
    admitted = 0
    for payload in inputs(2, payloads):
        if not payload:
            continue
        data = seal(KEY.public, payload, KEY.sign(to_be_signed(KEY.public, payload)))
        try:
            item = admit(data)
        except InvalidItem:
            continue
        admitted += 1
        assert sign(item.body, KEY).data == data
    assert 0 < admitted < COUNT / 2


def test_an_altered_cap_file_is_refused_or_gives_what_can_be_signed() -> None:
    samples = [ALERT.encode(), cap.write_alert(signed(FULL))]
    imported = 0
    for data in inputs(3, samples):
        try:
            answers = cap.read_alerts(data, now=NOW)
        except InvalidDocument:
            continue
        for answer in answers:
            if isinstance(answer, cap.ImportedAlert):
                imported += 1
                for draft in answer.drafts:
                    sign(draft, KEY)
    assert 0 < imported < COUNT


def test_an_altered_carry_file_gives_what_is_whole_and_nothing_else() -> None:
    target = io.BytesIO()
    carry.write(target, GOOD[:6])
    known = set(GOOD)
    whole = 0
    for data in inputs(4, [target.getvalue()]):
        for part in carry.read(io.BytesIO(data)):
            if isinstance(part, carry.Record):
                assert part.data in known
                whole += 1
    assert whole > COUNT
