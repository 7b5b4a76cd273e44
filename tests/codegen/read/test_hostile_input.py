"""Schemas folders that would hang, crash or mislead a careless reader."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightbus_gen.generate import generate
from lightbus_gen.load.apis import load
from lightbus_gen.read import folder as walk
from lightbus_gen.read.decode import read_files
from lightbus_gen.read.files import Report
from lightbus_gen.read.folder import read_folder
from lightbus_gen.read.input_problems import InputError
from tests.codegen.project.project import Project

EVENT = {"type": "object", "properties": {"number": {"type": "integer"}}}


@pytest.fixture
def schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one valid event; problems name it `schemas`."""
    monkeypatch.chdir(tmp_path)
    folder = Path("schemas")
    (folder / "shop").mkdir(parents=True)
    (folder / "shop/placed.json").write_text(json.dumps(EVENT))
    return folder


def problems(folder: Path, texts: dict[str, bytes] | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        generate(folder, "acme_bus", texts=texts)
    return [f"{problem.location}: {problem.rule} {problem.message}" for problem in caught.value.problems]


# -- special files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make", "expected"),
    [
        ("shop/loop", lambda path: path.symlink_to(".."), "LINK_LOOP is a link to a folder it is in itself"),
        ("shop/self", lambda path: path.symlink_to("self"), "LINK_LOOP is a link that leads back to itself"),
        ("shop/a.json", lambda path: path.symlink_to("a.json"), "LINK_LOOP is a link that leads back to itself"),
        ("shop/a.json", lambda path: path.symlink_to("b"), "NOT_READABLE is a link that leads nowhere"),
        ("shop/types", lambda path: path.symlink_to("b"), "NOT_READABLE is a link that leads nowhere"),
        ("shop/a.yaml", os.mkfifo, "NOT_READABLE is not a regular file but a pipe, socket or device"),
        (
            "shop/a.json",
            lambda path: path.symlink_to("/dev/zero"),
            "NOT_READABLE is not a regular file but a pipe, socket or device",
        ),
        (
            "shop/a.json",
            lambda path: path.symlink_to("/proc/self/mem"),
            "NOT_READABLE cannot be read: Input/output error",
        ),
    ],
)  # fmt: skip
def test_what_is_no_file_is_not_read(
    schemas: Path, name: str, make: Callable[[Path], None], expected: str
) -> None:
    if "proc" in expected and not Path("/proc/self/mem").exists():
        pytest.skip("Linux only")
    make(schemas / name)
    assert problems(schemas) == [f"schemas/{name}: {expected}"]


def test_other_files_and_hidden_ones_are_left_alone(schemas: Path) -> None:
    (schemas / "README.md").symlink_to("nowhere.md")
    (schemas / "shop/.placed.json.swp").write_bytes(b"\xff")
    (schemas / ".git").mkdir()
    (schemas / ".git/index.json").write_text("{")
    assert "acme_bus/shop.py" in generate(schemas, "acme_bus")


def test_links_are_followed_out_of_the_folder(schemas: Path) -> None:
    outside = schemas.parent / "elsewhere"
    outside.mkdir()
    (outside / "sent.json").write_text(json.dumps(EVENT))
    (schemas / "mail").symlink_to("../elsewhere")
    (schemas / "shop/sent.json").symlink_to("../../elsewhere/sent.json")
    files = generate(schemas, "acme_bus")
    assert "class Sent:" in files["acme_bus/mail.py"]
    assert "class Sent:" in files["acme_bus/shop.py"]


@pytest.mark.parametrize(("files", "what"), [(["_a.json", "_b.json"], "schema files"), ([], "folders")])
def test_links_between_folders_do_not_multiply_for_ever(
    schemas: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], what: str
) -> None:
    monkeypatch.setattr(walk, "MAX_FILES", 200)
    folders = [schemas / name for name in "abcdefghij"]
    for folder in folders:
        folder.mkdir()
        for file in files:
            (folder / file).write_text("{}")
        for other in folders:
            (folder / f"to_{other.name}").symlink_to(f"../{other.name}")
    [found] = problems(schemas)
    assert found == f"schemas: TOO_LARGE holds more than 200 {what}, links followed"


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("shop/Sent.json", "shop/sent.json"),
        ("mail/sent.json", "Mail/got.json"),
        ("mail/caf\u00e9.json", "mail/cafe\u0301.json"),
        ("mail/sent.json", "\uff4d\uff41\uff49\uff4c/got.json"),
        ("_types/A.json", "_types/a.json"),
    ],
)
def test_paths_that_some_systems_hold_for_the_same_are_refused(schemas: Path, one: str, other: str) -> None:
    event = json.dumps(EVENT).encode()
    found = problems(schemas, {one: event, other: event})
    assert any("NAME_COLLISION" in line and "do not tell such letters apart" in line for line in found)


def test_a_name_that_is_no_text_is_refused(schemas: Path) -> None:
    os.close(os.open(os.fsencode(schemas) + b"/shop/\xff.json", os.O_CREAT | os.O_WRONLY))
    assert problems(schemas) == ["schemas/shop/\\udcff.json: NOT_UTF8 its name is not UTF-8 text"]


