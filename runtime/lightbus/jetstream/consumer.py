"""Consuming with our own pull loop (ADR-37): one inbox, raw pull requests, heartbeats, pulls again after a break.

nats-py's `fetch` sleeps through a server restart, hides a deleted consumer and ignores missed heartbeats
(measured on 2.16); here each of these ends or renews the pull at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from nats.aio.msg import Msg

from lightbus.deadletter import Failure, Letter, first_letter
from lightbus.errors import ConsumerLost, PermissionDenied, TransportError
from lightbus.jetstream.connection import ApiError, Connection
from lightbus.jetstream.deadletters import JetStreamDeadLetters
from lightbus.jetstream.provision import CONSUMER_NOT_FOUND, STREAM_NOT_FOUND
from lightbus.logs import log
from lightbus.naming import Place

_MISSED = 2.5  # heartbeats without any message after which the pull counts as lost
_PAUSE = 0.5  # seconds until a pull that was refused is made again
_CONFIRMATION = 10.0  # seconds for the server to confirm that an event has ended
_NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_GONE = ("consumer deleted", "consumer is push based", "stream not found", "consumer not found")


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a pull waits.

    Attributes:
        expires: seconds a pull request stays on the server.
        heartbeat: seconds between signs of life meanwhile.
    """

    expires: float
    heartbeat: float


EVENTS = Pace(30.0, 5.0)


