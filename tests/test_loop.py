"""A test whose connection is still closing when it ends leaves nothing behind for the next one."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from tests.conftest import PatientLoop


@pytest.mark.filterwarnings("error")
def test_a_loop_does_not_end_while_a_connection_is_closing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # at which nobody reads

        async def close_at_once() -> None:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(bytes(20_000_000))
            writer.close()

        with asyncio.Runner(loop_factory=PatientLoop) as runner:
            runner.run(close_at_once())
        gc.collect()  # would find it unclosed, which is an error here
