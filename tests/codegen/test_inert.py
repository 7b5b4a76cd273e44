"""Hostile schemas: refused with a message, or turned into code that contains only what the templates print."""

from __future__ import annotations

import builtins
import json
import sys
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError
from tests.codegen import hostile, inert
from tests.codegen.cases import CASES, generated

PACKAGE = "acme_bus"
pytestmark = pytest.mark.timeout(900)  # a failing example is shrunk for up to five minutes
unhurried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@unhurried
@given(hostile.documents(), st.booleans())
@example(
    {
        "lightbus": 1,
        "api": "evil",
        "events": {"e": {"parameters": {"type": "object", "properties": {"a": {"$ref": "#/$defs/None"}}}}},
        "$defs": {"None": {"type": "object", "properties": {"b": {"type": "null"}}}},
    },
    True,
)
def test_a_hostile_document_makes_inert_code(document: dict[str, Any], is_ascii: bool) -> None:
    check({"evil.json": written(document, is_ascii)})


@unhurried
@given(hostile.folders(), st.booleans())
@example(
    {
        "evil/happened.json": {"type": "object", "properties": {"a": {"$ref": "../_types/t.json#/$defs/b"}}},
        "_types/t.json": {
            "x-python-name": "X: int\nimport os\n#",
            "$defs": {"b": {"type": "object", "properties": {"c": {"type": "null"}}}},
        },
    },
    True,
)
def test_hostile_files_make_inert_code(files: dict[str, Any], is_ascii: bool) -> None:
    # names that are not text are refused when a folder is read: test_hostile_input.py
    check({name.encode(errors="replace").decode(): written(files[name], is_ascii) for name in files})


@unhurried
@given(st.dictionaries(hostile.KEYS, hostile.VALUES | hostile.SCHEMAS), hostile.KEYS, hostile.KEYS)
def test_hostile_names_of_apis_and_events_are_refused_or_harmless(
    more: dict[str, Any], api: str, event: str
) -> None:
    events = {event: {"parameters": {"type": "object"}}}
    check(
        {
            "evil.json": written(
                {"lightbus": 1, "api": api, "events": events} | {f"x-{k}": more[k] for k in more}, True
            )
        }
    )


@pytest.mark.parametrize("case", CASES)
def test_modules_hold_what_the_templates_print_and_nothing_else(case: str) -> None:
    for name, text in generated(case).items():
        if name.endswith(".py"):
            inert.check(text)


@pytest.mark.parametrize(
    "foreign",
    [
        "import os",
        "print()",
        "x = 1",
        "X: TypeAlias = print()",
        "X: TypeAlias = Literal[print()]",
        "from os import path",
        "class Bus(lightbus.Bus, metaclass=M):\n    ''''''",
        "class Bus(lightbus.Bus):\n    ''''''\n    x = 1",
        "class Bus(lightbus.Bus):\n    ''''''\n    def fire(self, x=print()):\n        ''''''\n        return self._fire({})",
        "class Bus(lightbus.Bus):\n    ''''''\n    def fire(self):\n        ''''''\n        return self._fire({}) or print()",
        "str: TypeAlias = int",
        "int: TypeAlias = list\nint: TypeAlias = list",
        "for x in y: pass",
    ],
)
def test_the_check_of_inert_code_can_fail(foreign: str) -> None:
    with pytest.raises(AssertionError):
        inert.check(f'"""A module."""\nfrom typing import Literal, TypeAlias\nimport lightbus\n{foreign}\n')


def written(value: Any, is_ascii: bool) -> str:
    """Write JSON; surrogates only as escapes, since a file with others is not text."""
    text = json.dumps(value, ensure_ascii=is_ascii)
    return text.encode(errors="surrogateescape" if is_ascii else "replace").decode()


def check(files: dict[str, str]) -> None:
    """Generate, and check every file against the grammar."""
    try:
        texts = {path: text.encode() for path, text in files.items()}
        made = generate(Path("absent"), PACKAGE, texts=texts)
    except InputError as error:
        assert error.problems
        for problem in error.problems:
            assert problem.path == "absent" or problem.path.startswith("absent/"), problem
            assert problem.rule and problem.message and problem.fix, problem
        return
    for name, text in made.items():
        path = PurePosixPath(name)
        assert (
            path.parts[0] == PACKAGE and ".." not in path.parts and path.suffix in (".py", ".json", ".typed")
        )
        assert text.encode().decode() == text
        if path.suffix == ".py":
            inert.check(text)
            run(text)


def run(source: str) -> ModuleType:
    """Run a module as an import does, without any builtin that could reach outside."""
    module = ModuleType(f"{PACKAGE}.evil")
    vars(module)["__builtins__"] = {name: getattr(builtins, name) for name in NEEDED} | {
        "__import__": _import
    }
    sys.modules[module.__name__] = module
    try:
        exec(compile(source, "evil.py", "exec"), vars(module))
    finally:
        del sys.modules[module.__name__]
    return module


NEEDED = ("__build_class__", "property", "super", *inert.IMPORTED["builtins"])


def _import(name: str, *more: Any) -> Any:
    assert name == "lightbus" or name in inert.IMPORTED, name
    return __import__(name, *more)
