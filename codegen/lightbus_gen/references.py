"""Schemas and what their `$ref`s mean. Always offline: only files that were loaded can be referred to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urljoin

from lightbus_gen.files import Report, SchemaFile
from lightbus_gen.positions import Path as JsonPath

if TYPE_CHECKING:
    from referencing import Registry, Resource
    from referencing._core import Resolver

OLD_DIALECTS = tuple(f"http://json-schema.org/draft-0{number}/schema#" for number in (4, 6, 7))
"""The drafts in which a `$ref` hides the keywords beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A schema in its place.

    Attributes:
        schema: the JSON value, a dict or boolean where the file is valid.
        file, path: where it stands.
        resolver: resolves `$ref`s relative to it; None stands for a file without any `$id`.
    """

    schema: Any
    file: SchemaFile
    path: JsonPath
    resolver: Resolver[Any] | None = None

    @property
    def hides_siblings(self) -> bool:
        """Whether a `$ref` here makes all other keywords void."""
        return self.file.dialect in OLD_DIALECTS

    @property
    def key(self) -> tuple[str, JsonPath]:
        """What tells it from every other schema."""
        return self.file.path, self.path


class Unresolvable(Exception):
    """A `$ref` leads nowhere; the text says why."""


class Library:
    """All loaded files, and the way between them.

    Args:
        files: the files `$ref`s may lead to.

    Attributes:
        files: the same.
    """

    def __init__(self, files: Iterable[SchemaFile]) -> None:
        self.files = tuple(files)
        self._registry: Registry[Any] | None = None
        self._places: dict[int, tuple[SchemaFile, JsonPath]] = {}
        self._ids: dict[str, list[SchemaFile]] = {}

    def node(self, file: SchemaFile, path: JsonPath) -> Node:
        """Return the schema at a path of a file."""
        resolver = None
        if f'"{id_keyword(file)}"' in file.text:
            resolver = _enter(self._resolver(file.uri), file, file.value)
        return self.child(Node(file.value, file, (), resolver), *path)

    def child(self, node: Node, *steps: str | int) -> Node:
        """Return the schema some steps inside another."""
        schema, resolver = node.schema, node.resolver
        for step in steps:
            schema = schema[step]
            if resolver is not None:
                resolver = _enter(resolver, node.file, schema)
        return Node(schema, node.file, (*node.path, *steps), resolver)

    def resolve(self, node: Node, ref: str) -> Node:
        """Return the schema that a `$ref` standing in `node` means.

        Relative to the nearest `$id` first, and to the file's own path otherwise.

        Raises:
            Unresolvable: no loaded file has it.
        """
        if node.resolver is None and (ref == "#" or ref.startswith("#/")):
            return self._local(node.file, ref[1:])
        import referencing.exceptions

        attempts = [node.resolver] if node.resolver is not None else []
        for resolver in [*attempts, self._resolver(node.file.uri)]:
            try:
                found = resolver.lookup(ref)
            except (referencing.exceptions.Unresolvable, ValueError):
                continue
            if not isinstance(found.contents, dict):  # booleans have no place of their own
                return Node(found.contents, node.file, (*node.path, "$ref"))
            file, path = self._places[id(found.contents)]
            self._check_unambiguous(file)
            return self.node(file, path)
        raise Unresolvable(f"{ref!r} is in none of the loaded files (nothing is ever fetched)")

    def canonical_uri(self, file: SchemaFile) -> str:
        """Return the absolute URI of a file: its `$id`, else its path as a `file:` URI."""
        return _join(file.uri, root_id(file))

    def _local(self, file: SchemaFile, fragment: str) -> Node:
        schema: Any = file.value
        path: list[str | int] = []
        for part in unquote(fragment).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            try:
                step: Any = int(name) if isinstance(schema, list) else name
                schema = schema[step]
            except (ValueError, LookupError, TypeError):
                raise Unresolvable(f"'#{fragment}' is not in this file") from None
            path.append(step)
        return Node(schema, file, tuple(path))

    def _resolver(self, uri: str) -> Resolver[Any]:
        if self._registry is None:
            self._registry = self._crawl()
        return self._registry.resolver(uri)

    def _crawl(self) -> Registry[Any]:
        from referencing import Registry

        resources = []
        for file in self.files:
            if isinstance(file.value, (dict, bool)):
                resources.append((file.uri, _resource(file)))
                self._places |= ((id(value), (file, path)) for path, value in _dicts(file.value))
                self._ids.setdefault(self.canonical_uri(file).rstrip("#"), []).append(file)
        return Registry().with_resources(resources).crawl()

    def _check_unambiguous(self, file: SchemaFile) -> None:
        uri = self.canonical_uri(file).rstrip("#")
        if len(self._ids[uri]) > 1:
            shown = " and ".join(other.shown for other in self._ids[uri])
            raise Unresolvable(f"{uri!r} is the $id of {shown}")


def _resource(file: SchemaFile) -> Resource[Any]:
    from referencing.jsonschema import specification_with

    return specification_with(file.dialect).create_resource(file.value)


def can_be_searched(file: SchemaFile) -> bool:
    """Whether `$ref`s in a file can be followed, though its schema is invalid."""
    from referencing import Registry

    try:
        Registry().with_resource(file.uri, _resource(file)).crawl()
    except (AttributeError, TypeError, ValueError):  # whatever a keyword of the wrong type leads to
        return False
    return True


def _join(base: str, reference: str) -> str:
    """Make a reference absolute; one that is no URI reference leads nowhere else."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return base


