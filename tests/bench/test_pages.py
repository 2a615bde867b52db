"""That the measurement of pages runs."""

from __future__ import annotations

import pytest

from tests.bench import pages


@pytest.mark.bench
def test_pages_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    pages.main(200, 8, 2)
    assert capsys.readouterr().out.startswith("8 readers, ")
