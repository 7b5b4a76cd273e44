"""A dead letter: an event that a listener gave up, whole, with what is known of the failure. Pure.

On the wire it is the event's own bytes and headers with `Lightbus-*` headers beside them; docs/protocol.md
has the table. A replay, which takes a dead letter to its listener once more, has the same form.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, unquote_to_bytes

from lightbus.errors import InvalidEvent, UnreadableEvent
from lightbus.event import envelope, tracebacks
from lightbus.event.envelope import MESSAGE_ID, message_size
from lightbus.naming import Place

_OWN = "lightbus-"  # headers of ours begin so, in lower case
_SERVERS_HEADERS = 65_535  # bytes the server takes at most,
_MAX_HEADERS = 64_000  # and to which ours may fill them
_MAX_TRACEBACK = 4_000  # bytes of its end that are kept
_EMPTY_BLOCK = len(b"NATS/1.0\r\n\r\n")  # what the first header brings with it
_LEAST = 40  # bytes; a text cut shorter says nothing
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_ELLIPSIS = quote("…")
_COUNT = re.compile("[0-9]{1,9}")
_FRAMES = 5  # innermost ones that make a digest


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a listener gave an event up.

    Attributes:
        reason: a sentence for people, one line.
        error: the exception's class name, "" when there was none.
        digest: the same for failures of the same kind at the same place, "" when there was no exception.
        traceback: the traceback from the user's code on, "" when there is none.
    """

    reason: str
    error: str = ""
    digest: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter. A listener and an event have at most one.

    Attributes:
        number: its place among the dead letters, from 1; a later failure of the same event gets a new one.
        place: whose failure with which event it is.
        subject: the event's subject, "" when it is not known.
        event_id: the event's id, "" when it is not known.
        body, headers: the event's own, `Nats-*` headers left out.
        failure: the latest failure.
        attempts: the attempt that failed last; each replay counts from 1.
        replays: how often it was replayed.
        first_failed, last_failed: when it was given up for the first and the last time.
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

    @property
    def event(self) -> str:
        """The event's full name, `auth.user_created`; "" when it is not known."""
        return self.subject.partition(".")[2]


def first_letter(
    place: Place,
    subject: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    attempts: int,
    failure: Failure,
    now: datetime,
) -> Letter:
    """Write the dead letter of an event that was given up for the first time.

    Args:
        place: whose failure with which event it is.
        subject, headers, body: the event as it is stored.
        attempts: the attempt that failed last.
        failure: why.
        now: the time.
    """
    return Letter(
        number=0,
        place=place,
        subject=subject,
        event_id=event_id(body, headers),
        body=body,
        headers=own_headers(headers),
        failure=failure,
        attempts=attempts,
        first_failed=now,
        last_failed=now,
    )


def failure_of(error: BaseException, reason: str) -> Failure:
    """Describe a failure by its exception.

    Args:
        error: what the handler or the reading of the event raised.
        reason: a sentence for people, one line.
    """
    if isinstance(error, (UnreadableEvent, InvalidEvent)):  # raised by the bus: its frames say nothing
        return Failure(reason, type(error).__name__, digest(error))
    return Failure(reason, type(error).__name__, digest(error), tracebacks.users_traceback(error))


def digest(error: BaseException) -> str:
    """Return 12 hexadecimal digits that failures of the same kind at the same place share.

    They come from the exception's class and the innermost functions of the user's code, without line
    numbers, so that they outlive edits; for an event that does not fit its schema, from what does not.
    """
    kind = type(error)
    parts = [f"{kind.__module__}.{kind.__qualname__}"]
    if isinstance(error, InvalidEvent):
        parts += sorted(f"{re.sub('[0-9]+', '', problem.path)}:{problem.kind}" for problem in error.problems)
    elif not isinstance(error, UnreadableEvent):
        parts += tracebacks.users_functions(error)[-_FRAMES:]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:12]


def event_id(body: bytes, headers: Mapping[str, str]) -> str:
    """Return the id of an event, also of one whose payload cannot be used; "" when it has none."""
    try:
        return envelope.decode(body, headers).id
    except UnreadableEvent:
        return headers.get(MESSAGE_ID, "")


def message_id(letter: Letter) -> str:
    """Return the `Nats-Msg-Id` of a dead letter: a second copy of the same failure is dropped by the server."""
    place = letter.place
    # with the time, as a stream that was deleted and made again counts from 1 once more
    return f"{place.stream}.{place.listener}.{place.sequence}.{place.stored.timestamp():.6f}.{letter.replays}"


# -- on the wire -----------------------------------------------------------------------------------