def id_keyword(file: SchemaFile) -> str:
    """Return the keyword that gives a schema its URI in the file's draft."""
    return "id" if file.dialect == OLD_DIALECTS[0] else "$id"


def root_id(file: SchemaFile) -> str:
    """Return the URI a file gives itself, "" for none."""
    given = file.value.get(id_keyword(file)) if isinstance(file.value, dict) else None
    return given if isinstance(given, str) else ""


def _enter(resolver: Resolver[Any], file: SchemaFile, schema: Any) -> Resolver[Any]:
    """Return the resolver for the inside of a schema, which may have an `$id`."""
    if not isinstance(schema, dict) or not isinstance(schema.get(id_keyword(file)), str):
        return resolver
    from referencing.jsonschema import specification_with

    return resolver.in_subresource(specification_with(file.dialect).create_resource(schema))


def _dicts(value: Any) -> Iterator[tuple[JsonPath, dict[str, Any]]]:
    """Yield every object in a JSON value, with its path."""
    todo: list[tuple[JsonPath, Any]] = [((), value)] if isinstance(value, dict) else []
    while todo:
        path, parent = todo.pop()
        if isinstance(parent, dict):
            yield path, parent
        children = parent.items() if isinstance(parent, dict) else enumerate(parent)
        todo += [((*path, key), child) for key, child in children if isinstance(child, (dict, list))]


def check_references(library: Library, file: SchemaFile, report: Report) -> None:
    """Report every `$ref` of a file that leads nowhere."""
    for node, keyword in references(library, library.node(file, ())):
        try:
            target = library.resolve(node, node.schema[keyword])
        except Unresolvable as error:
            bases = (file.uri, library.canonical_uri(file))
            if any(report.may_hold(urldefrag(_join(base, node.schema[keyword]))[0]) for base in bases):
                continue
            report.add(
                file,
                (*node.path, keyword),
                "UNRESOLVED_REF",
                f"the {keyword} {error}",
                "correct it, or put the file it means below the schemas folder (in a folder beginning"
                ' with "_" if it only holds types)',
            )
            continue
        if not isinstance(target.schema, (dict, bool)):
            report.add(
                file,
                (*node.path, keyword),
                "UNRESOLVED_REF",
                f"the {keyword} {node.schema[keyword]!r} leads to something that is no schema",
                "refer to a schema",
            )


MAPS_OF_SCHEMAS = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "events"}
)
DATA = frozenset({"enum", "const", "default", "examples", "example"})


def references(library: Library, node: Node) -> Iterator[tuple[Node, str]]:
    """Yield (schema, keyword) of each `$ref` and `$dynamicRef` in a schema and all schemas inside it."""
    todo = [(node, True)]
    while todo:
        here, is_schema = todo.pop()
        if isinstance(here.schema, dict):
            for key, value in reversed(here.schema.items()):
                if is_schema and key in ("$ref", "$dynamicRef") and isinstance(value, str):
                    yield here, key
                elif isinstance(value, (dict, list)) and not (is_schema and key in DATA):
                    todo.append((library.child(here, key), not (is_schema and key in MAPS_OF_SCHEMAS)))
        elif isinstance(here.schema, list):
            todo += [
                (library.child(here, index), True)
                for index in reversed(range(len(here.schema)))
                if isinstance(here.schema[index], (dict, list))
            ]
