"""Items to put into a store: signed ones, and ones of the right shape in numbers that would take long to sign."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import (
    Area,
    Bulletin,
    CapReference,
    Chain,
    MsgType,
    Origin,
    OriginKind,
    Severity,
    Status,
    Text,
    Urgency,
)
from meshrelay.core.envelope import Header, ItemClass, Kind, SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation

NOON = 1_760_000_000
"""A time to count from."""
DAY = 86_400


@dataclass
class Author:
    """Somebody who signs, one stream and its next number."""

    number: int
    stream: bytes = b"stream--"
    seq: int = 0
    key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = SigningKey.from_seed(self.number.to_bytes(32, "big"))

    @property
    def public(self) -> bytes:
        return self.key.public

    def says(  # one argument a field that a list or a lookup goes by
        self,
        headline: str = "Water rises",
        *,
        sent: int = NOON,
        life: int = DAY,
        severity: Severity = Severity.UNKNOWN,
        urgency: Urgency = Urgency.UNKNOWN,
        msg_type: MsgType = MsgType.ALERT,
        acts_on: Sequence[bytes] = (),
        cap: CapReference | None = None,
        cap_references: Sequence[CapReference] = (),
        org: bytes | None = None,
        drill: bool = False,
        description: str = "",
        area: str = "",
        effective: int | None = None,
    ) -> SignedItem:
        """Sign a bulletin."""
        self.seq += 1
        origin = Origin()
        if cap is not None:
            origin = Origin(OriginKind.CAP, identity=cap, references=tuple(cap_references))
        body = Bulletin(
            sent=sent,
            expires=sent + life,
            chain=Chain(self.stream, self.seq),
            texts=(Text("en", "Flood", headline, description),),
            severity=severity,
            urgency=urgency,
            msg_type=msg_type,
            references=tuple(acts_on),
            org=org,
            status=Status.EXERCISE if drill else Status.ACTUAL,
            areas=(Area((("en", area),)),) if area else (),
            origin=origin,
            effective=effective,
        )
        return sign(body, self.key)

    def revokes_itself(self, *, sent: int = NOON) -> SignedItem:
        """Sign the end of this key."""
        return sign(Revocation(sent, self.public), self.key)


def unsigned_items(count: int, *, seed: int, authors: int = 100, size: int = 2000) -> list[SignedItem]:
    """Return items of the right shape over random bytes, three a second, for the store alone."""
    dice = random.Random(seed)
    keys = [dice.randbytes(32) for _ in range(authors)]
    body = Bulletin(NOON, NOON + DAY, Chain(bytes(8), 1))
    items = []
    for number in range(count):
        severity = dice.choice(tuple(Severity))
        grave = severity in (Severity.EXTREME, Severity.SEVERE)
        author = dice.randrange(authors)
        header = Header(
            id=dice.randbytes(32),
            author=keys[author],
            kind=Kind.BULLETIN,
            item_class=ItemClass.GRAVE if grave else ItemClass.REST,
            sent=NOON + number // 3,
            size=size,
            expires=NOON + number // 3 + DAY,
            stream=author.to_bytes(8, "big"),
            seq=number + 1,
            msg_type=MsgType.ALERT,
            urgency=dice.choice(tuple(Urgency)),
            severity=severity,
        )
        items.append(SignedItem(header, dice.randbytes(size), body))
    return items
