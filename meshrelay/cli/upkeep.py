"""backup, restore, wipe: the whole folder at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from meshrelay import backup as backups
from meshrelay import folder
from meshrelay.cli.files import whole
from meshrelay.cli.frame import Command, confirm, json_option, note, passphrase_option, print_json
from meshrelay.cli.session import UNNAMED, Session, is_terminal, pass_session
from meshrelay.errors import AlreadyRunning, NotFound, Refusal
from meshrelay.keyring import Keyring
from meshrelay.sealing import read_passphrase
from meshrelay.settings import Settings
from meshrelay.words.times import stamp

_FILE = click.Path(dir_okay=False, path_type=Path)
_PATIENCE = 20.0
"""Seconds that a relay has to end by itself before it is killed; it needs about two."""
_LOOK_EVERY = 0.05


@click.command(cls=Command)
@click.argument("file", type=_FILE)
@click.option("--with-keys", is_flag=True, help="The signing keys too, always under a passphrase.")
@passphrase_option
@json_option
@pass_session
def backup(session: Session, file: Path, with_keys: bool, as_json: bool) -> None:
    """Write this relay into one file.

    Its bulletins, whom it knows, what it has in hand and its settings; a relay may run meanwhile. What is in the file
    is to be kept as safe as this computer: it says whom this relay knows. The keys stay here unless they are asked for.
    """
    with session.relay() as relay:
        keys: dict[str, bytes] = {}
        passphrase = ""
        if with_keys:
            keys = relay.keyring.files()
            for name in relay.keyring.damaged():
                note(f"The key {name} is damaged, and not in the backup.")
            if not keys:
                raise NotFound("no key is here", hint="leave out --with-keys")
            passphrase = session.new_passphrase("the backup", path=session.given_passphrase_file())
        with whole(file) as out:
            manifest = backups.write(
                out,
                settings=session.settings(),
                store=relay.store,
                local=relay.local,
                keys=keys,
                passphrase=passphrase,
                now=session.now,
            )
        bulletins = relay.store.usage().bulletins
        names = [one.name for one in relay.keyring.all()] if keys else []
    size = file.stat().st_size
    if as_json:
        parts = [part.name for part in manifest.parts]
        print_json({"file": str(file), "bytes": size, "bulletins": bulletins, "keys": names, "parts": parts})
        return
    click.echo(f"{file}: {bulletins} bulletins, {size} bytes; keys: {', '.join(names) or 'none'}")
    if not with_keys:
        note("Your keys are not in it: `--with-keys` takes them too, or `meshrelay key export` one by one.")


@click.command(cls=Command)
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Put it in the place of the relay that is in the folder now.")
@click.option("--without-keys", is_flag=True, help="Leave the keys that are in it.")
@passphrase_option
@json_option
@pass_session
def restore(session: Session, file: Path, replace: bool, without_keys: bool, as_json: bool) -> None:
    """Make a relay of a backup.

    In an empty folder, or, with --replace, in the place of what is there. The whole file is read and compared before
    anything changes. Keys that are here stay; every key goes on in a new stream, so that no number is used twice.
    """
    if not replace and folder.is_used(session.data):
        raise Refusal(
            f"a relay is in {session.data} already",
            hint="give an empty folder with --data, or --replace to put the backup in its place",
        )
    with file.open("rb") as source:
        manifest = backups.read_manifest(source)
        with folder.held(session.data):
            settings = Settings(session.data)
            found = backups.restore(
                source,
                manifest,
                settings,
                keyring=Keyring(settings.keys_dir),
                passphrase=None if without_keys else _passphrase_of_backup(session),
                now=session.now,
            )
    words = session.words()
    if as_json:
        names = [one.name for one in found.keys]
        print_json(
            {
                "made": stamp(manifest.made, words.tz),
                "bulletins": found.bulletins,
                "keys": names,
                "overdue": found.overdue,
                "paused": found.paused,
            }
        )
        return
    click.echo(f"Restored: {manifest.relay or UNNAMED}, as it was at {stamp(manifest.made, words.tz)}:")
    click.echo(f"  {found.bulletins} bulletins, and {len(found.keys) or 'no'} keys.")
    if found.overdue:
        note(f"{found.overdue} planned bulletins were left out, since their time has passed. See what was published.")
    if found.paused:
        note(
            f"{found.paused} planned bulletins wait for your word: the relay that this is a backup of may publish them"
        )
        note("too. `meshrelay planned` lists them.")
    if manifest.has_keys and without_keys:
        note("The keys in it were left there.")
    note("Other relays know this one by a new key of its links from now on.")


@click.command(cls=Command)
@click.option("--yes-name", metavar="NAME", help="The relay's name, for which it would ask otherwise.")
@pass_session
def wipe(session: Session, yes_name: str | None) -> None:
    """Destroy this relay: its keys and address book first, then the rest.

    Asks for the relay's name. A relay that runs on the folder is stopped first. There is no way back. Backups, paper,
    bulletins at other relays, and what flash cells keep are not reached.
    """
    data = session.data
    if not folder.is_used(data):
        raise NotFound(f"no relay is in {data}", hint="give its folder with --data")
    name = _name_in(session)
    if yes_name is None:
        note(f"This destroys the relay {name} in {data}: its keys, whom it knows, its bulletins. There is no way back.")
        confirm(name, f"Type its name, {name}, to destroy it", option="--yes-name NAME")
    elif yes_name.strip() != name:
        raise Refusal("that is not the name of the relay here; nothing has changed", hint="see `meshrelay status`")
    with _alone(data):
        left = folder.destroy(data)
        others = folder.leave(data)
    if left:
        listed = ", ".join(str(path) for path in left)
        raise Refusal(f"these could not be destroyed: {listed}", hint="destroy them, or the disk, by other means")
    click.echo(f"{name} is destroyed: its keys and its address book, then the rest.")
    for path in others:
        click.echo(f"Left alone, since no relay made it: {path}")
    click.echo("Not reached: backups, exported keys and passphrase files, paper, bulletins that other relays hold, and")
    click.echo(
        "old copies in flash cells (memory cards, SSDs) or in a journalling disk. If it matters, destroy the card."
    )


def _passphrase_of_backup(session: Session) -> Callable[[], str]:
    def ask() -> str:
        path = session.passphrase_file or session.given_passphrase_file()
        if path is not None:
            return read_passphrase(path)
        if not is_terminal():
            raise Refusal(
                "the keys in this backup are under a passphrase",
                hint="give the file that holds it with --passphrase-file, or leave them there with --without-keys",
            )
        answer: str = click.prompt("Passphrase of the backup", hide_input=True, err=True)
        return answer

    return ask


def _name_in(session: Session) -> str:
    """Return the relay's name; settings that cannot be read must not keep anybody from destroying them."""
    try:
        return session.relay_name()
    except Refusal:
        return UNNAMED


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the folder, ending the relay that runs on it: by request, and after a while by force."""
    end, asked = time.monotonic() + _PATIENCE, set[tuple[int, int]]()
    with ExitStack() as stack:
        while True:
            number = signal.SIGTERM if time.monotonic() < end else _FORCE
            if (relay := folder.running(data)) is not None and (relay.pid, number) not in asked:
                asked.add((relay.pid, number))
                _signal(relay.pid, number)
            try:
                stack.enter_context(folder.held(data))
                break
            except AlreadyRunning:
                if time.monotonic() > end + _PATIENCE:
                    raise
                time.sleep(_LOOK_EVERY)
        yield


_FORCE = getattr(signal, "SIGKILL", signal.SIGTERM)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile
    except PermissionError as error:
        raise Refusal(
            f"the relay that runs here (process {pid}) is not yours to stop", hint="stop it, or use sudo, and try again"
        ) from error
