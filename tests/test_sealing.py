from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshrelay import sealing
from meshrelay.core.keys import Stretching
from meshrelay.errors import KeyLocked, Refusal
from meshrelay.sealing import Sealed, cost_for, read_passphrase, sealed

MIB = 2**20
SECRET = b"seed" * 8


@pytest.mark.usefixtures("cheap_guesses")
def test_what_is_sealed_is_opened_by_its_passphrase_alone() -> None:
    box = sealed(SECRET, "correct horse")
    assert box.open("correct horse") == SECRET
    for other in ("", "correct horse ", "Correct horse", "correct hors"):
        with pytest.raises(KeyLocked, match="the passphrase is wrong"):
            box.open(other)


@pytest.mark.usefixtures("cheap_guesses")
def test_the_same_letters_typed_in_another_way_are_the_same_passphrase() -> None:
    assert sealed(SECRET, "пароль й").open("пароль й") == SECRET
    assert sealed(SECRET, "ﬁne").open("fine") == SECRET


@pytest.mark.usefixtures("cheap_guesses")
def test_a_sealed_thing_is_a_document_and_says_nothing() -> None:
    box = sealed(SECRET, "correct horse")
    assert Sealed.of(box.document()) == box
    assert SECRET.hex() not in str(box.document())
    assert box.box.hex() not in repr(box)
    again = sealed(SECRET, "correct horse")
    assert {again.salt, again.nonce, again.box}.isdisjoint({box.salt, box.nonce, box.box})


@pytest.mark.usefixtures("cheap_guesses")
@pytest.mark.parametrize("place", ["salt", "nonce", "box"])
def test_an_altered_one_is_not_opened(place: str) -> None:
    document: dict[str, Any] = sealed(SECRET, "correct horse").document()
    raw = bytearray.fromhex(document[place])
    raw[len(raw) // 2] ^= 1
    with pytest.raises(KeyLocked):
        Sealed.of({**document, place: raw.hex()}).open("correct horse")


@pytest.mark.usefixtures("cheap_guesses")
@pytest.mark.parametrize(
    "flaw",
    [
        {"kdf": "scrypt"},
        {"passes": 0},
        {"passes": True},
        {"passes": 2**20},
        {"memory": 2**40},
        {"memory": 1.5},
        {"memory": None},
        {"salt": "00"},
        {"nonce": "x"},
        {"box": None},
    ],
)
def test_what_nothing_can_open_or_only_in_hours_is_refused_at_once(flaw: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Sealed.of({**sealed(SECRET, "correct horse").document(), **flaw})


@pytest.mark.parametrize(
    ("memory", "passes", "share"),
    [(0, 12, 64), (512 * MIB, 12, 64), (1024 * MIB, 6, 128), (8192 * MIB, 3, 256), (2**40, 3, 256)],
)
def test_a_guess_costs_memory_where_there_is_some_and_time_elsewhere(memory: int, passes: int, share: int) -> None:
    assert cost_for(memory) == Stretching(passes, share * MIB)


def test_a_guess_is_as_dear_on_this_computer_as_the_rule_says() -> None:
    box = sealed(SECRET, "correct horse")
    assert box.cost.passes * box.cost.memory >= 768 * MIB
    assert box.open("correct horse") == SECRET


@pytest.mark.usefixtures("cheap_guesses")
def test_too_little_memory_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    box = sealed(SECRET, "correct horse")

    def none_left(*_: object, **__: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(sealing, "unseal", none_left)
    monkeypatch.setattr(sealing, "seal", none_left)
    for work in (lambda: box.open("correct horse"), lambda: sealed(SECRET, "correct horse")):
        with pytest.raises(KeyLocked, match="1 MB of memory"):
            work()


@pytest.mark.parametrize(
    "content", [b"correct horse", b"correct horse\n", b"correct horse\r\nmore\n", b"\xef\xbb\xbfcorrect horse\n"]
)
def test_a_passphrase_file_is_its_first_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_passphrase(tmp_path / "p") == "correct horse"


@pytest.mark.parametrize("content", [None, b"", b"\nfirst line is empty\n", b"\xff\xfe\x00"])
def test_a_passphrase_file_without_one_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "p").write_bytes(content)
    with pytest.raises(Refusal):
        read_passphrase(tmp_path / "p")
