"""Formats become Python values wherever they occur in a schema document."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest

from lightbus import Parameter
from lightbus.errors import InvalidEvent, InvalidEventArguments
from lightbus.schema import format_type
from lightbus.schema.language.formats import is_base64, is_decimal, is_duration, parse_duration
from tests.schema.build import declared, written

DATE = {"type": "string", "format": "date"}
TEXT = "2026-01-31"
DAY = datetime.date(2026, 1, 31)


class TestFormatType:
    @pytest.mark.parametrize(
        ("node", "python"),
        [
            ({"type": "string", "format": "date-time"}, datetime.datetime),
            ({"type": "string", "format": "date"}, datetime.date),
            ({"type": "string", "format": "time"}, datetime.time),
            ({"type": "string", "format": "duration"}, datetime.timedelta),
            ({"type": "string", "format": "uuid"}, UUID),
            ({"type": "string", "format": "decimal"}, Decimal),
            ({"type": "string", "contentEncoding": "base64"}, bytes),
            ({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}, bytes),
            ({"type": ["string", "null"], "format": "date"}, datetime.date),
        ],
    )
    def test_types(self, node: dict[str, Any], python: type) -> None:
        found = format_type(node)
        assert found is not None
        assert found.python is python
        assert (found.module, found.name) == (python.__module__, python.__name__)

    @pytest.mark.parametrize(
        "node",
        [
            {"type": "string"},
            {"format": "date"},  # numbers are valid, too
            {"type": "integer", "format": "date"},
            {"type": ["integer", "null"], "format": "date"},
            {"type": "string", "format": "email"},
            {"type": "string", "format": 5},
            {"type": "string", "contentEncoding": "quoted-printable"},
            {"type": "string", "format": "date", "enum": [TEXT]},
            {"type": "string", "format": "date", "const": TEXT},
            True,
            False,
            None,
        ],
    )
    def test_strings_that_stay_strings(self, node: object) -> None:
        assert format_type(node) is None


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("P1W", datetime.timedelta(weeks=1)),
            ("P2D", datetime.timedelta(days=2)),
            ("P1DT2H3M4S", datetime.timedelta(1, 4, hours=2, minutes=3)),
            ("PT0S", datetime.timedelta()),
            ("PT0.000001S", datetime.timedelta(microseconds=1)),
            ("-P1DT0.5S", -datetime.timedelta(1, 0.5)),
            ("P999999999DT86399.999999S", datetime.timedelta.max),
        ],
    )
    def test_durations(self, text: str, length: datetime.timedelta) -> None:
        assert is_duration(text)
        assert parse_duration(text) == length

    @pytest.mark.parametrize(
        "text",
        ["", "P", "PT", "P1", "1D", "P1DT", "PT1D", "P1W2D", "P1S", "P-1D", "+P1D", "P1.5D", "P\u0661D"],
    )
    def test_no_durations(self, text: str) -> None:
        assert not is_duration(text)
        with pytest.raises(ValueError, match="is not"):
            parse_duration(text)

    @pytest.mark.parametrize("text", ["P1Y", "P1M", "P1Y2M3DT4H", "P9999999999D"])
    def test_durations_without_a_timedelta(self, text: str) -> None:
        assert is_duration(text)
        with pytest.raises(ValueError, match="timedelta"):
            parse_duration(text)

    @pytest.mark.parametrize("text", ["0", "-1", "+1.50", ".5", "5.", "1e5", "1E-5"])
    def test_decimals(self, text: str) -> None:
        assert is_decimal(text)
        Decimal(text)

    @pytest.mark.parametrize("text", ["", ".", "NaN", "Infinity", "1_000", " 1", "1 ", "0x1", "1e", "\u0661"])
    def test_no_decimals(self, text: str) -> None:
        assert not is_decimal(text)

    @pytest.mark.parametrize(
        ("text", "expected"), [("", True), ("aGk=", True), ("aGk", False), ("a-_=", False)]
    )
    def test_base64(self, text: str, expected: bool) -> None:
        assert is_base64(text) is expected


def decoded(schema: dict[str, Any], value: object, **shared: Any) -> object:
    payload = {"type": "object", "properties": {"value": schema}}
    return written(payload, **shared).decode({"value": value})["value"]


class TestPlaces:
    @pytest.mark.parametrize(
        ("schema", "value", "expected"),
        [
            (DATE, TEXT, DAY),
            ({"type": ["string", "null"], "format": "date"}, None, None),
            (
                {"type": "object", "properties": {"a": DATE, "b": {}}},
                {"a": TEXT, "b": TEXT},
                {"a": DAY, "b": TEXT},
            ),
            ({"properties": {"a": DATE}}, {"a": TEXT}, {"a": DAY}),
            ({"properties": {"a": DATE}}, "not an object", "not an object"),
            ({"type": "object", "additionalProperties": DATE}, {"x": TEXT}, {"x": DAY}),
            ({"patternProperties": {"^d_": DATE}}, {"d_a": TEXT, "a": TEXT}, {"d_a": DAY, "a": TEXT}),
            ({"patternProperties": {r"^\p{L}$": DATE}}, {"ä": TEXT}, {"ä": DAY}),
            (
                {"properties": {"a": {}}, "patternProperties": {"^b": {}}, "additionalProperties": DATE},
                {"a": TEXT, "b": TEXT, "c": TEXT},
                {"a": TEXT, "b": TEXT, "c": DAY},
            ),
            ({"type": "array", "items": DATE}, [TEXT, TEXT], [DAY, DAY]),
            ({"prefixItems": [{}, DATE]}, [TEXT, TEXT, TEXT], [TEXT, DAY, TEXT]),
            ({"prefixItems": [{}], "items": DATE}, [TEXT, TEXT, TEXT], [TEXT, DAY, DAY]),
            ({"allOf": [{"type": "object"}, {"properties": {"a": DATE}}]}, {"a": TEXT}, {"a": DAY}),
            ({"allOf": [DATE, DATE]}, TEXT, DAY),
            ({"$ref": "#/$defs/Date"}, TEXT, DAY),
            ({"$ref": "#day"}, TEXT, DAY),
            ({"$ref": "#/$defs/odd~1name%25/properties/a"}, TEXT, DAY),
        ],
    )
    def test_followed(self, schema: dict[str, Any], value: object, expected: object) -> None:
        definitions = {"Date": {"$anchor": "day", **DATE}, "odd/name%": {"properties": {"a": DATE}}}
        assert decoded(schema, value, **{"$defs": definitions}) == expected

    @pytest.mark.parametrize(
        "schema",
        [
            {"if": DATE, "then": True, "else": True},
            {"not": {"type": "null", "items": DATE}},
            {"contains": DATE},
        ],
    )
    def test_not_followed(self, schema: dict[str, Any]) -> None:
        assert decoded(schema, TEXT) == TEXT
        assert decoded({"properties": {"a": schema}}, {"a": [TEXT]}) == {"a": [TEXT]}

    def test_tuples_of_older_drafts(self) -> None:
        contract = written(
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"a": {"items": [{}, DATE], "additionalItems": DATE}},
            }
        )
        assert contract.decode({"a": [TEXT, TEXT, TEXT]}) == {"a": [TEXT, DAY, DAY]}

    def test_ref_hides_its_siblings_in_older_drafts(self) -> None:
        contract = written(
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"a": {"$ref": "#/definitions/text", **DATE}},
                "definitions": {"text": {"type": "string"}},
            }
        )
        assert contract.decode({"a": TEXT}) == {"a": TEXT}

    def test_a_schema_that_contains_itself(self) -> None:
        node = {
            "type": "object",
            "properties": {"day": DATE, "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}},
        }
        value = {"day": TEXT, "next": {"day": TEXT, "next": {"day": TEXT, "next": None}}}
        expected = {"day": DAY, "next": {"day": DAY, "next": {"day": DAY, "next": None}}}
        assert decoded({"$ref": "#/$defs/Node"}, value, **{"$defs": {"Node": node}}) == expected

    def test_schemas_that_refer_to_each_other_in_a_circle_of_choices(self) -> None:
        tree = {"anyOf": [DATE, {"type": "array", "items": {"$ref": "#/$defs/Tree"}}]}
        assert decoded({"$ref": "#/$defs/Tree"}, [TEXT, [TEXT, []]], **{"$defs": {"Tree": tree}}) == [
            DAY,
            [DAY, []],
        ]

    def test_nothing_to_convert_gives_the_very_same_objects(self) -> None:
        contract = written(
            {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
        )
        data = {"a": ["x"]}
        assert contract.decode(data)["a"] is data["a"]

    def test_the_data_is_not_changed(self) -> None:
        contract = written({"type": "object", "properties": {"a": {"items": DATE}}})
        data = {"a": [TEXT]}
        assert contract.decode(data) == {"a": [DAY]}
        assert data == {"a": [TEXT]}


def tagged(tag: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"tag": {"const": tag}, **properties}, "required": ["tag"]}


class TestChoices:
    @pytest.mark.parametrize("keyword", ["anyOf", "oneOf"])
    @pytest.mark.parametrize(
        ("branches", "value", "expected"),
        [
            ([DATE, {"type": "null"}], TEXT, DAY),
            ([DATE, {"type": "null"}], None, None),
            ([DATE, {"type": "integer"}], 5, 5),
            ([DATE, {"enum": [1, None]}], TEXT, DAY),
            ([DATE, {"const": 1}], TEXT, DAY),
            ([DATE, {"allOf": [{"type": "integer"}]}], TEXT, DAY),
            ([DATE, {"$ref": "#/$defs/Number"}], TEXT, DAY),
            ([DATE, False], TEXT, DAY),
            # two branches accept strings: the type does not tell which one was meant
            ([DATE, {"type": "string", "pattern": "^x"}], TEXT, TEXT),
            ([DATE, {"enum": ["x"]}], TEXT, TEXT),
            ([DATE, {"type": "string", "format": "uuid"}], TEXT, TEXT),
            # objects: the branch that accepts the value
            ([tagged("a", at=DATE), tagged("b")], {"tag": "a", "at": TEXT}, {"tag": "a", "at": DAY}),
            ([tagged("a", at=DATE), tagged("b")], {"tag": "b", "at": TEXT}, {"tag": "b", "at": TEXT}),
            ([tagged("b"), tagged("a", at=DATE)], {"tag": "a", "at": TEXT}, {"tag": "a", "at": DAY}),
            ([{"type": "array", "items": DATE}, tagged("a", at=DATE)], [TEXT], [DAY]),
            (
                [
                    {"type": "array", "items": DATE},
                    {"type": "array", "items": {"type": "integer"}, "minItems": 1},
                ],
                [1],
                [1],
            ),
        ],
    )
    def test_the_branch_meant_decides(
        self, keyword: str, branches: list[Any], value: object, expected: object
    ) -> None:
        assert decoded({keyword: branches}, value, **{"$defs": {"Number": {"type": "number"}}}) == expected

    def test_within_what_an_earlier_step_converted(self) -> None:
        schema = {
            "allOf": [{"properties": {"at": DATE}}],
            "anyOf": [tagged("a", until=DATE), tagged("b", at=DATE, until={"type": "string"})],
        }
        assert decoded(schema, {"tag": "a", "at": TEXT, "until": TEXT}) == {
            "tag": "a",
            "at": DAY,
            "until": DAY,
        }


class TestForeignDocuments:
    """Payload schemas with their own `$id`, `$schema` and embedded documents."""

    COMPOUND: ClassVar[dict[str, Any]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/events/sold.json",
        "type": "object",
        "properties": {
            "customer": {"$ref": "customer.json"},
            "nickname": {"$ref": "customer.json#/$defs/Name"},
            "born": {"$ref": "https://example.com/events/customer.json#born"},
        },
        "required": ["customer"],
        "$defs": {
            "customer": {
                "$id": "customer.json",
                "type": "object",
                "properties": {
                    "born": {"$ref": "#born"},
                    "friends": {"type": "array", "items": {"$ref": "#"}},
                },
                "$defs": {"Born": {"$anchor": "born", **DATE}, "Name": {"type": "string"}},
            },
            # the same pointer as in customer.json, but of this document
            "Born": {"type": "integer"},
        },
    }

    def test_references_by_id(self) -> None:
        contract = written(self.COMPOUND)
        data = {"customer": {"born": TEXT, "friends": [{"born": TEXT}]}, "nickname": "x", "born": TEXT}
        assert contract.encode(data) == data
        assert contract.decode(data) == {
            "customer": {"born": DAY, "friends": [{"born": DAY}]},
            "nickname": "x",
            "born": DAY,
        }
        with pytest.raises(InvalidEvent, match=r"customer\.friends\[0\]\.born: expected date, got int 1"):
            contract.decode({"customer": {"friends": [{"born": 1}]}})

    @pytest.mark.parametrize(
        ("dialect", "identifier", "holder"),
        [
            ("http://json-schema.org/draft-04/schema#", "id", "definitions"),
            ("http://json-schema.org/draft-06/schema#", "$id", "definitions"),
            ("http://json-schema.org/draft-07/schema#", "$id", "definitions"),
            ("https://json-schema.org/draft/2019-09/schema", "$id", "$defs"),
            ("https://json-schema.org/draft/2020-12/schema", "$id", "$defs"),
        ],
    )
    def test_every_draft(self, dialect: str, identifier: str, holder: str) -> None:
        contract = written(
            {
                "$schema": dialect,
                identifier: "https://example.com/sold.json",
                "type": "object",
                "properties": {"on": {"$ref": "common.json"}, "by": {"$ref": f"#/{holder}/by"}},
                "required": ["on"],
                "additionalProperties": False,
                holder: {
                    "common": {identifier: "https://example.com/common.json", **DATE},
                    "by": {"type": "string"},
                },
            }
        )
        assert contract.decode({"on": TEXT, "by": TEXT, "new": 1}) == {"on": DAY, "by": TEXT}
        with pytest.raises(InvalidEvent, match="on: is missing"):
            contract.decode({})

    def test_parameters_gathered_through_ref_and_all_of(self) -> None:
        contract = written(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "allOf": [
                    {"$ref": "#/$defs/Base"},
                    {"properties": {"own": DATE, "id": {"minLength": 1}}, "required": ["own"]},
                ],
                "properties": {"last": {}},
                "$defs": {
                    "Base": {
                        "type": "object",
                        "properties": {"id": {"type": "string"}, "at": DATE},
                        "required": ["id"],
                    }
                },
            }
        )
        assert [(p.wire, p.required) for p in contract.parameters] == [
            ("id", True),
            ("at", False),
            ("own", True),
            ("last", False),
        ]
        data = {"id": "1", "at": TEXT, "own": TEXT, "undeclared": 1}
        assert contract.decode(data) == {"id": "1", "at": DAY, "own": DAY}


@pytest.mark.parametrize("reference", ["$ref", "$dynamicRef"])
def test_formats_behind_references_of_each_kind(reference: str) -> None:
    definitions = {"Day": {"$dynamicAnchor": "day", **DATE}}
    contract = written(
        {"type": "object", "properties": {"day": {reference: "#day"}}}, **{"$defs": definitions}
    )
    assert contract.decode({"day": TEXT}) == {"day": DAY}


def test_a_dynamic_reference_that_may_mean_several_schemas_leaves_the_text() -> None:
    definitions = {
        "Day": {"$dynamicAnchor": "day", **DATE},
        "Other": {"$id": "other", "$dynamicAnchor": "day", "type": "string"},
    }
    contract = written(
        {"type": "object", "properties": {"day": {"$dynamicRef": "#day"}}}, **{"$defs": definitions}
    )
    assert contract.decode({"day": TEXT}) == {"day": TEXT}


SMALL_ON_THE_WIRE = [
    ("decimal", "1e4300"),
    ("decimal", "-1E+999999999"),
    ("decimal", "1e-4301"),
    ("decimal", "1e" + "9" * 5000),
    ("decimal", "1" * 4301),
    ("duration", "P1000000000D"),
    ("duration", "-P999999999DT1S"),
    ("duration", "P" + "9" * 400 + "W"),
    ("duration", "PT" + "9" * 400 + "H"),
    ("date-time", "0000-01-01T00:00:00Z"),
    ("date-time", "9999-12-31T23:59:60Z"),
    ("date-time", "9999-12-31T23:59:59.9999999Z"),
    ("date", "0000-01-01"),
    ("time", "23:59:60Z"),
]


@pytest.mark.parametrize(("name", "text"), SMALL_ON_THE_WIRE)
def test_what_python_cannot_hold_in_bounded_space_is_invalid(name: str, text: str) -> None:
    rich = {"type": "string", "format": name}
    for schema, value in [
        (rich, text),
        ({"type": "array", "items": rich}, [text]),
        ({"anyOf": [rich, {"type": "null"}]}, text),
        ({"patternProperties": {"^(?!x)": rich}}, {"a": text}),
    ]:
        with pytest.raises(InvalidEvent):
            written({"type": "object", "properties": {"at": schema}}).decode({"at": value})


@pytest.mark.parametrize("text", [text for name, text in SMALL_ON_THE_WIRE if name == "decimal"])
@pytest.mark.parametrize("keys", [False, True])
def test_both_sides_refuse_a_decimal_of_too_many_digits_with_the_same_words(text: str, keys: bool) -> None:
    contract = declared(Parameter("price", dict[Decimal, int] if keys else Decimal))
    with pytest.raises(InvalidEvent) as received:
        contract.decode({"price": {text: 1} if keys else text})
    # Decimal() itself refuses the longest exponent
    values: list[Any] = [text] if len(text) > 5000 else [text, Decimal(text)]
    for value in values:
        with pytest.raises(InvalidEventArguments) as fired:
            contract.encode({"price": {value: 1} if keys else value})
        for problems in (received.value.problems, fired.value.problems):
            [problem] = problems
            assert problem.path == "price"
            assert problem.message.endswith("has more than 4,300 digits on one side of its point")


@pytest.mark.parametrize(
    "text", ["1e4299", "-1e-4300", "9" * 4300 + "." + "9" * 4300, "0", ".5", "5.", "+1E+3"]
)
def test_a_decimal_within_the_limit_can_be_used_as_any_number(text: str) -> None:
    contract = declared(Parameter("price", Decimal))
    price = contract.decode({"price": text})["price"]
    assert price == Decimal(text)
    assert contract.encode({"price": price})
    assert str(int(price))
    assert f"{price:f}"


@pytest.mark.parametrize("kind", [Decimal, float, int])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_no_number_is_not_fired(value: object, kind: type) -> None:
    with pytest.raises(InvalidEventArguments):
        declared(Parameter("price", kind)).encode({"price": value})


def test_a_whole_float_becomes_an_integer_of_few_digits() -> None:
    count = declared(Parameter("count", int)).decode({"count": 1.7e308})["count"]
    assert type(count) is int
    assert len(str(count)) == 309
