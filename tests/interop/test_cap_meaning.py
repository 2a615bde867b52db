"""Nothing that is mapped is lost: from bulletin to CAP and back, from alert to bulletin and back, and when mutated."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import Phase, given, settings

from meshrelay.core.bulletin import Area, Bulletin, Chain, MsgType, Origin, Resource
from meshrelay.core.envelope import SignedItem
from meshrelay.errors import InvalidDocument
from meshrelay.interop import cap
from meshrelay.interop.cap import forms
from meshrelay.interop.cap.languages import RESERVED
from meshrelay.interop.cap.schema import ORDER
from tests.interop.comparing import differences
from tests.interop.test_cap import ALERT, FULL, NS, shape_of, signed
from tests.strategies import bulletins

SAMPLES = Path(__file__).parent / "samples"


def items_of(alert: cap.ImportedAlert) -> list[SignedItem]:
    """Sign what was made of an alert, as one stream."""
    return [signed(dataclasses.replace(one, chain=Chain(bytes(8), at))) for at, one in enumerate(alert.drafts, 1)]


def exported(alert: cap.ImportedAlert) -> bytes:
    items = items_of(alert)
    documents = {cap.write_alert(item, others=items) for item in items}
    assert len(documents) == 1
    return documents.pop()


def alerts_in(data: bytes, *, now: int) -> dict[str, cap.ImportedAlert]:
    try:
        answers = cap.read_alerts(data, now=now)
    except InvalidDocument:
        return {}
    return {one.identity.identifier: one for one in answers if isinstance(one, cap.ImportedAlert)}


def elements_in(data: bytes) -> dict[str, Element]:
    found = [one for one in fromstring(data).iter() if one.tag.endswith("}alert")]
    return {one.findtext("{*}identifier", "").strip(): one for one in found}


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(SAMPLES.iterdir()) if path.suffix in (".xml", ".atom", ".rss")]
)
def test_every_field_of_a_sample_is_there_again_after_import_and_export(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    before = elements_in(data) if name != "latin-1.xml" else elements_in(data.replace(b"ISO-8859-1", b"windows-1252"))
    alerts = alerts_in(data, now=1_931_000_000)
    assert before.keys() <= alerts.keys()
    for identifier, element in before.items():
        document = exported(alerts[identifier])
        shape_of(document)
        changed = differences(element, fromstring(document))
        # The sample writes one time in a way that CAP does not allow.
        assert [one for one in changed if "synthetic-flood-3,2031-03-14T10:00:00Z" not in one] == []


def test_infos_that_differ_in_audience_parameters_and_files_keep_what_is_their_own() -> None:
    def info(tag: str, audience: str, *beside: str) -> str:
        return f"""<info><language>{tag}</language><category>Met</category><event>Storm</event>
            <urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty>
            <audience>{audience}</audience>{"".join(beside)}<area><areaDesc>{tag}</areaDesc></area></info>"""

    def parameter(name: str, value: str) -> str:
        return f"<parameter><valueName>{name}</valueName><value>{value}</value></parameter>"

    def file(name: str) -> str:
        return f"<resource><resourceDesc>{name}</resourceDesc><mimeType>image/png</mimeType></resource>"

    shared, twice = parameter("level", "3"), parameter("x", "1") * 2
    infos = (
        info("fr-CA", "grand public", parameter("couleur", "rouge"), shared, file("carte")),
        info("en-CA", "general public", shared, parameter("colour", "red"), twice, file("map"), file("both")),
        info("iu", "", file("both")),
    )
    alert = ALERT[: ALERT.index("<info>")] + "".join(infos) + "</alert>"
    (read,) = alerts_in(alert.encode(), now=1_699_000_000).values()
    assert len(read.drafts) == 1
    assert differences(fromstring(alert), fromstring(exported(read))) == []
    order = [one.text for one in fromstring(exported(read)).iter(NS + "language")]
    assert order == ["fr-CA", "en-CA", "iu"]


def test_reserved_parameters_of_others_are_left_out() -> None:
    reserved = f"<parameter><valueName>{RESERVED}parameters:en</valueName><value>7 x -1</value></parameter>"
    (read,) = alerts_in(ALERT.replace("<area>", f"{reserved}<area>").encode(), now=1_699_000_000).values()
    assert read.drafts[0].parameters == ()
    forged = signed(dataclasses.replace(FULL, parameters=((f"{RESERVED}parameters:en", "9 0 x"), ("a", "b"))))
    names = {one.findtext(f"{NS}valueName") for one in fromstring(cap.write_alert(forged)).iter(f"{NS}parameter")}
    assert names == {"a"}


# A bulletin to CAP and back


def as_written(text: str) -> str:
    """Return a text as XML and the reader keep it: without what XML cannot hold, and without blanks at its ends."""
    held = "".join(char for char in text if char not in "\ufffe\uffff")
    return " ".join(held.split())


def meaning(bulletin: Bulletin) -> dict[str, object]:
    """Return what a bulletin says, as far as CAP has a place for it."""
    b = bulletin
    if not b.texts:
        return {"msg_type": b.msg_type, "status": b.status, "source": as_written(b.source), "note": as_written(b.note)}
    return {
        "msg_type": b.msg_type,
        "status": b.status,
        "categories": b.categories,
        "responses": b.responses,
        "graveness": (b.urgency, b.severity, b.certainty),
        "times": (b.effective, b.onset, b.expires),
        "texts": {text.language: said(text) for text in b.texts},
        "areas": [placed(area, [text.language for text in b.texts]) for area in b.areas],
        "codes": [as_written(code) for code in b.codes if as_written(code) and not code.startswith("urn:meshrelay:")],
        "event_codes": paired(b.event_codes),
        "parameters": sorted({pair for pair in paired(b.parameters) if not pair[0].startswith(RESERVED)}),
        "resources": {filed(one) for one in b.resources if as_written(one.description)},
        "rest": tuple(as_written(text) for text in (b.note, b.audience, b.source, b.incidents)),
    }


def said(text: object) -> dict[str, str]:
    values = dataclasses.asdict(text)  # type: ignore[call-overload]
    return {
        name: as_written(forms.uri(value) if name == "web" and value else value)
        for name, value in values.items()
        if name != "language"
    }


def paired(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(as_written(name), as_written(value)) for name, value in pairs if as_written(name)]


def placed(area: Area, languages: list[str]) -> tuple[object, ...]:
    names = dict(area.names)
    first = next(iter(names.values()))
    return (
        {language: as_written(names.get(language, first)) for language in languages},
        area.polygons,
        area.circles,
        paired(area.geocodes),
        *(text if forms.is_number(text) else "" for text in (area.altitude, area.ceiling)),
    )


def filed(resource: Resource) -> tuple[object, ...]:
    uri = as_written(forms.uri(resource.uri)) if resource.uri else ""
    media_type = as_written(resource.mime_type) or "application/octet-stream"
    return as_written(resource.description), media_type, uri, resource.size, as_written(resource.digest)


def has_its_words(bulletin: Bulletin) -> bool:
    """Tell whether every word that CAP demands is one that XML can hold."""
    words = [text.event for text in bulletin.texts] + [word for area in bulletin.areas for _, word in area.names]
    return all(map(as_written, words))


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
@given(bulletins().filter(has_its_words))
def test_any_bulletin_keeps_its_meaning_on_the_way_to_cap_and_back(drawn: Bulletin) -> None:
    target = signed(dataclasses.replace(FULL, sent=drawn.sent, expires=drawn.sent + 1, effective=None, onset=None))
    references = (target.id,) if drawn.msg_type is not MsgType.ALERT else ()
    own = dataclasses.replace(drawn, origin=Origin(), references=references, expires_assumed=False)
    document = cap.write_alert(signed(own), targets=[target])
    shape_of(document)
    (alert,) = cap.read_alerts(document, now=own.sent)
    assert isinstance(alert, cap.ImportedAlert), alert
    (back,) = alert.drafts
    assert meaning(back) == meaning(own)
    if references:
        assert [one.identifier for one in back.origin.references] == [f"urn:meshrelay:id:{target.id.hex()}"]


# Alerts that were altered


def mutated(root: Element, dice: random.Random) -> Element:
    """Alter an alert in one to three places, as a careless program or a hostile one would."""
    for _ in range(dice.randint(1, 3)):
        elements = [one for one in root.iter() if len(one) or one is root]
        parent = dice.choice(elements)
        child = dice.choice(list(parent)) if len(parent) else None
        match dice.randrange(8):
            case 0 if child is not None:
                parent.remove(child)
            case 1 if child is not None:
                parent.append(child)
            case 2 if child is not None:
                parent.remove(child)
                parent.insert(dice.randrange(len(parent) + 1), child)
            case 3:
                name = dice.choice([one for names in ORDER.values() for one in names])
                ElementTree.SubElement(parent, NS + name).text = dice.choice(WORDS)
            case 4 if child is not None:
                child.tag = NS + dice.choice([one for names in ORDER.values() for one in names])
            case 5 if child is not None:
                child.text = dice.choice(WORDS)
            case 6 if child is not None and child.text:
                at = dice.randrange(len(child.text))
                child.text = child.text[:at] + dice.choice(WORDS) + child.text[at + 1 :]
            case _:
                parent.text, parent.tail = dice.choice(WORDS), dice.choice(WORDS)
    return root


WORDS = [
    *("", " ", "\n\t", ",", "<&>", "0", "-1", "1e9", "NaN", "²", "١٢", "Actual", "Public", "Alert", "Update", "Past"),
    *("2031-03-14T10:00:00Z", "2031-03-14T10:00:00+99:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("a,b,2031-03-14T10:00:00+05:00", "90,180", "91,0 0,0", "1,2 1,3 2,3 1,2", "1,2 0", "\u202e", "\u0085", "e\u0301"),
    *("und", "x-y", "en-US", "en_GB", "a" * 36, "x" * 1_001, "urn:meshrelay:info:languages", "\U0010fffd"),
]


@pytest.mark.parametrize("name", ["flood-1-alert.xml", "flood-3-update.xml", "flood-4-cancel.xml"])
def test_any_mutated_alert_gives_a_bulletin_or_a_reason(name: str) -> None:
    for seed in range(60):
        check_mutated(name, seed)


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["flood-1-alert.xml", "flood-3-update.xml", "flood-4-cancel.xml"])
def test_any_of_many_mutated_alerts_gives_a_bulletin_or_a_reason(name: str) -> None:
    for seed in range(10_000):
        check_mutated(name, seed)


def check_mutated(name: str, seed: int) -> None:
    """Alter a sample by a seed; what comes of it can be signed and exported, or is refused with a reason."""
    root = mutated(fromstring((SAMPLES / name).read_bytes()), random.Random(seed))
    try:
        answers = cap.read_alerts(ElementTree.tostring(root), now=1_931_000_000)
    except InvalidDocument as refusal:
        answers = [refusal]
    assert answers
    for answer in answers:
        if isinstance(answer, InvalidDocument):
            assert answer.element
            assert answer.detail
        elif isinstance(answer, cap.ImportedAlert):
            document = exported(answer)
            shape_of(document)
            (again,) = cap.read_alerts(document, now=1_931_000_000)
            assert isinstance(again, cap.ImportedAlert)
            assert differences(fromstring(document), fromstring(exported(again))) == []
