"""Checks over all loaded schemas: their references, and which events have no problems."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from lightbus.schema.language.keywords import pointer
from lightbus.schema.language.node import MAX_CHAIN, long_chain
from lightbus.schema.language.ways import TOO_MANY_WAYS, crowded
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.references import Library, Node, Unresolvable
from lightbus_gen.load.sources import LoadedApi, LoadedEvent, Sources
from lightbus_gen.read.files import Report, SchemaFile, join


def checked_sources(
    root: str, files: Iterable[SchemaFile], apis: Iterable[LoadedApi], report: Report
) -> Sources:
    """Check the references between files, and return all that was loaded; `root` is the folder's own name."""
    files = tuple(files)
    library = Library(files)
    for file in files:
        _check_references(library, file, report)
    if not report.is_lenient:  # a comparison reports an endless schema as undecided
        _check_cycles(library, files, report)
    _check_chains(library, files, report)
    return Sources(root, files, tuple(apis), library)


def _check_references(library: Library, file: SchemaFile, report: Report) -> None:
    """Report every reference of a file that does not resolve to a schema."""
    for node, keyword in library.references(file):
        ref = node.schema[keyword]
        try:
            target = library.resolve(node, ref)
        except Unresolvable as error:
            uris = {join(base, ref) for base in (file.uri, node.base)}
            if any(report.may_hold(uri) for uri in uris if uri):
                continue
            message, fix = f"the {keyword} {error}", error.fix
        else:
            if isinstance(target.schema, (dict, bool)):
                continue
            message = f"the {keyword} {ref!r} leads to something that is no schema"
            fix = "refer to a schema"
        report.add(file, (*node.path, keyword), "UNRESOLVED_REF", message, fix)


def _check_cycles(library: Library, files: Iterable[SchemaFile], report: Report) -> None:
    """Report every `$ref` that leads back to itself without going into the value, so that validation never ends."""
    done: set[object] = set()
    for file in files:
        for node, keyword in library.references(file):
            if keyword == "$ref" and node.key not in done:
                for closing in _closing(node, done):
                    report.add(
                        closing.document,
                        (*closing.path, "$ref"),
                        "ENDLESS_REF",
                        f"the $ref {closing.schema['$ref']!r} leads back to itself, and never into the value",
                        "refer to itself from inside `properties` or `items` only",
                    )


def _closing(start: Node, done: set[object]) -> Iterator[Node]:
    """Walk depth first, and yield the schemas whose `$ref` leads to one that the walk has not left."""
    active = {start.key}
    stack = [(start, start.applied())]
    while stack:
        node, applied = stack[-1]
        inner = next(applied, None)
        if inner is None:
            stack.pop()
            active.discard(node.key)
            done.add(node.key)
        elif inner.key in active:
            yield next(node for node, _ in reversed(stack) if "$ref" in node.schema)
        elif inner.key not in done and isinstance(inner.schema, dict):
            active.add(inner.key)
            stack.append((inner, inner.applied()))


def _check_chains(library: Library, files: Iterable[SchemaFile], report: Report) -> None:
    """Report a schema from which too many in a row apply to the same value."""
    referring = (node for file in files for node, _ in library.references(file))
    if chain := long_chain(referring):
        report.add(
            chain.document,
            chain.path,
            "TOO_DEEP",
            f"more than {MAX_CHAIN} schemas in a row apply to the same value",
            "shorten the chain of $refs between them",
        )
    elif crowd := crowded(node for file in files for node in library.applying(file)):
        report.add(
            crowd.document,
            crowd.path,
            "TOO_DEEP",
            TOO_MANY_WAYS,
            "refer to a definition once for the same value, and give a repeated union a definition of its own",
        )


def without_faulty(sources: Sources, report: Report) -> Sources:
    """Leave out the events whose schemas have problems, so that problems of the others are found, too."""
    if not report.problems:
        return sources
    faulty, bundler = _faulty_places(sources, report), Bundler(sources.library)
    return replace(sources, apis=tuple(_sound(api, faulty, bundler) for api in sources.apis))


def _faulty_places(sources: Sources, report: Report) -> dict[str, set[str]]:
    """Return JSON Pointers of problems, and of `$ref`s that do not resolve for a reason reported elsewhere, by file."""
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
        events = "/events/" if event.path else f"{own}/"  # contains `own` and the other events
        for place in faulty.get(event.file.shown, ()):
            if f"{place}/".startswith(f"{own}/") or not place.startswith(events):
                return False
        return not any(file.shown in faulty for file in bundler.reached(event.file)[0])

    events = tuple(event for event in api.events if is_sound(event))
    return replace(api, events=events, document=api.document if events == api.events != () else None)
