"""What the server's numbers say about a stream and a durable: how far it is, and what needs somebody. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that does not get better by itself.

    Attributes:
        kind: `lost` when events may be gone that a listener has not seen, `stalled` when it gets no more.
        text: what is the matter, and what to do.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a durable is.

    Attributes:
        pending: events it has not delivered yet.
        in_flight: events it has delivered that are not settled, those that wait for a retry among them.
        redelivered: those of them that were delivered more than once.
        waiting: pull requests that wait for events; 0 without a worker, or when all are busy.
        seen: the sequence up to which everything was delivered and settled.
    """

    pending: int
    in_flight: int
    redelivered: int
    waiting: int
    seen: int


def progress(durable: Mapping[str, Any]) -> Progress:
    """Read the server's account of a durable."""
    in_flight: int = durable["num_ack_pending"]
    seen: int = durable["ack_floor" if in_flight else "delivered"]["stream_seq"]
    return Progress(
        durable["num_pending"], in_flight, durable["num_redelivered"], durable["num_waiting"], seen
    )


def alarms(stream: Mapping[str, Any], durable: Mapping[str, Any]) -> list[Alarm]:
    """Look for what is wrong with a durable.

    Events below the stream's first sequence are gone. A durable that is behind and had not come so far has
    lost those of them that were for it; which ones they were for, nobody can tell any more. A durable is
    stalled when workers ask and events wait, and as many as it allows are unsettled; where it allows one,
    order is wanted, and others wait by right.

    Args:
        stream: the server's account of its stream.
        durable: the server's account of the durable.
    """
    found = []
    name, first, now = durable["name"], stream["state"]["first_seq"], progress(durable)
    if (now.pending or now.in_flight) and first > now.seen + 1:
        text = (
            f"{name} is behind, and the events {now.seen + 1:,} to {first - 1:,} of stream"
            f" {durable['stream_name']} are gone: those of them that were for it are lost to it."
            f" {_why_gone(stream['config'])}"
        )
        found.append(Alarm("lost", text))
    limit = durable["config"].get("max_ack_pending", -1)
    if 1 < limit <= now.in_flight and now.pending and now.waiting:
        text = (
            f"{name} gets no more events: {now.in_flight:,} are in hand or wait for their retry, as many as"
            f" its max_ack_pending allows, and {now.pending:,} wait behind them. Mend what makes them fail, retry"
            f" less often, or allow more: nats consumer edit {durable['stream_name']} {name} --max-pending"
            f" {10 * limit}"
        )
        found.append(Alarm("stalled", text))
    return found


def _why_gone(config: Mapping[str, Any]) -> str:
    limits = [
        name
        for name in ("max_age", "max_msgs", "max_bytes", "max_msgs_per_subject")
        if config.get(name, -1) > 0
    ]
    if not limits:
        return "Somebody deleted them."
    return f"Raise the stream's limits ({', '.join(limits)}), or run more workers."
