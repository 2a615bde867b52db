"""The operator's local interface: for this computer, with the token, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from meshrelay.errors import PeerFault, PeerUnreachable, Refusal
from meshrelay.status import PeerStatus, RelayStatus
from meshrelay.web.desk import make_desk
from tests.web.sample import NOW, Client, browsing

TOKEN = {"Authorization": "Bearer let-me-in"}
STATUS = RelayStatus("Three Poplars", bytes(32), NOW, NOW, peers=(PeerStatus("meshrelay://10.0.0.2:8443"),))


@dataclass(frozen=True)
class Report:
    received: int
    peer: bytes
    trouble: PeerFault


async def sync(uri: str) -> Any:
    match uri:
        case "meshrelay://gone:1":
            raise PeerUnreachable("no answer")
        case "nonsense":
            raise Refusal("not an address", hint="write meshrelay://HOST:PORT")
        case _:
            return Report(3, b"\xff", PeerFault("it broke the protocol"))


async def doctor(sweep: bool) -> Any:
    return Report(int(sweep), b"", PeerFault("none"))


async def copies(item: bytes) -> int:
    return item[0]


@pytest.fixture
async def desk() -> AsyncIterator[Client]:
    async with browsing(
        make_desk(token="let-me-in", status=lambda: STATUS, sync=sync, doctor=doctor, copies=copies)
    ) as client:
        yield client


async def test_without_the_token_nothing_is_answered(desk: Client) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": "Bearer ü"}):
        for path in ("status", "peers", "nothing"):
            assert (await desk.get(f"/api/v1/local/{path}", headers=headers)).status == 401


async def test_the_status_comes_as_json_with_ids_in_hex(desk: Client) -> None:
    found = await (await desk.get("/api/v1/local/status", headers=TOKEN)).json()
    assert found["relay_id"] == "00" * 32
    assert found["peers"][0]["uri"] == "meshrelay://10.0.0.2:8443"
    assert (await (await desk.get("/api/v1/local/peers", headers=TOKEN)).json())["peers"] == found["peers"]


async def test_an_exchange_is_asked_for_and_reported(desk: Client) -> None:
    answer = await desk.post("/api/v1/local/sync", json={"uri": "meshrelay://10.0.0.2:8443"}, headers=TOKEN)
    assert await answer.json() == {"received": 3, "peer": "ff", "trouble": "it broke the protocol"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"uri": "meshrelay://gone:1"}', 504),
        ('{"uri": "nonsense"}', 400),
        ("{}", 400),
        ("[", 400),
        ("[" * 5000, 400),
        ('{"uri": 1}', 400),
        ("\x00", 400),
    ],
)
async def test_what_cannot_be_done_is_said(body: str, status: int, desk: Client) -> None:
    answer = await desk.post("/api/v1/local/sync", data=body, headers=TOKEN)
    assert answer.status == status
    assert (await answer.json())["error"]


@pytest.mark.parametrize("host", ["evil.example:{port}", "192.168.1.1:{port}", "meshrelay.local:{port}"])
async def test_only_names_of_this_computer_are_answered(host: str, desk: Client) -> None:
    headers = TOKEN | {"Host": host.format(port=desk.port)}
    assert (await desk.get("/api/v1/local/status", headers=headers)).status == 421
    headers = TOKEN | {"Host": f"localhost:{desk.port}"}
    assert (await desk.get("/api/v1/local/status", headers=headers)).status == 200


async def test_the_doctor_is_asked_with_a_sweep_or_without(desk: Client) -> None:
    for asked, received in (({}, 0), ({"sweep": False}, 0), ({"sweep": True}, 1)):
        answer = await desk.post("/api/v1/local/doctor", json=asked, headers=TOKEN)
        assert (await answer.json())["received"] == received
    wrongs: list[Any] = [[], {"sweep": 1}, "sweep"]
    for wrong in wrongs:
        assert (await desk.post("/api/v1/local/doctor", json=wrong, headers=TOKEN)).status == 400


async def test_on_how_many_relays_an_item_is_can_be_asked(desk: Client) -> None:
    assert await (await desk.get(f"/api/v1/local/copies/{7:02x}{'00' * 31}", headers=TOKEN)).json() == {"relays": 7}
    assert (await desk.get("/api/v1/local/copies/7", headers=TOKEN)).status == 404
