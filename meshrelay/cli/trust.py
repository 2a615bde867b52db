"""trust: whom this relay's people know, under which name, and whom they block."""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from meshrelay.cli.frame import Group, json_option, note, print_json
from meshrelay.cli.session import Session, pass_session
from meshrelay.core.keys import DIGIT_GROUPS, PUBLIC_KEY_SIZE, WORD_COUNT, codes, digits, is_public_key, words
from meshrelay.core.trust import Anchor, How
from meshrelay.core.wordlist import WORDS
from meshrelay.errors import NotFound, Refusal, WrongUsage
from meshrelay.local import Waiting
from meshrelay.relay import Relay
from meshrelay.words.times import stamp

_HEX = re.compile(rf"[0-9a-f]{{{2 * PUBLIC_KEY_SIZE}}}")
_DIGITS = DIGIT_GROUPS * 3
_SHORTEST_PREFIX = 8
_LARGEST_FILE = 64 * 1024
_LOOK_ALIKE = str.maketrans("аеорсухіјѕԁһӏ0", "aeopcyxijsdhlo")
_BETWEEN = re.compile(r"[\s.,:;_/\u2010-\u2015-]+")


@click.group(cls=Group)
def trust() -> None:
    """Decide who is known here.

    Bulletins of known senders stand first, and say under which name you know them; those of blocked ones are not taken.
    """


@trust.command()
@click.argument("code", nargs=-1, required=True, metavar="DIGITS|WORDS|KEY|FILE")
@click.option("--as", "petname", required=True, metavar="PETNAME", help="Your own name for them; readers see it.")
@json_option
@pass_session
def add(session: Session, code: tuple[str, ...], petname: str, as_json: bool) -> None:
    """Know a sender from now on.

    By the 27 digits they read out to you, in any grouping, or the eight words; by their key in 64 hexadecimal digits;
    or by a file that holds one of these, such as the one `meshrelay key show --json` makes. Digits or words of a key
    that has not arrived yet wait for it.
    """
    petname = " ".join(petname.split())
    if not petname or len(petname) > 80 or not petname.isprintable():
        raise click.BadParameter("a name has 1 to 80 characters", param_hint="--as")
    given = read_code(" ".join(code))
    with session.relay() as relay:
        for line in _alike(relay, petname, given):
            note(line)
        key = given if isinstance(given, bytes) else _key_of(given, _candidates(relay))
        if key is not None and key in relay.trust.own:
            raise Refusal(f"that is your own key, {relay.trust.own[key]}", hint="your own keys are known here already")
        if key is None:
            relay.local.add_waiting(Waiting(str(given), petname, session.now))
            said = f"{petname} is waited for: known as soon as a bulletin of the key {given!s} arrives."
        else:
            how = How.KEY if isinstance(given, bytes) else How.DIGITS
            relay.local.add_anchor(Anchor(key, petname, session.now, how))
            for one in codes(key):
                relay.local.remove_waiting(one)
            said = f"{petname} is known here from now on, by the key {digits(key)}."
            if key in relay.trust.blocked:
                note("This key is blocked, so its bulletins are still not taken: `meshrelay trust unblock` ends that.")
        if as_json:
            print_json({"petname": petname, "key": key.hex() if key else None, "waiting": key is None})
        else:
            click.echo(said)


