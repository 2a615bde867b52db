from __future__ import annotations

import random
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from meshrelay.core.trust import Anchor, How
from meshrelay.errors import NotesDamaged
from meshrelay.local import (
    FORGET_PEERS_AFTER,
    FORGET_REPORTS_AFTER,
    MOST_NEW_REPORTS,
    Draft,
    Hidden,
    KnownPeer,
    Local,
    Planned,
    Report,
    ReportState,
    Waiting,
    set_aside_at,
)

NOW = 1_760_000_000
CLINIC, SCHOOL = b"c" * 32, b"s" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "local.db"


@pytest.fixture
def local(path: Path) -> Iterator[Local]:
    opened = Local.open(path)
    yield opened
    opened.close()


def test_a_new_database_is_empty_and_its_owners_alone(local: Local, path: Path) -> None:
    assert local.anchors() == ()
    assert local.waiting() == ()
    assert local.blocked() == frozenset()
    assert local.peers() == ()
    assert local.fact("time") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def fill(path: Path, *, senders: int = 300) -> None:
    with closing(Local.open(path)) as local:
        for number in range(senders):
            local.add_anchor(Anchor(number.to_bytes(32, "big"), f"Sender {number} " + "x" * 200, NOW, How.DIGITS))
        local.block(SCHOOL, now=NOW)
        local.set_fact("time", b"12")
        local.save_peer(KnownPeer("meshrelay://10.0.0.2:8443", CLINIC, "", "mdns", NOW))
        local.hide(Hidden(CLINIC, NOW, "a rumour", NOW + 600, dropped=True))
        local.add_report(Report(NOW, "en", "Smoke", "Bridge"))


def everything(local: Local) -> list[object]:
    return [
        local.anchors(),
        local.waiting(),
        local.blocked(),
        local.peers(),
        local.hidden(),
        local.kept_back(),
        local.drafts(),
        local.planned(),
        local.reports(new=False),
        local.followed(),
        local.fact("time"),
    ]


def test_of_damaged_notes_all_is_kept_that_can_be_read_and_the_old_ones_stay_beside(path: Path) -> None:
    fill(path)
    data = bytearray(path.read_bytes())
    page = data.index(b"Sender 150 ") // 4096 * 4096
    data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(NotesDamaged, match=r"local\.db, are damaged") as found:
        Local.open(path)
    assert "restore a backup" in found.value.hint
    assert set_aside_at(path) is None
    with closing(Local.rescue(path)) as local:
        kept = {anchor.petname.split()[1] for anchor in local.anchors()}
        assert {"0", "299"} < kept
        assert 280 < len(kept) < 300
        assert "150" not in kept
        assert local.blocked() == {SCHOOL}
        assert [one.what for one in local.reports()] == ["Smoke"]
        assert local.fact("time") == b"12"
    with closing(Local.open(path)) as local:
        assert len(local.anchors()) == len(kept)
    aside = set_aside_at(path)
    assert aside is not None
    assert aside.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_rescue_that_was_cut_short_is_done_anew(path: Path) -> None:
    fill(path, senders=40)
    data = bytearray(path.read_bytes())
    page = data.index(b"Sender 30 ") // 4096 * 4096
    data[page : page + 8] = b"\xff" * 8
    path.write_bytes(data)
    for name in ("local.db.fresh", "local.db.fresh-wal", "local.db.damaged"):
        (path.parent / name).write_bytes(b"half of it")
    with closing(Local.rescue(path)) as local:
        assert len(local.anchors()) > 20
    assert {one.name for one in path.parent.iterdir()} == {"local.db", "local.db.lock", "local.db.damaged"}


def test_notes_of_which_nothing_can_be_read_are_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"nothing of a database " * 500)
    with pytest.raises(NotesDamaged):
        Local.open(path)
    with closing(Local.rescue(path)) as local:
        assert not any(everything(local))


def test_whatever_is_damaged_the_notes_can_be_opened_or_rescued_and_read(path: Path) -> None:
    fill(path, senders=40)
    sound = path.read_bytes()
    dice = random.Random(7)
    rescued = 0
    for _ in range(60):
        data = bytearray(sound)
        for _ in range(dice.choice([1, 4, 64])):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        for beside in path.parent.glob("local.db-*"):
            beside.unlink()
        try:
            local = Local.open(path)
        except NotesDamaged:
            rescued += 1
            local = Local.rescue(path)
        with closing(local):
            everything(local)
    assert rescued > 20


