"""The schemas inside a schema: which keywords hold them, and which hold data that only looks like them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightbus_gen.read.positions import JsonPath

MAPS_OF_SCHEMAS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "events"}
)
DATA = frozenset({"enum", "const", "default", "examples", "example"})


def subschemas(schema: object) -> Iterator[tuple[JsonPath, dict[str, Any]]]:
    """Yield (path, schema) of a schema and all objects inside it that may be schemas, in the author's order."""
    todo: list[tuple[JsonPath, object, bool]] = [((), schema, True)]
    while todo:
        path, here, is_schema = todo.pop()
        if isinstance(here, dict):
            if is_schema:
                yield path, here
            todo += [
                ((*path, key), inner, not (is_schema and key in MAPS_OF_SCHEMAS))
                for key, inner in reversed(here.items())
                if isinstance(inner, (dict, list)) and not (is_schema and _is_data(key))
            ]
        elif isinstance(here, list):
            todo += [
                ((*path, index), here[index], True)
                for index in range(len(here) - 1, -1, -1)
                if isinstance(here[index], (dict, list))
            ]


def _is_data(keyword: str) -> bool:
    """Whether the value of a keyword is no schema, whatever it looks like."""
    return keyword in DATA or keyword.startswith("x-")
