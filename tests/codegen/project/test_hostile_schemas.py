"""Whatever a branch has in its schemas and file names, lightbus-gen passes none of it to a terminal or a log raw."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.compat.project import run
from tests.hostile_text import HOSTILE, WORD, check_harmless, in_terminal, piped

PYPROJECT = '[tool.lightbus-gen]\npackage = "acme_bus"\n'
FILE = WORD.replace("/", "")


def schema(**more: Any) -> dict[str, Any]:
    """Return a schema with hostile text wherever there is text."""
    return {
        "type": "object",
        "title": HOSTILE,
        "description": HOSTILE,
        "$comment": HOSTILE,
        "examples": [{HOSTILE: HOSTILE}],
        "properties": {
            "name": {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE},
            "kind": {"enum": ["a", HOSTILE], "description": HOSTILE},
            "tag": {"const": HOSTILE},
            HOSTILE: {"type": "string", "pattern": "^a", "description": HOSTILE},
            **more,
        },
        "required": ["name"],
    }


def document(events: dict[str, Any]) -> str:
    return json.dumps({"lightbus": 1, "api": "shop", "description": HOSTILE, "events": events})


OLD = {
    "sold": {
        "description": HOSTILE,
        "parameters": schema(size={"enum": [HOSTILE, "small"], "deprecated": True}),
    },
    "bought": {"parameters": schema(more={"type": "integer"})},
}
NEW = {
    "sold": {
        "description": HOSTILE,
        "parameters": schema(size={"enum": ["small"], "default": HOSTILE})
        | {"required": ["name", "kind", HOSTILE]},
    },
    "kept": {"description": HOSTILE, "parameters": schema()},
}
WRONG = {
    "sold": {
        "parameters": schema(
            bad={"type": HOSTILE}, ref={"$ref": f"#/{HOSTILE}"}, pattern={"pattern": f"({HOSTILE}"}
        )
    },
    HOSTILE: {"parameters": schema()},
    "kept": {HOSTILE: HOSTILE},
}


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_no_output_is_steered_or_forged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    git(tmp_path, "init")
    (schemas / "shop.json").write_text(document(OLD))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "old")
    git(tmp_path, "branch", "älter")
    monkeypatch.setenv("FORCE_COLOR", "1")

    def shown(*arguments: str) -> str:
        """Run a command as in a terminal; return its standard output."""
        outcome = run(*arguments, folder=tmp_path)
        check_harmless(outcome.err.encode())
        return check_harmless(outcome.out.encode())

    def every_command() -> str:
        texts = []
        for format_ in ("text", "json", "github"):
            texts.append(shown("--check", "--format", format_))
            if format_ == "json":
                json.loads(texts[-1])
        for format_ in ("text", "json", "github", "junit"):
            texts.append(shown("breaking", "--against", "älter", "--format", format_))
            if format_ == "json":
                json.loads(texts[-1])
            if format_ == "junit":
                ElementTree.fromstring(texts[-1])
        texts.append(shown("changelog", "--against", "älter"))
        return "\n".join(texts)

    shown()
    (schemas / "shop.json").write_text(document(NEW))
    breaking = ("lightbus_gen", "breaking", "--against", "älter")
    assert "Ольга" in check_harmless(in_terminal(*breaking, folder=tmp_path, environment=os.environ))
    compared = every_command()
    assert "ENUM_VALUE_REMOVED" in compared and "Ольга" in compared
    shown()

    (schemas / "shop.json").write_text(document(WRONG))
    (schemas / f"{FILE}.json").write_text("{")
    (schemas / f"{FILE}2.yaml").write_text(f"a: {json.dumps(HOSTILE)}\na: 2\n")
    (schemas / FILE).mkdir()
    (schemas / FILE / "thing.json").write_text(json.dumps(schema()))
    assert "Ольга" in every_command()
    for arguments in (
        ("breaking", "--against", HOSTILE),
        ("breaking", "--against", str(schemas / FILE)),
        ("--schemas", FILE),
        ("--only", HOSTILE),
        ("export", HOSTILE),
        ("explain", HOSTILE),
    ):
        shown(*arguments)


def test_an_import_that_fails_with_hostile_text_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT + 'apis = ["shop_bus"]\n')
    (tmp_path / "shop_bus.py").write_text(f"raise ValueError({HOSTILE!a})\n")
    out, err = piped("lightbus_gen", folder=tmp_path, environment=os.environ)
    check_harmless(out)
    assert "cannot be imported: ValueError: Ольга" in check_harmless(err)
