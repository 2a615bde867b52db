from __future__ import annotations

import dataclasses
import hashlib
from xml.etree import ElementTree

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.admission import admit, sign
from meshrelay.core.bulletin import (
    MAX_LIFE,
    Area,
    Bulletin,
    CapReference,
    Category,
    Chain,
    Circle,
    MsgType,
    OriginKind,
    Point,
    Resource,
    Response,
    Severity,
    Status,
    Text,
    XmlSignature,
)
from meshrelay.core.envelope import SignedItem
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.errors import InvalidDocument
from meshrelay.interop import cap
from meshrelay.interop.cap import Change
from meshrelay.interop.cap.forms import uri
from meshrelay.interop.cap.schema import MAX_ELEMENTS, ORDER
from meshrelay.interop.cap.shapes import simplified

NOW = 1_700_000_000  # 2023-11-14T22:13:20Z
DAY = 86_400
KEY = SigningKey.from_seed(bytes(range(32)))
NS = "{urn:oasis:names:tc:emergency:cap:1.2}"

INFO = """
  <info>
    <language>en</language><category>Met</category><event>Flood</event><responseType>Evacuate</responseType>
    <urgency>Immediate</urgency><severity>Extreme</severity><certainty>Observed</certainty>
    <expires>2023-11-15T10:00:00+05:00</expires>
    <headline>Leave the river bank</headline>
    <area><areaDesc>River bank</areaDesc></area>
  </info>"""

ALERT = f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>flood-7</identifier>
  <sender>water@example.org</sender>
  <sent>2023-11-15T02:00:00+05:00</sent>
  <status>Actual</status>
  <msgType>Alert</msgType>
  <scope>Public</scope>{INFO}
