"""What lies in a document: encodings, feeds, envelopes, several alerts; and documents made to hurt."""

from __future__ import annotations

import base64
import resource
import time
from pathlib import Path

import pytest

from meshrelay.core.bulletin import Status
from meshrelay.errors import InvalidDocument
from meshrelay.interop import cap
from meshrelay.interop.cap import Change
from meshrelay.interop.cap.schema import MAX_ELEMENTS, MAX_PARTS, MAX_READ
from tests.interop.test_cap import ALERT, INFO, NOW, signed

SAMPLES = Path(__file__).parent / "samples"
BARE = ALERT.partition("?>\n")[2]


def answers(data: bytes | str) -> list[cap.Answer]:
    return cap.read_alerts(data if isinstance(data, bytes) else data.encode(), now=NOW)


def imported(data: bytes | str) -> list[cap.ImportedAlert]:
    found = answers(data)
    assert [one for one in found if not isinstance(one, cap.ImportedAlert)] == []
    return [one for one in found if isinstance(one, cap.ImportedAlert)]


def refusal(data: bytes | str) -> InvalidDocument:
    try:
        (found,) = answers(data)
    except InvalidDocument as error:
        return error
    assert isinstance(found, InvalidDocument)
    return found


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


# Encodings

PLACE = "Усть-Каменогорск"
LATIN = "Hérault – “crête”"
ENCODINGS = {
    "as it is": (PLACE, "utf-8", "UTF-8"),
    "with a mark": (PLACE, "utf-8-sig", "UTF-8"),
    "UTF-16": (PLACE, "utf-16", "UTF-16"),
    "UTF-16 without a mark": (PLACE, "utf-16-le", "UTF-16"),
    "UTF-16, the other end first": (PLACE, "utf-16-be", "UTF-16"),
    "UTF-16 that says that it is UTF-8": (PLACE, "utf-16", "UTF-8"),
    "UTF-32": (PLACE, "utf-32", "UTF-32"),
    "UTF-8 that a program calls UTF-16": (PLACE, "utf-8", "utf-16"),
    "UTF-8 with a mark that a program calls Latin 1": (PLACE, "utf-8-sig", "ISO-8859-1"),
    "windows-1251": (PLACE, "windows-1251", "windows-1251"),
    "koi8-r": (PLACE, "koi8-r", "KOI8-R"),
    "Latin 1": ("Hérault", "latin-1", "ISO-8859-1"),
    "windows-1252": (LATIN, "windows-1252", "Windows-1252"),
    "windows-1252 that calls itself Latin 1": (LATIN, "windows-1252", "iso-8859-1"),
    "windows-1256": ("ضفة النهر", "windows-1256", "windows-1256"),
    "Shift JIS": ("大阪府北部", "shift_jis", "Shift_JIS"),
    "EUC-JP": ("大阪府北部", "euc_jp", "EUC-JP"),
    "GB 18030": ("甘肃省", "gb18030", "GB18030"),
    "Big5": ("苗栗縣", "big5", "Big5"),
    "EUC-KR": ("강원도", "euc_kr", "EUC-KR"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_alert_is_read_in_the_encoding_it_is_in(name: str) -> None:
    place, encoding, declared = ENCODINGS[name]
    data = ALERT.replace("UTF-8", declared).replace("River bank", place).encode(encoding)
    (alert,) = imported(data)
    assert alert.drafts[0].areas[0].names == (("en", place),)
    assert alert.changes == frozenset()


@pytest.mark.parametrize("before", ["\n", "\r\n  ", "\ufeff\n"])
def test_blanks_before_the_first_line_do_no_harm(before: str) -> None:
    assert imported(before + ALERT + "\n\n")


def test_line_ends_of_any_system_are_one() -> None:
    description = "<description>Water\nrises.</description>"
    alert = ALERT.replace("<area>", f"{description}<area>")
    for ends in ("\n", "\r\n", "\r"):
        assert imported(alert.replace("\n", ends))[0].drafts[0].texts[0].description == "Water\nrises."


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(SAMPLES.glob("*.xml")) if path.name not in ("several.xml",)]
)
def test_every_sample_of_one_alert_is_imported(name: str) -> None:
    assert len(imported(sample(name))) == 1


