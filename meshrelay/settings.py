"""One frozen Settings, and where its values come from.

Sources, each overriding the one before: defaults, ``DATA/settings.toml``, a file given by ``--config``,
environment variables ``MESHRELAY_NAME``, ``MESHRELAY_READER``, ..., and command line flags.
Each key is a field of :class:`Settings` with its meaning beside it.

Not here: what the operator decided about keys and peers (local.py).
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import platformdirs

from meshrelay.errors import Refusal, WrongUsage

READER_PORT = 8080
PEERS_PORT = 8443
DESK_PORT = 8081
ENVIRONMENT_PREFIX = "MESHRELAY_"


def _key(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a relay is told; `data` is its folder, everything else can be written in a settings file."""

    data: Path
    name: str = _key("", "the relay's name as readers see it; never taken from the host")
    place: str = _key("", "where the relay stands; the area of its own bulletins unless they name one")
    languages: tuple[str, ...] = _key((), "languages of the place, the default one first (BCP 47)")
    time_zone: str = _key("", "time zone for times on pages, such as Asia/Almaty or UTC+5; empty: this machine's")
    key: str = _key("", "name of the key that signs unless another is named; empty: the only one, or `me`")
    passphrase_file: str = _key(
        "", "file whose first line is the passphrase of this relay's keys; empty: asked for on the terminal"
    )
    reader: str = _key("", f"address of the reader's pages as HOST:PORT; empty: all addresses, port {READER_PORT}")
    peers: str = _key("", f"address for other relays as HOST:PORT; empty: all addresses, port {PEERS_PORT}")
    desk: str = _key("", f"address of the operator's listener as HOST:PORT; empty: localhost, port {DESK_PORT}")
    peer: tuple[str, ...] = _key((), "relays to keep in touch with, as meshrelay://HOST:PORT#RELAYID")
    private: bool = _key(False, "reader's pages on this computer only, no discovery")
    discovery: bool = _key(True, "find other relays on the local network by mDNS")
    sweep: bool = _key(False, "while no other relay is in reach, knock at every address of this computer's own /24")
    stable_link_key: bool = _key(
        False, "be known to other relays by the same key on every network; for a relay that stays in one place"
    )
    interface: tuple[str, ...] = _key((), "addresses of this computer to find relays on; empty: all")
    host_names: tuple[str, ...] = _key((), "further names under which the reader's pages answer")
    unknown_senders: str = _key("fold", "bulletins of senders this relay does not know: show, fold or hide")
    max_store: str = _key(
        "",
        "the most that bulletins may take on the disk, such as 500M or 8G; "
        "empty: 2 GB, or a tenth of the disk if that is less",
    )
    link_rate: str = _key(
        "", "the most bytes a second to and from other relays, such as 64K, for a thin line; empty: no limit"
    )
    link_hour: str = _key(
        "",
        "the most bytes an hour to and from other relays, such as 20M, for a line that is paid for; once they are "
        "spent this relay begins nothing but what is urgent and of known senders; empty: no limit",
    )
    locale_dir: str = _key("", "a folder with further or corrected translations of the pages")

    @property
    def store_bytes(self) -> int | None:
        """The largest store in bytes, None where none was chosen."""
        return parse_size(self.max_store) if self.max_store else None

    @property
    def bytes_a_second(self) -> int | None:
        """The limit for links to other relays, None where none was set."""
        return parse_size(self.link_rate, least=SLOWEST_LINK) if self.link_rate else None

    @property
    def bytes_an_hour(self) -> int | None:
        """The limit for links to other relays, None where none was set."""
        return parse_size(self.link_hour) if self.link_hour else None

    @property
    def keys_dir(self) -> Path:
        """Where signing keys lie."""
        return self.data / "keys"

    @property
    def store_path(self) -> Path:
        """The database of signed items."""
        return self.data / "store.db"

    @property
    def local_path(self) -> Path:
        """The database of this relay's private facts."""
        return self.data / "local.db"

    @property
    def file(self) -> Path:
        """The settings file that commands write."""
        return self.data / "settings.toml"


KEYS: Mapping[str, dataclasses.Field[Any]] = {f.name: f for f in dataclasses.fields(Settings) if f.name != "data"}
"""Every key a settings file may hold, with its default and its meaning."""

_CHOICES = {"unknown_senders": ("show", "fold", "hide")}


def default_data() -> Path:
    """Return the platform's folder for this user's data."""
    return Path(platformdirs.user_data_dir("meshrelay", appauthor=False))


