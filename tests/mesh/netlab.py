"""A small network of real relays: namespaces, bridges and links made for one test, and the processes in them.

Nothing leaves the namespaces: every address in here belongs to the test that made it. Needs root, `ip` and `nft`.
What was started is stopped by its process id, and the namespaces are removed, whatever the test did.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from meshrelay.local import KnownPeer, Local
from meshrelay.peers.addressbook import PeerAddress

T = TypeVar("T")

# A sitecustomize.py: lets a process see another time than it is.
_CAPTURE = """
import socket, sys
listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
listener.bind((sys.argv[1], 0))
with open(sys.argv[2], "wb", buffering=0) as file:
    while True:
        file.write(listener.recv(1 << 17))
"""
_OTHER_CLOCK = """
import os, time
real, ahead = time.time, float(os.environ["LAB_AHEAD"])
time.time = lambda: real() + ahead
"""

_numbers = itertools.count()

# Reads one JSON request a line and answers with one JSON line, from inside a namespace.
_AGENT = r"""
import json, sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for line in sys.stdin:
    ask = json.loads(line)
    try:
        request = urllib.request.Request(ask["url"], headers=ask["headers"])
        with opener.open(request, timeout=5) as answer:
            print(json.dumps([answer.status, answer.read().decode()]), flush=True)
    except urllib.error.HTTPError as error:
        print(json.dumps([error.code, error.read().decode()]), flush=True)
    except OSError as error:
        print(json.dumps([0, str(error)]), flush=True)
