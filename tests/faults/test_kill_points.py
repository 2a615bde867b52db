"""Killed around each stage of publishing and receiving: nothing acknowledged is lost, no number is used twice."""

from __future__ import annotations

import http.client
import itertools
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from meshrelay.cli import main
from meshrelay.core.admission import reopen
from meshrelay.core.bulletin import Bulletin
from meshrelay.core.envelope import SignedItem
from meshrelay.store import Store
from tests.processes import Process, made_items, run, sequence

pytestmark = pytest.mark.faults

NOW = int(time.time())
RESTART_SECONDS = 2.0
"""Of the processor, which other work on the machine does not lengthen."""

PUBLISHING = [
    "before:sign:1",
    "after:sign:1",
    "before:take:1",
    "before:fsync:1",
    "after:fsync:1",
    "before:replace:1",
    "after:replace:1",
    "before:fsync:2",
    "after:fsync:2",
    "after:take:1",
    "before:put:1",
    "before:begin:1",
    "after:begin:1",
    "before:commit:1",
    "after:commit:1",
    "after:put:1",
    "before:acknowledge:1",
    "after:acknowledge:1",
]
RECEIVING = [
    "before:admit:2",
    "after:admit:2",
    "before:put:2",
    "before:begin:2",
    "after:begin:2",
    "before:commit:2",
    "after:commit:2",
    "after:put:2",
    "after:receive:2",
    "after:taken:1",
    "before:fetch:1",
    "after:fetch:1",
    "before:index:2",
    "after:index:2",
    "before:offer:1",
    "after:offer:1",
    "before:give:1",
    "after:give:1",
    "after:search:1",
]
FEW_PUBLISHING = PUBLISHING[1::2] + PUBLISHING[-2:-1]
FEW_RECEIVING = ["before:commit:2", "after:commit:2", "after:receive:2", "after:fetch:1", "after:give:1"]


