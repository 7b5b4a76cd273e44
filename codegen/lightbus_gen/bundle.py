"""Schemas that span files, folded into one document per API for the generated package.

Each event's payload schema becomes self-contained: every file it reaches stands whole among its
definitions under an absolute `$id` of its own, as JSON Schema's compound documents have it, and `$ref`s
between files become absolute.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urldefrag, urljoin

from lightbus.schema import FORMAT
from lightbus.schema.definition import DIALECT
from lightbus_gen.dialects import known_dialect
from lightbus_gen.files import SchemaFile
from lightbus_gen.positions import pointer
from lightbus_gen.references import DATA, MAPS_OF_SCHEMAS, Library, Node, id_keyword, references
from lightbus_gen.sources import ApiSource, EventSource


def document_text(api: ApiSource, library: Library) -> str:
    """Return the text of an API's document: the file itself where it stands alone, else a bundle."""
    if api.document is not None and not reached(library, api.document)[0]:
        return api.document.text
    document: dict[str, Any] = {"$schema": DIALECT, "lightbus": FORMAT, "api": api.name}
    document |= {key: value for key in ("version", "description") if (value := getattr(api, key))}
    document["events"] = {
        event.name: ({"description": event.description} if event.description else {})
        | {"parameters": _bundle(library, event)}
        for event in api.events
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _bundle(library: Library, event: EventSource) -> Any:
    root = library.node(event.file, event.path)
    files, is_referred = reached(library, event.file)
    schema = _copy(library, root)
    if not isinstance(schema, dict):
        return schema
    # A $ref beside other keywords hides them in old drafts, so it moves one level in.
    if "$ref" in schema and root.hides_siblings:
        schema = {"allOf": [{"$ref": schema["$ref"]}], "definitions": schema.get("definitions", {})}
    definitions = "definitions" if root.hides_siblings else "$defs"
    inner = dict(schema.get(definitions, {}))
    if event.path:  # the definitions of the API document come along
        inner |= _copy(library, library.node(event.file, ())).get("$defs", {})
    for file in files:
        inner[file.path] = _resource(library, file, id_keyword(event.file))
    head: dict[str, Any] = {"$schema": event.file.dialect}
    if is_referred:
        head[id_keyword(event.file)] = library.canonical_uri(event.file)
    schema = head | {key: value for key, value in schema.items() if key not in head}
    return schema | {definitions: inner} if inner else schema


def reached(library: Library, start: SchemaFile) -> tuple[list[SchemaFile], bool]:
    """Return the other files that `$ref`s lead to, by path, and whether any goes by URI.

    Raises:
        Unresolvable: one leads nowhere.
    """
    files = {start.path: start}
    goes_by_uri = False
    todo = [start]
    for file in todo:
        for node, keyword in references(library, library.node(file, ())):
            ref = node.schema[keyword]
            goes_by_uri |= not ref.startswith("#")
            target = library.resolve(node, ref).file
            if target.path not in files:
                files[target.path] = target
                todo.append(target)
    return [files[path] for path in sorted(files) if path != start.path], goes_by_uri


def _resource(library: Library, file: SchemaFile, outer_id: str) -> Any:
    """Return a whole file as a schema resource that can stand inside a schema of another draft."""
    copy = _copy(library, library.node(file, ()))
    if not isinstance(copy, dict):
        return copy
    uri = library.canonical_uri(file)
    head = {"$schema": file.dialect, id_keyword(file): uri, outer_id: uri}
    return head | {key: value for key, value in copy.items() if key not in head}


def _copy(library: Library, node: Node, is_schema: bool = True) -> Any:
    """Copy a schema, its `$ref`s to other files written out in full."""
    if isinstance(node.schema, list):
        return [_copy(library, library.child(node, index)) for index in range(len(node.schema))]
    if not isinstance(node.schema, dict):
        return node.schema
    copy: dict[str, Any] = {}
    for key, value in node.schema.items():
        if is_schema and key == "$ref" and isinstance(value, str):
            target = library.resolve(node, value)
            if not isinstance(target.schema, bool):
                copy[key] = _absolute(library, node, value, target)
            elif node.hides_siblings:
                return {} if target.schema else {"not": {}}
            elif not target.schema:  # a boolean has no $id to go by
                copy["not"] = {}
        elif is_schema and key == "$schema" and known_dialect(value) is None:
            continue  # a vendor's, which no other reader of the document knows
        elif isinstance(value, (dict, list)) and not (is_schema and key in DATA):
            copy[key] = _copy(library, library.child(node, key), not (is_schema and key in MAPS_OF_SCHEMAS))
        else:
            copy[key] = value
    return copy


def _absolute(library: Library, node: Node, ref: str, target: Node) -> str:
    uri, fragment = urldefrag(ref)
    canonical = library.canonical_uri(target.file).rstrip("#")
    goes_by_id = urljoin(library.canonical_uri(node.file), uri).rstrip("#") == canonical
    if not uri or (target.file is node.file and not goes_by_id):  # perhaps to an $id inside the file
        return ref
    if not goes_by_id:
        fragment = pointer(target.path)
    return f"{canonical}#{fragment}" if fragment else canonical
