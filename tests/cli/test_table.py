"""The table of table.py is called, row by row, with and without a relay that runs; and nothing is missing in it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import click
import pytest
from click.testing import Result

from meshrelay.cli import service
from tests.cli.conftest import Terminal
from tests.cli.table import ELSEWHERE, ROWS, WRONG, Row, Things
from tests.commands import COMMANDS, options
from tests.processes import Process, lasting, launch

pytestmark = pytest.mark.usefixtures("cheap_guesses", "stand_in_for_systemd")

HERE = Path(__file__).parent


@pytest.fixture
def stand_in_for_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text("#!/bin/sh\n")
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setattr(service, "BOOTED", tools)
    monkeypatch.setattr(service, "SYSTEM_UNITS", tmp_path / "system")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, Process]]:
    """Give a folder that nothing runs on, one that a relay runs on, and another relay."""
    base = tmp_path_factory.mktemp("table")
    for name in ("alone", "beside"):
        terminal = Terminal(base / name)
        terminal.do("config", "set", "name", "School 12")
        terminal.do("key", "new")
        terminal.do("key", "default", "me")
    with ExitStack() as stack:
        stack.enter_context(lasting(base / "beside"))
        neighbour = stack.enter_context(lasting(base / "neighbour"))
        yield base / "alone", base / "beside", neighbour


@pytest.fixture(params=["alone", "beside"])
def place(request: pytest.FixtureRequest, folders: tuple[Path, Path, Process]) -> Terminal:
    """Return the terminal of a folder that nothing runs on, or that a relay runs on."""
    return Terminal(folders[0] if request.param == "alone" else folders[1])


def called(terminal: Terminal, row: Row, things: Things) -> Result:
    return terminal.call(*(word.format_map(things) for word in shlex.split(row.line)), stdin=row.stdin)


def path_of(line: str) -> str:
    """Return which command a line calls."""
    words = ["meshrelay", *shlex.split(line)]
    return max((path for path in COMMANDS if words[: path.count(" ") + 1] == path.split()), key=len, default="")


def flags_of(line: str) -> set[str]:
    return {word.partition("=")[0] for word in shlex.split(line) if word.startswith("--")}


def id_of(row: Row) -> str:
    return row.line


# Nothing is missing


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_every_option_of_it_is_called_by_a_row(path: str) -> None:
    lines = [row.line for row in ROWS if row.code == 0] + list(ELSEWHERE)
    lines = [line for line in lines if path_of(line) == path]
    advice = "add a row to ROWS in tests/cli/table.py; its docstring says how"
    assert lines, f"no row calls `{path}`: {advice}"
    missing = set(options(COMMANDS[path])).difference(*map(flags_of, lines))
    assert not missing, f"no row calls `{path}` with {', '.join(sorted(missing))}: {advice}"


@pytest.mark.parametrize("line", ELSEWHERE)
def test_what_is_called_elsewhere_is_called_by_a_test(line: str) -> None:
    file, _, name = ELSEWHERE[line].partition("::")
    assert f"def {name}(" in (HERE / file).read_text(encoding="utf-8")


# Every row ends as it must


@pytest.mark.parametrize("row", ROWS, ids=id_of)
def test_a_call_ends_as_it_must(
    row: Row, place: Terminal, request: pytest.FixtureRequest, folders: tuple[Path, Path, Process], tmp_path: Path
) -> None:
    things = Things(place, tmp_path, folders[2])
    beside = place.data == folders[1]
    code = row.beside if beside and row.beside is not None else row.code
    if path_of(row.line) == "meshrelay run" and code == 0:
        start_and_stop(tmp_path / "data", row, things)
        return
    result = called(place, row, things)
    assert result.exit_code == code, result.output
    said = result.stdout if code == 0 else result.stderr
    if code == 0 or row.code == code:
        assert re.search(row.says, said, re.MULTILINE), said
    if code:
        check_error(result)


def start_and_stop(data: Path, row: Row, things: Things) -> None:
    """Run a relay as a process until it is ready, tell it to stop, and look at what it said."""
    words = [word.format_map(things) for word in shlex.split(row.line)]
    relay = launch(data, *words)
    relay.process.send_signal(signal.SIGTERM)
    assert relay.process.wait(20) == 0
    log = (data / "log").read_text(encoding="utf-8")
    assert row.says in log, log


@pytest.mark.parametrize("row", WRONG, ids=id_of)
def test_what_cannot_be_is_refused_with_a_word_on_what_to_do(
    row: Row, place: Terminal, folders: tuple[Path, Path, Process], tmp_path: Path
) -> None:
    beside = place.data == folders[1] and row.beside is not None
    result = called(place, row, Things(place, tmp_path, folders[2]))
    assert result.exit_code == (row.beside if beside else row.code), result.output
    check_error(result)
    assert beside or row.says in result.stderr, result.stderr


def check_error(result: Result) -> None:
    """See that what went wrong is said in two lines, the second one being what to do."""
    *_, what, advice = result.stderr.splitlines()
    assert re.fullmatch(r"meshrelay: \S.*\S", what), result.stderr
    assert re.fullmatch(r"  \S.*\S", advice), result.stderr
    assert "Traceback" not in result.stderr


# What every command refuses


@pytest.mark.parametrize("path", COMMANDS)
def test_an_unknown_option_and_a_missing_word_are_wrong_usage(path: str, terminal: Terminal) -> None:
    words = path.split()[1:]
    calls = [[*words, "--colour"]]
    if any(isinstance(one, click.Argument) and one.required for one in COMMANDS[path].params):
        calls.append(words)
    for call in calls:
        result = terminal.call(*call)
        assert result.exit_code == 2, result.output
        check_error(result)
    assert not terminal.data.exists()


def typed_options() -> Iterator[tuple[str, str]]:
    """Yield every option whose type takes some words and not others."""
    free = (click.types.StringParamType, click.Path)
    for path, command in COMMANDS.items():
        for one in command.params:
            takes_word = isinstance(one, click.Option) and not one.is_flag and not one.count and not one.hidden
            if takes_word and not isinstance(one.type, free):
                yield path, one.opts[0]


@pytest.mark.parametrize(("path", "option"), list(typed_options()), ids=lambda word: word)
def test_a_word_that_an_option_cannot_take_is_wrong_usage(path: str, option: str, terminal: Terminal) -> None:
    result = terminal.call(*path.split()[1:], option, "!?")
    assert result.exit_code == 2, result.output
    check_error(result)
    assert option in result.stderr
    assert not terminal.data.exists()


# Folders that are not as they should be


def broken_settings(data: Path) -> None:
    (data / "settings.toml").write_text("name = ")


def no_store(data: Path) -> None:
    (data / "store.db").write_bytes(b"milk, bread\n" * 1000)


def store_cut_short(data: Path) -> None:
    (data / "store.db").write_bytes((data / "store.db").read_bytes()[:6000])


def store_is_a_folder(data: Path) -> None:
    (data / "store.db").unlink()
    (data / "store.db").mkdir()


def no_notes(data: Path) -> None:
    (data / "local.db").write_bytes(b"milk, bread\n" * 1000)


def newer_notes(data: Path) -> None:
    with closing(sqlite3.connect(data / "local.db")) as db, db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name) VALUES ('meshrelay-local', '_one_more')")


def notes_cut_short(data: Path) -> None:
    (data / "local.db").write_bytes((data / "local.db").read_bytes()[:6000])


def no_key(data: Path) -> None:
    (data / "keys" / "me.key").write_bytes(b"milk")


def keys_are_a_file(data: Path) -> None:
    (data / "keys").rename(data / "elsewhere")
    (data / "keys").write_text("")


DAMAGES = [
    broken_settings,
    no_store,
    store_cut_short,
    store_is_a_folder,
    no_notes,
    newer_notes,
    notes_cut_short,
    no_key,
    keys_are_a_file,
]
FIRST = {path_of(row.line): row for row in reversed(ROWS) if row.code == 0 and path_of(row.line) != "meshrelay run"}
ENDS = (0, 1, 3, 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a little of everything, and no journal."""
    terminal = Terminal(tmp_path_factory.mktemp("whole") / "data")
    terminal.do("key", "new")
    terminal.do("config", "set", "name", "School 12")
    terminal.do("publish", "--headline", "Water")
    return terminal.data


