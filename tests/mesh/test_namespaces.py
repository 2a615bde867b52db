"""Real relays on real (if small) networks: what a room of laptops would see.

Every process here is `meshrelay run` as a user starts it; the networks are namespaces made by the test.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.mesh.netlab import Host, Lab, found_each_other, start_all, until

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(180),
]

SHARED = Path(__file__).parents[3] / "shared" / "data" / "cap"
ALERT = SHARED / "oasis" / "example2.xml"
_TIME = re.compile(r"(<(sent|effective|onset|expires)>)([^<]+)(</)")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def five(lab: Lab) -> list[Host]:
    hosts = [lab.host(name) for name in "ABCDE"]
    lab.bridge(hosts, network="10.77.0")
    return hosts


def moved_to_today(document: str, *, now: datetime.datetime) -> str:
    """Move the times of a CAP alert so that it was sent just now, distances between them kept."""
    sent = datetime.datetime.fromisoformat(document.partition("<sent>")[2].partition("</sent>")[0].strip())
    shift = now.replace(microsecond=0) - sent - datetime.timedelta(seconds=5)

    def move(found: re.Match[str]) -> str:
        moved = datetime.datetime.fromisoformat(found[3].strip()) + shift
        return f"{found[1]}{moved.isoformat()}{found[4]}"

    return _TIME.sub(move, document)


def everywhere(hosts: list[Host], item: str, *, seconds: float) -> float:
    """Wait until the page and the JSON API of every host show an item; return how long that took."""
    took = 0.0
    for host in hosts:
        _, more = until(f"{item} on {host.name}", seconds - took, partial(answers, host, item))
        took += more
    return took


def answers(host: Host, item: str) -> bool:
    """Tell whether the interface for programs has an item."""
    return host.get(f"/api/v1/bulletins/{item}")[0] == 200


def lists_one(host: Host) -> bool:
    """Tell whether one bulletin holds here, and no other."""
    return len(host.list_json()) == 1


def shown(host: Host, words: str) -> bool:
    """Tell whether the front page shows these words."""
    code, page = host.get("/")
    return code == 200 and words in page


@pytest.mark.parametrize("default_route", [False, True], ids=["no default route", "default route"])
def test_five_relays_find_each_other_and_show_one_another_s_bulletins(lab: Lab, default_route: bool) -> None:
    five = [lab.host(name) for name in "ABCDE"]
    lab.bridge(five, network="10.77.0", default_route=default_route)
    start_all(five)
    _, took = until("all pairs found", 3, lambda: all(count == len(five) - 1 for _, count in found_each_other(five)))
    print(f"all 10 pairs found {took:.2f} s after the last was ready")
    item = five[0].meshrelay("publish", "--headline", "Water at the school, gate 2", "--lang", "en").stdout.split()[0]
    took = everywhere(five[1:], item, seconds=5)
    print(f"on every page after {took:.2f} s")
    assert all(shown(host, "Water at the school, gate 2") for host in five)


@pytest.mark.shared
@pytest.mark.skipif(not ALERT.exists(), reason="needs ../shared/data")
def test_a_real_alert_imported_on_one_is_on_the_pages_of_all(five: list[Host], tmp_path: Path) -> None:
    start_all(five)
    until("all pairs found", 5, lambda: all(count == 4 for _, count in found_each_other(five)))
    today, as_it_was = tmp_path / "today.xml", tmp_path / "as-it-was.xml"
    text = ALERT.read_text()
    today.write_text(moved_to_today(text, now=datetime.datetime.now(datetime.UTC)))
    as_it_was.write_text(text)

    five[0].meshrelay("import", str(today))
    (bulletin,) = five[0].list_json()
    took = everywhere(five[1:], bulletin["id"], seconds=5)
    print(f"a real alert on every relay after {took:.2f} s")
    for host in five[1:]:
        assert [one["id"] for one in host.list_json()] == [bulletin["id"]]
        assert shown(host, bulletin["headline"])

    five[0].meshrelay("import", str(as_it_was))
    (past,) = [one for one in five[0].list_json("--all") if one["id"] != bulletin["id"]]
    everywhere(five[1:], past["id"], seconds=5)
    for host in five:
        # A past alert is given one second from the moment it is signed.
        until("the past one has ended", 3, partial(lists_one, host))
        assert [one["id"] for one in host.list_json()] == [bulletin["id"]]
        assert {one["id"]: one["status"] for one in host.list_json("--all")}[past["id"]] == "expired"


def test_a_relay_cut_off_for_20_seconds_catches_up(five: list[Host]) -> None:
    start_all(five)
    until("all pairs found", 5, lambda: all(count == 4 for _, count in found_each_other(five)))
    away = five[4]
    away.cut()
    missed = five[0].meshrelay("publish", "--headline", "The bridge is closed", "--lang", "en").stdout.split()[0]
    everywhere(five[1:4], missed, seconds=5)
    wait_seconds(20)
    assert away.get(f"/api/v1/bulletins/{missed}")[0] == 404
    away.heal()
    _, took = until("caught up", 10, lambda: away.get(f"/api/v1/bulletins/{missed}")[0] == 200)
    print(f"caught up {took:.2f} s after coming back")


def test_a_relay_behind_30_percent_loss_catches_up(five: list[Host]) -> None:
    start_all(five)
    until("all pairs found", 5, lambda: all(count == 4 for _, count in found_each_other(five)))
    for host in five:
        host.lose(30)
    item = five[0].meshrelay("publish", "--headline", "Shots at the station", "--lang", "en").stdout.split()[0]
    took = everywhere(five[1:], item, seconds=20)
    print(f"at 30 % loss on every link: everywhere after {took:.2f} s")


def test_in_a_line_the_last_gets_the_first_s_bulletins_also_when_the_first_is_gone(lab: Lab) -> None:
    a, b, c = (lab.host(name) for name in "ABC")
    lab.bridge([a, b], network="10.78.1")
    lab.bridge([b, c], network="10.78.2")
    start_all([a, b, c])
    until("A sees B, C sees B", 5, lambda: [count for _, count in found_each_other([a, b, c])] == [1, 2, 1])
    first = a.meshrelay("publish", "--headline", "Clinic open", "--lang", "en").stdout.split()[0]
    print(f"through B after {everywhere([c], first, seconds=5):.2f} s")
    c.stop()
    second = a.meshrelay("publish", "--headline", "Clinic closed", "--lang", "en").stdout.split()[0]
    everywhere([b], second, seconds=5)
    a.stop(kill=True)
    c.start("--name", "C")
    until("C is ready", 30, c.ready)
    print(f"with A gone after {everywhere([c], second, seconds=10):.2f} s")


@pytest.mark.parametrize("act", ["cancel", "update"])
@pytest.mark.parametrize("order", ["target first", "act first"])
def test_a_correction_ends_its_target_in_whatever_order_they_come(
    lab: Lab, act: str, order: str, tmp_path: Path
) -> None:
    a, b = lab.host("A"), lab.host("B")
    lab.bridge([a, b], network="10.79.0")
    target = a.meshrelay("publish", "--headline", "Boil the water", "--lang", "en").stdout.split()[0]
    update = ("publish", "--update", target, "--headline", "Boil the water on the North Bank", "--lang", "en")
    acting = a.meshrelay(*(update if act == "update" else ("withdraw", target))).stdout.split()[0]
    carried = tmp_path / "one.cose"
    carried.write_bytes(a.raw(target if order == "target first" else acting))
    b.meshrelay("import", str(carried))
    author = json.loads(a.meshrelay("key", "show", "--json").stdout)["key"]
    b.meshrelay("trust", "add", author, "--as", "The clinic")
    start_all([a, b])
    everywhere([b], target, seconds=8)
    everywhere([b], acting, seconds=8)
    ended = {"cancel": "cancelled", "update": "superseded"}[act]
    for host in (a, b):
        assert [one["id"] for one in host.list_json()] == ([acting] if act == "update" else [])
        assert {one["id"]: one["status"] for one in host.list_json("--all")}[target] == ended
        assert json.loads(host.get(f"/api/v1/bulletins/{target}")[1])["status"] == ended
        assert ended in host.get(f"/b/{target}?lang=en")[1].lower()
        assert ended in host.get("/?lang=en")[1].lower()
        assert f"{ended}. boil the water<" in host.get("/feed.atom?lang=en")[1].lower()
        features = json.loads(host.get("/feed.geojson")[1])["features"]
        assert ended in [one["properties"]["status"] for one in features if one["id"] == target]
        exported = host.meshrelay("show", acting, "--cap").stdout
        assert f"<msgType>{act.title()}</msgType>" in exported
        assert f"urn:meshrelay:id:{target}" in exported


def wait_seconds(seconds: float) -> None:
    """Let the stated time of a scenario pass (a cut that lasts 20 s lasts 20 s)."""
    threading.Event().wait(seconds)
