"""Conversion of JSON values to Python values by schema: `"2026-01-31T12:00:00Z"` becomes a datetime, 1.0 may be an int.

A schema is compiled once into a function that visits only values that need conversion; if there are none,
there is no function. Values are converted after validation, so their shapes can be relied on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from lightbus.schema.language.formats import FormatType, format_type
from lightbus.schema.language.keywords import DEPENDENT, DESCRIBING, UNIONS
from lightbus.schema.language.node import Node
from lightbus.schema.language.validation import pattern_matches

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
    return _Conversions(formats).compile(nodes)


def accepts(node: Node[Any], kind: str) -> bool:
    """Whether a schema may accept values of a JSON type: "string", "number" (not whole), "object" or "array".

    Only `type`, `enum`, `const`, and the schemas combined with them count.
    """
    return _accepts(node, kind, {})


def _accepts(node: Node[Any], kind: str, known: dict[object, bool]) -> bool:
    if isinstance(node.schema, bool):
        return node.schema
    if node.key not in known:
        known[node.key] = True  # for a schema within itself
        known[node.key] = _accepts_itself(node, kind, known)
    return known[node.key]


def _accepts_itself(node: Node[Any], kind: str, known: dict[object, bool]) -> bool:
    types, listed = node.types, node.listed
    if types and kind not in types:
        return False
    if listed is not None and not any(isinstance(value, _PYTHON[kind]) for value in listed):
        return False
    return all(_accepts(base, kind, known) for base in node.based_on()) and all(
        any(_accepts(branch, kind, known) for branch in node.inside((keyword,)))
        for keyword in UNIONS
        if node.has(keyword)
    )


_PYTHON = {"string": str, "number": float, "object": dict, "array": list}


class _Conversions:
    """Converters of values by the schemas that describe them together, so that each value is visited once.

    Which branches of choices apply is decided by each value. Converters of values inside are compiled when there is one.
    """

    def __init__(self, formats: bool) -> None:
        self._formats = formats
        self._compiled: dict[tuple[object, ...], Converter | None] = {}
        self._converting: dict[object, bool] = {}
        self._chosen: dict[object, list[_Choice]] = {}

    def compile(self, nodes: Iterable[Node[Any]]) -> Converter | None:
        """Compile the conversion of values that satisfy all of some schemas; None for identity."""
        parts = self._together(nodes)
        key = tuple(part.key for part in parts)
        return _kept(self._compiled, key, lambda: self._with_choices(parts) if parts else None)

    def _together(self, nodes: Iterable[Node[Any]]) -> list[Node[Any]]:
        """Return the schemas that have conversions, and, recursively, those that they are based on."""
        todo = list(nodes)
        parts: dict[object, Node[Any]] = {}
        for node in todo:
            if node.key not in parts and self._converts(node):
                parts[node.key] = node
                todo += node.based_on()
        return list(parts.values())

    def _with_choices(self, parts: Sequence[Node[Any]]) -> Converter | None:
        if not any(map(self._choices, parts)):
            return self._conjunction(parts)
        conjunctions: dict[tuple[object, ...], Converter | None] = {}

        def convert(value: Any) -> Any:
            active = {part.key: part for part in parts}
            for part in (todo := list(parts)):
                for choice in self._choices(part):
                    chosen = [node for node in self._together(choice(value)) if node.key not in active]
                    active.update((node.key, node) for node in chosen)
                    todo += chosen
            converter = _kept(conjunctions, tuple(active), lambda: self._conjunction(list(active.values())))
            return converter(value) if converter else value

        return convert

    def _conjunction(self, parts: Sequence[Node[Any]]) -> Converter | None:
        """Compile the conversion by what some schemas say themselves, without their choices."""
        formats = (format_type(part.keywords) for part in parts if self._formats)
        string = next((_string(rich) for rich in formats if rich), None)
        is_whole = any(map(_is_whole, parts))
        in_object, in_array = self._object(parts), self._array(parts)
        if not (string or is_whole or in_object or in_array):
            return None

        def convert(value: Any) -> Any:
            if isinstance(value, str):
                return string(value) if string else value
            if isinstance(value, dict):
                return in_object(value) if in_object else value
            if isinstance(value, list):
                return in_array(value) if in_array else value
            return _whole(value) if is_whole else value

        return convert

    def _object(self, parts: Sequence[Node[Any]]) -> Converter | None:
        described = [
            (
                dict(part.children("properties")),
                [*part.children("patternProperties")],
                part.get("additionalProperties"),
            )
            for part in parts
        ]
        inner = (
            node
            for properties, patterns, additional in described
            for node in (*properties.values(), *(node for _, node in patterns), additional)
        )
        if not any(map(self._converts, inner)):
            return None
        names = {name for properties, _, _ in described for name in properties}
        by_name: dict[str, Converter | None] = {}

        def compiled(key: str) -> Converter | None:
            nodes: list[Node[Any]] = []
            for properties, patterns, additional in described:
                matching = [node for pattern, node in patterns if pattern_matches(pattern, key)]
                if key in properties:
                    matching.append(properties[key])
                nodes += matching or filter(None, [additional])
            return self.compile(nodes)

        def convert(value: dict[str, Any]) -> dict[str, Any]:
            converted = {}
            for key, item in value.items():
                if key in by_name:
                    converter = by_name[key]
                else:
                    converter = compiled(key)
                    if key in names:
                        by_name[key] = converter
                converted[key] = _at(key, converter, item) if converter else item
            return converted

        return convert

    def _array(self, parts: Sequence[Node[Any]]) -> Converter | None:
        described = [part.items() for part in parts]
        if not any(self._converts(node) for first, others in described for node in (*first, others)):
            return None
        longest = max(len(first) for first, _ in described)
        by_index: dict[int, Converter | None] = {}  # the last is for all further items

        def compiled(index: int) -> Converter | None:
            if index not in by_index:
                nodes = (first[index] if index < len(first) else others for first, others in described)
                by_index[index] = self.compile(filter(None, nodes))
            return by_index[index]

        def convert(value: list[Any]) -> list[Any]:
            return [
                _at(index, converter, item) if (converter := compiled(min(index, longest))) else item
                for index, item in enumerate(value)
            ]

        return convert

    def _choices(self, node: Node[Any]) -> list[_Choice]:
        """Return the choices of a schema in which some branch has conversions."""
        if node.key not in self._chosen:
            unions = [[*node.inside((keyword,))] for keyword in UNIONS]
            choices = [self._union(branches) for branches in unions if any(map(self._converts, branches))]
            condition, branches = node.get("if"), [node.get("then"), node.get("else")]
            if condition and any(map(self._converts, branches)):
                choices.append(_condition(condition, *branches))
            for keyword in DEPENDENT:
                for name, child in node.children(keyword):
                    if self._converts(child):
                        choices.append(_where(name, child))
            self._chosen[node.key] = choices
        return self._chosen[node.key]

    def _union(self, branches: Sequence[Node[Any]]) -> _Choice:
        """Return the choice of a branch by a value's type, and among several for objects or arrays the first that accepts it."""
        of_string = [branch for branch in branches if accepts(branch, "string")]
        of_object = [branch for branch in branches if accepts(branch, "object")]
        of_array = [branch for branch in branches if accepts(branch, "array")]
        is_whole = not any(accepts(branch, "number") for branch in branches)
        tests: dict[object, Callable[[object], bool]] = {}

        def is_valid(branch: Node[Any], value: object) -> bool:
            if branch.key not in tests:
                tests[branch.key] = branch.document.validator(branch).is_valid
            return tests[branch.key](value)

        def choose(value: Any) -> Iterable[Node[Any]]:
            if isinstance(value, str):
                return of_string if len(of_string) == 1 else ()
            if not isinstance(value, (dict, list)):
                return branches if is_whole else ()
            candidates = of_object if isinstance(value, dict) else of_array
            if len(candidates) < 2 or not any(map(self._converts, candidates)):
                return candidates
            return itertools.islice((branch for branch in candidates if is_valid(branch, value)), 1)

        return choose

    def _converts(self, node: Node[Any] | None) -> bool:
        """Whether a schema or one inside it describes values to convert."""
        if node is None or not isinstance(node.schema, dict):
            return False
        if node.key not in self._converting:
            todo, holders = [node], dict[object, list[object]]({node.key: []})
            converting: dict[object, None] = {}
            for inner in todo:
                known = self._converting.get(inner.key)
                if known or _is_whole(inner) or (self._formats and format_type(inner.keywords)):
                    converting[inner.key] = None
                if known is not None:
                    continue
                for each in itertools.chain(inner.based_on(), inner.inside(DESCRIBING)):
                    if isinstance(each.schema, dict):
                        if each.key not in holders:
                            holders[each.key] = []
                            todo.append(each)
                        holders[each.key].append(inner.key)
            keys = [*converting]
            for key in keys:
                keys += (holder for holder in holders[key] if holder not in converting)
                converting.update(dict.fromkeys(holders[key]))
            self._converting.update((key, key in converting) for key in holders)
        return self._converting[node.key]


