"""What makes a schema invalid, by the metaschema of its draft.

jsonschema-rs tells in microseconds that a schema is fine, which nearly all are. For one that is not, `jsonschema`
finds the place: up to draft 7, `items` is a choice between a schema and an array of them, and where the quick
check refuses the whole choice, `jsonschema` descends to what is wrong in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightbus.schema.metaschema import metaschema_problems
from lightbus_gen.positions import Path


def schema_problems(schema: object, dialect: str) -> list[tuple[Path, str]]:
    """List what makes a schema invalid.

    Args:
        schema: the schema, any JSON value.
        dialect: the `$schema` of its draft.

    Returns:
        (path in the schema, sentence without full stop) for each problem; [] for a valid schema.
    """
    found = dict(metaschema_problems(schema, dialect))
    if not found:
        return []
    precise = dict(_precise(schema, dialect))
    vague = {
        place for place in found for deeper in precise if deeper != place and deeper[: len(place)] == place
    }
    merged = precise | {place: sentence for place, sentence in found.items() if place not in vague}
    return sorted(merged.items(), key=lambda item: [str(step) for step in item[0]])


def _precise(schema: Any, dialect: str) -> Iterator[tuple[Path, str]]:
    from jsonschema import exceptions, validators  # slow to import, and rarely needed

    draft = validators.validator_for({"$schema": dialect})
    for error in draft(draft.META_SCHEMA).iter_errors(schema):
        deepest = exceptions.best_match([error]) or error
        yield tuple(deepest.absolute_path), deepest.message
