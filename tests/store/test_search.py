"""Words to ids, in any script, whatever people type."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshrelay.store import Store
from tests.store.conftest import Engine
from tests.store.making import NOON, Author

TEXTS = {
    "en": "Bridge closed at Ford Street, covid-19 ward moved",
    "ru": "Ёлка упала, дороги закрыты",
    "kk": "Көпір жабық, су көтеріліп жатыр",
    "fr": "Pont fermé à la sortie de l'école",
    "fa": "می‌توانید از پل کناری بروید",
    "ar": "الجِسرُ مُغلَق، اذهبوا إلى المدرسة",
    "my": "ရေကြီးနေသည် တံတားပိတ်ထားသည်",
    "zh": "洪水警報：橋已關閉",
    "ja": "大雨のため橋は通れません。がけ崩れ。雪",
    "th": "น้ำท่วมสะพานปิด",
    "hi": "बाढ़ चेतावनी",
}


@pytest.fixture
def said(store: Store) -> dict[str, bytes]:
    author = Author(1)
    items = {language: author.says(text, area=f"Place {language}") for language, text in TEXTS.items()}
    store.put_many([*items.values(), Author(2).revokes_itself()], received=NOON)
    assert store.index_backlog(100) == len(items)
    return {language: item.id for language, item in items.items()}


@pytest.mark.parametrize(
    ("language", "query"),
    [
        ("en", "bridge"),
        ("en", "BRIDGE"),
        ("en", "bri clo"),
        ("en", "covid-19"),
        ("en", "place en"),
        ("en", "  street,  FORD!  "),
        ("ru", "елка"),
        ("ru", "ДОРОГИ"),
        ("kk", "көтеріліп"),
        ("fr", "ferme ecole"),
        ("fr", "l'école"),
        ("fr", "e\u0301cole"),
        ("fa", "توانید"),
        ("fa", "توانيد"),
        ("fa", "کناری"),
        ("ar", "الجسر"),
        ("ar", "الي المدرسة"),
        ("my", "တံတား"),
        ("my", "ရေ"),
        ("zh", "洪水"),
        ("zh", "警報"),
        ("zh", "洪水警報"),
        ("zh", "已關閉"),
        ("zh", "關閉"),
        ("zh", "閉"),
        ("zh", "橋已 洪水"),
        ("ja", "雪"),
        ("ja", "通れません"),
        ("ja", "か\u3099け"),
        ("th", "สะพาน"),
        ("hi", "चेतावनी"),
        ("hi", "चेत"),
    ],
)
def test_a_bulletin_is_found_by_what_it_says(store: Store, said: dict[str, bytes], language: str, query: str) -> None:
    assert store.search(query, limit=10) == (said[language],)


@pytest.mark.parametrize("query", ["", " ", "zebra", "bridge zebra", "洪火", "bridge 洪水", "ridge", "!!!", "😀", "_"])
def test_nothing_is_found_by_what_nobody_said(store: Store, said: dict[str, bytes], query: str) -> None:
    assert store.search(query, limit=10) == ()


@pytest.mark.parametrize(
    "query",
    [
        *(
            '"',
            "'",
            "*",
            "a*",
            "(",
            "bridge AND",
            "NOT bridge",
            "NEAR(bridge closed)",
            "body:bridge",
            "^bridge",
            "-bridge",
        ),
        *(
            "bridge OR zebra",
            "\x00",
            "bridge\x00closed",
            '洪"',
            "洪\x00水",
            "x" * 100_000,
            "洪水" * 50_000,
            "a " * 50_000,
        ),
        *("\ud800", "﷽" * 300, "e" + "\u0301" * 5000),
    ],
)
def test_no_character_of_a_query_has_a_meaning(store: Store, said: dict[str, bytes], query: str) -> None:
    assert isinstance(store.search(query, limit=10), tuple)
    assert store.search("zebra OR bridge", limit=10) == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_any_text_is_a_query(store: Store, said: dict[str, bytes], query: str) -> None:
    store.search(query, limit=10)


def test_the_better_match_comes_first_and_the_limit_holds(store: Store) -> None:
    author = Author(1)
    passing = author.says("Roads", description="Many roads are closed; " * 20 + "one bridge too")
    about = author.says("Bridge", description="Bridge closed")
    store.put_many([about, passing, *(author.says(f"Other {number}") for number in range(30))], received=NOON)
    store.index_backlog(100)
    assert store.search("bridge", limit=10) == (about.id, passing.id)
    assert store.search("bridge", limit=1) == (about.id,)
    assert len(store.search("other", limit=20)) == 20


def test_of_very_many_matches_the_newest_are_ranked(store: Store) -> None:
    author = Author(1)
    items = [author.says("Bridge", sent=NOON + number) for number in range(1050)]
    store.put_many(items, received=NOON)
    while store.index_backlog(1000):
        pass
    assert store.search("bridge", limit=1) == (items[-1].id,)
    assert len(store.search("bridge", limit=2000)) == 1000


def test_what_is_removed_is_found_no_more_and_nothing_else_in_its_place(store: Store) -> None:
    author = Author(1)
    items = [author.says(f"Bridge {number} 洪水{number}") for number in range(20)]
    store.put_many(items, received=NOON)
    store.index_backlog(100)
    store.remove(item.id for item in items)
    store.put_many([author.says("School open") for _ in range(20)], received=NOON)
    store.index_backlog(100)
    assert store.search("bridge", limit=10) == ()
    assert store.search("洪水", limit=10) == ()
    assert len(store.search("school", limit=50)) == 20


def test_an_item_removed_before_its_turn_is_not_indexed(store: Store) -> None:
    author = Author(1)
    kept, gone = author.says("Bridge kept"), author.says("Bridge gone")
    store.put_many([gone, kept], received=NOON)
    store.remove([gone.id])
    store.index_backlog(100)
    assert store.search("bridge", limit=10) == (kept.id,)


def test_the_backlog_is_worked_off_in_parts_and_after_a_restart(engine: Engine) -> None:
    store, author = engine.open(), Author(1)
    store.put_many([author.says(f"Bridge {number}") for number in range(30)], received=NOON)
    assert store.index_backlog(10) == 10
    assert len(store.search("bridge", limit=50)) == 10
    store.close()
    again = engine.open()
    assert again.index_backlog(100) == 20
    assert again.index_backlog(100) == 0
    assert len(again.search("bridge", limit=50)) == 30


def test_two_processes_may_work_off_one_backlog_at_once(engine: Engine) -> None:
    stores, author = [engine.open() for _ in range(3)], Author(1)
    items = [author.says(f"Bridge {number}") for number in range(300)]
    stores[0].put_many(items, received=NOON)

    def work(store: Store) -> int:
        return sum(iter(lambda: store.index_backlog(10), 0))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, stores)) == 300
    assert sorted(stores[1].search("bridge", limit=500)) == sorted(item.id for item in items)
    stores[2].remove(item.id for item in items)
    assert stores[0].search("bridge", limit=500) == ()
