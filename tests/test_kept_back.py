"""publish --hide-source: other relays do not learn that an own item is here until its time, or until it came back."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest
from click.testing import CliRunner

from meshrelay.cli import main
from meshrelay.core.bulletin import UNSIGNED, Bulletin, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.index import Index
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.node import Node
from meshrelay.peers.side import OurSide
from meshrelay.peers.wire import Answer
from meshrelay.relay import MOST_KEPT_BACK, Outcome, Receipt, Relay
from meshrelay.settings import load
from meshrelay.store import Store
from tests.processes import Process, run

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def opened(data: Path) -> Iterator[Relay]:
    relay = Relay(Store.open(data / "store.db"), Local.open(data / "local.db"), Keyring(data / "keys"))
    try:
        yield relay
    finally:
        relay.close()


def publish(data: Path, headline: str, *, keep_back: int | None = None) -> SignedItem:
    """Publish as a command does, with a time of our own."""
    now = int(time.time())
    with opened(data) as relay:
        if not relay.keyring.all():
            relay.keyring.new("me", now=now)
            relay.refresh()
        until = None if keep_back is None else now + keep_back
        draft = Bulletin(now, now + 86400, UNSIGNED, (Text("en", "Notice", headline),))
        return relay.publish(draft, "me", now=now, back_until=until)


def command(data: Path, *words: str) -> str:
    result = CliRunner().invoke(main, ["--data", str(data), *words])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def holds(relay: Process, item: SignedItem) -> bool:
    return relay.request("GET", f"/api/v1/bulletins/{item.id.hex()}")[0] == 200


def until(wanted: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Process]:
    started = run(tmp_path / "there")
    yield started
    started.stop()


def test_the_time_is_drawn_between_one_and_ten_minutes_and_written_down(here: Path) -> None:
    drawn = set()
    for number in range(12):
        item = bytes.fromhex(command(here, "publish", "--headline", f"x {number}", "--hide-source"))
        with opened(here) as relay:
            drawn.add(relay.kept_back[item] - int(time.time()))
            assert item in {change.id for change in relay.withheld()}
    assert 58 <= min(drawn) <= max(drawn) <= MOST_KEPT_BACK
    assert len(drawn) > 4
    with opened(here) as relay:
        relay.let_go_due(int(time.time()) + MOST_KEPT_BACK)
        assert relay.withheld() == ()


def test_a_neighbour_gets_it_only_when_its_time_has_come(here: Path, there: Process) -> None:
    relay = run(here, "--peer", there.peer_uri)
    try:
        secret = publish(here, "secret", keep_back=6)
        due = secret.header.sent + 6
        until(lambda: holds(relay, secret), seconds=2)  # our own pages show it at once
        plain = publish(here, "plain")
        until(lambda: holds(there, plain))
        assert not holds(there, secret) or time.time() > due
        # Nor is it handed over to one that comes and asks.
        command(there.data, "sync", relay.peer_uri)
        assert not holds(there, secret) or time.time() > due
        until(lambda: holds(there, secret))
        assert time.time() > due - 1
        with opened(here) as found:
            until(lambda: not found.local.kept_back())
    finally:
        relay.stop()


def test_a_restart_does_not_let_it_out(here: Path, there: Process) -> None:
    secret = publish(here, "secret", keep_back=300)
    plain = publish(here, "plain")
    relay = run(here, "--peer", there.peer_uri)
    until(lambda: holds(there, plain))
    relay.kill()
    relay = run(here, "--peer", there.peer_uri)
    try:
        again = publish(here, "again")
        until(lambda: holds(there, again))
        assert holds(relay, secret)
        assert not holds(there, secret)
    finally:
        relay.stop()


def test_without_a_relay_sync_keeps_it_back_too(here: Path, there: Process) -> None:
    secret, plain = publish(here, "secret", keep_back=300), publish(here, "plain")
    command(here, "sync", there.peer_uri)
    assert holds(there, plain)
    assert not holds(there, secret)
    with opened(here) as relay:
        relay.let_go_due(int(time.time()) + 300)
    command(here, "sync", there.peer_uri)
    assert holds(there, secret)


def test_one_that_came_back_from_outside_is_kept_back_no_longer(here: Path, there: Process) -> None:
    relay = run(here, "--peer", there.peer_uri)
    try:
        secret = publish(here, "secret", keep_back=300)
        code, body = there.request("POST", "/api/v1/items", secret.data)
        assert (code, json.loads(body)["new"]) == (200, 1)
        with opened(here) as found:
            until(lambda: not found.local.kept_back())
    finally:
        relay.stop()


def test_whoever_brings_it_back_hears_that_it_is_new(here: Path) -> None:
    secret = publish(here, "secret", keep_back=300)
    with opened(here) as relay:
        answers = relay.receive_many([secret.data, secret.data], now=int(time.time()))
        assert [one.outcome for one in answers if isinstance(one, Receipt)] == [Outcome.NEW, Outcome.KNOWN]
        assert relay.kept_back == {}


async def test_its_key_is_in_no_comparison(here: Path) -> None:
    first = publish(here, "before the start", keep_back=300)
    node = Node(load(here, flags={name: "127.0.0.1:0" for name in ("reader", "peers", "desk")} | {"discovery": False}))
    await node.start()
    try:
        second, plain = publish(here, "beside it", keep_back=300), publish(here, "plain")
        deadline = time.monotonic() + 10
        while plain.header.key not in node.index.keys:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert first.header.key not in node.index.keys
        assert second.header.key not in node.index.keys
        with opened(here) as beside:
            beside.let_go(first.id)
        while first.header.key not in node.index.keys:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert second.header.key not in node.index.keys
    finally:
        await node.stop()


async def test_whoever_asks_for_it_or_offers_it_is_answered_as_if_it_were_not_here(here: Path) -> None:
    secret, plain = publish(here, "secret", keep_back=300), publish(here, "plain")

    async def at_once(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    with opened(here) as relay:
        clock = Clock(int(time.time()))
        side = OurSide(relay, Index(relay.store.keys()[0]), clock=lambda: clock, read=at_once, write=at_once)
        keys = [secret.header.key, plain.header.key]
        assert await side.summaries(keys) == [None, plain.header]
        assert await side.items(keys) == ([(plain.header.key, plain.data)], 2)
        offer = list(zip(keys, (secret.header, plain.header), strict=True))
        assert await side.choose(offer, giver=bytes(32)) == ([Answer.NEW, Answer.KNOWN], [0])
