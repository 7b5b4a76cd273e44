"""A verdict "compatible" holds: no payload is ever found that one version sends and the other refuses."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lightbus_gen.compat.rules.rule import Mode
from lightbus_gen.compat.versions.version import read_version
from lightbus_gen.read.files import Report
from lightbus_gen.read.input_problems import InputError
from tests.compat.closing import reads, writes
from tests.compat.drawing import Drawing
from tests.compat.project import compared

IS_NIGHT = settings().max_examples > 1_000
PAIRS = 10_000 if IS_NIGHT else 300
PAYLOADS = 40


@example(3645)  # a field that only a branch of an `if` requires counts among the declared ones
@example(1005958)  # values that stay in an enum may be refused by a pattern beside it
@example(1006990)  # a payload is open where only a dependent schema says so
@example(1007660)  # a required field is free where its dependent schema does not apply
@given(st.integers(0, 2**48))
@settings(max_examples=PAIRS, deadline=None, suppress_health_check=(HealthCheck.too_slow,))
def test_what_is_called_compatible_is(seed: int) -> None:
    drawing = Drawing(random.Random(seed))
    old = drawing.document()
    new = drawing.document() if seed % 4 == 0 else drawing.changed(old)
    with tempfile.TemporaryDirectory() as folder:
        if not is_usable(Path(folder), old, new):
            return
        for mode, sent, taken in ((Mode.BACKWARD, old, new), (Mode.FORWARD, new, old)):
            found = compared(Path(folder), old, new, mode)
            if not [one for one in found if one.rule != "FIELD_RENAMED"]:
                for payload in payloads(drawing, sent):
                    assert reads(taken)(payload), (mode, payload, old, new)
            for one in found:
                is_proved = one.payload is not None or one.rule == "FIELD_RENAMED"
                assert is_proved == (one.rule != "UNDECIDED"), (mode, one, old, new)
                if one.payload is not None:
                    assert not reads(taken)(one.payload), (mode, one, old, new)


def is_usable(folder: Path, *schemas: Any) -> bool:
    """Whether the schemas are valid; a random change may make them invalid."""
    for schema in schemas:
        (folder / "schema.json").write_text(json.dumps(schema))
        report = Report()
        try:
            read_version(folder / "schema.json", (), report)
            report.check()
        except InputError:
            return False
    return True


def payloads(drawing: Drawing, schema: dict[str, Any]) -> list[Any]:
    """Draw payloads that a producer with this schema sends."""
    is_sent = writes(schema)
    drawn = [drawing.value(schema, schema) for _ in range(PAYLOADS)]
    return [payload for payload in drawn if isinstance(payload, dict) and is_sent(payload)]


def test_the_judge_finds_breaks_at_all() -> None:
    """Of pairs that break, the drawn payloads prove some: so the test above can fail."""
    shown = 0
    for seed in range(60):
        drawing = Drawing(random.Random(seed))
        old = drawing.document()
        new = drawing.changed(old)
        shown += any(not reads(new)(payload) for payload in payloads(drawing, old))
    assert shown > 3
