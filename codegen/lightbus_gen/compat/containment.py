"""Whether what one version writes fits what another version reads, and every place where it does not.

The writer is taken apart into shapes (`shape.py`); the reader is read keyword by keyword, as
`lightbus.schema.open_schema` would open it, and each keyword must follow from the shape. That way the answer
"fits" is a proof, and every doubt stands at the keyword that raises it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from fractions import Fraction
from typing import Any

from lightbus.schema import open_schema
from lightbus.schema.validation import validator
from lightbus_gen.compat.equality import Equality
from lightbus_gen.compat.regex import strings_of
from lightbus_gen.compat.sample import Sampler
from lightbus_gen.compat.shape import All, Shape, Shapes, accepts_scalar, matches
from lightbus_gen.compat.view import KINDS, LOWER, UPPER, View, Views, kind_of, text_of
from lightbus_gen.references import Node

_MOST_STEPS = 50_000
_MOST_VALUES = 30
_CHOICES = 4
_LIMITED = {"Length": "string", "Items": "array", "Properties": "object"}
_LIMIT_KINDS = {"Length": "length", "Items": "item_count", "Properties": "field_count"}
_OPAQUE_KINDS = {"contains": "array", "unevaluatedItems": "array", "propertyNames": "object"}
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a payload.

    Attributes:
        path: the way there.
        field: what people call it: `address.city`, `lines[].price`, `labels.*`.
        wrap: makes a whole payload around a value that stands there; a number chooses among the values beside it.
    """

    path: Path = ()
    field: str = ""
    wrap: Callable[[Any, int], Any] = dataclass_field(default=lambda value, choice: value, repr=False)


@dataclass(slots=True, eq=False)
class Obstacle:
    """Something a producer may send and the reader may refuse.

    Attributes:
        kind: what sort of obstacle, a key of `rules.PAIRS`.
        reader, reader_keyword: the schema that may refuse, and by which keyword, "" for all of it.
        writer, writer_keyword: the schema that lets it be sent.
        sent, taken: what is sent and what is taken, in words.
        path, field: the place in the payload.
        payloads: makes payloads that may show it.
        name: the property that is missing, where one is.
    """

    kind: str
    reader: Node
    reader_keyword: str
    writer: Node
    writer_keyword: str
    sent: str
    taken: str
    path: Path
    field: str
    payloads: Callable[[], Iterator[Any]] = dataclass_field(repr=False)
    name: str = ""


class TooMuch(Exception):
    """The comparison would take too long."""


