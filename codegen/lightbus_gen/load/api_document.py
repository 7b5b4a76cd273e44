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
        file: the file; it contains an object with the key "lightbus".
        report: collects its problems.

    Returns:
        The API with its valid events, or None if the document itself cannot be used.
    """
    value, defects = file.value, set[JsonPath]()
    for defect in document_defects(value, reader="lightbus-gen"):
        report.add(file, defect.path, defect.rule, defect.message, defect.fix)
        defects.add(defect.path)
    if ("lightbus",) in defects:  # an unknown format
        return None
    in_events = {path for path in defects if path[0] == "events" and len(path) > 1}
    faulty = {path[1] for path in in_events}
    is_usable = defects == in_events
    if ("$defs",) not in defects:
        is_usable &= check_schema(file, (), {"$defs": value.get("$defs", {})}, report)
    events = {} if ("events",) in defects else value["events"]
    valid = []
    for name, event in events.items():
        path: JsonPath = ("events", name, "parameters")
        if not isinstance(event, dict) or "parameters" not in event or (*path, "$schema") in defects:
            continue
        if check_schema(file, path, event["parameters"], report) and name not in faulty:
            valid.append(LoadedEvent(name, event.get("description", ""), file, path))
    if not is_usable:
        return None
    whole = file if len(valid) == len(events) else None
    description, version = value.get("description", ""), value.get("version", "")
    return LoadedApi(value["api"], description, version, file.name, whole, tuple(valid))
