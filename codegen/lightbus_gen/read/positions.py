"""Where in a JSON text a value stands. Run only when something is reported, so reading stays fast."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

JsonPath = tuple[str | int, ...]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


def tokens(text: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, token) of each bracket, comma, colon, string and word of a JSON text."""
    return ((token.start(), token.group()) for token in _TOKEN.finditer(text))


def places(text: str) -> Iterator[tuple[JsonPath, int]]:
    """Yield (path, offset) of each value: of its key in an object, of the value itself elsewhere.

    A key that is given twice is yielded twice. The text must be valid JSON.
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
    found: dict[JsonPath, tuple[int, int]] = {}
    line, start = 1, 0
    for path, offset in places(text):
        line += text.count("\n", start, offset)
        start = offset
        found.setdefault(path, (line, offset - text.rfind("\n", 0, offset)))
    return found


def repeated_keys(text: str) -> Iterator[tuple[JsonPath, int, int]]:
    """Yield (path, line, column) of each key that its object already has."""
    seen: set[JsonPath] = set()
    repeated: set[JsonPath] = set()
    for path, offset in places(text):
        if any(path[:length] in repeated for length in range(len(path))):
            continue  # below a repeated key, everything looks repeated
        if path in seen:
            repeated.add(path)
            yield (path, *line_and_column(text, offset))
        seen.add(path)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Turn a character offset into (line, column), both from 1."""
    start = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - start + 1


def pointer(path: Sequence[str | int]) -> str:
    """Write a path as a JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
