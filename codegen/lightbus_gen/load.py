"""Schema files -> the APIs and events they describe, with a place for everything.

What a file is follows from where it stands and what it holds (design section 3):

    auth.json (or .yaml)       holds "lightbus": 1     -> a document of one whole API
    shop/orders/placed.json    any other JSON Schema   -> event `placed` of API `shop.orders`
    _types.json, _common/...   or matched by a shared glob -> types to refer to, no event

Reading goes on after a problem, so that one run reports everything.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightbus import naming
from lightbus.errors import did_you_mean
from lightbus.schema import FORMAT
from lightbus.schema.definition import DIALECT
from lightbus_gen.files import YAML_SUFFIXES, Report, SchemaFile, known_dialect, read_file
from lightbus_gen.positions import Path as JsonPath
from lightbus_gen.validity import schema_problems

_DOCUMENT_KEYS = ("$schema", "lightbus", "api", "version", "description", "events", "$defs")
_EVENT_KEYS = ("description", "parameters")


@dataclass(frozen=True)
class EventSource:
    """One event.

    Attributes:
        name: its name on the bus.
        description: text for people, may be "".
        file: the file that holds its schema.
        path: where in the file the schema of its payload stands.
    """

    name: str
    description: str
    file: SchemaFile
    path: JsonPath


@dataclass(frozen=True)
class ApiSource:
    """One API.

    Attributes:
        name: its name on the bus, `shop.orders`.
        description, version: text for people, may be "".
        origin: where it comes from, a file or folder as generated code names it.
        document: its file, or None when it is a folder of plain schemas.
        events: its events, in order.
    """

    name: str
    description: str
    version: str
    origin: str
    document: SchemaFile | None
    events: tuple[EventSource, ...]


@dataclass(frozen=True)
class Sources:
    """Everything below a schemas folder.

    Attributes:
        root: the folder's own name.
        files: all schema files.
        apis: the APIs they make, by name.
    """

    root: str
    files: tuple[SchemaFile, ...]
    apis: tuple[ApiSource, ...]


def load(
    folder: Path,
    report: Report,
    *,
    shared: Iterable[str] = (),
    overlay: Mapping[str, str] | None = None,
) -> Sources:
    """Read a schemas folder.

    Args:
        folder: the folder.
        report: takes the problems found.
        shared: globs of files and folders, relative to `folder`, that make no event.
        overlay: texts that stand in for (or join) files of the folder, by path below it.
    """
    root = folder.resolve().name or "schemas"
    texts: dict[str, bytes] = {path: text.encode() for path, text in (overlay or {}).items()}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if relative in texts or not path.is_file() or re.search(r"(^|/)\.", relative):
            continue
        if path.suffix in (".json", *YAML_SUFFIXES):
            texts[relative] = path.read_bytes()
    if not texts and not report.problems:
        report.add_file(
            str(folder),
            "NO_SCHEMAS",
            "holds no schema" if folder.is_dir() else "is not a folder",
            "export your Api classes with `lightbus-gen export MODULE`, or name the folder with --schemas",
        )
    files = [
        file
        for path in sorted(texts)
        if (file := read_file(path, f"{root}/{path}", str(folder / path), texts[path], report))
    ]
    apis = tuple(_apis(files, tuple(shared), report))
    if files and not apis and not report.problems:
        report.add_file(
            str(folder),
            "NO_SCHEMAS",
            "holds types only, and no event",
            "add a schema of an event: <api>/<event>.json",
        )
    return Sources(root, tuple(files), apis)


# -- files to APIs -------------------------------------------------------------------------------


def _apis(files: list[SchemaFile], shared: tuple[str, ...], report: Report) -> Iterable[ApiSource]:
    found: dict[str, ApiSource] = {}
    folders: dict[str, list[SchemaFile]] = {}
    for file in files:
        if isinstance(file.value, dict) and "lightbus" in file.value:
            source = _document(file, report)
            if source is None:
                continue
            if other := found.get(source.name):
                assert other.document is not None
                report.add(
                    file,
                    ("api",),
                    "API_TWICE",
                    f"API {source.name!r} is described by {other.document.shown} already",
                    "merge the two documents, or rename one API",
                )
                continue
            found[source.name] = source
            continue
        _check_foreign(file, report)
        if not _is_shared(file.path, shared):
            folders.setdefault(file.path.rpartition("/")[0], []).append(file)
    for folder, members in folders.items():
        source = _folder(folder, members, report)
        if source is None:
            continue
        if other := found.get(source.name):
            report.add_file(
                members[0].shown,
                "API_TWICE",
                f"API {source.name!r} is described by {other.origin} already",
                "move the file's schema into that document, or the file to another folder",
            )
            continue
        found[source.name] = source
    return (found[name] for name in sorted(found))


def _is_shared(path: str, globs: tuple[str, ...]) -> bool:
    parts = path.split("/")
    if any(part.startswith("_") for part in parts):
        return True
    ancestors = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatch.fnmatchcase(place, glob.rstrip("/")) for place in ancestors for glob in globs)


def _document(file: SchemaFile, report: Report) -> ApiSource | None:
    """Read a document of one whole API."""
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
        _check_schema(file, (), {"$defs": definitions}, report)
    events = value.get("events")
    if not isinstance(events, dict):
        refuse(("events",), "there is no object of events", 'add "events": {...}')
        events = {}
    sources = [
        source for key, event in events.items() if (source := _event(file, key, event, refuse, report))
    ]
    if len(report.problems) > before:
        return None
    assert isinstance(name, str)
    return ApiSource(
        name, value.get("description", ""), value.get("version", ""), file.name, file, tuple(sources)
    )


def _event(file: SchemaFile, name: str, event: object, refuse: Any, report: Report) -> EventSource | None:
    here: JsonPath = ("events", name)
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
    _check_schema(file, (*here, "parameters"), event["parameters"], report)
    return EventSource(name, event.get("description", ""), file, (*here, "parameters"))


def _check_foreign(file: SchemaFile, report: Report) -> None:
    """Check a plain JSON Schema file."""
    if not isinstance(file.value, (dict, bool)):
        kind = "array" if isinstance(file.value, list) else "value"
        report.add(
            file, (), "NOT_A_SCHEMA", f"a JSON {kind} is no schema", "move the file out of the schemas folder"
        )
        return
    given = file.value.get("$schema") if isinstance(file.value, dict) else None
    if given is not None and known_dialect(given) is None:
        report.add(
            file,
            ("$schema",),
            "UNKNOWN_DIALECT",
            f"the $schema {given!r} is not one of the drafts 4, 6, 7, 2019-09 and 2020-12",
            f"name the draft the file is written in, such as {DIALECT}",
        )
        return
    _check_schema(file, (), file.value, report)


def _folder(folder: str, members: list[SchemaFile], report: Report) -> ApiSource | None:
    """Make an API of a folder of plain schemas."""
    name = folder.replace("/", ".")
    if not folder:
        for file in members:
            report.add(
                file,
                (),
                "NO_API",
                "is neither an API document nor in a folder that names its API",
                f'move it to <api>/{file.path}, or begin its name with "_" if it only holds types',
            )
        return None
    if problem := naming.api_problem(name):
        report.add_file(
            members[0].shown,
            "INVALID_NAME",
            f"its folder names an API, but {problem}",
            'rename the folder, or begin its name with "_" if it only holds types',
        )
        return None
    events: dict[str, EventSource] = {}
    for file in members:
        stem = file.stem
        event = re.sub(r"[^A-Za-z0-9_]", "_", stem)
        if problem := naming.event_problem(event):
            report.add(file, (), "INVALID_NAME", f"its name makes an event, but {problem}", "rename the file")
        elif other := events.get(event):
            report.add(
                file,
                (),
                "NAME_COLLISION",
                f"makes event {event!r}, and so does {other.file.shown}",
                "rename one of the files",
            )
        else:
            description = file.value.get("description", "") if isinstance(file.value, dict) else ""
            events[event] = EventSource(event, description, file, ())
    origin = members[0].name.rpartition("/")[0]
    return ApiSource(name, "", "", origin, None, tuple(events[event] for event in sorted(events)))


def _check_schema(file: SchemaFile, path: JsonPath, schema: object, report: Report) -> None:
    """Check a schema, without what it refers to, against its metaschema."""
    for place, message in schema_problems(schema, file.dialect):
        report.add(file, path + place, "INVALID_SCHEMA", message, "correct the schema here")
