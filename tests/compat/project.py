"""Two versions of schemas, compared as a user would."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lightbus_gen.cli import app
from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.rules.findings import Finding
from lightbus_gen.compat.rules.rule import Category, Mode
from lightbus_gen.compat.versions.version import Version, read_version
from lightbus_gen.read.files import Report


@dataclass(frozen=True, slots=True)
class Outcome:
    exit_code: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.out)
        return facts


def run(*arguments: str, folder: Path | None = None) -> Outcome:
    """Run lightbus-gen in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        if folder is not None:
            patch.chdir(folder)
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return Outcome(result.exit_code, re.sub(r" in \d+\.\d\d s", "", result.stdout), result.stderr)


def version(path: Path) -> Version:
    report = Report()
    found = read_version(path, (), report)
    report.check()
    return found


def compared(folder: Path, old: Any, new: Any, mode: Mode = Mode.FULL) -> list[Finding]:
    """Compare two schemas of one event; return the wire findings."""
    for name, schema in (("old.json", old), ("new.json", new)):
        (folder / name).write_text(json.dumps(schema))
    found = compare(version(folder / "old.json"), version(folder / "new.json"), mode)
    return [one for one in found if one.category is Category.WIRE and one.level == "error"]


def events(**schemas: Any) -> dict[str, Any]:
    """Return the document of an API."""
    return {
        "lightbus": 1,
        "api": "auth",
        "events": {name: {"parameters": schema} for name, schema in schemas.items()},
    }
