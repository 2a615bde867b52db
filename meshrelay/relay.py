"""What a relay does, minus the network: publish, attest, receive, list.

Everything that comes from outside (peers, carry files, documents, uploads) enters by :meth:`Relay.receive`; what
people see leaves by :meth:`Relay.bulletins`. Nothing here opens a socket or reads a clock.

Law: if ``receive`` raises anything but InvalidItem for any bytes, that is a bug. What it answers as new is on
the disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshrelay import belief
from meshrelay.core.admission import admit, reopen, sign
from meshrelay.core.bulletin import (
    ACTS_FOR,
    MAX_LIVE,
    Bulletin,
    Chain,
    MsgType,
    from_payload,
    to_payload,
)
from meshrelay.core.clock import AGREEMENT, Clock, Evidence, floor, tell
from meshrelay.core.encoding import decode, encode
from meshrelay.core.envelope import Header, ItemClass, Kind, SignedItem
from meshrelay.core.fields import MAX_TIME, MIN_TIME
from meshrelay.core.keys import codes
from meshrelay.core.quota import OPERATOR, Source
from meshrelay.core.statements import Attestation, Fault, Says
from meshrelay.core.trust import Acts, Anchor, Author, How, Standing, TrustView, Verdict, is_ended, verdict
from meshrelay.core.withdrawal import Own, own
from meshrelay.errors import InvalidItem, NotFound, Reason, Refusal, StoreFull
from meshrelay.keyring import Keyring, Signer
from meshrelay.local import Hidden, Local, Planned
from meshrelay.room import Room
from meshrelay.rows import Held
from meshrelay.store import Change, Store

FUTURE_LIMIT = 365 * 86400
"""Items dated further ahead than this are declined, unless they matter here."""
VERIFY_THREADS = 2
_VERIFY_IN_PARALLEL = 32
CONFIRMED_FOR = 30 * 86400
"""Seconds for which the operator's word on the clock counts."""
_SAVED_TIME = "time"
_CONFIRMED_CLOCK = "clock confirmed"
DRILL_LASTS = 86400
"""Seconds after which drill mode ends by itself."""
_DRILL_UNTIL = "drill until"
TRY_AGAIN = 60
"""Seconds until what was planned and could not be published is tried again."""
MOST_KEPT_BACK = 600
"""Seconds for which an own item is kept from other relays at most."""
_DUE_AT_ONCE = 20
MOST_SCANNED = 2_000
"""A filtered list looks at no more rows than this before it answers with what it has and a cursor."""
MOST_ACTS: Final = 10_000
"""Nor does any list begin to judge more when it has read so many Updates and Cancels."""
_SCANNED_AT_ONCE: Final = 500
_JUDGED_AT_ONCE: Final = 50
MOST_COPIES: Final = 32
"""How many bulletins that others made of the same CAP message are told of."""


