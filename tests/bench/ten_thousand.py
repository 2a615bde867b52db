"""What a centre with 10,000 bulletins of anchored keys sees: start, front page, an empty neighbour.

Run it with ``python -m tests.bench.ten_thousand``; it prints one table. Both relays share the machine's cores.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from meshrelay.core.trust import Anchor
from meshrelay.local import Local
from meshrelay.store import Store
from tests.processes import author_keys, made_items, run


def main(count: int = 10_000, pages: int = 200) -> None:
    """Measure and print."""
    now = int(time.time())
    with tempfile.TemporaryDirectory() as folder:
        full, empty = Path(folder, "full"), Path(folder, "empty")
        for data in (full, empty):
            data.mkdir()
            local = Local.open(data / "local.db")
            for number, key in enumerate(author_keys()):
                local.add_anchor(Anchor(key, f"Clinic {number}", now))
            local.close()
        store = Store.open(full / "store.db")
        items = list(made_items(count, now=now, keys=100))
        store.put_many(items, received=now)
        while store.index_backlog(1_000):
            continue
        store.close()
        size = sum(len(item.data) for item in items) / count
        print(f"{count} bulletins of {size:.0f} bytes")

        starts = []
        for _ in range(5):
            relay = run(full)
            starts.append(relay.started_in)
            relay.stop()
        print(f"start to ready: median {statistics.median(starts):.2f} s of {len(starts)}, worst {max(starts):.2f} s")

        relay = run(full)
        for path in ("/", "/?lang=ar", "/api/v1/bulletins", "/search?q=water"):
            times = []
            for _ in range(pages):
                begun = time.perf_counter()
                code, body = relay.request("GET", path)
                times.append((time.perf_counter() - begun) * 1000)
                assert code == 200, (path, code)
            times.sort()
            print(
                f"GET {path}: median {statistics.median(times):.1f} ms, p99 {times[int(pages * 0.99) - 1]:.1f} ms, "
                f"{len(body) / 1024:.1f} KiB uncompressed"
            )

        neighbour = run(empty)
        neighbour.stop()
        begun = time.perf_counter()
        neighbour = run(empty, "--peer", relay.peer_uri)
        ready = time.perf_counter() - begun
        watcher = Store.open(empty / "store.db")
        while watcher.usage().items < count:
            time.sleep(0.02)
            assert time.perf_counter() - begun < 120, watcher.usage()
        print(
            f"empty neighbour up to date: {time.perf_counter() - begun:.2f} s after its process was started, "
            f"{time.perf_counter() - begun - ready:.2f} s after it was ready"
        )
        watcher.close()
        neighbour.stop()
        relay.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
