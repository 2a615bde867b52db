"""Who becomes a neighbour, and who has to go for it."""

from __future__ import annotations

import random

from meshrelay.peers.discovery import Sighting
from meshrelay.peers.neighbours import AGAIN, CHOSEN, FRESH, MET, SIGHTED, VISITORS, Neighbour, Neighbours, Route
from tests.mesh.simulator import OnlyId

OWN = bytes(32)


def relay_id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def route(number: int, how: str = "mdns") -> Route:
    return Route((f"10.0.{number // 250}.{number % 250 + 1}",), 8443, how)


def table(chosen: int = 0, *, visitors: int = 0) -> Neighbours:
    made = Neighbours(ourselves=OnlyId(OWN), dice=random.Random(1))
    for number in range(1, chosen + 1):
        assert made.take(relay_id(number), route(number)) is not None
    for number in range(1001, 1001 + visitors):
        assert made.take(relay_id(number), route(number, "inbound")) is not None
    return made


def test_two_hundred_relays_on_one_network_are_not_two_hundred_neighbours() -> None:
    made = table()
    for number in range(1, 201):
        made.take(relay_id(number), route(number))
        made.take(relay_id(1000 + number), route(1000 + number, "inbound"))
    assert len(made) == CHOSEN + VISITORS
    assert not made.has_room()


def test_what_the_operator_gave_always_has_a_place() -> None:
    made = table(CHOSEN, visitors=VISITORS)
    given = route(7000, "given")
    assert made.take(relay_id(7000), given, given=given.address) is not None


def test_one_that_does_not_answer_goes_for_another_and_is_remembered() -> None:
    made = table(CHOSEN)
    silent = made.get(relay_id(3))
    assert silent is not None
    silent.failures, silent.failed = 2, 100.0
    assert made.has_room()
    assert made.take(relay_id(50), route(50)) is not None
    assert made.get(silent.relay_id) is None
    assert made.known(silent.relay_id) is silent
    assert made.candidate(moment=100 + AGAIN) is None
    assert made.candidate(moment=101 + AGAIN) is silent


def test_visitors_without_number_keep_nobody_out_and_leave_no_trace() -> None:
    made = table(CHOSEN - 1, visitors=VISITORS)
    for number in range(2000, 2600):
        assert made.take(relay_id(number), route(number, "inbound")) is None
    assert len(list(made.everyone())) == CHOSEN - 1 + VISITORS
    assert made.take(relay_id(60), route(60)) is not None


def test_one_that_came_is_chosen_once_it_is_found_here_too_and_there_is_room() -> None:
    made = table(CHOSEN, visitors=VISITORS)
    came, silent = made.get(relay_id(1001)), made.get(relay_id(3))
    assert came is not None
    assert silent is not None
    assert not made.choose(came)
    silent.failures = 1
    assert made.choose(came)
    assert made.get(silent.relay_id) is None
    assert not made.choose(came)
    assert made.take(relay_id(2001), route(2001, "inbound")) is not None


def test_this_relay_is_not_its_own_neighbour() -> None:
    assert table().take(OWN, route(1)) is None


def test_a_candidate_is_drawn_among_those_at_other_addresses_first() -> None:
    made = table(CHOSEN)
    for number in range(50):
        made.sight(Sighting(f"crowd {number}", 9000 + number, route(1).hosts), moment=0.0)
    made.sight(Sighting("elsewhere", 8443, ("10.7.7.7",)), moment=0.0)
    drawn = made.candidate(moment=1.0)
    assert isinstance(drawn, Sighting)
    assert drawn.instance == "elsewhere"
    assert made.candidate(moment=FRESH + 1.0) is None


def test_room_is_made_by_letting_go_of_a_settled_one_and_never_of_a_given_one() -> None:
    made = table(CHOSEN)
    given = made.get(relay_id(1))
    assert given is not None
    given.given = route(1).address
    for one in made:
        one.covered = 1.0
    assert made.take(relay_id(80), route(80)) is not None  # the given one needs no place among the chosen
    before = set(made)
    made.make_room()
    (gone,) = before - set(made)
    assert gone is not given


def test_every_list_is_bounded() -> None:
    made = table(CHOSEN)
    for number in range(2 * SIGHTED):
        made.sight(Sighting(str(number), 8443, (f"10.1.{number // 250}.{number % 250}",)), moment=0.0)
        made.meet(relay_id(5000 + number), route(5000 + number))
    assert len(made._sighted) == SIGHTED
    assert len(list(made.everyone())) == CHOSEN + MET


def test_addresses_of_one_relay_are_merged_and_bounded() -> None:
    one = Neighbour(relay_id(1), [route(1)])
    assert not one.add_route(Route((*route(1).hosts, "fe80::1%eth0"), 8443, "mdns"))
    assert one.add_route(Route(("10.3.3.3",), 9443, "inbound"))
    assert [len(some.hosts) for some in one.routes] == [1, 2]
    assert one.how == "mdns"
