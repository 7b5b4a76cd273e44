"""The keywords of JSON Schema: how each holds schemas, what those are about, and which drafts have it.

Whatever walks through schemas loops over this table. A keyword that is not in it holds no schema and means
the same in every draft, or belongs to a vendor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The `$schema` of the newest draft, which counts where a schema names none."""


class Holds(Enum):
    """How a keyword holds schemas."""

    SCHEMA = "a schema"
    LIST = "a list of schemas"
    MAP = "schemas by name, or lists of names in the place of some"
    SCHEMA_OR_LIST = "a schema or a list of them"
    DATA = "data, whatever it looks like"
    NOTHING = "no schema"


class About(Enum):
    """What the schemas of a keyword are about."""

    VALUE = "the same value"
    PROPERTY = "a property of it"
    NAME = "the name of a property"
    ITEM = "an item of it"
    NOTHING = "nothing by themselves"


@dataclass(frozen=True, slots=True)
class Keyword:
    """One row of the table.

    Attributes:
        name: the keyword.
        holds: how it holds schemas.
        about: what those are about.
        since, until: the first and the last draft that has it, as `DRAFTS` names them.
        describes: whether its schemas say what the value is, so that the value fits a wider one as well.
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
    Keyword("dependencies", Holds.MAP, About.VALUE),  # left out since 2019-09, and validated all the same
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

REFERENCES = frozenset(row.name for row in _ROWS if row.name.endswith(("$ref", "Ref")))
"""Keywords that refer to a schema elsewhere, for the same value."""
IN_PLACE = tuple(row.name for row in _ROWS if row.about is About.VALUE and row.name not in REFERENCES)
"""Keywords whose schemas a value is checked against itself."""
DESCRIBING = tuple(
    row.name
    for row in _ROWS
    if row.describes and row.about is not About.NOTHING and row.name not in REFERENCES
)
"""Keywords whose schemas say what a value, or a part of it, is."""
MAPS = frozenset(row.name for row in _ROWS if row.holds is Holds.MAP)
"""Keywords that hold schemas by name."""
MAPS_OF_DOCUMENTS = MAPS | {"events"}
"""Those, and the key of a Lightbus document that holds events by name."""
DATA = frozenset(row.name for row in _ROWS if row.holds is Holds.DATA)
"""Keywords whose value is no schema, whatever it looks like."""
DEFINITIONS = ("$defs", "definitions")
"""Keywords that hold schemas to refer to."""
UNIONS = ("anyOf", "oneOf")
"""Keywords with branches, of which a value satisfies one."""
DEPENDENT = ("dependentSchemas", "dependencies")
"""Keywords with schemas that apply where an object has a property."""
CLOSING = ("additionalProperties", "unevaluatedProperties")
"""Keywords about the properties that are not declared one by one."""
PROPERTIES = ("properties", "patternProperties", *CLOSING)
"""Keywords that describe the properties of objects."""
ITEMS = ("prefixItems", "items", "additionalItems")
"""Keywords that describe the items of arrays by their places."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A version of JSON Schema.

    Attributes:
        name: what users call it, `draft-07`.
        uri: its `$schema`.
        id_keyword: the keyword that gives a schema a URI.
        ref_hides_siblings: whether a `$ref` makes the keywords beside it void.
        unknown: keywords of other drafts, which say nothing in this one.
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
"""The drafts that are understood, by their `$schema`, the oldest first."""


@cache
def draft_of(uri: str) -> Draft | None:
    """Return the draft of a `$schema`, whatever its protocol and with or without `#`; None for any other URI."""
    return next((draft for known, draft in DRAFTS.items() if bare(known) == bare(uri)), None)


def bare(uri: str) -> str:
    """Leave out what does not matter in a `$schema`: the protocol, and an empty fragment."""
    return re.sub(r"^https?://|#$", "", uri)


Path = tuple[str | int, ...]


def subschemas(schema: object) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield (path, schema) of a schema and all objects inside it that may be schemas, in the author's order.

    A vendor's keyword may hold schemas to refer to, as `components` of OpenAPI does; one that begins with `x-` does not.
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
                if isinstance(inner, (dict, list)) and not (is_schema and is_data(key))
            ]
        elif isinstance(node, list):
            todo += [
                ((*path, index), node[index], True)
                for index in range(len(node) - 1, -1, -1)
                if isinstance(node[index], (dict, list))
            ]


def is_data(keyword: str) -> bool:
    """Whether the value of a keyword is no schema, whatever it looks like."""
    return keyword in DATA or keyword.startswith("x-")


def with_subschemas(
    schema: dict[str, Any], keywords: Container[str], change: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return a copy of a schema in which the schemas under some keywords are changed.

    Args:
        schema: the schema.
        keywords: the keywords, of those in the table.
        change: makes the new schema of one; it may get anything where the schema is invalid.
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
