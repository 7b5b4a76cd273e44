"""Schema documents of `Api` classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lightbus.api import Api, Event, Parameter
from lightbus.errors import DefinitionError
from lightbus.schema.language.keywords import ALLOW_BREAKING, DIALECT, INSTEAD, pointer
from lightbus.schema.language.misfits import Misfits
from lightbus.schema.language.reference import Document
from lightbus.schema.payload.limits import least_size, not_json
from lightbus.schema.payload.problems import explain, short
from lightbus.schema.python.class_names import definition_names, renamed
from lightbus.schema.python.models import Schema
from lightbus.schema.python.types import TypeSchemas, closed_object
from lightbus.schema.python.values import UnsupportedType, canonical, plain

FORMAT = 1
"""The number of the schema document format, written as `lightbus`."""

FORMAT_SINCE = "0.1.0"
"""The first version of lightbus-nats that reads this format; it changes with `FORMAT`."""


def api_document(api: type[Api]) -> dict[str, Any]:
    """Return the schema document of an API; the same class always gives the same document, key for key.

    Raises:
        DefinitionError: a parameter's type or default cannot be used; names API, event and parameter.
    """
    return events_document(api, api.api_events.values())


def events_document(api: type[Api], events: Iterable[Event]) -> dict[str, Any]:
    """Return the schema document of some of an API's events; raises as `api_document` does."""
    types = TypeSchemas()
    schemas = {event.name: _event(event, types) for event in sorted(events, key=lambda event: event.name)}
    document: dict[str, Any] = {"$schema": DIALECT, "lightbus": FORMAT, "api": api.api_name}
    if api.api_version:
        document["version"] = api.api_version
    if api.api_description:
        document["description"] = api.api_description
    names = definition_names(types.texts)
    document["events"] = renamed(schemas, names)
    if types.definitions:
        definitions = {names[key]: renamed(schema, names) for key, schema in types.definitions.items()}
        document["$defs"] = dict(sorted(definitions.items()))
    return document


def _event(event: Event, types: TypeSchemas) -> Schema:
    parameters = closed_object(
        {parameter.name: _parameter(event, parameter, types) for parameter in event.parameters},
        [parameter.name for parameter in event.parameters if parameter.is_required],
    )
    description = {"description": event.description} if event.description else {}
    return {**description, "parameters": {**parameters, **_remarks(event)}}


def _remarks(item: Event | Parameter) -> Schema:
    """Return the keywords for the deprecation of an event or parameter, and the breaks that it may be."""
    return {
        **({"deprecated": True} if item.deprecated else {}),
        **({INSTEAD: item.deprecated} if isinstance(item.deprecated, str) else {}),
        **({ALLOW_BREAKING: item.allow_breaking} if item.allow_breaking else {}),
    }


def _parameter(event: Event, parameter: Parameter, types: TypeSchemas) -> Schema:
    def invalid(problem: str) -> DefinitionError:
        return DefinitionError(problem, api=event.api, event=event.name, parameter=parameter.name)

    earlier = set(types.definitions)
    try:
        schema = types.schema(parameter.type)
    except UnsupportedType as error:
        raise invalid(str(error)) from error
    added = types.definitions.keys() - earlier
    if problem := next(_wrong_defaults(types, sorted(added)), ""):
        raise invalid(problem)
    if parameter.description:
        schema = {**schema, "description": parameter.description}
    schema = {**schema, **_remarks(parameter)}
    if parameter.is_required:
        return schema
    try:
        least_size(parameter.default)  # refuses a time that cannot be written exactly
        problems = [reason for _, reason in not_json(plain(parameter.default))]
        default = canonical(parameter.default)
    except Exception as error:  # anything that a __to_bus__ raises
        raise invalid(f"the default {short(parameter.default)} cannot be written as JSON: {error}") from error
    if problems:
        raise invalid(f"the default {problems[0]}")
    document = Document({**schema, "$defs": types.definitions}, event.api)
    if misfits := explain(Misfits(document.root), default):
        raise invalid(f"the default does not have the declared type: {misfits[0]}")
    return {**schema, "default": default}


def _wrong_defaults(types: TypeSchemas, keys: Iterable[str]) -> Iterator[str]:
    """Yield a problem of each default of a field that the field's own type refuses."""
    document = Document({"$defs": types.definitions}, "")
    for key in keys:
        for name, field in types.definitions[key].get("properties", {}).items():
            if "default" in field:
                node = document.at(pointer(("$defs", key, "properties", name)))
                for misfit in explain(Misfits(node), field["default"]):
                    yield f"the default of field {name!r} of {types.texts[key]}: {misfit}"
