"""Resolution of `$ref`s between schema files. Always offline: only loaded files can be referred to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias
from urllib.parse import unquote, urldefrag

from lightbus.schema.language.keywords import ANCHORS, APPLYING, DIALECT, DRAFTS, REFERENCES, subschemas
from lightbus.schema.language.node import Node as AnyNode
from lightbus_gen.read.files import SchemaFile, join
from lightbus_gen.read.positions import JsonPath

Node: TypeAlias = AnyNode[SchemaFile]
"""A schema and its location in a file."""


class Unresolvable(Exception):
    """A `$ref` does not resolve; the message says why.

    Attributes:
        fix: what to do about it.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        self.fix = fix or (
            "correct it, or put the file it means below the schemas folder (in a folder beginning"
            ' with "_" if it only holds types)'
        )
        super().__init__(message)


class Library:
    """All loaded files, with the resolution of references between them."""

    def __init__(self, files: Iterable[SchemaFile]) -> None:
        self._files = tuple(file for file in files if isinstance(file.value, (dict, bool)))
        self._by_path = {file.uri: file for file in self._files}
        self._by_id: dict[str, list[Node]] = {}
        self._anchors: dict[tuple[str, str, str], Node] = {}
        self._dynamic: Counter[str] = Counter()
        self._references: dict[str, tuple[tuple[Node, str], ...]] = {}
        self._roots: dict[str, Node] = {}
        self._resolved: dict[tuple[str, SchemaFile, str], Node] = {}
        for file in self._files:
            self._index(file)

    def node(self, file: SchemaFile, path: JsonPath) -> Node:
        """Return the schema at a path of a file."""
        if file.path not in self._roots:
            self._roots[file.path] = AnyNode(file.value, file, (), file.canonical_uri, self)
        return self._roots[file.path].child(*path) if path else self._roots[file.path]

    def references(self, file: SchemaFile) -> tuple[tuple[Node, str], ...]:
        """Return (schema, keyword) of each reference in a file."""
        if file.path not in self._references:
            self._references[file.path] = tuple(
                (self.node(file, path), keyword)
                for path, schema in subschemas(file.value)
                if not REFERENCES.isdisjoint(schema)
                for keyword in sorted(REFERENCES.intersection(schema))
                if isinstance(schema[keyword], str)
            )
        return self._references[file.path]

    def applying(self, file: SchemaFile) -> Iterator[Node]:
        """Yield each schema of a file that applies others to the same value."""
        for path, schema in subschemas(file.value):
            if not APPLYING.isdisjoint(schema):
                yield self.node(file, path)

    def find(self, node: Node, reference: str) -> Node | None:
        """Return the schema that a reference in `node` names, or None if no loaded file has it."""
        try:
            return self.resolve(node, reference)
        except Unresolvable:
            return None

    def is_ambiguous(self, anchor: str) -> bool:
        """Whether several schemas have a dynamic anchor."""
        return self._dynamic[anchor] > 1

    def resolve(self, node: Node, ref: str) -> Node:
        """Return the schema that a reference in `node` names.

        It is relative to the nearest `$id`, or else to the file's own path. The metaschema of draft 2020-12,
        which validators provide, counts as a schema that accepts anything.

        Raises:
            Unresolvable: no loaded file has it.
        """
        key = node.base, node.document, ref
        if key not in self._resolved:
            target = self._resolve(node, ref)
            if target.schema is True and target.path[-1:] == (
                "$ref",
            ):  # located at this node, not for others
                return target
            self._resolved[key] = target
        return self._resolved[key]

    def _resolve(self, node: Node, ref: str) -> Node:
        uri, fragment = urldefrag(ref)
        problem: Unresolvable | None = None
        for base in dict.fromkeys((node.base, node.document.uri)):
            absolute = join(base, uri) if uri else base
            if absolute == DIALECT:
                return node.instead(True, "$ref")
            try:
                resource = self.resource(absolute, node.document)
                target = resource and self.inside(resource, fragment, node.document)
            except Unresolvable as error:
                problem = problem or error
                continue
            if target:
                return target
        raise problem or Unresolvable(f"{ref!r} is in none of the loaded files (nothing is ever fetched)")

    def resource(self, uri: str, near: SchemaFile) -> Node | None:
        """Return the schema with a URI, preferably one in the file `near`, or None.

        Raises:
            Unresolvable: several different schemas have the URI.
        """
        if f"{uri}#" in DRAFTS and uri not in self._by_id:
            self._index(_metaschema(f"{uri}#"))
        candidates = self._by_id.get(uri, ())
        if not candidates:
            file = self._by_path.get(uri)
            return self.node(file, ()) if file else None
        if own := next((node for node in candidates if node.document is near), None):
            return own
        if any(node.schema != candidates[0].schema for node in candidates):
            shown = " and ".join(node.document.shown for node in candidates)
            fix = "leave all but one of them out, or give each an $id of its own"
            raise Unresolvable(f"{uri!r} is the $id of {shown}", fix)
        return candidates[0]

    def inside(self, resource: Node, fragment: str, near: SchemaFile) -> Node | None:
        """Return the schema that a fragment names, a JSON Pointer or an anchor; None for an unknown anchor.

        Raises:
            Unresolvable: the pointer does not resolve.
        """
        fragment = unquote(fragment)
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((resource.document.path, resource.base, fragment))
        node = resource.at(fragment)
        if node is None:
            where = "this file" if resource.document is near else resource.document.shown
            raise Unresolvable(f"'#{fragment}' is not in {where}")
        return node

    def _index(self, file: SchemaFile) -> None:
        """Index the schemas of a file that have a URI or an anchor of their own."""
        root = self.node(file, ())
        if file.has_own_id:
            self._by_id.setdefault(root.base, []).append(root)
        if file.text.count(f'"{file.draft.id_keyword}"') < 2 and not any(
            f'"{anchor}"' in file.text for anchor in ANCHORS
        ):
            return
        for path, schema in subschemas(file.value):
            node = root.child(*path)
            identifier = file.id_of(schema)
            if identifier.startswith("#"):
                self._anchors[file.path, node.base, identifier[1:]] = node
            elif identifier and node.path:
                self._by_id.setdefault(node.base, []).append(node)
            for anchor in ANCHORS:
                name = schema.get(anchor)
                if isinstance(name, str):
                    self._anchors[file.path, node.base, name] = node
                if name and anchor != "$anchor":
                    self._dynamic[str(name)] += 1


def _metaschema(dialect: str) -> SchemaFile:
    """Return the metaschema of an old draft as a file; schemas of values that are schemas refer to it."""
    from jsonschema.validators import validator_for

    path = f"_json-schema/{dialect.split('/')[-2]}.json"
    value = validator_for({"$schema": dialect}).META_SCHEMA
    return SchemaFile(path, path, path, json.dumps(value, indent=2) + "\n", value, dialect=dialect)


def lone(name: str, schema: dict[str, Any]) -> Node:
    """Return a schema without references that is in no file, under a name of its own."""
    file = SchemaFile(name, "", "", "", schema)
    return Library((file,)).node(file, ())
