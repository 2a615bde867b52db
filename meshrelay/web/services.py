"""What the pages need of a running relay, in one value: node makes it, tests make it, pages only use it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import ParamSpec, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meshrelay.core.clock import Clock
from meshrelay.relay import Relay
from meshrelay.settings import Settings
from meshrelay.status import RelayStatus

P = ParamSpec("P")
T = TypeVar("T")


class News:
    """Tells open pages that something here has changed: items, anchors, blocks."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake everybody who waits; to be called on the event loop."""
        self.count += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, *, seen: int) -> int:
        """Return the count once it is another than `seen`."""
        while self.count == seen:
            await self._event.wait()
        return self.count


class OnThread(Protocol):
    """Runs a function on a thread of the relay's: one of those that read, or the one that writes."""

    def __call__(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Return what `function` returns."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """One running relay, as pages see it; `clock` and `status` answer at once."""

    relay: Relay
    clock: Callable[[], Clock]
    read: OnThread
    write: OnThread
    status: Callable[[], RelayStatus]
    settings: Settings
    news: News = field(default_factory=News)

    @property
    def default_language(self) -> str:
        """The language of readers who name none."""
        return self.settings.languages[0] if self.settings.languages else "en"

    @property
    def tz(self) -> tzinfo:
        """The zone in which times are said."""
        return zone(self.settings.time_zone, now=self.clock().now)


def zone(name: str, *, now: int) -> tzinfo:
    """Return the zone of a name such as "Asia/Almaty" or "UTC+5:30"; this machine's where that is none."""
    return _named(name) or datetime.fromtimestamp(now, UTC).astimezone().tzinfo or UTC


@lru_cache(maxsize=16)
def _named(name: str) -> tzinfo | None:
    if match := re.fullmatch(r"(?:UTC|GMT)(?:([+-])(\d{1,2})(?::([0-5]\d))?)?", name.strip().upper()):
        sign, hours, minutes = match.groups(default="0")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset) if offset < timedelta(days=1) else None
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
