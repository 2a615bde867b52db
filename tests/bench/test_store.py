"""That the measurement of the store runs."""

from __future__ import annotations

import pytest

from tests.bench import store


@pytest.mark.bench
def test_the_store_can_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    store.main(3000)
    assert capsys.readouterr().out.startswith("put_many ")
