"""The origin of a delivered message, read from the subject of its acknowledgement (ADR-15). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Origin(NamedTuple):
    """The server's data about a delivery.

    Attributes:
        attempt: how often the event was delivered, this time included.
        sequence: its sequence in the stream.
        stored: when it was stored, in nanoseconds since 1970.
    """

    attempt: int
    sequence: int
    stored: int

    @property
    def time(self) -> datetime:
        """When the event was stored."""
        return _EPOCH + timedelta(microseconds=self.stored // 1000)


class Origins:
    """Reads the acknowledgement subjects of one durable."""

    def __init__(self, stream: str, durable: str) -> None:
        # $JS.ACK.<stream>.<durable>.<attempt>.<sequence>.<delivered>.<stored>.<left>; the longer second form has
        # a domain and an account before the stream, and a token at the end
        self._subject = re.compile(
            rf"\$JS\.ACK\.(?P<long>[^.*>]+\.[^.*>]+\.)?{re.escape(stream)}\.{re.escape(durable)}\."
            r"([1-9][0-9]{0,18})\.([1-9][0-9]{0,18})\.[0-9]{1,20}\.([0-9]{1,19})\.[0-9]{1,20}"
            r"(?(long)(?:\.[^*>]+)?)"
        )

    def read(self, subject: str) -> Origin | None:
        """Parse the subject of an acknowledgement; None when it does not belong to this durable."""
        match = self._subject.fullmatch(subject)
        if match is None:
            return None
        _, attempt, sequence, stored = match.groups()
        return Origin(int(attempt), int(sequence), int(stored))
