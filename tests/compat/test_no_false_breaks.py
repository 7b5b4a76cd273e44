"""Changes that break nothing are no findings, and what is an error is proved by a payload."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.compat.project import compared

TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def payload(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def findings(folder: Path, old: Any, new: Any) -> list[tuple[str, str, Any]]:
    return [(each.direction.value, each.rule, each.payload) for each in compared(folder, old, new)]


@pytest.mark.parametrize("type_", [["object", "null"], ["object", "string"]])
def test_a_payload_is_an_object_whatever_its_schema_allows(type_: list[str], tmp_path: Path) -> None:
    schema = payload(a=TEXT)
    for old, new in ((schema, {**schema, "type": type_}), ({**schema, "type": type_}, schema)):
        assert findings(tmp_path, old, new) == []


def test_an_undecided_finding_claims_nothing(tmp_path: Path) -> None:
    old, new = (payload(a={**TEXT, "pattern": pattern}) for pattern in (r"^(?=a)\w+$", r"^(?=[ab])\w+$"))
    for finding in compared(tmp_path, old, new):
        assert finding.rule == "UNDECIDED"
        assert finding.message.startswith("it is not known whether the change of 'pattern' breaks anything")
        assert " will " not in finding.effect
