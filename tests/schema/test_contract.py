"""Contracts: the closed writer, the open reader, and their errors."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import UNSET

from lightbus.api import Event, Parameter
from lightbus.errors import InvalidEvent, InvalidEventArguments, Problem
from lightbus.schema import EventContract
from lightbus.schema.payload.limits import MAX_DEPTH
from tests.schema.build import api, declared, exported, written
from tests.schema.samples import Address, Colour, Customer, Line, Money, Visit

Build = Callable[..., EventContract]
TOO_DEEP = "more than 100 levels of objects and arrays, counting the payload itself"
NOW = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


@pytest.fixture(params=[declared, exported])
def build(request: pytest.FixtureRequest) -> Build:
    """Contracts of the producer's own process, and of a service that has only the document."""
    return request.param  # type: ignore[no-any-return]


def refused(contract: EventContract, **arguments: object) -> list[str]:
    """Encode invalid arguments; return the problem of each."""
    with pytest.raises(InvalidEventArguments) as caught:
        contract.encode(arguments)
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


def undelivered(contract: EventContract, data: object) -> list[str]:
    """Decode invalid data; return the problem of each."""
    with pytest.raises(InvalidEvent) as caught:
        contract.decode(data)
    return [str(problem) for problem in caught.value.problems]


class TestFacts:
    def test_of_an_api_class(self) -> None:
        shop = api(returned=Event(("why",), description="It came back."))
        contract = EventContract.of_event(shop, shop.api_events["returned"])
        assert contract.full_name == "shop.returned"
        assert contract.source == "tests.schema.build.ShopApi.returned"
        assert contract.description == "It came back."

    def test_of_a_document(self) -> None:
        contract = exported("what")
        assert contract.source == "schemas/shop.json#/events/sold"
        assert contract.uri == "lightbus:shop#/events/sold"
        assert [parameter.name for parameter in contract.parameters] == ["what"]

    @pytest.mark.parametrize(
        ("parameters", "signature"),
        [
            ((), "fire()"),
            (("anything",), "fire(*, anything: Any)"),
            (
                (Parameter("a", str), Parameter("b", int | None, default=None)),
                "fire(*, a: str, b: int | None = ...)",
            ),
            (
                (Parameter("where", list[Address]), Parameter("at", NOW.__class__)),
                "fire(*, where: list[Address], at: datetime)",
            ),
            (
                (Parameter("colour", Colour), Parameter("line", dict[str, float])),
                "fire(*, colour: Colour, line: dict[str, float])",
            ),
        ],
    )
    def test_signature(self, build: Build, parameters: Any, signature: str) -> None:
        assert build(*parameters).signature == signature


