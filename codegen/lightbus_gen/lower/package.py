"""Sources -> what to print. Every decision about the output is taken here and in what this calls."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from lightbus_gen.emit import ir
from lightbus_gen.emit.distribution import Distribution
from lightbus_gen.emit.text import first_sentence, plain
from lightbus_gen.load.bundle import Bundler
from lightbus_gen.load.cycles import check_cycles
from lightbus_gen.load.references import Library, Unresolvable, check_references
from lightbus_gen.load.sources import ApiSource, EventSource, Sources
from lightbus_gen.lower import namespaces as tree
from lightbus_gen.lower.events import EventLowerer
from lightbus_gen.lower.processes import spread
from lightbus_gen.lower.pytypes import Name
from lightbus_gen.read.files import Report
from lightbus_gen.read.positions import pointer
from lightbus_gen.read.problems import Problem

_Made = TypeVar("_Made")

MOST_CONTESTED = 1_000
"""How many names may be sorted out in one API; each time, its events are lowered again."""

_OF_EVENTS = (
    *(Name(name, "typing") for name in ("Literal", "Protocol", "TypeAlias", "TypeVar")),
    Name("EventMessage", "lightbus"),
    Name("dataclass", "dataclasses"),
)
_OF_CHILDREN = (Name("TYPE_CHECKING", "typing"), Name("cached_property", "functools"))


def lower(
    sources: Sources,
    package: str,
    report: Report,
    finish: Callable[[ir.Module], _Made],
    distribution: Distribution | None = None,
) -> tuple[ir.Package, dict[str, _Made]]:
    """Decide everything about a generated package.

    Args:
        sources: what was loaded.
        package: import name of the package.
        report: takes the problems found.
        finish: makes something of a module, in the process that lowered it, which has others beside it where there is much to do.
        distribution: what the package is installed as, if anything.

    Returns:
        The package, and what was made of each module, by the module's name.

    Raises:
        InputError: there are problems; all that were found.
    """
    library = Library(sources.files)
    for file in sources.files:
        check_references(library, file, report)
    check_cycles(library, sources.files, report)
    _check_names(sources, report)
    bundler = Bundler(library)
    apis = sources.apis
    if report.problems:
        faulty = _faulty_places(sources, library, report)
        apis = tuple(_sound(api, faulty, bundler) for api in apis)
    about = {api.name: first_sentence(api.description) for api in apis}

    def lowered(api: ApiSource) -> tuple[_Made, str, list[Problem]]:
        problems, text = Report(), bundler.document_text(api)
        return finish(_module(api, about, text, library, problems)), text, problems.problems

    results = spread(lowered, apis, lambda api: len(api.events))
    for _, _, problems in results:
        report.problems += problems
    report.check()
    made = {tree.module_name(api.name): one for api, (one, _, _) in zip(apis, results, strict=True)}
    texts = {api.name: text for api, (_, text, _) in zip(apis, results, strict=True)}
    children, namespaces = tree.children("", about), tree.namespaces(about)
    within = (*children, *(child for namespace in namespaces for child in namespace.children))
    whole = ir.Package(
        name=package,
        origin=plain(sources.root),
        sha256=_sha256("".join(texts.values())),
        doc="Typed bus: `lightbus.create(Bus)`.",
        namespaces=namespaces,
        children=children,
        clients=tuple(sorted((child for child in within if child.module), key=_natural_order)),
        documents=tuple((f"{name}.json", text) for name, text in texts.items()),
        distribution=None if distribution is None else _distribution(distribution, sources),
    )
    return whole, made


def _faulty_places(sources: Sources, library: Library, report: Report) -> dict[str, set[str]]:
    """Return where problems are, by file; and `$ref`s that lead nowhere for a reason that is reported elsewhere."""
    faulty: dict[str, set[str]] = {}
    for problem in report.problems:
        faulty.setdefault(problem.path, set()).add(problem.pointer)
    for file in sources.files:
        for node, keyword in library.references(file):
            try:
                library.resolve(node, node.schema[keyword])
            except Unresolvable:
                faulty.setdefault(file.shown, set()).add(pointer((*file.base, *node.path)))
    return faulty


def _sound(api: ApiSource, faulty: Mapping[str, set[str]], bundler: Bundler) -> ApiSource:
    """Leave out the events whose schemas have problems already, so that those of the others are found, too."""

    def is_sound(event: EventSource) -> bool:
        here = pointer((*event.file.base, *event.path[:-1]))
        others = "/events/" if event.path else f"{here}/"  # what is in there and not here is another event's
        for place in faulty.get(event.file.shown, ()):
            if f"{place}/".startswith(f"{here}/") or not place.startswith(others):
                return False
        return not any(file.shown in faulty for file in bundler.reached(event.file)[0])

    events = tuple(event for event in api.events if is_sound(event))
    return replace(api, events=events, document=api.document if events == api.events != () else None)


def _distribution(distribution: Distribution, sources: Sources) -> ir.Distribution:
    return ir.Distribution(
        name=distribution.name,
        version=distribution.version,
        requirement=distribution.requirement,
        events=tuple(
            (f"{api.name}.{event.name}", first_sentence(event.description))
            for api in sources.apis
            for event in api.events
        ),
    )


def _module(
    api: ApiSource, apis: Mapping[str, str], text: str, library: Library, report: Report
) -> ir.Module:
    lowerer, events = _lowered(api, text, library, report)
    children = tree.children(api.name, apis)
    title = f"Typed client of the `{api.name}` API" + (f", version {api.version}." if api.version else ".")
    return ir.Module(
        name=tree.module_name(api.name),
        api=api.name,
        origin=plain(api.origin),
        sha256=_sha256(text),
        doc=f"{title}\n\n{api.description}",
        imports=_imports(
            {*lowerer.used, *(_OF_EVENTS if events else ()), *(_OF_CHILDREN if children else ())},
            lowerer.renamed,
        ),
        aliases=tuple(
            ir.Alias(other, "", name.name)
            for other, name in sorted(lowerer.renamed.items())
            if not name.module
        ),
        types=tuple(lowerer.definitions),
        events=events,
        client=tree.client_class(api.name),
        client_doc=f"The events of the `{api.name}` API.",
        children=children,
    )


def _lowered(
    api: ApiSource, text: str, library: Library, report: Report
) -> tuple[EventLowerer, tuple[ir.Event, ...]]:
    """Lower the events of an API, again where schemas would have one name: none gets it, whichever came first."""
    contested = frozenset[str]()
    while True:
        problems = Report()
        lowerer = EventLowerer(api, library, problems, contested)
        events = lowerer.events(text)
        if lowerer.refused <= contested or len(contested) > MOST_CONTESTED:
            report.problems += problems.problems
            return lowerer, events
        contested |= lowerer.refused


def _imports(used: Iterable[Name], renamed: Mapping[str, Name]) -> tuple[str, ...]:
    """Write the import statements, in the order of isort."""
    wanted: dict[str, set[str]] = {}
    for name in used:
        if name.module not in ("", "builtins"):
            wanted.setdefault(name.module, set()).add(name.name)
    lines = [(module, f"from {module} import {_listed(names)}") for module, names in wanted.items()]
    lines += [
        (name.module, f"from {name.module} import {name.name} as {other}")
        for other, name in renamed.items()
        if name.module
    ]
    lines.sort(key=lambda line: (line[0], " as " in line[1], line[1]))
    standard = [line for module, line in lines if module != "lightbus"]
    own = [line for module, line in lines if module == "lightbus"]
    return (*standard, *([""] if standard else []), "import lightbus", *own)


def _natural_order(child: ir.Child) -> list[str | int]:
    """Sort modules as isort does, numbers in them as numbers: `v2` before `v10`."""
    parts = re.split(r"([0-9]+)", child.module)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _listed(names: Iterable[str]) -> str:
    """List imported names in the order of isort: constants, classes, functions."""
    return ", ".join(
        sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name.casefold()))
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_names(sources: Sources, report: Report) -> None:
    """Report APIs whose modules, classes or attributes would be in each other's way."""
    modules: dict[str, str] = {}
    classes: dict[str, str] = {}
    names = [api.name for api in sources.apis]
    for api in sources.apis:
        module, class_ = tree.module_name(api.name), tree.client_class(api.name)
        other = modules.setdefault(module.casefold(), api.name)  # files on some systems know no case
        if other == api.name:
            other = classes.setdefault(class_, api.name)
        if other != api.name:
            _collide(api, f"and API {other!r} would both be module {module!r}, class {class_!r}", report)
        below = {child.name for child in tree.children(api.name, dict.fromkeys(names, ""))}
        for event in api.events:
            if event.name in below:
                report.add(
                    event.file,
                    event.path[:-1],
                    "NAME_COLLISION",
                    f"event {event.name!r} of API {api.name!r} hides the API '{api.name}.{event.name}'",
                    "rename the event or the API",
                )


def _collide(api: ApiSource, message: str, report: Report) -> None:
    text, fix = f"API {api.name!r} {message}", "rename one of the APIs"
    if api.document is not None:
        report.add(api.document, ("api",), "NAME_COLLISION", text, fix)
    else:
        place = api.events[0].file.shown if api.events else api.origin
        report.add_file(place, "NAME_COLLISION", text, fix)
