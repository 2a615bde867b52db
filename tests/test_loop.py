"""A test whose connection is still closing when it ends leaves nothing behind for the next one."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from pathlib import Path

import pytest

from meshrelay.peers.link import open_identity
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


@pytest.mark.filterwarnings("error")
def test_nor_while_the_other_end_of_one_with_tls_says_no_farewell(tmp_path: Path) -> None:
    identity = open_identity(tmp_path / "link.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake_hands() -> ssl.SSLSocket:
            return identity.server.wrap_socket(listener.accept()[0], server_side=True)

        async def close_at_once() -> ssl.SSLSocket:
            other_end = asyncio.create_task(asyncio.to_thread(shake_hands))
            _, writer = await asyncio.open_connection(
                *listener.getsockname(), ssl=identity.client, server_hostname="0.0.0.0"
            )
            writer.close()
            return await other_end

        with asyncio.Runner(loop_factory=PatientLoop) as runner:
            other_end = runner.run(close_at_once())
        other_end.close()
        gc.collect()
