"""The command: parse, call, print. The only floor that prints and exits.

One module a command group; what they share is in session.py (a folder and its relay) and frame.py (errors, exit codes,
options that every command takes). A command's module is imported when the command is called, so that `list` does not
wait for what `run` needs.

Law: data goes to stdout and everything else to stderr, and every end has one of the exit codes of frame.py.
Reference of every command: docs/commands.md.
"""

from __future__ import annotations

import logging

import click

from meshrelay import __version__
from meshrelay.cli.frame import Commands, EchoHandler
from meshrelay.cli.session import Session

_COMMANDS = {
    "run": "meshrelay.cli.run:run",
    "demo": "meshrelay.cli.demo:demo",
    "setup": "meshrelay.cli.setup:setup",
    "publish": "meshrelay.cli.publish:publish",
    "planned": "meshrelay.cli.planned:planned",
    "draft": "meshrelay.cli.planned:draft",
    "withdraw": "meshrelay.cli.publish:withdraw",
    "inbox": "meshrelay.cli.inbox:inbox",
    "confirm": "meshrelay.cli.attest:confirm",
    "dispute": "meshrelay.cli.attest:dispute",
    "cannot-check": "meshrelay.cli.attest:cannot_check",
    "list": "meshrelay.cli.read:list_",
    "show": "meshrelay.cli.read:show",
    "search": "meshrelay.cli.read:search",
    "hide": "meshrelay.cli.pages:hide",
    "unhide": "meshrelay.cli.pages:unhide",
    "drill": "meshrelay.cli.pages:drill",
    "import": "meshrelay.cli.carry:import_",
    "export": "meshrelay.cli.carry:export",
    "sync": "meshrelay.cli.peers:sync",
    "key": "meshrelay.cli.key:key",
    "trust": "meshrelay.cli.trust:trust",
    "org": "meshrelay.cli.org:org",
    "backup": "meshrelay.cli.upkeep:backup",
    "restore": "meshrelay.cli.upkeep:restore",
    "wipe": "meshrelay.cli.upkeep:wipe",
    "poster": "meshrelay.cli.poster:poster",
    "peers": "meshrelay.cli.peers:peers",
    "status": "meshrelay.cli.peers:status",
    "doctor": "meshrelay.cli.doctor:doctor",
    "service": "meshrelay.cli.service:service",
    "config": "meshrelay.cli.config:config",
}


@click.command("meshrelay", cls=Commands, lazy=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="meshrelay", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Carry signed emergency bulletins from relay to relay, without the internet.

    Start with `meshrelay demo`, then `meshrelay setup` and `meshrelay run`.
    """
    session = ctx.ensure_object(Session)
    logger = logging.getLogger("meshrelay")
    logger.handlers = [EchoHandler()]
    logger.setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(session.loudness, logging.DEBUG))
