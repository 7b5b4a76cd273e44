"""Schemas that span files, folded into one document per API for the generated package.

Each event's payload schema becomes self-contained, a compound document: every file it refers to is included
whole among its definitions, under an absolute `$id` of its own, and `$ref`s between files become absolute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urldefrag

import msgspec

from lightbus.schema import FORMAT
from lightbus.schema.language.keywords import DATA, DIALECT, DRAFTS, MAPS_OF_DOCUMENTS, REFERENCES, pointer
from lightbus_gen.load.dialects import in_newest_draft, known_dialect
from lightbus_gen.load.references import Library, Node, Unresolvable
from lightbus_gen.load.sources import LoadedApi, LoadedEvent
from lightbus_gen.read.files import SchemaFile, join

_MARKS = "-._~!$&'()*+,;=:@/?"
_FRAGMENT = re.compile(rf"(?:[A-Za-z0-9{re.escape(_MARKS)}]|%[0-9A-Fa-f]{{2}})*")


class Bundler:
    """Builds the documents of APIs."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._links: dict[str, tuple[dict[str, SchemaFile], bool]] = {}
        self._fragments: dict[str, bool] = {}
        self._resources: dict[tuple[str, str, bool], Any] = {}

    def document(self, api: LoadedApi) -> tuple[dict[str, Any], str]:
        """Return an API's document and its text: the file itself if it stands alone, else a bundle."""
        if api.document is not None and self.stands_alone(api):
            return api.document.value, api.document.text
        bundle = self.bundle(api)
        compact = json.dumps(bundle, ensure_ascii=False)
        return bundle, msgspec.json.format(compact, indent=2) + "\n"  # json.dumps indents 20 times slower

    def stands_alone(self, api: LoadedApi) -> bool:
        """Whether an API has a document that refers to no other file, in URIs that all readers accept."""
        if api.document is None or self.reached(api.document)[0]:
            return False
        if api.document.path not in self._fragments:
            refs = (node.schema[keyword] for node, keyword in self._library.references(api.document))
            is_readable = all(_FRAGMENT.fullmatch(ref.partition("#")[2]) for ref in refs)
            self._fragments[api.document.path] = is_readable
        return self._fragments[api.document.path]

    def bundle(self, api: LoadedApi) -> dict[str, Any]:
        """Return the document of an API with all schemas that it refers to."""
        document: dict[str, Any] = {"$schema": DIALECT, "lightbus": FORMAT, "api": api.name}
        document |= {key: value for key in ("version", "description") if (value := getattr(api, key))}
        document["events"] = {
            event.name: ({"description": event.description} if event.description else {})
            | {"parameters": self._bundle(event)}
            for event in api.events
        }
        return document

    def _bundle(self, event: LoadedEvent) -> Any:
        root = self._library.node(event.file, event.path)
        files, is_referred = self.reached(event.file)
        is_mixed = _is_mixed([event.file, *files])
        draft = DRAFTS[DIALECT] if is_mixed else event.file.draft
        schema = _copy_root(self._library, root)
        if not isinstance(schema, dict):
            return schema
        if is_mixed:
            schema = in_newest_draft(schema, event.file.draft)
        definitions = "definitions" if draft.ref_hides_siblings else "$defs"
        inner = dict(schema.get(definitions, {}))
        if event.path:  # include the definitions of the API document
            inner |= _copy(self._library, self._library.node(event.file, ())).get("$defs", {})
        for file in files:
            inner[file.path] = self._resource(file, draft.id_keyword, is_mixed)
        head: dict[str, Any] = {"$schema": draft.uri}
        if is_referred:
            head[draft.id_keyword] = event.file.canonical_uri
        schema = head | {key: value for key, value in schema.items() if key not in head}
        return schema | {definitions: inner} if inner else schema

    def reached(self, start: SchemaFile) -> tuple[list[SchemaFile], bool]:
        """Return the other files that references reach, sorted by path, and whether any reference uses a URI."""
        files = {start.path: start}
        uses_uri = False
        todo = [start]
        for file in todo:
            targets, has_uri = self._linked(file)
            uses_uri |= has_uri
            todo += [target for path, target in targets.items() if path not in files]
            files |= targets
        return [files[path] for path in sorted(files) if path != start.path], uses_uri

    def _linked(self, file: SchemaFile) -> tuple[dict[str, SchemaFile], bool]:
        """Return the files that a file's references lead to, by path, and whether any reference uses a URI."""
        if file.path not in self._links:
            refs = [(node, node.schema[keyword]) for node, keyword in self._library.references(file)]
            targets = [target.document for node, ref in refs if (target := self._library.find(node, ref))]
            root = file.canonical_uri
            uses_uri = any(not ref.startswith("#") or node.base != root for node, ref in refs)
            self._links[file.path] = {target.path: target for target in targets}, uses_uri
        return self._links[file.path]

    def _resource(self, file: SchemaFile, outer_id: str, is_mixed: bool) -> Any:
        """Return a whole file as a schema resource that can be embedded in a schema of another file."""
        key = file.path, outer_id, is_mixed
        if key not in self._resources:
            copy = _copy_root(self._library, self._library.node(file, ()))
            if isinstance(copy, dict):
                uri = file.canonical_uri
                head = {"$schema": file.dialect, file.draft.id_keyword: uri, outer_id: uri}
                if is_mixed:
                    copy, head = in_newest_draft(copy, file.draft), {"$schema": DIALECT, "$id": uri}
                copy = head | {key: value for key, value in copy.items() if key not in head}
            self._resources[key] = copy
        return self._resources[key]


