"""One running relay on loopback: the folder, the ports, and what other processes write."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from meshrelay import folder
from meshrelay import node as node_module
from meshrelay.core.trust import Anchor
from meshrelay.doctor import Code
from meshrelay.errors import AlreadyRunning, Refusal
from meshrelay.listeners import Listener, open_listener
from meshrelay.local import Local
from meshrelay.node import Node
from meshrelay.settings import Settings, load
from meshrelay.store import Store
from tests.processes import author_keys, made_items

NOW = 1_900_000_000
YEAR = 365 * 86400
LOOPBACK = {"reader": "127.0.0.1:0", "peers": "127.0.0.1:0", "desk": "127.0.0.1:0", "discovery": False}

Start = Callable[..., Awaitable[Node]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start relays that the test need not stop."""
    started: list[Node] = []

    async def one(data: Path = tmp_path / "data", **flags: Any) -> Node:
        node = Node(load(data, flags=LOOPBACK | flags), clock=lambda: NOW)
        await node.start()
        started.append(node)
        return node

    yield one
    for node in started:
        await node.stop()


async def until(look: Callable[[], bool], seconds: float = 5.0) -> float:
    begun = time.monotonic()
    while not look():
        assert time.monotonic() - begun < seconds, "not in time"
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


async def get_json(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return json.loads(await answer.text())


async def test_run_json_says_where_it_runs_and_goes_when_it_stops(start: Start, tmp_path: Path) -> None:
    node = await start()
    found = folder.running(tmp_path / "data")
    assert found is not None
    assert found.readers == node.reader_addresses()
    assert stat.S_IMODE((tmp_path / "data" / "run.json").stat().st_mode) == 0o600
    await node.stop()
    assert folder.running(tmp_path / "data") is None
    assert not (tmp_path / "data" / "run.json").exists()


async def test_a_second_relay_on_one_folder_is_refused_and_told_of_the_first(start: Start) -> None:
    node = await start()
    with pytest.raises(AlreadyRunning, match=node.reader_addresses()[0]):
        await start()
    await node.stop()
    await start()


async def test_a_run_json_left_by_a_killed_relay_is_not_believed(start: Start, tmp_path: Path) -> None:
    node = await start()
    left = (tmp_path / "data" / "run.json").read_text()
    await node.stop()
    (tmp_path / "data" / "run.json").write_text(left)
    assert folder.running(tmp_path / "data") is None


async def test_what_another_process_writes_is_on_the_pages_within_a_second(start: Start, tmp_path: Path) -> None:
    node = await start()
    other = Store.open(tmp_path / "data" / "store.db")
    (item,) = made_items(1, now=NOW)
    other.put_many([item], received=NOW)
    other.close()
    assert await until(lambda: item.key in node.index.keys) < 1.0
    document = await get_json(f"{node.reader_addresses()[0]}api/v1/bulletins")
    assert [one["id"] for one in document["bulletins"]] == [item.id.hex()]


async def test_a_relay_whose_notes_are_damaged_starts_with_what_can_be_read_and_says_so(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (item,) = made_items(1, now=NOW)
    with closing(Store.open(tmp_path / "data" / "store.db")) as store:
        store.put_many([item], received=NOW)
    path = tmp_path / "data" / "local.db"
    with closing(Local.open(path)) as local:
        local.add_anchor(Anchor(item.author, "Clinic", NOW))
        local.block(b"s" * 32, now=NOW)
    data = bytearray(path.read_bytes())
    page = data.index(b"s" * 32) // 4096 * 4096
    data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)
    node = await start()
    assert [anchor.petname for anchor in node.relay.local.anchors()] == ["Clinic"]
    assert node.relay.local.blocked() == frozenset()
    document = await get_json(f"{node.reader_addresses()[0]}api/v1/bulletins?known=true")
    assert [one["id"] for one in document["bulletins"]] == [item.id.hex()]
    assert "local.db, are damaged" in caplog.text
    report = await node.examine(sweeping=False)
    assert Code.NOTES_LOST in {one.code for one in report.findings}


async def test_damage_that_nobody_asks_for_is_found_and_counts_as_missing(start: Start, tmp_path: Path) -> None:
    sound, damaged = made_items(2, now=NOW)
    store = Store.open(tmp_path / "data" / "store.db")
    store.put_many([sound, damaged], received=NOW)
    store.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "store.db")) as db, db:
        db.execute("UPDATE envelopes SET data = zeroblob(9) WHERE n = 2")
    node = await start()
    await until(lambda: damaged.key not in node.index.keys)
    assert sound.key in node.index.keys


