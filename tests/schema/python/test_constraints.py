"""Constraints of every library at every place in a type: exported or refused, and never dropped."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import re
from decimal import Decimal
from typing import Annotated, Any, Generic, NamedTuple, NewType, NotRequired, TypedDict, TypeVar
from uuid import UUID

import annotated_types as at
import msgspec
import pydantic
import pytest

from lightbus.api import Parameter
from lightbus.errors import DefinitionError, InvalidEventArguments
from lightbus.schema import api_document
from tests.schema.build import api, declared, exported

T = TypeVar("T")
Meta, Field = msgspec.Meta, pydantic.Field

EXPORTED: list[tuple[Any, Any, dict[str, Any]]] = [
    (int, at.Gt(0), {"exclusiveMinimum": 0}),
    (int, at.Ge(0), {"minimum": 0}),
    (int, at.Lt(9), {"exclusiveMaximum": 9}),
    (int, at.Le(9), {"maximum": 9}),
    (int, at.Interval(gt=0, le=9), {"exclusiveMinimum": 0, "maximum": 9}),
    (int, at.MultipleOf(2), {"multipleOf": 2}),
    (float, at.Gt(0.5), {"exclusiveMinimum": 0.5}),
    (str, at.MinLen(1), {"minLength": 1}),
    (str, at.MaxLen(9), {"maxLength": 9}),
    (str, at.Len(1, 9), {"minLength": 1, "maxLength": 9}),
    (list[int], at.Len(1, 9), {"minItems": 1, "maxItems": 9}),
    (dict[str, int], at.MinLen(1), {"minProperties": 1}),
    (datetime.datetime, at.Timezone(...), {}),
    (int, at.Unit("m"), {}),
    (int, Meta(gt=0), {"exclusiveMinimum": 0}),
    (int, Meta(ge=0), {"minimum": 0}),
    (int, Meta(lt=9), {"exclusiveMaximum": 9}),
    (int, Meta(le=9), {"maximum": 9}),
    (int, Meta(multiple_of=2), {"multipleOf": 2}),
    (str, Meta(pattern="^a"), {"pattern": "^a"}),
    (str, Meta(min_length=1), {"minLength": 1}),
    (str, Meta(max_length=9), {"maxLength": 9}),
    (bytes, Meta(min_length=5, max_length=7), {"pattern": "^[^=]{7,10}=*$"}),
    (datetime.datetime, Meta(tz=True), {}),
    (int, Field(gt=0), {"exclusiveMinimum": 0}),
    (int, Field(ge=0), {"minimum": 0}),
    (int, Field(lt=9), {"exclusiveMaximum": 9}),
    (int, Field(le=9), {"maximum": 9}),
    (int, Field(multiple_of=2), {"multipleOf": 2}),
    (int, Field(strict=True), {}),
    (str, Field(min_length=1), {"minLength": 1}),
    (str, Field(max_length=9), {"maxLength": 9}),
    (str, Field(pattern="^a"), {"pattern": "^a"}),
    (str, Field(pattern=re.compile("^a")), {"pattern": "^a"}),
    (float, Field(allow_inf_nan=False), {}),
    (str, pydantic.StringConstraints(min_length=1, pattern="^a"), {"minLength": 1, "pattern": "^a"}),
    (int, pydantic.Strict(), {}),
]
REFUSED: list[tuple[Any, Any]] = [
    (int, at.Predicate(bool)),
    (str, at.Predicate(str.islower)),
    (datetime.datetime, at.Timezone("Europe/Dublin")),
    (datetime.datetime, at.Timezone(None)),
    (datetime.datetime, Meta(tz=False)),
    (datetime.date, at.Gt(datetime.date(2026, 1, 1))),
    (Decimal, at.Gt(Decimal(0))),
    (Decimal, Field(max_digits=3)),
    (Decimal, Field(decimal_places=3)),
    (Decimal, Meta(gt=0)),
    (int, Field(default=1)),
    (int, Field(alias="other")),
    (int, Field(exclude=True)),
    (str, Field(pattern=re.compile("a", re.IGNORECASE))),
    (str, pydantic.StringConstraints(strip_whitespace=True)),
    (str, pydantic.StringConstraints(to_upper=True)),
    (UUID, pydantic.UUID4.__metadata__[0]),  # type: ignore[attr-defined]
    (int, pydantic.AfterValidator(abs)),
    (int, pydantic.PlainSerializer(str)),
    (int, pydantic.WithJsonSchema({})),
    (str, at.Gt(0)),
    (int | None, at.Gt(0)),
]


class StructBox(msgspec.Struct, Generic[T]):
    content: T


_list: Any = list  # so that type checkers accept a type that is a variable
_tuple: Any = tuple
_dict: Any = dict
_new_type: Any = NewType
_box: Any = StructBox


def _dataclass(kind: Any) -> Any:
    return dataclasses.make_dataclass("Data", [("content", kind)])


def _optional_key(kind: Any) -> Any:
    return TypedDict("Keys", {"content": NotRequired[kind]})  # type: ignore[operator]


PLACES: dict[str, tuple[Any, tuple[str | int, ...]]] = {
    "itself": (lambda kind: kind, ()),
    "list": (lambda kind: _list[kind], ("items",)),
    "open tuple": (lambda kind: _tuple[kind, ...], ("items",)),
    "tuple": (lambda kind: _tuple[bool, kind], ("prefixItems", 1)),
    "dict": (lambda kind: _dict[str, kind], ("additionalProperties",)),
    "optional": (lambda kind: kind | None, ("anyOf", 0)),
    "list of optional": (lambda kind: _list[kind | None], ("items", "anyOf", 0)),
    "new type": (lambda kind: _new_type("New", kind), ()),
    "dataclass": (_dataclass, ("properties", "content")),
    "list of dataclass": (lambda kind: _list[_dataclass(kind)], ("items", "properties", "content")),
    "typed dict": (_optional_key, ("properties", "content")),
    "struct": (lambda kind: msgspec.defstruct("Struct", [("content", kind)]), ("properties", "content")),
    "type parameter": (lambda kind: _box[kind], ("properties", "content")),
    "named tuple": (lambda kind: NamedTuple("Named", [("content", kind)]), ("prefixItems", 0)),
}


def schema_at(kind: Any, place: tuple[str | int, ...]) -> Any:
    """Return the schema at a place in that of a type, with references followed."""
    document = api_document(api(Parameter("x", kind)))
    schema = document["events"]["sold"]["parameters"]["properties"]["x"]
    for step in (*place, None):
        if "$ref" in schema:
            schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = schema if step is None else schema[step]
    return schema


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "constraint", "keywords"), EXPORTED, ids=str)
def test_a_constraint_is_exported(place: str, kind: Any, constraint: Any, keywords: dict[str, Any]) -> None:
    around, path = PLACES[place]
    plain = schema_at(around(kind), path)
    assert schema_at(around(Annotated[kind, constraint]), path) == {**plain, **keywords}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("kind", "constraint"), REFUSED, ids=str)
def test_a_constraint_without_a_keyword_is_refused(place: str, kind: Any, constraint: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        schema_at(PLACES[place][0](Annotated[kind, constraint]), ())
    assert caught.value.parameter == "x"


def test_two_bounds_of_a_kind_are_refused() -> None:
    with pytest.raises(DefinitionError, match="Multiple `Meta` annotations setting `gt`"):
        schema_at(Annotated[int, at.Gt(0), Field(gt=5)], ())


@pytest.mark.parametrize("key", [Annotated[int, at.Gt(0)], Annotated[int, Field(gt=0)]], ids=str)
def test_bounds_on_keys_that_are_numbers_are_refused(key: Any) -> None:
    with pytest.raises(DefinitionError, match="a dict whose int keys have a exclusiveMinimum"):
        schema_at(dict[key, int], ())


def test_keys_that_are_text_keep_their_bounds() -> None:
    assert schema_at(dict[Annotated[str, at.MinLen(2)], int], ("propertyNames",)) == {
        "type": "string",
        "minLength": 2,
    }


def test_a_constraint_on_a_generic_field_is_that_of_its_argument() -> None:
    @dataclasses.dataclass
    class Items(Generic[T]):
        content: Annotated[list[T], at.MinLen(1)]

    assert schema_at(Items[int], ("properties", "content")) == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 1,
    }


def test_a_meta_inside_a_pydantic_model_is_refused() -> None:
    class Order(pydantic.BaseModel):
        numbers: list[Annotated[int, Meta(gt=0)]]

    with pytest.raises(DefinitionError, match=r"pydantic ignores msgspec.Meta\(gt=0\) of 'numbers'"):
        schema_at(Order, ())


@pytest.mark.parametrize("shortest", range(5))
@pytest.mark.parametrize("longest", [None, 5, 6, 7])
def test_lengths_of_bytes_are_those_of_the_bytes(shortest: int, longest: int | None) -> None:
    parameter = Parameter("x", Annotated[bytes, Meta(min_length=shortest, max_length=longest)])
    for contract in (declared(parameter), exported(parameter)):
        for length in range(10):
            value = bytes(length)
            if length < shortest or (longest is not None and length > longest):
                with pytest.raises(InvalidEventArguments):
                    contract.encode({"x": value})
            else:
                data = contract.encode({"x": value})
                assert data == {"x": base64.b64encode(value).decode()}
                assert contract.decode(data) == {"x": value}
