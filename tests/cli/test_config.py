"""config: every setting is written, read back and refused where a relay could not start with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshrelay import settings
from meshrelay.settings import KEYS
from tests.cli.conftest import Terminal
from tests.processes import run

OTHERS = {
    "time_zone": ("UTC+5", "UTC+5"),
    "languages": ("kk,ru", ["kk", "ru"]),
    "reader": ("*:9090", "*:9090"),
    "peers": ("*:9443", "*:9443"),
    "desk": ("localhost:9091", "localhost:9091"),
    "interface": ("192.168.1.5,10.0.0.5", ["192.168.1.5", "10.0.0.5"]),
    "peer": ("meshrelay://192.168.1.40:8443", ["meshrelay://192.168.1.40:8443"]),
    "unknown_senders": ("hide", "hide"),
    "max_store": ("500M", "500M"),
    "link_rate": ("64K", "64K"),
    "link_hour": ("20M", "20M"),
}


def another(key: str) -> tuple[str, object]:
    """Return a value other than the default, as it is typed and as JSON has it."""
    default = KEYS[key].default
    if key in OTHERS:
        return OTHERS[key]
    if isinstance(default, bool):
        return ("false", False) if default else ("true", True)
    if isinstance(default, int):
        return str(default + 1_000_000), default + 1_000_000
    return ("one,two", ["one", "two"]) if isinstance(default, tuple) else ("Школа 12", "Школа 12")


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_written_read_and_taken_back(terminal: Terminal, key: str) -> None:
    typed, meant = another(key)
    terminal.do("config", "set", key, typed)
    assert terminal.read("config", "get", key) == {key: meant}
    assert terminal.read("config", "list")[key] == meant
    assert terminal.do("config", "get", key) == typed
    loaded = getattr(settings.load(terminal.data), key)
    assert (list(loaded) if isinstance(loaded, tuple) else loaded) == meant
    terminal.do("config", "set", key)
    assert getattr(settings.load(terminal.data), key) == KEYS[key].default


def test_the_list_says_what_each_setting_means(terminal: Terminal) -> None:
    text = terminal.do("config", "list")
    assert [
        key for key, field in KEYS.items() if f"{key} = " not in text or field.metadata["meaning"] not in text
    ] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("colour", "red"),
        ("time_zone", "Middle/Earth"),
        ("reader", "*:99999"),
        ("peer", "ftp://here"),
        ("languages", "kk,!"),
        ("private", "perhaps"),
        ("unknown_senders", "shout"),
    ],
)
def test_what_a_relay_could_not_start_with_is_refused(terminal: Terminal, key: str, value: str) -> None:
    terminal.refuse("config", "set", key, value, code=1 if key == "colour" else 2)
    assert not (terminal.data / "settings.toml").exists()


def test_an_environment_variable_in_the_way_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHRELAY_PLACE", "Elsewhere")
    assert "MESHRELAY_PLACE" in terminal.call("config", "set", "place", "Here").stderr


def test_beside_a_running_relay_it_says_when_it_counts(tmp_path: Path) -> None:
    relay = run(tmp_path / "data")
    try:
        terminal = Terminal(tmp_path / "data")
        assert "Commands take it up at once" in terminal.call("config", "set", "place", "Here").stderr
        assert "started anew" in terminal.call("config", "set", "host_names", "relay.lan").stderr
        said = terminal.call("setup", "--yes", "--no-key").stderr
        assert "takes it up when it is started anew" in said
        assert "`meshrelay run`" not in said
        assert terminal.read("publish", "--headline", "x")["areas"][0]["description"] == "Here"
    finally:
        relay.stop()
