"""What reconciliation costs: ``python -m tests.bench.reconcile [KEYS]`` prints two tables, for 100,000 keys or as many.

First the bytes and the time of whole exchanges between two sides in one process, then the parts that happen outside of
exchanges. Times are medians; bytes are the same in every run.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter

from meshrelay.core.reconcile import Keys, Reconciliation, answer, cost
from meshrelay.index import Index, PeerView
from meshrelay.store import Change
from tests.reconciling import DAY, NOW, SALT, made_keys

REPEAT = 5
Sides = tuple[Keys, Keys]


def main(count: int) -> None:
    """Measure and print."""
    print(f"{count:,} keys on a side unless said otherwise; time in ms")
    print(f"{'':34}{'POSTs':>6}{'bytes':>11}{'initiator':>11}{'responder':>11}")
    for name, (mine, theirs) in _cases(count):
        runs = [_exchange(mine, theirs) for _ in range(REPEAT)]
        posts, size = runs[0][:2]
        initiator, responder = (statistics.median(run[column] for run in runs) * 1e3 for column in (2, 3))
        print(f"{name:34}{posts:>6}{size:>11,}{initiator:>11.1f}{responder:>11.1f}")
    print()
    for name, took in _parts(count):
        print(f"{name:51}{took * 1e3:>11.2f}")


def _cases(count: int) -> Iterator[tuple[str, Sides]]:
    keys = made_keys(count, seed=1)
    common = Keys.of(keys)
    yield "the same", (common, common)
    newest = [bytes([3]) + (NOW + n).to_bytes(7, "big") + key[8:] for n, key in enumerate(made_keys(10, seed=2))]
    yield "10 newest, here only", (common.changed(add=newest), common)
    yield "10 newest, there only", (common, common.changed(add=newest))
    scattered = made_keys(1_000, seed=3)
    rest = [key for key in scattered if key[0] == 3]
    for number in (10, 100):
        yield f"{number} scattered, one class", _halved(common, rest[:number])
    for number in (10, 100, 1_000):
        yield f"{number:,} scattered, all classes", _halved(common, scattered[:number])
    yield "10 % scattered, all classes", _halved(common, made_keys(count // 10, seed=4))
    yield "nothing in common, a tenth each", (Keys.of(keys[: count // 10]), Keys.of(keys[-count // 10 :]))
    yield "empty asks full, a tenth", (Keys(), Keys.of(keys[: count // 10]))
    yield "full asks empty", (common, Keys())
    yield "differ by 10,000, second exchange", _settled(common)


def _halved(common: Keys, extra: list[bytes]) -> Sides:
    half = len(extra) // 2
    return common.changed(add=extra[:half]), common.changed(add=extra[half:])


def _settled(common: Keys) -> Sides:
    """Return what two relays compare that have each declined 5,000 items of the other's."""
    ours, yours = made_keys(5_000, seed=5), made_keys(5_000, seed=6)
    view = PeerView()
    view.refuse(ours)
    view.decline(yours)
    return view.keys(common.changed(add=ours)), common.changed(add=yours)


def _exchange(mine: Keys, theirs: Keys) -> tuple[int, int, float, float]:
    """Return the POSTs, the bytes both ways, and the seconds that each side took."""
    initiator = responder = 0.0
    start = perf_counter()
    work = Reconciliation(mine, salt=SALT, now=NOW)
    while (message := work.message()) is not None:
        initiator -= start - perf_counter()
        start = perf_counter()
        reply = answer(theirs, message)
        responder -= start - perf_counter()
        start = perf_counter()
        work.receive(reply)
    initiator -= start - perf_counter()
    if not work.settled:
        raise RuntimeError("not settled")
    return work.rounds, work.spent, initiator, responder


def _parts(count: int) -> Iterator[tuple[str, float]]:
    common = Keys.of(made_keys(count, seed=1))
    index = Index(common.buffer)
    yield "the index from the store's keys", _timed(lambda: Index(common.buffer))
    for number in (1, 250, 5_000):
        rows = [Change(key, key[8:], gone=False) for key in made_keys(number, seed=7)]
        yield f"{number:,} new keys into the index", _timed(partial(_applied, index, rows))
    made = PeerView()
    made.decline(made_keys(5_000, seed=8))
    made.refuse(list(common)[:5_000])
    more = iter(common)
    yield "a view that differs by 10,000, made", _timed(lambda: _remade(made, next(more), common))
    yield "a view that differs by 10,000, again", _timed(lambda: made.keys(common))
    work = Reconciliation(Keys.of(made_keys(count, seed=9, newest=NOW - DAY)), salt=SALT, now=NOW)
    message = work.message() or b""
    yield "cost(), before an answer", _timed(lambda: cost(common, message))
    yield "answer() to a first message, all of it different", _timed(lambda: answer(common, message))


def _copy(index: Index) -> Index:
    twin = Index()
    twin._keys = index.keys
    return twin


def _applied(index: Index, rows: Sequence[Change]) -> None:
    _copy(index).apply(rows)


def _remade(view: PeerView, declined: bytes, common: Keys) -> Keys:
    view.decline([declined])
    return view.keys(common)


def _timed(work: Callable[[], object]) -> float:
    took: list[float] = []
    for _ in range(2 * REPEAT + 1):
        start = perf_counter()
        work()
        took.append(perf_counter() - start)
    return statistics.median(took)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
