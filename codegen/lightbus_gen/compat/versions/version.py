"""One version of the schemas: a folder, a file, or a folder at a git commit."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from lightbus.schema.language.keywords import DIALECT
from lightbus_gen.compat.proof.contract import Contract, Documents
from lightbus_gen.compat.versions.git import Repository, short
from lightbus_gen.load.apis import load
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.dialects import Dialects, guessed_dialect
from lightbus_gen.load.document import read_document
from lightbus_gen.load.dump import is_dump, read_dump
from lightbus_gen.load.references import Library, Node, check_references
from lightbus_gen.load.sources import ApiSource, EventSource, Sources
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.decode import read_file
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.problems import input_error


@dataclass(frozen=True, eq=False)
class Version:
    """The schemas as they are or were.

    Attributes:
        label: what messages call it: `origin/main`, `old/schemas`.
        sources: what was loaded.
        library: resolves `$ref`s.
        is_file: whether it is a single file.
        is_one_schema: whether that holds a plain schema, which is the same event whatever its name.
    """

    label: str
    sources: Sources
    library: Library
    is_file: bool = False
    is_one_schema: bool = False
    _contracts: dict[tuple[str, str], Contract] = field(default_factory=dict, repr=False)
    _by_api: dict[str, Documents] = field(default_factory=dict, repr=False)
    _reached: dict[SchemaFile, tuple[SchemaFile, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def events(self) -> dict[tuple[str, str], tuple[ApiSource, EventSource]]:
        """The events by (API, event)."""
        return {(api.name, event.name): (api, event) for api in self.sources.apis for event in api.events}

    @cached_property
    def _bundler(self) -> Bundler:
        return Bundler(self.library)

    @cached_property
    def files(self) -> dict[str, SchemaFile]:
        """The files by path."""
        return {file.path: file for file in self.sources.files}

    def files_of(self, event: EventSource) -> tuple[SchemaFile, ...]:
        """Return the files that the schema of an event's payload is made of, its own first."""
        if event.file not in self._reached:
            others = self._bundler.reached(event.file)[0] if _leaves_file(event.file) else []
            self._reached[event.file] = tuple(others)
        return event.file, *self._reached[event.file]

    def of_apis(self, other: Version) -> Version:
        """Return what there is of another version's APIs."""
        names = {api.name for api in other.sources.apis}
        apis = tuple(api for api in self.sources.apis if api.name in names)
        return replace(self, sources=replace(self.sources, apis=apis))

    def node(self, event: EventSource) -> Node:
        """Return the schema of an event's payload."""
        return self.library.node(event.file, event.path)

    def contract(self, api: ApiSource, event: EventSource) -> Contract:
        """Return the contract of an event's payload."""
        key = api.name, event.name
        if key not in self._contracts:
            self._contracts[key] = self._documents(api, event).of(event.name)
        return self._contracts[key]

    def _documents(self, api: ApiSource, event: EventSource) -> Documents:
        if api.document is None or not self._bundler.stands_alone(api):
            return Documents(self._bundler.bundle(replace(api, events=(event,))))
        if api.name not in self._by_api:
            self._by_api[api.name] = Documents(api.document.value)
        return self._by_api[api.name]


def _leaves_file(file: SchemaFile) -> bool:
    """Whether a file refers to others, or may do."""
    return re.search(r'"\$(?:ref|dynamicRef|recursiveRef)":\s*"[^#]', file.text) is not None


def read_version(
    where: Path, shared: Iterable[str], report: Report, dialects: Mapping[str, str] | None = None
) -> Version:
    """Read a schemas folder or a single file."""
    if where.is_file():
        top = where.resolve().parent

        def read(path: str) -> bytes | None:
            return (top / path).read_bytes() if (top / path).is_file() else None

        return _of_file(where.name, str(where.parent), read, str(where), report, dialects or {})
    return _of_sources(str(where), load(where, report, shared=shared, dialects=dialects), report)


