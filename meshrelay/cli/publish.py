"""publish and withdraw: say something, replace it, take it back."""

from __future__ import annotations

import dataclasses
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from meshrelay import folder
from meshrelay.cli import codes, forms
from meshrelay.cli.forms import Form
from meshrelay.cli.frame import Command, json_option, note, passphrase_option, print_json
from meshrelay.cli.session import Session, locale_language, pass_session
from meshrelay.cli.speaking import in_name_of, may_not_act, warnings
from meshrelay.cli.values import Language, Moment, Text, Word
from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import (
    DEFAULT_EVENT,
    Bulletin,
    Category,
    Certainty,
    MsgType,
    Origin,
    Response,
    Severity,
    Status,
    Urgency,
    in_order,
    with_order,
)
from meshrelay.core.envelope import SignedItem
from meshrelay.core.lint import ADVICE, Finding, lint
from meshrelay.core.trust import Standing
from meshrelay.core.withdrawal import withdrawal
from meshrelay.errors import NotFound, Refusal
from meshrelay.interop.document import document
from meshrelay.listing import Shown
from meshrelay.relay import MOST_KEPT_BACK, Relay
from meshrelay.settings import time_zone
from meshrelay.words import visible
from meshrelay.words.times import stamp

F = TypeVar("F", bound=Callable[..., Any])

_STDIN = "-"
_FLAWED = 1
_LEAST_KEPT_BACK = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Way:
    """How a bulletin is to go out: at once or at a time, from here as seen by all or not, or not at all."""

    key: str = ""
    org: str = ""
    at: int | None = None
    hide_source: bool = False
    check: bool = False
    as_json: bool = False
    origin: Origin | None = None
    """Where the words come from, if not from who signs."""


def _count_from(ctx: click.Context, _: click.Parameter, value: int | None) -> int | None:
    if value is not None:
        session = ctx.ensure_object(Session)
        if value <= session.now:
            raise Refusal("that time has passed", hint="leave out --publish-at to publish now")
        session.counts_from = value
    return value


