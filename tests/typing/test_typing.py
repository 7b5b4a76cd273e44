"""Generated packages under mypy --strict and pyright strict: right uses pass, wrong ones are named."""

from __future__ import annotations

import pytest

from lightbus_gen.commit import apply
from lightbus_gen.generate import generate
from lightbus_gen.write import plan
from tests.codegen.cases import CASES, HERE, options_of
from tests.codegen.cdevents import CORPORA, generate_cdevents
from tests.typing.checkers import Verdict, check
from tests.typing.snippets import ACCEPTED, PRELUDE, REJECTED, SCHEMA, SIGNATURE

MARK = "# rejected: "


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """Everything there is to check, checked at once."""
    folder = tmp_path_factory.mktemp("typed")
    schemas = tmp_path_factory.mktemp("schemas")
    (schemas / "auth.json").write_text(SCHEMA)
    apply(plan(folder, generate(schemas, "acme_bus"), within="acme_bus"))
    for case in CASES:
        files = generate(HERE / "golden" / case / "schemas", f"{case}_bus", **options_of(case))
        apply(plan(folder, files, within=f"{case}_bus"))
    if CORPORA.is_dir():
        list(generate_cdevents(folder))
    for kind, snippets in (("accepted", ACCEPTED), ("rejected", REJECTED)):
        for name, code in snippets.items():
            (folder / f"{kind}_{name}.py").write_text(PRELUDE.lstrip() + code)
    return check(folder)


@pytest.mark.parametrize("package", ["acme", *CASES, "cdevents"])
def test_generated_packages_are_clean(package: str, verdict: Verdict) -> None:
    if package == "cdevents" and not CORPORA.is_dir():
        pytest.skip(f"no corpora at {CORPORA}; LIGHTBUS_CORPORA names another place")
    for found in (verdict.mypy, verdict.pyright):
        assert {path: lines for path, lines in found.items() if path.startswith(f"{package}_bus/")} == {}


@pytest.mark.parametrize("name", ACCEPTED)
def test_right_uses_are_accepted(name: str, verdict: Verdict) -> None:
    path = f"accepted_{name}.py"
    assert (verdict.mypy.get(path, {}), verdict.pyright.get(path, {})) == ({}, {})


@pytest.mark.parametrize("name", REJECTED)
def test_wrong_uses_are_rejected_where_they_are_with_the_words_to_act_on(name: str, verdict: Verdict) -> None:
    path = f"rejected_{name}.py"
    wanted = {
        number: line.partition(MARK)[2].split(" | ")
        for number, line in enumerate((PRELUDE.lstrip() + REJECTED[name]).splitlines(), 1)
        if MARK in line
    }
    by_mypy = verdict.mypy.get(path, {})
    assert set(by_mypy) == set(wanted)
    assert set(verdict.pyright.get(path, {})) == set(wanted)
    for number, words in wanted.items():
        for word in words:
            assert (SIGNATURE if word == "SIGNATURE" else word) in by_mypy[number]
