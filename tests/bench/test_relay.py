"""That the measurement of receiving runs."""

from __future__ import annotations

import pytest

from tests.bench import relay


@pytest.mark.bench
def test_receiving_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    relay.main(1_000)
    assert capsys.readouterr().out.startswith("receive_many, new ")
