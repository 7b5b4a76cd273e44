"""Payloads that prove a finding: the validator accepts them for one version and refuses them for the other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lightbus.errors import SchemaError
from lightbus.schema.language.keywords import UNIONS
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.proof.contract import Contract

_MAX_TRIED = 120
_MAX_WORK = 1_000_000
"""JSON values in the payloads that are tried for one obstacle."""
_MAX_OF_EVENT = 20_000_000
"""JSON values in the payloads that are tried for one event; later obstacles have no proof."""


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
        most: how many JSON values the payloads may have in all.
    """

    def __init__(self, writer: Contract, reader: Contract, obstacle: Obstacle, most: int) -> None:
        self._writer, self._reader, self._obstacle, self._most = writer, reader, obstacle, most
        self.work = 0

    def witness(self) -> Witness | None:
        """Return the first payload that proves the obstacle, reduced to what is needed."""
        try:
            for payload in itertools.islice(self._obstacle.payloads(), _MAX_TRIED):
                size = sum(1 for _ in _values(payload))
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
        for error in self._reader.errors(payload) if self._writer.writes(payload) else ():
            if _is_about(error, self._obstacle):
                place = ".".join(str(step) for step in error.instance_path)
                return f"{place}: {error.message}" if place else str(error.message)
        return ""

    def _minimized(self, payload: Any, size: int) -> Any:
        """Return a payload without the properties that are not needed for it to prove the obstacle."""
        small = json.loads(json.dumps(payload))
        is_done = False
        while not is_done:
            is_done = True
            for holder, name in list(_properties(small)):
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


def _is_about(error: Any, obstacle: Obstacle) -> bool:
    """Whether an error of the validator is at the place of an obstacle, and not elsewhere in the payload."""
    path, kind = [str(step) for step in error.instance_path], error.kind.name
    expected = [str(step) for step in obstacle.path]  # the validator reports a key "1" as an index
    if kind in UNIONS:
        return expected[: len(path)] == path
    if obstacle.kind == "opaque":
        return path[: len(expected)] == expected
    if obstacle.kind in ("required", "required_new"):
        return path == expected and kind == "required" and obstacle.name in error.message
    return path == expected and (kind != "required" or obstacle.kind == "dependency")


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
