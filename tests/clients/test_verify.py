"""clients/verify, run in an environment of its own with a COSE library that is not ours, against the vectors."""

from __future__ import annotations

import io
import subprocess
import venv
from pathlib import Path

import pytest

from meshrelay.interop import carry
from tests.vectors import make

CLIENT = Path(__file__).parents[2] / "clients" / "verify"
# What the client leaves to a relay: whether each field of a well signed payload is in its range.
NOT_CHECKED = {"field", "time", "place"}

pytestmark = pytest.mark.cwt


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "venv"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "-q", "-r", str(CLIENT / "requirements.txt")]
    subprocess.run(install, check=True, timeout=240)
    return python


def run(python: Path, paths: list[Path]) -> tuple[int, dict[str, list[str]]]:
    """Return the exit status, and what was said about every file."""
    done = subprocess.run(
        [python, CLIENT / "verify.py", *paths],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        encoding="utf-8",
    )
    assert not done.stderr
    said: dict[str, list[str]] = {path.stem: [] for path in paths}
    for line in done.stdout.splitlines():
        name, _, words = line.partition(": ")
        said[Path(name).stem].append(words)
    return done.returncode, said


def files(folder: Path, vectors: list[make.Vector]) -> list[Path]:
    paths = [folder / f"{vector.name}.cose" for vector in vectors]
    for path, vector in zip(paths, vectors, strict=True):
        path.write_bytes(vector.data)
    return paths


def test_the_client_stands_in_an_environment_without_meshrelay(python: Path) -> None:
    script = "import importlib.util, sys; sys.exit(importlib.util.find_spec('meshrelay') is not None)"
    assert subprocess.run([python, "-c", script], cwd=CLIENT, check=False).returncode == 0


def test_another_library_verifies_every_good_vector_and_finds_its_id(python: Path, tmp_path: Path) -> None:
    good = [vector for vector in make.vectors() if vector.id is not None]
    status, said = run(python, files(tmp_path, good))
    for vector in good:
        assert vector.id is not None
        (line,) = said[vector.name]
        assert line.startswith(f"good: {vector.id.hex()} by {vector.author.hex()}: "), vector.name
    assert status == 0


def test_another_implementation_refuses_every_forgery_for_the_same_reason(python: Path, tmp_path: Path) -> None:
    forged = [vector for vector in make.vectors() if vector.expect not in NOT_CHECKED | {"ok"} and vector.data]
    status, said = run(python, files(tmp_path, forged))
    for vector in forged:
        if vector.name != "envelope-twice":  # as a file these are two good items
            assert any(line.startswith("refused: ") for line in said[vector.name]), vector.name
        if vector.expect in ("signature", "encoding", "text", "kind", "version"):
            assert said[vector.name][0].startswith(f"refused: {vector.expect}: "), vector.name
    assert len(forged) > 200
    assert status == 1


def test_a_carry_file_is_read_and_its_damage_is_said(python: Path, tmp_path: Path) -> None:
    good = [vector.data for vector in make.vectors() if vector.id is not None][:5]
    target = io.BytesIO()
    carry.write(target, good)
    data = bytearray(target.getvalue())
    whole, damaged, short = (tmp_path / f"{name}.carry" for name in ("whole", "damaged", "short"))
    whole.write_bytes(data)
    short.write_bytes(data[:-3])
    data[len(carry.MAGIC) + 200] ^= 1
    damaged.write_bytes(data)
    status, said = run(python, [whole, damaged, short])
    assert [line.split(":")[0] for line in said["whole"]] == ["good"] * 5
    assert [line.split(":")[0] for line in said["damaged"]] == ["refused", *["good"] * 4]
    assert [line.split(":")[0] for line in said["short"]] == [*["good"] * 5, "refused", "refused"]
    assert status == 1
