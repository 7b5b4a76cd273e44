"""A schema and its location in a document: one class for the runtime and for the generator.

They differ only in how they resolve a `$ref`, which is the task of a `Resolver`: the runtime searches one
self-contained document, the generator all files of a folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from lightbus.schema.language.keywords import (
    DEPENDENT,
    IN_PLACE,
    KEYWORDS,
    REFERENCES,
    UNIONS,
    Draft,
    Holds,
    Path,
    pointer,
)

MAX_CHAIN = 50
"""How many schemas in a row may apply to the same value; a validator's stack and time grow with them at each level."""


class Holder(Protocol):
    """What contains a schema: a document or a file.

    Attributes:
        uri: its unique URI.
        draft: the version of JSON Schema it is written in.
    """

    @property
    def uri(self) -> str: ...

    @property
    def draft(self) -> Draft: ...

    def base_inside(self, schema: object, outer: str) -> str:
        """Return the URI that references inside a schema are relative to: its own, or `outer` if it has none."""
        ...


D = TypeVar("D", bound=Holder)


class Resolver(Protocol[D]):
    """Finds schemas by reference."""

    def find(self, node: Node[D], reference: str) -> Node[D] | None:
        """Return the schema that a reference in `node` names, or None if it does not exist."""
        ...

    def is_ambiguous(self, anchor: str) -> bool:
        """Whether several schemas have a dynamic anchor, so that its target depends on the path of evaluation."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Node(Generic[D]):
    """A schema and its location, or the list or object of schemas that a keyword holds.

    Attributes:
        schema: the JSON value; a dict or boolean if it is a schema.
        document: what contains it.
        path: keys and indexes that lead to it.
        base: the URI that references in it are relative to.
        resolver: resolves its references.
    """

    schema: Any
    document: D = field(repr=False)
    path: Path
    base: str = field(repr=False)
    resolver: Resolver[D] = field(repr=False)

    @property
    def key(self) -> tuple[str, Path]:
        """What identifies the schema; cheaper than its URI."""
        return self.document.uri, self.path

    @property
    def pointer(self) -> str:
        """JSON Pointer to the schema in its document."""
        return pointer(self.path)

    @property
    def uri(self) -> str:
        """Absolute URI of the schema."""
        return f"{self.document.uri}#{quote(self.pointer)}"

    # -- keywords --------------------------------------------------------------------------------

    @property
    def keywords(self) -> Mapping[str, Any]:
        """The keywords that apply: those of the draft, and up to draft 7 only `$ref` if present; {} for a boolean."""
        schema = self.schema
        if not isinstance(schema, dict):
            return {}
        if self.hides_siblings:
            return {"$ref": schema["$ref"]}
        unknown = self.document.draft.unknown
        if unknown.isdisjoint(schema):
            return schema
        return {keyword: value for keyword, value in schema.items() if keyword not in unknown}

    @property
    def hides_siblings(self) -> bool:
        """Whether a `$ref` hides all other keywords."""
        return (
            self.document.draft.ref_hides_siblings and isinstance(self.schema, dict) and "$ref" in self.schema
        )

    def has(self, keyword: str) -> bool:
        """Whether a keyword is present and applies, as in `keywords`."""
        schema = self.schema
        if not isinstance(schema, dict) or keyword not in schema:
            return False
        draft = self.document.draft
        if keyword in draft.unknown:
            return False
        return keyword == "$ref" or not draft.ref_hides_siblings or "$ref" not in schema

    @property
    def listed(self) -> list[Any] | None:
        """The values that `const` or `enum` lists, or None without them."""
        if self.has("const"):
            return [self.schema["const"]]
        return [*self.schema["enum"]] if self.has("enum") else None

    @property
    def types(self) -> list[str]:
        """The JSON types that `type` lists, [] without it."""
        types = self.keywords.get("type", ())
        return [types] if isinstance(types, str) else [*types]

    # -- schemas inside --------------------------------------------------------------------------

    def child(self, *steps: str | int) -> Node[D]:
        """Return the schema some steps inside; raises LookupError or TypeError if it does not exist."""
        schema, document, base = self.schema, self.document, self.base
        for step in steps:
            schema = schema[step]
            base = document.base_inside(schema, base)
        return Node(schema, document, (*self.path, *steps), base, self.resolver)

    def at(self, pointer: str) -> Node[D] | None:
        """Return the schema that a JSON Pointer leads to from this one, or None if it does not exist."""
        node = self
        try:
            for token in pointer.split("/")[1:]:
                step = token.replace("~1", "/").replace("~0", "~")
                node = node.child(int(step) if isinstance(node.schema, list) else step)
        except (LookupError, TypeError, ValueError):
            return None
        return node

    def get(self, keyword: str) -> Node[D] | None:
        """Return the schema under a keyword that applies, or None."""
        return self.child(keyword) if self.has(keyword) else None

    def children(self, keyword: str) -> Iterator[tuple[str, Node[D]]]:
        """Yield (key, schema) of each schema in the object or array under a keyword that applies."""
        holder = self.schema[keyword] if self.has(keyword) else None
        if isinstance(holder, (dict, list)):
            for key in holder if isinstance(holder, dict) else range(len(holder)):
                yield str(key), self.child(keyword, key)

    def inside(self, keywords: Iterable[str]) -> Iterator[Node[D]]:
        """Yield the schemas that some keywords hold."""
        for keyword in keywords:
            if not self.has(keyword):
                continue
            holds = KEYWORDS[keyword].holds
            if holds is Holds.SCHEMA or (
                holds is Holds.SCHEMA_OR_LIST and not isinstance(self.schema[keyword], list)
            ):
                yield self.child(keyword)
            else:
                yield from (
                    inner for _, inner in self.children(keyword) if not isinstance(inner.schema, list)
                )

    def items(self) -> tuple[list[Node[D]], Node[D] | None]:
        """Return the schemas of the first items, one by one, and the schema of all others, or None.

        Up to draft 2019-09, `items` may be the list that is now `prefixItems`.
        """
        is_listed = isinstance(self.schema.get("items"), list)
        first, others = ("items", "additionalItems") if is_listed else ("prefixItems", "items")
        return [inner for _, inner in self.children(first)], self.get(others)

    def mentioned(self) -> Iterator[str]:
        """Yield the names of properties that are required, or that require others or are required by them."""
        yield from self.keywords.get("required", ())
        for keyword in ("dependentRequired", *DEPENDENT):
            for name, needed in self.keywords.get(keyword, {}).items():
                yield name
                yield from needed if isinstance(needed, list) else ()

    def instead(self, schema: dict[str, Any] | bool, *steps: str) -> Node[D]:
        """Return a schema that is not in the document, located at this one or at an absent one inside it."""
        return Node(schema, self.document, (*self.path, *(steps or ("",))), self.base, self.resolver)

    # -- the same value --------------------------------------------------------------------------

    def target(self) -> Node[D] | None:
        """Return the schema that `$ref` names, or None if there is no `$ref` or it does not resolve."""
        reference = self.schema.get("$ref") if isinstance(self.schema, dict) else None
        return self.resolver.find(self, reference) if isinstance(reference, str) else None

    def dynamic_target(self, scope: Iterable[tuple[str, Node[D]]] = ()) -> Node[D] | None:
        """Return the schema that `$dynamicRef` or `$recursiveRef` names.

        None if there is neither, if it does not resolve, and if its target depends on the path of evaluation
        and is not in the scope.

        Args:
            scope: the schemas that ambiguous anchors stand for.
        """
        for keyword, anchor in _DYNAMIC:
            if not self.has(keyword):
                continue
            target = self.resolver.find(self, self.schema[keyword])
            name = target.schema.get(anchor) if target and isinstance(target.schema, dict) else None
            if name and self.resolver.is_ambiguous(str(name)):
                return dict(scope).get(str(name))
            return target
        return None

    def targets(self) -> Iterator[Node[D]]:
        """Yield the targets of the schema's references."""
        if isinstance(self.schema, dict) and not REFERENCES.isdisjoint(self.schema):
            yield from filter(None, (self.target(), self.dynamic_target()))

    def based_on(self) -> Iterator[Node[D]]:
        """Yield the schemas that every valid value also satisfies: the targets of references, and `allOf`."""
        yield from self.targets()
        yield from self.inside(("allOf",))

    def conjuncts(self) -> Iterator[Node[D]]:
        """Yield all schemas that every valid value satisfies: this one and, recursively, what it is based on."""
        todo: list[Node[D]] = [self]
        seen = {self.key}
        for node in todo:
            yield node
            for base in node.based_on():
                if base.key not in seen:
                    seen.add(base.key)
                    todo.append(base)

    def choices(self) -> Iterator[tuple[str, list[Node[D] | None]]]:
        """Yield (keyword, branches) of each choice; a valid value satisfies at least one branch, and None is any value."""
        for keyword in UNIONS:
            if self.has(keyword):
                yield keyword, [*self.inside((keyword,))]
        if self.has("if"):
            yield "if", [self.get("then"), self.get("else")]
        for keyword in DEPENDENT:
            for inner in self.inside((keyword,)):
                yield keyword, [inner, None]

    def applied(self) -> Iterator[Node[D]]:
        """Yield the schemas that a validator applies to the value itself when it applies this one."""
        if target := self.target():
            yield target
        yield from self.inside(IN_PLACE)


def long_chain(starts: Iterable[Node[D]]) -> Node[D] | None:
    """Return a schema from which more than `MAX_CHAIN` in a row apply to the same value, or None.

    Args:
        starts: the schemas to start from.
    """
    lengths: dict[object, int] = {}  # of the longest chain from each schema
    for start in starts:
        stack = [] if start.key in lengths else [(start, _applied(start))]
        lengths.setdefault(start.key, 1)
        while stack:
            node, applied = stack[-1]
            if (inner := next(applied, None)) and inner.key not in lengths:
                lengths[inner.key] = 1
                stack.append((inner, _applied(inner)))
                continue
            if inner is None:
                inner = stack.pop()[0]
                node = stack[-1][0] if stack else inner
            if inner is not node:
                lengths[node.key] = max(lengths[node.key], lengths[inner.key] + 1)
            if lengths[node.key] > MAX_CHAIN:
                return node
    return None


def _applied(node: Node[D]) -> Iterator[Node[D]]:
    yield from node.targets()
    yield from node.inside(IN_PLACE)


_DYNAMIC = (("$dynamicRef", "$dynamicAnchor"), ("$recursiveRef", "$recursiveAnchor"))
