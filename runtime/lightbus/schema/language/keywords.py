"""The keywords of JSON Schema: how each holds schemas, what those schemas describe, and which drafts define it.

Every walk through schemas loops over this table. A keyword that is not in it holds no schema and means
the same in every draft, or belongs to a vendor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The `$schema` of the newest draft, the default for schemas that name none."""


class Holds(Enum):
    """How a keyword holds schemas."""

    SCHEMA = "a schema"
    LIST = "a list of schemas"
    MAP = "schemas by name; `dependencies` may have lists of names instead"
    SCHEMA_OR_LIST = "a schema or a list of them"
    DATA = "data, even if it looks like a schema"
    NOTHING = "no schema"


class About(Enum):
    """What the schemas of a keyword describe."""

    VALUE = "the same value"
    PROPERTY = "a property of the value"
    NAME = "the name of a property"
    ITEM = "an item of the value"
    NOTHING = "nothing until something refers to them"


@dataclass(frozen=True, slots=True)
class Keyword:
    """One row of the table.

    Attributes:
        name: the keyword.
        holds: how it holds schemas.
        about: what those schemas describe.
        since, until: the first and the last draft that defines it.
        describes: whether a valid value stays valid when the keyword's schemas are widened.
        companions: keywords that mean nothing without it.
    """

    name: str
    holds: Holds
    about: About = About.NOTHING
    since: str = "draft-04"
    until: str = "2020-12"
    describes: bool = True
    companions: tuple[str, ...] = ()


_ROWS = (
    Keyword("allOf", Holds.LIST, About.VALUE),
    Keyword("anyOf", Holds.LIST, About.VALUE),
    Keyword("oneOf", Holds.LIST, About.VALUE),
    Keyword("not", Holds.SCHEMA, About.VALUE, describes=False),
    Keyword("if", Holds.SCHEMA, About.VALUE, "draft-07", describes=False, companions=("then", "else")),
    Keyword("then", Holds.SCHEMA, About.VALUE, "draft-07"),
    Keyword("else", Holds.SCHEMA, About.VALUE, "draft-07"),
    Keyword("dependentSchemas", Holds.MAP, About.VALUE, "2019-09"),
    Keyword(
        "dependencies", Holds.MAP, About.VALUE
    ),  # not in 2019-09 and later, but validators still apply it
    Keyword("properties", Holds.MAP, About.PROPERTY),
    Keyword("patternProperties", Holds.MAP, About.PROPERTY),
    Keyword("additionalProperties", Holds.SCHEMA, About.PROPERTY),
    Keyword("unevaluatedProperties", Holds.SCHEMA, About.PROPERTY, "2019-09"),
    Keyword("propertyNames", Holds.SCHEMA, About.NAME, "draft-06", describes=False),
    Keyword("prefixItems", Holds.LIST, About.ITEM, "2020-12"),
    Keyword("items", Holds.SCHEMA_OR_LIST, About.ITEM),
    Keyword("additionalItems", Holds.SCHEMA, About.ITEM, until="2019-09"),
    Keyword("unevaluatedItems", Holds.SCHEMA, About.ITEM, "2019-09"),
    Keyword(
        "contains",
        Holds.SCHEMA,
        About.ITEM,
        "draft-06",
        describes=False,
        companions=("minContains", "maxContains"),
    ),
    Keyword("contentSchema", Holds.SCHEMA, since="2019-09"),
    Keyword("$defs", Holds.MAP),
    Keyword("definitions", Holds.MAP),
    Keyword("$ref", Holds.NOTHING, About.VALUE),
    Keyword("$recursiveRef", Holds.NOTHING, About.VALUE, "2019-09", "2019-09"),
    Keyword("$dynamicRef", Holds.NOTHING, About.VALUE, "2020-12"),
    Keyword("enum", Holds.DATA),
    Keyword("const", Holds.DATA, since="draft-06"),
    Keyword("default", Holds.DATA),
    Keyword("examples", Holds.DATA),
    Keyword("example", Holds.DATA),  # of OpenAPI
    Keyword("dependentRequired", Holds.NOTHING, since="2019-09"),
    Keyword("minContains", Holds.NOTHING, since="2019-09"),
    Keyword("maxContains", Holds.NOTHING, since="2019-09"),
)
KEYWORDS = {row.name: row for row in _ROWS}
"""The table, by keyword."""


def _names(about: About, *holds: Holds) -> tuple[str, ...]:
    """Return the keywords about something, in the order of the table: all, or those that hold schemas in some ways."""
    return tuple(row.name for row in _ROWS if row.about is about and (not holds or row.holds in holds))


