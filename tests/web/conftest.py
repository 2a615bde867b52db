"""The reader's listener over a real relay in a temporary folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.web.sample import Client, Place, browsing


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return an empty relay."""
    found = Place.open(tmp_path)
    yield found
    found.relay.close()


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    """Return a browser without a head, at the reader's listener of `place`."""
    async with browsing(place.reader().app) as found:
        yield found
