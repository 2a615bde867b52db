"""Words know no network: a test here that opens a socket fails."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    """Refuse every socket while a test of this folder runs."""
