"""A document of one whole API, in the format that `lightbus-gen export` writes."""

from __future__ import annotations

from typing import Any

from lightbus import naming
from lightbus.errors import did_you_mean
from lightbus.schema import FORMAT
from lightbus.schema.language.keywords import DIALECT
from lightbus_gen.load.dialects import known_dialect
from lightbus_gen.load.sources import ApiSource, EventSource
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.positions import Path as JsonPath

_DOCUMENT_KEYS = ("$schema", "lightbus", "api", "version", "description", "events", "$defs")
_EVENT_KEYS = ("description", "parameters")


def read_document(file: SchemaFile, report: Report) -> ApiSource | None:
    """Read a document of one whole API.

    Args:
        file: the file; it holds an object with "lightbus".
        report: takes what is wrong with it.

    Returns:
        The API with the events that nothing is wrong with, or None where the document itself cannot be used.
    """
    value = file.value
    before = len(report.problems)

    def refuse(path: JsonPath, message: str, fix: str, rule: str = "INVALID_DOCUMENT") -> None:
        report.add(file, path, rule, message, fix)

    if value["lightbus"] != FORMAT or isinstance(value["lightbus"], bool):
        refuse(
            ("lightbus",),
            f"is in format {value['lightbus']!r}, this lightbus-gen reads format {FORMAT}",
            "upgrade lightbus-nats, or export the document again with this version",
            "UNKNOWN_FORMAT",
        )
        return None
    for key in value:
        if key not in _DOCUMENT_KEYS and not key.startswith("x-"):
            hint = did_you_mean(key, _DOCUMENT_KEYS)
            refuse((key,), f"a document has no key {key!r}{hint}", "remove it, or begin it with x-")
    if "$schema" in value and known_dialect(value["$schema"]) != DIALECT:
        refuse(("$schema",), "a document is written in draft 2020-12", f"write {DIALECT}", "UNKNOWN_DIALECT")
    name = value.get("api")
    if not isinstance(name, str):
        refuse(("api",), "the API has no name", 'add "api": "name"')
    elif problem := naming.api_problem(name):
        refuse(("api",), problem, "rename the API", "INVALID_NAME")
    for key in ("description", "version"):
        if not isinstance(value.get(key, ""), str):
            refuse((key,), f"{key} is not a string", "write a string")
    definitions = value.get("$defs", {})
    if not isinstance(definitions, dict):
        refuse(("$defs",), "$defs is not an object", "write an object of schemas")
    else:
        check_schema(file, (), {"$defs": definitions}, report)
    events = value.get("events")
    if not isinstance(events, dict):
        refuse(("events",), "there is no object of events", 'add "events": {...}')
        events = {}
    is_usable = len(report.problems) == before
    found = [_event(file, key, event, refuse, report) for key, event in events.items()]
    sources = tuple(source for source in found if source)
    if not is_usable:
        return None
    assert isinstance(name, str)
    whole = file if len(sources) == len(events) else None
    return ApiSource(name, value.get("description", ""), value.get("version", ""), file.name, whole, sources)


def _event(file: SchemaFile, name: str, event: object, refuse: Any, report: Report) -> EventSource | None:
    here: JsonPath = ("events", name)
    before = len(report.problems)
    if problem := naming.event_problem(name):
        refuse(here, problem, "rename the event", "INVALID_NAME")
    if not isinstance(event, dict):
        refuse(here, "an event is an object with parameters", 'write {"parameters": {...}}')
        return None
    for key in event:
        if key not in _EVENT_KEYS and not key.startswith("x-"):
            hint = did_you_mean(key, _EVENT_KEYS)
            refuse((*here, key), f"an event has no key {key!r}{hint}", "remove it, or begin it with x-")
    if not isinstance(event.get("description", ""), str):
        refuse((*here, "description"), "description is not a string", "write a string")
    if "parameters" not in event:
        refuse(here, "the event has no parameters", 'add "parameters": {"type": "object", ...}')
        return None
    parameters = event["parameters"]
    if isinstance(parameters, dict) and known_dialect(parameters.get("$schema", DIALECT)) is None:
        path = (*here, "parameters", "$schema")
        refuse(
            path,
            f"the $schema {parameters['$schema']!r} is no draft of JSON Schema",
            f"write {DIALECT}",
            "UNKNOWN_DIALECT",
        )
    else:
        check_schema(file, (*here, "parameters"), parameters, report)
    if len(report.problems) > before:
        return None
    return EventSource(name, event.get("description", ""), file, (*here, "parameters"))
