"""What the gate costs: ``python -m tests.bench.gate`` prints a table of CPU time an item.

Each line is one kind of item, measured side by side with the signature alone, which is the least that a gate can
cost. Every figure is the least of several rounds: what other work on the machine added is not the gate's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import process_time

from meshrelay.core.admission import admit, reopen, sign
from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    Category,
    Certainty,
    Chain,
    Point,
    Response,
    Severity,
    Text,
    Urgency,
)
from meshrelay.core.encoding import decode
from meshrelay.core.envelope import SignedItem, open_envelope, to_be_signed
from meshrelay.core.keys import SigningKey, verify
from meshrelay.core.statements import Revocation
from tests.processes import made_items

NOON = 1_760_000_000
ROUNDS = 15
KEY = SigningKey.from_seed(bytes(32))


def main(calls: int = 300) -> None:
    """Measure and print; times in microseconds of CPU."""
    print(f"{'item':<44}{'bytes':>7}{'verify':>8}{'decode':>8}{'reopen':>8}{'admit':>8}")
    for what, item in _items():
        parts = open_envelope(item.data)
        ((author, signature),) = parts.signatures
        message = to_be_signed(author, parts.payload)
        times = [
            _least(lambda a=author, m=message, s=signature: verify(a, m, s), calls),  # type: ignore[misc]
            _least(lambda p=parts: decode(p.payload), calls),  # type: ignore[misc]
            _least(lambda i=item: reopen(i.data), calls),  # type: ignore[misc]
            _least(lambda i=item: admit(i.data), calls),  # type: ignore[misc]
        ]
        print(f"{what:<44}{len(item.data):>7}" + "".join(f"{time * 1e6:>8.0f}" for time in times))


def _items() -> Iterator[tuple[str, SignedItem]]:
    text = Text("en", "Flood", "River rising at the east bridge", instruction="Move to higher ground.")
    plain = Bulletin(NOON, NOON + 86_400, Chain(b"stream--", 1), (text,))
    yield "revocation", sign(Revocation(NOON, KEY.public), KEY)
    yield "a bulletin of one line", sign(plain, KEY)
    corners = (Point(43_000_000, 76_000_000), Point(43_100_000, 76_000_000), Point(43_100_000, 76_100_000))
    full = Bulletin(
        sent=NOON,
        expires=NOON + 86_400,
        chain=Chain(b"stream--", 70, bytes(32), tuple(range(6, 70))),
        texts=(
            Text(
                "en", "Flood", "River rising", "The river has risen two metres since noon. " * 4, "Move up.", "Office"
            ),
            Text(
                "ru", "Наводнение", "Река поднимается", "Река поднялась на два метра. " * 4, "Поднимитесь.", "Контора"
            ),
        ),
        categories=(Category.MET, Category.SAFETY),
        responses=(Response.EVACUATE,),
        urgency=Urgency.IMMEDIATE,
        severity=Severity.SEVERE,
        certainty=Certainty.OBSERVED,
        areas=(Area((("en", "East bank"), ("ru", "Восточный берег")), polygons=((*corners, corners[0]),)),),
    )
    yield "two languages, an area, 64 live", sign(full, KEY)
    yield "two languages, long texts", next(iter(made_items(1, now=NOON)))
    ring = tuple(Point(43_000_000 + number * 7, 76_000_000 + number * 11) for number in range(5_500))
    area = Area((("en", "The whole river"),), polygons=((*ring, ring[0]),))
    yield (
        "a polygon of 5,501 points",
        sign(Bulletin(NOON, NOON + 1, Chain(b"stream--", 1), (text,), areas=(area,)), KEY),
    )


def _least(call: Callable[[], object], calls: int) -> float:
    times = []
    for _ in range(ROUNDS):
        start = process_time()
        for _ in range(max(calls // ROUNDS, 1)):
            call()
        times.append((process_time() - start) / max(calls // ROUNDS, 1))
    return min(times)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3_000)
