"""nats-py's client, with the two ways that every event takes made short.

For a message that arrives, nats-py parses the headers, builds a `Msg`, and passes it through a queue to a task; for
one that leaves, it checks and joins the headers and wakes a task that writes. This took about two thirds of a
listener's time (measured on 2.16). Here a receiver gets a message as it comes off the wire, and a message leaves in
the one write of its turn of the event loop. Everything else (protocol, login, TLS, reconnect) is nats-py's.

What this and `parser` know of nats-py's inside: `_ps`, `_process_msg`, `_sid`, `_remove_sub`,
`_send_unsubscribe`, `_pending`, `_pending_data_size`, `_flush_pending`, `_flush_queue`, `_transport`; and of its parser
`state`, `buf`, `needed`. It may change with any version, so the dependency admits only those it was tested with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lightbus.jetstream.connection.fenced import FencedClient
from lightbus.jetstream.connection.message import Message
from lightbus.jetstream.connection.parser import EventParser
from lightbus.jetstream.connection.refusals import Refusals
from lightbus.logs import log

Receive = Callable[[Message], None]

# bytes that wait to be written; whoever has much more to send is to wait, see `room()`
_FULL = 2 * 1024 * 1024


class EventClient(FencedClient):
    """A NATS client that receives and sends without detours.

    Args:
        wants_tls: whether the connection must be encrypted.
        refusals: counts answers to requests that cannot be read.
    """

    def __init__(self, *, wants_tls: bool, refusals: Refusals) -> None:
        super().__init__(wants_tls=wants_tls)
        self._receivers: dict[int, Receive] = {}
        self._ps = EventParser(self, self._deliver)
        self._write_is_due = False
        self._refusals = refusals

    # -- receiving -----------------------------------------------------------------------------------

    async def receive(self, subject: str, receive: Receive) -> int:
        """Have a function called with each message of a subject, as soon as it is read; returns the subscription's id.

        The subscription is made again after each reconnect.
        """
        number = self._sid + 1  # of the next one; it is in place before the server can answer
        self._receivers[number] = receive
        await self.subscribe(subject)
        return number

    async def end(self, subscription: int) -> None:
        """End a subscription, once what is on its way has been received."""
        await self._send_unsubscribe(subscription)
        await self.flush()
        self._remove_sub(subscription)
        self._receivers.pop(subscription, None)

    def _deliver(self, number: int, subject: bytes, reply: bytes, header: bytes, body: bytes) -> bool:
        """Hand a message to its receiver; False when its subscription has none."""
        receive = self._receivers.get(number)
        if receive is None:
            return False
        try:
            receive(
                Message(subject.decode("utf-8", "replace"), reply.decode("utf-8", "replace"), header, body)
            )
        except Exception:  # raising would end nats-py's read loop
            log.exception("a defect while receiving from %r", subject)
        return True

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """Take a message that nats-py's own parser put together of its parts; see `parser`."""
        if self._deliver(sid, subject, reply, headers or b"", data):
            return
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except Exception as error:  # it raises for what is not UTF-8, which would end its read loop
            self._refusals.add(subject.decode("utf-8", "replace"), f"cannot be read: {error}")

    # -- sending -------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that more should wait; see `room()`."""
        return bool(self._pending_data_size > _FULL)

    async def room(self) -> None:
        """Wait until what was sent is on its way to the server, within nats-py's `flush_timeout`."""
        await self._flush_pending(force_flush=True)

    def send(self, subject: str, reply: str, header: bytes, body: bytes) -> None:
        """Send a message at the end of this turn of the event loop, together with all others of the turn.

        Args:
            subject, reply: literal subjects, which nobody checks here; no reply is "".
            header: the header block as bytes, see `message.header_block`; none is b"".
            body: the message.
        """
        if header:
            size = len(header)
            command = b"HPUB %b %d %d\r\n%b%b\r\n" % (
                f"{subject} {reply}".encode(),
                size,
                size + len(body),
                header,
                body,
            )
        else:
            command = b"PUB %b %d\r\n%b\r\n" % (f"{subject} {reply}".encode(), len(body), body)
        self._pending.append(command)
        self._pending_data_size += len(command)
        if not self._write_is_due:
            self._write_is_due = True
            asyncio.get_running_loop().call_soon(self._write)

    def _write(self) -> None:
        """Write what is pending in one go; where the socket is full, nats-py's flusher does, as fast as it empties."""
        self._write_is_due = False
        if self._transport is None or not self.is_connected or not self._pending:
            return  # nats-py sends what is pending after it has reconnected
        wire: Any = getattr(getattr(self._transport, "_io_writer", None), "transport", None)
        if wire is not None and wire.is_closing():
            return  # as above, only that nats-py does not know yet
        if wire is None or wire.get_write_buffer_size():
            if self._flush_queue is not None and self._flush_queue.empty():
                self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
            return
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        wire.writelines(pending)
