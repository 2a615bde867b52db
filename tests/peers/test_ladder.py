from __future__ import annotations

from meshrelay.peers import ladder as ladder_module
from meshrelay.peers.ladder import Ladder, Way
from meshrelay.status import Rung


class Hands:
    def __init__(self) -> None:
        self.now = 1000

    def __call__(self) -> int:
        return self.now


def rung(ladder: Ladder, way: Way) -> Rung:
    return next(one for one in ladder.rungs() if one.way == way)


def test_every_way_is_there_from_the_start_and_says_whether_it_is_used() -> None:
    found = Ladder(now=Hands(), off=[Way.SWEEP]).rungs()
    assert [one.way for one in found] == ["given", "mdns", "book", "told", "sweep", "inbound"]
    assert [one.way for one in found if not one.on] == ["sweep"]
    assert all(one.tried is None for one in found)


def test_tries_and_finds_are_kept_with_their_times() -> None:
    hands = Hands()
    ladder = Ladder(now=hands)
    ladder.tried(Way.BOOK, trouble="no answer in time")
    assert rung(ladder, Way.BOOK) == Rung("book", tries=1, tried=1000, trouble="no answer in time")
    hands.now = 1010
    ladder.tried(Way.BOOK)
    ladder.found(Way.BOOK, b"a")
    ladder.found(Way.BOOK, b"a")
    assert rung(ladder, Way.BOOK) == Rung("book", tries=2, tried=1010, found=1, last_found=1010)


def test_relays_without_number_take_no_memory_without_bound() -> None:
    ladder = Ladder(now=Hands())
    for number in range(2000):
        ladder.found(Way.INBOUND, number.to_bytes(4, "big"))
    assert rung(ladder, Way.INBOUND).found == ladder_module._COUNTED
