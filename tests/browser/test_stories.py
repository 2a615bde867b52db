"""What happens to people in front of a phone: told once through, on relays that really run.

Each relay is `meshrelay run` in a process of its own; what is written into its folder meanwhile comes from here, as a
command beside it would write it, and what travels comes from another relay.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import UNSIGNED, Area, Bulletin, MsgType, Severity, Status, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.core.statements import Attestation, Fault, Says
from meshrelay.core.trust import Anchor, How
from meshrelay.core.withdrawal import withdrawal
from meshrelay.keyring import Keyring
from meshrelay.local import MOST_NEW_REPORTS, Local, Report
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.browser.test_reader import PHONE, opened
from tests.cli.conftest import Terminal
from tests.processes import Process, lasting
from tests.web.sample import Author, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]
WAIT = 15_000


class Centre:
    """A running relay, its folder as its own people's commands use it, and the address of its pages."""

    def __init__(self, data: Path, process: Process) -> None:
        self.terminal = Terminal(data)
        self.process = process
        self.url = "http://{}:{}/".format(*self.process.reader)
        self.folder = Relay(Store.open(data / "store.db"), Local.open(data / "local.db"), Keyring(data / "keys"))

    def say(self, *texts: Text, **fields: object) -> SignedItem:
        """Publish as `me`."""
        if not self.folder.keyring.all():
            self.folder.keyring.new("me", now=int(time.time()))
            self.folder.refresh()
        now = int(time.time())
        draft = Bulletin(sent=now, expires=now + 8 * 3600, chain=UNSIGNED, texts=texts)
        return self.folder.publish(replace(draft, **fields), "me", now=now)  # type: ignore[arg-type]

    def withdraw(self, item: SignedItem) -> None:
        now = int(time.time())
        self.folder.publish(withdrawal(item, now=now, note="it was a mistake"), "me", now=now)

    def know(self, author: Author, name: str) -> None:
        self.folder.local.add_anchor(Anchor(author.key.public, name, int(time.time()), How.DIGITS))
        self.folder.refresh()

    def bring(self, *items: SignedItem) -> None:
        """Put in what others signed, as a peer would."""
        self.folder.receive_many([item.data for item in items], now=int(time.time()))


@contextmanager
def centre(data: Path) -> Iterator[Centre]:
    Terminal(data).do("config", "set", "name", "Three Poplars")
    with lasting(data) as process:
        found = Centre(data, process)
        yield found
        found.folder.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """Return the relay that most stories share."""
    with centre(tmp_path_factory.mktemp("centre")) as found:
        yield found


def visit(page: Page, url: str) -> None:
    """Open a page, and wait until its script is in touch with the relay."""
    with page.expect_response(lambda answer: "/api/v1/events" in answer.url and answer.ok):
        page.goto(url)


def reload_until(page: Page, url: str, said: str) -> None:
    """Load a page again and again until the relay has noticed what was written beside it."""
    end = time.monotonic() + WAIT / 1000
    page.goto(url)
    while said not in page.content():
        assert time.monotonic() < end, page.locator("body").inner_text()
        page.wait_for_timeout(100)
        page.reload()


def now() -> int:
    return int(time.time())


def test_a_visitor_reads_in_kazakh(browser: Browser, place: Centre) -> None:
    place.say(
        text("Boil tap water", instruction="Boil it for one minute."),
        text("Құбыр суын қайнатыңыз", "kk", instruction="Бір минут қайнатыңыз."),
        severity=Severity.SEVERE,
        areas=(Area((("en", "North Bank"), ("kk", "Солтүстік жаға"))),),
    )
    with opened(browser, locale="kk-KZ") as (page, seen):
        reload_until(page, place.url, "Бір минут қайнатыңыз.")
        assert page.locator("html").get_attribute("lang") == "kk"
        card = page.get_by_role("article").filter(has_text="Құбыр суын қайнатыңыз")
        assert "Бір минут қайнатыңыз." in card.inner_text()
        assert "Солтүстік жаға" in card.inner_text()
        card.get_by_role("link").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Құбыр суын қайнатыңыз"
        page.get_by_role("link", name="English").last.click()
        assert page.get_by_role("heading", level=1).inner_text() == "Boil tap water"
        assert [one for one in seen if not one.startswith(place.url)] == []


