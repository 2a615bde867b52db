"""What the operating system and a service manager want of a process that runs for weeks.

Not here: what the process does. The law: nothing here may keep a relay from running; where the system cannot be asked
or told, the relay runs without.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

log = logging.getLogger(__name__)

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Supervisor:
    """The service manager that started this process, told in the way of sd_notify(3); without one, nothing is told."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._interval = environment.get("WATCHDOG_USEC", "")
        self._watched = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))

    @property
    def patience(self) -> float | None:
        """Seconds within which it wants to hear that all is well, again and again; None when it does not ask."""
        asks = self._address and self._watched and self._interval.isascii() and self._interval.isdecimal()
        return int(self._interval) / 1e6 if asks and int(self._interval) else None

    def tell(self, *words: str) -> None:
        """Tell it these assignments, such as READY=1."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(words).encode(), self._address)
        except OSError as error:
            log.warning("the service manager cannot be told anything: %s", error.strerror or error)


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as its administrator allows."""
    try:
        import resource
    except ImportError:  # on Windows there is no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # some systems name no limit here and refuse it there
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def on_first_signal(stop: Callable[[], None]) -> None:
    """Call `stop`, in the running loop, at the first SIGINT or SIGTERM; the next one ends the process at once."""
    loop = asyncio.get_running_loop()

    def first() -> None:
        for number in _ENDING:
            if os.name == "posix":
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in _ENDING:
        try:
            loop.add_signal_handler(number, first)
        except NotImplementedError:  # on Windows; there the handler runs between two steps of the loop
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(first))


@contextmanager
def ended_within(seconds: float, *, otherwise: Callable[[], None]) -> Iterator[None]:
    """End the process with exit code 1 when what is inside takes longer, whatever it waits for."""

    def end() -> None:
        otherwise()
        os._exit(1)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
