"""What a flood of strangers' statements costs: ``python -m tests.attacks.statements [EACH]``, 25,000 of each sort.

A relay knows a clinic and an organisation. Strangers send statements of every sort that name these, each with a key of
its own: self-revocations, roots, delegations and revocations in the organisation's name, disputes and Cancels of one
bulletin of the clinic's. Measured before and after: what one more batch costs, making the trust view anew, the page
with that bulletin, and memory. Nothing of a stranger's has an effect.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, MsgType, Text
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.quota import Source, Way
from meshrelay.core.statements import Attestation, Fault, Revocation, Says
from meshrelay.core.trust import Anchor
from meshrelay.keyring import Keyring
from meshrelay.listing import Query
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.attacks.memory import resident
from tests.organising import DAY, Org
from tests.strategies import NOON

BATCH = 250
NOW = Clock(NOON + 60)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds of a batch of new statements, of making the view, and of the page; memory in MiB."""

    batch: float
    view: float
    page: float
    memory: float


def stranger(sort: str, number: int) -> SigningKey:
    """Return a key that is used once."""
    return SigningKey.from_seed(f"{sort} {number}".encode().ljust(32, b"."))


def revocation(number: int, _: SignedItem, __: Org) -> SignedItem:
    """End a stranger's own key."""
    key = stranger("revoked", number)
    return sign(Revocation(NOON, key.public), key)


def root(number: int, _: SignedItem, __: Org) -> SignedItem:
    """Found an organisation."""
    return Org(f"false {number}", keys=1, threshold=1).roots[0]


def delegation(number: int, _: SignedItem, org: Org) -> SignedItem:
    """Lend the known organisation's name, signed by strangers."""
    forger = stranger("forger", number)
    return org.delegates(forger.public, by=[forger, stranger("second forger", number)])


def ending(number: int, _: SignedItem, org: Org) -> SignedItem:
    """End a key in the known organisation's name, signed by strangers."""
    return org.revokes(org.keys[0].public, by=[stranger("ender", number), stranger("second ender", number)])


def dispute(number: int, target: SignedItem, _: Org) -> SignedItem:
    """Dispute the bulletin."""
    said = Attestation(NOON + number % 50, b"stream-1", 1, target.id, Says.DISPUTE, Fault.FALSE)
    return sign(said, stranger("critic", number))


def cancel(number: int, target: SignedItem, _: Org) -> SignedItem:
    """Cancel the bulletin, which only its own key may."""
    return sign(bulletin("All clear", msg_type=MsgType.CANCEL, references=(target.id,)), stranger("cancel", number))


SORTS: tuple[Callable[[int, SignedItem, Org], SignedItem], ...] = (
    revocation,
    root,
    delegation,
    ending,
    dispute,
    cancel,
)


def bulletin(headline: str, *, msg_type: MsgType = MsgType.ALERT, references: tuple[bytes, ...] = ()) -> Bulletin:
    """Return a bulletin to be signed."""
    return Bulletin(
        NOON,
        NOON + DAY,
        Chain(b"stream-1", 1),
        (Text("en", "Flood", headline),),
        msg_type=msg_type,
        references=references,
    )


def measured(folder: Path, each: int) -> Iterator[tuple[int, Cost]]:
    """Yield what things cost, before the flood, at a tenth of it, and after it."""
    clinic, org = SigningKey.from_seed(b"clinic".ljust(32)), Org("known")
    field_key = SigningKey.from_seed(b"field".ljust(32))
    relay = Relay(
        Store.open(folder / "store.db"), Local.open(folder / "local.db"), Keyring(folder / "keys"), keeper=True
    )
    try:
        relay.local.add_anchor(Anchor(clinic.public, "Clinic", NOON))
        relay.local.add_anchor(Anchor(org.id, "Organisation", NOON))
        relay.refresh()
        target = sign(bulletin("Water rises"), clinic)
        ours = [target, org.roots[0], org.delegates(field_key.public)]
        relay.receive_many([item.data for item in ours], now=NOW.now)
        done = 0
        for count in (BATCH // len(SORTS), each // 10, each):
            batch = 0.0
            made = (sort(number, target, org).data for number in range(done, count) for sort in SORTS)
            datas = list[bytes]()
            for data in made:
                datas.append(data)
                if len(datas) == BATCH:
                    batch = _timed(relay, datas)
                    datas = []
            if datas:
                relay.receive_many(datas, now=NOW.now, source=CALLER)
            done = count
            page = _cpu(lambda: relay.bulletins(Query(limit=20), NOW))
            view = _cpu(relay.refresh)
            (shown,) = relay.bulletins(Query(limit=20), NOW).shown
            if shown.header.id != target.id or not shown.verdict.known or shown.verdict.by or shown.verdict.words:
                raise RuntimeError("a stranger's statement had an effect")
            if len(relay.trust.organisations) != 1 or field_key.public not in relay.trust.known:
                raise RuntimeError("a stranger's statement had an effect")
            yield done * len(SORTS), Cost(batch, view, page, resident())
    finally:
        relay.close()


CALLER = Source(Way.CALLED, "192.0.2.1")


def _timed(relay: Relay, datas: Sequence[bytes]) -> float:
    return _cpu(lambda: relay.receive_many(datas, now=NOW.now, source=CALLER))


def _cpu(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return (process_time() - start) * 1000


def main(each: int) -> None:
    """Measure and print."""
    print("| statements held | a batch of 250 | the view | the page | memory |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count, cost in measured(Path(folder), each):
            figures = f"{cost.batch:.0f} ms | {cost.view:.1f} ms | {cost.page:.1f} ms | {cost.memory:.0f} MiB"
            print(f"| {count:,} | {figures} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 25_000)
