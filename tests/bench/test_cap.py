"""That the measurement of CAP documents runs."""

from __future__ import annotations

import pytest

from tests.bench import cap


@pytest.mark.bench
def test_documents_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    cap.main(["one alert", "50 MB"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "1 bulletins" in lines[1]
    assert "more than" in lines[2]
