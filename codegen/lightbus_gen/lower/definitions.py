"""The TypedDicts and aliases of a generated module, collected as annotations turn out to need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lightbus_gen.emit import ir
from lightbus_gen.emit.text import literal
from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.names import ModuleNames, Unnameable
from lightbus_gen.lower.pytypes import Name, Type, Union
from lightbus_gen.read.files import Report

MOST_EXPANDED = 200
"""The names that an alias may stand for before others name it as text: unions inside unions multiply."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object: its type, whether it must be there, and the author's words on it."""

    type: Type
    required: bool
    description: str


class Definitions:
    """The definitions of one module.

    Args:
        names: the names taken in the module.
        report: takes the problems found.
        contested: names that several schemas would have, so that each goes by another.

    Attributes:
        listed: TypedDicts and aliases, each after the ones it needs where they are not recursive.
        used: every class and alias that they are spelled with.
        contested: as given.
        refused: the names that schemas would have and others had already.
    """

    def __init__(self, names: ModuleNames, report: Report, contested: frozenset[str] = frozenset()) -> None:
        self.listed: list[ir.TypedDict | ir.Alias] = []
        self.used: set[Name] = set()
        self.contested = contested
        self.refused: set[str] = set()
        self._names, self._report = names, report
        self._defined: set[str] = set()
        self._weights: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._defined

    def free(self, name: str) -> str:
        """Return a name that none of the module's own classes has."""
        return self._names.free(name)

    def claim(self, name: str, node: Node) -> str:
        """Take a name for a schema; raises Unnameable when something else has it."""
        return self._names.claim(name, node)

    def add_object(self, name: str, node: Node, properties: Mapping[str, Property]) -> None:
        """Define a TypedDict.

        Args:
            name: its name, claimed before.
            node: the schema that describes it.
            properties: its properties, by name.
        """
        keys = []
        for wire, found in properties.items():
            spelled = self._spell(found.type)
            keys.append(
                ir.TypedDictKey(
                    literal(wire),
                    spelled if found.required else f"NotRequired[{spelled}]",
                    found.description,
                )
            )
        self._use(
            "TypedDict",
            *(() if all(found.required for found in properties.values()) else ("NotRequired",)),
        )
        self._add(ir.TypedDict(name, description(node), tuple(keys)))

    def add_alias(self, name: str, node: Node, type_: Type) -> None:
        """Define an alias under a name claimed before; one that can be used in unions at run time, too."""
        inner = type_.members if isinstance(type_, Union) else getattr(type_, "arguments", ())
        spelled = [self._spell(member) for member in inner]
        is_recursive = any(text[0] in "\"'" for text in spelled)
        self._use("TypeAlias")
        if is_recursive and isinstance(type_, Name):
            written = f"{type_.name}[{', '.join(spelled)}]"
        elif is_recursive:
            self._use("Union")
            written = f"Union[{', '.join(spelled)}]"
        elif isinstance(type_, Union) and sum(map(len, spelled)) > 80:
            written = "(\n    " + "\n    | ".join(spelled) + "\n)"
        else:
            written = self._spell(type_)
        self._weights[name] = sum(self._weight(each) for each in pytypes.names(type_))
        self._add(ir.Alias(name, description(node), written))

    def refuse(self, error: Unnameable, name: str = "") -> Type:
        """Report a name that cannot be used, and go on with a type that needs none.

        Args:
            error: what is wrong with it.
            name: the name that it was made of, where it is another.
        """
        self.refused |= {name or error.taken} if error.taken else set()
        self._report.add(
            error.node.document,
            error.node.path,
            "NAME_COLLISION" if error.taken else "INVALID_NAME",
            str(error),
            'add "x-python-name": "AnotherName" to the schema',
        )
        return pytypes.ANY

    def _add(self, definition: ir.TypedDict | ir.Alias) -> None:
        self.listed.append(definition)
        self._defined.add(definition.name)

    def _use(self, *names: str) -> None:
        self.used.update(Name(name, "typing") for name in names)

    def _spell(self, type_: Type) -> str:
        """Write a type for module level, quoted where it names something that comes later, or is very large."""
        used = set(pytypes.names(type_))
        self.used |= used
        written = pytypes.spell(type_)
        is_ahead = any(not name.module and name.name not in self._defined for name in used)
        return literal(written) if is_ahead or any(map(self._is_heavy, used)) else written

    def _is_heavy(self, name: Name) -> bool:
        """Whether an alias stands for so much, once those inside are written out, that Python is slow to import it."""
        return not name.module and self._weights.get(name.name, 1) > MOST_EXPANDED

    def _weight(self, name: Name) -> int:
        return 1 if name.module or self._is_heavy(name) else self._weights.get(name.name, 1)


def description(node: Node) -> str:
    """Return what the author says about a schema, and whether it is deprecated; "" for nothing."""
    if not isinstance(node.schema, dict):
        return ""
    given = node.schema.get("description", "")
    words = given if isinstance(given, str) else ""
    return f"Deprecated. {words}".rstrip() if node.schema.get("deprecated") is True else words
