"""Slow connections against a real relay: few of them in every run, ten thousand where there is time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.slow import PATIENCE, Figures, run


def check(found: Figures) -> None:
    assert found.memory < 200
    assert found.left == 0, f"{found.left} stayed for more than {PATIENCE} s"


@pytest.mark.faults
@pytest.mark.timeout(180)
def test_slow_connections_are_closed_and_honest_readers_are_served(tmp_path: Path) -> None:
    for found in run(150, tmp_path):
        check(found)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_ten_thousand_slow_connections_keep_nobody_out(tmp_path: Path) -> None:
    for found in run(10_000, tmp_path):
        print(found)
        check(found)
        assert found.p99 < 250
