"""Firing: validate events, encode them, and publish them on the transport of the running event loop."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lightbus.bus.session import Session, Settings
from lightbus.errors import BatchFailed, EventTooLarge, PublishFailed, PublishUnknown, TransportError
from lightbus.event import envelope
from lightbus.event.ids import event_id
from lightbus.message import EventMessage
from lightbus.schema import EventContract
from lightbus.schema.payload.limits import Oversized
from lightbus.transport import Outgoing, PubAck, Transport

_LARGE = 1_000_000  # bytes of arguments, from which on the server's limit is asked for before they are read
_TURN = 256  # events that are validated before other tasks of the event loop get their turn
_TOGETHER = 64  # events that are written at once, so that the server has work while more are encoded
_LATE = 0.05  # seconds for a confirmation, after which the remaining ones are awaited side by side


class Firing:
    """Fires the events of a bus, on any event loop, whose session `session()` returns."""

    def __init__(self, settings: Settings, session: Callable[[], Session]) -> None:
        self._source = f"/{settings.service_name or 'lightbus'}"  # the CloudEvents attribute
        self._timeout, self._session = settings.timeout, session
        self._stored: set[str] = set()  # APIs whose stream has stored a batch

    async def fire(self, contract: EventContract, arguments: Mapping[str, object]) -> EventMessage:
        """Validate an event, store it, and return it once the server has confirmed it.

        Args:
            contract: the event's contract.
            arguments: values by wire name; UNSET counts as absent.
        """
        session = self._session()
        try:
            message, outgoing = self._encode(contract, arguments)
        except Oversized as oversized:
            message, result = await self._encode_large(session, contract, arguments, oversized.size)
            if isinstance(result, EventTooLarge):
                try:
                    raise result from None
                finally:
                    del result  # its traceback holds this frame
            outgoing = result
        return await self._publish(session, message, outgoing)

    async def fire_many(
        self, contract: EventContract, events: Iterable[Mapping[str, object]]
    ) -> list[EventMessage]:
        """Validate events, store them together, and return them once the server has confirmed each.

        Args:
            contract: the events' contract.
            events: the arguments of each, as in `fire`.
        """
        session = self._session()
        encoded: list[tuple[EventMessage, Outgoing | EventTooLarge]] = []
        for arguments in events:
            try:
                encoded.append(self._encode(contract, arguments))
            except Oversized as oversized:
                encoded.append(await self._encode_large(session, contract, arguments, oversized.size))
            if len(encoded) % _TURN == 0:
                await asyncio.sleep(0)
        transport = session.transport or await session.connected()
        everything = [outgoing for _, outgoing in encoded if isinstance(outgoing, Outgoing)]
        first_alone = contract.api not in self._stored
        results = await _publish_all(transport, everything, self._timeout, first_alone=first_alone)
        if None in results:
            self._stored.add(contract.api)
        rest = iter(results)
        errors = [next(rest) if isinstance(outgoing, Outgoing) else outgoing for _, outgoing in encoded]
        messages = [message for message, _ in encoded]
        failed = [(message, error) for message, error in zip(messages, errors, strict=True) if error]
        for message, error in failed:
            if isinstance(error, PublishUnknown):
                error.message = message
        if failed:
            raise BatchFailed(contract.full_name, messages, failed)
        return messages

    async def fire_again(self, contract: EventContract, message: EventMessage) -> EventMessage:
        """Store an event that was fired before, under its id, so that the server keeps it only once.

        A failure says nothing about an earlier attempt, so the outcome stays unknown.
        """
        session = self._session()
        data = contract.encode(contract.by_wire_name(message.kwargs))
        try:
            return await self._publish(session, message, _outgoing(contract, message, data))
        except PublishUnknown:
            raise
        except TransportError as error:
            reason = error.reason if isinstance(error, PublishFailed) else str(error)
            reason = f"this attempt failed: {reason}"
            unknown = PublishUnknown(contract.full_name, message.id, self._timeout, reason)
            unknown.message = message
            try:
                raise unknown from error
            finally:
                del unknown  # its traceback holds this frame

    async def _publish(self, session: Session, message: EventMessage, outgoing: Outgoing) -> EventMessage:
        transport = session.transport or await session.connected()
        try:
            await transport.publish(outgoing, timeout=self._timeout)
            return message
        except PublishUnknown as error:
            error.message = message
            raise

    def _encode(
        self, contract: EventContract, arguments: Mapping[str, object], most: float = _LARGE
    ) -> tuple[EventMessage, Outgoing]:
        """Validate an event and write it as bytes; raises `Oversized` if it is certainly larger than `most`."""
        data, values = contract.prepare(arguments, most)
        now = datetime.now(UTC)
        message = EventMessage(event_id(), contract.api, contract.event, values, now, self._source)
        return message, _outgoing(contract, message, data)

    async def _encode_large(
        self, session: Session, contract: EventContract, arguments: Mapping[str, object], size: int
    ) -> tuple[EventMessage, Outgoing | EventTooLarge]:
        """Validate and write an event of at least `size` bytes, if the server takes so many."""
        transport = session.transport or await session.connected()
        if size <= transport.largest:
            return self._encode(contract, arguments, math.inf)
        values, now = contract.by_python_name(arguments, arguments), datetime.now(UTC)
        message = EventMessage(event_id(), contract.api, contract.event, values, now, self._source)
        return message, EventTooLarge(contract.full_name, message.id, size, transport.largest)


def _outgoing(contract: EventContract, message: EventMessage, data: Mapping[str, Any]) -> Outgoing:
    body, headers = envelope.encode(message, data, dataschema=contract.uri)
    return Outgoing(contract.api, contract.event, message.id, body, headers)


async def _publish_all(
    transport: Transport, events: Sequence[Outgoing], timeout: float, *, first_alone: bool
) -> list[TransportError | None]:
    """Publish events in order, and wait until each is confirmed or has failed.

    Args:
        transport: a connected transport.
        events: what to store, in this order.
        timeout: seconds for each of them.
        first_alone: whether to wait for the first event before sending more. If there is no stream yet, the first
            publish creates it; the others would fail, and be retried out of order.

    Returns:
        Why each event was not confirmed, None for those that were.
    """
    waiting: deque[Coroutine[Any, Any, PubAck]] = deque()
    errors: list[TransportError | None] = []
    clock = asyncio.get_running_loop().time
    try:
        for number, event in enumerate(events):
            if number % _TOGETHER == 0:
                await transport.room()
            if number == 1 and first_alone:
                errors.append(await _error_of(waiting.popleft()))
            waiting.append(transport.publish(event, timeout=timeout))
        while waiting:
            began = clock()
            errors.append(await _error_of(waiting.popleft()))
            if clock() - began > _LATE:  # it may have been retried, and so may those behind it
                rest, waiting = waiting, deque()
                errors += await asyncio.gather(*map(_error_of, rest))
        return errors
    finally:
        for publishing in waiting:
            publishing.close()


async def _error_of(publishing: Coroutine[Any, Any, PubAck]) -> TransportError | None:
    try:
        await publishing
    except TransportError as error:
        return error
    return None
