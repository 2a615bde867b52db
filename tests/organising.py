"""An organisation for tests: its keys, and what they sign, by the same functions that the commands use."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

from meshrelay.core.admission import assemble, proposal, sign_together
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import (
    Branch,
    Delegation,
    Revocation,
    Role,
    Root,
    Scope,
    Signer,
    Statement,
    signers_of,
)
from tests.strategies import NOON

DAY = 86_400
ANYTHING = Scope()


def key(name: str) -> SigningKey:
    """Return the key that this name stands for."""
    return SigningKey.from_seed(hashlib.sha256(name.encode()).digest())


def signed(statement: Statement, keys: Iterable[SigningKey]) -> SignedItem:
    """Return the statement signed by all that it lists; `keys` are where their secrets are looked for."""
    payload = proposal(statement)
    listed = {signer.key for signer in signers_of(statement)}
    return assemble(payload, sign_together(payload, [one for one in keys if one.public in listed]).items())


def listing(roles: dict[SigningKey, Role]) -> tuple[Signer, ...]:
    """Return the signers in their order."""
    return tuple(Signer(public, role) for public, role in sorted((one.public, role) for one, role in roles.items()))


class Org:
    """`threshold` of `keys` with `recovery` keys, and every root it has had."""

    def __init__(
        self, name: str = "clinic", *, keys: int = 3, threshold: int = 2, recovery: int = 1, sent: int = NOON
    ) -> None:
        self.name = name
        self.keys = [key(f"{name} {number}") for number in range(keys)]
        self.recovery = [key(f"{name} recovery {number}") for number in range(recovery)]
        self.threshold = threshold
        self.roots = [
            signed(
                Root(
                    sent,
                    listing(dict.fromkeys(self.keys, Role.ROOT)),
                    1,
                    tuple(sorted(one.public for one in self.keys)),
                    threshold,
                    tuple(sorted(one.public for one in self.recovery)),
                    name=name,
                ),
                self.keys,
            )
        ]

    @property
    def id(self) -> bytes:
        """The organisation's id."""
        return self.roots[0].id

    @property
    def root(self) -> Root:
        """The root it made last."""
        body = self.roots[-1].body
        assert isinstance(body, Root)
        return body

    def successor(
        self,
        keys: Sequence[SigningKey],
        *,
        threshold: int = 2,
        by: Sequence[SigningKey] | None = None,
        recovery_signs: bool = False,
        sent: int = NOON,
        **changes: object,
    ) -> SignedItem:
        """Return a root that follows the present one, signed by these keys of it, all its own, and perhaps recovery."""
        roles: dict[SigningKey, Role] = dict.fromkeys(keys, Role.ROOT)
        for one in self.keys[: self.threshold] if by is None else by:
            roles[one] = roles.get(one, Role(0)) | Role.PREDECESSOR
        if recovery_signs:
            roles[self.recovery[0]] = roles.get(self.recovery[0], Role(0)) | Role.RECOVERY
        root = Root(
            sent,
            listing(roles),
            self.root.number + 1,
            tuple(sorted(one.public for one in keys)),
            threshold,
            self.root.recovery,
            self.id,
            self.roots[-1].id,
            self.threshold,
            self.name,
        )
        return signed(dataclasses.replace(root, **changes), roles)  # type: ignore[arg-type]

    def rotate(
        self,
        keys: Sequence[SigningKey],
        *,
        threshold: int = 2,
        recovery_signs: bool = True,
        recovery: SigningKey | None = None,
    ) -> SignedItem:
        """Make the next root and go on with its keys."""
        kept = self.root.recovery if recovery is None else (recovery.public,)
        item = self.successor(keys, threshold=threshold, recovery_signs=recovery_signs, recovery=kept)
        self.roots.append(item)
        self.keys, self.threshold = list(keys), threshold
        return item

    def delegates(
        self,
        subject: bytes,
        *,
        start: int = NOON - DAY,
        end: int = NOON + 30 * DAY,
        scope: Scope = ANYTHING,
        by: Sequence[SigningKey] | None = None,
        sent: int = NOON - DAY,
        **changes: object,
    ) -> SignedItem:
        """Lend the name to a key."""
        signers = self.keys[: self.threshold] if by is None else by
        body = Delegation(
            sent,
            listing(dict.fromkeys(signers, Role.ROOT)),
            subject,
            self.id,
            self.roots[-1].id,
            self.threshold,
            start,
            end,
            scope,
            "field desk",
        )
        return signed(dataclasses.replace(body, **changes), signers)  # type: ignore[arg-type]

    def revokes(
        self,
        subject: bytes,
        *,
        good: Iterable[bytes] = (),
        by: Sequence[SigningKey] | None = None,
        recovery: bool = False,
        sent: int = NOON,
        **changes: object,
    ) -> SignedItem:
        """End a key that the name was lent to."""
        role = Role.RECOVERY if recovery else Role.ROOT
        signers = (self.recovery[:1] if recovery else self.keys[: self.threshold]) if by is None else by
        body = Revocation(
            sent,
            subject,
            tuple(sorted(good)),
            listing(dict.fromkeys(signers, role)),
            self.id,
            self.roots[-1].id,
            None if recovery else self.threshold,
        )
        return signed(dataclasses.replace(body, **changes), signers)  # type: ignore[arg-type]

    def chooses(self, chosen: bytes, *rivals: bytes, recovery: bool = False, root: bytes | None = None) -> SignedItem:
        """Say which of several items counts."""
        role = Role.RECOVERY if recovery else Role.ROOT
        signers = self.recovery[:1] if recovery else self.keys[: self.threshold]
        body = Branch(
            NOON,
            chosen,
            tuple(sorted(rivals)),
            listing(dict.fromkeys(signers, role)),
            self.id,
            root or self.roots[-1].id,
            None if recovery else self.threshold,
        )
        return signed(body, signers)
