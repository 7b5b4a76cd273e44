"""The listeners of a bus, by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from lightbus import naming
from lightbus.errors import DuplicateListenerName, UsageError
from lightbus.listening.worker import Listening
from lightbus.schema import EventContract


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener that was set up.

    Attributes:
        event: full name of the event, `auth.user_created`.
        durable: name of the durable consumer on the server, `mailer-welcome`.
    """

    event: str
    durable: str


class Listeners:
    """The listeners of a bus; each name is used once an API. Thread-safe.

    Args:
        service_name: first half of every durable's name, "" for none.
    """

    def __init__(self, service_name: str) -> None:
        self._service_name = service_name
        self._by_name: dict[tuple[str, str], Listener] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Listener]:
        return iter(tuple(self._by_name.values()))

    def reserve(self, contract: EventContract, listener_name: str) -> Listener:
        """Take a name for a new listener.

        Raises:
            UsageError: it cannot be a listener's name. DuplicateListenerName: it is taken.
        """
        if problem := naming.listener_problem(listener_name):
            raise UsageError(problem)
        try:
            durable = naming.durable(self._service_name, listener_name)
        except ValueError as error:
            raise UsageError(str(error)) from None
        listener = Listener(contract.full_name, durable)
        with self._lock:
            other = self._by_name.setdefault((contract.api, listener_name), listener)
        if other is not listener:
            raise DuplicateListenerName(contract.api, listener_name, other.event)
        return listener

    def release(self, listening: Listening) -> None:
        """Free the name of a listener that has ended."""
        ended = Listener(listening.contract.full_name, listening.consumer.durable)
        with self._lock:
            self._by_name = {key: value for key, value in self._by_name.items() if value != ended}
