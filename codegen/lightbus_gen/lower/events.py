"""The events of one API, lowered: their classes, parameters, defaults, docstrings and signatures."""

from __future__ import annotations

import functools
import itertools
import keyword
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, cast

from lightbus.api import NO_DEFAULT
from lightbus.errors import SchemaError
from lightbus.foreign import escaped
from lightbus.schema import EventContract, ParameterContract, SchemaDocument
from lightbus.schema.language.keywords import pointer
from lightbus_gen.emit import ir
from lightbus_gen.emit.text import first_sentence, literal
from lightbus_gen.load.references import Library, Node
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.lower import pytypes
from lightbus_gen.lower.annotate import Annotator
from lightbus_gen.lower.definitions import Definitions
from lightbus_gen.lower.names import RESERVED, Hint, ModuleNames, Unnameable, explicit_name, pascal
from lightbus_gen.lower.namespaces import client_class
from lightbus_gen.lower.pytypes import Literals, Name, Type, Union
from lightbus_gen.read.files import Report

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
        """Lower all events by the API's self-contained schema document; reports and omits those that cannot be."""
        refused = [event for event in self._api.events if not self._is_object(event)]
        if refused:
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
        """Choose the stem of an event's class names, and reserve them."""
        try:
            name = explicit_name(self._library.node(event.file, event.path))
        except Unnameable as error:
            self._refuse(event, "INVALID_NAME", str(error), "choose another")
            name = ""
        stem = name if name and name != event.name else pascal(event.name)
        if stem in RESERVED or keyword.iskeyword(stem):
            stem += "_"
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
        message = f"the types of event {event.name!r} are nested too deeply"
        self._refuse(event, "TOO_DEEP", message, "shorten the chain of $refs between them")

    def _is_object(self, event: LoadedEvent) -> bool:
        """Whether the payload is an object; reports it if not."""
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
            self._refuse_hidden(parameters, self.annotator.patterns(node))
        renamed = self._rename(parameters, [*declared.values()], more)
        fields = tuple(_field(parameter, declared[parameter.wire], renamed) for parameter in parameters)
        by_name = {field.name: field.parameter for field in fields}
        # the parameters that always have a value come first, as Python requires
        signature = [by_name[p.name] for p in sorted(parameters, key=lambda p: not p.always_present)]
        message = _unused("event", "message", "event_message", taken=by_name)
        source = event.file.name + ("#" + pointer(event.path[:-1]) if event.path else "")
        described = [(parameter.name, _about(parameter)) for parameter in parameters]
        described += [(contract.more, "Further properties, by their names on the wire.")] if more else []
        star = ("*",) if fields else ()
        rest = _unused("_", "others", taken=by_name)
        signature.append(f"**{contract.more}: {pytypes.spell(more)}" if more else f"**{rest}: object")
        return ir.EventClasses(
            name=event.name,
            class_name=stem,
            summary=first_sentence(event.description),
            payload_doc=f"Payload of `{full_name}`.\n\n{event.description}",
            doc=f"{event.description or f'The event `{full_name}`.'}\n\nSchema: {escaped(source)}",
            fire_doc=_paragraphs(
                "Fire the event and wait until it is stored.", event.description, _arguments(described)
            ),
            deprecated=literal(f"event {full_name} is deprecated{contract.instead}")
            if contract.deprecated
            else "",
            fields=fields,
            more=_more(contract.more, more, renamed) if more else None,
            keyword_call=("self", *star, *(field.parameter for field in fields)),
            message_call=("self", f"{message}: EventMessage", "/", *star, *(f.parameter for f in fields)),
            keyword_signature=f"def handler({', '.join(signature)})",
            message_signature=f"def handler({', '.join([f'{message}: EventMessage', *signature])})",
        )

    def _refuse_hidden(self, parameters: Sequence[ParameterContract], patterns: Mapping[str, Node]) -> None:
        """Refuse a pattern that declares exactly the property whose name another has in Python."""
        for parameter in parameters:
            name, hidden = parameter.name, patterns.get(f"^{parameter.name}$")
            if name != parameter.wire and hidden is not None:
                message = f"property {parameter.wire!r} is {name!r} in Python, where patternProperties declare {name!r}"
                fix = f"move {name!r} to properties; {parameter.wire!r} then gets another name"
                self._report.add(hidden.document, hidden.path, "NAME_COLLISION", message, fix)

    def _rename(
        self, parameters: Sequence[ParameterContract], spelled: Sequence[Type], more: Type | None
    ) -> dict[str, str]:
        """Return other names for the types that a field of the payload class would shadow, by name."""
        used = {Name(name.name, name.module) for type_ in spelled for name in pytypes.names(type_)}
        if any(_may_be_unset(parameter, type_) for parameter, type_ in zip(parameters, spelled, strict=True)):
            used |= {_UNSET, pytypes.UNSET_TYPE}
        if more:
            used |= {Name("dict"), _FIELD, *(Name(name.name, name.module) for name in pytypes.names(more))}
        fields = {parameter.name for parameter in parameters}
        renamed = {}
        for name in used:
            if name.name in fields:
                other = _unused(f"_{name.name}", taken=fields)
                renamed[name.name], self.renamed[other] = other, name
        if _FIELD.name in renamed:
            used.discard(_FIELD)  # only the module's own fields use it
        self.definitions.used |= used
        return renamed


