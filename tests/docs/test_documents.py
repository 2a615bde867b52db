"""What the papers say about the project is what the project is."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

ADRS = ROOT / "docs" / "adr"
FRAGMENTS = ROOT / "docs" / "changes"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return [line for block in SHELL_BLOCK.findall(text) for line in block.splitlines()]


def test_every_decision_is_listed() -> None:
    listed = (ADRS / "README.md").read_text(encoding="utf-8")
    records = sorted(path.name for path in ADRS.glob("[0-9]*.md"))
    assert records
    assert [name for name in records if f"({name})" not in listed] == []


def test_decisions_are_numbered_without_a_gap_and_give_their_status() -> None:
    records = sorted(ADRS.glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert re.search(r"^- Status: (accepted|superseded by \d{4})$", text, re.MULTILINE), path.name
        assert re.search(r"^- Date: \d{4}-\d\d-\d\d$", text, re.MULTILINE), path.name


def test_every_news_fragment_has_a_known_kind() -> None:
    names = [path.name for path in FRAGMENTS.iterdir() if path.name != ".gitignore"]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9-]+\.(feature|change|fix|security)\.md", name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


def test_ci_runs_the_commands_of_the_readme_as_they_stand() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    install, test = readme_commands()[:2]
    assert any(line.startswith(install) for line in script)
    assert any(line.startswith(test) for line in script)


def test_every_requirement_has_one_exact_version_in_the_constraints() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    wanted = setup["options"]["install_requires"].splitlines()
    for extra in setup["options.extras_require"].values():
        wanted += extra.splitlines()
    names = {_canonical(re.split(r"[<>=;\[ ]", line, maxsplit=1)[0]) for line in wanted if line}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    assert names - {_canonical(line.partition("==")[0]) for line in pins} == set()


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_architecture_names_only_files_that_are_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where is the thing")[2].partition("\n## ")[0]
    named = set(re.findall(r"`((?:\w+/)*(?:\w+\.py|\w+/))`", table))
    assert named
    assert {name for name in named if not (ROOT / "meshrelay" / name).exists()} == set()


def test_the_architecture_has_a_place_for_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "meshrelay"
    modules = [path.relative_to(package) for path in package.rglob("*.py") if not path.name.startswith("__")]
    placed = [path for path in modules if f"`{path.as_posix()}`" in text or f"`{path.parent.as_posix()}/`" in text]
    assert [path.as_posix() for path in modules if path not in placed] == []
