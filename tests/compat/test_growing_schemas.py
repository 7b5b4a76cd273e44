"""Comparing two versions and generating code ends, whatever the numbers, and takes work in proportion to the schemas.

Work is counted, not timed: the calls and lines that code of the library executes, in units that no load changes.
"""

from __future__ import annotations

import itertools
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
"""Calls and lines that a run with small schemas may take; each took fewer than half."""


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


def pairs(keyword: str) -> Iterator[list[tuple[Schema, Schema]]]:
    """Yield, for each number, pairs of schemas that differ in it, or in something else beside it, both ways."""
    schemas = [with_number(keyword, number) for number in NUMBERS]
    free = {"type": KINDS[keyword]} if keyword in KINDS else {}
    inner = {"items": {"type": "integer"}, "additionalProperties": {"type": "integer"}}
    for index, schema in enumerate(schemas):
        one_way = [
            (schema, free),
            (schema, schemas[index - 1]),
            (schema, {**schema, **inner}),
            ({**schema, "uniqueItems": True}, {**free, **inner}),
        ]
        yield [*one_way, *((new, old) for old, new in one_way)]


@pytest.mark.parametrize("keyword", [*KINDS, *VALUES])
def test_a_number_in_a_keyword_is_compared_or_refused(keyword: str, tmp_path: Path) -> None:
    for of_a_number in pairs(keyword):
        changes = [(payload(old), payload(new)) for old, new in of_a_number]
        outcome = breaking(tmp_path, *changes)
        outcomes = [breaking(tmp_path, each) for each in changes] if outcome.exit_code == 2 else [outcome]
        for outcome in outcomes:  # of each change alone where one was refused, which hides the others
            assert outcome.exit_code in (0, 1, 2)
            assert len(outcome.out) < 100_000


@pytest.mark.parametrize("number", NUMBERS)
def test_a_payload_with_a_limit_on_its_properties_is_compared_or_refused(
    number: float, tmp_path: Path
) -> None:
    for keyword in ("minProperties", "maxProperties"):
        limited = {"type": "object", keyword: number, "additionalProperties": {"type": "string"}}
        for old, new in (({"type": "object"}, limited), (limited, {"type": "object"})):
            assert breaking(tmp_path, (old, new)).exit_code in (0, 1, 2)


