"""How APIs, events, services and listeners are named on the server, in one place.

Every stream, subject and durable of the wire contract (docs/protocol.md) is spelled by a function
of this module and nowhere else. Identifiers are ASCII, so each name is one NATS token.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DEFAULT_PREFIX = "lightbus"

ADMIN = "lightbus-admin"  # the NATS user for commands

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SERVICE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_MAX_DURABLE = 128  # characters; it is part of every acknowledgement subject, so kept short
_RESERVED_EVENTS = {"api_name", "api_version", "api_description", "api_events"}
_RESERVED_APIS = {"close", "close_async", "wait", "wait_async"}
# API names whose streams would be those of the dead letters
_RESERVED_STREAMS = {"dead.letters", "dead.letters.replays"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(
    r"[^.]+\.(?P<stream>[^.]+)\.(?P<listener>[^.]+)\.(?P<sequence>\d{1,19})\.(?P<stored>\d{1,17})"
    r"(?:\.(?P<number>[1-9]\d{0,18}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Place:
    """The event and the listener that the subject of a dead letter names.

    Attributes:
        stream, sequence, stored: where and when the event was stored. The time distinguishes the events of a
            stream from those of a new stream with the same name.
        listener: name of the durable that gave the event up.
    """

    stream: str
    listener: str
    sequence: int
    stored: datetime


def api_problem(name: str) -> str | None:
    """Return what is wrong with an API name, or None when it is valid."""
    if not name or not all(_IDENTIFIER.fullmatch(part) for part in name.split(".")):
        return f"{name!r} is not a valid API name; use identifiers joined by dots, such as 'shop.orders'"
    for part in name.split("."):
        if part.startswith("_"):
            return f"the part {part!r} of API name {name!r} begins with an underscore"
        if keyword.iskeyword(part):
            return f"the part {part!r} of API name {name!r} is a Python keyword"
        if part == "cached_property":
            return f"the part {part!r} of API name {name!r} is a name that generated packages need"
    if name.split(".")[0] in _RESERVED_APIS:
        return f"an API cannot be named {name!r}: bus.{name.split('.')[0]} is a method of the bus"
    if name in _RESERVED_STREAMS:
        return f"the API name {name!r} is reserved: its stream would be one of the dead letters' own"
    return None


def event_problem(name: str) -> str | None:
    """Return what is wrong with an event name, or None when it is valid."""
    if not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        return f"{name!r} is not a valid event name; use an identifier, such as 'user_created'"
    if name.startswith("_"):
        return f"event name {name!r} begins with an underscore"
    if name in _RESERVED_EVENTS:
        return f"an event cannot be named {name!r}, which is an attribute of every Api class"
    return None


def parameter_problem(name: str) -> str | None:
    """Return what is wrong with the name of a parameter defined in Python, or None."""
    if not name.isidentifier() or keyword.iskeyword(name):
        return f"{name!r} is not a Python identifier"
    return None


def listener_problem(name: str) -> str | None:
    """Return what is wrong with a listener name, or None when it is valid."""
    if not _IDENTIFIER.fullmatch(name):
        return f"{name!r} is not a valid listener_name; use an identifier, such as 'send_welcome_mail'"
    return None


def service_problem(name: str) -> str | None:
    """Return what is wrong with a service name, or None when it is valid."""
    if not _SERVICE.fullmatch(name):
        return f"{name!r} is not a valid service_name; use letters, digits, '_' and '-'"
    return None


def prefix_problem(name: str) -> str | None:
    """Return what is wrong with a prefix, or None when it is valid."""
    if not _SERVICE.fullmatch(name):
        return f"{name!r} is not a valid prefix; use letters, digits, '_' and '-'"
    return None


def stream(prefix: str, api: str) -> str:
    """Name the stream that keeps an API's events: `lightbus-shop-orders` for `shop.orders`."""
    return f"{prefix}-{api.replace('.', '-')}"


def stream_subjects(prefix: str, api: str) -> str:
    """Return the subject filter that an API's stream captures: `lightbus.shop.orders.*`."""
    return f"{prefix}.{api}.*"


def subject(prefix: str, api: str, event: str) -> str:
    """Name the subject an event is published on: `lightbus.auth.user_created`."""
    return f"{prefix}.{api}.{event}"