def test_a_problem_is_one_line_whatever_the_file_is_called(schemas: Path) -> None:
    (schemas / "shop/a\nb\x1b[0m.json").write_text("{")
    [found] = problems(schemas)
    assert found.startswith("schemas/shop/a\\nb\\x1b[0m.json:1:2: INVALID_JSON")


# -- limits --------------------------------------------------------------------------------------


def _chain(length: int, link: Callable[[str], Any]) -> dict[str, Any]:
    links = {f"d{index}": link(f"#/$defs/d{index + 1}") for index in range(length)}
    return {**EVENT, "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": {**links, f"d{length}": {}}}


_TOO_MANY = ": TOO_DEEP more than 50 schemas in a row apply to the same value"
_WAYS = ": TOO_DEEP more than 1,000 ways through its references lead to the same part of a value"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.json",
            '{"x":"' + "a" * 50_000_000 + '"}',
            ": TOO_LARGE has more than 10,000,000 bytes, the most",
        ),
        ("a.yaml", "a: " + "a" * 600_000, ": TOO_LARGE has more than 500,000 bytes, the most"),
        ("a.json", "[" * 10_000 + "]" * 10_000, ":1:101: TOO_DEEP nests more than 100 levels"),
        ("a.json", '{"a":' * 200_000, ":1:497: TOO_DEEP nests more than 100 levels"),
        ("a.yaml", "[" * 10_000 + "]" * 10_000, ":1:101: TOO_DEEP nests more than 100 levels"),
        ("a.yaml", "\n".join(" " * n + "a:" for n in range(900)), ":100:100: TOO_DEEP nests more than"),
        ("a.json", "[" + "1," * 300_000 + "1]", ":1:500002: TOO_LARGE holds more than 250,000 values"),
        ("a.json", json.dumps(_chain(10_000, lambda to: {"$ref": to})), _TOO_MANY),
        ("a.json", json.dumps(_chain(10_000, lambda to: {"allOf": [{"$ref": to}]})), _TOO_MANY),
        ("a.json", json.dumps(_chain(26, lambda to: {"not": {"not": {"$ref": to}}})), _TOO_MANY),
        ("a.json", json.dumps(_chain(51, lambda to: {"anyOf": [{"type": "null"}, {"$ref": to}]})), _TOO_MANY),
        ("a.json", json.dumps(_chain(20, lambda to: {"anyOf": [{"$ref": to}, {"$ref": to}]})), _WAYS),
        (
            "a.json",
            json.dumps(_chain(10_000, lambda to: {"properties": {"a": {"$ref": to}}})),
            ":1:1: TOO_DEEP the types of event 'a' are nested too deeply",
        ),
    ],
    ids=[
        "json",
        "yaml",
        "deep",
        "unclosed",
        "deep-yaml",
        "deep-block",
        "values",
        "refs",
        "all-of",
        "not",
        "any-of",
        "ways",
        "nested",
    ],
)
def test_limits_are_errors_with_a_place(schemas: Path, name: str, text: str, expected: str) -> None:
    (schemas / "shop" / name).write_text(text)
    [found] = problems(schemas)
    assert found.startswith(
        f"schemas/shop/{name}:1:" if expected in (_TOO_MANY, _WAYS) else f"schemas/shop/{name}{expected}"
    )
    assert expected in found


@pytest.mark.parametrize(
    "definitions",
    [
        {"d": {"allOf": [{"$ref": "#/$defs/e"}]}, "e": {"allOf": [{"$ref": "#/$defs/d"}]}},
        {"d": {"$ref": "#/$defs/e"}, "e": {"$ref": "#/$defs/d"}},
        {"d": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]}},
        {"d": {"not": {"$ref": "#/$defs/d"}}},
    ],
)
def test_circles_of_references_are_refused(schemas: Path, definitions: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": definitions}
    (schemas / "shop/placed.json").write_text(json.dumps(schema))
    [found] = problems(schemas)
    assert "ENDLESS_REF" in found


@pytest.mark.parametrize("pattern", ["^(a+)+!$", r"^(a|a)*\1!$", "^(?=a)(a|aa)+!$"])
def test_matching_names_with_patterns_is_quick(schemas: Path, pattern: str) -> None:
    closed = {"type": "object", "additionalProperties": False, "patternProperties": {pattern: {}}}
    (schemas / "shop/placed.json").write_text(
        json.dumps({**EVENT, "allOf": [closed], "properties": {"a" * 60: {}}})
    )
    assert "class Placed:" in generate(schemas, "acme_bus")["acme_bus/shop.py"]


def test_patterns_have_the_meaning_of_ecma(schemas: Path) -> None:
    both = {"patternProperties": {r"^\d+$": {"type": "string"}}, "properties": {"\u0663": {}, "3": {}}}
    (schemas / "shop/placed.json").write_text(
        json.dumps({"type": "object", "allOf": [both, {**both, "properties": {}}]})
    )
    text = generate(schemas, "acme_bus")["acme_bus/shop.py"]
    assert "_3: str | UnsetType" in text
    assert "\u0663" not in text or "str | UnsetType" in text


KEYWORDS = """
    $id id $ref $dynamicRef $anchor $schema $defs definitions type properties items required enum const default allOf
    anyOf oneOf not if then pattern format patternProperties additionalProperties title description x-python-name
    minimum lightbus api events a
"""
WORDS = """
    object string integer null # #/$defs/a #/properties/a shop/placed.json http://[ : ( date-time a class ~ % ^a$ 😀
    https://json-schema.org/draft/2020-12/schema http://json-schema.org/draft-04/schema#
"""
keywords = st.sampled_from(KEYWORDS.split())
words = st.sampled_from(["", *WORDS.split()])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keywords, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None)
@given(st.dictionaries(keywords, values, max_size=6), st.sampled_from(["shop/placed", "_types/a"]))
def test_any_schema_is_used_or_refused(value: dict[str, Any], name: str) -> None:
    texts = {"mail/sent.json": json.dumps(EVENT).encode(), f"{name}.json": json.dumps(value).encode()}
    try:
        files = generate(Path("no_such_folder"), "acme_bus", texts=texts)
    except InputError as error:
        assert all(problem.path and problem.message and problem.fix for problem in error.problems)
    else:
        assert "acme_bus/mail.py" in files


