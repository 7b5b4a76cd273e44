"""Ensures that streams and durables exist: creates or only verifies them; never changes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightbus.errors import PermissionDenied, ProvisionError, TransportError
from lightbus.jetstream.connection.connection import ApiError, Connection
from lightbus.jetstream.streams.drift import Difference, Way, differences, weaknesses, window_difference
from lightbus.jetstream.streams.resources import Durable, Resource, Stream
from lightbus.logs import log
from lightbus.transport import Provision

_EXISTS = (10058, 10148)  # error codes of the server: a stream or consumer of that name has other settings
_OVERLAP = 10065  # another stream captures some of the subjects
APPLY = "lightbus apply --bus MODULE"


class Provisioner:
    """Ensures the streams and durables of one connection.

    Args:
        provision: whether to create missing ones.

    Attributes:
        creates: whether it creates missing ones.
    """

    def __init__(self, connection: Connection, provision: Provision = "create") -> None:
        self._connection, self._provision = connection, provision
        self.creates = provision == "create"
        self._logged: set[str] = set()

    async def ensure(self, resource: Resource) -> dict[str, Any]:
        """Return the server's information about a stream or durable; create it if missing and allowed.

        One that exists stays as it is; each difference is logged once.

        Raises:
            ProvisionError: it is missing and may not be created, or its settings would lose events.
            PermissionDenied: this user may not read or create it.
        """
        info = await self._connection.lookup(resource.info, absent=resource.absent)
        if info is None:
            if self._provision == "verify":
                raise ProvisionError(
                    f'{resource} does not exist, and provision="verify" creates nothing. Create it with: {APPLY}'
                )
            info = await create(self._connection, resource)
        self._judge(resource, info, differences(resource, info["config"]))
        return info

    async def ensure_stream(self, stream: Stream) -> dict[str, Any] | None:
        """Ensure a stream as `ensure` does; return None if this user may not read it."""
        try:
            return await self.ensure(stream)
        except PermissionDenied as error:
            log.debug("%s: %s", stream, error)
            return None

    async def ensure_or_check(self, stream: Stream) -> None:
        """Ensure a stream if it must exist already, raising as `ensure` does; else check it: its first message creates it."""
        if self._provision == "verify":
            await self.ensure_stream(stream)
        else:
            await self.check(stream)

    async def ensure_on_demand(self, stream: Stream) -> None:
        """Ensure the stream of a message that no stream took; raises as `ensure` does.

        A service that creates nothing may lack the permission to read it, and the stream may be in an election.
        """
        if self._provision == "verify":
            await self.ensure_stream(stream)
        else:
            await self.ensure(stream)

    async def check(self, stream: Stream, timeout: float | None = None) -> None:
        """Log problems of a stream that is in use, if it exists and this user may read it.

        Args:
            timeout: seconds for which `fire()` retries; None when no events are fired.
        """
        try:
            info = await self._connection.lookup(stream.info, absent=stream.absent)
            if info is not None:
                problems = differences(stream, info["config"])
                window = window_difference(info["config"], timeout) if timeout is not None else None
                if window is not None:
                    problems = [
                        window,
                        *(problem for problem in problems if problem.setting != window.setting),
                    ]
                self._judge(stream, info, problems)
        except ProvisionError as error:
            log.error("%s", error)
        except TransportError as error:
            log.debug("%s: %s", stream, error)

    def _judge(self, resource: Resource, info: dict[str, Any], problems: Sequence[Difference]) -> None:
        if any(difference.is_fatal for difference in problems):
            raise ProvisionError(describe(resource, problems))
        warnings = weaknesses(resource, info) if isinstance(resource, Stream) else []
        if problems:
            warnings.append(describe(resource, problems))
        for warning in warnings:
            if warning not in self._logged:
                self._logged.add(warning)
                log.warning("%s", warning)


async def create(connection: Connection, resource: Resource) -> dict[str, Any]:
    """Create a stream or durable and return its information, even if another client created it first.

    Log how many stored events a new durable begins with.

    Raises:
        ProvisionError: the server refuses.
    """
    try:
        info = await connection.api(*resource.creation)
        if isinstance(resource, Durable) and (stored := info.get("num_pending", 0)):
            log.info(
                '%s is new and begins with %s. listen(since="now") would begin with later ones. If its'
                " listener was renamed, the former durable has handled them, and is still there: see lightbus status",
                *(resource, f"{stored:,} stored event{'s' * (stored != 1)}"),
            )
        return info
    except ApiError as error:
        if error.err_code in _EXISTS:
            return await connection.api(resource.info)
        hint = ""
        if error.err_code == _OVERLAP:
            hint = ". See which with: nats stream ls. Use another prefix=, or remove its subject from the other stream"
        raise ProvisionError(f"{resource} could not be created: {error.description}{hint}") from error


def describe(resource: Resource, problems: Sequence[Difference]) -> str:
    """Describe the differences of a stream or durable, their harm, and how to remove them."""
    width = max(len(difference.setting) for difference in problems)
    lines = [f"{resource} differs from the code:"]
    for difference in problems:
        harm = f": {difference.harm}" if difference.harm else ""
        lines.append(
            f"  {difference.setting:{width}}  is {difference.is_}, should be {difference.should_be}{harm}"
        )
    ways = {difference.way for difference in problems}
    if ways != {Way.BY_HAND}:
        lines.append(f"Show and apply that with: {APPLY}")
    if Way.BY_HAND in ways:
        lines.append(
            f"The server cannot change that. If nothing needs it, remove it with: {resource.removal}"
        )
    return "\n".join(lines)
