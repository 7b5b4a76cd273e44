"""The events of one API, lowered: their classes, parameters, defaults, docstrings and signatures."""

from __future__ import annotations

import functools
import itertools
import keyword
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from lightbus.api import NO_DEFAULT
from lightbus.errors import SchemaError
from lightbus.schema import EventContract, ParameterContract, SchemaDocument
from lightbus_gen.emit import ir
from lightbus_gen.emit.text import first_sentence, literal, plain
from lightbus_gen.load.references import Library
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.annotate import Annotator
from lightbus_gen.lower.definitions import Definitions
from lightbus_gen.lower.names import RESERVED, Hint, ModuleNames, Unnameable, given_name, pascal
from lightbus_gen.lower.namespaces import client_class
from lightbus_gen.lower.pytypes import Literals, Name, Type, Union
from lightbus_gen.read.files import Report
from lightbus_gen.read.positions import pointer

_SUFFIXES = ("", "Handler", "MessageHandler", "PayloadHandler", "Listener", "Endpoint")


class EventLowerer:
    """Lowers the events of one API.

    Args:
        api: the API.
        library: resolves `$ref`s.
        report: collects problems.
        contested: names that several schemas would have, so that none gets it.

    Attributes:
        class_names: the stems of the events' class names, by event.
        definitions: the TypedDicts and aliases that the events need.
        annotator: determines the types.
        renamed: by other name, the classes that a payload class has a field named like, so that it needs another.
    """

    def __init__(
        self, api: LoadedApi, library: Library, report: Report, contested: frozenset[str] = frozenset()
    ) -> None:
        self._api, self._library, self._report = api, library, report
        self._names = ModuleNames()
        self._names.reserve(client_class(api.name))
        self.class_names = {event.name: self._reserve(event) for event in api.events}
        homes = {event.file.path: self.class_names[event.name] for event in api.events if not event.path}
        self.definitions = Definitions(self._names, homes, report, contested)
        self.annotator = Annotator(self.definitions)
        self.renamed: dict[str, Name] = {}

    def events(self, document: dict[str, Any]) -> tuple[ir.EventClasses, ...]:
        """Lower all events; problems are reported, and then there is no event.

        Args:
            document: the API's schema document, self-contained.
        """
        objects = [event for event in self._api.events if self._is_object(event)]
        if len(objects) < len(self._api.events):
            return ()
        checked = functools.cache(lambda: SchemaDocument(document, self._api.origin))
        lowered = []
        for event in self._api.events:
            try:
                contract = checked().contract(event.name)
                lowered.append(self._lower(event, contract))
            except SchemaError as error:
                problem = str(error).partition(": ")[2]
                self._refuse(event, "UNUSABLE_SCHEMA", problem, "correct the schema of the payload")
            except RecursionError:
                self._refuse_deep(event)
        return tuple(lowered)

    def _reserve(self, event: LoadedEvent) -> str:
        """Choose the stem of an event's class names, and take them."""
        try:
            given = given_name(self._library.node(event.file, event.path))
        except Unnameable as error:
            self._refuse(event, "INVALID_NAME", str(error), "choose another")
            given = ""
        stem = given if given and given != event.name else pascal(event.name)
        if stem in RESERVED or keyword.iskeyword(stem):
            stem += "_"  # it would hide what the module imports, or be no name at all
        taken = [stem + suffix for suffix in _SUFFIXES if stem + suffix in self._names]
        if taken:
            self._refuse(
                event,
                "NAME_COLLISION",
                f"event {event.name!r} would be class {taken[0]!r}, as is another part of the API",
                'add "x-python-name": "AnotherName" to the schema of the payload',
            )
        for suffix in _SUFFIXES:
            self._names.reserve(stem + suffix)
        return stem

    def _refuse(self, event: LoadedEvent, rule: str, message: str, fix: str) -> None:
        self._report.add(event.file, event.path, rule, message, fix)

    def _refuse_deep(self, event: LoadedEvent) -> None:
        message = f"the types of event {event.name!r} are too deep in one another"
        self._refuse(event, "TOO_DEEP", message, "shorten the chain of $refs between them")

    def _is_object(self, event: LoadedEvent) -> bool:
        """Whether the payload is one; reports it where it is not."""
        try:
            is_object = self.annotator.is_object(self._library.node(event.file, event.path))
        except RecursionError:
            self._refuse_deep(event)
            return False
        if not is_object:
            message = f"the payload of event {event.name!r} is not an object"
            fix = 'describe one: {"type": "object", "properties": {...}}'
            self._refuse(event, "PAYLOAD_NOT_OBJECT", message, fix)
        return is_object

    def _lower(self, event: LoadedEvent, contract: EventContract) -> ir.EventClasses:
        parameters = contract.parameters
        stem = self.class_names[event.name]
        full_name = f"{self._api.name}.{event.name}"
        node, hint = self._library.node(event.file, event.path), Hint(stem, stem)
        declared = self.annotator.payload(node, hint, [parameter.wire for parameter in parameters])
        more = self.annotator.more(node, hint) if contract.more else None
        if more:
            self._refuse_hidden(event, parameters, self.annotator.patterns(node))
        renamed = self._rename(parameters, [*declared.values()], more)
        fields = tuple(_field(parameter, declared[parameter.wire], renamed) for parameter in parameters)
        ordered = [
            *(p for p in parameters if p.always_present),
            *(p for p in parameters if not p.always_present),
        ]
        by_name = {field.name: field.parameter for field in fields}
        wanted = [by_name[parameter.name] for parameter in ordered]
        message = next(name for name in _message_names() if name not in by_name)
        source = event.file.name + ("#" + pointer(event.path[:-1]) if event.path else "")
        described = [(parameter.name, _about(parameter)) for parameter in parameters]
        described += [(contract.more, "Further properties, by their names on the wire.")] if more else []
        star = ("*",) if fields else ()
        others = next(name for name in _other_names() if name not in by_name)
        wanted.append(f"**{contract.more}: {pytypes.spell(more)}" if more else f"**{others}: object")
        return ir.EventClasses(
            name=event.name,
            class_name=stem,
            summary=first_sentence(event.description),
            payload_doc=f"Payload of `{full_name}`.\n\n{event.description}",
            doc=f"{event.description or f'The event `{full_name}`.'}\n\nSchema: {plain(source)}",
            fire_doc=f"Fire the event and wait until it is stored.\n\n{_arguments(described)}",
            deprecated=literal(f"event {full_name} is deprecated") if contract.deprecated else "",
            fields=fields,
            more=_more(contract.more, more, renamed) if more else None,
            keyword_call=("self", *star, *(field.parameter for field in fields)),
            message_call=("self", f"{message}: EventMessage", "/", *star, *(f.parameter for f in fields)),
            keyword_signature=f"def handler({', '.join(wanted)})",
            message_signature=f"def handler({', '.join([f'{message}: EventMessage', *wanted])})",
        )

    def _refuse_hidden(
        self, event: LoadedEvent, parameters: Sequence[ParameterContract], patterns: Collection[str]
    ) -> None:
        """Refuse a pattern that declares just the property whose name another one has in Python."""
        for parameter in parameters:
            name, pattern = parameter.name, f"^{parameter.name}$"
            if name != parameter.wire and pattern in patterns:
                message = f"property {parameter.wire!r} is {name!r} in Python, where patternProperties declare {name!r}"
                fix = f"move {name!r} to properties; {parameter.wire!r} then gets another name"
                place = (*event.path, "patternProperties", pattern)
                self._report.add(event.file, place, "NAME_COLLISION", message, fix)

    def _rename(
        self, parameters: Sequence[ParameterContract], spelled: Sequence[Type], more: Type | None
    ) -> dict[str, str]:
        """Find the names that a payload class spells and has a field of; they get an underscore there."""
        used = {Name(name.name, name.module) for type_ in spelled for name in pytypes.names(type_)}
        if any(_may_be_unset(parameter, type_) for parameter, type_ in zip(parameters, spelled, strict=True)):
            used |= {_UNSET, pytypes.UNSET_TYPE}
        if more:
            used |= {Name("dict"), _FIELD, *(Name(name.name, name.module) for name in pytypes.names(more))}
        fields = {parameter.name for parameter in parameters}
        renamed = {}
        for name in used:
            if name.name in fields:
                other = f"_{name.name}"
                while other in fields:
                    other += "_"
                renamed[name.name], self.renamed[other] = other, name
        if _FIELD.name in renamed:
            used.discard(_FIELD)  # only the module's own fields use it
        self.definitions.used |= used
        return renamed


