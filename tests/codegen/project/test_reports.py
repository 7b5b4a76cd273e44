"""Problems of the input are reported alike in every format, and every suggested fix works."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lightbus_gen.project.printing import Format
from lightbus_gen.project.report import RunOutcome, show
from lightbus_gen.write.plan import Plan
from tests.codegen.cases import ERRORS, HERE, problems_in
from tests.codegen.project.project import Project

Edit = Callable[[Path], None]
PYPROJECT = '[tool.lightbus-gen]\npackage = "acme_bus"\n'
ROOT = HERE.parents[1]


def _replace(name: str, old: str, new: str) -> Edit:
    def edit(schemas: Path) -> None:
        text = (schemas / name).read_text()
        assert old in text
        (schemas / name).write_text(text.replace(old, new))

    return edit


def _recode(name: str, encoding: str) -> Edit:
    def edit(schemas: Path) -> None:
        (schemas / name).write_text((schemas / name).read_bytes().decode(encoding))

    return edit


def _remove(*names: str) -> Edit:
    def edit(schemas: Path) -> None:
        for name in names:
            (schemas / name).unlink()

    return edit


def _rename(old: str, new: str) -> Edit:
    def edit(schemas: Path) -> None:
        (schemas / new).parent.mkdir(parents=True, exist_ok=True)
        (schemas / old).rename(schemas / new)

    return edit


def _set(name: str, key: str, value: object) -> Edit:
    def edit(schemas: Path) -> None:
        data = json.loads((schemas / name).read_text())
        (schemas / name).write_text(json.dumps({**data, key: value}))

    return edit


def _dialects(*texts: str) -> Edit:
    def edit(schemas: Path) -> None:
        (schemas.parent / "options.json").write_text(json.dumps({"dialects": texts}))

    return edit


def _both(*edits: Edit) -> Edit:
    def edit(schemas: Path) -> None:
        for each in edits:
            each(schemas)

    return edit


@pytest.mark.parametrize("case", ERRORS)
def test_all_formats_tell_the_same(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    problems = problems_in(HERE / "errors" / case)
    outcome = RunOutcome(problems, (), Plan(), is_check=False, seconds=0)
    assert outcome.exit_code == 2

    show(outcome, Format.JSON, quiet=False)
    facts = json.loads(capsys.readouterr().out)["problems"]
    places = [
        f"{fact['path']}:{fact['line']}:{fact['column']}" if fact["line"] else fact["path"] for fact in facts
    ]

    show(outcome, Format.TEXT, quiet=False)
    blocks = [
        f"{place}: {fact['rule']} {fact['message']}\n  fix: {fact['fix']}\n"
        for place, fact in zip(places, facts, strict=True)
    ]
    count = f"{len(facts)} problem{'s' if len(facts) > 1 else ''}; nothing was written\n"
    assert capsys.readouterr().err == "".join(blocks) + count

    show(outcome, Format.GITHUB, quiet=False)
    annotations = [_annotation(line) for line in capsys.readouterr().out.splitlines()]
    assert annotations == [
        (place, fact["rule"], f"{fact['message']}\nfix: {fact['fix']}")
        for place, fact in zip(places, facts, strict=True)
    ]


def _annotation(line: str) -> tuple[str, str, str]:
    """Parse a workflow command of GitHub."""
    _, head, message = line.split("::", 2)
    listed = dict(item.split("=", 1) for item in head.removeprefix("error ").split(","))
    place = [listed[key] for key in ("file", "line", "col") if key in listed]
    return _unescaped(":".join(place)), listed["title"], _unescaped(message)


def _unescaped(text: str) -> str:
    return re.sub("%([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), text)


@pytest.mark.parametrize("case", ERRORS)
def test_every_problem_has_a_place_and_a_fix(case: str) -> None:
    for problem in problems_in(HERE / "errors" / case):
        assert problem.path.startswith("schemas")
        assert problem.message and problem.fix
        assert "\n" not in problem.message + problem.fix


@pytest.mark.parametrize(
    ("case", "edit"),
    [
        ("byte_order_mark", _recode("auth.json", "utf-8-sig")),
        ("latin1", _both(_recode("shop/placed.json", "latin-1"), _recode("shop/paid.yaml", "cp1252"))),
        ("utf16", _both(
            _recode("auth.json", "utf-16"),
            _recode("shop/kept.yaml", "utf-16-be"),
            _recode("shop/paid.json", "utf-32"),
            _recode("shop/placed.json", "utf-16-le"),
        )),
        ("yaml_duplicate_key", _replace("shop/placed.yaml", "  number: {type: string}\n", "")),
        ("event_not_identifier", _both(
            _replace("releases/1.0.0.yaml", "type: object", "type: object\nx-python-name: event_1_0_0"),
            _set("releases/2fa.json", "x-python-name", "event_2fa"),
            _set("releases/class.json", "x-python-name", "class_"),
            _rename("releases/api_name.json", "releases/api_named.json"),
        )),
        ("folder_collision", _rename("check_run/done.json", "check_runs/done.json")),
        ("folder_not_identifier", _both(
            _rename("-/dashed.json", "_dashed/dashed.json"),
            _rename("2fa/used.json", "two/used.json"),
            _rename("class/met.json", "klass/met.json"),
            _rename("v1.0/placed.json", "v1/placed.json"),
        )),
        ("vendor_dialect", _both(
            _dialects("https://vendor.example/events/v1=2020-12"),
            _replace("shop/paid.yaml", "$schema: 7", "$schema: https://json-schema.org/draft/2020-12/schema"),
        )),
        ("vendor_metaschema_unknown", _dialects("https://vendor.example/b=2020-12")),
        ("no_api", _rename("placed.json", "shop/placed.json")),
        ("empty_file", _remove("shop/paid.yaml", "shop/kept.yaml", "shop/placed.json")),
        ("nul_byte", _both(
            _replace("shop/placed.json", "\0", ""), _replace("shop/paid.yaml", "\0", "")
        )),
        ("control_character", _both(
            _replace("shop/placed.json", "\a", "\\u0007"), _replace("shop/paid.yaml", "\a", "")
        )),
        ("lone_surrogate", _both(
            _replace("shop/placed.json", "not: \\ud83d", ""), _replace("shop/paid.yaml", "\\ud83d", "😀")
        )),
        ("api_in_three_places", _remove("auth/used.json", "dump.json", "users.yaml")),
        ("boolean_payload", _both(
            _replace("shop/placed.json", "true", '{"type": "object", "properties": {}}'), _remove("shop/paid.json")
        )),
    ],
)  # fmt: skip
def test_doing_what_the_fix_says_mends_it(case: str, edit: Edit, tmp_path: Path) -> None:
    folder = shutil.copytree(HERE / "errors" / case, tmp_path / case)
    (folder / "schemas/kept_well").mkdir()
    (folder / "schemas/kept_well/done.json").write_text('{"type": "object", "properties": {}}')
    assert problems_in(folder)
    edit(folder / "schemas")
    assert problems_in(folder) == ()


def test_a_pattern_for_short_texts_only_is_a_notice_at_its_place(tmp_path: Path) -> None:
    schema = """{"type": "object", "properties": {
  "linear": {"type": "string", "pattern": "^[a-z]+$"},
  "limited": {"type": "string", "pattern": "^(?!x)", "maxLength": 1000},
  "password": {"type": "string", "pattern": "(?=.*[0-9])(?=.*[a-z]).{8,}", "maxLength": 1001},
  "blank": {"type": "string", "not": {"pattern": "^(?!\\\\s*$)"}},
  "word": {"type": "string", "pattern": "\\\\bfoo\\\\b"},
  "map": {"type": "object", "patternProperties": {"^(?!x-)": {"type": "integer"}}}
}}"""
    project = Project(tmp_path, {"pyproject.toml": PYPROJECT, "schemas/shop/placed.json": schema})
    ran = project.run()
    assert ran.returncode == 0
    notices = json.loads(project.run("--format", "json").stdout)["notices"]
    assert [(notice["line"], notice["rule"]) for notice in notices] == [
        (line, "SHORT_TEXTS_ONLY") for line in (4, 5, 6, 7)
    ]
    allowance = "accept the limit with a maxLength of at most 1,000"
    look_ahead, negative, word, key = (notice["fix"] for notice in notices)
    assert look_ahead == f"write each look-ahead as a pattern of its own under allOf, or {allowance}"
    assert negative.startswith("write a negative look-ahead as a pattern under not")
    assert (word, key) == (allowance, negative)
    for notice in notices:
        place = f"{notice['path']}:{notice['line']}:{notice['column']}"
        shown = f"{place}: SHORT_TEXTS_ONLY {notice['message']}\n  fix: {notice['fix']}\n"
        assert shown in ran.stderr
    assert (
        "has a look-around, backreference or word boundary: longer texts than 1,000 characters are refused"
        in (notices[0]["message"])
    )


RULE = re.compile(r'"([A-Z][A-Z0-9_]{5,})"')


def test_the_manual_lists_every_rule() -> None:
    modules = [path for path in (ROOT / "codegen/lightbus_gen").rglob("*.py") if "compat" not in path.parts]
    modules.append(ROOT / "runtime/lightbus/schema/document.py")
    code = "".join(path.read_text() for path in modules)
    table = re.findall(r"^\| `([A-Z0-9_]+)` \|", (ROOT / "docs/generator.md").read_text(), re.MULTILINE)
    others = {
        "TYPE_CHECKING",
        "NO_COLOR",
        "FORCE_COLOR",
        "LOCALAPPDATA",
        "MYPYPATH",
        "XDG_CACHE_HOME",
        "O_NOFOLLOW",
    }
    assert sorted(table) == sorted({*RULE.findall(code)} - others)
