"""What happens in a simulated world, and what is seen at its end: each scenario is one function of its seed."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, MsgType, Severity, Text, Urgency
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.core.trust import Author, Standing
from meshrelay.listing import Query
from meshrelay.peers.wire import Answer
from tests.mesh.hostile import KINDS, Floods, Promises, hostile
from tests.mesh.simulator import START, SimRelay, Weather, World

DAY = 86_400
YEARS = 2 * 365 * DAY
_ALONE = 1_800  # seconds without a contact after which a laptop is closed


def key(name: str) -> SigningKey:
    return SigningKey.from_seed(name.encode().ljust(32, b"."))


def notice(
    by: SigningKey,
    number: int,
    *,
    sent: int,
    severity: Severity = Severity.UNKNOWN,
    urgency: Urgency = Urgency.UNKNOWN,
    acts_on: tuple[bytes, ...] = (),
    act: MsgType = MsgType.CANCEL,
    life: int = 20 * DAY,
    words: str = "",
) -> SignedItem:
    """Sign a bulletin; the same arguments give the same item."""
    return sign(
        Bulletin(
            sent=sent,
            expires=sent + life,
            chain=Chain(b"stream-1", number + 1),
            texts=(Text("en", "Notice", f"Notice number {number}", words),),
            severity=severity,
            urgency=urgency,
            msg_type=act if acts_on else MsgType.ALERT,
            references=acts_on,
        ),
        by,
    )


@dataclass(frozen=True, slots=True)
class Converged:
    """What the scenario of G6 has shown; times in virtual seconds after the healing, None where it never came."""

    seed: int
    known_after: float | None
    """Until every honest relay held every item of known senders and all statements about them."""
    all_after: float | None
    """Until it held what honest unknown senders said, too."""
    lies: tuple[str, ...]
    """What was shown at the end that should not have been."""
    requests: int
    passed: int
    trace: str


async def healing(folder: Path, *, seed: int, relays: int = 50, most: float = 300.0) -> Converged:
    """G6: partitions, 30 % loss, crashes, clocks off by up to 2 years, a fifth of the relays hostile; then it heals."""
    dice = random.Random(f"healing {seed}")
    roots = [key(f"root {number}") for number in range(3)]
    lost = key("a root that is taken back")
    strangers = [key(f"stranger {number}") for number in range(4)]
    known = tuple(one.public for one in (*roots, lost))
    world = World(folder, seed=seed, weather=Weather(loss=0.3, latency=0.01))
    rooms = [f"room {number}" for number in range(dice.choice([1, 3, 5]))]
    for number in range(relays):
        evil = number % 5 == 4
        world.add(
            networks=[rooms[number % len(rooms)]],
            clock_off=dice.randint(-YEARS, YEARS) if dice.random() < 0.3 and number >= 3 else 0,
            knows=known,
            hostile=hostile(KINDS[number // 5 % len(KINDS)], known=known) if evil else None,
        )
    honest = [one for one in world.relays if one.hostile is None]
    bridges = honest[: 2 * len(rooms)]
    said, taken_back, over = await _days_before(world, honest, dice, roots, lost, strangers)

    # Healing: every room is joined to the next by two honest relays, and everybody is up.
    for relay in honest:
        if not relay.up:
            relay.boot()
    for number, relay in enumerate(bridges):
        home = rooms[relay.number % len(rooms)]
        world.move(relay, {home, rooms[(relay.number + 1 + number % 2) % len(rooms)]})
    for number, relay in enumerate(world.relays):
        if relay not in bridges:
            world.move(relay, [rooms[number % len(rooms)]])
    unknown = {one.public for one in strangers}
    from_known = [item for item in said if item.author not in unknown]
    known_after = await world.until(lambda: all(one.holds(from_known) for one in honest), most=most)
    all_after = await world.until(lambda: all(one.holds(said) for one in honest), most=most)
    if all_after is not None and known_after is not None:
        all_after += known_after
    lies = tuple(lie for one in honest for lie in _lies(one, taken_back, over, lost.public))
    await world.end()
    return Converged(seed, known_after, all_after, lies, world.requests, world.passed, world.trace)


async def _days_before(
    world: World,
    honest: Sequence[SimRelay],
    dice: random.Random,
    roots: Sequence[SigningKey],
    lost: SigningKey,
    strangers: Sequence[SigningKey],
) -> tuple[list[SignedItem], set[bytes], set[bytes]]:
    """Sixty seconds in pieces; return what was said, what of it was taken back, and what had its time."""
    world.spawn(world.announce())
    for relay in world.relays:
        relay.boot()
        await asyncio.sleep(dice.uniform(0, 0.1))
    said: list[SignedItem] = []
    taken_back: set[bytes] = set()
    over: set[bytes] = set()

    def say(item: SignedItem) -> SignedItem:
        said.append(item)
        dice.choice([one for one in honest if one.up]).publish(item)
        return item

    revoked = [say(notice(lost, number, sent=START - 100 + number)) for number in range(4)]
    for number in range(36):
        await asyncio.sleep(dice.uniform(0.5, 2.5))
        now = START + int(world.moment)
        by = dice.choice([*roots, *roots, *strangers])
        severity = dice.choice([Severity.EXTREME, Severity.SEVERE, Severity.MINOR, Severity.UNKNOWN])
        item = say(notice(by, 100 * number, sent=now, severity=severity, urgency=dice.choice(list(Urgency))))
        if number % 5 == 1:
            act = dice.choice([MsgType.CANCEL, MsgType.UPDATE])
            say(notice(by, 100 * number + 1, sent=now + 1, acts_on=(item.id,), act=act))
            taken_back.add(item.id)
        if number % 9 == 2:
            over.add(say(notice(by, 100 * number + 2, sent=now - DAY, life=DAY - 3600)).id)
        if number == 20:
            say(sign(Revocation(now, lost.public), lost))
            taken_back |= {one.id for one in revoked}
        if number % 4 == 3:
            relay = dice.choice(honest[3:])
            if relay.up:
                await relay.crash()
            else:
                relay.boot()
        if number % 6 == 4:
            # One walks into a room of its own, and stays there until the healing.
            world.move(dice.choice(honest[3:]), [f"alone {number}"])
    return said, taken_back, over


def _lies(relay: SimRelay, taken_back: set[bytes], over: set[bytes], lost: bytes) -> Iterator[str]:
    """Name what a relay shows as holding that does not."""
    clock = relay.clock()
    live = frozenset({Standing.LIVE})
    for one in relay.relay.bulletins(Query(standings=live, limit=500), clock).shown:
        word = f"relay {relay.number} shows {one.header.id.hex()[:8]}"
        if one.header.author == lost and one.verdict.author is not Author.REVOKED:
            yield f"{word} of a revoked key"
        elif one.header.id in taken_back and one.verdict.author is not Author.REVOKED:
            yield f"{word}, which was taken back"
        elif one.header.id in over:
            yield f"{word}, which is over"


async def gathering(folder: Path, *, seed: int) -> float | None:
    """A few relays come, go, crash and speak; then all are in one room: virtual seconds until all hold everything."""
    dice = random.Random(f"gathering {seed}")
    senders = [key(f"clinic {number}") for number in range(2)]
    known = [one.public for one in senders if dice.random() < 0.7]
    weather = Weather(loss=dice.choice([0.0, 0.0, 0.05]), latency=dice.choice([0.002, 0.02, 0.1]))
    world = World(folder, seed=seed, weather=weather)
    for number in range(dice.randint(2, 6)):
        world.add(networks=[dice.choice(["room", f"home {number}"])], knows=known)
    world.spawn(world.announce())
    for relay in world.relays[:1] + [one for one in world.relays[1:] if dice.random() < 0.8]:
        relay.boot()
    said: list[SignedItem] = []

    def say() -> None:
        said.append(notice(dice.choice(senders), len(said), sent=START + int(world.moment)))
        dice.choice([one for one in world.relays if one.up]).publish(said[-1])

    say()
    for _ in range(dice.randint(0, 8)):
        await asyncio.sleep(dice.choice([0, 0.05, 0.3, 1, 5, 12]))
        relay, what = dice.choice(world.relays), dice.choice(["say", "say", "crash", "boot", "move"])
        if what == "say":
            say()
        elif what == "crash" and sum(one.up for one in world.relays) > 1:
            await relay.crash()
        elif what == "boot" and not relay.up:
            relay.boot()
        elif what == "move":
            world.move(relay, [dice.choice(["room", "another room"])])
    for relay in world.relays:
        if not relay.up:
            relay.boot()
        world.move(relay, ["room"])
    took = await world.until(lambda: all(one.holds(said) for one in world.relays), most=60, step=0.05)
    await world.end()
    return took


@dataclass(frozen=True, slots=True)
class Reached:
    """What the scenario of G7 has shown: virtual seconds until so many of the relays had the revocation."""

    seed: int
    after: tuple[float, ...]
    """For each relay that got it, sorted."""
    backlog_there: float
    """The part of the backlog that the relays held, on average, when the last of them had the revocation."""
    trace: str


async def revocation_under_load(
    folder: Path, *, seed: int, relays: int = 50, backlog: int = 10_000, rate: float = 64 * 1024, hostiles: int = 5
) -> Reached:
    """G7: links of 64 KB/s full with a backlog, a flood of throwaway statements; then a key is taken back."""
    root, other = key("root 0"), key("root 1")
    known = (root.public, other.public)
    # One sender's backlog has to find room within what a store lets one key have.
    world = World(folder, seed=seed, weather=Weather(latency=0.02, rate=rate), store=400_000_000)
    for number in range(relays):
        evil = number >= relays - hostiles
        world.add(knows=known, hostile=hostile(Floods, known=known) if evil else None)
    honest = [one for one in world.relays if one.hostile is None]
    dice = random.Random(f"backlog {seed}")
    words = [dice.randbytes(200).hex() for _ in range(50)]
    held = [notice(other, n, sent=START - 2 * backlog + n, words=words[n % 50]) for n in range(backlog)]
    world.spawn(world.announce())
    for relay in world.relays:
        relay.boot()
    for relay in honest[:3]:
        relay.publish(*held)
    await asyncio.sleep(0.1)
    if not all(one.holds(held) for one in honest[:3]):
        raise RuntimeError("there is no room for the backlog")
    await asyncio.sleep(dice.uniform(2, 10))
    word = sign(Revocation(START + int(world.moment), root.public), root)
    began = world.moment
    dice.choice(honest[3:]).publish(word)
    await world.until(lambda: all(one.holds([word]) for one in honest), most=120.0, step=0.1)
    there = sum(min(len(one.index.keys), backlog) for one in honest[3:]) / (backlog * (len(honest) - 3))
    after = sorted(one.arrived[word.id] - began for one in honest if word.id in one.arrived)
    await world.end()
    return Reached(seed, tuple(after), there, world.trace)


@dataclass(frozen=True, slots=True)
class Backlog:
    """What became of a backlog on thin links: virtual seconds until all had it, and the bytes that crossed."""

    seed: int
    after: float | None
    said: Counter[Answer]
    """What honest relays said of what they were given."""
    passed: int
    needed: int
    """Bytes of the backlog, as many times as it had to be given."""


async def backlog(
    folder: Path, *, seed: int, relays: int = 10, count: int = 2_000, rate: float = 64 * 1024, promising: int = 0
) -> Backlog:
    """One relay has a backlog and the others have nothing; as many more as are `promising` offer it and never give."""
    sender = key("clinic")
    dice = random.Random(f"backlog {seed}")
    words = [dice.randbytes(200).hex() for _ in range(50)]
    items = [notice(sender, n, sent=START - 2 * count + n, words=words[n % 50]) for n in range(count)]
    world = World(folder, seed=seed, weather=Weather(latency=0.02, rate=rate), store=400_000_000)
    for number in range(relays + promising):
        evil = number >= relays
        world.add(knows=[sender.public], hostile=hostile(Promises, known=(sender.public,)) if evil else None)
    honest = world.relays[:relays]
    world.spawn(world.announce())
    for relay in world.relays:
        relay.boot()
    honest[0].publish(*items)
    took = await world.until(lambda: all(one.holds(items) for one in honest), most=600)
    needed = (relays - 1) * sum(item.header.size for item in items)
    shown = Backlog(seed, took, world.said, world.passed, needed)
    await world.end()
    return shown


Contact = tuple[int, tuple[tuple[int, int], ...]]


def contacts(path: Path, *, day: int | None = None) -> list[Contact]:
    """Read who met whom, by seconds: in each 20 s that end then; people are numbered from 0.

    Of hours in which nobody meets anybody, nights above all, half an hour is left.
    """
    with gzip.open(path, "rt") as file:
        lines = [tuple(map(int, line.split())) for line in file]
    lines = [line for line in lines if day is None or line[0] // DAY == day]
    people = {name: number for number, name in enumerate(sorted({one for line in lines for one in line[1:]}))}
    found: list[Contact] = []
    cut, before = 0, lines[0][0]
    for at, some in groupby(lines, key=lambda line: line[0]):
        cut += max(0, at - before - _ALONE)
        before = at
        found.append((at - cut, tuple((people[one], people[other]) for _, one, other in some)))
    return found


def ideal(trace: Sequence[Contact], born: Sequence[tuple[int, int]]) -> list[set[int]]:
    """Return whom each item reaches, (when, where) it was born, if every contact moved everything at once."""
    reached: list[set[int]] = [set() for _ in born]
    for at, pairs in trace:
        for number, (when, where) in enumerate(born):
            if when <= at - 20:
                reached[number].add(where)
        # Who stands together in one interval is one crowd.
        for crowd in _crowds(pairs):
            for some in reached:
                if not some.isdisjoint(crowd):
                    some |= crowd
    return reached


def _hours(trace: Sequence[Contact]) -> Iterator[tuple[int, tuple[tuple[int, int], ...], set[int]]]:
    """Yield when each interval begins, who is in contact in it, and who of them then meets nobody for half an hour.

    Where nobody is in contact, an interval without pairs says so.
    """
    met: dict[int, int] = {}
    found: list[tuple[int, tuple[tuple[int, int], ...], set[int]]] = []
    after = 0
    for at, pairs in reversed(trace):
        if after != at + 20:
            found.append((at, (), set()))
        here = {one for pair in pairs for one in pair}
        found.append((at - 20, pairs, {one for one in here if one not in met or met[one] - at >= _ALONE}))
        met |= dict.fromkeys(here, at - 20)
        after = at
    return reversed(found)


def _crowds(pairs: Sequence[tuple[int, int]]) -> list[set[int]]:
    crowds: list[set[int]] = []
    for pair in pairs:
        touching = [one for one in crowds if not one.isdisjoint(pair)]
        crowds = [one for one in crowds if one.isdisjoint(pair)]
        crowds.append(set(pair).union(*touching))
    return crowds


@dataclass(frozen=True, slots=True)
class Office:
    """What the replay of contacts has shown: pairs of item and person, reached here and in an ideal epidemic."""

    people: int
    reached: int
    ideal: int
    requests: int
    trace: str

    @property
    def share(self) -> float:
        return self.reached / self.ideal


async def office(folder: Path, trace: Sequence[Contact], *, seed: int, items: int = 20) -> Office:
    """Replay contacts: two relays hear each other while, and only while, their people are in contact.

    Who meets nobody for half an hour closes the laptop, which has then lost its memory.
    """
    people = 1 + max(one for _, pairs in trace for pair in pairs for one in pair)
    dice = random.Random(f"office {seed}")
    start = trace[0][0] - 20
    root = key("root 0")
    world = World(folder, seed=seed, weather=Weather(latency=0.01, rate=250_000), housekeeping=(400.0, 800.0))
    for _ in range(people):
        world.add(networks=[], knows=[root.public])
    # Born where somebody is, in the first two thirds of the time.
    moments = sorted(dice.choice(trace[: 1 + len(trace) * 2 // 3])[0] - 20 for _ in range(items))
    active = {at: sorted({one for pair in pairs for one in pair}) for at, pairs in trace}
    born = [(when, dice.choice(active[when + 20])) for when in moments]
    world.spawn(world.announce())
    words = [notice(root, n, sent=START + when - start) for n, (when, _) in enumerate(born)]
    waiting = list(zip(born, words, strict=True))
    before: set[tuple[int, int]] = set()
    going: set[int] = set()
    for begins, pairs, leaving in _hours(trace):
        await asyncio.sleep(max(0.0, begins - start - world.moment))
        for one in sorted(going):
            await world.relays[one].crash()
            world.move(world.relays[one], [])
        going = leaving
        now = set(pairs)
        for one in sorted({one for pair in now for one in pair}):
            if not world.relays[one].up:
                world.relays[one].boot()
        for one in sorted({one for pair in before ^ now for one in pair}):
            world.move(world.relays[one], [f"{low}-{high}" for low, high in now if one in (low, high)])
        while waiting and waiting[0][0][0] <= begins:
            (_, where), item = waiting.pop(0)
            world.relays[where].publish(item)
        before = now
    for relay in world.relays:
        if not relay.up:
            relay.boot()  # to be asked what it has stored
    reached = sum(one.holds([word]) for one in world.relays for word in words)
    most = sum(len(some) for some in ideal(trace, born))
    await world.end()
    return Office(people, reached, most, world.requests, world.trace)
