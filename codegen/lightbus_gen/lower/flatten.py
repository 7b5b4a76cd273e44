"""Splits schemas into the parts that a value satisfies: `$ref` and `allOf` resolved, unions expanded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lightbus.schema.language.keywords import DEPENDENT, UNIONS
from lightbus_gen.load.references import Node
from lightbus_gen.lower.parts import ALL_KINDS, CHOICES, RELEVANT, Part, Parts, kinds_of, limits_type

MAX_ALTERNATIVES = 64
"""How many alternatives nested unions are expanded to before the type gets wider instead."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Schemas of which a value must satisfy at least one.

    Attributes:
        rest: the parts that it satisfies as well.
        branches: the schemas.
        is_union: whether they are kinds of values, rather than conditions on values of one kind.
        key: identifies it.
    """

    rest: Parts
    branches: list[Node]
    is_union: bool
    key: object


class Flattener:
    """Resolves `$ref` and `allOf`, and expands unions."""

    def __init__(self) -> None:
        self._flat: dict[tuple[object, ...], Parts | None] = {}
        self._expanded: dict[tuple[object, ...], list[Parts]] = {}
        self._own_choices: dict[tuple[object, ...], list[tuple[int, str, list[Node]]]] = {}

    def flatten(self, *parts: Part) -> Parts | None:
        """Return the relevant parts that a value must satisfy together; None if no value can."""
        key = tuple((*part.key, part.referred, part.is_flat) for part in parts)
        if key not in self._flat:
            collected: dict[tuple[object, ...], Part] = {}
            seen: set[tuple[object, ...]] = set()
            is_possible = all(self._collect(part, collected, seen) for part in parts)
            self._flat[key] = _without_implied(tuple(collected.values())) if is_possible else None
        return self._flat[key]

    def _collect(
        self, part: Part, collected: dict[tuple[object, ...], Part], seen: set[tuple[object, ...]]
    ) -> bool:
        """Collect the relevant parts of a part, those of its `$ref` and `allOf` first; False if no value is valid."""
        if part.is_flat:
            collected.setdefault(part.key, part)
            return True
        schema = part.node.schema
        if isinstance(schema, bool) or part.key in seen:
            return schema is not False
        seen.add(part.key)
        for target in part.node.targets():
            if not self._collect(Part(target, referred=True), collected, seen):
                return False
        if not all(self._collect(Part(node), collected, seen) for node in part.node.inside(("allOf",))):
            return False
        if part.has(RELEVANT) and not part.node.hides_siblings:
            collected[part.key] = replace(part, is_flat=True)
        return True

    def choice(self, parts: Parts) -> Choice | None:
        """Take the first choice that the type depends on out of the parts, unions first; None if there is none."""
        first: tuple[int, int, str, list[Node]] | None = None
        for index, part in enumerate(parts):
            for rank, ignored, branches in self._choices(part):
                if first is None or rank < first[0]:
                    first = rank, index, ignored, branches
                break
            if first is not None and first[0] == 0:
                break
        if first is None:
            return None
        rank, index, ignored, branches = first
        part = parts[index]
        rest = (*parts[:index], *_without(part, (ignored,)), *parts[index + 1 :])
        return Choice(rest, branches, CHOICES[rank] in UNIONS, (part.node.key, ignored))

    def _choices(self, part: Part) -> Iterator[tuple[int, str, list[Node]]]:
        """Yield the choices of a part that the type depends on: (index in `CHOICES`, what to ignore then, branches)."""
        if part.node.key not in self._own_choices:
            self._own_choices[part.node.key] = list(self._read_choices(part.node))
        for rank, ignored, branches in self._own_choices[part.node.key]:
            if ignored not in part.ignored and any(map(self._is_relevant, branches)):
                yield rank, ignored, branches

    def _read_choices(self, node: Node) -> Iterator[tuple[int, str, list[Node]]]:
        for keyword, nodes in node.choices():
            branches = [branch or node.instead(True) for branch in nodes]
            ignored = f"{keyword}/{branches[0].path[-1]}" if keyword in DEPENDENT else keyword
            yield CHOICES.index(keyword), ignored, branches

    def alternatives(self, parts: Parts) -> list[Parts]:
        """Expand unions: a valid value satisfies at least one of the results."""
        key = tuple((*part.key, part.referred) for part in parts)
        if key not in self._expanded:
            self._expanded[key] = self._expand(parts)
        return self._expanded[key]

    def _expand(self, parts: Parts) -> list[Parts]:
        done: list[Parts] = []
        todo: list[tuple[Parts, frozenset[object]]] = [(parts, frozenset())]
        while todo:
            current, taken = todo.pop(0)
            choice = self.choice(current)
            if choice is None:
                done.append(current)
            elif choice.key in taken:
                continue  # a branch of itself adds nothing
            elif (room := MAX_ALTERNATIVES - len(todo) - len(done)) < len(choice.branches):
                todo.insert(0, (self._wider(current, room, taken), taken))
            else:
                flat = [self.flatten(*choice.rest, Part(branch)) for branch in choice.branches]
                todo[:0] = [(inner, taken | {choice.key}) for inner in flat if inner is not None]
        return done

    def _wider(self, parts: Parts, room: int, taken: frozenset[object]) -> Parts:
        """Return parts without the choices that have more branches than there is room for, unless taken before."""
        wider: list[Part] = []
        for part in parts:
            large = [name for _, name, branches in self._choices(part) if len(branches) > room]
            wider += _without(part, [name for name in large if (part.node.key, name) not in taken])
        return *wider, Part(parts[0].node.instead({"additionalProperties": True}))  # for all the branches

    def accepts_string(self, parts: Parts) -> bool:
        """Whether a string can be valid, judged by types and listed values."""
        if "string" not in kinds_of(parts):
            return False
        return any("string" in kinds_of(alternative) for alternative in self.alternatives(parts))

    def _is_relevant(self, branch: Node) -> bool:
        """Whether a union branch says more than which properties are required."""
        parts = self.flatten(Part(branch))
        return parts is None or any(part.has(RELEVANT - {"required"}) for part in parts)


def _without(part: Part, choices: Sequence[str]) -> list[Part]:
    """Return a part that ignores some choices, [] if nothing relevant is left of it."""
    if not choices:
        return [part]
    reduced = replace(part, ignored=(*part.ignored, *choices))
    return [reduced] if reduced.has(RELEVANT) else []


def _without_implied(parts: Parts) -> Parts:
    """Drop parts that only declare a type which the other parts imply."""
    is_type_only = [
        RELEVANT.intersection(part.node.schema).difference(part.ignored) == {"type"} for part in parts
    ]
    if not any(is_type_only):
        return parts
    kept: list[Part] = []
    allowed = Counter(part.kinds for part in parts)
    limiting = sum(limits_type((part,)) for part in parts)
    for part, is_plain in zip(parts, is_type_only, strict=True):
        kinds = part.kinds
        allowed[kinds] -= 1
        others = ALL_KINDS.intersection(*(each for each, count in allowed.items() if count))
        if is_plain and others <= kinds and limiting > 1:
            limiting -= 1
            continue
        allowed[kinds] += 1
        kept.append(part)
    return tuple(kept)
