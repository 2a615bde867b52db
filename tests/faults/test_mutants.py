"""The vectors must notice when a check of the gate is gone: every mutant of the verifying code is caught by one.

Each mutant is a copy of the package in which one check is left out or one bound is off by one. A mutant whose text
is not found any more fails too: the table has to follow the code.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import meshrelay
from tests.vectors import make

PACKAGE = Path(meshrelay.__file__).parent

# Ends with status 9 when a vector does not end as it says, or in anything but InvalidItem.
CHECK = """
import sys
from pathlib import Path
from meshrelay.core.admission import admit
from meshrelay.errors import InvalidItem
for path in sorted(Path(sys.argv[1]).glob("*.txt")):
    head, _, digits = path.read_text().partition("\\n\\n")
    said = dict(line.split(": ", 1) for line in head.splitlines())
    try:
        got = "ok", admit(bytes.fromhex(digits)).id.hex()
    except InvalidItem as refusal:
        got = refusal.reason, None
    except Exception as bug:
        got = type(bug).__name__, None
    if got != (said["expect"], said.get("id")):
        print(path.stem, *got)
        sys.exit(9)
"""

MUTANTS = [
    ("admission", "    if not verify(", "    if False and not verify("),
    ("admission", "if version is True or version != ", "if version != "),
    ("admission", "version is True or version != envelope.VERSION", "version is True or version is None"),
    ("bulletin", "MAX_AREAS = 256", "MAX_AREAS = 257"),
    ("bulletin", "MAX_CODES = 256", "MAX_CODES = 257"),
    ("bulletin", "MAX_LANGUAGES = 64", "MAX_LANGUAGES = 65"),
    ("bulletin", "MAX_LIFE = 90 * 86400", "MAX_LIFE = 90 * 86400 + 1"),
    ("bulletin", "MAX_LIVE = 64", "MAX_LIVE = 65"),
    ("bulletin", "MAX_NUMBER = 2**53 - 1", "MAX_NUMBER = 2**53"),
    ("bulletin", "MAX_REFERENCES = 64", "MAX_REFERENCES = 65"),
    ("bulletin", "MAX_RESOURCES = 32", "MAX_RESOURCES = 33"),
    ("bulletin", "MAX_SHAPES = 256", "MAX_SHAPES = 257"),
    ("bulletin", "20_040_000", "20_040_001"),
    ("bulletin", "-180_000_000", "-180_000_001"),
    ("bulletin", "90_000_000, Reason", "90_000_001, Reason"),
    ("bulletin", "fields.raw(8)", "fields.raw(9)"),
    ("bulletin", "if not b.sent < b.expires <=", "if not b.sent <= b.expires <="),
    ("bulletin", "if b.chain.seq == 1 and b.chain.prev is not None:", "if False:"),
    ("bulletin", "b.chain.live[-1] >= b.chain.seq", "b.chain.live[-1] > b.chain.seq"),
    ("bulletin", "if not b.texts and b.msg_type is not MsgType.CANCEL:", "if False:"),
    ("bulletin", "if b.msg_type is not MsgType.ALERT and not b.references and not b.origin.references:", "if False:"),
    ("bulletin", "if len(set(values)) != len(values):", "if False:"),
    ("bulletin", "if not all(map(lt, numbers, numbers[1:])):", "if False:"),
    ("bulletin", "if len({tag.lower() for tag in value}) != len(value):", "if False:"),
    ("bulletin", "points[0] != points[-1]", "False"),
    ("bulletin", "if origin == Origin():", "if False:"),
    ("bulletin", "(origin.kind is OriginKind.CAP) != (origin.identity is not None)", "False"),
    ("encoding", "    _scan(data)\n    try:", "    try:"),
    ("encoding", "MAX_DEPTH = 8", "MAX_DEPTH = 9"),
    ("encoding", "MAX_INT_KEY = 255", "MAX_INT_KEY = 256"),
    ("encoding", "MAX_TEXT_KEY = 35", "MAX_TEXT_KEY = 36"),
    ("encoding", "[\\x00-\\x09\\x0b-", "[\\x00-\\x08\\x0b-"),
    ("encoding", "\\x7f-\\x9f", "\\x80-\\x9f"),
    ("encoding", "\\u202a-\\u202e", "\\u202a-\\u202d"),
    ("encoding", "\\u2066-\\u2069", "\\u2066-\\u2068"),
    ("envelope", "    if len(data) > MAX_ITEM:", "    if len(data) > MAX_ITEM + 1:"),
    ("envelope", '!= b"\\xa0":', '== b"":'),
    ("envelope", "data[end : end + 2] != _SIGNATURE_HEAD or ", ""),
    ("envelope", "if not payload or encode(payload) != content:", "if not payload:"),
    ("envelope", "if not payload or encode(payload) != content:", "if encode(payload) != content:"),
    ("fields", "MAX_TIME = 253_402_300_799", "MAX_TIME = 253_402_300_800"),
    ("fields", "MIN_TIME = 1", "MIN_TIME = 0"),
    ("fields", '                wrong(name, f"unknown key {key!r}")', "                continue"),
    ("fields", "if not self._required.keys() <= entries.keys():", "if False:"),
    ("fields", "if not value and not empty:", "if False:"),
    ("fields", "if len(value) > most:", "if len(value) > most + 1:"),
    ("fields", "if len(value) != size:", "if len(value) > size:"),
    ("keys", "BadSignatureError:\n        return False", "BadSignatureError:\n        return public[0] > 250"),
    ("statements", "MAX_GOOD = 256", "MAX_GOOD = 257"),
    ("statements", "if revocation.subject != author:", "if False:"),
]


def status(folder: Path) -> int:
    """Run the vectors against the package in `folder`."""
    command = [sys.executable, "-P", "-c", CHECK, str(make.FOLDER)]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(folder)}, check=False, timeout=50).returncode


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    target = tmp_path / "meshrelay"
    target.mkdir()
    for name in ("__init__.py", "errors.py"):
        shutil.copy(PACKAGE / name, target)
    shutil.copytree(PACKAGE / "core", target / "core", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.full
def test_the_copy_itself_is_right(copy: Path) -> None:
    assert status(copy) == 0


@pytest.mark.full
@pytest.mark.parametrize(("module", "old", "new"), MUTANTS)
def test_a_mutant_of_the_gate_is_caught(copy: Path, module: str, old: str, new: str) -> None:
    path = copy / "meshrelay" / "core" / f"{module}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert status(copy) == 9
