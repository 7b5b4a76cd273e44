"""How many events a worker has at hand beyond its free slots. Pure.

Speed and fairness pull against each other. An event that waits here while another worker is idle is late, so a
worker starts with none, and with slow handlers it stays there. But a listener that asks for one event at a time
spends most of its time on round trips, so with fast handlers it asks ahead: for what its handlers clear in a
moment, as measured.

    grows      with every event, by one and a quarter of what it is
    limit      what the handlers clear in a quarter of a second, or of `ack_wait` if that is less; 1,000 events
    falls      at once to what a slow event says; it takes several fast ones to believe in speed again
"""

from __future__ import annotations

_MOST = 1000  # events
_MOMENT = 0.25  # seconds of work that may wait here
_WEIGHT = 0.1  # of the newest event in the average, when it is faster


class Prefetch:
    """Follows how long handlers take.

    Args:
        concurrency: events handled at a time.
        ack_wait: seconds after which the server delivers an event again.
    """

    def __init__(self, concurrency: int, ack_wait: float) -> None:
        self._work = concurrency * min(_MOMENT, ack_wait / 4)
        self._fast = self._work / _MOST  # an event that takes no longer changes nothing at the limit
        self._average = 0.0
        self.ahead = 0

    def handled(self, seconds: float) -> int:
        """Take note of an event that was handled, and return how many to have at hand from now on.

        Args:
            seconds: how long it was in hand.
        """
        if self.ahead == _MOST and seconds <= self._fast:
            return _MOST
        if seconds >= self._average:
            self._average = seconds
        else:
            self._average += (seconds - self._average) * _WEIGHT
        grown = min(self.ahead + self.ahead // 4 + 1, _MOST)
        if grown * self._average > self._work:
            grown = int(self._work / self._average)
        self.ahead = grown
        return grown

    def stuck(self) -> None:
        """Take note that all slots are busy for long with what they have in hand."""
        self.ahead = 0