def read_commit(
    ref: str,
    where: Path,
    shared: Iterable[str],
    report: Report,
    dialects: Mapping[str, str] | None = None,
    *,
    against_path: str | None = None,
) -> Version:
    """Read a schemas folder or file as it was at a git commit; nothing is checked out.

    Args:
        ref: a branch, tag or commit.
        where: the schemas folder or file as it is now.
        shared: globs of schema files that make no event.
        report: takes the problems found.
        dialects: the `$schema` to read a file by, by the one it names.
        against_path: where it was, from the top of the repository, if elsewhere.

    Raises:
        InputError: git cannot give it.
    """
    repository = Repository.around(where)
    path = repository.path_of(where)
    moved = path if against_path is None else against_path.strip("/")
    files = repository.read(ref, moved)
    if files or moved == path:
        path = moved
    else:  # of several commits, some may be of before they moved
        files = repository.read(ref, path)
    label = short(ref)
    if not files:
        places = " nor at ".join(f"{label}:{place or '.'}" for place in dict.fromkeys((moved, path)))
        message = f"there are no schemas at {places}"
        fix = "say where they were then with --against-path; if these are the first ones, nothing can break yet: merge them"
        raise input_error("NO_SCHEMAS", message, fix)
    if "" in files:  # a file, and not a folder
        folder, _, name = path.rpartition("/")

        def read(near: str) -> bytes | None:
            place = os.path.normpath(f"{folder}/{near}" if folder else near)
            return repository.read(ref, place).get("")

        return _of_file(name, f"{label}:{folder}", read, f"{label}:{path}", report, dialects or {})
    texts: dict[str, str] = {}
    for relative, data in files.items():
        try:
            texts[relative] = data.decode()
        except UnicodeDecodeError:
            report.add_file(f"{label}:{path}/{relative}", "NOT_UTF8", "is not UTF-8 text", "save it as UTF-8")
    sources = load(Path(f"{label}:{path}"), report, shared=shared, dialects=dialects, overlay=texts)
    return _of_sources(label, sources, report)


def _of_sources(label: str, sources: Sources, report: Report) -> Version:
    library = Library(sources.files)
    for file in sources.files:
        check_references(library, file, report)
    return Version(label, sources, library)


def _of_file(
    name: str,
    folder: str,
    read: Callable[[str], bytes | None],
    label: str,
    report: Report,
    dialects: Mapping[str, str],
) -> Version:
    """Read a file: a document of an API, or the plain schema of an event."""
    files = _with_neighbours(name, folder, read, report)
    file = next((file for file in files if file.path == name), None)
    if file is None:
        return _of_sources(label, Sources(name, (), ()), report)
    apis: list[ApiSource] | None = None
    if isinstance(file.value, dict) and "lightbus" in file.value:
        source = read_document(file, report)
        apis = [] if source is None else [source]
    elif is_dump(file.value):
        apis = list(read_dump(file, Dialects(dialects), report))
        files = tuple(event.file for api in apis for event in api.events)
    if apis is not None:
        return replace(_of_sources(label, Sources(name, files, tuple(apis)), report), is_file=True)
    drafts = Dialects(dialects)
    files = tuple(
        replace(one, dialect=drafts.of(one.value) or guessed_dialect(one, drafts, report) or DIALECT)
        for one in files
    )
    for one in files:
        check_schema(one, (), one.value, report)
    file = next(one for one in files if one.path == name)
    event = EventSource(re.sub(r"^(?=\d)|\W", "_", file.stem, flags=re.ASCII), "", file, ())
    api = ApiSource("event", "", "", label, None, (event,))
    return replace(_of_sources(label, Sources(name, files, (api,)), report), is_file=True, is_one_schema=True)


def _with_neighbours(
    name: str, folder: str, read: Callable[[str], bytes | None], report: Report
) -> tuple[SchemaFile, ...]:
    """Read a file, and the files that it refers to by path."""
    found: dict[str, SchemaFile] = {}
    todo = [name]
    for path in todo:
        data = read(path)
        if data is None or path in found:
            continue
        file = read_file(path, path, f"{folder}/{path}" if folder not in ("", ".") else path, data, report)
        if file is not None:
            found[path] = file
            refs = re.findall(r'"\$ref":\s*"([^"#:]+)', file.text)
            todo += [os.path.normpath(f"{path}/../{ref}") for ref in dict.fromkeys(refs)]
    return tuple(found.values())
