"""One schema file: its bytes read, its JSON or YAML parsed strictly, and a place for every problem in it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from lightbus.schema.definition import DIALECT
from lightbus.schema.metaschema import DIALECTS
from lightbus_gen.positions import Path as JsonPath
from lightbus_gen.positions import line_and_column, locate, offset_of_token, pointer, repeated_keys
from lightbus_gen.problems import InputError, Problem
from lightbus_gen.text import plain

MAX_DEPTH = 100
YAML_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, eq=False)
class SchemaFile:
    """One schema file, read.

    Attributes:
        path: its place below the schemas folder, with `/`.
        name: what generated code calls it, `schemas/auth.json`.
        shown: what messages call it.
        text: its JSON text, line ends as `\\n`.
        value: its JSON value.
        places: (line, column) by path, where `text` is not what the file holds, as for YAML.
    """

    path: str
    name: str
    shown: str
    text: str
    value: Any
    places: Mapping[JsonPath, tuple[int, int]] | None = None

    def locate(self, path: JsonPath) -> tuple[int, int]:
        """Return (line, column) of a path, or of its nearest ancestor that is in the file."""
        if self.places is None:
            return locate(self.text, path)
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    @property
    def stem(self) -> str:
        """Its name without folder, suffix and `.schema`: the event's name, where it holds one."""
        return PurePosixPath(self.path).stem.removesuffix(".schema")

    @property
    def uri(self) -> str:
        """The base URI of `$ref`s in it, unless it has an `$id`."""
        return f"file:///{quote(self.path)}"

    @functools.cached_property
    def dialect(self) -> str:
        """The `$schema` it is written in, a key of `DIALECTS`; the newest where it names none."""
        given = self.value.get("$schema") if isinstance(self.value, dict) else None
        return known_dialect(given) or DIALECT


class Report:
    """Collects problems, and finds the line and column of each."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> None:
        """Note a problem at a path of a file."""
        line, column = file.locate(path)
        self.problems.append(Problem(file.shown, line, column, rule, message, fix, pointer(path)))

    def add_file(self, shown: str, rule: str, message: str, fix: str) -> None:
        """Note a problem with a file or folder as a whole."""
        self.problems.append(Problem(shown, 0, 0, rule, message, fix))

    def check(self) -> None:
        """Raise InputError if anything was noted."""
        if self.problems:
            raise InputError(self.problems)


def read_file(path: str, name: str, shown: str, data: bytes, report: Report) -> SchemaFile | None:
    if not _is_unicode(path):
        report.add_file(plain(shown), "NOT_UTF8", "has a name that is not UTF-8 text", "rename the file")
        return None
    data = data.replace(b"\r\n", b"\n")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line, column = line_and_column(data[: error.start].decode(), error.start)
        report.problems.append(
            Problem(shown, line, column, "NOT_UTF8", "is not UTF-8 text", "save it as UTF-8")
        )
        return None
    if text.startswith("\ufeff"):
        report.problems.append(
            Problem(shown, 1, 1, "NOT_UTF8", "begins with a byte order mark", "save it as UTF-8 without BOM")
        )
        return None
    if path.endswith(YAML_SUFFIXES):
        file = _read_yaml(path, name, shown, text, report)
        return file and _unless_unusable(file, report)
    try:
        value = _parse(text)
    except json.JSONDecodeError as error:
        message, fix = f"is not valid JSON: {error.msg}", "correct the JSON here"
        report.problems.append(Problem(shown, error.lineno, error.colno, "INVALID_JSON", message, fix))
        return None
    except RecursionError:
        report.add_file(shown, "TOO_DEEP", f"nests more than {MAX_DEPTH} levels", "use $ref for inner types")
        return None
    except _NotANumber as error:
        line, column = line_and_column(text, offset_of_token(text, str(error)))
        message = f"is not valid JSON: {error} is no JSON number"
        report.problems.append(
            Problem(shown, line, column, "INVALID_JSON", message, "write a number, a string or null")
        )
        return None
    except ValueError as error:  # an integer of more digits than Python reads
        report.add_file(shown, "INVALID_JSON", f"cannot be read: {error}", "write a shorter number")
        return None
    file = SchemaFile(path, name, shown, text, value)
    if isinstance(value, _Repeats):
        for place, line, column in repeated_keys(text):
            message = f"the key {place[-1]!r} is given twice in this object"
            report.problems.append(
                Problem(shown, line, column, "DUPLICATE_KEY", message, "keep one of them", pointer(place))
            )
        return None
    return _unless_unusable(file, report)


def _read_yaml(path: str, name: str, shown: str, text: str, report: Report) -> SchemaFile | None:
    from lightbus_gen.yamltext import (  # PyYAML takes time to import, and most schemas are JSON
        YamlError,
        read_yaml,
    )

    try:
        value, places = read_yaml(text)
    except YamlError as error:
        report.problems.append(Problem(shown, error.line, error.column, error.rule, error.message, error.fix))
        return None
    except RecursionError:
        report.add_file(shown, "TOO_DEEP", f"nests more than {MAX_DEPTH} levels", "use $ref for inner types")
        return None
    json_text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return SchemaFile(path, name, shown, json_text, value, places)


def _unless_unusable(file: SchemaFile, report: Report) -> SchemaFile | None:
    if deep := _too_deep(file.value):
        report.add(file, deep, "TOO_DEEP", f"nests more than {MAX_DEPTH} levels", "use $ref for inner types")
        return None
    if not _is_unicode(file.text) or "\\u" in file.text.lower():  # an escape may stand for half a character
        for place in _half_characters(file.value, ()):
            message = "has a string with half a character: a surrogate without its pair is no Unicode text"
            report.add(file, place, "INVALID_JSON", message, "write the whole character, or leave it out")
            return None
    return file


def _half_characters(value: Any, path: JsonPath) -> Iterator[JsonPath]:
    """Yield the places of strings and objects that hold lone surrogates, which JSON can escape."""
    texts = value if isinstance(value, dict) else [value] if isinstance(value, str) else ()
    if not all(map(_is_unicode, texts)):
        yield path
        return
    for key, child in _children(value):
        yield from _half_characters(child, (*path, key))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _NotANumber(Exception):
    """NaN or Infinity, which Python would read as numbers."""


class _Repeats:
    """Stands for the value of a text in which some object has a key twice."""


def _parse(text: str) -> Any:
    repeats = False

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeats
        made = dict(pairs)
        repeats = repeats or len(made) < len(pairs)
        return made

    def refuse(constant: str) -> Any:
        raise _NotANumber(constant)

    value = json.loads(text, object_pairs_hook=to_dict, parse_constant=refuse)
    return _Repeats() if repeats else value


def _too_deep(value: Any) -> JsonPath | None:
    """Find a place that nests deeper than the limit."""
    level: list[tuple[JsonPath, Any]] = [((), value)]
    for _ in range(MAX_DEPTH):
        level = [((*path, key), child) for path, parent in level for key, child in _children(parent)]
        if not level:
            return None
    return level[0][0]


def _children(value: Any) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()


def known_dialect(given: object) -> str | None:
    if not isinstance(given, str):
        return None
    bare = re.sub(r"^https?://|#$", "", given)
    return next((known for known in DIALECTS if re.sub(r"^https?://|#$", "", known) == bare), None)
