"""Consuming with our own pulls (ADR-37): overlapping requests, heartbeats, a new pull after a break.

nats-py's `fetch` stalls over a server restart, hides a deleted consumer and ignores missed heartbeats (measured on
2.16); here each of these ends or renews the pull at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from lightbus.errors import ConsumerLost, TransportError
from lightbus.jetstream.connection.connection import Connection
from lightbus.jetstream.connection.refusals import Refusals
from lightbus.jetstream.connection.wire import Message
from lightbus.jetstream.consuming.delivery import Origin, Origins
from lightbus.jetstream.streams.resources import CONSUMER_NOT_FOUND, NANOSECONDS, STREAM_NOT_FOUND
from lightbus.logs import log
from lightbus.transport import Delivery

_MISSED = 2.5  # heartbeats of silence after which the pull counts as lost
_PAUSE = 0.5  # seconds before a refused pull is repeated
_PULL = b'{"batch": %d, "expires": %d, "idle_heartbeat": %d}'
_STATUS, _COUNT = re.compile("[0-9]{3}"), re.compile("[0-9]{1,9}")
_GONE = ("consumer deleted", "consumer is push based", "stream not found", "consumer not found")


@dataclass(frozen=True, slots=True)
class Pace:
    """The timing of pulls.

    Attributes:
        expires: seconds a pull request stays on the server.
        heartbeat: seconds between the server's heartbeats.
    """

    expires: float
    heartbeat: float


EVENTS = Pace(30.0, 5.0)
REPLAYS = Pace(300.0, 30.0)  # longer, because replays are rare and every listener waits for them

Deliver: TypeAlias = Callable[[Message, Origin], Delivery | None]
"""Turns a message into a delivery; None for a message in the stream of replays that is not a replay."""


class PullSubscription:
    """A worker's share of a durable; see `lightbus.transport.Subscription`.

    Keeps one event requested for each waiting `take()`, and `ahead` more. These are requested half at a time, so that the
    next request is on its way while the last one is being served. After a break some events may arrive twice; they
    wait in the buffer.

    Args:
        deliver: turns a message into a delivery.
        ack_wait: the durable's own ack_wait, in seconds.

    Attributes:
        refusals: messages to the inbox that are neither deliveries of the durable nor statuses of the server.
    """

    def __init__(
        self,
        connection: Connection,
        deliver: Deliver,
        *,
        stream: str,
        durable: str,
        ack_wait: float,
        pace: Pace = EVENTS,
    ) -> None:
        self._connection, self._deliver = connection, deliver
        self.stream, self.durable, self.ack_wait = stream, durable, ack_wait
        self.ahead = 0
        self.refusals = Refusals(durable)
        self._origins = Origins(stream, durable)
        self._pace = pace
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"
        self._waiting: deque[asyncio.Future[Delivery | None]] = deque()
        self._buffer: deque[Delivery] = deque()
        self._requested = 0  # events that were requested and have not arrived
        self._is_pull_planned = False
        self._inbox, self._reply = "", ""
        # Round of pulls: the last token of their reply subject. Statuses of older rounds are ignored.
        self._round = 0
        self._heard = 0.0  # loop time of the last message
        self._error: TransportError | None = None
        self._closed = False
        self._pause: asyncio.TimerHandle | None = None  # no pull before it ends
        self._tasks: set[asyncio.Task[None]] = set()
        self._end: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._loop = asyncio.get_running_loop()

    async def start(self) -> None:
        """Subscribe an inbox and begin to pull."""
        await self._open()
        self._connection.when_down(self._forget_pulls)
        self._connection.when_up(self._pull)
        self._connection.when_denied(self._denied)
        self._start_task(self._watch())

    @property
    def buffered(self) -> Collection[Delivery]:
        """Events that have arrived and were not taken yet."""
        return self._buffer

    def next(self) -> Delivery | None:
        """Return the next event if it is buffered; see `Subscription.next`."""
        if not self._buffer or self._closed or self._error is not None:
            return None
        delivery = self._buffer.popleft()
        if (self._requested + len(self._buffer)) * 2 <= self.ahead:
            self._pull()
        return delivery

    async def take(self) -> Delivery | None:
        """Wait for the next event; see `Subscription.take`."""
        if self._error is not None:
            raise self._error
        if self._closed:
            return None
        if self._buffer:
            return self.next()
        future: asyncio.Future[Delivery | None] = self._loop.create_future()
        self._waiting.append(future)
        if not self._is_pull_planned:
            self._is_pull_planned = True
            self._loop.call_soon(self._pull_for_turn)
        try:
            return await future
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._waiting.remove(future)
            if future.done() and not future.cancelled() and (delivery := future.result()) is not None:
                self._buffer.appendleft(delivery)
            raise

    async def shed(self, may_go: Callable[[Delivery], bool]) -> None:
        """Give back buffered events; see `Subscription.shed`."""
        self.ahead = 0
        end, deliveries = self._end, tuple(filter(may_go, self._buffer))
        await self._open()  # pulls end with the old inbox, otherwise events that are given back would return
        self._pull()
        if end is not None:
            await end()
        for delivery in deliveries:
            if delivery in self._buffer:
                self._buffer.remove(delivery)
                await self._give_back(delivery)

    async def close(self) -> None:
        """Stop pulling, then give back buffered events; see `Subscription.close`."""
        if self._closed:
            return
        self._closed = True
        self._connection.forget(self._forget_pulls, self._pull, self._denied)
        if self._pause is not None:
            self._pause.cancel()
        if tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
        if self._end is not None:
            await self._end()  # events on their way arrive in the buffer
        while self._buffer:
            await self._give_back(self._buffer.popleft())

    async def _give_back(self, delivery: Delivery) -> None:
        try:
            await delivery.retry(0)
        except TransportError as error:
            log.debug("%s: an unhandled event returns after ack_wait: %s", self.durable, error)

    # -- pulling -----------------------------------------------------------------------------------

    async def _open(self) -> None:
        """Subscribe to a fresh inbox for answers to pulls."""
        inbox = self._connection.new_inbox()
        self._end = await self._connection.subscribe(f"{inbox}.*", self._received)
        self._inbox = inbox
        self._forget_pulls()

    def _pull_for_turn(self) -> None:
        """Pull once for all slots that began to wait in a turn of the event loop: the server takes 512 pulls for a durable."""
        self._is_pull_planned = False
        self._pull()

    def _pull(self) -> None:
        """Request the missing events, if the connection is up."""
        missing = len(self._waiting) + self.ahead - len(self._buffer) - self._requested
        is_enough = self._requested >= len(self._waiting) and missing * 2 < self.ahead
        if missing <= 0 or is_enough or self._pause is not None or self._closed or self._error is not None:
            return
        request = _PULL % (missing, self._pace.expires * NANOSECONDS, self._pace.heartbeat * NANOSECONDS)
        try:
            self._connection.send(self._next, request, reply=self._reply)
        except TransportError:
            return  # `when_up` pulls again
        if not self._requested:
            self._heard = self._loop.time()
        self._requested += missing

    def _forget_pulls(self) -> None:
        """Forget outstanding requests; events that still arrive are kept in the buffer."""
        self._requested = 0
        self._round += 1
        self._reply = f"{self._inbox}.{self._round}"

    def _pull_later(self) -> None:
        """Pull again after a pause."""

        def over() -> None:
            self._pause = None
            self._pull()

        if self._pause is None and not self._closed:
            self._pause = self._loop.call_later(_PAUSE, over)

    async def _watch(self) -> None:
        """Pull again when the server is silent on a waiting pull."""
        while True:
            await asyncio.sleep(self._pace.heartbeat / 2)
            silent = self._loop.time() - self._heard
            if self._requested and silent > self._pace.heartbeat * _MISSED and self._connection.is_up:
                log.warning("%s: no heartbeat for %.0f s, pulling again", self.durable, silent)
                self._forget_pulls()
                self._pull()

    async def _diagnose(self, trouble: str) -> None:
        """Determine why a pull was refused: the durable is gone, or unavailable for a moment (ADR-22)."""
        log.debug("%s: %s", self.durable, trouble)
        operation = f"CONSUMER.INFO.{self.stream}.{self.durable}"
        absent = (CONSUMER_NOT_FOUND, STREAM_NOT_FOUND)
        try:
            if await self._connection.lookup(operation, absent=absent) is None:
                self._fail(ConsumerLost(f"durable {self.durable!r} of stream {self.stream!r} does not exist"))
        except TransportError as error:
            log.debug("%s: %s", self.durable, error)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.durable}/pull")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _received(self, message: Message) -> None:
        if message.reply:
            origin = self._origins.read(message.reply)
            if origin is None:
                self.refusals.add(message.subject, f"is not a delivery of {self.durable!r}")
                return
            self._heard = self._loop.time()
            delivery = self._deliver(message, origin)
            if delivery is None:
                self._refuse(message)
            else:
                self._arrived(delivery)
            return
        status, text = message.status
        if not _STATUS.fullmatch(status):
            self.refusals.add(message.subject, "is neither an event nor a status")
            return
        self._heard = self._loop.time()
        if status == "100" or message.subject != self._reply:
            return  # a heartbeat, or the status of an older pull
        pending = message.headers.get("Nats-Pending-Messages", "")
        if status == "408" and _COUNT.fullmatch(pending):  # expired; these will not arrive
            self._requested = max(0, self._requested - int(pending))
            self._pull()
        elif status == "409" and text.lower() in _GONE:
            where = f"durable {self.durable!r} of stream {self.stream!r}"
            self._fail(ConsumerLost(f"{where} was removed on the server ({text})"))
        elif status in ("400", "423") or text.lower().startswith("exceeded maxrequest"):
            self._fail(TransportError(f"the server refuses to deliver to {self.durable!r}: {status} {text}"))
        else:  # 503 no responders, 409 leadership change, server shutdown or too many waiting pulls
            self._forget_pulls()
            self._pull_later()
            self._start_task(self._diagnose(f"{status} {text}"))

    def _refuse(self, message: Message) -> None:
        """End a message in the stream of replays that is not a replay; otherwise it would be delivered forever."""
        self.refusals.add(message.subject, "is not a replay of a dead letter")
        with contextlib.suppress(TransportError):
            self._connection.send(message.reply, b"+TERM it is not a replay of a dead letter")
        self._requested = max(0, self._requested - 1)
        self._pull()

    def _arrived(self, delivery: Delivery) -> None:
        if self._requested:
            self._requested -= 1
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(delivery)
                return
        self._buffer.append(delivery)

    def _denied(self, action: str, subject: str) -> None:
        if (action, subject) == ("publish", self._next.lower()):
            self._fail(self._connection.denied(action, self._next))
        elif (action, subject) == ("subscription", f"{self._inbox}.*".lower()):
            self._fail(self._connection.denied(action, f"{self._inbox}.*"))

    def _fail(self, error: TransportError) -> None:
        self._error = error
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
