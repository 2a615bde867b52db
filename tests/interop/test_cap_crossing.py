"""An alert on its whole way: into one relay, across to another that knows the importer, and out as CAP there."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import xmlschema
from defusedxml.ElementTree import fromstring

from meshrelay.core.clock import Clock
from meshrelay.core.trust import Anchor, Standing
from meshrelay.interop.cap_document import cap_document
from meshrelay.interop.intake import Fate, Taken, take_in
from meshrelay.listing import Shown
from tests.interop.comparing import differences
from tests.interop.test_cap import shape_of
from tests.interop.test_cap_meaning import SAMPLES, alerts_in, elements_in
from tests.peers.stations import Station

SOON = 1_931_268_600
"""A time just after the last of the samples, and long after the real files."""


@pytest.fixture
async def importer(tmp_path: Path) -> AsyncIterator[tuple[Station, Station]]:
    """A relay with a key of its own, and one that knows that key."""
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(Station(tmp_path / name)) for name in ("here", "there")]
        here.now = there.now = SOON
        key = here.relay.keyring.new("me", now=SOON)
        here.relay.refresh()
        there.relay.local.add_anchor(Anchor(key.public, "Clinic", SOON))
        there.relay.refresh()
        yield here, there


def take(station: Station, data: bytes) -> list[Taken]:
    taken = take_in(station.relay, io.BytesIO(data), clock=Clock(SOON), key=lambda: station.relay.keyring.get("me"))
    return list(taken)


async def crossed(importer: tuple[Station, Station], data: bytes) -> list[Shown]:
    """Import a file at one relay, let the other fetch, and return what is shown there."""
    here, there = importer
    taken = take(here, data)
    here.settle()
    await there.visit(here)
    ids = [one.id for one in taken if one.fate is Fate.NEW and one.id is not None]
    return [there.relay.bulletin(item, Clock(SOON)) for item in ids]


async def test_a_chain_crosses_and_its_end_is_the_same_there(importer: tuple[Station, Station]) -> None:
    for name in ("flood-4-cancel.xml", "flood-2-update.xml", "flood-1-alert.xml", "flood-3-update.xml"):
        shown = await crossed(importer, (SAMPLES / name).read_bytes())
        assert [one.verdict.known for one in shown] == [True]
    ended = await crossed(importer, (SAMPLES / "several.xml").read_bytes())
    assert len(ended) == 1  # the flood was known
    _, there = importer
    flood = next(
        one
        for held in there.relay.store.by_key(there.index.keys).values()
        if (one := there.relay.bulletin(held.id, Clock(SOON))).bulletin.origin.identity is not None
        and one.bulletin.origin.identity.identifier == "synthetic-flood-1"
    )
    assert flood.verdict.standing is Standing.CANCELLED


@pytest.mark.parametrize("name", ["flood-1-alert.xml", "exercise.xml", "several.xml", "feed-embedded.atom"])
async def test_a_sample_crosses_whole_and_comes_out_as_it_was(importer: tuple[Station, Station], name: str) -> None:
    await comes_out_as_it_was(importer, (SAMPLES / name).read_bytes())


async def comes_out_as_it_was(importer: tuple[Station, Station], data: bytes) -> int:
    """Check every alert of a file at its whole way; return how many there were."""
    _, there = importer
    elements, alerts = elements_in(data), alerts_in(data, now=SOON)
    shown = await crossed(importer, data)
    came = {one.bulletin.origin.identity.identifier: one for one in shown if one.bulletin.origin.identity}
    assert came.keys() == alerts.keys()
    for identifier, one in came.items():
        document = cap_document(there.relay, one)
        shape_of(document)
        if identifier in elements:
            assert differences(elements[identifier], fromstring(document)) == []
    return len(came)


DATA = Path(__file__).parents[3] / "shared" / "data" / "cap"
REAL = [path.relative_to(DATA).as_posix() for path in sorted(DATA.glob("*/*")) if path.suffix != ".pem"]


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
async def test_a_real_file_crosses_whole_and_comes_out_as_it_was_by_the_schema(
    importer: tuple[Station, Station], name: str
) -> None:
    data = (DATA / name).read_bytes()
    if b"<!DOCTYPE" in data:
        assert [one.fate for one in take(importer[0], data)] == [Fate.REFUSED]
        return
    count = await comes_out_as_it_was(importer, data)
    taken = take(importer[0], data)
    assert len([one for one in taken if one.fate is Fate.KNOWN]) >= count
    assert all(one.detail for one in taken if one.fate is not Fate.KNOWN)
    schema = xmlschema.XMLSchema(DATA / "CAP-v1.2.xsd")
    _, there = importer
    for header in there.relay.store.by_key(there.index.keys).values():
        schema.validate(cap_document(there.relay, there.relay.bulletin(header.id, Clock(SOON))).decode())
