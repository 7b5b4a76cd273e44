"""Fixtures of the generator's tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.codegen.cases import PACKAGE


def _forget(package: str) -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == package}


@pytest.fixture(scope="session", autouse=True)
def no_cache_of_the_user() -> Iterator[None]:
    """Let the generator find no cache of whoever runs the tests, and leave none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", os.devnull)
        yield


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose packages can be imported, and are forgotten afterwards.

    The example's own client has the same name as the golden packages, so it is hidden meanwhile.
    """
    monkeypatch.syspath_prepend(tmp_path)
    examples = _forget(PACKAGE)
    before = set(sys.modules)
    yield tmp_path
    _forget(PACKAGE)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]
    sys.modules.update(examples)
