"""The API of a shop as a team would write it; the golden case `ten_events` is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import msgspec
from pydantic import BaseModel, Field

from lightbus import Api, Event, Parameter


class Channel(Enum):
    """Where an order came in."""

    WEB = "web"
    APP = "app"
    PHONE = "phone"
    MARKETPLACE = "marketplace"


class CancelReason(Enum):
    CHANGED_MIND = "changed_mind"
    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_FAILED = "payment_failed"
    SUSPECTED_FRAUD = "suspected_fraud"


@dataclass(frozen=True)
class Money:
    """An amount in one currency."""

    amount: Decimal
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217, such as EUR.")]


@dataclass(frozen=True)
class Address:
    """A postal address."""

    street: list[str]
    city: str
    country: Annotated[str, msgspec.Meta(min_length=2, max_length=2, description="ISO 3166-1 alpha-2.")]
    postcode: str | None = None


class Contact(msgspec.Struct):
    """How to reach a customer."""

    email: str
    phone: str | None = None


class Line(TypedDict):
    """One line of an order."""

    sku: str
    quantity: int
    price: Money
    gift_wrap: NotRequired[bool]


class Position(NamedTuple):
    latitude: float
    longitude: float


class Parcel(BaseModel):
    """A parcel on its way."""

    tracking_number: str = Field(description="As the carrier prints it.")
    weight_kg: float
    skus: list[str]


class CardPayment(msgspec.Struct, tag="card", tag_field="method"):
    """Paid by card."""

    brand: Literal["visa", "mastercard", "amex"]
    last_four: str


class BankPayment(msgspec.Struct, tag="bank_transfer", tag_field="method"):
    """Paid by bank transfer."""

    iban: str


ORDER = Parameter("order_id", UUID, description="The order.")


class OrdersApi(Api):
    """Orders of the shop, from the basket to the door.

    Amounts include VAT.
    """

    placed = Event(
        parameters=(
            ORDER,
            Parameter("customer_id", int, description="The customer's number, not that of the account."),
            Parameter("lines", list[Line]),
            Parameter("total", Money, description="What the customer pays, shipping and VAT included."),
            Parameter("ship_to", Address),
            Parameter("bill_to", Address | None, default=None, description="None for the same as `ship_to`."),
            Parameter("channel", Channel, default=Channel.WEB),
            Parameter("contact", Contact),
            Parameter("coupon_codes", list[str], default=()),
            Parameter("placed_at", datetime),
        ),
        description="A customer has ordered. The payment is not there yet.",
    )
    paid = Event(
        parameters=(
            ORDER,
            Parameter("payment", CardPayment | BankPayment),
            Parameter("amount", Money),
            Parameter("paid_at", datetime),
        ),
        description="The money has arrived.",
    )
    payment_failed = Event(
        parameters=(
            ORDER,
            Parameter("reason", Literal["declined", "expired", "insufficient_funds"]),
            Parameter("attempt", Annotated[int, msgspec.Meta(ge=1, le=5)]),
            Parameter("retry_on", date | None, default=None),
        ),
        description="A payment did not go through.",
    )
    cancelled = Event(
        parameters=(ORDER, Parameter("reason", CancelReason), Parameter("note", str, default="")),
        description="An order will not be delivered. What was paid is refunded.",
    )
    packed = Event(
        parameters=(ORDER, Parameter("parcels", list[Parcel]), Parameter("packer", str | None, default=None)),
        description="All parcels of an order are ready.",
    )
    shipped = Event(
        parameters=(
            ORDER,
            Parameter("carrier", str),
            Parameter("tracking_numbers", list[str]),
            Parameter("expected_on", date | None, default=None, description="The carrier's own estimate."),
        ),
        description="The carrier has taken the parcels.",
    )
    located = Event(
        parameters=(
            Parameter("tracking_number", str),
            Parameter("position", Position),
            Parameter("seen_at", datetime),
        ),
        description="A carrier has told where a parcel is.",
    )
    delivered = Event(
        parameters=(
            ORDER,
            Parameter("delivered_at", datetime),
            Parameter("signed_by", str | None, default=None),
        ),
        description="A customer has the goods.",
    )
    returned = Event(
        parameters=(
            ORDER,
            Parameter("quantities", dict[str, int], description="How many came back, by SKU."),
            Parameter("refund", Money | None, default=None),
            Parameter("condition", Literal["new", "used", "damaged"], default="new"),
        ),
        description="A customer has sent goods back.",
    )
    stock_count_finished = Event(description="The yearly count is over; orders are packed again.")

    class Meta:
        name = "shop.orders"
        version = "2"
