"""A hall full of laptops on one Wi-Fi: each keeps in touch with a few, and what one says has soon reached all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
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


def in_touch(host: Host) -> int:
    status = host.status()
    return sum(peer["connected"] for peer in status["peers"]) if status else 0


def have_it(hosts: Sequence[Host], item: str) -> bool:
    return all(host.get(f"/api/v1/bulletins/{item}")[0] == 200 for host in hosts)


def test_forty_relays_on_one_network_keep_few_connections_and_a_bulletin_reaches_all_within_5_s(lab: Lab) -> None:
    hosts = [lab.host(f"h{number}") for number in range(CROWD)]
    lab.bridge(hosts, network="10.78.0")
    # A few at a time: forty interpreters that begin at once keep two cores busy for longer than a start may take.
    started = sum(start_all(hosts[first : first + 5]) for first in range(0, CROWD, 5))
    _, found = until("everybody has found enough", 120, lambda: all(in_touch(host) >= CHOSEN for host in hosts))
    most = max(connections(host) for _ in range(5) for host in hosts)
    item = hosts[0].meshrelay("publish", "--headline", "The hall is closed, go to gate 2").stdout.split()[0]
    _, took = until("it is on every page", 5, partial(have_it, hosts[1:], item))
    most = max(most, *(connections(host) for host in hosts))
    print(
        f"{CROWD} started in {started:.1f} s, found in {found:.1f} s, everywhere after {took:.2f} s, {most} connections"
    )
    assert most <= CHOSEN + VISITORS
