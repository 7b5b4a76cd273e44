"""Payloads that prove a finding: one version writes them and the other refuses them, says the validator."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lightbus.errors import SchemaError
from lightbus.schema import open_schema
from lightbus.schema.reference import Document, Node
from lightbus_gen.compat.obstacles import Obstacle
from lightbus_gen.compat.opinion import covers
from lightbus_gen.compat.versions import Version
from lightbus_gen.sources import ApiSource, EventSource

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


class Contract:
    """The payload of an event in one version, checked as the run time checks it.

    Args:
        version: the version.
        api, event: the event.
    """

    def __init__(self, version: Version, api: ApiSource, event: EventSource) -> None:
        self._version, self._api, self._event = version, api, event.name
        self._source = event

    @cached_property
    def _documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._version.documents(self._api, self._source)

    @cached_property
    def _written(self) -> Any:
        return self._validator(self._documents[0])

    @cached_property
    def _opened(self) -> Any:
        return self._validator(self._documents[1])

    def _validator(self, document: dict[str, Any]) -> Any:
        node = _payload(document, self._event)
        return node.document.validator(node)

    def writes(self, payload: Any) -> bool:
        """Whether the payload is valid as an author of this version wrote the schema."""
        return bool(self._written.is_valid(payload))

    def refusal(self, payload: Any, obstacle: Obstacle) -> str:
        """Return why a listener of this version refuses a payload at an obstacle, "" if it does not."""
        if self._written.is_valid(payload) or self._opened.is_valid(payload):
            return ""
        for error in self._opened.iter_errors(payload):
            if _is_about(error, obstacle):
                place = ".".join(str(step) for step in error.instance_path)
                return f"{place}: {error.message}" if place else str(error.message)
        return ""

    def covers(self, writer: Contract) -> bool:
        """Whether the second opinion is sure that all that another version writes is taken."""
        return covers(open_schema(self._payload_schema), writer._payload_schema)

    @property
    def _payload_schema(self) -> Any:
        document = self._documents[0]
        shared = {key: document[key] for key in ("$schema", "$defs") if key in document}
        parameters = document["events"][self._event]["parameters"]
        return {**shared, **parameters} if isinstance(parameters, dict) else parameters


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
            if writer.writes(payload) and reader.refusal(payload, obstacle):
                small = _shrunk(payload, lambda it: writer.writes(it) and bool(reader.refusal(it, obstacle)))
                return Witness(small, reader.refusal(small, obstacle))
    except (SchemaError, ValueError, RecursionError):  # what cannot be compiled is reported elsewhere
        return None
    return None


def _is_about(error: Any, obstacle: Obstacle) -> bool:
    """Whether an error of the validator is at the place of an obstacle, rather than somewhere else in the payload."""
    path, kind = [str(step) for step in error.instance_path], error.kind.name
    wanted = [str(step) for step in obstacle.path]  # the validator takes a key "1" for an index
    if kind in ("anyOf", "oneOf"):
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


def _payload(document: dict[str, Any], event: str) -> Node:
    parameters = document["events"][event]["parameters"]
    if isinstance(parameters, dict) and ("$id" in parameters or "$schema" in parameters):
        return Document(parameters, event).root
    return Document(document, event).at("/events/" + event + "/parameters")
