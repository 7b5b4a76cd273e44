"""Generated packages at run time: importable, lazy, and with annotations that match what arrives."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import lightbus
from lightbus.schema import SchemaDocument
from lightbus_gen.generate import generate
from lightbus_gen.write.apply import apply
from lightbus_gen.write.plan import plan
from tests.codegen.cases import CASES, HERE, PACKAGE, options_of
from tests.codegen.conforms import misfits
from tests.codegen.corpora import generate_cdevents, generate_openlineage


@pytest.mark.parametrize("case", CASES)
def test_every_module_imports_and_every_event_has_its_contract(
    case: str, importable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(HERE / "golden" / case / "expected")
    package = importlib.import_module(PACKAGE)
    with lightbus.create(package.Bus, url="memory://") as bus:
        for path in (HERE / "golden" / case / "expected" / PACKAGE / "schemas").glob("*.json"):
            document = SchemaDocument.load(path)
            client: Any = bus
            for part in document.api.split("."):
                client = getattr(client, part)
            for event in document.events:
                endpoint = getattr(client, event)
                contract = endpoint._contract
                assert contract.full_name == f"{document.api}.{event}"
                names = [parameter.name for parameter in contract.parameters]
                names += [contract.more] if contract.more else []
                assert [field.name for field in fields(endpoint._payload)] == names


def test_apis_are_imported_when_they_are_used(tmp_path: Path) -> None:
    folder = HERE / "golden/dotted/expected"
    code = (
        "import sys, lightbus\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "from acme_bus import Bus\n"
        "bus = lightbus.create(Bus, url='memory://')\n"
        "loaded = lambda: sorted(name for name in sys.modules if name.startswith('acme_bus.'))\n"
        "print(loaded()); bus.shop.orders; print(loaded())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "['acme_bus.shop', 'acme_bus.shop_orders']"]


def test_a_package_of_another_format_says_both_fixes(importable: Path) -> None:
    files = generate(HERE / "golden/per_api/schemas", "older_bus")
    apply(plan(importable, files, within="older_bus"))
    path = importable / "older_bus/__init__.py"
    path.write_text(path.read_text().replace("require_format(1)", "require_format(0)"))
    with pytest.raises(ImportError, match=r"generate the package again .* or pin lightbus-nats lower"):
        importlib.import_module("older_bus")


# -- annotations against values ------------------------------------------------------------------

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "formats/times.ticked": [
        {
            "at": "2026-01-31T12:00:00Z",
            "day": "2026-01-31",
            "hour": "12:00:00Z",
            "took": "PT1H",
            "id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "price": "12.50",
            "blob": "aGVsbG8=",
            "mail": "a@b.example",
            "nullable": "2026-01-31T12:00:00Z",
            "id_or_number": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "id_or_text": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "untyped": "2026-01-31T12:00:00Z",
            "listed": "2020-01-01",
            "based": "2026-01-31T12:00:00Z",
            "days": ["2026-01-31"],
            "inside": {"at": "2026-01-31T12:00:00Z", "or": "later"},
            "by_id": {"x": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
        },
        {"nullable": None, "id_or_number": 5, "untyped": 7},
    ],
    "keywords/every.thing": [
        {"mixed": value, "pair": ["a", 1], "open_pair": ["a", None], "several": 1, "both": True}
        for value in ["a", 1, True, None, 2.5, {"x": 1}, [1]]
    ]
    + [
        {
            "patterns": {"s_a": "x", "i_b": 1},
            "record": {"a": "x", "b": 1},
            "undeclared": {"a": "x", "b": [1]},
        },
        {"untyped_object": 5, "untyped_array": {"x": 1}, "or_any": [], "deep": [1, 2], "merged": 3},
        {"untyped_object": {"a": "x"}, "untyped_array": ["x"], "deep": None, "literals": "b", "number": 1.5},
    ],
    "nested/tree.planted": [
        {
            "root": {"label": "a", "children": [{"label": "b", "parent": {"label": "c"}}], "parent": None},
            "value": {"a": [1, 2.5, "x", None, True, {"b": []}]},
            "person": {"name": "x", "friend": {"of": {"name": "y", "friend": None}}},
            "owner": {
                "name": "x",
                "home": {"street": "s"},
                "phones": [{"number": "1"}],
                "by_role": {"a": {}},
            },
        }
    ],
    "nested/tree.paid": [
        {"method": {"kind": "cash"}, "receipt": {"id": 1, "paper": True}},
        {"method": {"kind": "card", "number": "1"}, "receipt": {"id": 1, "mail": "m", "paper": "any"}},
        {"method": {"iban": "DE"}, "payer": {"name": "x", "limit": 3}},
    ],
    "foreign/shop.orders.order_placed": [
        {
            "customer": {"name": "x", "address": {"street": "s", "lives": {"name": "y"}}},
            "total": {"amount": "12.50", "currency": "EUR"},
            "currency": "USD",
            "lines": [{"sku": "a", "price": {"amount": "1", "currency": "EUR"}}],
            "follows": {"customer": {"name": "z"}, "total": {"amount": "2", "currency": "USD"}},
        }
    ],
    "foreign/shop.orders.cancelled": [{"why": "late", "refund": {"amount": "1", "currency": "EUR"}}],
    "layers/shop.layered": [
        {
            "named": {"due_on": "2026-01-31", "paid_on": "2026-02-28"},
            "days": ["2026-01-31"],
            "by_key": {"first": "2026-01-31"},
            "huge": 100000000000000000000,
        }
    ],
    "layers/shop.shadowing": [{"str": "x", "field": "y"}],
    "per_api/auth.user_created": [
        {"username": "a", "email": "e"},
        {"username": "a", "email": "e", "address": {"street": "s", "zip": None}, "note": "n", "score": 1},
    ],
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_annotations_are_true_to_what_arrives(sample: str, importable: Path) -> None:
    case, _, full_name = sample.partition("/")
    api, _, event = full_name.rpartition(".")
    package = f"{case}_bus"
    files = generate(HERE / "golden" / case / "schemas", package, **options_of(case))
    apply(plan(importable, files, within=package))
    module = importlib.import_module(f"{package}.{api.replace('.', '_')}")
    document = SchemaDocument.load(importable / package / f"schemas/{api}.json")
    payload = getattr(module, "".join(word.capitalize() for word in event.split("_")))
    for data in SAMPLES[sample]:
        check(document, event, payload, data)


def test_annotations_are_true_to_all_cdevents(importable: Path) -> None:
    pairs = list(generate_cdevents(importable))
    module = importlib.import_module("cdevents_bus.cdevents")
    document = SchemaDocument.load(importable / "cdevents_bus/schemas/cdevents.json")
    assert {event for event, _ in pairs} == set(document.events)
    assert len(pairs) == 48
    for event, path in pairs:
        check(document, event, getattr(module, event.capitalize()), json.loads(path.read_bytes()))


def test_annotations_are_true_to_all_of_openlineage(importable: Path) -> None:
    pairs = list(generate_openlineage(importable))
    module = importlib.import_module("openlineage_bus.openlineage")
    document = SchemaDocument.load(importable / "openlineage_bus/schemas/openlineage.json")
    assert len(set(document.events)) == 39
    assert len(pairs) == 47
    for event, path in pairs:
        check(document, event, getattr(module, event), json.loads(path.read_bytes()))


def check(document: SchemaDocument, event: str, payload: type[Any], data: dict[str, Any]) -> None:
    """Receive an event as a listener would, compare it with its annotations, and fire it again."""
    contract = document.contract(event)
    values = contract.decode(data)
    made = payload(**values)
    for field in fields(payload):
        value = getattr(made, field.name)
        assert misfits(value, field.type, payload.__module__, field.name) == []
    wire = {parameter.name: parameter.wire for parameter in contract.parameters}
    fired = contract.encode({wire[name]: value for name, value in values.items()})
    assert contract.decode(fired) == values


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, "str"),
        (True, "int"),
        ("x", "int | None"),
        ({"street": 1}, "Address"),
        ({}, "Address"),
        (["x", 1], "list[str]"),
        ({"a": 1}, "dict[str, str]"),
        ("other", "Status"),
    ],
)
def test_the_check_of_annotations_can_fail(value: object, annotation: str, importable: Path) -> None:
    apply(plan(importable, generate(HERE / "golden/per_api/schemas", "failing_bus"), within="failing_bus"))
    importlib.import_module("failing_bus.auth")
    assert misfits(value, annotation, "failing_bus.auth") != []


def test_a_chain_of_unions_is_imported_in_no_time(importable: Path) -> None:
    inner: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {}}}]}
    definitions = {"Link0": inner}
    for number in range(1, 24):  # a longer one is refused
        last = {"$ref": f"#/$defs/Link{number - 1}"}
        named = {"type": "object", "properties": {f"key{number}": last}, "additionalProperties": False}
        listed = {"type": "array", "items": last}
        holder = {"type": "object", "properties": {f"keys{number}": listed}, "additionalProperties": False}
        definitions[f"Link{number}"] = {"anyOf": [last, named, holder]}
    schema = {
        "type": "object",
        "properties": {
            "end": {"$ref": "#/$defs/Link23"},
            "ends": {"type": "array", "items": {"$ref": "#/$defs/Link22"}},
        },
        "$defs": definitions,
    }
    files = generate(Path("absent"), "chain_bus", texts={"api/happened.json": json.dumps(schema).encode()})
    apply(plan(importable, files, within="chain_bus"))
    ran = subprocess.run(
        [sys.executable, "-c", "import chain_bus.api"],
        cwd=importable,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