def held(data: Path) -> dict[bytes, SignedItem]:
    with closing(sqlite3.connect(data / "store.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with closing(Store.open(data / "store.db")) as store:
        ids = store.get_many(header.id for header in store.by_key(_keys(store)).values())
    return {item: reopen(envelope) for item, envelope in ids.items()}


def _keys(store: Store) -> list[bytes]:
    buffer, _ = store.keys()
    return [bytes(buffer[at : at + 24]) for at in range(0, len(buffer), 24)]


# Publishing


def publish(data: Path, moment: str) -> tuple[int, list[bytes]]:
    """Publish, and die at a moment; return how it ended and which ids were acknowledged."""
    command = [sys.executable, "-m", "tests.faults.mortal", moment, "--data", str(data), "-q", "publish"]
    done = subprocess.run([*command, "--headline", moment], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, [bytes.fromhex(line) for line in done.stdout.split()]


def publish_and_die(data: Path, moments: Iterable[str]) -> None:
    never = "before:sign:1000"
    code, acknowledged = publish(data, never)
    assert (code, len(acknowledged)) == (0, 1)
    for moment in moments:
        code, said = publish(data, moment)
        assert code == -signal.SIGKILL, f"{moment} was not met"
        acknowledged += said
        check_numbers(held(data), acknowledged)
    code, said = publish(data, never)
    assert (code, len(said)) == (0, 1)
    check_numbers(held(data), [*acknowledged, *said])
    last = held(data)[said[0]].header
    assert last.seq == max(item.header.seq or 0 for item in held(data).values())


def check_numbers(items: dict[bytes, SignedItem], acknowledged: list[bytes]) -> None:
    assert set(acknowledged) <= items.keys(), "an acknowledged bulletin was lost"
    numbers = [(item.author, item.header.stream, item.header.seq) for item in items.values()]
    assert len(set(numbers)) == len(numbers), "a number was used twice"


@pytest.mark.timeout(180)
def test_whoever_publishes_may_be_killed_at_any_stage(tmp_path: Path) -> None:
    publish_and_die(tmp_path / "data", FEW_PUBLISHING)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_whoever_publishes_may_be_killed_at_any_stage_thirty_times(tmp_path: Path) -> None:
    publish_and_die(tmp_path / "data", random.Random(1).sample(PUBLISHING * 30, len(PUBLISHING) * 30))


MAKING_A_KEY = ["after:fsync:3", "after:fsync:1", "before:replace:3", "after:fsync:6", "after:put:1"]


@pytest.mark.parametrize(
    "moment", [MAKING_A_KEY[0], *(pytest.param(one, marks=pytest.mark.full) for one in MAKING_A_KEY[1:])]
)
def test_killed_while_its_first_key_is_made_it_makes_one_when_called_again(tmp_path: Path, moment: str) -> None:
    code, said = publish(tmp_path / "data", moment)
    assert (code, said) == (-signal.SIGKILL, [])
    code, said = publish(tmp_path / "data", "before:sign:1000")
    assert code == 0
    check_numbers(held(tmp_path / "data"), said)


# What was planned

PLANNED = [
    "before:sign:1",
    "after:sign:1",
    "after:take:1",
    "after:note:1",
    "after:commit:1",
    "after:put:1",
    "after:unplan:1",
]


def plan_and_die(data: Path, moments: Sequence[str]) -> None:
    """Plan a bulletin for each moment, at which the relay that publishes it dies."""
    assert call(data, "key", "new").exit_code == 0
    for moment in moments:
        due = datetime.fromtimestamp(int(time.time()) + 2, UTC).isoformat()
        planned = call(data, "publish", "--headline", moment, "--publish-at", due, "--expires", "6h")
        assert planned.exit_code == 0, planned.output
        relay = run(data, program=("-m", "tests.faults.mortal", moment))
        assert relay.process.wait(timeout=30) == -signal.SIGKILL, f"{moment} was not met"
    relay = run(data)
    deadline = time.monotonic() + 30
    while json.loads(call(data, "planned", "--json").stdout)["planned"]:
        assert time.monotonic() < deadline, "something planned was not published"
        time.sleep(0.1)
    assert relay.stop() == 0
    items = held(data)
    check_numbers(items, [])
    said = [item.body.texts[0].headline for item in items.values() if isinstance(item.body, Bulletin)]
    assert sorted(said) == sorted(moments), "something planned came twice or not at all"


def call(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--data", str(data), *words])


@pytest.mark.timeout(180)
def test_what_was_planned_is_published_once_though_the_relay_is_killed_meanwhile(tmp_path: Path) -> None:
    plan_and_die(tmp_path / "data", ["after:put:1"])


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_what_was_planned_is_published_once_whenever_the_relay_is_killed(tmp_path: Path) -> None:
    plan_and_die(tmp_path / "data", PLANNED)


# A whole relay, from a backup


@pytest.mark.parametrize(
    "moment",
    [
        "before:replace",
        *(pytest.param(one, marks=pytest.mark.full) for one in ("after:replace", "before:fsync", "before:unlink")),
    ],
)
@pytest.mark.timeout(300)
def test_a_relay_that_is_replaced_is_whole_the_old_or_the_new_one_whenever_it_is_killed(
    tmp_path: Path, moment: str
) -> None:
    for name, headline in (("old", "Water"), ("new", "Bread")):
        call(tmp_path / name, "config", "set", "name", name)
        call(tmp_path / name, "trust", "add", ("123" if name == "old" else "321") * 9, "--as", name)
        call(tmp_path / name, "publish", "--headline", headline)
        call(tmp_path / name, "backup", str(tmp_path / f"{name}.backup"))
    found: list[str] = []
    for number in range(1, 60):
        data = tmp_path / str(number)
        call(data, "restore", str(tmp_path / "old.backup"))
        words = ["restore", "--replace", str(tmp_path / "new.backup")]
        command = [sys.executable, "-m", "tests.faults.mortal", f"{moment}:{number}", "--data", str(data), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        found.append(whose(data))
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert call(data, *words).exit_code == 0
        assert whose(data) == "new"
    assert len(found) > 3
    # Nothing is removed before it is decided.
    assert (found[0], found[-1]) == ("new" if moment == "before:unlink" else "old", "new")
    assert found == sorted(found, reverse=True), "what was decided did not stay so"


def whose(data: Path) -> str:
    """Return which of the two relays is in a folder, when all of it is of one."""
    name = str(json.loads(call(data, "config", "get", "name", "--json").stdout)["name"])
    senders = [one["petname"] for one in json.loads(call(data, "trust", "list", "--json").stdout)["waiting"]]
    bulletins = [one["headline"] for one in json.loads(call(data, "list", "--json").stdout)["bulletins"]]
    assert (senders, bulletins) == ([name], ["Water" if name == "old" else "Bread"])
    assert list(data.glob(".restore*")) in ([], [*data.glob(".restore-*")])
    return name


# Receiving and telling


def receive_and_die(folder: Path, moments: Sequence[str]) -> None:
    """Give a relay items by upload and from a peer, and let it die at each moment in turn."""
    uploads, news = batches(keys=250, seed=1), batches(keys=100, seed=2)
    peer = run(folder / "peer")
    acknowledged: set[bytes] = set()
    theirs: set[bytes] = set()
    try:
        for moment in moments:
            program = ("-m", "tests.faults.mortal", moment)
            relay = run(folder / "data", "--peer", peer.peer_uri, program=program)
            deadline = time.monotonic() + 60
            while relay.process.poll() is None:
                # Whichever of the two is quicker to dial gives or fetches what is new: it takes a few of these until
                # the relay was the one that did what it is to die of.
                assert time.monotonic() < deadline, f"{moment} was not met"
                theirs |= upload(peer, next(news))
                acknowledged |= upload(relay, next(uploads))
                with suppress(subprocess.TimeoutExpired):
                    relay.process.wait(timeout=0.1)
            assert relay.process.wait() == -signal.SIGKILL
            assert acknowledged <= held(folder / "data").keys(), f"{moment}: an acknowledged item was lost"
        relay = run(folder / "data", "--peer", peer.peer_uri)
        assert relay.processor_seconds() < RESTART_SECONDS
        everything = acknowledged | theirs
        deadline = time.monotonic() + 30
        while not everything <= held(folder / "data").keys() & held(folder / "peer").keys():
            assert time.monotonic() < deadline, "the two did not come to hold the same"
            time.sleep(0.1)
        assert relay.stop() == 0
    finally:
        peer.stop()


def batches(*, keys: int, seed: int) -> Iterator[list[SignedItem]]:
    """Yield five new items again and again."""
    items = made_items(1_000_000, now=NOW, keys=keys, seed=seed)
    while batch := list(itertools.islice(items, 5)):
        yield batch


def upload(relay: Process, items: list[SignedItem]) -> set[bytes]:
    """Return what the relay said that it holds now."""
    try:
        code, body = relay.request("POST", "/api/v1/items", sequence(items))
    except (OSError, http.client.HTTPException):
        return set()  # killed: nothing of this was acknowledged
    assert code == 200, body
    return {item.id for item in items}


@pytest.mark.timeout(180)
def test_a_relay_may_be_killed_at_any_stage_of_receiving_and_telling(tmp_path: Path) -> None:
    receive_and_die(tmp_path, FEW_RECEIVING)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("turn", range(30))
def test_a_relay_may_be_killed_at_any_stage_of_receiving_and_telling_thirty_times(tmp_path: Path, turn: int) -> None:
    # A folder for each turn: every kill is followed by a look at all that is held, which in one folder would soon
    # take longer than the kill.
    receive_and_die(tmp_path, random.Random(turn).sample(RECEIVING, len(RECEIVING)))
