"""Each rule: a folder with two versions and the exact report about them, and the text of `explain`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightbus_gen.compat.rules import catalogue
from lightbus_gen.compat.rules.rule import Rule
from tests.compat.cases import CASES, RULES, expected, reported
from tests.compat.project import compared, run

ALL = {rule.id: rule for rule in catalogue.RULES}


def test_every_rule_has_a_folder_and_every_folder_a_rule() -> None:
    assert {folder.name for folder in RULES.iterdir()} == set(ALL)


@pytest.mark.parametrize("case", CASES)
def test_the_report_is_as_expected(case: str) -> None:
    report = reported(case)
    assert report == expected(case)
    assert f" {case} " in report


@pytest.mark.parametrize(
    "rule", [rule for rule in ALL.values() if rule.category == "wire"], ids=lambda rule: rule.id
)
def test_the_example_of_a_rule_breaks_it(rule: Rule, tmp_path: Path) -> None:
    if rule.before and rule.level == "error":
        found = compared(tmp_path, json.loads(rule.before), json.loads(rule.after))
        assert rule.id in {one.rule for one in found}


@pytest.mark.parametrize("rule", ALL.values(), ids=lambda rule: rule.id)
def test_explain_says_why_and_what_to_do(rule: Rule) -> None:
    outcome = run("explain", rule.id)
    assert outcome.exit_code == 0
    assert all(text in outcome.out for text in (rule.title, rule.why, rule.fix, rule.before, rule.after))


def test_rules_lists_them_all() -> None:
    outcome = run("rules")
    assert [line.split()[0] for line in outcome.out.splitlines()] == list(ALL)


def test_an_unknown_rule_is_a_mistake_with_a_hint() -> None:
    outcome = run("explain", "ENUM_VALUE_REMOVE")
    assert outcome.exit_code == 2
    assert "did you mean 'ENUM_VALUE_REMOVED'?" in outcome.err