# Several alerts, feeds, envelopes


def test_several_alerts_in_one_element_are_each_one() -> None:
    assert [one.identity.identifier for one in imported(sample("several.xml"))] == [
        "synthetic-flood-1",
        "synthetic-storm-1",
    ]


@pytest.mark.parametrize("second", [ALERT, BARE, f"<!-- two -->{BARE}", f"\n{ALERT}\n"])
def test_documents_one_behind_the_other_are_each_one(second: str) -> None:
    assert len(imported(ALERT + second.replace("flood-7", "flood-8"))) == 2


def test_what_is_behind_a_document_and_is_none_is_said() -> None:
    first, rest = answers(ALERT + "<alert")
    assert isinstance(first, cap.ImportedAlert)
    assert isinstance(rest, InvalidDocument)
    assert rest.place == "the rest of the file"


def test_a_bad_alert_among_good_ones_is_named_and_the_others_are_taken() -> None:
    bad = BARE.replace("<scope>Public</scope>", "").replace("flood-7", "flood-8")
    first, second, third = answers(f"<all>{BARE}{bad}{BARE.replace('flood-7', 'flood-9')}</all>")
    assert isinstance(first, cap.ImportedAlert)
    assert isinstance(third, cap.ImportedAlert)
    assert isinstance(second, InvalidDocument)
    assert (second.place, second.element) == ("alert flood-8", "scope")


def test_an_atom_feed_gives_its_alerts_as_elements_and_as_text() -> None:
    flood, storm = imported(sample("feed-embedded.atom"))
    assert sorted(text.language for text in flood.drafts[0].texts) == sorted(
        ("kk", "ru", "en", "fa", "ar", "my", "fr", "es")
    )
    assert storm.drafts[0].texts[0].headline == "Orages violents cette nuit"


def test_an_alert_is_the_same_alone_and_in_a_feed() -> None:
    alone, fed = imported(sample("flood-1-alert.xml"))[0], imported(sample("feed-embedded.atom"))[0]
    assert [draft.texts for draft in alone.drafts] == [draft.texts for draft in fed.drafts]
    assert alone.identity == fed.identity


def test_a_feed_with_links_says_which_file_to_fetch() -> None:
    flood, fire = answers(sample("feed-links.atom"))
    assert isinstance(flood, cap.Elsewhere)
    assert isinstance(fire, cap.Elsewhere)
    assert (flood.place, flood.uri) == (
        "entry 1 (Leave the river bank)",
        "https://example.org/alerts/flood-1-alert.xml",
    )
    assert {"flood-1-alert.xml", "synthetic-flood-1"} <= flood.names
    assert fire.uri == "https://example.org/alerts/fire-9.xml"


def test_an_rss_feed_gives_what_is_in_it_and_says_what_is_elsewhere() -> None:
    storm, exercise, fire = answers(sample("feed.rss"))
    assert isinstance(storm, cap.ImportedAlert)
    assert isinstance(exercise, cap.ImportedAlert)
    assert exercise.drafts[0].status is Status.EXERCISE
    assert isinstance(fire, cap.Elsewhere)


LINKS = {
    "atom, by type": (
        '<link href="http://a/html"/><link rel="related" type="application/cap+xml" href="http://a/cap"/>',
        "http://a/cap",
    ),
    "atom, out of line": ('<content type="application/cap+xml" src="http://a/cap"/>', "http://a/cap"),
    "atom, xml before html": (
        '<link type="text/html" href="http://a/h"/><link type="text/xml" href="http://a/x"/>',
        "http://a/x",
    ),
    "atom, the only one": ('<link rel="alternate" href="http://a/x"/>', "http://a/x"),
}


