"""The names of generated classes and aliases, from titles, definition names and property paths.

A name never depends on the position of a schema in a list, so adding a branch or a field renames
nothing. `x-python-name` in a schema overrides it.
"""

from __future__ import annotations

import functools
import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from lightbus.schema.language.keywords import DEFINITIONS, IN_PLACE
from lightbus_gen.load.references import Node

# What generated modules import and use; a type of the same name gets an underscore.
RESERVED = frozenset(
    [
        *("Any", "Literal", "Never", "NotRequired", "Protocol", "TYPE_CHECKING", "TypeAlias", "TypedDict"),
        *("TypeVar", "Union", "annotations", "cached_property", "dataclass", "field", "lightbus"),
        *("Decimal", "UUID", "date", "datetime", "time", "timedelta"),
        *("EventMessage", "UNSET", "UnsetType"),
        *("bool", "bytes", "dict", "float", "int", "list", "object", "str", "super"),
        *("fire", "fire_async", "listen", "listen_async"),
    ]
)
_TITLE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_UNNAMED = (*DEFINITIONS, "properties", "components", "schemas")
"""Steps that a definition's name leaves out; the last two are those of OpenAPI."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What to call a schema without a name of its own: its owner, and the path from there.

    Attributes:
        scope: name of the file's or event's own class, which prefixes titles.
        path: owner and property names, already in Pascal case.
        suffix: appended to the path of an object if the path itself names a union.
        is_exact: whether the path is the name, whatever the title.
    """

    scope: str
    path: str
    suffix: str = ""
    is_exact: bool = False

    def exactly(self, name: str | None) -> Hint:
        """Return the hint for an object with a name of its own; this hint without one."""
        return Hint(self.scope, name, is_exact=True) if name else self

    def of(self, part: str) -> Hint:
        """Return the hint for a property or item."""
        return Hint(self.scope, self.path + pascal(part))

    def of_all(self, parts: Iterable[str]) -> dict[str, Hint]:
        """Return the hint for each property."""
        return {part: Hint(self.scope, self.path + name) for part, name in spellings(tuple(parts)).items()}


class Unnameable(Exception):
    """A schema's name cannot be used; the text says why.

    Attributes:
        node: the schema.
        taken: the name, if its only fault is that something else has it, otherwise "".
        is_twin: whether that is in the same place in another branch of the same schema.
    """

    def __init__(self, node: Node, message: str, *, taken: str = "", is_twin: bool = False) -> None:
        self.node, self.taken, self.is_twin = node, taken, is_twin
        super().__init__(message)


class ModuleNames:
    """The names taken in one generated module."""

    def __init__(self) -> None:
        self._owners: dict[str, Node | None] = {}

    def reserve(self, name: str) -> None:
        """Reserve a name for the module itself."""
        self._owners[name] = None

    def __contains__(self, name: object) -> bool:
        return name in self._owners

    def free(self, name: str) -> str:
        """Return a name that none of the module's own classes has: `OrderObject` beside an event `order`."""
        if name in RESERVED or keyword.iskeyword(name):
            name += "_"
        while name in self._owners and self._owners[name] is None:
            name += "Object"
        return name

    def claim(self, name: str, node: Node) -> str:
        """Claim a name for a schema; `Order` becomes `OrderObject` beside an event `order`.

        Raises:
            Unnameable: it has no letter, or something else has it.
        """
        if not name:
            raise Unnameable(node, "its name has no letter that a Python class name could be made of")
        name = self.free(name)
        if name in self._owners:
            owner = self._owners[name]
            other = (
                f"the schema at {owner.document.shown}#{owner.pointer}" if owner else "an event's own class"
            )
            is_twin = owner is not None and _place_in_value(owner) == _place_in_value(node)
            message = f"would be class {name!r}, as is {other}"
            raise Unnameable(node, message, taken=name, is_twin=is_twin)
        self._owners[name] = node
        return name


def _place_in_value(node: Node) -> tuple[object, ...]:
    """Return the place of the values that a schema describes, ignoring the branches it is in."""
    steps = (step for step in node.path if isinstance(step, str) and step not in IN_PLACE)
    return node.document.path, *steps


def inline_name(node: Node, hint: Hint, contested: Container[str]) -> str:
    """Return the class name of a schema at a property, item or union branch.

    Its title names it, unless that is contested because several schemas have it.
    """
    if name := explicit_name(node):
        return name
    title = node.schema.get("title")
    if isinstance(title, str) and _TITLE.fullmatch(title):
        title = pascal(title)
        name = title if title.startswith(hint.scope) else hint.scope + title
        return hint.path if name in contested else name
    return hint.path


