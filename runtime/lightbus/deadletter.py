"""The form of a dead letter: the event whole, with headers that say where it failed and why. Pure."""

from __future__ import annotations

from lightbus.envelope import MESSAGE_ID
from lightbus.transport import Delivery


def headers(delivery: Delivery, stream: str, durable: str, reason: str, error: str) -> dict[str, str]:
    """Return the headers of a delivery's dead letter.

    The event's own headers stay, except the server's `Nats-*`. The message id is made of the durable and the
    event's place and time, so that a second copy of the same failure is dropped by the server.
    """
    kept = {name: value for name, value in delivery.headers.items() if not name.lower().startswith("nats-")}
    return kept | {
        # with the time, as a stream that was deleted and made again counts from 1 once more
        MESSAGE_ID: f"{stream}.{durable}.{delivery.sequence}.{delivery.time.timestamp():.6f}",
        "Lightbus-Listener": durable,
        "Lightbus-Reason": reason,
        "Lightbus-Error": error,
        "Lightbus-Attempts": str(delivery.attempt),
        "Lightbus-Stream": stream,
        "Lightbus-Sequence": str(delivery.sequence),
        "Lightbus-Subject": delivery.subject,
        "Lightbus-Stored": delivery.time.isoformat(),
    }
