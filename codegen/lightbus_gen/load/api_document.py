"""A document of one whole API, in the format that `lightbus-gen export` writes."""

from __future__ import annotations

from lightbus.schema import document_defects
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.positions import JsonPath


def read_document(file: SchemaFile, report: Report) -> LoadedApi | None:
    """Read a document of one whole API.

    Args:
        file: the file; it holds an object with "lightbus".
        report: takes what is wrong with it.

    Returns:
        The API with the events that nothing is wrong with, or None where the document itself cannot be used.
    """
    value, places = file.value, set[JsonPath]()
    for defect in document_defects(value, reader="lightbus-gen"):
        report.add(file, defect.path, defect.rule, defect.message, defect.fix)
        places.add(defect.path)
    if ("lightbus",) in places:  # another format, of which nothing more is known
        return None
    faulty = {place[1] for place in places if place[0] == "events" and len(place) > 1}
    is_usable = all(place[0] == "events" and len(place) > 1 for place in places)
    if ("$defs",) not in places:
        is_usable &= check_schema(file, (), {"$defs": value.get("$defs", {})}, report)
    events = {} if ("events",) in places else value["events"]
    sources = []
    for name, event in events.items():
        path: JsonPath = ("events", name, "parameters")
        if not isinstance(event, dict) or "parameters" not in event or (*path, "$schema") in places:
            continue
        if check_schema(file, path, event["parameters"], report) and name not in faulty:
            sources.append(LoadedEvent(name, event.get("description", ""), file, path))
    if not is_usable:
        return None
    whole = file if len(sources) == len(events) else None
    description, version = value.get("description", ""), value.get("version", "")
    return LoadedApi(value["api"], description, version, file.name, whole, tuple(sources))
