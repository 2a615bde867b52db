"""Be the command `meshrelay` on a computer whose clock is off.

``python -m tests.skewed FILE --data DIR run ...``: FILE holds by how many seconds; when it is written anew, the clock
jumps. Nothing vouches for that clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

_true = time.time


def _skewed() -> float:
    return _true() + float(Path(sys.argv[1]).read_text())


if __name__ == "__main__":
    time.time = _skewed
    from meshrelay import machine

    machine.clock_is_synchronised = lambda: False
    from meshrelay import cli  # only now: who imports it takes the clock with it

    cli.main(sys.argv[2:])
