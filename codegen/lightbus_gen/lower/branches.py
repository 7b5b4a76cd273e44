"""The branches of a choice (`anyOf`, `oneOf`, `if`), and what each is called where it is an object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from lightbus_gen.load.references import Node
from lightbus_gen.lower.definitions import Definitions
from lightbus_gen.lower.names import Hint, Unnameable, branch_name, definition_name, pascal
from lightbus_gen.lower.parts import (
    MOST_ALTERNATIVES,
    Choice,
    Flattener,
    Part,
    Parts,
    describes_object,
    required_names,
)
from lightbus_gen.lower.simple import string_type


class Alternative(NamedTuple):
    """One of the schemas that a value satisfies at least one of.

    Attributes:
        name: what to call it where it is an object; "" for nothing, None where it has a name already.
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
        definitions: takes names that cannot be used.
        homes: class names of the events that have a file to themselves, by path of the file.
    """

    def __init__(self, flattener: Flattener, definitions: Definitions, homes: Mapping[str, str]) -> None:
        self._flattener, self._definitions, self._homes = flattener, definitions, homes

    def of_choice(self, choice: Choice, hint: Hint, *, plain: bool = False) -> list[Alternative]:
        """Return the branches of a choice, and of nameless choices inside.

        Args:
            choice: the choice.
            hint: what to call it.
            plain: whether strings stay `str`, whatever the branches say.
        """
        rest = choice.rest
        possible = [
            parts
            for node in choice.branches
            if (parts := self._flattener.flatten(*rest, Part(node))) is not None
        ]
        strings = sum(self._flattener.accepts_string(parts) for parts in possible)
        is_mixed = strings > 1 and string_type(rest) is None
        named = list(islice(self._named(choice, hint), MOST_ALTERNATIVES + 1))
        if len(named) > MOST_ALTERNATIVES:
            return [Alternative(None, rest, True)]
        return [Alternative(name, parts, plain or is_mixed) for name, parts in named]

    def of_one(self, name: str | None, parts: Parts, hint: Hint) -> list[Alternative]:
        """Return one of several alternatives, or the branches where it is a nameless choice itself."""
        inner = self._flattener.union(parts) if name == "" else None
        return self.of_choice(inner, hint) if inner else [Alternative(name, parts, False)]

    def name(self, node: Node, hint: Hint, *, extends: bool = False) -> str | None:
        """Return what to call a branch that is an object.

        Args:
            node: the branch.
            hint: what to call the choice.
            extends: whether the choice itself describes an object, which each branch adds to.

        Returns:
            A class name, "" where nothing makes one, None where the branch has a name already.
        """
        parts = self._flattener.flatten(Part(node)) or ()
        try:
            if name := branch_name(node, hint):
                return name
            if len(parts) == 1 and parts[0].referred:
                home = self._homes.get(parts[0].node.document.path, "")
                own = definition_name(parts[0].node, home, self._definitions.contested)
                return hint.path + own if extends else None
        except Unnameable as error:
            self._definitions.refuse(error)
        required = required_names(parts)
        for part in parts:  # {"kind": {"const": "card"}}: the branch goes by its tag
            for name in part.get("properties") or ():
                values = self._values(part.node.child("properties", name)) if name in required else []
                if len(values) == 1 and isinstance(values[0], str):
                    return hint.path + pascal(values[0])
        return ""

    def _named(
        self, choice: Choice, hint: Hint, taken: frozenset[object] = frozenset()
    ) -> Iterator[tuple[str | None, Parts]]:
        """Yield each branch with its name, and in place of a nameless union its own branches."""
        if choice.key in taken:
            return  # it is a branch of itself, which adds nothing
        for node in choice.branches:
            parts = self._flattener.flatten(*choice.rest, Part(node))
            if parts is None:
                continue
            name = self.name(node, hint, extends=describes_object(choice.rest)) if choice.is_union else ""
            inner = self._flattener.union(parts) if name == "" else None
            if inner is None:
                yield name, parts
            else:
                yield from self._named(inner, hint, taken | {choice.key})

    def _values(self, node: Node) -> list[object]:
        parts = self._flattener.flatten(Part(node)) or ()
        return next((values for part in parts if (values := part.values()) is not None), [])
