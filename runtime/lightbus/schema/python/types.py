"""JSON Schemas of Python types, as msgspec and pydantic read and write their values."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

from msgspec import NODEFAULT, UNSET
from msgspec import inspect as mi

from lightbus.schema.python.values import (
    UnsupportedType,
    bus_type,
    canonical,
    is_pydantic,
    read_type,
    type_text,
)

Schema = dict[str, Any]

_STRINGS: dict[type[mi.Type], Schema] = {
    mi.DateTimeType: {"type": "string", "format": "date-time"},
    mi.DateType: {"type": "string", "format": "date"},
    mi.TimeType: {"type": "string", "format": "time"},
    mi.TimeDeltaType: {"type": "string", "format": "duration"},
    mi.UUIDType: {"type": "string", "format": "uuid"},
    mi.DecimalType: {"type": "string", "format": "decimal"},
}
_SCALARS: dict[type[mi.Type], Schema] = {
    **_STRINGS,
    mi.AnyType: {},
    mi.NoneType: {"type": "null"},
    mi.BoolType: {"type": "boolean"},
    mi.IntType: {"type": "integer"},
    mi.FloatType: {"type": "number"},
    mi.StrType: {"type": "string"},
    mi.BytesType: {"type": "string", "contentEncoding": "base64"},
    mi.ByteArrayType: {"type": "string", "contentEncoding": "base64"},
    mi.MemoryViewType: {"type": "string", "contentEncoding": "base64"},
}
_NUMERIC = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
}
_FIELDS = (mi.DataclassType, mi.TypedDictType, mi.StructType)
_ARRAYS = (mi.ListType, mi.SetType, mi.FrozenSetType, mi.VarTupleType)
_SETS = (mi.SetType, mi.FrozenSetType)


class TypeSchemas:
    """Generates the schemas of types, which may refer to one another.

    Attributes:
        definitions: schemas of the named classes so far, for the `$defs` of the document.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._owners: dict[str, object] = {}

    def schema(self, python: Any) -> Schema:
        """Return the schema of a type; named classes become a `$ref` into `definitions`.

        Raises:
            UnsupportedType: the type, or one it contains, has no schema.
        """
        return self._schema(read_type(python))

    def _schema(self, read: mi.Type) -> Schema:
        if isinstance(read, mi.Metadata):
            return {**self._schema(read.type), **(read.extra_json_schema or {})}
        if type(read) in _SCALARS:
            return {**_SCALARS[type(read)], **_bounds(read, "Length")}
        if isinstance(read, mi.LiteralType):
            return {"enum": list(read.values)}
        if isinstance(read, mi.UnionType):
            return {"anyOf": [self._schema(branch) for branch in read.types]}
        if isinstance(read, _ARRAYS):
            return self._array(read)
        if isinstance(read, mi.TupleType):
            return _tuple([self._schema(item) for item in read.item_types], len(read.item_types))
        if isinstance(read, mi.DictType):
            return self._dict(read)
        if isinstance(read, mi.CustomType):
            return self._custom(read.cls)
        if isinstance(read, (mi.EnumType, mi.NamedTupleType, *_FIELDS)):
            return self._named(read)
        raise UnsupportedType(f"{type(read).__name__.removesuffix('Type')} has no JSON Schema")

    def _array(self, read: mi.CollectionType) -> Schema:
        items = self._schema(read.item_type)
        return {
            "type": "array",
            **({"items": items} if items else {}),
            **({"uniqueItems": True} if isinstance(read, _SETS) else {}),
            **_bounds(read, "Items"),
        }

    def _dict(self, read: mi.DictType) -> Schema:
        values = self._schema(read.value_type)
        return {
            "type": "object",
            **self._keys(read.key_type),
            **({"additionalProperties": values} if values else {}),
            **_bounds(read, "Properties"),
        }

    def _keys(self, read: mi.Type) -> Schema:
        """Describe the keys of a dict, which JSON writes as strings."""
        if isinstance(read, mi.AnyType) or read == mi.StrType():
            return {}
        if isinstance(read, mi.IntType):
            return {"propertyNames": {"pattern": "^(0|-?[1-9][0-9]*)$"}}
        names = self._schema(read)
        if isinstance(read, mi.StrType) or type(read) in _STRINGS:
            return {"propertyNames": names}
        values = names.get("enum") or self.definitions.get(_ref_name(names), {}).get("enum", [None])
        if all(isinstance(value, str) for value in values):
            return {"propertyNames": names}
        kind = getattr(read, "cls", None) or type(read).__name__.removesuffix("Type").lower()
        raise UnsupportedType(f"a dict with {type_text(kind)} keys has no JSON Schema; use str keys")

    def _named(self, read: Any) -> Schema:
        name = _name(read.cls)
        if name not in self._owners:
            self._owners[name] = read.cls
            self.definitions.setdefault(name, {})  # claims the name, since a class may contain itself
            description = _docstring(read.cls)
            body = {**({"description": description} if description else {}), **self._body(read)}
            self._define(name, body, read.cls)
        elif self._owners[name] is not read.cls:
            raise _clash(name, self._owners[name], read.cls)
        return {"$ref": f"#/$defs/{name}"}

    def _define(self, name: str, schema: Schema, cls: object) -> None:
        """Add a definition; a class used inside and outside a pydantic model must have one schema."""
        existing = self.definitions.get(name)
        if not existing:
            self.definitions[name] = schema
        elif _shape(existing) != _shape(schema):
            raise _clash(name, self._owners.get(name), cls)

    def _body(self, read: Any) -> Schema:
        if hasattr(read.cls, "__to_bus__"):
            raise UnsupportedType(
                f"{type_text(read.cls)} is written by msgspec, which does not call its __to_bus__;"
                " remove the method, or make it a plain class"
            )
        if isinstance(read, mi.EnumType):
            return {"enum": [member.value for member in read.cls]}
        if isinstance(read, mi.NamedTupleType) or getattr(read, "array_like", False):
            items = [self._schema(field.type) for field in read.fields]
            return _tuple(items, sum(field.required for field in read.fields))
        properties: dict[str, Schema] = {}
        required = []
        if getattr(read, "tag_field", None):
            properties[read.tag_field] = {"const": read.tag}
            required.append(read.tag_field)
        for field in read.fields:
            properties[field.encode_name] = {**self._schema(field.type), **_field_default(field)}
            if field.required:
                required.append(field.encode_name)
        return closed_object(properties, required)

    def _custom(self, cls: Any) -> Schema:
        if is_pydantic(cls):
            return self._pydantic(cls)
        if not hasattr(cls, "__to_bus__"):
            raise UnsupportedType(
                f"{type_text(cls)} has no JSON Schema; use a dataclass, or give it __to_bus__ and __from_bus__"
            )
        return self.schema(bus_type(cls))

    def _pydantic(self, cls: Any) -> Schema:
        import pydantic.json_schema

        class Untitled(pydantic.json_schema.GenerateJsonSchema):
            """Omits the titles that pydantic derives from field names."""

            def field_title_should_be_set(self, schema: Any) -> bool:
                return False

        try:
            body = cls.model_json_schema(ref_template="#/$defs/{model}", schema_generator=Untitled)
        except pydantic.errors.PydanticUserError as error:
            raise UnsupportedType(f"{type_text(cls)} has no JSON Schema: {error.message}") from error
        definitions = body.pop("$defs", {})
        name = _ref_name(body) or _name(cls)
        if "$ref" not in body:
            definitions[name] = body
        if self._owners.setdefault(name, cls) is not cls:
            raise _clash(name, self._owners[name], cls)
        for key, schema in definitions.items():
            schema = _closed(schema)
            if schema.get("title") == key:
                del schema["title"]
            self._define(key, schema, cls)
        return {"$ref": f"#/$defs/{name}"}


