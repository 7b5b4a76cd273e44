"""Classes that events of the tests carry."""

from __future__ import annotations

import dataclasses
import enum
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
import pydantic


class Colour(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@dataclasses.dataclass
class Address:
    """Where somebody lives."""

    street: str
    number: int = 1
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Visit:
    at: datetime
    address: Address
    photo: bytes | None = None


@dataclasses.dataclass
class Tree:
    """Contains itself."""

    value: UUID
    children: list[Tree]


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Line(TypedDict):
    start: Point
    end: NotRequired[Point]


class Price(msgspec.Struct, frozen=True, rename="camel"):
    """Money."""

    net_amount: Decimal
    currency_code: str = "EUR"


class Cat(msgspec.Struct, tag="cat", frozen=True):
    lives: int


class Dog(msgspec.Struct, tag="dog", frozen=True):
    born: date


class Customer(pydantic.BaseModel):
    """Somebody who buys."""

    name: str = pydantic.Field(min_length=1, alias="fullName")
    since: date
    addresses: list[Address] = []
    referrer: Customer | None = None


class Money:
    """A plain class that says what it is on the bus."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    def __repr__(self) -> str:
        return f"Money({self.cents})"

    def __to_bus__(self) -> Price:
        return Price(Decimal(self.cents) / 100)

    @classmethod
    def __from_bus__(cls, price: Price) -> Money:
        if price.currency_code != "EUR":
            raise ValueError(f"cannot hold {price.currency_code}")
        return cls(int(price.net_amount * 100))
