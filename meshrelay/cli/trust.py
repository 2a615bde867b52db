"""trust: whom this relay's people know, under which name, and whom they block."""

from __future__ import annotations

from typing import Any

import click

from meshrelay import belief
from meshrelay.cli import codes
from meshrelay.cli.clauses import on_one_line, quoted
from meshrelay.cli.codes import Code, named
from meshrelay.cli.frame import Group, json_option, note, print_json
from meshrelay.cli.session import Session, pass_session
from meshrelay.core import keys as core_keys
from meshrelay.core.admission import reopen
from meshrelay.core.keys import digits, is_public_key
from meshrelay.core.lookalike import alike
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Root
from meshrelay.core.trust import Anchor, How
from meshrelay.errors import NotFound, Refusal, WrongUsage
from meshrelay.local import Waiting
from meshrelay.relay import Relay
from meshrelay.words.times import stamp


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
    """Know a sender, or an organisation, from now on.

    By the 27 digits they read out to you, in any grouping, or the eight words; by the text of a code that was scanned;
    by a key in 64 hexadecimal digits; or by a file that holds one of these, such as the one `meshrelay key show
    --public` makes, or the carry file of an organisation's root. Digits or words of what has not arrived yet wait.
    """
    petname = " ".join(petname.split())
    if not petname or len(petname) > 80 or not petname.isprintable():
        raise click.BadParameter("a name has 1 to 80 characters", param_hint="--as")
    given = codes.read(" ".join(code))
    with session.relay() as relay:
        roots = relay.store.first_roots()
        id_ = given.id if given.id is not None else codes.one_of(given.code, codes.heard_of(relay))
        organisation = given.sort == codes.ORGANISATION or id_ in roots
        if given.id is not None and not organisation and not is_public_key(given.id):
            raise WrongUsage(
                "these 64 digits are not a key",
                hint="compare them at the sender's relay; an organisation's have meshrelay:org: in front of them",
            )
        for line in _alike(relay, petname, given):
            note(line)
        if id_ is not None and id_ in relay.trust.own:
            raise Refusal(f"that is your own key, {relay.trust.own[id_]}", hint="your own keys are known here already")
        if id_ is None:
            relay.local.add_waiting(Waiting(given.code, petname, session.now))
            said = f"{petname} is waited for: known as soon as anything of {given.code} arrives."
        else:
            relay.local.add_anchor(Anchor(id_, petname, session.now, How.DIGITS if given.id is None else How.KEY))
            for one in core_keys.codes(id_):
                relay.local.remove_waiting(one)
            what = "the organisation" if organisation else "the key"
            said = f"{petname} is known here from now on, by {what} {digits(id_)}."
            if id_ in relay.trust.blocked:
                note("It is blocked, so its bulletins are still not taken: `meshrelay trust unblock` ends that.")
            if organisation:
                said += _introduced(relay, id_)
        if as_json:
            found = {"petname": petname, "key": id_.hex() if id_ else None, "waiting": id_ is None}
            print_json({**found, "organisation": organisation})
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
                            **named(one.key),
                            "petname": one.petname,
                            "since": stamp(one.since, voice.tz),
                            "how": one.how,
                            "revoked": one.key in ended,
                            "successors": [key.hex() for key in relay.trust.successors.get(one.key, ())],
                            "organisation": _in_short(relay.trust.organisations.get(one.key)),
                        }
                        for one in known
                    ],
                    "waiting": [
                        {"petname": one.petname, _form(one.code): one.code, "since": stamp(one.since, voice.tz)}
                        for one in waiting
                    ],
                    "blocked": [named(key) for key in sorted(blocked)],
                }
            )
            return
        for anchor in known:
            if anchor.key in ended:
                click.echo(f"{anchor.petname}: their key was withdrawn by its owner. Ask them for the new one.")
            else:
                click.echo(str(voice.met(anchor.petname, since=anchor.since, how=anchor.how)))
            click.echo(f"  {digits(anchor.key)}{'   (blocked)' if anchor.key in blocked else ''}")
            for line in _remarks(relay, anchor):
                click.echo(f"  {line}")
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
    """Stop knowing a sender or an organisation.

    Their bulletins stay, among those of senders that are not known here.
    """
    text = " ".join(who)
    with session.relay() as relay:
        code = codes.as_code(text)
        for one in relay.local.waiting():
            if one.petname == text or (code is not None and one.code in code.codes):
                relay.local.remove_waiting(one.code)
                click.echo(f"{one.petname} is no longer waited for.")
                return
        key = codes.find(relay, text, among=[anchor.key for anchor in relay.local.anchors()])
        name = relay.trust.petname(key)
        if not relay.local.remove_anchor(key):
            raise NotFound("that key is not known here", hint="see `meshrelay trust list`")
        click.echo(f"{name} is no longer known here.")


