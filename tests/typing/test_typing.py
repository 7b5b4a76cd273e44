"""Generated packages under mypy --strict and pyright strict: correct uses pass, wrong ones are reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from lightbus.schema import SchemaDocument
from lightbus_gen.generate import generate
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import plan
from tests.codegen.cases import CASES, HERE, options_of
from tests.codegen.corpora import CORPORA, generate_cdevents, generate_openlineage
from tests.typing.checkers import Verdict, check
from tests.typing.snippets import ACCEPTED, PRELUDE, REJECTED, SCHEMA, SIGNATURE

MARK = "# rejected: "


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """The verdict on all files, checked at once."""
    folder = tmp_path_factory.mktemp("typed")
    schemas = tmp_path_factory.mktemp("schemas")
    (schemas / "auth.json").write_text(SCHEMA)
    apply(plan(folder, generate(schemas, "acme_bus"), within="acme_bus"))
    for case in CASES:
        files = generate(HERE / "golden" / case / "schemas", f"{case}_bus", **options_of(case))
        apply(plan(folder, files, within=f"{case}_bus"))
    if CORPORA.is_dir():
        list(generate_cdevents(folder))
        shutil.rmtree(folder / "schemas")
        (folder / "openlineage_fires.py").write_text(_fires(folder))
    for kind, snippets in (("accepted", ACCEPTED), ("rejected", REJECTED)):
        for name, code in snippets.items():
            (folder / f"{kind}_{name}.py").write_text(PRELUDE.lstrip() + code)
    return check(folder)


FIRES = """# pyright: reportUnusedImport=false
import datetime
from uuid import UUID

from openlineage_bus import Bus


def fire(bus: Bus) -> None:
"""


def _fires(folder: Path) -> str:
    """Write a call for each published example of OpenLineage, with the values as literals."""
    calls = []
    examples = list(generate_openlineage(folder))
    document = SchemaDocument.load(folder / "openlineage_bus/schemas/openlineage.json")
    for event, path in examples:
        values = document.contract(event).decode(json.loads(path.read_bytes()))
        arguments = ", ".join(f"{name}={value!r}" for name, value in values.items())
        calls.append(f"    bus.openlineage.{event}.fire({arguments})\n")
    return FIRES + "".join(calls)


@pytest.mark.parametrize("package", ["acme", *CASES, "cdevents", "openlineage"])
def test_generated_packages_are_clean(package: str, verdict: Verdict) -> None:
    if package in ("cdevents", "openlineage") and not CORPORA.is_dir():
        pytest.skip(f"no corpora at {CORPORA}; LIGHTBUS_CORPORA names another place")
    for found in (verdict.mypy, verdict.pyright):
        assert {path: lines for path, lines in found.items() if path.startswith(f"{package}_bus/")} == {}


@pytest.mark.skipif(
    not CORPORA.is_dir(), reason=f"no corpora at {CORPORA}; LIGHTBUS_CORPORA names another place"
)
def test_published_examples_are_accepted(verdict: Verdict) -> None:
    path = "openlineage_fires.py"
    assert (verdict.mypy.get(path, {}), verdict.pyright.get(path, {})) == ({}, {})


@pytest.mark.parametrize("name", ACCEPTED)
def test_right_uses_are_accepted(name: str, verdict: Verdict) -> None:
    path = f"accepted_{name}.py"
    assert (verdict.mypy.get(path, {}), verdict.pyright.get(path, {})) == ({}, {})


@pytest.mark.parametrize("name", REJECTED)
def test_wrong_uses_are_rejected_where_they_are_with_the_words_to_act_on(name: str, verdict: Verdict) -> None:
    path = f"rejected_{name}.py"
    wanted = {
        number: line.partition(MARK)[2].split(" | ")
        for number, line in enumerate((PRELUDE.lstrip() + REJECTED[name]).splitlines(), 1)
        if MARK in line
    }
    by_mypy = verdict.mypy.get(path, {})
    assert set(by_mypy) == set(wanted)
    assert set(verdict.pyright.get(path, {})) == set(wanted)
    for number, words in wanted.items():
        for word in words:
            assert (SIGNATURE if word == "SIGNATURE" else word) in by_mypy[number]


def test_checkers_that_are_asked_to_point_at_deprecated_events(tmp_path: Path) -> None:
    apply(plan(tmp_path, generate(HERE / "golden/deprecated/schemas", "acme_bus"), within="acme_bus"))
    (tmp_path / "fires.py").write_text(DEPRECATED)
    found = check(tmp_path, deprecated=True)
    for said in (found.mypy, found.pyright):
        assert {path: set(lines) for path, lines in said.items()} == {"fires.py": {5, 6}}
        assert all("event auth.user_created is deprecated" in text for text in said["fires.py"].values())


DEPRECATED = """\
from acme_bus import Bus


async def fire(bus: Bus) -> None:
    bus.auth.user_created.fire(username="ada")
    await bus.auth.user_created.fire_async(username="ada")
    bus.auth.user_joined.fire(username="ada")
"""