# -- drafts and dumps ----------------------------------------------------------------------------

PYPROJECT = '[tool.lightbus-gen]\npackage = "acme_bus"\n'
DUMP = {
    "shop": {"events": {"sold": {"parameters": EVENT}}, "rpcs": {"sell": {"parameters": {}, "response": {}}}},
    "internal.state": {"events": {}, "rpcs": {}},
}


@pytest.mark.parametrize(
    ("dialects", "expected"),
    [
        ('["https://acme.example/v1=draft-7"]', "dialect 'https://acme.example/v1=draft-7' names no draft (did you mean 'draft-07'"),
        ('["draft-07"]', "dialect 'draft-07' names no draft"),
        ('["=2019-09", "=2020-12"]', "dialects name a draft for no $schema twice"),
        ('["http://acme.example/v1=draft-04", "https://acme.example/v1#=draft-07"]', "dialects name 'https://acme"),
        ('"draft-07"', "dialects = 'draft-07' is not a list of strings"),
    ],
)  # fmt: skip
def test_a_wrong_dialect_is_refused(tmp_path: Path, dialects: str, expected: str) -> None:
    project = Project(tmp_path, {"pyproject.toml": f"{PYPROJECT}dialects = {dialects}\n"})
    ran = project.run()
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"pyproject.toml: INVALID_CONFIG {expected}")


def test_a_dialect_on_the_command_line_counts_over_the_file(tmp_path: Path) -> None:
    schema = {"$schema": "https://acme.example/v1", **EVENT, "required": ["number"]}
    project = Project(
        tmp_path,
        {
            "pyproject.toml": f'{PYPROJECT}dialects = ["https://acme.example/v1=2019-09"]\n',
            "schemas/shop/placed.json": json.dumps(schema),
        },
    )
    assert project.run("--dialect", "https://acme.example/v1=draft-06").returncode == 0
    assert "draft-06" in project.texts("generated")["generated/acme_bus/schemas/shop.json"]
    assert project.run().returncode == 0
    assert "2019-09" in project.texts("generated")["generated/acme_bus/schemas/shop.json"]


def test_what_a_dump_holds_beside_events_is_a_notice_in_every_format(tmp_path: Path) -> None:
    files = {"pyproject.toml": PYPROJECT, "schemas/dump.json": json.dumps(DUMP, indent=2)}
    project = Project(tmp_path, files)
    ran = project.run()
    assert ran.returncode == 0
    assert "schemas/dump.json:15:5: RPC_LEFT_OUT the RPCs of API 'shop' are left out: sell" in ran.stderr
    assert "schemas/dump.json:22:3: INTERNAL_API API 'internal.state' is left out" in ran.stderr
    notices = json.loads(project.run("--format", "json").stdout)["notices"]
    assert [(notice["line"], notice["rule"]) for notice in notices] == [
        (15, "RPC_LEFT_OUT"),
        (22, "INTERNAL_API"),
    ]
    lines = project.run("--format", "github").stdout.splitlines()
    assert lines[0].startswith(
        "::notice file=schemas/dump.json,line=15,col=5,title=RPC_LEFT_OUT::the RPCs of"
    )
    assert project.run("--quiet").stderr == ""


def test_a_problem_in_a_dump_is_at_its_place_in_the_dump(schemas: Path) -> None:
    bad = {"shops": {"events": {"sold": {"parameters": {**EVENT, "type": "objekt"}}}, "rpcs": {}}}
    (schemas / "dump.json").write_text(json.dumps(bad, indent=2))
    report = Report()
    load(schemas, read_files(schemas, read_folder(schemas, report), report), report)
    [problem] = report.problems
    assert (problem.line, problem.pointer) == (6, "/shops/events/sold/parameters/type")
