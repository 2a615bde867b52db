"""A page as a terminal can show it: its words in reading order, without the links and forms at its end."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_BLOCKS: Final = frozenset(
    ("article", "details", "div", "dt", "h1", "h2", "h3", "main", "p", "section", "summary", "ul")
)
_JOINED: Final = {"li": " · ", "dd": ": ", "br": " "}
_UNSEEN: Final = frozenset(("footer", "head", "svg"))


def first_screen(page: str, *, lines: int) -> list[str]:
    """Return the first lines of a page of this project."""
    screen = _Screen()
    screen.feed(page)
    tidy = [" ".join(line.split()) for line in screen.lines]
    return [line for line in tidy if line][:lines]


class _Screen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self._unseen = 0
        self._skipped = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        self._skipped = ("class", "skip") in attrs
        if tag in _BLOCKS:
            self.lines.append("")
        elif self.lines[-1].strip():
            self.lines[-1] += _JOINED.get(tag, "")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        self._skipped = False
        if tag in _BLOCKS and tag != "dt":
            self.lines.append("")

    def handle_data(self, data: str) -> None:
        if not self._unseen and not self._skipped:
            self.lines[-1] += data
