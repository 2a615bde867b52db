"""A file with flipped bits: nothing altered is shown or given on, and one other relay heals it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import time
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from meshrelay.core.envelope import SignedItem
from meshrelay.node import Node
from meshrelay.settings import load
from meshrelay.store import Store
from tests.processes import made_items

pytestmark = pytest.mark.faults

NOW = 1_900_000_000
LOOPBACK = {"reader": "127.0.0.1:0", "peers": "127.0.0.1:0", "desk": "127.0.0.1:0", "discovery": False}
IN_TIME = 60.0


async def started(data: Path, *peers: str) -> Node:
    node = Node(load(data, flags=LOOPBACK | {"peer": peers}), clock=lambda: NOW)
    await node.start()
    return node


def flip(path: Path, dice: random.Random) -> None:
    damaged = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 8, 64))):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    path.write_bytes(damaged)


async def shown(node: Node) -> dict[str, str]:
    url = f"{node.reader_addresses()[0]}api/v1/bulletins?status=all&limit=200"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        if answer.status != 200:
            return {}  # while the store is made anew
        return {one["id"]: one["headline"] for one in json.loads(await answer.text())["bulletins"]}


async def healed(node: Node, truth: dict[str, str], items: list[SignedItem]) -> float:
    begun = time.monotonic()
    while True:
        found = await shown(node)
        assert found.items() <= truth.items(), "an altered bulletin was shown"
        if found == truth and all(item.key in node.index.keys for item in items):
            out = await node.read(node.relay.store.get_many, [item.id for item in items])
            assert out == {item.id: item.data for item in items}
            return time.monotonic() - begun
        assert time.monotonic() - begun < IN_TIME, f"{len(found)} of {len(truth)} after {IN_TIME} s"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("count", [5, pytest.param(100, marks=pytest.mark.full)])
@pytest.mark.timeout(1800)
async def test_a_damaged_relay_shows_nothing_altered_and_is_healed_by_one_other(tmp_path: Path, count: int) -> None:
    items = list(made_items(60, now=NOW))
    whole = tmp_path / "store.db"
    with closing(Store.open(whole)) as store:
        store.put_many(items, received=NOW)
        store.index_backlog(100)
    (tmp_path / "sound").mkdir()
    shutil.copy(whole, tmp_path / "sound")
    sound = await started(tmp_path / "sound")
    try:
        truth = await shown(sound)
        assert len(truth) == 60
        uri = sound.status().peer_addresses[0]
        slowest = 0.0
        for seed in range(count):
            data = tmp_path / f"damaged-{seed}"
            data.mkdir()
            shutil.copy(whole, data)
            flip(data / "store.db", random.Random(seed))
            node = await started(data, uri)
            try:
                slowest = max(slowest, await healed(node, truth, items))
            finally:
                await node.stop()
            shutil.rmtree(data)
        assert await shown(sound) == truth
        print(f"{count} files healed, the slowest in {slowest:.1f} s")
    finally:
        await sound.stop()


async def test_a_file_that_is_no_store_any_more_is_set_aside_and_filled_again(tmp_path: Path) -> None:
    items = list(made_items(20, now=NOW))
    for name in ("sound", "broken"):
        (tmp_path / name).mkdir()
        with closing(Store.open(tmp_path / name / "store.db")) as store:
            store.put_many(items, received=NOW)
    file = tmp_path / "broken" / "store.db"
    file.write_bytes(bytes(100) + file.read_bytes()[100:])
    sound = await started(tmp_path / "sound")
    broken = await started(tmp_path / "broken", sound.status().peer_addresses[0])
    try:
        await healed(broken, await shown(sound), items)
        assert (tmp_path / "broken" / "store.db.damaged").exists()
    finally:
        await broken.stop()
        await sound.stop()
