"""The work on a payload is bounded by its size, whatever its schema.

Python's work is counted; that of compiled validators is timed twice in one run, and the times are compared.

Counts the calls of the library's own code, those by which validators check the format `decimal` included, and the
values handed to compiled validators, while payloads grow in
depth and in width. A schema at each level may look at all that is below it, and the depth of a payload is limited;
so twice the depth may take four times the work, and twice the width twice the work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lightbus
from lightbus.api import Parameter
from lightbus.errors import InvalidEvent, InvalidEventArguments, did_you_mean
from lightbus.schema import EventContract
from lightbus.schema.language import reference, scoped, validation
from lightbus.schema.language.misfits import Location
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document
from lightbus.schema.payload.conversion import accepts, conversion
from lightbus.schema.payload.limits import Oversized, least_size
from lightbus.schema.payload.parameters import parameter_contracts, payload
from lightbus.schema.payload.undeclared import undeclared
from tests.schema.build import EXPRESSION, declared, expression, written
from tests.schema.recursive import KEYS, schemas, values

LIBRARY = str(Path(lightbus.__file__).parent)
N = {"$ref": "#/$defs/N"}
DAY = {"type": "string", "format": "date"}
SUM = {"type": "string", "format": "decimal"}
C: dict[str, Any] = {"properties": {"c": N, "d": DAY, "n": SUM, "l": {"type": "array", "items": N}}}
CLOSED = {**C, "additionalProperties": False}
NONE = {"required": ["none"]}
SHAPES: dict[str, dict[str, Any]] = {
    "properties": CLOSED,
    "allOf": {"allOf": [C, C]},
    "allOf of references": {"allOf": [{"properties": {"c": N}}, {"$ref": "#/$defs/M"}]},
    "anyOf": {"anyOf": [{**CLOSED, **NONE}, CLOSED, {**C, "required": ["z"]}]},
    "oneOf": {"oneOf": [{**CLOSED, **NONE}, CLOSED, {**CLOSED, "minProperties": 9}]},
    "unions in allOf": {"allOf": [{"anyOf": [CLOSED, NONE]}, {"anyOf": [CLOSED, NONE]}]},
    "if": {"if": {"properties": {"c": N}}, "then": CLOSED, "else": C},
    "not": {"not": {"not": C}, **C},
    "dependentSchemas": {"dependentSchemas": {"d": CLOSED, "c": C}, **C},
    "unevaluated": {"anyOf": [C, {**C, **NONE}], "allOf": [C], "unevaluatedProperties": False},
    "unevaluated inside": {
        "allOf": [{"anyOf": [C, C], "unevaluatedProperties": False}],
        "unevaluatedProperties": False,
    },
    "patterns": {"patternProperties": {"^c": N, "c$": N, "d": DAY, "n": SUM}, "additionalProperties": False},
    "dynamic": {
        "allOf": [{"properties": {"c": {"$dynamicRef": "#N"}}}, {"properties": {"c": {"$dynamicRef": "#N"}}}]
    },
    "contains": {**C, "properties": {**C["properties"], "l": {"contains": N, "items": N}}},
    "two unions": {
        "properties": {"c": {"anyOf": [{"$ref": "#/$defs/M"}, N]}, "d": DAY, "n": SUM},
        "additionalProperties": False,
    },
}
FITTING = {"d": "2026-01-31"}
MISFIT = {"d": 5}
NEWER = {"d": "2026-01-31", "new": 1}


def contract(shape: str) -> EventContract:
    base = {"type": "object", "$dynamicAnchor": "N", **SHAPES[shape]}
    other = {"properties": {"c": {"anyOf": [N, {"$ref": "#/$defs/M"}]}}}
    payload = {"type": "object", "properties": {"e": N}, "required": ["e"]}
    return written(payload, **{"$defs": {"N": base, "M": other}})


def deep(size: int, innermost: Any) -> Any:
    value = innermost
    for _ in range(size):
        value = {"c": value, "d": "2026-01-31", "n": "1.5"}
    return value


def wide(size: int, innermost: Any) -> Any:
    return {"l": [{"c": innermost, "d": "2026-01-31", "n": "1.5"}] * size, "d": "2026-01-31"}


class Work:
    """Counts calls of the library's code, and the values handed to validators."""

    def __init__(self) -> None:
        self.calls = self.values = 0

    def _count(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(LIBRARY):
            self.calls += 1

    def of(self, function: Callable[[Any], object], value: Any) -> Work:
        """Count the work of a function that may refuse the value."""
        self.calls = self.values = 0
        sys.setprofile(self._count)
        try:
            function(value)
        except (InvalidEvent, InvalidEventArguments):
            pass
        finally:
            sys.setprofile(None)
        return self

    @property
    def total(self) -> int:
        return self.calls + self.values


def size_of(value: Any) -> int:
    total, todo = 0, [value]
    while todo:
        part = todo.pop()
        total += 1
        if isinstance(part, (dict, list, tuple)):
            todo += part.values() if isinstance(part, dict) else part
    return total


@pytest.fixture
def work() -> Iterator[Work]:
    counted, compile_validator = Work(), validation.validator

    class Counting:
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            self._validator = compile_validator(*arguments, **settings)

        def is_valid(self, value: object) -> bool:
            counted.values += size_of(value)
            return self._validator.is_valid(value)

        def iter_errors(self, value: object) -> Any:
            counted.values += size_of(value)
            return self._validator.iter_errors(value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reference, "validator", Counting)
        patch.setattr(scoped, "validator", Counting)
        yield counted


def operations(contract: EventContract) -> list[tuple[str, Callable[[Any], object]]]:
    return [
        ("decode", lambda value: contract.decode({"e": value})),
        ("fire", lambda value: contract.encode({"e": value})),
    ]


@pytest.mark.parametrize("innermost", [FITTING, MISFIT, NEWER], ids=["fitting", "misfit", "newer"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("grow", "sizes", "factor"), [(deep, (15, 30, 60), 4), (wide, (30, 60, 120), 2)])
def test_work_grows_with_the_payload(
    work: Work,
    shape: str,
    innermost: Any,
    grow: Callable[[int, Any], Any],
    sizes: tuple[int, ...],
    factor: int,
) -> None:
    for name, function in operations(contract(shape)):
        for innermost_there in (innermost, FITTING):
            work.of(function, grow(sizes[0], innermost_there))  # compiles
        totals = [work.of(function, grow(size, innermost)).total for size in sizes]
        for less, more in itertools.pairwise(totals):
            assert more <= 1.2 * factor * less + 200, (name, totals)


NEXT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "properties": lambda next_: {"type": "object", "properties": {"x": next_}},
    "two ways": lambda next_: {"type": "object", "properties": {"x": next_, "y": next_}},
    "items": lambda next_: {"type": "array", "items": next_},
    "patterns": lambda next_: {"type": "object", "patternProperties": {"x": next_}},
    "further properties": lambda next_: {"type": "object", "additionalProperties": next_},
    "unions": lambda next_: {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, next_]}}},
}


