"""A JSON document of schemas, and the resolution of `$ref` in it."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from lightbus.errors import SchemaError
from lightbus.schema.language.keywords import (
    ANCHORS,
    APPLYING,
    DIALECT,
    DRAFTS,
    draft_of,
    subschemas,
)
from lightbus.schema.language.node import MAX_CHAIN, Node, long_chain
from lightbus.schema.language.openness import open_schema
from lightbus.schema.language.pattern_bounds import bounded
from lightbus.schema.language.validation import validator
from lightbus.schema.language.ways import crowded

_ROOT = "json-schema:///lightbus"
_SCOPE = "json-schema:///lightbus-scope"


class Document:
    """A JSON Schema document, which may embed others by `$id` (a compound document).

    Args:
        schema: the document; must not change afterwards.
        source: where it comes from, for messages.

    Attributes:
        draft: the version of JSON Schema it is written in.
        uri: its absolute URI.
    """

    def __init__(self, schema: dict[str, Any], source: str) -> None:
        self.schema, self.source = schema, source
        self.draft = draft_of(str(schema.get("$schema"))) or DRAFTS[DIALECT]
        try:
            self.registry = jsonschema_rs.Registry([(_ROOT, bounded(schema))])
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(_problem(str(error)), source=source) from None
        self.uri = self.base_inside(schema, _ROOT)

    @cached_property
    def root(self) -> Node[Document]:
        """The whole document."""
        return Node(self.schema, self, (), self.uri, self)

    @cached_property
    def opened(self) -> Document:
        """The document with undeclared properties allowed."""
        return Document(open_schema(self.schema), self.source)

    @cached_property
    def long_chain(self) -> Node[Document] | None:
        """A schema from which too many in a row apply to the same value, or None."""
        nodes = self._applying
        return long_chain(nodes) if len(nodes) >= MAX_CHAIN else None

    @cached_property
    def crowded(self) -> Node[Document] | None:
        """A schema by which too many are checked against one part of a value, or None."""
        return crowded(self._applying)

    @cached_property
    def _applying(self) -> list[Node[Document]]:
        """Every schema that applies others to the same value."""
        paths = (path for path, schema in subschemas(self.schema) if not APPLYING.isdisjoint(schema))
        return [self.root.child(*path) for path in paths]

    def at(self, pointer: str) -> Node[Document]:
        """Return the schema at a JSON Pointer, which must exist."""
        node = self.root.at(pointer)
        assert node is not None, pointer
        return node

    def validator(self, node: Node[Document], scope: DynamicScope = ()) -> jsonschema_rs.Validator:
        """Compile the validator of one schema.

        Args:
            node: the schema.
            scope: the dynamic scope it is applied in; by default it is applied on its own.

        Raises:
            SchemaError: the schema is invalid or a `$ref` does not resolve.
        """
        schema = self._in_scope(node, scope) if scope else {"$ref": node.uri}
        try:
            return validator(schema, registry=self.registry)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(_problem(error.message), source=self.source, pointer=node.pointer) from None

    def find(self, node: Node[Document], reference: str) -> Node[Document] | None:
        """Return the schema that a reference in `node` names, or None if it is not in the document."""
        target, _, fragment = reference.partition("#")
        uri = self._absolute(node.base, target) if target else node.base
        # the uri is nearly always the document's own, and then no index is built
        resource = self.root if uri == self.uri else self._resources.get(uri) if uri else None
        if resource is None:
            return None
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((resource.base, unquote(fragment)))
        return resource.at(unquote(fragment))

    def is_ambiguous(self, anchor: str) -> bool:
        """Whether several schemas have a dynamic anchor."""
        return any(anchor in anchors for anchors in self._ambiguous.values())

    def enter(self, node: Node[Document], scope: DynamicScope) -> DynamicScope:
        """Return the dynamic scope inside a schema: the outermost document with a dynamic anchor binds it."""
        anchors = self._ambiguous.get(node.base)
        if not anchors:
            return scope
        bound = dict(scope)
        return (*scope, *(pair for pair in anchors.items() if pair[0] not in bound))

    def base_inside(self, schema: object, outer: str) -> str:
        """Return the URI that references inside a schema are relative to."""
        identifier = schema.get(self.draft.id_keyword) if isinstance(schema, dict) else None
        if not isinstance(identifier, str) or identifier.startswith("#"):
            return outer
        return self._absolute(outer, identifier.removesuffix("#")) or outer

    def _in_scope(self, node: Node[Document], scope: DynamicScope) -> dict[str, Any]:
        """Return a schema that applies another one below a document that binds the anchors of a scope."""
        definitions: dict[str, Any] = {"start": {"$ref": node.uri}}
        outermost: dict[str, Any] = {"$schema": self.draft.uri, "$id": _SCOPE, "$defs": definitions}
        for number, (anchor, target) in enumerate(scope):
            if target.schema.get("$dynamicAnchor") == anchor:
                definitions[f"anchor{number}"] = {"$dynamicAnchor": anchor, "$ref": target.uri}
            else:
                outermost |= {"$recursiveAnchor": True, "$ref": target.uri}
        start = f"{_SCOPE}#/$defs/start"
        return {"$schema": self.draft.uri, "$ref": start, "$defs": {"scope": outermost}}

    def _absolute(self, base: str, reference: str) -> str | None:
        try:
            return self.registry.resolver(base).lookup(reference).resolver.base_uri
        except jsonschema_rs.ReferencingError:
            return None

    @cached_property
    def _resources(self) -> dict[str, Node[Document]]:
        """The document and those embedded in it, by absolute URI."""
        resources = {self.uri: self.root}
        for node in self._all:
            resources.setdefault(node.base, node)
        return resources

    @cached_property
    def _anchors(self) -> dict[tuple[str, str], Node[Document]]:
        anchors = {}
        for node in self._all:
            identifier = node.schema.get(self.draft.id_keyword)
            if isinstance(identifier, str) and identifier.startswith("#"):
                anchors[node.base, identifier[1:]] = node
            for keyword in ANCHORS:
                if isinstance(anchor := node.schema.get(keyword), str):
                    anchors[node.base, anchor] = node
        return anchors

    @cached_property
    def _ambiguous(self) -> dict[str, dict[str, Node[Document]]]:
        """The dynamic anchors that several schemas have, by the URI of the document they are in."""
        anchors = [
            (node.base, str(node.schema[keyword]), node)
            for node in self._all
            for keyword in ANCHORS[1:]
            if keyword in node.schema
        ]
        counts = Counter(anchor for _, anchor, _ in anchors)
        ambiguous: dict[str, dict[str, Node[Document]]] = {}
        for base, anchor, node in anchors:
            if counts[anchor] > 1:
                ambiguous.setdefault(base, {})[anchor] = node
        return ambiguous

    @cached_property
    def _all(self) -> tuple[Node[Document], ...]:
        """Every schema in the document."""
        return tuple(self.root.child(*path) for path, _ in subschemas(self.schema))


DynamicScope = tuple[tuple[str, Node[Document]], ...]
"""A dynamic scope: the schema that each ambiguous dynamic anchor stands for."""


def _problem(message: str) -> str:
    """Rephrase a message of jsonschema-rs about a schema or its references."""
    if missing := re.match(r"Resource '(?:json-schema:///)?(.*?)' is not present", message):
        return f"a $ref leads to {missing[1]!r}, which is not part of this document; nothing is ever fetched"
    if missing := re.match(r"(?:Pointer|Anchor) '(.*?)' does not exist", message):
        return f"a $ref leads to {'#' + missing[1]!r}, which does not exist"
    return f"the schema cannot be used: {message}"
