"""inbox: what visitors told this relay; its people pass it on, or not."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from meshrelay.cli.forms import Form
from meshrelay.cli.frame import Command, Group, json_option, passphrase_option, print_json
from meshrelay.cli.publish import Way, say, way_options
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Language, Moment, Text, Word
from meshrelay.core.bulletin import Category, Certainty, Origin, OriginKind, Response, Severity, Urgency
from meshrelay.errors import NotFound, Refusal
from meshrelay.local import Report, ReportState
from meshrelay.relay import Relay
from meshrelay.words import Words, shortened
from meshrelay.words.times import stamp

_LONGEST_HEADLINE = 140


@click.group(cls=Group)
def inbox() -> None:
    """Read what visitors reported on this relay's pages, and pass it on or not."""


@inbox.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Those too that were published or dismissed.")
@json_option
@pass_session
def list_(session: Session, everything: bool, as_json: bool) -> None:
    """List the reports that wait, oldest first."""
    words = session.words()
    with session.relay() as relay:
        found = relay.local.reports(new=not everything)
    if as_json:
        print_json({"reports": [_document(one, words) for one in found]})
        return
    for one in found:
        state = "" if one.state is ReportState.NEW else f"  ({one.state})"
        click.echo(f"{one.n}  {stamp(one.received, words.tz)}  {shortened(one.what)}{state}")
    if not found:
        click.echo("No report waits.")


@inbox.command()
@click.argument("number", type=click.IntRange(min=1))
@json_option
@pass_session
def show(session: Session, number: int, as_json: bool) -> None:
    """Print a report whole, by its number."""
    words = session.words()
    with session.relay() as relay:
        one = _find(relay, number)
    if as_json:
        print_json(_document(one, words))
        return
    click.echo(one.what)
    click.echo()
    lines = {
        "Where": one.place,
        "When": one.seen,
        "How to reach them": one.contact,
        "Written in": one.language,
        "Received": stamp(one.received, words.tz),
        "State": str(one.state),
    }
    for label, value in lines.items():
        if value:
            click.echo(f"{label}: {value}")


@inbox.command(cls=Command)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--checked", is_flag=True, help="We looked into this ourselves, and say so.")
@click.option(
    "--headline", type=Text(), metavar="TEXT", help="The bulletin in one line; default: the report's first line."
)
@click.option("--description", type=Text(), metavar="TEXT", help="What has happened; default: the report's own words.")
@click.option("--instruction", type=Text(), metavar="TEXT", help="What people should do.")
@click.option("--lang", type=Language(), help="Language of the report; default: that of the page it was written on.")
@click.option("--area", type=Text(), metavar="TEXT", help="The place in words; default: the report's.")
@click.option("--polygon", metavar="'LAT,LON LAT,LON ...'", multiple=True, help="The area's corners, in degrees.")
@click.option("--circle", metavar="LAT,LON,KM", multiple=True, help="A point and a radius in kilometres.")
@click.option("--event", type=Text(), metavar="TEXT", help="What kind of event it is.")
@click.option("--category", type=Word(Category), multiple=True, help="What it is about; default Safety.")
@click.option("--response", type=Word(Response), multiple=True, help="What to do, in one word.")
@click.option("--urgency", type=Word(Urgency), help="When to act; default Unknown.")
@click.option("--severity", type=Word(Severity), help="How bad it is; default Unknown.")
@click.option("--certainty", type=Word(Certainty), help="How sure you are; default Unknown.")
@click.option("--expires", type=Moment(ahead=True), help="Until when it holds; default 24h, at most 90d.")
@click.option("--drill/--no-drill", default=None, help="An exercise: marked as one everywhere.")
@click.option("--key", metavar="NAME", default="", help="The key to sign with; default: the only one, or `me`.")
@way_options
@passphrase_option
@json_option
@pass_session
def publish(
    session: Session,
    /,
    number: int,
    checked: bool,
    lang: str | None,
    key: str,
    org: str,
    at: int | None,
    hide_source: bool,
    check: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Pass a report on as a bulletin, signed with your key.

    Prints its id. Readers see that a visitor told you, and that you did not check it, unless you say --checked. How to
    reach the visitor is not passed on.
    """
    given: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in flags.items() if value is not None
    }
    way = Way(key, org, at, hide_source, check, as_json, Origin(OriginKind.REPORT, checked=checked))
    with session.relay() as relay:
        one = _find(relay, number)
        if one.state is not ReportState.NEW:
            raise Refusal(f"report {number} was {one.state} before", hint="write a bulletin with `meshrelay publish`")
        language = lang or one.language
        code = say(session, relay, (f"report {number}", _form(one, language)), Form(lang=language, **given), way)
        if not check:
            relay.local.close_report(number, ReportState.PUBLISHED)
    return code


@inbox.command()
@click.argument("number", type=click.IntRange(min=1))
@pass_session
def dismiss(session: Session, number: int) -> None:
    """Pass a report on to nobody; how to reach the visitor is forgotten at once, the rest after 30 days."""
    with session.relay() as relay:
        one = _find(relay, number)
        if not relay.local.close_report(number, ReportState.DISMISSED):
            raise Refusal(f"report {number} was {one.state} before", hint="see `meshrelay inbox list`")
    click.echo(f"Dismissed: {number}")


def _find(relay: Relay, number: int) -> Report:
    for one in relay.local.reports(new=False):
        if one.n == number:
            return one
    raise NotFound(f"no report has the number {number}", hint="see `meshrelay inbox list`")


def _form(report: Report, language: str) -> bytes:
    """Return a report as a form: its first line as the headline, all of it below where that says more."""
    first = report.what.partition("\n")[0]
    headline = first if len(first) <= _LONGEST_HEADLINE else first[: _LONGEST_HEADLINE - 1] + "…"
    below = [report.what] if headline != report.what else []
    below += [report.seen] if report.seen else []
    return msgspec.json.encode(
        {"lang": language, "headline": headline, "description": "\n".join(below), "area": report.place}
    )


def _document(report: Report, words: Words) -> dict[str, Any]:
    return {
        "number": report.n,
        "received": stamp(report.received, words.tz),
        "language": report.language,
        "what": report.what,
        "where": report.place,
        "when": report.seen or None,
        "contact": report.contact or None,
        "state": str(report.state),
    }
