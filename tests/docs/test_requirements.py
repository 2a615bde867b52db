"""What is imported is what is installed: no more, no less."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.conftest import ROOT

HANDED_OUT = {"multidict": "aiohttp", "yarl": "aiohttp", "markupsafe": "jinja2"}
"""Libraries whose values are part of the interface of one that is declared."""


def third_party(folder: Path) -> set[str]:
    """Return the distributions, not the standard library's and not ours, that the modules of a folder import."""
    names: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module.partition(".")[0])
    modules = names - sys.stdlib_module_names - {"__future__", "meshrelay"}
    owners = packages_distributions()
    names = {owners.get(module, [module])[0].lower() for module in modules}
    return {HANDED_OUT.get(name, name) for name in names}


def declared() -> set[str]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = setup["options"]["install_requires"].split()
    return {re.split(r"[<>=]", line, maxsplit=1)[0].lower() for line in lines}


def test_every_library_imported_is_declared() -> None:
    assert third_party(ROOT / "meshrelay") - declared() == set()


def test_every_library_declared_is_imported() -> None:
    assert declared() - third_party(ROOT / "meshrelay") == set()


def test_every_data_file_of_the_package_is_shipped() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    package = ROOT / "meshrelay"
    patterns = setup["options.package_data"]["meshrelay"].split()
    shipped = {path for pattern in patterns for path in package.glob(pattern)}
    files = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    caches = {path for path in files if any(part.startswith(".") for part in path.relative_to(package).parts)}
    assert files - caches - shipped == set()


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in (ROOT / "meshrelay").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
