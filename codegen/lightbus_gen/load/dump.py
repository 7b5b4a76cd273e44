"""Dumps of the original Lightbus, as its `lightbus dumpschema` writes them: one JSON object of APIs by name.

    {"auth": {"events": {"user_created": {"parameters": {...}}}, "rpcs": {...}}}

The peculiarities of its schemas are translated to standard JSON Schema: a default in every branch of an `anyOf`
moves to the whole, its pattern for `Decimal` becomes that format, and `prefixItems` in draft 7 becomes the `items`
of a tuple.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lightbus import naming
from lightbus.schema.language.keywords import MAPS, pointer, with_subschemas
from lightbus_gen.load.dialects import Dialects
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.positions import JsonPath

_KINDS = ("events", "rpcs")
_DECIMAL = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
_HOLDERS = ("items", "prefixItems", "additionalProperties", "anyOf", "properties")
"""The keywords with schemas that a dump uses."""


def is_dump(value: object) -> bool:
    """Whether a JSON value is a dump of the original Lightbus."""
    return (
        isinstance(value, dict)
        and len(value) > 0
        and MAPS.isdisjoint(value)
        and all(isinstance(api, dict) and api and set(api) <= set(_KINDS) for api in value.values())
        and all(isinstance(kind, dict) for api in value.values() for kind in api.values())
    )


def read_dump(file: SchemaFile, dialects: Dialects, report: Report) -> Iterator[LoadedApi]:
    """Read the APIs of a dump.

    Args:
        file: the file, for which `is_dump` is true.
        dialects: determines the drafts of its schemas.
        report: collects its problems, and notices of what is left out.

    Yields:
        Each API that has events and no problems; each event is a schema file of its own.
    """
    places = _places_by_event(file)
    for name, api in file.value.items():
        if name.startswith("internal."):
            message = f"API {name!r} is left out: it is the original Lightbus's own"
            report.add_notice(file, (name,), "INTERNAL_API", message, "nothing is to be done")
            continue
        if rpcs := api.get("rpcs"):
            message = f"the RPCs of API {name!r} are left out: {', '.join(rpcs)}"
            fix = "nothing is to be done, unless a service still calls them; this bus carries events"
            report.add_notice(file, (name, "rpcs"), "RPC_LEFT_OUT", message, fix)
        if problem := naming.api_problem(name):
            report.add(file, (name,), "INVALID_NAME", problem, "rename the API")
            continue
        before = len(report.problems)
        events = [
            event
            for key in sorted(api.get("events", {}))
            if (event := _event(file, name, key, places, dialects, report))
        ]
        if events and len(report.problems) == before:
            yield LoadedApi(name, "", "", file.name, None, tuple(events))


def _event(
    file: SchemaFile,
    api: str,
    name: str,
    places: Mapping[JsonPath, Mapping[JsonPath, tuple[int, int]]],
    dialects: Dialects,
    report: Report,
) -> LoadedEvent | None:
    path: JsonPath = (api, "events", name)
    event = file.value[api]["events"][name]
    if problem := naming.event_problem(name):
        report.add(file, path, "INVALID_NAME", problem, "rename the event")
        return None
    if not isinstance(event, dict) or not isinstance(event.get("parameters"), dict):
        message = "the event has no parameters"
        report.add(file, path, "INVALID_DOCUMENT", message, 'add "parameters": {"type": "object", ...}')
        return None
    path = (*path, "parameters")
    schema = _standard(event["parameters"])
    dialect = dialects.of(schema)
    if dialect is None:
        report.add(file, (*path, "$schema"), "UNKNOWN_DIALECT", *dialects.advice(schema))
        return None
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    part_path = f"{file.path}#{pointer(path)}"
    part = SchemaFile(part_path, file.name, file.shown, text, schema, places[path], dialect, path)
    check_schema(part, (), schema, report)
    return LoadedEvent(name, "", part, ())


def _places_by_event(file: SchemaFile) -> dict[JsonPath, dict[JsonPath, tuple[int, int]]]:
    """Return (line, column) by the path of an event's schema and the path in the schema."""
    places: dict[JsonPath, dict[JsonPath, tuple[int, int]]] = {}
    for path, place in file.places_by_path.items():
        if path[3:4] == ("parameters",):
            places.setdefault(path[:4], {})[path[4:]] = place
    return places


def _standard(schema: Any) -> Any:
    """Translate a schema of a dump to standard JSON Schema."""
    if not isinstance(schema, dict):
        return schema
    standard = with_subschemas(schema, _HOLDERS, _standard)
    branches = standard.get("anyOf")
    if (
        "default" not in standard
        and isinstance(branches, list)
        and all("default" in branch for branch in branches)
    ):
        standard["default"] = branches[0]["default"]
        standard["anyOf"] = [
            {key: value for key, value in branch.items() if key != "default"} for branch in branches
        ]
    if "prefixItems" in standard and "items" not in standard:
        standard["items"] = standard.pop("prefixItems")
    if standard.items() >= _DECIMAL.items():
        standard["format"] = "decimal"
    return standard
