"""What people see of what is held: bulletins with their verdicts, in lists, one by one, and found by their words.

Reads the store and what this relay's people decided; writes nothing, opens no socket and reads no clock. Not here: what
is believed (belief.py), what holds (core.trust), the order (core.order, in the store's columns) and the sentences
(words).

Law: whatever asks for a bulletin for people gets it from here, with its verdict. Source: docs/spec/bulletin.md and
statements.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshrelay import belief
from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import ACTS_FOR, Bulletin, MsgType
from meshrelay.core.clock import AGREEMENT, Clock
from meshrelay.core.envelope import Header, Kind, SignedItem
from meshrelay.core.fields import MAX_TIME, MIN_TIME
from meshrelay.core.trust import Acts, Author, Standing, TrustView, Verdict, is_ended, verdict
from meshrelay.core.withdrawal import Own, own
from meshrelay.errors import NotFound
from meshrelay.local import Hidden, Local
from meshrelay.rows import Held
from meshrelay.store import Store

MOST_SCANNED = 2_000
"""A filtered list looks at no more rows than this before it answers with what it has and a cursor."""
MOST_ACTS: Final = 10_000
"""Nor does any list begin to judge more when it has read so many Updates and Cancels."""
_SCANNED_AT_ONCE: Final = 500
_JUDGED_AT_ONCE: Final = 50
MOST_COPIES: Final = 32
"""How many bulletins that others made of the same CAP message are told of."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One bulletin as people see it; `by` are the items that ended it, Cancels first, then the newest.

    `own` is what it says itself, `end` what the newest of `by` says itself, where that is a bulletin and shown here.
    `news` is how far the news of its sender reaches, where it is a known one that is not of this relay; lists leave it
    out.
    """

    header: Header
    bulletin: Bulletin
    verdict: Verdict
    received: int
    own: Own
    by: tuple[SignedItem, ...] = ()
    end: Own | None = None
    hidden: Hidden | None = None
    news: belief.News | None = None

    @property
    def withdraws(self) -> bool:
        """Whether it is a Cancel: all that it does is to end others."""
        return self.bulletin.msg_type is MsgType.CANCEL

    @property
    def changed(self) -> int:
        """When it last changed for readers: when it arrived, was disputed or confirmed, or its end was signed."""
        return max([self.received, *(act.header.sent for act in self.by), *(one.sent for one in self.verdict.words)])


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of bulletins, and the cursor of the next one, or None at the end."""

    shown: tuple[Shown, ...]
    next: str | None


class Lane(StrEnum):
    """Which senders a list is about."""

    ALL = "all"
    KNOWN = "known"
    UNKNOWN = "unknown"


LIVE = frozenset({Standing.LIVE, Standing.ANNOUNCED, Standing.PERHAPS_EXPIRED})
"""What people are to know now."""
TAKEN_BACK = frozenset({Standing.CANCELLED, Standing.SUPERSEDED})
GONE = TAKEN_BACK | {Standing.EXPIRED}


@dataclass(frozen=True, slots=True)
class Query:
    """What a list asks for.

    `standings` empty means all of them; Cancels are listed only when `cancels` is set, for they end other
    bulletins rather than say something themselves. `since` is a time of arrival here. `hidden` lists what this
    relay's people hide as well.
    """

    lane: Lane = Lane.ALL
    standings: frozenset[Standing] = LIVE
    cancels: bool = False
    hidden: bool = False
    newest_first: bool = False
    language: str = ""
    area: str = ""
    category: str = ""
    since: int | None = None
    limit: int = 50
    after: str | None = None


