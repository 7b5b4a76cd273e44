"""JSON Schemas of Python types, and conversion of their values.

msgspec reads the types and converts the values; this module says how each looks in JSON Schema, and adds
pydantic models and classes with `__to_bus__` and `__from_bus__`, which msgspec does not know.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
from msgspec import NODEFAULT, UNSET
from msgspec import inspect as mi

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


class UnsupportedType(Exception):
    """A type that has no JSON Schema; the text says which and why."""


class TypeSchemas:
    """Writes the schemas of types that may refer to one another.

    Attributes:
        definitions: schemas of the named classes met so far, for the `$defs` of the document.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        self._owners: dict[str, object] = {}

    def schema(self, python: Any) -> Schema:
        """Return the schema of a type; named classes become a `$ref` into `definitions`.

        Raises:
            UnsupportedType: the type, or one it contains, has no schema.
        """
        return self._schema(_read(python))

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
        raise UnsupportedType(f"a dict with {_text(read)} keys has no JSON Schema; use str keys")

    def _named(self, read: Any) -> Schema:
        name = _name(read.cls)
        known = self._owners.setdefault(name, read.cls)
        if known is not read.cls:
            raise _clash(name, known, read.cls)
        if name not in self.definitions:
            self.definitions[name] = {}  # claims the name, a class may contain itself
            body = self._body(read)
            description = _docstring(read.cls)
            self.definitions[name] = {**({"description": description} if description else {}), **body}
        return {"$ref": f"#/$defs/{name}"}

    def _body(self, read: Any) -> Schema:
        if hasattr(read.cls, "__to_bus__"):
            raise UnsupportedType(
                f"{_text(read.cls)} is written by msgspec, which does not call its __to_bus__;"
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
        return _object(properties, required)

    def _custom(self, cls: Any) -> Schema:
        if _is_pydantic(cls):
            return self._pydantic(cls)
        if not hasattr(cls, "__to_bus__"):
            raise UnsupportedType(
                f"{_text(cls)} has no JSON Schema; use a dataclass, or give it __to_bus__ and __from_bus__"
            )
        return self.schema(_bus_type(cls))

    def _pydantic(self, cls: Any) -> Schema:
        import pydantic.json_schema

        class Untitled(pydantic.json_schema.GenerateJsonSchema):
            """Leaves out the titles pydantic makes of field names."""

            def field_title_should_be_set(self, schema: Any) -> bool:
                return False

        try:
            body = cls.model_json_schema(ref_template="#/$defs/{model}", schema_generator=Untitled)
        except pydantic.errors.PydanticUserError as error:
            raise UnsupportedType(f"{_text(cls)} has no JSON Schema: {error.message}") from error
        found = body.pop("$defs", {})
        name = _ref_name(body) or _name(cls)
        if "$ref" not in body:
            found[name] = body
        for key, schema in found.items():
            schema = _closed(schema)
            if schema.get("title") == key:
                del schema["title"]
            if self.definitions.setdefault(key, schema) != schema:
                raise _clash(key, self._owners.get(key, "another model"), cls)
        if self._owners.setdefault(name, cls) is not cls:
            raise _clash(name, self._owners[name], cls)
        return {"$ref": f"#/$defs/{name}"}


def plain(value: object, *, sort: bool = False) -> Any:
    """Make JSON values of Python values: what the `json` module knows, and nothing else.

    Args:
        value: any value events can carry.
        sort: order sets and dicts, for the same result in every process.

    Raises:
        TypeError: a value cannot be written as JSON.
    """
    return msgspec.to_builtins(
        value, str_keys=True, enc_hook=_encode, order="deterministic" if sort else None
    )


def converter(python: Any) -> Callable[[Any], Any] | None:
    """Return the function that makes values of a type from their JSON values, or None for identity.

    The function raises `msgspec.ValidationError`.
    """
    read = _read(python)
    if _is_plain(read):
        return None
    # lax because a schema has checked the value already, and to JSON 1.0 is an integer
    return partial(msgspec.convert, type=python, strict=False, str_keys=True, dec_hook=_decode)


def _read(python: Any) -> mi.Type:
    try:
        return mi.type_info(_with_bounds(python))
    except NameError as error:
        raise UnsupportedType(f"{error}; types are read when the API is first used") from error
    except TypeError as error:
        raise UnsupportedType(str(error)) from error


def _is_plain(read: mi.Type) -> bool:
    """Whether the JSON value already is the Python value."""
    if isinstance(read, mi.Metadata):
        return _is_plain(read.type)
    if isinstance(read, mi.UnionType):
        return all(_is_plain(branch) for branch in read.types)
    if isinstance(read, mi.ListType):
        return _is_plain(read.item_type)
    if isinstance(read, mi.DictType):
        return isinstance(read.key_type, (mi.StrType, mi.AnyType)) and _is_plain(read.value_type)
    kinds = (mi.AnyType, mi.NoneType, mi.BoolType, mi.IntType, mi.FloatType, mi.StrType, mi.LiteralType)
    return isinstance(read, kinds)


def _encode(value: Any) -> object:
    if _is_pydantic(type(value)):
        return value.model_dump(mode="json", by_alias=True, round_trip=True)
    if hasattr(value, "__to_bus__"):
        return value.__to_bus__()
    raise TypeError(f"{type(value).__name__} is not a type that events can carry")


def _decode(cls: Any, value: Any) -> object:
    if _is_pydantic(cls):
        return cls.model_validate_json(msgspec.json.encode(value))
    try:
        return cls.__from_bus__(_from_bus_argument(cls, value))
    except Exception as error:
        raise ValueError(f"{cls.__name__}.__from_bus__ failed: {error!r}") from error


def _from_bus_argument(cls: Any, value: Any) -> Any:
    convert = converter(_bus_type(cls))
    return convert(value) if convert else value


def _bus_type(cls: Any) -> Any:
    """Return the type that stands for a class on the bus: what its `__to_bus__` returns."""
    if not callable(getattr(cls, "__from_bus__", None)):
        raise UnsupportedType(
            f"{_text(cls)} has __to_bus__, but no class method __from_bus__ to read it back"
        )
    try:
        hints = typing.get_type_hints(cls.__to_bus__, include_extras=True)
    except NameError as error:
        raise UnsupportedType(f"{_text(cls)}.__to_bus__: {error}") from error
    if "return" not in hints:
        raise UnsupportedType(f"{_text(cls)}.__to_bus__ needs a return annotation, its schema on the bus")
    return hints["return"]


def _is_pydantic(cls: Any) -> bool:
    return hasattr(cls, "__pydantic_core_schema__") and hasattr(cls, "model_json_schema")


def _with_bounds(python: Any) -> Any:
    """Read the constraints of annotated-types, such as `Annotated[int, Gt(0)]`, as msgspec's own."""
    if typing.get_origin(python) is not Annotated:
        return python
    base, *metadata = typing.get_args(python)
    names = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length")
    bounds: dict[str, Any] = {}
    for item in metadata:
        if not isinstance(item, msgspec.Meta) and not isinstance(item, type):
            bounds |= {name: getattr(item, name) for name in names if getattr(item, name, None) is not None}
    return Annotated[(base, *metadata, msgspec.Meta(**bounds))] if bounds else python


def _bounds(read: Any, counted: str) -> Schema:
    """Write the constraints of a type; `counted` ends the names of those on its size."""
    names = {**_NUMERIC, "min_length": f"min{counted}", "max_length": f"max{counted}"}
    found = {keyword: getattr(read, name, None) for name, keyword in names.items()}
    return {keyword: bound for keyword, bound in found.items() if bound is not None}


def _tuple(items: list[Schema], required: int) -> Schema:
    size = {"minItems": required, "maxItems": len(items)}
    return {"type": "array", **({"prefixItems": items} if items else {}), "items": False, **size}


def _object(properties: Mapping[str, Schema], required: Iterable[str]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
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
    return {"default": plain(default, sort=True)}


def _ref_name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).removeprefix("#/$defs/")


def _name(cls: Any) -> str:
    name = getattr(cls, "__name__", None) or str(cls)
    if args := typing.get_args(cls):
        name = "_".join([name, *(getattr(arg, "__name__", str(arg)) for arg in args)])
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _docstring(cls: Any) -> str:
    """Return the docstring the author wrote, not the one a dataclass or named tuple makes up."""
    text = getattr(cls, "__dict__", {}).get("__doc__")
    if not text or text.startswith(f"{cls.__name__}("):
        return ""
    return inspect.cleandoc(text)


def _text(python: Any) -> str:
    return inspect.formatannotation(python)


def _clash(name: str, one: object, other: object) -> UnsupportedType:
    places = [item if isinstance(item, str) else _text(item) for item in (one, other)]
    return UnsupportedType(f"two classes are named {name}, {places[0]} and {places[1]}; rename one of them")
