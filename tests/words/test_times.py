"""Times in words, in every language and at every moment that a bulletin may carry."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshrelay.core.fields import MAX_TIME, MIN_TIME
from meshrelay.words import PAGE_LANGUAGES, Words
from meshrelay.words.times import offset, stamp

TZ = timezone(timedelta(hours=5))
NOW = 1_931_504_760  # 2031-03-17 14:06 in TZ


def words(language: str = "en", *, now: int = NOW) -> Words:
    return Words(language, TZ, now)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (0, "just now"),
        (41 * 60, "41 min ago"),
        (3600, "1 h ago"),
        (47 * 3600, "47 h ago"),
        (2 * 86400, "2 days ago"),
        (-5, "just now"),
    ],
)
def test_how_long_ago(before: int, said: str) -> None:
    assert words().ago(NOW - before) == said


def test_both_kinds_of_time_stand_together() -> None:
    assert str(words().issued(NOW - 41 * 60)) == "41 min ago, at 13:25"
    assert str(words().issued(NOW - 3 * 86400)) == "3 days ago, on 14 March at 14:06"
    assert str(words().issued(NOW + 3 * 86400)) == "20 March, 14:06"


def test_an_end_names_its_day_and_carries_the_offset() -> None:
    assert str(words().until(NOW + 3600)) == "until 15:06 today, UTC+5"
    assert str(words().until(NOW + 86400)) == "until 14:06 tomorrow, UTC+5"
    assert str(words().until(NOW + 30 * 86400)) == "until 16 April, 14:06, UTC+5"
    assert str(words().until(NOW + 300 * 86400)) == "until 11 January 2032, 14:06, UTC+5"


def test_digits_are_those_of_the_language() -> None:
    assert str(words("fa").clock()) == "ساعت این‌جا ۱۴:۰۶ است."
    assert words("my").number(2031) == "၂၀၃၁"
    assert words("ru").number(2031) == "2031"


@pytest.mark.parametrize(
    ("count", "said"), [(1, "1 минуту"), (2, "2 минуты"), (5, "5 минут"), (11, "11 минут"), (21, "21 минуту")]
)
def test_numbers_bend_their_noun(count: int, said: str) -> None:
    assert words("ru").ago(NOW - 60 * count) == f"{said} назад"


@pytest.mark.parametrize(
    ("seconds", "said"), [(5 * 3600, "UTC+5"), (-12600, "UTC-3:30"), (0, "UTC"), (20700, "UTC+5:45")]
)
def test_offsets(seconds: int, said: str) -> None:
    assert offset(NOW, timezone(timedelta(seconds=seconds))) == said


@pytest.mark.parametrize("language", PAGE_LANGUAGES)
@settings(max_examples=25)
@given(moment=st.integers(MIN_TIME, MAX_TIME), now=st.integers(MIN_TIME, MAX_TIME))
def test_every_moment_can_be_said(language: str, moment: int, now: int) -> None:
    voice = words(language, now=now)
    for said in (voice.issued(moment), voice.until(moment), voice.starting(moment), voice.moment(moment)):
        assert str(said)
    assert stamp(moment, TZ)


def test_a_moment_no_calendar_can_write_here_becomes_the_nearest() -> None:
    assert stamp(MAX_TIME, TZ).startswith("9999-12-31")
    assert stamp(MAX_TIME, UTC) == "9999-12-31T23:59:59+00:00"
