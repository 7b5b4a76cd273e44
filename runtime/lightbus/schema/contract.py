"""The contract of one event: validates and encodes its payload when fired, validates and decodes it when received.

The writer is closed: `encode` refuses what the schema does not declare. The reader is open: `decode`
accepts what a newer producer added, and passes on only what the schema declares.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec
from msgspec import UNSET

from lightbus.api import NO_DEFAULT, Api, Event
from lightbus.errors import InvalidEvent, InvalidEventArguments, Problem, SchemaError
from lightbus.schema.language.misfits import Misfits
from lightbus.schema.language.node import MAX_CHAIN, Node
from lightbus.schema.language.reference import Document
from lightbus.schema.language.ways import TOO_MANY_WAYS
from lightbus.schema.payload.conversion import Converter, Unconvertible, conversion
from lightbus.schema.payload.limits import (
    JSON_SCALARS,
    MAX_DEPTH,
    Oversized,
    are_json_scalars,
    is_json_scalar,
    is_too_deep,
    least_size,
    not_json,
)
from lightbus.schema.payload.parameters import instead, is_deprecated, parameter_contracts, payload
from lightbus.schema.payload.problems import explain, listed, path_text, short, undeclared_problem
from lightbus.schema.payload.pruning import prune, without
from lightbus.schema.payload.undeclared import Finder, undeclared
from lightbus.schema.python.from_api import events_document
from lightbus.schema.python.values import converter, or_schema, plain

_TOO_DEEP = f"more than {MAX_DEPTH} levels of objects and arrays, counting the payload itself"


class EventContract:
    """An event's parameters, and the validation and conversion of its payload.

    A contract may be used from several threads.

    Attributes:
        api, event: names of the API and the event.
        full_name: both names, `auth.user_created`, which is the CloudEvents type.
        uri: URI of the schema, the CloudEvents `dataschema`.
        source: where the event is defined, such as `schemas/auth.json#/events/user_created`.
        description: the author's description, or "".
        parameters: the event's parameters, in the author's order.
        deprecated: whether the schema marks the event as deprecated.
        instead: what to use instead, after a colon, or "".
        more: the attribute of payload objects for further properties, or "" if the schema does not allow any.
    """

    def __init__(
        self,
        api: str,
        event: str,
        node: Node[Document],
        *,
        source: str,
        description: str = "",
        converters: Mapping[str, Converter | None] | None = None,
    ) -> None:
        """Create the contract of an event.

        Args:
            api: name of the API.
            event: name of the event.
            node: the payload's schema.
            source: where the event is defined.
            description: the author's description.
            converters: converters of JSON to Python values, by property; by default the schema's formats decide.

        Raises:
            SchemaError: the schema is invalid, a `$ref` does not resolve, or a chain of schemas is too long,
                or too many ways lead to the same schemas.
        """
        self.api, self.event, self.source, self.description = api, event, source, description
        if chain := node.document.long_chain:
            problem = f"more than {MAX_CHAIN} schemas in a row apply to the same value"
            raise SchemaError(problem, source=source, pointer=chain.pointer)
        if crowded := node.document.crowded:
            raise SchemaError(TOO_MANY_WAYS, source=source, pointer=crowded.pointer)
        self._node = node
        self.deprecated, self.instead = is_deprecated(node), instead(node)
        self._written = node.document.validator(node)  # the schema as its author wrote it
        self._payload = payload(node)
        self.parameters = parameter_contracts(self._payload)
        self._names = {parameter.wire: parameter.name for parameter in self.parameters}
        self._wires = {parameter.name: parameter.wire for parameter in self.parameters}
        self._defaults = [(p.wire, p.default) for p in self.parameters if p.default is not NO_DEFAULT]
        self._is_renamed = self._names.keys() != self._wires.keys()
        self._declared_converters = converters
        self.full_name = f"{api}.{event}"
        self.uri = f"lightbus:{api}#/events/{event}"
        self.more = "more" if self._payload.is_open else ""
        while self.more in self._wires:
            self.more += "_"

    @classmethod
    def of_event(cls, api: type[Api], event: Event) -> EventContract:
        """Create the contract of an event defined in Python, whose values become the declared types.

        Raises:
            DefinitionError: a parameter's type or default cannot be used.
        """
        source = f"{api.__module__}.{api.__qualname__}"
        document = Document(events_document(api, (event,)), source)
        return cls(
            api.api_name,
            event.name,
            document.at(f"/events/{event.name}/parameters"),
            source=f"{source}.{event.name}",
            description=event.description,
            converters={parameter.name: converter(parameter.type) for parameter in event.parameters},
        )

    @property
    def signature(self) -> str:
        """The signature of `fire()` as text: `fire(*, username: str, referrer: str = ...)`."""
        parameters = ["*"] if self.parameters else []
        parameters += [f"{p.name}: {p.annotation}{'' if p.required else ' = ...'}" for p in self.parameters]
        if self.more:
            parameters.append(f"**{self.more}")
        return f"fire({', '.join(parameters)})"

    def split(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split values by Python name into those of declared properties and the others."""
        declared = {name: value for name, value in values.items() if name in self._wires}
        return declared, {name: value for name, value in values.items() if name not in declared}

    def by_wire_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return arguments by wire name; a property may be given by its wire name or its Python name."""
        return {self._wires.get(name, name): value for name, value in arguments.items()}

    def further(self, more: Mapping[str, object]) -> Mapping[str, object]:
        """Return undeclared properties to be fired with the parameters.

        Raises:
            InvalidEventArguments: one has the Python or wire name of a parameter.
        """
        problems = [
            Problem(
                name,
                f"is the parameter {self._names.get(name, name)!r}, not a further property",
                "unexpected",
            )
            for name in more
            if name in self._names or name in self._wires
        ]
        if problems:
            raise InvalidEventArguments(self.api, self.event, problems, signature=self.signature)
        return more

    def encode(self, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Validate the arguments of `fire()` and return the payload.

        Args:
            arguments: Python values by wire name; `UNSET` counts as absent.

        Returns:
            JSON values by wire name, defaults filled in.

        Raises:
            InvalidEventArguments: with the first 20 problems.
        """
        return self.prepare(arguments)[0]

    def prepare(
        self, arguments: Mapping[str, object], most: float = math.inf
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Validate the arguments of `fire()`, as `encode` does.

        Args:
            arguments: as in `encode`.
            most: the bytes of JSON that are converted; a value may be in so many places that it has far more.

        Returns:
            The payload, and its values by Python name, each as the caller passed it.

        Raises:
            InvalidEventArguments: as in `encode`.
            Oversized: the arguments have more bytes.
        """
        data: dict[str, Any]
        rich: list[str] = []
        if are_scalars := are_json_scalars(arguments):
            data = {**arguments}
        else:
            data = {wire: value for wire, value in arguments.items() if value is not UNSET}
            rich = [wire for wire, value in data.items() if not is_json_scalar(value)]
        for wire, default in self._defaults:
            if wire not in data:
                data[wire] = _fresh(default)
        problems = self._simplify(data, rich, most) if rich else []
        if not self._payload.is_closed and not data.keys() <= self._names.keys():
            absent = [name for wire, name in self._names.items() if wire not in data]
            problems += listed(
                undeclared_problem((wire,), absent) for wire in data if not self._payload.allows(wire)
            )
        try:
            if self._search:
                problems += listed(
                    undeclared_problem(each.path, each.declared, self._names) for each in self._search(data)
                )
            is_valid = not problems and self._written.is_valid(data)
            if is_valid and self._reading:
                problems += self._unreadable(self._reading, data)
            if is_valid and not problems:
                if are_scalars and not self._is_renamed:
                    return data, data
                return data, self.by_python_name(arguments, data)
            reported = {problem.path for problem in problems}
            explained = explain(self._misfits, data, self._names, self._hints)
            problems += [problem for problem in explained if problem.path not in reported]
        except ValueError as error:  # a name that is not Unicode text
            problems.append(Problem("", f"cannot be written as JSON: {error}", "type"))
        raise InvalidEventArguments(self.api, self.event, listed(problems), signature=self.signature)

    def by_python_name(
        self, arguments: Mapping[str, object], data: Mapping[str, object]
    ) -> dict[str, object]:
        """Return data by Python name, each value as it is among the arguments, if it is there."""
        values, names = dict[str, object](), self._names
        for wire, value in data.items():
            argument = arguments.get(wire, UNSET)
            values[names.get(wire, wire)] = value if argument is UNSET else argument
        return values

    def decode(self, data: object) -> dict[str, Any]:
        """Validate the payload of a received event and return its Python values.

        Args:
            data: JSON value of the event's `data`.

        Returns:
            Values by Python name: those the schema declares or explicitly allows, defaults filled in. An undeclared
            property that has the Python name of a parameter is left out.

        Raises:
            InvalidEvent: with every problem.
        """
        if not isinstance(data, dict):
            raise self._invalid([Problem("", f"the payload is not an object but {short(data)}", "type")])
        if not JSON_SCALARS.issuperset(map(type, data.values())) and is_too_deep(data):
            raise self._invalid([Problem("", f"the payload has {_TOO_DEEP}", "depth")])
        try:
            if self._written.is_valid(data):
                if self._is_simple and data.keys() == self._names.keys():
                    return data
            else:
                data = self._declared(data)
            if self._search and (extra := [each.path for each in self._search(data)]):
                data = without(data, extra)
            if self._defaults:
                missing = {wire: _fresh(default) for wire, default in self._defaults if wire not in data}
                data = {**data, **missing} if missing else data
            if self._whole:
                whole: dict[str, Any] = self._whole(data)
                data = whole
            if data.keys() == self._names.keys() and not self._is_renamed:
                values = {**data}
            else:
                values = {name: data[wire] for wire, name in self._names.items() if wire in data}
            if self.more:
                for wire in data:
                    if wire not in self._names and wire not in self._wires and self._payload.allows(wire):
                        values[wire] = data[wire]
            if self._converters:
                self._convert(values)
        except Unconvertible as error:
            raise self._invalid([_unconvertible(error)]) from None
        except UnicodeEncodeError as error:  # an unpaired surrogate, which no event on the wire can have
            raise self._invalid([Problem("", f"the payload is not Unicode text: {error}", "type")]) from None
        except RecursionError:  # Python's stack was nearly full before
            raise self._invalid([Problem("", "the payload is nested too deeply", "conversion")]) from None
        return values

    @cached_property
    def _search(self) -> Finder | None:
        """The search for undeclared properties inside the payload, compiled for the first event."""
        return undeclared(self._node)

    @cached_property
    def _misfits(self) -> Misfits:
        """The misfits with the schema as written, for what it refuses."""
        return Misfits(self._node)

    @cached_property
    def _opened(self) -> Misfits:
        """The misfits with the opened schema, compiled for the first event that needs it."""
        opened = self._node.document.opened
        is_changed = opened.schema != self._node.document.schema
        return Misfits(opened.at(self._node.pointer)) if is_changed else self._misfits

    @cached_property
    def _converters(self) -> list[tuple[str, str, Converter]]:
        """(wire name, Python name, converter) of the properties to convert, compiled for the first event received."""
        declared = self._declared_converters
        properties = {} if declared is None and self._is_varied else self._payload.properties
        if declared is None:
            converters = {wire: conversion(nodes) for wire, nodes in properties.items()}
        else:
            converters = {
                wire: or_schema(convert, conversion(properties[wire], formats=convert is not None))
                for wire, convert in declared.items()
            }
        return [(wire, self._names[wire], convert) for wire, convert in converters.items() if convert]

    @cached_property
    def _reading(self) -> Converter | None:
        """Converter of the whole payload, by the schema alone."""
        return conversion([self._node])

    @property
    def _whole(self) -> Converter | None:
        """Converter of the whole payload, if its properties cannot be converted one by one."""
        return self._reading if self._is_varied and self._declared_converters is None else None

    @cached_property
    def _is_simple(self) -> bool:
        """Whether handlers get a payload with all properties, and no others, unchanged."""
        return not (self._is_renamed or self._search or self._whole or self._converters)

    @cached_property
    def _is_varied(self) -> bool:
        return self._payload.is_open or any(any(part.choices()) for part in self._node.conjuncts())

    @property
    def _hints(self) -> dict[str, str]:
        return {parameter.wire: parameter.annotation for parameter in self.parameters}

    def _simplify(self, data: dict[str, Any], wires: Iterable[str], most: float) -> list[Problem]:
        """Replace some Python values by JSON values, or by None where that is impossible, and return the problems."""
        problems, size = [], 0
        for wire in wires:
            try:
                if (size := size + least_size(data[wire])) > most:
                    raise Oversized(size)
                data[wire] = plain(data[wire])
                if is_too_deep({wire: data[wire]}):
                    raise RecursionError
                reasons = list(not_json(data[wire], (wire,)))
            except RecursionError:
                reason = f"its values make {_TOO_DEEP}, or one contains itself"
                data[wire], reasons = None, [((wire,), reason)]
            except Oversized:
                raise
            except Exception as error:  # anything that a __to_bus__ raises
                reason = f"{short(data[wire])} cannot be written as JSON: {error}"
                data[wire], reasons = None, [((wire,), reason)]
            problems += [Problem(path_text(path, self._names), reason, "type") for path, reason in reasons]
        return problems

    def _unreadable(self, convert: Converter, data: dict[str, Any]) -> list[Problem]:
        """Return the problem of a valid payload that no listener could convert, such as a leap second."""
        try:
            convert(data)
        except Unconvertible as error:
            return [_unconvertible(error, names=self._names)]
        return []

    def _declared(self, data: dict[str, Any]) -> dict[str, Any]:
        """Drop what the schema as written does not declare.

        Raises:
            InvalidEvent: the opened schema also refuses the data.
        """
        if self._opened is self._misfits or not self._opened.is_valid(data):
            raise self._invalid(explain(self._opened, data, {}, self._hints))
        if self._payload.is_closed and not self._payload.is_open:
            data = {wire: value for wire, value in data.items() if wire in self._names}
        return data if self._written.is_valid(data) else prune(data, self._misfits)

    def _convert(self, values: dict[str, Any]) -> None:
        problems = []
        for wire, name, convert in self._converters:
            if name not in values:
                continue
            try:
                values[name] = convert(values[name])
            except Unconvertible as error:
                problems.append(_unconvertible(error, wire))
            except msgspec.ValidationError as error:
                reason, _, path = str(error).partition(" - at `$")
                problems.append(Problem(wire + path.rstrip("`"), reason, "conversion"))
        if problems:
            raise self._invalid(problems)

    def _invalid(self, problems: Sequence[Problem]) -> InvalidEvent:
        return InvalidEvent(self.api, self.event, problems)

    def __repr__(self) -> str:
        return f"<EventContract {self.full_name} from {self.source}>"


def _unconvertible(error: Unconvertible, *outer: str, names: Mapping[str, str] | None = None) -> Problem:
    path = path_text((*outer, *error.path), names)
    return Problem(path, f"{short(error.value)} {error.reason}", "conversion")


def _fresh(default: object) -> Any:
    return default if type(default) in JSON_SCALARS else copy.deepcopy(default)
