"""Validation of schemas by the metaschema of their draft.

jsonschema-rs decides in microseconds that a schema is valid, as nearly all are. For an invalid one, `jsonschema`
locates the error: up to draft 7, `items` is a choice between a schema and an array of schemas, and where the quick
check refuses the whole choice, `jsonschema` descends to the error inside.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from lightbus.schema import is_pattern
from lightbus.schema.language.keywords import DIALECT, subschemas
from lightbus.schema.language.pattern_bounds import MAX_MATCHED, is_linear, patterns
from lightbus.schema.language.validation import metaschema_problems
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.positions import JsonPath


def check_schema(file: SchemaFile, path: JsonPath, schema: object, report: Report) -> bool:
    """Check a schema at a path of a file against its metaschema, without following its references.

    A valid schema gets a notice for each pattern that is matched with short texts only.

    Returns:
        Whether the schema is valid; problems are reported.
    """
    problems = schema_problems(schema, file.dialect)
    for place, message in problems:
        fix = "correct the schema here"
        if place[-1:] == ("items",) and file.dialect == DIALECT and _is_tuple(schema, place):
            message = "items is an array of schemas, which is how drafts before 2020-12 write a tuple"
            fix = "write prefixItems, or name the file's draft by $schema or, without one, by --dialect =draft-07"
        report.add(file, path + place, "INVALID_SCHEMA", message, fix)
    if not problems and not report.is_lenient:
        for place, pattern in patterns(schema):
            if not is_linear(pattern) and not _is_short(schema, place):
                message = f"the pattern {pattern!r} has {_OBSTACLE}: longer texts than {MAX_MATCHED:,} characters are refused"
                report.add_notice(file, path + place, "SHORT_TEXTS_ONLY", message, _advice(pattern))
    return not problems


_OBSTACLE = "a look-around, backreference or word boundary"


def _is_short(schema: Any, place: JsonPath) -> bool:
    """Whether the schema of a pattern also limits the length of its texts."""
    holder = functools.reduce(operator.getitem, place[:-1], schema)
    return place[-1] == "pattern" and holder.get("maxLength", math.inf) <= MAX_MATCHED


def _advice(pattern: str) -> str:
    """Return what to do about a pattern that is matched with short texts only."""
    advice = []
    if "(?=" in pattern:
        advice.append("write each look-ahead as a pattern of its own under allOf")
    if "(?!" in pattern:
        advice.append('write a negative look-ahead as a pattern under not ("^(?!\\s*$)" is just "\\S")')
    return ", ".join(
        [*advice, f"or accept the limit with a maxLength of at most {MAX_MATCHED:,}"]
    ).removeprefix("or ")


def _is_tuple(schema: Any, place: JsonPath) -> bool:
    return isinstance(functools.reduce(operator.getitem, place, schema), list)


def schema_problems(schema: object, dialect: str) -> list[tuple[JsonPath, str]]:
    """List what makes a schema invalid, like `metaschema_problems` but with more precise paths."""
    problems = dict(metaschema_problems(schema, dialect))
    for path, sentence in _unusable(schema):
        if path not in problems and path[:-1] not in problems:
            problems[path] = sentence
    if not problems:
        return []
    precise = dict(_precise(schema, dialect))
    vague = {deeper[:length] for deeper in precise for length in range(len(deeper))}
    merged = precise | {path: sentence for path, sentence in problems.items() if path not in vague}
    return sorted(merged.items(), key=lambda item: [str(step) for step in item[0]])


def _unusable(schema: object) -> Iterator[tuple[JsonPath, str]]:
    """Yield the invalid regular expressions and URIs that metaschemas accept."""
    for place, text in patterns(schema):
        if not is_pattern(text):
            yield place, f"{text!r} is not a regular expression of ECMA 262, or too large a one"
    for path, node in subschemas(schema):
        for keyword in ("$id", "id"):
            if isinstance(uri := node.get(keyword), str) and not _is_reference(uri):
                yield (*path, keyword), f"{uri!r} is not a URI reference"


def _is_reference(text: str) -> bool:
    try:
        urljoin("file:///", text)
    except ValueError:
        return False
    return True


def _precise(schema: Any, dialect: str) -> Iterator[tuple[JsonPath, str]]:
    from jsonschema import exceptions, validators  # slow to import, and rarely needed

    draft = validators.validator_for({"$schema": dialect})
    for error in draft(draft.META_SCHEMA).iter_errors(schema):
        deepest = exceptions.best_match([error]) or error
        yield tuple(deepest.absolute_path), deepest.message
