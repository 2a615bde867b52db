"""The pages: who stands where, in which language, and that nothing a stranger wrote is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import (
    Area,
    CapReference,
    MsgType,
    Origin,
    OriginKind,
    Resource,
    Response,
    Severity,
    Status,
    Urgency,
)
from meshrelay.core.statements import Revocation
from meshrelay.local import Waiting
from meshrelay.status import Rung
from meshrelay.words import PAGE_LANGUAGES, own_name
from tests.conftest import ROOT
from tests.web.sample import HOUR, NOW, Author, Client, Place, browsing, fill, text


async def page(client: Client, path: str = "/", status: int = 200, *, accept: str = "") -> str:
    answer = await client.get(path, headers={"Accept-Language": accept} if accept else {})
    assert answer.status == status, path
    assert answer.content_type == "text/html"
    return await answer.text()


def lane(html: str, name: str) -> str:
    found = re.search(rf'<section class="lane {name}".*?</section>', html, re.DOTALL)
    assert found is not None, f"no lane {name}"
    return found[0]


def titles(html: str) -> list[str]:
    return re.findall(r'<h3[^>]*><a href="/b/[0-9a-f]{64}[^"]*">(?:<s>)?([^<]*)', html)


async def test_the_two_lanes_stand_apart_most_pressing_first(client: Client, place: Place) -> None:
    fill(place)
    html = await page(client)
    assert titles(lane(html, "known")) == ["Shots near Station Square", "Boil tap water", "Хлеб и вода"]
    assert set(titles(lane(html, "open"))) == {"Bank machines work tomorrow", "سۇ كەلدى"}
    assert html.index('class="lane known"') < html.index('class="lane open"')


async def test_a_card_says_who_and_why(client: Client, place: Place) -> None:
    fill(place)
    html = await page(client)
    assert "<b><bdi>Lailak Valley Rescue</bdi></b> says so. Believed because people of this relay compared" in html
    assert (
        'card extreme">\n<p class="sev"><svg aria-hidden="true"><use href="#extreme"/></svg><span>Extreme: act' in html
    )
    assert "Stay inside." in html
    assert '<time datetime="2031-03-17T13:25:00+05:00">13:25</time>' in html


async def test_a_page_says_who_else_passed_on_the_same_alert_and_that_it_was_withdrawn_there(
    client: Client, place: Place
) -> None:
    one, two = Author(41), Author(42)
    place.anchor(one, "Old Clinic")
    place.anchor(two, "New Clinic")
    name = CapReference("office@example.org", "flood-1", "2031-03-17T10:00:00+05:00")
    alert = Origin(OriginKind.CAP, identity=name)
    held = one.sign(text("Leave the river bank"), origin=alert)
    cancel = Origin(OriginKind.CAP, identity=CapReference("office@example.org", "flood-2", "x"), references=(name,))
    ended = two.sign(text("Leave the river bank"), origin=alert)
    place.put(held, ended, two.sign(sent=NOW - 60, msg_type=MsgType.CANCEL, origin=cancel))
    html = await page(client, f"/b/{held.id.hex()}")
    assert "<b><bdi>New Clinic</bdi></b> passed on the same alert too, and there it no longer holds: Cancelled." in html
    assert "updates and withdraws only what they passed on themselves" in html
    html = await page(client, f"/b/{ended.id.hex()}")
    assert "<b><bdi>Old Clinic</bdi></b> passed on the same alert too." in html
    assert "as <b><bdi>New Clinic</bdi></b> passed on" in html


async def test_an_unknown_sender_never_gets_the_look_of_an_alarm(client: Client, place: Place) -> None:
    fill(place)
    unknown = lane(await page(client), "open")
    assert "Unknown sender. It says: Extreme" in unknown
    assert 'class="card open"' in unknown
    assert 'class="card extreme"' not in unknown
    assert 'href="#extreme"' not in unknown
    assert "calling itself “<bdi>City News 24</bdi>”" in unknown


async def test_what_no_longer_holds_is_folded_with_the_reason(client: Client, place: Place) -> None:
    found = fill(place)
    html = await page(client)
    gone = html[html.index('<details class="gone">') :]
    gone = gone[: gone.index("</details>")]
    assert "No longer true: 3" in gone
    assert "Withdrawn by its author, <b><bdi>Lailak Valley Rescue</bdi></b>" in gone
    assert "open on foot" in gone
    assert f'<a href="/b/{found["update"].id.hex()}">Shots near Station Square</a>' in gone
    assert "Water trucks on Clay Hill" in gone


@pytest.mark.parametrize(("setting", "shown"), [("show", "<details open>"), ("fold", "<details>"), ("hide", None)])
async def test_unknown_senders_are_shown_folded_or_hidden_as_set(setting: str, shown: str | None, place: Place) -> None:
    fill(place)
    place.settings = replace(place.settings, unknown_senders=setting)
    async with browsing(place.reader().app) as client:
        html = await page(client)
    if shown is None:
        assert 'class="lane open"' not in html
        assert "Bank machines" not in html
    else:
        assert shown in lane(html, "open")


async def test_with_nobody_known_the_second_lane_is_open_and_says_how_that_changes(
    client: Client, place: Place
) -> None:
    place.put(Author(9).sign(text("Bridge closed")))
    html = await page(client)
    assert "<details open>" in lane(html, "open")
    assert "A sender becomes known when" in lane(html, "open")


async def test_what_is_effective_tomorrow_is_shown_and_does_not_seem_in_force(client: Client, place: Place) -> None:
    rescue = Author(1)
    place.anchor(rescue, "Lailak Valley Rescue")
    item = rescue.sign(
        text("Bridge closed", instruction="Go round."),
        severity=Severity.EXTREME,
        effective=NOW + 20 * HOUR,
        onset=NOW - 1,
        life=40 * HOUR,
    )
    place.put(item)
    for html in (lane(await page(client), "known"), await page(client, f"/b/{item.id.hex()}")):
        assert "Bridge closed" in html
        assert "Not valid yet." in html
        assert re.search(r"from <time[^>]*>18 March</time>, <time[^>]*>10:06</time> until", html)
        assert "act now" not in html
        assert "card extreme" not in html
    place.now += 21 * HOUR
    html = await page(client)
    assert "Not valid yet." not in html
    assert "card extreme" in html
    assert "Extreme: act now" in html


async def test_drills_stand_below_in_a_lane_of_their_own(client: Client, place: Place) -> None:
    fill(place)
    rescue = Author(4)
    place.anchor(rescue, "Old Mill School")
    place.put(rescue.sign(text("The river rises"), status=Status.EXERCISE, severity=Severity.EXTREME))
    html = await page(client)
    drills = lane(html, "isdrill")
    assert "Drill: practising Extreme" in drills
    assert 'class="card isdrill"' in drills
    assert "The river rises" not in lane(html, "known")


async def test_a_key_that_was_taken_back_falls_out_of_the_first_lane(client: Client, place: Place) -> None:
    fill(place)
    key = Author(1).key
    place.relay.receive(sign(Revocation(NOW - 60, key.public), key).data, now=NOW)
    html = await page(client)
    assert "Shots near Station Square" not in lane(html, "known")
    assert "Key withdrawn. It says: Extreme" in html


async def test_the_bulletin_page_has_everything(client: Client, place: Place) -> None:
    found = fill(place)
    html = await page(client, f"/b/{found['update'].id.hex()}")
    for wanted in (
        "Two wounded.",
        'class="do"',
        "Stay inside.",
        "North Bank",
        'class="map"',
        "The digits of the key",
        "How it changed",
        "Shots heard at the station",
        'lang="fa" hreflang="fa" dir="rtl"',
        f"/api/v1/bulletins/{found['update'].id.hex()}.cose",
    ):
        assert wanted in html, wanted


async def test_a_kind_that_nobody_named_is_not_shown(client: Client, place: Place) -> None:
    named = Author(9).sign(text("Вода", "ru", event="Подтопление"))
    unnamed = Author(8).sign(text("Хлеб", "ru"))
    place.put(named, unnamed)
    assert "<dt>Вид</dt><dd>Подтопление</dd>" in await page(client, f"/b/{named.id.hex()}?lang=ru")
    html = await page(client, f"/b/{unnamed.id.hex()}?lang=ru")
    assert "Notice" not in html
    assert "<dt>Вид</dt>" not in html


async def test_a_unique_beginning_of_an_id_is_enough(client: Client, place: Place) -> None:
    found = fill(place)
    assert "Boil tap water" in await page(client, f"/b/{found['water'].id.hex()[:12]}")


async def test_a_withdrawal_never_looks_like_what_it_withdraws(client: Client, place: Place) -> None:
    found = fill(place)
    html = await page(client, f"/b/{found['cancel'].id.hex()}")
    assert "This withdraws an earlier bulletin." in html
    assert "<s>Mill Street bridge closed</s>" in html
    html = await page(client, f"/b/{found['bridge'].id.hex()}")
    assert "Cancelled." in html
    assert 'class="card over"' in html


async def test_a_withdrawal_in_words_of_its_own_is_read_as_good_news(client: Client, place: Place) -> None:
    water = Author(11)
    place.anchor(water, "Waterworks")
    grave: dict[str, Any] = {"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE, "responses": (Response.AVOID,)}
    order = water.sign(text("Кипятите воду", "ru", instruction="Кипятите минуту."), **grave)
    good = water.sign(
        text("Вода чистая", "ru", instruction="Пейте спокойно."),
        msg_type=MsgType.CANCEL,
        references=(order.id,),
        sent=NOW - 60,
        **grave,
    )
    place.put(order, good)
    place.relay.store.index_backlog(10)
    html = await page(client, f"/b/{good.id.hex()}")
    assert re.search(r"<h1[^>]*>Вода чистая</h1>", html)
    assert '<div class="do">' in html
    assert "Пейте спокойно." in html
    for wrong in ("Severe", "Stay away", "At once", "<dt>Valid</dt>", "<s>", "Кипятите минуту."):
        assert wrong not in html, wrong
    assert re.search(r"<h3[^>]*><a[^>]*>Вода чистая</a>", await page(client, "/search?q=чистая"))
    front = await page(client)
    assert "“<bdi><span" in front
    for html in (front, await page(client, f"/b/{order.id.hex()}")):
        assert re.search("Withdrawn by its author.*“<bdi>.*Вода чистая.*</bdi>”", html)


async def test_a_withdrawal_that_only_repeats_an_order_asks_for_nothing(client: Client, place: Place) -> None:
    water = Author(11)
    place.anchor(water, "Waterworks")
    grave: dict[str, Any] = {
        "severity": Severity.EXTREME,
        "urgency": Urgency.IMMEDIATE,
        "responses": (Response.EVACUATE,),
    }
    words = text("Leave the valley", description="The dam cracks.", instruction="Leave now.")
    order = water.sign(words, **grave)
    end = water.sign(words, msg_type=MsgType.CANCEL, references=(order.id,), note="The dam holds", **grave)
    place.put(end)
    alone = await page(client, f"/b/{end.id.hex()}")
    place.put(order)
    place.now += 20 * HOUR
    for html in (alone, await page(client, f"/b/{end.id.hex()}")):
        assert "<span>This withdraws an earlier bulletin.</span>" in html
        assert "<s>Leave the valley</s>" in html
        assert "The dam holds" in html
        for wrong in ("Extreme", "Leave now", "The dam cracks", "Leave the area", "At once", "Valid", "It held until"):
            assert wrong not in html, wrong


async def test_search_finds_words_and_says_when_it_does_not(client: Client, place: Place) -> None:
    fill(place)
    place.relay.store.index_backlog(100)
    assert titles(await page(client, "/search?q=water")) != []
    assert "Nothing found." in await page(client, "/search?q=zeppelin")
    assert "“<bdi>&lt;b&gt;</bdi>”" in await page(client, "/search?q=%3Cb%3E")


async def test_about_names_the_known_and_the_drafts(client: Client, place: Place) -> None:
    fill(place)
    html = await page(client, "/about?lang=kk")
    assert "Bozkanat Waterworks" in html
    assert html.count("жоба, бұл аударманы") == len(PAGE_LANGUAGES) - 1
    assert 'Қазақша</span> → <span lang="ru"' in html


@pytest.mark.parametrize("language", ["ar", "fa"])
async def test_the_order_of_languages_points_the_way_one_reads(language: str, client: Client) -> None:
    html = await page(client, f"/about?lang={language}")
    assert f'dir="rtl">{own_name(language)}</span> ← <span lang="en"' in html
    assert "→" not in html


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
async def test_every_page_in_every_language(language: str, client: Client, place: Place) -> None:
    found = fill(place)
    way = "rtl" if language in ("fa", "ar") else "ltr"
    for path in ("/", f"/b/{found['update'].id.hex()}", "/search?q=water", "/about", "/?lane=unknown"):
        html = await page(client, f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert f'<html lang="{language}" dir="{way}">' in html
        assert f'lang="{language}" hreflang="{language}" dir="{way}" aria-current="true"' in html
        assert f'href="/?lang={language}"' in html


async def test_a_text_in_another_language_carries_its_own_direction(client: Client, place: Place) -> None:
    fill(place)
    html = await page(client, "/?lang=fa")
    assert '<h3 lang="fa" dir="rtl">' in html
    assert '<h3 lang="ru" dir="ltr">' in html
    assert 'به <span lang="ru" dir="ltr">Русский</span>' in html


async def test_the_browser_s_languages_choose_where_nothing_was_asked(client: Client, place: Place) -> None:
    fill(place)
    assert '<html lang="kk"' in await page(client, accept="kk-KZ,kk;q=0.9,ru;q=0.8")
    assert '<html lang="en"' in await page(client)


async def test_bulletins_in_any_language_can_be_picked_out(client: Client, place: Place) -> None:
    fill(place)
    assert 'href="/?in=ug" lang="ug" hreflang="ug" dir="rtl">ئۇيغۇرچە</a>' in await page(client)
    assert titles(await page(client, "/?in=ug")) == ["سۇ كەلدى"]


async def test_a_long_lane_goes_on_without_losing_or_repeating_any(client: Client, place: Place) -> None:
    author = Author(5)
    place.anchor(author, "Bakery")
    place.put(*[author.sign(text(f"Notice {number}")) for number in range(90)])
    seen: list[str] = []
    path = "/"
    while path:
        html = await page(client, path)
        seen += titles(html)
        more = re.search(r'href="(/\?lane=known&amp;after=[^"]+)"', html)
        path = more[1].replace("&amp;", "&") if more else ""
    assert sorted(seen) == sorted(f"Notice {number}" for number in range(90))


async def test_an_empty_relay_says_that_silence_is_no_news(client: Client, place: Place) -> None:
    place.peers, place.last_exchange = (), None
    html = await page(client)
    assert "Nothing here yet" in html
    assert "does not mean that nothing has happened" in html
    assert "Called out on this network: no relay answered." in html
    assert "met before" not in html


async def test_a_relay_that_found_nobody_says_what_it_tried_and_when(client: Client, place: Place) -> None:
    place.peers, place.last_exchange = (), None
    place.rungs = (
        Rung("mdns", tries=9, tried=NOW, found=1),
        Rung("book", tries=2, tried=NOW - 60),
        Rung("told"),
        Rung("sweep", on=False, tried=NOW),
    )
    html = await page(client)
    assert "Called the relays that it met before: none answered." in html
    for other in ("Called out", "Asked other", "Tried every"):
        assert other not in html


async def test_when_all_is_over_the_page_says_so(client: Client, place: Place) -> None:
    fill(place)
    place.now = NOW + 30 * 86400
    html = await page(client)
    assert "Nothing is in force now" in html
    assert "has met no other relay for days" not in html


async def test_a_lonely_or_doubtful_relay_warns(client: Client, place: Place) -> None:
    fill(place)
    place.peers, place.last_exchange, place.doubtful = (), NOW - 4 * 86400, True
    html = await page(client)
    assert "This relay has met no other relay for days." in html
    assert "The clock of this relay may be wrong." in html


async def test_a_full_relay_says_so_and_goes_on_showing(client: Client, place: Place) -> None:
    fill(place)
    place.relay.room.full = True
    html = await page(client)
    assert "This relay has no more room. You can read everything" in html
    assert "Boil tap water" in html


async def test_a_relay_on_no_network_says_that_nobody_else_reads_it(place: Place) -> None:
    fill(place)
    for address, said in (("http://127.0.0.1:8080/", True), ("http://192.168.1.23:8080/", False)):
        status = partial(replace, place.status(), reader_addresses=(address,))
        async with browsing(place.reader(status=status).app) as client:
            assert ("This computer is on no network now" in await page(client)) == said


async def test_a_sender_whose_key_is_awaited_is_named(client: Client, place: Place) -> None:
    place.relay.local.add_waiting(Waiting("123 456", "Clinic on the hill", NOW))
    html = await page(client, "/about")
    assert "<b><bdi>Clinic on the hill</bdi></b>: their digits were compared." in html


async def test_a_missing_bulletin_gets_a_page_that_helps(client: Client) -> None:
    for path in (f"/b/{'0' * 64}", "/b/nonsense", "/b/%00", "/b/ab"):
        html = await page(client, path, status=404)
        assert "Another relay may have it." in html
    assert "There is no such page." in await page(client, "/nowhere", status=404)


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "</title><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "{name} {0} %s %(x)s",
    "&lt;b&gt;",
    "]]><svg onload=alert(1)>",
    "\u200f\u200e\u061cabc",
)


@pytest.mark.parametrize("nasty", HOSTILE)
async def test_hostile_texts_stay_text_on_every_page(nasty: str, client: Client, place: Place) -> None:
    author = Author(6)
    words = text(nasty, event=nasty, description=nasty, instruction=nasty, sender_name=nasty, contact=nasty, web=nasty)
    first = author.sign(
        words,
        replace(words, language="aa-x-aaaaaaaa"),
        severity=Severity.EXTREME,
        areas=(Area((("en", nasty),), geocodes=((nasty, nasty),), altitude="100"),),
        note=nasty,
        audience=nasty,
        source=nasty,
        resources=(Resource(nasty, nasty, nasty),),
    )
    later = author.sign(words, msg_type=MsgType.CANCEL, references=(first.id,), note=nasty)
    other = Author(7)
    place.anchor(other, nasty)
    place.put(first, later, other.sign(words, severity=Severity.EXTREME))
    place.relay.store.index_backlog(10)
    for path in ("/", f"/b/{first.id.hex()}", f"/b/{later.id.hex()}", "/search?q=alert", "/about", "/?lane=unknown"):
        html = await page(client, path)
        for tag in re.findall(r"<[^>]*>", html):
            assert "alert(1)" not in tag, tag
            assert "onerror" not in tag
            assert "javascript:" not in tag
        assert html.count("<script") <= 1
        assert "49" not in re.findall(r"<h[13][^>]*>(.*?)</h", html)


async def test_an_author_s_address_is_never_a_link(client: Client, place: Place) -> None:
    author = Author(8)
    item = author.sign(
        text("News", web="https://example.org/x", contact="mailto:a@example.org"),
        resources=(Resource("Picture", "image/png", "https://example.org/y.png"),),
    )
    place.put(item)
    html = await page(client, f"/b/{item.id.hex()}")
    assert "https://example.org/x" in html
    for address in re.findall(r'(?:href|src|action)="([^"]*)"', html):
        assert address.startswith(("/", "#")), address


async def test_the_first_view_fits_into_fourteen_kilobytes(client: Client, place: Place) -> None:
    author, unknown = Author(5), Author(6)
    place.anchor(author, "Bakery")
    words = "Boil water before drinking it, cooking with it or brushing your teeth, until we say otherwise here. "
    place.put(
        *[
            who.sign(
                text(f"{words[:80]} {number}", instruction=words * 2, description=words * 9),
                severity=list(Severity)[number % 5],
                areas=(Area((("en", f"District {number}, from the mill to the ring road"),)),),
            )
            for who in (author, unknown)
            for number in range(60)
        ]
    )
    total = 0
    answer = await client.get("/", headers={"Accept-Encoding": "gzip"})
    html = await answer.text()
    total += int(answer.headers["Content-Length"])
    for path in re.findall(r'(?:stylesheet" href|icon" href|src)="(/static/[^"]+)"', html):
        asset = await client.get(path, headers={"Accept-Encoding": "gzip"})
        total += int(asset.headers["Content-Length"])
        await asset.read()
    assert total <= 14 * 1024


def test_the_one_script_has_at_most_five_kilobytes_and_asks_nobody_else() -> None:
    scripts = list((ROOT / "meshrelay" / "web" / "static").glob("*.js"))
    assert [path.name for path in scripts] == ["live.js"]
    code = scripts[0].read_text(encoding="utf-8")
    assert len(code.encode()) <= 5000
    assert "http" not in code


async def test_what_a_page_shows_follows_a_change_at_once(place: Place) -> None:
    reader = place.reader()
    async with browsing(reader.app) as client:
        assert "Bread" not in await page(client)
        place.put(Author(9).sign(text("Bread at noon")))
        reader.changed(())
        assert "Bread at noon" in await page(client)


def test_templates_have_no_inline_style_or_script() -> None:
    folder = ROOT / "meshrelay" / "web" / "templates"
    for path in folder.glob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! src)", html), path.name


async def test_what_was_withdrawn_asks_for_nothing_any_more(client: Client, place: Place) -> None:
    rescue = Author(1)
    place.anchor(rescue, "Lailak Valley Rescue")
    alarm = rescue.sign(text("Leave the valley", instruction="Go uphill."), severity=Severity.EXTREME)
    end = rescue.sign(
        text("Leave the valley", instruction="Go uphill."),
        severity=Severity.EXTREME,
        msg_type=MsgType.CANCEL,
        references=(alarm.id,),
    )
    place.put(alarm, end)
    for item in (alarm, end):
        html = await page(client, f"/b/{item.id.hex()}")
        assert "act now" not in html
        assert 'class="card over"' in html
    html = await page(client, f"/b/{alarm.id.hex()}")
    assert "<dt>Valid</dt>" not in html
    assert "This withdraws an earlier bulletin.</b> <a" in html


async def test_a_text_that_nobody_can_see_is_said_to_be_none(client: Client, place: Place) -> None:
    blank = "\u200b\u200d\u2800\u3164"
    item = Author(9).sign(text(blank, event=blank, description=blank, instruction=blank, sender_name=blank))
    place.put(item)
    for path in ("/", f"/b/{item.id.hex()}"):
        html = await page(client, path)
        assert "(no text)" in html
        assert blank not in html
        assert "no name given" in html


async def test_one_bulletin_cannot_push_the_others_off_the_list(client: Client, place: Place) -> None:
    areas = tuple(Area(names=(("en", f"Street {number} {'x' * 300}"),)) for number in range(64))
    item = Author(9).sign(text("w" * 1000), areas=areas)
    place.put(item)
    front, whole = await page(client), await page(client, f"/b/{item.id.hex()}")
    assert "w" * 199 + "…" in front
    assert "w" * 200 not in front
    assert front.count("Street ") == 6
    assert "x" * 120 not in front
    assert "w" * 1000 in whole
    assert whole.count("Street ") == 64
    assert '<h1 class="long"' in whole


async def test_what_a_key_signed_is_struck_once_its_owner_withdrew_it(client: Client, place: Place) -> None:
    author = Author(9)
    item = author.sign(text("Tanks on Main Street", instruction="Stay inside."), severity=Severity.EXTREME)
    place.put(item)
    place.anchor(author, "Waterworks")
    assert "<s>Tanks" not in await page(client)
    place.relay.receive(sign(Revocation(sent=NOW, subject=author.key.public), author.key).data, now=NOW)
    place.now += 60
    assert "<s>Tanks on Main Street</s>" in lane(await page(client), "open")
    html = await page(client, f"/b/{item.id.hex()}")
    assert "<s>Tanks on Main Street</s>" in html
    assert '<div class="do past">' in html
    assert "The key of <b><bdi>Waterworks</bdi></b> was withdrawn by its owner." in html
