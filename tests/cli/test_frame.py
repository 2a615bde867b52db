"""The frame: help, versions, folders, errors and exit codes of every command."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from meshrelay.cli import frame, main
from meshrelay.cli.screen import first_screen
from tests.cli.conftest import Terminal
from tests.processes import run


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words that call every command."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))


@pytest.mark.parametrize("words", list(commands(main)), ids=" ".join)
def test_every_command_has_help(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0
    assert f"Usage: meshrelay {' '.join(words)}" in result.stdout
    assert CliRunner().invoke(main, [*words, "-h"]).stdout == result.stdout


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(main, ["--version"]).stdout == f"meshrelay {version('meshrelay')}\n"


def test_the_folder_may_be_given_before_behind_or_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / name for name in "abc"]
    runner = CliRunner()
    runner.invoke(main, ["--data", str(folders[0]), "key", "new"])
    runner.invoke(main, ["key", "new", "--data", str(folders[1])])
    monkeypatch.setenv("MESHRELAY_DATA", str(folders[2]))
    runner.invoke(main, ["key", "new"])
    assert [(folder / "keys" / "me.key").is_file() for folder in folders] == [True] * 3


def test_the_folder_is_nobody_else_s_to_read(terminal: Terminal) -> None:
    terminal.do("key", "new")
    assert terminal.data.stat().st_mode & 0o777 == 0o700
    assert (terminal.data / "keys" / "me.key").stat().st_mode & 0o777 == 0o600


def test_an_unknown_command_is_wrong_usage(terminal: Terminal) -> None:
    assert "No such command" in terminal.refuse("publsh", code=2)


def test_a_broken_settings_file_is_an_error_in_words(terminal: Terminal) -> None:
    terminal.do("key", "new")
    (terminal.data / "settings.toml").write_text("name = ", encoding="utf-8")
    assert "is not a settings file" in terminal.refuse("publish", "--headline", "x")


def test_a_store_of_something_else_is_an_error_in_words(terminal: Terminal) -> None:
    terminal.data.mkdir()
    (terminal.data / "store.db").write_bytes(b"milk, bread\n" * 1000)
    terminal.refuse("list")


def test_a_file_that_is_not_there_is_an_error_in_words(terminal: Terminal) -> None:
    assert "absent.json" in terminal.refuse("publish", "absent.json")


def test_a_reader_that_goes_away_is_no_error(terminal: Terminal) -> None:
    for number in range(3):
        terminal.do("publish", "--headline", f"{number} {'water ' * 150}")
    script = f"{sys.executable} -m meshrelay --data {terminal.data} list --json | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "0\n"
    assert result.stderr == ""


def test_progress_is_shown_on_a_terminal_alone_and_after_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for terminal, shown in ((False, False), (True, True)):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with frame.progress("taken in", total=9) as progress:
            progress.advance()
            assert capsys.readouterr().err == ""
            now[0] += 1.5
            progress.advance(3)
            assert ("taken in: 4 of 9" in capsys.readouterr().err) is shown
        assert capsys.readouterr().err.endswith("\x1b[K") is shown


def test_a_page_in_a_terminal_is_its_words() -> None:
    page = """<html><head><title>t</title><style>x</style></head><body><a class="skip" href="#m">Skip</a>
<ul class="row"><li><a>One</a></li>
<li>Two</li></ul><main><h1>Name</h1><p>It is <b>late</b>
here.</p><svg><text>no</text></svg><dl><dt>Where</dt><dd>Here</dd></dl></main><footer>end</footer></body></html>"""
    assert first_screen(page, lines=9) == ["One · Two", "Name", "It is late here.", "Where: Here"]
    assert first_screen(page, lines=2) == ["One · Two", "Name"]


def test_a_line_that_repeats_itself_is_said_again_only_after_ten_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    handler = frame.EchoHandler()

    def say(message: str, *, at: float, level: int = logging.WARNING) -> None:
        record = logging.LogRecord("meshrelay", level, __file__, 1, message, (), None)
        record.created = at
        handler.emit(record)

    for second in range(700):
        say("the disk takes no more", at=1e9 + second)
    say("something else", at=1e9 + 700)
    say("the disk takes no more", at=5.0)  # the clock was set back
    for _ in range(2):
        say("no relay there", at=1e9, level=logging.DEBUG)
    said = [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()]
    full, other, no = "the disk takes no more", "something else", "no relay there"
    assert said == [full, full, other, full, no, no]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["poster", "x.html", "--wifi"], "poster"),
        (["trust", "add", "x", "--as"], "trust add"),
        (["list", "--x"], "list"),
    ],
)
def test_a_wrong_call_leads_to_the_help_of_its_command(terminal: Terminal, words: list[str], command: str) -> None:
    result = terminal.call(*words)
    assert result.exit_code == 2
    assert f"see `meshrelay {command} --help`" in result.stderr


def test_nobody_else_reads_what_a_relay_writes_into_a_folder_that_was_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    old = os.umask(0o022)
    try:
        terminal = Terminal(data)
        terminal.do("setup", "--yes", "--name", "School 12", "--stays")
        relay = run(data)
        terminal.do("publish", "--headline", "x")
        terminal.do("backup", str(data / "b.backup"))
        modes = {str(one.relative_to(data)): stat.S_IMODE(one.stat().st_mode) for one in data.rglob("*")}
        del modes["log"]  # the test's own
        relay.stop()
    finally:
        os.umask(old)
    assert "settings.toml" in modes
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
