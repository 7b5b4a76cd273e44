"""Python types as data, before they are spelled as source text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lightbus_gen.emit.text import literal


@dataclass(frozen=True, slots=True)
class Name:
    """A class or alias.

    Attributes:
        name: its name.
        module: where it is imported from; "builtins", or "" for a type of the generated module itself.
        arguments: type arguments: `list[str]`.
    """

    name: str
    module: str = "builtins"
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class Literals:
    """Some values of str, int and bool, in order."""

    values: tuple[tuple[str, str | int | bool], ...]
    """(type name, value) pairs, since `True == 1`."""

    @classmethod
    def of(cls, values: Iterable[str | int | bool]) -> Literals:
        """Return the type of some values, each once."""
        return cls(tuple(dict.fromkeys((type(value).__name__, value) for value in values)))


@dataclass(frozen=True, slots=True)
class Union:
    """One of several types, in order; `union()` makes it."""

    members: tuple[Type, ...]


Type = Name | Literals | Union

ANY = Name("Any", "typing")
NEVER = Name("Never", "typing")
NONE = Name("None")
STR, INT, FLOAT, BOOL = Name("str"), Name("int"), Name("float"), Name("bool")
UNSET_TYPE = Name("UnsetType", "lightbus")
OBJECT = Name("dict", arguments=(STR, ANY))
SCALARS: dict[str, Type] = {"string": STR, "integer": INT, "number": FLOAT, "boolean": BOOL, "null": NONE}
"""The types of the JSON types that contain no others."""


def list_of(item: Type) -> Name:
    """Return `list[item]`."""
    return Name("list", arguments=(item,))


def dict_of(value: Type) -> Name:
    """Return `dict[str, value]`."""
    return Name("dict", arguments=(STR, value))


def of_value(value: object) -> Type:
    """Return the narrowest type that a JSON value has."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return INT  # mypy has no such literal
    if isinstance(value, (str, bool, int)):
        return Literals.of([value])
    types: dict[type, Type] = {float: FLOAT, list: list_of(ANY), dict: OBJECT}
    return types.get(type(value), NONE)


def union(types: Iterable[Type]) -> Type:
    """Join types into the simplest type that has all their values, in order, Any and None last.

    Other types stay beside Any: the union accepts everything, and still tells people and editors what to expect.
    Lists whose items need context to be inferred become one list, and such dicts one dict: mypy cannot tell
    which member of a union a literal is meant to be.
    """
    types = tuple(types)
    if len(types) == 1:
        return types[0]
    members: dict[Type, None] = {}
    values: list[str | int | bool] = []
    inner: dict[str, list[Type]] = {}
    for type_ in types:
        for member in type_.members if isinstance(type_, Union) else (type_,):
            if isinstance(member, Literals):
                if not values:
                    members[Literals(())] = None  # keeps their place
                values += [value for _, value in member.values]
            elif isinstance(member, Name) and member.arguments:
                inner.setdefault(member.name, []).append(member.arguments[-1])
                members[Name(member.name)] = None  # keeps their place
            elif member != NEVER:
                members[member] = None
    joined: dict[Type, list[Type]] = {}
    for name, arguments in inner.items():
        make = list_of if name == "list" else dict_of
        distinct = [union(arguments)] if any(map(_needs_context, arguments)) else dict.fromkeys(arguments)
        joined[Name(name)] = [make(argument) for argument in distinct]
    if FLOAT in members:  # a float parameter takes ints, by PEP 484
        members.pop(INT, None)
    absorbed = {name.name for name in (STR, INT, BOOL) if name in members}
    literals = Literals.of(value for value in values if type(value).__name__ not in absorbed)
    if {("bool", True), ("bool", False)} <= set(literals.values):
        literals = Literals(tuple(item for item in literals.values if item[0] != "bool"))
        members[BOOL] = None
    joined[Literals(())] = [literals] if literals.values else []
    ordered = [
        type_ for member in members if member not in (NONE, ANY) for type_ in joined.get(member, [member])
    ]
    ordered += [last for last in (ANY, NONE) if last in members]
    if not ordered:
        return NEVER
    return ordered[0] if len(ordered) == 1 else Union(tuple(ordered))


def _needs_context(type_: Type) -> bool:
    """Whether checkers infer this type of a literal only if it is expected: `[1]` is a `list[int]` otherwise."""
    return not isinstance(type_, Name) or not type_.module or bool(type_.arguments) or type_ == FLOAT


def names(type_: Type) -> Iterator[Name]:
    """Yield each class or alias a type is spelled with."""
    if isinstance(type_, Name):
        yield type_
        for argument in type_.arguments:
            yield from names(argument)
    elif isinstance(type_, Union):
        for member in type_.members:
            yield from names(member)
    else:
        yield Name("Literal", "typing")


def spell(type_: Type, renamed: Mapping[str, str] | None = None) -> str:
    """Return a type as an annotation; `renamed` has other names for some types, by name."""
    renamed = renamed or {}
    if isinstance(type_, Union):
        return " | ".join(spell(member, renamed) for member in type_.members)
    if isinstance(type_, Literals):
        listed = ", ".join(literal(value) for _, value in type_.values)
        return f"{renamed.get('Literal', 'Literal')}[{listed}]"
    arguments = ", ".join(spell(argument, renamed) for argument in type_.arguments)
    name = renamed.get(type_.name, type_.name)
    return f"{name}[{arguments}]" if arguments else name
