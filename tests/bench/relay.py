"""What receiving costs: ``python -m tests.bench.relay [ITEMS]`` prints a table; 10,000 items if not said otherwise.

Bulletins of 2 kB in two languages by four known keys, in batches of 250 as a peer sends them: verified, stored and
on the disk before the next batch. Then the same once more under tracemalloc: what stays in memory after the first
quarter and after all of it, which is the same when nothing is kept for each item, and the most that one batch took.
"""

from __future__ import annotations

import sys
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

from meshrelay.core.trust import Anchor
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Outcome, Receipt, Relay
from meshrelay.store import Store
from tests.processes import author_keys, made_items

NOON = 1_760_000_000
BATCH = 250


def main(count: int) -> None:
    """Measure and print."""
    datas = [item.data for item in made_items(count, now=NOON, keys=100)]
    with _relay() as relay:
        took, cpu = perf_counter(), process_time()
        _receive(relay, datas, Outcome.NEW)
        took, cpu = perf_counter() - took, process_time() - cpu
        print(f"receive_many, new     {count / took:>8,.0f} items/s, {cpu / count * 1e6:.0f} us CPU an item")
        took, cpu = perf_counter(), process_time()
        _receive(relay, datas, Outcome.KNOWN)
        took, cpu = perf_counter() - took, process_time() - cpu
        print(f"receive_many, known   {count / took:>8,.0f} items/s, {cpu / count * 1e6:.0f} us CPU an item")
        took, cpu = perf_counter(), process_time()
        while relay.store.index_backlog(1_000):
            pass
        took, cpu = perf_counter() - took, process_time() - cpu
        print(f"made searchable       {count / took:>8,.0f} items/s, {cpu / count * 1e6:.0f} us CPU an item")
    with _relay() as relay:
        first, rest, most = held_memory(relay, datas)
        print(f"memory held           {first / 2**20:.1f} MiB after a quarter, {rest / 2**20:.1f} MiB after all")
        print(f"memory, one batch     {most / 2**20:.1f} MiB at most for {BATCH} items")


def held_memory(relay: Relay, datas: Sequence[bytes]) -> tuple[int, int, int]:
    """Receive these; return the bytes held after a quarter of them and after all, and the most above that in between.

    Search is fed meanwhile, as a running relay does.
    """
    tracemalloc.start()
    try:
        held, most = [], 0
        quarter = len(datas) // 4
        for part in (datas[:quarter], datas[quarter:]):
            for start in range(0, len(part), BATCH):
                before, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
                relay.receive_many(part[start : start + BATCH], now=NOON)
                most = max(most, tracemalloc.get_traced_memory()[1] - before)
                while relay.store.index_backlog(1_000):
                    pass
            held.append(tracemalloc.get_traced_memory()[0])
        return held[0], held[1], most
    finally:
        tracemalloc.stop()


@contextmanager
def _relay() -> Iterator[Relay]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        relay = Relay(Store.open(data / "store.db"), Local.open(data / "local.db"), Keyring(data / "keys"))
        for number, key in enumerate(author_keys()):
            relay.local.add_anchor(Anchor(key, f"Clinic {number}", NOON))
        relay.refresh()
        yield relay
        relay.close()


def _receive(relay: Relay, datas: Sequence[bytes], expected: Outcome) -> None:
    for start in range(0, len(datas), BATCH):
        for answer in relay.receive_many(datas[start : start + BATCH], now=NOON):
            if not isinstance(answer, Receipt) or answer.outcome is not expected:
                raise RuntimeError(f"{answer} instead of {expected}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
