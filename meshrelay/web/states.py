"""What a page says of the relay itself: what may be wrong with it, and what it has tried when it has nothing to show.

Law: each state is said in words that help whoever reads, and hides no bulletin.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from meshrelay.core.clock import AGREEMENT, Clock
from meshrelay.web.security import is_loopback
from meshrelay.web.services import Services
from meshrelay.web.view import Page
from meshrelay.words import Words

_SILENT_SECONDS: Final = 3 * 86400
_IN_VAIN: Final = {"mdns": "called-none", "book": "asked-book", "told": "asked-others", "sweep": "swept"}
"""What is said of a way of finding relays that found none."""


def warnings(services: Services, clock: Clock, words: Words) -> list[str]:
    """Return what a reader should know before believing what is shown."""
    status, found = services.status(), []
    if clock.doubtful:
        found.append(words["doubtful"])
    elif clock.behind > AGREEMENT:
        found.append(words["clock-behind"])
    last = status.last_exchange or status.started
    if not status.in_touch and clock.machine - last > _SILENT_SECONDS:
        found.append(words["alone"])
    if services.relay.room.full:
        found.append(words["full"])
    if status.reader_addresses and all(is_loopback(address) for address in status.reader_addresses):
        found.append(words["no-network"])
    return found


def tried(services: Services, page: Page) -> list[Markup]:
    """Return what this relay did to find others, for the page that has nothing else to show."""
    words, status = page.words, services.status()
    found = [words.tried(status.started, words["store-empty"])]
    if not services.settings.discovery:
        found.append(words.tried(None, words["called-off"]))
    for rung in status.rungs:
        if rung.on and rung.tried is not None and not rung.found and rung.way in _IN_VAIN:
            found.append(words.tried(rung.tried, words[_IN_VAIN[rung.way]]))
    for peer in status.peers[:8]:
        outcome = words["met-peer" if peer.connected else "tried-peer"]
        found.append(words.peer(peer.name or peer.uri, outcome, when=peer.last_contact))
    return [page.sure(said) for said in found]
