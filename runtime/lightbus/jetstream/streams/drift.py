"""How a stream or durable on the server differs from what the bus needs, and the harm of it. Pure.

The tables below are the rules. A setting is listed for one of two reasons: the bus sets it when it creates the
resource, or a value other than the server's default breaks a promise of the bus. All other settings (replicas,
limits, placement, compression) are the operator's.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lightbus.jetstream.streams.resources import NANOSECONDS, Durable, Resource, Stream


class Way(enum.Enum):
    """How a difference is removed: by an update, by one that removes messages, or only by hand."""

    UPDATE = "update"
    DESTROYS = "destroys"
    BY_HAND = "by hand"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that differs from what the bus needs.

    Attributes:
        setting: its name.
        actual: its value on the server.
        expected: the value it should have.
        harm: the harm of the value on the server, "" when there is none.
        is_fatal: whether the bus refuses to work with it, because events would be lost.
        way: how it is removed.
    """

    setting: str
    actual: Any
    expected: Any
    harm: str = ""
    is_fatal: bool = False
    way: Way = Way.UPDATE

    @property
    def is_(self) -> str:
        """The value on the server, for people."""
        return _shown(self.setting, self.actual)

    @property
    def should_be(self) -> str:
        """The value it should have, for people."""
        return _shown(self.setting, self.expected)


@dataclass(frozen=True, slots=True)
class _DriftRule:
    """A setting to compare.

    Attributes:
        setting, harm, is_fatal, way: as in `Difference`.
        default: the value when the server omits the setting; the bus needs the same value unless the resource
            sets another one.
    """

    setting: str
    default: Any = None
    harm: str = ""
    is_fatal: bool = False
    way: Way = Way.UPDATE


_STREAM = (
    _DriftRule("retention", way=Way.BY_HAND),
    _DriftRule("storage", harm="a restart of the server loses the events", way=Way.BY_HAND),
    _DriftRule("discard"),
    _DriftRule("duplicate_window"),
    _DriftRule("allow_direct", False),
    _DriftRule(
        "max_msgs_per_subject",
        -1,
        "only the latest events are kept, whether listeners have seen the others or not",
    ),
    _DriftRule(
        "discard_new_per_subject",
        False,
        "a subject that has as many messages as the stream allows takes no more",
    ),
    _DriftRule("allow_rollup_hdrs", False, "one message with `Nats-Rollup: all` removes all others"),
    _DriftRule("allow_msg_counter", False, "the stream takes counters, and no events", True, Way.BY_HAND),
    _DriftRule("no_ack", False, "the server confirms no event, so that every fire() times out", True),
    _DriftRule("sealed", False, "the stream takes no more events", True, Way.BY_HAND),
    _DriftRule("persist_mode", "default", "an event is confirmed before it is written", way=Way.BY_HAND),
)
_DURABLE = (
    _DriftRule(
        "ack_policy",
        is_fatal=True,
        way=Way.BY_HAND,
        harm="something else created it: a listener acknowledges each event",
    ),
    _DriftRule(
        "deliver_subject",
        "",
        "something else created it: the server pushes, and listeners pull",
        True,
        Way.BY_HAND,
    ),
    _DriftRule("ack_wait"),
    _DriftRule(
        "max_deliver",
        -1,
        "after that many deliveries an event is given up without becoming a dead letter",
        True,
    ),
    _DriftRule("max_ack_pending"),
    _DriftRule(
        "inactive_threshold",
        0,
        "the server forgets the listener's position when nobody listens for that long",
        True,
    ),
    _DriftRule("backoff", (), "the server's waits take the place of the listener's own"),
    _DriftRule("headers_only", False, "events arrive without their bodies", True),
)


def differences(resource: Resource, config: Mapping[str, Any]) -> list[Difference]:
    """Compare a resource, as the bus creates it, with its configuration on the server."""
    if isinstance(resource, Stream):
        return [*_subjects(resource, config), *_compared(_STREAM, resource, config)]
    return [*_filter(resource, config), *_compared(_DURABLE, resource, config)]


def window_difference(config: Mapping[str, Any], timeout: float) -> Difference | None:
    """Return the difference of a stream that forgets ids while `fire()` may still retry, or None.

    Args:
        timeout: seconds for which `fire()` retries.
    """
    needed = _window(int(2 * timeout * NANOSECONDS), config)
    if config.get("duplicate_window", 0) >= needed:
        return None
    harm = f"a fire() that retries for up to {timeout:g} s may store its event twice"
    return Difference("duplicate_window", config.get("duplicate_window", 0), needed, harm)


