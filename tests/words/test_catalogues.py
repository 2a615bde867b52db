"""Every sentence is there in every language, whole, and as compiled."""

from __future__ import annotations

import gettext
import re
from collections import Counter
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from meshrelay.words import PAGE_LANGUAGES, add_folder, is_draft, page_languages
from meshrelay.words.catalogue import catalogue
from meshrelay.words.labels import LABELS
from tests.conftest import ROOT

WORDS = ROOT / "meshrelay" / "words"
KEYWORDS = {"mark": None, "_count": (1, 2), "_form": (1, 2)}
PLACE = re.compile(r"{(\w*)}")

Message = str | tuple[str, ...]


def collected() -> set[Message]:
    found = extract_from_dir(WORDS, keywords=KEYWORDS)
    return {message if isinstance(message, str) else tuple(message) for _, _, message, _, _ in found}


def read(language: str) -> Catalog:
    with (WORDS / "locale" / language / "LC_MESSAGES" / "meshrelay.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def test_the_template_holds_what_the_sentences_need() -> None:
    with (WORDS / "locale" / "meshrelay.pot").open("rb") as file:
        template = {message.id for message in read_po(file) if message.id}
    assert template == collected()


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    texts = {message.id: message for message in read(language) if message.id}
    assert texts.keys() == collected()
    for key, message in texts.items():
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        assert all(forms), f"{language}: {key!r} is not translated"
        assert not message.fuzzy, f"{language}: {key!r} is fuzzy"


@pytest.mark.parametrize("language", [tag for tag in PAGE_LANGUAGES if tag != "en"])
def test_no_sentence_is_left_in_english(language: str) -> None:
    left = [message.id for message in read(language) if len(message.id) > 30 and message.string == message.id]
    assert left == []


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_translation_has_the_places_of_its_sentence(language: str) -> None:
    single = forms_of_one_number(language)
    for message in read(language):
        wanted = set(PLACE.findall(message.id if isinstance(message.id, str) else message.id[-1]))
        forms = message.string if isinstance(message.string, list | tuple) else (message.string or "",)
        for index, form in enumerate(forms):
            given = set(PLACE.findall(form))
            in_words = len(forms) > 1 and index in single and given == wanted - {"n"}
            if message.id:
                assert given == wanted or in_words, f"{language}: {message.id!r}"


def forms_of_one_number(language: str) -> set[int]:
    """Return which plural forms a language has for one number alone: these may say it in words."""
    rule = gettext.c2py(get_plural(language).plural_expr)
    counts = Counter(rule(number) for number in range(1000))
    return {form for form, count in counts.items() if count == 1}


def test_a_number_that_is_said_in_words_is_not_said_in_digits_too() -> None:
    single = forms_of_one_number("ar")
    assert single == {0, 1, 2}
    for message in read("ar"):
        if isinstance(message.string, list | tuple):
            assert not [form for index, form in enumerate(message.string) if index in single and "{n}" in form]


@pytest.mark.parametrize("language", ["en", "fr", "es", "ru", "kk"])
def test_no_sentence_begins_with_how_long_ago(language: str) -> None:
    """That is said in lower case, as it is within a sentence."""
    for message in read(language):
        if isinstance(message.string, str) and isinstance(message.id, str) and message.id.endswith("."):
            assert not message.string.startswith("{ago}"), message.id


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_every_catalogue_counts_as_its_language_does(language: str) -> None:
    assert read(language).num_plurals == get_plural(language).num_plurals


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    packed = BytesIO()
    write_mo(packed, read(language))
    packed.seek(0)
    assert entries(catalogue(language)) == entries(gettext.GNUTranslations(packed))


def entries(translations: gettext.NullTranslations) -> dict[object, str]:
    held: dict[object, str] = vars(translations)["_catalog"]
    return {key: text for key, text in held.items() if key}


def test_unreviewed_catalogues_say_so() -> None:
    assert {language for language in PAGE_LANGUAGES if is_draft(language)} == set(PAGE_LANGUAGES) - {"en"}


def test_templates_hold_no_words_and_ask_only_for_labels_that_exist() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "meshrelay/web/templates").glob("*.html")]
    asked = {key for text in texts for key in re.findall(r'(?:[wv]\[|say\()"([a-z-]+)"', text)}
    assert asked <= LABELS.keys()
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "meshrelay").rglob("*.py"))
    used = asked | {key for key in LABELS if f'"{key}"' in code.replace(f'"{key}": mark', "")}
    assert LABELS.keys() - used == set()


def test_a_folder_adds_languages_and_corrects_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshrelay.words.catalogue._folders", [])
    for language, text in (("tg", "Забон"), ("ru", "Наречие")):
        added = Catalog(locale=language)
        added.add("Language", text)
        path = tmp_path / language / "LC_MESSAGES" / "meshrelay.mo"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            write_mo(file, added)
    add_folder(tmp_path)
    try:
        assert page_languages() == (*PAGE_LANGUAGES, "tg")
        assert catalogue("tg").gettext("Language") == "Забон"
        assert catalogue("ru").gettext("Language") == "Наречие"
        assert catalogue("ru").gettext("Find") == "Найти"
    finally:
        catalogue.cache_clear()
