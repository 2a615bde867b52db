from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path

import filelock
import pytest

from meshrelay import keyring
from meshrelay.core.admission import admit
from meshrelay.core.keys import SigningKey
from meshrelay.core.statements import Revocation
from meshrelay.errors import KeyLocked, NotFound, Refusal
from meshrelay.keyring import Keyring

NOW = 1_760_000_000
PASSPHRASE = "correct horse battery"


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


# Passphrases


def protected(tmp_path: Path, passphrase: str = PASSPHRASE) -> Keyring:
    return Keyring(tmp_path / "keys", passphrase=lambda _: passphrase)


@pytest.mark.usefixtures("cheap_guesses")
def test_a_key_under_a_passphrase_is_seen_by_all_and_used_by_who_knows_it(keys: Keyring, tmp_path: Path) -> None:
    mine = keys.new("me", now=NOW)
    stream, _ = take_numbers(keys, 2)
    keys.protect("me", PASSPHRASE)
    assert keys.get("me") == dataclasses.replace(mine, protected=True)
    assert keys.own() == {mine.public: "me"}
    with pytest.raises(KeyLocked, match="needs its passphrase"), Keyring(tmp_path / "keys").signing("me"):
        pass
    with pytest.raises(KeyLocked, match="the passphrase is wrong"), protected(tmp_path, "another one").signing("me"):
        pass
    assert take_numbers(protected(tmp_path), 1) == (stream, [3])


@pytest.mark.usefixtures("cheap_guesses")
def test_a_passphrase_can_be_changed_and_taken_away(keys: Keyring, tmp_path: Path) -> None:
    mine = keys.new("me", now=NOW, passphrase="the first one")
    assert mine.protected
    protected(tmp_path, "the first one").protect("me", PASSPHRASE)
    with pytest.raises(KeyLocked, match="wrong"):
        protected(tmp_path, "the first one").protect("me", "never set")
    protected(tmp_path).protect("me", None)
    assert keys.get("me") == dataclasses.replace(mine, protected=False)
    assert take_numbers(keys, 1)[1] == [1]


