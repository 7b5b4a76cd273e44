"""What a Python type promises, `fire()` keeps: anything else is an error at definition."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest

from lightbus.api import Parameter
from lightbus.errors import DefinitionError, InvalidEventArguments
from lightbus.schema import api_document
from tests.schema.build import api, declared, exported


def definition_error(kind: Any) -> str:
    """Return the error of an API with a parameter of a type."""
    with pytest.raises(DefinitionError) as caught:
        api_document(api(Parameter("x", kind)))
    assert caught.value.parameter == "x"
    return str(caught.value)


class Cat(msgspec.Struct, tag=True, array_like=True):
    lives: int
    name: str = ""


class Dog(msgspec.Struct, tag=True, array_like=True):
    name: str


def test_tagged_structs_that_are_arrays_export_their_tag() -> None:
    document = api_document(api(Parameter("x", Cat)))
    assert document["$defs"]["Cat"]["prefixItems"] == [
        {"const": "Cat"},
        {"type": "integer"},
        {"type": "string"},
    ]
    assert (document["$defs"]["Cat"]["minItems"], document["$defs"]["Cat"]["maxItems"]) == (2, 3)
    for pet in (Cat(9), Cat(9, "Tom"), Dog("Rex")):
        for contract in (declared(Parameter("x", Cat | Dog)), exported(Parameter("x", Cat | Dog))):
            data = contract.encode({"x": pet})
            assert declared(Parameter("x", Cat | Dog)).decode(data) == {"x": pet}


@pydantic.dataclasses.dataclass
class Checked:
    x: int = pydantic.Field(gt=0)


@dataclasses.dataclass
class NoNumber:
    x: float = float("nan")


@dataclasses.dataclass
class NoValue:
    x: Any = dataclasses.field(default_factory=list)
    y: Any = object  # a class is no value either


@dataclasses.dataclass
class WrongType:
    x: int = "a"  # type: ignore[assignment]


@dataclasses.dataclass
class OutOfBounds:
    x: Annotated[int, pydantic.Field(gt=0)] = 0


@dataclasses.dataclass
class Outer:
    inner: list[OutOfBounds]


class WrongDefault(pydantic.BaseModel):
    x: int = "a"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (Checked, "the default of field 'x' of test_definable.Checked: FieldInfo("),
        (NoNumber, "the default of field 'x' of test_definable.NoNumber: nan cannot be written as JSON"),
        (NoValue, "the default of field 'y' of test_definable.NoValue: "),
        (WrongType, "the default of field 'x' of test_definable.WrongType: expected int, got str 'a'"),
        (OutOfBounds, "the default of field 'x' of test_definable.OutOfBounds: "),
        (Outer, "the default of field 'x' of test_definable.OutOfBounds: "),
        (WrongDefault, "the default of field 'x' of test_definable.WrongDefault: expected int, got str 'a'"),
    ],
)
def test_defaults_of_fields_are_checked(kind: Any, problem: str) -> None:
    assert problem in definition_error(kind)


class Aliased(pydantic.BaseModel):
    x: int = pydantic.Field(validation_alias="read", serialization_alias="written")


class Excluded(pydantic.BaseModel):
    x: int = pydantic.Field(exclude=True)


class ExcludedOptional(pydantic.BaseModel):
    x: int = pydantic.Field(1, exclude=True)


class Serialized(pydantic.BaseModel):
    x: int

    @pydantic.field_serializer("x")
    def write(self, x: int) -> str:
        return f"number {x}"


class SerializedWhole(pydantic.BaseModel):
    x: int

    @pydantic.model_serializer
    def write(self) -> str:
        return str(self.x)


class Unannotated(pydantic.BaseModel):
    x: int

    @pydantic.field_serializer("x")
    def write(self, x):  # type: ignore[no-untyped-def]
        return f"number {x}"


class Secret(pydantic.BaseModel):
    x: pydantic.SecretStr


class Secrets(pydantic.BaseModel):
    x: list[pydantic.SecretStr | None]


class Around(pydantic.BaseModel):
    inner: dict[str, Aliased]


@pytest.mark.parametrize(
    "kind",
    [Aliased, Excluded, ExcludedOptional, Serialized, SerializedWhole, Unannotated, Secret, Secrets, Around],
)
def test_models_that_write_otherwise_than_they_read_are_refused(kind: Any) -> None:
    assert "no reader would accept it" in definition_error(kind)


class Fine(pydantic.BaseModel):
    """A model with everything that looks one-sided and is not."""

    model_config = pydantic.ConfigDict(populate_by_name=True)

    price: Decimal
    full_name: str = pydantic.Field("", alias="fullName")
    when: datetime.datetime | None = None
    rounded: float = 0
    raw: bytes = b""
    kinds: set[int] = set()
    inner: list[Fine] = []

    @pydantic.field_serializer("rounded")
    def write(self, value: float) -> float:
        return round(value, 2)

    @pydantic.computed_field
    def twice(self) -> float:
        return self.rounded * 2


def test_models_that_write_what_they_read_are_accepted() -> None:
    contract = declared(Parameter("x", Fine))
    value = Fine.model_validate({"price": "1.5", "fullName": "A", "inner": [{"price": "1"}]})
    assert contract.decode(contract.encode({"x": value})) == {"x": value}


@dataclasses.dataclass
class Holder:
    at: datetime.datetime


class Model(pydantic.BaseModel):
    at: list[datetime.datetime]


class Wrapper:
    def __init__(self, at: datetime.datetime) -> None:
        self.at = at

    def __to_bus__(self) -> list[datetime.datetime]:
        return [self.at]

    @classmethod
    def __from_bus__(cls, value: list[datetime.datetime]) -> Wrapper:
        return cls(value[0])


ODD = datetime.datetime(1880, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))
"""Its offset from UTC is 18 minutes and some seconds."""


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (datetime.datetime, ODD),
        (datetime.time, datetime.time(12, tzinfo=datetime.timezone(datetime.timedelta(seconds=30)))),
        (list[datetime.datetime], [ODD]),
        (Holder, Holder(ODD)),
        (Model, Model(at=[ODD])),
        (Wrapper, Wrapper(ODD)),
        (Any, {"at": {"x": (ODD,)}}),
    ],
)
def test_a_time_that_cannot_be_written_exactly_is_refused(kind: Any, value: Any) -> None:
    parameter = Parameter("x", kind)
    for contract in (declared(parameter), exported(parameter)):
        with pytest.raises(InvalidEventArguments, match="not in whole minutes"):
            contract.encode({"x": value})
    with pytest.raises(DefinitionError, match="not in whole minutes"):
        api_document(api(Parameter("x", Any, default=ODD)))


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2
    RUN = 4


class Gaps(enum.Flag):
    A = 1
    B = 8


class Many(enum.IntFlag):
    A, B, C, D, E, F, G, H, I, J = (2 << bit for bit in range(10))  # noqa: E741


@pytest.mark.parametrize("kind", [Rights, Gaps])
def test_flags_can_be_combined(kind: type[enum.Flag]) -> None:
    members = list(kind)
    values = [kind(0), *members, members[0] | members[-1]]
    contract = declared(Parameter("x", kind))
    for value in values:
        data = contract.encode({"x": value})
        assert data == {"x": value.value}
        assert contract.decode(data) == {"x": value}
    for wrong in (-1, 16, 10):
        with pytest.raises(InvalidEventArguments):
            contract.encode({"x": wrong})


def test_flags_with_gaps_and_too_many_combinations_are_refused() -> None:
    assert "gaps between its flags" in definition_error(Many)
