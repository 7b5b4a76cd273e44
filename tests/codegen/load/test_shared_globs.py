"""The globs of `shared`: `*` stays in its folder, and `**` goes through all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightbus_gen.generate import generate
from lightbus_gen.read.input_problems import InputError

PATHS = (
    "billing/types/money.json",
    "billing/types/more/rate.json",
    "billing/sent.json",
    "shop/orders/sold.json",
)


@pytest.mark.parametrize(
    ("glob", "shared"),
    [
        ("billing/*", PATHS[:3]),  # with the folder, all that is in it
        ("billing/types", PATHS[:2]),
        ("billing/types/", PATHS[:2]),
        ("billing/types/*", PATHS[:2]),
        ("billing/types/*.json", PATHS[:1]),
        ("billing/*.json", PATHS[2:3]),
        ("billing/**/*.json", PATHS[:3]),
        ("**/*.json", PATHS),
        ("**", PATHS),
        ("*", PATHS),
        ("*.json", ()),
        ("**/sold.json", PATHS[3:]),
        ("**/s*.json", PATHS[2:]),
        ("*/s*.json", PATHS[2:3]),
        ("*/*/sold.json", PATHS[3:]),
        ("types", ()),
        ("**/types", PATHS[:2]),
        ("shop/?????s/*", PATHS[3:]),
        ("shop?orders", ()),
        ("shop[/]orders", ()),
        ("shop[!x]orders", ()),
        ("[bs]*/s[!o]*", PATHS[2:3]),
        ("[bs]*/s[!o]*.json", PATHS[2:3]),
        ("[a-c]illing/sent.json", PATHS[2:3]),
        ("billing/[]s]ent.json", PATHS[2:3]),
        ("billing/[^s]ent.json", PATHS[2:3]),
        ("billing/sent.json|shop/**", ()),
        ("billing/sent[json", ()),
    ],
)
def test_a_glob(glob: str, shared: tuple[str, ...]) -> None:
    texts = {path: json.dumps({"type": "object"}).encode() for path in PATHS}
    expected = {f"{path.rpartition('/')[0].replace('/', '.')}" for path in PATHS if path not in shared}
    try:
        files = generate(Path("absent"), "one_bus", texts=texts, shared=[glob])
    except InputError as error:
        assert {problem.rule for problem in error.problems} == {"NO_SCHEMAS"}
        files = {}
    apis = {
        name.removeprefix("one_bus/schemas/").removesuffix(".json") for name in files if "/schemas/" in name
    }
    assert apis == expected
