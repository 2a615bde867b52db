"""Chains of CAP messages across imports: by triples, in any order, and each importing key on its own."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshrelay.core.clock import Clock
from meshrelay.core.trust import Standing
from meshrelay.interop.cap_document import cap_document
from meshrelay.interop.intake import Fate, Taken, take_in
from meshrelay.keyring import Keyring
from meshrelay.listing import Query
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.interop.test_cap_documents import BARE, sample

NOW = 1_931_268_600  # 2031-03-14T20:30:00+05:00, after the last message of the chain
CHAIN = ("flood-1-alert.xml", "flood-2-update.xml", "flood-3-update.xml", "flood-4-cancel.xml")
END = {
    "synthetic-flood-1": Standing.CANCELLED,
    "synthetic-flood-2": Standing.CANCELLED,
    "synthetic-flood-3": Standing.CANCELLED,
    "synthetic-flood-4": Standing.LIVE,
}
EVERYTHING = Query(standings=frozenset(), cancels=True, limit=500)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    relay = Relay(Store.open(tmp_path / "s.db"), Local.open(tmp_path / "l.db"), Keyring(tmp_path / "keys"))
    yield relay
    relay.close()


def take(relay: Relay, data: bytes, *, key: str = "me", now: int = NOW) -> list[Taken]:
    """Import what a file holds; its key is made when it is asked for first."""
    if key not in relay.keyring.own().values():
        relay.keyring.new(key, now=now)
        relay.refresh()
    return list(take_in(relay, io.BytesIO(data), clock=Clock(now), key=lambda: relay.keyring.get(key)))


def ends(relay: Relay, key: str = "me") -> dict[str, Standing]:
    """Return how every alert that a key imported stands now, by its identifier."""
    author = relay.keyring.get(key).public
    return {
        one.bulletin.origin.identity.identifier: one.verdict.standing
        for one in relay.bulletins(EVERYTHING, Clock(NOW)).shown
        if one.header.author == author and one.bulletin.origin.identity is not None
    }


def test_a_chain_imported_in_any_order_comes_to_the_same_end(relay: Relay) -> None:
    for number, order in enumerate([CHAIN, CHAIN[::-1], (CHAIN[3], CHAIN[0], CHAIN[2], CHAIN[1])]):
        for name in order:
            take(relay, sample(name), key=f"key{number}")
        assert ends(relay, f"key{number}") == END


def test_a_chain_in_one_file_in_any_order_comes_to_the_same_end(relay: Relay) -> None:
    bare = {name: sample(name).partition(b"?>")[2] for name in CHAIN}
    for number, order in enumerate(itertools.permutations(CHAIN)):
        taken = take(relay, b"<all>" + b"".join(bare[name] for name in order) + b"</all>", key=f"key{number}")
        assert [one.fate for one in taken] == [Fate.NEW] * 4
        assert ends(relay, f"key{number}") == END


def test_an_update_replaces_what_it_names_until_it_is_cancelled(relay: Relay) -> None:
    for name in CHAIN[:3]:
        take(relay, sample(name))
    assert ends(relay) == {
        "synthetic-flood-1": Standing.SUPERSEDED,
        "synthetic-flood-2": Standing.SUPERSEDED,
        "synthetic-flood-3": Standing.LIVE,
    }


def test_the_same_chain_under_another_key_stays_as_it_is(relay: Relay) -> None:
    for name in CHAIN:
        take(relay, sample(name))
    take(relay, sample(CHAIN[0]), key="other")
    assert ends(relay, "other") == {"synthetic-flood-1": Standing.LIVE}
    assert ends(relay)["synthetic-flood-1"] is Standing.CANCELLED


@pytest.mark.parametrize(
    "written",
    ["2031-03-14T05:00:00Z", "2031-03-14T05:00:00-00:00", "2031-03-14T04:00:00-01:00", "2031-03-14T05:00:00.000Z"],
)
def test_a_cancel_finds_an_alert_whose_time_it_writes_in_another_way(relay: Relay, written: str) -> None:
    take(relay, sample(CHAIN[0]))
    cancel = sample(CHAIN[3]).decode().replace("synthetic-flood-3,2031-03-14T10:00:00Z", f"synthetic-flood-1,{written}")
    take(relay, cancel.encode())
    assert ends(relay)["synthetic-flood-1"] is Standing.CANCELLED


def test_an_alert_is_known_again_in_a_feed_and_in_another_encoding(relay: Relay) -> None:
    assert [one.fate for one in take(relay, sample("flood-1-alert.xml"))] == [Fate.NEW]
    fed = take(relay, sample("feed-embedded.atom"))
    assert [one.fate for one in fed] == [Fate.KNOWN, Fate.NEW]
    assert [one.fate for one in take(relay, sample("several.xml"))] == [Fate.KNOWN, Fate.KNOWN]
    assert [one.fate for one in take(relay, sample("flood-1-alert.xml").decode().encode("utf-16"))] == [Fate.KNOWN]


def test_an_alert_that_is_in_a_file_twice_is_passed_on_once(relay: Relay) -> None:
    taken = take(relay, f"<all>{BARE}{BARE.replace('<alert', '<alert ')}</all>".encode())
    assert [one.fate for one in taken] == [Fate.NEW, Fate.KNOWN]
    assert taken[0].id == taken[1].id


def test_alerts_of_one_file_follow_each_other_in_the_stream(relay: Relay) -> None:
    first = BARE.replace("T10:00", "T23:59").replace("2023-11-15", "2031-03-15")
    data = f"<all>{first}{first.replace('flood-7', 'flood-8')}{first.replace('flood-7', 'flood-9')}</all>"
    taken = take(relay, data.encode())
    chains = [relay.bulletin(one.id or b"", Clock(NOW)).bulletin.chain for one in taken]
    assert [chain.seq for chain in chains] == [1, 2, 3]
    assert [chain.prev for chain in chains] == [None, taken[0].id, taken[1].id]
    assert [chain.live for chain in chains] == [(), (1,), (1, 2)]


def test_what_others_passed_on_of_the_same_alert_is_found_known_senders_first(relay: Relay) -> None:
    for name in CHAIN:
        take(relay, sample(name))
    (theirs,) = take(relay, sample(CHAIN[0]), key="other")
    shown = relay.bulletin(theirs.id or b"", Clock(NOW))
    (copy,) = relay.copies(shown, Clock(NOW))
    assert (copy.verdict.standing, shown.verdict.standing) == (Standing.CANCELLED, Standing.LIVE)
    assert relay.copies(relay.bulletin(copy.header.id, Clock(NOW)), Clock(NOW))[0].header.id == theirs.id
    relay.hide(copy.header.id, now=NOW)
    assert relay.copies(shown, Clock(NOW)) == ()


def test_a_refusal_names_the_part_of_the_file(relay: Relay) -> None:
    bad = BARE.replace("Public", "Private").encode()
    (taken,) = take(relay, b"<all>" + bad + b"</all>")
    assert (taken.fate, taken.place) == (Fate.REFUSED, "alert flood-7")
    assert taken.detail.startswith("scope: ")


def test_an_entry_with_a_link_says_what_to_do(relay: Relay) -> None:
    flood, _ = take(relay, sample("feed-links.atom"))
    assert flood.fate is Fate.ELSEWHERE
    assert "https://example.org/alerts/flood-1-alert.xml by hand" in flood.detail


def test_an_alert_of_several_incidents_is_written_as_one_document_again(relay: Relay) -> None:
    info = BARE[BARE.index("<info>") : BARE.index("</info>") + len("</info>")]
    two = BARE.replace(info, info + info.replace("Flood", "Storm").replace("Leave the river bank", "Stay in"))
    taken = take(relay, two.encode())
    assert len(taken) == 2
    documents = {cap_document(relay, relay.bulletin(one.id or b"", Clock(NOW))) for one in taken}
    (document,) = documents
    assert document.index(b"Leave the river bank") < document.index(b"Stay in")
    hidden = taken[1].id or b""
    relay.hide(hidden, now=NOW)
    shown = relay.bulletin(taken[0].id or b"", Clock(NOW))
    assert b"Stay in" not in cap_document(relay, shown)
