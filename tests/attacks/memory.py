"""How much memory this process has now."""

from __future__ import annotations

from pathlib import Path


def resident() -> float:
    """Return the resident set in MiB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not say")
