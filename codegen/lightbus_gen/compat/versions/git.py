"""Files of a git commit, read from the repository's objects: nothing is checked out, so shallow clones will do."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lightbus.errors import did_you_mean
from lightbus_gen.read.files import YAML_SUFFIXES
from lightbus_gen.read.input_problems import input_error

_RULE = "NO_BASE"
_DEEPEN = "fetch more of the history: `fetch-depth: 0` of actions/checkout, GIT_DEPTH: 0 of GitLab, or git fetch --unshallow"


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository.

    Attributes:
        top: its top folder.
    """

    top: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Find the repository that a folder, which need not exist any more, is in.

        Raises:
            InputError: there is none, or git is not installed.
        """
        here = folder.absolute()
        while not here.is_dir():
            here = here.parent
        done = _git(here, "rev-parse", "--show-toplevel")
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines()
            if reason and "dubious ownership" in reason[0]:
                fix = f"git config --global --add safe.directory {here}"
                raise input_error(_RULE, f"git does not trust the repository around {folder}", fix)
            message = f"{folder} is in no git repository, so there is no earlier version to read from it"
            raise input_error(_RULE, message, "compare with a folder or file: --against DIR")
        return cls(Path(done.stdout.decode().rstrip("\n")))

    def path_of(self, folder: Path) -> str:
        """Return the path of a folder from the top of the repository, with `/`."""
        path = folder.resolve().relative_to(self.top.resolve()).as_posix()
        return "" if path == "." else path

    def merge_base(self) -> str:
        """Return the commit that this branch left the remote's default branch at.

        Raises:
            InputError: there is no remote, or its history is not here.
        """
        for branch in ("origin/HEAD", "origin/main", "origin/master"):
            if self._commit(branch) is None:
                continue
            done = _git(self.top, "merge-base", "HEAD", branch)
            if done.returncode == 0:
                return done.stdout.decode().strip()
            message = f"HEAD and {branch} have no common commit here"
            fix = _DEEPEN if self._is_shallow() else "say what to compare with: --against REF"
            raise input_error(_RULE, message, fix)
        message = "the remote's default branch is not known here (origin/HEAD, origin/main, origin/master)"
        fix = _DEEPEN if self._is_shallow() else "say what to compare with: --against REF, DIR or FILE"
        raise input_error(_RULE, message, fix)

    def read(self, ref: str, path: str) -> dict[str, bytes]:
        """Return what is at a path at a commit.

        Returns:
            The schema files of a folder, by path below it; a file as `{"": contents}`; {} for nothing.

        Raises:
            InputError: there is no such commit, or it is not all here.
        """
        commit = self._commit(ref)
        if commit is None:
            self._refuse(ref)
        listed = _git(self.top, "ls-tree", "-r", "-z", "--full-tree", commit, *([path] if path else []))
        if listed.returncode:
            raise input_error(_RULE, f"git cannot list {ref}: {_last_line(listed.stderr)}", _DEEPEN)
        objects: dict[str, bytes] = {}
        for entry in listed.stdout.split(b"\0"):
            about, _, name = entry.partition(b"\t")
            relative = name.decode(errors="surrogateescape").removeprefix(path).removeprefix("/")
            is_hidden = any(part.startswith(".") for part in relative.split("/"))
            is_schema = relative.endswith((".json", *YAML_SUFFIXES)) and not is_hidden
            if about.startswith(b"100") and (is_schema or not relative):
                objects[relative] = about.split(b" ")[2]
        return self._contents(ref, objects)

    def _contents(self, ref: str, objects: dict[str, bytes]) -> dict[str, bytes]:
        ids = b"".join(name + b"\n" for name in objects.values())
        done = _git(self.top, "cat-file", "--batch", stdin=ids)
        if done.returncode:
            raise input_error(_RULE, f"git cannot read {ref}: {_last_line(done.stderr)}", _DEEPEN)
        found: dict[str, bytes] = {}
        at = 0
        for relative in objects:
            end = done.stdout.index(b"\n", at)
            about = done.stdout[at:end].split(b" ")
            if about[-1] == b"missing":
                raise input_error(_RULE, f"{relative} of {ref} is not in this clone", _DEEPEN)
            start, size = end + 1, int(about[2])
            found[relative] = done.stdout[start : start + size]
            at = start + size + 1
        return found

    def _commit(self, ref: str) -> str | None:
        done = _git(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def _is_shallow(self) -> bool:
        return _git(self.top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def _refuse(self, ref: str) -> NoReturn:
        listed = _git(self.top, "for-each-ref", "--format=%(refname:short)").stdout.decode(errors="replace")
        hint = did_you_mean(ref, listed.split())
        fix = "name a branch, tag or commit that `git rev-parse` knows, or a folder or file that exists"
        if self._is_shallow():
            raise input_error(_RULE, f"this shallow clone has no {ref!r}{hint}", _DEEPEN)
        raise input_error(_RULE, f"{ref!r} is no branch, tag or commit here, nor a folder or file{hint}", fix)


def short(ref: str) -> str:
    """Shorten a full commit id, for people."""
    return ref[:10] if len(ref) == 40 and all(char in "0123456789abcdef" for char in ref) else ref


def _git(folder: Path, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise input_error(_RULE, "git is not installed", "install git, or compare with a folder") from None


def _last_line(text: bytes) -> str:
    return (text.decode(errors="replace").strip().splitlines() or [""])[-1]
