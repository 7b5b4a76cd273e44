"""What one event carries: checked and made JSON when fired, checked and made Python when received.

The writer is closed: `encode` refuses what the schema does not declare. The reader is open: `decode`
accepts what a newer producer added, and passes on only what the schema declares.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import jsonschema_rs
import msgspec
from msgspec import UNSET

from lightbus.api import NO_DEFAULT, Api, Event
from lightbus.errors import InvalidEvent, InvalidEventArguments, Problem, did_you_mean
from lightbus.schema.language.node import Node
from lightbus.schema.language.openness import prune
from lightbus.schema.language.reference import Document
from lightbus.schema.payload.conversion import Converter, Unconvertible, conversion
from lightbus.schema.payload.limits import MAX_DEPTH, has_many, is_too_deep, is_too_long
from lightbus.schema.payload.parameters import is_deprecated, parameter_contracts, payload
from lightbus.schema.payload.problems import explain, explain_one, not_json, path_text, short
from lightbus.schema.payload.undeclared import Finder, undeclared, without
from lightbus.schema.python.from_api import events_document
from lightbus.schema.python.values import converter, or_whole, plain

_TOO_DEEP = f"is nested deeper than {MAX_DEPTH} levels"
_JSON_SCALARS = frozenset((str, int, bool, type(None)))


class EventContract:
    """An event's parameters and the checks on its payload.

    A contract may be used from several threads.

    Attributes:
        api, event: names.
        full_name: both, `auth.user_created`, the CloudEvents type.
        uri: URI of the schema, the CloudEvents `dataschema`.
        source: where the event is defined, such as `schemas/auth.json#/events/user_created`.
        description: the author's words, "" without.
        parameters: what the event carries, in the author's order.
        deprecated: whether nobody is to use the event any more.
        more: what holds further properties in payload objects, where the schema allows them; else "".
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
        """Make the contract of an event.

        Args:
            api: name of the API.
            event: name of the event.
            node: the payload's schema.
            source: where the event is defined.
            description: the author's words.
            converters: how JSON becomes Python, by property; left out, as the schema's formats say.

        Raises:
            SchemaError: the schema is invalid, or a `$ref` leads nowhere.
        """
        self.api, self.event, self.source, self.description = api, event, source, description
        self._node = node
        self.deprecated = is_deprecated(node)
        self._written = node.document.validator(node)  # the schema as its author wrote it
        self._payload = payload(node)
        self.parameters = parameter_contracts(self._payload)
        self._names = {parameter.wire: parameter.name for parameter in self.parameters}
        # the schema says nothing of undeclared properties, neither good nor bad: fire() refuses them
        self._is_silent = not self._payload.is_open and not self._payload.is_closed
        self._wires = {parameter.name: parameter.wire for parameter in self.parameters}
        self._defaults = [(p.wire, p.default) for p in self.parameters if p.default is not NO_DEFAULT]
        self._is_renamed = self._names.keys() != self._wires.keys()
        self._given_converters = converters
        self.full_name = f"{api}.{event}"
        self.uri = f"lightbus:{api}#/events/{event}"
        self.more = "more" if self._payload.is_open else ""
        while self.more in self._wires:
            self.more += "_"

    @classmethod
    def of_event(cls, api: type[Api], event: Event) -> EventContract:
        """Make the contract of an event defined in Python, whose values become the declared types.

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
        """What `fire()` takes, as text: `fire(*, username: str, referrer: str = ...)`."""
        parameters = [f"{p.name}: {p.annotation}{'' if p.required else ' = ...'}" for p in self.parameters]
        if self.more:
            return f"fire({', '.join([*(['*'] if parameters else []), *parameters, f'**{self.more}'])})"
        return f"fire({', '.join(['*', *parameters] if parameters else [])})"

    def split(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Part the values by Python name into those of declared properties and the others."""
        declared = {name: value for name, value in values.items() if name in self._wires}
        return declared, {name: value for name, value in values.items() if name not in declared}

    def python_name(self, wire: str) -> str:
        """Return the Python name of a property; an undeclared one goes by its name on the wire."""
        return self._names.get(wire, wire)

    def by_wire_name(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """Return arguments by wire name; a property's own name is accepted as well as its Python name."""
        return {self._wires.get(name, name): value for name, value in arguments.items()}

    def further(self, more: Mapping[str, object]) -> Mapping[str, object]:
        """Return undeclared properties that are fired beside the parameters.

        Raises:
            InvalidEventArguments: one is a parameter, by either name.
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
        """Check the arguments of `fire()` and make the payload of them.

        Args:
            arguments: Python values by wire name; those that are `UNSET` count as absent.

        Returns:
            JSON values by wire name, defaults filled in.

        Raises:
            InvalidEventArguments: with every problem.
        """
        return self.prepare(arguments)[0]

    def prepare(self, arguments: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Check the arguments of `fire()`, as `encode` does.

        Returns:
            The payload, and its values by Python name, each as the caller gave it.
        """
        data: dict[str, Any]
        rich: list[str] = []
        if are_scalars := _are_scalars(arguments):
            data = {**arguments}
        else:
            data = {wire: value for wire, value in arguments.items() if value is not UNSET}
            rich = [wire for wire, value in data.items() if not _is_plain(value)]
        for wire, default in self._defaults:
            if wire not in data:
                data[wire] = _fresh(default)
        problems = self._simplify(data, rich) if rich else []
        if self._is_silent and not data.keys() <= self._names.keys():
            problems += self._undeclared(data)
        try:
            if self._search:
                problems += self._undeclared_inside(data)
            if not problems and self._written.is_valid(data):
                if are_scalars and not self._is_renamed:
                    return data, data
                return data, self._given(arguments, data)
            reported = {problem.path for problem in problems}
            found = self._explain(self._written, data, self._names)
            problems += [problem for problem in found if problem.path not in reported]
        except ValueError as error:  # a name that is not Unicode text
            problems.append(Problem("", f"cannot be written as JSON: {error}", "type"))
        raise InvalidEventArguments(self.api, self.event, problems, signature=self.signature)

    def _given(self, arguments: Mapping[str, object], data: dict[str, Any]) -> dict[str, Any]:
        values, names = {}, self._names
        for wire, value in data.items():
            given = arguments.get(wire, UNSET)
            name = names[wire] if wire in names else self.python_name(wire)
            values[name] = value if given is UNSET else given
        return values

    def decode(self, data: object) -> dict[str, Any]:
        """Check the payload of an event that arrived and make Python values of it.

        Args:
            data: JSON value of the event's `data`.

        Returns:
            Values by Python name: those the schema declares or explicitly allows, defaults filled in. An undeclared
            property whose name is a parameter's Python name is left out.

        Raises:
            InvalidEvent: with every problem.
        """
        if not isinstance(data, dict):
            raise self._invalid([Problem("", f"the payload is not an object but {short(data)}", "type")])
        if not _JSON_SCALARS.issuperset(map(type, data.values())) and is_too_deep(data):
            raise self._invalid([Problem("", f"the payload {_TOO_DEEP}", "depth")])
        try:
            if self._written.is_valid(data):
                if self._is_simple and data.keys() == self._names.keys():
                    return data
            else:
                data = self._declared(data)
            if self._search and (extra := list(self._search(data))):
                data = without(data, extra)
            if self._defaults:
                missing = {wire: _fresh(default) for wire, default in self._defaults if wire not in data}
                data = {**data, **missing} if missing else data
            if self._whole:
                data = self._convert_whole(data)
            if data.keys() == self._names.keys() and not self._is_renamed:
                values = {**data}
            else:
                values = {name: data[wire] for wire, name in self._names.items() if wire in data}
            if self.more:
                for wire in data:
                    if wire not in self._names and wire not in self._wires:  # there it means the parameter
                        values[wire] = data[wire]
            if self._converters:
                self._convert(values)
        except RecursionError:  # Python's stack was nearly used up before
            raise self._invalid([Problem("", "the payload is nested too deeply", "conversion")]) from None
        return values

    @cached_property
    def _search(self) -> Finder | None:
        """What finds undeclared properties inside the payload, compiled with the first event."""
        return undeclared(self._node)

    @cached_property
    def _opened(self) -> jsonschema_rs.Validator:
        """The schema with undeclared properties allowed, compiled when a newer producer sends the first."""
        opened = self._node.document.opened
        return opened.validator(opened.at(self._node.pointer))

    @cached_property
    def _converters(self) -> list[tuple[str, str, Converter]]:
        """What makes Python values of JSON ones, compiled when the first event arrives."""
        given = self._given_converters
        properties = {} if given is None and self._is_varied else self._payload.properties
        made = {wire: conversion(nodes, formats=given is None) for wire, nodes in properties.items()}
        if given is not None:
            made = {wire: or_whole(given[wire], convert) for wire, convert in made.items()}
        return [(wire, self._names[wire], convert) for wire, convert in made.items() if convert]

    @cached_property
    def _whole(self) -> Converter | None:
        """What makes Python values of the whole payload, where its properties alone do not tell how."""
        return conversion([self._node]) if self._is_varied and self._given_converters is None else None

    @cached_property
    def _is_simple(self) -> bool:
        """Whether a payload with all its properties, and no others, is what a handler gets."""
        return not (self._is_renamed or self._search or self._whole or self._converters)

    @property
    def _is_varied(self) -> bool:
        return self._payload.is_open or bool(self._payload.conditional)

    def _simplify(self, data: dict[str, Any], wires: Iterable[str]) -> list[Problem]:
        """Put JSON values in the place of some Python values; say where there is none."""
        problems = []
        for wire in wires:
            try:
                data[wire] = plain(data[wire])
                if is_too_deep({wire: data[wire]}):
                    raise RecursionError
                problems += [
                    Problem(path_text(path, self._names), reason, "type")
                    for path, reason in not_json(data[wire], (wire,))
                ]
            except RecursionError:
                problems.append(Problem(self.python_name(wire), _TOO_DEEP, "type"))
                data[wire] = None
            except Exception as error:  # whatever a __to_bus__ raises
                reason = f"{short(data[wire])} cannot be written as JSON: {error}"
                problems.append(Problem(self.python_name(wire), reason, "type"))
                data[wire] = None
        return problems

    def _undeclared(self, data: Mapping[str, object]) -> list[Problem]:
        free = [name for wire, name in self._names.items() if wire not in data]
        return [
            Problem(wire, f"is not in the schema{did_you_mean(wire, free)}", "unexpected")
            for wire in data
            if wire not in self._names
        ]

    def _undeclared_inside(self, data: Mapping[str, object]) -> list[Problem]:
        return [
            Problem(
                path_text(one.path, self._names),
                f"is not in the schema{did_you_mean(str(one.path[-1]), one.known)}",
                "unexpected",
            )
            for one in (self._search(data) if self._search else ())
        ]

    def _declared(self, data: dict[str, Any]) -> dict[str, Any]:
        """Drop what the schema as written does not declare.

        Raises:
            InvalidEvent: the opened schema refuses the data, too.
        """
        if not self._opened.is_valid(data):
            raise self._invalid(self._explain(self._opened, data, {}))
        if self._payload.is_closed:
            data = {wire: value for wire, value in data.items() if wire in self._names}
        if self._written.is_valid(data):
            return data
        pruned: dict[str, Any] = prune(data, self._written)
        return pruned

    def _convert_whole(self, data: dict[str, Any]) -> dict[str, Any]:
        assert self._whole is not None
        try:
            converted: dict[str, Any] = self._whole(data)
        except Unconvertible as error:
            problem = Problem(path_text(error.path), f"{short(error.value)} {error.reason}", "conversion")
            raise self._invalid([problem]) from None
        return converted

    def _convert(self, values: dict[str, Any]) -> None:
        problems = []
        for wire, name, convert in self._converters:
            if name not in values:
                continue
            try:
                values[name] = convert(values[name])
            except Unconvertible as error:
                path = path_text([wire, *error.path])
                problems.append(Problem(path, f"{short(error.value)} {error.reason}", "conversion"))
            except msgspec.ValidationError as error:
                reason, _, path = str(error).partition(" - at `$")
                problems.append(Problem(wire + path.rstrip("`"), reason, "conversion"))
        if problems:
            raise self._invalid(problems)

    def _explain(
        self, validator: jsonschema_rs.Validator, data: object, names: Mapping[str, str]
    ) -> list[Problem]:
        if has_many(data):
            return explain_one(validator, data, names)
        hints = {parameter.wire: parameter.annotation for parameter in self.parameters}
        return explain(validator.iter_errors(data), self._node.document, names, hints)

    def _invalid(self, problems: Sequence[Problem]) -> InvalidEvent:
        return InvalidEvent(self.api, self.event, problems)

    def __repr__(self) -> str:
        return f"<EventContract {self.full_name} from {self.source}>"


def _are_scalars(arguments: Mapping[str, object]) -> bool:
    """Whether all values are JSON as they are, at a glance; for a text that is not ASCII it takes a longer look."""
    values = arguments.values()
    try:
        return _JSON_SCALARS.issuperset(map(type, values)) and "".join(map(str, values)).isascii()
    except ValueError:  # an integer that is too long for Python to write
        return False


def _is_plain(value: object) -> bool:
    """Whether a value is JSON as it is."""
    if type(value) is str:
        return value.isascii()  # what is not may hold half a character
    if type(value) is int:
        return not is_too_long(value)
    return type(value) in _JSON_SCALARS or (type(value) is float and math.isfinite(value))


def _fresh(default: object) -> Any:
    return default if type(default) in _JSON_SCALARS else copy.deepcopy(default)
