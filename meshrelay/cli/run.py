"""run: be a relay until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meshrelay.cli.charter import misplaced
from meshrelay.cli.frame import Command, note, passphrase_option
from meshrelay.cli.process import Supervisor, ended_within, on_first_signal, raise_descriptor_limit
from meshrelay.cli.scan import print_code
from meshrelay.cli.session import Session, pass_session
from meshrelay.settings import split_address

if TYPE_CHECKING:
    from meshrelay.node import Node
    from meshrelay.status import RelayStatus

_LOOK_EVERY = 2.0
"""Seconds between two looks whether this computer's addresses, or the relays in touch, have changed."""
_STOP_SECONDS = 5.0
"""How long what is under way may take to end; what is acknowledged by then is on the disk anyway."""
_PAUSE, _LONGEST_PAUSE = 4.0, 600.0
_LOOPBACK = ("http://127.", "http://[::1]")


@click.command(cls=Command)
@click.option("--reader", metavar="HOST:PORT", help="Address of the pages; default: all addresses, port 8080.")
@click.option("--peers", metavar="HOST:PORT", help="Address for other relays; default: all addresses, port 8443.")
@click.option("--desk", metavar="HOST:PORT", help="Address for commands beside it; default: localhost, port 8081.")
@click.option("--name", metavar="TEXT", help="Name of the relay as readers see it.")
@click.option("--peer", metavar="URL", multiple=True, help="A relay to keep in touch with, meshrelay://HOST:PORT.")
@click.option("--private", is_flag=True, default=None, help="Pages for this computer alone; look for no relays.")
@click.option("--sweep", is_flag=True, default=None, help="While alone, knock at every address of the own /24, slowly.")
@click.option("--no-discovery", "discovery", flag_value=False, default=None, help="Look for no relays on this network.")
@click.option(
    "--interface", metavar="ADDR", multiple=True, help="Look for relays on this address of the computer only."
)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Read settings from this file too.")
@passphrase_option
@click.option("--service-type", hidden=True, help="Look for relays of this service type, and be seen by no others.")
@pass_session
def run(session: Session, /, config: Path | None, service_type: str | None, **flags: Any) -> None:
    """Be a relay, until stopped by Ctrl-C.

    Shows bulletins to readers, finds other relays and exchanges with them. Prints the address for readers, with a code
    to scan, and again whenever it changes. No network is no error: the relay waits for one. A default port that is
    taken moves at the first start, and is kept from then on.
    """
    settings = session.settings(config=config, flags=flags)
    # What only this command needs is loaded by it alone.
    from meshrelay.node import Node
    from meshrelay.peers.discovery import SERVICE_TYPE

    raise_descriptor_limit()
    asyncio.run(serve(Node(settings, service_type=service_type or SERVICE_TYPE), Supervisor(os.environ)))


async def serve(node: Node, supervisor: Supervisor) -> None:
    """Run a relay until SIGINT or SIGTERM, and say where it can be read."""
    stop = asyncio.Event()
    on_first_signal(stop.set)
    await node.start()
    fed = asyncio.create_task(_feed(node, supervisor))
    for name in misplaced(node.relay.trust):
        note(
            f"The key {name} speaks for an organisation, and lies in the folder of a relay: whoever takes this computer"
        )
        note("has it. Keep it on a stick that meets no network: docs/ngo.md says how.")
    try:
        supervisor.tell("READY=1")
        await _watch(node, supervisor, stop)
        note("Stopping.")
    finally:
        supervisor.tell("STOPPING=1", "STATUS=Stopping")
        with ended_within(_STOP_SECONDS, otherwise=lambda: note("It takes too long; ending at once. Nothing is lost.")):
            fed.cancel()
            await node.stop()


async def _watch(node: Node, supervisor: Supervisor, stop: asyncio.Event) -> None:
    """Say where readers find the pages and how many relays are in touch, again when that changes, until stopped."""
    said: tuple[str, ...] = ()
    touch = Touch()
    while not stop.is_set():
        addresses = node.reader_addresses()
        if addresses != said:
            _say(node, addresses)
            supervisor.tell(f"STATUS=Readers: {' '.join(addresses)}")
            said = addresses
        news = touch.look(node.status(), moment=time.monotonic())
        if news:
            note(news)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY)


async def _feed(node: Node, supervisor: Supervisor) -> None:
    """Tell the service manager that all is well, as long as it is."""
    if (patience := supervisor.patience) is None:
        return
    while True:
        if await node.is_well():
            supervisor.tell("WATCHDOG=1")
        await asyncio.sleep(patience / 3)


class Touch:
    """What a person hears of the links: a line when more or fewer relays are in touch, more seldom if that goes on.

    Not which relays, and none of their addresses: those lines may lie in a log for long.
    """

    def __init__(self) -> None:
        self._said = (0, 0)
        self._seen = self._said
        self._next = float("-inf")
        self._pause = _PAUSE

    def look(self, status: RelayStatus, *, moment: float) -> str | None:
        """Return a line when what was seen twice is not what was said last; `moment` in seconds of any clock."""
        silent = [peer for peer in status.peers if peer.how == "given" and not peer.connected and peer.error]
        seen = (status.in_touch, len(silent))
        steady, self._seen = seen == self._seen, seen
        if not steady or seen == self._said or moment < self._next:
            return None
        # Strangers can come and go at will: the pause doubles as long as they do.
        calm = moment > self._next + _LONGEST_PAUSE
        self._pause = _PAUSE if calm else min(self._pause * 2, _LONGEST_PAUSE)
        self._next = moment + self._pause
        self._said = seen
        line = f"In touch with {_relays(status.in_touch)}."
        return f"{line} Not reached: {_relays(len(silent))} of those given ({silent[0].error})." if silent else line


def _relays(count: int) -> str:
    return f"{count or 'no'} {'relay' if count == 1 else 'relays'}"


def _say(node: Node, addresses: tuple[str, ...]) -> None:
    first, *others = addresses
    chosen, _ = split_address(node.settings.reader, default_host="", default_port=0)
    if node.settings.private or (chosen and first.startswith(_LOOPBACK)):
        click.echo(f"Readers, this computer only: {first}")
    elif first.startswith(_LOOPBACK):
        click.echo(f"Readers, this computer only until there is a network: {first}")
    else:
        click.echo(f"Readers, anyone on this Wi-Fi: {first}")
        for other in others:
            click.echo(f"  or {other}")
        print_code(first)
    sys.stdout.flush()
