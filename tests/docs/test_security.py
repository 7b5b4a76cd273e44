"""The page about security promises only what has a test, and its numbers are those of the code."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", PAGE, re.MULTILINE))
PROMISES = re.findall(r"^\* ((?:.+\n)(?:  .+\n)*)", PAGE, re.MULTILINE)
LIMITS = re.findall(r"^\| `([\w.]+)`: [\w ']+ \| ([\d,]+) \| (.+) \|$", SECTIONS["Messages"], re.MULTILINE)


@pytest.mark.parametrize("promise", [*PROMISES, *(promise for *_, promise in LIMITS)])
def test_every_promise_has_a_test(promise: str) -> None:
    files = re.findall(r"\[test\]\((.+?)\)", promise)
    assert files
    for file in files:
        assert re.search(r"^(async )?def test_", (ROOT / "docs" / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "value", "_"), LIMITS)
def test_the_limits_are_those_of_the_code(name: str, value: str, _: str) -> None:
    module, _, constant = name.rpartition(".")
    assert getattr(importlib.import_module(module), constant) == int(value.replace(",", ""))


def test_the_page_is_read_as_it_is_written() -> None:
    assert len(LIMITS) == SECTIONS["Messages"].count("\n| `") and len(PROMISES) == PAGE.count("\n* ")


def test_the_page_is_found() -> None:
    assert "](docs/security.md)" in (ROOT / "README.md").read_text()
    assert "](docs/security.md)" in (ROOT / "SECURITY.md").read_text()
