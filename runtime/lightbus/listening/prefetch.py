"""How many events a worker buffers beyond its free slots. Pure.

Speed and fairness conflict. An event that waits in one worker while another is idle is late, so a worker starts
without a buffer, and with slow handlers it stays without. But a listener that asks for one event at a time spends most
of its time on round trips, so with fast handlers it asks ahead for as many as its handlers clear in a moment, as
measured.

    grows      with every event, by one plus a quarter
    limit      what the handlers clear in a quarter of a second, or of `ack_wait` if that is less; 1,000 events
    falls      at once after a slow event; several fast ones are needed to grow again
"""

from __future__ import annotations

_MAX = 1000  # events
_MOMENT = 0.25  # seconds of work that may be buffered
_WEIGHT = 0.1  # of the newest event in the average, if it was faster


class Prefetch:
    """Follows how long events take.

    Args:
        concurrency: events handled at a time.
        ack_wait: seconds after which the server delivers an event again.
    """

    def __init__(self, concurrency: int, ack_wait: float) -> None:
        self._work = concurrency * min(_MOMENT, ack_wait / 4)
        self._fast = self._work / _MAX  # at the limit, an event that takes no longer changes nothing
        self._average = 0.0
        self.ahead = 0

    def handled(self, seconds: float) -> int:
        """Record an event that took `seconds`, and return how many to buffer from now on."""
        if self.ahead == _MAX and seconds <= self._fast:
            return _MAX
        if seconds >= self._average:
            self._average = seconds
        else:
            self._average += (seconds - self._average) * _WEIGHT
        grown = min(self.ahead + self.ahead // 4 + 1, _MAX)
        if grown * self._average > self._work:
            grown = int(self._work / self._average)
        self.ahead = grown
        return grown

    def stuck(self) -> None:
        """Record that all slots have been busy for a long time."""
        self.ahead = 0
