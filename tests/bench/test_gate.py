"""That the measurement of the gate runs."""

from __future__ import annotations

import pytest

from tests.bench import gate


@pytest.mark.bench
def test_the_gate_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    gate.main(30)
    assert len(capsys.readouterr().out.splitlines()) == 6
