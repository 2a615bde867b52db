"""A held bulletin as a CAP document, with whatever else is held that the document has to name or hold.

Not here: what the document looks like (cap/writing.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from meshrelay.core.admission import reopen
from meshrelay.core.envelope import SignedItem
from meshrelay.errors import NotFound
from meshrelay.interop import cap
from meshrelay.listing import Shown
from meshrelay.relay import Relay


def cap_document(relay: Relay, one: Shown) -> bytes:
    """Return the CAP 1.2 document of a bulletin.

    Bulletins that were made of one alert with several incidents are one document again. Raises NotFound when the
    bulletin is no longer held.
    """
    data = relay.store.get_many([one.header.id]).get(one.header.id)
    if data is None:
        raise NotFound("this item is no longer here", hint="see `meshrelay list --all`")
    alias = one.header.alias
    others = relay.store.imported_from(alias, authors=[one.header.author]) if alias is not None else ()
    return cap.write_alert(
        reopen(data),
        targets=_held(relay, one.bulletin.references),
        others=_held(relay, [other.header.id for other in others]),
    )


def _held(relay: Relay, ids: Iterable[bytes]) -> list[SignedItem]:
    """Return those of these items that are held and not hidden here."""
    return [reopen(data) for data in relay.store.get_many([id_ for id_ in ids if id_ not in relay.hidden]).values()]