class Outcome(StrEnum):
    """What became of a valid item."""

    NEW = "new"
    KNOWN = "known"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer for one valid item; `reason` says why it was declined: block, age, time or room."""

    outcome: Outcome
    header: Header
    reason: str = ""


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
class Due:
    """What became of a plan whose time had come: the item it is now, or why it is none (yet)."""

    plan: Planned
    item: bytes | None = None
    trouble: str = ""


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


@dataclass(frozen=True, slots=True)
class _Turn:
    """A key while it is held, and the place in its stream of what it signs next."""

    signer: Signer
    seq: int
    prev: bytes | None

    @property
    def author(self) -> bytes:
        return self.signer.key.public

    @property
    def stream(self) -> bytes:
        return self.signer.stream


class Relay:
    """One relay's items and what it makes of them; `trust` is the view in force.

    Only the `keeper`, the relay that holds the folder, lets items go to make room.
    """

    def __init__(self, store: Store, local: Local, keyring: Keyring, *, keeper: bool = False) -> None:
        self.store = store
        self.room = Room(store, widen=self._widened, keeper=keeper)
        self.local = local
        self.keyring = keyring
        self._verifiers = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="verify")
        self.trust = TrustView()
        self.hidden: Mapping[bytes, Hidden] = {}
        """What this relay's people do not show, by id."""
        self.kept_back: Mapping[bytes, int] = {}
        """Own items that no other relay may hear of yet, and until when."""
        self._drill_until = 0
        self.heard: tuple[int, ...] = ()
        """When the newest bulletin of each sender known here, own people apart, was signed: see core.clock."""
        self.refresh()

    def close(self) -> None:
        """Give back threads and databases."""
        self._verifiers.shutdown()
        self.store.close()
        self.local.close()

    def refresh(self) -> TrustView:
        """Make the trust view anew, after private facts, keys or statements have changed."""
        self.trust = belief.view(self.store, self.local, self.keyring, now=self.trust.now)
        self.hidden = {one.id: one for one in self.local.hidden()}
        self.kept_back = self.local.kept_back()
        self._drill_until = int.from_bytes(self.local.fact(_DRILL_UNTIL) or b"", "big")
        self.listen()
        return self.trust

    def listen(self) -> None:
        """Look anew how far the time of the known senders has come, after items came or went.

        An organisation counts once, with all to whom it lends its name, and none of them beyond the time lent.
        """
        trust = self.trust
        newest = self.store.newest_sent(trust.known - trust.own.keys() - trust.revoked.keys())
        heard = list[int]()
        for named in (one for org, one in trust.organisations.items() if org in trust.anchors):
            lent = {key: named.until(key) for key in named.lent.keys() & newest.keys()}
            times = [min(newest.pop(key), until) for key, until in lent.items() if until is not None]
            heard += [max(times)] if times else []
        self.heard = (*heard, *newest.values())

    def clock(self, machine: int, *, synchronised: bool) -> Clock:
        """Return the time in force when this machine's clock says `machine`; `synchronised`: something keeps it right.

        For those who speak to no other relay; a running one knows more.
        """
        confirmed = synchronised or self.clock_is_confirmed(machine)
        return tell(Evidence(machine, self.saved_time(), self.heard, confirmed))

    def saved_time(self) -> int:
        """Return the time that was last written down, or 0."""
        return int.from_bytes(self.local.fact(_SAVED_TIME) or b"", "big")

    def confirm_clock(self, machine: int) -> None:
        """Remember that the operator vouches for this machine's clock."""
        self.local.set_fact(_CONFIRMED_CLOCK, machine.to_bytes(8, "big"))

    def clock_is_confirmed(self, machine: int) -> bool:
        """Tell whether the operator vouched for the clock, and it has not jumped back or run for a month since."""
        confirmed = int.from_bytes(self.local.fact(_CONFIRMED_CLOCK) or b"", "big")
        return confirmed <= machine < confirmed + CONFIRMED_FOR

    def save_time(self, clock: Clock) -> None:
        """Write the time down, for the day when this machine's clock has lost it; not while it is doubtful."""
        if not clock.doubtful:
            self.local.set_fact(_SAVED_TIME, clock.now.to_bytes(8, "big"))

    # Drill mode

    def drill_until(self, now: int) -> int | None:
        """Return when drill mode ends, or None when it is not on."""
        return self._drill_until if now < self._drill_until <= now + DRILL_LASTS else None

    def start_drill(self, *, now: int) -> None:
        """Turn drill mode on, for a day."""
        self._drill_until = now + DRILL_LASTS
        self.local.set_fact(_DRILL_UNTIL, self._drill_until.to_bytes(8, "big"))

    def end_drill(self) -> None:
        """Turn drill mode off."""
        self._drill_until = 0
        self.local.set_fact(_DRILL_UNTIL, b"")

    # What is not shown

    def hide(self, item: bytes, *, now: int, reason: str = "", drop: bool = False) -> None:
        """Show a bulletin no longer here; with `drop` let go of it too, and never take it in again."""
        held = self.store.headers([item]).get(item)
        if held is None or held.header.kind is not Kind.BULLETIN:
            raise NotFound("this bulletin is not here", hint="see `meshrelay list --all`")
        if drop and held.header.targets:
            raise Refusal(
                "it ends another bulletin, which would seem to hold again without it", hint="leave out --drop"
            )
        if drop and held.header.author in self.trust.own:
            raise Refusal(
                "it is a bulletin of your own, which others hold too", hint="take it back with `meshrelay withdraw`"
            )
        self.local.hide(Hidden(item, now, reason, held.header.expires, drop))
        self.hidden = {one.id: one for one in self.local.hidden()}
        if drop:
            self.store.remove([item])

    def unhide(self, item: bytes) -> None:
        """Show a bulletin again; one that was dropped comes back with the next relay that has it."""
        self.local.unhide(item)
        self.hidden = {one.id: one for one in self.local.hidden()}

    def hidden_now(self, clock: Clock) -> int:
        """Return how many bulletins are hidden here that would still hold."""
        return sum(one.expires is None or clock.doubtful or one.expires > clock.now for one in self.hidden.values())

    @property
    def dropped(self) -> frozenset[bytes]:
        """The ids that are never taken in."""
        return frozenset(item for item, one in self.hidden.items() if one.dropped)

    # What is kept back

    def let_go(self, item: bytes) -> None:
        """Let other relays hear of an own item from now on."""
        self.local.let_go(item)
        self.kept_back = {one: until for one, until in self.kept_back.items() if one != item}

    def let_go_due(self, now: int) -> None:
        """Let go of what was kept back long enough."""
        for item in [one for one, until in self.local.kept_back().items() if until <= now]:
            self.let_go(item)

    def withheld(self) -> tuple[Change, ...]:
        """Return the changes that take out of an index what is kept back, as the disk has it."""
        held = self.store.headers(self.local.kept_back())
        return tuple(Change(one.header.key, item, gone=True) for item, one in held.items())

    # In

    def publish(
        self, draft: Bulletin, key_name: str, *, now: int, back_until: int | None = None, planned: int | None = None
    ) -> SignedItem:
        """Sign a bulletin as `key_name` and store it; its `sent` and place in the stream are set here.

        Until `back_until` no other relay hears of it; `planned` is the number of the plan that it fulfils. Both are
        written down before it is stored.

        Raises Refusal when it would not be a valid bulletin, when the key cannot be used, or when there is no room.
        """
        with self._turn(key_name, now=now) as turn:
            live = self._live(turn.author, turn.stream, ended=draft.targets, now=now)
            body = dataclasses.replace(draft, sent=now, chain=Chain(turn.stream, turn.seq, turn.prev, live))
            return self._issue(body, turn, now=now, back_until=back_until, planned=planned)

    def publish_many(self, drafts: Sequence[Bulletin], key_name: str, *, now: int) -> tuple[SignedItem, ...]:
        """Sign bulletins as `key_name` and store them in one transaction, as a file with several hundred alerts asks.

        Their numbers are written down together, before any of them is stored. Raises as :meth:`publish` does.
        """
        with self._turn(key_name, now=now) as turn:
            ended = frozenset(token for draft in drafts for token in draft.targets)
            live = list(self._live(turn.author, turn.stream, ended=ended, now=now))
            items, prev = list[SignedItem](), turn.prev
            for seq, draft in enumerate(drafts, turn.seq):
                chain = Chain(turn.stream, seq, prev, tuple(live[-MAX_LIVE:]))
                items.append(_signed(dataclasses.replace(draft, sent=now, chain=chain), turn))
                prev = items[-1].id
                if items[-1].header.alias not in ended:
                    live.append(seq)
            turn.signer.take(turn.seq + len(drafts) - 1)
            self._store_own(items, now=now)
        return tuple(items)

    def attest(
        self,
        target: bytes,
        key_name: str,
        says: Says,
        *,
        now: int,
        fault: Fault | None = None,
        note: str = "",
        org: bytes | None = None,
    ) -> SignedItem:
        """Sign as `key_name` what is known of the bulletin `target`, and store it; it outdoes what the key said before.

        `fault` goes with a dispute and only with it, `org` is the organisation in whose name. Raises NotFound when the
        bulletin is not here, and Refusal as :meth:`publish` does.
        """
        held = self.store.headers([target]).get(target)
        if held is None or held.header.kind is not Kind.BULLETIN:
            raise NotFound("this bulletin is not here", hint="see `meshrelay list --all`")
        with self._turn(key_name, now=now) as turn:
            before = self.store.attestations([target], authors={turn.author}).get(target, [])
            # Within one second the ids would decide which of two words is the newer.
            latest = max((reopen(data).header.sent for data in before), default=0)
            sent = latest + 1 if now <= latest <= now + AGREEMENT else now
            body = Attestation(sent, turn.stream, turn.seq, target, says, fault, note, org, turn.prev)
            return self._issue(body, turn, now=now)

    @contextmanager
    def _turn(self, key_name: str, *, now: int) -> Iterator[_Turn]:
        """Hold a key and its next number; raises Refusal when it cannot sign now."""
        with self.keyring.signing(key_name) as signer:
            author = signer.key.public
            if floor(self.heard, base=now) > now + AGREEMENT:
                raise Refusal(
                    "this computer's clock is behind: bulletins of senders known here are of a later time",
                    hint="set the date and time, then publish again",
                )
            if author in self.trust.revoked:
                raise Refusal(f"the key {key_name} was revoked", hint="make a new one with `meshrelay key new`")
            seq, prev = self.store.highest_seq(author, signer.stream) or (0, None)
            yield _Turn(signer, signer.next_number(highest_held=seq), prev)

    def _issue(
        self,
        body: Bulletin | Attestation,
        turn: _Turn,
        *,
        now: int,
        back_until: int | None = None,
        planned: int | None = None,
    ) -> SignedItem:
        """Sign, write the number down, and store."""
        item = _signed(body, turn)
        turn.signer.take(turn.seq)
        if planned is not None:
            self.local.note_signed(planned, item.id)
        if back_until is not None:
            self.local.keep_back(item.id, until=back_until)
            self.kept_back = {**self.kept_back, item.id: back_until}
        self._store_own([item], now=now)
        return item

    def _store_own(self, items: Sequence[SignedItem], *, now: int) -> None:
        if any(item.author not in self.trust.own for item in items):
            self.refresh()
        if self.room.take(items, self.trust, now=now).declined:
            raise StoreFull("there is no room for it", hint=self.room.advice)

    def plan(self, draft: Bulletin, key_name: str, *, due: int, hide_source: bool = False) -> int:
        """Remember a bulletin until it is `due`, and return the number of the plan.

        Raises Refusal when it could not be signed then.
        """
        self.keyring.get(key_name)
        data = encode(to_payload(dataclasses.replace(draft, sent=due)))
        try:
            planned_draft(data)
        except InvalidItem as error:
            raise Refusal(str(error), hint="change that and plan it again") from error
        return self.local.plan(Planned(due, key_name, data, hide_source))

    def publish_due(self, *, now: int, back_until: int) -> tuple[Due, ...]:
        """Publish some of what was planned for `now` or before, and say what became of each; nothing when none is due.

        Those whose source is to be hidden are kept back until `back_until`. Only the relay that holds the folder does
        this; however it is cut short, each is published once. What cannot be published is tried again a minute later,
        until it would be over.
        """
        plans = self.local.planned(due=now, limit=_DUE_AT_ONCE)
        return tuple([self._publish_plan(one, now, back_until) for one in plans])

    def _publish_plan(self, plan: Planned, now: int, back_until: int) -> Due:
        if plan.item is not None and plan.item in self.store.headers([plan.item]):
            self.local.unplan(plan.n)  # it was cut short just after it had been stored
            return Due(plan, plan.item)
        try:
            draft = planned_draft(plan.draft)
            if draft.expires <= now:
                self.local.unplan(plan.n)
                return Due(plan, trouble="it would be over by now, so it was struck")
            until = back_until if plan.hide_source else None
            item = self.publish(draft, plan.key, now=now, back_until=until, planned=plan.n)
        except (Refusal, InvalidItem) as error:
            self.local.note_trouble(plan.n, str(error), again=now + TRY_AGAIN)
            return Due(plan, trouble=str(error))
        self.local.unplan(plan.n)
        return Due(plan, item.id)

    def receive(self, data: bytes, *, now: int) -> Receipt:
        """Take one item from outside; raise InvalidItem when it is none."""
        (answer,) = self.receive_many([data], now=now)
        if isinstance(answer, InvalidItem):
            raise answer
        return answer

    def receive_many(
        self, datas: Sequence[bytes], *, now: int, doubtful: bool = False, source: Source = OPERATOR
    ) -> tuple[Receipt | InvalidItem, ...]:
        """Take items from outside, in one transaction where it can be; the answers are in the same order.

        While the clock is `doubtful` nothing is declined for its age. `source` is whom they come from, by which room
        is shared out among those who are not known here.
        """
        opened = self._admit_all(datas)
        trust = self.trust.at(None if doubtful else now)
        telling = [
            item
            for item in opened
            if isinstance(item, SignedItem)
            and item.header.item_class == ItemClass.KEYS
            and not self._bars(item.header, now=now, doubtful=doubtful)
        ]
        if any(trust.concerns(item) for item in telling):
            # Whether they have an effect decides whether there is room for them, and whether they may be dated ahead.
            trust = belief.view(self.store, self.local, self.keyring, now=trust.now, coming=telling)
        answers: dict[int, Receipt | InvalidItem] = {}
        wanted: list[SignedItem] = []
        places: list[int] = []
        for place, item in enumerate(opened):
            if isinstance(item, InvalidItem):
                answers[place] = item
            elif reason := self._bars(item.header, now=now, doubtful=doubtful) or _is_ahead(
                item.header, trust, now=now
            ):
                answers[place] = Receipt(Outcome.DECLINED, item.header, reason)
            else:
                wanted.append(item)
                places.append(place)
        taken = self.room.take(wanted, trust, now=now, doubtful=doubtful, source=source)
        self.store.pass_over(item.header for item in wanted if item.id in taken.declined and item.author in trust.known)
        new = set(taken.new)
        for place, item in zip(places, wanted, strict=True):
            if item.id in taken.declined:
                answers[place] = Receipt(Outcome.DECLINED, item.header, "room")
                continue
            if item.id in self.kept_back:
                # It has come back from outside: whoever brought it must not see that it was here before.
                self.let_go(item.id)
                new.add(item.id)
            answers[place] = Receipt(Outcome.NEW if item.id in new else Outcome.KNOWN, item.header)
            new.discard(item.id)
        self._settle_waiting({one for item in wanted for one in (item.author, item.id)}, now=now)
        if any(item.id in taken.new and self.trust.concerns(item) for item in telling):
            self.refresh()
        return tuple([answers[place] for place in range(len(datas))])

    def declines(self, claim: Header, *, now: int, doubtful: bool) -> str:
        """Return why an item of which a peer claims this would not be taken here, or an empty text.

        Whether a statement may be dated far ahead can hang on others that come with it, so that is seen when it is
        here; but for a relay that knows no organisation.
        """
        reason = self._bars(claim, now=now, doubtful=doubtful)
        if reason or (claim.item_class == ItemClass.KEYS and self.trust.anchors):
            return reason
        return _is_ahead(claim, self.trust, now=now)

    def _bars(self, header: Header, *, now: int, doubtful: bool) -> str:
        """Return why an item is not taken here, whatever comes with it, or an empty text.

        Until a known sender was heard nothing speaks for or against this machine's clock, so what known senders
        signed is not too old for it: it is what tells.
        """
        known = header.author in self.trust.known
        hidden = self.hidden.get(header.id)
        if header.author in self.trust.blocked or (hidden is not None and hidden.dropped):
            return "block"
        if not doubtful and not (known and not self.heard) and is_retired(header, now=now):
            return "age"
        return ""

    def keep_house(self, clock: Clock, *, heard: tuple[int, ...]) -> bool:
        """Let go of what has had its time and make room, a little at a time; tell whether there is more to do.

        `heard` is what the clock was told by: if more has come by now, ask again with the clock that it tells.
        """
        self.trust = self.trust.at(None if clock.doubtful else clock.now)
        self.listen()
        if self.heard != heard:
            return True
        return self.room.keep_house(self.trust, now=clock.now, doubtful=clock.doubtful)

    # Out

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

    def _admit_all(self, datas: Sequence[bytes]) -> list[SignedItem | InvalidItem]:
        if len(datas) < _VERIFY_IN_PARALLEL:
            return _try_admit(datas)
        # One task a thread: handing over each item costs as much as a sixth of its check.
        share = -(-len(datas) // VERIFY_THREADS)
        parts = [datas[start : start + share] for start in range(0, len(datas), share)]
        return [item for part in self._verifiers.map(_try_admit, parts) for item in part]

    def _in_first_lane(self, trust: TrustView) -> frozenset[bytes]:
        """Return keys none of whose bulletins stands in the second lane."""
        known = frozenset(trust.own.keys() | trust.anchors.keys()) - trust.blocked - trust.revoked.keys()
        return self.store.plain(known)

    def _live(self, author: bytes, stream: bytes, *, ended: Collection[bytes], now: int) -> tuple[int, ...]:
        live: list[int] = []
        after: str | None = None
        while len(live) < MAX_LIVE:
            page = self.store.page(
                order="newest", after=after, limit=100, live_at=now, authors=frozenset({author}), cancels=True
            )
            headers = [row.header for row in page.rows]
            acting = self.store.acting_on(
                [one.id for one in headers], colleagues=belief.colleagues(self.trust, headers)
            )
            acts = Acts.of(one.header for one in acting)
            for row in page.rows:
                header = row.header
                done = header.id in ended or header.alias in ended or header.stream != stream
                if not done and header.seq is not None and not is_ended(header, acts, self.trust, Clock(now)):
                    live.append(header.seq)
            after = page.next
            if after is None:
                break
        return tuple(sorted(set(live))[-MAX_LIVE:])

    def _settle_waiting(self, authors: Iterable[bytes], *, now: int) -> None:
        """Turn waiting fingerprints into anchors when their keys have come."""
        waiting = {entry.code: entry for entry in self.local.waiting()}
        if not waiting:
            return
        come = {author: waiting[code] for author in authors for code in codes(author) if code in waiting}
        for author, entry in come.items():
            self.local.add_anchor(Anchor(author, entry.petname, now, How.DIGITS))
            self.local.remove_waiting(entry.code)
        if come:
            self.refresh()

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


def _signed(body: Bulletin | Attestation, turn: _Turn) -> SignedItem:
    try:
        return sign(body, turn.signer.key)
    except ValueError as error:
        raise Refusal(str(error), hint="change that and publish again") from error


def planned_draft(data: bytes) -> Bulletin:
    """Return the draft that a plan holds; raises InvalidItem when it could not be signed."""
    payload = decode(data)
    if not isinstance(payload, dict):
        raise InvalidItem(Reason.FIELD, "the plan is not a map")
    return from_payload({key: value for key, value in payload.items() if isinstance(key, int)})


def is_retired(header: Header, *, now: int) -> bool:
    """Tell whether an item is past the longest that it is kept: 97 days from when it was signed.

    A delegation is kept until 97 days after its end; other statements about keys stay.
    """
    if header.item_class == ItemClass.KEYS:
        return header.kind is Kind.DELEGATION and header.expires is not None and header.expires + ACTS_FOR <= now
    return header.sent + ACTS_FOR <= now


def _is_ahead(header: Header, trust: TrustView, *, now: int) -> str:
    """Return "time" for what is dated too far ahead and does not matter here, else an empty text."""
    ahead = header.sent > now + FUTURE_LIMIT
    return "time" if ahead and not (trust.matters(header) or trust.lasts(header)) else ""


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


def _try_admit(datas: Sequence[bytes]) -> list[SignedItem | InvalidItem]:
    answers: list[SignedItem | InvalidItem] = []
    for data in datas:
        try:
            answers.append(admit(data))
        except InvalidItem as error:
            answers.append(error)
    return answers
