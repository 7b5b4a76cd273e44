"""From a Python type to the schema, to the generated annotation, and back with every value."""

from __future__ import annotations

import datetime
import json
import sys
import types
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, ForwardRef, Literal, NotRequired, Union, get_args, get_origin, is_typeddict
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbus.api import Parameter, registry
from lightbus.errors import InvalidEventArguments
from lightbus.schema import EventContract, SchemaDocument
from lightbus_gen.export import document_text
from lightbus_gen.generate import generate
from tests.codegen.conforms import misfits
from tests.codegen.pythontypes import Annotation, Drawn, join
from tests.codegen.pythontypes import types as python_types
from tests.schema.build import api, declared, exported

pytestmark = pytest.mark.timeout(900)  # a failing example is shrunk for up to five minutes
unhurried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@unhurried
@given(python_types(), st.data())
def test_a_type_comes_back_as_its_annotation_and_its_values_come_back_the_same(
    drawn: Drawn, data: st.DataObject
) -> None:
    registry.clear()
    shop = api(Parameter("x", drawn.python))
    files = generate(Path("absent"), "typed_bus", texts={"shop.json": document_text(shop).encode()})
    ours = EventContract.of_event(shop, shop.api_events["sold"])
    theirs = SchemaDocument.parse(files["typed_bus/schemas/shop.json"], source="shop").contract("sold")
    module = types.ModuleType("typed_bus.shop")
    sys.modules[module.__name__] = module
    try:
        exec(compile(files["typed_bus/shop.py"], "shop.py", "exec"), vars(module))
        [field] = fields(module.Sold)
        assert outline(field.type, module.__name__) == drawn.annotation
        for value in data.draw(st.lists(drawn.values, min_size=1, max_size=3)):
            wire = as_json(ours.encode({"x": value}))
            assert ours.decode(wire)["x"] == value
            received = theirs.decode(wire)["x"]
            assert misfits(received, field.type, module.__name__) == []
            assert drawn.arrives(received, value)
            assert ours.decode(as_json(theirs.encode({"x": received})))["x"] == value
    finally:
        del sys.modules[module.__name__]


def as_json(value: Any) -> Any:
    """Send a value through JSON text."""
    return json.loads(json.dumps(value))


def outline(annotation: Any, module: str) -> Annotation:
    """Return a generated annotation as data that does not depend on names and order."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    while isinstance(annotation, str):
        annotation = eval(annotation, vars(sys.modules[module]))
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return join(outline(member, module) for member in arguments)
    if origin is Literal:
        return ("literal", frozenset(arguments))
    if origin in (list, dict):
        return (origin.__name__, outline(arguments[-1], module))
    if is_typeddict(annotation):
        keys = set()
        for key, kind in annotation.__annotations__.items():
            is_required = get_origin(kind) is not NotRequired
            keys.add((key, outline(kind if is_required else get_args(kind)[0], module), is_required))
        return ("object", frozenset(keys))
    return "None" if annotation in (None, type(None)) else annotation.__name__


UTC = datetime.UTC
EXACT: list[Any] = [
    datetime.datetime(1, 1, 1, tzinfo=UTC),
    datetime.datetime.max.replace(tzinfo=UTC),
    datetime.datetime(
        2026, 1, 31, 12, 0, 0, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-9, minutes=-30))
    ),
    datetime.date.min,
    datetime.date.max,
    datetime.time(23, 59, 59, 999_999, tzinfo=UTC),
    datetime.timedelta.min,
    datetime.timedelta.max,
    datetime.timedelta(microseconds=-1),
    datetime.timedelta(days=-1, microseconds=1),
    datetime.timedelta(days=999_999_999, microseconds=999_999),
    Decimal("1E+4000"),
    Decimal("-1E-4000"),
    Decimal("0." + "123456789" * 20),
    Decimal("-0.00"),
    UUID(int=0),
    b"",
    bytes(range(256)),
    10**400,
    -(2**63) - 1,
    5e-324,
    -0.0,
]


@pytest.mark.parametrize("value", EXACT, ids=lambda value: f"{type(value).__name__} {value!s:.40}")
def test_the_ends_of_every_type_arrive_exactly(value: Any) -> None:
    parameter = Parameter("x", type(value))
    for contract in (declared(parameter), exported(parameter)):
        received = contract.decode(as_json(contract.encode({"x": value})))["x"]
        assert repr(received) == repr(value)  # also the sign of zero and the digits of a decimal


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("-Infinity"),
        Decimal("sNaN"),
        datetime.datetime(2026, 1, 31, 12, 0),
        datetime.time(12, 0),
        "\ud800",
    ],
    ids=repr,
)
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    parameter = Parameter("x", type(value))
    for contract in (declared(parameter), exported(parameter)):
        with pytest.raises(InvalidEventArguments):
            contract.encode({"x": value})
