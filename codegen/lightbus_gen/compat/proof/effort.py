"""How much work a validator has with a schema, so that what would take too long is not asked.

The errors of nested unions contain those of every branch, `unevaluatedProperties` applies what stands beside it once
more, and a canonical form multiplies out what must hold together.
"""

from __future__ import annotations

import math
from typing import Any

from lightbus.schema.language.keywords import CLOSING, DEPENDENT, KEYWORDS
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document

_MAX_APPLIED = 100_000
_MAX_ALTERNATIVES = 64
_OF_OTHERS = ("patternProperties", *CLOSING)
_UNEVALUATED = ("unevaluatedProperties", "unevaluatedItems")
_Efforts = dict[tuple[object, ...], float]


def can_validate(node: Node[Document], value: Any) -> bool:
    """Whether listing the errors of a value applies few enough schemas; their number may double with each level."""
    return _applied(node, value, {}) <= _MAX_APPLIED


def _applied(node: Node[Document], value: Any, done: _Efforts) -> float:
    """Return how often schemas are applied to a value and those in it; `done` has the results so far."""
    key = (*node.key, id(value))
    if key in done or not isinstance(node.schema, dict):
        return done.get(key, 1)
    done[key] = 1  # of a schema that leads to itself
    applied = [(inner, value) for inner in (*node.applied(), node.dynamic_target()) if inner]
    applied *= 1 + any(map(node.has, _UNEVALUATED))
    if isinstance(value, dict):
        declared, others = node.schema.get("properties", {}), [*node.inside(_OF_OTHERS)]
        for name, item in value.items():
            nodes = [node.child("properties", name)] if name in declared else others
            applied += ((inner, item) for inner in nodes)
    elif isinstance(value, list):
        first, rest = node.items()
        nodes = [*first[: len(value)], *([rest] if rest else []) * (len(value) - len(first))]
        applied += zip(nodes, value, strict=False)
    done[key] += sum(_applied(inner, item, done) for inner, item in applied)
    return done[key]


def has_canonical_form(root: Node[Document]) -> bool:
    """Whether the alternatives of each schema below one, multiplied out, are few enough for a canonical form."""
    done: _Efforts = {}
    todo, seen = [root], set[object]()
    while todo:
        node = todo.pop()
        if node.key in seen or not isinstance(node.schema, dict):
            continue
        seen.add(node.key)
        try:
            if _alternatives(node, done) > _MAX_ALTERNATIVES:
                return False
        except RecursionError:
            return False
        todo += [*node.targets(), *node.inside(KEYWORDS)]
    return True


def _alternatives(node: Node[Document], done: _Efforts) -> float:
    """Return how many alternatives a schema has once its unions and conditions are multiplied out."""
    if node.key in done or not isinstance(node.schema, dict):
        return done.get(node.key, 1)
    done[node.key] = 1
    product = math.prod(_alternatives(base, done) for base in node.based_on())
    product *= math.prod(_alternatives(inner, done) for inner in node.inside(("if", "not")))
    conditional = 1.0
    for keyword, branches in node.choices():
        number = sum(_alternatives(branch, done) if branch else 1 for branch in branches)
        if keyword in DEPENDENT:
            conditional += number
        else:
            product *= number
    product *= conditional + len(node.keywords.get("dependentRequired", ()))
    done[node.key] = min(product, _MAX_ALTERNATIVES + 1)
    return done[node.key]
