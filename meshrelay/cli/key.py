"""key: the keys that sign here; made, shown, protected, carried to another relay, and ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from meshrelay import folder
from meshrelay import settings as settings_module
from meshrelay.cli import codes
from meshrelay.cli import sheet as sheets
from meshrelay.cli.charter import misplaced
from meshrelay.cli.files import write_whole
from meshrelay.cli.frame import Group, confirm, json_option, note, passphrase_option, print_json
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.scan import print_code
from meshrelay.cli.session import FIRST_KEY, Session, pass_session
from meshrelay.core.admission import sign
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import digits, words
from meshrelay.core.statements import Branch, Successor
from meshrelay.errors import NotFound, Refusal
from meshrelay.keyring import LARGEST_FILE, OwnKey
from meshrelay.relay import Outcome, Relay
from meshrelay.words.times import stamp

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(cls=Group)
def key() -> None:
    """Make, show, protect, carry over and end the keys that sign here."""


@key.command()
@click.argument("name", default=FIRST_KEY)
@click.option("--protect", is_flag=True, help="Put it under a passphrase at once.")
@click.option("--sheet", type=_FILE, metavar="FILE", help="Write the sheet to print, as `key sheet` does.")
@passphrase_option
@json_option
@pass_session
def new(session: Session, name: str, protect: bool, sheet: Path | None, as_json: bool) -> None:
    """Make a key, and its own revocation.

    NAME is what you call it here; `me` when left out.
    """
    with session.relay() as relay:
        passphrase = None
        if protect:
            passphrase = session.new_passphrase(f"the key {name}", path=session.given_passphrase_file())
        made = relay.keyring.new(name, now=session.now, passphrase=passphrase)
        say_new_key(relay, made.name)
        if sheet is not None:
            _write_sheet(relay, made, sheet, session)
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
@click.option("--public", type=_FILE, metavar="FILE", help="Write its public half into a file to give away.")
@click.option("--qr", is_flag=True, help="Print a code to scan as well, which says the same as the digits.")
@json_option
@pass_session
def show(session: Session, name: str, public: Path | None, qr: bool, as_json: bool) -> None:
    """Show the 27 digits of a key, and the same in eight English words.

    By either others come to know it: read them out in person. The file that --public writes can be given to
    `meshrelay trust add` and to `meshrelay org`; nobody can sign with it.
    """
    with session.relay() as relay:
        found = _chosen(relay, session, name)
        if public is not None:
            write_whole(public, json.dumps(_public(found, relay, session), ensure_ascii=False, indent=1).encode())
        _print([found], relay, session, as_json=as_json, whole=True)
        if qr and not as_json:
            print_code(codes.payload(codes.KEY, found.public), always=True)


@key.command()
@click.argument("name")
@pass_session
def default(session: Session, name: str) -> None:
    """Sign with this key unless another is named.

    It is kept as the setting `key`.
    """
    with session.relay() as relay:
        found = relay.keyring.get(name)
        if found.public in relay.trust.revoked:
            raise Refusal(f"the key {name} was revoked", hint="make a new one with `meshrelay key new`")
    settings_module.save(session.data, {"key": name})
    click.echo(f"{name} signs from now on, unless another key is named.")


@key.command()
@click.argument("name")
@click.argument("file", type=_FILE)
@passphrase_option
@pass_session
def export(session: Session, name: str, file: Path) -> None:
    """Write a key into a file for another relay.

    It is always under a passphrase: the key's own, or else one that you set for the file. Whoever has both can sign as
    you.
    """
    with session.relay() as relay:

        def passphrase() -> str:
            return session.new_passphrase(f"the file {file.name}", path=session.given_passphrase_file())

        write_whole(file, relay.keyring.exported(name, passphrase))
    click.echo(f"{file}: the key {name}, under a passphrase. `meshrelay key import` takes it in.")


@key.command(name="import")
@click.argument("file", type=_FILE)
@click.option("--as", "name", default="", metavar="NAME", help="What to call it here; default: as it was called there.")
@passphrase_option
@json_option
@pass_session
def import_(session: Session, file: Path, name: str, as_json: bool) -> None:
    """Take in a key that was exported elsewhere.

    It keeps its passphrase, and begins a new stream here, so that both relays can go on signing with it.
    """
    with session.relay() as relay:
        with file.open("rb") as source:
            made = relay.keyring.take(source.read(LARGEST_FILE), name=name)
        relay.refresh()
        if made.name in misplaced(relay.trust) and folder.running(session.data) is not None:
            note(f"The key {made.name} speaks for an organisation, and a relay runs on this folder: whoever takes this")
            note("computer has it. Keep it on a stick that meets no network: docs/ngo.md says how.")
        _print([made], relay, session, as_json=as_json, whole=True)


@key.command()
@click.argument("name")
@click.option("--new-passphrase-file", type=_FILE, metavar="FILE", help="File whose first line is the new passphrase.")
@click.option("--remove", is_flag=True, help="Leave the key without a passphrase.")
@passphrase_option
@pass_session
def passphrase(session: Session, name: str, new_passphrase_file: Path | None, remove: bool) -> None:
    """Set, change or remove the passphrase of a key.

    Without it nobody can sign with the key, whoever has this computer. Nobody can bring it back either: keep it, and
    the key's own revocation, in another place.
    """
    if remove and new_passphrase_file is not None:
        raise click.UsageError("--remove and --new-passphrase-file exclude each other")
    with session.relay() as relay:
        found = relay.keyring.get(name)
        if remove:
            if not found.protected:
                raise Refusal(f"the key {name} has no passphrase", hint="see `meshrelay key list`")
            relay.keyring.protect(name, None)
            click.echo(f"{name} has no passphrase any more: whoever has this computer can sign with it.")
            return
        # With none set yet, the only passphrase that can be meant is the new one.
        path = new_passphrase_file if found.protected else new_passphrase_file or session.given_passphrase_file()
        option = "--new-passphrase-file" if found.protected else "--passphrase-file"
        relay.keyring.protect(name, session.new_passphrase(f"the key {name}", path=path, option=option))
    click.echo(f"{name} is under a passphrase. Copies of the key made before are not.")


@key.command()
@click.argument("file", type=_FILE)
@click.argument("name", default="")
@passphrase_option
@pass_session
def sheet(session: Session, file: Path, name: str) -> None:
    """Write a key's own revocation as a sheet to print.

    HTML with a code to scan, or plain text when FILE ends in .txt. Whoever finds the sheet can end the key and all it
    signed, and nothing else. `meshrelay import` takes in the sheet, or what was scanned or typed from it.
    """
    with session.relay() as relay:
        _write_sheet(relay, _chosen(relay, session, name), file, session)
    click.echo(f"{file}: print it, keep it away from this computer, and delete the file.")


@key.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@passphrase_option
@json_option
@pass_session
def revoke(session: Session, name: str, yes: bool, as_json: bool) -> None:
    """End a key for ever, and everything it signed.

    Publishes the key's own revocation. There is no way back: what the key signed counts nowhere any more as soon as
    the revocation has arrived there. Make another key, and let people know it by its digits.
    """
    with session.relay() as relay:
        found = relay.keyring.get(name)
        if found.public in relay.trust.revoked:
            raise Refusal(f"the key {name} was revoked before", hint="make a new one with `meshrelay key new`")
        if not yes:
            note(f"This ends the key {name} everywhere, with everything it ever signed. There is no way back.")
            confirm(name, f"Type the key's name, {name}, to end it", option="--yes")
        item = relay.keyring.revocation(name)
        _take(relay, item, session)
    if as_json:
        print_json({"id": item.id.hex(), "key": found.public.hex()})
    else:
        click.echo(f"{name} is revoked here. Relays in reach hear of it at once, others when they are met.")


@key.command()
@click.argument("name")
@click.argument("code", nargs=-1, required=True, metavar="CODE")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@passphrase_option
@json_option
@pass_session
def successor(session: Session, name: str, code: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Name the key that comes after one of yours.

    CODE is the new key: a file that `key show --public` made, its 64 hexadecimal digits, what was scanned, or the name
    of another key here. Relays that know the old key tell their operators, who compare the new one and decide; nobody's
    trust moves by itself. Do it while you still hold the old key alone.
    """
    with session.relay() as relay:
        found = relay.keyring.get(name)
        subject, _ = codes.public_key(relay, " ".join(code))
        if subject == found.public:
            raise Refusal("a key does not come after itself", hint="give the new key")
        if found.public in relay.trust.revoked:
            raise Refusal(f"the key {name} was revoked", hint="what a revoked key names, nobody follows")
        if not yes:
            note(f"The key {digits(subject)} is to come after {name}.")
            confirm(name, f"Type the old key's name, {name}, to say so everywhere", option="--yes")
        with relay.keyring.signing(name) as signer:
            item = sign(Successor(session.now, subject), signer.key)
        _take(relay, item, session)
        if as_json:
            print_json({"id": item.id.hex(), "key": found.public.hex(), "successor": subject.hex()})
        else:
            click.echo(f"{name} names {digits(subject)} to come after it. Let people compare these digits.")