def load(
    data: Path,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Settings:
    """Gather the settings for the folder `data` from all sources.

    `flags` are values from the command line; None means not given. Raises Refusal that names the source.
    """
    values: dict[str, Any] = {}
    own = Settings(data).file
    if own.exists():
        values |= _read_file(own)
    if config is not None:
        values |= _read_file(config)
    for key in KEYS:
        word = (environment or {}).get(ENVIRONMENT_PREFIX + key.upper())
        if word is not None:
            values[key] = parse(key, word, source=f"environment variable {ENVIRONMENT_PREFIX}{key.upper()}")
    given = {key: value for key, value in (flags or {}).items() if value not in (None, ())}
    for key, value in given.items():
        values[key] = _checked(key, list(value) if isinstance(value, tuple) else value, f"--{key}")
    return Settings(data, **values)


def parse(key: str, word: str, *, source: str) -> Any:
    """Return the value that `word` stands for under `key`; lists are separated by commas."""
    default = KEYS[key].default
    if isinstance(default, bool):
        truth = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(word.lower())
        return _checked(key, word if truth is None else truth, source)
    if isinstance(default, tuple):
        return _checked(key, [part.strip() for part in word.split(",") if part.strip()], source)
    return _checked(key, word, source)


def save(data: Path, changes: Mapping[str, Any]) -> None:
    """Write `changes` into DATA/settings.toml, in one step; a value of None removes the key.

    Raises Refusal for a value that could not be read again.
    """
    for key, value in changes.items():
        if key in KEYS and value is not None:
            _checked(key, list(value) if isinstance(value, tuple) else value, "settings")
    path = Settings(data).file
    values = _read_file(path) if path.exists() else {}
    values = {key: value for key, value in {**values, **changes}.items() if value is not None}
    unknown = values.keys() - KEYS.keys()
    if unknown:
        raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lines = [f"# {KEYS[key].metadata['meaning']}\n{key} = {_toml(value)}\n" for key, value in values.items()]
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    # The folder may have been there before, and open to everybody.
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError as error:
        raise Refusal(f"no settings file at {path}", hint="give --config the path of a file that exists") from error
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}", hint="it must be a file that you may read") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} is not a settings file: {error}", hint="correct that line or remove the file") from error
    unknown = found.keys() - KEYS.keys()
    if unknown:
        raise Refusal(f"{path}: unknown setting {sorted(unknown)[0]!r}", hint=f"known are: {', '.join(KEYS)}")
    return {key: _checked(key, value, str(path)) for key, value in found.items()}


def _checked(key: str, value: Any, source: str) -> Any:
    default = KEYS[key].default
    if isinstance(default, tuple) and isinstance(value, list) and all(isinstance(part, str) for part in value):
        if key == "interface" and (strange := [part for part in value if not _is_literal(part)]):
            raise WrongUsage(f"{source}: {strange[0]!r} is not an address", hint="write it as 192.168.1.23 or fe80::1")
        return tuple(value)
    if type(value) is not type(default):
        wanted = {bool: "true or false", str: "text", tuple: "a list of texts"}[type(default)]
        raise WrongUsage(f"{source}: {key} must be {wanted}", hint=f"{key} is {KEYS[key].metadata['meaning']}")
    if key in _SIZES and value:
        try:
            parse_size(str(value), least=_SIZES[key])
        except ValueError as error:
            raise WrongUsage(f"{source}: {key}: {error}", hint="write it as 64K, 500M or 8G") from error
    if key in _CHOICES and value not in _CHOICES[key]:
        raise WrongUsage(f"{source}: {key} cannot be {value!r}", hint=f"choose one of {', '.join(_CHOICES[key])}")
    if key == "desk" and value and not _is_loopback(str(value)):
        raise WrongUsage(
            f"{source}: {value} is open to others, and the desk is for this computer alone",
            hint="leave it on localhost, such as localhost:8081",
        )
    return value


def _is_loopback(address: str) -> bool:
    try:
        host, _ = split_address(address, default_host="", default_port=0)
    except ValueError:
        # Whoever opens it says what is wrong with the port.
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "localhost.")


def _is_literal(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _toml(value: Any) -> str:
    # JSON's strings, lists and booleans are TOML's too, once DEL is escaped.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False).replace("\x7f", "\\u007f")


_SIZE = re.compile(r"(\d{1,12}) ?([kmgt]?)b?")
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
SMALLEST_STORE = 1_000_000
"""Below this not even the tables find room."""
SLOWEST_LINK = 8_000
"""Below this a batch would take longer than relays wait for it."""
_SIZES = {"max_store": SMALLEST_STORE, "link_rate": SLOWEST_LINK, "link_hour": SMALLEST_STORE}


def parse_size(words: str, *, least: int = SMALLEST_STORE) -> int:
    """Return the bytes that a size such as ``500M`` or ``8 GB`` means; raises ValueError for any other."""
    match = _SIZE.fullmatch(words.strip().lower())
    if match is None:
        raise ValueError(f"{words!r} is not a size")
    size = int(match[1]) * _FACTORS[match[2]]
    if size < least:
        raise ValueError(f"{words} is too little")
    return size


def split_address(address: str, *, default_host: str, default_port: int) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[V6]:PORT``, ``:PORT`` or ``HOST``; an empty host means all addresses.

    Raises ValueError when the port is no number from 0 to 65535.
    """
    if not address:
        return default_host, default_port
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") > 1:
        host, port = address, ""
    else:
        host, _, port = address.partition(":")
    if port and not (port.isascii() and port.isdecimal() and len(port) < 6):
        raise ValueError(f"{port!r} is not a port")
    number = int(port) if port else default_port
    if number > 65535:
        raise ValueError(f"{number} is not a port")
    return ("" if host == "*" else host), number


def time_zone(name: str) -> tzinfo:
    """Return the zone called `name`: an IANA name, ``UTC``, ``UTC+5``, ``UTC-3:30``, or this machine's when empty.

    Raises Refusal. Names need the zone files of the system; offsets always do.
    """
    if not name:
        return _MachineZone()
    match = _OFFSET.fullmatch(name.upper())
    if match:
        hours, minutes = int(match[2] or 0), int(match[3] or 0)
        if hours <= 14 and minutes < 60:
            return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if match[1] == "-" else 1))
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUsage(
            f"{name!r} is not a time zone known on this computer", hint="write it as Asia/Almaty or as UTC+5"
        ) from error


_OFFSET = re.compile(r"UTC(?:([+-])(\d{1,2})(?::(\d\d))?)?")


class _MachineZone(tzinfo):
    """This machine's zone, summer time included, whatever it is set to while the relay runs."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None, /) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None, /) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime, /) -> datetime:
        # Without a zone, because only then Python says which of two equal hours in autumn it is.
        seconds = moment.replace(tzinfo=UTC).timestamp()
        return datetime.fromtimestamp(seconds).replace(tzinfo=self)  # noqa: DTZ006
