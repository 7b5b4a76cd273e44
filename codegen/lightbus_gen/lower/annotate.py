"""Schemas -> Python types: never a type that a valid value does not have.

Where Python's types cannot follow a schema the type is wider, up to Any. Objects become TypedDicts, the
branches of a union that nothing names share one TypedDict, and definitions that are enumerations or
unions become aliases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from lightbus.schema import pattern_matches
from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.branches import Alternative, Branches
from lightbus_gen.lower.definitions import Definitions, Property, description
from lightbus_gen.lower.names import Hint, Unnameable, definition_name, name_of
from lightbus_gen.lower.parts import (
    Flattener,
    Part,
    Parts,
    allows_more,
    declared_names,
    describes_array,
    describes_object,
    kind_of,
    kinds_of,
    required_names,
    says_type,
)
from lightbus_gen.lower.pytypes import Name, Type, Union, union
from lightbus_gen.lower.simple import simple_type, string_type, type_of_values

MOST_MERGED = 4
"""How deep objects that several schemas make up together are followed in one another; their number multiplies."""


class Annotator:
    """Finds the types of one generated module.

    Args:
        definitions: takes the TypedDicts and aliases that the types need.
        homes: class names of the events that have a file to themselves, by path of the file.
    """

    def __init__(self, definitions: Definitions, homes: Mapping[str, str]) -> None:
        self._flattener = Flattener()
        self._branches = Branches(self._flattener, definitions, homes)
        self._definitions, self._homes = definitions, homes
        self._objects: dict[tuple[object, ...], Type] = {}
        self._titled: dict[tuple[str, str], Type] = {}
        self._referred: dict[object, Type] = {}
        self._open: dict[object, str] = {}
        self._recursive: set[object] = set()
        self._within: set[object] = set()
        self._merged = 0
        self._payloads: dict[object, list[Parts]] = {}

    def is_object(self, node: Node) -> bool:
        """Whether an event's payload is an object, and its schema says so."""
        return any(says_type(one) or describes_object(one) for one in self._objects_of(node))

    def payload(self, node: Node, hint: Hint, wires: Iterable[str]) -> dict[str, Type]:
        """Return the types of the given properties of an event's payload."""
        alternatives = self._objects_of(node)
        hints = hint.of_all(wires)
        return {
            wire: self._type_at([self._places(parts, wire) for parts in alternatives], inner)
            for wire, inner in hints.items()
        }

    def more(self, node: Node, hint: Hint) -> Type:
        """Return the type of the properties that a payload may have beside those it declares."""
        found = [
            self._map(one, hint.of("More")).arguments[1] for one in self._objects_of(node) if allows_more(one)
        ]
        return union(found) if found else pytypes.ANY

    def patterns(self, node: Node) -> set[str]:
        """Return the patterns of property names in the schema of a payload."""
        parts = (part for parts in self._objects_of(node) for part in parts)
        return {pattern for part in parts for pattern in part.get("patternProperties") or ()}

    def _objects_of(self, node: Node) -> list[Parts]:
        if node.key not in self._payloads:
            parts = self._flattener.flatten(Part(node))
            alternatives = self._flattener.alternatives(parts) if parts is not None else []
            self._payloads[node.key] = [one for one in alternatives if "object" in kinds_of(one)]
        return self._payloads[node.key]

    # -- any schema ----------------------------------------------------------------------------

    def _annotate(self, parts: Parts | None, hint: Hint, *, plain: bool = False) -> Type:
        """Return the type of the values that satisfy all parts.

        Args:
            parts: flattened parts; None for a schema without any value.
            hint: what to call objects that have no name of their own.
            plain: strings stay `str`, since a union holds several kinds of them.
        """
        if parts is None:
            return pytypes.NEVER
        if not parts:
            return pytypes.ANY
        if len(parts) == 1 and parts[0].referred and not parts[0].ignored:
            return self._reference(parts[0], plain)
        return self._inline(parts, hint, plain)

    def _inline(self, parts: Parts, hint: Hint, plain: bool, *, has_objects: bool = True) -> Type:
        """Return the type of values that satisfy all parts; `has_objects` tells whether to count objects in."""
        taken = self._flattener.union(parts) if has_objects else None
        if taken is not None:
            if not taken.is_union and kinds_of(parts) == {"object"}:
                return self._object(self._flattener.alternatives(parts), hint)
            return self._alternatives(self._branches.of_choice(taken, hint, plain=plain), hint)
        listed = [values for part in parts if (values := part.values()) is not None]
        kinds = kinds_of(parts)
        if listed:
            common = [value for value in listed[0] if all(_holds(other, value) for other in listed[1:])]
            return type_of_values(common, kinds, None if plain else string_type(parts))
        if not has_objects:
            kinds -= {"object"}
        if not says_type(parts):
            found = [self._object([parts], hint)] if describes_object(parts) and has_objects else []
            found += [self._array(parts, hint)] if describes_array(parts) else []
            return union([*found, pytypes.ANY])
        return union(self._of_kind(kind, parts, hint, plain) for kind in _in_order(parts, kinds))

    def _of_kind(self, kind: str, parts: Parts, hint: Hint, plain: bool) -> Type:
        if kind == "object":
            return self._object([parts], hint)
        if kind == "array":
            return self._array(parts, hint)
        if kind == "string" and not plain:
            return string_type(parts) or pytypes.STR
        return pytypes.SCALARS[kind]

    # -- references ----------------------------------------------------------------------------

    def _reference(self, part: Part, plain: bool) -> Type:
        node = part.node
        key = (node.key, plain and self._converts(node))
        if key in self._referred:
            return self._referred[key]
        if key in self._open:
            self._recursive.add(key)
            return Name(self._open[key], "")
        try:
            home, contested = self._homes.get(node.document.path, ""), self._definitions.contested
            name = self._definitions.free(definition_name(node, home, contested))
        except Unnameable as error:
            return self._definitions.refuse(error)
        parts = self._flattener.flatten(Part(node))
        is_object = parts is not None and self._is_one_object(parts)
        self._open[key] = name
        hint = Hint(name, name, suffix="" if is_object else "Object", is_exact=True)
        found = self._annotate(parts, hint, plain=plain)
        del self._open[key]
        self._referred[key] = found if key[1] else self._named(name, found, node, key in self._recursive)
        return self._referred[key]

    def _is_one_object(self, parts: Parts) -> bool:
        """Whether a single TypedDict is the type of the values that satisfy all parts."""
        taken = self._flattener.union(parts)
        if kinds_of(parts) != {"object"} or (taken and taken.is_union):
            return False
        return not any(allows_more(one) for one in self._flattener.alternatives(parts))

    def _named(self, name: str, found: Type, node: Node, is_recursive: bool) -> Type:
        """Give a definition's type its name, where it is one to give."""
        itself = Name(name, "")
        if found == itself:
            return found if name in self._definitions else pytypes.ANY
        if isinstance(found, Union):
            found = union(member for member in found.members if member != itself)
        if not is_recursive and isinstance(found, Name):
            return found
        try:
            itself = Name(self._definitions.claim(name, node), "")
        except Unnameable as error:
            return self._definitions.refuse(error)
        self._definitions.add_alias(itself.name, node, found)
        return itself

    def _converts(self, node: Node) -> bool:
        parts = self._flattener.flatten(Part(node))
        return parts is not None and any(
            string_type(one) is not None for one in self._flattener.alternatives(parts)
        )

    def _alternatives(self, given: Sequence[Alternative], hint: Hint) -> Type:
        """Return the type of values that satisfy one alternative; objects of one name share a TypedDict."""
        found: list[Type] = []
        groups: dict[str, tuple[int, list[Parts]]] = {}
        for name, parts, plain in given:
            if name is None or "object" not in kinds_of(parts) or not any(declared_names(parts)):
                inner = hint if not name else Hint(hint.scope, name, is_exact=True)
                found.append(self._annotate(parts, inner, plain=plain))
                continue
            if name not in groups:
                groups[name] = (len(found), [])
                found.append(pytypes.NEVER)
            groups[name][1].append(parts)
            found.append(self._inline(parts, hint, plain, has_objects=False))
        for name, (index, members) in groups.items():
            inner = Hint(hint.scope, name, is_exact=True) if name else hint
            expanded = [one for parts in members for one in self._flattener.alternatives(parts)]
            found[index] = self._object(expanded, inner)
        return union(found)

    # -- objects and arrays --------------------------------------------------------------------

    def _object(self, alternatives: Sequence[Parts], hint: Hint) -> Type:
        key = tuple(tuple(part.key for part in parts) for parts in alternatives)
        if key in self._objects:
            return self._objects[key]
        declaring = [part for parts in alternatives for part in parts if part.get("properties")]
        if not declaring:
            return union(self._map(parts, hint) for parts in alternatives)
        node = declaring[0].node
        is_single = len(alternatives) == 1 and len(alternatives[0]) == 1
        if not is_single and self._merged >= MOST_MERGED:
            return pytypes.OBJECT
        try:
            is_merged = len(alternatives[0]) > 1
            is_told = hint.is_exact or is_merged
            name = hint.path + hint.suffix if is_told else name_of(node, hint, self._definitions.contested)
            is_shared = is_single and not hint.is_exact and "title" in node.schema
            same = (name, json.dumps(node.schema) if is_shared else "")
            if is_shared and same in self._titled:
                return self._titled[same]
            name = self._definitions.claim(name, node)
        except Unnameable as error:
            # one name can only be one of the two; what several schemas make up has none to give another to
            if error.is_twin or (error.taken and not is_single):
                return pytypes.OBJECT
            return self._definitions.refuse(error, hint.path if hint.suffix else "")
        made: Type = Name(name, "")
        if any(allows_more(parts) for parts in alternatives):  # a TypedDict alone would refuse the others
            made = union([made, pytypes.OBJECT])
            for parts in alternatives:
                self._map(parts, hint)  # what they hold keeps the name it had before there were known keys
        self._objects[key] = self._titled[same] = made
        self._merged += not is_single
        self._definitions.add_object(name, node, self._properties(alternatives, Hint(hint.scope, name)))
        self._merged -= not is_single
        return made

    def _properties(self, alternatives: Sequence[Parts], hint: Hint) -> dict[str, Property]:
        """Read off the properties of objects that satisfy one of the alternatives."""
        wires = dict.fromkeys(name for parts in alternatives for name in declared_names(parts))
        required = [dict.fromkeys(required_names(parts)) for parts in alternatives]
        wires |= {name: None for names in required for name in names}
        return {
            wire: self._property(alternatives, wire, inner, all(wire in names for names in required))
            for wire, inner in hint.of_all(wires).items()
        }

    def _property(self, alternatives: Sequence[Parts], wire: str, hint: Hint, is_required: bool) -> Property:
        """Read off one property of objects that satisfy one of the alternatives."""
        places = [self._places(parts, wire) for parts in alternatives]
        words = next(filter(None, (description(node) for nodes in places for node in nodes or ())), "")
        return Property(self._type_at(places, hint), is_required, words)

    def _type_at(self, places: Sequence[list[Node] | None], hint: Hint) -> Type:
        """Return the type of a property by the schemas it must satisfy in each alternative."""
        if len(places) == 1:
            return self._all(places[0], hint) if places[0] is not None else pytypes.ANY
        known: dict[tuple[object, ...], list[Alternative]] = {}
        for nodes in places:
            flat = self._flattener.flatten(*(Part(node) for node in nodes or ()))
            if nodes and flat is not None and (key := tuple(part.key for part in flat)) not in known:
                known[key] = self._branches.of_one(self._branches.name(nodes[0], hint), flat, hint)
        every = [one for several in known.values() for one in several]
        found = [self._alternatives(every, hint)] if every else []
        return union([*found, *([pytypes.ANY] if None in places else [])])

    def _places(self, parts: Parts, wire: str) -> list[Node] | None:
        """Return the schemas a property must satisfy; [] where it cannot be, None where it is free."""
        found: list[Node] = []
        is_closed = False
        for part in parts:
            is_declared = wire in (part.get("properties") or ())
            if is_declared:
                found.append(part.node.child("properties", wire))
            patterns = [name for name in part.get("patternProperties") or () if pattern_matches(name, wire)]
            found += [part.node.child("patternProperties", pattern) for pattern in patterns]
            if is_declared or patterns:
                continue
            if isinstance(part.get("additionalProperties"), dict):
                found.append(part.node.child("additionalProperties"))
            is_closed |= part.get("additionalProperties") is False
        return found if found or is_closed else None

    def _map(self, parts: Parts, hint: Hint) -> Name:
        return self._unless_within("map", parts, hint, self._values_of_map, pytypes.OBJECT)

    def _array(self, parts: Parts, hint: Hint) -> Name:
        return self._unless_within("array", parts, hint, self._items_of_array, pytypes.list_of(pytypes.ANY))

    def _unless_within(
        self, kind: str, parts: Parts, hint: Hint, make: Callable[[Parts, Hint], Name], otherwise: Name
    ) -> Name:
        """Return a container's type, the plain one where it holds itself and has no name to say so by."""
        key = (kind, *(part.key for part in parts))
        if key in self._within:
            return otherwise
        self._within.add(key)
        try:
            return make(parts, hint)
        finally:
            self._within.discard(key)

    def _values_of_map(self, parts: Parts, hint: Hint) -> Name:
        described = []
        for part in parts:
            values = [*part.node.inside(("patternProperties",))]
            additional = part.get("additionalProperties")
            if isinstance(additional, dict):
                values.append(part.node.child("additionalProperties"))
            if additional not in (None, True) and values:
                described.append(values)
        return pytypes.dict_of(self._all_of(described, hint.of("Value")))

    def _items_of_array(self, parts: Parts, hint: Hint) -> Name:
        described = []
        for part in parts:
            first, others = part.node.items()
            if others is not None and isinstance(others.schema, dict):
                described.append([*first, others])
            elif first:
                described.append(first if others is not None and others.schema is False else [])
        return pytypes.list_of(self._all_of(described, hint.of("Item")))

    def _all_of(self, described: Sequence[Sequence[Node]], hint: Hint) -> Type:
        """Return the type of what a container holds, each part of its schema naming what that may be."""
        if not described or not all(described):
            return pytypes.ANY
        if len(described) == 1:
            return self._one_of(described[0], hint)
        if any(len(nodes) > 1 for nodes in described):
            return pytypes.ANY
        return self._all([node for [node] in described], hint)

    def _all(self, nodes: Sequence[Node], hint: Hint) -> Type:
        """Return the type of values that satisfy all of some schemas; Never for none of them."""
        if not nodes:
            return pytypes.NEVER
        simple = simple_type(nodes[0]) if len(nodes) == 1 else None
        return simple or self._annotate(self._flattener.flatten(*(Part(node) for node in nodes)), hint)

    def _one_of(self, nodes: Sequence[Node], hint: Hint) -> Type:
        if len(nodes) == 1:
            return self._all(nodes, hint)
        flat = [(node, self._flattener.flatten(Part(node))) for node in nodes]
        named = [
            self._branches.of_one(self._branches.name(node, hint), one, hint)
            for node, one in flat
            if one is not None
        ]
        return self._alternatives([one for several in named for one in several], hint)


def _in_order(parts: Parts, kinds: frozenset[str]) -> list[str]:
    """Put JSON types in the author's order."""
    written = [kind for part in parts for kind in _as_list(part.get("type"))]
    return [kind for kind in dict.fromkeys([*written, *sorted(kinds)]) if kind in kinds]


def _as_list(given: object) -> list[str]:
    return given if isinstance(given, list) else [given] if isinstance(given, str) else []


def _holds(values: Sequence[object], wanted: object) -> bool:
    return any(value == wanted and kind_of(value) == kind_of(wanted) for value in values)
