"""Undeclared properties of objects inside a payload: `fire()` refuses them, a listener does not get them.

An object is closed for a producer if its schema declares properties and does not mention others, whichever
branch of a choice it takes. A schema is compiled once into a function that visits only objects that may
have undeclared properties; if there are none, there is no function.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from lightbus.schema.language.keywords import CLOSING, Path
from lightbus.schema.language.node import Node
from lightbus.schema.language.validation import pattern_matches


class Undeclared(NamedTuple):
    """A property that no schema declares.

    Attributes:
        path: keys and indexes that lead to it.
        declared: the names that its object's schema declares.
    """

    path: Path
    declared: Sequence[str]


Finder = Callable[[Any], Iterable[Undeclared]]
_Compilation = Generator[Sequence[Node[Any]], "Finder | None", "Finder | None"]
"""Yields the schemas of a value inside, and is sent the search through it."""


def undeclared(payload: Node[Any]) -> Finder | None:
    """Compile the search through the values inside a payload, but not the payload's own properties.

    Returns:
        A function of a valid JSON value, or None if it cannot have undeclared properties.
    """
    return _UndeclaredSearch().compile((payload,), is_payload=True)


_EAGERLY = 1_000  # recursive schemas may combine in exponentially many ways, of which values need few


class _UndeclaredSearch:
    def __init__(self) -> None:
        self._compiled: dict[tuple[object, ...], Finder | None] = {}

    def compile(self, nodes: Sequence[Node[Any]], *, is_payload: bool = False) -> Finder | None:
        """Compile the search through values that satisfy all of some schemas."""
        return _run(self._compile(nodes, is_payload), self._compile)

    def _compile(self, nodes: Sequence[Node[Any]], is_payload: bool = False) -> _Compilation:
        parts = list(together(nodes))
        if not parts:
            return None
        key = tuple(part.key for part in parts)
        if key in self._compiled:
            return self._compiled[key]
        if len(self._compiled) >= _EAGERLY:
            return self._later(parts, is_payload)
        compiled: Finder | None = None

        def later(value: Any) -> Iterable[Undeclared]:  # for values inside that have the same schemas
            return compiled(value) if compiled else ()

        self._compiled[key] = later
        compiled = self._compiled[key] = yield from self._finder(parts, is_payload)
        return compiled

    def _finder(self, parts: Sequence[Node[Any]], is_payload: bool) -> _Compilation:
        in_object = yield from self._object(parts, is_payload)
        in_array = yield from self._array(parts)

        def find(value: Any) -> Iterable[Undeclared]:
            if in_object and isinstance(value, dict):
                return in_object(value)
            return in_array(value) if in_array and isinstance(value, list) else ()

        return find if in_object or in_array else None

    def _later(self, parts: Sequence[Node[Any]], is_payload: bool) -> Finder:
        """Return a search that is compiled for each value, and not kept."""

        def find(value: Any) -> Iterable[Undeclared]:
            if not isinstance(value, (dict, list)):
                return ()
            finder = _run(self._finder(parts, is_payload), self._compile)
            return finder(value) if finder else ()

        return find

    def _object(self, parts: Sequence[Node[Any]], is_payload: bool) -> _Compilation:
        declared: dict[str, list[Node[Any]]] = {}
        for part in parts:
            for name, child in part.children("properties"):
                declared.setdefault(name, []).append(child)
        patterns = [pair for part in parts for pair in part.children("patternProperties")]
        further = [node for part in parts for node in part.inside(CLOSING)]
        is_open = any(node.schema is not False for node in further)
        declares = any(part.has("properties") for part in parts)
        is_closed = declares and not is_open and not is_payload
        names = dict.fromkeys([*declared, *(name for part in parts for name in part.mentioned())])
        finders = {}
        for name, nodes in declared.items():
            matching = [node for pattern, node in patterns if pattern_matches(pattern, name)]
            if finder := (yield [*nodes, *matching]):
                finders[name] = finder
        by_pattern = []
        for pattern, node in patterns:
            by_pattern.append((pattern, (yield [node])))
        rest = yield further
        if not (is_closed or finders or rest or any(finder for _, finder in by_pattern)):
            return None

        def find(value: dict[str, Any]) -> Iterator[Undeclared]:
            for name, item in value.items():
                finder: Finder | None
                if name in names:
                    finder = finders.get(name)
                else:
                    matching = [inner for pattern, inner in by_pattern if pattern_matches(pattern, name)]
                    if is_closed and not matching:
                        yield Undeclared((name,), tuple(names))
                        continue
                    finder = next(iter(matching), rest)
                if finder:
                    yield from _below(name, finder(item))

        return find

    def _array(self, parts: Sequence[Node[Any]]) -> _Compilation:
        described = [part.items() for part in parts]
        longest = max(len(first) for first, _ in described)
        finders = []
        for index in range(longest + 1):  # the last finder is for all further items
            nodes = (first[index] if index < len(first) else further for first, further in described)
            finders.append((yield [node for node in nodes if node]))
        if not any(finders):
            return None

        def find(value: list[Any]) -> Iterator[Undeclared]:
            for index, item in enumerate(value):
                if finder := finders[min(index, longest)]:
                    yield from _below(index, finder(item))

        return find


def _run(
    compilation: _Compilation, compile_inner: Callable[[Sequence[Node[Any]]], _Compilation]
) -> Finder | None:
    """Run a compilation; the pending ones are a list, since a long chain of schemas would fill Python's stack."""
    pending, finder = [compilation], None
    while pending:
        try:
            pending.append(compile_inner(pending[-1].send(finder)))
            finder = None
        except StopIteration as end:
            finder = end.value
            pending.pop()
    return finder


def _below(key: str | int, inner: Iterable[Undeclared]) -> Iterator[Undeclared]:
    return (Undeclared((key, *path), declared) for path, declared in inner)


def together(nodes: Iterable[Node[Any]]) -> Iterator[Node[Any]]:
    """Yield all schemas that may describe a value: the nodes, their references, and every branch."""
    todo, seen = list(nodes), set[object]()
    for node in todo:
        if not isinstance(node.schema, dict) or node.key in seen:
            continue
        seen.add(node.key)
        yield node
        todo += node.based_on()
        todo += [branch for _, branches in node.choices() for branch in branches if branch]
        todo += node.inside(("if",))
