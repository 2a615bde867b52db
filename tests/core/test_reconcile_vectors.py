"""Reconciliation against the vectors that other implementations hold to as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay.core.reconcile import answer
from meshrelay.errors import InvalidMessage
from tests.vectors.make_reconcile import FOLDER, initiator, keys_of, read

FILES = sorted(FOLDER.glob("*.txt"))
INVALID = [path for path in FILES if path.name.startswith("invalid-")]
EXCHANGES = [path for path in FILES if path not in INVALID]


def name(path: Path) -> str:
    return path.stem


def test_there_are_vectors() -> None:
    assert len(EXCHANGES) >= 10
    assert len(INVALID) >= 40


@pytest.mark.parametrize("path", EXCHANGES, ids=name)
def test_both_ends_send_the_bytes_of_the_vector(path: Path) -> None:
    head, messages = read(path)
    work, held = initiator(head), keys_of(head["held"])
    for message, reply in zip(messages[::2], messages[1::2], strict=True):
        assert work.message() == message
        assert answer(held, message) == reply
        work.receive(reply)
    assert work.message() is None
    assert head["expect"] == ("settled" if work.settled else "ended")
    for found, expected in ((work.have, head["have"]), (work.need, head["need"])):
        assert expected in {str(len(found)), b"".join(sorted(found)).hex()}


@pytest.mark.parametrize("path", INVALID, ids=name)
def test_the_malformed_are_refused(path: Path) -> None:
    head, [message] = read(path)
    if head["expect"] == "invalid request":
        with pytest.raises(InvalidMessage):
            answer(keys_of(""), message)
        return
    work = initiator(head)
    assert work.message()
    with pytest.raises(InvalidMessage):
        work.receive(message)
