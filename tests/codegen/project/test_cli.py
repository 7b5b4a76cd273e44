"""`lightbus-gen` as its users run it: files, output, exit codes."""

from __future__ import annotations

import json
import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from tests.codegen.project.project import API, PYPROJECT, Project, shop

FILES = [
    "generated/acme_bus/__init__.py",
    "generated/acme_bus/py.typed",
    "generated/acme_bus/schemas/shop.json",
    "generated/acme_bus/shop.py",
    "schemas/shop.json",
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return shop(tmp_path)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = shop(tmp_path_factory.mktemp("generated"))
    assert project.run("--quiet").returncode == 0
    return project


@pytest.fixture
def current(generated: Project, tmp_path: Path) -> Project:
    return Project(tmp_path, generated.texts("."))


def test_a_bare_run_exports_and_generates(project: Project) -> None:
    ran = project.run()
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert sorted(line.split()[1] for line in lines[:-1]) == FILES
    assert {line.split()[0] for line in lines[:-1]} == {"written"}
    assert re.fullmatch(r"5 written, 0 unchanged in \d+\.\d\d s", lines[-1])
    assert sorted(project.texts("schemas", "generated")) == FILES


def test_a_second_run_changes_nothing(current: Project) -> None:
    ran = current.run()
    assert ran.returncode == 0
    assert ran.stdout.startswith("5 unchanged in ")


def test_an_edit_of_the_same_size_in_the_same_second_is_seen(current: Project) -> None:
    definition = current.folder / "shop_bus.py"
    os.utime(definition, (0, 0))
    assert current.run().stdout.startswith("5 unchanged in ")
    current.write("shop_bus.py", API.replace('"count"', '"total"'))
    os.utime(definition, (0, 0))
    assert current.run().stdout.splitlines()[-1].startswith("3 changed, 2 unchanged in ")


def test_no_bytecode_is_left_beside_definitions(current: Project) -> None:
    assert current.run().returncode == 0
    assert not list(current.folder.rglob("*.pyc"))


def test_check_of_current_files_is_clean(current: Project) -> None:
    assert current.run("--check").returncode == 0


def test_check_reports_both_folders_and_writes_nothing(current: Project) -> None:
    current.write("shop_bus.py", API.replace('"count"', '"amount"'))
    current.write("generated/acme_bus/py.typed", "")
    before = current.texts("schemas", "generated")
    ran = current.run("--check")
    assert ran.returncode == 1
    assert '-          "count": {\n+          "amount": {' in ran.stdout
    assert "-        count: int = 1,\n+        amount: int = 1," in ran.stdout
    assert "--- a/schemas/shop.json\n+++ b/schemas/shop.json" in ran.stdout
    assert ran.stdout.endswith("3 changed, 2 current; to update: lightbus-gen\n")
    assert current.texts("schemas", "generated") == before


def test_check_reports_missing_changed_and_stale_files(current: Project) -> None:
    (current.folder / "schemas/shop.json").unlink()
    current.write("generated/acme_bus/old.py", current.texts("generated")["generated/acme_bus/shop.py"])
    (current.folder / "generated/acme_bus/py.typed").unlink()
    current.write(
        "generated/acme_bus/__init__.py",
        current.texts("generated")["generated/acme_bus/__init__.py"] + "x\u2028y",
    )
    ran = current.run("--check")
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-5:] == [
        " missing  schemas/shop.json",
        " changed  generated/acme_bus/__init__.py",
        " missing  generated/acme_bus/py.typed",
        "   stale  generated/acme_bus/old.py",
        "2 missing, 1 changed, 1 stale, 2 current; to update: lightbus-gen",
    ]
    assert "--- /dev/null\n+++ b/schemas/shop.json\n" in ran.stdout
    assert "--- /dev/null\n+++ b/generated/acme_bus/py.typed\n" in ran.stdout
    assert "--- a/generated/acme_bus/old.py\n+++ /dev/null\n" in ran.stdout
    assert "-x\\u2028y\n\\ No newline at end of file\n" in ran.stdout


