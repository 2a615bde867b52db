"""A wire between two ends on loopback that breaks when it is told to, and leaves no connection open behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def wire(port: int, *, holds: Callable[[int], bool]) -> AsyncIterator[int]:
    """Pass bytes on to a port, both ways, and break once `holds`, given how many have passed, says no."""
    passed = 0
    joined = set[asyncio.Task[None]]()
    ends = list[asyncio.StreamWriter]()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
        nonlocal passed
        with suppress(ConnectionError):
            while holds(passed) and (data := await reader.read(1024)):
                passed += len(data)
                writer.write(data)
                await writer.drain()
        writer.close()
        other.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            joined.add(task)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, back))
        await asyncio.gather(pump(reader, back, writer), pump(there, writer, back))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in joined:
            task.cancel()
        await asyncio.gather(*joined, return_exceptions=True)
        for end in ends:
            end.transport.abort()
            with suppress(OSError):
                await end.wait_closed()