class TestEncode:
    def test_reports_every_problem_and_the_signature(self, build: Build) -> None:
        contract = build(Parameter("username", str), Parameter("email", str), Parameter("age", int))
        with pytest.raises(InvalidEventArguments) as caught:
            contract.encode({"usrname": "a", "age": "old"})
        assert set(caught.value.problems) == {
            Problem("usrname", "is not in the schema (did you mean 'username'?)", "unexpected"),
            Problem("username", "is missing (str)", "missing"),
            Problem("email", "is missing (str)", "missing"),
            Problem("age", "expected int, got str 'old'", "type"),
        }
        assert (caught.value.api, caught.value.event) == ("shop", "sold")
        assert str(caught.value).startswith("shop.sold was not fired")
        assert str(caught.value).endswith("Expected: fire(*, username: str, email: str, age: int)")

    @pytest.mark.parametrize(
        ("declared_type", "value", "problem"),
        [
            (str, None, "value: expected str, got None"),
            (int, True, "value: expected int, got bool True"),
            (int | None, "x", "value: expected int or None, got str 'x'"),
            (list[str], ["a", 1], "value[1]: expected str, got int 1"),
            (dict[str, int], {"a-b": "x"}, "value['a-b']: expected int, got str 'x'"),
            (dict[str, list[int]], {"a": [1, "x"]}, "value.a[1]: expected int, got str 'x'"),
            (Colour, "blu", "value: expected 'red' or 'blue', got 'blu' (did you mean 'blue'?)"),
            (datetime.datetime, 5, "value: expected datetime, got int 5"),
            (datetime.datetime | None, 5, "value: expected datetime or None, got int 5"),
            (
                datetime.datetime,
                datetime.datetime(2026, 1, 31),
                "value: '2026-01-31T00:00:00' has no time zone; use an aware one, such as datetime.now(UTC)",
            ),
            (
                datetime.datetime,
                "today",
                "value: 'today' is not an RFC 3339 date and time, such as '2026-01-31T12:00:00Z'",
            ),
            (
                datetime.time,
                datetime.time(12),
                "value: '12:00:00' has no time zone; use an aware one, such as time(12, tzinfo=UTC)",
            ),
            (datetime.timedelta, "P1", "value: 'P1' is not an RFC 3339 duration, such as 'PT1H30M'"),
            (bytes, "%", "value: '%' is not base64"),
            (float, math.nan, "value: nan cannot be written as JSON"),
            (float | None, math.inf, "value: inf cannot be written as JSON"),
            (Any, {"a": [math.nan]}, "value.a[0]: nan cannot be written as JSON"),
            (str, "\ud800", "value: '\\ud800' is not Unicode text: it has an unpaired surrogate"),
            (Any, {"\ud800": 1}, "value: '\\ud800' is not Unicode text: it has an unpaired surrogate"),
            (
                Any,
                1j,
                "value: 1j cannot be written as JSON: complex is not a type that events can carry",
            ),
            (Address, {"strete": "x"}, "value.street: is missing"),
            (Address, {"street": "x", "no": 1}, "value.no: is not in the schema"),
            (
                Visit,
                Visit(NOW.replace(tzinfo=None), Address("x")),
                "value.at: '2026-01-31T12:00:00' has no time zone; use an aware one, such as datetime.now(UTC)",
            ),
            (Address | None, {"street": 1}, "value.street: expected str, got int 1"),
            (Line, {"start": (1.0, "x")}, "value.start[1]: expected float, got str 'x'"),
            (
                Customer,
                {"fullName": "", "since": "2026-01-31"},
                "value.fullName: '' has fewer than 1 characters",
            ),
        ],
    )
    def test_says_what_is_wrong_and_where(
        self, build: Build, declared_type: Any, value: object, problem: str
    ) -> None:
        assert problem in refused(build(Parameter("value", declared_type)), value=value)

    def test_a_value_whose_to_bus_fails_is_a_problem_of_its_argument(self) -> None:
        class Broken(Money):
            def __to_bus__(self) -> Any:
                raise RuntimeError("no exchange rate")

        problems = refused(declared(Parameter("price", Money)), price=Broken(1))
        assert problems == ["price: Money(1) cannot be written as JSON: no exchange rate"]

    def test_long_values_and_many_problems_stay_short(self, build: Build) -> None:
        contract = build(Parameter("name", int), Parameter("many", list[int]))
        with pytest.raises(InvalidEventArguments) as caught:
            contract.encode({"name": "x" * 10**6, "many": ["y" * 10**4] * 10**3, "z" * 10**6: 1})
        assert len(str(caught.value)) < 5000
        assert caught.value.problems[-1].message == "there are more problems than these"

    @pytest.mark.parametrize("kind", [list[int], list[int] | None])
    def test_of_very_many_values_the_one_that_is_wrong_is_named(self, build: Build, kind: Any) -> None:
        contract = build(Parameter("name", str), Parameter("many", kind))
        (problem,) = refused(contract, name="ada", many=[*range(50_000), "x" * 10**6])
        assert problem.startswith("many[50000]: ") and len(problem) < 200

    def test_an_integer_that_no_reader_takes(self, build: Build) -> None:
        contract = build(Parameter("number", int), Parameter("anything", Any))
        most = 10**4300 - 1
        assert contract.encode({"number": most, "anything": -most})["number"] == most
        for arguments in (
            {"number": most * 10, "anything": 1},
            {"number": 1, "anything": {"in": [most * 10]}},
        ):
            (problem,) = refused(contract, **arguments)
            assert problem.endswith(": is an integer of more than 4,300 digits")

    def test_values_that_contain_themselves(self, build: Build) -> None:
        endless: list[object] = []
        endless.append(endless)
        (problem,) = refused(build(Parameter("value", Any)), value=endless)
        assert problem == f"value: its values make {TOO_DEEP}, or one contains itself"

    def test_unset_arguments_are_absent(self, build: Build) -> None:
        contract = build(Parameter("a", int), Parameter("b", int, default=7))
        assert contract.encode({"a": 1, "b": UNSET}) == {"a": 1, "b": 7}
        assert refused(contract, a=UNSET) == ["a: is missing (int)"]

    def test_does_not_change_its_argument(self, build: Build) -> None:
        arguments = {"a": b"hi"}
        contract = build(Parameter("a", bytes), Parameter("b", int, default=7))
        assert contract.encode(arguments) == {"a": "aGk=", "b": 7}
        assert arguments == {"a": b"hi"}

    def test_dataclass_members_are_plain_json(self, build: Build) -> None:
        contract = build(Parameter("visit", Visit))
        assert contract.encode({"visit": Visit(NOW, Address("High St"), b"hi")}) == {
            "visit": {
                "at": "2026-01-31T12:00:00Z",
                "address": {"street": "High St", "number": 1, "tags": []},
                "photo": "aGk=",
            }
        }


