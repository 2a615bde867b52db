"""Every route that a relay answers is in docs/spec/http.md, and none is there that it does not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from aiohttp import web

from meshrelay.core.clock import Clock
from meshrelay.index import Index
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.peers.answers import Answers
from meshrelay.peers.link import open_identity
from meshrelay.peers.server import PeerServer
from meshrelay.peers.side import OurSide
from meshrelay.relay import Relay
from meshrelay.settings import Settings
from meshrelay.status import RelayStatus
from meshrelay.store import Store
from meshrelay.web.desk import make_desk
from meshrelay.web.reader import make_reader
from tests.conftest import ROOT

P = ParamSpec("P")
T = TypeVar("T")

SPECIFIED = re.compile(r"\b(GET|PUT|POST|DELETE) (/[^\s`|?\[(,;]*)")
NOW = 1_790_000_000


async def at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    return function(*args, **kwargs)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    store, local = Store.open(tmp_path / "store.db"), Local.open(tmp_path / "local.db")
    relay = Relay(store, local, Keyring(tmp_path / "keys"))
    yield relay
    relay.close()


@pytest.fixture
def routes(relay: Relay, tmp_path: Path) -> set[str]:
    def clock() -> Clock:
        return Clock(NOW)

    def status() -> RelayStatus:
        return RelayStatus("A", bytes(32), NOW, NOW)

    async def sync(uri: str) -> str:
        return uri

    async def doctor(sweep: bool) -> bool:
        return sweep

    reader = make_reader(
        relay=relay, clock=clock, read=at_once, write=at_once, settings=Settings(tmp_path), status=status
    )
    desk = make_desk(token="token", status=status, sync=sync, doctor=doctor)
    side = OurSide(relay, Index(relay.store.keys()[0]), clock=clock, read=at_once, write=at_once)
    peers = PeerServer(Answers(side, port=0), open_identity(tmp_path / "link.pem"))
    return {*answered(reader.app), *answered(desk), *answered(peers._runner.app)}


def answered(app: web.Application) -> Iterator[str]:
    for route in app.router.routes():
        if route.method not in ("HEAD", "*") and route.resource is not None:
            yield f"{route.method} {route.resource.canonical}"


def specified() -> set[str]:
    text = (ROOT / "docs" / "spec" / "http.md").read_text(encoding="utf-8")
    return {f"{method} {path}" for method, path in SPECIFIED.findall(text)}


def as_specified(route: str) -> str:
    """Return a route as the specification writes it: ``/b/{id}`` is ``/b/ID``."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: match[1].upper(), route)


async def test_every_route_is_specified(routes: set[str]) -> None:
    assert routes
    assert {as_specified(route) for route in routes} - specified() == set()


async def test_every_specified_route_is_answered(routes: set[str]) -> None:
    assert specified() - {as_specified(route) for route in routes} == set()
