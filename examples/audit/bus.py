"""The audit log: records every change to accounts. A plain, blocking service."""

from __future__ import annotations

import lightbus
from acme_bus import Bus
from acme_bus.auth import UserCreated

bus = lightbus.create(Bus, service_name="audit")


def note_created(event: UserCreated) -> None:
    print(f"noted {event.username} ({event.plan})", flush=True)


def note_deleted(username: str) -> None:
    print(f"noted that {username} left", flush=True)


def before_server_start() -> None:
    bus.auth.user_created.listen(note_created, listener_name="note_created")
    bus.auth.user_deleted.listen(note_deleted, listener_name="note_deleted")
