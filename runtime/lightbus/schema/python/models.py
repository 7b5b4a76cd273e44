"""Schemas of pydantic models, as pydantic generates them."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from lightbus.schema.python.class_names import REFERENCE, class_key, short_name
from lightbus.schema.python.values import UnsupportedType, type_text

Schema = dict[str, Any]
Schemas = dict[str, Schema]


def model_schemas(cls: Any) -> tuple[str, Schemas]:
    """Return the text of a model, and the schemas of it and the classes inside it by text.

    Raises:
        UnsupportedType: the model has no schema, or does not write what it reads.
    """
    _refuse_foreign(cls, set())
    root, read = _generated(cls, "validation")
    _, written = _generated(cls, "serialization", root)
    for text, schema in read.items():
        if problem := next(_misfits(written.get(text, {}), schema, ""), ""):
            raise UnsupportedType(f"{text} {problem}, so that no reader would accept it")
    return root, read


def _generated(cls: Any, mode: Any, root: str = "") -> tuple[str, Schemas]:
    import pydantic.json_schema
    from pydantic.json_schema import DefsRef

    texts: dict[str, str] = {}

    class Keyed(pydantic.json_schema.GenerateJsonSchema):
        """Refers to classes by key, omits titles that pydantic derives, and knows no serializer without annotation."""

        def field_title_should_be_set(self, schema: Any) -> bool:
            return False

        def ser_schema(self, schema: Any) -> Any:
            is_foreign = not getattr(schema.get("function"), "__module__", "pydantic").startswith("pydantic")
            return {} if is_foreign and "return_schema" not in schema else super().ser_schema(schema)

        def get_defs_ref(self, core_mode_ref: Any) -> DefsRef:
            text = re.sub(r":[0-9]+(?=[\[\],]|$)", "", core_mode_ref[0]).replace("builtins.", "")
            key = DefsRef(class_key(text))
            texts[key] = text
            self._prioritized_defsref_choices[key] = [key]
            return key

    try:
        body = cls.model_json_schema(
            mode=mode, ref_template=REFERENCE + "{model}", schema_generator=Keyed, by_alias=True
        )
    except pydantic.errors.PydanticUserError as error:
        raise UnsupportedType(f"{type_text(cls)} has no JSON Schema: {error.message}") from error
    definitions = body.pop("$defs", {})
    if REFERENCE not in body.get("$ref", ""):
        origin = cls.__pydantic_generic_metadata__["origin"] or cls
        own = f"{origin.__module__}.{origin.__qualname__}"
        root = root or next(text for text in texts.values() if text.partition("[")[0] == own)
        texts[""], definitions[""] = root, body
    else:
        root = texts[body["$ref"].removeprefix(REFERENCE)]
    return root, {texts[key]: _cleaned(schema, texts[key]) for key, schema in definitions.items()}


def _cleaned(schema: Schema, text: str) -> Schema:
    """Close an object that declares properties, and remove the title that is the name of the class."""
    is_name = short_name(str(schema.get("title", ""))) == short_name(text)
    schema = {key: value for key, value in schema.items() if key != "title" or not is_name}
    if "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


def _misfits(written: Schema, read: Schema, place: str) -> Iterator[str]:
    """Yield how the values that a model writes differ in kind from those that it reads.

    Compares names, types and formats, not bounds: a serializer may keep within those that a schema cannot tell.
    """
    fits = (not [*_misfits(written, each, place)] for each in read.get("anyOf", ()))
    if written.get("writeOnly"):
        yield f"masks {place or 'its value'} when it is written"
    elif not read.keys() & _KINDS or any(fits):
        return
    elif alternatives := written.get("anyOf"):
        for each in alternatives:
            yield from _misfits(each, read, place)
    elif any(written.get(key) != read.get(key) for key in _KINDS):
        yield f"writes {place or 'its value'} in another form than it reads it"
    else:
        names = [name for name, each in written.get("properties", {}).items() if not each.get("readOnly")]
        declared = read.get("properties", {})
        for name in (*declared, *names):
            if name not in declared or name not in names:
                yield f"{'reads' if name in declared else 'writes'} {name!r} under another name, or on one side only"
                return
        for name in names:
            yield from _misfits(written["properties"][name], declared[name], f"field {name!r}")
        for key in ("items", "additionalProperties"):
            if isinstance(written.get(key), dict) and isinstance(read.get(key), dict):
                yield from _misfits(written[key], read[key], place)


_KINDS = ("type", "format", "enum", "const", "$ref", "anyOf", "oneOf")


def _refuse_foreign(cls: Any, seen: set[Any]) -> None:
    """Refuse a `msgspec.Meta` inside a pydantic model, which pydantic would ignore."""
    if cls in seen:
        return
    seen.add(cls)
    for name, field in getattr(cls, "__pydantic_fields__", {}).items():
        for part in _parts(field.annotation, *field.metadata):
            if isinstance(part, msgspec.Meta):
                raise UnsupportedType(
                    f"{type_text(cls)}: pydantic ignores {part!r} of {name!r}; use pydantic.Field"
                )
            if isinstance(part, type):
                _refuse_foreign(part, seen)


def _parts(*kinds: Any) -> Iterator[Any]:
    for kind in kinds:
        yield kind
        yield from _parts(*typing.get_args(kind))