def encode(letter: Letter, needed: Mapping[str, str], limit: int) -> dict[str, str]:
    """Return the headers of a dead letter or replay that is about to be stored.

    The event stays whole, but for headers that cannot be stored as they are; of what is said about it, as much is
    kept as there is room for.

    Args:
        letter: the letter. Its number and last time are the server's to give.
        needed: headers that matter more than all of ours.
        limit: the largest message the server takes, in bytes, headers included.
    """
    headers: dict[str, str] = {}
    left = min(limit - len(letter.body), _SERVERS_HEADERS) - _EMPTY_BLOCK
    for name, value in letter.headers.items():  # what is no UTF-8 takes more bytes than it did
        if (size := _size(name, value)) <= left:
            headers[name] = value
            left -= size
    own = {
        **needed,
        "Lightbus-Subject": letter.subject,
        "Lightbus-Attempts": str(letter.attempts),
        "Lightbus-Event-Id": _quoted(letter.event_id),
        "Lightbus-Replays": str(letter.replays) if letter.replays else "",
        "Lightbus-First-Failed": letter.first_failed.isoformat() if letter.replays else "",
        "Lightbus-Error": _quoted(letter.failure.error),
        "Lightbus-Digest": letter.failure.digest,
        "Lightbus-Reason": _quoted(letter.failure.reason),
        "Lightbus-Listener": letter.place.listener,  # these four are in the subject as well
        "Lightbus-Stream": letter.place.stream,
        "Lightbus-Sequence": str(letter.place.sequence),
        "Lightbus-Stored": letter.place.stored.isoformat(),
        "Lightbus-Traceback": "",
    }
    for name, value in own.items():
        room = _room(letter.body, headers, limit) - _size(name, "")
        if name == "Lightbus-Reason":
            value = _cut(value, room)
        elif name == "Lightbus-Traceback":
            value = _last_lines(letter.failure.traceback, min(room, _MAX_TRACEBACK))
        if value and len(value.encode()) <= room:
            headers[name] = value
    return headers


def decode(place: Place, number: int, headers: Mapping[str, str], body: bytes, time: datetime) -> Letter:
    """Read a dead letter or replay; what is missing among its headers stays unknown.

    Args:
        place: what its subject says.
        number: the dead letter's number.
        headers, body: the message.
        time: when it was stored.
    """

    def text(name: str) -> str:
        return unquote(headers.get(f"Lightbus-{name}", ""))

    def count(name: str) -> int:
        value = text(name)
        return int(value) if _COUNT.fullmatch(value) else 0

    return Letter(
        number=number,
        place=place,
        subject=headers.get("Lightbus-Subject", ""),
        event_id=text("Event-Id"),
        body=body,
        headers=own_headers(headers),
        failure=Failure(text("Reason"), text("Error"), text("Digest"), text("Traceback")),
        attempts=count("Attempts"),
        replays=count("Replays"),
        first_failed=_time(headers.get("Lightbus-First-Failed", "")) or time,
        last_failed=time,
    )


def own_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that are the event's own: neither the server's `Nats-*` nor ours."""
    return {name: value for name, value in headers.items() if not name.lower().startswith(("nats-", _OWN))}


def _size(name: str, value: str) -> int:
    return len(f"{name}: {value}\r\n".encode())


def _room(body: bytes, headers: Mapping[str, str], limit: int) -> int:
    used = message_size(b"", headers) if headers else _EMPTY_BLOCK
    return min(limit - len(body), _MAX_HEADERS) - used


def _quoted(text: str) -> str:
    """Write a text in printable ASCII on one line, as a header value must be: percent-encoded."""
    quoted = quote(text, safe=_PLAIN, errors="replace")
    return re.sub("^ +| +$", lambda spaces: "%20" * len(spaces[0]), quoted)  # ends are not kept


def _cut(quoted: str, room: int) -> str:
    """Shorten a quoted text without cutting a character in two."""
    if len(quoted) <= room or room < _LEAST:
        return quoted  # which does not fit in the second case
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


# -- which are meant ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which dead letters are meant; those that meet every condition given.

    Attributes:
        listener, event, error: names, or patterns with `*` and `?`; "" for any.
        event_ids, numbers: any of these; nothing in both for any.
        since, until: limits of the time of the last failure, the second one exclusive.
    """

    listener: str = ""
    event: str = ""
    error: str = ""
    event_ids: frozenset[str] = frozenset()
    numbers: frozenset[int] = frozenset()
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, letter: Letter) -> bool:
        """Whether a dead letter is meant."""
        return all(self._conditions(letter))

    def _conditions(self, letter: Letter) -> Iterator[bool]:
        for pattern, value in (
            (self.listener, letter.place.listener),
            (self.event, letter.event),
            (self.error, letter.failure.error),
        ):
            yield not pattern or fnmatch.fnmatchcase(value, pattern)
        if self.event_ids or self.numbers:
            yield letter.event_id in self.event_ids or letter.number in self.numbers
        yield self.since is None or letter.last_failed >= self.since
        yield self.until is None or letter.last_failed < self.until
