"""The sentences: what this relay tells a person about bulletins, times and itself, in one language.

`Voice` holds what every sentence needs (language, zone, now); its methods take values and return sentences.
Nothing here reads a clock, a file (but the catalogues, once) or a setting.

Not here: who is behind a bulletin and whether it holds (verdicts.py, which makes `Words` of this).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.units import format_unit

from meshrelay.core.bulletin import (
    DEFAULT_EVENT,
    Area,
    Bulletin,
    Category,
    Certainty,
    MsgType,
    OriginKind,
    Response,
    Severity,
    Text,
    Urgency,
    in_order,
)
from meshrelay.core.lint import Finding
from meshrelay.core.trust import How
from meshrelay.words import terms, times
from meshrelay.words.catalogue import catalogue, mark
from meshrelay.words.labels import LABELS
from meshrelay.words.languages import own_name, pick
from meshrelay.words.said import Part, Said, Sort, fill, name, plain

_BABEL: Final = {"en": "en_GB"}
_MAX_NAME = 80
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs, as Unicode has it, that are drawn as nothing."""
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: `language` is one that pages are written in, `texts` the order in which texts are tried.

    `now` is unix seconds; `tz` is the zone in which times are said, a fixed offset will do.
    """

    language: str
    tz: tzinfo
    now: int
    texts: tuple[str, ...] = ("en",)

    # Labels, numbers, terms

    def __getitem__(self, key: str) -> str:
        """Return the label with this key; KeyError when there is none."""
        return self._say(LABELS[key])

    def number(self, value: int) -> str:
        """Return a whole number in the digits of the language."""
        return times.digits(str(value), self.locale)

    @property
    def locale(self) -> Locale:
        """The rules by which dates and numbers are written."""
        return _locale(self.language)

    def lead(self, key: str) -> str:
        """Return the label with this key as a short sentence that text follows: "What to do."."""
        return str(self._fill(mark("{label}."), label=self[key]))

    def severity(self, severity: Severity) -> str:
        """Return CAP's word for a severity."""
        return self._say(terms.SEVERITY[severity])

    def severity_meaning(self, severity: Severity) -> str:
        """Return CAP's word for a severity, with what it asks for."""
        return self._say(terms.SEVERITY_WITH_GLOSS[severity])

    def urgency(self, urgency: Urgency) -> str | None:
        """Return when to act, or None where the author did not say."""
        return self._say_or_none(terms.URGENCY.get(urgency))

    def certainty(self, certainty: Certainty) -> str | None:
        """Return how sure the author is, or None where the author did not say."""
        return self._say_or_none(terms.CERTAINTY.get(certainty))

    def category(self, category: Category) -> str:
        """Return what a bulletin is about."""
        return self._say(terms.CATEGORY[category])

    def response(self, response: Response) -> str:
        """Return what people should do, in two or three words."""
        return self._say(terms.RESPONSE[response])

    # Times

    def time(self, moment: int) -> Part:
        """Return the hour, "14:06"."""
        return Part(times.hour(moment, self.tz, self.locale), Sort.TIME, at=moment)

    def date(self, moment: int) -> Part:
        """Return the date, "14 March", as a moment of its own."""
        return Part(times.day(moment, self.tz, self.locale, now=self.now), Sort.TIME, at=moment)

    def moment(self, moment: int) -> Said:
        """Return the hour, with the date before it where that is not today's."""
        if times.days_apart(moment, self.tz, now=self.now) == 0:
            return Said((self.time(moment),))
        return self._fill(mark("{date}, {time}"), date=self.date(moment), time=self.time(moment))

    def ago(self, moment: int) -> str:
        """Return how long ago a moment was, "41 min ago"; a moment to come is "just now"."""
        count, unit = times.span(self.now - moment)
        return self._filled(self._ago_form(unit, count), count) if count else self._say(mark("just now"))

    def ago_forms(self, unit: str) -> str:
        """Return how "41 min ago" is said for each number of a unit (minute, hour, day); see :func:`_forms`."""
        return _forms([self._ago_form(unit, count) for count in range(61)])

    def fresh_forms(self) -> str:
        """Return how "3 new, show" is said for each number up to 99, as :func:`_forms` writes it."""
        return _forms([self._fresh_form(count) for count in range(100)])

    @property
    def own_digits(self) -> str:
        """The ten digits of the language where they are not 0 to 9, else nothing."""
        written = times.digits("0123456789", self.locale)
        return "" if written.isascii() else written

    def issued(self, moment: int) -> Said:
        """Return when something was signed: "41 min ago, at 13:25"."""
        if moment > self.now:
            return self.moment(moment)
        if self.now - moment < _DAY:
            return self._fill(mark("{ago}, at {time}"), ago=self._ago(moment), time=self.time(moment))
        return self._fill(
            mark("{ago}, on {date} at {time}"), ago=self._ago(moment), date=self.date(moment), time=self.time(moment)
        )

    def received(self, moment: int, *, written_here: bool) -> Said:
        """Return when something arrived: "here 12 min ago", "written here"."""
        if written_here:
            return self._fill(mark("written here"))
        return self._fill(mark("here {ago}"), ago=self._ago(moment))

    def until(self, moment: int) -> Said:
        """Return an end with its offset: "until 20:00 today, UTC+5"."""
        match times.days_apart(moment, self.tz, now=self.now):
            case 0:
                template = mark("until {time} today, {offset}")
            case 1:
                template = mark("until {time} tomorrow, {offset}")
            case _:
                template = mark("until {date}, {time}, {offset}")
        return self._fill(template, time=self.time(moment), date=self.date(moment), offset=self._offset(moment))

    def starting(self, moment: int) -> Said:
        """Return a beginning that is still to come: "from 18:00"."""
        return self._fill(mark("from {when}"), when=self.moment(moment))

    def valid(self, bulletin: Bulletin) -> Said | None:
        """Return from when (if that is to come) until when a bulletin holds; None for a withdrawal."""
        if bulletin.msg_type is MsgType.CANCEL:
            return None
        if bulletin.origin.kind is OriginKind.CAP and bulletin.origin.expires and bulletin.expires == bulletin.sent + 1:
            return self._fill(mark("ended before it came here: {when}"), when=bulletin.origin.expires)
        end = self.until(bulletin.expires)
        if bulletin.expires <= self.now:
            when = self.moment(bulletin.expires)
            end = self._fill(mark("ended {ago}: {when}"), ago=self._ago(bulletin.expires), when=when)
        effective = bulletin.effective or bulletin.sent
        start = effective if effective > self.now else bulletin.onset or effective
        said = self.starting(start) + end if self.now < start < bulletin.expires else end
        if bulletin.expires_assumed:
            said = self._fill(mark("{when} (no end was given, one day was assumed)"), when=said)
        return said

    # A bulletin

    def text_of(self, bulletin: Bulletin) -> Text | None:
        """Return the text to show, by the order of `texts`; None for a withdrawal without words."""
        if not bulletin.texts:
            return None
        tag = pick([text.language for text in in_order(bulletin)], self.texts)
        return next(text for text in bulletin.texts if text.language == tag)

    def title_of(self, bulletin: Bulletin) -> Part:
        """Return the headline to show, or the event where there is none."""
        text = self.text_of(bulletin)
        title = text and (visible(text.headline) or visible(text.event))
        if text is None or not title:
            return Part(self["no-text"])
        return Part(title, Sort.TITLE, language=text.language)

    def event(self, text: Text) -> Part | None:
        """Return what kind of event it is, or None where the author named none."""
        return None if text.event == DEFAULT_EVENT else Part(text.event, language=text.language)

    def fallback_note(self, bulletin: Bulletin) -> Said | None:
        """Return why the text is in another language than the reader's first, or None when it is not."""
        text = self.text_of(bulletin)
        wish = self.texts[0]
        if text is None or _same_language(text.language, wish):
            return None
        shown = Part(own_name(text.language), language=text.language)
        return self._fill(
            mark("In {shown}, because there is no text in {wanted}."),
            shown=shown,
            wanted=Part(own_name(wish), language=wish),
        )

    def places(self, bulletin: Bulletin) -> tuple[Part, ...]:
        """Return the places in words, each in the language that fits best, the writer's where none does."""
        written = tuple(text.language for text in in_order(bulletin))
        return tuple(self.place(area, written=written) for area in bulletin.areas)

    def place(self, area: Area, *, written: tuple[str, ...] = ()) -> Part:
        """Return one place in words; where no language fits, in the first of those `written` in that it has."""
        names = [tag for tag, _ in area.names]
        tag = pick([*(tag for tag in written if tag in names), *names], self.texts)
        return Part(dict(area.names)[tag], language=tag)

    def key(self, author: bytes) -> Said:
        """Return what a sender goes by whom nobody here knows: the beginning of the key."""
        return self._fill(mark("key {key}"), key=key_code(author))

    def key_line(self, digits: str) -> Said:
        """Return the digits of a key that people compare."""
        return self._fill(mark("The digits of the key: {digits}"), digits=Part(digits, Sort.CODE))

    def code_line(self, item: bytes) -> Said:
        """Return the first half of an id, as people read it out."""
        return self._fill(mark("Bulletin {id}."), id=Part(grouped(item[:8]), Sort.CODE))

    def distance(self, metres: int) -> str:
        """Return a length, "300 m" or "12 km"."""
        length, unit = (metres / 1000, "kilometer") if metres >= 1000 else (metres, "meter")
        return times.digits(format_unit(length, f"length-{unit}", "short", locale=self.locale), self.locale)

    def size(self, count: int) -> str:
        """Return a size in kB, at least 1."""
        return str(self._fill(mark("{n} kB"), n=self.number(max(1, round(count / 1000)))))

    # Counts and the relay itself

    def gone(self, count: int) -> str:
        """Return the summary over bulletins that no longer hold."""
        return str(self._fill(mark("No longer true: {n}"), n=self.number(count)))

    def hidden(self, count: int) -> str:
        """Return how many bulletins the people of this relay do not show."""
        return str(self._fill(mark("Hidden by this relay: {n}"), n=self.number(count)))

    def drilling(self, until: int) -> Said:
        """Return that a drill is under way at this relay."""
        return self._fill(
            mark("A drill is under way at this relay until {when}. Only what is marked as a drill is not real."),
            when=self.moment(until),
        )

    def flaw(self, finding: Finding) -> str:
        """Return what could be better about a bulletin, for whoever writes it."""
        said = self._fill(
            terms.FLAWS[finding.flaw],
            languages=", ".join(own_name(tag) for tag in finding.languages),
            items=", ".join(item.hex()[:10] for item in finding.items),
        )
        return str(said)

    def at_most(self, count: int) -> str:
        """Return how long a text may be."""
        return str(self._fill(mark("At most {n} characters."), n=self.number(count)))

    def place_in_row(self, number: int, count: int) -> str:
        """Return which of several one is, "1 of 4"."""
        return str(self._fill(mark("{n} of {count}"), n=self.number(number), count=self.number(count)))

    def at_most_size(self, size: str) -> str:
        """Return how large a file may be; `size` as :meth:`size` says it."""
        return str(self._fill(mark("At most {size}."), size=size))

    def taken(self, count: int) -> str:
        """Return how many bulletins of a file were new here."""
        return str(self._fill(mark("New here: {n}"), n=self.number(count)))

    def taken_known(self, count: int) -> str:
        """Return how many bulletins of a file were here before."""
        return str(self._fill(mark("Here before: {n}"), n=self.number(count)))

    def taken_refused(self, count: int) -> str:
        """Return how many parts of a file were not taken in."""
        return str(self._fill(mark("Not taken in: {n}"), n=self.number(count)))

    def bulletins(self, count: int) -> str:
        """Return "212 bulletins"."""
        return self._count("{n} bulletin", "{n} bulletins", count)

    def found(self, count: int, *, query: str) -> Said:
        """Return how many bulletins a search found."""
        return self._fill(mark("{count} for “{query}”"), count=self.bulletins(count), query=Part(query, Sort.QUOTE))

    def clock(self) -> Said:
        """Return what time it is here, so that people can compare clocks."""
        return self._fill(mark("It is {time} here."), time=self.time(self.now))

    def contact(self, relays: int, *, last: int | None, started: int) -> Said:
        """Return whether this relay is in touch with others: `last` is its last exchange."""
        if relays:
            touch = plain(self._count("In touch with {n} relay.", "In touch with {n} relays.", relays))
        elif last is None:
            return self._fill(mark("Started {ago}, no other relay met yet."), ago=self._ago(started))
        else:
            touch = self._fill(mark("No other relay in reach."))
        return touch if last is None else touch + self._fill(mark("Last exchange {ago}."), ago=self._ago(last))

    def as_of(self, relay: str) -> Said:
        """Return the last line of every page."""
        return self._fill(
            mark("Relay {relay}, as of {time}, {date}, {offset}."),
            relay=name(relay),
            time=self.time(self.now),
            date=self.date(self.now),
            offset=self._offset(self.now),
        )

    def all_at(self, relay: str) -> Said:
        """Return the link back to the list."""
        return self._fill(mark("All bulletins at {relay}"), relay=name(relay))

    def fresh(self, count: int) -> str:
        """Return "3 new, show"."""
        return self._filled(self._fresh_form(count), count)

    def new_since(self, moment: int) -> Said:
        """Return the heading over what has come or changed since, and the link to it."""
        return self._fill(mark("What is new since {when}"), when=self.moment(moment))

    def lost(self) -> Said:
        """Return what a page says of itself once its relay does not answer any more."""
        return self._fill(LABELS["offline"], time=self.time(self.now))

    def tried(self, moment: int | None, what: str) -> Said:
        """Return one attempt of this relay to find others, with its time where that is known."""
        if moment is None:
            return plain(what)
        return self._fill(mark("{when}: {what}"), when=self.moment(moment), what=what)

    def peer(self, relay: str, outcome: str, *, when: int | None) -> Said:
        """Return what came of talking to one other relay; `when` is the last contact."""
        said = self._fill(mark("{name}: {what}."), name=name(relay), what=outcome)
        return said if when is None else said + self._fill(mark("Last exchange {ago}."), ago=self._ago(when))

    def awaited(self, petname: str) -> Said:
        """Return that a sender is trusted of whom nothing has come yet, for the list of known senders."""
        return self._fill(
            mark("{name}: their digits were compared. Nothing signed with that key has come yet."), name=name(petname)
        )

    def met(self, petname: str, *, since: int, how: How, organisation: bool = False) -> Said:
        """Return how a sender became known, a key or an organisation, for the list of known senders."""
        return Said((name(petname), Part(": "), *self.known_by(how, since, organisation=organisation).parts))

    def known_by(self, how: How, since: int, *, organisation: bool) -> Said:
        """Return why a key or an organisation is believed."""
        reasons = terms.ORGANISATION_KNOWN_BY if organisation else terms.KNOWN_BY
        return self._fill(reasons[how], date=self.date(since))

    # Beneath

    def _ago(self, moment: int) -> Part:
        return Part(self.ago(moment), Sort.AGO, at=moment)

    def _ago_form(self, unit: str, count: int) -> str:
        match unit:
            case "minute":
                return self._form("{n} min ago", "{n} min ago", count)
            case "hour":
                return self._form("{n} h ago", "{n} h ago", count)
            case _:
                return self._form("{n} day ago", "{n} days ago", count)

    def _fresh_form(self, count: int) -> str:
        return self._form("{n} new, show", "{n} new, show", count)

    def _offset(self, moment: int) -> Part:
        return Part(times.offset(moment, self.tz), Sort.ZONE, at=moment)

    def _say(self, message: str) -> str:
        return catalogue(self.language).gettext(message)

    def _say_or_none(self, message: str | None) -> str | None:
        return None if message is None else self._say(message)

    def _fill(self, message: str, **fillings: Said | Part | str) -> Said:
        return fill(self._say(message), **fillings)

    def _count(self, one: str, many: str, count: int) -> str:
        return self._filled(self._form(one, many, count), count)

    def _form(self, one: str, many: str, count: int) -> str:
        """Return the sentence for a count, the number itself left open."""
        return catalogue(self.language).ngettext(one, many, count)

    def _filled(self, form: str, count: int) -> str:
        return str(fill(form, n=self.number(count)))


