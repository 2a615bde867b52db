"""Real relays as processes on loopback, and ready-made items for them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Area, Bulletin, Category, Certainty, Chain, Severity, Text, Urgency
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey

START_SECONDS = 30.0
WORDS = [
    "water",
    "school",
    "bridge",
    "closed",
    "shelter",
    "clinic",
    "north",
    "bank",
    "open",
    "until",
    "evening",
    "bring",
    "blankets",
    "no",
    "power",
]


def made_items(count: int, *, now: int, keys: int = 4, seed: int = 0, length: int = 1_400) -> Iterator[SignedItem]:
    """Yield live bulletins of about 2 KB in two languages, signed by a few keys, sent in the hours before `now`."""
    signers = [SigningKey.from_seed(bytes([seed, number]) + bytes(30)) for number in range(keys)]
    before: list[bytes | None] = [None] * keys
    for number in range(count):
        at = number % keys
        words = " ".join(WORDS[(number * 7 + place * 5) % len(WORDS)] for place in range(length // 12))
        item = sign(
            Bulletin(
                sent=now - 20_000 + number % 20_000,
                expires=now + 80_000,
                chain=Chain(bytes([seed, at]) + bytes(6), number // keys + 1, before[at]),
                texts=(
                    Text("en", "Notice", f"Notice {number} {WORDS[number % len(WORDS)]}", words, "Stay inside."),
                    Text("ru", "Объявление", f"Объявление {number}", words[: length // 4], "Оставайтесь дома."),
                ),
                categories=(list(Category)[number % len(Category)],),
                urgency=list(Urgency)[number % len(Urgency)],
                severity=list(Severity)[number % len(Severity)],
                certainty=Certainty.LIKELY,
                areas=(Area((("en", f"Street {number % 90}"),)),),
            ),
            signers[at],
        )
        before[at] = item.id
        yield item


def author_keys(keys: int = 4, seed: int = 0) -> list[bytes]:
    """Return the public keys that :func:`made_items` signs with."""
    return [SigningKey.from_seed(bytes([seed, number]) + bytes(30)).public for number in range(keys)]


_started: list[subprocess.Popen[bytes]] = []


def end_all() -> None:
    """End, by its process id, every relay that was started here and still runs: a test that failed leaves some."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)


@dataclass
class Process:
    """`meshrelay run` on a data folder, on free ports of loopback."""

    data: Path
    process: subprocess.Popen[bytes]
    entry: dict[str, Any]
    started_in: float

    @property
    def reader(self) -> tuple[str, int]:
        """Host and port of the reader's pages."""
        host, _, port = self.entry["readers"][0].removeprefix("http://").rstrip("/").rpartition(":")
        return host, int(port)

    @property
    def peer_uri(self) -> str:
        """Where other relays dial it."""
        return f"meshrelay://{self.entry['peers'][0]}"

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Make one request to the reader's listener; raises OSError or HTTPException when the relay is gone."""
        connection = http.client.HTTPConnection(*self.reader, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def processor_seconds(self) -> float:
        """Return what it has used of the processor so far (Linux)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def command(self, *words: str) -> str:
        """Run a command, and return what it prints."""
        done = subprocess.run([sys.executable, "-m", "meshrelay", *words], capture_output=True, text=True, check=True)
        return done.stdout

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=20)

    def stop(self) -> int:
        """End it as a user would; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def run(data: Path, *words: str, program: Sequence[str] = ("-m", "meshrelay")) -> Process:
    """Start a relay and wait until it is ready."""
    ports = ["--reader", "127.0.0.1:0", "--peers", "127.0.0.1:0", "--desk", "127.0.0.1:0"]
    return launch(data, "run", "--no-discovery", *ports, *words, program=program)


def launch(data: Path, *words: str, program: Sequence[str] = ("-m", "meshrelay")) -> Process:
    """Start a relay by the words of a whole command, and wait until it is ready."""
    command = [sys.executable, *program, "--data", str(data), *words]
    data.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    with (data / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    _started.append(process)
    while time.monotonic() < begun + START_SECONDS:
        ended = process.poll() is not None
        try:
            entry = json.loads((data / "run.json").read_text())
        except (FileNotFoundError, ValueError):
            entry = {}
        if entry.get("pid") == process.pid:
            # Ready, even if a test has let it die since.
            return Process(data, process, entry, time.monotonic() - begun)
        if ended:
            break
        time.sleep(0.01)
    process.kill()
    raise AssertionError(f"the relay did not start: {(data / 'log').read_text()[-2000:]}")


@contextmanager
def lasting(data: Path) -> Iterator[Process]:
    """Run a relay for more than one test."""
    relay = run(data)
    _started.remove(relay.process)
    try:
        yield relay
    finally:
        relay.kill()


def sequence(items: Sequence[SignedItem]) -> bytes:
    """Return the CBOR sequence of some items."""
    return b"".join(item.data for item in items)
