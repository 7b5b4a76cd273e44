"""Why a schema refuses a value: a descent from the value to the parts that do not fit.

A validator gives its verdict in time proportional to the value. Its list of errors instead takes time and memory
that grow exponentially with the depth of a value under recursive unions or `allOf`. So the descent asks only for
verdicts: of each schema, whether it accepts the value, and of those that do not, why. Of a union it explains one branch.
It visits each pair of a schema and a place in the value once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from lightbus.schema.language.keywords import KEYWORDS, About, Path
from lightbus.schema.language.node import Node
from lightbus.schema.language.pattern_bounds import TOO_SLOW
from lightbus.schema.language.reference import Document
from lightbus.schema.language.scoped import ARRAYS, HOLDERS, ScopedSchema

Removals = dict[str | int, Any]
"""The properties to remove from a value: None for each, and a dict of these for a part that contains some."""

_NAME = -1  # the step from an object to the name of a property, which no array has


class Location:
    """A part of the value, known by the step that leads to it, so that its work does not grow with its depth.

    Args:
        outer: the object or array around it; None for the value itself.
        step: the part's key or index there.

    Attributes:
        reports: what each schema says about it.
    """

    __slots__ = ("_inner", "_outer", "_step", "reports")

    def __init__(self, outer: Location | None = None, step: str | int = 0) -> None:
        self._outer, self._step = outer, step
        self._inner: dict[str | int, Location] = {}
        self.reports: dict[ScopedSchema, _MisfitTree] = {}

    def inside(self, step: str | int) -> Location:
        """Return the place of a part of this one, always the same."""
        if (place := self._inner.get(step)) is None:
            place = self._inner[step] = Location(self, step)
        return place

    def removals(self, all_removals: Removals, known: dict[Location, Removals | None]) -> Removals | None:
        """Return where to add the removals inside this part, None if it is removed itself; `known` saves work."""
        chain, place = list[Location](), self
        while place._outer is not None and place not in known:
            chain.append(place)
            place = place._outer
        removals = known.get(place, all_removals)
        for place in reversed(chain):
            removals = None if removals is None else removals.setdefault(place._step, {})
            known[place] = removals
        return removals

    @property
    def path(self) -> Path:
        """Keys and indexes that lead to it."""
        steps, place = list[str | int](), self
        while place._outer is not None:
            steps.append(place._step)
            place = place._outer
        return tuple(reversed(steps))


@dataclass(frozen=True, slots=True, eq=False)
class Misfit:
    """One reason why a schema refuses a value.

    Attributes:
        place: where the part of the value is that does not fit.
        keyword: the keyword that refuses it.
        value: the part.
        node: the schema with the keyword.
        details: `property` for a missing one, `unexpected` for one that the schema does not declare, `nodes`
            for the schemas whose types are expected, `inner` for the reason why a property's name does not fit;
            else as in the validator's error.
        text: the validator's sentence, or "".
    """

    place: Location
    keyword: str
    value: Any
    node: Node[Document]
    details: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def path(self) -> Path:
        """Keys and indexes that lead to the part that does not fit."""
        return self.place.path

    @property
    def is_removable(self) -> bool:
        """Whether the removal of a property removes the misfit."""
        return "unexpected" in self.details

    @property
    def undeclared(self) -> Path | None:
        """The path of the property whose removal removes the misfit, or None if nothing does."""
        return (*self.path, self.details["unexpected"]) if self.is_removable else None


class Misfits:
    """The search for the misfits of values with one schema.

    Args:
        node: the schema.
    """

    def __init__(self, node: Node[Document]) -> None:
        self._schema = ScopedSchema(node)

    def is_valid(self, value: object) -> bool:
        """Whether the schema accepts a value."""
        return self._schema.is_valid(value)

    def explain(self, value: object, limit: int) -> Iterator[Misfit]:
        """Yield the misfits of a value, none if the schema accepts it.

        Args:
            value: a JSON value.
            limit: how many misfits, and how many parts with misfits, are listed of each part of the value.
        """
        return _Descent(limit).run(self._schema, value)

    def undeclared(self, value: object) -> Removals:
        """Return the properties to remove from a value so that the schema accepts it, or at least more of it."""
        removals, known = Removals(), dict[Location, Removals | None]()
        for misfit in _Descent(None).run(self._schema, value):
            if misfit.is_removable and (inside := misfit.place.removals(removals, known)) is not None:
                inside[misfit.details["unexpected"]] = None
        return removals


@dataclass(slots=True, eq=False)
class _MisfitTree:
    """The misfits of one schema with one part of a value.

    Attributes:
        misfits: the schema's own.
        inner: the reports of the schemas inside it.
        at_value: how many misfits concern the value itself, not its parts.
        total: how many misfits there are, in all parts.
        is_removable: whether the removal of properties removes all.
        is_too_slow: whether a pattern exceeded its bounds, so that what it decides is unknown.
    """

    misfits: list[Misfit] = field(default_factory=list)
    inner: list[_MisfitTree] = field(default_factory=list)
    at_value: int = 0
    total: int = 0
    is_removable: bool = True
    is_too_slow: bool = False

    def add(self, misfit: Misfit) -> None:
        self.misfits.append(misfit)
        self.at_value += 1
        self.total += 1
        self.is_removable = self.is_removable and misfit.is_removable
        self.is_too_slow = self.is_too_slow or misfit.text.startswith(TOO_SLOW)

    def join(self, report: _MisfitTree, *, is_part: bool = False) -> None:
        """Add the report of a schema for the same value, or for a part of it."""
        self.inner.append(report)
        self.at_value += 0 if is_part else report.at_value
        self.total += report.total
        self.is_removable = self.is_removable and report.is_removable
        self.is_too_slow = self.is_too_slow or report.is_too_slow

    def __iter__(self) -> Iterator[Misfit]:
        """Yield all misfits; several reports may contain one of the same part."""
        todo: list[_MisfitTree] = [self]
        seen = set[int]()
        while todo:
            report = todo.pop()
            if id(report) not in seen:
                seen.add(id(report))
                yield from report.misfits
                todo += reversed(report.inner)

    @property
    def distance(self) -> tuple[bool, int, int]:
        """How far the value is from the schema; a value whose parts alone do not fit is near."""
        return not self.is_removable, 0 if self.is_removable else self.at_value, self.total


_Examination = Generator[tuple[ScopedSchema, Any, Location], _MisfitTree, _MisfitTree]


class _Descent:
    """One descent. Without a limit it is complete, and of a union it seeks the branch that removals can satisfy."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit

    def run(self, schema: ScopedSchema, value: object) -> Iterator[Misfit]:
        if not schema.is_valid(value):
            yield from self._report(schema, value)

    def _report(self, schema: ScopedSchema, value: object) -> _MisfitTree:
        """Examine a value; the pending examinations are a list, since deep ones would fill Python's stack."""
        place = Location()
        place.reports[schema] = _MisfitTree()
        pending = [(schema, place, self._examine(schema, value, place))]
        answer: Any = None
        while pending:
            schema, place, examination = pending[-1]
            try:
                schema, value, place = examination.send(answer)
            except StopIteration as end:
                answer = place.reports[schema] = end.value
                pending.pop()
                continue
            if schema in place.reports:
                answer = place.reports[schema]
            else:
                answer = None
                place.reports[schema] = _MisfitTree()  # for a schema that applies itself to the same value
                pending.append((schema, place, self._examine(schema, value, place)))
        report: _MisfitTree = answer
        return report

    def _examine(self, schema: ScopedSchema, value: Any, place: Location) -> _Examination:
        """Report why a schema refuses a value; yields the places to examine before."""
        node, report = schema.node, _MisfitTree()
        if node.schema is False:
            report.add(Misfit(place, "falseSchema", value, node))
            return report
        if schema.is_unmatchable(value):
            report.add(Misfit(place, "patternProperties", value, node, text=TOO_SLOW))
            return report
        if schema.condition and not schema.condition[0].is_valid(value):
            condition = yield schema.condition[0], value, place
            if condition.is_too_slow:  # neither `then` nor `else` is known to apply
                return condition
        for misfit in islice(self._own(schema, value, place), self._limit):
            report.add(misfit)
        for part in schema.in_place(value):
            if not part.is_valid(value):
                report.join((yield part, value, place))
        for keyword, branches in schema.unions:
            accepting = sum(branch.is_valid(value) for branch in branches)
            if not accepting:
                report.join((yield from self._branch(keyword, branches, value, place, node)))
            elif accepting > 1 and keyword == "oneOf":
                report.add(Misfit(place, keyword, value, node))
        if isinstance(value, HOLDERS):
            yield from self._parts(schema, value, place, report)
        if not report.total:
            if schema.excluded and not schema.excluded.is_valid(value):
                excluded = yield schema.excluded, value, place
                if excluded.is_too_slow:  # neither `not` nor the schema inside it accepts such a value
                    return excluded
            report.add(Misfit(place, _last_keyword(node), value, node))
        return report

    def _own(self, schema: ScopedSchema, value: Any, place: Location) -> Iterator[Misfit]:
        """Yield the misfits of a schema's own keywords with the value itself."""
        node = schema.node
        for error in schema.errors(value):
            keyword, details = error.kind.name, error.kind.as_dict()
            if keyword == "type":
                details = {"nodes": [node]}
            yield Misfit(place, keyword, value, node, details, error.message)
        for keyword in schema.violated(value):
            yield Misfit(place, keyword, value, node, {_DETAIL.get(keyword, ""): node.schema[keyword]})
        if schema.excluded and schema.excluded.is_valid(value):
            yield Misfit(place, "not", value, node)
        if isinstance(value, dict):
            for name in schema.missing(value):
                yield Misfit(place, "required", value, node, {"property": name})
        elif isinstance(value, ARRAYS) and schema.contained:
            part, least, most = schema.contained
            if not least <= sum(map(part.is_valid, value)) <= most:
                yield Misfit(place, "contains", value, node)

    def _parts(self, schema: ScopedSchema, value: Any, place: Location, report: _MisfitTree) -> _Examination:
        """Add the misfits of the parts of an object or array to the report about it."""
        node, unevaluated, left = schema.node, schema.unevaluated(value), self._limit
        if schema.names and isinstance(value, dict):
            names = (name for name in value if not schema.names.is_valid(name))
            for name in islice(names, left):
                inner = yield schema.names, name, place.inside(name).inside(_NAME)
                details = {"inner": next(iter(inner), Misfit(place, "schema", name, node))}
                report.add(Misfit(place, "propertyNames", value, node, details))
        for key, item, part in schema.of_parts(value):
            if left == 0:
                break
            if part.is_valid(item):
                continue
            left = left and left - 1
            if part is schema.additional and part.node.schema is False:
                report.add(Misfit(place, "additionalProperties", value, node, {"unexpected": key}))
            else:
                report.join((yield part, item, place.inside(key)), is_part=True)
        if unevaluated:
            yield from self._unevaluated(schema, unevaluated, value, place, report)
        return report

    def _unevaluated(
        self, schema: ScopedSchema, part: ScopedSchema, value: Any, place: Location, report: _MisfitTree
    ) -> _Examination:
        """Add the misfits of the parts of a value that no other keyword evaluates."""
        # where a part does not fit, its schema would not count, and properties be blamed that it declares
        evaluated = schema.evaluated(value, is_strict=not report.total)
        keys = value if isinstance(value, dict) else range(len(value))
        refused = (key for key in keys if key not in evaluated and not part.is_valid(value[key]))
        for key in islice(refused, self._limit):
            if isinstance(value, ARRAYS) and part.node.schema is False:
                report.add(Misfit(place, "unevaluatedItems", value, schema.node))
                break
            inner = None if part.node.schema is False else (yield part, value[key], place.inside(key))
            if inner and (self._limit or inner.is_removable or isinstance(value, ARRAYS)):
                report.join(inner, is_part=True)
            else:
                report.add(Misfit(place, "unevaluatedProperties", value, schema.node, {"unexpected": key}))
        return report

    def _branch(
        self, keyword: str, branches: list[ScopedSchema], value: Any, place: Location, node: Node[Document]
    ) -> _Examination:
        """Report about the branch of a union that was meant: by its type, by its tag, else the nearest one."""
        report, reports = _MisfitTree(), list[_MisfitTree]()
        types = [branch.wrong_type(value) for branch in branches]
        if all(types):
            report.add(Misfit(place, "type", value, node, {"nodes": types}))
            return report
        candidates = [branch for branch, wrong in zip(branches, types, strict=True) if not wrong]
        if self._limit and len(candidates) > 1:
            tags = [branch.wrong_tags(value) for branch in candidates]
            least = min(tags)
            candidates = [b for b, wrong in zip(candidates, tags, strict=True) if wrong == least]
        for branch in candidates:
            reports.append((yield branch, value, place))
        nearest = min(reports, key=lambda report: report.distance)
        if nearest.total and (self._limit or nearest.is_removable):
            return nearest
        report.add(Misfit(place, keyword, value, node))
        return report


_DETAIL = {"enum": "options", "const": "expected_value"}


def _last_keyword(node: Node[Document]) -> str:
    """Return the keyword to name where none is known to refuse: the last one that applies schemas."""
    applying = [
        name for name in node.keywords if name in KEYWORDS and KEYWORDS[name].about is not About.NOTHING
    ]
    return applying[-1] if applying else "schema"
