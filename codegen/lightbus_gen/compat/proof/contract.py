"""Contracts: the payload of an event in one version, checked as the runtime checks it.

`covers` is the second opinion: `canonicalize().covers()` of jsonschema-rs. It can only clear a doubt. "No" and "unknown"
leave the doubt as it is, and so does a schema that it does not model.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from lightbus.schema import open_schema
from lightbus.schema.language.keywords import DEFINITIONS, IN_PLACE, REFERENCES, UNIONS, with_subschemas
from lightbus.schema.language.reference import Document
from lightbus.schema.language.validation import is_covered
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.proof.effort import can_validate, has_canonical_form
from lightbus_gen.compat.shapes.view import text_of

_LONGEST = 50_000
_OWN = ('"contentEncoding"', '"duration"', '"decimal"')
"""What the runtime checks beyond the standard, and the second opinion does not."""
_SHARING = REFERENCES.union(IN_PLACE, ("patternProperties", "unevaluatedProperties", "unevaluatedItems"))
_MAX_OF_BRANCHES = 2_000
"""Errors of a union's branches that are looked at one by one."""
_SAME = {
    "const": "enum",
    "contentEncoding": "format",
    "exclusiveMinimum": "minimum",
    "exclusiveMaximum": "maximum",
}
"""Keywords that stand for each other, in other drafts or in what the runtime checks."""


class Documents:
    """A self-contained document of events, parsed when its first schema is needed.

    Args:
        written: the document of an API.
    """

    def __init__(self, written: dict[str, Any]) -> None:
        self._schema = written

    @cached_property
    def written(self) -> Document:
        """The document as its author wrote it."""
        return Document(self._schema, "")

    @cached_property
    def composes(self) -> bool:
        """Whether it may have schemas that apply to the same value."""
        text = text_of(self._schema)
        return any(f'"{keyword}"' in text for keyword in IN_PLACE)

    def of(self, event: str) -> Contract:
        """Return the contract of one event."""
        parameters = self._schema["events"][event]["parameters"]
        if isinstance(parameters, dict) and ("$id" in parameters or "$schema" in parameters):
            return Contract(Documents(parameters), "", parameters)  # it has references and a draft of its own
        shared = {key: self._schema[key] for key in ("$schema", *DEFINITIONS) if key in self._schema}
        schema = {**shared, **parameters} if isinstance(parameters, dict) else parameters
        return Contract(self, f"/events/{event}/parameters", schema)


class Contract:
    """The payload of an event in one version.

    Args:
        documents: the document with the schema.
        pointer: JSON pointer of the schema in the document.
        schema: the schema, with the definitions it refers to.
    """

    def __init__(self, documents: Documents, pointer: str, schema: Any) -> None:
        self._documents, self._pointer, self._schema = documents, pointer, schema
        self._last: tuple[str, Errors] | None = None

    @cached_property
    def _written(self) -> Any:
        return self._validator(self._documents.written)

    @cached_property
    def _opened(self) -> Any:
        return self._validator(self._documents.written.opened)

    @cached_property
    def _has_canonical_form(self) -> bool:
        return has_canonical_form(self._documents.written.at(self._pointer))

    def _validator(self, document: Document) -> Any:
        return document.validator(document.at(self._pointer))

    def writes(self, payload: Any) -> bool:
        """Whether a producer sends a payload: an object, valid by the schema as its author wrote it."""
        return isinstance(payload, dict) and bool(self._written.is_valid(payload))

    def can_check(self, payload: Any) -> bool:
        """Whether `writes` and `errors` take bounded time for a payload."""
        return not self._documents.composes or can_validate(
            self._documents.written.at(self._pointer), payload
        )

    def errors(self, payload: Any) -> Errors:
        """Return the errors with which a listener of this version refuses a payload; none if it accepts it.

        The same payload often proves many obstacles in a row, so the last result is kept.
        """
        text = text_of(payload)
        if self._last is None or self._last[0] != text:
            # a `not` or `if` may refer to a definition that matches more once it is opened
            is_valid = self._opened.is_valid(payload) or self._written.is_valid(payload)
            self._last = text, Errors(() if is_valid else self._opened.iter_errors(payload))
        return self._last[1]

    def covers(self, writer: Contract) -> bool:
        """Whether the second opinion is sure that this version accepts everything that another one writes."""
        if not (self._has_canonical_form and writer._has_canonical_form):
            return False
        opened = open_schema(self._schema)
        texts = text_of(opened) + text_of(writer._schema)
        if len(texts) > _LONGEST or any(marker in texts for marker in _OWN):
            return False
        return is_covered(opened, _closed(writer._schema))


