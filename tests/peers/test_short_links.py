"""Links that last for a few kilobytes: what matters most is what arrived."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from meshrelay.core.bulletin import Severity
from meshrelay.core.quota import Source
from meshrelay.errors import PeerUnreachable
from meshrelay.index import PeerView
from meshrelay.peers.client import Link
from meshrelay.peers.exchange import ExchangeReport, exchange, meet
from meshrelay.peers.side import Taken
from tests.peers.stations import Station, bulletin, bulletins, revocation
from tests.peers.wires import wire

LINK = 64 * 1024
FITS = 56 * 1024


def words(number: int) -> str:
    return random.Random(number).randbytes(450).hex()


async def met_once(here: Station, there: Station, after: int) -> ExchangeReport | None:
    """Exchange over a link that breaks; None when it broke before anything was compared."""
    async with wire(there.port, holds=lambda passed: passed < after) as port:
        try:
            async with Link(here.identity, ["127.0.0.1"], port, there.relay_id) as link:
                await meet(here.side, link, port=here.port)
                return await exchange(here.side, link, PeerView(), slow_start=True)
        except PeerUnreachable:
            return None
        finally:
            here.settle()
            there.settle()


@pytest.mark.parametrize("fetching", [True, False], ids=["fetching", "giving"])
async def test_what_is_urgent_and_known_arrives_over_a_link_cut_after_64_kib(
    stations: list[Station], fetching: bool
) -> None:
    """Goal G16; the urgent items are the oldest of a backlog of 5,000, under Severe ones and those of strangers."""
    a, b, _ = stations
    full, empty = (b, a) if fetching else (a, b)
    for station in (a, b):
        station.knows(7, *range(20, 28))
    urgent = [revocation(by) for by in range(20, 28)]
    rest = bulletins(4_450, by=3)
    urgent += [bulletin(n, by=7, words=words(n), acts_on=(rest[n].id,)) for n in range(24)]
    urgent += [bulletin(n, by=7, words=words(n), severity=Severity.EXTREME) for n in range(100, 124)]
    size = sum(item.header.size for item in urgent)
    assert 0.9 * FITS < size <= FITS
    severe = [bulletin(n, by=7, words=words(n), severity=Severity.SEVERE) for n in range(1_000, 1_150)]
    unknown = [bulletin(n, by=4, severity=Severity.EXTREME) for n in range(2_000, 2_100)]
    known = [bulletin(n, by=7) for n in range(4_500, 4_750)]
    full.holds([*rest, *severe, *unknown, *known, *urgent])
    report = await met_once(a, b, LINK)
    assert report is not None
    assert isinstance(report.trouble, PeerUnreachable)
    missing = [item for item in urgent if item.id not in empty.ids()]
    assert not missing, (len(missing), report)


async def test_many_short_meetings_add_up_and_nothing_is_fetched_twice(
    stations: list[Station], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = stations
    b.holds(bulletin(number, words=words(number)) for number in range(150))
    came: list[bytes] = []
    receive = a.side.receive

    async def noted(datas: Sequence[bytes], *, giver: bytes, source: Source) -> list[Taken]:
        came.extend(datas)
        return await receive(datas, giver=giver, source=source)

    monkeypatch.setattr(a.side, "receive", noted)
    held: list[int] = []
    while not held or held[-1] < 150:
        await met_once(a, b, 20 * 1024)
        held.append(len(a.ids()))
        assert len(held) < 40, held
    assert len(came) == len(set(came)) == 150
