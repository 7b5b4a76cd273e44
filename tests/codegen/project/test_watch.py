"""`lightbus-gen --watch` runs on every change of its inputs until it is stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.kit import Command
from tests.codegen.project.project import API, PYPROJECT, Project, shop

Start = Callable[..., Command]
MODULE = "generated/acme_bus/shop.py"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return shop(tmp_path / "project")


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    commands: list[Command] = []

    def start_watching(*arguments: str) -> Command:
        environment = os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        command = Command(
            "lightbus_gen", "--watch", *arguments, folder=project.folder, environment=environment
        )
        commands.append(command)
        command.wait_for("watching . for changes; Ctrl-C ends this")
        return command

    yield start_watching
    for command in commands:
        command.clean_up()


def test_a_changed_api_class_is_exported_and_generated(project: Project, start: Start) -> None:
    command = start()
    assert "5 written, 0 unchanged in" in command.output
    project.write("shop_bus.py", API.replace('"count"', '"amount"'))
    command.wait_for("shop_bus.py changed")
    command.wait_for("3 changed, 2 unchanged in")
    assert "amount: int = 1" in project.texts("generated")[MODULE]


def test_a_changed_schema_is_generated(project: Project, start: Start) -> None:
    command = start()
    project.write("schemas/ware/gone.yaml", "type: object")
    command.wait_for("2 written, 1 changed")
    project.write("schemas/ware/gone.yaml", "type: object\ndescription: Sold out.\n")
    command.wait_for("gone.yaml changed")
    command.wait_for("2 changed, 5 unchanged in")
    (project.folder / "schemas/ware").rename(project.folder / "schemas/goods")
    command.wait_for("2 written, 1 changed, 2 removed, 4 unchanged")


def test_changed_settings_count(project: Project, start: Start) -> None:
    command = start()
    project.write("pyproject.toml", PYPROJECT.replace("acme_bus", "other_bus"))
    command.wait_for("pyproject.toml changed")
    command.wait_for("4 written, 1 unchanged in")


def test_problems_do_not_end_it(project: Project, start: Start) -> None:
    command = start()
    for text, words in (
        ("x = 1 / 0", "shop_bus.py:1:1: IMPORT_FAILED module 'shop_bus' cannot be imported"),
        ("import os\nos._exit(7)", "the run ended with exit code 7; waiting for a change"),
        (API.replace("ShopApi", "ShoppApi"), "5 unchanged in"),
    ):
        project.write("shop_bus.py", text)
        command.wait_for(words)
    project.write("pyproject.toml", "[tool")
    command.wait_for("pyproject.toml: INVALID_CONFIG is not valid TOML")


def test_what_a_run_writes_does_not_start_another(project: Project, start: Start) -> None:
    command = start()
    for number in range(3):
        project.write("shop_bus.py", API.replace('"count"', f'"count_{number}"'))
        command.wait_for("3 changed, 2 unchanged in")
    project.write("unrelated.txt", "")
    project.write(".hidden/x.py", "")
    project.write("last.py", "")
    command.wait_for("last.py changed")
    command.wait_for("5 unchanged in")
    assert command.output.count("unchanged in") == 5, command.output


def test_a_generated_file_that_is_spoilt_is_made_again(project: Project, start: Start) -> None:
    command = start()
    text = project.texts("generated")[MODULE]
    project.write(MODULE, text + "x = 1\n")
    command.wait_for("1 changed, 4 unchanged in")
    assert project.texts("generated")[MODULE] == text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(start: Start, number: signal.Signals) -> None:
    command = start()
    command.signal(number)
    assert command.end() == 0
    assert "Traceback" not in command.output


def test_ctrl_c_ends_a_run_that_hangs(project: Project, start: Start) -> None:
    command = start()
    project.write("shop_bus.py", "import time\nprint('importing', flush=True)\ntime.sleep(600)\n")
    command.wait_for("importing")
    command.ctrl_c()
    assert command.end() == 0
    assert "Traceback" not in command.output


def test_a_missing_extra_is_named(project: Project) -> None:
    project.write("sitecustomize.py", "import sys\nsys.modules['watchfiles'] = None\n")
    ran = project.run("--watch", env={"PYTHONPATH": str(project.folder)})
    assert (ran.returncode, ran.stderr) == (
        2,
        "lightbus-gen needs watchfiles: pip install 'lightbus-nats[dev]'\n",
    )