def test_a_removed_api_goes_with_its_files(current: Project) -> None:
    current.write("shop_bus.py", API.replace('"shop"', '"market"'))
    (current.folder / "schemas/shop.json").unlink()
    ran = current.run()
    assert ran.returncode == 0
    assert {line.split()[1]: line.split()[0] for line in ran.stdout.splitlines()[:-1]} == {
        "schemas/market.json": "written",
        "generated/acme_bus/market.py": "written",
        "generated/acme_bus/schemas/market.json": "written",
        "generated/acme_bus/__init__.py": "changed",
        "generated/acme_bus/shop.py": "removed",
        "generated/acme_bus/schemas/shop.json": "removed",
    }


def test_only_leaves_other_apis_alone(current: Project) -> None:
    current.write("shop_bus.py", API + API.replace("ShopApi", "WareApi").replace('"shop"', '"ware"'))
    current.write(
        "generated/acme_bus/shop.py", current.texts("generated")["generated/acme_bus/shop.py"] + "# x\n"
    )
    ran = current.run("--only", "ware")
    assert ran.returncode == 0
    assert {line.split()[1] for line in ran.stdout.splitlines()[:-1]} == {
        "schemas/ware.json",
        "generated/acme_bus/ware.py",
        "generated/acme_bus/schemas/ware.json",
        "generated/acme_bus/__init__.py",
    }
    assert current.texts("generated")["generated/acme_bus/shop.py"].endswith("# x\n")


def test_check_of_only_some_apis_looks_at_no_other(current: Project) -> None:
    current.write("schemas/ware/sold.json", '{"type": "object"}')
    current.write(
        "generated/acme_bus/shop.py", current.texts("generated")["generated/acme_bus/shop.py"] + "# x\n"
    )
    ran = current.run("--check", "--only", "ware")
    assert ran.returncode == 1
    assert [line.split() for line in ran.stdout.splitlines()[-4:-1]] == [
        ["changed", "generated/acme_bus/__init__.py"],
        ["missing", "generated/acme_bus/schemas/ware.json"],
        ["missing", "generated/acme_bus/ware.py"],
    ]
    assert current.run("--only", "ware").returncode == 0
    assert current.run("--check", "--only", "ware").returncode == 0
    assert current.run("--check", "--only", "shop").returncode == 1
    assert current.run("--check").returncode == 1


