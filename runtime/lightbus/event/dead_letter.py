"""Dead letters: whole events that a listener gave up, each with its failure. Pure.

On the wire a dead letter is the event's own bytes and headers with `Lightbus-*` headers added; docs/protocol.md
has the table. A replay, which sends a dead letter to its listener again, has the same form.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote, unquote, unquote_to_bytes

from lightbus.errors import InvalidEvent, UnreadableEvent
from lightbus.event import envelope, tracebacks
from lightbus.event.envelope import MESSAGE_ID
from lightbus.naming import Place, place_of

_OWN = "lightbus-"  # prefix of our headers, in lower case
_SERVERS_HEADERS = 65_535  # bytes of headers that the server accepts
_MAX_HEADERS = 64_000  # bytes of headers, beyond which ours are omitted
_MAX_TRACEBACK = 4_000  # bytes kept of a traceback's end
_EMPTY_BLOCK = len(b"NATS/1.0\r\n\r\n")
_MIN_REASON = 40  # bytes; a shorter excerpt is no use
_MARK = 40  # bytes; with this much room, a listener or operator always writes one of our headers
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_ELLIPSIS = quote("…")
_COUNT = re.compile("[0-9]{1,9}")
_FRAMES = 5  # innermost functions in a digest


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a listener gave up an event.

    Attributes:
        reason: a sentence for people, one line.
        error: the exception's class name, "" when there was none.
        digest: equal for failures of the same kind at the same place, "" when there was no exception.
        traceback: the traceback from the user's code inwards, "" when there is none.
    """

    reason: str
    error: str = ""
    digest: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One dead letter. A listener and an event have at most one.

    Attributes:
        number: its sequence among the dead letters, from 1; a later failure of the same event gets a new one.
        place: the listener that failed, and where the event is stored.
        subject: the event's subject, "" when it is not known.
        event_id: the event's id, "" when it is not known.
        body, headers: the event's own; `Nats-*` headers are left out.
        failure: the latest failure.
        attempts: the attempt that failed last; each replay counts from 1.
        replays: how often it was replayed.
        first_failed, last_failed: when the listener gave the event up for the first and the last time.
        problem: why this is a message that no listener wrote, "" for a true dead letter. Its other fields may be
            empty, and it must not be replayed.
    """

    number: int
    place: Place
    subject: str
    event_id: str
    body: bytes
    headers: Mapping[str, str]
    failure: Failure
    attempts: int
    replays: int = 0
    first_failed: datetime
    last_failed: datetime
    problem: str = ""

    @classmethod
    def first(
        cls,
        place: Place,
        subject: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        attempts: int,
        failure: Failure,
        now: datetime,
    ) -> DeadLetter:
        """Return the dead letter of an event that fails for the first time, without a number yet."""
        return cls(
            number=0,
            place=place,
            subject=subject,
            event_id=id_of(body, headers),
            body=body,
            headers=own_headers(headers),
            failure=failure,
            attempts=attempts,
            first_failed=now,
            last_failed=now,
        )

    @classmethod
    def stored(
        cls,
        subject: str,
        sequence: int,
        headers: Mapping[str, str],
        body: bytes,
        time: datetime,
        *,
        limit: int,
        is_cut: bool = False,
        is_replay: bool = False,
    ) -> DeadLetter:
        """Read a message of the stream of dead letters, or of that of replays, by its subject; see `decode`."""
        place, number = place_of(subject) or (None, 0)
        return cls.decode(
            place if bool(number) == is_replay else None,
            number if is_replay else sequence,
            headers,
            body,
            time,
            limit=limit,
            is_cut=is_cut,
        )

    @classmethod
    def decode(
        cls,
        place: Place | None,
        number: int,
        headers: Mapping[str, str],
        body: bytes,
        time: datetime,
        *,
        limit: int,
        is_cut: bool = False,
    ) -> DeadLetter:
        """Read a stored dead letter or replay. Fields whose headers are missing stay empty.

        Args:
            place, number: from its subject, and its own sequence when the subject holds no number; the place is
                None when the subject is not that of a dead letter.
            headers, body: the message.
            time: when it was stored.
            limit: the largest message the server accepts, in bytes, headers included.
            is_cut: whether its header block has no end.
        """

        def text(name: str) -> str:
            return unquote(headers.get(f"Lightbus-{name}", ""))

        def count(name: str) -> int:
            value = text(name)
            return int(value) if _COUNT.fullmatch(value) else 0

        if place is None:
            problem = "its subject is not that of a dead letter"
        elif is_cut:
            problem = "its header block is cut off"
        else:
            problem = _mark_problem(place, headers, body, limit)
        return cls(
            number=number,
            place=place or Place("", "", 0, time),
            subject=headers.get("Lightbus-Subject", ""),
            event_id=text("Event-Id"),
            body=body,
            headers=own_headers(headers),
            failure=Failure(text("Reason"), text("Error"), text("Digest"), text("Traceback")),
            attempts=count("Attempts"),
            replays=count("Replays"),
            first_failed=_time(headers.get("Lightbus-First-Failed", "")) or time,
            last_failed=time,
            problem=problem,
        )

    @property
    def event(self) -> str:
        """The event's full name, `auth.user_created`; "" when it is not known."""
        return self.subject.partition(".")[2]

    @property
    def key(self) -> tuple[Place, int]:
        """Place and number, which the subject of its replay consists of."""
        return self.place, self.number

    @property
    def kind(self) -> tuple[str, str, str]:
        """What failures of the same kind share: listener, subject, and the place in the code or the reason."""
        reason = self.failure.digest or self.failure.reason or self.problem
        return self.place.listener, self.subject, reason

    def is_same_event(self, other: DeadLetter) -> bool:
        """Whether both are true dead letters of the same listener and event, with the same bytes."""
        ids = {self.event_id, other.event_id} - {""}  # a large event may leave no room for its id
        is_same = (self.place, self.body) == (other.place, other.body) and len(ids) < 2
        return is_same and not (self.problem or other.problem)

    def is_kept_by(self, stored: DeadLetter | None) -> bool:
        """Whether a stored message is this failure of the event, or a later one."""
        return stored is not None and stored.is_same_event(self) and stored.replays >= self.replays

    def as_replay(self) -> DeadLetter:
        """Return its replay, which counts itself and has no failure yet."""
        return replace(self, replays=self.replays + 1, failure=Failure(""))

    def without_event(self) -> DeadLetter:
        """Return a copy that needs little memory: without body, headers and traceback."""
        return replace(self, body=b"", headers={}, failure=replace(self.failure, traceback=""))

    @property
    def message_id(self) -> str:
        """The `Nats-Msg-Id` under which it is stored: the server drops a second copy of the same failure."""
        place = self.place
        # with the time, because a stream that is deleted and created again counts from 1
        return (
            f"{place.stream}.{place.listener}.{place.sequence}.{place.stored.timestamp():.6f}.{self.replays}"
        )

    def encode(self, needed: Mapping[str, str], limit: int) -> dict[str, str]:
        """Return the headers to store a dead letter or replay with.

        The event stays whole, except for headers that cannot be stored as they are. The failure is described as
        far as there is room.

        Args:
            needed: headers that take precedence over all of ours.
            limit: the largest message the server accepts, in bytes, headers included.
        """
        headers: dict[str, str] = {}
        space, used = limit - len(self.body), _EMPTY_BLOCK
        for name, value in self.headers.items():  # a value that was not UTF-8 takes more bytes than before
            if used + (size := _size(name, value)) <= min(space, _SERVERS_HEADERS):
                headers[name] = value
                used += size
        own = {
            **needed,
            "Lightbus-Subject": self.subject,
            "Lightbus-Attempts": str(self.attempts),
            "Lightbus-Event-Id": _quoted(self.event_id),
            "Lightbus-Replays": str(self.replays) if self.replays else "",
            "Lightbus-First-Failed": self.first_failed.isoformat() if self.replays else "",
            "Lightbus-Error": _quoted(self.failure.error),
            "Lightbus-Digest": self.failure.digest,
            "Lightbus-Reason": _quoted(self.failure.reason),
            **_place_headers(self.place),
            "Lightbus-Traceback": "",
        }
        for name, value in own.items():
            room = min(space, _MAX_HEADERS) - used - _size(name, "")
            if name == "Lightbus-Reason":
                value = _cut(value, room)
            elif name == "Lightbus-Traceback":
                value = _last_lines(self.failure.traceback, min(room, _MAX_TRACEBACK))
            if value and len(value.encode()) <= room:
                headers[name] = value
                used += _size(name, value)
        return headers


