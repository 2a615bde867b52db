"""How two relays find out what each of them lacks, with bytes that grow with the difference and not with the store.

Both sides keep their keys sorted in one line. The initiator describes its line in ranges, by fingerprints and short
lists; the responder says which ranges are the same, opens those that are not, and names what is missing. One round
is one message each way. The whole interface: :class:`Keys`, :func:`answer`, and :class:`Reconciliation`.

Not here: where keys come from (meshrelay.index), the transfer of what is found, and any belief in what a peer says.
Names are claims until the items have been fetched.

Law: `answer` keeps nothing between messages; both ends raise InvalidMessage and nothing else for any bytes; and a
peer that lies wastes a bounded number of rounds and hides nothing but what it could as well not have had.
Source: docs/spec/reconcile.md.
"""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from meshrelay.core.envelope import KEY_SIZE
from meshrelay.errors import InvalidMessage

VERSION = 1
CLASSES = 4
SALT_SIZE = 16
MAX_REQUEST = 1024 * 1024
MAX_REPLY = 256 * 1024
"""The largest reply, in bytes; MAX_REQUEST is the largest request."""
MAX_NAMES = 1_000
MAX_NAMES_LIMITED = 64
"""How many keys a reply names when the request limits its bytes; MAX_NAMES otherwise."""
FANOUT = 16
"""Into how many parts a range is opened; a reply names every key of a differing range that has no more of them."""
NEWEST = (8, 8, 8, 24)
"""How many keys of each class the first message lists."""
GROWTH = 8
LEEWAY = 600
"""Seconds past `now` up to which an item counts among the newest."""

_FINGERPRINT = 16
_PREFIX = 8
_TIMES = 1 << 56
_LISTED = 64  # the most own keys that the initiator lists rather than opens
_MAX_ASKED = 4_096  # ranges in a request
_MAX_SAID = 16_384  # ranges in a reply
_MAX_LOOKUPS = 16_384  # keys that one answer hashes one by one
_TARGET = 32 * 1024  # where the initiator stops adding to a request
_EARLY = 4 * 1024  # where it stops when it has a budget, and where messages stop opening classes before their turn
# How many rounds an exchange may take, and one more for every so many keys here, and named by the peer. An honest one
# needs about a tenth of that: a request asks about more than a thousand keys, a reply names as many or 64.
_ROUNDS, _ROUND_HERE, _ROUND_NAMED = 32, 256, 32
_BOUND = 5  # what a bound usually takes
_OPENED = FANOUT * (_FINGERPRINT + _BOUND)  # what an opened range usually takes
_MARKED = 64  # one key in so many is kept apart, to find others faster
_ASIDE = 4 * 1024  # bytes that could be hashed while one range is looked up, opened and packed
_BLOCK = 64  # the bytes that SHA-256 hashes at a time
_END = bytes([CLASSES])
_HEAD = struct.Struct(f">B{SALT_SIZE}sI")


