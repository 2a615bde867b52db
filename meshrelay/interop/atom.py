"""Bulletins as an Atom feed (RFC 4287): what any feed reader, screen or script can show.

A title says what a feed reader would lose otherwise: the severity, that it is a drill, that the sender is unknown, that
it no longer holds, and that people known here dispute it.
Everything is text; nothing that an author wrote is markup or a link.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from meshrelay.listing import Shown
from meshrelay.words import Words
from meshrelay.words.times import stamp

MEDIA_TYPE: Final = "application/atom+xml"
_ATOM: Final = "http://www.w3.org/2005/Atom"
_XML_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"


def feed(shown: Sequence[Shown], words: Words, *, relay: str, base: str) -> bytes:
    """Return the feed of these bulletins; `base` is the address under which this relay is read, ending in a slash."""
    root = ElementTree.Element(f"{{{_ATOM}}}feed", {_XML_LANG: words.language})
    _add(root, "id", f"{base}feed.atom")
    _add(root, "title", f"{relay}: {words['without-internet']}")
    _add(root, "updated", stamp(max((one.changed for one in shown), default=words.now), words.tz))
    _link(root, "self", f"{base}feed.atom", MEDIA_TYPE)
    _link(root, "alternate", base, "text/html")
    for one in shown:
        root.append(_entry(one, words, relay=relay, base=base))
    return _document(root)


def entry(one: Shown, words: Words, *, relay: str, base: str) -> bytes:
    """Return one bulletin as an entry that is a document of its own (RFC 4287, section 2)."""
    return _document(_entry(one, words, relay=relay, base=base))


def _document(root: ElementTree.Element) -> bytes:
    ElementTree.register_namespace("", _ATOM)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _entry(one: Shown, words: Words, *, relay: str, base: str) -> ElementTree.Element:
    item, bulletin, verdict = one.header.id.hex(), one.own.bulletin, one.verdict
    text = words.text_of(bulletin)
    entry = ElementTree.Element(f"{{{_ATOM}}}entry")
    if text is not None:
        entry.set(_XML_LANG, text.language)
    line = words.severity_line(verdict, bulletin)
    head = words.standing(verdict, withdraws=one.withdraws) or (line if one.withdraws else f"{line}.")
    disputed = words.disputed(verdict, relay=relay)
    _add(entry, "id", f"urn:meshrelay:{item}")
    _add(entry, "title", " ".join(filter(None, [str(disputed or ""), head, words.title_of(bulletin).text])))
    _add(entry, "updated", stamp(one.changed, words.tz))
    _add(entry, "published", stamp(bulletin.sent, words.tz))
    author = ElementTree.SubElement(entry, f"{{{_ATOM}}}author")
    _add(author, "name", words.who(verdict, relay=relay).text if verdict.known else str(words.key(one.header.author)))
    for category in bulletin.categories:
        ElementTree.SubElement(
            entry, f"{{{_ATOM}}}category", {"term": str(category), "label": words.category(category)}
        )
    _link(entry, "alternate", f"{base}b/{item}", "text/html")
    _link(entry, "related", f"{base}api/v1/bulletins/{item}.cap", "application/cap+xml")
    by, in_own_words = (one.end.bulletin, one.end.words) if one.end else (None, False)
    ended = words.ended(verdict, one.header, by=by, own_words=in_own_words, relay=relay)
    lines = [
        str(ended or ""),
        "; ".join(place.text for place in words.places(bulletin)),
        str(words.valid(bulletin) or ""),
        text.instruction if text else "",
        text.description if text else "",
        str(words.why(verdict, bulletin, one.header.author, relay=relay)),
        *map(str, words.others(verdict, relay=relay)),
    ]
    _add(entry, "summary", "\n\n".join(line for line in lines if line))
    return entry


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}").text = text


def _link(parent: ElementTree.Element, rel: str, href: str, media_type: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}link", {"rel": rel, "href": href, "type": media_type})
