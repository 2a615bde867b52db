"""Bytes into trees of elements: XML as agencies send it, and nothing that makes a parser work for an attacker.

Not here: what the elements mean. Read generously: encodings that are declared wrongly in one of the usual ways, blanks
before the first line, and several documents one behind the other.

Law: for any bytes :func:`trees` ends, in time and memory bounded by the limits of schema.py; it opens no file and no
address, and raises nothing but InvalidDocument. A document type declaration is never read: that is where entities come
from.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import errors

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from meshrelay.errors import InvalidDocument
from meshrelay.interop.cap.schema import MAX_DEPTH, MAX_DOCUMENT, MAX_ELEMENTS, MAX_PARTS

_UTF_8: Final = "utf-8"
_UTF_16: Final = {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16le",
    b"\0<": "utf-16be",
}
_UTF_32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_BLANK: Final = b" \t\r\n"
_PAGE: Final = (b"<!doctype html", b"<html")
_DECLARED: Final = re.compile(rb"<\?xml\s[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']")
# Of the encodings with several bytes a character, those in use; the parser itself knows none of them.
_WIDE: Final = frozenset(
    {"shift_jis", "cp932", "euc_jp", "iso2022_jp", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc_kr", "cp949"}
)
_NOT_LATIN_1: Final = re.compile(rb"[\x80-\x9f]")
# What the parser says at the beginning of a second document.
_ANOTHER: Final = frozenset(
    {errors.codes[errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT], errors.codes[errors.XML_ERROR_MISPLACED_XML_PI]}
)


@dataclass(slots=True)
class Budget:
    """How much more of a document, and of what is packed into it, may be read."""

    elements: int = MAX_ELEMENTS
    parts: int = MAX_PARTS

    def spend(self) -> None:
        """Take one element."""
        self.elements -= 1
        if self.elements < 0:
            raise InvalidDocument("document", f"has more than {MAX_ELEMENTS} elements")

    def spend_part(self) -> None:
        """Take one alert, or one entry of a feed."""
        self.parts -= 1
        if self.parts < 0:
            raise InvalidDocument("document", f"holds more than {MAX_PARTS} alerts or entries")


class _Builder(TreeBuilder):
    """A tree of bounded size: thin elements make a small file a large tree."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.is_whole = False
        self._budget = budget
        self._depth = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._budget.spend()
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidDocument("document", f"its elements are nested more than {MAX_DEPTH} deep")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        self.is_whole = not self._depth
        return super().end(tag)


def is_xml(start: bytes) -> bool:
    """Tell whether a file that begins with `start` may be XML, in any encoding, and no page of the web."""
    if start.startswith((*_UTF_32, *_UTF_16)):
        return True
    text = start.removeprefix(codecs.BOM_UTF8).lstrip(_BLANK)
    return text.startswith(b"<") and not text[:20].lower().startswith(_PAGE)


def trees(data: bytes, budget: Budget, *, text: bool = False) -> Iterator[Element]:
    """Yield the root of every document in `data`: one, as a rule.

    `text` says that the bytes are UTF-8, whatever they declare. Raises InvalidDocument.
    """
    if len(data) > MAX_DOCUMENT:
        raise InvalidDocument("document", f"has more than {MAX_DOCUMENT} bytes")
    data, encoding = (data.strip(_BLANK), _UTF_8) if text else _readable(data)
    start = 0
    while True:
        root, used = _parse(memoryview(data)[start:], encoding, budget)
        yield root
        if used is None:
            return
        start += used


def _parse(data: memoryview, encoding: str | None, budget: Budget) -> tuple[Element, int | None]:
    """Return the root of the first document, and where the next one begins, if there is one."""
    builder = _Builder(budget)
    parser = DefusedXMLParser(target=builder, encoding=encoding, forbid_dtd=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except DefusedXmlException as error:
        raise InvalidDocument("document", "has a document type declaration, which is never read") from error
    except ParseError as error:
        at = parser.parser.ErrorByteIndex
        if error.code in _ANOTHER and builder.is_whole and bytes(data[at : at + 1]) == b"<":
            budget.spend_part()
            return builder.close(), at
        raise InvalidDocument("document", f"is not XML that can be read: {error}") from error
    except (LookupError, ValueError) as error:
        raise InvalidDocument("document", f"is not XML that can be read: {error}") from error
    return root, None


def _readable(data: bytes) -> tuple[bytes, str | None]:
    """Return the bytes as the parser takes them, and the encoding that they are in, where it is not as declared."""
    if data.startswith(_UTF_32):
        return _decoded(data, "utf-32"), _UTF_8
    for start, name in _UTF_16.items():
        if data.startswith(start):
            return data, name
    marked = data.startswith(codecs.BOM_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8).strip(_BLANK + b"\0")
    declared = _DECLARED.match(data)
    name = _name(declared[1].decode()) if declared else _UTF_8
    # What begins with one byte a character is not UTF-16, whatever a program that copied the declaration says.
    if marked or name.startswith(("utf-16", "utf_16", "utf-32", "utf_32", "ucs")):
        return data, _UTF_8
    if name in _WIDE:
        return _decoded(data, name), _UTF_8
    # The bytes that Latin 1 leaves to controls are quotation marks and dashes of Windows: browsers read them so too.
    if name == "iso8859-1" and _NOT_LATIN_1.search(data):
        return data, "windows-1252"
    return data, None


def _name(declared: str) -> str:
    try:
        return codecs.lookup(declared).name
    except LookupError:
        return declared.lower()


def _decoded(data: bytes, encoding: str) -> bytes:
    try:
        return data.decode(encoding).encode()
    except UnicodeError as error:
        raise InvalidDocument("document", f"is not in {encoding}, as it says: {error}") from error
