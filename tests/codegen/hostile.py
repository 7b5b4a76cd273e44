# ruff: noqa: RUF001 - look-alikes are the point
"""Schemas that try to break out of the text into which they are printed."""

from __future__ import annotations

import json
import keyword
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

PIECES = [
    *(
        "'",
        '"',
        "'''",
        '"""',
        "\\",
        "\\\\",
        '\\"""',
        "\\N{BULLET}",
        "\\x22",
        "\\u0022",
        "#",
        "# type: ignore",
    ),
    *(
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x1d",
        "\x1e",
        "\x85",
        "\u2028",
        "\u2029",
        "\x00",
        "\x1b[31m",
    ),
    *(
        "\ud800",
        "\udfff",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\uff02",
        "\u037e",
        "ſelf",
        "ﬁre",
        "𝐜𝐥𝐚𝐬𝐬",
        "ｉｍｐｏｒｔ",
        "İ",
    ),
    *(
        "{{ 7*7 }}",
        "{% raise %}",
        "{# #}",
        "{",
        "}",
        "%s",
        "${x}",
        "*/",
        "-->",
        "`",
        ")]",
        ") -> object: ...",
        "]]",
    ),
    *(
        '"""; import os; """',
        "'); import os #",
        "\n    import os\n",
        "\nimport os\n",
        '\n    """\n    import os',
        ", **{",
        "\u0661",
    ),
    *("a", "B", "1", "_", "-", ".", "/", " ", "name", "user", "x" * 120, "word " * 30),
]
NAMES = [
    *keyword.kwlist,
    *keyword.softkwlist,
    *(
        "str",
        "int",
        "list",
        "dict",
        "float",
        "bool",
        "bytes",
        "object",
        "print",
        "super",
        "type",
        "BaseException",
    ),
    *(
        "lightbus",
        "dataclass",
        "EventMessage",
        "ListenOptions",
        "UNSET",
        "UnsetType",
        "Literal",
        "TypedDict",
        "Protocol",
    ),
    *(
        "Any",
        "Never",
        "Union",
        "NotRequired",
        "Unpack",
        "TypeVar",
        "TypeAlias",
        "TYPE_CHECKING",
        "cached_property",
    ),
    *(
        "annotations",
        "datetime",
        "date",
        "UUID",
        "Decimal",
        "_SCHEMA",
        "_Sig",
        "__all__",
        "Bus",
        "Client",
        "Namespace",
    ),
    *(
        "self",
        "cls",
        "event",
        "message",
        "event_message",
        "options",
        "listener",
        "listener_name",
        "bus",
        "_bus",
        "_fire",
    ),
    *(
        "fire",
        "fire_async",
        "listen",
        "listen_async",
        "happened",
        "Happened",
        "HappenedHandler",
        "HappenedX",
        "EvilClient",
    ),
    *(
        "__init__",
        "__slots__",
        "__class__",
        "__dict__",
        "__doc__",
        "__post_init__",
        "__file__",
        "__x",
        "_",
        "__",
    ),
    *(
        "../../x",
        "..",
        ".",
        "/etc/passwd",
        "C:\\x",
        "CON",
        "a/b",
        "",
        " ",
        "%2e%2e",
        "a.b.c",
        "schemas",
        "py",
        "typed",
    ),
]
ODD = st.sampled_from(PIECES)
IDENTIFIERS = st.sampled_from(NAMES) | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
TEXTS = (
    st.lists(ODD, max_size=5).map("".join)
    | st.sampled_from(NAMES)
    | st.text(st.characters(), max_size=12)
    | st.tuples(IDENTIFIERS, ODD).map("".join)
)
KEYS = st.one_of(TEXTS, IDENTIFIERS)
VALUES = st.one_of(
    TEXTS, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)


def _comments() -> dict[str, st.SearchStrategy[Any]]:
    return {
        "title": TEXTS,
        "description": TEXTS,
        "$comment": TEXTS,
        "default": VALUES | st.lists(VALUES, max_size=2),
        "examples": st.lists(VALUES, max_size=2),
        "x-python-name": KEYS,
        "x-other": TEXTS,
    }