_UNSET, _FIELD = Name("UNSET", "lightbus"), Name("field", "dataclasses")


def _more(name: str, type_: Type, renamed: Mapping[str, str]) -> ir.More:
    """Write what takes further properties, where the schema allows them."""
    annotation = pytypes.spell(pytypes.dict_of(type_), renamed)
    attribute = f"{name}: {annotation} = {renamed.get('field', 'field')}(default_factory={annotation})"
    return ir.More(name, attribute, f"**{name}: {pytypes.spell(type_)}")


def _message_names() -> Iterator[str]:
    """Yield what a handler may call the message, which is positional: any name no parameter has."""
    yield from ("event", "message")
    yield from (f"event_message{'_' * count}" for count in itertools.count())


def _other_names() -> Iterator[str]:
    """Yield what a handler may call the parameters it does not care for."""
    yield "_"
    yield from (f"others{'_' * count}" for count in itertools.count())


def _field(parameter: ParameterContract, type_: Type, renamed: Mapping[str, str]) -> ir.EventField:
    """Write a parameter for each place it stands in."""
    name, outside = parameter.name, pytypes.spell(type_)
    inside = pytypes.spell(type_, renamed) if renamed else outside
    unset = f"{renamed.get('UnsetType', 'UnsetType')} = {renamed.get('UNSET', 'UNSET')}"
    if parameter.required:
        attribute, argument = f"{name}: {inside}", f"{name}: {outside}"
    elif not _may_be_unset(parameter, type_):
        written = literal(cast("str | int | float | bool | None", parameter.default))
        attribute, argument = f"{name}: {inside} = {written}", f"{name}: {outside} = {written}"
    elif parameter.default is NO_DEFAULT:
        attribute, argument = f"{name}: {inside} | {unset}", f"{name}: {outside} | UnsetType = UNSET"
    else:  # the run time fills it in
        attribute, argument = f"{name}: {inside}", f"{name}: {outside} | UnsetType = UNSET"
    return ir.EventField(
        name=name,
        wire=literal(parameter.wire),
        attribute=attribute,
        argument=argument,
        parameter=f"{name}: {outside}" + ("" if parameter.always_present else " = ..."),
        doc=_about(parameter),
    )