@key.command()
@click.argument("item", metavar="ID")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@passphrase_option
@json_option
@pass_session
def branch(session: Session, item: str, yes: bool, as_json: bool) -> None:
    """Say which of two bulletins counts that your key gave one number.

    That happens when a copy of the key signs elsewhere, such as one from a backup, or a stolen one. Relays then mark
    both, and what comes after them. ID is the one that counts.
    """
    with session.relay() as relay:
        chosen, rivals = codes.forked(relay, item)
        author = relay.store.headers([chosen])[chosen].header.author
        if author not in relay.trust.own:
            raise Refusal("it is not signed by a key of yours", hint="its organisation can choose: `org branch`")
        name = relay.trust.own[author]
        if not yes:
            note(f"{chosen.hex()[:10]} is to count, and not {', '.join(one.hex()[:10] for one in rivals)}.")
            confirm(name, f"Type the key's name, {name}, to say so everywhere", option="--yes")
        with relay.keyring.signing(name) as signer:
            said = sign(Branch(session.now, chosen, rivals), signer.key)
        _take(relay, said, session)
        if as_json:
            print_json({"id": said.id.hex(), "chosen": chosen.hex(), "rivals": [one.hex() for one in rivals]})
        else:
            click.echo(f"{chosen.hex()[:10]} counts. If nobody of yours signed the other, the key is in other hands.")


