"""What a template is given: a bulletin and its verdict as the pieces of a card, already in words.

A template puts pieces in their places and decides nothing; whether something is drawn as an alarm, dashed or double is
decided here, by the verdict alone.

Law: an unknown sender never gets the colour of a severity, and nothing that no longer holds looks as if it did.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from urllib.parse import urlencode

from markupsafe import Markup

from meshrelay.core.bulletin import Bulletin, MsgType, Severity, Text
from meshrelay.core.keys import digits
from meshrelay.core.statements import Says
from meshrelay.core.trust import Author
from meshrelay.listing import LIVE, TAKEN_BACK, Shown
from meshrelay.web.shape import Map, draw
from meshrelay.words import Part, Said, Sort, Words, direction, visible
from meshrelay.words.times import stamp

_ALARMS = {
    Severity.EXTREME: "extreme",
    Severity.SEVERE: "severe",
    Severity.MODERATE: "moderate",
    Severity.MINOR: "minor",
}
_LOOKS_OF_WORDS = {Says.CONFIRM: "", Says.DISPUTE: "square", Says.CANNOT_CHECK: "open"}
_MAX_LIST_TEXT, _MAX_LIST_TITLE, _MAX_LIST_PLACE, _MAX_LIST_PLACES = 700, 200, 120, 6
_LONG_TITLE = 140


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the facts: a label and what stands beside it."""

    label: str
    value: Markup


@dataclass(frozen=True, slots=True)
class Card:
    """One bulletin as a page shows it; `sign`, `badge` and `category` name symbols."""

    id: str
    href: str
    looks: str
    sign: str
    badge: str
    severity: str
    category: str
    category_word: str
    language: str
    direction: str
    title: str
    long: bool
    over: bool
    struck: bool
    """That its headline and what to do hold no longer; what a withdrawal says in words of its own does."""
    standing: str | None
    ended: Markup | None
    fallback: Markup | None
    do_label: str
    do_lead: str
    apart: bool
    instruction: str
    description: str
    facts: tuple[Fact, ...]
    why: Markup
    disputed: Markup | None
    """That people known here say that it is wrong; it belongs to the head of the card."""
    confirmed: Markup | None

    def cut(self, most: int) -> Card:
        """Return the card with what to do in at most so many characters."""
        return replace(self, instruction=_cut(self.instruction, most))


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything known about one bulletin, beyond its card."""

    card: Card
    languages: tuple[str, ...]
    chain: tuple[tuple[str, Markup], ...]
    others: tuple[tuple[str, Markup], ...]
    """What others say of it, disputes first, each with the look of its point on the line."""
    news: tuple[Markup, ...]
    """When a known sender was last heard from, and how many of its bulletins are missing here."""
    history: tuple[tuple[str, Markup, Markup], ...]
    resources: tuple[str, ...]
    map: Map | None
    code: Markup
    size: str


@dataclass(frozen=True, slots=True)
class Page:
    """What every card of one page is made with: the voice, the relay's name and how to link to a bulletin."""

    words: Words
    relay: str
    kept: tuple[tuple[str, str], ...] = ()
    """What every link of this page keeps in its query: the language that was chosen, large letters."""

    @property
    def query(self) -> str:
        """The query of a link that keeps what was chosen, or nothing."""
        return self.to("")

    @property
    def big(self) -> bool:
        """Whether large letters were chosen."""
        return ("big", "1") in self.kept

    def to(self, path: str, **more: str) -> str:
        """Return the link to a page here, with what every link keeps and `more`; what is empty is left out."""
        pairs = [(name, value) for name, value in {**dict(self.kept), **more}.items() if value]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def href(self, item: bytes) -> str:
        """Return the link to a bulletin, in the language of this page."""
        return self.to(f"/b/{item.hex()}")

    def html(self, said: Said | Part | str | None) -> Markup | None:
        """Return a sentence with its names, times and titles set apart."""
        if said is None:
            return None
        parts = said.parts if isinstance(said, Said) else (said if isinstance(said, Part) else Part(said),)
        # Every part is escaped by _part, the one place where text becomes markup.
        return Markup("".join([self._part(part) for part in parts]))  # noqa: S704

    def sure(self, said: Said | Part | str) -> Markup:
        """Return a sentence that is there."""
        return self.html(said) or Markup("")

    def _part(self, part: Part) -> str:
        text = _tagged(part, self.words.language)
        match part.sort:
            case Sort.TIME if part.at is not None:
                return f'<time datetime="{stamp(part.at, self.words.tz)}">{text}</time>'
            case Sort.AGO if part.at is not None:
                return f'<time class="ago" datetime="{stamp(part.at, self.words.tz)}">{text}</time>'
            case Sort.ZONE if part.at is not None:
                return f'<bdi class="zone" dir="ltr" data-at="{part.at}">{text}</bdi>'
            case Sort.TITLE if part.id is not None:
                return f'<a href="{html.escape(self.href(part.id))}">{text}</a>'
            case Sort.NAME:
                return f"<b><bdi>{text}</bdi></b>"
            case Sort.CODE:
                return f'<bdi dir="ltr">{text}</bdi>'
            case Sort.QUOTE:
                return f"<bdi>{text}</bdi>"
            case Sort.STRONG:
                return f"<b>{text}</b>"
            case _:
                return text