@pytest.mark.parametrize("size", [50, 250, 2_000])
@pytest.mark.parametrize("link", NEXT)
def test_types_may_refer_to_each_other_in_a_long_chain(link: str, size: int) -> None:
    types = {f"T{at}": NEXT[link]({"$ref": f"#/$defs/T{(at + 1) % size}"}) for at in range(size)}
    types["T3"]["required"] = ["none"]
    chain = {"type": "object", "properties": {"e": {"$ref": "#/$defs/T0"}}}
    contract = written(chain, **{"$defs": types})
    fitting: list[Any] | dict[str, Any] = [] if link == "items" else {}
    assert contract.decode({"e": fitting}) == contract.encode({"e": fitting}) == {"e": fitting}
    for function, error in ((contract.decode, InvalidEvent), (contract.encode, InvalidEventArguments)):
        with pytest.raises(error, match="e: expected "):
            function({"e": 5})


CHOICE = {
    "oneOf": [
        {"type": "object", "properties": {"c": N}, "additionalProperties": False},
        {"type": "object", "properties": {"c": N, "d": {}}, "required": ["d"], "additionalProperties": False},
        {"type": "array", "items": N},
        {"type": "integer"},
    ]
}
LISTED = {"items": {"enum": [{"a": [0] * 20, "i": index} for index in range(30)]}}
LARGE_VALUES: dict[str, tuple[dict[str, Any], Callable[[int], Any]]] = {
    "newer under a choice": (CHOICE, lambda size: [{"c": 1, "new": 1}] * size),
    "none of the listed objects": (LISTED, lambda size: [{"a": [0] * 20, "i": -1}] * size),
    "unevaluated properties": (
        {"anyOf": [{"properties": {"x": {}}}], "unevaluatedProperties": False},
        lambda size: {f"z{index}": 1 for index in range(size)},
    ),
    "unevaluated items": ({"contains": {"const": 1}, "unevaluatedItems": False}, lambda size: [1, 2] * size),
}


