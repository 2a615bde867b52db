"""run: be a relay until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import segno

from meshrelay.cli.frame import Command, note
from meshrelay.cli.session import Session, pass_session
from meshrelay.settings import split_address

if TYPE_CHECKING:
    from meshrelay.node import Node

_LOOK_EVERY = 2.0
"""Seconds between two looks whether this computer's addresses have changed."""
_LOOPBACK = ("http://127.", "http://[::1]")


@click.command(cls=Command)
@click.option("--reader", metavar="HOST:PORT", help="Address of the pages; default: all addresses, port 8080.")
@click.option("--peers", metavar="HOST:PORT", help="Address for other relays; default: all addresses, port 8443.")
@click.option("--desk", metavar="HOST:PORT", help="Address for commands beside it; default: localhost, port 8081.")
@click.option("--name", metavar="TEXT", help="Name of the relay as readers see it.")
@click.option("--peer", metavar="URL", multiple=True, help="A relay to keep in touch with, meshrelay://HOST:PORT.")
@click.option("--private", is_flag=True, default=None, help="Pages for this computer alone; look for no relays.")
@click.option("--no-discovery", "discovery", flag_value=False, default=None, help="Look for no relays on this network.")
@click.option(
    "--interface", metavar="ADDR", multiple=True, help="Look for relays on this address of the computer only."
)
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Read settings from this file too.")
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

    asyncio.run(serve(Node(settings, service_type=service_type or SERVICE_TYPE)))


async def serve(node: Node) -> None:
    """Run a relay until SIGINT or SIGTERM, and say where it can be read."""
    stop = asyncio.Event()
    _on_signals(stop.set)
    await node.start()
    try:
        said: tuple[str, ...] = ()
        while not stop.is_set():
            addresses = node.reader_addresses()
            if addresses != said:
                _say(node, addresses)
                said = addresses
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
        note("Stopping.")
    finally:
        await node.stop()


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


def print_code(address: str) -> None:
    """Print an address as a code to scan, when a person looks at a terminal."""
    if sys.stdout.isatty():
        drawn = io.StringIO()
        segno.make(address, error="m", micro=False).terminal(drawn, compact=True)
        # White on black whatever the terminal's own colours: not every phone reads a code the other way round.
        for line in drawn.getvalue().splitlines():
            click.echo(click.style(line, fg="bright_white", bg="black"))


def _on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGINT or SIGTERM; a second one ends the process as it would without us."""
    loop = asyncio.get_running_loop()

    def once(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, once, number)
        except NotImplementedError:  # on Windows; there the handler runs between two steps of the loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