def _is_mixed(files: Iterable[SchemaFile]) -> bool:
    """Whether a bundle of files is written in 2020-12, as validators read a document by the draft of its root."""
    files = tuple(files)
    is_recursive = any('"$recursive' in file.text for file in files)  # of 2019-09 only
    return len({file.dialect for file in files}) > 1 and not is_recursive


def _copy_root(library: Library, node: Node) -> Any:
    """Copy a schema that gets an `$id`; in old drafts a `$ref` would hide it, so the `$ref` moves into an `allOf`.

    The keys beside the `$ref` mean nothing there, but references may lead into them: they move to a definition.
    """
    copy = _copy(library, node)
    if isinstance(copy, dict) and "$ref" in copy and node.hides_siblings:
        ref, definitions = copy.pop("$ref"), copy.pop("definitions", {})
        copy = {key: value for key, value in copy.items() if key not in ("$schema", "$id", "id")}
        moved = {_BESIDE_REF: copy} if copy else {}
        return {"allOf": [{"$ref": ref}], "definitions": definitions | moved}
    return copy


_BESIDE_REF = "beside $ref"


def _copy(library: Library, node: Node, is_schema: bool = True) -> Any:
    """Copy a schema with absolute references to other files."""
    if isinstance(node.schema, list):
        return [_copy(library, node.child(index)) for index in range(len(node.schema))]
    if not isinstance(node.schema, dict):
        return node.schema
    copy: dict[str, Any] = {}
    for key, value in node.schema.items():
        if is_schema and key in REFERENCES and isinstance(value, str):
            target = library.find(node, value)  # None in a vendor's keyword, or if reported elsewhere
            if target is None or target.path or not isinstance(target.schema, bool):
                copy[key] = _absolute(library, node, value, target) if target else value
            elif node.hides_siblings:
                return {} if target.schema else {"not": {}}
            elif not target.schema:  # a file that is just a boolean has no $id to go by
                copy["not"] = {}
        elif is_schema and key == "$schema" and known_dialect(value) is None:
            continue  # a vendor's, unknown to other readers of the document
        elif isinstance(value, (dict, list)) and not (is_schema and key in DATA):
            copy[key] = _copy(library, node.child(key), not (is_schema and key in MAPS_OF_DOCUMENTS))
        else:
            copy[key] = value
    return copy


def _absolute(library: Library, node: Node, ref: str, target: Node) -> str:
    """Return a reference that means the same in a bundle; one within its resource is unchanged."""
    uri, fragment = urldefrag(ref)
    absolute = join(node.base, uri)
    root = library.node(target.document, ())
    if root.hides_siblings and target.path and target.path[0] != "definitions":
        is_inside = node.document is target.document and node.base == root.base
        canonical = "" if is_inside else target.document.canonical_uri
        return f"{canonical}#{quote(pointer(('definitions', _BESIDE_REF, *target.path)))}"
    try:
        resource = library.resource(absolute, node.document)
        own = resource and resource.base == absolute and library.inside(resource, fragment, node.document)
    except Unresolvable:  # an ambiguous $id, or `#/` that means the file: the reference is by path
        own = None
    if absolute == DIALECT or (own and own.key == target.key):
        canonical = absolute if uri else ""
    else:
        canonical, fragment = target.document.canonical_uri, quote(pointer(target.path))
    return f"{canonical}#{_escaped(fragment)}" if fragment or not canonical else canonical


def _escaped(fragment: str) -> str:
    """Return a fragment that is valid in a URI; names such as `List<Item>` are often not escaped."""
    return fragment if _FRAGMENT.fullmatch(fragment) else quote(unquote(fragment), _MARKS)