@pytest.mark.parametrize("name", LINKS)
def test_the_likeliest_link_of_an_entry_is_named(name: str) -> None:
    links, expected = LINKS[name]
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id>{links}</entry></feed>'
    (found,) = answers(feed)
    assert isinstance(found, cap.Elsewhere)
    assert found.uri == expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("<link>http://a/p</link><g:cap xmlns:g='http://www.gdacs.org'>http://a/cap.xml</g:cap>", "http://a/cap.xml"),
        ("<link>http://a/p</link><enclosure url='http://a/cap.xml' type='application/cap+xml'/>", "http://a/cap.xml"),
        ("<link>http://a/p</link>", "http://a/p"),
    ],
)
def test_the_likeliest_link_of_an_item_is_named(item: str, expected: str) -> None:
    (found,) = answers(f"<rss version='2.0'><channel><item><title>t</title>{item}</item></channel></rss>")
    assert isinstance(found, cap.Elsewhere)
    assert found.uri == expected


ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>t</title><updated>u</updated>{}</feed>'
EMPTY = {
    "entry": ATOM.format(""),
    "id": ATOM.format("<entry><title>t</title><updated>u</updated><content/></entry>"),
    "title": ATOM.format("<entry><id>1</id><updated>u</updated></entry>"),
    "link": ATOM.format("<entry><id>1</id><title>t</title><updated>u</updated></entry>"),
    "foo": ATOM.format("<entry><id>1</id><title>t</title><updated>u</updated><foo/></entry>"),
    "item": "<rss><channel><title>t</title></channel></rss>",
    "contentObject": '<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0"/>',
    "html": "<html><body>No alerts now</body></html>",
}


@pytest.mark.parametrize("element", EMPTY)
def test_what_holds_nothing_is_refused_by_the_name_of_what_is_missing(element: str) -> None:
    assert refusal(EMPTY[element]).element == element


def test_an_envelope_that_says_exercise_makes_its_alerts_a_drill() -> None:
    elements, packed, photo = answers(sample("distribution.edxl"))
    for one in (elements, packed):
        assert isinstance(one, cap.ImportedAlert)
        assert one.drafts[0].status is Status.EXERCISE
        assert Change.DRILL in one.changes
    assert isinstance(photo, InvalidDocument)
    assert (photo.place, photo.element) == ("content object 3", "contentObject")


def edxl(inner: str, *, kind: str = "Report", status: str = "Actual", version: str = "1.0") -> str:
    return (
        f'<d:EDXLDistribution xmlns:d="urn:oasis:names:tc:emergency:EDXL:DE:{version}">'
        f"<d:distributionStatus>{status}</d:distributionStatus><d:distributionType>{kind}</d:distributionType>"
        f"<d:contentObject>{inner}</d:contentObject></d:EDXLDistribution>"
    )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_distribution_of_either_version_is_read(version: str) -> None:
    (alert,) = imported(edxl(BARE, version=version))
    assert alert.drafts[0].status is Status.ACTUAL


@pytest.mark.parametrize(
    ("kind", "status", "element"),
    [("Cancel", "Actual", "distributionType"), ("Report", "System", "distributionStatus")],
)
def test_a_distribution_that_is_not_for_the_public_is_refused(kind: str, status: str, element: str) -> None:
    assert refusal(edxl(BARE, kind=kind, status=status)).element == element


def test_an_alert_in_base64_in_an_atom_entry_is_read() -> None:
    packed = base64.encodebytes(ALERT.encode("utf-16")).decode()
    assert imported(ATOM.format(f'<entry><content type="application/octet-stream">{packed}</content></entry>'))


