"""One version of the schemas: a folder, a file, or a folder at a git commit."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from lightbus.schema.language.keywords import DIALECT
from lightbus_gen.compat.proof.contract import Contract, Documents
from lightbus_gen.compat.versions.git import Repository, short
from lightbus_gen.load.api_document import read_document
from lightbus_gen.load.apis import load
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.dialects import Dialects, guessed_dialect
from lightbus_gen.load.dump import is_dump, read_dump
from lightbus_gen.load.references import Library, Node
from lightbus_gen.load.soundness import checked_sources, without_faulty
from lightbus_gen.load.sources import LoadedApi, LoadedEvent, Sources
from lightbus_gen.load.validity import check_schema
from lightbus_gen.read.decode import read_file, read_files
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.folder import read_folder, real
from lightbus_gen.read.input_problems import InputProblem, input_error

NOT_COMPARED = "events with this earlier schema are not compared"


@dataclass(frozen=True, eq=False)
class Version:
    """All schemas at one point in time.

    Attributes:
        label: what messages call it: `origin/main`, `old/schemas`.
        sources: what was loaded.
        is_file: whether it is a single file.
        is_one_schema: whether that holds a plain schema, which is the same event whatever its name.
    """

    label: str
    sources: Sources
    is_file: bool = False
    is_one_schema: bool = False
    _contracts: dict[tuple[str, str], Contract] = field(default_factory=dict, repr=False)
    _by_api: dict[str, Documents] = field(default_factory=dict, repr=False)
    _reached: dict[SchemaFile, tuple[SchemaFile, ...]] = field(default_factory=dict, repr=False)

    @property
    def library(self) -> Library:
        """What resolves `$ref`s."""
        return self.sources.library

    @cached_property
    def events(self) -> dict[tuple[str, str], tuple[LoadedApi, LoadedEvent]]:
        """The events by (API name, event name)."""
        return {(api.name, event.name): (api, event) for api in self.sources.apis for event in api.events}

    @cached_property
    def _bundler(self) -> Bundler:
        return Bundler(self.library)

    @cached_property
    def files(self) -> dict[str, SchemaFile]:
        """The files by path."""
        return {file.path: file for file in self.sources.files}

    def files_of(self, event: LoadedEvent) -> tuple[SchemaFile, ...]:
        """Return the files that an event's schema consists of, its own first."""
        if event.file not in self._reached:
            reached = self._bundler.reached(event.file)[0] if _leaves_file(event.file) else []
            self._reached[event.file] = tuple(reached)
        return event.file, *self._reached[event.file]

    def of_apis(self, other: Version) -> Version:
        """Return this version with only the APIs that another version has."""
        names = {api.name for api in other.sources.apis}
        apis = tuple(api for api in self.sources.apis if api.name in names)
        return replace(self, sources=replace(self.sources, apis=apis))

    def without_faulty(self, found: Report, report: Report) -> Version:
        """Return this version without the events whose schemas are invalid: an earlier version cannot be corrected.

        Args:
            found: the problems that reading it found.
            report: gets a notice of each.

        Raises:
            InputError: a file or folder could not be read, or the version has one schema only.
        """
        if self.is_one_schema or any(not problem.line for problem in found.problems):
            found.check()
        report.notices += (
            replace(problem, message=f"{problem.message}; {NOT_COMPARED}") for problem in found.problems
        )
        return replace(self, sources=without_faulty(self.sources, found))

    def node(self, event: LoadedEvent) -> Node:
        """Return the schema of an event's payload."""
        return self.library.node(event.file, event.path)

    def contract(self, api: LoadedApi, event: LoadedEvent) -> Contract:
        """Return the contract of an event's payload."""
        key = api.name, event.name
        if key not in self._contracts:
            self._contracts[key] = self._documents(api, event).of(event.name)
        return self._contracts[key]

    def _documents(self, api: LoadedApi, event: LoadedEvent) -> Documents:
        if api.document is None or not self._bundler.stands_alone(api):
            return Documents(self._bundler.bundle(replace(api, events=(event,))))
        if api.name not in self._by_api:
            self._by_api[api.name] = Documents(api.document.value)
        return self._by_api[api.name]


def _leaves_file(file: SchemaFile) -> bool:
    """Whether a file may refer to other files."""
    return re.search(r'"\$(?:ref|dynamicRef|recursiveRef)":\s*"[^#]', file.text) is not None


def read_version(
    where: Path, shared: Iterable[str], report: Report, dialects: Mapping[str, str] | None = None
) -> Version:
    """Read a schemas folder or a single file."""
    if where.is_file():
        top = where.parent  # of the link, if it is one, as in a folder

        def read(path: str) -> bytes | None:
            return (top / path).read_bytes() if (top / path).is_file() else None

        return _of_file(where.name, str(where.parent), read, str(where), report, dialects or {})
    schemas = read_files(where, read_folder(where, report), report)
    return Version(str(where), load(where, schemas, report, shared=shared, dialects=dialects))