def _take(relay: Relay, item: SignedItem, session: Session) -> None:
    if relay.receive(item.data, now=session.now).outcome is Outcome.DECLINED:
        raise Refusal("there is no room left for it", hint="make room on the disk and try again")


def _chosen(relay: Relay, session: Session, name: str) -> OwnKey:
    found = relay.keyring.choose(name or session.settings().key)
    if found is None:
        raise NotFound("no key is here yet", hint="`meshrelay publish` or `meshrelay key new` makes one")
    return found


def _write_sheet(relay: Relay, one: OwnKey, file: Path, session: Session) -> None:
    item = relay.keyring.revocation(one.name)
    made = stamp(one.created, session.words().tz)
    write = sheets.text if file.suffix.lower() == ".txt" else sheets.page
    write_whole(file, write(item, name=one.name, made=made).encode())


def _document(one: OwnKey, relay: Relay, session: Session) -> dict[str, Any]:
    return {
        "name": one.name,
        "key": one.public.hex(),
        "digits": digits(one.public),
        "words": words(one.public),
        "created": stamp(one.created, session.words().tz),
        "protected": one.protected,
        "revoked": one.public in relay.trust.revoked,
        "revocation": str(relay.keyring.revocation_path(one.name)),
    }


def _public(one: OwnKey, relay: Relay, session: Session) -> dict[str, Any]:
    """Return what of a key may be given away: where files lie here is nobody else's business."""
    found = _document(one, relay, session)
    return {name: found[name] for name in ("name", "key", "digits", "words", "created")}


def _print(keys: list[OwnKey], relay: Relay, session: Session, *, as_json: bool, whole: bool) -> None:
    for one in keys:
        found = _document(one, relay, session)
        if as_json:
            print_json(_public(one, relay, session))
        elif whole:
            click.echo(f"Key         {found['name']}, made {found['created']}{_remarks(found)}")
            click.echo(f"Digits      {found['digits']}")
            click.echo(f"In words    {found['words']}")
            click.echo(f"In hex      {found['key']}")
            click.echo(f"Revocation  {found['revocation']}")
        else:
            click.echo(f"{found['name']:<12} {found['digits']}{_remarks(found)}")


def _remarks(found: dict[str, Any]) -> str:
    said = [word for word, holds in (("under a passphrase", "protected"), ("revoked", "revoked")) if found[holds]]
    return f" ({', '.join(said)})" if said else ""
