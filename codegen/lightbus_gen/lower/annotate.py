"""Derives the Python types that every valid value of a schema has.

Where Python's types cannot follow a schema the type is wider, up to Any. Objects become TypedDicts, the
unnamed branches of a union share one TypedDict, and definitions that are enumerations or unions become aliases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.branches import Alternative, Branches
from lightbus_gen.lower.definitions import Definitions, Property, description
from lightbus_gen.lower.flatten import MAX_ALTERNATIVES, Flattener
from lightbus_gen.lower.names import Hint, Unnameable, inline_name
from lightbus_gen.lower.parts import (
    Part,
    Parts,
    PropertySchemas,
    allows_more,
    array_items,
    declared_names,
    describes_array,
    describes_object,
    kind_of,
    kinds_of,
    limits_type,
    map_values,
    required_names,
)
from lightbus_gen.lower.pytypes import Name, Type, Union, union
from lightbus_gen.lower.simple import simple_type, string_type, type_of_values

MAX_MERGED = 4
"""How deep objects that combine several schemas may be nested before they become `dict[str, Any]`; they multiply."""


class Annotator:
    """Determines the types of one generated module.

    Args:
        definitions: collects the TypedDicts and aliases that the types need.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._definitions, self._flattener = definitions, Flattener()
        self._branches = Branches(self._flattener, definitions)
        self._payloads: dict[object, list[Parts]] = {}
        self._objects: dict[object, Type] = {}
        self._titled: dict[object, Type] = {}
        self._referred: dict[object, Type] = {}
        self._open: dict[object, str] = {}
        self._recursive: set[object] = set()
        self._open_containers: set[object] = set()
        self._merged = self._listed = 0

    # -- payloads ------------------------------------------------------------------------------

    def is_object(self, node: Node) -> bool:
        """Whether the schema of an event's payload declares an object."""
        return any(limits_type(parts) or describes_object(parts) for parts in self._objects_of(node))

    def payload(self, node: Node, hint: Hint, wires: Iterable[str]) -> dict[str, Type]:
        """Return the types of some properties of an event's payload."""
        alternatives = [PropertySchemas(parts) for parts in self._objects_of(node)]
        return {
            wire: self._any_of([schemas.of(wire) for schemas in alternatives], inner)
            for wire, inner in hint.of_all(wires).items()
        }

    def more(self, node: Node, hint: Hint) -> Type:
        """Return the type of a payload's undeclared properties."""
        inner = hint.of("More")
        types = [
            self._map(parts, inner).arguments[1] for parts in self._objects_of(node) if allows_more(parts)
        ]
        return union(types) if types else pytypes.ANY

    def patterns(self, node: Node) -> dict[str, Node]:
        """Return the schemas of the properties that a payload declares by a pattern, by the pattern."""
        parts = (
            part
            for parts in self._objects_of(node)
            for part in parts
            if part.has(frozenset(("patternProperties",)))
        )
        schemas = (child for part in parts for child in part.node.inside(("patternProperties",)))
        return {str(child.path[-1]): child for child in schemas if child.schema is not False}

    def _objects_of(self, node: Node) -> list[Parts]:
        if node.key not in self._payloads:
            parts = self._flattener.flatten(Part(node))
            alternatives = self._flattener.alternatives(parts) if parts is not None else []
            self._payloads[node.key] = [each for each in alternatives if "object" in kinds_of(each)]
        return self._payloads[node.key]

    # -- any schema ----------------------------------------------------------------------------

    def _all_of(self, nodes: Sequence[Node], hint: Hint) -> Type:
        """Return the type of values that satisfy all of some schemas; Never if there are none."""
        if not nodes:
            return pytypes.NEVER
        simple = simple_type(nodes[0]) if len(nodes) == 1 else None
        with self._another_value():
            return simple or self._annotate(self._flattener.flatten(*map(Part, nodes)), hint)

    def _any_of(self, groups: Sequence[Sequence[Node] | None], hint: Hint) -> Type:
        """Return the type of values that satisfy all schemas of one group; [] accepts no value, None any."""
        if len(groups) == 1:
            return self._all_of(groups[0], hint) if groups[0] is not None else pytypes.ANY
        alternatives: dict[object, list[Alternative]] = {}
        for nodes in groups:
            parts = self._flattener.flatten(*map(Part, nodes or ()))
            if nodes and parts is not None and (key := _key(parts)) not in alternatives:
                alternatives[key] = self._branches.of_one(self._branches.name(nodes[0], hint), parts, hint)
        with self._another_value():
            type_ = self._one_of([each for several in alternatives.values() for each in several], hint)
        return union([type_, pytypes.ANY]) if None in groups else type_

    @contextmanager
    def _another_value(self) -> Iterator[None]:
        """Count the alternatives of a value apart from those of the value around it; unions in unions multiply."""
        listed, self._listed = self._listed, 0
        yield
        self._listed = listed

    def _annotate(self, parts: Parts | None, hint: Hint, *, plain: bool = False) -> Type:
        """Return the type of the values that satisfy all parts.

        Args:
            parts: flattened parts; None if no value is valid.
            hint: names objects that have no name of their own.
            plain: whether strings stay `str`, since a union has several kinds of them.
        """
        if parts is None:
            return pytypes.NEVER
        if not parts:
            return pytypes.ANY
        if len(parts) == 1 and parts[0].referred and not parts[0].ignored:
            return self._reference(parts[0], plain)
        choice = self._flattener.choice(parts)
        if choice is None:
            return self._inline(parts, hint, plain)
        if not choice.is_union and kinds_of(parts) == {"object"}:
            return self._object(self._flattener.alternatives(parts), hint)
        if self._listed > MAX_ALTERNATIVES:
            return self._annotate(choice.rest, hint, plain=True)
        alternatives = self._branches.of_choice(choice, hint, plain=plain)
        self._listed += len(alternatives)
        return self._one_of(alternatives, hint)

    def _inline(self, parts: Parts, hint: Hint, plain: bool, *, skip_objects: bool = False) -> Type:
        """Return the type of the values that satisfy all parts, ignoring choices."""
        listed = [values for part in parts if (values := part.values()) is not None]
        kinds = kinds_of(parts)
        if listed:
            others = [{*map(_comparable, values)} for values in listed[1:]]
            common = [value for value in listed[0] if all(_comparable(value) in other for other in others)]
            return type_of_values(common, kinds, None if plain else string_type(parts))
        if skip_objects:
            kinds -= {"object"}
        if limits_type(parts):
            return union(self._of_kind(kind, parts, hint, plain) for kind in _in_order(parts, kinds))
        described = ["object"] if describes_object(parts) and not skip_objects else []
        described += ["array"] if describes_array(parts) else []
        return union([*(self._of_kind(kind, parts, hint, plain) for kind in described), pytypes.ANY])

    def _of_kind(self, kind: str, parts: Parts, hint: Hint, plain: bool) -> Type:
        if kind == "object":
            return self._object([parts], hint)
        if kind == "array":
            return pytypes.list_of(self._contents(kind, parts, array_items(parts), hint.of("Item")))
        if kind == "string" and not plain:
            return string_type(parts) or pytypes.STR
        return pytypes.SCALARS[kind]

    def _one_of(self, alternatives: Iterable[Alternative], hint: Hint) -> Type:
        """Return the type of values that satisfy one alternative; objects of one name share a TypedDict."""
        types: list[Type] = []
        groups: dict[str, tuple[int, list[Parts]]] = {}
        for name, parts, plain in alternatives:
            if name is None or "object" not in kinds_of(parts) or not any(declared_names(parts)):
                types.append(self._annotate(parts, hint.exactly(name), plain=plain))
                continue
            if name not in groups:
                groups[name] = (len(types), [])
                types.append(pytypes.NEVER)  # keeps its place
            groups[name][1].extend(self._flattener.alternatives(parts))
            types.append(self._inline(parts, hint, plain, skip_objects=True))
        for name, (index, expanded) in groups.items():
            types[index] = self._object(expanded, hint.exactly(name))
        return union(types)

    # -- references ----------------------------------------------------------------------------

    def _reference(self, part: Part, plain: bool) -> Type:
        """Return the type of a schema that a `$ref` leads to, defined under its own name."""
        node = part.node
        parts = self._flattener.flatten(Part(node))
        is_plain = plain and parts is not None and self._converts_strings(parts)
        key = (node.key, is_plain)
        if key in self._referred:
            return self._referred[key]
        if key in self._open:
            self._recursive.add(key)
            return Name(self._open[key], "")
        try:
            name = self._definitions.names.free(self._definitions.name_of(node))
        except Unnameable as error:
            return self._definitions.refuse(error)
        is_object = parts is not None and self._is_one_object(parts)
        self._open[key] = name
        hint = Hint(name, name, suffix="" if is_object else "Object", is_exact=True)
        with self._another_value():
            type_ = self._annotate(parts, hint, plain=plain)
        del self._open[key]
        self._referred[key] = type_ if is_plain else self._alias(name, type_, node, key in self._recursive)
        return self._referred[key]

    def _converts_strings(self, parts: Parts) -> bool:
        return any(string_type(each) is not None for each in self._flattener.alternatives(parts))

    def _is_one_object(self, parts: Parts) -> bool:
        """Whether a single TypedDict is the type of the values that satisfy all parts."""
        choice = self._flattener.choice(parts)
        if kinds_of(parts) != {"object"} or (choice and choice.is_union):
            return False
        return not any(map(allows_more, self._flattener.alternatives(parts)))

    def _alias(self, name: str, type_: Type, node: Node, is_recursive: bool) -> Type:
        """Define an alias for the type of a definition, unless it is a class or plain type already."""
        itself = Name(name, "")
        if type_ == itself:
            return type_ if name in self._definitions else pytypes.ANY
        if isinstance(type_, Union):
            type_ = union(member for member in type_.members if member != itself)
        if not is_recursive and isinstance(type_, Name):
            return type_
        try:
            name = self._definitions.names.claim(name, node)
        except Unnameable as error:
            return self._definitions.refuse(error)
        self._definitions.add_alias(name, node, type_)
        return Name(name, "")

    # -- objects and containers ----------------------------------------------------------------

    def _object(self, alternatives: Sequence[Parts], hint: Hint) -> Type:
        """Return the type of objects that satisfy one of the alternatives: a TypedDict if any declares properties."""
        key = tuple(map(_key, alternatives))
        if key in self._objects:
            return self._objects[key]
        node = next((part.node for parts in alternatives for part in parts if part.get("properties")), None)
        if node is None:
            return union(self._map(parts, hint) for parts in alternatives)
        is_merged, is_single = len(alternatives[0]) > 1, len(alternatives) == len(alternatives[0]) == 1
        if not is_single and self._merged >= MAX_MERGED:
            return pytypes.OBJECT
        titled: object = None
        try:
            if hint.is_exact or is_merged:
                name = hint.path + hint.suffix
            else:
                name = inline_name(node, hint, self._definitions.contested)
            if is_single and not hint.is_exact and "title" in node.schema:
                titled = name, json.dumps(node.schema)
                if titled in self._titled:
                    return self._titled[titled]
            name = self._definitions.names.claim(name, node)
        except Unnameable as error:
            # a merged object has no schema of its own to take another name, and only one of two twins can have it
            if error.is_twin or (error.taken and not is_single):
                return pytypes.OBJECT
            return self._definitions.refuse(error, hint.path if hint.suffix else "")
        type_: Type = Name(name, "")
        if any(map(allows_more, alternatives)):  # a TypedDict alone would refuse undeclared keys
            type_ = union([type_, pytypes.OBJECT])
            for parts in alternatives:
                self._map(parts, hint)  # the values' classes keep the names they have without declared keys
        self._objects[key] = type_
        if titled:
            self._titled[titled] = type_
        self._merged += not is_single
        self._definitions.add_object(name, node, self._properties(alternatives, Hint(hint.scope, name)))
        self._merged -= not is_single
        return type_

    def _properties(self, alternatives: Sequence[Parts], hint: Hint) -> dict[str, Property]:
        """Return the properties of objects that satisfy one of the alternatives."""
        required = [dict.fromkeys(required_names(parts)) for parts in alternatives]
        wires = dict.fromkeys(name for parts in alternatives for name in declared_names(parts))
        wires |= {name: None for names in required for name in names}
        properties, schemas = {}, [PropertySchemas(parts) for parts in alternatives]
        for wire, inner in hint.of_all(wires).items():
            groups = [each.of(wire) for each in schemas]
            words = next(filter(None, (description(node) for nodes in groups for node in nodes or ())), "")
            is_required = all(wire in names for names in required)
            properties[wire] = Property(self._any_of(groups, inner), is_required, words)
        return properties

    def _map(self, parts: Parts, hint: Hint) -> Name:
        return pytypes.dict_of(self._contents("object", parts, map_values(parts), hint.of("Value")))

    def _contents(self, kind: str, parts: Parts, groups: Sequence[Sequence[Node]], hint: Hint) -> Type:
        """Return the type of a container's values; Any if they are free, or the unnamed container itself.

        Args:
            kind: the container's JSON type.
            parts: its parts.
            groups: schemas from each part that describes the values, one of which each value satisfies.
            hint: names objects that have no name of their own.
        """
        key = kind, _key(parts)
        if key in self._open_containers or not groups or not all(groups):
            return pytypes.ANY
        self._open_containers.add(key)
        try:
            if len(groups) == 1:
                return self._any_of([[node] for node in groups[0]], hint)
            if any(len(nodes) > 1 for nodes in groups):
                return pytypes.ANY
            return self._all_of([node for [node] in groups], hint)
        finally:
            self._open_containers.discard(key)


def _key(parts: Parts) -> tuple[object, ...]:
    return tuple(part.key for part in parts)


def _in_order(parts: Parts, kinds: frozenset[str]) -> list[str]:
    """Return JSON types in the author's order."""
    written: list[str] = []
    for part in parts:
        declared = part.get("type") or ()
        written += [declared] if isinstance(declared, str) else declared
    return [kind for kind in dict.fromkeys([*written, *sorted(kinds)]) if kind in kinds]


def _comparable(value: object) -> tuple[str, object]:
    """Return a JSON value with its type, so that 1 and 1.0 are equal, and 1 and True are not."""
    return kind_of(value), json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else value
