"""Dead letters as people and programs read them: a table, one in full, JSON. Pure.

What comes from events is shown with its control characters escaped, as a terminal would obey them.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import click

from lightbus.cli.terminal.moments import moment
from lightbus.cli.terminal.tables import aligned, shown
from lightbus.event.dead_letter import DeadLetter

_COLUMNS = ("NUMBER", "FAILED", "LISTENER", "EVENT", "ATTEMPTS", "ERROR")
_SUMMARY_COLUMNS = ("COUNT", "LAST FAILED", "LISTENER", "EVENT", "DIGEST", "ERROR")
_BYTES_A_LINE = 16


def table(letters: Iterable[DeadLetter], width: int | None) -> list[str]:
    """Write one line a dead letter, below a heading.

    Args:
        letters: what to list.
        width: columns of the terminal, at which lines are cut; None for whole lines.
    """
    rows = [
        (
            str(letter.number),
            moment(letter.last_failed),
            letter.place.listener,
            letter.event or "?",
            str(letter.attempts),
            error(letter),
        )
        for letter in letters
    ]
    return aligned([_COLUMNS, *rows], width)


@dataclass(slots=True)
class Summary:
    """Counts failures of the same kind: of one listener, with one event, from one place in the code."""

    _counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _latest: dict[tuple[str, str, str], DeadLetter] = field(default_factory=dict)

    def add(self, letter: DeadLetter) -> None:
        """Count a dead letter; later ones come later."""
        kind = (letter.place.listener, letter.subject, letter.failure.digest or letter.failure.reason)
        self._counts[kind] += 1
        self._latest[kind] = letter

    def table(self, width: int | None) -> list[str]:
        """Write one line a kind of failure, the most frequent first; the error is that of the latest."""
        rows = [
            (
                str(count),
                moment(letter.last_failed),
                letter.place.listener,
                letter.event or "?",
                letter.failure.digest or "-",
                error(letter),
            )
            for kind, count in self._counts.most_common()
            for letter in (self._latest[kind],)
        ]
        return aligned([_SUMMARY_COLUMNS, *rows], width)

    def facts(self) -> list[dict[str, Any]]:
        """Return the same for programs."""
        return [
            {
                "count": count,
                "last_failed": moment(letter.last_failed),
                "listener": letter.place.listener,
                "event": letter.event,
                "error": letter.failure.error,
                "digest": letter.failure.digest,
                "reason": letter.failure.reason,
            }
            for kind, count in self._counts.most_common()
            for letter in (self._latest[kind],)
        ]


def full(letter: DeadLetter) -> str:
    """Write everything there is to know about a dead letter."""
    place, failure = letter.place, letter.failure
    again = f", replayed {letter.replays} time{'s' if letter.replays > 1 else ''}" if letter.replays else ""
    first = f", for the first time {moment(letter.first_failed)}" if letter.replays else ""
    facts = {
        "event": letter.event or "?",
        "id": letter.event_id or "?",
        "listener": place.listener,
        "reason": failure.reason or "?",
        "error": f"{failure.error} (digest {failure.digest})" if failure.error else "",
        "attempts": f"{letter.attempts}{again}",
        "failed": f"{moment(letter.last_failed)}{first}",
        "stored": f"{moment(place.stored)}, stream {place.stream}, sequence {place.sequence}",
        "subject": letter.subject,
    }
    lines = [click.style(f"dead letter {letter.number}", bold=True)]
    lines += [f"  {name:9} {shown(value)}" for name, value in facts.items() if value]
    if letter.headers:
        lines.append(click.style("headers", bold=True))
        lines += [f"  {shown(name)}: {shown(value)}" for name, value in letter.headers.items()]
    if failure.traceback:
        lines.append(click.style("traceback", bold=True))
        lines += [f"  {shown(line)}" for line in failure.traceback.splitlines()]
    lines.append(click.style(f"body, {len(letter.body):,} bytes", bold=True))
    lines += [f"  {line}" for line in _body(letter.body)]
    return "\n".join(lines)


def facts(letter: DeadLetter) -> dict[str, Any]:
    """Return what is known of a dead letter for programs, the event itself left out."""
    place, failure = letter.place, letter.failure
    return {
        "number": letter.number,
        "listener": place.listener,
        "event": letter.event,
        "id": letter.event_id,
        "reason": failure.reason,
        "error": failure.error,
        "digest": failure.digest,
        "attempts": letter.attempts,
        "replays": letter.replays,
        "first_failed": moment(letter.first_failed),
        "last_failed": moment(letter.last_failed),
        "stored": moment(place.stored),
        "stream": place.stream,
        "sequence": place.sequence,
        "subject": letter.subject,
    }


def full_facts(letter: DeadLetter) -> dict[str, Any]:
    """Return everything for programs: `body` holds the bytes in base64, `content` what they say if they are JSON."""
    return {
        **facts(letter),
        "traceback": letter.failure.traceback,
        "headers": dict(letter.headers),
        "body": base64.b64encode(letter.body).decode(),
        "content": _parsed(letter.body),
    }


def error(letter: DeadLetter) -> str:
    """Name the error's class and the reason, which often begins with it."""
    kind, reason = letter.failure.error, letter.failure.reason
    return f"{kind}: {reason}" if kind and not reason.startswith(kind) else reason or "?"


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _body(body: bytes) -> list[str]:
    """Write a body readably: JSON with indents, other text line by line, bytes as numbers."""
    content = _parsed(body)
    if content is not None:
        return [shown(line) for line in json.dumps(content, indent=2, ensure_ascii=False).splitlines()]
    try:
        return [shown(line) for line in body.decode().splitlines()]
    except UnicodeDecodeError:
        return _dump(body)


def _dump(body: bytes) -> list[str]:
    """Write bytes as hexadecimal numbers, with the ASCII characters among them beside."""
    lines = []
    for start in range(0, len(body), _BYTES_A_LINE):
        part = body[start : start + _BYTES_A_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):{3 * _BYTES_A_LINE}} {text}")
    return lines
