"""What every test shares: which machine a marked test needs, and that a skip says why.

Plain ``pytest`` deselects what is marked in setup.cfg. Chosen with ``-m``, a test whose machine is
not there is skipped with the reason; where CI is set a missing tool is a failure, since a skip would hide a missing
install step.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from meshrelay import sealing
from tests.processes import end_all

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
CHROMIUM = "/usr/bin/chromium"

# A busy machine is no bug: examples are counted, not timed.
settings.register_profile(
    "meshrelay", parent=settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("meshrelay")


def pytest_configure(config: pytest.Config) -> None:
    """Make every warning an error on CI, other people's too."""
    if os.environ.get("CI"):
        config.addinivalue_line("filterwarnings", "error")
        # Bodies that are too large on purpose: aiohttp would have them sent in pieces.
        config.addinivalue_line("filterwarnings", "ignore:Sending a large body directly:ResourceWarning")


class _Unforeseen(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.found.append(record.exc_info[1])


@pytest.fixture(autouse=True)
def unforeseen() -> Iterator[list[BaseException]]:
    """What relays in this process wrote down with a traceback and survived: a test that expects it empties the list."""
    handler = _Unforeseen()
    logging.getLogger("meshrelay").addHandler(handler)
    yield handler.found
    logging.getLogger("meshrelay").removeHandler(handler)
    assert not handler.found


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop that does not end in the middle of closing a connection.

    To close one takes a few turns of the loop, more with TLS, and nobody waits for them; ended before that, it would be
    found unclosed by the garbage collector, in whatever test runs then. What nobody has closed is found as ever.
    """

    async def shutdown_default_executor(self, *words: float | None) -> None:
        """Close what is closing, then do as every loop."""
        until = self.time() + 0.5
        while closing := [one for one in self._open() if _is_closing(one)]:
            if self.time() > until:
                for one in closing:
                    one.abort()
                await asyncio.sleep(0)
                break
            await asyncio.sleep(0.001)
        await super().shutdown_default_executor(*words)

    def _open(self) -> list[asyncio.Transport]:
        transports = getattr(self, "_transports", {})
        return [one for one in transports.values() if getattr(one, "_sock", None) is not None]


def _is_closing(transport: asyncio.Transport) -> bool:
    # What speaks TLS over it is closed first, and waits for the farewell of the other end.
    above = getattr(transport.get_protocol(), "_app_transport", None)
    return transport.is_closing() or (above is not None and above.is_closing())


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give every asynchronous test a loop that closes what is closing."""
    return {"patient": PatientLoop}


def _missing_tool(item: pytest.Item) -> str | None:
    if item.get_closest_marker("netns"):
        if os.geteuid() != 0:
            return "needs root for network namespaces"
        for tool in ("ip", "nft"):
            if shutil.which(tool) is None:
                return f"needs the command {tool}"
    if item.get_closest_marker("browser"):
        if find_spec("playwright") is None:
            return "needs the extra 'ui'"
        if not Path(CHROMIUM).exists():
            return f"needs {CHROMIUM}"
    return None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, and say why."""
    missing = _missing_tool(item)
    if missing is not None:
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    if item.get_closest_marker("shared") and not SHARED.is_dir():
        pytest.skip("needs the CAP files in ../shared/data")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real CAP files beside the checkout; use it with the mark ``shared``."""
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the browser; use it with the mark ``browser``."""
    return CHROMIUM


@pytest.fixture
def cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a guess at a passphrase cost a millisecond in this process; what it costs stands in what was sealed."""
    for name in ("_LEAST", "_MOST", "_WORK"):
        monkeypatch.setattr(sealing, name, 2**20)


@pytest.fixture(autouse=True)
def _no_relay_outlives_its_test() -> Iterator[None]:
    yield
    end_all()
