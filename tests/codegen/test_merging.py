"""Branches that change different APIs merge: each API has files of its own."""

from __future__ import annotations

import json
from pathlib import Path

from lightbus_gen.generate import generate


def package(**kinds: str) -> dict[str, str]:
    """Generate APIs by name, each with an event whose parameter has a type."""
    texts = {}
    for api, kind in kinds.items():
        parameters = {"type": "object", "properties": {"x": {"type": kind}}, "required": ["x"]}
        document = {"lightbus": 1, "api": api, "events": {"sold": {"parameters": parameters}}}
        texts[f"{api}.json"] = json.dumps(document).encode()
    return generate(Path("absent"), "acme_bus", texts=texts)


def test_a_change_of_an_api_changes_only_files_of_that_api() -> None:
    before, after = package(shop="string", stock="string"), package(shop="integer", stock="string")
    changed = {path for path, text in after.items() if before[path] != text}
    assert changed == {"acme_bus/shop.py", "acme_bus/schemas/shop.json"}
