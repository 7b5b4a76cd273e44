"""The official JSON Schema test suite, run through the validators of events."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from lightbus.schema.language.validation import validator

PROJECT = Path(__file__).parents[3]
CORPORA = Path(os.environ.get("LIGHTBUS_CORPORA", PROJECT / ".." / "shared" / "corpora"))
SUITE = CORPORA / "json-schema-test-suite"

pytestmark = pytest.mark.skipif(not SUITE.is_dir(), reason=f"the JSON Schema test suite is not at {SUITE}")

DIALECTS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft7": "http://json-schema.org/draft-07/schema#",
}
DRAFTS = {"draft2020-12": jsonschema_rs.Draft202012, "draft7": jsonschema_rs.Draft7}
FOLDER = re.compile(r"(draft|v\d)")

# Cases where events are deliberately validated otherwise, as (file, end of the description).
DEPARTURES = (
    # 2020-12 treats a format as an annotation; here it is asserted
    ("format.json", "only an annotation by default"),
    # bytes that cannot be decoded must not reach a handler
    ("content.json", "an invalid base64 string (% is not a valid character); validates true"),
    ("content.json", "an invalid base64 string that is valid JSON; validates true"),
    # a Python timedelta may have fractions of a second, and be negative
    ("duration.json", "fractional duration is not allowed by RFC 3339 ABNF"),
    ("duration.json", "a leading sign is not allowed"),
)


def files(draft: str) -> list[Path]:
    return sorted([*(SUITE / draft).glob("*.json"), *(SUITE / draft).glob("optional/format/*.json")])


def cases(draft: str) -> Iterator[tuple[str, Path]]:
    for path in files(draft):
        yield f"{draft}/{path.relative_to(SUITE / draft)}", path


def registry(draft: str) -> jsonschema_rs.Registry:
    """Serve the suite's remote schemas: those for every draft, and those for this one."""
    remotes = SUITE / "remotes"
    shared = [path for path in remotes.rglob("*.json") if not FOLDER.match(str(path.relative_to(remotes)))]
    return jsonschema_rs.Registry(
        [
            (f"http://localhost:1234/{path.relative_to(remotes).as_posix()}", json.loads(path.read_text()))
            for path in sorted([*shared, *(remotes / draft).rglob("*.json")])
        ],
        draft=DRAFTS[draft],
    )


def failures(path: Path, draft: str) -> Iterator[str]:
    remotes = registry(draft)
    for group in json.loads(path.read_text()):
        schema: Any = group["schema"]
        if isinstance(schema, dict) and "$schema" not in schema:
            schema = {"$schema": DIALECTS[draft], **schema}
        check = validator(schema, registry=remotes)
        for test in group["tests"]:
            departs = any(path.name == name and test["description"].endswith(end) for name, end in DEPARTURES)
            if check.is_valid(test["data"]) is not (test["valid"] ^ departs):
                yield f"{group['description']}: {test['description']}"


@pytest.mark.parametrize(
    ("draft", "path"),
    [pytest.param(draft, path, id=name) for draft in DIALECTS for name, path in cases(draft)]
    if SUITE.is_dir()
    else [],
)
def test_every_case_of_the_suite_passes(draft: str, path: Path) -> None:
    assert list(failures(path, draft)) == []


@pytest.mark.parametrize(("draft", "at_least"), [("draft2020-12", 2000), ("draft7", 1600)])
def test_the_whole_suite_is_there(draft: str, at_least: int) -> None:
    groups = [group for path in files(draft) for group in json.loads(path.read_text())]
    assert sum(len(group["tests"]) for group in groups) >= at_least
