from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import filelock
import pytest

from meshrelay import keyring
from meshrelay.core.admission import admit
from meshrelay.core.statements import Revocation
from meshrelay.errors import KeyLocked, NotFound, Refusal
from meshrelay.keyring import Keyring

NOW = 1_760_000_000


@pytest.fixture
def keys(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def take_numbers(keys: Keyring, count: int, *, highest_held: int = 0) -> tuple[bytes, list[int]]:
    """Take numbers as publishing does; return the stream and what was taken."""
    taken = []
    with keys.signing("me") as signer:
        for _ in range(count):
            number = signer.next_number(highest_held=highest_held)
            signer.take(number)
            taken.append(number)
        return signer.stream, taken


def test_a_folder_that_is_not_there_holds_no_key(keys: Keyring) -> None:
    assert keys.all() == ()
    assert keys.choose() is None
    with pytest.raises(NotFound):
        keys.get("me")


def test_a_new_key_is_found_again(keys: Keyring) -> None:
    mine, office = keys.new("me", now=NOW), keys.new("office", now=NOW + 1)
    assert keys.all() == (mine, office)
    assert keys.get("office") == office
    assert keys.own() == {mine.public: "me", office.public: "office"}


def test_a_second_key_of_one_name_is_refused_and_the_first_stays(keys: Keyring) -> None:
    mine = keys.new("me", now=NOW)
    with pytest.raises(Refusal, match="here already"):
        keys.new("me", now=NOW + 1)
    assert keys.get("me") == mine


@pytest.mark.parametrize("name", ["", ".", "..", "../me", "a/b", "-x", "a b", "a\n", "ключ", "k" * 33, "me.key"])
def test_a_name_that_could_be_a_path_is_refused(keys: Keyring, tmp_path: Path, name: str) -> None:
    with pytest.raises(Refusal, match="cannot name a key"):
        keys.new(name, now=NOW)
    with pytest.raises(NotFound):
        keys.get(name)
    assert list(tmp_path.rglob("*.key")) == []


def test_a_stray_file_in_the_folder_stops_nobody(keys: Keyring, tmp_path: Path) -> None:
    mine = keys.new("me", now=NOW)
    for name in ("copy of me.key", ".key", "me.key.new", "old.me.key"):
        (tmp_path / "keys" / name).write_bytes(b"junk")
    assert keys.all() == (mine,)


def test_without_a_name_the_only_key_is_chosen_or_me(keys: Keyring) -> None:
    office = keys.new("office", now=NOW)
    assert keys.choose() == office
    keys.new("desk", now=NOW)
    with pytest.raises(Refusal, match="desk, office"):
        keys.choose()
    mine = keys.new("me", now=NOW + 1)
    assert keys.choose() == mine
    assert keys.choose("office") == office


@pytest.mark.skipif(os.name != "posix", reason="needs the permissions of POSIX")
def test_only_the_owner_can_read_keys(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    take_numbers(keys, 1)
    folder = tmp_path / "keys"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_revocation_made_with_a_key_ends_all_of_it(keys: Keyring) -> None:
    mine = keys.new("me", now=NOW)
    item = admit(keys.revocation_path("me").read_bytes())
    assert item.author == mine.public
    assert item.body == Revocation(NOW, mine.public)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seed": "00"}', '{"seed": 7, "created": 1}', "\x00" * 40])
def test_a_damaged_key_is_said_to_be_damaged(keys: Keyring, tmp_path: Path, content: str) -> None:
    keys.new("me", now=NOW)
    (tmp_path / "keys" / "me.key").write_text(content)
    with pytest.raises(KeyLocked, match="damaged"):
        keys.get("me")


def test_a_damaged_key_does_not_hide_the_others(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    office = keys.new("office", now=NOW)
    (tmp_path / "keys" / "me.key").write_text("{")
    assert keys.own() == {office.public: "office"}
    with pytest.raises(KeyLocked, match="damaged"):
        keys.choose()


# Numbers


def test_numbers_rise_by_one_and_go_on_after_a_restart(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    stream, taken = take_numbers(keys, 3)
    assert taken == [1, 2, 3]
    assert take_numbers(Keyring(tmp_path / "keys"), 2) == (stream, [4, 5])


def test_a_number_that_was_not_taken_is_given_again(keys: Keyring) -> None:
    keys.new("me", now=NOW)
    with keys.signing("me") as signer:
        assert [signer.next_number(), signer.next_number()] == [1, 1]


def test_a_number_is_on_the_disk_before_the_lock_is_given_back(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    with keys.signing("me") as signer:
        signer.take(signer.next_number())
        assert json.loads((tmp_path / "keys" / "me.mark").read_text()) == {"stream": signer.stream.hex(), "seq": 1}


def test_numbers_go_on_above_what_is_held(keys: Keyring) -> None:
    keys.new("me", now=NOW)
    assert take_numbers(keys, 2, highest_held=41)[1] == [42, 43]


DAMAGE = ["", "{", "[]", "{}", '{"stream": "00", "seq": 5}', '{"stream": "%s", "seq": "x"}' % ("ab" * 8), "\x00\xff"]


@pytest.mark.parametrize("content", [None, *DAMAGE])
def test_a_lost_or_damaged_mark_begins_a_new_stream(keys: Keyring, tmp_path: Path, content: str | None) -> None:
    keys.new("me", now=NOW)
    stream, _ = take_numbers(keys, 5)
    mark = tmp_path / "keys" / "me.mark"
    if content is None:
        mark.unlink()
    else:
        mark.write_bytes(content.encode("latin-1"))
    fresh, taken = take_numbers(keys, 1)
    assert fresh != stream
    assert taken == [1]
    assert take_numbers(keys, 1) == (fresh, [2])


def test_two_keys_number_two_streams(keys: Keyring) -> None:
    keys.new("me", now=NOW)
    keys.new("office", now=NOW)
    with keys.signing("me") as mine, keys.signing("office") as office:
        assert mine.stream != office.stream
        assert mine.key.public != office.key.public


def test_a_key_that_another_process_keeps_is_refused_in_the_end(
    keys: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.new("me", now=NOW)
    monkeypatch.setattr(keyring, "LOCK_SECONDS", 0.02)
    with (
        filelock.FileLock(tmp_path / "keys" / "me.lock"),
        pytest.raises(KeyLocked, match="in use"),
        keys.signing("me"),
    ):
        pass
    with keys.signing("me") as signer:
        assert signer.next_number() == 1


def test_the_lock_is_given_back_when_signing_fails(keys: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.new("me", now=NOW)
    monkeypatch.setattr(keyring, "LOCK_SECONDS", 0.02)
    with pytest.raises(ZeroDivisionError), keys.signing("me"):
        _ = 1 // 0
    with keys.signing("me"):
        pass


def test_nobody_can_sign_with_a_key_that_is_not_here(keys: Keyring) -> None:
    with pytest.raises(NotFound), keys.signing("me"):
        pass
