"""Conversion of JSON values to Python values by schema: `"2026-01-31T12:00:00Z"` becomes a datetime, 1.0 may be an int.

A schema is compiled once into a function that visits only values that need conversion; if there are none,
there is no function. Values are converted after validation, so their shapes can be relied on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lightbus.schema.language.formats import FormatType, format_type
from lightbus.schema.language.keywords import DEPENDENT, DESCRIBING, UNIONS
from lightbus.schema.language.node import Node
from lightbus.schema.language.validation import validator

Converter = Callable[[Any], Any]


class Unconvertible(Exception):
    """A valid value has no Python equivalent.

    Attributes:
        path: keys and indexes that lead to the value, outermost first.
        value: the value.
        reason: what is wrong, beginning with a verb.
    """

    def __init__(self, value: object, reason: str) -> None:
        self.path: list[str | int] = []
        self.value, self.reason = value, reason
        super().__init__(reason)


def conversion(nodes: Iterable[Node[Any]], *, formats: bool = True) -> Converter | None:
    """Compile the conversion of a value.

    Args:
        nodes: the schemas that describe the value together.
        formats: whether strings become the type of their format; whole numbers become `int` in any case.

    Returns:
        A function that returns the Python value and does not change its argument, or None for identity.
        It raises `Unconvertible`.
    """
    compiler = _Conversions(formats)
    return _in_turn([compiler.compile(node) for node in nodes])


def accepts(node: Node[Any], kind: str) -> bool:
    """Whether a schema may accept values of a JSON type: "string", "number" (not whole), "object" or "array".

    Only `type`, `enum`, `const`, and the schemas combined with them count.
    """
    return _accepts(node, kind, frozenset())


def _accepts(node: Node[Any], kind: str, seen: frozenset[object]) -> bool:
    if isinstance(node.schema, bool) or node.key in seen:
        return node.schema is not False
    seen |= {node.key}
    types, listed = node.types, node.listed
    if types and kind not in types:
        return False
    if listed is not None and not any(isinstance(value, _PYTHON[kind]) for value in listed):
        return False
    return all(_accepts(base, kind, seen) for base in node.based_on()) and all(
        any(_accepts(branch, kind, seen) for branch in node.inside((keyword,)))
        for keyword in UNIONS
        if node.has(keyword)
    )


_PYTHON = {"string": str, "number": float, "object": dict, "array": list}


class _Conversions:
    def __init__(self, formats: bool) -> None:
        self._formats = formats
        self._compiled: dict[object, Converter | None] = {}

    def compile(self, node: Node[Any] | None) -> Converter | None:
        if node is None or not isinstance(node.schema, dict) or not self._converts(node, set()):
            return None
        if node.key in self._compiled:
            return self._compiled[node.key]
        compiled: Converter | None = None

        def later(value: Any) -> Any:  # for schemas inside that refer back to this one
            return compiled(value) if compiled else value

        self._compiled[node.key] = later
        compiled = self._compiled[node.key] = _in_turn(self._steps(node))
        return compiled

    def _steps(self, node: Node[Any]) -> list[Converter | None]:
        steps = [self.compile(base) for base in node.based_on()]
        if self._formats and (rich := format_type(node.keywords)):
            steps.append(_string(rich))
        if _is_whole(node):
            steps.append(_whole)
        steps += [self._choice([*node.inside((keyword,))]) for keyword in UNIONS]
        steps += [self._condition(node), *self._dependents(node)]
        return [*steps, self._object(node), self._array(node)]

    def _object(self, node: Node[Any]) -> Converter | None:
        properties = {name: self.compile(child) for name, child in node.children("properties")}
        patterns = [
            (validator({"pattern": pattern}).is_valid, self.compile(child))
            for pattern, child in node.children("patternProperties")
        ]
        additional = self.compile(node.get("additionalProperties"))
        if not any((*properties.values(), *(convert for _, convert in patterns), additional)):
            return None

        def converters(key: str) -> list[Converter]:
            matching = [convert for matches, convert in patterns if matches(key)]
            if key in properties:
                matching.append(properties[key])
            elif not matching:
                matching.append(additional)
            return [convert for convert in matching if convert]

        def convert(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            return {key: _at(key, converters(key), item) for key, item in value.items()}

        return convert

    def _array(self, node: Node[Any]) -> Converter | None:
        first, others = node.items()
        prefix, rest = [self.compile(item) for item in first], self.compile(others)
        if not any((*prefix, rest)):
            return None

        def convert(value: Any) -> Any:
            if not isinstance(value, list):
                return value
            steps = [prefix[index] if index < len(prefix) else rest for index in range(len(value))]
            return [
                _at(index, [step], item) if step else item
                for index, (step, item) in enumerate(zip(steps, value, strict=True))
            ]

        return convert

    def _condition(self, node: Node[Any]) -> Converter | None:
        """Compile `then` and `else`."""
        condition = node.get("if")
        on_then, on_else = self.compile(node.get("then")), self.compile(node.get("else"))
        if condition is None or not (on_then or on_else):
            return None
        holds = condition.document.validator(condition).is_valid

        def convert(value: Any) -> Any:
            converter = on_then if holds(msgspec.to_builtins(value)) else on_else
            return converter(value) if converter else value

        return convert

    def _dependents(self, node: Node[Any]) -> Iterator[Converter]:
        """Compile the schemas that apply if a property is present."""
        for keyword in DEPENDENT:
            for name, child in node.children(keyword):
                if converter := self.compile(child):
                    yield _where(name, converter)

    def _choice(self, branches: Sequence[Node[Any]]) -> Converter | None:
        if not any(self._converts(branch, set()) for branch in branches):
            return None
        of_string = [branch for branch in branches if accepts(branch, "string")]
        string = self.compile(of_string[0]) if len(of_string) == 1 else None
        of_object, of_array = self._chooser(branches, "object"), self._chooser(branches, "array")
        is_whole = not any(accepts(branch, "number") for branch in branches)

        def convert(value: Any) -> Any:
            if isinstance(value, str):
                return string(value) if string else value
            if isinstance(value, dict):
                return of_object(value) if of_object else value
            if isinstance(value, list):
                return of_array(value) if of_array else value
            return _whole(value) if is_whole else value

        return convert

    def _chooser(self, branches: Sequence[Node[Any]], kind: str) -> Converter | None:
        """Return the function that converts an object or array by the first branch that accepts it."""
        candidates = [branch for branch in branches if accepts(branch, kind)]
        converters = [self.compile(branch) for branch in candidates]
        if not any(converters):
            return None
        if len(candidates) == 1:
            return converters[0]
        tests = [branch.document.validator(branch).is_valid for branch in candidates]

        def convert(value: Any) -> Any:
            plain = msgspec.to_builtins(value)  # an earlier step may have converted parts
            for is_valid, converter in zip(tests, converters, strict=True):
                if is_valid(plain):
                    return converter(value) if converter else value
            return value

        return convert

    def _converts(self, node: Node[Any] | None, seen: set[object]) -> bool:
        """Whether a schema or one inside it describes values to convert."""
        if node is None or not isinstance(node.schema, dict) or node.key in seen:
            return False
        seen.add(node.key)
        if _is_whole(node) or (self._formats and format_type(node.keywords)):
            return True
        within = itertools.chain(node.based_on(), node.inside(DESCRIBING))
        return any(self._converts(inner, seen) for inner in within)


def _where(name: str, converter: Converter) -> Converter:
    """Return the function that converts objects which have a property."""
    return lambda value: converter(value) if isinstance(value, dict) and name in value else value


def _string(rich: FormatType) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is not str:
            return value
        try:
            return rich.decode(value)
        except ValueError as error:
            raise Unconvertible(value, str(error)) from None

    return convert


def _is_whole(node: Node[Any]) -> bool:
    """Whether a schema's own keywords allow only whole numbers, such as 1.0, which is a float in Python."""
    if (listed := node.listed) is not None:
        kinds = {type(value) for value in listed}
        return int in kinds and float not in kinds
    types = node.types
    return "integer" in types and "number" not in types


def _whole(value: Any) -> Any:
    return int(value) if type(value) is float and value.is_integer() else value


def _at(key: str | int, converters: Iterable[Converter], value: Any) -> Any:
    try:
        for convert in converters:
            value = convert(value)
    except Unconvertible as error:
        error.path.insert(0, key)
        raise
    return value


def _in_turn(converters: Sequence[Converter | None]) -> Converter | None:
    steps = [converter for converter in converters if converter]
    if len(steps) < 2:
        return steps[0] if steps else None

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return convert
