"""What lies in a document: alerts, where alerts of a feed lie, and what is neither.

Atom and RSS feeds, EDXL-DE distributions, any element around several alerts, and several documents in one file. An
alert may stand in them as elements, as escaped text, or in base64.

Not here: what an alert says. Nothing that a document points at is fetched: a link is given back as one.

Law: every alert, entry and content object of a document is answered for, in its order, and reading ends in the bounds
of tree.Budget however they are packed into each other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from meshrelay.core.bulletin import Status
from meshrelay.errors import InvalidDocument
from meshrelay.interop.cap.schema import MEDIA_TYPE, NAMESPACES, OLDEST_NAMESPACE, local
from meshrelay.interop.cap.tree import Budget, is_xml, trees

_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ATOM_ELEMENTS: Final = frozenset(
    {
        *("author", "category", "content", "contributor", "entry", "generator", "icon", "id", "link", "logo"),
        *("published", "rights", "source", "subtitle", "summary", "title", "updated"),
    }
)
_EDXL: Final = "EDXL"
_TITLE: Final = 80
_ID: Final = 1_000
_MAX_PACKED: Final = 3
"""How deep documents may be packed into documents as text."""
_ELEMENTS: Final = ("", "text/xml", "application/xml", MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class Found:
    """One alert of a document; `place` says which one, `drill` what its envelope calls it, if that is a drill."""

    place: str
    alert: Element
    drill: Status | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An entry of a feed whose alert lies elsewhere, at `uri`.

    `names` are those by which a file with that alert may be known: of files, and identifiers of alerts.
    """

    place: str
    uri: str
    names: frozenset[str]


Part: TypeAlias = "Found | Elsewhere | InvalidDocument"


def parts(data: bytes) -> Iterator[Part]:
    """Yield what a document holds; raises InvalidDocument where it cannot be read, also after some parts."""
    yield from _parts(data, Budget(), text=False, depth=0)


def _parts(data: bytes, budget: Budget, *, text: bool, depth: int) -> Iterator[Part]:
    for root in trees(data, budget, text=text):
        yield from _Document(budget, depth).read(root)


class _Document:
    """One document on its way to parts."""

    def __init__(self, budget: Budget, depth: int) -> None:
        self._budget = budget
        self._depth = depth
        self._drill: Status | None = None

    def read(self, root: Element) -> Iterator[Part]:
        name = _name(root)
        if name == "alert":
            found = self._alert(root, "")
            if isinstance(found, InvalidDocument):
                raise found
            yield found
        elif root.tag == f"{_ATOM}feed":
            yield from self._entries(root, list(root.iterfind(f"{_ATOM}entry")), "entry")
        elif root.tag == f"{_ATOM}entry":
            yield from self._entries(root, [root], "entry")
        elif name in ("rss", "RDF"):
            yield from self._entries(root, _near(root, "item"), "item")
        elif name == "EDXLDistribution" and _EDXL in root.tag:
            yield from self._distribution(root)
        else:
            yield from self._any(root)

    def _any(self, root: Element) -> Iterator[Part]:
        """Yield the alerts in an element that only holds them together."""
        found = False
        for part in self._inside(root, ""):
            found = True
            yield part
        if not found:
            raise InvalidDocument(_name(root) or "document", "the document holds no CAP 1.2 or 1.1 alert")

    def _entries(self, feed: Element, entries: list[Element], name: str) -> Iterator[Part]:
        if not entries:
            raise InvalidDocument(name, "missing: there is nothing in this feed to take in")
        for number, entry in enumerate(entries, 1):
            place = _place_of(entry, name, number)
            found = False
            for part in self._inside(entry, place):
                found = True
                yield part
            if found:
                continue
            self._budget.spend_part()
            uris = _links(entry)
            if uris:
                yield Elsewhere(place, uris[0], _names(entry, uris))
            else:
                element, detail = _flaw(feed, entry)
                yield InvalidDocument(element, detail, place)

    def _distribution(self, root: Element) -> Iterator[Part]:
        kind = _child_text(root, "distributionType")
        if kind in ("Cancel", "Ack", "Error"):
            raise InvalidDocument("distributionType", f"{kind}: what it holds is not said anew by it")
        status = _child_text(root, "distributionStatus")
        if status == "System":
            raise InvalidDocument("distributionStatus", "System is not for the public")
        self._drill = Status(status) if status in (Status.EXERCISE, Status.TEST) else None
        objects = _near(root, "contentObject")
        if not objects:
            raise InvalidDocument("contentObject", "missing: there is nothing in this distribution to take in")
        for number, one in enumerate(objects, 1):
            place = f"content object {number}"
            found = False
            for part in self._inside(one, place):
                found = True
                yield part
            if found:
                continue
            self._budget.spend_part()
            uri = next((_text(child) for child in one.iter() if _name(child) == "uri" and _text(child)), "")
            if uri:
                yield Elsewhere(place, uri, _names(one, [uri]))
            else:
                yield InvalidDocument("contentObject", "holds no CAP 1.2 or 1.1 alert", place)

    def _inside(self, holder: Element, place: str) -> Iterator[Part]:
        """Yield the alerts in an element, but none that stands within another."""
        waiting = [holder]
        while waiting:
            element = waiting.pop()
            if _name(element) == "alert":
                self._budget.spend_part()
                yield self._alert(element, place)
                continue
            waiting.extend(reversed(element))
            packed = _packed(element)
            if packed is not None:
                yield from self._unpacked(element, packed, place)

    def _alert(self, element: Element, place: str) -> Part:
        if local(element):
            identifier = next((_text(child) for child in element if local(child) == "identifier"), "")
            return Found(f"alert {identifier[:_TITLE]}" if identifier else place or "alert", element, self._drill)
        namespace = element.tag.rpartition("}")[0][1:]
        if namespace == OLDEST_NAMESPACE:
            return InvalidDocument("alert", "is of CAP 1.0; only 1.2 and 1.1 are read", place)
        said = f"its namespace is {namespace[:80]!r}" if namespace else "it has no namespace"
        return InvalidDocument("alert", f"{said}, which is not that of CAP 1.2 or 1.1", place)

    def _unpacked(self, element: Element, packed: bytes, place: str) -> Iterator[Part]:
        name = _name(element)
        if self._depth == _MAX_PACKED:
            yield InvalidDocument(name, "documents are packed into each other too often", place)
            return
        inner = _parts(packed, self._budget, text=not _is_base64(element), depth=self._depth + 1)
        try:
            for part in inner:
                if isinstance(part, Found):
                    yield Found(part.place, part.alert, self._drill or part.drill)
                elif isinstance(part, InvalidDocument):
                    yield InvalidDocument(part.element, part.detail, part.place or place)
                else:
                    yield part
        except InvalidDocument as error:
            yield InvalidDocument(name, str(error), place)


