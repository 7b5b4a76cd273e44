"""The schema files of a run, and the problems in them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urldefrag, urljoin

from lightbus.schema.language.keywords import DIALECT, DRAFTS, Draft, pointer
from lightbus_gen.read.input_problems import InputError, InputProblem
from lightbus_gen.read.positions import JsonPath, index

YAML_SUFFIXES = (".yaml", ".yml")

_ROOT = "file:///"
"""The base of each file's `$id`, so that an `$id` means the same wherever the files are."""


@dataclass(frozen=True, eq=False)
class SchemaFile:
    """The content of one schema file.

    Attributes:
        path: its path below the schemas folder, with `/`.
        name: its name in generated code: `schemas/auth.json`.
        shown: its name in messages.
        text: its JSON text, with `\\n` line endings.
        value: its JSON value.
        places: (line, column) by path, if `text` is not the text of the file, as for YAML.
        dialect: its `$schema`, a key of `DRAFTS`.
        base: the path of the value in the file, if it is only part of the file.
        draft: its version of JSON Schema.
        uri: the base URI of `$ref`s in it, unless it has an `$id`.
    """

    path: str
    name: str
    shown: str
    text: str
    value: Any
    places: Mapping[JsonPath, tuple[int, int]] | None = None
    dialect: str = DIALECT
    base: JsonPath = ()
    draft: Draft = field(init=False)
    uri: str = field(init=False)

    def __post_init__(self) -> None:
        """Derive `draft` and `uri`, which are needed often."""
        object.__setattr__(self, "draft", DRAFTS[self.dialect])
        object.__setattr__(self, "uri", f"{_ROOT}{quote(self.path)}")

    def locate(self, path: JsonPath) -> tuple[int, int]:
        """Return (line, column) of a path, or of its nearest ancestor in the file."""
        while path not in self.places_by_path:
            path = path[:-1]
        return self.places_by_path[path]

    @functools.cached_property
    def places_by_path(self) -> Mapping[JsonPath, tuple[int, int]]:
        """(line, column) of every value in the file, by path."""
        return index(self.text) if self.places is None else self.places

    @functools.cached_property
    def has_ids(self) -> bool:
        """Whether a schema in it may have a URI of its own. Searches the text, since few files have one."""
        return f'"{self.draft.id_keyword}"' in self.text or "\\u" in self.text

    @property
    def stem(self) -> str:
        """Its name without folder, suffix and `.schema`: the event's name, if it defines one."""
        return PurePosixPath(self.path).stem.removesuffix(".schema")

    @property
    def has_own_id(self) -> bool:
        """Whether it gives itself a URI."""
        return self.id_of(self.value)[:1] not in ("", "#")

    @property
    def canonical_uri(self) -> str:
        """Its absolute URI: its `$id`, else its path as a `file:` URI."""
        return self.base_inside(self.value, _ROOT) if self.has_own_id else self.uri

    def id_of(self, schema: object) -> str:
        """Return the URI or anchor that a schema in it gives itself, "" for none."""
        if not isinstance(schema, dict):
            return ""
        if "$ref" in schema and self.draft.ref_hides_siblings and schema is not self.value:
            return ""  # hidden, as everything beside a $ref
        identifier = schema.get(self.draft.id_keyword)
        return identifier if isinstance(identifier, str) else ""

    def base_inside(self, schema: object, outer: str) -> str:
        """Return the base URI inside a schema, which may have an `$id`."""
        if not self.has_ids:
            return outer
        identifier = self.id_of(schema)
        return (join(outer, identifier) or outer) if identifier and identifier[0] != "#" else outer


def join(base: str, reference: str) -> str:
    """Return a reference as an absolute URI without fragment, "" if it is not a URI reference."""
    try:
        return urldefrag(urljoin(base, reference)).url
    except ValueError:
        return ""


class Report:
    """Collects problems and notices, with the line and column of each.

    Args:
        is_lenient: whether a duplicate key and an unknown `$schema` are notices, not problems. For comparing
            versions: the old one can no longer be changed, and its meaning can be guessed.

    Attributes:
        problems: what has to be fixed.
        notices: what was left out and need not be fixed.
        is_lenient: the argument.
    """

    def __init__(self, *, is_lenient: bool = False) -> None:
        self.is_lenient = is_lenient
        self.problems: list[InputProblem] = []
        self.notices: list[InputProblem] = []
        self._unusable: dict[str, bytes] = {}

    def add(self, file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> None:
        """Add a problem at a path of a file."""
        self.problems.append(_problem(file, path, rule, message, fix))

    def add_file(self, shown: str, rule: str, message: str, fix: str) -> None:
        """Add a problem with a file or folder as a whole."""
        self.problems.append(InputProblem(shown, 0, 0, rule, message, fix))

    def add_unreadable(self, path: str, shown: str, data: bytes, problems: Iterable[InputProblem]) -> None:
        """Add the problems that make a file, by its path below the schemas folder, unreadable."""
        self._unusable[path] = data
        self.problems += [replace(problem, path=shown) for problem in problems]

    def add_notice(self, file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> None:
        """Add a notice of something that was left out."""
        self.notices.append(_problem(file, path, rule, message, fix))

    def may_hold(self, uri: str) -> bool:
        """Whether a URI may be that of an unreadable file, so that a reference to it is not an error."""
        names = {f"file:///{quote(path, errors='replace')}" for path in self._unusable}
        return uri in names or any(uri.encode() in data for data in self._unusable.values())

    def check(self) -> None:
        """Raise InputError if there are problems."""
        if self.problems:
            raise InputError(self.problems)


def _problem(file: SchemaFile, path: JsonPath, rule: str, message: str, fix: str) -> InputProblem:
    line, column = file.locate(path)
    return InputProblem(
        file.shown, line, column, rule, _brief(message), _brief(fix), pointer((*file.base, *path))
    )


def _brief(text: str) -> str:
    """Cut the middle out of a text that quotes a large value."""
    return text if len(text) <= 500 else f"{text[:300]} ... {text[-100:]}"
