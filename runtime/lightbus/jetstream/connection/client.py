"""nats-py's client, with shortcuts for events in both directions, and observable health. Measured on nats-py 2.16.

For an incoming message, nats-py parses the headers, builds a `Msg`, and passes it through a queue to a task; for an
outgoing one, it checks and joins the headers and wakes a task that writes: about two thirds of a listener's time.
Here a receiver gets a message as it is read, and all messages of one turn of the event loop leave in one write.
Everything else (protocol, login, TLS, reconnect) is nats-py's.

nats-py can stop silently: its read loop ends on an unexpected exception while it reports itself connected, a reconnect
waits for a dead connection to take the remaining bytes, and its reconnect task can end early. And it uses TLS only if
the server demands it: `tls://` to a server without TLS connects in clear text.

Private names of nats-py that are used here: `_ps`, `_process_msg`, `_sid`, `_remove_sub`, `_send_unsubscribe`, `_pending`,
`_pending_data_size`, `_flush_pending`, `_flush_queue`, `_transport`, `_connect_command`, `_connect_to_server`,
`_current_server`, `_server_pool`, `_reading_task`, `_reconnection_task`, `_resp_sub_prefix`; of its parser `state`, `buf`, `needed`; and of
asyncio's streams `_protocol`, `_over_ssl`.
They may change with any version, so the dependency admits only versions it was tested with.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from lightbus.jetstream.connection.refusals import Refusals
from lightbus.jetstream.connection.wire import Message
from lightbus.logs import log

Receive = Callable[[Message], None]

_FULL = 2 * 1024 * 1024  # bytes waiting to be written, beyond which senders should call `room()`


class EventClient(Client):
    """A NATS client with shortcuts for events, that encrypts when asked to, and whose health can be observed.

    Args:
        wants_tls: whether the connection must be encrypted.
        refusals: counts answers to requests that cannot be read.
    """

    def __init__(self, *, wants_tls: bool, refusals: Refusals) -> None:
        super().__init__()
        self._wants_tls = wants_tls
        self._receivers: dict[int, Receive] = {}
        self._ps = EventParser(self, self._deliver)
        self._write_is_due = False
        self._refusals = refusals

    # -- receiving -----------------------------------------------------------------------------------

    async def receive(self, subject: str, receive: Receive) -> int:
        """Call a function with each message of a subject as soon as it is read; return the subscription's id.

        nats-py subscribes again after each reconnect.
        """
        number = self._sid + 1  # of the next subscription; registered before the server can answer
        self._receivers[number] = receive
        await self.subscribe(subject)
        return number

    async def end(self, subscription: int) -> None:
        """End a subscription after the messages on their way have been received."""
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
            log.exception("unexpected error while receiving from %s", subject.decode("utf-8", "replace"))
        return True

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        """Process a message that nats-py's own parser assembled; see `EventParser`."""
        if self._deliver(sid, subject, reply, headers or b"", data):
            return
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except Exception as error:  # it raises for text that is not UTF-8, which would end its read loop
            self._refusals.add(subject.decode("utf-8", "replace"), f"cannot be read: {error}")

    # -- sending -------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be written that the sender should call `room()`."""
        return bool(self._pending_data_size > _FULL)

    async def room(self) -> None:
        """Wait until sent messages are on their way to the server, within nats-py's `flush_timeout`."""
        await self._flush_pending(force_flush=True)

    def send(self, subject: str, reply: str, header: bytes, body: bytes) -> None:
        """Send a message at the end of this turn of the event loop, in one write with all others of the turn.

        Args:
            subject, reply: literal subjects, unchecked; no reply is "".
            header: the header block as bytes, see `wire.header_block`; none is b"".
            body: the message body.
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
        """Write everything pending at once; when the socket is full, leave it to nats-py's flusher."""
        self._write_is_due = False
        if self._transport is None or not self.is_connected or not self._pending:
            return  # nats-py sends pending messages after it reconnects
        wire: Any = getattr(self._writer, "transport", None)
        if wire is not None and wire.is_closing():
            return  # as above; nats-py has not noticed yet
        if wire is None or wire.get_write_buffer_size():
            if self._flush_queue is not None and self._flush_queue.empty():
                self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())
            return
        pending, self._pending, self._pending_data_size = self._pending, [], 0
        wire.writelines(pending)

    # -- supervision ---------------------------------------------------------------------------------

    def _connect_command(self) -> bytes:
        is_encrypted = self._wire("ssl_object") is not None
        if self._wants_tls and not is_encrypted:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "TLS was asked for, and the server does not offer it")
        if is_encrypted:  # nats-py leaves this to asyncio, which would warn each time the server hangs up
            self._writer._protocol._over_ssl = True
        return super()._connect_command()

    async def _connect_to_server(self, *arguments: Any, **options: Any) -> None:
        self.abort()  # an attempt that the server rejected leaves its socket open
        await super()._connect_to_server(*arguments, **options)

    def _wire(self, name: str) -> Any:
        """Return a property of the connection from asyncio, None without a connection."""
        writer = self._writer
        return None if writer is None else writer.get_extra_info(name)

    @property
    def _writer(self) -> Any:
        return getattr(self._transport, "_io_writer", None)

    @property
    def server(self) -> str:
        """Host and port of the current or last server."""
        return "" if self._current_server is None else self._current_server.uri.netloc

    @property
    def answers(self) -> str:
        """The subject to which answers to requests come, "" before the first request."""
        return f"{self._resp_sub_prefix.decode()}*" if self._resp_sub_prefix else ""

    @property
    def knows_other_servers(self) -> bool:
        """Whether there is more than one server, configured or discovered."""
        return len(self._server_pool) > 1

    @property
    def is_deaf(self) -> bool:
        """Whether it reports itself connected and no longer reads."""
        return self.is_connected and self._reading_task is not None and self._reading_task.done()

    @property
    def has_given_up(self) -> bool:
        """Whether it will never reconnect."""
        reconnecting: asyncio.Task[None] | None = self._reconnection_task
        return self.is_closed or (not self.is_connected and reconnecting is not None and reconnecting.done())

    def abort(self) -> None:
        """Drop the TCP connection and its unsent bytes, so that nothing waits for it."""
        if self._writer is not None:
            self._writer.transport.abort()

    def limit_unacknowledged_time(self, seconds: float) -> None:
        """Make the kernel drop a peer that does not acknowledge bytes; otherwise it waits about 15 minutes."""
        raw = self._wire("socket")
        if raw is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))


