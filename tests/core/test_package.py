"""The package `lightbus` itself: its names are imported when they are first used."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import lightbus


def imported_for_checkers() -> dict[str, str]:
    """Return the module of each name that is imported for type checkers."""
    tree = ast.parse(Path(lightbus.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: statement.module or ""
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }


def test_type_checkers_and_python_see_the_same_names() -> None:
    seen = imported_for_checkers()
    assert sorted(seen) == sorted(lightbus.__all__)
    for name, module in seen.items():
        assert getattr(lightbus, name) is getattr(importlib.import_module(module), name)
    assert set(lightbus.__all__) <= set(dir(lightbus))


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'lightbus' has no attribute 'Buss'"):
        _ = lightbus.Buss  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


def test_definitions_need_neither_asyncio_nor_nats() -> None:
    code = "import sys, lightbus; lightbus.Api; assert not {'asyncio', 'nats', 'lightbus.bus.bus'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
