"""Every command, option, exit code and setting is explained, and nothing is explained that is not there."""

from __future__ import annotations

import re

import click
import pytest

from meshrelay.settings import ENVIRONMENT_PREFIX, KEYS
from tests.commands import COMMANDS, options
from tests.conftest import ROOT

HEADING = re.compile(r"^#{2,3} (meshrelay\b.*)$", re.MULTILINE)


def reference() -> str:
    return (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def section(path: str) -> str:
    parts = HEADING.split(reference())
    return dict(zip(parts[1::2], parts[2::2], strict=True))[path]


def test_the_reference_has_a_section_for_each_command_and_no_other() -> None:
    assert sorted(HEADING.findall(reference())) == sorted(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does(path: str) -> None:
    command = COMMANDS[path]
    assert command.help
    assert command.help[0].isupper()
    unexplained = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
    assert unexplained == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_is_in_its_section(path: str) -> None:
    text = section(path)
    assert [name for name in options(COMMANDS[path]) if f"`{name}" not in text] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_no_section_names_an_option_that_its_command_lacks(path: str) -> None:
    named = set(re.findall(r"^\| `(--[a-z-]+)", section(path), re.MULTILINE))
    assert named - set(options(COMMANDS[path])) == set()


def test_every_setting_is_in_the_reference_with_its_environment_variable() -> None:
    text = reference()
    assert [key for key in KEYS if f"| `{key}` | `{ENVIRONMENT_PREFIX}{key.upper()}`" not in text] == []


def test_the_readme_names_no_command_that_is_not_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    typed = re.findall(r"(?:^ *|`|&& |bin/)meshrelay ([a-z-]+)(?: ([a-z-]+))?", text, re.MULTILINE)
    groups = {path.split()[1] for path in COMMANDS if path.count(" ") == 2}
    called = {
        f"meshrelay {first} {second}" if first in groups and second else f"meshrelay {first}" for first, second in typed
    }
    assert len(called) > 5
    assert called - set(COMMANDS) == set()
