"""A test whose connection is still closing when it ends leaves nothing behind for the next one."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """Return a socket at which nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


async def test_ends_while_a_connection_is_closing(listener: socket.socket) -> None:
    _, writer = await asyncio.open_connection(*listener.getsockname())
    writer.write(bytes(20_000_000))
    writer.close()


def test_finds_nothing_of_it() -> None:
    gc.collect()
