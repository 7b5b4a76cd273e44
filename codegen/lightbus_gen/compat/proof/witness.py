"""Payloads that prove a finding: the validator accepts them for one version and refuses them for the other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lightbus.errors import SchemaError
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.proof.contract import Contract
from lightbus_gen.compat.shapes.view import text_of

_MAX_TRIED = 120
_MAX_REMOVED = 50
"""Properties whose removal from one payload is tried."""
_MAX_WORK = 10_000_000
"""Characters of the payloads that are tried for one obstacle."""
_MAX_OF_EVENT = 200_000_000
"""Characters of the payloads that are tried for one event; later obstacles have no proof."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A payload that one side accepts and the other refuses.

    Attributes:
        payload: the payload.
        refusal: the error message of the side that refuses it.
    """

    payload: Any
    refusal: str


class Proofs:
    """Finds payloads that prove obstacles in one direction, and only one for each place in a shared type."""

    def __init__(self) -> None:
        self._witnesses: dict[tuple[object, ...], Witness] = {}
        self._left = 0

    def begin(self) -> None:
        """Begin with the obstacles of an event."""
        self._left = _MAX_OF_EVENT

    def find(self, writer: Contract, reader: Contract, obstacle: Obstacle) -> Witness | None:
        """Return a payload of this or another event that proves an obstacle; None if none is found.

        Args:
            writer: the version that sends.
            reader: the version that refuses.
            obstacle: the obstacle to prove.
        """
        place = (*obstacle.reader.key, *obstacle.writer.key, obstacle.keyword)
        key = (*place, obstacle.kind, obstacle.name)
        if key not in self._witnesses:
            trial = _Trial(writer, reader, obstacle, min(_MAX_WORK, self._left))
            witness = trial.witness()
            self._left -= trial.work
            if witness is None:
                return None
            self._witnesses[key] = witness
        return self._witnesses[key]


class _Trial:
    """Tries the payloads of one obstacle.

    Args:
        writer, reader, obstacle: as in `Proofs.find`.
        most: how many characters the payloads may have in all.
    """

    def __init__(self, writer: Contract, reader: Contract, obstacle: Obstacle, most: int) -> None:
        self._writer, self._reader, self._obstacle, self._most = writer, reader, obstacle, most
        self.work = 0

    def witness(self) -> Witness | None:
        """Return the first payload that proves the obstacle, reduced to what is needed."""
        try:
            for payload in itertools.islice(self._obstacle.payloads(), _MAX_TRIED):
                size = len(text_of(payload))
                if self.work + size > self._most:
                    return None
                can_check = self._writer.can_check(payload) and self._reader.can_check(payload)
                if can_check and self._refusal(payload, size):
                    small = self._minimized(payload, size)
                    return Witness(small, self._refusal(small, size))
        except (SchemaError, ValueError, RecursionError):  # what does not compile is reported elsewhere
            return None
        return None

    def _refusal(self, payload: Any, size: int) -> str:
        """Return the error with which a listener refuses a payload that is sent at the obstacle; "" if there is none."""
        self.work += size
        if not self._writer.writes(payload):
            return ""
        error = self._reader.errors(payload).about(self._obstacle)
        if error is None:
            return ""
        place = ".".join(str(step) for step in error.instance_path)
        return f"{place}: {error.message}" if place else str(error.message)

    def _minimized(self, payload: Any, size: int) -> Any:
        """Return a payload without the properties that are not needed for it to prove the obstacle."""
        small = json.loads(json.dumps(payload))
        is_done, left = False, _MAX_REMOVED
        while not is_done and left:
            is_done = True
            for holder, name in list(itertools.islice(_properties(small), left)):
                left -= 1
                if name not in holder:
                    continue
                if self.work + size > self._most:
                    return small
                previous = dict(holder)
                del holder[name]
                if self._refusal(small, size):
                    is_done = False
                else:
                    holder.clear()
                    holder.update(previous)
        return small


def _properties(payload: Any) -> Iterator[tuple[dict[str, Any], str]]:
    for value in _values(payload):
        if isinstance(value, dict):
            yield from ((value, name) for name in value)


def _values(payload: Any) -> Iterator[Any]:
    """Yield all JSON values in a payload, each before those in it."""
    todo = [payload]
    while todo:
        value = todo.pop()
        yield value
        if isinstance(value, (dict, list)):
            todo += reversed([*value.values()] if isinstance(value, dict) else value)
