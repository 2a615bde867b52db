"""Floods against a full store: ``python -m tests.attacks.flood [ITEMS]``, about 6,000 items in each of nine floods.

1, 40 and 1,000 throwaway keys, through as many throwaway relays, against a store of 24 MB that is full already. They
send bulletins and statements of every class; up to MOST_DIALLED of their relays have had themselves dialled, all others
dial in, and readers upload some of it too. The relay knows three clinics and an organisation with a field key; beside
them senders whom nobody knows here speak through two honest relays that this one dials, before and amid the flood.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path
from time import process_time

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, MsgType, Severity, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.quota import READERS, Source, Way, cost
from meshrelay.core.statements import Attestation, Fault, Revocation, Says, Successor
from meshrelay.core.trust import Anchor
from meshrelay.keyring import Keyring
from meshrelay.local import Local
from meshrelay.relay import Outcome, Receipt, Relay
from meshrelay.store import Store
from tests.attacks.memory import resident
from tests.organising import DAY, Org, key
from tests.strategies import NOON

BATCH = 100
MOST_DIALLED = 14
"""A relay keeps in touch with 16 others; two of them are honest here."""
HONEST = [Source(Way.DIALLED, f"192.0.2.{number}") for number in (1, 2)]
NOW = NOON + 3600


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a flood did: parts of one that stayed, the store's file and the growth of memory in MiB, CPU an item in us.

    `late` is the part of what honest strangers said amid the flood that was taken and stayed.
    """

    sent: int
    known: float
    honest: float
    late: float
    stored: float
    memory: float
    cpu: float


def bulletin(
    number: int, *, by: SigningKey, org: bytes | None = None, size: int = 600, severity: Severity = Severity.UNKNOWN
) -> SignedItem:
    """Sign a bulletin."""
    body = Bulletin(
        NOON + number % 3000,
        NOON + DAY,
        Chain(b"stream-1", number + 1),
        (Text("en", "Notice", f"Notice {number}", "w" * size),),
        severity=severity,
        org=org,
    )
    return sign(body, by)


def throwaway(keys: int, targets: Sequence[SignedItem], org: Org) -> Iterator[bytes]:
    """Yield items of every class and kind by so many keys, for ever."""
    signers = [key(f"throwaway {number}") for number in range(keys)]
    for number, by in zip(count(), cycle(signers)):
        target = targets[number % len(targets)]
        sort = number // keys % 6 if keys > 1 else number % 6
        body: Bulletin | Revocation | Successor | Attestation
        match sort:
            case 0:
                yield bulletin(number, by=by, severity=Severity.EXTREME).data
            case 1:
                yield bulletin(number, by=by).data
            case 2:
                body = Bulletin(
                    NOON + number % 3000,
                    NOON + DAY,
                    Chain(b"stream-1", number + 1),
                    (Text("en", "Notice", "All clear"),),
                    msg_type=MsgType.CANCEL,
                    references=(target.id,),
                )
                yield sign(body, by).data
            case 3:
                body = Attestation(NOON + number % 3000, b"stream-2", number + 1, target.id, Says.DISPUTE, Fault.FALSE)
                yield sign(body, by).data
            case 4:
                yield sign(Revocation(NOON + number, by.public, (bytes([number % 256] * 32),)), by).data
            case _:
                forged = org.delegates(
                    key(f"friend {number}").public, by=[by, key("second forger")], sent=NOON + number
                )
                yield forged.data