class TestDecode:
    @pytest.mark.parametrize("data", [None, [], "x", 1, True])
    def test_a_payload_is_an_object(self, build: Build, data: object) -> None:
        assert undelivered(build(), data) == [f"the payload is not an object but {data!r}"]

    def test_reports_every_problem(self, build: Build) -> None:
        contract = build(Parameter("a", str), Parameter("b", list[int]), Parameter("c", bytes))
        assert set(undelivered(contract, {"b": [1, "x"], "c": "aGk", "new": 1})) == {
            "a: is missing (str)",
            "b[1]: expected int, got str 'x'",
            "c: 'aGk' is not base64",
        }

    @pytest.mark.parametrize(
        ("declared_type", "value", "where"),
        [
            (datetime.datetime, "2016-12-31T23:59:60Z", "value"),
            (list[datetime.datetime], ["2026-01-31T12:00:00Z", "0000-01-01T00:00:00Z"], "value[1]"),
            (datetime.timedelta, "P1M", "value"),
            (Visit, {"at": "2016-12-31T23:59:60Z", "address": {"street": "x"}}, "value.at"),
            (dict[str, datetime.timedelta], {"a": "P1Y"}, "value"),
        ],
    )
    def test_valid_values_that_python_cannot_hold_are_located(
        self, build: Build, declared_type: Any, value: object, where: str
    ) -> None:
        with pytest.raises(InvalidEvent) as caught:
            build(Parameter("value", declared_type)).decode({"value": value})
        (problem,) = caught.value.problems
        assert problem.path.startswith(where)
        assert problem.kind == "conversion"

    def test_nesting_is_limited(self) -> None:
        node = {
            "type": "object",
            "properties": {"in": {"$ref": "#/$defs/Node"}, "at": {"type": "string", "format": "date"}},
        }
        contract = written(
            {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}}, **{"$defs": {"Node": node}}
        )
        data: dict[str, Any] = {"node": {"at": "2026-01-31", "undeclared": 1}}
        for _ in range(MAX_DEPTH - 2):
            data["node"] = {"in": data["node"]}
        assert contract.decode(data)
        for more in (1, 10_000):
            for _ in range(more):
                data["node"] = {"in": data["node"]}
            assert undelivered(contract, data) == [f"the payload has {TOO_DEEP}"]
            assert refused(contract, **data) == [f"node: its values make {TOO_DEEP}, or one contains itself"]

    def test_what_from_bus_refuses_is_located(self) -> None:
        contract = declared(Parameter("prices", list[Money]))
        data = {"prices": [{"netAmount": "1"}, {"netAmount": "1", "currencyCode": "USD"}]}
        assert undelivered(contract, data) == [
            "prices[1]: Money.__from_bus__ failed: ValueError('cannot hold USD')"
        ]

    def test_what_pydantic_refuses_beyond_the_schema_is_located(self) -> None:
        import pydantic

        class Even(pydantic.BaseModel):
            number: int

            @pydantic.field_validator("number")
            @classmethod
            def is_even(cls, number: int) -> int:
                if number % 2:
                    raise ValueError("is odd")
                return number

        contract = declared(Parameter("even", Even))
        assert contract.decode({"even": {"number": 2}}) == {"even": Even(number=2)}
        (problem,) = undelivered(contract, {"even": {"number": 3}})
        assert problem.startswith("even: ")
        assert "is odd" in problem

    def test_integral_floats_are_ints_in_classes(self) -> None:
        contract = declared(Parameter("address", Address))
        address = contract.decode({"address": {"street": "x", "number": 2.0}})["address"]
        assert repr(address.number) == "2"


