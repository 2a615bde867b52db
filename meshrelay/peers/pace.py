"""How many bytes may cross links to other relays, a second and an hour, where the operator has set a limit.

Everything takes turns in small pieces; what is hurried goes at once, and the others wait for it. Once the bytes of an
hour are spent, only what is urgent and of known senders is exchanged until there are some again.

What others send cannot be made to wait. While it takes up the link, this relay's own bytes go at half the rate: whoever
sends without end slows it down and does not silence it.

Not here: who counts (client, server), and what is urgent (core.order). The law: this relay's own bytes never pass the
rate but by what is hurried, and of what others send no debt is carried on.
"""

from __future__ import annotations

import asyncio

_HOUR = 3600.0
_LONGEST = 10.0  # seconds for which what others have sent slows down what this relay sends


class Pace:
    """One for a whole relay; `rate` is in bytes a second, `hour` in bytes an hour, None means no limit."""

    def __init__(self, *, rate: int | None = None, hour: int | None = None) -> None:
        self._rate = rate
        self._hour = hour
        self._next = 0.0
        """The moment, by the loop's clock, at which this relay's own next bytes may go."""
        self._busy = 0.0
        """The moment until which the link is taken up by what others have sent."""
        self._left = float(hour or 0)
        self._counted: float | None = None

    async def spend(self, size: int, *, hurried: bool = False) -> None:
        """Wait for one's turn to let so many bytes pass."""
        moment = asyncio.get_running_loop().time()
        self._refill(moment)
        self._left -= size
        if self._rate is None:
            return
        start = max(self._next, moment)
        self._next = start + size / self._rate * (2 if self._busy > start else 1)
        if start > moment and not hurried:
            await asyncio.sleep(start - moment)

    def count(self, size: int) -> None:
        """Count bytes that others have sent, or were answered with: those do not wait."""
        moment = asyncio.get_running_loop().time()
        self._refill(moment)
        self._left = max(self._left - size, min(self._left, 0.0))
        if self._rate is not None:
            self._busy = min(max(self._busy, moment) + size / self._rate, moment + _LONGEST)

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