def flooded(folder: Path, *, keys: int, relays: int, items: int, max_bytes: int) -> Outcomes:
    """Flood a relay, and tell what became of whom."""
    clinics, org, field = [key(f"clinic {number}") for number in range(3)], Org("known"), key("field")
    ended = key("clinic that ended its key")
    store = Store.open(folder / "store.db", max_bytes=max_bytes)
    relay = Relay(store, Local.open(folder / "local.db"), Keyring(folder / "keys"), keeper=True)
    try:
        for one in (*(clinic.public for clinic in (*clinics, ended)), org.id):
            relay.local.add_anchor(Anchor(one, "known", NOON))
        relay.refresh()
        # The pool is a fifth of the store: what is known fills nearly all of the rest.
        each = max_bytes // 5 // cost(3_400)
        known = [
            org.roots[0],
            org.delegates(field.public),
            org.delegates(key("gone").public),
            org.revokes(key("gone").public),
            sign(Revocation(NOON, ended.public), ended),
            *(bulletin(number, by=clinic, size=3_000) for clinic in clinics for number in range(each)),
            *(bulletin(number, by=field, org=org.id, size=3_000) for number in range(each)),
        ]
        _received(relay, [item.data for item in known], HONEST[0])
        # Full before the flood begins: of other strangers' items, that relays brought which dialled in.
        for number in range(max_bytes // 5 // 50_000):
            by = key(f"before {number}")
            datas = [bulletin(n, by=by, size=3_000).data for n in range(10)]
            _received(relay, datas, Source(Way.CALLED, f"198.51.100.{number % 250}"))
        honest = [_strangers("early", number) for number in range(2)]
        for source, said in zip(HONEST, honest, strict=True):
            _received(relay, [item.data for item in said], source)
        memory, spent, sent = resident(), 0.0, 0
        late = list[SignedItem]()
        flood = throwaway(keys, known, org)
        sources = cycle(
            [
                *(Source(Way.DIALLED, f"203.0.113.{number}") for number in range(min(MOST_DIALLED, relays // 3))),
                *(Source(Way.CALLED, f"10.{number >> 8}.{number & 255}.1") for number in range(relays)),
                READERS,
            ]
        )
        size = max(1, min(BATCH, items // max(relays, 1)))
        while sent < items:
            datas = list(islice(flood, size))
            start = process_time()
            _received(relay, datas, next(sources))
            if (sent + len(datas)) // BATCH > sent // BATCH:
                while relay.room.keep_house(relay.trust, now=NOW):
                    pass
            spent += process_time() - start
            sent += len(datas)
            if len(late) < 40 and sent * 2 > items:
                said = _strangers(f"late {len(late)}", 0, authors=1)
                _received(relay, [item.data for item in said], HONEST[len(late) % 2])
                late += said
        return Outcomes(
            sent,
            _stayed(relay, known),
            _stayed(relay, [item for said in honest for item in said]),
            _stayed(relay, late),
            store.shares(()).file / 2**20,
            resident() - memory,
            spent / sent * 1e6,
        )
    finally:
        relay.close()


def _strangers(name: str, number: int, *, authors: int = 5) -> list[SignedItem]:
    return [bulletin(n, by=key(f"{name} {number} {one}")) for one in range(authors) for n in range(4)]


def _received(relay: Relay, datas: Sequence[bytes], source: Source) -> None:
    for at in range(0, len(datas), BATCH):
        for answer in relay.receive_many(datas[at : at + BATCH], now=NOW, source=source):
            if not isinstance(answer, Receipt) or (answer.outcome is Outcome.DECLINED and answer.reason != "room"):
                raise RuntimeError(f"not as it was meant: {answer}")


def _stayed(relay: Relay, items: Sequence[SignedItem]) -> float:
    return len(relay.store.headers([item.id for item in items])) / len(items)


def main(items: int) -> None:
    """Flood and print."""
    print("| keys | relays | items sent | known kept | honest kept | honest amid it | store | memory | CPU an item |")
    print("|---|---|---|---|---|---|---|---|---|")
    for keys in (1, 40, 1000):
        for relays in (1, 40, 1000):
            with tempfile.TemporaryDirectory() as folder:
                found = flooded(Path(folder), keys=keys, relays=relays, items=items, max_bytes=24_000_000)
            print(
                f"| {keys:,} | {relays:,} | {found.sent:,} | {found.known:.0%} | {found.honest:.0%} | {found.late:.0%}"
                f" | {found.stored:.1f} MiB | {found.memory:+.0f} MiB | {found.cpu:.0f} µs |",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 6_000)