def test_a_bulletin_is_updated_and_then_withdrawn_while_it_is_read(browser: Browser, place: Centre) -> None:
    first = place.say(text("Shots at the station", instruction="Stay inside."), severity=Severity.EXTREME)
    with opened(browser) as (page, _), opened(browser) as (front, _):
        visit(page, f"{place.url}b/{first.id.hex()}")
        visit(front, place.url)
        update = place.say(
            text("Shots on Station Square"),
            severity=Severity.EXTREME,
            msg_type=MsgType.UPDATE,
            references=(first.id,),
        )
        changed = page.get_by_role("status").get_by_role("link", name="This bulletin has changed, show")
        changed.wait_for(timeout=WAIT)
        assert page.get_by_role("heading", level=1).locator("s").count() == 0  # nothing moves by itself
        changed.click()
        page.get_by_text("Superseded.").wait_for(timeout=WAIT)
        page.get_by_role("link", name="Shots on Station Square").first.click()
        assert page.get_by_text("How it changed").is_visible()
        visit(page, page.url)
        place.withdraw(update)
        changed.wait_for(timeout=WAIT)
        changed.click()
        page.get_by_text("Cancelled.").wait_for(timeout=WAIT)
        assert "it was a mistake" in page.locator("main").inner_text()
        front.get_by_role("status").get_by_role("link", name="2 new, show").click(timeout=WAIT)
        front.get_by_text("No longer true").wait_for(timeout=WAIT)
        assert front.locator(".gone").get_by_role("link", name="Shots on Station Square").first.is_visible()


def test_a_bulletin_is_disputed_while_it_is_read(browser: Browser, place: Centre) -> None:
    clinic = Author(73)
    place.know(clinic, "North Bank Clinic")
    item = place.say(text("Water trucks at noon"), severity=Severity.MODERATE)
    with opened(browser) as (page, _):
        visit(page, f"{place.url}b/{item.id.hex()}")
        place.bring(dispute(clinic, item, "nobody came"))
        page.get_by_role("status").get_by_role("link", name="This bulletin has changed, show").click(timeout=WAIT)
        page.get_by_text("Disputed by North Bank Clinic").first.wait_for(timeout=WAIT)
        assert page.get_by_role("heading", name="What others say").is_visible()
        assert "nobody came" in page.locator("main").inner_text()
        page.goto(place.url)
        card = page.get_by_role("article").filter(has_text="Water trucks at noon")
        assert "Disputed by North Bank Clinic" in card.inner_text()


def dispute(author: Author, item: SignedItem, note: str) -> SignedItem:
    author.seq += 1
    body = Attestation(now(), bytes([author.number]) * 8, author.seq, item.id, Says.DISPUTE, Fault.FALSE, note)
    return sign(body, author.key)


def test_a_drill_is_marked_everywhere_and_the_banner_stays_in_view(browser: Browser, place: Centre) -> None:
    drill = place.say(text("The river rises"), severity=Severity.EXTREME, status=Status.EXERCISE)
    place.terminal.do("drill", "on")
    try:
        with opened(browser) as (page, _):
            page.goto(place.url)
            banner = page.get_by_role("region", name="A drill is under way at this relay").first
            assert "A drill is under way at this relay" in banner.inner_text()
            page.mouse.wheel(0, 4000)
            box = banner.bounding_box()
            assert box is not None
            assert 0 <= box["y"] < 40
            card = page.locator(".card.isdrill").filter(has_text="The river rises")
            assert "Drill: practising Extreme" in card.inner_text()
            page.goto(f"{place.url}b/{drill.id.hex()}")
            assert "Drill: practising Extreme" in page.locator("main").inner_text()
            page.goto(f"{place.url}feed.atom")
            assert "Drill" in page.content()
    finally:
        place.terminal.do("drill", "off")


def test_an_unknown_sender_is_folded_grey_and_never_alarms(browser: Browser, place: Centre) -> None:
    known, stranger = Author(70), Author(71)
    place.know(known, "Clinic")
    rumour = stranger.sign(text("Banks open at 9", sender_name="City News"), severity=Severity.EXTREME, sent=now() - 60)
    place.bring(rumour)
    with opened(browser) as (page, _):
        page.goto(place.url)
        assert not page.get_by_role("link", name="Banks open at 9").is_visible()
        page.locator(".lane.open summary").click()
        card = page.locator(".card.open").filter(has_text="Banks open at 9")
        assert "Unknown sender. It says: Extreme" in card.inner_text()
        assert "calling itself “City News”" in card.inner_text()
        colour = "getComputedStyle(document.querySelector('{}')).borderInlineStartColor"
        assert page.evaluate(colour.format(".card.open")) == page.evaluate(
            "(() => { const e = document.createElement('i'); e.style.color = getComputedStyle(document.documentElement)"
            ".getPropertyValue('--soft'); document.body.append(e); return getComputedStyle(e).color })()"
        )


