"""What time it is, as far as a relay can tell without a clock server.

A computer that lost its battery says 1970, one that was set by hand says anything. What others signed is evidence that
their time has come, but one of them may be wrong too, or lie. So the time in force is this machine's own, lifted to a
floor that two senders known here agree on; it is doubted, never turned back, when nobody known here has been heard
for two days; and no peer's clock is ever adopted.

Law: a function of its arguments, computed anew each time: taking evidence away takes its effect away.
Source: docs/spec/bulletin.md, "Time".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

BUILT = 1_795_392_000
"""When this version was made (2026-11-23): no clock that is right says less."""
DOUBT_AFTER = 48 * 3600
SINGLE_LIFT = 30 * 86400
"""A single known sender lifts the time by no more than this."""
AGREEING_PEERS = 3
AGREEMENT = 600
"""Seconds by which clocks may differ and still agree."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time in force, and whether it may be far ahead of the truth; `behind` says by how much the machine's lags."""

    now: int
    doubtful: bool = False
    behind: int = 0

    @property
    def machine(self) -> int:
        """What this machine's own clock says: the time at which its people sign."""
        return self.now - self.behind


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a time: this machine's clock, the time it last wrote down, and what others said.

    `newest` holds, for every sender known here other than this relay's own people, the newest `sent` of what it did
    not take back. `confirmed` means that the operator or the operating system vouches for the clock;
    `agreeing` is how many relays that this one dialled show the same time.
    """

    machine: int
    saved: int = 0
    newest: Collection[int] = ()
    confirmed: bool = False
    agreeing: int = 0


def tell(evidence: Evidence, *, built: int = BUILT) -> Clock:
    """Return the time in force."""
    base = evidence.machine if evidence.machine >= built else max(built, evidence.saved)
    now = max(base, floor(evidence.newest, base=base))
    heard = max(evidence.newest, default=None)
    doubtful = (
        heard is not None
        and base > heard + DOUBT_AFTER
        and not evidence.confirmed
        and evidence.agreeing < AGREEING_PEERS
    )
    return Clock(now, doubtful, behind=max(0, now - evidence.machine))


def floor(newest: Collection[int], *, base: int) -> int:
    """Return the time below which it cannot be: what two known senders have both reached."""
    ordered = sorted(newest, reverse=True)
    if len(ordered) >= 2:
        return ordered[1]
    return min(ordered[0], base + SINGLE_LIFT) if ordered else 0
