"""What the store costs: ``python -m tests.bench.store [ROWS]`` prints a table; 100,000 rows if not said otherwise.

Items of 2 kB, batches of 250, each batch on the disk before the next. For the lists the worst case stands beside
the common one: everything expired, or nothing by the senders asked for.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time

from meshrelay.core.envelope import SignedItem
from meshrelay.rows import ROWS_AT_ONCE
from meshrelay.store import Store
from tests.store.making import DAY, NOON, Author, unsigned_items

SEARCHED = 10_000
_WORDS = (
    "water",
    "rises",
    "bridge",
    "road",
    "closed",
    "north",
    "river",
    "evacuate",
    "school",
    "shelter",
    "power",
    "storm",
)


def main(rows: int) -> None:
    """Measure and print."""
    items = unsigned_items(rows, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder) / "items.db", max_bytes=rows << 13)
        for line in (*_written(store, items), *_read(store, items)):
            print(line)
        store.close()
        store = Store.open(Path(folder) / "texts.db")
        for line in _searched(store):
            print(line)
        store.close()


def _written(store: Store, items: list[SignedItem]) -> Iterator[str]:
    longest, start, cpu = 0.0, perf_counter(), process_time()
    for at in range(0, len(items), ROWS_AT_ONCE):
        before = perf_counter()
        store.put_many(items[at : at + ROWS_AT_ONCE], received=NOON)
        longest = max(longest, perf_counter() - before)
    took, cpu = perf_counter() - start, process_time() - cpu
    yield (
        f"put_many           {len(items) / took:>9,.0f} rows/s, {cpu / len(items) * 1e6:.0f} us CPU a row, "
        f"longest transaction {longest * 1e3:.0f} ms, {store.usage().bytes / len(items):,.0f} bytes a row on the disk"
    )


def _read(store: Store, items: list[SignedItem]) -> Iterator[str]:
    ids = [item.id for item in items]
    end = NOON + len(items) // 3 + 2 * DAY
    strangers = frozenset(Author(number).public for number in range(1000))
    some = frozenset({items[0].author, items[1].author})
    everyone = frozenset(item.author for item in items)
    _, cursor = store.keys()
    yield _line("keys()", store.keys)
    yield _line("changes(), none", lambda: store.changes(cursor))
    yield _line("data_version()", store.data_version)
    yield _line("page, urgent", lambda: store.page(order="urgent", live_at=NOON, limit=50))
    yield _line("page, newest", lambda: store.page(order="newest", live_at=NOON, limit=50))
    yield _line("page, 2 senders", lambda: store.page(order="urgent", live_at=NOON, limit=50, authors=some))
    yield _line("page, not 100", lambda: store.page(order="urgent", live_at=NOON, limit=50, not_authors=everyone))
    yield _line("page, 1000 absent", lambda: store.page(order="urgent", live_at=NOON, limit=50, authors=strangers))
    yield _line("page, all expired", lambda: store.page(order="urgent", live_at=end, limit=50))
    yield _line(
        "page, all senders, expired", lambda: store.page(order="urgent", live_at=end, limit=50, authors=everyone)
    )
    yield _line("get_many, 250", lambda: store.get_many(ids[1000:1250]))
    yield _line("headers, 250", lambda: store.headers(ids[1000:1250]))
    yield _line("by_key, 250", lambda: store.by_key(item.key for item in items[1000:1250]))
    yield _line("acting_on, 50", lambda: store.acting_on(ids[:50]))
    yield _line("usage()", store.usage)


def _searched(store: Store) -> Iterator[str]:
    author = Author(1)
    texts = [
        (" ".join(_WORDS[(number * step) % len(_WORDS)] for step in range(1, 9)), f"{number} " + " ".join(_WORDS * 15))
        for number in range(SEARCHED)
    ]
    items = [
        author.says(
            headline, description=description + (" 洪水警報 大雨" if number % 50 == 0 else ""), sent=NOON + number
        )
        for number, (headline, description) in enumerate(texts)
    ]
    for how, stretch in (("at once", 1000), ("later", SEARCHED)):
        before, took = store.usage().bytes, 0.0
        part, items = items[: SEARCHED // 2], items[SEARCHED // 2 :]
        for at in range(0, len(part), stretch):
            store.put_many(part[at : at + stretch], received=NOON)
            start = perf_counter()
            while store.index_backlog(1000):
                pass
            took += perf_counter() - start
        yield (
            f"index_backlog {how:<8} {len(part) / took:>9,.0f} rows/s, items of {part[-1].header.size} bytes,"
            f" which take {(store.usage().bytes - before) / len(part):,.0f} on the disk in all"
        )
    for what, text in (
        ("a common word", "bridge"),
        ("two words", "evac 77"),
        ("Han, two signs", "洪水"),
        ("none", "zebra"),
    ):
        yield _line(f"search, {what}", lambda text=text: store.search(text, limit=50))  # type: ignore[misc]


def _line(what: str, call: Callable[[], object]) -> str:
    times = []
    for _ in range(9):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return f"{what:<28}{statistics.median(times) * 1e3:>10.2f} ms"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
