"""The schema files of a run, and the problems found in them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from lightbus.schema.language.metaschema import unknown_keywords
from lightbus.schema.python.from_api import DIALECT
from lightbus_gen.read.input_problems import Fault, InputError, InputProblem
from lightbus_gen.read.positions import JsonPath, index, pointer

YAML_SUFFIXES = (".yaml", ".yml")

OLD_DIALECTS = tuple(f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7))
"""The drafts in which a `$ref` hides the keywords beside it."""


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
        dialect: the `$schema` it is read by, a key of `DIALECTS`.
        base: where the value stands in the file, for one that is part of it.
    """

    path: str
    name: str
    shown: str
    text: str
    value: Any
    places: Mapping[JsonPath, tuple[int, int]] | None = None
    dialect: str = DIALECT
    base: JsonPath = ()

    def locate(self, path: JsonPath) -> tuple[int, int]:
        """Return (line, column) of a path, or of its nearest ancestor that is in the file."""
        while path not in self.places_by_path:
            path = path[:-1]
        return self.places_by_path[path]

    @functools.cached_property
    def places_by_path(self) -> Mapping[JsonPath, tuple[int, int]]:
        """(line, column) of every value in the file, by path."""
        return index(self.text) if self.places is None else self.places

    @functools.cached_property
    def has_ids(self) -> bool:
        """Whether a schema in it may have an URI of its own; looked up in the text, since few have."""
        return f'"{self.id_keyword}"' in self.text or "\\u" in self.text

    @functools.cached_property
    def unknown(self) -> frozenset[str]:
        """The keywords that the file's draft does not know, so that they say nothing."""
        return unknown_keywords(self.dialect)

    @property
    def id_keyword(self) -> str:
        """The keyword that gives a schema its URI in the file's draft."""
        return "id" if self.dialect == OLD_DIALECTS[0] else "$id"

    @property
    def stem(self) -> str:
        """Its name without folder, suffix and `.schema`: the event's name, where it holds one."""
        return PurePosixPath(self.path).stem.removesuffix(".schema")

    @functools.cached_property
    def uri(self) -> str:
        """The base URI of `$ref`s in it, unless it has an `$id`."""
        return f"file:///{quote(self.path)}"


class Report:
    """Collects problems and notices, and finds the line and column of each.

    Args:
        is_lenient: whether a key that is given twice and a `$schema` that is no draft are notices, since what is
            meant can be guessed: for comparing versions, of which the old one cannot be changed any more.

    Attributes:
        problems: what is wrong.
        notices: what was left out, and is fine.
        is_lenient: as given.
    """

    def __init__(self, *, is_lenient: bool = False) -> None:
        self.is_lenient = is_lenient
        self.problems: list[InputProblem] = []
        self.notices: list[InputProblem] = []
        self._unusable: dict[str, bytes] = {}

    def add(self, file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> None:
        """Note a problem at a path of a file."""
        self.problems.append(_problem(file, path, rule, message, fix))

    def add_file(self, shown: str, rule: str, message: str, fix: str) -> None:
        """Note a problem with a file or folder as a whole."""
        self.problems.append(InputProblem(shown, 0, 0, rule, message, fix))

    def add_unreadable(self, path: str, shown: str, data: bytes, faults: Iterable[Fault]) -> None:
        """Note why a file, by its path below the schemas folder, cannot be read."""
        self._unusable[path] = data
        self.problems += [fault.of(shown) for fault in faults]

    def add_notice(self, file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> None:
        """Note something that was left out."""
        self.notices.append(_problem(file, path, rule, message, fix))

    def may_hold(self, uri: str) -> bool:
        """Whether a URI may be that of a file that is left out, so that it is no mistake to refer to it."""
        names = {f"file:///{quote(path, errors='replace')}" for path in self._unusable}
        return uri in names or any(uri.encode() in data for data in self._unusable.values())

    def check(self) -> None:
        """Raise InputError if anything was noted."""
        if self.problems:
            raise InputError(self.problems)


def _problem(file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> InputProblem:
    line, column = file.locate(path)
    return InputProblem(
        file.shown, line, column, rule, _brief(message), _brief(fix), pointer((*file.base, *path))
    )


def _brief(text: str) -> str:
    """Leave out the middle of a text that quotes a large value."""
    return text if len(text) <= 500 else f"{text[:300]} ... {text[-100:]}"
