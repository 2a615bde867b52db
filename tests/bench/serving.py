"""Serve the pages of a relay's folder in a process of their own: ``python -m tests.bench.serving FOLDER``."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from meshrelay.web.security import SERVER_OPTIONS
from tests.web.sample import Place


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Give the address, ending in a slash, while the process runs."""
    command = [sys.executable, "-m", __name__, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def serve(folder: Path) -> None:
    """Serve until the process is ended."""
    place = Place.open(folder)
    place.peers = tuple(replace(peer, last_contact=place.now) for peer in place.peers)
    known = place.status()
    options: dict[str, Any] = dict(SERVER_OPTIONS)
    runner = web.AppRunner(place.reader(status=lambda: known).app, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
