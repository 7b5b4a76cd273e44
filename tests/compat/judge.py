"""An independent judge: what one version sends and another accepts, by python-jsonschema and a walk of its own."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any

import jsonschema
from jsonschema.validators import extend, validator_for

from lightbus.schema import open_schema
from lightbus.schema.language.formats import is_base64
from lightbus.schema.language.validation import validator

Schema = Any


class Judge:
    """Judges payloads by one version of a schema, of any draft.

    Args:
        schema: the schema, whose references are local.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._written, self._opened = _checker(schema), _checker(open_schema(schema))
        self._at_run_time = validator(schema), validator(open_schema(schema))

    def accepts(self, payload: Any) -> bool | None:
        """Whether a listener accepts a payload; None if python-jsonschema and the runtime disagree."""
        judged = self._written.is_valid(payload) or self._opened.is_valid(payload)
        return judged if judged is any(each.is_valid(payload) for each in self._at_run_time) else None

    def sends(self, payload: Any) -> bool:
        """Whether a producer sends a payload: it is valid, and has no property that is not declared."""
        is_valid = self._at_run_time[0].is_valid(payload) and self._written.is_valid(payload)
        return is_valid and self._is_declared([self._schema], payload, is_payload=True)

    def _is_declared(self, schemas: list[Schema], value: Any, *, is_payload: bool = False) -> bool:
        """Whether a value that schemas describe together has only declared properties, at any depth."""
        applied = list(self._together(schemas, value))
        if isinstance(value, list):
            return all(
                self._is_declared(list(self._of_item(applied, index)), item)
                for index, item in enumerate(value)
            )
        if not isinstance(value, dict):
            return True
        possible = list(self._together(schemas))
        is_closed = any("properties" in each for each in possible)
        if is_payload and not any(key in each and self._has(key) for each in possible for key in _FURTHER):
            is_closed = True
        for name, item in value.items():
            inner, is_declared = self._of_property(applied, name)
            if (is_closed and not is_declared) or not self._is_declared(inner, item):
                return False
        return True

    def _of_property(self, applied: list[dict[str, Any]], name: str) -> tuple[list[Schema], bool]:
        """Return the schemas of a property, and whether one of them or a requirement declares it."""
        inner: list[Schema] = []
        is_declared = False
        for schema in applied:
            own = [schema["properties"][name]] if name in schema.get("properties", {}) else []
            own += [each for key, each in schema.get("patternProperties", {}).items() if re.search(key, name)]
            if not own:
                for key in ("additionalProperties", "unevaluatedProperties"):
                    if self._has(key) and isinstance(schema.get(key), dict) and schema[key]:
                        own.append(schema[key])
                        break
            is_declared = is_declared or bool(own) or name in schema.get("required", ())
            inner += own
        return inner, is_declared

    def _of_item(self, applied: list[dict[str, Any]], index: int) -> Iterator[Schema]:
        for schema in applied:
            is_listed = isinstance(schema.get("items"), list)
            first, rest = ("items", "additionalItems") if is_listed else ("prefixItems", "items")
            listed = schema.get(first, ()) if self._has(first) else ()
            if index < len(listed):
                yield listed[index]
            elif rest in schema and self._has(rest):
                yield schema[rest]
            elif "unevaluatedItems" in schema and self._has("unevaluatedItems"):
                yield schema["unevaluatedItems"]

    def _together(self, schemas: Iterable[Schema], *values: Any) -> Iterator[dict[str, Any]]:
        """Yield the schemas that apply to a value; without one, those that may apply to some value."""
        todo, seen = list(schemas), set[int]()
        for schema in todo:
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            if "$ref" in schema and self._ref_alone:
                schema = {"$ref": schema["$ref"]}
            yield schema
            inner = [self._target(schema[key]) for key in _REFERRING if key in schema and self._has(key)]
            inner += schema.get("allOf", ())
            inner += self._fitting([*schema.get("anyOf", ()), *schema.get("oneOf", ())], values)
            if self._has("if") and "if" in schema:
                is_case = self._fitting([schema["if"]], values)
                inner += is_case
                cases = ("then", "else") if not values else ("then",) if is_case else ("else",)
                inner += [schema[case] for case in cases if case in schema]
            for key in ("dependentSchemas", "dependencies"):
                for name, each in schema.get(key, {}).items() if self._has(key) else ():
                    if not values or (isinstance(values[0], dict) and name in values[0]):
                        inner.append(each)
            todo += inner

    def _fitting(self, schemas: list[Schema], values: tuple[Any, ...]) -> list[Schema]:
        return [
            each for each in schemas if not values or self._written.evolve(schema=each).is_valid(values[0])
        ]

    def _has(self, keyword: str) -> bool:
        return keyword in self._written.VALIDATORS

    @property
    def _ref_alone(self) -> bool:
        return "dependentSchemas" not in self._written.VALIDATORS

    def _target(self, reference: str) -> Schema:
        node: Any = self._schema
        if reference != "#" and not reference.startswith("#/"):
            definitions = self._schema.get("definitions", {}).values()
            return next(each for each in definitions if each.get("$dynamicAnchor") == reference[1:])
        for step in reference.split("/")[1:]:
            node = node[step]
        return node


_extend: Any = extend
_FURTHER = ("additionalProperties", "patternProperties", "unevaluatedProperties")
_REFERRING = ("$ref", "$dynamicRef", "$recursiveRef")


def _checker(schema: Any) -> Any:
    return _class(validator_for(schema, jsonschema.Draft202012Validator))(schema)


@functools.cache
def _class(of_draft: Any) -> Any:
    return _extend(of_draft, {"contentEncoding": _content_encoding, "format": _format_of(of_draft)})


def _format_of(of_draft: Any) -> Any:
    """Return the check of a format: the runtime decides what it is, since it is an assertion there."""
    dialect = of_draft.META_SCHEMA["$schema"]

    def check(_: Any, name: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, str) and not _of_format(dialect, name).is_valid(instance):
            yield jsonschema.ValidationError(f"{instance!r} is not a {name!r}")

    return check


@functools.cache
def _of_format(dialect: str, name: str) -> Any:
    return validator({"$schema": dialect, "format": name})


def _content_encoding(_: Any, encoding: str, instance: Any, __: Any) -> Iterator[jsonschema.ValidationError]:
    if encoding == "base64" and isinstance(instance, str) and not is_base64(instance):
        yield jsonschema.ValidationError(f"{instance!r} is not base64")
