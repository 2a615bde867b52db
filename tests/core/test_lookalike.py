"""Names that look alike are found, and names that differ at a glance are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshrelay.core.lookalike import alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("School 12", "school-12"),
        ("School 12", "Sсhооl 12"),  # Cyrillic с and о
        ("School 12", "School l2"),
        ("School 12", "Ѕсһооӏ 12"),
        ("School 12", "School ١٢"),  # Arabic digits
        ("School 12", "Schóól 12"),
        ("School 12", "𝕊𝕔𝕙𝕠𝕠𝕝 12"),
        ("School 12", "School\u200b 12"),
        ("CLINIC", "CLlNlC"),
        ("MOSCOW", "МОЅСОW"),  # Cyrillic capitals
        ("BETA", "ВЕТА"),
        ("Clinic Mir", "Clinic Mlr"),
        ("modern", "modem"),
        ("Warsaw", "VVarsaw"),
        ("ΚΑΡΟ", "KAPO"),  # Greek and Latin capitals
        ("Қазақ", "Казак"),
        ("کلینیک", "كلينيك"),  # Persian and Arabic letters
        ("درمانگاه", "درمانگاة"),
        ("Clinic", "Ⓒlinic"),
        ("ﬁeld", "field"),
    ],
)
def test_names_that_look_alike_are_found(one: str, other: str) -> None:
    assert alike(one, other)
    assert alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("School 12", "School 13"),
        ("School 12", "School 21"),
        ("Red Cross", "Red Crescent"),
        ("Айгерим", "Асель"),
        ("клиника", "больница"),
        ("درمانگاه", "بیمارستان"),
        ("ဆေးခန်း", "ဆေးရုံ"),
        ("ကိုကို", "ကူကူ"),
        ("!", "?"),
        ("", "?"),
    ],
)
def test_names_that_differ_at_a_glance_are_not(one: str, other: str) -> None:
    assert not alike(one, other)


@given(st.text(max_size=40))
def test_every_name_has_a_skeleton_that_is_its_own(name: str) -> None:
    assert alike(name, name)
