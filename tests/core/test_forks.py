"""Two items of one key with one number: both are in doubt, until somebody who may says which one counts."""

from __future__ import annotations

import pytest

from meshrelay.core.admission import sign
from meshrelay.core.bulletin import Bulletin, Chain, Text
from meshrelay.core.envelope import SignedItem
from meshrelay.core.organisation import Organisation
from meshrelay.core.statements import Branch, Revocation
from meshrelay.core.trust import TrustView, is_forked
from tests.organising import DAY, Org, key
from tests.strategies import NOON

FIELD = key("field")
ORG = Org()


def item(headline: str, *, seq: int = 1, org: bytes | None = ORG.id) -> SignedItem:
    texts = (Text("en", "Notice", headline),)
    return sign(Bulletin(NOON, NOON + DAY, Chain(b"stream--", seq), texts=texts, org=org), FIELD)


MINE, TWIN, BARE, LATER = item("mine"), item("twin"), item("bare", org=None), item("later", seq=2)


def choosing(chosen: SignedItem, rival: SignedItem) -> SignedItem:
    return sign(Branch(NOON, chosen.id, (rival.id,)), FIELD)


def forked(*statements: SignedItem, twin: SignedItem = TWIN) -> tuple[bool, bool, bool]:
    """Tell of mine, its twin and what comes later whether they are in doubt."""
    held = Organisation.of(ORG.id, [*ORG.roots, ORG.delegates(FIELD.public), *statements])
    trust = TrustView.of(statements=[one for one in statements if one.author == FIELD.public], organisations=[held])
    twins = {1: (MINE.header, twin.header)}
    mine, other, later = (is_forked(one.header, twins, trust) for one in (MINE, twin, LATER))
    return mine, other, later


def test_both_and_what_comes_after_are_in_doubt_while_nobody_has_chosen() -> None:
    assert forked() == (True, True, True)
    assert not is_forked(MINE.header, {1: (MINE.header,)}, TrustView())
    assert not is_forked(MINE.header, {2: (LATER.header, LATER.header)}, TrustView())


def test_the_key_or_its_organisation_chooses() -> None:
    assert forked(choosing(MINE, TWIN)) == (False, True, False)
    assert forked(ORG.chooses(TWIN.id, MINE.id)) == (True, False, False)
    assert forked(ORG.chooses(MINE.id, TWIN.id), choosing(TWIN, MINE)) == (False, True, False)
    assert forked(choosing(MINE, TWIN), choosing(TWIN, MINE)) == (True, True, True)


@pytest.mark.parametrize("twin", [TWIN, BARE], ids=["in its name", "in nobody's name"])
def test_what_a_revocation_lists_as_good_is_chosen(twin: SignedItem) -> None:
    revoked = ORG.revokes(FIELD.public, good=[MINE.id])
    assert forked(revoked, twin=twin)[0] is False
    # The thief has the key as well, and speaks with it.
    assert forked(revoked, choosing(twin, MINE), twin=twin)[0] is False
    by_itself = sign(Revocation(NOON, FIELD.public, (twin.id,)), FIELD)
    assert forked(revoked, by_itself, twin=twin)[0] is False


def test_a_revocation_that_lists_both_or_none_chooses_nothing() -> None:
    both = ORG.revokes(FIELD.public, good=[MINE.id, TWIN.id])
    assert forked(both) == (True, True, True)
    assert forked(ORG.revokes(FIELD.public)) == (True, True, True)


def test_what_the_key_itself_leaves_good_is_chosen() -> None:
    assert forked(sign(Revocation(NOON, FIELD.public, (MINE.id,)), FIELD)) == (False, True, False)
