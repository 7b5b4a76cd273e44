"""The generator's output and its reports, word for word."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from lightbus_gen.load.apis import load
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.lower.package import lower_module, lower_package, summaries
from lightbus_gen.read.decode import read_files
from lightbus_gen.read.files import Report
from lightbus_gen.read.folder import read_folder
from tests.codegen.cases import CASES, ERRORS, HERE, expected, exported, generated, reported


def test_exported_schemas_are_as_expected() -> None:
    for name, text in exported().items():
        assert text == (HERE / "golden/ten_events/schemas" / name).read_bytes().decode()


@pytest.mark.parametrize("case", CASES)
def test_output_is_as_expected(case: str) -> None:
    assert generated(case) == expected(case)


def test_modules_of_ordinary_schemas_have_no_long_lines() -> None:
    for name, text in generated("ten_events").items():
        lines = text.splitlines()
        assert [
            line for line in lines if len(line) > 110 and name.endswith(".py") and "sha256" not in line
        ] == []


def test_imports_are_in_the_order_that_people_keep(tmp_path: Path) -> None:
    for case in CASES:
        for name, text in generated(case).items():
            if name.endswith(".py"):
                path = tmp_path / case / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text.replace("# ruff: noqa\n", ""))
    ruff = f"{sys.executable} -m ruff check --isolated --no-cache --line-length 200 --select I --diff ."
    ran = subprocess.run(ruff.split(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("case", ERRORS)
def test_report_is_as_expected(case: str) -> None:
    report = reported(case)
    assert report == (HERE / "errors" / case / "expected.txt").read_bytes().decode()
    assert report, "the schemas of an error case must be refused"


def test_the_decisions_can_be_dumped_as_json() -> None:
    report, folder = Report(), HERE / "golden/per_api/schemas"
    sources = load(folder, read_files(folder, read_folder(folder, report), report), report)
    [api] = sources.apis
    document = Bundler(sources.library).document(api)
    package = lower_package("acme_bus", sources, {api.name: document[1]}, None)
    assert json.loads(json.dumps(asdict(package)))["name"] == "acme_bus"
    lowered = lower_module(api, document, summaries(sources), sources.library, report)
    module = json.loads(json.dumps(asdict(lowered)))
    assert [event["class_name"] for event in module["events"]] == [
        "UserCreated",
        "UserDeleted",
        "AllSignedOut",
    ]


@pytest.mark.parametrize("case", CASES)
def test_modules_hold_what_the_templates_print_and_nothing_else(case: str) -> None:
    printed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef)
    for name, text in generated(case).items():
        if not name.endswith(".py"):
            continue
        for statement in ast.parse(text).body:
            if isinstance(statement, ast.If):
                assert ast.unparse(statement.test) == "TYPE_CHECKING"
            elif isinstance(statement, ast.Expr):
                call = ast.unparse(statement.value)
                assert isinstance(statement.value, ast.Constant) or call == "lightbus.require_format(1)"
            else:
                assert isinstance(statement, printed), ast.unparse(statement)
