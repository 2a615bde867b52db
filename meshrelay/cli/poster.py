"""poster: the page that goes on the wall, so that people find what this relay shows."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Final

import click

from meshrelay import folder
from meshrelay.cli.frame import Command, json_option, note, print_json
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Language
from meshrelay.errors import Refusal, WrongUsage
from meshrelay.sealing import read_passphrase
from meshrelay.settings import READER_PORT, split_address
from meshrelay.web import poster as drawing
from meshrelay.web.poster import MOST_LANGUAGES, Poster, Wifi
from meshrelay.web.security import is_loopback, url_of
from meshrelay.words import page_languages

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_SHORTEST, _LONGEST = 8, 63
"""Characters of a Wi-Fi's password (IEEE 802.11i)."""


@click.command(cls=Command)
@click.argument("path", metavar="FILE.html", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--lang", "languages", multiple=True, type=Language(), help="A language of it; up to four may be given.")
@click.option("--wifi", metavar="NAME", default="", help="The Wi-Fi on which this relay is reached.")
@click.option(
    "--wifi-password-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File whose first line is the password of the Wi-Fi; without it, it is open.",
)
@click.option("--address", metavar="HOST:PORT", default="", help="Where readers find it; default: where it runs now.")
@json_option
@pass_session
def poster(
    session: Session,
    path: Path,
    languages: tuple[str, ...],
    wifi: str,
    wifi_password_file: Path | None,
    address: str,
    as_json: bool,
) -> None:
    """Write a poster to print: one A4 page with the Wi-Fi and the address as codes to scan.

    It has pictures for the two things that phones do wrong, the name of the relay, the digits of its key and the date,
    in the languages of the place. Open it in a browser and print it.
    """
    if wifi_password_file is not None and not wifi:
        raise WrongUsage("a password needs the name of its Wi-Fi", hint="give --wifi NAME too")
    if len(languages) > MOST_LANGUAGES:
        raise WrongUsage(f"a page has room for {MOST_LANGUAGES} languages", hint="make a second poster for the others")
    if len(wifi.encode()) > 32:
        raise WrongUsage("the name of a Wi-Fi has at most 32 bytes", hint="write it as the phone shows it")
    for tag in languages:
        if not drawing.speaks(tag):
            raise WrongUsage(f"there is no poster in {tag}", hint=f"there is one in {', '.join(page_languages())}")
    network = Wifi(wifi, _password(wifi_password_file)) if wifi else None
    url = _url(session, address)
    settings, like = session.settings(), session.words()
    voices = drawing.voices_in(languages or (*settings.languages, like.language), like)
    with session.relay() as relay:
        key = drawing.key_digits(relay, settings.key)
        try:
            path.write_text(drawing.file(Poster(session.relay_name(), url, key, voices, network)), encoding="utf-8")
        except OSError as error:
            raise Refusal(f"cannot write {path}: {error.strerror or error}", hint="choose another folder") from error
        # An address that somebody chose may lead here by ways that this computer does not see.
        relay.local.note_poster("" if address else url)
    if as_json:
        print_json({"file": str(path), "address": url, "wifi": wifi or None, "languages": [v.language for v in voices]})
        return
    click.echo(f"{path}: {url}")
    if not languages and (silent := [tag for tag in settings.languages if not drawing.speaks(tag)]):
        note(f"There is no poster in {', '.join(silent)}; this one is in {', '.join(v.language for v in voices)}.")
    if not wifi:
        note("It leaves a line for the name of the Wi-Fi; --wifi NAME prints it, with a code to scan.")
    if not key:
        note("It has no key on it: this relay has none, or several and no default one.")


def _url(session: Session, address: str) -> str:
    if address:
        try:
            host, port = split_address(address, default_host="", default_port=READER_PORT)
        except ValueError as error:
            raise WrongUsage(f"--address: {error}", hint="write it as 192.168.1.23:8080") from error
        if not (_NAME.fullmatch(host) or _is_literal(host)) or not port:
            raise WrongUsage(f"--address: {host!r} is no address", hint="write it as 192.168.1.23:8080")
        return url_of(host, port)
    running = folder.running(session.data)
    if running is None:
        raise Refusal("this relay does not run, so nobody knows where it is read", hint="start it, or give --address")
    found = [url for url in running.readers if not is_loopback(url)]
    if not found:
        raise Refusal("this relay is on no network now", hint="join the Wi-Fi first, or give --address HOST:PORT")
    return found[0]


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    password = read_passphrase(path)
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise Refusal(
            f"the password of a Wi-Fi has {_SHORTEST} to {_LONGEST} characters",
            hint=f"the first line of {path} must be the password and nothing else",
        )
    return password
