"""The draft of JSON Schema that a file is written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lightbus.errors import did_you_mean
from lightbus.schema.language.keywords import DATA, DIALECT, DRAFTS, MAPS, Draft, bare, draft_of
from lightbus.schema.language.validation import metaschema_problems
from lightbus_gen.read.files import Report, SchemaFile
from lightbus_gen.read.input_problems import InputError, InputProblem

_BY_NAME = {draft.name: draft.uri for draft in DRAFTS.values()}


class Dialects:
    """Determines the draft of a file by its `$schema`.

    Args:
        chosen: the `$schema` to use instead, by the one that a file names; "" for files that name none.
    """

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = {bare(uri): dialect for uri, dialect in chosen.items()}
        self._vendors: dict[str, object] = {}

    def learn(self, value: object) -> None:
        """Record a loaded schema, which may be the metaschema that others name."""
        if isinstance(value, dict):
            for keyword in ("$id", "id"):
                if isinstance(uri := value.get(keyword), str):
                    self._vendors.setdefault(bare(uri), value.get("$schema"))

    def of(self, value: object) -> str | None:
        """Return the `$schema` that applies to a file's value, a key of `DRAFTS`, or None if it is unknown."""
        uri = value.get("$schema", "") if isinstance(value, dict) else ""
        seen = set()
        while isinstance(uri, str) and uri not in seen:
            seen.add(uri)
            if dialect := self._chosen.get(bare(uri)) or known_dialect(uri):
                return dialect
            if not uri:
                return DIALECT
            uri = self._vendors.get(bare(uri))
        return None

    @staticmethod
    def advice(value: object) -> tuple[str, str]:
        """Return the message and fix for a value with an unknown `$schema`."""
        uri = value.get("$schema") if isinstance(value, dict) else None
        message = f"the $schema {uri!r} is not one of the drafts 4, 6, 7, 2019-09 and 2020-12"
        fix = f"name the draft the file is written in, such as {DIALECT}"
        if isinstance(uri, str):
            fix += f", or read it as one: --dialect {uri}=2020-12 ({', '.join(_BY_NAME)})"
        return message, fix


def guessed_dialect(file: SchemaFile, dialects: Dialects, report: Report) -> str | None:
    """Return the newest draft in which a file with an unknown `$schema` is valid, with a notice, or None."""
    for dialect, draft in reversed(DRAFTS.items()):
        if not metaschema_problems(file.value, dialect):
            message, fix = dialects.advice(file.value)
            message = f"{message}; it is read as {draft.name}"
            report.add_notice(file, ("$schema",), "UNKNOWN_DIALECT", message, fix)
            return dialect
    return None


def parse_dialects(texts: Iterable[str], path: str = "") -> dict[str, str]:
    """Parse the setting `dialects`.

    Args:
        texts: `URI=DRAFT` each; without URI for files that name no `$schema`.
        path: the file with the setting, or "" for the command line.

    Returns:
        The `$schema` to use instead, by the one that a file names.

    Raises:
        InputError: a text is invalid, or a URI occurs twice.
    """
    dialects: dict[str, str] = {}
    problems = []
    for text in texts:
        uri, equals, draft = text.rpartition("=")
        if not equals or draft not in _BY_NAME:
            message = f"dialect {text!r} names no draft{did_you_mean(draft, _BY_NAME)}"
            fix = f"write URI=DRAFT, with one of {', '.join(_BY_NAME)}"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, fix))
        elif bare(uri) in map(bare, dialects):
            message = f"dialects name {uri!r} twice" if uri else "dialects name a draft for no $schema twice"
            problems.append(InputProblem(path, 0, 0, "INVALID_CONFIG", message, "keep one of them"))
        else:
            dialects[uri] = _BY_NAME[draft]
    if problems:
        raise InputError(problems)
    return dialects


def known_dialect(uri: object) -> str | None:
    """Return the key of `DRAFTS` that a `$schema` means, or None."""
    draft = draft_of(uri) if isinstance(uri, str) else None
    return draft.uri if draft else None


def in_newest_draft(schema: Any, draft: Draft) -> Any:
    """Return a schema of an older draft as one of 2020-12 that accepts the same values.

    References stay as they are, so those into the items or dependencies of a schema may no longer resolve.
    """
    if isinstance(schema, list):
        return [in_newest_draft(inner, draft) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if draft.ref_hides_siblings and "$ref" in schema:
        schema = {key: schema[key] for key in ("$ref", "definitions", "$defs") if key in schema}
    ignored = {"$schema", *draft.unknown, *({"$id", "id"} - {draft.id_keyword})}
    new: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ignored:
            continue
        if key in MAPS and isinstance(value, dict):
            new[key] = {name: in_newest_draft(inner, draft) for name, inner in value.items()}
        else:
            new[key] = value if key in DATA else in_newest_draft(value, draft)
    identifier = new.pop(draft.id_keyword, None)
    if isinstance(identifier, str):
        new |= {"$anchor": identifier[1:]} if identifier[:1] == "#" else {"$id": identifier}
    others = new.pop("additionalItems", None)
    if isinstance(new.get("items"), list):
        new["prefixItems"] = new.pop("items")
        new |= {} if others is None else {"items": others}
    for limit, keyword in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(is_exclusive := new.get(keyword), bool):
            del new[keyword]
            if is_exclusive and limit in new:
                new[keyword] = new.pop(limit)
    for name, needed in new.pop("dependencies", {}).items():
        keyword = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
        new.setdefault(keyword, {})[name] = needed
    return {key: value for key, value in new.items() if value != [] or key != "prefixItems"}