class TestDefaults:
    def test_are_filled_in_on_both_sides(self, build: Build) -> None:
        contract = build(Parameter("a", int, default=1), Parameter("b", str | None, default=None))
        assert contract.encode({}) == {"a": 1, "b": None}
        assert contract.encode({"a": 2}) == {"a": 2, "b": None}
        assert contract.decode({}) == {"a": 1, "b": None}
        assert all(parameter.always_present for parameter in contract.parameters)

    def test_arrive_as_python_values(self, build: Build) -> None:
        contract = build(Parameter("at", datetime.datetime, default=NOW))
        assert contract.encode({}) == {"at": "2026-01-31T12:00:00Z"}
        assert contract.decode({}) == {"at": NOW}

    def test_of_a_class(self) -> None:
        contract = declared(Parameter("price", Money, default=Money(5)))
        assert contract.encode({}) == {"price": {"netAmount": "0.05", "currencyCode": "EUR"}}
        assert contract.decode({}) == {"price": Money(5)}

    def test_mutable_ones_are_fresh_for_each_event(self) -> None:
        contract = written({"type": "object", "properties": {"tags": {"type": "array", "default": []}}})
        contract.decode({})["tags"].append("x")
        contract.encode({})["tags"].append("x")
        assert contract.decode({}) == {"tags": []}
        assert contract.encode({}) == {"tags": []}

    def test_of_a_required_property_is_a_comment(self) -> None:
        contract = written(
            {"type": "object", "properties": {"a": {"default": 1}}, "required": ["a"]},
        )
        assert refused(contract) == ["a: is missing (Any)"]

    def test_that_its_schema_refuses_is_a_comment(self) -> None:
        contract = written({"type": "object", "properties": {"a": {"type": "string", "default": None}}})
        assert contract.encode({}) == {}
        assert contract.decode({}) == {}
        assert not contract.parameters[0].always_present


class TestNames:
    WIRES = ("class", "user-name", "self", "2nd", "user_name", "größe")

    def contract(self) -> EventContract:
        properties = {wire: {"type": "integer"} for wire in self.WIRES}
        return written({"type": "object", "properties": properties, "required": list(self.WIRES)})

    def test_handlers_get_python_names(self) -> None:
        data: dict[str, object] = dict(zip(self.WIRES, range(6), strict=True))
        assert self.contract().encode(data) == data
        assert self.contract().decode(data) == {
            "class_": 0,
            "user_name_": 1,
            "self_": 2,
            "_2nd": 3,
            "user_name": 4,
            "größe": 5,
        }

    def test_fire_is_told_python_names_and_listeners_wire_names(self) -> None:
        assert "user_name_: is missing (int)" in refused(self.contract())
        assert "user-name: is missing (int)" in undelivered(self.contract(), {})
        assert (
            self.contract().prepare(dict.fromkeys(self.WIRES, 1))[1].keys()
            == self.contract().decode(dict.fromkeys(self.WIRES, 1)).keys()
        )

    def test_undeclared_arguments_get_python_names_suggested(self) -> None:
        problems = refused(self.contract(), clas_=1)
        assert "clas_: is not in the schema (did you mean 'class_'?)" in problems


OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}}
DATA = {"a": 1, "extra": 2}


