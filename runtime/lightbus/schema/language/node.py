"""A schema in its place, and what applies to the same value: one class for the run time and for the generator.

Documents differ in how they find what a `$ref` names: the run time searches one self-contained document, the generator
all files of a folder. They say so as a `Resolver`; everything else about a schema is said here.
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
)


class Holder(Protocol):
    """What a schema stands in: a document or a file.

    Attributes:
        uri: its URI, different from that of every other one.
        draft: the version of JSON Schema it is written in.
    """

    @property
    def uri(self) -> str: ...

    @property
    def draft(self) -> Draft: ...

    def base_inside(self, schema: object, outer: str) -> str:
        """Return the URI that references inside a schema are relative to; `outer` where it has no URI of its own."""
        ...


D = TypeVar("D", bound=Holder)


class Resolver(Protocol[D]):
    """Finds schemas by reference."""

    def find(self, node: Node[D], reference: str) -> Node[D] | None:
        """Return the schema that a reference in `node` names, None where there is none."""
        ...

    def is_ambiguous(self, anchor: str) -> bool:
        """Whether several schemas have a dynamic anchor, so that it depends on the way there which one is meant."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Node(Generic[D]):
    """A schema in its place; below a keyword also a list or object of schemas.

    Attributes:
        schema: the JSON value; a dict or boolean where it is a schema.
        document: what it stands in.
        path: keys and indexes that lead to it.
        base: the URI that references in it are relative to.
        resolver: follows its references.
    """

    schema: Any
    document: D = field(repr=False)
    path: Path
    base: str = field(repr=False)
    resolver: Resolver[D] = field(repr=False)

    @property
    def key(self) -> tuple[str, Path]:
        """What tells it from every other schema; cheaper than its URI."""
        return self.document.uri, self.path

    @property
    def pointer(self) -> str:
        """JSON Pointer from the document."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.path)

    @property
    def uri(self) -> str:
        """Absolute URI of the place."""
        return f"{self.document.uri}#{quote(self.pointer)}"

    # -- keywords --------------------------------------------------------------------------------

    @property
    def keywords(self) -> Mapping[str, Any]:
        """The keywords that count: the draft has them, and up to draft 7, `$ref` hides the others; {} for a boolean."""
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
        """Whether a `$ref` makes all other keywords void."""
        return (
            self.document.draft.ref_hides_siblings and isinstance(self.schema, dict) and "$ref" in self.schema
        )

    def has(self, keyword: str) -> bool:
        """Whether there is a keyword that counts."""
        schema = self.schema
        if not isinstance(schema, dict) or keyword not in schema:
            return False
        draft = self.document.draft
        if keyword in draft.unknown:
            return False
        return keyword == "$ref" or not draft.ref_hides_siblings or "$ref" not in schema

    # -- schemas inside --------------------------------------------------------------------------

    def child(self, *steps: str | int) -> Node[D]:
        """Return the schema some steps inside; raises LookupError or TypeError where there is none."""
        schema, document, base = self.schema, self.document, self.base
        for step in steps:
            schema = schema[step]
            base = document.base_inside(schema, base)
        return Node(schema, document, (*self.path, *steps), base, self.resolver)

    def at(self, pointer: str) -> Node[D] | None:
        """Return the schema that a JSON Pointer leads to from this one, None where there is none."""
        node = self
        try:
            for token in pointer.split("/")[1:]:
                step = token.replace("~1", "/").replace("~0", "~")
                node = node.child(int(step) if isinstance(node.schema, list) else step)
        except (LookupError, TypeError, ValueError):
            return None
        return node

    def get(self, keyword: str) -> Node[D] | None:
        """Return what stands under a keyword that counts, None without one."""
        return self.child(keyword) if self.has(keyword) else None

    def children(self, keyword: str) -> Iterator[tuple[str, Node[D]]]:
        """Yield (key, schema) of each in the object or array under a keyword that counts."""
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
        """Return the schemas of the first items, one by one, and that of the others, None without one.

        Up to draft 2019-09, `items` may be the list that `prefixItems` is now.
        """
        is_listed = isinstance(self.schema.get("items"), list)
        first, others = ("items", "additionalItems") if is_listed else ("prefixItems", "items")
        return [inner for _, inner in self.children(first)], self.get(others)

    def instead(self, schema: dict[str, Any] | bool, *steps: str) -> Node[D]:
        """Return a schema that stands nowhere, in the place of this one or of one that it lacks."""
        return Node(schema, self.document, (*self.path, *(steps or ("",))), self.base, self.resolver)

    # -- the same value --------------------------------------------------------------------------

    def target(self) -> Node[D] | None:
        """Return the schema that `$ref` names, None without one, or where it leads nowhere."""
        reference = self.schema.get("$ref") if isinstance(self.schema, dict) else None
        return self.resolver.find(self, reference) if isinstance(reference, str) else None

    def dynamic_target(self) -> Node[D] | None:
        """Return the schema that `$dynamicRef` or `$recursiveRef` names, whichever way led here.

        None without one, where it leads nowhere, and where its target depends on the way.
        """
        for keyword, anchor in _DYNAMIC:
            if not self.has(keyword):
                continue
            target = self.resolver.find(self, self.schema[keyword])
            name = target.schema.get(anchor) if target and isinstance(target.schema, dict) else None
            return None if name and self.resolver.is_ambiguous(str(name)) else target
        return None

    def targets(self) -> Iterator[Node[D]]:
        """Yield the schemas that it refers to."""
        if isinstance(self.schema, dict) and not REFERENCES.isdisjoint(self.schema):
            for target in (self.target(), self.dynamic_target()):
                if target is not None:
                    yield target

    def based_on(self) -> Iterator[Node[D]]:
        """Yield the schemas that every valid value satisfies as well: what it refers to, and `allOf`."""
        yield from self.targets()
        yield from self.inside(("allOf",))

    def conjuncts(self) -> Iterator[Node[D]]:
        """Yield all schemas that every valid value satisfies: this one, what it is based on, and so on."""
        todo: list[Node[D]] = [self]
        seen = {self.key}
        for node in todo:
            yield node
            for base in node.based_on():
                if base.key not in seen:
                    seen.add(base.key)
                    todo.append(base)

    def choices(self) -> Iterator[tuple[str, list[Node[D] | None]]]:
        """Yield (keyword, branches) of each choice, of which a value satisfies one branch at least; None is any value."""
        for keyword in UNIONS:
            if self.has(keyword):
                yield keyword, [*self.inside((keyword,))]
        if self.has("if"):
            yield "if", [self.get("then"), self.get("else")]
        for keyword in DEPENDENT:
            for inner in self.inside((keyword,)):
                yield keyword, [inner, None]

    def applied(self) -> Iterator[Node[D]]:
        """Yield the schemas that a value is checked against itself when it is checked against this one."""
        target = self.target()
        if target is not None:
            yield target
        yield from self.inside(IN_PLACE)


_DYNAMIC = (("$dynamicRef", "$dynamicAnchor"), ("$recursiveRef", "$recursiveAnchor"))
