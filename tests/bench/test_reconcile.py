"""That the measurement of reconciliation runs."""

from __future__ import annotations

import pytest

from tests.bench import reconcile


@pytest.mark.bench
def test_reconciliation_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    reconcile.main(500)
    assert capsys.readouterr().out.startswith("500 keys on a side")
