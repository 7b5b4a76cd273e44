"""The library's logger, `lightbus`. A logging handler that raises must not end a connection or a listener."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _Log(_Adapter):
    """Writes to a logger, even when its handlers raise."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a record; see `logging.Logger.log`."""
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1  # the caller's line, not this one
        try:
            super().log(level, msg, *args, **kwargs)
        except Exception:
            if logging.raiseExceptions and sys.stderr is not None:  # as logging.Handler.handleError does
                with contextlib.suppress(OSError, ValueError):  # standard error is closed
                    traceback.print_exc()


log = _Log(logging.getLogger("lightbus"))
