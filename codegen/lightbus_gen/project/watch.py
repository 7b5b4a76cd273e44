"""`lightbus-gen --watch`: a run after every change of the input."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from lightbus.foreign import escaped
from lightbus_gen.project.report import RunOutcome, shown
from lightbus_gen.project.run import effective_settings, run
from lightbus_gen.project.settings import ProjectSettings
from lightbus_gen.read.files import Report
from lightbus_gen.read.folder import real
from lightbus_gen.write.plan import Plan

_POLL = 200  # milliseconds between checks for signals while no file changes
_SUFFIXES = (".py", ".toml", ".json", ".yaml", ".yml", "")  # "" for folders

Signature = tuple[int, int, int]


def watch(
    work: Callable[[ProjectSettings, Report], Plan],
    flags: Mapping[str, Any],
    show: Callable[[RunOutcome], None],
) -> None:
    """Run until Ctrl-C or SIGTERM. Each run has its own process, so that it imports Api classes afresh.

    Args:
        work: plans the changes; it is pickled.
        flags: settings that override those of pyproject.toml, by name.
        show: prints each outcome.

    Raises:
        InputError: the settings cannot be used, so it is not known what to watch.
    """
    settings = effective_settings(flags)
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: background jobs of a shell ignore it
        signal.signal(number, signal.default_int_handler)
    written = _Written()
    with contextlib.suppress(KeyboardInterrupt):
        for count, changed in enumerate(_changes(settings)):
            changed = [path for path in changed if not written.accounts_for(path)]
            if not changed and count:
                continue
            if changed:
                names = ", ".join(sorted({path.name for path in changed})[:3])
                _say(f"{names}{', ...' if len(changed) > 3 else ''} changed")
            outcome = _in_fresh_process(work, flags)
            if outcome is not None:
                written.add(change.path for change in outcome.plan.changes)
                show(outcome)
            if not count:
                _say(f"watching {shown(settings.root)} for changes; Ctrl-C ends this")


def _changes(settings: ProjectSettings) -> Iterator[list[Path]]:
    """Yield the changed paths; an empty list at first, and every `_POLL` milliseconds without a change."""
    import watchfiles

    root, default = settings.root.resolve(), watchfiles.DefaultFilter()

    def is_input(change: watchfiles.Change, path: str) -> bool:
        if not default(change, path) or Path(path).suffix not in _SUFFIXES:
            return False
        if not Path(path).suffix and Path(path).is_file():  # such as a log that our output goes to
            return False
        return not any(
            part.startswith(".") for part in Path(os.path.relpath(path, root)).parts if part != ".."
        )

    folders = {root, *(folder for folder in [real(settings.schemas)] if folder.is_dir())}
    batches = watchfiles.watch(*folders, watch_filter=is_input, rust_timeout=_POLL, yield_on_timeout=True)
    for changes in batches:
        yield [Path(path) for _, path in changes]


class _Written:
    """The files that the runs wrote themselves, which do not cause another run."""

    def __init__(self) -> None:
        self._files: dict[Path, Signature | None] = {}
        self._folders: set[Path] = set()

    def add(self, paths: Iterable[Path]) -> None:
        """Record the current state of files."""
        for path in (path.resolve() for path in paths):
            self._files[path] = _signature(path)
            self._folders.update(path.parents)

    def accounts_for(self, path: Path) -> bool:
        """Whether a file is still as a run wrote it, or a folder contains such files."""
        return path in self._folders or (path in self._files and self._files[path] == _signature(path))


def _signature(path: Path) -> Signature | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _in_fresh_process(
    work: Callable[[ProjectSettings, Report], Plan], flags: Mapping[str, Any]
) -> RunOutcome | None:
    """Run in a new process and return the outcome; None if the process ended without one."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, work, flags), daemon=True)
    before = signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the child inherits it: Ctrl-C is for this process alone
    process.start()
    signal.signal(signal.SIGINT, before)
    sender.close()
    try:
        outcome: RunOutcome = receiver.recv()
    except EOFError:
        process.join()
        _say(f"the run ended with exit code {process.exitcode}; waiting for a change")
        return None
    finally:
        receiver.close()
        process.terminate()
        process.join()
    return outcome


def _send(
    sender: Connection, work: Callable[[ProjectSettings, Report], Plan], flags: Mapping[str, Any]
) -> None:
    sender.send(run(work, flags))


def _say(words: str) -> None:
    print(escaped(words), file=sys.stderr, flush=True)
