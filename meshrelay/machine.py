"""What this computer says of itself: its memory, whether its clock is kept right; and what it is to keep for good.

Not here: what follows from it (sealing.py, core.clock).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_UNSYNCHRONISED = 5  # TIME_ERROR of adjtimex(2): nobody disciplines this clock
_TIMEX_SIZE = 512  # struct timex takes 208 bytes or fewer; what is asked with modes = 0 is only read


def memory() -> int:
    """Return the bytes of memory that this computer has; 0 where it cannot be asked."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not POSIX, or not saying
        return 0


def descriptors() -> int:
    """Return how many files and connections this process may have open; 1,024 where it cannot be asked."""
    try:
        import resource
    except ImportError:  # on Windows
        return 1024
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


def clock_is_synchronised() -> bool:
    """Tell whether the kernel says that its clock is disciplined (adjtimex(2)); False where it cannot be asked."""
    if sys.platform != "linux":
        return False
    # What this process is linked with: looking for the C library by name would start other programs, each time.
    state: int = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_SIZE))
    return 0 <= state < _UNSYNCHRONISED


def sync_folder(folder: Path) -> None:
    """Have it on the disk which files a folder has, so that a power cut undoes no renaming; raises OSError."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
