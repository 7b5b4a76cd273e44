"""No payload that one version sends is refused by another that is called compatible, whatever keywords they have.

The schemas, changes and payloads are drawn from all keywords of all drafts; python-jsonschema is the judge.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lightbus.schema.language.keywords import KEYWORDS, About
from lightbus_gen.compat.compare import compare
from lightbus_gen.compat.rules.rule import Category, Mode
from lightbus_gen.compat.versions.version import Version
from lightbus_gen.read.input_problems import InputError
from tests.compat.judge import Judge
from tests.compat.keyword_drawing import OF_KIND, KeywordDrawing
from tests.compat.project import version

IS_NIGHT = settings().max_examples > 1_000
PAIRS = 100_000 if IS_NIGHT else 200
PAYLOADS = 40
Schema = dict[str, Any]
Versions = tuple[Version, Version] | None


@example(101640)  # an empty `patternProperties` opens a payload
@given(st.integers(0, 2**48))
@settings(max_examples=PAIRS, deadline=None, suppress_health_check=(HealthCheck.too_slow,))
def test_what_is_called_compatible_is_whatever_the_keywords(seed: int) -> None:
    drawing = KeywordDrawing(random.Random(seed))
    old, new = drawing.pair()
    versions = both(old, new)
    for mode, sent, taken in ((Mode.BACKWARD, old, new), (Mode.FORWARD, new, old)):
        if versions and is_compatible(versions, mode):
            payload = refused(drawing, sent, taken)
            assert payload is None, (seed, mode, payload, sent, taken)


def both(*schemas: Schema) -> Versions:
    """Read two versions; None if one of them is invalid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.json"
        try:
            old, new = (version(path) for schema in schemas if path.write_text(json.dumps(schema)))
        except InputError:
            return None
    return old, new


def is_compatible(versions: tuple[Version, Version], mode: Mode) -> bool:
    return not any(
        each.category is Category.WIRE and each.level == "error" and each.rule != "FIELD_RENAMED"
        for each in compare(*versions, mode)
    )


def refused(drawing: KeywordDrawing, sent: Schema, taken: Schema) -> Any:
    """Return a drawn payload that one schema sends and another refuses, or None."""
    writer, reader = Judge(sent), Judge(taken)
    for _ in range(PAYLOADS):
        payload = drawing.value(sent, taken, sent)
        try:
            if isinstance(payload, dict) and writer.sends(payload) and reader.accepts(payload) is False:
                return payload
        except (
            RecursionError,
            TypeError,
        ):  # python-jsonschema: a schema within itself; `items: false` beside `additionalItems`
            return None
    return None


def test_payloads_prove_breaks_at_all() -> None:
    """Drawn payloads prove some breaks, so the test above can fail."""
    shown = 0
    for seed in range(150):
        drawing = KeywordDrawing(random.Random(seed))
        old, new = drawing.pair()
        versions = both(old, new)
        is_break = versions is not None and not is_compatible(versions, Mode.BACKWARD)
        shown += is_break and refused(drawing, old, new) is not None
    assert shown > 3


def test_every_keyword_is_drawn() -> None:
    drawn = {keyword for keywords in OF_KIND.values() for keyword in keywords}
    applying = {name for name, row in KEYWORDS.items() if row.about is not About.NOTHING}
    companions = {each for row in KEYWORDS.values() for each in row.companions}
    assert drawn >= applying | companions
