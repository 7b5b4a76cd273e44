"""Unexpected messages in our inboxes: refused, counted, and logged at most once a minute.

A user that may publish to a service's inboxes can send anything. The server's permissions can prevent that
(docs/provisioning.md); here it must do no harm, and be visible.
"""

from __future__ import annotations

import time

from lightbus.logs import log

_PAUSE = 60.0  # seconds between two log lines


class Refusals:
    """Counts the messages refused in one place.

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
        """Count a message that arrived on a subject, and why it was refused."""
        self.count += 1
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _PAUSE
            log.warning(
                "%s: refused %d unexpected message(s); the last one, on '%s', %s",
                *(self._where, self.count, subject, reason),
            )