def test_an_alert_within_an_alert_is_not_one_more() -> None:
    assert len(imported(ALERT.replace("</alert>", f"{BARE}</alert>"))) == 1


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        (ALERT.replace("urn:oasis:names:tc:emergency:cap:1.2", "http://www.incident.com/cap/1.0"), "CAP 1.0"),
        (ALERT.replace("emergency:cap:1.2", "emergency:alerts:1.2"), "'urn:oasis:names:tc:emergency:alerts:1.2'"),
        (ALERT.replace(' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', ""), "no namespace"),
    ],
)
def test_an_alert_that_is_none_of_cap_is_refused_by_its_namespace(alert: str, said: str) -> None:
    assert said in str(refusal(alert))
    assert refusal(alert).element == "alert"


# What CAP does not allow and people still mean


def test_elements_in_another_order_are_read_and_said() -> None:
    shuffled = ALERT.replace("<scope>Public</scope>", "").replace("</alert>", "<scope>Public</scope></alert>")
    assert imported(shuffled)[0].changes == {Change.ORDER}


def test_elements_that_cap_does_not_have_are_left_out_and_said() -> None:
    assert imported(ALERT.replace("<info>", "<info><mood>grim</mood>"))[0].changes == {Change.FOREIGN}


def test_elements_of_others_are_nothing_to_say() -> None:
    foreign = ALERT.replace("<info>", "<info><x:mood xmlns:x='urn:example'>grim</x:mood>")
    assert imported(foreign)[0].changes == frozenset()


def test_a_sender_with_blanks_is_read_and_said() -> None:
    assert imported(ALERT.replace("water@example.org", "Water Office"))[0].changes == {Change.SPACES}


def test_references_find_a_sender_with_blanks() -> None:
    references = "<references>Water Office,flood 5,2023-11-15T01:00:00+05:00\n a@b,6,2023-11-15T01:30:00Z</references>"
    (alert,) = imported(ALERT.replace("</scope>", f"</scope>{references}"))
    assert [(one.sender, one.identifier) for one in alert.drafts[0].origin.references] == [
        ("Water Office", "flood 5"),
        ("a@b", "6"),
    ]


@pytest.mark.parametrize("references", ["a b", "a,b c,d,2023-11-15T01:00:00+05:00", "a,b", ",b,2023-11-15T01:00:00Z"])
def test_references_that_are_no_triples_are_refused(references: str) -> None:
    assert refusal(ALERT.replace("</scope>", f"</scope><references>{references}</references>")).element == "references"


@pytest.mark.parametrize("element", ["identifier", "sender"])
@pytest.mark.parametrize("char", [",", "&lt;", "&amp;"])
def test_a_name_that_nothing_could_refer_to_is_refused(element: str, char: str) -> None:
    assert refusal(ALERT.replace(f"</{element}>", f"{char}x</{element}>")).element == element


def test_an_alert_that_refers_to_itself_is_refused() -> None:
    itself = "<references>water@example.org,flood-7,2023-11-14T21:00:00Z</references>"
    assert refusal(ALERT.replace("</scope>", f"</scope>{itself}")).element == "references"


def test_a_cancel_of_another_senders_alert_is_said() -> None:
    other = ALERT.replace("<msgType>Alert", "<msgType>Cancel").replace(
        "</scope>", "</scope><references>x@y,1,2023-11-14T21:00:00Z</references>"
    )
    assert Change.OTHERS in imported(other)[0].changes


def test_an_alert_without_words_is_shown_by_its_note_and_written_without_any() -> None:
    (alert,) = imported(ALERT.replace(INFO, "").replace("</scope>", "</scope><note>See\n the board</note>"))
    assert Change.NO_WORDS in alert.changes
    (text,) = alert.drafts[0].texts
    assert (text.language, text.event) == ("und", "See the board")
    assert b"<info>" not in cap.write_alert(signed(alert.drafts[0]))


# Documents made to hurt


def _spent(data: bytes | str) -> tuple[float, str]:
    began = time.process_time()
    try:
        found = answers(data)
    except InvalidDocument as error:
        return time.process_time() - began, str(error)
    return time.process_time() - began, f"{len(found)} answers: {found[0]}"[:200]


