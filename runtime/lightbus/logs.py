"""The library's logger, `lightbus`. A logging handler that raises must not end a connection or a listener.

Text that came from outside cannot look like a record of its own or steer a terminal, whichever handler prints it: it is
escaped, and each further line of a text, an exception or a traceback is indented.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from lightbus.foreign import escaped_lines, text_of, traceback_of

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter

INDENT = "  "


class _Log(_Adapter):
    """Writes to a logger, even when its handlers raise.

    Attributes:
        is_always_enabled: whether it also writes after `logging.config.dictConfig`, which by default disables every logger
            that exists and that it does not name.
    """

    is_always_enabled = False

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a record; see `logging.Logger.log`."""
        if self.is_always_enabled:
            self.logger.disabled = False
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller's line, not this one
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception:
            if logging.raiseExceptions and sys.stderr is not None:  # as logging.Handler.handleError does
                with contextlib.suppress(OSError, ValueError):  # standard error is closed
                    traceback.print_exc()


def indented(trace: str) -> str:
    """Return a traceback with all its lines indented and escaped."""
    return INDENT + escaped_lines(trace, INDENT)


def _escape(record: logging.LogRecord) -> bool:
    """Escape the arguments and the traceback of a record, and hide logins in them; it is logged in any case."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            arg if isinstance(arg, (int, float)) else escaped_lines(text_of(arg), INDENT)
            for arg in record.args
        )
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = indented(traceback_of(record.exc_info[1], record.exc_info[2]))
    return True


log = _Log(logging.getLogger("lightbus"))
log.logger.addFilter(_escape)
