"""The event as users see it: `fire()` returns it, and a handler receives it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class EventMessage(msgspec.Struct, frozen=True):
    """One event, as `fire()` returned it or as a handler receives it.

    Attributes:
        id: unique among all events and equal for every delivery, so it is the key for idempotent handlers.
        api_name: name of the API, such as `auth`.
        event_name: name of the event, such as `user_created`.
        kwargs: the event's values by parameter name, defaults filled in.
        time: when it was fired, with time zone.
        source: `/` and the name of the service that fired it.
        attempt: 1 on the first delivery to this listener, 2 on the second, and so on.
        trace: the W3C trace context (`traceparent`, `tracestate`), empty without tracing.
    """

    id: str
    api_name: str
    event_name: str
    kwargs: dict[str, Any]
    time: datetime
    source: str
    attempt: int = 1
    trace: dict[str, str] = {}

    @property
    def canonical_name(self) -> str:
        """The full name of the event, `auth.user_created`."""
        return f"{self.api_name}.{self.event_name}"
