"""service: let systemd start the relay with the computer, start it again when it fails, and keep it in bounds.

Not here: what the service manager is told while the relay runs (process.py). The unit is for the data folder of this
call, so that every other command works beside the service as beside any running relay.
Source: systemd.service(5), systemd.exec(5).
"""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import platformdirs

from meshrelay import folder
from meshrelay.cli.frame import Group, note
from meshrelay.cli.session import Session, pass_session
from meshrelay.errors import NotFound, Refusal, WrongUsage
from meshrelay.settings import default_data

UNIT: Final = "meshrelay.service"
BOOTED: Final = Path("/run/systemd/system")
"""There exactly where systemd runs this computer (sd_booted(3))."""
SYSTEM_UNITS: Final = Path("/etc/systemd/system")
_LINGER: Final = Path("/var/lib/systemd/linger")
_SECONDS: Final = 330.0

_BOUNDS: Final = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
# Netlink is how a program learns this computer's addresses; without it no relay is found.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
# The last two ask, and may not say, whether the clock is synchronised.
SystemCallFilter=@system-service adjtimex clock_adjtime
SystemCallErrorNumber=EPERM
"""
_SYSTEM_BOUNDS: Final = """\
CapabilityBoundingSet=
AmbientCapabilities=
PrivateTmp=yes
PrivateDevices=yes
ProtectSystem=strict
ProtectHome=read-only
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
"""


@dataclass(frozen=True, slots=True)
class Service:
    """The unit of one data folder: of this user, or (`user` given) of the system, run as that user."""

    data: Path
    user: str = ""

    @property
    def path(self) -> Path:
        """Where the unit lies."""
        if self.user:
            return SYSTEM_UNITS / UNIT
        return Path(platformdirs.user_config_dir("systemd", appauthor=False)) / "user" / UNIT

    @property
    def journal(self) -> str:
        """The command that shows its log."""
        return f"journalctl {'' if self.user else '--user '}-u meshrelay -n 20"

    def text(self) -> str:
        """Return the unit."""
        command = [sys.executable, "-P", "-m", "meshrelay", "--data", str(self.data), "run"]
        lines = [
            "[Unit]",
            "Description=meshrelay, a relay of signed emergency bulletins",
            *(["After=network.target"] if self.user else []),
            "# A relay is tried again for as long as it takes.",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "Type=notify",
            "NotifyAccess=main",
            *([f"User={self.user}"] if self.user else []),
            f"ExecStart={' '.join(_quoted(word, command=True) for word in command)}",
            "Restart=on-failure",
            "RestartSec=5",
            "RestartPreventExitStatus=2",
            "TimeoutStartSec=300",
            "TimeoutStopSec=20",
            "# Fed only while the relay's tasks run and its store answers.",
            "WatchdogSec=120",
            "WatchdogSignal=SIGTERM",
            "SyslogIdentifier=meshrelay",
            "UMask=0077",
            "# A dump would hold signing keys.",
            "LimitCORE=0",
            _BOUNDS.rstrip("\n"),
            *([_SYSTEM_BOUNDS.rstrip("\n"), f"ReadWritePaths={_quoted(str(self.data))}"] if self.user else []),
            "",
            "[Install]",
            f"WantedBy={'multi-user.target' if self.user else 'default.target'}",
        ]
        return "\n".join(lines) + "\n"

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call systemctl; raises Refusal where systemd does not run this computer."""
        found = shutil.which("systemctl")
        if found is None or not BOOTED.is_dir():
            raise Refusal(
                "this computer is not run by systemd",
                hint="let what starts programs here call `meshrelay run`, such as a line with @reboot in `crontab -e`",
            )
        mode = [] if self.user else ["--user"]
        return subprocess.run(  # noqa: S603  # words of this module alone
            [found, *mode, *words], capture_output=True, text=True, timeout=_SECONDS, check=False
        )

    def must(self, *words: str, hint: str) -> None:
        """Call systemctl; raises Refusal with its own words when it fails."""
        done = self.control(*words)
        if done.returncode:
            said = (done.stderr.strip() or f"systemctl {words[0]} fails").splitlines()[0]
            raise Refusal(said, hint=hint)


_system_option = click.option("--system", is_flag=True, help="For the whole computer, from its start; needs root.")
_user_option = click.option(
    "--as",
    "user",
    metavar="USER",
    default="",
    help="With --system: who it runs as; default: who called sudo, or whose the folder is.",
)


