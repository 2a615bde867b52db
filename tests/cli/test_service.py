"""service: the unit, and what systemd is asked for; a stand-in for systemctl, for no test changes this computer."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meshrelay.cli import service
from meshrelay.cli.service import Service
from tests.cli.conftest import Terminal
from tests.processes import run


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file with what systemctl was asked for, on a computer that systemd runs."""
    booted, tools, heard = tmp_path / "booted", tmp_path / "tools", tmp_path / "asked"
    booted.mkdir()
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(heard))}\n')
    (tools / "systemctl").chmod(0o755)
    monkeypatch.setattr(service, "BOOTED", booted)
    monkeypatch.setattr(service, "SYSTEM_UNITS", tmp_path / "system")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return heard


@pytest.fixture
def not_by_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BOOTED", tmp_path / "nothing")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def user_unit(tmp_path: Path) -> Path:
    return tmp_path / "config" / "systemd" / "user" / "meshrelay.service"


def values(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))


def test_a_service_is_installed_started_and_removed(terminal: Terminal, tmp_path: Path, asked: Path) -> None:
    unit = user_unit(tmp_path)
    result = terminal.call("service", "install")
    assert (result.exit_code, result.stdout) == (0, f"{unit}\n")
    assert f"sudo loginctl enable-linger {getpass.getuser()}" in result.stderr
    assert unit.read_text() == terminal.do("service", "print") + "\n"
    assert asked.read_text().splitlines() == [
        "--user --version",
        "--user daemon-reload",
        "--user enable meshrelay.service",
        "--user restart meshrelay.service",
    ]
    assert terminal.data.stat().st_mode & 0o777 == 0o700
    terminal.do("service", "remove")
    assert not unit.exists()
    assert asked.read_text().splitlines()[-2:] == ["--user disable --now meshrelay.service", "--user daemon-reload"]
    assert terminal.data.exists()
    assert "no service is installed" in terminal.refuse("service", "remove")


def test_the_unit_runs_this_program_on_this_folder_and_is_watched(terminal: Terminal) -> None:
    found = values(terminal.do("service", "print"))
    assert found["Type"] == "notify"
    assert int(found["WatchdogSec"]) > 0
    command = shlex.split(found["ExecStart"])
    assert (command[0], command[-3:]) == (sys.executable, ["--data", str(terminal.data.absolute()), "run"])
    assert "User" not in found
    assert "AF_NETLINK" in found["RestrictAddressFamilies"]


def test_what_a_computer_without_systemd_can_do_is_said(terminal: Terminal, not_by_systemd: None) -> None:
    for words in (["install"], ["remove"], ["install", "--system", "--as", "nobody"]):
        assert terminal.refuse("service", *words) == "this computer is not run by systemd"
    assert "[Service]" in terminal.do("service", "print")


def test_what_systemd_refuses_is_said_in_its_words(terminal: Terminal, tmp_path: Path, asked: Path) -> None:
    (tmp_path / "tools" / "systemctl").write_text(
        "#!/bin/sh\n[ $2 != restart ] || { echo 'Job failed.' >&2; exit 1; }\n"
    )
    assert terminal.refuse("service", "install") == "Job failed."


def test_a_relay_that_runs_by_hand_is_not_pushed_aside(terminal: Terminal, tmp_path: Path, asked: Path) -> None:
    relay = run(terminal.data)
    try:
        assert "a relay already runs here" in terminal.refuse("service", "install")
        assert not user_unit(tmp_path).exists()
    finally:
        relay.stop()
    terminal.do("service", "install")


def test_a_service_of_the_computer_runs_as_somebody_without_power(terminal: Terminal) -> None:
    found = values(terminal.do("service", "print", "--system", "--as", "nobody"))
    assert (found["User"], found["CapabilityBoundingSet"], found["ProtectSystem"]) == ("nobody", "", "strict")
    assert found["ReadWritePaths"] == f'"{terminal.data.absolute()}"'
    assert "does not run as root" in terminal.refuse("service", "print", "--system", "--as", "root")
    assert "no user" in terminal.refuse("service", "print", "--system", "--as", "no-such-person")
    assert "--as goes with --system" in terminal.refuse("service", "print", "--as", "nobody", code=2)


def test_who_called_sudo_is_who_it_runs_as_in_their_own_folder(
    tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "nobody")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "root"))
    home = Terminal(tmp_path / "root" / "meshrelay")
    found = values(home.do("service", "print", "--system"))
    assert found["User"] == "nobody"
    assert found["ReadWritePaths"].endswith('/.local/share/meshrelay"')
    assert "/root/" not in found["ReadWritePaths"]


def test_only_root_installs_for_the_computer(
    terminal: Terminal, tmp_path: Path, asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    terminal.data.mkdir()
    assert "by root" in terminal.refuse("service", "install", "--system", "--as", "nobody")
    assert not (tmp_path / "system").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("user", ["", "daemon"])
def test_systemd_finds_no_fault_with_the_unit_whatever_the_folder_is_called(tmp_path: Path, user: str) -> None:
    data = tmp_path / "a \"quoted\" $HOME %h 'x' \\ schön"
    unit = tmp_path / "meshrelay.service"
    unit.write_text(Service(data, user).text())
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "meshrelay.service:" in line]) == (0, [])