_Choice = Callable[[Any], Iterable[Node[Any]]]
_UNKNOWN: Any = object()  # two looks into the dict could have another thread between them
_MANY = 1_000  # converters for combinations of branches, which hostile events may vary endlessly


def _kept(
    converters: dict[tuple[object, ...], Converter | None],
    key: tuple[object, ...],
    compiled: Callable[[], Converter | None],
) -> Converter | None:
    """Return a converter that is compiled already, or compile and keep it."""
    converter: Converter | None = converters.get(key, _UNKNOWN)
    if converter is _UNKNOWN:
        if len(converters) >= _MANY:
            converters.clear()
        converters[key] = converter = compiled()
    return converter


def _condition(condition: Node[Any], on_then: Node[Any] | None, on_else: Node[Any] | None) -> _Choice:
    """Return the choice between `then` and `else`."""
    holds = condition.document.validator(condition).is_valid
    return lambda value: filter(None, [on_then if holds(value) else on_else])


def _where(name: str, node: Node[Any]) -> _Choice:
    """Return the choice of the schema of objects that have a property."""
    return lambda value: [node] if isinstance(value, dict) and name in value else ()


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


def _at(key: str | int, convert: Converter, value: Any) -> Any:
    try:
        return convert(value)
    except Unconvertible as error:
        error.path.insert(0, key)
        raise
