"""The mailer: writes to users when their account changes."""

from __future__ import annotations

import asyncio

import lightbus
from acme_bus import Bus

bus = lightbus.create(Bus, service_name="mailer")


async def welcome(event: lightbus.EventMessage, username: str, email: str, **_: object) -> None:
    """Send the welcome mail, slowly."""
    print(f"writing to {email} (attempt {event.attempt})", flush=True)
    await asyncio.sleep(3.0 if username == "grace" and event.attempt == 1 else 0.05)
    print(f"welcomed {username}", flush=True)


def before_server_start() -> None:
    bus.auth.user_created.listen(welcome, listener_name="welcome", ack_wait=2.0)
