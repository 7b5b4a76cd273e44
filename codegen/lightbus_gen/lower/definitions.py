"""The TypedDicts and aliases of a generated module, collected as annotations need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lightbus_gen.emit import ir
from lightbus_gen.emit.text import literal
from lightbus_gen.load.references import Node
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.names import ModuleNames, Unnameable, definition_name
from lightbus_gen.lower.pytypes import Name, Type, Union
from lightbus_gen.read.files import Report

MAX_EXPANDED = 200
"""How many names an alias may expand to before others quote its name: nested unions multiply."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object."""

    type: Type
    required: bool
    description: str


class Definitions:
    """The definitions of one module.

    Args:
        names: the names taken in the module.
        homes: class names of the events that have a file to themselves, by path of the file.
        report: collects problems.
        contested: names that several schemas would have, so that none gets it.

    Attributes:
        names: as passed.
        contested: as passed.
        listed: TypedDicts and aliases, each after the ones it needs unless they are recursive.
        used: every class and alias that the module is spelled with.
        refused: the names that schemas would have and others had already.
    """

    def __init__(
        self, names: ModuleNames, homes: Mapping[str, str], report: Report, contested: frozenset[str]
    ) -> None:
        self.names, self.contested = names, contested
        self.listed: list[ir.TypedDict | ir.Alias] = []
        self.used: set[Name] = set()
        self.refused: set[str] = set()
        self._homes, self._report = homes, report
        self._defined: set[str] = set()
        self._weights: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._defined

    def name_of(self, node: Node) -> str:
        """Return the class name of a schema that a `$ref` leads to; raises Unnameable if it cannot have one."""
        return definition_name(node, self._homes.get(node.document.path, ""), self.contested)

    def add_object(self, name: str, node: Node, properties: Mapping[str, Property]) -> None:
        """Define a TypedDict under a claimed name, from its schema and properties by name."""
        self._use("TypedDict")
        keys = []
        for wire, item in properties.items():
            annotation = self._spell(item.type)
            if not item.required:
                self._use("NotRequired")
                annotation = f"NotRequired[{annotation}]"
            keys.append(ir.TypedDictKey(literal(wire), annotation, item.description))
        self._add(ir.TypedDict(name, description(node), tuple(keys)))

    def add_alias(self, name: str, node: Node, type_: Type) -> None:
        """Define an alias under a claimed name, such that unions can use it at run time."""
        inner = type_.members if isinstance(type_, Union) else getattr(type_, "arguments", ())
        spelled = [self._spell(member) for member in inner]
        is_recursive = any(text[0] in "\"'" for text in spelled)
        self._use("TypeAlias")
        if is_recursive and isinstance(type_, Name):
            source = f"{type_.name}[{', '.join(spelled)}]"
        elif is_recursive:
            self._use("Union")
            source = f"Union[{', '.join(spelled)}]"
        elif isinstance(type_, Union) and sum(map(len, spelled)) > 80:
            source = "(\n    " + "\n    | ".join(spelled) + "\n)"
        else:
            source = self._spell(type_)
        self._weights[name] = sum(self._weight(each) for each in pytypes.names(type_))
        self._add(ir.Alias(name, description(node), source))

    def refuse(self, error: Unnameable, name: str = "") -> Type:
        """Report a name that cannot be used, and return a type that needs none.

        Args:
            error: why it cannot be used.
            name: the name it was derived from, "" if it was not.
        """
        if error.taken:
            self.refused.add(name or error.taken)
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
        """Write a type for module level, quoted if it uses a name defined later or an alias that is very large."""
        used = set(pytypes.names(type_))
        self.used |= used
        source = pytypes.spell(type_)
        is_ahead = any(not name.module and name.name not in self._defined for name in used)
        return literal(source) if is_ahead or any(map(self._is_heavy, used)) else source

    def _is_heavy(self, name: Name) -> bool:
        """Whether an alias is so large, with the aliases in it expanded, that Python is slow to import it."""
        return not name.module and self._weights.get(name.name, 1) > MAX_EXPANDED

    def _weight(self, name: Name) -> int:
        return 1 if name.module or self._is_heavy(name) else self._weights.get(name.name, 1)


def description(node: Node) -> str:
    """Return the author's description of a schema, marked if it is deprecated; "" without one."""
    if not isinstance(node.schema, dict):
        return ""
    text = node.schema.get("description", "")
    text = text if isinstance(text, str) else ""
    return f"Deprecated. {text}".rstrip() if node.schema.get("deprecated") is True else text
