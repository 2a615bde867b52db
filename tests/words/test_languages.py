"""Which language a reader gets, and in what order texts are tried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.words.languages import PAGE_LANGUAGES, accepted, direction, negotiate, own_name, pick


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
