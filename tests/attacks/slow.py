"""Slow connections without number against a relay on loopback, and what honest readers see meanwhile.

``python -m tests.attacks.slow [COUNT]`` prints the figures; the tests beside it hold them to bounds. The attacker has
many addresses of 127.0.0.0/8 and does five things in turn: says nothing, drips the head of a request, drips a body,
asks and does not read, and (where TLS is spoken) stops in the middle of the handshake. Bounded in count and time; what
was started is stopped by its process id.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT
from tests.processes import Process
from tests.processes import run as start

ADDRESSES = 250
PATIENCE = 15.0
PACE = 1000.0  # connections a second
_HEAD = (
    b"POST /report HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n"
)
_HELLO = bytes.fromhex("16030100c4010000c00303") + bytes(20)  # the beginning of a ClientHello


@dataclass(frozen=True, slots=True)
class Figures:
    """What was seen: MB of memory, milliseconds for honest pages, and how long the slowest connection stayed.

    `processor` is what the relay used, in seconds: all that can be compared where other work shares the machine.
    """

    connections: int
    memory: float
    before: float
    median: float
    p99: float
    worst: float
    longest: float
    left: int
    processor: float


async def attack(relay: Process, port: int, *, count: int, tls: bool) -> Figures:
    """Hold `count` slow connections to a port of the relay, and read pages beside them."""
    before, used = memory(relay), relay.processor_seconds()
    peak = [before]
    pages: list[float] = []
    stays: list[float] = []
    done = asyncio.Event()
    watch = asyncio.create_task(_weigh(relay, peak, done))
    begun = asyncio.get_running_loop().time()
    async with honest_reader(relay, pages), asyncio.TaskGroup() as tasks:
        for number in range(count):
            if number % 50 == 0:
                await asyncio.sleep(max(0.0, begun + number / PACE - asyncio.get_running_loop().time()))
            tasks.create_task(_one(number, port, stays, tls=tls))
    done.set()
    await watch
    cuts = statistics.quantiles(pages, n=100)
    return Figures(
        connections=count,
        memory=max(peak),
        before=before,
        median=cuts[49] * 1000,
        p99=cuts[98] * 1000,
        worst=max(pages) * 1000,
        longest=max(stays),
        left=sum(stay > PATIENCE for stay in stays),
        processor=relay.processor_seconds() - used,
    )


async def _one(number: int, port: int, stays: list[float], *, tls: bool) -> None:
    """Be one slow connection until the relay closes it; write down how long it stayed."""
    loop = asyncio.get_running_loop()
    address = f"127.1.{number % ADDRESSES // 125}.{1 + number % 125}"
    try:
        reader, writer = await asyncio.open_connection(sock=await _called(address, port), limit=1024)
    except OSError:
        stays.append(0.0)
        return
    begun = loop.time()
    try:
        async with asyncio.timeout(2 * PATIENCE):
            await _dawdle(number, reader, writer, port, tls=tls)
    except (OSError, TimeoutError):
        pass
    finally:
        stays.append(loop.time() - begun)
        writer.transport.abort()


async def _called(address: str, port: int) -> socket.socket:
    """Connect from an address, with so little room for answers that they stay where they come from."""
    connection = socket.socket()
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.bind((address, 0))
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    return connection


async def _dawdle(
    number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, *, tls: bool
) -> None:
    manner = number % (2 if tls else 3)
    if not tls and number % 50 == 49:
        manner = 3
    host = b"127.0.0.1:%d" % port
    if tls and manner:
        writer.write(_HELLO)
    elif manner == 1:
        writer.write(b"GET / HTTP/1.1\r\nHost: ")
    elif manner == 2:
        writer.write(_HEAD % host + b"\r\n")
    elif manner == 3:
        # More is asked for than fits anywhere, and nothing is read.
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write((b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: %s\r\n\r\n" % host) * 6)
        while True:
            await asyncio.sleep(0.5)
            writer.write(b"GET ")
            await writer.drain()  # fails once the relay has ended it
    while not await _ended(reader):
        if manner:
            writer.write(b"x")
            await writer.drain()


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(1.0):
            while await reader.read(1024):
                continue
            return True
    except TimeoutError:
        return False


@asynccontextmanager
async def honest_reader(relay: Process, pages: list[float]) -> AsyncIterator[None]:
    """Have somebody read the front page meanwhile; `pages` gets the seconds each took."""
    host, port = relay.reader
    command = [sys.executable, "-m", "tests.attacks.reading", host, str(port)]
    reader = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT)
    try:
        yield
        told, _ = await reader.communicate(b"")  # its input ends
        assert reader.returncode == 0
        pages += json.loads(told)
    finally:
        if reader.returncode is None:
            reader.kill()
            await reader.wait()


async def _weigh(relay: Process, peak: list[float], done: asyncio.Event) -> None:
    while not done.is_set():
        peak.append(memory(relay))
        await asyncio.sleep(0.2)


def memory(relay: Process) -> float:
    """Return the MB that a relay has in memory."""
    for line in Path(f"/proc/{relay.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise AssertionError("the relay is gone")


def run(count: int, folder: Path) -> tuple[Figures, Figures]:
    """Attack the readers' listener, then the one for other relays; return both figures."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, count + 1000)), hard))
    relay = start(folder / "attacked")
    try:
        peers = int(relay.entry["peers"][0].rpartition(":")[2])
        readers = asyncio.run(attack(relay, relay.reader[1], count=count, tls=False))
        relays = asyncio.run(attack(relay, peers, count=count, tls=True))
        assert relay.process.poll() is None
        return readers, relays
    finally:
        relay.process.kill()
        relay.process.wait()


def main(words: Sequence[str]) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        for what, found in zip(("readers", "relays"), run(int((*words, "10000")[0]), Path(folder)), strict=True):
            print(
                f"{what}: {found.connections} slow connections, memory {found.before:.0f} -> {found.memory:.0f} MB; "
                f"honest pages median {found.median:.0f} ms, p99 {found.p99:.0f} ms, worst {found.worst:.0f} ms; "
                f"the longest stayed {found.longest:.1f} s, {found.left} over {PATIENCE:.0f} s; "
                f"the relay used {found.processor:.1f} s of CPU"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