PATTERNS = (
    "a{1000}", "(?:a{1000}){1000}", "(?:(?:a*)*)*", "^(?:a|b)*a(?:a|b){40}$", "^a{3000}$", "(?:){1000}", "^(?:a?){500}$",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_compared_or_refused(pattern: str, tmp_path: Path) -> None:
    text = {"type": "string", "minLength": 3}
    for other in ({"pattern": "b"}, {"pattern": f"{pattern}b"}, {"minLength": 10**8}, {"maxLength": 10**400}):
        for old, new in (({"pattern": pattern}, other), (other, {"pattern": pattern})):
            change = (payload({**text, **old}), payload({**text, **new}))
            outcome = breaking(tmp_path, change, most=4_000_000)
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


def breaking(folder: Path, *changes: tuple[Schema, Schema], most: int = MOST_WORK) -> Outcome:
    """Compare the old and new schemas of events."""
    for version, schemas in zip(("old", "schemas"), zip(*changes, strict=True), strict=True):
        by_name = {f"changed{at}": schema for at, schema in enumerate(schemas)}
        write(folder / version / "auth.json", events(**by_name))
    with Work(most):
        return run("breaking", "--schemas", "schemas", "--against", "old", folder=folder)


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def test_a_long_text_or_list_is_not_built_to_prove_a_limit(tmp_path: Path) -> None:
    findings = compared(tmp_path, payload({"type": "string", "minLength": 10**7}), payload({"type": "null"}))
    assert [(finding.rule, finding.payload) for finding in findings if finding.direction == "backward"] == [
        ("UNDECIDED", None)
    ]


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


def tagged(size: int, last: Schema, keyword: str = "anyOf") -> Schema:
    """Return a document of a union of objects that a tag tells apart."""
    branches = [{"kind": {"const": f"k{at}"}, f"p{at}": {"type": "string"}} for at in range(size)]
    branches.append({"kind": {"const": "last"}, "x": last})
    return payload(
        {keyword: [{"type": "object", "properties": each, "required": [*each]} for each in branches]}
    )


def tagged_types(size: int, last: Schema) -> Schema:
    """Return a document of a union of types that a tag tells apart."""
    branches = tagged(size, last)["properties"]["x"]["anyOf"]
    types = {f"T{at}": branch for at, branch in enumerate(branches)}
    return {**payload({"oneOf": [{"$ref": f"#/$defs/{name}"} for name in types]}), "$defs": types}


def constants(size: int, last: Schema) -> Schema:
    return payload({"oneOf": [{"const": f"v{at}"} for at in range(size - (last is LAST[1]))]})


def described_constants(size: int, last: Schema) -> Schema:
    names = range(size - (last is LAST[1]))
    return payload({"anyOf": [{"const": at, "title": f"Number {at}", "description": "."} for at in names]})


def required(size: int, last: Schema) -> Schema:
    names = [f"p{at}" for at in range(size)]
    return {"type": "object", "properties": dict.fromkeys(names, last), "required": names}


def added(size: int, last: Schema) -> Schema:
    more = [f"p{at}" for at in range(size if last is LAST[1] else 0)]
    return {
        "type": "object",
        "properties": {"x": {}, **{name: {} for name in more}},
        "required": ["x", *more],
    }


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
    "described constants": described_constants,
    "tagged objects": tagged,
    "tagged objects of oneOf": lambda size, last: tagged(size, last, "oneOf"),
    "tagged types": tagged_types,
    "changed required properties": required,
    "added required properties": added,
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
"""Shapes with too many ways to the same part of a value."""


@pytest.mark.parametrize("shape", [shape for shape in GROWING if shape not in REFUSED])
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
        with Work(10_000_000) as work:
            assert generate(tmp_path / "new", "acme_bus")
        generating.append(work.count)
    assert comparing[1] < 2.6 * comparing[0]
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


LONGEST = {"conditions": 24, "negations": 12, "two ways together": 40, "nothing unevaluated": 40}
"""How many types may refer to each other, where it is not 16: a longer chain is refused."""
MULTIPLYING: dict[str, Callable[[Schema, int], Schema]] = {
    "a union of a type and a part of it": lambda next_, _: {"anyOf": [next_, {"allOf": [next_, {"type": "integer"}]}]},
    "three branches": lambda next_, _: {"oneOf": [{"type": "string"}, next_, {"allOf": [next_, {"minimum": 0}]}]},
    "conditions": lambda next_, _: {"if": next_, "then": next_, "else": next_},
    "negations": lambda next_, _: {"not": {"allOf": [next_, {"not": next_}]}},
}  # fmt: skip


@pytest.mark.parametrize("shape", [*MULTIPLYING, *REFUSED])
def test_types_that_multiply_are_refused(shape: str, tmp_path: Path) -> None:
    """Each level refers to the next one twice for the same value, in a way that no result is shared."""
    schema = chained(MULTIPLYING[shape]) if shape in MULTIPLYING else GROWING[shape]
    for folder, last in (("old", LAST[0]), ("new", LAST[1])):
        write(tmp_path / folder / "auth/sent.json", schema(LONGEST.get(shape, 16), last))
    with Work(10_000_000), pytest.raises(InputError, match="TOO_DEEP"):
        generate(tmp_path / "new", "acme_bus")
    with Work(10_000_000):
        outcome = run("breaking", "--schemas", "new", "--against", "old", folder=tmp_path)
    assert outcome.exit_code == 2
    assert "TOO_DEEP" in outcome.err


@pytest.mark.parametrize(("branches", "rule"), [(constants, "BRANCH_REMOVED"), (tagged, "RANGE_NARROWED")])
def test_a_long_union_is_compared_by_the_branches_that_changed(
    branches: Callable[[int, Schema], Schema], rule: str, tmp_path: Path
) -> None:
    findings = compared(tmp_path, branches(150, LAST[0]), branches(150, LAST[1]))
    assert [finding.rule for finding in findings] == [rule]


@pytest.mark.parametrize("size", [3, 64, 65, 150])
@pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
def test_a_union_of_constants_is_an_enumeration(keyword: str, size: int, tmp_path: Path) -> None:
    texts = [f"v{at}" for at in range(size)]
    enumeration = payload({"enum": texts})
    plain = payload({keyword: [{"const": text} for text in texts]})
    described = payload({keyword: [{"const": text, "title": text, "description": "."} for text in texts]})
    some = payload({keyword: [{"enum": texts[: size // 2]}, {"type": "string", "enum": texts[size // 2 :]}]})
    forms = (enumeration, plain, described, some)
    for old, new in itertools.permutations(forms, 2):
        assert compared(tmp_path, old, new) == []
    fewer = payload({keyword: [{"const": text} for text in texts[1:]]})
    for old in forms:
        assert {finding.payload["x"] for finding in compared(tmp_path, old, fewer) if finding.payload} == {
            "v0"
        }


@pytest.mark.parametrize("size", [64, 65, 300])
@pytest.mark.parametrize("document", [tagged_types, lambda size, last: tagged(size, last, "oneOf")])
def test_branches_that_a_tag_tells_apart_are_compared_one_by_one(
    document: Callable[[int, Schema], Schema], size: int, tmp_path: Path
) -> None:
    findings = compared(tmp_path, document(size, LAST[0]), document(size, LAST[1]))
    assert [(finding.rule, finding.field) for finding in findings] == [("RANGE_NARROWED", "x.x")]


# -- chains --------------------------------------------------------------------------------------

LINKS: dict[str, Callable[[Schema], Schema]] = {
    "properties": payload,
    "two properties": lambda next_: {
        "type": "object",
        "properties": {"x": next_, "y": {"items": {"$ref": "#/$defs/T1"}}},
    },
    "items": lambda next_: {"type": "array", "items": next_},
    "further properties": lambda next_: {"type": "object", "additionalProperties": next_},
    "patterns": lambda next_: {"type": "object", "patternProperties": {"^a": next_}},
    "unions": lambda next_: {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, next_]}}},
    "nullable": lambda next_: {"oneOf": [{"type": "null"}, next_]},
    "circle of unions": lambda next_: {
        "type": "object",
        "properties": {
            "x": {"anyOf": [{"type": "string"}, next_]},
            "y": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/T1"}]},
        },
    },
    "names": lambda next_: {"type": "object", "propertyNames": next_},
    "contains": lambda next_: {"type": "array", "contains": next_},
    "negations": lambda next_: {"type": "object", "properties": {"x": {"not": payload(next_)}}},
    "references": lambda next_: next_,
    "allOf": lambda next_: {"allOf": [next_]},
}
APPLYING = ("references", "allOf")
"""Links by which schemas apply to the same value."""


def nested(link: Callable[[Schema], Schema], size: int, last: Schema) -> Schema:
    schema = payload(last)
    for _ in range(size):
        schema = link(schema)
    return {**payload(schema), "$defs": {"T1": {}}}


def in_a_chain(link: Callable[[Schema], Schema], size: int, last: Schema) -> Schema:
    return chained(lambda next_, _: link(next_))(size, last)


@pytest.mark.parametrize("size", [45, 250])
@pytest.mark.parametrize("document", [in_a_chain, nested])
@pytest.mark.parametrize("link", LINKS)
def test_a_long_chain_of_schemas_has_a_result_or_a_named_error(
    link: str, document: Callable[..., Schema], size: int, tmp_path: Path
) -> None:
    for folder, last in (("old", LAST[0]), ("new", LAST[1])):
        write(
            tmp_path / folder / "auth/sent.json",
            document(LINKS[link], min(size, 150 if document is nested else size), last),
        )
    out = ("--schemas", "new", "--out", "out", "--package", "acme_bus")
    compare = ("--schemas", "new", "--against", "old")
    commands = (out, (*out, "--check"), ("breaking", *compare), ("changelog", *compare))
    outcomes = [run(*command, folder=tmp_path) for command in commands]
    for outcome in outcomes:
        assert outcome.exit_code in (0, 1) or "TOO_DEEP" in outcome.err or "ENDLESS_REF" in outcome.err
    if link in APPLYING and document is in_a_chain and size > 45:
        assert {outcome.exit_code for outcome in outcomes} == {2}
        places = [outcome.err.partition(" ")[0] for outcome in outcomes]
        assert places[0] == places[1].replace("old/", "new/")
        assert all("more than 50 schemas in a row" in outcome.err for outcome in outcomes)