def key_code(author: bytes) -> Part:
    """Return the first digits of a key in hex, enough to tell two unknown senders apart on one page."""
    return Part(grouped(author[:4]), Sort.CODE)


def grouped(data: bytes) -> str:
    """Return bytes in hex, in groups of four."""
    return data.hex(" ", 2)


def shortened(text: str) -> str:
    """Return the first line of what somebody calls themselves, cut at 80 characters."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_NAME else line[: _MAX_NAME - 1] + "…"


def visible(text: str) -> str:
    """Return the text, or nothing when there is no letter, digit or sign in it that a reader could see."""
    return text if any(unicodedata.category(one)[0] in "LNPS" and one not in _BLANK for one in text) else ""


def _forms(said: Sequence[str]) -> str:
    """Return the sentences for 0, 1, 2, ..., for a script: one, or "a|b#010" where they differ.

    Behind the # stands for each number which of the sentences it takes.
    """
    forms = list(dict.fromkeys(said))
    return forms[0] if len(forms) == 1 else f"{'|'.join(forms)}#{''.join(str(forms.index(one)) for one in said)}"


def _same_language(tag: str, wish: str) -> bool:
    return tag.split("-")[0].lower() == wish.split("-")[0].lower()


@lru_cache(maxsize=32)
def _locale(language: str) -> Locale:
    return Locale.parse(_BABEL.get(language, language))