def card(one: Shown, page: Page, *, whole: bool = False) -> Card:
    """Return a bulletin as a card of a list, or (`whole`) as the card at the head of its own page."""
    words, bulletin, verdict = page.words, one.own.bulletin, one.verdict
    text = words.text_of(bulletin)
    language = text.language if text else words.language
    title = words.title_of(bulletin).text
    taken_back = verdict.standing in TAKEN_BACK or verdict.author is Author.REVOKED
    over = one.withdraws or taken_back or verdict.standing not in LIVE
    struck = taken_back or (not one.own.words if one.withdraws else over)
    looks, sign = _looks(one, over=over)
    grave = bulletin.severity in (Severity.EXTREME, Severity.SEVERE) and verdict.known and not over
    by, in_own_words = (one.end.bulletin, one.end.words) if one.end else (None, False)
    return Card(
        id=one.header.id.hex(),
        href=page.href(one.header.id),
        looks=looks,
        sign=sign,
        badge="ok" if verdict.known else "unknown",
        severity=words.severity_line(verdict, bulletin),
        category=bulletin.categories[0].lower(),
        category_word=words.category(bulletin.categories[0]),
        language=language,
        direction=direction(language),
        title=title if whole else _cut(title, _MAX_LIST_TITLE),
        long=len(title) > _LONG_TITLE,
        over=over,
        struck=struck,
        standing=words.standing(verdict, withdraws=one.withdraws),
        ended=page.html(words.ended(verdict, one.header, by=by, own_words=in_own_words, relay=page.relay)),
        fallback=page.html(words.fallback_note(bulletin)),
        do_label=words["do-drill" if verdict.drill else "do"],
        do_lead=words.lead("do-drill" if verdict.drill else "do"),
        apart=direction(language) != direction(words.language),
        instruction=_instruction(text, whole=whole) if text and (whole or grave) else "",
        description=visible(text.description) if text and whole else "",
        facts=_facts(one, page, text, whole=whole),
        why=page.sure(words.why(verdict, bulletin, one.header.author, relay=page.relay)),
        disputed=page.html(words.disputed(verdict, relay=page.relay)),
        confirmed=page.html(words.confirmed(verdict, relay=page.relay)),
    )


def whole(one: Shown, page: Page, *, before: tuple[Shown, ...] = (), copies: tuple[Shown, ...] = ()) -> Whole:
    """Return everything about a bulletin.

    `before` are the held ones that it acted on, `copies` what other keys made of the alert that it was made of.
    """
    words, bulletin = page.words, one.own.bulletin
    top = card(one, page, whole=True)
    return Whole(
        card=top,
        languages=tuple(text.language for text in bulletin.texts if text.language != top.language),
        chain=_chain(one, page, copies),
        others=_others(one, page),
        news=_news(one, page),
        history=_history(one, page, before),
        resources=tuple(
            " · ".join(filter(None, (resource.description, resource.mime_type, resource.uri)))
            for resource in bulletin.resources
        ),
        map=draw(bulletin.areas, words),
        code=page.sure(words.code_line(one.header.id)),
        size=words.size(one.header.size),
    )


def _looks(one: Shown, *, over: bool) -> tuple[str, str]:
    verdict = one.verdict
    if not verdict.known:
        return "open", "unknown"
    if verdict.drill:
        return "isdrill", "drill"
    alarm = _ALARMS.get(one.own.bulletin.severity)
    if over:
        return "over", alarm or "plain"
    return (alarm, alarm) if alarm and verdict.alarms else ("calm", "plain")


def _facts(one: Shown, page: Page, text: Text | None, *, whole: bool) -> tuple[Fact, ...]:
    words, bulletin, verdict = page.words, one.own.bulletin, one.verdict
    written_here = verdict.author is Author.OWN and one.received == bulletin.sent
    found: list[tuple[str, Sequence[Said | Part | str | None]]] = [
        ("where", words.places(bulletin) if whole else _some(words.places(bulletin))),
        ("valid", [None if verdict.standing in TAKEN_BACK else words.valid(bulletin)]),
        ("issued", [words.issued(bulletin.sent)]),
        ("received", [words.received(one.received, written_here=written_here)]),
    ]
    if whole:
        found += [
            ("response", [words.response(response) for response in bulletin.responses]),
            ("urgency", [words.urgency(bulletin.urgency)]),
            ("certainty", [words.certainty(bulletin.certainty)]),
            ("category", [words.category(category) for category in bulletin.categories]),
            ("audience", [Part(bulletin.audience, Sort.QUOTE)]),
            ("source", [Part(bulletin.source, Sort.QUOTE)]),
            ("note", [Part(bulletin.note, Sort.QUOTE)]),
            ("height", [_height(bulletin)]),
            ("numbers-of-place", [_codes(bulletin)]),
        ]
    if whole and text:
        found += [
            ("event", [words.event(text)]),
            ("sender-name", [Part(text.sender_name, Sort.QUOTE)]),
            ("contact", [Part(text.contact, Sort.QUOTE)]),
            ("web", [Part(text.web, Sort.CODE)]),
        ]
    facts = []
    for label, values in found:
        lines = [page.sure(value) for value in values if value is not None and visible(_plain(value))]
        if lines:
            facts.append(Fact(words[label], Markup("<br>").join(lines)))
    return tuple(facts)