_UNSET, _FIELD = Name("UNSET", "lightbus"), Name("field", "dataclasses")


def _more(name: str, type_: Type, renamed: Mapping[str, str]) -> ir.More:
    """Return the field for undeclared properties."""
    annotation = pytypes.spell(pytypes.dict_of(type_), renamed)
    attribute = f"{name}: {annotation} = {renamed.get('field', 'field')}(default_factory={annotation})"
    return ir.More(name, attribute, f"**{name}: {pytypes.spell(type_)}")


def _unused(*names: str, taken: Container[str]) -> str:
    """Return the first name that no parameter has, or the last with enough underscores."""
    longer = (names[-1] + "_" * count for count in itertools.count(1))
    return next(name for name in itertools.chain(names, longer) if name not in taken)


def _field(parameter: ParameterContract, type_: Type, renamed: Mapping[str, str]) -> ir.EventField:
    """Return a parameter as source for each place that needs it."""
    name, outside = parameter.name, pytypes.spell(type_)
    inside = pytypes.spell(type_, renamed)
    unset = f"{renamed.get('UnsetType', 'UnsetType')} = {renamed.get('UNSET', 'UNSET')}"
    if parameter.required:
        attribute, argument = f"{name}: {inside}", f"{name}: {outside}"
    elif not _may_be_unset(parameter, type_):
        default = literal(cast("str | int | float | bool | None", parameter.default))
        attribute, argument = f"{name}: {inside} = {default}", f"{name}: {outside} = {default}"
    elif parameter.default is NO_DEFAULT:
        attribute, argument = f"{name}: {inside} | {unset}", f"{name}: {outside} | UnsetType = UNSET"
    else:  # the runtime fills in the default
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
    """Return the author's description of a parameter, marked if it is deprecated."""
    if not parameter.deprecated:
        return parameter.description
    return f"Deprecated{parameter.instead}. {parameter.description}".rstrip()


def _may_be_unset(parameter: ParameterContract, type_: Type) -> bool:
    """Whether its default in `fire()` is UNSET."""
    return not parameter.required and (
        parameter.default is NO_DEFAULT or not _is_writable(parameter.default, type_)
    )


def _is_writable(default: object, type_: Type) -> bool:
    """Whether a default can be written in a signature: a scalar that matches its annotation."""
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


def _paragraphs(*texts: str) -> str:
    return "\n\n".join(filter(None, texts))


def _arguments(described: Iterable[tuple[str, str]]) -> str:
    """Return the `Args:` section of a docstring, "" if no argument has a description."""
    lines = [f"    {name}: {' '.join(text.split())}" for name, text in described if text.strip()]
    return "\n".join(["Args:", *lines]) if lines else ""
