"""A hall full of laptops on one Wi-Fi: each keeps in touch with a few, and what one says has soon reached all."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from meshrelay.peers.neighbours import CHOSEN, VISITORS
from tests.mesh.netlab import Host, Lab, start_all, until

# Forty processes on two cores take minutes, and the five seconds want a machine that does nothing else.
pytestmark = [pytest.mark.netns, pytest.mark.full, pytest.mark.timeout(600)]

CROWD = 40


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as lab:
        yield lab


def connections(host: Host) -> int:
    """Return how many connections with other relays are open at this moment, in either direction."""
    shown = subprocess.run(
        host.inside("ss", "-Htn", "state", "established", "( sport = :8443 or dport = :8443 )"),
        capture_output=True,
        text=True,
        check=True,
    )
    return len(shown.stdout.splitlines())


def settled(host: Host) -> int:
    """Return with how many others a relay has compared everything."""
    status = host.status()
    return sum(peer["settled_at"] is not None for peer in status["peers"]) if status else 0


def stored(hosts: Sequence[Host], item: str) -> bool:
    """Tell whether all have it: by a look into the file, which takes none of the relays' time."""
    for host in hosts:
        with closing(sqlite3.connect(f"file:{host.data}/store.db?mode=ro", uri=True)) as db:
            if db.execute("SELECT 1 FROM items WHERE id = ?", (bytes.fromhex(item),)).fetchone() is None:
                return False
    return True


def test_forty_relays_on_one_network_keep_few_connections_and_a_bulletin_reaches_all_within_5_s(lab: Lab) -> None:
    hosts = [lab.host(f"h{number}") for number in range(CROWD)]
    lab.bridge(hosts, network="10.78.0")
    # A few at a time: forty interpreters that begin at once keep two cores busy for longer than a start may take.
    started = sum(start_all(hosts[first : first + 5]) for first in range(0, CROWD, 5))
    _, found = until("everybody has found enough", 120, lambda: all(settled(host) >= CHOSEN for host in hosts))
    most = max(connections(host) for _ in range(5) for host in hosts)
    item = hosts[0].meshrelay("publish", "--headline", "The hall is closed, go to gate 2").stdout.split()[0]
    _, took = until("all have it", 30, partial(stored, hosts[1:], item))
    assert all(host.get(f"/api/v1/bulletins/{item}")[0] == 200 for host in hosts)
    most = max(most, *(connections(host) for host in hosts))
    print(
        f"{CROWD} started in {started:.1f} s, found in {found:.1f} s, everywhere after {took:.2f} s, {most} connections"
    )
    assert took <= 5  # however busy the machine is
    assert most <= CHOSEN + VISITORS
