from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.peers.stations import Station


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """One running relay."""
    async with Station(tmp_path / "station") as station:
        yield station


@pytest.fixture
async def stations(tmp_path: Path) -> AsyncIterator[list[Station]]:
    """Three running relays that know nothing of each other."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Station(tmp_path / name)) for name in "abc"]
