"""Places in a schema document, and following `$ref` between them.

A `Node` is a schema together with where it stands, so that its references can be followed, a validator
of just this part can be made, and the author's order of properties is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote

import jsonschema_rs

from lightbus.errors import SchemaError
from lightbus.schema.language.metaschema import unknown_keywords
from lightbus.schema.language.validation import validator

_ROOT = "json-schema:///lightbus"
_DATA = ("enum", "const", "default", "examples")  # keywords whose value is no schema


class Document:
    """A JSON Schema document that may embed others by `$id` (a compound document).

    Args:
        schema: the document; not to be changed afterwards.
        source: where it came from, for messages.

    Attributes:
        id_keyword: the keyword that gives a schema its URI.
        ref_stands_alone: whether a `$ref` hides the keywords beside it.
        unknown: keywords that the document's draft does not know.
    """

    def __init__(self, schema: dict[str, Any], source: str) -> None:
        self.schema, self.source = schema, source
        draft = str(schema.get("$schema", ""))
        self.id_keyword = "id" if "draft-04" in draft else "$id"
        self.ref_stands_alone = any(f"draft-0{number}" in draft for number in (3, 4, 6, 7))
        self.unknown = unknown_keywords(draft)
        try:
            self.registry = jsonschema_rs.Registry([(_ROOT, schema)])
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(_problem(str(error)), source=source) from None

    @cached_property
    def root(self) -> Node:
        """The whole document."""
        uri = self._rebased(_ROOT, self.schema)
        return Node(self.schema, self, uri, (), uri)

    def at(self, pointer: str) -> Node:
        """Return the place a JSON Pointer leads to, which must exist."""
        node: Node | None = self.root
        for token in pointer.split("/")[1:]:
            node = node and node.get(token.replace("~1", "/").replace("~0", "~"))
        assert node is not None, pointer
        return node

    def validator(self, node: Node) -> jsonschema_rs.Validator:
        """Compile the validator of one place.

        Raises:
            SchemaError: the schema is invalid there or a `$ref` leads nowhere.
        """
        try:
            return validator({"$ref": node.uri}, registry=self.registry)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            raise SchemaError(_problem(error.message), source=self.source, pointer=node.pointer) from None

    def lookup(self, base: str, reference: str) -> Node | None:
        """Find what a reference names, or None when the document does not hold it."""
        target, _, fragment = reference.partition("#")
        resource = self._absolute(base, target) if target else base
        is_root = resource == self.root.base  # as nearly always, and then nothing needs to be searched for
        node = self.root if is_root else self._resources.get(resource) if resource else None
        if node is None:
            return None
        if fragment and not fragment.startswith("/"):
            return self._anchors.get((node.base, unquote(fragment)))
        for token in fragment.split("/")[1:]:
            node = node.get(unquote(token).replace("~1", "/").replace("~0", "~"))
            if node is None:
                return None
        return node

    def _absolute(self, base: str, reference: str) -> str | None:
        try:
            return self.registry.resolver(base).lookup(reference).resolver.base_uri
        except jsonschema_rs.ReferencingError:
            return None

    def _rebased(self, base: str, schema: object) -> str:
        identifier = schema.get(self.id_keyword) if isinstance(schema, dict) else None
        if not isinstance(identifier, str) or identifier.startswith("#"):
            return base
        return self._absolute(base, identifier.removesuffix("#")) or base

    @cached_property
    def _resources(self) -> dict[str, Node]:
        """The embedded documents, and this one, by absolute URI."""
        found = {self.root.base: self.root}
        for node in self._crawled:
            found.setdefault(node.base, node)
        return found

    @cached_property
    def _anchors(self) -> dict[tuple[str, str], Node]:
        found = {}
        for node in self._crawled:
            identifier = node.schema.get(self.id_keyword)
            if isinstance(identifier, str) and identifier.startswith("#"):
                found[node.base, identifier[1:]] = node
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(anchor := node.schema.get(keyword), str):
                    found[node.base, anchor] = node
        return found

    @cached_property
    def _crawled(self) -> tuple[Node, ...]:
        return tuple(_crawl(self.root))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A place in a document.

    Attributes:
        schema: what stands there; a dict or boolean where it is a schema.
        document: the document.
        resource, path: the URI of an enclosing resource, and the way from there.
        base: the URI relative references are resolved against.
    """

    schema: Any
    document: Document = field(repr=False)
    resource: str
    path: tuple[str, ...]
    base: str = field(repr=False)

    @property
    def pointer(self) -> str:
        """JSON Pointer from the enclosing resource."""
        return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in self.path)

    @property
    def uri(self) -> str:
        """Absolute URI, which identifies the place."""
        return f"{self.resource}#{quote(self.pointer)}"

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What tells the place from every other one of the document; cheaper than its URI."""
        return self.resource, self.path

    def get(self, key: str | int) -> Node | None:
        """Return the place one step down, or None when there is none."""
        try:
            value = self.schema[int(key) if isinstance(self.schema, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        return Node(
            value,
            self.document,
            self.resource,
            (*self.path, str(key)),
            self.document._rebased(self.base, value),
        )

    def children(self, keyword: str) -> Iterator[tuple[str, Node]]:
        """Yield the entries of an object or array under a keyword, with their keys."""
        holder = self.get(keyword) if self.has(keyword) else None
        if holder is None or not isinstance(holder.schema, (dict, list)):
            return
        keys = holder.schema if isinstance(holder.schema, dict) else range(len(holder.schema))
        for key in keys:
            child = holder.get(key)
            assert child is not None
            yield str(key), child

    def has(self, keyword: str) -> bool:
        """Whether a keyword is here and counts: its draft knows it, and up to draft 7, `$ref` hides its siblings."""
        if not isinstance(self.schema, dict) or keyword not in self.schema:
            return False
        if keyword in self.document.unknown:
            return False
        return keyword == "$ref" or not (self.document.ref_stands_alone and "$ref" in self.schema)

    def target(self) -> Node | None:
        """Follow `$ref`, if there is one that leads to a place in this document."""
        reference = self.schema.get("$ref") if isinstance(self.schema, dict) else None
        return self.document.lookup(self.base, reference) if isinstance(reference, str) else None


def _problem(message: str) -> str:
    """Put in words what is wrong with a schema or its references."""
    if missing := re.match(r"Resource '(?:json-schema:///)?(.*?)' is not present", message):
        return f"a $ref leads to {missing[1]!r}, which is not part of this document; nothing is ever fetched"
    if missing := re.match(r"(?:Pointer|Anchor) '(.*?)' does not exist", message):
        return f"a $ref leads to {'#' + missing[1]!r}, which does not exist"
    return f"the schema cannot be used: {message}"


def _crawl(node: Node) -> Iterator[Node]:
    if isinstance(node.schema, dict):
        yield node
        keys: list[str | int] = [key for key in node.schema if key not in _DATA]
    elif isinstance(node.schema, list):
        keys = list(range(len(node.schema)))
    else:
        return
    for key in keys:
        child = node.get(key)
        assert child is not None
        yield from _crawl(child)
