"""A run with unchanged inputs reuses the cached output, and never reuses any other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codegen.project.project import Project

SCHEMA = '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}\n'


FILES = {
    "pyproject.toml": '[tool.lightbus-gen]\npackage = "acme_bus"\n',
    "schemas/shop/sold.json": SCHEMA,
}


@pytest.fixture
def generated(tmp_path: Path) -> Project:
    """A project that was generated once."""
    project = Project(tmp_path, FILES)
    assert project.run().returncode == 0
    return project


def kept(project: Project) -> Path:
    return project.folder / ".lightbus/generated.json"


def test_the_same_is_recalled(generated: Project) -> None:
    facts = json.loads(kept(generated).read_text())
    facts["files"]["acme_bus/shop.py"] += "# recalled\n"
    kept(generated).write_text(json.dumps(facts))
    assert "+# recalled" in generated.run("--check").stdout


@pytest.mark.parametrize("flags", [("--package", "other_bus"), ("--shared", "nothing/*")])
def test_other_settings_recall_nothing(generated: Project, flags: tuple[str, str]) -> None:
    before = kept(generated).read_bytes()
    generated.run(*flags)
    assert kept(generated).read_bytes() != before


def test_a_changed_schema_is_generated(generated: Project) -> None:
    generated.write("schemas/shop/sold.json", SCHEMA.replace("name", "title"))
    assert "+    title: str" in generated.run("--check").stdout


def test_a_changed_file_is_found(generated: Project) -> None:
    module = generated.folder / "generated/acme_bus/shop.py"
    module.write_text(module.read_text().replace("name: str", "name: int"))
    found = generated.run("--check")
    assert found.returncode == 1
    assert "-    name: int" in found.stdout


@pytest.mark.parametrize("spoilt", ["", "{}", "[]", '{"fingerprint": 1, "files": {}}', "\udcff"])
def test_a_spoilt_memo_is_made_again(generated: Project, spoilt: str) -> None:
    kept(generated).write_text(spoilt, errors="surrogateescape")
    assert generated.run().returncode == 0
    assert json.loads(kept(generated).read_text())["files"]


@pytest.mark.parametrize("files", [None, [], {"acme_bus/shop.py": None}])
def test_a_memo_that_holds_no_texts_is_made_again(generated: Project, files: object) -> None:
    facts = json.loads(kept(generated).read_text()) | {"files": files}
    kept(generated).write_text(json.dumps(facts))
    assert generated.run("--check").returncode == 0
    assert generated.run().returncode == 0
    assert json.loads(kept(generated).read_text())["files"]["acme_bus/shop.py"]


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    Project(tmp_path, FILES).run("--check")
    assert not (tmp_path / ".lightbus").exists()


def test_it_is_kept_out_of_git(generated: Project) -> None:
    assert (generated.folder / ".lightbus/.gitignore").read_text() == "*\n"


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    assert Project(tmp_path, FILES | {".lightbus": "in the way\n"}).run().returncode == 0