def _near(root: Element, name: str) -> list[Element]:
    """Return the children of this name, and those of children: feeds nest their entries no deeper."""
    return [one for holder in (root, *root) for one in holder if _name(one) == name]


def _packed(element: Element) -> bytes | None:
    """Return the document that an element holds as text, if it seems to hold one about alerts."""
    text = element.text
    if not text or len(text) < 40 or len(element):
        return None
    if _is_base64(element):
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None
        return data if is_xml(data) else None
    text = text.strip()
    if text.startswith("<") and "alert" in text and any(one in text for one in (*NAMESPACES, OLDEST_NAMESPACE)):
        return text.encode()
    return None


def _is_base64(element: Element) -> bool:
    """Tell whether a text is binary content: EDXL-DE says so by the name, Atom by a media type that is no text."""
    if _name(element) == "contentData":
        return True
    kind = element.get("type", "").partition(";")[0].strip().lower()
    return element.tag == f"{_ATOM}content" and "/" in kind and kind not in _ELEMENTS and not kind.startswith("text/")


def _links(entry: Element) -> list[str]:
    """Return where an entry says that its alert lies, the likeliest first."""
    ranked: list[tuple[int, str]] = []
    for element in entry.iter():
        name, kind = _name(element), element.get("type", "").lower()
        said = element.get("href") or element.get("src") or element.get("url") or _text(element)
        alternate = element.get("rel", "alternate") in ("alternate", "related", "enclosure")
        if MEDIA_TYPE in kind or "common-alerting-protocol" in kind:
            ranked.append((0, said))
        elif name == "cap" or (name == "link" and alternate and "xml" in kind and "atom" not in kind):
            ranked.append((1, said))
        elif (name == "content" and element.get("src")) or (name == "enclosure" and "xml" in kind):
            ranked.append((2, said))
        elif name == "link" and alternate:
            ranked.append((4 if "html" in kind else 3, said))
    return list(dict.fromkeys(uri for _, uri in sorted(ranked, key=lambda one: one[0]) if uri))


def _names(entry: Element, uris: list[str]) -> frozenset[str]:
    """Return what a file that holds the alert of an entry may be called, and the alert itself."""
    names = {_text(one)[:_ID] for one in entry.iter() if _name(one) in ("id", "guid", "identifier") and _text(one)}
    for uri in uris:
        names.add(uri)
        try:
            address = urlsplit(uri)
        except ValueError:
            continue
        last = unquote(address.path).rstrip("/").rpartition("/")[2]
        names.add(f"{last}?{address.query}" if address.query else last)
        names.update(value for pair in address.query.split("&") if len(value := unquote(pair.partition("=")[2])) > 7)
    return frozenset(names - {""})


def _flaw(feed: Element, entry: Element) -> tuple[str, str]:
    """Return which element is at fault where an entry holds no alert and no link, and how."""
    name = _name(entry)
    if entry.tag == f"{_ATOM}entry":
        for element in (entry, feed):
            present = {_name(child) for child in element}
            for needed in ("id", "title", "updated"):
                if needed not in present:
                    return needed, f"missing in the {_name(element)}, which holds no alert and no link to one"
            for child in element:
                if child.tag.startswith(_ATOM) and _name(child) not in _ATOM_ELEMENTS:
                    return _name(child), f"is no element of an Atom {_name(element)}, which holds no alert"
    elif not any(_name(child) in ("title", "description") for child in entry):
        return "title", f"missing in the {name}, which holds no alert and no link to one"
    return "link", f"missing in the {name}, which holds no alert"


def _place_of(entry: Element, name: str, number: int) -> str:
    title = " ".join(_child_text(entry, "title").split())
    return f"{name} {number}" + (f" ({title[:_TITLE]})" if title else "")


def _child_text(element: Element, name: str) -> str:
    return next((_text(child) for child in element if _name(child) == name), "")


def _text(element: Element) -> str:
    return (element.text or "").strip()


def _name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]
