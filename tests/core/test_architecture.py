"""The architecture page names every folder, the walks name real files, and each class name means one thing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

from tests.conftest import ROOT

PACKAGES = (ROOT / "runtime/lightbus", ROOT / "codegen/lightbus_gen")
PAGE = (ROOT / "docs/architecture.md").read_text()
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
MAX_MODULES = 12  # in a folder; the top of the runtime may hold a few more
MAX_AT_THE_TOP = 15


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.py")) if path.stem not in ("__init__", "__main__")]


def folders() -> list[Path]:
    return [init.parent for package in PACKAGES for init in sorted(package.rglob("__init__.py"))]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_map_names_every_folder_once() -> None:
    rows = re.findall(r"^\| `((?:runtime|codegen)/[^`]*)/` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(map(shown, folders()))


def test_the_map_lists_every_module_of_a_folder() -> None:
    rows = dict(re.findall(r"^\| `((?:runtime|codegen)/[^`]*)/` \| [^|]* \| ([^|]*) \|", PAGE, re.MULTILINE))
    listed = {folder: sorted(re.findall(r"`(\w+)`", names)) for folder, names in rows.items()}
    assert listed == {shown(folder): [path.stem for path in modules(folder)] for folder in folders()}


def test_the_import_directions_are_those_that_are_enforced() -> None:
    enforced = {contract["containers"][0]: contract for contract in CONTRACTS if contract["type"] == "layers"}
    directions = [
        " ".join(block.split()) for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    ]
    runtime, generator = (" > ".join(enforced[name]["layers"]) for name in ("lightbus", "lightbus_gen"))
    compat = " > ".join(enforced["lightbus_gen.compat"]["layers"])
    assert directions == [runtime, f"{generator} compat: {compat}"]
    assert all(contract["exhaustive"] for contract in enforced.values())


def test_every_path_on_the_page_exists() -> None:
    named = set(re.findall(r"`([\w/.]+/[\w.]+\.(?:py|md|j2|toml))`", PAGE))
    roots = (ROOT, *PACKAGES)
    assert named
    assert sorted(path for path in named if not any((root / path).exists() for root in roots)) == []


def test_no_folder_holds_too_many_modules() -> None:
    limits = {folder: MAX_AT_THE_TOP if folder == PACKAGES[0] else MAX_MODULES for folder in folders()}
    assert {shown(f): len(modules(f)) for f, most in limits.items() if len(modules(f)) > most} == {}


def test_every_package_has_an_init() -> None:
    """A folder without one would be in no contract of import-linter."""
    loose = {path.parent for package in PACKAGES for path in package.rglob("*.py")} - set(folders())
    assert sorted(map(shown, loose)) == []


SAME_IDEA = {"commands", "contract", "dead_letters", "delivery", "plan"}
"""File names of several folders that stand for one idea: in each transport, command or package."""


def test_a_file_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (path for folder in folders() for path in modules(folder)):
        places[path.stem].append(shown(path))
    assert {name for name, paths in places.items() if len(paths) > 1} == SAME_IDEA


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for folder in folders():
        for path in sorted(folder.glob("*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name.lstrip("_")].append(f"{shown(path)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