async def test_an_anchor_that_another_process_adds_counts_within_a_second(start: Start, tmp_path: Path) -> None:
    node = await start()
    (item,) = made_items(1, now=NOW)
    await node.write(node.relay.receive_many, [item.data], now=NOW)
    other = Local.open(tmp_path / "data" / "local.db")
    other.add_anchor(Anchor(author_keys()[0], "Clinic", NOW))
    other.close()
    assert await until(lambda: author_keys()[0] in node.relay.trust.known) < 1.0
    document = await get_json(f"{node.reader_addresses()[0]}api/v1/bulletins?known=true")
    assert [one["id"] for one in document["bulletins"]] == [item.id.hex()]


async def test_what_was_received_becomes_searchable(start: Start) -> None:
    node = await start()
    items = list(made_items(300, now=NOW))
    await node.write(node.relay.receive_many, [item.data for item in items], now=NOW)
    await until(lambda: len(node.relay.store.search("Notice 299", limit=5)) == 1)


async def test_a_first_start_names_the_relay_and_keeps_the_name(start: Start, tmp_path: Path) -> None:
    node = await start()
    name = node.settings.name
    assert name
    assert name not in socket.gethostname()
    await node.stop()
    assert (await start()).settings.name == name


async def test_private_means_loopback_and_no_discovery(start: Start) -> None:
    node = await start(private=True, reader="*:0", peers="*:0", discovery=True)
    assert all(address.startswith("http://127.0.0.1:") for address in node.reader_addresses())
    assert not any(task.get_name() == "discovery" for task in asyncio.all_tasks())


async def test_a_private_first_start_does_not_stay_private(tmp_path: Path) -> None:
    node = Node(Settings(tmp_path / "data", name="One", private=True), clock=lambda: NOW)
    await node.start()
    await node.stop()
    kept = load(tmp_path / "data")
    assert (kept.reader[:2], kept.peers[:2], kept.desk[:10]) == ("*:", "*:", "localhost:")


def test_a_taken_port_moves_only_where_it_may() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Refusal, match="is taken") as refused:
            open_listener("reader", "127.0.0.1", port, may_move=False)
        assert "--reader" in refused.value.hint
        moved = open_listener("reader", "127.0.0.1", port, may_move=True)
        assert moved.port > port
        moved.close()


async def test_the_ports_of_the_first_start_are_kept(tmp_path: Path) -> None:
    first = Node(Settings(tmp_path / "data", name="One", discovery=False), clock=lambda: NOW)
    await first.start()
    reader = load(tmp_path / "data").reader
    assert reader.startswith("*:")
    second = Node(Settings(tmp_path / "other", name="Two", discovery=False), clock=lambda: NOW)
    await second.start()
    assert load(tmp_path / "other").reader != reader
    await second.stop()
    await first.stop()
    again = Node(load(tmp_path / "other", flags={"discovery": False}), clock=lambda: NOW)
    await again.start()
    assert again.reader_addresses() == second.reader_addresses()
    await again.stop()


async def test_a_computer_that_has_slept_looks_for_others_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_module, "NETWORK_LOOK_EVERY", 0.05)
    machine = [NOW]
    settings = load(tmp_path / "data", flags=LOOPBACK | {"discovery": True, "interface": ("127.0.0.1",)})
    node = Node(settings, service_type=f"_mr-{secrets.token_hex(4)}._tcp.local.", clock=lambda: machine[0])

    def calls() -> int:
        return next(one.tries for one in node.ladder.rungs() if one.way == "mdns")

    await node.start()
    try:
        await until(lambda: calls() == 1)
        machine[0] += 3600  # the next call would be due in seven seconds
        await until(lambda: calls() == 2)
    finally:
        await node.stop()