class Keys(Sequence[bytes]):
    """Reconciliation keys in ascending order, each once, in one contiguous buffer; never changed."""

    __slots__ = ("_buffer", "_marks")

    def __init__(self, buffer: bytes = b"") -> None:
        """Take `buffer` as it is; raise ValueError when it is not keys in ascending order."""
        if len(buffer) % KEY_SIZE:
            raise ValueError("not a whole number of keys")
        keys = _cut(buffer, KEY_SIZE)
        if not all(first < second for first, second in pairwise(keys)):
            raise ValueError("keys are not in ascending order")
        if keys and keys[-1] >= _END:
            raise ValueError("a key of no class")
        self._buffer = buffer
        self._marks: list[bytes] | None = None

    @classmethod
    def of(cls, keys: Iterable[bytes]) -> Keys:
        """Sort keys that come in any order, and drop repetitions."""
        return cls(b"".join(dict.fromkeys(sorted(keys))))

    @property
    def buffer(self) -> bytes:
        """All keys, one behind the other."""
        return self._buffer

    def __len__(self) -> int:
        return len(self._buffer) // KEY_SIZE

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]  # nobody needs slices: see between()
        key = self._buffer[at * KEY_SIZE : (at + 1) * KEY_SIZE] if at >= 0 else b""
        if not key:
            raise IndexError(at)
        return key

    def __iter__(self) -> Iterator[bytes]:
        return iter(_cut(self._buffer, KEY_SIZE))

    def __contains__(self, key: object) -> bool:
        if not isinstance(key, bytes):
            return False
        at = self.find(key)
        return at < len(self) and self[at] == key

    def __eq__(self, other: object) -> bool:
        return self._buffer == other._buffer if isinstance(other, Keys) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a hash would cost a pass over all keys

    def find(self, bound: bytes) -> int:
        """Return how many keys are below `bound`, which may be a beginning of a key."""
        # Taking a key out of the buffer is what costs; so the first steps are made in a list of some of them.
        if self._marks is None:
            self._marks = [self[at] for at in range(0, len(self), _MARKED)]
        block = bisect_left(self._marks, bound)
        return bisect_left(self, bound, (block - 1) * _MARKED + 1, min(block * _MARKED, len(self))) if block else 0

    def between(self, low: int, high: int) -> bytes:
        """Return the keys number `low` up to, but not including, `high`, one behind the other."""
        return self._buffer[low * KEY_SIZE : high * KEY_SIZE]

    def separator(self, at: int) -> bytes:
        """Return the shortest bound between key number `at` and the one before it."""
        below, above = self[at - 1], self[at]
        return above[: _shared(below, above) + 1]

    def changed(self, *, add: Iterable[bytes] = (), remove: Iterable[bytes] = ()) -> Keys:
        """Return these keys with some added and others removed; a key in both is added.

        To add what is there, or to remove what is not, changes nothing.
        """
        wanted = dict.fromkeys(remove, False) | dict.fromkeys(add, True)
        if any(len(key) != KEY_SIZE or key >= _END for key in wanted):
            raise ValueError("not a key")
        # To look one key up takes about as long as to pass sixteen by.
        buffer = self._rebuilt(wanted) if len(wanted) * 16 > len(self) else self._patched(wanted)
        if buffer == self._buffer:
            return self
        keys = Keys()
        keys._buffer = buffer
        return keys

    def _rebuilt(self, wanted: dict[bytes, bool]) -> bytes:
        keys = [key for key in self if key not in wanted]
        keys += sorted(key for key, stays in wanted.items() if stays)
        keys.sort()
        return b"".join(keys)

    def _patched(self, wanted: dict[bytes, bool]) -> bytes:
        old = memoryview(self._buffer)
        pieces: list[bytes | memoryview] = []
        done = 0
        for key in sorted(wanted):
            at = self.find(key)
            held = at < len(self) and self[at] == key
            if held == wanted[key]:
                continue
            pieces.append(old[done : at * KEY_SIZE])
            if held:
                done = (at + 1) * KEY_SIZE
            else:
                pieces.append(key)
                done = at * KEY_SIZE
        return b"".join([*pieces, old[done:]])


class Tag(IntEnum):
    """What a message says of a range."""

    NOTHING = 0
    """In a request: not asked. In a reply, of what was asked: it differs, ask again."""
    SAME = 1
    FINGERPRINT = 2
    LIST = 3
    NAMED = 4


_TAGS = tuple(Tag)
_OF_MANY = (Tag.NOTHING, Tag.SAME)
_IN_REQUEST = (Tag.NOTHING, Tag.FINGERPRINT, Tag.LIST)
_IN_REPLY = (Tag.NOTHING, Tag.SAME, Tag.FINGERPRINT, Tag.NAMED)


class Range(NamedTuple):
    """The keys from `low` up to, but not including, `high`, and what a message says of them.

    `body` is a fingerprint, the prefixes of a list, or the bits that answer a list; `named` is whole keys.
    """

    low: bytes
    high: bytes
    tag: Tag
    body: bytes = b""
    named: bytes = b""

    @property
    def item_class(self) -> int:
        """The class in which it begins; a range of which more is said than NOTHING or SAME ends there too."""
        return self.low[0] if self.low else 0


@dataclass(frozen=True, slots=True)
class Request:
    """The initiator's message, taken apart; `limit` is how many bytes the reply may have, if that was said."""

    salt: bytes
    limit: int | None
    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, data: bytes) -> Request:
        """Raise InvalidMessage for anything but a request."""
        if len(data) > MAX_REQUEST:
            raise InvalidMessage(f"a request of {len(data)} bytes, at most {MAX_REQUEST} are allowed")
        if len(data) < _HEAD.size or data[0] != VERSION:
            raise InvalidMessage("not a request of this version")
        _, salt, limit = _HEAD.unpack_from(data)
        ranges = _Reader(data, _HEAD.size).ranges(_IN_REQUEST, most=_MAX_ASKED)
        return cls(salt, limit or None, tuple(ranges))