def _with_comments(schema: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    few = st.sets(st.sampled_from(sorted(_comments())), max_size=2)
    chosen = few.flatmap(lambda keys: st.fixed_dictionaries({key: _comments()[key] for key in sorted(keys)}))
    return st.builds(lambda body, comments: comments | body, schema, chosen)


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda properties, required, more: (
            {"type": "object", "properties": properties, "required": sorted(required & set(properties))}
            | more
        ),
        st.dictionaries(KEYS, inner, max_size=4),
        st.sets(KEYS, max_size=2),
        st.sampled_from(
            [{}, {}, {"additionalProperties": False}, {"additionalProperties": {"type": "string"}}]
        ),
    )


LEAVES = _with_comments(
    st.one_of(
        st.sampled_from(["string", "integer", "number", "boolean", "null"]).map(lambda kind: {"type": kind}),
        st.lists(VALUES, min_size=1, max_size=4, unique_by=json.dumps).map(lambda values: {"enum": values}),
        VALUES.map(lambda value: {"const": value}),
        TEXTS.map(lambda text: {"type": "string", "pattern": text}),
        TEXTS.map(lambda text: {"type": "string", "format": text}),
        st.sampled_from(["date-time", "uuid", "date", "decimal"]).map(
            lambda name: {"type": "string", "format": name}
        ),
        KEYS.map(
            lambda name: {"$ref": "#/$defs/" + name.replace("~", "~0").replace("/", "~1").replace("%", "%25")}
        ),
    )
)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: _with_comments(
        st.one_of(
            _object(inner),
            inner.map(lambda item: {"type": "array", "items": item}),
            st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
            st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"oneOf": branches}),
            st.dictionaries(TEXTS, inner, max_size=2).map(lambda named: {"patternProperties": named}),
        )
    ),
    max_leaves=6,
)
PAYLOADS = _with_comments(_object(SCHEMAS))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the document of one API; its names are valid, since all others are refused at once."""
    definitions = draw(st.dictionaries(KEYS, SCHEMAS | PAYLOADS, max_size=3))
    names = draw(st.lists(IDENTIFIERS.filter(_is_public), min_size=1, max_size=2, unique=True))
    payloads = {name: draw(PAYLOADS) for name in names}
    # references that can be resolved, or the whole document is refused
    for schema in _schemas([definitions, payloads]):
        if "$ref" in schema:
            target = draw(st.sampled_from(sorted(definitions))) if definitions else ""
            schema["$ref"] = f"#/$defs/{_token(target)}" if definitions else "#/events"
    return {
        "lightbus": 1,
        "api": draw(st.sampled_from(["evil", "a.b", "str", "lightbus", "Bus", "datetime", "typing"])),
        "version": draw(TEXTS),
        "description": draw(TEXTS),
        "events": {
            name: {"description": draw(TEXTS), "parameters": payload} for name, payload in payloads.items()
        },
        "$defs": definitions,
    }


def _is_public(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)


def _token(name: str) -> str:
    """Encode a key as a step of a JSON Pointer in a URI."""
    return name.replace("%", "%25").replace("~", "~0").replace("/", "~1")


def _schemas(value: Any) -> list[dict[str, Any]]:
    """List every object in a JSON value."""
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in _schemas(inner))]
    return [found for inner in value for found in _schemas(inner)] if isinstance(value, list) else []


FOLDERS = ["evil/", "evil/sub/", "", "_types/", "e vil/", "évil/", 'ev"il/', "evil\n/", "str/", "a.b/"]


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a folder of plain schemas with hostile names that refer to each other: path -> schema."""
    named = (TEXTS | IDENTIFIERS).filter(
        lambda name: not set(name) & set("/\0") and name not in ("", ".", "..")
    )
    files: dict[str, Any] = {"evil/happened.json": draw(PAYLOADS)}
    for _ in range(draw(st.integers(0, 2))):
        folder = draw(st.sampled_from(FOLDERS) | st.just("_types/"))
        suffix = draw(st.sampled_from([".json", ".json", ".schema.json", ".yaml"]))
        files[folder + draw(named) + suffix] = draw(PAYLOADS) | {
            "$defs": draw(st.dictionaries(KEYS, SCHEMAS, max_size=2))
        }
    places = [
        f"{'../' * path.count('/')}{quote(target, errors='surrogatepass')}{fragment}"
        for path in ["evil/happened.json"]
        for target, schema in files.items()
        for fragment in ["", *(f"#/$defs/{_token(name)}" for name in schema.get("$defs", ()))]
    ]
    for path, schema in files.items():
        for inner in _schemas(schema):
            if "$ref" in inner:
                inner["$ref"] = "../" * (path.count("/") - 1) + draw(st.sampled_from(places))
    return files
