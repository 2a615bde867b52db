"""confirm, dispute, cannot-check: say what one knows of somebody else's bulletin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from meshrelay.cli.frame import Command, json_option, note, passphrase_option, print_json
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Word
from meshrelay.core.envelope import Header
from meshrelay.core.statements import Fault, Says
from meshrelay.core.trust import Anchor
from meshrelay.errors import NotFound, Refusal
from meshrelay.interop.document import statement
from meshrelay.relay import Relay

F = TypeVar("F", bound=Callable[..., Any])

NOBODY = "none"


def _options(command: F) -> F:
    for option in (
        json_option,
        passphrase_option,
        click.option(
            "--org",
            metavar="NAME",
            default="",
            help="In the name of this organisation (its name here, or the beginning of its id; none: of nobody). "
            "Default: of the one that lends its name to the key.",
        ),
        click.option("--key", metavar="NAME", default="", help="The key to sign with; default: the only one, or `me`."),
        click.option("--note", metavar="TEXT", default="", help="What was seen, and where; shown beside your name."),
        click.argument("item", metavar="ID"),
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@_options
@pass_session
def confirm(session: Session, item: str, note: str, key: str, org: str, as_json: bool) -> None:
    """Say that you saw for yourself what a bulletin says.

    Prints the id of what you signed. It goes to the relays around by itself, and counts where people know you. What
    you say later of the same bulletin takes its place. ID may be the beginning of one.
    """
    _attest(session, item, Says.CONFIRM, None, note=note, key=key, org=org, as_json=as_json)


@click.command(cls=Command)
@_options
@click.option("--reason", type=Word(Fault), required=True, help="What is wrong with it.")
@pass_session
def dispute(session: Session, item: str, reason: str, note: str, key: str, org: str, as_json: bool) -> None:
    """Say that a bulletin is wrong.

    It stays where it is, and says beside it that you dispute it, where people know you. Prints the id of what you
    signed. What you say later of the same bulletin takes its place. ID may be the beginning of one.
    """
    _attest(session, item, Says.DISPUTE, Fault(reason), note=note, key=key, org=org, as_json=as_json)


@click.command(cls=Command, name="cannot-check")
@_options
@pass_session
def cannot_check(session: Session, item: str, note: str, key: str, org: str, as_json: bool) -> None:
    """Say that you tried to find out whether a bulletin is right, and could not.

    Prints the id of what you signed. What you say later of the same bulletin takes its place. ID may be the beginning
    of one.
    """
    _attest(session, item, Says.CANNOT_CHECK, None, note=note, key=key, org=org, as_json=as_json)


def _attest(
    session: Session, prefix: str, says: Says, fault: Fault | None, *, note: str, key: str, org: str, as_json: bool
) -> None:
    with session.relay() as relay:
        target = relay.bulletin(relay.find(prefix), session.clock(relay)).header
        chosen, made = session.signing_key(relay, key)
        if made:
            say_new_key(relay, chosen.name)
        lender = named_organisation(relay, chosen.public, org, now=session.now)
        item = relay.attest(
            target.id,
            chosen.name,
            says,
            now=session.now,
            fault=fault,
            note=note,
            org=lender.key if lender else None,
        )
        _warn(target, item.header, lender)
        if as_json:
            print_json(statement(item, session.words(), petname=relay.trust.petname))
        else:
            click.echo(item.id.hex())


def named_organisation(relay: Relay, key: bytes, name: str, *, now: int) -> Anchor | None:
    """Return the organisation in whose name a key is to speak; without a name the one that lends it its own.

    Raises NotFound for one that nobody here knows, and Refusal where several lend the key their name.
    """
    if name == NOBODY:
        return None
    trust = relay.trust
    lenders = relay.lenders(key, now=now)
    if not name:
        if len(lenders) > 1:
            names = ", ".join(sorted(one.petname for one in lenders))
            raise Refusal(f"several organisations lend the key their name: {names}", hint="say which one with --org")
        return lenders[0] if lenders else None
    known = [trust.anchors[org] for org in trust.organisations if org in trust.anchors]
    found = [one for one in known if one.petname == name or one.key.hex().startswith(name.lower())]
    if len(found) != 1:
        what = "several organisations are" if found else "no organisation is"
        raise NotFound(f"{what} called {name} here", hint="see `meshrelay trust list`, or give its id")
    if found[0] not in lenders:
        note(f"{name} does not lend this key its name now; readers are told so.")
    return found[0]


def _warn(target: Header, attestation: Header, lender: Anchor | None) -> None:
    """Say when this word will count nowhere."""
    if attestation.author == target.author:
        note("That bulletin is your own: nobody counts what you say of it yourself.")
    elif lender is not None and lender.key == target.org:
        note(f"That bulletin is of {lender.petname} too: nobody counts what a colleague says of it.")
