"""A bulletin as a CAP 1.2 document.

Not here: how the values look (forms.py), and which items belong together: whoever asks brings them.

Law: the document is valid by the CAP 1.2 schema, whatever the bulletin says. Source: docs/spec/bulletin.md, "Export".
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree

from meshrelay.core.bulletin import Area, Bulletin, CapReference, Origin, Resource, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.interop.cap.alert import stand_in
from meshrelay.interop.cap.forms import (
    as_cap_time,
    is_number,
    uri,
    written_circle,
    written_moment,
    written_polygon,
)
from meshrelay.interop.cap.languages import Apart, apart
from meshrelay.interop.cap.schema import NAMESPACE

_NOT_XML: Final = re.compile(r"[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_IDS: Final = "urn:meshrelay:"
_ACTS_ON: Final = _IDS + "acts-on:"


def triple(item: SignedItem) -> CapReference:
    """Return how CAP names this bulletin: as what it was imported from, or by its own key and id."""
    body = _bulletin(item)
    if body.origin.identity is None:
        return CapReference(f"{_IDS}key:{item.author.hex()}", f"{_IDS}id:{item.id.hex()}", written_moment(body.sent))
    identity = body.origin.identity
    return dataclasses.replace(identity, sent=as_cap_time(identity.sent))


def is_of_one_alert(one: SignedItem, other: SignedItem) -> bool:
    """Tell whether the same key made both bulletins of the same alert in the same file."""
    if one.author != other.author or not isinstance(one.body, Bulletin) or not isinstance(other.body, Bulletin):
        return False
    here, there = one.body.origin, other.body.origin
    return here.identity is not None and here.identity == there.identity and here.digest == there.digest


def write_alert(item: SignedItem, *, targets: Iterable[SignedItem] = (), others: Iterable[SignedItem] = ()) -> bytes:
    """Return the CAP 1.2 document of a bulletin.

    `targets` are what it acts on by id, as far as that is held: CAP names alerts by more than an id. Statements among
    them, which anybody may name, have no name in CAP. `others` may hold the bulletins that were made of the other
    incidents of the same alert: one name in CAP stands for all of them, so one document has to hold all.
    """
    body = _bulletin(item)
    together = {one.id: one for one in (item, *others) if one.id == item.id or is_of_one_alert(item, one)}
    name = triple(item)
    alert = ElementTree.Element("alert", {"xmlns": NAMESPACE})
    named = {target.id: triple(target) for target in targets if isinstance(target.body, Bulletin)}
    references = [named[id_] for id_ in body.references if id_ in named] + list(body.origin.references)
    _add(alert, "identifier", name.identifier)
    _add(alert, "sender", name.sender)
    _add(alert, "sent", name.sent)
    _add(alert, "status", body.status)
    _add(alert, "msgType", body.msg_type)
    _add_some(alert, "source", body.source)
    _add(alert, "scope", "Public")
    for code in (*body.codes, *(_ACTS_ON + id_.hex() for id_ in body.references)):
        _add(alert, "code", code)
    _add_some(alert, "note", body.note)
    _add_some(alert, "references", " ".join(f"{r.sender},{r.identifier},{as_cap_time(r.sent)}" for r in references))
    _add_some(alert, "incidents", body.incidents)
    for one in sorted(map(_bulletin, together.values()), key=lambda one: (one.sent, one.chain.seq)):
        times = _own_times(one) if one.origin.identity is None else _original_times(one.origin)
        for text, beside in apart(one) if _has_words(one) else ():
            _add_info(alert, one, text, beside, times)
    ElementTree.indent(alert)
    xml: bytes = ElementTree.tostring(alert, encoding="utf-8", xml_declaration=True)
    return xml


def _has_words(body: Bulletin) -> bool:
    """Tell whether a bulletin says more than the text that stands for an alert without words."""
    identity = body.origin.identity
    return identity is None or body.texts != (stand_in(body.note, identity.identifier),)


def _bulletin(item: SignedItem) -> Bulletin:
    if not isinstance(item.body, Bulletin):
        raise ValueError("only a bulletin has a form in CAP")
    return item.body


def _own_times(body: Bulletin) -> tuple[str, str, str]:
    effective, onset = ("" if moment is None else written_moment(moment) for moment in (body.effective, body.onset))
    return effective, onset, written_moment(body.expires)


def _original_times(origin: Origin) -> tuple[str, str, str]:
    effective, onset, expires = (
        as_cap_time(text) if text else "" for text in (origin.effective, origin.onset, origin.expires)
    )
    return effective, onset, expires


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _NOT_XML.sub("", text)


def _add_some(parent: ElementTree.Element, name: str, text: str) -> None:
    if text:
        _add(parent, name, text)


def _add_pairs(parent: ElementTree.Element, name: str, pairs: Iterable[tuple[str, str]]) -> None:
    for value_name, value in pairs:
        pair = ElementTree.SubElement(parent, name)
        _add(pair, "valueName", value_name)
        _add(pair, "value", value)


def _add_info(
    alert: ElementTree.Element, body: Bulletin, text: Text, beside: Apart, times: tuple[str, str, str]
) -> None:
    effective, onset, expires = times
    info = ElementTree.SubElement(alert, "info")
    _add(info, "language", text.language)
    for category in body.categories:
        _add(info, "category", category)
    _add(info, "event", text.event)
    for response in body.responses:
        _add(info, "responseType", response)
    _add(info, "urgency", body.urgency)
    _add(info, "severity", body.severity)
    _add(info, "certainty", body.certainty)
    _add_some(info, "audience", beside.audience)
    _add_pairs(info, "eventCode", body.event_codes)
    _add_some(info, "effective", effective)
    _add_some(info, "onset", onset)
    _add_some(info, "expires", expires)
    _add_some(info, "senderName", text.sender_name)
    _add_some(info, "headline", text.headline)
    _add_some(info, "description", text.description)
    _add_some(info, "instruction", text.instruction)
    _add_some(info, "web", uri(text.web))
    _add_some(info, "contact", text.contact)
    _add_pairs(info, "parameter", beside.parameters)
    for resource in beside.resources:
        _add_resource(info, resource)
    for area in body.areas:
        _add_area(info, area, text.language)


def _add_resource(info: ElementTree.Element, resource: Resource) -> None:
    element = ElementTree.SubElement(info, "resource")
    _add(element, "resourceDesc", resource.description)
    _add(element, "mimeType", resource.mime_type or "application/octet-stream")
    if resource.size is not None:
        _add(element, "size", str(resource.size))
    _add_some(element, "uri", uri(resource.uri))
    _add_some(element, "digest", resource.digest)


def _add_area(info: ElementTree.Element, area: Area, language: str) -> None:
    names = dict(area.names)
    element = ElementTree.SubElement(info, "area")
    _add(element, "areaDesc", names.get(language) or next(iter(names.values())))
    for polygon in area.polygons:
        _add(element, "polygon", written_polygon(polygon))
    for circle in area.circles:
        _add(element, "circle", written_circle(circle))
    _add_pairs(element, "geocode", area.geocodes)
    for name, text in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        # The gate lets any short text pass here; the schema does not.
        _add_some(element, name, text if is_number(text) else "")
