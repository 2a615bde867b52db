"""The engines that the suite runs on; a second one is one more entry in ENGINES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from meshrelay.store import Store


@dataclass
class Engine:
    """A way to open the same stored items again and again, as several processes would."""

    opener: Callable[[Path], Store]
    folder: Path
    opened: list[Store] = field(default_factory=list)

    def open(self) -> Store:
        self.opened.append(self.opener(self.folder))
        return self.opened[-1]


ENGINES: dict[str, Callable[[Path], Store]] = {"sqlite": lambda folder: Store.open(folder / "items.db")}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(ENGINES[request.param], tmp_path)
    yield engine
    for store in engine.opened:
        store.close()


@pytest.fixture
def store(engine: Engine) -> Store:
    return engine.open()
