"""JSON Schemas of Python types, as msgspec and pydantic read and write their values."""

from __future__ import annotations

import enum
import functools
import inspect
import operator
from typing import Any

from msgspec import NODEFAULT, UNSET
from msgspec import inspect as mi

from lightbus.schema.payload.limits import not_json
from lightbus.schema.payload.problems import short
from lightbus.schema.python.class_names import REFERENCE, class_key, full_text
from lightbus.schema.python.constraints import constrained_fields
from lightbus.schema.python.models import Schema, model_schemas
from lightbus.schema.python.values import (
    UnsupportedType,
    bus_type,
    canonical,
    is_pydantic,
    plain,
    read_type,
    type_text,
)

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
_BYTES = (mi.BytesType, mi.ByteArrayType, mi.MemoryViewType)


class TypeSchemas:
    """Generates the schemas of types, which may refer to one another.

    Attributes:
        definitions: schemas of the named classes so far, by key, for the `$defs` of the document.
        texts: the full text of each of these classes, by key.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self.texts: dict[str, str] = {}
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
        if isinstance(read, _BYTES):
            return {**_SCALARS[type(read)], **_bytes_bounds(read)}
        if getattr(read, "tz", None) is False:
            raise UnsupportedType("tz=False has no JSON Schema: a date-time on the bus has a time zone")
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
        if isinstance(read, mi.Metadata):
            return self._keys(read.type)
        if isinstance(read, mi.AnyType) or read == mi.StrType():
            return {}
        if isinstance(read, mi.IntType):
            if bounds := _bounds(read, ""):
                raise UnsupportedType(f"a dict whose int keys have a {next(iter(bounds))} has no JSON Schema")
            return {"propertyNames": {"pattern": "^(0|-?[1-9][0-9]*)$"}}
        names = self._schema(read)
        if isinstance(read, mi.StrType) or type(read) in _STRINGS:
            return {"propertyNames": names}
        key = names.get("$ref", "").removeprefix(REFERENCE)
        values = names.get("enum") or self.definitions.get(key, {}).get("enum", [None])
        if all(isinstance(value, str) for value in values):
            return {"propertyNames": names}
        kind = getattr(read, "cls", None) or type(read).__name__.removesuffix("Type").lower()
        raise UnsupportedType(f"a dict with {type_text(kind)} keys has no JSON Schema; use str keys")

    def _named(self, read: Any) -> Schema:
        text = full_text(read.cls)
        key = class_key(text)
        if key not in self._owners:
            self._owners[key] = read.cls
            self.definitions.setdefault(key, {})  # claims the key, since a class may contain itself
            description = _docstring(read.cls)
            body = {**({"description": description} if description else {}), **self._body(read)}
            self._define(text, body)
        elif self._owners[key] != read.cls:
            raise _clash(text)
        return {"$ref": REFERENCE + key}

    def _define(self, text: str, schema: Schema) -> None:
        """Add the definition of a class, which must have one schema inside and outside a pydantic model."""
        key = class_key(text)
        self.texts[key] = text
        existing = self.definitions.get(key)
        if not existing:
            self.definitions[key] = schema
        elif _shape(existing) != _shape(schema):
            raise _clash(text)

    def _body(self, read: Any) -> Schema:
        if hasattr(read.cls, "__to_bus__"):
            raise UnsupportedType(
                f"{type_text(read.cls)} is written by msgspec, which does not call its __to_bus__;"
                " remove the method, or make it a plain class"
            )
        if isinstance(read, mi.EnumType):
            return _enum(read.cls)
        schemas = self._fields(read)
        tag = [(read.tag_field, {"const": read.tag})] if getattr(read, "tag_field", None) else []
        if isinstance(read, mi.NamedTupleType) or getattr(read, "array_like", False):
            items = [schema for _, schema in (*tag, *schemas)]
            items = [{key: value for key, value in item.items() if key != "default"} for item in items]
            return _tuple(items, len(tag) + sum(field.required for field in read.fields))
        required = [field.encode_name for field in read.fields if field.required]
        return closed_object(dict([*tag, *schemas]), [*dict(tag), *required])

    def _fields(self, read: Any) -> list[tuple[str, Schema]]:
        """Return the names on the wire and the schemas of a class's fields."""
        try:
            constrained = constrained_fields(read.cls)
        except TypeError as error:
            raise UnsupportedType(f"{type_text(read.cls)}: {error}") from error
        schemas = []
        for field in read.fields:
            is_read = field.name not in constrained
            schema = self._schema(field.type) if is_read else self.schema(constrained[field.name])
            name = getattr(field, "encode_name", field.name)
            schemas.append((name, {**schema, **_field_default(field, read.cls)}))
        return schemas

    def _custom(self, cls: Any) -> Schema:
        if is_pydantic(cls):
            return self._pydantic(cls)
        if not hasattr(cls, "__to_bus__"):
            raise UnsupportedType(
                f"{type_text(cls)} has no JSON Schema; use a dataclass, or give it __to_bus__ and __from_bus__"
            )
        return self.schema(bus_type(cls))

    def _pydantic(self, cls: Any) -> Schema:
        root, schemas = model_schemas(cls)
        key = class_key(root)
        if self._owners.setdefault(key, cls) is not cls:
            raise _clash(root)
        for text, schema in schemas.items():
            self._define(text, schema)
        return {"$ref": REFERENCE + key}


