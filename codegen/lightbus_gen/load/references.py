"""Schemas and what their `$ref`s mean. Always offline: only files that were loaded can be referred to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from lightbus.schema.python.from_api import DIALECT
from lightbus_gen.load.subschemas import subschemas
from lightbus_gen.read.files import OLD_DIALECTS, Report, SchemaFile
from lightbus_gen.read.positions import JsonPath

REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
ROOT = "file:///"
"""What the `$id` of a file is relative to, so that `$id`s mean the same wherever the files stand."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A schema in its place.

    Attributes:
        schema: the JSON value, a dict or boolean where the file is valid.
        file, path: where it stands.
        base: the absolute URI that `$ref`s are relative to.
    """

    schema: Any
    file: SchemaFile
    path: JsonPath
    base: str

    @property
    def hides_siblings(self) -> bool:
        """Whether a `$ref` here makes all other keywords void."""
        return self.file.dialect in OLD_DIALECTS

    @property
    def key(self) -> tuple[str, JsonPath]:
        """What tells it from every other schema."""
        return self.file.path, self.path

    def child(self, *steps: str | int) -> Node:
        """Return the schema some steps inside."""
        schema, base = self.schema, self.base
        for step in steps:
            schema = schema[step]
            if self.file.has_ids:
                base = _base(schema, self.file, base)
        return Node(schema, self.file, (*self.path, *steps), base)


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
            self._roots[file.path] = Node(file.value, file, (), self.canonical_uri(file))
        return self._roots[file.path].child(*path) if path else self._roots[file.path]

    def canonical_uri(self, file: SchemaFile) -> str:
        """Return the absolute URI of a file: its `$id`, else its path as a `file:` URI."""
        return _base(file.value, file, ROOT) if root_id(file) else file.uri

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

    def target(self, node: Node) -> Node | None:
        """Return the schema that `$ref` means; None without one.

        Raises:
            Unresolvable: no loaded file has it.
        """
        ref = node.schema.get("$ref")
        return self.resolve(node, ref) if isinstance(ref, str) else None

    def dynamic_target(self, node: Node) -> Node | None:
        """Return the schema that `$dynamicRef` or `$recursiveRef` means, whoever refers to this one.

        None where there is no such keyword, and where the target depends on the way here.

        Raises:
            Unresolvable: no loaded file has it.
        """
        for keyword, anchor in (("$dynamicRef", "$dynamicAnchor"), ("$recursiveRef", "$recursiveAnchor")):
            ref = node.schema.get(keyword)
            if isinstance(ref, str):
                found = self.resolve(node, ref)
                name = found.schema.get(anchor) if isinstance(found.schema, dict) else None
                return found if not name or self._dynamic[str(name)] == 1 else None
        return None

    def resolve(self, node: Node, ref: str) -> Node:
        """Return the schema that a reference standing in `node` means.

        Relative to the nearest `$id` first, and to the file's own path otherwise. The schema of draft 2020-12,
        which validators bring along, counts as one that accepts anything.

        Raises:
            Unresolvable: no loaded file has it.
        """
        key = node.base, node.file, ref
        if key not in self._resolved:
            found = self._resolve(node, ref)
            if found.schema is True and found.path[-1:] == ("$ref",):  # it stands at this very node
                return found
            self._resolved[key] = found
        return self._resolved[key]

    def _resolve(self, node: Node, ref: str) -> Node:
        uri, fragment = urldefrag(ref)
        problem: Unresolvable | None = None
        for base in dict.fromkeys((node.base, node.file.uri)):
            wanted = join(base, uri) if uri else base
            if wanted == DIALECT:
                return Node(True, node.file, (*node.path, "$ref"), node.base)
            try:
                resource = self.resource(wanted, node.file)
                found = resource and self.inside(resource, fragment, node.file)
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
        if f"{uri}#" in OLD_DIALECTS and uri not in self._by_id:
            self._index(_metaschema(f"{uri}#"))
        found = self._by_id.get(uri, ())
        own = [node for node in found if node.file is near]
        if own:
            return own[0]
        if not found:
            file = self._by_path.get(uri)
            return self.node(file, ()) if file else None
        if any(node.schema != found[0].schema for node in found):
            shown = " and ".join(node.file.shown for node in found)
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
            return self._anchors.get((resource.file.path, resource.base, fragment))
        found = resource
        for token in fragment.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            try:
                found = found.child(int(name) if isinstance(found.schema, list) else name)
            except (ValueError, LookupError, TypeError):
                where = "this file" if resource.file is near else resource.file.shown
                raise Unresolvable(f"'#{fragment}' is not in {where}") from None
        return found

    def _index(self, file: SchemaFile) -> None:
        """Note everything in a file that has a URI of its own."""
        root = self.node(file, ())
        if root_id(file):
            self._by_id.setdefault(root.base, []).append(root)
        keyword = file.id_keyword
        anchors = ("$anchor", "$dynamicAnchor", "$recursiveAnchor")
        if file.text.count(f'"{keyword}"') < 2 and not any(f'"{anchor}"' in file.text for anchor in anchors):
            return
        for path, schema in subschemas(file.value):
            node = root.child(*path)
            given = _own_id(schema, file)
            if given.startswith("#"):
                self._anchors[file.path, node.base, given[1:]] = node
            elif given and node.path:
                self._by_id.setdefault(node.base, []).append(node)
            for anchor in anchors:
                name = schema.get(anchor)
                if isinstance(name, str):
                    self._anchors[file.path, node.base, name] = node
                if name and anchor != "$anchor":
                    self._dynamic[str(name)] += 1


def join(base: str, reference: str) -> str:
    """Make a reference absolute, without its fragment; "" for one that is no URI reference."""
    try:
        return urldefrag(urljoin(base, reference)).url
    except ValueError:
        return ""


def _metaschema(dialect: str) -> SchemaFile:
    """Return the schema of an old draft's schemas as a file, which schemas refer to that hold schemas."""
    from jsonschema.validators import validator_for

    path = f"_json-schema/{dialect.split('/')[-2]}.json"
    value = validator_for({"$schema": dialect}).META_SCHEMA
    return SchemaFile(path, path, path, json.dumps(value, indent=2) + "\n", value, dialect=dialect)


def root_id(file: SchemaFile) -> str:
    """Return the URI a file gives itself, "" for none."""
    given = _own_id(file.value, file)
    return "" if given.startswith("#") else given


def _own_id(schema: Any, file: SchemaFile) -> str:
    if not isinstance(schema, dict):
        return ""
    if "$ref" in schema and file.dialect in OLD_DIALECTS and schema is not file.value:
        return ""  # hidden, as everything beside a $ref
    given = schema.get(file.id_keyword)
    return given if isinstance(given, str) else ""


def _base(schema: Any, file: SchemaFile, outer: str) -> str:
    """Return the base URI inside a schema, which may have an `$id`."""
    given = _own_id(schema, file)
    return (join(outer, given) or outer) if given and not given.startswith("#") else outer


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