def _about(parameter: ParameterContract) -> str:
    """Return the author's words on a parameter, and whether it is deprecated."""
    return f"Deprecated. {parameter.description}".rstrip() if parameter.deprecated else parameter.description


def _may_be_unset(parameter: ParameterContract, type_: Type) -> bool:
    """Whether UNSET stands for it in `fire()` when it is left out."""
    return not parameter.required and (
        parameter.default is NO_DEFAULT or not _is_writable(parameter.default, type_)
    )


def _is_writable(default: object, type_: Type) -> bool:
    """Whether a default can stand in a signature: a plain value that its annotation takes."""
    members = type_.members if isinstance(type_, Union) else (type_,)
    if default is not None and not isinstance(default, (str, int, float)):
        return False
    if isinstance(default, float) and not math.isfinite(default):
        return False
    kind = type(default).__name__
    for member in members:
        if isinstance(member, Literals) and (kind, default) in member.values:
            return True
        if member == pytypes.ANY or member == Name(kind) or (kind == "int" and member == pytypes.FLOAT):
            return True
    return default is None and pytypes.NONE in members


def _arguments(described: Iterable[tuple[str, str]]) -> str:
    """Write the section of a docstring on arguments, "" where it has no entries."""
    lines = [f"    {name}: {' '.join(text.split())}" for name, text in described if text.strip()]
    return "\n".join(["Args:", *lines]) if lines else ""
