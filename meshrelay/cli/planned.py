"""planned, draft: what is to be said later, at a time or when somebody decides to."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from meshrelay.cli import forms
from meshrelay.cli.forms import Form
from meshrelay.cli.frame import Command, Group, json_option, note, passphrase_option, print_json
from meshrelay.cli.publish import Way, say, way_options
from meshrelay.cli.session import Session, pass_session
from meshrelay.errors import NotFound, Refusal, WrongUsage
from meshrelay.local import PAUSED, Draft
from meshrelay.relay import planned_draft
from meshrelay.words.times import stamp

_LONGEST_NAME = 60
_LARGEST = 1 << 20


@click.group(cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def planned(ctx: click.Context, as_json: bool) -> None:
    """List what `publish --publish-at` planned, or strike some of it."""
    if ctx.invoked_subcommand is not None:
        return
    session = ctx.ensure_object(Session)
    words = session.words()
    with session.relay() as relay:
        found = [(one, words.title_of(planned_draft(one.draft)).text) for one in relay.local.planned()]
    if as_json:
        rows = [
            {
                "number": one.n,
                "due": stamp(one.due, words.tz),
                "key": one.key,
                "headline": headline,
                "hide_source": one.hide_source,
                "trouble": one.trouble or None,
            }
            for one, headline in found
        ]
        print_json({"planned": rows})
        return
    for one, headline in found:
        click.echo(f"{one.n}  {stamp(one.due, words.tz)}  {headline}")
        if one.trouble:
            click.echo(f"  not published yet: {one.trouble}")
        if one.trouble == PAUSED:
            click.echo(f"  `meshrelay planned resume {one.n}` lets it go out from here.")
    if not found:
        click.echo("Nothing is planned.")


@planned.command()
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def remove(session: Session, number: int) -> None:
    """Strike something planned, by its number."""
    with session.relay() as relay:
        if not relay.local.unplan(number):
            raise NotFound(f"nothing planned has the number {number}", hint="see `meshrelay planned`")
    click.echo(f"Struck: {number}")


@planned.command()
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def resume(session: Session, number: int) -> None:
    """Publish at its time after all what came with a backup.

    It waits because the relay that the backup was made of may publish it too.
    """
    with session.relay() as relay:
        if not relay.local.resume(number):
            raise NotFound(f"nothing planned has the number {number}", hint="see `meshrelay planned`")
    click.echo(f"Goes out at its time: {number}")


@click.group(cls=Group)
def draft() -> None:
    """Keep forms that may become bulletins."""


@draft.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=str))
@pass_session
def save(session: Session, name: str, file: str) -> None:
    """Keep a form as a draft.

    FILE is JSON or CAP, as publish takes it; - reads it from stdin. A draft of that NAME is replaced.
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= _LONGEST_NAME:
        raise WrongUsage(f"a name has at most {_LONGEST_NAME} characters, on one line", hint="choose a shorter one")
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    if len(data) > _LARGEST:
        raise Refusal("a draft has at most 1 MiB", hint="leave out what no bulletin could hold")
    if forms.is_cap(data):
        forms.read_cap(data, name=file, now=session.now)
    else:
        forms.read_json(data, name=file)
    with session.relay() as relay:
        relay.local.save_draft(Draft(name.strip(), data, session.now))
    click.echo(f"Saved: {name.strip()}")


@draft.command(name="list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the drafts here."""
    words = session.words()
    with session.relay() as relay:
        found = relay.local.drafts()
    if as_json:
        print_json({"drafts": [{"name": one.name, "saved": stamp(one.saved, words.tz)} for one in found]})
        return
    for one in found:
        click.echo(f"{one.name}  saved {stamp(one.saved, words.tz)}")
    if not found:
        click.echo("No draft is here; `meshrelay draft save NAME FILE` keeps one.")


@draft.command()
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Print a draft as it was given."""
    with session.relay() as relay:
        click.echo(_find(relay.local.drafts(), name).form, nl=False)


@draft.command(name="remove")
@click.argument("name")
@pass_session
def throw_away(session: Session, name: str) -> None:
    """Throw a draft away."""
    with session.relay() as relay:
        relay.local.remove_draft(_find(relay.local.drafts(), name).name)
    click.echo(f"Removed: {name}")


@draft.command(cls=Command)
@click.argument("name")
@click.option("--drill/--no-drill", default=None, help="An exercise, or not, whatever the draft says.")
@click.option("--key", metavar="NAME", default="", help="The key to sign with; default: the only one, or `me`.")
@way_options
@passphrase_option
@json_option
@pass_session
def publish(
    session: Session,
    name: str,
    drill: bool | None,
    key: str,
    org: str,
    at: int | None,
    hide_source: bool,
    check: bool,
    as_json: bool,
) -> int:
    """Publish a draft, and throw it away.

    Prints the id of the bulletin.
    """
    way = Way(key, org, at, hide_source, check, as_json)
    with session.relay() as relay:
        found = _find(relay.local.drafts(), name)
        code = say(session, relay, (found.name, found.form), Form(drill=drill), way)
        if not check:
            relay.local.remove_draft(found.name)
            note(f"The draft {found.name} is gone; the bulletin stands.")
    return code


def _find(drafts: tuple[Draft, ...], name: str) -> Draft:
    for one in drafts:
        if one.name == name:
            return one
    raise NotFound(f"no draft is called {name!r}", hint="see `meshrelay draft list`")