class Containment:
    """Compares what one version writes with what another reads.

    Args:
        writer: the writer's schemas.
        reader: the reader's.
        same: compares schemas of the two as texts.
    """

    def __init__(self, writer: Views, reader: Views, same: Equality) -> None:
        self._shapes = Shapes(writer)
        self._sampler = Sampler(self._shapes)
        self._reader = reader
        self._same = same
        self._proven: list[tuple[object, ...]] = []
        self._known: set[tuple[object, ...]] = set()
        self._open: dict[tuple[object, ...], int] = {}
        self._steps = 0

    def obstacles(self, written: Node, read: Node) -> list[Obstacle]:
        """Return the obstacles for an event; [] proves that there are none.

        Raises:
            TooMuch: the comparison would take too long.
        """
        self._steps = 0
        return _without_repetition(self._fits((written,), read, Spot(), is_payload=True))

    # -- schemas ---------------------------------------------------------------------------------

    def _fits(self, nodes: All, read: Node, spot: Spot, *, is_payload: bool = False) -> list[Obstacle]:
        """Compare a value with a schema one level further down, where recursion is sound.

        A pair that is being compared already is taken to fit: values are finite, so an obstacle inside would
        be met at the outer pair, which stands less deep.
        """
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TooMuch
        if isinstance(read.schema, bool) and read.schema:
            return []
        if len(nodes) == 1 and self._same.at_a_glance(nodes[0], read):
            return []
        key = (is_payload, read.key, *sorted({node.key for node in nodes}, key=repr))
        if key in self._known or self._open.get(key, len(spot.path)) < len(spot.path):
            return []
        outer = self._open.get(key)
        self._open.setdefault(key, len(spot.path))
        start = len(self._proven)
        found: list[Obstacle] = []
        for shape in self._shapes(nodes, is_payload=is_payload):
            found += self._meets(shape, read, spot, frozenset())
        if outer is None:
            del self._open[key]
        if found:  # what was proven on the way may have relied on this pair
            self._known.difference_update(self._proven[start:])
            del self._proven[start:]
        elif outer is None:
            self._known.add(key)
            self._proven.append(key)
        return found

    def _meets(self, shape: Shape, read: Node, spot: Spot, seen: frozenset[object]) -> list[Obstacle]:
        """Compare a shape with a schema."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise TooMuch
        view = self._reader(read)
        if read.key in seen and not isinstance(read.schema, bool):
            return [self._obstacle("opaque", shape, view, "$ref", "", "", spot, ())]
        seen |= {read.key}
        if view.never:
            sent = self._sampler.of_shape(shape, depth=len(spot.path))
            return [self._obstacle("forbidden", shape, view, "", _kinds(shape.kinds), "nothing", spot, sent)]
        if view.values is not None and shape.values is None and (finite := shape.kinds & {"boolean", "null"}):
            split = [
                replace(shape, kinds=finite, values=_finite(finite)),
                replace(shape, kinds=shape.kinds - finite),
            ]
            return [
                one
                for part in split
                if part.kinds
                for one in self._meets(part, read, spot, seen - {read.key})
            ]
        found: list[Obstacle] = []
        for base in view.based_on:
            found += self._meets(shape, base, spot, seen)
        if wrong := shape.kinds - view.kinds:
            sent = self._sampler.of_shape(shape, wrong, depth=len(spot.path))
            words = _kinds(shape.kinds), _kinds(view.kinds)
            found.append(self._obstacle("type", shape, view, "type", *words, spot, sent))
            shape = replace(shape, kinds=shape.kinds - wrong)
            if shape.values is not None:
                shape.values = [value for value in shape.values if kind_of(value) in shape.kinds]
        if not shape.kinds:
            return found
        if shape.values is not None:
            found += self._listed(shape, view, spot)
        else:
            found += self._scalars(shape, view, spot)
        if "object" in shape.kinds:
            found += self._object(shape, view, spot, seen)
        if "array" in shape.kinds:
            found += self._array(shape, view, spot)
        for keyword, branches in view.unions.items():
            found += self._union(shape, view, keyword, branches, spot, seen)
        for keyword in view.opaque:
            found += self._whole(shape, view, keyword, spot, seen)
        return found

    # -- values, strings, numbers ----------------------------------------------------------------

    def _listed(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        assert shape.values is not None
        if view.values is not None:
            texts = {text_of(value) for value in view.values}
            refused = [
                value
                for value in shape.values
                if text_of(value) not in texts and not _equal_number(value, view.values)
            ]
            kind, keyword = "values", "const" if "const" in view.node.schema else "enum"
        else:
            refused = [value for value in shape.values if not accepts_scalar(view, value)]
            kind, keyword = _refusing(view, refused[0]) if refused else ("", "")
        if not refused:
            return []
        words = _list(shape.values), _list(view.values) if view.values is not None else _said(view, keyword)
        found = self._obstacle(kind, shape, view, keyword, *words, spot, refused)
        found.name = _list(refused)
        return [found]

    def _scalars(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        found: list[Obstacle] = []

        def add(kind: str, keyword: str, sent: str, of: str, near: Iterable[float] = ()) -> None:
            values = self._sampler.of_shape(shape, (of,), len(spot.path), near)
            found.append(self._obstacle(kind, shape, view, keyword, sent, _said(view, keyword), spot, values))

        if view.values is not None:
            values = self._sampler.of_shape(shape, depth=len(spot.path))
            keyword = "const" if "const" in view.node.schema else "enum"
            words = _kinds(shape.kinds), _list(view.values)
            return [self._obstacle("values_listed", shape, view, keyword, *words, spot, values)]
        for keyword in (*LOWER, *UPPER):
            kind = _LIMITED[keyword[3:]]
            if kind in shape.kinds and keyword in view.limits:
                reach, wanted = _reach(shape, keyword), view.limits[keyword]
                if not (reach >= wanted if keyword in LOWER else reach <= wanted):
                    add(_LIMIT_KINDS[keyword[3:]], keyword, _said_of(shape, keyword), kind, [wanted])
        if "string" in shape.kinds:
            patterns = {other.pattern for other in shape.views}
            if view.pattern is not None and view.pattern not in patterns and view.pattern not in _ANYTHING:
                add("pattern", "pattern", _said_of(shape, "pattern"), "string")
            formats = {name for other in shape.views if other.format for name in other.format.split()}
            if view.format is not None and not formats.issuperset(view.format.split()):
                keyword = "format" if "format" in view.node.schema else "contentEncoding"
                add("format", keyword, _said_of(shape, keyword), "string")
        for of in ("integer", "number"):
            if of not in shape.kinds or (
                of == "number" and any(one.kind in ("range", "multiple_of") for one in found)
            ):
                continue
            for edge, given, keywords in (
                (view.minimum, shape.minimum, ("minimum", "exclusiveMinimum")),
                (view.maximum, shape.maximum, ("maximum", "exclusiveMaximum")),
            ):
                if edge is not None and not _is_inside(given, edge, of, upward=keywords[0] == "minimum"):
                    keyword = keywords[1] if edge[1] and keywords[1] in view.node.schema else keywords[0]
                    add("range", keyword, _said_of(shape, *keywords), of, [edge[0]])
            if view.multiple_of is not None and not _is_multiple(shape, view.multiple_of, of):
                add("multiple_of", "multipleOf", _said_of(shape, "multipleOf"), of)
        return found

    # -- objects and arrays ----------------------------------------------------------------------

    def _object(self, shape: Shape, view: View, spot: Spot, seen: frozenset[object]) -> list[Obstacle]:
        found: list[Obstacle] = []
        present = set(shape.required)
        for name in view.required:
            if name not in present:
                is_declared = bool(shape.value(name))
                sent = self._objects(shape, spot, without=name)
                kind = "required" if is_declared else "required_new"
                one = self._obstacle(
                    kind,
                    shape,
                    view,
                    "required",
                    f"{name!r} may be missing",
                    f"{name!r} must be there",
                    spot,
                    sent,
                )
                one.name = name
                found.append(one)
        for name in dict.fromkeys([*view.properties, *shape.names]):
            if self._is_untouched(shape, view, name):
                continue
            values = shape.value(name)
            if not values:
                continue
            below = self._property(shape, spot, name)
            for read in self._read_as(view, name):
                for nodes in values:
                    found += self._fits(nodes, read, below)
        written = {pattern for other in shape.views for pattern in other.patterns}
        for expression, values in shape.rest():
            below = self._property(shape, spot, next(self._names(expression, shape), "?"), "*")
            reads = [read for one, read in view.patterns.items() if one == expression or one not in written]
            if expression not in view.patterns and _is_telling(view.additional):
                reads += [view.additional] if view.additional else []
            found += [one for nodes in values for read in reads for one in self._fits(nodes, read, below)]
        for name, needed in view.needs.items():
            given = {other for one in shape.views for other in one.needs.get(name, ())} | present
            if shape.value(name) and (missing := [other for other in needed if other not in given]):
                sent = self._objects(shape, spot, having=name)
                keyword = "dependentRequired" if "dependentRequired" in view.node.schema else "dependencies"
                words = f"{name!r} without {_list(missing)}", f"{name!r} with {_list(missing)}"
                found.append(self._obstacle("dependency", shape, view, keyword, *words, spot, sent))
        for name, read in view.dependent.items():
            if not shape.value(name) or not self._meets(shape, read, spot, seen):
                continue
            given_nodes = [other.dependent[name] for other in shape.views if name in other.dependent]
            if any(self._same(node, read) for node in given_nodes):
                continue
            keyword = "dependentSchemas" if "dependentSchemas" in view.node.schema else "dependencies"
            sent = self._objects(shape, spot, having=name)
            found.append(self._obstacle("opaque", shape, view, keyword, "", "", spot, sent))
        if _is_telling(view.unevaluated) and not any(
            self._same_unevaluated(other, view) for other in shape.views
        ):
            sent = self._sampler.of_shape(shape, ("object",), len(spot.path))
            found.append(self._obstacle("opaque", shape, view, "unevaluatedProperties", "", "", spot, sent))
        return found

    def _is_untouched(self, shape: Shape, view: View, name: str) -> bool:
        read = view.properties.get(name)
        return (
            read is not None
            and not view.patterns
            and any(
                name in other.properties and self._same.at_a_glance(other.properties[name], read)
                for other in shape.views
            )
        )

    def _same_unevaluated(self, other: View, view: View) -> bool:
        mine, its = other.unevaluated, view.unevaluated
        return mine is not None and its is not None and self._same(mine, its)

    def _read_as(self, view: View, name: str) -> list[Node]:
        """Return the schemas the reader has for a property."""
        found = [view.properties[name]] if name in view.properties else []
        found += [node for pattern, node in view.patterns.items() if matches(pattern, name)]
        if not found and view.additional is not None and view.additional.schema is not False:
            found.append(view.additional)
        return found

    def _names(self, pattern: str | None, shape: Shape) -> Iterator[str]:
        yield from (
            name for name in (strings_of(pattern) if pattern else ("key", "other")) if name not in shape.names
        )

    def _objects(
        self, shape: Shape, spot: Spot, *, without: str | None = None, having: str = ""
    ) -> Iterator[Any]:
        values = list(self._sampler.values(shape.value(having)))[:3] if having else [None]
        for value in values:
            try:
                given = {having: value} if having else {}
                yield self._sampler.object(shape, len(spot.path), given=given, without=without)
            except (StopIteration, RuntimeError):
                return

    def _property(self, shape: Shape, spot: Spot, name: str, label: str = "") -> Spot:
        def wrap(value: Any, choice: int) -> Any:
            holder = self._sampler.object(shape, len(spot.path), given={name: value}, choice=choice)
            return spot.wrap(holder, choice)

        return Spot((*spot.path, name), f"{spot.field}.{label or name}".removeprefix("."), wrap)

    def _array(self, shape: Shape, view: View, spot: Spot) -> list[Obstacle]:
        found: list[Obstacle] = []
        most = shape.most_items
        count = max(shape.prefix_length, len(view.prefix)) + 1
        for index in range(count if most is None else min(count, most)):
            read = view.prefix[index] if index < len(view.prefix) else view.items
            values = shape.item(index)
            if not values:
                break
            if read is None:
                continue
            below = self._item(shape, spot, index)
            found += [one for nodes in values for one in self._fits(nodes, read, below)]
        if view.unique and not shape.is_unique and (most is None or most > 1):
            sent = self._twice(shape, spot)
            found.append(
                self._obstacle(
                    "unique_items",
                    shape,
                    view,
                    "uniqueItems",
                    "items may repeat",
                    "items are distinct",
                    spot,
                    sent,
                )
            )
        return found

    def _twice(self, shape: Shape, spot: Spot) -> Iterator[Any]:
        for value in self._sampler.values(shape.item(shape.prefix_length), len(spot.path) + 1):
            try:
                size = max(2, shape.limit("minItems") or 0)
                yield [*self._sampler.array(shape, len(spot.path), size=size - 1, at=-1), value][-size:]
                yield [value] * size
            except (StopIteration, RuntimeError):
                return

    def _item(self, shape: Shape, spot: Spot, index: int) -> Spot:
        def wrap(value: Any, choice: int) -> Any:
            holder = self._sampler.array(shape, len(spot.path), at=index, given=value, size=index + 1)
            return spot.wrap(holder, choice)

        return Spot((*spot.path, index), f"{spot.field}[]", wrap)

    # -- unions and the rest ---------------------------------------------------------------------

    def _union(
        self,
        shape: Shape,
        view: View,
        keyword: str,
        branches: list[Node],
        spot: Spot,
        seen: frozenset[object],
    ) -> list[Obstacle]:
        is_exclusive = keyword == "oneOf" and "oneOf" in open_schema({"oneOf": view.node.schema["oneOf"]})
        tried: list[list[Obstacle]] = []
        for index, branch in enumerate(branches):
            obstacles = self._meets(shape, branch, spot, seen)
            tried.append(obstacles)
            others = [other for at, other in enumerate(branches) if at != index]
            if not obstacles and (not is_exclusive or all(self._is_apart(shape, other) for other in others)):
                return []
        parts = _parts(shape)
        if len(parts) > 1:
            split = [self._union(part, view, keyword, branches, spot, seen) for part in parts]
            return [one for found in split for one in found]
        if any(not obstacles for obstacles in tried):  # two branches may hold at once
            if any(self._has_same(other, view, keyword) for other in shape.views):
                return []
            sent = self._sampler.of_shape(shape, depth=len(spot.path))
            return [self._obstacle("opaque", shape, view, keyword, "", "", spot, sent)]
        likely = [found for found in tried if not any(_is_mismatch(one, spot) for one in found)]
        if likely:
            return min(likely, key=len)
        sent = self._sampler.of_shape(shape, depth=len(spot.path))
        words = _kinds(shape.kinds), "none of the branches"
        return [self._obstacle("branch", shape, view, keyword, *words, spot, sent)]

    def _has_same(self, other: View, view: View, keyword: str) -> bool:
        mine, its = other.unions.get(keyword), view.unions[keyword]
        return mine is not None and len(mine) == len(its) and all(map(self._same, mine, its))

    def _whole(
        self, shape: Shape, view: View, keyword: str, spot: Spot, seen: frozenset[object]
    ) -> list[Obstacle]:
        """Compare a keyword that is not looked into."""
        if _OPAQUE_KINDS.get(keyword) and _OPAQUE_KINDS[keyword] not in shape.kinds:
            return []
        for other in shape.views:
            if keyword in other.opaque and self._same.keyword(other.node, view.node, keyword):
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
        if (
            keyword == "propertyNames"
            and not shape.rest()
            and isinstance(view.node.schema[keyword], (dict, bool))
        ):
            names = view.node.schema[keyword]
            if "$ref" not in text_of(names) and all(validator(names).is_valid(name) for name in shape.names):
                return []
        if (
            keyword == "contains"
            and view.node.schema.get("minContains") == 0
            and "maxContains" not in view.node.schema
        ):
            return []
        return self._doubt(shape, view, keyword, spot)

    def _doubt(self, shape: Shape, view: View, keyword: str, spot: Spot) -> list[Obstacle]:
        told = list(_values_in(view.node.schema.get(keyword)))
        numbers = [value for value in told if kind_of(value) in ("integer", "number")]
        sent = self._sampler.of_shape(shape, depth=len(spot.path), near=numbers)
        return [self._obstacle("opaque", shape, view, keyword, "", "", spot, itertools.chain(told, sent))]

    def _is_apart(self, shape: Shape, read: Node, depth: int = 0) -> bool:
        """Whether no value of a shape can be valid by a schema; False where that is not plain."""
        view = self._reader(read)
        if view.never or not shape.kinds & view.kinds:
            return True
        if depth > 5:
            return False
        if any(self._is_apart(shape, base, depth + 1) for base in view.based_on):
            return True
        if any(
            all(self._is_apart(shape, branch, depth + 1) for branch in union)
            for union in view.unions.values()
        ):
            return True
        if shape.values is not None:
            texts = None if view.values is None else {text_of(value) for value in view.values}
            return all(
                not isinstance(value, (dict, list))
                and (
                    not accepts_scalar(view, value)
                    or (
                        texts is not None
                        and text_of(value) not in texts
                        and not _equal_number(value, view.values or [])
                    )
                )
                for value in shape.values
            )
        if shape.kinds & view.kinds != {"object"}:
            return False
        if any(not shape.value(name) for name in view.required):
            return True
        for name in shape.required:
            for child in self._strictly_read_as(view, name):
                inner = [one for nodes in shape.value(name) for one in self._shapes(nodes)]
                if all(self._is_apart(one, child, depth + 1) for one in inner):
                    return True
        return False

    def _strictly_read_as(self, view: View, name: str) -> list[Node]:
        found = self._read_as(view, name)
        return [*found, view.additional] if not found and view.additional is not None else found

    def _obstacle(
        self,
        kind: str,
        shape: Shape,
        view: View,
        keyword: str,
        sent: str,
        taken: str,
        spot: Spot,
        values: Iterable[Any],
    ) -> Obstacle:
        def payloads() -> Iterator[Any]:
            for value, choice in itertools.product(itertools.islice(values, _MOST_VALUES), range(_CHOICES)):
                try:
                    yield spot.wrap(value, choice)
                except (StopIteration, RuntimeError):
                    continue

        writer = next(
            (
                other.node
                for other in shape.views
                if isinstance(other.node.schema, dict) and keyword in other.node.schema
            ),
            shape.views[0].node if shape.views else None,
        )
        return Obstacle(
            kind,
            view.node,
            keyword,
            writer or view.node,
            keyword,
            sent,
            taken,
            spot.path,
            spot.field,
            payloads,
        )


def _values_in(schema: Any) -> Iterator[Any]:
    """Yield the numbers and texts in a schema: values on the edge of what it takes are among them."""
    todo = [schema]
    while todo:
        here = todo.pop(0)
        if isinstance(here, (dict, list)):
            todo += here.values() if isinstance(here, dict) else here
        else:
            yield here


_ANYTHING = ("", ".*", "^.*", "(.*)")


def _finite(kinds: frozenset[str]) -> list[Any]:
    return [*((False, True) if "boolean" in kinds else ()), *((None,) if "null" in kinds else ())]


def _parts(shape: Shape) -> list[Shape]:
    if shape.values is not None:
        return [replace(shape, values=[value], kinds=frozenset((kind_of(value),))) for value in shape.values]
    return [
        replace(
            shape,
            kinds=frozenset((kind,)),
            values=_finite(frozenset((kind,))) if kind in ("boolean", "null") else None,
        )
        for kind in sorted(shape.kinds)
    ]


def _is_mismatch(one: Obstacle, spot: Spot) -> bool:
    """Whether an obstacle says that a branch is about something else altogether."""
    if one.path == spot.path:
        return one.kind in ("type", "values", "values_listed", "forbidden", "branch", "opaque")
    return len(one.path) == len(spot.path) + 1 and one.kind == "values" and one.name == one.sent


def _equal_number(value: Any, listed: list[Any]) -> bool:
    return kind_of(value) in ("integer", "number") and any(
        kind_of(other) in ("integer", "number") and other == value for other in listed
    )


def _refusing(view: View, value: Any) -> tuple[str, str]:
    """Find the keyword by which a schema refuses a scalar."""
    kinds = {
        "pattern": "pattern", "format": "format", "contentEncoding": "format", "minLength": "length", "maxLength": "length",
        "minimum": "range", "maximum": "range", "exclusiveMinimum": "range", "exclusiveMaximum": "range",
        "multipleOf": "multiple_of",
    }  # fmt: skip
    schema = view.node.schema
    for keyword, kind in kinds.items():
        if keyword in schema:
            beside = {"minimum", "maximum"} if keyword.startswith("exclusive") else set()
            told = {key: schema[key] for key in {keyword, *beside} if key in schema}
            if not validator(told | {"$schema": view.node.file.dialect}).is_valid(value):
                return kind, keyword
    return "opaque", ""


def _reach(shape: Shape, keyword: str) -> float:
    """Return how far a length or count can go: the least for `min...`, the most for `max...`."""
    given = shape.limit(keyword)
    if keyword in ("minLength", "maxLength"):
        return shape.lengths[keyword == "maxLength"]
    if keyword == "minProperties":
        return max(given or 0, len(shape.required))
    if keyword == "maxProperties" and not shape.rest():
        names = sum(bool(shape.value(name)) for name in shape.names)
        return names if given is None else min(given, names)
    if keyword == "maxItems":
        given = shape.most_items
    return given if given is not None else 0 if keyword.startswith("min") else float("inf")


def _is_inside(given: tuple[Any, bool] | None, edge: tuple[Any, bool], kind: str, *, upward: bool) -> bool:
    if given is None:
        return False
    value, is_out = given
    limit, limit_out = edge
    if kind == "integer":
        value, limit = Fraction(str(value)), Fraction(str(limit))
        step = 1 if upward else -1
        if is_out and value.denominator == 1:
            value, is_out = value + step, False
        if limit_out and limit.denominator == 1:
            limit, limit_out = limit + step, False
    if value == limit:
        return is_out or not limit_out
    return bool(value > limit if upward else value < limit)


def _is_multiple(shape: Shape, factor: Any, kind: str) -> bool:
    given = [Fraction(str(view.multiple_of)) for view in shape.views if view.multiple_of is not None]
    given += [Fraction(1)] if kind == "integer" else []
    return any((one / Fraction(str(factor))).denominator == 1 for one in given)


def _is_telling(node: Node | None) -> bool:
    """Whether a schema of further properties says what they are; `true` does not, and `false` is opened."""
    return node is not None and isinstance(node.schema, dict) and bool(node.schema)


def _kinds(kinds: Iterable[str]) -> str:
    kinds = set(kinds)
    if kinds == KINDS:
        return "any value"
    if {"integer", "number"} <= kinds:
        kinds.remove("integer")
    return " or ".join(sorted(kinds, key=lambda kind: (kind == "null", kind)))


def _list(values: Iterable[Any]) -> str:
    texts = [text_of(value) for value in values]
    return ", ".join(texts[:6]) + (f", ... ({len(texts)} in all)" if len(texts) > 6 else "")


def _said(view: View, keyword: str) -> str:
    return f"{keyword} {text_of(view.node.schema[keyword])}" if keyword in view.node.schema else ""


def _said_of(shape: Shape, *keywords: str) -> str:
    for view in shape.views:
        for keyword in keywords:
            if isinstance(view.node.schema, dict) and keyword in view.node.schema:
                return _said(view, keyword)
    return f"no {keywords[0]}"


def _without_repetition(obstacles: list[Obstacle]) -> list[Obstacle]:
    return list(
        {
            (one.kind, one.reader.key, one.reader_keyword, one.name): one for one in reversed(obstacles)
        }.values()
    )
