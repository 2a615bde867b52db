from __future__ import annotations

from meshrelay.peers import faults as faults_module
from meshrelay.peers.faults import Faults

BAD, GOOD = b"\x01" * 32, b"\x02" * 32


def wrong(faults: Faults, times: int, *, moment: float, relay_id: bytes = BAD, source: str = "10.0.0.1") -> None:
    for _ in range(times):
        faults.note(relay_id, "10.0.0.1", "a body that is none", source=source, moment=moment)


def test_the_eighth_fault_bars_for_a_minute_and_the_next_for_two() -> None:
    faults = Faults()
    wrong(faults, 7, moment=0)
    assert not faults.is_barred(BAD, "10.0.0.1", moment=1)
    wrong(faults, 1, moment=1)
    assert faults.is_barred(BAD, "10.0.0.1", moment=60)
    assert not faults.is_barred(GOOD, "10.0.0.1", moment=2)
    assert not faults.is_barred(BAD, "10.0.0.1", moment=62)
    wrong(faults, 1, moment=62)
    assert faults.is_barred(BAD, "10.0.0.1", moment=180)


def test_what_was_wrong_long_ago_is_forgiven() -> None:
    faults = Faults()
    for number in range(20):
        wrong(faults, 1, moment=number * 601.0)
    assert not faults.is_barred(BAD, "10.0.0.1", moment=20 * 601.0)
    (last,) = faults.lately(moment=19 * 601.0)
    assert (last.count, last.why) == (1, "a body that is none")
    assert faults.lately(moment=30 * 601.0) == ()


def test_an_address_that_takes_a_new_relay_id_for_every_fault_is_barred_in_the_end() -> None:
    faults = Faults()
    for number in range(201):
        wrong(faults, 1, moment=0, relay_id=number.to_bytes(32, "big"))
    assert faults.is_barred(GOOD, "10.0.0.1", moment=1)
    assert not faults.is_barred(GOOD, "10.0.0.2", moment=1)
    assert not faults.is_barred(GOOD, "10.0.0.1", moment=61)


def test_faults_without_number_take_no_memory_without_bound() -> None:
    faults = Faults()
    for number in range(3 * faults_module._KEPT):
        wrong(faults, 1, moment=0, relay_id=number.to_bytes(32, "big"), source=str(number))
    assert len(faults.lately(moment=0)) == faults_module._KEPT
