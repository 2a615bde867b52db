"""What the doctor says on networks that are broken, each in its own way: real relays, real sockets, real rules."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.mesh.netlab import Host, Lab, start_all

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

DAY = 86400


class Ward:
    """Relays that run, hosts that ask the doctor, and what the doctor told them, all at once."""

    def __init__(self, lab: Lab) -> None:
        well = [lab.host(name) for name in ("well", "mate", "idle", "late", "full", "vpn")]
        self.well, self.mate, self.idle, self.late, self.full, self.vpn = well
        lab.bridge(well, network="10.77.1")
        self.deaf, self.heard = lab.host("deaf"), lab.host("heard")
        lab.bridge([self.heard, self.deaf], network="10.77.2")
        self.shut, self.puzzled = lab.host("shut"), lab.host("puzzled")
        lab.bridge([self.shut, self.puzzled], network="10.77.3")
        self.mute, self.lost, self.sweeper = lab.host("mute"), lab.host("lost"), lab.host("sweeper")
        lab.bridge([self.mute, self.lost, self.sweeper], network="10.77.4")
        self.far = lab.host("far")
        lab.bridge([self.far], network="10.77.5")
        self.apart, self.other, router = lab.host("apart"), lab.host("other"), lab.host("router")
        lab.bridge([self.apart, self.other, router], network="10.77.6", apart=[self.apart, self.other], router=router)
        self.nowhere = lab.host("nowhere")

        self.late.ahead(2 * DAY)
        self._fill(self.full)
        self.vpn.ip("link", "add", "tun0", "type", "veth", "peer", "name", "end0")
        self.vpn.ip("link", "set", "end0", "up")
        self.vpn.ip("addr", "add", "10.200.0.1/32", "dev", "tun0")
        self.vpn.ip("link", "set", "tun0", "up")
        for half in ("10.77.1.0/25", "10.77.1.128/25"):
            self.vpn.ip("route", "add", half, "dev", "tun0")
        self.deaf.deaf()
        self.shut.shut()
        self.mute.deaf()
        for host, there in (
            (self.deaf, "10.77.2.1"), (self.lost, "10.77.4.1"), (self.far, "10.77.1.1"), (self.apart, "10.77.6.2")
        ):  # fmt: skip
            host.knows(f"meshrelay://{there}:8443")
        start_all([self.well, self.mate, self.heard, self.shut, self.mute])
        asked = [
            self.mate, self.idle, self.late, self.full, self.vpn, self.deaf, self.puzzled, self.lost, self.far,
            self.apart, self.nowhere, self.sweeper,
        ]  # fmt: skip
        with ThreadPoolExecutor(6) as several:
            self._told = dict(zip([one.name for one in asked], several.map(self._ask, asked), strict=True))

    def told(self, host: Host) -> tuple[int, dict[str, str]]:
        """Return the exit code, and the health of every code that the doctor named."""
        code, document = self._told[host.name]
        return code, {one["code"]: one["health"] for one in document["findings"]}

    @staticmethod
    def _ask(host: Host) -> tuple[int, dict[str, Any]]:
        sweep = ["--sweep"] if host.name == "sweeper" else []
        done = host.meshrelay("doctor", "--json", *sweep, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    @staticmethod
    def _fill(host: Host) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(host.data)], check=True)
        host.on_close.append(lambda: subprocess.run(["umount", str(host.data)], check=True))
        with (host.data / "else").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    with Lab(tmp_path_factory.mktemp("ward")) as lab:
        yield Ward(lab)


def test_on_a_network_that_works_all_is_well(ward: Ward) -> None:
    code, found = ward.told(ward.mate)
    assert (code, [one for one in found if found[one] == "wrong"]) == (0, [])
    assert {"running", "network", "mdns-found", "clock", "disk", "in-touch"} <= found.keys()


def test_where_no_relay_runs_the_doctor_looks_all_the_same(ward: Ward) -> None:
    code, found = ward.told(ward.idle)
    assert (code, found["not-running"], found["mdns-found"]) == (0, "note", "well")


def test_a_wrong_clock_is_told_by_those_in_reach(ward: Ward) -> None:
    code, found = ward.told(ward.late)
    assert (code, found["clock-differs"]) == (1, "wrong")


def test_a_full_disk_is_said(ward: Ward) -> None:
    code, found = ward.told(ward.full)
    assert (code, found["disk-full"], found["mdns-found"]) == (1, "wrong", "well")


def test_a_tunnel_that_takes_the_local_network_is_said(ward: Ward) -> None:
    _, found = ward.told(ward.vpn)
    assert found["vpn-takes-all"] == "wrong"


def test_multicast_that_this_computer_drops_is_told_from_what_others_drop(ward: Ward) -> None:
    code, found = ward.told(ward.deaf)
    assert (code, found["mdns-shut"], found["reached"]) == (1, "wrong", "well")
    code, found = ward.told(ward.lost)
    assert (code, found["mdns-dropped"], found["reached"]) == (1, "wrong", "well")


def test_a_port_that_a_firewall_shuts_is_said(ward: Ward) -> None:
    code, found = ward.told(ward.puzzled)
    assert (code, found["firewall"], found["alone"]) == (4, "wrong", "note")


def test_a_network_that_keeps_its_devices_apart_is_named(ward: Ward) -> None:
    code, found = ward.told(ward.apart)
    assert (code, found["isolated"], found["nobody"]) == (4, "wrong", "wrong")


def test_another_subnet_is_named(ward: Ward) -> None:
    code, found = ward.told(ward.far)
    assert (code, found["other-subnet"]) == (4, "wrong")


def test_no_network_is_said_in_words_and_by_the_exit_code(ward: Ward) -> None:
    code, found = ward.told(ward.nowhere)
    assert (code, found["no-network"]) == (4, "wrong")
    done = ward.nowhere.meshrelay("doctor", check=False)
    assert "this computer is on no network." in done.stdout
    assert "open a hotspot" in done.stdout


def test_a_sweep_is_offered_and_finds_what_cannot_call_out(ward: Ward) -> None:
    assert ward.told(ward.far)[1]["sweep-offered"] == "off"
    code, found = ward.told(ward.sweeper)
    assert (code, found["sweep-found"], found["mdns-dropped"]) == (1, "well", "wrong")