</alert>"""


def read(text: str, *, now: int = NOW, checked: bool = False) -> cap.ImportedAlert:
    (answer,) = cap.read_alerts(text.encode(), now=now, checked=checked)
    if isinstance(answer, InvalidDocument):
        raise answer
    assert isinstance(answer, cap.ImportedAlert)
    return answer


def draft_of(text: str, *, now: int = NOW) -> Bulletin:
    (draft,) = read(text, now=now).drafts
    return draft


def signed(bulletin: Bulletin) -> SignedItem:
    return admit(sign(bulletin, KEY).data)


def own(**values: object) -> Bulletin:
    bulletin = Bulletin(
        sent=NOW, expires=NOW + DAY, chain=Chain(bytes(8), 1), texts=(Text("en", "Flood", "Leave the river bank"),)
    )
    return dataclasses.replace(bulletin, **values)  # type: ignore[arg-type]


def test_an_alert_becomes_a_draft_in_the_same_words() -> None:
    draft = draft_of(ALERT)
    assert draft.texts == (Text("en", "Flood", "Leave the river bank"),)
    assert draft.categories == (Category.MET,)
    assert draft.responses == (Response.EVACUATE,)
    assert draft.severity is Severity.EXTREME
    assert draft.areas == (Area(names=(("en", "River bank"),)),)
    assert draft.sent == NOW
    assert draft.expires == 1_700_024_400
    origin = draft.origin
    assert origin.kind is OriginKind.CAP
    assert origin.identity == CapReference("water@example.org", "flood-7", "2023-11-15T02:00:00+05:00")
    assert origin.expires == "2023-11-15T10:00:00+05:00"
    assert origin.digest == hashlib.sha256(ALERT.encode()).digest()
    assert origin.signature is XmlSignature.ABSENT
    assert not origin.checked
    assert read(ALERT).changes == frozenset()


def test_a_draft_passes_the_gate() -> None:
    assert signed(draft_of(ALERT)).body == draft_of(ALERT)


def test_checked_is_what_the_operator_said() -> None:
    assert read(ALERT, checked=True).drafts[0].origin.checked


def test_version_1_1_and_prefixes_map_the_same_way() -> None:
    older = ALERT.replace("cap:1.2", "cap:1.1")
    prefixed = ALERT.replace("<", "<c:").replace("<c:/", "</c:").replace("<c:?", "<?").replace("xmlns=", "xmlns:c=")
    plain = dataclasses.replace(draft_of(ALERT), origin=own().origin)
    for other in (older, prefixed):
        assert dataclasses.replace(draft_of(other), origin=own().origin) == plain


def test_the_order_of_elements_does_not_matter_in_what_is_read() -> None:
    shuffled = ALERT.replace("  <scope>Public</scope>", "").replace("</alert>", "<scope>Public</scope></alert>")
    assert draft_of(shuffled).texts == draft_of(ALERT).texts


REFUSED = {
    "identifier": ("<identifier>flood-7</identifier>", ""),
    "sender": ("water@example.org", " "),
    "sent": ("2023-11-15T02:00:00+05:00", "2023-11-15T02:00:00"),
    "status": ("Actual", "Draft"),
    "msgType": ("<msgType>Alert", "<msgType>Ack"),
    "scope": ("Public", "Restricted"),
    "category": ("Met", "Weather"),
    "event": ("<event>Flood</event>", "<event/>"),
    "responseType": ("Evacuate", "Run"),
    "urgency": ("Immediate", "immediate"),
    "severity": ("<severity>Extreme</severity>", ""),
    "certainty": ("Observed", ""),
    "expires": ("2023-11-15T10:00:00+05:00", "2023-02-30T10:00:00+05:00"),
    "language": ("<language>en<", "<language>English, British<"),
    "areaDesc": ("<areaDesc>River bank</areaDesc>", ""),
    "polygon": ("</areaDesc>", "</areaDesc><polygon>1,2 3,4</polygon>"),
    "circle": ("</areaDesc>", "</areaDesc><circle>91,2 3</circle>"),
    "altitude": ("</areaDesc>", "</areaDesc><altitude>high</altitude>"),
    "references": ("<scope>", "<references>one,two</references><scope>"),
    "headline": ("<headline>", "<headline>Stay</headline><headline>"),
}


@pytest.mark.parametrize("element", REFUSED)
def test_a_refusal_names_the_element(element: str) -> None:
    old, new = REFUSED[element]
    assert old in ALERT
    (answer,) = cap.read_alerts(ALERT.replace(old, new).encode(), now=NOW)
    assert isinstance(answer, InvalidDocument)
    assert answer.element == element


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Actual", "System", "not for the public"),
        ("<msgType>Alert", "<msgType>Error", "speaks to the sender"),
        ("Public", "Private", "only what is Public"),
        ("<msgType>Alert", "<msgType>Update", "names what it acts on"),
    ],
)
def test_what_is_not_for_the_public_is_refused_with_the_reason(old: str, new: str, said: str) -> None:
    with pytest.raises(InvalidDocument, match=said):
        read(ALERT.replace(old, new))


DOCUMENTS = {
    "nothing": b"",
    "not XML": b"a flood",
    "not CAP": b"<alert/>",
    "another version": ALERT.replace("cap:1.2", "cap:1.3").encode(),
    "a document type": ALERT.replace("?>\n", "?>\n<!DOCTYPE alert>\n", 1).encode(),
    "an entity": ALERT.replace("?>\n", '?>\n<!DOCTYPE alert [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n', 1).encode(),
    "an encoding nobody knows": ALERT.replace("UTF-8", "klingon").encode(),
    "a multi-byte encoding that it is not in": ALERT.replace("UTF-8", "shift_jis").encode() + b"\x85",
    "not UTF-8": ALERT.replace("bank", "bank\u0100").encode().replace("\u0100".encode(), b"\xff"),
    "too large": b" " * (cap.MAX_DOCUMENT + 1),
    "too deep": b"<a>" * 100 + b"</a>" * 100,
    "too many elements": b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_no_document_is_refused_as_a_whole(name: str) -> None:
    with pytest.raises(InvalidDocument):
        cap.read_alerts(DOCUMENTS[name], now=NOW)


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(InvalidDocument):
        cap.read_alerts(data, now=NOW)


@settings(max_examples=150)
@given(st.integers(0, len(ALERT)), st.integers(0, 60), st.text(max_size=40))
def test_a_document_altered_anywhere_is_read_or_refused(at: int, lost: int, put: str) -> None:
    data = (ALERT[:at] + put + ALERT[at + lost :]).encode()
    try:
        answers = cap.read_alerts(data, now=NOW)
    except InvalidDocument:
        return
    for answer in answers:
        if isinstance(answer, cap.ImportedAlert):
            for draft in answer.drafts:
                signed(draft)


VALUES = st.one_of(st.text(max_size=60), st.sampled_from(["-1", "1e9", "NaN", "Infinity", "१,२ ३,४", "0,0 " * 5, "²"]))


@settings(max_examples=150)
@given(st.sampled_from(["area", "info", "alert"]), st.data())
def test_values_of_any_kind_are_read_or_refused(parent: str, data: st.DataObject) -> None:
    names = {
        "area": ["areaDesc", "polygon", "circle", "altitude", "ceiling", "geocode"],
        "info": ["language", "event", "effective", "onset", "web", "contact", "resource", "parameter", "audience"],
        "alert": ["identifier", "sent", "note", "references", "incidents", "code", "source"],
    }[parent]
    root = fromstring(ALERT)
    element = root if parent == "alert" else root.find(f".//{NS}{parent}")
    assert element is not None
    child = ElementTree.SubElement(element, NS + data.draw(st.sampled_from(names)))
    child.text = data.draw(VALUES)
    for name in ("valueName", "value", "resourceDesc", "size"):
        ElementTree.SubElement(child, NS + name).text = data.draw(VALUES)
    try:
        answers = cap.read_alerts(ElementTree.tostring(root), now=NOW)
    except InvalidDocument:
        return
    for answer in answers:
        if isinstance(answer, cap.ImportedAlert):
            cap.write_alert(signed(answer.drafts[0]))


# Times


def test_an_alert_that_is_past_has_expired_when_it_is_signed_and_keeps_its_own_times() -> None:
    now = NOW + 400 * DAY
    draft = draft_of(ALERT, now=now)
    assert (draft.sent, draft.expires) == (now, now + 1)
    assert draft.origin.expires == "2023-11-15T10:00:00+05:00"
    assert read(ALERT, now=now).changes == {Change.PAST}


def test_an_alert_without_an_end_holds_a_day_from_its_own_time() -> None:
    endless = ALERT.replace("<expires>2023-11-15T10:00:00+05:00</expires>", "")
    draft = draft_of(endless)
    assert draft.expires == 1_699_995_600 + DAY
    assert draft.expires_assumed
    assert draft.origin.expires == ""
    assert draft_of(endless, now=NOW + 2 * DAY).expires == NOW + 2 * DAY + 1


def test_an_end_over_90_days_away_is_cut() -> None:
    far = ALERT.replace("2023-11-15T10", "2024-11-15T10")
    assert draft_of(far).expires == NOW + MAX_LIFE
    assert draft_of(far).origin.expires == "2024-11-15T10:00:00+05:00"
    assert read(far).changes == {Change.CUT}


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2023-11-15T10:00:00+05:00", 1_700_024_400),
        ("2023-11-15T10:00:00-05:00", 1_700_060_400),
        ("2023-11-15T05:00:00-00:00", 1_700_024_400),
        ("2023-11-15T05:00:00Z", 1_700_024_400),
        ("2023-11-15T05:00:00.250Z", 1_700_024_400),
    ],
)
def test_a_time_is_read_with_its_offset_and_kept_as_written(written: str, seconds: int) -> None:
    draft = draft_of(ALERT.replace("<expires>", f"<onset>{written}</onset><expires>"))
    assert draft.onset == seconds
    assert draft.origin.onset == written


@pytest.mark.parametrize(
    "written", ["2023-11-15", "15.11.2023", "2023-11-15T10:00:00", "2023-13-15T10:00:00+05:00", "0"]
)
def test_a_time_that_is_none_is_refused(written: str) -> None:
    with pytest.raises(InvalidDocument, match="onset"):
        read(ALERT.replace("<expires>", f"<onset>{written}</onset><expires>"))


# References, languages, incidents


def test_references_are_read_as_triples_and_act_on_what_was_imported() -> None:
    cancel = ALERT.replace("<msgType>Alert", "<msgType>Cancel").replace(INFO, "").replace("flood-7", "flood-8")
    cancel = cancel.replace(
        "</scope>",
        "</scope><references>water@example.org,flood-7,2023-11-15T02:00:00+05:00\n"
        " a,b,c,2023-11-15T01:00:00Z</references>",
    )
    draft = draft_of(cancel)
    assert draft.msg_type is MsgType.CANCEL
    assert draft.texts == ()
    assert draft.origin.references == (
        CapReference("water@example.org", "flood-7", "2023-11-15T02:00:00+05:00"),
        CapReference("a", "b,c", "2023-11-15T01:00:00Z"),
    )
    assert draft_of(ALERT).alias in signed(draft).header.targets


def test_the_newest_references_stay_where_there_are_too_many() -> None:
    many = " ".join(f"a,{n},2023-11-15T02:00:00+05:00" for n in range(100))
    answer = read(ALERT.replace("</scope>", f"</scope><references>{many}</references>"))
    assert [reference.identifier for reference in answer.drafts[0].origin.references] == [
        str(n) for n in range(36, 100)
    ]
    assert Change.ENTRIES in answer.changes


POLYGON = "<polygon>43,76 44,76 44,77 43,76</polygon>"


def info(
    language: str, *, event: str = "Flood", severity: str = "Extreme", area: str = "River", shape: str = ""
) -> str:
    return (
        INFO.replace(">en<", f">{language}<")
        .replace(">Flood<", f">{event}<")
        .replace("Extreme", severity)
        .replace("River bank", area)
        .replace("</areaDesc>", f"</areaDesc>{shape}")
    )


def texts(alert: str) -> list[list[tuple[str, str]]]:
    return [[(text.language, text.event) for text in draft.texts] for draft in read(alert).drafts]


def test_languages_of_one_incident_become_one_bulletin() -> None:
    alert = ALERT.replace(
        INFO,
        info("kk", event="Тасқын", area="Жаға", shape=POLYGON)
        + info("ru", event="Наводнение", area="Берег", shape=POLYGON),
    )
    assert texts(alert) == [[("kk", "Тасқын"), ("ru", "Наводнение")]]
    assert draft_of(alert).areas[0].names == (("kk", "Жаға"), ("ru", "Берег"))
    assert len(draft_of(alert).areas[0].polygons) == 1


def test_incidents_in_one_language_become_one_bulletin_each_with_one_origin() -> None:
    alert = ALERT.replace(INFO, info("en") + info("en", event="Storm"))
    assert texts(alert) == [[("en", "Flood")], [("en", "Storm")]]
    assert len({draft.alias for draft in read(alert).drafts}) == 1


def test_two_incidents_in_two_languages_are_told_apart_by_their_places() -> None:
    other = POLYGON.replace("44", "45")
    infos = info("en", shape=POLYGON) + info("fr", shape=POLYGON) + info("en", shape=other) + info("fr", shape=other)
    alert = ALERT.replace(INFO, infos)
    assert [[language for language, _ in group] for group in texts(alert)] == [["en", "fr"], ["en", "fr"]]
    assert read(alert).drafts[0].areas != read(alert).drafts[1].areas


def test_a_translation_that_names_no_place_joins_the_one_that_does() -> None:
    bare = info("fr").replace("<area><areaDesc>River</areaDesc></area>", "")
    assert draft_of(ALERT.replace(INFO, bare + info("en"))).areas == (Area(names=(("en", "River"),)),)


def test_another_severity_is_another_incident() -> None:
    assert len(read(ALERT.replace(INFO, info("en") + info("fr", severity="Minor"))).drafts) == 2


def test_a_language_is_english_where_none_is_named() -> None:
    assert draft_of(ALERT.replace("<language>en</language>", "")).texts[0].language == "en-US"


# Places


def test_places_are_read_latitude_first_in_micro_degrees() -> None:
    (area,) = draft_of(
        ALERT.replace(
            "</areaDesc>",
            "</areaDesc><polygon>43.25,-76.9 44,76.0000004 -44.1,77 43.25,-76.9</polygon>"
            "<circle>-12.747,88.783 0.5</circle>"
            "<geocode><valueName>KATO</valueName><value>750000000</value></geocode><altitude>10.5</altitude>",
        )
    ).areas
    assert area.polygons[0][0] == Point(43_250_000, -76_900_000)
    assert area.polygons[0][1] == Point(44_000_000, 76_000_000)
    assert area.circles == (Circle(Point(-12_747_000, 88_783_000), 500),)
    assert area.geocodes == (("KATO", "750000000"),)
    assert area.altitude == "10.5"


def test_an_open_polygon_is_closed_and_said() -> None:
    answer = read(ALERT.replace("</areaDesc>", "</areaDesc><polygon>43,76 44,76 44,77</polygon>"))
    assert answer.changes == {Change.CLOSED}
    assert answer.drafts[0].areas[0].polygons[0][-1] == Point(43_000_000, 76_000_000)


def test_empty_optional_elements_count_as_absent() -> None:
    draft_of(ALERT.replace("</areaDesc>", "</areaDesc><polygon/><circle> </circle><altitude/>"))


def ring(count: int) -> str:
    upper = [f"{10 + n / count:.6f},{20 + (n % 7) / 1000:.6f}" for n in range(count)]
    return " ".join([*upper, "10,30", upper[0]])


def test_resources_go_first_and_polygons_are_simplified_where_there_is_no_room() -> None:
    resource = "<resource><resourceDesc>Map</resourceDesc><mimeType>image/png</mimeType></resource>"
    shape = f"<polygon>{ring(41_000)}</polygon>{POLYGON}"
    answer = read(ALERT.replace("<area>", resource + "<area>").replace("</areaDesc>", f"</areaDesc>{shape}"))
    (draft,) = answer.drafts
    assert answer.changes == {Change.RESOURCES, Change.SHAPES}
    assert draft.resources == ()
    large, small = draft.areas[0].polygons
    assert 5_500 < len(large) < 6_500
    assert large[0] == large[-1]
    assert Point(10_000_000, 30_000_000) in large
    assert len(small) == 4
    full_chain = Chain(bytes(8), 2**53 - 1, bytes(32), tuple(range(2**53 - 100, 2**53 - 36)))
    signed(dataclasses.replace(draft, chain=full_chain))


def test_more_points_than_any_map_has_are_refused() -> None:
    shape = f"<polygon>{'0,0 1,1 ' * 130_000}0,0</polygon>"
    with pytest.raises(InvalidDocument, match="points"):
        read(ALERT.replace("</areaDesc>", f"</areaDesc>{shape}"))


def test_simplification_keeps_the_corners_that_matter() -> None:
    square = [Point(lat, lon) for lat, lon in [(0, 0), (0, 1000), (1000, 1000), (1000, 0), (0, 0)]]
    noisy = [square[0], Point(1, 500), *square[1:3], Point(1001, 400), *square[3:]]
    (area,) = simplified([Area(names=(("en", "x"),), polygons=(tuple(noisy),))], 5)
    assert area.polygons == (tuple(square),)


def test_what_cannot_be_made_to_fit_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="64 KiB"):
        read(ALERT.replace("<area>", "<description>" + "д" * 50_000 + "</description><area>"))


def test_the_last_area_takes_in_what_is_too_many() -> None:
    areas = "".join(f"<area><areaDesc>Place {n}</areaDesc></area>" for n in range(300))
    (draft,) = read(ALERT.replace("<area><areaDesc>River bank</areaDesc></area>", areas)).drafts
    assert len(draft.areas) == 256
    assert draft.areas[-1].names[0][1].startswith("Place 255; Place 256;")
    assert draft.areas[-1].names[0][1].endswith("Place 299")


# Words


def test_text_keeps_its_lines_and_loses_the_margin_of_the_printer() -> None:
    draft = draft_of(
        ALERT.replace(
            "<area>",
            "<description>\n      Leave now.\n\n        - east\n      Water\trises.\r\n    </description><area>",
        )
    )
    assert draft.texts[0].description == "Leave now.\n\n  - east\nWater rises."


def test_characters_that_mislead_are_left_out_and_said() -> None:
    answer = read(ALERT.replace("Leave the", "Leave\u202e the\u0085"))
    assert answer.drafts[0].texts[0].headline == "Leave the river bank"
    assert answer.changes == {Change.TEXT}


def test_a_long_headline_is_shortened_and_said() -> None:
    answer = read(ALERT.replace("Leave the", "Leave " * 300))
    assert len(answer.drafts[0].texts[0].headline) <= 1000
    assert answer.drafts[0].texts[0].headline.endswith("…")
    assert answer.changes == {Change.TEXT}


def test_a_sender_that_would_have_to_be_altered_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="sender"):
        read(ALERT.replace("water@", "water\u202e@"))


def test_a_signature_is_reported_and_not_believed() -> None:
    signature = '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature></alert>'
    assert draft_of(ALERT.replace("</alert>", signature)).origin.signature is XmlSignature.PRESENT


def test_other_names_of_latin_1_are_read() -> None:
    data = ALERT.replace("UTF-8", "ISO-8859-1").replace("River bank", "Usulután").encode("latin-1")
    (answer,) = cap.read_alerts(data, now=NOW)
    assert isinstance(answer, cap.ImportedAlert)
    assert answer.drafts[0].areas[0].names[0][1] == "Usulután"


# Writing

FULL = own(
    texts=(
        Text(
            "en",
            "Flood",
            "Leave",
            "Water rises.\nFast.",
            "Go east",
            "City hall",
            "+7 700",
            "https://example.org/a?b=1#c",
        ),
        Text("fa", "سیل", "بروید"),
    ),
    status=Status.EXERCISE,
    categories=(Category.MET, Category.SAFETY),
    responses=(Response.EVACUATE, Response.AVOID),
    effective=NOW - 60,
    onset=NOW + 60,
    areas=(
        Area(
            (("en", "Bank"), ("fa", "ساحل")),
            (
                (
                    Point(43_250_000, -76_900_001),
                    Point(44_000_000, 1),
                    Point(-44_100_000, 0),
                    Point(43_250_000, -76_900_001),
                ),
            ),
            (Circle(Point(1, -1), 1_500),),
            (("KATO", "750000000"), ("x", "")),
            "10.5",
            "20",
        ),
    ),
    codes=("profile:one",),
    event_codes=(("SAME", "FLW"),),
    parameters=(("depth", "2 m"), ("none", "")),
    resources=(Resource("Map", "image/png", "https://example.org/m.png", 0, "aa"), Resource("Other")),
    note="A drill",
    audience="All",
    source="Desk",
    incidents="river",
)


def shape_of(data: bytes) -> None:
    """Check names and order of all elements without the schema."""
    for element in fromstring(data).iter():
        name = element.tag.removeprefix(NS)
        expected = ORDER.get(name, ())
        places = [expected.index(child.tag.removeprefix(NS)) for child in element]
        assert places == sorted(places)


def test_elements_are_written_in_the_order_of_the_schema() -> None:
    shape_of(cap.write_alert(signed(FULL)))


def test_times_are_written_with_an_offset_in_digits() -> None:
    root = fromstring(cap.write_alert(signed(FULL)))
    for name, text in (("sent", "22:13:20"), ("info/expires", "22:13:20"), ("info/onset", "22:14:20")):
        found = root.findtext("/".join(NS + part for part in name.split("/")))
        assert found is not None
        assert found.endswith(f"T{text}+00:00")


def test_a_drill_is_written_as_an_exercise() -> None:
    assert fromstring(cap.write_alert(signed(FULL))).findtext(NS + "status") == "Exercise"


def test_places_are_written_latitude_first() -> None:
    root = fromstring(cap.write_alert(signed(FULL)))
    assert root.findtext(f".//{NS}polygon") == "43.25,-76.900001 44,0.000001 -44.1,0 43.25,-76.900001"
    assert root.findtext(f".//{NS}circle") == "0.000001,-0.000001 1.5"


def test_an_own_bulletin_is_named_by_its_key_and_id() -> None:
    item = signed(own())
    root = fromstring(cap.write_alert(item))
    assert root.findtext(NS + "identifier") == f"urn:meshrelay:id:{item.id.hex()}"
    assert root.findtext(NS + "sender") == f"urn:meshrelay:key:{item.author.hex()}"


def test_a_cancel_names_what_it_acts_on_as_triples_and_by_id() -> None:
    target, missing = signed(own()), bytes(32)
    cancel = signed(own(msg_type=MsgType.CANCEL, references=(target.id, missing)))
    root = fromstring(cap.write_alert(cancel, targets=[target]))
    name = cap.triple(target)
    assert root.findtext(NS + "references") == f"{name.sender},{name.identifier},{name.sent}"
    assert [code.text for code in root.findall(NS + "code")] == [
        f"urn:meshrelay:acts-on:{target.id.hex()}",
        f"urn:meshrelay:acts-on:{missing.hex()}",
    ]


def test_a_cancel_that_names_a_statement_is_written_without_its_triple() -> None:
    statement = sign(Revocation(NOW, KEY.public), KEY)
    cancel = signed(own(msg_type=MsgType.CANCEL, references=(statement.id,)))
    assert b"<references>" not in cap.write_alert(cancel, targets=[statement])


def test_an_update_by_export_and_import_still_finds_its_target() -> None:
    target = signed(own())
    update = cap.write_alert(signed(own(msg_type=MsgType.UPDATE, references=(target.id,))), targets=[target])
    first = draft_of(cap.write_alert(target).decode())
    second = draft_of(update.decode())
    assert second.targets == (first.alias,)


def without_file(bulletin: Bulletin) -> Bulletin:
    return dataclasses.replace(bulletin, origin=dataclasses.replace(bulletin.origin, digest=None))


@pytest.mark.parametrize("now", [NOW, NOW + 400 * DAY])
def test_an_imported_alert_is_written_and_read_back_as_it_was(now: int) -> None:
    resource = "<resource><resourceDesc>Map</resourceDesc><mimeType>image/png</mimeType><size>9</size></resource>"
    shape = POLYGON + "<circle>1,2 3</circle><geocode><valueName>a</valueName><value>b</value></geocode>"
    alert = ALERT.replace(INFO, info("en", shape=shape) + info("fr", area="Rive", shape=shape))
    alert = alert.replace("<area>", resource + "<area>").replace(
        "</scope>", "</scope><code>c</code><note>n</note><references>a,b,2023-11-15T02:00:00-00:00</references>"
    )
    draft = draft_of(alert, now=now)
    again = draft_of(cap.write_alert(signed(draft)).decode(), now=now)
    assert without_file(again) == without_file(draft)


def test_an_assumed_end_is_not_written_as_if_the_sender_had_named_it() -> None:
    draft = draft_of(ALERT.replace("<expires>2023-11-15T10:00:00+05:00</expires>", ""))
    assert b"<expires>" not in cap.write_alert(signed(draft))


def test_everything_but_the_stream_survives_writing_and_reading() -> None:
    back = draft_of(cap.write_alert(signed(FULL)).decode())
    names = {field.name for field in dataclasses.fields(Bulletin)} - {"origin", "chain", "resources"}
    for name in names:
        assert getattr(back, name) == getattr(FULL, name), name
    assert back.resources[0] == FULL.resources[0]
    assert back.resources[1].mime_type == "application/octet-stream"


@given(st.text(max_size=30))
def test_a_web_address_of_any_kind_stays_one_word(text: str) -> None:
    written = uri(text)
    assert written.isascii()
    assert not set(written) & set(' <>"{}|\\^`[]\n')


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://example.org/a?b=1&c=%20#d", "https://example.org/a?b=1&c=%20#d"),
        ("example.org/a", "example.org/a"),
        ("https://example.org/жол", "https://example.org/%D0%B6%D0%BE%D0%BB"),
        ("100%", "100%25"),
        ("a b", "a%20b"),
        (":", "%3A"),
        ("http://host:port/", "http%3A%2F%2Fhost%3Aport%2F"),
        ("http://[", "http://%5B"),
    ],
)
def test_a_web_address_is_left_as_it_is_where_it_can(text: str, written: str) -> None:
    assert uri(text) == written
