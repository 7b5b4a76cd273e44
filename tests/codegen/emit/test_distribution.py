"""The output as a distribution: its additional files, and services that install it by version."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from lightbus.schema import FORMAT_SINCE
from lightbus.testing import NatsServer
from lightbus_gen.emit.distribution import RUNTIME
from tests.cli.kit import Command
from tests.codegen.project.project import PYPROJECT, Project, shop
from tests.conftest import ROOT

FLAGS = ("--distribution", "acme-bus", "--version", "1.4.0")
BESIDE = {"generated/pyproject.toml", "generated/README.md"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return shop(tmp_path / "project")


def _run(*command: str | Path, folder: Path) -> str:
    ran = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=110)
    assert ran.returncode == 0, f"{command} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NATS_"))}


LISTENER = """
import lightbus
from acme_bus import Bus

bus = lightbus.create(Bus, service_name="warehouse", prefix={prefix!r})

def pack(item: str, count: int) -> None:
    print("packed", count, item, flush=True)

def before_server_start() -> None:
    bus.shop.sold.listen(pack, listener_name="pack")
"""
PRODUCER = """
import lightbus
from acme_bus import Bus

with lightbus.create(Bus, service_name="shop", prefix={prefix!r}) as bus:
    print("sold", bus.shop.sold.fire(item="tea", count=3).canonical_name)
"""


@pytest.mark.timeout(300)  # pip is slow
def test_services_depend_on_the_contract_by_version(
    project: Project, tmp_path: Path, nats_server: NatsServer, prefix: str
) -> None:
    assert project.run(*FLAGS).returncode == 0
    index = tmp_path / "index"
    for source, folder in (
        (ROOT, index),
        (project.folder / "generated", index),
        (project.folder / "generated", tmp_path / "again"),
    ):
        build = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder))
        _run(sys.executable, "-m", *build, source, folder=tmp_path)
    [wheel] = index.glob("acme_bus-1.4.0-*.whl")
    assert wheel.read_bytes() == (tmp_path / "again" / wheel.name).read_bytes()
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("acme_bus/")} == {
        name.removeprefix("generated/") for name in project.texts("generated")
    } - {"pyproject.toml", "README.md"}

    _run(sys.executable, "-m", "venv", "--without-pip", "clean", folder=tmp_path)
    python = tmp_path / "clean/bin/python"
    install = ("--python", python, "install", "--quiet", "--no-compile", "--find-links", index)
    _run(sys.executable, "-m", "pip", *install, "acme-bus==1.4.0", folder=tmp_path)
    services = Project(
        tmp_path / "services",
        {
            "listener.py": LISTENER.format(prefix=prefix),
            "producer.py": PRODUCER.format(prefix=prefix),
            "wrong.py": PRODUCER.format(prefix=prefix).replace("count=3", 'count="3"'),
        },
    ).folder
    environment = _environment() | {"NATS_URL": nats_server.url}
    listener = Command(
        "lightbus", "run", "--bus", "listener", folder=services, environment=environment, python=str(python)
    )
    try:
        listener.ready()
        producer = Command("producer", folder=services, environment=environment, python=str(python))
        producer.wait_for("sold shop.sold")
        listener.wait_for("packed 3 tea")
        producer.clean_up()
    finally:
        listener.clean_up()

    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python)
    _run(*mypy, "listener.py", "producer.py", folder=services)
    with pytest.raises(AssertionError, match=r'Argument "count" to "fire" .* has incompatible type "str"'):
        _run(*mypy, "wrong.py", folder=services)


def test_the_lower_bound_is_a_version_that_exists() -> None:
    assert Version(FORMAT_SINCE) <= Version(metadata.version(RUNTIME))


def test_settings_say_the_same_as_flags(project: Project) -> None:
    project.write("pyproject.toml", f'{PYPROJECT}\ndistribution = "Acme_Bus"\nversion = "v1.4"\n')
    assert project.run().returncode == 0
    table = tomllib.loads(project.texts("generated")["generated/pyproject.toml"])["project"]
    assert (table["name"], table["version"]) == ("Acme_Bus", "1.4")
    assert table["dependencies"] == [f"lightbus-nats>={FORMAT_SINCE}"]
    assert project.run("--check").returncode == 0
    assert project.run("--check", "--version", "1.5").returncode == 1


def test_the_project_is_not_the_generated_one(project: Project) -> None:
    project.write("pyproject.toml", f'{PYPROJECT}\ndistribution = "acme-bus"\nversion = "1.4"\n')
    assert project.run().returncode == 0
    ran = project.run("--check", cwd="generated")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_distribution_no_more(project: Project) -> None:
    assert project.run(*FLAGS).returncode == 0
    assert set(project.texts("generated")) >= BESIDE
    ran = project.run("--check")
    assert ran.returncode == 1 and "stale  generated/pyproject.toml" in ran.stdout
    assert project.run().returncode == 0
    assert not BESIDE & set(project.texts("generated"))


def test_what_others_keep_beside_the_package_stays(project: Project) -> None:
    project.write("generated/README.md", "# Ours\n")
    ran = project.run(*FLAGS)
    assert ran.returncode == 2
    assert "generated/README.md: NOT_OURS was not made by lightbus-gen for acme_bus" in ran.stderr
    assert set(project.texts("generated")) == {"generated/README.md"}
    assert project.run().returncode == 0
    assert project.texts("generated")["generated/README.md"] == "# Ours\n"


def test_the_projects_own_pyproject_is_not_overwritten(project: Project) -> None:
    ran = project.run(*FLAGS, "--out", ".")
    assert ran.returncode == 2
    assert "pyproject.toml: NOT_OURS was not made by lightbus-gen for acme_bus" in ran.stderr


def test_another_package_in_the_same_folder_is_left_alone(project: Project) -> None:
    assert project.run(*FLAGS).returncode == 0
    before = project.texts("generated")
    assert project.run("--package", "other_bus").returncode == 0
    ran = project.run("--package", "other_bus", *FLAGS)
    assert "NOT_OURS was not made by lightbus-gen for other_bus" in ran.stderr
    assert before.items() <= project.texts("generated").items()


def test_the_readme_lists_the_events_whatever_their_words(project: Project) -> None:
    words = r"Sold | <b>at</b> `once` [x](y) \ soon. More of it."
    project.write("schemas/market/gone.yaml", f"type: object\ndescription: '{words}'\n")
    assert project.run(*FLAGS).returncode == 0
    readme = project.texts("generated")["generated/README.md"]
    assert "| `shop.sold` | |\n" in readme
    assert r"| `market.gone` | Sold \| \<b\>at\</b\> \`once\` \[x\](y) \\ soon. |" in readme
