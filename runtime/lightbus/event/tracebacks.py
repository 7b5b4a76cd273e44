"""Which part of a traceback is the user's code, rather than this library or Python itself."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

from lightbus.foreign import trace_of, traceback_of

_LIGHTBUS = Path(__file__).parents[1]
_STDLIB = Path(sysconfig.get_path("stdlib"))
_INSTALLED = {"site-packages", "dist-packages"}


def is_ours(filename: str) -> bool:
    """Whether a file belongs to this library or to Python, rather than to the user."""
    path = Path(filename)
    if filename.startswith("<") or path.is_relative_to(_LIGHTBUS):
        return True
    return path.is_relative_to(_STDLIB) and not _INSTALLED.intersection(path.parts)


def is_installed(filename: str) -> bool:
    """Whether a file belongs to an installed package."""
    return bool(_INSTALLED.intersection(Path(filename).parts))


def users_traceback(error: BaseException) -> str:
    """Format a traceback from the user's code inwards, as `traceback` would, without logins in its URLs."""
    trace = trace_of(error)
    while trace is not None and is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return traceback_of(error, trace or trace_of(error))


def users_functions(error: BaseException) -> list[str]:
    """Name the user's functions an exception passed through, `module:function`, outermost first.

    Recursive calls count once. Installed packages are left out unless there is nothing else: a service may itself
    be installed.
    """
    frames = [
        (frame.f_code.co_filename, f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}")
        for frame, _ in traceback.walk_tb(trace_of(error))
        if not is_ours(frame.f_code.co_filename)
    ]
    names = [name for filename, name in frames if not is_installed(filename)] or [name for _, name in frames]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
