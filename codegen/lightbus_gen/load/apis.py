"""Finds the APIs and events that schema files describe, each with its file and path.

The kind of a file follows from its place and its content (design section 3):

    auth.json (or .yaml)       with "lightbus": 1      -> a document of one whole API
    dump.json                  an object of APIs       -> a dump of the original Lightbus
    shop/orders/placed.json    any other JSON Schema   -> event `placed` of API `shop.orders`
    _types.json, _common/...   or matched by a shared glob -> types to refer to, no event

Loading continues after a problem, so that one run reports all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lightbus import naming
from lightbus_gen.load.api_document import read_document
from lightbus_gen.load.dialects import Dialects, guessed_dialect
from lightbus_gen.load.dump import is_dump, read_dump
from lightbus_gen.load.soundness import checked_sources
from lightbus_gen.load.sources import LoadedApi, LoadedEvent, Sources
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.folder import root_name
from lightbus_gen.read.positions import JsonPath

_KINDS = {list: "an array", str: "a string", type(None): "nothing"}


def load(
    folder: Path,
    files: Sequence[SchemaFile],
    report: Report,
    *,
    shared: Iterable[str] = (),
    dialects: Mapping[str, str] | None = None,
) -> Sources:
    """Find the APIs and events that schema files describe, and check the schemas.

    Args:
        folder: the schemas folder, as named in messages.
        files: the files that could be read.
        report: collects the problems; already has those of reading.
        shared: globs of files and folders, relative to `folder`, that define no event.
        dialects: the `$schema` to use instead, by the one that a file names; "" for files that name none.
    """
    if not files and not report.problems:
        report.add_file(
            str(folder),
            "NO_SCHEMAS",
            "holds no schema" if folder.is_dir() else "is not a folder",
            "export your Api classes with `lightbus-gen export MODULE`, or name the folder with --schemas",
        )
    finder = _ApiFinder(files, tuple(map(_pattern, shared)), Dialects(dialects or {}), report)
    apis = finder.apis()
    if files and not apis and not report.problems:
        report.add_file(
            str(folder),
            "NO_SCHEMAS",
            finder.why_empty(),
            "add a schema of an event: <api>/<event>.json",
        )
    return checked_sources(root_name(folder), finder.files, apis, report)


class _ApiFinder:
    """Finds the APIs that files define.

    Attributes:
        files: the files, each with its draft, and each event of a dump as a file.
    """

    def __init__(
        self,
        read: Iterable[SchemaFile],
        shared: tuple[re.Pattern[str], ...],
        dialects: Dialects,
        report: Report,
    ) -> None:
        self.files: list[SchemaFile] = []
        self._read, self._shared, self._dialects, self._report = tuple(read), shared, dialects, report
        self._apis: dict[str, LoadedApi] = {}

    def apis(self) -> tuple[LoadedApi, ...]:
        """Return the APIs, by name."""
        for file in self._read:
            self._dialects.learn(file.value)
        folders: dict[str, list[SchemaFile]] = {}
        for file in self._read:
            if isinstance(file.value, dict) and "lightbus" in file.value:
                self.files.append(file)
                if api := read_document(file, self._report):
                    self._add(api, file, ("api",), "merge the two, or rename one API")
            elif is_dump(file.value):
                for api in read_dump(file, self._dialects, self._report):
                    self.files += (event.file for event in api.events)
                    self._add(api, file, (api.name,), "remove one of the two, or rename one API")
            else:
                plain = self._plain(file)
                self.files.append(plain)
                if not self._is_shared(file.path):
                    folders.setdefault(file.path.rpartition("/")[0], []).append(plain)
        for folder, members in folders.items():
            if api := self._folder(folder, members):
                fix = "move the file's schema there, or the file to another folder"
                self._add(api, members[0], (), fix)
        return tuple(self._apis[name] for name in sorted(self._apis))

    def why_empty(self) -> str:
        """Return a message on why the files define no event."""
        if all(self._is_shared(file.path) for file in self._read):
            return 'holds no event: names that begin with "_" or match `shared` hold types only'
        return "holds no event"

    def _add(self, api: LoadedApi, file: SchemaFile, path: JsonPath, fix: str) -> None:
        other = self._apis.setdefault(api.name, api)
        if other is not api:
            message = f"API {api.name!r} is described by {other.origin} already"
            self._report.add(file, path, "API_TWICE", message, fix)

    def _is_shared(self, path: str) -> bool:
        parts = path.split("/")
        if any(part.startswith("_") for part in parts):
            return True
        ancestors = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        return any(pattern.fullmatch(ancestor) for ancestor in ancestors for pattern in self._shared)

    def _plain(self, file: SchemaFile) -> SchemaFile:
        """Check a plain JSON Schema file, and return it with its draft."""
        if not isinstance(file.value, (dict, bool)):
            kind = _KINDS.get(type(file.value), "a number")
            fix = "write a schema, or move the file out of the schemas folder"
            self._report.add(file, (), "NOT_A_SCHEMA", f"holds {kind}, which is no schema", fix)
            return file
        dialect = self._dialects.of(file.value)
        if dialect is None and self._report.is_lenient:
            dialect = guessed_dialect(file, self._dialects, self._report)
        if dialect is None:
            self._report.add(file, ("$schema",), "UNKNOWN_DIALECT", *self._dialects.advice(file.value))
            return file
        file = replace(file, dialect=dialect)
        check_schema(file, (), file.value, self._report)
        return file

    def _folder(self, folder: str, members: list[SchemaFile]) -> LoadedApi | None:
        """Return the API that a folder of plain schemas defines."""
        name = re.sub(r"[^A-Za-z0-9_.]", "_", folder.replace("/", "."))
        if not folder:
            for file in members:
                message = "is neither an API document nor in a folder that names its API"
                fix = f'move it to <api>/{file.path}, or begin its name with "_" if it only holds types'
                self._report.add(file, (), "NO_API", message, fix)
            return None
        if problem := naming.api_problem(name):
            message = f"its folder names an API, but {problem}"
            fix = 'rename the folder, or begin its name with "_" if it only holds types'
            self._report.add_file(members[0].shown, "INVALID_NAME", message, fix)
            return None
        events: dict[str, LoadedEvent] = {}
        for file in members:
            event = self._event_name(file)
            if other := events.get(event):
                message = f"makes event {event!r}, and so does {other.file.shown}"
                self._report.add(file, (), "NAME_COLLISION", message, "rename one of the files")
            elif event:
                description = file.value.get("description", "") if isinstance(file.value, dict) else ""
                events[event] = LoadedEvent(event, description, file, ())
        origin = members[0].name.rpartition("/")[0]
        return LoadedApi(name, "", "", origin, None, tuple(events[event] for event in sorted(events)))

    def _event_name(self, file: SchemaFile) -> str:
        """Return the name of the event that a file describes, or "" if no valid name can be derived."""
        name = re.sub(r"[^A-Za-z0-9_]", "_", file.stem)
        problem = naming.event_problem(name)
        if problem is None:
            return name
        override = file.value.get("x-python-name") if isinstance(file.value, dict) else None
        if isinstance(override, str) and naming.event_problem(override) is None:
            return override
        if override is not None:
            message = f"the x-python-name {override!r} is not a valid event name"
            fix = f"write an identifier, such as {_identifier(name)!r}"
            self._report.add(file, ("x-python-name",), "INVALID_NAME", message, fix)
        else:
            message = f"its name makes an event, but {problem}"
            fix = f'add "x-python-name": "{_identifier(name)}" to the schema, or rename the file'
            self._report.add(file, (), "INVALID_NAME", message, fix)
        return ""


_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def _pattern(glob: str) -> re.Pattern[str]:
    """Return a glob of `shared` as a regular expression; `*` and `?` match no `/`, and `**` matches any folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^]]*\])", glob.rstrip("/"))
    return re.compile("".join(_WILDCARDS.get(part) or _one_of(part) for part in parts), re.DOTALL)


def _one_of(part: str) -> str:
    """Return a set of characters, `[a-z]` or `[!a-z]`, or else plain text, as a regular expression."""
    if not re.fullmatch(r"\[.+\]", part, re.DOTALL):
        return re.escape(part)
    characters = re.sub(r"([\\\[\]&|~^])", r"\\\1", part[1:-1].removeprefix("!"))
    return f"(?!/)[{'^' if part[1] == '!' else ''}{characters}]"


def _identifier(name: str) -> str:
    """Suggest a valid event name for an invalid one."""
    bare = name.strip("_")
    suggestions = (bare, f"{bare}_", f"event_{bare}")
    return next((name for name in suggestions if naming.event_problem(name) is None), "event")
