"""Ensures that streams and durables exist: created if missing, or only verified; never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightbus.errors import PermissionDenied, ProvisionError, TransportError
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.drift import Difference, Way, differences, weaknesses, window_difference
from lightbus.jetstream.streams.resources import Resource, Stream
from lightbus.logs import log
from lightbus.transport import Provision

_EXISTS = (10058, 10148)  # error codes of the server: a stream or consumer of that name has other settings
_OVERLAP = 10065  # another stream captures some of the subjects
APPLY = "lightbus apply --bus MODULE"


class Provisioner:
    """Ensures the streams and durables of one connection.

    Args:
        connection: a connection.
        provision: whether to create missing ones.
    """

    def __init__(self, connection: Connection, provision: Provision = "create") -> None:
        self._connection, self._provision = connection, provision
        self._told: set[str] = set()

    async def ensure(self, wanted: Resource) -> dict[str, Any]:
        """Return the server's information about a stream or durable; create it if missing and allowed.

        One that exists stays as it is; each difference is logged once.

        Raises:
            ProvisionError: it is missing and may not be created, or its settings would lose events.
            PermissionDenied: this user may not read or create it.
        """
        info = await read(self._connection, wanted)
        if info is None:
            if self._provision == "verify":
                raise ProvisionError(
                    f'{wanted} does not exist, and provision="verify" makes none. Make it with: {APPLY}'
                )
            info = await make(self._connection, wanted)
        self._judge(wanted, info, differences(wanted, info["config"]))
        return info

    async def ensure_stream(self, wanted: Stream) -> dict[str, Any] | None:
        """Ensure a stream as `ensure` does; return None if this user may not read it."""
        try:
            return await self.ensure(wanted)
        except PermissionDenied as error:
            log.debug("%s: %s", wanted, error)
            return None

    async def ensure_kept(self, wanted: Stream) -> None:
        """Check a stream that is created with its first message; raises as `ensure` does when it must exist."""
        if self._provision == "verify":
            await self.ensure_stream(wanted)
        else:
            await self.look_at(wanted)

    async def make_way(self, wanted: Stream) -> None:
        """Ensure the stream of a message that no stream answered; raises as `ensure` does.

        A service that creates nothing may lack the permission to read it, and the stream may be in an election.
        """
        if self._provision == "verify":
            await self.ensure_stream(wanted)
        else:
            await self.ensure(wanted)

    async def look_at(self, wanted: Stream, timeout: float | None = None) -> None:
        """Log problems of a stream that is in use, if it exists and this user may read it.

        Args:
            wanted: the stream.
            timeout: seconds for which `fire()` retries; None when no events are fired.
        """
        try:
            info = await read(self._connection, wanted)
            if info is not None:
                problems = differences(wanted, info["config"])
                short = window_difference(info["config"], timeout) if timeout is not None else None
                if short is not None:
                    problems = [
                        short,
                        *(difference for difference in problems if difference.setting != short.setting),
                    ]
                self._judge(wanted, info, problems)
        except ProvisionError as error:
            log.error("%s", error)
        except TransportError as error:
            log.debug("%s: %s", wanted, error)

    def _judge(self, wanted: Resource, info: dict[str, Any], problems: Sequence[Difference]) -> None:
        if any(difference.is_fatal for difference in problems):
            raise ProvisionError(describe(wanted, problems))
        warnings = weaknesses(wanted, info) if isinstance(wanted, Stream) else []
        if problems:
            warnings.append(describe(wanted, problems))
        for warning in warnings:
            if warning not in self._told:
                self._told.add(warning)
                log.warning("%s", warning)


async def read(connection: Connection, wanted: Resource) -> dict[str, Any] | None:
    """Return the server's information about a stream or durable, None when it does not exist."""
    try:
        return await connection.api(wanted.info)
    except ApiError as error:
        if error.err_code not in wanted.absent:
            raise
        return None


async def make(connection: Connection, wanted: Resource) -> dict[str, Any]:
    """Create a stream or durable and return its information, even if another client was faster.

    Raises:
        ProvisionError: the server refuses.
    """
    request = wanted.creation
    try:
        return await connection.api(request.operation, dict(request.body))
    except ApiError as error:
        if error.err_code in _EXISTS:
            return await connection.api(wanted.info)
        hint = ""
        if error.err_code == _OVERLAP:
            hint = ". See which with: nats stream ls. Use another prefix=, or remove its subject from the other stream"
        raise ProvisionError(f"{wanted} could not be made: {error.description}{hint}") from error


def describe(wanted: Resource, problems: Sequence[Difference]) -> str:
    """Describe the differences of a stream or durable, their harm, and how to remove them."""
    width = max(len(difference.setting) for difference in problems)
    lines = [f"{wanted} differs from the code:"]
    for difference in problems:
        harm = f": {difference.harm}" if difference.harm else ""
        lines.append(
            f"  {difference.setting:{width}}  is {difference.is_}, should be {difference.should_be}{harm}"
        )
    ways = {difference.way for difference in problems}
    if ways != {Way.BY_HAND}:
        lines.append(f"Show and apply that with: {APPLY}")
    if Way.BY_HAND in ways:
        lines.append(f"The server cannot change that. If nothing needs it, remove it with: {wanted.removal}")
    return "\n".join(lines)
