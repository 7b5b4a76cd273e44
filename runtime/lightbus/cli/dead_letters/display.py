"""A dead letter as people and programs read it: a row of a table, in full, as JSON. Pure.

Control characters of an event are escaped, because a terminal would obey them.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from lightbus.cli.terminal.times import format_time
from lightbus.event.dead_letter import DeadLetter
from lightbus.foreign import escaped

COLUMNS = ("NUMBER", "FAILED", "LISTENER", "EVENT", "ATTEMPTS", "ERROR")
SUMMARY_COLUMNS = ("COUNT", "LAST FAILED", "LISTENER", "EVENT", "DIGEST", "ERROR")


def row(dead_letter: DeadLetter) -> tuple[str, ...]:
    """Return the cells of a dead letter, below `COLUMNS`."""
    return (
        str(dead_letter.number),
        format_time(dead_letter.last_failed),
        dead_letter.place.listener or "?",
        dead_letter.event or "?",
        str(dead_letter.attempts),
        _error(dead_letter),
    )


class Summary:
    """Counts failures of the same kind: of one listener, with one event, at one place in the code."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._latest: dict[tuple[str, str, str], DeadLetter] = {}

    def add(self, dead_letter: DeadLetter) -> None:
        """Count a dead letter; they come in the order of their failures."""
        self._counts[dead_letter.kind] += 1
        self._latest[dead_letter.kind] = dead_letter

    def rows(self) -> list[tuple[str, ...]]:
        """Return the cells of each kind of failure, the most frequent first, with the error of the latest."""
        return [
            (
                str(count),
                format_time(latest.last_failed),
                latest.place.listener or "?",
                latest.event or "?",
                latest.failure.digest or "-",
                _error(latest),
            )
            for latest, count in self._kinds()
        ]

    def facts(self) -> list[dict[str, Any]]:
        """Return the same for programs."""
        return [
            {
                "count": count,
                "last_failed": format_time(latest.last_failed),
                "listener": latest.place.listener,
                "event": latest.event,
                "error": latest.failure.error,
                "digest": latest.failure.digest,
                "reason": latest.failure.reason,
            }
            | _unreadable(latest)
            for latest, count in self._kinds()
        ]

    def _kinds(self) -> Iterator[tuple[DeadLetter, int]]:
        return ((self._latest[kind], count) for kind, count in self._counts.most_common())


def full(dead_letter: DeadLetter) -> str:
    """Return everything that is known of a dead letter, for people."""
    place, failure = dead_letter.place, dead_letter.failure
    attempts, failed = str(dead_letter.attempts), format_time(dead_letter.last_failed)
    if dead_letter.replays:
        attempts += f", replayed {dead_letter.replays} time{'s' if dead_letter.replays > 1 else ''}"
        failed += f", for the first time {format_time(dead_letter.first_failed)}"
    facts = {
        "event": dead_letter.event or "?",
        "id": dead_letter.event_id or "?",
        "listener": place.listener or "?",
        "problem": dead_letter.problem,
        "reason": failure.reason or "?",
        "error": f"{failure.error} (digest {failure.digest})" if failure.error else "",
        "attempts": attempts,
        "failed": failed,
        "stored": f"{format_time(place.stored)}, stream {place.stream or '?'}, sequence {place.sequence}",
        "subject": dead_letter.subject,
    }
    lines = [click.style(f"dead letter {dead_letter.number}", bold=True)]
    lines += [f"  {name:9} {escaped(value)}" for name, value in facts.items() if value]
    if dead_letter.headers:
        lines.append(click.style("headers", bold=True))
        lines += [f"  {escaped(name)}: {escaped(value)}" for name, value in dead_letter.headers.items()]
    if failure.traceback:
        lines.append(click.style("traceback", bold=True))
        lines += [f"  {escaped(line)}" for line in failure.traceback.splitlines()]
    lines.append(click.style(f"body, {len(dead_letter.body):,} bytes", bold=True))
    lines += [f"  {line}" for line in _body(dead_letter.body)]
    return "\n".join(lines)


def facts(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter for programs, without the event itself."""
    place, failure = dead_letter.place, dead_letter.failure
    return {
        "number": dead_letter.number,
        "listener": place.listener,
        "event": dead_letter.event,
        "id": dead_letter.event_id,
        "reason": failure.reason,
        "error": failure.error,
        "digest": failure.digest,
        "attempts": dead_letter.attempts,
        "replays": dead_letter.replays,
        "first_failed": format_time(dead_letter.first_failed),
        "last_failed": format_time(dead_letter.last_failed),
        "stored": format_time(place.stored),
        "stream": place.stream,
        "sequence": place.sequence,
        "subject": dead_letter.subject,
    } | _unreadable(dead_letter)


def full_facts(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return everything for programs: `body` holds the bytes in base64, `content` their value if they are JSON."""
    return {
        **facts(dead_letter),
        "traceback": dead_letter.failure.traceback,
        "headers": dict(dead_letter.headers),
        "body": base64.b64encode(dead_letter.body).decode(),
        "content": _parsed(dead_letter.body),
    }


def _unreadable(dead_letter: DeadLetter) -> dict[str, Any]:
    return {"unreadable": dead_letter.problem} if dead_letter.problem else {}


def _error(dead_letter: DeadLetter) -> str:
    """Return the error's class and the reason, which often begins with it."""
    if dead_letter.problem:
        return f"unreadable: {dead_letter.problem}"
    kind, reason = dead_letter.failure.error, dead_letter.failure.reason
    return f"{kind}: {reason}" if kind and not reason.startswith(kind) else reason or "?"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _body(body: bytes) -> list[str]:
    """Return the lines of a body: JSON with indents, other text as it is."""
    content = _parsed(body)
    if content is not None:
        return [escaped(line) for line in json.dumps(content, indent=2, ensure_ascii=False).splitlines()]
    try:
        return [escaped(line) for line in body.decode().splitlines()]
    except UnicodeDecodeError:
        return ["not text; --format json has its bytes in base64"]