@pytest.mark.parametrize("depth", [5, 90])
@pytest.mark.parametrize(("schema", "make"), LARGE_VALUES.values(), ids=LARGE_VALUES)
def test_work_grows_with_the_width_at_any_depth(
    work: Work, schema: dict[str, Any], make: Callable[[int], Any], depth: int
) -> None:
    both = {"anyOf": [{"type": "object", "properties": {"c": N}, "required": ["c"]}, schema]}
    definitions = {"N": schema if schema is CHOICE else both}
    large = written({"type": "object", "properties": {"e": N}}, **{"$defs": definitions})

    def value(size: int) -> Any:
        part = make(size)
        for _ in range(depth):
            part = {"c": part}
        return part

    for name, function in operations(large):
        totals = [work.of(function, value(size)).total for size in (100, 100, 200, 400)][1:]
        for less, more in itertools.pairwise(totals):
            assert more <= 2.4 * less + 200, (name, totals)


def test_the_properties_to_remove_are_found_without_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    contract = written({"type": "object", "properties": {"e": N}}, **{"$defs": {"N": CHOICE}})
    value: Any = [{"c": 1, "new": 1}] * 50
    for _ in range(90):
        value = {"c": value}
    monkeypatch.delattr(Location, "path")
    decoded = contract.decode({"e": value})
    for _ in range(90):
        decoded = {"e": decoded["e"]["c"]}
    assert decoded == {"e": [{"c": 1}] * 50}


EXPRESSIONS = {"type": "object", "properties": {"e": {"$ref": "#/$defs/Expr"}}, "required": ["e"]}


@pytest.mark.parametrize("depth", [12, 15, 40, 90])
def test_an_expression_tree_is_explained_and_pruned_at_any_depth(work: Work, depth: int) -> None:
    expressions = written(EXPRESSIONS, **{"$defs": {"Expr": EXPRESSION}})
    place = "e" + ".l" * depth + ".v"
    with pytest.raises(InvalidEventArguments) as fired:
        expressions.encode({"e": expression(depth, {"op": "num", "v": "x"})})
    with pytest.raises(InvalidEvent) as received:
        expressions.decode({"e": expression(depth, {"op": "num", "v": "x"})})
    for problems in (fired.value.problems, received.value.problems):
        assert [str(problem) for problem in problems] == [f"{place}: expected float, got str 'x'"]
    newer = {"e": expression(depth, {"op": "num", "v": 1, "new": {"deep": [1]}})}
    assert expressions.decode(newer) == {"e": expression(depth, {"op": "num", "v": 1})}
    size = size_of(newer)
    for function in (expressions.decode, expressions.encode):
        assert work.of(function, newer).total < 200 * size * depth


@given(schemas(), values(4), st.lists(st.sampled_from([*KEYS, 0]), min_size=1, max_size=3))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_work_grows_with_the_payload_for_drawn_schemas(
    schema: Node[Document], innermost: Any, steps: list[str | int]
) -> None:
    contract = EventContract("shop", "sold", schema, source="drawn.json")
    work, totals = Work(), []
    for depth in (18, 18, 36, 72):
        value = innermost
        for level in range(depth):
            step = steps[level % len(steps)]
            value = [value] if isinstance(step, int) else {step: value, "new": 1}
        if isinstance(value, list):
            value = {"a": value}
        decoding = work.of(contract.decode, value).total
        totals.append((decoding, work.of(contract.encode, value).total))
    for operation in zip(*totals[1:], strict=True):
        for less, more in itertools.pairwise(operation):
            assert more <= 3 * less + 3_000, totals


def times_of(sizes: tuple[int, int], make: Callable[[int], tuple[EventContract, Any]]) -> list[float]:
    """Return the least processor time of firing and decoding, for a small and a large value."""
    times = []
    for size in sizes:
        contract, value = make(size)
        attempts = []
        for _ in range(3):
            started = time.process_time()
            for _, function in operations(contract):
                with contextlib.suppress(InvalidEvent, InvalidEventArguments):
                    function(value)
            attempts.append(time.process_time() - started)
        times.append(min(attempts))
    return times


