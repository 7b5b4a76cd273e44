"""Every error that the bus raises, in one tree.

    LightbusError
    |-- DefinitionError            fix the Api class
    |   `-- DuplicateApi
    |-- SchemaError                fix the schema document
    |   `-- FormatMismatch         regenerate, or upgrade the runtime (also an ImportError)
    |-- UsageError                 fix the calling code
    |   |-- UnknownApi, UnknownEvent (also AttributeErrors)
    |   |-- InvalidEventArguments  fire() does not match the schema
    |   |-- InvalidListener        the handler cannot take the event
    |   |-- DuplicateListenerName
    |   |-- BlockingCall           a blocking call on an event loop
    |   `-- BusClosed
    |-- UnreadableEvent            an event that arrived is not a CloudEvent
    |-- InvalidEvent               an event that arrived does not match the schema
    |-- TransportError             look at the server or the network
    |   |-- ConnectionFailed
    |   |-- JetStreamUnavailable
    |   |-- PermissionDenied
    |   |-- ProvisionError         a stream or durable is not as the bus needs it
    |   |-- PublishFailed          the event was not stored
    |   |   `-- EventTooLarge
    |   |-- PublishUnknown         the event may have been stored
    |   |-- BatchFailed            some events of a fire_many() were not confirmed
    |   `-- ConsumerLost
    |-- HandlerTimeout             a handler took too long (also a TimeoutError)
    `-- ListenerFailed             a listener with OnError.SHUTDOWN met an error

The text beside each class says what to do or look at. Errors carry their facts as fields and as text.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightbus.foreign import escaped

if TYPE_CHECKING:
    from lightbus.message import EventMessage


class LightbusError(Exception):
    """Base of every error this library raises on purpose. Each survives `pickle` and `copy`, with its fields."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args), vars(self)


def _restored(cls: type[LightbusError], args: tuple[object, ...]) -> LightbusError:
    """Return an error as its text, without the call of `__init__` that made it; `pickle` adds the fields."""
    error = cls.__new__(cls)
    error.args = args
    return error


# -- definitions and schemas ---------------------------------------------------------------------


class DefinitionError(LightbusError):
    """An `Api` class is not a valid definition.

    Attributes:
        api: name of the API or, before it is known, of the class.
        event: name of the event, or None when the class itself is at fault.
        parameter: name of the parameter, or None.
    """

    def __init__(
        self, problem: str, *, api: str, event: str | None = None, parameter: str | None = None
    ) -> None:
        self.api, self.event, self.parameter = api, event, parameter
        where = f"API {api}" if event is None else f"event {api}.{event}"
        if parameter is not None:
            where += f", parameter {parameter!r}"
        super().__init__(f"{where}: {problem}")


class DuplicateApi(DefinitionError):
    """Two classes define the same API name."""


class SchemaError(LightbusError):
    """A schema document cannot be used.

    Attributes:
        source: the file or class the document came from.
        pointer: JSON Pointer of the offending place, "" for the whole document.
    """

    def __init__(self, problem: str, *, source: str, pointer: str = "") -> None:
        self.source, self.pointer = source, pointer
        super().__init__(f"{source}{'#' + pointer if pointer else ''}: {problem}")


class FormatMismatch(SchemaError, ImportError):
    """Generated code has a format that this runtime does not read."""


# -- calling code --------------------------------------------------------------------------------


class UsageError(LightbusError):
    """The calling code asks for something that cannot be done."""


class UnknownApi(UsageError, AttributeError):
    """The bus knows no API of that name."""

    def __init__(self, name: str, known: Iterable[str], *, hint: str = "") -> None:
        self.api, self.known = name, tuple(sorted(known))
        if self.known:
            listing = f" Known APIs: {', '.join(self.known)}."
        else:
            listing = (
                " No API is known at all: pass the Bus of the package that lightbus-gen generates,"
                " lightbus.create(Bus). Without generated code, import the module that defines the Api class, or"
                ' pass lightbus.create(apis=[...]) or lightbus.create(schemas="schemas").'
            )
        super().__init__(f"there is no API {name!r}{did_you_mean(name, self.known)}.{listing}{hint}")


