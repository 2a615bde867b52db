"""That the measurement of exchanges runs."""

from __future__ import annotations

import pytest

from tests.bench import exchange


@pytest.mark.bench
def test_exchanges_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    exchange.main(500)
    assert "nothing new: median " in capsys.readouterr().out
