"""doctor: try the ways of finding other relays one by one, and say what is wrong and what to do."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from meshrelay.cli.frame import REFUSED, UNREACHABLE, Command, complain, json_option, note, print_json
from meshrelay.cli.running import ask
from meshrelay.cli.session import Session, pass_session
from meshrelay.core.clock import Clock
from meshrelay.doctor import Case, Health, examine, ports_taken
from meshrelay.errors import Refusal
from meshrelay.local import KnownPeer, set_aside_at
from meshrelay.peers.discovery import SERVICE_TYPE
from meshrelay.peers.link import Identities, open_identities
from meshrelay.settings import DESK_PORT, PEERS_PORT, READER_PORT, Settings, split_address
from meshrelay.web.desk import plain
from meshrelay.words import Words
from meshrelay.words.diagnosis import check_name, found, to_do

_SIGNS = {Health.WELL: "ok", Health.NOTE: "note", Health.WRONG: "WRONG", Health.OFF: "-"}
_DEFAULTS = {"reader": ("", READER_PORT), "peers": ("", PEERS_PORT), "desk": ("127.0.0.1", DESK_PORT)}


@click.command(cls=Command)
@click.option("--sweep", is_flag=True, help="Knock at every address of this computer's own /24 too.")
@click.option("--service-type", hidden=True, help="Look for relays of this service type.")
@json_option
@pass_session
def doctor(session: Session, sweep: bool, service_type: str | None, as_json: bool) -> int:
    """Find out why other relays are not found.

    Tries the ways of finding relays one by one, looks at network, clock, disk and ports, and says what is wrong, the
    likely cause and what to do. Takes half a minute at most. Exits 0 when all is well, 1 when something is wrong, 4
    when no other relay is reached.
    """
    note("This takes some seconds.")
    silent = ""
    try:
        report = ask(session.data, "doctor", {"sweep": sweep})
    except Refusal as error:
        report, silent = None, str(error)
    if report is None:
        report = plain(asyncio.run(_examine_alone(session, sweep=sweep, service_type=service_type, silent=silent)))
    words = session.words()
    findings = [_said(one, words) for one in report["findings"]]
    wrong = any(one["health"] == Health.WRONG for one in findings)
    if as_json:
        print_json(
            {"running": report["running"], "reached": report["reached"], "well": not wrong, "findings": findings}
        )
    else:
        for one in findings:
            click.echo(f"{_SIGNS[Health(one['health'])]:<6}{one['name']}: {one['found']}")
            if one["to_do"] and one["health"] != Health.WELL:
                click.echo(f"      {one['to_do']}")
    if not report["reached"]:
        complain("no other relay is reached", hint="what may be the matter, and what to do, stands on stdout")
        return UNREACHABLE
    if wrong:
        complain("something is wrong", hint="what it is, and what to do, stands on stdout")
        return REFUSED
    return 0


def _said(finding: dict[str, Any], words: Words) -> dict[str, Any]:
    code, values = finding["code"], finding["values"]
    do = to_do(words, code, values)
    said = {"name": check_name(words, finding["check"]), "found": str(found(words, code, values))}
    return {**finding, **said, "to_do": str(do) if do is not None else None}


async def _examine_alone(session: Session, *, sweep: bool, service_type: str | None, silent: str) -> Any:
    """Examine what is here without asking the relay; `silent` says why one that runs cannot be asked."""
    settings = session.settings()
    clock, book, trouble = await asyncio.to_thread(_read_folder, session)
    async with AsyncExitStack() as stack:
        case = Case(
            data=settings.data,
            identities=await _identities(settings, stack),
            book=book,
            clock=clock,
            given=settings.peer,
            discovery=settings.discovery and not settings.private,
            service_type=service_type or SERVICE_TYPE,
            port=_listeners(settings)["peers"][1],
            store_trouble=trouble,
            silent=silent,
            taken=() if silent else ports_taken(_listeners(settings)),
            notes_aside=set_aside_at(settings.local_path),
        )
        return await examine(case, sweeping=sweep)


def _read_folder(session: Session) -> tuple[Clock, tuple[KnownPeer, ...], str]:
    try:
        with session.relay() as relay:
            return session.clock(relay), relay.local.peers(), ""
    except (Refusal, OSError) as error:
        return Clock(session.now), (), str(error)


async def _identities(settings: Settings, stack: AsyncExitStack) -> Identities:
    try:
        return await open_identities(settings.data, stable=settings.stable_link_key)
    except (Refusal, OSError):
        # A folder that cannot be written is among what is to be found out.
        elsewhere = stack.enter_context(tempfile.TemporaryDirectory())
        return await open_identities(Path(elsewhere), stable=True)


def _listeners(settings: Settings) -> dict[str, tuple[str, int]]:
    found = {}
    for name, (host, port) in _DEFAULTS.items():
        try:
            found[name] = split_address(getattr(settings, name), default_host=host, default_port=port)
        except ValueError:
            found[name] = (host, port)
    return {name: ("127.0.0.1" if host == "localhost" else host, port) for name, (host, port) in found.items()}
