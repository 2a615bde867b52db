"""import and export: bulletins by file, where no network goes."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import click

from meshrelay.cli.frame import (
    REFUSED,
    SOME_FAILED,
    Command,
    complain,
    json_option,
    note,
    passphrase_option,
    print_json,
    progress,
)
from meshrelay.cli.publish import say_new_key
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Moment, Size
from meshrelay.errors import NotFound, Refusal
from meshrelay.interop import carry, proposal
from meshrelay.interop.intake import Fate, Taken, take_in
from meshrelay.interop.outgoing import envelopes, in_order
from meshrelay.keyring import OwnKey

_STDIN = "-"
_SNIFFED = 200


@click.command(cls=Command, name="import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=str))
@click.option("--checked", is_flag=True, help="Say of CAP alerts that you checked yourself what they say.")
@click.option("--key", metavar="NAME", default="", help="The key that passes CAP alerts on; default as for publish.")
@passphrase_option
@json_option
@pass_session
def import_(session: Session, paths: tuple[str, ...], checked: bool, key: str, as_json: bool) -> int:
    """Take in files and folders.

    Files are carry files, CAP alerts, feeds and envelopes of them (Atom, RSS, EDXL-DE), or signed items one behind the
    other; - reads one from stdin. Signed items keep their authors. CAP alerts are signed with your key as "relayed
    from" whoever wrote them. Nothing is fetched: where a feed only says where its alerts lie, fetch those files by hand
    and import them beside it. Says how many were new and known here, and which were refused and why.
    """
    with session.relay() as relay:

        @cache
        def signer() -> OwnKey:
            chosen, made = session.signing_key(relay, key)
            if made:
                say_new_key(relay, chosen.name)
            return chosen

        counts = Counter[Fate]()
        refused: list[dict[str, Any]] = []
        elsewhere: list[tuple[str, Taken]] = []
        here: set[str] = set()
        altered: list[str] = []
        new: list[str] = []
        with progress("taken in") as shown:
            for name, source, named in _sources(paths):
                here |= _names(name)
                with source:
                    proposed = proposal.looks_like(source.read(_SNIFFED))
                    source.seek(0)
                    for one in take_in(
                        relay, source, clock=session.clock(relay), key=signer, checked=checked, ends_keys=named
                    ):
                        counts[one.fate] += 1
                        shown.advance()
                        if one.fate is Fate.ELSEWHERE:
                            elsewhere.append((name, one))
                            continue
                        here |= one.names
                        if one.fate is Fate.REFUSED:
                            reason = _proposal(name) if proposed else one.detail
                            refused.append({"file": name, "part": one.place, "reason": reason})
                        elif one.fate is Fate.NEW and one.id is not None:
                            new.append(one.id.hex())
                            if one.detail:
                                altered.append(f"{name}: {one.place}: {one.detail}")
    # What a feed names may be among the files: then there is nothing to say of the entry.
    missing = [(name, one) for name, one in elsewhere if (here - _names(name)).isdisjoint(one.names)]
    refused += [{"file": name, "part": one.place, "reason": one.detail} for name, one in missing]
    counts[Fate.REFUSED] += len(missing)
    if as_json:
        print_json({"new": counts[Fate.NEW], "known": counts[Fate.KNOWN], "refused": refused, "ids": new})
    else:
        for line in altered:
            note(line)
        for entry in refused:
            click.echo(f"refused: {entry['file']}: {entry['part']}: {entry['reason']}", err=True)
        click.echo(f"{counts[Fate.NEW]} new, {counts[Fate.KNOWN]} known, {counts[Fate.REFUSED]} refused")
    if not refused:
        return 0
    if counts[Fate.NEW] + counts[Fate.KNOWN]:
        complain(f"{len(refused)} refused", hint="the rest is taken in; ask for these anew where they came from")
        return SOME_FAILED
    complain("nothing was taken in", hint="give carry files, signed items or CAP alerts, or ask for them anew")
    return REFUSED


@click.command(cls=Command)
@click.argument("name", metavar="NAME.carry", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--since", type=Moment(ahead=False), help="Only what came here since: a time, or 6h, 3d back.")
@click.option("--max-bytes", type=Size(), help="No larger than this, such as 700k; what matters most goes first.")
@click.option("--urgent", is_flag=True, help="Only revocations, updates, cancellations, and what is Extreme or Severe.")
@json_option
@pass_session
def export(session: Session, name: Path, since: int | None, max_bytes: int | None, urgent: bool, as_json: bool) -> None:
    """Write what is held here into a carry file.

    The most urgent comes first. `meshrelay import` takes it in at another relay.
    """
    path = name if name.suffix else name.with_suffix(carry.SUFFIX)
    with session.relay() as relay:
        plan = carry.plan(in_order(relay), since=since, max_bytes=max_bytes, urgent=urgent)
        if not plan.ids:
            raise NotFound("there is nothing here to write", hint="see `meshrelay list --all`")
        with progress("written", total=len(plan.ids)) as shown:
            count = _write(path, envelopes(relay, plan.ids, advance=shown.advance))
    if as_json:
        print_json({"file": str(path), "items": count, "bytes": path.stat().st_size, "left_out": plan.left_out})
        return
    click.echo(f"{path}: {count} {'item' if count == 1 else 'items'}, {path.stat().st_size} bytes")
    if plan.left_out:
        note(f"{plan.left_out} had no room; more --max-bytes takes them too.")


def _sources(paths: Iterable[str]) -> Iterator[tuple[str, BinaryIO, bool]]:
    """Yield every file meant: its name, the file opened, and whether it was named itself and not found in a folder.

    Hidden files in folders are left out.
    """
    for path in paths:
        if path == _STDIN:
            yield "stdin", io.BytesIO(sys.stdin.buffer.read()), True
            continue
        place = Path(path)
        if not place.exists():
            raise NotFound(f"there is no {path}", hint="give the path of a file or a folder")
        files = sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]
        for file in files:
            if file is place or not any(part.startswith(".") for part in file.relative_to(place).parts):
                yield str(file), file.open("rb"), file is place


def _proposal(file: str) -> str:
    """Return what to do with a proposal, which people take for what comes of it."""
    made = Path(file).with_suffix(carry.SUFFIX).name
    return f"is an organisation's proposal, for `meshrelay org sign`; import {made}, which its last signature makes"


def _names(file: str) -> set[str]:
    """Return what a feed may call a file."""
    return {Path(file).name, Path(file).stem}


def _write(path: Path, envelopes: Iterable[bytes]) -> int:
    """Write a carry file in one step: whoever pulls the stick too early finds the old file or none, never half."""
    temporary = path.with_name(path.name + ".new")
    try:
        with temporary.open("wb") as file:
            count = carry.write(file, envelopes)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise Refusal(
            f"cannot write {path}: {error.strerror or error}", hint="choose a folder or a stick with room"
        ) from error
    return count