class EventParser(Parser):
    """nats-py's parser, with a shortcut for messages that are completely in the buffer.

    nats-py tries up to seven regular expressions on a message's first line, copies it out of a `bytearray`, and awaits
    a coroutine for it: half of the cost of receiving (measured on 2.16). Here the message is cut out of the bytes that
    were read. Everything else (an incomplete message, another operation) goes to nats-py's parser, exactly those bytes
    and no more. Source: the NATS client protocol.

    Args:
        client: the nats-py client, which processes the messages that `deliver` does not take.
        deliver: takes a message (subscription, subject, reply, header block, body), or returns False.
    """

    def __init__(self, client: Any, deliver: Callable[[int, bytes, bytes, bytes, bytes], bool]) -> None:
        super().__init__(client)
        self._client, self._deliver = client, deliver

    async def parse(self, data: bytes = b"") -> None:
        """Parse bytes that were read from the socket."""
        if self.state != AWAITING_CONTROL_LINE:  # the rest of a message that began in the bytes before
            missing = self.needed + 2 - len(self.buf)
            await super().parse(data[:missing])
            data = data[missing:]
        elif self.buf:
            data = bytes(self.buf) + data
            self.buf.clear()
        position = 0
        while (end := data.find(b"\r\n", position)) >= 0:
            line = data[position:end].split()
            start = end + 2
            try:
                operation = line[0] if line else b""
                if operation == b"MSG":
                    headed, reply = start, line[3] if len(line) == 5 else b""
                elif operation == b"HMSG":
                    headed, reply = start + int(line[-2]), line[3] if len(line) == 6 else b""
                else:
                    await super().parse(data[position:start])
                    position = start
                    continue
                number, stop = int(line[2]), start + int(line[-1])
            except (ValueError, IndexError) as error:
                raise ProtocolError("nats: malformed message") from error
            if not start <= headed <= stop:
                raise ProtocolError("nats: malformed message")
            if len(data) < stop + 2:
                break
            position = stop + 2
            header, body = data[start:headed], data[headed:stop]
            if not self._deliver(number, line[1], reply, header, body):
                await self._client._process_msg(number, line[1], reply, body, header or None)
        if position < len(data):
            await super().parse(data[position:])


async def bounded(work: Coroutine[Any, Any, object], seconds: float) -> bool:
    """Wait for nats-py for a limited time, and return whether it finished.

    The wait is bounded even if nats-py swallows its cancellation.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        is_done = task.done() or not task.cancel()
    if not is_done:
        return False
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("nats: %s", error)
    return True
