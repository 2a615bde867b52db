"""A key's own revocation on paper: one page that says what it is, and the item as a code to scan and as text to type.

Not here: reading it back; `import` finds the item in the page, in a scan, or in what was typed. The law: the page is
whole in itself, and nothing on it helps anybody to sign.
"""

from __future__ import annotations

import base64
import textwrap
from html import escape
from typing import Final

import segno

from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import digits, words

_COLUMNS: Final = 60
_TITLE: Final = "Revocation of a signing key"
_SAYS: Final = (
    "With this sheet anybody can end the key named here. It strikes everything the key ever signed, on every relay "
    "that it reaches, for ever: there is no way to keep some of it, and no way back. It can do nothing else; nobody "
    "can sign with it.",
    "Keep it on paper, away from the computer that holds the key. Should the key be lost, stolen or copied: scan the "
    "code or type the letters into a text file, and call `meshrelay import FILE` on any relay.",
)
_STYLE: Final = (
    "body{font:12pt/1.4 sans-serif;max-width:42em;margin:2em auto;padding:0 1em}"
    "pre{font:11pt/1.5 monospace;white-space:pre-wrap;word-break:break-all}"
    "svg{width:8cm;height:8cm}dt{font-weight:bold}"
)


def page(item: SignedItem, *, name: str, made: str) -> str:
    """Return the sheet as an HTML page that loads nothing from elsewhere."""
    code = segno.make(_letters(item), error="m", micro=False).svg_inline(omitsize=True)
    facts = "".join(f"<dt>{escape(term)}</dt><dd>{escape(said)}</dd>" for term, said in _facts(item, name, made))
    paragraphs = "".join(f"<p>{escape(said)}</p>" for said in _SAYS)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_TITLE}</title><style>{_STYLE}</style>'
        f"</head><body><h1>{_TITLE}</h1>{paragraphs}<dl>{facts}</dl>{code}\n<pre>{_lines(item)}</pre></body></html>\n"
    )


def text(item: SignedItem, *, name: str, made: str) -> str:
    """Return the sheet as plain text."""
    facts = "\n".join(f"{term + ':':<10} {said}" for term, said in _facts(item, name, made))
    paragraphs = "\n\n".join(textwrap.fill(said, 76) for said in _SAYS)
    return f"{_TITLE.upper()}\n\n{paragraphs}\n\n{facts}\n\n{_lines(item)}\n"


def _facts(item: SignedItem, name: str, made: str) -> tuple[tuple[str, str], ...]:
    return (("Key", f"{name}, made {made}"), ("Digits", digits(item.author)), ("In words", words(item.author)))


def _letters(item: SignedItem) -> str:
    return base64.b64encode(item.data).decode()


def _lines(item: SignedItem) -> str:
    return "\n".join(textwrap.wrap(_letters(item), _COLUMNS))
