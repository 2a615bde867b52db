from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from meshrelay.core.clock import Clock
from meshrelay.doctor import Case, Code, Facts, Finding, Health, Report, Tried, conclude
from meshrelay.networks import Network, Router
from meshrelay.peers.discovery import Heard
from meshrelay.peers.ladder import Way
from meshrelay.peers.link import open_identity
from meshrelay.peers.sweep import Knock, Sweep
from meshrelay.status import PeerStatus, RelayStatus, Rung
from meshrelay.words import PAGE_LANGUAGES, Words
from meshrelay.words.diagnosis import CHECKS, COMMANDS, FOUND, TO_DO, check_name, found, to_do

NOW = 1_790_000_000
LOOPBACK = Network("lo", 1, (ip_interface("127.0.0.1/8"),))
WIFI = Network("wlan0", 3, (ip_interface("192.168.1.7/24"),), Router(ip_address("192.168.1.1"), "aa:bb"))
SILENCE = Heard(echoed=1, others=0, sightings=())
OTHER = b"\x01" * 32


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path, open_identity(tmp_path / "link.pem"), (), Clock(NOW))


def facts(*tried: Tried, heard: Heard | None = SILENCE, **more: object) -> Facts:
    found = Facts(networks=(WIFI, LOOPBACK), heard=heard, tried=tried, free=10**9)
    return replace(found, **more)  # type: ignore[arg-type]


def tried(
    way: Way = Way.BOOK, knock: Knock = Knock.OPEN, *, relay_id: bytes | None = None, near: bool = True, **more: object
) -> Tried:
    return replace(Tried(way, "192.168.1.9:8443", knock, relay_id, near=near), **more)  # type: ignore[arg-type]


def codes(report: Report, *health: Health) -> set[Code]:
    return {one.code for one in report.findings if one.health in (health or tuple(Health))}


def test_two_relays_that_see_each_other_are_well(case: Case) -> None:
    report = conclude(case, facts(tried(Way.MDNS, relay_id=OTHER, ahead=1), heard=Heard(1, 1, ())))
    assert (report.is_well, report.reached) == (True, 1)
    assert {Code.NETWORK, Code.MDNS_FOUND, Code.CLOCK, Code.DISK, Code.IN_TOUCH} <= codes(report, Health.WELL)


def test_without_a_network_nothing_else_is_said_of_it(case: Case) -> None:
    report = conclude(case, facts(networks=(LOOPBACK,), heard=None))
    assert codes(report, Health.WRONG) == {Code.NO_NETWORK}
    assert Code.SWEEP_OFFERED not in codes(report)
    assert report.reached == 0


@pytest.mark.parametrize(
    ("seen", "code", "health"),
    [
        (facts(heard=Heard(0, 0, ())), Code.MDNS_SHUT, Health.WRONG),
        (facts(heard=Heard(1, 3, ())), Code.MDNS_NOBODY, Health.NOTE),
        (facts(), Code.MDNS_SILENT, Health.NOTE),
        (facts(tried(relay_id=OTHER)), Code.MDNS_DROPPED, Health.WRONG),
        (facts(heard=None), Code.MDNS_OFF, Health.OFF),
        # A relay that is announced and not reached: why.
        (facts(tried(Way.MDNS, Knock.SILENT)), Code.FIREWALL, Health.WRONG),
        (facts(tried(Way.MDNS, Knock.REFUSED)), Code.REFUSED, Health.WRONG),
        (facts(tried(Way.MDNS)), Code.NOT_A_RELAY, Health.WRONG),
        (facts(tried(Way.MDNS, Knock.NOBODY), heard=Heard(1, 1, ())), Code.NOBODY, Health.WRONG),
        # One that was given, or met before.
        (facts(tried(Way.GIVEN, Knock.NO_ROUTE, near=False)), Code.OTHER_SUBNET, Health.WRONG),
        (facts(tried(Way.GIVEN, Knock.SILENT, near=False, place="10.9.9.9:8443")), Code.OTHER_SUBNET, Health.WRONG),
        (facts(tried(Way.GIVEN, Knock.SILENT, near=False, place="203.0.114.9:1")), Code.NO_ANSWER, Health.WRONG),
        (facts(tried(Way.GIVEN, Knock.NAMELESS, near=False, place="relay.example:1")), Code.NO_SUCH_NAME, Health.WRONG),
        (facts(tried(Way.GIVEN, wrong_pin=True)), Code.WRONG_RELAY, Health.WRONG),
        (facts(tried(Way.BOOK, Knock.REFUSED)), Code.REFUSED, Health.NOTE),
        # A network that keeps its devices apart.
        (facts(tried(Way.BOOK, Knock.NOBODY)), Code.ISOLATED, Health.WRONG),
        (facts(sweep=Sweep((), frozenset({"192.168.1.1"}))), Code.ISOLATED, Health.NOTE),
        # The sweep.
        (facts(), Code.SWEEP_OFFERED, Health.OFF),
        (facts(sweep=Sweep((), frozenset({"192.168.1.9"}))), Code.SWEEP_NOBODY, Health.NOTE),
        (
            facts(
                tried(Way.SWEEP, relay_id=OTHER),
                sweep=Sweep(("192.168.1.9:8443",), frozenset({"192.168.1.9"})),
            ),
            Code.SWEEP_FOUND,
            Health.WELL,
        ),
        # This computer.
        (facts(swallowed=True), Code.VPN_TAKES_ALL, Health.WRONG),
        (facts(networks=(WIFI, Network("wg0", 9, (ip_interface("10.8.0.2/32"),)))), Code.VPN, Health.NOTE),
        (facts(networks=(Network("eth0", 2, (ip_interface("fe80::1/64"),)),)), Code.LINK_ONLY, Health.NOTE),
        (facts(disk_errno=errno.ENOSPC), Code.DISK_FULL, Health.WRONG),
        (facts(disk_errno=errno.EROFS), Code.DISK_SHUT, Health.WRONG),
        (facts(disk_low=True), Code.DISK_LOW, Health.WRONG),
        (facts(tried(relay_id=OTHER, ahead=7200)), Code.CLOCK_DIFFERS, Health.WRONG),
        (
            facts(*(tried(relay_id=bytes([n]) * 32, ahead=off) for n, off in enumerate((0, 5, 7200), 1))),
            Code.CLOCKS_DIFFER,
            Health.NOTE,
        ),
    ],
)
def test_what_was_seen_is_told_by_its_cause(case: Case, seen: Facts, code: Code, health: Health) -> None:
    assert code in codes(conclude(case, seen), health)