class PullSubscription:
    """A worker's share of a durable; see `lightbus.transport.Subscription`.

    Asks the server for as many events as there are `take()`s waiting, so that no event waits here while another
    worker is idle. After a break it may get some twice over; those wait in the buffer.

    Args:
        connection: a connected connection.
        dead_letters: where events go that were given up.
        stream: name of the stream.
        durable: name of the durable.
        ack_wait: the durable's own ack_wait, in seconds.
        pace: how long pulls wait.
    """

    def __init__(
        self,
        connection: Connection,
        dead_letters: JetStreamDeadLetters,
        *,
        stream: str,
        durable: str,
        ack_wait: float,
        pace: Pace = EVENTS,
    ) -> None:
        self._connection, self.dead_letters = connection, dead_letters
        self.stream, self.durable, self.ack_wait = stream, durable, ack_wait
        self._pace = pace
        self._inbox = connection.new_inbox()
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._waiting: deque[asyncio.Future[PullDelivery | None]] = deque()
        self._buffer: deque[PullDelivery] = deque()
        self._asked = 0  # events the server still owes us
        self._pull_number = 0  # of the pulls that count; news of older ones is ignored
        self._heard = 0.0  # loop time of the last sign of life
        self._error: TransportError | None = None
        self._closed = False
        self._demand = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._end: Any = None

    async def start(self) -> None:
        """Subscribe the inbox and begin to pull."""
        self._end = await self._connection.subscribe(f"{self._inbox}.*", self._received)
        self._connection.when_down(self._start_over)
        self._connection.when_up(self._demand.set)
        self._connection.when_denied(self._denied)
        self._tasks = {
            asyncio.create_task(self._pull(), name=f"{self.durable}/pull"),
            asyncio.create_task(self._watch(), name=f"{self.durable}/watch"),
        }

    @property
    def buffered(self) -> Collection[PullDelivery]:
        """Events that have arrived and were not taken yet."""
        return self._buffer

    async def take(self) -> PullDelivery | None:
        """Wait for the next event; see `Subscription.take`."""
        if self._error is not None:
            raise self._error
        if self._closed:
            return None
        if self._buffer:
            return self._buffer.popleft()
        future: asyncio.Future[PullDelivery | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._demand.set()
        try:
            return await future
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._waiting.remove(future)
            if future.done() and not future.cancelled() and (delivery := future.result()) is not None:
                self._buffer.appendleft(delivery)
            raise

    async def close(self) -> None:
        """Stop pulling, then give back what nobody took; see `Subscription.close`."""
        if self._closed:
            return
        self._closed = True
        self._connection.forget(self._start_over, self._demand.set, self._denied)
        if tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
        if self._end is not None:
            await self._end()  # what is on its way arrives in the buffer
        while self._buffer:
            delivery = self._buffer.popleft()
            try:
                await delivery.retry(0)
            except TransportError as error:
                log.debug("%s: an unhandled event returns after ack_wait: %s", self.durable, error)

    # -- pulling -----------------------------------------------------------------------------------

    async def _pull(self) -> None:
        """Keep as many events asked for as there are free slots."""
        while True:
            await self._demand.wait()
            self._demand.clear()
            missing = len(self._waiting) - self._asked
            if missing <= 0 or not await self._connection.ready(self._pace.expires):
                continue
            request = {
                "batch": missing,
                "expires": int(self._pace.expires * _NANOSECONDS),
                "idle_heartbeat": int(self._pace.heartbeat * _NANOSECONDS),
            }
            self._asked += missing
            self._heard = asyncio.get_running_loop().time()
            try:
                reply = f"{self._inbox}.{self._pull_number}"
                await self._connection.publish(self._next, msgspec.json.encode(request), reply=reply)
            except TransportError as error:
                log.debug("%s: %s", self.durable, error)
                self._start_over()
                await asyncio.sleep(_PAUSE)
                self._demand.set()

    async def _watch(self) -> None:
        """Pull again when the server has fallen silent on a waiting pull."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._pace.heartbeat / 2)
            silent = loop.time() - self._heard
            if self._asked and silent > self._pace.heartbeat * _MISSED and await self._connection.ready(0):
                log.warning("%s: no heartbeat for %.0f s, pulling again", self.durable, silent)
                self._start_over()
                self._demand.set()

    async def _look_into(self, trouble: str) -> None:
        """A pull was refused: the durable is gone, or it cannot be served for a moment (ADR-22)."""
        log.debug("%s: %s", self.durable, trouble)
        try:
            await self._connection.api(f"CONSUMER.INFO.{self.stream}.{self.durable}")
        except ApiError as error:
            if error.err_code in (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND):
                self._fail(ConsumerLost(f"durable {self.durable!r} of stream {self.stream!r} does not exist"))
                return
        except TransportError as error:
            log.debug("%s: %s", self.durable, error)
        await asyncio.sleep(_PAUSE)
        self._demand.set()

    def _start_over(self) -> None:
        """Forget what was asked for; what still comes of it is kept in the buffer."""
        self._pull_number += 1
        self._asked = 0

    def _received(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        if message.reply.startswith("$JS.ACK."):
            self._arrived(self._delivery(message))
            return
        headers = message.headers or {}
        status, text = headers.get("Status", ""), headers.get("Description", "")
        if status == "100" or message.subject != f"{self._inbox}.{self._pull_number}":
            return  # a heartbeat, or news of a pull that was given up
        if status == "408" and "Nats-Pending-Messages" in headers:  # expired; these will not come
            self._asked = max(0, self._asked - int(headers["Nats-Pending-Messages"]))
            self._demand.set()
        elif status == "409" and text.lower() in _GONE:
            where = f"durable {self.durable!r} of stream {self.stream!r}"
            self._fail(ConsumerLost(f"{where} was removed on the server ({text})"))
        elif status in ("400", "423") or text.lower().startswith("exceeded maxrequest"):
            self._fail(TransportError(f"the server refuses to deliver to {self.durable!r}: {status} {text}"))
        else:  # 503 nobody there, 409 leadership change, server shutdown or too many waiting pulls
            self._start_over()
            task = asyncio.create_task(self._look_into(f"{status} {text}"), name=f"{self.durable}/check")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _delivery(self, message: Msg) -> PullDelivery:
        return PullDelivery(message, self)

    def _arrived(self, delivery: PullDelivery) -> None:
        self._asked = max(0, self._asked - 1)
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(delivery)
                return
        self._buffer.append(delivery)

    def _denied(self, action: str, subject: str) -> None:
        if (action, subject) == ("publish", self._next.lower()):
            self._fail(PermissionDenied(self._next, "publishing to"))
        elif (action, subject) == ("subscription", f"{self._inbox}.*".lower()):
            self._fail(PermissionDenied(f"{self._inbox}.*", "subscribing to"))

    def _fail(self, error: TransportError) -> None:
        self._error = error
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    # -- for deliveries ------------------------------------------------------------------------------

    async def send(self, reply: str, body: bytes) -> None:
        """Send an acknowledgement of any kind."""
        await self._connection.publish(reply, body)

    async def confirm(self, reply: str, body: bytes) -> None:
        """Send an acknowledgement of any kind, and wait until the server has it.

        Raises:
            TransportError: it did not say so in time.
        """
        await self._connection.request(reply, body, _CONFIRMATION)


class PullDelivery:
    """One delivery; see `lightbus.transport.Delivery`."""

    __slots__ = (
        "_subscription",
        "attempt",
        "body",
        "headers",
        "replay_of",
        "reply",
        "sequence",
        "subject",
        "time",
    )

    def __init__(self, message: Msg, subscription: PullSubscription) -> None:
        self._subscription = subscription
        self.subject: str = message.subject
        self.body: bytes = message.data
        self.headers: Mapping[str, str] = message.headers or {}
        self.reply: str = message.reply
        # $JS.ACK.<stream>.<durable>.<attempt>.<sequence>.<delivered>.<time>.<left>, or the longer second form
        # with a domain and account before the stream (ADR-15)
        tokens = message.reply.split(".")
        first = 4 if len(tokens) == 9 else 6
        self.replay_of = 0
        self.attempt = int(tokens[first])
        self.sequence = int(tokens[first + 1])
        self.time = _EPOCH + timedelta(microseconds=int(tokens[first + 3]) // 1000)

    async def ack(self) -> None:
        """Settle: the event is done."""
        await self._subscription.send(self.reply, b"+ACK")

    async def retry(self, after: float) -> None:
        """Settle: deliver the event again later."""
        delay = f'-NAK {{"delay": {int(after * _NANOSECONDS)}}}' if after > 0 else "-NAK"
        await self._subscription.send(self.reply, delay.encode())

    async def dead_letter(self, failure: Failure) -> None:
        """Settle: copy the event to the dead letters, wait for the confirmation, then end it on the stream."""
        await self._subscription.dead_letters.keep(self._letter(failure))
        await self._subscription.confirm(self.reply, f"+TERM {failure.reason}".encode())

    def _letter(self, failure: Failure) -> Letter:
        stream, durable = self._subscription.stream, self._subscription.durable
        place = Place(stream, durable, self.sequence, self.time)
        return first_letter(
            *(place, self.subject, self.headers, self.body),
            attempts=self.attempt,
            failure=failure,
            now=datetime.now(UTC),
        )

    async def in_progress(self) -> None:
        """Restart the event's `ack_wait`."""
        await self._subscription.send(self.reply, b"+WPI")
