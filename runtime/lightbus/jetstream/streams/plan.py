"""What it takes to give a bus its streams and durables: looked up, then carried out step by step."""

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
    """What is to be done about a stream or durable."""

    NOTHING = "nothing"
    CREATE = "create"
    UPDATE = "update"
    DESTROY = "destroy"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Step:
    """A stream or durable, and what is between it and the code.

    Attributes:
        wanted: the resource, as the bus makes it.
        found: its configuration on the server, None when it does not exist.
        differences: the settings that differ.
    """

    wanted: Resource
    found: Mapping[str, Any] | None
    differences: tuple[Difference, ...] = ()

    @property
    def action(self) -> Action:
        """What is to be done; the gravest of it, if there is more than one thing."""
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
    """List the streams of APIs, and what listeners need, in an order in which they can be made.

    Args:
        prefix: of the bus.
        apis: names of the APIs it knows.
        consumers: what its listeners want.
    """
    listening = list(consumers)
    all_apis = dict.fromkeys([*apis, *(consumer.api for consumer in listening)])
    found: list[Resource] = [resources.event_stream(prefix, api) for api in all_apis]
    if listening:
        found += [resources.dead_letter_stream(prefix), resources.replay_stream(prefix)]
    for consumer in listening:
        found += [resources.durable(prefix, consumer), resources.replay_durable(prefix, consumer)]
    return found


async def compare(connection: Connection, wanted: Iterable[Resource]) -> list[Step]:
    """Look up what the server has of each resource, and return what is to be done."""
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
    """Make a resource, or update those of its settings that can be.

    Args:
        connection: a connected connection.
        step: what to do.
        destroying: whether an update may remove messages.

    Returns:
        The differences that are left.

    Raises:
        ProvisionError: the server refuses.
    """
    if step.found is None:
        await make(connection, step.wanted)
        return ()
    ways = {Way.UPDATE, Way.DESTROYS} if destroying else {Way.UPDATE}
    changes = {one.setting: one.wanted for one in step.differences if one.way in ways}
    if changes:
        request = step.wanted.update({**step.found, **changes})
        try:
            await connection.api(request.operation, dict(request.body))
        except ApiError as error:
            raise ProvisionError(f"{step.wanted} could not be updated: {error.description}") from error
    return tuple(one for one in step.differences if one.way not in ways)


@asynccontextmanager
async def connected(url: str | None, *, given: str) -> AsyncIterator[Connection]:
    """Connect for a while, as a tool of the operator.

    Args:
        url: as of `lightbus.jetstream.connection.address.resolve`.
        given: how the user gave it, for messages.
    """
    connection = Connection(resolve(url, given=given), f"lightbus/{socket.gethostname()}")
    try:
        await connection.connect()
        yield connection
    finally:
        await connection.close()