@pytest.mark.parametrize(
    "seen",
    [
        facts(tried(Way.BOOK, Knock.NOBODY), tried(Way.BOOK, Knock.REFUSED)),  # another device answers
        facts(tried(Way.BOOK, Knock.NOBODY), heard=Heard(1, 2, ())),  # others are heard
        facts(tried(Way.BOOK, Knock.NOBODY), networks=(replace(WIFI, router=None),)),  # no router, so no Wi-Fi of it
        facts(tried(Way.BOOK, Knock.NOBODY), sweep=Sweep((), frozenset({"192.168.1.44"}))),
    ],
)
def test_a_network_on_which_somebody_answers_is_not_called_isolated(case: Case, seen: Facts) -> None:
    assert Code.ISOLATED not in codes(conclude(case, seen))


def test_a_relay_that_met_itself_has_met_nobody(case: Case) -> None:
    report = conclude(case, facts(tried(Way.MDNS, relay_id=b"")))
    assert report.reached == 0
    assert Code.MDNS_SILENT in codes(report)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"full": True}, Code.DISK_FULL),
        ({"store_trouble": "it is of a newer version"}, Code.STORE_UNUSABLE),
        ({"notes_aside": Path("data/local.db.damaged")}, Code.NOTES_LOST),
        ({"clock": Clock(NOW, behind=90_000)}, Code.CLOCK_BEHIND),
        ({"clock": Clock(NOW, doubtful=True)}, Code.CLOCK_DOUBTFUL),
        ({"taken": (("reader", 8080),)}, Code.PORT_TAKEN),
        ({"silent": "the relay does not answer"}, Code.RELAY_SILENT),
    ],
)
def test_what_was_known_before_is_said_too(case: Case, more: dict[str, object], code: Code) -> None:
    assert code in codes(conclude(replace(case, **more), facts()), Health.WRONG)  # type: ignore[arg-type]


@pytest.mark.parametrize(("came", "said"), [(0, True), (1, False)])
def test_a_relay_to_which_nobody_comes_may_stand_behind_a_firewall(case: Case, came: int, said: bool) -> None:
    status = RelayStatus(
        "A", bytes(32), NOW - 600, NOW,
        peers=(PeerStatus("meshrelay://192.168.1.9:8443", OTHER, connected=True),),
        rungs=(Rung("inbound", found=came),),
    )  # fmt: skip
    report = conclude(replace(case, status=status), facts())
    assert report.reached == 1
    assert (Code.NOBODY_COMES in codes(report)) == said


def test_every_code_has_a_sentence_and_every_sentence_a_code() -> None:
    assert set(FOUND) == {str(code) for code in Code}
    assert set(TO_DO) <= set(FOUND)
    assert set(COMMANDS) == {code for code, text in TO_DO.items() if "{command}" in text}


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_sentence_can_be_said_with_its_values(language: str) -> None:
    values = {
        name: name
        for name in ("interfaces", "addresses", "listener", "path", "why", "place", "places")
    } | {name: 7 for name in ("port", "megabytes", "relays", "minutes", "count", "all")}  # fmt: skip
    words = Words(language, None, NOW)  # type: ignore[arg-type]
    for code in FOUND:
        assert "{" not in str(found(words, code, values))
        assert "{" not in str(to_do(words, code, values))
    assert all(check_name(words, check) for check in CHECKS)


def test_what_something_is_told_of_is_a_finding_with_its_check() -> None:
    finding = Finding("mdns", Health.WELL, Code.MDNS_FOUND, {"count": 2})
    words = Words("en", None, NOW)  # type: ignore[arg-type]
    assert str(found(words, finding.code, finding.values)) == "works. Relays that answered: 2."