@pytest.mark.usefixtures("cheap_guesses")
def test_nothing_of_the_bare_seed_stays_when_a_key_gets_a_passphrase(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    path = tmp_path / "keys" / "me.key"
    seed = json.loads(path.read_text())["seed"]
    with path.open("rb") as old:
        keys.protect("me", PASSPHRASE)
        assert seed.encode() not in old.read()  # also in the blocks that the old file had
    for file in (tmp_path / "keys").iterdir():
        assert seed.encode() not in file.read_bytes()
        assert bytes.fromhex(seed) not in file.read_bytes()


@pytest.mark.usefixtures("cheap_guesses")
def test_a_passphrase_is_asked_for_once_and_again_when_the_key_has_changed(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW, passphrase=PASSPHRASE)
    asked: list[str] = []
    answers = iter([PASSPHRASE, "the second one"])

    def answer(name: str) -> str:
        asked.append(name)
        return next(answers)

    ring = Keyring(tmp_path / "keys", passphrase=answer)
    take_numbers(ring, 1)
    take_numbers(ring, 1)
    assert asked == ["me"]
    protected(tmp_path).protect("me", "the second one")
    take_numbers(ring, 1)
    assert asked == ["me", "me"]


@pytest.mark.usefixtures("cheap_guesses")
@pytest.mark.parametrize("public", ["", "00" * 32, "zz", SigningKey.from_seed(bytes(32)).public.hex()])
def test_a_protected_key_that_is_not_what_it_says_is_damaged(keys: Keyring, tmp_path: Path, public: str) -> None:
    keys.new("me", now=NOW, passphrase=PASSPHRASE)
    path = tmp_path / "keys" / "me.key"
    path.write_text(json.dumps({**json.loads(path.read_text()), "public": public}))
    with pytest.raises(KeyLocked, match="damaged"), protected(tmp_path).signing("me"):
        pass


# From one folder to another


@pytest.mark.usefixtures("cheap_guesses")
@pytest.mark.parametrize("own_passphrase", [True, False])
def test_an_exported_key_goes_on_elsewhere_in_a_stream_of_its_own(
    keys: Keyring, tmp_path: Path, own_passphrase: bool
) -> None:
    mine = keys.new("me", now=NOW, passphrase=PASSPHRASE if own_passphrase else None)
    ring = protected(tmp_path)
    stream, _ = take_numbers(ring, 5)
    data = ring.exported("me", lambda: pytest.fail("it has one") if own_passphrase else PASSPHRASE)
    with ring.signing("me") as signer:
        assert signer.key.seed.hex().encode() not in data
    elsewhere = Keyring(tmp_path / "elsewhere", passphrase=lambda _: PASSPHRASE)
    assert elsewhere.take(data) == dataclasses.replace(mine, protected=True)
    other_stream, taken = take_numbers(elsewhere, 1)
    assert (other_stream != stream, taken) == (True, [1])
    assert elsewhere.revocation_path("me").read_bytes() == keys.revocation_path("me").read_bytes()


@pytest.mark.usefixtures("cheap_guesses")
def test_an_exported_key_is_taken_once_under_a_free_name_and_by_its_passphrase(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    data = keys.exported("me", lambda: PASSPHRASE)
    with pytest.raises(Refusal, match="here already, as me"):
        keys.take(data, name="other")
    ring = Keyring(tmp_path / "elsewhere", passphrase=lambda _: PASSPHRASE)
    ring.new("me", now=NOW)
    with pytest.raises(Refusal, match="called me is here"):
        ring.take(data)
    with pytest.raises(Refusal, match="cannot name a key"):
        ring.take(data, name="../me")
    with pytest.raises(KeyLocked, match="wrong"):
        Keyring(tmp_path / "elsewhere", passphrase=lambda _: "another one").take(data, name="office")
    assert ring.take(data, name="office").name == "office"


@pytest.mark.usefixtures("cheap_guesses")
def test_what_is_no_exported_key_is_refused(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    good = json.loads(keys.exported("me", lambda: PASSPHRASE))
    ring = Keyring(tmp_path / "elsewhere", passphrase=lambda _: PASSPHRASE)
    bare = {**json.loads((tmp_path / "keys" / "me.key").read_text()), "meshrelay": "signing key", "name": "me"}
    for flaw in (b"", b"[]", b"null", b"\xff", b"[" * 100_000, json.dumps(bare).encode()):
        with pytest.raises(Refusal, match="not an exported key"):
            ring.take(flaw)
    small_order = (bytes([1]) + bytes(31)).hex()
    changes: list[dict[str, object]] = [
        {"public": small_order},
        {"created": "x"},
        {"sealed": {}},
        {"sealed": None},
        {"meshrelay": "x"},
    ]
    for change in changes:
        with pytest.raises(Refusal, match="not an exported key"):
            ring.take(json.dumps({**good, **change}).encode())
    swapped = {**good, "public": SigningKey.from_seed(bytes(32)).public.hex()}
    with pytest.raises(Refusal, match="the seed is that of another key"):
        ring.take(json.dumps(swapped).encode())
    assert ring.all() == ()


def test_a_lost_revocation_is_made_again_as_it_was(keys: Keyring, tmp_path: Path) -> None:
    mine, other = keys.new("me", now=NOW), keys.new("other", now=NOW)
    before = keys.revocation("me")
    path = keys.revocation_path("me")
    assert before.data == path.read_bytes()
    assert before.author == mine.public != other.public
    for flaw in (None, b"", b"milk", keys.revocation_path("other").read_bytes()):
        path.unlink(missing_ok=True)
        if flaw is not None:
            path.write_bytes(flaw)
        assert keys.revocation("me") == before


@pytest.mark.usefixtures("cheap_guesses")
def test_keys_of_a_backup_begin_new_streams_and_outdo_nothing(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    keys.new("office", now=NOW, passphrase=PASSPHRASE)
    stream, _ = take_numbers(keys, 3)
    files = keys.files()
    assert sorted(files) == ["me.key", "me.revocation", "office.key", "office.revocation"]
    elsewhere = Keyring(tmp_path / "elsewhere")
    assert elsewhere.put(files) == keys.all()
    assert elsewhere.files() == files
    assert take_numbers(elsewhere, 1)[0] != stream
    keys.protect("me", PASSPHRASE)
    assert keys.put(files)[0].protected  # what is here stays as it is
    assert take_numbers(protected(tmp_path), 1)[0] != stream


@pytest.mark.parametrize("name", ["me.mark", "../me.key", "me.key.new", "x", "me.lock", ".key"])
def test_a_backup_brings_nothing_else_into_the_folder_of_keys(keys: Keyring, name: str) -> None:
    with pytest.raises(Refusal, match="among its keys"):
        keys.put({name: b"{}"})
    assert keys.files() == {}


def test_a_backup_with_another_key_of_the_same_name_is_refused_whole(keys: Keyring, tmp_path: Path) -> None:
    keys.new("me", now=NOW)
    keys.new("a", now=NOW)
    elsewhere = Keyring(tmp_path / "elsewhere")
    mine = elsewhere.new("me", now=NOW)
    with pytest.raises(Refusal, match="another key called me is here"):
        elsewhere.put(keys.files())
    with pytest.raises(Refusal, match="the key a in the backup is damaged"):
        elsewhere.put({**keys.files(), "a.key": b"{"})
    assert elsewhere.all() == (mine,)