def read_commit(
    ref: str,
    where: Path,
    shared: Iterable[str],
    report: Report,
    dialects: Mapping[str, str] | None = None,
    *,
    new: Version,
    root: Path,
    against_path: str | None = None,
) -> Version:
    """Read a schemas folder or file as it was at a git commit; nothing is checked out.

    Args:
        ref: a branch, tag or commit.
        where: the schemas folder or file as it is now.
        shared: globs of schema files that make no event.
        report: collects the problems.
        dialects: the dialect to use for each `$schema` that a file names.
        new: the current schemas.
        root: the project's folder, with its pyproject.toml.
        against_path: its path at that commit, from the top of the repository, if it has moved.

    Raises:
        InputError: git cannot provide it.
    """
    repository = Repository.around(where)
    path = repository.path_of(where)
    old_path = path if against_path is None else against_path.strip("/")
    files = repository.read(ref, old_path)
    if files or old_path == path:
        path = old_path
    else:  # with several commits, some may predate the move
        files = repository.read(ref, path)
    label = short(ref)
    if not files:
        if against_path is None and not _has_moved(repository, ref, root, new):
            return no_version(label, report)
        places = " nor at ".join(f"{label}:{place or '.'}" for place in dict.fromkeys((old_path, path)))
        message = f"there are no schemas at {places}"
        raise input_error("NO_SCHEMAS", message, "name their earlier path with --against-path")
    if "" in files:  # a file, and not a folder
        folder, _, name = path.rpartition("/")

        def read(relative: str) -> bytes | None:
            place = os.path.normpath(f"{folder}/{relative}" if folder else relative)
            return repository.read(ref, place).get("")

        return _of_file(name, f"{label}:{folder}", read, f"{label}:{path}", report, dialects or {})
    shown = Path(f"{label}:{path}")
    schemas = read_files(shown, files, report)
    return Version(label, load(shown, schemas, report, shared=shared, dialects=dialects))


def _has_moved(repository: Repository, ref: str, root: Path, new: Version) -> bool:
    """Whether a commit has the current APIs or files in other places, or schemas where its own pyproject.toml says."""
    for file in new.sources.files:
        is_document = isinstance(file.value, dict) and "lightbus" in file.value
        if not is_document and repository.holds(ref, file.path):
            return True
    if any(api.document and repository.describes(ref, api.name) for api in new.sources.apis):
        return True
    if not real(root).is_relative_to(real(repository.top)):
        return False
    folder = repository.path_of(root)
    settings = repository.read(ref, f"{folder}/pyproject.toml").get("", b"")
    try:
        tool = tomllib.loads(settings.decode())["tool"]["lightbus-gen"]
        return bool(
            repository.read(ref, os.path.normpath(f"{folder}/{tool.get('schemas', 'schemas')}").lstrip("/"))
        )
    except (KeyError, TypeError, AttributeError, ValueError):  # it is not that of a project with schemas
        return False


def no_version(label: str, report: Report) -> Version:
    """Return a version without schemas, before the first ones, with a notice that nothing is compared."""
    message = f"{label} has no schemas yet: nothing is compared, and no service can break"
    report.notices.append(InputProblem("", 0, 0, "NO_SCHEMAS", message, "none; the next change is compared"))
    return Version(label, checked_sources(label, (), (), report))


def _of_file(
    name: str,
    folder: str,
    read: Callable[[str], bytes | None],
    label: str,
    report: Report,
    dialects: Mapping[str, str],
) -> Version:
    """Read a single file: an API document, a dump, or the plain schema of an event."""
    files = _with_neighbours(name, folder, read, report)
    file = next((file for file in files if file.path == name), None)
    if file is None:
        return Version(label, checked_sources(name, (), (), report))
    apis: list[LoadedApi] | None = None
    if isinstance(file.value, dict) and "lightbus" in file.value:
        source = read_document(file, report)
        apis = [] if source is None else [source]
    elif is_dump(file.value):
        apis = list(read_dump(file, Dialects(dialects), report))
        files = tuple(event.file for api in apis for event in api.events)
    if apis is not None:
        return Version(label, checked_sources(name, files, apis, report), is_file=True)
    drafts = Dialects(dialects)
    files = tuple(
        replace(each, dialect=drafts.of(each.value) or guessed_dialect(each, drafts, report) or DIALECT)
        for each in files
    )
    for each in files:
        check_schema(each, (), each.value, report)
    file = next(each for each in files if each.path == name)
    event = LoadedEvent(re.sub(r"^(?=\d)|\W", "_", file.stem, flags=re.ASCII), "", file, ())
    api = LoadedApi("event", "", "", label, None, (event,))
    sources = checked_sources(name, files, (api,), report)
    return Version(label, sources, is_file=True, is_one_schema=True)


def _with_neighbours(
    name: str, folder: str, read: Callable[[str], bytes | None], report: Report
) -> tuple[SchemaFile, ...]:
    """Read a file and the files that it refers to by path, directly or not."""
    files: dict[str, SchemaFile] = {}
    todo = [name]
    for path in todo:
        data = read(path)
        if data is None or path in files:
            continue
        file = read_file(path, path, f"{folder}/{path}" if folder not in ("", ".") else path, data, report)
        if file is not None:
            files[path] = file
            refs = re.findall(r'"\$ref":\s*"([^"#:]+)', file.text)
            todo += [os.path.normpath(f"{path}/../{ref}") for ref in dict.fromkeys(refs)]
    return tuple(files.values())
