"""Streams and durables when a bus needs them: made when missing or only verified, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightbus.errors import PermissionDenied, ProvisionError, TransportError
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.drift import Difference, Way, differences, weaknesses, window_difference
from lightbus.jetstream.streams.resources import Resource, Stream
from lightbus.logs import log
from lightbus.transport import Provision

_EXISTS = (
    10058,
    10148,
)  # error codes of the server: a stream, or a consumer, has that name and other settings
_OVERLAP = 10065  # another stream captures some of the subjects
APPLY = "lightbus apply --bus MODULE"


class Provisioner:
    """Sees to the streams and durables of one connection.

    Args:
        connection: a connection.
        provision: whether to make what is missing.
    """

    def __init__(self, connection: Connection, provision: Provision = "create") -> None:
        self._connection, self._provision = connection, provision
        self._told: set[str] = set()

    async def ensure(self, wanted: Resource) -> dict[str, Any]:
        """Return what the server tells of a stream or durable, made when missing if that is allowed.

        One that exists stays as it is; differences are logged, once each.

        Raises:
            ProvisionError: it is missing and may not be made, or the bus cannot keep its promises with it.
            PermissionDenied: this user may not look at it, or make it.
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
        """See to a stream that a service need not be allowed to look at; as `ensure` otherwise."""
        try:
            return await self.ensure(wanted)
        except PermissionDenied as error:
            log.debug("%s: %s", wanted, error)
            return None

    async def ensure_kept(self, wanted: Stream) -> None:
        """See to a stream that is made with its first message; raises as `ensure` does when it must exist."""
        if self._provision == "verify":
            await self.ensure_stream(wanted)
        else:
            await self.look_at(wanted)

    async def make_way(self, wanted: Stream) -> None:
        """See to the stream of a message that no stream has answered; raises as `ensure` does.

        A service that makes nothing need not be allowed to look, and its stream may be in an election.
        """
        if self._provision == "verify":
            await self.ensure_stream(wanted)
        else:
            await self.ensure(wanted)

    async def look_at(self, wanted: Stream, timeout: float | None = None) -> None:
        """Log what is wrong with a stream that is in use, if it is there and this user may look.

        Args:
            wanted: the stream.
            timeout: seconds `fire()` goes on, when events are fired.
        """
        try:
            info = await read(self._connection, wanted)
            if info is not None:
                found = differences(wanted, info["config"])
                short = window_difference(info["config"], timeout) if timeout is not None else None
                if short is not None:
                    found = [short, *(one for one in found if one.setting != short.setting)]
                self._judge(wanted, info, found)
        except ProvisionError as error:
            log.error("%s", error)
        except TransportError as error:
            log.debug("%s: %s", wanted, error)

    def _judge(self, wanted: Resource, info: dict[str, Any], found: Sequence[Difference]) -> None:
        if any(difference.is_fatal for difference in found):
            raise ProvisionError(describe(wanted, found))
        warnings = weaknesses(wanted, info) if isinstance(wanted, Stream) else []
        if found:
            warnings.append(describe(wanted, found))
        for warning in warnings:
            if warning not in self._told:
                self._told.add(warning)
                log.warning("%s", warning)


async def read(connection: Connection, wanted: Resource) -> dict[str, Any] | None:
    """Return what the server tells about a stream or durable, None when it does not exist."""
    try:
        return await connection.api(wanted.info)
    except ApiError as error:
        if error.err_code not in wanted.absent:
            raise
        return None


async def make(connection: Connection, wanted: Resource) -> dict[str, Any]:
    """Make a stream or durable and return what the server tells about it, also if another was faster.

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


def describe(wanted: Resource, found: Sequence[Difference]) -> str:
    """Write down in which settings a stream or durable differs, what that does, and how it goes away."""
    width = max(len(difference.setting) for difference in found)
    lines = [f"{wanted} differs from the code:"]
    for difference in found:
        harm = f": {difference.harm}" if difference.harm else ""
        lines.append(
            f"  {difference.setting:{width}}  is {difference.is_}, should be {difference.should_be}{harm}"
        )
    ways = {difference.way for difference in found}
    if ways != {Way.BY_HAND}:
        lines.append(f"Show and apply that with: {APPLY}")
    if Way.BY_HAND in ways:
        lines.append(f"The server cannot change that. If nothing needs it, remove it with: {wanted.removal}")
    return "\n".join(lines)