LARGE = 2**64
ITEMS: dict[str, Callable[[int], Any]] = {
    "integers": lambda index: index,
    "large integers": lambda index: LARGE + index,
    "integers of one hash": lambda index: index * sys.hash_info.modulus,
    "large numbers": lambda index: -LARGE - index if index % 2 else index * 1e300,
    "large integers in objects": lambda index: {"n": LARGE + index},
    "large integers in arrays": lambda index: [LARGE + index],
    "strings": str,
    "mixed": lambda index: [index, str(index), [index], {"n": index}, index + 0.5][index % 5],
}
KEYWORDS: dict[str, Callable[[list[Any]], dict[str, Any]]] = {
    "uniqueItems": lambda items: {"uniqueItems": True},
    "enum": lambda items: {"enum": [[], items]},
    "const": lambda items: {"const": items},
    "multipleOf": lambda items: {"items": {"multipleOf": 3}},
    "contains": lambda items: {"contains": {"const": None}},
    "prefixItems": lambda items: {"prefixItems": [{}], "items": {"enum": [0, LARGE, "x", None]}},
}


@pytest.mark.parametrize("items", ITEMS)
@pytest.mark.parametrize("keyword", KEYWORDS)
def test_the_time_of_a_keyword_grows_with_the_array(keyword: str, items: str) -> None:
    def make(size: int) -> tuple[EventContract, Any]:
        value = [ITEMS[items](index) for index in range(size)]
        return written({"type": "object", "properties": {"e": KEYWORDS[keyword](value)}}), value

    small, large = times_of((250, 2_000), make)
    assert large < 30 * small + 0.05  # proportional: 8 times as much; all pairs: 64 times


@pytest.mark.parametrize(
    "schema",
    [
        {"propertyNames": {"pattern": "^[a-z0-9]+$"}},
        {"propertyNames": {"maxLength": 3}},
        {"additionalProperties": False, "properties": {"k": {}}},
        {"properties": {f"name{number}": {} for number in range(200)}},
        {"required": [f"k{number}" for number in range(2_000)]},
        {"dependentRequired": {"k1": ["k2", "k3"]}},
        {"minProperties": 3_000},
    ],
    ids=lambda schema: next(iter(schema)),
)
def test_the_time_of_a_keyword_grows_with_the_object(schema: dict[str, Any]) -> None:
    contract = written({"type": "object", "properties": {"e": schema}})
    small, large = times_of((250, 2_000), lambda size: (contract, {f"k{index}": 1 for index in range(size)}))
    assert large < 30 * small + 0.05


@dataclasses.dataclass
class Pair:
    left: object
    right: object
    _above: object = None  # not written


class Both(msgspec.Struct):
    left: object
    right: object


class Absent(msgspec.Struct, omit_defaults=True):
    text: str = "omitted"
    more: object = msgspec.UNSET


TWICE: dict[str, Callable[[Any], Any]] = {
    "list": lambda value: [value, value],
    "tuple": lambda value: (value, value),
    "dict": lambda value: {"l": value, "r": value},
    "dataclass": lambda value: Pair(value, value),
    "struct": lambda value: Both(value, value),
}


@pytest.mark.parametrize("twice", TWICE)
def test_a_value_that_is_in_many_places_is_not_written_to_see_that_it_is_too_large(
    twice: str, work: Work
) -> None:
    contract = declared(Parameter("tree", Any))
    tree: Any = TWICE[twice](None)
    for _ in range(23):
        tree = TWICE[twice](tree)

    def fire(arguments: dict[str, Any]) -> None:
        with pytest.raises(Oversized) as refused:
            contract.prepare(arguments, 1_000_000)
        assert refused.value.size > 2**23

    least = work.of(fire, {"tree": tree}).total
    assert least < 200
    for _ in range(100):
        tree = TWICE[twice](tree)

    def fire_deeper(arguments: dict[str, Any]) -> None:
        with pytest.raises(InvalidEventArguments, match="more than 100 levels"):
            contract.prepare(arguments, 1_000_000)

    least = work.of(fire_deeper, {"tree": tree}).total
    assert least < 1_000


def test_a_text_in_many_places_is_not_written_either() -> None:
    contract = declared(Parameter("texts", list[str]))
    with pytest.raises(Oversized):
        contract.prepare({"texts": ["x" * 1_000] * 1_000_000}, 1_000_000)