@click.group(cls=Group)
def service() -> None:
    """Let the relay start with this computer (systemd)."""


@service.command()
@_system_option
@_user_option
@pass_session
def install(session: Session, /, system: bool, user: str) -> None:
    """Start the relay now, and whenever this user logs in, or with --system whenever this computer starts.

    It runs on the same data folder, without root, and is started again when it fails.
    """
    one = _service(session, system=system, user=user)
    one.control("--version")
    if system and os.geteuid() != 0:
        raise Refusal("a service of the whole computer is installed by root", hint=f"call {_sudo()}")
    runs = folder.running(one.data)
    if runs is not None and not one.path.exists():
        raise Refusal(
            f"a relay already runs here (process {runs.pid})",
            hint="stop it with Ctrl-C where it was started, then again",
        )
    _make_folder(one)
    one.path.parent.mkdir(parents=True, exist_ok=True)
    one.path.write_text(one.text(), encoding="utf-8")
    hint = f"see `{one.journal}`"
    one.must("daemon-reload", hint="log in as this user, not by su or sudo, or install it with --system")
    one.must("enable", UNIT, hint=hint)
    one.must("restart", UNIT, hint=hint)
    click.echo(str(one.path))
    note(f"The relay runs. What it says: {one.journal}")
    name = getpass.getuser()
    if not system and not (_LINGER / name).exists():
        note(f"It ends when you log out. To let it run from the computer's start: sudo loginctl enable-linger {name}")


@service.command("print")
@_system_option
@_user_option
@pass_session
def print_(session: Session, /, system: bool, user: str) -> None:
    """Print the unit that `install` would write."""
    click.echo(_service(session, system=system, user=user).text(), nl=False)


@service.command()
@_system_option
@pass_session
def remove(session: Session, /, system: bool) -> None:
    """Stop the service and start it no more. The data folder stays as it is."""
    one = Service(session.data.absolute(), "root" if system else "")
    one.control("--version")
    if not one.path.exists():
        raise NotFound(
            f"no service is installed at {one.path}",
            hint="see `meshrelay service install`" if system else "one of the whole computer is removed with --system",
        )
    if system and os.geteuid() != 0:
        raise Refusal("a service of the whole computer is removed by root", hint=f"call {_sudo()}")
    one.must("disable", "--now", UNIT, hint=f"see `{one.journal}`")
    one.path.unlink()
    one.must("daemon-reload", hint="systemd takes note of it at its next start")
    note("The service is gone; the folder stays as it is.")


def _service(session: Session, *, system: bool, user: str) -> Service:
    """Return the service of this call; raises Refusal when nobody is named who may run it."""
    data = session.data.absolute()
    if not system:
        if user:
            raise WrongUsage("--as goes with --system", hint="without --system it runs as the user who installs it")
        return Service(data)
    import pwd  # not there on every system; where systemd is, it is

    name = user or os.environ.get("SUDO_USER", "") or (data.owner() if data.exists() else "")
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise Refusal(
            f"there is no user {name!r} here" if name else "who shall run it is not known",
            hint="name a user of this computer with --as",
        ) from error
    if entry.pw_uid == 0:
        raise Refusal("a relay needs no root and does not run as root", hint="name another user with --as")
    if session.data == default_data():
        # Called by sudo, that is root's; the relay's people keep theirs at home.
        data = Path(entry.pw_dir) / ".local" / "share" / "meshrelay"
    return Service(data, name)


def _make_folder(one: Service) -> None:
    """Make the data folder of the service, so that it may write there and nowhere else."""
    made = not one.data.exists()
    one.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not one.user:
        return
    if made:
        shutil.chown(one.data, one.user)
    elif one.data.owner() != one.user:
        raise Refusal(
            f"{one.data} belongs to {one.data.owner()}, not to {one.user}",
            hint=f"name its owner with --as, or give it away: chown -R {one.user} {shlex.quote(str(one.data))}",
        )


def _sudo() -> str:
    return f"it again with sudo: sudo {shlex.join([sys.executable, '-m', 'meshrelay', *sys.argv[1:]])}"


_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "%": "%%"}


def _quoted(word: str, *, command: bool = False) -> str:
    """Return a word as a unit file spells it, so that systemd reads the same word again."""
    escaped = "".join(_ESCAPES.get(char, "$$" if char == "$" and command else char) for char in word)
    return f'"{escaped}"'
