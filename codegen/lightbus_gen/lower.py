"""Sources -> what to print. Every decision about the output is taken here and in what this calls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lightbus_gen import ir, tree
from lightbus_gen.bundle import document_text
from lightbus_gen.cycles import check_cycles
from lightbus_gen.events import EventLowerer
from lightbus_gen.files import Report
from lightbus_gen.load import ApiSource, Sources
from lightbus_gen.pytypes import Name
from lightbus_gen.references import Library, check_references
from lightbus_gen.text import plain

_OF_EVENTS = (
    *(Name(name, "typing") for name in ("Literal", "Protocol", "TypeAlias", "TypeVar", "Unpack")),
    *(Name(name, "lightbus") for name in ("EventMessage", "ListenOptions")),
    Name("dataclass", "dataclasses"),
)
_OF_CHILDREN = (Name("TYPE_CHECKING", "typing"), Name("cached_property", "functools"))


def lower(sources: Sources, package: str, report: Report) -> ir.Package:
    """Decide everything about a generated package.

    Args:
        sources: what was loaded.
        package: import name of the package.
        report: takes the problems found.

    Raises:
        InputError: there are problems; all that were found.
    """
    library = Library(sources.files)
    for file in sources.files:
        check_references(library, file, report)
    _check_names(sources, report)
    report.check()
    check_cycles(library, sources.files, report)
    report.check()
    names = [api.name for api in sources.apis]
    texts = {api.name: document_text(api, library) for api in sources.apis}
    modules = tuple(_module(api, names, texts[api.name], library, report) for api in sources.apis)
    report.check()
    children, namespaces = tree.children("", names), tree.namespaces(names)
    within = (*children, *(child for namespace in namespaces for child in namespace.children))
    descriptions = {api.name: api.description for api in sources.apis}
    listed = [_line(child.name, descriptions.get(child.name, child.doc)) for child in children]
    return ir.Package(
        name=package,
        origin=plain(sources.root),
        sha256=_sha256("".join(texts.values())),
        doc="Typed bus, for `lightbus.create(Bus)`.",
        bus_doc="\n".join(["Typed bus.", "", "Attributes:", *listed]),
        modules=modules,
        namespaces=namespaces,
        children=children,
        clients=tuple(sorted((child for child in within if child.module), key=lambda child: child.module)),
        documents=tuple((f"{name}.json", text) for name, text in texts.items()),
    )


def _module(api: ApiSource, apis: list[str], text: str, library: Library, report: Report) -> ir.Module:
    lowerer = EventLowerer(api, text, library, report)
    events = lowerer.events()
    children = tree.children(api.name, apis)
    title = f"Typed client of the `{api.name}` API" + (f", version {api.version}." if api.version else ".")
    listed = [_line(event.name, event.description) for event in api.events]
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
            ir.Alias(f"_{name.name}", "", name.name) for name in _sorted(lowerer.renamed) if not name.module
        ),
        types=tuple(lowerer.definitions),
        events=events,
        client=tree.client_class(api.name),
        client_doc="\n".join([f"The events of the `{api.name}` API.", "", "Attributes:", *listed]),
        children=children,
    )


def _imports(used: Iterable[Name], renamed: Iterable[Name]) -> tuple[str, ...]:
    """Write the import statements, in the order of isort."""
    wanted: dict[str, set[str]] = {}
    for name in used:
        if name.module not in ("", "builtins"):
            wanted.setdefault(name.module, set()).add(name.name)
    own = wanted.pop("lightbus", set())
    lines = [f"from {module} import {_listed(names)}" for module, names in wanted.items()]
    lines += [f"from {name.module} import {name.name} as _{name.name}" for name in renamed if name.module]
    lines.sort(key=lambda line: (line.split()[1], " as " in line, line))
    lines += [*([""] if lines else []), "import lightbus"]
    return (*lines, f"from lightbus import {_listed(own)}") if own else tuple(lines)


def _listed(names: Iterable[str]) -> str:
    """List imported names in the order of isort: constants, classes, functions."""
    return ", ".join(sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)))


def _sorted(names: Iterable[Name]) -> list[Name]:
    return sorted(names, key=lambda name: (name.name, name.module))


def _line(name: str, description: str) -> str:
    """Write one line of a list in a docstring: the name and the first sentence about it."""
    summary = description.strip().split("\n")[0].split(". ")[0].rstrip(".")
    return f"    {name}: {summary}." if summary else f"    {name}"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_names(sources: Sources, report: Report) -> None:
    """Report APIs whose modules, classes or attributes would be in each other's way."""
    modules: dict[str, str] = {}
    classes: dict[str, str] = {}
    names = [api.name for api in sources.apis]
    for api in sources.apis:
        module, class_ = tree.module_name(api.name), tree.client_class(api.name)
        other = modules.setdefault(module, api.name)
        if other == api.name:
            other = classes.setdefault(class_, api.name)
        if other != api.name:
            _collide(api, f"and API {other!r} would both be module {module!r}, class {class_!r}", report)
        below = {child.name for child in tree.children(api.name, names)}
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
        report.add_file(api.events[0].file.shown, "NAME_COLLISION", text, fix)
