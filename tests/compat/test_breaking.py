"""The command: what it compares, how it prints findings, and which ones count."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.compat.project import events, run

OLD: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer"}}}
NEW: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    save(tmp_path / "old/auth.json", events(signed_in=OLD))
    save(tmp_path / "schemas/auth.json", events(signed_in=NEW))
    return tmp_path


def save(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1))


def breaking(project: Path, *arguments: str) -> Any:
    return run("breaking", "--against", "old", *arguments, folder=project)


def test_a_finding_says_all_a_person_needs(project: Path) -> None:
    outcome = breaking(project)
    assert outcome.exit_code == 1
    assert outcome.out.splitlines() == [
        "schemas/auth.json:11:7: RANGE_NARROWED auth.signed_in size: numbers that were allowed are refused:"
        " no minimum before, minimum 1 now",
        "  events already stored will not reach the new listener",
        '  payload: {"size": 0}',
        "  refused: size: 0 is less than the minimum of 1",
        "  fix: keep accepting what the old schema accepted, and check the tighter rule in code",
        "1 finding: 1 event compared with old",
    ]


def test_json_holds_the_same(project: Path) -> None:
    facts = breaking(project, "--format", "json").facts
    [one] = facts["findings"]
    assert (facts["exit_code"], facts["against"]) == (1, ["old"])
    assert (one["rule"], one["path"], one["line"]) == ("RANGE_NARROWED", "schemas/auth.json", 11)
    assert one["payload"] == {"size": 0}
    assert one["place"] == "/events/signed_in/parameters/properties/size/minimum"


def test_github_gets_annotations(project: Path) -> None:
    outcome = breaking(project, "--format", "github")
    assert outcome.out.startswith(
        "::error file=schemas/auth.json,line=11,col=7,title=RANGE_NARROWED::auth.sig"
    )


@pytest.mark.parametrize("way", ["relative", "absolute"])
def test_githubs_paths_are_from_the_top_of_the_repository(way: str, tmp_path: Path) -> None:
    project = tmp_path / "services/mailer"
    (tmp_path / ".git").mkdir()
    for folder, schema in (("old", OLD), ("schemas", NEW)):
        save(project / folder / "auth.json", events(signed_in=schema))
    schemas = str(project / "schemas") if way == "absolute" else "schemas"
    outcome = breaking(project, "--format", "github", "--schemas", schemas)
    assert outcome.out.startswith("::error file=services/mailer/schemas/auth.json,line=11,")
    save(project / "schemas/auth.json", events(signed_in={"type": "objekt"}))
    outcome = breaking(project, "--format", "github", "--schemas", schemas)
    assert outcome.out.startswith("::error file=services/mailer/schemas/auth.json,line=7,")


def test_junit_is_xml_that_holds_anything(project: Path) -> None:
    hostile = {"type": "object", "properties": {"a<&\x07": {"enum": ["<&'\"\x00"]}}}
    save(project / "old/auth.json", events(signed_in=hostile))
    save(
        project / "schemas/auth.json",
        events(signed_in={"type": "object", "properties": {"a<&\x07": {"enum": [1]}}}),
    )
    suite = ElementTree.fromstring(breaking(project, "--format", "junit").out)
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) != "0"


def test_junit_of_what_is_compatible_passes(project: Path) -> None:
    suite = ElementTree.fromstring(breaking(project, "--mode", "forward", "--format", "junit").out)
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


@pytest.mark.parametrize(("mode", "code"), [("backward", 1), ("forward", 0), ("full", 1)])
def test_the_mode_chooses_the_directions(mode: str, code: int, project: Path) -> None:
    assert breaking(project, "--mode", mode).exit_code == code


def test_a_rule_can_be_left_out(project: Path) -> None:
    assert breaking(project, "--except", "RANGE_NARROWED").exit_code == 0
    outcome = breaking(project, "--except", "RANGE_NAROWED")
    assert outcome.exit_code == 2
    assert "did you mean 'RANGE_NARROWED'?" in outcome.err


def test_invalid_schemas_are_no_findings(project: Path) -> None:
    save(project / "schemas/auth.json", events(signed_in={"type": "objekt"}))
    outcome = breaking(project)
    assert outcome.exit_code == 2
    assert "schemas/auth.json:7:5: INVALID_SCHEMA" in outcome.err


@pytest.mark.parametrize("layout", ["document", "folder", "text"])
def test_an_invalid_earlier_schema_does_not_end_the_comparison(layout: str, project: Path) -> None:
    broken = {"type": "objekt"}
    if layout == "document":
        save(project / "old/auth.json", events(signed_in=OLD, left=broken))
        save(project / "schemas/auth.json", events(signed_in=NEW, left={"type": "object"}))
    else:
        save(project / "old/shop/sold.json", broken)
        save(project / "schemas/shop/sold.json", {"type": "object"})
    if layout == "text":
        (project / "old/shop/sold.json").write_text('{"type": ')
    outcome = breaking(project)
    assert outcome.exit_code == 1
    assert "RANGE_NARROWED auth.signed_in" in outcome.out
    assert "events with this earlier schema are not compared" in outcome.err
    outcome = run("changelog", "--against", "old", folder=project)
    assert (outcome.exit_code, "RANGE_NARROWED" in outcome.out) == (0, True)
    assert "events with this earlier schema are not compared" in outcome.err


def test_plain_schemas_in_two_files_are_one_event(project: Path) -> None:
    save(project / "1-0-0", OLD)
    save(project / "1-0-1.json", NEW)
    outcome = run("breaking", "--schemas", "1-0-1.json", "--against", "1-0-0", folder=project)
    assert outcome.exit_code == 1
    assert outcome.out.startswith("1-0-1.json:")


def test_a_file_with_a_type_beside_it(project: Path) -> None:
    for name, kind in (("v1", OLD), ("v2", NEW)):
        save(project / name / "types/kind.json", kind)
        save(
            project / name / "event.json",
            {"type": "object", "properties": {"it": {"$ref": "types/kind.json"}}},
        )
    outcome = run("breaking", "--schemas", "v2/event.json", "--against", "v1/event.json", folder=project)
    assert outcome.exit_code == 1
    assert outcome.out.startswith("v2/types/kind.json:")


def test_a_document_is_compared_with_its_api_only(project: Path) -> None:
    save(project / "old/shop.json", {**events(sold=OLD), "api": "shop"})
    arguments = ("--schemas", "schemas/auth.json", "--except", "RANGE_NARROWED")
    assert breaking(project, *arguments).exit_code == 0


def test_a_schema_and_a_folder_are_not_comparable(project: Path) -> None:
    save(project / "one.json", OLD)
    outcome = run("breaking", "--against", "one.json", folder=project)
    assert outcome.exit_code == 2
    assert "NOT_COMPARABLE" in outcome.err


def test_drafts_may_differ(project: Path) -> None:
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object",
           "properties": {"size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                          "pair": {"type": "array", "items": [{"type": "string"}], "additionalItems": False}}}  # fmt: skip
    new = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
           "properties": {"size": {"type": "integer", "minimum": 1},
                          "pair": {"type": "array", "prefixItems": [{"type": "string"}], "items": False}}}  # fmt: skip
    save(project / "a.json", old)
    save(project / "b.json", new)
    assert run("breaking", "--schemas", "b.json", "--against", "a.json", folder=project).exit_code == 0


@pytest.mark.parametrize("way", ["flag", "setting"])
@pytest.mark.parametrize("place", ["folder", "file"])
def test_both_sides_are_read_by_the_dialects_given(way: str, place: str, project: Path) -> None:
    vendor = "https://vendor.example/schema"
    limits = ({"minimum": 0, "exclusiveMinimum": True}, {"minimum": 1})  # as draft 4 has them
    for folder, limit in zip(("before", "after"), limits, strict=True):
        schema = {"$schema": vendor, "type": "object", "properties": {"size": {"type": "integer", **limit}}}
        save(project / folder / "auth/signed_in.json", schema)
    inside = "/auth/signed_in.json" if place == "file" else ""
    arguments = ["breaking", "--schemas", f"after{inside}", "--against", f"before{inside}"]
    if way == "setting":
        setting = f'[tool.lightbus-gen]\ndialects = ["{vendor}=draft-04"]\n'
        (project / "pyproject.toml").write_text(setting)
    else:
        arguments += ["--dialect", f"{vendor}=draft-04"]
    outcome = run(*arguments, folder=project)
    assert (outcome.exit_code, outcome.err) == (0, "")


# -- what counts ---------------------------------------------------------------------------------


def test_code_counts_when_it_is_to(project: Path) -> None:
    save(project / "schemas/auth.json", events(signed_in={"type": "object", "properties": {}}))
    outcome = breaking(project)
    assert (outcome.exit_code, "ARGUMENT_REMOVED warning" in outcome.out) == (0, True)
    assert breaking(project, "--strict").exit_code == 1
    assert breaking(project, "--strict", "--category", "wire").exit_code == 0


def test_what_is_undecided_counts_unless_it_is_allowed(project: Path) -> None:
    for folder, pattern in (("old", r"^(?=a)\w+$"), ("schemas", r"^(?=[ab])\w+$")):
        schema = {"type": "object", "properties": {"code": {"type": "string", "pattern": pattern}}}
        save(project / folder / "auth.json", events(signed_in=schema))
    assert breaking(project).exit_code == 1
    outcome = breaking(project, "--allow-undecided")
    assert (outcome.exit_code, "UNDECIDED note" in outcome.out) == (0, True)


@pytest.mark.parametrize("place", ["the keyword's schema", "the payload", "the document"])
def test_a_break_is_recorded_in_the_schema(place: str, project: Path) -> None:
    document = events(signed_in=json.loads(json.dumps(NEW)))
    payload = document["events"]["signed_in"]["parameters"]
    holder = {"the document": document, "the payload": payload}.get(place, payload["properties"]["size"])
    holder["x-lightbus-allow-breaking"] = {"RANGE_NARROWED": "0 was never sent"}
    save(project / "schemas/auth.json", document)
    outcome = breaking(project)
    assert outcome.exit_code == 0
    assert "RANGE_NARROWED note auth.signed_in" in outcome.out
    assert "allowed: 0 was never sent" in outcome.out


def test_a_break_needs_a_reason(project: Path) -> None:
    document = {**events(signed_in=NEW), "x-lightbus-allow-breaking": {"RANGE_NARROWED": ""}}
    save(project / "schemas/auth.json", document)
    outcome = breaking(project)
    assert outcome.exit_code == 2
    assert "INVALID_ALLOWANCE" in outcome.err


ALLOWANCE = """
[[tool.lightbus-gen.breaking]]
rule = "RANGE_NARROWED"
event = "auth.signed_in"
reason = "0 was never sent"
until = {until}
"""


@pytest.mark.parametrize(("until", "code"), [("2999-12-31", 0), ("2020-01-01", 1)])
def test_a_break_is_recorded_in_the_project_until_a_date(until: str, code: int, project: Path) -> None:
    (project / "pyproject.toml").write_text(ALLOWANCE.format(until=until))
    outcome = breaking(project)
    assert outcome.exit_code == code
    assert "0 was never sent" in outcome.out


@pytest.mark.parametrize("line", ['until = "soon"', "untill = 2999-01-01", 'reason = ""', 'rule = "RANGE"'])
def test_an_allowance_that_cannot_be_used(line: str, project: Path) -> None:
    key = line.partition(" ")[0].replace("untill", "until")
    kept = [one for one in ALLOWANCE.format(until="2999-01-01").splitlines() if not one.startswith(key)]
    (project / "pyproject.toml").write_text("\n".join([*kept, line]))
    assert breaking(project).exit_code == 2


def test_a_break_in_a_type_that_events_share_is_one_finding(project: Path) -> None:
    for folder, size in (("old", OLD["properties"]["size"]), ("schemas", NEW["properties"]["size"])):
        holder = {"type": "object", "properties": {"box": {"$ref": "#/$defs/Box"}}}
        box = {"type": "object", "properties": {"size": size}}
        document = events(**{f"event_{number}": holder for number in range(6)})
        save(project / folder / "auth.json", {**document, "$defs": {"Box": box}})
    outcome = breaking(project)
    assert "  also: auth.event_1, auth.event_2, auth.event_3 and 2 more events" in outcome.out.splitlines()
    [one] = breaking(project, "--format", "json").facts["findings"]
    assert (one["event"], one["field"]) == ("auth.event_0", "box.size")
    assert one["also"] == [f"auth.event_{number}" for number in range(1, 6)]


def test_what_one_of_several_events_is_allowed_the_others_are_not(project: Path) -> None:
    (project / "pyproject.toml").write_text(ALLOWANCE.format(until="2999-12-31"))
    for folder, box in (("old", OLD), ("schemas", NEW)):
        holder = {"type": "object", "properties": {"box": {"$ref": "#/$defs/Box"}}}
        document = {**events(signed_in=holder, signed_out=holder), "$defs": {"Box": box}}
        save(project / folder / "auth.json", document)
    findings = breaking(project, "--format", "json").facts["findings"]
    assert [(one["event"], one["level"], one["also"]) for one in findings] == [
        ("auth.signed_in", "note", []),
        ("auth.signed_out", "error", []),
    ]


@pytest.mark.parametrize("name", ["auth.json", "auth.yaml"])
@pytest.mark.parametrize("side", ["old", "schemas"])
def test_a_key_given_twice_is_noted_and_the_last_counts(side: str, name: str, tmp_path: Path) -> None:
    for folder in ("old", "schemas"):
        save(tmp_path / folder / name, events(signed_in=OLD))
    path = tmp_path / side / name
    path.write_text(path.read_text().replace('"size": {', '"size": {"minimum": 1}, "size": {'))
    outcome = run("breaking", "--against", "old", folder=tmp_path)
    assert outcome.exit_code == 0, outcome
    assert outcome.err.startswith(f"{side}/{name}:")
    assert "DUPLICATE_KEY note the key 'size' is given twice in this object; the last counts" in outcome.err
    facts = run("breaking", "--against", "old", "--format", "json", folder=tmp_path).facts
    assert [one["rule"] for one in facts["notices"]] == ["DUPLICATE_KEY"]
    assert run("changelog", "--against", "old", folder=tmp_path).out.endswith("No event has changed.\n")


def test_a_schema_of_a_vendors_own_draft_is_read_by_the_newest_it_is_valid_by(tmp_path: Path) -> None:
    for folder, schema in (("old", OLD), ("schemas", NEW)):
        save(tmp_path / folder / "auth/signed_in.json", {"$schema": "https://example.com/own", **schema})
    outcome = breaking(tmp_path, "--format", "json")
    assert [one["rule"] for one in outcome.facts["findings"]] == ["RANGE_NARROWED"]
    assert [one["path"] for one in outcome.facts["notices"]] == [
        f"{at}/auth/signed_in.json" for at in ("schemas", "old")
    ]
    assert outcome.facts["notices"][0]["message"].endswith("it is read as 2020-12")
    told = breaking(tmp_path, "--dialect", "https://example.com/own=draft-07", "--format", "json")
    assert told.facts["notices"] == []


@pytest.mark.parametrize(
    "based", [{"$ref": "../_types/all.json"}, {"allOf": [{"$ref": "../_types/all.json"}]}]
)
def test_what_a_schema_is_based_on_says_that_it_is_deprecated(based: Any, tmp_path: Path) -> None:
    for folder, shared in (("old", OLD), ("schemas", {**OLD, "deprecated": True})):
        save(tmp_path / folder / "_types/all.json", shared)
        save(tmp_path / folder / "auth/signed_in.json", based)
        save(tmp_path / folder / "auth/signed_out.json", {"type": "object", "properties": {"who": based}})
    facts = breaking(tmp_path, "--format", "json").facts
    assert [(one["rule"], one["event"], one["field"]) for one in facts["findings"]] == [
        ("EVENT_DEPRECATED", "auth.signed_in", ""),
        ("FIELD_DEPRECATED", "auth.signed_out", "who"),
    ]
