"""What is to be printed: every decision taken, every annotation spelled.

Plain frozen data, so it can be dumped as JSON (`dataclasses.asdict`). Every string is Python source of
our making, but for docstrings (`doc`, `..._doc`, `summary`) and signatures, which the templates' filters escape.
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
        doc: the author's words on it.
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
    """A type alias; `annotation` is the source of its right side."""

    name: str
    doc: str
    annotation: str
    is_object: Literal[False] = False


@dataclass(frozen=True, slots=True)
class EventField:
    """One parameter of an event, as it stands in each place.

    Attributes:
        name: Python name.
        wire: Python literal of the property name.
        attribute: in the payload class, `referrer: str | UnsetType = UNSET`.
        argument: of `fire()`, the same but for names the class body would shadow.
        parameter: of the handlers, `referrer: str = ...`.
        doc: the author's words on it.
    """

    name: str
    wire: str
    attribute: str
    argument: str
    parameter: str
    doc: str


@dataclass(frozen=True, slots=True)
class More:
    """What takes the properties that a schema allows beside those it declares.

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
        name: its name on the bus, and the client's attribute.
        class_name: stem of its classes' names, and name of its payload class.
        summary: the first sentence about it, "" for none.
        payload_doc, doc, fire_doc: docstrings of the payload class, the endpoint and `fire()`.
        deprecated: what checkers say where it is fired, as a Python literal; "" unless it is deprecated.
        fields: its parameters, in the author's order.
        more: what takes further properties; None where there are none.
        keyword_call, message_call: what those handlers are called with.
        keyword_signature, message_signature: the handlers to write, as checkers quote them; plain text.
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
        module: the module of the package that has the class, "" for the package itself.
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
        origin: file or folder it is made from.
        sha256: hash of the schema document it belongs to.
        doc: its docstring.
        imports: import statements.
        aliases: other names for types that a payload class has a field of.
        types: TypedDicts and aliases, each after the ones it needs.
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
    """A class for the part of dotted API names that is no API itself."""

    class_name: str
    doc: str
    children: tuple[Child, ...]


@dataclass(frozen=True, slots=True)
class Package:
    """A whole generated package.

    Attributes:
        name: import name.
        origin: the schemas folder.
        sha256: hash over all schema documents.
        doc: its docstring.
        namespaces: each after the ones it needs.
        children: attributes of the `Bus`.
        clients: the clients that annotations of the package itself name.
        documents: text of the schema document of each API, by file name in `schemas/`.
        distribution: what the package is installed as, if anything.
        events: full name of each event, and the first sentence about it.
    """

    name: str
    origin: str
    sha256: str
    doc: str
    namespaces: tuple[NamespaceClass, ...]
    children: tuple[Child, ...]
    clients: tuple[Child, ...]
    documents: tuple[tuple[str, str], ...]
    distribution: Distribution | None
    events: tuple[tuple[str, str], ...]