def weaknesses(resource: Stream, info: Mapping[str, Any]) -> list[str]:
    """List what makes a stream less safe than its server allows, which an operator may have chosen."""
    cluster = info.get("cluster", {}).get("name")
    if cluster and info["config"].get("num_replicas", 1) == 1:
        return [
            f"{resource} keeps one replica in the cluster {cluster!r}: its events are lost with that server's disk."
            f" Keep three with: nats stream edit {resource.name} --replicas 3"
        ]
    return []


def covers(pattern: str, subjects: str) -> bool:
    """Whether a subject filter captures every subject that another one captures."""
    wide, narrow = pattern.split("."), subjects.split(".")
    for index, token in enumerate(wide):
        if token == ">":
            return len(narrow) > index
        if index >= len(narrow) or narrow[index] == ">" or token not in ("*", narrow[index]):
            return False
    return len(wide) == len(narrow)


def _subjects(resource: Stream, config: Mapping[str, Any]) -> Iterator[Difference]:
    (needed,) = resource.config["subjects"]
    captured = config.get("subjects") or []
    if not any(covers(pattern, needed) for pattern in captured):
        harm = f"events fired on {needed} are not stored"
        yield Difference("subjects", captured, [*captured, needed], harm, True)


def _filter(resource: Durable, config: Mapping[str, Any]) -> Iterator[Difference]:
    listened = config.get("filter_subject") or config.get("filter_subjects") or ""
    subject = resource.config["filter_subject"]
    if listened != subject:
        harm = f"it already listens to {listened!r}. Choose another listener_name, or remove it if nothing needs it"
        yield Difference("filter_subject", listened, subject, harm, True, Way.BY_HAND)


def _compared(
    rules: tuple[_DriftRule, ...], resource: Resource, config: Mapping[str, Any]
) -> Iterator[Difference]:
    for rule in rules:
        value = config.get(rule.setting, rule.default)
        target = resource.config.get(rule.setting, rule.default)
        if rule.setting == "duplicate_window":
            target = _window(target, config)
        if value != target and (value or target):
            yield _with_harm(
                Difference(rule.setting, value, target, rule.harm, rule.is_fatal, rule.way), config
            )


def _window(needed: int, config: Mapping[str, Any]) -> int:
    """Return the longest `duplicate_window`, up to the needed one, that the server accepts beside `max_age`."""
    return min(needed, config.get("max_age") or needed)


def _with_harm(difference: Difference, config: Mapping[str, Any]) -> Difference:
    """Complete a difference whose harm depends on the values."""
    match difference.setting, difference.actual, difference.expected:
        case "retention", "workqueue", _:
            return replace(
                difference, harm="the first listener that handles an event removes it", is_fatal=True
            )
        case "retention", "interest", "limits":
            harm = "an event is removed once the present listeners have handled it; later ones never get it"
            return replace(difference, harm=harm, way=Way.UPDATE)
        case "retention", _, "workqueue":
            return replace(difference, harm="replays stay after they have been handled", is_fatal=True)
        case "discard", "old", _ if config.get("allow_msg_counter"):
            return replace(difference, way=Way.BY_HAND)
        case "discard", "old", _ if _has_limit(config):
            return replace(
                difference, harm="at its limit, the stream drops events that listeners have not seen"
            )
        case "max_ack_pending", _, 1:
            return replace(difference, harm="events overtake one that waits for its retry", is_fatal=True)
        case "max_msgs_per_subject", _, 1:
            harm = "each failure of an event makes another dead letter"
            return replace(difference, harm=harm, way=Way.DESTROYS)
        case "discard_new_per_subject", _, True:
            harm = "an answer of the server that any client has sent to its subject replaces a dead letter"
            needs_limit = config.get("max_msgs_per_subject", -1) < 1
            way = Way.DESTROYS if needs_limit and not config.get("deny_purge") else _rollups_way(config)
            return replace(difference, harm=harm, way=way)
        case "allow_rollup_hdrs", _, True:
            return replace(difference, harm="", way=_rollups_way(config))
    return difference


def _rollups_way(config: Mapping[str, Any]) -> Way:
    """Return how to allow rollups, which purge a subject: a stream that denies purging does so for good."""
    return Way.BY_HAND if config.get("deny_purge") else Way.UPDATE


def _has_limit(config: Mapping[str, Any]) -> bool:
    return any(config.get(limit, -1) > 0 for limit in ("max_msgs", "max_bytes"))


_DURATIONS = ("duplicate_window", "ack_wait", "inactive_threshold", "backoff")


def _shown(setting: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(setting, part) for part in value) or "none"
    if setting in _DURATIONS:
        return duration(value)
    return str(value) if value not in ("", None) else "none"


def duration(nanoseconds: int) -> str:
    """Write a duration as the `nats` command takes it: `10m`, `30s`, `1.5s`."""
    seconds = nanoseconds / NANOSECONDS
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