def test_everything_is_still_there_after_a_restart(local: Local, path: Path) -> None:
    anchor = Anchor(CLINIC, "Clinic", NOW, How.DIGITS)
    waiting = Waiting("123 456", "School", NOW)
    peer = KnownPeer("meshrelay://10.0.0.2:8443", b"r" * 32, "Library", "mdns", NOW)
    local.add_anchor(anchor)
    local.add_waiting(waiting)
    local.block(SCHOOL, now=NOW)
    local.save_peer(peer)
    local.set_fact("time", b"\x01\x00")
    again = Local.open(path)
    assert again.anchors() == (anchor,)
    assert again.waiting() == (waiting,)
    assert again.blocked() == {SCHOOL}
    assert again.peers() == (peer,)
    assert again.fact("time") == b"\x01\x00"
    again.close()


def test_what_is_hidden_kept_back_drafted_and_planned_is_there_after_a_restart(local: Local, path: Path) -> None:
    hidden = Hidden(CLINIC, NOW, "a hoax", NOW + 60, dropped=True)
    local.hide(hidden)
    local.keep_back(SCHOOL, until=NOW + 99)
    local.save_draft(Draft("water", b"{}", NOW))
    number = local.plan(Planned(NOW + 5, "me", b"payload", hide_source=True))
    local.note_signed(number, CLINIC)
    local.note_trouble(number, "no room", again=NOW + 9)
    again = Local.open(path)
    assert again.hidden() == (hidden,)
    assert again.kept_back() == {SCHOOL: NOW + 99}
    assert again.drafts() == (Draft("water", b"{}", NOW),)
    assert again.planned() == (Planned(NOW + 5, "me", b"payload", True, number, CLINIC, "no room", NOW + 9),)
    assert again.planned(due=NOW + 8) == ()
    assert again.planned(due=NOW + 9, limit=1) == again.planned()
    again.close()


def test_what_was_dropped_stays_dropped_when_it_is_hidden_again(local: Local) -> None:
    local.hide(Hidden(CLINIC, NOW, "a hoax", dropped=True))
    local.hide(Hidden(CLINIC, NOW + 1, "still a hoax"))
    assert local.hidden() == (Hidden(CLINIC, NOW, "still a hoax", dropped=True),)
    assert local.unhide(CLINIC)
    assert not local.unhide(CLINIC)
    assert local.hidden() == ()


def test_a_database_of_the_first_form_gets_the_newer_tables(local: Local, path: Path) -> None:
    local.add_anchor(Anchor(CLINIC, "Clinic", NOW, How.DIGITS))
    with sqlite3.connect(path) as database:
        for table in ("hidden", "kept_back", "drafts", "planned"):
            database.execute(f"DROP TABLE {table}")
        database.execute("DELETE FROM _sqlite_migrations WHERE name = '_second'")
    database.close()
    again = Local.open(path)
    again.hide(Hidden(SCHOOL, NOW))
    assert [anchor.petname for anchor in again.anchors()] == ["Clinic"]
    assert again.planned() == ()
    again.close()


def test_anchors_come_oldest_first_and_a_new_petname_replaces_the_old(local: Local) -> None:
    local.add_anchor(Anchor(SCHOOL, "School", NOW + 1))
    local.add_anchor(Anchor(CLINIC, "Clinic", NOW))
    local.add_anchor(Anchor(CLINIC, "Old clinic", NOW))
    assert [anchor.petname for anchor in local.anchors()] == ["Old clinic", "School"]


def test_taking_back_says_whether_there_was_anything(local: Local) -> None:
    local.add_anchor(Anchor(CLINIC, "Clinic", NOW))
    local.add_waiting(Waiting("123", "School", NOW))
    local.block(CLINIC, now=NOW)
    local.save_peer(KnownPeer("uri", None, "", "given", NOW, kept=True))
    assert local.remove_anchor(CLINIC)
    assert local.remove_waiting("123")
    assert local.unblock(CLINIC)
    assert local.remove_peer("uri")
    assert not local.remove_anchor(CLINIC)
    assert not local.remove_waiting("123")
    assert not local.unblock(CLINIC)
    assert not local.remove_peer("uri")
    assert (local.anchors(), local.waiting(), local.blocked(), local.peers()) == ((), (), frozenset(), ())


