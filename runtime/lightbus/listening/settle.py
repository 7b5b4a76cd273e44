"""Settles deliveries as decided, and logs the outcome. No other module settles."""

from __future__ import annotations

import asyncio
import random

from lightbus.errors import TransportError
from lightbus.event.dead_letter import Failure, failure_of
from lightbus.foreign import escaped, text_of, trace_of
from lightbus.listening.decide import (
    Ack,
    Decision,
    Defective,
    Failed,
    GiveUp,
    Invalid,
    Outcome,
    Policy,
    Retry,
    Shutdown,
    decide,
)
from lightbus.logs import log
from lightbus.message import EventMessage
from lightbus.transport import Delivery

_RETRY_AFTER_TROUBLE = 5.0  # seconds before an event whose dead letter was not confirmed is tried again
_REMEMBERED = 300.0  # seconds for which its failure is remembered; another worker may receive the event


class Settling:
    """Settles the deliveries of one worker. An event whose settlement is lost is redelivered after `ack_wait`.

    Args:
        durable: name of the durable, for log messages.

    Attributes:
        held: deliveries that the worker took and has not settled.
        unconfirmed: failures of events whose dead letter was not confirmed, with the loop's time, oldest first;
            the next delivery is given up with the true reason.
    """

    def __init__(self, durable: str, policy: Policy) -> None:
        self._durable, self._policy = durable, policy
        self._loop = asyncio.get_running_loop()
        self.held: set[Delivery] = set()
        self.unconfirmed: dict[tuple[int, int], tuple[float, Failure]] = {}

    async def ack(self, delivery: Delivery) -> None:
        """Acknowledge an event that was handled, or that the policy drops."""
        try:
            await delivery.ack()
        except TransportError as error:
            self._not_settled(error)
        finally:
            self.held.discard(delivery)

    def decide(self, delivery: Delivery, outcome: Outcome, message: EventMessage | None) -> Decision:
        """Decide what to do about a delivery, and log the decision."""
        decision = decide(outcome, delivery.attempt, self._policy, random.random())
        self._report(outcome, decision, message, delivery)
        return decision

    async def carry_out(self, delivery: Delivery, decision: Decision, outcome: Outcome) -> None:
        """Settle a delivery as decided."""
        match decision:
            case Ack():
                await self.ack(delivery)
            case Retry(after):
                await self.retry(delivery, after)
            case Shutdown():
                await self.retry(delivery, 0)
            case GiveUp(reason):
                if isinstance(outcome, (Failed, Invalid, Defective)):
                    await self.dead_letter(delivery, failure_of(outcome.error, reason))
                else:
                    await self.dead_letter(delivery, Failure(reason))

    async def retry(self, delivery: Delivery, after: float) -> None:
        """Have an event delivered again in `after` seconds."""
        try:
            await delivery.retry(after)
        except TransportError as error:
            self._not_settled(error)
        finally:
            self.held.discard(delivery)

    async def give_back(self, delivery: Delivery) -> None:
        """Give back an event that no handler has begun, for other workers.

        Raises:
            TransportError: it was not given back; it is redelivered after `ack_wait`.
        """
        self.held.discard(delivery)
        await delivery.retry(0)

    async def dead_letter(self, delivery: Delivery, failure: Failure) -> None:
        """Make an event a dead letter; until that is confirmed it stays pending."""
        try:
            await delivery.dead_letter(failure)
            self.held.discard(delivery)
        except TransportError as error:
            log.error("%s: an event stays pending, its dead letter failed: %s", self._durable, error)
            self.unconfirmed.pop(_key(delivery), None)  # keeps the newest last
            self.unconfirmed[_key(delivery)] = self._loop.time(), failure
            await self.retry(delivery, _RETRY_AFTER_TROUBLE)

    def recall(self, delivery: Delivery) -> Failure | None:
        """Return, once, the failure of an event whose dead letter was not confirmed."""
        _, failure = self.unconfirmed.pop(_key(delivery), (0.0, None))
        now = self._loop.time()
        while self.unconfirmed and next(iter(self.unconfirmed.values()))[0] < now - _REMEMBERED:
            del self.unconfirmed[next(iter(self.unconfirmed))]
        return failure

    async def keep(self, delivery: Delivery) -> None:
        """Restart the `ack_wait` of an event that this worker still holds."""
        try:
            await delivery.in_progress()
        except TransportError as error:
            log.debug("%s: could not extend an event's time: %s", self._durable, error)
        except Exception:
            log.exception("%s: unexpected error while extending an event's time", self._durable)

    def _not_settled(self, error: TransportError) -> None:
        log.warning("%s: not settled, will be delivered again: %s", self._durable, error)

    def _report(
        self, outcome: Outcome, decision: Decision, message: EventMessage | None, delivery: Delivery
    ) -> None:
        if isinstance(decision, Shutdown):
            return  # the bus reports it, with the failure
        event = escaped(message.id) if message else f"at sequence {delivery.sequence}"
        event += f" (replay of dead letter {delivery.replay_of})" if delivery.replay_of else ""
        error = outcome.error if isinstance(outcome, (Failed, Defective)) else None
        trace = (type(error), error, trace_of(error)) if error is not None else None
        what = "no attempt had a result"
        if isinstance(outcome, (Failed, Invalid, Defective)):
            what = text_of(outcome.error)
        match decision:
            case Retry(after):
                log.warning(
                    "%s: event %s failed on attempt %d, next try in %.1f s: %s",
                    *(self._durable, event, delivery.attempt, after, what),
                    exc_info=trace,
                )
            case GiveUp(reason):
                log.error(
                    "%s: event %s goes to the dead letters: %s", self._durable, event, reason, exc_info=trace
                )
            case Ack():
                log.error(
                    "%s: event %s failed and is dropped: %s", self._durable, event, what, exc_info=trace
                )


def _key(delivery: Delivery) -> tuple[int, int]:
    return delivery.replay_of, delivery.sequence
