"""The progress and the alarms of a durable, from the server's numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem that does not go away by itself.

    Attributes:
        kind: `lost` when unseen events may be gone, `stalled` when the listener gets no more events.
        text: what is wrong, and what to do.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a durable has come.

    Attributes:
        pending: events not delivered yet.
        in_flight: events delivered and not settled, including those that wait for a retry.
        redelivered: events in flight that were delivered more than once.
        waiting: pull requests that wait for events; 0 without a worker, or when all are busy.
        seen: the sequence up to which all events are delivered and settled.
    """

    pending: int
    in_flight: int
    redelivered: int
    waiting: int
    seen: int


def progress(durable: Mapping[str, Any]) -> Progress:
    """Return the progress of a durable from the server's information."""
    in_flight: int = durable["num_ack_pending"]
    seen: int = durable["ack_floor" if in_flight else "delivered"]["stream_seq"]
    return Progress(
        durable["num_pending"], in_flight, durable["num_redelivered"], durable["num_waiting"], seen
    )


def alarms(stream: Mapping[str, Any], durable: Mapping[str, Any]) -> list[Alarm]:
    """Return the problems of a durable.

    Events below the stream's first sequence are gone. A durable that had not reached it has lost those that it
    listens to; which ones is unknown. A durable is stalled when workers ask, events wait, and as many as it allows
    are unsettled. If it allows one, it is ordered, and the others have to wait.

    Args:
        stream, durable: the server's information about them.
    """
    problems = []
    name, first, status = durable["name"], stream["state"]["first_seq"], progress(durable)
    if (status.pending or status.in_flight) and first > status.seen + 1:
        text = (
            f"{name} is behind, and the events {status.seen + 1:,} to {first - 1:,} of stream"
            f" {durable['stream_name']} are gone: it will never get those that it listens to."
            f" {_why_gone(stream['config'])}"
        )
        problems.append(Alarm("lost", text))
    limit = durable["config"].get("max_ack_pending", -1)
    if 1 < limit <= status.in_flight and status.pending and status.waiting:
        text = (
            f"{name} gets no more events: {status.in_flight:,} are being handled or wait for a retry, as many as"
            f" its max_ack_pending allows, and {status.pending:,} wait behind them. Fix what makes them fail, retry"
            f" less often, or allow more: nats consumer edit {durable['stream_name']} {name} --max-pending"
            f" {10 * limit}"
        )
        problems.append(Alarm("stalled", text))
    return problems


def _why_gone(config: Mapping[str, Any]) -> str:
    limits = [
        name
        for name in ("max_age", "max_msgs", "max_bytes", "max_msgs_per_subject")
        if config.get(name, -1) > 0
    ]
    if not limits:
        return "Somebody deleted them."
    return f"Raise the stream's limits ({', '.join(limits)}), or run more workers."
