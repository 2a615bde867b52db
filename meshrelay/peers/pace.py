"""How many bytes may cross links to other relays, a second and an hour, where the operator has set a limit.

Everything takes turns in small pieces; what is hurried goes at once, and the others wait for it. Once the bytes of an
hour are spent, only what is urgent and of known senders is exchanged until there are some again.

Not here: who counts (client, server), and what is urgent (core.order). The law: bytes are counted whether they had to
wait or not, so that over time neither limit is passed but by what is hurried.
"""

from __future__ import annotations

import asyncio

_HOUR = 3600.0


class Pace:
    """One for a whole relay; `rate` is in bytes a second, `hour` in bytes an hour, None means no limit."""

    def __init__(self, *, rate: int | None = None, hour: int | None = None) -> None:
        self._rate = rate
        self._hour = hour
        self._next = 0.0
        """The moment, by the loop's clock, from which on the link is free."""
        self._left = float(hour or 0)
        self._counted: float | None = None

    async def spend(self, size: int, *, hurried: bool = False) -> None:
        """Wait for one's turn to let so many bytes pass."""
        wait = self.count(size)
        if wait > 0 and not hurried:
            await asyncio.sleep(wait)

    def count(self, size: int) -> float:
        """Count bytes that pass without waiting; return the seconds that one should have waited."""
        if self._rate is None and self._hour is None:
            return 0.0
        moment = asyncio.get_running_loop().time()
        self._refill(moment)
        self._left -= size
        start = max(self._next, moment)
        if self._rate is not None:
            self._next = start + size / self._rate
        return start - moment

    @property
    def is_spent(self) -> bool:
        """Whether the bytes of this hour are used up."""
        if self._hour is None:
            return False
        self._refill(asyncio.get_running_loop().time())
        return self._left <= 0

    def _refill(self, moment: float) -> None:
        if self._hour is not None and self._counted is not None:
            self._left = min(self._hour, self._left + (moment - self._counted) * self._hour / _HOUR)
        self._counted = moment
