"""hide, unhide, drill: what the people of this relay decide about its own pages; nobody else is told."""

from __future__ import annotations

import click

from meshrelay.cli.frame import Command, json_option, print_json
from meshrelay.cli.session import Session, pass_session
from meshrelay.errors import NotFound
from meshrelay.relay import Relay
from meshrelay.words.times import stamp


@click.command(cls=Command)
@click.argument("item", metavar="ID")
@click.option("--reason", metavar="TEXT", default="", help="Why, for those who run this relay.")
@click.option("--drop", is_flag=True, help="Let go of it too, and never take it in again.")
@pass_session
def hide(session: Session, item: str, reason: str, drop: bool) -> None:
    """Show a bulletin no longer on this relay's pages.

    Other relays are not told, and get it as before. The page says how many are hidden. ID may be the beginning of one.
    """
    with session.relay() as relay:
        id_ = relay.find(item)
        relay.hide(id_, now=session.now, reason=reason, drop=drop)
    click.echo(f"{'Dropped' if drop else 'Hidden'}: {id_.hex()}")


@click.command(cls=Command)
@click.argument("item", metavar="ID")
@pass_session
def unhide(session: Session, item: str) -> None:
    """Show a hidden bulletin again.

    One that was dropped comes back with the next relay that has it. ID may be the beginning of one.
    """
    with session.relay() as relay:
        id_ = _hidden(relay, item)
        relay.unhide(id_)
    click.echo(f"Shown again: {id_.hex()}")


@click.command(cls=Command)
@click.argument("state", type=click.Choice(["on", "off"]), required=False)
@json_option
@pass_session
def drill(session: Session, state: str | None, as_json: bool) -> None:
    """Turn drill mode on or off, or say which it is.

    While it is on, every page says that a drill is under way, and publish asks whether a bulletin is an exercise. It
    ends by itself after 24 hours.
    """
    words = session.words()
    with session.relay() as relay:
        now = session.clock(relay).now
        if state == "on":
            relay.start_drill(now=now)
        elif state == "off":
            relay.end_drill()
        until = relay.drill_until(now)
    if as_json:
        print_json({"drill": until is not None, "until": stamp(until, words.tz) if until else None})
    elif until:
        click.echo(f"Drill mode is on until {stamp(until, words.tz)}. `meshrelay drill off` ends it now.")
    else:
        click.echo("Drill mode is off.")


def _hidden(relay: Relay, prefix: str) -> bytes:
    found = [item for item in relay.hidden if item.hex().startswith(prefix.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"several hidden ids begin with {prefix}", hint="give more of its digits")
    raise NotFound(f"no hidden id begins with {prefix}", hint="see `meshrelay list --all`")
