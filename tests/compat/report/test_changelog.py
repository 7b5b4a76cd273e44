"""The list of changes, for people."""

from __future__ import annotations

import json
from pathlib import Path

from tests.compat.project import events, run

OLD = events(
    signed_in={"type": "object", "properties": {"name": {"type": "string"}, "mail": {"type": "string"}}},
    signed_out={"type": "object"},
    left={"type": "object"},
)
NEW = events(
    signed_in={
        "type": "object",
        "properties": {
            "name": {"type": ["string", "null"], "deprecated": True, "default": "?"},
            "address": {
                "type": "object",
                "description": "Where to.\nA parcel.",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    },
    signed_out={"type": "object"},
    joined={"type": "object"},
)
WANTED = """\
## Events since old

### Added

- `auth.joined`: Somebody is new.

### Changed

- `auth.signed_in`
  - changed `name`: default null before, "?" now
  - deprecated `name`
  - added `address` (object, optional): Where to.
  - added `address.city` (string, required)
  - changed `name`: a value may have a type that was refused before: string before, string or null now (**TYPE_WIDENED**)
  - removed `mail`

### Removed

- `auth.left` (**EVENT_REMOVED**)
"""


def save(folder: Path, document: object) -> None:
    folder.mkdir()
    (folder / "auth.json").write_text(json.dumps(document))


def test_it_lists_what_was_added_changed_deprecated_and_removed(tmp_path: Path) -> None:
    NEW["events"]["joined"]["description"] = "Somebody is new."
    save(tmp_path / "old", OLD)
    save(tmp_path / "schemas", NEW)
    outcome = run("changelog", "--against", "old", folder=tmp_path)
    assert (outcome.exit_code, outcome.out) == (0, WANTED)


def test_it_says_when_nothing_has_changed(tmp_path: Path) -> None:
    save(tmp_path / "old", OLD)
    save(tmp_path / "schemas", OLD)
    outcome = run("changelog", "--against", "old", folder=tmp_path)
    assert outcome.out == "## Events since old\n\nNo event has changed.\n"


def test_what_cannot_be_compared_is_a_mistake(tmp_path: Path) -> None:
    save(tmp_path / "schemas", OLD)
    outcome = run("changelog", "--against", "nowhere", folder=tmp_path)
    assert outcome.exit_code == 2
    assert "NO_BASE" in outcome.err


def test_every_break_is_marked_once(tmp_path: Path) -> None:
    save(tmp_path / "old", {**OLD, "events": {**OLD["events"], "moved": required("address", "name")}})
    save(tmp_path / "schemas", {**OLD, "events": {**OLD["events"], "moved": required("address", "city")}})
    outcome = run("changelog", "--against", "old", folder=tmp_path)
    assert outcome.out.splitlines()[5:] == [
        "  - added `address.city` (string, required) (**REQUIRED_FIELD_ADDED**)",
        "  - removed `address.name` (**REQUIRED_FIELD_REMOVED**)",
    ]


def test_the_events_of_an_api_that_is_gone_are_marked(tmp_path: Path) -> None:
    save(tmp_path / "old", OLD)
    save(tmp_path / "schemas", {**OLD, "api": "login"})
    outcome = run("changelog", "--against", "old", folder=tmp_path)
    assert outcome.out.count("(**API_REMOVED**)") == len(OLD["events"])


def required(holder: str, name: str) -> dict[str, object]:
    inner = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}
    return {"parameters": {"type": "object", "properties": {holder: inner}}}
