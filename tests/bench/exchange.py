"""What an exchange costs: ``python -m tests.bench.exchange [ITEMS]``; 10,000 bulletins if not said otherwise.

The responder is a process of its own; both hold the same senders as known. Times are those of the initiator, from
before the connection to the answer to the last request, everything that arrived on the disk; bytes are those of bodies.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time

from meshrelay.core.envelope import SignedItem
from meshrelay.core.trust import Anchor
from meshrelay.index import PeerView
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from tests.peers.stations import NOW, Station
from tests.processes import author_keys, made_items

RUNS = 5
NEWEST = 10


def main(count: int = 10_000) -> None:
    """Measure and print."""
    items = list(made_items(count + NEWEST * RUNS, now=NOW))
    # The newest are those that are sent last, whatever their number.
    items.sort(key=lambda item: item.header.sent)
    size = sum(len(item.data) for item in items) / len(items)
    print(f"{count} bulletins of {size:.0f} bytes")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.Pipe()
        responder = multiprocessing.Process(target=_respond, args=(theirs, Path(folder, "responder"), items, count))
        responder.start()
        asyncio.run(_initiate(ours, Path(folder)))
        ours.send(None)
        responder.join()


def _know(station: Station) -> None:
    for number, key in enumerate(author_keys()):
        station.relay.local.add_anchor(Anchor(key, f"Clinic {number}", NOW))
    station.relay.refresh()


def _respond(pipe: Connection, folder: Path, items: Sequence[SignedItem], count: int) -> None:
    async def respond() -> None:
        async with Station(folder) as station:
            _know(station)
            held = count
            station.holds(items[:held])
            pipe.send((station.port, station.relay_id))
            while await asyncio.to_thread(pipe.recv) is not None:
                station.holds(items[held : held + NEWEST])
                held += NEWEST
                pipe.send(True)

    asyncio.run(respond())


async def _initiate(pipe: Connection, folder: Path) -> None:
    port, relay_id = await asyncio.to_thread(pipe.recv)
    async with Station(folder / "initiator") as station:
        _know(station)
        view = PeerView()

        async def visit(*, first: bool) -> tuple[float, float, ExchangeReport]:
            begun, spent = perf_counter(), process_time()
            async with Link(station.identity, ["127.0.0.1"], port, relay_id) as link:
                if first:
                    await meet(station.side, link, port=0)
                report = await exchange(station.side, link, view, slow_start=first)
            took = perf_counter() - begun, process_time() - spent
            assert report.settled, report
            station.settle()
            return *took, report

        took, spent, report = await visit(first=True)
        print(
            f"an empty relay receives all: {took:.2f} s, {spent:.2f} s of CPU, "
            f"{(report.bytes_received + report.bytes_sent) / 1e6:.2f} MB, {report.rounds} rounds"
        )
        _line("nothing new", [await visit(first=False) for _ in range(RUNS)])
        newest = []
        for _ in range(RUNS):
            pipe.send(True)
            await asyncio.to_thread(pipe.recv)
            newest.append(await visit(first=False))
        assert all(report.received == NEWEST for _, _, report in newest)
        _line(f"{NEWEST} newest", newest)


def _line(what: str, visits: Sequence[tuple[float, float, ExchangeReport]]) -> None:
    took = statistics.median(took for took, _, _ in visits) * 1000
    spent = statistics.median(spent for _, spent, _ in visits) * 1000
    report = visits[-1][2]
    print(
        f"{what}: median {took:.1f} ms of {len(visits)}, {spent:.1f} ms of CPU, "
        f"{report.bytes_received + report.bytes_sent} bytes, {report.rounds} round"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
