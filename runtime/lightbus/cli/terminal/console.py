"""Output of the commands: log lines, messages, errors and progress on standard error, JSON on standard output.

Colour goes to terminals only; piped output is plain text. Everything passes through `lightbus.foreign`.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import click

from lightbus.errors import LightbusError, ListenerFailed
from lightbus.event.tracebacks import users_traceback
from lightbus.foreign import escaped_json, escaped_lines, excerpt
from lightbus.logs import INDENT, indented, log

_COLOURS = {logging.WARNING: "yellow", logging.ERROR: "red"}
_FORMATTER = logging.Formatter()


class OutputFailed(LightbusError):
    """Standard output cannot be written: its disk is full, or its reader is gone."""


class ConsoleHandler(logging.Handler):
    """Prints log records, until the service sets up logging itself, for everything or for the library's logger."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless the service's own logging shows it or an error message will."""
        error = record.exc_info[1] if record.exc_info else None
        handlers = [
            *logging.getLogger().handlers,
            *(log.logger.handlers if record.name == log.logger.name else ()),
        ]
        is_shown = any(not isinstance(other, (ConsoleHandler, logging.NullHandler)) for other in handlers)
        if is_shown or isinstance(error, ListenerFailed):
            return
        try:
            click.echo(self.format(record), err=True)
        except Exception:  # a record that cannot be printed must not stop the code that logs it
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return `12:00:00 ready`, with the level if it is above INFO."""
        time = click.style(_FORMATTER.formatTime(record, "%H:%M:%S"), dim=True)
        text = record.getMessage()
        if record.name != log.logger.name:
            text = escaped_lines(f"{record.name}: {excerpt(text)}", INDENT)
        if record.levelno > logging.INFO:
            text = click.style(f"{record.levelname.lower()}: ", fg=_COLOURS.get(record.levelno)) + text
        if record.exc_info and record.exc_info[1]:
            text += f"\n{indented(users_traceback(record.exc_info[1]))}"
        return f"{time} {text}"


def log_to_console(*, quietly: bool = False) -> None:
    """Print the library's log records from now on; with `quietly` only warnings and errors."""
    log.logger.addHandler(ConsoleHandler())
    log.is_always_enabled = True
    log.setLevel(logging.WARNING if quietly else logging.INFO)


def print_escaped() -> None:
    """Print as records, too, what other loggers and uncaught exceptions say: the text of events may be in it."""
    logging.lastResort = ConsoleHandler(logging.WARNING)  # for records that nothing else handles

    def in_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "that ended"
        _uncaught(f"uncaught exception in thread {name}", args.exc_type, args.exc_value, args.exc_traceback)

    threading.excepthook = in_thread
    sys.excepthook = lambda *error: _uncaught("uncaught exception", *error)
    sys.unraisablehook = lambda args: _uncaught(
        args.err_msg or "exception ignored", args.exc_type, args.exc_value, args.exc_traceback
    )


def _uncaught(
    what: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), trace)
    elif not issubclass(kind, SystemExit):  # which only ends a thread
        log.error("%s", what, exc_info=(kind, error or kind(), trace))


def print_message(text: str, *, label: str = "", colour: str | None = None) -> None:
    """Print a message for people on standard error, after a coloured label."""
    styled = click.style(label, fg=colour, bold=True) if label else ""
    click.echo(styled + escaped_lines(text), err=True)


def print_output(text: str) -> None:
    """Print text that is safe to show on standard output.

    Raises:
        OutputFailed: it cannot be written. Later output is dropped.
    """
    if sys.stdout is None:
        raise OutputFailed("standard output is closed")
    try:
        click.echo(text)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python fails again at its exit
        raise OutputFailed(f"standard output cannot be written: {error.strerror}") from error


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one JSON object as a line on standard output, in ASCII unless that is UTF-8; raises as `print_output`."""
    is_utf_8 = codecs.lookup(getattr(sys.stdout, "encoding", None) or "ascii").name == "utf-8"
    print_output(escaped_json(facts) if is_utf_8 else json.dumps(facts))


def print_error(error: LightbusError) -> None:
    """Print an error as the result of the command, unless a reader of the output went away, as `head` does."""
    if not isinstance(error.__cause__, BrokenPipeError):
        print_message(str(error), label="error: ", colour="red")


@contextmanager
def progress_bar(
    task: str, *, visible: bool = True
) -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """Show a progress bar, if standard error is a terminal.

    Yields:
        Two functions: one adds to the number of items to do, one to the number of items done.
    """
    if not (visible and sys.stderr.isatty()):
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(task), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    ) as progress:
        bar = progress.add_task(task, total=0)

        def enlarge(count: int) -> None:
            progress.update(bar, total=(progress.tasks[0].total or 0) + count)

        yield enlarge, lambda count: progress.advance(bar, count)
