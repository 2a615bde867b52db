"""Whatever is done in whatever order, the store holds what a dict would hold, and every follower of it agrees."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from meshrelay.core import order
from meshrelay.core.envelope import KEY_SIZE
from meshrelay.store import Store
from tests.store.conftest import ENGINES
from tests.store.making import NOON, Author, unsigned_items

_REVOKED = [Author(number).revokes_itself(sent=NOON + number) for number in range(3)]
_REVOKED_KEYS = [item.author for item in _REVOKED]
POOL = [*unsigned_items(37, seed=9, authors=4, size=40), *_REVOKED]
BY_ID = {item.id: item for item in POOL}
places = st.lists(st.integers(0, len(POOL) - 1), max_size=12)


class StoreMachine(RuleBasedStateMachine):
    """Puts, removes and reopens, in two stores on the same items; one index follows the feed."""

    engine = ""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.opener = ENGINES[self.engine]
        self.stores = [self._open(), self._open()]
        self.model: dict[bytes, int] = {}
        self.now = NOON
        keys, self.cursor = self.stores[0].keys()
        self.followed: set[bytes] = set()
        assert keys == b""

    def _open(self) -> Store:
        return self.opener(Path(self.folder.name))

    @rule(places=places, which=st.integers(0, 1))
    def put(self, places: list[int], which: int) -> None:
        items = [POOL[place] for place in places]
        self.now += 1
        expected = tuple(dict.fromkeys(item.id for item in items if item.id not in self.model))
        assert self.stores[which].put_many(items, received=self.now) == expected
        self.model |= dict.fromkeys(expected, self.now)

    @rule(places=places, which=st.integers(0, 1))
    def remove(self, places: list[int], which: int) -> None:
        ids = {POOL[place].id for place in places}
        assert self.stores[which].remove(ids) == len(ids & self.model.keys())
        for item in ids & self.model.keys():
            del self.model[item]

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self._open()

    @rule(limit=st.integers(1, 20))
    def follow(self, limit: int) -> None:
        changes = self.stores[1].changes(self.cursor, limit=limit)
        assert not changes.reset
        for change in changes.rows:
            assert BY_ID[change.id].key == change.key
            (self.followed.discard if change.gone else self.followed.add)(change.key)
        self.cursor = changes.cursor
        if len(changes.rows) < limit:
            assert self.followed == {BY_ID[item].key for item in self.model}

    @rule(limit=st.integers(1, 200))
    def index(self, limit: int) -> None:
        self.stores[0].index_backlog(limit)

    @invariant()
    def every_view_agrees(self) -> None:
        here, there = self.stores
        everything = list(BY_ID)
        assert here.get_many(everything) == {item: BY_ID[item].data for item in self.model}
        headers = there.headers(everything)
        assert {item: (held.header, held.received) for item, held in headers.items()} == {
            item: (BY_ID[item].header, received) for item, received in self.model.items()
        }
        keys, _ = there.keys()
        assert keys == b"".join(sorted(BY_ID[item].key for item in self.model))
        assert len(keys) == KEY_SIZE * here.usage().items
        assert set(here.statements(_REVOKED_KEYS)) == {item.data for item in _REVOKED if item.id in self.model}
        listed = [held.header for held in here.page(order="urgent", limit=100).rows]
        assert {header.id for header in listed} == {item for item in self.model if BY_ID[item].header.item_class != 0}
        ranks = [(order.rank(header), -header.sent) for header in listed]
        assert ranks == sorted(ranks)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "examples",
    [25, pytest.param(500, marks=pytest.mark.full)],
)
def test_the_store_does_what_a_dict_would_do(engine: str, examples: int) -> None:
    machine = type("Machine", (StoreMachine,), {"engine": engine})
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None))
