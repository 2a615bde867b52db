"""What visitors told a relay, on its terminal."""

from __future__ import annotations

import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshrelay.local import Local, Report
from tests.cli.conftest import Terminal
from tests.processes import run

NOW = 1_790_000_000
REPORT = Report(NOW, "ru", "Дым над мельницей\nДвое раненых", "Мельничная улица", "в полдень", "синий дом")


@contextmanager
def relay_on(data: Path) -> Iterator[str]:
    process = run(data)
    try:
        yield process.entry["readers"][0]
    finally:
        process.stop()


def write(terminal: Terminal, *reports: Report) -> None:
    local = Local.open(terminal.data / "local.db")
    for report in reports:
        assert local.add_report(report)
    local.close()


def test_reports_are_listed_shown_and_dismissed(terminal: Terminal) -> None:
    assert terminal.do("inbox", "list") == "No report waits."
    write(terminal, REPORT)
    assert "Дым над мельницей" in terminal.do("inbox", "list")
    shown = terminal.do("inbox", "show", "1")
    assert shown.startswith("Дым над мельницей\nДвое раненых\n\nWhere: Мельничная улица\nWhen: в полдень\n")
    assert "How to reach them: синий дом" in shown
    assert terminal.do("inbox", "dismiss", "1") == "Dismissed: 1"
    assert terminal.do("inbox", "list") == "No report waits."
    (row,) = terminal.read("inbox", "list", "--all")["reports"]
    assert (row["number"], row["state"], row["contact"]) == (1, "dismissed", None)
    assert terminal.refuse("inbox", "dismiss", "1") == "report 1 was dismissed before"
    assert terminal.refuse("inbox", "publish", "1") == "report 1 was dismissed before"
    for words in ("show", "publish", "dismiss"):
        assert terminal.refuse("inbox", words, "7") == "no report has the number 7"


def test_a_report_is_passed_on_as_what_a_visitor_told(terminal: Terminal) -> None:
    write(terminal, REPORT)
    found = terminal.read("inbox", "publish", "1")
    assert found["origin"]["kind"] == "report"
    assert (found["language"], found["headline"]) == ("ru", "Дым над мельницей")
    assert found["description"] == "Дым над мельницей\nДвое раненых\nв полдень"
    assert found["areas"][0]["description"] == "Мельничная улица"
    assert "синий дом" not in str(found)
    assert found["verdict"]["says"].endswith("A visitor told them; they passed it on. They did not check it.")
    assert terminal.read("inbox", "list")["reports"] == []
    assert [one["state"] for one in terminal.read("inbox", "list", "--all")["reports"]] == ["published"]


def test_flags_outdo_the_report_and_checked_says_that_it_was_looked_into(terminal: Terminal) -> None:
    write(terminal, REPORT)
    flags = ("--headline", "Smoke", "--lang", "en", "--severity", "severe", "--area", "Mill", "--expires", "3h")
    found = terminal.read("inbox", "publish", "1", "--checked", *flags)
    assert (found["headline"], found["languages"], found["severity"]) == ("Smoke", ["en"], "Severe")
    assert found["areas"][0]["description"] == "Mill"
    assert found["verdict"]["says"].endswith("They say that they checked it themselves.")


def test_a_check_of_a_report_publishes_nothing(terminal: Terminal) -> None:
    write(terminal, REPORT)
    assert terminal.call("inbox", "publish", "1", "--check").exit_code == 1
    assert [one["state"] for one in terminal.read("inbox", "list")["reports"]] == ["new"]
    assert terminal.read("list")["bulletins"] == []


def test_a_first_line_that_is_long_is_cut_and_stands_whole_below(terminal: Terminal) -> None:
    write(terminal, Report(NOW, "en", "x" * 300, "Mill"))
    found = terminal.read("inbox", "publish", "1")
    assert found["headline"] == "x" * 139 + "…"
    assert found["description"] == "x" * 300


def test_a_report_to_a_relay_that_runs_is_passed_on_beside_it(terminal: Terminal) -> None:
    with relay_on(terminal.data) as url:
        page = urllib.request.urlopen(f"{url}report", timeout=10).read().decode()
        token = page.partition('name="token" value="')[2].partition('"')[0]
        body = urllib.parse.urlencode({"what": "Smoke", "where": "Mill", "token": token}).encode()
        assert urllib.request.urlopen(f"{url}report", body, timeout=10).url.endswith("report?sent=")
        assert "Smoke" in terminal.do("inbox", "list")
        id_ = terminal.do("inbox", "publish", "1")
        page = urllib.request.urlopen(f"{url}b/{id_}", timeout=10).read().decode()
        assert "A visitor told them; they passed it on." in page


@pytest.mark.parametrize("count", [1, 3])
def test_numbers_go_on(count: int, terminal: Terminal) -> None:
    write(terminal, *[REPORT] * count)
    assert [one["number"] for one in terminal.read("inbox", "list")["reports"]] == list(range(1, count + 1))
