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
from lightbus.jetstream.streams import resources
from lightbus.jetstream.streams.drift import Difference, Way, differences
from lightbus.jetstream.streams.ensure import make, read
from lightbus.jetstream.streams.resources import Resource
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
        wanted: the resource, as the bus creates it.
        found: its configuration on the server, None when it does not exist.
        differences: the settings that differ.
    """

    wanted: Resource
    found: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()

    @property
    def action(self) -> Action:
        """What to do; the gravest action if there are several."""
        if self.found is None:
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


def needed(prefix: str, apis: Iterable[str], consumers: Iterable[Consumer]) -> list[Resource]:
    """List the resources of APIs and listeners, in an order in which they can be created.

    Args:
        prefix: the bus's prefix.
        apis: names of the APIs it knows.
        consumers: the durables of its listeners.
    """
    listening = list(consumers)
    all_apis = dict.fromkeys([*apis, *(consumer.api for consumer in listening)])
    required: list[Resource] = [resources.event_stream(prefix, api) for api in all_apis]
    if listening:
        required += [resources.dead_letter_stream(prefix), resources.replay_stream(prefix)]
    for consumer in listening:
        required += [resources.durable(prefix, consumer), resources.replay_durable(prefix, consumer)]
    return required


async def compare(connection: Connection, wanted: Iterable[Resource]) -> list[Step]:
    """Compare each resource with the server, and return the steps."""
    steps = []
    for resource in wanted:
        info = await read(connection, resource)
        if info is None:
            steps.append(Step(resource, None))
        else:
            config = info["config"]
            steps.append(Step(resource, config, tuple(differences(resource, config))))
    return steps


async def carry_out(connection: Connection, step: Step, *, destroying: bool) -> tuple[Difference, ...]:
    """Create a resource, or update the settings that can be updated.

    Args:
        connection: a connected connection.
        step: the resource and its differences.
        destroying: whether an update may remove messages.

    Returns:
        The remaining differences.

    Raises:
        ProvisionError: the server refuses.
    """
    if step.found is None:
        await make(connection, step.wanted)
        return ()
    ways = {Way.UPDATE, Way.DESTROYS} if destroying else {Way.UPDATE}
    changes = {
        difference.setting: difference.wanted for difference in step.differences if difference.way in ways
    }
    if changes:
        request = step.wanted.update({**step.found, **changes})
        try:
            await connection.api(request.operation, dict(request.body))
        except ApiError as error:
            raise ProvisionError(f"{step.wanted} could not be updated: {error.description}") from error
    return tuple(difference for difference in step.differences if difference.way not in ways)


@asynccontextmanager
async def connected(url: str | None, *, given: str) -> AsyncIterator[Connection]:
    """Connect temporarily, as an operator's tool.

    Args:
        url, given: as in `lightbus.jetstream.connection.address.resolve`.
    """
    connection = Connection(resolve(url, given=given), f"lightbus/{socket.gethostname()}")
    try:
        await connection.connect()
        yield connection
    finally:
        await connection.close()
