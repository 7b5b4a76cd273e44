"""The branches of a choice (`anyOf`, `oneOf`, `if`), and the names of those that are objects."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from lightbus_gen.load.references import Node
from lightbus_gen.lower.definitions import Definitions
from lightbus_gen.lower.flatten import MAX_ALTERNATIVES, Choice, Flattener
from lightbus_gen.lower.names import Hint, Unnameable, branch_name, word
from lightbus_gen.lower.parts import Part, Parts, describes_object, required_names
from lightbus_gen.lower.simple import string_type


class Alternative(NamedTuple):
    """A branch of a choice.

    Attributes:
        name: its class name if it is an object; "" for none, None if its schema has a name already.
        parts: its parts.
        plain: whether strings stay `str`.
    """

    name: str | None
    parts: Parts
    plain: bool


class Branches:
    """Lists the branches of choices.

    Args:
        flattener: takes schemas apart.
        definitions: knows the names of definitions, and reports those that cannot be used.
    """

    def __init__(self, flattener: Flattener, definitions: Definitions) -> None:
        self._flattener, self._definitions = flattener, definitions

    def of_choice(self, choice: Choice, hint: Hint, *, plain: bool = False) -> list[Alternative]:
        """Return the branches of a choice, and of unnamed choices inside; `plain` keeps all strings `str`."""
        branches = [self._flattener.flatten(*choice.rest, Part(node)) for node in choice.branches]
        strings = sum(parts is not None and self._flattener.accepts_string(parts) for parts in branches)
        is_mixed = strings > 1 and string_type(choice.rest) is None
        named = list(islice(self._named(choice, hint), MAX_ALTERNATIVES + 1))
        if len(named) > MAX_ALTERNATIVES:
            return [Alternative(None, choice.rest, True)]
        return [Alternative(name, parts, plain or is_mixed) for name, parts in named]

    def of_one(self, name: str | None, parts: Parts, hint: Hint) -> list[Alternative]:
        """Return one of several alternatives, or its branches if it is an unnamed choice itself."""
        inner = self._flattener.choice(parts) if name == "" else None
        return self.of_choice(inner, hint) if inner else [Alternative(name, parts, False)]

    def name(self, node: Node, hint: Hint, *, extends: bool = False) -> str | None:
        """Return the class name of a branch that is an object.

        Args:
            node: the branch.
            hint: names the choice.
            extends: whether the choice itself describes an object, which each branch adds to.

        Returns:
            A class name; "" if nothing suggests one, None if the schema has a name already.
        """
        parts = self._flattener.flatten(Part(node)) or ()
        try:
            if name := branch_name(node, hint):
                return name
            if len(parts) == 1 and parts[0].referred:
                own = self._definitions.name_of(parts[0].node)
                return hint.path + own if extends else None
        except Unnameable as error:
            self._definitions.refuse(error)
        required = required_names(parts)
        for part in parts:  # {"kind": {"const": "card"}}: the tag names the branch
            for name in part.get("properties") or ():
                values = self._values(part.node.child("properties", name)) if name in required else []
                if len(values) == 1 and isinstance(values[0], str):
                    return hint.path + word(values[0])
        return ""

    def _named(
        self, choice: Choice, hint: Hint, taken: frozenset[object] = frozenset()
    ) -> Iterator[tuple[str | None, Parts]]:
        """Yield each branch with its name, and the branches of an unnamed choice in its place."""
        if choice.key in taken:
            return  # a branch of itself adds nothing
        for node in choice.branches:
            parts = self._flattener.flatten(*choice.rest, Part(node))
            if parts is None:
                continue
            name = self.name(node, hint, extends=describes_object(choice.rest)) if choice.is_union else ""
            inner = self._flattener.choice(parts) if name == "" else None
            if inner is None:
                yield name, parts
            else:
                yield from self._named(inner, hint, taken | {choice.key})

    def _values(self, node: Node) -> list[object]:
        parts = self._flattener.flatten(Part(node)) or ()
        return next((values for part in parts if (values := part.values()) is not None), [])
