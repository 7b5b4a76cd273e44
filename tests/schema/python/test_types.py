"""The JSON Schema of every Python type, and the errors for types without one."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar
from uuid import UUID

import annotated_types
import msgspec
import pydantic
import pytest

from lightbus.api import Event, Parameter
from lightbus.errors import DefinitionError
from lightbus.schema import EventContract, SchemaDocument, api_document
from tests.schema import samples
from tests.schema.build import api

UserId = NewType("UserId", int)
T = TypeVar("T")


def schema_of(declared: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    document = api_document(api(Parameter("value", declared, **options)))
    return document["events"]["sold"]["parameters"]["properties"]["value"], document.get("$defs", {})


STRING = {"type": "string"}
INTEGER = {"type": "integer"}
DATE = {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("declared", "schema"),
    [
        (Any, {}),
        (str, STRING),
        (int, INTEGER),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (UserId, INTEGER),
        (list, {"type": "array"}),
        (list[Any], {"type": "array"}),
        (list[int], {"type": "array", "items": INTEGER}),
        (Sequence[int], {"type": "array", "items": INTEGER}),
        (tuple[int, ...], {"type": "array", "items": INTEGER}),
        (
            tuple[int, str],
            {"type": "array", "prefixItems": [INTEGER, STRING], "items": False, "minItems": 2, "maxItems": 2},
        ),
        (tuple[()], {"type": "array", "items": False, "minItems": 0, "maxItems": 0}),
        (set[int], {"type": "array", "items": INTEGER, "uniqueItems": True}),
        (frozenset[str], {"type": "array", "items": STRING, "uniqueItems": True}),
        (dict, {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (dict[UUID, Any], {"type": "object", "propertyNames": {"type": "string", "format": "uuid"}}),
        (dict[int, Any], {"type": "object", "propertyNames": {"pattern": "^(0|-?[1-9][0-9]*)$"}}),
        (dict[Literal["a", "b"], Any], {"type": "object", "propertyNames": {"enum": ["a", "b"]}}),
        (
            dict[Annotated[str, msgspec.Meta(min_length=1)], Any],
            {"type": "object", "propertyNames": {"type": "string", "minLength": 1}},
        ),
        (Literal["b", "a"], {"enum": ["a", "b"]}),
        (Literal[1, None], {"enum": [None, 1]}),
        (int | None, {"anyOf": [INTEGER, {"type": "null"}]}),
        (Optional[datetime.date], {"anyOf": [DATE, {"type": "null"}]}),  # noqa: UP045 - still much written
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (datetime.date, DATE),
        (datetime.time, {"type": "string", "format": "time"}),
        (datetime.timedelta, {"type": "string", "format": "duration"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Decimal, {"type": "string", "format": "decimal"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (bytearray, {"type": "string", "contentEncoding": "base64"}),
        (
            Annotated[int, msgspec.Meta(gt=0, le=9, multiple_of=3)],
            {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "multipleOf": 3},
        ),
        (
            Annotated[str, msgspec.Meta(min_length=1, max_length=9, pattern="^a")],
            {"type": "string", "pattern": "^a", "minLength": 1, "maxLength": 9},
        ),
        (
            Annotated[list[int], msgspec.Meta(min_length=1)],
            {"type": "array", "items": INTEGER, "minItems": 1},
        ),
        (Annotated[dict, msgspec.Meta(max_length=3)], {"type": "object", "maxProperties": 3}),
        (
            Annotated[str, msgspec.Meta(description="A name.", examples=["Ada"])],
            {"type": "string", "description": "A name.", "examples": ["Ada"]},
        ),
        (Annotated[int, annotated_types.Gt(0)], {"type": "integer", "exclusiveMinimum": 0}),
        (
            Annotated[int, annotated_types.Interval(ge=1, lt=5)],
            {"type": "integer", "minimum": 1, "exclusiveMaximum": 5},
        ),
        (Annotated[str, annotated_types.Len(1, 5)], {"type": "string", "minLength": 1, "maxLength": 5}),
        (Annotated[str, "anything else"], STRING),
    ],
    ids=str,
)
def test_types_without_a_name(declared: Any, schema: dict[str, Any]) -> None:
    assert schema_of(declared) == (schema, {})


def closed(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


ADDRESS = {
    "description": "Where somebody lives.",
    **closed(
        {
            "street": STRING,
            "number": {**INTEGER, "default": 1},
            "tags": {"type": "array", "items": STRING, "default": []},
        },
        ["street"],
    ),
}
POINT = {
    "type": "array",
    "prefixItems": [{"type": "number"}, {"type": "number"}],
    "items": False,
    "minItems": 1,
    "maxItems": 2,
}
PRICE = {
    "description": "Money.",
    **closed(
        {
            "netAmount": {"type": "string", "format": "decimal"},
            "currencyCode": {"type": "string", "default": "EUR"},
        },
        ["netAmount"],
    ),
}


@pytest.mark.parametrize(
    ("declared", "definitions"),
    [
        (samples.Colour, {"Colour": {"description": "What it looks like.", "enum": ["red", "blue"]}}),
        (samples.Size, {"Size": {"enum": [1, 2]}}),
        (samples.Address, {"Address": ADDRESS}),
        (samples.Point, {"Point": POINT}),
        (samples.Price, {"Price": PRICE}),
        (
            samples.Tree,
            {
                "Tree": {
                    "description": "Contains itself.",
                    **closed(
                        {
                            "value": {"type": "string", "format": "uuid"},
                            "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                        },
                        ["value", "children"],
                    ),
                }
            },
        ),
        (
            samples.Line,
            {
                "Line": closed(
                    {"start": {"$ref": "#/$defs/Point"}, "end": {"$ref": "#/$defs/Point"}}, ["start"]
                ),
                "Point": POINT,
            },
        ),
        (
            samples.Cat,
            {"Cat": closed({"type": {"const": "cat"}, "lives": INTEGER}, ["type", "lives"])},
        ),
        (
            samples.Customer,
            {
                "Address": {
                    **ADDRESS,
                    "properties": {
                        "street": STRING,
                        "number": {**INTEGER, "default": 1},
                        "tags": {"type": "array", "items": STRING},
                    },
                },
                "Customer": {
                    "description": "Somebody who buys.",
                    "properties": {
                        "fullName": {"minLength": 1, "type": "string"},
                        "since": DATE,
                        "addresses": {
                            "default": [],
                            "items": {"$ref": "#/$defs/Address"},
                            "type": "array",
                        },
                        "referrer": {
                            "anyOf": [{"$ref": "#/$defs/Customer"}, {"type": "null"}],
                            "default": None,
                        },
                    },
                    "required": ["fullName", "since"],
                    "type": "object",
                    "additionalProperties": False,
                },
            },
        ),
    ],
    ids=str,
)
def test_named_classes_become_definitions(declared: Any, definitions: dict[str, Any]) -> None:
    schema, found = schema_of(declared)
    assert schema == {"$ref": f"#/$defs/{declared.__name__}"}
    assert found == definitions


def test_classes_with_to_bus_have_the_schema_of_what_it_returns() -> None:
    assert schema_of(samples.Money) == ({"$ref": "#/$defs/Price"}, {"Price": PRICE})


def test_a_bare_dict_from_to_bus_is_any_object() -> None:
    class Settings:
        def __init__(self, values: dict[str, Any]) -> None:
            self.values = values

        def __to_bus__(self) -> dict:  # type: ignore[type-arg]
            return self.values

        @classmethod
        def __from_bus__(cls, values: dict[str, Any]) -> Settings:
            return cls(values)

    assert schema_of(Settings) == ({"type": "object"}, {})
    shop = api(Parameter("value", Settings))
    contract = EventContract.of_event(shop, shop.api_events["sold"])
    assert contract.decode(contract.encode({"value": Settings({"a": 1})}))["value"].values == {"a": 1}


def test_generic_classes_are_named_after_their_arguments() -> None:
    class Box(msgspec.Struct, Generic[T]):
        content: T

    schema, definitions = schema_of(tuple[Box[int], Box[str]])
    assert schema["prefixItems"] == [{"$ref": "#/$defs/Box_int"}, {"$ref": "#/$defs/Box_str"}]
    assert definitions == {
        "Box_int": closed({"content": INTEGER}, ["content"]),
        "Box_str": closed({"content": STRING}, ["content"]),
    }


def test_fields_that_may_be_unset_are_optional() -> None:
    class Patch(msgspec.Struct):
        name: str | msgspec.UnsetType = msgspec.UNSET

    assert schema_of(Patch)[1] == {"Patch": closed({"name": STRING}, [])}


class TestDocument:
    def test_keys_and_their_order(self) -> None:
        shop = api(
            Parameter("b", str, description="The letter."),
            Parameter("a", list[int] | None, default=None),
            opened=Event(description="The shop opened."),
        )
        shop.api_version, shop.api_description = "2", "Sells things."
        assert json.dumps(api_document(shop)) == json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "lightbus": 1,
                "api": "shop",
                "version": "2",
                "description": "Sells things.",
                "events": {
                    "opened": {"description": "The shop opened.", "parameters": closed({}, [])},
                    "sold": {
                        "parameters": closed(
                            {
                                "b": {"type": "string", "description": "The letter."},
                                "a": {
                                    "anyOf": [{"type": "array", "items": INTEGER}, {"type": "null"}],
                                    "default": None,
                                },
                            },
                            ["b"],
                        )
                    },
                },
            }
        )

    def test_definitions_are_sorted(self) -> None:
        document = api_document(api(Parameter("visit", samples.Visit), Parameter("a", samples.Address)))
        assert list(document["$defs"]) == ["Address", "Visit"]

    @pytest.mark.parametrize("seed", ["0", "1", "2"])
    def test_every_process_writes_the_same(self, seed: str) -> None:
        code = (
            "import json\n"
            "from lightbus.api import Parameter\n"
            "from lightbus.schema import api_document\n"
            "from tests.schema import build, samples\n"
            "words = frozenset(('one', 'two', 'three', 'four'))\n"
            "shop = build.api(Parameter('a', frozenset[str], default=words), Parameter('b', samples.Customer))\n"
            "print(json.dumps(api_document(shop)))"
        )
        written = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        document = json.loads(written.stdout)
        here = api_document(
            api(
                Parameter("a", frozenset[str], default=frozenset(("one", "two", "three", "four"))),
                Parameter("b", samples.Customer),
            )
        )
        assert written.stdout == json.dumps(here) + "\n"
        assert document["events"]["sold"]["parameters"]["properties"]["a"]["default"] == [
            "four",
            "one",
            "three",
            "two",
        ]

    def test_defaults_are_json(self) -> None:
        assert schema_of(tuple[int, ...], default=(1, 2))[0]["default"] == [1, 2]
        assert schema_of(samples.Colour, default=samples.Colour.RED)[0] == {
            "$ref": "#/$defs/Colour",
            "default": "red",
        }
        assert schema_of(samples.Price, default=samples.Price(Decimal("1.50")))[0]["default"] == {
            "netAmount": "1.50",
            "currencyCode": "EUR",
        }


class Unannotated:
    def __to_bus__(self):  # type: ignore[no-untyped-def]
        return {}

    @classmethod
    def __from_bus__(cls, value: Any) -> Unannotated:
        return cls()


class OneWay:
    def __to_bus__(self) -> str:
        return ""


@dataclasses.dataclass
class Both:
    a: int

    def __to_bus__(self) -> int:
        return self.a

    @classmethod
    def __from_bus__(cls, value: int) -> Both:
        return cls(value)


@dataclasses.dataclass
class Forward:
    a: NotThere  # type: ignore[name-defined]  # noqa: F821


class Mixed(enum.Enum):
    A = 1
    B = "b"


class WithCallback(pydantic.BaseModel):
    call: Callable[[], None]


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (complex, "complex has no JSON Schema; use a dataclass, or give it __to_bus__ and __from_bus__"),
        (object, "object has no JSON Schema"),
        (list[complex], "complex has no JSON Schema"),
        (collections.deque, "collections.deque has no JSON Schema"),
        (Callable, "has no JSON Schema"),
        ("str", "''str'' is not supported"),
        (str | datetime.datetime, "may not contain more than one str-like type"),
        (samples.Address | samples.Visit, "more than one dataclass"),
        (samples.Customer | int, "a custom type may not contain any additional types"),
        (dict[float, int], "a dict with float keys has no JSON Schema; use str keys"),
        (
            dict[samples.Size, int],
            "a dict with tests.schema.samples.Size keys has no JSON Schema; use str keys",
        ),
        (Mixed, "Enums must contain either all str or all int values"),
        (Forward, "name 'NotThere' is not defined"),
        (Unannotated, "Unannotated.__to_bus__ needs a return annotation"),
        (OneWay, "OneWay has __to_bus__, but no class method __from_bus__"),
        (Both, "is written by msgspec, which does not call its __to_bus__"),
        (WithCallback, "WithCallback has no JSON Schema: Cannot generate a JsonSchema"),
        (msgspec.Raw, "Raw has no JSON Schema"),
    ],
    ids=str,
)
def test_types_without_a_schema(declared: Any, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        api_document(api(Parameter("value", declared)))
    assert str(caught.value).startswith("event shop.sold, parameter 'value': ")
    assert problem in str(caught.value)
    assert (caught.value.api, caught.value.event, caught.value.parameter) == ("shop", "sold", "value")


@pytest.mark.parametrize(
    ("declared", "default", "problem"),
    [
        (int, "1", "the default does not have the declared type: expected int, got str '1'"),
        (str, None, "the default does not have the declared type: expected str, got None"),
        (
            datetime.datetime,
            datetime.datetime(2026, 1, 31),
            "'2026-01-31T00:00:00' has no time zone",
        ),
        (Literal["a"], "b", "expected 'a', got 'b'"),
        (samples.Address, (), "expected dict, got list []"),
        (tuple[int, ...], (1, "x"), "[1]: expected int, got str 'x'"),
        (float | None, float("nan"), "the default nan cannot be written as JSON"),
        (Any, 1j, "the default 1j cannot be written as JSON: complex is not a type that events can carry"),
    ],
)
def test_defaults_that_do_not_fit(declared: Any, default: Any, problem: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        api_document(api(Parameter("value", declared, default)))
    assert str(caught.value).startswith("event shop.sold, parameter 'value': ")
    assert problem in str(caught.value)


class TestNamesOfClasses:
    def other(self) -> Any:
        class Address(NamedTuple):
            street: str

        return Address

    @pytest.mark.parametrize("order", [1, -1])
    def test_two_classes_of_one_name_are_told_apart_by_module(self, order: int) -> None:
        parameters = [Parameter("a", samples.Address), Parameter("b", self.other())]
        document = api_document(api(*parameters[::order]))
        other = "test_types_TestNamesOfClasses_other_locals_Address"
        assert set(document["$defs"]) == {"tests_schema_samples_Address", other}
        properties = document["events"]["sold"]["parameters"]["properties"]
        assert properties["b"] == {"$ref": f"#/$defs/{other}"}

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_class_and_one_inside_a_pydantic_model(self, order: int) -> None:
        parameters = [Parameter("a", self.other()), Parameter("b", samples.Customer)]
        document = api_document(api(*parameters[::order]))
        assert [name.rpartition("_")[2] for name in document["$defs"]] == ["Customer", "Address", "Address"]

    def test_two_pydantic_models_of_one_name(self) -> None:
        class Customer(pydantic.BaseModel):
            number: int

        document = api_document(api(Parameter("a", samples.Customer), Parameter("b", Customer)))
        assert [name.rpartition("_")[2] for name in document["$defs"]] == ["Address", "Customer", "Customer"]

    def test_two_classes_that_nothing_tells_apart(self) -> None:
        with pytest.raises(DefinitionError, match=r"two classes are .*other.<locals>.Address"):
            api_document(api(Parameter("a", self.other()), Parameter("b", self.other())))

    @pytest.mark.parametrize("pages", ["struct", "dataclass", "pydantic"])
    def test_type_parameters_of_any_depth_have_names_of_their_own(self, pages: str) -> None:
        contents = [
            list[int],
            list[str],
            dict[str, int],
            dict[str, list[int]],
            Literal["a", "b"],
            Literal["a_b"],
            list[dict[str, list[int]]],
            list[dict[str, list[str]]],
            int | None,
            samples.Address,
        ]
        page: Any = {"struct": StructPage, "dataclass": DataclassPage, "pydantic": ModelPage}[pages]
        parameters = [Parameter(f"p{index}", page[content]) for index, content in enumerate(contents)]
        names = set(api_document(api(*parameters))["$defs"]) - {"Address"}
        assert len(names) == len(contents)
        assert {f"{page.__name__}_list_int", f"{page.__name__}_dict_str_int"} < names
        assert names == set(api_document(api(*reversed(parameters)))["$defs"]) - {"Address"}
        assert all(name.isidentifier() and len(name) < 110 for name in names)

    def test_a_name_that_is_not_latin(self) -> None:
        document = api_document(api(Parameter("a", Ключ), Parameter("b", Modèle), Parameter("c", _)))
        assert list(document["$defs"]) == ["Modèle", "_", "Ключ"]
        contract = SchemaDocument.parse(json.dumps(document), source="shop.json").contract("sold")
        assert contract.encode({"a": {"x": 1}, "b": {"y": 2}, "c": {}})["a"] == {"x": 1}
        reference = document["events"]["sold"]["parameters"]["properties"]["a"]["$ref"]
        assert reference == "#/$defs/%D0%9A%D0%BB%D1%8E%D1%87"

    @pytest.mark.parametrize("order", [1, -1])
    def test_the_same_class_everywhere(self, order: int) -> None:
        parameters = [
            Parameter("a", samples.Customer),
            Parameter("b", list[samples.Address]),
            Parameter("c", dict[str, samples.Customer]),
        ]
        document = api_document(api(*parameters[::order]))
        assert list(document["$defs"]) == ["Address", "Customer"]


@dataclasses.dataclass
class Ключ:
    x: int


class Modèle(pydantic.BaseModel):
    y: int


@dataclasses.dataclass
class _:
    pass


class StructPage(msgspec.Struct, Generic[T]):
    content: T


@dataclasses.dataclass
class DataclassPage(Generic[T]):
    content: T


class ModelPage(pydantic.BaseModel, Generic[T]):
    content: T


class Movie(TypedDict, total=False):
    title: str


def test_typed_dicts_that_need_nothing() -> None:
    assert schema_of(Movie)[1] == {"Movie": closed({"title": STRING}, [])}