def test_check_takes_every_word_to_an_ascii_terminal(current: Project) -> None:
    current.write("schemas/ware/sold.json", '{"type": "object", "description": "Käse \\u009b"}')
    ran = current.run("--check", env={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert (ran.returncode, ran.stderr) == (1, "")
    assert r"K\xe4se" in ran.stdout and "\x9b" not in ran.stdout


def test_check_tells_the_drift_beside_a_file_that_is_not_ours(current: Project) -> None:
    shop = current.texts("generated")["generated/acme_bus/shop.py"]
    current.write("generated/acme_bus/shop.py", shop.partition("\n")[2])
    current.write("generated/acme_bus/old.py", shop)
    (current.folder / "generated/acme_bus/py.typed").unlink()
    ran = current.run("--check")
    assert ran.returncode == 2
    assert ran.stderr.startswith("generated/acme_bus/shop.py: NOT_OURS was not made by lightbus-gen")
    assert [line.split() for line in ran.stdout.splitlines()[-3:-1]] == [
        ["missing", "generated/acme_bus/py.typed"],
        ["stale", "generated/acme_bus/old.py"],
    ]
    facts = json.loads(current.run("--check", "--format", "json").stdout)
    assert [problem["rule"] for problem in facts["problems"]] == ["NOT_OURS"]
    assert [each["kind"] for each in facts["drift"]] == ["missing", "stale"]
    assert current.run().returncode == 2
    assert not (current.folder / "generated/acme_bus/py.typed").exists()


def test_flags_stand_over_the_configuration(project: Project) -> None:
    project.write("elsewhere/thing.json", '{"lightbus": 1, "api": "thing", "events": {}}')
    project.write("pyproject.toml", "")
    ran = project.run("--schemas", "elsewhere", "--out", "made", "--package", "things", "--quiet")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert "made/things/thing.py" in project.texts("made")


def test_the_project_is_found_from_a_folder_inside(current: Project) -> None:
    (current.folder / "deep/inside").mkdir(parents=True)
    ran = current.run("--check", cwd="deep/inside")
    assert ran.returncode == 0, ran.stderr


def test_export_writes_documents_only(project: Project) -> None:
    ran = project.run("export", "shop_bus:ShopApi", "--schemas", "out")
    assert ran.returncode == 0
    document = json.loads(project.texts("out")["out/shop.json"])
    assert (document["lightbus"], document["api"], list(document["events"])) == (1, "shop", ["sold"])
    assert not (project.folder / "generated").exists()


PROBLEMS: dict[str, tuple[dict[str, str], list[str], str]] = {
    "unknown option": ({}, ["--pakcage", "x"], "--pakcage"),
    "no package": ({"pyproject.toml": ""}, [], "NO_PACKAGE the package to generate has no name"),
    "shadowing package": ({}, ["--package", "lightbus"], "NO_PACKAGE 'lightbus' is another module's name"),
    "package among the schemas": ({}, ["--out", "schemas"], "would be in the schemas folder, schemas"),
    "no table": (
        {"pyproject.toml": "[tool]\nlightbus-gen = 3"},
        [],
        "[tool.lightbus-gen] is not a table but 3",
    ),
    "bad package": ({}, ["--package", "a-b"], "NO_PACKAGE 'a-b' is no package name"),
    "unknown setting": (
        {"pyproject.toml": "[tool.lightbus-gen]\nschema = 'x'"},
        [],
        "pyproject.toml: INVALID_CONFIG [tool.lightbus-gen] has no key 'schema' (did you mean 'schemas'?)",
    ),
    "ill-typed setting": (
        {"pyproject.toml": "[tool.lightbus-gen]\napis = 'x'"},
        [],
        "INVALID_CONFIG apis = 'x' is not a list of strings",
    ),
    "broken pyproject": ({"pyproject.toml": "[tool"}, [], "pyproject.toml: INVALID_CONFIG is not valid TOML"),
    "no such module": ({}, ["--apis", "nowhere"], "NO_MODULE there is no module 'nowhere'"),
    "no module name": ({}, ["--apis", "a/b.py"], "NO_MODULE 'a/b.py' is not a module name"),
    "no such class": ({}, ["--apis", "shop_bus:Shop"], "no Api class 'Shop' (did you mean 'ShopApi'?)"),
    "no api class": ({"empty.py": ""}, ["--apis", "empty"], "NO_API module 'empty' defines no Api class"),
    "no such api": ({}, ["--only", "shopp"], "NO_API there is no API 'shopp' (did you mean 'shop'?)"),
    "module raises": (
        {"shop_bus.py": "x = 1\n\ny = 1 / 0\n"},
        [],
        "shop_bus.py:3:1: IMPORT_FAILED module 'shop_bus' cannot be imported: ZeroDivisionError: division by zero",
    ),
    "module does not parse": (
        {"shop_bus.py": "x = 1\ndef f(:\n"},
        [],
        "shop_bus.py:2:1: IMPORT_FAILED module 'shop_bus' cannot be imported: SyntaxError",
    ),
    "module exits": ({"shop_bus.py": "raise SystemExit(0)\n"}, [], "shop_bus.py:1:1: IMPORT_FAILED"),
    "module lacks another": (
        {"shop_bus.py": "import nothing_like_it\n"},
        [],
        "shop_bus.py:1:1: IMPORT_FAILED module 'shop_bus' cannot be imported: ModuleNotFoundError",
    ),
    "bad definition": (
        {"shop_bus.py": API.replace('"item", str', '"item", object')},
        [],
        "INVALID_DEFINITION shop_bus: event shop.sold, parameter 'item'",
    ),
    "version without distribution": (
        {},
        ["--version", "1.4.0"],
        "INVALID_CONFIG version = '1.4.0' is that of",
    ),
    "misspelt table": (
        {"pyproject.toml": "[tool.lightbus_gen]\npackage = 'x'"},
        [],
        "INVALID_CONFIG there is no table [tool.lightbus_gen] (did you mean [tool.lightbus-gen]?)",
    ),
    "mistyped table": (
        {"pyproject.toml": "[tool.ligthbus-gen]\npackage = 'x'"},
        [],
        "INVALID_CONFIG there is no table [tool.ligthbus-gen] (did you mean [tool.lightbus-gen]?)",
    ),
    "no project": ({}, ["--project", "nowhere"], "'--project': Directory 'nowhere' does not exist"),
    "bad distribution": (
        {"pyproject.toml": f"{PYPROJECT}distribution = 'acme bus'\nversion = '1'"},
        [],
        "INVALID_CONFIG distribution = 'acme bus' is not a distribution name",
    ),
    "distribution of the runtime": (
        {},
        ["--distribution", "Lightbus_NATS", "--version", "1.4.0"],
        "INVALID_CONFIG distribution = 'Lightbus_NATS' is the name of the runtime",
    ),
    "bad version": (
        {},
        ["--distribution", "acme-bus", "--version", "one"],
        "INVALID_CONFIG version = 'one' is not a version\n  fix: write one as Python packages have it",
    ),
    "ill-typed version": (
        {"pyproject.toml": f"{PYPROJECT}distribution = 'acme-bus'\nversion = 1.4"},
        [],
        "pyproject.toml: INVALID_CONFIG version = 1.4 is not a string",
    ),
    "bad dialect": ({}, ["--dialect", "x=draft-99"], "dialect 'x=draft-99' names no draft"),
    "watch and check": ({}, ["--watch", "--check"], "--watch writes, and --check writes nothing"),
    "watch with unusable settings": (
        {"pyproject.toml": "[tool"},
        ["--watch"],
        "pyproject.toml: INVALID_CONFIG",
    ),
    "file in the way": (
        {"generated/acme_bus/shop.py": "mine = 1\n"},
        [],
        "generated/acme_bus/shop.py: NOT_OURS was not made by lightbus-gen",
    ),
    "no schemas": (
        {"pyproject.toml": PYPROJECT.replace("apis", "shared")},
        [],
        "schemas: NO_SCHEMAS is not a folder",
    ),
}


FIXES = {
    "no package": 'add --package NAME, or package = "NAME" under [tool.lightbus-gen] in pyproject.toml',
    "package among the schemas": "choose another out folder",
    "no such module": "run from the project's root, or correct the name",
    "no module name": "write MODULE or MODULE:CLASS",
    "no such class": "name one of its Api classes: ShopApi",
    "no api class": "name another module, or MODULE:CLASS",
    "no such api": "name one of: shop",
    "module raises": "correct the module",
    "bad definition": "correct the class",
    "version without distribution": "add distribution, such as --distribution acme-bus",
    "bad distribution": "use letters, digits, '-', '_' and '.', with a letter or digit at both ends",
    "bad dialect": "write URI=DRAFT, with one of draft-04, draft-06, draft-07, 2019-09, 2020-12",
    "file in the way": "remove it if it was generated, else move it or choose another folder",
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_problems_are_one_clear_message(project: Project, problem: str) -> None:
    files, arguments, message = PROBLEMS[problem]
    for name, text in files.items():
        project.write(name, text)
    ran = project.run(*arguments)
    assert ran.returncode == 2, ran.stdout
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("\n") < 15
    assert "schemas" not in {path.name for path in project.folder.iterdir()}, "nothing was written"
    if problem in FIXES:
        assert f"\n  fix: {FIXES[problem]}" in ran.stderr


@pytest.fixture
def faulty(project: Project) -> Project:
    project.write("schemas/auth.json", '{"lightbus": 1,\n "api": "auth"}')
    project.write("schemas/a:b,c/x.json", "[]")
    return project


def test_all_problems_are_reported_with_their_place(faulty: Project) -> None:
    ran = faulty.run()
    assert ran.returncode == 2
    assert "schemas/auth.json:1:1: INVALID_DOCUMENT there is no object of events\n  fix: add " in ran.stderr
    assert "schemas/a:b,c/x.json:1:1: NOT_A_SCHEMA" in ran.stderr
    assert ran.stdout == ""


def test_json_format_carries_the_problems(faulty: Project) -> None:
    ran = faulty.run("--format", "json")
    facts = json.loads(ran.stdout)
    assert (ran.returncode, facts["exit_code"]) == (2, 2)
    assert facts["problems"][-1] == {
        "path": "schemas/auth.json",
        "line": 1,
        "column": 1,
        "rule": "INVALID_DOCUMENT",
        "message": "there is no object of events",
        "fix": 'add "events": {...}',
        "pointer": "/events",
    }


def test_github_format_annotates_the_problems(faulty: Project) -> None:
    ran = faulty.run("--format", "github")
    assert ran.returncode == 2
    assert (
        "::error file=schemas/auth.json,line=1,col=1,title=INVALID_DOCUMENT::"
        'there is no object of events%0Afix: add "events": {...}\n'
    ) in ran.stdout
    assert "::error file=schemas/a%3Ab%2Cc/x.json,line=1" in ran.stdout


def test_json_format_carries_the_files(project: Project) -> None:
    facts = json.loads(project.run("--format", "json").stdout)
    assert sorted(facts["written"]) == FILES
    assert (facts["changed"], facts["removed"], facts["unchanged"], facts["exit_code"]) == ([], [], 0, 0)


@pytest.mark.parametrize("format_", ["json", "github"])
def test_formats_carry_the_drift(current: Project, format_: str) -> None:
    current.write("generated/acme_bus/py.typed", "")
    (current.folder / "generated/acme_bus/shop.py").unlink()
    ran = current.run("--check", "--format", format_)
    assert ran.returncode == 1
    if format_ == "json":
        [drift] = json.loads(ran.stdout)["drift"]
        assert (drift["path"], drift["kind"]) == ("generated/acme_bus/shop.py", "missing")
        assert drift["diff"].startswith("--- /dev/null\n+++ b/generated/acme_bus/shop.py\n")
    else:
        [line] = ran.stdout.splitlines()
        assert line.startswith("::error file=generated/acme_bus/shop.py,title=DRIFT::")
        assert "%0A+++ b/generated/acme_bus/shop.py%0A" in line


def test_a_bug_asks_for_a_report(project: Project) -> None:
    project.write(
        "sitecustomize.py",
        "import lightbus_gen.project.settings\nlightbus_gen.project.settings.read_settings = None\n",
    )
    ran = project.run(env={"PYTHONPATH": str(project.folder)})
    assert ran.returncode == 3
    assert "has met a bug of its own" in ran.stderr
    assert "TypeError: 'NoneType' object is not callable" in ran.stderr


def test_a_missing_extra_is_named(project: Project) -> None:
    project.write("sitecustomize.py", "import sys\nsys.modules['jinja2'] = None\n")
    ran = project.run(env={"PYTHONPATH": str(project.folder)})
    assert (ran.returncode, ran.stderr) == (
        2,
        "lightbus-gen needs jinja2: pip install 'lightbus-nats[gen]'\n",
    )


def test_output_that_is_piped_is_plain(faulty: Project) -> None:
    ran = faulty.run(env={"TERM": "xterm-256color"})
    assert "\x1b" not in ran.stdout + ran.stderr


def test_output_is_coloured_where_that_is_asked_for(faulty: Project) -> None:
    assert "\x1b[31m\x1b[1mINVALID_DOCUMENT" in faulty.run(env={"FORCE_COLOR": "1"}).stderr


def test_version_without_a_value_is_that_of_the_command(project: Project) -> None:
    ran = project.run("--version")
    assert (ran.returncode, ran.stdout) == (
        0,
        f"lightbus-nats, version {metadata.version('lightbus-nats')}\n",
    )


def test_project_is_where_the_command_runs(current: Project) -> None:
    (current.folder / "elsewhere").mkdir()
    ran = current.run("--project", "..", "--check", cwd="elsewhere")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ran = current.run("--project", "..", "breaking", "--against", "./schemas", cwd="elsewhere")
    assert (ran.returncode, ran.stdout[:10]) == (0, "compatible")


def test_a_distribution_gets_its_version_from_the_release(project: Project) -> None:
    project.write("pyproject.toml", f'{PYPROJECT}\ndistribution = "acme-bus"\n')
    assert (ran := project.run()).returncode == 0, ran.stderr
    assert "NO_VERSION the distribution 'acme-bus' has no version" in ran.stderr
    assert not (project.folder / "generated/pyproject.toml").exists()
    assert project.run("--version", "1.4.0").returncode == 0
    released = project.texts("generated")
    for flags in (["--check"], []):
        assert (ran := project.run(*flags)).returncode == 0, ran.stdout + ran.stderr
    assert project.texts("generated") == released
