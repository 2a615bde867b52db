"""Codes to scan, drawn on a terminal."""

from __future__ import annotations

import io
import sys

import click
import segno


def print_code(text: str, *, always: bool = False) -> None:
    """Print a text as a code to scan, when a person looks at a terminal or it is wanted `always`."""
    if always or sys.stdout.isatty():
        drawn = io.StringIO()
        segno.make(text, error="m", micro=False).terminal(drawn, compact=True)
        # White on black whatever the terminal's own colours: not every phone reads a code the other way round.
        for line in drawn.getvalue().splitlines():
            click.echo(click.style(line, fg="bright_white", bg="black"))