class Errors:
    """The errors of a validator with one payload, by place, so that each obstacle finds its own.

    Args:
        errors: in the validator's order.
    """

    def __init__(self, errors: Iterable[Any]) -> None:
        self._first: dict[tuple[object, ...], tuple[int, Any]] = {}
        for order, error in enumerate(errors):
            left = _MAX_OF_BRANCHES
            todo = [error]
            for inner in todo:
                branches = [*itertools.chain(*inner.kind.context)] if inner.kind.name in UNIONS else []
                left -= len(branches)
                todo += branches if left >= 0 else []
                for key in _keys(inner, is_union=bool(branches), is_whole=left < 0):
                    self._first.setdefault(key, (order, error))

    def about(self, obstacle: Obstacle) -> Any:
        """Return the first error at the place of an obstacle, and not elsewhere in the payload, or None."""
        path = tuple(map(str, obstacle.path))  # the validator reports a key "1" as an index
        own: dict[str, tuple[object, ...]] = {
            "opaque": ("below", path),
            "required": ("required", path, obstacle.name),
            "required_new": ("required", path, obstacle.name),
            "dependency": ("any", path),
            "forbidden": ("any", path),
            "branch": ("union", path),
        }
        keyword = _SAME.get(obstacle.keyword, obstacle.keyword)
        unions = [("whole", path[:length]) for length in range(len(path) + 1)]
        keys = [*unions, ("unevaluated", path[:-1]), own.get(obstacle.kind, ("at", path, keyword))]
        if obstacle.kind not in own:
            keys.append(("unevaluated", path))
        errors = [self._first[key] for key in keys if key in self._first]
        return min(errors, key=lambda each: each[0])[1] if errors else None


def _keys(error: Any, *, is_union: bool, is_whole: bool) -> Iterator[tuple[object, ...]]:
    """Yield what an error, or one of a union's branches, may be found by.

    Args:
        error: the error.
        is_union: whether it is of a union.
        is_whole: whether the errors of its branches are too many to be found by their own places.
    """
    path = tuple(map(str, error.instance_path))
    yield from (("below", path[:length]) for length in range(len(path) + 1))
    yield "any", path
    if is_union:
        yield "union", path
        if is_whole:
            yield "whole", path
    elif error.kind.name == "required":
        yield "required", path, error.kind.property
    elif error.kind.name == "unevaluatedProperties":  # reported at the object
        yield from (("unevaluated", (*path, name)) for name in error.kind.unexpected)
    elif error.kind.name == "unevaluatedItems":
        yield "unevaluated", path
    keyword = next((step for step in reversed(error.schema_path) if isinstance(step, str)), "")
    yield "at", path, _SAME.get(keyword, keyword)


def _closed(schema: Any) -> Any:
    """Forbid undeclared properties in the objects of a schema; those that other schemas describe, too, stay open."""
    if not isinstance(schema, dict) or not _SHARING.isdisjoint(schema):
        return schema
    copy = with_subschemas(schema, ("properties", "items"), _closed)
    declared = schema.get("properties")
    if isinstance(declared, dict):
        is_silent = schema.get("additionalProperties", True) is True
        if is_silent and declared.keys() >= set(schema.get("required", ())):
            copy["additionalProperties"] = False
    return copy