POINTS = " ".join(f"{47 + at / 100_000:.5f},{51 + at % 977 / 1_000:.3f}" for at in range(41_000))
TRIPLES = " ".join(f"a,{n},2023-11-15T01:00:00Z" for n in range(MAX_READ // 10))
HURTING = {
    "nested": "<a>" * 200_000,
    "attributes": "<a " + " ".join(f"a{n}='1'" for n in range(200_000)) + "/>",
    "namespaces": "<a " + " ".join(f"xmlns:a{n}='u:{n}'" for n in range(50_000)) + "/>",
    "many documents": "<a/>" * 200_000,
    "many elements": f"<a>{'<b/>' * (MAX_ELEMENTS + 1)}</a>",
    "many alerts": f"<a>{'<alert/>' * (MAX_PARTS + 1)}</a>",
    "many entries": ATOM.format("<entry/>" * (MAX_PARTS + 1)),
    "items in items": f"<rss>{'<item>' * 60}{'<x/>' * 100_000}{'</item>' * 60}</rss>",
    "a reference without an end": ALERT.replace("</scope>", f"</scope><references>{'a,b ' * 500_000}</references>"),
    "one long reference": ALERT.replace("</scope>", f"</scope><references>a,{'b' * 2_000_000}</references>"),
    "many references": ALERT.replace("</scope>", f"</scope><references>{TRIPLES}</references>"),
    "a line of blanks": ALERT.replace("<headline>", f"<headline>{' ' * 2_000_000}x"),
    "many lines": ALERT.replace("<area>", f"<description>{'x' + chr(10) * 2_000_000}</description><area>"),
    "a large shape": ALERT.replace("</areaDesc>", f"</areaDesc><polygon>{POINTS} 47,51</polygon>"),
    "too many points": ALERT.replace("</areaDesc>", f"</areaDesc><polygon>{'1,2 ' * (MAX_READ + 1)}</polygon>"),
    "a number of many digits": ALERT.replace("</areaDesc>", f"</areaDesc><circle>1,2 {'9' * 2_000_000}</circle>"),
}


@pytest.mark.parametrize("name", HURTING)
def test_a_document_made_to_hurt_ends_soon(name: str) -> None:
    seconds, said = _spent(HURTING[name])
    assert said
    assert seconds < 10


def test_fifty_megabytes_are_refused_unread() -> None:
    data = ALERT.encode() + b" " * 50_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, said = _spent(data)
    assert "bytes" in said
    assert seconds < 0.5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_laughs_packed_into_a_feed_are_refused_too() -> None:
    laughs = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    packed = base64.b64encode(ALERT.replace("?>\n", f"?>{laughs}").replace("Leave", "&b;").encode()).decode()
    (found,) = answers(edxl(f"<d:contentData>{packed}</d:contentData>"))
    assert isinstance(found, InvalidDocument)
    assert "document type" in str(found)


def test_documents_packed_into_each_other_end() -> None:
    document = ALERT
    for _ in range(6):
        packed = base64.b64encode(document.encode()).decode()
        document = edxl(f"<d:contentData>{packed}</d:contentData>")
    assert "too often" in str(refusal(document))


def test_four_hundred_alerts_are_read_in_a_few_seconds() -> None:
    shape = "".join(
        f"<polygon>{47 + n / 100},51 {47 + n / 100},52 48,52 {47 + n / 100},51</polygon>" for n in range(20)
    )
    one = BARE.replace("</areaDesc>", f"</areaDesc>{shape}")
    data = "<all>" + "".join(one.replace("flood-7", f"flood-{n}") for n in range(400)) + "</all>"
    began = time.process_time()
    assert len(imported(data)) == 400
    assert time.process_time() - began < 8


def test_a_shape_of_41_000_points_fits_into_an_item() -> None:
    (alert,) = imported(HURTING["a large shape"])
    assert Change.SHAPES in alert.changes
    (polygon,) = alert.drafts[0].areas[0].polygons
    assert 4_000 < len(polygon) < 7_000