"""


def until(what: str, seconds: float, look: Callable[[], T | None]) -> tuple[T, float]:
    """Look until there is something true to see; return it and how long that took. Fails after `seconds`.

    Where more than two processes wait for each processor, the machine is measured and not the relays: then it may take
    longer in proportion.
    """
    waiting = os.getloadavg()[0] / (2 * (os.cpu_count() or 1))
    seconds *= min(max(1.0, waiting), 10.0)
    begun = time.monotonic()
    while True:
        found = look()
        took = time.monotonic() - begun
        if found:
            return found, took
        if took > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


@dataclass
class Host:
    """One namespace with its own data folder, and the relay in it."""

    name: str
    namespace: str
    data: Path
    addresses: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Its interfaces, oldest first."""
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    on_close: list[Callable[[], object]] = field(default_factory=list)
    _agent: subprocess.Popen[str] | None = None

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs `command` in this namespace."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def ip(self, *words: str) -> None:
        """Run `ip` in this namespace."""
        subprocess.run(["ip", "-n", self.namespace, *words], check=True)

    def nft(self, rules: str) -> None:
        """Load nftables rules in this namespace."""
        subprocess.run(self.inside("nft", "-f", "-"), input=rules.encode(), check=True)

    def deaf(self) -> None:
        """Drop multicast DNS, in and out."""
        self.nft(
            "table inet deaf { chain in { type filter hook input priority 0; udp dport 5353 drop; };\n"
            "chain out { type filter hook output priority 0; udp dport 5353 drop; }; }"
        )

    def shut(self, port: int = 8443) -> None:
        """Let calls to a TCP port vanish, as a firewall does."""
        self.nft(f"table inet shut {{ chain in {{ type filter hook input priority 0; tcp dport {port} drop; }}; }}")

    def ahead(self, seconds: float) -> None:
        """Let what is started from now on see a clock that is ahead."""
        folder = self.data.parent / f"{self.name}-clock"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(_OTHER_CLOCK)
        self.environment |= {"PYTHONPATH": str(folder), "LAB_AHEAD": str(seconds)}

    def cut(self) -> None:
        """Drop everything that comes or goes, but on loopback."""
        self.nft(
            'table inet lab { chain in { type filter hook input priority 0; iifname != "lo" drop; };\n'
            'chain out { type filter hook output priority 0; oifname != "lo" drop; }; }'
        )

    def lose(self, percent: int) -> None:
        """Drop this share of the packets that come in, at random."""
        self.nft(
            "table inet lab { chain in { type filter hook input priority 0; "
            'iifname != "lo" '
            f"numgen random mod 100 < {percent} drop; }}; }}"
        )

    def heal(self) -> None:
        """Take back cut and loss."""
        self.nft("delete table inet lab")

    def meshrelay(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command beside the relay."""
        command = self.inside(sys.executable, "-m", "meshrelay", "--data", str(self.data), *words)
        environment = {**os.environ, **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def knows(self, uri: str) -> None:
        """Write an address into this host's address book, as `peers add` does."""
        local = Local.open(self.data / "local.db")
        local.save_peer(KnownPeer(uri, PeerAddress.parse(uri).relay_id, "", "given", 0, kept=True))
        local.close()

    def address_book(self) -> tuple[KnownPeer, ...]:
        """Return whom the relay has met, as it is written down."""
        local = Local.open(self.data / "local.db")
        try:
            return local.peers()
        finally:
            local.close()

    def list_json(self, *words: str) -> list[dict[str, Any]]:
        """Return what `meshrelay list --json` prints."""
        return json.loads(self.meshrelay("list", "--json", *words).stdout)["bulletins"]  # type: ignore[no-any-return]

    def raw(self, item: str) -> bytes:
        """Return the signed bytes of an item."""
        command = self.inside(sys.executable, "-m", "meshrelay", "--data", str(self.data), "show", item, "--raw")
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout

    def start(self, *words: str) -> None:
        """Start the relay; see :meth:`ready`."""
        command = self.inside(sys.executable, "-m", "meshrelay", "--data", str(self.data), "run", *words)
        with (self.data.parent / f"{self.name}.log").open("ab") as log:
            environment = {**os.environ, **self.environment}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment)

    def ready(self) -> dict[str, Any] | None:
        """Return what DATA/run.json says once the relay that was started is up."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended: {self.log()}"
        try:
            entry = json.loads((self.data / "run.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        # `ip netns exec` replaces itself by the command, so the process id is the relay's own.
        return entry if entry["pid"] == self.process.pid else None

    def log(self) -> str:
        """Return what the relay wrote."""
        return (self.data.parent / f"{self.name}.log").read_text(errors="replace")

    def stop(self, *, kill: bool = False) -> None:
        """End the relay, by SIGTERM or by SIGKILL."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait(timeout=20)
            self.process = None

    def get(self, path: str, *, port: int = 8080) -> tuple[int, str]:
        """Read a page of this host's own relay, by its address on the network."""
        return self.fetch(f"http://{self.addresses[0]}:{port}{path}")

    def status(self) -> dict[str, Any] | None:
        """Ask the running relay for its status."""
        entry = self.ready()
        if entry is None:
            return None
        token = {"Authorization": f"Bearer {entry['token']}"}
        code, body = self.fetch(f"http://{entry['desk']}/api/v1/local/status", token)
        return json.loads(body) if code == 200 else None

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Read a page from inside this namespace; code 0 means no answer."""
        if self._agent is None:
            self._agent = subprocess.Popen(
                self.inside(sys.executable, "-c", _AGENT), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self._agent.stdin is not None
        assert self._agent.stdout is not None
        self._agent.stdin.write(json.dumps({"url": url, "headers": headers or {}}) + "\n")
        self._agent.stdin.flush()
        code, body = json.loads(self._agent.stdout.readline())
        return code, body

    def close(self) -> None:
        """Stop everything that runs in here."""
        self.stop(kill=True)
        if self._agent is not None:
            self._agent.kill()
            self._agent.communicate()
        for work in self.on_close:
            work()


class Lab:
    """Namespaces and the networks between them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._prefix = f"mr{os.getpid()}x{next(_numbers)}"
        self._stack = ExitStack()
        self._hosts: dict[str, Host] = {}
        self._links = itertools.count()
        self.ports: dict[str, str] = {}
        """The other end of every link, in the hub."""
        self.hub_name = self._namespace("hub")

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def host(self, name: str) -> Host:
        """Make a namespace for one relay, with nothing but loopback."""
        host = Host(name, self._namespace(name), self._folder / name)
        host.data.mkdir(parents=True)
        self._stack.callback(host.close)
        self._hosts[name] = host
        return host

    def bridge(
        self,
        hosts: Sequence[Host],
        *,
        network: str,
        default_route: bool = False,
        apart: Sequence[Host] = (),
        router: Host | None = None,
    ) -> str:
        """Join hosts by one network such as "10.77.0", numbered from .1 on; return the bridge, which is in the hub.

        Those that are kept `apart` reach only those that are not; `router`, one of the hosts, leads out. Without a
        `network` there are no addresses but what IPv6 makes by itself.
        """
        bridge = f"br{next(self._links)}"
        self.hub("link", "add", bridge, "type", "bridge")
        self.hub("link", "set", bridge, "up")
        for number, host in enumerate(hosts, 1):
            link = next(self._links)
            inner, outer = f"eth{link}", f"p{link}"
            self.hub("link", "add", outer, "type", "veth", "peer", inner, "netns", host.namespace)
            self.hub("link", "set", outer, "master", bridge, "up")
            host.links.append(inner)
            self.ports[inner] = outer
            if host in apart:
                self.hub("link", "set", outer, "type", "bridge_slave", "isolated", "on")
            host.ip("link", "set", inner, "up")
            if not network:
                continue
            host.ip("addr", "add", f"{network}.{number}/24", "dev", inner)
            if default_route:
                host.ip("route", "add", "default", "via", f"{network}.254")
            elif router is not None and host is not router:
                host.ip("route", "add", "default", "via", f"{network}.{hosts.index(router) + 1}")
            host.addresses.append(f"{network}.{number}")
        return bridge

    def capture(self, link: str) -> Path:
        """Write every frame that crosses a link into a file, until the lab is closed."""
        path = self._folder / f"{link}.frames"
        words = [sys.executable, "-c", _CAPTURE, self.ports[link], str(path)]
        process = subprocess.Popen(["ip", "netns", "exec", self.hub_name, *words])
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        until("the capture has begun", 10, path.exists)
        return path

    def hub(self, *words: str) -> None:
        """Run `ip` where the bridges are."""
        subprocess.run(["ip", "-n", self.hub_name, *words], check=True)

    def _namespace(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        self._stack.callback(subprocess.run, ["ip", "netns", "del", namespace], check=False)
        subprocess.run(["ip", "-n", namespace, "link", "set", "lo", "up"], check=True)
        return namespace


def start_all(hosts: Sequence[Host], *words: str) -> float:
    """Start a relay on every host and return how many seconds passed until the last was ready."""
    begun = time.monotonic()
    for host in hosts:
        host.start("--name", host.name, *words)
    for host in hosts:
        until(f"{host.name} is ready", 90, host.ready)
    return time.monotonic() - begun


def found_each_other(hosts: Sequence[Host]) -> Iterator[tuple[Host, int]]:
    """Yield each host with the number of other relays it is in touch with."""
    for host in hosts:
        status = host.status()
        yield host, sum(peer["connected"] for peer in status["peers"]) if status else 0
