"""Streams and durables as the bus needs them, made when missing. Raw JSON, only the fields we mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lightbus import naming
from lightbus.errors import ProvisionError
from lightbus.jetstream.connection import ApiError, Connection
from lightbus.logs import log
from lightbus.transport import Consumer

_NANOSECONDS = 1_000_000_000
_MAX_ACK_PENDING = 10_000  # what several workers have at hand, and what waits for its next try, together
_DUPLICATE_WINDOW = 600  # seconds; far longer than any fire() retries, so that a retry is never stored twice
STREAM_NOT_FOUND, CONSUMER_NOT_FOUND = 10059, 10014  # error codes of the server
_STREAM_NAME_IN_USE, _CONSUMER_EXISTS = 10058, 10148


async def ensure_stream(
    connection: Connection, name: str, subjects: str, description: str, **settings: object
) -> None:
    """Make a stream when it is missing; one that exists is left as its operator configured it.

    Args:
        connection: a connected connection.
        name, subjects, description: of the stream.
        settings: what differs from other streams, by the server's names.

    Raises:
        ProvisionError: it exists and does not capture the subjects, or the server refuses to make it.
    """
    try:
        found = await connection.api(f"STREAM.INFO.{name}")
    except ApiError as error:
        if error.err_code != STREAM_NOT_FOUND:
            raise
    else:
        if subjects not in found["config"].get("subjects", []):
            raise ProvisionError(
                f"stream {name!r} exists and captures {found['config'].get('subjects', [])},"
                f" not {subjects!r}. Use another prefix= or change the stream's subjects."
            )
        return
    config = {
        "name": name,
        "description": description,
        "subjects": [subjects],
        "storage": "file",
        "retention": "limits",
        "discard": "new",  # a limit an operator sets refuses new events; it never drops unseen ones
        "duplicate_window": _DUPLICATE_WINDOW * _NANOSECONDS,
        "allow_direct": True,
        **settings,
    }
    try:
        await connection.api(f"STREAM.CREATE.{name}", config)
    except ApiError as error:
        if error.err_code != _STREAM_NAME_IN_USE:  # another process made it in the meantime
            raise ProvisionError(f"stream {name!r} could not be made: {error.description}") from error


async def ensure_api_stream(connection: Connection, prefix: str, api: str) -> None:
    """Make the stream of an API's events when it is missing; raises as `ensure_stream` does."""
    subjects = naming.stream_subjects(prefix, api)
    await ensure_stream(connection, naming.stream(prefix, api), subjects, f"Events of the {api} API")


async def ensure_dead_letter_stream(connection: Connection, prefix: str) -> None:
    """Make the stream of dead letters when it is missing; raises as `ensure_stream` does."""
    await ensure_stream(
        connection,
        naming.dead_letter_stream(prefix),
        naming.dead_letter_subjects(prefix),
        "Events their listeners could not handle",
        max_msgs_per_subject=1,  # the next failure of a replayed event takes the place of the last one
    )


async def ensure_replay_stream(connection: Connection, prefix: str) -> None:
    """Make the stream of replays when it is missing; raises as `ensure_stream` does."""
    await ensure_stream(
        connection,
        naming.replay_stream(prefix),
        naming.replay_subjects(prefix),
        "Dead letters on their way back to their listeners",
        retention="workqueue",
    )


async def ensure_consumer(connection: Connection, prefix: str, consumer: Consumer) -> float:
    """Make a durable when it is missing, and return its ack_wait on the server, in seconds.

    Raises:
        ProvisionError: the durable exists for another event or is not a pull consumer with explicit acks.
    """
    return await _ensure_durable(
        connection,
        naming.stream(prefix, consumer.api),
        naming.subject(prefix, consumer.api, consumer.event),
        consumer,
        lambda: ensure_api_stream(connection, prefix, consumer.api),
    )


async def ensure_replay_consumer(connection: Connection, prefix: str, consumer: Consumer) -> float:
    """Make the durable of a listener's replays when it is missing; returns and raises as `ensure_consumer`."""
    stream = naming.stream(prefix, consumer.api)
    return await _ensure_durable(
        connection,
        naming.replay_stream(prefix),
        naming.replay_subjects(prefix, stream, consumer.durable),
        replace(consumer, durable=naming.replay_durable(stream, consumer.durable), since="beginning"),
        lambda: ensure_replay_stream(connection, prefix),
    )


async def _ensure_durable(
    connection: Connection,
    stream: str,
    subject: str,
    consumer: Consumer,
    make_stream: Callable[[], Awaitable[None]],
) -> float:
    try:
        found = await connection.api(f"CONSUMER.INFO.{stream}.{consumer.durable}")
    except ApiError as error:
        if error.err_code not in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
            raise
        await make_stream()
        found = await _create_consumer(connection, stream, subject, consumer)
    config: dict[str, Any] = found["config"]
    ack_wait: float = config["ack_wait"] / _NANOSECONDS
    if ack_wait != consumer.ack_wait:
        log.warning(
            "durable %s keeps its ack_wait of %g s; the code asks for %g s",
            *(consumer.durable, ack_wait, consumer.ack_wait),
        )
    if config.get("filter_subject") != subject:
        raise ProvisionError(
            f"durable {consumer.durable!r} of stream {stream!r} already listens to"
            f" {config.get('filter_subject')!r}, not {subject!r}. Choose another listener_name, or delete the"
            " durable if that listener is gone."
        )
    if config.get("deliver_subject") or config.get("ack_policy") != "explicit":
        raise ProvisionError(
            f"durable {consumer.durable!r} of stream {stream!r} is not a pull consumer with explicit"
            " acknowledgement, so something else made it. Choose another listener_name or delete it."
        )
    return ack_wait


async def _create_consumer(
    connection: Connection, stream: str, subject: str, consumer: Consumer
) -> dict[str, Any]:
    config: dict[str, Any] = {
        "durable_name": consumer.durable,
        "filter_subject": subject,
        "ack_policy": "explicit",
        "ack_wait": int(consumer.ack_wait * _NANOSECONDS),
        "max_deliver": -1,  # the bus counts attempts itself, so that the last one ends in the dead letters
        "max_ack_pending": 1 if consumer.ordered else _MAX_ACK_PENDING,
        **_start(consumer),
    }
    request = {"stream_name": stream, "config": config, "action": "create"}
    try:
        return await connection.api(f"CONSUMER.CREATE.{stream}.{consumer.durable}.{subject}", request)
    except ApiError as error:
        if error.err_code == _CONSUMER_EXISTS:  # another process made it in the meantime
            return await connection.api(f"CONSUMER.INFO.{stream}.{consumer.durable}")
        raise ProvisionError(
            f"durable {consumer.durable!r} could not be made: {error.description}"
        ) from error


def _start(consumer: Consumer) -> dict[str, str]:
    if consumer.since == "beginning":
        return {"deliver_policy": "all"}
    if consumer.since == "now":
        return {"deliver_policy": "new"}
    moment: datetime = consumer.since.astimezone(UTC)
    return {"deliver_policy": "by_start_time", "opt_start_time": moment.isoformat().replace("+00:00", "Z")}
