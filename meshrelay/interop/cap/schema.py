"""What the CAP 1.2 schema says, as tables, and how much of a document is read.

Not here: any reading or writing. Source: CAP 1.2, section 3.4 (the schema), and docs/spec/bulletin.md.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
NAMESPACES: Final = (NAMESPACE, "urn:oasis:names:tc:emergency:cap:1.1")
OLDEST_NAMESPACE: Final = "http://www.incident.com/cap/1.0"
SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"
MEDIA_TYPE: Final = "application/cap+xml"

MAX_DOCUMENT: Final = 16 * 1024 * 1024
MAX_ELEMENTS: Final = 250_000
MAX_DEPTH: Final = 64
MAX_PARTS: Final = 5_000
"""Alerts and entries of one document."""
MAX_INFOS: Final = 1_000
MAX_READ: Final = 250_000
"""Points of all polygons of an alert, and triples that it references; the largest seen have 41,000 and a few."""
MAX_POINTS_READ: Final = 1_000_000
"""Points of all polygons of a document."""
MAX_POINTS: Final = 25_000
"""Points of one alert that simplification looks at; where there are more, every second one goes first."""

LINE, LONG, VALUE, URI, DECIMAL = 1_000, 60_000, 10_000, 4_000, 32
"""How many characters of a text are read, by its sort: the bounds of docs/spec/bulletin.md."""

_PAIR: Final = ("valueName", "value")
ORDER: Final = {
    "alert": (
        *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses"),
        *("code", "note", "references", "incidents", "info"),
    ),
    "info": (
        *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
        *("eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction"),
        *("web", "contact", "parameter", "resource", "area"),
    ),
    "resource": ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest"),
    "area": ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"),
    "eventCode": _PAIR,
    "parameter": _PAIR,
    "geocode": _PAIR,
}
"""The elements that an element may have, in the order in which they must stand."""


def local(element: Element) -> str:
    """Return the name of a CAP element, or an empty text for any other."""
    namespace, _, name = element.tag.rpartition("}")
    return name if namespace[1:] in NAMESPACES else ""
