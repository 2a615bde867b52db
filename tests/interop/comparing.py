"""Two CAP documents, field by field, by the words of the schema alone: nothing of the reader under test is used.

What may differ: the order of infos, blanks at the ends of lines, an open polygon that was closed, degrees beyond the
micro-degree, metres, the default language and media type, escapes in addresses, and what the mapping leaves out by its
own word.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

_UNMAPPED = {"restriction", "addresses", "derefUri"}
_TIMES = {"sent", "effective", "onset", "expires"}
_PAIRS = {"eventCode", "parameter", "geocode"}


def differences(before: Element, after: Element) -> list[str]:
    """Return what `before` says and `after` does not, or says otherwise; both are alert elements."""
    return list(_differences(_fields(before), _fields(after), "alert"))


def _differences(before: Any, after: Any, path: str) -> Iterator[str]:
    for name in sorted({*before, *after}):
        here, there = Counter(before.get(name, [])), Counter(after.get(name, []))
        if here != there:
            yield f"{path}/{name}: {list((here - there).elements())} became {list((there - here).elements())}"


def _fields(element: Element) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        if "cap:1." not in child.tag or name in _UNMAPPED:
            continue
        value = _value(name, child)
        if value not in ("", ()):
            found.setdefault(name, []).append(value)
    if element.tag.endswith("}info"):
        found.setdefault("language", ["en-US"])
    if element.tag.endswith("}resource"):
        found.setdefault("mimeType", ["application/octet-stream"])
    return found


def _value(name: str, element: Element) -> Any:
    if name in ("info", "area", "resource"):
        return tuple(sorted((key, tuple(sorted(map(repr, values)))) for key, values in _fields(element).items()))
    if name in _PAIRS:
        return tuple("\n".join(_lines(part)) for part in element)
    text = "".join(element.itertext()).strip()
    if name == "polygon" and text:
        points = [tuple(round(float(number) * 1e6) for number in pair.split(",")) for pair in text.split()]
        return tuple(points if points[0] == points[-1] else [*points, points[0]])
    if name == "circle" and text:
        center, radius = text.split()
        return (*(round(float(number) * 1e6) for number in center.split(",")), round(float(radius) * 1e3))
    if name == "references":
        return tuple(sorted(text.split()))
    if name in _TIMES:
        return text
    return "\n".join(_lines(element))


def _lines(element: Element) -> list[str]:
    text = "".join(element.itertext()).strip().replace("\t", " ")
    return [line.strip() for line in text.splitlines()]
