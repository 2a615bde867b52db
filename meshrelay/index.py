"""The keys of all held items, in memory and in order, for reconciliation; expired items too.

The index is outside the store so that one implementation serves every engine, and holds nothing but keys: what is
expired, hidden or believed never changes it. It is fed by the store's changes alone, for this relay's own items too.

Not here: the keys' meaning (core.envelope), what is done with them (core.reconcile), and any clock.
Law: `keys` is one immutable value that is replaced as a whole, so any thread may go on reading the one it has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from meshrelay.core.envelope import KEY_SIZE
from meshrelay.core.reconcile import Found, Keys

if TYPE_CHECKING:
    from meshrelay.store import Change

MAX_REMEMBERED = 50_000
"""How many keys are remembered of one peer."""


class Index:
    """What is held here, as keys; `buffer` is what Store.keys() gives."""

    def __init__(self, buffer: bytes = b"") -> None:
        self._keys = Keys()
        self.replace(buffer)

    @property
    def keys(self) -> Keys:
        """The keys as they are now; the value itself never changes."""
        return self._keys

    def replace(self, buffer: bytes) -> None:
        """Forget all keys and take these, which are in order; two items that share a key count as one."""
        try:
            self._keys = Keys(buffer)
        except ValueError:
            # Whoever finds two ids that begin alike must not keep a relay from starting. This takes five times as long.
            self._keys = Keys.of(buffer[at : at + KEY_SIZE] for at in range(0, len(buffer), KEY_SIZE))

    def apply(self, changes: Iterable[Change]) -> None:
        """Follow the store's changes, in their order; to follow some of them twice does no harm."""
        gone = {change.key: change.gone for change in changes}
        self._keys = self._keys.changed(
            add=[key for key, is_gone in gone.items() if not is_gone],
            remove=[key for key, is_gone in gone.items() if is_gone],
        )


class PeerView:
    """What is held here as far as one peer is concerned: plus what we declined of its items, minus what it refused.

    With this view two relays that differ for ever settle in one round from their second exchange on. It lives in
    memory, as long as this run. `keys` may run in another thread than the rest.
    """

    def __init__(self, *, most: int = MAX_REMEMBERED) -> None:
        self.overflowed = False
        """Whether there was more to remember than there is room for: lasting differences will come up again."""
        self._declined: set[bytes] = set()
        self._refused_by: set[bytes] = set()
        self._most = most
        self._changes = 0
        self._made: tuple[Keys, int, Keys] | None = None

    def decline(self, keys: Iterable[bytes]) -> None:
        """Remember keys of the peer's that are not wanted here."""
        self._remember(keys, self._declined, self._refused_by)

    def refuse(self, keys: Iterable[bytes]) -> None:
        """Remember keys of ours that the peer does not want."""
        self._remember(keys, self._refused_by, self._declined)

    @property
    def remembered(self) -> int:
        """How many keys are remembered."""
        return len(self._declined) + len(self._refused_by)

    @property
    def refuses(self) -> bool:
        """Whether the peer does not want some of what is held here, as far as is remembered."""
        return self.overflowed or bool(self._refused_by)

    def refused(self, key: bytes) -> bool:
        """Tell whether the peer is known not to want a key of ours."""
        return key in self._refused_by

    def reconsider(self) -> None:
        """Forget what was declined: something changed here that could let an item in."""
        self._declined.clear()
        self.overflowed = False
        self._changes += 1

    def keys(self, held: Keys) -> Keys:
        """Return the view over `held`; it is made once, and again only when either changed."""
        made, changes = self._made, self._changes
        if made is not None and made[0] is held and made[1] == changes:
            return made[2]
        view = held.changed(add=tuple(self._declined), remove=tuple(self._refused_by))
        self._made = held, changes, view
        return view

    def sort_out(self, found: Found, held: Keys) -> Found:
        """Return what of `found` is a difference to what is held, and forget what the peer shows to be outdated.

        A declined item that the peer has lost shows as ours alone, a refused one that it has by now as its alone.
        """
        remembered = self.remembered
        self._declined.difference_update(found.have)
        self._refused_by.difference_update(found.need)
        self._changes += self.remembered != remembered
        return Found(
            tuple(key for key in found.have if key in held), tuple(key for key in found.need if key not in held)
        )

    def _remember(self, keys: Iterable[bytes], kept: set[bytes], other: set[bytes]) -> None:
        for key in keys:
            if key in kept:
                continue
            if key in other:
                other.remove(key)
            elif self.remembered >= self._most:
                self.overflowed = True
                return
            kept.add(key)
            self._changes += 1
