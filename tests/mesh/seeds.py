"""Many seeds of a scenario: ``python -m tests.mesh.seeds healing|revocation|gathering|backlog [FIRST LAST] [AT_ONCE]``.

Prints what each seed showed as soon as it is there, and the worst and the median at the end; fails where one of them
misses its bounds. A seed of the first takes a processor some twenty seconds, one of the second a minute, one of the
others a moment.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path

from meshrelay import relay
from meshrelay.core.admission import admit
from meshrelay.peers.wire import Answer
from tests.mesh import scenarios
from tests.mesh.simulator import run

HONEST = 45
"""Relays of the second scenario that are not hostile."""


def healing(seed: int) -> tuple[float, str]:
    """Return after how many virtual seconds all honest relays held what is known, and what was shown."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(lambda: scenarios.healing(Path(folder), seed=seed))
    if found.lies or found.known_after is None:
        raise AssertionError(f"seed {seed}: {found}")
    return found.known_after, f"all {found.all_after} s, {found.requests} requests, trace {found.trace[:16]}"


def revocation(seed: int) -> tuple[float, str]:
    """Return after how many virtual seconds a revocation had reached 99 of 100 relays, and what was shown."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(lambda: scenarios.revocation_under_load(Path(folder), seed=seed))
    if len(found.after) != HONEST:
        raise AssertionError(f"seed {seed}: {found}")
    reached = found.after[int(HONEST * 0.99) - 1]
    return reached, f"{len(found.after)} relays, {found.backlog_there:.0%} of the backlog there"


def gathering(seed: int) -> tuple[float, str]:
    """Return after how many virtual seconds a few relays that came together held the same."""
    with tempfile.TemporaryDirectory() as folder:
        took = run(lambda: scenarios.gathering(Path(folder), seed=seed))
    if took is None:
        raise AssertionError(f"seed {seed}: not all of them in a minute")
    return took, ""


def backlog(seed: int) -> tuple[float, str]:
    """Return after how many virtual seconds a backlog on thin links was everywhere, and what crossed them."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(lambda: scenarios.backlog(Path(folder), seed=seed))
    if found.after is None:
        raise AssertionError(f"seed {seed}: {found}")
    again = found.said[Answer.KNOWN] / found.said[Answer.NEW]
    return found.after, f"{found.passed / found.needed:.2f} bytes for one of the items, {again:.0%} of them given twice"


SCENARIOS: dict[str, tuple[Callable[[int], tuple[float, str]], float, float]] = {
    "healing": (healing, 60.0, 120.0),
    "revocation": (revocation, 15.0, 15.0),
    "gathering": (gathering, 5.0, 10.0),
    "backlog": (backlog, 20.0, 30.0),
}
"""Each with the most virtual seconds allowed: at the median, and in all."""


def _begin() -> None:
    """Spare a world's process what would be done again and again with the same outcome."""
    # Its rubbish goes with it: to look for it takes a tenth of the time.
    gc.set_threshold(200_000, 20, 100)
    # What the gate says of an item depends on its bytes alone, and fifty relays ask.
    relay.admit = cache(admit)  # type: ignore[attr-defined]


def main(words: Sequence[str]) -> int:
    """Run the seeds and print; return the exit code."""
    scenario, usual, most = SCENARIOS[words[0]]
    given = [int(word) for word in words[1:4]]
    first, last, at_once = [*given, *(0, 199, 2)[len(given) :]]
    times: list[float] = []
    with ProcessPoolExecutor(at_once, initializer=_begin, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(scenario, seed): seed for seed in range(first, last + 1)}
        for done in as_completed(waiting):
            time, shown = done.result()
            times.append(time)
            print(f"seed {waiting[done]}: {time:.1f} s; {shown}", flush=True)
    print(f"{len(times)} seeds: median {statistics.median(times):.1f} s, worst {max(times):.1f} s")
    return int(statistics.median(times) > usual or max(times) > most)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
