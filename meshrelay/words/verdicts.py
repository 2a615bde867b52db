"""The sentences on trust: who is behind a bulletin and why they are believed, what others say of it, how it ended.

Law: a sentence never claims more than was checked. A known sender is "believed because ...", never checked or
verified; "confirmed" is for those known here who say that they saw it; what an unknown sender claims is always said to
be a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from meshrelay.core import organisation
from meshrelay.core.bulletin import Bulletin, MsgType, Origin, OriginKind
from meshrelay.core.envelope import Header, SignedItem
from meshrelay.core.statements import Attestation, Branch, Delegation, Fault, Revocation, Root, Says, Successor
from meshrelay.core.trust import Author, Standing, Verdict, Word
from meshrelay.words import terms
from meshrelay.words.catalogue import mark
from meshrelay.words.said import Part, Said, Sort, name
from meshrelay.words.speech import Voice, key_code, shortened, visible

_MOST_NAMES: Final = 3
_RUN_OUT: Final = frozenset({Standing.EXPIRED, Standing.PERHAPS_EXPIRED})
_ATTESTED: Final = {
    Says.CONFIRM: mark("{name} says that they saw it themselves: bulletin {id}."),
    Says.CANNOT_CHECK: mark("{name} says that they could not check it: bulletin {id}."),
}
_ATTESTED_FAULT: Final = {
    Fault.FALSE: mark("{name} says that it is false: bulletin {id}."),
    Fault.OUTDATED: mark("{name} says that it is out of date: bulletin {id}."),
    Fault.MOVED: mark("{name} says that it is somewhere else now: bulletin {id}."),
    Fault.STAGED: mark("{name} says that it was staged: bulletin {id}."),
}


@dataclass(frozen=True, slots=True)
class Words(Voice):
    """A voice that says everything that there is to say."""

    # Who is behind it

    def severity_line(self, verdict: Verdict, bulletin: Bulletin) -> str:
        """Return the head of a card: the severity, with what it asks for while it holds, or whose word it is.

        What it asks for is left out where the sender names another time to act. A withdrawal is said to be one: how
        severe the withdrawn one was asks for nothing any more.
        """
        withdraws = bulletin.msg_type is MsgType.CANCEL
        what = self["cancels"] if withdraws else self.severity(bulletin.severity)
        if not verdict.known:
            template = mark("{who}. Drill: {what}") if verdict.drill else mark("{who}. It says: {what}")
            return str(self._fill(template, who=self._say(terms.NOT_KNOWN[verdict.author]), what=what))
        if withdraws:
            return f"{self.lead('drill')} {what}" if verdict.drill else what
        if verdict.drill:
            return str(self._fill(mark("Drill: practising {what}"), what=what))
        fits = bulletin.urgency in terms.GLOSS_FITS[bulletin.severity]
        return self.severity_meaning(bulletin.severity) if verdict.alarms and fits else what

    def who(self, verdict: Verdict, *, relay: str) -> Part:
        """Return the name a known sender goes by: the operator's name for it, or the relay's for its own keys."""
        if verdict.author is Author.DELEGATED and verdict.organisation is not None:
            return name(verdict.organisation.petname)
        return name(relay if verdict.author is Author.OWN else verdict.petname)

    def why(self, verdict: Verdict, bulletin: Bulletin, author: bytes, *, relay: str) -> Said:
        """Return who says so, and why this relay believes them or does not."""
        return _joined([*self._why(verdict, bulletin, author, relay=relay), self.origin(bulletin)])

    def _why(self, verdict: Verdict, bulletin: Bulletin, author: bytes, *, relay: str) -> list[Said | None]:
        key = key_code(author)
        org = verdict.organisation
        speaks_for = self._membership(verdict, bulletin)
        match verdict.author:
            case Author.OWN:
                these = self._fill(mark("These are the people who run this relay."))
                return [self._says(verdict, relay), these, speaks_for]
            case Author.ANCHORED if verdict.anchor is not None:
                anchor = verdict.anchor
                reason = self.known_by(anchor.how, anchor.since, organisation=False)
                return [self._says(verdict, relay), reason, speaks_for]
            case Author.DELEGATED if org is not None:
                reason = self.known_by(org.how, org.since, organisation=True)
                return [self._says(verdict, relay), speaks_for, reason]
            case Author.BLOCKED if verdict.against not in (None, author):
                message = mark("The people of this relay blocked the organisation that it names, {name}.")
                return [self._fill(message, name=self._organisation(verdict, verdict.against))]
            case Author.BLOCKED:
                return [self._fill(mark("The people of this relay blocked this sender, key {key}."), key=key)]
            case Author.REVOKED if verdict.against not in (None, author):
                message = mark("{name} took its name back from this key, {key}. Do not rely on this.")
                return [self._fill(message, name=self._organisation(verdict, verdict.against), key=key)]
            case Author.REVOKED if verdict.petname:
                message = mark("The key of {name} was withdrawn by its owner. Do not rely on this.")
                return [self._fill(message, name=name(verdict.petname))]
            case Author.REVOKED:
                message = mark("This key, {key}, was withdrawn by its owner. Do not rely on this.")
                return [self._fill(message, key=key)]
            case Author.FORKED if verdict.petname:
                message = mark(
                    "The key of {name} gave two different texts the same number, so it may be in other hands too. "
                    "Do not rely on this until it is said which of them counts."
                )
                return [self._fill(message, name=name(verdict.petname)), speaks_for]
            case Author.FORKED:
                message = mark(
                    "The key {name} gave two different texts the same number, so it may be in other hands too. "
                    "Do not rely on this until it is said which of them counts."
                )
                return [self._fill(message, name=key), speaks_for]
            case Author.UNKNOWN if org is not None:
                # Whoever borrows a name that people here know must not look like just another stranger.
                careful = Part(self._say(mark("Careful")), Sort.STRONG)
                warning = self._fill(
                    mark("{careful}: perhaps somebody pretends to be {name}."), careful=careful, name=name(org.petname)
                )
                return [warning, speaks_for, self._unknown(bulletin, author)]
            case Author.DISPUTED_ORGANISATION | Author.OUTSIDE_REMIT | Author.DELEGATION_ENDED if speaks_for:
                return [speaks_for, self._claim(self._claimed(bulletin))]
            case _:
                return [self._unknown(bulletin, author), speaks_for]

    def _membership(self, verdict: Verdict, bulletin: Bulletin) -> Said | None:
        """Return how it stands to the organisation in whose name it speaks, or None where it names none."""
        stands, org = verdict.membership, verdict.organisation
        if bulletin.org is None:
            return None
        if stands is None or org is None:
            return self._fill(mark("It names an organisation that nobody here knows, {id}."), id=key_code(bulletin.org))
        known_as = name(org.petname)
        match stands.standing:
            case organisation.Standing.DELEGATED if stands.until is not None:
                until, title = self.date(stands.until), shortened(stands.title)
                if not title:
                    return self._fill(mark("The key was lent by {name} until {date}."), name=known_as, date=until)
                message = mark("The key was lent by {name} until {date}: {title}.")
                return self._fill(message, name=known_as, date=until, title=Part(title, Sort.QUOTE))
            case organisation.Standing.ENDED if stands.until is not None:
                message = mark("This was a key of {name} until {date}. It speaks for them no longer.")
                return self._fill(message, name=known_as, date=self.date(stands.until))
            case organisation.Standing.BEYOND if stands.beyond is not None:
                return self._fill(terms.BEYOND[stands.beyond], name=known_as)
            case organisation.Standing.DISPUTED:
                message = mark(
                    "It names {name}. Two sets of keys claim to be them and nothing decides between these. "
                    "Do not rely on this alone."
                )
                return self._fill(message, name=known_as)
            case organisation.Standing.NEVER_LENT:
                return self._fill(mark("It names {name}, but they never lent this key their name."), name=known_as)
            case _:
                return None

    def origin(self, bulletin: Bulletin) -> Said | None:
        """Return whose words were passed on, and whether anybody here checked them; None for the author's own."""
        origin = bulletin.origin
        match origin.kind:
            case OriginKind.CAP | OriginKind.FEED:
                said = self._fill(mark("Relayed from {source}."), source=name(self._source(bulletin, origin)))
            case OriginKind.REPORT:
                said = self._fill(mark("A visitor told them; they passed it on."))
            case _:
                return self._fill(mark("They say that they checked it themselves.")) if origin.checked else None
        if origin.checked:
            return said + self._fill(mark("They say that they checked it themselves."))
        return said + self._fill(mark("They did not check it."))

    def seal(self, verdict: Verdict, header: Header, *, relay: str) -> Said:
        """Return which key signed a bulletin, by the name it has here, when, and what that says."""
        lent = verdict.author is Author.DELEGATED
        return self._fill(
            mark("{name} signed this bulletin: {when}. Not one letter has changed since."),
            name=key_code(header.author) if lent else self._author(verdict, header, relay),
            when=self.moment(header.sent),
        )

    def heard(self, verdict: Verdict, sent: int, *, relay: str) -> Said:
        """Return when the newest thing that is held of a known sender was signed."""
        return self._fill(
            mark("Last heard from {name}: {when}."), name=self.who(verdict, relay=relay), when=self.issued(sent)
        )

    def missing(self, count: int) -> str:
        """Return how many bulletins of a known sender that still held have not come here."""
        return self._count(
            "{n} notice of this sender is missing here.", "{n} notices of this sender are missing here.", count
        )

    # What others say of it

    def attested(self, word: Word, *, relay: str, whole: bool = False) -> Said:
        """Return what somebody known here says of a bulletin, the `whole` of their note or what a card has room for."""
        who, when = self._voice(word, relay), self.moment(word.sent)
        match word.says:
            case Says.CONFIRM:
                said = self._fill(mark("Confirmed by {name}: they saw it themselves ({when})."), name=who, when=when)
            case Says.DISPUTE:
                said = self._fill(terms.DISPUTED_BY[word.fault or Fault.FALSE], name=who, when=when)
            case _:
                said = self._fill(mark("{name} could not check it ({when})."), name=who, when=when)
        return _joined([said, self._reason(word.note, whole=whole)])

    def not_counted(self, count: int) -> str:
        """Return how many others say something of a bulletin, whom nobody here knows."""
        return self._count(
            "{n} unknown sender says something about it too, which is not counted.",
            "{n} unknown senders say something about it too, which is not counted.",
            count,
        )

    def others(self, verdict: Verdict, *, relay: str) -> tuple[Said, ...]:
        """Return everything that others say of a bulletin, disputes first."""
        said = [self.attested(word, relay=relay, whole=True) for word in verdict.words]
        if verdict.unknown_words:
            said.append(Said((Part(self.not_counted(verdict.unknown_words)),)))
        return tuple(said)

    def disputed(self, verdict: Verdict, *, relay: str) -> Said | None:
        """Return in a line that known voices dispute a bulletin, for its card; None where none does."""
        words = verdict.saying(Says.DISPUTE)
        if len(words) == 1:
            return self.attested(words[0], relay=relay)
        return self._fill(mark("Disputed by {names}."), names=self._names(words, relay)) if words else None

    def confirmed(self, verdict: Verdict, *, relay: str) -> Said | None:
        """Return in a line which known voices confirm a bulletin, for its card; None where none does."""
        words = verdict.saying(Says.CONFIRM)
        return self._fill(mark("Confirmed by {names}."), names=self._names(words, relay)) if words else None

    # How it ended

    def copies(self, verdict: Verdict, others: Sequence[tuple[Header, Verdict]], *, relay: str) -> tuple[Said, ...]:
        """Return who else passed the same alert on, and what that says; empty where nobody did.

        `verdict` is that of the bulletin, `others` are those of other keys, made of the same alert. Where theirs no
        longer holds and this one does, that is said: a sender may have missed that the alert was withdrawn.
        """
        found = dict[bytes, tuple[Said, bool]]()
        for header, one in others:
            name_, over = self.who(one, relay=relay), verdict.by == () and bool(one.by)
            if one.known and not found.get(header.author, (None, False))[1]:
                said = self._fill(mark("{name} passed on the same alert too."), name=name_)
                if over:
                    message = mark("{name} passed on the same alert too, and there it no longer holds: {standing}")
                    said = self._fill(message, name=name_, standing=self.standing(one) or "")
                found[header.author] = said, over
        said_of_all = [said for said, _ in found.values()]
        if unknown := len({header.author for header, one in others if not one.known}):
            message = mark("Unknown senders passed on the same alert too: {n}.")
            said_of_all.append(self._fill(message, n=self.number(unknown)))
        if said_of_all:
            message = mark("Whoever passes an alert on updates and withdraws only what they passed on themselves.")
            said_of_all.append(self._fill(message))
        return tuple(said_of_all)

    def standing(self, verdict: Verdict, *, withdraws: bool = False) -> str | None:
        """Return in a word that a bulletin does not hold, or None while it does.

        One that `withdraws` others has no end of its own: what it took back does not hold again.
        """
        if withdraws and verdict.standing in _RUN_OUT:
            return None
        return self._say_or_none(terms.STANDING.get(verdict.standing))

    def ended(
        self, verdict: Verdict, header: Header, *, by: Bulletin | None, relay: str, own_words: bool = False
    ) -> Said | None:
        """Return how a bulletin came to its end: by whom and when, what stands in its place; None while it holds.

        `by` is the newest bulletin that ended it, where that is held, and `own_words` tells whether its headline is its
        own and no repetition: then it is said too.
        """
        if header.msg_type is MsgType.CANCEL and verdict.standing in _RUN_OUT:
            return None
        match verdict.standing:
            case Standing.CANCELLED:
                withdrawn = self._withdrawn(verdict, header, by, relay)
                if by is None:
                    return withdrawn
                title = self.title_of(by)
                headline = self._reason(title.text, language=title.language) if own_words else None
                return _joined([withdrawn, headline, self._reason(by.note)])
            case Standing.SUPERSEDED:
                update = verdict.by[0]
                title = Part("…") if by is None else self.title_of(by)
                link = Part(title.text, Sort.TITLE, id=update.id, language=title.language)
                when = self.moment(update.sent)
                if (org := _colleagues(update, header)) is None:
                    return self._fill(mark("Replaced {when} by {title}"), when=when, title=link)
                message = mark("Replaced by a colleague at {name} ({when}): {title}")
                return self._fill(message, name=self._organisation(verdict, org), when=when, title=link)
            case Standing.EXPIRED if header.expires is not None and header.expires > header.sent + 1:
                # What was past when it came here was signed to end at once; valid() says when it really did.
                return self._fill(mark("It held until {when}."), when=self.moment(header.expires))
            case Standing.PERHAPS_EXPIRED if header.expires is not None:
                return self._fill(
                    mark("It held until {when}; this relay is not sure of the time."), when=self.moment(header.expires)
                )
            case Standing.NOT_YET:
                return self._fill(mark("It is dated later than now: {when}."), when=self.moment(header.sent))
            case _:
                return None

    # What is no bulletin

    def statement(self, item: SignedItem, *, petname: Callable[[bytes], str]) -> Said:
        """Return what a statement says; `petname` gives the name that a key or organisation goes by here, or nothing.

        What it says is not thereby so: whether it counts is decided by what else is held.
        """

        def called(key: bytes) -> Part:
            return name(petname(key)) if petname(key) else key_code(key)

        author = called(item.author)
        match item.body:
            case Root() as body:
                said = self._fill(
                    mark("An organisation, {id}, says who it is: {n} of its {count} keys speak for it together."),
                    id=called(body.org or item.id),
                    n=self.number(body.threshold),
                    count=self.number(len(body.keys)),
                )
                return _joined([said, self._claim(visible(body.name))])
            case Delegation() as body:
                return self._fill(
                    mark("The organisation {id} lends its name to the key {key}, {start} to {end}."),
                    id=called(body.org),
                    key=called(body.subject),
                    start=self.date(body.not_before),
                    end=self.date(body.not_after),
                )
            case Revocation(org=None) as body:
                return self._fill(
                    mark("The key {key} ends itself: what it signed counts no longer."), key=called(body.subject)
                )
            case Revocation(org=bytes() as org) as body:
                return self._fill(
                    mark("The organisation {id} takes its name back from the key {key}."),
                    id=called(org),
                    key=called(body.subject),
                )
            case Successor() as body:
                return self._fill(
                    mark("The key {key} says which one comes after it: {next}. Nobody trusts that one by this alone."),
                    key=author,
                    next=called(body.subject),
                )
            case Branch() as body:
                return self._fill(
                    mark("{name} says which of several items that exclude each other counts: {id}."),
                    name=called(body.org) if body.org else author,
                    id=key_code(body.chosen),
                )
            case Attestation() as body:
                template = _ATTESTED_FAULT[body.fault] if body.fault else _ATTESTED[body.says]
                said = self._fill(template, name=author, id=key_code(body.target))
                return _joined([said, self._reason(body.note, whole=True)])
            case _:
                raise ValueError("a bulletin is no statement")

    # Beneath

    def _says(self, verdict: Verdict, relay: str) -> Said:
        template = mark("{name} practises this.") if verdict.drill else mark("{name} says so.")
        return self._fill(template, name=self.who(verdict, relay=relay))

    def _unknown(self, bulletin: Bulletin, author: bytes) -> Said:
        claimed = self._claimed(bulletin)
        unknown = Part(self._say(mark("Unknown sender")), Sort.STRONG)
        if claimed:
            return self._fill(
                mark("{unknown}, calling itself “{claimed}”, key {key}."),
                unknown=unknown,
                claimed=Part(shortened(claimed), Sort.QUOTE),
                key=key_code(author),
            )
        return self._fill(mark("{unknown}, no name given, key {key}."), unknown=unknown, key=key_code(author))

    def _claimed(self, bulletin: Bulletin) -> str:
        text = self.text_of(bulletin)
        return visible(text.sender_name.strip()) if text is not None else ""

    def _claim(self, claimed: str) -> Said | None:
        quoted = Part(shortened(claimed), Sort.QUOTE)
        return self._fill(mark("It calls itself “{claimed}”."), claimed=quoted) if claimed else None

    def _withdrawn(self, verdict: Verdict, header: Header, by: Bulletin | None, relay: str) -> Said:
        cancel = verdict.by[0]
        when = self.moment(cancel.sent)
        if (org := _colleagues(cancel, header)) is not None:
            message = mark("Withdrawn by a colleague at {name}: {when}.")
            return self._fill(message, name=self._organisation(verdict, org), when=when)
        author = self._author(verdict, header, relay)
        if by is not None and by.origin.identity is not None:
            source = name(self._source(by, by.origin))
            message = mark("Withdrawn by {source}, as {name} passed on: {when}.")
            return self._fill(message, source=source, name=author, when=when)
        return self._fill(mark("Withdrawn by its author, {name}: {when}."), name=author, when=when)

    def _author(self, verdict: Verdict, header: Header, relay: str) -> Part:
        return self.who(verdict, relay=relay) if self.who(verdict, relay=relay).text else key_code(header.author)

    def _organisation(self, verdict: Verdict, org: bytes | None) -> Part:
        """Return the name of the organisation that a bulletin names, or the beginning of its id where none is known."""
        if verdict.organisation is not None and verdict.organisation.key == org:
            return name(verdict.organisation.petname)
        return key_code(org or b"")

    def _voice(self, word: Word, relay: str) -> Part:
        return name(relay if word.own else word.petname)

    def _names(self, words: Sequence[Word], relay: str) -> Said:
        said = Said((self._voice(words[0], relay),))
        for word in words[1:_MOST_NAMES]:
            said = self._fill(mark("{names}, {name}"), names=said, name=self._voice(word, relay))
        if len(words) > _MOST_NAMES:
            said = self._fill(mark("{names} and {n} more"), names=said, n=self.number(len(words) - _MOST_NAMES))
        return said

    def _reason(self, note: str, *, whole: bool = False, language: str | None = None) -> Said | None:
        """Return the reason that somebody gives, in quotes, or None where none is to be seen."""
        quoted = Part(note if whole else shortened(note), Sort.QUOTE, language=language)
        return self._fill(mark("“{reason}”"), reason=quoted) if visible(note) else None

    def _source(self, bulletin: Bulletin, origin: Origin) -> str:
        text = self.text_of(bulletin)
        if text is not None and visible(text.sender_name):
            return shortened(text.sender_name)
        return shortened(bulletin.source or (origin.identity.sender if origin.identity else "")) or "?"


def _colleagues(act: Header, header: Header) -> bytes | None:
    """Return the organisation whose other key acted on a bulletin, or None where its author did."""
    return act.org if act.author != header.author else None


def _joined(sentences: Sequence[Said | None]) -> Said:
    """Return the sentences that are there, with a space between them."""
    first, *rest = [one for one in sentences if one is not None]
    return sum(rest, first)
