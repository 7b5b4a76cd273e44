"""Comparing two versions and generating code ends, whatever the numbers, and takes work in proportion to the schemas.

Work is counted, not timed: the calls and lines that code of the library executes, in units that no load changes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import lightbus
import lightbus_gen
from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError
from tests.compat.project import Outcome, compared, events, run

LIBRARY = tuple(str(Path(str(package.__file__)).parent) for package in (lightbus, lightbus_gen))
Schema = dict[str, Any]
Trace = Callable[[FrameType, str, Any], Any]


# -- numbers -------------------------------------------------------------------------------------

KINDS = {
    "multipleOf": "number", "minimum": "number", "maximum": "number", "exclusiveMinimum": "number",
    "exclusiveMaximum": "number", "minLength": "string", "maxLength": "string", "minItems": "array",
    "maxItems": "array", "minContains": "array", "maxContains": "array", "minProperties": "object",
    "maxProperties": "object",
}  # fmt: skip
VALUES = ("const", "enum", "default", "examples")
NUMBERS = (0, -1, 1, 1.0, 10**8, 1e8, 1e308, -1e308, 1e-308, 5e-324, 10**400, -(10**400))
MOST_WORK = 400_000
"""Calls and lines that a pair of small schemas may take; each took fewer than half."""


class TooMuchWork(BaseException):
    """No error that the library would handle."""


class Work:
    """Counts the calls and lines of the library's code while it is entered.

    Args:
        most: the count at which it is ended by TooMuchWork.
    """

    def __init__(self, most: int) -> None:
        self.count = 0
        self._most = most

    def __enter__(self) -> Work:
        self._previous = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._previous)

    def _enter(self, frame: FrameType, event: str, argument: object) -> Trace | None:
        return self._step(frame, event, argument) if frame.f_code.co_filename.startswith(LIBRARY) else None

    def _step(self, _frame: FrameType, _event: str, _: object) -> Trace:
        self.count += 1
        if self.count > self._most:
            raise TooMuchWork
        return self._step


def with_number(keyword: str, number: float) -> Schema:
    if keyword in VALUES:
        return {keyword: [number] if keyword in ("enum", "examples") else number}
    schema: Schema = {"type": KINDS[keyword], keyword: number}
    return schema | ({"contains": {"type": "string"}} if "Contains" in keyword else {})


def payload(schema: Schema) -> Schema:
    return {"type": "object", "properties": {"x": schema}, "required": ["x"]}


def pairs(keyword: str) -> Iterator[tuple[Schema, Schema]]:
    """Yield pairs of schemas that differ in a number, or in something else beside it."""
    schemas = [with_number(keyword, number) for number in NUMBERS]
    free = {"type": KINDS[keyword]} if keyword in KINDS else {}
    inner = {"items": {"type": "integer"}, "additionalProperties": {"type": "integer"}}
    for index, schema in enumerate(schemas):
        yield schema, free
        yield schema, schemas[index - 1]
        yield schema, {**schema, **inner}
        yield {**schema, "uniqueItems": True}, {**free, **inner}


@pytest.mark.parametrize("keyword", [*KINDS, *VALUES])
def test_a_number_in_a_keyword_is_compared_or_refused(keyword: str, tmp_path: Path) -> None:
    for old, new in pairs(keyword):
        for before, after in ((old, new), (new, old)):
            outcome = breaking(tmp_path, payload(before), payload(after))
            assert outcome.exit_code in (0, 1, 2)
            assert len(outcome.out) < 100_000


@pytest.mark.parametrize("number", NUMBERS)
def test_a_payload_with_a_limit_on_its_properties_is_compared_or_refused(
    number: float, tmp_path: Path
) -> None:
    for keyword in ("minProperties", "maxProperties"):
        limited = {"type": "object", keyword: number, "additionalProperties": {"type": "string"}}
        for old, new in (({"type": "object"}, limited), (limited, {"type": "object"})):
            assert breaking(tmp_path, old, new).exit_code in (0, 1, 2)


PATTERNS = (
    "a{1000}", "(?:a{1000}){1000}", "(?:(?:a*)*)*", "^(?:a|b)*a(?:a|b){40}$", "^a{3000}$", "(?:){1000}", "^(?:a?){500}$",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_compared_or_refused(pattern: str, tmp_path: Path) -> None:
    text = {"type": "string", "minLength": 3}
    for other in ({"pattern": "b"}, {"pattern": f"{pattern}b"}, {"minLength": 10**8}, {"maxLength": 10**400}):
        for old, new in (({"pattern": pattern}, other), (other, {"pattern": pattern})):
            outcome = breaking(tmp_path, payload({**text, **old}), payload({**text, **new}), most=4_000_000)
            assert outcome.exit_code in (0, 1, 2)


@pytest.mark.parametrize("keyword", [*KINDS, *VALUES])
def test_code_is_generated_or_refused_whatever_the_number(keyword: str, tmp_path: Path) -> None:
    for number in NUMBERS:
        write(tmp_path / "schemas/auth.json", events(signed_in=payload(with_number(keyword, number))))
        write(tmp_path / "old/auth.json", events(signed_in=payload({})))
        out = ("--schemas", "schemas", "--out", "out", "--package", "acme_bus")
        with Work(MOST_WORK):
            first = run(*out, folder=tmp_path).exit_code
            assert run(*out, "--check", folder=tmp_path).exit_code == first
            assert first in (0, 2)
            changelog = run("changelog", "--schemas", "schemas", "--against", "old", folder=tmp_path)
        assert changelog.exit_code == first


def breaking(folder: Path, old: Schema, new: Schema, most: int = MOST_WORK) -> Outcome:
    write(folder / "old/auth.json", events(signed_in=old))
    write(folder / "schemas/auth.json", events(signed_in=new))
    with Work(most):
        return run("breaking", "--schemas", "schemas", "--against", "old", folder=folder)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_a_long_text_or_list_is_not_built_to_prove_a_limit(tmp_path: Path) -> None:
    [finding] = compared(
        tmp_path, payload({"type": "string", "minLength": 10**7}), payload({"type": "null"})
    )[:1]
    assert (finding.rule, finding.payload) == ("TYPE_NARROWED", None)


# -- size ----------------------------------------------------------------------------------------

LAST = ({"type": "integer"}, {"type": "integer", "minimum": 1})
"""The schema at the end of a document, in both versions."""


def chained(link: Callable[[Schema, int], Schema]) -> Callable[[int, Schema], Schema]:
    """Return a document of types that each refer to the next one."""

    def document(size: int, last: Schema) -> Schema:
        types = {f"T{at}": link({"$ref": f"#/$defs/T{at + 1}"}, at) for at in range(size)}
        return {**payload({"$ref": "#/$defs/T0"}), "$defs": {**types, f"T{size}": payload(last)}}

    return document


def fewer(link: Callable[[Schema, int], Schema]) -> Callable[[int, Schema], Schema]:
    """Return a document of fewer types, as each counts several times in a chain of schemas for one value."""
    return lambda size, last: chained(link)(size * 3 // 10, last)


def listed(value: Callable[[int], Any]) -> Callable[[int, Schema], Schema]:
    return lambda size, last: payload({"enum": [value(at) for at in range(size - (last is LAST[1]))]})


def tagged(size: int, last: Schema) -> Schema:
    """Return a document of a union of objects that a tag tells apart."""
    branches = [{"kind": {"const": f"k{at}"}, f"p{at}": {"type": "string"}} for at in range(size)]
    branches.append({"kind": {"const": "last"}, "x": last})
    return payload(
        {"anyOf": [{"type": "object", "properties": each, "required": [*each]} for each in branches]}
    )


def constants(size: int, last: Schema) -> Schema:
    return payload({"oneOf": [{"const": f"v{at}"} for at in range(size - (last is LAST[1]))]})


def complete_graph(size: int, last: Schema) -> Schema:
    """Return a document of types that each refer to all; the number of references is 10 times the size."""
    types = range(round((10 * size) ** 0.5))
    all_of_them = {f"n{at}": {"$ref": f"#/$defs/T{at}"} for at in types}
    return {
        **payload({"$ref": "#/$defs/T0"}),
        "$defs": {f"T{at}": {"properties": {**all_of_them, "x": last}} for at in types},
    }


def dynamic(size: int, last: Schema) -> Schema:
    types = {
        f"T{at}": {"$dynamicAnchor": f"a{at}", "properties": {"x": last if at == size - 1 else {}, "n": {"$dynamicRef": f"#a{min(at + 1, size - 1)}"}}}
        for at in range(size)
    }  # fmt: skip
    return {
        **payload({"$ref": "#/$defs/T0"}) | {"properties": {"x": {"$ref": "#/$defs/T0"}, "y": last}},
        "$defs": types,
    }


def conditions(size: int, last: Schema) -> Schema:
    ifs = [{"if": payload({"const": at}), "then": {"required": [f"p{at}"]}} for at in range(size)]
    return payload({"type": "object", "properties": {"x": last}, "required": ["x"], "allOf": ifs})


def named(size: int, last: Schema, **more: Any) -> Schema:
    return (
        payload(last)
        | {"properties": {f"p{at}": {"type": "string"} for at in range(size)} | {"x": last}}
        | more
    )


GROWING: dict[str, Callable[[int, Schema], Schema]] = {
    "fractions": listed(lambda at: at + 0.5),
    "texts": listed(lambda at: f"v{at}"),
    "arrays": listed(lambda at: [at]),
    "objects": listed(lambda at: {"a": at}),
    "properties": lambda size, last: payload(last) | {"properties": {f"p{at}": {"type": "string"} for at in range(size)} | {"x": last}},
    "changed properties": lambda size, last: {"type": "object", "properties": {f"p{at}": last for at in range(size)}},
    "removed properties": lambda size, last: {"required": ["x"]} | ({"properties": {"x": {}}} if last is LAST[1] else named(size, last)) | ({} if last is LAST[1] else {"required": ["x", *(f"p{at}" for at in range(size))]}),
    "patterns": lambda size, last: named(size, last, patternProperties={f"^p{at}$": {"minLength": 1} for at in range(size)}),
    "names that need others": lambda size, last: named(size, last, dependentRequired={f"p{at}": [f"p{at + 1}"] for at in range(size - 1)}),
    "dependent schemas": lambda size, last: named(size, last, dependentSchemas={f"p{at}": {"required": [f"p{at + 1}"]} for at in range(size - 1)}),
    "conditions": conditions,
    "negations": lambda size, last: payload({"allOf": [*({"not": {"const": at}} for at in range(size)), last]}),
    "first items": lambda size, last: payload({"type": "array", "prefixItems": [*({"type": "string"} for _ in range(size)), last], "minItems": size + 1}),
    "constants": constants,
    "complete graph": complete_graph,
    "dynamic references": dynamic,
    "unions twice": chained(lambda next_, _: {"type": "object", "properties": {name: {"oneOf": [{"type": "string"}, {"type": "integer"}, next_]} for name in "xy"}, "required": ["x", "y"]}),
    "parts": lambda size, last: payload({"type": "object", "allOf": [*(payload({}) | {"properties": {f"p{at}": {}}, "required": [f"p{at}"]} for at in range(size)), payload(last)]}),
    "chain": chained(lambda next_, _: payload(next_)),
    "aliases": chained(lambda next_, _: next_),
    "two ways": chained(lambda next_, _: {"type": "object", "properties": {"x": next_, "y": next_}, "required": ["x", "y"]}),
    "two ways together": fewer(lambda next_, at: {"allOf": [next_, next_, {"properties": {f"p{at}": {}}}]}),
    "nothing unevaluated": fewer(lambda next_, at: {"allOf": [next_], "properties": {f"p{at}": {}}, "unevaluatedProperties": False}),
}  # fmt: skip
REFUSED = ("two ways together", "nothing unevaluated")
"""Shapes with too many ways to the same part of a value to generate from, though they can be compared."""


@pytest.mark.parametrize("shape", GROWING)
def test_work_grows_with_the_schemas(shape: str, tmp_path: Path) -> None:
    """A schema of twice the size takes about twice the work, and not four times."""
    comparing, generating = [], []
    for size in (20, 40):
        for folder, last in (("old", LAST[0]), ("new", LAST[1])):
            write(tmp_path / f"{folder}/auth/sent.json", GROWING[shape](size, last))
        with Work(10_000_000) as work:
            outcome = run("breaking", "--schemas", "new", "--against", "old", folder=tmp_path)
        comparing.append(work.count)
        assert outcome.exit_code == 1
        if shape in REFUSED:
            continue
        with Work(10_000_000) as work:
            assert generate(tmp_path / "new", "acme_bus")
        generating.append(work.count)
    assert comparing[1] < 2.6 * comparing[0]
    if shape in REFUSED:
        with pytest.raises(InputError, match="TOO_DEEP"):
            generate(tmp_path / "new", "acme_bus")
    else:
        assert generating[1] < 2.6 * generating[0]


def test_work_grows_with_the_events(tmp_path: Path) -> None:
    counts = []
    for size in (20, 40):
        for folder, last in (("old", LAST[0]), ("new", LAST[1])):
            write(tmp_path / folder / "auth.json", events(**{f"e{at}": payload(last) for at in range(size)}))
        with Work(10_000_000) as work:
            assert run("breaking", "--schemas", "new", "--against", "old", folder=tmp_path).exit_code == 1
            assert generate(tmp_path / "new", "acme_bus")
        counts.append(work.count)
    assert counts[1] < 2.6 * counts[0]


LONGEST = {"conditions": 24, "negations": 12}
"""How many types may refer to each other, where it is not 16: a longer chain is refused."""
MULTIPLYING: dict[str, Callable[[Schema, int], Schema]] = {
    "a union of a type and a part of it": lambda next_, _: {"anyOf": [next_, {"allOf": [next_, {"type": "integer"}]}]},
    "three branches": lambda next_, _: {"oneOf": [{"type": "string"}, next_, {"allOf": [next_, {"minimum": 0}]}]},
    "conditions": lambda next_, _: {"if": next_, "then": next_, "else": next_},
    "negations": lambda next_, _: {"not": {"allOf": [next_, {"not": next_}]}},
}  # fmt: skip


@pytest.mark.parametrize("shape", MULTIPLYING)
def test_types_that_multiply_end(shape: str, tmp_path: Path) -> None:
    """Each level refers to the next one twice, in a way that no result is shared: the answer may be UNDECIDED."""
    for folder, last in (("old", LAST[0]), ("new", LAST[1])):
        write(tmp_path / folder / "auth/sent.json", chained(MULTIPLYING[shape])(LONGEST.get(shape, 16), last))
    with Work(10_000_000), pytest.raises(InputError, match="TOO_DEEP"):
        generate(tmp_path / "new", "acme_bus")
    with Work(30_000_000):
        outcome = run("breaking", "--schemas", "new", "--against", "old", folder=tmp_path)
    assert outcome.exit_code in (0, 1)


@pytest.mark.parametrize(("branches", "rule"), [(constants, "BRANCH_REMOVED"), (tagged, "RANGE_NARROWED")])
def test_a_long_union_is_compared_by_the_branches_that_changed(
    branches: Callable[[int, Schema], Schema], rule: str, tmp_path: Path
) -> None:
    findings = compared(tmp_path, branches(150, LAST[0]), branches(150, LAST[1]))
    assert [finding.rule for finding in findings] == [rule]
