from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from meshrelay.errors import Refusal
from meshrelay.settings import KEYS, Settings, load, parse, save, split_address


def test_without_any_source_there_are_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Settings(tmp_path)


def test_every_key_has_a_meaning() -> None:
    assert all(key.metadata["meaning"] for key in KEYS.values())
    assert "data" not in KEYS


def test_each_source_overrides_the_one_before(tmp_path: Path) -> None:
    config = tmp_path / "other.toml"
    config.write_text('name = "config"\nplace = "config"\nkey = "config"\n')
    save(tmp_path, {"name": "file", "place": "file", "key": "file", "reader": "file"})
    settings = load(
        tmp_path,
        config=config,
        environment={"MESHRELAY_PLACE": "environment", "MESHRELAY_KEY": "environment", "MESHRELAY_DATA": "/else"},
        flags={"key": "flag"},
    )
    assert (settings.reader, settings.name, settings.place, settings.key) == ("file", "config", "environment", "flag")
    assert settings.data == tmp_path


def test_a_flag_that_was_not_given_overrides_nothing(tmp_path: Path) -> None:
    save(tmp_path, {"private": True, "peer": ("meshrelay://a:1",), "name": "Library"})
    settings = load(tmp_path, flags={"private": None, "peer": (), "name": None, "discovery": False})
    assert (settings.private, settings.peer, settings.name, settings.discovery) == (
        True,
        ("meshrelay://a:1",),
        "Library",
        False,
    )


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("private", "yes", True),
        ("private", "TRUE", True),
        ("discovery", "0", False),
        ("languages", "kk, ru,,en ", ("kk", "ru", "en")),
        ("languages", "", ()),
        ("name", "Library, upstairs", "Library, upstairs"),
        ("unknown_senders", "hide", "hide"),
    ],
)
def test_a_word_stands_for_a_value(key: str, word: str, value: object) -> None:
    assert parse(key, word, source="a test") == value


@pytest.mark.parametrize(("key", "word"), [("private", "perhaps"), ("unknown_senders", "burn"), ("interface", "wlan0")])
def test_a_word_that_stands_for_nothing_is_refused_with_its_source(key: str, word: str) -> None:
    with pytest.raises(Refusal, match="the environment") as refusal:
        parse(key, word, source="the environment")
    assert refusal.value.hint


FILES = {
    "no TOML": b"name = ",
    "an unknown key": b"nmae = 'x'\n",
    "a number for text": b"name = 1\n",
    "text for a boolean": b"private = 'yes'\n",
    "numbers for texts": b"peer = [1]\n",
    "text for a list": b"peer = 'meshrelay://a'\n",
    "no such choice": b"unknown_senders = 'burn'\n",
    "no UTF-8": b"name = '\xff'\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES.keys())
def test_a_settings_file_with_a_flaw_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    with pytest.raises(Refusal, match=r"settings\.toml"):
        load(tmp_path)


def test_a_config_file_that_is_missing_or_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(Refusal, match=str(path)):
            load(tmp_path, config=path)


def test_saving_changes_one_key_and_keeps_the_others(tmp_path: Path) -> None:
    save(tmp_path, {"name": "Library", "languages": ("kk", "ru")})
    save(tmp_path, {"name": "School", "private": True})
    assert load(tmp_path) == Settings(tmp_path, name="School", languages=("kk", "ru"), private=True)
    save(tmp_path, {"name": None})
    assert tomllib.loads((tmp_path / "settings.toml").read_text()) == {"languages": ["kk", "ru"], "private": True}


@pytest.mark.parametrize("address", ["0.0.0.0:8081", "*:8081", ":8081", "192.168.1.5", "[::]:8081", "desk.lan:8081"])
def test_the_desk_is_for_this_computer_alone(tmp_path: Path, address: str) -> None:
    with pytest.raises(Refusal, match="open to others"):
        load(tmp_path, flags={"desk": address})
    with pytest.raises(Refusal, match="open to others"):
        parse("desk", address, source="the environment")


@pytest.mark.parametrize("address", ["", "localhost:9091", "127.0.0.1:0", "[::1]:8081"])
def test_the_desk_may_be_at_any_loopback_address(tmp_path: Path, address: str) -> None:
    assert load(tmp_path, flags={"desk": address}).desk == address


@pytest.mark.parametrize("changes", [{"private": "yes"}, {"unknown_senders": "burn"}, {"languages": "kk"}])
def test_what_could_not_be_read_again_is_not_saved(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        save(tmp_path, changes)
    assert not (tmp_path / "settings.toml").exists()


def test_a_key_that_does_not_exist_is_our_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nmae"):
        save(tmp_path, {"nmae": "x"})


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(), peer=st.lists(st.text(), max_size=3).map(tuple), private=st.booleans())
def test_any_text_survives_the_settings_file(tmp_path: Path, name: str, peer: tuple[str, ...], private: bool) -> None:
    save(tmp_path, {"name": name, "peer": peer, "private": private})
    assert load(tmp_path) == Settings(tmp_path, name=name, peer=peer, private=private)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ("host", 1)),
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("10.0.0.1", ("10.0.0.1", 1)),
        (":80", ("", 80)),
        ("*:80", ("", 80)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 1)),
        ("::1", ("::1", 1)),
        ("fe80::1%eth0", ("fe80::1%eth0", 1)),
        ("relay.local:0", ("relay.local", 0)),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address, default_host="host", default_port=1) == expected


@pytest.mark.parametrize("address", ["a:b", "a:65536", "a:-1", "[::1]:x", "[::1]80x"])
def test_a_port_is_a_number_up_to_65535(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is of two sources
        split_address(address, default_host="", default_port=1)


@pytest.mark.parametrize(
    ("words", "size"), [("500M", 500_000_000), ("8 GB", 8_000_000_000), ("1000000", 10**6), ("2t", 2 * 10**12)]
)
def test_a_size_is_written_as_people_write_it(words: str, size: int, tmp_path: Path) -> None:
    assert load(tmp_path, flags={"max_store": words}).store_bytes == size
    assert load(tmp_path).store_bytes is None


def test_a_limit_for_links_is_written_as_people_write_it_and_is_none_at_first(tmp_path: Path) -> None:
    limited = load(tmp_path, flags={"link_rate": "64K", "link_hour": "20M"})
    assert (limited.bytes_a_second, limited.bytes_an_hour) == (64_000, 20_000_000)
    assert (load(tmp_path).bytes_a_second, load(tmp_path).bytes_an_hour) == (None, None)
    with pytest.raises(Refusal, match="link_rate"):
        load(tmp_path, flags={"link_rate": "2K"})


@pytest.mark.parametrize("words", ["a lot", "-5M", "500 X", "999 k", "1.5G"])
def test_what_is_no_size_or_too_small_a_store_is_refused(words: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="max_store"):
        load(tmp_path, environment={"MESHRELAY_MAX_STORE": words})
