"""Contracts: the payload of an event in one version, checked as the runtime checks it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from lightbus.schema import open_schema
from lightbus.schema.language.reference import Document, Node
from lightbus_gen.compat.proof.opinion import covers


class Documents:
    """A self-contained document of events, as written and as listeners read it.

    Args:
        written: the document of an API.
    """

    def __init__(self, written: dict[str, Any]) -> None:
        self._schema = written

    @cached_property
    def written(self) -> Document:
        """The document as its author wrote it."""
        return Document(self._schema, "")

    @cached_property
    def opened(self) -> Document:
        """The document with undeclared properties allowed."""
        return Document(open_schema(self._schema), "")

    @cached_property
    def has_one_of(self) -> bool:
        """Whether it has a `oneOf`, so that the opened schema may refuse what the written one accepts."""
        return "'oneOf'" in repr(self._schema)

    def of(self, event: str) -> Contract:
        """Return the contract of one event."""
        parameters = self._schema["events"][event]["parameters"]
        if isinstance(parameters, dict) and ("$id" in parameters or "$schema" in parameters):
            return Contract(Documents(parameters), "", parameters)  # it has references and a draft of its own
        shared = {key: self._schema[key] for key in ("$schema", "$defs") if key in self._schema}
        schema = {**shared, **parameters} if isinstance(parameters, dict) else parameters
        return Contract(self, f"/events/{event}/parameters", schema)


class Contract:
    """The payload of an event in one version.

    Args:
        documents: the document with the schema.
        pointer: JSON pointer of the schema in the document.
        schema: the schema, with the definitions it refers to.
    """

    def __init__(self, documents: Documents, pointer: str, schema: Any) -> None:
        self._documents, self._pointer, self._schema = documents, pointer, schema

    @cached_property
    def node(self) -> Node:
        """The schema, as its author wrote it."""
        return self._documents.written.at(self._pointer)

    @cached_property
    def _written(self) -> Any:
        return self.node.document.validator(self.node)

    @cached_property
    def _opened(self) -> Any:
        document = self._documents.opened
        return document.validator(document.at(self._pointer))

    def writes(self, payload: Any) -> bool:
        """Whether a payload is valid by the schema as its author wrote it."""
        return bool(self._written.is_valid(payload))

    def errors(self, payload: Any) -> list[Any]:
        """Return the errors with which a listener of this version refuses a payload; [] if it accepts it."""
        if self._opened.is_valid(payload):
            return []
        if self._documents.has_one_of and self._written.is_valid(payload):
            return []  # once opened, two branches may match
        return list(self._opened.iter_errors(payload))

    def covers(self, writer: Contract) -> bool:
        """Whether the second opinion is sure that this version accepts everything that another one writes."""
        return covers(open_schema(self._schema), writer._schema)
