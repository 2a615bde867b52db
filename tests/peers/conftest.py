from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.peers.stations import Station

Stations = Callable[[], "Station"]


@pytest.fixture
async def stations(tmp_path: Path) -> AsyncIterator[list[Station]]:
    """Three running relays that know nothing of each other."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(Station(tmp_path / name)) for name in "abc"]
