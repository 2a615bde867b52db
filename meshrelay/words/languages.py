"""Languages: their own names, their direction, and which one a reader gets.

Tags are BCP 47. Pages are written in the languages of `PAGE_LANGUAGES`; bulletins may come in any language.

Law: whatever a request says, the answer is a language that pages are written in, and a stated order in which the
texts of a bulletin are tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.languages import get_official_languages

from meshrelay.core.bulletin import is_language

PAGE_LANGUAGES: Final = ("kk", "ru", "en", "fa", "ar", "my", "fr", "es")
"""The languages that pages are written in, in the order of the language row."""

NEAR: Final[dict[str, tuple[str, ...]]] = {
    "kk": ("ru", "en"),
    "ky": ("kk", "ru", "en"),
    "uz": ("ru", "kk", "en"),
    "ug": ("kk", "ru", "en"),
    "tg": ("ru", "fa", "en"),
    "prs": ("fa", "en"),
    "ps": ("fa", "en"),
    "ku": ("ar", "fa", "en"),
    "ckb": ("ar", "fa", "en"),
    "ru": ("kk", "en"),
    "uk": ("ru", "en"),
    "be": ("ru", "en"),
    "fa": ("en", "ar"),
    "ar": ("en", "fr"),
    "my": ("en",),
    "shn": ("my", "en"),
    "kac": ("my", "en"),
    "rki": ("my", "en"),
    "en": (),
    "fr": ("en", "es"),
    "es": ("en", "fr"),
}
"""What is tried next when there is no text in a language: what most of its readers read as well."""

_OWN_NAMES: Final = {
    "kk": "Қазақша",
    "ru": "Русский",
    "en": "English",
    "fa": "فارسی",
    "ar": "العربية",
    "my": "မြန်မာ",
    "fr": "Français",
    "es": "Español",
    "prs": "دری",
}
_COUNTRIES: Final = {"kz": ("kk", "ru")}
"""What people of a country mean who write its code for a language, where CLDR says it in another order."""
_RIGHT_TO_LEFT: Final = frozenset(
    "ar arc ckb dv fa glk he ks lrc mzn nqo pnb prs ps sd syr ug ur yi".split()  # noqa: SIM905
)
_RIGHT_TO_LEFT_SCRIPTS: Final = frozenset(("adlm", "arab", "hebr", "mand", "nkoo", "rohg", "syrc", "thaa"))
_MAX_ACCEPTED = 12


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader reads: `page` is the language of the page, `texts` the order in which texts are tried."""

    page: str
    texts: tuple[str, ...]


def primary(tag: str) -> str:
    """Return the language subtag of `tag`, in lower case."""
    return tag.replace("_", "-").split("-", 1)[0].lower()


@lru_cache(maxsize=512)
def own_name(tag: str) -> str:
    """Return what its speakers call the language, or the tag itself where that is not known."""
    if known := _OWN_NAMES.get(tag.lower()):
        return known
    locale = _locale(tag)
    name = None if locale is None else locale.get_display_name(locale)
    return name[:1].upper() + name[1:] if name else tag


def is_known(tag: str) -> bool:
    """Tell whether a tag begins with a language as BCP 47 writes it: two letters where ISO 639-1 has them, else three.

    Of three letters nobody here knows the 8,000 of ISO 639-3, so only those are refused that have two. It is asked of
    what people write here, and never of what comes from outside.
    """
    code = primary(tag)
    if not is_language(tag):
        return False
    if code in NEAR:
        return True
    return code in _names() if len(code) == 2 else len(code) == 3 and _shorter(code) is None


def meant(word: str) -> tuple[str, ...]:
    """Return the tags that whoever wrote `word` for a language may have meant, likeliest first."""
    word = word.strip()
    if found := _called().get(word.casefold()):
        return (found,)
    code, rest = primary(word), word.replace("_", "-").partition("-")[2]
    if short := _shorter(code):
        return (f"{short}-{rest}" if rest and is_language(f"{short}-{rest}") else short,)
    if len(code) == 2:
        official = get_official_languages(code.upper(), de_facto=True)
        return tuple(dict.fromkeys(_COUNTRIES.get(code, ()) or (primary(tag) for tag in official)))
    return ()


def _shorter(code: str) -> str | None:
    """Return the code of two letters that stands for this one, if there is one: ru for rus, he for iw."""
    other: str | None = get_global("language_aliases").get(code)
    return other if other is not None and len(other) == 2 else None


@cache
def _names() -> dict[str, str]:
    """Return the English names of languages, by code."""
    return {**Locale("en").languages, "bh": "Bihari", "sh": "Serbo-Croatian"}


@cache
def _called() -> dict[str, str]:
    """Return the tags of languages by what people call them: all in English, those of pages in each of those."""
    called = {name.casefold(): tag.replace("_", "-") for tag, name in _names().items()}
    for tag in PAGE_LANGUAGES:
        called |= {Locale(other).languages[tag].casefold(): tag for other in PAGE_LANGUAGES}
        called[own_name(tag).casefold()] = tag
    return called


@lru_cache(maxsize=512)
def direction(tag: str) -> str:
    """Return "rtl" or "ltr": by the script subtag where there is one, else by the language."""
    subtags = tag.lower().replace("_", "-").split("-")
    for script in subtags[1:]:
        if len(script) == 4 and script.isalpha():
            return "rtl" if script in _RIGHT_TO_LEFT_SCRIPTS else "ltr"
    return "rtl" if subtags[0] in _RIGHT_TO_LEFT else "ltr"


def accepted(header: str | None) -> tuple[str, ...]:
    """Return the tags of an Accept-Language header, most wanted first; what is malformed is left out (RFC 9110)."""
    wanted: list[tuple[float, int, str]] = []
    for place, entry in enumerate((header or "").split(",")[: 4 * _MAX_ACCEPTED]):
        tag, _, parameter = entry.partition(";")
        quality = _quality(parameter)
        if is_language(tag := tag.strip()) and quality > 0:
            wanted.append((-quality, place, tag))
    return tuple(tag for _, _, tag in sorted(wanted)[:_MAX_ACCEPTED])


def negotiate(
    asked: str | None, header: str | None, *, default: str, pages: Collection[str] = PAGE_LANGUAGES
) -> Choice:
    """Choose by `asked` (``?lang=``), then Accept-Language, then the relay's `default`, then English.

    `pages` are the languages that pages are written in.
    Texts of a bulletin are tried in the order of these wishes, then of the languages near to them (`NEAR`).
    """
    wishes = [*((asked,) if asked and is_language(asked) else ()), *accepted(header)]
    first = (*wishes, default)
    texts = _distinct((*wishes, *_chain(first[:1]), *_chain(wishes), default, *_chain((default,)), "en"))
    page = next((base for tag in texts if (base := primary(tag)) in pages), "en")
    return Choice(page=page, texts=texts)


def pick(available: Sequence[str], texts: Iterable[str]) -> str:
    """Return which of the `available` tags to show: the first wish met exactly or by its language, else the first.

    Whoever asks puts the original first.
    """
    for wish in texts:
        low = wish.lower()
        for test in (lambda tag, low=low: tag.lower() == low, lambda tag, low=low: primary(tag) == primary(low)):
            for tag in available:
                if test(tag):
                    return tag
    return available[0]


def _chain(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(near for tag in tags for near in (primary(tag), *NEAR.get(primary(tag), ())))


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    digits = value.strip()
    return min(float(digits), 1.0) if digits.isascii() and digits.replace(".", "", 1).isdigit() else 0.0


def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError, TypeError):
        return None