def _bounds(read: Any, counted: str) -> Schema:
    """Return the constraints of a type; `counted` is the suffix of the keywords on its size."""
    names = {**_NUMERIC, "min_length": f"min{counted}", "max_length": f"max{counted}"}
    bounds = {keyword: getattr(read, name, None) for name, keyword in names.items()}
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _tuple(items: list[Schema], required: int) -> Schema:
    size = {"minItems": required, "maxItems": len(items)}
    return {"type": "array", **({"prefixItems": items} if items else {}), "items": False, **size}


def closed_object(properties: dict[str, Schema], required: list[str]) -> Schema:
    """Return the schema of objects that have no other properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _closed(schema: Schema) -> Schema:
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return dict(schema)


def _field_default(field: mi.Field) -> Schema:
    default = field.default
    if field.default_factory in (list, dict, set, frozenset, tuple):
        default = field.default_factory()
    if default in (NODEFAULT, UNSET):
        return {}
    return {"default": canonical(default)}


def _ref_name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _name(cls: Any) -> str:
    name = getattr(cls, "__name__", None) or str(cls)
    if args := typing.get_args(cls):
        name = "_".join([name, *(getattr(arg, "__name__", str(arg)) for arg in args)])
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _docstring(cls: Any) -> str:
    """Return the author's docstring, not the one that a dataclass or named tuple generates."""
    text = getattr(cls, "__dict__", {}).get("__doc__")
    if not text or text.startswith(f"{cls.__name__}("):
        return ""
    return inspect.cleandoc(text)


def _shape(schema: Any) -> Any:
    """Return a schema without its titles, descriptions and defaults."""
    if isinstance(schema, list):
        return [_shape(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _shape(value)
        for key, value in schema.items()
        if key != "default" and not (key in ("title", "description") and isinstance(value, str))
    }


def _clash(name: str, *classes: object) -> UnsupportedType:
    both = " and ".join(type_text(cls) for cls in classes if cls is not None)
    return UnsupportedType(
        f"two classes are named {name}, or one is written in two ways, in {both}; rename one of them"
    )
