"""Whatever floods a relay, nobody known loses anything, and nothing grows without bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks import statements
from tests.attacks.flood import flooded


def test_a_flood_of_every_class_costs_known_senders_nothing_and_honest_strangers_not_their_share(
    tmp_path: Path,
) -> None:
    found = flooded(tmp_path, keys=40, relays=6, items=600, max_bytes=6_000_000)
    assert (found.known, found.honest, found.late) == (1, 1, 1)
    assert found.stored <= 6


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("relays", [1, 40, 1000])
@pytest.mark.parametrize("keys", [1, 40, 1000])
def test_of_any_number_of_keys_and_relays(tmp_path: Path, keys: int, relays: int) -> None:
    found = flooded(tmp_path, keys=keys, relays=relays, items=6_000, max_bytes=24_000_000)
    assert (found.known, found.honest, found.late) == (1, 1, 1)
    assert found.stored <= 24
    assert found.memory < 40


def test_a_flood_of_strangers_statements_makes_nothing_dearer(tmp_path: Path) -> None:
    few, _, many = [cost for _, cost in statements.measured(tmp_path, 300)]
    assert many.page < 20 * max(few.page, 5)
    assert many.view < 20 * max(few.view, 5)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_hundred_thousand_statements_of_strangers_make_nothing_dearer(tmp_path: Path) -> None:
    _, first, last = [cost for _, cost in statements.measured(tmp_path, 17_000)]
    assert last.page < 3 * max(first.page, 5)
    assert last.view < 3 * max(first.view, 5)
    assert last.batch < 3 * first.batch
    assert last.memory < first.memory + 60
