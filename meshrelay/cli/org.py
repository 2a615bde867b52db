"""org: what an organisation says, on files that go from stick to stick, so that its keys stay offline.

Whoever has something to propose makes a file; it is passed round until all have signed whose signature it lists, and
becomes a carry file that any relay takes in. No command here needs a network, and none needs a relay: the folder is
that of a person on a stick. A relay that serves readers holds no organisation's secret.

Not here: the file's form (interop/proposal.py), and what statements add up to (core.organisation).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from meshrelay import belief, folder
from meshrelay.cli import charter, codes
from meshrelay.cli.clauses import DAY, Teller
from meshrelay.cli.files import whole, write_whole
from meshrelay.cli.frame import Group, confirm, json_option, note, passphrase_option, print_json
from meshrelay.cli.scan import print_code
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Moment, Word, read_circle, read_pair, read_polygon
from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import Bulletin, Category, Severity
from meshrelay.core.envelope import Kind, SignedItem
from meshrelay.core.keys import digits
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import (
    MAX_GOOD,
    MAX_LENT,
    Attestation,
    Branch,
    Delegation,
    Revocation,
    Role,
    Root,
    Scope,
    Signer,
    Statement,
)
from meshrelay.errors import InvalidDocument, NotFound, Refusal, WrongUsage
from meshrelay.interop import carry, geojson, proposal
from meshrelay.interop.proposal import Proposal
from meshrelay.relay import Outcome, Relay

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(dir_okay=False, path_type=Path)
_MOST_DAYS: Final = MAX_LENT // DAY
_CLOCKS_DIFFER: Final = 3600
"""A name is lent from this many seconds back on, for the clock of who uses it may be behind."""
_MOST_SCANNED: Final = 5_000


def _org_option(command: F) -> F:
    return click.option(
        "--org", "org_", metavar="ORG", default="", help="Which organisation; default: the only one held or known here."
    )(command)


def _signers_option(command: F) -> F:
    return click.option(
        "--signers", metavar="KEY", multiple=True, help="Who is to sign; once made the file can be signed by no others."
    )(command)


@click.group(cls=Group)
def org() -> None:
    """Found an organisation, lend its name to keys, and take it back.

    Everything happens on files that go from stick to stick; KEY is a file that `key show --public` made, digits, or the
    name of somebody known here.
    """


@org.command()
@click.argument("file", type=_FILE)
@click.option("--name", required=True, metavar="TEXT", help="What the organisation calls itself.")
@click.option("--key", "keys", metavar="KEY", multiple=True, required=True, help="One of the keys that speak for it.")
@click.option("--threshold", type=click.IntRange(1, 16), help="How many of them it takes; default: more than half.")
@click.option("--recovery", metavar="KEY", multiple=True, help="A key that settles conflicts, kept apart from all.")
@_signers_option
@json_option
@pass_session
def create(
    session: Session,
    file: Path,
    name: str,
    keys: tuple[str, ...],
    threshold: int | None,
    recovery: tuple[str, ...],
    signers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Propose a new organisation: which keys speak for it.

    Writes FILE, to be signed by all its keys, or those that --signers names, with `org sign`.
    """
    with session.relay() as relay:
        names = dict[bytes, str]()
        members, backups = _read_keys(relay, keys, names), _read_keys(relay, recovery, names)
        threshold = threshold or len(members) // 2 + 1
        if both := members & backups:
            raise Refusal(
                f"{Teller(session.words(), relay.trust.petname, names).key(min(both))} is among the keys and for "
                "recovery too",
                hint="a recovery key is a key apart, put away where none of the others is",
            )
        signing = _read_keys(relay, signers, names, among=members | backups) or members
        if len(signing & members) < threshold:
            raise WrongUsage(
                f"it takes the signatures of {threshold} of its keys, and {len(signing & members)} are to sign",
                hint="leave out --signers, or name more of its keys",
            )
        roles = {key: (Role.ROOT if key in members else Role(0)) | _recovers(key, backups) for key in signing}
        body = Root(
            session.now, _list(roles), 1, tuple(sorted(members)), threshold, tuple(sorted(backups)), name=name.strip()
        )
        if not backups:
            note("No recovery key is named. Should enough of its keys leak, nobody could settle who is who.")
        if threshold == 1 and len(members) > 1:
            note("A single one of these keys can speak for the organisation, and whoever takes one can too.")
        _propose(session, relay, file, body, names, None, as_json=as_json)


