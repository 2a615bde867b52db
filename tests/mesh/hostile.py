"""Relays that lie, hold back, repeat, flood and promise: each is an `Answers` with something of its own in front."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Urgency
from meshrelay.core.envelope import Header, Kind
from meshrelay.core.keys import SigningKey
from meshrelay.core.reconcile import Keys, answer
from meshrelay.core.statements import Revocation
from meshrelay.errors import PeerFault, PeerUnreachable
from meshrelay.peers import wire
from meshrelay.peers.answers import Answers, Asked, Reply
from meshrelay.peers.talk import Talk
from tests.mesh.simulator import PORT, START, SimRelay


class _Hostile(Answers):
    """As honest as can be, until something is overridden; `known` are keys that honest relays anchor."""

    known: tuple[bytes, ...] = ()

    def __init__(self, relay: SimRelay) -> None:
        super().__init__(relay.side, port=PORT)
        self._relay = relay
        self._rolls = random.Random(f"hostile {relay.world.seed} {relay.number} {relay.boots}")

    async def _attack(self) -> None:
        """Do nothing of its own accord."""

    def begin(self) -> None:
        """Start what it does of its own accord."""
        self._relay.world.spawn(self._attack())


class Withholds(_Hostile):
    """Takes everything and gives nothing of what is urgent."""

    async def answer(self, method: str, path: str, asked: Asked) -> Reply:
        if (method, path) == ("POST", "reconcile"):
            shown = Keys.of(key for key in self._relay.index.keys if key[0] == 3)
            return Reply(answer(shown, asked.body))
        return await super().answer(method, path, asked)


class Promises(_Hostile):
    """Names items that do not exist, says the best of them, and then gives nothing, junk, or no answer at all.

    It offers them, too, and with them whatever others could give, and gives nothing of it.
    """

    def __init__(self, relay: SimRelay) -> None:
        super().__init__(relay)
        self._made_up = [
            bytes([number % 3]) + (START + number).to_bytes(7, "big") + self._rolls.randbytes(16)
            for number in range(60)
        ]

    async def answer(self, method: str, path: str, asked: Asked) -> Reply:
        if (method, path) == ("POST", "reconcile"):
            return Reply(answer(self._relay.index.keys.changed(add=self._made_up), asked.body))
        if (method, path) == ("POST", "summaries"):
            return Reply(wire.pack_summaries(self._claim(key) for key in wire.unpack_keys(asked.body)))
        if (method, path) == ("POST", "items"):
            how = self._rolls.randrange(4)
            if how == 0:
                await asyncio.sleep(60)
            if how == 1:
                return Reply(wire.pack_items([b"\x01", b"\x02"]), wire.BATCH, settled=1)
            if how == 2:
                return Reply(wire.pack_items([]), wire.BATCH, settled=len(asked.body) // wire.KEY_SIZE)
        return await super().answer(method, path, asked)

    async def _attack(self) -> None:
        while True:
            await asyncio.sleep(self._rolls.uniform(0.5, 2))
            relay = self._relay
            if not relay.up:
                continue
            held = [one for one in await relay.side.summaries(list(relay.index.keys)) if one is not None]
            some = self._rolls.sample(held, min(len(held), 200)) + [self._claim(key) for key in self._made_up[:50]]
            await _speak(relay, self._rolls, partial(_offer, some))

    def _claim(self, key: bytes) -> Header:
        """Say that it is the most urgent word of a sender whom everybody knows."""
        return Header(
            id=key[8:],
            author=self._rolls.choice(self.known),
            kind=Kind.BULLETIN,
            item_class=key[0],
            sent=int.from_bytes(key[1:8], "big"),
            size=300,
            urgency=Urgency.IMMEDIATE,
        )


class Replays(_Hostile):
    """Gives everybody everything it has, again and again, what was taken back above all."""

    async def _attack(self) -> None:
        while True:
            await asyncio.sleep(self._rolls.uniform(5, 15))
            relay = self._relay
            if not relay.up:
                continue
            keys = list(relay.index.keys)
            self._rolls.shuffle(keys)
            items, _ = await relay.side.items(keys[:60])
            await _put(relay, self._rolls, [data for _, data in items])


class Floods(_Hostile):
    """Makes keys and their own revocations without number, and gives them to everybody."""

    async def _attack(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(self._rolls.uniform(1, 3))
            relay = self._relay
            if not relay.up:
                continue
            batch = []
            for _ in range(10):
                number += 1
                key = SigningKey.from_seed(
                    hashlib.sha256(f"throwaway {relay.world.seed} {relay.number} {number}".encode()).digest()
                )
                batch.append(sign(Revocation(START + int(relay.world.moment), key.public), key).data)
            await _put(relay, self._rolls, batch)


class Equivocates(_Hostile):
    """Shows each relay that asks another half of what it has."""

    async def answer(self, method: str, path: str, asked: Asked) -> Reply:
        if (method, path) == ("POST", "reconcile"):
            shown = Keys.of(key for key in self._relay.index.keys if (key[-1] ^ asked.caller[0]) & 1)
            return Reply(answer(shown, asked.body))
        return await super().answer(method, path, asked)


class Drags(_Hostile):
    """Answers every request just before nobody waits for it any more."""

    patience = 119.0

    async def answer(self, method: str, path: str, asked: Asked) -> Reply:
        if path != "hello":
            await asyncio.sleep(self.patience - 9)
        return await super().answer(method, path, asked)


KINDS: tuple[type[_Hostile], ...] = (Withholds, Promises, Replays, Floods, Equivocates)


def hostile(kind: type[_Hostile], *, known: tuple[bytes, ...]) -> Callable[[SimRelay, Answers], Answers]:
    """Return what makes a relay of a world hostile in this way."""

    def make(relay: SimRelay, _: Answers) -> Answers:
        answers = kind(relay)
        answers.known = known
        answers.begin()
        return answers

    return make


async def _offer(headers: Sequence[Header], link: Talk) -> None:
    await link.offer(headers)


async def _put(relay: SimRelay, rolls: random.Random, datas: list[bytes]) -> None:
    """Give items to one of those whom it can reach."""
    if datas:
        await _speak(relay, rolls, lambda link: link.give(wire.pack_items(datas), count=len(datas)))


async def _speak(relay: SimRelay, rolls: random.Random, say: Callable[[Talk], Awaitable[object]]) -> None:
    """Say something to one of those whom it can reach."""
    near = [one for one in relay.world.relays if one is not relay and relay.world.joined(relay, one)]
    if not near:
        return
    try:
        async with relay.dial(rolls.choice(near)) as link:
            await say(link)
    except (PeerFault, PeerUnreachable):
        return
