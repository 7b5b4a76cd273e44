"""Schemas that lead back to themselves without going into the value: no value could ever be checked against them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from lightbus_gen.load.references import Library, Node, Unresolvable
from lightbus_gen.read.files import Report, SchemaFile

_LISTS = ("allOf", "anyOf", "oneOf")
_SINGLE = ("not", "if", "then", "else")
_NAMED = ("dependentSchemas", "dependencies")


def check_cycles(library: Library, files: Iterable[SchemaFile], report: Report) -> None:
    """Report every `$ref` that closes such a circle.

    Args:
        library: resolves the `$ref`s.
        files: the files to look at.
        report: takes the problems found.
    """
    done: set[object] = set()
    for file in files:
        for node, keyword in library.references(file):
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
    with contextlib.suppress(Unresolvable):  # which is reported already
        if target := library.target(node):
            yield target
            if node.hides_siblings:
                return
    for keyword in _LISTS:
        if isinstance(schema.get(keyword), list):
            yield from (node.child(keyword, index) for index in range(len(schema[keyword])))
    yield from (node.child(keyword) for keyword in _SINGLE if keyword in schema)
    for keyword in _NAMED:
        if isinstance(schema.get(keyword), dict):
            yield from (node.child(keyword, name) for name in schema[keyword])