class UnknownEvent(UsageError, AttributeError):
    """The API has no event of that name."""

    def __init__(self, api: str, name: str, known: Iterable[str]) -> None:
        self.api, self.event, self.known = api, name, tuple(sorted(known))
        listing = ", ".join(self.known) or "none"
        super().__init__(
            f"API {api!r} has no event {name!r}{did_you_mean(name, self.known)}. Its events: {listing}."
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the payload of an event.

    Attributes:
        path: place in the payload, as Python would index it: `address.street`, `tags[0]`; "" for the payload itself.
        message: what is wrong, as a sentence without a full stop.
        kind: "missing", "unexpected", or the JSON Schema keyword that refused ("type", "format", ...).
    """

    path: str
    message: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class _PayloadError(LightbusError):
    def __init__(self, headline: str, api: str, event: str, problems: Sequence[Problem], tail: str) -> None:
        self.api, self.event, self.problems = api, event, tuple(problems)
        lines = "".join(f"\n  - {escaped(str(problem))}" for problem in self.problems)
        super().__init__(f"{headline}{lines}" + (f"\n{tail}" if tail else ""))


class InvalidEventArguments(_PayloadError, UsageError):
    """The arguments of `fire()` do not match the schema of the event.

    Attributes:
        api, event: the event.
        problems: every `Problem` found, not only the first.
    """

    def __init__(self, api: str, event: str, problems: Sequence[Problem], *, signature: str) -> None:
        super().__init__(
            f"{api}.{event} was not fired, its arguments do not match the schema:",
            api,
            event,
            problems,
            f"Expected: {signature}",
        )


class UnreadableEvent(LightbusError):
    """A message that arrived is not a CloudEvent the bus can read."""


class InvalidEvent(_PayloadError):
    """An event that arrived does not match the schema the listener was built with.

    Attributes:
        api, event: the event.
        problems: every `Problem` found.
    """

    def __init__(self, api: str, event: str, problems: Sequence[Problem]) -> None:
        super().__init__(f"an event {api}.{event} does not match its schema:", api, event, problems, "")


class InvalidListener(UsageError):
    """The handler cannot be called with the event.

    Attributes:
        event: the event's full name, `auth.user_created`.
        expected: the signature to write.
    """

    def __init__(self, event: str, handler: str, problems: Sequence[str], *, expected: str) -> None:
        self.event, self.handler, self.problems, self.expected = event, handler, tuple(problems), expected
        lines = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{handler} cannot listen to {event}:{lines}\nWrite: {expected}")


class DuplicateListenerName(UsageError):
    """Two listeners of one API and service share a name, so they would share one durable."""

    def __init__(self, api: str, listener_name: str, taken_by: str) -> None:
        self.api, self.listener_name = api, listener_name
        super().__init__(
            f"API {api!r} already has a listener named {listener_name!r} here (it listens to {taken_by})."
            " Each listener_name is one durable with its own position: choose another name."
        )


class BlockingCall(UsageError):
    """A blocking call was made in a thread that runs an event loop."""

    def __init__(self, call: str, instead: str) -> None:
        super().__init__(f"{call} blocks, and this thread runs an event loop. Write: {instead}")


class BusClosed(UsageError):
    """The bus was closed, or belongs to another process."""


# -- the wire ------------------------------------------------------------------------------------


class TransportError(LightbusError):
    """The server or the network failed, or is not configured as the bus needs."""


class ConnectionFailed(TransportError):
    """The bus could not connect to the server; nothing was sent.

    Attributes:
        url: the address tried, without credentials.
        reason: the error of the network or the server.
    """

    def __init__(self, url: str, reason: str, advice: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"cannot connect to NATS at {url}: {reason}\n{advice}")


class JetStreamUnavailable(TransportError):
    """The server answers, but JetStream is disabled or denied."""

    def __init__(self, url: str) -> None:
        self.url = url
        super().__init__(
            f"the NATS server at {url} does not offer JetStream, which keeps the events.\n"
            "Start it with JetStream on: nats-server -js, or: lightbus server"
        )


class PermissionDenied(TransportError):
    """The server denies a subject to this user.

    Attributes:
        subject: the refused subject.
        url: the server's address, without credentials.
    """

    def __init__(self, subject: str, action: str, url: str, advice: str) -> None:
        self.subject, self.url = subject, url
        super().__init__(f"the NATS server at {url} denies {action} {subject!r} to this user. {advice}")


class ProvisionError(TransportError):
    """A stream or durable could not be created, or differs from what the bus needs.

    Raised by `fire()`, the event was not stored.
    """


class PublishFailed(TransportError):
    """The event was not stored.

    Attributes:
        event: the event's full name.
        event_id: its id.
    """

    def __init__(self, event: str, event_id: str, reason: str) -> None:
        self.event, self.event_id, self.reason = event, event_id, reason
        super().__init__(f"{event} (id {event_id}) was not stored: {reason}")


class EventTooLarge(PublishFailed):
    """The event is larger than the server's `max_payload`.

    Attributes:
        size: its bytes; at least so many if its arguments alone are too large.
        limit: the bytes that it may have.
    """

    def __init__(self, event: str, event_id: str, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(
            event,
            event_id,
            f"it is {size:,} bytes and the server takes {limit:,} (max_payload)."
            " Store the large part elsewhere and fire a reference to it.",
        )


class PublishUnknown(TransportError):
    """An attempt to store the event was not answered: it may have been stored, or may be stored later.

    Attributes:
        event: the event's full name.
        event_id: its id; the stream or a listener shows whether it was stored.
        timeout: the seconds waited.
        message: the event, for `fire_again()`; None when the message was not an event.
    """

    message: EventMessage | None = None

    def __init__(self, event: str, event_id: str, timeout: float, reason: str) -> None:
        self.event, self.event_id, self.timeout, self.reason = event, event_id, timeout, reason
        super().__init__(
            f"{event} (id {event_id}): the server did not confirm it ({reason})."
            " It may have been stored. fire_again(error.message) sends it under the same id, so that it is"
            " stored once; another fire() would be another event."
        )


class BatchFailed(TransportError):
    """Some events of a `fire_many()` were not confirmed; the others are stored.

    Attributes:
        event: the events' full name.
        messages: all events of the batch, in order.
        failed: those that were not confirmed, each with its error, for `fire_again()`.
    """

    def __init__(
        self,
        event: str,
        messages: Sequence[EventMessage],
        failed: Sequence[tuple[EventMessage, TransportError]],
    ) -> None:
        self.event, self.messages, self.failed = event, messages, failed
        super().__init__(
            f"{len(failed)} of {len(messages)} events of {event} were not confirmed; the first: {failed[0][1]}"
        )


class ConsumerLost(TransportError):
    """The durable of a running listener was deleted on the server."""


class HandlerTimeout(LightbusError, TimeoutError):
    """A handler did not finish in time, which counts as a failed attempt.

    Attributes:
        timeout: the limit, in seconds.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        super().__init__(
            f"the handler did not finish within {timeout:g} s; give listen() a longer timeout= if it needs one"
        )


class ListenerFailed(LightbusError):
    """A listener stopped: its handler raised with `OnError.SHUTDOWN`, or its durable was removed.

    `bus.wait()` raises it, and `lightbus run` ends with it; other listeners keep running until then.

    Attributes:
        listener: the durable's name.
        event_id: id of the event that failed, or None when the listener failed outside an event.
    """

    def __init__(self, listener: str, reason: str, event_id: str | None = None) -> None:
        self.listener, self.event_id = listener, event_id
        event = f" on event {escaped(event_id)}" if event_id else ""
        super().__init__(f"listener {listener!r} failed{event}: {reason}")


_MAX_WORD = 60
_MAX_COMPARED = 200_000  # pairs of characters, which take about 0.1 s


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the closest known word, or "".

    Long words are not compared, nor are more than about 1,000 known ones.
    """
    candidates, work = list[str](), 0
    for candidate in known if len(word) <= _MAX_WORD else ():
        if len(candidate) <= _MAX_WORD:
            candidates.append(candidate)
            work += len(word) * len(candidate)
            if work > _MAX_COMPARED:
                break
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""