# Wrong clocks


def anchored(data: Path, count: int = 2) -> None:
    local = Local.open(data / "local.db")
    for number, key in enumerate(author_keys(count)):
        local.add_anchor(Anchor(key, f"Clinic {number}", NOW))
    local.close()


async def front(node: Node) -> str:
    async with aiohttp.ClientSession() as session, session.get(node.reader_addresses()[0] + "?lang=en") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.parametrize(
    ("off", "standing", "words"),
    [
        (0, "live", ""),
        (-2 * YEAR, "live", "The clock of this relay is behind"),
        (2 * YEAR, "perhaps expired", "The clock of this relay may be wrong"),
    ],
    ids=["right", "two years slow", "two years fast"],
)
async def test_a_relay_with_a_wrong_clock_shows_what_holds_and_says_so(
    off: int, standing: str, words: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    anchored(data)
    node = Node(load(data, flags=LOOPBACK), clock=lambda: NOW + off, synchronised=lambda: False)
    await node.start()
    try:
        items = list(made_items(8, now=NOW, keys=2))
        await node.write(node.relay.receive_many, [item.data for item in items], now=node.clock().now)
        await until(lambda: len(node.index.keys) == 8 and len(node.relay.heard) == 2)
        document = await get_json(f"{node.reader_addresses()[0]}api/v1/bulletins?status=all")
        assert {one["status"] for one in document["bulletins"]} == {standing}
        page = await front(node)
        assert words in page
        assert ("clock of this relay" in page) == bool(words)
    finally:
        await node.stop()


async def test_a_clock_that_jumps_ahead_and_back_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    anchored(data)
    machine = [NOW]
    node = Node(load(data, flags=LOOPBACK), clock=lambda: machine[0], synchronised=lambda: False)
    await node.start()
    try:
        items = list(made_items(8, now=NOW, keys=2))
        await node.write(node.relay.receive_many, [item.data for item in items], now=NOW)
        for jump in (2 * YEAR, -2 * YEAR, 0):
            machine[0] = NOW + jump
            answers = await node.write(
                node.relay.receive_many,
                [item.data for item in items],
                now=node.clock().now,
                doubtful=node.clock().doubtful,
            )
            assert {str(answer.outcome) for answer in answers if not isinstance(answer, Exception)} <= {
                "known",
                "declined",
            }
        document = await get_json(f"{node.reader_addresses()[0]}api/v1/bulletins")
        assert len(document["bulletins"]) == 8
    finally:
        await node.stop()


async def test_a_store_that_cannot_be_used_for_a_while_ends_no_task(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = await start()
    file = tmp_path / "data" / "store.db"
    other = Store.open(file)
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("ALTER TABLE state RENAME TO elsewhere")
    await until(lambda: "no such table: state" in caplog.text)
    with contextlib.closing(sqlite3.connect(file)) as db, db:
        db.execute("ALTER TABLE elsewhere RENAME TO state")
    (item,) = made_items(1, now=NOW)
    other.put_many([item], received=NOW)
    other.close()
    await until(lambda: item.key in node.index.keys)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_readers_are_never_sent_to_an_address_that_means_all(host: str) -> None:
    places = Listener("reader", host, 8080, ()).places()
    assert places
    assert not any(place.startswith(("0.0.0.0", "[::]")) for place in places)
    assert all(place.endswith(":8080") for place in places)


def test_a_chosen_address_is_shown_as_it_is() -> None:
    assert Listener("reader", "192.0.2.7", 8080, ()).places() == ("192.0.2.7:8080",)
    assert Listener("reader", "fd00::5", 8080, ()).places() == ("[fd00::5]:8080",)
