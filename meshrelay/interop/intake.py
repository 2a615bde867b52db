"""Files from a stick, a mail or a feed, taken in: carry files, signed items (bare, or as letters), CAP alerts.

Signed items go through the same gate as if a peer had sent them. CAP alerts become bulletins of this relay's own key
that say "relayed from"; one that this key has passed on before adds nothing. An entry of a feed that only says where
its alert lies is answered with that: nothing is ever fetched.

Not here: the forms of all of these, and the reading of folders. Law: whatever a file holds, reading it ends, and every
part of it is answered for.
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import UNSIGNED, Bulletin, to_payload
from meshrelay.core.clock import Clock
from meshrelay.core.encoding import encode, skip
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidDocument, InvalidItem
from meshrelay.interop import cap, carry
from meshrelay.keyring import OwnKey
from meshrelay.relay import Outcome, Relay

BATCH: Final = 250
BATCH_BYTES: Final = 2 * 1024 * 1024
"""Bytes of CAP alerts that are passed on in one transaction, about."""
MAX_SEQUENCE: Final = 64 * 1024 * 1024
"""Bytes of a file of bare items, which is read as a whole; a carry file may be of any size."""

_SNIFFED: Final = 64 * 1024
_COSE: Final = (b"\xd2", b"\xd8\x62")
"""How a signed item begins: signed by one key, or by several together."""
_LETTERS: Final = re.compile(rb"0oRY[A-Za-z0-9+/\s]{80,}={0,2}")
"""A signed item in base64, as a printed sheet has it: the first three bytes of every envelope, and what follows."""


class Fate(StrEnum):
    """What became of one part of a file."""

    NEW = "new"
    KNOWN = "known"
    REFUSED = "refused"
    ELSEWHERE = "elsewhere"
    """An entry of a feed names another file, which somebody has to fetch."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One part of a file and what became of it.

    `place` says which part, `detail` why it was refused or what had to be altered, `id` the item that it is here.
    `names` are the identifier of an alert; or, of an entry whose alert lies elsewhere, the names of files and alerts
    that would be it.
    """

    fate: Fate
    place: str
    detail: str = ""
    id: bytes | None = None
    names: frozenset[str] = frozenset()


def take_in(
    relay: Relay,
    source: BinaryIO,
    *,
    clock: Clock,
    key: Callable[[], OwnKey] | None,
    checked: bool = False,
    ends_keys: bool = True,
) -> Iterator[Taken]:
    """Take in everything that a file holds, in its order; what is answered as new is on the disk.

    `source` can be read again from its beginning; `key` gives the key that signs what comes as CAP and is asked for
    only then; without one no alert is read. `checked` says that the operator looked into what it says; without
    `ends_keys`, a revocation outside a carry file, which is somebody's paper and not yet news, stays where it is.
    Raises Refusal when there is no room, or the key cannot be used.
    """
    start = source.read(_SNIFFED)
    source.seek(0)
    if not start:
        yield Taken(Fate.REFUSED, "the file", "is empty")
    elif start.startswith(carry.MAGIC):
        yield from _take_carry(relay, source, clock=clock)
    elif start.startswith(_COSE):
        yield from _take_sequence(relay, source.read(MAX_SEQUENCE + 1), clock=clock, ends_keys=ends_keys)
    elif not cap.is_xml(start) and (found := [*_LETTERS.finditer(start)]):
        yield from _take_letters(relay, [one[0] for one in found], clock=clock, ends_keys=ends_keys)
    elif is_unsigned(start):
        if key is None:
            yield Taken(Fate.REFUSED, "the file", "has no signature that could be checked")
            return
        yield from _take_cap(relay, source.read(cap.MAX_DOCUMENT + 1), now=clock.machine, key=key, checked=checked)
    elif carry.looks_like(start):
        yield from _take_carry(relay, source, clock=clock)
    else:
        yield Taken(Fate.REFUSED, "the file", "is no carry file, no signed item and no CAP alert")


def is_unsigned(start: bytes) -> bool:
    """Tell whether a file that begins with `start` looks like a CAP alert: XML, or a page without a signed item."""
    if start.startswith(carry.MAGIC):
        return False
    return cap.is_xml(start) or (start.lstrip().startswith(b"<") and not _LETTERS.search(start))


def _take_carry(relay: Relay, source: BinaryIO, *, clock: Clock) -> Iterator[Taken]:
    batch: list[tuple[str, bytes]] = []
    for part in carry.read(source):
        if isinstance(part, carry.Damage):
            yield from _receive(relay, batch, clock=clock)
            batch = []
            size = f"{part.size} bytes " if part.size else ""
            yield Taken(Fate.REFUSED, f"{size}at byte {part.offset}", part.detail)
            continue
        batch.append((f"record at byte {part.offset}", part.data))
        if len(batch) == BATCH:
            yield from _receive(relay, batch, clock=clock)
            batch = []
    yield from _receive(relay, batch, clock=clock)


def _take_sequence(relay: Relay, data: bytes, *, clock: Clock, ends_keys: bool) -> Iterator[Taken]:
    if len(data) > MAX_SEQUENCE:
        yield Taken(Fate.REFUSED, "the file", f"has more than {MAX_SEQUENCE} bytes")
        return
    batch: list[tuple[str, bytes]] = []
    at, flaw = 0, None
    while at < len(data) and flaw is None:
        try:
            end = skip(data, at)
            batch.append((f"item at byte {at}", data[at:end]))
            at = end
        except InvalidItem as error:
            flaw = Taken(Fate.REFUSED, f"{len(data) - at} bytes at byte {at}", error.detail)
        if len(batch) == BATCH or flaw is not None or at == len(data):
            yield from _receive_bare(relay, batch, clock=clock, ends_keys=ends_keys)
            batch = []
    if flaw is not None:
        yield flaw


def _take_letters(relay: Relay, texts: Sequence[bytes], *, clock: Clock, ends_keys: bool) -> Iterator[Taken]:
    batch: list[tuple[str, bytes]] = []
    for number, text in enumerate(texts, 1):
        letters = b"".join(text.split())
        data = base64.b64decode(letters[: len(letters) // 4 * 4])
        try:
            # Where no sign ends the letters, words that follow on the sheet look like more of them.
            batch.append((f"text {number}", data[: skip(data, 0)]))
        except InvalidItem as error:
            yield Taken(Fate.REFUSED, f"text {number}", error.detail)
    yield from _receive_bare(relay, batch, clock=clock, ends_keys=ends_keys)


def _receive_bare(
    relay: Relay, batch: Sequence[tuple[str, bytes]], *, clock: Clock, ends_keys: bool
) -> Iterator[Taken]:
    kept = [one for one in batch if ends_keys or not _ends_a_key(one[1])]
    yield from _receive(relay, kept, clock=clock)
    for place, _ in (one for one in batch if one not in kept):
        yield Taken(Fate.REFUSED, place, "ends a key for ever; to do that, import this file by its own name")


def _ends_a_key(data: bytes) -> bool:
    try:
        return isinstance(reopen(data).body, Revocation)
    except InvalidItem:
        # Whoever receives it says what is wrong with it.
        return False


def _receive(relay: Relay, batch: Sequence[tuple[str, bytes]], *, clock: Clock) -> Iterator[Taken]:
    datas = [data for _, data in batch]
    answers = relay.receive_many(datas, now=clock.now, doubtful=clock.doubtful) if batch else ()
    for (place, _), answer in zip(batch, answers, strict=True):
        if isinstance(answer, InvalidItem):
            yield Taken(Fate.REFUSED, place, str(answer))
        elif answer.outcome is Outcome.DECLINED:
            yield Taken(Fate.REFUSED, place, _DECLINED[answer.reason], answer.header.id)
        else:
            fate = Fate.NEW if answer.outcome is Outcome.NEW else Fate.KNOWN
            yield Taken(fate, place, id=answer.header.id)


_DECLINED: Final = {
    "block": "its sender is blocked here",
    "age": "it is older than anything that is kept",
    "time": "it is dated more than a year ahead, by a sender who is not known here",
    "room": "there is no room left",
}


def _take_cap(relay: Relay, data: bytes, *, now: int, key: Callable[[], OwnKey], checked: bool) -> Iterator[Taken]:
    try:
        alerts = cap.read_alerts(data, now=now, checked=checked)
    except InvalidDocument as error:
        yield Taken(Fate.REFUSED, "the file", str(error))
        return
    batch = _Batch(relay, key, now=now)
    for alert in alerts:
        match alert:
            case InvalidDocument():
                batch.answers.append(Taken(Fate.REFUSED, alert.place or "alert", str(alert)))
            case cap.Elsewhere():
                detail = f"only says where its alert lies: fetch {alert.uri} by hand, and import that file"
                batch.answers.append(Taken(Fate.ELSEWHERE, alert.place, detail, names=alert.names))
            case cap.ImportedAlert():
                batch.add(alert)
        if batch.is_full:
            yield from batch.publish()
    yield from batch.publish()


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is to be passed on, and the answer once it is."""

    draft: Bulletin
    said: Bulletin
    place: str
    changes: str
    names: frozenset[str]


