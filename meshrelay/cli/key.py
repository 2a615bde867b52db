"""key new, list, show: the keys that sign here."""

from __future__ import annotations

from typing import Any

import click

from meshrelay.cli.frame import Group, json_option, print_json
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.session import FIRST_KEY, Session, pass_session
from meshrelay.core.keys import digits, words
from meshrelay.errors import NotFound
from meshrelay.keyring import OwnKey
from meshrelay.relay import Relay
from meshrelay.words.times import stamp


@click.group(cls=Group)
def key() -> None:
    """Make and show the keys that sign here."""


@key.command()
@click.argument("name", default=FIRST_KEY)
@json_option
@pass_session
def new(session: Session, name: str, as_json: bool) -> None:
    """Make a key, and its own revocation.

    NAME is what you call it here; `me` when left out.
    """
    with session.relay() as relay:
        made = relay.keyring.new(name, now=session.now)
        say_new_key(relay, made.name)
        _print([made], relay, session, as_json=as_json, whole=True)


@key.command(name="list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the keys here, oldest first."""
    with session.relay() as relay:
        keys = list(relay.keyring.all())
        if as_json:
            print_json({"keys": [_document(one, relay, session) for one in keys]})
        elif not keys:
            click.echo("No key is here yet; `meshrelay publish` or `meshrelay key new` makes one.")
        else:
            _print(keys, relay, session, as_json=False, whole=False)


@key.command()
@click.argument("name", default="")
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show the 27 digits of a key, and the same in eight English words.

    By either others come to know it: read them out in person. The document that --json prints can be given to
    `meshrelay trust add` as a file.
    """
    with session.relay() as relay:
        found = relay.keyring.choose(name or session.settings().key)
        if found is None:
            raise NotFound("no key is here yet", hint="`meshrelay publish` or `meshrelay key new` makes one")
        _print([found], relay, session, as_json=as_json, whole=True)


def _document(one: OwnKey, relay: Relay, session: Session) -> dict[str, Any]:
    return {
        "name": one.name,
        "key": one.public.hex(),
        "digits": digits(one.public),
        "words": words(one.public),
        "created": stamp(one.created, session.words().tz),
        "revocation": str(relay.keyring.revocation_path(one.name)),
    }


def _print(keys: list[OwnKey], relay: Relay, session: Session, *, as_json: bool, whole: bool) -> None:
    for one in keys:
        found = _document(one, relay, session)
        if as_json:
            # Where files lie here is nobody else's business, and this document is made to be given away.
            print_json({name: found[name] for name in ("name", "key", "digits", "words", "created")})
        elif whole:
            click.echo(f"Key         {found['name']}, made {found['created']}")
            click.echo(f"Digits      {found['digits']}")
            click.echo(f"In words    {found['words']}")
            click.echo(f"In hex      {found['key']}")
            click.echo(f"Revocation  {found['revocation']}")
        else:
            click.echo(f"{found['name']:<12} {found['digits']}")
