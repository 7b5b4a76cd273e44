"""Schemas and what their `$ref`s mean. Always offline: only files that were loaded can be referred to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import unquote, urldefrag

from lightbus.schema.language.keywords import DIALECT, DRAFTS, REFERENCES, subschemas
from lightbus.schema.language.node import Node as AnyNode
from lightbus_gen.read.files import Report, SchemaFile, join
from lightbus_gen.read.positions import JsonPath

Node: TypeAlias = AnyNode[SchemaFile]
"""A schema in its place in a file."""


class Unresolvable(Exception):
    """A `$ref` leads nowhere; the text says why.

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
    """All loaded files, and the way between them.

    Args:
        files: the files `$ref`s may lead to.
    """

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

    def find(self, node: Node, reference: str) -> Node | None:
        """Return the schema that a reference standing in `node` means, None where no loaded file has it."""
        try:
            return self.resolve(node, reference)
        except Unresolvable:
            return None

    def is_ambiguous(self, anchor: str) -> bool:
        """Whether several schemas have a dynamic anchor."""
        return self._dynamic[anchor] > 1

    def resolve(self, node: Node, ref: str) -> Node:
        """Return the schema that a reference standing in `node` means.

        Relative to the nearest `$id` first, and to the file's own path otherwise. The schema of draft 2020-12,
        which validators bring along, counts as one that accepts anything.

        Raises:
            Unresolvable: no loaded file has it.
        """
        key = node.base, node.document, ref
        if key not in self._resolved:
            found = self._resolve(node, ref)
            if found.schema is True and found.path[-1:] == ("$ref",):  # it stands at this very node
                return found
            self._resolved[key] = found
        return self._resolved[key]

    def _resolve(self, node: Node, ref: str) -> Node:
        uri, fragment = urldefrag(ref)
        problem: Unresolvable | None = None
        for base in dict.fromkeys((node.base, node.document.uri)):
            wanted = join(base, uri) if uri else base
            if wanted == DIALECT:
                return node.instead(True, "$ref")
            try:
                resource = self.resource(wanted, node.document)
                found = resource and self.inside(resource, fragment, node.document)
            except Unresolvable as error:
                problem = problem or error
                continue
            if found:
                return found
        raise problem or Unresolvable(f"{ref!r} is in none of the loaded files (nothing is ever fetched)")

    def resource(self, uri: str, near: SchemaFile) -> Node | None:
        """Return the schema that has a URI, best the one in the same file; None where there is none.

        Raises:
            Unresolvable: several different ones have it.
        """
        if f"{uri}#" in DRAFTS and uri not in self._by_id:
            self._index(_metaschema(f"{uri}#"))
        found = self._by_id.get(uri, ())
        own = [node for node in found if node.document is near]
        if own:
            return own[0]
        if not found:
            file = self._by_path.get(uri)
            return self.node(file, ()) if file else None
        if any(node.schema != found[0].schema for node in found):
            shown = " and ".join(node.document.shown for node in found)
            fix = "leave all but one of them out, or give each an $id of its own"
            raise Unresolvable(f"{uri!r} is the $id of {shown}", fix)
        return found[0]

    def inside(self, resource: Node, fragment: str, near: SchemaFile) -> Node | None:
        """Return what a fragment means, a JSON Pointer or an anchor; None for an anchor that is not there.

        Raises:
            Unresolvable: the pointer leads nowhere.
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
        """Note everything in a file that has a URI of its own."""
        root = self.node(file, ())
        if file.has_own_id:
            self._by_id.setdefault(root.base, []).append(root)
        anchors = ("$anchor", "$dynamicAnchor", "$recursiveAnchor")
        if file.text.count(f'"{file.draft.id_keyword}"') < 2 and not any(
            f'"{anchor}"' in file.text for anchor in anchors
        ):
            return
        for path, schema in subschemas(file.value):
            node = root.child(*path)
            identifier = file.id_of(schema)
            if identifier.startswith("#"):
                self._anchors[file.path, node.base, identifier[1:]] = node
            elif identifier and node.path:
                self._by_id.setdefault(node.base, []).append(node)
            for anchor in anchors:
                name = schema.get(anchor)
                if isinstance(name, str):
                    self._anchors[file.path, node.base, name] = node
                if name and anchor != "$anchor":
                    self._dynamic[str(name)] += 1


def _metaschema(dialect: str) -> SchemaFile:
    """Return the schema of an old draft's schemas as a file, which schemas refer to that hold schemas."""
    from jsonschema.validators import validator_for

    path = f"_json-schema/{dialect.split('/')[-2]}.json"
    value = validator_for({"$schema": dialect}).META_SCHEMA
    return SchemaFile(path, path, path, json.dumps(value, indent=2) + "\n", value, dialect=dialect)


def lone(name: str, schema: dict[str, Any]) -> Node:
    """Return a schema that no file holds and that refers to nothing, by a name of its own."""
    file = SchemaFile(name, "", "", "", schema)
    return Library((file,)).node(file, ())


def check_references(library: Library, file: SchemaFile, report: Report) -> None:
    """Report every reference of a file that leads nowhere."""
    for node, keyword in library.references(file):
        try:
            target = library.resolve(node, node.schema[keyword])
        except Unresolvable as error:
            wanted = {join(base, node.schema[keyword]) for base in (file.uri, node.base)}
            if any(report.may_hold(uri) for uri in wanted if uri):
                continue
            message, fix = f"the {keyword} {error}", error.fix
        else:
            if isinstance(target.schema, (dict, bool)):
                continue
            message = f"the {keyword} {node.schema[keyword]!r} leads to something that is no schema"
            fix = "refer to a schema"
        report.add(file, (*node.path, keyword), "UNRESOLVED_REF", message, fix)
