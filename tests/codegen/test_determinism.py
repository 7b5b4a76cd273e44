"""The same input gives the same bytes, on any machine and from any folder."""

from __future__ import annotations

import locale
import os
import subprocess
from pathlib import Path

import pytest

from tests.codegen.project.project import PYPROJECT, Project, shop

SCHEMAS = {
    "schemas/other/thing.json": """{
  "description": "Größe, İstanbul, \\u2028.",
  "type": "object",
  "properties": {
    "i": {"enum": ["b", "a", 1, true, null]},
    "TITLE": {"title": "ISTIHBARAT", "type": "object", "properties": {"é": {"type": "string"}}},
    "when": {"type": "string", "format": "date-time"}
  },
  "required": ["when", "i"]
}
""",
    "schemas/other/more.yaml": "type: object\nproperties:\n  z: {$ref: types/zed.yaml}\n  a: {type: integer}\n",
    "schemas/other/types/zed.yaml": "description: |\n  Two\n  lines.\nanyOf: [{type: string}, {type: integer}]\n",
}
SETTINGS = 'distribution = "acme-bus"\nversion = "1.4"\nshared = ["other/types"]\n'


def _project(folder: Path) -> Project:
    project = shop(folder)
    for name, text in SCHEMAS.items():
        project.write(name, text)
    project.write("pyproject.toml", PYPROJECT + SETTINGS)
    return project


def _output(project: Project) -> dict[str, bytes]:
    folders = (project.folder / "schemas", project.folder / "generated")
    return {
        path.relative_to(project.folder).as_posix(): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(project.folder).as_posix() not in SCHEMAS
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    project = _project(tmp_path_factory.mktemp("one"))
    assert project.run("--quiet", env={"PYTHONHASHSEED": "1"}).returncode == 0
    made = _output(project)
    assert len(made) == 9
    return made


def _turkish() -> str | None:
    """Return the name of a Turkish locale of this machine, where `"I".lower()` of C is not `"i"`."""
    before = locale.setlocale(locale.LC_ALL)
    for name in ("tr_TR.UTF-8", "tr_TR.ISO8859-9", "tr_TR"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        locale.setlocale(locale.LC_ALL, before)
        return name
    return None


ENVIRONMENTS = {
    "another hash seed": {"PYTHONHASHSEED": "2"},
    "the C locale": {"LC_ALL": "C"},
    "the C locale without UTF-8": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a Turkish locale": {"LC_ALL": _turkish() or "", "PYTHONUTF8": "0"},
    "another time zone": {"TZ": "Asia/Kolkata"},
    "Python options": {"PYTHONOPTIMIZE": "1", "PYTHONDONTWRITEBYTECODE": "1"},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_output_does_not_depend_on(name: str, tmp_path: Path, expected: dict[str, bytes]) -> None:
    environment = ENVIRONMENTS[name]
    if not environment.get("LC_ALL", "C"):
        pytest.skip("there is no Turkish locale on this machine")
    project = _project(tmp_path / "another folder" / "ğ")
    ran = project.run("--quiet", env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert _output(project) == expected


def test_output_does_not_depend_on_the_working_folder(tmp_path: Path, expected: dict[str, bytes]) -> None:
    project = _project(tmp_path)
    (tmp_path / "deep/inside").mkdir(parents=True)
    assert project.run("--quiet", cwd="deep/inside").returncode == 0
    assert _output(project) == expected


def test_output_does_not_depend_on_the_umask(tmp_path: Path, expected: dict[str, bytes]) -> None:
    project = _project(tmp_path)
    before = os.umask(0o077)
    try:
        assert project.run("--quiet").returncode == 0
    finally:
        os.umask(before)
    assert _output(project) == expected


def test_a_checkout_with_other_line_ends_is_current(tmp_path: Path, expected: dict[str, bytes]) -> None:
    project = _project(tmp_path / "origin")
    for name, data in expected.items():
        project.write(name, data.decode())

    def git(*arguments: str) -> None:
        author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        subprocess.run(
            ["git", "-C", project.folder, *author, *arguments], check=True, capture_output=True, timeout=60
        )

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "All of it")
    git("clone", "--quiet", "--config", "core.autocrlf=true", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", {})
    for name in SCHEMAS:
        assert b"\r\n" in (clone.folder / name).read_bytes()
    ran = clone.run("--check")
    assert ran.returncode == 0, ran.stdout
    for name in expected:
        (clone.folder / name).unlink()
    assert clone.run("--quiet").returncode == 0
    assert _output(clone) == expected