def way_options(command: F) -> F:
    """Add to a command how what it publishes goes out."""
    for option in (
        click.option(
            "--org",
            metavar="ORG",
            default="",
            help="Whose name to speak in; default: the known one that lent this key its name; none: nobody's.",
        ),
        click.option("--check", is_flag=True, help="Say what could be better about it, and publish nothing."),
        click.option("--hide-source", is_flag=True, help="Keep it from other relays for 1 to 10 minutes."),
        click.option(
            "--publish-at",
            "at",
            type=Moment(ahead=True),
            is_eager=True,
            callback=_count_from,
            help="Have the relay that runs here sign and publish it at that time; spans count from then.",
        ),
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@click.argument("file", required=False, type=click.Path(path_type=str))
@click.option("--headline", type=Text(), metavar="TEXT", help="The bulletin in one line; all that is needed.")
@click.option("--description", type=Text(), metavar="TEXT", help="What has happened or will.")
@click.option("--instruction", type=Text(), metavar="TEXT", help="What people should do.")
@click.option("--lang", type=Language(), help="Language of these words (BCP 47); default: the locale's or the place's.")
@click.option("--event", type=Text(), metavar="TEXT", help=f"What kind of event it is; default {DEFAULT_EVENT}.")
@click.option("--category", type=Word(Category), multiple=True, help="What it is about; default Safety.")
@click.option("--response", type=Word(Response), multiple=True, help="What to do, in one word.")
@click.option("--urgency", type=Word(Urgency), help="When to act; default Unknown.")
@click.option("--severity", type=Word(Severity), help="How bad it is; default Unknown.")
@click.option("--certainty", type=Word(Certainty), help="How sure you are; default Unknown.")
@click.option(
    "--sender-name", type=Text(), metavar="TEXT", help="Who says so, as readers who do not know your key see it."
)
@click.option("--contact", type=Text(), metavar="TEXT", help="How to reach whoever says so.")
@click.option("--web", metavar="URL", help="Where more stands; shown as text.")
@click.option("--area", type=Text(), metavar="TEXT", help="The place in words; default: the place of this relay.")
@click.option("--polygon", metavar="'LAT,LON LAT,LON ...'", multiple=True, help="The area's corners, in degrees.")
@click.option("--circle", metavar="LAT,LON,KM", multiple=True, help="A point and a radius in kilometres.")
@click.option("--geocode", metavar="NAME=VALUE", multiple=True, help="A code of the area, such as SAME=006113.")
@click.option("--effective", type=Moment(ahead=True), help="From when it may be acted on: a time, or 6h, 3d from now.")
@click.option("--onset", type=Moment(ahead=True), help="When the event is expected to begin.")
@click.option("--expires", type=Moment(ahead=True), help="Until when it holds; default 24h, at most 90d.")
@click.option(
    "--note", type=Text(), metavar="TEXT", help="A remark, such as why an earlier bulletin is replaced or withdrawn."
)
@click.option("--update", metavar="ID", help="Replace this earlier bulletin of yours, or of a colleague.")
@click.option("--cancel", metavar="ID", help="Withdraw this earlier bulletin of yours, or of a colleague.")
@click.option("--drill/--no-drill", default=None, help="An exercise: marked as one everywhere.")
@way_options
@click.option(
    "--translation", metavar="LANG=FILE.json", multiple=True, help="The words in one more language, from a JSON file."
)
@click.option("--key", metavar="NAME", default="", help="The key to sign with; default: the only one, or `me`.")
@passphrase_option
@json_option
@pass_session
def publish(
    session: Session,
    /,
    file: str | None,
    key: str,
    org: str,
    at: int | None,
    hide_source: bool,
    check: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Sign a bulletin, and print its id.

    It goes to the relays around by itself. The words come from flags, from FILE (JSON with the same names, or a CAP
    alert used as a form; - reads it from stdin), or from both: a flag outdoes the file. Without any key here, one
    called `me` is made first.
    """
    translations = dict(_translation(pair) for pair in flags.pop("translation"))
    given: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value for name, value in flags.items() if value is not None
    }
    flag_form = Form(**given, translation=translations)
    source = None if file is None else ("the form", sys.stdin.buffer.read()) if file == _STDIN else (file, _form(file))
    way = Way(key, org, at, hide_source, check, as_json)
    with session.relay() as relay:
        return say(session, relay, source, flag_form, way)


@click.command(cls=Command)
@click.argument("item", metavar="ID")
@click.option(
    "--note", type=Text(), metavar="TEXT", default="", help="Why, in a line; shown beside the struck bulletin."
)
@click.option("--key", metavar="NAME", default="", help="For a colleague's bulletin: the key to sign with.")
@passphrase_option
@json_option
@pass_session
def withdraw(session: Session, item: str, note: str, key: str, as_json: bool) -> int:
    """Take back a bulletin of yours, or of a colleague in your organisation, everywhere.

    Prints the id of what takes it back. ID may be the beginning of one. What replaced it in the meantime is taken back
    with it.
    """
    with session.relay() as relay:
        return say(session, relay, None, Form(cancel=item, note=note), Way(key, as_json=as_json))


def say(session: Session, relay: Relay, source: tuple[str, bytes] | None, flags: Form, way: Way) -> int:
    """Publish what a form (its name and bytes) and flags say, the way it is wanted; return the exit code."""
    settings, now = session.settings(), way.at or session.now
    tz = time_zone(settings.time_zone)
    own_language = locale_language() or (*settings.languages, "en")[0]
    layers = [flags]
    base = forms.blank(now=now)
    if source is not None:
        name, data = source
        if forms.is_cap(data):
            base = forms.read_cap(data, name=name, now=now)
        else:
            layers.insert(0, forms.read_json(data, name=name))
    target = _target(relay, layers, session, way, now=now)
    if target is not None:
        base = _acting(relay, target, now=now)
    language, anew = own_language, target is not None
    for layer in layers:
        language = layer.lang or layer.language or (in_order(base)[0].language if base.texts else own_language)
        base = forms.fill(base, layer, language=language, now=now, tz=tz, place=settings.place, anew=anew)
        anew = anew and not layer.words(language)
    draft = with_order(forms.placed(base, settings.place, language=language), language)
    if way.origin is not None:
        draft = dataclasses.replace(draft, origin=way.origin)
    if target is None:
        draft = _drilled(relay, draft, layers, now=session.clock(relay).now)
    _check(draft, now=now)
    chosen = target is not None or base.expires != now + forms.DEFAULT_LIFE or any(layer.expires for layer in layers)
    findings = _findings(session, relay, dataclasses.replace(draft, expires_assumed=not chosen))
    pressing = [one for one in findings if one.flaw not in ADVICE]
    words = session.words()
    if way.check:
        if way.as_json:
            print_json({"findings": [_finding(one, words.flaw(one)) for one in findings]})
        else:
            click.echo("\n".join([words.flaw(one) for one in findings] or ["Nothing could be better."]))
        return _FLAWED if pressing else 0
    name = target.signer if target is not None else _signer(session, relay, way.key)
    draft = _in_name(relay, draft, name, way.org, acting=target is not None, now=now)
    if pressing:
        note("Could be better: " + " ".join(words.flaw(one) for one in pressing))
    if way.at is not None:
        number = relay.plan(draft, name, due=way.at, hide_source=way.hide_source)
        if way.as_json:
            print_json({"planned": number, "due": stamp(way.at, words.tz)})
        else:
            click.echo(f"Planned for {stamp(way.at, words.tz)}: `meshrelay planned remove {number}` strikes it.")
        if relay.keyring.get(name).protected and not settings.passphrase_file:
            note(f"The key {name} has a passphrase: the relay needs --passphrase-file, or the setting passphrase_file.")
        if folder.running(session.data) is None:
            note("No relay runs here now; the next one that does publishes it, late if need be.")
        return 0
    back_until = None
    if way.hide_source:
        back_until = session.now + secrets.choice(range(_LEAST_KEPT_BACK, MOST_KEPT_BACK + 1))
    item = relay.publish(draft, name, now=session.now, back_until=back_until)
    _answer(session, relay, item, as_json=way.as_json)
    return 0


def _drilled(relay: Relay, draft: Bulletin, layers: Sequence[Form], *, now: int) -> Bulletin:
    """Return the draft as an exercise while drill mode is on, unless its writer says that it is none."""
    said = any(layer.drill is not None or layer.cap_status or layer.status in list(Status) for layer in layers)
    if said or draft.is_drill or relay.drill_until(now) is None:
        return draft
    if sys.stdin.isatty():
        if not click.confirm("Drill mode is on. Is this an exercise?", default=True, err=True):
            return draft
    else:
        note("Drill mode is on, so this is marked as an exercise; --no-drill says that it is none.")
    return dataclasses.replace(draft, status=Status.EXERCISE)


def _findings(session: Session, relay: Relay, draft: Bulletin) -> tuple[Finding, ...]:
    incident = relay.incident(draft, session.clock(relay))
    return lint(
        draft, incident=[(one.header.id, one.bulletin) for one in incident], languages=session.settings().languages
    )


def _finding(finding: Finding, says: str) -> dict[str, Any]:
    return {
        "code": str(finding.flaw),
        "languages": list(finding.languages),
        "ids": [item.hex() for item in finding.items],
        "says": says,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """A bulletin to be replaced or withdrawn, which of the two, and the name of the key that does it."""

    shown: Shown
    msg_type: MsgType
    signer: str


def _target(relay: Relay, layers: Sequence[Form], session: Session, way: Way, *, now: int) -> _Target | None:
    update = next((layer.update for layer in reversed(layers) if layer.update), "")
    cancel = next((layer.cancel for layer in reversed(layers) if layer.cancel), "")
    if update and cancel:
        raise click.UsageError("--update and --cancel exclude each other")
    if not update and not cancel:
        return None
    shown = relay.bulletin(relay.find(update or cancel), session.clock(relay))
    msg_type = MsgType.CANCEL if cancel else MsgType.UPDATE
    name = shown.header.id.hex()[:8]
    if shown.header.msg_type is MsgType.CANCEL:
        raise Refusal(f"{name} is itself a withdrawal", hint="publish a new bulletin instead")
    owner = relay.trust.own.get(shown.header.author)
    if owner is None:
        signer = _colleague(relay, shown, msg_type, way.key, now=now)
    elif way.key and way.key != owner:
        raise Refusal(f"that bulletin is signed by {owner}, not by {way.key}", hint=f"leave out --key, or give {owner}")
    else:
        signer = owner
    if shown.verdict.standing is Standing.CANCELLED:
        raise Refusal(f"{name} was withdrawn before", hint="publish a new bulletin instead")
    return _Target(shown, msg_type, signer)


def _colleague(relay: Relay, shown: Shown, msg_type: MsgType, key: str, *, now: int) -> str:
    """Return the name of the key here that may end a bulletin of another one; raises Refusal that says why none may."""
    own = {name: public for public, name in relay.trust.own.items() if not key or name == key}
    if key and not own:
        relay.keyring.get(key)
    why = {name: may_not_act(relay, public, shown, msg_type, now=now) for name, public in own.items()}
    able = sorted(name for name, reason in why.items() if not reason)
    if len(able) > 1 and not key:
        raise Refusal(f"several keys here may do that: {', '.join(able)}", hint="say which one with --key NAME")
    if not able:
        # What says most is the reason of a key that comes closest, and the same one each time.
        reason = max(why.values(), default="", key=lambda one: ("outside of" in one, one))
        raise Refusal(
            f"{shown.header.id.hex()[:8]} is not yours to end: "
            + (reason or "it is signed with a key that is not here, and only that key can end it"),
            hint="publish a bulletin of your own that says what is wrong with it",
        )
    return able[0]


def _acting(relay: Relay, target: _Target, *, now: int) -> Bulletin:
    """Return the draft that ends a bulletin and whatever has replaced it since."""
    shown = target.shown
    reach = (shown.header.id, *(act.id for act in shown.verdict.by))
    if target.msg_type is MsgType.UPDATE:
        return forms.update(shown.bulletin, reach, now=now)
    (data,) = relay.store.get_many([shown.header.id]).values()
    return dataclasses.replace(withdrawal(reopen(data), now=now), references=reach)


def _in_name(relay: Relay, draft: Bulletin, name: str, org: str, *, acting: bool, now: int) -> Bulletin:
    """Return the draft in the name of the organisation that the key speaks for, and say what its signer should know."""
    key = relay.keyring.get(name).public
    if acting:
        # It acts only in the name of what it acts on.
        if org:
            raise click.UsageError("--org is for new bulletins: this one is in the name of the one that it acts on")
        named = codes.organisation_of(relay, draft.org) if draft.org is not None else None
    else:
        named = in_name_of(relay, key, org, now=now)
        draft = dataclasses.replace(draft, org=named.id if named is not None else None)
    for line in warnings(relay, named, key, draft, now=now) if named is not None else ():
        note(line)
    return draft


def _signer(session: Session, relay: Relay, key: str) -> str:
    chosen, made = session.signing_key(relay, key)
    if made:
        say_new_key(relay, chosen.name)
    return chosen.name


def say_new_key(relay: Relay, name: str) -> None:
    """Say that a key was made, and where the paper that ends it lies."""
    note(f"A key called {name} was made; bulletins from here are signed with it.")
    note(f"Its own revocation lies at {relay.keyring.revocation_path(name)}: copy it to a stick, or print it with")
    note(f"`meshrelay key sheet FILE.html {name}`, and keep that away from this computer. Should the key be stolen,")
    note("`meshrelay import` of it ends the key and all it signed.")


def _check(draft: Bulletin, *, now: int) -> None:
    if draft.msg_type is not MsgType.CANCEL and not any(visible(text.headline) for text in draft.texts):
        raise click.UsageError("a bulletin needs --headline, the whole of it in one line")
    if draft.expires <= now:
        raise Refusal(
            "it would already be over: its end lies in the past", hint="give another end, such as --expires 6h"
        )


def _translation(pair: str) -> tuple[str, forms.FormText]:
    tag, sign, path = pair.partition("=")
    if not sign or not path:
        raise click.BadParameter(f"{pair!r} is not LANG=FILE.json", param_hint="--translation")
    return tag, forms.read_translation(_read(path), name=path)


def _form(path: str) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError as error:
        words = shlex.quote(path)
        raise NotFound(
            f"there is no file {path!r}", hint=f"if that is what is to be said: meshrelay publish --headline {words}"
        ) from error


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _answer(session: Session, relay: Relay, item: SignedItem, *, as_json: bool) -> None:
    if not as_json:
        click.echo(item.id.hex())
        return
    shown = relay.bulletin(item.id, session.clock(relay))
    print_json(document(shown, session.words(), relay=session.relay_name(), whole=True))