@trust.command()
@click.argument("who", nargs=-1, required=True, metavar="PETNAME|DIGITS|KEY")
@pass_session
def block(session: Session, who: tuple[str, ...]) -> None:
    """Take nothing more from a sender, or mark all that is said in an organisation's name.

    What is here already is marked. KEY may be the beginning of a key, as pages show it for senders that are not known.
    """
    with session.relay() as relay:
        key = codes.find(relay, " ".join(who), among=codes.heard_of(relay))
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
        key = codes.find(relay, " ".join(who), among=relay.local.blocked())
        if not relay.local.unblock(key):
            raise NotFound("that key is not blocked", hint="see `meshrelay trust list`")
        click.echo(f"No longer blocked: {relay.trust.petname(key) or digits(key)}.")


@trust.command()
@click.argument("root", metavar="ROOTID")
@json_option
@pass_session
def follow(session: Session, root: str, as_json: bool) -> None:
    """Say which of an organisation's rival roots counts here.

    Where an organisation is disputed, and no recovery key has settled it, nothing in its name counts from the conflict
    on. Ask its people in person which version is theirs; what you follow counts at this relay alone.
    """
    with session.relay() as relay:
        id_ = relay.find(root)
        body = reopen(relay.store.get_many([id_])[id_]).body
        org = body.org if isinstance(body, Root) else None
        rivals = _contenders(relay, org) if org is not None else frozenset()
        if org is None or id_ not in rivals:
            raise NotFound(f"{id_.hex()[:8]} is not one of several rival roots", hint="see `meshrelay org show`")
        following = (relay.local.followed() - rivals) | {id_}
        found = belief.organisation(relay.store, org, following)
        if found is None or not any(one.id == id_ for one in found.roots):
            raise Refusal(
                "that would not decide it: a recovery key has signed one of the rivals, or several",
                hint="a branch statement of a recovery key settles it: `meshrelay org branch`",
            )
        relay.local.follow(id_, instead_of=rivals, now=session.now)
        if as_json:
            print_json({"organisation": found.id.hex(), "root": id_.hex()})
        else:
            name = relay.trust.petname(found.id) or on_one_line(found.name) or digits(found.id)
            click.echo(f"{name}: this version counts here from now on, and none of its rivals.")


def _contenders(relay: Relay, org: bytes) -> frozenset[bytes]:
    """Return the roots that exclude each other, also where the operator follows one of them."""
    found = frozenset[bytes]()
    for followed in (frozenset[bytes](), relay.local.followed()):
        one = belief.organisation(relay.store, org, followed)
        found |= one.rivals if one is not None else frozenset()
    return found


def _introduced(relay: Relay, org: bytes) -> str:
    """Return what an organisation says of itself, for whoever has just anchored it."""
    one = codes.organisation_of(relay, org)
    if one.disputed:
        return "\nCareful: its roots exclude each other, so nothing in its name counts. See `meshrelay org show`."
    if one.root is None:
        return "\nIts root has not arrived yet; `meshrelay import` of its carry file brings it."
    return f"\nIt calls itself {quoted(one.root.name)}." if one.root.name else ""


def _remarks(relay: Relay, anchor: Anchor) -> list[str]:
    """Return what the operator ought to know about somebody known here."""
    said = []
    for successor in relay.trust.successors.get(anchor.key, ()):
        said.append(f"names another key to come after it: {digits(successor)}")
        if successor not in relay.trust.anchors:
            said.append("compare that in person, then `meshrelay trust add` it; nothing moves by itself")
    one = relay.trust.organisations.get(anchor.key)
    if one is not None and one.disputed:
        said.append("its roots exclude each other, so nothing in its name counts: see `meshrelay org show`")
    elif one is not None and one.root is not None:
        said.append(f"an organisation of {len(one.root.keys)} keys, {one.root.threshold} of which speak for it")
    return said


def _in_short(one: Organisation | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"name": one.name, "version": len(one.roots), "disputed": one.disputed}


def _form(code: str) -> str:
    return "words" if code[0].isalpha() else "digits"


def _alike(relay: Relay, petname: str, given: Code) -> list[str]:
    """Return warnings about names here that look like this one and belong to another key."""
    others: list[tuple[str, tuple[str, ...]]] = [
        (one.petname, core_keys.codes(one.key)) for one in relay.local.anchors()
    ]
    others += [(one.petname, (one.code,)) for one in relay.local.waiting()]
    return [
        f"Careful: {name} is here already with another key, {other[0]}. Readers cannot tell the two apart."
        for name, other in others
        if not set(given.codes) & set(other) and alike(name, petname)
    ]
