"""The result of loading: the APIs and events that schema files describe."""

from __future__ import annotations

from dataclasses import dataclass

from lightbus_gen.load.references import Library
from lightbus_gen.read.files import SchemaFile
from lightbus_gen.read.positions import JsonPath


@dataclass(frozen=True)
class LoadedEvent:
    """One event.

    Attributes:
        name: its name on the bus.
        description: text for people, may be "".
        file: the file with its schema.
        path: the path of its payload's schema in the file.
    """

    name: str
    description: str
    file: SchemaFile
    path: JsonPath


@dataclass(frozen=True)
class LoadedApi:
    """One API.

    Attributes:
        name: its name on the bus, `shop.orders`.
        description, version: text for people, may be "".
        origin: the file or folder it comes from, as named in generated code.
        document: its file, or None if it is a folder of plain schemas, or part of a dump.
        events: its events, in order.
    """

    name: str
    description: str
    version: str
    origin: str
    document: SchemaFile | None
    events: tuple[LoadedEvent, ...]


@dataclass(frozen=True)
class Sources:
    """Everything below a schemas folder.

    Attributes:
        root: the folder's own name.
        files: all schema files; each event of a dump counts as one.
        apis: the APIs they define, by name.
        library: resolves the `$ref`s of the files.
    """

    root: str
    files: tuple[SchemaFile, ...]
    apis: tuple[LoadedApi, ...]
    library: Library
