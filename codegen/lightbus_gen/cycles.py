"""Schemas that lead back to themselves without going into the value: no value could ever be checked against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightbus_gen.files import Report, SchemaFile
from lightbus_gen.references import Library, Node, references

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_NAMED = ("dependentSchemas", "dependencies")


def check_cycles(library: Library, files: Iterable[SchemaFile], report: Report) -> None:
    """Report every `$ref` that closes such a circle; all of them must resolve.

    Args:
        library: resolves the `$ref`s.
        files: the files to look at.
        report: takes the problems found.
    """
    done: set[object] = set()
    for file in files:
        for node, keyword in references(library, library.node(file, ())):
            if keyword == "$ref" and node.key not in done:
                for closing in _closing(library, node, done):
                    report.add(
                        closing.file,
                        (*closing.path, "$ref"),
                        "ENDLESS_REF",
                        f"the $ref {closing.schema['$ref']!r} leads back to itself, and never into the value",
                        "refer to itself from inside `properties` or `items` only",
                    )


def _closing(library: Library, start: Node, done: set[object]) -> Iterator[Node]:
    """Walk depth first, and yield the schemas whose `$ref` leads to one that the walk is still in."""
    here = {start.key}
    stack = [(start, _applied(library, start))]
    while stack:
        node, applied = stack[-1]
        inner = next(applied, None)
        if inner is None:
            stack.pop()
            here.discard(node.key)
            done.add(node.key)
        elif inner.key in here:
            yield next(way for way, _ in reversed(stack) if "$ref" in way.schema)
        elif inner.key not in done and isinstance(inner.schema, dict):
            here.add(inner.key)
            stack.append((inner, _applied(library, inner)))


def _applied(library: Library, node: Node) -> Iterator[Node]:
    """Yield the schemas that a value must be checked against for it to be checked against this one."""
    schema = node.schema
    if isinstance(schema.get("$ref"), str):
        yield library.resolve(node, schema["$ref"])
        if node.hides_siblings:
            return
    for keyword in _LISTS:
        yield from (library.child(node, keyword, index) for index in range(len(schema.get(keyword, ()))))
    yield from (library.child(node, keyword) for keyword in _SINGLE if keyword in schema)
    for keyword in _NAMED:
        yield from (library.child(node, keyword, name) for name in schema.get(keyword, ()))
