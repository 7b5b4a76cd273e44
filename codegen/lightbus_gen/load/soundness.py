"""Checks over all loaded schemas: their references, and which events nothing is wrong with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.cycles import check_cycles
from lightbus_gen.load.references import Library, Unresolvable, check_references
from lightbus_gen.load.sources import LoadedApi, LoadedEvent, Sources
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.positions import pointer


def checked_sources(
    root: str, files: Iterable[SchemaFile], apis: Iterable[LoadedApi], report: Report
) -> Sources:
    """Check the references between files, and return all that was loaded.

    Args:
        root: the schemas folder's own name.
        files: the files.
        apis: the APIs they make, by name.
        report: takes the problems found.
    """
    files = tuple(files)
    library = Library(files)
    for file in files:
        check_references(library, file, report)
    if not report.is_lenient:  # a comparison calls what never ends undecided
        check_cycles(library, files, report)
    return Sources(root, files, tuple(apis), library)


def without_faulty(sources: Sources, report: Report) -> Sources:
    """Leave out the events whose schemas have problems, so that what is wrong with the others is found, too."""
    if not report.problems:
        return sources
    faulty, bundler = _faulty_places(sources, report), Bundler(sources.library)
    return replace(sources, apis=tuple(_sound(api, faulty, bundler) for api in sources.apis))


def _faulty_places(sources: Sources, report: Report) -> dict[str, set[str]]:
    """Return where problems are, by file; and `$ref`s that lead nowhere for a reason that is reported elsewhere."""
    faulty: dict[str, set[str]] = {}
    for problem in report.problems:
        faulty.setdefault(problem.path, set()).add(problem.pointer)
    for file in sources.files:
        for node, keyword in sources.library.references(file):
            try:
                sources.library.resolve(node, node.schema[keyword])
            except Unresolvable:
                faulty.setdefault(file.shown, set()).add(pointer((*file.base, *node.path)))
    return faulty


def _sound(api: LoadedApi, faulty: Mapping[str, set[str]], bundler: Bundler) -> LoadedApi:
    def is_sound(event: LoadedEvent) -> bool:
        own = pointer((*event.file.base, *event.path[:-1]))
        events = (
            "/events/" if event.path else f"{own}/"
        )  # what is in there and not in `own` is another event's
        for place in faulty.get(event.file.shown, ()):
            if f"{place}/".startswith(f"{own}/") or not place.startswith(events):
                return False
        return not any(file.shown in faulty for file in bundler.reached(event.file)[0])

    events = tuple(event for event in api.events if is_sound(event))
    return replace(api, events=events, document=api.document if events == api.events != () else None)
