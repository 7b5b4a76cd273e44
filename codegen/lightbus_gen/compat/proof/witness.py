"""Payloads that prove a finding: one version writes them and the other refuses them, says the validator."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lightbus.errors import SchemaError
from lightbus.schema.language.keywords import UNIONS
from lightbus_gen.compat.fit.obstacles import Obstacle
from lightbus_gen.compat.proof.contract import Contract

_MOST_TRIED = 120


@dataclass(frozen=True, slots=True)
class Witness:
    """A payload that one side accepts and the other refuses.

    Attributes:
        payload: the payload.
        refusal: what the refusing side says about it.
    """

    payload: Any
    refusal: str


class Proofs:
    """Finds payloads that prove obstacles in one direction; one at the same place of a shared type only once."""

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Witness] = {}

    def find(self, writer: Contract, reader: Contract, obstacle: Obstacle) -> Witness | None:
        """Return a payload that proves an obstacle, of this event or another; None if none is found.

        Args:
            writer: the version that sends.
            reader: the version that refuses.
            obstacle: what to prove.
        """
        place = (*obstacle.reader.key, obstacle.reader_keyword, *obstacle.writer.key, obstacle.writer_keyword)
        key = (*place, obstacle.kind, obstacle.name)
        if key not in self._found:
            found = _find(writer, reader, obstacle)
            if found is None:
                return None
            self._found[key] = found
        return self._found[key]


def _find(writer: Contract, reader: Contract, obstacle: Obstacle) -> Witness | None:
    """Return the first payload that proves an obstacle, made as small as it can be."""
    try:
        for payload in itertools.islice(obstacle.payloads(), _MOST_TRIED):
            if writer.writes(payload) and _refusal(reader, payload, obstacle):
                small = _shrunk(
                    payload, lambda it: writer.writes(it) and bool(_refusal(reader, it, obstacle))
                )
                return Witness(small, _refusal(reader, small, obstacle))
    except (SchemaError, ValueError, RecursionError):  # what cannot be compiled is reported elsewhere
        return None
    return None


def _refusal(reader: Contract, payload: Any, obstacle: Obstacle) -> str:
    """Return why a listener refuses a payload at an obstacle, "" if it does not."""
    for error in reader.errors(payload):
        if _is_about(error, obstacle):
            place = ".".join(str(step) for step in error.instance_path)
            return f"{place}: {error.message}" if place else str(error.message)
    return ""


def _is_about(error: Any, obstacle: Obstacle) -> bool:
    """Whether an error of the validator is at the place of an obstacle, rather than somewhere else in the payload."""
    path, kind = [str(step) for step in error.instance_path], error.kind.name
    wanted = [str(step) for step in obstacle.path]  # the validator takes a key "1" for an index
    if kind in UNIONS:
        return wanted[: len(path)] == path
    if obstacle.kind == "opaque":
        return path[: len(wanted)] == wanted
    if obstacle.kind in ("required", "required_new"):
        return path == wanted and kind == "required" and obstacle.name in error.message
    return path == wanted and (kind != "required" or obstacle.kind == "dependency")


def _shrunk(payload: Any, still_shows: Callable[[Any], bool]) -> Any:
    """Leave out the properties that play no part."""
    small = copy.deepcopy(payload)
    is_done = False
    while not is_done:
        is_done = True
        for holder, name in list(_properties(small)):
            if name not in holder:
                continue
            kept = dict(holder)
            del holder[name]
            if still_shows(small):
                is_done = False
            else:
                holder.clear()
                holder.update(kept)
    return small


def _properties(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield value, name
            yield from _properties(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _properties(inner)
