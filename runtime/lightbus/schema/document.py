"""Schema documents read from files, one for each API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from lightbus import naming
from lightbus.errors import SchemaError
from lightbus.schema.contract import EventContract
from lightbus.schema.language.keywords import DEFINITIONS, DIALECT, DRAFTS
from lightbus.schema.language.metaschema import metaschema_problems
from lightbus.schema.language.node import Node
from lightbus.schema.language.reference import Document
from lightbus.schema.payload.conversion import accepts
from lightbus.schema.payload.problems import short
from lightbus.schema.python.from_api import FORMAT

_DIALECTS = {dialect.removesuffix("#"): dialect for dialect in DRAFTS}  # written with and without "#"
_SHARED = ("$schema", *DEFINITIONS)


class SchemaDocument:
    """The schema document of an API.

    Args:
        data: the document, as JSON values.
        source: where it came from, such as `schemas/auth.json`.

    Attributes:
        api: the API's name.
        description: the author's words, "" without.
        source: where the document came from.

    Raises:
        SchemaError: it is not a Lightbus schema document of this format, or a schema in it is invalid.
    """

    def __init__(self, data: object, source: str) -> None:
        self.source = source
        if not isinstance(data, dict) or "lightbus" not in data:
            self._refuse(
                'it is not a Lightbus schema document: an object with "lightbus", "api" and "events"'
            )
        if data["lightbus"] != FORMAT or isinstance(data["lightbus"], bool):
            self._refuse(
                f"it is in format {short(data['lightbus'])}, this lightbus reads format {FORMAT}:"
                " upgrade lightbus-nats, or write the document again with the lightbus-gen of this version",
                "/lightbus",
            )
        api = data.get("api")
        if not isinstance(api, str):
            self._refuse('"api" must be the API\'s name, a string', "/api")
        if problem := naming.api_problem(api):
            self._refuse(problem, "/api")
        self.api: str = api
        self.description = str(data.get("description", ""))
        events = data.get("events")
        if not isinstance(events, dict):
            self._refuse('"events" must be an object of events by name', "/events")
        self._dialect = data.get("$schema", DIALECT)
        self._check_schema({key: data[key] for key in _SHARED if key in data}, "")
        self._document = Document(data, source)
        self._payloads = {name: self._payload(name, event) for name, event in events.items()}
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
        """Return the contract of one event, the same one each time.

        Raises:
            SchemaError: the document has no such event, or a `$ref` in it leads nowhere.
        """
        if event not in self._contracts:
            if event not in self._payloads:
                self._refuse(f"it has no event {event!r}", "/events")
            node = self._payloads[event]
            self._contracts[event] = EventContract(
                self.api,
                event,
                node,
                source=f"{self.source}#/events/{event}",
                description=str(self._document.schema["events"][event].get("description", "")),
            )
        return self._contracts[event]

    def _payload(self, name: str, event: object) -> Node[Document]:
        pointer = f"/events/{name}"
        if problem := naming.event_problem(name):
            self._refuse(problem, pointer)
        parameters = event.get("parameters") if isinstance(event, dict) else None
        if not isinstance(parameters, dict):
            self._refuse('an event must have "parameters", a JSON Schema of its payload', pointer)
        pointer += "/parameters"
        self._check_schema(parameters, pointer)
        if "$id" in parameters or "$schema" in parameters:  # brings its own references and draft
            node = Document(parameters, f"{self.source}#{pointer}").root
        else:
            node = self._document.at(pointer)
        if not accepts(node, "object"):
            self._refuse("the payload of an event must be an object", pointer)
        return node

    def _check_schema(self, schema: dict[str, Any], pointer: str) -> None:
        dialect = schema.get("$schema", self._dialect)
        known = _DIALECTS.get(str(dialect).removesuffix("#"))
        if known is None:
            self._refuse(f"its $schema is {short(dialect)}, known are {', '.join(DRAFTS)}", pointer)
        for path, sentence in metaschema_problems(schema, known):
            place = pointer + "".join(f"/{step}" for step in path)
            self._refuse(f"the schema is invalid: {sentence}", place)

    def _refuse(self, problem: str, pointer: str = "") -> NoReturn:
        raise SchemaError(problem, source=self.source, pointer=pointer)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
