"""Links lead nothing out of the project: what a run writes stays below the folders that were named."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lightbus_gen.read.input_problems import InputError
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import HEADER, plan
from tests.codegen.project.project import Project, shop

PLACES = (
    "schemas",
    "schemas/shop.json",
    "generated",
    "generated/acme_bus",
    "generated/acme_bus/__init__.py",
    "generated/acme_bus/shop.py",
    "generated/acme_bus/py.typed",
    "generated/acme_bus/schemas",
    "generated/acme_bus/schemas/shop.json",
    "generated/pyproject.toml",
    "generated/README.md",
)
WAYS = ("absolute", "relative, through a link", "dangling")
DISTRIBUTION = ("--distribution", "acme-bus", "--version", "1.0")


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Return everything in a folder, with the times of the last changes."""
    return {
        str(path.relative_to(folder)): (path.read_text() if path.is_file() else "", path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = shop(tmp_path_factory.mktemp("links") / "project")
    assert project.run(*DISTRIBUTION).returncode == 0
    return project


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_link_does_not_lead_out_of_the_project(
    place: str, way: str, generated: Project, tmp_path: Path
) -> None:
    project, outside = Project(tmp_path / "project", {}), tmp_path / "outside"
    shutil.copytree(generated.folder, project.folder)
    outside.mkdir()
    path, target = project.folder / place, outside / "target"
    path.rename(target)
    if way == "dangling":
        target.rename(outside / "elsewhere")
    if way == "relative, through a link":
        (project.folder / "between").symlink_to(target)
        target = project.folder / "between"
    path.symlink_to(target if way == "absolute" else Path(os.path.relpath(target, path.parent)))
    project.write("shop_bus.py", (project.folder / "shop_bus.py").read_text().replace("count", "number"))
    before = state(outside)
    for more in ((), ("--check",), ("--only", "shop"))[: 3 if way == "absolute" else 1]:
        done = project.run(*DISTRIBUTION, *more)
        assert done.returncode == 2, done.stdout
        assert re.search(rf"{place}\S*: (OUTSIDE leads out of|NOT_READABLE is a link that) ", done.stderr)
    if place.startswith("schemas"):
        assert "OUTSIDE" in project.run("export", "shop_bus").stderr
    assert state(outside) == before


@pytest.mark.parametrize("place", PLACES[:-2])
def test_a_circle_of_links_is_a_problem_of_the_input(place: str, generated: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    path = project.folder / place
    path.rename(tmp_path / "moved")
    path.symlink_to(path.name)
    for arguments in (DISTRIBUTION, ("--check", *DISTRIBUTION), ("breaking", "--against", ".")):
        done = project.run(*arguments)
        assert done.returncode in (0, 1, 2), done.stderr
    if (tmp_path / "moved").is_dir():
        assert project.run(*DISTRIBUTION).returncode == 2


def test_links_inside_the_project_are_followed(tmp_path: Path) -> None:
    project = shop(tmp_path / "project")
    for name in ("schemas", "generated"):
        (project.folder / "build" / name).mkdir(parents=True)
        (project.folder / name).symlink_to(Path("build") / name)
    assert project.run().returncode == 0
    assert (project.folder / "build/schemas/shop.json").is_file()
    assert (project.folder / "build/generated/acme_bus/shop.py").is_file()
    assert project.run("--check").returncode == 0


def test_schemas_outside_are_read_through_a_link(generated: Project, tmp_path: Path) -> None:
    """Only exporting to them would write them."""
    shutil.copytree(generated.folder / "schemas", tmp_path / "outside")
    project = Project(tmp_path / "project", {"pyproject.toml": '[tool.lightbus-gen]\npackage = "acme_bus"\n'})
    (project.folder / "schemas").symlink_to(tmp_path / "outside")
    before = state(tmp_path / "outside")
    assert project.run().returncode == 0
    assert project.run("--check").returncode == 0
    assert state(tmp_path / "outside") == before


def test_a_folder_outside_may_be_named(tmp_path: Path) -> None:
    """Also one that is a link: it is the user's own word, and not that of a branch. Its package may not lead out."""
    project = shop(tmp_path / "project")
    (tmp_path / "named").mkdir()
    (tmp_path / "linked").symlink_to("named")
    for out in (str(tmp_path / "named"), "../named", str(tmp_path / "linked"), "../linked"):
        assert project.run("--out", out).returncode == 0
        assert project.run("--out", out, "--check").returncode == 0
        shutil.rmtree(tmp_path / "named/acme_bus")
    (tmp_path / "named/acme_bus").symlink_to(project.folder)
    assert "OUTSIDE leads out of ../linked" in project.run("--out", "../linked").stderr


def test_stale_files_behind_a_link_stay(tmp_path: Path) -> None:
    (tmp_path / "out/bus").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/old.json").write_text('{"lightbus": 1}')
    (tmp_path / "out/bus/__init__.py").write_text(HEADER)
    (tmp_path / "out/bus/schemas").symlink_to(tmp_path / "outside")
    planned = plan(tmp_path / "out", {"bus/__init__.py": HEADER}, within="bus", remove_stale=True)
    assert planned.changes == ()


@pytest.mark.parametrize("place", ["out", "out/bus", "out/bus/schemas"])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_link_that_comes_after_the_plan_is_not_followed(place: str, is_new: bool, tmp_path: Path) -> None:
    document = '{"lightbus": 1}\n'
    files = {"bus/auth.py": f"{HEADER}\n", "bus/schemas/auth.json": document}
    if not is_new:
        apply(plan(tmp_path / "out", files, within="bus"))
        files = {name: text + "\n" for name, text in files.items()}
    planned = plan(tmp_path / "out", files, within="bus")
    outside = tmp_path / "outside"
    if is_new:
        outside.mkdir()
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    else:
        (tmp_path / place).rename(outside)
    (tmp_path / place).symlink_to(outside)
    before = state(outside)
    with pytest.raises(InputError, match="OUTSIDE leads elsewhere than it did"):
        apply(planned)
    assert {name: text for name, (text, _) in state(outside).items()} == {
        name: text for name, (text, _) in before.items()
    }


@pytest.mark.parametrize(
    "name",
    [
        "shop.pyi",
        "__init__.pyi",
        "shop/__init__.py",
        "shop/__init__.pyi",
        "shop.so",
        "shop.cpython-311-x86_64-linux-gnu.so",
        "shop.abi3.so",
        "shop.pyd",
        "shop.cp311-win_amd64.pyd",
        "../acme_bus.py",
        "../acme_bus.pyi",
        "../acme_bus.abi3.so",
        "../acme_bus.pyd",
        "../acme_bus-stubs",
        "../acme_bus-stubs/__init__.pyi",
        "../acme_bus-stubs/shop.pyi",
    ],
)
def test_nothing_stands_before_a_generated_module(name: str, generated: Project, tmp_path: Path) -> None:
    """A branch could have Python or a type checker take another file, with everything current."""
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    project.write(f"generated/acme_bus/{name}", "x = 1\n")
    place = os.path.normpath(f"generated/acme_bus/{name}")
    place = "generated/acme_bus-stubs" if "-stubs" in place else place
    for arguments in (DISTRIBUTION, ("--check", *DISTRIBUTION)):
        done = project.run(*arguments)
        assert done.returncode == 2
        assert f"{place}: SHADOWED would be imported or type-checked in place of" in done.stderr


STUBS = [
    ("typings", "", {}),
    ("stubs", '[tool.pyright]\nstubPath = "stubs"', {}),
    ("more", '[tool.pyright]\nextraPaths = ["src", "./more"]', {}),
    ("stubs", '[tool.mypy]\nmypy_path = "src, stubs:generated"', {}),
    ("stubs", '[tool.mypy]\nmypy_path = ["generated", "$MYPY_CONFIG_FILE_DIR/stubs"]', {}),
    ("stubs", "", {"MYPYPATH": f"src{os.pathsep}stubs"}),
]


@pytest.mark.parametrize(("folder", "settings", "environment"), STUBS)
def test_no_folder_of_stubs_has_the_package(
    folder: str,
    settings: str,
    environment: dict[str, str],
    generated: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Type checkers look there first, so they would check services against a client that does not exist."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    project.write("pyproject.toml", f"{(project.folder / 'pyproject.toml').read_text()}\n{settings}\n")
    project.write(f"{folder}/other/acme_bus.pyi", "x = 1\n")
    project.write(f"{folder}/acme_bus_tools.pyi", "x = 1\n")
    (project.folder / folder / "acme_bus.md").touch()
    assert project.run("--check", *DISTRIBUTION).returncode == 0
    names = ("acme_bus/shop.pyi", "acme_bus.pyi", "acme_bus.py", "acme_bus-stubs/shop.pyi")
    for name in names:
        project.write(f"{folder}/{name}", "x = 1\n")
    done = project.run("--check", *DISTRIBUTION)
    assert done.returncode == 2
    for place in (f"{folder}/{name.partition('/')[0]}" for name in names):
        assert f"{place}: SHADOWED would be imported or type-checked in place of acme_bus" in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        "mypy = 1\npyright.extraPaths = [1]",
        'mypy.mypy_path = 5\npyright.stubPath = "\\u0000"',
        f'mypy.mypy_path = "{"x" * 5000}"',
    ],
)
def test_settings_that_type_checkers_cannot_use_are_left_to_them(
    settings: str, generated: Project, tmp_path: Path
) -> None:
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    project.write("pyproject.toml", f"[tool]\n{settings}\n{(project.folder / 'pyproject.toml').read_text()}")
    assert project.run("--check", *DISTRIBUTION).returncode == 0


@pytest.mark.parametrize("module", ["shop", "__init__"])
@pytest.mark.parametrize("mode", ["UNCHECKED_HASH", "CHECKED_HASH"])
def test_no_compiled_file_runs_in_place_of_a_generated_module(
    mode: str, module: str, generated: Project, tmp_path: Path
) -> None:
    """A checked one as well: the branch knows the hash of the source."""
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    source = project.folder / f"generated/acme_bus/{module}.py"
    evil = tmp_path / "evil.py"
    evil.write_text("is_evil = True\n")
    compiled = Path(importlib.util.cache_from_source(str(source)))
    invalidation = py_compile.PycInvalidationMode[mode]
    py_compile.compile(str(evil), str(compiled), doraise=True, invalidation_mode=invalidation)
    data = compiled.read_bytes()
    compiled.write_bytes(data[:8] + importlib.util.source_hash(source.read_bytes()) + data[16:])
    probe = f"import acme_bus.{module} as module; assert module.is_evil"
    subprocess.run([sys.executable, "-c", probe], cwd=project.folder / "generated", check=True)
    for arguments in (DISTRIBUTION, ("--check", *DISTRIBUTION)):
        done = project.run(*arguments)
        assert done.returncode == 2
        place = f"generated/acme_bus/__pycache__/{compiled.name}"
        assert f"{place}: SHADOWED would be imported or type-checked in place of" in done.stderr


def test_compiled_files_that_python_wrote_are_left_alone(generated: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    for source in (project.folder / "generated/acme_bus").glob("*.py"):
        py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    (project.folder / "generated/acme_bus/__pycache__/shop.cpython-300.pyc").write_bytes(b"cut")
    assert project.run("--check", *DISTRIBUTION).returncode == 0


def test_other_files_in_the_package_are_left_alone(generated: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {})
    shutil.copytree(generated.folder, project.folder)
    for name in (
        *("shopping.pyi", "shop/notes.txt", "helper.so", "other/__init__.py", ".hidden.py", "-stubs.py"),
        *("../acme_bus.md", "../acme_bus_2.py", "../other-stubs/__init__.pyi", "../.hidden.py"),
    ):
        project.write(f"generated/acme_bus/{name}", "")
    assert project.run("--check", *DISTRIBUTION).returncode == 0
