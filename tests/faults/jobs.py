"""The API of the fault tests: an event carries instructions for its handlers."""

from __future__ import annotations

from lightbus import Api, Event, Parameter


class JobApi(Api):
    """Jobs, numbered by those who fire them.

    Orders: `work`; `slow:S` takes S seconds; `raise` always fails, `raise:N` on the first N attempts;
    `die` ends the process; `hold:PATH` waits for a file; `follow:PATH` does too, and then fires `followed`.
    """

    wanted = Event(parameters=(Parameter("number", int), Parameter("order", str, default="work")))
    followed = Event(parameters=(Parameter("number", int),))

    class Meta:
        name = "job"
