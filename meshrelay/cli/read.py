"""list, show, search: what this relay holds and what it makes of it."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence

import click

from meshrelay.cli.frame import Command, json_option, note, print_json, progress
from meshrelay.cli.running import ask
from meshrelay.cli.session import Session, pass_session
from meshrelay.cli.values import Language, Moment
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import digits
from meshrelay.core.statements import signers_of
from meshrelay.core.trust import Author, TrustView
from meshrelay.errors import Refusal
from meshrelay.interop import atom, geojson
from meshrelay.interop.cap_document import cap_document
from meshrelay.interop.document import document, listing, statement
from meshrelay.listing import LIVE, Lane, Query, Shown
from meshrelay.settings import time_zone
from meshrelay.words import Words
from meshrelay.words.times import stamp

_WIDTH = 100
_ID_SHOWN = 10
_MOST = 1000
_BASE = "http://meshrelay.local/"


@click.command(cls=Command, name="list")
@click.option("--all", "everything", is_flag=True, help="Also what has ended, withdrawals, and what is hidden.")
@click.option("--known", is_flag=True, help="Only from senders this relay knows.")
@click.option("--lang", type=Language(), help="Only bulletins written in this language, and say it in it.")
@click.option("--area", metavar="TEXT", default="", help="Only where a place has this in its words.")
@click.option("--since", type=Moment(ahead=False), help="Only what came here since: a time, or 6h, 3d back.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@click.option("--cursor", help="Go on where --json said `next`.")
@click.option("--geojson", "form", flag_value="geojson", help="Print them as a GeoJSON FeatureCollection.")
@click.option("--atom", "form", flag_value="atom", help="Print them as an Atom feed.")
@json_option
@pass_session
def list_(
    session: Session,
    everything: bool,
    known: bool,
    lang: str | None,
    area: str,
    since: int | None,
    limit: int,
    cursor: str | None,
    form: str | None,
    as_json: bool,
) -> None:
    """List bulletins, most pressing first.

    Those of senders that this relay knows come before the others. With --json it is one list, the same document
    as /api/v1/bulletins of a running relay.
    """
    if form and as_json:
        raise click.UsageError("give one of --json, --geojson and --atom")
    words, name = session.words(lang), session.relay_name()
    with session.relay() as relay:

        def query(lane: Lane) -> Query:
            return Query(
                lane=lane,
                standings=frozenset() if everything else LIVE,
                cancels=everything,
                hidden=everything,
                language=lang or "",
                area=area,
                since=since,
                limit=limit,
                after=cursor,
            )

        if as_json or form:
            page = relay.bulletins(query(Lane.KNOWN if known else Lane.ALL), session.clock(relay))
            if form == "geojson":
                print_json(geojson.collection(page.shown, words, relay=name))
            elif form == "atom":
                click.echo(atom.feed(page.shown, words, relay=name, base=_BASE))
            else:
                print_json(listing(page, words, relay=name))
            return
        lanes = {Lane.KNOWN: "known"} if known else {Lane.KNOWN: "known", Lane.UNKNOWN: "unknown"}
        more = shown = False
        for lane, heading in lanes.items():
            page = relay.bulletins(query(lane), session.clock(relay))
            more = more or page.next is not None
            shown = shown or bool(page.shown)
            if page.shown:
                click.secho(f"{words[heading]}\n", bold=True)
            for one in page.shown:
                click.echo("\n".join(card(one, words, relay=name)) + "\n")
        if more:
            chosen = _chosen(session, everything=everything, known=known, lang=lang, area=area, since=since)
            note(f"There are more: {shlex.join(['meshrelay', 'list', *chosen, '--limit', str(min(2 * limit, _MOST))])}")
        if not shown:
            narrow = lang or area or since is not None
            click.echo(words["nothing-fits" if narrow else "known-empty" if known else "nothing"])


@click.command(cls=Command)
@click.argument("item", metavar="ID")
@click.option("--lang", type=Language(), help="Show the text in this language, where there is one.")
@click.option("--cap", "form", flag_value="cap", help="Print it as a CAP 1.2 file.")
@click.option("--geojson", "form", flag_value="geojson", help="Print it as a GeoJSON feature.")
@click.option("--atom", "form", flag_value="atom", help="Print it as an Atom entry.")
@click.option("--raw", "form", flag_value="raw", help="Print the signed bytes as they are.")
@json_option
@pass_session
def show(session: Session, item: str, lang: str | None, form: str | None, as_json: bool) -> None:
    """Show everything about one bulletin.

    Of another item, such as somebody's word on a bulletin, say what it is. ID may be the beginning of one.
    """
    if form and as_json:
        raise click.UsageError("give one of --json, --cap, --geojson, --atom and --raw")
    words, name = session.words(lang), session.relay_name()
    with session.relay() as relay:
        id_ = relay.find(item)
        signed = relay.item(id_)
        if form == "raw":
            click.echo(signed.data, nl=False)
            return
        if not isinstance(signed.body, Bulletin):
            if form:
                raise Refusal("it is no bulletin, and has no such form", hint="leave out the form, or give --json")
            if as_json:
                print_json(statement(signed, words, petname=relay.trust.petname))
            else:
                click.echo("\n".join(_statement(signed, words, relay.trust)))
            return
        one = relay.bulletin(id_, session.clock(relay))
        if form == "cap":
            click.echo(cap_document(relay, one).rstrip(b"\n"))
        elif form == "atom":
            click.echo(atom.entry(one, words, relay=name, base=_BASE))
        elif form == "geojson":
            print_json(geojson.feature(one, words, relay=name, whole=True))
        elif as_json:
            print_json({**document(one, words, relay=name, whole=True), "relays": _relays(session, id_)})
        else:
            others = [(copy.header, copy.verdict) for copy in relay.copies(one, session.clock(relay))]
            copies = [str(said) for said in words.copies(one.verdict, others, relay=name)]
            lines = (*card(one, words, relay=name, whole=True), *_behind(one, words, copies, relay=name))
            click.echo("\n".join(lines))
            if relays := _relays(session, id_):
                click.echo(f"  at least {relays} of the relays that this one has met have it")


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option("--lang", type=Language(), help="Say it in this language.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@json_option
@pass_session
def search(session: Session, text: tuple[str, ...], lang: str | None, limit: int, as_json: bool) -> None:
    """Find bulletins by their words.

    The best match comes first; those that have ended are found too. The beginning of a word is enough.
    """
    words, name, wanted = session.words(lang), session.relay_name(), " ".join(text)
    with session.relay() as relay:
        with progress("made searchable") as shown:
            while done := relay.store.index_backlog(1_000):
                shown.advance(done)
        found = relay.search(wanted, session.clock(relay), limit=limit)
        if as_json:
            bulletins = [document(one, words, relay=name) for one in found]
            print_json({"bulletins": bulletins, "next": None, "as_of": stamp(words.now, words.tz)})
            return
        for one in found:
            click.echo("\n".join(card(one, words, relay=name)) + "\n")
        if not found:
            click.echo(words["no-results"])


def _chosen(
    session: Session, *, everything: bool, known: bool, lang: str | None, area: str, since: int | None
) -> Iterator[str]:
    """Yield the options that choose the same bulletins again."""
    if everything:
        yield "--all"
    if known:
        yield "--known"
    if lang:
        yield from ("--lang", lang)
    if area:
        yield from ("--area", area)
    if since is not None:
        yield from ("--since", stamp(since, time_zone(session.settings().time_zone)))


def card(one: Shown, words: Words, *, relay: str, whole: bool = False) -> Iterator[str]:
    """Yield the lines of one bulletin: what it says, then where, until when, and who says so."""
    bulletin, verdict = one.own.bulletin, one.verdict
    code = one.header.id.hex() if whole else one.header.id.hex()[:_ID_SHOWN]
    standing = words.standing(verdict, withdraws=one.withdraws)
    state = f"  {standing}" if standing else ""
    yield f"{code}  {words.severity_line(verdict, bulletin)}{state}"
    if one.hidden:
        yield from _lines(": ".join(filter(None, (words["hidden"], one.hidden.reason))))
    text = words.text_of(bulletin)
    if note_ := words.fallback_note(bulletin):
        yield from _lines(str(note_))
    yield from _lines(words.title_of(bulletin).text)
    if text and text.instruction:
        label = words["do-drill" if verdict.drill else "do"]
        yield from _lines(f"{label}: {text.instruction}")
    if whole and text and text.description:
        yield from _lines(text.description)
    if places := "; ".join(part.text for part in words.places(bulletin)):
        yield from _lines(f"{words['where']}: {places}")
    here = words.received(one.received, written_here=verdict.author is Author.OWN and one.received == bulletin.sent)
    issued, valid = f"{words['issued']}: {words.issued(bulletin.sent)} ({here})", words.valid(bulletin)
    yield from _lines(f"{issued}; {valid}" if valid else issued)
    by, in_own_words = (one.end.bulletin, one.end.words) if one.end else (None, False)
    ended = words.ended(verdict, one.header, by=by, own_words=in_own_words, relay=relay)
    if ended:
        yield from _lines(str(ended))
    others = words.others(verdict, relay=relay) if whole else ()
    for said in others or (words.disputed(verdict, relay=relay), words.confirmed(verdict, relay=relay)):
        if said:
            yield from _lines(str(said))
    yield from _lines(str(words.why(verdict, bulletin, one.header.author, relay=relay)))


def _relays(session: Session, item: bytes) -> int | None:
    """Return how many other relays have an item, at least, as far as the one that runs here has seen; None without."""
    try:
        found = ask(session.data, f"copies/{item.hex()}")
    except Refusal:
        return None  # it is just starting or stopping, and what is asked for stands in the folder
    return found["relays"] if found is not None else None


def _behind(one: Shown, words: Words, copies: Sequence[str], *, relay: str) -> Iterator[str]:
    """Yield what people want to know of a single bulletin only."""
    bulletin = one.own.bulletin
    yield ""
    for label, value in (
        ("category", ", ".join(words.category(category) for category in bulletin.categories)),
        ("response", ", ".join(words.response(response) for response in bulletin.responses)),
        ("urgency", words.urgency(bulletin.urgency)),
        ("certainty", words.certainty(bulletin.certainty)),
        ("audience", bulletin.audience),
        ("source", bulletin.source),
        ("note", bulletin.note),
    ):
        if value:
            yield from _lines(f"{words[label]}: {value}")
    if text := words.text_of(bulletin):
        event = words.event(text)
        for label, value in (
            ("event", event.text if event else ""),
            ("sender-name", text.sender_name),
            ("contact", text.contact),
        ):
            if value:
                yield from _lines(f"{words[label]}: {value}")
        if text.web:
            yield from _lines(f"{words['web']}: {text.web}")
    for resource in bulletin.resources:
        yield from _lines(f"{words['attached']}: {resource.description} {resource.uri}")
    languages = [text.language for text in bulletin.texts]
    if len(languages) > 1:
        yield from _lines(f"{words['also-written-in']}: {', '.join(languages)}")
    if one.news:
        yield from _lines(str(words.heard(one.verdict, one.news.heard, relay=relay)))
        if one.news.missing:
            yield from _lines(words.missing(len(one.news.missing)))
    yield from _lines(str(words.seal(one.verdict, one.header, relay=relay)))
    yield from _lines(str(words.key_line(digits(one.header.author))))
    for said in copies:
        yield from _lines(said)
    yield from _lines(words["not-right"])


def _lines(text: str) -> Iterator[str]:
    for paragraph in text.splitlines():
        yield from textwrap.wrap(paragraph, _WIDTH, initial_indent="  ", subsequent_indent="  ") or [""]


def _statement(item: SignedItem, words: Words, trust: TrustView) -> Iterator[str]:
    """Yield what a statement says, when it was signed and by which keys."""
    yield f"{item.id.hex()}  {item.header.kind}"
    yield from _lines(str(words.statement(item, petname=trust.petname)))
    yield from _lines(f"{words['issued']}: {words.issued(item.header.sent)}")
    for key in [signer.key for signer in signers_of(item.body)] or [item.author]:
        yield from _lines(str(words.key_line(digits(key))))
