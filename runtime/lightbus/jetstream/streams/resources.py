"""The streams and durables of a bus: raw configurations with only the settings that it chooses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from lightbus import naming
from lightbus.transport import Consumer

NANOSECONDS = 1_000_000_000
STREAM_NOT_FOUND, CONSUMER_NOT_FOUND = 10059, 10014  # error codes of the server

_MAX_ACK_PENDING = 10_000  # events held by all workers, plus those that wait for a retry
_ROLLUPS_REPLACE = (2, 14)  # the first version that takes a rollup on a subject that is full
_DUPLICATE_WINDOW = 600  # seconds; far longer than any fire() retries, so that no retry is stored twice


Request: TypeAlias = tuple[str, dict[str, Any]]
"""An operation of the JetStream API and its body: the arguments of `Connection.api`."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream, as the bus creates it.

    Attributes:
        config: the settings, by the server's names.
    """

    name: str
    config: Mapping[str, Any] = field(hash=False)

    kind = "stream"
    absent = (STREAM_NOT_FOUND,)

    def __str__(self) -> str:
        return f"stream {self.name!r}"

    @property
    def info(self) -> str:
        """The API operation that returns its information."""
        return f"STREAM.INFO.{self.name}"

    @property
    def creation(self) -> Request:
        """The request that creates it."""
        return f"STREAM.CREATE.{self.name}", dict(self.config)

    def update(self, config: Mapping[str, Any]) -> Request:
        """Return the request that updates it to a complete configuration."""
        return f"STREAM.UPDATE.{self.name}", dict(config)

    @property
    def removal(self) -> str:
        """The command that removes it."""
        return f"nats stream rm {self.name}"


@dataclass(frozen=True, slots=True)
class Durable:
    """A durable consumer, as the bus creates it.

    Attributes:
        config: the settings, by the server's names.
    """

    stream: str
    name: str
    config: Mapping[str, Any] = field(hash=False)

    kind = "durable"
    absent = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)

    def __str__(self) -> str:
        return f"durable {self.name!r} of stream {self.stream!r}"

    @property
    def info(self) -> str:
        """The API operation that returns its information."""
        return f"CONSUMER.INFO.{self.stream}.{self.name}"

    @property
    def creation(self) -> Request:
        """The request that creates it, and never changes an existing one."""
        return self._request(self.config, "create")

    def update(self, config: Mapping[str, Any]) -> Request:
        """Return the request that updates it to a complete configuration."""
        return self._request(config, "update")

    def _request(self, config: Mapping[str, Any], action: str) -> Request:
        operation = f"CONSUMER.CREATE.{self.stream}.{self.name}"
        if subject := config.get("filter_subject"):
            operation += f".{subject}"  # so that the server's permissions can distinguish it
        return operation, {"stream_name": self.stream, "config": config, "action": action}

    @property
    def removal(self) -> str:
        """The command that removes it."""
        return f"nats consumer rm {self.stream} {self.name}"


Resource: TypeAlias = Stream | Durable


def event_stream(prefix: str, api: str) -> Stream:
    """Return the stream of an API's events."""
    return _stream(
        naming.stream(prefix, api), naming.stream_subjects(prefix, api), f"Events of the {api} API"
    )


def dead_letter_stream(prefix: str, version: tuple[int, int]) -> Stream:
    """Return the stream of dead letters: the next failure of a replayed event replaces the last one.

    Args:
        version: major and minor version of the server. From 2.14 on, no other message replaces a dead letter.
            Earlier servers would refuse the next failure as well (nats-server#7974).
    """
    guards = {"discard_new_per_subject": True, "allow_rollup_hdrs": True}
    return _stream(
        naming.dead_letter_stream(prefix),
        naming.dead_letter_subjects(prefix),
        "Events their listeners could not handle",
        max_msgs_per_subject=1,
        **(guards if version >= _ROLLUPS_REPLACE else {}),
    )


def replay_stream(prefix: str) -> Stream:
    """Return the stream of replays."""
    return _stream(
        naming.replay_stream(prefix),
        naming.replay_subjects(prefix),
        "Dead letters on their way back to their listeners",
        retention="workqueue",
    )


def _stream(name: str, subjects: str, description: str, **settings: object) -> Stream:
    config = {
        "name": name,
        "description": description,
        "subjects": [subjects],
        "storage": "file",
        "retention": "limits",
        "discard": "new",  # an operator's limit refuses new events; it never drops unseen ones
        "duplicate_window": _DUPLICATE_WINDOW * NANOSECONDS,
        "allow_direct": True,
        **settings,
    }
    return Stream(name, config)


def durable(prefix: str, consumer: Consumer) -> Durable:
    """Return the durable of a listener."""
    subject = naming.subject(prefix, consumer.api, consumer.event)
    return _durable(naming.stream(prefix, consumer.api), subject, consumer)


def replay_durable(prefix: str, consumer: Consumer) -> Durable:
    """Return the durable of a listener's replays."""
    stream = naming.stream(prefix, consumer.api)
    name = naming.replay_durable(stream, consumer.durable)
    return _durable(
        naming.replay_stream(prefix),
        naming.replay_subjects(prefix, consumer.durable, stream),
        replace(consumer, durable=name, since="beginning"),
    )


def _durable(stream: str, subject: str, consumer: Consumer) -> Durable:
    config = {
        "durable_name": consumer.durable,
        "filter_subject": subject,
        "ack_policy": "explicit",
        "ack_wait": int(consumer.ack_wait * NANOSECONDS),
        "max_deliver": -1,  # the bus counts attempts itself, so that the event ends in the dead letters
        "max_ack_pending": 1 if consumer.ordered else _MAX_ACK_PENDING,
        **_start(consumer),
    }
    return Durable(stream, consumer.durable, config)


def _start(consumer: Consumer) -> dict[str, str]:
    if consumer.since == "beginning":
        return {"deliver_policy": "all"}
    if consumer.since == "now":
        return {"deliver_policy": "new"}
    moment: datetime = consumer.since.astimezone(UTC)
    return {"deliver_policy": "by_start_time", "opt_start_time": moment.isoformat().replace("+00:00", "Z")}
