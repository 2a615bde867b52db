"""False announcements by multicast DNS without number, against a relay on loopback that has a known neighbour.

``python -m tests.attacks.mdns [COUNT]`` prints what they cost. Every record is complete, as that of a real relay, and
leads to a port where nobody listens. The service type is one of its own: no relay on any network hears it.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zeroconf import DNSAddress, DNSOutgoing, DNSPointer, DNSService, DNSText  # type: ignore[attr-defined]

from tests.attacks.slow import memory
from tests.processes import Process, launch

PACE = 2000.0  # records a second
_RESPONSE, _IN, _UNIQUE = 0x8400, 1, 0x8001
_PTR, _TXT, _SRV, _A = 12, 16, 33, 1


@dataclass(frozen=True, slots=True)
class Figures:
    """MB of memory before and at most, milliseconds for pages meanwhile, seconds until a bulletin came through."""

    records: int
    before: float
    peak: float
    p99: float
    worst: float
    synced: float


def announcements(service_type: str, count: int) -> Iterator[bytes]:
    """Yield so many packets, each announcing another relay that is none."""
    for number in range(count):
        name = f"{secrets.token_hex(8)}.{service_type}"
        host = f"{secrets.token_hex(8)}.local."
        out = DNSOutgoing(_RESPONSE)
        out.add_answer_at_time(DNSPointer(service_type, _PTR, _IN, 4500, name), 0.0)
        out.add_answer_at_time(DNSService(name, _SRV, _UNIQUE, 120, 0, 0, 2 + number % 1000, host), 0.0)
        out.add_answer_at_time(DNSText(name, _TXT, _UNIQUE, 4500, b"\x03v=1"), 0.0)
        out.add_answer_at_time(DNSAddress(host, _A, _UNIQUE, 120, socket.inet_aton("127.0.0.1")), 0.0)
        yield from out.packets()


async def attack(relay: Process, neighbour: Process, service_type: str, count: int) -> Figures:
    """Send the records, read pages meanwhile, and have the neighbour publish in the middle of it."""
    before = memory(relay)
    peak, pages = [before], [0.0]
    done = asyncio.Event()
    watch = asyncio.create_task(_watch(relay, peak, pages, done))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        begun = time.monotonic()
        synced: asyncio.Task[float] | None = None
        for number, packet in enumerate(announcements(service_type, count)):
            if number == count // 2:
                synced = asyncio.create_task(asyncio.to_thread(_publish, neighbour, relay))
            if number % 20 == 0:
                await asyncio.sleep(max(0.0, begun + number / PACE - time.monotonic()))
            sender.sendto(packet, ("224.0.0.251", 5353))
        assert synced is not None
        took = await synced
    done.set()
    await watch
    cuts = statistics.quantiles(pages, n=100)
    return Figures(count, before, max(peak), cuts[98] * 1000, max(pages) * 1000, took)


async def _watch(relay: Process, peak: list[float], pages: list[float], done: asyncio.Event) -> None:
    while not done.is_set():
        begun = time.monotonic()
        status, _ = await asyncio.to_thread(relay.request, "GET", "/healthz")
        assert status == 200
        pages.append(time.monotonic() - begun)
        peak.append(memory(relay))
        await asyncio.sleep(0.05)


def _publish(neighbour: Process, relay: Process) -> float:
    """Have the neighbour publish, and return the seconds until the relay shows it."""
    words = ["--data", str(neighbour.data), "publish", "--headline", "Water at the school", "--lang", "en"]
    item = neighbour.command(*words).split()[0]
    begun = time.monotonic()
    while relay.request("GET", f"/api/v1/bulletins/{item}")[0] != 200:
        assert time.monotonic() < begun + 30, "the neighbour's bulletin did not come through"
        time.sleep(0.02)
    return time.monotonic() - begun


def run(count: int, folder: Path) -> Figures:
    """Start two relays that know each other, attack, and end them."""
    service_type = f"_mr-{secrets.token_hex(4)}._tcp.local."
    words = ["run", "--reader", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--desk", "127.0.0.1:0"]
    near = ["--interface", "127.0.0.1", "--service-type", service_type]
    neighbour = launch(folder / "neighbour", *words, *near)
    relay = launch(folder / "attacked", *words, *near, "--peer", neighbour.peer_uri)
    try:
        return asyncio.run(attack(relay, neighbour, service_type, count))
    finally:
        relay.kill()
        neighbour.kill()


def main(words: Sequence[str]) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        found = run(int((*words, "20000")[0]), Path(folder))
    print(
        f"{found.records} false records: memory {found.before:.0f} -> {found.peak:.0f} MB; an answer meanwhile p99 "
        f"{found.p99:.0f} ms, worst {found.worst:.0f} ms; a known neighbour's bulletin after {found.synced:.2f} s"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
