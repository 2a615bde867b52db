"""confirm, dispute, cannot-check: say what one knows of somebody else's bulletin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from meshrelay.cli.frame import Command, json_option, note, passphrase_option, print_json
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.speaking import in_name_of
from meshrelay.cli.values import Text, Word
from meshrelay.core.envelope import Header
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Fault, Says
from meshrelay.interop.document import statement
from meshrelay.relay import Relay

F = TypeVar("F", bound=Callable[..., Any])


def _options(command: F) -> F:
    for option in (
        json_option,
        passphrase_option,
        click.option(
            "--org",
            metavar="ORG",
            default="",
            help="Whose name to speak in; default: the known one that lent this key its name; none: nobody's.",
        ),
        click.option("--key", metavar="NAME", default="", help="The key to sign with; default: the only one, or `me`."),
        click.option(
            "--note", type=Text(), metavar="TEXT", default="", help="What was seen, and where; shown beside your name."
        ),
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
        named = in_name_of(relay, chosen.public, org, now=session.now)
        item = relay.attest(
            target.id,
            chosen.name,
            says,
            now=session.now,
            fault=fault,
            note=note,
            org=named.id if named is not None else None,
        )
        _warn(relay, target, item.header, named)
        if as_json:
            print_json(statement(item, session.words(), petname=relay.trust.petname))
        else:
            click.echo(item.id.hex())


def _warn(relay: Relay, target: Header, attestation: Header, named: Organisation | None) -> None:
    """Say when this word will count nowhere."""
    if attestation.author == target.author:
        note("That bulletin is your own: nobody counts what you say of it yourself.")
    elif named is None:
        return
    elif named.id == target.org:
        note("That bulletin is a colleague's: nobody counts what you say of it.")
    elif not named.attests(attestation, now=attestation.sent):
        name = relay.trust.petname(named.id) or named.name or named.id.hex()[:8]
        note(f"{name} lent this key its name for bulletins alone: as a word of {name} nobody counts it.")