class _Batch:
    """Alerts that are passed on in one transaction; `answers` are those of the file, in its order."""

    def __init__(self, relay: Relay, key: Callable[[], OwnKey], *, now: int) -> None:
        self.answers: list[Taken | _Draft] = []
        self._relay = relay
        self._key = key
        self._now = now
        self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to publish."""
        return len(self.answers) >= BATCH or self._size >= BATCH_BYTES

    def add(self, alert: cap.ImportedAlert) -> None:
        """Take what an alert says, incident by incident, where this key has not passed it on before."""
        changes = "; ".join(sorted(alert.changes))
        place, names = f"alert {alert.identity.identifier}", frozenset({alert.identity.identifier})
        author = self._key().public
        for draft in alert.drafts:
            here = _passed_on(self._relay, draft, author)
            if here is not None:
                self.answers.append(Taken(Fate.KNOWN, place, id=here, names=names))
            else:
                self.answers.append(_Draft(draft, _said(draft), place, changes, names))
                self._size += len(encode(to_payload(draft)))

    def publish(self) -> list[Taken]:
        """Publish what was taken, and return all answers; an alert that is there twice is published once."""
        fresh = dict[Bulletin, Bulletin]()
        for one in self.answers:
            if isinstance(one, _Draft):
                fresh.setdefault(one.said, one.draft)
        items = self._relay.publish_many([*fresh.values()], self._key().name, now=self._now) if fresh else ()
        ids = {said: item.id for said, item in zip(fresh, items, strict=True)}
        done, new = list[Taken](), set(ids)
        for one in self.answers:
            if isinstance(one, Taken):
                done.append(one)
            elif one.said in new:
                new.discard(one.said)
                done.append(Taken(Fate.NEW, one.place, one.changes, ids[one.said], one.names))
            else:
                done.append(Taken(Fate.KNOWN, one.place, id=ids[one.said], names=one.names))
        self.answers, self._size = [], 0
        return done


def _passed_on(relay: Relay, draft: Bulletin, author: bytes) -> bytes | None:
    """Return the bulletin by which this key has passed on the same incident of the same alert before, if it has.

    An alert is the same in another file, such as a feed that has grown since.
    """
    if draft.alias is None:
        raise ValueError("only an alert with an identity was imported")
    ids = [held.header.id for held in relay.store.imported_from(draft.alias, authors=[author])]
    for item, data in relay.store.get_many(ids).items():
        body = reopen(data).body
        if isinstance(body, Bulletin) and _said(body) == _said(draft):
            return item
    return None


def _said(bulletin: Bulletin) -> Bulletin:
    """Return a bulletin without what differs each time that the same alert is imported."""
    origin = dataclasses.replace(bulletin.origin, checked=False, digest=None, signature=None)
    return dataclasses.replace(bulletin, sent=0, expires=0, chain=UNSIGNED, origin=origin)
