"""Versions in git: read without a checkout, with every failure explained."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compat.project import events, run

OLD = {"type": "object", "properties": {"name": {"type": "string"}}}
NEW = {**OLD, "required": ["name"]}


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def write(folder: Path, schema: Any, path: str = "schemas/auth.json") -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(json.dumps(events(signed_in=schema)))


def commit(folder: Path, message: str = "a change") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--message", message)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit, tagged v1, and an uncommitted break."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    write(folder, OLD)
    commit(folder)
    git(folder, "tag", "v1")
    write(folder, NEW)
    return folder


@pytest.mark.parametrize("ref", ["v1", "main", "HEAD"])
def test_a_ref_is_compared_with(ref: str, repository: Path) -> None:
    outcome = run("breaking", "--against", ref, folder=repository)
    assert outcome.exit_code == 1
    assert "FIELD_BECAME_REQUIRED auth.signed_in" in outcome.out
    assert git(repository, "status", "--short") == "M schemas/auth.json"


def test_the_default_is_where_the_branch_left_the_remote(repository: Path, tmp_path: Path) -> None:
    git(repository, "checkout", "schemas")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", str(repository), str(clone))
    write(repository, {"type": "object"})
    commit(repository, "the remote goes on")
    git(clone, "fetch")
    git(clone, "checkout", "-b", "work")
    write(clone, NEW)
    commit(clone)
    outcome = run("breaking", folder=clone)
    assert outcome.exit_code == 1
    assert outcome.out.count("signed_in: a field that could be missing must be there") == 1


def test_several_versions_are_compared_with(repository: Path) -> None:
    git(repository, "checkout", "schemas")
    write(repository, {**OLD, "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}})
    commit(repository)
    write(repository, {**OLD, "properties": {"name": {"type": "string"}, "age": {"type": "string"}}})
    assert run("breaking", "--against", "v1", folder=repository).exit_code == 0
    outcome = run("breaking", "--against", "v1", "--against", "HEAD", folder=repository)
    assert outcome.exit_code == 1
    assert "TYPE_NARROWED" in outcome.out


def test_from_a_folder_below_the_top(repository: Path) -> None:
    (repository / "inner").mkdir()
    outcome = run("breaking", "--against", "v1", "--schemas", "../schemas", folder=repository / "inner")
    assert outcome.exit_code == 1


def test_a_single_file_at_a_ref(repository: Path) -> None:
    outcome = run("breaking", "--against", "v1", "--schemas", "schemas/auth.json", folder=repository)
    assert outcome.exit_code == 1


def test_a_folder_that_moved(repository: Path) -> None:
    (repository / "schemas").rename(repository / "events")
    arguments = ("breaking", "--against", "v1", "--schemas", "events")
    outcome = run(*arguments, folder=repository)
    assert outcome.exit_code == 2
    assert "--against-path" in outcome.err
    assert run(*arguments, "--against-path", "schemas", folder=repository).exit_code == 1


def test_a_shallow_clone_says_what_is_missing(repository: Path, tmp_path: Path) -> None:
    commit(repository)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--depth", "1", f"file://{repository}", str(clone))
    assert run("breaking", "--against", "HEAD", folder=clone).exit_code == 0
    outcome = run("breaking", "--against", "v1", folder=clone)
    assert outcome.exit_code == 2
    assert "shallow" in outcome.err
    assert "fetch-depth: 0" in outcome.err


def test_an_unknown_ref(repository: Path) -> None:
    outcome = run("breaking", "--against", "mian", folder=repository)
    assert outcome.exit_code == 2
    assert "did you mean 'main'?" in outcome.err


def test_an_option_is_no_ref(repository: Path) -> None:
    assert run("breaking", "--against=--output=x", folder=repository).exit_code == 2


def test_no_repository(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    outcome = run("breaking", "--against", "main", folder=tmp_path)
    assert outcome.exit_code == 2
    assert "not in a git repository" in outcome.err


@pytest.mark.parametrize(("draft", "exit_code"), [("draft-07", 0), ("2020-12", 1)])
def test_both_versions_are_read_by_the_given_draft(draft: str, exit_code: int, repository: Path) -> None:
    """Up to draft 7, a `$ref` hides its siblings."""
    named = {"$ref": "#/definitions/Name"}
    schema = {
        "$schema": "https://example.com/own",
        "definitions": {"Name": {"type": "string"}},
        "type": "object",
    }
    place = repository / "schemas/sales/sold.json"
    place.parent.mkdir()
    place.write_text(json.dumps({**schema, "properties": {"name": named}}))
    (repository / "schemas/auth.json").unlink()
    commit(repository)
    place.write_text(json.dumps({**schema, "properties": {"name": {**named, "maxLength": 3}}}))
    option = ("--dialect", f"https://example.com/own={draft}")
    outcome = run("breaking", "--against", "HEAD", "--category", "wire", *option, folder=repository)
    assert (outcome.exit_code, outcome.err) == (exit_code, "")


def test_of_several_commits_some_may_be_of_before_the_schemas_moved(repository: Path) -> None:
    git(repository, "mv", "schemas", "contracts")
    commit(repository)
    moved = ("--schemas", "contracts", "--against-path", "schemas")
    outcome = run("breaking", "--against", "HEAD", "--against", "v1", *moved, folder=repository)
    assert outcome.exit_code == 1
    assert "compared with HEAD and v1" in outcome.out
    neither = run("breaking", "--against", "HEAD", "--schemas", "contracts/absent", folder=repository)
    assert neither.exit_code == 2


def test_an_annotation_of_what_is_gone_names_the_file_alone(repository: Path) -> None:
    (repository / "schemas/auth.json").write_text(json.dumps(events(signed_out=OLD)))
    outcome = run("breaking", "--against", "v1", "--format", "github", folder=repository)
    assert outcome.out.startswith("::error file=schemas/auth.json,line=1,")


@pytest.fixture
def branch(repository: Path, tmp_path: Path) -> Path:
    """A clone on a branch with a break, which does not change anything in git itself."""
    git(repository, "checkout", "schemas")
    clone = tmp_path / "branch"
    git(tmp_path, "clone", str(repository), str(clone))
    write(clone, NEW)
    assert run("breaking", "--against", "origin/main", folder=clone).exit_code == 1
    return clone


@pytest.mark.parametrize("name", ["origin/main", "HEAD", "v1", "commit"])
def test_a_folder_of_the_branch_is_not_taken_for_a_commit(name: str, branch: Path) -> None:
    name = git(branch, "rev-parse", "HEAD") if name == "commit" else name
    write(branch, NEW, f"{name}/auth.json")
    outcome = run("breaking", "--against", name, folder=branch)
    assert outcome.exit_code == 2
    assert f"NO_BASE {name!r} is both a folder or file here and a git commit" in outcome.err
    assert run("breaking", "--against", f"./{name}", folder=branch).exit_code == 0
    if name == "origin/main":
        assert run("breaking", "--against", f"refs/remotes/{name}", folder=branch).exit_code == 1


@pytest.mark.parametrize("kind", ["tag", "branch"])
def test_a_tag_or_branch_is_not_taken_for_the_remotes(kind: str, branch: Path) -> None:
    git(branch, "checkout", "-b", "work")
    commit(branch)
    git(branch, kind, "origin/main")
    git(branch, kind, "origin/HEAD")
    assert run("breaking", folder=branch).exit_code == 1
    outcome = run("breaking", "--against", "origin/main", folder=branch)
    assert outcome.exit_code == 2
    assert "NO_BASE 'origin/main' is the name of several branches or tags in this clone" in outcome.err
    assert "refs/remotes/origin/main" in outcome.err


@pytest.mark.parametrize("place", ["schemas", "."])
def test_a_bare_repository_in_the_branch_is_not_used(place: str, branch: Path) -> None:
    """It would bring its own refs, and a configuration with commands to run."""
    project = branch / "project"
    write(project, NEW)
    git(project, "init", "--bare", place)
    bare = project / place
    git(bare, "config", "core.bare", "false")
    git(bare, "config", "core.worktree", str(project))
    git(bare, "add", str(project / "schemas/auth.json"))
    git(bare, "commit", "--message", "its own past")
    git(bare, "update-ref", "refs/remotes/origin/main", "HEAD")
    for arguments in ((), ("--against", "origin/main")):
        outcome = run("breaking", *arguments, folder=project)
        assert outcome.exit_code == 2
        assert "NO_BASE schemas is in a bare git repository, which could be part of a branch" in outcome.err


def test_nothing_is_run_that_a_repository_configures(branch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, command = branch / "ran", branch / "command"
    command.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    command.chmod(0o755)
    (branch / "hooks").mkdir()
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (branch / "hooks" / hook).symlink_to(command)
    (branch / ".gitattributes").write_text("*.json diff=evil filter=evil merge=evil text eol=crlf ident\n")
    commit(branch)
    for key in ("diff.evil.textconv", "diff.evil.command", "filter.evil.smudge", "filter.evil.clean"):
        git(branch, "config", key, str(command))
    for key in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external", "alias.ls-tree"):
        git(branch, "config", key, str(command))
    git(branch, "config", "core.hooksPath", str(branch / "hooks"))
    ran.unlink(missing_ok=True)
    trace = branch / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    assert run("breaking", "--against", "origin/main", folder=branch).exit_code == 1
    assert run("breaking", "--against", "HEAD~1", folder=branch).exit_code == 1
    assert run("breaking", folder=branch).exit_code == 1
    assert run("changelog", "--against", "HEAD~1", folder=branch).exit_code == 0
    assert not ran.exists()
    assert "cat-file" in trace.read_text() and "run_command" not in trace.read_text()


@pytest.mark.parametrize("name", ["--name-only", "--format=x", ":(glob)**", ":!schemas"])
def test_a_folder_with_an_odd_name_is_only_a_folder(name: str, branch: Path) -> None:
    write(branch, OLD, f"{name}/auth.json")
    commit(branch)
    assert run("breaking", f"--schemas={name}", "--against", "HEAD", folder=branch).exit_code == 0
    write(branch, NEW, f"{name}/auth.json")
    assert run("breaking", f"--schemas={name}", "--against", "HEAD", folder=branch).exit_code == 1


TYPE = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
NARROWER = {**TYPE, "required": ["amount", "currency"], "properties": {"amount": {"type": "string"}}}
LINKS = {
    "a file": {"schemas/billing/sent.json": "../../shared/sent.json"},
    "a folder": {"schemas/billing": "../shared"},
    "the schemas folder": {"schemas": "contracts", "contracts/billing": "../shared"},
    "a chain": {"schemas/billing": "../a/b", "a": "c/./d", "c/d/b": "../../shared"},
}


def link(folder: Path, links: dict[str, str]) -> None:
    for path, target in links.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)


@pytest.fixture(params=LINKS)
def linked(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository with a schema behind a link, which refers to a type behind another one."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init")
    if "schemas" not in LINKS[request.param]:
        (folder / "schemas").mkdir()
    (folder / "shared").mkdir()
    (folder / "types").mkdir()
    (folder / "types/paid.json").write_text(json.dumps(TYPE))
    (folder / "shared/sent.json").write_text(json.dumps({"$ref": "../common/paid.json"}))
    link(folder, dict(reversed(LINKS[request.param].items())))
    link(folder, {"schemas/common": "../types"})
    commit(folder)
    return folder


def test_what_is_behind_links_is_compared(linked: Path) -> None:
    arguments = ("breaking", "--against", "HEAD", "--shared", "common/*")
    assert run(*arguments, folder=linked).exit_code == 0
    (linked / "types/paid.json").write_text(json.dumps(NARROWER))
    outcome = run(*arguments, folder=linked)
    assert (outcome.exit_code, outcome.err) == (1, "")
    assert "TYPE_NARROWED billing.sent" in outcome.out


def test_a_single_file_may_be_a_link(repository: Path) -> None:
    link(
        repository, {"schemas/sent.json": "../shared/other.json", "schemas/paid.json": "../shared/type.json"}
    )
    (repository / "shared").mkdir()
    (repository / "shared/other.json").write_text(json.dumps({"$ref": "paid.json"}))
    (repository / "shared/type.json").write_text(json.dumps(TYPE))
    commit(repository)
    arguments = ("breaking", "--against", "HEAD", "--schemas", "schemas/sent.json")
    assert run(*arguments, folder=repository).exit_code == 0
    (repository / "shared/type.json").write_text(json.dumps(NARROWER))
    outcome = run(*arguments, folder=repository)
    assert (outcome.exit_code, outcome.err) == (1, "")


def test_removing_an_event_behind_a_link_is_a_break(linked: Path) -> None:
    (linked / "shared/sent.json").rename(linked / "shared/resent.json")
    if (linked / "schemas/billing/sent.json").is_symlink():
        (linked / "schemas/billing/sent.json").unlink()
        link(linked, {"schemas/billing/resent.json": "../../shared/resent.json"})
    outcome = run("breaking", "--against", "HEAD", "--shared", "common/*", folder=linked)
    assert outcome.exit_code == 1
    assert "billing.sent" in outcome.out


def test_a_branch_does_not_choose_the_earlier_folder_with_a_link(repository: Path) -> None:
    write(repository, NEW, "other/auth.json")
    git(repository, "checkout", "schemas")
    commit(repository)
    (repository / "schemas/auth.json").unlink()
    (repository / "schemas").rmdir()
    (repository / "schemas").symlink_to("other")
    assert run("breaking", "--against", "HEAD", folder=repository).exit_code == 1


@pytest.mark.parametrize(
    ("links", "problem"),
    [
        ({"schemas/x.json": "../../x.json"}, "schemas/x.json: OUTSIDE leads out of the repository"),
        ({"schemas/x": "/etc"}, "schemas/x: OUTSIDE leads out of the repository, to '/etc'"),
        ({"schemas/x": "../y", "y": "schemas/../../z"}, "schemas/x: OUTSIDE leads out of the repository"),
        ({"schemas/x": "x"}, "schemas/x: LINK_LOOP is a link that leads back to itself"),
        ({"schemas/x": "y", "schemas/y": "x"}, "LINK_LOOP is a link that leads back to itself"),
        ({"schemas/x": "."}, "schemas/x: LINK_LOOP is a link to a folder it is in itself"),
        ({"schemas/x": ".."}, "schemas/x/schemas: LINK_LOOP is a link to a folder it is in itself"),
        ({"schemas/x.json": "gone"}, "schemas/x.json: NOT_READABLE is a link that leads nowhere, to 'gone'"),
        ({"schemas/x.json": "auth.json/y"}, "NOT_READABLE is a link that leads nowhere, to 'auth.json/y'"),
    ],
)
def test_a_link_that_cannot_be_followed_is_refused(
    links: dict[str, str], problem: str, repository: Path
) -> None:
    link(repository, links)
    commit(repository)
    for path in links:
        (repository / path).unlink()
    outcome = run("breaking", "--against", "HEAD", folder=repository)
    assert outcome.exit_code == 2
    assert problem in outcome.err


def test_a_submodule_is_refused(repository: Path) -> None:
    git(repository, "update-index", "--add", "--cacheinfo", "160000", "1" * 40, "schemas/billing")
    git(repository, "commit", "--message", "a submodule")
    outcome = run("breaking", "--against", "HEAD", folder=repository)
    assert outcome.exit_code == 2
    assert "HEAD:schemas/billing: NOT_READABLE is a submodule" in outcome.err


def test_links_to_links_to_folders_are_bounded(repository: Path) -> None:
    """Each of them doubles the folders."""
    for number in range(40):
        link(repository, {f"many/{number}/{name}": f"../{number + 1}" for name in ("a", "b")})
    link(repository, {"many/40": "../more", "schemas/many": "../many/0"})
    (repository / "more").mkdir()
    (repository / "more/text").write_text("")
    commit(repository)
    (repository / "schemas/many").unlink()
    outcome = run("breaking", "--against", "HEAD", folder=repository)
    assert outcome.exit_code == 2
    assert "HEAD:schemas: TOO_LARGE holds more than 10,000 schema files and folders" in outcome.err


def test_other_links_are_left_alone(repository: Path) -> None:
    link(repository, {"schemas/README.md": "gone.md", "schemas/.hidden": "/etc", "elsewhere": "/etc"})
    commit(repository)
    assert run("breaking", "--against", "v1", folder=repository).exit_code == 1
    assert run("breaking", "--against", "HEAD", folder=repository).exit_code == 0


@pytest.mark.parametrize("kind", ["blob", "tree", "commit", "graft"])
def test_replaced_objects_are_not_used(kind: str, branch: Path) -> None:
    commit(branch)
    names = {"blob": ":schemas/auth.json", "tree": "^{tree}", "commit": ""}
    if kind == "graft":
        earlier, later = (git(branch, "rev-parse", ref) for ref in ("origin/main", "HEAD"))
        (branch / ".git/info").mkdir(exist_ok=True)
        (branch / ".git/info/grafts").write_text(f"{later}\n{earlier} {later}\n")
    else:
        git(branch, "replace", f"origin/main{names[kind]}", f"HEAD{names[kind]}")
    for arguments in ((), ("--against", "origin/main")):
        assert run("breaking", *arguments, folder=branch).exit_code == 1


def test_the_first_schemas_are_compared_with_nothing(branch: Path) -> None:
    """A branch adds the first schemas of its folder, or of another project in the repository."""
    (branch / "other").mkdir()
    (branch / "other/pyproject.toml").write_text('[tool.lightbus-gen]\npackage = "other_bus"\n')
    document = {**events(sold=NEW), "api": "shop"}
    (branch / "other/schemas").mkdir()
    (branch / "other/schemas/auth.json").write_text(json.dumps(document))
    for against in ((), ("--against", "origin/main"), ("--against", "v1")):
        outcome = run("breaking", *against, folder=branch / "other")
        assert (outcome.exit_code, outcome.out[:10]) == (0, "compatible")
        assert "NO_SCHEMAS" in outcome.err
        assert "has no schemas yet: nothing is compared" in outcome.err
    outcome = run("changelog", "--against", "origin/main", folder=branch / "other")
    assert outcome.exit_code == 0
    assert "### Added\n\n- `shop.sold`" in outcome.out
    (branch / "other/one.json").write_text(json.dumps(NEW))
    outcome = run("breaking", "--against", "v1", "--schemas", "one.json", folder=branch / "other")
    assert outcome.exit_code == 0


@pytest.mark.parametrize("new_name", ["auth.json", "renamed.json"])
def test_schemas_that_move_are_not_the_first(new_name: str, repository: Path) -> None:
    """Neither a folder that the settings name anew, nor one that moves with its project, hides a break."""
    write(repository, OLD)
    (repository / "pyproject.toml").write_text('[tool.lightbus-gen]\npackage = "acme_bus"\n')
    commit(repository)
    (repository / "schemas").rename(repository / "events")
    (repository / "events/auth.json").rename(repository / "events" / new_name)
    (repository / "pyproject.toml").write_text('[tool.lightbus-gen]\nschemas = "events"\n')
    write(repository, NEW, f"events/{new_name}")
    outcome = run("breaking", "--against", "HEAD", folder=repository)
    assert (outcome.exit_code, "--against-path" in outcome.err) == (2, True)
    (repository / "service").mkdir()
    (repository / "pyproject.toml").rename(repository / "service/pyproject.toml")
    (repository / "events").rename(repository / "service/events")
    outcome = run("breaking", "--against", "HEAD", folder=repository / "service")
    assert (outcome.exit_code, "--against-path" in outcome.err) == (2, True)


def test_plain_schemas_that_move_are_not_the_first(repository: Path) -> None:
    write(repository, OLD)
    plain = repository / "schemas/shop/sold.json"
    plain.parent.mkdir()
    plain.write_text(json.dumps(OLD))
    commit(repository)
    (repository / "schemas/auth.json").unlink()
    (repository / "schemas").rename(repository / "events")
    outcome = run("breaking", "--against", "HEAD", "--schemas", "events", folder=repository)
    assert (outcome.exit_code, "--against-path" in outcome.err) == (2, True)


def test_an_api_is_renamed_in_a_folder_that_the_settings_name_anew(repository: Path) -> None:
    write(repository, OLD)
    (repository / "pyproject.toml").write_text('[tool.lightbus-gen]\npackage = "acme_bus"\n')
    commit(repository)
    (repository / "schemas").rename(repository / "events")
    (repository / "events/auth.json").write_text(json.dumps({**events(signed_in=NEW), "api": "accounts"}))
    (repository / "pyproject.toml").write_text('[tool.lightbus-gen]\nschemas = "events"\n')
    assert run("breaking", "--against", "HEAD", folder=repository).exit_code == 2


def test_the_first_commits_of_a_repository_without_a_remote(tmp_path: Path) -> None:
    git(tmp_path, "init")
    write(tmp_path, OLD)
    outcome = run("breaking", folder=tmp_path)
    assert outcome.exit_code == 0
    assert "a repository without commits has no schemas yet" in outcome.err
    commit(tmp_path)
    git(tmp_path, "remote", "add", "origin", "https://git.example.com/shop")
    write(tmp_path, NEW)
    outcome = run("breaking", folder=tmp_path)
    assert outcome.exit_code == 1
    assert "compared with HEAD" in outcome.out


def test_a_job_that_checked_out_a_commit_needs_a_version_to_compare_with(repository: Path) -> None:
    """HEAD would be compared with itself."""
    git(repository, "checkout", "schemas")
    git(repository, "checkout", "--detach")
    outcome = run("breaking", folder=repository)
    assert outcome.exit_code == 2
    assert "--against" in outcome.err