def branch_name(node: Node, hint: Hint) -> str:
    """Return the class name of a union branch by its own title, "" without one."""
    if name := explicit_name(node):
        return name
    title = node.schema.get("title") if isinstance(node.schema, dict) else None
    words = pascal(title) if isinstance(title, str) else ""
    return hint.path + words if words and len(words) <= 40 else ""


def definition_name(node: Node, home: str, contested: Container[str]) -> str:
    """Return the class name of a schema that a `$ref` leads to.

    A definition of an API document has its own name, one of a file of types is prefixed with the file's name, and a
    whole file is named by its title or stem. Files of the same name are prefixed with the names of their folders.

    Args:
        node: the schema.
        home: name of the event class if the file is an event of the API, otherwise "".
        contested: names that schemas of several files would have, so that none gets it.
    """
    if name := explicit_name(node):
        return name
    is_document = isinstance(node.document.value, dict) and "lightbus" in node.document.value
    prefix = "" if is_document else home or _file_name(node)
    own = "".join(_steps(node))
    if home and not own:  # the event's payload, used as a value inside
        return f"{home}Object"
    name = own if prefix and own.startswith(prefix) else prefix + own
    folders = node.document.path.split("/")[:-1]
    while name in contested and folders:
        name = pascal(folders.pop()) + name
    return name


def _steps(node: Node) -> Iterator[str]:
    """Yield the parts of the name that the path to a definition gives it."""
    value = node.document.value
    for step in node.path:
        if step not in _UNNAMED:
            yield spellings(tuple(value))[step] if isinstance(step, str) else str(step)
        value = value[step]


def _file_name(node: Node) -> str:
    whole = node.document.value
    if name := explicit_name(replace(node, schema=whole, path=())):
        return name
    title = whole.get("title") if isinstance(whole, dict) else None
    if isinstance(title, str) and _TITLE.fullmatch(title):
        return pascal(title)
    return pascal(node.document.stem)


def explicit_name(node: Node) -> str:
    """Return the `x-python-name` of a schema, "" without one.

    Raises:
        Unnameable: it is not a public Python identifier.
    """
    name = node.schema.get("x-python-name") if isinstance(node.schema, dict) else None
    if name is None:
        return ""
    if (
        not isinstance(name, str)
        or not name.isidentifier()
        or unicodedata.normalize("NFKC", name) != name  # Python compares identifiers in this form
        or keyword.iskeyword(name)
        or name[0] == "_"
    ):
        raise Unnameable(node, f"the x-python-name {name!r} is not a public Python identifier")
    return name


@functools.lru_cache(maxsize=1_000)
def spellings(names: tuple[str, ...]) -> Mapping[str, str]:
    """Return sibling names as class names; those that would collide keep their separators, then their case."""
    spelled = {name: word(name) for name in names}
    for distinct in (_separated, _verbatim):
        count = Counter(spelled.values())
        spelled = {name: own if count[own] == 1 else distinct(name) or own for name, own in spelled.items()}
    return spelled


@functools.lru_cache(maxsize=10_000)
def pascal(text: str) -> str:
    """Return text as a class name: `user_created` and `user-created` are `UserCreated`, `2nd` is `_2nd`."""
    name = ""
    for word in re.split(r"[\W_]+", unicodedata.normalize("NFKC", text)):
        if name[-1:].isdigit() and word[:1].isdigit():
            name += "_"  # versions 1.10 and 11.0 differ
        name += word[:1].upper() + word[1:]
    if name and name[0].isdigit():
        name = f"_{name}"
    return name if name.isidentifier() else re.sub(r"[^A-Za-z0-9_]", "", name)


def word(text: str) -> str:
    """Return text as part of a class name, which is never empty: `_` is `LowLine`, as Unicode calls it."""
    signs = (unicodedata.name(sign, f"U{ord(sign):X}").title() for sign in text)
    return pascal(text) or "".join(map(pascal, signs)) or "Empty"


def _separated(text: str) -> str:
    """Return text as part of a class name with its separators: `tcp-A` is `Tcp_A`, beside `tcpA`."""
    name = re.sub(r"[^A-Za-z0-9]", "_", text)
    return name[:1].upper() + name[1:]


def _verbatim(text: str) -> str:
    """Return text as part of a class name with its separators and case: `user` is `_user`, beside `User`."""
    name = re.sub(r"[^A-Za-z0-9]", "_", text)
    return name if not name or name[:1].isupper() else f"_{name}"