@org.command()
@click.argument("file", type=_FILE)
@click.option("--key", metavar="NAME", default="", help="The key to sign with; default: every key here that is asked.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@passphrase_option
@json_option
@pass_session
def sign(session: Session, file: Path, key: str, yes: bool, as_json: bool) -> None:
    """Say what FILE proposes, and sign it.

    The last one to sign makes the carry file of it, beside FILE, which every relay takes in with `meshrelay import`.
    """
    one = _read(file)
    with session.relay() as relay:
        held = _organisation(relay, one)
        teller = _teller(session, relay, one.names)
        own = {public: name for public, name in relay.trust.own.items() if not key or name == key}
        if key and not own:
            raise NotFound(f"no key called {key!r} is here", hint="see `meshrelay key list`")
        names = ""
        mine = {public: own[public] for public in one.missing if public in own}
        if one.missing and not mine:
            have = any(signer.key in own and signer.key not in one.missing for signer in one.signers)
            what = "the keys here have signed it before" if have else "no key here is asked to sign it"
            raise Refusal(what, hint="missing: " + "; ".join(teller.key(public) for public in one.missing))
        if not as_json:
            _say(teller, one, held)
        if mine:
            for line in charter.doubts(one.body, held, relay, now=session.now, teller=teller):
                note(f"Careful: {line}")
            names = ", ".join(mine.values())
            if not yes:
                confirm("yes", f"Type yes to sign this with {names}", option="--yes")
            keys = []
            for name in mine.values():
                with relay.keyring.signing(name) as signer:
                    keys.append(signer.key)
            one = one.signed_by(keys)
            write_whole(file, _written(teller, one, held))
            _mind_secrets(session, relay, one, mine)
        made = None if one.missing else _finish(session, relay, one, file.with_suffix(carry.SUFFIX))
        if as_json:
            print_json(_document(teller, one, held, file, made))
        elif made is None:
            click.echo(f"Signed with {names}. Missing still: " + "; ".join(teller.key(one) for one in one.missing))
        else:
            click.echo(f"All have signed. {made} is what relays take in: `meshrelay import {made.name}`.")


@org.command()
@click.argument("file", type=_FILE)
@click.argument("key", metavar="KEY")
@_org_option
@click.option("--title", metavar="TEXT", default="", help="What the key is for, such as its place; readers see it.")
@click.option("--days", type=click.IntRange(1, _MOST_DAYS), default=30, show_default=True, help="For how long.")
@click.option("--starts", type=Moment(ahead=True), help="From when on; default: now.")
@click.option("--area", type=_FILE, multiple=True, metavar="FILE", help="Only within the polygons of a GeoJSON file.")
@click.option("--polygon", metavar="'LAT,LON LAT,LON ...'", multiple=True, help="Only within these corners.")
@click.option("--circle", metavar="LAT,LON,KM", multiple=True, help="Only within so many kilometres of a point.")
@click.option("--geocode", metavar="NAME=VALUE", multiple=True, help="Only where a code of the area begins so.")
@click.option("--category", type=Word(Category), multiple=True, help="Only about this; may be repeated.")
@click.option("--severity", type=Word(Severity), help="Nothing graver than this.")
@click.option("--daily", type=click.IntRange(1, 100_000), help="No more bulletins than this a day.")
@click.option(
    "--kind",
    type=click.Choice(["bulletin", "attestation"]),
    multiple=True,
    help="Only bulletins, or only attestations.",
)
@_signers_option
@json_option
@pass_session
def delegate(session: Session, /, file: Path, key: str, as_json: bool, **given: Any) -> None:
    """Propose to lend the organisation's name to KEY, for a time and within bounds.

    Without bounds it may speak about anything. Within one of the places is enough; a bulletin whose area has neither
    shape nor code is within none.
    """
    with session.relay() as relay:
        held = codes.organisation(relay, given["org_"])
        root, root_id = _present(held)
        names = dict[bytes, str]()
        (subject,) = _read_keys(relay, (key,), names)
        if charter.is_ended(subject, held, relay):
            raise Refusal(
                f"the key {digits(subject)} was revoked, and a revocation has no way back",
                hint="its holder makes another one: `meshrelay key new`",
            )
        start = given["starts"] or session.now
        end = start + given["days"] * DAY
        body = Delegation(
            session.now,
            _list(dict.fromkeys(_roots(relay, root, given["signers"], names), Role.ROOT)),
            subject,
            held.id,
            root_id,
            root.threshold,
            max(start if given["starts"] else start - _CLOCKS_DIFFER, end - MAX_LENT),
            end,
            _scope(given),
            given["title"].strip(),
        )
        for line in charter.lapsing(held, now=session.now, teller=_teller(session, relay, names)):
            note(line)
        _propose(session, relay, file, body, names, held, as_json=as_json)


@org.command()
@click.argument("file", type=_FILE)
@click.argument("key", metavar="KEY")
@_org_option
@click.option("--good", metavar="ID", multiple=True, help="A bulletin of the key that stays good; may be repeated.")
@click.option("--keep-published", is_flag=True, help="All that it said, is held here and believed stays good.")
@_signers_option
@json_option
@pass_session
def revoke(
    session: Session,
    file: Path,
    key: str,
    org_: str,
    good: tuple[str, ...],
    keep_published: bool,
    signers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Propose to end KEY: what it signed in the organisation's name counts no longer, whenever it was signed.

    There is no way back. Enough keys of the organisation sign, or one recovery key alone, if --signers names it. When a
    key was stolen, what stays good is to be what its holder knows as theirs: give each with --good. --keep-published is
    for somebody who leaves in peace.
    """
    with session.relay() as relay:
        held = codes.organisation(relay, org_)
        root, root_id = _present(held, although_disputed=True)
        names = dict[bytes, str]()
        (subject,) = _read_keys(relay, (key,), names, among=held.lent.keys())
        if subject not in held.lent:
            note("This organisation never lent that key its name, as far as is known here.")
        kept = {relay.find(one) for one in good}
        if keep_published:
            kept |= charter.believed(relay, held, subject)
        if len(kept) > MAX_GOOD:
            raise Refusal(
                f"{len(kept)} would stay good, and a revocation lists at most {MAX_GOOD}",
                hint="give those that still matter, each with --good",
            )
        if keep_published and not kept:
            note("Nothing that key said in its name is held here, so nothing stays good.")
        roles = _voices(relay, root, signers, names)
        by_root = any(Role.ROOT in role for role in roles.values())
        body = Revocation(
            session.now,
            subject,
            tuple(sorted(kept)),
            _list(roles),
            held.id,
            root_id,
            root.threshold if by_root else None,
        )
        _propose(session, relay, file, body, names, held, as_json=as_json)


@org.command()
@click.argument("file", type=_FILE)
@_org_option
@click.option("--name", metavar="TEXT", help="What it calls itself from now on; default: as before.")
@click.option("--key", "keys", metavar="KEY", multiple=True, required=True, help="One of the keys from now on.")
@click.option("--threshold", type=click.IntRange(1, 16), help="How many of them it takes; default: as before.")
@click.option("--recovery", metavar="KEY", multiple=True, help="A recovery key from now on; default: as before.")
@click.option("--without-recovery", is_flag=True, help="Let no recovery key sign, though one could.")
@_signers_option
@json_option
@pass_session
def rotate(
    session: Session,
    file: Path,
    org_: str,
    name: str | None,
    keys: tuple[str, ...],
    threshold: int | None,
    recovery: tuple[str, ...],
    without_recovery: bool,
    signers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Propose the organisation's next version: other keys speak for it from now on.

    Enough of the keys so far sign, enough of the new ones, and a recovery key: with its signature nobody who holds old
    keys can make a rival of it. Says which lent keys lapse with it. An organisation that is disputed is settled so too.
    """
    with session.relay() as relay:
        held = codes.organisation(relay, org_)
        last, last_id = charter.last(held, relay)
        names = dict[bytes, str]()
        members = _read_keys(relay, keys, names, among={*last.keys, *last.recovery})
        backups = _read_keys(relay, recovery, names, among=last.recovery) or frozenset(last.recovery)
        threshold = threshold or min(last.threshold, len(members))
        signing = _read_keys(relay, signers, names, among={*last.keys, *last.recovery, *members})
        if not signing:
            signing = members | _recovery_signer(relay, last, without_recovery)
        roles = {
            key: (Role.ROOT if key in members else Role(0))
            | (Role.PREDECESSOR if key in last.keys else Role(0))
            | (Role(0) if without_recovery else _recovers(key, last.recovery))
            for key in signing
        }
        _check_rotation(relay, roles, last, threshold, changes=backups != set(last.recovery), bare=without_recovery)
        teller = _teller(session, relay, names)
        for one in charter.lapsing_with(held, members, threshold):
            note(f"Lapses with it: {teller.key(one)}. Lend it the name anew: `meshrelay org delegate`.")
        note("If a key of the organisation has leaked, lend every key its name anew: retired keys can still end what")
        note("was lent until now.")
        body = Root(
            session.now,
            _list(roles),
            last.number + 1,
            tuple(sorted(members)),
            threshold,
            tuple(sorted(backups)),
            held.id,
            last_id,
            last.threshold,
            last.name if name is None else name.strip(),
        )
        _propose(session, relay, file, body, names, held, as_json=as_json)


@org.command()
@click.argument("file", type=_FILE)
@click.argument("item", metavar="ID")
@_org_option
@_signers_option
@json_option
@pass_session
def branch(session: Session, file: Path, item: str, org_: str, signers: tuple[str, ...], as_json: bool) -> None:
    """Propose which of several items counts that exclude each other.

    ID is the one that counts: a bulletin in the organisation's name that shares its number with another, or one of
    rival roots, which a recovery key has to settle.
    """
    with session.relay() as relay:
        held = codes.organisation(relay, org_)
        names = dict[bytes, str]()
        chosen = relay.find(item)
        if chosen in held.rivals:
            root, root_id = charter.last(held, relay)
            rivals = tuple(sorted(held.rivals - {chosen}))
            signing = _read_keys(relay, signers, names, among=root.recovery) or _recovery_signer(relay, root, False)
            if not signing <= set(root.recovery):
                raise Refusal("only recovery keys settle rival roots", hint="name one of them with --signers")
            roles: Mapping[bytes, Role] = dict.fromkeys(signing, Role.RECOVERY)
        else:
            chosen, rivals = codes.forked(relay, item)
            if relay.store.headers([chosen])[chosen].header.org != held.id:
                raise Refusal("it does not name this organisation", hint="its key can choose: `meshrelay key branch`")
            root, root_id = _present(held)
            roles = _voices(relay, root, signers, names)
        by_root = any(Role.ROOT in role for role in roles.values())
        body = Branch(session.now, chosen, rivals, _list(roles), held.id, root_id, root.threshold if by_root else None)
        _propose(session, relay, file, body, names, held, as_json=as_json)


@org.command()
@click.argument("what", nargs=-1, metavar="[ORG|FILE]")
@click.option("--qr", is_flag=True, help="Print a code to scan as well, which says the same as the digits.")
@json_option
@pass_session
def show(session: Session, what: tuple[str, ...], qr: bool, as_json: bool) -> None:
    """Show an organisation: its digits, who speaks for it, whom it lends its name; or what FILE proposes."""
    text = " ".join(what)
    with session.relay() as relay:
        if codes.as_code(text) is None and text and codes.is_file(text):
            path = Path(text)
            one = _read(path)
            held, teller = _organisation(relay, one), _teller(session, relay, one.names)
            if as_json:
                print_json(_document(teller, one, held, path, None))
            else:
                _say(teller, one, held)
                for line in charter.doubts(one.body, held, relay, now=session.now, teller=teller):
                    note(f"Careful: {line}")
            return
        found = codes.organisation(relay, text)
        teller = _teller(session, relay, {})
        if as_json:
            print_json(charter.document(found, relay, now=session.now, tz=session.words().tz))
            return
        click.echo("\n".join(charter.lines(found, relay, now=session.now, teller=teller)))
        if qr:
            print_code(codes.payload(codes.ORGANISATION, found.id), always=True)
        for line in charter.lapsing(found, now=session.now, teller=teller):
            note(line)


# Proposals


def _propose(
    session: Session,
    relay: Relay,
    file: Path,
    body: Statement,
    names: Mapping[bytes, str],
    held: Organisation | None,
    *,
    as_json: bool,
) -> None:
    """Write the file of what is proposed, and say what it says and who is to sign."""
    if file.exists():
        raise Refusal(f"{file} is there already", hint="choose another name: signatures in it would be lost")
    beside = charter.resting_on(held, relay) if held is not None else ()
    try:
        one = Proposal.of(body, names=names, beside=beside)
    except ValueError as error:
        raise Refusal(str(error), hint="change that and propose it again") from error
    teller = _teller(session, relay, names)
    write_whole(file, _written(teller, one, held))
    if as_json:
        print_json(_document(teller, one, held, file, None))
        return
    _say(teller, one, held)
    click.echo(f"{file}: take it to each of them, for `meshrelay org sign {file.name}`.")


def _read(file: Path) -> Proposal:
    with file.open("rb") as source:
        data = source.read(proposal.MAX_FILE + 1)
    try:
        return proposal.read(data)
    except InvalidDocument as error:
        raise Refusal(f"{file}: {error}", hint="give a file made by `meshrelay org`, or ask for it anew") from error


def _finish(session: Session, relay: Relay, one: Proposal, path: Path) -> Path:
    """Write the carry file of what all have signed, and take it in here as well."""
    try:
        item = one.whole()
    except ValueError as error:
        raise Refusal(str(error), hint="propose it again") from error
    datas = [beside.data for beside in one.beside] + [item.data]
    with whole(path) as target:
        carry.write(target, datas)
    for answer in relay.receive_many(datas, now=session.now):
        if isinstance(answer, Exception) or answer.outcome is Outcome.DECLINED:
            note(f"It was not taken in here; the file is whole all the same: {path}")
            break
    return path


def _written(teller: Teller, one: Proposal, held: Organisation | None) -> bytes:
    # What keys are called in one folder is for that folder.
    teller = Teller(teller.voice, lambda _: "", one.names)
    says = teller.statement(one.body, item=one.id, held=held)
    return proposal.write(one, says=says, missing=[teller.key(key) for key in one.missing])


def _say(teller: Teller, one: Proposal, held: Organisation | None) -> None:
    click.echo("\n".join(teller.statement(one.body, item=one.id, held=held)))
    click.echo("To be signed by:")
    for line in teller.signers(one.signers, one.signatures):
        click.echo(f"  {line}")


def _document(
    teller: Teller, one: Proposal, held: Organisation | None, file: Path, made: Path | None
) -> dict[str, Any]:
    return {
        "file": str(file),
        "id": one.id.hex(),
        "organisation": one.org.hex(),
        "kind": str(_KINDS[type(one.body)]),
        "says": teller.statement(one.body, item=one.id, held=held),
        "signers": [
            {
                **codes.named(signer.key),
                "name": teller.petname(signer.key) or one.names.get(signer.key, ""),
                "roles": [role.name.lower() for role in Role if role in signer.roles and role.name],
                "signed": signer.key in one.signatures,
            }
            for signer in one.signers
        ],
        "missing": [key.hex() for key in one.missing],
        "carry": str(made) if made is not None else None,
    }


_KINDS: Final = {
    Root: Kind.ROOT,
    Delegation: Kind.DELEGATION,
    Revocation: Kind.REVOCATION,
    Branch: Kind.BRANCH,
}


def _teller(session: Session, relay: Relay, names: Mapping[bytes, str]) -> Teller:
    def title(item: bytes) -> str:
        data = relay.store.get_many([item]).get(item)
        body = reopen(data).body if data is not None else None
        if isinstance(body, Attestation):
            return f"{body.says}: {body.target.hex()[:10]}"
        return body.texts[0].headline if isinstance(body, Bulletin) and body.texts else ""

    return Teller(session.words(), relay.trust.petname, names, title)


def _organisation(relay: Relay, one: Proposal) -> Organisation | None:
    """Return what is known of a proposal's organisation, by what is held here and what came with the file."""
    coming: Sequence[SignedItem] = one.beside
    return belief.organisation(relay.store, one.org, relay.local.followed(), coming=coming)


# Who signs


def _read_keys(
    relay: Relay, texts: Iterable[str], names: dict[bytes, str], *, among: Collection[bytes] = ()
) -> frozenset[bytes]:
    """Return the keys that were given, and note down what they are called."""
    found = set[bytes]()
    for text in texts:
        key, name = codes.public_key(relay, text, among=among)
        if key in found:
            raise WrongUsage(f"the key {digits(key)} is given twice", hint="give each key once")
        found.add(key)
        if name and name.isprintable() and len(name) <= proposal.MAX_NAME:
            names[key] = name
    return frozenset(found)


def _present(held: Organisation, *, although_disputed: bool = False) -> tuple[Root, bytes]:
    root = held.root
    if held.disputed and not (although_disputed and root is not None):
        raise Refusal(
            "this organisation is disputed: its roots exclude each other, and nothing in its name counts",
            hint="settle that first, with `meshrelay org branch` or `org rotate` and a recovery key",
        )
    if root is None:
        raise NotFound("the root of this organisation is not held here", hint="import its carry file")
    return root, held.roots[-1].id


def _roots(relay: Relay, root: Root, signers: tuple[str, ...], names: dict[bytes, str]) -> frozenset[bytes]:
    """Return which keys of the organisation are to sign."""
    given = _read_keys(relay, signers, names, among=root.keys)
    own = frozenset(root.keys) & relay.trust.own.keys()
    chosen = given or (frozenset(root.keys) if root.threshold == len(root.keys) else own)
    if strangers := chosen - set(root.keys):
        raise Refusal(f"{digits(min(strangers))} is no key of the organisation", hint="see `meshrelay org show`")
    if len(chosen) < root.threshold:
        listed = "; ".join(relay.trust.petname(key) or digits(key) for key in root.keys)
        raise WrongUsage(
            f"it takes {root.threshold} of its keys, so say who signs", hint=f"give --signers for each: {listed}"
        )
    return chosen


def _voices(relay: Relay, root: Root, signers: tuple[str, ...], names: dict[bytes, str]) -> dict[bytes, Role]:
    """Return who signs, in which role, where enough keys or one recovery key will do."""
    given = _read_keys(relay, signers, names, among={*root.keys, *root.recovery})
    if given and given <= set(root.recovery):
        return dict.fromkeys(given, Role.RECOVERY)
    backing = given & set(root.recovery)
    roles = dict.fromkeys(_roots(relay, root, () if given == backing else _hexes(given - backing), names), Role.ROOT)
    return roles | dict.fromkeys(backing, Role.RECOVERY)


def _hexes(keys: Iterable[bytes]) -> tuple[str, ...]:
    return tuple(key.hex() for key in sorted(keys))


def _recovery_signer(relay: Relay, root: Root, bare: bool) -> frozenset[bytes]:
    """Return the recovery key that signs where nobody said which: the only one, or the one in this folder."""
    if bare or not root.recovery:
        return frozenset()
    own = frozenset(root.recovery) & relay.trust.own.keys()
    if len(root.recovery) == 1 or own:
        return own or frozenset(root.recovery)
    listed = "; ".join(relay.trust.petname(key) or digits(key) for key in root.recovery)
    raise WrongUsage(
        "say which recovery key signs", hint=f"give all who sign with --signers, one of these too: {listed}"
    )


def _check_rotation(
    relay: Relay, roles: Mapping[bytes, Role], last: Root, threshold: int, *, changes: bool, bare: bool
) -> None:
    """Raise Refusal where a next version signed like this would not follow the last one, or could be rivalled."""

    def count(role: Role) -> int:
        return sum(role in one for one in roles.values())

    if none := [key for key, role in roles.items() if not role]:
        raise Refusal(f"{digits(none[0])} is no key of the organisation, old or new", hint="see `meshrelay org show`")
    for role, needed, what in (
        (Role.PREDECESSOR, last.threshold, "the keys so far"),
        (Role.ROOT, threshold, "the new keys"),
    ):
        if count(role) < needed:
            listed = "; ".join(relay.trust.petname(key) or digits(key) for key in last.keys)
            raise WrongUsage(
                f"it takes {needed} of {what}, and {count(role)} are to sign",
                hint=f"give all who sign with --signers; the keys so far: {listed}",
            )
    if count(Role.RECOVERY):
        return
    if changes:
        raise Refusal("only with a recovery key's signature do the recovery keys change", hint="add it to --signers")
    if last.recovery and not bare:
        raise Refusal(
            "no recovery key is to sign, so whoever holds enough of the old keys could make a rival",
            hint="add one to --signers, or accept that with --without-recovery",
        )


def _recovers(key: bytes, recovery: Collection[bytes]) -> Role:
    return Role.RECOVERY if key in recovery else Role(0)


def _list(roles: Mapping[bytes, Role]) -> tuple[Signer, ...]:
    return tuple(Signer(key, roles[key]) for key in sorted(roles))


def _scope(given: Mapping[str, Any]) -> Scope:
    try:
        outlines = [one for file in given["area"] for one in geojson.polygons(file.read_bytes())]
        return Scope(
            polygons=(*outlines, *map(read_polygon, given["polygon"])),
            circles=tuple(map(read_circle, given["circle"])),
            geocodes=tuple(map(read_pair, given["geocode"])),
            categories=tuple(sorted(set(given["category"]))),
            kinds=tuple(sorted(set(given["kind"]))),
            severity=given["severity"],
            daily=given["daily"],
        )
    except InvalidDocument as error:
        raise Refusal(str(error), hint="give a GeoJSON file of polygons without holes") from error
    except ValueError as error:
        raise WrongUsage(str(error), hint="see `meshrelay org delegate --help` for the form of every value") from error


def _mind_secrets(session: Session, relay: Relay, one: Proposal, mine: Mapping[bytes, str]) -> None:
    """Say where a key of an organisation lies as it should not."""
    if folder.running(session.data) is not None:
        note("A relay runs on this folder, and the organisation's key lies in it. Whoever takes this computer has it:")
        note("move it to a stick with `meshrelay key export` and `key import --data STICK`, and wipe it here.")
    for name in mine.values():
        if not relay.keyring.get(name).protected:
            note(f"The key {name} has no passphrase: whoever finds its stick can sign. See `meshrelay key passphrase`.")
