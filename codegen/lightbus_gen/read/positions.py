"""The places of values in a JSON text. Computed only when something is reported, so that reading stays fast."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from lightbus.schema.language.keywords import Path

JsonPath = Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, token) of each bracket, comma, colon, string and word of a JSON text."""
    return ((token.start(), token.group()) for token in _TOKEN.finditer(text))


def places(text: str) -> Iterator[tuple[JsonPath, int]]:
    """Yield (path, offset) of each value; in an object, the offset of its key.

    A duplicate key is yielded twice. The text must be valid JSON.
    """
    yield (), 0
    path: list[str | int] = []
    is_object: list[bool] = []
    expects_key = False
    for token in _TOKEN.finditer(text):
        symbol = token[0]
        if symbol in "{[":
            if is_object and not is_object[-1]:
                yield tuple(path), token.start()
            is_object.append(symbol == "{")
            path.append("" if is_object[-1] else 0)
            expects_key = is_object[-1]
        elif symbol in "}]":
            is_object.pop()
            path.pop()
        elif symbol == ",":
            expects_key = is_object[-1]
            if not is_object[-1]:
                last = path[-1]
                assert isinstance(last, int)
                path[-1] = last + 1
        elif symbol == ":":
            expects_key = False
        elif expects_key:
            path[-1] = json.loads(symbol) if "\\" in symbol else symbol[1:-1]
            yield tuple(path), token.start()
        elif is_object and not is_object[-1]:
            yield tuple(path), token.start()


def index(text: str) -> dict[JsonPath, tuple[int, int]]:
    """Return (line, column) of each place in a JSON text."""
    places_by_path: dict[JsonPath, tuple[int, int]] = {}
    line, start = 1, 0
    for path, offset in places(text):
        line += text.count("\n", start, offset)
        start = offset
        places_by_path.setdefault(path, (line, offset - text.rfind("\n", 0, offset)))
    return places_by_path


def repeated_keys(text: str) -> Iterator[tuple[JsonPath, int, int]]:
    """Yield (path, line, column) of each key that its object already has."""
    seen: set[JsonPath] = set()
    duplicates: set[JsonPath] = set()
    for path, offset in places(text):
        if any(path[:length] in duplicates for length in range(len(path))):
            continue  # everything below a duplicate key looks like one
        if path in seen:
            duplicates.add(path)
            yield (path, *line_and_column(text, offset))
        seen.add(path)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return the (line, column) of a character offset, both from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1
