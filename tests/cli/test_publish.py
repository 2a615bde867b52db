"""publish, withdraw, list, show, search: what goes in comes out, and says what it is."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meshrelay.core.admission import admit
from meshrelay.core.bulletin import Bulletin
from meshrelay.interop import cap
from tests.cli.conftest import Terminal


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_headline_is_all_that_a_bulletin_needs(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water at School 12")
    (found,) = terminal.read("list")["bulletins"]
    assert found["id"] == item
    assert (found["event"], found["category"], found["urgency"]) == ("Notice", ["Safety"], "Unknown")
    assert (found["severity"], found["certainty"], found["language"]) == ("Unknown", "Unknown", "en")
    # 24 h from the call; the second may change before it is signed.
    life = moment(found["expires"]) - moment(found["sent"])
    assert timedelta(hours=23, minutes=59) < life <= timedelta(hours=24)
    assert found["verdict"]["author"] == "own"


def test_the_first_bulletin_makes_a_key_and_says_where_its_end_lies(terminal: Terminal) -> None:
    result = terminal.call("publish", "--headline", "x")
    path = terminal.data / "keys" / "me.revocation"
    assert str(path) in result.stderr
    assert path.is_file()
    assert len(result.stdout.strip()) == 64
    assert "revocation" not in terminal.call("publish", "--headline", "y").stderr


def test_quiet_leaves_nothing_but_the_id(terminal: Terminal) -> None:
    assert terminal.call("-q", "publish", "--headline", "x").stderr == ""


def test_every_flag_arrives_in_the_document(terminal: Terminal, tmp_path: Path) -> None:
    translation = tmp_path / "ru.json"
    translation.write_text(json.dumps({"headline": "Вода", "area": "Школа"}), encoding="utf-8")
    words = ["--headline", "Water", "--description", "D", "--instruction", "I", "--lang", "kk", "--event", "E"]
    words += ["--category", "infra", "--category", "Health", "--response", "allclear", "--urgency", "immediate"]
    words += ["--severity", "EXTREME", "--certainty", "observed", "--sender-name", "S", "--contact", "C", "--web", "W"]
    words += ["--area", "School", "--polygon", "43.2,76.8 43.3,76.8 43.3,76.9", "--circle", "43.25,76.85,1.5"]
    words += ["--geocode", "SAME=006113", "--effective", "1h", "--onset", "2h", "--expires", "3d", "--note", "N"]
    words += ["--drill", "--translation", f"ru={translation}"]
    item = terminal.do("publish", *words)
    found = terminal.read("show", item)
    assert found["texts"]["kk"] == {
        "event": "E",
        "headline": "Water",
        "description": "D",
        "instruction": "I",
        "sender_name": "S",
        "contact": "C",
        "web": "W",
    }
    assert found["texts"]["ru"]["headline"] == "Вода"
    assert found["category"] == ["Infra", "Health"]
    assert (found["response"], found["urgency"]) == (["AllClear"], "Immediate")
    assert (found["severity"], found["certainty"], found["cap_status"]) == ("Extreme", "Observed", "Exercise")
    assert found["note"] == "N"
    (area,) = found["areas"]
    assert area["descriptions"] == {"kk": "School", "ru": "Школа"}
    assert area["polygons"] == [[[43.2, 76.8], [43.3, 76.8], [43.3, 76.9], [43.2, 76.8]]]
    assert area["circles"] == [{"lat": 43.25, "lon": 76.85, "radius_m": 1500}]
    assert area["geocodes"] == [["SAME", "006113"]]
    sent = moment(found["sent"])
    offsets = [moment(found[name]) - sent for name in ("effective", "onset", "expires")]
    for offset, hours in zip(offsets, (1, 2, 72), strict=True):
        assert abs(offset - timedelta(hours=hours)) <= timedelta(seconds=2)


def test_a_time_without_an_offset_is_in_the_zone_of_the_relay(terminal: Terminal) -> None:
    terminal.do("setup", "--yes", "--time-zone", "UTC+5", "--no-key")
    end = (datetime.now().astimezone() + timedelta(days=2)).strftime("%Y-%m-%dT18:00")
    found = terminal.read("publish", "--headline", "x", "--expires", end)
    assert found["expires"] == f"{end}:00+05:00"


@pytest.mark.parametrize(
    ("variable", "value", "language"),
    [("LANG", "kk_KZ.UTF-8", "kk"), ("LC_ALL", "C.UTF-8", "fa"), ("LC_MESSAGES", "fr_FR@euro", "fr")],
)
def test_the_language_is_the_locale_s_then_the_place_s(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, language: str
) -> None:
    terminal.do("setup", "--yes", "--languages", "fa,en", "--no-key")
    monkeypatch.setenv(variable, value)
    assert terminal.read("publish", "--headline", "x")["language"] == language


def test_the_place_of_the_relay_is_the_area_unless_another_is_named(terminal: Terminal) -> None:
    terminal.do("setup", "--yes", "--place", "Almaty", "--no-key")
    assert terminal.read("publish", "--headline", "x")["areas"][0]["description"] == "Almaty"
    assert terminal.read("publish", "--headline", "x", "--area", "Astana")["areas"][0]["description"] == "Astana"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--circle", "43.24,76.93,2"), ("--polygon", "43.2,76.9 43.3,76.9 43.3,77"), ("--geocode", "SAME=006113")],
)
def test_the_place_of_the_relay_names_a_shape_too(terminal: Terminal, option: str, value: str) -> None:
    assert "needs --area" in terminal.refuse("publish", "--headline", "x", option, value, code=2)
    terminal.do("setup", "--yes", "--place", "Abay Street", "--languages", "kk", "--no-key")
    (area,) = terminal.read("publish", "--headline", "x", option, value)["areas"]
    assert area["descriptions"] == {"kk": "Abay Street"}
    assert area["circles"] or area["polygons"] or area["geocodes"]
    (area,) = terminal.read("publish", "--headline", "x", option, value, "--area", "Mill")["areas"]
    assert area["descriptions"] == {"kk": "Mill"}


@pytest.mark.parametrize("place", ["", "Abay Street"])
@pytest.mark.parametrize("circle", ["143.24,76.93,2", "43.24,196.93,2", "43.24,76.93,-2", "43.24,76.93,90000", "43,76"])
def test_what_is_wrong_with_a_circle_is_said_of_the_circle(terminal: Terminal, place: str, circle: str) -> None:
    terminal.do("setup", "--yes", "--place", place, "--no-key")
    said = terminal.refuse("publish", "--headline", "x", "--circle", circle, code=2)
    assert circle in said
    assert "--area" not in said


def test_words_without_their_option_are_not_taken_for_a_file_in_silence(terminal: Terminal) -> None:
    result = terminal.call("publish", "Water is here")
    assert result.exit_code == 1
    assert "there is no file 'Water is here'" in result.stderr
    assert "--headline 'Water is here'" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["publish", "--headline", "--drill"], "--headline needs a value, and '--drill' is an option"),
        (["publish", "--headline", "-q"], "--headline needs a value"),
        (["publish", "--headline", "--dril"], "begins with --"),
        (["publish", "--headline", "x", "--instruction", "--expires"], "--instruction needs a value"),
        (["publish", "--headline", "x", "--polygon", "--check"], "--polygon needs a value"),
        (["publish", "--headline", "x", "--area", "--nonsense"], "begins with --"),
        (["withdraw", "ab", "--note", "--json"], "--note needs a value"),
        (["confirm", "ab", "--note", "--noisy"], "begins with --"),
        (["setup", "--yes", "--name", "--place"], "--name needs a value"),
        (["setup", "--place", "--yes"], "--place needs a value"),
    ],
)
def test_an_option_is_never_taken_for_a_text(terminal: Terminal, words: list[str], said: str) -> None:
    assert said in terminal.refuse(*words, code=2)
    assert terminal.read("list", "--all")["bulletins"] == []


def test_dashes_within_a_text_are_its_own(terminal: Terminal) -> None:
    for headline in ("- first, then second -", "Road closed -- use the bridge", "— — —"):
        assert terminal.read("publish", "--headline", headline)["headline"] == headline


def test_the_document_of_a_bulletin_is_a_form(terminal: Terminal) -> None:
    document = terminal.read(
        "publish", "--headline", "Water", "--area", "School", "--circle", "43,76,2", "--severity", "Severe"
    )
    again = terminal.read("publish", "-", "--description", "More", stdin=json.dumps(document))
    assert again["id"] != document["id"]
    for name in ("headline", "areas", "severity", "category", "expires", "languages"):
        assert again[name] == document[name]
    assert again["description"] == "More"


OLD_ALERT = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>old-1</identifier><sender>office@example.org</sender>
<sent>2020-01-01T00:00:00+00:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<note>Synthetic</note><info><language>kk</language><category>Met</category><event>Су</event>
<urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty>
<effective>2020-01-01T00:00:00+00:00</effective><expires>2020-01-02T00:00:00+00:00</expires>
<headline>Су тасқыны</headline><area><areaDesc>Жаға</areaDesc></area></info></alert>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_old_cap_file_in_any_encoding_serves_for_its_words(
    terminal: Terminal, tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "old.xml"
    path.write_bytes(OLD_ALERT.encode(encoding))
    found = terminal.read("publish", str(path), "--severity", "Minor")
    assert (found["headline"], found["severity"], found["effective"]) == ("Су тасқыны", "Minor", None)
    assert found["origin"]["kind"] == "own"
    life = datetime.fromisoformat(found["expires"]) - datetime.fromisoformat(found["sent"])
    # Seconds may pass between the reading of the file and the signing.
    assert timedelta(days=1) - timedelta(seconds=30) <= life <= timedelta(days=1)


def test_a_cap_file_without_words_needs_a_headline(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "bare.xml"
    path.write_text(OLD_ALERT[: OLD_ALERT.index("<info>")] + "</alert>", encoding="utf-8")
    terminal.refuse("publish", str(path), code=2)
    found = terminal.read("publish", str(path), "--headline", "Water", "--lang", "en")
    assert (found["languages"], found["note"]) == (["en"], "Synthetic")


def test_a_feed_is_no_form(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "two.xml"
    bare = OLD_ALERT.partition("?>")[2]
    path.write_text(f"<all>{bare}{bare}</all>", encoding="utf-8")
    assert "holds 2 alerts, and a form is one" in terminal.refuse("publish", str(path))


def test_a_cap_file_is_a_form_and_loses_its_sender(terminal: Terminal, tmp_path: Path) -> None:
    item = terminal.do("publish", "--headline", "Water", "--area", "School", "--severity", "Severe", "--expires", "2d")
    path = tmp_path / "alert.xml"
    path.write_text(terminal.do("show", item, "--cap"), encoding="utf-8")
    (alert,) = cap.read_alerts(path.read_bytes(), now=int(datetime.now().astimezone().timestamp()))
    assert isinstance(alert, cap.ImportedAlert)
    found = terminal.read("publish", str(path), "--headline", "Other water")
    assert (found["headline"], found["severity"], found["origin"]["kind"]) == ("Other water", "Severe", "own")
    assert found["expires"] == terminal.read("show", item)["expires"]


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ('{"headline": 1}', "$.headline"),
        ('{"headlin": "x"}', "headlin"),
        ('{"severity": "Bad"}', "severity"),
        ('{"headline": "x", "status": "Drill"}', "status"),
        ("[1]", "object"),
        ("water", "JSON"),
        ('{"headline": "x", "texts": {"not a language": {"headline": "y"}}}', "not a language"),
        ('{"headline": "x", "polygon": "1,2 3"}', "LAT,LON"),
    ],
)
def test_a_wrong_form_is_refused_and_says_where(terminal: Terminal, tmp_path: Path, form: str, fault: str) -> None:
    path = tmp_path / "form.json"
    path.write_text(form, encoding="utf-8")
    assert fault in terminal.refuse("publish", str(path), code=2)
    assert terminal.read("list", "--all")["bulletins"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["publish", "--headline", "x", "--lang", "kz"], "did you mean kk or ru?"),
        (["publish", "--headline", "x", "--lang", "russian"], "did you mean ru?"),
        (["publish", "--headline", "x", "--lang", "Abay"], "'Abay' is not a language"),
        (["publish", "--headline", "x", "--translation", "rus={ru}"], "did you mean ru?"),
        (["publish", "{form}"], "did you mean kk or ru?"),
        (["setup", "--yes", "--languages", "kz,ru"], "did you mean kk or ru?"),
        (["config", "set", "languages", "kk,rus"], "did you mean ru?"),
        (["list", "--lang", "kz"], "did you mean kk or ru?"),
        (["poster", "{new}", "--address", "10.0.0.1", "--lang", "kz"], "did you mean kk or ru?"),
    ],
)
def test_a_word_that_is_no_language_is_refused_and_the_right_one_named(
    terminal: Terminal, tmp_path: Path, words: list[str], said: str
) -> None:
    names = {name: str(tmp_path / name) for name in ("ru", "form", "new")}
    Path(names["ru"]).write_text('{"headline": "y"}', encoding="utf-8")
    Path(names["form"]).write_text('{"headline": "x", "lang": "kz"}', encoding="utf-8")
    assert said in terminal.refuse(*(word.format_map(names) for word in words), code=2)
    assert terminal.read("list", "--all")["bulletins"] == []
    assert not (terminal.data / "settings.toml").exists()


def test_a_rare_language_is_as_good_as_any(terminal: Terminal) -> None:
    for language in ("kaa", "ckb", "zza", "sah", "kk-Arab", "zh_Hant"):
        assert terminal.read("publish", "--headline", "x", "--lang", language)["language"] == language.replace("_", "-")


@pytest.mark.parametrize(
    "words",
    [
        ["--description", "no headline"],
        ["--headline", ""],
        ["--headline", "   "],
        ["--headline", " \u200b\n"],
        ["--headline", "x", "--severity", "Awful"],
        ["--headline", "x", "--expires", "tomorrow"],
        ["--headline", "x", "--lang", "not a language"],
        ["--headline", "x", "--update", "ab", "--cancel", "cd"],
        ["--headline", "x", "--nonsense"],
    ],
)
def test_wrong_usage_ends_with_2(terminal: Terminal, words: list[str]) -> None:
    terminal.refuse("publish", *words, code=2)


@pytest.mark.parametrize(
    "words",
    [
        ["--expires", "91d"],
        ["--expires", "2020-01-01T00:00:00Z"],
        ["--key", "nobody"],
    ],
)
def test_what_cannot_be_signed_is_refused(terminal: Terminal, words: list[str]) -> None:
    terminal.do("key", "new")
    terminal.refuse("publish", "--headline", "x", *words)


def test_an_update_replaces_and_keeps_what_is_not_said_anew(terminal: Terminal) -> None:
    first = terminal.do(
        "publish", "--headline", "Water at six", "--instruction", "Bring bottles", "--area", "School", "--expires", "3d"
    )
    second = terminal.read("publish", "--update", first[:12], "--headline", "Water at eight")
    assert (second["msg_type"], second["references"]) == ("Update", [first])
    assert (second["headline"], second["instruction"]) == ("Water at eight", "")
    assert second["areas"][0]["description"] == "School"
    assert second["expires"] == terminal.read("show", first)["expires"]
    assert terminal.read("show", first)["status"] == "superseded"
    assert [one["id"] for one in terminal.read("list")["bulletins"]] == [second["id"]]


def test_an_update_without_words_keeps_them_all(terminal: Terminal) -> None:
    first = terminal.do("publish", "--headline", "Water", "--instruction", "Bring bottles")
    second = terminal.read("publish", "--update", first, "--expires", "5d")
    assert (second["headline"], second["instruction"]) == ("Water", "Bring bottles")


def test_withdrawing_what_was_replaced_withdraws_what_replaced_it(terminal: Terminal) -> None:
    first = terminal.do("publish", "--headline", "One")
    second = terminal.do("publish", "--update", first, "--headline", "Two")
    terminal.do("withdraw", first, "--note", "It was wrong.")
    assert terminal.read("list")["bulletins"] == []
    standings = [terminal.read("show", one)["status"] for one in (first, second)]
    assert standings == ["cancelled", "cancelled"]
    assert "It was wrong." in terminal.do("show", first)


def test_what_was_withdrawn_is_not_withdrawn_again(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "One")
    cancel = terminal.do("withdraw", item)
    assert "withdrawn before" in terminal.refuse("withdraw", item)
    assert "itself a withdrawal" in terminal.refuse("withdraw", cancel)


def test_a_withdrawal_in_the_list_says_that_it_is_one(terminal: Terminal) -> None:
    terminal.do("withdraw", terminal.do("publish", "--headline", "One"))
    assert terminal.do("list", "--all").count("This withdraws an earlier bulletin.") == 1


def test_the_language_it_was_written_in_stays_the_original(terminal: Terminal, tmp_path: Path) -> None:
    words = ["publish", "--lang", "kk", "--headline", "Су", "--area", "Мектеп"]
    for tag, headline in (("ar", "ماء"), ("ru", "Вода")):
        path = tmp_path / f"{tag}.json"
        path.write_text(json.dumps({"headline": headline, "area": headline}), encoding="utf-8")
        words += ["--translation", f"{tag}={path}"]
    item = terminal.do(*words)
    assert "Су" in terminal.do("list")
    document = terminal.do("show", item, "--cap")
    assert re.findall("<language>(.*?)<", document) == ["kk", "ar", "ru"]
    assert "urn:meshrelay:info" not in document
    later = terminal.do("publish", "--update", item, "--expires", "5d")
    assert re.findall("<language>(.*?)<", terminal.do("show", later, "--cap")) == ["kk", "ar", "ru"]
    anew = terminal.do("publish", "--update", later, "--headline", "Су бар")
    assert re.findall("<language>(.*?)<", terminal.do("show", anew, "--cap")) == ["kk"]


def test_a_kind_that_nobody_named_is_not_shown(terminal: Terminal) -> None:
    assert "Kind" not in terminal.do("show", terminal.do("publish", "--headline", "Bread"))
    assert "Kind: Help" in terminal.do("show", terminal.do("publish", "--headline", "Bread", "--event", "Help"))


def test_a_withdrawal_gives_no_orders(terminal: Terminal) -> None:
    order = ("--severity", "Extreme", "--urgency", "Immediate", "--response", "Evacuate", "--instruction", "Leave now")
    first = terminal.do("publish", "--headline", "The dam breaks", *order)
    second = terminal.do("publish", "--headline", "Boil water", *order)
    repeated = terminal.do("withdraw", first, "--note", "The dam holds")
    own = terminal.do("publish", "--cancel", second, "--headline", "Water is clean")
    for item, headline in ((repeated, "The dam breaks"), (own, "Water is clean")):
        said = terminal.do("show", item)
        assert said.splitlines()[0].endswith("  This withdraws an earlier bulletin.")
        assert headline in said
        for wrong in ("Extreme", "Leave", "At once", "until"):
            assert wrong not in said.split("signed this bulletin")[0], (item, wrong)
    assert "“Water is clean”" in terminal.do("show", second)
    assert "“The dam holds”" in terminal.do("show", first)
    said = terminal.do("list", "--all") + terminal.do("search", "clean")
    assert said.count("Leave now") == 2


def test_nobody_else_s_bulletin_can_be_replaced_or_withdrawn(terminal: Terminal, other: Terminal) -> None:
    item = terminal.do("publish", "--headline", "One")
    other.do("import", "-", stdin=terminal.call("show", item, "--raw").stdout_bytes)
    assert "only that key can end it" in other.refuse("withdraw", item)
    assert "only that key can end it" in other.refuse("publish", "--update", item, "--headline", "x")


def test_with_several_keys_the_one_meant_has_to_be_named(terminal: Terminal) -> None:
    terminal.do("key", "new", "desk")
    terminal.do("key", "new", "field")
    assert "several keys" in terminal.refuse("publish", "--headline", "x")
    item = terminal.do("publish", "--headline", "x", "--key", "field")
    assert "signed by field" in terminal.refuse("publish", "--update", item, "--headline", "y", "--key", "desk")
    terminal.do("publish", "--update", item, "--headline", "y")


def test_what_is_raw_is_the_signed_item(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water")
    signed = admit(terminal.call("show", item, "--raw").stdout_bytes)
    assert signed.id.hex() == item
    assert isinstance(signed.body, Bulletin)


def test_geojson_has_longitude_first(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "x", "--area", "a", "--polygon", "43,76 44,76 44,77")
    feature = json.loads(terminal.do("show", item, "--geojson"))
    assert [76.0, 43.0] in feature["geometry"]["coordinates"][0][0]


def test_a_prefix_has_to_be_unique(terminal: Terminal) -> None:
    items = [terminal.do("publish", "--headline", str(number)) for number in range(18)]
    first = next(one[0] for one in items if [other[0] for other in items].count(one[0]) > 1)
    assert "several ids" in terminal.refuse("show", first)
    assert "no item here" in terminal.refuse("show", "0" * 64)
    assert "no item here" in terminal.refuse("show", "water")


def test_the_list_is_in_lanes_and_says_who_is_behind(terminal: Terminal, other: Terminal) -> None:
    theirs = other.do("publish", "--headline", "From elsewhere", "--sender-name", "The Mayor")
    terminal.do("import", "-", stdin=other.call("show", theirs, "--raw").stdout_bytes)
    terminal.do("publish", "--headline", "From here")
    text = terminal.do("list")
    known, unknown = text.split("From senders this relay does not know")
    assert "From here" in known
    assert "From elsewhere" in unknown
    assert "calling itself “The Mayor”" in unknown
    assert "From elsewhere" not in terminal.do("list", "--known")
    assert len(terminal.read("list", "--known")["bulletins"]) == 1


def test_the_list_is_filtered_and_paged(terminal: Terminal) -> None:
    for number in range(5):
        terminal.do("publish", "--headline", f"Water {number}", "--area", "Abay Street" if number % 2 else "Town")
    terminal.do("publish", "--headline", "Су", "--lang", "kk")
    gone = terminal.do("publish", "--headline", "Gone")
    terminal.do("withdraw", gone)
    assert len(terminal.read("list", "--area", "abay")["bulletins"]) == 2
    assert [one["headline"] for one in terminal.read("list", "--lang", "kk")["bulletins"]] == ["Су"]
    assert len(terminal.read("list")["bulletins"]) == 6
    assert gone in [one["id"] for one in terminal.read("list", "--all")["bulletins"]]
    assert terminal.read("list", "--since", "2999-01-01T00:00Z")["bulletins"] == []
    assert len(terminal.read("list", "--since", "1h")["bulletins"]) == 6
    first = terminal.read("list", "--limit", "4")
    rest = terminal.read("list", "--limit", "4", "--cursor", first["next"])
    ids = [one["id"] for one in first["bulletins"] + rest["bulletins"]]
    assert len(ids) == len(set(ids)) == 6
    assert rest["next"] is None
    assert "no place in this list" in terminal.refuse("list", "--cursor", "nonsense")
    assert "There are more: meshrelay list --limit 4\n" in terminal.call("list", "--limit", "2").stderr
    words = ("--all", "--known", "--lang", "en", "--since", "3h")
    said = terminal.call("list", *words, "--limit", "2").stderr
    assert "There are more: meshrelay list --all --known --lang en --since 20" in said


def test_an_empty_list_says_whether_it_was_asked_for_less(terminal: Terminal) -> None:
    assert terminal.do("list", "--all") == "Nothing here yet"
    terminal.do("publish", "--headline", "Water", "--lang", "en", "--area", "Mill")
    assert terminal.do("list", "--all", "--lang", "ru") == "Здесь нет ничего, что вы выбрали."
    for words in (("--area", "School"), ("--since", "2999-01-01T00:00Z")):
        assert terminal.do("list", *words) == "Nothing here fits what you chose."


def test_search_finds_what_was_published_a_moment_ago(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Bridge closed")
    terminal.do("publish", "--headline", "Water")
    assert [one["id"] for one in terminal.read("search", "bridge")["bulletins"]] == [item]
    assert "Bridge closed" in terminal.do("search", "bridge", "closed")
    assert "Nothing found" in terminal.do("search", "nothing like it")


def test_the_text_is_shown_in_the_language_asked_for(terminal: Terminal) -> None:
    form = {"texts": {"kk": {"headline": "Су"}, "ru": {"headline": "Вода"}}}
    item = terminal.do("publish", "-", stdin=json.dumps(form))
    assert "Вода" in terminal.do("show", item, "--lang", "ru")
    assert "Су" in terminal.do("show", item, "--lang", "kk")
    # Persian readers get the stated fallback, and are told.
    assert "Су" in terminal.do("show", item, "--lang", "fa")
