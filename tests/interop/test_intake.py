"""Files of any kind, taken in: nothing but answers comes out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from meshrelay.core.clock import Clock
from meshrelay.interop import carry
from meshrelay.interop.intake import Fate, Taken, take_in
from meshrelay.keyring import Keyring, OwnKey
from meshrelay.local import Local
from meshrelay.relay import Relay
from meshrelay.store import Store
from tests.organising import Org
from tests.processes import made_items

NOW = 1_900_000_000
ITEMS = [item.data for item in made_items(3, now=NOW)]


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    relay = Relay(Store.open(tmp_path / "s.db"), Local.open(tmp_path / "l.db"), Keyring(tmp_path / "keys"))
    yield relay
    relay.close()


def no_key() -> OwnKey:
    raise AssertionError("no key is needed")


def taken(relay: Relay, data: bytes) -> list[Taken]:
    return list(take_in(relay, io.BytesIO(data), clock=Clock(NOW), key=no_key))


def carried(items: list[bytes]) -> bytes:
    file = io.BytesIO()
    carry.write(file, items)
    return file.getvalue()


@pytest.mark.parametrize("data", [carried(ITEMS), b"".join(ITEMS)], ids=["carry file", "sequence"])
def test_items_are_new_once(relay: Relay, data: bytes) -> None:
    assert [one.fate for one in taken(relay, data)] == [Fate.NEW] * 3
    assert [one.fate for one in taken(relay, data)] == [Fate.KNOWN] * 3


def test_whole_items_before_a_flaw_are_taken_and_the_rest_is_named(relay: Relay) -> None:
    *whole, rest = taken(relay, b"".join(ITEMS)[:-10])
    assert [one.fate for one in whole] == [Fate.NEW] * 2
    assert rest.fate is Fate.REFUSED
    assert rest.place == f"{len(ITEMS[2]) - 10} bytes at byte {len(ITEMS[0]) + len(ITEMS[1])}"


@pytest.mark.parametrize("start", [b"", b"\xd2", carry.MAGIC, b"<", b"\xff\xfe", b"\xef\xbb\xbf <alert"], ids=repr)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.binary(max_size=200))
@example(rest=b"")
@example(rest=b"\xd2" * 60)
def test_whatever_a_file_holds_is_answered_for(relay: Relay, start: bytes, rest: bytes) -> None:
    answers = taken(relay, start + rest)
    assert answers
    assert all(one.fate is Fate.REFUSED and one.place and one.detail for one in answers)


def test_what_several_keys_signed_is_taken_bare(relay: Relay) -> None:
    root = Org().roots[0]
    assert [one.fate for one in taken(relay, root.data)] == [Fate.NEW]
