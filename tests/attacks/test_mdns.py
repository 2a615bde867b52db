"""False announcements against a real relay: a few in every run, twenty thousand where there is time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.mdns import run


@pytest.mark.timeout(120)
def test_false_announcements_cost_little_and_a_known_neighbour_is_still_heard(tmp_path: Path) -> None:
    found = run(1_000, tmp_path)
    assert found.peak - found.before < 30


@pytest.mark.full
@pytest.mark.timeout(300)
def test_twenty_thousand_false_announcements(tmp_path: Path) -> None:
    found = run(20_000, tmp_path)
    print(found)
    assert found.peak - found.before < 30
    assert found.synced < 5