def test_a_relay_with_nothing_says_what_it_tried_and_what_one_can_do(browser: Browser, tmp_path: Path) -> None:
    with centre(tmp_path / "empty") as empty, opened(browser) as (page, seen):
        page.goto(empty.url)
        text_of_page = page.locator("main").inner_text()
        assert "Nothing here yet" in text_of_page
        assert "does not mean that nothing has happened" in text_of_page
        assert "Looking for relays on this network is switched off." in text_of_page
        page.get_by_role("link", name="Give a copy").click()
        assert page.url.endswith("/carry")
        assert [one for one in seen if not one.startswith(empty.url)] == []


def test_a_copy_travels_in_a_pocket_from_one_relay_to_the_next(browser: Browser, place: Centre, tmp_path: Path) -> None:
    item = place.say(text("Bread at the mill"))
    with centre(tmp_path / "far") as far, opened(browser, java_script_enabled=False) as (page, _):
        page.goto(place.url)
        page.get_by_role("link", name="Take a copy with you").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="As much as fits").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.suffix == ".carry"
        page.goto(f"{far.url}carry")
        page.set_input_files("#file", path)
        page.get_by_role("button", name="Give it to this relay").click()
        assert "New here:" in page.locator("main").inner_text()
        page.goto(f"{far.url}b/{item.id.hex()}")
        assert page.get_by_role("heading", level=1).inner_text() == "Bread at the mill"


def test_a_report_becomes_a_bulletin(browser: Browser, place: Centre) -> None:
    place.say(text("So that there is a key"))
    with opened(browser) as (page, _):
        page.goto(f"{place.url}report")
        page.get_by_label("What have you seen?").fill("Smoke over the mill")
        page.get_by_label("Where?").fill("Mill Street")
        page.get_by_role("button", name="Send the report").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Your report was sent"
        number = place.terminal.read("inbox", "list")["reports"][0]["number"]
        place.terminal.do("inbox", "publish", str(number))
        page.goto(place.url)
        page.reload()
        card = page.get_by_role("article").filter(has_text="Smoke over the mill")
        card.wait_for(timeout=WAIT)
        assert "A visitor told them; they passed it on. They did not check it." in card.inner_text()


def test_a_full_inbox_keeps_the_words_that_were_written(browser: Browser, tmp_path: Path) -> None:
    with centre(tmp_path / "full") as full, opened(browser, java_script_enabled=False) as (page, _):
        for number in range(MOST_NEW_REPORTS):
            full.folder.local.add_report(Report(now() - 100_000, "en", f"Report {number}", "Here"))
        page.goto(f"{full.url}report")
        page.fill("#what", "One more")
        page.fill("#where", "Mill Street")
        page.click("main form button")
        assert "The inbox is full" in page.get_by_role("alert").inner_text()
        assert page.input_value("#what") == "One more"


def test_an_open_page_says_when_the_relay_is_gone_and_what_time_it_shows(browser: Browser, tmp_path: Path) -> None:
    with centre(tmp_path / "lost") as lost:
        lost.say(text("Bread"))
        with opened(browser) as (page, _):
            visit(page, lost.url)
            page.clock.install()
            lost.process.kill()
            page.clock.run_for(9000)
            said = page.get_by_role("status")
            said.get_by_text("Not connected; this is the copy of").wait_for(timeout=WAIT)
            assert page.get_by_role("link", name="Bread").is_visible()


def test_a_wrong_clock_is_said_and_nothing_is_called_ended(browser: Browser, tmp_path: Path) -> None:
    with centre(tmp_path / "clock") as wrong, opened(browser) as (page, _):
        known = Author(72)
        wrong.know(known, "Clinic")
        # What a known sender signed lies far ahead of this machine's clock: the clock is behind.
        wrong.bring(known.sign(text("Clinic open"), sent=now() + 5 * 86400))
        reload_until(page, wrong.url, "The clock of this relay")
        assert page.get_by_role("link", name="Clinic open").is_visible()


@pytest.mark.parametrize("language", ["ar", "fa", "my"])
def test_every_story_s_page_fits_in_other_scripts(language: str, browser: Browser, place: Centre) -> None:
    item = place.say(text("Shots at the station", instruction="Stay inside."), severity=Severity.EXTREME)
    with opened(browser) as (page, _):
        for path in ("", f"b/{item.id.hex()}", "about", "carry", "report", "search?q=shots", "poster", "screen"):
            page.goto(f"{place.url}{path}{'&' if '?' in path else '?'}lang={language}")
            way = page.evaluate("getComputedStyle(document.documentElement).direction")
            assert way == ("ltr" if language == "my" else "rtl"), path
            for size in ({"width": 1280, "height": 800}, PHONE):
                page.set_viewport_size(size)  # type: ignore[arg-type]
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], path