class Found(NamedTuple):
    """What one reply brought to light: keys that only this side has, and keys that only the peer has."""

    have: tuple[bytes, ...]
    need: tuple[bytes, ...]


def cost(index: Keys, message: bytes | Request) -> int:
    """Return how much work `answer` would have with this message at most, without doing it.

    In bytes that are hashed; whatever else a range takes counts as some more of them.
    """
    request = message if isinstance(message, Request) else Request.parse(message)
    hashed = lookups = 0
    high = 0
    for asked in request.ranges:
        low, high = high, index.find(asked.high)
        count = high - low
        if asked.tag is not Tag.NOTHING:
            hashed += _ASIDE
        if asked.tag is Tag.FINGERPRINT:
            hashed += 2 * count * KEY_SIZE
        elif asked.tag is Tag.LIST and asked.body:
            lookups += min(count, MAX_NAMES + len(asked.body) // _PREFIX + 1)
    return hashed + min(lookups, _MAX_LOOKUPS) * _BLOCK


def answer(index: Keys, message: bytes | Request) -> bytes:
    """Return the reply to a request; raise InvalidMessage when it is none."""
    request = message if isinstance(message, Request) else Request.parse(message)
    return _Answer(index, request).reply()


class Reconciliation:
    """The initiator's side of one exchange: send `message()`, `receive()` its reply, until there is no message.

    `view` is what this relay holds, as far as this peer is concerned. `salt` is fresh for every exchange, and told
    to nobody before. `now` is the effective time in unix seconds. An exchange may be limited to some `classes`, to
    items sent from `since` up to, but not including, `until`, or to a `budget` of bytes, both ways together.
    """

    def __init__(
        self,
        view: Keys,
        *,
        salt: bytes,
        now: int,
        classes: Collection[int] = range(CLASSES),
        since: int = 0,
        until: int = _TIMES,
        budget: int | None = None,
        max_rounds: int = 2_048,
    ) -> None:
        if len(salt) != SALT_SIZE:
            raise ValueError(f"a salt has {SALT_SIZE} bytes")
        self.have: list[bytes] = []
        """Keys that only this side has, so far."""
        self.need: list[bytes] = []
        """Keys that only the peer has, so far, by its own account."""
        self.rounds = 0
        self.spent = 0
        """Bytes of all messages so far, both ways; a caller whose budget is for the items too adds theirs."""
        self._view = view
        self._salt = salt
        self._salted = _Salted(view, salt)
        self._budget = budget
        self._max_rounds = max_rounds
        self._over = False
        self._asked: list[_Part] = []
        self._open: list[_Part] = []
        for item_class in sorted(set(classes)):
            self._open += _first_parts(view, item_class, now=now, since=since, until=until)

    @property
    def unsettled(self) -> int | None:
        """The lowest class that is still open; of the classes below it everything is known.

        What is dated past `now` counts in no class: made-up dates would keep a class open.
        """
        return min((part.item_class for part in self._asked + self._open if not part.late), default=None)

    @property
    def settled(self) -> bool:
        """Whether the whole difference is known."""
        return not self._asked and not self._open

    def message(self) -> bytes | None:
        """Return the next message, or None when all is settled or this exchange can bring no more."""
        fair = _ROUNDS + len(self._view) // _ROUND_HERE + len(self.need) // _ROUND_NAMED
        if self._over or self.rounds >= min(self._max_rounds, fair):
            return None
        if self._asked:
            raise RuntimeError("the last message has had no reply")
        left = None if self._budget is None else self._budget - self.spent
        asked, rest = self._choose(_TARGET if left is None else min(_EARLY, left // 8))
        writer = _Writer(limit=MAX_REQUEST - _HEAD.size, most=_MAX_ASKED)
        for part in asked:
            writer.say(self._question(part))
        ranges = writer.finish()
        limit = 0
        if left is not None:
            # Half of what is left, so that something remains for the items that the reply names.
            limit = min((left - _HEAD.size - len(ranges)) // 2, MAX_REPLY)
        if not asked or (left is not None and limit <= 0):
            return None
        self._asked, self._open = asked, rest
        self.rounds += 1
        self.spent += _HEAD.size + len(ranges)
        return _HEAD.pack(VERSION, self._salt, limit) + ranges

    def receive(self, reply: bytes) -> Found:
        """Take the reply to the last message, and return what it brought.

        Raises InvalidMessage for anything that cannot be a reply to it; the exchange is over then, and what earlier
        replies brought remains.
        """
        if not self._asked:
            raise RuntimeError("no message waits for a reply")
        self._over = True
        said = _parse_reply(reply)
        heard = _Hearing(self._view, self._salted, said)
        for part in self._asked:
            heard.about(part)
        if heard.used != sum(one.tag not in _OF_MANY for one in said):
            raise InvalidMessage("the reply speaks of what was not asked")
        self._asked = []
        self._open += heard.open
        # An honest peer settles or opens something with every reply, unless its limit left no room for a word.
        self._over = not heard.headway
        self.spent += len(reply)
        self.have += heard.have
        self.need += heard.need
        return Found(tuple(heard.have), tuple(heard.need))

    def _choose(self, target: int) -> tuple[list[_Part], list[_Part]]:
        """Return what to ask next, in order, and what is left for later.

        The first message asks everything. Later ones go by class, and within a class begin with the newest; with no
        budget to heed, higher classes come along as long as the message is small, which saves rounds. What is dated
        past `now` has to wait until nothing else is open.
        """
        if not self.rounds:
            return self._open, []
        early = _EARLY if self._budget is None else 0
        newest_first = sorted(self._open, reverse=True)
        parts = sorted(newest_first, key=lambda part: (part.late, part.item_class))
        asked: list[_Part] = []
        rest: list[_Part] = []
        size = 0
        for part in parts:
            room = target if part.item_class == parts[0].item_class else early
            if asked and (size >= room or part.late != parts[0].late):
                rest.append(part)
                continue
            pieces = part.split(self._view) if part.differs and not part.listed else [part]
            asked += pieces
            size += sum(piece.size for piece in pieces)
        return sorted(asked), rest

    def _question(self, part: _Part) -> Range:
        if part.listed:
            prefixes = map(self._salted.prefix, _cut(self._view.between(part.first, part.last), KEY_SIZE))
            return Range(part.low, part.high, Tag.LIST, b"".join(prefixes))
        return Range(part.low, part.high, Tag.FINGERPRINT, self._salted.fingerprint(part.first, part.last))


class _Part(NamedTuple):
    """A range of one's own line that is not settled: the keys number `first` up to, but not including, `last`.

    `differs` is False as long as a fingerprint may still show that it is the same; `late` parts lie past `now`.
    """

    low: bytes
    high: bytes
    first: int
    last: int
    differs: bool = False
    late: bool = False

    @property
    def item_class(self) -> int:
        return self.low[0] if self.low else 0

    @property
    def listed(self) -> bool:
        return self.differs and self.last - self.first <= _LISTED

    @property
    def size(self) -> int:
        """About how many bytes it takes to ask about this part, and never less than a fingerprint."""
        return _BOUND + max(_FINGERPRINT, (self.last - self.first) * _PREFIX if self.listed else 0)

    def split(self, keys: Keys) -> list[_Part]:
        """Cut into FANOUT parts of about equal count; there must be at least that many keys."""
        count = self.last - self.first
        cuts = [self.first + count * n // FANOUT for n in range(FANOUT + 1)]
        bounds = [self.low, *map(keys.separator, cuts[1:-1]), self.high]
        return [
            _Part(low, high, first, last, late=self.late)
            for (low, high), (first, last) in zip(pairwise(bounds), pairwise(cuts), strict=True)
        ]


def _first_parts(view: Keys, item_class: int, *, now: int, since: int, until: int) -> Iterator[_Part]:
    """Describe one class for the first message, the newest last.

    A list of the newest keys, before it ranges that grow into the past, and behind it whatever is dated past `now`.
    """
    if not 0 <= item_class < CLASSES:
        raise ValueError("no such class")
    low, end = _bound(item_class, since), _bound(item_class, until)
    past = max(low, min(end, _bound(item_class, now + LEEWAY + 1)))
    lowest, top = view.find(low), view.find(past)
    count = NEWEST[item_class]
    parts: list[_Part] = []
    high = past
    while low < high:
        first = top - count if top - lowest > count else lowest
        bound = view.separator(first) if first > lowest else low
        parts.append(_Part(bound, high, first, top, differs=not parts))
        high, top, count = bound, first, count * GROWTH
    yield from reversed(parts)
    if past < end:
        yield _Part(past, end, view.find(past), view.find(end), late=True)


class _Hearing:
    """What a reply says about the parts that were asked, taken in their order."""

    def __init__(self, view: Keys, salted: _Salted, said: list[Range]) -> None:
        self.have: list[bytes] = []
        self.need: list[bytes] = []
        self.open: list[_Part] = []
        self.headway = False
        self.used = 0
        """How many fingerprints and namings were about something asked."""
        self._view = view
        self._salted = salted
        self._said = said
        self._next = 0

    def about(self, part: _Part) -> None:
        """Apply what was said of one part; the rest of it stays open."""
        at, first = part.low, part.first
        opened = 0
        while at < part.high:
            while self._next < len(self._said) and self._said[self._next].high <= at:
                self._next += 1
            if self._next == len(self._said):
                self.open.append(part._replace(low=at, first=first))
                return
            said = self._said[self._next]
            high = min(said.high, part.high)
            last = part.last if high == part.high else self._view.find(high)
            piece = part._replace(low=at, high=high, first=first, last=last)
            if said.tag in _OF_MANY:
                if said.tag is Tag.NOTHING:
                    self.open.append(piece._replace(differs=True))
                else:
                    self.headway = True
            else:
                if said.low != at or said.high > part.high:
                    raise InvalidMessage("the reply speaks of more than one asked range at once")
                self.used += 1
                self.headway = True
                if said.tag is Tag.NAMED:
                    self._named(part, piece, said)
                else:
                    opened += 1
                    if part.listed or opened > FANOUT:
                        raise InvalidMessage("the reply opens what it must not")
                    if self._salted.fingerprint(first, last) != said.body:
                        self.open.append(piece._replace(differs=True))
            at, first = high, last

    def _named(self, part: _Part, piece: _Part, said: Range) -> None:
        """Compare the peer's keys in `piece` with ours; its bits count from the beginning of the whole part."""
        listed = part.last - part.first if part.listed else 0
        if int.from_bytes(said.body, "little") >> listed:
            raise InvalidMessage("the reply answers a list longer than the one sent")
        theirs = set(_cut(said.named, KEY_SIZE))
        mine = _cut(self._view.between(piece.first, piece.last), KEY_SIZE)
        bits = int.from_bytes(said.body, "little") >> (piece.first - part.first)
        self.have += [key for place, key in enumerate(mine) if not bits >> place & 1 and key not in theirs]
        self.need += sorted(theirs.difference(mine))


class _Answer:
    """One reply in the making: what is left to name, to look up and to send."""

    def __init__(self, index: Keys, request: Request) -> None:
        self._keys = index
        self._salted = _Salted(index, request.salt)
        self._asked = [asked for asked in request.ranges if asked.tag is not Tag.NOTHING]
        self._limit = min(request.limit or MAX_REPLY, MAX_REPLY)
        self._names = MAX_NAMES_LIMITED if request.limit else MAX_NAMES
        self._lookups = _MAX_LOOKUPS
        # An estimate that leaves a word for every range asked; the writer holds the real limit.
        self._room = self._limit - (1 + _BOUND) * len(self._asked)
        self._early = self._limit if request.limit else self._room - _EARLY
        self._said: dict[bytes, list[Range]] = {}
        self._unsettled: set[int] = set()

    def reply(self) -> bytes:
        """Answer lists first, so that the newest of every class are answered at once; then open what differs.

        Within a class the newest ranges come first, so that what a limit cuts off is old. While a lower class is
        unsettled, higher ones are opened only as long as the reply is small and the request has no limit.
        """
        lists = [asked for asked in reversed(self._asked) if asked.tag is Tag.LIST]
        classes = sorted({asked.item_class for asked in lists})
        reserve = self._names // FANOUT
        for position, item_class in enumerate(classes):
            share = self._names - reserve * (len(classes) - position - 1)
            for asked in lists:
                if asked.item_class == item_class:
                    share -= self._name(asked, share)
        for item_class in range(CLASSES):
            is_lowest = all(item_class <= unsettled for unsettled in self._unsettled)
            for asked in reversed(self._asked):
                if asked.tag is Tag.FINGERPRINT and asked.item_class == item_class:
                    self._compare(asked, may_open=is_lowest or self._room > self._early)
        writer = _Writer(limit=self._limit - 1, most=_MAX_SAID)
        for asked in self._asked:
            for said in self._said[asked.low]:
                writer.say(said)
        return bytes([VERSION]) + writer.finish()

    def _name(self, asked: Range, share: int) -> int:
        """Answer a list, from the newest key down to where the share, the room or the lookups end.

        Returns how many keys that names.
        """
        keys = self._keys
        low, high = keys.find(asked.low), keys.find(asked.high)
        at = high
        share = min(share, (self._room - _BOUND - 4) // KEY_SIZE)
        places = {prefix: place for place, prefix in enumerate(_cut(asked.body, _PREFIX))}
        bits = 0
        extra: list[bytes] = []
        while at > low:
            key = keys[at - 1]
            place = None
            if places:
                if not self._lookups:
                    break
                self._lookups -= 1
                place = places.get(self._salted.prefix(key))
            if place is not None:
                bits |= 1 << place
            elif len(extra) < share:
                extra.append(key)
            else:
                break
            at -= 1
        self._names -= len(extra)
        self._room -= len(extra) * KEY_SIZE + len(places) // 8
        if at == low and not extra and bits.bit_count() == len(places):
            self._said[asked.low] = [Range(asked.low, asked.high, Tag.SAME)]
            return 0
        bound = asked.low
        said = self._said[asked.low] = []
        if at > low:
            self._unsettled.add(asked.item_class)
            bound = asked.high if at == high else keys.separator(at)
            said.append(Range(asked.low, bound, Tag.NOTHING))
        if bound != asked.high:
            body = bits.to_bytes((bits.bit_length() + 7) // 8, "little")
            said.append(Range(bound, asked.high, Tag.NAMED, body, b"".join(reversed(extra))))
        return len(extra)

    def _compare(self, asked: Range, *, may_open: bool) -> None:
        """Answer a fingerprint: the same, or every key there, or fingerprints of its parts, or nothing now."""
        low, high = self._keys.find(asked.low), self._keys.find(asked.high)
        count = high - low
        if self._salted.fingerprint(low, high) == asked.body:
            said = [Range(asked.low, asked.high, Tag.SAME)]
        elif may_open and count <= min(FANOUT, self._names) and count * KEY_SIZE < self._room:
            said = [Range(asked.low, asked.high, Tag.NAMED, b"", self._keys.between(low, high))]
            self._names -= count
            self._room -= count * KEY_SIZE
        elif may_open and count > FANOUT and self._room > _OPENED:
            said = [
                Range(part.low, part.high, Tag.FINGERPRINT, self._salted.fingerprint(part.first, part.last))
                for part in _Part(asked.low, asked.high, low, high).split(self._keys)
            ]
            self._room -= _OPENED
            self._unsettled.add(asked.item_class)
        else:
            said = [Range(asked.low, asked.high, Tag.NOTHING)]
            self._unsettled.add(asked.item_class)
        self._said[asked.low] = said


class _Salted:
    """The two hashes of an exchange; the salt makes them unforeseeable, so that nobody can make up keys to fit."""

    def __init__(self, keys: Keys, salt: bytes) -> None:
        self._buffer = memoryview(keys.buffer)
        self._salt = salt

    def fingerprint(self, first: int, last: int) -> bytes:
        digest = hashlib.sha256(self._salt)
        digest.update(self._buffer[first * KEY_SIZE : last * KEY_SIZE])
        return digest.digest()[:_FINGERPRINT]

    def prefix(self, key: bytes) -> bytes:
        return hashlib.sha256(self._salt + key).digest()[:_PREFIX]


class _Writer:
    """Packs ranges in ascending order; leaves the last ones out when they do not fit."""

    def __init__(self, *, limit: int, most: int) -> None:
        self._out = bytearray()
        self._limit = limit
        self._most = most
        self._bound = b""
        self._waiting: Range | None = None
        """The last range, which may still grow."""

    def say(self, said: Range) -> None:
        """Add a range; what lies between it and the last one was not asked, and any word may cover it."""
        last = self._waiting
        if said.tag in _OF_MANY:
            if last and last.tag is said.tag:
                self._waiting = last._replace(high=said.high)
                return
            said = said._replace(low=last.high if last else b"")
        elif last and last.high != said.low and last.tag in _OF_MANY:
            self._waiting = last._replace(high=said.low)
        elif said.low != (last.high if last else b""):
            self._put()
            self._waiting = Range(b"", said.low, Tag.NOTHING)
        self._put()
        self._waiting = said

    def finish(self) -> bytes:
        """Return all that was said."""
        self._put()
        return bytes(self._out)

    def _put(self) -> None:
        said = self._waiting
        if said is None:
            return
        shared = _shared(self._bound, said.high)
        packed = bytes([said.tag << 5 | shared, len(said.high) - shared]) + said.high[shared:]
        if said.tag is Tag.LIST:
            packed += bytes([len(said.body) // _PREFIX])
        elif said.tag is Tag.NAMED:
            packed += bytes([len(said.body)]) + (len(said.named) // KEY_SIZE).to_bytes(2, "big")
        packed += said.body + said.named
        if len(self._out) + len(packed) > self._limit or not self._most:
            self._limit = 0
            return
        self._most -= 1
        self._bound = said.high
        self._out += packed


class _Reader:
    """Unpacks ranges; refuses at the first byte that cannot be."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def ranges(self, tags: tuple[Tag, ...], *, most: int) -> Iterator[Range]:
        low = b""
        while self._at < len(self._data):
            if not most:
                raise InvalidMessage("too many ranges")
            most -= 1
            head, length = self._take(2)
            number, shared = head >> 5, head & 31
            if number >= len(_TAGS) or _TAGS[number] not in tags:
                raise InvalidMessage(f"a range with the tag {number}")
            high = self._bound(low, shared, length)
            said = self._body(low, high, _TAGS[number])
            if said.tag not in _OF_MANY and high > bytes([said.item_class + 1]):
                raise InvalidMessage("a range over more than one class")
            yield said
            low = high

    def _bound(self, low: bytes, shared: int, length: int) -> bytes:
        rest = self._take(length)
        # The first byte that differs is the larger one: that alone makes bounds ascend, and each has one form.
        if not rest or shared > len(low) or (shared < len(low) and rest[0] <= low[shared]):
            raise InvalidMessage("bounds do not ascend")
        high = low[:shared] + rest
        if len(high) > KEY_SIZE or high > _END:
            raise InvalidMessage("a bound past the end")
        return high

    def _body(self, low: bytes, high: bytes, tag: Tag) -> Range:
        if tag is Tag.FINGERPRINT:
            return Range(low, high, tag, self._take(_FINGERPRINT))
        if tag is Tag.LIST:
            (count,) = self._take(1)
            return Range(low, high, tag, self._take(count * _PREFIX))
        if tag is Tag.NAMED:
            width, count = struct.unpack(">BH", self._take(3))
            bits = self._take(width)
            if bits.endswith(b"\0"):
                raise InvalidMessage("bits with an empty byte at the end")
            named = self._take(count * KEY_SIZE)
            keys = _cut(named, KEY_SIZE)
            if keys and not (low <= keys[0] and keys[-1] < high and all(one < two for one, two in pairwise(keys))):
                raise InvalidMessage("keys out of order or outside of their range")
            return Range(low, high, tag, bits, named)
        return Range(low, high, tag)

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise InvalidMessage("cut off")
        self._at += count
        return taken


def _parse_reply(data: bytes) -> list[Range]:
    if len(data) > MAX_REPLY:
        raise InvalidMessage(f"a reply of {len(data)} bytes, at most {MAX_REPLY} are allowed")
    if not data or data[0] != VERSION:
        raise InvalidMessage("not a reply of this version")
    said = list(_Reader(data, 1).ranges(_IN_REPLY, most=_MAX_SAID))
    if sum(len(one.named) for one in said) > MAX_NAMES * KEY_SIZE:
        raise InvalidMessage(f"more than {MAX_NAMES} keys in a reply")
    return said


def _bound(item_class: int, sent: int) -> bytes:
    """Return the lowest bound of a class, or of what was sent in it at `sent` or later."""
    if sent <= 0:
        return bytes([item_class]) if item_class else b""
    if sent >= _TIMES:
        return bytes([item_class + 1])
    return (item_class << 56 | sent).to_bytes(8, "big")


def _shared(first: bytes, second: bytes) -> int:
    """Return how many bytes two strings begin with in common."""
    for at, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return at
    return min(len(first), len(second))


def _cut(data: bytes, size: int) -> list[bytes]:
    return [piece for (piece,) in struct.iter_unpack(f"{size}s", data)]
