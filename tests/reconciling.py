"""Sets of keys, whole exchanges and hand-packed messages for the tests and benchmarks of reconciliation.

The packing here is written from docs/spec/reconcile.md and shares nothing with meshrelay.core.reconcile.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from meshrelay.core.reconcile import Keys, Reconciliation, answer

NOW = 1_800_000_000
DAY = 86_400
SALT = bytes(range(16))
SHARES = (2, 8, 20, 70)
"""How many of a hundred items are of each class, in the made-up sets."""

NOTHING, SAME, FINGERPRINT, LIST, NAMED = range(5)


def key(item_class: int, sent: int, id_half: bytes) -> bytes:
    return bytes([item_class]) + sent.to_bytes(7, "big") + id_half


def made_keys(
    count: int, *, seed: int, item_class: int | None = None, newest: int = NOW, days: int = 90
) -> list[bytes]:
    """Make keys of items sent at random seconds of the last days."""
    dice = random.Random(seed)
    classes = dice.choices(range(4), SHARES, k=count) if item_class is None else [item_class] * count
    return [key(one, newest - dice.randrange(days * DAY), dice.randbytes(16)) for one in classes]


def forged(hidden: bytes, *, made_up: int = 200) -> tuple[list[bytes], list[bytes]]:
    """Make up keys for two sides that hide `hidden`: the XOR of each side, and their number, are the same.

    Gaussian elimination over GF(2) on the ids and one bit more for the count; the hidden key is on the second side.
    """
    dice = random.Random(14)
    keys = [hidden[:8] + dice.randbytes(16) for _ in range(made_up)]

    def vector(one: bytes) -> int:
        return int.from_bytes(one[8:], "big") << 1 | 1

    basis: dict[int, tuple[int, int]] = {}
    for place, one in enumerate(keys):
        value, used = reduce_by(basis, vector(one), 1 << place)
        if value:
            basis[value.bit_length()] = value, used
    rest, used = reduce_by(basis, vector(hidden), 0)
    assert rest == 0
    chosen = [one for place, one in enumerate(keys) if used >> place & 1]
    half = (len(chosen) + 1) // 2
    return chosen[:half], [hidden, *chosen[half:]]


def reduce_by(basis: dict[int, tuple[int, int]], value: int, used: int) -> tuple[int, int]:
    while value and value.bit_length() in basis:
        by, with_ = basis[value.bit_length()]
        value, used = value ^ by, used ^ with_
    return value, used


@dataclass(slots=True)
class Exchange:
    """A finished exchange, and how large every message was."""

    work: Reconciliation
    sent: list[int]
    received: list[int]

    @property
    def total(self) -> int:
        return sum(self.sent) + sum(self.received)


def exchange(work: Reconciliation, respond: Callable[[bytes], bytes]) -> Exchange:
    """Carry messages to `respond` and back until there are no more."""
    sent: list[int] = []
    received: list[int] = []
    while (message := work.message()) is not None:
        reply = respond(message)
        sent.append(len(message))
        received.append(len(reply))
        work.receive(reply)
    return Exchange(work, sent, received)


def reconciled(mine: Keys, theirs: Keys, *, salt: bytes = SALT, now: int = NOW) -> Exchange:
    return exchange(Reconciliation(mine, salt=salt, now=now), lambda message: answer(theirs, message))


def request(*ranges: bytes, salt: bytes = SALT, limit: int = 0, version: int = 1) -> bytes:
    return bytes([version]) + salt + limit.to_bytes(4, "big") + b"".join(ranges)


def reply(*ranges: bytes) -> bytes:
    return bytes([1]) + b"".join(ranges)


def said(shared: int, rest: bytes, tag: int, *fields: bytes) -> bytes:
    """Pack one range whose bound repeats `shared` bytes of the bound before it."""
    return bytes([tag << 5 | shared, len(rest)]) + rest + b"".join(fields)


def packed(ranges: Iterable[tuple[bytes, int, bytes]]) -> bytes:
    """Pack ranges given as upper bound, tag and what follows."""
    out, before = bytearray(), b""
    for high, tag, fields in ranges:
        shared = next(
            (n for n, (one, other) in enumerate(zip(before, high, strict=False)) if one != other),
            min(len(before), len(high)),
        )
        out += said(shared, high[shared:], tag, fields)
        before = high
    return bytes(out)


def named(*keys: bytes, bits: bytes = b"") -> bytes:
    return bytes([len(bits)]) + len(keys).to_bytes(2, "big") + bits + b"".join(keys)


def unpacked(message: bytes, at: int) -> Iterable[tuple[bytes, bytes, int]]:
    """Take the ranges of a message apart: lower bound, upper bound, tag."""
    low = b""
    while at < len(message):
        tag, shared, length = message[at] >> 5, message[at] & 31, message[at + 1]
        high = low[:shared] + message[at + 2 : at + 2 + length]
        at += 2 + length
        if tag == FINGERPRINT:
            at += 16
        elif tag == LIST:
            at += 1 + 8 * message[at]
        elif tag == NAMED:
            at += 3 + message[at] + 24 * int.from_bytes(message[at + 1 : at + 3], "big")
        yield low, high, tag
        low = high
