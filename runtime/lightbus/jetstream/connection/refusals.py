"""Messages that came to an inbox of ours and are nothing we asked for: refused and counted, and said once in a while.

Whoever may publish to a service's inboxes can send them anything. That is for the server's permissions to prevent
(docs/provisioning.md); here it must do no harm, and be seen.
"""

from __future__ import annotations

import time

from lightbus.logs import log

_PAUSE = 60.0  # seconds between two lines of the log


class Refusals:
    """Counts what was refused at one place.

    Args:
        where: the place, for the log.

    Attributes:
        count: how many messages were refused.
    """

    def __init__(self, where: str) -> None:
        self.count = 0
        self._where = where
        self._quiet_until = 0.0

    def add(self, subject: str, reason: str) -> None:
        """Count a message.

        Args:
            subject: where it came.
            reason: what is wrong with it.
        """
        self.count += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _PAUSE
            log.warning(
                "%s: refused %d message(s) that nobody asked for; the last one, on %r, %s",
                *(self._where, self.count, subject, reason),
            )