@trust.command(name="list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List who is known, waited for and blocked."""
    with session.relay() as relay:
        voice = session.words()
        known, waiting, blocked = relay.local.anchors(), relay.local.waiting(), relay.local.blocked()
        # A key that calls some of its bulletins good still stands for those.
        ended = {key for key, good in relay.trust.revoked.items() if not good}
        if as_json:
            print_json(
                {
                    "known": [
                        {
                            **_named(one.key),
                            "petname": one.petname,
                            "since": stamp(one.since, voice.tz),
                            "how": one.how,
                            "revoked": one.key in ended,
                        }
                        for one in known
                    ],
                    "waiting": [
                        {"petname": one.petname, _form(one.code): one.code, "since": stamp(one.since, voice.tz)}
                        for one in waiting
                    ],
                    "blocked": [_named(key) for key in sorted(blocked)],
                }
            )
            return
        for anchor in known:
            if anchor.key in ended:
                click.echo(f"{anchor.petname}: their key was withdrawn by its owner. Ask them for the new one.")
            else:
                click.echo(str(voice.met(anchor.petname, since=anchor.since, how=anchor.how)))
            click.echo(f"  {digits(anchor.key)}{'   (blocked)' if anchor.key in blocked else ''}")
        for one in waiting:
            click.echo(f"{one.petname}: waited for since {voice.date(one.since).text}")
            click.echo(f"  {one.code}")
        for key in sorted(blocked - {anchor.key for anchor in known}):
            click.echo(f"blocked: {digits(key)}")
            click.echo(f"  {key.hex()}")
        if not known and not waiting and not blocked:
            click.echo("Nobody is known here yet, and nobody is blocked.")


@trust.command()
@click.argument("who", nargs=-1, required=True, metavar="PETNAME|DIGITS|KEY")
@pass_session
def remove(session: Session, who: tuple[str, ...]) -> None:
    """Stop knowing a sender.

    Their bulletins stay, among those of senders that are not known here.
    """
    text = " ".join(who)
    with session.relay() as relay:
        for one in relay.local.waiting():
            if one.petname == text or one.code == _as_code(text):
                relay.local.remove_waiting(one.code)
                click.echo(f"{one.petname} is no longer waited for.")
                return
        key = _find(relay, text, among=[anchor.key for anchor in relay.local.anchors()])
        name = relay.trust.petname(key)
        if not relay.local.remove_anchor(key):
            raise NotFound("that key is not known here", hint="see `meshrelay trust list`")
        click.echo(f"{name} is no longer known here.")


@trust.command()
@click.argument("who", nargs=-1, required=True, metavar="PETNAME|DIGITS|KEY")
@pass_session
def block(session: Session, who: tuple[str, ...]) -> None:
    """Take nothing more from a sender.

    What is here already is marked. KEY may be the beginning of a key, as pages show it for senders that are not known.
    """
    with session.relay() as relay:
        key = _find(relay, " ".join(who), among=_candidates(relay))
        if key in relay.trust.own:
            raise Refusal(f"that is your own key, {relay.trust.own[key]}", hint="block the key of somebody else")
        relay.local.block(key, now=session.now)
        click.echo(f"Blocked: {relay.trust.petname(key) or digits(key)}.")


@trust.command()
@click.argument("who", nargs=-1, required=True, metavar="PETNAME|DIGITS|KEY")
@pass_session
def unblock(session: Session, who: tuple[str, ...]) -> None:
    """Take a block back."""
    with session.relay() as relay:
        key = _find(relay, " ".join(who), among=relay.local.blocked())
        if not relay.local.unblock(key):
            raise NotFound("that key is not blocked", hint="see `meshrelay trust list`")
        click.echo(f"No longer blocked: {relay.trust.petname(key) or digits(key)}.")


def read_code(text: str) -> bytes | str:
    """Return a key, or its fingerprint in the form of core.keys.digits or core.keys.words; raises Refusal.

    `text` is one of them, or the path of a file that holds one, alone or as a key's JSON document.
    """
    found = _as_code(text)
    if found is None:
        path = Path(text)
        if not path.is_file():
            raise WrongUsage(
                f"{text[:60]!r} is neither 27 digits, nor eight words, nor a key, nor a file",
                hint=_misheard(text) or "type the digits that `meshrelay key show` prints at the sender's relay",
            )
        with path.open("rb") as file:
            found = _in_file(file.read(_LARGEST_FILE).decode("utf-8", "replace"))
        if found is None:
            raise Refusal(
                f"{text} holds neither digits or words of a key nor a key", hint="give a file made by `key show --json`"
            )
    if isinstance(found, bytes) and not is_public_key(found):
        raise WrongUsage(
            "these 64 digits are not a key", hint="compare them with `meshrelay key show` at the sender's relay"
        )
    return found


def _in_file(text: str) -> bytes | str | None:
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return _as_code(text)
    found = entry.get("key") if isinstance(entry, dict) else entry
    return _as_code(found) if isinstance(found, str) else None


def _as_code(text: str) -> bytes | str | None:
    squeezed = _BETWEEN.sub("", text).lower()
    if _HEX.fullmatch(squeezed):
        return bytes.fromhex(squeezed)
    return _as_digits(text) or _as_words(text)


def _as_words(text: str) -> str | None:
    """Return eight words of the list, however written, in the form of core.keys.words."""
    found = _BETWEEN.sub(" ", text).casefold().split()
    return " ".join(found) if len(found) == WORD_COUNT and set(found) <= set(WORDS) else None


def _misheard(text: str) -> str:
    """Return a hint on words that are not in the list, if `text` seems to be meant as words."""
    found = _BETWEEN.sub(" ", text).casefold().split()
    strange = [word for word in found if word not in WORDS]
    if len(found) != WORD_COUNT or not strange or len(strange) > WORD_COUNT // 2:
        return ""
    near = difflib.get_close_matches(strange[0], WORDS, n=3)
    return f"{strange[0]!r} is none of the words" + (f"; perhaps it is {' or '.join(near)}" if near else "")


def _form(code: str) -> str:
    return "words" if code[0].isalpha() else "digits"


def _as_digits(text: str) -> str | None:
    """Return 27 digits of any script, however grouped, in the form of core.keys.digits."""
    squeezed = _BETWEEN.sub("", text)
    if len(squeezed) != _DIGITS or not squeezed.isdecimal():
        return None
    plain = "".join(str(unicodedata.decimal(one)) for one in squeezed)
    return " ".join(plain[at : at + 3] for at in range(0, _DIGITS, 3))


def _candidates(relay: Relay) -> frozenset[bytes]:
    """Return every key that this relay has heard of."""
    return relay.store.authors() | relay.trust.own.keys() | relay.trust.anchors.keys() | relay.trust.blocked


def _key_of(code: str, keys: Iterable[bytes]) -> bytes | None:
    return next((key for key in keys if code in codes(key)), None)


def _find(relay: Relay, text: str, *, among: Iterable[bytes]) -> bytes:
    """Return the key that is meant by a petname, digits, a key or its unique beginning; raises Refusal."""
    keys = frozenset(among)
    named = [key for key in keys if relay.trust.petname(key) == text]
    if not named and (code := _as_code(text)) is not None:
        if isinstance(code, bytes):
            return code
        named = [key for key in keys if code in codes(key)]
    if not named:
        squeezed = _BETWEEN.sub("", text).lower()
        if len(squeezed) >= _SHORTEST_PREFIX:
            named = [key for key in keys if key.hex().startswith(squeezed)]
    if len(named) == 1:
        return named[0]
    if named:
        raise Refusal(f"{text[:60]!r} may mean {len(named)} keys", hint="give the 27 digits: `meshrelay trust list`")
    raise NotFound(f"nobody here is {text[:60]!r}", hint="see `meshrelay trust list`, or give the key in full")


def _alike(relay: Relay, petname: str, given: bytes | str) -> list[str]:
    """Return warnings about names here that look like this one and belong to another key."""
    same = codes(given) if isinstance(given, bytes) else (given,)
    others: list[tuple[str, tuple[str, ...]]] = [(one.petname, codes(one.key)) for one in relay.local.anchors()]
    others += [(one.petname, (one.code,)) for one in relay.local.waiting()]
    return [
        f"Careful: {name} is here already with another key, {other[0]}. Readers cannot tell the two apart."
        for name, other in others
        if not set(same) & set(other) and _skeleton(name) == _skeleton(petname)
    ]


def _skeleton(name: str) -> str:
    """Return what is left of a name when case, accents, signs and the look of Cyrillic letters are put aside."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(one for one in plain if one.isalnum()).translate(_LOOK_ALIKE)


def _named(key: bytes) -> dict[str, Any]:
    return {"key": key.hex(), "digits": digits(key), "words": words(key)}
