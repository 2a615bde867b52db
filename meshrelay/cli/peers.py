"""peers, sync, status: other relays, and how this one is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import click

from meshrelay.cli.frame import SOME_FAILED, UNREACHABLE, Command, Group, complain, json_option, note, print_json
from meshrelay.cli.running import ask
from meshrelay.cli.session import Session, pass_session
from meshrelay.errors import NotFound, PeerFault, PeerUnreachable
from meshrelay.index import Index
from meshrelay.local import KnownPeer
from meshrelay.peers.addressbook import PeerAddress, kept, pinned
from meshrelay.peers.client import sync as exchange_with
from meshrelay.peers.exchange import ExchangeReport
from meshrelay.peers.link import open_identities
from meshrelay.peers.side import OurSide
from meshrelay.relay import Relay
from meshrelay.status import PeerStatus, RelayStatus
from meshrelay.web.desk import plain
from meshrelay.words import Words
from meshrelay.words.times import stamp

P = ParamSpec("P")
T = TypeVar("T")
_TIMES = ("started", "now", "last_exchange", "last_contact", "settled_at", "tried", "last_found")
_HINTS = {
    "unreachable": "see that it runs and is on the same network",
    "fault": "see that the right relay answers there, and that it is of the same version",
}
_RUNGS = {
    "given": "Addresses given",
    "mdns": "Calling out here",
    "book": "Relays met before",
    "told": "Named by others",
    "sweep": "Sweep",
    "inbound": "Came here",
}
_HOW = {
    "mdns": "found on this network",
    "given": "given",
    "book": "met before",
    "told": "named by another relay",
    "sweep": "found by a sweep",
    "inbound": "came here",
}


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def peers(ctx: click.Context, as_json: bool) -> None:
    """List, add and remove other relays.

    Without a command of its own: lists those that this relay knows of, and how it stands with them.
    """
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    found = _status(session)
    words = session.words()
    if as_json:
        several = {name: [_timed(one, words) for one in found[name]] for name in ("peers", "rungs")}
        print_json({"running": found["running"], **several})
        return
    if not found["running"]:
        note("No relay runs on this folder; these were met or given before.")
    for peer in found["peers"]:
        click.echo("\n".join(_peer_lines(peer, words)))
    if not found["peers"]:
        click.echo("No other relay is known yet. Those on the same network are found by themselves.")
    for rung in found["rungs"]:
        click.echo(_rung_line(rung, words))
    if found["running"] and not any(peer["connected"] for peer in found["peers"]):
        note("`meshrelay doctor` finds out why no other relay is in reach.")


@peers.command()
@click.argument("url", metavar="URL")
@pass_session
def add(session: Session, url: str) -> None:
    """Keep in touch with the relay at URL.

    URL is meshrelay://HOST:PORT or meshrelay://HOST:PORT#RELAYID. Without #RELAYID, whichever relay answers there first
    is the one from then on.
    """
    address = PeerAddress.parse(url)
    with session.relay() as relay:
        relay.local.save_peer(KnownPeer(str(address), address.relay_id, "", "given", 0, kept=True))
    click.echo(f"Added: {address}")
    if address.relay_id is None:
        note("The relay that answers there first is taken for the right one from then on.")


@peers.command()
@click.argument("url", metavar="URL")
@pass_session
def remove(session: Session, url: str) -> None:
    """Strike a relay from the address book.

    One on the same network may be found again.
    """
    with session.relay() as relay:
        book = relay.local.peers()
        named = [peer.uri for peer in book if peer.uri == url]
        if not named:
            address = PeerAddress.parse(url)
            named = [peer.uri for peer, known in kept(book) if known.place == address.place]
        for uri in named:
            relay.local.remove_peer(uri)
            click.echo(f"Removed: {uri}")
        if not named:
            raise NotFound(f"{url} is not in the address book", hint="see `meshrelay peers`")


@click.command(cls=Command)
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@json_option
@pass_session
def sync(session: Session, urls: tuple[str, ...], as_json: bool) -> int:
    """Exchange with other relays now.

    Both ways, with each relay in turn; says what was received, sent and refused. It needs no relay running here.
    """
    answers: list[dict[str, Any]] = []
    for address in [PeerAddress.parse(url) for url in urls]:
        try:
            report = ask(session.data, "sync", {"uri": str(address)})
            if report is None:
                report = _sync_alone(session, address)
            answers.append({"uri": str(address), **report})
        except (PeerUnreachable, PeerFault) as error:
            kind = "unreachable" if isinstance(error, PeerUnreachable) else "fault"
            answers.append({"uri": str(address), "error": str(error), "kind": kind})
    if as_json:
        print_json({"exchanges": answers})
    for answer in answers:
        if "error" in answer:
            complain(f"{answer['uri']}: {answer['error']}", hint=_HINTS[answer["kind"]])
        elif not as_json:
            click.echo(_exchange_line(answer))
    failed = [answer for answer in answers if "error" in answer]
    if len(failed) < len(answers):
        return SOME_FAILED if failed or any(answer.get("trouble") for answer in answers) else 0
    return UNREACHABLE if all(answer["kind"] == "unreachable" for answer in failed) else 1


@click.command(cls=Command)
@json_option
@pass_session
def status(session: Session, as_json: bool) -> None:
    """Say how the relay here is.

    Running or not, in touch with others or not, how much it holds, where it is read.
    """
    found, words = _status(session), session.words()
    if as_json:
        several = {name: [_timed(one, words) for one in found[name]] for name in ("peers", "rungs")}
        print_json({**_timed(found, words), **several})
        return
    name = found["name"] or "A relay without a name yet"
    if not found["running"]:
        click.echo(f"{name}: not running. {words.bulletins(found['bulletins'])}.")
        note("`meshrelay run` starts it.")
        return
    in_touch = sum(bool(peer["connected"]) for peer in found["peers"])
    contact = words.contact(in_touch, last=found["last_exchange"], started=found["started"])
    click.echo(f"{name}: {contact} {words.bulletins(found['bulletins'])}.")
    for url in found["reader_addresses"]:
        click.echo(f"Readers  {url}")
    for url in found["peer_addresses"]:
        click.echo(f"Relays   {url}")
    with session.relay() as relay:
        gone = relay.local.lost_poster(found["reader_addresses"])
    if gone:
        note(f"The address on the last poster, {gone}, is not right any more; `meshrelay poster` makes a new one.")


def _status(session: Session) -> dict[str, Any]:
    """Return what is known of this relay and its peers: from the relay itself where it runs, else from the folder."""
    found = ask(session.data, "status")
    if found is not None:
        return {"running": True, **found}
    with session.relay() as relay:
        usage = relay.store.usage()
        book = [
            PeerStatus(peer.uri, peer.relay_id, peer.name, peer.how, last_contact=peer.last_contact or None)
            for peer in relay.local.peers()
        ]
    here = RelayStatus(
        name=session.settings().name,
        relay_id=b"",
        started=0,
        now=session.now,
        bulletins=usage.bulletins,
        bytes_stored=usage.bytes,
        peers=tuple(book),
    )
    return {"running": False, **plain(here), "started": None}


def _sync_alone(session: Session, address: PeerAddress) -> dict[str, Any]:
    """Exchange without a running relay, from this process."""
    with session.relay() as relay:
        keys, _ = relay.store.keys()
        relay.let_go_due(session.now)
        index = Index(keys)
        index.apply(relay.withheld())
        side = OurSide(relay, index, clock=lambda: session.clock(relay), read=_on_thread, write=_on_thread)
        found = pinned(address, relay.local.peers())
        report = asyncio.run(_dial_alone(session, side, found))
        _feed_search(relay)
    document: dict[str, Any] = plain(report)
    return document


async def _dial_alone(session: Session, side: OurSide, address: PeerAddress) -> ExchangeReport:
    identities = await open_identities(session.data, stable=session.settings().stable_link_key)
    return await exchange_with(side, identities, address)


async def _on_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(function, *args, **kwargs)


def _feed_search(relay: Relay) -> None:
    while relay.store.index_backlog(1_000):
        continue


def _exchange_line(report: dict[str, Any]) -> str:
    line = f"{report['uri']}: {report['received']} received, {report['sent']} sent, {report['refused']} refused"
    if report.get("trouble"):
        return f"{line}; cut short: {report['trouble']}"
    return f"{line}; both now have the same" if report["same"] else line


def _peer_lines(peer: dict[str, Any], words: Words) -> list[str]:
    state = "in touch" if peer["connected"] else "out of reach"
    met = f", last contact {words.ago(peer['last_contact'])}" if peer["last_contact"] else ", not met yet"
    how = f", {_HOW.get(peer['how'], peer['how'])}" if peer["how"] else ""
    lines = [f"{peer['uri']}", f"  {peer['name'] + ': ' if peer['name'] else ''}{state}{met}{how}"]
    if peer["settled_at"]:
        taken = " that it takes," if peer["refuses"] else ""
        lines.append(f"  has everything held here{taken} as of {words.moment(peer['settled_at'])}")
    if peer["items_received"] or peer["items_sent"] or peer["refused"] or peer["bytes_received"]:
        lines.append(
            f"  since the start {peer['items_received']} received in {words.size(peer['bytes_received'])}, "
            f"{peer['items_sent']} sent in {words.size(peer['bytes_sent'])}, {peer['refused']} refused"
        )
    if peer["error"]:
        lines.append(f"  {peer['error']}")
    return lines


def _rung_line(rung: dict[str, Any], words: Words) -> str:
    """Return how one way of finding relays has done, in a line."""
    name = _RUNGS[rung["way"]]
    if not rung["on"]:
        return f"{name}: switched off"
    if rung["way"] == "inbound":
        return f"{name}: {rung['found'] or 'no'} {'relay' if rung['found'] == 1 else 'relays'}"
    if rung["tried"] is None:
        return f"{name}: nothing to try"
    line = f"{name}: {rung['found'] or 'no'} found, last tried {words.ago(rung['tried'])}"
    return f"{line}; {rung['trouble']}" if rung["trouble"] else line


def _timed(entry: dict[str, Any], words: Words) -> dict[str, Any]:
    """Return a document with its times in RFC 3339."""
    return {
        name: stamp(value, words.tz) if name in _TIMES and isinstance(value, int) else value
        for name, value in entry.items()
    }
