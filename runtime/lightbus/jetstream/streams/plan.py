"""Plans the streams and durables of a bus against the server, and carries the plan out step by step."""

from __future__ import annotations

import enum
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from lightbus.errors import ProvisionError
from lightbus.jetstream.connection.address import resolve
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.drift import Difference, Way, differences
from lightbus.jetstream.streams.ensure import create
from lightbus.jetstream.streams.resources import (
    Resource,
    dead_letter_stream,
    durable,
    event_stream,
    replay_durable,
    replay_stream,
)
from lightbus.transport import Consumer


class Action(enum.Enum):
    """What to do about a stream or durable."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    DESTROY = "destroy"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Step:
    """A stream or durable, and its differences from the code.

    Attributes:
        resource: the resource, as the bus creates it.
        current: its configuration on the server, None when it does not exist.
        differences: the settings that differ.
    """

    resource: Resource
    current: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()

    @property
    def action(self) -> Action:
        """What to do; the gravest action if there are several."""
        if self.current is None:
            return Action.CREATE
        ways = {difference.way for difference in self.differences}
        if Way.BY_HAND in ways:
            return Action.BY_HAND
        if Way.DESTROYS in ways:
            return Action.DESTROY
        return Action.UPDATE if ways else Action.NOTHING


def action_of(difference: Difference) -> Action:
    """Return what removes a single difference."""
    return {Way.UPDATE: Action.UPDATE, Way.DESTROYS: Action.DESTROY, Way.BY_HAND: Action.BY_HAND}[
        difference.way
    ]


def needed(
    prefix: str, apis: Iterable[str], consumers: Iterable[Consumer], version: tuple[int, int]
) -> list[Resource]:
    """List the resources of APIs and listeners on a server of a version, in an order in which they can be created."""
    listening = list(consumers)
    all_apis = dict.fromkeys([*apis, *(consumer.api for consumer in listening)])
    required: list[Resource] = [event_stream(prefix, api) for api in all_apis]
    if listening:
        required += [dead_letter_stream(prefix, version), replay_stream(prefix)]
    for consumer in listening:
        required += [durable(prefix, consumer), replay_durable(prefix, consumer)]
    return required


async def compare(connection: Connection, resources: Iterable[Resource]) -> list[Step]:
    """Compare each resource with the server, and return the steps."""
    steps = []
    for resource in resources:
        info = await connection.lookup(resource.info, absent=resource.absent)
        if info is None:
            steps.append(Step(resource, None))
        else:
            config = info["config"]
            steps.append(Step(resource, config, tuple(differences(resource, config))))
    return steps


async def carry_out(connection: Connection, step: Step, *, destroying: bool) -> tuple[Difference, ...]:
    """Create a resource, or update the settings that can be updated.

    Args:
        destroying: whether an update may remove messages.

    Returns:
        The remaining differences.

    Raises:
        ProvisionError: the server refuses.
    """
    if step.current is None:
        await create(connection, step.resource)
        return ()
    ways = {Way.UPDATE, Way.DESTROYS} if destroying else {Way.UPDATE}
    changes = {
        difference.setting: difference.expected for difference in step.differences if difference.way in ways
    }
    if changes:
        try:
            await connection.api(*step.resource.update({**step.current, **changes}))
        except ApiError as error:
            raise ProvisionError(f"{step.resource} could not be updated: {error.description}") from error
    return tuple(difference for difference in step.differences if difference.way not in ways)


@asynccontextmanager
async def connected(url: str | None, *, origin: str) -> AsyncIterator[Connection]:
    """Connect temporarily, as an operator's tool.

    Args:
        url, origin: as in `lightbus.jetstream.connection.address.resolve`.
    """
    connection = Connection(resolve(url, origin=origin), f"lightbus/{socket.gethostname()}")
    try:
        await connection.connect()
        yield connection
    finally:
        await connection.close()
