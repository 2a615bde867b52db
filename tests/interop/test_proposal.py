"""Proposal files: what was written is read, and what was altered is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.admission import admit, sign_together
from meshrelay.core.statements import Role, Root
from meshrelay.errors import InvalidDocument
from meshrelay.interop import proposal
from meshrelay.interop.proposal import Proposal
from tests.organising import Org, key, listing
from tests.strategies import NOON

KEYS = [key("a"), key("b")]
ORG = Org()


def made(**values: Any) -> Proposal:
    roles = dict.fromkeys(KEYS, Role.ROOT)
    root = Root(NOON, listing(roles), 1, tuple(sorted(one.public for one in KEYS)), 2, name="Clinic")
    return Proposal.of(root, names={KEYS[0].public: "Aigerim"}, **values)


def written(one: Proposal) -> bytes:
    return proposal.write(one, says=["Words"], missing=["Somebody"])


def test_a_proposal_comes_back_as_it_was_at_every_step() -> None:
    one = made(beside=ORG.roots)
    for step in ([], [KEYS[1]], [KEYS[0]]):
        one = proposal.read(written(one.signed_by(step)))
        assert proposal.looks_like(written(one))
        assert one.body == made().body
        assert one.names == {KEYS[0].public: "Aigerim"}
        assert [item.id for item in one.beside] == [ORG.id]
    item = one.whole()
    assert item == admit(item.data)
    assert item.id == one.id == made().id == one.org


def test_it_is_whole_with_the_last_signature_and_not_before() -> None:
    one = made().signed_by(KEYS[:1])
    assert one.missing == (KEYS[1].public,)
    with pytest.raises(ValueError, match="1 signatures are missing"):
        one.whole()
    with pytest.raises(ValueError, match="not asked to sign"):
        one.signed_by([key("c")])


def other_payload(entry: dict[str, Any]) -> None:
    entry["payload"] = base64.b64encode(made().payload.replace(b"Clinic", b"Police")).decode()


def signature_of_a_stranger(entry: dict[str, Any]) -> None:
    stranger = key("c")
    one = proposal.read(written(made()))
    (signature,) = sign_together(one.payload, [stranger]).values()
    entry["signatures"][stranger.public.hex()] = base64.b64encode(signature).decode()


def signatures_swapped(entry: dict[str, Any]) -> None:
    first, second = entry["signatures"]
    entry["signatures"] = {first: entry["signatures"][second], second: entry["signatures"][first]}


@pytest.mark.parametrize(
    "alter",
    [
        other_payload,
        signature_of_a_stranger,
        signatures_swapped,
        lambda entry: entry.update(version=2),
        lambda entry: entry.update(payload=entry["payload"][4:]),
        lambda entry: entry.update(payload=7),
        lambda entry: entry.update(signatures=[]),
        lambda entry: entry["signatures"].update(xy="aa"),
        lambda entry: entry.update(names={"00" * 32: "a\nb"}),
        lambda entry: entry.update(names={"00" * 32: "x" * 81}),
        lambda entry: entry.update({"with": ["AAAA"]}),
        lambda entry: entry.update({"with": ["AAAA"] * 300}),
        lambda entry: entry.update(meshrelay="else"),
    ],
)
def test_an_altered_file_is_refused(alter: Callable[[dict[str, Any]], None]) -> None:
    entry = json.loads(written(made().signed_by(KEYS)))
    assert proposal.read(json.dumps(entry).encode()).missing == ()
    alter(entry)
    with pytest.raises(InvalidDocument):
        proposal.read(json.dumps(entry).encode())


VALUES = st.recursive(st.none() | st.text() | st.integers(), st.lists)


@given(st.binary(max_size=200) | VALUES.map(json.dumps).map(str.encode))
def test_whatever_a_file_holds_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        proposal.read(data)
    with pytest.raises(InvalidDocument):
        proposal.read(b'{"meshrelay": "to be signed together", "version": 1, "payload": ' + data + b"}")