@pytest.mark.parametrize("path", FIRST)
def test_a_damaged_folder_is_an_error_in_words_or_none(
    path: str, whole: Path, folders: tuple[Path, Path, Process], tmp_path: Path
) -> None:
    things = Things(Terminal(folders[0]), tmp_path, folders[2])
    for damage in DAMAGES:
        terminal = Terminal(tmp_path / damage.__name__)
        shutil.copytree(whole, terminal.data)
        damage(terminal.data)
        result = called(terminal, FIRST[path], things)
        assert result.exit_code in ENDS, f"{damage.__name__}: {result.output}"
        if result.exit_code:
            check_error(result)


@pytest.mark.parametrize("path", FIRST)
def test_a_folder_that_cannot_be_is_an_error_in_words(
    path: str, folders: tuple[Path, Path, Process], tmp_path: Path
) -> None:
    things = Things(Terminal(folders[0]), tmp_path, folders[2])
    file = Path(things["rubbish"])
    for data, codes in ((file, (2,)), (file / "x", ENDS), (Path("/proc/nothing/x"), ENDS), (Path("/sys/x"), ENDS)):
        result = called(Terminal(data), FIRST[path], things)
        assert result.exit_code in codes, f"{data}: {result.output}"
        if result.exit_code:
            check_error(result)


@pytest.mark.parametrize("damage", [broken_settings, newer_notes, store_is_a_folder])
def test_a_relay_does_not_start_on_a_folder_that_it_cannot_use(
    damage: Callable[[Path], None], whole: Path, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path / "data")
    shutil.copytree(whole, terminal.data)
    damage(terminal.data)
    check_error(terminal.call("run", "--private", *(f"--{one}=127.0.0.1:0" for one in ("reader", "peers", "desk"))))
