"""Real CAP files and the schema; they lie beside the checkout, not in it."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.bulletin import Area, CapReference, Origin, OriginKind, Resource, Text
from meshrelay.errors import InvalidDocument
from meshrelay.interop import cap
from tests.interop.test_cap import FULL, NOW, own, shape_of, signed

DATA = Path(__file__).parents[3] / "shared" / "data" / "cap"
pytestmark = pytest.mark.shared

IMPORTED = [
    "google/australia.cap",
    "google/canada.cap",
    "google/canada_signed.cap",
    "google/earthquake-iso8859-1.cap",
    "google/earthquake.cap",
    "google/earthquake_signed.cap",
    "google/no_optional_fields.cap",
    "google/wcatwc-warning.cap",
    "google/weather.cap",
    "oasis/example1.xml",
    "oasis/example2.xml",
    "oasis/example3.xml",
    "oasis/example4.xml",
]
REFUSED = {
    "google/canada_errors.cap": "references",
    "google/invalid.cap": "scope",
    "google/noaa_errors.cap": "urgency",
    "google/xee.cap": "document",
    "google/xee.atom": "document",
}


@functools.cache
def schema() -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(DATA / "CAP-v1.2.xsd")


def validate(data: bytes) -> None:
    schema().validate(data.decode())


@pytest.mark.parametrize("name", IMPORTED)
def test_a_real_alert_is_imported_and_written_again_by_the_schema(name: str) -> None:
    (answer,) = cap.read_alerts((DATA / name).read_bytes(), now=NOW)
    assert isinstance(answer, cap.ImportedAlert)
    for draft in answer.drafts:
        data = cap.write_alert(signed(draft))
        shape_of(data)
        validate(data)
        (again,) = cap.read_alerts(data, now=NOW)
        assert isinstance(again, cap.ImportedAlert)
        assert again.identity == answer.identity
        assert again.drafts[0].texts == draft.texts
        assert again.drafts[0].areas == draft.areas
        assert again.drafts[0].parameters == draft.parameters


@pytest.mark.parametrize("name", REFUSED)
def test_a_broken_or_hostile_alert_is_refused_by_the_name_of_the_element(name: str) -> None:
    try:
        (answer,) = cap.read_alerts((DATA / name).read_bytes(), now=NOW)
    except InvalidDocument as refusal:
        answer = refusal
    assert isinstance(answer, InvalidDocument)
    assert answer.element == REFUSED[name]


def test_a_signature_is_seen() -> None:
    for name in ("google/canada_signed.cap", "google/earthquake_signed.cap"):
        (answer,) = cap.read_alerts((DATA / name).read_bytes(), now=NOW)
        assert isinstance(answer, cap.ImportedAlert)
        assert answer.drafts[0].origin.signature == "present"


def test_any_file_beside_them_is_read_or_refused() -> None:
    for path in sorted(DATA.glob("*/*")):
        with contextlib.suppress(InvalidDocument):
            assert cap.read_alerts(path.read_bytes(), now=NOW)


def test_a_full_bulletin_is_valid_by_the_schema() -> None:
    validate(cap.write_alert(signed(FULL)))


CLEAN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf"]), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(CLEAN, CLEAN, CLEAN, CLEAN)
def test_words_of_any_kind_are_valid_by_the_schema(one: str, two: str, three: str, four: str) -> None:
    bulletin = own(
        texts=(Text("en", one, two, three, four, one, two, three),),
        areas=(Area((("en", four),), geocodes=((one, two),), altitude=three),),
        resources=(Resource(one, two, three, None, four),),
        codes=(one,),
        parameters=((two, three),),
        origin=Origin(OriginKind.CAP, identity=CapReference(one, two, three), expires=four),
    )
    validate(cap.write_alert(signed(bulletin)))
