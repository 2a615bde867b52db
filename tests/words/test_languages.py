"""Which language a reader gets, and in what order texts are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.words.languages import (
    NEAR,
    PAGE_LANGUAGES,
    accepted,
    direction,
    is_known,
    meant,
    negotiate,
    own_name,
    pick,
)


@pytest.mark.parametrize(
    ("asked", "header", "default", "page"),
    [
        ("kk", "ru,en", "en", "kk"),
        (None, "kk-KZ,kk;q=0.9,ru;q=0.8", "en", "kk"),
        (None, "ru;q=0.5, fa;q=0.9", "en", "fa"),
        (None, "de-DE,de;q=0.9", "kk", "kk"),
        (None, None, "my", "my"),
        (None, "uz", "en", "ru"),
        ("prs", None, "en", "fa"),
        ("nonsense tag", None, "es", "es"),
        (None, "*", "fr", "fr"),
        (None, "en;q=0, ar", "en", "ar"),
        ("xx", None, "yy", "en"),
    ],
)
def test_asked_then_accepted_then_default(asked: str | None, header: str | None, default: str, page: str) -> None:
    assert negotiate(asked, header, default=default).page == page


def test_texts_are_tried_in_the_order_of_wishes_then_of_near_languages() -> None:
    assert negotiate(None, "ug, kk;q=0.5", default="en").texts == ("ug", "kk", "ru", "en")
    assert negotiate("de", None, default="kk").texts == ("de", "kk", "ru", "en")


@given(st.one_of(st.none(), st.text(max_size=60)), st.one_of(st.none(), st.text(max_size=200)))
def test_any_request_gets_a_language_that_pages_are_written_in(asked: str | None, header: str | None) -> None:
    choice = negotiate(asked, header, default="ru")
    assert choice.page in PAGE_LANGUAGES
    assert choice.texts


def test_a_broken_header_leaves_out_what_is_broken() -> None:
    assert accepted("en;q=x, <script>, fr;q=0.3, kk;q=1.0") == ("kk", "fr")
    assert len(accepted(",".join(["en"] * 10_000))) <= 12


def test_pick_takes_an_exact_tag_before_a_relative() -> None:
    assert pick(("pt", "pt-BR"), ("pt-BR",)) == "pt-BR"
    assert pick(("zh-Hant", "en"), ("zh",)) == "zh-Hant"
    assert pick(("ug", "ps"), ("en",)) == "ug"


@pytest.mark.parametrize(
    ("tag", "way"),
    [
        ("fa", "rtl"),
        ("ar-EG", "rtl"),
        ("ug", "rtl"),
        ("ug-Cyrl", "ltr"),
        ("pa-Arab", "rtl"),
        ("kk", "ltr"),
        ("xx", "ltr"),
    ],
)
def test_a_script_decides_the_direction_before_its_language(tag: str, way: str) -> None:
    assert direction(tag) == way


def test_a_language_is_called_what_its_speakers_call_it() -> None:
    assert own_name("de") == "Deutsch"
    assert own_name("kk") == "Қазақша"
    assert own_name("qaa-x-camp") == "qaa-x-camp"


ISO_639_1 = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo
es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg
ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn
no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta
te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
""".split()  # noqa: SIM905


def test_every_language_with_a_code_may_be_written_in() -> None:
    rare = ["kaa", "ckb", "zza", "sah", "crh", "prs", "shn", "rki", "wbl", "sgh", "und"]
    tagged = ["kk-KZ", "KK", "kk-Arab-CN", "zh-Hant", "es-419"]
    assert [tag for tag in (*ISO_639_1, *rare, *tagged, *NEAR, *PAGE_LANGUAGES) if not is_known(tag)] == []


@pytest.mark.parametrize(
    ("word", "likely"),
    [
        ("kz", ("kk", "ru")),
        ("KZ", ("kk", "ru")),
        ("ua", ("uk", "ru")),
        ("mm", ("my",)),
        ("cz", ("cs",)),
        ("rus", ("ru",)),
        ("kaz", ("kk",)),
        ("per", ("fa",)),
        ("fre", ("fr",)),
        ("eng-GB", ("en-GB",)),
        ("iw", ("he",)),
        ("russian", ("ru",)),
        ("Kazakh", ("kk",)),
        ("қазақша", ("kk",)),
        ("Қазақ тілі", ("kk",)),
        ("казахский", ("kk",)),
        ("فارسی", ("fa",)),
        ("German", ("de",)),
        ("Abay", ()),
        ("xx", ()),
        ("", ()),
        ("not a language", ()),
    ],
)
def test_what_is_no_language_is_answered_by_the_one_that_was_meant(word: str, likely: tuple[str, ...]) -> None:
    assert not is_known(word)
    assert meant(word) == likely


@given(st.text(max_size=40))
def test_whatever_was_meant_is_a_language(word: str) -> None:
    assert all(is_known(tag) for tag in meant(word))