def _plain(value: Said | Part | str) -> str:
    return value.text if isinstance(value, Part) else str(value)


def _chain(one: Shown, page: Page, copies: tuple[Shown, ...]) -> tuple[tuple[str, Markup], ...]:
    """Return who is behind a bulletin, step by step, each with the look of its point on the line."""
    words, header, verdict = page.words, one.header, one.verdict
    look = "" if verdict.known else "open"
    said = [
        words.why(verdict, one.bulletin, header.author, relay=page.relay),
        words.seal(verdict, header, relay=page.relay),
        words.key_line(digits(header.author)),
        *words.copies(verdict, [(copy.header, copy.verdict) for copy in copies], relay=page.relay),
    ]
    return tuple((look, page.sure(sentence)) for sentence in said)


def _news(one: Shown, page: Page) -> tuple[Markup, ...]:
    """Return how far the news of a known sender reaches."""
    if one.news is None:
        return ()
    heard = page.sure(page.words.heard(one.verdict, one.news.heard, relay=page.relay))
    missing = len(one.news.missing)
    return (heard, page.sure(page.words.missing(missing))) if missing else (heard,)


def _others(one: Shown, page: Page) -> tuple[tuple[str, Markup], ...]:
    """Return what others say of a bulletin, disputes first."""
    verdict = one.verdict
    looks = [_LOOKS_OF_WORDS[word.says] for word in verdict.words]
    said = page.words.others(verdict, relay=page.relay)
    return tuple((look, page.sure(sentence)) for look, sentence in zip_longest(looks, said, fillvalue="open"))


def _history(one: Shown, page: Page, before: tuple[Shown, ...]) -> tuple[tuple[str, Markup, Markup], ...]:
    """Return the earlier and later states of a bulletin, newest first: look, time, what it is."""
    words = page.words
    rows: list[tuple[int, str, Markup]] = []
    for item in one.by:
        if isinstance(item.body, Bulletin):
            what = page.sure(Part(words.title_of(item.body).text, Sort.TITLE, id=item.id))
            if item.body.msg_type is MsgType.CANCEL:
                what = Markup("<b>{}</b> ").format(words["cancels"]) + what
            rows.append((item.header.sent, "", what))
    for earlier in before:
        title = words.title_of(earlier.bulletin)
        link = page.sure(Part(title.text, Sort.TITLE, id=earlier.header.id))
        rows.append((earlier.header.sent, "open", link))
    if not rows:
        return ()
    rows.append((one.header.sent, "", Markup("<b>{}</b>").format(words["this-text"])))
    rows.sort(key=lambda row: row[0], reverse=True)
    return tuple((look, page.sure(words.moment(sent)), html) for sent, look, html in rows)


def _tagged(part: Part, page_language: str) -> str:
    """Return the escaped text of a part, with its language and direction where they are not the page's."""
    text = html.escape(part.text)
    if part.language is None or part.language == page_language:
        return text
    return f'<span lang="{html.escape(part.language)}" dir="{direction(part.language)}">{text}</span>'


def _instruction(text: Text, *, whole: bool) -> str:
    return visible(text.instruction if whole else _cut(text.instruction, _MAX_LIST_TEXT))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _some(places: Sequence[Part]) -> list[Part]:
    """Return the first places, none of them long: one bulletin must not push the others off the list."""
    shown = [replace(place, text=_cut(place.text, _MAX_LIST_PLACE)) for place in places[:_MAX_LIST_PLACES]]
    return shown + ([Part("…")] if len(places) > len(shown) else [])


def _height(bulletin: Bulletin) -> str:
    spans = ["–".join(filter(None, (area.altitude, area.ceiling))) for area in bulletin.areas]
    found = [f"{span} ft" for span in spans if span]
    return ", ".join(found)


def _codes(bulletin: Bulletin) -> Part:
    codes = [f"{name}={value}" for area in bulletin.areas for name, value in area.geocodes]
    shown = ", ".join(codes[:12])
    return Part(shown + (" …" if len(codes) > 12 else ""), Sort.CODE)
