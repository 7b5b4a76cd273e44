"""Builds the intermediate representation of a package. Every decision about the output is made here and below."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lightbus.foreign import escaped
from lightbus_gen.emit import ir
from lightbus_gen.emit.distribution import Distribution
from lightbus_gen.emit.text import first_sentence
from lightbus_gen.load.references import Library
from lightbus_gen.load.sources import LoadedApi, Sources
from lightbus_gen.lower import namespaces as tree
from lightbus_gen.lower.events import EventLowerer
from lightbus_gen.lower.pytypes import Name
from lightbus_gen.read.files import Report

MAX_CONTESTED = 1_000
"""How many name collisions are resolved in one API; its events are lowered again each time."""

_OF_EVENTS = (
    *(Name(name, "typing") for name in ("Literal", "Protocol", "TypeAlias", "TypeVar")),
    Name("EventMessage", "lightbus"),
    Name("dataclass", "dataclasses"),
)
_OF_CHILDREN = (Name("TYPE_CHECKING", "typing"), Name("cached_property", "functools"))


def lower_package(
    name: str, sources: Sources, documents: Mapping[str, str], distribution: Distribution | None
) -> ir.Package:
    """Decide everything about a package except its modules; `documents` has the schema document of each API."""
    about = summaries(sources)
    children, namespaces = tree.children("", about), tree.namespaces(about)
    within = (*children, *(child for namespace in namespaces for child in namespace.children))
    return ir.Package(
        name=name,
        origin=escaped(sources.root),
        doc="Typed bus: `lightbus.create(Bus)`.",
        namespaces=namespaces,
        children=children,
        clients=tuple(sorted((child for child in within if child.module), key=_natural_order)),
        documents=tuple((f"{api}.json", text) for api, text in documents.items()),
        distribution=distribution,
        events=tuple(
            (f"{api.name}.{event.name}", first_sentence(event.description))
            for api in sources.apis
            for event in api.events
        ),
    )


def lower_module(
    api: LoadedApi,
    document: tuple[dict[str, Any], str],
    about: Mapping[str, str],
    library: Library,
    report: Report,
) -> ir.Module:
    """Decide everything about the module of an API.

    Args:
        api: the API.
        document: its self-contained schema document, as a value and as text.
        about: a sentence about each API of the package.
        library: resolves `$ref`s.
        report: collects problems.
    """
    schema, text = document
    lowerer, events = _lowered(api, schema, library, report)
    definitions = lowerer.definitions
    children = tree.children(api.name, about)
    title = f"Typed client of the `{api.name}` API" + (f", version {api.version}." if api.version else ".")
    return ir.Module(
        name=tree.module_name(api.name),
        api=api.name,
        origin=escaped(api.origin),
        sha256=_sha256(text),
        doc=f"{title}\n\n{api.description}",
        imports=_imports(
            {*definitions.used, *(_OF_EVENTS if events else ()), *(_OF_CHILDREN if children else ())},
            lowerer.renamed,
        ),
        aliases=tuple(
            ir.Alias(other, "", name.name)
            for other, name in sorted(lowerer.renamed.items())
            if not name.module
        ),
        types=tuple(definitions.listed),
        events=events,
        client=tree.client_class(api.name),
        client_doc=f"The events of the `{api.name}` API.",
        children=children,
    )


def _lowered(
    api: LoadedApi, document: dict[str, Any], library: Library, report: Report
) -> tuple[EventLowerer, tuple[ir.EventClasses, ...]]:
    """Lower the events of an API, again if several schemas claim one name, so that none gets it."""
    contested = frozenset[str]()
    while True:
        problems = Report()
        lowerer = EventLowerer(api, library, problems, contested)
        events = lowerer.events(document)
        refused = lowerer.definitions.refused
        if refused <= contested or len(contested) > MAX_CONTESTED:
            report.problems += problems.problems
            return lowerer, events
        contested |= refused


def _imports(used: Iterable[Name], renamed: Mapping[str, Name]) -> tuple[str, ...]:
    """Return the import statements, in the order of isort."""
    by_module: dict[str, set[str]] = {}
    for name in used:
        if name.module not in ("", "builtins"):
            by_module.setdefault(name.module, set()).add(name.name)
    lines = [(module, f"from {module} import {_listed(names)}") for module, names in by_module.items()]
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
    """Return the sort key of a module in isort's order, with numbers compared as numbers: `v2` before `v10`."""
    parts = re.split(r"([0-9]+)", child.module)
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _listed(names: Iterable[str]) -> str:
    """Return imported names in the order of isort: constants, classes, functions."""
    return ", ".join(
        sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name.casefold()))
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def summaries(sources: Sources) -> dict[str, str]:
    """Return the first sentence of each API's description, "" without one, by API."""
    return {api.name: first_sentence(api.description) for api in sources.apis}


def check_names(sources: Sources, report: Report) -> None:
    """Report APIs whose modules, classes or attributes would collide."""
    modules: dict[str, str] = {}
    classes: dict[str, str] = {}
    names = [api.name for api in sources.apis]
    for api in sources.apis:
        module, class_ = tree.module_name(api.name), tree.client_class(api.name)
        other = modules.setdefault(module.casefold(), api.name)  # some file systems ignore case
        if other == api.name:
            other = classes.setdefault(class_, api.name)
        if other != api.name:
            message = f"API {api.name!r} and API {other!r} would both be module {module!r}, class {class_!r}"
            fix = "rename one of the APIs"
            if api.document is not None:
                report.add(api.document, ("api",), "NAME_COLLISION", message, fix)
            else:
                place = api.events[0].file.shown if api.events else api.origin
                report.add_file(place, "NAME_COLLISION", message, fix)
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
