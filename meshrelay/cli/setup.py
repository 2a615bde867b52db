"""setup: the questions of the first run."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, TypeVar

import click

from meshrelay import folder
from meshrelay import settings as settings_module
from meshrelay.cli.frame import Command, complain, note
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.session import FIRST_KEY, Session, locale_language, pass_session
from meshrelay.cli.values import Text, read_languages
from meshrelay.errors import Refusal, WrongUsage
from meshrelay.settings import Settings
from meshrelay.words import PAGE_LANGUAGES, own_name
from meshrelay.words.times import stamp

T = TypeVar("T")


@click.command(cls=Command)
@click.option("--name", type=Text(), help="Name of the relay as readers see it; not the computer's name.")
@click.option("--place", type=Text(), help="Where it stands; the area of bulletins written here, unless they name one.")
@click.option("--languages", metavar="LANG,LANG", help="Languages of the place, the default one first.")
@click.option("--time-zone", metavar="ZONE", help="Zone for times on pages: Asia/Almaty, UTC+5; empty: the computer's.")
@click.option("--key/--no-key", "want_key", default=None, help="Make a key to sign with, if there is none.")
@click.option("--private/--open", "private", default=None, help="Pages for this computer alone, or for the network.")
@click.option(
    "--stays/--carried",
    "stays",
    default=None,
    help="Be known to other relays by one key everywhere, or by one a network.",
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the flags, and the defaults for the rest.")
@pass_session
def setup(
    session: Session,
    name: str | None,
    place: str | None,
    languages: str | None,
    time_zone: str | None,
    want_key: bool | None,
    private: bool | None,
    stays: bool | None,
    yes: bool,
) -> None:
    """Ask the few questions of a first run.

    The answers are written into the folder's settings. What a flag answers is not asked. It can be called again at any
    time: the answers given before are the defaults. A running relay takes them up when it is started anew.
    """
    before = session.settings()
    asks = _Questions(ask=not yes)
    changes: dict[str, Any] = {
        "name": _name(name, before, asks),
        "place": asks.text("Where does it stand (a place in words, or nothing)?", place, before.place, read=str),
        "languages": _languages(languages, before, asks),
        "time_zone": _zone(time_zone, before, asks),
        "private": asks.yes("Only for this computer, without other readers and relays?", private, before.private),
    }
    # One that is carried must not be recognised elsewhere; one that stays wants to be.
    question = "Does it stay in this place, where others may know it again for years?"
    changes["stable_link_key"] = (
        before.stable_link_key if changes["private"] else asks.yes(question, stays, before.stable_link_key)
    )
    _look_at_clock(session, changes["time_zone"], asks)
    settings_module.save(session.data, {key: value or None for key, value in changes.items()})
    with session.relay() as relay:
        relay.confirm_clock(session.now)
        if relay.keyring.all():
            return _done(session)
        if asks.yes("Make a key to sign bulletins of your own with?", want_key, True):
            made = relay.keyring.new(FIRST_KEY, now=session.now)
            say_new_key(relay, made.name)
    return _done(session)


class _Questions:
    """Asks on the terminal what no flag has answered; or, told not to, takes the default."""

    def __init__(self, *, ask: bool) -> None:
        self._ask = ask

    def text(self, question: str, flag: str | None, default: str, *, read: Callable[[str], T]) -> T:
        """Return what `read` makes of the answer; a person whose answer it refuses is asked again."""
        if flag is not None or not self._ask:
            return read(default if flag is None else flag.strip())
        while True:
            answer: str = click.prompt(question, default=default, show_default=bool(default), err=True)
            try:
                return read(answer.strip())
            except Refusal as error:
                complain(str(error), hint=error.hint)

    def yes(self, question: str, flag: bool | None, default: bool) -> bool:
        if flag is not None or not self._ask:
            return default if flag is None else flag
        return click.confirm(question, default=default, err=True)


def _name(flag: str | None, before: Settings, asks: _Questions) -> str:
    return asks.text("What is this relay called? Readers see it.", flag, before.name, read=_read_name)


def _read_name(answer: str) -> str:
    host = socket.gethostname()
    if answer and answer.casefold() in (host.casefold(), host.partition(".")[0].casefold()):
        raise WrongUsage(
            "that is the name of this computer, which tells strangers more than it should",
            hint="choose another, such as the name of the place",
        )
    if len(answer) > 80 or not answer.isprintable():
        raise WrongUsage("a name has at most 80 characters, on one line", hint="choose a shorter one")
    return answer


def _languages(flag: str | None, before: Settings, asks: _Questions) -> tuple[str, ...]:
    offered = ", ".join(f"{tag} {own_name(tag)}" for tag in PAGE_LANGUAGES)
    default = ",".join(before.languages) or locale_language() or "en"
    question = f"Languages of the place, the first one first ({offered})?"
    return asks.text(question, flag, default, read=_read_languages)


def _read_languages(answer: str) -> tuple[str, ...]:
    return read_languages(part for part in answer.replace(" ", ",").split(",") if part)


def _zone(flag: str | None, before: Settings, asks: _Questions) -> str:
    question = "Time zone for times on pages, such as Asia/Almaty or UTC+5 (nothing: this computer's)?"
    return asks.text(question, flag, before.time_zone, read=_read_zone)


def _read_zone(answer: str) -> str:
    settings_module.time_zone(answer)
    return answer


def _look_at_clock(session: Session, zone: str, asks: _Questions) -> None:
    moment = stamp(session.now, settings_module.time_zone(zone))
    if not asks.yes(f"This computer says it is {moment}. Is that right?", None, True):
        raise Refusal(
            "the clock is wrong, and bulletins would carry the wrong time",
            hint="set the date, as with `sudo date -s '2031-03-14 18:00'`, and call `meshrelay setup` again",
        )


def _done(session: Session) -> None:
    after = "`meshrelay run` starts the relay."
    if folder.running(session.data) is not None:
        after = "The relay that runs here takes it up when it is started anew."
    note(f"Written to {session.settings().file}. {after}")