@pytest.mark.parametrize(
    "value",
    [
        [], [1] * 9, ["", "x"], [[], {}], {"": 1, "a": [None, True, 1.5]}, {1: 2}, (1, (2,)), {1}, {"x": {"y": Both(1, "a")}},
        [Pair(1, [2], [3] * 100)] * 5, [Absent()] * 50, [Both([], {})], [datetime.date(2026, 1, 31)] * 5, b"12345", [Decimal(1)] * 9,
    ],
)  # fmt: skip
def test_no_value_is_taken_for_larger_than_it_is(value: Any) -> None:
    contract = declared(Parameter("value", Any))
    payload = contract.prepare({"value": value})[0]["value"]
    assert least_size(value) <= len(msgspec.json.encode(payload))


def test_fire_lists_twenty_problems() -> None:
    nested = {"type": "object", "properties": {"name": {}}}
    contract = written({"type": "object", "properties": {"e": nested}})
    names = {f"nam{index}": 1 for index in range(1_000)}
    for arguments in ({"e": names}, names, {"e": {**names, "l": [float("nan")] * 1_000}}):
        with pytest.raises(InvalidEventArguments) as refused:
            contract.encode(arguments)
        assert len(refused.value.problems) == 21
        assert str(refused.value.problems[-1]) == "there are more problems than these"


@pytest.mark.parametrize(
    "grow", [lambda size: ("n" * size, ["n" * size + "x"]), lambda size: ("name", ["nane"] * size)]
)
def test_the_search_for_the_word_that_was_meant_is_bounded(
    grow: Callable[[int], tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    close_matches = difflib.get_close_matches

    def counting(word: str, candidates: list[str], **options: Any) -> list[str]:
        compared.append(len(word) * sum(map(len, candidates)))
        return close_matches(word, candidates, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counting)
    assert did_you_mean(*grow(10))
    did_you_mean(*grow(100_000))
    assert compared[-1] < 300_000


CHAINED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "allOf": lambda to: {"allOf": [to, to]},
    "anyOf": lambda to: {"anyOf": [to, to]},
    "oneOf": lambda to: {"oneOf": [to, {"type": "null"}, {"allOf": [to]}]},
    "if": lambda to: {"if": to, "then": to, "else": to},
    "dependentSchemas": lambda to: {"dependentSchemas": {"a": to, "b": to}},
    "properties": lambda to: {"anyOf": [{"properties": {"a": to}}, {"properties": {"a": to}}]},
    "items": lambda to: {"allOf": [{"items": to}, {"prefixItems": [to], "items": to}]},
}


@pytest.mark.parametrize("link", CHAINED)
@pytest.mark.parametrize(
    "compiled",
    [
        lambda node: [accepts(node, kind) for kind in ("string", "number", "object", "array")],
        lambda node: parameter_contracts(payload(node)),
        lambda node: undeclared(node),
        lambda node: convert(1.0) if (convert := conversion([node])) else None,
    ],
    ids=["accepts", "parameters", "undeclared", "conversion"],
)
def test_compiling_a_schema_does_not_follow_each_way_through_it(
    link: str, compiled: Callable[[Node[Document]], object]
) -> None:
    totals = []
    for length in (5, 5, 10, 20):
        definitions = {
            f"D{number}": CHAINED[link]({"$ref": f"#/$defs/D{number + 1}"}) for number in range(length)
        }
        last = {"type": ["object", "array", "integer"], "properties": {"d": DAY}, "items": DAY}
        document = Document(
            {"$ref": "#/$defs/D0", "$defs": {**definitions, f"D{length}": last}}, "drawn.json"
        )
        totals.append(Work().of(compiled, document.root).total)
    for less, more in itertools.pairwise(totals[1:]):  # each union may look at all that is below it
        assert more <= 4.8 * less + 200, totals


def test_each_of_many_properties_is_compiled_with_the_same_work() -> None:
    totals = []  # of a chain of properties, and as many that each refer to one of its definitions
    for length in (20, 40, 80):
        definitions = {
            f"D{number}": {"properties": {"a": {"$ref": f"#/$defs/D{number + 1}"}}}
            for number in range(length)
        }
        schema = {
            "properties": {f"p{number}": {"$ref": f"#/$defs/D{number}"} for number in range(length)},
            "$defs": {**definitions, f"D{length}": {"properties": {"d": DAY}}},
        }
        convert = conversion([Document(schema, "drawn.json").root])
        assert convert
        totals.append(Work().of(convert, {f"p{number}": 1 for number in range(length)}).total)
    for less, more in itertools.pairwise(totals):
        assert more <= 2.5 * less + 200, totals
