"""The parameters that an event's payload schema describes: names, order, defaults, annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lightbus import naming
from lightbus.api import NO_DEFAULT
from lightbus.schema.language.formats import PYTHON_NAMES, format_type
from lightbus.schema.language.keywords import CLOSING, DEPENDENT, INSTEAD, UNIONS
from lightbus.schema.language.node import Node
from lightbus.schema.language.validation import pattern_matches
from lightbus.schema.payload.conversion import Unconvertible, accepts, conversion
from lightbus.schema.payload.undeclared import together

_MAX_LITERALS = 6


@dataclass(frozen=True, slots=True)
class Payload:
    """An event payload's properties, collected through `$ref`, `allOf` and the branches of choices.

    Attributes:
        properties: the schemas of each property, in the author's order.
        conditional: properties that only some branch of a choice describes, or only a dependency mentions.
        required: properties that must be present in every branch.
        is_open: whether the author declared further properties by `patternProperties`, or by
            `additionalProperties` or `unevaluatedProperties` other than false.
        is_closed: whether the schema itself refuses undeclared properties.
        patterns: where it is open, the names of further properties match one of these; () for any name.
        parts: all schemas that may describe the payload.
    """

    properties: dict[str, tuple[Node[Any], ...]]
    conditional: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    is_open: bool = False
    is_closed: bool = False
    patterns: tuple[str, ...] = ()
    parts: tuple[Node[Any], ...] = ()

    def allows(self, wire: str) -> bool:
        """Whether a property is declared, or may be one of the further ones."""
        if wire in self.properties:
            return True
        matches = not self.patterns or any(pattern_matches(pattern, wire) for pattern in self.patterns)
        return self.is_open and matches

    def and_(self, other: Payload) -> Payload:
        """Describe the payloads that fit both descriptions."""
        both = (self, other)
        unconditional = {name for each in both for name in each.properties.keys() - each.conditional}
        return Payload(
            _joined(both),
            (self.conditional | other.conditional) - unconditional,
            self.required | other.required,
            self.is_open or other.is_open,
            self.is_closed or other.is_closed,
        )


_NOTHING = Payload({})


def payload(node: Node[Any]) -> Payload:
    """Collect the properties of an event payload."""
    collected, parts = _collect(node, {}), list(together((node,)))
    is_shut = any(_is_shut(part) for part in node.conjuncts())
    closing = [inner.schema for part in parts for inner in part.inside(CLOSING)]
    # objects without declared properties are maps, whose patterns describe some names
    is_listed = any(part.has("properties") for part in parts) and not any(
        each is not False for each in closing
    )
    patterns = [pattern for part in parts for pattern, _ in part.children("patternProperties")]
    mentioned = {
        name: ()
        for part in parts
        if not _is_shut(part)
        for name in part.mentioned()
        if name not in collected.properties
    }
    return replace(
        collected,
        properties={**collected.properties, **mentioned},
        conditional=collected.conditional.union(mentioned),
        is_open=collected.is_open and not is_shut,
        patterns=tuple(dict.fromkeys(patterns)) if is_listed else (),
        parts=tuple(parts),
    )


def _collect(node: Node[Any] | None, done: dict[object, Payload]) -> Payload:
    """Describe a schema and those that apply to the same value; a schema within itself adds nothing."""
    if node is None or not isinstance(node.schema, dict):
        return _NOTHING
    if node.key not in done:
        done[node.key] = collected = _NOTHING
        for base in node.based_on():
            collected = collected.and_(_collect(base, done))
        collected = collected.and_(_own(node))
        for keyword, branches in node.choices():
            if keyword in UNIONS:
                branches = [branch for branch in branches if branch and accepts(branch, "object")]
            collected = collected.and_(_either([_collect(branch, done) for branch in branches]))
        done[node.key] = collected
    return done[node.key]


def _own(node: Node[Any]) -> Payload:
    """Describe a schema by its own keywords."""
    declared = {name: (child,) for name, child in node.children("properties")}
    required = node.keywords.get("required", ())
    closing = [node.schema[keyword] for keyword in CLOSING if node.has(keyword)]
    return Payload(
        {**declared, **{name: () for name in required if name not in declared}},
        frozenset(),
        frozenset(required),
        node.has("patternProperties") or any(value is not False for value in closing),
        any(value is False for value in closing),
    )


def _either(branches: Sequence[Payload]) -> Payload:
    """Describe the payloads that fit at least one of some descriptions."""
    properties = _joined(branches)
    return Payload(
        properties,
        frozenset(properties),
        frozenset.intersection(*(branch.required for branch in branches)) if branches else frozenset(),
        any(branch.is_open for branch in branches),
    )


def _joined(payloads: Iterable[Payload]) -> dict[str, tuple[Node[Any], ...]]:
    joined: dict[str, dict[object, Node[Any]]] = {}  # a schema that several branches share counts once
    for each in payloads:
        for name, nodes in each.properties.items():
            joined.setdefault(name, {}).update((node.key, node) for node in nodes)
    return {name: tuple(nodes.values()) for name, nodes in joined.items()}


def _is_shut(node: Node[Any]) -> bool:
    """Whether a schema refuses all properties that it does not declare."""
    shuts = node.keywords.get("additionalProperties") is False
    return shuts and not node.has("patternProperties")


@dataclass(frozen=True, slots=True)
class ParameterContract:
    """One parameter of an event.

    Attributes:
        name: keyword argument of the handlers, a Python identifier.
        wire: property of the payload.
        required: whether `fire()` requires it.
        default: JSON value filled in when it is absent, or `NO_DEFAULT`.
        description: the author's description, or "".
        deprecated: whether the schema marks it as deprecated.
        instead: what to use instead, after a colon, or "".
        nodes: the schemas that determine its type.
    """

    name: str
    wire: str
    required: bool
    default: object
    description: str
    deprecated: bool
    instead: str
    nodes: tuple[Node[Any], ...] = field(repr=False, compare=False)

    @property
    def annotation(self) -> str:
        """The Python type as text, for messages."""
        return _union(_annotation(node) for node in self.nodes)

    @property
    def always_present(self) -> bool:
        """Whether handlers always receive the parameter."""
        return self.required or self.default is not NO_DEFAULT


def is_deprecated(node: Node[Any]) -> bool:
    """Whether a schema, or one that it is based on, is marked as deprecated."""
    return any(part.keywords.get("deprecated") is True for part in node.conjuncts())


def instead(node: Node[Any]) -> str:
    """Return what a schema says to use instead, after a colon; "" if it does not."""
    texts = (part.keywords.get(INSTEAD) for part in node.conjuncts())
    return next((f": {text}" for text in texts if isinstance(text, str) and text), "")


def parameter_contracts(described: Payload) -> tuple[ParameterContract, ...]:
    """Return the parameters of a payload.

    A default applies only to an optional property that is not conditional, and only if no schema refuses it: in
    published schemas, `default` is often a comment (`{"type": "string", "default": null}`), and filling that in
    would refuse every event.
    """
    names = naming.python_names(described.properties)
    with_default = described.properties.keys() - described.required - described.conditional
    return tuple(
        ParameterContract(
            name=names[wire],
            wire=wire,
            required=wire in described.required,
            default=_default(wire, nodes, described.parts) if wire in with_default else NO_DEFAULT,
            description=next((str(n.schema["description"]) for n in nodes if n.has("description")), ""),
            deprecated=any(is_deprecated(node) for node in nodes),
            instead=next(filter(None, map(instead, nodes)), ""),
            nodes=nodes if wire in described.conditional else nodes[-1:],
        )
        for wire, nodes in described.properties.items()
    )


def _default(wire: str, nodes: Sequence[Node[Any]], parts: Sequence[Node[Any]]) -> object:
    for node in nodes:
        if node.has("default"):
            value: object = node.schema["default"]
            if not _is_usable(value, node) or any(_may_refuse(part, wire) for part in parts):
                return NO_DEFAULT
            if not all(_is_valid(value, each) for each in _always(wire, parts[0])):
                return NO_DEFAULT
            if value is None or isinstance(value, (str, int)):
                return value  # only floats, alone or in a container, may become another Python value
            convert = conversion([node], formats=False)
            return convert(value) if convert else value
    return NO_DEFAULT


def _is_usable(value: object, node: Node[Any]) -> bool:
    """Whether a schema accepts a default and a listener can convert it."""
    if not _is_valid(value, node):
        return False
    try:
        if convert := conversion([node]):
            convert(value)
    except Unconvertible:
        return False
    return True


def _is_valid(value: object, node: Node[Any]) -> bool:
    return bool(node.document.validator(node).is_valid(value))


def _always(wire: str, payload: Node[Any]) -> Iterator[Node[Any]]:
    """Yield the schemas that a property satisfies in every valid payload."""
    for part in payload.conjuncts():
        if wire in part.keywords.get("properties", ()):
            yield part.child("properties", wire)


def _may_refuse(part: Node[Any], wire: str) -> bool:
    """Whether a schema of the payload may refuse it because it has a property."""
    if (names := part.get("propertyNames")) and not _is_valid(wire, names):
        return True
    for keyword in ("dependentRequired", *DEPENDENT):
        if wire in part.keywords.get(keyword, ()):
            needed = part.child(keyword, wire)
            if isinstance(needed.schema, list) or any(each.has("required") for each in together((needed,))):
                return True
    if (excluded := part.get("not")) and any(wire in each.mentioned() for each in together((excluded,))):
        return True
    shuts = [keyword for keyword in CLOSING if part.has(keyword) and part.schema[keyword] is False]
    beside = together((part,)) if "unevaluatedProperties" in shuts else (part,)
    return bool(shuts) and not any(_declares(each, wire) for each in beside)


def _declares(part: Node[Any], wire: str) -> bool:
    keywords = part.keywords
    return wire in keywords.get("properties", ()) or any(
        pattern_matches(pattern, wire) for pattern in keywords.get("patternProperties", ())
    )


def _annotation(node: Node[Any] | None, depth: int = 0) -> str:
    """Return the Python type of the values a schema accepts, abbreviated for messages."""
    if node is None or not isinstance(node.schema, dict) or depth > 3:
        return "Any"
    schema = node.schema
    if node.has("$ref"):
        name = re.sub(r"\W", "_", str(schema["$ref"]).rstrip("#/").rpartition("/")[2], flags=re.ASCII)
        return name or "Any"
    if (values := node.listed) is not None:
        shown = ", ".join(repr(value) for value in values[:_MAX_LITERALS])
        return f"Literal[{shown}{', ...' if len(values) > _MAX_LITERALS else ''}]"
    for keyword in (*UNIONS, "allOf"):
        branches = [child for _, child in node.children(keyword)]
        if branches and (keyword != "allOf" or (len(branches) == 1 and "type" not in schema)):
            return _union(_annotation(branch, depth) for branch in branches)
    return _union(_of_type(node, kind, depth) for kind in node.types)


def _of_type(node: Node[Any], kind: str, depth: int) -> str:
    if kind == "string":
        rich = format_type(node.schema)
        return rich.name if rich else "str"
    if kind == "array" and isinstance(node.schema.get("items"), dict):
        return f"list[{_annotation(node.get('items'), depth + 1)}]"
    if kind == "array" and node.has("prefixItems"):
        return f"tuple[{', '.join(_annotation(child, depth + 1) for child in node.items()[0])}]"
    if kind == "object" and not node.has("properties"):
        return f"dict[str, {_annotation(node.get('additionalProperties'), depth + 1)}]"
    return PYTHON_NAMES.get(kind, "Any")


def _union(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return " | ".join(distinct) if distinct and "Any" not in distinct else "Any"
