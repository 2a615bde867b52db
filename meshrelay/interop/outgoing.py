"""What leaves this relay by file: which items, in which order, and their bytes.

Not here: how a carry file is written (carry.py), and who asks for one. Law: the bytes of an item are those that came.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from typing import Final

from meshrelay.core import order
from meshrelay.core.envelope import KEY_SIZE
from meshrelay.relay import Relay
from meshrelay.rows import Held

AT_ONCE: Final = 250
"""Envelopes read from the store in one go."""


def in_order(relay: Relay, *, without: Container[bytes] = ()) -> list[Held]:
    """Return everything that may be given on but the ids in `without`, what is carried first at the front."""
    keys, _ = relay.store.keys()
    found = relay.store.by_key(keys[at : at + KEY_SIZE] for at in range(0, len(keys), KEY_SIZE))
    wanted = (header for header in found.values() if header.author not in relay.trust.blocked)
    held = relay.store.headers(header.id for header in wanted if header.id not in without)
    trust = relay.trust
    return sorted(held.values(), key=lambda one: order.carried(one.header, matters=trust.matters(one.header)))


def envelopes(relay: Relay, ids: Sequence[bytes], *, advance: Callable[[int], object] = int) -> Iterator[bytes]:
    """Yield the bytes of these items that are still held; `advance` hears how many more were dealt with."""
    for at in range(0, len(ids), AT_ONCE):
        batch = ids[at : at + AT_ONCE]
        found = relay.store.get_many(batch)
        yield from (found[item] for item in batch if item in found)
        advance(len(batch))
