"""What is in the data folder, and its end."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from meshrelay import folder
from meshrelay.errors import AlreadyRunning
from tests.conftest import ROOT


def filled(data: Path) -> list[Path]:
    """Make a file of every kind; return them."""
    names = ["keys/me.key", "keys/me.mark", "keys/deep/er", "local.db", "local.db-wal", "link.pem", ".link.pem.ab"]
    names += [
        "run.json",
        "settings.toml",
        "store.db",
        "store.db-shm",
        "reserve",
        ".restore-x/local.db",
        ".restored/local.db",
        ".backup-y/keys",
    ]
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"secret" * 500)
    return [data / name for name in names]


def test_nothing_of_a_relay_is_left_and_nothing_else_is_touched(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert not folder.is_used(data)
    files = filled(data)
    (data / "diary.txt").write_text("mine")
    (data / "store").mkdir()
    assert folder.is_used(data)
    with folder.held(data):
        assert folder.destroy(data) == ()
        assert [path for path in files if path.exists()] == []
        assert folder.leave(data) == (data / "diary.txt", data / "store")
    assert not folder.is_used(data)


def test_an_empty_folder_goes_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled(data)
    with folder.held(data):
        folder.destroy(data)
        assert folder.leave(data) == ()
    assert not data.exists()


def test_secrets_are_overwritten_before_they_are_removed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    secrets = [path for path in filled(data) if "store" not in path.name and "reserve" not in path.name]
    kept = tmp_path / "kept"
    kept.mkdir()
    for number, path in enumerate(secrets):
        os.link(path, kept / str(number))  # a second name of the same blocks
    with folder.held(data):
        folder.destroy(data)
    for path in kept.iterdir():
        assert path.stat().st_size == 3000
        assert b"secret" not in path.read_bytes()


def test_keys_and_address_book_go_first() -> None:
    patterns = [content.pattern for content in folder.CONTENTS]
    assert patterns[:2] == ["keys", "local.db*"]
    assert patterns.index("store.db*") > max(patterns.index(c.pattern) for c in folder.CONTENTS if c.secret)


def test_what_links_point_to_elsewhere_is_not_followed_into(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "photo").write_bytes(b"mine")
    data.mkdir()
    (data / "keys").symlink_to(elsewhere)
    with folder.held(data):
        assert folder.destroy(data) == ()
    assert (elsewhere / "photo").read_bytes() == b"mine"


def test_what_cannot_be_destroyed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    filled(data)
    unlink = Path.unlink

    def refusing(path: Path, missing_ok: bool = False) -> None:
        if path.name == "me.key":
            raise PermissionError(1, "not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refusing)
    with folder.held(data):
        assert folder.destroy(data) == (data / "keys" / "me.key",)
    assert b"secret" not in (data / "keys" / "me.key").read_bytes()
    assert not (data / "local.db").exists()


def test_a_folder_is_held_by_one(tmp_path: Path) -> None:
    with folder.held(tmp_path), pytest.raises(AlreadyRunning, match="already runs here"), folder.held(tmp_path):
        pass
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) & 0o077 == 0


def test_the_table_of_the_folder_names_what_is_destroyed_in_that_order() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("## The data folder")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \|$", section, re.MULTILINE)
    assert [name for name, _ in rows] == [content.pattern for content in folder.CONTENTS]
    assert [("overwritten" in fate and "not overwritten" not in fate) for _, fate in rows] == [
        content.secret for content in folder.CONTENTS
    ]
