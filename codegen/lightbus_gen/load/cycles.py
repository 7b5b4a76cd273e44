"""Schemas that lead back to themselves without going into the value: no value could ever be checked against them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lightbus_gen.load.references import Library, Node
from lightbus_gen.read.files import Report, SchemaFile


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
                for closing in _closing(node, done):
                    report.add(
                        closing.document,
                        (*closing.path, "$ref"),
                        "ENDLESS_REF",
                        f"the $ref {closing.schema['$ref']!r} leads back to itself, and never into the value",
                        "refer to itself from inside `properties` or `items` only",
                    )


def _closing(start: Node, done: set[object]) -> Iterator[Node]:
    """Walk depth first, and yield the schemas whose `$ref` leads to one that the walk is still in."""
    here = {start.key}
    stack = [(start, start.applied())]
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
            stack.append((inner, inner.applied()))