def failure_of(error: BaseException, reason: str) -> Failure:
    """Describe the failure of an event whose handler, or whose decoding, raised an exception."""
    if isinstance(error, (UnreadableEvent, InvalidEvent)):  # raised by the bus: its frames tell nothing
        return Failure(reason, type(error).__name__, digest(error))
    return Failure(reason, type(error).__name__, digest(error), tracebacks.users_traceback(error))


def digest(error: BaseException) -> str:
    """Return 12 hexadecimal digits that failures of the same kind at the same place share.

    They come from the exception's class and the innermost functions of the user's code, without line
    numbers, so that they survive edits; for an event that does not match its schema, from the mismatches.
    """
    kind = type(error)
    parts = [f"{kind.__module__}.{kind.__qualname__}"]
    if isinstance(error, InvalidEvent):
        parts += sorted(f"{re.sub('[0-9]+', '', problem.path)}:{problem.kind}" for problem in error.problems)
    elif not isinstance(error, UnreadableEvent):
        parts += tracebacks.users_functions(error)[-_FRAMES:]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def id_of(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the id of an event, even of one whose payload is invalid; "" when it has none."""
    try:
        return envelope.decode(body, headers).id
    except Exception:  # even if the decoder has a defect: that is why the event is given up
        return headers.get(MESSAGE_ID, "")


def own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return an event's own headers, without the server's `Nats-*` and without ours."""
    return {name: value for name, value in headers.items() if not name.lower().startswith(("nats-", _OWN))}


def _place_headers(place: Place) -> dict[str, str]:
    """Return the facts of a dead letter's subject as headers."""
    return {
        "Lightbus-Listener": place.listener,
        "Lightbus-Stream": place.stream,
        "Lightbus-Sequence": str(place.sequence),
        "Lightbus-Stored": place.stored.isoformat(),
    }


def _mark_problem(place: Place, headers: Mapping[str, str], body: bytes, limit: int) -> str:
    """Return why a message was not written by a listener, "" if it may have been.

    The server stores any answer, such as its own acknowledgement of another message, on a subject that is given as
    its reply subject. Such a message has no headers of ours, or those of another place.
    """
    for name, value in _place_headers(place).items():
        if headers.get(name, value) != value:
            return f"its header {name} does not fit its subject"
    used = envelope.message_size(b"", headers)
    has_room = used + _MARK <= min(limit - len(body), _MAX_HEADERS)
    if has_room and not any(name.lower().startswith(_OWN) for name in headers):
        return "no listener wrote it: it has no Lightbus-* headers"
    return ""


def _size(name: str, value: str) -> int:
    return len(f"{name}: {value}\r\n".encode())


def _quoted(text: str) -> str:
    """Percent-encode a text as printable ASCII on one line, as a header value must be."""
    quoted = quote(text, safe=_PLAIN, errors="replace")
    middle = quoted.strip(" ")  # the server trims values
    before, _, after = quoted.partition(middle) if middle else (quoted, "", "")
    return "%20" * len(before) + middle + "%20" * len(after)


def _cut(quoted: str, room: int) -> str:
    """Shorten a quoted text without cutting a character in two."""
    if len(quoted) <= room or room < _MIN_REASON:
        return quoted  # in the second case the caller omits it
    kept = re.sub("%[0-9A-F]?$", "", quoted[: room - len(_ELLIPSIS)])
    return _quoted(unquote_to_bytes(kept).decode("utf-8", "ignore")) + _ELLIPSIS


def _last_lines(text: str, room: int) -> str:
    """Quote as many of a text's last lines as there is room for."""
    lines: list[str] = []
    for line in reversed(text.splitlines()):
        room -= len(_quoted(f"{line}\n"))
        if room < 0:
            break
        lines.append(line)
    return _quoted("\n".join(reversed(lines)))


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A selection of dead letters: those that meet every condition.

    Attributes:
        listener, event, error: names, or patterns with `*` and `?`; "" for any.
        event_ids, numbers: a dead letter that has any of these; empty for any.
        since, until: limits of the time of the last failure; `until` is exclusive.
    """

    listener: str = ""
    event: str = ""
    error: str = ""
    event_ids: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, dead_letter: DeadLetter) -> bool:
        """Whether a dead letter is selected."""
        return all(self._conditions(dead_letter))

    def _conditions(self, dead_letter: DeadLetter) -> Iterator[bool]:
        for pattern, value in (
            (self.listener, dead_letter.place.listener),
            (self.event, dead_letter.event),
            (self.error, dead_letter.failure.error),
        ):
            yield not pattern or fnmatch.fnmatchcase(value, pattern)
        if self.event_ids or self.numbers:
            yield dead_letter.event_id in self.event_ids or dead_letter.number in self.numbers
        yield self.since is None or dead_letter.last_failed >= self.since
        yield self.until is None or dead_letter.last_failed < self.until
