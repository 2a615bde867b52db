"""The form for a visitor's report: what comes into the inbox, and what does not."""

from __future__ import annotations

import re
from urllib.parse import quote_plus

import pytest

from meshrelay.local import MOST_NEW_REPORTS, Report
from meshrelay.web.report import LIMITS, MAX_FORM, MOST_AN_HOUR, MOST_AN_HOUR_OF_ONE, TOKEN_SECONDS, Desk
from meshrelay.words import PAGE_LANGUAGES
from tests.web.sample import NOW, Client, Place

SAID = {"what": "Smoke over the mill", "where": "Mill Street"}


@pytest.fixture
async def token(client: Client) -> str:
    """Return what the form holds."""
    return await token_of(client)


async def token_of(client: Client) -> str:
    found = re.search(r'name="token" value="([^"]+)"', await (await client.get("/report")).text())
    assert found is not None
    return found[1]


async def test_what_is_sent_lies_in_the_inbox_and_on_no_page(client: Client, place: Place, token: str) -> None:
    said = {**SAID, "when": "at noon", "contact": "the blue house"}
    answer = await client.post("/report?lang=kk", data={**said, "token": token}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/report?lang=kk&sent=")
    (report,) = place.relay.local.reports()
    assert report == Report(NOW, "kk", "Smoke over the mill", "Mill Street", "at noon", "the blue house", n=report.n)
    assert "Your report was sent" in await (await client.get("/report?sent=")).text()
    assert "Smoke" not in await (await client.get("/")).text()
    assert place.relay.store.usage().items == 0


async def test_every_page_leads_to_the_form_and_the_form_says_its_limits(client: Client) -> None:
    for path in ("/", "/about", "/search?q=x", "/nowhere"):
        assert '<a href="/report">Write a report</a>' in await (await client.get(path)).text()
    form = await client.get("/report")
    text = await form.text()
    assert "At most 500 characters." in text
    assert form.headers["Cache-Control"] == "no-store"
    assert "<script" not in text


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "http://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Origin": "null"}, 403)],
)
async def test_another_site_writes_nothing(
    headers: dict[str, str], status: int, client: Client, place: Place, token: str
) -> None:
    answer = await client.post("/report", data={**SAID, "token": token}, headers=headers)
    assert answer.status == status
    assert place.relay.local.reports() == ()


@pytest.mark.parametrize("token", ["", ".", "zz.00", "ffffffffffff.00", "1.1", "-1.x", "é.é"])
async def test_without_a_token_of_ours_the_words_come_back(token: str, client: Client, place: Place) -> None:
    answer = await client.post("/report", data={**SAID, "token": token})
    text = await answer.text()
    assert answer.status == 403
    assert "Smoke over the mill</textarea>" in text
    assert 'value="Mill Street"' in text
    assert place.relay.local.reports() == ()


def test_a_token_holds_for_its_address_and_two_hours_and_its_process() -> None:
    desk = Desk()
    token = desk.token("192.168.1.2", now=1000.0)
    assert desk.gave(token, "192.168.1.2", now=1000.0 + TOKEN_SECONDS)
    assert not desk.gave(token, "192.168.1.2", now=1001.0 + TOKEN_SECONDS)
    assert not desk.gave(token, "192.168.1.3", now=1000.0)
    assert not Desk().gave(token, "192.168.1.2", now=1000.0)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"what": "Smoke"}, 400),
        ({"where": "Mill Street", "what": " \u2800\n"}, 400),
        ({**SAID, "what": "x" * (LIMITS["what"] + 1)}, 400),
        ({**SAID, "contact": "x" * (LIMITS["contact"] + 1)}, 400),
        ({**SAID, "what": "x" * MAX_FORM}, 413),
    ],
)
async def test_what_is_empty_or_too_long_is_refused(
    said: dict[str, str], status: int, client: Client, place: Place, token: str
) -> None:
    assert (await client.post("/report", data={**said, "token": token})).status == status
    assert place.relay.local.reports() == ()


async def test_only_a_form_is_taken(client: Client, place: Place, token: str) -> None:
    assert (await client.post("/report", json={**SAID, "token": token})).status == 415
    for body, status in ((b"\xff\xfe", 400), (b"&".join([b"a=1"] * 40), 400), (b"what=%FF%00&token", 403)):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await client.post("/report", data=body, headers=headers)).status == status
    assert place.relay.local.reports() == ()


async def test_what_no_bulletin_may_hold_is_left_out(client: Client, place: Place, token: str) -> None:
    what = "Smoke\x07 \u202eover\tthe mill\r\n\r\n  two\u2028wounded"
    await client.post("/report", data={**SAID, "what": what, "token": token}, allow_redirects=False)
    assert [one.what for one in place.relay.local.reports()] == ["Smoke over the mill\ntwo\nwounded"]


async def test_markup_comes_back_as_text(client: Client) -> None:
    text = await (await client.post("/report", data={"what": "</textarea><script>", "where": '"><b>'})).text()
    assert "<script>" not in text
    assert "<b>" not in text.partition("<form class")[2].partition("</form>")[0]


async def test_one_address_writes_three_reports_an_hour(client: Client, place: Place, token: str) -> None:
    for _ in range(MOST_AN_HOUR_OF_ONE):
        assert (await client.post("/report", data={**SAID, "token": token})).status == 200
    answer = await client.post("/report", data={**SAID, "token": token})
    assert answer.status == 429
    assert "Smoke over the mill</textarea>" in await answer.text()
    assert len(place.relay.local.reports()) == MOST_AN_HOUR_OF_ONE


def test_all_addresses_together_write_twenty_reports_an_hour() -> None:
    desk, written = Desk(), 0
    for number in range(100):
        if desk.may_write(f"10.0.0.{number}", now=number):
            desk.wrote(f"10.0.0.{number}", now=number)
            written += 1
    assert written == MOST_AN_HOUR
    assert desk.may_write("10.0.0.0", now=3700.0)


async def test_a_full_inbox_says_so_and_gives_the_words_back(client: Client, place: Place, token: str) -> None:
    for _ in range(MOST_NEW_REPORTS):
        place.relay.local.add_report(Report(NOW - 90_000, "en", "x", "y"))
    answer = await client.post("/report", data={**SAID, "token": token})
    text = await answer.text()
    assert answer.status == 507
    assert "The inbox is full" in text
    assert "Smoke over the mill</textarea>" in text


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
async def test_a_report_that_the_form_lets_through_fits(
    language: str, client: Client, place: Place, token: str
) -> None:
    said = {name: "က" * most for name, most in LIMITS.items()}
    assert sum(len(quote_plus(text)) for text in said.values()) < MAX_FORM
    answer = await client.post(f"/report?lang={language}", data={**said, "token": token}, allow_redirects=False)
    assert answer.status == 303
    assert [one.language for one in place.relay.local.reports()] == [language]
