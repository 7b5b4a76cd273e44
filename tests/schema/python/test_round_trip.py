"""Values of every type leave the bus as they entered it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightbus.api import Parameter
from tests.schema import samples
from tests.schema.build import declared, exported

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
OFFSETS = st.integers(-23 * 60, 23 * 60).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
AWARE = st.datetimes(
    min_value=datetime.datetime(2, 1, 1), max_value=datetime.datetime(9998, 1, 1), timezones=OFFSETS
)
TIMES = st.times(timezones=st.just(datetime.UTC))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
ADDRESSES = st.builds(samples.Address, TEXT, st.integers(), st.lists(TEXT))
POINTS = st.builds(samples.Point, FLOATS, FLOATS)
PRICES = st.builds(samples.Price, DECIMALS, TEXT)
TREES = st.recursive(
    st.builds(samples.Tree, st.uuids(), st.just([])),
    lambda inner: st.builds(samples.Tree, st.uuids(), st.lists(inner, max_size=3)),
    max_leaves=5,
)
CUSTOMERS = st.recursive(
    st.builds(samples.Customer, fullName=TEXT.filter(bool), since=st.dates(), addresses=st.lists(ADDRESSES)),
    lambda inner: st.builds(samples.Customer, fullName=TEXT.filter(bool), since=st.dates(), referrer=inner),
    max_leaves=3,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)

# type, its values, whether they return the same from a schema alone
TYPES: list[tuple[Any, st.SearchStrategy[Any], bool]] = [
    (str, TEXT, True),
    (int, st.integers(), True),
    (float, FLOATS, True),
    (bool, st.booleans(), True),
    (None, st.none(), True),
    (Any, JSON, True),
    (list, st.lists(JSON), True),
    (dict, st.dictionaries(TEXT, JSON), True),
    (list[int], st.lists(st.integers()), True),
    (tuple[int, ...], st.lists(st.integers()).map(tuple), False),
    (tuple[int, str], st.tuples(st.integers(), TEXT), False),
    (set[str], st.sets(TEXT), False),
    (frozenset[int], st.frozensets(st.integers()), False),
    (dict[str, list[float]], st.dictionaries(TEXT, st.lists(FLOATS)), True),
    (dict[int, bool], st.dictionaries(st.integers(), st.booleans()), False),
    (dict[samples.Colour, int], st.dictionaries(st.sampled_from(samples.Colour), st.integers()), False),
    (dict[UUID, int], st.dictionaries(st.uuids(), st.integers()), False),
    (Literal["low", "high", 3], st.sampled_from(["low", "high", 3]), True),
    (samples.Colour, st.sampled_from(samples.Colour), False),
    (samples.Size, st.sampled_from(samples.Size), False),
    (int | str | None, st.none() | st.integers() | TEXT, True),
    (Optional[samples.Address], st.none() | ADDRESSES, False),  # noqa: UP045 - still much written
    (datetime.datetime, AWARE, True),
    (datetime.datetime | None, st.none() | AWARE, True),
    (list[datetime.datetime], st.lists(AWARE), True),
    (datetime.date, st.dates(), True),
    (datetime.time, TIMES, True),
    (datetime.timedelta, st.timedeltas(), True),
    (UUID, st.uuids(), True),
    (Decimal, DECIMALS, True),
    (bytes, st.binary(), True),
    (dict[str, bytes], st.dictionaries(TEXT, st.binary()), True),
    (Annotated[int, msgspec.Meta(ge=0, lt=10)], st.integers(0, 9), True),
    (samples.Address, ADDRESSES, False),
    (samples.Visit, st.builds(samples.Visit, AWARE, ADDRESSES, st.none() | st.binary()), False),
    (samples.Tree, TREES, False),
    (samples.Point, POINTS, False),
    (samples.Line, st.fixed_dictionaries({"start": POINTS}, optional={"end": POINTS}), False),
    (samples.Price, PRICES, False),
    (
        samples.Cat | samples.Dog,
        st.builds(samples.Cat, st.integers()) | st.builds(samples.Dog, st.dates()),
        False,
    ),
    (samples.Customer, CUSTOMERS, False),
    (list[samples.Customer], st.lists(CUSTOMERS, max_size=2), False),
    (samples.Money, st.builds(samples.Money, st.integers(-(10**9), 10**9)), False),
    (list[samples.Money], st.lists(st.builds(samples.Money, st.integers(-(10**9), 10**9))), False),
]
CASES = [pytest.param(*case, id=str(case[0])) for case in TYPES]

quick = settings(max_examples=25, deadline=None, suppress_health_check=(HealthCheck.too_slow,))


@pytest.mark.parametrize(("declared_type", "values", "_"), CASES)
def test_the_producers_own_listener_gets_the_same_value(
    declared_type: Any, values: st.SearchStrategy[Any], _: bool
) -> None:
    contract = declared(Parameter("value", declared_type))

    @quick
    @given(values)
    def check(value: Any) -> None:
        wire = msgspec.json.decode(msgspec.json.encode(contract.encode({"value": value})))
        got = contract.decode(wire)["value"]
        assert got == value
        assert type(got) is type(value) or declared_type is float

    check()


@pytest.mark.parametrize(("declared_type", "values", "same"), CASES)
def test_another_service_can_fire_and_receive_the_same_event(
    declared_type: Any, values: st.SearchStrategy[Any], same: bool
) -> None:
    """It knows only the schema document, so classes are dicts to it; formats are Python types."""
    ours, theirs = declared(Parameter("value", declared_type)), exported(Parameter("value", declared_type))

    @quick
    @given(values)
    def check(value: Any) -> None:
        received = theirs.decode(ours.encode({"value": value}))["value"]
        assert ours.decode(theirs.encode({"value": received}))["value"] == value
        if same:
            assert received == value

    check()