def _bounds(read: Any, counted: str) -> Schema:
    """Return the constraints of a type; `counted` is the suffix of the keywords on its size."""
    names = {**_NUMERIC, "min_length": f"min{counted}", "max_length": f"max{counted}"}
    bounds = {keyword: getattr(read, name, None) for name, keyword in names.items()}
    return {keyword: bound for keyword, bound in bounds.items() if bound is not None}


def _bytes_bounds(read: Any) -> Schema:
    """Return the bounds on the length of bytes, by the characters of base64 that are not padding."""
    shortest, longest = (
        None if length is None else length // 3 * 4 + (0, 2, 3)[length % 3]
        for length in (read.min_length, read.max_length)
    )
    if shortest is None and longest is None:
        return {}
    return {"pattern": f"^[^=]{{{shortest or 0},{'' if longest is None else longest}}}=*$"}


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


def _enum(cls: Any) -> Schema:
    """Return the schema of an enum; flags can be combined."""
    values = [member.value for member in cls]
    if not issubclass(cls, enum.Flag):
        return {"enum": values}
    largest = functools.reduce(operator.or_, values, 0)
    if sorted(values) == [1 << bit for bit in range(len(values))]:
        return {"type": "integer", "minimum": 0, "maximum": largest}
    if len(values) > _MAX_COMBINED:
        raise UnsupportedType(
            f"{type_text(cls)} has gaps between its flags, and too many to list; use an int"
        )
    combinations = {0}
    for value in values:
        combinations |= {value | other for other in combinations}
    return {"enum": sorted(combinations)}


_MAX_COMBINED = 8
"""Flags of which each combination is listed."""


def _field_default(field: Any, cls: Any) -> Schema:
    default = field.default
    if getattr(field, "default_factory", None) in (list, dict, set, frozenset, tuple):
        default = field.default_factory()
    if default is NODEFAULT or default is UNSET:
        return {}
    value = None
    try:
        problems = [reason for _, reason in not_json(plain(default))]
        value = canonical(default)
    except Exception as error:  # anything that a __to_bus__ raises
        problems = [f"{short(default)} cannot be written as JSON: {error}"]
    if problems:
        raise UnsupportedType(f"the default of field {field.name!r} of {type_text(cls)}: {problems[0]}")
    return {"default": value}


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


def _clash(text: str) -> UnsupportedType:
    return UnsupportedType(f"two classes are {text}, or one is written in two ways; rename one of them")
