"""The frame of every command: which options all of them take, how errors are said, and the exit codes.

An error is two lines on stderr: ``meshrelay: what went wrong`` and what to do about it. Exit codes: 0 done, 1 refused
or not found, 2 wrong usage, 3 some of many failed, 4 nothing reachable.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from meshrelay.cli.session import Session
from meshrelay.errors import MeshrelayError, PeerUnreachable, Refusal, WrongUsage

REFUSED, USAGE, SOME_FAILED, UNREACHABLE = 1, 2, 3, 4
_INTERRUPTED = 130
F = TypeVar("F", bound=Callable[..., Any])


def _keep_data(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).data = value


def _keep_loudness(ctx: click.Context, parameter: click.Parameter, value: int) -> None:
    if value:
        ctx.ensure_object(Session).loudness = value if parameter.name == "verbose" else -1


def _keep_passphrase_file(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Session).passphrase_file = value


def _everywhere(*, hidden: bool) -> list[click.Parameter]:
    """Return the options that may stand before a command and behind it; help shows them once."""
    return [
        click.Option(
            ["--data"],
            type=click.Path(file_okay=False, path_type=Path),
            envvar=None if hidden else "MESHRELAY_DATA",
            show_envvar=True,
            hidden=hidden,
            expose_value=False,
            is_eager=True,
            callback=_keep_data,
            help="Folder of this relay: its bulletins, keys and settings.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            hidden=hidden,
            expose_value=False,
            is_eager=True,
            callback=_keep_loudness,
            help="Say more on stderr; twice for everything.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            hidden=hidden,
            expose_value=False,
            is_eager=True,
            callback=_keep_loudness,
            help="Say nothing on stderr but errors.",
        ),
    ]


class Command(click.Command):
    """A command that also takes the options that all take."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _everywhere(hidden=True)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words of a call; an option is not the value of another one, which was forgotten."""
        ours = {name for one in self.get_params(ctx) for name in (*one.opts, *one.secondary_opts) if name[:1] == "-"}
        before = ""
        for word in args:
            if word == "--":
                break
            if word in ours and self._takes_value(before):
                raise click.UsageError(f"{before} needs a value, and {word!r} is an option", ctx)
            # The word behind a value is a new one, whatever it looks like.
            before = "" if self._takes_value(before) else word
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def _takes_value(self, word: str) -> bool:
        return any(
            word in one.opts and not one.is_flag and not one.count
            for one in self.params
            if isinstance(one, click.Option)
        )


class Group(click.Group):
    """A command with commands of its own."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _everywhere(hidden=True)


class Commands(click.Group):
    """The outermost command: its commands are imported when called, and every error ends here."""

    def __init__(self, *args: Any, lazy: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = _everywhere(hidden=False) + self.params
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people meet them."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._lazy:
            return None
        module, _, name = self._lazy[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Whoever read our output has enough; what is left must not fail while Python shuts down.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and exit."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that cannot show a letter still shows the rest.
                stream.reconfigure(errors="backslashreplace")
        sys.exit(_guarded(lambda: super(Commands, self).main(args, prog_name or "meshrelay", **_plainly(extra))))


def _plainly(extra: dict[str, Any]) -> dict[str, Any]:
    return {**extra, "standalone_mode": False}


def _guarded(work: Callable[[], Any]) -> int:
    """Do `work` and return the exit code; errors that are nobody's bug are said in two lines."""
    try:
        code = work()
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "meshrelay"
        # What may be chosen from comes a line each; an error is one line, and what to do about it another.
        complain(" ".join(error.format_message().split()), hint=f"see `{path} --help`")
        return USAGE
    except click.FileError as error:
        complain(error.format_message(), hint="give the path of a file that can be read")
        return REFUSED
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo(err=True)
        if isinstance(error.__context__, EOFError):
            complain("nobody is there to answer", hint="call it on a terminal, or answer by options; see --help")
            return REFUSED
        return _INTERRUPTED
    except Refusal as error:
        complain(str(error), hint=error.hint)
        return USAGE if isinstance(error, WrongUsage) else REFUSED
    except PeerUnreachable as error:
        complain(str(error), hint="see that both are on the same network and that the other relay runs")
        return UNREACHABLE
    except MeshrelayError as error:
        complain(str(error), hint="ask for it anew where it came from; nothing here has changed")
        return REFUSED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        complain(f"{where}{error.strerror or error}", hint="see that the file or folder is there and may be used")
        return REFUSED
    return code if isinstance(code, int) else 0


def complain(message: str, *, hint: str) -> None:
    """Say on stderr what went wrong and what to do."""
    click.echo(f"meshrelay: {message}", err=True)
    click.echo(f"  {hint}", err=True)


def note(message: str) -> None:
    """Say on stderr what is good to know, unless -q was given."""
    context = click.get_current_context(silent=True)
    if context is None or context.ensure_object(Session).loudness >= 0:
        click.echo(message, err=True)


def confirm(expected: str, question: str, *, option: str) -> None:
    """Go on only when the person types `expected`; raises Refusal that names the option which answers instead."""
    hint = f"type {expected}, or give {option}"
    try:
        answer: str = click.prompt(question, default="", show_default=False, err=True)
    except click.Abort as error:
        click.echo(err=True)
        raise Refusal("nobody has confirmed this", hint=hint) from error
    if answer.strip() != expected:
        raise Refusal("that is not what was to be typed; nothing has changed", hint=hint)


def print_json(document: object) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def json_option(command: F) -> F:
    """Add --json to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


def passphrase_option(command: F) -> F:
    """Add --passphrase-file to a command that signs."""
    return click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_keep_passphrase_file,
        help="File whose first line is the key's passphrase; default: asked for on the terminal.",
    )(command)


_REPEATED_AFTER = 600.0
_REMEMBERED = 256


class EchoHandler(logging.Handler):
    """Log lines on stderr, wherever that goes at the moment; one that repeats itself comes every ten minutes."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        line = f"meshrelay: {record.levelname.lower()}: {record.getMessage()}"
        # A disk that is full, for one, is met by every request; the clock may be set back meanwhile.
        if record.levelno > logging.DEBUG and abs(record.created - self._said.get(line, 0)) < _REPEATED_AFTER:
            return
        self._said[line] = record.created
        if len(self._said) > _REMEMBERED:
            del self._said[next(iter(self._said))]
        click.echo(line, err=True)
        if record.exc_info:
            click.echo(logging.Formatter().formatException(record.exc_info), err=True)


_SHOWN_AFTER = 1.0
_SHOWN_EVERY = 0.2


class Progress:
    """How far a long command is, on stderr, once it has taken a second, and only on a terminal."""

    def __init__(self, what: str, *, total: int | None = None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._next = time.monotonic() + _SHOWN_AFTER
        self._shown = False
        self._wanted = sys.stderr.isatty()

    def advance(self, count: int = 1) -> None:
        """Say that `count` more are done."""
        self._done += count
        if self._wanted and time.monotonic() >= self._next:
            of = f" of {self._total}" if self._total is not None else ""
            click.echo(f"\r{self._what}: {self._done}{of}\x1b[K", nl=False, err=True)
            self._next, self._shown = time.monotonic() + _SHOWN_EVERY, True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)


@contextmanager
def progress(what: str, *, total: int | None = None) -> Iterator[Progress]:
    """Show how far a long command is while it runs."""
    shown = Progress(what, total=total)
    try:
        yield shown
    finally:
        shown.clear()
