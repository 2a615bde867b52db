"""Debian's chromium at a relay in the same process: the pages are served from a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from meshrelay.web.reader import Reader
from meshrelay.web.security import SERVER_OPTIONS
from tests.web.sample import Place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Serve = Callable[[Place], AbstractContextManager["Site"]]


class Site:
    """A reader's listener that is being served; `url` ends in a slash."""

    def __init__(self, url: str, reader: Reader, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self._reader = reader
        self._loop = loop

    def changed(self) -> None:
        """Say that something has come, as a relay does."""
        self._loop.call_soon_threadsafe(self._reader.changed, ())


@contextmanager
def serving(place: Place) -> Iterator[Site]:
    ready: Future[Site] = Future()
    done = threading.Event()

    async def main() -> None:
        reader = place.reader()
        options: dict[str, Any] = dict(SERVER_OPTIONS)
        runner = web.AppRunner(reader.app, shutdown_timeout=1.0, **options)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        ready.set_result(Site(f"http://127.0.0.1:{port}/", reader, asyncio.get_running_loop()))
        await asyncio.to_thread(done.wait)
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        yield ready.result(10)
    finally:
        done.set()
        thread.join()


@pytest.fixture
def serve() -> Serve:
    """Return what serves a relay's pages while a block runs."""
    return serving


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return an empty relay."""
    found = Place.open(tmp_path)
    yield found
    found.relay.close()


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a chromium without a window, one for all tests here: while it is driven, no other loop can run."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()
