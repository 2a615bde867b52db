"""confirm, dispute, cannot-check: what one knows of somebody else's bulletin, and who counts it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.statements import Scope
from meshrelay.core.trust import Anchor, How
from meshrelay.local import Local
from meshrelay.settings import load
from meshrelay.store import Store
from tests.cli.conftest import Terminal
from tests.organising import ANYTHING, DAY, Org, key


def hand_over(giver: Terminal, taker: Terminal, *items: str) -> None:
    for item in items:
        taker.do("import", "-", stdin=giver.call("show", item, "--raw").stdout_bytes)


def words_on(terminal: Terminal, item: str) -> Any:
    return terminal.read("show", item)["verdict"]["attestations"]


def know(terminal: Terminal, sender: Terminal, petname: str) -> None:
    terminal.do("trust", "add", sender.read("key", "show")["key"], "--as", petname)


def lend(terminal: Terminal, org: Org, *keys: bytes, petname: str, now: int, scope: Scope = ANYTHING) -> None:
    """Let an organisation be known at a terminal that lends its name to these keys."""
    settings = load(terminal.data, environment={})
    store = Store.open(settings.store_path)
    lent = [org.delegates(key, start=now - DAY, end=now + 10 * DAY, sent=now - DAY, scope=scope) for key in keys]
    store.put_many([*org.roots, *lent], received=now)
    store.close()
    local = Local.open(settings.local_path)
    local.add_anchor(Anchor(org.id, petname, now - DAY, How.DIGITS))
    local.close()


@pytest.fixture
def rumour(terminal: Terminal, other: Terminal) -> str:
    """A bulletin that `other` wrote and `terminal` has."""
    item = other.do("publish", "--headline", "Bridge closed", "--lang", "en")
    hand_over(other, terminal, item)
    return item


def test_a_word_counts_where_its_author_is_known_and_is_a_number_elsewhere(
    terminal: Terminal, other: Terminal, rumour: str
) -> None:
    word = terminal.do("confirm", rumour, "--note", "I stood there")
    hand_over(terminal, other, word)
    assert words_on(other, rumour) == {"dispute": [], "confirm": [], "cannot_check": [], "unknown": 1}
    assert "1 unknown sender says something about it too, which is not counted." in other.do("show", rumour)
    know(other, terminal, "River school")
    (one,) = words_on(other, rumour)["confirm"]
    assert (one["name"], one["note"], one["fault"]) == ("River school", "I stood there", None)
    assert "Confirmed by River school: they saw it themselves" in other.do("show", rumour)
    assert "Confirmed by River school." in other.do("list")


def test_a_dispute_is_said_in_every_list(terminal: Terminal, other: Terminal, rumour: str) -> None:
    word = terminal.read("dispute", rumour, "--reason", "outdated", "--note", "open again")
    assert (word["kind"], word["says"], word["fault"], word["target"]) == (
        "attestation",
        "dispute",
        "outdated",
        rumour,
    )
    for said in (terminal.do("list"), terminal.do("show", rumour), terminal.do("search", "bridge")):
        assert "Disputed by This relay: they say that it is out of date" in " ".join(said.split())
        assert "“open again”" in said
    hand_over(terminal, other, word["id"])
    assert words_on(other, rumour)["unknown"] == 1


def test_words_go_along_in_a_carry_file(terminal: Terminal, other: Terminal, rumour: str, tmp_path: Path) -> None:
    terminal.do("dispute", rumour, "--reason", "staged")
    know(other, terminal, "River school")
    carried = str(tmp_path / "news.carry")
    terminal.do("export", carried)
    other.do("import", carried)
    (one,) = words_on(other, rumour)["dispute"]
    assert (one["name"], one["fault"]) == ("River school", "staged")


def test_the_newest_word_counts_even_within_one_second(terminal: Terminal, rumour: str) -> None:
    for _ in range(3):
        terminal.do("confirm", rumour)
        terminal.do("dispute", rumour, "--reason", "false")
        terminal.do("cannot-check", rumour)
    found = words_on(terminal, rumour)
    assert [len(found[sort]) for sort in ("dispute", "confirm", "cannot_check")] == [0, 0, 1]


def test_bulletins_and_words_share_one_stream_without_a_gap(terminal: Terminal, rumour: str) -> None:
    first = terminal.read("publish", "--headline", "One")
    word = terminal.read("confirm", rumour)
    second = terminal.read("show", terminal.do("publish", "--headline", "Two"))
    assert [first["seq"], word["seq"], second["seq"]] == [1, 2, 3]
    assert word["stream"] == terminal.read("show", first["id"])["stream"] == second["stream"]
    assert (word["prev"], second["previous"]) == (first["id"], word["id"])
    assert second["live"] == [1]


def test_a_word_on_one_s_own_bulletin_is_warned_about_and_counts_for_nothing(terminal: Terminal) -> None:
    item = terminal.do("publish", "--headline", "Water")
    called = terminal.call("confirm", item)
    assert called.exit_code == 0
    assert "nobody counts what you say of it yourself" in called.stderr
    assert words_on(terminal, item) == {"dispute": [], "confirm": [], "cannot_check": [], "unknown": 0}


def test_a_lent_key_speaks_for_the_organisation_unless_told_otherwise(
    terminal: Terminal, other: Terminal, rumour: str
) -> None:
    now = int(time.time())
    org = Org("clinic", sent=now - 2 * DAY)
    terminal.do("key", "new")
    own = bytes.fromhex(terminal.read("key", "show")["key"])
    lend(terminal, org, own, petname="Clinic", now=now)
    lend(other, org, own, petname="Clinic on the hill", now=now)
    word = terminal.read("confirm", rumour)
    assert word["organisation"] == org.id.hex()
    hand_over(terminal, other, word["id"])
    (one,) = words_on(other, rumour)["confirm"]
    assert (one["voice"], one["name"]) == (org.id.hex(), "Clinic on the hill")
    silent = terminal.read("dispute", rumour, "--reason", "false", "--org", "none")
    assert silent["organisation"] is None
    named = terminal.read("confirm", rumour, "--org", "Clinic")
    assert named["organisation"] == org.id.hex()
    assert terminal.read("confirm", rumour, "--org", org.id.hex()[:8])["organisation"] == org.id.hex()


def test_a_colleague_s_bulletin_is_warned_about_too(terminal: Terminal) -> None:
    now = int(time.time())
    org, field = Org("clinic", sent=now - 2 * DAY), key("field")
    terminal.do("key", "new")
    lend(terminal, org, bytes.fromhex(terminal.read("key", "show")["key"]), field.public, petname="Clinic", now=now)
    body = Bulletin(now, now + DAY, Chain(bytes(8), 1), texts=(Text("en", "Notice", "Insulin"),), org=org.id)
    item = sign(body, field)
    terminal.do("import", "-", stdin=item.data)
    called = terminal.call("confirm", item.id.hex())
    assert "is a colleague's: nobody counts what you say" in called.stderr
    assert words_on(terminal, item.id.hex())["confirm"] == []


def test_a_name_that_nobody_lent_is_refused(terminal: Terminal, rumour: str) -> None:
    now = int(time.time())
    terminal.do("key", "new")
    lend(terminal, Org("school", sent=now - 2 * DAY), petname="School", now=now)
    assert "School has not lent its name" in terminal.refuse("confirm", rumour, "--org", "School")


def test_a_name_lent_for_bulletins_alone_is_warned_about(terminal: Terminal, rumour: str) -> None:
    now = int(time.time())
    terminal.do("key", "new")
    own = bytes.fromhex(terminal.read("key", "show")["key"])
    lend(
        terminal,
        Org("school", sent=now - 2 * DAY),
        own,
        petname="School",
        now=now,
        scope=Scope(kinds=("bulletin",)),
    )
    assert "for bulletins alone" in terminal.call("confirm", rumour).stderr


def test_a_statement_says_what_it_is_rather_than_that_it_is_not_here(terminal: Terminal, rumour: str) -> None:
    now = int(time.time())
    org = Org("clinic", sent=now - 2 * DAY)
    lend(terminal, org, bytes(32), petname="Clinic", now=now)
    root = org.roots[0].id.hex()
    said = terminal.do("show", root[:12])
    assert "An organisation, Clinic, says who it is: 2 of its 3 keys speak for it together." in said
    assert said.count("The digits of the key") == 3
    document = terminal.read("show", root)
    assert (document["kind"], document["threshold"], len(document["keys"])) == ("root", 2, 3)
    assert [signer["roles"] for signer in document["signers"]] == [["root"]] * 3
    assert terminal.call("show", root, "--raw").stdout_bytes == org.roots[0].data
    assert "is no bulletin" in terminal.refuse("show", root, "--cap")
