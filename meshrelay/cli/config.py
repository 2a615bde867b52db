"""config: read and write the settings of this folder, one by one.

The keys, their defaults and what they mean stand in settings.py alone.
"""

from __future__ import annotations

import json
import os
from typing import Any

import click

from meshrelay import folder
from meshrelay import settings as settings_module
from meshrelay.cli.frame import Group, json_option, note, print_json
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import read_languages
from meshrelay.errors import NotFound, WrongUsage
from meshrelay.peers.addressbook import PeerAddress
from meshrelay.settings import ENVIRONMENT_PREFIX, KEYS

_ADDRESSES = ("reader", "peers", "desk")
_READ_BY_COMMANDS = ("place", "languages", "time_zone", "key")
"""Settings that a command reads anew whenever it is called."""


@click.group(cls=Group)
def config() -> None:
    """Read and write the settings of this folder."""


@config.command(name="list")
@json_option
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List every setting, its value and its meaning."""
    settings = session.settings()
    if as_json:
        print_json({key: _plain(getattr(settings, key)) for key in KEYS})
        return
    for key, field in KEYS.items():
        click.echo(f"{key} = {_written(getattr(settings, key))}")
        click.echo(f"  {field.metadata['meaning']}")


@config.command()
@click.argument("key", metavar="SETTING")
@json_option
@pass_session
def get(session: Session, key: str, as_json: bool) -> None:
    """Print the value of one setting."""
    _known(key)
    value = getattr(session.settings(), key)
    if as_json:
        print_json({key: _plain(value)})
    else:
        click.echo(_written(value))


@config.command(name="set")
@click.argument("key", metavar="SETTING")
@click.argument("value", metavar="[VALUE]", required=False)
@pass_session
def set_(session: Session, key: str, value: str | None) -> None:
    """Write one setting into DATA/settings.toml.

    Parts of a list are separated by commas. Without a VALUE the setting goes back to its default. The relay that runs
    here takes it up when it is started anew.
    """
    _known(key)
    settings = session.settings()
    meant = None if value is None else _sound(key, settings_module.parse(key, value, source=key))
    settings_module.save(settings.data, {key: meant})
    if ENVIRONMENT_PREFIX + key.upper() in os.environ:
        note(f"The environment variable {ENVIRONMENT_PREFIX}{key.upper()} outdoes it as long as it is set.")
    if folder.running(session.data) is None:
        return
    if key in _READ_BY_COMMANDS:
        note("Commands take it up at once, the relay that runs here when it is started anew.")
    else:
        note("The relay that runs here takes it up when it is started anew.")


def _known(key: str) -> None:
    if key not in KEYS:
        raise NotFound(f"there is no setting called {key!r}", hint=f"known are: {', '.join(KEYS)}")


def _sound(key: str, value: Any) -> Any:
    """Return a value that a relay can start with; raise Refusal for one of which it would find out only then."""
    if key == "time_zone":
        settings_module.time_zone(value)
    elif key in _ADDRESSES:
        try:
            settings_module.split_address(value, default_host="", default_port=0)
        except ValueError as error:
            raise WrongUsage(f"{key}: {error}", hint="write it as HOST:PORT, such as *:8080") from error
    elif key == "peer":
        for uri in value:
            PeerAddress.parse(uri)
    elif key == "languages":
        return read_languages(value)
    return value


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _written(value: Any) -> str:
    """Return a value as `config set` takes it."""
    if isinstance(value, tuple):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value)
