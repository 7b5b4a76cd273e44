"""The snippets for CI and pre-commit, with their commands run in a scratch repository; and the page about
compatibility.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.compat.project import run
from tests.conftest import ROOT
from tests.docs.test_docs import Block, blocks

BIN = Path(sys.executable).parent
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SNIPPETS = {block.path: yaml.safe_load(block.text) for block in blocks(ROOT / "docs/ci.md") if block.path}
COMMANDS = {
    "GitHub": [
        step["run"]
        for step in SNIPPETS[".github/workflows/events.yaml"]["jobs"]["events"]["steps"]
        if "run" in step
    ],
    "GitLab": SNIPPETS[".gitlab-ci.yml"]["events"]["script"],
    "pre-commit": [hook["entry"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())],
}
[CONFIGURATION] = (
    block.text.replace('apis = ["auth_service.bus:AuthApi"]\n', "")
    for block in blocks(ROOT / "README.md")
    if block.path == "pyproject.toml"
)
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}


class Scratch:
    """A clone of a repository laid out as in the README, with a schema in place of an `Api`, on a branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        (folder / "origin").mkdir()
        self.git("init", "--bare", "--initial-branch=main", folder=folder / "origin")
        self.git("clone", str(folder / "origin"), str(self.folder), folder=folder)
        self.git("checkout", "-b", "main")
        (self.folder / "pyproject.toml").write_text(CONFIGURATION)
        for service in ("mailer", "billing"):
            (self.folder / service).mkdir()
            (self.folder / service / "bus.py").write_text("from acme_bus import Bus\n")
        self.save(SCHEMA)
        self.git("push", "--set-upstream", "origin", "main")
        self.environment["GITHUB_BASE_REF"] = "main"
        self.environment["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = self.git("rev-parse", "HEAD")
        self.git("checkout", "-b", "work")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
        command = ["git", *identity, *arguments]
        done = subprocess.run(command, cwd=folder or self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def save(self, schema: Any) -> None:
        """Change the schema, generate, and commit."""
        path = self.folder / "schemas/auth/signed_in.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(schema))
        self.run("lightbus-gen")
        self.git("add", "--all")
        self.git("commit", "--message", "a schema")

    def run(self, command: str) -> int:
        done = subprocess.run(command, shell=True, cwd=self.folder, env=self.environment, capture_output=True)
        return done.returncode


@pytest.mark.parametrize("place", COMMANDS)
def test_the_gates_pass_and_stop(place: str, tmp_path: Path) -> None:
    gates = [command for command in COMMANDS[place] if not command.startswith("pip install")]
    scratch = Scratch(tmp_path)
    scratch.save({**SCHEMA, "description": "Somebody is here."})
    assert {gate: scratch.run(gate) for gate in gates} == dict.fromkeys(gates, 0)
    scratch.save({**SCHEMA, "required": ["name"]})
    (scratch.folder / "schemas/auth/other.json").write_text(json.dumps(SCHEMA))
    (scratch.folder / "wrong.py").write_text("from acme_bus.auth import SignedIn\n\nSignedIn(name=1)\n")
    assert {gate: scratch.run(gate) for gate in gates} == dict.fromkeys(gates, 1)


@pytest.mark.parametrize("place", COMMANDS)
def test_the_pull_request_that_adopts_the_bus_passes_all_gates(place: str, tmp_path: Path) -> None:
    """The README's project as it stands, tests included, in a repository that had no events."""
    gates = [command for command in COMMANDS[place] if not command.startswith("pip install")]
    scratch = Scratch(tmp_path)
    scratch.git("rm", "-r", "--quiet", "schemas", "acme_bus", "pyproject.toml", "mailer", "billing")
    scratch.git("commit", "--message", "nothing of it")
    scratch.git("push", "origin", "HEAD:main")
    scratch.environment["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = scratch.git("rev-parse", "HEAD")
    for block in blocks(ROOT / "README.md"):
        if block.path:
            (scratch.folder / block.path).parent.mkdir(parents=True, exist_ok=True)
            (scratch.folder / block.path).write_text(block.text)
    assert scratch.run("lightbus-gen") == 0
    assert {gate: scratch.run(gate) for gate in gates} == dict.fromkeys(gates, 0)
    scratch.git("add", "--all")
    scratch.git("commit", "--message", "the README")
    scratch.git("push", "origin", "HEAD:main")
    scratch.environment["CI_MERGE_REQUEST_DIFF_BASE_SHA"] = scratch.git("rev-parse", "HEAD")
    definitions = scratch.folder / "auth_service/bus.py"
    definitions.write_text(definitions.read_text().replace('"email", str', '"email", int'))
    codes = {gate: scratch.run(gate) for gate in gates if "breaking" not in gate and gate != "mypy ."}
    assert codes == dict.fromkeys(codes, 1)
    assert scratch.run("lightbus-gen") == 0
    codes = {gate: scratch.run(gate) for gate in gates if "--check" not in gate}
    assert codes == dict.fromkeys(codes, 1)


def test_what_is_installed_is_this_version() -> None:
    for place in ("GitHub", "GitLab"):
        assert COMMANDS[place][0].startswith(f'pip install "lightbus-nats[gen]=={VERSION}" ')


def test_everything_that_runs_is_pinned() -> None:
    """Actions by commit, with the version for people; images and packages by version; hooks by tag."""
    page = (ROOT / "docs/ci.md").read_text()
    actions = re.findall(r"uses: (.+)", page)
    assert len(actions) == 2
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", action)
    assert re.fullmatch(r"python:3\.\d+\.\d+-\w+", SNIPPETS[".gitlab-ci.yml"]["events"]["image"])
    for place in ("GitHub", "GitLab"):
        for package in shlex.split(COMMANDS[place][0])[2:]:
            assert re.fullmatch(r"[\w-]+(\[\w+\])?==\d+(\.\d+)+", package)
    assert SNIPPETS[".pre-commit-config.yaml"]["repos"][0]["rev"] == f"v{VERSION}"
    assert f"@v{VERSION}" in page


def test_the_job_holds_no_secrets() -> None:
    """It runs code of the pull request."""
    workflow = SNIPPETS[".github/workflows/events.yaml"]
    assert workflow[True] == "pull_request", "YAML 1.1 reads `on` as true"
    assert workflow["permissions"] == {"contents": "read"}
    [checkout] = [
        step["with"] for step in workflow["jobs"]["events"]["steps"] if "checkout" in step.get("uses", "")
    ]
    assert checkout["persist-credentials"] is False


def test_the_hooks_of_the_example_exist() -> None:
    hooks = {hook["id"] for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for hook in SNIPPETS[".pre-commit-config.yaml"]["repos"][0]["hooks"]} == hooks


def test_the_page_about_compatibility(tmp_path: Path) -> None:
    page = blocks(ROOT / "docs/compatibility.md")
    for block in page:
        if block.path is not None:
            (tmp_path / block.path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.path).write_text(block.text)
    [shown] = [block for block in page if block.language == "text"]
    check_output(shown, tmp_path)


def check_output(block: Block, folder: Path) -> None:
    command, *lines = block.text.splitlines()
    outcome = run(*command.split()[2:], folder=folder)
    found = [line for line in outcome.out.splitlines() if line in lines]
    assert found == lines, outcome.out