REFERENCES = frozenset(_names(About.VALUE, Holds.NOTHING))
"""Keywords that refer to a schema elsewhere, for the same value."""
IN_PLACE = _names(About.VALUE, Holds.SCHEMA, Holds.LIST, Holds.MAP)
"""Keywords whose schemas apply to the value itself."""
APPLYING = REFERENCES.union(IN_PLACE)
"""Keywords that apply a schema to the value itself."""
DESCRIBING = tuple(
    row.name
    for row in _ROWS
    if row.describes and row.about is not About.NOTHING and row.holds is not Holds.NOTHING
)
"""Keywords whose schemas describe a value or a part of it."""
MAPS = frozenset(row.name for row in _ROWS if row.holds is Holds.MAP)
"""Keywords that hold schemas by name."""
MAPS_OF_DOCUMENTS = MAPS | {"events"}
"""`MAPS`, and the key of a Lightbus document that holds events by name."""
DATA = frozenset(row.name for row in _ROWS if row.holds is Holds.DATA)
"""Keywords whose value is never a schema, even if it looks like one."""
DEFINITIONS = _names(About.NOTHING, Holds.MAP)
"""Keywords that hold schemas to refer to."""
DEPENDENT = _names(About.VALUE, Holds.MAP)
"""Keywords with schemas that apply where an object has a property."""
PROPERTIES = _names(About.PROPERTY)
"""Keywords that describe the properties of objects."""
CLOSING = _names(About.PROPERTY, Holds.SCHEMA)
"""Keywords about the properties that are not declared one by one."""
UNIONS = ("anyOf", "oneOf")
"""Keywords with branches; a value satisfies at least one."""
ITEMS = ("prefixItems", "items", "additionalItems")
"""Keywords that describe the items of arrays by their positions."""
ANCHORS = ("$anchor", "$dynamicAnchor", "$recursiveAnchor")
"""Keywords that name a schema; `$recursiveAnchor` only marks it."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A version of JSON Schema.

    Attributes:
        name: what users call it, `draft-07`.
        uri: its `$schema`.
        id_keyword: the keyword that gives a schema a URI.
        ref_hides_siblings: whether the keywords beside a `$ref` are ignored.
        unknown: keywords of other drafts, which this one ignores.
    """

    name: str
    uri: str
    id_keyword: str
    ref_hides_siblings: bool
    unknown: frozenset[str]


def _drafts() -> Iterator[Draft]:
    names = ("draft-04", "draft-06", "draft-07", "2019-09", "2020-12")
    for number, name in enumerate(names):
        uri = f"http://json-schema.org/{name}/schema#" if number < 3 else DIALECT.replace(names[-1], name)
        unknown = frozenset(
            row.name for row in _ROWS if not names.index(row.since) <= number <= names.index(row.until)
        )
        yield Draft(name, uri, "$id" if number else "id", number < 3, unknown)


DRAFTS = {draft.uri: draft for draft in _drafts()}
"""The supported drafts by their `$schema`, oldest first."""


@cache
def draft_of(uri: str) -> Draft | None:
    """Return the draft that a `$schema` names, with any protocol and with or without `#`; None for any other URI."""
    return next((draft for draft in DRAFTS.values() if bare(draft.uri) == bare(uri)), None)


def bare(uri: str) -> str:
    """Return a `$schema` without its protocol and an empty fragment, which do not matter."""
    return re.sub(r"^https?://|#$", "", uri)


Path = tuple[str | int, ...]
"""Keys and indexes that lead from a JSON value to one inside it, outermost first."""


INSTEAD = "x-lightbus-deprecated"
"""What to use instead of a deprecated event or parameter."""

ALLOW_BREAKING = "x-lightbus-allow-breaking"
"""Reasons for intended breaks, by rule of `lightbus-gen breaking`."""


def pointer(path: Iterable[str | int]) -> str:
    """Return a path as a JSON Pointer."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def subschemas(schema: object) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield (path, schema) of a schema and all objects inside it that may be schemas, in the author's order.

    A vendor's keyword may hold schemas to refer to, such as OpenAPI's `components`, unless it begins with `x-`.
    """
    todo: list[tuple[Path, object, bool]] = [((), schema, True)]
    while todo:
        path, node, is_schema = todo.pop()
        if isinstance(node, dict):
            if is_schema:
                yield path, node
            todo += [
                ((*path, key), inner, not (is_schema and key in MAPS_OF_DOCUMENTS))
                for key, inner in reversed(node.items())
                if isinstance(inner, (dict, list))
                and not (is_schema and (key in DATA or key.startswith("x-")))
            ]
        elif isinstance(node, list):
            todo += [
                ((*path, index), node[index], True)
                for index in range(len(node) - 1, -1, -1)
                if isinstance(node[index], (dict, list))
            ]


def with_subschemas(
    schema: dict[str, Any], keywords: Container[str], change: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return a copy of a schema in which the schemas under some keywords are changed.

    Args:
        schema: the schema, which may be invalid.
        keywords: keywords of the table.
        change: returns the replacement of a schema, which may be any JSON value if `schema` is invalid.
    """
    changed = dict(schema)
    for keyword, value in schema.items():
        if keyword not in keywords:
            continue
        if KEYWORDS[keyword].holds is Holds.MAP:
            if isinstance(value, dict):
                changed[keyword] = {name: change(inner) for name, inner in value.items()}
        else:
            changed[keyword] = [*map(change, value)] if isinstance(value, list) else change(value)
    return changed
