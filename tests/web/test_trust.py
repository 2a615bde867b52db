"""What pages, feeds and programs are told of organisations, and of what others say of a bulletin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import MsgType, Severity
from meshrelay.core.clock import Clock
from meshrelay.core.envelope import SignedItem
from meshrelay.core.statements import Attestation, Fault, Says, Scope
from meshrelay.core.trust import Anchor, How
from meshrelay.web import view
from meshrelay.web.openapi import description
from tests.organising import ANYTHING, DAY, Org
from tests.web.sample import HOUR, NOW, Author, Client, Place, fill, text
from tests.web.test_api import get
from tests.words.test_speech import words


@dataclass
class Clinic:
    """An organisation that people of a relay know, and two keys that it lent its name to."""

    place: Place
    org: Org
    field: Author
    night: Author
    voice: Author
    """A sender that is known here by its key."""

    @classmethod
    def at(cls, place: Place, *, scope: Scope = ANYTHING, end: int = NOW + 20 * DAY) -> Clinic:
        org = Org("clinic", sent=NOW - 20 * DAY)
        found = cls(place, org, Author(21), Author(22), Author(23))
        place.put(
            *org.roots,
            org.delegates(found.field.key.public, start=NOW - 10 * DAY, end=end, scope=scope),
            org.delegates(found.night.key.public, start=NOW - 10 * DAY, end=end),
        )
        place.relay.local.add_anchor(Anchor(org.id, "Clinic on the hill", NOW - 14 * DAY, How.DIGITS))
        place.anchor(found.voice, "Waterworks")
        return found

    def says(self, headline: str = "Insulin at the clinic", **fields: Any) -> SignedItem:
        item = self.field.sign(text(headline), org=self.org.id, **fields)
        self.place.put(item)
        return item

    def attest(
        self, author: Author, target: SignedItem, says: Says, fault: Fault | None = None, note: str = ""
    ) -> None:
        author.seq += 1
        body = Attestation(NOW - 600, bytes([author.number]) * 8, author.seq, target.id, says, fault, note)
        self.place.put(sign(body, author.key))


@pytest.fixture
def clinic(place: Place) -> Clinic:
    return Clinic.at(place)


async def verdict(client: Client, item: SignedItem) -> Any:
    return (await get(client, f"/api/v1/bulletins/{item.id.hex()}"))["verdict"]


async def test_a_lent_key_stands_in_the_first_lane_under_the_organisation_s_name(
    client: Client, clinic: Clinic
) -> None:
    item = clinic.says()
    found = await verdict(client, item)
    assert (found["author"], found["known"], found["name"]) == ("delegated", True, "Clinic on the hill")
    assert found["organisation"] == {
        "id": clinic.org.id.hex(),
        "name": "Clinic on the hill",
        "state": "delegated",
        "beyond": None,
        "until": "2031-04-06T14:06:00+05:00",
        "title": "field desk",
    }
    assert "The key was lent by Clinic on the hill until 6 April: field desk." in found["says"]
    listed = await get(client, "/api/v1/bulletins?known=true")
    assert [one["id"] for one in listed["bulletins"]] == [item.id.hex()]


@pytest.mark.parametrize(
    ("scope", "end", "author", "beyond"),
    [
        (Scope(severity=Severity.MINOR), NOW + DAY, "outside remit", "severity"),
        (Scope(kinds=("attestation",)), NOW + DAY, "outside remit", "kind"),
        (ANYTHING, NOW - HOUR // 2, "delegation ended", None),
    ],
)
async def test_what_its_key_was_not_lent_for_stands_in_the_second_lane_with_the_reason(
    scope: Scope, end: int, author: str, beyond: str | None, client: Client, place: Place
) -> None:
    clinic = Clinic.at(place, scope=scope, end=end)
    found = await verdict(client, clinic.says(severity=Severity.EXTREME))
    assert (found["author"], found["known"], found["organisation"]["beyond"]) == (author, False, beyond)


async def test_whoever_names_an_organisation_that_never_lent_it_anything_is_unknown(
    client: Client, clinic: Clinic
) -> None:
    item = Author(9).sign(text("Clinic closed"), org=clinic.org.id)
    stranger = Author(10).sign(text("Clinic closed"), org=bytes(32))
    clinic.place.put(item, stranger)
    found = await verdict(client, item)
    assert (found["author"], found["organisation"]["state"]) == ("unknown", "never lent")
    assert found["says"].startswith("Careful: perhaps somebody pretends to be Clinic on the hill.")
    found = await verdict(client, stranger)
    assert (found["organisation"]["state"], found["organisation"]["name"]) == ("unknown", None)


async def test_a_bulletin_that_names_nobody_has_no_organisation(client: Client, place: Place) -> None:
    found = await verdict(client, fill(place)["water"])
    assert found["organisation"] is None
    assert found["attestations"] == {"dispute": [], "confirm": [], "cannot_check": [], "unknown": 0}
    assert found["disputed"] is None


async def test_what_known_voices_say_is_told_and_strangers_are_counted_apart(client: Client, clinic: Clinic) -> None:
    item = clinic.says()
    clinic.attest(clinic.voice, item, Says.DISPUTE, Fault.OUTDATED, "gone since noon")
    for number in (30, 31, 32):
        clinic.attest(Author(number), item, Says.CONFIRM)
    found = await verdict(client, item)
    assert found["attestations"] == {
        "dispute": [
            {
                "voice": clinic.voice.key.public.hex(),
                "name": "Waterworks",
                "sent": "2031-03-17T13:56:00+05:00",
                "fault": "outdated",
                "note": "gone since noon",
                "says": "Disputed by Waterworks: they say that it is out of date (13:56). “gone since noon”",
            }
        ],
        "confirm": [],
        "cannot_check": [],
        "unknown": 3,
    }
    assert found["disputed"].startswith("Disputed by Waterworks")


async def test_feeds_say_that_a_bulletin_is_disputed(client: Client, clinic: Clinic) -> None:
    item = clinic.says(severity=Severity.SEVERE)
    clinic.attest(clinic.voice, item, Says.DISPUTE, Fault.FALSE)
    root = ElementTree.fromstring(await (await client.get("/feed.atom")).text())
    (entry,) = root.iter("{http://www.w3.org/2005/Atom}entry")
    title = entry.findtext("{http://www.w3.org/2005/Atom}title") or ""
    assert title.startswith("Disputed by Waterworks: they say that it is false (13:56). Severe: act soon.")
    (feature,) = (await get(client, "/feed.geojson"))["features"]
    assert feature["properties"]["verdict"]["disputed"].startswith("Disputed by Waterworks")


async def test_a_colleague_s_cancel_ends_a_bulletin_and_is_said_to_be_a_colleague_s(
    client: Client, clinic: Clinic
) -> None:
    item = clinic.says()
    clinic.place.put(
        clinic.night.sign(text("x"), org=clinic.org.id, msg_type=MsgType.CANCEL, references=(item.id,), note="used up")
    )
    assert (await verdict(client, item))["status"] == "cancelled"
    page = await (await client.get(f"/b/{item.id.hex()}")).text()
    assert "Withdrawn by a colleague at <b><bdi>Clinic on the hill</bdi></b>" in page


def test_a_page_is_given_what_others_say_in_words_with_the_look_of_each(clinic: Clinic) -> None:
    item = clinic.says()
    clinic.attest(clinic.voice, item, Says.DISPUTE, Fault.MOVED, "now at the <b>mill</b>")
    clinic.attest(Author(30), item, Says.CONFIRM)
    shown = clinic.place.relay.bulletin(item.id, Clock(NOW))
    whole = view.whole(shown, view.Page(words(), "Three Poplars"))
    assert [look for look, _ in whole.others] == ["square", "open"]
    assert "&lt;b&gt;mill" in whole.others[0][1]
    assert whole.card.disputed is not None
    assert "Waterworks" in whole.card.disputed
    assert whole.card.confirmed is None


async def test_readers_see_who_disputes_a_bulletin_on_its_card_and_everything_on_its_page(
    client: Client, clinic: Clinic
) -> None:
    item = clinic.says()
    clinic.attest(clinic.voice, item, Says.DISPUTE, Fault.MOVED, "now at the <b>mill</b>")
    clinic.attest(Author(30), item, Says.CONFIRM)
    front = await (await client.get("/?lang=en")).text()
    assert "Disputed by <b><bdi>Waterworks</bdi></b>: they say that it is somewhere else now" in front
    page = await (await client.get(f"/b/{item.id.hex()}?lang=en")).text()
    assert '<li class="square">Disputed by' in page
    assert '<li class="open">1 unknown sender says something about it too, which is not counted.' in page
    assert "now at the &lt;b&gt;mill&lt;/b&gt;" in page
    assert "Last heard from <b><bdi>Clinic on the hill</bdi></b>" in page


async def test_the_description_lists_what_a_verdict_has(client: Client, clinic: Clinic) -> None:
    found = await verdict(client, clinic.says())
    described = description()["components"]["schemas"]["Bulletin"]["properties"]["verdict"]["properties"]
    assert found.keys() == described.keys()
    assert found["organisation"].keys() == described["organisation"]["properties"].keys()


async def test_about_says_of_an_organisation_that_it_is_one(client: Client, clinic: Clinic) -> None:
    clinic.says()
    page = await (await client.get("/about")).text()
    assert (
        "<b><bdi>Clinic on the hill</bdi></b>: Believed because people of this relay compared the digits of this"
        in page
    )
    assert (
        "<b><bdi>Waterworks</bdi></b>: Believed because people of this relay compared the digits of their key" in page
    )
