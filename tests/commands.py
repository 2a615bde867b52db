"""Every command of `meshrelay`, found by walking the tree that the command line itself uses."""

from __future__ import annotations

from collections.abc import Iterator

import click

from meshrelay import cli


def walk(
    command: click.Command, path: str = "meshrelay", parent: click.Context | None = None
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that call it."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, parent=parent)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, f"{path} {name}"
            yield from walk(inner, f"{path} {name}", context)


COMMANDS = dict(walk(cli.main))
"""Every command that does something, by the words that call it: ``meshrelay key new``."""


def options(command: click.Command) -> list[str]:
    """Return the long names of a command's own options; those that all commands take are hidden in them."""
    shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [name for one in shown for name in (*one.opts, *one.secondary_opts) if name.startswith("--")]
