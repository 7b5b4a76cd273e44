"""Whether what one version writes fits what another version reads, and every place where it does not.

The writer's schema is split into shapes (`shape.py`). The reader's is taken keyword by keyword, opened as
`lightbus.schema.open_schema` does, and each keyword must follow from the shape. So the answer "fits" is a proof, and
every doubt is located at the keyword that raises it.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lightbus.schema import open_schema
from lightbus.schema.language.keywords import CLOSING
from lightbus_gen.compat.fit.disjoint import is_disjoint
from lightbus_gen.compat.fit.members import Members
from lightbus_gen.compat.fit.obstacles import Obstacle, Spot, deduplicated, kinds_in_words, obstacle
from lightbus_gen.compat.fit.pairs import Pairs
from lightbus_gen.compat.fit.sample import Sampler
from lightbus_gen.compat.fit.scalars import limit_obstacles, value_obstacles
from lightbus_gen.compat.shapes.equality import Equality
from lightbus_gen.compat.shapes.expand import MAX_SHAPES, Shapes, values_of
from lightbus_gen.compat.shapes.shape import AllOf, Shape
from lightbus_gen.compat.shapes.view import View, Views, comparable
from lightbus_gen.load.references import Node
from lightbus_gen.lower.parts import kind_of

_MAX_STEPS = 50_000
_VALUES_OF_STEP = 20
"""Listed values that take as long to compare as a schema."""
_DEEPEST = 10_000
"""The recursion limit: a long chain of types that refer to each other is followed by nested calls."""
_FEW = 8
"""The branches of a union that all listed values are compared with at once, rather than one by one."""
_ANY = object()
_OPAQUE_KINDS = {"contains": "array", "unevaluatedItems": "array", "propertyNames": "object"}


class TooMuch(Exception):
    """The comparison would take too long."""


class Containment:
    """Compares what one version writes with what another reads.

    Args:
        writer: the writer's schemas.
        reader: the reader's schemas.
        same: compares schemas of the two versions as texts.
    """

    def __init__(self, writer: Views, reader: Views, same: Equality) -> None:
        self._shapes = Shapes(writer)
        self._sampler = Sampler(self._shapes)
        self._members = Members(self._sampler, same, self._fits, self._meets)
        self._writer, self._reader = writer, reader
        self._same = same
        self._pairs = Pairs()
        self._exclusive: dict[object, bool] = {}
        self._tags: dict[object, str | None] = {}
        self._listing: dict[object, dict[object, list[int]]] = {}
        self._steps = 0

    def obstacles(self, written: Node, read: Node) -> list[Obstacle]:
        """Return the obstacles for an event; [] proves that there are none.

        Raises:
            TooMuch: the comparison would take too long.
        """
        self._steps = 0
        self._pairs.begin()
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, _DEEPEST))
        try:
            return deduplicated(self._fits((written,), read, Spot(), is_payload=True))
        except RecursionError:
            raise TooMuch from None
        finally:
            sys.setrecursionlimit(limit)

    def _count_step(self, shape: Shape | None = None) -> None:
        self._steps += 1
        if shape is not None and shape.values is not None:
            self._steps += len(shape.values) // _VALUES_OF_STEP
        if self._steps > _MAX_STEPS:
            raise TooMuch

    def _fits(self, nodes: AllOf, read: Node, spot: Spot, *, is_payload: bool = False) -> list[Obstacle]:
        """Compare the value of a payload, property or item with a schema."""
        self._count_step()
        nodes, read = tuple(map(self._writer.meant, nodes)), self._reader.meant(read)
        if isinstance(read.schema, bool) and read.schema:
            return []
        if len(nodes) == 1 and self._same.at_a_glance(nodes[0], read):
            return []
        key = (is_payload, read.key, *sorted({node.key for node in nodes}, key=repr))
        previous = self._pairs.recall(key, spot)
        if previous is not None:
            return previous
        obstacles: list[Obstacle] = []
        with self._pairs.comparing(key, spot, obstacles):
            for shape in self._shapes(nodes, is_payload=is_payload):
                obstacles += self._meets(shape, read, spot, frozenset())
        return obstacles

    def _meets(
        self,
        shape: Shape,
        read: Node,
        spot: Spot,
        seen: frozenset[object],
        compared: set[object] | None = None,
    ) -> list[Obstacle]:
        """Compare a shape with a schema.

        Args:
            shape: what is sent.
            read: the schema.
            spot: the place in the payload.
            seen: the keys of the schemas around it.
            compared: the keys of the schemas that must hold together with it and were compared already.
        """
        self._count_step(shape)
        view = self._reader(read)
        if read.key in seen and not isinstance(read.schema, bool):
            return [obstacle("opaque", shape, view, "$ref", "", "", spot, ())]
        seen |= {read.key}
        compared = set() if compared is None else compared
        if read.key in compared:
            return []
        compared.add(read.key)
        if view.never:
            examples = self._sampler.of_shape(shape)
            return [
                obstacle("forbidden", shape, view, "", kinds_in_words(shape.kinds), "nothing", spot, examples)
            ]
        if view.values is not None and shape.values is None and (finite := shape.kinds & {"boolean", "null"}):
            split = [
                replace(shape, kinds=finite, values=values_of(finite)),
                replace(shape, kinds=shape.kinds - finite),
            ]
            return [
                each
                for part in split
                if part.kinds
                for each in self._meets(part, read, spot, seen - {read.key})
            ]
        obstacles: list[Obstacle] = []
        for base in view.based_on:
            obstacles += self._meets(shape, base, spot, seen, compared)
        if refused := shape.kinds - view.kinds:
            examples = self._sampler.of_shape(shape, refused)
            words = kinds_in_words(shape.kinds), kinds_in_words(view.kinds)
            obstacles.append(obstacle("type", shape, view, "type", *words, spot, examples))
            shape = replace(shape, kinds=shape.kinds - refused)
            if shape.values is not None:
                shape.values = [value for value in shape.values if kind_of(value) in shape.kinds]
        if not shape.kinds:
            return obstacles
        if shape.values is not None:
            obstacles += value_obstacles(shape, view, spot)
        else:
            obstacles += limit_obstacles(self._sampler, shape, view, spot)
        if "object" in shape.kinds:
            obstacles += self._members.object(shape, view, spot, seen)
        if "array" in shape.kinds:
            obstacles += self._members.array(shape, view, spot)
        for keyword, branches in view.unions.items():
            obstacles += self._union(shape, view, keyword, branches, spot, seen)
        for keyword in view.opaque:
            obstacles += self._whole(shape, view, keyword, spot, seen)
        return obstacles

    def _union(
        self,
        shape: Shape,
        view: View,
        keyword: str,
        branches: list[Node],
        spot: Spot,
        seen: frozenset[object],
    ) -> list[Obstacle]:
        is_exclusive = keyword == "oneOf" and self._is_exclusive(view)
        if not is_exclusive and (unequal := self._unequal(shape, branches)) is not None:
            split = [self._union(part, view, keyword, branches, spot, seen) for part in unequal]
            return [each for results in split for each in results]
        by_branch: list[list[Obstacle]] = []
        likeness: dict[int, float] = {}
        candidates = self._candidates(shape, view, keyword, branches)
        is_long = len(candidates) > _FEW and shape.values is not None and len(shape.values) > 1
        for branch in candidates if not is_long else ():
            obstacles = self._meets(shape, branch, spot, seen)
            by_branch.append(obstacles)
            likeness[id(obstacles)] = self._likeness(shape, branch)
            others = (other for other in candidates if other is not branch)
            if not obstacles and (not is_exclusive or all(self._is_apart(shape, other) for other in others)):
                return []
        parts = _parts(shape)
        if len(parts) > 1:
            split = [self._union(part, view, keyword, branches, spot, seen) for part in parts]
            return [each for results in split for each in results]
        if any(not obstacles for obstacles in by_branch):  # two branches may match at once
            if any(self._has_same(other, view, keyword) for other in shape.views):
                return []
            return self._doubt(shape, view, keyword, spot)
        likely = [results for results in by_branch if not any(_is_mismatch(each, spot) for each in results)]
        if likely:
            return min(
                likely,
                key=lambda results: (
                    -likeness[id(results)],
                    sum(each.is_near(spot) for each in results),
                    len(results),
                ),
            )
        sent = self._sampler.of_shape(shape)
        words = kinds_in_words(shape.kinds), "none of the branches"
        return [obstacle("branch", shape, view, keyword, *words, spot, sent)]

    def _likeness(self, shape: Shape, branch: Node) -> float:
        """Return the share of the property names of a shape and a branch that both have; 0 for other values."""
        if "object" not in shape.kinds:
            return 0
        todo, read = [self._reader.meant(branch)], set[str]()
        for node in todo[:_FEW]:
            view = self._reader(node)
            read.update(view.properties, view.required)
            todo += view.based_on
        sent = {name for view in shape.views for name in (*view.properties, *view.required)}
        return len(sent & read) / len(sent | read) if sent | read else 0

    def _unequal(self, shape: Shape, branches: list[Node]) -> list[Shape] | None:
        """Split a shape by a union that was too long for it; None without one.

        Branches that equal one of the reader's are left out: what satisfies them fits.
        """
        if shape.values is not None or len(branches) == 1:
            return None
        together = {view.node.key for view in shape.views}
        for view in shape.views:
            for sent in view.unions.values():
                if len(sent) <= MAX_SHAPES or not together.isdisjoint(branch.key for branch in sent):
                    continue
                self._steps += len(sent) // _VALUES_OF_STEP
                read = set(map(self._text, branches)) - {None}
                left = [branch for branch in sent if self._text(branch) not in read]
                if len(left) < len(sent):
                    nodes = tuple(each.node for each in shape.views)
                    parts = [part for branch in left for part in self._shapes((*nodes, branch))]
                    common = [replace(part, kinds=part.kinds & shape.kinds) for part in parts]
                    return [part for part in common if part.kinds]
        return None

    def _text(self, branch: Node) -> tuple[str, str] | None:
        text = self._same.text(branch)
        return (branch.document.dialect, text) if text is not None else None

    def _candidates(self, shape: Shape, view: View, keyword: str, branches: list[Node]) -> list[Node]:
        """Return the branches that may accept a shape: if it, or its tag, has one value, those that list it or nothing."""
        by_value, values = self._by_value(view, keyword, branches), shape.values
        name = self._tag(view, keyword, branches) if shape.kinds == {"object"} else None
        if name is not None and name in shape.present:
            by_value = self._by_value(view, keyword, branches, name)
            tags = [tag.values for nodes in shape.value(name) for tag in self._shapes(nodes)]
            values = tags[0] if len(tags) == 1 else None
        if values is None or len(values) != 1 or isinstance(values[0], (dict, list)):
            return branches
        likely = {*by_value.get(_ANY, ()), *by_value.get(comparable(values[0]), ())}
        return [branches[at] for at in sorted(likely)]

    def _tag(self, view: View, keyword: str, branches: list[Node]) -> str | None:
        """Return the property that most branches of a union list values of, or None."""
        key = (view.node.key, keyword)
        if key not in self._tags:
            properties = [self._reader(self._reader.meant(branch)).properties for branch in branches]
            tags = Counter(
                name for each in properties for name, node in each.items() if self._listed(node) is not None
            )
            self._tags[key] = max(tags, key=lambda name: tags[name], default=None)
        return self._tags[key]

    def _listed(self, node: Node) -> list[Any] | None:
        """Return the scalars that a reader's schema lists, or None."""
        values = self._reader(self._reader.meant(node)).values
        is_scalar = values and not any(isinstance(each, (dict, list)) for each in values)
        return values if is_scalar else None

    def _by_value(
        self, view: View, keyword: str, branches: list[Node], tag: str | None = None
    ) -> dict[object, list[int]]:
        """Return the indexes of the branches of a union by the values they list, `_ANY` without a list.

        Args:
            view, keyword, branches: the union.
            tag: the property whose values count; None for the values of the branches themselves.
        """
        key = (view.node.key, keyword, tag)
        if key not in self._listing:
            by_value = self._listing[key] = {}
            for at, branch in enumerate(branches):
                node = (
                    self._reader(self._reader.meant(branch)).properties.get(tag)
                    if tag is not None
                    else branch
                )
                values = self._listed(node) if node else None
                for value in (_ANY,) if values is None else set(map(comparable, values)):
                    by_value.setdefault(value, []).append(at)
        return self._listing[key]

    def _is_exclusive(self, view: View) -> bool:
        """Whether two branches of a reader's `oneOf` may match one value, and it is still one when it is opened."""
        if view.node.key not in self._exclusive:
            by_value = self._by_value(view, "oneOf", view.unions["oneOf"])
            is_apart = _ANY not in by_value and all(len(at) == 1 for at in by_value.values())
            one_of = {"oneOf": view.node.schema["oneOf"]}
            is_opened = "propertyNames" not in view.node.path  # names are compared with the schema as written
            opened = {} if is_apart else open_schema(one_of) if is_opened else one_of
            self._exclusive[view.node.key] = "oneOf" in opened
        return self._exclusive[view.node.key]

    def _has_same(self, other: View, view: View, keyword: str) -> bool:
        sent, read = other.unions.get(keyword), view.unions[keyword]
        return sent is not None and len(sent) == len(read) and all(map(self._same, sent, read))

    def _whole(
        self, shape: Shape, view: View, keyword: str, spot: Spot, seen: frozenset[object]
    ) -> list[Obstacle]:
        """Compare a keyword as a whole."""
        if _OPAQUE_KINDS.get(keyword) and _OPAQUE_KINDS[keyword] not in shape.kinds:
            return []
        if keyword == "unevaluatedItems":  # all of the schema decides what it applies to
            if any(self._same(other.node, view.node) for other in shape.views):
                return []
            return self._doubt(shape, view, keyword, spot)
        alike = shape.index.opaque.get((keyword, view.opaque[keyword]), ())
        for other in itertools.chain(alike, (other for other in shape.views if keyword in other.opaque)):
            self._count_step()
            if self._same.keyword(other.node, view.node, keyword):
                return []
        child = view.node.child
        if keyword == "not" and self._is_apart(shape, child("not")):
            return []
        if keyword == "if":
            cases = [child(name) for name in ("then", "else") if name in view.node.schema]
            if self._is_apart(shape, child("if")):
                cases = [child("else")] if "else" in view.node.schema else []
            if not any(self._meets(shape, case, spot, seen) for case in cases):
                return []
        if keyword == "propertyNames":
            return self._members.names(shape, view, spot)
        if keyword == "contains":
            return self._contains(shape, view, spot)
        return self._doubt(shape, view, keyword, spot)

    def _contains(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        """Compare the items that arrays must contain: the least and the greatest number, of the same or a wider schema."""
        least, most = _contained(view)
        read = view.node.child("contains")
        alike = [other for other in shape.views if "contains" in other.opaque]
        has_least = least == 0 or any(
            _contained(other)[0] >= least and not self._fits((other.node.child("contains"),), read, spot)
            for other in alike
        )
        has_most = most is None or any(
            (limit := _contained(other)[1]) is not None
            and limit <= most
            and self._same.text(read) == self._same.text(other.node.child("contains")) is not None
            and not any(
                f"'{keyword}'" in str(self._same.text(read)) for keyword in CLOSING
            )  # opened, they match more
            for other in alike
        )
        if has_least and has_most:
            return []
        needed = [(other.node.child("contains"), _contained(other)[0]) for other in alike]
        counts = (least - 1, least, *((most, most + 1) if most is not None else ()))
        examples = self._sampler.containing(shape, needed, read, [count for count in counts if count >= 0])
        others = self._doubt(shape, view, "contains", spot)[0].values
        return [obstacle("opaque", shape, view, "contains", "", "", spot, itertools.chain(examples, others))]

    def _doubt(self, shape: Shape, view: View, keyword: str, spot: Spot) -> list[Obstacle]:
        constants = list(_values_in(view.node.schema.get(keyword)))
        numbers = [value for value in constants if kind_of(value) in ("integer", "number")]
        examples = self._sampler.of_shape(shape, near=numbers)
        return [obstacle("opaque", shape, view, keyword, "", "", spot, itertools.chain(constants, examples))]

    def _is_apart(self, shape: Shape, read: Node) -> bool:
        return is_disjoint(shape, read, self._shapes, self._reader)


def _contained(view: View) -> tuple[int, int | None]:
    """Return the least and the greatest number of items that `contains` is about."""
    keywords = view.node.keywords
    most = keywords.get("maxContains")
    return int(keywords.get("minContains", 1)), None if most is None else int(most)


def _values_in(schema: Any) -> Iterator[Any]:
    """Yield the numbers and texts in a schema; values at its limits are among them."""
    todo = [schema]
    while todo:
        node = todo.pop(0)
        if isinstance(node, (dict, list)):
            todo += node.values() if isinstance(node, dict) else node
        else:
            yield node


def _parts(shape: Shape) -> list[Shape]:
    if shape.values is not None:
        return [replace(shape, values=[value], kinds=frozenset((kind_of(value),))) for value in shape.values]
    return [
        replace(shape, kinds=frozenset((kind,)), values=values_of(frozenset((kind,))) or None)
        for kind in sorted(shape.kinds)
    ]


def _is_mismatch(problem: Obstacle, spot: Spot) -> bool:
    """Whether an obstacle shows that a branch describes a different kind of value altogether."""
    if problem.path == spot.path:
        return problem.kind in ("type", "values", "values_listed", "forbidden", "branch", "opaque")
    return (
        len(problem.path) == len(spot.path) + 1 and problem.kind == "values" and problem.name == problem.sent
    )
