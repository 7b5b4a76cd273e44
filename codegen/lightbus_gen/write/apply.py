"""Writes changes to files, all of them or none.

The new texts are first written beside their targets, and each old file gets a second name. Only then are the new files
renamed into place, one after the other; if that fails, the old files are restored. Ctrl-C and SIGTERM take effect
before or after all of it. SIGKILL leaves whole files, and some with `SUFFIX`, which the next run removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightbus_gen.read.folder import real
from lightbus_gen.read.input_problems import InputError, input_error
from lightbus_gen.write.plan import SUFFIX, FileChange, Plan

_FIXES = dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space") | dict.fromkeys(
    (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT), "move what is in the way"
)


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Make other runs in a project wait, if the file system supports locks.

    Args:
        folder: the project's folder; nothing is written to it.
    """
    if sys.platform == "win32":  # folders cannot be locked; each file is whole nevertheless
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def apply(planned: Plan) -> None:
    """Carry out a plan, entirely or not at all. Readers see either the old or the new text of a file.

    Raises:
        InputError: the plan has refusals, or a file cannot be written; all files are as before.
    """
    if planned.refusals:
        raise InputError(planned.refusals)
    for leftover in planned.leftovers:
        with contextlib.suppress(OSError):
            leftover.unlink()
    current = None
    try:
        with _signals_blocked(), ExitStack() as tidy, ExitStack() as undo:
            staged = []
            for current in planned.changes:
                staged.append((current, *_stage(current, tidy)))
            for current, new, old in staged:
                undo.callback(_put_back, current.path, new, old)
                if new is None:
                    current.path.unlink()
                else:
                    new.replace(current.path)
            undo.pop_all()
    except OSError as error:
        if current is None:
            raise
        message = f"cannot be {current.kind}: {error.strerror}"
        fix = _FIXES.get(error.errno or 0, "grant write access")
        raise input_error("NOT_WRITABLE", message, fix, path=str(current.path)) from error


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block the signals that would end the process."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stage(change: FileChange, tidy: ExitStack) -> tuple[Path | None, Path | None]:
    """Prepare one change: write the new file and keep a copy of the old one, both beside the target."""
    new = old = None
    if change.after is not None:
        _make_folder(change.path.parent, tidy)
    if real(change.path.parent) != change.folder:
        message, fix = "leads elsewhere than it did when the run began", "run again"
        raise input_error("OUTSIDE", message, fix, path=str(change.path.parent))
    if change.after is not None:
        new = _beside(change.path, tidy)
        with new.open("xb") as file:
            file.write(change.after.encode())
    if change.before is not None:
        old = _beside(change.path, tidy)
        try:
            os.link(change.path, old, follow_symlinks=False)
        except OSError:  # not every file system supports links
            shutil.copy2(change.path, old, follow_symlinks=False)
    return new, old


def _beside(path: Path, tidy: ExitStack) -> Path:
    sibling = path.with_name(f".{secrets.token_hex(8)}{SUFFIX}")
    tidy.callback(sibling.unlink, missing_ok=True)
    return sibling


def _make_folder(folder: Path, tidy: ExitStack) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        tidy.callback(_remove_if_empty, each)
        each.mkdir(exist_ok=True)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _put_back(path: Path, new: Path | None, old: Path | None) -> None:
    if old is not None:
        old.replace(path)
    elif new is not None and not new.exists():  # it was renamed into place
        path.unlink()
