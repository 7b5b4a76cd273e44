"""What the commands print, all of it on standard error: lifecycle lines as they happen, and errors.

Colour goes to terminals only; piped output is plain text.
"""

from __future__ import annotations

import logging

import click

from lightbus.errors import LightbusError, ListenerFailed
from lightbus.event.tracebacks import users_traceback

log = logging.getLogger("lightbus")

_COLOURS = {logging.WARNING: "yellow", logging.ERROR: "red"}


class ConsoleHandler(logging.Handler):
    """Shows the library's records, until the service sets up logging itself."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record, unless the service's own logging shows it or an error message will."""
        error = record.exc_info[1] if record.exc_info else None
        if logging.getLogger().handlers or isinstance(error, ListenerFailed):
            return
        try:
            click.echo(self.format(record), err=True)
        except Exception:  # a record that cannot be shown must not stop who logs it
            self.handleError(record)

    def format(self, record: logging.LogRecord) -> str:
        """Write `12:00:00 ready`, with the level when it is more than information."""
        time = click.style(_TIME.formatTime(record, "%H:%M:%S"), dim=True)
        text = record.getMessage()
        if record.levelno > logging.INFO:
            text = click.style(f"{record.levelname.lower()}: ", fg=_COLOURS.get(record.levelno)) + text
        if record.exc_info and record.exc_info[1]:
            text += f"\n{users_traceback(record.exc_info[1])}"
        return f"{time} {text}"


_TIME = logging.Formatter()


def log_to_console(*, quietly: bool = False) -> None:
    """Show the library's lifecycle lines from here on, or quietly its warnings alone."""
    log.addHandler(ConsoleHandler())
    log.setLevel(logging.WARNING if quietly else logging.INFO)


def print_error(error: LightbusError) -> None:
    """Say what went wrong, as the answer to the command."""
    click.echo(click.style("error: ", fg="red", bold=True) + str(error), err=True)
