"""Errors in the user's own code, explained on one screen instead of by a traceback."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from lightbus.errors import LightbusError, TransportError, UsageError
from lightbus.event.tracebacks import is_installed, is_ours
from lightbus.foreign import text_of, without_logins

_LINES = 8  # of an error's own text
_FIRST, _LAST = 2, 3  # frames shown of a longer chain, from its two ends
_WIDTH = 120  # characters of a line of source


def user_error(what: str, error: BaseException, *, reproduce: str) -> LightbusError:
    """Turn an exception from the user's code into an error to print.

    Args:
        what: what raised it, as the subject of a sentence: `importing 'mailer.bus'`.
        error: the exception.
        reproduce: Python statements that show the whole traceback.

    Returns:
        The exception itself if it is a `TransportError`; otherwise an error that names the user's lines.
    """
    error = _innermost(error)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, LightbusError):
        return UsageError("\n".join([_short(text_of(error)), *places(error)]))
    kind = type(error).__name__
    text = text_of(error)
    lines = [_short(f"{what} raised {kind}: {text}" if text else f"{what} raised {kind}")]
    lines += places(error)
    if isinstance(error, ModuleNotFoundError):
        lines.append(f"Is it installed for this Python? {sys.executable}")
    lines.append(f'Whole traceback: python -c "{reproduce}"')
    return UsageError("\n".join(lines))


def places(error: BaseException) -> list[str]:
    """List the user's lines an exception passed through, outermost first, ready to print."""
    lines = [
        _place(frame.filename, frame.lineno, frame.name, frame.line)
        for frame in _own(traceback.extract_tb(error.__traceback__))
    ]
    if isinstance(error, SyntaxError) and error.filename:  # that file never ran, so it has no frame
        lines.append(_place(error.filename, error.lineno, "<module>", error.text))
    if len(lines) > _FIRST + _LAST:
        lines[_FIRST:-_LAST] = ["  ..."]
    return lines


def _own(frames: traceback.StackSummary) -> list[traceback.FrameSummary]:
    """Return the user's frames: outside installed packages, or, of an installed service, outside this library."""
    foreign = [frame for frame in frames if not is_ours(frame.filename)]
    own = [frame for frame in foreign if not is_installed(frame.filename)]
    return own or foreign


def _place(filename: str, line: int | None, function: str, source: str | None) -> str:
    path = Path(filename)
    name = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    inside = "" if function == "<module>" else f" in {function}"
    code = without_logins((source or "").strip())[:_WIDTH]
    return f"  {name}:{line}{inside}: {code}" if code else f"  {name}:{line}{inside}"


def _innermost(error: BaseException) -> BaseException:
    """Return the first leaf of an exception group, such as a TaskGroup raises."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _short(text: str) -> str:
    """Shorten a long text to its first lines and the last one, which says what to do."""
    lines = text.splitlines()
    if len(lines) > _LINES:
        lines[_LINES - 2 : -1] = [f"  ... {len(lines) - _LINES + 1} more"]
    return "\n".join(lines)
