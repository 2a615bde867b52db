"""What keys say about keys.

For now that is one statement: a key's own revocation, made together with the key and kept on paper, for the day
it is lost or stolen. It strikes everything the key ever signed but the ids it lists as good.

What a statement leads to is decided in trust.py. Source: docs/spec/statements.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from meshrelay.core import fields
from meshrelay.core.encoding import Value
from meshrelay.core.fields import Field, Table, listed, wrong

MAX_GOOD = 256

_SENT, _SUBJECT, _GOOD = 2, 10, 11
_id = fields.raw(32)
_REVOCATION = Table(
    {
        _SENT: Field("sent", "sent", fields.time, required=True),
        _SUBJECT: Field("subject", "subject", _id, required=True),
        _GOOD: Field("good", "good", listed(_id, most=MAX_GOOD)),
    }
)


@dataclass(frozen=True, slots=True)
class Revocation:
    """An end to a key: `subject` is the key, `good` the full ids, ascending, of what stays good."""

    sent: int
    subject: bytes
    good: tuple[bytes, ...] = ()


def to_payload(revocation: Revocation) -> dict[int, Value]:
    """Return the map that is signed, without `kind` and `version`."""
    payload: dict[int, Value] = {_SENT: revocation.sent, _SUBJECT: revocation.subject}
    return payload | ({_GOOD: list(revocation.good)} if revocation.good else {})


def from_payload(entries: Mapping[int, Any], *, author: bytes) -> Revocation:
    """Return the revocation that a payload map stands for; only the key itself may sign it."""
    revocation = Revocation(**_REVOCATION.read(entries, "revocation"))
    if revocation.subject != author:
        wrong("subject", "a key can be revoked by itself only")
    if any(a >= z for a, z in pairwise(revocation.good)):
        wrong("good", "not ascending")
    return revocation