def durable(service_name: str, listener_name: str) -> str:
    """Name a listener's durable consumer: `mailer-welcome`, or `welcome` without a service name.

    A listener name holds no dash, so the last dash always separates the two parts.

    Raises:
        ValueError: the name is longer than 128 characters.
    """
    name = f"{service_name}-{listener_name}" if service_name else listener_name
    if len(name) > _MAX_DURABLE:
        raise ValueError(f"the durable name {name!r} has {len(name)} characters; at most {_MAX_DURABLE} fit")
    return name


def inbox_prefix(service_name: str) -> str:
    """Name the first token of a service's inboxes, which no other service may read: `_INBOX_mailer`."""
    return f"_INBOX_{service_name}" if service_name else "_INBOX"


def dead_letter_stream(prefix: str) -> str:
    """Name the stream that keeps dead letters: `lightbus-dead-letters`."""
    return f"{prefix}-dead-letters"


def dead_letter_subjects(prefix: str, durable_name: str = "", stream_name: str = "*") -> str:
    """Return the subject filter that the stream of dead letters captures, or the one for a single listener."""
    listener = f"{stream_name}.{durable_name}." if durable_name else ""
    return f"{dead_letter_stream(prefix)}.{listener}>"


def dead_letter_subject(prefix: str, place: Place) -> str:
    """Name the subject of one dead letter; one listener and event have exactly one."""
    return f"{dead_letter_stream(prefix)}.{_place_tokens(place)}"


def replay_stream(prefix: str) -> str:
    """Name the stream that returns dead letters to their listeners: `lightbus-dead-letters-replays`."""
    return f"{prefix}-dead-letters-replays"


def replay_subjects(prefix: str, durable_name: str = "", stream_name: str = "*") -> str:
    """Return the subject filter that the stream of replays captures, or the one for a single listener."""
    listener = f"{stream_name}.{durable_name}." if durable_name else ""
    return f"{replay_stream(prefix)}.{listener}>"


def replay_subject(prefix: str, place: Place, number: int) -> str:
    """Name the subject of the replay of one dead letter."""
    return f"{replay_stream(prefix)}.{_place_tokens(place)}.{number}"


def replay_durable(stream_name: str, durable_name: str) -> str:
    """Name the durable of a listener's replays: `mailer-welcome@lightbus-auth`."""
    return f"{durable_name}@{stream_name}"


def place_of(subject: str) -> tuple[Place, int] | None:
    """Parse the subject of a dead letter or replay; return None when it is neither.

    Returns:
        The place, and the dead letter's number, which is 0 in its own subject.
    """
    match = _PLACE.fullmatch(subject)
    if match is None:
        return None
    stored = _EPOCH + timedelta(microseconds=int(match["stored"]))
    place = Place(match["stream"], match["listener"], int(match["sequence"]), stored)
    return place, int(match["number"] or 0)


def _place_tokens(place: Place) -> str:
    stored = (place.stored - _EPOCH) // timedelta(microseconds=1)
    return f"{place.stream}.{place.listener}.{place.sequence}.{stored}"


def python_names(wire_names: Iterable[str]) -> dict[str, str]:
    """Map the property names of a payload to Python parameter names, in order.

    `class` becomes `class_`, `user-name` becomes `user_name`, `self` becomes `self_`, `2nd` becomes
    `_2nd`, `__a` becomes `_a`. A valid identifier always stays as it is; a changed name that collides with another
    gets underscores appended until it is free.
    """
    wires = list(wire_names)
    taken = {wire for wire in wires if _is_plain(wire)}
    names: dict[str, str] = {}
    for wire in wires:
        if wire in taken:
            names[wire] = wire
            continue
        name = re.sub(r"[^A-Za-z0-9_]", "_", wire, flags=re.ASCII) or "_"
        if name[0].isdigit() or name.startswith("__"):
            name = "_" + name.lstrip("_")
        if not _is_plain(name):
            name += "_"
        while name in taken:
            name += "_"
        taken.add(name)
        names[wire] = name
    return names


def _is_plain(name: str) -> bool:
    return (
        name.isidentifier()
        and (name.isascii() or unicodedata.normalize("NFKC", name) == name)  # as Python compares identifiers
        and not keyword.iskeyword(name)
        and name != "self"
        and not name.startswith("__")  # a class body would mangle it
    )
