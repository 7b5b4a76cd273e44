"""Every schema of the official JSON Schema suite: generated, or refused with a reason; never a wrong type."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightbus.errors import InvalidEvent
from lightbus.schema import SchemaDocument
from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError
from tests.codegen.conforms import misfits
from tests.codegen.corpora import CORPORA

SUITE = CORPORA / "json-schema-test-suite"
DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}
# May be refused: references to schemas that are only on the network, and custom metaschemas.
REFUSED = {"UNRESOLVED_REF", "UNKNOWN_DIALECT"}
# Formats and encodings are validated here; the suite's main part treats them as annotations.
STRICTER = {"format.json", "content.json"}


def _files() -> list[str]:
    return [
        f"{draft}/{path.name}" for draft in DIALECTS for path in sorted((SUITE / draft).glob("*.json"))
    ] or ["absent"]


@pytest.mark.parametrize("name", _files())
def test_types_hold_every_valid_instance(name: str, tmp_path: Path) -> None:
    if name == "absent":
        pytest.skip(f"the JSON Schema suite is not at {SUITE}; LIGHTBUS_CORPORA names another place")
    draft, _, file = name.partition("/")
    for number, group in enumerate(json.loads((SUITE / name).read_bytes())):
        folder = tmp_path / str(number)
        _write(folder, DIALECTS[draft], group["schema"])
        try:
            files = generate(folder, "suite_bus")
        except InputError as error:
            assert {problem.rule for problem in error.problems} <= REFUSED, group["description"]
            continue
        contract = SchemaDocument(json.loads(files["suite_bus/schemas/api.json"]), "api").contract("happened")
        for module in _loaded(files["suite_bus/api.py"]):
            [annotation] = [field.type for field in fields(module.Happened)]
            for test in group["tests"]:
                if not test["valid"]:
                    continue
                try:
                    value = contract.decode({"value": test["data"]})["value"]
                except InvalidEvent:
                    assert file in STRICTER, f"{group['description']}: {test['description']}"
                    continue
                assert misfits(value, annotation, module.__name__, group["description"]) == []


def _write(folder: Path, dialect: str, schema: Any) -> None:
    """Write an event whose one parameter is described by a schema in a separate file."""
    event = {"$schema": dialect, "type": "object", "properties": {"value": {"$ref": "../_value.json"}}}
    (folder / "api").mkdir(parents=True)
    (folder / "api/happened.json").write_text(json.dumps(event))
    if isinstance(schema, dict):
        schema = {"$schema": dialect} | schema
    (folder / "_value.json").write_text(json.dumps(schema))


def _loaded(source: str) -> Iterator[Any]:
    """Run the source of a module, and forget the module afterwards."""
    module = ModuleType("suite_bus.api")
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "api.py", "exec"), vars(module))
        yield module
    finally:
        del sys.modules[module.__name__]
