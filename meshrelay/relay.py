"""What a relay does, minus the network: publish, attest, receive; what people see of it is in listing.py.

Everything that comes from outside (peers, carry files, documents, uploads) enters by :meth:`Relay.receive`; what
people see leaves by :meth:`Lists.bulletins`. Nothing here opens a socket or reads a clock.

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

from meshrelay import belief
from meshrelay.core.admission import admit, reopen, sign
from meshrelay.core.bulletin import ACTS_FOR, MAX_LIVE, Bulletin, Chain, from_payload, to_payload
from meshrelay.core.clock import AGREEMENT, Clock, Evidence, floor, tell
from meshrelay.core.encoding import decode, encode
from meshrelay.core.envelope import Header, ItemClass, Kind, SignedItem
from meshrelay.core.keys import codes
from meshrelay.core.quota import OPERATOR, Source
from meshrelay.core.statements import Attestation, Fault, Says
from meshrelay.core.trust import Acts, Anchor, How, TrustView, is_ended
from meshrelay.errors import InvalidItem, NotFound, Reason, Refusal, StoreFull
from meshrelay.keyring import Keyring, Signer
from meshrelay.listing import Lists
from meshrelay.local import Hidden, Local, Planned
from meshrelay.room import Room
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
class Due:
    """What became of a plan whose time had come: the item it is now, or why it is none (yet)."""

    plan: Planned
    item: bytes | None = None
    trouble: str = ""


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


class Relay(Lists):
    """One relay's items and what it makes of them; `trust` is the view in force.

    Only the `keeper`, the relay that holds the folder, lets items go to make room.
    """

    def __init__(self, store: Store, local: Local, keyring: Keyring, *, keeper: bool = False) -> None:
        super().__init__(store, local)
        self.room = Room(store, widen=self._widened, keeper=keeper)
        self.keyring = keyring
        self._verifiers = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="verify")
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

    def _admit_all(self, datas: Sequence[bytes]) -> list[SignedItem | InvalidItem]:
        if len(datas) < _VERIFY_IN_PARALLEL:
            return _try_admit(datas)
        # One task a thread: handing over each item costs as much as a sixth of its check.
        share = -(-len(datas) // VERIFY_THREADS)
        parts = [datas[start : start + share] for start in range(0, len(datas), share)]
        return [item for part in self._verifiers.map(_try_admit, parts) for item in part]

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


def _try_admit(datas: Sequence[bytes]) -> list[SignedItem | InvalidItem]:
    answers: list[SignedItem | InvalidItem] = []
    for data in datas:
        try:
            answers.append(admit(data))
        except InvalidItem as error:
            answers.append(error)
    return answers
