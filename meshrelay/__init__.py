"""An offline-first relay of signed emergency bulletins.

What a program of yours may rely on is in ``__all__`` and in docs/spec; every other name may change in any release.
Nothing is imported here, so that the command starts fast.
"""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__: str = version("meshrelay")
