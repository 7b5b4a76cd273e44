"""The folders of the rules: `previous/`, `current/` and the report, `expected.txt`."""

from __future__ import annotations

from pathlib import Path

from tests.compat.project import run

RULES = Path(__file__).parent / "rules"
CASES = sorted(folder.name for folder in RULES.iterdir())


def reported(case: str) -> str:
    """Compare the two versions of a case; return what is printed."""
    arguments = ("breaking", "--schemas", "current", "--against", "previous")
    return run(*arguments, folder=RULES / case).out


def expected(case: str) -> str:
    return (RULES / case / "expected.txt").read_bytes().decode()
