"""A run with unchanged inputs reuses the cached output, and no other; a check reuses nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbus_gen.project import memo
from lightbus_gen.project.settings import ProjectSettings
from tests.codegen.project.project import Project

SCHEMA = '{"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}\n'
MODULE = "acme_bus/shop.py"
EVIL = "__import__('os').system('evil')\n"

FILES = {
    "pyproject.toml": '[tool.lightbus-gen]\npackage = "acme_bus"\n',
    "schemas/shop/sold.json": SCHEMA,
}


@pytest.fixture
def generated(tmp_path: Path) -> Project:
    """A project that was generated once."""
    project = Project(tmp_path / "project", FILES)
    assert project.run().returncode == 0
    return project


def entry(project: Project) -> Path:
    """Return the only file of the cache."""
    [path] = (project.cache / "lightbus-gen").iterdir()
    return path


def poison(path: Path) -> None:
    """Add code to the module of a cache entry, as somebody does who knows the format."""
    files = json.loads(path.read_bytes().partition(b"\n")[2])
    files[MODULE] += EVIL
    text = json.dumps(files).encode()
    path.write_bytes(hashlib.sha256(path.name.encode() + text).hexdigest().encode() + b"\n" + text)


def module(project: Project) -> str:
    return (project.folder / "generated" / MODULE).read_text()


def test_the_same_is_recalled(generated: Project) -> None:
    poison(entry(generated))
    assert generated.run().returncode == 0
    assert module(generated).endswith(EVIL)


def test_a_check_believes_no_cache(generated: Project) -> None:
    poison(entry(generated))
    assert generated.run().returncode == 0
    checked = generated.run("--check")
    assert checked.returncode == 1
    assert f"-{EVIL}" in checked.stdout


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", FILES)
    project.run("--check")
    assert not project.cache.exists()


def test_nothing_is_read_from_the_project(generated: Project) -> None:
    """A branch can carry any file below the project, also where a build machine has its caches."""
    for place in (".cache", ".lightbus", "linked"):
        if place == "linked":
            (generated.folder / place).symlink_to(generated.cache)
        else:
            shutil.copytree(generated.cache, generated.folder / place)
    poison(entry(generated))
    for folder in (".cache", ".lightbus"):
        poison(generated.folder / folder / "lightbus-gen" / entry(generated).name)
    for cache in (".cache", "linked", str(generated.folder / ".cache"), str(generated.folder / "linked")):
        (generated.folder / "generated" / MODULE).unlink()
        home = str(generated.folder)  # a relative cache folder is ignored, and that of the home is here too
        assert generated.run(env={"XDG_CACHE_HOME": cache, "HOME": home}).returncode == 0
        assert EVIL not in module(generated), cache


@pytest.mark.parametrize("flags", [("--package", "other_bus"), ("--shared", "nothing/*")])
def test_other_settings_recall_nothing(generated: Project, flags: tuple[str, str]) -> None:
    generated.run(*flags)
    assert len(list((generated.cache / "lightbus-gen").iterdir())) == 2


def test_a_changed_schema_is_generated(generated: Project) -> None:
    generated.write("schemas/shop/sold.json", SCHEMA.replace("name", "title"))
    assert "+    title: str" in generated.run("--check").stdout
    assert generated.run().returncode == 0
    assert "    title: str" in module(generated)


def test_a_changed_file_is_found(generated: Project) -> None:
    path = generated.folder / "generated" / MODULE
    path.write_text(path.read_text().replace("name: str", "name: int"))
    found = generated.run("--check")
    assert found.returncode == 1
    assert "-    name: int" in found.stdout


def _rename(path: Path) -> None:
    """Put the entry of other schemas in place."""
    other = path.with_name("0" * 64)
    path.rename(other)
    poison(other)
    other.rename(path)


def _link(path: Path) -> None:
    poison(path)
    path.symlink_to(path.rename(path.parent.parent / "elsewhere"))


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _give_away(path: Path) -> None:
    poison(path)
    os.chown(path, 12345, 12345)


def _give_away_folder(path: Path) -> None:
    poison(path)
    os.chown(path.parent, 12345, 12345)


def _open(path: Path) -> None:
    poison(path)
    path.chmod(0o620)


def _open_folder(path: Path) -> None:
    poison(path)
    path.parent.chmod(0o770)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "changed": lambda path: path.write_bytes(path.read_bytes().replace(b"name: str", b"name: int")),
    "no text": lambda path: path.write_bytes(b"\xff\n" * 9),
    "of other schemas": _rename,
    "a link": _link,
    "a folder": _folder,
    "another user's": _give_away,
    "in another user's folder": _give_away_folder,
    "writable by others": _open,
    "in a folder writable by others": _open_folder,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_entry_is_not_used(damage: str, generated: Project) -> None:
    if "another user's" in damage and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    text = module(generated)
    path = entry(generated)
    DAMAGE[damage](path)
    (generated.folder / "generated" / MODULE).unlink()
    assert generated.run().returncode == 0
    assert module(generated) == text


def test_only_its_owner_has_access(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", FILES)
    before = os.umask(0)
    try:
        project.run()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (entry(project).parent, entry(project))] == [0o700, 0o600]


@pytest.mark.parametrize("home", ["", "relative", "/dev/null", "/proc/none"])
def test_without_a_usable_home_there_is_no_cache(home: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", FILES)
    done = project.run(env={"HOME": home, "XDG_CACHE_HOME": ""})
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in project.folder.iterdir()} == {"pyproject.toml", "schemas", "generated"}
    assert not project.cache.exists()


def test_runs_at_the_same_time_leave_whole_entries(generated: Project) -> None:
    """Each run of another project with the same schemas writes the same entry."""
    path, text = entry(generated), module(generated)
    whole = path.read_bytes()
    path.unlink()
    others = [Project(generated.folder.with_name(f"other-{number}"), FILES) for number in range(6)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "lightbus_gen"],
            cwd=other.folder,
            env=os.environ | {"XDG_CACHE_HOME": str(generated.cache)},
            stdout=subprocess.DEVNULL,
        )
        for other in others
    ]
    assert [run.wait(60) for run in runs] == [0] * len(runs)
    assert {module(other) for other in others} == {text}
    assert entry(generated).read_bytes() == whole


def test_the_oldest_entries_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(memo, "_MAX_BYTES", 3_500)
    settings = ProjectSettings(root=tmp_path / "project")
    for number in range(5):
        memo.keep(settings, str(number), {"module.py": "x" * 900})
        os.utime(tmp_path / "cache/lightbus-gen" / str(number), (number, number))
        assert memo.recall(settings, "0"), "used each time, so it stays"
        if number > 0:
            os.utime(tmp_path / "cache/lightbus-gen/0", (100, 100))
    assert sorted(path.name for path in (tmp_path / "cache/lightbus-gen").iterdir()) == ["0", "3", "4"]
    memo.keep(settings, "large", {"module.py": "x" * 4_000})
    assert [bool(memo.recall(settings, key)) for key in ("0", "3", "4", "large")] == [True, True, True, False]
