"""What went wrong in the user's own code and where, in one screen instead of a traceback."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from lightbus.errors import LightbusError, TransportError, UsageError
from lightbus.event.tracebacks import is_installed, is_ours

_LINES = 8  # of an error's own text
_FIRST, _LAST = 2, 3  # frames shown of a longer chain: who began it, and where it ended
_WIDTH = 120  # characters of a line of source


def user_error(what: str, error: BaseException, *, reproduce: str) -> LightbusError:
    """Turn an exception that came out of the user's code into one to show to the user.

    Args:
        what: what was being done, as the subject of a sentence: `importing 'mailer.bus'`.
        error: what came out of it.
        reproduce: Python statements that show the whole traceback.

    Returns:
        The error itself when the server or network is to blame; else one that says what happened and
        in which of the user's lines.
    """
    error = _innermost(error)
    if isinstance(error, TransportError):
        return error
    if isinstance(error, LightbusError):
        return UsageError("\n".join([_short(str(error)), *places(error)]))
    kind = type(error).__name__
    lines = [_short(f"{what} raised {kind}: {error}" if str(error) else f"{what} raised {kind}")]
    lines += places(error)
    if isinstance(error, ModuleNotFoundError):
        lines.append(f"Is it installed for this Python? {sys.executable}")
    lines.append(f'Whole traceback: python -c "{reproduce}"')
    return UsageError("\n".join(lines))


def places(error: BaseException) -> list[str]:
    """List the user's lines an exception passed through, outermost first, ready to print."""
    found = [
        _place(frame.filename, frame.lineno, frame.name, frame.line)
        for frame in _users(traceback.extract_tb(error.__traceback__))
    ]
    if isinstance(error, SyntaxError) and error.filename:  # that file never ran, so it has no frame
        found.append(_place(error.filename, error.lineno, "<module>", error.text))
    if len(found) > _FIRST + _LAST:
        found[_FIRST:-_LAST] = ["  ..."]
    return found


def _users(frames: traceback.StackSummary) -> list[traceback.FrameSummary]:
    """Leave out this library, and the libraries below the user's code; a service may be installed, too."""
    foreign = [frame for frame in frames if not is_ours(frame.filename)]
    own = [frame for frame in foreign if not is_installed(frame.filename)]
    return own or foreign


def _place(filename: str, line: int | None, function: str, source: str | None) -> str:
    path = Path(filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    inside = "" if function == "<module>" else f" in {function}"
    code = (source or "").strip()[:_WIDTH]
    return f"  {shown}:{line}{inside}: {code}" if code else f"  {shown}:{line}{inside}"


def _innermost(error: BaseException) -> BaseException:
    """Look into an exception group, as a TaskGroup raises, for the first error proper."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _short(text: str) -> str:
    """Keep the first lines of a long text and its last, which says what to do."""
    lines = text.splitlines()
    if len(lines) > _LINES:
        lines[_LINES - 2 : -1] = [f"  ... {len(lines) - _LINES + 1} more"]
    return "\n".join(lines)
