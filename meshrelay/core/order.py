"""What is carried first, and what is shown first.

When a link lasts ten seconds, the ten seconds carry what matters most: first what matters here, then by class
(statements about keys, corrections, grave alerts, the rest), then what is Extreme, then by urgency, then the newest.

Law: pure functions of a header and of whether it matters here. Source: docs/spec/http.md, "Order".
"""

from __future__ import annotations

from meshrelay.core.bulletin import Severity, Urgency
from meshrelay.core.envelope import Header, ItemClass

_URGENCY = {urgency: rank for rank, urgency in enumerate(Urgency)}
_SEVERITY = {severity: rank for rank, severity in enumerate(Severity)}
_LAST = len(_URGENCY)


def carried(header: Header, *, matters: bool) -> tuple[bool, int, bool, int, int, bytes]:
    """Return the sort key for transfer, smallest first."""
    urgency = _URGENCY[header.urgency] if header.urgency is not None else _LAST
    extreme = header.severity is Severity.EXTREME
    return (not matters, header.item_class, not extreme, urgency, -header.sent, header.id)


def is_pressing(header: Header) -> bool:
    """Tell whether an item, where it matters, is carried before anything else is even asked about."""
    return header.item_class <= ItemClass.CORRECTION or header.severity is Severity.EXTREME


def rank(header: Header) -> int:
    """Return how pressing a bulletin is for a reader, 0 the most: severity, then urgency.

    A plain number, so that a store can keep lists in this order.
    """
    severity = _SEVERITY[header.severity] if header.severity is not None else len(_SEVERITY)
    urgency = _URGENCY[header.urgency] if header.urgency is not None else _LAST
    return severity * (_LAST + 1) + urgency


def shown(header: Header) -> tuple[int, int, bytes]:
    """Return the sort key for lists that people read, smallest first: most pressing, then newest."""
    return (rank(header), -header.sent, header.id)
