"""A terminal with a data folder of its own, in which `meshrelay` is called as people call it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from meshrelay.cli import main

PASSPHRASE = "correct horse battery"


@dataclass(frozen=True)
class Terminal:
    """Calls commands on one data folder."""

    data: Path

    def call(self, *words: str, stdin: bytes | str | None = None) -> Result:
        """Call a command and return what came of it, whatever that is."""
        result = CliRunner().invoke(main, ["--data", str(self.data), *words], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def do(self, *words: str, stdin: bytes | str | None = None) -> str:
        """Call a command that must succeed; return what it printed on stdout."""
        result = self.call(*words, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    def read(self, *words: str, stdin: bytes | str | None = None) -> Any:
        """Call a command with --json; return its document."""
        return json.loads(self.do(*words, "--json", stdin=stdin))

    def refuse(self, *words: str, code: int = 1) -> str:
        """Call a command that must fail; return what it said on stderr, which has the form of an error."""
        result = self.call(*words)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        lines = result.stderr.strip().splitlines()
        assert lines[-2].startswith("meshrelay: "), result.stderr
        assert lines[-1].startswith("  "), result.stderr
        return lines[-2].removeprefix("meshrelay: ")


@pytest.fixture(autouse=True)
def _plain_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "MESHRELAY_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """Return a terminal with an empty folder."""
    return Terminal(tmp_path / "data")


@pytest.fixture
def other(tmp_path: Path) -> Terminal:
    """Return a terminal at another relay."""
    return Terminal(tmp_path / "other")


@pytest.fixture
def secret(tmp_path: Path) -> str:
    """Return the path of a file that holds PASSPHRASE."""
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n", encoding="utf-8")
    return str(tmp_path / "passphrase")