def test_the_address_book_names_the_last_met_first(local: Local) -> None:
    for number in (2, 3, 1):
        local.save_peer(KnownPeer(f"uri {number}", None, "", "mdns", NOW + number))
    assert [peer.uri for peer in local.peers()] == ["uri 3", "uri 2", "uri 1"]


def test_what_was_learnt_of_a_peer_is_not_forgotten_by_hearing_of_it_again(local: Local) -> None:
    local.save_peer(KnownPeer("uri", b"r" * 32, "Library", "given", NOW, kept=True))
    local.save_peer(KnownPeer("uri", None, "Library", "mdns", NOW - 50))
    assert local.peers() == (KnownPeer("uri", b"r" * 32, "Library", "mdns", NOW, kept=True),)


def test_relays_not_met_for_30_days_are_forgotten_unless_they_were_given(local: Local) -> None:
    local.save_peer(KnownPeer("kept", None, "", "given", NOW, kept=True))
    local.save_peer(KnownPeer("old", None, "", "mdns", NOW))
    local.save_peer(KnownPeer("new", None, "", "mdns", NOW + 1))
    assert local.forget_peers(now=NOW + FORGET_PEERS_AFTER) == 0
    assert local.forget_peers(now=NOW + FORGET_PEERS_AFTER + 1) == 1
    assert {peer.uri for peer in local.peers()} == {"kept", "new"}


def test_a_write_changes_the_version_here_and_in_another_process(local: Local, path: Path) -> None:
    other = Local.open(path)
    before, seen = local.version(), other.version()
    assert local.version() == before
    local.set_fact("a", b"1")
    assert local.version() != before
    assert other.version() != seen
    other.close()


def test_threads_and_processes_write_without_losing_anything(local: Local, path: Path) -> None:
    other = Local.open(path)

    def write(one: Local, start: int) -> None:
        for number in range(start, start + 20):
            one.block(number.to_bytes(32, "big"), now=NOW)

    threads = [
        threading.Thread(target=write, args=(one, start)) for one, start in ((local, 0), (local, 20), (other, 40))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert local.blocked() == {number.to_bytes(32, "big") for number in range(60)}
    other.close()


def test_the_inbox_holds_two_hundred_new_reports(local: Local) -> None:
    taken = [local.add_report(Report(NOW, "en", "x", "y")) for _ in range(MOST_NEW_REPORTS + 5)]
    assert taken == [True] * MOST_NEW_REPORTS + [False] * 5
    assert local.close_report(1, ReportState.PUBLISHED)
    assert local.add_report(Report(NOW, "en", "x", "y"))


def test_the_reports_of_a_day_have_64_kib_in_bytes_of_their_writing(local: Local) -> None:
    large = Report(NOW, "my", "က" * 5000, "y")
    assert [local.add_report(large) for _ in range(5)] == [True] * 4 + [False]
    for number in range(1, 5):
        local.close_report(number, ReportState.DISMISSED)
    assert not local.add_report(large)
    assert local.add_report(Report(NOW + 86_400, "my", "က" * 5000, "y"))


def test_a_clock_set_back_does_not_close_the_inbox(local: Local) -> None:
    for _ in range(4):
        assert local.add_report(Report(NOW, "my", "က" * 5000, "y"))
    assert local.add_report(Report(NOW - 10 * 86_400, "my", "က" * 5000, "y"))


def test_what_was_dealt_with_is_forgotten_and_a_dismissed_contact_at_once(local: Local) -> None:
    for _ in range(3):
        local.add_report(Report(NOW, "en", "x", "y", contact="z"))
    assert local.close_report(1, ReportState.DISMISSED)
    assert local.close_report(2, ReportState.PUBLISHED)
    assert not local.close_report(2, ReportState.DISMISSED)
    assert [(one.n, one.contact) for one in local.reports(new=False)] == [(1, ""), (2, "z"), (3, "z")]
    local.add_report(Report(NOW + FORGET_REPORTS_AFTER + 1, "en", "x", "y"))
    assert [one.n for one in local.reports(new=False)] == [3, 4]
