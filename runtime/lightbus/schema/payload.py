"""What an event's payload schema says about its parameters: names, order, defaults, annotations."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lightbus import naming
from lightbus.api import NO_DEFAULT
from lightbus.schema.formats import PYTHON_NAMES, format_type
from lightbus.schema.reference import Node

_MAX_LITERALS = 6


@dataclass(frozen=True, slots=True)
class Payload:
    """An event payload's properties, gathered through `$ref` and `allOf`.

    Attributes:
        properties: the places that describe each property, in the author's order.
        required: properties that must be present.
        is_open: whether the author declared further properties by `patternProperties`, or by
            `additionalProperties` or `unevaluatedProperties` other than false.
        is_closed: whether the schema itself refuses undeclared properties.
    """

    properties: dict[str, tuple[Node, ...]]
    required: frozenset[str]
    is_open: bool
    is_closed: bool


def payload(node: Node) -> Payload:
    """Gather the properties of an event payload."""
    properties: dict[str, tuple[Node, ...]] = {}
    required: set[str] = set()
    is_open = is_closed = False
    for part in _parts(node, set()):
        for name, child in part.children("properties"):
            properties[name] = (*properties.get(name, ()), child)
        if part.has("required") and isinstance(part.schema["required"], list):  # draft 3 had booleans
            required.update(part.schema["required"])
        is_open |= part.has("patternProperties")
        for keyword in ("additionalProperties", "unevaluatedProperties"):
            if part.has(keyword):
                is_closed |= part.schema[keyword] is False
                is_open |= part.schema[keyword] is not False
    return Payload(properties, frozenset(required), is_open, is_closed)


def _parts(node: Node | None, seen: set[str]) -> Iterable[Node]:
    if node is None or not isinstance(node.schema, dict) or node.uri in seen:
        return
    seen.add(node.uri)
    yield from _parts(node.target(), seen)
    for _, child in node.children("allOf"):
        yield from _parts(child, seen)
    yield node


@dataclass(frozen=True, slots=True)
class ParameterContract:
    """One value an event carries.

    Attributes:
        name: keyword argument of the handlers, a Python identifier.
        wire: property of the payload.
        required: whether `fire()` must be given it.
        default: JSON value filled in when it is absent, or `NO_DEFAULT`.
        annotation: its Python type, as text for messages.
        description: the author's words, "" without.
    """

    name: str
    wire: str
    required: bool
    default: object
    annotation: str
    description: str = ""

    @property
    def always_present(self) -> bool:
        """Whether handlers always receive it."""
        return self.required or self.default is not NO_DEFAULT


def parameter_contracts(found: Payload) -> tuple[ParameterContract, ...]:
    """Describe the parameters of a payload.

    A default counts for an optional property, and only when its own schema accepts it: in the wild, `default`
    is often a comment (`{"type": "string", "default": null}`), and filling that in would refuse every event.
    """
    names = naming.python_names(found.properties)
    return tuple(
        ParameterContract(
            name=names[wire],
            wire=wire,
            required=wire in found.required,
            default=NO_DEFAULT if wire in found.required else _default(nodes),
            annotation=annotation(nodes[-1]),
            description=_description(nodes),
        )
        for wire, nodes in found.properties.items()
    )


def _default(nodes: Iterable[Node]) -> object:
    for node in nodes:
        if node.has("default"):
            value: object = node.schema["default"]
            return value if node.document.validator(node).is_valid(value) else NO_DEFAULT
    return NO_DEFAULT


def _description(nodes: Iterable[Node]) -> str:
    return next(
        (str(node.schema["description"]) for node in nodes if node.has("description")),
        "",
    )


def annotation(node: Node) -> str:
    """Write the Python type of the values a schema accepts, briefly, for messages."""
    return _annotation(node, 0)


def _annotation(node: Node | None, depth: int) -> str:
    if node is None or not isinstance(node.schema, dict) or depth > 3:
        return "Any"
    schema = node.schema
    if node.has("$ref"):
        name = re.sub(r"\W", "_", str(schema["$ref"]).rstrip("#/").rpartition("/")[2], flags=re.ASCII)
        return name or "Any"
    if node.has("const") or node.has("enum"):
        values = [schema["const"]] if node.has("const") else schema["enum"]
        shown = ", ".join(repr(value) for value in values[:_MAX_LITERALS])
        return f"Literal[{shown}{', ...' if len(values) > _MAX_LITERALS else ''}]"
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches = [child for _, child in node.children(keyword)]
        if branches and (keyword != "allOf" or (len(branches) == 1 and "type" not in schema)):
            return _union(_annotation(branch, depth) for branch in branches)
    types = schema.get("type", ())
    return _union(_of_type(node, kind, depth) for kind in ([types] if isinstance(types, str) else types))


def _of_type(node: Node, kind: str, depth: int) -> str:
    if kind == "string":
        found = format_type(node.schema)
        return found.name if found else "str"
    if kind == "array" and isinstance(node.schema.get("items"), dict):
        return f"list[{_annotation(node.get('items'), depth + 1)}]"
    if kind == "array" and node.has("prefixItems"):
        return (
            f"tuple[{', '.join(_annotation(child, depth + 1) for _, child in node.children('prefixItems'))}]"
        )
    if kind == "object" and not node.has("properties"):
        return f"dict[str, {_annotation(node.get('additionalProperties'), depth + 1)}]"
    return PYTHON_NAMES.get(kind, "Any")


def _union(names: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return " | ".join(distinct) if distinct and "Any" not in distinct else "Any"
