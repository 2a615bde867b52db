"""Many seeds of a scenario: ``python -m tests.mesh.seeds healing|revocation|gathering [FIRST LAST] [AT_ONCE]``.

Prints what each seed showed as soon as it is there, and the worst and the median at the end; fails where one of them
misses its bounds. A seed of the first takes a processor about a minute, one of the second longer, one of the third a
moment.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

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


SCENARIOS: dict[str, tuple[Callable[[int], tuple[float, str]], float, float]] = {
    "healing": (healing, 60.0, 120.0),
    "revocation": (revocation, 15.0, 15.0),
    "gathering": (gathering, 5.0, 10.0),
}
"""Each with the most virtual seconds allowed: at the median, and in all."""


def main(words: Sequence[str]) -> int:
    """Run the seeds and print; return the exit code."""
    scenario, usual, most = SCENARIOS[words[0]]
    given = [int(word) for word in words[1:4]]
    first, last, at_once = [*given, *(0, 199, 2)[len(given) :]]
    times: list[float] = []
    # A world's rubbish goes with its process: to look for it again and again takes a tenth of the time.
    seldom = partial(gc.set_threshold, 200_000, 20, 100)
    with ProcessPoolExecutor(at_once, initializer=seldom, max_tasks_per_child=1) as pool:
        waiting = {pool.submit(scenario, seed): seed for seed in range(first, last + 1)}
        for done in as_completed(waiting):
            time, shown = done.result()
            times.append(time)
            print(f"seed {waiting[done]}: {time:.1f} s; {shown}", flush=True)
    print(f"{len(times)} seeds: median {statistics.median(times):.1f} s, worst {max(times):.1f} s")
    return int(statistics.median(times) > usual or max(times) > most)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
