"""The bounds on matching a pattern, so that no text holds a service.

The engine matches most patterns in linear time. A look-around, a backreference or a word boundary (`\\b`) makes it
backtrack: `(?=.*[0-9])(?=.*[a-z]).{8,}` searches the rest of the text from every position. The engine's own limit counts
backtracking steps, and a step may take as long as the text, so such a pattern also needs a limit on the text.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs

from lightbus.schema.language.keywords import DATA, MAPS_OF_DOCUMENTS, REFERENCES, Path, subschemas

MAX_MATCHED = 1_000
"""Characters of a text that a pattern which makes the engine backtrack is matched with."""

MAX_BACKTRACKS = 20_000
"""Backtracking steps of a match. At both limits, a password rule with look-aheads takes 1 ms, and a repeated look-ahead
over the rest of the text, the slowest pattern, 20 ms. Only look-arounds repeated within repeated ones take 0.3 s."""

PATTERN_OPTIONS = jsonschema_rs.FancyRegexOptions(backtrack_limit=MAX_BACKTRACKS)
"""Patterns are ECMA 262."""

TOO_SLOW = "Error executing regex"
"""How the error message begins when a pattern reached the backtracking limit."""

# Does not change what a pattern matches. With a longer text, it exceeds the backtracking limit at the first position, and
# the engine then refuses the value wherever the pattern is, also under `not`.
_BOUND = rf"(?!^(?=(?:(?=)[\s\S]{{50}}){{{MAX_MATCHED // 50}}}[\s\S])(?:{'|'.join(['(?=)'] * 8)}){{40}}(?!))"


def is_pattern(text: str) -> bool:
    """Whether a text is a regular expression of ECMA 262 and not too large."""
    try:
        _matcher(text, PATTERN_OPTIONS)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


@functools.lru_cache(maxsize=4096)
def is_linear(pattern: str) -> bool:
    """Whether the engine matches a pattern without backtracking, so that any text takes linear time."""
    options = jsonschema_rs.FancyRegexOptions(backtrack_limit=0)
    try:  # one that never matches, so that an engine which can backtrack does
        errors = _matcher(rf"(?:{pattern})[^\s\S]", options).iter_errors("")
        if not any(error.message.startswith(TOO_SLOW) for error in errors):
            return True
    except (jsonschema_rs.ValidationError, ValueError):
        pass
    return not is_pattern(pattern)  # an invalid one is for the validator to refuse


def _matcher(pattern: str, options: jsonschema_rs.FancyRegexOptions) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({"pattern": pattern}, pattern_options=options, offline=True)


def patterns(schema: object) -> Iterator[tuple[Path, str]]:
    """Yield (path, text) of each pattern in a schema, those of `patternProperties` included."""
    for path, node in subschemas(schema):
        if isinstance(by_pattern := node.get("patternProperties"), dict):
            yield from (((*path, "patternProperties", key), key) for key in by_pattern)
        if isinstance(pattern := node.get("pattern"), str):
            yield (*path, "pattern"), pattern


def bounded(schema: Any) -> Any:
    """Return a schema whose patterns refuse texts that are too long for them; the same object if all are linear."""
    if isinstance(schema, dict) and schema.keys() == {"$ref"}:
        return {"$ref": _bounded_reference(schema["$ref"])}
    if all(is_linear(pattern) for _, pattern in patterns(schema)):
        return schema
    return _bounded(schema, is_schema=True)


def unbounded(text: str) -> str:
    """Return a pattern of a bounded schema, or a text that quotes one, as its author wrote it."""
    return text.replace(_BOUND, "").replace(json.dumps(_BOUND)[1:-1], "")


def too_slow(value: object) -> str:
    """Say why a pattern could not be matched with a value, or with a text inside it; a predicate of the value."""
    text = value if isinstance(value, str) else max(_texts(value), key=len, default="")
    has = "" if isinstance(value, str) else "has a text that "
    if len(text) > MAX_MATCHED:
        kind = "a pattern with a look-around, backreference or word boundary"
        return f"{has}is longer than the {MAX_MATCHED:,} characters that {kind} is matched with"
    return f"{has}takes a pattern of the schema too long to match"


def _texts(value: object) -> Iterator[str]:
    """Yield the keys and strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _bounded(value: Any, *, is_schema: bool) -> Any:
    """Bound the patterns in a JSON value by the same rules as `subschemas`."""
    if isinstance(value, list):
        return [_bounded(item, is_schema=True) for item in value]
    if not isinstance(value, dict):
        return value
    if not is_schema:
        return {key: _bounded(inner, is_schema=True) for key, inner in value.items()}
    schema = {key: _keyword(key, inner) for key, inner in value.items()}
    by_pattern, all_of = value.get("patternProperties"), schema.get("allOf", [])
    if isinstance(by_pattern, dict) and isinstance(all_of, list) and not all(map(is_linear, by_pattern)):
        # also where the name would not matter, so that the opened schema refuses what the schema as written refuses
        schema["allOf"] = [*all_of, {"propertyNames": {"pattern": _BOUND}}]
    return schema


def _keyword(key: str, value: Any) -> Any:
    if key in DATA or key.startswith("x-"):
        return value
    if isinstance(value, str):
        if key == "pattern":
            return _bounded_pattern(value)
        return _bounded_reference(value) if key in REFERENCES else value
    inner = _bounded(value, is_schema=key not in MAPS_OF_DOCUMENTS)
    if key == "patternProperties" and isinstance(inner, dict):
        return {_bounded_pattern(pattern): schema for pattern, schema in inner.items()}
    return inner


def _bounded_pattern(pattern: str) -> str:
    return pattern if is_linear(pattern) else _BOUND + pattern


def _bounded_reference(reference: str) -> str:
    """Let a reference to the schema of a bounded pattern follow the pattern."""

    def bound(match: re.Match[str]) -> str:
        pattern = unquote(match[2]).replace("~1", "/").replace("~0", "~")
        if is_linear(pattern):
            return match[0]
        return match[1] + quote(_BOUND.replace("~", "~0").replace("/", "~1")) + match[2]

    return re.sub(r"(/patternProperties/)([^/]*)", bound, reference)
