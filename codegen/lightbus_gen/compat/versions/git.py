"""Files of a git commit, read from the object database. Nothing is checked out, so a shallow clone suffices."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lightbus.errors import did_you_mean
from lightbus_gen.compat.versions.tree import Tree
from lightbus_gen.read.folder import real
from lightbus_gen.read.input_problems import input_error

_RULE = "NO_BASE"
_DEEPEN = "fetch more of the history: `fetch-depth: 0` of actions/checkout, GIT_DEPTH: 0 of GitLab, or git fetch --unshallow"
_NO_REPOSITORY = b"not a git repository"
_OPTIONS = ("--no-replace-objects", "-c", "safe.bareRepository=explicit", "-c", "core.warnAmbiguousRefs=true")
"""A bare repository could be part of a branch, with refs and commands of its own."""
_ENVIRONMENT = {"LC_ALL": "C", "GIT_GRAFT_FILE": os.devnull}
"""English messages, and the history as it was committed: replacements and grafts would rewrite it."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository.

    Attributes:
        top: its top-level folder.
    """

    top: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Return the repository that contains a folder, which need not exist any longer.

        Raises:
            InputError: there is none, or git is not installed.
        """
        existing = _existing(folder)
        result = _git(existing, "rev-parse", "--show-toplevel")
        if result.returncode:
            if b"dubious ownership" in result.stderr:
                fix = f"git config --global --add safe.directory {existing}"
                raise input_error(_RULE, f"git does not trust the repository around {folder}", fix)
            if b"bare repository" in result.stderr:
                message = f"{folder} is in a bare git repository, which could be part of a branch"
                raise input_error(
                    _RULE, message, "move the schemas into a work tree, or remove HEAD beside them"
                )
            message = f"{folder} is not in a git repository, so there is no earlier version to read from it"
            raise input_error(_RULE, message, "compare with a folder or file: --against DIR")
        return cls(Path(result.stdout.decode().rstrip("\n")))

    @classmethod
    def knows(cls, ref: str, folder: Path) -> bool:
        """Whether a ref names a commit of the repository that contains a folder; False without a repository.

        Raises:
            InputError: git does not trust the repository, or the ref has several meanings.
        """
        if shutil.which("git") is None or _NO_REPOSITORY in _git(_existing(folder), "rev-parse").stderr:
            return False
        return cls.around(folder)._commit(ref) is not None

    def path_of(self, folder: Path) -> str:
        """Return the path of a folder relative to the top of the repository, with `/`.

        A commit may have other links on that path, so those of the work tree are followed only into the repository.

        Raises:
            InputError: a link leads out of the repository.
        """
        path, top = real(folder), real(self.top)
        if not path.is_relative_to(top):
            fix = "name the folder that it leads to: --schemas DIR"
            raise input_error(_RULE, f"{folder} leads out of the repository, to {path}", fix)
        by_name = Path(os.path.abspath(folder))  # noqa: PTH100  Path.absolute() keeps `..`
        path = by_name if by_name.is_relative_to(top) else path
        return "" if path == top else path.relative_to(top).as_posix()

    def merge_base(self) -> str | None:
        """Return the commit at which this branch left the remote's default branch.

        Returns:
            HEAD if this repository has fetched from no remote, and None if it has no commit at all. A job of CI checks
            out a commit, and no branch: it would compare that commit with itself.

        Raises:
            InputError: the default branch is not known here, or this clone lacks its history.
        """
        for branch in ("origin/HEAD", "origin/main", "origin/master"):
            ref = f"refs/remotes/{branch}"  # a tag may be called origin/main as well
            if self._commit(ref) is None:
                continue
            result = _git(self.top, "merge-base", "HEAD", ref)
            if result.returncode == 0:
                return result.stdout.decode().strip()
            message = f"HEAD and {branch} have no common commit in this clone"
            fix = _DEEPEN if self._is_shallow() else "name a version to compare with: --against REF"
            raise input_error(_RULE, message, fix)
        is_on_branch = _git(self.top, "symbolic-ref", "--quiet", "HEAD").returncode == 0
        if (
            is_on_branch
            and not self._is_shallow()
            and not _git(self.top, "for-each-ref", "refs/remotes").stdout
        ):
            return "HEAD" if self._commit("HEAD") else None
        message = "the remote's default branch is not known here (origin/HEAD, origin/main, origin/master)"
        fix = _DEEPEN if self._is_shallow() else "name a version to compare with: --against REF, DIR or FILE"
        raise input_error(_RULE, message, fix)

    def read(self, ref: str, path: str) -> dict[str, bytes]:
        """Return the schema files at a path of a commit. Links are followed inside the commit.

        Returns:
            The files of a folder by their path below it; a single file as `{"": contents}`; {} if there is none.

        Raises:
            InputError: there is no such commit, this clone has only part of it, or a link cannot be followed.
        """
        commit = self._commit(ref)
        if commit is None:
            self._refuse(ref)
        return _contents(self.top, ref, _tree(self.top, ref, commit).schemas(path))

    def holds(self, ref: str, name: str) -> bool:
        """Whether a commit has a file of a name, such as `auth/signed_in.json`, in any folder."""
        listing = _git(self.top, "ls-tree", "-r", "-z", "--full-tree", "--name-only", ref)
        return f"/{name}\0".encode() in b"/" + listing.stdout.replace(b"\0", b"\0/")

    def describes(self, ref: str, api: str) -> bool:
        """Whether a commit has the document of an API, under any name; True also if git cannot tell."""
        pattern = rf"""api["']?[[:space:]]*:[[:space:]]*["']?{re.escape(api)}["']?[[:space:]]*([,}}#]|$)"""
        files = (":(top)*.json", ":(top)*.yaml", ":(top)*.yml")
        return _git(self.top, "grep", "--quiet", "-E", "-e", pattern, ref, "--", *files).returncode != 1

    def _commit(self, ref: str) -> str | None:
        done = _git(self.top, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        if b"is ambiguous" in done.stderr:
            fix = f"write it in full, such as refs/remotes/{ref} or refs/tags/{ref}"
            raise input_error(_RULE, f"{ref!r} is the name of several branches or tags in this clone", fix)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def _is_shallow(self) -> bool:
        return _git(self.top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def _refuse(self, ref: str) -> NoReturn:
        refs = _git(self.top, "for-each-ref", "--format=%(refname:short)").stdout.decode(errors="replace")
        hint = did_you_mean(ref, refs.split())
        fix = "name a branch, tag or commit that `git rev-parse` knows, or a folder or file that exists"
        if self._is_shallow():
            raise input_error(_RULE, f"this shallow clone has no {ref!r}{hint}", _DEEPEN)
        raise input_error(
            _RULE, f"{ref!r} is not a branch, tag or commit in this clone, nor a folder or file{hint}", fix
        )


@functools.lru_cache(maxsize=4)
def _tree(top: Path, ref: str, commit: str) -> Tree:
    """Return the files of a commit; a single schema is read file by file."""
    listing = _git(top, "ls-tree", "-r", "-z", "--full-tree", commit)
    if listing.returncode:
        raise input_error(_RULE, f"git cannot list {ref}: {_last_line(listing.stderr)}", _DEEPEN)
    tree = Tree(short(ref), listing.stdout)
    tree.set_targets(_contents(top, ref, tree.links()))
    return tree


def _contents(top: Path, ref: str, objects: dict[str, bytes]) -> dict[str, bytes]:
    """Return the contents of objects, given and returned by path; those of one object are one value."""
    ids = tuple(dict.fromkeys(objects.values()))
    if not ids:
        return {}
    result = _git(top, "cat-file", "--batch", stdin=b"".join(name + b"\n" for name in ids))
    if result.returncode:
        raise input_error(_RULE, f"git cannot read {ref}: {_last_line(result.stderr)}", _DEEPEN)
    contents: dict[bytes, bytes] = {}
    position = 0
    for name in ids:
        end = result.stdout.index(b"\n", position)
        header = result.stdout[position:end].split(b" ")
        if header[-1] == b"missing":
            path = next(path for path, each in objects.items() if each == name)
            raise input_error(_RULE, f"{path} of {ref} is not in this clone", _DEEPEN)
        start, size = end + 1, int(header[2])
        contents[name] = result.stdout[start : start + size]
        position = start + size + 1
    return {path: contents[name] for path, name in objects.items()}


def short(ref: str) -> str:
    """Shorten a full commit id for messages."""
    return ref[:10] if len(ref) == 40 and all(char in "0123456789abcdef" for char in ref) else ref


def _existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that exists."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *_OPTIONS, "-C", str(folder), *arguments],
            input=stdin,
            capture_output=True,
            env=os.environ | _ENVIRONMENT,
            check=False,
        )
    except FileNotFoundError:
        raise input_error(_RULE, "git is not installed", "install git, or compare with a folder") from None


def _last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or [""])[-1]
