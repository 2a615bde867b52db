"""``python -m meshrelay``: the same as the command ``meshrelay``."""

from __future__ import annotations

from meshrelay.cli import main

if __name__ == "__main__":
    main()
