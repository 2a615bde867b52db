"""A small relay with real items in a temporary store, and the reader's listener over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Area, Bulletin, Chain, Circle, MsgType, Point, Severity, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.trust import Anchor, How
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.settings import Settings
from meshrelay.status import PeerStatus, RelayStatus, Rung
from meshrelay.store import Store
from meshrelay.web.reader import Reader, make_reader
from meshrelay.web.security import SERVER_OPTIONS

P = ParamSpec("P")
T = TypeVar("T")
Client = TestClient[web.Request, web.Application]

NOW = 1_931_504_760  # 2031-03-17 14:06 in UTC+5
HOUR = 3600
PLACE = Area(
    names=(("en", "North Bank"), ("ru", "Северный берег")),
    circles=(Circle(Point(47_100_000, 69_200_000), 700),),
    polygons=(
        (
            Point(47_100_000, 69_200_000),
            Point(47_100_000, 69_210_000),
            Point(47_110_000, 69_210_000),
            Point(47_100_000, 69_200_000),
        ),
    ),
)


def text(headline: str, language: str = "en", **fields: str) -> Text:
    return Text(language, fields.pop("event", "Notice"), headline, **fields)


@dataclass
class Author:
    """A key that signs one bulletin after the other."""

    number: int
    key: SigningKey = field(init=False)
    seq: int = 0
    last: bytes | None = None

    def __post_init__(self) -> None:
        self.key = SigningKey.from_seed(bytes([self.number]) * 32)

    def sign(self, *texts: Text, sent: int = NOW - HOUR, life: int = 8 * HOUR, **fields: Any) -> SignedItem:
        self.seq += 1
        chain = Chain(bytes([self.number]) * 8, self.seq, self.last)
        body = Bulletin(sent=sent, expires=sent + life, chain=chain, texts=texts, **fields)
        item = sign(body, self.key)
        self.last = item.id
        return item


@dataclass
class Place:
    """One relay: what is put in is on its pages."""

    relay: Relay
    settings: Settings
    now: int = NOW
    doubtful: bool = False
    last_exchange: int | None = NOW - 240
    rungs: tuple[Rung, ...] = (Rung("mdns", tries=3, tried=NOW - 60),)
    peers: tuple[PeerStatus, ...] = (PeerStatus("meshrelay://10.0.0.2:8443", name="Old Mill", connected=True),)

    @classmethod
    def open(cls, folder: Path, **settings: Any) -> Place:
        relay = Relay(Store.open(folder / "store.db"), Local.open(folder / "local.db"), Keyring(folder / "keys"))
        return cls(relay, Settings(folder, name="Three Poplars", time_zone="UTC+5", **settings))

    def anchor(self, author: Author, name: str, how: How = How.DIGITS) -> None:
        self.relay.local.add_anchor(Anchor(author.key.public, name, NOW - 14 * 86400, how))
        self.relay.refresh()

    def put(self, *items: SignedItem, received: int = NOW - 600) -> None:
        self.relay.store.put_many(items, received=received)

    def reader(self, status: Callable[[], RelayStatus] | None = None) -> Reader:
        return make_reader(
            relay=self.relay,
            clock=lambda: Clock(self.now, doubtful=self.doubtful),
            read=on_thread,
            write=on_thread,
            settings=self.settings,
            status=status or self.status,
        )

    def status(self) -> RelayStatus:
        return RelayStatus(
            self.settings.name,
            bytes(32),
            NOW - HOUR,
            self.now,
            bulletins=self.relay.store.usage().bulletins,
            last_exchange=self.last_exchange,
            peers=self.peers,
            rungs=self.rungs,
        )


@asynccontextmanager
async def browsing(app: web.Application) -> AsyncIterator[Client]:
    """Serve an application as a relay does, and give a client of it."""
    server = TestServer(app, host="127.0.0.1")
    options: dict[str, Any] = dict(SERVER_OPTIONS)
    await server.start_server(**options)
    async with TestClient(server) as client:
        yield client


async def on_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return await asyncio.to_thread(function, *args, **kwargs)


def fill(place: Place) -> dict[str, SignedItem]:
    """Put in one of each sort that pages tell apart; the two known senders are anchored."""
    rescue, water, stranger = Author(1), Author(2), Author(3)
    place.anchor(rescue, "Lailak Valley Rescue")
    place.anchor(water, "Bozkanat Waterworks", How.KEY)
    first = rescue.sign(text("Shots heard at the station"), severity=Severity.EXTREME)
    found = {
        "first": first,
        "update": rescue.sign(
            text("Shots near Station Square", description="Two wounded.", instruction="Stay inside."),
            text("صدای تیراندازی", "fa", instruction="داخل خانه بمانید."),
            severity=Severity.EXTREME,
            areas=(PLACE,),
            msg_type=MsgType.UPDATE,
            references=(first.id,),
            sent=NOW - 41 * 60,
        ),
        "water": water.sign(text("Boil tap water", instruction="Boil for one minute."), severity=Severity.SEVERE),
        "bread": water.sign(text("Хлеб и вода", "ru"), severity=Severity.MINOR),
        "bridge": rescue.sign(text("Mill Street bridge closed"), severity=Severity.MODERATE),
        "ended": water.sign(text("Water trucks on Clay Hill"), sent=NOW - 30 * HOUR),
        "rumour": stranger.sign(
            text("Bank machines work tomorrow", sender_name="City News 24"), severity=Severity.EXTREME
        ),
        "uyghur": stranger.sign(text("سۇ كەلدى", "ug")),
    }
    found["cancel"] = rescue.sign(
        text("Mill Street bridge closed"),
        msg_type=MsgType.CANCEL,
        references=(found["bridge"].id,),
        note="open on foot",
        sent=NOW - 1200,
    )
    place.put(*found.values())
    return found
