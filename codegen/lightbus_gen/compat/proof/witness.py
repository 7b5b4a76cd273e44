"""Payloads that prove a finding: the validator accepts them for one version and refuses them for the other."""

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

_MAX_TRIED = 120


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
            witness = _find(writer, reader, obstacle)
            if witness is None:
                return None
            self._witnesses[key] = witness
        return self._witnesses[key]


def _find(writer: Contract, reader: Contract, obstacle: Obstacle) -> Witness | None:
    """Return the first payload that proves an obstacle, reduced to what is needed."""
    try:
        for payload in itertools.islice(obstacle.payloads(), _MAX_TRIED):
            if writer.writes(payload) and _refusal(reader, payload, obstacle):
                small = _minimized(
                    payload, lambda p: writer.writes(p) and bool(_refusal(reader, p, obstacle))
                )
                return Witness(small, _refusal(reader, small, obstacle))
    except (SchemaError, ValueError, RecursionError):  # a schema that does not compile is reported elsewhere
        return None
    return None


def _refusal(reader: Contract, payload: Any, obstacle: Obstacle) -> str:
    """Return the error with which a listener refuses a payload at an obstacle; "" if there is none."""
    for error in reader.errors(payload):
        if _is_about(error, obstacle):
            place = ".".join(str(step) for step in error.instance_path)
            return f"{place}: {error.message}" if place else str(error.message)
    return ""


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


def _minimized(payload: Any, is_witness: Callable[[Any], bool]) -> Any:
    """Return a payload without the properties that are not needed for it to prove the obstacle."""
    small = copy.deepcopy(payload)
    is_done = False
    while not is_done:
        is_done = True
        for holder, name in list(_properties(small)):
            if name not in holder:
                continue
            previous = dict(holder)
            del holder[name]
            if is_witness(small):
                is_done = False
            else:
                holder.clear()
                holder.update(previous)
    return small


def _properties(value: Any) -> Iterator[tuple[dict[str, Any], str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield value, name
            yield from _properties(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _properties(inner)
