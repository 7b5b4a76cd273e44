"""Schemas -> Python types: never a type that a valid value does not have.

Where Python's types cannot follow a schema the type is wider, up to Any. Objects become TypedDicts, the
branches of a union that nothing names share one TypedDict, and definitions that are enumerations or
unions become aliases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from lightbus.schema import format_type
from lightbus_gen import pytypes
from lightbus_gen.definitions import Definitions, description
from lightbus_gen.names import Hint, Unnameable, branch_name, definition_name, name_of, pascal
from lightbus_gen.pytypes import Name, Type, Union, union
from lightbus_gen.references import Library, Node
from lightbus_gen.shapes import (
    MOST_ALTERNATIVES,
    Part,
    Parts,
    Shapes,
    declared_names,
    describes_array,
    describes_object,
    kind_of,
    kinds_of,
    required_names,
    says_type,
)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object: its type, whether it must be there, and the author's words on it."""

    type: Type
    required: bool
    description: str


class Annotator:
    """Finds the types of one generated module.

    Args:
        library: resolves `$ref`s.
        definitions: takes the TypedDicts and aliases that the types need.
        homes: class names of the events that have a file to themselves, by path of the file.
    """

    def __init__(self, library: Library, definitions: Definitions, homes: Mapping[str, str]) -> None:
        self._shapes = Shapes(library)
        self._definitions, self._homes = definitions, homes
        self._objects: dict[tuple[object, ...], Name] = {}
        self._titled: dict[tuple[str, str], Name] = {}
        self._referred: dict[object, Type] = {}
        self._open: dict[object, str] = {}
        self._recursive: set[object] = set()
        self._within: set[object] = set()

    def payload(self, node: Node, hint: Hint) -> dict[str, Property] | None:
        """Return the properties of an event's payload, None when it cannot be an object."""
        parts = self._shapes.flatten(Part(node))
        if parts is None:
            return None
        alternatives = [one for one in self._shapes.alternatives(parts) if "object" in kinds_of(one)]
        if not any(says_type(one) or describes_object(one) for one in alternatives):
            return None
        return self._properties(alternatives, hint)

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
        taken = self._shapes.union(parts) if has_objects else None
        if taken is not None:
            return self._union(*taken, hint, plain)
        listed = [values for part in parts if (values := part.values()) is not None]
        kinds = kinds_of(parts)
        if listed:
            common = [value for value in listed[0] if all(_holds(other, value) for other in listed[1:])]
            return union(pytypes.of_value(value) for value in common if kind_of(value) in kinds)
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
            return self._formats(parts) or pytypes.STR
        return pytypes.SCALARS[kind]

    def _formats(self, parts: Parts) -> Type | None:
        """Return the type that strings become when they are received."""
        for part in parts:
            if found := format_type(part.node.schema):
                return Name(found.name, found.module)
        return None

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
            name = definition_name(node, self._homes.get(node.file.path, ""))
        except Unnameable as error:
            return self._definitions.refuse(error)
        parts = self._shapes.flatten(Part(node))
        is_object = parts is not None and kinds_of(parts) == {"object"} and not self._shapes.union(parts)
        self._open[key] = name
        hint = Hint(name, name, suffix="" if is_object else "Object", is_exact=True)
        found = self._annotate(parts, hint, plain=plain)
        del self._open[key]
        self._referred[key] = found if key[1] else self._named(name, found, node, key in self._recursive)
        return self._referred[key]

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
        parts = self._shapes.flatten(Part(node))
        return parts is not None and any(
            self._formats(one) is not None for one in self._shapes.alternatives(parts)
        )

    # -- unions --------------------------------------------------------------------------------

    def _union(self, rest: Parts, branches: Sequence[Node], hint: Hint, plain: bool) -> Type:
        possible = [
            parts for node in branches if (parts := self._shapes.flatten(*rest, Part(node))) is not None
        ]
        strings = sum(self._shapes.accepts_string(parts) for parts in possible)
        is_mixed = strings > 1 and self._formats(rest) is None
        named = list(islice(self._branches(rest, branches, hint), MOST_ALTERNATIVES + 1))
        if len(named) > MOST_ALTERNATIVES:
            return self._annotate(rest, hint, plain=True)
        return self._alternatives(named, hint, plain=plain or is_mixed)

    def _branches(self, rest: Parts, nodes: Sequence[Node], hint: Hint) -> Iterator[tuple[str | None, Parts]]:
        """Yield each branch with its name, and in place of a nameless union its own branches."""
        for node in nodes:
            parts = self._shapes.flatten(*rest, Part(node))
            if parts is None:
                continue
            name = self._branch_name(node, hint, describes_object(rest))
            inner = self._shapes.union(parts) if name == "" else None
            if inner is None:
                yield name, parts
            else:
                yield from self._branches(*inner, hint)

    def _branch_name(self, node: Node, hint: Hint, extends: bool) -> str | None:
        """Return what to call a branch that is an object; None when it has a name already."""
        parts = self._shapes.flatten(Part(node)) or ()
        try:
            if name := branch_name(node, hint):
                return name
            if len(parts) == 1 and parts[0].referred:
                own = definition_name(parts[0].node, self._homes.get(parts[0].node.file.path, ""))
                return hint.path + own if extends else None
        except Unnameable as error:
            self._definitions.refuse(error)
        required = required_names(parts)
        for part in parts:  # {"kind": {"const": "card"}}: the branch goes by its tag
            for name in part.get("properties") or ():
                values = self._values(self._shapes.child(part, "properties", name))
                if name in required and len(values) == 1 and isinstance(values[0], str):
                    return hint.path + pascal(values[0])
        return ""

    def _values(self, node: Node) -> list[object]:
        parts = self._shapes.flatten(Part(node)) or ()
        return next((values for part in parts if (values := part.values()) is not None), [])

    def _alternatives(
        self, given: Sequence[tuple[str | None, Parts]], hint: Hint, *, plain: bool = False
    ) -> Type:
        """Return the type of values that satisfy one alternative; objects of one name share a TypedDict."""
        found: list[Type] = []
        groups: dict[str, tuple[int, list[Parts]]] = {}
        for name, parts in given:
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
            expanded = [one for parts in members for one in self._shapes.alternatives(parts)]
            found[index] = self._object(expanded, inner)
        return union(found)

    # -- objects and arrays --------------------------------------------------------------------

    def _object(self, alternatives: Sequence[Parts], hint: Hint) -> Type:
        key = tuple(tuple(part.key for part in parts) for parts in alternatives)
        if key in self._objects:
            return self._objects[key]
        declaring = [part for parts in alternatives for part in parts if part.get("properties")]
        if not declaring:
            return self._map(alternatives[0], hint)
        node = declaring[0].node
        is_single = len(alternatives) == 1 and len(alternatives[0]) == 1
        try:
            name = hint.path + hint.suffix if hint.is_exact else name_of(node, hint)
            is_shared = is_single and not hint.is_exact and "title" in node.schema
            same = (name, json.dumps(node.schema) if is_shared else "")
            if is_shared and same in self._titled:
                return self._titled[same]
            name = self._definitions.claim(name, node)
        except Unnameable as error:
            return self._definitions.refuse(error)
        made = self._objects[key] = self._titled[same] = Name(name, "")
        properties = self._properties(alternatives, Hint(hint.scope, name))
        kinds = {wire: (found.type, found.required) for wire, found in properties.items()}
        self._definitions.add_object(name, node, kinds)
        return made

    def _properties(self, alternatives: Sequence[Parts], hint: Hint) -> dict[str, Property]:
        """Read off the properties of objects that satisfy one of the alternatives."""
        wires = dict.fromkeys(name for parts in alternatives for name in declared_names(parts))
        wires |= dict.fromkeys(name for name in required_names(alternatives[0]) if wires)
        required = [set(required_names(parts)) for parts in alternatives]
        made = {}
        for wire in wires:
            places = [self._places(parts, wire) for parts in alternatives]
            known: dict[tuple[object, ...], tuple[str | None, Parts]] = {}
            for nodes in places:
                flat = self._shapes.flatten(*(Part(node) for node in nodes or ()))
                if nodes and flat is not None:
                    name = self._branch_name(nodes[0], hint.of(wire), False) if len(places) > 1 else None
                    known.setdefault(tuple(part.key for part in flat), (name, flat))
            types_ = [self._alternatives(list(known.values()), hint.of(wire))] if known else []
            types_ += [pytypes.ANY for nodes in places if nodes is None]
            must = all(wire in names for names in required)
            described = [node for nodes in places for node in nodes or ()]
            made[wire] = Property(union(types_), must, next(filter(None, map(description, described)), ""))
        return made

    def _places(self, parts: Parts, wire: str) -> list[Node] | None:
        """Return the schemas a property must satisfy; [] where it cannot be, None where it is free."""
        found: list[Node] = []
        is_closed = False
        for part in parts:
            if wire in (part.get("properties") or ()):
                found.append(self._shapes.child(part, "properties", wire))
                continue
            patterns = [name for name in part.get("patternProperties") or () if _matches(name, wire)]
            found += [self._shapes.child(part, "patternProperties", pattern) for pattern in patterns]
            if not patterns and isinstance(part.get("additionalProperties"), dict):
                found.append(self._shapes.child(part, "additionalProperties"))
            is_closed |= not patterns and part.get("additionalProperties") is False
        return found if found or is_closed else None

    def _map(self, parts: Parts, hint: Hint) -> Type:
        return self._unless_within("map", parts, hint, self._values_of_map, pytypes.OBJECT)

    def _array(self, parts: Parts, hint: Hint) -> Type:
        return self._unless_within("array", parts, hint, self._items_of_array, pytypes.list_of(pytypes.ANY))

    def _unless_within(
        self, kind: str, parts: Parts, hint: Hint, make: Callable[[Parts, Hint], Type], otherwise: Type
    ) -> Type:
        """Return a container's type, the plain one where it holds itself and has no name to say so by."""
        key = (kind, *(part.key for part in parts))
        if key in self._within:
            return otherwise
        self._within.add(key)
        try:
            return make(parts, hint)
        finally:
            self._within.discard(key)

    def _values_of_map(self, parts: Parts, hint: Hint) -> Type:
        for part in parts:
            if not part.has(("additionalProperties", "patternProperties")):
                continue
            values = [
                self._shapes.child(part, "patternProperties", pattern)
                for pattern in part.get("patternProperties") or ()
            ]
            additional = part.get("additionalProperties")
            if isinstance(additional, dict):
                values.append(self._shapes.child(part, "additionalProperties"))
            if additional not in (None, True) and values:
                return pytypes.dict_of(self._one_of(values, hint.of("Value")))
        return pytypes.OBJECT

    def _items_of_array(self, parts: Parts, hint: Hint) -> Type:
        item = hint.of("Item")
        for part in parts:
            if not part.has(("items", "prefixItems")):
                continue
            prefix = "items" if isinstance(part.get("items"), list) else "prefixItems"
            rest = "additionalItems" if prefix == "items" else "items"
            nodes = self._shapes.children(part, prefix)
            if part.get(rest) is not False:
                if not isinstance(part.get(rest), dict):
                    continue
                nodes = [*nodes, self._shapes.child(part, rest)]
            return pytypes.list_of(self._one_of(nodes, item) if nodes else pytypes.ANY)
        return pytypes.list_of(pytypes.ANY)

    def _one_of(self, nodes: Sequence[Node], hint: Hint) -> Type:
        if len(nodes) == 1:
            return self._annotate(self._shapes.flatten(Part(nodes[0])), hint)
        flat = [(node, self._shapes.flatten(Part(node))) for node in nodes]
        named = [(self._branch_name(node, hint, False), one) for node, one in flat if one is not None]
        return self._alternatives(named, hint)


def _in_order(parts: Parts, kinds: frozenset[str]) -> list[str]:
    """Put JSON types in the author's order."""
    written = [kind for part in parts for kind in _as_list(part.get("type"))]
    return [kind for kind in dict.fromkeys([*written, *sorted(kinds)]) if kind in kinds]


def _as_list(given: object) -> list[str]:
    return given if isinstance(given, list) else [given] if isinstance(given, str) else []


def _holds(values: Sequence[object], wanted: object) -> bool:
    return any(value == wanted and kind_of(value) == kind_of(wanted) for value in values)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False