class Lists:
    """A relay as those see it who only read; `trust` is the view in force."""

    def __init__(self, store: Store, local: Local) -> None:
        self.store = store
        self.local = local
        self.trust = TrustView()
        self.hidden: Mapping[bytes, Hidden] = {}
        """What this relay's people do not show, by id."""

    def bulletins(self, query: Query, clock: Clock) -> Listing:
        """Return bulletins with their verdicts, most pressing first or newest first."""
        trust = self.trust.at(None if clock.doubtful else clock.now)
        known, shown, after, scanned, read = trust.known, list[Shown](), query.after, 0, 0
        while True:
            page = self.store.page(
                order="newest" if query.newest_first else "urgent",
                after=after,
                # As much again each time: a list in which little fits takes few passes.
                limit=min(max(query.limit, scanned), _SCANNED_AT_ONCE, MOST_SCANNED - scanned),
                live_at=clock.now if query.standings == LIVE and not clock.doubtful else None,
                ended_at=clock.now if query.standings and query.standings <= GONE else None,
                acted_on=bool(query.standings) and query.standings <= TAKEN_BACK,
                authors=known if query.lane is Lane.KNOWN else None,
                not_authors=self._in_first_lane(trust) if query.lane is Lane.UNKNOWN else None,
                since=query.since,
                cancels=query.cancels,
            )
            cursors = dict(zip([held.header.id for held in page.rows], page.cursors, strict=True))
            rows = self._candidates(page.rows, query, clock)
            while rows:
                at_once = min(query.limit - len(shown), _JUDGED_AT_ONCE)
                some, rows = rows[:at_once], rows[at_once:]
                widened, acts = self._acting_on(some)
                judged = self._judge(some, acts, widened, clock)
                shown += self._with_acts([(row, one) for row, one in judged if _fits(one, query)])
                read += len(acts.all)
                if len(shown) == query.limit or read >= MOST_ACTS:
                    return Listing(tuple(shown), cursors[some[-1].held.header.id] if rows else page.next)
            after, scanned = page.next, scanned + len(page.rows)
            if after is None or scanned >= MOST_SCANNED:
                return Listing(tuple(shown), after)

    def item(self, item: bytes) -> SignedItem:
        """Return one item of any kind; raise NotFound."""
        data = self.store.get_many([item]).get(item)
        if data is None:
            raise NotFound("this item is no longer here", hint="see `meshrelay list --all`")
        return reopen(data)

    def bulletin(self, item: bytes, clock: Clock) -> Shown:
        """Return one bulletin; raise NotFound."""
        held = self.store.headers([item]).get(item)
        data = self.store.get_many([item]).get(item)
        if held is None or data is None or held.header.kind is not Kind.BULLETIN:
            raise NotFound("this bulletin is not here", hint="see `meshrelay list --all`")
        (one,) = self._shown([(held, data)], clock)
        if not one.verdict.known or one.verdict.author is Author.OWN:
            return one
        return dataclasses.replace(one, news=belief.news(self.store, self.trust, one.header))

    def public(self, item: bytes, clock: Clock) -> Shown:
        """Return one bulletin for anybody who asks; raise NotFound, for a hidden one too."""
        one = self.bulletin(item, clock)
        if one.hidden:
            raise NotFound("this bulletin is not shown here", hint="another relay may show it")
        return one

    def named(self, act: Shown) -> tuple[bytes, ...]:
        """Return what a bulletin acts on: the ids it names, and those made of the last eight CAP messages it names."""
        return self._named(act.header.author, act.bulletin)

    def _named(self, author: bytes, act: Bulletin) -> tuple[bytes, ...]:
        found = list(act.references)
        for reference in reversed(act.origin.references[-8:]):
            held = self.store.imported_from(reference.token, authors=[author], limit=MOST_COPIES)
            found += [one.header.id for one in held]
        return tuple(found)

    def _own(self, acts: Mapping[bytes, tuple[bytes, Bulletin]]) -> dict[bytes, Own]:
        """Return what bulletins (author and body by id) say themselves."""
        named = {
            id_: self._named(author, body) for id_, (author, body) in acts.items() if body.msg_type is MsgType.CANCEL
        }
        datas = self.store.get_many({target for targets in named.values() for target in targets}) if named else {}
        held = {id_: body for id_, data in datas.items() if isinstance(body := reopen(data).body, Bulletin)}
        return {
            id_: own(body, [held[target] for target in named.get(id_, ()) if target in held])
            for id_, (_, body) in acts.items()
        }

    def copies(self, one: Shown, clock: Clock) -> tuple[Shown, ...]:
        """Return what other keys made of the CAP message that a bulletin was made of, known senders' first.

        All of known senders, and some of others; what is hidden here is left out.
        """
        alias, author = one.header.alias, one.header.author
        if alias is None:
            return ()
        known = self.trust.known - {author}
        held = list(self.store.imported_from(alias, authors=known, limit=MOST_COPIES)) if known else []
        held += self.store.imported_from(alias, not_authors=known | self.trust.blocked | {author}, limit=MOST_COPIES)
        rows = [other for other in held if other.header.id not in self.hidden]
        datas = self.store.get_many([other.header.id for other in rows])
        return self._shown([(other, datas[other.header.id]) for other in rows if other.header.id in datas], clock)

    def incident(self, draft: Bulletin, clock: Clock) -> tuple[Shown, ...]:
        """Return the own bulletins that hold now and name an incident that `draft` names."""
        wanted, found, after = set(draft.incidents.split()), list[Shown](), None
        while wanted:
            page = self.store.page(
                order="newest", after=after, limit=100, live_at=clock.now, authors=self.trust.own.keys(), cancels=False
            )
            datas = self.store.get_many([held.header.id for held in page.rows])
            judged = self._shown(
                [(held, datas[held.header.id]) for held in page.rows if held.header.id in datas], clock
            )
            found += [
                one for one in judged if one.verdict.standing in LIVE and wanted & set(one.bulletin.incidents.split())
            ]
            after = page.next
            if after is None:
                break
        return tuple(found)

    def search(self, text: str, clock: Clock, *, limit: int = 50) -> tuple[Shown, ...]:
        """Return bulletins with these words, best match first, ended ones included."""
        ids = [item for item in self.store.search(text, limit=limit) if item not in self.hidden]
        held, datas = self.store.headers(ids), self.store.get_many(ids)
        return self._shown([(held[item], datas[item]) for item in ids if item in held and item in datas], clock)

    def find(self, prefix: str) -> bytes:
        """Return the id that begins with these hex digits; raise NotFound when there is none or more than one."""
        found = self.store.find_prefix(prefix.lower()) if prefix else ()
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound(f"several ids begin with {prefix}", hint="give more of its digits")
        raise NotFound(f"no item here begins with {prefix or 'nothing'}", hint="see `meshrelay list --all`")

    def _widened(self, trust: TrustView, headers: Sequence[Header]) -> TrustView:
        return belief.widened(trust, self.store, headers, followed=self.local.followed())

    def _in_first_lane(self, trust: TrustView) -> frozenset[bytes]:
        """Return keys none of whose bulletins stands in the second lane."""
        known = frozenset(trust.own.keys() | trust.anchors.keys()) - trust.blocked - trust.revoked.keys()
        return self.store.plain(known)

    def _candidates(self, held: Sequence[Held], query: Query, clock: Clock) -> list[belief.Row]:
        """Return the bulletins that a list may show, as far as that can be told without judging them."""
        wanted = [one for one in held if query.hidden or one.header.id not in self.hidden]
        if query.standings and query.standings.isdisjoint(TAKEN_BACK):
            wanted = self._not_taken_back(wanted, clock)
        datas = self.store.get_many([one.header.id for one in wanted])
        return [
            row for row in _opened([(one, datas.get(one.header.id)) for one in wanted]) if _tells(row.bulletin, query)
        ]

    def _not_taken_back(self, held: Sequence[Held], clock: Clock) -> list[Held]:
        """Leave out what one act of its own author is enough to end."""
        ids = [one.header.id for one in held]
        since, until = (MIN_TIME, MAX_TIME) if clock.doubtful else (clock.now - ACTS_FOR + 1, clock.now + AGREEMENT)
        acts = [one.header for one in self.store.first_acting_on(ids, since=since, until=until)]
        trust = self._widened(self.trust, acts)
        found = Acts.of(acts)
        return [one for one in held if not is_ended(one.header, found, trust, clock)]

    def _shown(self, rows: Sequence[tuple[Held, bytes]], clock: Clock) -> tuple[Shown, ...]:
        opened = _opened(rows)
        trust, acts = self._acting_on(opened)
        return self._with_acts(self._judge(opened, acts, trust, clock))

    def _acting_on(self, rows: Sequence[belief.Row]) -> tuple[TrustView, Acts]:
        """Return what acts on these bulletins, and the view with all who have a say in it."""
        found, followed = dict[bytes, Header](), self.local.followed()
        passed, colleagues = set[bytes | None](), frozenset[bytes]()
        asked = [row.held.header for row in rows]
        trust = belief.widened(self.trust, self.store, asked, followed=followed)
        while asked:
            passed |= {one.org for one in asked}
            colleagues |= belief.colleagues(trust, asked)
            acting = self.store.acting_on([one.id for one in asked], colleagues=colleagues)
            new = [one.header for one in acting if one.header.id not in found]
            found |= {act.id: act for act in new}
            trust = belief.widened(trust, self.store, new, followed=followed)
            # What an act names that nothing before it did: its colleagues there may act on it in turn.
            asked = [act for act in new if act.org in trust.organisations and act.org not in passed]
        return trust, Acts.of(found.values())

    def _judge(
        self, opened: Sequence[belief.Row], acts: Acts, trust: TrustView, clock: Clock
    ) -> list[tuple[belief.Row, Verdict]]:
        attested = belief.attestations(self.store, trust, [row.held.header.id for row in opened])
        words = [item.header for items in attested.values() for item in items]
        trust = self._widened(trust, words)
        around = belief.surroundings(self.store, trust, opened, acts, attested)
        judged = []
        for row in opened:
            one = verdict(row.held.header, acts, trust, clock, around[row.held.header.id])
            effective = row.bulletin.effective
            if one.standing is Standing.LIVE and effective is not None and effective > clock.now:
                one = dataclasses.replace(one, standing=Standing.ANNOUNCED)
            judged.append((row, one))
        return judged

    def _with_acts(self, judged: Sequence[tuple[belief.Row, Verdict]]) -> tuple[Shown, ...]:
        """Return bulletins as people see them, with what ended them, each act read once."""
        ended_by = {act.id for _, one in judged for act in one.by} - self.hidden.keys()
        enders = {item: reopen(data) for item, data in self.store.get_many(ended_by).items()}
        says = self._own(
            {row.held.header.id: (row.held.header.author, row.bulletin) for row, _ in judged}
            | {item: (ender.author, ender.body) for item, ender in enders.items() if isinstance(ender.body, Bulletin)}
        )
        shown = []
        for row, one in judged:
            held, header = row.held, row.held.header
            by = tuple(enders[act.id] for act in one.by if act.id in enders)
            end = says.get(by[0].id) if by else None
            hidden = self.hidden.get(header.id)
            shown.append(Shown(header, row.bulletin, one, held.received, says[header.id], by, end, hidden))
        return tuple(shown)


def _opened(rows: Iterable[tuple[Held, bytes | None]]) -> list[belief.Row]:
    return [
        belief.Row(held, body)
        for held, data in rows
        if data is not None and isinstance(body := reopen(data).body, Bulletin)
    ]


def _fits(one: Verdict, query: Query) -> bool:
    """Tell whether a verdict is one that a list asks for."""
    if query.standings and one.standing not in query.standings:
        return False
    return query.lane is Lane.ALL or one.known == (query.lane is Lane.KNOWN)


def _tells(bulletin: Bulletin, query: Query) -> bool:
    """Tell whether a bulletin says something of what a list asks for."""
    if query.language and not any(_same_language(text.language, query.language) for text in bulletin.texts):
        return False
    if query.category and query.category.lower() not in [category.lower() for category in bulletin.categories]:
        return False
    needle = query.area.casefold()
    return not needle or any(needle in words.casefold() for area in bulletin.areas for _, words in area.names)


def _same_language(tag: str, wanted: str) -> bool:
    tag, wanted = tag.lower(), wanted.lower()
    return tag == wanted or tag.startswith(wanted + "-")
