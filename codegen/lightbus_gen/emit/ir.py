"""The intermediate representation of the code to print: every decision is made, every annotation spelled out.

Plain frozen data, so it can be dumped as JSON (`dataclasses.asdict`). Every string is Python source that the generator
wrote, except docstrings (`doc`, `..._doc`, `summary`) and signatures, which the templates' filters escape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lightbus_gen.emit.distribution import Distribution


@dataclass(frozen=True, slots=True)
class TypedDictKey:
    """One key of a TypedDict.

    Attributes:
        name: its name, as a Python literal.
        annotation: its type.
        doc: the author's description.
    """

    name: str
    annotation: str
    doc: str


@dataclass(frozen=True, slots=True)
class TypedDict:
    """A TypedDict in functional syntax."""

    name: str
    doc: str
    fields: tuple[TypedDictKey, ...]
    is_object: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Alias:
    """A type alias; `annotation` is the source of its right-hand side."""

    name: str
    doc: str
    annotation: str
    is_object: Literal[False] = False


@dataclass(frozen=True, slots=True)
class EventField:
    """One parameter of an event, in each form that the code needs.

    Attributes:
        name: Python name.
        wire: Python literal of the property name.
        attribute: in the payload class, `referrer: str | UnsetType = UNSET`.
        argument: of `fire()`; the same, except for names that the class body shadows.
        parameter: of the handlers, `referrer: str = ...`.
        doc: the author's description.
    """

    name: str
    wire: str
    attribute: str
    argument: str
    parameter: str
    doc: str


@dataclass(frozen=True, slots=True)
class More:
    """The field for properties that a schema allows but does not declare.

    Attributes:
        name: Python name.
        attribute: in the payload class, `more: dict[str, Any] = field(default_factory=dict)`.
        argument: of `fire()`, `**more: Any`.
    """

    name: str
    attribute: str
    argument: str


@dataclass(frozen=True, slots=True)
class EventClasses:
    """One event.

    Attributes:
        name: its name on the bus, and the attribute of the client.
        class_name: name of its payload class, and stem of the names of its other classes.
        summary: the first sentence of its description, "" if there is none.
        payload_doc, doc, fire_doc: docstrings of the payload class, the endpoint and `fire()`.
        deprecated: the message of type checkers where it is fired, as a Python literal; "" unless deprecated.
        fields: its parameters, in the author's order.
        more: the field for undeclared properties; None if there are none.
        keyword_call, message_call: the parameters of `__call__` in the Protocols of these handlers.
        keyword_signature, message_signature: the handlers to write, as type checkers quote them; plain text.
    """

    name: str
    class_name: str
    summary: str
    payload_doc: str
    doc: str
    fire_doc: str
    deprecated: str
    fields: tuple[EventField, ...]
    more: More | None
    keyword_call: tuple[str, ...]
    message_call: tuple[str, ...]
    keyword_signature: str
    message_signature: str


@dataclass(frozen=True, slots=True)
class Child:
    """An attribute that leads to a client or namespace.

    Attributes:
        name: the attribute.
        class_name: its class.
        module: the module that defines the class, "" for the package itself.
        doc: its docstring.
    """

    name: str
    class_name: str
    module: str
    doc: str


@dataclass(frozen=True, slots=True)
class Module:
    """The generated module of one API.

    Attributes:
        name: module name.
        api: the API's name.
        origin: the file or folder it is generated from.
        sha256: hash of the schema document it belongs to.
        doc: its docstring.
        imports: import statements.
        aliases: second names for types that a field of a payload class shadows.
        types: TypedDicts and aliases, each after those it refers to.
        events: the events.
        client: class name of the client.
        client_doc: its docstring.
        children: APIs below this one: `shop.orders` below `shop`.
    """

    name: str
    api: str
    origin: str
    sha256: str
    doc: str
    imports: tuple[str, ...]
    aliases: tuple[Alias, ...]
    types: tuple[TypedDict | Alias, ...]
    events: tuple[EventClasses, ...]
    client: str
    client_doc: str
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class NamespaceClass:
    """A class for a prefix of dotted API names that is not an API itself."""

    class_name: str
    doc: str
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A whole generated package.

    Attributes:
        name: import name.
        origin: the schemas folder.
        doc: its docstring.
        namespaces: each after those it refers to.
        children: attributes of the `Bus`.
        clients: the clients that annotations in `__init__.py` name.
        documents: (file name in `schemas/`, text) of the schema document of each API.
        distribution: its distribution, if it has one.
        events: full name of each event, and the first sentence of its description.
    """

    name: str
    origin: str
    doc: str
    namespaces: tuple[NamespaceClass, ...]
    children: tuple[Child, ...]
    clients: tuple[Child, ...]
    documents: tuple[tuple[str, str], ...]
    distribution: Distribution | None
    events: tuple[tuple[str, str], ...]