class TestClosedWriterOpenReader:
    @pytest.mark.parametrize(
        ("schema", "may_fire"),
        [
            (OBJECT, False),
            ({**OBJECT, "additionalProperties": False}, False),
            ({**OBJECT, "unevaluatedProperties": False}, False),
            ({**OBJECT, "additionalProperties": True}, True),
            ({**OBJECT, "additionalProperties": {"type": "integer"}}, True),
            ({**OBJECT, "additionalProperties": {"type": "string"}}, False),
            ({**OBJECT, "patternProperties": {"^e": {"type": "integer"}}}, True),
            (
                {**OBJECT, "patternProperties": {"^x": {}}, "additionalProperties": False},
                False,
            ),
            ({"allOf": [OBJECT, {"properties": {"extra": {}}}]}, True),
            ({"allOf": [OBJECT], "unevaluatedProperties": False}, False),
        ],
    )
    def test_what_fire_takes_beyond_the_declared(self, schema: dict[str, Any], may_fire: bool) -> None:
        contract = written(schema)
        if may_fire:
            assert contract.encode(DATA) == DATA
        else:
            (problem,) = refused(contract, **DATA)
            assert problem.startswith("extra: ")

    @pytest.mark.parametrize(
        "schema",
        [
            OBJECT,
            {**OBJECT, "additionalProperties": False},
            {**OBJECT, "unevaluatedProperties": False},
            {"allOf": [OBJECT], "unevaluatedProperties": False},
            {"allOf": [{**OBJECT, "additionalProperties": False}]},
        ],
    )
    def test_handlers_get_what_is_declared(self, schema: dict[str, Any]) -> None:
        assert written(schema).decode(DATA) == {"a": 1}

    def test_handlers_get_what_is_allowed_explicitly(self) -> None:
        assert written({**OBJECT, "additionalProperties": True}).decode(DATA) == DATA

    def test_what_the_author_restricts_stays_restricted(self) -> None:
        contract = written({**OBJECT, "additionalProperties": {"type": "string"}})
        assert undelivered(contract, DATA) == ["extra: expected str, got int 2"]

    def test_undeclared_properties_are_dropped_at_every_depth(self, build: Build) -> None:
        contract = build(
            Parameter("visits", list[Visit]), Parameter("tree", dict[str, Address] | None, default=None)
        )
        visit = {"at": "2026-01-31T12:00:00Z", "address": {"street": "x", "number": 1, "tags": []}}
        expected = contract.decode({"visits": [visit], "tree": {"any key": visit["address"]}})
        newer = {**visit, "new": 1, "address": {**visit["address"], "new": {"deep": 1}}}  # type: ignore[dict-item]
        got = contract.decode({"visits": [newer], "tree": {"any key": newer["address"]}, "new": []})
        assert got == expected

    @pytest.mark.parametrize(
        "first",
        [
            {"prefixItems": [{"properties": {"expression": {}}}]},
            {"prefixItems": [{"properties": {"expression": {}}}], "items": {"properties": {"note": {}}}},
        ],
    )
    def test_an_item_has_what_any_branch_declares_at_its_place(self, first: dict[str, Any]) -> None:
        branches = [{"items": {"properties": {"license": {}}}}, {"maxItems": 2, **first}]
        contract = written({"type": "object", "properties": {"x": {"type": "array", "anyOf": branches}}})
        data = {"x": [{"license": 1, "expression": 2, "new": 3}, {"license": 4, "expression": 5, "new": 6}]}
        assert contract.decode(data) == {"x": [{"license": 1, "expression": 2}, {"license": 4}]}

    def test_decoding_leaves_the_data_as_it_was(self, build: Build) -> None:
        contract = build(Parameter("address", Address))
        data = {"address": {"street": "x", "new": 1}, "new": 1}
        contract.decode(data)
        assert data == {"address": {"street": "x", "new": 1}, "new": 1}

    def test_other_problems_are_told_without_the_undeclared(self, build: Build) -> None:
        contract = build(Parameter("address", Address))
        assert undelivered(contract, {"address": {"street": 1, "new": 1}, "new": 1}) == [
            "address.street: expected str, got int 1"
        ]

    def test_the_branch_with_least_to_drop_is_the_one_meant(self) -> None:
        def closed(**properties: Any) -> dict[str, Any]:
            return {"type": "object", "properties": properties, "additionalProperties": False}

        branches = [closed(a={}), closed(a={}, b={"type": "string", "format": "date"})]
        contract = written({"type": "object", "properties": {"x": {"oneOf": branches}}})
        data = {"x": {"a": 1, "b": "2026-01-31", "new": 1}}
        assert contract.decode(data) == {"x": {"a": 1, "b": datetime.date(2026, 1, 31)}}


