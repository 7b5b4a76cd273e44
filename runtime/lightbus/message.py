"""The event as users see it: what `fire()` returns and a handler receives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class EventMessage(msgspec.Struct, frozen=True):
    """One event, as `fire()` returned it or as a handler receives it.

    Attributes:
        id: unique over all events; the same for every delivery, so the key for idempotent handlers.
        api_name: name of the API, such as `auth`.
        event_name: name of the event, such as `user_created`.
        kwargs: the event's values by parameter name, defaults filled in.
        time: when it was fired, with time zone.
        source: who fired it, `/` and the service name.
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
