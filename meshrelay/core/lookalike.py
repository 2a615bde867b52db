"""Whether two names look alike to somebody who reads them in passing.

A name's *skeleton* is what is left of it when case, accents, signs and spaces are put aside and every letter or digit
is replaced by the one that it is taken for: names with one skeleton look alike. That is the idea of Unicode's UTS #39.
Its table has 6,000 entries, nearly all of them for symbols that compatibility decomposition (NFKD) already undoes, or
between letters of one script that nobody here writes; the packages that ship it add half a megabyte or have no
skeletons. So the table here is its small part between the scripts in which senders are named: Latin, Cyrillic with the
letters of Kazakh, Greek, Armenian, and the Arabic script, whose letters have a second code point in Persian.

It is coarser than UTS #39 on purpose: capitals that look alike (В and B, Н and H) make their small letters alike too.
A false alarm costs a glance; a name is never refused because of it.

Not here: whose names are compared (cli/trust.py). Law: a pure function, the same in every version of Python but for
characters that Unicode did not know yet.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_TAKEN_FOR: Final = {
    "a": "аα",
    "b": "вβЬьвβ",
    "c": "сϲ",
    "d": "ԁđ",
    "e": "еєɛε",
    "f": "ғϝ",
    "g": "ցɡ",
    "h": "нһңħհ",
    "j": "јյ",
    "k": "кқκ",
    "l": "i1|ӏіιıłլ",
    "m": "мϻ",
    "n": "ηոп",
    "o": "0оөοσօøо",
    "p": "рρƿ",
    "q": "ԛզ",
    "r": "гɾ",
    "s": "5ѕʂ",
    "t": "тτ",
    "u": "սцʋ",
    "v": "νѵ",
    "w": "ԝшωѡ",
    "x": "хχ",
    "y": "уүұγυ",
    "z": "ζ",
    "3": "з",
    "4": "ч",
    "6": "б",
    "и": "й",
    # One letter with two code points, or told apart by dots alone that a small screen does not show.
    "ک": "ك",
    "ی": "يىېے",
    "ه": "ةۀہھە",
    "و": "ۆۇۋ",
}
_TABLE: Final = str.maketrans({one: taken for taken, others in _TAKEN_FOR.items() for one in others})
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("æ", "ae"), ("œ", "oe"))


def skeleton(name: str) -> str:
    """Return what is left of a name when all is put aside that a glance does not tell apart."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(_plain(one) for one in plain).translate(_TABLE)
    for pair, one in _PAIRS:
        letters = letters.replace(pair, one)
    # What is neither letter nor digit by now (spaces, signs, accents, marks of direction) is what a glance passes over.
    return "".join(one for one in letters if one.isalnum() or _is_vowel(one))


def alike(one: str, other: str) -> bool:
    """Tell whether two names look alike; names of signs alone are compared as they are."""
    left, right = skeleton(one), skeleton(other)
    return left == right if left or right else one == other


def _is_vowel(char: str) -> bool:
    """Tell whether a mark is part of the word, as the vowels of Burmese and its kin are, and no accent."""
    accents = ("COMBINING", "VARIATION")
    return (
        unicodedata.category(char) in ("Mn", "Mc")
        and char >= "\u0900"
        and not unicodedata.name(char, "").startswith(accents)
    )


def _plain(char: str) -> str:
    """Return a digit of any script as 0 to 9, and everything else as it is."""
    digit = unicodedata.decimal(char, None)
    return char if digit is None else str(digit)