INSIDE = {"type": "object", "properties": {"street": {}, "lines": {"type": "array", "items": OBJECT}}}
UNDECLARED = {"street": "x", "sreet": "y"}


class TestObjectsInside:
    """`fire()` refuses undeclared properties at every depth; a listener does not receive them."""

    @pytest.mark.parametrize(
        ("schema", "value", "path"),
        [
            (INSIDE, UNDECLARED, "sreet"),
            ({"$ref": "#/$defs/Inside"}, UNDECLARED, "sreet"),
            ({"anyOf": [INSIDE, {"type": "null"}]}, UNDECLARED, "sreet"),
            ({"allOf": [INSIDE, {"properties": {"city": {}}}]}, {**UNDECLARED, "city": 1}, "sreet"),
            (INSIDE, {"lines": [{"a": 1}, {"a": 1, "b": 1}]}, "lines[1].b"),
            ({"additionalProperties": INSIDE}, {"any": UNDECLARED}, "any.sreet"),
            ({"patternProperties": {"^x": INSIDE}}, {"x1": UNDECLARED}, "x1.sreet"),
            ({"prefixItems": [{}, INSIDE]}, [1, UNDECLARED], "[1].sreet"),
            ({"$ref": "#/$defs/Tree"}, {"left": {"left": {"right": 1}}}, "left.left.right"),
        ],
    )
    def test_what_is_not_declared(self, schema: dict[str, Any], value: Any, path: str) -> None:
        definitions = {"Inside": INSIDE, "Tree": {"properties": {"left": {"$ref": "#/$defs/Tree"}}}}
        payload = {"type": "object", "properties": {"it": schema}}
        contract = written(payload, **{"$defs": definitions})
        place = f"it{path}" if path.startswith("[") else f"it.{path}"
        (problem,) = refused(contract, it=value)
        assert problem.startswith(f"{place}: is not in the schema")
        got = contract.decode({"it": value})
        assert contract.encode(got) == got != {"it": value}

    @pytest.mark.parametrize(
        "schema",
        [
            {**INSIDE, "additionalProperties": True},
            {**INSIDE, "patternProperties": {"^s": {}}},
            {**INSIDE, "required": ["sreet"]},
            {"anyOf": [INSIDE, {"properties": {"sreet": {}}}]},
            {**INSIDE, "if": {"required": ["street"]}, "then": {"properties": {"sreet": {}}}},
            {"type": "object"},
            {},
        ],
    )
    def test_what_is_declared_elsewhere_or_allowed(self, schema: dict[str, Any]) -> None:
        contract = written({"type": "object", "properties": {"it": schema}})
        assert contract.encode({"it": UNDECLARED}) == {"it": UNDECLARED}
        assert contract.decode({"it": UNDECLARED}) == {"it": UNDECLARED}

    def test_the_declared_name_meant_is_suggested(self) -> None:
        contract = written({"type": "object", "properties": {"it": INSIDE}})
        assert refused(contract, it=UNDECLARED) == ["it.sreet: is not in the schema (did you mean 'street'?)"]


def test_an_event_is_deprecated_where_what_it_is_based_on_says_so() -> None:
    old = {"Old": {**OBJECT, "deprecated": True}}
    assert written({"$ref": "#/$defs/Old"}, **{"$defs": old}).deprecated
    assert written({"allOf": [{"$ref": "#/$defs/Old"}]}, **{"$defs": old}).deprecated
    assert not written(
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/Old"}}}, **{"$defs": old}
    ).deprecated


def test_a_listener_takes_what_a_newer_producer_adds_where_a_property_brings_a_closed_schema() -> None:
    closed = {"properties": {"card": {}, "code": {}}, "additionalProperties": False}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"card": {"type": "string"}},
        "dependencies": {"card": closed},
    }
    assert written(schema).decode({"card": "1", "new": 2}) == {"card": "1"}
