"""import and export: files of every kind, in and out."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Terminal


def fill(terminal: Terminal, count: int) -> list[str]:
    return [terminal.do("publish", "--headline", f"Water {number}", "--expires", "2d") for number in range(count)]


def held(terminal: Terminal) -> set[str]:
    return {one["id"] for one in terminal.read("list", "--all")["bulletins"]}


CAP = """<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>{identifier}</identifier><sender>office@example.org</sender><sent>2026-01-01T00:00:00+00:00</sent>
<status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
<info><language>en</language><category>Met</category><event>Flood</event><urgency>Immediate</urgency>
<severity>Severe</severity><certainty>Likely</certainty><expires>2999-01-01T00:00:00+00:00</expires>
<senderName>River Office</senderName><headline>{headline}</headline><area><areaDesc>River</areaDesc></area></info>
</alert>"""


def test_what_one_relay_exports_another_imports(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    items = fill(terminal, 3)
    said = terminal.read("export", str(tmp_path / "news"))
    assert said["items"] == 3
    assert (tmp_path / "news.carry").stat().st_size == said["bytes"]
    assert other.do("import", str(tmp_path / "news.carry")) == "3 new, 0 known, 0 refused"
    assert other.do("import", str(tmp_path / "news.carry")) == "0 new, 3 known, 0 refused"
    assert held(other) == set(items)


def test_an_export_stays_below_its_size_and_takes_the_gravest(terminal: Terminal, tmp_path: Path) -> None:
    fill(terminal, 5)
    grave = terminal.do("publish", "--headline", "Flood", "--severity", "Extreme", "--urgency", "Immediate")
    path = tmp_path / "a.carry"
    said = terminal.read("export", str(path), "--max-bytes", "600")
    assert path.stat().st_size <= 600
    assert said["left_out"] > 0
    terminal.do("export", str(path), "--urgent")
    elsewhere = Terminal(tmp_path / "elsewhere")
    elsewhere.do("import", str(path))
    assert held(elsewhere) == {grave}


def test_there_is_nothing_to_export_from_an_empty_folder(terminal: Terminal, tmp_path: Path) -> None:
    assert "nothing here" in terminal.refuse("export", str(tmp_path / "a.carry"))
    fill(terminal, 1)
    assert "nothing here" in terminal.refuse("export", str(tmp_path / "a.carry"), "--since", "2999-01-01")
    assert list(tmp_path.glob("a.*")) == []


def test_a_cap_alert_is_passed_on_once(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "flood.xml"
    path.write_text(CAP.format(identifier="1", headline="Flood"), encoding="utf-8")
    first = terminal.read("import", str(path))
    assert (first["new"], first["known"], first["refused"]) == (1, 0, [])
    again = terminal.read("import", str(path), "--checked")
    assert (again["new"], again["known"]) == (0, 1)
    found = terminal.read("show", first["ids"][0])
    assert found["origin"]["identity"]["sender"] == "office@example.org"
    assert found["origin"]["checked"] is False
    assert "Relayed from River Office" in terminal.do("show", first["ids"][0])


FEED = """<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>Alerts</title><updated>x</updated>
<entry><id>a</id><title>By name</title><link href="https://example.org/cap/flood.xml"/></entry>
<entry><id>urn:fire-9</id><title>By number</title><link href="https://example.org/cap?n=9"/></entry>
<entry><id>b</id><title>Not here</title><link href="https://example.org/cap/storm.xml"/></entry></feed>"""


def test_a_feed_with_links_and_its_files_are_imported_as_one_folder(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "feed"
    folder.mkdir()
    (folder / "a.atom").write_text(FEED, encoding="utf-8")
    alone = terminal.call("import", str(folder))
    assert alone.exit_code == 1
    assert alone.stdout.strip() == "0 new, 0 known, 3 refused"
    assert "entry 1 (By name): only says where its alert lies: fetch https://example.org/cap/flood.xml" in alone.stderr
    (folder / "flood.xml").write_text(CAP.format(identifier="1", headline="Flood"), encoding="utf-8")
    (folder / "z.xml").write_text(CAP.format(identifier="urn:fire-9", headline="Fire"), encoding="utf-8")
    result = terminal.call("import", str(folder))
    assert result.exit_code == 3
    assert result.stdout.strip() == "2 new, 0 known, 1 refused"
    assert "storm.xml" in result.stderr
    (folder / "storm.xml").write_text(CAP.format(identifier="3", headline="Storm"), encoding="utf-8")
    assert terminal.do("import", str(folder)) == "1 new, 2 known, 0 refused"


def test_a_refused_alert_of_a_file_is_named(terminal: Terminal, tmp_path: Path) -> None:
    bad = CAP.format(identifier="bad", headline="Flood").replace("Public", "Private").partition("?>")[2]
    good = CAP.format(identifier="good", headline="Flood").partition("?>")[2]
    (tmp_path / "two.xml").write_text(f"<alerts>{bad}{good}</alerts>", encoding="utf-8")
    said = json.loads(terminal.call("import", str(tmp_path / "two.xml"), "--json").stdout)
    assert said["new"] == 1
    (refused,) = said["refused"]
    assert refused["part"] == "alert bad"
    assert refused["reason"].startswith("scope: ")


def test_another_key_passes_the_same_alert_on_again(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "flood.xml"
    path.write_text(CAP.format(identifier="1", headline="Flood"), encoding="utf-8")
    terminal.do("import", str(path))
    terminal.do("key", "new", "second")
    assert terminal.read("import", str(path), "--key", "second", "--checked")["new"] == 1


def test_a_changed_file_of_the_same_name_is_passed_on(terminal: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "flood.xml"
    for headline in ("Flood", "Flood again"):
        path.write_text(CAP.format(identifier="1", headline=headline), encoding="utf-8")
        assert terminal.read("import", str(path))["new"] == 1


def test_a_folder_is_gone_through_and_says_what_failed(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "stick" / "inner"
    folder.mkdir(parents=True)
    fill(other, 2)
    other.do("export", str(folder / "news.carry"))
    (folder / "flood.xml").write_text(CAP.format(identifier="1", headline="Flood"), encoding="utf-8")
    (folder / "notes.txt").write_text("milk, bread", encoding="utf-8")
    (folder / "empty").touch()
    (folder / ".hidden").write_text("x", encoding="utf-8")
    result = terminal.call("import", str(tmp_path / "stick"))
    assert result.exit_code == 3
    assert result.stdout.strip() == "3 new, 0 known, 2 refused"
    assert "notes.txt: the file: is no carry file" in result.stderr
    assert ".hidden" not in result.stderr


@pytest.mark.parametrize("name", ["broken.xml", "text.txt"])
def test_a_file_that_holds_nothing_is_refused(terminal: Terminal, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("<alert>" if name.endswith("xml") else "text", encoding="utf-8")
    result = terminal.call("import", str(tmp_path / name))
    assert result.exit_code == 1
    assert result.stdout.strip() == "0 new, 0 known, 1 refused"
    assert "no " in terminal.refuse("import", str(tmp_path / "absent"))


def test_a_damaged_carry_file_gives_what_is_whole(terminal: Terminal, other: Terminal, tmp_path: Path) -> None:
    fill(other, 3)
    path = tmp_path / "news.carry"
    other.do("export", str(path))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    result = terminal.call("import", str(path), "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["new"] == 2
    path.write_bytes(path.read_bytes()[: len(data) // 4])
    assert terminal.call("import", str(path)).exit_code in (1, 3)


def test_the_paper_that_ends_a_key_ends_it(terminal: Terminal, other: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water")
    other.do("import", "-", stdin=terminal.call("show", item, "--raw").stdout_bytes)
    paper = terminal.data / "keys" / "me.revocation"
    assert other.do("import", str(paper)) == "1 new, 0 known, 0 refused"
    assert other.read("show", item)["verdict"]["author"] == "revoked"


@pytest.mark.parametrize("letters", [False, True], ids=["file", "letters"])
def test_the_paper_on_a_stick_ends_no_key_by_the_way(
    terminal: Terminal, other: Terminal, tmp_path: Path, letters: bool
) -> None:
    item = terminal.do("publish", "--headline", "Water")
    stick = tmp_path / "stick"
    stick.mkdir()
    terminal.do("export", str(stick / "news.carry"))
    paper = (terminal.data / "keys" / "me.revocation").read_bytes()
    (stick / "me").write_bytes(base64.b64encode(paper) if letters else paper)
    result = other.call("import", str(stick))
    assert (result.exit_code, result.stdout.strip()) == (3, "1 new, 0 known, 1 refused")
    assert "by its own name" in result.stderr
    assert other.read("show", item)["verdict"]["author"] == "unknown"
    assert other.do("import", str(stick / "me")) == "1 new, 0 known, 0 refused"
    assert other.read("show", item)["verdict"]["author"] == "revoked"


def test_half_an_item_is_refused_and_whole_ones_before_it_are_taken(terminal: Terminal, other: Terminal) -> None:
    raw = [terminal.call("show", item, "--raw").stdout_bytes for item in fill(terminal, 2)]
    result = other.call("import", "-", stdin=raw[0] + raw[1][:100])
    assert result.exit_code == 3
    assert result.stdout.strip() == "1 new, 0 known, 1 refused"


def test_a_forged_item_is_refused_with_its_reason(terminal: Terminal, other: Terminal) -> None:
    raw = bytearray(terminal.call("show", fill(terminal, 1)[0], "--raw").stdout_bytes)
    raw[-1] ^= 1
    result = other.call("import", "-", stdin=bytes(raw))
    assert result.exit_code == 1
    assert "signature" in result.stderr


@pytest.mark.shared
def test_real_cap_files_are_taken_in_once(terminal: Terminal, shared_data: Path) -> None:
    first = json.loads(terminal.call("import", str(shared_data / "cap"), "--json").stdout)
    again = json.loads(terminal.call("import", str(shared_data / "cap"), "--json").stdout)
    assert first["new"] > 5
    assert (again["new"], len(again["refused"])) == (0, len(first["refused"]))
