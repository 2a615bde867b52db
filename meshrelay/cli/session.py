"""One call of the command on one data folder: its settings, what it holds, the clock, and the voice in which to speak.

Commands open the databases themselves, whether a relay runs here or not: it notices what they write.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from meshrelay import backup, folder
from meshrelay import settings as settings_module
from meshrelay.core.clock import Clock
from meshrelay.errors import Refusal
from meshrelay.keyring import Keyring, OwnKey, nobody
from meshrelay.local import Local
from meshrelay.machine import clock_is_synchronised
from meshrelay.relay import Relay
from meshrelay.sealing import check_new, read_passphrase
from meshrelay.settings import Settings
from meshrelay.store import Store
from meshrelay.words import Words, languages, negotiate

FIRST_KEY = "me"
UNNAMED = "This relay"


@dataclass
class Session:
    """What all commands share; `loudness` is -1 for quiet, 0, or more for talkative."""

    data: Path = field(default_factory=settings_module.default_data)
    loudness: int = 0
    counts_from: int | None = None
    """What spans such as 6h count from, where that is not now."""
    passphrase_file: Path | None = None

    @property
    def now(self) -> int:
        """The time, in unix seconds."""
        return int(time.time())

    def clock(self, relay: Relay) -> Clock:
        """Return the time in force on this folder."""
        return relay.clock(self.now, synchronised=clock_is_synchronised())

    def settings(self, *, config: Path | None = None, flags: Mapping[str, Any] | None = None) -> Settings:
        """Return the settings in force; raises Refusal.

        What an interrupted restore left to do comes first, for the settings too.
        """
        if not backup.is_settled(self.data):
            with folder.held(self.data):
                backup.settle(self.data)
        given = {**(flags or {}), "passphrase_file": self.passphrase_file and str(self.passphrase_file)}
        return settings_module.load(self.data, config=config, environment=os.environ, flags=given)

    @contextmanager
    def relay(self) -> Iterator[Relay]:
        """Open what this folder holds."""
        settings = self.settings()
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        keyring = Keyring(settings.keys_dir, passphrase=self.passphrase)
        store = Store.open(settings.store_path, max_bytes=settings.store_bytes)
        relay = Relay(store, Local.open(settings.local_path), keyring)
        try:
            yield relay
        finally:
            relay.close()

    def passphrase(self, name: str) -> str:
        """Return the passphrase of a key here, from its file or the terminal; raises Refusal when there is neither."""
        if path := self.settings().passphrase_file:
            return read_passphrase(Path(path))
        if not is_terminal():
            return nobody(name)
        answer: str = click.prompt(f"Passphrase of the key {name}", hide_input=True, err=True)
        return answer

    def new_passphrase(self, what: str, *, path: Path | None = None, option: str = "--passphrase-file") -> str:
        """Return a passphrase for something new, from the file of `option` or typed twice; raises Refusal."""
        if path is not None:
            return check_new(read_passphrase(path))
        if not is_terminal():
            raise Refusal(f"{what} needs a passphrase", hint=f"give the file that holds it with {option}")
        answer: str = click.prompt(f"Passphrase for {what}", hide_input=True, confirmation_prompt=True, err=True)
        return check_new(answer)

    def given_passphrase_file(self) -> Path | None:
        """Return the file that --passphrase-file or the settings name, if any."""
        path = self.settings().passphrase_file
        return Path(path) if path else None

    def words(self, language: str | None = None) -> Words:
        """Return the voice for this terminal: in `language`, else that of the locale, else that of the place."""
        settings = self.settings()
        choice = negotiate(language or locale_language(), None, default=(*settings.languages, "en")[0])
        return Words(choice.page, settings_module.time_zone(settings.time_zone), self.now, choice.texts)

    def relay_name(self) -> str:
        """Return the name of this relay, or words that stand for it before its first start."""
        return self.settings().name or UNNAMED

    def signing_key(self, relay: Relay, name: str) -> tuple[OwnKey, bool]:
        """Return the key to sign with, and whether it was made just now because there was none."""
        wanted = name or self.settings().key
        found = relay.keyring.choose(wanted)
        if found is not None:
            return found, False
        made = relay.keyring.new(FIRST_KEY, now=self.now)
        relay.refresh()
        return made, True


def is_terminal() -> bool:
    """Tell whether a person can be asked; what is read from a pipe or written into a file is no hindrance."""
    return sys.stdin.isatty() or sys.stderr.isatty()


def locale_language() -> str:
    """Return the language of the terminal's locale as a BCP 47 tag, or an empty text when it names none."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            tag = value.partition(".")[0].partition("@")[0].partition("_")[0]
            return tag if tag not in ("C", "POSIX") and languages.is_known(tag) else ""
    return ""


pass_session = click.make_pass_decorator(Session, ensure=True)
