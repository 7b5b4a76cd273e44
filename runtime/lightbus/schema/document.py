"""Schema documents, one for each API: reading them from files, and the defects of a document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from lightbus import naming
from lightbus.errors import SchemaError, did_you_mean
from lightbus.schema.contract import EventContract
from lightbus.schema.language.keywords import DEFINITIONS, DIALECT, draft_of, pointer
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document
from lightbus.schema.language.validation import metaschema_problems
from lightbus.schema.payload.conversion import accepts
from lightbus.schema.payload.problems import short
from lightbus.schema.python.from_api import FORMAT

_DOCUMENT_KEYS = ("$schema", "lightbus", "api", "version", "description", "events", "$defs")
_EVENT_KEYS = ("description", "parameters")


@dataclass(frozen=True, slots=True)
class Defect:
    """A violation of the document format.

    Attributes:
        path: where it is in the document, or where something is missing.
        message: what is wrong, one clause without full stop.
        fix: what to do, imperative.
        rule: stable identifier, such as `INVALID_NAME`.
        is_harmless: whether a reader can ignore it, such as a key of a newer version.
    """

    path: tuple[str, ...]
    message: str
    fix: str
    rule: str = "INVALID_DOCUMENT"
    is_harmless: bool = False


def document_defects(document: Mapping[str, Any], *, reader: str) -> Iterator[Defect]:
    """Yield the defects of a document, except those in its schemas.

    Args:
        document: an object with the key "lightbus".
        reader: the name of the reading program in messages.
    """
    if document["lightbus"] != FORMAT or isinstance(document["lightbus"], bool):
        message = f"is in format {short(document['lightbus'])}, this {reader} reads format {FORMAT}"
        fix = "upgrade lightbus-nats, or export the document again with this version"
        yield Defect(("lightbus",), message, fix, "UNKNOWN_FORMAT")
        return
    yield from _unknown_keys("a document", document, (), _DOCUMENT_KEYS)
    if _dialect(document) != DIALECT:
        message = "a document is written in draft 2020-12"
        yield Defect(("$schema",), message, f"write {DIALECT}", "UNKNOWN_DIALECT")
    name = document.get("api")
    if not isinstance(name, str):
        yield Defect(("api",), "the API has no name", 'add "api": "name"')
    elif problem := naming.api_problem(name):
        yield Defect(("api",), problem, "rename the API", "INVALID_NAME")
    for key in ("description", "version"):
        if not isinstance(document.get(key, ""), str):
            yield Defect((key,), f"{key} is not a string", "write a string", is_harmless=True)
    if not isinstance(document.get("$defs", {}), dict):
        yield Defect(("$defs",), "$defs is not an object", "write an object of schemas")
    events = document.get("events")
    if not isinstance(events, dict):
        yield Defect(("events",), "there is no object of events", 'add "events": {...}')
        return
    for event_name, event in events.items():
        yield from _event_defects(event_name, event)


def _event_defects(name: str, event: object) -> Iterator[Defect]:
    path = ("events", name)
    if problem := naming.event_problem(name):
        yield Defect(path, problem, "rename the event", "INVALID_NAME")
    if not isinstance(event, dict):
        yield Defect(path, "an event is an object with parameters", 'write {"parameters": {...}}')
        return
    yield from _unknown_keys("an event", event, path, _EVENT_KEYS)
    if not isinstance(event.get("description", ""), str):
        place = (*path, "description")
        yield Defect(place, "description is not a string", "write a string", is_harmless=True)
    if "parameters" not in event:
        yield Defect(path, "the event has no parameters", 'add "parameters": {"type": "object", ...}')
    elif isinstance(event["parameters"], dict) and _dialect(event["parameters"]) is None:
        message = f"the $schema {event['parameters']['$schema']!r} is no draft of JSON Schema"
        yield Defect((*path, "parameters", "$schema"), message, f"write {DIALECT}", "UNKNOWN_DIALECT")


def _unknown_keys(
    owner: str, value: Iterable[str], path: tuple[str, ...], known: tuple[str, ...]
) -> Iterator[Defect]:
    for key in value:
        if key not in known and not key.startswith("x-"):
            message = f"{owner} has no key {key!r}{did_you_mean(key, known)}"
            yield Defect((*path, key), message, "remove it, or begin it with x-", is_harmless=True)


def _dialect(schema: Mapping[str, Any]) -> str | None:
    """Return the key of `DRAFTS` that a schema is written in, or None if it is unknown."""
    draft = draft_of(str(schema.get("$schema", DIALECT)))
    return draft.uri if draft else None


class SchemaDocument:
    """The schema document of an API.

    Args:
        data: the document, a JSON value.
        source: where it comes from, such as `schemas/auth.json`.

    Attributes:
        api: the API's name.
        description: the author's description, or "".
        source: where the document comes from.

    Raises:
        SchemaError: the data is not a Lightbus schema document of this format, or a schema in it is invalid.
    """

    def __init__(self, data: object, source: str) -> None:
        self.source = source
        if not isinstance(data, dict) or "lightbus" not in data:
            self._refuse(
                'it is not a Lightbus schema document: an object with "lightbus", "api" and "events"'
            )
        for defect in document_defects(data, reader="lightbus"):
            if not defect.is_harmless:
                self._refuse(f"{defect.message}; {defect.fix}", defect.path)
        self.api: str = data["api"]
        self.description = str(data.get("description", ""))
        self._check_schema({key: data[key] for key in DEFINITIONS if key in data}, ())
        self._document = Document(data, source)
        self._payloads = {
            name: self._payload(name, event["parameters"]) for name, event in data["events"].items()
        }
        self._contracts: dict[str, EventContract] = {}

    @classmethod
    def load(cls, path: Path) -> SchemaDocument:
        """Read a document from a file.

        Raises:
            SchemaError: the file cannot be read, is not JSON (with line and column), or as for the class.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise SchemaError(f"cannot be read: {error.strerror}", source=str(path)) from error
        return cls.parse(text, source=str(path))

    @classmethod
    def parse(cls, text: bytes | str, *, source: str) -> SchemaDocument:
        """Read a document from JSON text; raises as `load` does."""
        try:
            data = json.loads(text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            where = f"{source}:{error.lineno}:{error.colno}"
            raise SchemaError(f"it is not JSON: {error.msg}", source=where) from None
        except ValueError as error:
            raise SchemaError(f"it is not JSON: {error}", source=source) from None
        return cls(data, source)

    @property
    def events(self) -> Iterable[str]:
        """Names of the events, in the document's order."""
        return self._payloads.keys()

    def contract(self, event: str) -> EventContract:
        """Return the contract of one event, the same object on every call.

        Raises:
            SchemaError: the document has no such event, or a `$ref` in it does not resolve.
        """
        if event not in self._contracts:
            if event not in self._payloads:
                self._refuse(f"it has no event {event!r}", ("events",))
            self._contracts[event] = EventContract(
                self.api,
                event,
                self._payloads[event],
                source=f"{self.source}#/events/{event}",
                description=str(self._document.schema["events"][event].get("description", "")),
            )
        return self._contracts[event]

    def _payload(self, name: str, parameters: Any) -> Node[Document]:
        path = ("events", name, "parameters")
        self._check_schema(parameters, path)
        if isinstance(parameters, dict) and ("$id" in parameters or "$schema" in parameters):
            source = f"{self.source}#{pointer(path)}"
            node = Document(parameters, source).root  # has its own references and draft
        else:
            node = self._document.at(pointer(path))
        if not isinstance(parameters, dict) or not accepts(node, "object"):
            self._refuse("the payload of an event must be an object", path)
        return node

    def _check_schema(self, schema: Any, path: tuple[str, ...]) -> None:
        dialect = _dialect(schema) if isinstance(schema, dict) else None
        for steps, sentence in metaschema_problems(schema, dialect or DIALECT):
            self._refuse(f"the schema is invalid: {sentence}", (*path, *steps))

    def _refuse(self, problem: str, path: Iterable[str | int] = ()) -> NoReturn:
        raise SchemaError(problem, source=self.source, pointer=pointer(path))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
